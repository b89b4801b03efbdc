//! The same manager, driven over an async HTTP client for small machines.
//!
//! reqwless asks for two things, a `TcpConnect` and a `Dns` of embedded-nal-async; on a device a network
//! stack gives them (embassy-net, a modem driver), here the host's sockets do. The other end is the demo
//! service, which speaks Flute's dialect over real HTTP.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant as HostInstant;

use embedded_io_adapters::tokio_1::FromTokio;
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use reqwless::client::HttpClient;
use reqwless::request::{Method, RequestBuilder as _};
use tokenward::parts::LoopbackHttp;
use tokenward::{
    Answer, Credentials, Identity, Instant, Options, Outcome, Provider, RefreshPolicy, Retry, providers,
};
use tokenward_demo_service::{Config, Fault, Kind, Service};
use tokenward_no_alloc::{Manager, Step, manager, step};
use tokio::net::TcpStream;

/// The host's sockets as embedded-nal-async has them.
struct Host;

impl TcpConnect for Host {
    type Error = std::io::Error;
    type Connection<'a> = FromTokio<TcpStream>;

    async fn connect<'a>(&'a self, remote: SocketAddr) -> std::io::Result<Self::Connection<'a>> {
        Ok(FromTokio::new(TcpStream::connect(remote).await?))
    }
}

impl Dns for Host {
    type Error = std::io::Error;

    async fn get_host_by_name(&self, host: &str, _: AddrType) -> std::io::Result<IpAddr> {
        if host == "localhost" {
            return Ok(Ipv4Addr::LOCALHOST.into());
        }
        host.parse().map_err(|_| std::io::Error::new(std::io::ErrorKind::NotFound, "only loopback here"))
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

type Http = HttpClient<'static, Host, Host>;

/// Milliseconds on the caller's clock; `skipped` stands for time that a real device would sleep through.
struct Clock {
    start: HostInstant,
    skipped: u64,
}

impl Clock {
    fn now(&self) -> Instant {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Instant::from_millis(elapsed.saturating_add(self.skipped))
    }
}

/// What came back: the status, `Retry-After` where there is one, and the length of the body.
struct Received {
    status: u16,
    retry_after: Option<([u8; 40], usize)>,
    body: usize,
}

/// Sends a request; the body stands at the start of `buffer` afterwards.
async fn send(
    http: &mut Http,
    method: Method,
    url: &str,
    headers: impl Iterator<Item = (&str, &str)>,
    body: &[u8],
    buffer: &mut [u8],
) -> Result<Received, reqwless::Error> {
    let mut fields = [("", ""); 4];
    let mut count = 0;
    for (place, field) in fields.iter_mut().zip(headers) {
        *place = field;
        count += 1;
    }
    let mut handle = http.request(method, url).await?.headers(&fields[..count]).body(body);
    let response = handle.send(buffer).await?;
    let status = response.status.0;
    let retry_after =
        response.headers().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).map(|(_, value)| {
            let mut copy = [0; 40];
            let len = value.len().min(copy.len());
            copy[..len].copy_from_slice(&value[..len]);
            (copy, len)
        });
    let body = response.body().read_to_end().await?.len();
    Ok(Received { status, retry_after, body })
}

/// Gets a token where one is due.
async fn keep_alive(
    manager: &mut Manager,
    http: &mut Http,
    clock: &Clock,
    credentials: &Credentials<'_>,
) -> String {
    let (mut out, mut buffer) = ([0; 1024], [0; 4096]);
    let (id, request) = match step(manager, clock.now(), credentials, &mut out) {
        Ok(Step::Send(id, grant, request)) => {
            println!("POST {} ({})", request.url(), grant.name());
            (id, request)
        }
        Ok(Step::Sleep(_)) => return "nothing to do".to_owned(),
        Ok(Step::Stuck(reason)) => return format!("stuck: {}", reason.name()),
        Err(error) => return format!("no request: {}", error.name()),
    };
    let sent = send(http, Method::POST, request.url(), request.headers(), request.body(), &mut buffer).await;
    let result = match &sent {
        Err(error) => {
            // No answer is an answer too: the manager backs off.
            let failed = manager.failed(clock.now(), id);
            format!("no answer: {error:?}, {failed:?}")
        }
        Ok(received) => {
            let field = received.retry_after.as_ref().map(|(value, len)| ("Retry-After", &value[..*len]));
            let answer = Answer {
                status: received.status,
                headers: field.as_slice(),
                body: &buffer[..received.body],
                wall: None,
            };
            match manager.answer(clock.now(), id, &answer) {
                Ok(Outcome::Token(generation)) => format!("token {}", generation.0),
                Ok(Outcome::Error(error)) => format!("error response: {:?}", error.code()),
                Err(error) => format!("refused: {}", error.name()),
            }
        }
    };
    tokenward::wipe(&mut out);
    tokenward::wipe(&mut buffer);
    println!("  {result}");
    result
}

/// Calls the API with the manager's header; tells the manager of a refusal.
async fn call(
    manager: &mut Manager,
    http: &mut Http,
    clock: &Clock,
    url: &str,
) -> Result<u16, Box<dyn Error>> {
    let (mut header, mut buffer) = ([0; 1100], [0; 4096]);
    let bearer = manager.authorize(clock.now(), "GET", url)?;
    let generation = bearer.generation();
    let header = std::str::from_utf8(bearer.write(&mut header)?)?;
    let fields = [("Authorization", header), ("Accept", "application/json")];
    let received = send(http, Method::GET, url, fields.into_iter(), b"", &mut buffer)
        .await
        .map_err(|error| format!("{error:?}"))?;
    println!("GET {url}\n  {}", received.status);
    if received.status == 401 {
        let retry = manager.rejected(clock.now(), generation, 401, None);
        println!("  rejected: {retry:?}");
        if retry != Retry::AfterRefresh {
            return Err("a 401 of an old token asks for a refresh".into());
        }
    }
    Ok(received.status)
}

/// Where each expectation held, nothing.
async fn life() -> Result<(), Box<dyn Error>> {
    let service = Service::start(Kind::Flute, Config::default())?;
    let given = service.credentials();
    let credentials = Credentials {
        client_id: given.client_id.as_deref().unwrap_or_default(),
        client_secret: given.client_secret.as_deref().unwrap_or_default(),
        ..Credentials::default()
    };
    // The preset, but on loopback and without its spread.
    static POLICY: RefreshPolicy = RefreshPolicy { jitter_permille: 0, ..RefreshPolicy::DEFAULT };
    static PROVIDER: Provider<'static> = Provider {
        api_origins: None,
        loopback_http: Some(LoopbackHttp::ALLOWED),
        policy: Some(&POLICY),
        ..providers::FLUTE_SANDBOX
    };
    let base_url: &'static str = service.base_url().to_owned().leak();
    let identity = Identity { base_url: Some(base_url), ..Identity::CLIENT };
    let mut clock = Clock { start: HostInstant::now(), skipped: 0 };
    let manager = manager(clock.now(), &PROVIDER, identity, 0, Options::default())?;
    let mut http = HttpClient::new(&Host, &Host);
    let url = format!("{base_url}/v2/transactions");
    let skip = |clock: &mut Clock, seconds: u64| {
        clock.skipped += seconds * 1000;
        service.clock().advance(seconds);
        println!("… {seconds} s later");
    };

    expect("token 1", &keep_alive(manager, &mut http, &clock, &credentials).await)?;
    expect("200", &call(manager, &mut http, &clock, &url).await?.to_string())?;

    service.fault(Fault::Status503 { retry_after: Some("7".to_owned()) });
    skip(&mut clock, 2881);
    expect("refused: http_status", &keep_alive(manager, &mut http, &clock, &credentials).await)?;
    expect("nothing to do", &keep_alive(manager, &mut http, &clock, &credentials).await)?;
    expect("200", &call(manager, &mut http, &clock, &url).await?.to_string())?;

    skip(&mut clock, 8);
    expect("token 2", &keep_alive(manager, &mut http, &clock, &credentials).await)?;

    skip(&mut clock, 60);
    service.revoke_access_tokens();
    expect("401", &call(manager, &mut http, &clock, &url).await?.to_string())?;
    expect("token 3", &keep_alive(manager, &mut http, &clock, &credentials).await)?;
    expect("200", &call(manager, &mut http, &clock, &url).await?.to_string())?;
    println!("done: first token, 503, refresh with rotation, 401 and retry");
    Ok(())
}

fn expect(expected: &str, found: &str) -> Result<(), Box<dyn Error>> {
    if expected == found { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}").into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(life())
}
