//! A callback is read or refused; what is refused changes nothing, and what is read names the state that was given.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::grants::{AuthorizationCode, Callback};
use tokenward::{Error, Identity, Instant, Provider, Slots, TokenManager};

const REDIRECT: &str = "http://127.0.0.1:1/a";
const ACME: Provider<'static> = Provider {
    name: "acme",
    authorization_url: Some("https://a.example/"),
    issuer: Some("https://a.example"),
    ..Provider::custom()
};
/// Of the random bytes below.
const STATE: &str = "jO4aOtXMvKop39pCOY8y9w";

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    redirect_uri: &'a str,
    raw: Option<&'a str>,
    pairs: Vec<(Name, &'a str)>,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Name {
    State,
    GoodState,
    GoodIssuer,
    Code,
    Error,
    Description,
    Issuer,
    Other,
}

fuzz_target!(|input: Input<'_>| {
    let start = Instant::from_millis(0);
    let manager = TokenManager::new(start, &ACME, Identity::CLIENT, Slots::new([0; 16], 16), 0);
    let manager = manager.expect("a manager");
    let random = core::array::from_fn(|n| n as u8);
    // Any redirect URI is taken or refused.
    if let Ok(mut sign_in) = AuthorizationCode::new(random, input.redirect_uri) {
        let _ = sign_in.callback(&manager, input.raw.unwrap_or_default());
    }
    let url = match input.raw {
        Some(raw) => format!("{REDIRECT}{raw}"),
        None => {
            let mut url = format!("{REDIRECT}?");
            for (name, value) in &input.pairs {
                let (name, value) = match name {
                    Name::State => ("state", *value),
                    Name::GoodState => ("state", STATE),
                    Name::GoodIssuer => ("iss", "https://a.example"),
                    Name::Code => ("code", *value),
                    Name::Error => ("error", *value),
                    Name::Description => ("error_description", *value),
                    Name::Issuer => ("iss", *value),
                    Name::Other => ("session_state", *value),
                };
                url.push_str(&format!("{name}={value}&"));
            }
            url
        }
    };
    let mut sign_in = AuthorizationCode::new(random, REDIRECT).expect("a sign-in");
    match sign_in.callback(&manager, &url) {
        Ok(Callback::Code(code)) => {
            assert!(url.len() > STATE.len() && !code.text().is_empty());
            assert!(code.text().bytes().all(|byte| (0x20..0x7F).contains(&byte)));
            // Read again it says the same.
            assert!(matches!(sign_in.callback(&manager, &url), Ok(Callback::Code(_))));
        }
        Ok(Callback::Error(error)) => {
            assert!(!error.error().is_empty());
            assert_eq!(sign_in.callback(&manager, &url).map(drop), Err(Error::StaleRequest));
        }
        Err(refused) => {
            assert_eq!(sign_in.callback(&manager, &url).map(drop), Err(refused));
            let good = format!("{REDIRECT}?code=a&state={STATE}&iss=https://a.example");
            assert!(matches!(sign_in.callback(&manager, &good), Ok(Callback::Code(_))));
        }
    }
});
