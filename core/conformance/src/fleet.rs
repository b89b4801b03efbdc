//! A fleet of devices, each with a manager of the real core, that ask one token service. What the service says depends
//! on the time and on chance, never on the devices: so they are simulated one after another, and a million take no more
//! memory than one.

use std::thread;

use tokenward::parts::ClientAuthentication;
use tokenward::{
    Answer, Credentials, Grant, Identity, Instant, Next, Provider, RefreshPolicy, Slots, TokenManager,
    UnixTime,
};

use crate::dice::Dice;

/// How long a token lives, in seconds, where that does not vary.
pub const LIFETIME_S: u64 = 3600;
/// From one refresh to the next: 80 % of a lifetime. What a lifetime is where lifetimes are counted.
pub const CYCLE_S: usize = 2880;
/// How long an answer takes.
const LATENCY_MS: u64 = 200;
/// When the outage ends: Tue, 14 Nov 2023 22:13:20 GMT.
const OUTAGE_END: (u64, &[u8]) = (1_700_000_000, b"Tue, 14 Nov 2023 22:13:20 GMT");
const CREDENTIALS: Credentials<'static> = Credentials {
    client_id: "id",
    client_secret: "secret",
    username: "",
    password: "",
    bearer: "",
    assertion: None,
};

const AT_ONCE: RefreshPolicy = RefreshPolicy::DEFAULT;
const SPREAD: RefreshPolicy = RefreshPolicy { startup_spread_ms: 60_000, ..RefreshPolicy::DEFAULT };
const fn provider(policy: &'static RefreshPolicy) -> Provider<'static> {
    Provider {
        name: "fleet",
        base_url: Some("https://login.example"),
        token_path: Some("/token"),
        authentication: Some(ClientAuthentication::BASIC),
        policy: Some(policy),
        primary_grant: Some(Grant::ClientCredentials),
        ..Provider::custom()
    }
}
static PROVIDERS: [Provider<'static>; 2] = [provider(&AT_ONCE), provider(&SPREAD)];

/// What the service does in an outage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    /// There is no connection.
    Silence,
    /// 503 with the date of its end.
    Dated,
    /// 503 to half of the requests.
    Half,
}

/// What happens to a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// What it is called.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// The devices start over this time, in seconds.
    start_over_s: u64,
    /// They use a startup spread of a minute.
    spread: bool,
    /// From when until when, in seconds, the service is out of order.
    outage: Option<(u64, u64, Outage)>,
    /// Lifetimes are between half of [`LIFETIME_S`] and all of it.
    lifetimes_vary: bool,
    /// From which second on no second may have more than so many thousandths of the fleet.
    pub most_permille: (usize, u64),
    /// The refreshes of lifetime after lifetime come closer to a steady stream.
    pub settles: bool,
}

const STEADY: Course = Course {
    name: "steady",
    about: "The devices have started over one lifetime.",
    start_over_s: CYCLE_S as u64,
    spread: false,
    outage: None,
    lifetimes_vary: false,
    most_permille: (0, 10),
    settles: false,
};
const BLACKOUT: Course = Course {
    name: "blackout",
    about: "All devices start at one instant, without a startup spread.",
    start_over_s: 0,
    most_permille: (1, 10),
    settles: true,
    ..STEADY
};

/// Every course.
pub const COURSES: &[Course] = &[
    STEADY,
    BLACKOUT,
    Course {
        name: "blackout-spread",
        about: "The same with a startup spread of a minute.",
        spread: true,
        most_permille: (0, 20),
        ..BLACKOUT
    },
    Course {
        name: "outage",
        about: "A steady fleet finds no connection for an hour.",
        outage: Some((20_000, 23_600, Outage::Silence)),
        ..STEADY
    },
    Course {
        name: "common-end",
        about: "All tokens were asked for at one instant, and end together in an outage of an hour.",
        outage: Some((1_000, 4_600, Outage::Silence)),
        most_permille: (1, 40),
        settles: false,
        ..BLACKOUT
    },
    Course {
        name: "retry-after-date",
        about: "A steady fleet hears 503 for an hour, with `Retry-After` naming the instant at which that ends.",
        outage: Some((20_000, 23_600, Outage::Dated)),
        ..STEADY
    },
    Course {
        name: "503",
        about: "A steady fleet hears 503 every other time for an hour.",
        outage: Some((20_000, 23_600, Outage::Half)),
        ..STEADY
    },
    Course {
        name: "lifetimes",
        about: "All start at one instant; lifetimes are between half an hour and an hour.",
        lifetimes_vary: true,
        settles: false,
        ..BLACKOUT
    },
];

/// How many seconds are simulated.
pub const SECONDS: usize = 10 * CYCLE_S;

/// Requests in each second.
pub struct Requests {
    /// Their number, from the first second on.
    pub per_second: Vec<u64>,
    devices: u64,
    /// How many seconds the start takes.
    start_s: usize,
}

impl Course {
    /// Lets so many devices live.
    #[must_use]
    pub fn run(&self, devices: u64) -> Requests {
        let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
        let part = |of: u64| {
            let mut per_second = vec![0; SECONDS];
            (0..devices).skip(of as usize).step_by(threads as usize).for_each(|device| {
                self.live(device, |second| per_second[second] += 1);
            });
            per_second
        };
        let per_second = thread::scope(|scope| {
            let parts: Vec<_> = (0..threads).map(|of| scope.spawn(move || part(of))).collect();
            let parts = parts.into_iter().map(|part| part.join().expect("a device does not panic"));
            parts.reduce(|sum, part| sum.iter().zip(part).map(|(sum, more)| sum + more).collect())
        });
        let start_s = if self.spread { 60 } else { 10 };
        Requests { per_second: per_second.unwrap_or_default(), devices, start_s }
    }

    /// One device; `asks` hears of each second in which it asks.
    fn live(&self, device: u64, mut asks: impl FnMut(usize)) {
        let mut dice = Dice(device);
        let end = SECONDS as u64 * 1000;
        let mut now = dice.below(self.start_over_s * 1000);
        let slots = Slots::new([0; 64], 64);
        let provider = &PROVIDERS[usize::from(self.spread)];
        let mut manager =
            TokenManager::new(Instant::from_millis(now), provider, Identity::CLIENT, slots, dice.next())
                .expect("a manager");
        let mut out = [0; 512];
        let mut tokens = 0;
        while now < end {
            let at = Instant::from_millis(now);
            let poll = manager.poll(at);
            if !matches!(poll.next, Next::Request(_)) {
                match poll.poll_at {
                    Some(at) => now = at.as_millis().max(now + 1),
                    None => return,
                }
                continue;
            }
            let (id, _) = manager.begin(at, &CREDENTIALS, &mut out).expect("a request is due");
            asks((now / 1000) as usize);
            let outage = self.outage.filter(|(from, until, _)| (from * 1000..until * 1000).contains(&now));
            now += LATENCY_MS;
            let at = Instant::from_millis(now);
            let unavailable: Option<&[(&str, &[u8])]> = match outage {
                Some((_, _, Outage::Silence)) => {
                    manager.failed(at, id).expect("the request is out");
                    continue;
                }
                Some((_, _, Outage::Dated)) => Some(&[("Retry-After", OUTAGE_END.1)]),
                Some((_, _, Outage::Half)) if dice.permille(500) => Some(&[]),
                _ => None,
            };
            let until = self.outage.map_or(0, |(_, until, _)| until);
            let wall = UnixTime::from_secs(OUTAGE_END.0 - until + now / 1000);
            let seconds =
                if self.lifetimes_vary { LIFETIME_S / 2 + dice.below(LIFETIME_S / 2) } else { LIFETIME_S };
            tokens += 1;
            let body = format!(
                r#"{{"access_token":"{device}-{tokens}","token_type":"Bearer","expires_in":{seconds}}}"#
            );
            let answer = match unavailable {
                Some(headers) => Answer { status: 503, headers, body: b"", wall: Some(wall) },
                None => Answer { status: 200, headers: &[], body: body.as_bytes(), wall: Some(wall) },
            };
            let _ = manager.answer(at, id, &answer);
        }
    }
}

impl Requests {
    /// The busiest second from `first` on: its number, and its share of the fleet in hundredths of a percent.
    #[must_use]
    pub fn busiest(&self, first: usize) -> (usize, u64) {
        let (second, most) = self
            .per_second
            .iter()
            .enumerate()
            .skip(first)
            .max_by_key(|(_, count)| **count)
            .unwrap_or((0, &0));
        (second, most * 10_000 / self.devices.max(1))
    }

    /// Of each lifetime, how many hundredths of the mean the busiest ten seconds had. The start is left out.
    #[must_use]
    pub fn peak_to_mean(&self) -> Vec<u64> {
        let ratio = |seconds: &[u64]| {
            let windows: Vec<u64> = seconds.chunks_exact(10).map(|window| window.iter().sum()).collect();
            let (most, sum) = (windows.iter().max().unwrap_or(&0), windows.iter().sum::<u64>());
            most * 100 * windows.len() as u64 / sum.max(1)
        };
        self.per_second[self.start_s..].chunks_exact(CYCLE_S).map(ratio).collect()
    }
}

impl Course {
    /// What must hold of so many requests and does not.
    #[must_use]
    pub fn faults(&self, requests: &Requests) -> Vec<String> {
        let mut faults = Vec::new();
        let (first, permille) = self.most_permille;
        let (second, share) = requests.busiest(first);
        if share > permille * 10 {
            faults.push(format!("{} of the fleet ask in second {second}", percent(share)));
        }
        let ratios = requests.peak_to_mean();
        let bar = |lifetime: usize| if lifetime < 4 { PEAK_TO_MEAN.0 } else { PEAK_TO_MEAN.1 };
        for (lifetime, ratio) in ratios.iter().enumerate().filter(|_| self.settles) {
            if *ratio > bar(lifetime) {
                faults.push(format!("peak to mean is {ratio} % in lifetime {}", lifetime + 1));
            }
        }
        faults
    }
}

/// What the peak of ten seconds may be of the mean, in hundredths: before the fifth lifetime, and from it on.
const PEAK_TO_MEAN: (u64, u64) = (450, 150);

/// Hundredths of a percent, as text.
#[must_use]
pub fn percent(hundredths: u64) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}
