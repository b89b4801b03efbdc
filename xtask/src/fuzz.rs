//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer and the address sanitizer, without a nightly toolchain.

use crate::toolchain;
use crate::workspace::{Program, Result, Workspace};
use std::fs;
use std::path::Path;
use std::thread;

/// What makes rustc count edges for libFuzzer; `cargo fuzz` hands over the same.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code -Ccodegen-units=1 -Zsanitizer=address";

/// How long the test leg gives each target.
const SECONDS: u64 = 60;

/// `cargo xtask fuzz [--seconds N] [TARGET…]`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let (mut seconds, mut wanted) = (SECONDS, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            seconds = args.next().ok_or("--seconds wants a number")?.parse()?;
        } else {
            wanted.push(arg.clone());
        }
    }
    fuzz(workspace, &wanted, seconds)
}

/// The test leg: every target, from the committed corpus on.
pub(crate) fn leg(workspace: &Workspace) -> Result<()> {
    fuzz(workspace, &[], SECONDS)
}

fn fuzz(workspace: &Workspace, wanted: &[String], seconds: u64) -> Result<()> {
    let folder = workspace.root.join("fuzz");
    let mut targets = targets(&folder)?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        return Err(format!("no fuzz target `{unknown}`; there are: {}", targets.join(", ")).into());
    }
    targets.retain(|name| wanted.is_empty() || wanted.contains(name));

    let (host, target) = (toolchain::host()?, workspace.target.join("fuzz"));
    let cargo = || workspace.cargo().dir(&folder).env("CARGO_TARGET_DIR", &target);
    cargo().args(["fmt", "--check"]).run()?;
    // The sanitizer is unstable; a target keeps its flags from build scripts and macros.
    cargo()
        .args(["build", "--quiet", "--release", "--target", &host])
        .env("RUSTC_BOOTSTRAP", "1")
        .flags("RUSTFLAGS", COVERAGE)
        .run()?;

    let programs = target.join(host).join("release");
    // As many at once as there are processors: each is one thread.
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    for group in targets.chunks(at_once) {
        let runs = thread::scope(|scope| {
            let runs: Vec<_> = group
                .iter()
                .map(|name| {
                    let (folder, work, program) = (&folder, &target, programs.join(name));
                    let run =
                        move || one(folder, work, &program, name, seconds).map_err(|error| error.to_string());
                    scope.spawn(run)
                })
                .collect();
            runs.into_iter()
                .map(|run| run.join().unwrap_or_else(|_| Err("a thread died".into())))
                .collect::<Vec<_>>()
        });
        for run in runs {
            println!("{}\ncounted: 1 passed, 0 failed", run?);
        }
    }
    Ok(())
}

/// The names of the targets: one file each.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Runs one target; what it says at the end. New inputs and findings stay in the target folder.
fn one(folder: &Path, work: &Path, program: &Path, name: &str, seconds: u64) -> Result<String> {
    let found = work.join("corpus").join(name);
    fs::create_dir_all(&found)?;
    let (clean, said) = Program::new(program)
        .dir(work)
        .args([&found, &folder.join("corpus").join(name)])
        .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={}/{name}-", work.display())])
        .args(["-max_len=2048", "-timeout=10", "-print_final_stats=0"])
        .outcome()?;
    match said.lines().rfind(|line| line.starts_with("Done ")) {
        Some(done) if clean => Ok(format!("{name}: {done}")),
        _ => Err(format!("{said}\nfuzz target `{name}` found something").into()),
    }
}
