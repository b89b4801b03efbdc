//! The five systems and their environments, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of the five systems.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Flip Utility: client credentials in a form body, or a static API key.
    FlipUtility,
    /// Flip Energy: a static client token that buys site tokens.
    FlipEnergy,
    /// Flume: the password grant as JSON, answered in an envelope.
    Flume,
    /// Oracle Utilities Opower: client credentials with Basic.
    Opower,
    /// Flute: client credentials with Basic, a refresh token, two environments.
    Flute,
}

impl Kind {
    /// All five, in the order of the documentation.
    pub const ALL: [Kind; 5] = [Kind::FlipUtility, Kind::FlipEnergy, Kind::Flume, Kind::Opower, Kind::Flute];

    /// The snake_case name, as on the command line and as the realm of a challenge.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::FlipUtility => "flip_utility",
            Kind::FlipEnergy => "flip_energy",
            Kind::Flume => "flume",
            Kind::Opower => "opower",
            Kind::Flute => "flute",
        }
    }

    /// The path of the token endpoint; `{site}` stands for a percent-encoded site id.
    #[must_use]
    pub const fn token_path(self) -> &'static str {
        match self {
            Kind::FlipUtility => "/token",
            Kind::FlipEnergy => "/v1/auth/site/{site}",
            Kind::Flume => "/oauth/token",
            Kind::Opower => "/apis/authorization-v1/oauth2/token",
            Kind::Flute => "/oauth2/token",
        }
    }

    /// The `expires_in` of a new access token, in seconds, as the service's page prints it
    /// (Flume's page prints none: a week is what its clients see).
    #[must_use]
    pub const fn lifetime_s(self) -> u64 {
        match self {
            Kind::FlipUtility | Kind::FlipEnergy | Kind::Flute => 3600,
            Kind::Flume => 604_800,
            Kind::Opower => 3599,
        }
    }

    /// The environments that have a listener of their own; empty where the system has one listener.
    #[must_use]
    pub const fn environments(self) -> &'static [Environment] {
        match self {
            Kind::Flute => &[Environment::Sandbox, Environment::Production],
            Kind::FlipUtility | Kind::FlipEnergy | Kind::Flume | Kind::Opower => &[],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let name = name.replace('-', "_");
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// A name that is none of the five.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of flip_utility, flip_energy, flume, opower, flute")
    }
}

impl std::error::Error for UnknownKind {}

/// An environment of a system whose tokens are not interchangeable between environments.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Development and testing.
    Sandbox,
    /// Live; real money at Flute.
    Production,
}

impl Environment {
    /// The snake_case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Environment::Sandbox => "sandbox",
            Environment::Production => "production",
        }
    }
}
