//! Claims are read from three base64url parts only, and from no more scratch than there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::wire::jwt_claims;

fuzz_target!(|input: (u8, &[u8])| {
    let (length, token) = input;
    let mut scratch = vec![0; usize::from(length)];
    if let Ok(claims) = jwt_claims(token, &mut scratch) {
        assert_eq!(token.split(|byte| *byte == b'.').count(), 3);
        // The same with more scratch.
        let mut more = [0; 512];
        let again = jwt_claims(token, &mut more).expect("the same token");
        assert_eq!(format!("{claims:?}"), format!("{again:?}"));
    }
});
