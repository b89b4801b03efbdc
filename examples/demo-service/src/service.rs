//! A running service: its listeners, its thread, and the handle that a test holds.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, TcpListener as StdListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    RequestExt, Router,
    body::to_bytes,
    extract::{ConnectInfo, RawPathParams, Request},
    http::header,
    response::Response,
    routing::{MethodFilter, on},
};
use tokio::{net::TcpListener, runtime, sync::watch, task::JoinSet, time};

use crate::{
    Clock, Config, Credentials, Environment, Exchange, Fault, Kind, Person, Route, WrongToken, admin, api,
    random::{Keyed, Random},
    reply::{Delivery, Refusal, Reply},
    request::{Call, header_names},
    sign_in::{self, SignIn, SignIns},
    store::Store,
    token,
    wire::{TappedListener, Wire},
};

/// A request body beyond this is answered with 413.
const MAX_BODY: usize = 1 << 20;
/// The log forgets its oldest exchanges beyond this.
const MAX_LOG: usize = 10_000;
/// How long answers that are on their way may take once the service is dropped.
const GRACE: Duration = Duration::from_millis(500);

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) kind: Kind,
    pub(crate) clock: Clock,
    pub(crate) sites: Vec<String>,
    pub(crate) user_id: u64,
    pub(crate) utility_code: String,
    pub(crate) wrong_token: WrongToken,
    pub(crate) raw_log_over_http: bool,
    state: Mutex<State>,
}

/// What changes while the service runs.
pub(crate) struct State {
    pub(crate) credentials: Credentials,
    pub(crate) store: Store,
    pub(crate) sign_ins: SignIns,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) log: VecDeque<Exchange>,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the five systems, running on 127.0.0.1 in a thread of its own until it is dropped.
///
/// It may be started and used from blocking and from asynchronous code alike; dropping it blocks for
/// as long as answers are on their way, at most half a second.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    base_urls: Vec<(Option<Environment>, String)>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Service {
    /// Starts a service; once this returns it accepts connections.
    ///
    /// # Errors
    /// `InvalidInput` where credentials that the kind needs are absent; else what the operating system
    /// says about the port, the thread or its random numbers.
    pub fn start(kind: Kind, config: Config) -> io::Result<Self> {
        let credentials = config.credentials.unwrap_or_else(|| Credentials::demo(kind));
        credentials.check(kind)?;
        let (signing, random) = keys(kind, config.seed)?;
        let lifetime_s = config.lifetime_s.unwrap_or(kind.lifetime_s());
        let shared = Arc::new(Shared {
            kind,
            clock: config.clock,
            sites: config.sites,
            user_id: config.user_id,
            utility_code: config.utility_code,
            wrong_token: config.wrong_token,
            raw_log_over_http: config.raw_log_over_http,
            state: Mutex::new(State {
                credentials,
                store: Store::new(kind, config.user_id, lifetime_s, signing, Random::new(random)),
                sign_ins: SignIns::new(),
                faults: VecDeque::new(),
                log: VecDeque::new(),
            }),
        });

        let environments: Vec<Option<Environment>> = match kind.environments() {
            [] => vec![None],
            several => several.iter().copied().map(Some).collect(),
        };
        let mut listeners = Vec::new();
        let mut base_urls = Vec::new();
        let mut port = config.port;
        for environment in environments {
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            base_urls.push((environment, format!("http://{}", listener.local_addr()?)));
            listeners.push((environment, listener));
            port = if port == 0 { 0 } else { port.saturating_add(1) };
        }

        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("demo-{kind}"))
            .spawn(move || run(runtime, served, listeners, stopped))?;
        Ok(Service { shared, base_urls, stop, thread: Some(thread) })
    }

    /// Which of the five.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.shared.kind
    }

    /// `http://127.0.0.1:port` of the only listener; of the sandbox where there are environments.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base_urls.first().map_or("", |(_, url)| url)
    }

    /// `http://127.0.0.1:port` of an environment's own listener.
    #[must_use]
    pub fn environment_url(&self, environment: Environment) -> Option<&str> {
        self.base_urls.iter().find(|(of, _)| *of == Some(environment)).map(|(_, url)| url.as_str())
    }

    /// The token endpoint at [`Service::base_url`]; `{site}` stands for a percent-encoded site id.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{}", self.base_url(), self.kind().token_path())
    }

    /// The credentials that are accepted now.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.shared.state().credentials.clone()
    }

    /// The clock that expiry is judged on; [`Clock::advance`] moves it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Queues a misbehaviour for one of the next token requests, on whichever listener.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.push_back(fault);
    }

    /// What the person does from now on who is asked to sign in (Flute).
    pub fn person(&self, person: Person) {
        self.shared.state().sign_ins.person = person;
    }

    /// How long a device is to wait between two requests; one that already has a code is told by `slow_down` (Flute).
    pub fn device_interval(&self, seconds: u64) {
        self.shared.state().sign_ins.interval_s = seconds;
    }

    /// How many faults have not been consumed yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.shared.state().faults.len()
    }

    /// Ends every access and site token that was issued. Static tokens stay.
    pub fn revoke_access_tokens(&self) {
        self.shared.state().store.revoke_access_tokens();
    }

    /// Ends every refresh token that was issued.
    pub fn revoke_refresh_tokens(&self) {
        self.shared.state().store.revoke_refresh_tokens();
    }

    /// From now on only `new` is accepted as the client secret. Tokens stay.
    pub fn rotate_client_secret(&self, new: &str) {
        self.shared.state().credentials.client_secret = Some(new.to_owned());
    }

    /// From now on only `new` is accepted as the static token: the old API key or client token is revoked.
    pub fn rotate_bearer(&self, new: &str) {
        self.shared.state().credentials.bearer = Some(new.to_owned());
    }

    /// What was received so far, oldest first; requests under `/_demo/` are not in it.
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.shared.state().log.iter().cloned().collect()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        self.shared.state().log.clear();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It has nothing to report, and a panic of its own has been printed.
            let _ = thread.join();
        }
    }
}

/// Two keys, one to sign with and one to draw token text from. A seed makes them repeatable.
fn keys(kind: Kind, seed: Option<u64>) -> io::Result<(Keyed, Keyed)> {
    let mut entropy = [0; 64];
    match seed {
        Some(seed) => {
            let (bytes, _) = entropy.split_at_mut(8);
            bytes.copy_from_slice(&seed.to_be_bytes());
        }
        None => getrandom::fill(&mut entropy).map_err(io::Error::other)?,
    }
    let root = Keyed::new(entropy);
    let derived = |purpose: &str| {
        let mut key = [0; 64];
        let (bytes, _) = key.split_at_mut(32);
        bytes.copy_from_slice(&root.tag(format!("{kind} {purpose}").as_bytes()));
        Keyed::new(key)
    };
    Ok((derived("signature"), derived("token")))
}

fn run(
    runtime: runtime::Runtime,
    shared: Arc<Shared>,
    listeners: Vec<(Option<Environment>, StdListener)>,
    mut stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        for (environment, listener) in listeners {
            // Fails only outside of a runtime or where the process is out of descriptors.
            let Ok(listener) = TcpListener::from_std(listener) else { continue };
            let app = router(&shared, environment).into_make_service_with_connect_info::<Wire>();
            let mut stopped = stopped.clone();
            let stop = async move {
                // An error says that the handle is gone, which is the same.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            servers
                .spawn(axum::serve(TappedListener(listener), app).with_graceful_shutdown(stop).into_future());
        }
        let _ = stopped.wait_for(|stop| *stop).await;
        let all = async { while servers.join_next().await.is_some() {} };
        // Answers that are slower than this are cut off with the runtime.
        let _ = time::timeout(GRACE, all).await;
    });
    runtime.shutdown_background();
}

/// What a path and method lead to.
#[derive(Clone, Copy)]
enum Endpoint {
    Token,
    SignIn(SignIn),
    Api(&'static Route),
    UnknownPath,
    WrongMethod,
}

fn router(shared: &Arc<Shared>, environment: Option<Environment>) -> Router {
    let kind = shared.kind;
    let handler = |endpoint: Endpoint| {
        let shared = Arc::clone(shared);
        move |request: Request| serve(shared, environment, endpoint, request)
    };
    let mut router = Router::new();
    if kind != Kind::FlipEnergy {
        router = router.route(kind.token_path(), on(MethodFilter::POST, handler(Endpoint::Token)));
    }
    if kind == Kind::Flute {
        router = router
            .route(sign_in::DEVICE_PATH, on(MethodFilter::POST, handler(Endpoint::SignIn(SignIn::Device))))
            .route(
                sign_in::AUTHORIZATION_PATH,
                on(MethodFilter::GET, handler(Endpoint::SignIn(SignIn::Browser))),
            );
    }
    for route in kind.routes() {
        // Flip Energy's token endpoint is the first row of its table.
        let is_token_endpoint = route.path.starts_with("/v1/auth/");
        let endpoint = if is_token_endpoint { Endpoint::Token } else { Endpoint::Api(route) };
        router = router.route(route.path, on(method_filter(route.method), handler(endpoint)));
    }
    router
        .method_not_allowed_fallback(handler(Endpoint::WrongMethod))
        .fallback(handler(Endpoint::UnknownPath))
        .merge(admin::routes(Arc::clone(shared)))
}

fn method_filter(method: &str) -> MethodFilter {
    match method {
        "POST" => MethodFilter::POST,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// Reads one request whole, has it answered, logs both, and sends the answer as ordered.
async fn serve(
    shared: Arc<Shared>,
    environment: Option<Environment>,
    endpoint: Endpoint,
    mut request: Request,
) -> Response {
    let path_params = match request.extract_parts::<RawPathParams>().await {
        Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        // A fallback has none.
        Err(_) => Vec::new(),
    };
    let (parts, body) = request.into_parts();
    let wire = parts.extensions.get::<ConnectInfo<Wire>>().map(|info| info.0.clone()).unwrap_or_default();
    let body = to_bytes(body, MAX_BODY).await;
    let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    let raw = wire.take_request(chunked, body.as_ref().map_or(usize::MAX, |body| body.len()));

    let now = shared.clock.now();
    let mut reply = match &body {
        Err(_) => {
            let detail = "the body is too large or broke off";
            Refusal { status: 413, code: "too_large", detail, challenge: None }
                .into_reply(shared.kind)
                .with("connection", "close")
        }
        Ok(body) => {
            let query = parts.uri.query();
            let call = Call { environment, now, query, path_params, headers: &parts.headers, body };
            answer(&shared, &call, endpoint)
        }
    };

    let exchange = Exchange {
        environment,
        at: now,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        header_names: header_names(&parts.headers),
        grant_type: reply.grant_type.take(),
        outcome: std::mem::take(&mut reply.outcome),
        detail: reply.detail.take(),
        status: (reply.delivery != Delivery::Dropped).then_some(reply.status),
        fault: reply.fault,
        raw: Arc::new(raw),
        body: body.unwrap_or_default(),
    };
    {
        let log = &mut shared.state().log;
        if log.len() >= MAX_LOG {
            log.pop_front();
        }
        log.push_back(exchange);
    }

    if !reply.delay.is_zero() {
        time::sleep(reply.delay).await;
    }
    if reply.delivery == Delivery::Dropped {
        wire.sever();
    }
    reply.into_response(shared.clock.http_date(0))
}

fn answer(shared: &Shared, call: &Call<'_>, endpoint: Endpoint) -> Reply {
    match endpoint {
        Endpoint::Token => token::answer(shared, call),
        Endpoint::SignIn(endpoint) => token::sign_in(shared, call, endpoint),
        Endpoint::Api(route) => api::answer(shared, call, route),
        Endpoint::UnknownPath => Refusal::not_found("no such path").into_reply(shared.kind),
        Endpoint::WrongMethod => {
            let detail = "the path has no such method";
            Refusal { status: 405, code: "method_not_allowed", detail, challenge: None }
                .into_reply(shared.kind)
        }
    }
}
