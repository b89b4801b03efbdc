//! A manager, its HTTP and its storage: **answer, persist, use**.

use std::time::Duration;

use tokenward::{
    Answer, Error, Identity, Next, Outcome, Provider, Revision, Slots, SnapshotScope, TokenManager,
    TokenResponse,
};

use super::storage::Storage;
use crate::clock;
use crate::credentials::{Ask, Presented, Sources};
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
    sources: &'p Sources,
    /// What was read before the first request; later ones read again, where nobody need be asked.
    presented: Option<Presented>,
    pub(crate) storage: Option<Storage>,
    http: Http,
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
        let manager = TokenManager::new(clock::now(), provider, identity, slots, seed).map_err(|error| {
            Failure::usage(format!("{}: {}: the token endpoint wants --site ID", provider.name, error.name()))
        })?;
        let http = Http::new(identity.base_url.or(provider.base_url).unwrap_or_default(), timeout)
            .map_err(Failure::unavailable)?;
        let mut holder = Self { manager, provider, sources, presented: None, storage, http };
        holder.restore()?;
        Ok(holder)
    }

    /// Whether the service has a grant: else its token is installed.
    pub(crate) fn asks(&self) -> bool {
        self.provider.primary_grant.is_some() || self.provider.refresh_grant
    }

    /// Takes the state of the storage, if it has one.
    pub(crate) fn restore(&mut self) -> Result<bool, Failure> {
        let Some(storage) = &self.storage else { return Ok(false) };
        let shown = storage.path().display();
        let loaded = storage.load().map_err(|error| {
            Failure::unavailable(format!("cannot read {shown}: {error}; make it readable"))
        })?;
        let Some(mut snapshot) = loaded else { return Ok(false) };
        let floor = Revision::default();
        let restored = self.manager.restore(clock::now(), clock::wall(), floor, storage.key(), &snapshot);
        tokenward::wipe(&mut snapshot);
        match restored {
            Ok(()) => Ok(true),
            Err(Error::StaleSnapshot) => Ok(false),
            Err(error) => {
                let what = match error {
                    Error::ForeignSnapshot => {
                        "it belongs to another provider, environment or site: give another file"
                    }
                    Error::TooLong { .. } | Error::RefreshTokenTooLong { .. } => "its token is too long",
                    Error::OtherSnapshotKey => {
                        "it is sealed under another key: mend the key, or delete it to start anew"
                    }
                    Error::OtherSnapshotVersion => {
                        "it was written by another version of tokenward: delete it to start anew"
                    }
                    _ => "it was changed or cut off: delete it to start anew",
                };
                Err(Failure::new(Status::Refused, format!("{shown}: {}: {what}", error.name())))
            }
        }
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

    /// Installs the token that someone else issued, where the provider has no grant of its own.
    pub(crate) fn install(&mut self) -> Result<(), Failure> {
        let presented = self.sources.read(self.provider, Ask::Prompt)?;
        let token = TokenResponse::new(presented.credentials().bearer);
        self.manager.install(clock::now(), clock::wall(), &token).map_err(|error| {
            Failure::new(
                Status::Refused,
                format!("the token is refused: {}: give it as it was issued", error.name()),
            )
        })?;
        self.persist()
    }

    /// Sends the request that is due and hands in the answer. Then [`Holder::persist`], then use.
    pub(crate) fn send(&mut self) -> Result<Sent, Failure> {
        let presented = match self.presented.take() {
            Some(presented) => presented,
            None => self.sources.read(self.provider, Ask::Prompt)?,
        };
        let credentials = presented.credentials();
        let mut out = vec![0; 64 << 10];
        let begun = self.manager.begin(clock::now(), &credentials, &mut out);
        let (id, request) = match begun {
            Ok(begun) => begun,
            // They are read anew the next time.
            Err(error) => return Err(cannot_begin(error, self.provider)),
        };
        let reply = self.http.send(request.method(), request.url(), request.headers(), request.body());
        tokenward::wipe(&mut out);
        let now = clock::now();
        let sent = match &reply {
            Err(why) => {
                let spent = self.manager.failed(now, id);
                debug_assert_eq!(spent, Ok(()));
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
                    Ok(Outcome::Error(response)) => Sent::Error {
                        code: shown(response.error().bytes()),
                        description: response
                            .error_description()
                            .map_or(String::new(), |text| shown(text.bytes())),
                        status: reply.status,
                    },
                    Err(reason) => Sent::Refused { reason, status: reply.status },
                }
            }
        };
        self.presented = Some(presented);
        Ok(sent)
    }

    /// Writes a snapshot if what it would hold has changed. Where the core asks for storage first, nothing
    /// may overwrite that.
    pub(crate) fn persist(&mut self) -> Result<(), Failure> {
        if self.manager.poll(clock::now()).next == Next::Reload {
            return Ok(());
        }
        let Some(storage) = self.storage.as_ref().filter(|storage| !storage.is_kept_elsewhere()) else {
            return Ok(());
        };
        let Some(revision) = self.manager.unpersisted(SnapshotScope::All) else { return Ok(()) };
        let mut out = vec![0; SLOTS.0 + SLOTS.1 + 1024];
        let written = self
            .manager
            .snapshot(clock::now(), clock::wall(), SnapshotScope::All, storage.key(), &mut out)
            .map_err(|error| error.name().to_owned())
            .and_then(|snapshot| storage.store(snapshot).map_err(|error| error.to_string()));
        tokenward::wipe(&mut out);
        written.map_err(|error| {
            let shown = storage.path().display();
            Failure::unavailable(format!(
                "cannot save {shown}: {error}; make room there; the token was not used"
            ))
        })?;
        self.manager.persisted(SnapshotScope::All, revision);
        Ok(())
    }

    /// The windows of the stored token.
    pub(crate) fn windows(&self) -> Windows {
        Windows::of(&self.manager, clock::now())
    }
}

fn shown(bytes: impl Iterator<Item = u8>) -> String {
    harmless(&String::from_utf8_lossy(&bytes.collect::<Vec<_>>()))
}

fn cannot_begin(error: Error, provider: &Provider<'_>) -> Failure {
    let refused = format!("{}: {}", provider.name, error.name());
    match error {
        Error::WrongCredentials => Failure::usage(format!(
            "{refused}: one that the grant needs is empty or cannot be sent; see TOKENWARD_… in `tokenward \
             token --help`"
        )),
        Error::OriginNotAllowed => Failure::usage(format!(
            "{refused}: the token endpoint is not https; for tests on this machine give --allow-loopback-http"
        )),
        Error::BadUrl => Failure::usage(format!("{refused}: mend --base-url")),
        _ => Failure::new(Status::Refused, refused),
    }
}
