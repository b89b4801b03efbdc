//! Answers as each service's page prints them: member order, white space and all.

use serde_json::{Value, json};

use crate::{Kind, store::Issued};

/// How `expires_in` is written.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum ExpiresIn {
    Number,
    Text,
    Absent,
}

pub(crate) fn content_type(kind: Kind) -> &'static str {
    match kind {
        Kind::FlipUtility | Kind::FlipEnergy | Kind::Flute => "application/json",
        Kind::Flume => "application/json; charset=utf-8",
        Kind::Opower => "application/json;charset=UTF-8",
    }
}

/// A token answer. `client_id` is shown by Opower only.
pub(crate) fn token_body(kind: Kind, client_id: &str, issued: &Issued, expires_in: ExpiresIn) -> Vec<u8> {
    let access_token = json!(issued.access_token);
    let refresh_token = issued.refresh_token.as_ref().map(|token| ("refresh_token", json!(token)));
    let expires_in = match expires_in {
        ExpiresIn::Number => Some(("expires_in", json!(issued.lifetime_s))),
        ExpiresIn::Text => Some(("expires_in", json!(issued.lifetime_s.to_string()))),
        ExpiresIn::Absent => None,
    };
    match kind {
        Kind::FlipUtility | Kind::Flute => {
            let members = [("access_token", access_token)]
                .into_iter()
                .chain(refresh_token)
                .chain([("token_type", json!("Bearer"))])
                .chain(expires_in);
            format!("{{\n{}\n}}", joined(members, ": ", ",\n")).into_bytes()
        }
        Kind::FlipEnergy => {
            let members = [("access_token", access_token), ("token_type", json!("Bearer"))];
            format!("{{{}}}", joined(members.into_iter().chain(expires_in), ":", ",")).into_bytes()
        }
        // Tabs, no space behind the first colon, one behind the last value: so the page shows it.
        Kind::Opower => {
            let last =
                expires_in.map(|(name, value)| format!(",\n\t\"{name}\": {value} ")).unwrap_or_default();
            format!(
                "{{\n\t\"client_id\":{},\n\t\"access_token\": {access_token},\n\t\"token_type\": \"BEARER\"{last}\n}}",
                json!(client_id)
            )
            .into_bytes()
        }
        Kind::Flume => {
            let members = [("token_type", json!("bearer")), ("access_token", access_token)]
                .into_iter()
                .chain(expires_in)
                .chain(refresh_token);
            flume_data(&format!("{{{}}}", joined(members, ":", ",")))
        }
    }
}

fn joined<'a>(members: impl Iterator<Item = (&'a str, Value)>, colon: &str, comma: &str) -> String {
    members.map(|(name, value)| format!("\"{name}\"{colon}{value}")).collect::<Vec<_>>().join(comma)
}

/// Flume's envelope around one object, given as JSON text.
pub(crate) fn flume_data(object: &str) -> Vec<u8> {
    format!(
        "{{\"success\":true,\"code\":602,\"message\":\"Request OK\",\"http_code\":200,\"http_message\":\"OK\",\
         \"detailed\":null,\"data\":[{object}],\"count\":1,\"pagination\":null}}"
    )
    .into_bytes()
}

/// An error answer: RFC 6749 5.2, or Flume's envelope with the code at `detailed[0]`.
pub(crate) fn error_body(kind: Kind, status: u16, code: &str, description: Option<&str>) -> Vec<u8> {
    if kind == Kind::Flume {
        let http_message = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Error",
        };
        return format!(
            "{{\"success\":false,\"code\":605,\"message\":\"Request failed\",\"http_code\":{status},\
             \"http_message\":\"{http_message}\",\"detailed\":[{}],\"data\":null,\"count\":0,\"pagination\":null}}",
            json!(code)
        )
        .into_bytes();
    }
    let description = description.map(|text| format!(",\"error_description\":{}", json!(text)));
    format!("{{\"error\":{}{}}}", json!(code), description.unwrap_or_default()).into_bytes()
}
