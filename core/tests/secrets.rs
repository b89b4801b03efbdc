//! What must not leak: docs/BEHAVIOUR.md section 4.

use tokenward::wire::Challenges;
use tokenward::{
    Answer, Bearer, Credentials, Grant, Identity, Instant, Outcome, Provider, Slots, TokenAnswer,
    TokenManager, TokenRequest, TokenResponse, ct_eq, providers, token_answer, wipe,
};

const CANARY: &str = "canary-7f3a9c";
const START: Instant = Instant::from_millis(0);

#[cfg(not(feature = "defmt"))]
trait Format {}
#[cfg(not(feature = "defmt"))]
impl<T> Format for T {}
#[cfg(feature = "defmt")]
use defmt::Format;

#[track_caller]
fn is_redacted(value: &(impl std::fmt::Debug + Format)) {
    let texts = [
        format!("{value:?}"),
        format!("{value:#?}"),
        #[cfg(feature = "defmt")]
        {
            value.format(defmt::export::make_formatter());
            let logged = String::from_utf8_lossy(&defmt::export::fetch_bytes()).into_owned();
            assert!(logged.contains(&format!("{value:?}")), "{logged}");
            logged
        },
    ];
    for text in texts {
        assert!(!text.contains("canary") && !text.contains("99, 97, 110"), "{text}");
    }
}

#[test]
fn debug_shows_no_secret_of_any_public_type() {
    let credentials = Credentials {
        client_id: CANARY,
        client_secret: CANARY,
        username: CANARY,
        password: CANARY,
        bearer: CANARY,
        assertion: None,
    };
    is_redacted(&credentials);
    is_redacted(&Bearer::new(CANARY).expect("a token"));
    is_redacted(&TokenResponse::new(CANARY).with_refresh_token(CANARY));

    let body = format!(
        r#"{{"access_token":"{CANARY}","refresh_token":"{CANARY}","scope":"{CANARY}","id_token":"{CANARY}","token_type":"{CANARY}"}}"#
    );
    let provider = providers::FLUTE_SANDBOX;
    let token = token_answer(200, body.as_bytes(), &provider).expect("a token");
    is_redacted(&token);
    let TokenAnswer::Token(token) = token else { panic!("an error response") };
    is_redacted(&token.access_token());
    is_redacted(&token.scope().expect("a scope"));

    let error = format!(r#"{{"error":"{CANARY}","error_description":"{CANARY}","error_uri":"{CANARY}"}}"#);
    is_redacted(&token_answer(400, error.as_bytes(), &provider).expect("an error response"));
    is_redacted(&Answer {
        status: 200,
        headers: &[("x", CANARY.as_bytes())],
        body: body.as_bytes(),
        wall: None,
    });

    let mut out = [0; 1024];
    is_redacted(
        &TokenRequest::new(&provider, Identity::CLIENT, Grant::ClientCredentials, &credentials)
            .write(&mut out)
            .expect("a request"),
    );
    let field = format!("Bearer realm=\"{CANARY}\", {CANARY} {CANARY}");
    let challenges = Challenges::parse(field.as_bytes()).expect("challenges");
    is_redacted(&challenges);
    challenges.for_each(|challenge| {
        is_redacted(&challenge);
        challenge.params().for_each(|(_, value)| is_redacted(&value));
    });
    let slots = Slots::new([0; 128], 64);
    is_redacted(&slots);
    let mut manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
    manager.install(START, None, &TokenResponse::new(CANARY).with_refresh_token(CANARY)).expect("a token");
    is_redacted(&manager);
    is_redacted(&manager.poll(START));
    is_redacted(&manager.authorize(START, "GET", "https://sandbox.api.flute.com/").expect("usable"));
}

#[test]
fn errors_are_words_and_numbers_and_carry_no_byte_of_a_body() {
    let provider = Provider::custom();
    for body in [
        CANARY.to_owned(),
        format!("{{\"{CANARY}\":{CANARY}}}"),
        format!("{{\"access_token\":\"{CANARY} \"}}"),
    ] {
        let error = token_answer(200, body.as_bytes(), &provider).expect_err("a refusal");
        is_redacted(&error);
        assert_eq!(error.to_string(), error.sentence());
    }
}

/// A manager over memory that the test can look at afterwards.
fn fill(memory: &mut [u8], finish: impl FnOnce(TokenManager<'_, &mut [u8]>)) {
    let provider = providers::FLUTE_SANDBOX;
    let mut manager =
        TokenManager::new(START, &provider, Identity::CLIENT, Slots::new(memory, 64), 0).expect("a manager");
    let token =
        TokenResponse::new("a-long-canary-access-token").with_refresh_token("a-long-canary-refresh-token");
    manager.install(START, None, &token).expect("a token");
    finish(manager);
}

fn holds(memory: &[u8], secret: &str) -> bool {
    memory.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn slots_are_wiped_when_the_manager_is_dropped() {
    let mut memory = [0xAA; 128];
    fill(&mut memory, |manager| drop(manager));
    assert_eq!(memory, [0; 128]);
}

#[test]
fn slots_are_wiped_on_clear() {
    let mut memory = [0xAA; 128];
    fill(&mut memory, |mut manager| {
        manager.clear();
        std::mem::forget(manager);
    });
    assert_eq!(memory, [0; 128]);
}

#[test]
fn a_replaced_token_leaves_no_byte_behind_slack_included() {
    let mut memory = [0xAA; 128];
    fill(&mut memory, |mut manager| {
        manager.install(START, None, &TokenResponse::new("new").with_refresh_token("r")).expect("a token");
        std::mem::forget(manager);
    });
    assert!(memory.starts_with(b"new\0\0\0\0") && !holds(&memory, "canary") && !holds(&memory, "token"));
    assert!(memory[64..].starts_with(b"r\0\0\0\0"));
}

#[test]
fn the_old_access_token_is_wiped_in_the_call_that_stores_the_new_one() {
    let provider = providers::FLUTE_SANDBOX;
    let mut memory = [0; 128];
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    {
        let mut manager =
            TokenManager::new(START, &provider, Identity::CLIENT, Slots::new(&mut memory[..], 64), 0)
                .expect("a manager");
        manager
            .install(START, None, &TokenResponse::new("old-access-token").with_refresh_token("r1"))
            .expect("a token");
        manager.renew();
        let mut out = [0; 512];
        let (id, _) = manager.begin(START, &credentials, &mut out).expect("due");
        let answer = Answer { status: 200, headers: &[], body: br#"{"access_token":"new"}"#, wall: None };
        assert!(matches!(manager.answer(START, id, &answer), Ok(Outcome::Token(_))));
        std::mem::forget(manager);
    }
    assert!(memory.starts_with(b"new\0") && !holds(&memory, "old"));
    assert!(memory[64..].starts_with(b"r1\0"), "a refresh without a new refresh token keeps the old one");
}

#[test]
fn credentials_are_never_kept() {
    let provider = providers::FLUTE_SANDBOX;
    let mut memory = [0; 256];
    let credentials = Credentials { client_id: "canary", client_secret: "canary", ..Credentials::default() };
    {
        let mut manager =
            TokenManager::new(START, &provider, Identity::CLIENT, Slots::new(&mut memory[..], 64), 0)
                .expect("a manager");
        let mut out = [0; 512];
        manager.begin(START, &credentials, &mut out).expect("due");
        // The manager itself is numbers and a borrowed provider; only its slots could hold text.
        std::mem::forget(manager);
    }
    assert_eq!(memory, [0; 256]);
}

#[test]
fn comparison_and_wiping_do_what_they_say() {
    assert!(ct_eq(b"", b"") && ct_eq(b"abc", b"abc"));
    assert!(!ct_eq(b"abc", b"abd") && !ct_eq(b"abc", b"ab") && !ct_eq(b"ab", b"abc"));
    let mut buffer = *b"secret";
    wipe(&mut buffer);
    assert_eq!(buffer, [0; 6]);
}

#[test]
fn the_line_for_a_log_has_no_secret_and_is_one_line_that_256_bytes_hold() {
    for preset in providers::ALL {
        let identity = Identity {
            site: Some(CANARY),
            account: Some(CANARY),
            base_url: Some("https://canary-7f3a9c.example"),
            environment: Some("of my own\nnext=request"),
        };
        let mut slots = [0; 256];
        let mut manager =
            TokenManager::new(START, preset, identity, Slots::new(&mut slots[..], 128), 1).expect("it fits");
        let token = TokenResponse::new(CANARY).with_refresh_token(CANARY).with_expires_in(u64::MAX);
        manager.install(START, None, &token).expect("a token");
        for now in [START, Instant::from_millis(u64::MAX)] {
            let mut out = [0; 256];
            let line = manager.state_line(now, &mut out).expect("it fits");
            let line = str::from_utf8(line).expect("text");
            assert!(
                !line.contains("canary") && line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{line}"
            );
            assert!(line.contains("environment=of%20my%20own%0Anext%3Drequest usable="), "{line}");
        }
    }
}
