//! Tokens that were issued: who may use them, until when, and which refresh token replaced which.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{
    Environment, Kind,
    random::{Keyed, Random},
};

/// Whom a token is for.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Holder {
    pub(crate) environment: Option<Environment>,
    /// Flip Energy: the one site that the token opens.
    pub(crate) site: Option<String>,
}

/// What a token request leads to.
pub(crate) struct Order {
    pub(crate) holder: Holder,
    /// The chain of refresh tokens that this token continues; none starts one.
    pub(crate) family: Option<u64>,
    pub(crate) refresh_token: bool,
    /// An exact length for the access token.
    pub(crate) access_token_len: Option<usize>,
}

pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) lifetime_s: u64,
}

struct Access {
    holder: Holder,
    family: u64,
    expires_at: u64,
}

struct Refresh {
    holder: Holder,
    family: u64,
    spent: bool,
}

/// Why a refresh token was not taken.
pub(crate) enum NotRedeemed {
    Unknown,
    Reused,
}

pub(crate) struct Store {
    kind: Kind,
    user_id: u64,
    lifetime_s: u64,
    signing: Keyed,
    pub(crate) random: Random,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    families: u64,
}

impl Store {
    pub(crate) fn new(kind: Kind, user_id: u64, lifetime_s: u64, signing: Keyed, random: Random) -> Self {
        Store {
            kind,
            user_id,
            lifetime_s,
            signing,
            random,
            access: HashMap::new(),
            refresh: HashMap::new(),
            families: 0,
        }
    }

    /// Earlier access tokens stay valid until they expire, as Flume's page says of its own.
    pub(crate) fn issue(&mut self, now: u64, client_id: &str, order: Order) -> Issued {
        self.access.retain(|_, access| now < access.expires_at);
        let family = order.family.unwrap_or_else(|| {
            self.families = self.families.wrapping_add(1);
            self.families
        });
        let expires_at = now.saturating_add(self.lifetime_s);
        let access_token = match order.access_token_len {
            Some(length) => self.random.opaque_of(length),
            None => self.access_token(now, expires_at, client_id),
        };
        let refresh_token = order.refresh_token.then(|| self.refresh_token());
        if let Some(refresh_token) = &refresh_token {
            let refresh = Refresh { holder: order.holder.clone(), family, spent: false };
            self.refresh.insert(refresh_token.clone(), refresh);
        }
        self.access.insert(access_token.clone(), Access { holder: order.holder, family, expires_at });
        Issued { access_token, refresh_token, lifetime_s: self.lifetime_s }
    }

    fn access_token(&mut self, now: u64, expires_at: u64, client_id: &str) -> String {
        match self.kind {
            // `jti` keeps two tokens of the same second apart.
            Kind::Flume => {
                let jti = self.random.hex(16);
                self.jwt(&json!({"user_id": self.user_id, "type": "USER", "iat": now, "exp": expires_at, "jti": jti}))
            }
            Kind::FlipUtility => {
                let jti = self.random.hex(16);
                self.jwt(&json!({"sub": client_id, "iat": now, "exp": expires_at, "jti": jti}))
            }
            Kind::Opower => self.random.uuid(),
            Kind::FlipEnergy | Kind::Flute => self.random.opaque(),
        }
    }

    fn refresh_token(&mut self) -> String {
        match self.kind {
            Kind::Flute => format!("def50200{}", self.random.hex(64)),
            _ => self.random.hex(40),
        }
    }

    /// A JSON Web Token signed with HS256 (RFC 7515).
    fn jwt(&self, payload: &serde_json::Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.signing.tag(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The holder of an access token that is valid now, in this environment.
    pub(crate) fn holder(&self, now: u64, environment: Option<Environment>, token: &str) -> Option<&Holder> {
        self.access
            .get(token)
            .filter(|access| now < access.expires_at && access.holder.environment == environment)
            .map(|access| &access.holder)
    }

    /// Takes a refresh token; `rotate` spends it. A spent one is refused, and at Flute ends every token
    /// of its family (RFC 9700 4.14.2).
    pub(crate) fn redeem(
        &mut self,
        environment: Option<Environment>,
        token: &str,
        rotate: bool,
    ) -> Result<(Holder, u64), NotRedeemed> {
        let Some(refresh) =
            self.refresh.get_mut(token).filter(|refresh| refresh.holder.environment == environment)
        else {
            return Err(NotRedeemed::Unknown);
        };
        if refresh.spent {
            let family = refresh.family;
            if self.kind == Kind::Flute {
                self.refresh.retain(|_, refresh| refresh.family != family);
                self.access.retain(|_, access| access.family != family);
            }
            return Err(NotRedeemed::Reused);
        }
        refresh.spent = rotate;
        Ok((refresh.holder.clone(), refresh.family))
    }

    pub(crate) fn revoke_access_tokens(&mut self) {
        self.access.clear();
    }

    pub(crate) fn revoke_refresh_tokens(&mut self) {
        self.refresh.clear();
    }
}
