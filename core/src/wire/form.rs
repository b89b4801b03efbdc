//! `application/x-www-form-urlencoded`, read where it stands (RFC 6749 Appendix B).

use crate::error::Error;
use crate::secret::ct_eq_iter;
use crate::wire::url::next_decoded;

/// A name or a value where it stands: compared, measured and copied without being decoded first.
///
/// It is redacted in `Debug` and has neither `Display` nor `PartialEq`: what it holds may be a secret.
#[derive(Clone, Copy)]
pub struct FormStr<'a> {
    raw: &'a [u8],
}

impl<'a> FormStr<'a> {
    /// Whether nothing stands in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Its bytes, decoded.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut rest = self.raw;
        core::iter::from_fn(move || decoded(&mut rest))
    }

    /// Whether it is `text`, compared in constant time for strings of one length.
    #[must_use]
    pub fn ct_eq(&self, text: &[u8]) -> bool {
        ct_eq_iter(self.bytes(), text)
    }

    /// Copies it decoded to the start of `out`; gives back what was written.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: nothing was written.
    pub fn copy_to<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let needed = self.bytes().count();
        let room = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        room.iter_mut().zip(self.bytes()).for_each(|(to, byte)| *to = byte);
        Ok(room)
    }
}

/// Whether every percent sign starts an escape.
pub(crate) fn is_well_formed(text: &[u8]) -> bool {
    let mut rest = text;
    while decoded(&mut rest).is_some() {}
    rest.is_empty()
}

impl core::fmt::Debug for FormStr<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FormStr(..)")
    }
}

/// Takes one byte. `None` at the end, and at an escape that is none.
#[inline(never)]
fn decoded(rest: &mut &[u8]) -> Option<u8> {
    if let [b'+', behind @ ..] = rest {
        *rest = behind;
        return Some(b' ');
    }
    next_decoded(rest)
}

/// The pairs of a query, from its start.
pub(crate) fn pairs(query: &[u8]) -> impl Iterator<Item = (FormStr<'_>, FormStr<'_>)> {
    query.split(|byte| *byte == b'&').map(|pair| {
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at_checked(end.unwrap_or(pair.len())).unwrap_or_default();
        (FormStr { raw: name }, FormStr { raw: value.get(1..).unwrap_or_default() })
    })
}
