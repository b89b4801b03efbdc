//! A token endpoint whose path names the subject's site.

use crate::wire::writer::{Encoding, Writer};

/// Makes `{site}` in [`crate::Provider::token_path`] stand for the subject's site: a value that brings its code.
#[derive(Clone, Copy)]
pub struct SitePath {
    number: u8,
    name: &'static str,
    pub(crate) write: fn(&mut Writer<'_>, &[u8], &[u8]),
}

impl SitePath {
    /// The site percent-encoded, as one segment.
    pub const SEGMENT: &'static Self = &Self { number: 1, name: "path", write };
}

fn write(out: &mut Writer<'_>, path: &[u8], site: &[u8]) {
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        match rest.strip_prefix(b"{site}") {
            Some(behind) => {
                out.encoded(site, Encoding::Percent);
                rest = behind;
            }
            None => {
                out.byte(*first);
                rest = tail;
            }
        }
    }
}

part!(SitePath: SEGMENT);
