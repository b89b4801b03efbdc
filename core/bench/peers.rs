//! The core beside its peers, on the same work in the same run: group, case, name and nanoseconds, a line for each
//! side. Only ratios mean anything elsewhere.

use std::borrow::Cow;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Instant;

use base64::Engine as _;
use hmac::{KeyInit as _, Mac as _};
use oauth2::{AuthType, ClientId, ClientSecret, TokenResponse as _, TokenUrl, basic::BasicTokenResponse};
use serde::Deserialize;
use tokenward_bench::{BODIES, CLIENT, KEY, Side, TOKENS, URLS, core, read, side};

const ROUNDS: usize = 2000;
/// What a side does in a round takes so long at least, after the first few.
const SLICE_NS: f64 = 30_000.0;
const GROWTH: [(&str, usize); 5] =
    [("100 B", 100), ("1 kB", 1000), ("10 kB", 10_000), ("100 kB", 100_000), ("1 MB", 1_000_000)];

#[derive(Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    #[serde(borrow)]
    token_type: Cow<'a, str>,
    expires_in: u64,
    #[serde(borrow)]
    refresh_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id_token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Owned {
    access_token: String,
    token_type: String,
    expires_in: u64,
    refresh_token: Option<String>,
    scope: Option<String>,
    id_token: Option<String>,
}

/// serde-json-core leaves escapes where they stand.
#[derive(Deserialize)]
struct Raw<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    refresh_token: Option<&'a str>,
    scope: Option<&'a str>,
    id_token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: [T; 1],
}

/// Reads a token, flat or in its envelope.
macro_rules! token {
    ($enveloped:expr, $token:ty, $read:expr) => {
        if $enveloped {
            let Envelope::<$token> { data: [token] } = $read.expect("a token");
            token
        } else {
            let token: $token = $read.expect("a token");
            token
        }
    };
}

/// Lets the six members be used.
macro_rules! six {
    ($token:expr) => {{
        let token = $token;
        black_box((&token.access_token, &token.token_type, token.expires_in));
        black_box((&token.refresh_token, &token.scope, &token.id_token));
    }};
}

fn readers(group: &'static str, case: &str, body: &'static [u8], enveloped: bool) -> Vec<Side> {
    let given = move || black_box(body);
    let (mut copy, mut simd_copy) = (vec![0; body.len()], vec![0; body.len()]);
    let (mut buffers, mut pool) = (simd_json::Buffers::new(body.len()), vec![0; 12 * body.len() + 512]);
    vec![
        side(group, case, "serde_json, borrowed", move || {
            six!(token!(enveloped, Borrowed<'_>, serde_json::from_slice(given())))
        }),
        side(group, case, "serde_json, owned", move || {
            six!(token!(enveloped, Owned, serde_json::from_slice(given())))
        }),
        side(group, case, "serde-json-core", move || {
            six!(token!(enveloped, Raw<'_>, serde_json_core::from_slice(given()).map(|(token, _)| token)))
        }),
        side(group, case, "sonic-rs", move || {
            six!(token!(enveloped, Borrowed<'_>, sonic_rs::from_slice(given())))
        }),
        side(group, case, "simd-json", move || {
            simd_copy.copy_from_slice(given());
            let read = &mut simd_copy;
            six!(token!(
                enveloped,
                Borrowed<'_>,
                simd_json::serde::from_slice_with_buffers(read, &mut buffers)
            ))
        }),
        side(group, case, "oauth2", move || {
            let token = token!(enveloped, BasicTokenResponse, serde_json::from_slice(given()));
            black_box((token.access_token(), token.token_type(), token.expires_in()));
            black_box((token.refresh_token(), token.scopes()));
        }),
        side(group, case, "yyjson", move || yyjson(given(), &mut pool, enveloped)),
        side(group, case, "memcpy", move || {
            copy.copy_from_slice(given());
            black_box(&copy);
        }),
        side(group, case, "a bare scan", move || {
            black_box(given().iter().fold(0, |all, byte| all | byte));
        }),
    ]
}

/// One walk over the members, as the inline functions of its header do it; `pool` is all the memory that it gets.
fn yyjson(body: &[u8], pool: &mut [u8], enveloped: bool) {
    use yyjson_sys::{YYJSON_READ_NOFLAG, yyjson_alc, yyjson_alc_pool_init, yyjson_read_opts, yyjson_val};
    const NAMES: [&[u8]; 6] =
        [b"access_token", b"token_type", b"expires_in", b"refresh_token", b"scope", b"id_token"];
    let mut found = [std::ptr::null::<yyjson_val>(); NAMES.len()];
    // SAFETY: the pool and the body live on. What follows a container's tag, and how far its end is, is the layout that
    // yyjson's header gives: a name stands before its value, an object's length counts both as one.
    unsafe {
        let mut alc: yyjson_alc = std::mem::zeroed();
        assert!(yyjson_alc_pool_init(&mut alc, pool.as_mut_ptr().cast(), pool.len()));
        let at = body.as_ptr().cast_mut().cast();
        let document = yyjson_read_opts(at, body.len(), YYJSON_READ_NOFLAG, &alc, std::ptr::null_mut());
        assert!(!document.is_null(), "a document");
        let text = |val: *const yyjson_val| {
            std::slice::from_raw_parts((*val).uni.str_.cast::<u8>(), ((*val).tag >> 8) as usize)
        };
        // Arrays and objects are 6 and 7; of others the next value follows at once.
        let next = |val: *const yyjson_val| {
            val.byte_add(if (*val).tag & 6 == 6 { (*val).uni.ofs } else { size_of::<yyjson_val>() })
        };
        let mut object: *const yyjson_val = (*document).root;
        if enveloped {
            let mut name = object.add(1);
            while text(name) != b"data" {
                name = next(name.add(1));
            }
            object = name.add(2);
        }
        let mut name = object.add(1);
        for _ in 0..(*object).tag >> 8 {
            if let Some(index) = NAMES.iter().position(|wanted| *wanted == text(name)) {
                found[index] = name.add(1);
            }
            name = next(name.add(1));
        }
    }
    black_box(found);
}

/// A token response of this length; what is long is a member that nobody reads.
fn grown(len: usize) -> &'static [u8] {
    let mut body =
        br#"{"access_token":"eyJpTyGJMuHbEL31IeL2HPcHyGcFRl1S","token_type":"Bearer","expires_in":3600"#
            .to_vec();
    if len > 200 {
        body.extend_from_slice(br#","groups":["0""#);
        while body.len() + 42 < len {
            body.extend_from_slice(br#","9188040d-6c67-4c5b-b112-36a304b66dad""#);
        }
        body.push(b']');
    }
    body.push(b'}');
    body.leak()
}

fn writers() -> Vec<Side> {
    let mut sides = Vec::new();
    for len in TOKENS {
        let (case, token, mut out) = (format!("{len} B"), "a".repeat(len), vec![0; len]);
        let given = token.clone();
        sides.push(side("header", &case, "format!", move || {
            _ = black_box(format!("Bearer {}", black_box(&token)))
        }));
        sides.push(side("header", &case, "memcpy", move || {
            out.copy_from_slice(black_box(given.as_bytes()));
            black_box(&out);
        }));
    }
    for (case, url) in [("one origin", URLS[0]), ("Flip Energy's table", URLS[1])] {
        let origin = url::Url::parse(url).expect("a URL").origin();
        sides.push(side("authorize", case, "url: parse, compare the origin", move || {
            assert!(url::Url::parse(black_box(url)).expect("a URL").origin() == origin);
        }));
        sides.push(side("authorize", case, "a bare scan", move || {
            black_box(black_box(url).bytes().fold(0, |all, byte| all | byte));
        }));
    }
    let engine = &base64::engine::general_purpose::STANDARD;
    sides.push(side("basic", "36 and 40 B", "base64 and format!", move || {
        let (id, secret) = black_box(CLIENT);
        black_box(format!("Basic {}", engine.encode(format!("{id}:{secret}"))));
    }));
    let mut out = [0; 104];
    sides.push(side("basic", "36 and 40 B", "base64 alone, into a buffer", move || {
        black_box(engine.encode_slice(black_box([b'a'; 77]), &mut out)).expect("room");
    }));
    let (sealed, kept) = (black_box([1; 200]), black_box([2; 200]));
    sides.extend([("write", sealed), ("restore", kept)].map(|(case, bytes)| {
        side("snapshot", case, "HMAC-SHA-256 alone, by hmac and sha2", move || {
            let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&KEY).expect("a key");
            mac.update(black_box(&bytes));
            black_box(mac.finalize());
        })
    }));
    sides
}

/// What oauth2 does of a turn: its request, and with an answer all of it.
fn oauth2_turns() -> [Side; 2] {
    use oauth2::http::{HeaderValue, Response, header::CONTENT_TYPE};
    let client = oauth2::basic::BasicClient::new(ClientId::new(CLIENT.0.into()))
        .set_client_secret(ClientSecret::new(CLIENT.1.into()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(TokenUrl::new("https://oauth.flip.energy/token".into()).expect("a URL"));
    let other = client.clone();
    let begin = move || {
        let sent = |request| {
            black_box::<oauth2::HttpRequest>(request);
            Err(std::fmt::Error)
        };
        assert!(other.exchange_client_credentials().request(&sent).is_err());
    };
    let turn = move || {
        let sent = |request| {
            black_box::<oauth2::HttpRequest>(request);
            let mut answer = Response::new(BODIES[0].1.to_vec());
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok::<_, std::io::Error>(answer)
        };
        let token = client.exchange_client_credentials().request(&sent).expect("a token");
        black_box(format!("Bearer {}", token.access_token().secret()));
    };
    [side("begin", "client_credentials", "oauth2", begin), side("turn", "client_credentials", "oauth2", turn)]
}

/// What C calls, by its address, so that nothing is known of it here.
fn through_c() -> Vec<Side> {
    use tokenward_c::{
        tokenward_flute_sandbox, tokenward_span, tokenward_token_answer, tokenward_token_answer_result,
    };
    let flat = BODIES.iter().filter(|(.., enveloped)| !enveloped);
    let through = flat.clone().map(|(case, body, _)| {
        let mut said = Box::new(MaybeUninit::<tokenward_token_answer_result>::uninit());
        let mut buf = vec![0; body.len()];
        side("c", case, "tokenward, through C", move || {
            let call = black_box(
                tokenward_token_answer as unsafe extern "C" fn(u16, _, _, *mut u8, usize, _) -> i32,
            );
            let body = tokenward_span { ptr: black_box(body.as_ptr()), len: body.len() };
            // SAFETY: all that is pointed to lives on, and the buffer is as long as is said.
            let came = unsafe {
                call(
                    200,
                    body,
                    &raw const tokenward_flute_sandbox,
                    buf.as_mut_ptr(),
                    buf.len(),
                    said.as_mut_ptr(),
                )
            };
            assert_eq!(came, 0);
            black_box(&said);
        })
    });
    flat.map(|(case, body, _)| read("c", case, body, false)).chain(through).collect()
}

fn sides() -> Vec<Side> {
    let mut sides = core();
    sides.extend(BODIES.iter().flat_map(|(case, body, enveloped)| readers("read", case, body, *enveloped)));
    sides.extend(writers());
    sides.extend(oauth2_turns());
    sides.extend(through_c());
    for (case, len) in GROWTH {
        let body = grown(len);
        sides.push(read("growth", case, body, false));
        sides.extend(readers("growth", case, body, false));
    }
    sides
}

/// The least time that each side's work took. In each round all are measured in turn: what disturbs disturbs all.
fn main() {
    let mut sides: Vec<_> = sides().into_iter().map(|side| (side, 1, f64::INFINITY)).collect();
    for _ in 0..ROUNDS {
        for (side, times, least) in &mut sides {
            let slice = time(side, *times);
            *least = least.min(slice / f64::from(*times));
            if slice < SLICE_NS {
                *times *= 2;
            }
        }
    }
    for (side, _, least) in sides {
        println!("{}\t{}\t{}\t{least}", side.group, side.case, side.name);
    }
}

/// Nanoseconds.
fn time(side: &mut Side, times: u32) -> f64 {
    let start = Instant::now();
    (side.run)(times);
    start.elapsed().as_secs_f64() * 1e9
}
