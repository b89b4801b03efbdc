//! The members of an answer where they are not those of RFC 6749.

use crate::endpoint::members::{Member, Members};
use crate::error::Error;
use crate::time::{UnixTime, quotient};
use crate::wire::input::Slice;
use crate::wire::json::{Item, walk};
use crate::wire::json_str::JsonStr;

/// What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them.
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
    /// What the service calls a member that says when the access token ends: a time since 1970. It counts in an answer
    /// without `expires_in` that comes with a wall clock.
    pub expires_at: Option<&'a str>,
    /// That member is in milliseconds; else it is in seconds.
    pub expires_at_in_ms: bool,
    /// What the service calls a member that says how many seconds the refresh token lives; of several the least counts,
    /// and 0 says nothing. It takes [`crate::RefreshLife::KNOWN`].
    pub refresh_expires_in: Option<&'a [&'a str]>,
}

impl<'a> OwnMembers<'a> {
    /// The members are those of RFC 6749.
    pub const NONE: Self = Self {
        reader: None,
        names: None,
        expires_at: None,
        expires_at_in_ms: false,
        refresh_expires_in: None,
    };
    /// The same with the part that finds others. To be copied from:
    ///
    /// ```
    /// use tokenward::OwnMembers;
    ///
    /// let azure = OwnMembers { expires_at: Some("expires_on"), ..OwnMembers::FOUND };
    /// assert!(azure.names.is_none());
    /// ```
    pub const FOUND: Self = Self { reader: Some(MemberReader::NAMES), ..Self::NONE };

    /// The members of the first names are called by the second ones.
    #[must_use]
    pub const fn named(names: &'a [(&'a str, &'a str)]) -> Self {
        Self { names: Some(names), ..Self::FOUND }
    }

    /// Takes a member of the object of a token, or of the top object.
    pub(crate) fn put<'b>(
        &self,
        members: &mut Members<'b>,
        name: JsonStr<'_>,
        item: &Item<&'b [u8]>,
        in_token: bool,
        at_top: bool,
    ) {
        let member = match self.reader {
            None => Member::named(name),
            Some(reader) => {
                if in_token && (reader.is_refresh_life)(self, name) {
                    members.put_refresh_life(item);
                }
                (reader.find)(self, name)
            }
        };
        if let Some(member) = member
            && (if member.is_of_token() { in_token } else { at_top })
        {
            members.put(member, item);
        }
    }

    /// Looks at all that was read.
    pub(crate) fn finish(&self, members: &mut Members<'_>) {
        if let Some(reader) = self.reader {
            (reader.finish)(members);
        }
    }

    /// How long a token lives, in place of when it ends; nothing without a wall clock.
    pub(crate) fn lifetime(
        &self,
        members: &Members<'_>,
        expires_in: Option<u64>,
        wall: Option<UnixTime>,
    ) -> Option<u64> {
        match self.reader {
            None => expires_in,
            Some(reader) => (reader.lifetime)(self, members, expires_in?, wall),
        }
    }
}

/// Finds the members of an answer by a service's own names: a value that brings its code.
#[derive(Clone, Copy)]
pub struct MemberReader {
    number: u8,
    name: &'static str,
    find: fn(&OwnMembers<'_>, JsonStr<'_>) -> Option<Member>,
    is_refresh_life: fn(&OwnMembers<'_>, JsonStr<'_>) -> bool,
    pub(crate) read: Read,
    finish: fn(&mut Members<'_>),
    lifetime: fn(&OwnMembers<'_>, &Members<'_>, u64, Option<UnixTime>) -> Option<u64>,
}

/// Reads a body whose members stand in the top object from its start, of which the second stands behind a byte order mark.
type Read = for<'a> fn(&mut Members<'a>, &Slice<'a>, Slice<'a>, &OwnMembers<'_>) -> Result<(), Error>;

impl MemberReader {
    /// By a list of names.
    pub const NAMES: &'static Self =
        &Self { number: 1, name: "names", find, is_refresh_life, read, finish, lifetime };
}

part!(MemberReader: NAMES);

/// A member that has a name of the service's own is not known by the standard one.
fn find(own: &OwnMembers<'_>, name: JsonStr<'_>) -> Option<Member> {
    let names = own.names.unwrap_or_default();
    let is = |text: &str| name.is(text.as_bytes());
    if let Some((standard, _)) = names.iter().find(|(_, own)| is(own)) {
        return Member::named(JsonStr::literal(standard.as_bytes()));
    }
    if own.expires_at.is_some_and(is) {
        return Some(Member::ExpiresAt);
    }
    Member::named(name).filter(|_| !names.iter().any(|(standard, _)| is(standard)))
}

fn is_refresh_life(own: &OwnMembers<'_>, name: JsonStr<'_>) -> bool {
    own.refresh_expires_in.unwrap_or_default().iter().any(|own| name.is(own.as_bytes()))
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
        if let Some(name) = item.name() {
            own.put(members, name, item, true, true);
        }
        Ok(())
    })?;
    finish(members);
    Ok(())
}

/// An end stands in the place of a lifetime that is absent.
fn finish(members: &mut Members<'_>) {
    if members.value(Member::ExpiresIn).is_some() {
        members.set(Member::ExpiresAt, None);
    } else {
        members.set(Member::ExpiresIn, members.value(Member::ExpiresAt));
        members.wrong.put(Member::ExpiresIn, members.wrong.has(Member::ExpiresAt));
    }
}

fn lifetime(own: &OwnMembers<'_>, members: &Members<'_>, number: u64, wall: Option<UnixTime>) -> Option<u64> {
    if !members.tells_end() {
        return Some(number);
    }
    let end = UnixTime::from_secs(if own.expires_at_in_ms { quotient(number, 1000) } else { number });
    wall.map(|wall| end.saturating_secs_since(wall))
}
