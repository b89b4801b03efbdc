//! A path to a member of an answer, followed while the answer is read.

use crate::ascii::decimal;
use crate::wire::json::{Item, Text};
use crate::wire::json_str::JsonStr;

/// Where a member stands, such as `data[0]`: names separated by `.`, places of arrays in brackets.
///
/// It follows the items of a reader down to the end of the path and out again.
pub(crate) struct MemberPath<'p> {
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
    pub(crate) twice: bool,
}

impl<'p> MemberPath<'p> {
    /// The path to the top object.
    pub(crate) const TOP: Self =
        Self { text: &[], len: 0, open: 0, segment: &[], elements: 0, seen: 0, twice: false };

    pub(crate) fn new(text: &'p str) -> Self {
        let mut path = Self { text: text.as_bytes(), ..Self::TOP };
        if text.is_empty() {
            return path;
        }
        path.segments().for_each(|_| path.len = path.len.saturating_add(1));
        path.go(0, 0);
        path
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Names, and places with their closing bracket.
    fn segments(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        self.text.split(|byte| matches!(byte, b'.' | b'[')).filter(|part| !part.is_empty())
    }

    fn go(&mut self, open: u32, elements: u32) {
        (self.open, self.elements) = (open, elements);
        self.segment = self.segments().nth(usize::try_from(open).unwrap_or(usize::MAX)).unwrap_or_default();
    }

    /// Whether the members of the object that the path leads to stand at this depth, now.
    pub(crate) fn holds(&self, depth: u32) -> bool {
        self.open == self.len && self.len.wrapping_add(1) == depth
    }

    /// Whether the path ends at this item; an empty one does nowhere.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn step(&mut self, item: &Item<&[u8]>) -> bool {
        let Some(parent) = item.depth.checked_sub(1).filter(|_| !self.is_empty()) else { return false };
        if self.open > parent {
            // A container on the path was closed; there is no way back into it through its array.
            self.go(parent, u32::MAX);
        }
        if self.open < parent || parent == self.len || !self.hits(item) {
            return false;
        }
        if item.name.is_some() {
            let bit = 1_u32.checked_shl(parent).unwrap_or_default();
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
        match (item.name, self.segment) {
            (Some(_), [.., b']']) => false,
            (Some(name), segment) => JsonStr::raw(name, item.name_text != Text::Plain).is(segment),
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
