//! Values that bring their code: the objects that a description in C points to. An image links those that it names.

#[cfg(feature = "snapshot")]
use core::alloc::Layout;

use tokenward::parts::{
    AnswerFormat, BodyFormat, ClientAuthentication, DevicePkce, LoopbackHttp, MemberReader, NestedReader,
    RefreshLifeRules, RequestWriter, RouteTable, SignatureAlgorithm, SitePath, TokenExpiry,
};
use tokenward::storage::Storage;

use crate::edge::Edge;
use crate::result::*;
use crate::seal::*;

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3): `tokenward_authentication_*`.
pub struct tokenward_authentication_part(ClientAuthentication);
/// The `Authorization` field, id and secret form-encoded first (RFC 6749 section 2.3.1).
#[unsafe(no_mangle)]
pub static tokenward_authentication_basic: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::BASIC);
/// The `Authorization` field, id and secret as they are: what `curl -u` sends. The id must not contain `:`.
#[unsafe(no_mangle)]
pub static tokenward_authentication_basic_raw: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::BASIC_RAW);
/// Id and secret in the body.
#[unsafe(no_mangle)]
pub static tokenward_authentication_post: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::POST);
/// A token that another manager keeps, as Bearer.
#[unsafe(no_mangle)]
pub static tokenward_authentication_bearer: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::BEARER);
/// A public client: the id alone, in the body.
#[unsafe(no_mangle)]
pub static tokenward_authentication_none: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::NONE);

/// The `Authorization` field with the id, form-encoded first, and an empty secret (RFC 6749 section 2.3.1).
#[unsafe(no_mangle)]
pub static tokenward_authentication_basic_id: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::BASIC_ID);
/// Nobody: neither an id nor a secret is sent.
#[unsafe(no_mangle)]
pub static tokenward_authentication_nobody: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::NOBODY);
/// An assertion in the body that the secret signs (RFC 7523 section 2.2), by HMAC-SHA-256: each request takes a
/// #tokenward_assertion.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_authentication_client_secret_jwt: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::CLIENT_SECRET_JWT);
/// An assertion in the body that a key of the caller's signs (RFC 7523 section 2.2): each request takes a
/// #tokenward_assertion with the signature of what tokenward_signing_input() writes.
#[unsafe(no_mangle)]
pub static tokenward_authentication_private_key_jwt: tokenward_authentication_part =
    tokenward_authentication_part(*ClientAuthentication::PRIVATE_KEY_JWT);

/// How a caller signs (RFC 7518 section 3.1): `tokenward_algorithm_*`.
pub struct tokenward_algorithm_part(SignatureAlgorithm);
/// ECDSA on the curve P-256 with SHA-256: the two numbers in 64 bytes, or in DER as most signers give them.
#[unsafe(no_mangle)]
pub static tokenward_algorithm_es256: tokenward_algorithm_part =
    tokenward_algorithm_part(*SignatureAlgorithm::ES256);
/// RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2,048 bits or more.
#[unsafe(no_mangle)]
pub static tokenward_algorithm_rs256: tokenward_algorithm_part =
    tokenward_algorithm_part(*SignatureAlgorithm::RS256);
/// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, by a key of 2,048 bits or more.
#[unsafe(no_mangle)]
pub static tokenward_algorithm_ps256: tokenward_algorithm_part =
    tokenward_algorithm_part(*SignatureAlgorithm::PS256);
/// EdDSA by a key of Ed25519 or Ed448 (RFC 8037 section 3.1).
#[unsafe(no_mangle)]
pub static tokenward_algorithm_eddsa: tokenward_algorithm_part =
    tokenward_algorithm_part(*SignatureAlgorithm::EDDSA);

/// How a request's parameters are written: `tokenward_body_*`.
pub struct tokenward_body_part(BodyFormat);
/// `application/x-www-form-urlencoded` (RFC 6749 Appendix B): the default.
#[unsafe(no_mangle)]
pub static tokenward_body_form: tokenward_body_part = tokenward_body_part(*BodyFormat::FORM);
/// One JSON object of strings.
#[unsafe(no_mangle)]
pub static tokenward_body_json: tokenward_body_part = tokenward_body_part(*BodyFormat::JSON);

/// Reads answers that are no JSON.
pub struct tokenward_answer_part(AnswerFormat);
/// `application/x-www-form-urlencoded`. Such a body has no end that could be missed: one that is cut off may be read.
#[unsafe(no_mangle)]
pub static tokenward_answer_form: tokenward_answer_part = tokenward_answer_part(*AnswerFormat::FORM);

/// Writes requests as a service wants them.
pub struct tokenward_request_part(RequestWriter);
/// By what its #tokenward_requests says.
#[unsafe(no_mangle)]
pub static tokenward_request_own: tokenward_request_part = tokenward_request_part(*RequestWriter::OWN);

/// Binds the requests of a device authorization to each other.
pub struct tokenward_pkce_part(DevicePkce);
/// By the SHA-256 of a verifier (RFC 7636 section 4.2): tokenward_device_start_with_random().
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_pkce_s256: tokenward_pkce_part = tokenward_pkce_part(*DevicePkce::S256);

/// Follows paths through an answer.
pub struct tokenward_nested_part(NestedReader);
/// Names separated by `.`, array indices in brackets.
#[unsafe(no_mangle)]
pub static tokenward_nested_paths: tokenward_nested_part = tokenward_nested_part(*NestedReader::PATHS);

/// Finds the members of an answer by a service's own names.
pub struct tokenward_member_part(MemberReader);
/// By a list of names.
#[unsafe(no_mangle)]
pub static tokenward_member_names: tokenward_member_part = tokenward_member_part(*MemberReader::NAMES);

/// Works out when a refresh token ends.
pub struct tokenward_refresh_life_part(RefreshLifeRules);
/// At the earlier of what the service says and what its page tells.
#[unsafe(no_mangle)]
pub static tokenward_refresh_life_ends: tokenward_refresh_life_part =
    tokenward_refresh_life_part(*RefreshLifeRules::ENDS);

/// Looks a request up in a route table.
pub struct tokenward_route_part(RouteTable);
/// Row by row.
#[unsafe(no_mangle)]
pub static tokenward_route_table: tokenward_route_part = tokenward_route_part(*RouteTable::ROWS);

/// Makes `{site}` in a token path stand for the subject's site.
pub struct tokenward_site_part(SitePath);
/// The site percent-encoded, as one segment.
#[unsafe(no_mangle)]
pub static tokenward_site_path: tokenward_site_part = tokenward_site_part(*SitePath::SEGMENT);

/// Allows plain `http` to the loopback interface, for tests.
pub struct tokenward_loopback_part(LoopbackHttp);
/// `localhost`, 127.0.0.0/8 as four decimal numbers, and `[::1]`.
#[unsafe(no_mangle)]
pub static tokenward_loopback_http: tokenward_loopback_part = tokenward_loopback_part(*LoopbackHttp::ALLOWED);

/// Reads from the token itself when it expires.
pub struct tokenward_expiry_part(TokenExpiry);
/// The claim `exp` of a JWT (RFC 7519 section 4.1.4).
#[unsafe(no_mangle)]
pub static tokenward_expiry_jwt: tokenward_expiry_part = tokenward_expiry_part(*TokenExpiry::JWT);

/// Whose storage it is, what decides when it is read and written, and what seals what is written.
#[cfg_attr(not(feature = "snapshot"), expect(dead_code, reason = "then there is no object of it"))]
pub struct tokenward_storage_part {
    storage: Storage,
    /// The seal is the configuration's.
    wants_seal: bool,
}
/// No other process uses it. A snapshot is sealed by this library.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_storage_own: tokenward_storage_part =
    tokenward_storage_part { storage: Storage::OWN, wants_seal: false };
/// Several processes use it. Its lock is held from the first #TOKENWARD_NEXT_LOAD until tokenward_poll() says neither
/// that nor #TOKENWARD_NEXT_STORE. A snapshot is sealed by this library.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_storage_shared: tokenward_storage_part =
    tokenward_storage_part { storage: Storage::SHARED, wants_seal: false };
/// #tokenward_storage_own, but a snapshot is sealed by the `seal` of #tokenward_storage: an image that names this one
/// contains no hash of this library.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_storage_own_with_seal: tokenward_storage_part =
    tokenward_storage_part { storage: Storage { seal: &NO_SEAL, ..Storage::OWN }, wants_seal: true };
/// #tokenward_storage_shared, but a snapshot is sealed by the `seal` of #tokenward_storage: an image that names this one
/// contains no hash of this library.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub static tokenward_storage_shared_with_seal: tokenward_storage_part =
    tokenward_storage_part { storage: Storage { seal: &NO_SEAL, ..Storage::SHARED }, wants_seal: true };

impl<'c> Edge<'c> {
    /// A kind of storage, or NULL, with the seal that it wants. That it is one of the header's is the caller's word.
    #[cfg(feature = "snapshot")]
    pub(crate) fn storage(
        &mut self,
        kind: *const tokenward_storage_part,
        seal: *const tokenward_seal,
    ) -> Option<Storage> {
        let seal = self.seal(seal);
        if kind.is_null() || !self.may_read(kind.addr(), 1, Layout::new::<tokenward_storage_part>()) {
            return None;
        }
        // SAFETY: not NULL, aligned, apart from all that this call writes to; one of the objects above, which live as
        // long as the program, by the word of the caller of `Edge::new`.
        let part = unsafe { &*kind };
        match seal {
            Some(seal) => Some(Storage { seal, ..part.storage }),
            None if part.wants_seal => {
                self.fail(TOKENWARD_ERR_NULL);
                None
            }
            None => Some(part.storage),
        }
    }

    /// Without the feature there is no object that could be a kind of storage.
    #[cfg(not(feature = "snapshot"))]
    pub(crate) fn storage(
        &mut self,
        kind: *const tokenward_storage_part,
        _: *const tokenward_seal,
    ) -> Option<Storage> {
        if !kind.is_null() {
            self.fail(TOKENWARD_ERR_OUT_OF_RANGE);
        }
        None
    }
}

/// That a part of C is one of the core and nothing else: what points to one points to the other.
const _: () = {
    const fn alike<A, B>(offset: usize) {
        assert!(offset == 0 && size_of::<A>() == size_of::<B>() && align_of::<A>() == align_of::<B>());
    }
    alike::<ClientAuthentication, tokenward_authentication_part>(core::mem::offset_of!(
        tokenward_authentication_part,
        0
    ));
    alike::<SignatureAlgorithm, tokenward_algorithm_part>(core::mem::offset_of!(tokenward_algorithm_part, 0));
    alike::<BodyFormat, tokenward_body_part>(core::mem::offset_of!(tokenward_body_part, 0));
    alike::<AnswerFormat, tokenward_answer_part>(core::mem::offset_of!(tokenward_answer_part, 0));
    alike::<DevicePkce, tokenward_pkce_part>(core::mem::offset_of!(tokenward_pkce_part, 0));
    alike::<RequestWriter, tokenward_request_part>(core::mem::offset_of!(tokenward_request_part, 0));
    alike::<NestedReader, tokenward_nested_part>(core::mem::offset_of!(tokenward_nested_part, 0));
    alike::<MemberReader, tokenward_member_part>(core::mem::offset_of!(tokenward_member_part, 0));
    alike::<RefreshLifeRules, tokenward_refresh_life_part>(core::mem::offset_of!(
        tokenward_refresh_life_part,
        0
    ));
    alike::<RouteTable, tokenward_route_part>(core::mem::offset_of!(tokenward_route_part, 0));
    alike::<SitePath, tokenward_site_part>(core::mem::offset_of!(tokenward_site_part, 0));
    alike::<LoopbackHttp, tokenward_loopback_part>(core::mem::offset_of!(tokenward_loopback_part, 0));
    alike::<TokenExpiry, tokenward_expiry_part>(core::mem::offset_of!(tokenward_expiry_part, 0));
};

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = include_str!("../include/tokenward/tokenward.h");

    /// Each part of the core beside the object that has its name.
    macro_rules! named {
        ($kind:literal, $core:ident: $($(#[$only:meta])* $object:ident),+) => {
            let objects = [$($(#[$only])* (stringify!($object), &$object.0)),+];
            assert_eq!($core::ALL.len(), objects.len());
            for part in $core::ALL {
                let name = std::format!("tokenward_{}_{}", $kind, part.name().to_lowercase());
                assert!(objects.contains(&(&name, part)), "{name}");
                assert!(HEADER.contains(&std::format!("extern const tokenward_{}_part {name};", $kind)), "{name}");
            }
        };
    }

    #[test]
    fn every_part_of_the_core_is_an_object_of_its_name() {
        named!("authentication", ClientAuthentication: tokenward_authentication_basic, tokenward_authentication_basic_raw, tokenward_authentication_post, tokenward_authentication_bearer, tokenward_authentication_none, tokenward_authentication_basic_id, tokenward_authentication_nobody, tokenward_authentication_private_key_jwt, #[cfg(feature = "snapshot")] tokenward_authentication_client_secret_jwt);
        named!("algorithm", SignatureAlgorithm: tokenward_algorithm_es256, tokenward_algorithm_rs256, tokenward_algorithm_ps256, tokenward_algorithm_eddsa);
        named!("request", RequestWriter: tokenward_request_own);
        named!("body", BodyFormat: tokenward_body_form, tokenward_body_json);
        named!("answer", AnswerFormat: tokenward_answer_form);
        named!("pkce", DevicePkce: #[cfg(feature = "snapshot")] tokenward_pkce_s256);
        named!("nested", NestedReader: tokenward_nested_paths);
        named!("member", MemberReader: tokenward_member_names);
        named!("refresh_life", RefreshLifeRules: tokenward_refresh_life_ends);
        named!("route", RouteTable: tokenward_route_table);
        named!("site", SitePath: tokenward_site_path);
        named!("loopback", LoopbackHttp: tokenward_loopback_http);
        named!("expiry", TokenExpiry: tokenward_expiry_jwt);
    }
}
