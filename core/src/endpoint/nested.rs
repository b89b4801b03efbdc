//! Answers whose members do not stand in the top object.

use crate::endpoint::members::Members;
use crate::endpoint::nested_answer;
use crate::endpoint::own_members::OwnMembers;
use crate::error::Error;
use crate::wire::input::Slice;

/// Where the members of an answer stand, if they do not stand in the top object.
///
/// ```
/// use tokenward::Nested;
///
/// let flume = Nested::at(Some("data[0]"), Some("detailed[0]"));
/// assert_eq!(flume.member_path, Some("data[0]"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Nested<'a> {
    /// What follows the paths.
    pub reader: Option<&'a NestedReader>,
    /// Where the token's members stand, such as `data[0]`.
    pub member_path: Option<&'a str>,
    /// Where an error code stands if there is no top-level `error`, such as `detailed[0]`.
    pub error_path: Option<&'a str>,
}

impl<'a> Nested<'a> {
    /// Everything stands in the top object.
    pub const NONE: Self = Self { reader: None, member_path: None, error_path: None };

    /// The token's members stand at `member_path`, such as `data[0]`, and an error code, if there is no top-level
    /// `error`, at `error_path`, such as `detailed[0]`.
    #[must_use]
    pub const fn at(member_path: Option<&'a str>, error_path: Option<&'a str>) -> Self {
        Self { reader: Some(NestedReader::PATHS), member_path, error_path }
    }
}

/// Follows paths through an answer: a value that brings its code.
#[derive(Clone, Copy)]
pub struct NestedReader {
    number: u8,
    name: &'static str,
    pub(crate) read: Read,
}

/// Reads a body from its start, of which the second stands behind a byte order mark, by paths and names.
type Read =
    for<'a> fn(&mut Members<'a>, &Slice<'a>, Slice<'a>, (&str, &str), &OwnMembers<'_>) -> Result<(), Error>;

impl NestedReader {
    /// Names separated by `.`, places of arrays in brackets.
    pub const PATHS: &'static Self = &Self { number: 1, name: "paths", read: nested_answer::read };
}

part!(NestedReader: PATHS);
