//! What a request presents.

use crate::endpoint::signature::SignatureAlgorithm;
use crate::time::UnixTime;

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
    /// What an assertion is made of, if the client authenticates by one.
    pub assertion: Option<&'a Assertion<'a>>,
}

/// What the assertion is made of that a client authenticates with (RFC 7523 section 2.2). One is for one request.
///
/// ```
/// use tokenward::{Assertion, Credentials, UnixTime};
///
/// let random = core::array::from_fn(|n| n as u8); // From the system's generator.
/// let assertion = Assertion { random, wall: UnixTime::from_secs(1_700_000_000), ..Assertion::default() };
/// let credentials = Credentials {
///     client_id: "id",
///     client_secret: "s&cret",
///     assertion: Some(&assertion),
///     ..Credentials::default()
/// };
/// ```
///
/// Where a key signs that the caller holds, it signs what [`crate::TokenManager::signing_input`] gives.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Assertion<'a> {
    /// Tells it from every other one, for good: a seed may repeat, these bytes must not.
    pub random: [u8; 16],
    /// The time of day, from which it is good for a minute. 0, as clocks say that nobody has set: it is not known.
    pub wall: UnixTime,
    /// Which of its keys the client signs with, if it has several (RFC 7515 section 4.1.4).
    pub key_id: Option<&'a str>,
    /// The SHA-256 of its certificate in base64url without padding, for a service that wants to be told (RFC 7515 section
    /// 4.1.8).
    pub certificate_thumbprint: Option<&'a str>,
    /// How the caller signs, if its own key does.
    pub algorithm: Option<&'a SignatureAlgorithm>,
    /// What it has signed with that key; none: it has not yet.
    pub signature: Option<&'a [u8]>,
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

impl core::fmt::Debug for Assertion<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Assertion(..)")
    }
}
