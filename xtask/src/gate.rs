//! The link gate: proves, by linking, that no path of the core leads to a panic.
//!
//! `xtask/gate` is a crate with one entry for each public function of the core and a panic handler that calls a
//! function nobody defines. What the linker keeps for an entry either reaches that function, and then linking
//! fails, or cannot panic. It holds for what the optimiser leaves, so each profile that matters is linked: opt 3
//! and opt z, both with fat LTO. An entry of its own, [`CONTROL`], does panic, and the gate fails if it links.

use crate::elf::Elf;
use crate::toolchain::{self, Toolchain};
use crate::workspace::{Program, Result, Workspace, on_path};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of all entries begin so.
const ENTRY: &str = "tokenward_gate_";

/// The entry that panics on purpose.
const CONTROL: &str = "tokenward_gate_control";

/// What the panic handler calls and nothing defines.
const REACHED: &str = "tokenward_panic_reached";

/// Profiles of the gate's manifest: opt 3, opt z.
const PROFILES: [&str; 2] = ["release", "small"];

/// Features with which the core promises not to panic. `serde` is outside: serde-json-core keeps panic paths.
const FEATURE_SETS: [&str; 2] = ["", "snapshot"];

struct Target {
    triple: &'static str,
    /// The linker's name for the output format.
    emulation: &'static str,
    /// The GNU linker, for want of rust-lld, and the Debian package that has it.
    ld: &'static str,
    package: &'static str,
}

const fn arm(triple: &'static str) -> Target {
    Target { triple, emulation: "armelf", ld: "arm-none-eabi-ld", package: "binutils-arm-none-eabi" }
}

const FIRMWARE: &[Target] = &[
    arm("thumbv6m-none-eabi"),
    arm("thumbv7em-none-eabi"),
    arm("thumbv8m.main-none-eabi"),
    Target {
        triple: "riscv32imac-unknown-none-elf",
        emulation: "elf32lriscv",
        ld: "riscv64-unknown-elf-ld",
        package: "binutils-riscv64-unknown-elf",
    },
];

/// The test leg for the host.
pub(crate) fn host(workspace: &Workspace) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err("the gate for the host links with the flags of Linux".into());
    }
    each_variant(|profile, features| {
        let image = Image { linker: Linker::Cc, archive: build(workspace, None, profile, features)? };
        image.check(&format!("host, {profile}, features [{features}]"))
    })
}

/// The test leg for bare-metal targets.
pub(crate) fn firmware(workspace: &Workspace) -> Result<()> {
    for target in FIRMWARE {
        let toolchain = toolchain::with_core(target.triple)?;
        let ld = ld(target)?;
        each_variant(|profile, features| {
            let archive = build(workspace, Some((&toolchain, target.triple)), profile, features)?;
            let image = Image { linker: Linker::Ld(ld.clone(), target.emulation), archive };
            image.check(&format!("{}, {profile}, features [{features}]", target.triple))
        })?;
    }
    Ok(())
}

/// `cargo xtask size`: a Markdown table of text sizes at opt z. Each entry is linked alone, then all of them
/// together, so that a row holds everything its function needs and the last row what they share only once.
pub(crate) fn print_sizes(workspace: &Workspace) -> Result<()> {
    let mut columns = Vec::new();
    for target in FIRMWARE {
        let toolchain = toolchain::with_core(target.triple)?;
        let archive = build(workspace, Some((&toolchain, target.triple)), "small", FEATURE_SETS[1])?;
        columns.push(Image { linker: Linker::Ld(ld(target)?, target.emulation), archive });
    }
    let triples: Vec<_> = FIRMWARE.iter().map(|target| target.triple).collect();
    println!("| text, bytes, opt z | {} |", triples.join(" | "));
    println!("|---{}|", "|---:".repeat(triples.len()));
    let entries = columns.first().ok_or("no target")?.entries()?;
    let alone = entries.iter().map(|entry| (entry.trim_start_matches(ENTRY), std::slice::from_ref(entry)));
    for (name, entries) in alone.chain([("all", entries.as_slice())]) {
        let sizes = columns.iter().map(|image| Ok(image.text_size(entries)?.to_string()));
        println!("| {name} | {} |", sizes.collect::<Result<Vec<_>>>()?.join(" | "));
    }
    Ok(())
}

/// Cargo in the gate's own workspace: it needs `panic = "abort"` and no `std`, which the main one cannot give it.
/// Its dependencies are those of the main lock file, which is copied rather than kept twice.
pub(crate) fn cargo(workspace: &Workspace) -> Program {
    prepare(workspace, workspace.cargo()).env("CARGO_TARGET_DIR", workspace.target.join("gate"))
}

fn prepare(workspace: &Workspace, cargo: Program) -> Program {
    let gate = workspace.root.join("xtask/gate");
    let (wanted, copy) = (workspace.root.join("Cargo.lock"), gate.join("Cargo.lock"));
    // Another leg may be reading the copy. Without it cargo resolves anew, which only costs the exact versions.
    if let Ok(lock) = fs::read(wanted)
        && fs::read(&copy).ok().as_ref() != Some(&lock)
    {
        let _ = fs::write(copy, lock);
    }
    cargo.dir(&gate)
}

fn each_variant(mut check: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
    PROFILES.iter().try_for_each(|profile| FEATURE_SETS.iter().try_for_each(|set| check(profile, set)))
}

/// Builds the gate and returns its archive.
fn build(
    workspace: &Workspace,
    firmware: Option<(&Toolchain, &str)>,
    profile: &str,
    features: &str,
) -> Result<PathBuf> {
    let folder = workspace.target.join("gate");
    let (cargo, folder) = match firmware {
        None => (cargo(workspace), folder),
        Some((toolchain, triple)) => (
            prepare(workspace, toolchain.cargo(workspace))
                .flags("RUSTFLAGS", r#"--cfg sha2_backend_soft="compact""#)
                .env("CARGO_BUILD_TARGET", triple)
                .env("CARGO_TARGET_DIR", &folder),
            folder.join(triple),
        ),
    };
    cargo.args(["build", "--quiet", "--profile", profile, "--features", features]).run()?;
    // A later build with other features replaces the archive, so this one gets a name of its own.
    let built = folder.join(profile).join("libtokenward_gate.a");
    let archive = folder.join(profile).join(format!("gate-{features}.a"));
    fs::copy(&built, &archive).map_err(|error| format!("{}: {error}", built.display()))?;
    Ok(archive)
}

/// The linker for a bare-metal target: rust-lld beside the compiler that runs, else the GNU one.
fn ld(target: &Target) -> Result<Vec<OsString>> {
    if let Some(lld) = toolchain::rust_lld()? {
        return Ok(vec![lld.into(), "-flavor".into(), "gnu".into()]);
    }
    if on_path(target.ld) {
        return Ok(vec![target.ld.into()]);
    }
    Err(format!("no linker for {}: install the package {}", target.triple, target.package).into())
}

enum Linker {
    /// The host's C compiler, which knows where `memcpy` is.
    Cc,
    Ld(Vec<OsString>, &'static str),
}

/// One build of the gate, ready to be linked.
struct Image {
    linker: Linker,
    archive: PathBuf,
}

impl Image {
    fn check(&self, what: &str) -> Result<()> {
        let entries = self.entries()?;
        let (linked, said) = self.link(&entries, &["--gc-sections"])?;
        if !linked {
            return Err(self.blame(what, &entries, &said)?.into());
        }
        let (linked, said) = self.link(&[CONTROL.to_owned()], &["--gc-sections"])?;
        if linked || !said.contains(REACHED) {
            return Err(format!("{what}: the control entry should have failed on {REACHED}\n{said}").into());
        }
        println!("{what}: {} entries link, the control does not", entries.len());
        println!("counted: {} passed, 0 failed", entries.len());
        Ok(())
    }

    /// Names of all entries but the control.
    fn entries(&self) -> Result<Vec<String>> {
        // Nothing is removed here and nothing has to be found: this only asks what there is.
        let flags = ["--no-gc-sections", "--unresolved-symbols=ignore-all"];
        let (linked, said) = self.link(&[CONTROL.to_owned()], &flags)?;
        if !linked {
            return Err(format!("the gate's entries cannot be listed\n{said}").into());
        }
        let mut names = Elf::parse(&fs::read(self.output())?)?.defined_symbols()?;
        names.retain(|name| name.starts_with(ENTRY) && name != CONTROL);
        names.sort();
        if names.is_empty() { Err("the gate has no entry".into()) } else { Ok(names) }
    }

    fn text_size(&self, entries: &[String]) -> Result<u64> {
        let (linked, said) = self.link(entries, &["--gc-sections"])?;
        if !linked {
            return Err(format!("a gate that does not link has no size\n{said}").into());
        }
        Ok(Elf::parse(&fs::read(self.output())?)?.text_size())
    }

    /// Names the entries that do not link, and what of `core` each of them reaches.
    fn blame(&self, what: &str, entries: &[String], said: &str) -> Result<String> {
        let mut text = format!("{what}: a path to a panic is left");
        let mut found = false;
        for entry in entries {
            let alone = std::slice::from_ref(entry);
            if self.link(alone, &["--gc-sections"])?.0 {
                continue;
            }
            found = true;
            self.link(alone, &["--gc-sections", "--unresolved-symbols=ignore-all"])?;
            let mut reached = Elf::parse(&fs::read(self.output())?)?.defined_symbols()?;
            reached.retain(|name| name.contains("panicking") || name.contains("_fail"));
            text.push_str(&format!("\n  {entry}: {}", reached.join(", ")));
        }
        if !found {
            text.push_str(&format!("\n{said}"));
        }
        Ok(text)
    }

    /// Links what these entries need; whether that worked, and what the linker said.
    fn link(&self, entries: &[String], flags: &[&str]) -> Result<(bool, String)> {
        let roots = entries.iter().map(|entry| format!("--undefined={entry}"));
        let first = entries.first().map(|entry| format!("--entry={entry}"));
        let flags = flags.iter().map(|flag| (*flag).to_owned()).chain(roots).chain(first);
        let out = [Path::new("-o"), &self.output(), &self.archive].map(Path::to_path_buf);
        match &self.linker {
            Linker::Cc => Program::new("cc")
                .args(["-nostdlib", "-nostartfiles"])
                .args(flags.map(|flag| format!("-Wl,{flag}")))
                .args(out)
                .args(["-lc", "-lgcc"])
                .outcome(),
            Linker::Ld(command, emulation) => {
                let (program, args) = command.split_first().ok_or("no linker")?;
                Program::new(program).args(args).args(["-m", emulation]).args(flags).args(out).outcome()
            }
        }
    }

    fn output(&self) -> PathBuf {
        self.archive.with_extension("elf")
    }
}
