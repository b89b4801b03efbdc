//! Any calls in any order: what `poll` says is so, and stays so until `poll_at`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::{
    Answer, Credentials, Error, Generation, Identity, Instant, Next, Provider, RefreshPolicy, RequestId,
    Revision, Slots, SnapshotScope, TokenManager, TokenResponse, UnixTime, providers,
};

const KEY: [u8; 32] = [7; 32];
const URL: &str = "https://sandbox.api.flute.com/v2/payments";

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    seed: u64,
    shared_storage: bool,
    jitter_permille: u32,
    fraction_permille: u32,
    min_interval_ms: u32,
    margin_ms: u32,
    wall: Option<u32>,
    calls: Vec<Call<'a>>,
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
    Snapshot {
        all: bool,
    },
    Restore {
        floor: u64,
    },
    Restart,
    Reloaded,
    Retry,
    Renew,
    Clear,
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
        shared_storage: input.shared_storage,
        jitter_permille: input.jitter_permille % 1001,
        fraction_permille: input.fraction_permille % 1001,
        min_interval_ms: u64::from(input.min_interval_ms),
        margin_ms: u64::from(input.margin_ms),
        ..RefreshPolicy::DEFAULT
    };
    let provider = Provider { policy: Some(&policy), ..providers::FLUTE_SANDBOX };
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    let new = |now| {
        TokenManager::new(now, &provider, Identity::CLIENT, Slots::new([0; 64], 32), input.seed)
            .expect("a preset")
    };
    let mut millis = 0_u64;
    let mut manager = new(Instant::from_millis(0));
    let mut last = RequestId(0);
    let mut out = [0; 1024];
    let mut stored = Vec::new();

    for call in &input.calls {
        let now = Instant::from_millis(millis);
        let wall = input.wall.map(|wall| UnixTime::from_secs(u64::from(wall) + millis / 1000));
        let generation = manager.generation();
        let answered =
            |manager: &mut TokenManager<'_, [u8; 64]>, id, status, headers: &[(&str, &[u8])], body: &[u8]| {
                let held = manager.poll(now).usable;
                let answer = manager.answer(now, id, &Answer { status, headers, body, wall }).map(|_| ());
                // A token that was good stays good.
                assert!(!held || manager.poll(now).usable);
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
                    assert!(manager.poll(now).usable);
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
                    Ok(_) => assert!(manager.poll(now).usable),
                    Err(_) => assert_eq!(manager.poll(now), before),
                }
            }
            Call::Snapshot { all } => {
                let scope = if *all { SnapshotScope::All } else { SnapshotScope::RefreshToken };
                let revision = manager.revision();
                stored = manager.snapshot(now, wall, scope, &KEY, &mut out).expect("it fits").to_vec();
                manager.persisted(scope, revision);
                assert!(manager.unpersisted(scope).is_none());
            }
            Call::Restore { floor } => {
                let before = manager.poll(now);
                if manager.restore(now, wall, Revision(*floor), &KEY, &stored).is_err() {
                    assert_eq!(manager.poll(now), before);
                }
            }
            Call::Restart => {
                manager = new(now);
                let _ = manager.restore(now, wall, Revision(0), &KEY, &stored);
            }
            Call::Reloaded => manager.reloaded(),
            Call::Retry => manager.retry(),
            Call::Renew => manager.renew(),
            Call::Clear => {
                manager.clear();
                assert!(!manager.poll(now).usable);
            }
        }
        holds(&manager, Instant::from_millis(millis));
    }
});

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
