//! Signing in in a browser: section 6.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::presets::Provider;
use super::wire::{self, Answer, BASE64URL};
use super::{Identity, Manager, Refused, number, written};

/// A stored sign-in is good for so long, and may be from so far ahead.
const LIFE_S: u64 = 600;
const AHEAD_S: u64 = 6;

const SAYS_ITSELF: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

#[derive(Clone, Debug)]
enum Stage {
    Waits,
    /// With what is in storage not deleted yet.
    Stored,
    /// When, and the count of what makes a supply stale.
    Sent(u64, u64),
    Over,
}

#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    random: Vec<u8>,
    redirect_uri: String,
    stage: Stage,
}

/// What is in storage of a sign-in.
#[derive(Clone, Debug)]
pub(crate) struct StoredSignIn {
    random: Vec<u8>,
    redirect_uri: String,
    wall: u64,
    identity: Identity,
}

impl SignIn {
    /// 6.1
    pub(crate) fn new(random: Vec<u8>, redirect_uri: &str) -> Result<SignIn, Refused> {
        if random.iter().all(|byte| *byte == random[0]) {
            return Err("not_random");
        }
        let (scheme, rest) = redirect_uri.split_once(':').ok_or("bad_url")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#');
        if !is_scheme || !is_plain || rest.is_empty() {
            return Err("bad_url");
        }
        if ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            let url = wire::read_url(redirect_uri).ok_or("bad_url")?;
            if url.scheme == "http" && !wire::is_loopback(&url.host) {
                return Err("origin_not_allowed");
            }
        }
        Ok(SignIn { random, redirect_uri: redirect_uri.to_owned(), stage: Stage::Waits })
    }

    fn waits(&self) -> bool {
        matches!(self.stage, Stage::Waits | Stage::Stored)
    }

    // 6.2
    fn state(&self) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.random).expect("any key will do");
        mac.update(b"state");
        wire::base64(&mac.finalize().into_bytes()[..16], BASE64URL, false)
    }

    /// 6.5: the query behind the redirect URI.
    fn query<'u>(&self, url: &'u str) -> Option<&'u str> {
        let behind = url.strip_prefix(&self.redirect_uri)?;
        let behind = behind.split('#').next()?;
        if self.redirect_uri.contains('?') {
            return behind.strip_prefix('&');
        }
        let has_path = match self.redirect_uri.split_once("://") {
            Some((_, authority)) => authority.contains('/'),
            None => true,
        };
        let behind = if has_path { behind } else { behind.strip_prefix('/').unwrap_or(behind) };
        behind.strip_prefix('?')
    }
}

// 6.2
pub(super) fn verifier(random: &[u8]) -> String {
    wire::base64(random, BASE64URL, false)
}

pub(super) fn challenge(random: &[u8]) -> String {
    wire::base64(&Sha256::digest(verifier(random)), BASE64URL, false)
}

/// 3.12 the other way round; `None` where a percent sign starts no escape.
pub(super) fn form_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            let hex = rest.get(1..3).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &rest[3..];
        } else {
            out.push(if first == '+' { b' ' } else { first as u8 });
            rest = &rest[1..];
        }
    }
    Some(out)
}

fn pairs(query: &str) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((form_decoded(name)?, form_decoded(value)?))
    };
    query.split('&').map(pair).collect()
}

fn text(bytes: &[u8]) -> Value {
    json!(String::from_utf8_lossy(bytes))
}

fn client_id(credentials: &Value) -> Option<&str> {
    credentials["client_id"].as_str().filter(|id| !id.is_empty())
}

/// 6.3, 6.4
fn url(sign_in: &SignIn, manager: &Manager, credentials: &Value) -> Result<String, Refused> {
    let Provider { authorization_url, scope, .. } = &manager.provider;
    if !sign_in.waits() {
        return Err("not_due");
    }
    if authorization_url.is_empty() {
        return Err("invalid_provider");
    }
    let parsed = wire::read_url(authorization_url).ok_or("bad_url")?;
    let loopback = manager.allow_loopback_http && wire::is_loopback(&parsed.host);
    if parsed.scheme != "https" && !(parsed.scheme == "http" && loopback) {
        return Err("origin_not_allowed");
    }
    if authorization_url.contains('#') {
        return Err("bad_url");
    }
    let id = client_id(credentials).ok_or("wrong_credentials")?;
    let added: Vec<_> =
        manager.provider.parameters.iter().filter(|[_, _, on]| on == "authorization").collect();
    let query = authorization_url.split_once('?').map(|(_, query)| query);
    if query
        .and_then(pairs)
        .unwrap_or_default()
        .iter()
        .any(|(name, _)| SAYS_ITSELF.iter().any(|own| own.as_bytes() == name))
    {
        return Err("invalid_provider");
    }
    let values =
        ["code", id, &sign_in.redirect_uri, scope, &sign_in.state(), &challenge(&sign_in.random), "S256"];
    let own = SAYS_ITSELF.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let mut own: Vec<_> = own.map(|(name, value)| format!("{name}={}", wire::form_encode(value))).collect();
    own.extend(added.iter().map(|[name, value, _]| format!("{name}={}", wire::form_encode(value))));
    let between = match query {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    Ok(format!("{authorization_url}{between}{}", own.join("&")))
}

/// 6.6 to 6.14: the code, or the error's.
fn callback(sign_in: &mut SignIn, issuer: &str, url: &str) -> Result<Result<Vec<u8>, Vec<u8>>, Refused> {
    if !sign_in.waits() {
        return Err("stale_request");
    }
    let query = sign_in.query(url).ok_or("other_redirect_uri")?;
    if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("bad_url");
    }
    let pairs = pairs(query).ok_or("bad_url")?;
    let all = |name: &str| -> Vec<&Vec<u8>> {
        pairs.iter().filter(|(known, _)| known == name.as_bytes()).map(|(_, value)| value).collect()
    };
    if ["code", "state", "error", "error_description", "error_uri", "iss"].iter().any(|n| all(n).len() > 1) {
        return Err("duplicate_parameter");
    }
    let one = |name: &str| all(name).first().map(|value| value.to_vec()).filter(|value| !value.is_empty());
    if one("state") != Some(sign_in.state().into_bytes()) {
        return Err("other_state");
    }
    if !issuer.is_empty() && one("iss") != Some(issuer.as_bytes().to_vec()) {
        return Err("other_issuer");
    }
    match (one("code"), one("error")) {
        (Some(code), None) if code.iter().all(|byte| (0x20..=0x7E).contains(byte)) => Ok(Ok(code)),
        (None, Some(error)) => {
            sign_in.stage = Stage::Over;
            Ok(Err(error))
        }
        _ => Err("invalid_callback"),
    }
}

/// A sign-in of a manager, and what its last callback brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct SigningIn {
    sign_in: Option<SignIn>,
    code: Vec<u8>,
}

impl SigningIn {
    /// Where it stands; nothing: nobody signs in.
    pub(super) fn stands(&self) -> Option<&'static str> {
        Some(match self.sign_in.as_ref()?.stage {
            Stage::Waits if self.code.is_empty() => "waits",
            Stage::Waits => "has a code",
            Stage::Stored => "is stored",
            Stage::Sent(..) => "has sent its code",
            Stage::Over => "is over",
        })
    }

    pub(super) fn has_code(&self) -> bool {
        !self.code.is_empty()
    }

    /// What a callback must begin with, and the state that it must have.
    pub(super) fn expects(&self) -> (String, String) {
        self.sign_in.as_ref().map(|it| (it.redirect_uri.clone(), it.state())).unwrap_or_default()
    }

    /// What a step of a sign-in does. `stored` is what is in storage of one.
    pub(crate) fn act(
        &mut self,
        at: u64,
        step: &Value,
        (credentials, values): (&Value, &Value),
        wall: Option<u64>,
        manager: &mut Manager,
        stored: &mut Option<StoredSignIn>,
    ) -> Result<Value, Refused> {
        let action = step["do"].as_str().unwrap_or("");
        match action {
            "sign_in" => {
                self.code.clear();
                let random = super::unhex(step["random_hex"].as_str().unwrap_or(""));
                self.sign_in = Some(SignIn::new(random, step["redirect_uri"].as_str().unwrap_or(""))?);
                return Ok(json!({}));
            }
            "sign_in_resumed" => {
                self.code.clear();
                self.sign_in = Some(resumed(stored.as_ref(), number(&step["flip"]), manager, wall)?);
                return Ok(json!({}));
            }
            _ => {}
        }
        let Some(sign_in) = &mut self.sign_in else { panic!("nobody signs in") };
        match action {
            "sign_in_url" => Ok(json!({"url": url(sign_in, manager, credentials)?})),
            // 6.15
            "sign_in_stored" => {
                if !sign_in.waits() {
                    return Err("not_due");
                }
                *stored = Some(StoredSignIn {
                    random: sign_in.random.clone(),
                    redirect_uri: sign_in.redirect_uri.clone(),
                    wall: wall.ok_or("no_wall_clock")?,
                    identity: manager.identity(),
                });
                sign_in.stage = Stage::Stored;
                Ok(json!({}))
            }
            "sign_in_deleted" => {
                *stored = None;
                if matches!(sign_in.stage, Stage::Stored) {
                    sign_in.stage = Stage::Waits;
                }
                Ok(json!({}))
            }
            "callback" => {
                let issuer = manager.provider.issuer.clone();
                match callback(sign_in, &issuer, step["url"].as_str().unwrap_or(""))? {
                    Ok(code) => {
                        self.code = code;
                        Ok(json!({"callback": "code", "code": text(&self.code)}))
                    }
                    Err(error) => Ok(json!({"callback": "error", "error_code": text(&error)})),
                }
            }
            // 6.16, 6.17
            "begin_sign_in" => {
                if !matches!(sign_in.stage, Stage::Waits) {
                    return Err("not_due");
                }
                let own = [
                    ("grant_type", "authorization_code".to_owned()),
                    ("code", String::from_utf8_lossy(&self.code).into_owned()),
                    ("redirect_uri", sign_in.redirect_uri.clone()),
                    ("code_verifier", verifier(&sign_in.random)),
                ];
                let asked = wire::Asked {
                    site: &manager.site,
                    credentials,
                    additions: values,
                    access_token: None,
                    audience: wire::audience(&manager.provider, &manager.site),
                };
                let own = Some(own.to_vec());
                let request = wire::write_own_request(&manager.provider, &asked, own, "code")?;
                sign_in.stage = Stage::Sent(manager.clock.max(at), manager.source.outdated);
                Ok(request)
            }
            // 6.18, 6.19
            "answer_sign_in" => {
                let Stage::Sent(began, outdated) = sign_in.stage else { return Err("stale_request") };
                sign_in.stage = Stage::Over;
                manager.answer_sign_in(at, began, outdated, step, wall)
            }
            other => panic!("no such step: {other}"),
        }
    }
}

/// 6.15
fn resumed(
    stored: Option<&StoredSignIn>,
    flipped: Option<u64>,
    manager: &Manager,
    wall: Option<u64>,
) -> Result<SignIn, Refused> {
    let Some(stored) = stored else { panic!("no sign-in is stored") };
    match flipped {
        None => {}
        Some(24..32) => return Err("other_snapshot_version"),
        Some(32..64) => return Err("other_snapshot_key"),
        Some(_) => return Err("invalid_snapshot"),
    }
    if stored.identity != manager.identity() {
        return Err("foreign_snapshot");
    }
    let wall = wall.ok_or("no_wall_clock")?;
    if stored.wall > wall + AHEAD_S || wall >= stored.wall + LIFE_S {
        return Err("sign_in_expired");
    }
    Ok(SignIn {
        random: stored.random.clone(),
        redirect_uri: stored.redirect_uri.clone(),
        stage: Stage::Stored,
    })
}

impl Manager {
    fn answer_sign_in(
        &mut self,
        now: u64,
        began: u64,
        outdated: u64,
        step: &Value,
        wall: Option<u64>,
    ) -> Result<Value, Refused> {
        self.advance(now.max(began));
        if self.source.outdated != outdated {
            return Err("stale_request");
        }
        let status = number(&step["status"]).unwrap_or(200);
        let body = super::body(step);
        match wire::read_answer(&self.provider, status, &body).map_err(|refusal| refusal.name)? {
            Answer::Error(code, _) => Ok(json!({"outcome": "error", "error_code": code})),
            Answer::Token(response) => {
                self.accept(&response, None, began, wall)?;
                self.out = None;
                self.owe_install();
                Ok(json!({"outcome": "token", "generation": written(self.generation)}))
            }
        }
    }
}
