//! The members of an answer where they are not those of RFC 6749.

use crate::endpoint::members::{Member, Members};
use crate::error::Error;
use crate::wire::input::Slice;
use crate::wire::json::walk;
use crate::wire::json_str::JsonStr;

/// What the members of an answer are called, if not as RFC 6749 calls them.
///
/// ```
/// use tokenward::{OwnMembers, Provider, TokenAnswer, token_answer};
///
/// let provider = Provider {
///     members: OwnMembers::named(&[("access_token", "accessToken"), ("expires_in", "expiresIn")]),
///     ..Provider::custom()
/// };
/// let body = br#"{"accessToken":"2YotnFZFEjr1zCsicMWpAA","expiresIn":3600}"#;
/// let Ok(TokenAnswer::Token(token)) = token_answer(200, body, &provider) else { panic!() };
/// assert_eq!(token.expires_in(), Some(3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct OwnMembers<'a> {
    /// What finds them.
    pub reader: Option<&'a MemberReader>,
    /// Names of RFC 6749 sections 5.1 and 5.2, and what the service calls those members.
    pub names: Option<&'a [(&'a str, &'a str)]>,
}

impl<'a> OwnMembers<'a> {
    /// The names are those of RFC 6749.
    pub const NONE: Self = Self { reader: None, names: None };

    /// The members of the first names are called by the second ones.
    #[must_use]
    pub const fn named(names: &'a [(&'a str, &'a str)]) -> Self {
        Self { reader: Some(MemberReader::NAMES), names: Some(names) }
    }

    /// The member of this name.
    pub(crate) fn find(&self, name: JsonStr<'_>) -> Option<Member> {
        match self.reader {
            None => Member::named(name),
            Some(reader) => (reader.find)(self, name),
        }
    }
}

/// Finds the members of an answer by a service's own names: a value that brings its code.
#[derive(Clone, Copy)]
pub struct MemberReader {
    number: u8,
    name: &'static str,
    find: fn(&OwnMembers<'_>, JsonStr<'_>) -> Option<Member>,
    pub(crate) read: Read,
}

/// Reads a body whose members stand in the top object from its start, of which the second stands behind a byte order mark.
type Read = for<'a> fn(&mut Members<'a>, &Slice<'a>, Slice<'a>, &OwnMembers<'_>) -> Result<(), Error>;

impl MemberReader {
    /// By a list of names.
    pub const NAMES: &'static Self = &Self { number: 1, name: "names", find, read };
}

part!(MemberReader: NAMES);

/// A member that has a name of the service's own is not known by the standard one.
fn find(own: &OwnMembers<'_>, name: JsonStr<'_>) -> Option<Member> {
    let names = own.names.unwrap_or_default();
    let is = |text: &str| name.is(text.as_bytes());
    if let Some((standard, _)) = names.iter().find(|(_, own)| is(own)) {
        return Member::named(JsonStr::literal(standard.as_bytes()));
    }
    Member::named(name).filter(|_| !names.iter().any(|(standard, _)| is(standard)))
}

fn read<'a>(
    members: &mut Members<'a>,
    start: &Slice<'a>,
    at: Slice<'a>,
    own: &OwnMembers<'_>,
) -> Result<(), Error> {
    #[cfg(feature = "serde")]
    {
        members.object = at.rest();
    }
    walk(start, at, 1, &[], &mut |item| {
        if let Some(member) = item.name().and_then(|name| find(own, name)) {
            members.put(member, item);
        }
        Ok(())
    })?;
    Ok(())
}
