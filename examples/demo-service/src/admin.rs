//! Orders over HTTP under `/_demo/`, for tests that are not written in Rust.

use std::sync::Arc;

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State as Injected},
    http::{HeaderMap, Method, header},
    response::Response,
    routing::{any, get},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Fault, Person, reply::Reply, service::Shared};

const MAX_BODY: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Revoke {
    what: Revoked,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Revoked {
    AccessTokens,
    RefreshTokens,
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    client_secret: Option<String>,
    bearer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    person: Option<Person>,
    interval_s: Option<u64>,
}

pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_demo/{order}", any(order))
        .route("/_demo/log", get(log).delete(clear_log))
        .with_state(shared)
}

async fn order(Injected(shared): Injected<Arc<Shared>>, request: Request) -> Response {
    let date = shared.clock.http_date(0);
    let (parts, body) = request.into_parts();
    let reply = match to_bytes(body, MAX_BODY).await {
        _ if parts.method != Method::POST => refused(405, "orders are POST").with("allow", "POST"),
        // A browser cannot send this type across origins without asking first.
        _ if !is_json(&parts.headers) => refused(415, "Content-Type must be application/json"),
        Err(_) => refused(413, "the body is too large or broke off"),
        Ok(body) => match carry_out(&shared, parts.uri.path(), &body) {
            Ok(done) => Reply::json(200, &done, ""),
            Err((status, why)) => refused(status, &why),
        },
    };
    reply.into_response(date)
}

fn carry_out(shared: &Shared, path: &str, body: &Bytes) -> Result<Value, (u16, String)> {
    let unreadable = |error: serde_json::Error| (400, error.to_string());
    match path {
        "/_demo/fault" => {
            let value: Value = serde_json::from_slice(body).map_err(unreadable)?;
            let orders = match value {
                Value::Array(orders) => orders,
                one => vec![one],
            };
            let faults: Vec<Fault> = orders
                .into_iter()
                .map(serde_json::from_value)
                .collect::<Result<_, _>>()
                .map_err(unreadable)?;
            let mut state = shared.state();
            state.faults.extend(faults);
            Ok(json!({"queued": state.faults.len()}))
        }
        "/_demo/revoke" => {
            let Revoke { what } = serde_json::from_slice(body).map_err(unreadable)?;
            let store = &mut shared.state().store;
            if what != Revoked::RefreshTokens {
                store.revoke_access_tokens();
            }
            if what != Revoked::AccessTokens {
                store.revoke_refresh_tokens();
            }
            Ok(json!({}))
        }
        "/_demo/rotate" => {
            let Rotate { client_secret, bearer } = serde_json::from_slice(body).map_err(unreadable)?;
            let credentials = &mut shared.state().credentials;
            if client_secret.is_some() {
                credentials.client_secret = client_secret;
            }
            if bearer.is_some() {
                credentials.bearer = bearer;
            }
            Ok(json!({}))
        }
        "/_demo/sign_in" => {
            let SignIn { person, interval_s } = serde_json::from_slice(body).map_err(unreadable)?;
            let sign_ins = &mut shared.state().sign_ins;
            sign_ins.person = person.unwrap_or(sign_ins.person);
            sign_ins.interval_s = interval_s.unwrap_or(sign_ins.interval_s);
            Ok(json!({}))
        }
        "/_demo/clock" => {
            let Advance { advance_s } = serde_json::from_slice(body).map_err(unreadable)?;
            shared.clock.advance(advance_s);
            Ok(json!({"now": shared.clock.now()}))
        }
        _ => Err((404, "no such order".to_owned())),
    }
}

async fn log(Injected(shared): Injected<Arc<Shared>>, request: Request) -> Response {
    let raw = request.uri().query() == Some("raw=true");
    let date = shared.clock.http_date(0);
    if raw && !shared.raw_log_over_http {
        return refused(403, "the raw log was not enabled at the start").into_response(date);
    }
    let exchanges: Vec<Value> = shared
        .state()
        .log
        .iter()
        .filter_map(|exchange| {
            let mut value = serde_json::to_value(exchange).ok()?;
            if let (true, Some(object)) = (raw, value.as_object_mut()) {
                object.insert("raw_base64".to_owned(), json!(STANDARD.encode(exchange.raw_request())));
            }
            Some(value)
        })
        .collect();
    Reply::json(200, &json!({"exchanges": exchanges}), "").into_response(date)
}

async fn clear_log(Injected(shared): Injected<Arc<Shared>>) -> Response {
    shared.state().log.clear();
    Reply::json(200, &json!({}), "").into_response(shared.clock.http_date(0))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    content_type
        .and_then(|field| field.split(';').next())
        .is_some_and(|media| media.trim() == "application/json")
}

fn refused(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({"error": why}), "")
}
