//! The field that carries a token, Bearer as a rule (RFC 6750 section 2.1), and Basic (RFC 7617).

use crate::endpoint::token_alphabet::TokenAlphabet;
use crate::endpoint::token_header::TokenHeader;
use crate::error::Error;
use crate::wire::writer::Writer;

/// Counts the access tokens that a manager has kept, from 1; told to [`crate::TokenManager::rejected`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// A token lent for one header field: `Authorization: Bearer …`, if its provider has no other.
///
/// ```
/// use tokenward::Bearer;
///
/// let key = Bearer::new("fl_your_api_key").unwrap();
/// let mut out = [0; 64];
/// assert_eq!(key.write(&mut out).unwrap(), b"Bearer fl_your_api_key");
/// ```
#[derive(Clone, Copy)]
pub struct Bearer<'a> {
    token: &'a [u8],
    generation: Generation,
    header: &'a TokenHeader<'a>,
}

impl<'a> Bearer<'a> {
    /// A token that no manager keeps.
    ///
    /// # Errors
    /// - [`Error::InvalidAccessToken`]: empty, or a byte outside 0x21–0x7E, which could end the field.
    pub fn new(token: &'a str) -> Result<Self, Error> {
        if TokenAlphabet::Visible.has_text(token) {
            Ok(Self::stored(token.as_bytes(), Generation(0), &TokenHeader::BEARER))
        } else {
            Err(Error::InvalidAccessToken)
        }
    }

    /// A token that was checked when it was stored.
    pub(crate) const fn stored(token: &'a [u8], generation: Generation, header: &'a TokenHeader<'a>) -> Self {
        Self { token, generation, header }
    }

    /// The field's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.header.name
    }

    /// Which of the manager's tokens this is.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Bytes of the field's value.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        let scheme = self.header.scheme.len();
        scheme.saturating_add(if scheme > 0 { 1 } else { 0 }).saturating_add(self.token.len())
    }

    /// Writes the field's value, whole or not at all; gives back what was written: ASCII.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: with the size that it takes.
    ///
    /// # Security
    /// `out` holds the token afterwards: [`crate::wipe`] it when the request is sent.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let needed = self.encoded_len();
        let out = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let scheme = self.header.scheme.as_bytes();
        let (front, token) =
            out.split_at_mut_checked(needed.wrapping_sub(self.token.len())).unwrap_or_default();
        token.iter_mut().zip(self.token).for_each(|(to, byte)| *to = *byte);
        if let [scheme_place @ .., space] = front {
            scheme_place.iter_mut().zip(scheme).for_each(|(to, byte)| *to = *byte);
            *space = b' ';
        }
        Ok(out)
    }

    /// The same as an owned string.
    ///
    /// ```
    /// # use tokenward::Bearer;
    /// let field = Bearer::new("fl_your_api_key").unwrap().to_heapless::<64>().unwrap();
    /// assert_eq!(field, "Bearer fl_your_api_key");
    /// ```
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: `N` is too small.
    #[cfg(feature = "heapless")]
    pub fn to_heapless<const N: usize>(&self) -> Result<heapless::String<N>, Error> {
        let needed = self.encoded_len();
        let mut bytes = heapless::Vec::new();
        bytes.resize(needed, 0).map_err(|_| Error::BufferTooSmall { needed })?;
        self.write(&mut bytes)?;
        heapless::String::from_utf8(bytes).map_err(|_| Error::InvalidAccessToken)
    }
}

impl core::fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bearer").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// Writes the value of a Basic `Authorization` field, id and secret form-encoded first, the rule of RFC 6749 section
/// 2.3.1; gives back what was written: ASCII.
///
/// ```
/// let mut out = [0; 64];
/// assert_eq!(tokenward::basic("id", "s&cret", &mut out).unwrap(), b"Basic aWQ6cyUyNmNyZXQ=");
/// ```
///
/// # Errors
/// - [`Error::WrongCredentials`]: the id is empty.
/// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
///
/// # Security
/// `out` holds the secret afterwards: [`crate::wipe`] it when the request is sent.
pub fn basic<'b>(id: &str, secret: &str, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
    whole_basic(!id.is_empty(), id, secret, |out, text| out.form(text), out)
}

/// The same with id and secret as they are (RFC 7617): what `curl -u` sends.
///
/// ```
/// let mut out = [0; 64];
/// let field = tokenward::basic_raw("Aladdin", "open sesame", &mut out).unwrap();
/// assert_eq!(field, b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// ```
///
/// # Errors
/// - [`Error::WrongCredentials`]: the id is empty, or holds `:` or a control character (RFC 7617 section 2).
/// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
///
/// # Security
/// `out` holds the secret afterwards: [`crate::wipe`] it when the request is sent.
pub fn basic_raw<'b>(id: &str, secret: &str, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
    whole_basic(is_raw_id(id), id, secret, |out, text| out.bytes(text), out)
}

/// Whether Basic can carry an id as it is: it does not hold what ends it, nor a control character (RFC 7617 section 2).
pub(crate) fn is_raw_id(id: &str) -> bool {
    // Without a branch for each byte, so that many are looked at together.
    let is_bad = |byte: u8| (byte == b':') | byte.is_ascii_control();
    !id.is_empty() && !id.bytes().fold(false, |bad, byte| bad | is_bad(byte))
}

/// Writes an id or a secret, as it is or form-encoded.
type Write = fn(&mut Writer<'_>, &[u8]);

fn whole_basic<'b>(
    fits: bool,
    id: &str,
    secret: &str,
    write: Write,
    out: &'b mut [u8],
) -> Result<&'b [u8], Error> {
    if !fits {
        return Err(Error::WrongCredentials);
    }
    let mut out = Writer::new(out);
    write_basic(&mut out, id, secret, write);
    Ok(out.finish()?)
}

pub(crate) fn write_basic(out: &mut Writer<'_>, id: &str, secret: &str, write: Write) {
    out.bytes(b"Basic ");
    let start = out.written();
    write(out, id.as_bytes());
    out.bytes(b":");
    write(out, secret.as_bytes());
    out.base64(start);
}
