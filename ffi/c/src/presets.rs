//! Token services as data: each function fills a tokenward_provider. An image links those that it calls.

use tokenward::{Environment, IssuedBy, Provider, providers};

use crate::edge::{at_the_edge, tokenward_span};
use crate::provider::{OUT_OF_RANGE, tokenward_provider};
use crate::result::*;

/// Where a service runs: `TOKENWARD_ENVIRONMENT_*`. Its tokens never cross to the other environment. There
/// is no default: production may charge real money.
pub type tokenward_environment = i32;
/// For development and tests.
pub const TOKENWARD_ENVIRONMENT_SANDBOX: i32 = 1;
/// For real.
pub const TOKENWARD_ENVIRONMENT_PRODUCTION: i32 = 2;

/// Who asks for a site token of Flip Energy: `TOKENWARD_ISSUED_BY_*`.
pub type tokenward_issued_by = i32;
/// A gateway or server that keeps the client token too.
pub const TOKENWARD_ISSUED_BY_CLIENT_TOKEN: i32 = 1;
/// The app's own backend: the app installs what that hands out, and is told when the next is due.
pub const TOKENWARD_ISSUED_BY_BACKEND: i32 = 2;

/// The defaults of a custom provider: RFC 6749 to the letter, credentials for servers only, no name, no URL
/// and no grant.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_custom(out: *mut tokenward_provider) -> i32 {
    static CUSTOM: tokenward_provider = tokenward_provider::of(&Provider::custom());
    at_the_edge!(|edge| {
        edge.out(out).write(CUSTOM);
        Ok(())
    })
}

/// Flip Utility with an OAuth client: one token endpoint, an API origin for each environment.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] environment `TOKENWARD_ENVIRONMENT_*`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flip_utility(
    out: *mut tokenward_provider,
    environment: tokenward_environment,
) -> i32 {
    static SANDBOX: tokenward_provider =
        tokenward_provider::of(&providers::flip_utility(Environment::Sandbox));
    static PRODUCTION: tokenward_provider =
        tokenward_provider::of(&providers::flip_utility(Environment::Production));
    at_the_edge!(|edge| {
        let preset = of_environment(environment, &SANDBOX, &PRODUCTION)?;
        edge.out(out).write(*preset);
        Ok(())
    })
}

/// Flip Utility with a static API key `fl_*`, which the caller installs with tokenward_install().
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] environment `TOKENWARD_ENVIRONMENT_*`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flip_utility_api_key(
    out: *mut tokenward_provider,
    environment: tokenward_environment,
) -> i32 {
    static SANDBOX: tokenward_provider =
        tokenward_provider::of(&providers::flip_utility_api_key(Environment::Sandbox));
    static PRODUCTION: tokenward_provider =
        tokenward_provider::of(&providers::flip_utility_api_key(Environment::Production));
    at_the_edge!(|edge| {
        let preset = of_environment(environment, &SANDBOX, &PRODUCTION)?;
        edge.out(out).write(*preset);
        Ok(())
    })
}

/// Flip Energy with a client token, which the caller installs with tokenward_install(): server to server
/// only, without an end.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] base_url The API's origin. It must live, and stay as it is, as long as managers made from `out`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flip_energy_client(
    out: *mut tokenward_provider,
    base_url: tokenward_span,
) -> i32 {
    static PRESET: tokenward_provider = tokenward_provider::of(&providers::flip_energy_client(""));
    at_the_edge!(|edge| {
        edge.out(out).write(tokenward_provider { base_url, ..PRESET });
        Ok(())
    })
}

/// Flip Energy with a token for one site, which lives an hour. tokenward_init() takes the site.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] base_url The API's origin. It must live, and stay as it is, as long as managers made from `out`.
/// @param[in] issued_by `TOKENWARD_ISSUED_BY_*`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flip_energy_site(
    out: *mut tokenward_provider,
    base_url: tokenward_span,
    issued_by: tokenward_issued_by,
) -> i32 {
    static CLIENT_TOKEN: tokenward_provider =
        tokenward_provider::of(&providers::flip_energy_site("", IssuedBy::ClientToken));
    static BACKEND: tokenward_provider =
        tokenward_provider::of(&providers::flip_energy_site("", IssuedBy::Backend));
    at_the_edge!(|edge| {
        let preset = match issued_by {
            TOKENWARD_ISSUED_BY_CLIENT_TOKEN => &CLIENT_TOKEN,
            TOKENWARD_ISSUED_BY_BACKEND => &BACKEND,
            _ => return Err(OUT_OF_RANGE),
        };
        edge.out(out).write(tokenward_provider { base_url, ..*preset });
        Ok(())
    })
}

/// Flume: password grant, an answer in an envelope, JWTs, refresh tokens. RFC 9700 section 2.4 forbids the
/// password grant elsewhere; Flume has no other.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] base_url The API's origin: #TOKENWARD_FLUME_BASE_URL. It must live, and stay as it is, as long
/// as managers made from `out`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flume(
    out: *mut tokenward_provider,
    base_url: tokenward_span,
) -> i32 {
    static PRESET: tokenward_provider = tokenward_provider::of(&providers::flume(""));
    at_the_edge!(|edge| {
        edge.out(out).write(tokenward_provider { base_url, ..PRESET });
        Ok(())
    })
}

/// Oracle Utilities Opower: a token of about an hour by Basic authentication.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] base_url The host of the tier. It must live, and stay as it is, as long as managers made from
/// `out`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_opower(
    out: *mut tokenward_provider,
    base_url: tokenward_span,
) -> i32 {
    static PRESET: tokenward_provider = tokenward_provider::of(&providers::opower(""));
    at_the_edge!(|edge| {
        edge.out(out).write(tokenward_provider { base_url, ..PRESET });
        Ok(())
    })
}

/// Flute: Basic authentication, `offline_access`, refresh tokens, and two environments that share one API
/// key but no token.
///
/// May be called from any thread.
///
/// @param[out] out Written on success.
/// @param[in] environment `TOKENWARD_ENVIRONMENT_*`.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_flute(
    out: *mut tokenward_provider,
    environment: tokenward_environment,
) -> i32 {
    static SANDBOX: tokenward_provider = tokenward_provider::of(&providers::flute(Environment::Sandbox));
    static PRODUCTION: tokenward_provider =
        tokenward_provider::of(&providers::flute(Environment::Production));
    at_the_edge!(|edge| {
        let preset = of_environment(environment, &SANDBOX, &PRODUCTION)?;
        edge.out(out).write(*preset);
        Ok(())
    })
}

fn of_environment<'a>(
    environment: tokenward_environment,
    sandbox: &'a tokenward_provider,
    production: &'a tokenward_provider,
) -> Result<&'a tokenward_provider, Fault> {
    match environment {
        TOKENWARD_ENVIRONMENT_SANDBOX => Ok(sandbox),
        TOKENWARD_ENVIRONMENT_PRODUCTION => Ok(production),
        _ => Err(OUT_OF_RANGE),
    }
}
