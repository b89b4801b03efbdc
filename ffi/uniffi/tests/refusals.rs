//! What the bridge refuses, and what it never shows.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenward_uniffi::{
    CoreError, CoreManager, Exposure, OutcomeRecord, TokenErrorCode, TokenExpiresAt, TokenGrant,
    TokenIdentity, TokenMember, TokenPreset, TokenProvider, TokenRoute, custom_provider, preset_provider,
};

fn flute() -> TokenProvider {
    preset_provider(TokenPreset::FluteSandbox)
}

fn made(provider: TokenProvider, access: u32, refresh: u32) -> Result<CoreManager, CoreError> {
    CoreManager::new(0, provider, TokenIdentity::default(), access, refresh, 0, true, None)
}

fn manager() -> CoreManager {
    made(flute(), 64, 64).expect("a manager")
}

fn input(code: &str) -> CoreError {
    CoreError::Input { code: code.to_owned(), needed: None, fact: None }
}

fn fault(fact: &str) -> CoreError {
    CoreError::Input { code: "invalid_provider".to_owned(), needed: None, fact: Some(fact.to_owned()) }
}

const API: &str = "https://sandbox.api.flute.com/";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_description_that_cannot_work_is_refused_with_the_name_of_the_fact() {
    let route = |path: &str| TokenRoute { method: "GET".to_owned(), path: path.to_owned(), of_site: false };
    let sound = TokenProvider { routes: Some(vec![route("/")]), ..flute() };
    assert!(made(sound.clone(), 64, 64).is_ok());
    let code = |service: &str, standard: &str| {
        Some(vec![TokenErrorCode { service: service.to_owned(), standard: standard.to_owned() }])
    };
    let ends = |name: &str| Some(TokenExpiresAt { member: name.to_owned(), milliseconds: false });
    let member = |standard: &str, service: &str| {
        Some(vec![TokenMember { standard: standard.to_owned(), service: service.to_owned() }])
    };
    for (fact, provider) in [
        ("name", TokenProvider { name: String::new(), ..sound.clone() }),
        ("environment", TokenProvider { environment: some("a b"), ..sound.clone() }),
        ("base_url", TokenProvider { base_url: some("login.example"), ..sound.clone() }),
        ("token_path", TokenProvider { token_path: some("token"), ..sound.clone() }),
        ("api_origins", TokenProvider { api_origins: Some(vec!["a.example".to_owned()]), ..sound.clone() }),
        ("any_https_origin", TokenProvider { any_https_origin: true, ..sound.clone() }),
        ("scope", TokenProvider { scope: some("a\"b"), ..sound.clone() }),
        ("error_codes", TokenProvider { error_codes: code("own", "moonlight"), ..sound.clone() }),
        (
            "token_type_aliases",
            TokenProvider { token_type_aliases: Some(vec!["a\nb".to_owned()]), ..sound.clone() },
        ),
        ("authorization_url", TokenProvider { authorization_url: some("/authorize"), ..sound.clone() }),
        ("device_path", TokenProvider { device_path: some("device"), ..sound.clone() }),
        ("revocation_path", TokenProvider { revocation_path: some("revoke"), ..sound.clone() }),
        ("issuer", TokenProvider { issuer: some("base.example"), ..sound.clone() }),
        ("authentication", TokenProvider { authentication: None, ..sound.clone() }),
        ("primary_grant", TokenProvider { primary_grant: Some(TokenGrant::RefreshToken), ..sound.clone() }),
        ("member_path", TokenProvider { member_path: some("a..b"), ..sound.clone() }),
        ("error_path", TokenProvider { error_path: some("a["), ..sound.clone() }),
        ("members", TokenProvider { members: member("token", "key"), ..sound.clone() }),
        ("expires_at", TokenProvider { expires_at: ends("scope"), ..sound.clone() }),
        (
            "refresh_expires_in",
            TokenProvider { refresh_expires_in: Some(vec!["scope".to_owned()]), ..sound.clone() },
        ),
        ("routes", TokenProvider { routes: Some(Vec::new()), ..sound.clone() }),
        ("routes", TokenProvider { routes: Some(vec![route("v1")]), ..sound.clone() }),
        // The path wants a site, and the identity has none.
        ("site", TokenProvider { token_path: some("/{site}"), ..sound.clone() }),
    ] {
        assert_eq!(made(provider, 64, 64).map(drop), Err(fault(fact)), "{fact}");
    }
}

#[test]
fn what_is_given_at_run_time_is_checked_as_the_description_is() {
    let identity = TokenIdentity::default;
    for (fact, identity) in [
        ("base_url", TokenIdentity { base_url: some("sandbox.example"), ..identity() }),
        ("environment", TokenIdentity { environment: some("a\nb"), ..identity() }),
        ("site", TokenIdentity { site: some(""), ..identity() }),
        ("site", TokenIdentity { site: some(".."), ..identity() }),
    ] {
        let refused = CoreManager::new(0, flute(), identity, 64, 64, 0, true, None).map(drop);
        assert_eq!(refused, Err(fault(fact)));
    }
}

#[test]
fn a_custom_providers_token_goes_to_the_origin_of_its_base_url_alone_unless_that_is_said() {
    let provider =
        TokenProvider { base_url: some("https://a.example/path"), ..custom_provider("acme".to_owned()) };
    let everywhere = TokenProvider { any_https_origin: true, ..provider.clone() };
    for (provider, elsewhere) in [(provider, false), (everywhere, true)] {
        let manager = made(provider, 64, 64).expect("a manager");
        manager.install(0, None, "token".to_owned(), None, Some(3600), None, None).expect("a token");
        let may = |url: &str| manager.authorize(0, "GET".to_owned(), url.to_owned()).is_ok();
        assert!(may("https://a.example/v1"));
        assert_eq!(may("https://b.example/v1"), elsewhere);
        assert!(!may("http://a.example/v1"));
    }
}

#[test]
fn credentials_for_servers_are_refused_unless_this_is_one() {
    let identity = TokenIdentity::default;
    let refused = CoreManager::new(0, flute(), identity(), 64, 64, 0, false, None).map(drop);
    assert_eq!(refused, Err(CoreError::NotAllowed { code: "server_only".to_owned(), needed: None }));
    let app = TokenProvider { exposure: Exposure::AppAllowed, ..custom_provider("acme".to_owned()) };
    assert!(CoreManager::new(0, app, identity(), 64, 64, 0, false, None).is_ok());
}

#[test]
fn a_slot_has_at_most_1_mib() {
    const MIB: u32 = 1024 * 1024;
    for (access, refresh) in [(MIB + 1, 0), (0, MIB + 1), (u32::MAX, u32::MAX), (u32::MAX, 0), (0, u32::MAX)]
    {
        let refused = made(flute(), access, refresh).map(drop);
        assert_eq!(refused, Err(input("invalid_argument")), "{access} {refresh}");
    }
    let roomy = made(flute(), MIB, MIB).expect("a manager");
    let token = "t".repeat(MIB as usize);
    assert_eq!(roomy.install(0, None, token.clone(), None, Some(3600), Some(token.clone()), None), Ok(1));
    assert_eq!(roomy.authorize(0, "GET".to_owned(), API.to_owned()), Ok(format!("1 Bearer {token}")));
    let none = made(flute(), 0, 0).expect("a manager");
    let too_long = CoreError::Capacity { code: "too_long".to_owned(), needed: Some(1) };
    assert_eq!(none.install(0, None, "t".to_owned(), None, Some(3600), None, None), Err(too_long));
}

#[test]
fn an_argument_out_of_range_changes_nothing() {
    let manager = manager();
    let id = manager
        .begin(
            0,
            Some("id".to_owned()),
            Some("secret".to_owned()),
            None,
            None,
            None,
            None,
            Vec::new(),
            Vec::new(),
        )
        .and_then(|request| request.id())
        .expect("a request");
    let body = || br#"{"access_token":"token","expires_in":3600}"#.to_vec();
    let odd = vec!["Retry-After".to_owned()];
    let refused = |answer: Result<OutcomeRecord, CoreError>| answer.err() == Some(input("invalid_argument"));
    assert!(refused(manager.answer(0, id, 65_536, Vec::new(), body(), None)));
    assert!(refused(manager.answer(0, id, u32::MAX, Vec::new(), body(), None)));
    assert!(refused(manager.answer(0, id, 200, odd, body(), None)));
    assert!(manager.answer(0, id, 200, Vec::new(), body(), None).is_ok());
    assert_eq!(manager.rejected(0, 1, 65_536, None), Err(input("invalid_argument")));
    for key in [Vec::new(), vec![7; 31], vec![7; 33], vec![0; 32]] {
        assert_eq!(manager.snapshot(0, None, 1, key.clone()), Err(input("invalid_argument")));
        assert_eq!(manager.loaded(0, None, 1, key, Vec::new()), Err(input("invalid_argument")));
    }
    assert!(manager.authorize(0, "GET".to_owned(), API.to_owned()).is_ok());
}

#[test]
fn every_method_answers_after_a_sign_out() {
    let manager = manager();
    manager
        .install(0, None, "token".to_owned(), None, Some(3600), Some("refresh".to_owned()), None)
        .expect("a token");
    manager.clear().expect("cleared");
    assert!(!manager.poll(1).expect("poll").usable);
    let unusable = CoreError::State { code: "not_usable".to_owned(), needed: None };
    assert_eq!(manager.authorize(1, "GET".to_owned(), API.to_owned()), Err(unusable));
    let stale = CoreError::State { code: "stale_request".to_owned(), needed: None };
    assert_eq!(manager.failed(1, 1), Err(stale.clone()));
    assert_eq!(manager.answer(1, 1, 200, Vec::new(), Vec::new(), None).err(), Some(stale));
    assert!(manager.rejected(1, 1, 401, Some("Bearer".to_owned())).is_ok());
    assert_eq!(manager.generation(), Ok(1));
    assert_eq!(manager.revision(), Ok(0), "without storage");
    for method in [CoreManager::reload, CoreManager::retry, CoreManager::renew, CoreManager::clear] {
        assert_eq!(method(&manager), Ok(()));
    }
    let request = manager.begin(
        1,
        Some("id".to_owned()),
        Some("secret".to_owned()),
        None,
        None,
        None,
        None,
        Vec::new(),
        Vec::new(),
    );
    let id = request.and_then(|request| request.id()).expect("a request");
    let body = br#"{"access_token":"next","expires_in":3600}"#.to_vec();
    assert!(matches!(
        manager.answer(2, id, 200, Vec::new(), body, None),
        Ok(OutcomeRecord::Token { generation: 2 })
    ));
    assert_eq!(manager.install(3, None, "another".to_owned(), None, Some(3600), None, None), Ok(3));
    assert_eq!(manager.install_json(3, None, br#"{"access_token":"more"}"#.to_vec()), Ok(4));
}

#[track_caller]
fn shows_no_secret(value: impl Debug + Display) {
    for text in [format!("{value:?}"), format!("{value:#?}"), value.to_string()] {
        assert!(!text.contains("canary") && !text.contains("99, 97, 110"), "{text}");
    }
}

#[test]
fn nothing_that_can_be_printed_shows_a_token() {
    let canary = || "canary-7f3a9c".to_owned();
    let manager = manager();
    manager.install(0, None, canary(), None, Some(3600), Some(canary()), None).expect("a token");
    for text in
        [format!("{:?}", manager.poll(0)), format!("{:?}", manager.rejected(0, 1, 401, Some(canary())))]
    {
        assert!(!text.contains("canary"), "{text}");
    }
    let long = "canary".repeat(20);
    let refusals = [
        manager.install(0, None, long.clone(), None, None, None, None).err(),
        manager.install(0, None, canary() + " ", None, None, None, None).err(),
        manager.install(0, None, canary(), Some(canary()), None, None, None).err(),
        manager.install_json(0, None, canary().into()).err(),
        manager.install_json(0, None, format!(r#"{{"access_token":"{long}"}}"#).into()).err(),
        manager.authorize(0, canary(), canary()).err(),
        manager.authorize(0, canary(), format!("https://{}.example/", canary())).err(),
        manager
            .begin(
                0,
                Some(canary()),
                Some(canary()),
                None,
                None,
                Some(canary()),
                None,
                vec![canary(), canary()],
                Vec::new(),
            )
            .map(drop)
            .err(),
        manager.answer(0, 1, 200, vec![canary(), canary()], canary().into(), None).err(),
        manager.loaded(0, None, 1, canary().into(), vec![Some(canary().into())]).err(),
        manager.loaded(0, None, 1, vec![7; 32], vec![Some(canary().into())]).err(),
        made(custom_provider(canary() + " "), 64, 64).map(drop).err(),
        tokenward_uniffi::error_sentence(canary()).err(),
    ];
    for refused in refusals {
        shows_no_secret(refused.expect("a refusal"));
    }
}

#[test]
fn many_threads_at_once_make_one_request_and_see_whole_tokens() {
    let manager = manager();
    let begun = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (manager, begun) = (&manager, &begun);
            scope.spawn(move || {
                for round in 0..200 {
                    let now = thread + round;
                    let credentials = || (Some("id".to_owned()), Some("secret".to_owned()));
                    let (id, secret) = credentials();
                    if let Ok(request) =
                        manager.begin(now, id, secret, None, None, None, None, Vec::new(), Vec::new())
                    {
                        begun.fetch_add(1, Ordering::Relaxed);
                        let body = format!(
                            r#"{{"access_token":"{}","expires_in":3600}}"#,
                            format!("{thread:02}").repeat(20)
                        );
                        let id = request.id().expect("an id");
                        manager
                            .answer(now, id, 200, Vec::new(), body.into(), None)
                            .map(drop)
                            .expect("a token");
                    }
                    if let Ok(line) = manager.authorize(now, "GET".to_owned(), API.to_owned()) {
                        let token = line.strip_prefix("1 Bearer ").expect("the first generation");
                        assert_eq!(token, token[..2].repeat(20));
                    }
                    manager.poll(now).expect("poll");
                }
            });
        }
    });
    assert_eq!(begun.load(Ordering::Relaxed), 1);
}
