extern crate std;

use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;
use std::{format, fs, vec};

use super::*;
use crate::wire::json_str::LONE_SURROGATE;
use crate::wire::seconds::whole_seconds;

/// Whether the reader lets a whole document through, whatever its top value is.
fn read(document: &[u8]) -> Result<(), Error> {
    let start = Slice::new(document);
    walk(&start, start.clone(), u32::BITS, &[], &mut |_| Ok(())).map(drop)
}

/// The JSONTestSuite: where the environment says, or where `cargo xtask corpora` puts it.
fn suite() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("target/corpora/JSONTestSuite");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask corpora` puts the JSONTestSuite there", folder.display())
    });
    let mut suite: Vec<_> = files
        .map(|entry| entry.expect("a folder entry"))
        .map(|entry| {
            let name = entry.file_name().into_string().expect("a UTF-8 name");
            (name, fs::read(entry.path()).expect("a readable file"))
        })
        .filter(|(name, _)| name.ends_with(".json"))
        .collect();
    suite.sort();
    suite
}

#[test]
fn json_test_suite_95_documents_are_accepted_and_188_refused() {
    let suite = suite();
    let count = |prefix: &str, accepted: bool| {
        let of_kind = suite.iter().filter(|(name, _)| name.starts_with(prefix));
        of_kind.filter(|(_, document)| read(document).is_ok() == accepted).count()
    };
    assert_eq!((count("y_", true), count("y_", false)), (95, 0));
    assert_eq!((count("n_", false), count("n_", true)), (188, 0));
}

#[test]
fn json_test_suite_holds_inside_an_ignored_member_too() {
    let suite = suite();
    let answer = |document: &[u8]| {
        let body = [b"{\"ignored\":", document, b",\"access_token\":\"t\"}"].concat();
        crate::token_answer(200, &body, &crate::Provider::custom()).is_ok()
    };
    let count = |prefix: &str, accepted: bool| {
        let of_kind = suite.iter().filter(|(name, _)| name.starts_with(prefix));
        of_kind.filter(|(_, document)| answer(document) == accepted).count()
    };
    assert_eq!((count("y_", true), count("y_", false)), (95, 0));
    assert_eq!((count("n_", false), count("n_", true)), (188, 0));
}

#[test]
fn implementation_defined_documents_neither_panic_nor_pass_with_invalid_utf8() {
    for (name, document) in suite().iter().filter(|(name, _)| name.starts_with("i_")) {
        if read(document).is_ok() {
            assert!(core::str::from_utf8(document).is_ok(), "{name}");
        }
    }
}

/// Calls `check` with every string of up to `longest` letters.
fn every_string(letters: &[&str], longest: usize, check: &mut dyn FnMut(&str)) {
    let mut places = vec![];
    loop {
        let text: String = places.iter().map(|&place: &usize| letters[place]).collect();
        check(&text);
        let mut at = 0;
        loop {
            if at == places.len() {
                places.push(0);
                break;
            }
            places[at] += 1;
            if places[at] < letters.len() {
                break;
            }
            places[at] = 0;
            at += 1;
        }
        if places.len() > longest {
            return;
        }
    }
}

/// serde_json as the second opinion; it refuses lone surrogates only where it builds a string.
fn second_opinion(document: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(document).is_ok()
        && core::str::from_utf8(document).is_ok()
}

#[test]
fn all_byte_strings_up_to_three_bytes_read_as_serde_json_reads_them() {
    for length in 0..=3_u32 {
        for number in 0..256_u32.pow(length) {
            let bytes = number.to_le_bytes();
            let document = &bytes[..length as usize];
            assert_eq!(read(document).is_ok(), second_opinion(document), "{document:?}");
        }
    }
}

#[test]
fn all_strings_up_to_seven_letters_of_a_json_alphabet_read_as_serde_json_reads_them() {
    let letters = ["{", "}", "[", "]", ",", ":", "\"a\"", "1", " "];
    every_string(&letters, 7, &mut |text| {
        assert_eq!(read(text.as_bytes()).is_ok(), second_opinion(text.as_bytes()), "{text}");
    });
}

#[test]
fn all_numbers_and_escapes_up_to_six_letters_read_as_serde_json_reads_them() {
    every_string(&["-", "0", "7", ".", "e", "E", "+"], 6, &mut |text| {
        assert_eq!(read(text.as_bytes()).is_ok(), second_opinion(text.as_bytes()), "{text}");
    });
    every_string(&["\\", "u", "\"", "0", "d8", "n", "/", "x"], 6, &mut |text| {
        let text = format!("\"{text}\"");
        assert_eq!(read(text.as_bytes()).is_ok(), second_opinion(text.as_bytes()), "{text}");
    });
}

#[test]
fn every_prefix_of_a_document_is_truncated_and_every_wrong_byte_is_found_where_it_stands() {
    let document = br#"{"a":[1,-2.5e+3,true,null,{"b\u00e9":"c\n"}],"d":{},"e":"x"}"#;
    for end in 0..document.len() {
        assert_eq!(read(&document[..end]), Err(Error::Truncated { offset: end }));
    }
    for place in 0..document.len() {
        let mut broken = document.to_vec();
        broken[place] = 0x01;
        assert_eq!(read(&broken), Err(Error::Malformed { offset: place }), "at {place}");
    }
}

#[test]
fn utf8_is_checked_at_the_first_byte_that_cannot_follow() {
    for (bytes, offset) in [
        (&b"\"\x80\""[..], 1),
        (b"\"\xC0\xAF\"", 1),
        (b"\"\xE0\x80\x80\"", 2),
        (b"\"\xED\xA0\x80\"", 2),
        (b"\"\xF4\x90\x80\x80\"", 2),
        (b"\"\xF0\x9F\x98\"", 4),
        (b"\"\xFF\"", 1),
    ] {
        assert_eq!(read(bytes), Err(Error::Malformed { offset }), "{bytes:?}");
    }
    for code in 0x80..=0x10_FFFF_u32 {
        if let Some(character) = char::from_u32(code) {
            let text = format!("\"{character}\"");
            assert_eq!(read(text.as_bytes()), Ok(()), "U+{code:04X}");
        }
    }
}

#[test]
fn thirty_two_containers_may_be_open_and_no_more() {
    for bracket in ["[", "{\"a\":"] {
        let deep = bracket.repeat(32);
        assert_eq!(read(deep.as_bytes()), Err(Error::Truncated { offset: deep.len() }));
        let offset = deep.len();
        assert_eq!(read(bracket.repeat(33).as_bytes()), Err(Error::TooDeep { offset }));
        assert_eq!(read(bracket.repeat(100_000).as_bytes()), Err(Error::TooDeep { offset }));
    }
    let closed = format!("{}{}", "[".repeat(32), "]".repeat(32));
    assert_eq!(read(closed.as_bytes()), Ok(()));
}

#[test]
fn a_string_is_scanned_alike_at_every_alignment() {
    for length in 0..40 {
        for place in 0..length {
            for (byte, good) in
                [(b'x', true), (0x1F, false), (0x20, true), (0x7F, true), (0x80, false), (b'!', true)]
            {
                let mut text = vec![b'x'; length];
                text[place] = byte;
                let document = [b"\"", &text[..], b"\""].concat();
                let expected = if good { Ok(()) } else { Err(Error::Malformed { offset: place + 1 }) };
                assert_eq!(read(&document), expected, "{byte} at {place} of {length}");
            }
        }
    }
}

fn unescaped(raw: &str) -> Vec<u8> {
    let mut texts = vec![];
    let document = format!("[\"{raw}\"]");
    let start = Slice::new(document.as_bytes());
    let collect = &mut |item: &Item<&[u8]>| {
        texts.push(item.text);
        Ok(())
    };
    walk(&start, start.clone(), 1, &[], collect).expect("a document");
    let bytes: Vec<u8> = JsonStr::read(raw.as_bytes(), texts[0]).bytes().collect();
    if texts[0] != Text::LONE_SURROGATE {
        assert_eq!(bytes.len() + texts[0].0, raw.len(), "{raw}");
    }
    bytes
}

#[test]
fn every_escape_is_unescaped_surrogate_pairs_included() {
    assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t"#), b"\"\\/\x08\x0C\n\r\t");
    assert_eq!(unescaped(r"\u0041\u00e9\u20AC\ud83d\ude00"), "A\u{e9}\u{20ac}\u{1F600}".as_bytes());
    assert_eq!(unescaped(r"\udbff\udfff"), "\u{10FFFF}".as_bytes());
    for code in (0..=0x10_FFFF_u32).step_by(7).filter_map(char::from_u32) {
        let mut units = [0; 2];
        let escaped: String =
            code.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        assert_eq!(unescaped(&escaped), String::from(code).as_bytes());
    }
}

#[test]
fn a_lone_surrogate_is_marked_wherever_it_stands() {
    let text = |raw: &str| string(&mut Slice::new(format!("\"{raw}\"").as_bytes()), &[]).expect("a string").1;
    for raw in [
        r"\ud800",
        r"\ud800x",
        r"x\udc00",
        r"\ud800\n",
        r"\ud800\ud800",
        r"\udc00\ud800",
        r"\ud800\ud83d\ude00",
        r"\ud83d\ude00\udc00",
        r"\ud800x\udc00",
    ] {
        assert!(text(raw) == Text::LONE_SURROGATE, "{raw}");
        assert!(unescaped(raw).contains(&LONE_SURROGATE), "{raw}");
    }
    for raw in [r"\ud83d\ude00", r"\ud83d\ude00\ud83d\ude00", r"x\n"] {
        assert!(![Text::PLAIN, Text::LONE_SURROGATE].contains(&text(raw)), "{raw}");
        assert!(!unescaped(raw).contains(&LONE_SURROGATE), "{raw}");
    }
    assert!(text("x") == Text::PLAIN);
}

#[test]
fn a_literal_string_keeps_its_backslashes() {
    let text = JsonStr::literal(br"a\nb");
    assert_eq!(text.len(), 4);
    assert!(text.ct_eq(br"a\nb"));
    let mut out = [0; 4];
    assert_eq!(text.copy_to(&mut out), Ok(&br"a\nb"[..]));
}

#[test]
fn a_number_of_seconds_is_floored_and_saturates() {
    let seconds = |text: &str| whole_seconds(text.bytes());
    for (text, expected) in [
        ("0", 0),
        ("3600", 3600),
        ("3600.0", 3600),
        ("3599.9", 3599),
        ("3.6e3", 3600),
        ("3.6E+3", 3600),
        ("36000e-1", 3600),
        ("36009e-1", 3600),
        ("0.9", 0),
        ("1e-400", 0),
        ("0e400", 0),
        ("0.0036e6", 3600),
        ("1e400", u64::MAX),
        ("1e99999999999999999999", u64::MAX),
        ("1e-99999999999999999999", 0),
        ("0.00000000000000000000000001e26", 1),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", u64::MAX),
        ("1000000000000000000000000000000e-30", 1),
    ] {
        assert_eq!(seconds(text), Some(expected), "{text}");
    }
    for negative in ["-1", "-0", "-0.0", "-1e-400"] {
        assert_eq!(seconds(negative), None, "{negative}");
    }
}
