//! A request to a token endpoint: what it presents, and what there is to send.

use core::mem::offset_of;

use tokenward::{Additions, Assertion, Credentials, Error, Request, RequestId};

use crate::edge::{Edge, Out, Plain, tokenward_span};
use crate::parts::tokenward_algorithm_part;
use crate::provider::tokenward_pair_list;
use crate::result::*;

/// What a request presents. It is passed in for each request and never kept; what a grant does not need is
/// ignored.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_credentials {
    /// RFC 6749 section 2.2.
    pub client_id: tokenward_span,
    /// RFC 6749 section 2.3.1.
    pub client_secret: tokenward_span,
    /// RFC 6749 section 4.3.2.
    pub username: tokenward_span,
    /// RFC 6749 section 4.3.2.
    pub password: tokenward_span,
    /// The token that opens the token endpoint itself, if the provider authenticates that way.
    pub bearer: tokenward_span,
    /// What an assertion is made of, if the client authenticates by one; else NULL.
    pub assertion: *const tokenward_assertion,
}

/// What the assertion is made of that a client authenticates with (RFC 7523 section 2.2). One is for one request.
///
/// @code
/// tokenward_assertion assertion = { .wall_s = wall_s == NULL ? 0 : *wall_s };
/// tokenward_credentials signing = credentials;
/// fill_random(assertion.random, sizeof assertion.random); // anew for each request
/// signing.assertion = &assertion;
/// return tokenward_begin(manager, now_ms, &signing, buffer, sizeof buffer, &request);
/// @endcode
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_assertion {
    /// From a generator that nobody can predict: tells it from every other one, for good.
    pub random: [u8; 16],
    /// The time of day in Unix seconds, from which it is good for a minute. 0, as clocks say that nobody has set: it is
    /// not known.
    pub wall_s: u64,
    /// Which of its keys the client signs with, if it has several (RFC 7515 section 4.1.4).
    pub key_id: tokenward_span,
    /// The SHA-256 of its certificate in base64url without padding, for a service that wants to be told (RFC 7515 section
    /// 4.1.8).
    pub certificate_thumbprint: tokenward_span,
    /// How the caller signs, if its own key does; else NULL.
    pub algorithm: *const tokenward_algorithm_part,
    /// What it has signed with that key; empty: it has not yet.
    pub signature: tokenward_span,
}

/// What a request carries beside its credentials. Zeros are nothing.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_additions {
    /// What stands for `{name}` in the provider's parameters and header fields, by name.
    pub values: tokenward_pair_list,
    /// Parameters beside those of the provider (`audience`, `resource`); those with an empty value are left out.
    pub parameters: tokenward_pair_list,
}

/// A request to send. Its spans point into the buffer that it was written to, or to constants.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_request {
    /// Identifies the request to tokenward_answer() and tokenward_failed(); 0 if no manager sends it.
    pub id: u64,
    /// Bytes of the buffer that it takes, also if the buffer is too small for it.
    pub len: usize,
    /// `POST`.
    pub method: tokenward_span,
    /// The URL of the token endpoint; it never contains a secret.
    pub url: tokenward_span,
    /// The value of the `Authorization` field; empty: send none.
    pub authorization: tokenward_span,
    /// The value of the `Content-Type` field; empty: send none.
    pub content_type: tokenward_span,
    /// The value of the `Accept` field.
    pub accept: tokenward_span,
    /// The value of the `Accept-Encoding` field: a body that is compressed cannot be read.
    pub accept_encoding: tokenward_span,
    /// The provider's own fields as lines, `name: value`, each ended by CR and LF; empty: none.
    pub fields: tokenward_span,
    /// The body.
    pub body: tokenward_span,
}

// SAFETY: spans and a raw pointer.
unsafe impl Plain for tokenward_credentials {}
// SAFETY: integers, spans and a raw pointer.
unsafe impl Plain for tokenward_assertion {}
// SAFETY: raw pointers and integers.
unsafe impl Plain for tokenward_additions {}

pub(crate) fn credentials_of<'c>(
    edge: &mut Edge<'c>,
    credentials: *const tokenward_credentials,
) -> Credentials<'c> {
    let Ok(given) = edge.value(credentials) else { return Credentials::default() };
    Credentials {
        client_id: edge.text(given.client_id),
        client_secret: edge.text(given.client_secret),
        username: edge.text(given.username),
        password: edge.text(given.password),
        bearer: edge.text(given.bearer),
        assertion: assertion_of(edge, given.assertion),
    }
}

fn assertion_of<'c>(edge: &mut Edge<'c>, assertion: *const tokenward_assertion) -> Option<&'c Assertion<'c>> {
    let given = edge.optional(assertion)?;
    for text in [given.key_id, given.certificate_thumbprint] {
        edge.text(text);
    }
    edge.part(given.algorithm);
    edge.bytes(given.signature);
    edge.checked().ok()?;
    // SAFETY: checked; the texts are NULL or UTF-8, the signature NULL or bytes, the algorithm NULL or a part, and all
    // live for `'c`; the types are compared below.
    Some(unsafe { &*assertion.cast() })
}

const _: () = {
    type Core = Assertion<'static>;
    assert!(size_of::<Core>() == size_of::<tokenward_assertion>());
    assert!(align_of::<Core>() == align_of::<tokenward_assertion>());
    assert!(offset_of!(Core, random) == offset_of!(tokenward_assertion, random));
    assert!(offset_of!(Core, wall) == offset_of!(tokenward_assertion, wall_s));
    assert!(offset_of!(Core, key_id) == offset_of!(tokenward_assertion, key_id));
    assert!(
        offset_of!(Core, certificate_thumbprint) == offset_of!(tokenward_assertion, certificate_thumbprint)
    );
    assert!(offset_of!(Core, algorithm) == offset_of!(tokenward_assertion, algorithm));
    assert!(offset_of!(Core, signature) == offset_of!(tokenward_assertion, signature));
};

/// What a request carries beside its credentials; NULL is nothing.
pub(crate) fn additions_of<'c>(edge: &mut Edge<'c>, additions: *const tokenward_additions) -> Additions<'c> {
    let Some(given) = edge.optional(additions) else { return Additions::default() };
    let [values, parameters] = [given.values, given.parameters].map(|list| edge.pairs(list.ptr, list.len));
    Additions { values, parameters }
}

/// Lends a request to C, or says what it would take.
pub(crate) fn lent(
    written: Result<(RequestId, Request<'_>), Error>,
    out: Out<'_, tokenward_request>,
) -> Result<(), Fault> {
    let none = tokenward_request {
        id: 0,
        len: 0,
        method: tokenward_span::NONE,
        url: tokenward_span::NONE,
        authorization: tokenward_span::NONE,
        content_type: tokenward_span::NONE,
        accept: tokenward_span::NONE,
        accept_encoding: tokenward_span::NONE,
        fields: tokenward_span::NONE,
        body: tokenward_span::NONE,
    };
    match written {
        Ok((RequestId(id), request)) => {
            let [url, authorization, fields, body] = request.parts();
            let content_type = request.content_type().unwrap_or_default();
            out.write(tokenward_request {
                id,
                len: url
                    .len()
                    .wrapping_add(authorization.len())
                    .wrapping_add(fields.len())
                    .wrapping_add(body.len()),
                method: tokenward_span::of(request.method().as_bytes()),
                url: tokenward_span::of(url),
                authorization: tokenward_span::or_none(authorization),
                content_type: tokenward_span::or_none(content_type.as_bytes()),
                accept: tokenward_span::of(Request::ACCEPT.as_bytes()),
                accept_encoding: tokenward_span::of(Request::ACCEPT_ENCODING.as_bytes()),
                fields: tokenward_span::or_none(fields),
                body: tokenward_span::or_none(body),
            });
            Ok(())
        }
        Err(error) => {
            if let Error::BufferTooSmall { needed } = error {
                out.write(tokenward_request { len: needed, ..none });
            }
            Err(error.into())
        }
    }
}
