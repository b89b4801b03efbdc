//! A token's life over the bridge, for each provider.

use tokenward_uniffi::{
    CoreError, CoreManager, CoreRequest, FoundRecord, OptionsRecord, OutcomeRecord, RefreshPolicy,
    RetryRecord, SourceRecord, StorageRecord, TokenGrant, TokenIdentity, TokenNext, TokenPreset, TokenReason,
    default_policy, preset_provider,
};

const KEY: [u8; 32] = [7; 32];

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Where a preset without a base URL of its own is asked.
const BASE_URL: &str = "https://api.example";

fn based(site: Option<&str>) -> TokenIdentity {
    TokenIdentity { site: site.map(str::to_owned), base_url: text(BASE_URL), ..TokenIdentity::default() }
}

fn manager(preset: TokenPreset, identity: TokenIdentity) -> CoreManager {
    with_options(preset, identity, None)
}

fn with_options(preset: TokenPreset, identity: TokenIdentity, options: Option<OptionsRecord>) -> CoreManager {
    let mut provider = preset_provider(preset);
    provider.policy = Some(RefreshPolicy { jitter_permille: 0, ..default_policy() });
    CoreManager::new(0, provider, identity, 2048, 2048, 0, true, options).expect("a manager")
}

/// With storage of its own, which accepts nothing below `floor`.
fn kept(preset: TokenPreset, identity: TokenIdentity, floor: u64) -> CoreManager {
    let storage = StorageRecord { shared: false, all: true, slots: 1, floor, prove_room: false };
    let options = OptionsRecord { storage: Some(storage), source: SourceRecord::None };
    with_options(preset, identity, Some(options))
}

/// Answers the load that is due.
fn load(manager: &CoreManager, wall: u64, slots: &[Option<Vec<u8>>]) -> Result<FoundRecord, CoreError> {
    match manager.poll(1).expect("poll").next {
        TokenNext::Load { id } => manager.loaded(1, Some(wall), id, KEY.to_vec(), slots.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// Does the store that is due.
fn store(manager: &CoreManager, now: u64, wall: u64) -> Vec<u8> {
    let TokenNext::Store { id, slot: 0 } = manager.poll(now).expect("poll").next else { panic!("no store") };
    let snapshot = manager.snapshot(now, Some(wall), id, KEY.to_vec()).expect("a snapshot");
    manager.stored(now, id).expect("the store");
    snapshot
}

fn begin(manager: &CoreManager, now: u64) -> Result<std::sync::Arc<CoreRequest>, CoreError> {
    manager.begin(
        now,
        text("id"),
        text("secret"),
        text("user"),
        text("password"),
        text("parent-token"),
        None,
        Vec::new(),
        Vec::new(),
    )
}

fn answer(manager: &CoreManager, now: u64, id: u64, body: &str) -> Result<OutcomeRecord, CoreError> {
    let headers = vec!["Content-Type".to_owned(), "application/json".to_owned()];
    manager.answer(now, id, 200, headers, body.as_bytes().to_vec(), None)
}

/// The id and the reason of the supply that is due.
fn supply(manager: &CoreManager, now: u64) -> (u64, TokenReason) {
    match manager.poll(now).expect("poll").next {
        TokenNext::Supply { id, reason } => (id, reason),
        other => panic!("{other:?}"),
    }
}

fn code(error: CoreError) -> String {
    error.to_string()
}

#[derive(Clone, Copy)]
struct Obtained {
    grant: TokenGrant,
    url: &'static str,
    authorization: Option<&'static str>,
    body: Option<&'static str>,
    answer: &'static str,
    /// Where the token may go, and where not.
    api: &'static str,
    elsewhere: &'static str,
    refreshes: bool,
}

/// From nothing to a token, a refusal, a new token, a restart, and out.
fn lives(preset: TokenPreset, identity: TokenIdentity, expected: Obtained) {
    let device = kept(preset, identity.clone(), 0);
    assert_eq!(load(&device, 1_000, &[None]), Ok(FoundRecord::Empty));
    let poll = device.poll(0).expect("poll");
    assert_eq!(poll.next, TokenNext::Request { grant: expected.grant });
    assert!(!poll.usable);

    assert_eq!(device.token_url().as_deref(), Ok(expected.url));
    let request = begin(&device, 0).expect("a request");
    assert_eq!(request.method().expect("a method"), "POST");
    assert_eq!(request.url().expect("a URL"), expected.url);
    let headers = request.headers().expect("headers");
    let authorization =
        headers.chunks(2).find(|field| field[0] == "Authorization").map(|field| field[1].as_str());
    assert_eq!(authorization, expected.authorization);
    let body = request.body().expect("a body").map(|body| String::from_utf8(body).expect("text"));
    assert_eq!(body.as_deref(), expected.body);
    let id = request.id().expect("an id");
    assert_eq!(device.poll(1).expect("poll").next, TokenNext::AwaitAnswer { request_id: id });
    assert_eq!(begin(&device, 1).map(drop).map_err(code), Err("request_in_flight".to_owned()));

    assert!(answer(&device, 100, id, expected.answer) == Ok(OutcomeRecord::Token { generation: 1 }));
    assert_eq!(
        answer(&device, 100, id, expected.answer).map(drop).map_err(code),
        Err("stale_request".to_owned())
    );
    // Answer, store, use.
    let early = device.authorize(200, "GET".to_owned(), expected.api.to_owned());
    assert_eq!(early.map_err(code), Err("not_usable".to_owned()));
    let snapshot = store(&device, 200, 1_000);
    let line = device.authorize(200, "GET".to_owned(), expected.api.to_owned());
    assert_eq!(line, Ok("1 Bearer first-token".to_owned()));
    let astray = device.authorize(200, "GET".to_owned(), expected.elsewhere.to_owned());
    assert_eq!(astray.map_err(code), Err("origin_not_allowed".to_owned()));

    // It is taken up again after a restart, unless it is older than the floor.
    let revision = device.revision().expect("a revision");
    let above = kept(preset, identity.clone(), revision + 1);
    assert_eq!(
        load(&above, 1_001, &[Some(snapshot.clone())]).map_err(code),
        Err("stale_snapshot".to_owned())
    );
    let restarted = kept(preset, identity, revision);
    assert_eq!(load(&restarted, 1_001, &[Some(snapshot)]), Ok(FoundRecord::Taken));
    let line = restarted.authorize(1, "GET".to_owned(), expected.api.to_owned());
    assert_eq!(line, Ok("1 Bearer first-token".to_owned()));

    // A token that is older than its trust is refused.
    let later = 600_000;
    assert_eq!(restarted.rejected(later, 1, 401, None), Ok(RetryRecord::AfterRefresh));
    let grant = if expected.refreshes { TokenGrant::RefreshToken } else { expected.grant };
    assert_eq!(restarted.poll(later).expect("poll").next, TokenNext::Request { grant });
    let id = begin(&restarted, later).expect("a request").id().expect("an id");
    let second = expected.answer.replace("first", "second");
    assert!(answer(&restarted, later, id, &second) == Ok(OutcomeRecord::Token { generation: 2 }));
    assert_eq!(restarted.rejected(later, 1, 401, None), Ok(RetryRecord::AfterRefresh), "not stored yet");
    store(&restarted, later, 1_601);
    assert_eq!(restarted.rejected(later, 1, 401, None), Ok(RetryRecord::Now));

    // Signed out.
    restarted.clear().expect("cleared");
    let gone = restarted.authorize(later, "GET".to_owned(), expected.api.to_owned());
    assert_eq!(gone.map_err(code), Err("not_usable".to_owned()));
}

#[test]
fn flip_utility_by_client_credentials() {
    lives(
        TokenPreset::FlipUtilitySandbox,
        TokenIdentity::default(),
        Obtained {
            grant: TokenGrant::ClientCredentials,
            url: "https://oauth.flip.energy/token",
            authorization: None,
            body: Some("grant_type=client_credentials&client_id=id&client_secret=secret"),
            answer: r#"{"access_token":"first-token","token_type":"Bearer","expires_in":3600}"#,
            api: "https://api-utility-sandbox.flip.energy/v1/programs",
            elsewhere: "https://api-utility.flip.energy/v1/programs",
            refreshes: false,
        },
    );
}

#[test]
fn flip_energy_by_a_site_token() {
    lives(
        TokenPreset::FlipEnergySite,
        based(Some("site 1")),
        Obtained {
            grant: TokenGrant::SiteToken,
            url: "https://api.example/v1/auth/site/site%201",
            authorization: Some("Bearer parent-token"),
            body: None,
            answer: r#"{"access_token":"first-token","token_type":"Bearer"}"#,
            api: "https://api.example/v1/site/site%201",
            elsewhere: "https://other.example/v1/site/site%201",
            refreshes: false,
        },
    );
}

#[test]
fn flume_by_password_in_an_envelope() {
    lives(
        TokenPreset::Flume,
        based(None),
        Obtained {
            grant: TokenGrant::Password,
            url: "https://api.example/oauth/token",
            authorization: None,
            body: Some(
                r#"{"grant_type":"password","username":"user","password":"password","client_id":"id","client_secret":"secret"}"#,
            ),
            answer: r#"{"data":[{"access_token":"first-token","token_type":"bearer","expires_in":604800,"refresh_token":"first-refresh"}]}"#,
            api: "https://api.example/me",
            elsewhere: "http://api.example/me",
            refreshes: true,
        },
    );
}

#[test]
fn opower_by_basic_authentication() {
    lives(
        TokenPreset::Opower,
        based(None),
        Obtained {
            grant: TokenGrant::ClientCredentials,
            url: "https://api.example/apis/authorization-v1/oauth2/token",
            authorization: Some("Basic aWQ6c2VjcmV0"),
            body: Some("grant_type=client_credentials"),
            answer: r#"{"access_token":"first-token","token_type":"Bearer"}"#,
            api: "https://api.example/edge/apis/dsm-graphql-v1",
            elsewhere: "https://api.example:8443/edge",
            refreshes: false,
        },
    );
}

#[test]
fn flute_by_basic_authentication_and_refresh() {
    lives(
        TokenPreset::FluteProduction,
        TokenIdentity::default(),
        Obtained {
            grant: TokenGrant::ClientCredentials,
            url: "https://oauth.api.flute.com/oauth2/token",
            authorization: Some("Basic aWQ6c2VjcmV0"),
            body: Some("grant_type=client_credentials&scope=offline_access"),
            answer: r#"{"access_token":"first-token","token_type":"bearer","expires_in":3600,"refresh_token":"first-refresh"}"#,
            api: "https://api.flute.com/v1/sites",
            elsewhere: "https://sandbox.api.flute.com/v1/sites",
            refreshes: true,
        },
    );
}

#[test]
fn static_tokens_are_installed_and_a_refusal_revokes_them() {
    for (preset, identity, api) in [
        (
            TokenPreset::FlipUtilityApiKeyProduction,
            TokenIdentity::default(),
            "https://api-utility.flip.energy/v1/programs",
        ),
        (TokenPreset::FlipEnergyClient, based(None), "https://api.example/v1/sites"),
    ] {
        let manager = manager(preset, identity);
        assert_eq!(supply(&manager, 0).1, TokenReason::NoToken);
        assert_eq!(manager.install(0, None, "fl_key".to_owned(), None, None, None, None), Ok(1));
        let poll = manager.poll(u64::MAX).expect("poll");
        assert_eq!((poll.next, poll.usable, poll.poll_at), (TokenNext::Nothing, true, None));
        let line = manager.authorize(1, "GET".to_owned(), api.to_owned());
        assert_eq!(line, Ok("1 Bearer fl_key".to_owned()));
        let refused = manager.rejected(1, 1, 401, None);
        assert_eq!(
            refused,
            Ok(RetryRecord::Surface { reason: TokenReason::Revoked, retry_at: Some(300_001) })
        );
    }
}

#[test]
fn a_backend_passes_on_a_token_in_json() {
    let manager = manager(TokenPreset::FlipEnergySiteByBackend, based(Some("1")));
    assert_eq!(supply(&manager, 0).1, TokenReason::NoToken);
    let token = br#"{"access_token":"site-token","token_type":"Bearer","expires_in":60}"#;
    assert_eq!(manager.install_json(0, None, token.to_vec()), Ok(1));
    let line = manager.authorize(0, "GET".to_owned(), "https://api.example/v1/site/1".to_owned());
    assert_eq!(line, Ok("1 Bearer site-token".to_owned()));
    let other = manager.authorize(0, "GET".to_owned(), "https://api.example/v1/site/2".to_owned());
    assert_eq!(other.map_err(code), Err("other_site".to_owned()));
    assert!(!manager.poll(60_000).expect("poll").usable);
}

#[test]
fn an_installed_object_is_read_at_its_top_and_a_refused_one_changes_nothing() {
    let manager = manager(TokenPreset::Flume, based(None));
    let token = br#"{"access_token":"flat","expires_in":60}"#;
    assert_eq!(manager.install_json(0, None, token.to_vec()), Ok(1));
    for (refused, expected) in [
        ("<html>", "not_json"),
        (r#"{"error":"access_denied"}"#, "invalid_access_token"),
        (r#"{"data":[{"access_token":"nested"}]}"#, "invalid_access_token"),
        (r#"{"access_token":"late","expires_in":0}"#, "already_expired"),
    ] {
        assert_eq!(manager.install_json(1, None, refused.into()).map_err(code), Err(expected.to_owned()));
    }
    assert_eq!(manager.generation(), Ok(1));
}

#[test]
fn an_installed_jwt_without_expires_in_ends_when_it_says() {
    // {"exp":1000100}
    let jwt = br#"{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAxMDB9.c2ln"}"#;
    let installed = |wall| {
        let manager = manager(TokenPreset::Flume, based(None));
        manager.install_json(0, wall, jwt.to_vec()).map(|_| manager).map_err(code)
    };
    let usable = |manager: &CoreManager, now| manager.poll(now).expect("poll").usable;
    let timed = installed(Some(1_000_000)).expect("a token");
    assert!(usable(&timed, 89_999) && !usable(&timed, 90_000), "100 seconds less a margin of ten");
    let without_clock = installed(None).expect("a token");
    assert!(usable(&without_clock, 3_589_999), "an hour, as where the answer has no wall clock");
    assert_eq!(installed(Some(1_000_200)).map(drop), Err("already_expired".to_owned()));
}

#[test]
fn an_error_response_is_told_in_the_servers_words() {
    let manager = manager(TokenPreset::FlipUtilitySandbox, TokenIdentity::default());
    let id = begin(&manager, 0).expect("a request").id().expect("an id");
    let body = r#"{"error":"invalid_client","error_description":"no such client"}"#;
    let outcome = manager.answer(1, id, 401, Vec::new(), body.into(), None).expect("an answer");
    let expected = OutcomeRecord::Error {
        code: "invalid_client".to_owned(),
        description: text("no such client"),
        uri: None,
    };
    assert!(outcome == expected);
    assert_eq!(supply(&manager, 2).1, TokenReason::InvalidClient);
    manager.retry().expect("retry");
    assert!(matches!(manager.poll(1_001).expect("poll").next, TokenNext::Request { .. }));
}

#[test]
fn a_failure_backs_off_and_retry_after_is_read_from_the_headers() {
    let manager = manager(TokenPreset::FlipUtilitySandbox, TokenIdentity::default());
    let id = begin(&manager, 0).expect("a request").id().expect("an id");
    let headers = vec!["retry-after".to_owned(), "120".to_owned()];
    assert!(manager.answer(0, id, 503, headers, Vec::new(), None).is_err());
    let poll = manager.poll(0).expect("poll");
    assert_eq!((poll.next, poll.poll_at), (TokenNext::Wait, Some(120_000)));
    let id = begin(&manager, 120_000).expect("a request").id().expect("an id");
    manager.failed(120_000, id).expect("out");
    assert_eq!(manager.failed(120_000, id).map_err(code), Err("stale_request".to_owned()));
    assert_eq!(manager.poll(120_000).expect("poll").next, TokenNext::Wait);
}

#[test]
fn a_shared_refresh_is_announced_before_it_is_sent_and_a_refused_one_reads_again() {
    let storage = StorageRecord { shared: true, all: true, slots: 1, floor: 0, prove_room: false };
    let options = OptionsRecord { storage: Some(storage), source: SourceRecord::None };
    let manager = with_options(TokenPreset::FluteSandbox, TokenIdentity::default(), Some(options));
    manager.install(0, None, "a".to_owned(), text("Bearer"), Some(3600), text("r"), None).expect("a token");
    assert_eq!(load(&manager, 1_000, &[None]), Ok(FoundRecord::Kept));
    let stored = store(&manager, 1, 1_000);
    manager.renew().expect("renewed");
    assert_eq!(load(&manager, 1_000, &[Some(stored)]), Ok(FoundRecord::Known));
    assert_eq!(begin(&manager, 1).map(drop).map_err(code), Err("not_due".to_owned()));
    store(&manager, 1, 1_000);
    let id = begin(&manager, 1).expect("a request").id().expect("an id");
    let refused = manager.answer(2, id, 400, Vec::new(), br#"{"error":"invalid_grant"}"#.to_vec(), None);
    assert!(matches!(refused, Ok(OutcomeRecord::Error { .. })));
    assert!(matches!(manager.poll(2).expect("poll").next, TokenNext::Load { .. }));
}

#[test]
fn two_accounts_at_one_service_do_not_take_each_others_state() {
    let of = |account| TokenIdentity { account: text(account), ..TokenIdentity::default() };
    let ours = kept(TokenPreset::FluteSandbox, of("ours"), 0);
    ours.install(0, None, "a".to_owned(), None, Some(3600), None, None).expect("a token");
    assert_eq!(load(&ours, 1_000, &[None]), Ok(FoundRecord::Kept));
    let snapshot = store(&ours, 1, 1_000);
    let foreign = Err("foreign_snapshot".to_owned());
    for (account, expected) in [("theirs", foreign), ("ours", Ok(FoundRecord::Taken))] {
        let manager = kept(TokenPreset::FluteSandbox, of(account), 0);
        assert_eq!(load(&manager, 1_000, &[Some(snapshot.clone())]).map_err(code), expected);
    }
}

fn stored(options: OptionsRecord) -> CoreManager {
    let provider = preset_provider(TokenPreset::FlipUtilityApiKeySandbox);
    CoreManager::new(0, provider, TokenIdentity::default(), 64, 0, 0, true, Some(options)).expect("a manager")
}

fn storage(shared: bool) -> OptionsRecord {
    let storage = StorageRecord { shared, all: true, slots: 2, floor: 0, prove_room: false };
    OptionsRecord { storage: Some(storage), source: SourceRecord::Program }
}

#[test]
fn what_one_manager_stores_another_takes() {
    let wall = Some(1_700_000_000);
    let (first, second) = (stored(storage(true)), stored(storage(true)));
    let load = |manager: &CoreManager, slots: &[Option<Vec<u8>>]| load(manager, 1_700_000_000, slots);
    let empty = [None, None];
    assert_eq!(load(&first, &empty), Ok(FoundRecord::Empty));
    let (id, reason) = supply(&first, 1);
    assert_eq!(reason, TokenReason::NoToken);
    first.took(1, id).expect("the supply");
    assert_eq!(first.poll(1).expect("poll").next, TokenNext::AwaitAnswer { request_id: id });
    first.supply_failed(1, id, true).expect("the supply");
    first.retry().expect("retry");
    let (again, _) = supply(&first, 1);
    let brought = |id| first.supplied(1, wall, id, "fl_key".to_owned(), None, None, None, None).map_err(code);
    assert_eq!(brought(id), Err("stale_request".to_owned()));
    assert_eq!(
        first.supplied_json(1, wall, id, b"moonlight".to_vec()).map_err(code),
        Err("stale_request".to_owned())
    );
    assert_eq!(
        first.supplied_json(1, wall, again, b"moonlight".to_vec()).map_err(code),
        Err("not_json".to_owned())
    );
    assert_eq!(brought(again), Ok(1));

    assert_eq!(load(&first, &empty), Ok(FoundRecord::Kept));
    let TokenNext::Store { id, slot: 0 } = first.poll(1).expect("poll").next else { panic!() };
    assert_eq!(first.stored(1, id).map_err(code), Err("not_due".to_owned()));
    let snapshot = first.snapshot(1, wall, id, KEY.to_vec()).expect("a snapshot");
    first.store_failed(1, id).expect("the store");
    first.retry().expect("retry");
    assert_eq!(load(&first, &empty), Ok(FoundRecord::Kept));
    let TokenNext::Store { id: again, slot: 0 } = first.poll(1).expect("poll").next else { panic!() };
    assert_eq!(first.snapshot(1, wall, id, KEY.to_vec()).map_err(code), Err("stale_request".to_owned()));
    first.snapshot(1, wall, again, KEY.to_vec()).expect("a snapshot");
    first.stored(1, again).expect("the store");
    assert!(first.poll(1).expect("poll").usable);

    let TokenNext::Load { id } = second.poll(1).expect("poll").next else { panic!() };
    second.load_failed(1, id).expect("the load");
    second.reload().expect("reload");
    assert_eq!(load(&second, &[Some(snapshot), None]), Ok(FoundRecord::Taken));
    assert!(second.poll(1).expect("poll").usable);
}

#[test]
fn storage_has_one_to_eight_places() {
    for slots in [0, 9] {
        let provider = preset_provider(TokenPreset::FlipUtilityApiKeySandbox);
        let OptionsRecord { storage, source } = storage(false);
        let options = OptionsRecord { storage: storage.map(|it| StorageRecord { slots, ..it }), source };
        let made = CoreManager::new(0, provider, TokenIdentity::default(), 64, 0, 0, true, Some(options));
        assert_eq!(made.map(drop).map_err(code), Err("invalid_argument".to_owned()));
    }
}
