//! Five token services as data. Each value says which sentence of the service's own page it follows in
//! `docs/PROVIDERS.md`.

mod flip_energy;
mod flip_utility;
mod flume;
mod flute;
mod opower;

pub use flip_energy::{FLIP_ENERGY_ROUTES, flip_energy_client, flip_energy_site};
pub use flip_utility::{flip_utility, flip_utility_api_key};
pub use flume::{FLUME_BASE_URL, flume};
pub use flute::flute;
pub use opower::opower;

/// Where a service runs. Its tokens never cross to the other environment. There is no default: production
/// may charge real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For development and tests.
    Sandbox,
    /// For real.
    Production,
}

impl Environment {
    /// `sandbox` or `production`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

/// Who asks for a site token of Flip Energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedBy {
    /// A gateway or server that keeps the client token too.
    ClientToken,
    /// The app's own backend: the app installs what that hands out, and is told when the next is due.
    Backend,
}
