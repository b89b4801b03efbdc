//! `cargo xtask bench`: the core beside its peers, and its instructions, as `docs/BENCHMARKS.md` with its pictures.

use crate::workspace::{Program, Result, Workspace, on_path};
use std::fmt::Write as _;
use std::fs;

const PACKAGE: &str = "tokenward-bench";
const PAGE: &str = "docs/BENCHMARKS.md";

const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo xtask bench`. In each of 2,000 rounds every side does its work once, one after the other in one
process, and its least time counts. A bar is that time as a multiple of tokenward's, on a logarithmic scale: shorter is
faster. Times themselves hold for one machine, so none stands here. Grey bars are no peers but limits: what the same
bytes cost that are only copied (memcpy) or looked at (a bare scan), and what a hash or an encoder takes alone.

Everything is built with fat LTO, in one codegen unit (yyjson by the C compiler at -O3), for the baseline of its
processor: what sonic-rs can do with newer instructions is left out.
";

/// What is compared: the name that measurements and the picture have, the heading, what it means.
const GROUPS: &[(&str, &str, &str)] = &[
    (
        "read",
        "Reading an answer",
        "Each side finds `access_token`, `token_type`, `expires_in`, `refresh_token`, `scope` and `id_token` in the\n\
         bodies of `core/tests/data/workloads`. The answer w4 stands in an envelope; w5 has JWTs. serde-json-core\n\
         accepts malformed documents, and oauth2 looks for no `id_token`. tokenward and serde-json-core lend members as\n\
         they are spelled; the others unescape them. yyjson has a pool of memory that is made before, simd-json its\n\
         buffers and a copy of the body.",
    ),
    (
        "growth",
        "Reading longer bodies",
        "The same, where a member that nobody reads grows: an array of short strings. All bars are multiples of what\n\
         tokenward takes for 100 bytes.",
    ),
    (
        "c",
        "Reading through C",
        "`token_answer` from Rust and `tokenward_token_answer` by its address. It checks its arguments, and copies\n\
         members that have escapes.",
    ),
    (
        "header",
        "Writing a Bearer header",
        "Tokens of 40 and 2,048 bytes. `format!` allocates; tokenward also checks the token.",
    ),
    (
        "authorize",
        "Asking whether a token may be sent",
        "`authorize` checks the method and the whole URL, its origin, its route, and that the token is usable. The peer\n\
         parses the URL by the crate `url` and compares its origin.",
    ),
    ("basic", "Writing Basic authentication", "An identifier of 36 bytes and a secret of 40."),
    (
        "begin",
        "Beginning a request",
        "A request by client_credentials with the credentials in its body: what oauth2 hands to an HTTP client.",
    ),
    (
        "turn",
        "A whole turn",
        "poll, begin, the canned answer w1, authorize, header. Of the peers: the request, the same answer, the header;\n\
         they make no decision when. tokenward allocates nothing in it (`cargo xtask bench --check` counts).",
    ),
    ("snapshot", "State for storage", "Sealed and restored, beside the seal's hash over 200 bytes."),
    (
        "swift",
        "Swift",
        "By `bindings/swift/test.sh bench`: a header of 1,000 bytes, multiples of the package's `authorize`.",
    ),
    (
        "kotlin",
        "Kotlin",
        "By `bindings/kotlin/test.sh bench`: a header of 40 bytes, multiples of the package's `authorize`.",
    ),
];

/// Peers whose versions stand in `Cargo.lock`.
const PEERS: [&str; 7] =
    ["oauth2", "serde-json-core", "serde_json", "simd-json", "sonic-rs", "url", "yyjson-sys"];

/// A picture's colours, by what a name has in it; the others are peers.
const LIMITS: &[&str] = &["memcpy", "scan", "alone", "dictionary", "HashMap", "clock"];
const OURS: &[&str] = &["tokenward", "authorize"];
const STYLE: &str = "\
.ground{fill:#fff}text{fill:#1f2328}line{stroke:#d1d9e0}.one{stroke:#1f2328}\
.quiet{fill:#59636e;stroke:#fff;stroke-width:4;paint-order:stroke}\
.ours{fill:#1a7f37}.peer{fill:#54aeff}.limit{fill:#afb8c1}\
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#f0f6fc}line{stroke:#3d444d}.one{stroke:#f0f6fc}\
.quiet{fill:#9198a1;stroke:#0d1117}.ours{fill:#3fb950}.peer{fill:#1f6feb}.limit{fill:#656c76}}";

/// The last section, which `--counts` writes alone.
const COUNTS: &str = "\n## Instructions\n";
const ABOUT_COUNTS: &str = "\
Of the second call of each operation, counted by callgrind; `begin` and a turn each come a day after the one before.
`cargo xtask bench --check` fails when one has grown by more than 2 % (10 % by another compiler), or allocates.";
const COUNTED_BY: &str = "Counted by ";
const SAME_TOOLS: f64 = 1.02;
const OTHER_TOOLS: f64 = 1.10;

const WAYS: &str = "\
cargo xtask bench            writes docs/BENCHMARKS.md and its pictures
cargo xtask bench --apps     Swift and Kotlin too, instead of leaving what the page has of them
cargo xtask bench --counts   writes the instructions alone
cargo xtask bench --check    writes nothing; fails when a count of instructions has grown by more than 2 %";

pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => write(workspace, false),
        ["--apps"] => write(workspace, true),
        ["--counts"] => {
            let path = workspace.root.join(PAGE);
            let page = fs::read_to_string(&path)?;
            let (times, _) = page.split_once(COUNTS).ok_or("the page has no instructions")?;
            Ok(fs::write(path, times.to_owned() + &Counts::now(workspace)?.section()?)?)
        }
        ["--check"] => check(workspace),
        _ => Err(WAYS.into()),
    }
}

/// Compares the instructions with those that are committed.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let page = fs::read_to_string(workspace.root.join(PAGE))?;
    let was = Counts::committed(&page).ok_or("the page has no instructions")?;
    let now = Counts::now(workspace)?;
    if was.host() != now.host() {
        println!("skipped: counts: the committed ones are of {}", was.host());
        return Ok(());
    }
    let fewer = was.grown(&now);
    if !fewer.is_empty() {
        println!("committed more, so run `cargo xtask bench --counts`:\n{}", fewer.join("\n"));
    }
    let faults = now.grown(&was);
    println!(
        "counted: {} passed, {} failed",
        now.operations.len().saturating_sub(faults.len()),
        faults.len()
    );
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nmeant? cargo xtask bench --counts", faults.join("\n")).into())
}

/// Group, case, name and nanoseconds of a side.
type Side = (String, String, String, f64);

fn write(workspace: &Workspace, apps: bool) -> Result<()> {
    let bench = ["bench", "--package", PACKAGE, "--bench", "peers"];
    let mut sides: Vec<_> = workspace.cargo().args(bench).output()?.lines().filter_map(side).collect();
    if on_path("go") {
        let go = Program::new("go").dir(&workspace.root.join("core/bench/go"));
        sides.extend(
            go.args(["run", ".", "../../tests/data/workloads/w1.json"]).output()?.lines().filter_map(side),
        );
    } else {
        println!("skipped: x/oauth2: there is no Go");
    }
    for language in ["swift", "kotlin"].into_iter().filter(|_| apps) {
        let said = workspace.script(&format!("bindings/{language}/test.sh")).args(["bench"]).output()?;
        sides.extend(said.lines().filter_map(|line| app_side(language, line)));
    }
    let path = workspace.root.join(PAGE);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut page = format!("{INTRODUCTION}\n{}\n", versions(workspace)?);
    for (group, heading, about) in GROUPS {
        let sides: Vec<_> = sides.iter().filter(|(of, ..)| of == group).collect();
        if sides.is_empty() {
            // What was measured another time.
            let old = before.split("\n## ").filter(|old| old.starts_with(heading));
            page.extend(old.flat_map(|old| ["\n## ", old]));
            continue;
        }
        let comparison = Comparison::of(&sides);
        let picture = format!("benchmarks/{group}.svg");
        fs::write(workspace.root.join("docs").join(&picture), comparison.picture(heading)?)?;
        write!(page, "\n## {heading}\n\n{about}\n\n![{heading}]({picture})\n\n{}", comparison.table()?)?;
    }
    Ok(fs::write(path, page + &Counts::now(workspace)?.section()?)?)
}

fn side(line: &str) -> Option<Side> {
    let mut cells = line.split('\t').map(str::to_owned);
    Some((cells.next()?, cells.next()?, cells.next()?, cells.next()?.parse().ok()?))
}

/// `bench: NAME: median 1.23 µs, …` of Swift; `bench: 123 ns median, …: NAME` of Kotlin.
fn app_side(language: &str, line: &str) -> Option<Side> {
    let said = line.strip_prefix("bench: ")?;
    let (name, time) = match said.split_once(": median ") {
        Some((name, rest)) => (name, rest.split(' ').next()?),
        None => (said.split_once(" p99: ")?.1, said.trim_start().split(' ').next()?),
    };
    Some((language.into(), "median".into(), name.into(), time.parse().ok()?))
}

/// The compiler and the peers.
fn versions(workspace: &Workspace) -> Result<String> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock"))?;
    let version = |peer: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{peer}\"\nversion = \""))?;
        Some(format!("{peer} {}", rest.split('"').next()?))
    };
    let go = fs::read_to_string(workspace.root.join("core/bench/go/go.mod"))?;
    let go = go.lines().find_map(|line| line.strip_prefix("require golang.org/")).unwrap_or_default();
    let peers: Vec<_> = PEERS.iter().copied().filter_map(version).chain([go.to_owned()]).collect();
    Ok(format!("{}; {}.", compiler()?, peers.join(", ")))
}

fn compiler() -> Result<String> {
    let said = Program::new("rustc").args(["-vV"]).output()?;
    let of = |key| said.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    Ok(format!("rustc {} for {}", of("release: "), of("host: ")))
}

/// A group: its cases, and each name with its ratio in every case, the fastest first.
struct Comparison {
    cases: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
}

impl Comparison {
    fn of(sides: &[&Side]) -> Self {
        let (mut cases, mut names) = (Vec::new(), Vec::new());
        for (_, case, name, _) in sides.iter().copied() {
            for (list, entry) in [(&mut cases, case), (&mut names, name)] {
                if !list.contains(entry) {
                    list.push(entry.clone());
                }
            }
        }
        let time = |case: &str, name: &str| {
            let side = sides.iter().find(|(_, of, whose, _)| of == case && whose == name);
            side.map_or(f64::NAN, |(.., time)| *time)
        };
        // Of growth all bars have one base; an app's own is its last.
        let ours =
            names.iter().find(|name| *name == "tokenward").or(names.last()).cloned().unwrap_or_default();
        let grows = sides.iter().any(|(group, ..)| group == "growth");
        let base = |case: &String| time(if grows { &cases[0] } else { case }, &ours);
        let ratios = |name: String| {
            let ratios = cases.iter().map(|case| time(case, &name) / base(case)).collect();
            (name, ratios)
        };
        let mut rows: Vec<(_, Vec<f64>)> = names.iter().cloned().map(ratios).collect();
        rows.sort_by(|(_, a), (_, b)| a.iter().product::<f64>().total_cmp(&b.iter().product()));
        Self { cases, rows }
    }

    fn table(&self) -> Result<String> {
        let mut table =
            format!("|  | {} |\n| --- |{}\n", self.cases.join(" | "), " ---: |".repeat(self.cases.len()));
        for (name, ratios) in &self.rows {
            let cells: Vec<_> = ratios.iter().copied().map(spelled).collect();
            writeln!(table, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(table)
    }

    /// Bars of each case. What is ours, a peer and a limit have colours of their own, in light and dark.
    fn picture(&self, heading: &str) -> Result<String> {
        const LEFT: f64 = 250.0;
        const WIDTH: f64 = 420.0;
        const BAR: f64 = 18.0;
        let all = || self.rows.iter().flat_map(|(_, ratios)| ratios).copied();
        let least = all().fold(1.0, f64::min).log10().floor().min(-1.0);
        let most = all().fold(1.0, f64::max).log10().ceil().max(1.0);
        let x = |ratio: f64| LEFT + WIDTH * (ratio.log10() - least) / (most - least);
        let (mut bars, mut y) = (String::new(), 40.0);
        for (case, index) in self.cases.iter().zip(0_usize..) {
            y += BAR;
            writeln!(bars, "<text x=\"8\" y=\"{y}\" font-weight=\"600\">{case}</text>")?;
            for (name, ratios) in &self.rows {
                let (end, class) = (x(ratios[index]), class(name));
                writeln!(
                    bars,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
                     <rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" class=\"{class}\"/>\
                     <text x=\"{:.1}\" y=\"{}\" class=\"quiet\">{}</text>",
                    LEFT - 8.0,
                    y + BAR,
                    y + 5.0,
                    end - LEFT,
                    BAR - 4.0,
                    end + 6.0,
                    y + BAR,
                    spelled(ratios[index])
                )?;
                y += BAR;
            }
            y += 8.0;
        }
        let mut axis = String::new();
        for power in least as i32..=most as i32 {
            let (at, class) = (x(10f64.powi(power)), if power == 0 { "one" } else { "" });
            writeln!(
                axis,
                "<line x1=\"{at:.1}\" y1=\"44\" x2=\"{at:.1}\" y2=\"{y}\" class=\"{class}\"/>\
                 <text x=\"{at:.1}\" y=\"38\" text-anchor=\"middle\" class=\"quiet\">× {}</text>",
                10f64.powi(power)
            )?;
        }
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" width=\"760\" height=\"{height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<style>{STYLE}</style>\n\
             <rect width=\"100%\" height=\"100%\" class=\"ground\"/>\
             <text x=\"8\" y=\"18\" font-size=\"15\" font-weight=\"600\">{heading}</text>\n{axis}{bars}</svg>\n",
            height = y + 8.0
        ))
    }
}

fn spelled(ratio: f64) -> String {
    let decimals =
        [(0.1, 3), (10.0, 2)].iter().find(|(below, _)| ratio < *below).map_or(0, |(_, decimals)| *decimals);
    format!("{ratio:.decimals$}")
}

fn class(name: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(LIMITS) {
        "limit"
    } else if has(OURS) {
        "ours"
    } else {
        "peer"
    }
}

/// Instructions of each operation, and by what they were counted.
struct Counts {
    tools: String,
    operations: Vec<(String, u64)>,
}

impl Counts {
    /// One run under callgrind, which writes a file whenever an operation is done; the first one does nothing.
    fn now(workspace: &Workspace) -> Result<Self> {
        let build = ["build", "--quiet", "--profile", "bench", "--package", PACKAGE, "--bin", "counts"];
        workspace.cargo().args(build).run()?;
        let folder = workspace.target.join("callgrind");
        fs::create_dir_all(&folder)?;
        let names = Program::new("valgrind")
            .args([
                "--quiet",
                "--tool=callgrind",
                "--zero-before=counts::counted",
                "--dump-after=counts::counted",
            ])
            .args([format!("--callgrind-out-file={}", folder.join("out").display())])
            .args([workspace.target.join("release/counts")])
            .output()?;
        let count = |number: usize| -> Result<u64> {
            let text = fs::read_to_string(folder.join(format!("out.{number}")))?;
            let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
            Ok(total.ok_or("callgrind counted nothing")?.parse()?)
        };
        let nothing = count(1)?;
        let names = names.lines().zip(1..).skip(1);
        let operations = names.map(|(name, number)| Ok((name.to_owned(), count(number)? - nothing)));
        let tools =
            format!("{}, {}", compiler()?, Program::new("valgrind").args(["--version"]).output()?.trim());
        Ok(Self { tools, operations: operations.collect::<Result<_>>()? })
    }

    fn committed(page: &str) -> Option<Self> {
        let (_, section) = page.split_once(COUNTS)?;
        let tools =
            section.lines().find_map(|line| line.strip_prefix(COUNTED_BY)?.strip_suffix('.'))?.to_owned();
        let row = |line: &str| {
            let (name, count) = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Some(Self { tools, operations: section.lines().filter_map(row).collect() })
    }

    fn section(&self) -> Result<String> {
        let mut section = format!("{COUNTS}\n{ABOUT_COUNTS}\n\n{COUNTED_BY}{}.\n\n", self.tools);
        section += "| operation | instructions |\n| --- | ---: |\n";
        for (name, count) in &self.operations {
            writeln!(section, "| {name} | {count} |")?;
        }
        Ok(section)
    }

    /// What is higher here than there by more than may be, or is not there.
    fn grown(&self, than: &Self) -> Vec<String> {
        let limit = if self.tools == than.tools { SAME_TOOLS } else { OTHER_TOOLS };
        let other = |name: &str| than.operations.iter().find(|(of, _)| of == name).map(|(_, count)| *count);
        let grown = |(name, count): &(String, u64)| match other(name) {
            Some(other) if *count as f64 <= other as f64 * limit => None,
            other => {
                Some(format!("{name}: {count}, against {}", other.map_or("none".into(), |n| n.to_string())))
            }
        };
        self.operations.iter().filter_map(grown).collect()
    }

    fn host(&self) -> &str {
        self.tools.split([' ', ',']).nth(3).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, app_side};

    fn counts(tools: &str, read: u64) -> Counts {
        Counts { tools: tools.to_owned(), operations: vec![("read: w1".to_owned(), read)] }
    }

    #[test]
    fn a_count_may_grow_by_two_percent_and_by_another_compiler_by_ten() {
        let was = counts("rustc 1 for a-b-c, valgrind-3", 1000);
        for (tools, most) in [(&*was.tools, 1020), ("rustc 2 for a-b-c, valgrind-3", 1100)] {
            assert!(counts(tools, most).grown(&was).is_empty());
            assert_eq!(
                counts(tools, most + 1).grown(&was),
                [format!("read: w1: {}, against 1000", most + 1)]
            );
        }
    }

    #[test]
    fn an_operation_that_is_not_committed_is_a_fault() {
        let was = Counts { tools: String::new(), operations: Vec::new() };
        assert_eq!(counts("", 1).grown(&was), ["read: w1: 1, against none"]);
    }

    #[test]
    fn the_page_says_what_was_counted() {
        let was = counts("rustc 1 for a-b-c, valgrind-3", 1000);
        let read = Counts::committed(&format!("# A page\n{}", was.section().unwrap())).unwrap();
        assert_eq!((&read.tools, &read.operations), (&was.tools, &was.operations));
        assert_eq!(read.host(), "a-b-c");
    }

    #[test]
    fn what_the_apps_print_is_read() {
        let side = |name: &str, time| Some(("app".into(), "median".into(), name.into(), time));
        assert_eq!(app_side("app", "bench: a, b: median 1.23 µs, p99 4.56 µs"), side("a, b", 1.23));
        assert_eq!(app_side("app", "bench:      123 ns median,      456 ns p99: a: b"), side("a: b", 123.0));
    }
}
