//! docs/BEHAVIOUR.md section 5, what a scenario cannot say.
#![cfg(feature = "snapshot")]

use tokenward::storage::{Found, Storage};
use tokenward::{
    Error, Identity, Instant, Next, Options, Revision, Slots, TokenManager, TokenResponse, UnixTime,
    providers,
};

const START: Instant = Instant::from_millis(0);
const KEY: [u8; 32] = [7; 32];
const WALL: Option<UnixTime> = Some(UnixTime::from_secs(1_700_000_000));

fn manager(floor: Revision) -> TokenManager<'static, [u8; 128]> {
    let options = Options { storage: Some(Storage { floor, ..Storage::OWN }), ..Options::default() };
    let slots = Slots::new([0; 128], 64);
    TokenManager::with_options(START, &providers::FLUTE_SANDBOX, Identity::CLIENT, slots, floor.0, options)
        .expect("a manager")
}

fn load(manager: &mut TokenManager<'_, [u8; 128]>, slot: Option<&[u8]>) -> Result<Found, Error> {
    let Next::Load(id) = manager.poll(START).next else { panic!("{:?}", manager.poll(START)) };
    manager.loaded(START, WALL, id, &KEY, &[slot])
}

#[test]
fn a_buffer_that_is_too_small_changes_nothing() {
    let mut writer = manager(Revision(0));
    load(&mut writer, None).expect("nothing");
    let token = TokenResponse::new("a1").with_expires_in(3600);
    writer.install(START, WALL, &token).expect("a token");
    let Next::Store(id, 0) = writer.poll(START).next else { panic!("{:?}", writer.poll(START)) };
    let mut out = [0; 40];
    let Err(Error::BufferTooSmall { needed }) = writer.snapshot(START, WALL, id, &KEY, &mut out) else {
        panic!("too small")
    };
    assert_eq!(out, [0; 40]);
    assert_eq!(writer.stored(START, id), Err(Error::NotDue));
    assert_eq!(writer.poll(START).next, Next::Store(id, 0));
    let mut out = vec![0; needed];
    let stored = writer.snapshot(START, WALL, id, &KEY, &mut out).expect("room").to_vec();
    assert_eq!(stored.len(), needed);
    writer.stored(START, id).expect("a store");
    // The revision has not moved by what was not written.
    for (floor, found) in [(1, Ok(Found::Taken)), (2, Err(Error::StaleSnapshot))] {
        let mut reader = manager(Revision(floor));
        assert_eq!(load(&mut reader, Some(&stored)), found);
    }
}

#[test]
fn the_seal_is_the_hmac_sha256_of_rfc_4231() {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

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

    let mut writer = manager(Revision(0));
    load(&mut writer, None).expect("nothing");
    writer.clear();
    let Next::Store(id, 0) = writer.poll(START).next else { panic!("{:?}", writer.poll(START)) };
    let mut out = [0; 256];
    let snapshot = writer.snapshot(START, None, id, &KEY, &mut out).expect("room");
    let (contents, seal) = snapshot.split_last_chunk::<32>().expect("a seal");
    assert_eq!(seal[..], tag(&KEY, contents)[..]);
}
