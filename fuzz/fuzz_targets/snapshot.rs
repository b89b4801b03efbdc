//! A snapshot is taken or refused whole, also one whose seal is right and whose contents are anything.
#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use tokenward::storage::{Found, Source, Storage};
use tokenward::{
    Error, Identity, Instant, Next, Options, Revision, Slots, TokenManager, TokenResponse, UnixTime,
    providers,
};

const KEY: [u8; 32] = [7; 32];
const URL: &str = "https://api.flute.com/v2/payments";
/// Name, version and mark of the key stand before what is fuzzed.
const START: std::ops::Range<usize> = 0..8;
/// The identity, in a snapshot without tokens: behind their lengths and the flags.
const IDENTITY: std::ops::Range<usize> = 17..49;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    flags: u8,
    numbers: [u64; 9],
    lengths: Option<(u32, u32)>,
    access_token: &'a [u8],
    refresh_token: &'a [u8],
    padding: u8,
    now: u32,
    wall: Option<u64>,
    floor: u8,
    shared: bool,
    holds_token: bool,
    raw: Option<&'a [u8]>,
}

type Manager = TokenManager<'static, [u8; 128]>;

fn manager(now: Instant, shared: bool, floor: u8) -> Manager {
    let storage = Storage { shared, floor: Revision(floor.into()), ..Storage::OWN };
    let options = Options { storage: Some(storage), source: Source::None };
    let (provider, slots) = (&providers::FLUTE_PRODUCTION, Slots::new([0; 128], 64));
    TokenManager::with_options(now, provider, Identity::CLIENT, slots, 0, options).expect("a preset")
}

fn load(
    manager: &mut Manager,
    now: Instant,
    wall: Option<UnixTime>,
    bytes: Option<&[u8]>,
) -> Result<Found, Error> {
    manager.reload();
    let Next::Load(id) = manager.poll(now).next else { panic!("a load was asked for") };
    manager.loaded(now, wall, id, &KEY, &[bytes])
}

/// What the store writes that is due, if there is one.
fn store(manager: &mut Manager, now: Instant, wall: Option<UnixTime>) -> Option<Vec<u8>> {
    let Next::Store(id, _) = manager.poll(now).next else { return None };
    let mut out = [0; 1024];
    let stored = manager.snapshot(now, wall, id, &KEY, &mut out).expect("it fits").to_vec();
    manager.stored(now, id).expect("its id");
    Some(stored)
}

fuzz_target!(|input: Input<'_>| {
    let start = Instant::from_millis(0);
    let now = Instant::from_millis(u64::from(input.now));
    let wall = input.wall.map(UnixTime::from_secs);

    let mut format = manager(start, false, 0);
    load(&mut format, start, None, None).expect("nothing is stored");
    format.clear();
    let format = store(&mut format, start, None).expect("a sign-out is stored");
    let mut held = manager(start, input.shared, input.floor);
    let held = &mut held;
    load(held, start, None, None).expect("nothing is stored");
    if input.holds_token {
        let token = TokenResponse::new("own").with_expires_in(600).with_refresh_token("own-refresh");
        held.install(start, None, &token).expect("it fits");
        load(held, start, None, None).expect("nothing is stored");
        store(held, start, None).expect("it is to be stored");
    }
    let before = (held.generation(), held.revision(), held.poll(now));

    let sealed = match input.raw {
        Some(raw) => raw.to_vec(),
        None => {
            let mut contents = format[START].to_vec();
            let (access, refresh) =
                input.lengths.unwrap_or((input.access_token.len() as u32, input.refresh_token.len() as u32));
            contents.extend_from_slice(&access.to_le_bytes());
            contents.extend_from_slice(&refresh.to_le_bytes());
            contents.extend_from_slice(input.access_token);
            contents.extend_from_slice(input.refresh_token);
            contents.push(input.flags);
            contents.extend_from_slice(&format[IDENTITY]);
            for number in input.numbers {
                contents.extend_from_slice(&number.to_le_bytes());
            }
            contents.resize(contents.len() + usize::from(input.padding), 0);
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY).expect("any length");
            mac.update(&contents);
            contents.extend_from_slice(&mac.finalize().into_bytes());
            contents
        }
    };

    match load(held, now, wall, Some(&sealed)) {
        Err(error) => {
            let after = held.poll(now);
            assert_eq!((before.0, before.2.usable), (held.generation(), after.usable), "{error:?}");
            let names = [Error::InvalidSnapshot, Error::OtherSnapshotVersion, Error::OtherSnapshotKey];
            assert!(input.raw.is_none() || names.contains(&error));
        }
        Ok(_) => {
            assert!(held.revision() >= before.1);
            assert_eq!(held.poll(now).usable, held.authorize(now, "GET", URL).is_ok());
            // What was taken can be taken again.
            let mut again = manager(now, input.shared, 0);
            load(&mut again, now, wall, Some(&sealed)).expect("what was taken once");
            assert!(!again.poll(now).usable || held.poll(now).usable, "a restart revives no token");
        }
    }
});
