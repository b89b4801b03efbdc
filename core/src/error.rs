//! The one error type, its stable numbers, names and sentences.

use crate::table::{named, table};

table! {
    /// Why something was refused. Carries no byte of a body and no secret.
    ///
    /// [`Error::name`] is the same word in Rust, C, Swift, Kotlin, the command and the scenarios;
    /// [`Error::code`] is the stable number: 100–199 input, 200–299 capacity, 300–399 state and use.
    /// `Display` shows [`Error::sentence`].
    #[non_exhaustive]
    pub enum Error: u16 {
        /// The first byte, after BOM and white space, is not `{`: HTML, a form, an array.
        NotJson = 100, "not_json",
            "The body is not a JSON object: check the token URL.";
        Truncated {
            /// Bytes that were there.
            offset
        } = 101, "truncated",
            "The body stops before its end: enlarge the receive buffer, or try again.";
        /// RFC 8259.
        Malformed {
            /// Offset of the first byte that cannot stand where it stands.
            offset
        } = 102, "malformed",
            "The body is not valid JSON: report it to the token service.";
        TooDeep {
            /// Offset of the bracket that opens one too many.
            offset
        } = 103, "too_deep",
            "The body nests more than 32 objects and arrays: report it to the token service.";
        /// RFC 6749 section 3.2.
        DuplicateMember = 104, "duplicate_member",
            "The body has a member twice that may only stand once: report it to the token service.";
        /// The provider's alphabet says which characters can be sent.
        InvalidAccessToken = 105, "invalid_access_token",
            "The access token is missing, empty, not a string, or has characters that cannot be sent.";
        /// It holds a lone surrogate, or is not a string.
        InvalidRefreshToken = 106, "invalid_refresh_token",
            "The refresh token is not text: report it to the token service.";
        InvalidTokenType = 107, "invalid_token_type",
            "The token_type is not text, or is missing although the provider requires it.";
        InvalidScopeMember = 108, "invalid_scope_member",
            "The scope is neither a string nor an array of strings: report it to the token service.";
        InvalidError = 109, "invalid_error",
            "The error, its description or its URI is not text: report it to the token service.";
        InvalidExpiresIn = 110, "invalid_expires_in",
            "The expires_in is not a number of seconds: report it to the token service.";
        ErrorBesideToken = 111, "error_beside_token",
            "The answer has both a token and an error: report it to the token service.";
        /// RFC 6749 section 7.1.
        UnsupportedTokenType = 112, "unsupported_token_type",
            "The token is not a Bearer token: list its token_type as an alias if it is used like one.";
        /// The provider's policy is to refuse that.
        MissingLifetime = 113, "missing_lifetime",
            "The answer has no expires_in: tell the provider's description how long its tokens live.";
        /// Under a status other than 2xx.
        NoErrorCode = 114, "no_error_code",
            "The service refused the request without an error code: check the token URL.";
        AlreadyExpired = 115, "already_expired",
            "The token has expired before it could be used: get a new one, and check the clocks.";
        SameToken = 116, "same_token",
            "The service gave the used-up token again: report it to the token service.";
        /// Under a status other than 2xx: text, HTML, nothing.
        HttpStatus {
            /// The status code.
            status
        } = 117, "http_status",
            "The token service answered with an HTTP error and without a reason that can be read.";
        /// It begins as gzip does (RFC 1952 section 2.3.1).
        EncodedBody = 118, "encoded_body",
            "The body is compressed, and nobody asked for that: let the HTTP client decode it.";
        BadUrl = 120, "bad_url",
            "The URL is not absolute, or is ambiguous: leave out user names, spaces and dot segments.";
        /// RFC 9110 section 11.6.1.
        InvalidChallenge = 121, "invalid_challenge",
            "The WWW-Authenticate field is not a list of challenges: report it to the service.";
        /// It has none of the three forms of RFC 9110 section 5.6.7.
        InvalidHttpDate = 122, "invalid_http_date",
            "The date is not an HTTP date: report it to the service.";
        /// RFC 9110 section 10.2.3.
        InvalidRetryAfter = 123, "invalid_retry_after",
            "The Retry-After field is neither seconds nor an HTTP date: report it to the service.";
        /// A JWS in compact form with base64url parts (RFC 7519).
        InvalidJwt = 124, "invalid_jwt",
            "The token is not a JSON Web Token: give three base64url parts with dots between them.";
        /// RFC 7519 section 4.1.
        InvalidClaim = 125, "invalid_claim",
            "A registered claim of the token has the wrong type: report it to the token service.";
        InvalidSnapshot = 130, "invalid_snapshot",
            "The stored state is damaged or was changed by somebody: delete it and sign in again.";
        ForeignSnapshot = 131, "foreign_snapshot",
            "The stored state belongs to another provider, environment or subject: use another storage.";
        /// It is older than the revision floor, or than what this manager last kept.
        StaleSnapshot = 132, "stale_snapshot",
            "The stored state is older than the one in use: read the storage again.";
        OtherSnapshotVersion = 133, "other_snapshot_version",
            "The stored state was written by another version of tokenward: delete it and sign in again.";
        OtherSnapshotKey = 134, "other_snapshot_key",
            "The stored state is sealed with another key: find that key, or delete the state and sign in again.";
        /// RFC 6749 section 4.1.2: it says neither a code nor an error, or both, or a code that is none.
        InvalidCallback = 140, "invalid_callback",
            "The callback brings neither a code nor an error: start the sign-in again.";
        /// RFC 6749 section 3.1.2.
        OtherRedirectUri = 141, "other_redirect_uri",
            "The callback is not at the redirect URI that was asked for: ignore it.";
        /// RFC 6749 section 10.12.
        OtherState = 142, "other_state",
            "The callback belongs to another sign-in, or somebody made it up: ignore it.";
        /// RFC 9207 section 2.4.
        OtherIssuer = 143, "other_issuer",
            "The callback does not come from the provider's issuer: ignore it, and check the issuer.";
        /// RFC 8628 section 3.2.
        InvalidDeviceAuthorization = 144, "invalid_device_authorization",
            "The answer lacks a code, or a page to enter it at, that can be shown: report it to the service.";
        TooLong {
            /// Bytes that the slot would need.
            needed
        } = 200, "too_long",
            "The access token is longer than its slot: give the token manager more room for it.";
        /// What was written is wiped.
        BufferTooSmall {
            /// Bytes that the buffer would need.
            needed
        } = 201, "buffer_too_small",
            "The buffer is too small: give a larger one.";
        RefreshTokenTooLong {
            /// Bytes that the slot would need.
            needed
        } = 202, "refresh_token_too_long",
            "The refresh token is longer than its slot: give the token manager more room for it.";
        NotDue = 300, "not_due",
            "No token request is due: wait until poll asks for one.";
        /// It has not timed out.
        RequestInFlight = 301, "request_in_flight",
            "A token request is out already: wait for its answer.";
        StaleRequest = 302, "stale_request",
            "The answer is to an earlier token request: ignore it.";
        WrongCredentials = 303, "wrong_credentials",
            "A credential that the grant needs is missing or cannot be sent: check the credentials.";
        OriginNotAllowed = 304, "origin_not_allowed",
            "The URL is not on one of the provider's origins: check it, and use https.";
        UnknownRoute = 305, "unknown_route",
            "The provider has no endpoint with this method and path: check them.";
        RouteNeedsOtherToken = 306, "route_needs_other_token",
            "The endpoint takes the other kind of token: use a client's instead of a site's, or vice versa.";
        OtherSite = 307, "other_site",
            "The endpoint belongs to another site: use that site's token.";
        NotUsable = 308, "not_usable",
            "There is no token that may be sent now: get one first.";
        /// RFC 6749 section 3.2.
        DuplicateParameter = 309, "duplicate_parameter",
            "A parameter stands twice: give each one once.";
        /// The token endpoint wants a site and there is none, or the site would not stay in its place of the path.
        InvalidProvider = 310, "invalid_provider",
            "The provider's description does not work here: mend the fact that is named, or say the site.";
        /// RFC 7636 section 7.1.
        NotRandom = 320, "not_random",
            "The bytes that must be random are all alike: check the random number generator.";
        NoWallClock = 321, "no_wall_clock",
            "The time of day is not known: set the clock first.";
        /// A sign-in that was stored is good for ten minutes.
        SignInExpired = 322, "sign_in_expired",
            "The sign-in took too long: start it again.";
        /// RFC 7518 section 3.
        InvalidSignature = 323, "invalid_signature",
            "The signature is not one of its algorithm: check what signs.";
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl core::error::Error for Error {}
