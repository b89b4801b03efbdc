//! What every function returns: one number for each fault, in fixed blocks, never used for another fault.

use core::ffi::c_char;

use tokenward::Error;

/// What a function returns: #TOKENWARD_OK, or why it refused: `TOKENWARD_ERR_*`.
///
/// 1 to 99 arguments, 100 to 199 input, 200 to 299 capacity, 300 to 399 state and use. A number is never given
/// to another fault. tokenward_result_name() names each.
pub type tokenward_result = i32;

/// Done.
pub const TOKENWARD_OK: i32 = 0;

/// A pointer is NULL that must not be.
pub const TOKENWARD_ERR_NULL: i32 = 1;
/// A pointer is not aligned as its type requires.
pub const TOKENWARD_ERR_MISALIGNED: i32 = 2;
/// A length that is longer than an object may be, or that runs past the end of the address space.
pub const TOKENWARD_ERR_LENGTH: i32 = 3;
/// What is written to overlaps another argument, or the manager.
pub const TOKENWARD_ERR_OVERLAP: i32 = 4;
/// Text that is not UTF-8.
pub const TOKENWARD_ERR_NOT_UTF8: i32 = 5;
/// A number that is not in its enumeration, or a revision that the manager has not reached.
pub const TOKENWARD_ERR_OUT_OF_RANGE: i32 = 6;
/// Header and library are of different versions.
pub const TOKENWARD_ERR_ABI: i32 = 7;
/// There is no manager at this address: the memory is zeroed, wiped, or something else.
pub const TOKENWARD_ERR_UNINITIALIZED: i32 = 8;
/// There is no challenge or parameter of this number or name.
pub const TOKENWARD_ERR_NO_SUCH_ITEM: i32 = 9;
/// A key that does not have 32 bytes, or that nobody has filled in: all of them are zeros.
pub const TOKENWARD_ERR_KEY: i32 = 10;

/// The name of a result in snake_case, the same in every language: `not_json`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// int32_t result = tokenward_failed(manager, now_ms, request.id);
/// if (result != TOKENWARD_OK) {
///   log_line(tokenward_result_name(result)); // stale_request
/// }
/// @endcode
///
/// @param[in] result What a function returned.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_result_name(result: tokenward_result) -> *const c_char {
    own_or_core(result, OWN_NAMES, Error::NAMES)
}

/// What a result means, and what to do, in one English sentence.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// int32_t result = tokenward_failed(manager, now_ms, request.id);
/// if (result != TOKENWARD_OK) {
///   log_line(tokenward_result_text(result)); // The answer is to an earlier token request: ignore it.
/// }
/// @endcode
///
/// @param[in] result What a function returned.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_result_text(result: tokenward_result) -> *const c_char {
    own_or_core(result, OWN_TEXTS, Error::SENTENCES)
}

/// The results that are not the core's.
const OWN: &[u16] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/// Their names, in the order of the numbers, a NUL behind each.
const OWN_NAMES: &str =
    "ok\0null\0misaligned\0length\0overlap\0not_utf8\0out_of_range\0abi\0uninitialized\0no_such_item\0key\0";
/// What they mean, likewise.
const OWN_TEXTS: &str = "Done.\0\
    A pointer is NULL where something must be: pass an address.\0\
    A pointer is not aligned as its type asks: align what it points to.\0\
    A length is longer than an object may be: pass the length of what the pointer points to.\0\
    What is written to overlaps another argument or the manager: use other memory.\0\
    A text is not UTF-8: pass it as UTF-8.\0\
    A number is none of its enumeration, or a revision is not reached yet: pass one that is documented.\0\
    Header and library are of different versions: use those of one version.\0\
    There is no manager at this address: call tokenward_init first.\0\
    There is no challenge or parameter of this number or name: stop here.\0\
    The key does not have 32 bytes, or is all zeros: make one of random bytes, another for each device.\0";

/// What `own` or the table of the core has for a result.
fn own_or_core(result: tokenward_result, own: &'static str, core: &'static str) -> *const c_char {
    if result <= TOKENWARD_ERR_KEY { word(own, OWN, result) } else { word(core, Error::NUMBERS, result) }
}

/// The C string among `words`, each of which has a NUL behind it, that stands where `number` does among `numbers`.
pub(crate) fn word<N: Copy + Into<i32>>(words: &'static str, numbers: &[N], number: i32) -> *const c_char {
    let behind =
        |words: &'static [u8]| words.get(words.iter().position(|byte| *byte == 0)?.checked_add(1)?..);
    let place = numbers.iter().position(|other| (*other).into() == number);
    let word = place.and_then(|place| (0..place).try_fold(words.as_bytes(), |words, _| behind(words)));
    word.map_or(c"unknown".as_ptr(), |word| word.as_ptr().cast())
}

/// A refusal on its way to C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault(pub(crate) tokenward_result);

impl Fault {
    pub(crate) const fn of(error: Error) -> Self {
        Self(error.code() as tokenward_result)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

/// The bytes that a refused call would have needed, where in the body it was refused, or under which status.
pub(crate) fn detail(error: Error) -> usize {
    match error {
        Error::TooLong { needed }
        | Error::RefreshTokenTooLong { needed }
        | Error::BufferTooSmall { needed } => needed,
        Error::HttpStatus { status } => status,
        Error::Truncated { offset } | Error::Malformed { offset } | Error::TooDeep { offset } => offset,
        _ => 0,
    }
}

pub(crate) fn number(outcome: Result<(), Fault>) -> tokenward_result {
    match outcome {
        Ok(()) => TOKENWARD_OK,
        Err(Fault(result)) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::*;
    use core::ffi::CStr;
    use tokenward::{ErrorCode, Grant, Next, Reason, RequestId, Retry};

    fn text(word: *const c_char) -> &'static str {
        // SAFETY: the functions that are tested answer strings that live as long as the program.
        unsafe { CStr::from_ptr(word) }.to_str().expect("ASCII")
    }

    #[test]
    fn every_number_has_the_name_and_the_sentence_of_its_table() {
        for error in Error::ALL {
            let result = i32::from(error.code());
            assert_eq!(text(tokenward_result_name(result)), error.name());
            assert_eq!(text(tokenward_result_text(result)), error.sentence());
        }
        for reason in Reason::ALL {
            assert_eq!(text(tokenward_reason_name(reason.code().into())), reason.name());
        }
        #[cfg(feature = "snapshot")]
        for found in tokenward::storage::Found::ALL {
            assert_eq!(text(crate::storage::tokenward_found_name(found.code().into())), found.name());
        }
        for code in ErrorCode::ALL {
            assert_eq!(text(tokenward_error_code_name(code.code().into())), code.name());
        }
        for next in [
            Next::Nothing,
            Next::Request(Grant::RefreshToken),
            Next::Await(RequestId(1)),
            Next::Wait,
            Next::Supply(RequestId(1), Reason::NoToken),
            Next::Load(RequestId(1)),
            Next::Store(RequestId(1), 0),
        ] {
            assert_eq!(text(tokenward_next_name(next.code().into())), next.name());
        }
        for retry in
            [Retry::Now, Retry::AfterRefresh, Retry::Surface { reason: Reason::Revoked, retry_at: None }]
        {
            assert_eq!(text(tokenward_retry_name(retry.code().into())), retry.name());
        }
    }

    #[test]
    fn every_number_of_an_argument_has_its_own_name_and_sentence() {
        for (result, name, first) in [
            (TOKENWARD_OK, "ok", "Done."),
            (TOKENWARD_ERR_NULL, "null", "A pointer is NULL"),
            (TOKENWARD_ERR_MISALIGNED, "misaligned", "A pointer is not aligned"),
            (TOKENWARD_ERR_LENGTH, "length", "A length"),
            (TOKENWARD_ERR_OVERLAP, "overlap", "What is written to overlaps"),
            (TOKENWARD_ERR_NOT_UTF8, "not_utf8", "A text is not UTF-8"),
            (TOKENWARD_ERR_OUT_OF_RANGE, "out_of_range", "A number"),
            (TOKENWARD_ERR_ABI, "abi", "Header and library"),
            (TOKENWARD_ERR_UNINITIALIZED, "uninitialized", "There is no manager"),
            (TOKENWARD_ERR_NO_SUCH_ITEM, "no_such_item", "There is no challenge"),
            (TOKENWARD_ERR_KEY, "key", "The key"),
        ] {
            assert_eq!(text(tokenward_result_name(result)), name);
            assert!(text(tokenward_result_text(result)).starts_with(first), "{name}");
        }
    }

    #[test]
    fn every_other_number_is_unknown() {
        let known = |result| result < 11 || Error::ALL.iter().any(|error| i32::from(error.code()) == result);
        for result in (0..1000).filter(|result| !known(*result)).chain([-1, i32::MIN, i32::MAX]) {
            assert_eq!(text(tokenward_result_name(result)), "unknown");
            assert_eq!(text(tokenward_result_text(result)), "unknown");
        }
        for number in [-1, 99, 256, i32::MIN, i32::MAX] {
            assert_eq!(text(tokenward_reason_name(number)), "unknown");
            assert_eq!(text(tokenward_error_code_name(number)), "unknown");
            assert_eq!(text(tokenward_next_name(number)), "unknown");
            assert_eq!(text(tokenward_retry_name(number)), "unknown");
        }
        assert_eq!(text(tokenward_retry_name(0)), "unknown");
        assert_eq!(text(tokenward_reason_name(TOKENWARD_REASON_NONE)), "none");
        assert_eq!(text(tokenward_error_code_name(TOKENWARD_CODE_NONE)), "none");
    }
}
