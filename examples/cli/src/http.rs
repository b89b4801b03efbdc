//! HTTP over sockets: the part that the core leaves to its caller.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderValue, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// An answer beyond this is none: no token is that long.
const MAX_BODY: u64 = 1 << 20;

/// A client that never follows a redirect, so that no credential goes where it was not sent.
pub(crate) struct Http {
    agent: Agent,
}

/// What came back. Its body is wiped when it is dropped.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// A client for `url` and its like: nothing is sent later than a quarter of `timeout`, loopback is reached directly, whatever proxy is configured, and
    /// the machine's trust store is read where TLS is spoken.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .timeout_resolve(Some(timeout / 8))
            .timeout_connect(Some(timeout / 8))
            .user_agent(concat!("tokenward/", env!("CARGO_PKG_VERSION")));
        let is_https = url.split(':').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let config = if is_https { config.tls_config(tls()?).build() } else { config.proxy(None).build() };
        Ok(Self { agent: config.into() })
    }

    /// Sends a token request, as [`Http::send`] does.
    pub(crate) fn exchange(&self, request: &tokenward::Request<'_>) -> Result<Reply, String> {
        self.send(request.method(), request.url(), request.headers(), request.body())
    }

    /// Sends a request; the error is one line for people, without a secret.
    pub(crate) fn send<'h>(
        &self,
        method: &str,
        url: &str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
        body: &[u8],
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| "a header field cannot be sent")?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let answered = if method == "GET" {
            request.body(()).map(|request| self.agent.run(request))
        } else {
            request.body(body).map(|request| self.agent.run(request))
        };
        let mut response =
            answered.map_err(|_| "the request cannot be written")?.map_err(|error| error.to_string())?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let body = whole_body(response.body_mut()).map_err(|error| error.to_string())?;
        Ok(Reply { status: response.status().as_u16(), headers, body })
    }
}

fn whole_body(body: &mut Body) -> Result<Vec<u8>, ureq::Error> {
    body.with_config().limit(MAX_BODY).read_to_vec()
}

fn tls() -> Result<TlsConfig, String> {
    let roots = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> =
        roots.certs.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned()).collect();
    if certificates.is_empty() {
        return Err(
            "this machine has no trusted certificates: install its CA bundle or set SSL_CERT_FILE".to_owned()
        );
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

impl Reply {
    /// The header fields, as the core takes them.
    pub(crate) fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }

    /// The lines of a field, joined as RFC 9110 section 5.3 joins them.
    pub(crate) fn field(&self, name: &str) -> Option<Vec<u8>> {
        let lines: Vec<_> = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
            .collect();
        (!lines.is_empty()).then(|| lines.join(&b", "[..]))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        tokenward::wipe(&mut self.body);
    }
}
