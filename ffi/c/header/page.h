/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Written by tokenward-c-header from the Rust sources. Change those, then: cargo run -p tokenward-c-header */

/**
 * @file
 * @brief OAuth 2.0 tokens kept alive in one block of the caller's memory.
 *
 * tokenward does no I/O, allocates nothing, reads no clock, starts no thread and calls nothing back, but for a
 * #tokenward_seal that is named: the caller hands in time, bytes and a seed, and gets back a decision or bytes.
 *
 * @section loop The run loop
 *
 * -# tokenward_poll() says what to do: usually nothing, sometimes to send a request.
 * -# tokenward_begin() writes that request into a buffer. Send it over your own HTTP.
 * -# tokenward_answer() reads what came back and keeps the token; tokenward_failed() reports that nothing came.
 * -# tokenward_authorize() writes the header for each call of the API.
 * -# tokenward_rejected() says what to do when the API refuses a token.
 *
 * With storage (#tokenward_storage) tokenward_poll() also says when to read it, which tokenward_loaded() reports, and when
 * to write it: tokenward_snapshot() writes what tokenward_stored() then reports.
 *
 * @section arguments Arguments
 *
 * - Text and bytes come as a #tokenward_span: an address and a length, without a NUL. NULL with 0 is empty.
 * - Arguments, and what they point to, are borrowed for the call, unless a description names a longer time.
 * - Results are written through the last arguments, and only on success, with two exceptions: if a buffer is too
 *   small, the `len` of the result says how many bytes are needed, and some refusals have a `detail` or an `offset`.
 *   A result need not be initialized.
 * - What is written through a `char *` ends with a NUL.
 * - Enumerations are `int32_t`.
 *
 * @section faults Faults of arguments
 *
 * Every function that returns a result refuses wrong arguments, with a code from 1 to 99, before it changes anything.
 * Its description names only the faults that are its own; these are common to all:
 *
 * - #TOKENWARD_ERR_NULL: a pointer is NULL that must not be, or that comes with a length.
 * - #TOKENWARD_ERR_MISALIGNED: a pointer is not aligned as its type requires.
 * - #TOKENWARD_ERR_LENGTH: a length is longer than an object may be.
 * - #TOKENWARD_ERR_OVERLAP: what is written to overlaps another argument, the manager, or something that these
 *   point to.
 * - #TOKENWARD_ERR_NOT_UTF8: a text is not UTF-8.
 * - #TOKENWARD_ERR_OUT_OF_RANGE: a number is not in its enumeration.
 * - #TOKENWARD_ERR_UNINITIALIZED: there is no manager at this address.
 *
 * The caller is responsible for what no code can check: that the memory is there and lives as long as it must, and
 * that nobody else writes to it during the call.
 *
 * @section threads Threads and interrupts
 *
 * There is no global state: calls with different managers may run concurrently, and so may calls that take the same
 * manager as `const`. Any other call needs its manager to itself, so one task owns a manager or a lock guards it.
 * Do not call from interrupt handlers, unless a function says that you may: the time that a call takes grows with the
 * bytes that it reads and writes.
 * Functions without a manager may be called from any thread, at any time.
 *
 * @section time Time
 *
 * `now_ms` is the caller's clock in milliseconds: monotonic, counting on through sleep, from any epoch. A clock that
 * steps back never makes a token live longer. The time of day (`wall_s`, Unix seconds) is needed only for snapshots,
 * HTTP dates and JWTs, and may be unknown.
 *
 * @section examples Examples
 *
 * Each function has an example, taken from the middle of an application: whatever the example does not declare belongs
 * to the application, such as `manager`, `now_ms`, `wall_s` and `buffer`, or `http_post()`, `flash_write()` and
 * `log_line()`.
 */
