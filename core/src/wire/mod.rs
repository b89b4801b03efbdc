//! The grammars of the RFCs: each reads or writes bytes and knows nothing of OAuth.

pub(crate) mod base64;
pub(crate) mod form;
pub(crate) mod http_date;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod json_str;
pub(crate) mod jwt;
pub(crate) mod retry_after;
pub(crate) mod seconds;
pub(crate) mod url;
pub(crate) mod writer;
pub(crate) mod www_authenticate;

pub use form::FormStr;
pub use http_date::http_date;
#[cfg(feature = "serde")]
pub use jwt::jwt_claims_into;
pub use jwt::{Claims, jwt_claims};
pub use retry_after::retry_after;
pub use writer::form_encode;
pub use www_authenticate::{Challenge, Challenges, ParamValue};
