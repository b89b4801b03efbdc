//! `cargo xtask release`: what a release holds, with checksums: the C package, the crates, what they are made of, and the
//! Maven repository of the Kotlin packages.

use crate::dist;
use crate::workspace::{Program, Result, Workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The cargo-cyclonedx that is built where none is installed.
const CYCLONEDX: &str = "0.5.9";

/// What is shipped of code, with the features that it is shipped with: its bill of materials is in the release.
const BILLS: &[(&str, &str, &str)] = &[
    ("core", "tokenward", "defmt,heapless,serde,snapshot"),
    ("ffi/c", "tokenward-c", "snapshot"),
    ("ffi/uniffi", "tokenward-uniffi", ""),
];

/// Puts its files into the folder.
type Part = fn(&Workspace, &Path) -> Result<()>;

const PARTS: &[(&str, Part)] = &[("c", c_package), ("crates", crates), ("bills", bills), ("kotlin", kotlin)];

/// `cargo xtask release [PART…]`: prints the folder.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let unknown = args.iter().find(|arg| PARTS.iter().all(|(name, _)| name != arg));
    if let Some(unknown) = unknown {
        let names: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no part `{unknown}` of a release; there are: {}", names.join(", ")).into());
    }
    let folder = folder(workspace);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for (name, make) in PARTS {
        if args.is_empty() || args.iter().any(|arg| arg == name) {
            println!("{name}");
            make(workspace, &folder)?;
        }
    }
    dist::write_sums(&folder)?;
    println!("{}", folder.display());
    Ok(())
}

/// The test leg: crates and bills are the same bytes when they are made again, and a bill names what is linked. The C
/// package has its own leg, and the Kotlin packages too.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let sums = || -> Result<String> {
        run(workspace, &["crates".to_owned(), "bills".to_owned()])?;
        Ok(fs::read_to_string(folder(workspace).join("SHA256SUMS"))?)
    };
    let (first, second) = (sums()?, sums()?);
    if first != second {
        return Err(format!("made again it differs:\n{first}\n{second}").into());
    }
    let bill = fs::read_to_string(folder(workspace).join(format!("tokenward-c-{}.cdx.json", dist::VERSION)))?;
    let bill: Value = serde_json::from_str(&bill)?;
    let components = bill["components"].as_array().ok_or("a bill names no components")?;
    let names: Vec<_> = components.iter().filter_map(|component| component["name"].as_str()).collect();
    let (wanted, unwanted) = (["hmac", "sha2", "tokenward"], ["serde_json", "ureq", "heapless"]);
    if !wanted.iter().all(|name| names.contains(name)) || unwanted.iter().any(|name| names.contains(name)) {
        return Err(format!("the bill of the C library names {}", names.join(", ")).into());
    }
    println!("{first}counted: {} passed, 0 failed", first.lines().count());
    Ok(())
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join(format!("release-{}", dist::VERSION))
}

fn c_package(workspace: &Workspace, folder: &Path) -> Result<()> {
    take(&dist::make(workspace, &dist::all_targets()?)?, folder)
}

/// The crates that are meant for crates.io, as cargo packs them.
fn crates(workspace: &Workspace, folder: &Path) -> Result<()> {
    for name in published(workspace)? {
        let package = ["package", "--quiet", "--locked", "--allow-dirty", "--no-verify", "--package", &name];
        workspace.cargo().args(package).run()?;
        take(&workspace.target.join(format!("package/{name}-{}.crate", dist::VERSION)), folder)?;
    }
    Ok(())
}

/// The crates that are meant for crates.io.
pub(crate) fn published(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = workspace.cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let published = packages.iter().filter(|package| package["publish"].is_null());
    Ok(published.filter_map(|package| package["name"].as_str()).map(str::to_owned).collect())
}

/// Bills of materials in CycloneDX, of what is linked. The tool writes beside each manifest of the workspace: so it works
/// on a copy, whose place is in no bill.
fn bills(workspace: &Workspace, folder: &Path) -> Result<()> {
    let program = workspace.tool("cargo-cyclonedx", CYCLONEDX)?;
    let copy = workspace.target.join("bills");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let files = Program::new("git").dir(&workspace.root).args(listed).output()?;
    for file in files
        .lines()
        .filter(|file| file.starts_with("Cargo.") || file.contains("/Cargo.") || file.ends_with(".rs"))
    {
        let to = copy.join(file);
        fs::create_dir_all(to.parent().ok_or("a file stands in a folder")?)?;
        fs::copy(workspace.root.join(file), to)?;
    }
    for (manifest, name, features) in BILLS {
        Program::new(&program)
            .dir(&copy)
            .args(["cyclonedx", "--quiet", "--format", "json", "--target", "all", "--spec-version", "1.5"])
            .args(["--no-default-features", "--features", features, "--override-filename", "bill"])
            .args(["--manifest-path", &format!("{manifest}/Cargo.toml")])
            .env("SOURCE_DATE_EPOCH", dist::EPOCH)
            .run()?;
        let bill = fs::read_to_string(copy.join(manifest).join("bill.json"))?;
        let bill = bill.replace(&copy.display().to_string(), "/tokenward");
        fs::write(folder.join(format!("{name}-{}.cdx.json", dist::VERSION)), bill)?;
    }
    Ok(fs::remove_dir_all(&copy)?)
}

/// The Maven repository, without what only says when it was made.
fn kotlin(workspace: &Workspace, folder: &Path) -> Result<()> {
    workspace.script("bindings/kotlin/test.sh").args(["docs"]).run()?;
    let packed = folder.join(format!("tokenward-maven-{}.tar", dist::VERSION));
    dist::pack(&workspace.target.join("kotlin"), "repository", &packed, &["--exclude=maven-metadata.xml*"])?;
    Ok(())
}

fn take(file: &Path, folder: &Path) -> Result<()> {
    fs::copy(file, folder.join(file.file_name().ok_or("a file has a name")?))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}
