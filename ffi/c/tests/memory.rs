//! What C does, done from Rust, for Miri: that references are made of nothing but what they may be made of.
//! `cargo +nightly miri test --package tokenward-c --features snapshot`. The promises themselves are tested in C.
#![cfg(feature = "snapshot")]
#![expect(clippy::undocumented_unsafe_blocks, reason = "a test keeps its memory alive")]

use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use tokenward::Error;
use tokenward::storage::Found;
use tokenward_c::*;

const ACCESS: usize = 16;
const REFRESH: usize = 8;
const BODY: &[u8] = br#"{"access_token":"first","token_type":"x y","expires_in":60,"refresh_token":"a\/b","scope":["p","q"]}"#;
const NONE: tokenward_span = tokenward_span { ptr: null(), len: 0 };

fn span(bytes: &[u8]) -> tokenward_span {
    tokenward_span { ptr: bytes.as_ptr(), len: bytes.len() }
}

fn zeroed<T>() -> T {
    // Structs of C: integers and raw pointers.
    unsafe { std::mem::zeroed() }
}

/// Memory on the heap, exactly as long as it must be, so that Miri sees a step beyond it.
struct Block {
    words: Vec<u64>,
}

impl Block {
    fn new(words: usize) -> Self {
        Self { words: vec![0; words] }
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    fn manager(&mut self) -> *mut tokenward_manager {
        self.words.as_mut_ptr().cast()
    }

    /// The same in other memory, and nothing here.
    fn moved(mut self) -> Self {
        let other = Self { words: self.words.clone() };
        assert_eq!(unsafe { tokenward_wipe(self.manager().cast(), self.bytes()) }, TOKENWARD_OK);
        other
    }
}

/// A manager in the smallest block that takes it.
fn init(config: &tokenward_config) -> Block {
    (0..)
        .find_map(|words| {
            let mut block = Block::new(words);
            let mut out = null_mut();
            let (memory, size) = (block.manager().cast(), block.bytes());
            let config_size = size_of::<tokenward_config>();
            let result = unsafe {
                tokenward_init_abi(&mut out, memory, size, config, TOKENWARD_ABI_VERSION, config_size)
            };
            match result {
                TOKENWARD_OK => {
                    assert_eq!(out, block.manager());
                    Some(block)
                }
                other => {
                    assert_eq!(other, i32::from(Error::BufferTooSmall { needed: 0 }.code()));
                    None
                }
            }
        })
        .expect("a manager")
}

#[test]
fn a_manager_lives_in_its_block_wherever_that_is() {
    let origins = [span(b"https://api.example"), span(b"https://other.example")];
    let aliases = [span(b"x"), span(b"x y")];
    let codes = [tokenward_pair { name: span(b"own"), value: span(b"invalid_client") }];
    let of_site = MaybeUninit::new(true);
    let routes = [
        tokenward_route { method: span(b"GET"), path: span(b"/{a}"), of_site },
        tokenward_route { method: span(b"PUT"), path: span(b"/{site}"), of_site },
    ];
    let policy = tokenward_policy {
        fraction_permille: 800,
        response_timeout_ms: 30_000,
        min_interval_ms: 0,
        first_backoff_ms: 2_000,
        max_backoff_ms: 300_000,
        max_lifetime_s: 3600,
        refresh_attempts: 3,
        ..zeroed()
    };
    let key = [7; 32];
    let wall = 1_700_000_000;
    let mut provider: Box<tokenward_provider> = Box::new(zeroed());
    provider.name = span(b"acme");
    provider.token_path = span(b"/{site}");
    provider.api_origins = tokenward_text_list { ptr: origins.as_ptr(), len: origins.len() };
    provider.token_type_aliases = tokenward_text_list { ptr: aliases.as_ptr(), len: aliases.len() };
    provider.error_codes = tokenward_pair_list { ptr: codes.as_ptr(), len: codes.len() };
    provider.policy = &policy;
    provider.authentication = &tokenward_authentication_basic;
    provider.site = &tokenward_site_path;
    provider.routes.table = &tokenward_route_table;
    provider.routes.rows = tokenward_route_list { ptr: routes.as_ptr(), len: routes.len() };
    provider.missing_lifetime = tokenward_missing_lifetime {
        kind: TOKENWARD_LIFETIME_TOLD,
        seconds: 60,
        expiry: &tokenward_expiry_jwt,
    };
    provider.primary_grant = TOKENWARD_GRANT_PASSWORD;
    provider.refresh_grant = MaybeUninit::new(true);
    let mut service = null();
    let described = unsafe {
        tokenward_describe_abi(
            &*provider,
            &mut service,
            TOKENWARD_ABI_VERSION,
            size_of::<tokenward_provider>(),
        )
    };
    assert_eq!((described, service.cast()), (TOKENWARD_OK, &raw const *provider));
    let mut fact = span(b"");
    assert_eq!(unsafe { tokenward_provider_check(service, &mut fact) }, TOKENWARD_OK);
    let config = tokenward_config {
        service,
        site: span(b"s 1"),
        base_url: span(b"https://login.example"),
        access_capacity: ACCESS,
        refresh_capacity: REFRESH,
        storage: tokenward_storage { kind: &tokenward_storage_own, slots: 2, ..zeroed() },
        ..zeroed()
    };
    let mut block = init(&config);
    let polled = |block: &mut Block, now| {
        let mut poll: tokenward_poll_result = zeroed();
        assert_eq!(unsafe { tokenward_poll(block.manager(), now, &mut poll) }, TOKENWARD_OK);
        poll
    };
    let load = |block: &mut Block, now, slots: &[tokenward_span]| {
        let id = polled(block, now).id;
        let mut found = 0;
        let (manager, key) = (block.manager(), span(&key));
        let loaded = unsafe {
            tokenward_loaded(manager, now, &wall, id, key, slots.as_ptr(), slots.len(), &mut found)
        };
        assert_eq!(loaded, TOKENWARD_OK);
        found
    };
    assert_eq!(load(&mut block, 0, &[NONE, NONE]), i32::from(Found::Empty.code()));

    let credentials = tokenward_credentials {
        client_id: span(b"id"),
        client_secret: span(b"secret"),
        username: span(b"user"),
        password: span(b"word"),
        bearer: NONE,
        assertion: null(),
    };
    let mut buf = vec![0_u8; 256];
    let mut request: tokenward_request = zeroed();
    let begun = unsafe {
        tokenward_begin(block.manager(), 0, &credentials, buf.as_mut_ptr(), buf.len(), &mut request)
    };
    assert_eq!(begun, TOKENWARD_OK);
    let url = unsafe { std::slice::from_raw_parts(request.url.ptr, request.url.len) };
    assert_eq!(url, b"https://login.example/s%201");

    block = block.moved();
    let answer =
        tokenward_http_answer { body: span(BODY), retry_after: span(b"1"), wall_s: &wall, status: 200 };
    let mut outcome: tokenward_outcome = zeroed();
    let answered = unsafe { tokenward_answer(block.manager(), 1, request.id, &answer, &mut outcome) };
    assert_eq!((answered, outcome.kind, outcome.generation), (TOKENWARD_OK, TOKENWARD_ANSWER_TOKEN, 1));

    block = block.moved();
    let (mut snapshot, mut len) = (vec![0_u8; 256], 0);
    let id = polled(&mut block, 2).id;
    let taken = unsafe {
        let (manager, key, buf) = (block.manager(), span(&key), &mut snapshot);
        tokenward_snapshot(manager, 2, &wall, id, key, buf.as_mut_ptr(), buf.len(), &mut len)
    };
    assert_eq!(taken, TOKENWARD_OK);
    assert_eq!(unsafe { tokenward_stored(block.manager(), 2, id) }, TOKENWARD_OK);

    block = block.moved();
    let (method, url) = (span(b"GET"), span(b"https://other.example/v1"));
    let mut header: tokenward_header = zeroed();
    let authorized = unsafe {
        tokenward_authorize(block.manager(), 2, method, url, buf.as_mut_ptr().cast(), buf.len(), &mut header)
    };
    assert_eq!((authorized, &buf[..header.len]), (TOKENWARD_OK, &b"Bearer first"[..]));

    block = init(&config);
    assert_eq!(load(&mut block, 4, &[span(&snapshot[..len]), NONE]), i32::from(Found::Taken.code()));
    assert!(polled(&mut block, 5).usable);
    assert_eq!(
        unsafe { tokenward_failed(block.manager(), 6, request.id) },
        i32::from(Error::StaleRequest.code())
    );
    let mut retry: tokenward_retry_result = zeroed();
    let challenge = span(b"Bearer error=\"invalid_token\"");
    let rejected = unsafe { tokenward_rejected(block.manager(), 7, 1, 401, challenge, &mut retry) };
    assert_eq!((rejected, retry.kind), (TOKENWARD_OK, tokenward::Retry::AfterRefresh.code().into()));
}

/// A device's own HMAC-SHA-256; its state is on the heap, so that Miri sees who uses it.
mod device {
    use std::ffi::c_void;

    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;
    use tokenward_c::tokenward_seal;

    pub(super) type State = Option<Hmac<Sha256>>;

    unsafe fn begun<'s>(state: *mut c_void) -> &'s mut State {
        unsafe { &mut *state.cast() }
    }

    pub(super) unsafe extern "C" fn start(state: *mut c_void, key: *const u8) {
        let key = unsafe { std::slice::from_raw_parts(key, 32) };
        *unsafe { begun(state) } = Hmac::new_from_slice(key).ok();
    }

    pub(super) unsafe extern "C" fn add(state: *mut c_void, bytes: *const u8, len: usize) {
        let bytes = unsafe { std::slice::from_raw_parts(bytes, len) };
        unsafe { begun(state) }.as_mut().expect("started").update(bytes);
    }

    pub(super) unsafe extern "C" fn finish(state: *mut c_void, tag: *mut u8) {
        let hmac = unsafe { begun(state) }.take().expect("started");
        unsafe { tag.cast::<[u8; 32]>().write(hmac.finalize().into_bytes().into()) };
    }

    pub(super) fn seal(state: &mut State) -> tokenward_seal {
        tokenward_seal {
            start: Some(start),
            add: Some(add),
            finish: Some(finish),
            state: (&raw mut *state).cast(),
        }
    }
}

fn due(block: &mut Block) -> u64 {
    let mut poll: tokenward_poll_result = zeroed();
    assert_eq!(unsafe { tokenward_poll(block.manager(), 0, &mut poll) }, TOKENWARD_OK);
    poll.id
}

/// What was found, or why that was refused: their numbers differ.
fn loaded(block: &mut Block, slots: &[tokenward_span]) -> i32 {
    let (id, mut found) = (due(block), 0);
    let result = unsafe {
        let (manager, key) = (block.manager(), span(&[7; 32]));
        tokenward_loaded(manager, 0, null(), id, key, slots.as_ptr(), slots.len(), &mut found)
    };
    if result == TOKENWARD_OK { found } else { result }
}

#[test]
fn a_seal_of_the_callers_own_seals_what_this_librarys_opens_and_opens_what_that_seals() {
    let mut state: device::State = None;
    let seal = device::seal(&mut state);
    let ours = tokenward_config {
        service: &tokenward_flute_sandbox,
        access_capacity: ACCESS,
        refresh_capacity: REFRESH,
        storage: tokenward_storage { kind: &tokenward_storage_own, slots: 2, ..zeroed() },
        ..zeroed()
    };
    let kind = &raw const tokenward_storage_own_with_seal;
    let own = tokenward_config { storage: tokenward_storage { kind, seal: &seal, ..ours.storage }, ..ours };
    let shared = tokenward_storage { kind: &tokenward_storage_shared_with_seal, ..own.storage };
    let shared = tokenward_config { storage: shared, ..ours };
    let token = tokenward_token { access_token: span(b"first"), refresh_token: span(b"r"), ..zeroed() };
    for (writer, reader) in [(&ours, &own), (&own, &ours), (&own, &shared)] {
        let mut block = init(writer);
        assert_eq!(loaded(&mut block, &[NONE, NONE]), i32::from(Found::Empty.code()));
        let mut generation = 0;
        let installed = unsafe { tokenward_install(block.manager(), 0, &token, &mut generation) };
        assert_eq!(installed, TOKENWARD_OK);
        let (mut snapshot, mut len) = (vec![0_u8; 256], 0);
        let id = due(&mut block);
        let taken = unsafe {
            let (manager, key, buf) = (block.manager(), span(&[7; 32]), &mut snapshot);
            tokenward_snapshot(manager, 0, null(), id, key, buf.as_mut_ptr(), buf.len(), &mut len)
        };
        assert_eq!(taken, TOKENWARD_OK);
        let mut block = init(reader);
        assert_eq!(loaded(&mut block, &[span(&snapshot[..len]), NONE]), i32::from(Found::Taken.code()));
        snapshot[60] ^= 1;
        let mut block = init(reader);
        let changed = loaded(&mut block, &[span(&snapshot[..len]), NONE]);
        assert_eq!(changed, i32::from(Error::InvalidSnapshot.code()));
    }
}

#[test]
fn what_is_read_and_written_without_a_manager_stays_where_it_is() {
    let mut buf = vec![0_u8; 6];
    let mut read: tokenward_token_answer_result = zeroed();
    let result = unsafe {
        let service = &tokenward_flute_sandbox;
        tokenward_token_answer(200, span(BODY), service, buf.as_mut_ptr(), buf.len(), &mut read)
    };
    assert_eq!((result, read.len), (TOKENWARD_OK, 6));
    assert_eq!(buf, b"a/bp q");
    assert!(read.access_token.ptr > BODY.as_ptr() && read.access_token.len == 5);

    let field = b"Bearer realm=\"a \\\"b\\\"\", Basic eA==".to_vec();
    let (mut count, mut challenge, mut param) = (0, zeroed(), zeroed());
    let field = span(&field);
    assert_eq!(unsafe { tokenward_challenges(field, &mut count) }, TOKENWARD_OK);
    assert_eq!(unsafe { tokenward_challenge_at(field, count - 1, &mut challenge) }, TOKENWARD_OK);
    let result = unsafe {
        let (name, buf, cap) = (span(b"REALM"), buf.as_mut_ptr().cast(), buf.len());
        tokenward_challenge_param_at(field, 0, name, 0, buf, cap, &mut param)
    };
    assert_eq!((result, &buf[..]), (TOKENWARD_OK, &b"a \"b\"\0"[..]));

    // {"sub":"a\/b"}
    let token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhXC9iIn0.c2ln".to_vec();
    let mut buf = vec![0_u8; 17];
    let mut claims: tokenward_claims = zeroed();
    let result = unsafe { tokenward_jwt_claims(span(&token), buf.as_mut_ptr(), buf.len(), &mut claims) };
    assert_eq!((result, claims.len), (TOKENWARD_OK, 17));
    assert_eq!(unsafe { std::slice::from_raw_parts(claims.sub.ptr, claims.sub.len) }, b"a/b");

    let mut clock = u64::from(u32::MAX);
    assert_eq!(unsafe { tokenward_widen_ticks(&mut clock, 1) }, TOKENWARD_OK);
    assert_eq!(clock, 1 << 32 | 1);
}

#[test]
fn what_is_refused_is_not_looked_at() {
    let mut poll: tokenward_poll_result = zeroed();
    let mut block = Block::new(3);
    let manager = block.manager();
    assert_eq!(unsafe { tokenward_poll(null(), 0, &mut poll) }, TOKENWARD_ERR_NULL);
    assert_eq!(
        unsafe { tokenward_poll(manager.wrapping_byte_add(1), 0, &mut poll) },
        TOKENWARD_ERR_MISALIGNED
    );
    assert_eq!(unsafe { tokenward_poll(manager, 0, &mut poll) }, TOKENWARD_ERR_UNINITIALIZED);
    // A word is enough to see that it is no manager.
    let mut word = Block::new(1);
    assert_eq!(unsafe { tokenward_clear(word.manager()) }, TOKENWARD_ERR_UNINITIALIZED);

    let dangling = std::ptr::without_provenance::<u8>(64);
    let mut len = 0;
    for (len_given, expected) in [
        (usize::MAX, TOKENWARD_ERR_LENGTH),
        (isize::MAX as usize + 1, TOKENWARD_ERR_LENGTH),
        (usize::MAX - 62, TOKENWARD_ERR_LENGTH),
    ] {
        let value = tokenward_span { ptr: dangling, len: len_given };
        assert_eq!(unsafe { tokenward_challenges(value, &mut len) }, expected);
        assert_eq!(unsafe { tokenward_form_encode(value, null_mut(), 0, &mut len) }, expected);
    }
    let mut buf = [0_u8; 8];
    let own = tokenward_span { ptr: buf.as_ptr(), len: 4 };
    let result = unsafe { tokenward_form_encode(own, buf.as_mut_ptr().cast(), 8, &mut len) };
    assert_eq!(result, TOKENWARD_ERR_OVERLAP);
}
