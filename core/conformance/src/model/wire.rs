//! What goes over the wire: token answers, requests, header fields, URLs.

use super::json::{self, Json};
use super::presets::{Authentication, Grant, Provider};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

// ---- a token endpoint's answer

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Token(TokenResponse),
    /// An error code as the body spells it, then as a standard code.
    Error(String, String),
}

#[derive(Clone, Debug)]
pub(crate) struct TokenResponse {
    pub(crate) access: Vec<u8>,
    pub(crate) refresh: Option<Vec<u8>>,
    pub(crate) token_type: Option<String>,
    pub(crate) expires_in: Option<u64>,
    /// Where `expires_in` is absent, in the provider's units.
    pub(crate) expires_at: Option<u64>,
    /// Seconds that the refresh token lives.
    pub(crate) refresh_life: Option<u64>,
}

/// Why an answer is refused, and the refresh token that a 2xx answer brings all the same.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) name: &'static str,
    pub(crate) refresh: Option<Vec<u8>>,
    pub(crate) refresh_life: Option<u64>,
}

fn refusal(name: &'static str) -> Refusal {
    Refusal { name, refresh: None, refresh_life: None }
}

/// One step along a path such as `data[0]`.
enum Step {
    Member(String),
    Index(usize),
}

fn path_steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let (name, indexes) = part.split_once('[').map_or((part, ""), |(n, i)| (n, i));
        steps.push(Step::Member(name.to_owned()));
        for index in indexes.split(['[', ']']).filter(|i| !i.is_empty()) {
            steps.push(Step::Index(index.parse().unwrap_or(usize::MAX)));
        }
    }
    steps
}

/// Follows a path; `Err` where a member on it is given twice.
fn follow<'a>(root: &'a Json, path: &str) -> Result<Option<&'a Json>, ()> {
    let mut here = Some(root);
    for step in path_steps(path) {
        let Some(value) = here else { return Ok(None) };
        here = match step {
            Step::Member(name) => {
                if value.all(&name).len() > 1 {
                    return Err(());
                }
                value.member(&name)
            }
            Step::Index(index) => match value {
                Json::Array(items) => items.get(index).filter(|v| **v != Json::Null),
                _ => None,
            },
        };
    }
    Ok(here)
}

fn text_of(value: &Json) -> Option<Vec<u8>> {
    match value {
        Json::String(Some(text)) => Some(text.clone()),
        _ => None,
    }
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A member of an error answer at the top, unless the error path leads to it, or as a container through it.
fn flat_member<'j>(provider: &Provider, root: &'j Json, name: &str) -> Option<&'j Json> {
    let name = provider.called(name);
    let path = path_steps(&provider.error_path);
    let starts = path.first().is_some_and(|step| matches!(step, Step::Member(first) if first == name));
    let value = root.member(name)?;
    let leads = starts && (path.len() == 1 || matches!(value, Json::Object(_) | Json::Array(_)));
    (!leads).then_some(value)
}

/// The error code of a body: `Ok(None)` for none, `Err` where a string must be and is not.
fn error_code(provider: &Provider, root: &Json, at_path: Option<&Json>) -> Result<Option<String>, ()> {
    let flat = match flat_member(provider, root, "error") {
        None => None,
        Some(value) => Some(text_of(value).ok_or(())?).filter(|t| !t.is_empty()),
    };
    match (flat, at_path) {
        (Some(code), _) => Ok(Some(utf8(&code))),
        (None, None) => Ok(None),
        (None, Some(Json::Number(number))) => Ok(Some(number.clone()).filter(|number| number != "0")),
        (None, Some(value)) => {
            Ok(Some(text_of(value).ok_or(())?).filter(|t| !t.is_empty()).map(|t| utf8(&t)))
        }
    }
}

pub(crate) fn translated(provider: &Provider, code: &str) -> String {
    provider
        .error_codes
        .iter()
        .find(|(theirs, _)| theirs == code)
        .map_or_else(|| code.to_owned(), |(_, standard)| standard.clone())
}

pub(crate) fn is_b64token(token: &[u8]) -> bool {
    let body = token.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(b)).count();
    body > 0 && token[body..].iter().all(|b| *b == b'=')
}

pub(crate) fn allowed_token(provider: &Provider, token: &[u8]) -> bool {
    if provider.visible_alphabet {
        !token.is_empty() && token.iter().all(|b| (0x21..=0x7E).contains(b))
    } else {
        is_b64token(token)
    }
}

/// 1.41: a form in place of what is no JSON.
pub(crate) fn read_body(provider: &Provider, body: &[u8]) -> Result<Json, &'static str> {
    match json::read(body) {
        Err("not_json") if provider.form_answer => form(body).ok_or("not_json"),
        read => read,
    }
}

fn form(body: &[u8]) -> Option<Json> {
    let body = std::str::from_utf8(body).ok()?;
    let body = body.trim_matches([' ', '\t', '\n', '\x0C', '\r']);
    if !body.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let text = |text: &str| {
        let bytes = super::sign_in::form_decoded(text)?;
        Some(String::from_utf8(bytes).ok().map(String::into_bytes))
    };
    let member = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = if value.is_empty() { Json::Null } else { Json::String(text(value)?) };
        Some((text(name)?, value))
    };
    Some(Json::Object(body.split('&').map(member).collect::<Option<_>>()?))
}

/// Reads an answer as far as it can be read without a manager.
pub(crate) fn read_answer(provider: &Provider, status: u64, body: &[u8]) -> Result<Answer, Refusal> {
    let success = (200..300).contains(&status);
    let root =
        read_body(provider, body).map_err(|name| refusal(if success { name } else { "http_status" }))?;
    let twice =
        |object: &Json, names: &[&str]| names.iter().any(|n| object.all(provider.called(n)).len() > 1);

    let at_error_path = if provider.error_path.is_empty() {
        None
    } else {
        follow(&root, &provider.error_path).map_err(|()| refusal("duplicate_member"))?
    };

    if !success {
        if twice(&root, &["error", "error_description", "error_uri"]) {
            return Err(refusal("duplicate_member"));
        }
        let code = error_code(provider, &root, at_error_path).map_err(|()| refusal("invalid_error"))?;
        for name in ["error_description", "error_uri"] {
            if let Some(value) = flat_member(provider, &root, name) {
                text_of(value).ok_or_else(|| refusal("invalid_error"))?;
            }
        }
        return match code {
            Some(code) => Ok(Answer::Error(code.clone(), translated(provider, &code))),
            None => Err(refusal("no_error_code")),
        };
    }

    if twice(&root, &["error"]) {
        return Err(refusal("duplicate_member"));
    }
    let nothing = Json::Null;
    let object = if provider.member_path.is_empty() {
        &root
    } else {
        follow(&root, &provider.member_path).map_err(|()| refusal("duplicate_member"))?.unwrap_or(&nothing)
    };
    read_token(provider, object, error_code(provider, &root, at_error_path))
}

/// Reads the token members of an object; `error` is what stands beside them.
fn read_token(
    provider: &Provider,
    object: &Json,
    error: Result<Option<String>, ()>,
) -> Result<Answer, Refusal> {
    let mut names = vec!["access_token", "token_type", "expires_in", "scope"];
    if provider.refreshes() {
        names.push("refresh_token");
    }
    let member = |name: &str| object.member(provider.called(name));
    if names.iter().any(|n| object.all(provider.called(n)).len() > 1) {
        return Err(refusal("duplicate_member"));
    }
    if let Some((name, _)) = &provider.expires_at
        && object.all(name).len() > 1
    {
        return Err(refusal("duplicate_member"));
    }

    if member("access_token").is_none()
        && let Ok(Some(code)) = &error
    {
        return Ok(Answer::Error(code.clone(), translated(provider, code)));
    }

    let access = member("access_token").and_then(text_of).filter(|token| allowed_token(provider, token));
    let refresh = match member("refresh_token") {
        Some(value) if provider.refreshes() => match text_of(value) {
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => Ok(Some(text)),
            None => Err(()),
        },
        _ => Ok(None),
    };
    let token_type = match member("token_type") {
        None => Ok(None),
        Some(value) => text_of(value).map(|t| Some(utf8(&t))).ok_or(()),
    };
    let scope = match member("scope") {
        None => Ok(()),
        Some(Json::Array(items)) if items.iter().all(|v| text_of(v).is_some()) => Ok(()),
        Some(value) => text_of(value).map(|_| ()).ok_or(()),
    };
    let number = |value: Option<&Json>| match value {
        None => Ok(None),
        Some(Json::Number(raw)) => json::floor_u64(raw).map(Some).ok_or(()),
        Some(Json::String(Some(text))) if !text.is_empty() && text.iter().all(u8::is_ascii_digit) => {
            Ok(Some(utf8(text).parse().unwrap_or(u64::MAX)))
        }
        Some(_) => Err(()),
    };
    let expires_in = number(member("expires_in"));
    let expires_at = match &provider.expires_at {
        Some((name, _)) if expires_in == Ok(None) => number(object.member(name)),
        _ => Ok(None),
    };

    let refresh_life = refresh_life(provider, object);
    let rotated = refresh.clone().unwrap_or(None);
    let refuse = |name| Refusal { name, refresh: rotated.clone(), refresh_life };
    let Some(access) = access else { return Err(refuse("invalid_access_token")) };
    let Ok(refresh) = refresh else { return Err(refuse("invalid_refresh_token")) };
    let Ok(token_type) = token_type else { return Err(refuse("invalid_token_type")) };
    if scope.is_err() {
        return Err(refuse("invalid_scope_member"));
    }
    let Ok(error) = error else { return Err(refuse("invalid_error")) };
    let (Ok(expires_in), Ok(expires_at)) = (expires_in, expires_at) else {
        return Err(refuse("invalid_expires_in"));
    };
    if error.is_some() {
        return Err(refuse("error_beside_token"));
    }
    Ok(Answer::Token(TokenResponse { access, refresh, token_type, expires_in, expires_at, refresh_life }))
}

/// 1.40: the least of what the members say.
fn refresh_life(provider: &Provider, object: &Json) -> Option<u64> {
    let names = provider.refresh_lives.iter().flatten();
    let told = names.flat_map(|name| object.all(name)).filter_map(|value| {
        let digits = match value {
            Json::Number(raw) => raw.clone(),
            Json::String(Some(text)) => utf8(text),
            _ => return None,
        };
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|seconds| whole && *seconds > 0)
    });
    told.min().map(u64::from)
}

/// What a caller installs.
pub(crate) enum Installed {
    Token(TokenResponse),
    /// A refresh token alone, and how long it lives.
    Refresh(Vec<u8>, Option<u64>),
}

/// Reads the members of RFC 6749 5.1 that a caller installs.
pub(crate) fn read_installed(provider: &Provider, token: &Value) -> Result<Installed, Refusal> {
    let root = json::read(token.to_string().as_bytes()).map_err(refusal)?;
    let flat = Provider {
        members: Vec::new(),
        expires_at: None,
        refresh_lives: Some(vec!["refresh_expires_in".to_owned()]),
        ..provider.clone()
    };
    if provider.refreshes()
        && root.member("access_token").is_none()
        && let Some(refresh) = root.member("refresh_token").and_then(text_of).filter(|t| !t.is_empty())
    {
        let kind = root.member("token_type").and_then(text_of);
        if !supported_type(provider, kind.as_deref().map(utf8).as_deref()) {
            return Err(refusal("unsupported_token_type"));
        }
        return Ok(Installed::Refresh(refresh, refresh_life(&flat, &root)));
    }
    match read_token(&flat, &root, error_code(&flat, &root, None))? {
        Answer::Token(token) => Ok(Installed::Token(token)),
        Answer::Error(..) => Err(refusal("invalid_access_token")),
    }
}

/// Whether a manager may write this kind of token behind `Bearer`.
pub(crate) fn supported_type(provider: &Provider, token_type: Option<&str>) -> bool {
    match token_type {
        None => true,
        Some(t) => {
            t.eq_ignore_ascii_case("bearer")
                || provider.token_type_aliases.iter().any(|a| a.eq_ignore_ascii_case(t))
        }
    }
}

/// The `exp` claim of a JWT.
pub(crate) fn jwt_expiry(token: &[u8]) -> Option<u64> {
    let parts: Vec<&[u8]> = token.split(|b| *b == b'.').collect();
    let [_, payload, _] = parts.as_slice() else { return None };
    if parts.iter().any(|part| part.iter().any(|byte| !BASE64URL.contains(byte))) {
        return None;
    }
    let claims = json::read_any(&base64url(payload)?)?;
    match claims.all("exp").as_slice() {
        [Json::Number(raw)] => json::floor_u64(raw),
        _ => None,
    }
}

fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = Vec::new();
    let mut bits = 0_u32;
    let mut held = 0;
    for byte in text {
        let digit = ALPHABET.iter().position(|a| a == byte)?;
        bits = (bits << 6) | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    if held == 6 || bits != 0 { None } else { Some(out) }
}

pub(crate) fn base64(bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0_u32;
        for place in 0..3 {
            bits = (bits << 8) | u32::from(*chunk.get(place).unwrap_or(&0));
        }
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(alphabet[(bits >> (18 - 6 * place)) as usize & 63]));
            } else if padded {
                out.push('=');
            }
        }
    }
    out
}

pub(crate) const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
pub(crate) const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// ---- a request to the token endpoint

pub(crate) fn form_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

pub(crate) fn path_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What a request is made from, beside its provider.
pub(crate) struct Asked<'a> {
    pub(crate) site: &'a str,
    pub(crate) credentials: &'a Value,
    /// What the caller adds; null: nothing.
    pub(crate) additions: &'a Value,
    pub(crate) access_token: Option<&'a [u8]>,
    /// 9.2: to whom an assertion is addressed.
    pub(crate) audience: String,
}

/// 9.2, 9.3: an assertion under the client's secret.
fn signed_by_secret(id: &str, secret: &str, audience: &str, given: &Value) -> Result<String, &'static str> {
    let signed = unsigned(id, "HS256", audience, given)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", base64(&mac.finalize().into_bytes(), BASE64URL, false)))
}

/// 9.3: one that the caller's key has signed.
fn signed_by_key(id: &str, audience: &str, given: &Value) -> Result<String, &'static str> {
    let algorithm = given["algorithm"].as_str().ok_or("wrong_credentials")?;
    let signature =
        given["signature_hex"].as_str().filter(|hex| !hex.is_empty()).ok_or("wrong_credentials")?;
    let signed = unsigned(id, algorithm, audience, given)?;
    let signature = signature_in_a_jwt(algorithm, &super::unhex(signature)).ok_or("invalid_signature")?;
    Ok(format!("{signed}.{}", base64(&signature, BASE64URL, false)))
}

/// 9.6.
fn signature_in_a_jwt(algorithm: &str, signature: &[u8]) -> Option<Vec<u8>> {
    let as_it_is = match algorithm {
        "ES256" => signature.len() == 64,
        "EdDSA" => [64, 114].contains(&signature.len()),
        _ => signature.len() >= 256,
    };
    if as_it_is {
        return Some(signature.to_vec());
    }
    if algorithm != "ES256" {
        return None;
    }
    let integer = |number: &[u8]| {
        let significant = number.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>();
        let padding = usize::from(*significant.first()? >= 128);
        let fewest = number.len() == significant.len() + padding && significant.len() <= 32;
        fewest.then(|| [vec![0; 32 - significant.len()], significant].concat())
    };
    let r_len = usize::from(*signature.get(3)?);
    let r = signature.get(4..4 + r_len)?;
    let s = signature.get(4 + r_len + 2..)?;
    let framed = [
        &[0x30, u8::try_from(signature.len() - 2).ok()?, 2, r_len as u8],
        r,
        &[2, u8::try_from(s.len()).ok()?],
        s,
    ];
    (framed.concat() == signature).then_some(())?;
    Some([integer(r)?, integer(s)?].concat())
}

/// 9.5: what the caller's key signs.
pub(crate) fn signing_input(
    provider: &Provider,
    site: &str,
    credentials: &Value,
) -> Result<String, &'static str> {
    if provider.authentication != Authentication::PrivateKeyJwt {
        return Err("invalid_provider");
    }
    let id = credentials["client_id"].as_str().filter(|id| !id.is_empty()).ok_or("wrong_credentials")?;
    let given = &credentials["assertion"];
    let algorithm = given["algorithm"].as_str().ok_or("wrong_credentials")?;
    unsigned(id, algorithm, &audience(provider, site), given)
}

/// 9.2: header and claims.
fn unsigned(id: &str, algorithm: &str, audience: &str, given: &Value) -> Result<String, &'static str> {
    if given.is_null() {
        return Err("wrong_credentials");
    }
    let random = super::unhex(given["random_hex"].as_str().unwrap_or_default());
    if random.iter().all(|byte| *byte == random[0]) {
        return Err("not_random");
    }
    let now = super::number(&given["wall"]).filter(|now| *now != 0).ok_or("no_wall_clock")?;
    let quoted = |text: &str| {
        let escaped = |c: char| match c {
            '"' | '\\' => format!("\\{c}"),
            '\0'..='\u{1f}' => format!("\\u{:04x}", u32::from(c)),
            _ => c.to_string(),
        };
        format!("\"{}\"", text.chars().map(escaped).collect::<String>())
    };
    let told = |member: &str, name: &str| {
        let text = given[member].as_str().filter(|text| !text.is_empty());
        text.map(|text| format!(",\"{name}\":{}", quoted(text))).unwrap_or_default()
    };
    let header = format!(
        "{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\"{}{}}}",
        told("key_id", "kid"),
        told("certificate_thumbprint", "x5t#S256")
    );
    let claims = [
        ("iss", quoted(id)),
        ("sub", quoted(id)),
        ("aud", quoted(audience)),
        ("jti", quoted(&base64(&random, BASE64URL, false))),
        ("iat", now.to_string()),
        ("exp", now.saturating_add(60).to_string()),
    ];
    let claims: Vec<String> = claims.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let claims = format!("{{{}}}", claims.join(","));
    let encoded = |text: &str| base64(text.as_bytes(), BASE64URL, false);
    Ok(format!("{}.{}", encoded(&header), encoded(&claims)))
}

/// 3.10: what follows the base URL stands behind it, with the site in its place.
fn url_of(provider: &Provider, site: &str, path: &str) -> String {
    let base = if path.is_empty() { &provider.base_url[..] } else { provider.base_url.trim_end_matches('/') };
    format!("{base}{}", path.replace("{site}", &path_encode(site)))
}

/// 9.2: the issuer, else where the token endpoint is.
pub(crate) fn audience(provider: &Provider, site: &str) -> String {
    if provider.issuer.is_empty() {
        url_of(provider, site, &provider.token_path)
    } else {
        provider.issuer.clone()
    }
}

/// Writes the request of a grant, or says why there is none.
pub(crate) fn write_request(
    provider: &Provider,
    grant: Grant,
    asked: &Asked<'_>,
    refresh_token: Option<&[u8]>,
) -> Result<Value, &'static str> {
    let given = |name: &str| {
        let given = asked.credentials[name].as_str().filter(|t| !t.is_empty());
        given.map(str::to_owned).ok_or("wrong_credentials")
    };
    let mut own: Vec<(&str, String)> = Vec::new();
    match grant {
        Grant::Password => {
            own.push(("username", given("username")?));
            own.push(("password", given("password")?));
        }
        Grant::RefreshToken => own.push(("refresh_token", utf8(refresh_token.unwrap_or_default()))),
        Grant::ClientCredentials | Grant::SiteToken | Grant::Extension => {}
    }
    let grant_type = if grant == Grant::Extension { &provider.extension_grant[..] } else { grant.name() };
    own.insert(0, ("grant_type", grant_type.to_owned()));
    let refreshes = grant == Grant::RefreshToken;
    if !provider.scope.is_empty() && (!refreshes || provider.scope_on_refresh) {
        own.push(("scope", provider.scope.clone()));
    }
    let target = if refreshes { "refresh" } else { "primary" };
    // The service's page shows a bare POST: no parameter has a name there.
    write_own_request(provider, asked, Some(own).filter(|_| grant != Grant::SiteToken), target)
}

/// Writes a request with a grant's own parameters; one that has no body has none.
pub(crate) fn write_own_request(
    provider: &Provider,
    asked: &Asked<'_>,
    own: Option<Vec<(&str, String)>>,
    target: &str,
) -> Result<Value, &'static str> {
    let Asked { site, credentials, .. } = asked;
    let given = |name: &str| {
        credentials[name].as_str().filter(|t| !t.is_empty()).map(str::to_owned).ok_or("wrong_credentials")
    };
    let mut headers = vec![json!(["Accept", "application/json"]), json!(["Accept-Encoding", "identity"])];
    let mut at_the_end: Vec<(&str, String)> = Vec::new();
    let mut authorization = |pair: String| {
        headers.push(json!(["Authorization", format!("Basic {}", base64(pair.as_bytes(), BASE64, true))]));
    };
    match provider.authentication {
        Authentication::Basic => {
            let (id, secret) = (given("client_id")?, given("client_secret")?);
            authorization(format!("{}:{}", form_encode(&id), form_encode(&secret)));
        }
        Authentication::BasicRaw => {
            let (id, secret) = (given("client_id")?, given("client_secret")?);
            if id.contains(|c: char| c == ':' || c.is_ascii_control()) {
                return Err("wrong_credentials");
            }
            authorization(format!("{id}:{secret}"));
        }
        Authentication::BasicId => authorization(format!("{}:", form_encode(&given("client_id")?))),
        Authentication::Post => {
            at_the_end.push(("client_id", given("client_id")?));
            at_the_end.push(("client_secret", given("client_secret")?));
        }
        Authentication::Bearer => {
            let bearer = given("bearer")?;
            if !bearer.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("wrong_credentials");
            }
            headers.push(json!(["Authorization", format!("Bearer {bearer}")]));
        }
        Authentication::None => at_the_end.push(("client_id", given("client_id")?)),
        Authentication::Nobody => {}
        Authentication::Unnamed => return Err("invalid_provider"),
        Authentication::ClientSecretJwt | Authentication::PrivateKeyJwt => {
            let (id, made_of) = (given("client_id")?, &credentials["assertion"]);
            let assertion = if provider.authentication == Authentication::PrivateKeyJwt {
                signed_by_key(&id, &asked.audience, made_of)?
            } else {
                signed_by_secret(&id, &given("client_secret")?, &asked.audience, made_of)?
            };
            at_the_end.push(("client_id", id));
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            at_the_end.push(("client_assertion_type", kind.to_owned()));
            at_the_end.push(("client_assertion", assertion));
        }
    }

    let has_body = own.is_some();
    let parameters = own.unwrap_or_default();
    // 3.22: what the caller adds has no name that the request has anyway.
    let own: Vec<&[String; 3]> =
        provider.parameters.iter().filter(|[_, _, on]| on == "token" || on == target).collect();
    let renamed = |standard: &str| {
        let own = provider.request_names.iter().find(|(name, _)| name == standard);
        own.map_or(standard, |(_, own)| own).to_owned()
    };
    let mut taken: Vec<String> = own.iter().map(|[name, ..]| name.clone()).collect();
    taken.push("grant_type".to_owned());
    taken.extend(["username", "password", "refresh_token", "client_secret"].map(renamed));
    taken.extend(at_the_end.iter().map(|(name, _)| renamed(name)));
    if parameters.iter().any(|(name, _)| *name == "scope") {
        taken.push("scope".to_owned());
    }
    let added = super::presets::pairs(&asked.additions["parameters"]);
    for (name, _) in &added {
        if taken.contains(name) {
            return Err("duplicate_parameter");
        }
        taken.push(name.clone());
    }
    if parameters.contains(&("grant_type", String::new())) {
        return Err("invalid_provider");
    }

    for (name, value) in &provider.headers {
        if let Some(value) = filled(value, asked, |byte| (0x20..=0x7E).contains(&byte))? {
            headers.push(json!([name, value]));
        }
    }
    let mut parameters: Vec<(String, String)> =
        parameters.into_iter().map(|(name, value)| (renamed(name), value)).collect();
    for [name, value, _] in own {
        if let Some(value) = filled(value, asked, |_| true)? {
            parameters.push((name.clone(), value));
        }
    }
    parameters.extend(added.into_iter().filter(|(_, value)| !value.is_empty()));
    parameters.extend(at_the_end.into_iter().map(|(name, value)| (renamed(name), value)));

    let body = if !has_body || parameters.is_empty() {
        String::new()
    } else if provider.json_body {
        headers.push(json!(["Content-Type", "application/json"]));
        let members: Vec<String> =
            parameters.iter().map(|(n, v)| format!("{}:{}", json!(n), json!(v))).collect();
        format!("{{{}}}", members.join(","))
    } else {
        headers.push(json!(["Content-Type", "application/x-www-form-urlencoded"]));
        let pairs: Vec<String> =
            parameters.iter().map(|(n, v)| format!("{}={}", form_encode(n), form_encode(v))).collect();
        pairs.join("&")
    };
    let path = if target == "refresh" && !provider.refresh_path.is_empty() {
        &provider.refresh_path
    } else {
        &provider.token_path
    };
    Ok(json!({"method": "POST", "url": url_of(provider, site, path), "headers": headers, "body": body}))
}

/// 3.21: a value with what stands for its places; none where it is not sent.
fn filled(value: &str, asked: &Asked<'_>, may_be: fn(u8) -> bool) -> Result<Option<String>, &'static str> {
    let values = super::presets::pairs(&asked.additions["values"]);
    let (mut written, mut rest, mut lacks_token) = (String::new(), value, false);
    while !rest.is_empty() {
        let piece = if let Some(behind) = rest.strip_prefix('{') {
            let (name, behind) = behind.split_once('}').ok_or("invalid_provider")?;
            rest = behind;
            if name == "access_token" {
                lacks_token |= asked.access_token.is_none();
                utf8(asked.access_token.unwrap_or_default())
            } else {
                let found = values.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
                found.filter(|value| !value.is_empty()).ok_or("wrong_credentials")?
            }
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(end);
            rest = behind;
            piece.to_owned()
        };
        if !piece.bytes().all(may_be) {
            return Err("wrong_credentials");
        }
        written.push_str(&piece);
    }
    Ok(Some(written).filter(|written| !lacks_token && !written.is_empty()))
}

// ---- header fields

/// The lines of a field in a list of pairs; names without case.
pub(crate) fn lines(headers: &Value, name: &str) -> Vec<String> {
    let pairs = headers.as_array().map_or(&[][..], Vec::as_slice);
    pairs
        .iter()
        .filter(|pair| pair[0].as_str().is_some_and(|key| key.eq_ignore_ascii_case(name)))
        .filter_map(|pair| pair[1].as_str().map(str::to_owned))
        .collect()
}

/// The longest of the seconds that the `Retry-After` lines name, as they stand there.
pub(crate) fn retry_after_s(headers: &Value, wall: Option<u64>) -> Option<u64> {
    lines(headers, "Retry-After").iter().filter_map(|line| longest_value(line, wall)).max()
}

/// The longest value of a line, or `None` where the line holds anything that is no value.
fn longest_value(line: &str, wall: Option<u64>) -> Option<u64> {
    let parts: Vec<&str> = line.split(',').collect();
    let mut longest = 0;
    let mut at = 0;
    while at < parts.len() {
        let part = parts[at].trim_matches([' ', '\t']);
        at += 1;
        let seconds = if let Some(seconds) = delay(part) {
            seconds
        } else {
            let wall = wall?;
            let date = match (http_date(part, wall), parts.get(at)) {
                (Some(date), _) => date,
                (None, Some(behind_its_comma)) => {
                    at += 1;
                    http_date(&format!("{part},{}", behind_its_comma.trim_end_matches([' ', '\t'])), wall)?
                }
                (None, None) => return None,
            };
            date.saturating_sub(wall)
        };
        longest = longest.max(seconds);
    }
    Some(longest)
}

/// Digits, or digits, a point and digits: the next whole second.
fn delay(text: &str) -> Option<u64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, behind) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(behind) {
        return None;
    }
    let more = u64::from(behind.bytes().any(|b| b != b'0'));
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(more))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(month: u64, year: u64) -> u64 {
    match month {
        1 => 28 + u64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Year, month from 0, day from 1 of a count of days since 1970.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let size = 365 + u64::from(leap(year));
        if days < size {
            break;
        }
        days -= size;
        year += 1;
    }
    let mut month = 0;
    while days >= days_in(month, year) {
        days -= days_in(month, year);
        month += 1;
    }
    (year, month, days + 1)
}

/// Writes an HTTP-date in the first form of RFC 9110, or in the third.
pub(crate) fn write_http_date(unix: u64, asctime: bool) -> String {
    let days = unix / 86_400;
    let (year, month, day) = civil(days);
    let name = DAYS[(days % 7) as usize];
    let month = MONTHS[month as usize];
    let clock = format!("{:02}:{:02}:{:02}", unix % 86_400 / 3600, unix % 3600 / 60, unix % 60);
    if asctime {
        format!("{name} {month} {day:>2} {clock} {year}")
    } else {
        format!("{name}, {day:02} {month} {year} {clock} GMT")
    }
}

/// Reads the three forms of an HTTP-date.
fn http_date(text: &str, wall: u64) -> Option<u64> {
    let short = |name: &str| DAYS.contains(&name);
    let words: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
    let (day, month, year, clock) = match words.as_slice() {
        [name, day, month, year, clock, "GMT"] if name.strip_suffix(',').is_some_and(short) => {
            (*day, *month, year.parse::<u64>().ok()?, *clock)
        }
        [name, date, clock, "GMT"] if name.ends_with("day,") => {
            let parts: Vec<&str> = date.split('-').collect();
            let [day, month, short] = parts.as_slice() else { return None };
            let this_year = civil(wall / 86_400).0;
            let mut year = this_year / 100 * 100 + short.parse::<u64>().ok()?;
            if year > this_year + 50 {
                year -= 100;
            }
            (*day, *month, year, *clock)
        }
        [name, month, day, clock, year] if short(name) => (*day, *month, year.parse::<u64>().ok()?, *clock),
        _ => return None,
    };
    let month = MONTHS.iter().position(|m| *m == month)? as u64;
    let day = day.parse::<u64>().ok()?;
    if year < 1970 || day == 0 || day > days_in(month, year) {
        return None;
    }
    let mut days = day - 1;
    for y in 1970..year {
        days += 365 + u64::from(leap(y));
    }
    for m in 0..month {
        days += days_in(m, year);
    }
    let parts: Vec<u64> = clock.split(':').filter_map(|p| p.parse().ok()).collect();
    let [hour, minute, second] = parts.as_slice() else { return None };
    if *hour > 23 || *minute > 59 || *second > 60 {
        return None;
    }
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Whether a line of `WWW-Authenticate` holds a Bearer challenge with this error. A line that is no list of challenges
/// says nothing.
pub(crate) fn bearer_error_is(line: &str, error: &str) -> bool {
    challenges(line).is_some_and(|list| {
        list.iter().any(|(scheme, parameters)| {
            scheme == "bearer" && parameters.iter().any(|(name, value)| name == "error" && value == error)
        })
    })
}

/// A scheme in lower case, and its parameters, their names in lower case.
type Challenge = (String, Vec<(String, String)>);

/// The challenges of a line (RFC 9110, section 11.6.1).
fn challenges(line: &str) -> Option<Vec<Challenge>> {
    let mut list: Vec<Challenge> = Vec::new();
    for part in parts(line)? {
        let part = part.trim_matches([' ', '\t']);
        if part.is_empty() {
            continue;
        }
        if let (Some(parameter), Some((_, parameters))) = (parameter(part), list.last_mut()) {
            parameters.push(parameter);
            continue;
        }
        let (scheme, rest) = part.split_once(' ').unwrap_or((part, ""));
        if !is_token(scheme) {
            return None;
        }
        let rest = rest.trim_matches([' ', '\t']);
        let mut challenge = (scheme.to_ascii_lowercase(), Vec::new());
        if let Some(parameter) = parameter(rest) {
            challenge.1.push(parameter);
        } else if !rest.is_empty() && !is_b64token(rest.as_bytes()) {
            return None;
        }
        list.push(challenge);
    }
    if list.is_empty() { None } else { Some(list) }
}

/// The parts between the commas that stand in no quotes.
fn parts(line: &str) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    let mut escaped = false;
    for c in line.chars() {
        if c == ',' && !quoted {
            all.push(String::new());
            continue;
        }
        all.last_mut()?.push(c);
        if escaped {
            escaped = false;
        } else if c == '\\' && quoted {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        }
    }
    if quoted { None } else { Some(all) }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `name=value` or `name="value"`, with white space around the sign.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
    if !is_token(name) {
        return None;
    }
    let value = match value.strip_prefix('"') {
        None if is_token(value) => value.to_owned(),
        None => return None,
        Some(quoted) => {
            let mut text = String::new();
            let mut chars = quoted.chars();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => text.push(chars.next()?),
                    c => text.push(c),
                }
            }
            if chars.next().is_some() {
                return None;
            }
            text
        }
    };
    Some((name.to_ascii_lowercase(), value))
}

// ---- a request to the API

pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

pub(crate) fn read_url(text: &str) -> Option<Url> {
    if text.bytes().any(|b| b <= 0x20 || b >= 0x7F || b == b'\\') {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return None;
    }
    let after_host = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[after_host..].find(':') {
        Some(at) => {
            let (host, port) = authority.split_at(after_host + at);
            let port = &port[1..];
            if !port.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (host, port)
        }
        None => (authority, ""),
    };
    let default = if scheme == "http" { 80 } else { 443 };
    let port = if port.is_empty() { default } else { port.parse().ok()? };
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if host.is_empty() || !host.starts_with('[') && !host.chars().all(in_a_name) {
        return None;
    }
    let path = tail.split(['?', '#']).next().unwrap_or("");
    if path.contains(['"', '<', '>', '^', '`', '{', '|', '}']) {
        return None;
    }
    Some(Url { scheme, host: host.to_ascii_lowercase(), port, path: path.to_owned() })
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host == "[::1]"
        || (host.starts_with("127.")
            && host.split('.').count() == 4
            && host.split('.').all(|part| part.parse::<u8>().is_ok()))
}

pub(crate) fn origin_allowed(url: &Url, provider: &Provider, allow_loopback_http: bool) -> bool {
    if url.scheme != "https" && !(url.scheme == "http" && allow_loopback_http && is_loopback(&url.host)) {
        return false;
    }
    provider.any_https_origin
        || provider
            .origins()
            .iter()
            .filter_map(|o| read_url(o))
            .any(|o| o.scheme == url.scheme && o.host == url.host && o.port == url.port)
}

/// Dot segments, with parameters or without, and escapes that are none or hide what a reader acts on.
pub(crate) fn ambiguous_path(path: &str) -> bool {
    let dots = path.split('/').any(|segment| {
        let name = segment.split(';').next();
        name == Some(".") || name == Some("..")
    });
    let escapes = path.split('%').skip(1).any(|behind| {
        let hex = behind.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        byte.is_none_or(|byte| byte.is_ascii_control() || b"./\\;?#%".contains(&byte))
    });
    dots || escapes
}

fn percent_decoded(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = if bytes[at] == b'%' { segment.get(at + 1..at + 3) } else { None };
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Which route of the table is asked for, if any: the token's kind, and the site named in the path.
pub(crate) fn route(provider: &Provider, method: &str, path: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for row in provider.routes.iter().filter(|row| row.method == method) {
        let wanted: Vec<&str> = row.path.split('/').collect();
        let given: Vec<&str> = path.split('/').collect();
        if wanted.len() != given.len() {
            continue;
        }
        let mut site = None;
        let fits = wanted.iter().zip(&given).all(|(w, g)| {
            if *w == "{site}" {
                site = Some(percent_decoded(g));
            }
            if w.starts_with('{') && w.ends_with('}') { !g.is_empty() } else { w == g }
        });
        if fits {
            found.push((row.token.clone(), site));
        }
    }
    found
}
