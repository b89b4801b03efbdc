//! The `tokenward` command.

fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&file).expect("file");
        let run = tokenward_cli::scenario::run(&serde_json::from_str(&text).expect("json"));
        match run {
            Ok(run) => println!("{} {:?}", run.name, run.difference),
            Err(fault) => println!("{fault}"),
        }
    }
}
