//! Grants.

/// How a token is obtained (RFC 6749 section 4 and 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials = 1,
    /// RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other.
    Password = 2,
    /// RFC 6749 section 6.
    RefreshToken = 3,
    /// A `POST` with a client token as Bearer that answers a token for one site.
    SiteToken = 4,
    /// RFC 6749 section 4.5: [`field@crate::Requests::extension_grant`] names it, and what it presents are
    /// [`field@crate::Requests::parameters`].
    Extension = 5,
}

impl Grant {
    /// Every one of them.
    pub const ALL: &'static [Self] =
        &[Self::ClientCredentials, Self::Password, Self::RefreshToken, Self::SiteToken, Self::Extension];

    /// Its name: the `grant_type` parameter, except for a site token, which has none, and an extension grant.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::SiteToken => "site_token",
            Self::Extension => "extension",
        }
    }
}
