//! `cargo xtask sharing [SETTING…] [--runs N] [--first N] [--breach NAME] [--trace]`: processes that share storage,
//! simulated with the real core. Without arguments it is the short run, which checks what must hold.

use std::process::ExitCode;

use tokenward_conformance::sharing::{BREACHES, Breach, SETTINGS, Setting, Tally};

/// What the clocks' differences may cost, in thousandths of the rotations.
const EXTRA_ROTATIONS_PERMILLE: u64 = 100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match if args.is_empty() { check() } else { run(&args) } {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sharing: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A line of what must not be, and was, and one of the rest.
fn print(name: &str, tally: &Tally) {
    println!("{name}: {} runs, faults: {:?}", tally.runs, tally.faults());
    let faults = tally.faults().len();
    let rest = tally.numbers().skip(1).filter(|(_, count)| *count > 0).skip(faults);
    println!("  {}", rest.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", "));
}

/// The short run: the settings, and that broken rules are noticed. Whether all is well.
fn check() -> Result<bool, String> {
    let (mut passed, mut failed) = (0, 0);
    let mut say = |name: &str, well: bool| {
        println!("{} {name}", if well { "ok    " } else { "FAILED" });
        *if well { &mut passed } else { &mut failed } += 1;
    };
    let mut of_clocks = None;
    for setting in SETTINGS {
        let runs = match setting.name {
            "c0" | "c1" | "c3" => 4_000,
            "users" => 10_000,
            _ => 500,
        };
        let tally = setting.simulate(Breach::None, 0, runs);
        print(setting.name, &tally);
        say(
            &format!("nothing is lost or lent that need not be: {}", setting.name),
            tally.faults().is_empty(),
        );
        match setting.name {
            "c0" => of_clocks = Some(tally.early_permille()),
            "c1" | "c3" => {
                let extra = tally.early_permille().saturating_sub(of_clocks.unwrap_or(0));
                let name = format!("clocks that differ cost {extra} ‰ of the rotations: {}", setting.name);
                say(&name, extra <= EXTRA_ROTATIONS_PERMILLE);
            }
            _ => {}
        }
    }
    for (name, breach) in BREACHES {
        let noticed = ["sleep", "all"].iter().filter_map(|setting| Setting::named(setting)).any(|setting| {
            let tally = setting.simulate(*breach, 0, 300);
            println!("{} by {name}: {:?}", setting.name, tally.faults());
            tally.avoidable_kills() + tally.killed_late > 0
        });
        say(&format!("a broken rule is noticed: {name}"), noticed);
    }
    println!("counted: {passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn run(args: &[String]) -> Result<bool, String> {
    let (mut settings, mut runs, mut first, mut breach, mut trace) =
        (Vec::new(), None, 0, Breach::None, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|number| number.parse::<u64>().ok()).ok_or("a number is missing");
        match arg.as_str() {
            "--runs" => runs = Some(number()?),
            "--first" => first = number()?,
            "--trace" => trace = true,
            "--breach" => {
                let name = args.next().ok_or("a name is missing")?;
                let known = BREACHES.iter().find(|(known, _)| known == name);
                breach = known.ok_or_else(|| format!("no rule `{name}`; there are {BREACHES:?}"))?.1;
            }
            name => {
                let names = || SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ");
                let setting = Setting::named(name);
                settings.push(setting.ok_or_else(|| format!("no setting `{name}`; there are {}", names()))?);
            }
        }
    }
    if settings.is_empty() {
        settings.extend(SETTINGS);
    }
    if trace {
        // The first run with a fault, and what happened in it.
        for setting in settings {
            let runs = first..first + runs.unwrap_or(1);
            let faulty = runs.clone().find(|run| !setting.simulate(breach, *run, 1).faults().is_empty());
            let run = faulty.unwrap_or(first);
            let (tally, lines) = setting.trace(breach, run);
            lines.iter().for_each(|line| println!("{line}"));
            print(&format!("{}, run {run}", setting.name), &tally);
        }
        return Ok(true);
    }
    let tallies = settings.iter().map(|setting| {
        let tally = setting.simulate(breach, first, runs.unwrap_or(4_000));
        print(setting.name, &tally);
        tally.faults().is_empty()
    });
    Ok(tallies.fold(true, |well, faultless| well & faultless))
}
