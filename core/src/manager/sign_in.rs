//! A token that a grant of its own brings to a manager, beside what the manager itself asks for.

use crate::endpoint::error_response::ErrorCode;
use crate::endpoint::members::Members;
use crate::endpoint::provider::{Identity, Provider};
use crate::endpoint::token_response::Said;
use crate::error::Error;
use crate::manager::session::RequestId;
use crate::manager::{Outcome, ParsedAnswer, TokenManager};
use crate::time::Instant;

/// A token request that the manager has not asked for, while it is out.
#[derive(Clone, Copy)]
pub(crate) struct SignIn {
    /// A lifetime counts from here.
    began_at: u64,
    /// What a supply that was asked for at the same time would be called.
    supply: RequestId,
}

impl<'p, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'p, S> {
    /// Whose token it will be, of which service.
    pub(crate) const fn service(&self) -> (&'p Provider<'p>, &Identity<'p>) {
        (self.provider, &self.identity)
    }

    /// The access token and the refresh token that are held, whether they have ended or not.
    pub(crate) fn held(&self) -> (&[u8], &[u8]) {
        (self.store.access_token(), self.store.refresh_token())
    }

    /// A token request of somebody who signs in is about to be sent. The manager's clock moves when it is answered.
    pub(crate) fn begin_sign_in(&self, now: Instant) -> SignIn {
        SignIn { began_at: self.session.seen(now), supply: self.supply.tries.id() }
    }

    /// Reads the answer to it. A token is kept as one that is installed, but for its lifetime, which counts from the
    /// request; an error changes nothing.
    #[inline(never)]
    pub(crate) fn answer_sign_in<'b>(
        &mut self,
        now: Instant,
        sign_in: SignIn,
        answer: &ParsedAnswer<'b>,
    ) -> Result<Outcome<'b>, Error> {
        self.advance(now.max(Instant::from_millis(sign_in.began_at)));
        if !self.supply.is_current(sign_in.supply) {
            return Err(Error::StaleRequest);
        }
        let mut members = Members::NONE;
        match members.read_answer(answer.status, answer.body, self.provider)? {
            Said::Error(code) => {
                Ok(Outcome::Error(members.error(code, ErrorCode::meant(code, self.provider))))
            }
            Said::Token(expires_in) => {
                let generation = self.keep(sign_in.began_at, &members, expires_in, answer.wall, None)?;
                self.settle();
                Ok(Outcome::Token(generation))
            }
        }
    }
}
