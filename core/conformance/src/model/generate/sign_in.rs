//! Somebody signs in: by a code that a device shows, or in a browser.

use super::{Generator, Replay};
use crate::model::wire::form_encode;
use serde_json::{Map, Value, json};

const DEVICE_CODES: [&str; 7] = [
    "authorization_pending",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "invalid_client",
    "weird code",
];

impl Generator {
    /// What somebody who signs in does next.
    pub(super) fn sign_in_step(&mut self, replay: &Replay<'_>) -> Value {
        if self.dice.percent(55) { self.device_step(replay) } else { self.browser_step(replay) }
    }

    fn moment(&mut self, replay: &Replay<'_>, soon: u64, then: Option<u64>) -> u64 {
        let now = self.at;
        let at = match self.dice.below(100) {
            n if n < soon => now,
            0..=79 => then.map_or(now, |then| (then + self.dice.below(3)).saturating_sub(1)),
            80..=94 => now + self.dice.below(6000),
            _ => now.saturating_sub(self.dice.below(3000)),
        };
        at.clamp(replay.here().made_at, now + 400_000_000)
    }

    fn device_step(&mut self, replay: &Replay<'_>) -> Value {
        let device = replay.device();
        let (next, then) = device.next_at(self.at, replay.manager());
        let at = self.moment(replay, if matches!(next, "wait" | "expired") { 15 } else { 70 }, then);
        let kinds: &[(&str, u64)] = match device.next_at(at, replay.manager()).0 {
            "request" => &[("begin_device", 85), ("poll_device", 10), ("any", 5)],
            "await" => &[("answer_device", 80), ("failed_device", 5), ("poll_device", 10), ("any", 5)],
            "show" => &[("shown_device", 70), ("poll_device", 25), ("any", 5)],
            "wait" => &[("poll_device", 80), ("any", 20)],
            _ => &[("start_device", 60), ("poll_device", 30), ("any", 10)],
        };
        let mut kind = self.dice.weighted(kinds);
        if kind == "any" {
            kind = self.dice.pick(&[
                "start_device",
                "cancel_device",
                "shown_device",
                "poll_device",
                "begin_device",
                "answer_device",
                "failed_device",
            ]);
        }
        let mut step = Map::from_iter([("at".to_owned(), json!(at)), ("do".to_owned(), json!(kind))]);
        match kind {
            "start_device" if self.dice.percent(95) => _ = step.insert("random_hex".into(), self.random()),
            "begin_device" => {
                self.begin(&mut step, replay);
                self.begun_by_device.extend(step["as"].as_str().map(str::to_owned));
            }
            "answer_device" | "failed_device" => {
                let known = self.begun_by_device.clone();
                if !known.is_empty() && self.dice.percent(10) {
                    step.insert("request".into(), json!(self.dice.pick(&known)));
                }
                if kind == "answer_device" {
                    self.answer_device(&mut step, replay, at);
                }
            }
            _ => {}
        }
        Value::Object(step)
    }

    /// 32 bytes, as a rule not all alike.
    fn random(&mut self) -> Value {
        let random: String = (0..4).map(|_| format!("{:016x}", self.dice.next())).collect();
        json!(if self.dice.percent(97) { random } else { "5a".repeat(32) })
    }

    fn answer_device(&mut self, step: &mut Map<String, Value>, replay: &Replay<'_>, at: u64) {
        self.answer_body(step, replay, at);
        let starts = replay.device().starts();
        if !starts && self.dice.percent(40) {
            return;
        }
        let (status, body) = if starts && self.dice.percent(8) {
            let body = self.dice.pick(&[
                "<html>no</html>",
                "",
                "{}",
                "{\"error\":",
                "[]",
                "{\"e\":tru}",
                "{\"error\":7}",
            ]);
            (self.dice.pick(&[200, 400, 503]), body.to_owned())
        } else if starts && self.dice.percent(85) {
            let members = self.codes();
            (self.dice.pick(&[200, 200, 200, 200, 200, 200, 200, 201, 400, 503]), self.object(&members))
        } else {
            let code = self.dice.pick(&DEVICE_CODES);
            let body = json!({"error": code, "error_description": "d"}).to_string();
            (self.dice.pick(&[400, 400, 400, 400, 401, 403, 200, 429, 500, 503]), body)
        };
        step.insert("status".into(), json!(status));
        step.remove("body_hex");
        let body = if starts { body.into_bytes() } else { self.renamed(replay, body.into_bytes()) };
        let body = self.formed(replay, body);
        step.insert("body".into(), json!(String::from_utf8_lossy(&body)));
    }

    /// The members of an answer with a code to show, most of them good.
    fn codes(&mut self) -> Vec<(String, String)> {
        let n = self.fresh();
        let uri =
            json!(self.dice.pick(&["https://id.example/d", "https://id.example/d?a=\u{e9}", "h\\", ""]));
        let mut members = vec![
            ("device_code".to_owned(), json!(format!("d{n}\u{e9}&")).to_string()),
            (
                "user_code".to_owned(),
                self.dice.pick(&["\"WDJB-MJHT\"", "\"\u{e9} 1\"", "\"a\\nb\"", "7"]).to_owned(),
            ),
            (
                "expires_in".to_owned(),
                self.dice.pick(&["900", "20", "\"60\"", "6e1", "0", "-1", "1e300"]).to_owned(),
            ),
        ];
        // Each is good for the most part, or hardly any answer would have a code.
        for member in &mut members {
            if self.dice.percent(80) {
                member.1 = match member.0.as_str() {
                    "expires_in" => self.dice.pick(&["900", "30", "1800"]).to_owned(),
                    "user_code" => "\"WDJB-MJHT\"".to_owned(),
                    _ => format!("\"d{n}\""),
                };
            }
        }
        let uri =
            if self.dice.percent(85) { "\"https:\\/\\/id.example/d\"".to_owned() } else { uri.to_string() };
        members.push((
            self.dice.pick(&["verification_uri", "verification_uri", "verification_url"]).to_owned(),
            uri,
        ));
        if self.dice.percent(40) {
            let complete = self.dice.pick(&[
                "\"https://id.example/d?c=1\"",
                "\"a b\"",
                "null",
                "\"\"",
                "\"https:\\u002f\\u002fa\\u0020\"",
            ]);
            members.push(("verification_uri_complete".to_owned(), complete.to_owned()));
        }
        if self.dice.percent(60) {
            let interval = self.dice.pick(&["5", "1", "0", "null", "2.9", "\"3\"", "-2", "10"]);
            members.push(("interval".to_owned(), interval.to_owned()));
        }
        // More than any memory has room for.
        if self.dice.percent(3) {
            members[0].1 = format!("\"{}\"", "d".repeat(3000));
        }
        if self.dice.percent(6) {
            let again = self.dice.below(members.len() as u64) as usize;
            members.push(members[again].clone());
        }
        if self.dice.percent(6) {
            let missing = self.dice.below(members.len() as u64) as usize;
            members.remove(missing);
        }
        if self.dice.percent(6) {
            members.push((
                "error".to_owned(),
                self.dice.pick(&["\"slow_down\"", "\"\"", "null", "7"]).to_owned(),
            ));
        }
        members
    }

    fn browser_step(&mut self, replay: &Replay<'_>) -> Value {
        let at = self.moment(replay, 60, None);
        let stands = replay.signing_in().stands();
        let kinds: &[(&str, u64)] = match stands {
            None => &[("sign_in", 80), ("sign_in_resumed", 20)],
            Some("waits") => &[
                ("callback", 45),
                ("sign_in_url", 25),
                ("sign_in_stored", 20),
                ("answer_sign_in", 3),
                ("sign_in", 4),
                ("sign_in_resumed", 3),
            ],
            Some("has a code") => {
                &[("begin_sign_in", 75), ("callback", 10), ("sign_in_stored", 10), ("sign_in", 5)]
            }
            Some("is stored") => &[
                ("callback", 35),
                ("sign_in_deleted", 35),
                ("sign_in_resumed", 20),
                ("sign_in_url", 5),
                ("begin_sign_in", 5),
            ],
            Some("has sent its code") => {
                &[("answer_sign_in", 85), ("callback", 5), ("begin_sign_in", 5), ("sign_in", 5)]
            }
            Some(_) => &[
                ("sign_in", 50),
                ("sign_in_resumed", 20),
                ("sign_in_url", 8),
                ("sign_in_stored", 7),
                ("answer_sign_in", 7),
                ("callback", 8),
            ],
        };
        let mut kind = self.dice.weighted(kinds);
        if kind == "sign_in_resumed" && !replay.has_stored_sign_in() {
            kind = "sign_in";
        }
        if kind == "begin_sign_in" && !replay.signing_in().has_code() {
            kind = "callback";
        }
        if stands.is_none() && kind != "sign_in_resumed" {
            kind = "sign_in";
        }
        let mut step = Map::from_iter([("at".to_owned(), json!(at)), ("do".to_owned(), json!(kind))]);
        match kind {
            "sign_in" => {
                step.insert("random_hex".into(), self.random());
                let good = self.dice.percent(92);
                let uri = if good {
                    self.dice.pick(&[
                        "https://app.example/cb",
                        "http://127.0.0.1:49152/callback",
                        "com.example.app:/cb",
                        "https://app.example",
                        "https://app.example/cb?a=b",
                    ])
                } else {
                    self.dice.pick(&[
                        "http://app.example/",
                        "app.example",
                        "https://a.example/#f",
                        "https://a b/",
                        "x:",
                    ])
                };
                step.insert("redirect_uri".into(), json!(uri));
            }
            "sign_in_url" | "begin_sign_in" => {
                self.begin(&mut step, replay);
                step.remove("as");
                if kind == "sign_in_url" {
                    step.remove("additions");
                }
            }
            "sign_in_resumed" if self.dice.percent(12) => {
                step.insert("flip".into(), json!(self.dice.pick(&[0, 9, 24, 31, 32, 63, 64, 300, 700])));
            }
            "callback" => {
                step.insert("url".into(), json!(self.callback(replay)));
            }
            "answer_sign_in" => {
                self.answer_body(&mut step, replay, at);
                step.remove("headers");
            }
            _ => {}
        }
        Value::Object(step)
    }

    /// The URL that a browser comes back with, most of the time the service's own.
    fn callback(&mut self, replay: &Replay<'_>) -> String {
        let (redirect_uri, state) = replay.signing_in().expects();
        let mut pairs = vec![("state", state)];
        let n = self.fresh();
        match self.dice.below(10) {
            0 => pairs.push(("error", self.dice.pick(&["access_denied", "weird code", ""]).to_owned())),
            1 => pairs.extend([("code", format!("c{n}")), ("error", "x".to_owned())]),
            2 => pairs.push(("code", self.dice.pick(&["", "a b+&=%", "\u{e9}"]).to_owned())),
            _ => pairs.push(("code", format!("c{n}"))),
        }
        let issuer = &replay.manager().provider.issuer;
        if !issuer.is_empty() && self.dice.percent(92) || self.dice.percent(4) {
            pairs.push(("iss", issuer.clone()));
        }
        match self.dice.below(24) {
            0 => pairs[0].1.push('A'),
            1 => _ = pairs.remove(0),
            2 => pairs.push(pairs[0].clone()),
            3 => pairs.push(("error_description", "d".to_owned())),
            4 => pairs.push(("other", "x".to_owned())),
            _ => {}
        }
        let query: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", form_encode(value))).collect();
        let mut query = query.join("&");
        match self.dice.below(24) {
            0 => query.push_str("&a=%4"),
            1 => query.push('\\'),
            2 => query = query.replace("state", "st%61te"),
            3 => query.push_str("#fragment"),
            _ => {}
        }
        let between = match (redirect_uri.contains('?'), self.dice.below(16)) {
            (_, 0) => "/?",
            (_, 1) => "#",
            (true, _) => "&",
            (false, _) => "?",
        };
        format!("{redirect_uri}{between}{query}")
    }
}
