//! The whole memory of this process is searched for a token: on Linux, where it can be read.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use tokenward_uniffi::{
    CoreManager, OptionsRecord, SourceRecord, StorageRecord, TokenIdentity, TokenNext, TokenPreset,
    preset_provider,
};

const API: &str = "https://sandbox.api.flute.com/";

/// Each byte shifted, so that the search itself is no find.
const SHIFTED_TOKEN: &[u8] = b"nmd-b`m`qx-hm-l`mx-lhmdr";

fn token() -> String {
    SHIFTED_TOKEN.iter().map(|byte| char::from(byte + 1)).collect()
}

/// How often the token's bytes are in memory that can be written.
fn copies_in_memory() -> usize {
    let memory = File::open("/proc/self/mem").expect("one's own memory");
    let maps = std::fs::read_to_string("/proc/self/maps").expect("one's own maps");
    let mut window = vec![0; 1 << 20];
    let own = window.as_ptr().addr();
    let own = own..own + window.len();
    let mut found = 0;
    for map in maps.lines().filter(|map| map.contains(" rw")) {
        let (start, rest) = map.split_once('-').expect("a range");
        let end = rest.split_once(' ').expect("an end").0;
        let [start, end] = [start, end].map(|hex| usize::from_str_radix(hex, 16).expect("an address"));
        // What is read lies in memory too: there is no looking there.
        for (mut at, end) in [(start, end.min(own.start)), (start.max(own.end), end)] {
            while at < end {
                let len = window.len().min(end - at);
                let Ok(read @ 1..) = memory.read_at(&mut window[..len], at as u64) else { break };
                found += window[..read].windows(SHIFTED_TOKEN.len()).filter(|bytes| is_token(bytes)).count();
                // A token may lie across two windows.
                at += if read == window.len() { read + 1 - SHIFTED_TOKEN.len() } else { read };
            }
        }
    }
    found
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().zip(SHIFTED_TOKEN).all(|(byte, shifted)| *byte == shifted + 1)
}

#[test]
fn no_byte_of_a_token_is_left_in_freed_memory() {
    let provider = preset_provider(TokenPreset::FluteSandbox);
    let identity = TokenIdentity::default();
    let storage = StorageRecord { shared: false, all: true, slots: 1, floor: 0, prove_room: false };
    let options = OptionsRecord { storage: Some(storage), source: SourceRecord::None };
    let manager =
        CoreManager::new(0, provider, identity, 256, 256, 0, true, Some(options)).expect("a manager");
    assert_eq!(copies_in_memory(), 0);
    let TokenNext::Load { id } = manager.poll(0).expect("poll").next else { panic!("no load") };
    manager.loaded(0, Some(1), id, vec![3; 32], vec![None]).expect("empty storage");

    let secret = || Some(token());
    let request = manager
        .begin(0, secret(), secret(), None, None, None, None, Vec::new(), Vec::new())
        .expect("a request");
    let (headers, body) = (request.headers(), request.body());
    let id = request.id().expect("an id");
    drop((request, headers, body));
    assert_eq!(copies_in_memory(), 0, "of the credentials");

    let answer = format!(r#"{{"access_token":"{0}","expires_in":3600,"refresh_token":"{0}"}}"#, token());
    manager.answer(0, id, 200, Vec::new(), answer.into_bytes(), None).map(drop).expect("a token");
    let TokenNext::Store { id, .. } = manager.poll(0).expect("poll").next else { panic!("no store") };
    for _ in 0..100 {
        manager.snapshot(0, Some(1), id, vec![3; 32]).expect("a snapshot");
    }
    manager.stored(0, id).expect("the store");
    for _ in 0..100 {
        manager.authorize(0, "GET".to_owned(), API.to_owned()).expect("usable");
    }
    assert_eq!(copies_in_memory(), 2, "the slots alone");
    let line = manager.authorize(0, "GET".to_owned(), API.to_owned()).expect("usable");
    assert_eq!(copies_in_memory(), 3, "the slots and the line");
    drop(line);

    manager.clear().expect("cleared");
    assert_eq!(copies_in_memory(), 0, "after a sign-out");
    manager.install(0, None, token(), None, Some(3600), secret(), None).expect("a token");
    assert_eq!(copies_in_memory(), 2);
    drop(manager);
    assert_eq!(copies_in_memory(), 0, "after the manager");
}
