//! What is to be done next, and why.

use crate::TokenGrant;

/// What a manager is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenNext {
    /// The token is fresh.
    Nothing,
    /// A request is due.
    Request {
        /// By which grant.
        grant: TokenGrant,
    },
    /// A request is out, or something is being done that [`crate::CoreManager::took`] named.
    AwaitAnswer {
        /// Its id.
        request_id: u64,
    },
    /// Backing off, spreading at the start, or another process is refreshing.
    Wait,
    /// Storage is to be read, whose lock is taken first if it is shared.
    Load {
        /// Its id.
        id: u64,
    },
    /// Storage is to be written, atomically if it can.
    Store {
        /// Its id.
        id: u64,
        /// To this place.
        slot: u8,
    },
    /// A token must be obtained from where they come, someone must sign in, or the configuration must be mended.
    Supply {
        /// Its id.
        id: u64,
        /// Why.
        reason: TokenReason,
    },
}

/// Why someone must act, or why a resource server's refusal is the caller's to handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenReason {
    /// There is no token, and no grant that would obtain one.
    NoToken,
    /// The refresh token is refused, and there is no other grant.
    RefreshTokenRejected,
    /// The primary grant is refused: a wrong or changed password.
    GrantRejected,
    /// A token without an end was refused by a resource server.
    Revoked,
    /// The token endpoint answered `invalid_client`.
    InvalidClient,
    /// The token endpoint answered `unauthorized_client`.
    UnauthorizedClient,
    /// The token endpoint answered `unsupported_grant_type`.
    UnsupportedGrantType,
    /// The token endpoint answered `invalid_scope`.
    InvalidScope,
    /// The token endpoint answered `invalid_request`.
    InvalidRequest,
    /// A resource server refused a token that it had just been given.
    Rejected,
    /// A resource server answered 403.
    Forbidden,
    /// A resource server wants a scope that the token has not.
    InsufficientScope,
    /// The status says nothing about the token.
    NotAnAuthenticationFailure,
    /// Storage held something, but nothing that could be read.
    Damaged,
    /// Storage holds a token that is longer than its slot.
    TooLong,
}

same! {
    TokenReason = Reason {
        NoToken, RefreshTokenRejected, GrantRejected, Revoked, InvalidClient, UnauthorizedClient,
        UnsupportedGrantType, InvalidScope, InvalidRequest, Rejected, Forbidden, InsufficientScope,
        NotAnAuthenticationFailure, Damaged, TooLong
    }
}

/// The snake_case name, the same in every language.
#[uniffi::export]
#[must_use]
pub fn reason_name(reason: TokenReason) -> String {
    reason.core().name().to_owned()
}

/// The snake_case name, the same in every language.
#[uniffi::export]
#[must_use]
pub fn grant_name(grant: TokenGrant) -> String {
    grant.core().name().to_owned()
}
