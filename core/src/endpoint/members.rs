//! The members of an answer, as they are read.

use crate::ascii::decimal;
use crate::machine::inlined_if_wide;
use crate::wire::json::Item;
use crate::wire::json_str::JsonStr;

/// The members of an answer that are read.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    AccessToken,
    TokenType,
    ExpiresIn,
    RefreshToken,
    Scope,
    IdToken,
    /// When the token ends, by the provider's own name.
    ExpiresAt,
    Error,
    ErrorDescription,
    ErrorUri,
    /// The error code at the provider's error path.
    NestedError,
}

impl Member {
    const COUNT: usize = 11;
    /// The names of a token's members.
    pub(crate) const LIKELY: [&str; 6] =
        ["access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token"];

    /// The names of RFC 6749 sections 5.1 and 5.2, and of OpenID Connect.
    pub(crate) const NAMES: [&str; 9] = [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
        "id_token",
        "error",
        "error_description",
        "error_uri",
    ];

    /// The member that stands in the object of a token or an error under this name.
    #[inline(always)]
    pub(crate) fn named(name: JsonStr<'_>) -> Option<Self> {
        match name.as_plain() {
            Some(plain) => Self::named_plainly(plain),
            None => Self::named_through_escapes(name),
        }
    }

    inlined_if_wide! {
        fn named_plainly(name: &[u8]) -> Option<Self> {
            let is = |known: &[u8]| name == known;
            Some(match name.len() {
                5 if is(b"scope") => Self::Scope,
                5 if is(b"error") => Self::Error,
                8 if is(b"id_token") => Self::IdToken,
                9 if is(b"error_uri") => Self::ErrorUri,
                10 if is(b"token_type") => Self::TokenType,
                10 if is(b"expires_in") => Self::ExpiresIn,
                12 if is(b"access_token") => Self::AccessToken,
                13 if is(b"refresh_token") => Self::RefreshToken,
                17 if is(b"error_description") => Self::ErrorDescription,
                _ => return None,
            })
        }
    }

    #[inline(never)]
    fn named_through_escapes(name: JsonStr<'_>) -> Option<Self> {
        Self::named_plainly(name.copy_to(&mut [0; 17]).ok()?)
    }

    /// Whether it says something about a token, not about an error.
    pub(crate) const fn is_of_token(self) -> bool {
        self.place() < Self::Error.place()
    }

    #[expect(clippy::as_conversions, reason = "Rust has no other way to a variant's number")]
    const fn place(self) -> usize {
        self as usize
    }
}

/// A set of members.
#[derive(Clone, Copy)]
pub(crate) struct MemberSet(u16);

impl MemberSet {
    const NONE: Self = Self(0);
    /// What is refused where it stands twice: in a 2xx answer, and in any other.
    pub(crate) const OF_TOKEN: Self = Self::of(&[
        Member::AccessToken,
        Member::TokenType,
        Member::ExpiresIn,
        Member::RefreshToken,
        Member::Scope,
        Member::IdToken,
        Member::ExpiresAt,
        Member::Error,
        Member::NestedError,
    ]);
    pub(crate) const OF_ERROR: Self =
        Self::of(&[Member::Error, Member::ErrorDescription, Member::ErrorUri, Member::NestedError]);

    const fn of(mut members: &[Member]) -> Self {
        let mut set = 0;
        while let [member, rest @ ..] = members {
            set |= Self::bit(*member);
            members = rest;
        }
        Self(set)
    }

    const fn bit(member: Member) -> u16 {
        1 << member.place()
    }

    pub(crate) const fn has(self, member: Member) -> bool {
        self.0 & Self::bit(member) != 0
    }

    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn put(&mut self, member: Member, is_in: bool) {
        let bit = Self::bit(member);
        self.0 = if is_in { self.0 | bit } else { self.0 & !bit };
    }
}

/// The values of the members that are read; none for `null`.
pub(crate) struct Members<'a> {
    /// Strings without their quotes, other values raw.
    values: [Option<JsonStr<'a>>; Member::COUNT],
    /// Which of the values are no strings of Unicode text.
    pub(crate) wrong: MemberSet,
    seen: MemberSet,
    pub(crate) twice: MemberSet,
    /// Seconds that the refresh token lives, the least that are told; 0: none.
    pub(crate) refresh_life_s: u32,
    #[cfg(feature = "serde")]
    pub(crate) object: &'a [u8],
}

impl<'a> Members<'a> {
    /// Before anything is read.
    pub(crate) const NONE: Self = Self {
        values: [None; Member::COUNT],
        wrong: MemberSet::NONE,
        seen: MemberSet::NONE,
        twice: MemberSet::NONE,
        refresh_life_s: 0,
        #[cfg(feature = "serde")]
        object: b"{}",
    };

    inlined_if_wide! {
        pub(crate) fn put(&mut self, member: Member, item: &Item<&'a [u8]>) {
            if self.seen.has(member) {
                self.twice.put(member, true);
                self.wrong.put(member, false);
            }
            self.seen.put(member, true);
            let value = (item.kind != b'n').then_some(JsonStr::read(item.value, item.text));
            if item.text().is_none() && value.is_some() {
                self.wrong.put(member, true);
            }
            self.set(member, value);
        }
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, member: Member, value: Option<JsonStr<'a>>) {
        if let Some(place) = self.values.get_mut(member.place()) {
            *place = value;
        }
    }

    /// Whether what stands for `expires_in` is an end.
    pub(crate) fn tells_end(&self) -> bool {
        self.value(Member::ExpiresAt).is_some()
    }

    /// Makes the digits of a number a text; 0 is none.
    pub(crate) fn take_number(&mut self, member: Member) {
        self.wrong.put(member, false);
        if self.value(member).is_some_and(|number| number.is(b"0")) {
            self.set(member, None);
        }
    }

    /// Takes how long the refresh token lives, if that is a whole number of seconds; of several the least counts.
    pub(crate) fn put_refresh_life(&mut self, item: &Item<&'a [u8]>) {
        let digit =
            |seconds: u32, byte: &u8| seconds.checked_mul(10)?.checked_add(u32::from(decimal(*byte)?));
        let told = item.value.iter().try_fold(0, digit).unwrap_or(0);
        if told != 0 && (self.refresh_life_s == 0 || told < self.refresh_life_s) {
            self.refresh_life_s = told;
        }
    }

    /// Marks a member that may stand twice.
    pub(crate) fn put_twice(&mut self, member: Member) {
        self.twice.put(member, true);
    }

    #[inline(always)]
    pub(crate) fn value(&self, member: Member) -> Option<JsonStr<'a>> {
        self.values.get(member.place()).copied().flatten()
    }

    inlined_if_wide! {
        /// The text of a member, where there is one.
        pub(crate) fn text(&self, member: Member) -> Option<JsonStr<'a>> {
            self.value(member).filter(|_| !self.wrong.has(member))
        }
    }

    pub(crate) fn filled(&self, member: Member) -> Option<JsonStr<'a>> {
        self.text(member).filter(|text| !text.is_empty())
    }

    /// The refresh token, also where the answer is refused for another member; empty is none.
    pub(crate) fn refresh_token(&self) -> Option<JsonStr<'a>> {
        self.filled(Member::RefreshToken)
    }

    /// Forgets a member that is not to be read.
    pub(crate) fn forget(&mut self, member: Member) {
        self.twice.put(member, false);
        self.wrong.put(member, false);
        self.set(member, None);
    }
}
