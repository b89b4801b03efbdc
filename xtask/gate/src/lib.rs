//! One entry for each public function of `tokenward`, for the link gate (`cargo xtask test panic-free`).
//!
//! Every argument passes through [`black_box`], so that the optimiser must assume any value. A function that is
//! not called here is not proved free of panics: add an entry with each public function.
#![no_std]

use core::hint::black_box;
use core::panic::PanicInfo;
#[cfg(feature = "snapshot")]
use tokenward::grants::{AuthorizationCode, Callback};
use tokenward::grants::{DeviceAuthorization, DeviceOutcome, Revocation};
use tokenward::parts::{
    AnswerFormat, BodyFormat, ClientAuthentication, DevicePkce, LoopbackHttp, MemberReader, NestedReader,
    RefreshLifeRules, RouteTable, SignatureAlgorithm, SitePath, TokenExpiry,
};
#[cfg(feature = "snapshot")]
use tokenward::storage::{HmacSha256, Seal};
use tokenward::storage::{Source, Storage};
use tokenward::wire::{Challenges, http_date, jwt_claims, retry_after};
use tokenward::{
    Additions, Answer, Assertion, Bearer, Credentials, Error, ErrorResponse, Generation, Grant, Identity,
    Instant, JsonStr, Options, Outcome, ParsedAnswer, Provider, RequestId, Slots, TickWidener, TokenAnswer,
    TokenManager, TokenRequest, TokenResponse, UnixTime, basic, basic_raw, ct_eq, providers, token_answer,
    wipe,
};

unsafe extern "C" {
    /// Nobody defines it: an image that can panic does not link.
    safe fn tokenward_panic_reached() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    tokenward_panic_reached()
}

/// Defines the root `tokenward_gate_…` that the linker keeps or drops.
macro_rules! entry {
    ($(#[$attribute:meta])* $name:ident, $body:block) => {
        $(#[$attribute])*
        /// A root of the link gate.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() {
            let body = || $body;
            let _ = black_box(body());
        }
    };
}

/// Bytes of any length and content, as far as the optimiser knows.
fn bytes() -> &'static [u8] {
    black_box(&[])
}

entry!(tokenward_gate_control, { bytes()[black_box(0_usize)] });

entry!(tokenward_gate_instant, {
    let instant = Instant::from_millis(black_box(0)).saturating_add_millis(black_box(0));
    instant.saturating_millis_since(Instant::from_millis(black_box(0)))
});

entry!(tokenward_gate_unix_time, {
    UnixTime::from_secs(black_box(0)).saturating_secs_since(UnixTime::from_secs(black_box(0)))
});

entry!(tokenward_gate_tick_widener, { black_box(TickWidener::new()).widen(black_box(0)) });

entry!(tokenward_gate_error, {
    let error = black_box(Error::NotJson);
    (error.name(), error.code(), error.sentence())
});

/// A buffer of any length.
fn buffer() -> &'static mut [u8] {
    black_box(&mut [])
}

/// Text of any length and content.
fn text() -> &'static str {
    black_box("")
}

/// A provider of any content.
fn provider() -> &'static Provider<'static> {
    black_box(&providers::FLUME)
}

fn identity() -> Identity<'static> {
    black_box(Identity::site(text()))
}

const ASSERTION: Assertion<'static> = Assertion {
    random: [0; 16],
    wall: UnixTime::from_secs(0),
    key_id: Some(""),
    certificate_thumbprint: Some(""),
    algorithm: Some(SignatureAlgorithm::ES256),
    signature: Some(&[]),
};

fn credentials() -> Credentials<'static> {
    Credentials {
        client_id: text(),
        client_secret: text(),
        username: text(),
        password: text(),
        bearer: text(),
        assertion: black_box(Some(&ASSERTION)),
    }
}

fn values() -> &'static [(&'static str, &'static str)] {
    black_box(&[("", ""); 2])
}

fn now() -> Instant {
    Instant::from_millis(black_box(0))
}

fn wall() -> Option<UnixTime> {
    black_box(Some(UnixTime::from_secs(0)))
}

fn string(text: JsonStr<'_>) {
    black_box((text.len(), text.is_empty(), text.ct_eq(bytes()), text.bytes().count()));
    let _ = black_box(text.copy_to(buffer()));
}

fn error_response(error: &ErrorResponse<'_>) {
    black_box((error.code().name(), error.code().code(), error.code().sentence(), error.error_uri()));
    string(error.error());
    error.error_description().map(string);
}

type Manager = TokenManager<'static, &'static mut [u8]>;

/// Storage of any kind.
fn storage() -> Option<Storage> {
    #[cfg(feature = "snapshot")]
    return black_box(Some(Storage::SHARED));
    #[cfg(not(feature = "snapshot"))]
    black_box(None)
}

/// A manager in any state.
fn manager() -> Option<Manager> {
    let slots = Slots::new(buffer(), black_box(0));
    let options = Options { storage: storage(), source: black_box(Source::Program) };
    black_box(TokenManager::with_options(now(), provider(), identity(), slots, black_box(0), options).ok())
}

entry!(tokenward_gate_token_answer, {
    match token_answer(black_box(0), bytes(), provider()) {
        Ok(TokenAnswer::Token(token)) => {
            string(token.access_token());
            token.refresh_token().map(string);
            token.token_type().map(string);
            token.id_token().map(string);
            black_box(token.expires_in());
            black_box(token.scope().map(|scope| (scope.bytes().count(), scope.parts().count())));
        }
        Ok(TokenAnswer::Error(error)) => error_response(&error),
        Err(error) => drop(black_box(error)),
    }
});

entry!(tokenward_gate_token_request, {
    let additions = Additions { values: values(), parameters: values() };
    let credentials = credentials();
    let request = TokenRequest::new(provider(), identity(), black_box(Grant::Password), &credentials)
        .with_refresh_token(text())
        .with_access_token(text())
        .with_additions(&additions)
        .write(buffer());
    if let Ok(request) = request {
        black_box((request.method(), request.url(), request.headers().count(), request.body()));
        black_box(request.parts());
        black_box((request.authorization(), request.content_type()));
    }
});

entry!(tokenward_gate_bearer, {
    let bearer = Bearer::new(text()).ok()?;
    black_box((bearer.encoded_len(), bearer.generation()));
    bearer.write(buffer()).ok()
});

entry!(tokenward_gate_basic, {
    let _ = black_box(basic(text(), text(), buffer()));
    basic_raw(text(), text(), buffer())
});

entry!(tokenward_gate_challenges, {
    if let Ok(challenges) = Challenges::parse(bytes()) {
        for challenge in challenges {
            black_box((challenge.scheme(), challenge.token68()));
            for (name, value) in challenge.params() {
                black_box((name, value.bytes().count(), value.eq_str(text())));
            }
            black_box(challenge.param(text()).map(|value| value.bytes().count()));
        }
    }
});

entry!(tokenward_gate_http_date, { http_date(bytes(), wall()) });

entry!(tokenward_gate_retry_after, { retry_after(bytes(), wall()) });

entry!(tokenward_gate_jwt_claims, {
    let claims = jwt_claims(bytes(), buffer()).ok()?;
    claims.sub.map(string);
    Some((claims.exp, claims.iat, claims.nbf))
});

entry!(tokenward_gate_secret, {
    wipe(buffer());
    ct_eq(bytes(), bytes())
});

entry!(tokenward_gate_providers, {
    black_box(providers::ALL);
    (provider().fault(), provider().policy())
});

// The functions of every part, whichever provider names it.
entry!(tokenward_gate_parts, {
    black_box((ClientAuthentication::ALL, BodyFormat::ALL, NestedReader::PATHS, MemberReader::NAMES));
    black_box((RouteTable::ROWS, RefreshLifeRules::ENDS, SignatureAlgorithm::ALL));
    (SitePath::SEGMENT, LoopbackHttp::ALLOWED, TokenExpiry::JWT, AnswerFormat::FORM, DevicePkce::ALL)
});

entry!(tokenward_gate_manager, {
    let mut manager = manager()?;
    let credentials = credentials();
    let _ = black_box((manager.poll(now()), manager.sign_in_by()));
    black_box(manager.signing_input(&credentials, buffer())).ok();
    if let Ok((id, request)) = manager.begin(now(), &credentials, buffer()) {
        black_box((id, request.url()));
    }
    let headers = [("", &b""[..]); 2];
    let headers = black_box(&headers[..]);
    let answer = Answer { status: black_box(0), headers, body: bytes(), wall: wall() };
    match manager.answer(now(), RequestId(black_box(0)), &answer) {
        Ok(Outcome::Token(generation)) => drop(black_box(generation)),
        Ok(Outcome::Error(error)) => error_response(&error),
        Err(error) => drop(black_box(error)),
    }
    let parsed =
        ParsedAnswer { status: black_box(0), retry_after: black_box(None), body: bytes(), wall: wall() };
    black_box(manager.answer_parsed(now(), RequestId(black_box(0)), &parsed).is_ok());
    black_box(manager.failed(now(), RequestId(black_box(0)))).ok();
    if let Ok(bearer) = manager.authorize(now(), text(), text()) {
        black_box(bearer.write(buffer())).ok();
    }
    let _ =
        black_box(manager.rejected(now(), Generation(black_box(0)), black_box(0), black_box(Some(bytes()))));
    let _ =
        black_box(manager.rejected_parsed(now(), Generation(black_box(0)), black_box(0), black_box(false)));
    let token = TokenResponse::new(text()).with_expires_in(black_box(0)).with_refresh_token(text());
    black_box(manager.install(now(), wall(), &token)).ok();
    black_box(manager.supplied(now(), wall(), RequestId(black_box(0)), &token)).ok();
    black_box(manager.supply_failed(now(), RequestId(black_box(0)), black_box(false))).ok();
    black_box(manager.took(now(), RequestId(black_box(0)))).ok();
    black_box((manager.generation(), manager.revision()));
    black_box(manager.state_line(now(), buffer())).ok();
    manager.retry();
    manager.renew();
    manager.clear();
    Some(manager)
});

entry!(
    #[cfg(feature = "snapshot")]
    tokenward_gate_storage,
    {
        let mut manager = manager()?;
        let key = black_box(&[0; 32]);
        let id = || RequestId(black_box(0));
        black_box(manager.loaded(now(), wall(), id(), key, black_box(&[Some(bytes()); 2][..]))).ok();
        black_box(manager.load_failed(now(), id())).ok();
        black_box(HmacSha256.hmac_sha256(key, &mut |add| add(bytes())));
        let stored = manager.snapshot(now(), wall(), id(), key, buffer());
        black_box(stored.ok().map(<[u8]>::len));
        black_box(manager.stored(now(), id())).ok();
        black_box(manager.store_failed(now(), id())).ok();
        manager.reload();
        Some(manager)
    }
);

entry!(
    #[cfg(feature = "snapshot")]
    tokenward_gate_authorization_code,
    {
        let mut manager = manager()?;
        let (credentials, key) = (credentials(), black_box(&[0; 32]));
        let mut sign_in = AuthorizationCode::new(black_box([0; 32]), text()).ok()?;
        let _ = black_box(sign_in.url(&manager, &credentials, buffer()));
        let _ = black_box(sign_in.seal(&manager, wall(), &HmacSha256, key, buffer()));
        let mut sign_in =
            black_box(AuthorizationCode::open(&manager, wall(), &HmacSha256, key, bytes())).ok()?;
        sign_in.deleted();
        let code = match sign_in.callback(&manager, text()).ok()? {
            Callback::Code(code) => code,
            Callback::Error(error) => {
                black_box((error.error().is_empty(), error.error_uri().is_some()));
                let description = error.error_description()?;
                black_box((description.ct_eq(bytes()), description.bytes().count()));
                let _ = black_box(description.copy_to(buffer()));
                return None;
            }
        };
        black_box(code.text().bytes().count());
        if let Ok(request) = sign_in.begin(now(), &manager, &credentials, values(), &code, buffer()) {
            black_box((request.url(), request.body()));
        }
        let answer =
            ParsedAnswer { status: black_box(0), retry_after: black_box(None), body: bytes(), wall: wall() };
        if let Ok(Outcome::Error(error)) = sign_in.answer(now(), &mut manager, &answer) {
            error_response(&error);
        }
        Some(manager)
    }
);

entry!(tokenward_gate_revocation, {
    let mut manager = manager()?;
    let values = [("", ""); 2];
    if let Ok(Some(request)) = manager.revoke(&credentials(), black_box(&values[..]), buffer()) {
        black_box((request.url(), request.body()));
    }
    let answer =
        ParsedAnswer { status: black_box(0), retry_after: black_box(None), body: bytes(), wall: wall() };
    if let Revocation::Refused(Some(error)) = manager.revoked(&answer) {
        error_response(&error);
    }
    Some(manager)
});

entry!(tokenward_gate_device_authorization, {
    let mut manager = manager()?;
    let credentials = credentials();
    let mut device = black_box(DeviceAuthorization::new(buffer()));
    device.start_with_random(now(), &black_box([0; 32]));
    device.shown(now(), &manager);
    let poll = device.poll(now(), &manager);
    let _ = black_box(poll);
    black_box((poll.next.name(), poll.next.code(), poll.next.sentence()));
    if let Ok((id, request)) = device.begin(now(), &manager, &credentials, values(), buffer()) {
        black_box((id, request.url(), request.body()));
    }
    let id = || RequestId(black_box(0));
    let answer =
        ParsedAnswer { status: black_box(0), retry_after: black_box(None), body: bytes(), wall: wall() };
    if let Ok(DeviceOutcome::Error(error)) = device.answer(now(), &mut manager, id(), &answer) {
        error_response(&error);
    }
    black_box(device.failed(now(), &manager, id())).ok();
    black_box((device.user_code(), device.verification_uri(), device.verification_uri_complete()));
    black_box(device.expires_at());
    device.cancel();
    Some(manager)
});
