//! A token endpoint whose path names the subject's site.

use crate::ascii::{Class, split_class};
use crate::wire::writer::Writer;

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
    loop {
        let (plain, behind) = split_class(rest, Class::PATH);
        out.bytes(plain);
        rest = match behind.strip_prefix(b"{site}") {
            Some(behind) => {
                out.segment(site);
                behind
            }
            None => {
                let Some((other, behind)) = behind.split_first() else { break };
                out.bytes(&[*other]);
                behind
            }
        };
    }
}

part!(SitePath: SEGMENT);
