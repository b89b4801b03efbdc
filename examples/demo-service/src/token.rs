//! The token endpoint: client authentication, grants, and what it was ordered to do wrong.

use std::time::Duration;

use crate::{
    Fault, Kind, TokenKind, api,
    config::Credentials,
    dialect::{self, ExpiresIn},
    reply::{Delivery, JSON, Refusal, Reply},
    request::{Authorization, Call, Params, authorization},
    service::{Shared, State},
    sign_in::SignIn,
    store::{Holder, NotRedeemed, Order},
};

const CLIENT_CREDENTIALS: &str = "client_credentials";
const PASSWORD: &str = "password";
const REFRESH_TOKEN: &str = "refresh_token";
const AUTHORIZATION_CODE: &str = "authorization_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SITE_TOKEN: &str = "site_token";
const INVALID_CLIENT: &str = "invalid_client";
const OFFLINE_ACCESS: &str = "offline_access";

/// Grants that the log names; any other text in `grant_type` could be a misplaced secret.
const NAMED_GRANTS: [&str; 5] =
    [CLIENT_CREDENTIALS, PASSWORD, REFRESH_TOKEN, AUTHORIZATION_CODE, DEVICE_CODE];

/// How one answer departs from the ordinary.
struct Shape {
    expires_in: ExpiresIn,
    rotate: bool,
    access_token_len: Option<usize>,
}

/// Answers a `POST` to the token endpoint; consumes one fault.
pub(crate) fn answer(shared: &Shared, call: &Call<'_>) -> Reply {
    let kind = shared.kind;
    let params = params(kind, call);
    let grant_type = match &params {
        Ok(_) if kind == Kind::FlipEnergy => Some(SITE_TOKEN),
        Ok(params) => params
            .get("grant_type")
            .map(|asked| NAMED_GRANTS.into_iter().find(|named| *named == asked).unwrap_or("(unknown)")),
        Err(_) => None,
    };

    let mut state = shared.state();
    let fault = state.faults.pop_front();
    let mut reply = match fault.as_ref().and_then(|fault| instead(kind, fault)) {
        Some(reply) => reply,
        None => {
            let shape = shape(fault.as_ref());
            let state = &mut *state;
            params
                .and_then(|params| grant(shared, call, &params, &shape, state))
                .unwrap_or_else(|refusal| refusal.into_reply(kind))
        }
    };
    drop(state);

    match fault {
        Some(Fault::Truncated) => reply.body.truncate(reply.body.len() / 2),
        Some(Fault::Disconnect) => reply.delivery = Delivery::Half,
        Some(Fault::DropAnswer) => reply.delivery = Delivery::Dropped,
        Some(Fault::Slow { milliseconds }) => reply.delay = Duration::from_millis(milliseconds),
        _ => {}
    }
    reply.fault = fault.as_ref().map(Fault::name);
    reply.grant_type = grant_type.map(str::to_owned);
    // RFC 6749 5.1.
    reply.with("cache-control", "no-store").with("pragma", "no-cache")
}

/// Answers a request for a code to show, or a browser that comes to sign in. Neither consumes a fault.
pub(crate) fn sign_in(shared: &Shared, call: &Call<'_>, endpoint: SignIn) -> Reply {
    let kind = shared.kind;
    let state = &mut *shared.state();
    let State { credentials, store, sign_ins, .. } = state;
    let answered = match endpoint {
        SignIn::Device => params(kind, call).and_then(|params| {
            authenticate(kind, call, &params, credentials)?;
            sign_ins.device(call, &params, &mut store.random)
        }),
        SignIn::Browser => {
            sign_ins.browser(call, credentials.client_id.as_deref().unwrap_or_default(), &mut store.random)
        }
    };
    answered.unwrap_or_else(|refusal| refusal.into_reply(kind)).with("cache-control", "no-store")
}

/// The answer of a fault that leaves the request unprocessed.
fn instead(kind: Kind, fault: &Fault) -> Option<Reply> {
    const NOT_PROCESSED: &str = "not_processed";
    match fault {
        Fault::Status503 { retry_after } => {
            let reply = Reply::new(503, "text/plain", "Service Unavailable\n", NOT_PROCESSED);
            Some(match retry_after {
                Some(value) => reply.with("retry-after", value),
                None => reply,
            })
        }
        Fault::Html => Some(Reply::new(200, "text/html; charset=utf-8", MAINTENANCE, NOT_PROCESSED)),
        Fault::Status { status, body, headers } => {
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            let reply = Reply::new(*status, JSON, body, NOT_PROCESSED);
            Some(headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value)))
        }
        Fault::InvalidGrant => {
            let refusal = Refusal::bad_request("invalid_grant", "ordered by a fault");
            Some(refusal.into_reply(kind))
        }
        _ => None,
    }
}

const MAINTENANCE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Maintenance</title></head>\n\
    <body><h1>We will be back soon</h1><p>This service is down for maintenance.</p></body>\n</html>\n";

fn shape(fault: Option<&Fault>) -> Shape {
    Shape {
        expires_in: match fault {
            Some(Fault::OmitExpiresIn) => ExpiresIn::Absent,
            Some(Fault::StringExpiresIn) => ExpiresIn::Text,
            _ => ExpiresIn::Number,
        },
        rotate: !matches!(fault, Some(Fault::NoRotation)),
        access_token_len: match fault {
            Some(Fault::TooLong { bytes }) => Some((*bytes).min(Fault::MAX_TOKEN_BYTES)),
            _ => None,
        },
    }
}

/// The parameters, from the one kind of body that the service documents.
fn params(kind: Kind, call: &Call<'_>) -> Result<Params, Refusal> {
    // RFC 6749 2.3.1: "MUST NOT be included in the request URI".
    if call.query.is_some() {
        return Err(Refusal::invalid_request("parameters belong in the body, never in the URL"));
    }
    let media_type = call.media_type();
    let is = |expected: &str| media_type.as_deref() == Some(expected);
    match kind {
        Kind::FlipUtility | Kind::Opower | Kind::Flute => {
            if !is("application/x-www-form-urlencoded") {
                return Err(Refusal::invalid_request(
                    "Content-Type must be application/x-www-form-urlencoded",
                ));
            }
            Params::from_form(call.body)
        }
        Kind::Flume if is(JSON) => Params::from_json(call.body),
        Kind::Flume => Err(Refusal::invalid_request("Content-Type must be application/json")),
        // The page shows no body: none is needed, a JSON object is let through.
        Kind::FlipEnergy if call.body.is_empty() => Params::from_form(b""),
        Kind::FlipEnergy if is(JSON) => Params::from_json(call.body),
        Kind::FlipEnergy => Err(Refusal::invalid_request("a body must be a JSON object")),
    }
}

fn grant(
    shared: &Shared,
    call: &Call<'_>,
    params: &Params,
    shape: &Shape,
    state: &mut State,
) -> Result<Reply, Refusal> {
    let State { credentials, store, sign_ins, .. } = state;
    let kind = shared.kind;
    match kind {
        // A route of the API like any other; only its 401 speaks the token endpoint's language.
        Kind::FlipEnergy => {
            api::open(shared, credentials, store, call, TokenKind::Client).map_err(|refusal| {
                let code = if refusal.status == 401 { INVALID_CLIENT } else { refusal.code };
                Refusal { code, ..refusal }
            })?;
        }
        _ => authenticate(kind, call, params, credentials)?,
    }
    let holder = Holder { environment: call.environment, site: None };
    let access_token_len = shape.access_token_len;
    let primary = |refresh_token: bool| Order {
        holder: holder.clone(),
        family: None,
        refresh_token: refresh_token && shape.rotate,
        access_token_len,
    };
    let order = if kind == Kind::FlipEnergy {
        let site = call.path_param("siteId");
        if !shared.sites.iter().any(|known| known == site) {
            return Err(Refusal::not_found("no such site"));
        }
        Order { holder: Holder { site: Some(site.to_owned()), ..Holder::default() }, ..primary(false) }
    } else {
        match (kind, params.need("grant_type", "grant_type is missing")?) {
            (Kind::FlipUtility | Kind::Opower, CLIENT_CREDENTIALS) => primary(false),
            (Kind::Flute, CLIENT_CREDENTIALS) => primary(offline_access(params)?),
            (Kind::Flute, asked @ (DEVICE_CODE | AUTHORIZATION_CODE)) => {
                primary(sign_ins.redeem(call, params, asked == DEVICE_CODE)?)
            }
            (Kind::Flume, PASSWORD) => {
                let username = params.need("username", "username is missing")?;
                let password = params.need("password", "password is missing")?;
                if !is_same(&credentials.username, username) || !is_same(&credentials.password, password) {
                    return Err(Refusal::bad_request("invalid_grant", "user name or password is wrong"));
                }
                primary(true)
            }
            (Kind::Flume | Kind::Flute, REFRESH_TOKEN) => {
                let presented = params.need("refresh_token", "refresh_token is missing")?;
                if kind == Kind::Flute {
                    offline_access(params)?;
                }
                let (holder, family) =
                    store.redeem(call.environment, presented, shape.rotate).map_err(|why| {
                        Refusal::bad_request(
                            "invalid_grant",
                            match why {
                                NotRedeemed::Unknown => "the refresh token is not valid here",
                                NotRedeemed::Reused => "the refresh token was used before",
                            },
                        )
                    })?;
                Order { holder, family: Some(family), refresh_token: shape.rotate, access_token_len }
            }
            _ => return Err(Refusal::bad_request("unsupported_grant_type", "the grant is not supported")),
        }
    };
    let client_id = credentials.client_id.as_deref().unwrap_or_default();
    let issued = store.issue(call.now, client_id, order);
    let body = dialect::token_body(kind, client_id, &issued, shape.expires_in);
    Ok(Reply::new(200, dialect::content_type(kind), body, "token"))
}

/// Whether Flute's one scope was asked for.
pub(crate) fn offline_access(params: &Params) -> Result<bool, Refusal> {
    match params.get("scope") {
        None => Ok(false),
        Some(OFFLINE_ACCESS) => Ok(true),
        Some(_) => Err(Refusal::bad_request("invalid_scope", "the only scope is offline_access")),
    }
}

fn authenticate(
    kind: Kind,
    call: &Call<'_>,
    params: &Params,
    credentials: &Credentials,
) -> Result<(), Refusal> {
    let invalid_client =
        |detail: &'static str| Refusal { status: 401, code: INVALID_CLIENT, detail, challenge: None };
    let basic_challenge = || format!("Basic realm=\"{kind}\"");
    let authorization = authorization(call.headers)?;
    match kind {
        // client_secret_post.
        Kind::FlipUtility | Kind::FlipEnergy | Kind::Flume => {
            let in_body = params.get("client_secret").is_some();
            match authorization {
                Authorization::None => {}
                _ if in_body => {
                    return Err(Refusal::invalid_request("more than one way of client authentication"));
                }
                Authorization::Basic(_) => {
                    return Err(
                        invalid_client("the credentials belong in the body").challenged(basic_challenge())
                    );
                }
                _ => return Err(invalid_client("the credentials belong in the body")),
            }
            let (id, secret) = (params.get("client_id"), params.get("client_secret"));
            if id.is_some_and(|id| is_same(&credentials.client_id, id))
                && secret.is_some_and(|secret| is_same(&credentials.client_secret, secret))
            {
                return Ok(());
            }
            Err(invalid_client("client_id or client_secret is missing or wrong"))
        }
        // client_secret_basic, raw.
        Kind::Opower | Kind::Flute => {
            let Authorization::Basic(pair) = authorization else {
                return Err(invalid_client("Basic credentials are missing").challenged(basic_challenge()));
            };
            if params.get("client_secret").is_some() {
                return Err(Refusal::invalid_request("more than one way of client authentication"));
            }
            if pair.is_some_and(|(id, secret)| {
                is_same(&credentials.client_id, &id) && is_same(&credentials.client_secret, &secret)
            }) {
                return Ok(());
            }
            Err(invalid_client("the Basic credentials are wrong").challenged(basic_challenge()))
        }
    }
}

fn is_same(expected: &Option<String>, presented: &str) -> bool {
    expected.as_deref() == Some(presented)
}
