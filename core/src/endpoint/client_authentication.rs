//! How a client authenticates to the token endpoint (RFC 6749 section 2.3).

use crate::endpoint::assertion;
use crate::endpoint::authorization::{is_raw_id, write_basic};
use crate::endpoint::body_format::Body;
use crate::endpoint::credentials::Credentials;
use crate::endpoint::provider::{ClientAuthentication, Named, TokenRequest};
use crate::endpoint::token_alphabet::TokenAlphabet;
use crate::error::Error;

impl ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` field, id and secret form-encoded first, the rule of RFC 6749
    /// section 2.3.1.
    pub const BASIC: &'static Self = &Self {
        check: has_secret,
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, credentials.client_secret, |out, text| out.form(text));
        }),
        ..Self::named(1, "basic")
    };

    /// The `Authorization` field with id and secret as they are: what `curl -u` sends, for the services that document
    /// it. The id has no `:`.
    pub const BASIC_RAW: &'static Self = &Self {
        check: |credentials| {
            has_secret(credentials)?;
            all_good(is_raw_id(credentials.client_id))
        },
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, credentials.client_secret, |out, text| out.bytes(text));
        }),
        ..Self::named(2, "basic_raw")
    };

    /// `client_secret_post`: id and secret in the body.
    pub const POST: &'static Self = &Self {
        check: has_secret,
        write_parameters: Some(|request, body, named| {
            write_id(request, body, named);
            body.parameter(named(request, "client_secret"), request.credentials.client_secret.as_bytes());
        }),
        id_in_body: true,
        ..Self::named(3, "post")
    };

    /// A token that another manager keeps, as Bearer.
    pub const BEARER: &'static Self = &Self {
        check: |credentials| all_good(TokenAlphabet::Visible.has_text(credentials.bearer)),
        write_field: Some(|out, credentials| {
            out.bytes(b"Bearer ");
            out.bytes(credentials.bearer.as_bytes());
        }),
        ..Self::named(4, "bearer")
    };

    /// A public client: only the id, in the body.
    pub const NONE: &'static Self =
        &Self { check: has_id, write_parameters: Some(write_id), id_in_body: true, ..Self::named(5, "none") };

    /// The `Authorization` field with the id and an empty secret (RFC 6749 section 2.3.1), the id form-encoded first.
    pub const BASIC_ID: &'static Self = &Self {
        check: has_id,
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, "", |out, text| out.form(text));
        }),
        ..Self::named(6, "basic_id")
    };

    /// Nobody: neither an id nor a secret is sent.
    pub const NOBODY: &'static Self = &Self { check: |_| Ok(()), ..Self::named(7, "nobody") };

    /// `client_secret_jwt`: an assertion in the body that the secret signs (RFC 7523 section 2.2), by HMAC-SHA-256.
    #[cfg(feature = "snapshot")]
    pub const CLIENT_SECRET_JWT: &'static Self = &Self {
        check: |credentials| {
            has_secret(credentials)?;
            assertion::check(credentials)
        },
        write_parameters: Some(|request, body, named| {
            write_id(request, body, named);
            assertion::write_hs256(request, body);
        }),
        id_in_body: true,
        asserts: true,
        ..Self::named(8, "client_secret_jwt")
    };

    /// `private_key_jwt`: an assertion in the body that a key of the caller's signs (RFC 7523 section 2.2). See
    /// [`TokenRequest::signing_input`].
    pub const PRIVATE_KEY_JWT: &'static Self = &Self {
        check: |credentials| {
            has_id(credentials)?;
            assertion::check_signed(credentials)
        },
        write_parameters: Some(|request, body, named| {
            write_id(request, body, named);
            assertion::write_signed(request, body);
        }),
        id_in_body: true,
        asserts: true,
        ..Self::named(9, "private_key_jwt")
    };

    const fn named(number: u8, name: &'static str) -> Self {
        Self {
            number,
            name,
            check: |_| Err(Error::WrongCredentials),
            write_field: None,
            write_parameters: None,
            id_in_body: false,
            asserts: false,
        }
    }
}

fn write_id(request: &TokenRequest<'_>, body: &mut Body<'_, '_, '_>, named: Named) {
    body.parameter(named(request, "client_id"), request.credentials.client_id.as_bytes());
}

fn all_good(good: bool) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::WrongCredentials) }
}

fn has_id(credentials: &Credentials<'_>) -> Result<(), Error> {
    all_good(!credentials.client_id.is_empty())
}

fn has_secret(credentials: &Credentials<'_>) -> Result<(), Error> {
    all_good(!credentials.client_id.is_empty() && !credentials.client_secret.is_empty())
}

part!(ClientAuthentication: BASIC, BASIC_RAW, POST, BEARER, NONE, BASIC_ID, NOBODY, PRIVATE_KEY_JWT,
    #[cfg(feature = "snapshot")] CLIENT_SECRET_JWT);
