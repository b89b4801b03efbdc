//! `cargo xtask test`: the legs, which run beside which, and the tally at the end.

use crate::elf::Elf;
use crate::workspace::{CORE, Program, Result, Workspace};
use crate::{bench, corpora, fuzz, gate, release, scenarios, simulate, toolchain};
use std::fs::{self, File};
use std::io::{Read, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The cargo-deny that is built where none is installed.
const CARGO_DENY: &str = "0.20.2";

struct Leg {
    name: &'static str,
    about: &'static str,
    lane: Lane,
    run: fn(&Workspace) -> Result<()>,
}

/// Legs of one lane run one after another, in the order of [`LEGS`], beside the other lane's.
#[derive(Clone, Copy, PartialEq)]
enum Lane {
    /// Builds in cargo's own target folder, or uses what another leg of this lane has left there.
    Common,
    /// Builds in a folder of its own.
    Own,
}

const LEGS: &[Leg] = &[
    leg("fmt", "rustfmt", Lane::Common, fmt),
    leg("clippy", "clippy on everything, warnings denied", Lane::Common, clippy),
    leg("corpora", "JSONTestSuite is there and whole", Lane::Common, corpora),
    leg("test", "all tests, all features", Lane::Common, workspace_tests),
    leg("doc", "rustdoc, warnings denied, and as docs.rs runs it", Lane::Common, doc),
    leg("publish", "each crate for crates.io as it would be published", Lane::Common, publish),
    leg("msrv", "the oldest Rust promised", Lane::Own, msrv),
    leg("no-std", "the core on a target without std", Lane::Own, no_std),
    leg("no-alloc", "the core where there is no alloc crate", Lane::Own, no_alloc),
    leg("counts", "the core's instructions are those of docs/BENCHMARKS.md", Lane::Common, bench::check),
    leg("panic-free", "link gate on this host", Lane::Own, gate::host),
    leg("panic-free-firmware", "link gate on Cortex-M and RISC-V", Lane::Own, gate::firmware),
    leg(
        "no-alloc-example",
        "a manager without an allocator: host, Cortex-M, reqwless",
        Lane::Own,
        no_alloc_example,
    ),
    leg(
        "embassy-example",
        "a manager in a task of embassy, through power cuts; built for Cortex-M",
        Lane::Own,
        embassy_example,
    ),
    leg(
        "c",
        "the C surface: compilers, unit tests, sanitizers, valgrind, manual, link gate",
        Lane::Common,
        |workspace| {
            let parts = ["header", "unit", "sanitize", "valgrind", "doxygen", "gate"];
            workspace.script("ffi/c/test.sh").args(parts).run()
        },
    ),
    leg(
        "c-firmware",
        "bare-metal C on five boards in QEMU, against the demo service",
        Lane::Common,
        |workspace| workspace.script("examples/c-firmware/test.sh").run(),
    ),
    leg("memory", "docs/MEMORY.md is what is measured", Lane::Common, |workspace| {
        workspace.script("examples/c-firmware/measure.sh").args(["--check"]).run()
    }),
    leg(
        "c-package",
        "the C library as its users take it: CMake, pkg-config, Make, Zephyr, ESP-IDF",
        Lane::Own,
        |workspace| {
            let parts = ["dist", "cmake", "pkgconfig", "make", "zephyr", "esp-idf", "qemu", "guide"];
            workspace.script("bindings/c/test.sh").args(parts).args(["abi", "reproducible"]).run()
        },
    ),
    leg(
        "c-linux",
        "the C library and the gateway for ARM and RISC-V Linux, under qemu-user",
        Lane::Own,
        |workspace| workspace.script("bindings/c/test.sh").args(["linux", "gateway"]).run(),
    ),
    leg(
        "c-gateway",
        "the gateway on libcurl against real servers, killed a hundred times",
        Lane::Common,
        |workspace| workspace.script("examples/c-gateway/test.sh").run(),
    ),
    leg("executors", "scripts against the command and the gateway", Lane::Common, |workspace| {
        workspace.script("core/conformance/executors/test.sh").run()
    }),
    leg("sign-in", "the command signs in at oidc-provider", Lane::Common, |workspace| {
        workspace.script("examples/cli/oidc/test.sh").run()
    }),
    leg("first-hour", "a new user's programs in C and Rust, from the guides", Lane::Common, |workspace| {
        workspace.script("examples/first-hour.sh").run()
    }),
    leg("swift", "the Swift package, its tests, guides and a consumer", Lane::Common, |workspace| {
        workspace.script("bindings/swift/test.sh").run()
    }),
    leg("kotlin", "the Kotlin packages, their tests, guides and a consumer", Lane::Common, |workspace| {
        workspace.script("bindings/kotlin/test.sh").run()
    }),
    leg(
        "libraries",
        "what iOS and Android apps link: built, oldest system and pages looked at",
        Lane::Own,
        |workspace| {
            let targets = ["aarch64-apple-ios", "aarch64-linux-android"];
            workspace.script("bindings/libraries.sh").args(targets).run()
        },
    ),
    leg("release", "crates and bills of materials of a release, twice the same", Lane::Own, release::check),
    leg("deny", "licences, bans, sources and advisories of every lock file", Lane::Own, deny),
    leg(
        "scenarios",
        "the scenarios, and random ones by the model, in all languages",
        Lane::Common,
        scenarios::differences,
    ),
    leg("sharing", "processes that share storage, simulated", Lane::Common, |workspace| {
        simulate::run(workspace, "sharing", &[])
    }),
    leg("fleet", "fleets of devices, simulated", Lane::Common, |workspace| {
        simulate::run(workspace, "fleet", &["--check".to_owned()])
    }),
    leg("fuzz", "each fuzz target for a minute", Lane::Own, fuzz::leg),
    leg("demo", "the command's demonstration", Lane::Common, demo),
    leg("features", "the core's tests, feature by feature", Lane::Common, features),
    leg("changes", "a change to a copy takes few files and arrives everywhere", Lane::Own, |workspace| {
        workspace.script("xtask/changes/test.sh").run()
    }),
];

/// What needs a checkout of an SDK, which no registry has: run by name alone.
const ON_REQUEST: &[Leg] = &[
    leg(
        "esp-idf",
        "on request: the component's example by ESP-IDF's own build system, IDF_PATH",
        Lane::Own,
        |workspace| workspace.script("bindings/c/test.sh").args(["esp-idf-sdk"]).run(),
    ),
    leg(
        "zephyr",
        "on request: the module's sample by Zephyr's own build system, ZEPHYR_BASE",
        Lane::Own,
        |workspace| workspace.script("bindings/c/test.sh").args(["zephyr-sdk"]).run(),
    ),
];

const fn leg(name: &'static str, about: &'static str, lane: Lane, run: fn(&Workspace) -> Result<()>) -> Leg {
    Leg { name, about, lane, run }
}

/// What legs have said. A leg prints `counted: N passed, N failed[, N skipped]` for what cargo does not count, and
/// `skipped: WHAT` for what cannot be checked here.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    counts: Counts,
    skipped: Vec<String>,
    /// The legs that failed.
    failures: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    fn add(&mut self, leg: &'static str, ended_well: bool, said: &str) {
        let mut counts = said.lines().filter_map(Counts::of).fold(Counts::default(), Counts::plus);
        let skipped: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("skipped: ")).collect();
        counts.skipped += skipped.len() as u64;
        // A leg that counts nothing is one test, and no failure goes uncounted.
        if !ended_well && counts.failed == 0 {
            counts.failed = 1;
        } else if counts == Counts::default() {
            counts.passed = 1;
        }
        if counts.failed > 0 {
            self.failures.push(leg);
        }
        self.counts = self.counts.plus(counts);
        self.skipped.extend(skipped.into_iter().map(str::to_owned));
    }
}

impl Counts {
    /// What the line counts: cargo's result of one test binary, or a script's `counted: …`.
    fn of(line: &str) -> Option<Self> {
        let parts: Vec<_> = match line.strip_prefix("counted: ") {
            Some(counts) => counts.split(", ").collect(),
            None => line.strip_prefix("test result: ")?.split_once(". ")?.1.split("; ").collect(),
        };
        let count = |unit| parts.iter().find_map(|part| part.strip_suffix(unit)?.parse().ok());
        Some(Self {
            passed: count(" passed")?,
            failed: count(" failed")?,
            skipped: count(" skipped").or_else(|| count(" ignored")).unwrap_or(0),
        })
    }

    fn plus(self, more: Self) -> Self {
        Self {
            passed: self.passed + more.passed,
            failed: self.failed + more.failed,
            skipped: self.skipped + more.skipped,
        }
    }
}

/// `cargo xtask test [--list | LEG…]`: provides the tools that the legs need, then runs them all, whichever fail.
/// Whether all went well.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<bool> {
    if names.first().is_some_and(|name| name == "--list") {
        for leg in LEGS.iter().chain(ON_REQUEST) {
            println!("{:<20} {}", leg.name, leg.about);
        }
        return Ok(true);
    }
    let legs = choose(names)?;
    let start = Instant::now();
    let logs = workspace.target.join("test");
    fs::create_dir_all(&logs)?;
    // Each leg is a process of a copy of this program, which a leg may build anew.
    let program = logs.join("xtask");
    let _ = fs::remove_file(&program);
    fs::copy(env::current_exe()?, &program)?;

    let mut tally = Tally::default();
    if let Err(error) = workspace.script("xtask/tools.sh").args(legs.iter().map(|leg| leg.name)).run() {
        println!("{error}");
        tally.add("(tools)", false, "");
    }
    let tally = Mutex::new(tally);
    let lanes = [Lane::Common, Lane::Own].map(|lane| legs.iter().filter(move |leg| leg.lane == lane));
    thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| {
                for leg in lane {
                    let (ended_well, said) = watch(leg, &program, &logs, legs.len() == 1);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.add(leg.name, ended_well, &said);
                }
            });
        }
    });
    let Tally { counts, skipped, failures } = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    for name in &failures {
        println!(
            "failed: {name}; again: cargo xtask test {name}; what it said: {}/{name}.log",
            logs.display()
        );
    }
    for what in &skipped {
        println!("skipped: {what}");
    }
    println!("legs run: {}, in {:.0} s", legs.len(), start.elapsed().as_secs_f64());
    let more = if counts.skipped > 0 { format!(", {} skipped", counts.skipped) } else { String::new() };
    println!("{} passed, {} failed{more}", counts.passed, counts.failed);
    Ok(failures.is_empty())
}

/// `cargo xtask leg LEG`, by which the legs above are run.
pub(crate) fn run_leg(workspace: &Workspace, names: &[String]) -> Result<()> {
    choose(names)?.into_iter().try_for_each(|leg| (leg.run)(workspace))
}

/// Runs a leg as a process: whether it ended well, and what it said, which also stays in `LEG.log`. It is shown as it
/// comes, or whole at the end where another leg may speak meanwhile.
fn watch(leg: &Leg, program: &Path, logs: &Path, at_once: bool) -> (bool, String) {
    let start = Instant::now();
    let mut said = Vec::new();
    let show = |text: &[u8]| stdout().write_all(text).unwrap_or_default();
    show(format!("== {} begins: {}\n", leg.name, leg.about).as_bytes());
    let mut run = || -> Result<bool> {
        let path = logs.join(leg.name).with_extension("log");
        let log = File::create(&path)?;
        let mut child = Command::new(program)
            .args(["leg", leg.name])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut log = File::open(&path)?;
        loop {
            let ended = child.try_wait()?;
            let seen = said.len();
            log.read_to_end(&mut said)?;
            if at_once {
                show(&said[seen..]);
            }
            match ended {
                Some(status) => return Ok(status.success()),
                None => thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    let ended_well = run().unwrap_or_else(|error| {
        said.extend(format!("xtask: {error}\n").bytes());
        false
    });
    let how = if ended_well { "ended well" } else { "FAILED" };
    let end = format!("== {} {how} after {:.1} s\n\n", leg.name, start.elapsed().as_secs_f64());
    let text = String::from_utf8_lossy(&said).into_owned();
    if at_once {
        show(end.as_bytes());
    } else {
        show(format!("== {} said:\n{text}{end}", leg.name).as_bytes());
    }
    (ended_well, text)
}

fn choose(names: &[String]) -> Result<Vec<&'static Leg>> {
    if names.is_empty() {
        return Ok(LEGS.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            LEGS.iter()
                .chain(ON_REQUEST)
                .find(|leg| leg.name == name)
                .ok_or_else(|| format!("no leg `{name}`; `cargo xtask test --list` names them").into())
        })
        .collect()
}

fn fmt(workspace: &Workspace) -> Result<()> {
    workspace.cargo().args(["fmt", "--all", "--check"]).run()?;
    gate::cargo(workspace).args(["fmt", "--check"]).run()
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let all = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    workspace.cargo().args(all).run()?;
    // What only a feature uses is dead code without it.
    workspace.cargo().args(["clippy", "--package", CORE, "--", "-D", "warnings"]).run()?;
    gate::cargo(workspace).args(["clippy", "--all-features", "--", "-D", "warnings"]).run()
}

fn corpora(workspace: &Workspace) -> Result<()> {
    corpora::provide(workspace).map(|folder| println!("{}", folder.display()))
}

fn workspace_tests(workspace: &Workspace) -> Result<()> {
    // defmt has a symbol that no linker takes as one of a shared library, which the bridge is.
    let bridge = ["tokenward-uniffi", "tokenward-uniffi-bindgen"];
    let [exclude, package] =
        ["--exclude", "--package"].map(|option| bridge.map(|name| [option, name]).concat());
    workspace
        .cargo()
        .args(["test", "--no-fail-fast", "--workspace", "--all-features"])
        .args(exclude)
        .run()?;
    workspace.cargo().args(["test", "--no-fail-fast"]).args(package).run()
}

fn features(workspace: &Workspace) -> Result<()> {
    let test = ["test", "--no-fail-fast", "--package", CORE, "--no-default-features", "--features"];
    let features = workspace.core_features.iter().map(String::as_str).chain([""]);
    all(features.map(|feature| workspace.cargo().args(test).args([feature]).run()))
}

/// The first failure, after all have run.
fn all(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    results.fold(Ok(()), Result::and)
}

fn doc(workspace: &Workspace) -> Result<()> {
    for args in [&["--workspace", "--all-features"][..], &["--package", CORE]] {
        workspace.cargo().args(["doc", "--no-deps"]).args(args).flags("RUSTDOCFLAGS", "-D warnings").run()?;
    }
    // docs.rs has a nightly compiler, which labels what needs a feature.
    for target in [toolchain::host()?.as_str(), "thumbv7em-none-eabi", "riscv32imac-unknown-none-elf"] {
        toolchain::with_core(target)?
            .cargo(workspace)
            .args(["doc", "--no-deps", "--package", CORE, "--all-features", "--target", target])
            .env("CARGO_TARGET_DIR", workspace.target.join("docs.rs"))
            .env("RUSTC_BOOTSTRAP", "1")
            .flags("RUSTDOCFLAGS", "-D warnings --cfg docsrs")
            .run()?;
    }
    Ok(())
}

/// Packs and compiles each crate that is meant for crates.io; without the registry it is packed and compiled all the
/// same, and not asked whether it would be taken.
fn publish(workspace: &Workspace) -> Result<()> {
    let names = release::published(workspace)?;
    for name in &names {
        let cargo = |args: &[&str]| {
            workspace.cargo().args(args).args(["--locked", "--allow-dirty", "--package", name])
        };
        let (ready, said) = cargo(&["publish", "--dry-run"]).outcome()?;
        println!("{said}");
        if !ready {
            cargo(&["package"]).run()?;
            println!("skipped: whether crates.io would take {name}: it is out of reach");
        }
    }
    println!("counted: {} passed, 0 failed", names.len());
    Ok(())
}

/// Checks with the oldest Rust promised, where rustup can provide it; elsewhere clippy's
/// `incompatible_msrv`, which the leg `clippy` denies, is the only check.
fn msrv(workspace: &Workspace) -> Result<()> {
    let version = &workspace.rust_version;
    if !toolchain::rustup_toolchain(version) {
        println!("skipped: rustup cannot provide Rust {version}; clippy's incompatible_msrv stands alone");
        return Ok(());
    }
    Program::new("rustup")
        .dir(&workspace.root)
        .args(["run", version, "cargo", "check", "--workspace", "--all-features"])
        .env("CARGO_TARGET_DIR", workspace.target.join("msrv"))
        .run()
}

fn no_std(workspace: &Workspace) -> Result<()> {
    const TARGET: &str = "thumbv7em-none-eabi";
    let toolchain = toolchain::with_core(TARGET)?;
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
fn no_alloc(workspace: &Workspace) -> Result<()> {
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
fn no_alloc_example(workspace: &Workspace) -> Result<()> {
    const TARGET: &str = "thumbv7em-none-eabi";
    let folder = workspace.root.join("examples/rust-no-alloc");
    let target = workspace.target.join("rust-no-alloc");
    let here = |cargo: Program| cargo.dir(&folder).env("CARGO_TARGET_DIR", &target);
    let cargo = || here(workspace.cargo());
    cargo().args(["fmt", "--check"]).run()?;
    cargo().args(["clippy", "--quiet", "--release", "--features", "host", "--", "-D", "warnings"]).run()?;
    cargo().args(["run", "--quiet", "--release", "--bin", "static-manager"]).run()?;
    let bare_metal = toolchain::with_core(TARGET)?;
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

/// Cuts the power at each write on the host, and links the same for a Cortex-M.
fn embassy_example(workspace: &Workspace) -> Result<()> {
    const TARGET: &str = "thumbv7em-none-eabi";
    let folder = workspace.root.join("examples/rust-embassy");
    let here =
        |cargo: Program| cargo.dir(&folder).env("CARGO_TARGET_DIR", workspace.target.join("rust-embassy"));
    let cargo = || here(workspace.cargo());
    cargo().args(["fmt", "--check"]).run()?;
    cargo().args(["clippy", "--quiet", "--release", "--locked", "--", "-D", "warnings"]).run()?;
    cargo().args(["run", "--quiet", "--release", "--locked"]).run()?;
    let bare_metal = toolchain::with_core(TARGET)?;
    here(bare_metal.cargo(workspace))
        .args(["build", "--quiet", "--release", "--locked", "--target", TARGET])
        .run()
}

/// No feature, and all that need no `std`, as cargo wants them.
fn feature_sets(workspace: &Workspace) -> [String; 2] {
    [String::new(), workspace.no_std_features().collect::<Vec<_>>().join(",")]
}

/// Licences, bans and sources need no network; advisories need their database, and are skipped where it is out of
/// reach.
fn deny(workspace: &Workspace) -> Result<()> {
    let program = workspace.tool("cargo-deny", CARGO_DENY)?;
    let locks = Program::new("git")
        .dir(&workspace.root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*Cargo.lock"])
        .output()?;
    let manifests: Vec<_> = locks.lines().map(|lock| lock.replace("Cargo.lock", "Cargo.toml")).collect();
    let check = |manifest: &str, what: &[&str]| {
        println!("{manifest}: {}", what.join(", "));
        Program::new(&program)
            .dir(&workspace.root)
            .args(["--manifest-path", manifest, "--config", "deny.toml", "--locked", "--all-features"])
            .args(["check"])
            .args(what)
    };
    all(manifests.iter().map(|manifest| check(manifest, &["bans", "licenses", "sources"]).run()))?;
    println!("counted: {} passed, 0 failed", manifests.len());
    for manifest in &manifests {
        let (clean, said) = check(manifest, &["advisories"]).outcome()?;
        if said.contains("failed to fetch advisory database") {
            println!("skipped: advisories: their database is out of reach");
            return Ok(());
        }
        if !clean {
            return Err(format!("{said}\nan advisory concerns a dependency").into());
        }
    }
    Ok(())
}

fn demo(workspace: &Workspace) -> Result<()> {
    let demo = ["run", "--quiet", "--package", "tokenward-cli", "--", "demo"];
    workspace.cargo().args(demo).run()
}

#[cfg(test)]
mod tests {
    use super::{Counts, LEGS, Tally, all, choose};

    const fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn a_result_line_is_counted() {
        let line =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(Counts::of(line), Some(counts(12, 0, 1)));
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::of(line), Some(counts(3, 2, 0)));
        assert_eq!(Counts::of("counted: 51 passed, 1 failed"), Some(counts(51, 1, 0)));
        assert_eq!(Counts::of("counted: 0 passed, 0 failed, 4 skipped"), Some(counts(0, 0, 4)));
    }

    #[test]
    fn no_other_line_is_counted() {
        for line in ["", "test a ... ok", "running 3 tests", "12 passed; 0 failed", "test result: ok"] {
            assert_eq!(Counts::of(line), None, "{line}");
        }
        for line in ["counted: 3 passed", "counted: many passed, 0 failed", " counted: 3 passed, 0 failed"] {
            assert_eq!(Counts::of(line), None, "{line}");
        }
    }

    #[test]
    fn all_that_a_leg_counts_is_added() {
        let mut tally = Tally::default();
        tally.add("a", true, "counted: 2 passed, 0 failed\ntest result: ok. 3 passed; 0 failed; 0 ignored\n");
        tally.add("b", true, "skipped: the weather\ncounted: 1 passed, 0 failed\n");
        assert_eq!((tally.counts, tally.failures.len()), (counts(6, 0, 1), 0));
        assert_eq!(tally.skipped, ["the weather"]);
    }

    #[test]
    fn a_leg_that_counts_nothing_is_one_test_but_where_it_was_skipped() {
        let mut tally = Tally::default();
        tally.add("a", true, "Checking\n");
        tally.add("b", true, "skipped: no compiler\n");
        assert_eq!((tally.counts, tally.failures.len()), (counts(1, 0, 1), 0));
    }

    #[test]
    fn no_failure_goes_uncounted_whatever_else_the_leg_says() {
        let mut tally = Tally::default();
        tally.add("a", false, "counted: 7 passed, 0 failed\n");
        tally.add("b", false, "counted: 7 passed, 2 failed\n");
        tally.add("c", false, "");
        tally.add("d", true, "counted: 1 passed, 1 failed\n");
        assert_eq!((tally.counts, tally.failures), (counts(15, 5, 0), vec!["a", "b", "c", "d"]));
    }

    #[test]
    fn a_failure_hides_nothing_that_comes_after_it() {
        let mut ran = 0;
        let result = all((0..3).map(|number| {
            ran += 1;
            if number == 1 { Err(format!("{number}").into()) } else { Ok(()) }
        }));
        assert_eq!((ran, result.unwrap_err().to_string()), (3, "1".to_owned()));
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
