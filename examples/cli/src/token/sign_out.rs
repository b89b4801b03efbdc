//! `--sign-out`: what is kept is overwritten, and the service ends the token.

use tokenward::grants::Revocation;
use tokenward::{Error, ParsedAnswer};

use super::holder::{Holder, Sent, cannot_begin};
use crate::clock;
use crate::credentials::Ask;
use crate::failure::{Failure, Status};

impl Holder<'_> {
    /// Signs out: what is stored says so first, then the service hears of it, if its description says where. What was done,
    /// in one sentence.
    ///
    /// # Errors
    /// The service has not ended the token, or what is stored could not be overwritten. Either way nobody is signed in here.
    pub(crate) fn sign_out(&mut self) -> Result<&'static str, Failure> {
        if self.provider.revocation_path.is_none() {
            self.manager.clear();
            self.stored()?;
            return Ok("signed out here; the service names no way to end the token, which lives on there");
        }
        let presented = self.sources.read(self.provider, Ask::Prompt)?;
        let mut out = vec![0; 64 << 10];
        let signed = self.signed(&presented)?;
        let assertion = signed.assertion();
        let credentials = presented.asserting(&assertion);
        let written = self.manager.revoke(&credentials, &presented.values(), &mut out);
        let stored = self.stored();
        let request = written.map_err(|error| match error {
            Error::InvalidProvider => Failure::usage(format!("{}: {}", self.provider.name, error.name())),
            error => cannot_begin(error, self.provider),
        })?;
        let reply = request.map(|request| self.http.exchange(&request));
        tokenward::wipe(&mut out);
        stored?;
        let what = "signed out here, but the service has not ended the token";
        match reply {
            None => Ok("nobody was signed in"),
            Some(Err(why)) => Err(Failure::unavailable(format!("{what}: {}", Sent::Nothing(why).said()))),
            Some(Ok(reply)) => {
                let (status, wall) = (reply.status, clock::wall());
                let answer = ParsedAnswer { status, retry_after: None, body: &reply.body, wall };
                match self.manager.revoked(&answer) {
                    Revocation::Done => Ok("signed out"),
                    Revocation::Later => {
                        Err(Failure::unavailable(format!("{what}: it answered {status}; try again there")))
                    }
                    Revocation::Refused(Some(error)) => {
                        let said = Sent::error(&error, status).said();
                        Err(Failure::new(Status::Error, format!("{what}: {said}")))
                    }
                    Revocation::Refused(None) => {
                        Err(Failure::new(Status::Error, format!("{what}: it answered {status}")))
                    }
                }
            }
        }
    }

    /// That nobody is signed in is stored, or why not.
    fn stored(&mut self) -> Result<(), Failure> {
        self.sync()?;
        self.trouble.take().map_or(Ok(()), Err)
    }
}
