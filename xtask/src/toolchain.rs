//! Compilers beside the one that runs: other targets, the oldest Rust promised, a sysroot of `core` alone.

use crate::workspace::{Program, Result, Workspace, on_path};
use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// A compiler that has a target's `core`.
pub(crate) enum Toolchain {
    /// The compiler that runs.
    Installed,
    /// The same with the sources of `core`, which cargo builds.
    Sources,
    /// Debian's compiler in a private copy.
    Private(PathBuf),
}

impl Toolchain {
    /// This toolchain's cargo in the workspace, with a target folder of its own.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Program {
        let cargo = match self {
            Self::Installed => workspace.cargo(),
            Self::Sources => {
                workspace.cargo().env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "core")
            }
            Self::Private(usr) => private_cargo(usr).dir(&workspace.root),
        };
        cargo.env("CARGO_TARGET_DIR", workspace.target.join("bare-metal"))
    }
}

/// A compiler for `target`: the one that runs where rustup has or fetches the target or its sources, else Debian's,
/// whose library sources are built for the target once, in the cache.
pub(crate) fn with_core(target: &str) -> Result<Toolchain> {
    if has_core(&target_libdir(Some(target), None)?) {
        return Ok(Toolchain::Installed);
    }
    if rustup_adds("target", target)? && has_core(&target_libdir(Some(target), None)?) {
        return Ok(Toolchain::Installed);
    }
    with_sources(target)
}

/// A compiler that builds `core` for `target` with `panic = "abort"`. For a target with `std` the build that rustup has
/// unwinds: a C program that takes one of its functions for integers of 128 bits would want Rust's unwinder too.
pub(crate) fn with_sources(target: &str) -> Result<Toolchain> {
    let sources = rustc().args(["--print", "sysroot"]).output()?;
    let sources = Path::new(sources.trim_end()).join("lib/rustlib/src/rust/library/core");
    if sources.is_dir() || rustup_adds("component", "rust-src")? {
        return Ok(Toolchain::Sources);
    }
    debian(target).map(Toolchain::Private)
}

/// Whether rustup has this `kind` of thing, or can add it now.
fn rustup_adds(kind: &str, name: &str) -> Result<bool> {
    if !on_path("rustup") {
        return Ok(false);
    }
    println!("rustup: adding the {kind} {name}");
    let (added, said) = Program::new("rustup").args([kind, "add", name]).outcome()?;
    if !added {
        let why = said.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        println!("rustup cannot add it: {why}");
    }
    Ok(added)
}

/// Whether rustup has this Rust version, or can install it now.
pub(crate) fn rustup_toolchain(version: &str) -> bool {
    let there = || Program::new("rustup").args(["run", version, "rustc", "--version"]).output().is_ok();
    on_path("rustup")
        && (there() || {
            println!("rustup: installing Rust {version}");
            let install = ["toolchain", "install", version, "--profile", "minimal", "--no-self-update"];
            Program::new("rustup").args(install).output().is_ok() && there()
        })
}

/// The target that rustc itself runs on.
pub(crate) fn host() -> Result<String> {
    let version = rustc().args(["-vV"]).output()?;
    Ok(version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?.to_owned())
}

/// A sysroot for the host in which only `core` can be found.
pub(crate) struct CoreOnly {
    pub(crate) path: PathBuf,
    pub(crate) host: String,
}

/// Makes the sysroot, and proves that it does what it is for: `extern crate alloc` fails in it.
pub(crate) fn core_only_sysroot(workspace: &Workspace) -> Result<CoreOnly> {
    let host = host()?;
    let path = workspace.target.join("no-alloc/sysroot");
    let lib = path.join("lib/rustlib").join(&host).join("lib");
    if lib.exists() {
        fs::remove_dir_all(&lib)?;
    }
    fs::create_dir_all(&lib)?;
    for entry in fs::read_dir(target_libdir(None, None)?)? {
        let from = entry?.path();
        if is_library(&from, &["core", "compiler_builtins"]) {
            fs::copy(&from, lib.join(from.file_name().unwrap_or_default()))?;
        }
    }
    for (library, expected) in [("core", true), ("alloc", false)] {
        let source = path.join(format!("names_{library}.rs"));
        fs::write(&source, format!("#![no_std]\nextern crate {library};\n"))?;
        let (built, said) = rustc()
            .args(["--crate-type=rlib", "--emit=metadata", "--edition=2024", "--out-dir"])
            .args([&path, Path::new("--sysroot"), &path, &source])
            .outcome()?;
        if built != expected {
            return Err(
                format!("the sysroot of core alone is not one; `extern crate {library}`:\n{said}").into()
            );
        }
    }
    Ok(CoreOnly { path, host })
}

/// The linker that comes with the compiler that runs, where it does.
pub(crate) fn rust_lld() -> Result<Option<PathBuf>> {
    let lib = target_libdir(None, None)?;
    Ok(lib.parent().map(|host| host.join("bin/rust-lld")).filter(|lld| lld.is_file()))
}

fn rustc() -> Program {
    Program::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The folder of a target's libraries, whether or not it is there.
fn target_libdir(target: Option<&str>, private: Option<&Path>) -> Result<PathBuf> {
    let rustc = private.map_or_else(rustc, |usr| with_libraries(Program::new(usr.join("bin/rustc")), usr));
    let rustc = rustc.args(["--print", "target-libdir"]);
    let said = match target {
        Some(target) => rustc.args(["--target", target]),
        None => rustc,
    };
    Ok(said.output()?.trim_end().into())
}

fn has_core(lib: &Path) -> bool {
    let entries = fs::read_dir(lib).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| is_library(&entry.path(), &["core"]))
}

/// Whether the file is the compiled form of one of these crates: `libNAME-HASH.rlib`, and its metadata beside it.
fn is_library(file: &Path, names: &[&str]) -> bool {
    let stem = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("lib"));
    let Some((name, rest)) = stem.and_then(|stem| stem.split_once('-')) else { return false };
    (rest.ends_with(".rlib") || rest.ends_with(".rmeta")) && names.contains(&name)
}

fn private_cargo(usr: &Path) -> Program {
    with_libraries(Program::new(usr.join("bin/cargo")), usr).env("RUSTC", usr.join("bin/rustc"))
}

fn with_libraries(program: Program, usr: &Path) -> Program {
    program.env("LD_LIBRARY_PATH", usr.join(format!("lib/{ARCH}-linux-gnu")))
}

/// Debian's rustc-web in a private copy (nothing of it is installed), with `core`, `alloc` and
/// `compiler_builtins` built for `target`. Returns the copy's `usr`.
fn debian(target: &str) -> Result<PathBuf> {
    let cache = Workspace::cache()?.join("fw");
    let usr = cache.join("rust/usr");
    if !usr.join("bin/rustc").is_file() {
        unpack_debian_rust(&cache, target)?;
    }
    let lib = target_libdir(Some(target), Some(&usr))?;
    if !has_core(&lib) {
        println!("building core for {target} once, in {}", cache.display());
        build_core(&cache, &usr, target, &lib)?;
    }
    Ok(usr)
}

fn unpack_debian_rust(cache: &Path, target: &str) -> Result<()> {
    if !(on_path("apt-get") && on_path("dpkg")) {
        return Err(format!("no Rust for {target} here: `rustup target add {target}` provides it").into());
    }
    println!("unpacking Debian's rustc-web once, in {} (about 200 MB to download)", cache.display());
    let debs = scratch(cache, "debs")?;
    fs::create_dir_all(debs.join("partial"))?;
    let hint = |error| {
        format!(
            "{error}\nno Rust for {target}: `rustup target add {target}` provides it, or run this once as root"
        )
    };
    let apt = || Program::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(["-y", "-qq"]);
    apt().args(["update"]).output().map_err(hint)?;
    apt()
        .args([
            "install",
            "--download-only",
            "--no-install-recommends",
            "-o",
            "APT::Sandbox::User=root",
            "-o",
        ])
        .args([format!("Dir::Cache::archives={}", debs.display())])
        .args(["rustc-web", "cargo-web", "rust-web-src"])
        .output()
        .map_err(hint)?;
    let unpacked = scratch(cache, "rust")?;
    for entry in fs::read_dir(&debs)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            Program::new("dpkg").args([Path::new("-x"), &package, &unpacked]).output()?;
        }
    }
    fs::remove_dir_all(&debs)?;
    publish(&unpacked, &cache.join("rust"))
}

/// The one step that needs unstable flags: Debian ships the library's sources, not its bare-metal builds.
fn build_core(cache: &Path, usr: &Path, target: &str, lib: &Path) -> Result<()> {
    let seed = scratch(cache, "seed")?;
    fs::create_dir_all(seed.join("src"))?;
    fs::write(seed.join("src/lib.rs"), "#![no_std]\n")?;
    let profile = "[profile.release]\nopt-level = 3\ncodegen-units = 1\npanic = \"abort\"\nlto = \"off\"\n";
    let package = "[package]\nname = \"seed\"\nedition = \"2021\"\n\n[workspace]\n";
    fs::write(seed.join("Cargo.toml"), format!("{package}\n{profile}"))?;
    private_cargo(usr)
        .dir(&seed)
        .args(["build", "--quiet", "--release", "--target", target])
        .args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", seed.join("target"))
        .run()?;
    let built = scratch(cache, "lib")?;
    for entry in fs::read_dir(seed.join("target").join(target).join("release/deps"))? {
        let from = entry?.path();
        if is_library(&from, &["core", "alloc", "compiler_builtins"]) {
            fs::copy(&from, built.join(from.file_name().unwrap_or_default()))?;
        }
    }
    fs::remove_dir_all(&seed)?;
    fs::create_dir_all(lib.parent().ok_or("a library folder has a parent")?)?;
    publish(&built, lib)
}

/// An empty folder of this process, in the cache.
fn scratch(cache: &Path, name: &str) -> Result<PathBuf> {
    let folder = cache.join(format!("{name}.part-{}", process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Moves a finished folder to its place; where another process was faster, its result stays.
fn publish(finished: &Path, place: &Path) -> Result<()> {
    match fs::rename(finished, place) {
        Err(_) if place.exists() => Ok(fs::remove_dir_all(finished)?),
        moved => Ok(moved?),
    }
}

#[cfg(test)]
mod tests {
    use super::is_library;
    use std::path::Path;

    #[test]
    fn a_library_is_told_by_its_crate_name() {
        let core = Path::new("/lib/libcore-120cbae4e86ec454.rlib");
        assert!(is_library(core, &["core"]));
        assert!(!is_library(core, &["alloc"]));
        assert!(is_library(Path::new("/lib/libcore-120cbae4e86ec454.rmeta"), &["core"]));
        assert!(!is_library(Path::new("/lib/libcore-120cbae4e86ec454.d"), &["core"]));
        assert!(!is_library(Path::new("/lib/librustc_std_workspace_core-1.rlib"), &["core"]));
    }
}
