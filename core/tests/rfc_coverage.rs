//! docs/RFC-COVERAGE.md is true: what it names is there, and nothing is left out of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows under the heading `title`, as cells; without head and rule.
fn table<'t>(page: &'t str, title: &str) -> Vec<Vec<&'t str>> {
    let (_, behind) = page.split_once(&format!("\n## {title}\n")).expect("the heading");
    let section = behind.split_once("\n## ").map_or(behind, |(section, _)| section);
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The names in the last cell of a row.
fn tests_of<'t>(row: &[&'t str]) -> Vec<&'t str> {
    let cell = row.last().copied().unwrap_or_default();
    cell.split("<br>").filter_map(|name| name.strip_prefix('`')?.strip_suffix('`')).collect()
}

/// All Rust files that may hold a test, with the names of file and folders that a row may call them by.
fn test_files() -> Vec<(BTreeSet<String>, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<_> =
        ["core/src", "core/tests", "core/conformance"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let named = [path.file_stem(), folder.file_name()];
                let names = named.into_iter().flatten().map(|name| name.to_string_lossy().into_owned());
                files.push((names.collect(), read(&path)));
            }
        }
    }
    files
}

#[test]
fn every_row_names_tests_that_are_there() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let files = test_files();
    let (clauses, rules) = (table(&page, "Clauses"), table(&page, "Rules"));
    assert!(!clauses.is_empty() && !rules.is_empty());
    let mut faults = Vec::new();
    for row in clauses.iter().chain(&rules) {
        let tests = tests_of(row);
        if tests.is_empty() {
            faults.push(format!("{} has no test", row[0]));
        }
        for test in tests {
            let there = match test.split_once("::") {
                Some((file, name)) => {
                    let test = format!("fn {name}(");
                    files.iter().any(|(names, text)| names.contains(file) && text.contains(&test))
                }
                None => root().join("core/tests/scenarios").join(test).is_file(),
            };
            if !there {
                faults.push(format!("{}: there is no {test}", row[0]));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn every_rule_has_its_row_and_every_clause_a_rule() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let behaviour = read(&root().join("docs/BEHAVIOUR.md"));
    let is_number = |text: &&str| {
        text.split_once('.').is_some_and(|(section, number)| {
            [section, number].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let written: Vec<&str> = behaviour.split("**").filter(is_number).collect();
    let rows: Vec<&str> = table(&page, "Rules").iter().map(|row| row[0]).collect();
    assert!(!written.is_empty());
    assert_eq!(written, rows);
    for row in table(&page, "Clauses") {
        assert_eq!(row.len(), 4, "{row:?}");
        for rule in row[2].split(", ") {
            assert!(written.contains(&rule), "{}: there is no rule {rule:?}", row[0]);
        }
    }
}

#[test]
fn every_scenario_is_named_by_its_sentence_and_stands_in_a_row() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let rows = table(&page, "Rules");
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| tests_of(row)).collect();
    let mut faults = Vec::new();
    for entry in fs::read_dir(root().join("core/tests/scenarios")).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let scenario: serde_json::Value = serde_json::from_str(&read(&path)).expect("JSON");
        let sentence = scenario["name"].as_str().unwrap_or_default().to_lowercase().replace('\'', "");
        let words = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let expected = words.collect::<Vec<_>>().join("_") + ".json";
        if file != expected {
            faults.push(format!("{file} is called {expected}"));
        }
        if !named.contains(file.as_str()) {
            faults.push(format!("{file} stands in no row"));
        }
    }
    assert_eq!(faults, [""; 0]);
}

// Rules that no other file holds.

#[test]
fn ticks_of_32_bits_that_wrap_go_on() {
    use tokenward::TickWidener;

    let mut ticks = TickWidener::new();
    let mut expected = 0_u64;
    // A reading a day for three years of milliseconds: 22 wraps.
    for _ in 0..1_100 {
        expected += 86_400_000;
        assert_eq!(ticks.widen(expected as u32).as_millis(), expected);
    }
    assert!(expected >> 32 > 20);
    assert_eq!(ticks.widen(expected as u32).as_millis(), expected);
}

#[cfg(feature = "snapshot")]
#[test]
fn a_snapshot_older_than_the_last_one_restored_or_persisted_is_stale() {
    use tokenward::{
        Error, Identity, Instant, Revision, Slots, SnapshotScope, TokenManager, TokenResponse, UnixTime,
        providers,
    };

    let provider = providers::FLUTE_SANDBOX;
    let (start, key, wall) = (Instant::from_millis(0), [7; 32], Some(UnixTime::from_secs(1_700_000_000)));
    let new =
        || TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 64], 32), 0).expect("one");
    let install = |manager: &mut TokenManager<'_, [u8; 64]>, token| {
        manager.install(start, None, &TokenResponse::new(token).with_expires_in(3600)).expect("a token");
    };
    let snapshot = |manager: &TokenManager<'_, [u8; 64]>| {
        let mut out = [0; 256];
        manager.snapshot(start, wall, SnapshotScope::All, &key, &mut out).expect("room").to_vec()
    };

    let mut manager = new();
    install(&mut manager, "one");
    let older = snapshot(&manager);
    install(&mut manager, "two");
    let newer = snapshot(&manager);
    // Nobody has written the newer one.
    assert_eq!(manager.restore(start, wall, Revision(0), &key, &older), Ok(()));

    let mut restored = new();
    assert_eq!(restored.restore(start, wall, Revision(0), &key, &newer), Ok(()));
    assert_eq!(restored.restore(start, wall, Revision(0), &key, &older), Err(Error::StaleSnapshot));
    assert_eq!(restored.restore(start, wall, Revision(0), &key, &newer), Ok(()));

    let mut persisted = new();
    install(&mut persisted, "one");
    install(&mut persisted, "two");
    persisted.persisted(SnapshotScope::All, Revision(2));
    assert_eq!(persisted.restore(start, wall, Revision(0), &key, &older), Err(Error::StaleSnapshot));
    assert_eq!(persisted.restore(start, wall, Revision(0), &key, &newer), Ok(()));
}

#[cfg(feature = "snapshot")]
#[test]
fn a_snapshot_with_a_token_that_is_longer_than_its_slot_is_refused_whole() {
    use tokenward::{
        Error, Identity, Instant, Revision, Slots, SnapshotScope, TokenManager, TokenResponse, UnixTime,
        providers,
    };

    let provider = providers::FLUTE_SANDBOX;
    let (start, key, wall) = (Instant::from_millis(0), [7; 32], Some(UnixTime::from_secs(1_700_000_000)));
    let new = |access| {
        TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 64], access), 0).expect("one")
    };
    let mut manager = new(32);
    let token = TokenResponse::new("12345678").with_expires_in(3600).with_refresh_token("12345678");
    manager.install(start, None, &token).expect("a token");
    let mut out = [0; 256];
    let snapshot = manager.snapshot(start, wall, SnapshotScope::All, &key, &mut out).expect("room");

    // Seven bytes for the access token, then seven for the refresh token.
    let too_long = [Error::TooLong { needed: 8 }, Error::RefreshTokenTooLong { needed: 8 }];
    for (access, expected) in [7, 57].into_iter().zip(too_long) {
        let mut small = new(access);
        let fresh = TokenResponse::new("own").with_expires_in(3600);
        small.install(start, None, &fresh).expect("a token");
        let refused = small.restore(start, wall, Revision(0), &key, snapshot);
        assert_eq!(refused, Err(expected), "{access}");
        let bearer = small.authorize(start, "GET", "https://sandbox.api.flute.com/v2/x").expect("its own");
        assert_eq!((bearer.encoded_len(), bearer.generation().0), ("Bearer own".len(), 1));
    }
    assert_eq!(new(8).restore(start, wall, Revision(0), &key, snapshot), Ok(()));
}

#[cfg(feature = "snapshot")]
#[test]
fn the_seal_is_the_hmac_sha256_of_rfc_4231() {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;
    use tokenward::{Identity, Instant, Slots, SnapshotScope, TokenManager, providers};

    let tag = |key: &[u8], data: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(data);
        mac.finalize().into_bytes()
    };
    let hex = |tag: &[u8]| tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // RFC 4231 sections 4.2, 4.3 and 4.7.
    for (key, data, expected) in [
        (
            &[0x0B; 20][..],
            &b"Hi There"[..],
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xAA; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        assert_eq!(hex(&tag(key, data)), expected);
    }

    let provider = providers::FLIP_UTILITY_SANDBOX;
    let start = Instant::from_millis(0);
    let manager = TokenManager::new(start, &provider, Identity::CLIENT, Slots::new([0; 64], 64), 0);
    let mut out = [0; 256];
    let key = *b"0123456789abcdef0123456789abcdef";
    let manager = manager.expect("a manager");
    let snapshot = manager.snapshot(start, None, SnapshotScope::All, &key, &mut out).expect("room");
    let (contents, seal) = snapshot.split_last_chunk::<32>().expect("a seal");
    assert_eq!(seal[..], tag(&key, contents)[..]);
}
