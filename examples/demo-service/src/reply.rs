//! What is to be answered, before it is HTTP.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};

use crate::{Kind, dialect, wire::BrokenBody};

pub(crate) const JSON: &str = "application/json";

/// How much of an answer is sent.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Delivery {
    Whole,
    /// The connection closes half-way through the body.
    Half,
    /// The connection closes without an answer.
    Dropped,
}

/// An answer and what the log says about it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delivery: Delivery,
    pub(crate) delay: Duration,
    pub(crate) outcome: String,
    pub(crate) detail: Option<String>,
    pub(crate) grant_type: Option<String>,
    pub(crate) fault: Option<&'static str>,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>, outcome: &str) -> Self {
        Reply {
            status,
            headers: vec![(header::CONTENT_TYPE.to_string(), content_type.to_owned())],
            body: body.into(),
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
            outcome: outcome.to_owned(),
            detail: None,
            grant_type: None,
            fault: None,
        }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value, outcome: &str) -> Self {
        Reply::new(status, JSON, body.to_string(), outcome)
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The HTTP response, dated by the service's own clock.
    pub(crate) fn into_response(self, date: String) -> Response<Body> {
        let mut builder = Response::builder().status(self.status);
        if !(200..600).contains(&self.status) {
            builder = builder.status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        let body = match self.delivery {
            Delivery::Half => Body::new(BrokenBody::new(&self.body)),
            Delivery::Whole | Delivery::Dropped => Body::from(self.body),
        };
        // Only a fault's own header fields can be unfit for HTTP.
        builder.header(header::DATE, date).body(body).unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

/// Why a request is refused, in the terms of RFC 6749 5.2 and RFC 6750 3.1.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) challenge: Option<String>,
}

impl Refusal {
    pub(crate) fn bad_request(code: &'static str, detail: &'static str) -> Self {
        Refusal { status: 400, code, detail, challenge: None }
    }

    pub(crate) fn invalid_request(detail: &'static str) -> Self {
        Refusal::bad_request("invalid_request", detail)
    }

    pub(crate) fn not_found(detail: &'static str) -> Self {
        Refusal { status: 404, code: "not_found", detail, challenge: None }
    }

    #[must_use]
    pub(crate) fn challenged(mut self, challenge: String) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Only a 400 says what is wrong: whoever fails to authenticate is told no more than that.
    pub(crate) fn into_reply(self, kind: Kind) -> Reply {
        let described = (self.status == 400).then_some(self.detail);
        let body = dialect::error_body(kind, self.status, self.code, described);
        let mut reply = Reply::new(self.status, dialect::content_type(kind), body, self.code);
        reply.detail = Some(self.detail.to_owned());
        if let Some(challenge) = self.challenge {
            reply = reply.with("www-authenticate", challenge);
        }
        reply
    }
}
