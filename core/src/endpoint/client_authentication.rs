//! How a client authenticates to the token endpoint (RFC 6749 section 2.3).

use crate::endpoint::authorization::{is_raw_id, write_basic};
use crate::endpoint::credentials::Credentials;
use crate::endpoint::token_alphabet::TokenAlphabet;
use crate::wire::writer::Writer;

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3): a value that brings its code.
///
/// ```
/// use tokenward::parts::ClientAuthentication;
///
/// assert_eq!(ClientAuthentication::POST.name(), "post");
/// ```
#[derive(Clone, Copy)]
pub struct ClientAuthentication {
    number: u8,
    name: &'static str,
    /// Whether there is what it sends, and that can be sent.
    pub(crate) accepts: fn(&Credentials<'_>) -> bool,
    /// Writes the value of the `Authorization` field.
    pub(crate) write_field: Option<fn(&mut Writer<'_>, &Credentials<'_>)>,
    /// The id is sent in the body.
    pub(crate) id_in_body: bool,
    /// The secret is sent in the body.
    pub(crate) secret_in_body: bool,
}

impl ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` field, id and secret form-encoded first, the rule of RFC 6749
    /// section 2.3.1.
    pub const BASIC: &'static Self = &Self {
        accepts: has_secret,
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, credentials.client_secret, |out, text| out.form(text));
        }),
        ..Self::named(1, "basic")
    };

    /// The `Authorization` field with id and secret as they are: what `curl -u` sends, for the services that document
    /// it. The id has no `:`.
    pub const BASIC_RAW: &'static Self = &Self {
        accepts: |credentials| has_secret(credentials) && is_raw_id(credentials.client_id),
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, credentials.client_secret, |out, text| out.bytes(text));
        }),
        ..Self::named(2, "basic_raw")
    };

    /// `client_secret_post`: id and secret in the body.
    pub const POST: &'static Self =
        &Self { accepts: has_secret, id_in_body: true, secret_in_body: true, ..Self::named(3, "post") };

    /// A token that another manager keeps, as Bearer.
    pub const BEARER: &'static Self = &Self {
        accepts: |credentials| TokenAlphabet::Visible.has_text(credentials.bearer),
        write_field: Some(|out, credentials| {
            out.bytes(b"Bearer ");
            out.bytes(credentials.bearer.as_bytes());
        }),
        ..Self::named(4, "bearer")
    };

    /// A public client: only the id, in the body.
    pub const NONE: &'static Self = &Self { accepts: has_id, id_in_body: true, ..Self::named(5, "none") };

    /// The `Authorization` field with the id and an empty secret (RFC 6749 section 2.3.1), the id form-encoded first.
    pub const BASIC_ID: &'static Self = &Self {
        accepts: has_id,
        write_field: Some(|out, credentials| {
            write_basic(out, credentials.client_id, "", |out, text| out.form(text));
        }),
        ..Self::named(6, "basic_id")
    };

    /// Nobody: neither an id nor a secret is sent.
    pub const NOBODY: &'static Self = &Self { accepts: |_| true, ..Self::named(7, "nobody") };

    const fn named(number: u8, name: &'static str) -> Self {
        Self { number, name, accepts: |_| false, write_field: None, id_in_body: false, secret_in_body: false }
    }
}

fn has_id(credentials: &Credentials<'_>) -> bool {
    !credentials.client_id.is_empty()
}

fn has_secret(credentials: &Credentials<'_>) -> bool {
    has_id(credentials) && !credentials.client_secret.is_empty()
}

part!(ClientAuthentication: BASIC, BASIC_RAW, POST, BEARER, NONE, BASIC_ID, NOBODY);
