//! The program, as a test in another language runs it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::http::send;

fn run(arguments: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokenward-demo-service"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn exit_code(arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenward-demo-service"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().code()
}

#[test]
fn one_line_says_where_all_services_are_and_closing_standard_input_ends_them() {
    let (mut child, line) = run(&["--print-json"]);
    let services = line["services"].as_array().unwrap();
    let kinds: Vec<_> = services.iter().map(|service| service["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["flip_utility", "flip_energy", "flume", "opower", "flute"]);
    assert_eq!(services[3]["utility_code"], "UTIL");
    assert_eq!(services[1]["sites"][0], "site-1");
    assert_eq!(services[4]["environments"]["sandbox"], services[4]["base_url"]);
    for service in services {
        let url = format!("{}/_demo/log", service["base_url"].as_str().unwrap());
        assert_eq!(send("GET", &url, &[], "").status, 200);
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_printed_credentials_get_a_token() {
    let (mut child, line) = run(&["--kind", "flume", "--port=0", "--lifetime", "7", "--print-json"]);
    let service = &line["services"][0];
    assert_eq!(line["services"].as_array().unwrap().len(), 1);
    let mut body = service["credentials"].clone();
    body["grant_type"] = "password".into();
    let url = service["token_url"].as_str().unwrap();
    let answer = send("POST", url, &[("content-type", "application/json")], &body.to_string());
    assert_eq!(answer.tokens()["expires_in"], 7);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
#[cfg(unix)]
fn sigterm_ends_it_in_order() {
    let (mut child, _) = run(&["--kind=opower", "--print-json"]);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_seed_makes_two_runs_alike() {
    let tokens = [(), ()].map(|()| {
        let (mut child, line) =
            run(&["--kind", "flip-energy", "--seed", "7", "--speed", "0", "--print-json"]);
        let service = &line["services"][0];
        let url = service["token_url"].as_str().unwrap().replace("{site}", "site-2");
        let field = format!("Bearer {}", service["credentials"]["bearer"].as_str().unwrap());
        let token = send("POST", &url, &[("authorization", &field)], "").access_token();
        drop(child.stdin.take());
        child.wait().unwrap();
        token
    });
    assert_eq!(tokens[0], tokens[1]);
}

#[test]
fn a_mistake_on_the_command_line_is_a_usage_error() {
    for arguments in [
        &["--kind", "flue"][..],
        &["--kind"],
        &["--port", "70000", "--kind", "flume"],
        &["--port", "8000"],
        &["--speed", "-1"],
        &["--speed", "NaN"],
        &["--print-json=yes"],
        &["everything"],
    ] {
        assert_eq!(exit_code(arguments), Some(64), "{arguments:?}");
    }
    assert_eq!(exit_code(&["--help"]), Some(0));
}
