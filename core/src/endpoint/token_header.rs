//! The field that carries a token to the API.

/// The header field that carries a service's tokens to its API.
///
/// ```
/// use tokenward::TokenHeader;
///
/// // `X-API-Key: 2YotnFZFEjr1zCsicMWpAA`
/// const KEY: TokenHeader<'static> = TokenHeader { name: "X-API-Key", scheme: "" };
/// assert_eq!(TokenHeader::BEARER.name, "Authorization");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TokenHeader<'a> {
    /// The field's name.
    pub name: &'a str,
    /// What stands in front of the token, before a space; empty: the value is the token alone.
    pub scheme: &'a str,
}

impl TokenHeader<'static> {
    /// `Authorization: Bearer …` (RFC 6750 section 2.1).
    pub const BEARER: Self = Self { name: "Authorization", scheme: "Bearer" };
}
