//! `application/x-www-form-urlencoded`, read where it stands (RFC 6749 Appendix B).

use crate::ascii::{Class, split_class};
use crate::error::Error;
use crate::secret::ct_eq_iter;
use crate::wire::input::Text;
use crate::wire::json::{Each, Item, is_utf8};
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
#[cfg(feature = "snapshot")]
pub(crate) fn pairs(query: &[u8]) -> impl Iterator<Item = (FormStr<'_>, FormStr<'_>)> {
    query.split(|byte| *byte == b'&').map(|pair| {
        let (name, value) = halves(pair).unwrap_or((pair, b""));
        (FormStr { raw: name }, FormStr { raw: value })
    })
}

/// What stands in front of the first `=`, and behind it.
fn halves(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = pair.split_at_checked(end)?;
    Some((name, value.get(1..)?))
}

/// Reads a body that is a form, and hands its pairs to `each` as the members of an object of strings; an empty value is
/// `null`. White space around it does not count.
///
/// - `fault`, what it is refused for as JSON: it is no form either.
pub(crate) fn walk<'a>(body: &'a [u8], fault: Error, each: &mut Each<'_, &'a [u8]>) -> Result<(), Error> {
    let form = body.trim_ascii();
    if fault != Error::NotJson || !split_class(form, Class::URL).1.is_empty() {
        return Err(fault);
    }
    for pair in form.split(|byte| *byte == b'&') {
        let (name, value) = halves(pair).ok_or(Error::NotJson)?;
        let (name_text, text) = (held(name)?, held(value)?);
        let kind = if value.is_empty() { b'n' } else { b'"' };
        each(&Item { depth: 1, name: Some(name), name_text, value, kind, text })?;
    }
    Ok(())
}

/// What a name or a value holds.
fn held(raw: &[u8]) -> Result<Text, Error> {
    if !is_well_formed(raw) {
        return Err(Error::NotJson);
    }
    let text = FormStr { raw };
    let is_spelled = |byte: &u8| matches!(byte, b'%' | b'+');
    Ok(if !raw.iter().any(is_spelled) {
        Text::PLAIN
    } else if is_utf8(text.bytes()) {
        Text::of_form(raw.len().wrapping_sub(text.bytes().count()))
    } else {
        Text::LONE_SURROGATE
    })
}
