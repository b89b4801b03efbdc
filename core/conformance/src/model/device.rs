//! Signing in by a code that a device shows: section 7.

use serde_json::{Value, json};

use super::json::{self, Json};
use super::presets::Provider;
use super::sign_in;
use super::wire::{self, Answer};
use super::{Manager, Refused, in_trouble, number, written};

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Ended(&'static str),
    Starts,
    Shows,
    Polls,
}

#[derive(Clone, Debug)]
struct Out {
    id: u64,
    began: u64,
    /// The same by the manager's clock.
    lives_from: u64,
    /// The count of what makes a supply stale.
    outdated: u64,
    late: bool,
}

#[derive(Clone, Debug, Default)]
struct Codes {
    device: String,
    user: String,
    uri: String,
    complete: String,
    expires_at: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    clock: u64,
    phase: Phase,
    out: Option<Out>,
    ids: u64,
    requests: Vec<(String, u64)>,
    /// 7.12
    random: Vec<u8>,
    interval: u64,
    failures: u32,
    wait_until: u64,
    codes: Codes,
}

impl Default for Device {
    fn default() -> Device {
        Device {
            clock: 0,
            phase: Phase::Ended("off"),
            out: None,
            ids: 0,
            requests: Vec::new(),
            random: vec![0; 32],
            interval: 5_000,
            failures: 0,
            wait_until: 0,
            codes: Codes::default(),
        }
    }
}

fn text(value: Option<&Json>) -> Option<String> {
    match value {
        Some(Json::String(Some(text))) if !text.is_empty() => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        _ => None,
    }
}

fn seconds(value: Option<&Json>) -> Result<Option<u64>, Refused> {
    match value {
        None => Ok(None),
        Some(Json::Number(raw)) => json::floor_u64(raw).map(Some).ok_or("invalid_expires_in"),
        Some(Json::String(Some(text))) if !text.is_empty() && text.iter().all(u8::is_ascii_digit) => {
            Ok(Some(String::from_utf8_lossy(text).parse().unwrap_or(u64::MAX)))
        }
        Some(_) => Err("invalid_expires_in"),
    }
}

/// 7.5, 7.6: the codes with what is said of `expires_in` and `interval`, or an error code.
type Read = Result<(Codes, u64, Option<u64>), String>;

fn read(provider: &Provider, status: u64, body: &[u8]) -> Result<Read, Refused> {
    let good = (200..300).contains(&status);
    let root = wire::read_body(provider, body).map_err(|name| if good { name } else { "http_status" })?;
    let names = [
        "device_code",
        "user_code",
        "verification_uri",
        "verification_url",
        "verification_uri_complete",
        "expires_in",
        "interval",
        "error",
        "error_description",
        "error_uri",
    ];
    if names.iter().any(|name| root.all(name).len() > 1) {
        return Err("duplicate_member");
    }
    let member = |name: &str| text(root.member(name));
    if let Some(error) = member("error") {
        return Ok(Err(error));
    }
    if !good {
        return Err("no_error_code");
    }
    let shown = |text: &String| !text.chars().any(|c| c < ' ' || c == '\u{7F}');
    let link = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let codes = Codes {
        device: member("device_code").ok_or("invalid_device_authorization")?,
        user: member("user_code").filter(shown).ok_or("invalid_device_authorization")?,
        uri: member("verification_uri")
            .or(member("verification_url"))
            .filter(link)
            .ok_or("invalid_device_authorization")?,
        complete: member("verification_uri_complete").filter(link).unwrap_or_default(),
        expires_at: 0,
    };
    let expires_in = seconds(root.member("expires_in"))?.ok_or("invalid_expires_in")?;
    Ok(Ok((codes, expires_in, seconds(root.member("interval"))?)))
}

impl Device {
    fn advance(&mut self, now: u64, manager: &Manager) {
        self.clock = self.clock.max(now);
        let timeout = manager.policy.response_timeout_ms;
        if let Some(out) = &mut self.out {
            let at = out.began.saturating_add(timeout);
            if !out.late && self.clock >= at {
                out.late = true;
                self.trouble(at, None, manager);
            }
        }
    }

    /// 7.10
    fn trouble(&mut self, at: u64, retry_after: Option<u64>, manager: &Manager) {
        self.failures = self.failures.saturating_add(1);
        let wait = match retry_after {
            Some(seconds) => seconds.saturating_mul(1000).clamp(1_000, 3_600_000),
            None => {
                let doubled = u128::from(self.interval) << self.failures.min(40);
                let most = manager.policy.max_backoff_ms.max(self.interval);
                doubled.min(u128::from(most)) as u64
            }
        };
        self.wait_until = at.saturating_add(wait);
    }

    /// 7.7
    fn not_yet(&mut self) {
        self.failures = 0;
        self.wait_until = self.clock.saturating_add(self.interval);
    }

    fn end(&mut self, why: &'static str) {
        self.phase = Phase::Ended(why);
        self.codes = Codes::default();
        self.out = None;
    }

    /// 7.2
    fn next(&self, manager: &Manager) -> (&'static str, Option<u64>) {
        if let Some(out) = self.out.as_ref().filter(|out| !out.late) {
            return ("await", Some(out.began.saturating_add(manager.policy.response_timeout_ms)));
        }
        let lives = self.phase == Phase::Shows || self.phase == Phase::Polls;
        let ends = Some(self.codes.expires_at).filter(|end| lives && *end != u64::MAX);
        if lives && self.clock >= self.codes.expires_at {
            return ("expired", None);
        }
        match self.phase {
            Phase::Ended(why) => (why, None),
            Phase::Shows => ("show", ends),
            _ if self.clock < self.wait_until => {
                ("wait", Some(ends.map_or(self.wait_until, |end| end.min(self.wait_until))))
            }
            _ => ("request", ends),
        }
    }

    /// What it will say, and when that changes.
    pub(super) fn next_at(&self, now: u64, manager: &Manager) -> (&'static str, Option<u64>) {
        let mut then = self.clone();
        then.advance(now, manager);
        then.next(manager)
    }

    pub(super) fn starts(&self) -> bool {
        self.phase == Phase::Starts
    }

    pub(crate) fn act(
        &mut self,
        now: u64,
        step: &Value,
        (credentials, values): (&Value, &Value),
        memory: u64,
        wall: Option<u64>,
        manager: &mut Manager,
    ) -> Result<Value, Refused> {
        match step["do"].as_str().unwrap_or("") {
            "start_device" => {
                self.clock = self.clock.max(now);
                *self = Device {
                    clock: self.clock,
                    phase: Phase::Starts,
                    ids: self.ids,
                    requests: self.requests.clone(),
                    wait_until: self.clock,
                    random: step["random_hex"].as_str().map_or_else(|| vec![0; 32], super::unhex),
                    ..Device::default()
                };
            }
            "cancel_device" => self.end("off"),
            "shown_device" => {
                self.advance(now, manager);
                if self.phase == Phase::Shows {
                    self.phase = Phase::Polls;
                }
            }
            "poll_device" => {
                let (next, poll_at) = self.next_at(now, manager);
                let there = !self.codes.user.is_empty();
                return Ok(json!({
                    "next": next,
                    "poll_at": poll_at.map(written),
                    "user_code": self.codes.user,
                    "verification_uri": self.codes.uri,
                    "verification_uri_complete":
                        Some(&self.codes.complete).filter(|complete| !complete.is_empty()),
                    "expires_at": Some(self.codes.expires_at).filter(|end| there && *end != u64::MAX).map(written),
                }));
            }
            "begin_device" => return self.begin(now, step, (credentials, values), manager),
            "failed_device" => {
                let out = self.take_out(now, step, manager)?;
                if !out.late {
                    self.trouble(self.clock, None, manager);
                }
            }
            "answer_device" => return self.answer(now, step, memory, wall, manager),
            other => panic!("no such step: {other}"),
        }
        Ok(json!({}))
    }

    fn begin(
        &mut self,
        now: u64,
        step: &Value,
        (credentials, values): (&Value, &Value),
        manager: &Manager,
    ) -> Result<Value, Refused> {
        self.advance(now, manager);
        match self.next(manager).0 {
            "request" => {}
            "await" => return Err("request_in_flight"),
            _ => return Err("not_due"),
        }
        let mut provider = manager.provider.clone();
        let starts = self.phase == Phase::Starts;
        if starts && provider.device_path.is_empty() {
            return Err("invalid_provider");
        }
        if provider.device_pkce && self.random.iter().all(|byte| *byte == self.random[0]) {
            return Err("not_random");
        }
        let own = if starts {
            provider.token_path = provider.device_path.clone();
            provider.parameters.retain(|[_, _, on]| on == "device");
            let scope = provider.scope.clone();
            let mut own = Vec::from_iter(Some(("scope", scope)).filter(|(_, scope)| !scope.is_empty()));
            if provider.device_pkce {
                own.push(("code_challenge", sign_in::challenge(&self.random)));
                own.push(("code_challenge_method", "S256".to_owned()));
            }
            own
        } else {
            let mut own = vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
                ("device_code", self.codes.device.clone()),
            ];
            if provider.device_pkce {
                own.push(("code_verifier", sign_in::verifier(&self.random)));
            }
            own
        };
        let asked = wire::Asked {
            site: &manager.site,
            credentials,
            additions: values,
            access_token: None,
            audience: wire::audience(&manager.provider, &manager.site),
        };
        let target = if self.phase == Phase::Starts { "device" } else { "code" };
        let request = wire::write_own_request(&provider, &asked, Some(own), target)?;
        self.ids += 1;
        if let Some(name) = step["as"].as_str() {
            self.requests.push((name.to_owned(), self.ids));
        }
        self.out = Some(Out {
            id: self.ids,
            began: self.clock,
            lives_from: manager.clock.max(now),
            outdated: manager.source.outdated,
            late: false,
        });
        Ok(request)
    }

    fn take_out(&mut self, now: u64, step: &Value, manager: &Manager) -> Result<Out, Refused> {
        self.advance(now, manager);
        let id = match step["request"].as_str() {
            Some(name) => self.requests.iter().rev().find(|(known, _)| known == name).map(|(_, id)| *id),
            None => Some(self.ids),
        };
        match &self.out {
            Some(out) if Some(out.id) == id => self.out.take().ok_or("stale_request"),
            _ => Err("stale_request"),
        }
    }

    fn answer(
        &mut self,
        now: u64,
        step: &Value,
        memory: u64,
        wall: Option<u64>,
        manager: &mut Manager,
    ) -> Result<Value, Refused> {
        let out = self.take_out(now, step, manager)?;
        let status = number(&step["status"]).unwrap_or(200);
        let body = super::body(step);
        let retry_after = wire::retry_after_s(&step["headers"], wall);
        let starts = self.phase == Phase::Starts;
        // An error's code as it is spelled, and as a standard one.
        let answered: Result<Result<Value, (String, String)>, Refused> = if starts {
            let read = self.codes_of(&out, &manager.provider, status, &body, memory);
            read.map(|read| read.map_err(|code| (code.clone(), wire::translated(&manager.provider, &code))))
        } else {
            manager.advance(now.max(out.lives_from));
            if manager.source.outdated != out.outdated {
                self.end("off");
                return Err("stale_request");
            }
            match wire::read_answer(&manager.provider, status, &body) {
                Err(refusal) => Err(refusal.name),
                Ok(Answer::Error(code, standard)) => Ok(Err((code, standard))),
                Ok(Answer::Token(response)) => {
                    manager.accept(&response, None, out.lives_from, wall).map(|()| {
                        manager.out = None;
                        manager.owe_install();
                        Ok(json!({"outcome": "token", "generation": written(manager.generation)}))
                    })
                }
            }
        };
        match answered {
            Ok(Ok(said)) => {
                if !starts {
                    self.end("done");
                }
                Ok(said)
            }
            Ok(Err((code, standard))) => {
                let signs = manager.provider.authentication.asserts();
                if in_trouble(status) || signs && standard == "invalid_client" {
                    if !out.late {
                        self.trouble(self.clock, retry_after, manager);
                    }
                } else if standard == "slow_down" {
                    self.interval = self.interval.saturating_add(5_000);
                    self.not_yet();
                } else if code == "authorization_pending" && !starts {
                    self.not_yet();
                } else {
                    self.end(if code == "expired_token" { "expired" } else { "denied" });
                }
                Ok(json!({"outcome": "error", "error_code": code}))
            }
            Err(name) => {
                if !out.late {
                    self.trouble(self.clock, retry_after, manager);
                }
                Err(name)
            }
        }
    }

    fn codes_of(
        &mut self,
        out: &Out,
        provider: &Provider,
        status: u64,
        body: &[u8],
        memory: u64,
    ) -> Result<Result<Value, String>, Refused> {
        let (mut codes, expires_in, interval) = match read(provider, status, body)? {
            Ok(read) => read,
            Err(code) => return Ok(Err(code)),
        };
        codes.expires_at = out.began.saturating_add(expires_in.saturating_mul(1000));
        if codes.expires_at <= self.clock {
            return Err("already_expired");
        }
        let texts = [&codes.device, &codes.user, &codes.uri, &codes.complete];
        if texts.iter().map(|text| text.len() as u64).sum::<u64>() > memory {
            return Err("buffer_too_small");
        }
        self.codes = codes;
        self.phase = Phase::Shows;
        if let Some(interval) = interval {
            self.interval = interval.max(1).saturating_mul(1000);
        }
        self.not_yet();
        Ok(Ok(json!({"outcome": "code"})))
    }
}
