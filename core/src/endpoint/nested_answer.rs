//! Answers whose members stand deeper: at the paths of a provider, such as `data[0]`.

use crate::ascii::decimal;
use crate::endpoint::members::{Member, Members};
use crate::endpoint::own_members::OwnMembers;
use crate::error::Error;
use crate::machine::inlined_if_wide;
use crate::wire::input::Slice;
use crate::wire::json::{Item, walk};

/// Reads the whole body in one pass: the token's members at `member_path`, an error code at `error_path` too.
#[inline(never)]
pub(crate) fn read<'a>(
    members: &mut Members<'a>,
    start: &Slice<'a>,
    at: Slice<'a>,
    (member_path, error_path): (&str, &str),
    own: &OwnMembers<'_>,
) -> Result<(), Error> {
    let (mut member_path, mut error_path) = (Path::new(member_path), Path::new(error_path));
    #[cfg(feature = "serde")]
    if member_path.text.is_empty() {
        members.object = at.rest();
    }
    let shown = member_path.len.max(error_path.len).saturating_add(1);
    walk(start, at, shown, &Member::LIKELY, &mut |item| {
        #[cfg_attr(
            not(feature = "serde"),
            expect(unused_variables, reason = "only `extra` reads the object")
        )]
        let at_object = member_path.step(item);
        #[cfg(feature = "serde")]
        if at_object && item.kind == b'{' {
            members.object = item.value;
        }
        let at_code = error_path.step(item);
        if at_code {
            members.put(Member::NestedError, item);
            if matches!(item.kind, b'-' | b'0'..=b'9') {
                members.take_number(Member::NestedError);
            }
        }
        // What the error path leads to, or through, is no `error` of the top object.
        let at_top = item.depth == 1 && !at_code && error_path.open != 1;
        let in_token = member_path.holds(item.depth);
        if (at_top || in_token)
            && let Some(name) = item.name()
        {
            own.put(members, name, item, in_token, at_top);
        }
        Ok(())
    })?;
    // A path that could be walked in two ways.
    if member_path.twice {
        members.put_twice(Member::AccessToken);
    }
    if error_path.twice {
        members.put_twice(Member::NestedError);
    }
    own.finish(members);
    Ok(())
}

/// Where a member stands, such as `data[0]`: names separated by `.`, places of arrays in brackets.
///
/// It follows the items of a reader down to the end of the path and out again.
struct Path<'p> {
    text: &'p [u8],
    /// Segments of the path.
    len: u32,
    /// Segments that are open: the depth of the innermost container on the path, less the top one.
    open: u32,
    /// The segment to look for in that container.
    segment: &'p [u8],
    /// Elements that were seen in that container.
    elements: u32,
    /// The named segments that were seen, a bit for each, in the containers that are open.
    seen: u32,
    /// A named segment was given twice in its object.
    twice: bool,
}

impl<'p> Path<'p> {
    fn new(text: &'p str) -> Self {
        let mut path =
            Self { text: text.as_bytes(), len: 0, open: 0, segment: &[], elements: 0, seen: 0, twice: false };
        if text.is_empty() {
            return path;
        }
        path.segments().for_each(|_| path.len = path.len.saturating_add(1));
        path.go(0, 0);
        path
    }

    /// Names, and places with their closing bracket.
    fn segments(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        self.text.split(|byte| matches!(byte, b'.' | b'[')).filter(|part| !part.is_empty())
    }

    #[inline(never)]
    fn go(&mut self, open: u32, elements: u32) {
        (self.open, self.elements) = (open, elements);
        self.segment = self.segments().nth(usize::try_from(open).unwrap_or(usize::MAX)).unwrap_or_default();
    }

    /// Whether the members of the object that the path leads to stand at this depth, now.
    fn holds(&self, depth: u32) -> bool {
        self.open == self.len && self.len.wrapping_add(1) == depth
    }

    inlined_if_wide! {
        /// Whether the path ends at this item; an empty one does nowhere.
        fn step(&mut self, item: &Item<&[u8]>) -> bool {
            let parent = item.depth.wrapping_sub(1);
            if parent < self.open {
                // A container on the path was closed; there is no way back into it through its array.
                self.go(parent, u32::MAX);
            }
            let follows = parent == self.open && self.open != self.len && self.hits(item);
            follows && self.follow(item)
        }
    }

    #[inline(never)]
    fn follow(&mut self, item: &Item<&[u8]>) -> bool {
        if item.name.is_some() {
            let bit = 1_u32.checked_shl(self.open).unwrap_or_default();
            self.twice |= self.seen & bit != 0;
            self.seen |= bit;
        }
        if matches!(item.kind, b'{' | b'[') {
            self.go(item.depth, 0);
            // What lies deeper is another object now.
            self.seen &= u32::MAX.checked_shr(u32::BITS.wrapping_sub(item.depth)).unwrap_or(u32::MAX);
        }
        item.depth == self.len
    }

    #[inline(always)]
    fn hits(&mut self, item: &Item<&[u8]>) -> bool {
        match (item.name(), self.segment) {
            (Some(_), [.., b']']) => false,
            (Some(name), segment) => name.is(segment),
            (None, [digits @ .., b']']) => {
                let element = self.elements;
                self.elements = element.saturating_add(1);
                place_in_array(digits) == Some(element)
            }
            (None, _) => false,
        }
    }
}

/// A place of an array, as a path spells it.
fn place_in_array(digits: &[u8]) -> Option<u32> {
    let start = (!digits.is_empty()).then_some(0_u32);
    digits
        .iter()
        .try_fold(start?, |place, byte| place.checked_mul(10)?.checked_add(u32::from(decimal(*byte)?)))
}
