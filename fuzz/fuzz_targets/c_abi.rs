//! Calls from C in any order with anything that C can hand in: a code each, and no byte beyond what was lent.
#![no_main]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "a target lends what it keeps alive, or what must be refused"
)]

use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use libfuzzer_sys::fuzz_target;
use tokenward::Error;
use tokenward_c::*;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    provider: Preset<'a>,
    site: Span<'a>,
    slots: (u8, u8),
    memory: u8,
    storage: Storage,
    calls: Vec<Call<'a>>,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Preset<'a> {
    Custom { texts: [Span<'a>; 5], numbers: [i32; 5], booleans: [u8; 4], parts: [bool; 8], list: u8 },
    Flute,
    FlipEnergySite,
    Flume,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Storage {
    kind: u8,
    floor: u8,
    stored: u8,
    slots: u8,
    prove_room: u8,
    source: u8,
}

/// What C hands in as a span. A length that is not that of the memory is refused where that can be seen.
#[derive(arbitrary::Arbitrary, Debug, Clone, Copy)]
enum Span<'a> {
    Empty,
    Null(usize),
    TooLong,
    Bytes(&'a [u8]),
    Text(&'a str),
}

impl Span<'_> {
    fn lend(self) -> tokenward_span {
        match self {
            Span::Empty => tokenward_span { ptr: null(), len: 0 },
            Span::Null(len) => tokenward_span { ptr: null(), len },
            Span::TooLong => tokenward_span { ptr: b"x".as_ptr(), len: usize::MAX },
            Span::Bytes(bytes) => tokenward_span { ptr: bytes.as_ptr(), len: bytes.len() },
            Span::Text(text) => tokenward_span { ptr: text.as_ptr(), len: text.len() },
        }
    }
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Call<'a> {
    Sleep(u32),
    Poll,
    Begin { credentials: [Span<'a>; 5], assertion: Option<([u8; 16], u64, Span<'a>, Span<'a>)>, cap: u16 },
    Answer { id: Option<u64>, status: u16, body: Span<'a>, retry_after: Span<'a> },
    Token { refresh: bool, expires_in: u32 },
    Failed,
    Authorize { method: Span<'a>, url: Span<'a>, cap: u8 },
    Rejected { generation: u64, status: u16, challenge: Span<'a> },
    Parsed { status: u16, body: Span<'a>, retry_after_s: Option<u64>, insufficient_scope: bool },
    Install { token: [Span<'a>; 3], expires_in: Option<u64> },
    Load { key: Option<Span<'a>>, slots: Option<[Span<'a>; 2]>, count: u8 },
    Snapshot { key: Option<Span<'a>>, cap: u16 },
    Supply { token: Span<'a>, fails: bool },
    Plain(u8),
    Null(u8),
    Wipe,
    Read { status: u16, body: Span<'a>, cap: u8 },
    Challenge { field: Span<'a>, index: usize, name: Span<'a>, place: usize, cap: u8 },
    Claims { token: Span<'a>, cap: u8 },
    Dates { value: Span<'a>, wall: Option<u64> },
    Write { first: Span<'a>, second: Span<'a>, cap: u8 },
}

fn zeroed<T>() -> T {
    // Structs of C: integers and raw pointers.
    unsafe { std::mem::zeroed() }
}

fn pointer(number: &Option<u64>) -> *const u64 {
    number.as_ref().map_or(null(), |number| number)
}

const KEY: [u8; 32] = [7; 32];

fuzz_target!(|input: Input<'_>| {
    let mut provider: tokenward_provider = zeroed();
    let (list, pairs, routes);
    let mut policy: tokenward_policy = zeroed();
    let mut service: *const tokenward_service = match &input.provider {
        Preset::Custom { .. } | Preset::Flute => &tokenward_flute_sandbox,
        Preset::FlipEnergySite => &tokenward_flip_energy_site,
        Preset::Flume => &tokenward_flume,
    };
    if let Preset::Custom {
        texts: [name, base_url, token_path, member_path, alias],
        numbers,
        booleans,
        parts,
        list: len,
    } = &input.provider
    {
        let bool_of = |byte: u8| unsafe { std::mem::transmute::<u8, MaybeUninit<bool>>(byte % 3) };
        let [missing, zero, alphabet, exposure, grant] = *numbers;
        let [refresh, any, recheck, of_site] = booleans.map(bool_of);
        let [has_authentication, has_body, has_site, has_reader, has_table, has_expiry, has_policy, is_long] =
            *parts;
        list = [alias.lend()];
        pairs = [tokenward_pair { name: alias.lend(), value: Span::Text("invalid_grant").lend() }];
        routes = [tokenward_route { method: Span::Text("GET").lend(), path: alias.lend(), of_site }];
        policy.recheck = recheck;
        let len = if is_long { usize::MAX } else { usize::from(*len % 2) };
        provider.name = name.lend();
        provider.base_url = base_url.lend();
        provider.token_path = token_path.lend();
        provider.nested.member_path = member_path.lend();
        provider.token_type_aliases = tokenward_text_list { ptr: list.as_ptr(), len };
        provider.error_codes = tokenward_pair_list { ptr: pairs.as_ptr(), len };
        provider.routes.rows = tokenward_route_list { ptr: routes.as_ptr(), len };
        provider.policy = if has_policy { &policy } else { null() };
        provider.authentication = match (has_authentication, has_site) {
            (true, true) => &tokenward_authentication_client_secret_jwt,
            (true, false) => &tokenward_authentication_post,
            (false, _) => null(),
        };
        provider.body = if has_body { &tokenward_body_json } else { null() };
        provider.site = if has_site { &tokenward_site_path } else { null() };
        provider.nested.reader = if has_reader { &tokenward_nested_paths } else { null() };
        provider.routes.table = if has_table { &tokenward_route_table } else { null() };
        provider.missing_lifetime.kind = missing % 5;
        provider.missing_lifetime.expiry = if has_expiry { &tokenward_expiry_jwt } else { null() };
        provider.zero_lifetime = zero % 3;
        provider.token_alphabet = alphabet % 3;
        provider.exposure = exposure % 3;
        provider.primary_grant = grant % 6;
        (provider.refresh_grant, provider.any_https_origin) = (refresh, any);
        let size = size_of::<tokenward_provider>();
        unsafe {
            if tokenward_describe_abi(&provider, &mut service, TOKENWARD_ABI_VERSION, size) == TOKENWARD_OK {
                assert_eq!(service.cast(), &raw const provider);
                let mut fact: tokenward_span = zeroed();
                let code = tokenward_provider_check(service, &mut fact);
                assert_eq!(code == TOKENWARD_OK, fact.len == 0);
            }
        }
    }

    // Exactly as long as it must be, or too short.
    let mut block = vec![0_u64; 84 + usize::from(input.memory)];
    let size = block.len() * 8;
    let config = tokenward_config {
        service,
        site: input.site.lend(),
        environment: input.site.lend(),
        base_url: match input.provider {
            Preset::FlipEnergySite => Span::Text("https://api.example").lend(),
            _ => Span::Empty.lend(),
        },
        account: Span::Empty.lend(),
        access_capacity: input.slots.0.into(),
        refresh_capacity: input.slots.1.into(),
        now_ms: 0,
        seed: 1,
        storage: tokenward_storage {
            seal: null(),
            kind: match input.storage.kind % 3 {
                0 => null(),
                1 => &tokenward_storage_own,
                _ => &tokenward_storage_shared,
            },
            floor: input.storage.floor.into(),
            stored: i32::from(input.storage.stored % 4),
            slots: input.storage.slots % 6,
            prove_room: unsafe { std::mem::transmute::<u8, MaybeUninit<bool>>(input.storage.prove_room % 3) },
        },
        source: i32::from(input.storage.source % 4),
    };
    let mut manager: *mut tokenward_manager = null_mut();
    let config_size = size_of::<tokenward_config>();
    let made = unsafe {
        let memory = block.as_mut_ptr().cast();
        tokenward_init_abi(&mut manager, memory, size, &config, TOKENWARD_ABI_VERSION, config_size)
    };
    assert_eq!(made == TOKENWARD_OK, !manager.is_null());
    if manager.is_null() {
        // Whatever was refused, the block is none.
        manager = block.as_mut_ptr().cast();
        assert_ne!(unsafe { tokenward_reload(manager) }, TOKENWARD_OK);
    }

    let said = |manager, now| {
        let mut poll: tokenward_poll_result = zeroed();
        let _ = unsafe { tokenward_poll(manager, now, &mut poll) };
        poll.id
    };
    let mut now = 0_u64;
    let mut id = 0;
    let mut stored = Vec::new();
    let too_small = i32::from(Error::BufferTooSmall { needed: 0 }.code());
    for call in &input.calls {
        let code = unsafe {
            match call {
                Call::Sleep(by) => {
                    now = now.saturating_add(u64::from(*by));
                    TOKENWARD_OK
                }
                Call::Poll => tokenward_poll(manager, now, &mut zeroed()),
                Call::Begin { credentials: [a, b, c, d, e], assertion, cap } => {
                    let assertion =
                        assertion.map(|(random, wall_s, key_id, signature)| tokenward_assertion {
                            random,
                            wall_s,
                            key_id: key_id.lend(),
                            certificate_thumbprint: key_id.lend(),
                            algorithm: if wall_s & 1 == 0 {
                                null()
                            } else {
                                &raw const tokenward_algorithm_es256
                            },
                            signature: signature.lend(),
                        });
                    let credentials = tokenward_credentials {
                        client_id: a.lend(),
                        client_secret: b.lend(),
                        username: c.lend(),
                        password: d.lend(),
                        bearer: e.lend(),
                        assertion: assertion.as_ref().map_or(null(), |assertion| &raw const *assertion),
                    };
                    let mut out = vec![0; usize::from(*cap)];
                    let mut request: tokenward_request = zeroed();
                    let code = tokenward_begin(
                        manager,
                        now,
                        &credentials,
                        out.as_mut_ptr(),
                        out.len(),
                        &mut request,
                    );
                    if code == TOKENWARD_OK {
                        id = request.id;
                        assert!(request.len <= out.len());
                        assert!(!std::slice::from_raw_parts(request.url.ptr, request.url.len).is_empty());
                    }
                    assert!(code != too_small || request.len > out.len());
                    code
                }
                Call::Answer { id: given, status, body, retry_after } => {
                    let answer = tokenward_http_answer {
                        body: body.lend(),
                        retry_after: retry_after.lend(),
                        wall_s: &now,
                        status: *status,
                    };
                    tokenward_answer(manager, now, given.unwrap_or(id), &answer, &mut zeroed())
                }
                Call::Token { refresh, expires_in } => {
                    let refresh = if *refresh { r#","refresh_token":"r""# } else { "" };
                    let body = format!(r#"{{"access_token":"a{now}","expires_in":{expires_in}{refresh}}}"#);
                    let empty = Span::Empty.lend();
                    let body = Span::Text(&body).lend();
                    let answer =
                        tokenward_http_answer { body, retry_after: empty, wall_s: null(), status: 200 };
                    tokenward_answer(manager, now, id, &answer, &mut zeroed())
                }
                Call::Failed => tokenward_failed(manager, now, id),
                Call::Authorize { method, url, cap } => {
                    let mut out = vec![0_u8; usize::from(*cap)];
                    let mut header: tokenward_header = zeroed();
                    let (buf, len) = (out.as_mut_ptr().cast(), out.len());
                    let code =
                        tokenward_authorize(manager, now, method.lend(), url.lend(), buf, len, &mut header);
                    if code == TOKENWARD_OK {
                        assert!(out.starts_with(b"Bearer ") && out[header.len] == 0);
                    }
                    code
                }
                Call::Rejected { generation, status, challenge } => {
                    tokenward_rejected(manager, now, *generation, *status, challenge.lend(), &mut zeroed())
                }
                Call::Parsed { status, body, retry_after_s, insufficient_scope } => {
                    let answer = tokenward_parsed_answer {
                        body: body.lend(),
                        retry_after_s: pointer(retry_after_s),
                        wall_s: &now,
                        status: *status,
                    };
                    let _ = tokenward_rejected_parsed(
                        manager,
                        now,
                        1,
                        *status,
                        *insufficient_scope,
                        &mut zeroed(),
                    );
                    tokenward_answer_parsed(manager, now, id, &answer, &mut zeroed())
                }
                Call::Install { token: [access, kind, refresh], expires_in } => {
                    let token = tokenward_token {
                        access_token: access.lend(),
                        token_type: kind.lend(),
                        refresh_token: refresh.lend(),
                        expires_in_s: pointer(expires_in),
                        wall_s: &now,
                        refresh_expires_in_s: expires_in.unwrap_or_default(),
                    };
                    tokenward_install(manager, now, &token, &mut 0)
                }
                Call::Load { key, slots, count } => {
                    let key = key.unwrap_or(Span::Bytes(&KEY)).lend();
                    let slots = slots.unwrap_or([Span::Bytes(&stored), Span::Empty]).map(Span::lend);
                    let count = if *count == u8::MAX { usize::MAX } else { usize::from(*count % 3) };
                    let id = said(manager, now);
                    let code = tokenward_loaded(manager, now, &now, id, key, slots.as_ptr(), count, &mut 0);
                    let _ = tokenward_load_failed(manager, now, id);
                    code
                }
                Call::Snapshot { key, cap } => {
                    let mut out = vec![0; usize::from(*cap)];
                    let mut len = 0;
                    let key = key.unwrap_or(Span::Bytes(&KEY)).lend();
                    let id = said(manager, now);
                    let (buf, cap) = (out.as_mut_ptr(), out.len());
                    let code = tokenward_snapshot(manager, now, &now, id, key, buf, cap, &mut len);
                    assert!(code != too_small || len > cap);
                    if code == TOKENWARD_OK {
                        out.truncate(len);
                        stored = out;
                        tokenward_stored(manager, now, id)
                    } else {
                        tokenward_store_failed(manager, now, id)
                    }
                }
                Call::Supply { token, fails } => {
                    let id = said(manager, now);
                    let _ = tokenward_took(manager, now, id);
                    if *fails {
                        tokenward_supply_failed(manager, now, id, now % 2 == 0)
                    } else {
                        let token = tokenward_token { access_token: token.lend(), ..zeroed() };
                        tokenward_supplied(manager, now, id, &token, &mut 0)
                    }
                }
                Call::Plain(which) => match which % 6 {
                    0 => tokenward_reload(manager),
                    1 => tokenward_retry(manager),
                    2 => tokenward_renew(manager),
                    3 => tokenward_clear(manager),
                    4 => tokenward_revision(manager, &mut 0),
                    _ => tokenward_generation(manager, &mut 0),
                },
                Call::Null(which) => {
                    let code = match which % 6 {
                        0 => tokenward_poll(null(), now, &mut zeroed()),
                        1 => tokenward_answer(manager, now, id, null(), &mut zeroed()),
                        2 => tokenward_failed(null_mut(), now, id),
                        3 => tokenward_install(manager, now, null(), &mut 0),
                        4 => tokenward_begin(manager, now, null(), null_mut(), 9, &mut zeroed()),
                        _ => tokenward_clear(manager.byte_add(1)),
                    };
                    assert_ne!(code, TOKENWARD_OK);
                    code
                }
                Call::Wipe => {
                    assert_eq!(tokenward_wipe(manager.cast(), size), TOKENWARD_OK);
                    assert!(block.iter().all(|word| *word == 0));
                    TOKENWARD_OK
                }
                Call::Read { status, body, cap } => {
                    let mut out = vec![0; usize::from(*cap)];
                    let (buf, len) = (out.as_mut_ptr(), out.len());
                    tokenward_token_answer(*status, body.lend(), service, buf, len, &mut zeroed())
                }
                Call::Challenge { field, index, name, place, cap } => {
                    let mut out = vec![0_u8; usize::from(*cap)];
                    let (buf, len) = (out.as_mut_ptr().cast(), out.len());
                    let _ = tokenward_challenges(field.lend(), &mut 0);
                    let _ = tokenward_challenge_at(field.lend(), *index, &mut zeroed());
                    tokenward_challenge_param_at(
                        field.lend(),
                        *index,
                        name.lend(),
                        *place,
                        buf,
                        len,
                        &mut zeroed(),
                    )
                }
                Call::Claims { token, cap } => {
                    let mut out = vec![0; usize::from(*cap)];
                    tokenward_jwt_claims(token.lend(), out.as_mut_ptr(), out.len(), &mut zeroed())
                }
                Call::Dates { value, wall } => {
                    let _ = tokenward_http_date(value.lend(), pointer(wall), &mut 0);
                    tokenward_retry_after(value.lend(), pointer(wall), &mut 0)
                }
                Call::Write { first, second, cap } => {
                    let mut out = vec![0_u8; usize::from(*cap)];
                    let (buf, len) = (out.as_mut_ptr().cast(), out.len());
                    let _ = tokenward_basic(first.lend(), second.lend(), buf, len, &mut 0);
                    let _ = tokenward_basic_raw(first.lend(), second.lend(), buf, len, &mut 0);
                    let _ = tokenward_form_encode(first.lend(), buf, len, &mut 0);
                    tokenward_bearer(first.lend(), buf, len, &mut 0)
                }
            }
        };
        assert!(!unsafe { std::ffi::CStr::from_ptr(tokenward_result_name(code)) }.is_empty());
    }
});
