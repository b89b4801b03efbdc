//! The tables of errors, reasons, error codes and policy numbers hold what every language relies on.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tokenward::{Error, ErrorCode, Grant, Next, Reason, RefreshPolicy, RequestId, Retry};

/// Number, name and sentence of each value.
type Rows = Vec<(u16, &'static str, &'static str)>;

macro_rules! rows {
    ($Enumeration:ty) => {{
        let words = <$Enumeration>::NAMES.split('\0').zip(<$Enumeration>::SENTENCES.split('\0'));
        <$Enumeration>::NUMBERS
            .iter()
            .zip(words)
            .map(|(number, (name, sentence))| (u16::from(*number), name, sentence))
            .collect::<Rows>()
    }};
}

fn tables() -> [Rows; 5] {
    [rows!(Error), rows!(Reason), rows!(ErrorCode), rows!(Next), rows!(Retry)]
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
    let [errors, reasons, ..] = tables();
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
fn a_value_has_the_number_name_and_sentence_of_its_row() {
    macro_rules! said {
        ($values:expr) => {
            $values
                .iter()
                .map(|value| (u16::from(value.code()), value.name(), value.sentence()))
                .collect::<Rows>()
        };
    }
    let grant = Grant::RefreshToken;
    let reason = Reason::Revoked;
    let next = [
        Next::Nothing,
        Next::Request(grant),
        Next::Await(RequestId(7)),
        Next::Wait,
        Next::Supply(RequestId(9), reason),
        Next::Load(RequestId(8)),
        Next::Store(RequestId(8), 0),
    ];
    let retry = [Retry::Now, Retry::AfterRefresh, Retry::Surface { reason, retry_at: None }];
    assert_eq!(
        tables(),
        [said!(Error::ALL), said!(Reason::ALL), said!(ErrorCode::ALL), said!(next), said!(retry)]
    );
}

fn doc(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

/// The rows of a page's tables that begin with a rule's number, as cells.
fn rules(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| **"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
}

#[test]
fn the_document_of_errors_is_written_from_the_tables() {
    let mut page = String::from(
        "# Errors and reasons\n\n\
        Written from the tables of the core by `TOKENWARD_WRITE=1 cargo test -p tokenward --test tables`. Names are the \
        same in every language;\nC writes them as `TOKENWARD_ERR_NOT_JSON`, `TOKENWARD_REASON_NO_TOKEN` and \
        `TOKENWARD_CODE_INVALID_GRANT`. A number is never given to another\nerror. When each error is returned: \
        [BEHAVIOUR.md](BEHAVIOUR.md).\n",
    );
    let titles = [
        "Errors",
        "Reasons to act",
        "Error codes of the token endpoint",
        "What to do next",
        "What to do with a refused request",
    ];
    for (title, table) in titles.iter().zip(tables()) {
        let _ = writeln!(page, "\n## {title}\n\n| number | name | sentence |\n|---:|---|---|");
        for (number, name, sentence) in table {
            let _ = writeln!(page, "| {number} | `{name}` | {sentence} |");
        }
    }
    if std::env::var_os("TOKENWARD_WRITE").is_some() {
        fs::write(doc("ERRORS.md"), &page).expect("the document is writable");
    }
    let committed = fs::read_to_string(doc("ERRORS.md")).unwrap_or_default();
    assert!(committed == page, "TOKENWARD_WRITE=1 cargo test -p tokenward --test tables");
}

#[test]
fn every_number_of_the_policy_stands_in_the_rules_with_its_default() {
    let page = fs::read_to_string(doc("BEHAVIOUR.md")).expect("the rules");
    let (_, policy) = page.split_once("\n### Policy\n").expect("the heading");
    let (policy, _) = policy.split_once("\n### ").expect("the next heading");
    let ruled: BTreeSet<_> = rules(policy)
        .flat_map(|row| {
            let names = row[1].split(", ").map(|name| name.trim_matches('`').to_owned());
            names.zip(row[2].split(" and ").map(|default| default.replace(',', ""))).collect::<Vec<_>>()
        })
        .collect();
    let numbers = RefreshPolicy::NUMBERS.iter();
    let expected = numbers.map(|(name, default, _)| ((*name).to_owned(), (*default).to_owned())).collect();
    assert_eq!(ruled, expected);
}

#[test]
fn every_refusal_in_the_rules_is_an_error_of_the_table() {
    let page = fs::read_to_string(doc("BEHAVIOUR.md")).expect("the rules");
    let names: BTreeSet<_> = Error::ALL.iter().map(|error| error.name()).collect();
    let refusals = rules(&page).filter(|row| row.len() == 3).map(|row| row[1].trim_matches('`'));
    let refusals: Vec<_> = refusals.collect();
    assert!(!refusals.is_empty());
    assert_eq!(refusals.iter().find(|name| !names.contains(**name)), None);
}
