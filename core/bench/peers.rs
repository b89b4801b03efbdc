//! The core beside its peers, on the same work in the same run. Only the ratios mean anything elsewhere.

use std::borrow::Cow;
use std::hint::black_box;

use base64::Engine as _;
use criterion::Criterion;
use oauth2::TokenResponse as _;
use serde::Deserialize;
use tokenward::{
    Answer, Bearer, Credentials, Grant, Identity, Instant, Provider, Slots, TokenAnswer, TokenManager,
    TokenResponse, basic_raw, providers, token_answer,
};

/// A body, whether it stands in an envelope, and its name.
const WORKLOADS: [(&str, &[u8], bool); 5] = [
    ("w1", include_bytes!("../tests/data/workloads/w1.json"), false),
    ("w2", include_bytes!("../tests/data/workloads/w2.json"), false),
    ("w3", include_bytes!("../tests/data/workloads/w3.json"), false),
    ("w4", include_bytes!("../tests/data/workloads/w4.json"), true),
    ("w5", include_bytes!("../tests/data/workloads/w5.json"), false),
];

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

fn parse(c: &mut Criterion) {
    let flat =
        Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() };
    let flume = Provider { base_url: Some("https://api.example"), ..providers::FLUME };
    for (name, body, enveloped) in WORKLOADS {
        let mut group = c.benchmark_group(format!("parse {name}"));
        group.bench_function("tokenward", |b| {
            let provider = if enveloped { &flume } else { &flat };
            b.iter(|| match token_answer(200, black_box(body), provider) {
                Ok(TokenAnswer::Token(token)) => drop(black_box(token)),
                other => panic!("{other:?}"),
            });
        });
        group.bench_function("tokenward, copied into slots", |b| {
            let provider = if enveloped { &flume } else { &flat };
            let (mut access, mut refresh) = ([0; 4096], [0; 4096]);
            b.iter(|| match token_answer(200, black_box(body), provider) {
                Ok(TokenAnswer::Token(token)) => {
                    black_box(token.access_token().copy_to(&mut access)).expect("room");
                    black_box(
                        token.refresh_token().map(|token| token.copy_to(&mut refresh).map(<[u8]>::len)),
                    );
                }
                other => panic!("{other:?}"),
            });
        });
        group.bench_function("serde_json", |b| {
            b.iter(|| {
                let read = |body| -> Borrowed<'_> {
                    if enveloped {
                        let Envelope { data: [token] } = serde_json::from_slice(body).expect("a token");
                        token
                    } else {
                        serde_json::from_slice(body).expect("a token")
                    }
                };
                let token = read(black_box(body));
                black_box((token.access_token.len(), token.token_type.len(), token.expires_in));
                black_box((token.refresh_token, token.scope, token.id_token));
            });
        });
        group.bench_function("serde-json-core", |b| {
            b.iter(|| {
                let token: Raw<'_> = if enveloped {
                    let (Envelope { data: [token] }, _) =
                        serde_json_core::from_slice(black_box(body)).expect("a token");
                    token
                } else {
                    serde_json_core::from_slice(black_box(body)).expect("a token").0
                };
                black_box((token.access_token, token.token_type, token.expires_in));
                black_box((token.refresh_token, token.scope, token.id_token));
            });
        });
        group.bench_function("oauth2", |b| {
            use oauth2::basic::BasicTokenResponse as Token;
            b.iter(|| {
                let token: Token = if enveloped {
                    let Envelope { data: [token] } =
                        serde_json::from_slice(black_box(body)).expect("a token");
                    token
                } else {
                    serde_json::from_slice(black_box(body)).expect("a token")
                };
                black_box(token.access_token().secret().len());
            });
        });
        group.finish();
    }
}

fn bearer(c: &mut Criterion) {
    for len in [40, 2048] {
        let token = "a".repeat(len);
        let mut group = c.benchmark_group(format!("bearer {len}"));
        let bearer = Bearer::new(&token).expect("a token");
        let mut out = [0; 2200];
        group
            .bench_function("tokenward", |b| b.iter(|| black_box(black_box(bearer).write(&mut out)).is_ok()));
        group.bench_function("format!", |b| b.iter(|| black_box(format!("Bearer {}", black_box(&token)))));
        group.finish();
    }
}

fn basic_field(c: &mut Criterion) {
    let (id, secret) = ("i".repeat(36), "s".repeat(40));
    let mut group = c.benchmark_group("basic 36:40");
    let mut out = [0; 200];
    group.bench_function("tokenward", |b| {
        b.iter(|| black_box(basic_raw(black_box(&id), black_box(&secret), &mut out)).is_ok());
    });
    group.bench_function("base64 and format!", |b| {
        let engine = base64::engine::general_purpose::STANDARD;
        b.iter(|| {
            black_box(format!(
                "Basic {}",
                engine.encode(format!("{}:{}", black_box(&id), black_box(&secret)))
            ))
        });
    });
    group.finish();
}

fn turn(c: &mut Criterion) {
    let provider = providers::FLIP_UTILITY_SANDBOX;
    let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    let start = Instant::from_millis(0);
    let url = "https://api-utility-sandbox.flip.energy/v1/programs";
    let mut group = c.benchmark_group("manager");
    group.bench_function("a client_credentials turn", |b| {
        let mut out = [0; 512];
        let mut manager = TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 512], 512), 0)
            .expect("a manager");
        b.iter(|| {
            manager.clear();
            let (id, request) = manager.begin(start, &credentials, &mut out).expect("due");
            black_box(request.body());
            let answer = Answer { status: 200, headers: &[], body: black_box(WORKLOADS[0].1), wall: None };
            black_box(manager.answer(start, id, &answer)).is_ok()
        });
    });
    let mut manager = TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 512], 512), 0)
        .expect("a manager");
    manager.install(start, &TokenResponse::new("token").with_expires_in(3600)).expect("a token");
    group.bench_function("poll", |b| b.iter(|| black_box(&manager).poll(black_box(start)).usable));
    group.bench_function("authorize", |b| {
        b.iter(|| black_box(black_box(&manager).authorize(start, "GET", black_box(url))).is_ok());
    });
    group.finish();
}

/// Prints each group's means with their ratio to the core's.
fn ratios() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("../criterion");
    let mut groups: Vec<_> =
        std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    groups.sort();
    for group in groups {
        let mean = |path: &std::path::Path| -> Option<f64> {
            let text = std::fs::read_to_string(path.join("new/estimates.json")).ok()?;
            serde_json::from_str::<serde_json::Value>(&text).ok()?["mean"]["point_estimate"].as_f64()
        };
        let Some(ours) = mean(&group.join("tokenward")) else { continue };
        println!("{}", group.file_name().unwrap_or_default().to_string_lossy());
        let mut rows: Vec<_> = std::fs::read_dir(&group)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                Some((mean(&entry.path())?, entry.file_name().to_string_lossy().into_owned()))
            })
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (time, name) in rows {
            println!("  {name:<30} {time:>9.1} ns  x {:.2}", time / ours);
        }
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .configure_from_args();
    parse(&mut criterion);
    bearer(&mut criterion);
    basic_field(&mut criterion);
    turn(&mut criterion);
    criterion.final_summary();
    ratios();
}
