//! A plain HTTP client, and the token request that each service documents.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use tokenward_demo_service::{Credentials, Kind, Service};
use ureq::{Agent, http::Request};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The object that holds the tokens.
    pub(crate) fn tokens(&self) -> Value {
        let value = self.json();
        if value["data"].is_array() { value["data"][0].clone() } else { value }
    }

    pub(crate) fn access_token(&self) -> String {
        self.tokens()["access_token"].as_str().expect("an access token").to_owned()
    }

    pub(crate) fn refresh_token(&self) -> String {
        self.tokens()["refresh_token"].as_str().expect("a refresh token").to_owned()
    }

    /// The error code, wherever the dialect puts it.
    pub(crate) fn error(&self) -> String {
        let value = self.json();
        let code = if value["detailed"].is_array() { &value["detailed"][0] } else { &value["error"] };
        code.as_str().expect("an error code").to_owned()
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

pub(crate) fn try_send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, ureq::Error> {
    let request =
        headers.iter().fold(Request::builder().method(method).uri(url), |request, (name, value)| {
            request.header(*name, *value)
        });
    let mut response = match body {
        "" => agent().run(request.body(()).expect("a request")),
        body => agent().run(request.body(body).expect("a request")),
    }?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect(),
        body: response.body_mut().with_config().limit(64 << 20).read_to_string()?,
    })
}

pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    try_send(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

pub(crate) fn get(url: &str, token: &str) -> Answer {
    send("GET", url, &[("authorization", &format!("Bearer {token}"))], "")
}

/// Sends bytes as they are and reads until the service closes the connection.
pub(crate) fn send_bytes(base_url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(base_url.trim_start_matches("http://")).expect("a connection");
    stream.write_all(bytes).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read to the end");
    String::from_utf8(answer).expect("text")
}

pub(crate) fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

pub(crate) fn basic(credentials: &Credentials) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let id = credentials.client_id.as_deref().expect("a client id");
    let secret = credentials.client_secret.as_deref().expect("a client secret");
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A token request as the service documents it; with a refresh token the refresh grant.
pub(crate) struct TokenRequest {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl TokenRequest {
    pub(crate) fn new(service: &Service, refresh_token: Option<&str>) -> Self {
        let credentials = service.credentials();
        let id = credentials.client_id.clone().unwrap_or_default();
        let secret = credentials.client_secret.clone().unwrap_or_default();
        let url = service.token_url().replace("{site}", "site-1");
        match service.kind() {
            Kind::FlipUtility => TokenRequest {
                url,
                headers: vec![("content-type", FORM.to_owned())],
                body: format!(
                    "grant_type=client_credentials&client_id={}&client_secret={}",
                    form_encoded(&id),
                    form_encoded(&secret)
                ),
            },
            Kind::FlipEnergy => {
                let bearer = credentials.bearer.expect("a client token");
                TokenRequest {
                    url,
                    headers: vec![("authorization", format!("Bearer {bearer}"))],
                    body: String::new(),
                }
            }
            Kind::Flume => {
                let body = match refresh_token {
                    Some(token) => json!({"grant_type": "refresh_token", "refresh_token": token,
                        "client_id": id, "client_secret": secret}),
                    None => json!({"grant_type": "password", "username": credentials.username,
                        "password": credentials.password, "client_id": id, "client_secret": secret}),
                };
                TokenRequest { url, headers: vec![("content-type", JSON.to_owned())], body: body.to_string() }
            }
            Kind::Opower | Kind::Flute => TokenRequest {
                url,
                headers: vec![("content-type", FORM.to_owned()), ("authorization", basic(&credentials))],
                body: match (service.kind(), refresh_token) {
                    (_, Some(token)) => {
                        format!("grant_type=refresh_token&refresh_token={}", form_encoded(token))
                    }
                    (Kind::Flute, None) => "grant_type=client_credentials&scope=offline_access".to_owned(),
                    (_, None) => "grant_type=client_credentials".to_owned(),
                },
            },
        }
    }

    pub(crate) fn try_send(&self) -> Result<Answer, ureq::Error> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        try_send("POST", &self.url, &headers, &self.body)
    }

    pub(crate) fn send(&self) -> Answer {
        self.try_send().expect("an answer")
    }
}

pub(crate) fn start(kind: Kind) -> Service {
    Service::start(kind, tokenward_demo_service::Config::default()).expect("a service")
}

pub(crate) fn token(service: &Service) -> Answer {
    TokenRequest::new(service, None).send()
}

pub(crate) fn refresh(service: &Service, refresh_token: &str) -> Answer {
    TokenRequest::new(service, Some(refresh_token)).send()
}

/// One route that an ordinary access token opens (Flip Energy: a token of `site-1`).
pub(crate) fn api_url(service: &Service) -> String {
    let path = match service.kind() {
        Kind::FlipUtility => "/v1/programs",
        Kind::FlipEnergy => "/v1/site/site-1/devices",
        Kind::Flume => "/me",
        Kind::Opower => "/apis/customer-data-v2/UTIL/customers/123456/utility_accounts",
        Kind::Flute => "/v2/transactions",
    };
    format!("{}{path}", service.base_url())
}
