//! Any calls in any order: what `poll` says is so, and stays so until `poll_at`.
//!
//! With storage there are two managers on the same slots, which are damaged and emptied between calls. Then, too:
//! a `Load`, `Store` or `Supply` that `poll` names is one that may be taken up, and its slot exists; a revision never
//! falls, and each snapshot has a greater one; what is owed to storage is not lent while its first attempt is open; and
//! slots of which none is as it was written bring no token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::storage::{Found, Source, Storage};
use tokenward::{
    Answer, Credentials, Error, Generation, Identity, Instant, Next, Options, Provider, RefreshPolicy,
    RequestId, Revision, Slots, SnapshotScope, TokenManager, TokenResponse, UnixTime, providers,
};

const KEY: [u8; 32] = [7; 32];
const URL: &str = "https://sandbox.api.flute.com/v2/payments";

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    seed: u64,
    jitter_permille: u32,
    fraction_permille: u32,
    min_interval_ms: u32,
    margin_ms: u32,
    wall: Option<u32>,
    storage: Option<Kept>,
    program: bool,
    calls: Vec<Call<'a>>,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Kept {
    shared: bool,
    refresh_token_only: bool,
    two_slots: bool,
    prove_room: bool,
    floor: u8,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Call<'a> {
    /// Time goes on, or back.
    Sleep(i32),
    /// Time goes on to where `poll` will say something else.
    UntilPollAt,
    Begin,
    Answer {
        late_id: Option<u64>,
        status: u16,
        retry_after: Option<&'a [u8]>,
        body: &'a [u8],
    },
    Token {
        expires_in: Option<u32>,
        number: u8,
        refresh: Option<u8>,
    },
    Refuse {
        code: u8,
        status: u16,
    },
    Failed,
    Rejected {
        generation: Option<u64>,
        status: u16,
        challenge: Option<&'a [u8]>,
    },
    Install {
        expires_in: Option<u32>,
        number: u8,
        refresh: bool,
    },
    Restart,
    Retry,
    Renew,
    Clear,
    /// The loads and stores that are due are done, or fail.
    Sync {
        works: bool,
    },
    Took,
    Supplied {
        number: Option<u8>,
    },
    Reload,
    /// A bit of what is stored changes.
    Damage {
        slot: bool,
        at: u16,
        bit: u8,
    },
    Empty,
    /// It is the other manager's turn.
    Other,
}

const CODES: [&str; 9] = [
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_request",
    "slow_down",
    "server_error",
    "x",
];

fuzz_target!(|input: Input<'_>| {
    let policy = RefreshPolicy {
        jitter_permille: input.jitter_permille % 1001,
        fraction_permille: input.fraction_permille % 1001,
        min_interval_ms: u64::from(input.min_interval_ms),
        margin_ms: u64::from(input.margin_ms),
        ..RefreshPolicy::DEFAULT
    };
    let provider = Provider { policy: Some(&policy), ..providers::FLUTE_SANDBOX };
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    let storage = input.storage.as_ref().map(|kept| Storage {
        shared: kept.shared,
        stored: if kept.refresh_token_only { SnapshotScope::RefreshToken } else { SnapshotScope::All },
        slots: if kept.two_slots { 2 } else { 1 },
        floor: Revision(u64::from(kept.floor)),
        prove_room: kept.prove_room,
        ..Storage::OWN
    });
    let options = Options { storage, source: if input.program { Source::Program } else { Source::Person } };
    let new = |now, seed| {
        let slots = Slots::new([0; 64], 32);
        TokenManager::with_options(now, &provider, Identity::CLIENT, slots, seed, options).expect("a preset")
    };
    let stores_all = storage.is_some_and(|storage| storage.stored == SnapshotScope::All);
    let mut millis = 0_u64;
    let mut manager = new(Instant::from_millis(0), input.seed);
    let mut other = (new(Instant::from_millis(0), !input.seed), RequestId(0));
    let mut last = RequestId(0);
    let mut slots: Vec<Slot> =
        (0..storage.map_or(0, |storage| storage.slots)).map(|_| Slot::default()).collect();
    let mut out = [0; 1024];

    for call in &input.calls {
        let now = Instant::from_millis(millis);
        let wall = input.wall.map(|wall| UnixTime::from_secs(u64::from(wall) + millis / 1000));
        let generation = manager.generation();
        let answered =
            |manager: &mut TokenManager<'_, [u8; 64]>, id, status, headers: &[(&str, &[u8])], body: &[u8]| {
                let held = manager.poll(now).usable;
                let answer = manager.answer(now, id, &Answer { status, headers, body, wall }).map(|_| ());
                // A token that was good stays good; one that took its place is stored first, and so is the
                // refresh token of an answer that is refused.
                let after = manager.poll(now);
                let is_owed = matches!(after.next, Next::Load(_) | Next::Store(..) | Next::Await(_));
                assert!(!held || after.usable || (storage.is_some() && (answer.is_ok() || is_owed)));
                answer
            };
        match call {
            Call::Sleep(by) => millis = millis.saturating_add_signed(i64::from(*by)),
            Call::UntilPollAt => {
                if let Some(at) = manager.poll(now).poll_at {
                    millis = at.as_millis();
                }
            }
            Call::Begin => match manager.begin(now, &credentials, &mut out) {
                Ok((id, request)) => {
                    assert_eq!(request.method(), "POST");
                    assert_eq!(manager.poll(now).next, Next::Await(id));
                    last = id;
                }
                Err(error) => {
                    assert!(matches!(error, Error::NotDue | Error::RequestInFlight), "{error:?}");
                }
            },
            Call::Answer { late_id, status, retry_after, body } => {
                let headers = retry_after.map(|value| ("Retry-After", value));
                let id = late_id.map_or(last, RequestId);
                let _ = answered(&mut manager, id, *status, headers.as_slice(), body);
            }
            Call::Token { expires_in, number, refresh } => {
                let life = expires_in.map_or(String::new(), |life| format!(r#","expires_in":{life}"#));
                let refresh =
                    refresh.map_or(String::new(), |number| format!(r#","refresh_token":"r{number}""#));
                let body = format!(r#"{{"access_token":"a{number}"{life}{refresh}}}"#);
                if answered(&mut manager, last, 200, &[], body.as_bytes()).is_ok() {
                    assert!(manager.generation() > generation);
                    assert!(storage.is_some() || manager.poll(now).usable);
                    assert!(!stores_all || !manager.poll(now).usable);
                }
            }
            Call::Refuse { code, status } => {
                let code = CODES[usize::from(*code) % CODES.len()];
                let _ =
                    answered(&mut manager, last, *status, &[], format!(r#"{{"error":"{code}"}}"#).as_bytes());
                assert_eq!(manager.generation(), generation);
            }
            Call::Failed => {
                let _ = manager.failed(now, last);
            }
            Call::Rejected { generation, status, challenge } => {
                let generation = generation.map_or(manager.generation(), Generation);
                let _ = manager.rejected(now, generation, *status, *challenge);
            }
            Call::Install { expires_in, number, refresh } => {
                let name = format!("i{number}");
                let mut token = TokenResponse::new(&name);
                if let Some(life) = expires_in {
                    token = token.with_expires_in(u64::from(*life));
                }
                if *refresh {
                    token = token.with_refresh_token("installed");
                }
                let before = manager.poll(now);
                match manager.install(now, None, &token) {
                    Ok(_) => assert_eq!(manager.poll(now).usable, storage.is_none()),
                    Err(_) => assert_eq!(manager.poll(now), before),
                }
            }
            Call::Restart => manager = new(now, input.seed),
            Call::Retry => manager.retry(),
            Call::Renew => manager.renew(),
            Call::Clear => {
                manager.clear();
                assert!(!manager.poll(now).usable);
            }
            // Nothing goes wrong for ever where it is done as told.
            Call::Sync { works } => {
                let turns = (0..8).take_while(|_| sync(&mut manager, now, wall, &mut slots, *works)).count();
                assert!(turns < 8, "storage is never done with");
            }
            Call::Took => match manager.poll(now).next {
                Next::Load(id) | Next::Store(id, _) | Next::Supply(id, _) => {
                    manager.took(now, id).expect("what is asked for may be taken up");
                    assert!(matches!(manager.poll(now).next, Next::Await(_)));
                    assert_eq!(manager.took(now, RequestId(!id.0)), Err(Error::StaleRequest));
                }
                _ => {}
            },
            Call::Supplied { number } => {
                if let Next::Supply(id, _) = manager.poll(now).next {
                    match number {
                        Some(number) => {
                            let name = format!("s{number}");
                            manager.supplied(now, wall, id, &TokenResponse::new(&name)).expect("a token");
                        }
                        None => manager.supply_failed(now, id, true).expect("its id"),
                    }
                    assert_eq!(manager.supply_failed(now, id, true), Err(Error::StaleRequest));
                }
            }
            Call::Reload => manager.reload(),
            Call::Damage { slot, at, bit } => {
                if let Some(Slot { bytes: Some(bytes), whole }) = slots.get_mut(usize::from(*slot))
                    && let Some(byte) = bytes.get_mut(usize::from(*at))
                {
                    *byte ^= 1 << (bit % 8);
                    *whole = false;
                }
            }
            Call::Empty => slots.iter_mut().for_each(|slot| *slot = Slot::default()),
            Call::Other => {
                std::mem::swap(&mut manager, &mut other.0);
                std::mem::swap(&mut last, &mut other.1);
            }
        }
        holds(&manager, Instant::from_millis(millis));
    }
});

/// A place of storage.
#[derive(Default)]
struct Slot {
    bytes: Option<Vec<u8>>,
    /// It is as a manager wrote it.
    whole: bool,
}

/// Does the load or store that is due; false: there is none.
fn sync(
    manager: &mut TokenManager<'_, [u8; 64]>,
    now: Instant,
    wall: Option<UnixTime>,
    slots: &mut [Slot],
    works: bool,
) -> bool {
    let (before, revision) = (manager.poll(now), manager.revision());
    match before.next {
        Next::Load(id) if works => {
            let bytes: Vec<_> = slots.iter().map(|slot| slot.bytes.as_deref()).collect();
            let found = manager.loaded(now, wall, id, &KEY, &bytes);
            let whole = slots.iter().any(|slot| slot.whole);
            assert!(whole || !matches!(found, Ok(Found::Taken | Found::Known)), "{found:?}");
            assert!(whole || before.usable || !manager.poll(now).usable, "damage brings a token");
            assert!(manager.revision() >= revision);
            assert_eq!(manager.load_failed(now, id), Err(Error::StaleRequest));
        }
        Next::Load(id) => manager.load_failed(now, id).expect("its id"),
        Next::Store(id, slot) => {
            let mut out = [0; 512];
            let written = manager.snapshot(now, wall, id, &KEY, &mut out).expect("it fits").to_vec();
            assert!(manager.revision() > revision);
            if works {
                *slots.get_mut(usize::from(slot)).expect("a slot that exists") =
                    Slot { bytes: Some(written), whole: true };
                manager.stored(now, id).expect("its id");
            } else {
                manager.store_failed(now, id).expect("its id");
            }
        }
        _ => return false,
    }
    true
}

/// What `poll` promises of one manager, at `now` and until it changes by itself.
fn holds(manager: &TokenManager<'_, [u8; 64]>, now: Instant) {
    let poll = manager.poll(now);
    assert_eq!(poll.usable, manager.authorize(now, "GET", URL).is_ok());
    let never = Instant::from_millis(u64::MAX);
    let Some(at) = poll.poll_at else {
        let late = manager.poll(never);
        assert_eq!((late.next, late.usable), (poll.next, poll.usable));
        return;
    };
    assert!(at > now || at == never, "{poll:?}");
    let before = manager.poll(Instant::from_millis(at.as_millis() - 1));
    assert_eq!((before.next, before.usable), (poll.next, poll.usable), "{poll:?} changes too early");
    let then = manager.poll(at);
    assert!((then.next, then.usable) != (poll.next, poll.usable), "{poll:?} does not change");
    assert!(poll.usable || !then.usable, "time revives nothing");
}
