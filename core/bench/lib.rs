//! What `cargo xtask bench` measures of the core: its time beside that of its peers (`peers.rs`), and its instructions
//! and allocations (`counts.rs`).

use std::hint::black_box;

use tokenward::storage::{Found, Source, Storage};
use tokenward::{
    Answer, Bearer, Credentials, Grant, Identity, Instant, Next, Options, Outcome, Provider, RequestId,
    Slots, TokenAnswer, TokenManager, TokenResponse, UnixTime, basic_raw, providers, token_answer,
};

/// Bodies of token services: name, bytes, whether the token stands in an envelope.
pub const BODIES: [(&str, &[u8], bool); 5] = [
    ("w1, 99 B", include_bytes!("../tests/data/workloads/w1.json"), false),
    ("w2, 142 B", include_bytes!("../tests/data/workloads/w2.json"), false),
    ("w3, 252 B", include_bytes!("../tests/data/workloads/w3.json"), false),
    ("w4, 1020 B", include_bytes!("../tests/data/workloads/w4.json"), true),
    ("w5, 5960 B", include_bytes!("../tests/data/workloads/w5.json"), false),
];
/// A client's identifier and secret, of 36 and 40 bytes.
pub const CLIENT: (&str, &str) =
    ("0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0", "a-secret-of-forty-bytes-0123456789abcdef");
/// Where a request of one origin goes, and one of Flip Energy.
pub const URLS: [&str; 2] =
    ["https://api-utility-sandbox.flip.energy/v1/programs", "https://api.example/v1/settings/4711"];
/// The lengths of tokens in a header.
pub const TOKENS: [usize; 2] = [40, 2048];
/// Seals a snapshot.
pub const KEY: [u8; 32] = [7; 32];

static FLAT: Provider<'static> =
    Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() };
static ENVELOPED: Provider<'static> = providers::FLUME;
static ONE_ORIGIN: Provider<'static> = providers::FLIP_UTILITY_SANDBOX;
static ROUTED: Provider<'static> =
    Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_CLIENT };

const START: Instant = Instant::from_millis(0);
const WALL: Option<UnixTime> = Some(UnixTime::from_secs(1_800_000_000));
/// Longer than any token, answer or pause lasts.
const LATER: u64 = 86_400_000;

type Manager = TokenManager<'static, [u8; 768]>;

fn manager(provider: &'static Provider<'static>) -> Manager {
    TokenManager::new(START, provider, Identity::CLIENT, Slots::new([0; 768], 512), 0).expect("a manager")
}

fn with_token(provider: &'static Provider<'static>) -> Manager {
    let mut manager = manager(provider);
    install(&mut manager);
    manager
}

fn install(manager: &mut Manager) {
    let token = "a".repeat(40);
    manager.install(START, None, &TokenResponse::new(&token).with_expires_in(3600)).expect("a token");
}

/// One side of a comparison.
pub struct Side {
    /// What is compared.
    pub group: &'static str,
    /// With which input.
    pub case: String,
    /// Whose work it is.
    pub name: &'static str,
    /// Does it so many times.
    pub run: Box<dyn FnMut(u32)>,
}

/// A side that does `work`.
pub fn side(group: &'static str, case: &str, name: &'static str, mut work: impl FnMut() + 'static) -> Side {
    Side { group, case: case.to_owned(), name, run: Box::new(move |times| (0..times).for_each(|_| work())) }
}

/// Finds the six members of a token response.
pub fn read(group: &'static str, case: &str, body: &'static [u8], enveloped: bool) -> Side {
    let provider = if enveloped { &ENVELOPED } else { &FLAT };
    side(group, case, "tokenward", move || {
        let Ok(TokenAnswer::Token(token)) = token_answer(200, black_box(body), provider) else {
            panic!("no token")
        };
        black_box((token.access_token(), token.token_type(), token.expires_in()));
        black_box((token.refresh_token(), token.scope(), token.id_token()));
    })
}

/// All that is measured of the core.
pub fn core() -> Vec<Side> {
    let mut sides: Vec<_> =
        BODIES.iter().map(|(case, body, enveloped)| read("read", case, body, *enveloped)).collect();
    for len in TOKENS {
        let (token, mut out) = ("a".repeat(len), [0; 2200]);
        sides.push(side("header", &format!("{len} B"), "tokenward", move || {
            let bearer = Bearer::new(black_box(&token)).expect("a token");
            black_box(bearer.write(&mut out)).expect("room");
        }));
    }
    for (case, url, provider) in
        [("one origin", URLS[0], &ONE_ORIGIN), ("Flip Energy's table", URLS[1], &ROUTED)]
    {
        let manager = with_token(provider);
        sides.push(side("authorize", case, "tokenward", move || {
            black_box(manager.authorize(START, black_box("PATCH"), black_box(url))).expect("allowed");
        }));
    }
    let mut out = [0; 200];
    sides.push(side("basic", "36 and 40 B", "tokenward", move || {
        let (id, secret) = black_box(CLIENT);
        black_box(basic_raw(id, secret, &mut out)).expect("room");
    }));
    sides.extend([begin(), turn()]);
    sides.extend(snapshots());
    sides
}

fn credentials() -> Credentials<'static> {
    Credentials { client_id: CLIENT.0, client_secret: CLIENT.1, ..Credentials::default() }
}

fn begin() -> Side {
    let (mut manager, mut now, mut out) = (manager(&ONE_ORIGIN), 0, [0; 512]);
    side("begin", "client_credentials", "tokenward", move || {
        now += LATER;
        black_box(manager.begin(Instant::from_millis(now), &credentials(), &mut out)).expect("due");
    })
}

fn turn() -> Side {
    let (mut manager, mut now, mut out) = (manager(&ONE_ORIGIN), 0, [0; 512]);
    side("turn", "client_credentials", "tokenward", move || {
        now += LATER;
        let at = Instant::from_millis(now);
        assert!(matches!(manager.poll(at).next, Next::Request(_)));
        let (id, request) = manager.begin(at, &credentials(), &mut out).expect("due");
        black_box(request.body());
        let answer = Answer { status: 200, headers: &[], body: black_box(BODIES[0].1), wall: None };
        assert!(matches!(manager.answer(at, id, &answer), Ok(Outcome::Token(_))));
        let bearer = manager.authorize(at, "GET", black_box(URLS[0])).expect("allowed");
        black_box(bearer.write(&mut out)).expect("room");
    })
}

fn snapshots() -> [Side; 2] {
    let (mut kept, id) = stored(1);
    let (mut other, other_id) = stored(2);
    let mut write = move |out: &mut [u8; 512]| kept.snapshot(START, WALL, id, &KEY, out).expect("room").len();
    let (mut out, mut sealed) = ([0; 512], [[0; 512]; 2]);
    let len = write(&mut sealed[0]);
    assert_eq!(other.snapshot(START, WALL, other_id, &KEY, &mut sealed[1]).map(<[u8]>::len), Ok(len));
    let (mut reader, mut turn) = (with_storage(0), 0);
    let Next::Load(mut id) = reader.poll(START).next else { panic!("storage is read first") };
    [
        side("snapshot", "write", "tokenward", move || _ = black_box(write(&mut out))),
        // Two take turns, so that neither is known.
        side("snapshot", "restore", "tokenward", move || {
            turn ^= 1;
            let slots = [Some(black_box(&sealed[turn][..len]))];
            assert_eq!(reader.loaded(START, WALL, id, &KEY, &slots), Ok(Found::Taken));
            id.0 = id.0.wrapping_add(1);
            reader.reload();
        }),
    ]
}

fn with_storage(seed: u64) -> Manager {
    let options = Options { storage: Some(Storage::OWN), source: Source::None };
    let slots = Slots::new([0; 768], 512);
    TokenManager::with_options(START, &ONE_ORIGIN, Identity::CLIENT, slots, seed, options).expect("a manager")
}

/// One whose token is to be stored.
fn stored(seed: u64) -> (Manager, RequestId) {
    let mut manager = with_storage(seed);
    let Next::Load(id) = manager.poll(START).next else { panic!("storage is read first") };
    manager.loaded(START, WALL, id, &KEY, &[None]).expect("empty");
    install(&mut manager);
    let Next::Store(id, 0) = manager.poll(START).next else { panic!("a token is stored") };
    (manager, id)
}
