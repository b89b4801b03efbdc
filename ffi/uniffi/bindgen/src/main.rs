//! Writes the Swift and Kotlin that call `tokenward-uniffi`, from the library itself.
//!
//! `cargo run -p tokenward-uniffi-bindgen` writes them; with `-- --check` it compares them with what is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

/// What the generator writes, and where it is committed.
const FILES: [(&str, &str); 4] = [
    ("TokenwardFFI.h", "bindings/swift/Sources/TokenwardFFI/TokenwardFFI.h"),
    ("TokenwardFFI.modulemap", "bindings/swift/Sources/TokenwardFFI/module.modulemap"),
    ("tokenward_uniffi.swift", "bindings/swift/Sources/TokenwardBridge/tokenward_uniffi.swift"),
    (
        "io/github/tokenward/bridge/tokenward_uniffi.kt",
        "bindings/kotlin/tokenward/src/main/kotlin/io/github/tokenward/bridge/tokenward_uniffi.kt",
    ),
];

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    FILES
        .into_iter()
        .map(|(generated, committed)| {
            let path = out_dir.join(generated);
            let text = fs::read_to_string(&path).map_err(|error| of(&path, error))?;
            let text = if generated.ends_with(".kt") { internal(&text)? } else { text };
            Ok((root.join(committed), tidy(&text)))
        })
        .collect()
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

/// Makes each declaration of the file itself `internal`: nothing of it is the package's API.
fn internal(kotlin: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut open = 0_usize;
    // A declaration may follow its comment on the same line.
    for line in kotlin.replace("*/ ", "*/\n").lines() {
        let declaration = line.trim_start();
        let is_comment = declaration.starts_with(['*', '/']);
        if open == 0 && !is_comment {
            text.push_str(&internal_line(declaration));
        } else {
            text.push_str(line);
        }
        text.push('\n');
        if !is_comment {
            for byte in line.bytes() {
                match byte {
                    b'(' | b'{' => open += 1,
                    b')' | b'}' => open = open.checked_sub(1).ok_or_else(|| format!("unopened: {line}"))?,
                    _ => {}
                }
            }
        }
    }
    if open == 0 { Ok(text) } else { Err("a bracket of the generated Kotlin is not closed".to_owned()) }
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
