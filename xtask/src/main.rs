//! Every build, test, drift and size gate of the repository; the same command locally and in CI.

mod bench;
mod corpora;
mod dist;
mod elf;
mod fuzz;
mod gate;
mod release;
mod scenarios;
mod simulate;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;
use workspace::{Result, Workspace};

const USAGE: &str = "\
cargo xtask test [LEG…]      run the legs named, or all; `cargo xtask test --list` names them
cargo xtask ci               the same as `cargo xtask test`
cargo xtask scenarios [--lang LANG,…] [--random] [FILE|DIR…] [-- PROGRAM ARG…]
                             replay the scenarios in each language, one JSON line each
cargo xtask corpora          leave JSONTestSuite at target/corpora/JSONTestSuite and print its path
cargo xtask fuzz [--seconds N] [TARGET…]
                             the fuzz targets under the address sanitizer, 60 s each
cargo xtask sharing [SETTING…] [--runs N] [--first N] [--breach NAME] [--trace]
                             processes that share storage, simulated; without arguments the short run
cargo xtask fleet [FOLDER | --check]
                             docs/FLEET.md: what a million devices ask of a service; --check: fewer, by the bars
cargo xtask size             bytes of text that each entry of the link gate keeps, per bare-metal target
cargo xtask dist [--target TARGET…]
                             the C library, packed: target/dist/tokenward-c-VERSION.tar.gz
cargo xtask release [c | crates | bills | kotlin]
                             all that a release holds, or parts of it: target/release-VERSION
cargo xtask xcframework OUTPUT SLICE=ARCHIVE…
                             the library for Apple platforms, of archives built for each
cargo xtask bench [--apps | --counts | --check]
                             docs/BENCHMARKS.md, against peers in the same run; --apps: Swift and Kotlin too
                             --counts: the instructions alone; --check: whether they have grown
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match dispatch(&command, &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the tests passed, where it ran them.
fn dispatch(command: &str, args: &[String]) -> Result<bool> {
    if matches!(command, "" | "help" | "-h" | "--help") {
        print!("{USAGE}");
        return Ok(true);
    }
    let workspace = Workspace::open()?;
    match command {
        "test" | "ci" => return test::run(&workspace, args),
        "leg" => test::run_leg(&workspace, args),
        "scenarios" => scenarios::run(&workspace, args),
        "corpora" => corpora::provide(&workspace).map(|folder| println!("{}", folder.display())),
        "fuzz" => fuzz::run(&workspace, args),
        "sharing" => simulate::run(&workspace, "sharing", args),
        "fleet" if args.is_empty() => simulate::run(&workspace, "fleet", &["docs".to_owned()]),
        "fleet" => simulate::run(&workspace, "fleet", args),
        "size" => gate::print_sizes(&workspace),
        "dist" => dist::run(&workspace, args),
        "release" => release::run(&workspace, args),
        "xcframework" => workspace.script("bindings/swift/xcframework.sh").args(args).run(),
        "bench" => bench::run(&workspace, args),
        other => Err(format!("no command `{other}`\n\n{USAGE}").into()),
    }
    .map(|()| true)
}
