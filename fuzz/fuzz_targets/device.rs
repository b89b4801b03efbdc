//! Any answers to a device authorization, in any order: what `poll` says is so, and what is shown can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::grants::{DeviceAuthorization, DeviceNext, DeviceOutcome};
use tokenward::parts::ClientAuthentication;
use tokenward::{Credentials, Error, Identity, Instant, ParsedAnswer, Provider, Slots, TokenManager};

const ACME: Provider<'static> = Provider {
    name: "acme",
    base_url: Some("https://a.example"),
    token_path: Some("/token"),
    device_path: Some("/device"),
    authentication: Some(ClientAuthentication::NONE),
    ..Provider::custom()
};

#[derive(arbitrary::Arbitrary, Debug)]
enum Call<'a> {
    Sleep(u32),
    UntilPollAt,
    Start,
    Shown,
    Cancel,
    Failed,
    Code(&'a str, Option<u16>, Option<u8>),
    Answer(u16, Option<u32>, &'a [u8]),
    Clear,
}

fuzz_target!(|calls: Vec<Call<'_>>| {
    let mut now = Instant::from_millis(0);
    let slots = Slots::new([0; 64], 64);
    let mut manager = TokenManager::new(now, &ACME, Identity::CLIENT, slots, 0).expect("a manager");
    let mut device = DeviceAuthorization::new([0; 256]);
    let credentials = Credentials { client_id: "id", ..Credentials::default() };
    let mut out = [0; 2048];
    for call in calls {
        let poll = device.poll(now, &manager);
        if let Some(at) = poll.poll_at {
            assert!(at > now, "{poll:?}");
            // Nothing changes before that instant, and something does then.
            let before = Instant::from_millis(at.as_millis() - 1);
            assert_eq!(device.poll(before, &manager), poll);
            assert_ne!(device.poll(at, &manager), poll);
        }
        let begun = device.begin(now, &manager, &credentials, &[], &mut out);
        assert_eq!(begun.is_ok(), poll.next == DeviceNext::Request, "{poll:?}");
        if begun.is_ok() {
            assert_eq!(device.poll(now, &manager).next, DeviceNext::Await);
        }
        let id = begun.map_or(tokenward::RequestId(0), |(id, _)| id);
        match call {
            Call::Sleep(millis) => now = now.saturating_add_millis(millis.into()),
            Call::UntilPollAt => now = device.poll(now, &manager).poll_at.unwrap_or(now),
            Call::Start => device.start(now),
            Call::Shown => device.shown(now, &manager),
            Call::Cancel => device.cancel(),
            Call::Failed => drop(device.failed(now, &manager, id)),
            Call::Clear => manager.clear(),
            Call::Code(code, life, interval) => {
                let code = code.escape_default().to_string().replace(['\\', '"'], "");
                let life = life.map_or(String::new(), |life| format!(",\"expires_in\":{life}"));
                let interval = interval.map_or(String::new(), |every| format!(",\"interval\":{every}"));
                let body = format!(
                    r#"{{"device_code":"d","user_code":"{code}","verification_uri":"https://a.example"{life}{interval}}}"#
                );
                let answer =
                    ParsedAnswer { status: 200, retry_after: None, body: body.as_bytes(), wall: None };
                if let Ok(DeviceOutcome::Code) = device.answer(now, &mut manager, id, &answer) {
                    assert_eq!(device.user_code(), code);
                    assert!(device.expires_at().is_some_and(|end| end > now));
                }
            }
            Call::Answer(status, retry_after, body) => {
                let retry_after = retry_after.map(u64::from);
                let before = device.poll(now, &manager).next;
                let answer = ParsedAnswer { status, retry_after, body, wall: None };
                match device.answer(now, &mut manager, id, &answer) {
                    Ok(DeviceOutcome::Token(_)) => {
                        assert_eq!(device.poll(now, &manager).next, DeviceNext::Done);
                    }
                    Err(Error::StaleRequest) => {}
                    Err(_) => {
                        assert_eq!(before, DeviceNext::Await);
                        let after = device.poll(now, &manager).next;
                        assert!(matches!(after, DeviceNext::Wait | DeviceNext::Expired), "{after:?}");
                    }
                    Ok(_) => {}
                }
                assert!(!device.user_code().bytes().any(|byte| byte < b' ' || byte == 0x7F));
            }
        }
    }
});
