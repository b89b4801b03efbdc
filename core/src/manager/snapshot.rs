//! State for flash or a keychain: versioned, sealed with HMAC-SHA-256 (RFC 2104).

use crate::endpoint::provider::{Identity, Provider};
use crate::error::Error;
use crate::manager::keeper::Announcement;
use crate::manager::seal::{Seal, TAG_LEN, is_sealed, seal_of};
use crate::wire::url::Url;
use crate::wire::writer::Writer;

/// The format's name.
const NAME: [u8; 3] = *b"TWS";
/// The format's version.
const VERSION: u8 = b'3';
/// Bytes that tell one key from another.
const MARK_LEN: usize = 4;

/// Numbers behind the identity.
const NUMBERS: usize = 11;

const HAS_WALL: u8 = 1;
const TIMELESS: u8 = 2;
const TOMBSTONE: u8 = 4;
const ANNOUNCES: u8 = 8;
const ANNOUNCES_AN_END: u8 = 16;
const PADDED: u8 = 32;
/// From here on flags mean nothing.
const UNKNOWN: u8 = 64;

/// What a snapshot holds. Wall times are Unix seconds.
pub(crate) struct Contents<'a> {
    pub(crate) identity: &'a [u8; 32],
    pub(crate) revision: u64,
    pub(crate) generation: u64,
    /// When it was taken.
    pub(crate) wall: Option<u64>,
    pub(crate) refresh_at: u64,
    pub(crate) usable_until: u64,
    /// When the refresh token ends by what the service said, and if it is not used; 0: not known.
    pub(crate) refresh_ends: [u64; 2],
    /// The access token has no end.
    pub(crate) timeless: bool,
    pub(crate) access_token: &'a [u8],
    pub(crate) refresh_token: &'a [u8],
    /// With the revision, tells any two snapshots apart.
    pub(crate) writer: u64,
    /// Tells one sign-in from another.
    pub(crate) session: u64,
    /// Somebody has signed out.
    pub(crate) tombstone: bool,
    /// A refresh is about to be sent.
    pub(crate) announcement: Option<Announcement>,
    /// It is as long as a snapshot with tokens of these lengths.
    pub(crate) padded_to: Option<(usize, usize)>,
}

impl<'a> Contents<'a> {
    pub(crate) fn seal<'b>(
        &self,
        seal: &dyn Seal,
        key: &[u8; 32],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        let lengths = [self.access_token.len(), self.refresh_token.len()]
            .map(|len| u32::try_from(len).map_err(|_| Error::TooLong { needed: len }));
        let [access_len, refresh_len] = lengths;
        let (access_len, refresh_len) = (access_len?, refresh_len?);
        let flags = if self.wall.is_some() { HAS_WALL } else { 0 }
            | if self.timeless { TIMELESS } else { 0 }
            | if self.tombstone { TOMBSTONE } else { 0 }
            | if self.padded_to.is_some() { PADDED } else { 0 }
            | if self.announcement.is_some() { ANNOUNCES } else { 0 }
            | if self.announcement.is_some_and(|of| of.end.is_some()) { ANNOUNCES_AN_END } else { 0 };
        let mut out = begin(NAME, seal, key, out);
        out.bytes(&access_len.to_le_bytes());
        out.bytes(&refresh_len.to_le_bytes());
        out.bytes(self.access_token);
        out.bytes(self.refresh_token);
        // At least one block of the hash follows the tokens: none is left in its buffer.
        out.bytes(&[flags]);
        out.bytes(self.identity);
        let mut number = |number: u64| out.bytes(&number.to_le_bytes());
        number(self.revision);
        number(self.generation);
        number(self.wall.unwrap_or(0));
        number(self.refresh_at);
        number(self.usable_until);
        number(self.writer);
        number(self.session);
        number(self.announcement.map_or(0, |of| of.span_ms));
        number(self.announcement.and_then(|of| of.end).unwrap_or(0));
        let [told, idle] = self.refresh_ends;
        number(told);
        number(idle);
        if let Some((access, refresh)) = self.padded_to {
            let held = self.access_token.len().saturating_add(self.refresh_token.len());
            (held..access.saturating_add(refresh)).for_each(|_| out.bytes(&[0]));
        }
        finish(out, seal, key)
    }

    /// What a snapshot holds whose seal is right, to be read.
    pub(crate) fn sealed(seal: &dyn Seal, key: &[u8; 32], bytes: &'a [u8]) -> Result<&'a [u8], Error> {
        open(NAME, seal, key, bytes).map(|contents| contents.0)
    }

    /// Reads what was sealed.
    #[inline(never)]
    pub(crate) fn read(sealed: &'a [u8]) -> Option<Self> {
        let mut rest = Cursor(sealed);
        let access_len = u32::from_le_bytes(rest.take()?);
        let refresh_len = u32::from_le_bytes(rest.take()?);
        let access_token = rest.split(access_len)?;
        let refresh_token = rest.split(refresh_len)?;
        let [flags] = rest.take()?;
        let identity = rest.chunk()?;
        let numbers: &[u8; 8 * NUMBERS] = rest.chunk()?;
        let [revision, generation, wall, refresh_at, usable_until, writer, session, span_ms, end, told, idle] =
            numbers.as_chunks().0
        else {
            return None;
        };
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let is_whole = rest.0.is_empty() || flags & PADDED != 0;
        (flags < UNKNOWN && is_whole).then_some(Self {
            identity,
            revision: number(revision),
            generation: number(generation),
            wall: (flags & HAS_WALL != 0).then_some(number(wall)),
            refresh_at: number(refresh_at),
            usable_until: number(usable_until),
            refresh_ends: [number(told), number(idle)],
            timeless: flags & TIMELESS != 0,
            access_token,
            refresh_token,
            writer: number(writer),
            session: number(session),
            tombstone: flags & TOMBSTONE != 0,
            announcement: (flags & ANNOUNCES != 0).then_some(Announcement {
                span_ms: number(span_ms),
                end: (flags & ANNOUNCES_AN_END != 0).then_some(number(end)),
            }),
            padded_to: None,
        })
    }
}

/// The start of sealed state: what it is, in which version, and a mark of its key.
#[inline(always)]
pub(crate) fn begin<'b>(
    name: [u8; NAME.len()],
    seal: &dyn Seal,
    key: &[u8; 32],
    out: &'b mut [u8],
) -> Writer<'b> {
    let mut out = Writer::new(out);
    out.bytes(&name);
    out.bytes(&[VERSION]);
    out.bytes(&mark_of(seal, key));
    out
}

/// Puts the seal behind what was written.
#[inline(always)]
pub(crate) fn finish<'b>(mut out: Writer<'b>, seal: &dyn Seal, key: &[u8; 32]) -> Result<&'b [u8], Error> {
    let sealed = out.written();
    out.bytes(&[0; TAG_LEN]);
    let out = out.finish()?;
    let (contents, rest) = out.split_at_mut_checked(sealed).unwrap_or_default();
    let tag = seal_of(seal, key, contents);
    rest.iter_mut().zip(tag).for_each(|(to, byte)| *to = byte);
    Ok(out)
}

/// What stands between the start of sealed state and its seal, where both are right.
#[inline(always)]
pub(crate) fn open<'a>(
    name: [u8; NAME.len()],
    seal: &dyn Seal,
    key: &[u8; 32],
    bytes: &'a [u8],
) -> Result<Cursor<'a>, Error> {
    let mut start = Cursor(bytes);
    let (found, version, mark) = (start.take(), start.take(), start.take());
    let (Some(found), Some([version]), Some(mark)) = (found, version, mark) else {
        return Err(Error::InvalidSnapshot);
    };
    if found != name {
        return Err(Error::InvalidSnapshot);
    }
    if version != VERSION {
        return Err(Error::OtherSnapshotVersion);
    }
    if mark_of(seal, key) != mark {
        return Err(Error::OtherSnapshotKey);
    }
    let mut rest = sealed(seal, key, bytes).map(Cursor).ok_or(Error::InvalidSnapshot)?;
    let _: Option<[u8; NAME.len() + 1 + MARK_LEN]> = rest.take();
    Ok(rest)
}

/// A mark of a key: nothing that the key could be told from.
#[inline(never)]
fn mark_of(seal: &dyn Seal, key: &[u8; 32]) -> [u8; MARK_LEN] {
    seal_of(seal, key, &NAME).first_chunk().copied().unwrap_or_default()
}

/// The contents, where the seal behind them is right. Apart from their reader: each has the stack to itself.
#[inline(never)]
fn sealed<'a>(seal: &dyn Seal, key: &[u8; 32], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (contents, tag) = bytes.split_last_chunk::<TAG_LEN>()?;
    is_sealed(seal, key, contents, tag).then_some(contents)
}

/// What is left to be read.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    fn split(&mut self, len: u32) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.chunk().copied()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// Whose token it is: provider, environment, the origin of the base URL, the client itself or one site, and the caller's
/// own account. Not the path of the token endpoint: a release that corrects it must not orphan what is stored.
pub(crate) fn identity(
    seal: &dyn Seal,
    key: &[u8; 32],
    provider: &Provider<'_>,
    identity: &Identity<'_>,
) -> [u8; 32] {
    let base_url = identity.base_url(provider).as_bytes();
    let kind: &[u8] = if identity.site.is_some() { b"site" } else { b"client" };
    let site = identity.site.unwrap_or_default().as_bytes();
    let account = identity.account.unwrap_or_default().as_bytes();
    seal.hmac_sha256(key, &mut |add| {
        for part in [
            provider.name.as_bytes(),
            identity.environment(provider).unwrap_or_default().as_bytes(),
            kind,
            site,
            account,
        ] {
            add(&wide(part.len()).to_le_bytes());
            add(part);
        }
        match Url::parse(base_url) {
            Some(url) => url.normal_origin(|byte| add(&[byte])),
            None => add(base_url),
        }
    })
}

/// A length in as many bits on every machine.
fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::endpoint::providers;
    use crate::manager::seal::HmacSha256;

    const KEY: [u8; 32] = [7; 32];

    fn identity_of(provider: &Provider<'_>, whose: &Identity<'_>) -> [u8; 32] {
        identity(&HmacSha256, &KEY, provider, whose)
    }

    fn open_contents<'a>(seal: &dyn Seal, key: &[u8; 32], bytes: &'a [u8]) -> Result<Contents<'a>, Error> {
        Contents::sealed(seal, key, bytes)
            .and_then(|sealed| Contents::read(sealed).ok_or(Error::InvalidSnapshot))
    }

    fn contents() -> Contents<'static> {
        Contents {
            identity: &[1; 32],
            revision: 2,
            generation: 3,
            wall: Some(4),
            refresh_at: 5,
            usable_until: 6,
            refresh_ends: [12, 13],
            timeless: false,
            access_token: b"access",
            refresh_token: b"refresh",
            writer: 8,
            session: 9,
            tombstone: false,
            announcement: Some(Announcement { span_ms: 10, end: Some(11) }),
            padded_to: None,
        }
    }

    fn sealed() -> Vec<u8> {
        let mut out = [0; 512];
        contents().seal(&HmacSha256, &KEY, &mut out).expect("room").to_vec()
    }

    #[test]
    fn what_is_sealed_is_opened_again() {
        let bytes = sealed();
        let opened = open_contents(&HmacSha256, &KEY, &bytes).expect("a snapshot");
        let expected = contents();
        assert_eq!(opened.identity, expected.identity);
        assert_eq!((opened.revision, opened.generation, opened.wall), (2, 3, Some(4)));
        assert_eq!((opened.refresh_at, opened.usable_until), (5, 6));
        assert_eq!(opened.refresh_ends, [12, 13]);
        assert_eq!(
            (opened.access_token, opened.refresh_token),
            (expected.access_token, expected.refresh_token)
        );
        assert!(!opened.timeless && !opened.tombstone);
        assert_eq!((opened.writer, opened.session), (8, 9));
        assert_eq!(opened.announcement, expected.announcement);
    }

    #[test]
    fn padding_makes_a_snapshot_as_long_as_the_longest_and_is_not_read() {
        let length = |padded_to| {
            let mut out = [0; 512];
            let sealed = Contents { padded_to, ..contents() }
                .seal(&HmacSha256, &KEY, &mut out)
                .expect("room")
                .to_vec();
            let opened = open_contents(&HmacSha256, &KEY, &sealed).expect("a snapshot");
            assert_eq!((opened.access_token, opened.refresh_token), (&b"access"[..], &b"refresh"[..]));
            sealed.len()
        };
        assert_eq!(length(None) + 3, length(Some((8, 8))));
        assert_eq!(length(None), length(Some((6, 7))));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused_by_its_name() {
        let bytes = sealed();
        for bit in 0..bytes.len() * 8 {
            let mut torn = bytes.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                3 => Error::OtherSnapshotVersion,
                4..8 => Error::OtherSnapshotKey,
                _ => Error::InvalidSnapshot,
            };
            assert_eq!(open_contents(&HmacSha256, &KEY, &torn).map(drop), Err(expected), "bit {bit}");
        }
        for kept in 0..bytes.len() {
            assert_eq!(
                open_contents(&HmacSha256, &KEY, &bytes[..kept]).map(drop),
                Err(Error::InvalidSnapshot),
                "{kept} bytes"
            );
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(open_contents(&HmacSha256, &KEY, &longer).map(drop), Err(Error::InvalidSnapshot));
        assert_eq!(open_contents(&HmacSha256, &[8; 32], &bytes).map(drop), Err(Error::OtherSnapshotKey));
    }

    #[test]
    fn a_rightly_sealed_snapshot_with_wrong_lengths_is_invalid() {
        let bytes = sealed();
        let body = &bytes[..bytes.len() - TAG_LEN];
        let reseal = |place: usize, value: u8| {
            let mut changed = body.to_vec();
            changed[place] = value;
            let tag = seal_of(&HmacSha256, &KEY, &changed);
            [&changed[..], &tag].concat()
        };
        let access_len = NAME.len() + 1 + MARK_LEN;
        for changed in [reseal(access_len, 200), reseal(access_len + 4, 6), reseal(access_len + 7, 0xFF)] {
            assert_eq!(open_contents(&HmacSha256, &KEY, &changed).map(drop), Err(Error::InvalidSnapshot));
        }
    }

    #[test]
    fn identity_is_provider_environment_origin_subject_and_account() {
        let sandbox = providers::FLUTE_SANDBOX;
        let none = Identity::CLIENT;
        let base = identity_of(&sandbox, &none);
        let renamed = Provider { name: "x", ..sandbox };
        for other in [
            identity_of(&providers::FLUTE_PRODUCTION, &none),
            identity_of(&renamed, &none),
            identity_of(&sandbox, &Identity { environment: Some("production"), ..none }),
            identity_of(&sandbox, &Identity { base_url: Some("https://x.example"), ..none }),
            identity_of(&sandbox, &Identity { site: Some("client"), ..none }),
            identity_of(&sandbox, &Identity { site: Some(""), ..none }),
            identity_of(&sandbox, &Identity { account: Some("somebody"), ..none }),
            identity_of(&sandbox, &Identity { base_url: Some("no url"), ..none }),
        ] {
            assert_ne!(base, other);
        }
        let site = |site| identity_of(&sandbox, &Identity { site: Some(site), ..none });
        assert_ne!(site("1"), site("2"));
    }

    #[test]
    fn an_origin_is_the_same_however_it_is_spelled_and_whatever_path_follows() {
        let sandbox = providers::FLUTE_SANDBOX;
        let base = identity_of(&sandbox, &Identity::CLIENT);
        for base_url in ["HTTPS://Sandbox.oauth.api.flute.com:443", "https://sandbox.oauth.api.flute.com/v2/"]
        {
            let moved = Identity { base_url: Some(base_url), ..Identity::CLIENT };
            assert_eq!(base, identity_of(&sandbox, &moved), "{base_url}");
        }
        let corrected = Provider { token_path: Some("/v2/token"), ..sandbox };
        assert_eq!(base, identity_of(&corrected, &Identity::CLIENT), "a path is no part of it");
        assert_eq!(base, identity_of(&sandbox, &Identity { account: Some(""), ..Identity::CLIENT }));
    }

    #[test]
    fn a_snapshot_is_written_whole_or_wiped() {
        let needed = sealed().len();
        let mut small = std::vec![0xAA; needed - 1];
        assert_eq!(
            contents().seal(&HmacSha256, &KEY, &mut small).map(drop),
            Err(Error::BufferTooSmall { needed })
        );
        assert!(small.iter().all(|byte| *byte == 0));
    }
}
