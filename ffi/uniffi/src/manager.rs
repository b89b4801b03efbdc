//! The manager behind its lock.

use std::sync::{Arc, Mutex};

use bumpalo::Bump;
use self_cell::self_cell;
use tokenward::grants::Revocation;
use tokenward::{
    Additions, Answer, Assertion, Credentials, Error, Exposure, Generation, Identity, Instant, JsonStr,
    Nested, Next, Outcome, OwnMembers, Provider, Request, RequestId, Retry, Slots, SnapshotScope,
    TokenAnswer, TokenManager, TokenRequest, TokenResponse, UnixTime, token_answer,
};

use crate::error::locked;
use crate::{
    CoreError, FoundRecord, OptionsRecord, SignatureAlgorithm, TokenGrant, TokenIdentity, TokenNext,
    TokenProvider, TokenReason,
};

/// Bytes of a slot at most: what is asked for beyond is a mistake, not a token.
const MAX_CAPACITY: u32 = 1024 * 1024;

self_cell!(
    /// A manager and, in the arena, the provider and the identity that it borrows.
    struct Keeper {
        owner: Bump,
        #[covariant]
        dependent: Kept,
    }
);

pub(crate) struct Kept<'a> {
    provider: &'a Provider<'a>,
    identity: Identity<'a>,
    pub(crate) manager: TokenManager<'a, Box<[u8]>>,
}

/// One token of one provider and identity, kept alive: [`TokenManager`] behind a lock.
///
/// `now` is milliseconds of a clock that counts on while the device sleeps; `wall` is Unix seconds.
/// Every method may be called from any thread. [`CoreError::Internal`] means a bug: a panic was caught, and the
/// object answers nothing else from then on.
#[derive(uniffi::Object)]
pub struct CoreManager {
    keeper: Mutex<Keeper>,
}

/// A token that is handed over as JSON has the members of RFC 6749, and the life of its refresh token.
const INSTALLED: OwnMembers<'static> =
    OwnMembers { refresh_expires_in: Some(&["refresh_expires_in"]), ..OwnMembers::FOUND };

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PollRecord {
    /// What the caller is to do.
    pub next: TokenNext,
    /// Whether the token may be sent now.
    pub usable: bool,
    /// When this answer changes by itself, in milliseconds; never, if there is none.
    pub poll_at: Option<u64>,
    /// Until when a person must have signed in again, in milliseconds.
    pub sign_in_by: Option<u64>,
}

/// What an answer of the token endpoint was.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum OutcomeRecord {
    /// The token is kept. Persist before you use it.
    Token {
        /// Which one it is.
        generation: u64,
    },
    /// The server said why not, in its own words; [`CoreManager::poll`] says what to do.
    Error {
        /// The code as the server spelled it.
        code: String,
        /// A text for developers.
        description: Option<String>,
        /// A page about it.
        uri: Option<String>,
    },
}

/// What to do with a request that a resource server refused.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum RetryRecord {
    /// Send it again at once with the current token.
    Now,
    /// Send it again when there is a new token.
    AfterRefresh,
    /// Hand the refusal to the user or the log.
    Surface {
        /// Why.
        reason: TokenReason,
        /// When the same 401 will be answered otherwise; none: that does not come by itself.
        retry_at: Option<u64>,
    },
}

/// What the assertion is made of that a client authenticates with (RFC 7523 section 2.2). One is for one request.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct AssertionRecord {
    /// 16 bytes from a generator that nobody can predict.
    pub random: Vec<u8>,
    /// Unix seconds; none: the time of day is not known.
    pub wall: Option<u64>,
    /// Which of its keys the client signs with, if it has several.
    pub key_id: Option<String>,
    /// The SHA-256 of its certificate in base64url without padding.
    pub certificate_thumbprint: Option<String>,
    /// How a key of the caller's signs.
    pub algorithm: Option<SignatureAlgorithm>,
    /// What it has signed.
    pub signature: Option<Vec<u8>>,
}

impl AssertionRecord {
    pub(crate) fn core(given: Option<&Self>) -> Result<Option<Assertion<'_>>, CoreError> {
        let Some(Self { random, wall, key_id, certificate_thumbprint, algorithm, signature }) = given else {
            return Ok(None);
        };
        Ok(Some(Assertion {
            random: random.as_slice().try_into().map_err(|_| CoreError::invalid_argument())?,
            wall: UnixTime::from_secs(wall.unwrap_or_default()),
            key_id: key_id.as_deref(),
            certificate_thumbprint: certificate_thumbprint.as_deref(),
            algorithm: algorithm.map(SignatureAlgorithm::core),
            signature: signature.as_deref(),
        }))
    }
}

/// What the service said to a revocation.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum RevocationRecord {
    /// The token is of no use any more, or never was.
    Done,
    /// The service could not: the token lives on, and the same request may be sent again.
    Later,
    /// The service would not.
    Refused {
        /// The code as the server spelled it, if the answer has one.
        code: Option<String>,
    },
}

#[uniffi::export]
impl CoreManager {
    /// A manager without a token. `seed` differs from device to device; it needs no secrecy.
    ///
    /// # Errors
    /// - [`CoreError::Input`]: `invalid_provider` with the name of the fact that cannot work; `invalid_argument` for a
    ///   slot above 1 MiB, or storage of no places or more than 8.
    /// - [`CoreError::NotAllowed`], `server_only`: the credentials are for servers only, and
    ///   `allow_server_only` does not say that this is one.
    #[uniffi::constructor(default(options = None))]
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn new(
        now: u64,
        provider: TokenProvider,
        identity: TokenIdentity,
        access_capacity: u32,
        refresh_capacity: u32,
        seed: u64,
        allow_server_only: bool,
        options: Option<OptionsRecord>,
    ) -> Result<Self, CoreError> {
        let options = options.unwrap_or_default().core().ok_or_else(CoreError::invalid_argument)?;
        if access_capacity.max(refresh_capacity) > MAX_CAPACITY {
            return Err(CoreError::invalid_argument());
        }
        let (access, refresh) = (access_capacity as usize, refresh_capacity as usize);
        let keeper = Keeper::try_new(Bump::new(), |arena| {
            let provider = provider.in_arena(arena);
            let identity = identity.in_arena(arena);
            // What is given at run time stands in the description's place, and is checked with it.
            let described = Provider {
                environment: identity.environment.or(provider.environment),
                base_url: identity.base_url.or(provider.base_url),
                ..*provider
            };
            if let Some(fact) = described.fault() {
                return Err(CoreError::invalid_provider(fact));
            }
            if provider.exposure == Exposure::ServerOnly && !allow_server_only {
                return Err(CoreError::server_only());
            }
            let slots = Slots::new(vec![0; access + refresh].into_boxed_slice(), access);
            let manager = TokenManager::with_options(instant(now), provider, identity, slots, seed, options)
                .map_err(|_| CoreError::invalid_provider("site"))?;
            Ok(Kept { provider, identity, manager })
        })?;
        Ok(Self { keeper: Mutex::new(keeper) })
    }

    /// Where [`CoreManager::begin`] would send a request that obtains a token without a refresh token.
    ///
    /// # Errors
    /// - [`CoreError::State`], `not_due`: the provider has no such grant.
    /// - [`CoreError::Input`], `bad_url`, and [`CoreError::NotAllowed`], `origin_not_allowed`.
    pub fn token_url(&self) -> Result<String, CoreError> {
        // Any credentials: no rule of the URL looks at them.
        let assertion = Assertion {
            random: *b"any random bytes",
            wall: UnixTime::from_secs(1),
            algorithm: Some(SignatureAlgorithm::EdDsa.core()),
            signature: Some(&[0; 64]),
            ..Assertion::default()
        };
        let credentials = Credentials {
            client_id: "-",
            client_secret: "-",
            username: "-",
            password: "-",
            bearer: "-",
            assertion: Some(&assertion),
        };
        self.with(|kept| {
            let grant = kept.provider.primary_grant.ok_or(Error::NotDue)?;
            let request = TokenRequest::new(kept.provider, kept.identity, grant, &credentials);
            Ok(sized(|out| request.write(out).map(|request| request.url().to_owned()))?)
        })
    }

    /// What to do at `now`. Changes nothing.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn poll(&self, now: u64) -> Result<PollRecord, CoreError> {
        self.with(|kept| {
            let poll = kept.manager.poll(instant(now));
            Ok(PollRecord {
                next: match poll.next {
                    Next::Nothing => TokenNext::Nothing,
                    Next::Request(grant) => TokenNext::Request { grant: TokenGrant::of(grant) },
                    Next::Await(RequestId(request_id)) => TokenNext::AwaitAnswer { request_id },
                    Next::Wait => TokenNext::Wait,
                    Next::Load(RequestId(id)) => TokenNext::Load { id },
                    Next::Store(RequestId(id), slot) => TokenNext::Store { id, slot },
                    Next::Supply(RequestId(id), reason) => {
                        TokenNext::Supply { id, reason: TokenReason::of(reason) }
                    }
                },
                usable: poll.usable,
                poll_at: poll.poll_at.map(Instant::as_millis),
                sign_in_by: kept.manager.sign_in_by().map(Instant::as_millis),
            })
        })
    }

    /// What a key of the client's signs for its next request; none if the provider wants no such signature.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `wrong_credentials`, `not_random`, `no_wall_clock`.
    /// - [`CoreError::Input`], `invalid_argument` for other than 16 random bytes.
    pub fn signing_input(
        &self,
        client_id: Option<String>,
        assertion: Option<AssertionRecord>,
    ) -> Result<Option<Vec<u8>>, CoreError> {
        let assertion = AssertionRecord::core(assertion.as_ref())?;
        let credentials = client(&client_id, &None, &None, assertion.as_ref());
        self.with(|kept| {
            match sized(|out| kept.manager.signing_input(&credentials, out).map(<[u8]>::to_vec)) {
                Err(Error::InvalidProvider) => Ok(None),
                signed => Ok(signed.map(Some)?),
            }
        })
    }

    /// Makes the request that [`CoreManager::poll`] asks for. `values` and `parameters` are name, value, name, value: what
    /// stands for `{name}` in the provider's parameters and header fields, and parameters beside the provider's.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `not_due`, `request_in_flight`, `wrong_credentials`, `not_random`, `no_wall_clock`,
    ///   `invalid_signature`.
    /// - [`CoreError::Input`], `duplicate_parameter`; `invalid_argument` for a name without a value, and for other than 16
    ///   random bytes.
    /// - [`CoreError::Input`], `bad_url`, and [`CoreError::NotAllowed`], `origin_not_allowed`: the token URL.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record of secrets would have to be wiped in three languages"
    )]
    pub fn begin(
        &self,
        now: u64,
        client_id: Option<String>,
        client_secret: Option<String>,
        username: Option<String>,
        password: Option<String>,
        bearer: Option<String>,
        assertion: Option<AssertionRecord>,
        values: Vec<String>,
        parameters: Vec<String>,
    ) -> Result<Arc<CoreRequest>, CoreError> {
        let (values, parameters) = (pairs(&values)?, pairs(&parameters)?);
        let assertion = AssertionRecord::core(assertion.as_ref())?;
        let additions = Additions { values: &values, parameters: &parameters };
        let credentials = Credentials {
            username: username.as_deref().unwrap_or_default(),
            password: password.as_deref().unwrap_or_default(),
            ..client(&client_id, &client_secret, &bearer, assertion.as_ref())
        };
        self.with(|kept| {
            Ok(sized(|out| {
                let (id, request) = kept.manager.begin_with(instant(now), &credentials, &additions, out)?;
                Ok(Arc::new(CoreRequest::of(id, &request)))
            })?)
        })
    }

    /// Reads the answer to a request and keeps its token. `headers` are name, value, name, value.
    ///
    /// # Errors
    /// The token that was good stays good.
    /// - [`CoreError::Input`]: why the answer is none; `invalid_argument` for a status above 65535 or a name
    ///   without a value: then the request is still out.
    /// - [`CoreError::Capacity`]: `too_long`, `refresh_token_too_long`.
    /// - [`CoreError::State`], `stale_request`.
    pub fn answer(
        &self,
        now: u64,
        request_id: u64,
        status: u32,
        headers: Vec<String>,
        body: Vec<u8>,
        wall: Option<u64>,
    ) -> Result<OutcomeRecord, CoreError> {
        self.with(|kept| {
            let headers = fields(&headers)?;
            let answer = answer_of(status, &headers, &body, wall)?;
            Ok(outcome_of(&kept.manager.answer(instant(now), RequestId(request_id), &answer)?))
        })
    }

    /// A request came to nothing.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn failed(&self, now: u64, request_id: u64) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.failed(instant(now), RequestId(request_id))?))
    }

    /// The token for a request of `method` to `url`: its generation, a space, the value of the `Authorization`
    /// field.
    ///
    /// # Errors
    /// - [`CoreError::Input`], `bad_url`.
    /// - [`CoreError::NotAllowed`]: `origin_not_allowed`, `unknown_route`, `route_needs_other_token`, `other_site`.
    /// - [`CoreError::State`], `not_usable`.
    pub fn authorize(&self, now: u64, method: String, url: String) -> Result<String, CoreError> {
        self.with(|kept| {
            let bearer = kept.manager.authorize(instant(now), &method, &url)?;
            let mut line = format!("{} ", bearer.generation().0).into_bytes();
            let start = line.len();
            line.resize(start + bearer.encoded_len(), 0);
            bearer.write(&mut line[start..])?;
            String::from_utf8(line).map_err(|_| CoreError::internal())
        })
    }

    /// The name of the field that [`CoreManager::authorize`] gives the value of.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn header_name(&self) -> Result<String, CoreError> {
        self.with(|kept| Ok(kept.provider.header().name.to_owned()))
    }

    /// Whether [`CoreManager::rejected`] is to be told of a status of the API: one that speaks of the token.
    ///
    /// # Errors
    /// [`CoreError::Input`], `invalid_argument`: a status above 65535.
    pub fn is_refusal(&self, status: u32) -> Result<bool, CoreError> {
        self.with(|kept| Ok(status == 403 || kept.provider.says_expired(status_of(status)?)))
    }

    /// A resource server refused a request that carried the token `generation`. `challenge` is the
    /// `WWW-Authenticate` field, several lines of it with a line feed between them.
    ///
    /// # Errors
    /// [`CoreError::Input`], `invalid_argument`: a status above 65535.
    pub fn rejected(
        &self,
        now: u64,
        generation: u64,
        status: u32,
        challenge: Option<String>,
    ) -> Result<RetryRecord, CoreError> {
        self.with(|kept| {
            let status = status_of(status)?;
            let challenge = challenge.as_deref().map(str::as_bytes);
            Ok(match kept.manager.rejected(instant(now), Generation(generation), status, challenge) {
                Retry::Now => RetryRecord::Now,
                Retry::AfterRefresh => RetryRecord::AfterRefresh,
                Retry::Surface { reason, retry_at } => RetryRecord::Surface {
                    reason: TokenReason::of(reason),
                    retry_at: retry_at.map(Instant::as_millis),
                },
            })
        })
    }

    /// Keeps a token that someone else obtained; its generation. `wall` is for a JWT without `expires_in`. Without an
    /// access token the refresh token is kept alone.
    ///
    /// # Errors
    /// The token that was good stays good.
    /// - [`CoreError::Input`]: `invalid_access_token`, `unsupported_token_type`, `missing_lifetime`,
    ///   `already_expired`.
    /// - [`CoreError::Capacity`]: `too_long`, `refresh_token_too_long`.
    #[uniffi::method(default(refresh_expires_in = None))]
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn install(
        &self,
        now: u64,
        wall: Option<u64>,
        access_token: String,
        token_type: Option<String>,
        expires_in: Option<u64>,
        refresh_token: Option<String>,
        refresh_expires_in: Option<u64>,
    ) -> Result<u64, CoreError> {
        let token = token_of(&access_token, token_type.as_deref(), expires_in, refresh_token.as_deref());
        let token = token.with_refresh_expires_in(refresh_expires_in.unwrap_or(0));
        self.with(|kept| Ok(kept.keep(now, wall, None, &token)?))
    }

    /// [`CoreManager::install`] of a JSON object with the members of RFC 6749 section 5.1, as a backend passes
    /// them on: flat, wherever the provider's own answers have them. `wall` is for a JWT without `expires_in`.
    ///
    /// # Errors
    /// As [`CoreManager::install`], and [`CoreError::Input`] for what is no such object.
    pub fn install_json(&self, now: u64, wall: Option<u64>, token: Vec<u8>) -> Result<u64, CoreError> {
        self.with(|kept| Ok(kept.keep_json(now, wall, None, &token)?))
    }

    /// [`CoreManager::install`] of what [`TokenNext::Supply`] asked for: it counts only for its id.
    ///
    /// # Errors
    /// As [`CoreManager::install`], and [`CoreError::State`], `stale_request`: somebody has signed out or in since.
    #[uniffi::method(default(refresh_expires_in = None))]
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn supplied(
        &self,
        now: u64,
        wall: Option<u64>,
        id: u64,
        access_token: String,
        token_type: Option<String>,
        expires_in: Option<u64>,
        refresh_token: Option<String>,
        refresh_expires_in: Option<u64>,
    ) -> Result<u64, CoreError> {
        let token = token_of(&access_token, token_type.as_deref(), expires_in, refresh_token.as_deref());
        let token = token.with_refresh_expires_in(refresh_expires_in.unwrap_or(0));
        self.with(|kept| Ok(kept.keep(now, wall, Some(id), &token)?))
    }

    /// [`CoreManager::install_json`] of what [`TokenNext::Supply`] asked for: it counts only for its id.
    ///
    /// # Errors
    /// As [`CoreManager::install_json`], and [`CoreError::State`], `stale_request`: somebody has signed out or in since.
    pub fn supplied_json(
        &self,
        now: u64,
        wall: Option<u64>,
        id: u64,
        token: Vec<u8>,
    ) -> Result<u64, CoreError> {
        self.with(|kept| Ok(kept.keep_json(now, wall, Some(id), &token)?))
    }

    /// [`TokenNext::Supply`] brought nothing. `retryable`: it may soon be otherwise.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn supply_failed(&self, now: u64, id: u64, retryable: bool) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.supply_failed(instant(now), RequestId(id), retryable)?))
    }

    /// A load, a store or a supply is being done: [`CoreManager::poll`] says [`TokenNext::AwaitAnswer`] in its place until
    /// its answer comes.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn took(&self, now: u64, id: u64) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.took(instant(now), RequestId(id))?))
    }

    /// Storage was read: what was in each of its places, empty ones too, in their order.
    ///
    /// # Errors
    /// But for the first two, the load has succeeded all the same, and nothing in storage was of use.
    /// - [`CoreError::State`], `stale_request`.
    /// - [`CoreError::Input`], `invalid_argument`: a key that has not 32 bytes, or only zeros.
    /// - [`CoreError::Input`]: `invalid_snapshot`, `other_snapshot_version`, `other_snapshot_key`, `foreign_snapshot`,
    ///   `stale_snapshot`.
    /// - [`CoreError::Capacity`]: `too_long`, `refresh_token_too_long`.
    pub fn loaded(
        &self,
        now: u64,
        wall: Option<u64>,
        id: u64,
        key: Vec<u8>,
        slots: Vec<Option<Vec<u8>>>,
    ) -> Result<FoundRecord, CoreError> {
        self.with(|kept| {
            let (wall, key) = (wall.map(UnixTime::from_secs), key_of(&key)?);
            let slots: Vec<Option<&[u8]>> = slots.iter().map(Option::as_deref).collect();
            Ok(FoundRecord::of(kept.manager.loaded(instant(now), wall, RequestId(id), key, &slots)?))
        })
    }

    /// Storage could not be read: it is locked, or a folder is missing. That it holds nothing is no failure.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn load_failed(&self, now: u64, id: u64) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.load_failed(instant(now), RequestId(id))?))
    }

    /// What [`TokenNext::Store`] is for, sealed under a key of 32 bytes: it goes to the place that was named. The tokens
    /// stand in it.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `stale_request`, `not_due`.
    /// - [`CoreError::Input`], `invalid_argument`: a key that has not 32 bytes, or only zeros.
    pub fn snapshot(&self, now: u64, wall: Option<u64>, id: u64, key: Vec<u8>) -> Result<Vec<u8>, CoreError> {
        self.with(|kept| {
            let (now, wall, key) = (instant(now), wall.map(UnixTime::from_secs), key_of(&key)?);
            Ok(sized(|out| kept.manager.snapshot(now, wall, RequestId(id), key, out).map(<[u8]>::to_vec))?)
        })
    }

    /// The snapshot is in its place.
    ///
    /// # Errors
    /// [`CoreError::State`]: `stale_request`; `not_due`, where no snapshot was written for it.
    pub fn stored(&self, now: u64, id: u64) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.stored(instant(now), RequestId(id))?))
    }

    /// The snapshot could not be written, or it is not known whether it was.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn store_failed(&self, now: u64, id: u64) -> Result<(), CoreError> {
        self.with(|kept| Ok(kept.manager.store_failed(instant(now), RequestId(id))?))
    }

    /// Read storage now, as an app does that comes to the foreground.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn reload(&self) -> Result<(), CoreError> {
        self.with(|kept| {
            kept.manager.reload();
            Ok(())
        })
    }

    /// The generation of the newest token; 0 before the first.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn generation(&self) -> Result<u64, CoreError> {
        self.with(|kept| Ok(kept.manager.generation().0))
    }

    /// The greatest revision that was written to storage, or found there; 0 without storage.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn revision(&self) -> Result<u64, CoreError> {
        self.with(|kept| Ok(kept.manager.revision().0))
    }

    /// Lifts a failure that waits for the caller.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn retry(&self) -> Result<(), CoreError> {
        self.with(|kept| {
            kept.manager.retry();
            Ok(())
        })
    }

    /// A refresh is due now; the token stays usable meanwhile.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn renew(&self) -> Result<(), CoreError> {
        self.with(|kept| {
            kept.manager.renew();
            Ok(())
        })
    }

    /// Signs out, and the request that ends the token at the service (RFC 7009), to be sent once it is stored that nobody
    /// is signed in; none if no token was held. `values` are name, value, name, value: what stands for `{name}` in the
    /// provider's parameters and header fields.
    ///
    /// # Errors
    /// It is signed out all the same, but for `invalid_argument` and [`CoreError::Internal`].
    /// - [`CoreError::State`]: `wrong_credentials`, `not_random`, `no_wall_clock`.
    /// - [`CoreError::Input`]: `invalid_provider`, it has no revocation path; `bad_url`; `invalid_argument` for a name
    ///   without a value, and for other than 16 random bytes; [`CoreError::NotAllowed`], `origin_not_allowed`.
    pub fn revoke(
        &self,
        client_id: Option<String>,
        client_secret: Option<String>,
        bearer: Option<String>,
        assertion: Option<AssertionRecord>,
        values: Vec<String>,
    ) -> Result<Option<Arc<CoreRequest>>, CoreError> {
        let (assertion, values) = (AssertionRecord::core(assertion.as_ref())?, pairs(&values)?);
        let credentials = client(&client_id, &client_secret, &bearer, assertion.as_ref());
        self.with(|kept| {
            Ok(sized(|out| {
                let request = kept.manager.revoke(&credentials, &values, out)?;
                Ok(request.map(|request| Arc::new(CoreRequest::of(RequestId(0), &request))))
            })?)
        })
    }

    /// Reads the answer to the request of [`CoreManager::revoke`].
    ///
    /// # Errors
    /// [`CoreError::Input`], `invalid_argument`: a status above 65535.
    pub fn revoked(&self, status: u32, body: Vec<u8>) -> Result<RevocationRecord, CoreError> {
        self.with(|kept| {
            Ok(match kept.manager.revoked(&answer_of(status, &[], &body, None)?.parsed()) {
                Revocation::Done => RevocationRecord::Done,
                Revocation::Later => RevocationRecord::Later,
                Revocation::Refused(error) => {
                    RevocationRecord::Refused { code: error.map(|error| text(error.error())) }
                }
            })
        })
    }

    /// Signs out: wipes the tokens.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn clear(&self) -> Result<(), CoreError> {
        self.with(|kept| {
            kept.manager.clear();
            Ok(())
        })
    }
}

impl CoreManager {
    /// [`CoreManager::authorize`] into `out`, which stays as it is where that fails: bytes written, generation.
    pub(crate) fn authorize_into(
        &self,
        now: u64,
        method: &str,
        url: &str,
        out: &mut [u8],
    ) -> Result<(usize, u64), CoreError> {
        self.with(|kept| {
            let bearer = kept.manager.authorize(instant(now), method, url)?;
            Ok((bearer.write(out)?.len(), bearer.generation().0))
        })
    }

    pub(crate) fn with<T>(
        &self,
        body: impl FnOnce(&mut Kept<'_>) -> Result<T, CoreError>,
    ) -> Result<T, CoreError> {
        locked(&self.keeper)?.with_dependent_mut(|_, kept| body(kept))
    }
}

impl Kept<'_> {
    /// Keeps a token that someone else obtained; with an id, only for that.
    fn keep(
        &mut self,
        now: u64,
        wall: Option<u64>,
        id: Option<u64>,
        token: &TokenResponse<'_>,
    ) -> Result<u64, Error> {
        let (now, wall) = (instant(now), wall.map(UnixTime::from_secs));
        let Generation(generation) = match id {
            Some(id) => self.manager.supplied(now, wall, RequestId(id), token)?,
            None => self.manager.install(now, wall, token)?,
        };
        Ok(generation)
    }

    fn keep_json(&mut self, now: u64, wall: Option<u64>, id: Option<u64>, json: &[u8]) -> Result<u64, Error> {
        match self.read_flat(json) {
            Ok(token) => self.keep(now, wall, id, &token),
            // What is no token moves the clock too, and an id that is stale is refused first.
            Err(error) => match self.keep(now, wall, id, &TokenResponse::new("")) {
                Err(Error::StaleRequest) => Err(Error::StaleRequest),
                _ => Err(error),
            },
        }
    }

    fn read_flat<'t>(&self, token: &'t [u8]) -> Result<TokenResponse<'t>, Error> {
        let flat = Provider { nested: Nested::NONE, members: INSTALLED, ..*self.provider };
        match token_answer(200, token, &flat)? {
            TokenAnswer::Token(token) => Ok(token),
            TokenAnswer::Error(_) => Err(Error::InvalidAccessToken),
        }
    }
}

/// A token request. It holds secrets, and is wiped with the last reference to it.
#[derive(uniffi::Object)]
pub struct CoreRequest {
    id: u64,
    method: &'static str,
    url: String,
    headers: Vec<String>,
    body: Option<Vec<u8>>,
}

impl CoreRequest {
    pub(crate) fn of(id: RequestId, request: &Request<'_>) -> Self {
        Self {
            id: id.0,
            method: request.method(),
            url: request.url().to_owned(),
            headers: request
                .headers()
                .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
                .collect(),
            body: (!request.body().is_empty()).then(|| request.body().to_vec()),
        }
    }
}

#[uniffi::export]
impl CoreRequest {
    /// What [`CoreManager::answer`] or [`CoreManager::failed`] is told.
    ///
    /// # Errors
    /// None.
    pub fn id(&self) -> Result<u64, CoreError> {
        Ok(self.id)
    }

    /// The method.
    ///
    /// # Errors
    /// None.
    pub fn method(&self) -> Result<String, CoreError> {
        Ok(self.method.to_owned())
    }

    /// The URL.
    ///
    /// # Errors
    /// None.
    pub fn url(&self) -> Result<String, CoreError> {
        Ok(self.url.clone())
    }

    /// The header fields: name, value, name, value.
    ///
    /// # Errors
    /// None.
    pub fn headers(&self) -> Result<Vec<String>, CoreError> {
        Ok(self.headers.clone())
    }

    /// The body, where there is one.
    ///
    /// # Errors
    /// None.
    pub fn body(&self) -> Result<Option<Vec<u8>>, CoreError> {
        Ok(self.body.clone())
    }
}

/// What a client presents.
pub(crate) fn client<'c>(
    id: &'c Option<String>,
    secret: &'c Option<String>,
    bearer: &'c Option<String>,
    assertion: Option<&'c Assertion<'c>>,
) -> Credentials<'c> {
    let [client_id, client_secret, bearer] = [id, secret, bearer].map(|it| it.as_deref().unwrap_or_default());
    Credentials { client_id, client_secret, bearer, assertion, ..Credentials::default() }
}

pub(crate) const fn instant(now: u64) -> Instant {
    Instant::from_millis(now)
}

pub(crate) const fn scope(all: bool) -> SnapshotScope {
    if all { SnapshotScope::All } else { SnapshotScope::RefreshToken }
}

fn token_of<'t>(
    access_token: &'t str,
    token_type: Option<&'t str>,
    expires_in: Option<u64>,
    refresh_token: Option<&'t str>,
) -> TokenResponse<'t> {
    let token = TokenResponse::new(access_token)
        .with_token_type(token_type.unwrap_or_default())
        .with_refresh_token(refresh_token.unwrap_or_default());
    match expires_in {
        Some(seconds) => token.with_expires_in(seconds),
        None => token,
    }
}

pub(crate) fn outcome_of(outcome: &Outcome<'_>) -> OutcomeRecord {
    match outcome {
        Outcome::Token(Generation(generation)) => OutcomeRecord::Token { generation: *generation },
        Outcome::Error(response) => OutcomeRecord::Error {
            code: text(response.error()),
            description: response.error_description().map(text),
            uri: response.error_uri().map(text),
        },
    }
}

/// Writes into a buffer of the size that a first try without room asks for, and wipes it.
pub(crate) fn sized<T>(mut write: impl FnMut(&mut [u8]) -> Result<T, Error>) -> Result<T, Error> {
    match write(&mut []) {
        Err(Error::BufferTooSmall { needed }) => {
            let mut out = vec![0; needed];
            let written = write(&mut out);
            tokenward::wipe(&mut out);
            written
        }
        written => written,
    }
}

/// Header fields: name, value, name, value.
pub(crate) fn fields(headers: &[String]) -> Result<Vec<(&str, &[u8])>, CoreError> {
    Ok(pairs(headers)?.into_iter().map(|(name, value)| (name, value.as_bytes())).collect())
}

pub(crate) fn answer_of<'b, 'h>(
    status: u32,
    headers: &'h [(&'h str, &'h [u8])],
    body: &'b [u8],
    wall: Option<u64>,
) -> Result<Answer<'b, 'h>, CoreError> {
    Ok(Answer { status: status_of(status)?, headers, body, wall: wall.map(UnixTime::from_secs) })
}

/// Name, value, name, value.
pub(crate) fn pairs(list: &[String]) -> Result<Vec<(&str, &str)>, CoreError> {
    let (pairs, []) = list.as_chunks() else { return Err(CoreError::invalid_argument()) };
    Ok(pairs.iter().map(|[name, value]| (name.as_str(), value.as_str())).collect())
}

pub(crate) fn status_of(status: u32) -> Result<u16, CoreError> {
    u16::try_from(status).map_err(|_| CoreError::invalid_argument())
}

pub(crate) fn key_of(key: &[u8]) -> Result<&[u8; 32], CoreError> {
    let is_filled = |key: &&[u8; 32]| key.iter().fold(0, |seen, byte| seen | byte) != 0;
    key.try_into().ok().filter(is_filled).ok_or_else(CoreError::invalid_argument)
}

fn text(text: JsonStr<'_>) -> String {
    String::from_utf8_lossy(&text.bytes().collect::<Vec<_>>()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{TokenPreset, preset_provider};

    #[test]
    fn after_a_panic_a_manager_answers_nothing_else() {
        let provider = preset_provider(TokenPreset::FluteSandbox);
        let identity = TokenIdentity::default();
        let manager = CoreManager::new(0, provider, identity, 64, 64, 0, true, None).expect("a manager");
        let bug = catch_unwind(AssertUnwindSafe(|| manager.with::<()>(|_| panic!("a bug"))));
        assert!(bug.is_err());
        assert_eq!(manager.poll(1), Err(CoreError::internal()));
        assert_eq!(manager.clear(), Err(CoreError::internal()));
        assert_eq!(manager.authorize_into(1, "GET", "", &mut []), Err(CoreError::internal()));
        assert_eq!(
            manager.install(2, None, "token".to_owned(), None, None, None, None),
            Err(CoreError::internal())
        );
    }
}
