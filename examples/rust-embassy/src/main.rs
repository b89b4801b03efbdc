//! A device loses its power at each write to its flash in turn, and again soon after it is back. It must always come back
//! by itself with the refresh token that it has, and never sign in anew: the service takes a refresh token until its
//! successor was used, so that nothing need be lost.
//!
//! `cargo run --release` on the host; `cargo build --release --target thumbv7em-none-eabi` makes a Cortex-M's image,
//! which `qemu-system-arm -M mps2-an386 -semihosting -nographic -kernel …` runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::cell::Cell;
use core::fmt::Write as _;

use embassy_executor::Spawner;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use sequential_storage::map::MapConfig;
use tokenward::{Credentials, Error, Instant, Provider, RefreshPolicy, Request, providers};
use tokenward_embassy::{Device, Service, Turn};

static PROVIDER: Provider<'static> = Provider { policy: Some(&POLICY), ..providers::FLUTE_SANDBOX };
static POLICY: RefreshPolicy = RefreshPolicy { jitter_permille: 0, ..RefreshPolicy::DEFAULT };
const CREDENTIALS: Credentials<'static> = Credentials {
    client_id: "id",
    client_secret: "secret",
    username: "",
    password: "",
    bearer: "",
    assertion: None,
};
const KEY: [u8; 32] = *b"an example's key, which is none.";

const PAGE: usize = 1024;
const PAGES: usize = 3;
const WORD: usize = 4;

/// Tokens of each life.
const TOKENS: u32 = 8;

/// So many words are written, or pages erased, until the power goes: the last one is done by half. `None` is never.
struct Power(Cell<Option<u32>>);

impl Power {
    fn is_off(&self) -> bool {
        self.0.get() == Some(0)
    }

    /// How much of a step that has `size` bytes is done.
    fn step(&self, size: usize) -> usize {
        match self.0.get() {
            None => size,
            Some(left) => {
                self.0.set(Some(left.saturating_sub(1)));
                match left {
                    0 => 0,
                    1 => size / 2,
                    _ => size,
                }
            }
        }
    }

    fn check(&self) -> Result<(), Dark> {
        if self.is_off() { Err(Dark) } else { Ok(()) }
    }
}

/// There is no power.
#[derive(Debug)]
struct Dark;

impl NorFlashError for Dark {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

struct Flash<'p> {
    bytes: [u8; PAGE * PAGES],
    power: &'p Power,
}

impl ErrorType for Flash<'_> {
    type Error = Dark;
}

impl ReadNorFlash for Flash<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Dark> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        self.power.check()
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash<'_> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Dark> {
        for page in self.bytes[from as usize..to as usize].chunks_mut(PAGE) {
            let erased = self.power.step(PAGE);
            page[..erased].fill(0xff);
        }
        self.power.check()
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Dark> {
        for (there, new) in self.bytes[offset as usize..].chunks_mut(WORD).zip(bytes.chunks(WORD)) {
            let written = self.power.step(WORD);
            for (there, new) in there.iter_mut().zip(new).take(written) {
                *there &= new;
            }
        }
        self.power.check()
    }
}

/// A service that rotates refresh tokens, and takes one until its successor was used.
#[derive(Default)]
struct Rotating {
    /// The newest refresh token's number.
    newest: u32,
    signed_in: u32,
    refused: u32,
}

impl Service for Rotating {
    async fn send(&mut self, request: &Request<'_>, body: &mut [u8]) -> Option<(u16, usize)> {
        let form = core::str::from_utf8(request.body()).ok()?;
        let presented = form.split('&').find_map(|part| part.strip_prefix("refresh_token=r"));
        let mut out = Line { bytes: body, len: 0 };
        match presented.map(str::parse::<u32>) {
            Some(Ok(number)) if number == self.newest => self.newest += 1,
            Some(Ok(number)) if number + 1 == self.newest => {}
            Some(_) => {
                self.refused += 1;
                out.write_str(r#"{"error":"invalid_grant"}"#).ok()?;
                return Some((400, out.len));
            }
            None => {
                self.signed_in += 1;
                self.newest += 1;
            }
        }
        let number = self.newest;
        write!(
            out,
            r#"{{"access_token":"a{number}","refresh_token":"r{number}","token_type":"Bearer","expires_in":3600}}"#
        )
        .ok()?;
        Some((200, out.len))
    }
}

/// Text in a buffer.
struct Line<'b> {
    bytes: &'b mut [u8],
    len: usize,
}

impl core::fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// From power to power, or until there are so many tokens more: whether a snapshot was written whole.
async fn live(flash: &mut Flash<'_>, service: &mut Rotating) -> Result<bool, &'static str> {
    let (power, until) = (flash.power, service.newest + TOKENS);
    let map = MapConfig::new(0..(PAGE * PAGES) as u32);
    let mut device = Device::new(&PROVIDER, CREDENTIALS, flash, map, 7, KEY).map_err(Error::name)?;
    let (mut now, mut kept) = (Instant::from_millis(0), false);
    for _ in 0..200 {
        let turn = device.turn(now, service).await.map_err(Error::name)?;
        kept |= turn == Turn::Stored;
        match turn {
            _ if power.is_off() => return Ok(kept),
            Turn::Again | Turn::Stored => {}
            Turn::Sleep(_) if service.newest >= until => return Ok(kept),
            Turn::Sleep(Some(then)) => now = then,
            Turn::Sleep(None) | Turn::Stuck(_) => return Err("it waits for ever"),
        }
    }
    Err("it gets no further")
}

/// Three lives: the power goes after `cuts` steps of the first two. Whether it was on at the end of the first.
async fn lives(cuts: [Option<u32>; 2]) -> Result<bool, &'static str> {
    let power = Power(Cell::new(None));
    let mut flash = Flash { bytes: [0xff; PAGE * PAGES], power: &power };
    let mut service = Rotating::default();
    let (mut kept, mut went_on) = (false, false);
    for (life, cut) in cuts.into_iter().chain([None]).enumerate() {
        let signed_in = service.signed_in;
        power.0.set(cut);
        let keeps = live(&mut flash, &mut service).await?;
        if kept && service.signed_in > signed_in {
            return Err("it signed in, though a snapshot was there");
        }
        kept |= keeps;
        went_on |= life == 0 && !power.is_off();
    }
    match service.refused {
        0 => Ok(went_on),
        _ => Err("it presented a refresh token that was used"),
    }
}

/// The power goes at each step in turn, until there are no more, and at each of the first steps of the life after.
async fn run() -> Result<u32, (u32, u32, &'static str)> {
    let again = if cfg!(target_os = "none") { 1 } else { 40 };
    let mut runs = 0;
    for first in 1.. {
        let mut went_on = false;
        for second in 0..again {
            let cuts = [Some(first), (second > 0).then_some(second)];
            went_on = lives(cuts).await.map_err(|why| (first, second, why))?;
            runs += 1;
        }
        if went_on {
            break;
        }
    }
    Ok(runs)
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let done = run().await;
    match done {
        Ok(runs) => {
            say(format_args!("{runs} times without power: no snapshot and no refresh token was lost"))
        }
        Err((first, second, why)) => say(format_args!("cut after {first} steps, then after {second}: {why}")),
    }
    exit(done.is_ok());
}

#[cfg(not(target_os = "none"))]
mod platform {
    pub(super) fn say(what: core::fmt::Arguments<'_>) {
        println!("{what}");
    }

    pub(super) fn exit(well: bool) -> ! {
        std::process::exit(i32::from(!well));
    }
}

#[cfg(target_os = "none")]
mod platform {
    use core::fmt::Write as _;

    use cortex_m_semihosting::{debug, hio};

    pub(super) fn say(what: core::fmt::Arguments<'_>) {
        if let Ok(mut out) = hio::hstdout() {
            let _ = writeln!(out, "{what}");
        }
    }

    pub(super) fn exit(well: bool) -> ! {
        loop {
            debug::exit(if well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
        }
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        exit(false)
    }
}

use platform::{exit, say};
