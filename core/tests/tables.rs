//! The tables of errors, reasons, error codes and policy numbers hold what every language relies on.

use std::collections::BTreeSet;

use tokenward::{Error, ErrorCode, Reason};

/// Number, name and sentence of each value.
type Rows = Vec<(u16, &'static str, &'static str)>;

macro_rules! rows {
    ($Enumeration:ty) => {
        <$Enumeration>::ALL
            .iter()
            .map(|value| (u16::from(value.code()), value.name(), value.sentence()))
            .collect::<Rows>()
    };
}

fn tables() -> [Rows; 3] {
    [rows!(Error), rows!(Reason), rows!(ErrorCode)]
}

#[test]
fn numbers_grow_along_a_table_and_no_name_or_sentence_stands_twice_in_it() {
    for table in tables() {
        assert!(table.iter().zip(&table[1..]).all(|((first, ..), (second, ..))| first < second), "{table:?}");
        let names: BTreeSet<_> = table.iter().map(|(_, name, _)| name).collect();
        let sentences: BTreeSet<_> = table.iter().map(|(.., sentence)| sentence).collect();
        assert_eq!((names.len(), sentences.len()), (table.len(), table.len()));
    }
}

#[test]
fn an_error_and_a_reason_never_share_a_name() {
    let [errors, reasons, _] = tables();
    let names = |rows: Rows| rows.into_iter().map(|(_, name, _)| name).collect::<BTreeSet<_>>();
    assert!(names(errors).is_disjoint(&names(reasons)));
}

#[test]
fn a_name_is_snake_case() {
    for (_, name, _) in tables().concat() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
    }
}

#[test]
fn a_sentence_is_one_short_sentence_of_ascii() {
    for (_, name, sentence) in tables().concat() {
        let capital = sentence.starts_with(|first: char| first.is_ascii_uppercase());
        assert!(capital && sentence.ends_with('.') && !sentence.contains(". "), "{name}: {sentence}");
        assert!(sentence.is_ascii() && sentence.len() <= 100, "{name}: {sentence}");
    }
}

#[test]
fn the_words_for_c_are_the_names_and_sentences() {
    fn words(joined: &str) -> Vec<&str> {
        joined.split_terminator('\0').collect()
    }
    let [errors, reasons, codes] = tables();
    for (table, names, sentences) in [
        (errors, Error::NAMES, Error::SENTENCES),
        (reasons, Reason::NAMES, Reason::SENTENCES),
        (codes, ErrorCode::NAMES, ErrorCode::SENTENCES),
    ] {
        assert_eq!(words(names), table.iter().map(|(_, name, _)| *name).collect::<Vec<_>>());
        assert_eq!(words(sentences), table.iter().map(|(.., sentence)| *sentence).collect::<Vec<_>>());
    }
}
