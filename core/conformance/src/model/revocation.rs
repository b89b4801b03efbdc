//! Signing out at the service: section 8.

use serde_json::{Value, json};

use super::wire::{self, Answer};
use super::{Manager, Refused, in_trouble};

impl Manager {
    /// 8.1, 8.2: nobody is signed in any more, and the request that tells the service.
    pub(super) fn revoke(&mut self, credentials: &Value, values: &Value) -> Result<Value, Refused> {
        let request = self.revocation(credentials, values);
        self.clear();
        request
    }

    fn revocation(&self, credentials: &Value, additions: &Value) -> Result<Value, Refused> {
        let access_token = self.token.as_ref().map(|token| &token.bytes[..]);
        let (token, hint) = match (access_token, &self.refresh) {
            (_, Some(refresh)) => (&refresh[..], "refresh_token"),
            (Some(access), None) => (access, "access_token"),
            (None, None) => return Ok(json!({})),
        };
        if self.provider.revocation_path.is_empty() {
            return Err("invalid_provider");
        }
        let mut provider = self.provider.clone();
        provider.parameters.retain(|[_, _, on]| on == "revocation");
        provider.token_path = self.provider.revocation_path.clone();
        let own = vec![
            ("token", String::from_utf8_lossy(token).into_owned()),
            ("token_type_hint", hint.to_owned()),
        ];
        let audience = wire::audience(&self.provider, &self.site);
        let asked = wire::Asked { site: &self.site, credentials, additions, access_token, audience };
        wire::write_own_request(&provider, &asked, Some(own), "revocation")
    }

    /// 8.3
    pub(super) fn revocation_answer(&self, status: u64, body: &[u8]) -> Value {
        if (200..300).contains(&status) {
            return json!({"outcome": "revoked"});
        }
        if in_trouble(status) {
            return json!({"outcome": "later"});
        }
        let code = match wire::read_answer(&self.provider, status, body) {
            Ok(Answer::Error(code, _)) => json!(code),
            _ => Value::Null,
        };
        json!({"outcome": "refused", "error_code": code})
    }
}
