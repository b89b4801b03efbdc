//! The one error type, its stable numbers and names.

/// Why something was refused. Carries no byte of a body and no secret.
///
/// [`Error::name`] is the same word in Rust, C, Swift, Kotlin, the command and the scenarios;
/// [`Error::code`] is the stable number: 100–199 input, 200–299 capacity, 300–399 state and use.
/// Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The first byte of the body, after BOM and white space, is not `{`: HTML, a form, an array.
    NotJson,
    /// The body stops before its value ends: the receive buffer was too small, or the connection broke.
    Truncated {
        /// Bytes that were there.
        offset: usize,
    },
    /// RFC 8259 refuses the body.
    Malformed {
        /// Offset of the first byte that cannot stand where it stands.
        offset: usize,
    },
    /// More than 32 containers are open at once.
    TooDeep {
        /// Offset of the bracket that opens one too many.
        offset: usize,
    },
    /// A member that is read is given twice in its object (RFC 6749 section 3.2).
    DuplicateMember,
    /// `access_token` is missing, no string, empty, or has a byte outside the provider's alphabet.
    InvalidAccessToken,
    /// `refresh_token` is no string, or holds a lone surrogate.
    InvalidRefreshToken,
    /// `token_type` is no string, or missing where the provider requires it.
    InvalidTokenType,
    /// `scope` is neither a string nor an array of strings.
    InvalidScopeMember,
    /// `error`, `error_description` or `error_uri` is no string.
    InvalidError,
    /// `expires_in` is negative, a boolean, a container, or a string of anything but digits.
    InvalidExpiresIn,
    /// A non-empty `error` stands next to a token.
    ErrorBesideToken,
    /// The `token_type` is not Bearer nor one of the provider's aliases (RFC 6749 section 7.1).
    UnsupportedTokenType,
    /// `expires_in` is missing and the provider's policy is to refuse.
    MissingLifetime,
    /// A JSON object without an error code under a status other than 2xx.
    NoErrorCode,
    /// The answer's token is over before it could be used.
    AlreadyExpired,
    /// The server gave the stored access token again although it is used up.
    SameToken,
    /// Not a URL that means one thing only.
    BadUrl,
    /// Not a list of challenges (RFC 9110 section 11.6.1).
    InvalidChallenge,
    /// None of the three HTTP-date forms (RFC 9110 section 5.6.7).
    InvalidHttpDate,
    /// Neither seconds nor an HTTP-date (RFC 9110 section 10.2.3).
    InvalidRetryAfter,
    /// Not a JWS in compact form with base64url parts (RFC 7519).
    InvalidJwt,
    /// A registered claim has the wrong type (RFC 7519 section 4.1).
    InvalidClaim,
    /// The snapshot is torn, truncated, of another version, or its seal does not match.
    InvalidSnapshot,
    /// The snapshot belongs to another provider, environment or subject.
    ForeignSnapshot,
    /// The snapshot is older than the revision floor, or than what this manager last kept.
    StaleSnapshot,
    /// A token is longer than its slot.
    TooLong {
        /// Bytes that the slot would need.
        needed: usize,
    },
    /// The output buffer is too small; nothing was written.
    BufferTooSmall {
        /// Bytes that the buffer would need.
        needed: usize,
    },
    /// `poll` does not ask for a request now.
    NotDue,
    /// A request is out and has not timed out.
    RequestInFlight,
    /// The request id is not that of the request that is out.
    StaleRequest,
    /// The credentials do not fit the grant: one that it needs is missing or cannot be sent.
    WrongCredentials,
    /// The URL's origin is not one of the provider's.
    OriginNotAllowed,
    /// No row of the provider's route table has this method and path.
    UnknownRoute,
    /// The route is opened by the other kind of token.
    RouteNeedsOtherToken,
    /// The route belongs to another site.
    OtherSite,
    /// There is no token that may be sent now.
    NotUsable,
    /// A parameter would be sent twice (RFC 6749 section 3.2).
    DuplicateParameter,
    /// The subject does not fit the provider: its token endpoint wants a site and there is none, or the site
    /// would not stay in its place of the path.
    InvalidProvider,
}

impl Error {
    /// Every error, in the order of the numbers; what an error says beside its name is 0 here.
    pub const ALL: &[Self] = &[
        Self::NotJson,
        Self::Truncated { offset: 0 },
        Self::Malformed { offset: 0 },
        Self::TooDeep { offset: 0 },
        Self::DuplicateMember,
        Self::InvalidAccessToken,
        Self::InvalidRefreshToken,
        Self::InvalidTokenType,
        Self::InvalidScopeMember,
        Self::InvalidError,
        Self::InvalidExpiresIn,
        Self::ErrorBesideToken,
        Self::UnsupportedTokenType,
        Self::MissingLifetime,
        Self::NoErrorCode,
        Self::AlreadyExpired,
        Self::SameToken,
        Self::BadUrl,
        Self::InvalidChallenge,
        Self::InvalidHttpDate,
        Self::InvalidRetryAfter,
        Self::InvalidJwt,
        Self::InvalidClaim,
        Self::InvalidSnapshot,
        Self::ForeignSnapshot,
        Self::StaleSnapshot,
        Self::TooLong { needed: 0 },
        Self::BufferTooSmall { needed: 0 },
        Self::NotDue,
        Self::RequestInFlight,
        Self::StaleRequest,
        Self::WrongCredentials,
        Self::OriginNotAllowed,
        Self::UnknownRoute,
        Self::RouteNeedsOtherToken,
        Self::OtherSite,
        Self::NotUsable,
        Self::DuplicateParameter,
        Self::InvalidProvider,
    ];

    /// The snake_case name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().1
    }

    /// The stable number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.entry().0
    }

    const fn entry(self) -> (u16, &'static str) {
        match self {
            Self::NotJson => (100, "not_json"),
            Self::Truncated { .. } => (101, "truncated"),
            Self::Malformed { .. } => (102, "malformed"),
            Self::TooDeep { .. } => (103, "too_deep"),
            Self::DuplicateMember => (104, "duplicate_member"),
            Self::InvalidAccessToken => (105, "invalid_access_token"),
            Self::InvalidRefreshToken => (106, "invalid_refresh_token"),
            Self::InvalidTokenType => (107, "invalid_token_type"),
            Self::InvalidScopeMember => (108, "invalid_scope_member"),
            Self::InvalidError => (109, "invalid_error"),
            Self::InvalidExpiresIn => (110, "invalid_expires_in"),
            Self::ErrorBesideToken => (111, "error_beside_token"),
            Self::UnsupportedTokenType => (112, "unsupported_token_type"),
            Self::MissingLifetime => (113, "missing_lifetime"),
            Self::NoErrorCode => (114, "no_error_code"),
            Self::AlreadyExpired => (115, "already_expired"),
            Self::SameToken => (116, "same_token"),
            Self::BadUrl => (120, "bad_url"),
            Self::InvalidChallenge => (121, "invalid_challenge"),
            Self::InvalidHttpDate => (122, "invalid_http_date"),
            Self::InvalidRetryAfter => (123, "invalid_retry_after"),
            Self::InvalidJwt => (124, "invalid_jwt"),
            Self::InvalidClaim => (125, "invalid_claim"),
            Self::InvalidSnapshot => (130, "invalid_snapshot"),
            Self::ForeignSnapshot => (131, "foreign_snapshot"),
            Self::StaleSnapshot => (132, "stale_snapshot"),
            Self::TooLong { .. } => (200, "too_long"),
            Self::BufferTooSmall { .. } => (201, "buffer_too_small"),
            Self::NotDue => (300, "not_due"),
            Self::RequestInFlight => (301, "request_in_flight"),
            Self::StaleRequest => (302, "stale_request"),
            Self::WrongCredentials => (303, "wrong_credentials"),
            Self::OriginNotAllowed => (304, "origin_not_allowed"),
            Self::UnknownRoute => (305, "unknown_route"),
            Self::RouteNeedsOtherToken => (306, "route_needs_other_token"),
            Self::OtherSite => (307, "other_site"),
            Self::NotUsable => (308, "not_usable"),
            Self::DuplicateParameter => (309, "duplicate_parameter"),
            Self::InvalidProvider => (310, "invalid_provider"),
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Error {}
