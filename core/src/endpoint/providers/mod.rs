//! Five token services as data. `docs/PROVIDERS.md` says which sentence of the service's own page each value follows.
//!
//! Where a service has environments each is a value of its own, and its tokens never cross to the other. There is no
//! default: production may charge real money.

mod flip_energy;
mod flip_utility;
mod flume;
mod flute;
mod opower;

pub use flip_energy::{FLIP_ENERGY_CLIENT, FLIP_ENERGY_SITE, FLIP_ENERGY_SITE_BY_BACKEND};
pub use flip_utility::{
    FLIP_UTILITY_API_KEY_PRODUCTION, FLIP_UTILITY_API_KEY_SANDBOX, FLIP_UTILITY_PRODUCTION,
    FLIP_UTILITY_SANDBOX,
};
pub use flume::FLUME;
pub use flute::{FLUTE_PRODUCTION, FLUTE_SANDBOX};
pub use opower::OPOWER;

use crate::endpoint::provider::Provider;

/// Every one of them.
pub const ALL: &[&Provider<'static>] = &[
    &FLIP_UTILITY_SANDBOX,
    &FLIP_UTILITY_PRODUCTION,
    &FLIP_UTILITY_API_KEY_SANDBOX,
    &FLIP_UTILITY_API_KEY_PRODUCTION,
    &FLIP_ENERGY_CLIENT,
    &FLIP_ENERGY_SITE,
    &FLIP_ENERGY_SITE_BY_BACKEND,
    &FLUME,
    &OPOWER,
    &FLUTE_SANDBOX,
    &FLUTE_PRODUCTION,
];
