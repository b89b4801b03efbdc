//! `providers`: the seven presets of the core, by name and with their facts.

use std::io::Write;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use tokenward_conformance::description::{self, Need, Preset};

use crate::failure::{Failure, Status};
use crate::paint::{BOLD, DIM, Painted};

/// The command's option for what a preset leaves open.
pub(crate) const fn option(need: Need) -> &'static str {
    match need {
        Need::Environment => "--environment",
        Need::BaseUrl => "--base-url",
        Need::Site => "--site",
        Need::IssuedBy => "--issued-by",
    }
}

fn about(preset: Preset) -> &'static str {
    match preset.name() {
        "flip_utility" => "Flip Utility with an OAuth client",
        "flip_utility_api_key" => "Flip Utility with a static API key",
        "flip_energy_client" => "Flip Energy's client token",
        "flip_energy_site" => "Flip Energy's token for one site",
        "flume" => "Flume",
        "opower" => "Oracle Utilities Opower",
        "flute" => "Flute",
        other => unreachable!("{other} has no description"),
    }
}

/// `flip-utility` means `flip_utility`.
pub(crate) fn by_name(name: &str) -> Option<Preset> {
    Preset::by_name(&name.replace('-', "_"))
}

/// Reads a preset's name from the command line.
pub(crate) fn parser() -> impl TypedValueParser<Value = Preset> {
    let values = Preset::all().into_iter().map(|preset| {
        let name = preset.name();
        let dashed = name.replace('_', "-");
        let value = PossibleValue::new(name).help(about(preset));
        if dashed == name { value } else { value.alias(dashed) }
    });
    PossibleValuesParser::new(values).try_map(|name| by_name(&name).ok_or("no preset"))
}

/// Stands for the host that the caller gives.
const HOST: &str = "https://{host}";

/// The presets and their facts.
#[derive(Debug, Args)]
pub(crate) struct Providers {
    /// Print one JSON object; each `values` element is a provider object that `--provider-file` reads
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let mut out = anstream::stdout().lock();
        if self.json {
            let presets: Vec<_> = Preset::all().into_iter().map(described).collect();
            writeln!(out, "{}", json!({ "providers": presets }))?;
            return Ok(Status::Ok);
        }
        let head = ["PRESET", "GRANTS", "AUTHENTICATION", "BODY", "WITHOUT expires_in", "MAY HOLD IT"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(Preset::all().into_iter().map(row));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (n, row) in rows.iter().enumerate() {
            let cells: Vec<_> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let line = cells.join("  ");
            match n {
                0 => writeln!(out, "{}", Painted(BOLD, line.trim_end()))?,
                _ => writeln!(out, "{}", line.trim_end())?,
            }
        }
        for preset in Preset::all() {
            let values = values(preset);
            writeln!(out, "\n{}  {}", Painted(BOLD, preset.name()), Painted(DIM, about(preset)))?;
            let options: Vec<_> = preset.needs().iter().map(|need| option(*need)).collect();
            writeln!(out, "  wants      {}", options.join(", "))?;
            match values.first().filter(|value| !words(&value["grants"]).is_empty()) {
                Some(value) => writeln!(out, "  token URL  {}", word(&value["token_url"]))?,
                None => writeln!(out, "  token URL  none: its token is installed")?,
            }
            for value in values.iter().filter(|value| !word(&value["environment"]).is_empty()) {
                let (environment, origins) = (word(&value["environment"]), words(&value["api_origins"]));
                writeln!(out, "  API        {environment:10}  {}", origins.join(", "))?;
            }
            if let Some(value) = values.first().filter(|value| word(&value["environment"]).is_empty()) {
                let routes = match value["routes"].as_array().map_or(0, Vec::len) {
                    0 => String::new(),
                    rows => format!(", {rows} routes"),
                };
                writeln!(out, "  API        {}{routes}", words(&value["api_origins"]).join(", "))?;
            }
        }
        Ok(Status::Ok)
    }
}

/// One object for each environment or issuer.
fn values(preset: Preset) -> Vec<Value> {
    preset.values().into_iter().map(|value| description::write(value, HOST)).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(values: &Value) -> Vec<&str> {
    values.as_array().into_iter().flatten().map(word).collect()
}

fn row(preset: Preset) -> [String; 6] {
    let provider = description::write(preset.reader(), HOST);
    let grants = words(&provider["grants"]);
    let missing = &provider["missing_lifetime"];
    let has_body = !grants.is_empty() && grants != ["site_token"];
    [
        preset.name().to_owned(),
        if grants.is_empty() { "none (static)".to_owned() } else { grants.join(", ") },
        if grants.is_empty() { "-" } else { word(&provider["authentication"]) }.to_owned(),
        if has_body { word(&provider["body"]) } else { "-" }.to_owned(),
        match (&missing["jwt_expiry_else"], &missing["assume"]) {
            (Value::Number(seconds), _) => format!("exp of a JWT, else {seconds} s"),
            (_, Value::Number(seconds)) => format!("{seconds} s"),
            _ if missing == "never" => "no end".to_owned(),
            _ => "refused".to_owned(),
        },
        match (preset.name(), word(&provider["exposure"])) {
            ("flip_energy_site", _) => "apps, by their backend",
            (_, "app_allowed") => "apps",
            _ => "servers",
        }
        .to_owned(),
    ]
}

fn described(preset: Preset) -> Value {
    let needs: Vec<_> = preset.needs().iter().map(|need| need.member()).collect();
    json!({ "preset": preset.name(), "about": about(preset), "needs": needs, "values": values(preset) })
}
