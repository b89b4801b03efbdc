//! A token's manager with its snapshots in flash: what a task of embassy does for it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use tokenward::storage::Storage;
use tokenward::{
    Answer, Credentials, Error, Identity, Instant, Next, Options, Provider, Reason, Request, Slots,
    SnapshotScope, TokenManager,
};

/// Bytes for the access token, for the refresh token, and for a snapshot of the latter.
const ACCESS: usize = 512;
const REFRESH: usize = 128;
const SNAPSHOT: usize = 512;

/// Two slots: a write that is torn leaves the other one whole.
const SLOTS: usize = 2;

/// The network: whatever HTTP client the device has. It follows no redirect and sends nothing a second time.
#[expect(async_fn_in_trait, reason = "one executor, and no thread to send it to")]
pub trait Service {
    /// Sends a request: the status and how many bytes of `body` are the answer's, or nothing if none came.
    async fn send(&mut self, request: &Request<'_>, body: &mut [u8]) -> Option<(u16, usize)>;
}

/// What the task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The next turn, at once.
    Again,
    /// The same: the newest snapshot is in the flash.
    Stored,
    /// Sleep until then: `Timer::at` of embassy-time.
    Sleep(Option<Instant>),
    /// Somebody must act.
    Stuck(Reason),
}

/// A manager and its flash.
pub struct Device<F: NorFlash> {
    manager: TokenManager<'static, [u8; ACCESS + REFRESH]>,
    flash: MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>,
    credentials: Credentials<'static>,
    key: [u8; 32],
}

impl<F: NorFlash> Device<F> {
    /// A device that has just started; `key` is its own, random and not to be read out.
    ///
    /// # Errors
    /// Those of [`TokenManager::with_options`].
    pub fn new(
        provider: &'static Provider<'static>,
        credentials: Credentials<'static>,
        flash: F,
        map: MapConfig<F>,
        seed: u64,
        key: [u8; 32],
    ) -> Result<Self, Error> {
        let storage = Storage { slots: SLOTS as u8, stored: SnapshotScope::RefreshToken, ..Storage::OWN };
        let options = Options { storage: Some(storage), ..Options::default() };
        let slots = Slots::new([0; ACCESS + REFRESH], ACCESS);
        let start = Instant::from_millis(0);
        let manager = TokenManager::with_options(start, provider, Identity::CLIENT, slots, seed, options)?;
        Ok(Self { manager, flash: MapStorage::new(flash, map, Cache::new_uncached()), credentials, key })
    }

    /// The manager, for `authorize` and `rejected`.
    pub fn manager(&mut self) -> &mut TokenManager<'static, [u8; ACCESS + REFRESH]> {
        &mut self.manager
    }

    /// Does one thing that `poll` says.
    ///
    /// # Errors
    /// Those of [`TokenManager::begin`].
    pub async fn turn(&mut self, now: Instant, service: &mut impl Service) -> Result<Turn, Error> {
        let poll = self.manager.poll(now);
        match poll.next {
            Next::Load(id) => {
                let mut pages = [[0; SNAPSHOT]; SLOTS];
                let mut slots = [None; SLOTS];
                let mut read = true;
                for ((number, slot), page) in (0..).zip(&mut slots).zip(&mut pages) {
                    match self.flash.fetch_item::<&[u8]>(page, &number).await {
                        Ok(found) => *slot = found,
                        Err(_) => read = false,
                    }
                }
                // What is stored and of no use is passed over.
                if !read || self.manager.loaded(now, None, id, &self.key, &slots).is_err() {
                    let _ = self.manager.load_failed(now, id);
                }
            }
            Next::Store(id, slot) => {
                let (mut snapshot, mut page) = ([0; SNAPSHOT], [0; SNAPSHOT]);
                let stored = match self.manager.snapshot(now, None, id, &self.key, &mut snapshot) {
                    Ok(snapshot) => self.flash.store_item(&mut page, &slot, &snapshot).await.is_ok(),
                    Err(_) => false,
                };
                if stored {
                    self.manager.stored(now, id)?;
                    return Ok(Turn::Stored);
                }
                self.manager.store_failed(now, id)?;
            }
            Next::Request(_) => {
                let (mut out, mut body) = ([0; 512], [0; 1024]);
                let (id, request) = self.manager.begin(now, &self.credentials, &mut out)?;
                let answer = service.send(&request, &mut body).await;
                let taken = answer.and_then(|(status, len)| Some((status, body.get(..len)?)));
                match taken {
                    Some((status, body)) => {
                        let answer = Answer { status, headers: &[], body, wall: None };
                        // What is refused counts as an answer: `poll` says when to try again.
                        let _ = self.manager.answer(now, id, &answer);
                    }
                    None => self.manager.failed(now, id)?,
                }
                tokenward::wipe(&mut out);
                tokenward::wipe(&mut body);
            }
            Next::Supply(_, reason) => return Ok(Turn::Stuck(reason)),
            _ => return Ok(Turn::Sleep(poll.poll_at)),
        }
        Ok(Turn::Again)
    }
}
