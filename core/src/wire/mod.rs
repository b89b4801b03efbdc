//! The grammars of the RFCs: each reads or writes bytes and knows nothing of OAuth.

pub(crate) mod base64;
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
