//! Parameters of a service's own.

/// A parameter of the service's own, such as `audience` and `resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Parameter<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; `{name}` in it stands for one of [`field@crate::Additions::values`], `{access_token}` for the access
    /// token that is held, whether it has ended or not: without one the parameter is left out.
    pub value: &'a str,
    /// What it is sent with.
    pub target: Target,
}

impl<'a> Parameter<'a> {
    /// A parameter of every token request.
    #[must_use]
    pub const fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value, target: Target::Token }
    }

    /// The same for requests of this kind alone.
    #[must_use]
    pub const fn on(self, target: Target) -> Self {
        Self { target, ..self }
    }
}

/// A request that a parameter is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Target {
    /// Every request to the token endpoint.
    Token = 0,
    /// The request with the primary grant. A site token has no parameters.
    Primary = 1,
    /// The refresh.
    Refresh = 2,
    /// The authorization URL that a browser opens (RFC 6749 section 4.1.1).
    Authorization = 3,
    /// The device authorization request (RFC 8628 section 3.1).
    Device = 4,
    /// The exchange of a code (RFC 6749 section 4.1.3, RFC 8628 section 3.4).
    Code = 5,
    /// The revocation of a token (RFC 7009 section 2.1).
    Revocation = 6,
}

impl Target {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::Token,
        Self::Primary,
        Self::Refresh,
        Self::Authorization,
        Self::Device,
        Self::Code,
        Self::Revocation,
    ];

    /// Its name in descriptions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Primary => "primary",
            Self::Refresh => "refresh",
            Self::Authorization => "authorization",
            Self::Device => "device",
            Self::Code => "code",
            Self::Revocation => "revocation",
        }
    }

    /// Whether what is sent with `self` goes with a request that is `other`.
    pub(crate) const fn covers(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Token, Self::Token | Self::Primary | Self::Refresh | Self::Code)
                | (Self::Primary, Self::Primary)
                | (Self::Refresh, Self::Refresh)
                | (Self::Authorization, Self::Authorization)
                | (Self::Device, Self::Device)
                | (Self::Code, Self::Code)
                | (Self::Revocation, Self::Revocation)
        )
    }
}
