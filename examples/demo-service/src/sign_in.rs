//! How a person signs in at Flute: by a code that a device shows (RFC 8628), or in a browser (RFC 6749 section 4.1 with PKCE).

use std::collections::HashMap;

use axum::http::header::HOST;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    Environment,
    random::Random,
    reply::{Refusal, Reply},
    request::{Call, Params},
    token::offline_access,
};

pub(crate) const DEVICE_PATH: &str = "/oauth2/device_authorization";
pub(crate) const AUTHORIZATION_PATH: &str = "/oauth2/authorize";

const CODE_LIFETIME_S: u64 = 60;
const DEVICE_CODE_LIFETIME_S: u64 = 600;

/// The endpoint that a sign-in begins at.
#[derive(Clone, Copy)]
pub(crate) enum SignIn {
    Device,
    Browser,
}

/// What the person does who is asked to sign in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// Nothing yet: a device is told to ask again. In a browser it is as if they approved.
    #[default]
    Waits,
    /// Signs in and approves.
    Approves,
    /// Says no.
    Denies,
}

/// A code that is out.
struct Code {
    environment: Option<Environment>,
    offline_access: bool,
    expires_at: u64,
    bound: Bound,
}

/// What a code is exchanged with.
enum Bound {
    /// When a device last asked.
    Device {
        asked_at: u64,
    },
    Browser {
        redirect_uri: String,
        challenge: String,
    },
}

/// The person, how often a device may ask, and the codes that are out.
pub(crate) struct SignIns {
    pub(crate) person: Person,
    pub(crate) interval_s: u64,
    codes: HashMap<String, Code>,
}

impl SignIns {
    pub(crate) fn new() -> Self {
        SignIns { person: Person::default(), interval_s: 1, codes: HashMap::new() }
    }

    /// Answers a device authorization request.
    pub(crate) fn device(
        &mut self,
        call: &Call<'_>,
        params: &Params,
        random: &mut Random,
    ) -> Result<Reply, Refusal> {
        let code = Code {
            environment: call.environment,
            offline_access: offline_access(params)?,
            expires_at: call.now.saturating_add(DEVICE_CODE_LIFETIME_S),
            bound: Bound::Device { asked_at: call.now },
        };
        let host = call.headers.get(HOST).and_then(|field| field.to_str().ok()).unwrap_or_default();
        let device_code = random.opaque();
        let user_code = random.hex(8).to_uppercase();
        let (left, right) = user_code.split_at(4);
        let user_code = format!("{left}-{right}");
        self.codes.insert(device_code.clone(), code);
        let body = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("http://{host}/device"),
            "verification_uri_complete": format!("http://{host}/device?user_code={user_code}"),
            "expires_in": DEVICE_CODE_LIFETIME_S,
            "interval": self.interval_s,
        });
        Ok(Reply::json(200, &body, "device_code"))
    }

    /// Sends the browser back to where it came from.
    pub(crate) fn browser(
        &mut self,
        call: &Call<'_>,
        client_id: &str,
        random: &mut Random,
    ) -> Result<Reply, Refusal> {
        let params = Params::from_form(call.query.unwrap_or_default().as_bytes())?;
        let redirect_uri = params.need("redirect_uri", "redirect_uri is missing")?;
        if params.get("client_id") != Some(client_id) {
            return Err(Refusal::invalid_request("client_id is missing or wrong"));
        }
        if params.get("response_type") != Some("code") || params.get("code_challenge_method") != Some("S256")
        {
            return Err(Refusal::invalid_request(
                "only response_type=code with code_challenge_method=S256 is taken",
            ));
        }
        let state = params.need("state", "state is missing")?;
        let challenge = params.need("code_challenge", "code_challenge is missing")?.to_owned();
        let offline_access = offline_access(&params)?;
        let (said, outcome) = if self.person == Person::Denies {
            ("error=access_denied".to_owned(), "access_denied")
        } else {
            let code = random.opaque();
            let said = format!("code={code}");
            let bound = Bound::Browser { redirect_uri: redirect_uri.to_owned(), challenge };
            let expires_at = call.now.saturating_add(CODE_LIFETIME_S);
            self.codes
                .insert(code, Code { environment: call.environment, offline_access, expires_at, bound });
            (said, "code")
        };
        // What a client of this service sends as its state is base64url: nothing needs an escape.
        let location = format!("{redirect_uri}?{said}&state={state}");
        Ok(Reply::new(302, "text/plain", "", outcome).with("location", location))
    }

    /// Whether the code that is presented is followed by a refresh token, if by a token at all. A code of a browser is used once,
    /// whatever becomes of it.
    pub(crate) fn redeem(&mut self, call: &Call<'_>, params: &Params, device: bool) -> Result<bool, Refusal> {
        let name = if device { "device_code" } else { "code" };
        let presented = params.need(name, "the code is missing")?;
        let is_known = |code: &&mut Code| {
            code.environment == call.environment && device == matches!(code.bound, Bound::Device { .. })
        };
        let Some(code) = self.codes.get_mut(presented).filter(is_known) else {
            return Err(Refusal::bad_request("invalid_grant", "the code is not valid here"));
        };
        let offline_access = code.offline_access;
        let expired = code.expires_at <= call.now;
        let refused = match &mut code.bound {
            Bound::Device { .. } if expired => {
                Some(Refusal::bad_request("expired_token", "the code has expired"))
            }
            Bound::Device { asked_at } => {
                let soon = call.now < asked_at.saturating_add(self.interval_s);
                *asked_at = call.now;
                match self.person {
                    _ if soon => return Err(Refusal::bad_request("slow_down", "asked again too soon")),
                    Person::Waits => {
                        return Err(Refusal::bad_request(
                            "authorization_pending",
                            "nobody has entered the code yet",
                        ));
                    }
                    Person::Denies => Some(Refusal::bad_request("access_denied", "the person said no")),
                    Person::Approves => None,
                }
            }
            Bound::Browser { redirect_uri, challenge } => {
                let verifier = params.get("code_verifier").unwrap_or_default();
                let good = !expired
                    && params.get("redirect_uri") == Some(redirect_uri)
                    && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge;
                (!good).then_some(Refusal::bad_request(
                    "invalid_grant",
                    "expired, another redirect_uri, or another verifier",
                ))
            }
        };
        self.codes.remove(presented);
        refused.map_or(Ok(offline_access), Err)
    }
}
