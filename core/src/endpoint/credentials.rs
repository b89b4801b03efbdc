//! What a request presents.

/// What a request presents. It is handed to each request and never kept; whatever a grant does not need is ignored.
///
/// ```
/// use tokenward::Credentials;
///
/// let credentials = Credentials { client_id: "id", client_secret: "s&cret", ..Credentials::default() };
/// assert_eq!(format!("{credentials:?}"), "Credentials(..)");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// RFC 6749 section 2.2.
    pub client_id: &'a str,
    /// RFC 6749 section 2.3.1.
    pub client_secret: &'a str,
    /// RFC 6749 section 4.3.2.
    pub username: &'a str,
    /// RFC 6749 section 4.3.2.
    pub password: &'a str,
    /// The token that opens the token endpoint itself, if the provider authenticates that way.
    pub bearer: &'a str,
}

/// What a request carries beside its credentials.
///
/// ```
/// use tokenward::Additions;
///
/// let key = Additions { values: &[("api_key", "k&y")], ..Additions::default() };
/// assert_eq!(format!("{key:?}"), "Additions(..)");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Additions<'a> {
    /// What stands for `{name}` in the provider's parameters and header fields, by name.
    pub values: &'a [(&'a str, &'a str)],
    /// Parameters beside those of the provider (`audience`, `resource`); those with an empty value are left out. A site
    /// token has none.
    pub parameters: &'a [(&'a str, &'a str)],
}

impl Additions<'_> {
    pub(crate) const NONE: &'static Additions<'static> = &Additions { values: &[], parameters: &[] };
}

impl core::fmt::Debug for Additions<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Additions(..)")
    }
}

impl core::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Credentials(..)")
    }
}
