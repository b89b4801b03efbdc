//! Token services as data, ready to use. An image links those that it names.

use tokenward::providers::*;

use crate::provider::tokenward_service;

/// Flip Utility with an OAuth client, for development and tests: one token endpoint, an API origin for each
/// environment.
#[unsafe(no_mangle)]
pub static tokenward_flip_utility_sandbox: tokenward_service = tokenward_service(FLIP_UTILITY_SANDBOX);

/// Flip Utility with an OAuth client, in production.
#[unsafe(no_mangle)]
pub static tokenward_flip_utility_production: tokenward_service = tokenward_service(FLIP_UTILITY_PRODUCTION);

/// Flip Utility with a static API key `fl_*`, which the caller installs with tokenward_install(); for development
/// and tests.
#[unsafe(no_mangle)]
pub static tokenward_flip_utility_api_key_sandbox: tokenward_service =
    tokenward_service(FLIP_UTILITY_API_KEY_SANDBOX);

/// Flip Utility with a static API key `fl_*`, which the caller installs with tokenward_install(); in production.
#[unsafe(no_mangle)]
pub static tokenward_flip_utility_api_key_production: tokenward_service =
    tokenward_service(FLIP_UTILITY_API_KEY_PRODUCTION);

/// Flip Energy with a client token, which the caller installs with tokenward_install(): server to server only; it
/// does not expire. Its base URL is in the configuration.
#[unsafe(no_mangle)]
pub static tokenward_flip_energy_client: tokenward_service = tokenward_service(FLIP_ENERGY_CLIENT);

/// Flip Energy with a token for one site, which lives an hour, for a gateway or server that keeps the client
/// token too. Its base URL and the site are in the configuration.
#[unsafe(no_mangle)]
pub static tokenward_flip_energy_site: tokenward_service = tokenward_service(FLIP_ENERGY_SITE);

/// Flip Energy with a token for one site, which lives an hour, for an app: it installs what its own backend hands
/// out, and is told when the next is due. Its base URL and the site are in the configuration.
#[unsafe(no_mangle)]
pub static tokenward_flip_energy_site_by_backend: tokenward_service =
    tokenward_service(FLIP_ENERGY_SITE_BY_BACKEND);

/// Flume: password grant, an answer in an envelope, JWTs, refresh tokens. RFC 9700 section 2.4 forbids the password
/// grant elsewhere; Flume has no other.
#[unsafe(no_mangle)]
pub static tokenward_flume: tokenward_service = tokenward_service(FLUME);

/// Oracle Utilities Opower: a token of about an hour by Basic authentication. Its base URL, the host of the tier,
/// is in the configuration.
#[unsafe(no_mangle)]
pub static tokenward_opower: tokenward_service = tokenward_service(OPOWER);

/// Flute's sandbox: Basic authentication, `offline_access`, refresh tokens, and two environments that share one API
/// key but no token.
#[unsafe(no_mangle)]
pub static tokenward_flute_sandbox: tokenward_service = tokenward_service(FLUTE_SANDBOX);

/// Flute, in production.
#[unsafe(no_mangle)]
pub static tokenward_flute_production: tokenward_service = tokenward_service(FLUTE_PRODUCTION);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_of_the_core_is_an_object() {
        let objects = [
            &tokenward_flip_utility_sandbox,
            &tokenward_flip_utility_production,
            &tokenward_flip_utility_api_key_sandbox,
            &tokenward_flip_utility_api_key_production,
            &tokenward_flip_energy_client,
            &tokenward_flip_energy_site,
            &tokenward_flip_energy_site_by_backend,
            &tokenward_flume,
            &tokenward_opower,
            &tokenward_flute_sandbox,
            &tokenward_flute_production,
        ];
        let header = include_str!("../include/tokenward/tokenward.h");
        assert_eq!(header.matches("\nextern const tokenward_service tokenward_").count(), ALL.len());
        for preset in ALL {
            let described = |service: &&tokenward_service| std::format!("{:?}", service.0);
            let wanted = std::format!("{preset:?}");
            assert_eq!(objects.iter().filter(|object| described(object) == wanted).count(), 1, "{wanted}");
        }
    }
}
