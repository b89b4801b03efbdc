//! Base64 with padding (RFC 4648 section 4), in place: the `base64` package does not pass the link gate.

use crate::machine::WIDE;

/// The digits of six bits each.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes that `len` bytes take.
pub(crate) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// Encodes the first `len` bytes of `room`, which has [`encoded_len`]: from the end, so that none is written over
/// before it is read.
#[inline(never)]
pub(crate) fn encode_in_place(room: &mut [u8], len: usize) {
    let mut group = len.wrapping_add(2).wrapping_div(3);
    let padding = group.wrapping_mul(3).wrapping_sub(len);
    room.iter_mut().skip(len).take(padding).for_each(|byte| *byte = 0);
    while group != 0 {
        // Four groups at once, where there are registers for them.
        let four = WIDE && group & 3 == 0;
        group = group.wrapping_sub(if four { 4 } else { 1 });
        let (raw, digits) = (group.wrapping_mul(3), group.wrapping_mul(4));
        let encoded =
            if four { encode::<12, 16>(room, raw, digits) } else { encode::<3, 4>(room, raw, digits) };
        if encoded.is_none() {
            return;
        }
    }
    room.iter_mut().rev().take(padding).for_each(|byte| *byte = b'=');
}

/// Encodes the first `len` bytes of `room` in base64url without padding (RFC 7515 section 2), from the end; gives back how
/// many digits that are, and encodes nothing if they find no room.
pub(crate) fn encode_url_in_place(room: &mut [u8], len: usize) -> usize {
    let digits = len.saturating_mul(8).div_ceil(6);
    let mut bit = digits.wrapping_mul(6);
    for place in (0..digits.min(room.len())).rev() {
        bit = bit.wrapping_sub(6);
        let at = |byte: usize| room.get(byte).filter(|_| byte < len).map_or(0, |byte| u16::from(*byte));
        let two = at(bit >> 3) << 8 | at((bit >> 3).wrapping_add(1));
        let [_, six] = (two >> (10_usize.wrapping_sub(bit & 7))).to_be_bytes();
        if let Some(to) = room.get_mut(place) {
            *to = match digit(six) {
                b'+' => b'-',
                b'/' => b'_',
                digit => digit,
            };
        }
    }
    digits
}

/// At most 32 bytes in base64url without padding, at the start of `room`.
#[cfg(feature = "snapshot")]
pub(crate) fn base64url<'r>(bytes: &[u8], room: &'r mut [u8; 44]) -> &'r [u8] {
    room.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    let digits = encode_url_in_place(room, bytes.len());
    room.get(..digits).unwrap_or_default()
}

#[inline(always)]
fn encode<const BYTES: usize, const DIGITS: usize>(room: &mut [u8], from: usize, to: usize) -> Option<()> {
    let bytes: [u8; BYTES] = *room.get(from..)?.first_chunk()?;
    let digits: &mut [u8; DIGITS] = room.get_mut(to..)?.first_chunk_mut()?;
    for ([one, two, three], [a, b, c, d]) in bytes.as_chunks().0.iter().zip(digits.as_chunks_mut().0) {
        *a = digit(one >> 2);
        *b = digit(one << 4 | two >> 4);
        *c = digit(two << 2 | three >> 6);
        *d = digit(*three);
    }
    Some(())
}

#[inline(always)]
fn digit(six: u8) -> u8 {
    DIGITS.get(usize::from(six & 0x3F)).copied().unwrap_or_default()
}
