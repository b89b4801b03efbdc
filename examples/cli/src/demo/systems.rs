//! The five systems: the preset with nothing but its addresses changed, and what happens to it.

use std::sync::Arc;

use serde_json::json;
use tokenward::parts::LoopbackHttp;
use tokenward::{Error, Identity, Provider, Reason, TokenResponse, providers};
use tokenward_demo_service::{Clock, Config, Environment as ServiceEnvironment, Kind, Service};

use super::chapters::Scene;
use super::clock::DemoClock;
use super::keeper::Keeper;
use super::sign_in::SignIns;
use super::timeline::{Event, Tally, Timeline};
use crate::credentials::Presented;
use crate::failure::Failure;
use crate::paint::span;

/// One system: its service, started, and its part of the timeline.
struct Stage {
    service: Service,
    clock: Arc<DemoClock>,
    speed: f64,
    line: Timeline,
}

impl Stage {
    fn open(kind: Kind, title: &str, speed: Option<f64>, json: bool) -> Result<Self, Failure> {
        let clock = Arc::new(DemoClock::new());
        let shared = Arc::clone(&clock);
        let config = Config { clock: Clock::from_fn(move || shared.unix()), ..Config::default() };
        let service = Service::start(kind, config)
            .map_err(|error| Failure::unavailable(format!("cannot start {kind} on 127.0.0.1: {error}")))?;
        let speed = speed.unwrap_or(kind.lifetime_s() as f64 / SECONDS_OF_A_LIFETIME);
        let line = Timeline::new(kind.name(), json, Arc::clone(&clock));
        let lifetime = span(kind.lifetime_s());
        let passes = kind.lifetime_s() as f64 / speed;
        let about = format!("at {}; a lifetime of {lifetime} passes in {passes:.1} s", service.base_url());
        line.title(title, &about, json!({ "base_url": service.base_url(), "speed": speed }));
        Ok(Self { service, clock, speed, line })
    }

    fn keeper<'p>(
        &self,
        name: &str,
        provider: &'p Provider<'p>,
        site: Option<&'p str>,
        api: &'p str,
    ) -> Result<Keeper<'p>, Failure> {
        let held = Presented::from(self.service.credentials());
        let identity = Identity { base_url: Some(api), site, ..Identity::CLIENT };
        Keeper::new(name, provider, identity, api, held, &self.clock, self.speed)
    }

    fn finish(self) -> Result<Tally, Failure> {
        Ok(self.line.finish()?)
    }
}

/// A preset on loopback, where one origin is the token service and the API.
fn local(preset: &Provider<'static>) -> Provider<'static> {
    Provider { api_origins: None, loopback_http: Some(LoopbackHttp::ALLOWED), ..*preset }
}

/// Real time for one lifetime of a token where `--speed` says nothing.
const SECONDS_OF_A_LIFETIME: f64 = 0.4;

pub(super) fn play(kind: Kind, speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    match kind {
        Kind::FlipUtility => flip_utility(speed, json),
        Kind::FlipEnergy => flip_energy(speed, json),
        Kind::Flume => flume(speed, json),
        Kind::Opower => opower(speed, json),
        Kind::Flute => flute(speed, json),
    }
}

fn flip_utility(speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    let stage = Stage::open(Kind::FlipUtility, "Flip Utility", speed, json)?;
    let base_url = stage.service.base_url().to_owned();
    let client = local(&providers::FLIP_UTILITY_SANDBOX);
    let api_key = local(&providers::FLIP_UTILITY_API_KEY_SANDBOX);
    let mut keeper = stage.keeper("client", &client, None, &base_url)?;
    let mut key_keeper = stage.keeper("api key", &api_key, None, &base_url)?;
    let line = &stage.line;
    let scene = Scene {
        service: &stage.service,
        path: "/v1/programs",
        lifetime_s: Kind::FlipUtility.lifetime_s(),
        rotates: false,
    };
    scene.first_token(&mut keeper, line);
    scene.refresh_ahead(&mut keeper, line);
    scene.refused_by_api(&mut keeper, line);
    scene.unavailable(&mut keeper, false, line);
    scene.broken_answers(&mut keeper, line);
    scene.restart(&mut keeper, line)?;
    scene.secret_rotated(&mut keeper, line);

    line.chapter("The static API key");
    line.expect(
        "without a key the core asks for one",
        key_keeper.sync(line).next.reason() == Some(Reason::NoToken),
    );
    let key = key_keeper.held.bearer.clone();
    let installed = key_keeper.install(&TokenResponse::new(&key), line);
    line.expect("the key is installed", installed.is_ok());
    scene.static_token_revoked(&mut key_keeper, "API key", "fl_0123456789abcdef01234567", line);
    stage.finish()
}

fn opower(speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    let stage = Stage::open(Kind::Opower, "Oracle Utilities Opower", speed, json)?;
    let base_url = stage.service.base_url().to_owned();
    let provider = local(&providers::OPOWER);
    let mut keeper = stage.keeper("client", &provider, None, &base_url)?;
    let line = &stage.line;
    let path = "/apis/customer-data-v2/UTIL/customers/1/utility_accounts";
    let scene =
        Scene { service: &stage.service, path, lifetime_s: Kind::Opower.lifetime_s(), rotates: false };
    scene.first_token(&mut keeper, line);
    scene.refresh_ahead(&mut keeper, line);
    scene.refused_by_api(&mut keeper, line);
    scene.unavailable(&mut keeper, true, line);
    scene.broken_answers(&mut keeper, line);
    scene.restart(&mut keeper, line)?;
    scene.secret_rotated(&mut keeper, line);
    stage.finish()
}

fn flume(speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    let stage = Stage::open(Kind::Flume, "Flume", speed, json)?;
    let base_url = stage.service.base_url().to_owned();
    let provider = local(&providers::FLUME);
    let mut keeper = stage.keeper("user", &provider, None, &base_url)?;
    let line = &stage.line;
    let scene =
        Scene { service: &stage.service, path: "/me", lifetime_s: Kind::Flume.lifetime_s(), rotates: true };
    scene.first_token(&mut keeper, line);
    scene.refresh_ahead(&mut keeper, line);
    scene.refused_by_api(&mut keeper, line);
    scene.unavailable(&mut keeper, false, line);
    scene.broken_answers(&mut keeper, line);
    scene.restart(&mut keeper, line)?;
    scene.two_processes(&mut keeper, line)?;
    scene.old_refresh_token(&mut keeper, false, line)?;

    let password = std::mem::replace(&mut keeper.held.password, "changed since".to_owned());
    scene.refresh_token_lost(&mut keeper, line, |keeper, line| {
        line.expect(
            "the old password is refused: the core asks",
            keeper.poll().next.reason() == Some(Reason::GrantRejected),
        );
        line.expect("the token stays usable meanwhile", keeper.opens("/me", line));
        keeper.wait_for(60, line, "the user looks for it");
        line.event("user", Event::Supply, "the user enters the right password", json!({}));
        keeper.held.password = password;
        keeper.manager.retry();
        let _ = keeper.run(line);
    });
    stage.finish()
}

fn flute(speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    let stage = Stage::open(Kind::Flute, "Flute", speed, json)?;
    let url = |environment| stage.service.environment_url(environment).unwrap_or_default().to_owned();
    let (sandbox_url, production_url) =
        (url(ServiceEnvironment::Sandbox), url(ServiceEnvironment::Production));
    let (sandbox, production) = (local(&providers::FLUTE_SANDBOX), local(&providers::FLUTE_PRODUCTION));
    let mut keeper = stage.keeper("sandbox", &sandbox, None, &sandbox_url)?;
    let mut live = stage.keeper("production", &production, None, &production_url)?;
    let line = &stage.line;
    let scene = Scene {
        service: &stage.service,
        path: "/v2/transactions",
        lifetime_s: Kind::Flute.lifetime_s(),
        rotates: true,
    };
    scene.first_token(&mut keeper, line);

    line.chapter("Two environments, one API key");
    let _ = live.run(line);
    line.expect("production hands out a token of its own", live.last.is_ok() && live.opens(scene.path, line));
    let sent = scene.service.log().len();
    let crossed = keeper.check("GET", &format!("{production_url}/v2/transactions"), line);
    line.expect(
        "the sandbox token is refused for production's origin",
        crossed == Err(Error::OriginNotAllowed),
    );
    let crossed = live.check("GET", &format!("{sandbox_url}/v2/transactions"), line);
    line.expect(
        "the production token is refused for the sandbox origin",
        crossed == Err(Error::OriginNotAllowed),
    );
    live.put(keeper.stored());
    let found = live.look(line);
    line.expect("the sandbox snapshot is foreign to production", found == Err(Error::ForeignSnapshot));
    line.expect("nothing of that reached the network", scene.service.log().len() == sent);

    scene.refresh_ahead(&mut keeper, line);
    scene.refused_by_api(&mut keeper, line);
    scene.unavailable(&mut keeper, true, line);
    scene.broken_answers(&mut keeper, line);
    scene.restart(&mut keeper, line)?;
    scene.two_processes(&mut keeper, line)?;
    scene.old_refresh_token(&mut keeper, true, line)?;
    scene.refresh_token_lost(&mut keeper, line, |_, _| {});

    let authorization_url = format!("{sandbox_url}/oauth2/authorize");
    let person = Provider {
        primary_grant: None,
        device_path: Some("/oauth2/device_authorization"),
        authorization_url: Some(&authorization_url),
        ..sandbox
    };
    let mut keeper = stage.keeper("person", &person, None, &sandbox_url)?;
    let sign_ins = SignIns { service: &stage.service, path: scene.path };
    sign_ins.by_device(&mut keeper, line);
    sign_ins.by_browser(&mut keeper, line)?;
    stage.finish()
}

fn flip_energy(speed: Option<f64>, json: bool) -> Result<Tally, Failure> {
    let stage = Stage::open(Kind::FlipEnergy, "Flip Energy", speed, json)?;
    let base_url = stage.service.base_url().to_owned();
    let client_provider = local(&providers::FLIP_ENERGY_CLIENT);
    let site_provider = local(&providers::FLIP_ENERGY_SITE);
    let phone_provider = local(&providers::FLIP_ENERGY_SITE_BY_BACKEND);
    let mut client = stage.keeper("client", &client_provider, None, &base_url)?;
    let mut site = stage.keeper("site-1", &site_provider, Some("site-1"), &base_url)?;
    let mut other = stage.keeper("site-2", &site_provider, Some("site-2"), &base_url)?;
    let mut phone = stage.keeper("phone", &phone_provider, Some("site-1"), &base_url)?;
    let line = &stage.line;
    let lifetime_s = Kind::FlipEnergy.lifetime_s();
    let scene =
        Scene { service: &stage.service, path: "/v1/site/site-1/devices", lifetime_s, rotates: false };

    line.chapter("The client token");
    let token = client.held.bearer.clone();
    line.expect("without it the core asks for one", client.sync(line).next.reason() == Some(Reason::NoToken));
    line.expect("it is installed", client.install(&TokenResponse::new(&token), line).is_ok());
    line.expect("the API accepts it", client.opens("/v1/sites", line));

    // Each site's requests present the client token that the other manager keeps.
    for keeper in [&mut site, &mut other] {
        let lent = client.lend("POST", &format!("{base_url}/v1/auth/site/{}", keeper.name));
        line.expect("the client manager lends its token to a site's request", lent.is_ok());
        keeper.held.bearer = lent.unwrap_or_default();
    }
    scene.first_token(&mut site, line);

    line.chapter("The route table, before anything is sent");
    let sent = scene.service.log().len();
    let devices = format!("{base_url}/v1/site/site-1/devices");
    let refusals = [
        (
            "the client token does not open a site",
            client.check("GET", &devices, line),
            Error::RouteNeedsOtherToken,
        ),
        (
            "a site token does not list all sites",
            site.check("GET", &format!("{base_url}/v1/sites"), line),
            Error::RouteNeedsOtherToken,
        ),
        (
            "nor another site",
            site.check("GET", &format!("{base_url}/v1/site/site-2/devices"), line),
            Error::OtherSite,
        ),
        (
            "an endpoint that is not in the table is unknown",
            client.check("DELETE", &format!("{base_url}/v1/sites"), line),
            Error::UnknownRoute,
        ),
        (
            "a path that could mean two things is refused",
            site.check("GET", &format!("{base_url}/v1/site/site-1/../site-2"), line),
            Error::BadUrl,
        ),
        (
            "another host is refused",
            site.check("GET", "https://api.example/v1/site/site-1", line),
            Error::OriginNotAllowed,
        ),
    ];
    for (sentence, checked, expected) in refusals {
        line.expect(sentence, checked == Err(expected));
    }
    line.expect("nothing of that reached the network", scene.service.log().len() == sent);

    line.chapter("A second site");
    let _ = other.run(line);
    line.expect("its token opens its own site", other.opens("/v1/site/site-2/devices", line));
    other.put(site.stored());
    let found = other.look(line);
    line.expect("the first site's snapshot is foreign to it", found == Err(Error::ForeignSnapshot));

    line.chapter("A phone, whose backend holds the client token");
    line.expect(
        "the phone has no grant: it asks for a token",
        phone.sync(line).next.reason() == Some(Reason::NoToken),
    );
    let mut handed_out = client.fetch("POST", "/v1/auth/site/site-1", line);
    let installed = phone.install_answer(&handed_out, line);
    tokenward::wipe(&mut handed_out);
    line.expect("it installs what its backend hands out", installed.is_ok() && phone.opens(scene.path, line));
    phone.wait(line, "the token is fresh");
    let due = phone.run(line);
    line.expect(
        "it is told when the next one is due, and goes on meanwhile",
        due.next.reason() == Some(Reason::NoToken) && due.usable,
    );

    // The site's own token has aged as much.
    let _ = site.run(line);
    scene.refresh_ahead(&mut site, line);
    scene.refused_by_api(&mut site, line);
    scene.unavailable(&mut site, false, line);
    scene.broken_answers(&mut site, line);
    scene.restart(&mut site, line)?;

    line.chapter("A revoked client token");
    let scene = Scene { path: "/v1/sites", ..scene };
    scene.static_token_revoked(&mut client, "client token", "fct_fedcba9876543210fedcba98", line);
    stage.finish()
}
