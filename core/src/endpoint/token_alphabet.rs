//! The bytes of an access token.

/// The bytes that an access token may have. Whatever is stored can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenAlphabet {
    /// `b64token` of RFC 6750 section 2.1.
    B64Token = 0,
    /// 0x21–0x7E, for services whose tokens have more (`Atza|…`).
    Visible = 1,
}
