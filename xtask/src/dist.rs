//! `cargo xtask dist`: the C library, packed for firmware and gateways: one header, an archive for each target, and
//! what CMake, pkg-config, Zephyr and ESP-IDF want to find.

use crate::toolchain;
use crate::workspace::{Program, Result, Workspace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is packed beside the host's archive. Images with another float ABI do not link together.
const TARGETS: &[&str] = &[
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-gnueabihf",
    "armv7-unknown-linux-musleabihf",
    "riscv32imac-unknown-none-elf",
    "riscv32imafc-unknown-none-elf",
    "riscv32imc-unknown-none-elf",
    "riscv64gc-unknown-linux-gnu",
    "riscv64gc-unknown-linux-musl",
    "thumbv6m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv7m-none-eabi",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
];

/// The chips of ESP-IDF, and its target `linux`: what its component holds, which stands alone.
const ESP_IDF: &[&str] = &[
    "aarch64-unknown-linux-gnu",
    "riscv32imac-unknown-none-elf",
    "riscv32imafc-unknown-none-elf",
    "riscv32imc-unknown-none-elf",
    "x86_64-unknown-linux-gnu",
];

/// Where a file of the workspace stands in the package. Folders are taken whole.
const FILES: &[(&str, &str)] = &[
    ("ffi/c/include", "include"),
    ("bindings/c/README.md", "README.md"),
    ("bindings/c/abi/abi.txt", "abi.txt"),
    ("bindings/c/target.c", "lib/target.c"),
    ("bindings/c/cmake", "lib/cmake/tokenward"),
    ("bindings/c/tokenward.pc", "lib/pkgconfig/tokenward.pc"),
    ("bindings/c/zephyr", "zephyr"),
    ("bindings/c/Kconfig.capacities", "zephyr/Kconfig.capacities"),
    ("bindings/c/esp-idf", "esp-idf"),
    ("bindings/c/Kconfig.capacities", "esp-idf/tokenward/Kconfig.capacities"),
    ("ffi/c/include", "esp-idf/tokenward/include"),
    ("LICENSE-APACHE", "esp-idf/tokenward/LICENSE-APACHE"),
    ("LICENSE-MIT", "esp-idf/tokenward/LICENSE-MIT"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
];

/// The examples that have the guide's loop beside their own files.
const EXAMPLES: &[&str] = &["esp-idf/tokenward/examples/keep_token/main", "zephyr/samples/keep_token/src"];

/// What every file says of its age, so that the same input gives the same bytes: 2000-01-01, in seconds.
pub(crate) const EPOCH: &str = "946684800";

/// `cargo xtask dist [--target TARGET…]`: prints the package's path.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let targets = match args.split_first() {
        None => all_targets()?,
        Some((flag, named)) if flag == "--target" && !named.is_empty() => named.iter().cloned().collect(),
        Some(_) => return Err("usage: cargo xtask dist [--target TARGET…]".into()),
    };
    println!("{}", make(workspace, &targets)?.display());
    Ok(())
}

pub(crate) fn all_targets() -> Result<BTreeSet<String>> {
    Ok(TARGETS.iter().map(|target| (*target).to_owned()).chain([toolchain::host()?]).collect())
}

/// Makes the package; where it is.
pub(crate) fn make(workspace: &Workspace, targets: &BTreeSet<String>) -> Result<PathBuf> {
    let host = toolchain::host()?;
    let name = format!("tokenward-c-{VERSION}");
    let dist = workspace.target.join("dist");
    let package = dist.join(&name);
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    for target in targets {
        println!("{target}");
        let archive = build(workspace, target)?;
        let place = Path::new("lib").join(target).join("libtokenward_c.a");
        copy(&archive, &package.join(&place), target)?;
        if ESP_IDF.contains(&target.as_str()) {
            copy(&archive, &package.join("esp-idf/tokenward").join(&place), target)?;
        }
        let facts = package.join(format!("lib/pkgconfig/tokenward-{target}.pc"));
        copy(&workspace.root.join("bindings/c/archive.pc"), &facts, target)?;
    }
    for (from, to) in FILES {
        copy(&workspace.root.join(from), &package.join(to), &host)?;
    }
    for example in EXAMPLES {
        for file in ["loop.h", "loop.c"] {
            fs::write(package.join(example).join(file), of_guide(workspace, file)?)?;
        }
    }
    let third_party = third_party(workspace)?;
    for folder in [&package, &package.join("esp-idf/tokenward")] {
        fs::write(folder.join("THIRD-PARTY"), &third_party)?;
    }
    write_sums(&package)?;
    pack(&dist, &name, &dist.join(format!("{name}.tar")), &[])
}

/// Packs a folder of `parent`, the same bytes for the same files; where the result is.
pub(crate) fn pack(parent: &Path, name: &str, tar: &Path, more: &[&str]) -> Result<PathBuf> {
    Program::new("tar")
        .args(["--create", "--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", &format!("--mtime=@{EPOCH}")])
        .args(more)
        .args([Path::new("--directory"), parent, Path::new("--file"), tar, Path::new(name)])
        .run()?;
    Program::new("gzip").args(["--no-name", "--force"]).args([tar]).run()?;
    Ok(format!("{}.gz", tar.display()).into())
}

/// Builds the archive with snapshots; the linker leaves out what an image does not call. It is of `core` alone, on
/// Linux too, so that no linker and no C library of the target is needed here.
fn build(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    // A folder for each: cargo remembers there what the compiler says of a target, which is more for sources.
    let (toolchain, folder, opt_level) = if target.contains("-none-") {
        (toolchain::with_core(target)?, "dist/firmware", "z")
    } else {
        (toolchain::with_sources(target)?, "dist/linux", "3")
    };
    let folder = workspace.target.join(folder);
    toolchain
        .cargo(workspace)
        .args([
            "rustc",
            "--quiet",
            "--locked",
            "--package",
            "tokenward-c",
            "--lib",
            "--crate-type",
            "staticlib",
        ])
        .args(["--profile", "firmware", "--features", "panic-handler,snapshot", "--target", target])
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_PROFILE_FIRMWARE_OPT_LEVEL", opt_level)
        .flags("RUSTFLAGS", r#"--cfg sha2_backend_soft="compact""#)
        .run()?;
    Ok(folder.join(target).join("firmware/libtokenward_c.a"))
}

/// Copies a file or a folder, and puts version and target where a text asks for them.
fn copy(from: &Path, to: &Path, target: &str) -> Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), target)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().ok_or("a file stands in a folder")?)?;
    let bytes = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => fs::write(to, text.replace("@VERSION@", VERSION).replace("@TARGET@", target))?,
        Err(_) => fs::write(to, bytes)?,
    }
    Ok(())
}

/// A file that the guide shows.
fn of_guide(workspace: &Workspace, file: &str) -> Result<String> {
    let guide = fs::read_to_string(workspace.root.join("bindings/c/README.md"))?;
    let begin = format!("```c\n/* {file} */\n");
    let (_, shown) = guide.split_once(&begin).ok_or_else(|| format!("the guide does not show {file}"))?;
    let (text, _) = shown.split_once("```\n").ok_or("the guide ends in the middle of a file")?;
    Ok(format!("/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n/* {file} of the guide. */\n{text}"))
}

/// `THIRD-PARTY`: the crates whose code is in the archives, each with its MIT licence, which asks for that.
fn third_party(workspace: &Workspace) -> Result<String> {
    let tree = ["tree", "--package", "tokenward-c", "--features", "snapshot", "--edges", "normal"];
    let flat = ["--target", "all", "--prefix", "none", "--no-dedupe", "--format", "{p}"];
    let tree = workspace.cargo().args(tree).args(flat).output()?;
    let metadata =
        workspace.cargo().args(["metadata", "--format-version", "1", "--all-features"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let mut text = "The archives hold code of Rust's `core` and `compiler_builtins` (MIT OR Apache-2.0, \
                    https://github.com/rust-lang/rust) and of these crates:\n"
        .to_owned();
    // The workspace's own stand there with their folders.
    for line in tree.lines().filter(|line| !line.contains('(')).collect::<BTreeSet<_>>() {
        let (name, version) = line.split_once(" v").ok_or("cargo tree names no version")?;
        let known = packages.iter().find(|known| known["name"] == name && known["version"] == version);
        let manifest = known.and_then(|known| known["manifest_path"].as_str()).ok_or(line)?;
        let licence = fs::read_to_string(Path::new(manifest).with_file_name("LICENSE-MIT"))
            .map_err(|error| format!("{line}: LICENSE-MIT: {error}"))?;
        text.push_str(&format!("\n== {name} {version}\n\n{}\n", licence.trim_end()));
    }
    Ok(text)
}

/// `SHA256SUMS`, for `sha256sum --check`.
pub(crate) fn write_sums(package: &Path) -> Result<()> {
    let list = Program::new("find").dir(package).args([".", "-type", "f"]).output()?;
    let mut files: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("./")).collect();
    files.sort_unstable();
    let sums = Program::new("sha256sum").dir(package).args(files).output()?;
    Ok(fs::write(package.join("SHA256SUMS"), sums)?)
}
