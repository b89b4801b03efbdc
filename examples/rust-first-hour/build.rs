//! Copies the guide's `Device`, as its reader does.

use std::{env, fs, path::Path};

const GUIDE: &str = "../../core/README.md";

fn main() {
    println!("cargo::rerun-if-changed={GUIDE}");
    let guide = fs::read_to_string(GUIDE).expect("the guide");
    let (_, section) = guide.split_once("# Storage and real HTTP\n").expect("its section");
    let (_, code) = section.split_once("```rust\n").expect("its code");
    let (code, _) = code.split_once("```\n").expect("the end of it");
    // What the page does not show begins with a number sign.
    let hidden = |line: &&str| line.starts_with("# ") || *line == "#";
    let shown: Vec<_> = code.lines().filter(|line| !hidden(line)).collect();
    let out = env::var("OUT_DIR").expect("a folder");
    fs::write(Path::new(&out).join("guide.rs"), shown.join("\n")).expect("a copy");
}
