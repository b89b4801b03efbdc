//! The presets against the literal requests and answers of the services' own pages, which stand as
//! excerpts in `tests/data/pages`. The comment of each test quotes the page's line that it proves.

use std::collections::{BTreeMap, BTreeSet};

use tokenward::wire::jwt_claims;
use tokenward::{
    Answer, Credentials, Error, Exposure, Generation, Grant, Identity, Instant, Next, Outcome, Provider,
    Reason, RefreshPolicy, Retry, Route, Slots, TokenManager, TokenResponse, UnixTime, providers,
};

type Manager<'p> = TokenManager<'p, [u8; 1024]>;

const START: Instant = Instant::from_millis(0);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The excerpt `name` of a page, as it is printed there.
fn excerpt(page: &'static str, name: &str) -> &'static str {
    let begins = format!("=== {name} (line");
    let (_, behind) = page.split_once(&begins).unwrap_or_else(|| panic!("no excerpt {name}"));
    let (_, text) = behind.split_once('\n').expect("an excerpt has lines");
    text.split_once("\n=== ").map_or(text.trim_end_matches('\n'), |(text, _)| text)
}

fn manager<'p>(provider: &'p Provider<'p>, subject: Identity<'p>) -> Manager<'p> {
    TokenManager::new(START, provider, subject, Slots::new([0; 1024], 768), 0).expect("a manager")
}

const STEADY: RefreshPolicy = RefreshPolicy { jitter_permille: 0, ..RefreshPolicy::DEFAULT };

/// `provider` without its spread, so that its windows are those of the page.
fn steady<'p>(mut provider: Provider<'p>) -> Provider<'p> {
    provider.policy = Some(&STEADY);
    provider
}

fn ok(body: &str) -> Answer<'_, 'static> {
    Answer { status: 200, headers: &[], body: body.as_bytes(), wall: None }
}

/// A request, from the page's `curl` or from the core: what both must agree on.
#[derive(Debug, PartialEq)]
struct Sent {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    /// The parameters of a form, in any order.
    parameters: BTreeSet<String>,
}

/// What the provider sends first.
fn sent(manager: &mut Manager<'_>, now: u64, credentials: &Credentials<'_>) -> Sent {
    let mut out = [0; 1024];
    let (_, request) = manager.begin(at(now), credentials, &mut out).expect("a request is due");
    let body = std::str::from_utf8(request.body()).expect("UTF-8");
    Sent {
        method: request.method().to_owned(),
        url: request.url().to_owned(),
        headers: request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        parameters: body.split('&').map(str::to_owned).collect(),
    }
}

/// A `curl` command line; gives back what it sends and its `-u`, which must be sent as Basic.
fn curl(command: &str) -> (Sent, Option<String>) {
    let mut words = shell_words(command).into_iter().peekable();
    assert_eq!(words.next().as_deref(), Some("curl"));
    let mut sent = Sent {
        method: "GET".to_owned(),
        url: String::new(),
        headers: BTreeMap::new(),
        parameters: BTreeSet::new(),
    };
    let mut user = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => sent.method = words.next().expect("a method"),
            "-XPOST" => sent.method = "POST".to_owned(),
            "-u" => user = words.next(),
            "-H" => {
                let field = words.next().expect("a field");
                let (name, value) = field.split_once(": ").expect("name and value");
                sent.headers.insert(name.to_owned(), value.to_owned());
            }
            "-d" => {
                let data = words.next().expect("data");
                sent.parameters.extend(data.split('&').map(str::to_owned));
            }
            _ => sent.url = word,
        }
    }
    (sent, user)
}

/// Splits as a shell does: quotes of both kinds, and a backslash at the end of a line.
fn shell_words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.replace("\\\n", " ");
    while let Some(first) = rest.trim_start().chars().next() {
        let text = rest.trim_start();
        let (word, behind) = match first {
            '"' | '\'' => text.split_at(1).1.split_once(first).expect("a closing quote"),
            _ => text.split_once(char::is_whitespace).unwrap_or((text, "")),
        };
        words.push(word.to_owned());
        rest = behind.to_owned();
    }
    words
}

/// The value of a printed `Authorization` line, in any of the pages' spellings.
fn printed_header(line: &str) -> &str {
    line.trim_matches(['"', ' '])
        .strip_prefix("Authorization")
        .expect("the field")
        .trim_start_matches(['"', ':', ' '])
}

fn header(manager: &Manager<'_>, now: u64, url: &str) -> Result<String, Error> {
    let bearer = manager.authorize(at(now), "GET", url)?;
    let mut out = [0; 1024];
    Ok(String::from_utf8(bearer.write(&mut out)?.to_vec()).expect("ASCII"))
}

/// Asks for the first token and hands in the page's answer.
fn with_answer<'p>(provider: &'p Provider<'p>, credentials: &Credentials<'_>, body: &str) -> Manager<'p> {
    let mut manager = manager(provider, Identity::CLIENT);
    let (id, _) = manager.begin(START, credentials, &mut [0; 1024]).expect("a request is due");
    assert!(matches!(manager.answer(START, id, &ok(body)), Ok(Outcome::Token(Generation(1)))));
    manager
}

mod flip_utility {
    use super::*;

    const PAGE: &str = include_str!("data/pages/flip_utility.txt");
    const CREDENTIALS: Credentials<'static> = Credentials {
        client_id: "your_client_id",
        client_secret: "your_client_secret",
        username: "",
        password: "",
        bearer: "",
        assertion: None,
    };

    /// Environment, API base URL and OAuth URL of each row of the page's table.
    fn environments() -> Vec<(Provider<'static>, &'static str, &'static str)> {
        let rows = excerpt(PAGE, "environments").lines().skip(2);
        rows.map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let provider = match cells[0] {
                "Sandbox" => providers::FLIP_UTILITY_SANDBOX,
                "Production" => providers::FLIP_UTILITY_PRODUCTION,
                other => panic!("{other}"),
            };
            (provider, cells[1], cells[2])
        })
        .collect()
    }

    // "Authorization: Bearer fl_your_api_key"
    #[test]
    fn the_api_key_is_sent_as_the_page_prints_it() {
        let provider = providers::FLIP_UTILITY_API_KEY_PRODUCTION;
        let mut manager = manager(&provider, Identity::CLIENT);
        assert_eq!(manager.poll(START).next.reason(), Some(Reason::NoToken));
        manager.install(START, None, &TokenResponse::new("fl_your_api_key")).expect("a key");
        let sent = header(&manager, u64::MAX, "https://api-utility.flip.energy/v1/programs");
        assert_eq!(sent.as_deref(), Ok(printed_header(excerpt(PAGE, "api key"))));
    }

    // curl -X POST https://oauth.flip.energy/token \
    // -H "Content-Type: application/x-www-form-urlencoded" \
    // -d "grant_type=client_credentials" \
    // -d "client_id=your_client_id" \
    // -d "client_secret=your_client_secret"
    #[test]
    fn the_request_is_the_curl_of_the_page() {
        let (mut expected, user) = curl(excerpt(PAGE, "curl"));
        assert_eq!((user, expected.parameters.len()), (None, 3));
        expected.headers.insert("Accept".to_owned(), "application/json".to_owned());
        expected.headers.insert("Accept-Encoding".to_owned(), "identity".to_owned());
        for (provider, ..) in environments() {
            assert_eq!(sent(&mut manager(&provider, Identity::CLIENT), 0, &CREDENTIALS), expected);
        }
    }

    // "access_token": "eyJhbGciOiJSUzI1NiIs...", "token_type": "Bearer", "expires_in": 3600
    // "Authorization: Bearer eyJhbGciOiJSUzI1NiIs..."
    #[test]
    fn the_answer_of_the_page_becomes_the_header_of_the_page() {
        let provider = providers::FLIP_UTILITY_SANDBOX;
        let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        let sent = header(&manager, 0, "https://api-utility-sandbox.flip.energy/v1/programs");
        assert_eq!(sent.as_deref(), Ok(printed_header(excerpt(PAGE, "header"))));
    }

    // "Cache the access token and reuse it until it is close to expiring"
    // "Request a new token before the current one expires (e.g., refresh when 80% of the TTL has elapsed)"
    #[test]
    fn the_token_is_reused_until_80_percent_of_its_life() {
        assert!(excerpt(PAGE, "token management").contains("refresh when 80% of the TTL has elapsed"));
        let provider = steady(providers::FLIP_UTILITY_SANDBOX);
        let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        let due_at = 3_600_000 * 80 / 100;
        assert_eq!(manager.poll(at(due_at - 1)).next, Next::Nothing);
        assert_eq!(manager.poll(at(due_at)).next, Next::Request(Grant::ClientCredentials));
        assert!(manager.poll(at(due_at)).usable);

        // With the default spread a fleet refreshes its first tokens up to a fifth of the life earlier, never later.
        let provider = providers::FLIP_UTILITY_SANDBOX;
        for seed in 0..100 {
            let mut slots = [0; 256];
            let slots = Slots::new(&mut slots[..], 256);
            let mut manager =
                TokenManager::new(START, &provider, Identity::CLIENT, slots, seed).expect("one");
            let (id, _) = manager.begin(START, &CREDENTIALS, &mut [0; 256]).expect("a request is due");
            assert!(manager.answer(START, id, &ok(excerpt(PAGE, "answer"))).is_ok());
            let due = manager.poll(START).poll_at.expect("a refresh").as_millis();
            assert!((due_at - 720_000..=due_at).contains(&due), "{due}");
        }
    }

    // "Handle 401 Unauthorized responses by requesting a fresh token and retrying the request"
    #[test]
    fn a_401_asks_for_a_fresh_token_and_a_retry() {
        let provider = providers::FLIP_UTILITY_PRODUCTION;
        let mut manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        assert_eq!(manager.rejected(at(60_000), Generation(1), 401, None), Retry::AfterRefresh);
        let (id, _) = manager.begin(at(60_000), &CREDENTIALS, &mut [0; 1024]).expect("a request is due");
        let fresh = r#"{"access_token":"fresh","token_type":"Bearer","expires_in":3600}"#;
        assert!(matches!(manager.answer(at(60_000), id, &ok(fresh)), Ok(Outcome::Token(Generation(2)))));
        assert_eq!(manager.rejected(at(60_000), Generation(1), 401, None), Retry::Now);
    }

    // "| Production | https://api-utility.flip.energy | https://oauth.flip.energy |"
    // "| Sandbox | https://api-utility-sandbox.flip.energy | https://oauth.flip.energy |"
    // "OAuth clients work across both environments." Their tokens do not, by our own rule.
    #[test]
    fn an_environment_has_the_urls_of_its_row_and_no_other() {
        let rows = environments();
        assert_eq!(rows.len(), 2);
        for &(provider, base, oauth) in &rows {
            assert_eq!(provider.base_url, Some(oauth));
            let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
            for &(_, other, _) in &rows {
                let allowed = header(&manager, 0, &format!("{other}/v1/programs"));
                assert_eq!(allowed.is_ok(), other == base, "{base} {other}");
                assert!(allowed.is_ok() || allowed == Err(Error::OriginNotAllowed));
            }
        }
    }
}

mod flip_energy {
    use super::*;

    const PAGE: &str = include_str!("data/pages/flip_energy.txt");
    const BASE: &str = "https://api.flip.example";
    /// Whether a token of a site opens a row.
    const CLIENT: bool = false;
    const SITE: bool = true;

    /// Method, path and who opens it, for each row of the printed table, whose cells stand without a gap.
    fn table() -> Vec<(&'static str, &'static str, bool)> {
        let mut rows = excerpt(PAGE, "table").lines();
        assert_eq!(rows.next(), Some("EndpointClient tokenSite token"));
        rows.map(|row| {
            let (endpoint, kind) = match (row.strip_suffix("YesNo"), row.strip_suffix("NoYes")) {
                (Some(endpoint), None) => (endpoint, CLIENT),
                (None, Some(endpoint)) => (endpoint, SITE),
                _ => panic!("{row}"),
            };
            let (method, path) = endpoint.split_once(' ').expect("method and path");
            (method, path, kind)
        })
        .collect()
    }

    fn installed<'p>(provider: &'p Provider<'p>, subject: Identity<'p>, token: &str) -> Manager<'p> {
        let mut manager = manager(provider, subject);
        manager.install(START, None, &TokenResponse::new(token)).expect("a token");
        manager
    }

    // The table under "Which type of token for which endpoint".
    #[test]
    fn the_route_table_is_the_printed_one_row_by_row() {
        let printed = table();
        assert_eq!(printed.len(), 24);
        assert_eq!(printed.iter().filter(|(.., kind)| *kind == CLIENT).count(), 10);
        assert_eq!(printed.len(), providers::FLIP_ENERGY_CLIENT.routes.rows.map_or(0, <[Route<'_>]>::len));
        for ((method, path, kind), route) in
            printed.iter().zip(providers::FLIP_ENERGY_CLIENT.routes.rows.unwrap_or_default())
        {
            // A row of a site token is of that token's own site.
            let path = if *kind == SITE { path.replace("{siteId}", "{site}") } else { (*path).to_owned() };
            assert_eq!((*method, path.as_str(), *kind), (route.method, route.path, route.of_site));
        }
    }

    // "GET /v1/site/{siteId} No Yes" and the other 23 rows, with the token and without it.
    #[test]
    fn each_token_opens_its_own_rows_alone() {
        let provider = Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_CLIENT };
        let client = installed(&provider, Identity::CLIENT, "client");
        let provider = Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE_BY_BACKEND };
        let site = installed(&provider, Identity::site("s 1"), "site");
        for (method, path, kind) in table() {
            let filled = path.replace("{siteId}", "s%201").replace(['{', '}'], "");
            let url = format!("{BASE}{filled}");
            let mut opened = Vec::new();
            for (manager, of) in [(&client, CLIENT), (&site, SITE)] {
                match manager.authorize(START, method, &url) {
                    Ok(_) => opened.push(of),
                    Err(fault) => assert_eq!(fault, Error::RouteNeedsOtherToken, "{method} {path}"),
                }
            }
            assert_eq!(opened, [kind], "{method} {path}");
        }
    }

    // "A site token can only be used to access data for the site it was created for. […] a 401 UNAUTHORIZED
    // or 403 FORBIDDEN error will be returned."
    #[test]
    fn a_site_token_is_not_sent_to_another_site() {
        let provider = Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE_BY_BACKEND };
        let mut site = installed(&provider, Identity::site("site-1"), "site");
        for (method, path, _) in table().into_iter().filter(|(.., kind)| *kind == SITE) {
            let other = format!("{BASE}{}", path.replace("{siteId}", "site-2").replace(['{', '}'], ""));
            assert_eq!(site.authorize(START, method, &other).err(), Some(Error::OtherSite), "{path}");
        }
        let refused = site.rejected(at(60_000), Generation(1), 403, None);
        assert_eq!(refused, Retry::Surface { reason: Reason::Forbidden, retry_at: None });
        assert!(site.poll(at(60_000)).usable);
        // The 401 ends the token; the app's backend must hand out another.
        let refused = site.rejected(at(60_000), Generation(1), 401, None);
        assert_eq!(refused, Retry::Surface { reason: Reason::NoToken, retry_at: None });
        assert!(!site.poll(at(60_000)).usable);
    }

    // "Authorization: Bearer <token>"
    // "They are intended to be used for server to server communications only. They never expire, but can be
    // revoked manually if needed."
    #[test]
    fn a_client_token_is_for_servers_and_never_ends_until_it_is_revoked() {
        let provider = Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_CLIENT };
        assert_eq!(provider.exposure, Exposure::ServerOnly);
        let mut client = installed(&provider, Identity::CLIENT, "client");
        let printed = printed_header(excerpt(PAGE, "header")).replace("<token>", "client");
        assert_eq!(header(&client, u64::MAX, &format!("{BASE}/v1/sites")), Ok(printed));
        assert_eq!(client.poll(at(u64::MAX)).poll_at, None);
        let refused = client.rejected(START, Generation(1), 401, None);
        assert!(matches!(refused, Retry::Surface { reason: Reason::Revoked, retry_at: Some(_) }));
        assert_eq!(client.poll(START).next.reason(), Some(Reason::Revoked));
    }

    // "Site tokens are created by calling POST /v1/auth/site/{siteId} […] for communications between your
    // mobile app and Flip's API. They expire after one hour, after which you will need to request a new one."
    #[test]
    fn a_site_token_is_asked_for_with_the_client_token_and_lives_an_hour() {
        let printed = excerpt(PAGE, "site token");
        let (_, call) = printed.split_once("by calling ").expect("the call");
        let (call, _) = call.split_once(',').expect("its end");
        let provider = steady(Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE });
        let mut site = manager(&provider, Identity::site("site-1"));
        let credentials = Credentials { bearer: "client", ..Credentials::default() };
        let request = sent(&mut site, 0, &credentials);
        let expected = call.replacen(' ', &format!(" {BASE}"), 1).replace("{siteId}", "site-1");
        assert_eq!(format!("{} {}", request.method, request.url), expected);
        assert_eq!(request.headers.get("Authorization").map(String::as_str), Some("Bearer client"));

        assert!(printed.contains("They expire after one hour"));
        let mut site = manager(&provider, Identity::site("site-1"));
        let (id, _) = site.begin(START, &credentials, &mut [0; 256]).expect("a request is due");
        assert!(site.answer(START, id, &ok(r#"{"access_token":"site"}"#)).is_ok());
        let hour = 3_600_000;
        assert!(site.poll(at(hour - 10_001)).usable);
        assert!(!site.poll(at(hour - 10_000)).usable);
        assert_eq!(site.poll(at(hour)).next, Next::Request(Grant::SiteToken));
    }

    #[test]
    fn a_phone_holds_a_site_token_and_no_client_token() {
        assert_eq!(
            Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE_BY_BACKEND }.exposure,
            Exposure::AppAllowed
        );
        assert_eq!(
            Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE }.exposure,
            Exposure::ServerOnly
        );
        let provider = steady(Provider { base_url: Some(BASE), ..providers::FLIP_ENERGY_SITE_BY_BACKEND });
        let mut app = manager(&provider, Identity::site("site-1"));
        assert_eq!(app.poll(START).next.reason(), Some(Reason::NoToken));
        app.install(START, None, &TokenResponse::new("site")).expect("a token");
        assert_eq!(app.poll(at(2_880_000)).next.reason(), Some(Reason::NoToken));
        assert!(app.poll(at(2_880_000)).usable);
    }
}

mod flume {
    use super::*;

    const PAGE: &str = include_str!("data/pages/flume.txt");
    const CREDENTIALS: Credentials<'static> = Credentials {
        client_id: "id",
        client_secret: "secret",
        username: "user@example.com",
        password: "pass",
        bearer: "",
        assertion: None,
    };
    /// `{"user_id":7,"type":"USER","iat":1700000000,"exp":1700604800}`
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjo3LCJ0eXBlIjoiVVNFUiIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwNjA0ODAwfQ.c2ln";

    fn envelope(access_token: &str, refresh_token: &str, more: &str) -> String {
        format!(
            r#"{{"success":true,"code":602,"data":[{{"token_type":"bearer","access_token":"{access_token}","refresh_token":"{refresh_token}"{more}}}],"count":1}}"#
        )
    }

    fn answer<S: AsRef<[u8]> + AsMut<[u8]>>(manager: &mut TokenManager<'_, S>, now: u64, body: &str) {
        let (id, _) = manager.begin(at(now), &CREDENTIALS, &mut [0; 1024]).expect("a request is due");
        assert!(matches!(manager.answer(at(now), id, &ok(body)), Ok(Outcome::Token(_))));
    }

    fn body(manager: &mut Manager<'_>, now: u64) -> String {
        let mut out = [0; 1024];
        let (_, request) = manager.begin(at(now), &CREDENTIALS, &mut out).expect("a request is due");
        String::from_utf8(request.body().to_vec()).expect("UTF-8")
    }

    // "This route is called with the client ID/name and password to get an access token and a refresh token."
    #[test]
    fn the_first_request_is_the_password_grant_with_the_client() {
        let provider = providers::FLUME;
        let mut first = manager(&provider, Identity::CLIENT);
        assert_eq!(first.poll(START).next, Next::Request(Grant::Password));
        let body = body(&mut first, 0);
        for member in [
            r#""grant_type":"password""#,
            r#""username":"user@example.com""#,
            r#""password":"pass""#,
            r#""client_id":"id""#,
            r#""client_secret":"secret""#,
        ] {
            assert_eq!(body.matches(member).count(), 1, "{member}");
        }
    }

    // "On success, the API returns a response envelope containing an access token and a refresh token."
    #[test]
    fn the_tokens_are_read_from_the_envelope() {
        assert!(excerpt(PAGE, "tokens").contains("a response envelope containing an access token"));
        let provider = providers::FLUME;
        let mut manager = manager(&provider, Identity::CLIENT);
        let (id, _) = manager.begin(START, &CREDENTIALS, &mut [0; 1024]).expect("a request is due");
        let flat = r#"{"access_token":"a","refresh_token":"r","expires_in":604800}"#;
        assert_eq!(manager.answer(START, id, &ok(flat)).err(), Some(Error::InvalidAccessToken));
        answer(&mut manager, 60_000, &envelope("a", "r", r#","expires_in":604800"#));
        let expected = excerpt(PAGE, "header").replace("YOUR_KEY_HERE", "a");
        let sent = header(&manager, 60_000, "https://api.flumewater.com/users/7/devices");
        assert_eq!(sent.as_deref(), Ok(printed_header(&expected)));
    }

    // "user_id: Contains your User ID. […] exp: Contains the date the token expires in epoch time."
    #[test]
    fn the_claims_that_the_page_lists_are_those_of_the_token() {
        let mut scratch = [0; 256];
        let claims = jwt_claims(JWT.as_bytes(), &mut scratch).expect("claims");
        assert_eq!(claims.iat, Some(UnixTime::from_secs(1_700_000_000)));
        assert_eq!(claims.exp, Some(UnixTime::from_secs(1_700_604_800)));
        let payload = std::str::from_utf8(&scratch).expect("JSON");
        for line in excerpt(PAGE, "claims").lines() {
            let (name, _) = line.trim_start_matches([' ', '•']).split_once(':').expect("a claim");
            assert!(payload.contains(&format!("\"{name}\":")), "{name}");
        }
    }

    // "exp: Contains the date the token expires in epoch time."
    #[test]
    fn without_expires_in_the_token_ends_at_its_exp() {
        let provider = steady(providers::FLUME);
        let mut manager = manager(&provider, Identity::CLIENT);
        let (id, _) = manager.begin(START, &CREDENTIALS, &mut [0; 1024]).expect("a request is due");
        let body = envelope(JWT, "r", "");
        let wall = Some(UnixTime::from_secs(1_700_604_800 - 1_000));
        let answer = Answer { wall, ..ok(&body) };
        assert!(manager.answer(START, id, &answer).is_ok());
        assert!(manager.poll(at(989_999)).usable);
        assert!(!manager.poll(at(990_000)).usable);
    }

    // "If you access token expires, it must be refreshed with the refresh token."
    #[test]
    fn an_expired_access_token_is_refreshed_with_the_refresh_token() {
        let provider = providers::FLUME;
        let mut manager = manager(&provider, Identity::CLIENT);
        answer(&mut manager, 0, &envelope("a", "the-refresh-token", r#","expires_in":604800"#));
        let expired = 604_800_000;
        assert_eq!(manager.poll(at(expired)).next, Next::Request(Grant::RefreshToken));
        let body = body(&mut manager, expired);
        assert!(body.contains(r#""grant_type":"refresh_token""#));
        assert!(body.contains(r#""refresh_token":"the-refresh-token""#));
        assert!(!body.contains("username") && !body.contains("scope"));
    }

    fn holds(memory: &[u8], secret: &str) -> bool {
        memory.windows(4).any(|window| secret.as_bytes().windows(4).any(|part| part == window))
    }

    // "Once you have a new access token, delete your old access token. […] the old token is not
    // automatically invalidated, and will continue to work until it expires."
    #[test]
    fn the_old_access_token_is_gone_from_memory_with_the_new_one() {
        let provider = providers::FLUME;
        let (old, new) = ("Q1W2E3R4T5Y6U7I8O9P0-old-and-long", "zxcvbnm");
        let mut memory = [0xAA; 256];
        let slots = Slots::new(&mut memory[..], 128);
        let mut manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
        answer(&mut manager, 0, &envelope(old, "a-refresh-token", r#","expires_in":604800"#));
        answer(&mut manager, 604_800_000, &envelope(new, "KJHGFDSA", r#","expires_in":604800"#));
        // Without the wiping of its drop, so that the memory is seen as the last call left it.
        core::mem::forget(manager);
        assert!(holds(&memory, new) && holds(&memory, "KJHGFDSA"));
        assert!(!holds(&memory, old) && !holds(&memory, "a-refresh-token"));
        let rest = memory.iter().filter(|byte| **byte != 0).count();
        assert_eq!(rest, new.len() + "KJHGFDSA".len());

        let slots = Slots::new(&mut memory[..], 128);
        let mut manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
        answer(&mut manager, 0, &envelope(old, "a-refresh-token", r#","expires_in":604800"#));
        drop(manager);
        assert_eq!(memory, [0; 256]);
    }
}

mod opower {
    use super::*;

    const PAGE: &str = include_str!("data/pages/opower.txt");
    const BASE: &str = "https://utility.example:8443";

    // "client_id: 019ebf3c-… client_secret: bdf46a70-… grant_type: client_credentials"
    fn issued(name: &str) -> &'static str {
        let line = excerpt(PAGE, "client_id").lines().find(|line| line.contains(&format!("• {name}: ")));
        line.and_then(|line| line.split_once(": ")).expect("a line of the e-mail").1
    }

    fn credentials() -> Credentials<'static> {
        Credentials {
            client_id: issued("client_id"),
            client_secret: issued("client_secret"),
            ..Credentials::default()
        }
    }

    // curl -XPOST host:port/apis/authorization-v1/oauth2/token -d "grant_type=client_credentials"
    // -u "client_id:client_secret" -H "Content-Type: application/x-www-form-urlencoded"
    #[test]
    fn the_request_is_the_curl_of_the_page() {
        let (mut expected, user) = curl(excerpt(PAGE, "curl"));
        assert_eq!(user.as_deref(), Some("client_id:client_secret"));
        expected.url = expected.url.replace("host:port", BASE);
        // printf %s 'client_id:client_secret' | base64
        let basic = "Basic Y2xpZW50X2lkOmNsaWVudF9zZWNyZXQ=";
        expected.headers.insert("Authorization".to_owned(), basic.to_owned());
        expected.headers.insert("Accept".to_owned(), "application/json".to_owned());
        expected.headers.insert("Accept-Encoding".to_owned(), "identity".to_owned());
        let provider = Provider { base_url: Some(BASE), ..providers::OPOWER };
        let credentials =
            Credentials { client_id: "client_id", client_secret: "client_secret", ..Credentials::default() };
        assert_eq!(sent(&mut manager(&provider, Identity::CLIENT), 0, &credentials), expected);
    }

    // "grant_type: client_credentials"
    #[test]
    fn the_grant_is_the_one_that_oracle_issues() {
        let provider = Provider { base_url: Some(BASE), ..providers::OPOWER };
        assert_eq!(provider.primary_grant.map(Grant::name), Some(issued("grant_type")));
        assert!(!provider.refresh_grant);
    }

    // "client_id":"019ebf3c-…" among the members, tabs, "token_type": "BEARER", "expires_in": 3599
    // "Key: Authorization", "Value: Bearer access_token"
    #[test]
    fn the_answer_of_the_page_becomes_the_header_of_the_page() {
        let body = excerpt(PAGE, "answer");
        assert!(body.contains("\n    \t\"token_type\": \"BEARER\",") && body.contains("3599 \n"));
        let provider = Provider { base_url: Some(BASE), ..providers::OPOWER };
        let manager = with_answer(&provider, &credentials(), body);
        let value = excerpt(PAGE, "header").lines().nth(1).and_then(|line| line.split_once("Value: "));
        let expected =
            value.expect("a value").1.replace("access_token", "a3b96ccb-cff0-4c12-b693-40e7158aa8cd");
        let sent = header(&manager, 0, "https://utility.example:8443/apis/any");
        assert_eq!(sent, Ok(expected));
    }

    // "The expires_in parameter is expressed in seconds."
    // "If the access token expires, repeat the process to obtain a valid access token."
    #[test]
    fn after_3599_seconds_the_process_is_repeated() {
        let provider = steady(Provider { base_url: Some(BASE), ..providers::OPOWER });
        let mut manager = with_answer(&provider, &credentials(), excerpt(PAGE, "answer"));
        assert!(manager.poll(at(3_599_000 - 10_001)).usable);
        assert!(!manager.poll(at(3_599_000 - 10_000)).usable);
        assert_eq!(manager.poll(at(3_599_000)).next, Next::Request(Grant::ClientCredentials));
        let again = sent(&mut manager, 3_599_000, &credentials());
        assert_eq!(again.parameters, BTreeSet::from(["grant_type=client_credentials".to_owned()]));
    }

    // "Do not use keys or tokens directly in a browser or mobile application."
    #[test]
    fn its_credentials_are_for_servers_only() {
        assert_eq!(Provider { base_url: Some(BASE), ..providers::OPOWER }.exposure, Exposure::ServerOnly);
    }
}

mod flute {
    use super::*;

    const PAGE: &str = include_str!("data/pages/flute.txt");
    const CREDENTIALS: Credentials<'static> = Credentials {
        client_id: "594838709594...38697242c",
        client_secret: "9eb2c6859daa4...d8ae5da9",
        username: "",
        password: "",
        bearer: "",
        assertion: None,
    };
    // printf %s '594838709594...38697242c:9eb2c6859daa4...d8ae5da9' | base64 -w0
    const BASIC: &str = "Basic NTk0ODM4NzA5NTk0Li4uMzg2OTcyNDJjOjllYjJjNjg1OWRhYTQuLi5kOGFlNWRhOQ==";
    const BOTH: [(Provider<'static>, &str); 2] =
        [(providers::FLUTE_SANDBOX, "sandbox"), (providers::FLUTE_PRODUCTION, "production")];

    // curl -X 'POST' 'https://sandbox.oauth.api.flute.com/oauth2/token' \
    // -u '594838709594...38697242c:9eb2c6859daa4...d8ae5da9' \
    // -H 'Content-Type: application/x-www-form-urlencoded' \
    // -d 'grant_type=client_credentials&scope=offline_access'
    #[test]
    fn the_request_is_the_curl_of_the_page() {
        let (mut expected, user) = curl(excerpt(PAGE, "curl"));
        let basic = format!("{}:{}", CREDENTIALS.client_id, CREDENTIALS.client_secret);
        assert_eq!(user, Some(basic));
        expected.headers.insert("Authorization".to_owned(), BASIC.to_owned());
        expected.headers.insert("Accept".to_owned(), "application/json".to_owned());
        expected.headers.insert("Accept-Encoding".to_owned(), "identity".to_owned());
        let provider = providers::FLUTE_SANDBOX;
        assert_eq!(sent(&mut manager(&provider, Identity::CLIENT), 0, &CREDENTIALS), expected);
        let mut out = [0; 512];
        let mut manager = manager(&provider, Identity::CLIENT);
        let (_, request) = manager.begin(START, &CREDENTIALS, &mut out).expect("a request is due");
        assert!(excerpt(PAGE, "curl").contains(std::str::from_utf8(request.body()).expect("UTF-8")));
    }

    // "Endpoint: `POST https://sandbox.oauth.api.flute.com/oauth2/token`"
    // "Endpoint: `POST https://oauth.api.flute.com/oauth2/token`"
    // "API tokens use the same API key and differentiated only by the environment endpoint."
    #[test]
    fn each_environment_has_its_own_endpoint_and_the_same_key() {
        for (provider, name) in BOTH {
            let request = sent(&mut manager(&provider, Identity::CLIENT), 0, &CREDENTIALS);
            let printed = format!("Endpoint: `{} {}`", request.method, request.url);
            assert_eq!(excerpt(PAGE, name), printed);
            assert_eq!(request.headers.get("Authorization").map(String::as_str), Some(BASIC));
        }
    }

    // "The two API tokens types are not interchangeable and cannot be used in an environment different than
    // they were created for."
    #[test]
    fn a_token_is_not_sent_to_the_other_environment() {
        assert!(excerpt(PAGE, "environments").contains("not interchangeable"));
        let urls = ["https://sandbox.api.flute.com/v2/transactions", "https://api.flute.com/v2/transactions"];
        for ((provider, _), own) in BOTH.into_iter().zip(urls) {
            let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
            for url in urls {
                let expected = if url == own { None } else { Some(Error::OriginNotAllowed) };
                assert_eq!(header(&manager, 0, url).err(), expected, "{url}");
            }
        }
    }

    // "access_token": "u7BYwJx26U1lT...TZpKvndLCC4", "refresh_token": "def50200newrefresh123456789"
    // "Authorization": "Bearer u7BYwJx26U1lT...TZpKvndLCC4"
    #[test]
    fn the_answer_of_the_page_becomes_the_header_of_the_page() {
        let provider = providers::FLUTE_SANDBOX;
        let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        let sent = header(&manager, 0, "https://sandbox.api.flute.com/v2/transactions");
        assert_eq!(sent.as_deref(), Ok(printed_header(excerpt(PAGE, "header"))));
    }

    // curl 'https://sandbox.api.flute.com/v2/transactions' \
    // -H 'Authorization: Bearer u7BYwJx26U1lT...TZpKvndLCC44' -H 'Accept: application/json'
    #[test]
    fn the_api_call_of_the_page_is_authorized() {
        let (call, _) = curl(excerpt(PAGE, "api curl"));
        let provider = providers::FLUTE_SANDBOX;
        let manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        let bearer = manager.authorize(START, &call.method, &call.url).expect("its own origin");
        // The page prints one character more than its answer has.
        let printed = call.headers.get("Authorization").expect("the field");
        let mut out = [0; 128];
        let sent = std::str::from_utf8(bearer.write(&mut out).expect("room")).expect("ASCII");
        assert_eq!(printed.strip_suffix('4'), Some(sent));
    }

    // "The `access_token` may also be left to expire, and then use `refresh_token` procedures to continue."
    #[test]
    fn an_expired_access_token_is_renewed_with_the_refresh_token() {
        let provider = providers::FLUTE_SANDBOX;
        let mut manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        assert_eq!(manager.poll(at(3_600_000)).next, Next::Request(Grant::RefreshToken));
        let request = sent(&mut manager, 3_600_000, &CREDENTIALS);
        let expected =
            ["grant_type=refresh_token", "refresh_token=def50200newrefresh123456789"].map(str::to_owned);
        assert_eq!(request.parameters, BTreeSet::from(expected));
        // How the client authenticates then the page does not say: as it did for the first token.
        assert_eq!(request.headers.get("Authorization").map(String::as_str), Some(BASIC));
    }

    // "We recommend generating a new API token before each endpoint use."
    #[test]
    fn a_new_token_before_each_use_is_two_numbers_of_the_policy() {
        assert!(excerpt(PAGE, "before each use").contains("before each endpoint use"));
        let mut provider = providers::FLUTE_SANDBOX;
        assert_eq!(provider.policy().fraction_permille, 800);
        let each_use = RefreshPolicy { fraction_permille: 0, min_interval_ms: 0, ..RefreshPolicy::DEFAULT };
        provider.policy = Some(&each_use);
        let mut manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));
        for now in [0, 1, 60_000] {
            assert!(matches!(manager.poll(at(now)).next, Next::Request(_)));
            assert!(manager.poll(at(now)).usable);
            let (id, _) = manager.begin(at(now), &CREDENTIALS, &mut [0; 512]).expect("a request is due");
            let next = format!(r#"{{"access_token":"a{now}","token_type":"Bearer","expires_in":3600}}"#);
            assert!(manager.answer(at(now), id, &ok(&next)).is_ok());
        }
    }

    // "| 400 Bad Request  | Missing or invalid grant_type, or malformed request body. |"
    // "| 401 Unauthorized | The API token has likely expired. Create a new one and retry the request. |"
    #[test]
    fn the_statuses_of_the_page_lead_where_it_says() {
        let statuses: Vec<u16> =
            excerpt(PAGE, "errors").lines().filter_map(|row| row.get(2..5)?.parse().ok()).collect();
        assert_eq!(statuses, [400, 401]);
        let provider = providers::FLUTE_SANDBOX;
        let mut manager = with_answer(&provider, &CREDENTIALS, excerpt(PAGE, "answer"));

        // The token endpoint: a refresh that is called wrong gives way to a new token; where that is wrong too, somebody
        // has an hour to mend it.
        for expected in [None, Some(Reason::UnsupportedGrantType)] {
            let (id, _) =
                manager.begin(at(3_600_000), &CREDENTIALS, &mut [0; 512]).expect("a request is due");
            let wrong = Answer { status: statuses[0], ..ok(r#"{"error":"unsupported_grant_type"}"#) };
            assert!(matches!(manager.answer(at(3_600_000), id, &wrong), Ok(Outcome::Error(_))));
            assert_eq!(manager.poll(at(3_600_000)).next.reason(), expected);
        }
        manager.retry();

        // A resource server: "Create a new one and retry the request."
        let (id, _) = manager.begin(at(3_601_000), &CREDENTIALS, &mut [0; 512]).expect("a request is due");
        let next = r#"{"access_token":"next","token_type":"Bearer","expires_in":3600}"#;
        assert!(manager.answer(at(3_601_000), id, &ok(next)).is_ok());
        let refused = manager.rejected(at(3_660_000), manager.generation(), statuses[1], None);
        assert_eq!(refused, Retry::AfterRefresh);
    }
}

// RFC 9700 section 2.4 forbids the password grant; Flume's page offers no other.
#[test]
fn the_password_grant_is_flumes_alone() {
    for provider in providers::ALL.iter().copied().chain([&Provider::custom()]) {
        let is_password = provider.primary_grant == Some(Grant::Password);
        assert_eq!(is_password, provider.name == "flume", "{}", provider.name);
    }
}
