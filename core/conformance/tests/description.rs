//! Providers as JSON.

use bumpalo::Bump;
use serde_json::{Value, json};
use tokenward_conformance::description::{self, Preset};

#[test]
fn what_is_written_of_a_preset_is_read_as_the_same() {
    const BASE_URL: &str = "https://host.example";
    for preset in Preset::all() {
        for provider in preset.values() {
            let written = description::write(provider, BASE_URL);
            let arena = Bump::new();
            let read =
                description::read(written.as_object().expect("an object"), &arena).expect("a provider");
            assert_eq!(description::write(&read, BASE_URL), written, "{}", preset.name());
        }
    }
}

#[test]
fn what_is_left_out_has_the_default_and_every_member_is_read() {
    let arena = Bump::new();
    let written = |object: &Value| {
        let object = arena.alloc(object.clone()).as_object().expect("an object");
        description::unchecked(object, &arena)
            .map(|provider| description::write(&provider, "https://id.example"))
    };
    let default = written(&json!({})).expect("a provider");
    for (member, value) in [
        ("name", json!("acme")),
        ("environment", json!("test")),
        ("token_url", json!("https://id.example/token")),
        ("api_origins", json!(["https://api.example"])),
        ("grants", json!(["password", "refresh_token"])),
        ("authentication", json!("post")),
        ("body", json!("json")),
        ("scope", json!("read")),
        ("member_path", json!("data[0]")),
        ("error_path", json!("detailed[0]")),
        ("members", json!({ "access_token": "token" })),
        ("expires_at", json!({ "member": "expires_on", "unit": "ms" })),
        ("refresh_expires_in", json!(["refresh_expires_in"])),
        ("refresh_idle_s", json!(600)),
        ("error_codes", json!({ "expired": "invalid_grant" })),
        ("token_type_aliases", json!(["token"])),
        ("authorization_url", json!("https://login.acme.example/authorize?prompt=consent")),
        ("device_path", json!("/device")),
        ("revocation_path", json!("/revoke")),
        ("issuer", json!("https://login.acme.example")),
        ("token_alphabet", json!("visible")),
        ("missing_lifetime", json!({ "assume": 60 })),
        ("zero_lifetime", json!("never")),
        ("routes", json!([{ "method": "GET", "path": "/v1/{site}", "token": "site" }])),
        ("exposure", json!("app_allowed")),
    ] {
        let mut expected = default.clone();
        assert_ne!(expected[member], value, "{member}");
        expected[member] = value.clone();
        assert_eq!(written(&json!({ member: value })), Ok(expected), "{member}");
    }
    let anywhere = written(&json!({ "any_https_origin": true })).expect("a provider");
    assert_eq!((&anywhere["any_https_origin"], &anywhere["api_origins"]), (&json!(true), &json!([])));
}

#[test]
fn a_member_that_is_unknown_or_says_nothing_is_refused() {
    let arena = Bump::new();
    for (object, fault) in [
        (json!({ "token_uri": "https://id.example" }), "a provider has no \"token_uri\""),
        (json!({ "grants": ["implicit"] }), "no grant \"implicit\""),
        (json!({ "authentication": "digest" }), "no authentication \"digest\""),
        (json!({ "scope": 5 }), "`scope`: 5 is no string"),
        (json!({ "policy": { "margin": 1 } }), "no policy number \"margin\""),
        (json!({ "name": "acme", "token_url": "id.example" }), "`base_url` cannot work"),
    ] {
        let object = arena.alloc(object).as_object().expect("an object");
        assert_eq!(description::read(object, &arena).err().as_deref(), Some(fault));
    }
}
