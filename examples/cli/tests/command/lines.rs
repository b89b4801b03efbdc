//! The tables of `--lines`.

use serde_json::{Value, json};

use crate::process::{Running, fed, lines, tokenward};

fn assert_lines(command: &str, table: &[(Value, Value)]) {
    let input: Vec<_> = table.iter().map(|(input, _)| input.clone()).collect();
    for ((input, expected), answer) in table.iter().zip(lines(command, &input)) {
        assert_eq!(answer, *expected, "{command} {input}");
    }
}

fn reject(reason: &str) -> Value {
    json!({ "reject": reason })
}

#[test]
fn inspect_tells_a_token_an_error_and_a_refusal() {
    let token = |members: Value| {
        let mut all = json!({ "outcome": "token", "access_token": "tok", "token_type": null, "expires_in": null,
            "refresh_token": null, "scope": null, "id_token": null });
        all.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        all
    };
    let refused = |reason: &str| json!({ "outcome": "reject", "reason": reason });
    let at = |reason: &str, offset: u64| json!({ "outcome": "reject", "reason": reason, "offset": offset });
    let body = |text: &str| json!({ "body": text });
    let flume = r#"{"access_token":"outer","data":[{"access_token":"tok","refresh_token":"r"}]}"#;
    let own = json!({ "grants": ["client_credentials"], "error_path": "detail[0]" });
    assert_lines(
        "inspect",
        &[
            (
                body(
                    r#"{"access_token":"tok","token_type":"BEARER","expires_in":"3600","refresh_token":"r","scope":["a","b"],"id_token":"i"}"#,
                ),
                token(
                    json!({ "token_type": "BEARER", "expires_in": 3600, "refresh_token": "r", "scope": "a b", "id_token": "i" }),
                ),
            ),
            (body(r#"{"access_token":"tok"}"#), token(json!({}))),
            (
                body(r#"{"access_token":"tok","expires_in":1e400}"#),
                token(json!({ "expires_in": 315_360_000 })),
            ),
            (body(r#"{"access_token":"tok","token_type":"mac"}"#), token(json!({ "token_type": "mac" }))),
            (json!({ "body_b64": "eyJhY2Nlc3NfdG9rZW4iOiJ0b2sifQ==" }), token(json!({}))),
            (json!({ "body_b64": "77u_eyJhY2Nlc3NfdG9rZW4iOiJ0b2sifQ" }), token(json!({}))),
            (
                json!({ "body": r#"{"access_token":"tok"}"#, "status": 201, "headers": [["A", "b"]], "wall": 7 }),
                token(json!({})),
            ),
            (json!({ "body": flume, "provider": "flume" }), token(json!({ "refresh_token": "r" }))),
            (
                json!({ "body": r#"{"access_token":"tok","refresh_token":"r"}"#, "provider": "flip-utility" }),
                token(json!({})),
            ),
            (
                json!({ "status": 400, "body": r#"{"error":"invalid_grant","error_uri":"u"}"# }),
                json!({ "outcome": "error", "error": "invalid_grant", "error_description": null, "error_uri": "u" }),
            ),
            (
                json!({ "status": 400, "body": r#"{"detail":["gone"]}"#, "provider": own }),
                json!({ "outcome": "error", "error": "gone", "error_description": null, "error_uri": null }),
            ),
            (body(r#"{"access_token":"t"#), at("truncated", 18)),
            (body(""), at("truncated", 0)),
            (body(r#"{"access_token":"t"}x"#), at("malformed", 20)),
            (body(&format!("{{\"a\":{}", "[".repeat(40))), at("too_deep", 36)),
            (body("<html>"), refused("not_json")),
            (body(r#"{"access_token":"t","access_token":"t"}"#), refused("duplicate_member")),
            (body(r#"{"access_token":"t t"}"#), refused("invalid_access_token")),
            (body(r#"{"access_token":"t","refresh_token":1}"#), refused("invalid_refresh_token")),
            (body(r#"{"access_token":"t","token_type":1}"#), refused("invalid_token_type")),
            (body(r#"{"access_token":"t","scope":1}"#), refused("invalid_scope_member")),
            (body(r#"{"access_token":"t","expires_in":-1}"#), refused("invalid_expires_in")),
            (body(r#"{"access_token":"t","error":"e"}"#), refused("error_beside_token")),
            (json!({ "status": 400, "body": "{}" }), refused("no_error_code")),
            (json!({ "status": 400, "body": r#"{"error":1}"# }), refused("invalid_error")),
            (json!({}), refused("bad_input")),
            (json!({ "body": 1 }), refused("bad_input")),
            (json!({ "body": "{}", "body_b64": "" }), refused("bad_input")),
            (json!({ "body_b64": "!" }), refused("bad_input")),
            (json!({ "body": "{}", "status": 70_000 }), refused("bad_input")),
            (json!({ "body": "{}", "provider": "nobody" }), refused("bad_input")),
            (json!({ "body": "{}", "provider": { "nothing": 1 } }), refused("bad_input")),
        ],
    );
}

#[test]
fn challenge_tells_schemes_and_parameters_in_lower_case() {
    let value = |value: Value| json!({ "value": value });
    assert_lines(
        "challenge",
        &[
            (
                value(json!(r#"Bearer Realm="a, \"b\"", error=invalid_token, Negotiate abc=="#)),
                json!({ "challenges": [
                    { "scheme": "bearer", "params": { "realm": "a, \"b\"", "error": "invalid_token" }, "token68": null },
                    { "scheme": "negotiate", "params": {}, "token68": "abc==" },
                ] }),
            ),
            (
                value(json!(["Basic realm=x", "Bearer"])),
                json!({ "challenges": [
                    { "scheme": "basic", "params": { "realm": "x" }, "token68": null },
                    { "scheme": "bearer", "params": {}, "token68": null },
                ] }),
            ),
            (value(json!("")), json!({ "challenges": [] })),
            (value(json!("Bearer a=b, A=c")), reject("invalid_challenge")),
            (value(json!([1])), reject("bad_input")),
            (json!({}), reject("bad_input")),
        ],
    );
}

#[test]
fn retry_after_and_date_tell_seconds() {
    assert_lines(
        "retry-after",
        &[
            (json!({ "value": "120" }), json!({ "seconds": 120 })),
            (
                json!({ "value": "Sun, 06 Nov 1994 08:49:37 GMT", "now": 784_111_717 }),
                json!({ "seconds": 60 }),
            ),
            (json!({ "value": "Sun, 06 Nov 1994 08:49:37 GMT" }), json!({ "seconds": 0 })),
            (json!({ "value": "-1" }), reject("invalid_retry_after")),
            (json!({ "value": 120 }), reject("bad_input")),
            (json!({ "value": "1", "now": "x" }), reject("bad_input")),
        ],
    );
    assert_lines(
        "date",
        &[
            (json!({ "value": "Sun, 06 Nov 1994 08:49:37 GMT" }), json!({ "unix": 784_111_777 })),
            (
                json!({ "value": "Sunday, 06-Nov-94 08:49:37 GMT", "now": 784_111_777 }),
                json!({ "unix": 784_111_777 }),
            ),
            (json!({ "value": "Sun Nov  6 08:49:37 1994" }), json!({ "unix": 784_111_777 })),
            (json!({ "value": "yesterday" }), reject("invalid_http_date")),
            (json!({}), reject("bad_input")),
        ],
    );
}

#[test]
fn jwt_tells_the_registered_claims() {
    let value = |value: &str| json!({ "value": value });
    assert_lines(
        "jwt",
        &[
            (
                value("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEzMDA4MTkzODAsInN1YiI6ImpvZSJ9.c2ln"),
                json!({ "claims": { "exp": 1_300_819_380, "iat": null, "nbf": null, "sub": "joe" } }),
            ),
            (value("a.b"), reject("invalid_jwt")),
            // {"exp":true}
            (value("e30.eyJleHAiOnRydWV9.c2ln"), reject("invalid_claim")),
            (json!({ "token": "a" }), reject("bad_input")),
        ],
    );
}

#[test]
fn request_tells_header_fields_and_body() {
    let form = json!(["Content-Type", "application/x-www-form-urlencoded"]);
    let accept = json!(["Accept", "application/json"]);
    let identity = json!(["Accept-Encoding", "identity"]);
    let client = |more: Value| {
        let mut all = json!({ "grant": "client_credentials", "client_id": "i d", "client_secret": "s&t" });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    assert_lines(
        "request",
        &[
            (
                client(json!({ "params": { "scope": "a b", "audience": "x", "resource": "y" } })),
                json!({ "headers": [["Authorization", "Basic aStkOnMlMjZ0"], form, accept, identity],
                    "body": "grant_type=client_credentials&scope=a+b&audience=x&resource=y" }),
            ),
            (
                client(json!({ "authentication": "basic", "encoding": "raw" })),
                json!({ "headers": [["Authorization", "Basic aSBkOnMmdA=="], form, accept, identity],
                    "body": "grant_type=client_credentials" }),
            ),
            (
                client(json!({ "authentication": "basic_raw" })),
                json!({ "headers": [["Authorization", "Basic aSBkOnMmdA=="], form, accept, identity],
                    "body": "grant_type=client_credentials" }),
            ),
            (
                client(json!({ "grant": "password", "authentication": "post", "encoding": "json",
                    "params": { "username": "u", "password": "\"p" } })),
                json!({ "headers": [["Content-Type", "application/json"], accept, identity],
                    "body": r#"{"grant_type":"password","username":"u","password":"\"p","client_id":"i d","client_secret":"s&t"}"# }),
            ),
            (
                client(json!({ "grant": "refresh_token", "authentication": "none",
                    "params": { "refresh_token": "r", "scope": "never" } })),
                json!({ "headers": [form, accept, identity], "body": "grant_type=refresh_token&refresh_token=r&client_id=i+d" }),
            ),
            (
                json!({ "grant": "site_token", "authentication": "bearer", "params": { "bearer": "tok" } }),
                json!({ "headers": [["Authorization", "Bearer tok"], accept, identity], "body": "" }),
            ),
            (
                // {"typ":"JWT","alg":"HS256"}.{"iss":"i d","sub":"i d","aud":"https://a.example","jti":"AAECAwQFBgcICQoLDA0ODw","iat":1,"exp":61}
                client(json!({ "authentication": "client_secret_jwt", "issuer": "https://a.example",
                    "assertion": { "random_hex": "000102030405060708090a0b0c0d0e0f", "wall": 1 } })),
                json!({ "headers": [form, accept, identity],
                    "body": "grant_type=client_credentials&client_id=i+d&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJpIGQiLCJzdWIiOiJpIGQiLCJhdWQiOiJodHRwczovL2EuZXhhbXBsZSIsImp0aSI6IkFBRUNBd1FGQmdjSUNRb0xEQTBPRHciLCJpYXQiOjEsImV4cCI6NjF9.2Xg4Lxl8KVyyy2te-qQQpVWnD6iSh-KNBz-hzURTTu8" }),
            ),
            (client(json!({ "authentication": "client_secret_jwt" })), reject("wrong_credentials")),
            (
                client(json!({ "authentication": "client_secret_jwt",
                    "assertion": { "random_hex": "000102030405060708090a0b0c0d0e0f" } })),
                reject("no_wall_clock"),
            ),
            (
                client(json!({ "assertion": { "random_hex": "+00102030405060708090a0b0c0d0e0f" } })),
                reject("bad_input"),
            ),
            (client(json!({ "params": { "grant_type": "x" } })), reject("duplicate_parameter")),
            (json!({ "grant": "client_credentials" }), reject("wrong_credentials")),
            (json!({ "grant": "implicit" }), reject("bad_input")),
            (client(json!({ "params": { "n": 1 } })), reject("bad_input")),
            (client(json!({ "encoding": "xml" })), reject("bad_input")),
            (json!({}), reject("bad_input")),
        ],
    );
}

#[test]
fn a_line_that_is_no_object_is_answered_like_any_other() {
    for command in ["challenge", "retry-after", "date", "jwt", "request"] {
        let output = fed(&[command, "--lines"], b"junk\n[]\n\n{\"value\":\"\xFF\"}\n{}");
        let bad = "{\"reject\":\"bad_input\"}\n".repeat(5);
        assert_eq!((output.status, output.out), (0, bad), "{command}");
    }
    let output = fed(&["inspect", "--lines"], b"junk\n{\"body\":\"{}\"}\n");
    let expected = "{\"outcome\":\"reject\",\"reason\":\"bad_input\"}\n\
        {\"outcome\":\"reject\",\"reason\":\"invalid_access_token\"}\n";
    assert_eq!((output.status, output.out.as_str()), (0, expected));
}

#[test]
fn a_line_is_answered_before_the_next_one_is_sent() {
    let mut running = Running::start(tokenward().args(["retry-after", "--lines"]));
    for seconds in 0..3 {
        running.send(&json!({ "value": seconds.to_string() }).to_string());
        assert_eq!(running.line(), Some(json!({ "seconds": seconds })));
    }
    assert_eq!(running.end(), 0);
}

#[test]
fn a_hundred_thousand_lines_are_answered_in_order() {
    let input: String = (0..100_000)
        .map(|n| {
            let body = format!(r#"{{"access_token":"t{n}","expires_in":{n}}}"#);
            format!("{}\n", json!({ "body": body }))
        })
        .collect();
    let output = fed(&["inspect", "--lines"], input.as_bytes());
    assert_eq!(output.status, 0);
    let mut count = 0;
    for (n, line) in output.out.lines().enumerate() {
        let start =
            format!(r#"{{"outcome":"token","access_token":"t{n}","token_type":null,"expires_in":{n},"#);
        assert!(line.starts_with(&start), "{line}");
        count += 1;
    }
    assert_eq!(count, 100_000);
}
