//! `cargo xtask fleet`: what a fleet of devices asks of a token service, by the real core. `FOLDER` gets `FLEET.md` and
//! its picture, for a million devices; `--check` runs fewer and checks what must hold.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::{env, fs, io};

use tokenward_conformance::fleet::{COURSES, CYCLE_S, Course, LIFETIME_S, Requests, SECONDS, percent};

/// What the document speaks of.
const FLEET: u64 = 1_000_000;
/// Enough that chance makes no peaks of its own.
const SHORT: u64 = 200_000;

fn main() -> ExitCode {
    let folder = env::args().nth(1).unwrap_or_else(|| "--check".to_owned());
    let devices = if folder == "--check" { SHORT } else { FLEET };
    let runs: Vec<_> = COURSES.iter().map(|course| (course, course.run(devices))).collect();
    let mut failed = 0;
    for (course, requests) in &runs {
        let faults = course.faults(requests);
        println!(
            "{} {}: {}",
            if faults.is_empty() { "ok    " } else { "FAILED" },
            course.name,
            faults.join("; ")
        );
        failed += usize::from(!faults.is_empty());
    }
    if folder == "--check" {
        println!("counted: {} passed, {failed} failed", runs.len() - failed);
    } else if let Err(error) = write(&folder, &runs) {
        eprintln!("fleet: {folder}: {error}");
        return ExitCode::FAILURE;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(folder: &str, runs: &[(&Course, Requests)]) -> io::Result<()> {
    fs::write(format!("{folder}/fleet.svg"), picture(runs))?;
    fs::write(format!("{folder}/FLEET.md"), document(runs))
}

fn document(runs: &[(&Course, Requests)]) -> String {
    let lifetimes: Vec<_> = (1..=SECONDS / CYCLE_S - 1).map(|number| format!(" {number} |")).collect();
    let rule = "---|".repeat(lifetimes.len());
    let mut text = format!(
        "# A fleet and its token service\n\n\
         Written by `cargo xtask fleet`: a million devices, each a manager of the core with the default policy, whose tokens \
         live for {LIFETIME_S} seconds. What the service says depends on the time and on chance, never on the devices, so \
         every one is simulated exactly, one after another. Chance is the same in each run.\n\n\
         *Busiest second*: the share of the fleet that asks in it. The instant at which all start at once is left out. \
         *Peak to mean*: requests in the busiest ten seconds of a lifetime over the mean of that lifetime, the start left \
         out; from one refresh to the next it is {CYCLE_S} seconds.\n\n\
         | | busiest second | peak to mean in lifetime{}\n|---|---|{rule}\n",
        lifetimes.concat()
    );
    for (course, requests) in runs {
        let (second, share) = requests.busiest(course.most_permille.0);
        let ratios = requests.peak_to_mean();
        let ratios = ratios.iter().map(|ratio| format!(" {}.{:02} |", ratio / 100, ratio % 100));
        let _ = writeln!(
            text,
            "| **{}** {} | {}, in second {second} |{}",
            course.name,
            course.about,
            percent(share),
            ratios.collect::<String>()
        );
    }
    text.push_str(
        "\n![Requests per second](fleet.svg)\n\n\
         `cargo xtask test fleet` checks with fewer devices: peak to mean at most 4.5 after a blackout and at most 1.5 from \
         the fifth lifetime on; no second with more than 1 % of the fleet, but the first of a blackout without a startup \
         spread, 2 % while a spread of a minute lasts, and 4 % where all tokens end together in an outage.\n",
    );
    text
}

/// Requests per second in a row for each course, the busiest of each minute.
fn picture(runs: &[(&Course, Requests)]) -> String {
    const STYLE: &str = ".ground{fill:#fff}text{fill:#222}.quiet{fill:#777}path{fill:#4a7ab5}line{stroke:#ccc}\
        @media(prefers-color-scheme:dark){.ground{fill:#111}text{fill:#ddd}.quiet{fill:#888}path{fill:#7aa5dc}line{stroke:#444}}";
    const ROW: usize = 96;
    let height = 40 + ROW * runs.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" width=\"760\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" class=\"ground\"/>\
         <text x=\"8\" y=\"18\" font-size=\"15\" font-weight=\"600\">Requests per second of a million devices</text>\n"
    );
    for (row, (course, requests)) in runs.iter().enumerate() {
        let floor = 40 + ROW * (row + 1) - 12;
        let minutes: Vec<u64> = requests.per_second[course.most_permille.0..]
            .chunks(60)
            .map(|minute| minute.iter().copied().max().unwrap_or(0))
            .collect();
        let most = minutes.iter().copied().max().unwrap_or(1).max(1);
        let mut path = format!("M8 {floor}");
        for (minute, count) in minutes.iter().enumerate() {
            let x = 8.0 + minute as f64 * 744.0 / minutes.len() as f64;
            let _ = write!(path, "L{x:.1} {:.1}", floor as f64 - *count as f64 * 60.0 / most as f64);
        }
        let _ = writeln!(
            svg,
            "<text x=\"8\" y=\"{}\">{}</text><text x=\"752\" y=\"{}\" text-anchor=\"end\" class=\"quiet\">at most {most} in a \
             second</text><path d=\"{path}L752 {floor}Z\"/><line x1=\"8\" y1=\"{floor}\" x2=\"752\" y2=\"{floor}\"/>",
            floor - 66,
            course.name,
            floor - 66,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
