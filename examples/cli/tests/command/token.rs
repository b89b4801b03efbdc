//! `token` against services of the demo, over sockets.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use tokenward_demo_service::{Config, Fault, Kind, Service};

use crate::process::{Output, RefusingPort, finished, flute, grants, presenting, run, tokenward};

fn service(kind: Kind) -> Service {
    Service::start(kind, Config::default()).expect("a service")
}

fn got(service: &Service, save: Option<&Path>, more: &[&str]) -> Output {
    finished(flute(service, save).args(more), b"")
}

#[test]
fn a_token_is_obtained_saved_and_taken_from_there() {
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("flute");
    let first = got(&service, Some(&file), &["--json"]);
    assert_eq!((first.status, first.err.as_str()), (0, ""));
    let first = first.json();
    assert_eq!((first["outcome"].as_str(), first["generation"].as_u64()), (Some("token"), Some(1)));
    assert!(first["usable_until"].as_u64() > first["refresh_at"].as_u64());

    let again = got(&service, Some(&file), &[]);
    assert_eq!(again.status, 0, "{}", again.err);
    assert!(again.out.starts_with("token  flute sandbox\n"), "{}", again.out);
    assert_eq!(grants(&service).len(), 1, "the second start asks nobody");

    let renewed = got(&service, Some(&file), &["--renew", "--json"]);
    assert_eq!((renewed.status, renewed.json()["generation"].as_u64()), (0, Some(2)));
    assert_eq!(grants(&service)[1], ("refresh_token".to_owned(), "token".to_owned()));
}

#[test]
fn what_is_saved_is_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("flute");
    assert_eq!(got(&service, Some(&file), &[]).status, 0);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).expect("a directory") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        names.push(entry.file_name().into_string().expect("UTF-8"));
    }
    names.sort();
    assert_eq!(names, ["flute", "flute.key", "flute.lock"]);

    let key = folder.path().join("flute.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("permissions");
    got(&service, Some(&file), &[]).complains(64, "chmod 600");
    fs::remove_file(&key).expect("a key");
    got(&service, Some(&file), &[]).complains(64, "flute.key is missing");
}

#[test]
fn what_lies_where_it_writes_is_neither_followed_nor_taken_over() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let (file, victim) = (folder.path().join("flute"), folder.path().join("victim"));
    let beside = |name: &str| folder.path().join(format!("flute{name}"));
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    fs::write(&victim, "precious").expect("a file");

    // A link, where the key and the snapshot are written and where the lock is held.
    for name in [".new", ".key.new"] {
        symlink(&victim, beside(name)).expect("a link");
    }
    symlink(folder.path().join("nowhere"), beside(".lock")).expect("a link");
    got(&service, Some(&file), &[]).complains(69, "cannot lock");
    assert!(!folder.path().join("nowhere").exists());
    fs::remove_file(beside(".lock")).expect("a link");
    assert_eq!(got(&service, Some(&file), &[]).status, 0);
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");

    // A file that others may read, which a reader may hold open.
    fs::write(beside(".new"), "").expect("a file");
    fs::set_permissions(beside(".new"), fs::Permissions::from_mode(0o666)).expect("permissions");
    let mut held = fs::File::open(beside(".new")).expect("a file");
    assert_eq!(got(&service, Some(&file), &["--renew"]).status, 0);
    assert_eq!((mode(&file), mode(&beside(".key"))), (0o600, 0o600));
    let mut seen = Vec::new();
    held.read_to_end(&mut seen).expect("a file");
    assert!(seen.is_empty(), "the snapshot was written into a file that others hold");

    // What cannot be removed.
    fs::create_dir(beside(".new")).expect("a directory");
    assert_eq!(got(&service, Some(&file), &["--renew"]).status, 0);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["flute", "flute.key", "flute.lock", "flute.new", "victim"]);
}

#[test]
fn plain_http_to_this_machine_goes_through_no_proxy_however_it_is_spelled() {
    let (service, proxy) = (service(Kind::Flute), RefusingPort::new());
    for scheme in ["http", "HTTP", "hTTp"] {
        let url = service.base_url().replacen("http", scheme, 1);
        let mut command = tokenward();
        command.args(["token", "flute", "--environment", "sandbox", "--allow-loopback-http"]);
        command.args(["--base-url", &url]);
        for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(variable, proxy.url("http"));
        }
        for variable in ["no_proxy", "NO_PROXY"] {
            command.env_remove(variable);
        }
        presenting(&mut command, &service.credentials());
        let output = finished(&mut command, b"");
        assert_eq!((output.status, output.err.as_str()), (0, ""), "{scheme}");
    }
    assert_eq!(grants(&service).len(), 3);
}

#[test]
fn a_snapshot_of_somebody_else_is_refused_and_one_that_is_damaged_starts_anew() {
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("flute");
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let with_key = |key: &str, more: &[&str]| {
        finished(flute(&service, Some(&file)).env("TOKENWARD_SNAPSHOT_KEY", key).args(more), b"")
    };
    assert_eq!(with_key(key, &[]).status, 0);
    assert!(!folder.path().join("flute.key").exists());
    with_key(&key.replace('0', "1"), &[]).complains(2, "other_snapshot_key");
    with_key("short", &[]).complains(64, "64 hexadecimal digits or as base64");

    let mut foreign = tokenward();
    foreign.args(["token", "flute", "--environment", "production", "--save"]).arg(&file);
    finished(foreign.env("TOKENWARD_SNAPSHOT_KEY", key), b"").complains(2, "foreign_snapshot");

    let mut bytes = fs::read(&file).expect("a snapshot");
    bytes[100] ^= 1;
    fs::write(&file, &bytes).expect("a snapshot");
    let damaged = with_key(key, &[]);
    damaged.complains(0, "invalid_snapshot");
    assert_eq!(grants(&service).len(), 2, "it starts anew");
    assert_eq!((with_key(key, &[]).status, grants(&service).len()), (0, 2), "which is stored");
}

#[test]
fn the_header_goes_only_where_the_provider_s_tokens_may_go() {
    let service = service(Kind::Flute);
    let url = format!("{}/v2/transactions", service.base_url());
    let output = got(&service, None, &["--url", &url]);
    assert_eq!(output.status, 0);
    assert!(output.out.contains("Authorization: Bearer [redacted, "), "{}", output.out);
    let output = got(&service, None, &["--url", &url, "--show-secrets"]);
    assert!(output.status == 0 && output.err.contains("warning"), "{}", output.err);
    let header =
        output.out.lines().find_map(|line| line.strip_prefix("Authorization: Bearer ")).expect("a header");
    assert!(header.len() > 20 && !header.contains("redacted"));
    got(&service, None, &["--url", "https://api.flute.com/v2/transactions"])
        .complains(2, "origin_not_allowed");
    got(&service, None, &["--url", "nowhere"]).complains(2, "bad_url");
}

#[test]
fn a_route_table_is_obeyed() {
    let service = service(Kind::FlipEnergy);
    let url = service.base_url();
    let client = |more: &[&str]| {
        let mut command = tokenward();
        command.args(["token", "flip_energy_client", "--allow-loopback-http", "--base-url", url]).args(more);
        presenting(&mut command, &service.credentials());
        finished(&mut command, b"")
    };
    assert_eq!(client(&["--url", &format!("{url}/v1/sites")]).status, 0);
    client(&["--url", &format!("{url}/v1/site/site-1")]).complains(2, "route_needs_other_token");
    client(&["--show-secrets"]).complains(64, "--url");
    let mut site = tokenward();
    site.args(["token", "flip_energy_site", "--issued-by", "client-token", "--site", "site-1"]);
    site.args(["--allow-loopback-http", "--base-url", url, "--url", &format!("{url}/v1/site/site-2")]);
    presenting(&mut site, &service.credentials());
    finished(&mut site, b"").complains(2, "other_site");
    assert!(service.log().is_empty(), "nothing is sent before the check");
}

#[test]
fn a_command_gets_the_header_and_none_of_the_secrets() {
    let service = service(Kind::Flute);
    let script = "test -z \"$TOKENWARD_CLIENT_SECRET\" && test -n \"$TOKENWARD_CLIENT_ID\" && \
        case $TOKENWARD_AUTHORIZATION in 'Bearer '?*) exit 7;; esac";
    let output = got(&service, None, &["--", "sh", "-c", script]);
    assert_eq!((output.status, output.out.as_str(), output.err.as_str()), (7, "", ""));
    got(&service, None, &["--", "no-such-command"]).complains(69, "cannot run no-such-command");
}

#[test]
fn the_exit_status_says_who_is_at_fault() {
    let service = service(Kind::Flute);
    // The server's own error.
    let wrong = finished(flute(&service, None).env("TOKENWARD_CLIENT_SECRET", "wrong"), b"");
    wrong.complains(1, "invalid_client");
    // An answer that the core refuses.
    service.fault(Fault::Html);
    got(&service, None, &[]).complains(2, "not_json");
    service.fault(Fault::Truncated);
    got(&service, None, &[]).complains(2, "truncated");
    // No service.
    service.fault(Fault::Status503 { retry_after: Some("120".to_owned()) });
    got(&service, None, &[]).complains(69, "try again in 2 min");
    service.fault(Fault::DropAnswer);
    got(&service, None, &[]).complains(69, "no answer");
    let refusing = RefusingPort::new();
    let mut command = tokenward();
    command.args(["token", "opower", "--allow-loopback-http", "--base-url", &refusing.url("http")]);
    presenting(&mut command, &service.credentials());
    finished(&mut command, b"").complains(69, "no answer");
    // Usage.
    let mut command = flute(&service, None);
    command.env_remove("TOKENWARD_CLIENT_SECRET");
    finished(&mut command, b"").complains(64, "TOKENWARD_CLIENT_SECRET is not set");
    let mut command = tokenward();
    command.args(["token", "opower", "--base-url", service.base_url()]);
    presenting(&mut command, &service.credentials());
    finished(&mut command, b"").complains(64, "--allow-loopback-http");
}

#[test]
fn a_usable_token_is_handed_over_although_its_refresh_fails() {
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("flute");
    assert_eq!(got(&service, Some(&file), &[]).status, 0);
    service.fault(Fault::Html);
    let output = got(&service, Some(&file), &["--renew"]);
    assert_eq!(output.status, 0);
    assert!(
        output.err.contains("warning: the kept token is still usable") && output.err.contains("not_json")
    );
}

#[test]
fn a_revoked_refresh_token_is_replaced_by_the_primary_grant() {
    let (service, folder) = (service(Kind::Flute), tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("flute");
    assert_eq!(got(&service, Some(&file), &[]).status, 0);
    service.revoke_refresh_tokens();
    assert_eq!(got(&service, Some(&file), &["--renew"]).status, 0);
    let seen = grants(&service);
    let seen: Vec<_> = seen.iter().map(|(grant, outcome)| (grant.as_str(), outcome.as_str())).collect();
    let expected = [
        ("client_credentials", "token"),
        ("refresh_token", "invalid_grant"),
        ("client_credentials", "token"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn credentials_come_from_files_too() {
    let (service, folder) = (service(Kind::Flume), tempfile::tempdir().expect("a directory"));
    let accepted = service.credentials();
    let file = |name: &str, text: Option<String>| {
        let path = folder.path().join(name);
        fs::write(&path, format!("{}\n", text.unwrap_or_default())).expect("a file");
        path
    };
    let mut command = tokenward();
    command.args(["token", "flume", "--allow-loopback-http", "--base-url", service.base_url()]);
    command.arg("--client-secret-file").arg(file("secret", accepted.client_secret));
    command.arg("--password-file").arg(file("password", accepted.password));
    command.args(["--client-id", &accepted.client_id.unwrap_or_default()]);
    command.args(["--username", &accepted.username.unwrap_or_default()]);
    let output = finished(&mut command, b"");
    assert_eq!((output.status, output.err.as_str()), (0, ""));
}

/// Answers so, one request after the other; hands over what it was sent.
fn answering(bodies: [&'static str; 2]) -> (String, std::thread::JoinHandle<[String; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let server = std::thread::spawn(move || {
        bodies.map(|body| {
            let (mut stream, _) = listener.accept().expect("a request");
            let (mut seen, mut some) = (String::new(), [0; 4096]);
            while !seen.contains("client_id=") {
                let read = stream.read(&mut some).expect("a request");
                seen.push_str(&String::from_utf8_lossy(&some[..read]));
            }
            let len = body.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).expect("an answer");
            seen
        })
    });
    (url, server)
}

#[test]
fn a_value_goes_with_the_requests_of_a_sign_in_which_says_when_it_ends() {
    let (url, server) = answering([
        r#"{"device_code":"d","user_code":"WDJB","verification_uri":"https://a.example","expires_in":60,"interval":1}"#,
        r#"{"access_token":"a","expires_in":60,"refresh_token":"r","refresh_token_expires_in":86400}"#,
    ]);
    let folder = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let provider = format!(
        r#"{{"name":"acme","token_url":"{url}/token","device_path":"/device","grants":["refresh_token"],
        "authentication":"none","headers":[["x-api-key","{{api_key}}"]],"refresh_expires_in":["refresh_token_expires_in"],
        "parameters":[{{"name":"tenant","value":"{{tenant}}","on":"device"}},{{"name":"area","value":"{{area}}","on":"code"}}]}}"#
    );
    let mut command = tokenward();
    command.args(["token", "--allow-loopback-http", "--client-id", "app", "--sign-in", "device", "--json"]);
    command.arg("--provider-file").arg(file("acme.json", &provider)).args(["--value", "tenant=t"]);
    command.arg("--value-file").arg(format!("area={}", file("area", "secret area\n").display()));
    command.env("TOKENWARD_VALUE_API_KEY", "k-1");
    let output = finished(&mut command, b"");
    assert_eq!(output.status, 0, "{}", output.err);
    let [device, code] = server.join().expect("a server");
    assert!(
        device.contains("x-api-key: k-1\r\n") && device.ends_with("\r\n\r\ntenant=t&client_id=app"),
        "{device}"
    );
    assert!(
        code.contains("x-api-key: k-1\r\n") && code.ends_with("&area=secret+area&client_id=app"),
        "{code}"
    );
    let said = output.json();
    let left = said["sign_in_by"].as_u64().zip(said["usable_until"].as_u64()).map(|(by, until)| by - until);
    assert!(left.is_some_and(|left| (86_300..86_400).contains(&left)), "{said}");
}

#[test]
fn a_value_goes_with_a_sign_out() {
    let folder = tempfile::tempdir().expect("a directory");
    let (url, server) = answering([r#"{"access_token":"a","expires_in":60}"#, ""]);
    let provider = format!(
        r#"{{"name":"acme","token_url":"{url}/token","revocation_path":"/revoke","grants":["client_credentials"],
        "authentication":"post","headers":[["x-api-key","{{api_key}}"]],
        "parameters":[{{"name":"tenant","value":"{{tenant}}","on":"revocation"}}]}}"#
    );
    let path = folder.path().join("acme.json");
    fs::write(&path, provider).expect("a file");
    for how in [None, Some("--sign-out")] {
        let mut command = tokenward();
        command
            .args(["token", "--allow-loopback-http", "--client-id", "id", "--value", "tenant=t"])
            .args(how);
        command.arg("--provider-file").arg(&path).arg("--save").arg(folder.path().join("token"));
        command.env("TOKENWARD_CLIENT_SECRET", "secret").env("TOKENWARD_VALUE_API_KEY", "k-1");
        let output = finished(&mut command, b"");
        assert_eq!(output.status, 0, "{}", output.err);
    }
    let told = &server.join().expect("a server")[1];
    assert!(
        told.starts_with("POST /revoke ")
            && told.contains("x-api-key: k-1\r\n")
            && told.contains("&tenant=t&"),
        "{told}"
    );
}

#[test]
fn a_value_that_is_missing_is_named_and_no_program_inherits_one() {
    let folder = tempfile::tempdir().expect("a directory");
    let (url, server) = answering([r#"{"access_token":"a","expires_in":60}"#; 2]);
    let provider = format!(
        r#"{{"name":"acme","token_url":"{url}/token","grants":["client_credentials"],"authentication":"post",
        "headers":[["x-api-key","{{api_key}}"]]}}"#
    );
    let path = folder.path().join("acme.json");
    fs::write(&path, provider).expect("a file");
    let start = || {
        let mut command = tokenward();
        command.args(["token", "--allow-loopback-http"]).arg("--provider-file").arg(&path);
        command.env("TOKENWARD_CLIENT_ID", "id").env("TOKENWARD_CLIENT_SECRET", "secret");
        command
    };
    finished(&mut start(), b"").complains(64, "TOKENWARD_VALUE_API_KEY is not set");
    for key in ["k-1", "k-2"] {
        let script = "test -z \"$TOKENWARD_VALUE_API_KEY\"";
        let mut command = start();
        command.env("TOKENWARD_VALUE_API_KEY", key).args(["--", "sh", "-c", script]);
        assert_eq!(finished(&mut command, b"").status, 0);
    }
    assert!(server.join().expect("a server")[1].contains("x-api-key: k-2\r\n"));
}

#[test]
fn a_redirect_is_never_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let target = url.clone();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut seen = [0; 4096];
        let _ = stream.read(&mut seen).expect("a request");
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}/elsewhere\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).expect("an answer");
        drop(stream);
        listener.set_nonblocking(true).expect("a port");
        listener.accept().is_err()
    });
    let mut command = tokenward();
    command.args(["token", "opower", "--allow-loopback-http", "--base-url", &url]);
    command.env("TOKENWARD_CLIENT_ID", "id").env("TOKENWARD_CLIENT_SECRET", "secret");
    finished(&mut command, b"").complains(2, "status 307");
    assert!(server.join().expect("a server"), "nobody came back");
}

#[test]
fn https_is_spoken_to_anyone_but_this_machine() {
    let mut command = tokenward();
    command.args(["token", "opower", "--base-url", "http://opower.example", "--allow-loopback-http"]);
    command.env("TOKENWARD_CLIENT_ID", "id").env("TOKENWARD_CLIENT_SECRET", "secret");
    finished(&mut command, b"").complains(64, "not https");
    let refusing = RefusingPort::new();
    let mut command = tokenward();
    command.args(["token", "opower", "--base-url", &refusing.url("https")]);
    command.env("TOKENWARD_CLIENT_ID", "id").env("TOKENWARD_CLIENT_SECRET", "secret");
    finished(&mut command, b"").complains(69, "");
    assert_eq!(run(&["token", "opower"]).status, 64);
}
