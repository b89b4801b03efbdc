//! Signing in in a browser: docs/BEHAVIOUR.md section 6, as far as no scenario can say it.
#![cfg(feature = "snapshot")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tokenward::grants::{AuthorizationCode, Callback};
use tokenward::parts::ClientAuthentication;
use tokenward::storage::HmacSha256;
use tokenward::{
    Credentials, Error, Identity, Instant, Outcome, Parameter, ParsedAnswer, Provider, Requests, Slots,
    Target, TokenManager, UnixTime,
};

const ACME: Provider<'static> = Provider {
    name: "acme",
    base_url: Some("https://login.acme.example"),
    token_path: Some("/token"),
    authorization_url: Some("https://login.acme.example/authorize"),
    authentication: Some(ClientAuthentication::NONE),
    scope: Some("offline_access"),
    refresh_grant: true,
    ..Provider::custom()
};
const KEY: [u8; 32] = [7; 32];
const START: Instant = Instant::from_millis(0);
const WALL: Option<UnixTime> = Some(UnixTime::from_secs(1_000));
const REDIRECT: &str = "http://127.0.0.1:49152/callback";

/// RFC 7636 Appendix B.
const RANDOM: [u8; 32] = [
    116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214,
    191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
];
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// By another implementation of HMAC.
const STATE: &str = "ok9K_xZaZdrGD0vHnsNUgw";

type Manager<'p> = TokenManager<'p, [u8; 64]>;

fn manager() -> Manager<'static> {
    TokenManager::new(START, &ACME, Identity::CLIENT, Slots::new([0; 64], 32), 0).expect("a manager")
}

fn sign_in() -> AuthorizationCode<'static> {
    AuthorizationCode::new(RANDOM, REDIRECT).expect("a sign-in")
}

fn app() -> Credentials<'static> {
    Credentials { client_id: "app", ..Credentials::default() }
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: each call is handed on as it is.
#[expect(unsafe_code, reason = "an allocator is unsafe to write")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_whole_sign_in_allocates_nothing() {
    const CALLBACK: &str =
        "http://127.0.0.1:49152/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=ok9K_xZaZdrGD0vHnsNUgw";
    let before = ALLOCATIONS.get();
    let (mut out, mut stored) = ([0; 512], [0; 256]);
    let mut manager = manager();
    let mut sign_in = sign_in();
    let url = sign_in.url(&manager, &app(), &mut out).expect("a URL");
    assert!(url.len() > 200);
    let stored = sign_in.seal(&manager, WALL, &HmacSha256, &KEY, &mut stored).expect("room");
    let mut sign_in =
        AuthorizationCode::open(&manager, WALL, &HmacSha256, &KEY, stored).expect("a stored sign-in");
    let Ok(Callback::Code(code)) = sign_in.callback(&manager, CALLBACK) else { panic!("a code") };
    sign_in.deleted();
    sign_in.begin(START, &manager, &app(), &[], &code, &mut out).expect("a request");
    let body = br#"{"access_token":"a","expires_in":3600,"refresh_token":"r"}"#;
    let answer = ParsedAnswer { status: 200, retry_after: None, body, wall: None };
    assert!(matches!(sign_in.answer(START, &mut manager, &answer), Ok(Outcome::Token(_))));
    assert!(manager.poll(START).usable);
    assert_eq!(ALLOCATIONS.get(), before);
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let mut out = [0; 512];
    let url = sign_in().url(&manager(), &app(), &mut out).expect("a URL").to_owned();
    assert!(url.contains(&format!("&code_challenge={CHALLENGE}&code_challenge_method=S256")), "{url}");
    assert!(url.contains(&format!("&state={STATE}&")), "{url}");
}

#[test]
fn a_url_names_each_parameter_once_and_holds_no_verifier() {
    let mut out = [0; 512];
    let url = sign_in().url(&manager(), &app(), &mut out).expect("a URL").to_owned();
    let parsed = url::Url::parse(&url).expect("a URL");
    let pairs: Vec<_> = parsed.query_pairs().into_owned().collect();
    let expected = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("scope", "offline_access"),
        ("state", STATE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!url.contains(VERIFIER));
}

#[test]
fn an_authorization_url_that_cannot_work_is_refused() {
    for (authorization_url, refusal) in [
        ("https://login.acme.example/authorize?a=b&%73tate=c", Error::InvalidProvider),
        ("https://login.acme.example/authorize?scope", Error::InvalidProvider),
        ("https://login.acme.example/authorize#a", Error::BadUrl),
        ("https://user@login.acme.example/authorize", Error::BadUrl),
        ("/authorize", Error::BadUrl),
        ("ftp://login.acme.example/authorize", Error::OriginNotAllowed),
    ] {
        let provider = Provider { authorization_url: Some(authorization_url), ..ACME };
        let slots = Slots::new([0; 64], 32);
        let manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
        assert_eq!(
            sign_in().url(&manager, &app(), &mut [0; 512]).map(drop),
            Err(refusal),
            "{authorization_url}"
        );
    }
}

#[test]
fn no_secret_and_no_name_twice_gets_into_the_url() {
    for (name, value) in [("hint", "{access_token}"), ("prompt", "login")] {
        let parameters = [Parameter::new(name, value).on(Target::Authorization)];
        let requests = Requests { parameters: Some(&parameters), ..Requests::STANDARD };
        let authorization_url = Some("https://login.acme.example/authorize?prompt=consent");
        let provider = Provider { authorization_url, requests: Some(&requests), ..ACME };
        let slots = Slots::new([0; 64], 32);
        let manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
        let url = sign_in().url(&manager, &app(), &mut [0; 512]).map(drop);
        assert_eq!(url, Err(Error::InvalidProvider), "{name}={value}");
    }
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret_of_a_sign_in() {
    let callback = format!("{REDIRECT}?code=canary-7f3a9c&state={STATE}");
    let refused = format!("{REDIRECT}?error=canary-7f3a9c&error_description=canary-7f3a9c&state={STATE}");
    let mut sign_in = sign_in();
    let code = sign_in.callback(&manager(), &callback).expect("a code");
    let shown = [
        format!("{sign_in:?} {code:?}"),
        format!("{:?}", sign_in.callback(&manager(), &refused)),
        format!("{:?}", sign_in.callback(&manager(), &callback)),
    ];
    for text in shown {
        for secret in ["canary", "116, 24", VERIFIER, STATE, REDIRECT] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_stored_sign_in_is_refused_with_any_bit_flipped_or_byte_missing() {
    let manager = manager();
    let mut out = [0; 256];
    let stored = sign_in().seal(&manager, WALL, &HmacSha256, &KEY, &mut out).expect("room").to_vec();
    let opened = |bytes: &[u8]| AuthorizationCode::open(&manager, WALL, &HmacSha256, &KEY, bytes).map(drop);
    assert_eq!(opened(&stored), Ok(()));
    for bit in 0..stored.len() * 8 {
        let mut torn = stored.clone();
        torn[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&torn).is_err(), "bit {bit}");
    }
    for kept in 0..stored.len() {
        assert_eq!(opened(&stored[..kept]), Err(Error::InvalidSnapshot), "{kept} bytes");
    }
    let mut small = vec![0xAA; stored.len() - 1];
    let needed = stored.len();
    assert_eq!(
        sign_in().seal(&manager, WALL, &HmacSha256, &KEY, &mut small).map(drop),
        Err(Error::BufferTooSmall { needed })
    );
    assert!(small.iter().all(|&byte| byte == 0));
}

/// What 6.5 to 6.12 say of a query, in the words of the crate `form_urlencoded`.
fn expected(query: &str) -> Result<String, Error> {
    let escapes = query.split('%').skip(1);
    if escapes
        .clone()
        .any(|behind| behind.len() < 2 || !behind.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()))
    {
        return Err(Error::BadUrl);
    }
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let all = |name: &str| -> Vec<String> {
        pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    };
    if ["code", "state", "error", "error_description", "error_uri", "iss"].iter().any(|n| all(n).len() > 1) {
        return Err(Error::DuplicateParameter);
    }
    let one = |name: &str| all(name).into_iter().next().filter(|value| !value.is_empty());
    if one("state").as_deref() != Some(STATE) {
        return Err(Error::OtherState);
    }
    match (one("code"), one("error")) {
        (Some(code), None) if code.bytes().all(|byte| (0x20..0x7F).contains(&byte)) => Ok(code),
        (None, Some(error)) => Ok(error),
        _ => Err(Error::InvalidCallback),
    }
}

#[test]
fn a_callback_is_read_as_the_form_urlencoded_crate_reads_it() {
    const PIECES: [&str; 20] = [
        "code",
        "state",
        "error",
        "iss",
        "error_uri",
        "&",
        "&",
        "&",
        "=",
        "=",
        "=",
        "%20",
        "%",
        "+",
        "a",
        "%63ode",
        "%c3%a9",
        "state=ok9K_xZaZdrGD0vHnsNUgw",
        "&state=ok9K_xZaZdrGD0vHnsNUg%77&",
        "code=",
    ];
    let manager = manager();
    let mut seed = 0_u64;
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..100_000 {
        let mut query = String::new();
        for _ in 0..10 {
            // Knuth's generator of 64 bits.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let piece = usize::try_from(seed >> 33).unwrap_or(0) % (PIECES.len() + 4);
            query.push_str(PIECES.get(piece).unwrap_or(&""));
        }
        let url = format!("{REDIRECT}?{query}");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let read = sign_in().callback(&manager, &url).map(|callback| match callback {
            Callback::Code(code) => text(code.text().bytes().collect()),
            Callback::Error(error) => text(error.error().bytes().collect()),
        });
        names.insert(read.as_ref().err().map_or("good", |error| error.name()));
        assert_eq!(read, expected(&query), "{query}");
    }
    assert_eq!(names.len(), 5, "{names:?}");
}
