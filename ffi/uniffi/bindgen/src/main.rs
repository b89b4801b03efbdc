//! Writes the Swift and Kotlin that call `tokenward-uniffi`, from the library itself.
//!
//! `cargo run -p tokenward-uniffi-bindgen` writes them; with `-- --check` it compares them with what is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

const SWIFT: &str = "bindings/swift/Sources/Tokenward/Bridge/tokenward_uniffi.swift";
const KOTLIN: &str = "bindings/kotlin/tokenward/src/main/kotlin/io/github/tokenward/bridge";

const PACKAGE: &str = "io.github.tokenward";

/// The types that are the packages' own: users describe a service with them. Nothing else that is generated is public.
const PUBLIC: &[&str] = &[
    "BodyFormat",
    "ClientAuthentication",
    "Exposure",
    "MissingLifetime",
    "NamedValue",
    "ParameterTarget",
    "RefreshPolicy",
    "SignatureAlgorithm",
    "TokenAlphabet",
    "TokenErrorCode",
    "TokenExpiresAt",
    "TokenGrant",
    "TokenHeader",
    "TokenIdentity",
    "TokenMember",
    "TokenNext",
    "TokenParameter",
    "TokenPreset",
    "TokenProvider",
    "TokenReason",
    "TokenRoute",
    "ZeroLifetime",
];

/// Of these, those that gain members: nobody but the packages makes one of all its members.
const GROWING: [&str; 3] = ["RefreshPolicy", "TokenIdentity", "TokenProvider"];

fn main() -> ExitCode {
    let done = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => write(),
        [option] if option == "--check" => check(),
        _ => Err("usage: tokenward-uniffi-bindgen [--check]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), String> {
    for (path, text) in render()? {
        fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(|error| of(&path, error))?;
        fs::write(&path, text).map_err(|error| of(&path, error))?;
    }
    Ok(())
}

/// Whether what is committed is what the sources say.
fn check() -> Result<(), String> {
    for (path, text) in render()? {
        if fs::read_to_string(&path).map_err(|error| of(&path, error))? != text {
            return Err(of(&path, "differs; cargo run -p tokenward-uniffi-bindgen writes it"));
        }
    }
    Ok(())
}

/// Each file for the sources as they stand.
fn render() -> Result<Vec<(PathBuf, String)>, String> {
    let library = library()?;
    let out_dir = library.with_file_name("tokenward-uniffi-bindgen.out");
    let options = GenerateOptions {
        languages: vec![TargetLanguage::Swift, TargetLanguage::Kotlin],
        source: utf8(&library)?.into(),
        out_dir: utf8(&out_dir)?.into(),
        config_override: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/uniffi.toml").into()),
        ..GenerateOptions::default()
    };
    generate(options).map_err(|error| format!("{error:#}"))?;
    let generated = |name: &str| {
        let path = out_dir.join(name);
        fs::read_to_string(&path).map_err(|error| of(&path, error))
    };
    let (internal, public) = kotlin(&generated("io/github/tokenward/bridge/tokenward_uniffi.kt")?)?;
    let headers = "bindings/swift/Sources/TokenwardFFI";
    let files = [
        (format!("{headers}/TokenwardFFI.h"), generated("TokenwardFFI.h")?),
        (format!("{headers}/module.modulemap"), generated("TokenwardFFI.modulemap")?),
        (SWIFT.to_owned(), swift(&generated("tokenward_uniffi.swift")?)?),
        (format!("{KOTLIN}/tokenward_uniffi.kt"), internal),
        (format!("{KOTLIN}/Description.kt"), public),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    Ok(files.into_iter().map(|(path, text)| (root.join(path), tidy(&text))).collect())
}

/// Builds the library with its symbols, which name what it exports.
fn library() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // `debug`, also where this is a test in `debug/deps`.
    let debug = program.ancestors().find(|folder| folder.ends_with("debug")).ok_or("run the debug build")?;
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "tokenward-uniffi", "--target-dir"]);
    build.arg(debug.parent().unwrap_or(debug)).current_dir(env!("CARGO_MANIFEST_DIR"));
    match build.status() {
        Ok(status) if status.success() => {}
        other => return Err(format!("tokenward-uniffi does not build: {other:?}")),
    }
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    Ok(debug.join(format!("{prefix}tokenward_uniffi{suffix}")))
}

/// Brackets that are open behind a line of code; a comment may hold any.
struct Brackets(usize);

impl Brackets {
    fn pass(&mut self, line: &str) -> Result<(), String> {
        if is_comment(line) {
            return Ok(());
        }
        for byte in line.bytes() {
            match byte {
                b'(' | b'{' => self.0 += 1,
                b')' | b'}' => self.0 = self.0.checked_sub(1).ok_or_else(|| format!("unopened: {line}"))?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['*', '/'])
}

/// The words of a declaration up to its name.
fn name_of(line: &str) -> &str {
    const KINDS: [&str; 8] = ["class", "enum", "fun", "func", "interface", "object", "protocol", "struct"];
    let mut words = line.split([' ', '(', ':', '<', '{']).filter(|word| !word.is_empty());
    let is_kind = |word: &&str| KINDS.contains(word);
    let mut last = words.find(is_kind).and_then(|_| words.next());
    while last.is_some_and(|word| KINDS.contains(&word)) {
        last = words.next();
    }
    last.unwrap_or_default()
}

/// What the package uses itself, each declaration `internal`, and what is public, in a file of its own.
fn kotlin(generated: &str) -> Result<(String, String), String> {
    const PANIC: &str = "InternalException(FfiConverterString.lift(status.error_buf))";
    const BUG: &str = "CoreException.Internal(\"internal\", null).also { RustBuffer.free(status.error_buf) }";
    let generated = replaced(generated, PANIC, BUG)?;
    let generated = replaced(&generated, "InternalException(\"Rust panic\")", BUG)?;
    let mut internal = String::new();
    let mut public = "// Generated from `ffi/uniffi` by `cargo run -p tokenward-uniffi-bindgen`.\n\n\
        package "
        .to_owned()
        + PACKAGE
        + "\n\n";
    let mut open = Brackets(0);
    // Comments go where what they are about goes.
    let mut held = String::new();
    let mut is_public = false;
    // A declaration may follow its comment on the same line.
    let mut generated = generated.replace("*/ ", "*/\n");
    for name in PUBLIC {
        generated = generated.replace(&format!("{PACKAGE}.bridge.{name}"), &format!("{PACKAGE}.{name}"));
    }
    let mut is_dropped = false;
    for line in generated.lines() {
        // JNA would look for each of them in the library, which has none.
        is_dropped |= line.contains("external fun ffi_tokenward_uniffi_rust_future_");
        if is_dropped {
            is_dropped = !line.trim_start().starts_with(')');
            continue;
        }
        let is_outermost = open.0 == 0;
        if is_outermost && (is_comment(line) || line.is_empty()) {
            held.push_str(line);
            held.push('\n');
            continue;
        }
        if is_outermost {
            is_public = PUBLIC.contains(&name_of(line));
        }
        let out = if is_public { &mut public } else { &mut internal };
        out.push_str(&std::mem::take(&mut held));
        match (is_public, is_outermost) {
            (true, true) => out.push_str(&public_kotlin(line)),
            (true, false) => out.push_str(&public_member(line)),
            (false, true) => out.push_str(&internal_line(line.trim_start())),
            (false, false) => out.push_str(line),
        }
        out.push('\n');
        if line.starts_with("package ") {
            out.extend(PUBLIC.iter().map(|name| format!("import {PACKAGE}.{name}\n")));
        }
        open.pass(line)?;
    }
    if open.0 == 0 {
        Ok((internal, public))
    } else {
        Err("a bracket of the generated Kotlin is not closed".to_owned())
    }
}

/// No `data class` where members may come: its constructor, copy and components would be of so many.
fn public_kotlin(line: &str) -> String {
    match line.strip_prefix("data class ") {
        Some(rest) if GROWING.contains(&name_of(line)) => {
            format!("public class {}", rest.replacen(" (", " internal constructor(", 1))
        }
        _ => format!("public {line}"),
    }
}

fn public_member(line: &str) -> String {
    let member = line.trim_start();
    let indent = &line[..line.len() - member.len()];
    let visible = ["var ", "val ", "data class ", "companion "].iter().any(|start| member.starts_with(start));
    match member {
        _ if visible => format!("{indent}public {member}"),
        _ if member.starts_with("object ") => format!("{indent}public data {member}"),
        _ => line.to_owned(),
    }
}

/// What the package uses itself is visible within the package alone.
fn swift(generated: &str) -> Result<String, String> {
    const PANIC: &str =
        "throw UniffiInternalError.rustPanic(try FfiConverterString.lift(callStatus.errorBuf))";
    const BUG: &str = "throw CoreError.Internal(code: \"internal\", needed: nil)";
    let generated =
        replaced(generated, PANIC, &format!("callStatus.errorBuf.deallocate()\n                {BUG}"))?;
    let generated = replaced(&generated, "throw UniffiInternalError.rustPanic(\"Rust panic\")", BUG)?;
    let mut text = String::new();
    let mut open = Brackets(0);
    let mut outermost = "";
    for line in generated.lines() {
        if open.0 == 0 && !is_comment(line) {
            outermost = name_of(line);
        }
        let declaration = line.trim_start();
        let indent = &line[..line.len() - declaration.len()];
        let rest = ["public", "open", "required public"].iter().find_map(|access| {
            declaration.strip_prefix(access).filter(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        let stays = PUBLIC.contains(&outermost);
        let grows = stays && GROWING.contains(&outermost) && outermost != "TokenIdentity";
        match rest {
            // What only Rust's own types pass through.
            Some(rest) if outermost.starts_with("FfiConverter") => {
                text.push_str(&format!("{indent}{}", rest.trim_start()));
            }
            Some(rest) if !stays || grows && rest.starts_with(" init(") => {
                let required = if declaration.starts_with("required") { "required " } else { "" };
                text.push_str(&format!("{indent}{required}package{rest}"));
            }
            None if declaration == "import Foundation" => text.push_str("package import Foundation"),
            _ => text.push_str(line),
        }
        text.push('\n');
        open.pass(line)?;
    }
    if open.0 == 0 { Ok(text) } else { Err("a bracket of the generated Swift is not closed".to_owned()) }
}

/// A panic is an error like the others: no text of it reaches an app.
fn replaced(generated: &str, what: &str, by: &str) -> Result<String, String> {
    match generated.matches(what).count() {
        1 => Ok(generated.replace(what, by)),
        found => Err(format!("`{what}` is generated {found} times")),
    }
}

fn internal_line(line: &str) -> String {
    const STARTS: [&str; 14] = [
        "abstract",
        "class",
        "const",
        "data",
        "enum",
        "fun",
        "inline",
        "interface",
        "object",
        "open",
        "sealed",
        "typealias",
        "val",
        "var",
    ];
    let (annotation, declaration) = match line.split_once(") ") {
        Some((annotation, declaration)) if line.starts_with("@Throws(") => {
            (format!("{annotation}) "), declaration)
        }
        _ => (String::new(), line),
    };
    let declaration = declaration.strip_prefix("public ").unwrap_or(declaration);
    let first = declaration.split([' ', '<']).next().unwrap_or_default();
    if STARTS.contains(&first) { format!("{annotation}internal {declaration}") } else { line.to_owned() }
}

/// No white space at the end of a line, and a newline at the end of the file.
fn tidy(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| of(path, "is no UTF-8"))
}

fn of(path: &Path, fault: impl std::fmt::Display) -> String {
    format!("{}: {fault}", path.display())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_files_are_what_the_sources_say() {
        assert_eq!(super::check(), Ok(()));
    }
}
