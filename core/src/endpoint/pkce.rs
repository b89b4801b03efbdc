//! PKCE (RFC 7636): whoever presents a code shows that it has asked for it, too.

#[cfg(feature = "snapshot")]
use sha2::{Digest, Sha256};

use crate::endpoint::body_format::Body;
use crate::error::Error;
#[cfg(feature = "snapshot")]
use crate::secret::check_random;
#[cfg(feature = "snapshot")]
use crate::wire::base64::base64url;

/// Binds the requests of a device authorization to each other (RFC 7636): a value that brings its code.
#[derive(Clone, Copy)]
pub struct DevicePkce {
    number: u8,
    name: &'static str,
    /// Whether the bytes are random.
    pub(crate) check: fn(&[u8; 32]) -> Result<(), Error>,
    /// Writes what goes with the request for a code, and what with those that present it.
    pub(crate) write_challenge: fn(&mut Body<'_, '_, '_>, &[u8; 32]),
    pub(crate) write_verifier: fn(&mut Body<'_, '_, '_>, &[u8; 32]),
}

impl DevicePkce {
    /// By the SHA-256 of a verifier (RFC 7636 section 4.2): each start takes 32 random bytes,
    /// [`crate::grants::DeviceAuthorization::start_with_random`].
    #[cfg(feature = "snapshot")]
    pub const S256: &'static Self = &Self {
        number: 1,
        name: "s256",
        check: |random| check_random(random),
        write_challenge: |body, random| {
            body.parameter("code_challenge", challenge(random, &mut [0; 44]));
            body.parameter("code_challenge_method", b"S256");
        },
        write_verifier: |body, random| body.parameter("code_verifier", verifier(random, &mut [0; 44])),
    };

    /// The parameters that it sends.
    pub(crate) const PARAMETERS: [&'static str; 3] =
        ["code_challenge", "code_challenge_method", "code_verifier"];
}

part!(DevicePkce: #[cfg(feature = "snapshot")] S256);

/// RFC 7636 section 4.1.
#[cfg(feature = "snapshot")]
pub(crate) fn verifier<'r>(random: &[u8; 32], room: &'r mut [u8; 44]) -> &'r [u8] {
    base64url(random, room)
}

/// RFC 7636 section 4.2.
#[cfg(feature = "snapshot")]
#[inline(never)]
pub(crate) fn challenge<'r>(random: &[u8; 32], room: &'r mut [u8; 44]) -> &'r [u8] {
    let mut hash = Sha256::new();
    hash.update(verifier(random, room));
    base64url(&hash.finalize(), room)
}
