//! A token's life in static memory: canned answers in, headers out. No allocator is linked: this program
//! has neither std nor alloc, so there is none to link.
//!
//! `cargo run --release` shows it on the host; `cargo build --release --target thumbv7em-none-eabi` makes the image
//! of a Cortex-M (`qemu-system-arm -M mps2-an386 -semihosting -nographic -kernel …` runs it).
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use tokenward::storage::{Found, Storage};
use tokenward::{
    Answer, Credentials, Error, Grant, Identity, Instant, Next, Options, Outcome, Provider, RefreshPolicy,
    Retry, Slots, UnixTime, providers,
};
use tokenward_no_alloc::{ACCESS, Manager, REFRESH, Step, manager, step};

const CREDENTIALS: Credentials<'static> = Credentials {
    client_id: "id",
    client_secret: "secret",
    username: "",
    password: "",
    bearer: "",
    assertion: None,
};

/// Of the device's own, written at production to flash that cannot be read out.
const KEY: [u8; 32] = *b"an example's key, which is none.";

const URL: &str = "https://sandbox.api.flute.com/v2/transactions";

/// When the loop wakes, and what the token endpoint answers then.
const ANSWERS: [(u64, Grant, u16, &[u8]); 3] = [
    (
        0,
        Grant::ClientCredentials,
        200,
        br#"{"access_token":"one","refresh_token":"r1","token_type":"Bearer","expires_in":3600}"#,
    ),
    (2_880_000, Grant::RefreshToken, 503, b"<html>maintenance</html>"),
    (
        3_235_000,
        Grant::RefreshToken,
        200,
        br#"{"access_token":"two","refresh_token":"r2","token_type":"Bearer","expires_in":3600}"#,
    ),
];

/// The preset without its spread, so that the instants above are exact.
static PROVIDER: Provider<'static> = Provider { policy: Some(&POLICY), ..providers::FLUTE_SANDBOX };
static POLICY: RefreshPolicy = RefreshPolicy { jitter_permille: 0, ..RefreshPolicy::DEFAULT };

/// Flash that may tear a write has two slots: the one that is not written over stays good. A real one erases a page and
/// reads it back; this one is RAM.
#[derive(Default)]
struct Flash {
    slots: [Option<Slot>; 2],
}

/// A snapshot in a page.
#[derive(Clone, Copy)]
struct Slot {
    bytes: [u8; 512],
    length: usize,
}

impl Slot {
    fn written(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}

/// Does what `poll` says about storage: it decides when, and into which slot.
fn load_and_store(manager: &mut Manager, flash: &mut Flash, now: Instant) -> Result<(), Error> {
    // The time of day, as far as this device knows it.
    let wall = Some(UnixTime::from_secs(1_700_000_000 + now.as_millis() / 1000));
    loop {
        match manager.poll(now).next {
            Next::Load(id) => {
                let slots = flash.slots.each_ref().map(|slot| slot.as_ref().and_then(Slot::written));
                let found = manager.loaded(now, wall, id, &KEY, &slots);
                say(&["  load: ", found.map_or_else(Error::name, Found::name)]);
            }
            Next::Store(id, at) => {
                let mut slot = Slot { bytes: [0; 512], length: 0 };
                slot.length = manager.snapshot(now, wall, id, &KEY, &mut slot.bytes)?.len();
                if let Some(page) = flash.slots.get_mut(usize::from(at)) {
                    *page = Some(slot);
                }
                manager.stored(now, id)?;
                say(&["  stored in slot ", if at == 0 { "0" } else { "1" }]);
            }
            _ => return Ok(()),
        }
    }
}

fn life() -> Result<(), Error> {
    let options = Options { storage: Some(Storage { slots: 2, ..Storage::OWN }), ..Options::default() };
    let manager = manager(Instant::from_millis(0), &PROVIDER, Identity::CLIENT, 0, options)?;
    let mut flash = Flash::default();
    let (mut request, mut header) = ([0; 512], [0; 128]);
    for (at, expected, status, body) in ANSWERS {
        let now = Instant::from_millis(at);
        load_and_store(manager, &mut flash, now)?;
        let Step::Send(id, grant, sent) = step(manager, now, &CREDENTIALS, &mut request)? else {
            return Err(Error::NotDue);
        };
        if grant != expected {
            return Err(Error::NotDue);
        }
        say(&["POST ", sent.url(), " ", grant.name()]);
        let answer = Answer { status, headers: &[], body, wall: None };
        match manager.answer(now, id, &answer) {
            Ok(Outcome::Token(_)) => say(&["  a token"]),
            Ok(Outcome::Error(_)) => say(&["  an error response"]),
            Err(error) => say(&["  refused: ", error.name(), "; the token that was good stays good"]),
        }
        load_and_store(manager, &mut flash, now)?;
        let bearer = manager.authorize(now, "GET", URL)?;
        let written = bearer.write(&mut header)?;
        // A real program sends it; this one shows that it has the right length.
        let as_expected = written.len() == "Bearer one".len();
        say(&["  GET ", URL, if as_expected { " with the header" } else { " with another header" }]);
    }
    // A reset: a new manager takes what the flash holds.
    let later = Instant::from_millis(3_300_000);
    let slots = Slots::new([0; ACCESS + REFRESH], ACCESS);
    let mut reset = Manager::with_options(later, &PROVIDER, Identity::CLIENT, slots, 0, options)?;
    load_and_store(&mut reset, &mut flash, later)?;
    if !reset.poll(later).usable {
        return Err(Error::NotUsable);
    }
    // A 401 long after the token came: it has ended, a refresh is due.
    let generation = manager.generation();
    match manager.rejected(later, generation, 401, None) {
        Retry::AfterRefresh => say(&["401: again after a refresh"]),
        Retry::Now | Retry::Surface { .. } => return Err(Error::NotUsable),
    }
    tokenward::wipe(&mut request);
    tokenward::wipe(&mut header);
    Ok(())
}

/// 0 where each step went as it must.
fn run() -> i32 {
    match life() {
        Ok(()) => {
            say(&["done, with a manager of static bytes and no allocator"]);
            0
        }
        Err(error) => {
            say(&["failed: ", error.name()]);
            1
        }
    }
}

#[cfg(not(target_os = "none"))]
mod platform {
    /// Prints a line on standard output.
    pub(super) fn say(parts: &[&str]) {
        for part in parts.iter().chain(&["\n"]) {
            // SAFETY: the pointer and the length are those of a live string.
            unsafe { libc::write(1, part.as_ptr().cast(), part.len()) };
        }
    }

    #[unsafe(no_mangle)]
    extern "C" fn main() -> i32 {
        super::run()
    }

    // The C start-up code, which std would bring along.
    #[link(name = "c")]
    unsafe extern "C" {}
}

#[cfg(target_os = "none")]
mod platform {
    use cortex_m_semihosting::{debug, hio};

    /// Prints a line on the debugger's console.
    pub(super) fn say(parts: &[&str]) {
        if let Ok(mut out) = hio::hstdout() {
            for part in parts.iter().chain(&["\n"]) {
                let _ = out.write_all(part.as_bytes());
            }
        }
    }

    #[cortex_m_rt::entry]
    fn main() -> ! {
        let status = if super::run() == 0 { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE };
        loop {
            debug::exit(status);
        }
    }
}

use platform::say;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
