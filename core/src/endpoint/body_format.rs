//! How a request's parameters are written.

use crate::wire::writer::Writer;

/// How a request's parameters are written: a value that brings its code.
///
/// ```
/// use tokenward::parts::BodyFormat;
///
/// assert_eq!(BodyFormat::JSON.content_type(), "application/json");
/// ```
#[derive(Clone, Copy)]
pub struct BodyFormat {
    number: u8,
    name: &'static str,
    content_type: &'static str,
    /// What stands before the first parameter, between two, between a name and its value, behind a value, and behind
    /// the last one.
    pub(crate) punctuation: [&'static str; 5],
    pub(crate) encode: fn(&mut Writer<'_>, &[u8]),
}

impl BodyFormat {
    /// `application/x-www-form-urlencoded` (RFC 6749 Appendix B): the default.
    pub const FORM: &'static Self = &Self {
        number: 1,
        name: "form",
        content_type: "application/x-www-form-urlencoded",
        punctuation: ["", "&", "=", "", ""],
        encode: |out, text| out.form(text),
    };

    /// One JSON object of strings.
    pub const JSON: &'static Self = &Self {
        number: 2,
        name: "json",
        content_type: "application/json",
        punctuation: ["{\"", ",\"", "\":\"", "\"", "}"],
        encode: |out, text| out.json(text),
    };

    /// The value of the `Content-Type` field.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }
}

part!(BodyFormat: FORM, JSON);

/// A request's parameters while they are written.
pub(crate) struct Body<'w, 'b, 'f> {
    out: &'w mut Writer<'b>,
    format: &'f BodyFormat,
    empty: bool,
}

impl<'w, 'b, 'f> Body<'w, 'b, 'f> {
    pub(crate) const fn new(out: &'w mut Writer<'b>, format: &'f BodyFormat) -> Self {
        Self { out, format, empty: true }
    }

    /// The next one; an empty one is left out.
    #[inline(never)]
    pub(crate) fn parameter(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.pieces(name, core::iter::once(value));
        }
    }

    /// The next one, whose value comes byte by byte.
    #[cfg(feature = "snapshot")]
    pub(crate) fn bytewise(&mut self, name: &str, value: impl Iterator<Item = u8>) {
        self.name(name);
        value.for_each(|byte| (self.format.encode)(self.out, &[byte]));
        self.end_value();
    }

    /// The next one, its value in pieces.
    #[inline(always)]
    pub(crate) fn pieces<'p>(&mut self, name: &str, value: impl Iterator<Item = &'p [u8]>) {
        self.name(name);
        value.for_each(|piece| (self.format.encode)(self.out, piece));
        self.end_value();
    }

    /// The next one, whose value is written in place: of bytes that no format changes.
    pub(crate) fn plain(&mut self, name: &str, write: impl FnOnce(&mut Writer<'_>)) {
        self.name(name);
        write(self.out);
        self.end_value();
    }

    #[inline(always)]
    fn name(&mut self, name: &str) {
        let [first, between, equals, ..] = &self.format.punctuation;
        self.out.bytes(if self.empty { first } else { between }.as_bytes());
        self.empty = false;
        (self.format.encode)(self.out, name.as_bytes());
        self.out.bytes(equals.as_bytes());
    }

    #[inline(always)]
    fn end_value(&mut self) {
        let [.., behind, _] = &self.format.punctuation;
        self.out.bytes(behind.as_bytes());
    }

    pub(crate) fn end(self) {
        if !self.empty {
            let [.., last] = &self.format.punctuation;
            self.out.bytes(last.as_bytes());
        }
    }
}
