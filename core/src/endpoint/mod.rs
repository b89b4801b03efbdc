//! The token endpoint of a service: what it is, what is asked of it and what it answers.

#[macro_use]
mod part;

pub(crate) mod answer_format;
mod assertion;
pub(crate) mod authorization;
pub(crate) mod body_format;
pub(crate) mod client_authentication;
pub(crate) mod credentials;
pub(crate) mod destination;
pub(crate) mod error_response;
mod fault;
pub(crate) mod grant;
pub(crate) mod lifetime;
pub(crate) mod loopback;
pub(crate) mod members;
pub(crate) mod nested;
mod nested_answer;
pub(crate) mod own_members;
pub(crate) mod parameter;
pub(crate) mod pkce;
pub(crate) mod provider;
pub mod providers;
pub(crate) mod refresh_life;
pub(crate) mod refresh_policy;
pub(crate) mod request;
pub(crate) mod routes;
pub(crate) mod signature;
pub(crate) mod site;
mod template;
pub(crate) mod token_alphabet;
pub(crate) mod token_header;
pub(crate) mod token_request;
pub(crate) mod token_response;
