//! The protected APIs: which routes there are, which token each wants, and what they answer.

use serde_json::{Value, json};

use crate::{
    Kind,
    config::{Credentials, WrongToken},
    dialect,
    reply::{Refusal, Reply},
    request::{Authorization, Call, authorization},
    service::Shared,
    store::{Holder, Store},
};

/// The kind of token that a route wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenKind {
    /// An access token of the token endpoint (Flip Utility: or its API key).
    Access,
    /// Flip Energy's client token.
    Client,
    /// A site token of the site in the path.
    Site,
}

/// One route of a protected API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path; `{name}` stands for one segment.
    pub path: &'static str,
    /// What opens it.
    pub token: TokenKind,
}

const fn route(method: &'static str, path: &'static str, token: TokenKind) -> Route {
    Route { method, path, token }
}

use TokenKind::{Access, Client, Site};

const FLIP_UTILITY: [Route; 2] =
    [route("GET", "/v1/programs", Access), route("GET", "/v1/enrollments", Access)];

/// The table of Flip Energy's page, row by row.
const FLIP_ENERGY: [Route; 24] = [
    route("POST", "/v1/auth/site/{siteId}", Client),
    route("POST", "/v1/commission", Client),
    route("GET", "/v1/commands", Client),
    route("PATCH", "/v1/command/{commandId}", Client),
    route("POST", "/v1/telemetry/BATTERY", Client),
    route("POST", "/v1/telemetry/BATTERY_COUNTER", Client),
    route("PATCH", "/v1/settings/{settingsRequestId}", Client),
    route("POST", "/v1/supplements", Client),
    route("GET", "/v1/sites", Client),
    route("GET", "/v1/programs", Client),
    route("GET", "/v1/site/{siteId}", Site),
    route("PATCH", "/v1/site/{siteId}", Site),
    route("GET", "/v1/site/{siteId}/devices", Site),
    route("GET", "/v1/site/{siteId}/device/{deviceId}", Site),
    route("PATCH", "/v1/site/{siteId}/device/{deviceId}", Site),
    route("DELETE", "/v1/site/{siteId}/device/{deviceId}", Site),
    route("POST", "/v1/site/{siteId}/enrollments", Site),
    route("GET", "/v1/site/{siteId}/enrollments", Site),
    route("DELETE", "/v1/site/{siteId}/enrollment/{enrollmentId}", Site),
    route("GET", "/v1/site/{siteId}/programs", Site),
    route("GET", "/v1/site/{siteId}/program/{programId}", Site),
    route("GET", "/v1/site/{siteId}/events", Site),
    route("GET", "/v1/site/{siteId}/event/{eventId}", Site),
    route("PATCH", "/v1/site/{siteId}/event/{eventId}", Site),
];

const FLUME: [Route; 2] = [route("GET", "/me", Access), route("GET", "/users/{id}/devices", Access)];

/// The example of Opower's quick start.
const OPOWER: [Route; 1] =
    [route("GET", "/apis/customer-data-v2/{utilityCode}/customers/{customerId}/utility_accounts", Access)];

const FLUTE: [Route; 1] = [route("GET", "/v2/transactions", Access)];

impl Kind {
    /// The routes of the protected API; Flip Energy's first one is its token endpoint too.
    #[must_use]
    pub const fn routes(self) -> &'static [Route] {
        match self {
            Kind::FlipUtility => &FLIP_UTILITY,
            Kind::FlipEnergy => &FLIP_ENERGY,
            Kind::Flume => &FLUME,
            Kind::Opower => &OPOWER,
            Kind::Flute => &FLUTE,
        }
    }
}

/// Answers a request to a route of the protected API.
pub(crate) fn answer(shared: &Shared, call: &Call<'_>, route: &Route) -> Reply {
    let state = shared.state();
    let opened = open(shared, &state.credentials, &state.store, call, route.token)
        .and_then(|()| resource(shared, call, route));
    drop(state);
    match opened {
        Ok(body) => Reply::new(200, dialect::content_type(shared.kind), body, "served"),
        Err(refusal) => refusal.into_reply(shared.kind),
    }
}

/// Whether the presented token opens a route (RFC 6750 3).
pub(crate) fn open(
    shared: &Shared,
    credentials: &Credentials,
    store: &Store,
    call: &Call<'_>,
    wanted: TokenKind,
) -> Result<(), Refusal> {
    let kind = shared.kind;
    let realm = format!("Bearer realm=\"{kind}\"");
    let invalid_request = format!("{realm}, error=\"invalid_request\"");
    // RFC 6750 2.3 discourages it, RFC 9700 4.3.2 forbids it.
    let in_query = |part: &str| part.split('=').next() == Some("access_token");
    if call.query.is_some_and(|query| query.split('&').any(in_query)) {
        return Err(Refusal::invalid_request("a token never belongs in a URL").challenged(invalid_request));
    }
    let token = match authorization(call.headers) {
        Ok(Authorization::Bearer(token)) => token,
        Ok(_) => {
            let refusal = Refusal { status: 401, code: "unauthorized", detail: "no token", challenge: None };
            return Err(refusal.challenged(realm));
        }
        Err(refusal) => return Err(refusal.challenged(invalid_request)),
    };
    let unauthorized = |detail| {
        Refusal { status: 401, code: "invalid_token", detail, challenge: None }
            .challenged(format!("{realm}, error=\"invalid_token\""))
    };
    let wrong_token = |detail| match shared.wrong_token {
        WrongToken::Unauthorized => unauthorized(detail),
        WrongToken::Forbidden => Refusal { status: 403, code: "insufficient_scope", detail, challenge: None }
            .challenged(format!("{realm}, error=\"insufficient_scope\"")),
    };
    let is_static =
        matches!(kind, Kind::FlipUtility | Kind::FlipEnergy) && credentials.bearer.as_deref() == Some(token);
    let holder = store.holder(call.now, call.environment, token);
    match (wanted, is_static, holder) {
        (Access, _, Some(_)) | (Access, true, None) | (Client, true, _) => Ok(()),
        (Site, _, Some(Holder { site: Some(site), .. })) if site == call.path_param("siteId") => Ok(()),
        (Site, _, Some(_)) => Err(wrong_token("the token is for another site")),
        (Site, true, None) => Err(wrong_token("a site token is wanted")),
        (Client, false, Some(_)) => Err(wrong_token("the client token is wanted")),
        (_, false, None) => Err(unauthorized("the token is unknown, expired or revoked")),
    }
}

/// What a route holds; made up.
fn resource(shared: &Shared, call: &Call<'_>, route: &Route) -> Result<Vec<u8>, Refusal> {
    let forbidden = |detail| Refusal { status: 403, code: "insufficient_scope", detail, challenge: None };
    let user_id = shared.user_id;
    let value = match (shared.kind, route.path) {
        (Kind::FlipUtility, "/v1/programs") => {
            json!({"programs": [{"id": "program-1", "name": "Summer evenings"}]})
        }
        (Kind::FlipUtility, _) => json!({"enrollments": [{"id": "enrollment-1", "programId": "program-1"}]}),
        (Kind::FlipEnergy, _) => {
            let params: serde_json::Map<String, Value> =
                call.path_params.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({"endpoint": format!("{} {}", route.method, route.path), "parameters": params})
        }
        (Kind::Flume, "/me") => {
            let user = json!({"id": user_id, "type": "USER", "status": "Active"});
            return Ok(dialect::flume_data(&user.to_string()));
        }
        (Kind::Flume, _) => {
            if call.path_param("id") != user_id.to_string() {
                return Err(forbidden("another user's devices"));
            }
            let device = json!({"id": "6248148189204194987", "user_id": user_id, "type": 2});
            return Ok(dialect::flume_data(&device.to_string()));
        }
        (Kind::Opower, _) => {
            if call.path_param("utilityCode") != shared.utility_code {
                return Err(forbidden("another utility's customers"));
            }
            json!({"customerId": call.path_param("customerId"), "utilityAccounts": [{"serviceType": "ELECTRICITY"}]})
        }
        (Kind::Flute, _) => json!({
            "environment": call.environment.map(|environment| environment.name()),
            "transactions": [{"id": "transaction-1", "amount": 1250}],
        }),
    };
    Ok(value.to_string().into_bytes())
}
