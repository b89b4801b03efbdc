//! Renders `tokenward.h`: cbindgen writes the declarations; the core's tables say the numbers of errors, reasons, error codes,
//! and of what poll and rejected answer, and what those of a policy mean. This puts the page in front, sets each number
//! under the type whose numbers it is one of, and short comments on one line.

use std::fmt::Write as _;
use std::path::PathBuf;

use cbindgen::{Builder, Config};
use tokenward::grants::DeviceNext;
use tokenward::storage::Found;
use tokenward::{Error, ErrorCode, Next, Reason, RefreshPolicy, Retry};

/// Where the header is committed.
#[must_use]
pub fn committed() -> PathBuf {
    surface().join("include/tokenward/tokenward.h")
}

/// The folder of `tokenward-c`.
fn surface() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The header for the sources as they stand.
///
/// # Errors
/// A sentence, where cbindgen does not understand them.
pub fn render() -> Result<String, String> {
    let mut written = Vec::new();
    Builder::new()
        .with_config(Config::from_file(surface().join("header/cbindgen.toml"))?)
        .with_crate(surface())
        .generate()
        .map_err(|error| error.to_string())?
        .write(&mut written);
    let mut declared = String::from_utf8(written).map_err(|error| error.to_string())?;
    define(&mut declared, "ERR", Error::NUMBERS, Error::NAMES, Error::SENTENCES);
    define(&mut declared, "REASON", Reason::NUMBERS, Reason::NAMES, Reason::SENTENCES);
    define(&mut declared, "CODE", ErrorCode::NUMBERS, ErrorCode::NAMES, ErrorCode::SENTENCES);
    define(&mut declared, "NEXT", Next::NUMBERS, Next::NAMES, Next::SENTENCES);
    define(&mut declared, "RETRY", Retry::NUMBERS, Retry::NAMES, Retry::SENTENCES);
    define(&mut declared, "DEVICE", DeviceNext::NUMBERS, DeviceNext::NAMES, DeviceNext::SENTENCES);
    define(&mut declared, "FOUND", Found::NUMBERS, Found::NAMES, Found::SENTENCES);
    for (name, default, meaning) in RefreshPolicy::NUMBERS {
        let apart = if meaning.len() > 85 { "\n   *" } else { "" };
        let said = format!("{meaning}{apart} Default: {}.", in_c(default));
        declared = declared.replace(&format!("[`RefreshPolicy::{name}`]."), &said);
    }
    Ok(arrange(&declared))
}

/// Adds the numbers of a table of the core.
fn define<N: std::fmt::Display>(
    declared: &mut String,
    family: &str,
    numbers: &[N],
    names: &str,
    sentences: &str,
) {
    for ((number, name), sentence) in numbers.iter().zip(names.split('\0')).zip(sentences.split('\0')) {
        let name = name.to_uppercase();
        let _ = write!(declared, "\n/**\n * {sentence}\n */\n#define TOKENWARD_{family}_{name} {number}\n");
    }
}

/// A default as C writes it.
fn in_c(default: &str) -> &str {
    if default == "false" { "0" } else { default }
}

/// Puts cbindgen's blocks in the order in which they are read.
fn arrange(declared: &str) -> String {
    let mut includes = String::new();
    let (mut numbers, mut types, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks(declared) {
        match block.item() {
            item if item.starts_with("#include") => includes = item.to_owned(),
            item if item.starts_with("#define TOKENWARD_H") || item.starts_with("#ifndef TOKENWARD_H") => {}
            item if item.starts_with("#define") => numbers.push(block),
            item if item.starts_with("typedef") => types.push(block),
            item if item.starts_with('#') || item.starts_with('}') => {}
            _ => functions.push(block),
        }
    }
    let mut header = String::new();
    let mut put = |text: &str| {
        let _ = write!(header, "{}\n\n", text.trim_end());
    };
    put(include_str!("../page.h"));
    put("#ifndef TOKENWARD_H\n#define TOKENWARD_H");
    put(&includes);
    put(&versions(include_str!("../versions.h")));
    let typed = |number: &Block| types.iter().any(|of| of.has_number(number));
    for number in numbers.iter().filter(|number| !typed(number)) {
        put(&number.render());
    }
    for block in &types {
        let mut text = block.render();
        for number in numbers.iter().filter(|number| block.has_number(number)) {
            text.push_str(&number.render());
        }
        put(&text);
    }
    put(&include_str!("../initializers.h").replace("@POLICY@", &default_policy(declared)));
    put("#ifdef __cplusplus\nextern \"C\" {\n#endif");
    functions.iter().for_each(|function| put(&function.render()));
    put("#ifdef __cplusplus\n}\n#endif");
    put("#endif");
    header.truncate(header.trim_end().len());
    header.push('\n');
    header
}

/// The defaults of a policy, in the order of the members of C's.
fn default_policy(declared: &str) -> String {
    let (_, behind) = declared.split_once("struct tokenward_policy {").unwrap_or_default();
    let (members, _) = behind.split_once('}').unwrap_or_default();
    let default = |member: &str| RefreshPolicy::NUMBERS.iter().find(|(name, ..)| *name == member);
    let members = members.lines().filter_map(|line| line.strip_suffix(';')?.rsplit(' ').next());
    let defaults: Vec<_> = members.filter_map(default).map(|(_, default, _)| in_c(default)).collect();
    defaults.join(", ")
}

fn versions(macros: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut parts = version.split('.');
    ["@MAJOR@", "@MINOR@", "@PATCH@"].iter().fold(macros.replace("@VERSION@", version), |text, part| {
        text.replace(part, parts.next().unwrap_or("0"))
    })
}

/// A declaration with its comment.
struct Block<'a> {
    lines: Vec<&'a str>,
}

/// Declarations are apart by blank lines outside of comments.
fn blocks(declared: &str) -> Vec<Block<'_>> {
    let mut blocks = vec![Block { lines: Vec::new() }];
    for line in declared.lines() {
        match blocks.last_mut() {
            Some(block) if !line.is_empty() => block.lines.push(line),
            _ => blocks.push(Block { lines: Vec::new() }),
        }
    }
    blocks.retain(|block| !block.lines.is_empty());
    blocks
}

impl Block<'_> {
    /// The declaration from its first line on.
    fn item(&self) -> String {
        let is_comment = |line: &&&str| line.starts_with("/**") || line.starts_with(" *");
        let item: Vec<&str> = self.lines.iter().skip_while(is_comment).copied().collect();
        item.join("\n")
    }

    /// Whether the comment of this type names the family that a number is of: `TOKENWARD_NEXT_*`.
    fn has_number(&self, number: &Block<'_>) -> bool {
        let comment = self.lines.concat();
        let Some(family) = comment.split('`').find(|word| word.ends_with("_*")) else { return false };
        let item = number.item();
        let name = item.split(' ').nth(1).unwrap_or_default();
        let own = self.item().starts_with("typedef int32_t");
        own && (name.starts_with(family.trim_end_matches('*'))
            || (name == "TOKENWARD_OK" && family == "TOKENWARD_ERR_*"))
    }

    /// The block as it stands in the header.
    fn render(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        // Types are named without their tag; a comment of one line takes one line.
        let text = text.replace("struct tokenward_", "tokenward_");
        let text = text.replace("typedef tokenward_", "typedef struct tokenward_");
        ["", "  "].iter().fold(text, |text, indent| {
            let open = format!("{indent}/**\n{indent} * ");
            let close = format!("\n{indent} */\n");
            let mut rest = text.as_str();
            let mut folded = String::new();
            while let Some((before, behind)) = rest.split_once(&open) {
                let (comment, after) = behind.split_once(&close).unwrap_or((behind, ""));
                folded.push_str(before);
                if comment.contains('\n') {
                    folded.push_str(&format!("{open}{comment}{close}"));
                } else {
                    folded.push_str(&format!("{indent}/** {comment} */\n"));
                }
                rest = after;
            }
            folded + rest
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_header_is_what_the_sources_say() {
        let committed = std::fs::read_to_string(super::committed()).expect("the header");
        assert!(committed == super::render().expect("a header"), "cargo run -p tokenward-c-header");
    }

    #[test]
    fn the_header_is_ascii() {
        let committed = std::fs::read_to_string(super::committed()).expect("the header");
        assert_eq!(committed.lines().find(|line| !line.is_ascii()), None);
    }
}
