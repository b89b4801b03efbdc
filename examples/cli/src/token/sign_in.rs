//! `--sign-in`: a person signs in, in a browser of this machine or with a code on another one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokenward::grants::{AuthorizationCode, Callback, DeviceAuthorization, DeviceNext, DeviceOutcome};
use tokenward::wire::retry_after;
use tokenward::{Error, Outcome, ParsedAnswer};

use super::holder::{Holder, Sent, cannot_begin, shown};
use crate::clock;
use crate::credentials::{Ask, Presented, random, withhold_secrets};
use crate::failure::{Failure, Status};
use crate::http::Reply;
use crate::paint::harmless;

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// In a browser of this machine
    Browser,
    /// With a code that is entered on another one
    Device,
}

/// A person who has not signed in by then will not.
const PATIENCE: Duration = Duration::from_secs(600);
/// Room for the codes of a device, as the service sends them.
const CODES: usize = 8 << 10;

impl Holder<'_> {
    /// Has a person sign in. Then [`Holder::sync`], then use.
    pub(crate) fn sign_in(&mut self, way: Way) -> Result<(), Failure> {
        let presented = self.sources.read(self.provider, Ask::Prompt)?;
        match way {
            Way::Browser => self.sign_in_by_browser(&presented),
            Way::Device => self.sign_in_by_device(&presented),
        }
    }

    fn sign_in_by_browser(&mut self, presented: &Presented) -> Result<(), Failure> {
        let cannot = |what: &str, error: &dyn std::fmt::Display| {
            Failure::unavailable(format!("cannot {what} for the browser: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| cannot("listen", &e))?;
        let port = listener.local_addr().map_err(|e| cannot("listen", &e))?.port();
        let origin = format!("http://127.0.0.1:{port}");
        let redirect_uri = format!("{origin}/callback");
        let mut random = random()?;
        let refused = |error: Error| cannot_begin(error, self.provider);
        let mut sign_in = AuthorizationCode::new(random, &redirect_uri).map_err(refused)?;
        tokenward::wipe(&mut random);
        let mut out = vec![0; 64 << 10];
        let url = sign_in.url(&self.manager, &presented.credentials(), &mut out).map_err(refused)?;
        crate::cli::complain(&format!("sign in at {url}"));
        open(url);
        let url = callback(&listener, &origin, |url| match sign_in.callback(&self.manager, url) {
            Ok(Callback::Code(_)) => Said::Code,
            Ok(Callback::Error(error)) => Said::Error(shown(error.error().bytes())),
            Err(error) => Said::Nothing(error),
        })?;
        let signed = self.signed(presented)?;
        let assertion = signed.assertion();
        let credentials = presented.asserting(&assertion);
        let request = sign_in.begin_by_callback(
            clock::now(),
            &self.manager,
            &credentials,
            &presented.values(),
            &url,
            &mut out,
        );
        let request = request.map_err(|error| cannot_begin(error, self.provider))?;
        let reply = self.http.exchange(&request);
        tokenward::wipe(&mut out);
        let reply = reply.map_err(Failure::unavailable)?;
        let sent = match sign_in.answer(clock::now(), &mut self.manager, &parsed(&reply)) {
            Ok(Outcome::Token(_)) => return Ok(()),
            Ok(Outcome::Error(error)) => Sent::error(&error, reply.status),
            Err(reason) => Sent::Refused { reason, status: reply.status },
        };
        Err(Failure::new(sent.status(), format!("{}: sign in again", sent.said())))
    }

    fn sign_in_by_device(&mut self, presented: &Presented) -> Result<(), Failure> {
        let mut device = DeviceAuthorization::new(vec![0; CODES]);
        device.start_with_random(clock::now(), &random()?);
        let mut out = vec![0; 64 << 10];
        let mut last = None;
        loop {
            let now = clock::now();
            let poll = device.poll(now, &self.manager);
            match poll.next {
                DeviceNext::Show => {
                    let (uri, code) = (harmless(device.verification_uri()), harmless(device.user_code()));
                    let end = poll.poll_at.map_or(0, |at| at.saturating_millis_since(now) / 1000);
                    crate::cli::complain(&format!(
                        "sign in at {uri} with the code {code}, within {}",
                        crate::paint::span(end)
                    ));
                    device.shown(now, &self.manager);
                }
                DeviceNext::Request => {
                    let signed = self.signed(presented)?;
                    let assertion = signed.assertion();
                    let credentials = presented.asserting(&assertion);
                    let begun = device.begin(now, &self.manager, &credentials, &presented.values(), &mut out);
                    let (id, request) = begun.map_err(|error| cannot_begin(error, self.provider))?;
                    let reply = self.http.exchange(&request);
                    tokenward::wipe(&mut out);
                    let now = clock::now();
                    last = Some(match &reply {
                        Err(why) => {
                            let failed = device.failed(now, &self.manager, id);
                            debug_assert_eq!(failed, Ok(()));
                            Sent::Nothing(why.clone())
                        }
                        Ok(reply) => match device.answer(now, &mut self.manager, id, &parsed(reply)) {
                            Ok(DeviceOutcome::Code | DeviceOutcome::Token(_)) => Sent::Token,
                            Ok(DeviceOutcome::Error(error)) => Sent::error(&error, reply.status),
                            Err(reason) => Sent::Refused { reason, status: reply.status },
                        },
                    });
                    // Nothing is known of a person yet: a service that is down is named at once.
                    if device.user_code().is_empty() && !matches!(last, Some(Sent::Token)) {
                        break;
                    }
                }
                DeviceNext::Wait | DeviceNext::Await => {
                    let until = poll.poll_at.map_or(1000, |at| at.saturating_millis_since(now));
                    thread::sleep(Duration::from_millis(until));
                }
                DeviceNext::Done => return Ok(()),
                DeviceNext::Off | DeviceNext::Expired | DeviceNext::Denied => break,
            }
        }
        let said = last.as_ref().map_or("the code has expired".to_owned(), Sent::said);
        let status = last.as_ref().map_or(Status::Error, Sent::status);
        let status = if status == Status::Ok { Status::Error } else { status };
        Err(Failure::new(status, format!("{said}: sign in again")))
    }
}

fn parsed(reply: &Reply) -> ParsedAnswer<'_> {
    let wall = clock::wall();
    let retry_after = reply.field("retry-after").and_then(|field| retry_after(&field, wall).ok());
    ParsedAnswer { status: reply.status, retry_after, body: &reply.body, wall }
}

/// Shows a URL in a browser, if there is one that can be asked.
fn open(url: &str) {
    const USUAL: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let browser = std::env::var_os("BROWSER").unwrap_or_else(|| USUAL.into());
    let mut command = Command::new(browser);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    withhold_secrets(&mut command);
    // Whoever has none opens the URL that was told.
    drop(command.spawn());
}

/// What a callback says.
enum Said {
    Code,
    /// The service's code.
    Error(String),
    /// It is not ours.
    Nothing(Error),
}

/// Waits for the callback, and shows whoever comes a page: the whole URL.
fn callback(
    listener: &TcpListener,
    origin: &str,
    mut read: impl FnMut(&str) -> Said,
) -> Result<String, Failure> {
    const LOOK: Duration = Duration::from_millis(50);
    listener.set_nonblocking(true)?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let Ok((mut browser, _)) = listener.accept() else {
            thread::sleep(LOOK);
            continue;
        };
        // What cannot be read is nobody's browser.
        let Some(target) = target(&mut browser) else { continue };
        let url = format!("{origin}{target}");
        match read(&url) {
            Said::Code => {
                page(&mut browser, "200 OK", "You have signed in. You may close this window.");
                return Ok(url);
            }
            Said::Error(code) => {
                page(&mut browser, "200 OK", "You have not signed in. You may close this window.");
                return Err(Failure::new(
                    Status::Error,
                    format!("the service answered {code}: sign in again"),
                ));
            }
            Said::Nothing(error) => {
                if error != Error::OtherRedirectUri {
                    crate::cli::complain(&format!("a callback is refused: {}", error.name()));
                }
                page(&mut browser, "404 Not Found", "Nobody waits for this.");
            }
        }
    }
    Err(Failure::new(Status::Error, "nobody has signed in: try again"))
}

/// What a browser asks for.
fn target(browser: &mut TcpStream) -> Option<String> {
    const MOST: usize = 32 << 10;
    browser.set_nonblocking(false).ok()?;
    browser.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = Vec::new();
    let mut some = [0; 4096];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = browser.read(&mut some).ok().filter(|read| *read > 0)?;
        head.extend_from_slice(some.get(..read)?);
        if head.len() > MOST {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    (method == "GET" && target.starts_with('/')).then(|| target.to_owned())
}

fn page(browser: &mut TcpStream, status: &str, said: &str) {
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>tokenward</title><p>{said}</p></html>\n"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A browser that has left misses nothing.
    drop(browser.write_all(answer.as_bytes()));
}
