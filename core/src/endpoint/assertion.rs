//! The assertion that a client authenticates with (RFC 7523 section 2.2): a JWT that it signs for each request.

use crate::endpoint::body_format::Body;
use crate::endpoint::credentials::{Assertion, Credentials};
use crate::endpoint::provider::{ClientAuthentication, TokenRequest};
use crate::endpoint::signature::SignatureAlgorithm;
use crate::error::Error;
#[cfg(feature = "snapshot")]
use crate::hmac_sha256::hmac_sha256_by;
use crate::secret::check_random;
use crate::time::UnixTime;
use crate::wire::writer::Writer;

/// An assertion is good for so many seconds: those who read it on its way can do little with it.
const LIFE_S: u64 = 60;

/// Whether there is what an assertion is made of.
#[cfg(feature = "snapshot")]
pub(crate) fn check(credentials: &Credentials<'_>) -> Result<(), Error> {
    check_parts(credentials.assertion.ok_or(Error::WrongCredentials)?)
}

/// The same for one that the caller signs, and has signed.
pub(crate) fn check_signed(credentials: &Credentials<'_>) -> Result<(), Error> {
    let (assertion, algorithm) = to_sign(credentials)?;
    let signature =
        assertion.signature.filter(|signature| !signature.is_empty()).ok_or(Error::WrongCredentials)?;
    check_parts(assertion)?;
    algorithm.check(signature)
}

fn to_sign<'a>(credentials: &Credentials<'a>) -> Result<(&'a Assertion<'a>, &'a SignatureAlgorithm), Error> {
    let assertion = credentials.assertion.ok_or(Error::WrongCredentials)?;
    Ok((assertion, assertion.algorithm.ok_or(Error::WrongCredentials)?))
}

fn check_parts(assertion: &Assertion<'_>) -> Result<(), Error> {
    check_random(&assertion.random)?;
    if assertion.wall == UnixTime::default() { Err(Error::NoWallClock) } else { Ok(()) }
}

impl<'a> TokenRequest<'a> {
    /// Writes what the caller's key signs, for a client that authenticates by
    /// [`ClientAuthentication::PRIVATE_KEY_JWT`]: header and claims of the assertion (RFC 7515 section 5.1). It is the same
    /// for each kind of request. The same credentials with the signature then make the request, once.
    ///
    /// ```
    /// use tokenward::parts::{ClientAuthentication, SignatureAlgorithm};
    /// use tokenward::{Assertion, Credentials, Grant, Identity, Provider, TokenRequest, UnixTime};
    ///
    /// const ACME: Provider<'static> = Provider {
    ///     name: "acme",
    ///     base_url: Some("https://login.acme.example"),
    ///     token_path: Some("/token"),
    ///     authentication: Some(ClientAuthentication::PRIVATE_KEY_JWT),
    ///     primary_grant: Some(Grant::ClientCredentials),
    ///     ..Provider::custom()
    /// };
    /// # fn sign(_: &[u8]) -> [u8; 64] { [7; 64] }
    /// let unsigned = Assertion {
    ///     random: core::array::from_fn(|n| n as u8), // From the system's generator.
    ///     wall: UnixTime::from_secs(1_700_000_000),
    ///     algorithm: Some(SignatureAlgorithm::ES256),
    ///     ..Assertion::default()
    /// };
    /// let client = Credentials { client_id: "id", assertion: Some(&unsigned), ..Credentials::default() };
    /// let mut out = [0; 1024];
    /// let request = TokenRequest::new(&ACME, Identity::CLIENT, Grant::ClientCredentials, &client);
    /// let signature = sign(request.signing_input(&mut out).unwrap());
    ///
    /// let signed = Assertion { signature: Some(&signature), ..unsigned };
    /// let client = Credentials { assertion: Some(&signed), ..client };
    /// let request = TokenRequest::new(&ACME, Identity::CLIENT, Grant::ClientCredentials, &client);
    /// assert!(request.write(&mut out).unwrap().body().starts_with(b"grant_type=client_credentials&client_id=id&"));
    /// ```
    ///
    /// # Errors
    /// - [`Error::InvalidProvider`]: no key signs for the client of this provider, or as [`TokenRequest::write`].
    /// - [`Error::WrongCredentials`]: the client id, or what an assertion is made of, is missing.
    /// - [`Error::NotRandom`], [`Error::NoWallClock`]: its random bytes are all alike, or the time of day is not known.
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    pub fn signing_input<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let signs = self.provider.authentication == Some(ClientAuthentication::PRIVATE_KEY_JWT);
        if !signs || !self.identity.fits(self.provider) {
            return Err(Error::InvalidProvider);
        }
        let (assertion, algorithm) = to_sign(self.credentials)?;
        if self.credentials.client_id.is_empty() {
            return Err(Error::WrongCredentials);
        }
        check_parts(assertion)?;
        let mut out = Writer::new(out);
        write_signing_input(self, assertion, algorithm.name(), &mut out);
        Ok(out.finish()?)
    }
}

/// Writes an assertion under the client's secret (RFC 7518 section 3.2).
#[cfg(feature = "snapshot")]
pub(crate) fn write_hs256(request: &TokenRequest<'_>, body: &mut Body<'_, '_, '_>) {
    write(request, body, |assertion, out| {
        let start = out.written();
        write_signing_input(request, assertion, "HS256", out);
        sign_hs256(out, start, request.credentials.client_secret.as_bytes());
    });
}

/// Writes an assertion that the caller has signed.
pub(crate) fn write_signed(request: &TokenRequest<'_>, body: &mut Body<'_, '_, '_>) {
    write(request, body, |assertion, out| {
        if let (Some(algorithm), Some(signature)) = (assertion.algorithm, assertion.signature) {
            write_signing_input(request, assertion, algorithm.name(), out);
            algorithm.write(signature, out);
        }
    });
}

/// Writes an assertion where it stands in the body.
#[inline(always)]
fn write(
    request: &TokenRequest<'_>,
    body: &mut Body<'_, '_, '_>,
    signed: impl FnOnce(&Assertion<'_>, &mut Writer<'_>),
) {
    let Some(assertion) = request.credentials.assertion else { return };
    body.parameter("client_assertion_type", b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    // Neither a form nor JSON changes a byte of it.
    body.plain("client_assertion", |out| signed(assertion, out));
}

/// Writes the signature of what was written since `start` (RFC 7515 section 5.1).
#[cfg(feature = "snapshot")]
fn sign_hs256(out: &mut Writer<'_>, start: usize, secret: &[u8]) {
    let tag = hmac_sha256_by(secret, &mut |add| add(out.since(start)));
    out.bytes(b".");
    out.bytes_as_base64url(&tag);
}

/// Header and claims (RFC 7515 section 5.1, RFC 7523 section 3).
fn write_signing_input(
    request: &TokenRequest<'_>,
    assertion: &Assertion<'_>,
    algorithm: &str,
    out: &mut Writer<'_>,
) {
    let TokenRequest { provider, credentials, .. } = *request;
    let start = out.written();
    out.bytes(b"{\"typ\":\"JWT\",\"alg\":\"");
    out.bytes(algorithm.as_bytes());
    for (name, value) in
        [("\",\"kid\":\"", assertion.key_id), ("\",\"x5t#S256\":\"", assertion.certificate_thumbprint)]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.bytes(name.as_bytes());
            out.json(value.as_bytes());
        }
    }
    out.bytes(b"\"}");
    out.base64url(start);
    out.bytes(b".");
    let start = out.written();
    for name in ["{\"iss\":\"", "\",\"sub\":\""] {
        out.bytes(name.as_bytes());
        out.json(credentials.client_id.as_bytes());
    }
    out.bytes(b"\",\"aud\":\"");
    match provider.issuer {
        Some(issuer) => out.json(issuer.as_bytes()),
        None => request.write_url(provider.token_path.unwrap_or_default().as_bytes(), out),
    }
    out.bytes(b"\",\"jti\":\"");
    out.bytes_as_base64url(&assertion.random);
    let now = assertion.wall.as_secs();
    for (name, seconds) in [("\",\"iat\":", now), (",\"exp\":", now.saturating_add(LIFE_S))] {
        out.bytes(name.as_bytes());
        out.decimal(seconds);
    }
    out.bytes(b"}");
    out.base64url(start);
}

#[cfg(all(test, feature = "snapshot"))]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec::Vec;

    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    use serde_json::{Value, json};

    use super::sign_hs256;
    use crate::endpoint::credentials::{Assertion, Credentials};
    use crate::endpoint::grant::Grant;
    use crate::endpoint::provider::{ClientAuthentication, Identity, Provider, TokenRequest};
    use crate::error::Error;
    use crate::hmac_sha256::hmac_sha256_by;
    use crate::time::UnixTime;
    use crate::wire::writer::Writer;

    fn decoded(part: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")
    }

    #[test]
    fn an_hs256_signature_is_that_of_rfc_7515_appendix_a_1() {
        let key =
            decoded("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
        let (header, claims) = (
            "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}",
        );
        let mut room = [0; 256];
        let mut out = Writer::new(&mut room);
        out.bytes(header.as_bytes());
        out.base64url(0);
        out.bytes(b".");
        let start = out.written();
        out.bytes(claims.as_bytes());
        out.base64url(start);
        sign_hs256(&mut out, 0, &key);
        let expected = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(out.finish().map(|written| &*written), Ok(expected.as_bytes()));
    }

    #[test]
    fn an_assertion_is_a_jwt_that_its_secret_signs_whatever_it_holds() {
        let provider = Provider {
            base_url: Some("https://login.acme.example/"),
            token_path: Some("/token"),
            authentication: Some(ClientAuthentication::CLIENT_SECRET_JWT),
            ..Provider::custom()
        };
        for length in 0..200_usize {
            let id: String = "i\u{1}\"\\\u{e9}/\u{7f}".chars().cycle().take(length % 13 + 1).collect();
            let secret = "s\u{20ac}cret".chars().cycle().take(length + 1).collect::<String>();
            let key_id = "k".repeat(length % 5);
            let random = core::array::from_fn(|n| (n + length) as u8);
            let assertion = Assertion {
                random,
                wall: UnixTime::from_secs(1_000),
                key_id: Some(&key_id),
                ..Assertion::default()
            };
            let credentials = Credentials {
                client_id: &id,
                client_secret: &secret,
                assertion: Some(&assertion),
                ..Credentials::default()
            };
            let request =
                TokenRequest::new(&provider, Identity::CLIENT, Grant::ClientCredentials, &credentials);
            let mut room = [0xAA; 1024];
            let body = request.write(&mut room).map(|request| request.body().to_vec()).expect("room");
            let len = room.iter().rposition(|byte| *byte != 0xAA).map_or(0, |last| last + 1);
            let mut fitting = std::vec![0xAA; len];
            assert_eq!(request.write(&mut fitting).map(|request| request.body().to_vec()), Ok(body.clone()));
            for small in (0..len).step_by(7) {
                let mut out = std::vec![0xAA; small];
                assert_eq!(request.write(&mut out).map(drop), Err(Error::BufferTooSmall { needed: len }));
                assert!(out.iter().all(|byte| *byte == 0), "{small}");
            }

            let body = String::from_utf8(body).expect("a form");
            let (_, jwt) = body.split_once("&client_assertion=").expect("an assertion");
            let [header, claims, signature] = jwt.split('.').collect::<Vec<_>>()[..] else { panic!("{jwt}") };
            let read = |part| serde_json::from_slice::<Value>(&decoded(part)).expect("JSON");
            let mut expected = json!({"typ": "JWT", "alg": "HS256"});
            if !key_id.is_empty() {
                expected["kid"] = json!(key_id);
            }
            assert_eq!(read(header), expected);
            let jti = BASE64_URL_SAFE_NO_PAD.encode(random);
            let expected = json!({"iss": id, "sub": id, "aud": "https://login.acme.example/token", "jti": jti,
                "iat": 1_000, "exp": 1_060});
            assert_eq!(read(claims), expected);
            let signed = (header.to_string() + "." + claims).into_bytes();
            let tag = hmac_sha256_by(secret.as_bytes(), &mut |add| add(&signed));
            assert_eq!(decoded(signature), tag);
        }
    }
}
