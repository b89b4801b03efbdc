//! A list of challenges is read to its end or refused, and what it lends stands in the field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::wire::Challenges;

fuzz_target!(|field: &[u8]| {
    let Ok(challenges) = Challenges::parse(field) else { return };
    for challenge in challenges {
        assert!(!challenge.scheme().is_empty());
        assert!(challenge.token68().is_none() || challenge.params().next().is_none());
        for (name, value) in challenge.params() {
            assert!(!name.is_empty());
            assert!(value.bytes().count() <= field.len());
        }
    }
});
