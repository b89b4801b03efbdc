//! A manager, its HTTP, its source of tokens and its storage: does what `poll` says, and decides nothing.

use std::time::Duration;

use tokenward::storage::{Found, Source, Storage as Rules};
use tokenward::{
    Additions, Answer, Error, ErrorResponse, Generation, Identity, Next, Options, Outcome, Poll, Provider,
    RequestId, Slots, TokenManager, TokenResponse,
};

use super::storage::Storage;
use crate::clock;
use crate::credentials::{Ask, Presented, Signed, Sources};
use crate::failure::{Failure, Status};
use crate::http::Http;
use crate::paint::harmless;
use crate::windows::Windows;

/// Bytes for an access token and for a refresh token.
const SLOTS: (usize, usize) = (16 << 10, 8 << 10);

/// Keeps one token for as long as the process lives.
pub(crate) struct Holder<'p> {
    pub(crate) manager: TokenManager<'p, Vec<u8>>,
    pub(crate) provider: &'p Provider<'p>,
    pub(super) sources: &'p Sources,
    /// What was read before the first request; later ones read again, where nobody need be asked.
    presented: Option<Presented>,
    storage: Option<Storage>,
    /// Why storage could not be read, written or used when that was last tried.
    pub(crate) trouble: Option<Failure>,
    /// It was said that what is stored is damaged.
    damage_told: bool,
    pub(super) http: Http,
}

/// What one request came to.
pub(crate) enum Sent {
    Token,
    /// The server's error code, and its description.
    Error {
        code: String,
        description: String,
        status: u16,
    },
    /// An answer that the core refused.
    Refused {
        reason: Error,
        status: u16,
    },
    /// No answer: why not.
    Nothing(String),
}

impl Sent {
    pub(super) fn error(response: &ErrorResponse<'_>, status: u16) -> Self {
        Self::Error {
            code: shown(response.error().bytes()),
            description: response.error_description().map_or(String::new(), |text| shown(text.bytes())),
            status,
        }
    }

    /// One line for people.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Token => "a token".to_owned(),
            Self::Error { code, description, status } if description.is_empty() => {
                format!("the service answered {status} {code}")
            }
            Self::Error { code, description, status } => {
                format!("the service answered {status} {code} ({description})")
            }
            Self::Refused { reason, status } => {
                format!("the answer (status {status}) is refused: {}", reason.name())
            }
            Self::Nothing(why) => format!("no answer: {why}"),
        }
    }

    /// The exit status where this was the last word.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Token => Status::Ok,
            Self::Nothing(_) => Status::Unavailable,
            Self::Error { status, .. } | Self::Refused { status, .. }
                if *status >= 500 || matches!(status, 408 | 425 | 429) =>
            {
                Status::Unavailable
            }
            Self::Error { .. } => Status::Error,
            Self::Refused { .. } => Status::Refused,
        }
    }
}

impl<'p> Holder<'p> {
    pub(crate) fn new(
        provider: &'p Provider<'p>,
        identity: Identity<'p>,
        sources: &'p Sources,
        storage: Option<Storage>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let (access, refresh) = SLOTS;
        let slots = Slots::new(vec![0; access + refresh], access);
        let seed = getrandom::u64()
            .map_err(|error| Failure::unavailable(format!("no random numbers for a seed: {error}")))?;
        let options = Options {
            storage: storage.as_ref().map(|_| Rules::SHARED),
            source: if !asks(provider) && sources.can_be_read_again() {
                Source::Program
            } else {
                Source::Person
            },
        };
        let manager = TokenManager::with_options(clock::now(), provider, identity, slots, seed, options)
            .map_err(|error| {
                let wants = "the token endpoint wants --site ID";
                Failure::usage(format!("{}: {}: {wants}", provider.name, error.name()))
            })?;
        let http = Http::new(identity.base_url.or(provider.base_url).unwrap_or_default(), timeout)
            .map_err(Failure::unavailable)?;
        Ok(Self {
            manager,
            provider,
            sources,
            presented: None,
            storage,
            trouble: None,
            damage_told: false,
            http,
        })
    }

    pub(crate) fn poll(&self) -> Poll {
        self.manager.poll(clock::now())
    }

    /// Whether the service has a grant: else its token comes from elsewhere.
    pub(crate) fn asks(&self) -> bool {
        asks(self.provider)
    }

    /// Reads and writes storage as `poll` says, under one lock.
    ///
    /// # Errors
    /// Somebody has signed out in another process.
    pub(crate) fn sync(&mut self) -> Result<(), Failure> {
        let Some(storage) = &self.storage else { return Ok(()) };
        let shown = storage.path().display();
        let mut lock = None;
        let signed_out = loop {
            let (now, wall) = (clock::now(), clock::wall());
            match self.manager.poll(now).next {
                Next::Load(id) => {
                    let held = self.manager.generation() != Generation::default();
                    let read = match lock {
                        Some(_) => Ok(()),
                        None => storage.lock().map(|held| lock = Some(held)),
                    };
                    let read = read.map_err(|error| format!("cannot lock {shown}: {error}")).and_then(|()| {
                        storage
                            .load()
                            .map_err(|error| format!("cannot read {shown}: {error}; make it readable"))
                    });
                    self.trouble = match read {
                        Ok(snapshot) => {
                            let slots = [snapshot.as_deref()];
                            let found = self.manager.loaded(clock::now(), wall, id, storage.key(), &slots);
                            tokenward::wipe(&mut snapshot.unwrap_or_default());
                            match found {
                                Ok(Found::SignedOut) if held => break true,
                                Ok(_) => None,
                                Err(Error::InvalidSnapshot) => {
                                    // Nothing is left there to lose.
                                    let what =
                                        "invalid_snapshot: it was changed or cut off, and is of no use";
                                    if !self.damage_told {
                                        crate::cli::complain(&format!("warning: {shown}: {what}"));
                                        self.damage_told = true;
                                    }
                                    None
                                }
                                Err(error) => Some(refused(error, storage)),
                            }
                        }
                        Err(why) => {
                            spent(self.manager.load_failed(clock::now(), id));
                            Some(Failure::unavailable(why))
                        }
                    };
                }
                Next::Store(id, _) => {
                    let mut out = vec![0; SLOTS.0 + SLOTS.1 + 1024];
                    let written = self
                        .manager
                        .snapshot(now, wall, id, storage.key(), &mut out)
                        .map_err(|error| error.name().to_owned())
                        .and_then(|snapshot| storage.store(snapshot).map_err(|error| error.to_string()));
                    tokenward::wipe(&mut out);
                    let now = clock::now();
                    self.trouble = match written {
                        Ok(()) => {
                            spent(self.manager.stored(now, id));
                            None
                        }
                        Err(error) => {
                            spent(self.manager.store_failed(now, id));
                            Some(Failure::unavailable(format!(
                                "cannot save {shown}: {error}; make room there"
                            )))
                        }
                    };
                }
                _ => break false,
            }
        };
        if signed_out {
            let how = "somebody has signed out there: start again to sign in";
            return Err(Failure::new(Status::Error, format!("{shown}: {how}")));
        }
        Ok(())
    }

    /// Reads the credentials that the provider needs, asking for what is missing.
    pub(crate) fn ask(&mut self) -> Result<(), Failure> {
        self.presented = Some(self.sources.read(self.provider, Ask::Prompt)?);
        Ok(())
    }

    /// Forgets the credentials, so that the next request reads them anew.
    pub(crate) fn reread(&mut self) {
        self.presented = None;
    }

    /// Takes the token that someone else issued: for a `Supply`, or unasked.
    pub(crate) fn supply(&mut self, asked: Option<RequestId>) -> Result<(), Failure> {
        let read = self.sources.read(self.provider, Ask::Prompt);
        let (now, wall) = (clock::now(), clock::wall());
        let supplied = read.and_then(|presented| {
            let token = TokenResponse::new(presented.credentials().bearer);
            let supplied = match asked {
                Some(id) => self.manager.supplied(now, wall, id, &token),
                None => self.manager.install(now, wall, &token),
            };
            supplied.map_err(|error| {
                let what = format!("the token is refused: {}: give it as it was issued", error.name());
                Failure::new(Status::Refused, what)
            })
        });
        match supplied {
            Ok(_) => Ok(()),
            Err(failure) => {
                if let Some(id) = asked {
                    spent(self.manager.supply_failed(now, id, failure.status != Status::Refused));
                }
                Err(failure)
            }
        }
    }

    /// What the assertion of the next request is made of.
    pub(super) fn signed(&self, presented: &Presented) -> Result<Signed, Failure> {
        presented.sign(|credentials, out| self.manager.signing_input(credentials, out))
    }

    /// Sends the request that is due and hands in the answer; none: it is due no more. Then [`Holder::sync`], then use.
    pub(crate) fn send(&mut self) -> Result<Option<Sent>, Failure> {
        let presented = match self.presented.take() {
            Some(presented) => presented,
            None => self.sources.read(self.provider, Ask::Prompt)?,
        };
        let signed = self.signed(&presented)?;
        let assertion = signed.assertion();
        let credentials = presented.asserting(&assertion);
        let additions = Additions { values: &presented.values(), parameters: &[] };
        let mut out = vec![0; 64 << 10];
        let begun = self.manager.begin_with(clock::now(), &credentials, &additions, &mut out);
        let (id, request) = match begun {
            Ok(begun) => begun,
            // Whoever was asked took so long that others may have refreshed.
            Err(Error::NotDue) => {
                self.presented = Some(presented);
                return Ok(None);
            }
            // They are read anew the next time.
            Err(error) => return Err(cannot_begin(error, self.provider)),
        };
        let reply = self.http.exchange(&request);
        tokenward::wipe(&mut out);
        let now = clock::now();
        let sent = match &reply {
            Err(why) => {
                spent(self.manager.failed(now, id));
                Sent::Nothing(why.clone())
            }
            Ok(reply) => {
                let headers = reply.headers();
                let answer = Answer {
                    status: reply.status,
                    headers: &headers,
                    body: &reply.body,
                    wall: clock::wall(),
                };
                match self.manager.answer(now, id, &answer) {
                    Ok(Outcome::Token(_)) => Sent::Token,
                    Ok(Outcome::Error(response)) => Sent::error(&response, reply.status),
                    Err(reason) => Sent::Refused { reason, status: reply.status },
                }
            }
        };
        self.presented = Some(presented);
        Ok(Some(sent))
    }

    /// The windows of the stored token.
    pub(crate) fn windows(&self) -> Windows {
        Windows::of(&self.manager, clock::now())
    }
}

fn asks(provider: &Provider<'_>) -> bool {
    provider.primary_grant.is_some() || provider.refresh_grant
}

/// An id that `poll` has just said counts.
fn spent(told: Result<(), Error>) {
    debug_assert_eq!(told, Ok(()));
}

/// What lies in storage is whole, but not for this process: it may be somebody's, and is not overwritten unasked.
fn refused(error: Error, storage: &Storage) -> Failure {
    let what = match error {
        Error::ForeignSnapshot => "it belongs to another provider, environment or site: give another file",
        Error::TooLong { .. } | Error::RefreshTokenTooLong { .. } => "its token is too long",
        Error::OtherSnapshotKey => "it is sealed under another key: mend the key, or delete it to start anew",
        _ => "it was written by another version of tokenward: delete it to start anew",
    };
    Failure::new(Status::Refused, format!("{}: {}: {what}", storage.path().display(), error.name()))
}

pub(super) fn shown(bytes: impl Iterator<Item = u8>) -> String {
    harmless(&String::from_utf8_lossy(&bytes.collect::<Vec<_>>()))
}

pub(super) fn cannot_begin(error: Error, provider: &Provider<'_>) -> Failure {
    let refused = format!("{}: {}", provider.name, error.name());
    match error {
        Error::WrongCredentials => Failure::usage(format!(
            "{refused}: one that the request needs is empty or cannot be sent; see TOKENWARD_… in `tokenward \
             token --help`"
        )),
        Error::OriginNotAllowed => Failure::usage(format!(
            "{refused}: the token endpoint is not https; for tests on this machine give --allow-loopback-http"
        )),
        Error::BadUrl => Failure::usage(format!("{refused}: mend --base-url")),
        Error::InvalidProvider => Failure::usage(format!(
            "{refused}: nobody can sign in there: its description names no authorization_url or device_path"
        )),
        _ => Failure::new(Status::Refused, refused),
    }
}
