//! Headers and requests: docs/BEHAVIOUR.md section 3, line by line.

use tokenward::parts::{BodyFormat, ClientAuthentication, LoopbackHttp};
use tokenward::wire::form_encode;
use tokenward::{
    Additions, Bearer, Credentials, Error, Grant, Identity, Instant, Parameter, Provider, Requests, Route,
    Routes, Slots, Target, TokenManager, TokenRequest, TokenResponse, basic, basic_raw, providers,
};

const START: Instant = Instant::from_millis(0);

const CREDENTIALS: Credentials<'static> = Credentials {
    client_id: "id",
    client_secret: "s&cret",
    username: "user",
    password: "pa ss",
    bearer: "client.token",
    assertion: None,
};

fn with_token<'p>(provider: &'p Provider<'p>, subject: Identity<'p>) -> TokenManager<'p, [u8; 256]> {
    let mut manager =
        TokenManager::new(START, provider, subject, Slots::new([0; 256], 128), 0).expect("a manager");
    manager.install(START, None, &TokenResponse::new("tok").with_expires_in(3600)).expect("a token");
    manager
}

fn authorize(provider: &Provider<'_>, subject: Identity<'_>, method: &str, url: &str) -> Result<(), Error> {
    with_token(provider, subject).authorize(START, method, url).map(drop)
}

type Sent = (String, Vec<(String, String)>, String);

/// URL, fields and body of the request that `provider` would send.
fn request(provider: &Provider<'_>, grant: Grant, credentials: &Credentials<'_>) -> Result<Sent, Error> {
    let mut out = [0; 1024];
    let written = TokenRequest::new(provider, Identity::site("a b/\u{e9}"), grant, credentials)
        .with_refresh_token("r\u{fc}+")
        .write(&mut out)?;
    assert_eq!(written.method(), "POST");
    let fields = written.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok((written.url().to_owned(), fields, String::from_utf8(written.body().to_vec()).expect("UTF-8")))
}

const BASE: Provider<'static> = Provider {
    base_url: Some("https://id.example/token"),
    primary_grant: Some(Grant::Password),
    refresh_grant: true,
    scope: Some("a b"),
    authentication: Some(ClientAuthentication::POST),
    ..Provider::custom()
};

const ANYWHERE: Provider<'static> = Provider { any_https_origin: true, ..Provider::custom() };

#[test]
fn a_bearer_field_is_written_whole_or_not_at_all() {
    let bearer = Bearer::new("tok").expect("a token");
    let mut out = [0xAA; 10];
    assert_eq!(bearer.write(&mut out[..9]), Err(Error::BufferTooSmall { needed: 10 }));
    assert_eq!(out, [0xAA; 10]);
    assert_eq!(bearer.write(&mut out), Ok(&b"Bearer tok"[..]));
    assert_eq!(bearer.encoded_len(), 10);
}

#[test]
fn a_bearer_that_could_end_the_field_is_refused() {
    for token in ["", "a b", "a\r\nX: 1", "a\0", "\u{fc}", "a\x7f"] {
        assert_eq!(Bearer::new(token).map(drop), Err(Error::InvalidAccessToken), "{token:?}");
    }
}

#[test]
fn the_token_always_goes_out_as_bearer_with_its_generation() {
    let provider = Provider { any_https_origin: true, ..Provider::custom() };
    let manager = with_token(&provider, Identity::CLIENT);
    let bearer = manager.authorize(START, "GET", "https://any.example/").expect("usable");
    let mut out = [0; 32];
    assert_eq!(bearer.write(&mut out), Ok(&b"Bearer tok"[..]));
    assert_eq!(bearer.generation(), manager.generation());
}

#[test]
fn a_url_that_means_more_than_one_thing_is_bad() {
    for url in [
        "",
        "api.example/x",
        "//api.example/x",
        "/x",
        "https:/api.example",
        "https://",
        "https:///x",
        "https://user@api.example/",
        "https://a:b@api.example/",
        "https://api.example\\@evil.example/",
        "https://api.example/\n",
        "https://api.example/ x",
        "https://api.example:65536/",
        "https://api.example:x/",
        "https://[::1/",
        "https://\u{fc}.example/",
        "mailto:x",
    ] {
        assert_eq!(authorize(&ANYWHERE, Identity::CLIENT, "GET", url), Err(Error::BadUrl), "{url:?}");
    }
}

#[test]
fn under_a_route_table_dot_segments_and_their_escapes_are_bad() {
    let provider = Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_CLIENT };
    for path in [
        "/v1/./sites",
        "/v1/x/../sites",
        "/v1/%2e%2E/sites",
        "/v1%2Fsites",
        "/v1/%5csites",
        "/v1/sites/%zz",
        "/v1/x/..;/sites",
        "/v1/.;a=1/sites",
        "/v1/sites%3b",
        "/v1/sites%3F",
        "/v1/sites%23",
        "/v1/sites%25",
        "/v1/sites%00",
        "/v1/sites%1f",
        "/v1/sites%7F",
    ] {
        let url = format!("https://api.example{path}");
        assert_eq!(authorize(&provider, Identity::CLIENT, "GET", &url), Err(Error::BadUrl), "{path}");
    }
    // Without one the path is the caller's.
    assert_eq!(authorize(&ANYWHERE, Identity::CLIENT, "GET", "https://api.example/a/../b"), Ok(()));
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    let provider = Provider {
        api_origins: Some(&["https://api.example", "https://b.example:8443"]),
        ..Provider::custom()
    };
    let check = |url| authorize(&provider, Identity::CLIENT, "GET", url);
    for good in [
        "https://api.example/x",
        "HTTPS://API.EXAMPLE:443/x?y#z",
        "https://api.example",
        "https://b.example:8443/",
        "https://api.example:/",
    ] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for bad in [
        "http://api.example/x",
        "https://api.example:8443/",
        "https://b.example/",
        "https://api.example.evil.example/",
        "https://api.example./",
        "ftp://api.example/",
        "https://xapi.example/",
    ] {
        assert_eq!(check(bad), Err(Error::OriginNotAllowed), "{bad}");
    }
}

#[test]
fn without_origins_a_token_goes_to_the_origin_of_the_base_url_alone() {
    for origins in [None, Some(&[][..])] {
        let provider = Provider { base_url: Some("https://id.example/realm"), api_origins: origins, ..BASE };
        assert_eq!(authorize(&provider, Identity::CLIENT, "GET", "https://id.example/x"), Ok(()));
        let elsewhere = authorize(&provider, Identity::CLIENT, "GET", "https://api.example/x");
        assert_eq!(elsewhere, Err(Error::OriginNotAllowed));
        let moved = Identity { base_url: Some("https://api.example"), ..Identity::CLIENT };
        assert_eq!(authorize(&provider, moved, "GET", "https://api.example/x"), Ok(()));
        assert_eq!(authorize(&provider, moved, "GET", "https://id.example/x"), Err(Error::OriginNotAllowed));
    }
}

#[test]
fn loopback_http_is_for_callers_who_allowed_it() {
    let loose = Provider { loopback_http: Some(LoopbackHttp::ALLOWED), ..ANYWHERE };
    for url in ["http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]:1/"] {
        assert_eq!(authorize(&ANYWHERE, Identity::CLIENT, "GET", url), Err(Error::OriginNotAllowed), "{url}");
        assert_eq!(authorize(&loose, Identity::CLIENT, "GET", url), Ok(()), "{url}");
    }
    for url in ["http://api.example/", "http://128.0.0.1/", "http://127.0.0.1.evil.example/"] {
        assert_eq!(authorize(&loose, Identity::CLIENT, "GET", url), Err(Error::OriginNotAllowed), "{url}");
    }
}

#[test]
fn the_other_environments_origin_is_refused() {
    let sandbox = providers::FLUTE_SANDBOX;
    assert_eq!(authorize(&sandbox, Identity::CLIENT, "GET", "https://sandbox.api.flute.com/v2/x"), Ok(()));
    assert_eq!(
        authorize(&sandbox, Identity::CLIENT, "GET", "https://api.flute.com/v2/x"),
        Err(Error::OriginNotAllowed)
    );
}

#[test]
fn the_first_fault_of_authorize_wins() {
    let provider =
        Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_SITE_BY_BACKEND };
    let empty = TokenManager::new(START, &provider, Identity::site("7"), Slots::new([0; 64], 64), 0)
        .expect("a manager");
    for (method, url, error) in [
        ("GET", "https://user@evil.example/v1/../x", Error::BadUrl),
        ("GET", "https://evil.example/v1/unknown", Error::OriginNotAllowed),
        ("PUT", "https://api.example/v1/site/8", Error::UnknownRoute),
        ("get", "https://api.example/v1/site/7", Error::UnknownRoute),
        ("GET", "https://api.example/v1/sites", Error::RouteNeedsOtherToken),
        ("GET", "https://api.example/v1/site/8", Error::OtherSite),
        ("GET", "https://api.example/v1/site/7", Error::NotUsable),
    ] {
        assert_eq!(empty.authorize(START, method, url).map(drop), Err(error), "{method} {url}");
    }
}

#[test]
fn a_site_in_a_path_is_compared_decoded() {
    let provider =
        Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_SITE_BY_BACKEND };
    let check = |path: &str| {
        authorize(&provider, Identity::site("a b"), "GET", &format!("https://api.example/v1/site/{path}"))
    };
    assert_eq!(check("a%20b"), Ok(()));
    assert_eq!(check("%61%20b/devices"), Ok(()));
    assert_eq!(check("a%2Bb"), Err(Error::OtherSite));
    assert_eq!(check(""), Err(Error::UnknownRoute));
}

#[test]
fn parameters_stand_in_their_order_and_the_scope_never_on_a_refresh() {
    let (_, _, body) = request(&BASE, Grant::Password, &CREDENTIALS).expect("a request");
    assert_eq!(
        body,
        "grant_type=password&username=user&password=pa+ss&scope=a+b&client_id=id&client_secret=s%26cret"
    );
    let (_, _, body) = request(&BASE, Grant::RefreshToken, &CREDENTIALS).expect("a request");
    assert_eq!(body, "grant_type=refresh_token&refresh_token=r%C3%BC%2B&client_id=id&client_secret=s%26cret");
}

#[test]
fn empty_parameters_are_left_out() {
    let provider = Provider { scope: None, ..BASE };
    let (_, _, body) = request(&provider, Grant::ClientCredentials, &CREDENTIALS).expect("a request");
    assert_eq!(body, "grant_type=client_credentials&client_id=id&client_secret=s%26cret");
}

#[test]
fn no_parameter_is_sent_twice() {
    let mut out = [0; 512];
    let mut write = |extra: &[(&str, &str)]| {
        TokenRequest::new(&BASE, Identity::CLIENT, Grant::ClientCredentials, &CREDENTIALS)
            .with_additions(&Additions { parameters: extra, ..Additions::default() })
            .write(&mut out)
            .map(|request| String::from_utf8_lossy(request.body()).into_owned())
    };
    assert_eq!(
        write(&[("audience", "x&y"), ("empty", "")]).as_deref(),
        Ok("grant_type=client_credentials&scope=a+b&audience=x%26y&client_id=id&client_secret=s%26cret")
    );
    for twice in
        [&[("a", "1"), ("a", "2")][..], &[("grant_type", "x")], &[("client_secret", "x")], &[("scope", "x")]]
    {
        assert_eq!(write(twice), Err(Error::DuplicateParameter), "{twice:?}");
    }
}

#[test]
fn client_authentication_none_sends_the_id_alone_and_needs_it() {
    let provider = Provider { authentication: Some(ClientAuthentication::NONE), scope: None, ..BASE };
    let (_, fields, body) = request(&provider, Grant::ClientCredentials, &CREDENTIALS).expect("a request");
    assert_eq!(body, "grant_type=client_credentials&client_id=id");
    assert!(fields.iter().all(|(name, _)| name != "Authorization"));
    let nobody = Credentials { client_id: "", ..CREDENTIALS };
    assert_eq!(request(&provider, Grant::ClientCredentials, &nobody), Err(Error::WrongCredentials));
}

#[test]
fn basic_is_raw_or_form_encoded_first() {
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let form = |id, secret| basic(id, secret, &mut [0; 64]).map(text);
    let raw = |id, secret| basic_raw(id, secret, &mut [0; 64]).map(text);
    // RFC 7617 section 2 and 2.1.
    assert_eq!(raw("Aladdin", "open sesame").as_deref(), Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(raw("test", "123\u{a3}").as_deref(), Ok("Basic dGVzdDoxMjPCow=="));
    // "a:b" and "c d" are "a%3Ab" and "c+d".
    assert_eq!(form("a:b", "c d").as_deref(), Ok("Basic YSUzQWI6Yytk"));
    for id in ["", "a:b", "a\0", "a\nb", "\u{1f}", "a\x7f"] {
        assert_eq!(raw(id, "c"), Err(Error::WrongCredentials), "{id:?}");
    }
    // "%00" and "\u{a3}": escaped, and no control character.
    assert_eq!(form("\0", "c").as_deref(), Ok("Basic JTAwOmM="));
    assert_eq!(raw("\u{a3}", "c\0:").as_deref(), Ok("Basic wqM6YwA6"));
}

#[test]
fn basic_and_a_form_value_are_written_whole_or_wiped() {
    for size in 0..18 {
        let mut out = vec![0xAA; size];
        let written = basic_raw("id", "secret", &mut out);
        assert_eq!(written, Err(Error::BufferTooSmall { needed: 18 }));
        assert!(out.iter().all(|byte| *byte == 0), "{size}: {out:?}");
    }
    for size in 0..8 {
        let mut out = vec![0xAA; size];
        assert_eq!(form_encode("a b&c=", &mut out), Err(Error::BufferTooSmall { needed: 10 }));
        assert!(out.iter().all(|byte| *byte == 0), "{size}: {out:?}");
    }
    let mut out = [0xAA; 20];
    assert_eq!(basic_raw("id", "secret", &mut out), Ok(&b"Basic aWQ6c2VjcmV0"[..]));
    assert_eq!(out[18..], [0xAA; 2], "what is behind stays");
}

/// Draws numbers that are the same in each run (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn text(&mut self, longest: usize) -> String {
        let character = |dice: &mut Self| match dice.below(8) {
            0 => char::from_u32(u32::try_from(dice.below(0x800)).expect("small"))
                .expect("before the surrogates"),
            1 => dice.pick(&[
                '%',
                '+',
                ' ',
                '&',
                '=',
                '"',
                '\\',
                '\0',
                '\n',
                '~',
                '*',
                '\u{20ac}',
                '\u{1F600}',
            ]),
            _ => char::from(b'a' + u8::try_from(dice.below(26)).expect("a letter")),
        };
        (0..self.below(longest)).map(|_| character(self)).collect()
    }
}

#[test]
fn basic_and_form_values_are_what_the_base64_and_form_urlencoded_crates_write() {
    use base64::Engine as _;
    let form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let (mut dice, mut out) = (Dice(7), [0; 1024]);
    for _ in 0..20_000 {
        let (id, secret) = (dice.text(40), dice.text(40));
        assert_eq!(form_encode(&secret, &mut out), Ok(form(&secret).as_bytes()));
        let expected = format!("Basic {}", base64(format!("{}:{}", form(&id), form(&secret))));
        let expected = if id.is_empty() { Err(Error::WrongCredentials) } else { Ok(expected.as_bytes()) };
        assert_eq!(basic(&id, &secret, &mut out), expected, "{id:?} {secret:?}");
        let raw = format!("Basic {}", base64(format!("{id}:{secret}")));
        let bad = id.is_empty() || id.contains(|c: char| c == ':' || c.is_ascii_control());
        let expected = if bad { Err(Error::WrongCredentials) } else { Ok(raw.as_bytes()) };
        assert_eq!(basic_raw(&id, &secret, &mut out), expected, "{id:?} {secret:?}");
    }
}

#[test]
fn a_token_goes_only_where_the_url_crate_says_that_the_url_leads() {
    let list = ["https://api.example", "https://api.example:8443/", "http://localhost:81", "https://[::1]/x"];
    let loopback_http = Some(LoopbackHttp::ALLOWED);
    let listed = Provider { api_origins: Some(&list), loopback_http, ..Provider::custom() };
    let rows = [Route::client("GET", "/v1/{name}"), Route::client("GET", "/v1/a/{name}/b")];
    let routed = Provider { routes: Routes::table(&rows), ..listed };
    let (listed, routed) = (with_token(&listed, Identity::CLIENT), with_token(&routed, Identity::CLIENT));
    let origins = list.map(|origin| url::Url::parse(origin).expect("a URL").origin());
    let hosts =
        ["api.example", "API.example", "localhost", "[::1]", "b.example", "api.example.", "u@api.example"];
    let paths =
        ["", "/", "/v1/x", "/v1/a/x/b", "/v1/../v1/x", "/v1/%2e%2e/x", "/v1/a/..;/b", "/v1/%41", "/v1/a%"];
    let (mut dice, mut lent) = (Dice(9), [0, 0]);
    for _ in 0..50_000 {
        let mut url: Vec<char> = [
            dice.pick(&["https", "https", "https", "HTTPS", "http", "ftp"]),
            "://",
            dice.pick(&hosts),
            dice.pick(&["", "", "", ":", ":443", ":8443", ":81", ":65536", ":0443"]),
            dice.pick(&paths),
            dice.pick(&["", "", "?q=/../x", "#f"]),
        ]
        .concat()
        .chars()
        .collect();
        for _ in 0..dice.below(3) {
            let at = dice.below(url.len());
            match dice.below(3) {
                0 => url.insert(
                    at,
                    dice.pick(&['/', '.', '@', ':', '?', '#', '%', '[', ']', '\\', ';', 'a', '\u{e9}']),
                ),
                1 => _ = url.remove(at),
                _ => url.swap(0, at),
            }
        }
        let url: String = url.into_iter().collect();
        let read = url::Url::parse(&url);
        let path = url.split_once("://").and_then(|(_, rest)| {
            let rest = rest.split(['?', '#']).next()?;
            rest.find('/').map(|at| &rest[at..])
        });
        for (n, manager) in [&listed, &routed].into_iter().enumerate() {
            if manager.authorize(START, "GET", &url).is_ok() {
                lent[n] += 1;
                let read = read.as_ref().unwrap_or_else(|error| panic!("{url:?} is lent: {error}"));
                assert!(origins.contains(&read.origin()), "{url:?}");
                // A path that opens a route is one that no dot segment changes.
                assert!(n == 0 || path == Some(read.path()), "{url:?}");
            }
        }
    }
    assert!(lent.iter().all(|lent| *lent > 1_000), "{lent:?}");
}

#[test]
fn form_bodies_keep_what_appendix_b_keeps() {
    let all: String = (0_u8..0x80).map(char::from).chain("\u{20ac}".chars()).collect();
    let credentials = Credentials { client_secret: &all, ..CREDENTIALS };
    let provider = Provider { scope: None, ..BASE };
    let (_, _, body) = request(&provider, Grant::ClientCredentials, &credentials).expect("a request");
    let secret = body.split_once("client_secret=").expect("a secret").1;
    let kept: String = secret.chars().filter(|c| !matches!(c, '%' | '+')).collect();
    assert!(kept.chars().all(|c| c.is_ascii_alphanumeric() || "-._*".contains(c)));
    let decoded: Vec<(String, String)> = url_decode(&body);
    assert_eq!(decoded.last().map(|(_, value)| value.as_str()), Some(all.as_str()));
    assert!(!secret.contains("%20") && secret.contains('+') && secret.ends_with("%E2%82%AC"));
}

fn url_decode(body: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(body.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[test]
fn json_bodies_are_one_object_of_strings() {
    let all: String = (0_u8..0x80).map(char::from).chain("\u{20ac}\u{1F600}".chars()).collect();
    let credentials = Credentials { password: &all, ..CREDENTIALS };
    let provider = Provider { body: Some(BodyFormat::JSON), ..BASE };
    let (_, fields, body) = request(&provider, Grant::Password, &credentials).expect("a request");
    let parsed: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        parsed,
        serde_json::json!({"grant_type": "password", "username": "user", "password": all, "scope": "a b",
            "client_id": "id", "client_secret": "s&cret"})
    );
    assert!(fields.contains(&("Content-Type".to_owned(), "application/json".to_owned())));
}

#[test]
fn a_refresh_token_beyond_ascii_stays_text_in_each_body() {
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    let sent = |body| {
        request(&Provider { body: Some(body), ..BASE }, Grant::RefreshToken, &credentials)
            .expect("a request")
            .2
    };
    let parsed: serde_json::Value = serde_json::from_str(&sent(BodyFormat::JSON)).expect("JSON");
    assert_eq!(parsed["refresh_token"], "r\u{fc}+");
    assert!(sent(BodyFormat::FORM).contains("&refresh_token=r%C3%BC%2B&"));
}

#[test]
fn requests_ask_for_json_and_say_what_they_send() {
    let (_, fields, _) = request(&BASE, Grant::Password, &CREDENTIALS).expect("a request");
    assert!(fields.contains(&("Accept".to_owned(), "application/json".to_owned())));
    assert!(fields.contains(&("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())));
}

#[test]
fn a_site_goes_into_the_path_percent_encoded_and_its_request_has_no_body() {
    let provider = Provider { base_url: Some("https://api.example/"), ..providers::FLIP_ENERGY_SITE };
    let (url, fields, body) = request(&provider, Grant::SiteToken, &CREDENTIALS).expect("a request");
    assert_eq!(url, "https://api.example/v1/auth/site/a%20b%2F%C3%A9");
    assert!(fields.contains(&("Authorization".to_owned(), "Bearer client.token".to_owned())));
    assert!(fields.iter().all(|(name, _)| name != "Content-Type"));
    assert_eq!(body, "");
}

#[test]
fn a_site_that_would_leave_its_place_in_the_path_is_refused() {
    let provider = Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_SITE };
    for site in ["", ".", ".."] {
        let manager = TokenManager::new(START, &provider, Identity::site(site), Slots::new([0; 64], 64), 0);
        assert_eq!(manager.map(drop), Err(Error::InvalidProvider), "{site:?}");
    }
    let manager = TokenManager::new(START, &provider, Identity::CLIENT, Slots::new([0; 64], 64), 0);
    assert_eq!(manager.map(drop), Err(Error::InvalidProvider));
}

#[test]
fn credentials_must_fit_the_grant_and_be_fit_to_send() {
    let check = |provider: &Provider<'_>, grant, credentials: Credentials<'_>| {
        request(provider, grant, &credentials).map(drop)
    };
    let raw = Provider { base_url: Some("https://api.example"), ..providers::OPOWER };
    let site = Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_SITE };
    let wrong = Err(Error::WrongCredentials);
    assert_eq!(check(&BASE, Grant::ClientCredentials, Credentials { client_id: "", ..CREDENTIALS }), wrong);
    assert_eq!(
        check(&BASE, Grant::ClientCredentials, Credentials { client_secret: "", ..CREDENTIALS }),
        wrong
    );
    assert_eq!(check(&BASE, Grant::Password, Credentials { username: "", ..CREDENTIALS }), wrong);
    assert_eq!(check(&BASE, Grant::Password, Credentials { password: "", ..CREDENTIALS }), wrong);
    assert_eq!(check(&raw, Grant::ClientCredentials, Credentials { client_id: "a:b", ..CREDENTIALS }), wrong);
    assert_eq!(check(&site, Grant::SiteToken, Credentials { bearer: "", ..CREDENTIALS }), wrong);
    assert_eq!(check(&site, Grant::SiteToken, Credentials { bearer: "a\r\nX: 1", ..CREDENTIALS }), wrong);
    assert_eq!(
        check(&raw, Grant::ClientCredentials, Credentials { username: "", password: "", ..CREDENTIALS }),
        Ok(())
    );
}

#[test]
fn secrets_go_over_https_only() {
    let plain = Provider { base_url: Some("http://id.example/token"), ..BASE };
    assert_eq!(request(&plain, Grant::Password, &CREDENTIALS), Err(Error::OriginNotAllowed));
    let local = Provider { base_url: Some("http://127.0.0.1:9/token"), ..BASE };
    assert_eq!(request(&local, Grant::Password, &CREDENTIALS), Err(Error::OriginNotAllowed));
    let allowed = Provider { loopback_http: Some(LoopbackHttp::ALLOWED), ..local };
    assert!(request(&allowed, Grant::Password, &CREDENTIALS).is_ok());
    let nothing = Provider { base_url: Some(""), ..BASE };
    assert_eq!(request(&nothing, Grant::Password, &CREDENTIALS), Err(Error::BadUrl));
}

#[test]
fn a_token_path_never_changes_the_host_that_secrets_go_to() {
    for (base_url, token_path) in [
        ("https://login.acme.example", "oauth/token"),
        ("https://login.acme.example", ".evil.example/t"),
        ("https://login.acme.example", "@evil.example/t"),
        ("https://login.acme.example", ":8443/t"),
        ("https://login.acme.example?x=", "/t"),
        ("https://login.acme.example#", "/t"),
    ] {
        let provider = Provider { base_url: Some(base_url), token_path: Some(token_path), ..BASE };
        assert_eq!(
            request(&provider, Grant::Password, &CREDENTIALS),
            Err(Error::BadUrl),
            "{base_url} {token_path}"
        );
    }
}

#[test]
fn a_request_for_a_site_needs_one_that_stays_in_its_place() {
    let provider = Provider { base_url: Some("https://api.example"), ..providers::FLIP_ENERGY_SITE };
    for subject in [Identity::CLIENT, Identity::site(""), Identity::site("."), Identity::site("..")] {
        let written = TokenRequest::new(&provider, subject, Grant::SiteToken, &CREDENTIALS)
            .write(&mut [0; 256])
            .map(drop);
        assert_eq!(written, Err(Error::InvalidProvider), "{subject:?}");
    }
}

#[test]
fn a_request_is_written_whole_or_wiped() {
    let write = |size: usize| {
        let mut out = vec![0xAA; size];
        let request = TokenRequest::new(&BASE, Identity::CLIENT, Grant::Password, &CREDENTIALS);
        let written = request.write(&mut out).map(drop);
        (written, out)
    };
    let fits = |size: &usize| match write(*size) {
        (Ok(()), _) => true,
        (Err(Error::BufferTooSmall { needed }), out) => {
            assert!(needed > *size && out.iter().all(|byte| *byte == 0));
            false
        }
        (Err(error), _) => panic!("{error}"),
    };
    let needed = (0..1024).find(fits).expect("a size that does");
    assert_eq!(write(needed - 1).0, Err(Error::BufferTooSmall { needed }));
}

#[test]
fn no_secret_stands_in_a_url() {
    for provider in [
        BASE,
        Provider { base_url: Some("https://api.example"), ..providers::FLUME },
        Provider { base_url: Some("https://api.example"), ..providers::OPOWER },
        providers::FLUTE_SANDBOX,
    ] {
        for grant in [Grant::Password, Grant::ClientCredentials, Grant::RefreshToken] {
            let (url, ..) = request(&provider, grant, &CREDENTIALS).expect("a request");
            for secret in ["s&cret", "s%26cret", "pa ss", "pa+ss", "client.token", "r\u{fc}"] {
                assert!(!url.contains(secret), "{url}");
            }
        }
    }
}

#[cfg(feature = "heapless")]
#[test]
fn an_owned_header_and_request_are_what_was_written() {
    let field = Bearer::new("tok").expect("a token").to_heapless::<10>().expect("room");
    assert_eq!(field, "Bearer tok");
    let small = Bearer::new("tok").expect("a token").to_heapless::<9>();
    assert_eq!(small.map(drop), Err(Error::BufferTooSmall { needed: 10 }));

    let provider = Provider { base_url: Some("https://api.example"), ..providers::OPOWER };
    let mut out = [0; 512];
    let written = TokenRequest::new(&provider, Identity::CLIENT, Grant::ClientCredentials, &CREDENTIALS)
        .write(&mut out)
        .expect("a request");
    let owned = written.to_heapless::<256>().expect("room");
    let again = owned.as_request();
    assert_eq!((again.url(), again.authorization()), (written.url(), written.authorization()));
    assert_eq!((again.content_type(), again.body()), (written.content_type(), written.body()));
    let needed = written.url().len() + written.authorization().map_or(0, str::len) + written.body().len();
    assert_eq!(written.to_heapless::<16>().map(drop), Err(Error::BufferTooSmall { needed }));
    assert_eq!(format!("{owned:?}"), "OwnedRequest(..)");
}

/// A manager over a heapless vector, as over any storage.
#[cfg(feature = "heapless")]
#[test]
fn a_heapless_vector_of_full_length_is_storage() {
    let mut vector = heapless::Vec::<u8, 64>::new();
    vector.resize(64, 0).expect("room");
    let provider = Provider::custom();
    let mut manager =
        TokenManager::new(START, &provider, Identity::CLIENT, Slots::new(vector, 64), 0).expect("a manager");
    manager.install(START, None, &TokenResponse::new("tok").with_expires_in(60)).expect("a token");
    assert!(manager.poll(START).usable);
}

#[test]
fn a_place_without_an_end_is_an_invalid_provider() {
    let check = |value: &str, target| {
        let parameters = [Parameter::new("audience", value).on(target)];
        let told = Requests { parameters: Some(&parameters), ..Requests::STANDARD };
        let provider = Provider { requests: Some(&told), ..BASE };
        let additions = Additions { values: &[("a", "1")], ..Additions::default() };
        TokenRequest::new(&provider, Identity::CLIENT, Grant::ClientCredentials, &CREDENTIALS)
            .with_additions(&additions)
            .write(&mut [0; 512])
            .map(|_| ())
    };
    for value in ["{", "x{a", "{a}{", "{access_token"] {
        assert_eq!(check(value, Target::Token), Err(Error::InvalidProvider), "{value}");
        assert_eq!(check(value, Target::Refresh), Ok(()), "{value}: not of this request");
    }
    for value in ["{a}", "{a}{a}x", "}", "a}b", "{access_token}{a}"] {
        assert_eq!(check(value, Target::Token), Ok(()), "{value}");
    }
    for value in ["{}", "{b}", "{a}{b}", "{a }"] {
        assert_eq!(check(value, Target::Token), Err(Error::WrongCredentials), "{value}");
    }
}

#[test]
fn requests_without_what_writes_them_are_an_invalid_provider() {
    let told = Requests { writer: None, scope_on_refresh: true, ..Requests::STANDARD };
    let provider = Provider { name: "acme", requests: Some(&told), ..BASE };
    assert_eq!(provider.fault(), Some("requests"));
    let slots = Slots::new([0; 64], 32);
    let mut manager = TokenManager::new(START, &provider, Identity::CLIENT, slots, 0).expect("a manager");
    assert_eq!(manager.begin(START, &CREDENTIALS, &mut [0; 512]).map(|_| ()), Err(Error::InvalidProvider));
}

#[test]
fn a_refused_request_leaves_nothing_in_the_buffer() {
    let told = Requests { headers: Some(&[("x-api-key", "{key}")]), ..Requests::STANDARD };
    let provider = Provider { requests: Some(&told), ..BASE };
    let mut out = [0; 512];
    let refused = TokenRequest::new(&provider, Identity::CLIENT, Grant::ClientCredentials, &CREDENTIALS)
        .write(&mut out)
        .map(|_| ());
    assert_eq!((refused, out), (Err(Error::WrongCredentials), [0; 512]));
}

#[test]
fn an_extension_grant_without_a_name_is_an_invalid_provider() {
    let told = Requests::STANDARD;
    for requests in [None, Some(&told)] {
        let provider = Provider { primary_grant: Some(Grant::Extension), requests, ..BASE };
        assert_eq!(request(&provider, Grant::Extension, &CREDENTIALS), Err(Error::InvalidProvider));
    }
}
