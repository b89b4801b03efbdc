//! A secret is never printed, but by `--show-secrets`, `--lines` and `inspect --json`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use crate::process::{Output, fed, finished, tokenward};

/// What no output may hold. It stands in credentials, tokens, and what a server answers.
const CANARY: &str = "cAnArY0123456789";
/// The same as Basic writes it, whatever stands before it: a middle part of its base64.
const IN_BASE64: [&str; 3] = ["QW5BclkwMTIzNDU2Nz", "BbkFyWTAxMjM0NTY3", "jQW5BclkwMTIzNDU2Nzg5"];

fn assert_silent(what: &str, output: &Output) {
    for text in [&output.out, &output.err] {
        assert!(!text.contains(CANARY), "{what}: {text}");
        assert!(!IN_BASE64.iter().any(|part| text.contains(part)), "{what}: {text}");
    }
}

/// A service that answers every request with the same body, `count` times.
fn answering(status: &'static str, body: String, count: usize) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let server = std::thread::spawn(move || {
        for _ in 0..count {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut seen = Vec::new();
            let mut part = [0; 4096];
            while !seen.ends_with(b"}") && !String::from_utf8_lossy(&seen).contains("grant_type=") {
                let read = stream.read(&mut part).expect("a request");
                seen.extend_from_slice(&part[..read]);
            }
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    (url, server)
}

fn with_secrets(arguments: &[&str]) -> Command {
    let mut command = tokenward();
    command.args(arguments);
    command.env("TOKENWARD_CLIENT_ID", "the-id").env("TOKENWARD_USERNAME", "the-user");
    for name in ["TOKENWARD_CLIENT_SECRET", "TOKENWARD_PASSWORD", "TOKENWARD_BEARER"] {
        command.env(name, CANARY);
    }
    command
}

fn token_body() -> String {
    format!(
        r#"{{"access_token":"a{CANARY}","refresh_token":"r{CANARY}","id_token":"i{CANARY}","token_type":"Bearer","expires_in":3600}}"#
    )
}

#[test]
fn inspect_shows_no_token() {
    let body = token_body();
    for more in [&[][..], &["--provider", "flute"], &["--status", "400"], &["--provider", "flume"]] {
        let arguments: Vec<_> = ["inspect"].iter().chain(more).copied().collect();
        assert_silent("inspect", &fed(&arguments, body.as_bytes()));
    }
    let half = &body.as_bytes()[..body.len() - 3];
    assert_silent("inspect of half an answer", &fed(&["inspect"], half));
    assert_silent("inspect of a form", &fed(&["inspect"], format!("access_token={CANARY}").as_bytes()));

    let shown = fed(&["inspect", "--show-secrets"], body.as_bytes());
    assert!(shown.out.contains(CANARY) && shown.err.contains("warning: secrets follow"));
    assert!(fed(&["inspect", "--json"], body.as_bytes()).out.contains(CANARY));
}

#[test]
fn request_shows_no_secret() {
    let kinds: [&[&str]; 6] = [
        &["request", "flip_utility", "--environment", "sandbox"],
        &["request", "flume", "--base-url", "https://a.example"],
        &["request", "flume", "--base-url", "https://a.example", "--grant", "refresh_token"],
        &["request", "opower", "--base-url", "https://a.example"],
        &["request", "flute", "--environment", "sandbox", "--grant", "refresh_token"],
        &[
            "request",
            "flip_energy_site",
            "--base-url",
            "https://a.example",
            "--site",
            "s",
            "--issued-by",
            "client-token",
        ],
    ];
    for arguments in kinds {
        for more in [&[][..], &["--json"]] {
            let output = finished(with_secrets(arguments).args(more), b"");
            assert_eq!(output.status, 0, "{}", output.err);
            assert_silent("request", &output);
        }
        let shown = finished(with_secrets(arguments).arg("--show-secrets"), b"");
        assert!(shown.err.contains("warning"), "{}", shown.err);
        let basic = IN_BASE64.iter().any(|part| shown.out.contains(part));
        assert!(shown.out.contains(CANARY) || basic || arguments.contains(&"refresh_token"), "{}", shown.out);
    }
}

#[test]
fn request_shows_no_assertion() {
    let folder = tempfile::tempdir().expect("a directory");
    let described = folder.path().join("provider.json");
    for body in ["form", "json"] {
        let text = r#"{"name":"acme","token_url":"https://a.example/token","grants":["client_credentials"],
            "authentication":"client_secret_jwt","body":"BODY"}"#;
        std::fs::write(&described, text.replace("BODY", body)).expect("a file");
        let arguments = ["request", "--provider-file", described.to_str().expect("UTF-8")];
        let hidden = finished(&mut with_secrets(&arguments), b"");
        assert!(hidden.out.contains("[redacted]") && !hidden.out.contains("eyJ"), "{}", hidden.out);
        let shown = finished(with_secrets(&arguments).arg("--show-secrets"), b"");
        assert!(shown.out.contains("eyJ") && !shown.out.contains("[redacted]"), "{}", shown.out);
        assert_silent("request", &shown);
    }
}

#[test]
fn token_shows_no_secret_whatever_the_service_answers() {
    let bodies = [
        ("200 OK", token_body()),
        ("200 OK", token_body().replace("Bearer", "mac")),
        ("200 OK", token_body().replace("3600", "true")),
        ("200 OK", token_body()[..100].to_owned()),
        ("400 Bad Request", r#"{"error":"invalid_grant"}"#.to_owned()),
        ("503 Service Unavailable", token_body()),
    ];
    for (status, body) in bodies {
        for more in [&[][..], &["--json"], &["--url", "https://elsewhere.example/"]] {
            // A URL that is refused is refused before anything is sent.
            let requests = if more.contains(&"--url") { 0 } else { 1 };
            let (url, server) = answering(status, body.clone(), requests);
            let folder = tempfile::tempdir().expect("a directory");
            let arguments = ["token", "flume", "--allow-loopback-http", "--base-url", &url, "--save"];
            let output = finished(with_secrets(&arguments).arg(folder.path().join("kept")).args(more), b"");
            assert_silent("token", &output);
            server.join().expect("a server");
        }
    }
}

#[test]
fn a_mistake_shows_no_secret() {
    for arguments in [
        &["token", "opower", "--base-url", "https://a.example", "--bearer-file", "missing"][..],
        &["token", "flip_energy_client", "--base-url", "https://a.example", "--url", "https://b.example"],
        &["token", "flip_utility_api_key", "--environment", "sandbox"],
        &["providers"],
        &["replay", "missing.json"],
    ] {
        assert_silent("a mistake", &finished(&mut with_secrets(arguments), b""));
    }
    let mut bad = with_secrets(&["token", "flip_utility_api_key", "--environment", "sandbox"]);
    assert_silent(
        "a token that cannot be sent",
        &finished(bad.env("TOKENWARD_BEARER", format!("{CANARY} {CANARY}")), b""),
    );
    let mut bad =
        with_secrets(&["token", "flute", "--environment", "sandbox", "--save", "/nonexistent/kept"]);
    assert_silent("a key that is none", &finished(bad.env("TOKENWARD_SNAPSHOT_KEY", CANARY), b""));
}
