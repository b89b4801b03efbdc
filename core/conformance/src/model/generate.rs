//! Random scenarios, made with the model running alongside so that steps can aim at its instants.

mod rounds;
mod sign_in;

use super::json::{self, Json};
use super::presets::{Authentication, Grant};
use super::wire::{BASE64URL, base64, form_encode, path_encode, write_http_date};
use super::{Next, Replay};
use crate::dice::Dice;
use serde_json::{Map, Value, json};

/// A random scenario without `expect`, the same for the same seed.
pub(crate) fn generate(seed: u64, with_storage: bool) -> Value {
    let generator = Generator::new(seed, with_storage);
    if with_storage { generator.scenario_with_storage() } else { generator.scenario() }
}

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a hundred cases.
    fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    /// A name from a list with weights.
    fn weighted<'a>(&mut self, from: &[(&'a str, u64)]) -> &'a str {
        let mut left = self.below(from.iter().map(|(_, w)| w).sum());
        for (name, weight) in from {
            if left < *weight {
                return name;
            }
            left -= weight;
        }
        from[0].0
    }
}

struct Generator {
    dice: Dice,
    /// Numbers for tokens and names that no other has.
    fresh: u64,
    /// The names of all requests.
    begun: Vec<String>,
    /// What the service of this scenario tends to do.
    mood: &'static str,
    seen_tokens: Vec<String>,
    seen_refresh: Vec<String>,
    /// The largest `at` since the manager was made.
    at: u64,
    with_storage: bool,
    /// In so many of a hundred cases a load or a store fails.
    failing: u64,
    /// How often somebody changes what is in storage.
    tampering: u64,
    /// For so many rounds the turn does not change.
    stays: u64,
    /// In so many of a hundred cases something else is done than `poll` says.
    disobeying: u64,
    /// In so many of a hundred cases somebody signs in.
    signing: u64,
    /// The names of all requests of devices.
    begun_by_device: Vec<String>,
}

const CODES: [&str; 12] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "slow_down",
    "temporarily_unavailable",
    "server_error",
    "access_denied",
    "authorization_pending",
    "weird code",
];

impl Generator {
    fn new(seed: u64, with_storage: bool) -> Generator {
        Generator {
            dice: Dice(seed ^ 0x0074_6F6B_656E),
            fresh: 0,
            begun: Vec::new(),
            mood: "mixed",
            seen_tokens: Vec::new(),
            seen_refresh: Vec::new(),
            at: 0,
            with_storage,
            failing: 0,
            tampering: 0,
            stays: 0,
            disobeying: 0,
            signing: 0,
            begun_by_device: Vec::new(),
        }
    }

    fn scenario(mut self) -> Value {
        let mut scenario = self.setting();
        let head = scenario.clone();
        let mut replay = Replay::new(&head);
        let count = self.dice.between(5, 60).max(self.dice.between(5, 60));
        let mut steps = Vec::new();
        while (steps.len() as u64) < count {
            let step =
                if self.dice.percent(self.signing) { self.sign_in_step(&replay) } else { self.step(&replay) };
            let did = step["do"].clone();
            let result = replay.step(&step);
            self.learn(&step, &result);
            let at = step["at"].clone();
            steps.push(step);
            if did != "poll" && (steps.len() as u64) < count && self.dice.percent(40) {
                let poll = json!({"at": at, "do": "poll"});
                replay.step(&poll);
                steps.push(poll);
            }
        }
        scenario["steps"] = Value::Array(steps);
        scenario
    }

    // ---- the setting

    fn setting(&mut self) -> Value {
        let mut scenario = Map::new();
        scenario.insert("name".into(), json!("a random scenario"));
        self.mood = self.dice.weighted(&[("mixed", 48), ("refusing", 24), ("slow", 12), ("steady", 16)]);
        let flume = if self.mood == "refusing" { 50 } else { 14 };
        let without_refresh = if self.with_storage { 2 } else { 4 };
        let provider = self.dice.weighted(&[
            ("flip_utility", 2 * without_refresh),
            ("flip_utility_api_key", without_refresh),
            ("flip_energy_client", without_refresh),
            ("flip_energy_site", 2 * without_refresh),
            ("flume", flume),
            ("opower", 2 * without_refresh),
            ("flute", 14),
            ("custom", 40),
        ]);
        let base_url = self.dice.pick(&[
            "https://utility.example",
            "https://utility.example:8443",
            "https://API.flip.example",
            "http://127.0.0.1:8080",
        ]);
        if self.dice.percent(10) {
            scenario.insert("account".into(), json!("somebody"));
        }
        scenario.insert("provider".into(), json!(provider));
        match provider {
            "flip_utility" | "flip_utility_api_key" | "flute" => {
                let environment = self.dice.pick(&["sandbox", "production"]);
                scenario.insert("environment".into(), json!(environment));
            }
            "custom" => {
                let custom = self.custom();
                if custom["token_url"].as_str().is_some_and(|u| u.contains("{site}"))
                    || custom["routes"].is_array() && self.dice.percent(60)
                {
                    scenario.insert("site".into(), json!(self.site()));
                }
                scenario.insert("provider".into(), custom);
            }
            _ => {
                scenario.insert("base_url".into(), json!(base_url));
                if base_url.starts_with("http:") {
                    scenario.insert("allow_loopback_http".into(), json!(true));
                }
                if provider == "flip_energy_site" {
                    scenario.insert("site".into(), json!(self.site()));
                    let issuer = self.dice.pick(&["client_token", "client_token", "backend"]);
                    scenario.insert("issued_by".into(), json!(issuer));
                }
            }
        }
        self.signing = if provider == "custom" { self.dice.pick(&[0, 0, 0, 10, 40, 80]) } else { 1 };
        if self.dice.percent(10) {
            scenario.insert("allow_loopback_http".into(), json!(true));
        }
        scenario.insert("credentials".into(), self.credentials());
        if self.dice.percent(60) {
            scenario.insert("additions".into(), json!({"values": [["tenant", "acme"]], "parameters": []}));
        }
        if self.dice.percent(25) {
            let access = self.dice.pick(&[4, 8, 16, 2048]);
            let refresh = self.dice.pick(&[4, 8, 16, 2048]);
            scenario.insert("capacity".into(), json!({"access": access, "refresh": refresh}));
        }
        scenario.insert("policy".into(), self.policy());
        if self.dice.percent(80) {
            let seed = self.dice.next() >> 12;
            scenario.insert("seed".into(), json!(seed));
        }
        if self.dice.percent(70) {
            let wall = self.dice.pick(&[0, 1000, 1_700_000_000, 1_763_720_000]);
            scenario.insert("wall".into(), json!(wall));
        }
        Value::Object(scenario)
    }

    fn site(&mut self) -> String {
        self.dice.pick(&["site-1", "42", "a b", "caf\u{e9}", "x~y_z.1"]).to_owned()
    }

    fn credentials(&mut self) -> Value {
        let id = self.dice.pick(&["id", "id with space", "n\u{e4}me", "a+b/c=d&e*~"]);
        let secret = self.dice.pick(&["s&cret", "p:w%", "\u{20ac}uro", "-._*~"]);
        let mut credentials = json!({"client_id": id, "client_secret": secret, "username": "user@home",
            "password": "pa ss", "bearer": "client.token"});
        if self.dice.percent(95) {
            credentials["assertion"] = self.assertion();
        }
        credentials
    }

    fn assertion(&mut self) -> Value {
        let random = format!("{:016x}{:016x}", self.dice.next(), self.dice.next());
        let random = if self.dice.percent(97) { random } else { "5a".repeat(16) };
        let mut assertion = json!({"random_hex": random});
        if self.dice.percent(97) {
            assertion["wall"] =
                self.dice.pick(&[json!(1_700_000_000), json!(1), json!(u64::MAX.to_string())]);
        }
        if self.dice.percent(30) {
            assertion["key_id"] = json!(self.dice.pick(&["k1", "a \"b\\\u{e9}\t"]));
        }
        if self.dice.percent(30) {
            assertion["certificate_thumbprint"] = json!("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
        }
        if self.dice.percent(97) {
            assertion["algorithm"] = json!(self.dice.pick(&["ES256", "RS256", "PS256", "EdDSA"]));
        }
        if self.dice.percent(97) {
            assertion["signature_hex"] = json!(self.signature());
        }
        assertion
    }

    /// Of a length that suits an algorithm or two, or in DER that may be wrong.
    fn signature(&mut self) -> String {
        let lengths = [0, 1, 63, 64, 114, 255, 256, 384];
        let random = |dice: &mut Dice, len| (0..len).map(|_| dice.next() as u8).collect::<Vec<u8>>();
        let signature = if self.dice.percent(60) {
            let len = self.dice.pick(&lengths);
            random(&mut self.dice, len)
        } else {
            let mut numbers = Vec::new();
            for _ in 0..2 {
                let len = self.dice.pick(&[1, 31, 32, 32, 32, 33]);
                let mut number = random(&mut self.dice, len);
                if number[0] >= 128 && self.dice.percent(95) {
                    number.insert(0, 0);
                }
                numbers.extend([&[2, number.len() as u8], &*number].concat());
            }
            [&[0x30, numbers.len() as u8], &*numbers].concat()
        };
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn policy(&mut self) -> Value {
        let mut policy = Map::new();
        let mut set = |dice: &mut Dice, name: &str, percent: u64, values: &[u64]| {
            if dice.percent(percent) {
                let value = dice.pick(values);
                policy.insert(name.into(), json!(value));
            }
        };
        set(&mut self.dice, "fraction_permille", 30, &[0, 1, 500, 800, 999, 1000]);
        set(&mut self.dice, "margin_ms", 30, &[0, 1, 999, 1000, 3000, 60_000]);
        let slow = self.mood == "slow";
        let intervals: &[u64] = if slow { &[0, 1, 1000, 5000] } else { &[0, 1, 1000, 5000, 29_000, 31_000] };
        set(&mut self.dice, "min_interval_ms", if slow { 80 } else { 40 }, intervals);
        set(&mut self.dice, "jitter_permille", 70, &[0, 1, 50, 200, 200, 500, 800, 1000]);
        set(&mut self.dice, "startup_spread_ms", 20, &[1, 1000, 60_000]);
        set(&mut self.dice, "response_timeout_ms", 40, &[1000, 2500, 5000, 29_999, 60_000]);
        set(&mut self.dice, "first_backoff_ms", 30, &[1, 3, 1000, 5001]);
        set(&mut self.dice, "max_backoff_ms", 30, &[1, 1000, 4000, 9999, 7_200_000]);
        set(&mut self.dice, "max_lifetime_s", 15, &[1, 30, 31, 100, 3599]);
        set(&mut self.dice, "refresh_attempts", 70, &[1, 1, 2, 3]);
        if self.dice.percent(20) {
            policy.insert("recheck".into(), json!(false));
        }
        Value::Object(policy)
    }

    /// What departs from RFC 6749 in the requests.
    fn requests(&mut self, p: &mut Map<String, Value>, grants: &[&str]) {
        if self.dice.percent(75) {
            p.insert("device_path".into(), json!("/device"));
            if self.dice.percent(30) {
                p.insert("device_pkce".into(), json!(true));
            }
        }
        if self.dice.percent(75) {
            let url = self.dice.pick(&[
                "https://id.example/authorize",
                "https://id.example/authorize?",
                "https://id.example/authorize?a=b&x",
                "http://127.0.0.1:8080/authorize",
            ]);
            p.insert("authorization_url".into(), json!(url));
        }
        if self.dice.percent(30) {
            p.insert("issuer".into(), json!("https://id.example/a"));
        }
        if self.dice.percent(40) {
            p.insert("revocation_path".into(), json!("/revoke"));
        }
        if grants.contains(&"extension") {
            let name = self.dice.pick(&["app", "urn:ietf:params:oauth:grant-type:jwt-bearer"]);
            p.insert("extension_grant".into(), json!(name));
        }
        if self.dice.percent(15) {
            let names = self.dice.pick(&[
                json!({"client_id": "clientId", "refresh_token": "refresh"}),
                json!({"username": "e-mail"}),
            ]);
            p.insert("request_names".into(), names);
        }
        if grants.contains(&"refresh_token") {
            if self.dice.percent(20) {
                let path = self.dice.pick(&["/refresh", "/token/refresh?v=1"]);
                p.insert("refresh_path".into(), json!(path));
            }
            if p.contains_key("scope") && self.dice.percent(30) {
                p.insert("scope_on_refresh".into(), json!(true));
            }
        }
        if self.dice.percent(25) {
            let parameters = self.dice.pick(&[
                json!([{"name": "audience", "value": "https://api.example"}]),
                json!([{"name": "tenant", "value": "t-{tenant}", "on": "primary"},
                       {"name": "tenant", "value": "{tenant}", "on": "refresh"}]),
                json!([{"name": "accessToken", "value": "{access_token}", "on": "refresh"},
                       {"name": "prompt", "value": "consent", "on": "authorization"},
                       {"name": "reason", "value": "{tenant}", "on": "revocation"},
                       {"name": "b&c", "value": "{absent}", "on": "code"}]),
            ]);
            p.insert("parameters".into(), parameters);
        }
        if self.dice.percent(15) {
            let headers = self.dice.pick(&[
                json!([["x-api-key", "{tenant}"], ["X-Version", "2"]]),
                json!([["X-Old-Token", "Bearer {access_token}"]]),
            ]);
            p.insert("headers".into(), headers);
        }
    }

    /// What the caller of a request adds.
    fn additions(&mut self) -> Value {
        let values = self.dice.pick(&[
            json!([["tenant", "acme"]]),
            json!([["other", "x"], ["tenant", "a b&c"]]),
            json!([["tenant", "caf\u{e9}"]]),
            json!([["tenant", ""]]),
        ]);
        let parameters = self.dice.pick(&[
            json!([]),
            json!([["resource", "r 1"], ["empty", ""]]),
            json!([["audience", "mine"]]),
            json!([["scope", "s"]]),
            json!([["clientId", "x"], ["a", "1"], ["a", "2"]]),
            json!([["client_id", "x"]]),
        ]);
        json!({"values": values, "parameters": parameters})
    }

    fn custom(&mut self) -> Value {
        let mut p = Map::new();
        p.insert("name".into(), json!("acme"));
        if self.dice.percent(50) {
            p.insert("environment".into(), json!("test"));
        }
        let grants: &[&str] = match self.dice.below(16) {
            15 => &["extension", "refresh_token"],
            0 | 1 => &["client_credentials"],
            2..=5 => &["client_credentials", "refresh_token"],
            6 => &["password"],
            7 | 8 => &["password", "refresh_token"],
            9 => &["refresh_token", "client_credentials"],
            10..=13 => &["refresh_token"],
            _ => {
                if self.dice.percent(50) {
                    &["site_token"]
                } else {
                    &[]
                }
            }
        };
        p.insert("grants".into(), json!(grants));
        let site_token = grants.contains(&"site_token");
        if site_token {
            p.insert("token_url".into(), json!("https://id.example/site/{site}/token"));
            p.insert("authentication".into(), json!("bearer"));
        } else {
            let url = self.dice.pick(&["https://id.example/token", "https://id.example:444/{site}/token"]);
            p.insert("token_url".into(), json!(url));
            if self.dice.percent(75) {
                let ways = [
                    "basic",
                    "basic_raw",
                    "post",
                    "none",
                    "basic_id",
                    "nobody",
                    "client_secret_jwt",
                    "private_key_jwt",
                ];
                let way = self.dice.pick(&ways);
                p.insert("authentication".into(), json!(way));
            }
            if self.dice.percent(30) {
                p.insert("body".into(), json!("json"));
            }
        }
        if self.dice.percent(60) {
            let origins: &[&str] = match self.dice.below(3) {
                0 => &["https://api.example"],
                1 => &["https://api.example:8443", "https://API2.example"],
                _ => &["https://api.example:443"],
            };
            p.insert("api_origins".into(), json!(origins));
        }
        if self.dice.percent(40) {
            let scope = self.dice.pick(&["read", "read write", "a+b/~!"]);
            p.insert("scope".into(), json!(scope));
        }
        self.requests(&mut p, grants);
        if self.dice.percent(15) {
            let header = self.dice.pick(&[
                json!({"scheme": "Token"}),
                json!({"name": "X-API-Key", "scheme": ""}),
                json!({"name": "Authorization", "scheme": ""}),
            ]);
            p.insert("header".into(), header);
        }
        if self.dice.percent(15) {
            let statuses = self.dice.pick(&[json!([403]), json!([419, 498])]);
            p.insert("expired_status".into(), statuses);
        }
        if self.dice.percent(20) {
            let path = self.dice.pick(&["data[0]", "data[1]", "result"]);
            p.insert("member_path".into(), json!(path));
        }
        if self.dice.percent(20) {
            let path = self.dice.pick(&["detailed[0]", "detailed[0]", "error.code", "error", "status"]);
            p.insert("error_path".into(), json!(path));
        }
        if self.dice.percent(10) {
            p.retain(|fact, _| fact != "member_path" && fact != "error_path");
            p.insert("answer".into(), json!("form"));
        }
        if self.dice.percent(15) {
            let names = self.dice.pick(&[
                json!({"access_token": "accessToken", "expires_in": "expiresIn", "refresh_token": "refreshToken"}),
                json!({"access_token": "token", "token_type": "access_token"}),
                json!({"error": "code", "error_description": "error", "scope": "x-scope"}),
            ]);
            p.insert("members".into(), names);
        }
        if self.dice.percent(20) {
            let names = self.dice.pick(&[
                json!(["refresh_expires_in"]),
                json!(["rt_life", "refresh_expires_in"]),
                json!([]),
            ]);
            p.insert("refresh_expires_in".into(), names);
        }
        if self.dice.percent(12) {
            p.insert("refresh_idle_s".into(), json!(self.dice.pick(&[0, 20, 60, 1800, 86_400])));
        }
        if self.dice.percent(15) {
            let unit = self.dice.pick(&[json!({"member": "ends"}), json!({"member": "ends", "unit": "ms"})]);
            p.insert("expires_at".into(), unit);
        }
        if self.dice.percent(25) {
            p.insert(
                "error_codes".into(),
                json!({"E17": "invalid_grant", "E18": "invalid_client", "weird code": "slow_down"}),
            );
        }
        if self.dice.percent(15) {
            p.remove("api_origins");
            p.insert("any_https_origin".into(), json!(true));
        }
        if self.dice.percent(20) {
            p.insert("token_type_aliases".into(), json!(["User Access Token"]));
        }
        if self.dice.percent(20) {
            p.insert("token_alphabet".into(), json!("visible"));
        }
        if self.dice.percent(60) {
            let missing = self.dice.pick(&[
                json!({"jwt_expiry_else": 60}),
                json!({"assume": 100}),
                json!({"assume": 1}),
                json!({"assume": 0}),
                json!({"jwt_expiry_else": 0}),
                json!("never"),
                json!("refuse"),
            ]);
            p.insert("missing_lifetime".into(), missing);
        }
        if self.dice.percent(30) {
            let zero = self.dice.pick(&["expired", "never"]);
            p.insert("zero_lifetime".into(), json!(zero));
        }
        if site_token || self.dice.percent(15) {
            p.insert(
                "routes".into(),
                json!([{"method": "GET", "path": "/v1/site/{site}/devices", "token": "site"},
                       {"method": "GET", "path": "/v1/sites", "token": "client"},
                       {"method": "PUT", "path": "/v1/site/{other}/devices", "token": "client"}]),
            );
        }
        if self.dice.percent(15) {
            p.insert("policy".into(), json!({"margin_ms": 2000, "fraction_permille": 700}));
        }
        if self.dice.percent(10) {
            p.insert("exposure".into(), json!("app_allowed"));
        }
        Value::Object(p)
    }

    // ---- one step

    fn fresh(&mut self) -> u64 {
        self.fresh += 1;
        self.fresh
    }

    /// A time for the next step.
    fn time(&mut self, replay: &Replay<'_>) -> u64 {
        let now = self.at;
        let (next, _) = replay.manager().next_at(now);
        let soon = match next {
            Next::Await(_) => 75,
            Next::Request(_) => 50,
            Next::Supply(_) => 30,
            _ => 0,
        };
        if self.mood != "mixed" && next == Next::Wait && self.dice.percent(60) {
            return replay.manager().poll_at(now).unwrap_or(now);
        }
        if self.dice.percent(soon) {
            return now + if self.dice.percent(50) { 0 } else { self.dice.below(900) };
        }
        let around = |dice: &mut Dice, t: u64| (t + dice.below(3)).saturating_sub(1);
        let t = match self.dice.below(100) {
            0..=29 => now,
            30..=59 => match replay.manager().poll_at(now) {
                Some(t) => around(&mut self.dice, t),
                None => now + self.dice.below(2000),
            },
            60..=74 => {
                let mut instants: Vec<u64> =
                    replay.manager().instants().into_iter().filter(|t| *t + 1 >= now).collect();
                if let Some(token) = &replay.manager().token {
                    let interval = replay.manager().policy.min_interval_ms;
                    instants.extend(token.received.map(|t| t + interval).filter(|t| *t + 1 >= now));
                }
                if instants.is_empty() {
                    now + self.dice.below(40_000)
                } else {
                    let t = self.dice.pick(&instants);
                    around(&mut self.dice, t)
                }
            }
            75..=88 => now + self.dice.below(5000),
            89..=92 => now + self.dice.below(60_000),
            93..=94 => now + self.dice.below(36_000_000),
            _ => now.saturating_sub(self.dice.below(8000)),
        };
        // Not before the manager was made, and small enough that no time wraps anywhere.
        t.clamp(replay.here().made_at, now + 400_000_000)
    }

    fn step(&mut self, replay: &Replay<'_>) -> Value {
        let at = self.time(replay);
        let (next, usable) = replay.manager().next_at(at);
        let late = replay.manager().out.as_ref().is_some_and(|_| next != Next::Await(false));
        let kinds: &[(&str, u64)] = match next {
            Next::Request(_) => &[("begin", 70), ("any", 12), ("poll", 6), ("rejected", 4)],
            Next::Await(_) => &[("answer", 66), ("failed", 6), ("any", 12), ("poll", 8)],
            Next::Nothing => &[("authorize", 12), ("rejected", 24), ("renew", 20), ("poll", 14), ("any", 12)],
            Next::Wait if self.mood != "mixed" => {
                &[("poll", 76), ("any", 14), ("rejected", 6), ("authorize", 4)]
            }
            Next::Wait => &[("poll", 50), ("any", 30), ("rejected", 12), ("authorize", 8)],
            Next::Supply(ref reason) if reason == "no_token" => &[("install", 60), ("any", 24), ("poll", 16)],
            Next::Load | Next::Store(_) => &[("poll", 1)],
            Next::Supply(_) => &[("install", 40), ("retry", 30), ("any", 15), ("poll", 15)],
        };
        let mut kind = self.dice.weighted(kinds);
        if late && self.dice.percent(35) {
            kind = "answer";
        }
        if kind == "any" {
            kind = self.dice.weighted(&[
                ("begin", 10),
                ("answer", 10),
                ("failed", 5),
                ("rejected", 14),
                ("authorize", 10),
                ("install", 10),
                ("renew", 10),
                ("retry", 6),
                ("clear", 5),
                ("answer_revocation", 2),
                ("signing_input", 2),
                ("make", 6),
            ]);
        }
        let mut step = Map::new();
        step.insert("at".into(), json!(at));
        step.insert("do".into(), json!(kind));
        match kind {
            "begin" => self.begin(&mut step, replay),
            "signing_input" => self.other_credentials(&mut step, replay, 50),
            "answer" => self.answer(&mut step, replay, at),
            "answer_revocation" => self.answer_body(&mut step, replay, at),
            "clear" => self.sign_out(&mut step),
            "failed" => self.name_request(&mut step),
            "rejected" => self.rejected(&mut step, replay),
            "authorize" => self.authorize(&mut step, replay),
            "install" => self.install(&mut step, replay, at, usable),
            "make" => {
                // A new process may start its clock anywhere.
                let at = if self.dice.percent(25) { self.dice.below(1000) } else { at };
                step = self.made(replay, at);
            }
            _ => {}
        }
        Value::Object(step)
    }

    /// Notes what a step has brought.
    fn learn(&mut self, step: &Value, result: &Value) {
        let at = step["at"].as_u64().unwrap_or(0);
        self.at = if step["do"] == "make" { at } else { self.at.max(at) };
        if step["do"] == "begin" && result["error"].is_null() {
            self.begun.push(step["as"].as_str().unwrap_or("").to_owned());
        }
    }

    fn begin(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>) {
        let name = format!("r{}", self.fresh());
        step.insert("as".into(), json!(name));
        if self.dice.percent(12) {
            step.insert("additions".into(), self.additions());
        }
        self.other_credentials(step, replay, 12);
    }

    /// Other credentials than the file's, in so many of a hundred cases: some lack what they need.
    fn other_credentials(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>, percent: u64) {
        if self.dice.percent(percent) {
            let mut credentials = self.credentials();
            let member = self.dice.pick(&["client_id", "client_secret", "username", "password", "bearer"]);
            match self.dice.below(4) {
                0 => credentials[member] = json!(""),
                1 => {
                    if let Some(members) = credentials.as_object_mut() {
                        members.remove(member);
                    }
                }
                2 if replay.manager().provider.authentication != Authentication::Bearer => {
                    credentials["client_id"] = json!("with:colon");
                }
                _ => {}
            }
            step.insert("credentials".into(), credentials);
        }
    }

    /// Somebody signs out, and half of the time the service is to hear of it.
    fn sign_out(&mut self, step: &mut Map<String, Value>) {
        if self.dice.percent(50) {
            step.insert("do".into(), json!("revoke"));
            if self.dice.percent(25) {
                step.insert("additions".into(), self.additions());
            }
        }
    }

    /// Names a request: mostly the last, now and then an older one.
    fn name_request(&mut self, step: &mut Map<String, Value>) {
        let known = self.begun.clone();
        match known.last() {
            None => _ = step.insert("do".into(), json!("poll")),
            Some(last) => {
                let name = if self.dice.percent(88) { last.clone() } else { self.dice.pick(&known) };
                if name != *last || self.dice.percent(40) {
                    step.insert("request".into(), json!(name));
                }
            }
        }
    }

    // ---- bodies

    fn access(&mut self, replay: &Replay<'_>) -> String {
        let stored = replay.manager().token.as_ref().map(|t| String::from_utf8_lossy(&t.bytes).into_owned());
        match (stored, self.dice.below(100)) {
            (Some(stored), 0..=11) => stored,
            (_, 12..=15) if !self.seen_tokens.is_empty() => {
                let seen = self.seen_tokens.clone();
                self.dice.pick(&seen)
            }
            (_, 16..=25) => self.long_token(16, 2048),
            _ => {
                let n = self.fresh();
                let token = match self.dice.below(8) {
                    0 => format!("a{n}=="),
                    1 => format!("a.{n}/+~-_"),
                    2 if replay.manager().provider.visible_alphabet => format!("Atza|{n}"),
                    _ => format!("a{n}"),
                };
                self.seen_tokens.push(token.clone());
                token
            }
        }
    }

    fn long_token(&mut self, small: u64, large: u64) -> String {
        let size = if self.dice.percent(80) { small } else { large };
        let size = (size + self.dice.below(3)).saturating_sub(1);
        let n = self.fresh();
        format!("{n:x<width$}", width = size as usize)
    }

    fn refresh(&mut self, replay: &Replay<'_>) -> Value {
        let held = replay.manager().refresh.as_ref().map(|t| String::from_utf8_lossy(t).into_owned());
        match (held, self.dice.below(100)) {
            (Some(held), 0..=14) => json!(held),
            (_, 15..=18) => json!(""),
            (_, 19..=22) => Value::Null,
            (_, 23..=26) if !self.seen_refresh.is_empty() => {
                let seen = self.seen_refresh.clone();
                json!(self.dice.pick(&seen))
            }
            (_, 27..=34) => json!(self.long_token(8, 2048)),
            _ => {
                let token = format!("R{}", self.fresh());
                self.seen_refresh.push(token.clone());
                json!(token)
            }
        }
    }

    /// The text of an `expires_in` value.
    fn lifetime(&mut self, replay: &Replay<'_>, at: u64) -> String {
        let seconds = match self.dice.below(10) {
            0 => {
                // Ends about `min_interval` from now: the edge of `same_token`.
                let begun = replay.manager().out.as_ref().map_or(at, |out| out.begun);
                let left = at.saturating_sub(begun) + replay.manager().policy.min_interval_ms;
                (left / 1000 + self.dice.below(4)).saturating_sub(1)
                    * if self.dice.percent(30) { 10 } else { 1 }
                    / 9_u64.pow(u32::from(self.dice.percent(10)))
            }
            1 => self.dice.pick(&[0, 1, 2, 10]),
            2..=4 => self.dice.pick(&[29, 30, 31, 33, 34, 60, 99, 100, 101]),
            _ => self.dice.pick(&[100, 300, 3599, 3600, 3601, 604_800]),
        };
        match self.dice.below(20) {
            0 => format!("\"{seconds}\""),
            1 => format!("{seconds}.0"),
            2 => format!("{seconds}.999"),
            3 => format!("{seconds}e0"),
            4 => format!("{seconds}0E-1"),
            5 => "3.6e3".to_owned(),
            6 => self.dice.pick(&[
                "99999999999999999999999".to_owned(),
                "\"340282366920938463463374607431768211456\"".to_owned(),
                "1e400".to_owned(),
                "0.5".to_owned(),
                "4e-1".to_owned(),
                "\"00060\"".to_owned(),
            ]),
            _ => seconds.to_string(),
        }
    }

    fn jwt(&mut self, wall: u64) -> String {
        let expiry = match self.dice.below(6) {
            0 => json!({"sub": "x"}),
            1 => json!({"exp": wall}),
            2 => json!({"exp": wall.saturating_sub(5)}),
            3 => json!({"exp": wall + self.dice.below(40), "iat": wall}),
            _ => json!({"iat": wall, "exp": wall + self.dice.pick(&[100, 300, 3600, 5_000_000_000])}),
        };
        let part = |text: String| base64(text.as_bytes(), BASE64URL, false);
        format!("{}.{}.c2ln{}", part("{\"alg\":\"none\"}".to_owned()), part(expiry.to_string()), self.fresh())
    }

    /// The members of a good token answer, as JSON texts.
    fn token_members(&mut self, replay: &Replay<'_>, at: u64) -> Vec<(String, String)> {
        let mut members = Vec::new();
        let wall = replay.here().wall(at);
        let missing = self.dice.percent(12);
        let access = if missing && self.dice.percent(60) && (wall.is_some() || self.dice.percent(20)) {
            self.jwt(wall.unwrap_or(1000))
        } else {
            self.access(replay)
        };
        let mut spelled = json!(access).to_string();
        if self.dice.percent(6) {
            spelled = spelled.replace('a', "\\u0061").replace('/', "\\/");
        }
        members.push(("access_token".to_owned(), spelled));
        if !missing {
            members.push(("expires_in".to_owned(), self.lifetime(replay, at)));
        } else if self.dice.percent(20) {
            members.push(("expires_in".to_owned(), "null".to_owned()));
        }
        for name in replay.manager().provider.refresh_lives.clone().unwrap_or_default() {
            if self.dice.percent(55) {
                let life = self.dice.pick(&[
                    "1800",
                    "60",
                    "31",
                    "7",
                    "1",
                    "86400",
                    "0",
                    "null",
                    "\"900\"",
                    "-1",
                    "1e3",
                    "99999999999",
                    "\"\"",
                    "true",
                    "4294967295",
                    "4294967296",
                    "[60]",
                ]);
                members.push((name, life.to_owned()));
            }
        }
        if let Some((name, in_a_second)) = replay.manager().provider.expires_at.clone()
            && self.dice.percent(if missing { 70 } else { 15 })
        {
            let end = wall.unwrap_or(1000) + self.dice.pick(&[0, 20, 100, 3600]);
            let end = (end.saturating_sub(self.dice.pick(&[0, 0, 0, 30])) * in_a_second).to_string();
            let spelled = self.dice.pick(&[
                end.clone(),
                end.clone(),
                format!("\"{end}\""),
                format!("{end}.7"),
                "null".to_owned(),
                "\"2024-11-28\"".to_owned(),
                "1e300".to_owned(),
                "-1".to_owned(),
                "0".to_owned(),
            ]);
            for _ in 0..self.dice.pick(&[1, 1, 1, 1, 1, 2]) {
                members.push((name.clone(), spelled.clone()));
            }
        }
        if self.dice.percent(74) {
            let aliases = &replay.manager().provider.token_type_aliases;
            let kind = match self.dice.below(13) {
                0 => "BEARER".to_owned(),
                1 => "bearer".to_owned(),
                2 if !aliases.is_empty() => aliases[0].clone(),
                _ => "Bearer".to_owned(),
            };
            members.push(("token_type".to_owned(), json!(kind).to_string()));
        }
        if self.dice.percent(if replay.manager().provider.refreshes() { 65 } else { 10 }) {
            members.push(("refresh_token".to_owned(), self.refresh(replay).to_string()));
        }
        if self.dice.percent(20) {
            let scope = self.dice.pick(&["\"read write\"", "[\"read\",\"write\"]", "[]", "null", "\"\""]);
            members.push(("scope".to_owned(), scope.to_owned()));
        }
        if self.dice.percent(15) {
            let extra = self.dice.pick(&[
                "{\"access_token\":[1,{\"a\":null}]}",
                "\"\\ud83d\\ude00\"",
                "-0.1e-5",
                "[[[]]]",
            ]);
            members.push(("extra".to_owned(), extra.to_owned()));
        }
        if self.dice.percent(5) {
            let empty = self.dice.pick(&["null", "\"\""]);
            members.push(("error".to_owned(), empty.to_owned()));
        }
        members
    }

    fn object(&mut self, members: &[(String, String)]) -> String {
        let mut members = members.to_vec();
        for at in (1..members.len()).rev() {
            let other = self.dice.below(at as u64 + 1) as usize;
            members.swap(at, other);
        }
        let space = self.dice.pick(&["", "", "", " ", "\n\t"]);
        let texts: Vec<String> = members.iter().map(|(n, v)| format!("{space}\"{n}\":{space}{v}")).collect();
        format!("{{{}{space}}}", texts.join(","))
    }

    /// Puts an object where the provider's member path wants it.
    fn wrapped(&mut self, replay: &Replay<'_>, members: &[(String, String)]) -> String {
        let error: Vec<_> = members.iter().filter(|(n, _)| n == "error").cloned().collect();
        let rest: Vec<_> = members.iter().filter(|(n, _)| n != "error").cloned().collect();
        let object = self.object(&rest);
        let mut outer = match replay.manager().provider.member_path.as_str() {
            "" => return self.object(members),
            "data[0]" => vec![("data".to_owned(), format!("[{object}]"))],
            "data[1]" => vec![("data".to_owned(), format!("[{{\"access_token\":\"no\"}},{object}]"))],
            name => vec![(name.to_owned(), object)],
        };
        outer.extend(error);
        if self.dice.percent(20) {
            outer.push(("access_token".to_owned(), "\"elsewhere\"".to_owned()));
        }
        if self.dice.percent(30) {
            outer.push(("success".to_owned(), "true".to_owned()));
        }
        self.object(&outer)
    }

    fn error_body(&mut self, replay: &Replay<'_>) -> String {
        let provider = &replay.manager().provider;
        let refreshing = replay.manager().out.as_ref().is_some_and(|out| out.grant == Grant::RefreshToken);
        let mut code = match (self.mood, self.dice.below(100)) {
            ("refusing", 0..=24) if refreshing && self.with_storage => "invalid_grant",
            ("refusing", 0..=74) => {
                self.dice.pick(&["weird", "access_denied", "expired_token", "server_error"])
            }
            ("slow", 0..=69) => "slow_down",
            (_, n) if n < if refreshing { 40 } else { 20 } => "invalid_grant",
            _ => self.dice.pick(&CODES),
        };
        if !provider.error_codes.is_empty() && self.dice.percent(40) {
            code = self.dice.pick(&["E17", "E18", "E19", "weird code"]);
        }
        let at_path = !provider.error_path.is_empty() && self.dice.percent(70);
        let mut members = Vec::new();
        if at_path {
            let number = self.dice.pick(&["16", "0", "-1", "1e3"]).to_owned();
            let spelled = if self.dice.percent(40) { number } else { json!(code).to_string() };
            let (name, holder) = match provider.error_path.as_str() {
                "error.code" => ("error", format!("{{\"code\":{spelled}}}")),
                "detailed[0]" => ("detailed", format!("[{spelled}]")),
                name => (name, spelled),
            };
            members.push((name.to_owned(), holder));
            if name != "error" && self.dice.percent(20) {
                members.push(("error".to_owned(), self.dice.pick(&["null", "\"\""]).to_owned()));
            }
        } else {
            members.push(("error".to_owned(), json!(code).to_string()));
        }
        if self.dice.percent(30) {
            members.push(("error_description".to_owned(), "\"no \\u00fc\"".to_owned()));
        }
        if self.dice.percent(10) {
            members.push(("error_uri".to_owned(), "null".to_owned()));
        }
        self.object(&members)
    }

    fn set(members: &mut Vec<(String, String)>, name: &str, value: &str) {
        members.retain(|(n, _)| n != name);
        members.push((name.to_owned(), value.to_owned()));
    }

    /// A body that is refused under 2xx, as bytes.
    fn refused_body(&mut self, replay: &Replay<'_>, at: u64) -> Vec<u8> {
        let mut members = self.token_members(replay, at);
        if replay.manager().provider.refreshes() && self.dice.percent(60) {
            let refresh = self.refresh(replay).to_string();
            Self::set(&mut members, "refresh_token", &refresh);
        }
        let good = self.wrapped(replay, &members);
        let kind = self.dice.weighted(&[
            ("not_json", 8),
            ("encoded_body", 3),
            ("truncated", 8),
            ("malformed", 8),
            ("too_deep", 6),
            ("duplicate_member", 6),
            ("invalid_access_token", 10),
            ("invalid_refresh_token", 5),
            ("invalid_token_type", 6),
            ("invalid_scope_member", 5),
            ("invalid_error", 3),
            ("invalid_expires_in", 10),
            ("error_beside_token", 6),
            ("unsupported_token_type", 8),
            ("missing_lifetime", 9),
            ("too_long", 10),
            ("refresh_token_too_long", 6),
            ("already_expired", 8),
            ("two", 6),
        ]);
        match kind {
            "encoded_body" => return b"\x1f\x8b\x08\0{}"[..self.dice.pick(&[1, 2, 4, 6])].to_vec(),
            "not_json" => {
                let text = self.dice.pick(&[
                    "<html>busy</html>",
                    "access_token=a&expires_in=1",
                    "[{}]",
                    "\"x\"",
                    "\u{feff} null",
                ]);
                return text.as_bytes().to_vec();
            }
            "truncated" => {
                let mut bytes = good.into_bytes();
                // A cut inside a name or value, or before the last brace; the whole body is never kept.
                let keep = self.dice.below(bytes.len() as u64);
                bytes.truncate(keep as usize);
                if self.dice.percent(10) {
                    bytes = self.dice.pick(&[b"".to_vec(), b" \n".to_vec(), b"\xEF\xBB\xBF".to_vec()]);
                }
                return bytes;
            }
            "malformed" => {
                let mut bytes = good.into_bytes();
                match self.dice.below(5) {
                    0 => bytes.extend_from_slice(b" x"),
                    1 => bytes.extend_from_slice(b"{}"),
                    2 => {
                        let at = bytes.len() - 1;
                        bytes.splice(at..at, *b",\"n\":01");
                    }
                    3 => {
                        let at = bytes.len() - 1;
                        bytes.splice(at..at, *b",\"n\":\"\xC3\x28\"");
                    }
                    _ => {
                        let at = bytes.len() - 1;
                        bytes.splice(at..at, *b",\"n\":\"\x01\"");
                    }
                }
                return bytes;
            }
            "too_deep" => {
                let levels = self.dice.between(30, 33) as usize;
                let mut bytes = good.into_bytes();
                let at = bytes.len() - 1;
                let deep = format!(",\"n\":{}{}", "[".repeat(levels), "]".repeat(levels));
                bytes.splice(at..at, deep.into_bytes());
                return bytes;
            }
            "duplicate_member" => {
                let name =
                    self.dice.pick(&["access_token", "expires_in", "token_type", "refresh_token", "scope"]);
                let value =
                    members.iter().find(|(n, _)| n == name).map_or("null".to_owned(), |(_, v)| v.clone());
                Self::set(&mut members, name, &value);
                let again =
                    if self.dice.percent(40) { name.replacen('e', "\\u0065", 1) } else { name.to_owned() };
                members.push((again, value));
            }
            "invalid_access_token" => {
                let value = self.dice.pick(&[
                    "5",
                    "\"\"",
                    "\"a b\"",
                    "\"a\\ud800\"",
                    "\"a=b\"",
                    "\"=\"",
                    "\"a|b\"",
                    "null",
                    "\"caf\u{e9}\"",
                    "true",
                ]);
                Self::set(&mut members, "access_token", value);
                if value == "null" {
                    members.retain(|(n, _)| n != "error");
                }
            }
            "invalid_refresh_token" => {
                let value = self.dice.pick(&["5", "[\"R\"]", "\"\\udc00\"", "false"]);
                Self::set(&mut members, "refresh_token", value);
            }
            "invalid_token_type" => {
                let value = self.dice.pick(&["1", "{}", "\"\\ud83d\"", "[]"]);
                Self::set(&mut members, "token_type", value);
            }
            "invalid_scope_member" => {
                let value = self.dice.pick(&["1", "{}", "[\"a\",1]", "true", "[null]", "[\"\\udfff\"]"]);
                Self::set(&mut members, "scope", value);
            }
            "invalid_error" => {
                let value = self.dice.pick(&["1", "{}", "[]", "false"]);
                Self::set(&mut members, "error", value);
            }
            "invalid_expires_in" => {
                let value = self.dice.pick(&[
                    "-1",
                    "-0",
                    "-0.0",
                    "true",
                    "{}",
                    "[]",
                    "\"3600.0\"",
                    "\"\"",
                    "\"-1\"",
                    "\" 1\"",
                    "\"1e3\"",
                ]);
                Self::set(&mut members, "expires_in", value);
            }
            "error_beside_token" => Self::set(&mut members, "error", "\"invalid_grant\""),
            "unsupported_token_type" => {
                let value = self.dice.pick(&["\"mac\"", "\"DPoP\"", "\"N_A\"", "\"Bearer \""]);
                Self::set(&mut members, "token_type", value);
            }
            "missing_lifetime" => members.retain(|(n, _)| n != "expires_in"),
            "too_long" => {
                let size = replay.manager().capacity.0 + self.dice.below(3);
                let long = "y".repeat(size as usize);
                Self::set(&mut members, "access_token", &json!(long).to_string());
                if self.dice.percent(30) {
                    let long = "z".repeat((replay.manager().capacity.1 + self.dice.below(2)) as usize);
                    Self::set(&mut members, "refresh_token", &json!(long).to_string());
                }
            }
            "refresh_token_too_long" => {
                let long = "z".repeat((replay.manager().capacity.1 + self.dice.below(3)) as usize);
                Self::set(&mut members, "refresh_token", &json!(long).to_string());
            }
            "already_expired" => {
                let value = self.dice.pick(&["0", "\"0\"", "0.9", "1"]);
                Self::set(&mut members, "expires_in", value);
            }
            _ => {
                Self::set(&mut members, "token_type", self.dice.pick(&["\"mac\"", "7"]));
                Self::set(&mut members, "expires_in", self.dice.pick(&["-1", "0"]));
                if self.dice.percent(50) {
                    Self::set(&mut members, "scope", "{}");
                }
            }
        }
        self.wrapped(replay, &members).into_bytes()
    }

    fn answer(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>, at: u64) {
        self.name_request(step);
        if step["do"] == "answer" {
            self.answer_body(step, replay, at);
        }
    }

    fn answer_body(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>, at: u64) {
        let refreshing = replay.manager().out.as_ref().is_some_and(|out| out.grant == Grant::RefreshToken);
        let kind = match self.mood {
            "steady" => self.dice.weighted(&[("token", 90), ("error", 5), ("refused", 3), ("text", 2)]),
            "slow" => self.dice.weighted(&[("token", 40), ("error", 48), ("refused", 8), ("text", 4)]),
            // Once there is a refresh token to refuse.
            "refusing" if refreshing => {
                self.dice.weighted(&[("token", 3), ("error", 70), ("refused", 3), ("text", 24)])
            }
            "refusing" if replay.manager().refresh.is_some() || self.dice.percent(40) => {
                self.dice.weighted(&[("token", 10), ("error", 60), ("refused", 4), ("text", 26)])
            }
            _ => self.dice.weighted(&[
                ("token", 54),
                ("error", 24),
                ("refused", 16),
                ("mixed", 2),
                ("text", 4),
            ]),
        };
        let mut status = match kind {
            "token" => self.dice.pick(&[200, 200, 200, 200, 201, 204]),
            "text" => self.dice.pick(&[400, 400, 400, 404, 403, 401, 429, 503, 302, 408]),
            "error" => {
                self.dice.pick(&[400, 400, 400, 400, 401, 401, 403, 200, 201, 302, 408, 425, 429, 500, 503])
            }
            _ => self.dice.pick(&[200, 200, 200, 200, 200, 200, 201, 201, 200, 200, 400, 401, 429, 503, 302]),
        };
        let body = match kind {
            "token" => {
                let members = self.token_members(replay, at);
                self.wrapped(replay, &members).into_bytes()
            }
            "error" => self.error_body(replay).into_bytes(),
            "text" => self
                .dice
                .pick(&[
                    "<html>no</html>",
                    "",
                    "{}",
                    "{\"error\":",
                    "no",
                    "{\"error\":7}",
                    "[]",
                    "{\"e\":tru}",
                ])
                .as_bytes()
                .to_vec(),
            "mixed" => {
                status = self.dice.pick(&[400, 500, 302, 400]);
                match self.dice.below(5) {
                    0 => {
                        let members = self.token_members(replay, at);
                        self.object(&members).into_bytes()
                    }
                    1 => b"{}".to_vec(),
                    2 => b"{\"error\":7}".to_vec(),
                    3 => b"{\"error\":\"invalid_grant\",\"error_description\":[]}".to_vec(),
                    _ => b"{\"error\":\"invalid_grant\",\"err\\u006fr\":\"invalid_grant\"}".to_vec(),
                }
            }
            _ => self.refused_body(replay, at),
        };
        let body = self.renamed(replay, body);
        let body = self.formed(replay, body);
        let body = if self.dice.percent(3) { [b"\xEF\xBB\xBF".to_vec(), body].concat() } else { body };
        step.insert("status".into(), json!(status));
        match String::from_utf8(body) {
            Ok(text) => _ = step.insert("body".into(), json!(text)),
            Err(fault) => {
                let hex: String = fault.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
                step.insert("body_hex".into(), json!(hex));
            }
        }
        let often = if status == 429 || status >= 500 { 50 } else { 8 };
        let mut headers = vec![json!(["Content-Type", self.dice.pick(&["application/json", "text/html"])])];
        if self.dice.percent(often) {
            for _ in 0..self.dice.pick(&[1, 1, 1, 2, 3]) {
                let values: Vec<String> =
                    (0..self.dice.pick(&[1, 1, 1, 2, 3])).map(|_| self.retry_after(replay, at)).collect();
                let line = values.join(self.dice.pick(&[",", ", ", " ,\t"]));
                headers.push(json!([self.dice.pick(&["Retry-After", "retry-after"]), line]));
            }
        }
        if self.dice.percent(70) || headers.len() > 1 {
            step.insert("headers".into(), json!(headers));
        }
    }

    /// Calls members as the service does, for the most part.
    fn renamed(&mut self, replay: &Replay<'_>, body: Vec<u8>) -> Vec<u8> {
        let names = &replay.manager().provider.members;
        if names.is_empty() || self.dice.percent(8) {
            return body;
        }
        let Ok(mut text) = String::from_utf8(body.clone()) else { return body };
        // In two rounds, as one name may be another member's standard name.
        let marked = |name: &str| format!("\"\u{1}{name}\":");
        for (standard, _) in names {
            text = text.replace(&format!("\"{standard}\":"), &marked(standard));
        }
        for (standard, own) in names {
            text = text.replace(&marked(standard), &format!("\"{own}\":"));
        }
        text.into_bytes()
    }

    /// Answers with a form where the service does, for the most part.
    fn formed(&mut self, replay: &Replay<'_>, body: Vec<u8>) -> Vec<u8> {
        if !replay.manager().provider.form_answer || self.dice.percent(15) {
            return body;
        }
        let Ok(Json::Object(members)) = json::read(&body) else { return body };
        let mut pair = |(name, value): (Option<Vec<u8>>, Json)| {
            let text = |text: Option<Vec<u8>>| text.map(|text| String::from_utf8_lossy(&text).into_owned());
            let value = match value {
                Json::String(value) => text(value).unwrap_or_else(|| "\u{e9}".to_owned()),
                Json::Number(value) => value,
                Json::Null => String::new(),
                other => format!("{other:?}"),
            };
            let [mut name, mut value] =
                [text(name).unwrap_or_default(), value].map(|text| form_encode(&text));
            if self.dice.percent(5) {
                name = name.replace('_', "%5f");
            }
            match self.dice.below(60) {
                0 => value.push_str("%FF"),
                1 => value.push_str("%4"),
                2 => value = value.replace('%', ""),
                3 => value.push('\u{e9}'),
                4 => value.push('='),
                _ => {}
            }
            format!("{name}={value}")
        };
        let pairs: Vec<String> = members.into_iter().map(&mut pair).collect();
        let space = self.dice.pick(&["", "", "", "\n", " "]);
        format!("{space}{}{space}", pairs.join("&")).into_bytes()
    }

    /// One value of a `Retry-After` line.
    fn retry_after(&mut self, replay: &Replay<'_>, at: u64) -> String {
        match self.dice.below(16) {
            0 => "0".to_owned(),
            1 => "99999".to_owned(),
            2 => "99999999999999999999999999".to_owned(),
            3 => self.dice.pick(&["soon", "-1", "1.", ".5", "1.5s", "", "1 2", "+1", "1,,2"]).to_owned(),
            4 | 5 => self.dice.pick(&["1.5", "7.000", "59.001", "0.0", "0.1", "1.0"]).to_owned(),
            6..=8 => {
                let wall = replay.here().wall(at).unwrap_or(1_700_000_000);
                let when = (wall + self.dice.below(130)).saturating_sub(10);
                write_http_date(when, self.dice.percent(30))
            }
            _ => self.dice.between(1, 120).to_string(),
        }
    }

    // ---- the other calls

    fn rejected(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>) {
        let mut statuses = vec![401; 16];
        statuses.extend([403, 400, 500]);
        let status = self.dice.pick(&statuses);
        step.insert("status".into(), json!(status));
        let current = replay.manager().generation;
        let generation = match self.dice.below(10) {
            0 | 1 => current.saturating_sub(1),
            2 => current + 1,
            3 => current.saturating_sub(self.dice.below(4)),
            _ => current,
        };
        if generation != current || self.dice.percent(40) {
            step.insert("generation".into(), json!(generation));
        }
        if self.dice.percent(35) {
            let challenges = [
                "Bearer",
                "Bearer realm=\"api\"",
                "Bearer error=\"invalid_token\", error_description=\"insufficient_scope\"",
                "Bearer realm=\"insufficient_scope\"",
                "Bearer realm=\"a, b\", error=\"insufficient_scope\"",
                "bearer ERROR=insufficient_scope",
                "Basic realm=\"x\", Bearer error=\"insufficient_scope\", scope=\"a b\"",
                // No lists of challenges.
                "Bearer error=\"insufficient_scope",
                "Bearer error=\"insufficient_scope\", =",
                "Bearer error=",
                "error=\"insufficient_scope\"",
            ];
            let lines: Vec<Value> = (0..self.dice.pick(&[1, 1, 1, 2, 3]))
                .map(|_| {
                    json!([
                        self.dice.pick(&["WWW-Authenticate", "www-authenticate"]),
                        self.dice.pick(&challenges)
                    ])
                })
                .collect();
            step.insert("headers".into(), json!(lines));
        }
    }

    fn authorize(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>) {
        let provider = &replay.manager().provider;
        let mut origin = if provider.any_https_origin {
            "https://any.example".to_owned()
        } else {
            self.dice.pick(&provider.origins())
        };
        match self.dice.below(14) {
            0 => origin = "https://elsewhere.example".to_owned(),
            1 => origin = origin.to_ascii_uppercase(),
            2 if origin.matches(':').count() == 1 => origin += ":443",
            3 if origin.matches(':').count() == 1 => origin += ":444",
            4 => origin = origin.replacen("https:", "http:", 1),
            5 => origin = origin.replacen("://", "://user@", 1),
            6 => origin = self.dice.pick(&["http://127.0.0.1:8080", "http://127.0.0.1:9"]).to_owned(),
            7 => {
                origin = self.dice.pick(&["nowhere", "//x.example", "ftp://x.example", "https://"]).to_owned()
            }
            _ => {}
        }
        let own = path_encode(&replay.manager().site);
        let own = if own.is_empty() { "s".to_owned() } else { own };
        let path = match self.dice.below(16) {
            0..=2 => format!("/v1/site/{own}/devices"),
            3 => format!("/v1/site/{own}"),
            4 => format!("/v1/site/{own}/event/e7?x=/../y"),
            5 => "/v1/site/other/devices".to_owned(),
            6 | 7 => "/v1/sites".to_owned(),
            8 => format!("/v1/auth/site/{own}"),
            9 => "/v1/telemetry/BATTERY".to_owned(),
            10 => "/v1/telemetry/battery".to_owned(),
            11 => self
                .dice
                .pick(&[
                    "/v1/../v1/sites",
                    "/v1/%2E%2e/sites",
                    "/v1/site%2Fx",
                    "/v1/./sites",
                    "/v1/%5c",
                    "/v1/site/s1/device/..;",
                    "/v1/.;x=1/sites",
                    "/v1/site/a%3Bb",
                    "/v1/site/a%00",
                    "/v1/site/a%252e",
                ])
                .to_owned(),
            12 => self.dice.pick(&["/v1\\sites", "/v1/si\u{1}tes", "/v1/sites\n"]).to_owned(),
            13 => String::new(),
            _ => "/v1/programs?since=1&x=%2e#top".to_owned(),
        };
        let method = self.dice.pick(&["GET", "GET", "GET", "POST", "PATCH", "DELETE", "PUT", "get"]);
        step.insert("method".into(), json!(method));
        step.insert("url".into(), json!(format!("{origin}{path}")));
    }

    fn install(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>, at: u64, usable: bool) {
        let mut token = Map::new();
        let wall = replay.here().wall(at);
        let access = if self.dice.percent(12) { self.jwt(wall.unwrap_or(1000)) } else { self.access(replay) };
        token.insert("access_token".into(), json!(access));
        if self.dice.percent(85) {
            token.insert("token_type".into(), json!("Bearer"));
        }
        if self.dice.percent(70) {
            let seconds = self.dice.pick(&[0, 1, 29, 30, 31, 100, 3600, 3600, 3600, 86_400]);
            token.insert("expires_in".into(), json!(seconds));
        }
        if self.dice.percent(45) {
            token.insert("refresh_token".into(), self.refresh(replay));
        }
        if self.dice.percent(10) {
            token.insert("scope".into(), json!("read"));
        }
        if replay.manager().provider.knows_refresh_life() && self.dice.percent(40) {
            let life = self.dice.pick(&[7, 60, 1800, 86_400, 0]);
            token.insert("refresh_expires_in".into(), json!(life));
        }
        match self.dice.below(if usable { 25 } else { 40 }) {
            0 => _ = token.insert("access_token".into(), json!("not a token")),
            1 => _ = token.insert("token_type".into(), json!("mac")),
            2 => {
                _ = token.insert(
                    "access_token".into(),
                    json!("w".repeat(replay.manager().capacity.0 as usize + 1)),
                )
            }
            3 => _ = token.insert("expires_in".into(), json!(-1)),
            4 => _ = token.remove("access_token"),
            5 => _ = token.insert("expires_in".into(), json!(0)),
            _ => {}
        }
        if self.dice.percent(if replay.manager().provider.refreshes() { 16 } else { 4 }) {
            token.insert("token_type".into(), json!("Bearer"));
            token.remove("access_token");
            if self.dice.percent(20) {
                token.insert("access_token".into(), Value::Null);
            }
            let refresh = self.refresh(replay);
            token.insert("refresh_token".into(), refresh);
        }
        step.insert("token".into(), Value::Object(token));
    }

    /// Another manager, or one made again.
    fn made(&mut self, replay: &Replay<'_>, at: u64) -> Map<String, Value> {
        let scenario = replay.scenario;
        let mut step = Map::new();
        step.insert("at".into(), json!(at));
        step.insert("do".into(), json!("make"));
        let wall = super::number(&scenario["wall"]).map(|wall| wall + self.at / 1000);
        let wall = match (wall, self.dice.below(10)) {
            (_, 0) => None,
            (Some(wall), 1) => Some(wall.saturating_sub(self.dice.below(9))),
            (Some(wall), 2) => Some(wall + self.dice.below(9)),
            (Some(wall), 3) => Some(wall + self.dice.below(4000)),
            (None, 4) => Some(1_763_720_000),
            (wall, _) => wall,
        };
        if let Some(wall) = wall {
            step.insert("wall".into(), json!(wall));
        }
        if self.dice.percent(20) {
            let access = self.dice.pick(&[4, 8, 16, 2048]);
            let refresh = self.dice.pick(&[4, 8, 16, 2048]);
            step.insert("capacity".into(), json!({"access": access, "refresh": refresh}));
        }
        if self.dice.percent(6) {
            step.insert("floor".into(), json!(self.dice.pick(&[0, 3, 8, 20, 1010])));
        }
        if self.dice.percent(5) {
            for (member, other) in [
                ("account", "somebody else"),
                ("site", "other"),
                ("environment", "sandbox"),
                ("base_url", "https://other.example"),
            ] {
                if scenario[member].is_string() && self.dice.percent(50) {
                    step.insert(member.into(), json!(other));
                }
            }
        }
        if self.dice.percent(75) {
            step.insert("seed".into(), json!(self.dice.next() >> 12));
        }
        step
    }
}
