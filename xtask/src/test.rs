//! `cargo xtask test`: the legs, their order, and the tally at the end.

use crate::elf::Elf;
use crate::workspace::{CORE, Program, Result, Workspace, on_path};
use crate::{corpora, fuzz, gate, scenarios, toolchain};
use std::time::Instant;

struct Leg {
    name: &'static str,
    about: &'static str,
    /// Whether `cargo xtask test` without arguments runs it.
    by_default: bool,
    run: fn(&Workspace, &mut Tally) -> Result<()>,
}

/// All legs, in the order in which they run. The last one is a `cargo test`, so that its result closes the output.
const LEGS: &[Leg] = &[
    Leg { name: "fmt", about: "rustfmt", by_default: true, run: fmt },
    Leg { name: "clippy", about: "clippy on everything, warnings denied", by_default: true, run: clippy },
    Leg { name: "corpora", about: "JSONTestSuite is there and whole", by_default: true, run: corpora },
    Leg { name: "test", about: "all tests, all features", by_default: true, run: workspace_tests },
    Leg { name: "doc", about: "rustdoc, warnings denied", by_default: true, run: doc },
    Leg { name: "msrv", about: "the oldest Rust promised", by_default: true, run: msrv },
    Leg { name: "no-std", about: "the core on a target without std", by_default: true, run: no_std },
    Leg {
        name: "no-alloc",
        about: "the core where there is no alloc crate",
        by_default: true,
        run: no_alloc,
    },
    Leg { name: "panic-free", about: "link gate on this host", by_default: true, run: gate::host },
    Leg {
        name: "panic-free-firmware",
        about: "link gate on Cortex-M and RISC-V",
        by_default: true,
        run: gate::firmware,
    },
    Leg {
        name: "no-alloc-example",
        about: "a manager without an allocator: host, Cortex-M, reqwless",
        by_default: true,
        run: no_alloc_example,
    },
    Leg {
        name: "c",
        about: "the C surface: compilers, unit tests, sanitizers, valgrind, manual, link gate",
        by_default: true,
        run: |workspace, _| {
            let legs = ["header", "unit", "sanitize", "valgrind", "doxygen", "gate"];
            workspace.script("ffi/c/test.sh").args(legs).run()
        },
    },
    Leg {
        name: "c-firmware",
        about: "bare-metal C on five boards in QEMU, against the demo service",
        by_default: true,
        run: |workspace, _| workspace.script("examples/c-firmware/test.sh").run(),
    },
    Leg {
        name: "memory",
        about: "docs/MEMORY.md is what is measured",
        by_default: true,
        run: |workspace, _| workspace.script("examples/c-firmware/measure.sh").args(["--check"]).run(),
    },
    Leg {
        name: "c-package",
        about: "the C library as its users take it: CMake, pkg-config, Make, Zephyr, ESP-IDF",
        by_default: true,
        run: |workspace, _| workspace.script("bindings/c/test.sh").run(),
    },
    Leg {
        name: "c-gateway",
        about: "the gateway on libcurl against real servers, killed a hundred times",
        by_default: true,
        run: |workspace, _| workspace.script("examples/c-gateway/test.sh").run(),
    },
    Leg {
        name: "swift",
        about: "the Swift package, its tests, guides and a consumer",
        by_default: true,
        run: |workspace, _| workspace.script("bindings/swift/test.sh").run(),
    },
    Leg {
        name: "kotlin",
        about: "the Kotlin packages, their tests, guides and a consumer",
        by_default: true,
        run: |workspace, _| workspace.script("bindings/kotlin/test.sh").run(),
    },
    Leg { name: "deny", about: "cargo-deny; builds it once, 8 min", by_default: false, run: deny },
    Leg {
        name: "scenarios",
        about: "the scenarios in all languages",
        by_default: true,
        run: scenarios::differences,
    },
    Leg { name: "fuzz", about: "each fuzz target for a minute", by_default: true, run: fuzz::leg },
    Leg { name: "demo", about: "the command's demonstration", by_default: true, run: demo },
    Leg { name: "features", about: "the core's tests, feature by feature", by_default: true, run: features },
];

/// What the legs have done so far.
#[derive(Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: Vec<String>,
}

impl Tally {
    /// Runs a `cargo test`, shows its output and counts its results.
    fn cargo_test(&mut self, workspace: &Workspace, args: &[&str]) -> Result<()> {
        workspace.cargo().args(["test"]).args(args).lines(|line| {
            println!("{line}");
            if let Some((passed, failed)) = counts(line) {
                self.passed += passed;
                self.failed += failed;
            }
        })
    }

    /// Notes that something could not be checked here; it is repeated at the end.
    pub(crate) fn skip(&mut self, what: String) {
        println!("skipped: {what}");
        self.skipped.push(what);
    }
}

/// Passed and failed, where the line is the result of one test binary.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |unit| counts.split("; ").find_map(|part| part.strip_suffix(unit)?.parse().ok());
    Some((count(" passed")?, count(" failed")?))
}

/// `cargo xtask test [--list | LEG…]`: provides the tools that the legs need, then runs them.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<()> {
    if names.first().is_some_and(|name| name == "--list") {
        for leg in LEGS {
            println!("{:<20} {}{}", leg.name, if leg.by_default { "" } else { "(on request) " }, leg.about);
        }
        return Ok(());
    }
    let legs = choose(names)?;
    let start = Instant::now();
    workspace.script("xtask/tools.sh").args(legs.iter().map(|leg| leg.name)).run()?;
    let mut tally = Tally::default();
    for leg in &legs {
        println!("== {}: {}", leg.name, leg.about);
        let leg_start = Instant::now();
        let result = (leg.run)(workspace, &mut tally);
        println!("== {}: {:.1} s\n", leg.name, leg_start.elapsed().as_secs_f64());
        if let Err(error) = result {
            if tally.passed + tally.failed > 0 {
                println!("{} passed, {} failed", tally.passed, tally.failed);
            }
            return Err(
                format!("{error}\nxtask: leg `{0}` failed; again: cargo xtask test {0}", leg.name).into()
            );
        }
    }
    for what in &tally.skipped {
        println!("skipped: {what}");
    }
    println!("legs run: {}, in {:.0} s", legs.len(), start.elapsed().as_secs_f64());
    if tally.passed > 0 {
        println!("{} passed, {} failed", tally.passed, tally.failed);
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static Leg>> {
    if names.is_empty() {
        return Ok(LEGS.iter().filter(|leg| leg.by_default).collect());
    }
    names
        .iter()
        .map(|name| {
            LEGS.iter()
                .find(|leg| leg.name == name)
                .ok_or_else(|| format!("no leg `{name}`; `cargo xtask test --list` names them").into())
        })
        .collect()
}

fn fmt(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    workspace.cargo().args(["fmt", "--all", "--check"]).run()?;
    gate::cargo(workspace).args(["fmt", "--check"]).run()
}

fn clippy(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    let all = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    workspace.cargo().args(all).run()?;
    // What only a feature uses is dead code without it.
    workspace.cargo().args(["clippy", "--package", CORE, "--", "-D", "warnings"]).run()?;
    gate::cargo(workspace).args(["clippy", "--all-features", "--", "-D", "warnings"]).run()
}

fn corpora(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    corpora::provide(workspace).map(|folder| println!("{}", folder.display()))
}

fn workspace_tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    tally.cargo_test(workspace, &["--workspace", "--all-features"])
}

fn features(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    for feature in &workspace.core_features {
        tally.cargo_test(workspace, &["--package", CORE, "--no-default-features", "--features", feature])?;
    }
    tally.cargo_test(workspace, &["--package", CORE, "--no-default-features"])
}

fn doc(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    for args in [&["--workspace", "--all-features"][..], &["--package", CORE]] {
        workspace.cargo().args(["doc", "--no-deps"]).args(args).flags("RUSTDOCFLAGS", "-D warnings").run()?;
    }
    Ok(())
}

/// Checks with the oldest Rust promised, where rustup can provide it; elsewhere clippy's
/// `incompatible_msrv`, which the leg `clippy` denies, is the only check.
fn msrv(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let version = &workspace.rust_version;
    if !toolchain::rustup_toolchain(version) {
        tally.skip(format!(
            "msrv: rustup cannot provide Rust {version}; clippy's incompatible_msrv stands alone"
        ));
        return Ok(());
    }
    Program::new("rustup")
        .dir(&workspace.root)
        .args(["run", version, "cargo", "check", "--workspace", "--all-features"])
        .env("CARGO_TARGET_DIR", workspace.target.join("msrv"))
        .run()
}

fn no_std(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    const TARGET: &str = "thumbv7em-none-eabi";
    let toolchain = toolchain::bare_metal(TARGET)?;
    for features in feature_sets(workspace) {
        println!("{TARGET}, features [{features}]");
        toolchain
            .cargo(workspace)
            .args(["build", "--quiet", "--package", CORE, "--target", TARGET])
            .args(["--no-default-features", "--features", &features])
            .run()?;
    }
    Ok(())
}

/// Builds the core against a sysroot that holds `core` and nothing else. Nothing in its tree can name `alloc` there.
fn no_alloc(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    let sysroot = toolchain::core_only_sysroot(workspace)?;
    for features in feature_sets(workspace) {
        println!("{}, core only, features [{features}]", sysroot.host);
        workspace
            .cargo()
            .args(["build", "--quiet", "--package", CORE, "--target", &sysroot.host])
            .args(["--no-default-features", "--features", &features])
            .env("CARGO_TARGET_DIR", workspace.target.join("no-alloc"))
            .flags("RUSTFLAGS", &format!("--sysroot={}", sysroot.path.display()))
            .run()?;
    }
    Ok(())
}

/// Runs the example on the host, links it for a Cortex-M, and drives it over reqwless.
fn no_alloc_example(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    const TARGET: &str = "thumbv7em-none-eabi";
    let folder = workspace.root.join("examples/rust-no-alloc");
    let target = workspace.target.join("rust-no-alloc");
    let here = |cargo: Program| cargo.dir(&folder).env("CARGO_TARGET_DIR", &target);
    let cargo = || here(workspace.cargo());
    cargo().args(["fmt", "--check"]).run()?;
    cargo().args(["clippy", "--quiet", "--release", "--features", "host", "--", "-D", "warnings"]).run()?;
    cargo().args(["run", "--quiet", "--release", "--bin", "static-manager"]).run()?;
    let bare_metal = toolchain::bare_metal(TARGET)?;
    here(bare_metal.cargo(workspace))
        .args(["build", "--quiet", "--release", "--bin", "static-manager", "--target", TARGET])
        .run()?;
    for image in [target.join("release/static-manager"), target.join(TARGET).join("release/static-manager")] {
        let bytes = std::fs::read(&image)?;
        let symbols = Elf::parse(&bytes)?.defined_symbols()?;
        if let Some(symbol) = symbols.iter().find(|symbol| symbol.contains("__rust_alloc")) {
            return Err(format!("{}: an allocator is linked: {symbol}", image.display()).into());
        }
    }
    cargo().args(["run", "--quiet", "--release", "--features", "host", "--bin", "reqwless"]).run()
}

/// No feature, and all that need no `std`, as cargo wants them.
fn feature_sets(workspace: &Workspace) -> [String; 2] {
    [String::new(), workspace.no_std_features().collect::<Vec<_>>().join(",")]
}

/// Licences, bans and sources need no network; advisories need their database, and are skipped where it is out of
/// reach.
fn deny(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let tools = Workspace::cache()?.join("tools");
    let installed = tools.join("bin/cargo-deny");
    let program = if on_path("cargo-deny") {
        "cargo-deny".into()
    } else {
        if !installed.is_file() {
            println!("building cargo-deny once, about 8 minutes on two cores");
            let install = ["install", "--locked", "--quiet", "cargo-deny", "--root"];
            workspace.cargo().args(install).args([&tools]).run()?;
        }
        installed
    };
    let check = || Program::new(&program).dir(&workspace.root).args(["--all-features", "check"]);
    check().args(["bans", "licenses", "sources"]).run()?;
    let (clean, said) = check().args(["advisories"]).outcome()?;
    if said.contains("failed to fetch advisory database") {
        tally.skip("advisories: their database is out of reach".to_owned());
        return Ok(());
    }
    eprint!("{said}");
    if clean { Ok(()) } else { Err("an advisory concerns a dependency".into()) }
}

fn demo(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    let demo = ["run", "--quiet", "--package", "tokenward-cli", "--", "demo"];
    workspace.cargo().args(demo).run()
}

#[cfg(test)]
mod tests {
    use super::{LEGS, choose, counts};

    #[test]
    fn a_result_line_is_counted() {
        let line =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(counts(line), Some((12, 0)));
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(line), Some((3, 2)));
    }

    #[test]
    fn no_other_line_is_counted() {
        for line in ["", "test a ... ok", "running 3 tests", "12 passed; 0 failed", "test result: ok"] {
            assert_eq!(counts(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_default_leg_is_a_cargo_test() {
        let last = choose(&[]).unwrap().pop().unwrap();
        assert_eq!(last.name, "features");
    }

    #[test]
    fn an_unknown_leg_is_refused() {
        assert!(choose(&["fmt".into(), "nonsense".into()]).is_err());
    }

    #[test]
    fn a_leg_has_a_name_of_its_own() {
        let mut names: Vec<_> = LEGS.iter().map(|leg| leg.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LEGS.len());
    }
}
