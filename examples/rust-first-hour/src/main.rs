//! A service of one's own: five calls, a token that is refused, a restart, a sign-out.
use std::{thread, time};
use tokenward::parts::{ClientAuthentication, LoopbackHttp};
use tokenward::storage::{Source, Storage};

include!(concat!(env!("OUT_DIR"), "/guide.rs")); // `Device`, with `run` and `get`

const ACME: Provider<'static> = Provider {
    name: "acme",
    token_path: Some("/oauth2/token"),
    authentication: Some(ClientAuthentication::BASIC_RAW),
    primary_grant: Some(Grant::ClientCredentials),
    refresh_grant: true,
    requests: Some(&Requests {
        parameters: Some(&[Parameter::new("audience", "https://api.acme.example")]),
        ..Requests::STANDARD
    }),
    loopback_http: Some(LoopbackHttp::ALLOWED),
    policy: Some(&RefreshPolicy { min_interval_ms: 0, ..RefreshPolicy::DEFAULT }),
    ..Provider::custom()
};

fn start([base, id, secret, state]: [&'static str; 4], now: Instant) -> Device {
    let identity = Identity { base_url: Some(base), ..Identity::CLIENT };
    let options = Options { storage: Some(Storage::OWN), source: Source::None };
    let slots = Slots::new([0; 3072], 2048);
    let manager = TokenManager::with_options(now, &ACME, identity, slots, 42, options);
    let (manager, state) = (manager.expect("it fits"), PathBuf::from(state));
    let credentials = Credentials { client_id: id, client_secret: secret, ..Default::default() };
    Device { manager, http: http(), credentials, state, key: [42; 32], now, wall: None }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<&'static str> = std::env::args().map(|word| &*word.leak()).collect();
    let words @ [base, ..]: [_; 4] = words[1..].try_into().expect("BASE ID SECRET STATE");
    let (url, clock) = (format!("{base}/v2/transactions"), time::Instant::now());
    let now = || Instant::from_millis(clock.elapsed().as_millis() as u64);
    let call = |device: &mut Device| -> Result<u16, Box<dyn Error>> {
        device.now = now();
        device.run()?;
        device.get(&url)
    };
    let mut device = start(words, now());
    for _ in 0..5 {
        println!("called: {}", call(&mut device)?);
    }
    let revoke = device.http.post(format!("{base}/_demo/revoke")).content_type("application/json");
    revoke.send(r#"{"what":"access_tokens"}"#)?;
    thread::sleep(time::Duration::from_secs(1)); // it lies between two requests of one grant
    println!("refused and replaced: {}", call(&mut device)?);
    let mut device = start(words, now());
    println!("restarted: {}", call(&mut device)?);
    device.manager.clear();
    while let Next::Store(id, _) = device.manager.poll(device.now).next {
        device.store(id)?;
        device.manager.stored(device.now, id)?;
    }
    println!("signed out: {}", device.get(&url).is_err());
    Ok(())
}
