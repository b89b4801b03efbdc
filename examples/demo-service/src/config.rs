//! What a caller may choose when a service starts.

use std::{fmt, io};

use serde::Serialize;

use crate::{Clock, Kind};

/// How a service starts. The default is what the service's page shows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The TCP port on 127.0.0.1; 0 takes a free one. Flute's production listener takes the next port.
    pub port: u16,
    /// The credentials that are accepted; [`Credentials::demo`] where absent.
    pub credentials: Option<Credentials>,
    /// What expiry is judged on.
    pub clock: Clock,
    /// The lifetime of an access token in seconds; [`Kind::lifetime_s`] where absent.
    pub lifetime_s: Option<u64>,
    /// The sites that Flip Energy knows.
    pub sites: Vec<String>,
    /// The user that Flume's credentials belong to.
    pub user_id: u64,
    /// The utility code that Opower's credentials belong to.
    pub utility_code: String,
    /// What Flip Energy answers where a token of another kind or another site is presented.
    pub wrong_token: WrongToken,
    /// Makes every token a function of this number; random where absent.
    pub seed: Option<u64>,
    /// Lets `GET /_demo/log?raw=true` show the bytes that were received, secrets included.
    pub raw_log_over_http: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            port: 0,
            credentials: None,
            clock: Clock::system(),
            lifetime_s: None,
            sites: vec!["site-1".to_owned(), "site-2".to_owned()],
            user_id: 71_234,
            utility_code: "UTIL".to_owned(),
            wrong_token: WrongToken::Forbidden,
            seed: None,
            raw_log_over_http: false,
        }
    }
}

/// Flip Energy's page allows either: "a 401 UNAUTHORIZED or 403 FORBIDDEN error will be returned".
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WrongToken {
    /// 401 with `error="invalid_token"`.
    Unauthorized,
    /// 403 with `error="insufficient_scope"`.
    #[default]
    Forbidden,
}

/// The credentials that a service accepts. Which are present depends on the [`Kind`].
///
/// # Security
/// `Debug` shows which members are present, never their values; `Serialize` writes the values.
#[derive(Clone, Default, Serialize)]
pub struct Credentials {
    /// The client's id (all but Flip Energy).
    pub client_id: Option<String>,
    /// The client's secret (all but Flip Energy).
    pub client_secret: Option<String>,
    /// The user's name (Flume).
    pub username: Option<String>,
    /// The user's password (Flume).
    pub password: Option<String>,
    /// The static token: Flip Utility's API key, Flip Energy's client token.
    pub bearer: Option<String>,
}

impl Credentials {
    /// Made-up credentials of the shape the service issues. Some hold `+ / = & %`, so that a client
    /// which encodes them wrongly is refused.
    #[must_use]
    pub fn demo(kind: Kind) -> Self {
        let some = |text: &str| Some(text.to_owned());
        match kind {
            Kind::FlipUtility => Credentials {
                client_id: some("fu_client_4c1b9e7a"),
                client_secret: some("k7+Zq/8w==&v%41x"),
                bearer: some("fl_2b7e151628aed2a6abf71589"),
                ..Credentials::default()
            },
            Kind::FlipEnergy => {
                Credentials { bearer: some("fct_09cf4f3c2b7e151628aed2a6"), ..Credentials::default() }
            }
            Kind::Flume => Credentials {
                client_id: some("6ABX1QYLMNOPDEMO"),
                client_secret: some("GK3YTWXDEMO0SECRET"),
                username: some("demo@example.org"),
                password: some("correct \"horse\" & b\u{e4}ttery"),
                ..Credentials::default()
            },
            // The example of the service's page.
            Kind::Opower => Credentials {
                client_id: some("019ebf3c-bc9c-41fa-87aa-09b1ecc86012"),
                client_secret: some("bdf46a70-c553-44bd-846e-7bd4f9d98690"),
                ..Credentials::default()
            },
            Kind::Flute => Credentials {
                client_id: some("5948387095948a11c0de0000000000000000000038697242c"),
                client_secret: some("9eb2c6859daa4%2Bd8ae5da9:colon+plus"),
                ..Credentials::default()
            },
        }
    }

    /// # Errors
    /// `InvalidInput` where a member that the kind needs is absent or empty.
    pub(crate) fn check(&self, kind: Kind) -> io::Result<()> {
        let needed: &[(&str, &Option<String>)] = match kind {
            Kind::FlipUtility => &[
                ("client_id", &self.client_id),
                ("client_secret", &self.client_secret),
                ("bearer", &self.bearer),
            ],
            Kind::FlipEnergy => &[("bearer", &self.bearer)],
            Kind::Flume => &[
                ("client_id", &self.client_id),
                ("client_secret", &self.client_secret),
                ("username", &self.username),
                ("password", &self.password),
            ],
            Kind::Opower | Kind::Flute => {
                &[("client_id", &self.client_id), ("client_secret", &self.client_secret)]
            }
        };
        match needed.iter().find(|(_, value)| value.as_deref().is_none_or(str::is_empty)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{kind} needs a {name}")))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.as_ref().map(|_| "[redacted]");
        f.debug_struct("Credentials")
            .field("client_id", &shown(&self.client_id))
            .field("client_secret", &shown(&self.client_secret))
            .field("username", &shown(&self.username))
            .field("password", &shown(&self.password))
            .field("bearer", &shown(&self.bearer))
            .finish()
    }
}
