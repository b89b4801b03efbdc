//! A token's life in static memory: canned answers in, headers out. No allocator is linked: this program
//! has neither std nor alloc, so there is none to link.
//!
//! `cargo run --release` shows it on the host; `cargo build --release --target thumbv7em-none-eabi` makes the image
//! of a Cortex-M (`qemu-system-arm -M mps2-an386 -semihosting -nographic -kernel …` runs it).
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use tokenward::{
    Answer, Credentials, Error, Grant, Identity, Instant, Outcome, Provider, RefreshPolicy, Retry, providers,
};
use tokenward_no_alloc::{Step, manager, step};

const CREDENTIALS: Credentials<'static> =
    Credentials { client_id: "id", client_secret: "secret", username: "", password: "", bearer: "" };

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

fn life() -> Result<(), Error> {
    let manager = manager(Instant::from_millis(0), &PROVIDER, Identity::CLIENT, 0)?;
    let (mut request, mut header) = ([0; 512], [0; 128]);
    for (at, expected, status, body) in ANSWERS {
        let now = Instant::from_millis(at);
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
        let bearer = manager.authorize(now, "GET", URL)?;
        let written = bearer.write(&mut header)?;
        // A real program sends it; this one shows that it has the right length.
        let as_expected = written.len() == "Bearer one".len();
        say(&["  GET ", URL, if as_expected { " with the header" } else { " with another header" }]);
    }
    // A 401 long after the token came: it has ended, a refresh is due.
    let later = Instant::from_millis(3_300_000);
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
