//! Starts demo services for tests in any language: prints where they are and which credentials they
//! accept, and runs until standard input closes or the process is told to end.

use std::{
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
};

use serde_json::{Map, Value, json};
use tokenward_demo_service::{Clock, Config, Kind, Service};
use tokio::sync::oneshot;

const USAGE: &str = "\
Usage: tokenward-demo-service [OPTIONS]

Starts token services with the APIs they guard on 127.0.0.1, prints their base URLs and credentials,
and runs until standard input closes or SIGTERM arrives.

Options:
  --kind KIND         flip_utility, flip_energy, flume, opower, flute or all (default: all)
  --port PORT         port of the one service asked for; 0, the default, takes a free one
  --print-json        print one line of JSON instead of text
  --speed N           run the services' clock N times as fast
  --lifetime SECONDS  lifetime of access tokens, instead of what the service's page says
  --seed N            make all tokens repeatable
  --raw-log           let GET /_demo/log?raw=true show requests with their secrets
  --help              print this
";

/// sysexits.h
const EX_USAGE: u8 = 64;
const EX_UNAVAILABLE: u8 = 69;

struct Options {
    kinds: Vec<Kind>,
    config: Config,
    json: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            return match io::stdout().write_all(USAGE.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(EX_UNAVAILABLE),
            };
        }
        Err(mistake) => {
            eprintln!("tokenward-demo-service: {mistake}\nTry --help.");
            return ExitCode::from(EX_USAGE);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokenward-demo-service: {error}");
            ExitCode::from(EX_UNAVAILABLE)
        }
    }
}

/// `None` where help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { kinds: Kind::ALL.to_vec(), config: Config::default(), json: false };
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let is_switch = matches!(name.as_str(), "--print-json" | "--raw-log" | "--help" | "-h");
        if is_switch && attached.is_some() {
            return Err(format!("{name} takes no value"));
        }
        let mut value =
            || attached.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--print-json" => options.json = true,
            "--raw-log" => options.config.raw_log_over_http = true,
            "--kind" => {
                options.kinds = match value()?.as_str() {
                    "all" => Kind::ALL.to_vec(),
                    one => vec![Kind::from_str(one).map_err(|error| format!("--kind: {one} is {error}"))?],
                };
            }
            "--port" => options.config.port = number(&name, &value()?)?,
            "--lifetime" => options.config.lifetime_s = Some(number(&name, &value()?)?),
            "--seed" => options.config.seed = Some(number(&name, &value()?)?),
            "--speed" => {
                let speed: f64 = number(&name, &value()?)?;
                if !speed.is_finite() || speed < 0.0 {
                    return Err("--speed must not be negative".to_owned());
                }
                options.config.clock = Clock::accelerated(speed);
            }
            _ => return Err(format!("unknown option {name}")),
        }
    }
    if options.kinds.len() > 1 && options.config.port != 0 {
        return Err("--port needs one --kind".to_owned());
    }
    Ok(Some(options))
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: {text} is not a number in range"))
}

fn run(options: Options) -> io::Result<()> {
    let sites = options.config.sites.clone();
    let user_id = options.config.user_id;
    let utility_code = options.config.utility_code.clone();
    let services = options
        .kinds
        .into_iter()
        .map(|kind| Service::start(kind, options.config.clone()))
        .collect::<io::Result<Vec<_>>>()?;

    let described: Vec<Value> = services
        .iter()
        .map(|service| {
            let mut value = describe(service);
            if let Some(members) = value.as_object_mut() {
                match service.kind() {
                    Kind::FlipEnergy => members.insert("sites".to_owned(), json!(sites)),
                    Kind::Flume => members.insert("user_id".to_owned(), json!(user_id)),
                    Kind::Opower => members.insert("utility_code".to_owned(), json!(utility_code)),
                    Kind::FlipUtility | Kind::Flute => None,
                };
            }
            value
        })
        .collect();
    let ending = Ending::watch()?;
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{}", json!({"services": described}))?;
    } else {
        for service in &described {
            for (name, value) in service.as_object().into_iter().flatten() {
                writeln!(out, "{name:>16}  {}", value.as_str().map_or(value.to_string(), str::to_owned))?;
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    drop(out);
    ending.wait()
}

fn describe(service: &Service) -> Value {
    let environments: Map<String, Value> = service
        .kind()
        .environments()
        .iter()
        .filter_map(|of| Some((of.name().to_owned(), json!(service.environment_url(*of)?))))
        .collect();
    let credentials = json!(service.credentials());
    let present: Map<String, Value> = credentials
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({
        "kind": service.kind(),
        "base_url": service.base_url(),
        "token_url": service.token_url(),
        "environments": environments,
        "credentials": present,
    })
}

/// What ends the process: standard input closes, SIGTERM or SIGINT.
struct Ending {
    runtime: tokio::runtime::Runtime,
    input: oneshot::Receiver<()>,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Ending {
    /// From here on a SIGTERM is not lost.
    fn watch() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        #[cfg(unix)]
        let terminate = {
            use tokio::signal::unix::{SignalKind, signal};
            let _inside = runtime.enter();
            signal(SignalKind::terminate())?
        };
        let (closed, input) = oneshot::channel();
        // Reading standard input cannot be cancelled: a thread of its own ends with the process.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            // An unreadable input is as good as a closed one; nobody listens once a signal has arrived.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ = closed.send(());
        })?;
        Ok(Ending {
            runtime,
            input,
            #[cfg(unix)]
            terminate,
        })
    }

    fn wait(self) -> io::Result<()> {
        #[cfg(unix)]
        let mut terminate = self.terminate;
        self.runtime.block_on(async {
            #[cfg(unix)]
            let terminated = terminate.recv();
            #[cfg(not(unix))]
            let terminated = std::future::pending::<()>();
            tokio::select! {
                _ = self.input => Ok(()),
                _ = terminated => Ok(()),
                interrupted = tokio::signal::ctrl_c() => interrupted,
            }
        })
    }
}
