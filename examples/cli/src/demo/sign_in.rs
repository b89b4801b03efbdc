//! A person signs in: with a code on another device, and in a browser.

use serde_json::json;
use tokenward::grants::{AuthorizationCode, Callback, DeviceAuthorization, DeviceNext, DeviceOutcome};
use tokenward::{Error, Instant, Outcome, ParsedAnswer, Reason};
use tokenward_demo_service::{Fault, Person, Service};

use super::keeper::Keeper;
use super::timeline::{Event, Timeline};
use crate::credentials::random;
use crate::failure::Failure;
use crate::http::Reply;

/// Where a token comes from that no grant obtains.
pub(super) struct SignIns<'s> {
    pub(super) service: &'s Service,
    /// An endpoint of the API that the token opens.
    pub(super) path: &'s str,
}

/// A device authorization, and what is asked for in it.
struct Device {
    flow: DeviceAuthorization<Vec<u8>>,
    /// When the last answer came.
    answered: Instant,
}

impl Device {
    fn next(&self, keeper: &Keeper<'_>) -> DeviceNext {
        self.flow.poll(keeper.now(), &keeper.manager).next
    }

    /// How long the last answer has it wait.
    fn wait_ms(&self, keeper: &Keeper<'_>) -> Option<u64> {
        let poll = self.flow.poll(self.answered, &keeper.manager);
        poll.poll_at
            .filter(|_| poll.next == DeviceNext::Wait)
            .map(|at| at.saturating_millis_since(self.answered))
    }

    /// Waits as long as that, and sends the request that is due then: what came of it.
    fn ask(&mut self, keeper: &mut Keeper<'_>, line: &Timeline) -> String {
        if let Some(at) = self.flow.poll(keeper.now(), &keeper.manager).poll_at {
            keeper.wait_until(at, line, "the device asks at intervals");
        }
        let mut out = vec![0; 16 << 10];
        let now = keeper.now();
        let (id, request) =
            match self.flow.begin(now, &keeper.manager, &keeper.held.credentials(), &[], &mut out) {
                Ok(begun) => begun,
                Err(error) => return error.name().to_owned(),
            };
        keeper.tell_request(&request, "device", line);
        let reply = keeper.http.exchange(&request);
        tokenward::wipe(&mut out);
        self.answered = keeper.now();
        let Ok(reply) = reply else {
            line.event(&keeper.name, Event::Failed, "no answer", json!({}));
            let spent = self.flow.failed(self.answered, &keeper.manager, id);
            debug_assert_eq!(spent, Ok(()));
            return "no_answer".to_owned();
        };
        let answer = parsed(&reply);
        match self.flow.answer(self.answered, &mut keeper.manager, id, &answer) {
            Ok(DeviceOutcome::Code) => "code".to_owned(),
            Ok(DeviceOutcome::Token(_)) => "token".to_owned(),
            Ok(DeviceOutcome::Error(error)) => {
                let code: Vec<u8> = error.error().bytes().collect();
                let code = String::from_utf8_lossy(&code).into_owned();
                line.event(
                    &keeper.name,
                    Event::Wait,
                    &format!("{}: {code}", reply.status),
                    json!({ "error": code }),
                );
                code
            }
            Err(error) => error.name().to_owned(),
        }
    }

    /// Somebody presses a button; the code is shown.
    fn start(&mut self, keeper: &mut Keeper<'_>, line: &Timeline) -> bool {
        self.flow.start(keeper.now());
        let got = self.ask(keeper, line) == "code" && self.next(keeper) == DeviceNext::Show;
        let text = format!("shows {} for {}", self.flow.user_code(), self.flow.verification_uri());
        line.event(&keeper.name, Event::Supply, &text, json!({ "user_code": self.flow.user_code() }));
        self.flow.shown(self.answered, &keeper.manager);
        got && !self.flow.user_code().is_empty()
    }
}

impl SignIns<'_> {
    pub(super) fn by_device(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        line.chapter("A code that a device shows");
        let mut device = Device { flow: DeviceAuthorization::new(vec![0; 512]), answered: keeper.now() };
        let asks = keeper.run(line).next.reason() == Some(Reason::NoToken);
        line.expect(
            "without a grant the core asks for a person, and for no code by itself",
            asks && device.next(keeper) == DeviceNext::Off,
        );
        line.expect("on a command the service gives a code to show", device.start(keeper, line));
        line.expect("the first question waits for one interval", device.wait_ms(keeper) == Some(1000));
        line.expect("nobody has entered it yet", device.ask(keeper, line) == "authorization_pending");
        line.expect("which is no end: it waits for another interval", device.wait_ms(keeper) == Some(1000));
        self.service.fault(Fault::Disconnect);
        line.expect("an answer is lost", device.ask(keeper, line) == "no_answer");
        line.expect("which is none either, but it waits twice as long", device.wait_ms(keeper) == Some(2000));
        self.service.device_interval(5);
        line.expect("the service says slow_down", device.ask(keeper, line) == "slow_down");
        line.expect("which makes every interval five seconds longer", device.wait_ms(keeper) == Some(6000));
        line.expect("nobody has entered it yet", device.ask(keeper, line) == "authorization_pending");
        line.expect("the next one is as long", device.wait_ms(keeper) == Some(6000));
        self.person(Person::Approves, line);
        line.expect("whoever enters the code signs in", device.ask(keeper, line) == "token");
        line.expect(
            "and the codes are forgotten",
            device.next(keeper) == DeviceNext::Done && device.flow.user_code().is_empty(),
        );
        let _ = keeper.sync(line);
        line.expect("the token is stored", keeper.stored().is_some());
        line.expect("the API accepts it", keeper.opens(self.path, line));

        self.service.device_interval(1);
        for (person, how) in [(Person::Denies, "denied"), (Person::Waits, "expired")] {
            self.person(person, line);
            let shown = device.start(keeper, line);
            let end = if person == Person::Denies {
                device.ask(keeper, line) == "access_denied" && device.next(keeper) == DeviceNext::Denied
            } else {
                keeper.wait_for(600, line, "nobody enters the code");
                device.next(keeper) == DeviceNext::Expired
            };
            line.expect(&format!("a code that is {how} ends it, and the token of before is good"), {
                shown && end && keeper.opens(self.path, line)
            });
        }
        let sent = self.service.log().len();
        keeper.wait_for(60, line, "nobody asks");
        let same = device.next(keeper) == DeviceNext::Expired && self.service.log().len() == sent;
        line.expect("a code that expired unseen is not replaced", same);
    }

    pub(super) fn by_browser(&self, keeper: &mut Keeper<'_>, line: &Timeline) -> Result<(), Failure> {
        const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";
        line.chapter("A browser, and a code with PKCE");
        keeper.sign_out(line);
        line.expect(
            "whoever signs out has no token",
            keeper.run(line).next.reason() == Some(Reason::NoToken),
        );
        self.person(Person::Approves, line);
        let mut one = self.sign_in(keeper, REDIRECT_URI)?;
        let url = authorization_url(&one, keeper)?;
        let client_secret = keeper.held.client_secret.clone();
        line.expect(
            "the URL has a challenge and a state, and no secret",
            url.contains("&code_challenge_method=S256")
                && url.contains("&state=")
                && !url.contains("verifier")
                && !url.contains(&client_secret),
        );
        let back = self.browse(&url, keeper, line);
        line.expect("the browser comes back with a code", back.starts_with(&format!("{REDIRECT_URI}?code=")));
        let state = parameter(&url, "state");
        let sent = self.service.log().len();
        for (what, forged, error) in [
            ("another redirect URI", back.replace("/callback", "/other"), Error::OtherRedirectUri),
            ("another state", back.replace(state, "AAAAAAAAAAAAAAAAAAAAAA"), Error::OtherState),
            ("a parameter that stands twice", format!("{back}&code=another"), Error::DuplicateParameter),
        ] {
            let refused = one.callback(&keeper.manager, &forged).err() == Some(error);
            line.expect(&format!("a callback with {what} is refused"), refused);
        }
        line.expect("nothing of that reached the network", self.service.log().len() == sent);
        let verifies = present(&mut one, &back, keeper, line);
        line.expect("and it changed nothing: the code brings a token", verifies == "token");
        let _ = keeper.sync(line);
        line.expect("the API accepts it", keeper.opens(self.path, line));
        let again = one.callback(&keeper.manager, &back).err();
        line.expect("a callback that is delivered again is nobody's", again == Some(Error::StaleRequest));

        let mut two = self.sign_in(keeper, REDIRECT_URI)?;
        let url = authorization_url(&two, keeper)?;
        let replayed = back.replace(state, parameter(&url, "state"));
        let refused = present(&mut two, &replayed, keeper, line);
        line.expect("a code that was used brings nothing", refused == "invalid_grant");
        line.expect("and the token of before is good", keeper.opens(self.path, line));

        self.person(Person::Denies, line);
        let mut three = self.sign_in(keeper, REDIRECT_URI)?;
        let back = self.browse(&authorization_url(&three, keeper)?, keeper, line);
        let denied = matches!(
            three.callback(&keeper.manager, &back),
            Ok(Callback::Error(error)) if error.error().bytes().eq("access_denied".bytes())
        );
        line.expect("whoever says no sends an error back", denied);
        let over = three.callback(&keeper.manager, &back).err();
        line.expect("which ends it", over == Some(Error::StaleRequest));
        Ok(())
    }

    fn person(&self, person: Person, line: &Timeline) {
        self.service.person(person);
        line.event("person", Event::Service, &format!("{person:?}").to_lowercase(), json!({}));
    }

    fn sign_in<'u>(
        &self,
        keeper: &Keeper<'_>,
        redirect_uri: &'u str,
    ) -> Result<AuthorizationCode<'u>, Failure> {
        let mut random = random()?;
        let sign_in = AuthorizationCode::new(random, redirect_uri);
        tokenward::wipe(&mut random);
        sign_in.map_err(|error| Failure::usage(format!("{}: {error}", keeper.provider.name)))
    }

    /// The browser, which the service sends where it came from.
    fn browse(&self, url: &str, keeper: &Keeper<'_>, line: &Timeline) -> String {
        let path = url.split('?').next().unwrap_or_default();
        let reply = keeper.http.send("GET", url, std::iter::empty(), b"");
        let text =
            format!("the browser opens {}", path.strip_prefix(self.service.base_url()).unwrap_or(path));
        line.event("person", Event::Call, &text, json!({}));
        let location = reply.ok().and_then(|reply| reply.field("location"));
        location.and_then(|location| String::from_utf8(location).ok()).unwrap_or_default()
    }
}

fn authorization_url(sign_in: &AuthorizationCode<'_>, keeper: &Keeper<'_>) -> Result<String, Failure> {
    let mut out = vec![0; 4 << 10];
    let url = sign_in.url(&keeper.manager, &keeper.held.credentials(), &mut out).map(str::to_owned);
    url.map_err(|error| Failure::usage(format!("{}: {error}", keeper.provider.name)))
}

/// Presents the code of a callback: what came of it.
fn present(
    sign_in: &mut AuthorizationCode<'_>,
    callback: &str,
    keeper: &mut Keeper<'_>,
    line: &Timeline,
) -> String {
    let mut out = vec![0; 16 << 10];
    let credentials = keeper.held.credentials();
    let request =
        match sign_in.begin_by_callback(keeper.now(), &keeper.manager, &credentials, &[], callback, &mut out)
        {
            Ok(request) => request,
            Err(error) => return error.name().to_owned(),
        };
    keeper.tell_request(&request, "authorization_code", line);
    let reply = keeper.http.exchange(&request);
    tokenward::wipe(&mut out);
    let Ok(reply) = reply else { return "no_answer".to_owned() };
    let answer = parsed(&reply);
    match sign_in.answer(keeper.now(), &mut keeper.manager, &answer) {
        Ok(Outcome::Token(_)) => "token".to_owned(),
        Ok(Outcome::Error(error)) => error.code().name().to_owned(),
        Err(error) => error.name().to_owned(),
    }
}

fn parsed(reply: &Reply) -> ParsedAnswer<'_> {
    ParsedAnswer { status: reply.status, retry_after: None, body: &reply.body, wall: None }
}

fn parameter<'u>(url: &'u str, name: &str) -> &'u str {
    let of = |pair: &&str| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    let pair = url.split(['?', '&']).find(of).unwrap_or_default();
    pair.split_once('=').map_or("", |(_, value)| value)
}
