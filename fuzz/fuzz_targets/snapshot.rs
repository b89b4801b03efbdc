//! A snapshot is taken or refused whole, also one whose seal is right and whose contents are anything.
#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use tokenward::{
    Error, Identity, Instant, Revision, Slots, SnapshotScope, TokenManager, TokenResponse, UnixTime,
    providers,
};

const KEY: [u8; 32] = [7; 32];
const URL: &str = "https://api.flute.com/v2/payments";
/// Format, flags and identity stand before what is fuzzed.
const FORMAT: std::ops::Range<usize> = 0..8;
const IDENTITY: std::ops::Range<usize> = 9..41;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    flags: u8,
    numbers: [u64; 6],
    lengths: Option<(u32, u32)>,
    access_token: &'a [u8],
    refresh_token: &'a [u8],
    now: u32,
    wall: Option<u64>,
    floor: u64,
    holds_token: bool,
    raw: Option<&'a [u8]>,
}

fuzz_target!(|input: Input<'_>| {
    let provider = providers::FLUTE_PRODUCTION;
    let start = Instant::from_millis(0);
    let now = Instant::from_millis(u64::from(input.now));
    let wall = input.wall.map(UnixTime::from_secs);
    let mut out = [0; 1024];

    let mut manager =
        TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 128], 64), 0).expect("a preset");
    let format =
        manager.snapshot(start, None, SnapshotScope::All, &KEY, &mut out).expect("a snapshot").to_vec();
    if input.holds_token {
        let token = TokenResponse::new("own").with_expires_in(600).with_refresh_token("own-refresh");
        manager.install(start, None, &token).expect("it fits");
    }
    let before = (manager.generation(), manager.revision(), manager.poll(now));

    let sealed = match input.raw {
        Some(raw) => raw.to_vec(),
        None => {
            let mut contents = format[FORMAT].to_vec();
            contents.push(input.flags);
            contents.extend_from_slice(&format[IDENTITY]);
            for number in input.numbers {
                contents.extend_from_slice(&number.to_le_bytes());
            }
            let (access, refresh) =
                input.lengths.unwrap_or((input.access_token.len() as u32, input.refresh_token.len() as u32));
            contents.extend_from_slice(&access.to_le_bytes());
            contents.extend_from_slice(&refresh.to_le_bytes());
            contents.extend_from_slice(input.access_token);
            contents.extend_from_slice(input.refresh_token);
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY).expect("any length");
            mac.update(&contents);
            contents.extend_from_slice(&mac.finalize().into_bytes());
            contents
        }
    };

    match manager.restore(now, wall, Revision(input.floor), &KEY, &sealed) {
        Err(error) => {
            assert_eq!(before, (manager.generation(), manager.revision(), manager.poll(now)), "{error:?}");
            let names = [Error::InvalidSnapshot, Error::OtherSnapshotVersion, Error::OtherSnapshotKey];
            assert!(input.raw.is_none() || names.contains(&error));
        }
        Ok(()) => {
            assert!(manager.revision() >= before.1);
            assert_eq!(manager.poll(now).usable, manager.authorize(now, "GET", URL).is_ok());
            // What was restored can be written, and restored again.
            let length =
                manager.snapshot(now, wall, SnapshotScope::All, &KEY, &mut out).expect("it fits").len();
            let mut again = TokenManager::new(now, &provider, Identity::CLIENT, Slots::new([0; 128], 64), 0)
                .expect("a preset");
            again.restore(now, wall, Revision(0), &KEY, &out[..length]).expect("its own snapshot");
            assert!(!again.poll(now).usable || manager.poll(now).usable, "a restart revives no token");
        }
    }
});
