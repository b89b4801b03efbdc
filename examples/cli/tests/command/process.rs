//! Runs the command.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tokenward_demo_service::{Credentials, Service};

/// What a run left behind.
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Output {
    /// Standard output as one JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// One line, with what to do.
    pub(crate) fn complains(&self, status: i32, words: &str) {
        assert_eq!(self.status, status, "{} {}", self.out, self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.starts_with("tokenward: ") && self.err.contains(words), "{}", self.err);
    }
}

/// The command without any setting of the machine's.
pub(crate) fn tokenward() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenward"));
    for name in [
        "TOKENWARD_CLIENT_ID",
        "TOKENWARD_CLIENT_SECRET",
        "TOKENWARD_USERNAME",
        "TOKENWARD_PASSWORD",
        "TOKENWARD_BEARER",
        "TOKENWARD_SNAPSHOT_KEY",
    ] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    fed(arguments, b"")
}

/// Runs it with something on standard input.
pub(crate) fn fed(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = tokenward();
    command.args(arguments);
    finished(&mut command, input)
}

pub(crate) fn finished(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("standard input");
    let input = input.to_vec();
    // A command that reads nothing closes its end.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    feeder.join().expect("the input is written");
    Output {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A port that refuses connections and that nobody else is given: a connection that came through it stays open.
pub(crate) struct RefusingPort {
    address: SocketAddr,
    _open: [TcpStream; 2],
}

impl RefusingPort {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let out = TcpStream::connect(address).expect("a connection");
        let (back, _) = listener.accept().expect("a connection");
        Self { address, _open: [out, back] }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

/// The answers to lines of JSON.
pub(crate) fn lines(command: &str, input: &[Value]) -> Vec<Value> {
    let text: String = input.iter().map(|line| format!("{line}\n")).collect();
    let output = fed(&[command, "--lines"], text.as_bytes());
    assert_eq!((output.status, output.err.as_str()), (0, ""));
    let answers: Vec<_> = output.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), input.len());
    answers
}

/// A command that stays, line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// None once nobody reads any more.
    out: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let out = BufReader::new(child.stdout.take().expect("standard output"));
        Self { child, out: Some(out) }
    }

    /// Closes the pipe that it writes to.
    pub(crate) fn leave(&mut self) {
        self.out = None;
    }

    /// The next line; none at the end.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.out.as_mut()?.read_line(&mut line).expect("a line");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    /// The next event of that name; those before it are passed over.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        std::iter::from_fn(|| self.line())
            .find(|event| event["event"] == name)
            .unwrap_or_else(|| panic!("no event {name}"))
    }

    pub(crate) fn send(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("a line is taken");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    pub(crate) fn end(mut self) -> i32 {
        drop(self.child.stdin.take());
        self.child.wait().expect("the command ends").code().unwrap_or(-1)
    }
}

/// `tokenward token flute` at a service of the demo, with its credentials in the environment.
pub(crate) fn flute(service: &Service, save: Option<&Path>) -> Command {
    let url = service.base_url();
    let mut command = tokenward();
    command.args(["token", "flute", "--environment", "sandbox", "--allow-loopback-http"]);
    command.args(["--base-url", url, "--api-origin", url]);
    if let Some(path) = save {
        command.arg("--save").arg(path);
    }
    presenting(&mut command, &service.credentials());
    command
}

pub(crate) fn presenting(command: &mut Command, credentials: &Credentials) {
    let variables = [
        ("TOKENWARD_CLIENT_ID", &credentials.client_id),
        ("TOKENWARD_CLIENT_SECRET", &credentials.client_secret),
        ("TOKENWARD_USERNAME", &credentials.username),
        ("TOKENWARD_PASSWORD", &credentials.password),
        ("TOKENWARD_BEARER", &credentials.bearer),
    ];
    for (name, value) in variables {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
}

/// The grants and outcomes that the token endpoint saw.
pub(crate) fn grants(service: &Service) -> Vec<(String, String)> {
    let log = service.log().into_iter();
    log.filter_map(|exchange| Some((exchange.grant_type?, exchange.outcome))).collect()
}
