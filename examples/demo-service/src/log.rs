//! What was received, and what became of it.

use std::{fmt, sync::Arc};

use axum::body::Bytes;
use serde::Serialize;

use crate::{Environment, wire::Captured};

/// One request and its outcome. All members but the raw bytes are free of secrets.
#[derive(Clone, Serialize)]
pub struct Exchange {
    /// The listener, where the system has one for each environment.
    pub environment: Option<Environment>,
    /// The service's clock when the request had arrived, Unix seconds.
    pub at: u64,
    /// The method.
    pub method: String,
    /// The path as it was sent, without a query.
    pub path: String,
    /// Names of the header fields in the order received, in lower case, one for each field line.
    pub header_names: Vec<String>,
    /// The grant that was asked for: a name the service knows of, or `(unknown)`.
    pub grant_type: Option<String>,
    /// `token`, `served`, `not_processed`, or an error code.
    pub outcome: String,
    /// What was wrong with the request, in words.
    pub detail: Option<String>,
    /// The status that was sent; none where the connection was closed without an answer.
    pub status: Option<u16>,
    /// The name of the [`Fault`](crate::Fault) that this request consumed.
    pub fault: Option<&'static str>,
    #[serde(skip)]
    pub(crate) raw: Arc<Captured>,
    #[serde(skip)]
    pub(crate) body: Bytes,
}

impl Exchange {
    /// The request exactly as it came over the wire, for tests that assert on it.
    ///
    /// # Security
    /// Holds every secret that the client sent.
    #[must_use]
    pub fn raw_request(&self) -> &[u8] {
        &self.raw.bytes
    }

    /// Request line and header fields of [`Exchange::raw_request`], the empty line included.
    ///
    /// # Security
    /// Holds every secret that the client sent.
    #[must_use]
    pub fn raw_head(&self) -> &[u8] {
        self.raw.bytes.get(..self.raw.head_len).unwrap_or_default()
    }

    /// The body, chunks joined; empty where it was refused for its length.
    ///
    /// # Security
    /// Holds every secret that the client sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("environment", &self.environment)
            .field("at", &self.at)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("header_names", &self.header_names)
            .field("grant_type", &self.grant_type)
            .field("outcome", &self.outcome)
            .field("detail", &self.detail)
            .field("status", &self.status)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
