//! What obtains the first token of a person, behind locks of their own.

use std::sync::{Arc, Mutex};

use self_cell::self_cell;
use tokenward::grants::{AuthorizationCode, Callback, DeviceAuthorization, DeviceNext, DeviceOutcome};
use tokenward::storage::HmacSha256;
use tokenward::wire::FormStr;
use tokenward::{Credentials, Instant, Outcome, RequestId, UnixTime};

use crate::error::locked;
use crate::manager::{AssertionRecord, answer_of, client, fields, instant, key_of, outcome_of, pairs, sized};
use crate::{CoreError, CoreManager, CoreRequest, OutcomeRecord};

/// Bytes of memory for codes at most.
const MAX_CODES: u32 = 1024 * 1024;

self_cell!(
    /// A sign-in and the text that it borrows: its redirect URI, or what was stored of it.
    struct Text {
        owner: Vec<u8>,
        #[covariant]
        dependent: AuthorizationCode,
    }
);

/// One sign-in in a browser (RFC 6749 section 4.1, RFC 7636): [`AuthorizationCode`] behind a lock.
#[derive(uniffi::Object)]
pub struct CoreSignIn {
    sign_in: Mutex<Text>,
}

/// What the browser came back with.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum CallbackRecord {
    /// A code: [`CoreSignIn::begin`] sends it.
    Code {
        /// The code, a secret.
        code: String,
    },
    /// The service or the person said no, in its own words.
    Error {
        /// The code as the server spelled it.
        code: String,
        /// A text for developers.
        description: Option<String>,
        /// A page about it.
        uri: Option<String>,
    },
}

#[uniffi::export]
impl CoreSignIn {
    /// A sign-in that comes back to `redirect_uri`. `random` are 32 bytes that nobody can predict, used once.
    ///
    /// # Errors
    /// - [`CoreError::Input`]: `invalid_argument`, not 32 bytes; `bad_url`.
    /// - [`CoreError::State`], `not_random`; [`CoreError::NotAllowed`], `origin_not_allowed`.
    #[uniffi::constructor]
    pub fn new(random: Vec<u8>, redirect_uri: String) -> Result<Self, CoreError> {
        let random = random.try_into().map_err(|_| CoreError::invalid_argument())?;
        let sign_in = Text::try_new(redirect_uri.into_bytes(), |uri| {
            AuthorizationCode::new(random, core::str::from_utf8(uri).unwrap_or_default())
        })?;
        Ok(Self { sign_in: Mutex::new(sign_in) })
    }

    /// A sign-in that was stored before a restart. Delete what is refused.
    ///
    /// # Errors
    /// - [`CoreError::Input`]: `invalid_argument`, a key that has not 32 bytes, or only zeros; `invalid_snapshot`,
    ///   `other_snapshot_version`, `other_snapshot_key`, `foreign_snapshot`.
    /// - [`CoreError::State`]: `no_wall_clock`, `sign_in_expired`.
    #[uniffi::constructor]
    pub fn resumed(
        manager: Arc<CoreManager>,
        wall: Option<u64>,
        key: Vec<u8>,
        stored: Vec<u8>,
    ) -> Result<Self, CoreError> {
        let sign_in = Text::try_new(stored, |stored| {
            manager.with(|kept| {
                let (key, wall) = (key_of(&key)?, wall.map(UnixTime::from_secs));
                Ok(AuthorizationCode::open(&kept.manager, wall, &HmacSha256, key, stored)?)
            })
        })?;
        Ok(Self { sign_in: Mutex::new(sign_in) })
    }

    /// The URL to open in a browser.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `not_due`, `wrong_credentials`.
    /// - [`CoreError::Input`]: `invalid_provider`, `bad_url`; [`CoreError::NotAllowed`], `origin_not_allowed`.
    pub fn url(&self, manager: Arc<CoreManager>, client_id: Option<String>) -> Result<String, CoreError> {
        let credentials =
            Credentials { client_id: client_id.as_deref().unwrap_or_default(), ..Credentials::default() };
        self.with(&manager, |sign_in, kept| {
            let write = |out: &mut [u8]| sign_in.url(&kept.manager, &credentials, out).map(str::to_owned);
            Ok(sized(write)?)
        })
    }

    /// What survives a restart, sealed under a key of 32 bytes and as secret as a token. Store it before the browser is
    /// opened, and delete it before the code is sent: [`CoreSignIn::deleted`].
    ///
    /// # Errors
    /// - [`CoreError::State`]: `not_due`, `no_wall_clock`.
    /// - [`CoreError::Input`], `invalid_argument`: a key that has not 32 bytes, or only zeros.
    pub fn seal(
        &self,
        manager: Arc<CoreManager>,
        wall: Option<u64>,
        key: Vec<u8>,
    ) -> Result<Vec<u8>, CoreError> {
        self.with(&manager, |sign_in, kept| {
            let (key, wall) = (key_of(&key)?, wall.map(UnixTime::from_secs));
            let write =
                |out: &mut [u8]| sign_in.seal(&kept.manager, wall, &HmacSha256, key, out).map(<[u8]>::to_vec);
            Ok(sized(write)?)
        })
    }

    /// What was stored of it is gone: its code may be sent.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn deleted(&self) -> Result<(), CoreError> {
        locked(&self.sign_in)?.with_dependent_mut(|_, sign_in| sign_in.deleted());
        Ok(())
    }

    /// Reads the whole URL that the browser came back with. What is refused changes nothing: wait for the right one.
    ///
    /// # Errors
    /// - [`CoreError::Input`]: `other_redirect_uri`, `bad_url`, `other_state`, `other_issuer`, `invalid_callback`.
    /// - [`CoreError::State`]: `stale_request`, `duplicate_parameter`.
    pub fn callback(&self, manager: Arc<CoreManager>, url: String) -> Result<CallbackRecord, CoreError> {
        self.with(&manager, |sign_in, kept| {
            Ok(match sign_in.callback(&kept.manager, &url)? {
                Callback::Code(code) => CallbackRecord::Code { code: text(code.text()) },
                Callback::Error(error) => CallbackRecord::Error {
                    code: text(error.error()),
                    description: error.error_description().map(text),
                    uri: error.error_uri().map(text),
                },
            })
        })
    }

    /// The request that presents the code of the callback `url`, once. Its id is 0: the sign-in knows its answer. `values`
    /// are name, value, name, value: what stands for `{name}` in the provider's parameters and header fields.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `not_due`, what was stored is not deleted, or a code was sent; `wrong_credentials`,
    ///   `not_random`, `no_wall_clock`.
    /// - As [`CoreSignIn::callback`] and [`CoreManager::begin`].
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn begin(
        &self,
        now: u64,
        manager: Arc<CoreManager>,
        client_id: Option<String>,
        client_secret: Option<String>,
        bearer: Option<String>,
        assertion: Option<AssertionRecord>,
        values: Vec<String>,
        url: String,
    ) -> Result<Arc<CoreRequest>, CoreError> {
        let (assertion, values) = (AssertionRecord::core(assertion.as_ref())?, pairs(&values)?);
        let credentials = client(&client_id, &client_secret, &bearer, assertion.as_ref());
        self.with(&manager, |sign_in, kept| {
            let begin = |out: &mut [u8]| {
                let (now, manager) = (instant(now), &kept.manager);
                let request = sign_in.begin_by_callback(now, manager, &credentials, &values, &url, out)?;
                Ok(Arc::new(CoreRequest::of(RequestId(0), &request)))
            };
            Ok(sized(begin)?)
        })
    }

    /// Reads the answer to that request. Its token is kept; either way the sign-in is over.
    ///
    /// # Errors
    /// As [`CoreManager::answer`].
    pub fn answer(
        &self,
        now: u64,
        manager: Arc<CoreManager>,
        status: u32,
        body: Vec<u8>,
        wall: Option<u64>,
    ) -> Result<OutcomeRecord, CoreError> {
        self.with(&manager, |sign_in, kept| {
            let answer = answer_of(status, &[], &body, wall)?.parsed();
            Ok(outcome_of(&sign_in.answer(instant(now), &mut kept.manager, &answer)?))
        })
    }
}

impl CoreSignIn {
    fn with<T>(
        &self,
        manager: &CoreManager,
        body: impl FnOnce(&mut AuthorizationCode<'_>, &mut crate::manager::Kept<'_>) -> Result<T, CoreError>,
    ) -> Result<T, CoreError> {
        locked(&self.sign_in)?.with_dependent_mut(|_, sign_in| manager.with(|kept| body(sign_in, kept)))
    }
}

/// A device authorization (RFC 8628): [`DeviceAuthorization`] behind a lock.
#[derive(uniffi::Object)]
pub struct CoreDevice {
    device: Mutex<DeviceAuthorization<Box<[u8]>>>,
}

/// What a device authorization asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenDeviceNext {
    /// Nobody has started it.
    Off,
    /// Show the user code and where to enter it, then say so.
    Show,
    /// Send a request.
    Request,
    /// A request is out.
    Await,
    /// Wait until it is time for the next request.
    Wait,
    /// The person has signed in, and the manager holds the token.
    Done,
    /// The code has expired.
    Expired,
    /// The person or the service has said no.
    Denied,
}

same! {
    TokenDeviceNext = grants::DeviceNext { Off, Show, Request, Await, Wait, Done, Expired, Denied }
}

/// The snake_case name, the same in every language.
#[uniffi::export]
#[must_use]
pub fn device_next_name(next: TokenDeviceNext) -> String {
    let next: DeviceNext = next.core();
    next.name().to_owned()
}

/// What to do, and what to show.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct DevicePollRecord {
    /// What the caller is to do.
    pub next: TokenDeviceNext,
    /// When this changes by itself, in milliseconds; never, if there is none.
    pub poll_at: Option<u64>,
    /// The code to show; empty if there is none.
    pub user_code: String,
    /// Where to enter it.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good.
    pub expires_at: Option<u64>,
}

/// What an answer to a request of a device authorization was.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum DeviceOutcomeRecord {
    /// There is a code to show.
    Code,
    /// A token, or an error.
    Outcome {
        /// Which.
        outcome: OutcomeRecord,
    },
}

#[uniffi::export]
impl CoreDevice {
    /// One that nobody has started, with so many bytes of memory for the codes: 1024 will do as a rule.
    ///
    /// # Errors
    /// [`CoreError::Input`], `invalid_argument`: more than 1 MiB.
    #[uniffi::constructor]
    pub fn new(memory: u32) -> Result<Self, CoreError> {
        if memory > MAX_CODES {
            return Err(CoreError::invalid_argument());
        }
        let memory = vec![0; memory as usize].into_boxed_slice();
        Ok(Self { device: Mutex::new(DeviceAuthorization::new(memory)) })
    }

    /// Somebody wants to sign in: a code is asked for, in place of the one before. `random` are 32 bytes that nobody can
    /// predict, used once.
    ///
    /// # Errors
    /// - [`CoreError::Input`]: there are not 32 bytes.
    /// - [`CoreError::Internal`].
    pub fn start(&self, now: u64, random: Vec<u8>) -> Result<(), CoreError> {
        let random = random.try_into().map_err(|_| CoreError::invalid_argument())?;
        self.with(|device| {
            device.start_with_random(instant(now), &random);
            Ok(())
        })
    }

    /// Nobody wants to sign in any more.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn cancel(&self) -> Result<(), CoreError> {
        self.with(|device| {
            device.cancel();
            Ok(())
        })
    }

    /// What to do at `now`, and what to show. Changes nothing.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn poll(&self, now: u64, manager: Arc<CoreManager>) -> Result<DevicePollRecord, CoreError> {
        self.with(|device| {
            manager.with(|kept| {
                let poll = device.poll(instant(now), &kept.manager);
                Ok(DevicePollRecord {
                    next: TokenDeviceNext::of(poll.next),
                    poll_at: poll.poll_at.map(Instant::as_millis),
                    user_code: device.user_code().to_owned(),
                    verification_uri: device.verification_uri().to_owned(),
                    verification_uri_complete: device.verification_uri_complete().map(str::to_owned),
                    expires_at: device.expires_at().map(Instant::as_millis),
                })
            })
        })
    }

    /// The code is shown: from now on the service is asked.
    ///
    /// # Errors
    /// [`CoreError::Internal`] alone.
    pub fn shown(&self, now: u64, manager: Arc<CoreManager>) -> Result<(), CoreError> {
        self.with(|device| {
            manager.with(|kept| {
                device.shown(instant(now), &kept.manager);
                Ok(())
            })
        })
    }

    /// The request that [`CoreDevice::poll`] asks for. `values` are name, value, name, value: what stands for `{name}` in
    /// the provider's parameters and header fields.
    ///
    /// # Errors
    /// - [`CoreError::State`]: `not_due`, `request_in_flight`, `wrong_credentials`, `not_random`, `no_wall_clock`.
    /// - [`CoreError::Input`]: `invalid_provider`, `bad_url`; [`CoreError::NotAllowed`], `origin_not_allowed`.
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn begin(
        &self,
        now: u64,
        manager: Arc<CoreManager>,
        client_id: Option<String>,
        client_secret: Option<String>,
        bearer: Option<String>,
        assertion: Option<AssertionRecord>,
        values: Vec<String>,
    ) -> Result<Arc<CoreRequest>, CoreError> {
        let (assertion, values) = (AssertionRecord::core(assertion.as_ref())?, pairs(&values)?);
        let credentials = client(&client_id, &client_secret, &bearer, assertion.as_ref());
        self.with(|device| {
            manager.with(|kept| {
                let begin = |out: &mut [u8]| {
                    let (id, request) =
                        device.begin(instant(now), &kept.manager, &credentials, &values, out)?;
                    Ok(Arc::new(CoreRequest::of(id, &request)))
                };
                Ok(sized(begin)?)
            })
        })
    }

    /// Reads the answer to a request. `headers` are name, value, name, value.
    ///
    /// # Errors
    /// Whatever is refused is trouble and ends nothing, but for `stale_request`.
    /// - [`CoreError::Capacity`], `buffer_too_small`: the codes do not fit into the memory.
    /// - [`CoreError::Input`], `invalid_device_authorization`; as [`CoreManager::answer`].
    #[expect(clippy::too_many_arguments, reason = "both languages name their arguments")]
    pub fn answer(
        &self,
        now: u64,
        manager: Arc<CoreManager>,
        request_id: u64,
        status: u32,
        headers: Vec<String>,
        body: Vec<u8>,
        wall: Option<u64>,
    ) -> Result<DeviceOutcomeRecord, CoreError> {
        let headers = fields(&headers)?;
        self.with(|device| {
            manager.with(|kept| {
                let answer = answer_of(status, &headers, &body, wall)?.parsed();
                let (now, id) = (instant(now), RequestId(request_id));
                let outcome = match device.answer(now, &mut kept.manager, id, &answer)? {
                    DeviceOutcome::Code => return Ok(DeviceOutcomeRecord::Code),
                    DeviceOutcome::Token(generation) => Outcome::Token(generation),
                    DeviceOutcome::Error(error) => Outcome::Error(error),
                };
                Ok(DeviceOutcomeRecord::Outcome { outcome: outcome_of(&outcome) })
            })
        })
    }

    /// A request came to nothing.
    ///
    /// # Errors
    /// [`CoreError::State`], `stale_request`.
    pub fn failed(&self, now: u64, manager: Arc<CoreManager>, request_id: u64) -> Result<(), CoreError> {
        self.with(|device| {
            manager.with(|kept| Ok(device.failed(instant(now), &kept.manager, RequestId(request_id))?))
        })
    }
}

impl CoreDevice {
    fn with<T>(
        &self,
        body: impl FnOnce(&mut DeviceAuthorization<Box<[u8]>>) -> Result<T, CoreError>,
    ) -> Result<T, CoreError> {
        body(&mut *locked(&self.device)?)
    }
}

fn text(text: FormStr<'_>) -> String {
    String::from_utf8_lossy(&text.bytes().collect::<Vec<_>>()).into_owned()
}
