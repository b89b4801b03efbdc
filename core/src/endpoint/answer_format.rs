//! Answers that are no JSON.

use crate::endpoint::members::Members;
use crate::endpoint::own_members::OwnMembers;
use crate::error::Error;
use crate::wire::form::walk;
use crate::wire::json::Each;

/// How a service answers if not in JSON: a value that brings its code. What is an object of JSON is read all the same.
///
/// ```
/// use tokenward::parts::AnswerFormat;
/// use tokenward::{Provider, TokenAnswer, token_answer};
///
/// let provider = Provider { answer: Some(AnswerFormat::FORM), ..Provider::custom() };
/// let body = b"access_token=a%2Fb&token_type=bearer&expires_in=3600";
/// let Ok(TokenAnswer::Token(token)) = token_answer(200, body, &provider) else { panic!() };
/// assert!(token.access_token().ct_eq(b"a/b"));
/// assert_eq!(token.expires_in(), Some(3600));
/// ```
#[derive(Clone, Copy)]
pub struct AnswerFormat {
    number: u8,
    name: &'static str,
    pub(crate) read: Read,
    pub(crate) walk: Walk,
}

/// Reads a whole body that is refused as JSON by this fault.
type Read = for<'a> fn(&mut Members<'a>, &'a [u8], Error, &OwnMembers<'_>) -> Result<(), Error>;
/// Hands the members of such a body to what takes them.
type Walk = for<'a> fn(&'a [u8], Error, &mut Each<'_, &'a [u8]>) -> Result<(), Error>;

impl AnswerFormat {
    /// `application/x-www-form-urlencoded`. Such a body has no end that could be missed: one that is cut off may be read.
    pub const FORM: &'static Self = &Self { number: 1, name: "form", read, walk };
}

part!(AnswerFormat: FORM);

fn read<'a>(
    members: &mut Members<'a>,
    body: &'a [u8],
    fault: Error,
    own: &OwnMembers<'_>,
) -> Result<(), Error> {
    walk(body, fault, &mut |item| {
        if let Some(name) = item.name() {
            own.put(members, name, item, true, true);
        }
        Ok(())
    })?;
    own.finish(members);
    Ok(())
}
