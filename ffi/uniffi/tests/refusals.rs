//! What the bridge refuses, and what it never shows.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenward_uniffi::{
    CoreError, CoreManager, OutcomeRecord, ProviderRecord, custom_provider, preset, snapshot_revision,
};

fn flute() -> ProviderRecord {
    preset("flute".to_owned(), Some("sandbox".to_owned()), None, None).expect("a preset")
}

fn manager() -> CoreManager {
    CoreManager::new(0, flute(), None, 64, 64, 0, true).expect("a manager")
}

fn input(code: &str) -> CoreError {
    CoreError::Input { code: code.to_owned(), needed: None }
}

const API: &str = "https://sandbox.api.flute.com/";

#[test]
fn a_word_that_is_none_of_its_choices_is_an_invalid_provider() {
    let wrong: [fn(&mut ProviderRecord); 15] = [
        |provider| provider.grants.push("implicit".to_owned()),
        |provider| provider.grants.push(String::new()),
        |provider| provider.authentication = "Basic".to_owned(),
        |provider| provider.body = "xml".to_owned(),
        |provider| provider.token_alphabet = "base64".to_owned(),
        |provider| provider.missing_lifetime = "forever".to_owned(),
        |provider| provider.missing_lifetime = "never".to_owned(),
        |provider| provider.zero_lifetime = String::new(),
        |provider| provider.exposure = "app".to_owned(),
        |provider| provider.routes[0].token = "user".to_owned(),
        |provider| provider.any_https = true,
        |provider| provider.base_url_origin = true,
        |provider| (provider.any_https, provider.base_url_origin) = (true, true),
        |provider| provider.token_path = "/{site}".to_owned(),
        |provider| provider.base_url = "https://{site}.example".to_owned(),
    ];
    let route = tokenward_uniffi::RouteRecord {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        token: "client".to_owned(),
    };
    let sound = ProviderRecord { routes: vec![route], ..flute() };
    assert!(CoreManager::new(0, sound.clone(), None, 64, 64, 0, true).is_ok());
    for (n, spoil) in wrong.into_iter().enumerate() {
        let mut provider = sound.clone();
        spoil(&mut provider);
        let refused = CoreManager::new(0, provider, None, 64, 64, 0, true).map(drop);
        assert_eq!(refused, Err(input("invalid_provider")), "{n}");
    }
}

#[test]
fn a_preset_takes_its_own_arguments_and_no_other() {
    let some = |text: &str| Some(text.to_owned());
    let url = || some("https://api.example");
    for (name, environment, base_url, issued_by) in [
        ("acme", None, None, None),
        ("", None, None, None),
        ("flute", None, None, None),
        ("flute", some("Sandbox"), None, None),
        ("flute", some("sandbox"), url(), None),
        ("flip_utility", None, url(), None),
        ("flip_utility_api_key", some("sandbox"), None, some("backend")),
        ("flip_energy_client", some("sandbox"), url(), None),
        ("flip_energy_client", None, None, None),
        ("flip_energy_site", None, url(), None),
        ("flip_energy_site", None, url(), some("me")),
        ("flume", None, None, None),
        ("opower", some("production"), url(), None),
    ] {
        let refused = preset(name.to_owned(), environment, base_url, issued_by);
        assert_eq!(refused, Err(input("invalid_provider")), "{name}");
    }
}

/// The languages' drivers pass the members of a scenario on as they stand.
#[test]
fn every_preset_that_a_scenario_uses_is_one_of_the_bridge() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../core/tests/scenarios");
    let mut used = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("scenarios") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let scenario: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        let Some(name) = scenario["provider"].as_str() else { continue };
        let member = |name: &str| scenario[name].as_str().map(str::to_owned);
        let provider =
            preset(name.to_owned(), member("environment"), member("base_url"), member("issued_by"));
        assert!(provider.is_ok(), "{}: {provider:?}", path.display());
        used.insert(name.to_owned());
    }
    assert_eq!(used.len(), 7, "{used:?}");
}

#[test]
fn credentials_for_servers_are_refused_unless_this_is_one() {
    let refused = CoreManager::new(0, flute(), None, 64, 64, 0, false).map(drop);
    assert_eq!(refused, Err(CoreError::NotAllowed { code: "server_only".to_owned(), needed: None }));
    let app = ProviderRecord { exposure: "app_allowed".to_owned(), ..custom_provider().expect("a record") };
    assert!(CoreManager::new(0, app, None, 64, 64, 0, false).is_ok());
}

#[test]
fn a_slot_has_at_most_1_mib() {
    const MIB: u32 = 1024 * 1024;
    for (access, refresh) in [(MIB + 1, 0), (0, MIB + 1), (u32::MAX, u32::MAX), (u32::MAX, 0), (0, u32::MAX)]
    {
        let refused = CoreManager::new(0, flute(), None, access, refresh, 0, true).map(drop);
        assert_eq!(refused, Err(input("invalid_argument")), "{access} {refresh}");
    }
    let roomy = CoreManager::new(0, flute(), None, MIB, MIB, 0, true).expect("a manager");
    let token = "t".repeat(MIB as usize);
    assert_eq!(roomy.install(0, token.clone(), None, Some(3600), Some(token.clone())), Ok(1));
    assert_eq!(roomy.authorize(0, "GET".to_owned(), API.to_owned()), Ok(format!("1 Bearer {token}")));
    let none = CoreManager::new(0, flute(), None, 0, 0, 0, true).expect("a manager");
    let too_long = CoreError::Capacity { code: "too_long".to_owned(), needed: Some(1) };
    assert_eq!(none.install(0, "t".to_owned(), None, Some(3600), None), Err(too_long));
}

#[test]
fn an_argument_out_of_range_changes_nothing() {
    let manager = manager();
    let id = manager
        .begin(0, Some("id".to_owned()), Some("secret".to_owned()), None, None, None)
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
    for key in [Vec::new(), vec![0; 31], vec![0; 33]] {
        assert_eq!(manager.snapshot(0, None, true, key.clone()), Err(input("invalid_argument")));
        assert_eq!(manager.restore(0, None, 0, key.clone(), Vec::new()), Err(input("invalid_argument")));
        assert_eq!(snapshot_revision(key, Vec::new()), Err(input("invalid_argument")));
    }
    assert_eq!(manager.restore(0, None, 0, vec![0; 32], vec![0; 200]), Err(input("invalid_snapshot")));
    assert!(manager.authorize(0, "GET".to_owned(), API.to_owned()).is_ok());
}

#[test]
fn every_method_answers_after_a_sign_out() {
    let manager = manager();
    manager.install(0, "token".to_owned(), None, Some(3600), Some("refresh".to_owned())).expect("a token");
    let before = manager.snapshot(0, Some(1), true, vec![1; 32]).expect("a snapshot");
    manager.clear().expect("cleared");

    let after = manager.snapshot(1, Some(1), true, vec![1; 32]).expect("a snapshot");
    assert!(!after.windows(5).any(|window| window == b"token") && after.len() < before.len());
    assert!(!manager.poll(1).expect("poll").usable);
    let unusable = CoreError::State { code: "not_usable".to_owned(), needed: None };
    assert_eq!(manager.authorize(1, "GET".to_owned(), API.to_owned()), Err(unusable));
    let stale = CoreError::State { code: "stale_request".to_owned(), needed: None };
    assert_eq!(manager.failed(1, 1), Err(stale.clone()));
    assert_eq!(manager.answer(1, 1, 200, Vec::new(), Vec::new(), None).err(), Some(stale));
    assert!(manager.rejected(1, 1, 401, Some("Bearer".to_owned())).is_ok());
    assert_eq!(manager.generation(), Ok(1));
    assert!(manager.unpersisted(true).expect("asked").is_some());
    assert!(manager.unpersisted(false).expect("asked").is_some());
    let revision = manager.revision().expect("a revision");
    manager.persisted(true, revision).expect("persisted");
    for method in [CoreManager::reloaded, CoreManager::retry, CoreManager::renew, CoreManager::clear] {
        assert_eq!(method(&manager), Ok(()));
    }
    assert!(manager.restore(1, Some(1), 0, vec![1; 32], before).is_err(), "older than what was persisted");
    let request = manager.begin(1, Some("id".to_owned()), Some("secret".to_owned()), None, None, None);
    let id = request.and_then(|request| request.id()).expect("a request");
    let body = br#"{"access_token":"next","expires_in":3600}"#.to_vec();
    assert!(matches!(
        manager.answer(2, id, 200, Vec::new(), body, None),
        Ok(OutcomeRecord::Token { generation: 2 })
    ));
    assert_eq!(manager.install(3, "another".to_owned(), None, Some(3600), None), Ok(3));
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
    manager.install(0, canary(), None, Some(3600), Some(canary())).expect("a token");
    for text in
        [format!("{:?}", manager.poll(0)), format!("{:?}", manager.rejected(0, 1, 401, Some(canary())))]
    {
        assert!(!text.contains("canary"), "{text}");
    }
    let long = "canary".repeat(20);
    let refusals = [
        manager.install(0, long.clone(), None, None, None).err(),
        manager.install(0, canary() + " ", None, None, None).err(),
        manager.install(0, canary(), Some(canary()), None, None).err(),
        manager.install_json(0, None, canary().into()).err(),
        manager.install_json(0, None, format!(r#"{{"access_token":"{long}"}}"#).into()).err(),
        manager.authorize(0, canary(), canary()).err(),
        manager.authorize(0, canary(), format!("https://{}.example/", canary())).err(),
        manager.begin(0, Some(canary()), Some(canary()), None, None, Some(canary())).map(drop).err(),
        manager.answer(0, 1, 200, vec![canary(), canary()], canary().into(), None).err(),
        manager.restore(0, None, 0, canary().into(), canary().into()).err(),
        manager.restore(0, None, 0, vec![0; 32], canary().into()).err(),
        preset(canary(), None, None, None).err(),
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
                    if let Ok(request) = manager.begin(now, id, secret, None, None, None) {
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
                    manager.snapshot(now, None, true, vec![2; 32]).expect("a snapshot");
                }
            });
        }
    });
    assert_eq!(begun.load(Ordering::Relaxed), 1);
}
