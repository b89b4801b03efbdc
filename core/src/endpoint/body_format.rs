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
