//! `demo`: the main job, on services of its own.

mod chapters;
mod clock;
mod keeper;
mod sign_in;
mod systems;
mod timeline;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use tokenward_demo_service::Kind;

use crate::failure::{Failure, Status};

/// Start the five services here, keep a token of each alive, and check all that happens
///
/// Each token service and its protected API listen on 127.0.0.1 and speak real HTTP in the dialect of the
/// service's own page. The core's clock is compressed while it waits; the services share it.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// One system instead of all five
    #[arg(value_name = "PROVIDER")]
    system: Option<System>,

    /// How many times as fast time passes while the core waits; by default a lifetime takes 0.4 s
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,

    /// Print one JSON object for each event, and a last one with the summary
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
struct System(Kind);

impl ValueEnum for System {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            &[
                System(Kind::FlipUtility),
                System(Kind::FlipEnergy),
                System(Kind::Flume),
                System(Kind::Opower),
                System(Kind::Flute),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let name = self.0.name();
        let dashed = name.replace('_', "-");
        let value = PossibleValue::new(name);
        Some(if dashed == name { value } else { value.alias(dashed) })
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("give a number above 0".to_owned()),
    }
}

impl Demo {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let kinds = self.system.map_or(Kind::ALL.to_vec(), |system| vec![system.0]);
        let mut tallies = Vec::new();
        for kind in kinds {
            tallies.push(systems::play(kind, self.speed, self.json)?);
        }
        let all_held = timeline::summary(&tallies, self.json)?;
        Ok(if all_held { Status::Ok } else { Status::Error })
    }
}
