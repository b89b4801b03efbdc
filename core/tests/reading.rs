//! Reading a token endpoint's answer: docs/BEHAVIOUR.md section 1, line by line.

use tokenward::{
    Answer, Credentials, Error, ErrorCode, ErrorResponse, Grant, Identity, Instant, Nested, Outcome,
    OwnMembers, Provider, RequestId, Slots, TokenAlphabet, TokenAnswer, TokenManager, TokenResponse,
    providers, token_answer,
};

const START: Instant = Instant::from_millis(0);

const CUSTOM: Provider<'static> =
    Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() };

fn read<'a>(status: u16, body: &'a [u8]) -> Result<TokenAnswer<'a>, Error> {
    token_answer(status, body, &CUSTOM)
}

#[track_caller]
fn token_by<'a>(provider: &Provider<'_>, body: &'a [u8]) -> TokenResponse<'a> {
    match token_answer(200, body, provider) {
        Ok(TokenAnswer::Token(token)) => token,
        other => panic!("no token: {other:?}"),
    }
}

#[track_caller]
fn token(body: &str) -> TokenResponse<'_> {
    token_by(&CUSTOM, body.as_bytes())
}

#[track_caller]
fn error_by<'a>(provider: &Provider<'_>, status: u16, body: &'a str) -> ErrorResponse<'a> {
    match token_answer(status, body.as_bytes(), provider) {
        Ok(TokenAnswer::Error(error)) => error,
        other => panic!("no error response: {other:?}"),
    }
}

#[track_caller]
fn refused(body: &str) -> Error {
    read(200, body.as_bytes()).expect_err(body)
}

/// A good answer with more members behind the token.
fn with(members: &str) -> String {
    format!("{{\"access_token\":\"t\"{members}}}")
}

fn text(string: tokenward::JsonStr<'_>) -> String {
    String::from_utf8(string.bytes().collect()).expect("UTF-8")
}

fn expires_in(value: &str) -> Result<Option<u64>, Error> {
    match read(200, with(&format!(",\"expires_in\":{value}")).as_bytes())? {
        TokenAnswer::Token(token) => Ok(token.expires_in()),
        TokenAnswer::Error(_) => panic!("an error response"),
    }
}

/// What the default policy caps a lifetime by: ten years.
const MAX_LIFETIME_S: u64 = 315_360_000;

#[test]
fn any_2xx_status_may_carry_a_token() {
    for status in 200..300 {
        assert!(matches!(read(status, with("").as_bytes()), Ok(TokenAnswer::Token(_))), "{status}");
    }
}

#[test]
fn one_bom_and_any_white_space_may_stand_around() {
    assert_eq!(text(token("\u{FEFF} \t\r\n{ \"access_token\" :\n\"t\" } \n").access_token()), "t");
    assert_eq!(refused("\u{FEFF}\u{FEFF}{\"access_token\":\"t\"}"), Error::NotJson);
}

#[test]
fn members_stand_in_any_order_among_unknown_ones_of_any_shape() {
    let body = r#"{"x":{"access_token":5,"y":[[{}],null]},"expires_in":60,"z":-1e9,"access_token":"t","token_type":"Bearer","w":""}"#;
    assert_eq!((text(token(body).access_token()), token(body).expires_in()), ("t".into(), Some(60)));
}

#[test]
fn at_a_member_path_same_named_members_elsewhere_are_ignored() {
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    let body = br#"{"access_token":"no","data":[{"access_token":"yes","expires_in":5,"data":[{"access_token":"no"}]},{"access_token":"no"}],"expires_in":7,"other":[{"access_token":"no"}]}"#;
    let token = token_by(&flume, body);
    assert_eq!((text(token.access_token()), token.expires_in()), ("yes".into(), Some(5)));
}

#[test]
fn a_member_path_that_leads_nowhere_is_a_missing_token() {
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    for data in
        ["null", "[]", "{}", "[null]", "[[{\"access_token\":\"t\"}]]", "{\"0\":{\"access_token\":\"t\"}}"]
    {
        let body = format!("{{\"access_token\":\"t\",\"data\":{data}}}");
        assert_eq!(
            token_answer(200, body.as_bytes(), &flume).unwrap_err(),
            Error::InvalidAccessToken,
            "{data}"
        );
    }
}

#[test]
fn a_member_path_may_have_names_and_places_in_any_number() {
    let provider = Provider { nested: Nested::at(Some("a.b[1][0].c"), None), ..CUSTOM };
    let body = br#"{"a":{"x":[{"c":{"access_token":"no"}}],"b":[[{"c":{"access_token":"no"}}],[{"c":{"access_token":"yes"}},{"c":{"access_token":"no"}}],[{"c":{"access_token":"no"}}]]}}"#;
    assert_eq!(text(token_by(&provider, body).access_token()), "yes");
}

#[test]
fn a_place_in_a_path_is_digits_and_nothing_else() {
    for member_path in ["data[]", "data[a]", "data[ 0]", "data[1e0]", "data]", "data[-0]"] {
        let provider = Provider { nested: Nested::at(Some(member_path), None), ..CUSTOM };
        let body = br#"{"data":[{"access_token":"a"},{"access_token":"b"}]}"#;
        assert_eq!(
            token_answer(200, body, &provider).unwrap_err(),
            Error::InvalidAccessToken,
            "{member_path}"
        );
    }
}

#[test]
fn a_member_on_the_path_given_twice_is_a_duplicate() {
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    for data in [
        r#""data":[{"access_token":"a"}],"data":[{"access_token":"b"}]"#,
        r#""data":[{"access_token":"a"}],"data":[]"#,
        r#""data":[],"data":[{"access_token":"a"}]"#,
        r#""data":[{"access_token":"a"}],"d\u0061ta":null"#,
    ] {
        let body = format!("{{{data}}}");
        assert_eq!(token_answer(200, body.as_bytes(), &flume).unwrap_err(), Error::DuplicateMember, "{body}");
    }
    let error = br#"{"detailed":["invalid_grant"],"detailed":[]}"#;
    assert_eq!(token_answer(400, error, &flume).unwrap_err(), Error::DuplicateMember);
    // The same names in other objects are others.
    let provider = Provider { nested: Nested::at(Some("a[1].b"), None), ..CUSTOM };
    let body = br#"{"a":[{"b":{"access_token":"no"}},{"b":{"access_token":"yes"}},{"b":{}}],"b":1,"x":{"a":1,"a":2}}"#;
    assert_eq!(text(token_by(&provider, body).access_token()), "yes");
}

#[test]
fn expires_in_is_an_integer_an_integral_number_or_a_string_of_digits() {
    for (value, seconds) in [
        ("3600", 3600),
        ("3600.0", 3600),
        ("3.6e3", 3600),
        ("3599.9", 3599),
        ("\"3599\"", 3599),
        ("\"\\u0033599\"", 3599),
        ("0", 0),
        ("\"0\"", 0),
        ("315360001", MAX_LIFETIME_S),
        ("9223372036854775808", MAX_LIFETIME_S),
        ("99999999999999999999", MAX_LIFETIME_S),
        ("\"99999999999999999999\"", MAX_LIFETIME_S),
        ("1e400", MAX_LIFETIME_S),
    ] {
        assert_eq!(expires_in(value), Ok(Some(seconds)), "{value}");
    }
    assert_eq!(expires_in("null"), Ok(None));
}

#[test]
fn any_other_expires_in_is_refused() {
    for value in [
        "-1",
        "-0",
        "true",
        "false",
        "{}",
        "[3600]",
        "\"\"",
        "\"3600.0\"",
        "\" 3600 \"",
        "\"3600abc\"",
        "\"-1\"",
        "\"3599\\ud800\"",
    ] {
        assert_eq!(expires_in(value), Err(Error::InvalidExpiresIn), "{value}");
    }
}

#[test]
fn null_is_absent_for_every_member_and_an_empty_refresh_token_too() {
    let body = with(
        r#","token_type":null,"expires_in":null,"refresh_token":null,"scope":null,"id_token":null,"error":null"#,
    );
    let token = token(&body);
    assert!(token.token_type().is_none() && token.expires_in().is_none() && token.refresh_token().is_none());
    assert!(token.scope().is_none() && token.id_token().is_none());
    assert!(self::token(&with(r#","refresh_token":"""#)).refresh_token().is_none());
    assert_eq!(refused(r#"{"access_token":null}"#), Error::InvalidAccessToken);
}

#[test]
fn an_empty_error_beside_a_token_is_absent() {
    assert_eq!(text(token(&with(r#","error":"""#)).access_token()), "t");
}

#[test]
fn a_scope_is_a_string_or_an_array_of_strings_joined_by_spaces() {
    let scope = |value: &str| {
        let body = with(&format!(",\"scope\":{value},\"x\":[\"y\"]"));
        let scope = token(&body).scope().expect("a scope");
        String::from_utf8(scope.bytes().collect()).expect("UTF-8")
    };
    assert_eq!(scope("\"a b\""), "a b");
    assert_eq!(scope(r#"["a","b\u0063"]"#), "a bc");
    assert_eq!(scope("[]"), "");
    for value in [
        "1",
        "{}",
        "[1]",
        "[[\"a\"]]",
        "[null]",
        "[\"a\",{}]",
        "true",
        "\"\\ud800\"",
        "[\"\\ud800\"]",
        "\"[]\\ud800\"",
    ] {
        assert_eq!(refused(&with(&format!(",\"scope\":{value}"))), Error::InvalidScopeMember, "{value}");
    }
}

#[test]
fn a_token_type_is_shown_as_it_is_spelled_and_may_be_missing() {
    assert_eq!(text(token(&with(r#","token_type":"BEARER""#)).token_type().expect("a type")), "BEARER");
    assert!(token(&with("")).token_type().is_none());
    for value in ["1", "[]", "\"\\ud800\""] {
        assert_eq!(refused(&with(&format!(",\"token_type\":{value}"))), Error::InvalidTokenType);
    }
}

#[test]
fn every_json_escape_is_read_in_names_and_values() {
    let body = r#"{"\u0061ccess_token":"a\/b\u002B","refresh\u005ftoken":"\ud83d\ude00","id_token":"i"}"#;
    let token = token(body);
    assert_eq!(text(token.access_token()), "a/b+");
    assert_eq!(text(token.refresh_token().expect("a refresh token")), "\u{1F600}");
    assert_eq!(text(token.id_token().expect("an ID token")), "i");
}

#[test]
fn the_first_byte_decides_that_a_body_is_not_json() {
    for body in ["<html>", "access_token=tok", "[{}]", "\"tok\"", "1", "null", " \n<", "\u{FEFF}x"] {
        assert_eq!(refused(body), Error::NotJson, "{body}");
    }
}

#[test]
fn what_is_no_json_object_under_another_status_says_nothing_but_its_status() {
    let deep = "[".repeat(40);
    for body in ["", "<html>", "{\"error\":", "{\"error\":\u{1}}", &format!("{{\"a\":{deep}")] {
        for status in [0, 199, 300, 400, 503, u16::MAX] {
            let expected = Error::HttpStatus { status: usize::from(status) };
            assert_eq!(read(status, body.as_bytes()).unwrap_err(), expected, "{body}");
        }
        for status in [200, 299] {
            assert!(!matches!(read(status, body.as_bytes()), Err(Error::HttpStatus { .. })), "{body}");
        }
    }
}

#[test]
fn a_body_that_stops_early_or_holds_nothing_is_truncated() {
    for body in [
        "",
        " \n",
        "\u{FEFF}",
        "{",
        "{\"access_token\":\"t",
        "{\"access_token\":\"t\"",
        "{\"a\":tr",
        "{\"a\":\"\\u00",
    ] {
        assert_eq!(refused(body), Error::Truncated { offset: body.len() }, "{body}");
    }
    // A character cut in two.
    assert_eq!(read(200, b"{\"a\":\"\xE2\x82").unwrap_err(), Error::Truncated { offset: 8 });
}

#[test]
fn whatever_else_rfc_8259_refuses_is_malformed_at_its_byte() {
    for (body, offset) in [
        (&b"{\"access_token\":\"t\"}x"[..], 20),
        (b"{\"a\":01}", 6),
        (b"{\"a\":\"\x01\"}", 6),
        (b"{\"a\":\"\xFF\"}", 6),
        (b"{\"a\":1,}", 7),
        (b"{'a':1}", 1),
        (b"{\"a\":NaN}", 5),
        (b"{\"a\":\"\\x\"}", 7),
    ] {
        assert_eq!(read(200, body).unwrap_err(), Error::Malformed { offset }, "{body:?}");
    }
}

#[test]
fn thirty_two_open_containers_pass_and_one_more_is_too_deep() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!("{{\"x\":{open}{close},\"access_token\":\"t\"}}")
    };
    assert_eq!(text(token(&nested(32)).access_token()), "t");
    assert_eq!(refused(&nested(33)), Error::TooDeep { offset: 5 + 31 });
}

#[test]
fn a_member_that_is_read_given_twice_is_a_duplicate_also_through_escapes() {
    for name in ["access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "error"] {
        let escaped =
            name.replace('_', "\\u005f").replace("scope", "sc\\u006fpe").replace("error", "\\u0065rror");
        for (first, second) in [(name, name), (name, escaped.as_str())] {
            let body = format!("{{\"{first}\":null,\"{second}\":null,\"access_token\":\"t\"}}");
            assert_eq!(refused(&body), Error::DuplicateMember, "{body}");
        }
    }
    // Elsewhere, or unread, a name may come again.
    assert_eq!(
        text(token(r#"{"a":1,"a":2,"b":{"scope":1,"scope":2},"access_token":"t"}"#).access_token()),
        "t"
    );
}

#[test]
fn an_access_token_is_a_string_of_b64token_characters() {
    for good in ["a", "a.b-c_d~e+f/g", "abc=", "abc===", "0"] {
        assert_eq!(text(token(&format!("{{\"access_token\":\"{good}\"}}")).access_token()), good);
    }
    for bad in [
        "\"\"",
        "12345",
        "{}",
        "true",
        "\"a b\"",
        "\"a\\u0000\"",
        "\"a\\r\\nX: 1\"",
        "\"\u{f6}\"",
        "\"=\"",
        "\"a=b\"",
        "\"a|b\"",
        "\"\\ud800\"",
        "\"a\\\\b\"",
        "\"a\\\"b\"",
        "\"a,b\"",
        "\"\u{7f}\"",
    ] {
        assert_eq!(refused(&format!("{{\"access_token\":{bad}}}")), Error::InvalidAccessToken, "{bad}");
    }
    assert_eq!(refused("{}"), Error::InvalidAccessToken);
}

#[test]
fn a_provider_may_let_visible_ascii_in() {
    let visible = Provider { token_alphabet: TokenAlphabet::Visible, ..CUSTOM };
    let read = |value: String| token_answer(200, value.as_bytes(), &visible).is_ok();
    for byte in 0_u8..=0x7F {
        let escaped = format!("{{\"access_token\":\"\\u{byte:04x}\"}}");
        assert_eq!(read(escaped), (0x21..=0x7E).contains(&byte), "{byte:02x}");
    }
    assert_eq!(text(token_by(&visible, br#"{"access_token":"Atza|IwEB"}"#).access_token()), "Atza|IwEB");
    assert!(!read("{\"access_token\":\"\"}".to_owned()));
}

#[test]
fn the_alphabet_is_the_same_escaped_or_not() {
    for byte in 0x20_u8..0x7F {
        let plain = match byte {
            b'"' | b'\\' => format!("\\{}", byte as char),
            _ => char::from(byte).to_string(),
        };
        let good = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        for spelled in [plain, format!("\\u{byte:04x}")] {
            let body = format!("{{\"access_token\":\"a{spelled}b\"}}");
            assert_eq!(read(200, body.as_bytes()).is_ok(), good, "{body}");
        }
    }
}

#[test]
fn a_refresh_token_is_any_unicode_string() {
    assert_eq!(
        text(token(&with(",\"refresh_token\":\"\u{fc} |\\n\"")).refresh_token().expect("one")),
        "\u{fc} |\n"
    );
    for bad in ["1", "{}", "true", "\"\\udc00\""] {
        assert_eq!(refused(&with(&format!(",\"refresh_token\":{bad}"))), Error::InvalidRefreshToken, "{bad}");
    }
}

#[test]
fn a_refresh_token_is_read_only_where_the_provider_lists_the_grant() {
    let none = Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: false, ..CUSTOM };
    for members in [
        ",\"refresh_token\":\"r\"",
        ",\"refresh_token\":1",
        ",\"refresh_token\":\"r\",\"refresh_token\":\"s\"",
    ] {
        assert!(token_by(&none, with(members).as_bytes()).refresh_token().is_none(), "{members}");
    }
}

#[test]
fn an_error_next_to_a_token_is_refused() {
    assert_eq!(refused(&with(r#","error":"x""#)), Error::ErrorBesideToken);
    assert_eq!(refused(&with(r#","error":{}"#)), Error::InvalidError);
}

#[test]
fn a_2xx_answer_with_an_error_and_no_token_is_an_error_response() {
    let error = error_by(&CUSTOM, 200, r#"{"error":"invalid_grant","error_description":"d","error_uri":7}"#);
    assert_eq!((text(error.error()), error.code()), ("invalid_grant".into(), ErrorCode::InvalidGrant));
    assert_eq!(error.error_description().map(text), Some("d".into()));
    assert!(error.error_uri().is_none());
}

#[test]
fn every_body_under_another_status_is_an_error_answer() {
    for status in [100, 199, 300, 302, 400, 401, 404, 429, 500, 503, 599] {
        let error = error_by(
            &CUSTOM,
            status,
            r#"{"error":"e","access_token":5,"expires_in":-1,"scope":1,"scope":1}"#,
        );
        assert_eq!((text(error.error()), error.code()), ("e".into(), ErrorCode::Other));
        assert_eq!(read(status, with("").as_bytes()).unwrap_err(), Error::NoErrorCode);
    }
}

#[test]
fn an_object_without_an_error_code_has_none() {
    for body in ["{}", r#"{"error":null}"#, r#"{"error":""}"#, r#"{"message":"m"}"#] {
        assert_eq!(read(400, body.as_bytes()).unwrap_err(), Error::NoErrorCode, "{body}");
        assert_eq!(refused(body), Error::InvalidAccessToken, "{body}");
    }
}

#[test]
fn error_members_are_strings_and_stand_once() {
    for body in [
        r#"{"error":{"message":"m","code":100}}"#,
        r#"{"error":1}"#,
        r#"{"error":"\ud800"}"#,
        r#"{"error":"e","error_description":1}"#,
        r#"{"error":"e","error_uri":[]}"#,
    ] {
        assert_eq!(read(400, body.as_bytes()).unwrap_err(), Error::InvalidError, "{body}");
    }
    for name in ["error", "error_description", "error_uri"] {
        let body = format!("{{\"error\":\"e\",\"{name}\":\"x\",\"{name}\":\"x\"}}");
        assert_eq!(read(400, body.as_bytes()).unwrap_err(), Error::DuplicateMember, "{body}");
    }
}

#[test]
fn a_provider_names_another_place_for_the_error_code_and_translates_it() {
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    let error = error_by(&flume, 400, r#"{"success":false,"detailed":["invalid_grant","x"],"data":null}"#);
    assert_eq!(error.code(), ErrorCode::InvalidGrant);
    assert_eq!(text(error_by(&flume, 400, r#"{"error":"flat","detailed":["nested"]}"#).error()), "flat");
    assert_eq!(text(error_by(&flume, 400, r#"{"error":null,"detailed":["nested"]}"#).error()), "nested");

    let provider =
        Provider { error_codes: Some(&[("E42", "invalid_grant"), ("invalid_grant", "x")]), ..CUSTOM };
    assert_eq!(error_by(&provider, 400, r#"{"error":"E42"}"#).code(), ErrorCode::InvalidGrant);
    assert_eq!(text(error_by(&provider, 400, r#"{"error":"E42"}"#).error()), "E42");
    assert_eq!(error_by(&provider, 400, r#"{"error":"invalid_grant"}"#).code(), ErrorCode::Other);
}

#[test]
fn of_two_faults_the_bodys_own_come_first_then_the_order_of_the_table() {
    for (body, expected) in [
        (r#"{"access_token":5,"access_token":6,"#, Error::Truncated { offset: 35 }),
        (r#"{"access_token":5,"access_token":6,}"#, Error::Malformed { offset: 35 }),
        (r#"{"access_token":5,"access_token":6}"#, Error::DuplicateMember),
        (r#"{"access_token":5,"refresh_token":5}"#, Error::InvalidAccessToken),
        (r#"{"access_token":"t","refresh_token":5,"token_type":5}"#, Error::InvalidRefreshToken),
        (r#"{"access_token":"t","token_type":5,"scope":5}"#, Error::InvalidTokenType),
        (r#"{"access_token":"t","scope":5,"error":5}"#, Error::InvalidScopeMember),
        (r#"{"access_token":"t","error":5,"expires_in":-1}"#, Error::InvalidError),
        (r#"{"access_token":"t","error":"e","expires_in":-1}"#, Error::InvalidExpiresIn),
        (r#"{"error":"e","expires_in":-1}"#, Error::InvalidExpiresIn),
        (r#"{"access_token":"","error":"e"}"#, Error::InvalidAccessToken),
        (r#"{"error":{}}"#, Error::InvalidAccessToken),
    ] {
        assert_eq!(refused(body), expected, "{body}");
    }
    assert_eq!(read(400, br#"{"error":5,"error":5}"#).unwrap_err(), Error::DuplicateMember);
    assert_eq!(read(400, br#"{"error_uri":5}"#).unwrap_err(), Error::InvalidError);
}

/// What six existing clients make of these bodies differs; what we make of them is in the file.
#[test]
fn the_61_bodies_that_existing_clients_disagree_about_read_as_the_rules_say() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("data/token_response_cases.json")).expect("cases");
    assert_eq!(cases.len(), 61);
    for case in &cases {
        let status = case["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let found = match read(status, case["body"].as_str().expect("a body").as_bytes()) {
            Ok(TokenAnswer::Token(token)) => serde_json::json!({
                "outcome": "token",
                "access_token": text(token.access_token()),
                "token_type": token.token_type().map(text),
                "expires_in": token.expires_in(),
                "refresh_token": token.refresh_token().map(text),
                "scope": token.scope().map(|scope| String::from_utf8(scope.bytes().collect()).expect("UTF-8")),
                "id_token": token.id_token().map(text),
            }),
            Ok(TokenAnswer::Error(error)) => serde_json::json!({
                "outcome": "error",
                "error": text(error.error()),
                "error_description": error.error_description().map(text),
                "error_uri": error.error_uri().map(text),
            }),
            Err(error) => {
                let mut reject = serde_json::json!({"outcome": "reject", "reason": error.name()});
                if let Error::Truncated { offset } | Error::Malformed { offset } | Error::TooDeep { offset } =
                    error
                {
                    reject["offset"] = offset.into();
                }
                reject
            }
        };
        assert_eq!(found, case["expect"], "{}", case["name"]);
    }
}

#[test]
fn the_workloads_of_the_benchmarks_read_as_they_stand() {
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    let bodies: [(&[u8], &Provider<'_>, u64, bool); 5] = [
        (include_bytes!("data/workloads/w1.json"), &CUSTOM, 3600, false),
        (include_bytes!("data/workloads/w2.json"), &CUSTOM, 3599, false),
        (include_bytes!("data/workloads/w3.json"), &CUSTOM, 3600, true),
        (include_bytes!("data/workloads/w4.json"), &flume, 604_800, true),
        (include_bytes!("data/workloads/w5.json"), &CUSTOM, 3599, true),
    ];
    for (body, provider, seconds, refreshes) in bodies {
        let token = token_by(provider, body);
        assert_eq!((token.expires_in(), token.refresh_token().is_some()), (Some(seconds), refreshes));
    }
}

#[test]
fn no_body_of_a_few_thousand_mutations_panics_or_reads_differently_from_a_second_reader() {
    let seed = include_bytes!("data/workloads/w3.json");
    let mut state = 1_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..20_000 {
        let mut body = seed.to_vec();
        for _ in 0..=next(3) {
            let place = next(body.len());
            match next(3) {
                0 => body[place] = b"{}[]\",:\\0a \xC3\n"[next(13)],
                1 => drop(body.remove(place)),
                _ => body.insert(place, b"{}[]\",:\\0a \xC3\n"[next(13)]),
            }
        }
        let whole = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
        let ours = read(200, &body);
        let syntactic = matches!(
            ours,
            Err(Error::NotJson | Error::Truncated { .. } | Error::Malformed { .. } | Error::TooDeep { .. })
        );
        assert_eq!(
            whole && body.trim_ascii().starts_with(b"{"),
            !syntactic,
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn what_an_answer_was_outlives_the_header_fields_that_were_put_together_for_it() {
    fn hand_in<'b>(
        manager: &mut TokenManager<'_, [u8; 64]>,
        id: RequestId,
        fields: &[(String, Vec<u8>)],
        body: &'b [u8],
    ) -> Outcome<'b> {
        let headers: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let answer = Answer { status: 503, headers: &headers, body, wall: None };
        manager.answer(START, id, &answer).expect("an error response")
    }
    let slots = Slots::new([0; 64], 64);
    let mut manager = TokenManager::new(START, &providers::FLIP_UTILITY_SANDBOX, Identity::CLIENT, slots, 0)
        .expect("it fits");
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    let mut out = [0; 512];
    let (id, _) = manager.begin(START, &credentials, &mut out).expect("a request");
    let body = br#"{"error":"temporarily_unavailable"}"#;
    let outcome = hand_in(&mut manager, id, &[("Retry-After".to_owned(), b"120".to_vec())], body);
    let Outcome::Error(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(text(error.error()), "temporarily_unavailable");
    let waits_ms = manager.poll(START).poll_at.map_or(0, Instant::as_millis);
    assert!((120_000..=132_000).contains(&waits_ms), "120 s and up to a tenth more: {waits_ms}");
}

#[test]
fn members_may_have_names_of_the_services_own() {
    const NAMES: &[(&str, &str)] = &[
        ("access_token", "token"),
        ("expires_in", "expiresIn"),
        ("error", "code"),
        ("error_description", "error"),
        ("id_token", "tok\u{e9}n"),
    ];
    for (nested, wrap) in [(Nested::NONE, false), (Nested::at(Some("data[0]"), None), true)] {
        let provider = Provider { members: OwnMembers::named(NAMES), nested, ..CUSTOM };
        let at = |members: &str| {
            if wrap { format!("{{\"data\":[{{{members}}}]}}") } else { format!("{{{members}}}") }
        };
        let body =
            at(r#""t\u006fken":"t","expires_in":[],"expiresIn":60,"refresh_token":"r","tok\u00e9n":"i""#);
        let token = token_by(&provider, body.as_bytes());
        assert_eq!((text(token.access_token()), token.expires_in()), ("t".to_owned(), Some(60)));
        assert_eq!(token.refresh_token().map(text), Some("r".to_owned()));
        assert_eq!(token.id_token().map(text), Some("i".to_owned()));
        for (members, expected) in [
            (r#""access_token":"t""#, Error::InvalidAccessToken),
            (r#""token":"t","token":"t""#, Error::DuplicateMember),
            (r#""token":"t","expiresIn":true"#, Error::InvalidExpiresIn),
        ] {
            let body = at(members);
            assert_eq!(token_answer(200, body.as_bytes(), &provider).unwrap_err(), expected, "{body}");
        }
        let error = error_by(&provider, 400, r#"{"code":"invalid_grant","error":"why","error_uri":"u"}"#);
        assert_eq!(
            (text(error.error()), error.code()),
            ("invalid_grant".to_owned(), ErrorCode::InvalidGrant)
        );
        assert_eq!(error.error_description().map(text), Some("why".to_owned()));
        assert_eq!(token_answer(400, br#"{"error":"e"}"#, &provider).unwrap_err(), Error::NoErrorCode);
    }
}

#[test]
fn an_end_that_is_no_time_is_refused_where_expires_in_is_absent() {
    let provider =
        Provider { members: OwnMembers { expires_at: Some("ends"), ..OwnMembers::FOUND }, ..CUSTOM };
    let answer = |members: &str| token_answer(200, with(members).as_bytes(), &provider).map(drop);
    for time in ["1732793100", "\"1732793100\"", "1.7e9", "null", "0"] {
        assert_eq!(answer(&format!(",\"ends\":{time}")), Ok(()), "{time}");
    }
    for nonsense in ["-1", "true", "\"\"", "\"2024-11-28\"", "[]"] {
        let member = format!(",\"ends\":{nonsense}");
        assert_eq!(answer(&member), Err(Error::InvalidExpiresIn), "{nonsense}");
        assert_eq!(answer(&format!("{member},\"expires_in\":60")), Ok(()), "{nonsense}");
    }
}

#[test]
fn an_error_path_may_end_at_a_number_and_go_through_error() {
    let by = |path| Provider { nested: Nested::at(None, Some(path)), ..CUSTOM };
    for (path, body, code) in [
        ("status.code", r#"{"status":{"code":16}}"#, "16"),
        ("status", r#"{"status":-1.50}"#, "-1.50"),
        ("error", r#"{"error":7}"#, "7"),
        ("error", r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        ("error.code", r#"{"error":{"code":2,"message":"m"}}"#, "2"),
        ("error[0].code", r#"{"error":[{"code":"x"}]}"#, "x"),
        ("status.code", r#"{"status":{"code":16},"error":"flat"}"#, "flat"),
    ] {
        assert_eq!(text(error_by(&by(path), 400, body).error()), code, "{body}");
    }
    for (path, body, refused) in [
        ("error.code", r#"{"error":{"code":0}}"#, Error::NoErrorCode),
        ("error.code", r#"{"error":{"code":true}}"#, Error::InvalidError),
        ("error.code", r#"{"error":{"code":1,"code":2}}"#, Error::DuplicateMember),
        ("error", r#"{"error":{}}"#, Error::InvalidError),
        ("error", r#"{"error":1,"error":2}"#, Error::DuplicateMember),
        ("status", r#"{"error":7}"#, Error::InvalidError),
    ] {
        assert_eq!(token_answer(400, body.as_bytes(), &by(path)).unwrap_err(), refused, "{body}");
    }
    let zero = br#"{"access_token":"t","status":0}"#;
    assert_eq!(text(token_by(&by("status"), zero).access_token()), "t");
}

#[test]
fn a_body_that_begins_as_gzip_does_is_an_encoded_one() {
    assert_eq!(read(200, b"\x1f\x8b\x08").unwrap_err(), Error::EncodedBody);
    assert_eq!(read(200, b"\x1f\x8b").unwrap_err(), Error::EncodedBody);
    assert_eq!(read(503, b"\x1f\x8b").unwrap_err(), Error::HttpStatus { status: 503 });
    for other in [&b"\x1f"[..], b"\x1f{}", b" \x1f\x8b", b"\x8b\x1f"] {
        assert_eq!(read(200, other).unwrap_err(), Error::NotJson, "{other:?}");
    }
}

#[test]
fn the_least_of_what_tells_a_refresh_tokens_life_counts_and_nothing_is_refused_for_it() {
    let own = OwnMembers { refresh_expires_in: Some(&["a", "b"]), ..OwnMembers::FOUND };
    let provider = Provider { members: own, ..CUSTOM };
    for (members, life) in [
        ("", None),
        (r#","a":1800"#, Some(1800)),
        (r#","a":"1800","b":60"#, Some(60)),
        (r#","b":60,"a":0"#, Some(60)),
        (r#","a":7,"a":8"#, Some(7)),
        (r#","a":4294967295"#, Some(4_294_967_295)),
        (r#","a":4294967296,"b":1e3"#, None),
        (r#","a":-1,"b":60.0"#, None),
        (r#","a":null,"b":"""#, None),
        (r#","a":[60],"b":true"#, None),
    ] {
        let body = with(members);
        assert_eq!(token_by(&provider, body.as_bytes()).refresh_expires_in(), life, "{members}");
    }
    assert_eq!(token(r#"{"access_token":"t","refresh_expires_in":60}"#).refresh_expires_in(), None);
}
