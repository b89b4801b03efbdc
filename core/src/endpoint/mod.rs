//! The token endpoint of a service: what it is, what is asked of it and what it answers.

pub(crate) mod authorization;
pub(crate) mod error_response;
pub(crate) mod nested_answer;
pub(crate) mod provider;
pub mod providers;
pub(crate) mod refresh_policy;
pub(crate) mod routes;
pub(crate) mod token_request;
pub(crate) mod token_response;
