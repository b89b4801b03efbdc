//! One value at a time: what is printed, and the exit status.

use serde_json::json;

use crate::process::{fed, finished, run, tokenward};

#[test]
fn inspect_ends_with_0_for_a_token_1_for_an_error_and_2_for_a_refusal() {
    let token = br#"{"access_token":"tok","token_type":"Bearer","expires_in":3600}"#;
    let output = fed(&["inspect"], token);
    assert_eq!(output.status, 0);
    assert!(
        output.out.contains("3600 s  (1 h)") && output.out.contains("[redacted, 3 bytes]"),
        "{}",
        output.out
    );

    let output = fed(
        &["inspect", "--status", "400"],
        br#"{"error":"invalid_grant","error_description":"a\u001b[0m"}"#,
    );
    assert_eq!(output.status, 1);
    assert!(output.out.contains("invalid_grant") && output.out.contains(r"a\u{1b}[0m"), "{}", output.out);

    let output = fed(&["inspect", "-"], br#"{"access_token":"#);
    assert_eq!(output.status, 2);
    assert!(output.out.contains("truncated") && output.out.contains("at byte 16 of 16"), "{}", output.out);

    let output = fed(&["inspect", "--json"], token);
    assert_eq!((output.status, &output.json()["access_token"]), (0, &json!("tok")));
    let output = fed(&["inspect", "--json"], b"<html>");
    assert_eq!((output.status, output.json()), (2, json!({ "outcome": "reject", "reason": "not_json" })));
}

#[test]
fn inspect_reads_files_as_answers_of_a_provider() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("answer.json");
    std::fs::write(&file, br#"{"data":[{"access_token":"tok"}]}"#).expect("a file");
    let path = file.to_str().expect("UTF-8");
    assert_eq!(run(&["inspect", path]).status, 2);
    assert_eq!(run(&["inspect", path, "--provider", "flume"]).status, 0);
    let own = folder.path().join("provider.json");
    std::fs::write(&own, r#"{"name":"own","member_path":"data[0]"}"#).expect("a file");
    assert_eq!(run(&["inspect", path, "--provider-file", own.to_str().expect("UTF-8")]).status, 0);
    std::fs::write(&own, r#"{"name":"own","token_url":"own.example"}"#).expect("a file");
    run(&["inspect", path, "--provider-file", own.to_str().expect("UTF-8")])
        .complains(64, "`base_url` cannot work");
    run(&["inspect", "missing.json"]).complains(64, "give a readable file");
}

#[test]
fn dates_fields_and_tokens_are_read_one_at_a_time() {
    let output = run(&["date", "Sun, 06 Nov 1994 08:49:37 GMT"]);
    assert_eq!((output.status, output.out.as_str()), (0, "784111777  1994-11-06T08:49:37Z\n"));
    assert_eq!(
        run(&["date", "--json", "Sun, 06 Nov 1994 08:49:37 GMT"]).json(),
        json!({ "unix": 784_111_777 })
    );
    run(&["date", "tomorrow"]).complains(2, "invalid_http_date");

    let output = run(&["retry-after", "120", "--now", "784111777"]);
    assert_eq!((output.status, output.out.as_str()), (0, "120 s  (2 min, until 1994-11-06T08:51:37Z)\n"));
    let output = run(&["retry-after", "--json", "never"]);
    assert_eq!((output.status, output.json()), (2, json!({ "reject": "invalid_retry_after" })));

    let output = run(&["challenge", "Bearer error=\"invalid_token\"", "Basic"]);
    assert_eq!((output.status, output.out.as_str()), (0, "Bearer\n  error = invalid_token\nBasic\n"));
    run(&["challenge", "a=="]).complains(2, "invalid_challenge");

    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEzMDA4MTkzODAsInN1YiI6ImpvZSJ9.c2ln";
    let output = run(&["jwt", jwt]);
    assert!(
        output.status == 0 && output.out.contains("2011-03-22T18:43:00Z") && output.out.contains("sub  joe")
    );
    assert_eq!(fed(&["jwt", "-", "--json"], format!("{jwt}\n").as_bytes()).json()["claims"]["sub"], "joe");
    run(&["jwt", "x"]).complains(2, "invalid_jwt");
}

#[test]
fn a_request_is_shown_as_curl_or_json() {
    let output = run(&["request", "flute", "--environment", "sandbox"]);
    let expected = "curl --request POST 'https://sandbox.oauth.api.flute.com/oauth2/token' \\\n  \
        --header 'Authorization: Basic [redacted]' \\\n  \
        --header 'Content-Type: application/x-www-form-urlencoded' \\\n  \
        --header 'Accept: application/json' \\\n  \
        --header 'Accept-Encoding: identity' \\\n  \
        --data-binary 'grant_type=client_credentials&scope=offline_access'\n";
    assert_eq!((output.status, output.out.as_str()), (0, expected));
    let output =
        run(&["request", "flip_utility", "--environment", "production", "--json", "--param", "audience=a b"]);
    let body = "grant_type=client_credentials&audience=a+b&client_id=CLIENT_ID&client_secret=[redacted]";
    assert_eq!(output.json()["body"], body);
    let output = run(&["request", "flume", "--base-url", "http://flume.example"]);
    output.complains(2, "origin_not_allowed");
}

#[test]
fn a_request_shows_the_values_that_were_told_and_no_others() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("acme.json");
    let provider = r#"{"name":"acme","token_url":"https://a.example/token","grants":["client_credentials"],
        "headers":[["x-api-key","{api_key}"]],"parameters":[{"name":"tenant","value":"{tenant}"},{"name":"area","value":"{area}"}]}"#;
    std::fs::write(&path, provider).expect("a file");
    let mut command = tokenward();
    command.args(["request", "--json", "--value", "tenant=t", "--provider-file"]).arg(&path);
    let output = finished(command.env("TOKENWARD_VALUE_API_KEY", "canary-7f3a9c"), b"");
    assert_eq!(output.status, 0, "{}", output.err);
    assert!(output.out.contains(r#"["x-api-key","[redacted]"]"#), "{}", output.out);
    assert!(output.out.contains("grant_type=client_credentials&tenant=t&area=[redacted]"), "{}", output.out);
}

#[test]
fn a_client_signs_by_the_key_in_a_file_or_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let provider = file(
        "acme.json",
        r#"{"name":"acme","token_url":"https://a.example/token","grants":["client_credentials"],
        "authentication":"private_key_jwt"}"#,
    );
    // The private key of RFC 8410 section 10.3.
    let secret = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    let key = file("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"));
    let request = ["request", "--json", "--provider-file", &provider, "--client-id", "app"];
    let shown = run(&request);
    assert!(shown.out.contains("client_id=app&client_assertion_type="), "{}", shown.out);
    let by_key = [&request[..], &["--key", &key, "--key-id", "k1"]].concat();
    let hidden = run(&by_key);
    assert!(hidden.out.contains("&client_assertion=[redacted]"), "{}", hidden.out);
    let told = run(&[&by_key[..], &["--show-secrets"]].concat());
    // {"typ":"JWT","alg":"EdDSA","kid":"k1"}
    let header = "&client_assertion=eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.";
    assert!(told.out.contains(header), "{}", told.out);
    for output in [shown, hidden, told] {
        assert!(output.status == 0 && !output.out.contains(secret) && !output.err.contains(secret));
    }
    let none = file("none.pem", "no key");
    run(&[&request[..], &["--key", &none]].concat()).complains(64, "no private key in PEM");
    run(&[&by_key[..], &["--certificate", &none]].concat()).complains(64, "no certificate in PEM");
    run(&[&request[..], &["--key", "missing.pem"]].concat()).complains(64, "cannot read missing.pem");
    run(&["token", "--provider-file", &provider, "--client-id", "app"]).complains(64, "give --key FILE");
}

#[test]
fn a_mistake_in_the_command_line_is_one_line_and_64() {
    let mistakes: [(&[&str], &str); 9] = [
        (&["frob"], "unrecognized subcommand"),
        (&["inspect", "--frob"], "unexpected argument"),
        (&["date"], "required"),
        (&["demo", "nobody"], "possible values"),
        (&["token", "flute"], "wants --environment: sandbox or production; it has no default"),
        (&["token", "opower"], "wants --base-url"),
        (&["token", "flip_energy_site", "--base-url", "https://a.example"], "wants --site"),
        (
            &["request", "opower", "--base-url", "https://a.example", "--environment", "sandbox"],
            "takes no --environment",
        ),
        (&["token", "--provider-file", "missing.json"], "cannot read missing.json"),
    ];
    for (arguments, words) in mistakes {
        run(arguments).complains(64, words);
    }
    assert_eq!(run(&[]).status, 64);
    let output = run(&["--help"]);
    assert!(output.status == 0 && output.out.contains("Exit status") && output.err.is_empty());
    assert_eq!(run(&["--version"]).out, concat!("tokenward ", env!("CARGO_PKG_VERSION"), "\n"));
}
