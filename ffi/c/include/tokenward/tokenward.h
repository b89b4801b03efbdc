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

#ifndef TOKENWARD_H
#define TOKENWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header, as the library is versioned. */
#define TOKENWARD_VERSION "0.1.0"
/** The first number of the version. */
#define TOKENWARD_VERSION_MAJOR 0
/** The second number of the version. */
#define TOKENWARD_VERSION_MINOR 1
/** The third number of the version. */
#define TOKENWARD_VERSION_PATCH 0

/** Stands before a function whose result must be looked at: a compiler that can warns where it is not. */
#ifndef TOKENWARD_MUST_CHECK
#if defined(__cplusplus) && __cplusplus >= 201703L
#define TOKENWARD_MUST_CHECK [[nodiscard]]
#elif defined(__GNUC__)
#define TOKENWARD_MUST_CHECK __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#include <sal.h>
#define TOKENWARD_MUST_CHECK _Check_return_
#else
#define TOKENWARD_MUST_CHECK
#endif
#endif

/** The most places that storage may have. */
#define TOKENWARD_STORAGE_SLOTS 4

/** The instant that never comes. */
#define TOKENWARD_NEVER UINT64_MAX

/**
 * The version of structs and functions. The library returns #TOKENWARD_ERR_ABI to callers compiled with another
 * one.
 */
#define TOKENWARD_ABI_VERSION 1

/** How a caller signs (RFC 7518 section 3.1): `tokenward_algorithm_*`. */
typedef struct tokenward_algorithm_part tokenward_algorithm_part;

/** Reads answers that are no JSON. */
typedef struct tokenward_answer_part tokenward_answer_part;

/** How the client authenticates to the token endpoint (RFC 6749 section 2.3): `tokenward_authentication_*`. */
typedef struct tokenward_authentication_part tokenward_authentication_part;

/** How a request's parameters are written: `tokenward_body_*`. */
typedef struct tokenward_body_part tokenward_body_part;

/** A device authorization (RFC 8628) in the caller's memory. */
typedef struct tokenward_device tokenward_device;

/** Reads from the token itself when it expires. */
typedef struct tokenward_expiry_part tokenward_expiry_part;

/** Allows plain `http` to the loopback interface, for tests. */
typedef struct tokenward_loopback_part tokenward_loopback_part;

/**
 * A manager: one token of one provider, environment and subject, kept alive in the caller's memory.
 *
 * One task at a time may use it, but functions that take it as `const` may run concurrently.
 */
typedef struct tokenward_manager tokenward_manager;

/** Finds the members of an answer by a service's own names. */
typedef struct tokenward_member_part tokenward_member_part;

/** Follows paths through an answer. */
typedef struct tokenward_nested_part tokenward_nested_part;

/** Binds the requests of a device authorization to each other. */
typedef struct tokenward_pkce_part tokenward_pkce_part;

/** Works out when a refresh token ends. */
typedef struct tokenward_refresh_life_part tokenward_refresh_life_part;

/** Writes requests as a service wants them. */
typedef struct tokenward_request_part tokenward_request_part;

/** Looks a request up in a route table. */
typedef struct tokenward_route_part tokenward_route_part;

/** A token service as a manager reads it: one of the header's objects, or the result of tokenward_describe(). */
typedef struct tokenward_service tokenward_service;

/** Makes `{site}` in a token path stand for the subject's site. */
typedef struct tokenward_site_part tokenward_site_part;

/** Whose storage it is, what decides when it is read and written, and what seals what is written. */
typedef struct tokenward_storage_part tokenward_storage_part;

/**
 * Borrowed bytes: `len` of them at `ptr`. NULL with 0 is empty.
 *
 * No NUL follows them. #TOKENWARD_TEXT makes a span from a literal, tokenward_text() from a string.
 */
typedef struct tokenward_span {
  /** The first byte. */
  const uint8_t *ptr;
  /** How many there are. */
  size_t len;
} tokenward_span;

/** What a device authorization asks for: `TOKENWARD_DEVICE_*`. */
typedef int32_t tokenward_device_next;
/** Nobody has started it. */
#define TOKENWARD_DEVICE_OFF 0
/** Show the user code and where to enter it, then say so. */
#define TOKENWARD_DEVICE_SHOW 1
/** Send a request. */
#define TOKENWARD_DEVICE_REQUEST 2
/** A request is out. */
#define TOKENWARD_DEVICE_AWAIT 3
/** Wait until it is time for the next request. */
#define TOKENWARD_DEVICE_WAIT 4
/** The person has signed in, and the manager holds the token. */
#define TOKENWARD_DEVICE_DONE 5
/** The code has expired: start anew if somebody asks for it. */
#define TOKENWARD_DEVICE_EXPIRED 6
/** The person or the service has said no. */
#define TOKENWARD_DEVICE_DENIED 7

/**
 * What tokenward_device_poll() says. Its spans point into the memory of the device authorization, and hold until the next
 * call that changes it.
 */
typedef struct tokenward_device_poll_result {
  /** The earliest instant at which `next` changes by itself; #TOKENWARD_NEVER if it does not. */
  uint64_t poll_at_ms;
  /** How long the code is good; #TOKENWARD_NEVER if there is none. */
  uint64_t expires_at_ms;
  /** The code to show; empty if there is none. */
  tokenward_span user_code;
  /** Where to enter it. */
  tokenward_span verification_uri;
  /** The same with the code in it, for a QR code; empty if the service does not give it. */
  tokenward_span verification_uri_complete;
  /** `TOKENWARD_DEVICE_*`: what the caller is to do. */
  tokenward_device_next next;
} tokenward_device_poll_result;

/**
 * What the assertion is made of that a client authenticates with (RFC 7523 section 2.2). One is for one request.
 *
 * @code
 * tokenward_assertion assertion = { .wall_s = wall_s == NULL ? 0 : *wall_s };
 * tokenward_credentials signing = credentials;
 * fill_random(assertion.random, sizeof assertion.random); // anew for each request
 * signing.assertion = &assertion;
 * return tokenward_begin(manager, now_ms, &signing, buffer, sizeof buffer, &request);
 * @endcode
 */
typedef struct tokenward_assertion {
  /** From a generator that nobody can predict: tells it from every other one, for good. */
  uint8_t random[16];
  /**
   * The time of day in Unix seconds, from which it is good for a minute. 0, as clocks say that nobody has set: it is
   * not known.
   */
  uint64_t wall_s;
  /** Which of its keys the client signs with, if it has several (RFC 7515 section 4.1.4). */
  tokenward_span key_id;
  /**
   * The SHA-256 of its certificate in base64url without padding, for a service that wants to be told (RFC 7515 section
   * 4.1.8).
   */
  tokenward_span certificate_thumbprint;
  /** How the caller signs, if its own key does; else NULL. */
  const tokenward_algorithm_part *algorithm;
  /** What it has signed with that key; empty: it has not yet. */
  tokenward_span signature;
} tokenward_assertion;

/**
 * What a request presents. It is passed in for each request and never kept; what a grant does not need is
 * ignored.
 */
typedef struct tokenward_credentials {
  /** RFC 6749 section 2.2. */
  tokenward_span client_id;
  /** RFC 6749 section 2.3.1. */
  tokenward_span client_secret;
  /** RFC 6749 section 4.3.2. */
  tokenward_span username;
  /** RFC 6749 section 4.3.2. */
  tokenward_span password;
  /** The token that opens the token endpoint itself, if the provider authenticates that way. */
  tokenward_span bearer;
  /** What an assertion is made of, if the client authenticates by one; else NULL. */
  const tokenward_assertion *assertion;
} tokenward_credentials;

/**
 * A name and its value: a service's own error code and the standard one that it stands for, the standard name of
 * a member and the service's own, or a parameter of a request.
 */
typedef struct tokenward_pair {
  /** The name. */
  tokenward_span name;
  /** Its value. */
  tokenward_span value;
} tokenward_pair;

/** A list of pairs. None of their texts has a NULL address. */
typedef struct tokenward_pair_list {
  /** The first; NULL with 0 for none. */
  const tokenward_pair *ptr;
  /** How many there are. */
  size_t len;
} tokenward_pair_list;

/** A request to send. Its spans point into the buffer that it was written to, or to constants. */
typedef struct tokenward_request {
  /** Identifies the request to tokenward_answer() and tokenward_failed(); 0 if no manager sends it. */
  uint64_t id;
  /** Bytes of the buffer that it takes, also if the buffer is too small for it. */
  size_t len;
  /** `POST`. */
  tokenward_span method;
  /** The URL of the token endpoint; it never contains a secret. */
  tokenward_span url;
  /** The value of the `Authorization` field; empty: send none. */
  tokenward_span authorization;
  /** The value of the `Content-Type` field; empty: send none. */
  tokenward_span content_type;
  /** The value of the `Accept` field. */
  tokenward_span accept;
  /** The value of the `Accept-Encoding` field: a body that is compressed cannot be read. */
  tokenward_span accept_encoding;
  /** The provider's own fields as lines, `name: value`, each ended by CR and LF; empty: none. */
  tokenward_span fields;
  /** The body. */
  tokenward_span body;
} tokenward_request;

/** What the token endpoint answered, from an HTTP client that has parsed the header fields itself. */
typedef struct tokenward_parsed_answer {
  /** The whole body. */
  tokenward_span body;
  /** Seconds that `Retry-After` asks to wait; NULL if there is no such field, or it is not understood. */
  const uint64_t *retry_after_s;
  /** The time of day in Unix seconds, for JWTs without `expires_in`; NULL if the device does not know it. */
  const uint64_t *wall_s;
  /** The status code. */
  uint16_t status;
} tokenward_parsed_answer;

/** What an answer of the token endpoint is: `TOKENWARD_ANSWER_*`. */
typedef int32_t tokenward_answer_kind;
/** A token (RFC 6749 section 5.1). */
#define TOKENWARD_ANSWER_TOKEN 1
/** The server's own reason why there is none (RFC 6749 section 5.2). */
#define TOKENWARD_ANSWER_ERROR 2
/** The answer brought the code that a device shows. */
#define TOKENWARD_ANSWER_DEVICE_CODE 3
/** The token is of no use any more, or never was (RFC 7009 section 2.2). */
#define TOKENWARD_ANSWER_REVOKED 4
/** The service could not revoke it: the same request may be sent again (RFC 7009 section 2.2.1). */
#define TOKENWARD_ANSWER_LATER 5

/** An error code of the token endpoint (RFC 6749 section 5.2, RFC 8628 section 3.5): `TOKENWARD_CODE_*`. */
typedef int32_t tokenward_error_code;
/** None: it was a token. */
#define TOKENWARD_CODE_NONE 0
/** The request lacks a parameter or is malformed. */
#define TOKENWARD_CODE_INVALID_REQUEST 1
/** Client authentication failed. */
#define TOKENWARD_CODE_INVALID_CLIENT 2
/** The password, refresh token or other grant is no longer valid. */
#define TOKENWARD_CODE_INVALID_GRANT 3
/** The client may not use this grant. */
#define TOKENWARD_CODE_UNAUTHORIZED_CLIENT 4
/** The server does not know this grant. */
#define TOKENWARD_CODE_UNSUPPORTED_GRANT_TYPE 5
/** The scope is unknown, or more than may be granted. */
#define TOKENWARD_CODE_INVALID_SCOPE 6
/** Ask less often. */
#define TOKENWARD_CODE_SLOW_DOWN 7
/** A code that neither RFC nor provider lists. */
#define TOKENWARD_CODE_OTHER 8
/** Nobody has entered the code that a device shows yet. */
#define TOKENWARD_CODE_AUTHORIZATION_PENDING 9
/** The person has said no to the device. */
#define TOKENWARD_CODE_ACCESS_DENIED 10
/** The code that the device shows has expired. */
#define TOKENWARD_CODE_EXPIRED_TOKEN 11

/** What an answer was. */
typedef struct tokenward_outcome {
  /** The token's generation, if it is a token. */
  uint64_t generation;
  /**
   * For a refusal: the bytes that the token needs (#TOKENWARD_ERR_TOO_LONG, #TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG),
   * the offset in the body (#TOKENWARD_ERR_TRUNCATED, #TOKENWARD_ERR_MALFORMED, #TOKENWARD_ERR_TOO_DEEP), or the
   * status (#TOKENWARD_ERR_HTTP_STATUS).
   */
  size_t detail;
  /** `TOKENWARD_ANSWER_*`. If it is an error, tokenward_poll() says what to do. */
  tokenward_answer_kind kind;
  /**
   * `TOKENWARD_CODE_*`, if it is an error; tokenward_error_code_name() names it. For the server's own text
   * pass the same body to tokenward_token_answer().
   */
  tokenward_error_code code;
} tokenward_outcome;

/**
 * A sign-in in a browser (RFC 6749 section 4.1, RFC 7636), in the caller's memory. Its members are nobody's business:
 * tokenward_sign_in_new() and tokenward_sign_in_open() fill them. It holds the verifier until the code is sent:
 * tokenward_wipe() it when it is given up.
 */
typedef struct tokenward_sign_in {
  /** Zeros: there is no sign-in. */
  uint64_t memory[12];
} tokenward_sign_in;

/** What came back from the browser: `TOKENWARD_CALLBACK_*`. */
typedef int32_t tokenward_callback_kind;
/** A code: tokenward_sign_in_begin() sends it. */
#define TOKENWARD_CALLBACK_CODE 1
/** The service or the person said no. */
#define TOKENWARD_CALLBACK_ERROR 2

/** What tokenward_sign_in_callback() has read. */
typedef struct tokenward_callback {
  /** Characters of the text, without the NUL; if the buffer is too small, the bytes needed, with the NUL. */
  size_t len;
  /** `TOKENWARD_CALLBACK_*`. */
  tokenward_callback_kind kind;
} tokenward_callback;

/** What the caller is to do: `TOKENWARD_NEXT_*`. */
typedef int32_t tokenward_next;
/** There is nothing to do: the token is fresh. */
#define TOKENWARD_NEXT_NOTHING 0
/** A token request is due: begin it, and send what that writes. */
#define TOKENWARD_NEXT_REQUEST 1
/** A token request is out: hand in its answer, or say that there is none. */
#define TOKENWARD_NEXT_AWAIT 2
/** Wait: backing off after a failure, spreading at the start, or another process is refreshing. */
#define TOKENWARD_NEXT_WAIT 3
/** Install a token, sign in, or fix the configuration: a usable token stays usable. */
#define TOKENWARD_NEXT_SUPPLY 4
/** Read storage, whose lock is taken first if it is shared, and hand over what is in each slot. */
#define TOKENWARD_NEXT_LOAD 5
/** Write what the snapshot for it says into this slot, atomically if storage can. */
#define TOKENWARD_NEXT_STORE 6

/** How a token is obtained: `TOKENWARD_GRANT_*`. */
typedef int32_t tokenward_grant;
/** None. */
#define TOKENWARD_GRANT_NONE 0
/** RFC 6749 section 4.4. */
#define TOKENWARD_GRANT_CLIENT_CREDENTIALS 1
/** RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other. */
#define TOKENWARD_GRANT_PASSWORD 2
/** RFC 6749 section 6. */
#define TOKENWARD_GRANT_REFRESH_TOKEN 3
/** A `POST` with a client token as Bearer, answered with a token for one site. */
#define TOKENWARD_GRANT_SITE_TOKEN 4
/** RFC 6749 section 4.5: `extension_grant` of #tokenward_provider names it, and what it presents are `parameters`. */
#define TOKENWARD_GRANT_EXTENSION 5

/**
 * Why the caller must act, or why a resource server's refusal is the caller's to handle:
 * `TOKENWARD_REASON_*`.
 */
typedef int32_t tokenward_reason;
/** None. */
#define TOKENWARD_REASON_NONE 0
/** There is no token and no grant that obtains one: sign in, or install a token. */
#define TOKENWARD_REASON_NO_TOKEN 1
/** The session has ended because the refresh token is refused: sign in again. */
#define TOKENWARD_REASON_REFRESH_TOKEN_REJECTED 2
/** The user name or password is refused: check them and sign in again. */
#define TOKENWARD_REASON_GRANT_REJECTED 3
/** The token has been revoked: install a new one. */
#define TOKENWARD_REASON_REVOKED 4
/** The token service refuses the client id or secret: check them. */
#define TOKENWARD_REASON_INVALID_CLIENT 5
/** The client may not use this grant: ask the token service to allow it. */
#define TOKENWARD_REASON_UNAUTHORIZED_CLIENT 6
/** The token service does not know this grant: check the provider's grants. */
#define TOKENWARD_REASON_UNSUPPORTED_GRANT_TYPE 7
/** The token service does not grant this scope: check it. */
#define TOKENWARD_REASON_INVALID_SCOPE 8
/** The token service does not understand the request: check the provider's values. */
#define TOKENWARD_REASON_INVALID_REQUEST 9
/** The API refuses a token that is new: check the API's address and the account's rights. */
#define TOKENWARD_REASON_REJECTED 10
/** The token is good but may not do this: ask for the right to do it. */
#define TOKENWARD_REASON_FORBIDDEN 11
/** The request needs a scope that the token does not have: ask for a token with that scope. */
#define TOKENWARD_REASON_INSUFFICIENT_SCOPE 12
/** The token is not at fault: look at the answer itself. */
#define TOKENWARD_REASON_NOT_AN_AUTHENTICATION_FAILURE 13
/** The stored session is damaged: sign in again. */
#define TOKENWARD_REASON_DAMAGED 14
/** The stored session is longer than its slots: give the token manager more room, or sign in again. */
#define TOKENWARD_REASON_STORED_TOO_LONG 15

/** What tokenward_poll() says. */
typedef struct tokenward_poll_result {
  /** The earliest instant at which this answer changes by itself; #TOKENWARD_NEVER if it does not. */
  uint64_t poll_at_ms;
  /**
   * What the answer is to be reported with: the load, the store or the supply, or what is awaited if `next` is
   * #TOKENWARD_NEXT_AWAIT.
   */
  uint64_t id;
  /** `TOKENWARD_NEXT_*`: what the caller is to do. */
  tokenward_next next;
  /** `TOKENWARD_GRANT_*`, if `next` is #TOKENWARD_NEXT_REQUEST. */
  tokenward_grant grant;
  /** `TOKENWARD_REASON_*`, if `next` is #TOKENWARD_NEXT_SUPPLY. */
  tokenward_reason reason;
  /** Whether the stored token may be sent now. */
  bool usable;
  /** Whether `poll_at_ms` is an instant: false if it is #TOKENWARD_NEVER. */
  bool changes;
  /** Which place of storage is to be written, if `next` is #TOKENWARD_NEXT_STORE. */
  uint8_t slot;
} tokenward_poll_result;

/** What a request carries beside its credentials. Zeros are nothing. */
typedef struct tokenward_additions {
  /** What stands for `{name}` in the provider's parameters and header fields, by name. */
  tokenward_pair_list values;
  /** Parameters beside those of the provider (`audience`, `resource`); those with an empty value are left out. */
  tokenward_pair_list parameters;
} tokenward_additions;

/** What the token endpoint answered, as the caller's HTTP client has it. */
typedef struct tokenward_http_answer {
  /** The whole body. */
  tokenward_span body;
  /** The value of the `Retry-After` field, with a line feed between several lines; empty if there is none. */
  tokenward_span retry_after;
  /**
   * The time of day in Unix seconds, for HTTP dates and for JWTs without `expires_in`; NULL if the device does
   * not know it.
   */
  const uint64_t *wall_s;
  /** The status code. */
  uint16_t status;
} tokenward_http_answer;

/** A header value that was written. */
typedef struct tokenward_header {
  /** Which of the manager's tokens it carries: for tokenward_rejected(). */
  uint64_t generation;
  /** Characters of the value, without the NUL; if the buffer is too small, the bytes needed, with the NUL. */
  size_t len;
  /** The field's name, which lives as long as the service: `Authorization`, if the provider has no other. */
  tokenward_span name;
} tokenward_header;

/** What to do with a request that a resource server refused: `TOKENWARD_RETRY_*`. */
typedef int32_t tokenward_retry_kind;
/** Send it again at once with the current token: it is newer than the refused one. */
#define TOKENWARD_RETRY_NOW 1
/** Send it again when there is a new token. */
#define TOKENWARD_RETRY_AFTER_REFRESH 2
/** Hand the refusal to the user or the log. */
#define TOKENWARD_RETRY_SURFACE 3

/** What tokenward_rejected() says. */
typedef struct tokenward_retry_result {
  /** `TOKENWARD_RETRY_*`. */
  tokenward_retry_kind kind;
  /** `TOKENWARD_REASON_*`, if `kind` is #TOKENWARD_RETRY_SURFACE. */
  tokenward_reason reason;
  /**
   * If `kind` is #TOKENWARD_RETRY_SURFACE: when the same 401 will be answered otherwise. A 401 that comes within
   * `min_interval_ms` of the token's receipt is surfaced as #TOKENWARD_REASON_REJECTED, as the token is hardly to
   * blame, and means a refresh from this instant on. #TOKENWARD_NEVER: that does not come by itself.
   */
  uint64_t retry_at_ms;
} tokenward_retry_result;

/** A token that came in another way than by a request: from an app's own backend, or a portal. */
typedef struct tokenward_token {
  /** The access token; empty if the refresh token comes alone. */
  tokenward_span access_token;
  /** Empty: Bearer. */
  tokenward_span token_type;
  /** Empty: none. */
  tokenward_span refresh_token;
  /** The lifetime in seconds; NULL if it is not known: the provider says what that means. */
  const uint64_t *expires_in_s;
  /** The time of day in Unix seconds, for a JWT without a lifetime; NULL if the device does not know it. */
  const uint64_t *wall_s;
  /**
   * The seconds that the refresh token lives; 0 if that is not known. They count if the service has
   * #tokenward_refresh_life_ends.
   */
  uint64_t refresh_expires_in_s;
} tokenward_token;

/**
 * Computes the HMAC-SHA-256 (RFC 2104) that seals snapshots, for #tokenward_storage_own_with_seal and
 * #tokenward_storage_shared_with_seal: three functions, as PSA, mbedTLS and hardware have them. Calls that change the
 * manager call them, one after the other. They must not call anything here. What they are given are tokens: nothing of it
 * may stay behind.
 *
 * The object must live and stay unchanged for as long as the manager. Managers that are used concurrently need one each,
 * unless `state` is not used.
 */
typedef struct tokenward_seal {
  /**
   * Starts anew, under the 32 bytes at `key`: those that the call was given, or zeros. A seal with a key of its own, in
   * a secure element, ignores them.
   */
  void (*start)(void *state,
                const uint8_t *key);
  /** Goes on with `len` bytes. */
  void (*add)(void *state,
              const uint8_t *bytes,
              size_t len);
  /**
   * Writes the 32 bytes of the result to `tag`. Where that is not done they are zeros, which open nothing: what is
   * stored counts as damaged.
   */
  void (*finish)(void *state,
                 uint8_t *tag);
  /** What the functions are given; NULL if they need nothing. */
  void *state;
} tokenward_seal;

/** Which part of the state a snapshot holds: `TOKENWARD_SNAPSHOT_*`. */
typedef int32_t tokenward_snapshot_scope;
/** Only the refresh token, for flash that wears: it is stored only when that changes. */
#define TOKENWARD_SNAPSHOT_REFRESH_TOKEN 1
/** The access token too. */
#define TOKENWARD_SNAPSHOT_ALL 2

/** How a manager's tokens outlive it. Zeros: they do not. */
typedef struct tokenward_storage {
  /**
   * #tokenward_storage_own, #tokenward_storage_shared, or one of the two kinds with a seal: they bring the code that decides
   * when storage is read and written. NULL: there is no storage.
   */
  const tokenward_storage_part *kind;
  /** What seals a snapshot, for #tokenward_storage_own_with_seal and #tokenward_storage_shared_with_seal; NULL with the others. */
  const tokenward_seal *seal;
  /** The oldest revision that is accepted: the last one that the caller knows it stored, or 0. */
  uint64_t floor;
  /** `TOKENWARD_SNAPSHOT_*`: what is stored; 0: all. */
  tokenward_snapshot_scope stored;
  /** How many places storage has, up to #TOKENWARD_STORAGE_SLOTS; 0: one. If a write may tear, two are needed. */
  uint8_t slots;
  /**
   * In storage of its own too, prove before each refresh that there is room for its answer: a full disk is noticed
   * before a refresh token is spent. No effect if only the refresh token is stored.
   */
  bool prove_room;
} tokenward_storage;

/** Where a token comes from that no grant obtains: `TOKENWARD_SOURCE_*`. */
typedef int32_t tokenward_source;
/** From nowhere: the caller installs it. */
#define TOKENWARD_SOURCE_NONE 0
/** Somebody must sign in. */
#define TOKENWARD_SOURCE_PERSON 1
/** A program that can be asked again at any time. */
#define TOKENWARD_SOURCE_PROGRAM 2

/**
 * What a manager is made from. The struct itself is read once; the service, and what the spans point to, must
 * live and stay unchanged for as long as the manager.
 */
typedef struct tokenward_config {
  /** The token service: one of the header's, or the result of tokenward_describe(). */
  const tokenward_service *service;
  /** The site that the token stands for; empty: the client itself. */
  tokenward_span site;
  /** The environment, a part of a token's identity; empty: the service's own. */
  tokenward_span environment;
  /** Scheme and authority of the token endpoint, and a path if one follows; empty: the service's own. */
  tokenward_span base_url;
  /**
   * A name of the caller's own, such as a user or a client id: two people at one service must not restore each
   * other's state. Empty: none.
   */
  tokenward_span account;
  /** Bytes of the slot for the access token. */
  size_t access_capacity;
  /** Bytes of the slot for the refresh token; 0 if the service has none. */
  size_t refresh_capacity;
  /** The caller's clock: milliseconds, monotonic, counting on through sleep, from any epoch. */
  uint64_t now_ms;
  /** Differs from device to device, so that a fleet does not ask for tokens in step; needs no secrecy. */
  uint64_t seed;
  /** How its tokens outlive it. */
  tokenward_storage storage;
  /** `TOKENWARD_SOURCE_*`: where a token comes from that no grant obtains. */
  tokenward_source source;
} tokenward_config;

/** A list of texts. None has a NULL address. */
typedef struct tokenward_text_list {
  /** The first; NULL with 0 for none. */
  const tokenward_span *ptr;
  /** How many there are. */
  size_t len;
} tokenward_text_list;

/**
 * When a token is refreshed and how failures are spaced. All zeroes are the default. In any other each number counts as
 * it stands: start from #TOKENWARD_POLICY_DEFAULT. tokenward_provider_check() refuses numbers that cannot work.
 */
typedef struct tokenward_policy {
  /**
   * A token is not sent in the last part of its life: this much, at most a tenth of the lifetime; 0: all of it is used.
   * Default: 10000.
   */
  uint64_t margin_ms;
  /**
   * No refresh is due sooner than this after a token was asked for, unless the token ends sooner.
   * Default: 30000.
   */
  uint64_t min_interval_ms;
  /** The first request waits up to this long from the start, drawn from the seed. Default: 0. */
  uint64_t startup_spread_ms;
  /** A request without an answer has failed after this time. Default: 30000. */
  uint64_t response_timeout_ms;
  /**
   * The wait after the first failure without a usable token; it doubles with each further failure.
   * Default: 2000.
   */
  uint64_t first_backoff_ms;
  /** The longest wait after a failure. Default: 300000. */
  uint64_t max_backoff_ms;
  /** A lifetime that the server gives in seconds counts up to this. Default: 315360000. */
  uint64_t max_lifetime_s;
  /** A refresh is due after this part of the lifetime. Default: 800. */
  uint32_t fraction_permille;
  /**
   * A refresh comes up to this part of the lifetime earlier, until a fleet is spread; 0 turns every draw off.
   * Default: 200.
   */
  uint32_t jitter_permille;
  /**
   * After this many refusals without a standard error code use the primary grant or, if there is none, give up the refresh token.
   * Default: 3.
   */
  uint32_t refresh_attempts;
  /**
   * Ask again after an hour when the service refuses the client, the scope or the request; never with a password.
   * Default: true.
   */
  bool recheck;
} tokenward_policy;

/** A request that a parameter is sent with: `TOKENWARD_TARGET_*`. */
typedef int32_t tokenward_target;
/** Every request to the token endpoint. */
#define TOKENWARD_TARGET_TOKEN 0
/** The request with the primary grant. A site token has no parameters. */
#define TOKENWARD_TARGET_PRIMARY 1
/** The refresh. */
#define TOKENWARD_TARGET_REFRESH 2
/** The authorization URL that a browser opens (RFC 6749 section 4.1.1). */
#define TOKENWARD_TARGET_AUTHORIZATION 3
/** The device authorization request (RFC 8628 section 3.1). */
#define TOKENWARD_TARGET_DEVICE 4
/** The exchange of a code (RFC 6749 section 4.1.3, RFC 8628 section 3.4). */
#define TOKENWARD_TARGET_CODE 5
/** The revocation of a token (RFC 7009 section 2.1). */
#define TOKENWARD_TARGET_REVOCATION 6

/** A parameter of the service's own. */
typedef struct tokenward_parameter {
  /** Its name. */
  tokenward_span name;
  /**
   * Its value; `{name}` in it stands for one of the `values` of #tokenward_additions, `{access_token}` for the
   * access token that is held, whether it has ended or not: without one the parameter is left out.
   */
  tokenward_span value;
  /** `TOKENWARD_TARGET_*`: what it is sent with. */
  tokenward_target target;
} tokenward_parameter;

/** A list of parameters. None of their texts has a NULL address. */
typedef struct tokenward_parameter_list {
  /** The first; NULL with 0 for none. */
  const tokenward_parameter *ptr;
  /** How many there are. */
  size_t len;
} tokenward_parameter_list;

/** What a service wants to be asked otherwise than RFC 6749 has it. */
typedef struct tokenward_requests {
  /** What writes them: #tokenward_request_own. */
  const tokenward_request_part *writer;
  /** In place of the token path for the refresh grant. */
  tokenward_span refresh_path;
  /** The `grant_type` of #TOKENWARD_GRANT_EXTENSION. */
  tokenward_span extension_grant;
  /** `client_id`, `client_secret`, `username`, `password` or `refresh_token`, and the name in its place. */
  tokenward_pair_list names;
  /** Parameters of its own, in the order in which they are sent. */
  tokenward_parameter_list parameters;
  /**
   * Header fields of its own: names and values. `{name}` in a value stands for one of the `values` of
   * #tokenward_additions, `{access_token}` for the access token that is held, whether it has ended or not: without one
   * the field is left out.
   */
  tokenward_pair_list headers;
  /** The scope is sent with a refresh too. */
  bool scope_on_refresh;
} tokenward_requests;

/** The header field that carries a service's tokens to its API. */
typedef struct tokenward_token_header {
  /** The field's name. Its address is not NULL. */
  tokenward_span name;
  /** What stands in front of the token, before a space; empty: the value is the token alone. Its address is not NULL. */
  tokenward_span scheme;
} tokenward_token_header;

/** A list of HTTP statuses. */
typedef struct tokenward_status_list {
  /** The first; NULL with 0 for none. */
  const uint16_t *ptr;
  /** How many there are. */
  size_t len;
} tokenward_status_list;

/** Where the members of an answer are, if they are not in the top object. */
typedef struct tokenward_nested {
  /** What follows the paths: #tokenward_nested_paths. */
  const tokenward_nested_part *reader;
  /** Where the token's members are, such as `data[0]`; empty for the top object. */
  tokenward_span member_path;
  /** Where an error code is if there is no top-level `error`, such as `detailed[0]`; empty for nowhere. */
  tokenward_span error_path;
} tokenward_nested;

/** An endpoint and the token that opens it. */
typedef struct tokenward_route {
  /** The method, compared with case. */
  tokenward_span method;
  /** The path: `{site}` is the subject's own site, any other `{name}` one segment. */
  tokenward_span path;
  /** A token of a site opens it; else one of the client itself. */
  bool of_site;
} tokenward_route;

/** A list of endpoints. None of their texts has a NULL address. */
typedef struct tokenward_route_list {
  /** The first; NULL with 0 for none. */
  const tokenward_route *ptr;
  /** How many there are. */
  size_t len;
} tokenward_route_list;

/** Which token opens which endpoint. */
typedef struct tokenward_routes {
  /** What looks a request up: #tokenward_route_table. */
  const tokenward_route_part *table;
  /** The rows. */
  tokenward_route_list rows;
} tokenward_routes;

/** What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them. */
typedef struct tokenward_members {
  /** What finds them: #tokenward_member_names. */
  const tokenward_member_part *reader;
  /** Names of RFC 6749 sections 5.1 and 5.2 such as `access_token`, and what the service calls those members. */
  tokenward_pair_list names;
  /**
   * What the service calls a member that says when the access token ends: a time since 1970. It counts in an answer
   * without `expires_in` that comes with the time of day.
   */
  tokenward_span expires_at;
  /** That member is in milliseconds; else it is in seconds. */
  bool expires_at_in_ms;
  /**
   * What the service calls a member that says how many seconds the refresh token lives; of several the least counts,
   * and 0 says nothing. It takes `refresh_life`.
   */
  tokenward_text_list refresh_expires_in;
} tokenward_members;

/** What is known of a refresh token's life. */
typedef struct tokenward_refresh_life {
  /** What works the end out: #tokenward_refresh_life_ends. */
  const tokenward_refresh_life_part *rules;
  /** Seconds after which a refresh token ends that is not used, as the service's page tells; 0: that is not known. */
  uint64_t idle_s;
} tokenward_refresh_life;

/** What an answer without `expires_in` means, as a kind: `TOKENWARD_LIFETIME_*`. */
typedef int32_t tokenward_lifetime_kind;
/** A number of seconds. */
#define TOKENWARD_LIFETIME_ASSUME 0
/**
 * Until the token itself says that it expires, if the answer comes with the time of day; else a number of
 * seconds.
 */
#define TOKENWARD_LIFETIME_TOLD 1
/** The token does not expire. */
#define TOKENWARD_LIFETIME_NEVER 2
/** The answer is refused. */
#define TOKENWARD_LIFETIME_REFUSE 3

/** What an answer without `expires_in` means. No token lives for ever unless this says so. */
typedef struct tokenward_missing_lifetime {
  /** `TOKENWARD_LIFETIME_*`. */
  tokenward_lifetime_kind kind;
  /** The seconds of #TOKENWARD_LIFETIME_ASSUME and #TOKENWARD_LIFETIME_TOLD; 0: an hour. */
  uint64_t seconds;
  /** What reads the expiry, for #TOKENWARD_LIFETIME_TOLD: #tokenward_expiry_jwt. */
  const tokenward_expiry_part *expiry;
} tokenward_missing_lifetime;

/** What `expires_in` 0 means: `TOKENWARD_ZERO_*`. */
typedef int32_t tokenward_zero_lifetime;
/** The token has expired: a failed refresh. */
#define TOKENWARD_ZERO_EXPIRED 0
/** The token does not expire. */
#define TOKENWARD_ZERO_NEVER 1

/** The bytes that an access token may have: `TOKENWARD_ALPHABET_*`. */
typedef int32_t tokenward_alphabet;
/** `b64token` of RFC 6750 section 2.1. */
#define TOKENWARD_ALPHABET_B64TOKEN 0
/** 0x21 to 0x7E, for services whose tokens have more. */
#define TOKENWARD_ALPHABET_VISIBLE 1

/**
 * Who may hold a provider's credentials: `TOKENWARD_EXPOSURE_*`. For the caller to read; nothing here
 * enforces it.
 */
typedef int32_t tokenward_exposure;
/** Servers and gateways with protected storage. */
#define TOKENWARD_EXPOSURE_SERVER_ONLY 0
/** Apps too. */
#define TOKENWARD_EXPOSURE_APP_ALLOWED 1

/**
 * A token service: everything that distinguishes one from another. Zeros are the defaults, which each member
 * names; only the name is required. What needs code is a pointer to a part, one of the header's objects: an
 * image links only the parts that it names.
 *
 * tokenward_describe() checks it and makes it available as a service. It must live and stay unchanged, with
 * everything that it points to, for as long as the service is used: usually it is a `static const` in flash.
 */
typedef struct tokenward_provider {
  /** Its name, a part of a token's identity. */
  tokenward_span name;
  /** Its environment (`sandbox`, `production`), a part of a token's identity; the configuration's wins. */
  tokenward_span environment;
  /**
   * Scheme and authority of the token endpoint; a path may follow. Its origin is a part of a token's identity.
   * The configuration's wins.
   */
  tokenward_span base_url;
  /** Follows the base URL; `{site}` stands for the subject's site. */
  tokenward_span token_path;
  /**
   * Where its tokens may be sent; none: to the origin of the base URL. `https` only, except to loopback if
   * that is allowed.
   */
  tokenward_text_list api_origins;
  /** The scope to ask for. */
  tokenward_span scope;
  /** The service's own error codes and the standard ones that they stand for. */
  tokenward_pair_list error_codes;
  /** Values of `token_type` that mean Bearer. */
  tokenward_text_list token_type_aliases;
  /** Where somebody signs in in a browser: an absolute URL, with or without a query. */
  tokenward_span authorization_url;
  /** Where a device asks for a code to show: follows the base URL. */
  tokenward_span device_path;
  /** Where a token is revoked when somebody signs out (RFC 7009): follows the base URL. */
  tokenward_span revocation_path;
  /** Who answers a sign-in: what `iss` of a callback must be (RFC 9207); none: it is not read. */
  tokenward_span issuer;
  /** When its tokens are refreshed; NULL: #TOKENWARD_POLICY_DEFAULT. */
  const tokenward_policy *policy;
  /**
   * How the client authenticates to the token endpoint (RFC 6749 section 2.3): `tokenward_authentication_*`.
   * Required if the service has a grant.
   */
  const tokenward_authentication_part *authentication;
  /** How a request's parameters are written; NULL: #tokenward_body_form. */
  const tokenward_body_part *body;
  /** #tokenward_answer_form reads answers that are forms, beside those in JSON. They cannot be nested. */
  const tokenward_answer_part *answer;
  /** #tokenward_site_path makes `{site}` in `token_path` stand for the subject's site. */
  const tokenward_site_part *site;
  /** #tokenward_loopback_http allows plain `http` to the loopback interface, for tests. */
  const tokenward_loopback_part *loopback_http;
  /** #tokenward_pkce_s256 binds the requests of a device authorization to each other (RFC 7636). */
  const tokenward_pkce_part *device_pkce;
  /** What it wants to be asked otherwise than RFC 6749 has it. */
  const tokenward_requests *requests;
  /** The field that carries its tokens to the API; NULL: `Authorization: Bearer`. */
  const tokenward_token_header *header;
  /** Statuses of the API that mean what 401 means. */
  tokenward_status_list expired_status;
  /** Where the members of an answer are, if they are not in the top object. */
  tokenward_nested nested;
  /** Which token opens which endpoint; none: every path of the origins. */
  tokenward_routes routes;
  /** What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them. */
  tokenward_members members;
  /** What is known of a refresh token's life. */
  tokenward_refresh_life refresh_life;
  /** What an answer without `expires_in` means. */
  tokenward_missing_lifetime missing_lifetime;
  /** `TOKENWARD_ZERO_*`: what `expires_in` 0 means. */
  tokenward_zero_lifetime zero_lifetime;
  /** `TOKENWARD_ALPHABET_*`: the bytes that an access token may have. */
  tokenward_alphabet token_alphabet;
  /** `TOKENWARD_EXPOSURE_*`: who may hold its credentials. */
  tokenward_exposure exposure;
  /** `TOKENWARD_GRANT_*`: the grant that obtains a token without a refresh token; none: the caller installs tokens. */
  tokenward_grant primary_grant;
  /** Whether it has the refresh grant (RFC 6749 section 6). Without it no refresh token is read. */
  bool refresh_grant;
  /** Its tokens may be sent to **every** `https` origin: whoever can name a host gets the token. */
  bool any_https_origin;
} tokenward_provider;

/**
 * What an answer of a token endpoint says. The `ptr` of a member that is absent is NULL; the others point into
 * the body, or into the buffer if they are written with escapes.
 */
typedef struct tokenward_token_answer_result {
  /** The access token. */
  tokenward_span access_token;
  /** The token type as the server spelled it. */
  tokenward_span token_type;
  /** The refresh token; never empty. Read only if the service has the refresh grant. */
  tokenward_span refresh_token;
  /** The granted scope; elements of an array are joined by single spaces. */
  tokenward_span scope;
  /** The OpenID Connect ID token, not verified. */
  tokenward_span id_token;
  /** The error code as the server spelled it. */
  tokenward_span error;
  /** The server's explanation for a developer. */
  tokenward_span error_description;
  /** A page about the error. */
  tokenward_span error_uri;
  /** The lifetime in seconds, floored and saturating, not capped. */
  uint64_t expires_in_s;
  /** Bytes of the buffer in use; if it is too small, the bytes needed. */
  size_t len;
  /**
   * Where in the body it was refused (#TOKENWARD_ERR_TRUNCATED, #TOKENWARD_ERR_MALFORMED,
   * #TOKENWARD_ERR_TOO_DEEP).
   */
  size_t offset;
  /** `TOKENWARD_ANSWER_*`. */
  tokenward_answer_kind kind;
  /** `TOKENWARD_CODE_*`, if it is an error. */
  tokenward_error_code code;
  /** Whether there is a lifetime. */
  bool has_expires_in;
} tokenward_token_answer_result;

/** One challenge of a `WWW-Authenticate` field (RFC 9110 section 11.6.1). Its spans point into the field. */
typedef struct tokenward_challenge {
  /** The scheme as spelled; schemes compare without case. */
  tokenward_span scheme;
  /** The token68; its `ptr` is NULL if the challenge has none. */
  tokenward_span token68;
  /** How many parameters it has; none if it has a token68. */
  size_t param_count;
} tokenward_challenge;

/** A parameter of a challenge. */
typedef struct tokenward_challenge_param {
  /** The name as spelled; it points into the field. Names compare without case. */
  tokenward_span name;
  /** Bytes of the value, without the NUL; if the buffer is too small, the bytes needed, with the NUL. */
  size_t len;
} tokenward_challenge_param;

/** The registered claims of a JWT that say something about its life. */
typedef struct tokenward_claims {
  /** Expiration time in Unix seconds (RFC 7519 section 4.1.4). */
  uint64_t exp_s;
  /** Issued at (RFC 7519 section 4.1.6). */
  uint64_t iat_s;
  /** Not before (RFC 7519 section 4.1.5). */
  uint64_t nbf_s;
  /** Subject (RFC 7519 section 4.1.2); its `ptr` is NULL if there is none. It points into the buffer. */
  tokenward_span sub;
  /** Bytes of the buffer in use; if it is too small, the bytes needed. */
  size_t len;
  /** Whether there is an `exp_s`. */
  bool has_exp;
  /** Whether there is an `iat_s`. */
  bool has_iat;
  /** Whether there is an `nbf_s`. */
  bool has_nbf;
} tokenward_claims;

/**
 * What a function returns: #TOKENWARD_OK, or why it refused: `TOKENWARD_ERR_*`.
 *
 * 1 to 99 arguments, 100 to 199 input, 200 to 299 capacity, 300 to 399 state and use. A number is never given
 * to another fault. tokenward_result_name() names each.
 */
typedef int32_t tokenward_result;
/** Done. */
#define TOKENWARD_OK 0
/** A pointer is NULL that must not be. */
#define TOKENWARD_ERR_NULL 1
/** A pointer is not aligned as its type requires. */
#define TOKENWARD_ERR_MISALIGNED 2
/** A length that is longer than an object may be, or that runs past the end of the address space. */
#define TOKENWARD_ERR_LENGTH 3
/** What is written to overlaps another argument, or the manager. */
#define TOKENWARD_ERR_OVERLAP 4
/** Text that is not UTF-8. */
#define TOKENWARD_ERR_NOT_UTF8 5
/** A number that is not in its enumeration, or a revision that the manager has not reached. */
#define TOKENWARD_ERR_OUT_OF_RANGE 6
/** Header and library are of different versions. */
#define TOKENWARD_ERR_ABI 7
/** There is no manager at this address: the memory is zeroed, wiped, or something else. */
#define TOKENWARD_ERR_UNINITIALIZED 8
/** There is no challenge or parameter of this number or name. */
#define TOKENWARD_ERR_NO_SUCH_ITEM 9
/** A key that does not have 32 bytes, or that nobody has filled in: all of them are zeros. */
#define TOKENWARD_ERR_KEY 10
/** The body is not a JSON object: check the token URL. */
#define TOKENWARD_ERR_NOT_JSON 100
/** The body stops before its end: enlarge the receive buffer, or try again. */
#define TOKENWARD_ERR_TRUNCATED 101
/** The body is not valid JSON: report it to the token service. */
#define TOKENWARD_ERR_MALFORMED 102
/** The body nests more than 32 objects and arrays: report it to the token service. */
#define TOKENWARD_ERR_TOO_DEEP 103
/** The body has a member twice that may only stand once: report it to the token service. */
#define TOKENWARD_ERR_DUPLICATE_MEMBER 104
/** The access token is missing, empty, not a string, or has characters that cannot be sent. */
#define TOKENWARD_ERR_INVALID_ACCESS_TOKEN 105
/** The refresh token is not text: report it to the token service. */
#define TOKENWARD_ERR_INVALID_REFRESH_TOKEN 106
/** The token_type is not text, or is missing although the provider requires it. */
#define TOKENWARD_ERR_INVALID_TOKEN_TYPE 107
/** The scope is neither a string nor an array of strings: report it to the token service. */
#define TOKENWARD_ERR_INVALID_SCOPE_MEMBER 108
/** The error, its description or its URI is not text: report it to the token service. */
#define TOKENWARD_ERR_INVALID_ERROR 109
/** The expires_in is not a number of seconds: report it to the token service. */
#define TOKENWARD_ERR_INVALID_EXPIRES_IN 110
/** The answer has both a token and an error: report it to the token service. */
#define TOKENWARD_ERR_ERROR_BESIDE_TOKEN 111
/** The token is not a Bearer token: list its token_type as an alias if it is used like one. */
#define TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE 112
/** The answer has no expires_in: tell the provider's description how long its tokens live. */
#define TOKENWARD_ERR_MISSING_LIFETIME 113
/** The service refused the request without an error code: check the token URL. */
#define TOKENWARD_ERR_NO_ERROR_CODE 114
/** The token has expired before it could be used: get a new one, and check the clocks. */
#define TOKENWARD_ERR_ALREADY_EXPIRED 115
/** The service gave the used-up token again: report it to the token service. */
#define TOKENWARD_ERR_SAME_TOKEN 116
/** The token service answered with an HTTP error and without a reason that can be read. */
#define TOKENWARD_ERR_HTTP_STATUS 117
/** The body is compressed, and nobody asked for that: let the HTTP client decode it. */
#define TOKENWARD_ERR_ENCODED_BODY 118
/** The URL is not absolute, or is ambiguous: leave out user names, spaces and dot segments. */
#define TOKENWARD_ERR_BAD_URL 120
/** The WWW-Authenticate field is not a list of challenges: report it to the service. */
#define TOKENWARD_ERR_INVALID_CHALLENGE 121
/** The date is not an HTTP date: report it to the service. */
#define TOKENWARD_ERR_INVALID_HTTP_DATE 122
/** The Retry-After field is neither seconds nor an HTTP date: report it to the service. */
#define TOKENWARD_ERR_INVALID_RETRY_AFTER 123
/** The token is not a JSON Web Token: give three base64url parts with dots between them. */
#define TOKENWARD_ERR_INVALID_JWT 124
/** A registered claim of the token has the wrong type: report it to the token service. */
#define TOKENWARD_ERR_INVALID_CLAIM 125
/** The stored state is damaged or was changed by somebody: delete it and sign in again. */
#define TOKENWARD_ERR_INVALID_SNAPSHOT 130
/** The stored state belongs to another provider, environment or subject: use another storage. */
#define TOKENWARD_ERR_FOREIGN_SNAPSHOT 131
/** The stored state is older than the one in use: read the storage again. */
#define TOKENWARD_ERR_STALE_SNAPSHOT 132
/** The stored state was written by another version of tokenward: delete it and sign in again. */
#define TOKENWARD_ERR_OTHER_SNAPSHOT_VERSION 133
/** The stored state is sealed with another key: find that key, or delete the state and sign in again. */
#define TOKENWARD_ERR_OTHER_SNAPSHOT_KEY 134
/** The callback brings neither a code nor an error: start the sign-in again. */
#define TOKENWARD_ERR_INVALID_CALLBACK 140
/** The callback is not at the redirect URI that was asked for: ignore it. */
#define TOKENWARD_ERR_OTHER_REDIRECT_URI 141
/** The callback belongs to another sign-in, or somebody made it up: ignore it. */
#define TOKENWARD_ERR_OTHER_STATE 142
/** The callback does not come from the provider's issuer: ignore it, and check the issuer. */
#define TOKENWARD_ERR_OTHER_ISSUER 143
/** The answer lacks a code, or a page to enter it at, that can be shown: report it to the service. */
#define TOKENWARD_ERR_INVALID_DEVICE_AUTHORIZATION 144
/** The access token is longer than its slot: give the token manager more room for it. */
#define TOKENWARD_ERR_TOO_LONG 200
/** The buffer is too small: give a larger one. */
#define TOKENWARD_ERR_BUFFER_TOO_SMALL 201
/** The refresh token is longer than its slot: give the token manager more room for it. */
#define TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG 202
/** No token request is due: wait until poll asks for one. */
#define TOKENWARD_ERR_NOT_DUE 300
/** A token request is out already: wait for its answer. */
#define TOKENWARD_ERR_REQUEST_IN_FLIGHT 301
/** The answer is to an earlier token request: ignore it. */
#define TOKENWARD_ERR_STALE_REQUEST 302
/** A credential that the grant needs is missing or cannot be sent: check the credentials. */
#define TOKENWARD_ERR_WRONG_CREDENTIALS 303
/** The URL is not on one of the provider's origins: check it, and use https. */
#define TOKENWARD_ERR_ORIGIN_NOT_ALLOWED 304
/** The provider has no endpoint with this method and path: check them. */
#define TOKENWARD_ERR_UNKNOWN_ROUTE 305
/** The endpoint takes the other kind of token: use a client's instead of a site's, or vice versa. */
#define TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN 306
/** The endpoint belongs to another site: use that site's token. */
#define TOKENWARD_ERR_OTHER_SITE 307
/** There is no token that may be sent now: get one first. */
#define TOKENWARD_ERR_NOT_USABLE 308
/** A parameter stands twice: give each one once. */
#define TOKENWARD_ERR_DUPLICATE_PARAMETER 309
/** The provider's description does not work here: mend the fact that is named, or say the site. */
#define TOKENWARD_ERR_INVALID_PROVIDER 310
/** The bytes that must be random are all alike: check the random number generator. */
#define TOKENWARD_ERR_NOT_RANDOM 320
/** The time of day is not known: set the clock first. */
#define TOKENWARD_ERR_NO_WALL_CLOCK 321
/** The sign-in took too long: start it again. */
#define TOKENWARD_ERR_SIGN_IN_EXPIRED 322
/** The signature is not one of its algorithm: check what signs. */
#define TOKENWARD_ERR_INVALID_SIGNATURE 323

/** What was found in storage: `TOKENWARD_FOUND_*`. */
typedef int32_t tokenward_found;
/** Nothing is stored, and nothing is lost by that. */
#define TOKENWARD_FOUND_EMPTY 1
/** Somebody has signed out: there is no token any more. */
#define TOKENWARD_FOUND_SIGNED_OUT 2
/** Storage holds what this manager took or wrote itself. */
#define TOKENWARD_FOUND_KNOWN 3
/** What another process stored, or an earlier life of this one, is taken. */
#define TOKENWARD_FOUND_TAKEN 4
/** What this manager has not stored yet wins over what was found. */
#define TOKENWARD_FOUND_KEPT 5

#ifdef __cplusplus
/** The bytes of a string. */
#define TOKENWARD_BYTES(string) reinterpret_cast<const uint8_t *>(string)
#else
/** The bytes of a string. */
#define TOKENWARD_BYTES(string) ((const uint8_t *)(string))
#endif

/** Initializes a #tokenward_span from a string literal, also in a `static const`. */
#define TOKENWARD_TEXT(literal) { TOKENWARD_BYTES(literal), sizeof(literal) - 1 }

/**
 * The span of a NUL-terminated string. NULL is empty.
 *
 * @code
 * const tokenward_credentials client = { .client_id = tokenward_text(id), .client_secret = tokenward_text(secret) };
 * int32_t result = tokenward_begin(manager, now_ms, &client, buffer, sizeof buffer, &request);
 * tokenward_wipe(secret, sizeof secret);
 * return result;
 * @endcode
 */
static inline tokenward_span tokenward_text(const char *string) {
  tokenward_span span = { TOKENWARD_BYTES(string), 0 };
  while (string && string[span.len] != '\0') {
    span.len++;
  }
  return span;
}

/** Initializes a list of a #tokenward_provider from an array, also in a `static const`. */
#define TOKENWARD_LIST(array) { (array), sizeof(array) / sizeof *(array) }

/** Initializes a #tokenward_policy: refresh at 80 % of the lifetime; see its members. */
#define TOKENWARD_POLICY_DEFAULT { 10000, 30000, 0, 30000, 2000, 300000, 315360000, 800, 200, 3, true }

/**
 * Checks a description and makes it available as a service: tokenward_describe_abi() with this header's version.
 *
 * @code
 * tokenward_config config = { .access_capacity = 2048, .now_ms = now_ms };
 * int32_t result = tokenward_describe(&acme, &config.service);
 * if (result != TOKENWARD_OK) return result;
 * return tokenward_init(&manager, memory, sizeof memory, &config);
 * @endcode
 *
 * @param[in] mine A `const tokenward_provider *`, which must live for as long as the service is used.
 * @param[out] service A `const tokenward_service *`: written on success.
 * @return What tokenward_describe_abi() returns.
 */
#define tokenward_describe(mine, service) \
  tokenward_describe_abi((mine), (service), TOKENWARD_ABI_VERSION, sizeof(tokenward_provider))

/**
 * Copies the description of a service, to be changed and described again: a preset with another policy.
 *
 * @code
 * static tokenward_policy patient = TOKENWARD_POLICY_DEFAULT;
 * static tokenward_provider mine; // both must live for as long as the service is used
 * patient.max_backoff_ms = 3600000;
 * mine = tokenward_provider_of(&tokenward_flute_production);
 * mine.policy = &patient;
 * return tokenward_describe(&mine, &config.service);
 * @endcode
 */
static inline tokenward_provider tokenward_provider_of(const tokenward_service *service) {
  return *(const tokenward_provider *)(const void *)service;
}

/** Bytes that a manager takes in addition to its slots. */
#define TOKENWARD_MANAGER_HEAD (528 + 16 * sizeof(void *))

/** Words of memory for a manager with slots of these sizes in bytes:
 * `static uint64_t memory[TOKENWARD_MANAGER_WORDS(2048, 512)];` */
#define TOKENWARD_MANAGER_WORDS(access_capacity, refresh_capacity) \
  ((TOKENWARD_MANAGER_HEAD + (access_capacity) + (refresh_capacity) + 7) / 8)

/** Words of memory for a device authorization whose codes, as the service sends them, take so many bytes: 512 will do as a
 * rule. `static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];` */
#define TOKENWARD_DEVICE_WORDS(codes) ((176 + (codes) + 7) / 8)

/** Bytes that hold any snapshot of a manager with slots of these sizes. */
#define TOKENWARD_SNAPSHOT_BYTES(access_capacity, refresh_capacity) ((access_capacity) + (refresh_capacity) + 192)

/** Bytes that hold the `Authorization` value with any token of a slot of this size, and the NUL behind it. */
#define TOKENWARD_HEADER_BYTES(access_capacity) ((access_capacity) + sizeof "Bearer ")

/**
 * Bytes that hold any token request: of the token endpoint's URL, of all credentials together, of the scope, and of the
 * slot for the refresh token. All may be escaped; only control characters in a JSON body take more.
 */
#define TOKENWARD_REQUEST_BYTES(url, credentials, scope, refresh_capacity) \
  ((url) + 4 * (credentials) + 3 * ((scope) > (refresh_capacity) ? (scope) : (refresh_capacity)) + 128)

/**
 * Makes a manager without a token in the caller's memory: tokenward_init_abi() with this header's version.
 *
 * @code
 * static uint64_t memory[TOKENWARD_MANAGER_WORDS(2048, 512)];
 * tokenward_config config = { .service = &tokenward_flute_production, .now_ms = now_ms, .seed = serial_number };
 * config.access_capacity = 2048;
 * config.refresh_capacity = 512;
 * int32_t result = tokenward_init(&manager, memory, sizeof memory, &config);
 * if (result != TOKENWARD_OK) return result;
 * @endcode
 *
 * @param[out] out The manager, a `tokenward_manager *`: written on success.
 * @param[in,out] memory Memory of #TOKENWARD_MANAGER_WORDS words: the manager's for as long as it is used.
 * @param[in] size Bytes of the memory: `sizeof memory`.
 * @param[in] config A `const tokenward_config *`.
 * @return What tokenward_init_abi() returns.
 */
#define tokenward_init(out, memory, size, config) \
  tokenward_init_abi((out), (memory), (size), (config), TOKENWARD_ABI_VERSION, sizeof(tokenward_config))

#ifdef __cplusplus
extern "C" {
#endif

/** The `Authorization` field, id and secret form-encoded first (RFC 6749 section 2.3.1). */
extern const tokenward_authentication_part tokenward_authentication_basic;

/** The `Authorization` field, id and secret as they are: what `curl -u` sends. The id must not contain `:`. */
extern const tokenward_authentication_part tokenward_authentication_basic_raw;

/** Id and secret in the body. */
extern const tokenward_authentication_part tokenward_authentication_post;

/** A token that another manager keeps, as Bearer. */
extern const tokenward_authentication_part tokenward_authentication_bearer;

/** A public client: the id alone, in the body. */
extern const tokenward_authentication_part tokenward_authentication_none;

/** The `Authorization` field with the id, form-encoded first, and an empty secret (RFC 6749 section 2.3.1). */
extern const tokenward_authentication_part tokenward_authentication_basic_id;

/** Nobody: neither an id nor a secret is sent. */
extern const tokenward_authentication_part tokenward_authentication_nobody;

/**
 * An assertion in the body that the secret signs (RFC 7523 section 2.2), by HMAC-SHA-256: each request takes a
 * #tokenward_assertion.
 */
extern const tokenward_authentication_part tokenward_authentication_client_secret_jwt;

/**
 * An assertion in the body that a key of the caller's signs (RFC 7523 section 2.2): each request takes a
 * #tokenward_assertion with the signature of what tokenward_signing_input() writes.
 */
extern const tokenward_authentication_part tokenward_authentication_private_key_jwt;

/** ECDSA on the curve P-256 with SHA-256: the two numbers in 64 bytes, or in DER as most signers give them. */
extern const tokenward_algorithm_part tokenward_algorithm_es256;

/** RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2,048 bits or more. */
extern const tokenward_algorithm_part tokenward_algorithm_rs256;

/** RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, by a key of 2,048 bits or more. */
extern const tokenward_algorithm_part tokenward_algorithm_ps256;

/** EdDSA by a key of Ed25519 or Ed448 (RFC 8037 section 3.1). */
extern const tokenward_algorithm_part tokenward_algorithm_eddsa;

/** `application/x-www-form-urlencoded` (RFC 6749 Appendix B): the default. */
extern const tokenward_body_part tokenward_body_form;

/** One JSON object of strings. */
extern const tokenward_body_part tokenward_body_json;

/** `application/x-www-form-urlencoded`. Such a body has no end that could be missed: one that is cut off may be read. */
extern const tokenward_answer_part tokenward_answer_form;

/** By what its #tokenward_requests says. */
extern const tokenward_request_part tokenward_request_own;

/** By the SHA-256 of a verifier (RFC 7636 section 4.2): tokenward_device_start_with_random(). */
extern const tokenward_pkce_part tokenward_pkce_s256;

/** Names separated by `.`, array indices in brackets. */
extern const tokenward_nested_part tokenward_nested_paths;

/** By a list of names. */
extern const tokenward_member_part tokenward_member_names;

/** At the earlier of what the service says and what its page tells. */
extern const tokenward_refresh_life_part tokenward_refresh_life_ends;

/** Row by row. */
extern const tokenward_route_part tokenward_route_table;

/** The site percent-encoded, as one segment. */
extern const tokenward_site_part tokenward_site_path;

/** `localhost`, 127.0.0.0/8 as four decimal numbers, and `[::1]`. */
extern const tokenward_loopback_part tokenward_loopback_http;

/** The claim `exp` of a JWT (RFC 7519 section 4.1.4). */
extern const tokenward_expiry_part tokenward_expiry_jwt;

/** No other process uses it. A snapshot is sealed by this library. */
extern const tokenward_storage_part tokenward_storage_own;

/**
 * Several processes use it. Its lock is held from the first #TOKENWARD_NEXT_LOAD until tokenward_poll() says neither
 * that nor #TOKENWARD_NEXT_STORE. A snapshot is sealed by this library.
 */
extern const tokenward_storage_part tokenward_storage_shared;

/**
 * #tokenward_storage_own, but a snapshot is sealed by the `seal` of #tokenward_storage: an image that names this one
 * contains no hash of this library.
 */
extern const tokenward_storage_part tokenward_storage_own_with_seal;

/**
 * #tokenward_storage_shared, but a snapshot is sealed by the `seal` of #tokenward_storage: an image that names this one
 * contains no hash of this library.
 */
extern const tokenward_storage_part tokenward_storage_shared_with_seal;

/**
 * Flip Utility with an OAuth client, for development and tests: one token endpoint, an API origin for each
 * environment.
 */
extern const tokenward_service tokenward_flip_utility_sandbox;

/** Flip Utility with an OAuth client, in production. */
extern const tokenward_service tokenward_flip_utility_production;

/**
 * Flip Utility with a static API key `fl_*`, which the caller installs with tokenward_install(); for development
 * and tests.
 */
extern const tokenward_service tokenward_flip_utility_api_key_sandbox;

/** Flip Utility with a static API key `fl_*`, which the caller installs with tokenward_install(); in production. */
extern const tokenward_service tokenward_flip_utility_api_key_production;

/**
 * Flip Energy with a client token, which the caller installs with tokenward_install(): server to server only; it
 * does not expire. Its base URL is in the configuration.
 */
extern const tokenward_service tokenward_flip_energy_client;

/**
 * Flip Energy with a token for one site, which lives an hour, for a gateway or server that keeps the client
 * token too. Its base URL and the site are in the configuration.
 */
extern const tokenward_service tokenward_flip_energy_site;

/**
 * Flip Energy with a token for one site, which lives an hour, for an app: it installs what its own backend hands
 * out, and is told when the next is due. Its base URL and the site are in the configuration.
 */
extern const tokenward_service tokenward_flip_energy_site_by_backend;

/**
 * Flume: password grant, an answer in an envelope, JWTs, refresh tokens. RFC 9700 section 2.4 forbids the password
 * grant elsewhere; Flume has no other.
 */
extern const tokenward_service tokenward_flume;

/**
 * Oracle Utilities Opower: a token of about an hour by Basic authentication. Its base URL, the host of the tier,
 * is in the configuration.
 */
extern const tokenward_service tokenward_opower;

/**
 * Flute's sandbox: Basic authentication, `offline_access`, refresh tokens, and two environments that share one API
 * key but no token.
 */
extern const tokenward_service tokenward_flute_sandbox;

/** Flute, in production. */
extern const tokenward_service tokenward_flute_production;

/**
 * Makes a device authorization that nobody has started, in the caller's memory: #TOKENWARD_DEVICE_WORDS words.
 *
 * Whatever was in the memory is overwritten. It may be copied to other memory of the same size and alignment, and works
 * there. It holds the device code while it asks: tokenward_wipe() the memory when it is given up.
 *
 * Not from an interrupt handler; nothing else may use the memory during the call.
 *
 * @code
 * static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];
 * tokenward_device *device;
 * int32_t result = tokenward_device_init(&device, device_memory, sizeof device_memory);
 * if (result != TOKENWARD_OK) return result;
 * return tokenward_device_start(device, now_ms); // somebody has pressed the button
 * @endcode
 *
 * @param[out] out The device authorization: written on success.
 * @param[in,out] memory Aligned as `uint64_t`. What is left behind the head holds the codes as the service sends them.
 * @param[in] size Bytes of the memory.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `size` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_device_init(tokenward_device **out,
                              void *memory,
                              size_t size);

/**
 * Somebody wants to sign in: a code is asked for, in place of the one before. Nothing else does that: a code that has
 * expired unseen is not replaced.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * int32_t result = tokenward_device_start(device, now_ms);
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task();
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in] now_ms The caller's clock.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_device_start(tokenward_device *device,
                               uint64_t now_ms);

/**
 * The same for a service that has #tokenward_pkce_s256.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * uint8_t random[32];
 * fill_random(random, sizeof random); // of the system's generator, anew for each start
 * int32_t result = tokenward_device_start_with_random(device, now_ms, (tokenward_span){ random, sizeof random });
 * tokenward_wipe(random, sizeof random);
 * return result;
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in] now_ms The caller's clock.
 * @param[in] random 32 bytes that nobody can predict, and that are never used again. It is copied.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_KEY `random` does not have 32 bytes
 */
int32_t tokenward_device_start_with_random(tokenward_device *device,
                                           uint64_t now_ms,
                                           tokenward_span random);

/**
 * Nobody wants to sign in any more: the codes are wiped, and what is out comes to nothing.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * int32_t result = tokenward_device_cancel(device);
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task();
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_device_cancel(tokenward_device *device);

/**
 * Says what to do at `now_ms`, when to ask again, and what to show. Changes nothing.
 *
 * May run concurrently with other functions that take manager and device authorization as `const`.
 *
 * @code
 * tokenward_device_poll_result said;
 * int32_t result = tokenward_device_poll(device, manager, now_ms, &said);
 * if (result != TOKENWARD_OK) return result;
 * if (said.next == TOKENWARD_DEVICE_REQUEST) return send_device_request();
 * sleep_until(said.poll_at_ms);
 * @endcode
 *
 * @param[in] device The device authorization.
 * @param[in] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_device_poll(const tokenward_device *device,
                              const tokenward_manager *manager,
                              uint64_t now_ms,
                              tokenward_device_poll_result *out);

/**
 * Reports that the code is shown: from now on the service is asked whether somebody has entered it.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * if (said.next == TOKENWARD_DEVICE_SHOW) {
 *   show_code(said.verification_uri, said.user_code);
 *   int32_t result = tokenward_device_shown(device, manager, now_ms);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_device_shown(tokenward_device *device,
                               const tokenward_manager *manager,
                               uint64_t now_ms);

/**
 * Writes the request that tokenward_device_poll() asks for. A token's lifetime counts from here. A refused call changes
 * nothing but the clock of the device authorization.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * const tokenward_pair_list none = { NULL, 0 };
 * tokenward_request request;
 * int32_t result = tokenward_device_begin(device, manager, now_ms, &credentials, none, buffer, sizeof buffer, &request);
 * if (result != TOKENWARD_OK) return result;
 * if (!http_post(&request, &answer)) result = tokenward_device_failed(device, manager, now_ms, request.id);
 * tokenward_wipe(buffer, sizeof buffer);
 * return result;
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[in] credentials What the request presents; nothing of it is kept.
 * @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
 * @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many bytes are
 * needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 * @retval TOKENWARD_ERR_REQUEST_IN_FLIGHT one is in flight and has not timed out
 * @retval TOKENWARD_ERR_NOT_DUE tokenward_device_poll() does not say #TOKENWARD_DEVICE_REQUEST
 * @retval TOKENWARD_ERR_INVALID_PROVIDER the service has no device path
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the client or a `{name}` needs is empty, or cannot be sent in a header
 * @retval TOKENWARD_ERR_BAD_URL the URL is none, or ambiguous
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the URL is not `https`
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_device_begin(tokenward_device *device,
                               const tokenward_manager *manager,
                               uint64_t now_ms,
                               const tokenward_credentials *credentials,
                               tokenward_pair_list values,
                               uint8_t *buf,
                               size_t cap,
                               tokenward_request *out);

/**
 * Reads the answer to a request of a device authorization. A token is kept as by tokenward_install(), but its lifetime
 * counts from the request.
 *
 * Every refusal of the input is trouble: the next request waits. #TOKENWARD_ERR_STALE_REQUEST means another request, or
 * that somebody has signed out or in meanwhile, which ends it.
 *
 * Not from an interrupt handler; nothing else may use manager and device authorization during the call.
 *
 * @code
 * const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
 * tokenward_outcome outcome;
 * int32_t result = tokenward_device_answer(device, manager, now_ms, request.id, &parsed, &outcome);
 * tokenward_wipe(body, sizeof body); // what `answer.body` points to held the codes or the tokens
 * if (result != TOKENWARD_OK) return result; // tokenward_device_poll() says when to try again
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in,out] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[in] request_id The `id` that tokenward_device_begin() gave.
 * @param[in] answer What the service answered. Codes and tokens are copied.
 * @param[out] out Written on success; its `detail` also if that explains a refusal. Its `kind` may be
 * #TOKENWARD_ANSWER_DEVICE_CODE.
 * @retval TOKENWARD_OK there is a code to show, or a token, which is stored, or an error that the service gave
 * @retval TOKENWARD_ERR_INVALID_DEVICE_AUTHORIZATION a code, or where to enter it, is missing or cannot be shown
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL the codes do not fit into the memory of the device authorization
 * @return Else what tokenward_answer() returns.
 */
int32_t tokenward_device_answer(tokenward_device *device,
                                tokenward_manager *manager,
                                uint64_t now_ms,
                                uint64_t request_id,
                                const tokenward_parsed_answer *answer,
                                tokenward_outcome *out);

/**
 * Reports that a request of a device authorization got no answer: it backs off and does not end.
 *
 * Not from an interrupt handler; nothing else may use the device authorization during the call.
 *
 * @code
 * if (!http_post(&request, &answer)) {
 *   int32_t result = tokenward_device_failed(device, manager, now_ms, request.id);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] device The device authorization.
 * @param[in] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[in] request_id The `id` that tokenward_device_begin() gave.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight
 */
int32_t tokenward_device_failed(tokenward_device *device,
                                const tokenward_manager *manager,
                                uint64_t now_ms,
                                uint64_t request_id);

/**
 * The name of what a device authorization asks for in snake_case, the same in every language: `show`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * log_line(tokenward_device_next_name(said.next)); // show
 * @endcode
 *
 * @param[in] next `TOKENWARD_DEVICE_*`.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_device_next_name(tokenward_device_next next);

/**
 * Signs out as tokenward_clear() does, and writes the request that ends the token at the service (RFC 7009): the refresh
 * token that is held, else the access token. Store first that nobody is signed in, then send it: it may fail without
 * undoing anything.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * const tokenward_pair_list none = { NULL, 0 };
 * tokenward_request request;
 * int32_t result = tokenward_revoke(manager, &credentials, none, buffer, sizeof buffer, &request);
 * wake_token_task(); // which stores it, now that tokenward_poll() says #TOKENWARD_NEXT_STORE
 * if (result == TOKENWARD_OK && request.url.len > 0 && !http_post(&request, &answer)) log_line("not revoked");
 * tokenward_wipe(buffer, sizeof buffer);
 * return result;
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] credentials What the request presents; nothing of it is kept.
 * @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
 * @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
 * the request is sent.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`; its `url` is empty if no token was held, and there is
 * nothing to send. If `buf` is too small, its `len` says how many bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped, and nobody is signed out
 * @retval TOKENWARD_ERR_INVALID_PROVIDER signed out; the service has no revocation path, or a `{` has no `}`
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS signed out; one that the client or a `{name}` needs is empty, or cannot be sent
 * in a header
 * @retval TOKENWARD_ERR_BAD_URL signed out; the URL is none, or ambiguous
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED signed out; the URL is not `https`
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_revoke(tokenward_manager *manager,
                         const tokenward_credentials *credentials,
                         tokenward_pair_list values,
                         uint8_t *buf,
                         size_t cap,
                         tokenward_request *out);

/**
 * Reads the answer to that request.
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
 * tokenward_outcome outcome;
 * int32_t result = tokenward_revocation_answer(manager, &parsed, &outcome);
 * if (result != TOKENWARD_OK) return result;
 * if (outcome.kind == TOKENWARD_ANSWER_ERROR) log_line(tokenward_error_code_name(outcome.code));
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[in] answer What the service answered.
 * @param[out] out Written on success. Its `kind` is #TOKENWARD_ANSWER_REVOKED, #TOKENWARD_ANSWER_LATER, or
 * #TOKENWARD_ANSWER_ERROR if the service would not; then its `code` is #TOKENWARD_CODE_NONE if the answer has none.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_revocation_answer(const tokenward_manager *manager,
                                    const tokenward_parsed_answer *answer,
                                    tokenward_outcome *out);

/**
 * Makes a sign-in in a browser that comes back to `redirect_uri`.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler.
 *
 * @code
 * tokenward_sign_in sign_in;
 * uint8_t random[32];
 * fill_random(random, sizeof random); // of the system's generator, anew for each sign-in
 * int32_t result = tokenward_sign_in_new(&sign_in, (tokenward_span){ random, sizeof random }, redirect_uri);
 * tokenward_wipe(random, sizeof random);
 * return result;
 * @endcode
 *
 * @param[out] sign_in Written on success.
 * @param[in] random 32 bytes that nobody can predict, and that are never used again.
 * @param[in] redirect_uri `https`, `http` to the loopback interface, or a scheme of the app's own. It must live and stay
 * unchanged for as long as the sign-in.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_KEY `random` does not have 32 bytes
 * @retval TOKENWARD_ERR_NOT_RANDOM the bytes are all alike
 * @retval TOKENWARD_ERR_BAD_URL the redirect URI is none, or has a fragment
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED it is `http` to another machine
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_new(tokenward_sign_in *sign_in,
                              tokenward_span random,
                              tokenward_span redirect_uri);

/**
 * Writes the URL to open in a browser.
 *
 * Only in a library that was built with the feature `snapshot`. May run concurrently with other functions that take manager
 * and sign-in as `const`.
 *
 * @code
 * char address[1024];
 * size_t len;
 * int32_t result = tokenward_sign_in_url(&sign_in, manager, &credentials, address, sizeof address, &len);
 * if (result != TOKENWARD_OK) return result;
 * open_browser(address);
 * @endcode
 *
 * @param[in] sign_in The sign-in.
 * @param[in] manager The manager that the token is for.
 * @param[in] credentials Whose `client_id` is sent.
 * @param[out] buf Where the URL is written, followed by a NUL.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters of the URL, without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_NOT_DUE the browser has come back already
 * @retval TOKENWARD_ERR_INVALID_PROVIDER the service has no authorization URL, or one whose query says what a sign-in says
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS there is no client id
 * @retval TOKENWARD_ERR_BAD_URL the authorization URL is none, is ambiguous, or has a fragment
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the authorization URL is not `https`
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_url(const tokenward_sign_in *sign_in,
                              const tokenward_manager *manager,
                              const tokenward_credentials *credentials,
                              char *buf,
                              size_t cap,
                              size_t *len);

/**
 * Writes what survives a restart between browser and callback, sealed under `key` and as secret as a token. Store it before
 * the browser is opened; it is good for ten minutes. It must be deleted before the code is sent:
 * tokenward_sign_in_deleted().
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
 * sign-in during the call.
 *
 * @code
 * size_t len;
 * int32_t result = tokenward_sign_in_seal(&sign_in, manager, wall_s, key, buffer, sizeof buffer, &len);
 * if (result != TOKENWARD_OK) return result;
 * if (!flash_write(buffer, len)) log_line("the sign-in does not survive a restart");
 * tokenward_wipe(buffer, sizeof buffer);
 * @endcode
 *
 * @param[in,out] sign_in The sign-in.
 * @param[in] manager The manager that the token is for.
 * @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then nothing is stored.
 * @param[in] key 32 random bytes.
 * @param[out] buf Where it is written: as long as the redirect URI, and 112 bytes.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Bytes that were written; if `buf` is too small, the bytes needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
 * @retval TOKENWARD_ERR_NOT_DUE the browser has come back already
 * @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_seal(tokenward_sign_in *sign_in,
                               const tokenward_manager *manager,
                               const uint64_t *wall_s,
                               tokenward_span key,
                               uint8_t *buf,
                               size_t cap,
                               size_t *len);

/**
 * Takes a sign-in up again that was stored before a restart. Delete what is refused.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler.
 *
 * @code
 * int32_t result = tokenward_sign_in_open(&sign_in, manager, wall_s, key, snapshot);
 * if (result != TOKENWARD_OK) log_line(tokenward_result_text(result));
 * @endcode
 *
 * @param[out] sign_in Written on success.
 * @param[in] manager The manager that the token is for.
 * @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it.
 * @param[in] key 32 random bytes.
 * @param[in] stored What was stored. It must live and stay unchanged for as long as the sign-in.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
 * @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated or tampered with
 * @retval TOKENWARD_ERR_OTHER_SNAPSHOT_VERSION written by another version
 * @retval TOKENWARD_ERR_OTHER_SNAPSHOT_KEY sealed with another key
 * @retval TOKENWARD_ERR_FOREIGN_SNAPSHOT of another provider, environment or subject
 * @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
 * @retval TOKENWARD_ERR_SIGN_IN_EXPIRED it is older than ten minutes, or from the future
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_open(tokenward_sign_in *sign_in,
                               const tokenward_manager *manager,
                               const uint64_t *wall_s,
                               tokenward_span key,
                               tokenward_span stored);

/**
 * Reports that what was stored of a sign-in is gone: its code may be sent.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
 * sign-in during the call.
 *
 * @code
 * if (flash_erase()) {
 *   int32_t result = tokenward_sign_in_deleted(&sign_in);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] sign_in The sign-in.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_sign_in_deleted(tokenward_sign_in *sign_in);

/**
 * Reads what the browser came back with. What is refused changes nothing: somebody else may have made it up. An error of
 * the service ends the sign-in. Of several faults the first one listed below is returned.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
 * sign-in during the call.
 *
 * @code
 * char code[1024];
 * tokenward_callback callback;
 * int32_t result = tokenward_sign_in_callback(&sign_in, manager, url, code, sizeof code, &callback);
 * if (result != TOKENWARD_OK) return result; // wait for the right one
 * if (callback.kind == TOKENWARD_CALLBACK_ERROR) log_line(code); // access_denied
 * @endcode
 *
 * @param[in,out] sign_in The sign-in.
 * @param[in] manager The manager that the token is for.
 * @param[in] url The whole URL.
 * @param[out] buf Where the code, or the error code as the service spells it, is written, followed by a NUL. What does not
 * fit is read all the same.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success, and if `buf` is too small.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST the browser has come back already
 * @retval TOKENWARD_ERR_OTHER_REDIRECT_URI it is not the redirect URI with a query
 * @retval TOKENWARD_ERR_BAD_URL it has a byte that no URL has, or an escape that is none
 * @retval TOKENWARD_ERR_DUPLICATE_PARAMETER one that is read appears twice
 * @retval TOKENWARD_ERR_OTHER_STATE it belongs to another sign-in, or to none
 * @retval TOKENWARD_ERR_OTHER_ISSUER `iss` is not the provider's issuer, if that is known
 * @retval TOKENWARD_ERR_INVALID_CALLBACK it has neither a code nor an error, or both
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small for the text
 */
int32_t tokenward_sign_in_callback(tokenward_sign_in *sign_in,
                                   const tokenward_manager *manager,
                                   tokenward_span url,
                                   char *buf,
                                   size_t cap,
                                   tokenward_callback *out);

/**
 * Writes the request that presents the code of a callback, once. The token's lifetime counts from here. A refused call
 * changes nothing.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
 * sign-in during the call.
 *
 * @code
 * const tokenward_pair_list none = { NULL, 0 };
 * tokenward_request request;
 * int32_t result = tokenward_sign_in_begin(&sign_in, manager, now_ms, &credentials, none, url, buffer, sizeof buffer, &request);
 * if (result != TOKENWARD_OK) return result;
 * if (!http_post(&request, &answer)) log_line("no answer");
 * tokenward_wipe(buffer, sizeof buffer);
 * @endcode
 *
 * @param[in,out] sign_in The sign-in.
 * @param[in] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[in] credentials What the request presents; nothing of it is kept.
 * @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
 * @param[in] url The callback that brought the code.
 * @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many bytes are
 * needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 * @retval TOKENWARD_ERR_NOT_DUE the code was sent before, or what was stored of the sign-in is not deleted
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the client or a `{name}` needs is empty, or cannot be sent in a header
 * @return Else what tokenward_sign_in_callback() and tokenward_begin() return.
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_begin(tokenward_sign_in *sign_in,
                                const tokenward_manager *manager,
                                uint64_t now_ms,
                                const tokenward_credentials *credentials,
                                tokenward_pair_list values,
                                tokenward_span url,
                                uint8_t *buf,
                                size_t cap,
                                tokenward_request *out);

/**
 * Reads the answer to that request. Its token is kept as by tokenward_install(), but its lifetime counts from the request;
 * an error changes nothing. Either way the sign-in is over.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use manager
 * and sign-in during the call.
 *
 * @code
 * const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
 * tokenward_outcome outcome;
 * int32_t result = tokenward_sign_in_answer(&sign_in, manager, now_ms, &parsed, &outcome);
 * tokenward_wipe(body, sizeof body);
 * if (result != TOKENWARD_OK) return result; // start the sign-in again
 * @endcode
 *
 * @param[in,out] sign_in The sign-in.
 * @param[in,out] manager The manager that the token is for.
 * @param[in] now_ms The caller's clock.
 * @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
 * @param[out] out Written on success; its `detail` also if that explains a refusal.
 * @retval TOKENWARD_OK it is a token, which is stored, or an error that the server gave
 * @retval TOKENWARD_ERR_STALE_REQUEST no code is out, or somebody has signed out or in meanwhile
 * @return Else what tokenward_answer() returns.
 */
int32_t tokenward_sign_in_answer(tokenward_sign_in *sign_in,
                                 tokenward_manager *manager,
                                 uint64_t now_ms,
                                 const tokenward_parsed_answer *answer,
                                 tokenward_outcome *out);

/**
 * Says what to do at `now_ms`, whether the token may be sent, and when to ask again. Changes nothing.
 *
 * May run concurrently with other functions that take this manager as `const`; not from an interrupt handler
 * that can interrupt a call that changes it.
 *
 * @code
 * tokenward_poll_result next;
 * int32_t result = tokenward_poll(manager, now_ms, &next);
 * if (result != TOKENWARD_OK) return result;
 * if (next.next == TOKENWARD_NEXT_REQUEST) return send_token_request();
 * if (next.next == TOKENWARD_NEXT_SUPPLY) log_line(tokenward_reason_name(next.reason));
 * sleep_until(next.poll_at_ms);
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[in] now_ms The caller's clock. A clock that steps back counts as one that stands still.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_poll(const tokenward_manager *manager,
                       uint64_t now_ms,
                       tokenward_poll_result *out);

/**
 * Writes the request that tokenward_poll() asks for. The token's lifetime counts from here. A refused call
 * changes nothing but the clock.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * tokenward_request request;
 * int32_t result = tokenward_begin(manager, now_ms, &credentials, buffer, sizeof buffer, &request);
 * if (result != TOKENWARD_OK) return result;
 * if (!http_post(&request, &answer)) result = tokenward_failed(manager, now_ms, request.id);
 * tokenward_wipe(buffer, sizeof buffer);
 * return result;
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] credentials What the request presents; nothing of it is kept.
 * @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
 * the request is sent.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
 * bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 * @retval TOKENWARD_ERR_REQUEST_IN_FLIGHT one is in flight and has not timed out
 * @retval TOKENWARD_ERR_NOT_DUE tokenward_poll() does not say #TOKENWARD_NEXT_REQUEST
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the grant or a `{name}` needs is empty, a raw Basic id contains `:`
 * or a control character, or the bearer or the value of a field cannot be sent in a header
 * @retval TOKENWARD_ERR_INVALID_PROVIDER an extension grant has no name, or a `{` has no `}`
 * @retval TOKENWARD_ERR_BAD_URL the provider's token endpoint is not a URL, or is ambiguous
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the token endpoint is not `https`
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_begin(tokenward_manager *manager,
                        uint64_t now_ms,
                        const tokenward_credentials *credentials,
                        uint8_t *buf,
                        size_t cap,
                        tokenward_request *out);

/**
 * Writes what the caller's key signs, for a client that authenticates by #tokenward_authentication_private_key_jwt: the
 * signature goes with the credentials of the request that follows, be it tokenward_begin()'s, a sign-in's or a
 * revocation's. One signature is for one request.
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * tokenward_assertion assertion = { .wall_s = *wall_s, .algorithm = &tokenward_algorithm_es256 };
 * fill_random(assertion.random, sizeof assertion.random);
 * tokenward_credentials client = { .client_id = TOKENWARD_TEXT("gateway"), .assertion = &assertion };
 * size_t len;
 * int32_t result = tokenward_signing_input(manager, &client, buffer, sizeof buffer, &len);
 * if (result != TOKENWARD_OK) return result;
 * assertion.signature = sign_es256(buffer, len); // in DER, or as 64 bytes
 * return tokenward_begin(manager, now_ms, &client, buffer, sizeof buffer, &request);
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[in] credentials What the request will present; nothing of it is kept.
 * @param[out] buf Where it is written.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Bytes of it; if `buf` is too small, the bytes needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 * @retval TOKENWARD_ERR_INVALID_PROVIDER no key signs for the client of this provider
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS the client id, the assertion or its algorithm is missing
 * @retval TOKENWARD_ERR_NOT_RANDOM its random bytes are all alike
 * @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_signing_input(const tokenward_manager *manager,
                                const tokenward_credentials *credentials,
                                uint8_t *buf,
                                size_t cap,
                                size_t *len);

/**
 * tokenward_begin() for a request that carries more than its credentials: values for the provider's parameters and
 * header fields, or parameters of the caller's own. A site token has none.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * const tokenward_pair audience[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("devices") } };
 * const tokenward_additions additions = { .parameters = { audience, 1 } };
 * tokenward_request request;
 * int32_t result = tokenward_begin_with(manager, now_ms, &credentials, &additions, buffer, sizeof buffer, &request);
 * if (result != TOKENWARD_OK) return result;
 * if (!http_post(&request, &answer)) result = tokenward_failed(manager, now_ms, request.id);
 * tokenward_wipe(buffer, sizeof buffer);
 * return result;
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] credentials What the request presents; nothing of it is kept.
 * @param[in] additions What it carries beside; NULL: nothing. Nothing of it is kept.
 * @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
 * the request is sent.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
 * bytes are needed.
 * @return What tokenward_begin() returns; #TOKENWARD_ERR_DUPLICATE_PARAMETER if a parameter is sent already.
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_begin_with(tokenward_manager *manager,
                             uint64_t now_ms,
                             const tokenward_credentials *credentials,
                             const tokenward_additions *additions,
                             uint8_t *buf,
                             size_t cap,
                             tokenward_request *out);

/**
 * Reads the answer to a request and keeps its token. Everything is checked before anything is replaced, so a
 * good token stays good. The id is used up by the answer, whatever that was.
 *
 * Every refusal of the input counts as a failed request, except #TOKENWARD_ERR_STALE_REQUEST. After a refused
 * argument (1 to 99) the request is still in flight: answer it again.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * tokenward_outcome outcome;
 * int32_t result = tokenward_answer(manager, now_ms, request.id, &answer, &outcome);
 * tokenward_wipe(body, sizeof body); // what `answer.body` points to held the tokens
 * if (result != TOKENWARD_OK) return result; // tokenward_poll() says when to try again
 * if (outcome.kind == TOKENWARD_ANSWER_ERROR) log_line(tokenward_error_code_name(outcome.code));
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] request_id The `id` that tokenward_begin() gave.
 * @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
 * @param[out] out Written on success; its `detail` also if that explains a refusal.
 * @retval TOKENWARD_OK it is a token, which is stored, or an error that the server gave
 * @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight: nothing changes
 * @retval TOKENWARD_ERR_NOT_JSON not a JSON object
 * @retval TOKENWARD_ERR_TRUNCATED the body stops before its end
 * @retval TOKENWARD_ERR_MALFORMED RFC 8259 refuses the body
 * @retval TOKENWARD_ERR_TOO_DEEP more than 32 containers are open at once
 * @retval TOKENWARD_ERR_DUPLICATE_MEMBER a member that is read appears twice
 * @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_REFRESH_TOKEN the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_TOKEN_TYPE the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_SCOPE_MEMBER the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_ERROR the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_EXPIRES_IN the member is not what it must be
 * @retval TOKENWARD_ERR_ERROR_BESIDE_TOKEN a non-empty `error` next to a token
 * @retval TOKENWARD_ERR_NO_ERROR_CODE no error code under a status other than 2xx
 * @retval TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE it is not a Bearer token
 * @retval TOKENWARD_ERR_MISSING_LIFETIME the provider requires one
 * @retval TOKENWARD_ERR_ALREADY_EXPIRED the token has expired
 * @retval TOKENWARD_ERR_SAME_TOKEN the stored token again, although it is used up
 * @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
 * @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
 * @retval TOKENWARD_ERR_HTTP_STATUS no JSON object under a status other than 2xx
 */
int32_t tokenward_answer(tokenward_manager *manager,
                         uint64_t now_ms,
                         uint64_t request_id,
                         const tokenward_http_answer *answer,
                         tokenward_outcome *out);

/**
 * tokenward_answer() for a caller whose HTTP client has parsed `Retry-After`: an image that calls only this one
 * contains no parser of that field and of dates.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * const uint64_t wait_s = 120; // the HTTP client has read `Retry-After: 120`
 * const tokenward_parsed_answer parsed = { .body = answer.body, .retry_after_s = &wait_s, .status = answer.status };
 * tokenward_outcome outcome;
 * int32_t result = tokenward_answer_parsed(manager, now_ms, request.id, &parsed, &outcome);
 * tokenward_wipe(body, sizeof body);
 * if (result != TOKENWARD_OK) return result; // tokenward_poll() says when to try again
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] request_id The `id` that tokenward_begin() gave.
 * @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
 * @param[out] out Written on success; its `detail` also if that explains a refusal.
 * @return What tokenward_answer() returns.
 */
int32_t tokenward_answer_parsed(tokenward_manager *manager,
                                uint64_t now_ms,
                                uint64_t request_id,
                                const tokenward_parsed_answer *answer,
                                tokenward_outcome *out);

/**
 * Reports that a request got no answer: no connection, a time-out of the caller's own, an answer that was cut
 * off.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * if (!http_post(&request, &answer)) {
 *   int32_t result = tokenward_failed(manager, now_ms, request.id);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] request_id The `id` that tokenward_begin() gave.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight
 */
int32_t tokenward_failed(tokenward_manager *manager,
                         uint64_t now_ms,
                         uint64_t request_id);

/**
 * Writes `Bearer ...`, the value of the `Authorization` field of a request, after checking that the token may be
 * sent there. Of several faults the first one listed below is returned.
 *
 * May run concurrently with other functions that take this manager as `const`; not from an interrupt handler
 * that can interrupt a call that changes it.
 *
 * @code
 * tokenward_header header;
 * int32_t result = tokenward_authorize(manager, now_ms, tokenward_text("GET"), url, value, sizeof value, &header);
 * if (result != TOKENWARD_OK) return result;
 * uint16_t status = http_get(url, value);
 * tokenward_wipe(value, sizeof value);
 * if (status == 401 || status == 403) return refused(header.generation, status);
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] method The request's method; case matters.
 * @param[in] url The request's absolute URL.
 * @param[out] buf Where the value is written, followed by a NUL. It holds the token afterwards: tokenward_wipe()
 * it once the request is sent.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BAD_URL not an absolute URL, or ambiguous
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED not an origin of the provider and environment, or not `https`
 * @retval TOKENWARD_ERR_UNKNOWN_ROUTE no row of the provider's route table
 * @retval TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN a route of the other kind of token
 * @retval TOKENWARD_ERR_OTHER_SITE a route of another site
 * @retval TOKENWARD_ERR_NOT_USABLE there is no token that may be sent now
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_authorize(const tokenward_manager *manager,
                            uint64_t now_ms,
                            tokenward_span method,
                            tokenward_span url,
                            char *buf,
                            size_t cap,
                            tokenward_header *out);

/**
 * Says what to do with a request that carried a token and was refused by a resource server.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * tokenward_retry_result retry;
 * int32_t result = tokenward_rejected(manager, now_ms, header.generation, status, challenge, &retry);
 * if (result != TOKENWARD_OK) return result;
 * if (retry.kind == TOKENWARD_RETRY_NOW) return call_api();
 * if (retry.kind == TOKENWARD_RETRY_SURFACE) log_line(tokenward_reason_name(retry.reason));
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] generation The `generation` that tokenward_authorize() gave with the header.
 * @param[in] status The status code.
 * @param[in] challenge The value of the `WWW-Authenticate` field, with a line feed between several lines; empty if
 * there is none.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_rejected(tokenward_manager *manager,
                           uint64_t now_ms,
                           uint64_t generation,
                           uint16_t status,
                           tokenward_span challenge,
                           tokenward_retry_result *out);

/**
 * tokenward_rejected() for a caller that has parsed the challenge: an image that calls only this one contains no
 * parser of challenges.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * tokenward_retry_result retry;
 * bool narrow = http_field_has("WWW-Authenticate", "insufficient_scope");
 * int32_t result = tokenward_rejected_parsed(manager, now_ms, header.generation, status, narrow, &retry);
 * if (result != TOKENWARD_OK) return result;
 * if (retry.kind == TOKENWARD_RETRY_NOW) return call_api();
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] generation The `generation` that tokenward_authorize() gave with the header.
 * @param[in] status The status code.
 * @param[in] insufficient_scope Whether there is a Bearer challenge with the error `insufficient_scope` (RFC 6750
 * section 3.1).
 * @param[out] out Written on success.
 * @return What tokenward_rejected() returns.
 */
int32_t tokenward_rejected_parsed(tokenward_manager *manager,
                                  uint64_t now_ms,
                                  uint64_t generation,
                                  uint16_t status,
                                  bool insufficient_scope,
                                  tokenward_retry_result *out);

/**
 * Keeps a token that someone else obtained. It replaces access and refresh token, ends reload, backoff and
 * failure, and makes a request in flight stale. Its lifetime counts from `now_ms`. A refresh token may come alone, as
 * from an app that provisions a device: then there is no access token until it has been used. A refused token changes
 * nothing but the clock.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * const uint64_t lifetime_s = 3600;
 * const tokenward_token token = { .access_token = tokenward_text(access_token), .expires_in_s = &lifetime_s };
 * uint64_t generation;
 * int32_t result = tokenward_install(manager, now_ms, &token, &generation);
 * tokenward_wipe(access_token, sizeof access_token);
 * if (result != TOKENWARD_OK) return result;
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] token The token. It is copied into the manager.
 * @param[out] generation The token's generation: written on success.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN a byte outside the provider's alphabet; or none, and no refresh token
 * that the provider has the grant for
 * @retval TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE it is not a Bearer token
 * @retval TOKENWARD_ERR_MISSING_LIFETIME the provider requires one
 * @retval TOKENWARD_ERR_ALREADY_EXPIRED the token has expired
 * @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
 * @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_install(tokenward_manager *manager,
                          uint64_t now_ms,
                          const tokenward_token *token,
                          uint64_t *generation);

/**
 * Keeps what #TOKENWARD_NEXT_SUPPLY asked for: tokenward_install() that counts only for its id. What was asked for before
 * somebody signed out or in comes too late.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * const tokenward_token token = { .access_token = tokenward_text(access_token) }; // from the portal
 * uint64_t generation;
 * int32_t result = tokenward_supplied(manager, now_ms, next.id, &token, &generation);
 * tokenward_wipe(access_token, sizeof access_token);
 * if (result != TOKENWARD_OK) return result;
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_SUPPLY.
 * @param[in] token The token. It is copied into the manager.
 * @param[out] generation The token's generation: written on success.
 * @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
 * @return Else what tokenward_install() returns.
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_supplied(tokenward_manager *manager,
                           uint64_t now_ms,
                           uint64_t id,
                           const tokenward_token *token,
                           uint64_t *generation);

/**
 * Reports that #TOKENWARD_NEXT_SUPPLY brought nothing: a program was not reached, or nobody signed in.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * if (http_get(url, value) != 200) { // the portal is down
 *   int32_t result = tokenward_supply_failed(manager, now_ms, next.id, true);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_SUPPLY.
 * @param[in] retryable Whether it may soon be otherwise.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
 */
int32_t tokenward_supply_failed(tokenward_manager *manager,
                                uint64_t now_ms,
                                uint64_t id,
                                bool retryable);

/**
 * Reports that a load, a store or a supply is being done: tokenward_poll() says #TOKENWARD_NEXT_AWAIT in its place until
 * its answer comes. A loop that does what it is told before it polls again needs no such call.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * if (next.next == TOKENWARD_NEXT_SUPPLY) {
 *   int32_t result = tokenward_took(manager, now_ms, next.id);
 *   if (result != TOKENWARD_OK) return result;
 *   show_sign_in(next.id); // once, however often the loop polls meanwhile
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
 */
int32_t tokenward_took(tokenward_manager *manager,
                       uint64_t now_ms,
                       uint64_t id);

/**
 * Gets until when a person must have signed in again, if the service tells how long a refresh token lives and no grant
 * obtains a token without one. It stays when it is past, and moves when a refresh brings more.
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * uint64_t by_ms;
 * int32_t result = tokenward_sign_in_by(manager, &by_ms);
 * if (result != TOKENWARD_OK) return result;
 * if (by_ms != TOKENWARD_NEVER) show_sign_in_before(by_ms);
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[out] by_ms Written on success: the instant; #TOKENWARD_NEVER if there is none.
 * @retval TOKENWARD_OK done
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_sign_in_by(const tokenward_manager *manager,
                             uint64_t *by_ms);

/**
 * Gets the generation of the newest token that was kept; 0 before the first.
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * uint64_t newest;
 * int32_t result = tokenward_generation(manager, &newest);
 * if (result != TOKENWARD_OK) return result;
 * if (newest != header.generation) return call_api(); // the token has changed since that header was written
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_generation(const tokenward_manager *manager,
                             uint64_t *out);

/**
 * Writes the state as one line of ASCII for a log: no token, no credential, no site and no account is in it.
 * Members that say nothing are left out.
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * char line[256];
 * size_t len;
 * int32_t result = tokenward_state_line(manager, now_ms, line, sizeof line, &len);
 * if (result != TOKENWARD_OK) return result;
 * log_line(line); // service=flute usable=yes next=nothing poll_in_ms=2880000 generation=1
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[out] buf Where the line is written, followed by a NUL: 256 bytes hold any of a preset.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters of the line, without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_state_line(const tokenward_manager *manager,
                             uint64_t now_ms,
                             char *buf,
                             size_t cap,
                             size_t *len);

/**
 * Gets the greatest revision that this manager has written to storage, or found there; 0 without storage. What a caller
 * keeps where nobody can turn it back is the floor of the next start (#tokenward_storage).
 *
 * May run concurrently with other functions that take this manager as `const`.
 *
 * @code
 * uint64_t revision;
 * int32_t result = tokenward_revision(manager, &revision);
 * if (result != TOKENWARD_OK) return result;
 * counter_raise_to(revision); // after tokenward_stored()
 * @endcode
 *
 * @param[in] manager The manager.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_revision(const tokenward_manager *manager,
                           uint64_t *out);

/**
 * Lifts a permanent failure: the configuration was corrected, or the user wants to try again.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * int32_t result = tokenward_retry(manager); // the user has typed the password again
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task();
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_retry(tokenward_manager *manager);

/**
 * Makes a refresh due now; in the meantime the token stays usable.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * int32_t result = tokenward_renew(manager); // the account was given more rights: a new token has them
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task();
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_renew(tokenward_manager *manager);

/**
 * Signs out: wipes the tokens; the manager goes on without one. With storage tokenward_poll() then says to store that
 * nobody is signed in: nothing is erased first. To end a manager, tokenward_wipe() its memory.
 *
 * Not from an interrupt handler; nothing else may use the manager during the call.
 *
 * @code
 * int32_t result = tokenward_clear(manager);
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task(); // which stores it, now that tokenward_poll() says #TOKENWARD_NEXT_STORE
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_clear(tokenward_manager *manager);

/**
 * The name of an error code of the token endpoint, as RFC 6749 section 5.2 and RFC 8628 section 3.5 spell it:
 * `invalid_grant`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * if (outcome.kind == TOKENWARD_ANSWER_ERROR) {
 *   log_line(tokenward_error_code_name(outcome.code)); // invalid_grant
 * }
 * @endcode
 *
 * @param[in] code `TOKENWARD_CODE_*`.
 * @return A string that lives as long as the program; `none` for #TOKENWARD_CODE_NONE, `other` for
 * #TOKENWARD_CODE_OTHER, `unknown` for any other number.
 */
const char *tokenward_error_code_name(tokenward_error_code code);

/**
 * The name of a reason in snake_case, the same in every language: `no_token`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * if (next.next == TOKENWARD_NEXT_SUPPLY) {
 *   log_line(tokenward_reason_name(next.reason)); // refresh_token_rejected
 * }
 * @endcode
 *
 * @param[in] reason `TOKENWARD_REASON_*`.
 * @return A string that lives as long as the program; `none` for #TOKENWARD_REASON_NONE, `unknown` for any other
 * number.
 */
const char *tokenward_reason_name(tokenward_reason reason);

/**
 * The name of what the caller is to do in snake_case, the same in every language: `request`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * tokenward_poll_result said;
 * int32_t result = tokenward_poll(manager, now_ms, &said);
 * if (result != TOKENWARD_OK) return result;
 * log_line(tokenward_next_name(said.next)); // request
 * @endcode
 *
 * @param[in] next `TOKENWARD_NEXT_*`.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_next_name(tokenward_next next);

/**
 * The name of what to do with a refused request in snake_case, the same in every language: `after_refresh`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * tokenward_retry_result retry;
 * int32_t result = tokenward_rejected(manager, now_ms, header.generation, status, challenge, &retry);
 * if (result != TOKENWARD_OK) return result;
 * log_line(tokenward_retry_name(retry.kind)); // after_refresh
 * @endcode
 *
 * @param[in] kind `TOKENWARD_RETRY_*`.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_retry_name(tokenward_retry_kind kind);

/**
 * The library's version: `0.1.0`. The header's is #TOKENWARD_VERSION.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * if (strcmp(tokenward_version(), TOKENWARD_VERSION) != 0) {
 *   log_line("header and library are of different versions");
 * }
 * @endcode
 *
 * @return A string that lives as long as the program.
 */
const char *tokenward_version(void);

/**
 * The library's #TOKENWARD_ABI_VERSION. Where the header has another, header and library do not run together:
 * tokenward_init() and tokenward_describe() answer #TOKENWARD_ERR_ABI, and nothing else is to be called.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * if (tokenward_abi_version() != TOKENWARD_ABI_VERSION) return TOKENWARD_ERR_ABI; // at the start, before anything else
 * @endcode
 *
 * @return The number.
 */
uint32_t tokenward_abi_version(void);

/**
 * Makes a manager without a token in the caller's memory: what the macro tokenward_init() calls.
 *
 * Whatever was in the memory is overwritten, even a manager. The manager lives in that memory; it may be copied
 * to other memory of the same size and alignment, and works there.
 *
 * Not from an interrupt handler; nothing else may use the memory during the call.
 *
 * @code
 * tokenward_manager *manager;
 * int32_t result = tokenward_init_abi(&manager, memory, sizeof memory, &config, TOKENWARD_ABI_VERSION, sizeof config);
 * if (result == TOKENWARD_ERR_ABI) log_line("header and library are of different versions");
 * return result;
 * @endcode
 *
 * @param[out] out The manager: written on success.
 * @param[in,out] memory Aligned as `uint64_t`, of #TOKENWARD_MANAGER_WORDS words: the manager's for as long
 * as it is used. It may be in a `static`, on a stack or on a heap.
 * @param[in] size Bytes of the memory.
 * @param[in] config See its members for what must live on.
 * @param[in] abi_version #TOKENWARD_ABI_VERSION of the header.
 * @param[in] config_size `sizeof(tokenward_config)` of the header.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_ABI header and library are of different versions
 * @retval TOKENWARD_ERR_LENGTH the sum of the capacities is longer than an object may be
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `size` is too small for the capacities
 * @retval TOKENWARD_ERR_INVALID_PROVIDER the token endpoint needs a site and there is none, or the site is `.`
 * or `..`
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_init_abi(tokenward_manager **out,
                           void *memory,
                           size_t size,
                           const tokenward_config *config,
                           uint32_t abi_version,
                           size_t config_size);

/**
 * Checks a description and makes it available as a service: what the macro tokenward_describe() calls. Nothing
 * is copied.
 *
 * The description, with everything that it points to, is checked as arguments are; tokenward_provider_check()
 * says whether its facts can work. No code can check that a part is one of the header's objects.
 *
 * May be called from any thread.
 *
 * @code
 * const tokenward_service *service;
 * int32_t result = tokenward_describe_abi(&acme, &service, TOKENWARD_ABI_VERSION, sizeof acme);
 * if (result != TOKENWARD_OK) return result;
 * config.service = service;
 * @endcode
 *
 * @param[in] mine It must live and stay unchanged, with everything that it points to, for as long as the service
 * is used.
 * @param[out] service Written on success: the same address.
 * @param[in] abi_version #TOKENWARD_ABI_VERSION of the header.
 * @param[in] provider_size `sizeof(tokenward_provider)` of the header.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_ABI header and library are of different versions
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_describe_abi(const tokenward_provider *mine,
                               const tokenward_service **service,
                               uint32_t abi_version,
                               size_t provider_size);

/**
 * Says which fact of a service cannot work: a malformed path, a reserved name, a grant without its
 * authentication. A manager does not call it: it refuses a fault when it meets one. Call it in a test, or at
 * startup if descriptions are read from a file; an image need not contain it.
 *
 * May be called from any thread.
 *
 * @code
 * tokenward_span fact;
 * int32_t result = tokenward_provider_check(service, &fact);
 * if (result == TOKENWARD_ERR_INVALID_PROVIDER) log_bytes(fact.ptr, fact.len); // token_path
 * return result;
 * @endcode
 *
 * @param[in] service The service.
 * @param[out] fact The name of the first such fact, which lives as long as the program: `base_url`; empty if it
 * can work.
 * @retval TOKENWARD_OK it can work
 * @retval TOKENWARD_ERR_INVALID_PROVIDER it cannot; `fact` says why
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_provider_check(const tokenward_service *service,
                                 tokenward_span *fact);

/**
 * The name of a grant, which is its `grant_type` if it has one: `client_credentials`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * if (next.next == TOKENWARD_NEXT_REQUEST) {
 *   log_line(tokenward_grant_name(next.grant)); // client_credentials
 * }
 * @endcode
 *
 * @param[in] grant `TOKENWARD_GRANT_*`.
 * @return A string that lives as long as the program; `none` for #TOKENWARD_GRANT_NONE, `unknown` for any other
 * number.
 */
const char *tokenward_grant_name(tokenward_grant grant);

/**
 * Reads what a token endpoint answered. A 2xx status is a token, or a non-empty `error` without one; every other
 * status is an error answer. Of several faults those of the body itself come first, then the order below.
 *
 * May be called from any thread.
 *
 * @code
 * tokenward_token_answer_result said;
 * int32_t result = tokenward_token_answer(answer.status, answer.body, service, buffer, sizeof buffer, &said);
 * if (result == TOKENWARD_OK && said.kind == TOKENWARD_ANSWER_ERROR) {
 *   log_bytes(said.error_description.ptr, said.error_description.len);
 * }
 * tokenward_wipe(buffer, sizeof buffer);
 * @endcode
 *
 * @param[in] status The status code.
 * @param[in] body The whole body. `out` points into it: it must live as long as `out` is used.
 * @param[in] service The service that answered.
 * @param[out] buf Takes strings that are written with escapes; never more than the body's length. It may hold
 * tokens afterwards. NULL with 0 is enough for a body without escapes whose scope is not an array.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed; if the
 * body is refused, its `offset` says where.
 * @retval TOKENWARD_OK it is a token, or an error that the server gave
 * @retval TOKENWARD_ERR_NOT_JSON not a JSON object
 * @retval TOKENWARD_ERR_TRUNCATED the body stops before its end
 * @retval TOKENWARD_ERR_MALFORMED RFC 8259 refuses the body
 * @retval TOKENWARD_ERR_TOO_DEEP more than 32 containers are open at once
 * @retval TOKENWARD_ERR_DUPLICATE_MEMBER a member that is read appears twice
 * @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_REFRESH_TOKEN the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_TOKEN_TYPE the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_SCOPE_MEMBER the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_ERROR the member is not what it must be
 * @retval TOKENWARD_ERR_INVALID_EXPIRES_IN the member is not what it must be
 * @retval TOKENWARD_ERR_ERROR_BESIDE_TOKEN a non-empty `error` next to a token
 * @retval TOKENWARD_ERR_NO_ERROR_CODE no error code under a status other than 2xx
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_token_answer(uint16_t status,
                               tokenward_span body,
                               const tokenward_service *service,
                               uint8_t *buf,
                               size_t cap,
                               tokenward_token_answer_result *out);

/**
 * Checks a whole `WWW-Authenticate` field and counts its challenges. Check several field lines one by one, or
 * joined by commas. The time grows with the square of the parameters of one challenge.
 *
 * May be called from any thread.
 *
 * @code
 * size_t count;
 * int32_t result = tokenward_challenges(challenge, &count);
 * if (result != TOKENWARD_OK) return result;
 * for (size_t i = 0; i < count; i++) log_challenge(challenge, i);
 * @endcode
 *
 * @param[in] field The value of the field.
 * @param[out] count Written on success.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_CHALLENGE not the grammar of RFC 9110, or a parameter twice in one challenge
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_challenges(tokenward_span field,
                             size_t *count);

/**
 * Reads one challenge of a `WWW-Authenticate` field.
 *
 * May be called from any thread.
 *
 * @code
 * tokenward_challenge first;
 * int32_t result = tokenward_challenge_at(challenge, 0, &first);
 * if (result != TOKENWARD_OK) return result;
 * log_bytes(first.scheme.ptr, first.scheme.len); // Bearer
 * @endcode
 *
 * @param[in] field `out` points into it: it must live as long as `out` is used.
 * @param[in] index The challenge's position, from 0.
 * @param[out] out Written on success.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_CHALLENGE the field is not what tokenward_challenges() takes
 * @retval TOKENWARD_ERR_NO_SUCH_ITEM there are fewer challenges
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_challenge_at(tokenward_span field,
                               size_t index,
                               tokenward_challenge *out);

/**
 * Reads one parameter of a challenge, by position or by name: the value is copied without quotes and with each
 * quoted-pair replaced (RFC 9110 section 5.6.4).
 *
 * May be called from any thread.
 *
 * @code
 * char scope[64];
 * tokenward_challenge_param param;
 * int32_t result =
 *   tokenward_challenge_param_at(challenge, 0, tokenward_text("scope"), 0, scope, sizeof scope, &param);
 * if (result == TOKENWARD_OK) log_line(scope); // what the request needs
 * return result;
 * @endcode
 *
 * @param[in] field `out` points into it: it must live as long as `out` is used.
 * @param[in] index The challenge's position, from 0.
 * @param[in] name The parameter's name, whose case does not matter. Empty: by `place`.
 * @param[in] place The parameter's position, from 0; ignored if there is a name.
 * @param[out] buf Where the value is written, followed by a NUL.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_CHALLENGE the field is not what tokenward_challenges() takes
 * @retval TOKENWARD_ERR_NO_SUCH_ITEM there is no such challenge or parameter
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_challenge_param_at(tokenward_span field,
                                     size_t index,
                                     tokenward_span name,
                                     size_t place,
                                     char *buf,
                                     size_t cap,
                                     tokenward_challenge_param *out);

/**
 * Gets the seconds from now until a `Retry-After` field lets the request be sent again (RFC 9110 section
 * 10.2.3).
 *
 * May be called from any thread.
 *
 * @code
 * uint64_t wait_s;
 * int32_t result = tokenward_retry_after(answer.retry_after, wall_s, &wait_s);
 * if (result != TOKENWARD_OK) return result;
 * sleep_until(now_ms + (wait_s < 3600 ? wait_s : 3600) * 1000);
 * @endcode
 *
 * @param[in] value The field's value: seconds or an HTTP-date.
 * @param[in] wall_s The time of day in Unix seconds, which a date needs; NULL if the device does not know it.
 * @param[out] seconds Written on success.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_RETRY_AFTER neither form, or a date without the time of day
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_retry_after(tokenward_span value,
                              const uint64_t *wall_s,
                              uint64_t *seconds);

/**
 * Reads an HTTP-date in any of its three forms (RFC 9110 section 5.6.7).
 *
 * May be called from any thread.
 *
 * @code
 * uint64_t unix_s;
 * int32_t result = tokenward_http_date(date, wall_s, &unix_s); // Sun, 06 Nov 1994 08:49:37 GMT
 * if (result != TOKENWARD_OK) return result;
 * set_clock(unix_s);
 * @endcode
 *
 * @param[in] value The field's value.
 * @param[in] wall_s The time of day in Unix seconds, which the form with a year of two digits needs; NULL if the
 * device does not know it.
 * @param[out] unix_s Written on success: Unix seconds; an earlier date is 0.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_HTTP_DATE none of the forms, or not a date of the calendar
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_http_date(tokenward_span value,
                            const uint64_t *wall_s,
                            uint64_t *unix_s);

/**
 * Reads the registered claims of a JWT. They are what the token says of itself, no signature is checked: base no
 * decision on them (RFC 9068 section 6).
 *
 * May be called from any thread.
 *
 * @code
 * tokenward_claims claims;
 * int32_t result = tokenward_jwt_claims(tokenward_text(access_token), buffer, sizeof buffer, &claims);
 * if (result == TOKENWARD_OK && claims.has_exp && wall_s && claims.exp_s <= *wall_s) log_line("it has expired");
 * tokenward_wipe(buffer, sizeof buffer);
 * return result;
 * @endcode
 *
 * @param[in] token The token.
 * @param[out] buf Takes the decoded payload, at most three quarters of the token's length, and the subject once
 * more if that is written with escapes.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its `sub` points into `buf`. If `buf` is too small, its `len` says how
 * many bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_JWT not three base64url parts
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 * @retval TOKENWARD_ERR_NOT_JSON the payload is not a JSON object
 * @retval TOKENWARD_ERR_TRUNCATED the payload stops before its end
 * @retval TOKENWARD_ERR_MALFORMED RFC 8259 refuses the payload
 * @retval TOKENWARD_ERR_TOO_DEEP more than 32 containers are open at once
 * @retval TOKENWARD_ERR_DUPLICATE_MEMBER a claim that is read appears twice
 * @retval TOKENWARD_ERR_INVALID_CLAIM a time that is not a number, or negative; a subject that is not a string
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_jwt_claims(tokenward_span token,
                             uint8_t *buf,
                             size_t cap,
                             tokenward_claims *out);

/**
 * The name of a result in snake_case, the same in every language: `not_json`.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * int32_t result = tokenward_failed(manager, now_ms, request.id);
 * if (result != TOKENWARD_OK) {
 *   log_line(tokenward_result_name(result)); // stale_request
 * }
 * @endcode
 *
 * @param[in] result What a function returned.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_result_name(tokenward_result result);

/**
 * What a result means, and what to do, in one English sentence.
 *
 * May be called from any thread and from an interrupt handler.
 *
 * @code
 * int32_t result = tokenward_failed(manager, now_ms, request.id);
 * if (result != TOKENWARD_OK) {
 *   log_line(tokenward_result_text(result)); // The answer is to an earlier token request: ignore it.
 * }
 * @endcode
 *
 * @param[in] result What a function returned.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_result_text(tokenward_result result);

/**
 * Hands over what was in each place of storage, after #TOKENWARD_NEXT_LOAD.
 *
 * All that is refused but #TOKENWARD_ERR_STALE_REQUEST and wrong arguments has been read all the same: nothing in storage
 * was of use, and tokenward_poll() says what follows.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * tokenward_found found;
 * int32_t result = tokenward_loaded(manager, now_ms, wall_s, next.id, key, &snapshot, 1, &found);
 * tokenward_wipe(buffer, sizeof buffer); // the snapshot was read into it
 * log_line(result == TOKENWARD_OK ? tokenward_found_name(found) : tokenward_result_text(result));
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then access tokens
 * that expire are not taken.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_LOAD.
 * @param[in] key 32 random bytes.
 * @param[in] slots What was in each place of storage, in their order; NULL with 0 stands for a place in
 * which nothing is; one that exists and holds no bytes, as a file of length 0 does, has another pointer and the length 0, and
 * counts as damaged. The tokens are copied.
 * @param[in] count How many spans there are.
 * @param[out] found `TOKENWARD_FOUND_*`: written on success.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_OUT_OF_RANGE more than #TOKENWARD_STORAGE_SLOTS spans
 * @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
 * @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the load
 * @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated or tampered with
 * @retval TOKENWARD_ERR_OTHER_SNAPSHOT_VERSION written by another version
 * @retval TOKENWARD_ERR_OTHER_SNAPSHOT_KEY sealed with another key
 * @retval TOKENWARD_ERR_FOREIGN_SNAPSHOT of another provider, environment or subject
 * @retval TOKENWARD_ERR_STALE_SNAPSHOT older than the storage's floor
 * @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
 * @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
 */
int32_t tokenward_loaded(tokenward_manager *manager,
                         uint64_t now_ms,
                         const uint64_t *wall_s,
                         uint64_t id,
                         tokenward_span key,
                         const tokenward_span *slots,
                         size_t count,
                         tokenward_found *found);

/**
 * Reports that storage could not be read: it is locked, or a folder is missing. That it holds nothing is no failure.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * if (!flash_read(&snapshot)) {
 *   int32_t result = tokenward_load_failed(manager, now_ms, next.id);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_LOAD.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the load
 */
int32_t tokenward_load_failed(tokenward_manager *manager,
                              uint64_t now_ms,
                              uint64_t id);

/**
 * Writes what #TOKENWARD_NEXT_STORE is for into `buf`, sealed under `key` (HMAC-SHA-256). It goes into the place `slot`
 * that tokenward_poll() named.
 *
 * The seal proves that nobody without the key has changed it. It does not encrypt the tokens, nor does it prove
 * that the snapshot is the newest: that takes the floor of #tokenward_storage.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * size_t len;
 * int32_t result = tokenward_snapshot(manager, now_ms, wall_s, next.id, key, buffer, sizeof buffer, &len);
 * bool written = result == TOKENWARD_OK && flash_write(buffer, len);
 * tokenward_wipe(buffer, sizeof buffer);
 * return written ? tokenward_stored(manager, now_ms, next.id) : tokenward_store_failed(manager, now_ms, next.id);
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then a restart keeps
 * only the refresh token.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
 * @param[in] key 32 random bytes.
 * @param[out] buf Where it is written. It holds the tokens afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Bytes that were written; if `buf` is too small, the bytes needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
 * @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
 * @retval TOKENWARD_ERR_NOT_DUE tokenward_poll() does not say #TOKENWARD_NEXT_STORE any more
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_snapshot(tokenward_manager *manager,
                           uint64_t now_ms,
                           const uint64_t *wall_s,
                           uint64_t id,
                           tokenward_span key,
                           uint8_t *buf,
                           size_t cap,
                           size_t *len);

/**
 * Reports that the snapshot of #TOKENWARD_NEXT_STORE is in its place.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * if (flash_write(snapshot.ptr, snapshot.len)) {
 *   int32_t result = tokenward_stored(manager, now_ms, next.id);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
 * @retval TOKENWARD_ERR_NOT_DUE tokenward_snapshot() has not written a snapshot for it
 */
int32_t tokenward_stored(tokenward_manager *manager,
                         uint64_t now_ms,
                         uint64_t id);

/**
 * Reports that the snapshot of #TOKENWARD_NEXT_STORE could not be written, or that it is not known whether it was.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * if (!flash_write(snapshot.ptr, snapshot.len)) {
 *   int32_t result = tokenward_store_failed(manager, now_ms, next.id);
 *   if (result != TOKENWARD_OK) return result;
 * }
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @param[in] now_ms The caller's clock.
 * @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
 */
int32_t tokenward_store_failed(tokenward_manager *manager,
                               uint64_t now_ms,
                               uint64_t id);

/**
 * Makes tokenward_poll() say #TOKENWARD_NEXT_LOAD now: others may have changed what is in storage.
 *
 * Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
 * use the manager during the call.
 *
 * @code
 * int32_t result = tokenward_reload(manager); // somebody has signed out on the panel, which shares the storage
 * if (result != TOKENWARD_OK) return result;
 * wake_token_task();
 * @endcode
 *
 * @param[in,out] manager The manager.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_reload(tokenward_manager *manager);

/**
 * The name of what was found in storage in snake_case, the same in every language: `signed_out`.
 *
 * Only in a library that was built with the feature `snapshot`. May be called from any thread and from an interrupt
 * handler.
 *
 * @code
 * tokenward_found found;
 * int32_t result = tokenward_loaded(manager, now_ms, wall_s, next.id, key, &snapshot, 1, &found);
 * if (result != TOKENWARD_OK) return result;
 * log_line(tokenward_found_name(found)); // signed_out
 * @endcode
 *
 * @param[in] found `TOKENWARD_FOUND_*`.
 * @return A string that lives as long as the program; `unknown` for any other number.
 */
const char *tokenward_found_name(tokenward_found found);

/**
 * Writes `Bearer ...`, the value of an `Authorization` field, for a token that no manager keeps.
 *
 * May be called from any thread.
 *
 * @code
 * size_t len;
 * int32_t result = tokenward_bearer(tokenward_text(access_token), value, sizeof value, &len);
 * if (result != TOKENWARD_OK) return result;
 * uint16_t status = http_get(url, value);
 * tokenward_wipe(value, sizeof value);
 * if (status != 200) log_line("refused");
 * @endcode
 *
 * @param[in] token The token.
 * @param[out] buf Where the value is written, followed by a NUL. It holds the token afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN empty, or a byte outside 0x21 to 0x7E, which could end the field
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_bearer(tokenward_span token,
                         char *buf,
                         size_t cap,
                         size_t *len);

/**
 * Writes `Basic ...`, the value of an `Authorization` field, with id and secret form-encoded first, as RFC 6749
 * section 2.3.1 says.
 *
 * May be called from any thread.
 *
 * @code
 * size_t len;
 * int32_t result = tokenward_basic(credentials.client_id, credentials.client_secret, value, sizeof value, &len);
 * if (result != TOKENWARD_OK) return result;
 * uint16_t status = http_get(url, value);
 * tokenward_wipe(value, sizeof value);
 * if (status != 200) log_line("refused");
 * @endcode
 *
 * @param[in] id The client id.
 * @param[in] secret The client secret.
 * @param[out] buf Where the value is written, followed by a NUL. It holds the secret afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS the id is empty
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_basic(tokenward_span id,
                        tokenward_span secret,
                        char *buf,
                        size_t cap,
                        size_t *len);

/**
 * tokenward_basic() with id and secret as they are (RFC 7617): what `curl -u` sends.
 *
 * May be called from any thread.
 *
 * @code
 * size_t len;
 * int32_t result = tokenward_basic_raw(credentials.username, credentials.password, value, sizeof value, &len);
 * if (result != TOKENWARD_OK) return result;
 * uint16_t status = http_get(url, value);
 * tokenward_wipe(value, sizeof value);
 * if (status != 200) log_line("refused");
 * @endcode
 *
 * @param[in] id The user or client id.
 * @param[in] secret The password or client secret.
 * @param[out] buf Where the value is written, followed by a NUL. It holds the secret afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @return What tokenward_basic() returns; #TOKENWARD_ERR_WRONG_CREDENTIALS also for an id that contains `:`.
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_basic_raw(tokenward_span id,
                            tokenward_span secret,
                            char *buf,
                            size_t cap,
                            size_t *len);

/**
 * Encodes a name or a value as `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
 *
 * May be called from any thread.
 *
 * @code
 * char encoded[32];
 * size_t len;
 * int32_t result = tokenward_form_encode(tokenward_text("read write"), encoded, sizeof encoded, &len);
 * if (result != TOKENWARD_OK) return result;
 * log_line(encoded); // read+write
 * @endcode
 *
 * @param[in] value The name or the value.
 * @param[out] buf Where it is written, followed by a NUL.
 * @param[in] cap Bytes of `buf`.
 * @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_form_encode(tokenward_span value,
                              char *buf,
                              size_t cap,
                              size_t *len);

/**
 * Writes a request to a token endpoint that no manager sends.
 *
 * May be called from any thread.
 *
 * @code
 * const tokenward_pair audience[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("devices") } };
 * const tokenward_additions additions = { .parameters = { audience, 1 } };
 * tokenward_request request;
 * int32_t result = tokenward_token_request(&config, TOKENWARD_GRANT_CLIENT_CREDENTIALS, &credentials,
 *                                          tokenward_text(NULL), &additions, buffer, sizeof buffer, &request);
 * if (result == TOKENWARD_OK && !http_post(&request, &answer)) log_line("no answer");
 * tokenward_wipe(buffer, sizeof buffer);
 * @endcode
 *
 * @param[in] config The service and whose token it is; nothing else of it is read.
 * @param[in] grant `TOKENWARD_GRANT_*`.
 * @param[in] credentials What the request presents.
 * @param[in] refresh_token What #TOKENWARD_GRANT_REFRESH_TOKEN presents.
 * @param[in] additions What it carries beside; NULL: nothing.
 * @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
 * @param[in] cap Bytes of `buf`.
 * @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
 * bytes are needed.
 * @retval TOKENWARD_OK done
 * @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
 * @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the grant needs is empty, a raw Basic id contains `:` or a
 * control character, or the bearer cannot be sent in a header
 * @retval TOKENWARD_ERR_DUPLICATE_PARAMETER an extra parameter is sent already
 * @retval TOKENWARD_ERR_INVALID_PROVIDER it does not say how the client authenticates, or its token endpoint
 * needs a site and there is none
 * @retval TOKENWARD_ERR_BAD_URL the token endpoint is not a URL, or is ambiguous
 * @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the token endpoint is not `https`
 */
TOKENWARD_MUST_CHECK
int32_t tokenward_token_request(const tokenward_config *config,
                                tokenward_grant grant,
                                const tokenward_credentials *credentials,
                                tokenward_span refresh_token,
                                const tokenward_additions *additions,
                                uint8_t *buf,
                                size_t cap,
                                tokenward_request *out);

/**
 * Overwrites memory with zeros, even if the compiler sees that nobody reads it again: a buffer that a request, a
 * header or a snapshot was written to, or the memory of a manager, which ends there.
 *
 * May be called from any thread.
 *
 * @code
 * int32_t result = tokenward_wipe(memory, sizeof memory); // the manager ends, and its tokens are gone
 * if (result != TOKENWARD_OK) return result;
 * manager = NULL;
 * @endcode
 *
 * @param[out] memory The memory. NULL with 0 is none.
 * @param[in] size Bytes of it.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_wipe(void *memory,
                       size_t size);

/**
 * Widens a 32-bit tick counter that wraps (milliseconds: every 49.7 days). Feed it at least once for each half
 * wrap of the counter. Ticks that were read out of order are not taken for a wrap: they give the last instant
 * again.
 *
 * Nothing else may use `clock_ms` during the call.
 *
 * @code
 * static uint64_t clock_ms; // 0 before the first call
 * int32_t result = tokenward_widen_ticks(&clock_ms, tick_count());
 * if (result != TOKENWARD_OK) return result;
 * now_ms = clock_ms;
 * @endcode
 *
 * @param[in,out] clock_ms The instant of the last value, 0 before the first; then the instant of this one.
 * @param[in] ticks The counter.
 * @retval TOKENWARD_OK done
 */
int32_t tokenward_widen_ticks(uint64_t *clock_ms,
                              uint32_t ticks);

#ifdef __cplusplus
}
#endif

#endif
