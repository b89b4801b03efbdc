//! State for flash or a keychain: versioned, sealed with HMAC-SHA-256 (RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::form::write_whole;
use crate::secret::ct_eq;
use crate::{Error, Provider, SnapshotScope, Subject};

/// The format's name and version. Another version is an invalid snapshot.
const MAGIC: [u8; 4] = *b"TWS1";
const TAG_LEN: usize = 32;

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
        let mut sealed = 0;
        let written = write_whole(out, |out| {
            out.bytes(MAGIC);
            out.byte(flags);
            out.bytes(self.identity);
            numbers.iter().for_each(|number| out.bytes(number.to_le_bytes()));
            out.bytes(access_len.to_le_bytes());
            out.bytes(refresh_len.to_le_bytes());
            out.bytes(self.access_token.iter().copied());
            out.bytes(self.refresh_token.iter().copied());
            sealed = out.written();
            out.bytes([0; TAG_LEN]);
        })?;
        let (contents, rest) = out.split_at_mut_checked(sealed).unwrap_or_default();
        let tag = seal_of(key, contents)?;
        rest.iter_mut().zip(tag).for_each(|(to, byte)| *to = byte);
        Ok(out.get(..written).unwrap_or_default())
    }

    /// Reads a snapshot whose seal is right.
    pub(crate) fn open(key: &[u8; 32], bytes: &'a [u8]) -> Result<Self, Error> {
        let (contents, tag) = bytes.split_last_chunk::<TAG_LEN>().ok_or(Error::InvalidSnapshot)?;
        if !ct_eq(&seal_of(key, contents)?, tag) {
            return Err(Error::InvalidSnapshot);
        }
        Self::read(contents).ok_or(Error::InvalidSnapshot)
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

fn seal_of(key: &[u8; 32], contents: &[u8]) -> Result<[u8; TAG_LEN], Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Error::InvalidSnapshot)?;
    mac.update(contents);
    Ok(mac.finalize().into_bytes().into())
}

/// Tells a refused refresh token from others without keeping it: 64 bits of its SHA-256.
pub(crate) fn fingerprint(token: &[u8]) -> u64 {
    let hash: [u8; 32] = Sha256::digest(token).into();
    hash.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// Whose token it is: provider, environment, token URL, and the client itself or one site.
pub(crate) fn identity(provider: &Provider<'_>, subject: Subject<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let kind: &[u8] = if subject.site().is_some() { b"site" } else { b"client" };
    let site = subject.site().unwrap_or_default().as_bytes();
    let url_len = provider.base_url.len().saturating_add(provider.token_path.len());
    for part in [provider.name.as_bytes(), provider.environment.as_bytes(), kind, site] {
        hash.update(wide(part.len()));
        hash.update(part);
    }
    // However the URL is divided, it is one URL.
    hash.update(wide(url_len));
    hash.update(provider.base_url);
    hash.update(provider.token_path);
    hash.finalize().into()
}

/// A length in the same eight bytes on every machine.
fn wide(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes()
}
