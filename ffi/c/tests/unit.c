/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tokenward.h promises, function by function. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four before it. */
#include <cmocka.h>
#include <tokenward/tokenward.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(string) tokenward_text(string)

enum { ACCESS = 64, REFRESH = 32 };

static const tokenward_pair_list no_values = { NULL, 0 };
static const uint8_t KEY[32] = { 1, 2, 3 };
static const char URL[] = "https://sandbox.api.flute.com/v2/orders";
static const char TOKEN[] =
  "{\"access_token\":\"first\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"again\"}";
static const uint8_t NOT_UTF8[] = { 'a', 0xFF };

typedef struct fixture {
  uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS, REFRESH)];
  tokenward_provider provider;
  tokenward_policy policy;
  tokenward_config config;
  tokenward_credentials credentials;
  tokenward_manager *manager;
  uint8_t buf[512];
} fixture;

static int set_up(void **state) {
  static const tokenward_policy DEFAULT = TOKENWARD_POLICY_DEFAULT;
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  f->policy = DEFAULT;
  f->policy.jitter_permille = 0;
  f->provider = tokenward_provider_of(&tokenward_flute_sandbox);
  f->provider.policy = &f->policy;
  assert_int_equal(tokenward_describe(&f->provider, &f->config.service), TOKENWARD_OK);
  f->config.access_capacity = ACCESS;
  f->config.refresh_capacity = REFRESH;
  f->credentials.client_id = TEXT("id");
  f->credentials.client_secret = TEXT("secret");
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  free(*state);
  return 0;
}

static tokenward_span span(const void *ptr, size_t len) {
  tokenward_span made = { ptr, len };
  return made;
}

static void assert_span(tokenward_span given, const char *expected) {
  assert_int_equal(given.len, strlen(expected));
  assert_memory_equal(given.ptr, expected, given.len);
}

/* Begins a request and answers it at `at`. */
static int32_t answer_with(fixture *f, uint64_t at, uint16_t status, tokenward_span body, tokenward_outcome *outcome) {
  tokenward_request request;
  tokenward_http_answer answer = { 0 };
  answer.status = status;
  answer.body = body;
  assert_int_equal(tokenward_begin(f->manager, at, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  return tokenward_answer(f->manager, at, request.id, &answer, outcome);
}

static void hold_token(fixture *f) {
  tokenward_outcome outcome;
  assert_int_equal(answer_with(f, 0, 200, TEXT(TOKEN), &outcome), TOKENWARD_OK);
}

/* ---- the run loop */

static void the_run_loop_keeps_a_token(void **state) {
  fixture *f = *state;
  tokenward_poll_result poll;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_header header;
  tokenward_http_answer answer = { 0 };
  char value[32];

  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_REQUEST);
  assert_int_equal(poll.grant, TOKENWARD_GRANT_CLIENT_CREDENTIALS);
  assert_false(poll.usable);
  assert_false(poll.changes);
  assert_true(poll.poll_at_ms == TOKENWARD_NEVER);

  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_span(request.method, "POST");
  assert_span(request.url, "https://sandbox.oauth.api.flute.com/oauth2/token");
  assert_span(request.authorization, "Basic aWQ6c2VjcmV0");
  assert_span(request.content_type, "application/x-www-form-urlencoded");
  assert_span(request.accept, "application/json");
  assert_span(request.accept_encoding, "identity");
  assert_span(request.body, "grant_type=client_credentials&scope=offline_access");
  assert_ptr_equal(request.url.ptr, f->buf);

  assert_int_equal(tokenward_poll(f->manager, 1, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_AWAIT);
  assert_int_equal(poll.id, request.id);
  assert_true(poll.changes);
  assert_int_equal(poll.poll_at_ms, 30000);

  answer.status = 200;
  answer.body = TEXT(TOKEN);
  assert_int_equal(tokenward_answer(f->manager, 250, request.id, &answer, &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.kind, TOKENWARD_ANSWER_TOKEN);
  assert_int_equal(outcome.generation, 1);
  assert_int_equal(outcome.code, TOKENWARD_CODE_NONE);

  assert_int_equal(tokenward_authorize(f->manager, 300, TEXT("GET"), TEXT(URL), value, sizeof value, &header),
                   TOKENWARD_OK);
  assert_string_equal(value, "Bearer first");
  assert_int_equal(header.len, strlen("Bearer first"));
  assert_int_equal(header.generation, 1);

  assert_int_equal(tokenward_poll(f->manager, 2880000, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_REQUEST);
  assert_int_equal(poll.grant, TOKENWARD_GRANT_REFRESH_TOKEN);
  assert_true(poll.usable);
}

static void a_copied_block_goes_on_where_it_is(void **state) {
  fixture *f = *state;
  uint64_t other[COUNT(f->memory)];
  tokenward_manager *copy = (tokenward_manager *)other;
  tokenward_poll_result poll;
  tokenward_header header;
  char value[32];
  hold_token(f);
  memcpy(other, f->memory, sizeof other);
  assert_int_equal(tokenward_wipe(f->memory, sizeof f->memory), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 1, &poll), TOKENWARD_ERR_UNINITIALIZED);
  assert_int_equal(tokenward_poll(copy, 1, &poll), TOKENWARD_OK);
  assert_true(poll.usable);
  assert_int_equal(tokenward_authorize(copy, 1, TEXT("GET"), TEXT(URL), value, sizeof value, &header), TOKENWARD_OK);
  assert_string_equal(value, "Bearer first");
}

static void a_failed_request_backs_off(void **state) {
  fixture *f = *state;
  tokenward_request request;
  tokenward_poll_result poll;
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(tokenward_failed(f->manager, 10, request.id + 1), TOKENWARD_ERR_STALE_REQUEST);
  assert_int_equal(tokenward_failed(f->manager, 10, request.id), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 10, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_WAIT);
  assert_int_equal(poll.poll_at_ms, 2010);
}

static void a_retry_after_beats_the_backoff(void **state) {
  fixture *f = *state;
  tokenward_request request;
  tokenward_poll_result poll;
  tokenward_outcome outcome;
  tokenward_http_answer answer = { 0 };
  const uint64_t wall = 784111777;
  answer.status = 503;
  answer.body = TEXT("{\"error\":\"busy\"}");
  answer.retry_after = TEXT("Sun, 06 Nov 1994 08:50:37 GMT");
  answer.wall_s = &wall;
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(tokenward_answer(f->manager, 0, request.id, &answer, &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.kind, TOKENWARD_ANSWER_ERROR);
  assert_int_equal(outcome.code, TOKENWARD_CODE_OTHER);
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.poll_at_ms, 60000);
}

static void a_client_that_has_read_the_fields_says_what_they_say(void **state) {
  fixture *f = *state;
  tokenward_request request;
  tokenward_poll_result poll;
  tokenward_outcome outcome;
  tokenward_parsed_answer answer = { 0 };
  const uint64_t wall = 1300000000;
  const uint64_t wait = 60;
  answer.status = 503;
  answer.body = TEXT("{\"error\":\"busy\"}");
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(tokenward_answer_parsed(f->manager, 0, request.id, &answer, &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.code, TOKENWARD_CODE_OTHER);
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.poll_at_ms, 2000);
  answer.retry_after_s = &wait;
  assert_int_equal(tokenward_begin(f->manager, 2000, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(tokenward_answer_parsed(f->manager, 2000, request.id, &answer, &outcome), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 2000, &poll), TOKENWARD_OK);
  assert_int_equal(poll.poll_at_ms, 62000);

  /* Its exp is 100 seconds ahead; without the time of day an hour is assumed. */
  const tokenward_missing_lifetime told = { TOKENWARD_LIFETIME_TOLD, 3600, &tokenward_expiry_jwt };
  f->provider.missing_lifetime = told;
  for (int known = 0; known < 2; known++) {
    assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
    answer.status = 200;
    answer.body = TEXT("{\"access_token\":\"eyJhbGciOiJub25lIn0.eyJleHAiOjEzMDAwMDAxMDB9.c2ln\"}");
    answer.retry_after_s = NULL;
    answer.wall_s = known ? &wall : NULL;
    assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
    assert_int_equal(tokenward_answer_parsed(f->manager, 0, request.id, &answer, &outcome), TOKENWARD_OK);
    assert_int_equal(outcome.kind, TOKENWARD_ANSWER_TOKEN);
    assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
    assert_int_equal(poll.poll_at_ms, known ? 80000 : 2880000);
  }
}

static void each_error_code_has_its_number(void **state) {
  static const struct {
    const char *body;
    int32_t code;
    int32_t reason;
  } CODES[] = {
    { "{\"error\":\"invalid_request\"}", TOKENWARD_CODE_INVALID_REQUEST, TOKENWARD_REASON_INVALID_REQUEST },
    { "{\"error\":\"invalid_client\"}", TOKENWARD_CODE_INVALID_CLIENT, TOKENWARD_REASON_INVALID_CLIENT },
    { "{\"error\":\"invalid_grant\"}", TOKENWARD_CODE_INVALID_GRANT, TOKENWARD_REASON_GRANT_REJECTED },
    { "{\"error\":\"unauthorized_client\"}", TOKENWARD_CODE_UNAUTHORIZED_CLIENT,
      TOKENWARD_REASON_UNAUTHORIZED_CLIENT },
    { "{\"error\":\"unsupported_grant_type\"}", TOKENWARD_CODE_UNSUPPORTED_GRANT_TYPE,
      TOKENWARD_REASON_UNSUPPORTED_GRANT_TYPE },
    { "{\"error\":\"invalid_scope\"}", TOKENWARD_CODE_INVALID_SCOPE, TOKENWARD_REASON_INVALID_SCOPE },
    { "{\"error\":\"slow_down\"}", TOKENWARD_CODE_SLOW_DOWN, TOKENWARD_REASON_NONE },
    { "{\"error\":\"of_its_own\"}", TOKENWARD_CODE_OTHER, TOKENWARD_REASON_NONE },
  };
  fixture *f = *state;
  for (size_t i = 0; i < COUNT(CODES); i++) {
    tokenward_outcome outcome;
    tokenward_poll_result poll;
    assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
    assert_int_equal(answer_with(f, 0, 400, TEXT(CODES[i].body), &outcome), TOKENWARD_OK);
    assert_int_equal(outcome.kind, TOKENWARD_ANSWER_ERROR);
    assert_int_equal(outcome.code, CODES[i].code);
    assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
    assert_int_equal(poll.reason, CODES[i].reason);
    if (CODES[i].reason != TOKENWARD_REASON_NONE) {
      assert_int_equal(poll.next, TOKENWARD_NEXT_SUPPLY);
      assert_int_equal(tokenward_retry(f->manager), TOKENWARD_OK);
      assert_int_equal(tokenward_poll(f->manager, 1000, &poll), TOKENWARD_OK);
      assert_int_equal(poll.next, TOKENWARD_NEXT_REQUEST);
    }
  }
}

static void a_refused_answer_says_where_or_how_much(void **state) {
  static const struct {
    const char *body;
    int32_t result;
    size_t detail;
  } BODIES[] = {
    { "{\"access_token\":", TOKENWARD_ERR_TRUNCATED, 16 },
    { "{\"access_token\":x}", TOKENWARD_ERR_MALFORMED, 16 },
    { "{\"access_token\":\"01234567890123456789012345678901234567890123456789012345678901234\"}",
      TOKENWARD_ERR_TOO_LONG, 65 },
    { "<html>", TOKENWARD_ERR_NOT_JSON, SIZE_MAX },
  };
  fixture *f = *state;
  for (size_t i = 0; i < COUNT(BODIES); i++) {
    tokenward_outcome outcome = { 0 };
    outcome.detail = SIZE_MAX;
    assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
    assert_int_equal(answer_with(f, 0, 200, TEXT(BODIES[i].body), &outcome), BODIES[i].result);
    assert_int_equal(outcome.detail, BODIES[i].detail);
  }
}

static void a_refused_argument_leaves_the_request_out(void **state) {
  fixture *f = *state;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_http_answer answer = { 0 };
  answer.status = 200;
  answer.body = span(NULL, 3);
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(tokenward_answer(f->manager, 0, request.id, &answer, &outcome), TOKENWARD_ERR_NULL);
  answer.body = TEXT(TOKEN);
  assert_int_equal(tokenward_answer(f->manager, 0, request.id, &answer, &outcome), TOKENWARD_OK);
}

static void a_refusal_by_a_server_is_decided(void **state) {
  fixture *f = *state;
  tokenward_retry_result retry;
  uint64_t generation;
  hold_token(f);
  assert_int_equal(tokenward_generation(f->manager, &generation), TOKENWARD_OK);
  assert_int_equal(generation, 1);
  assert_int_equal(tokenward_rejected(f->manager, 1, 1, 403, span(NULL, 0), &retry), TOKENWARD_OK);
  assert_int_equal(retry.kind, TOKENWARD_RETRY_SURFACE);
  assert_int_equal(retry.reason, TOKENWARD_REASON_FORBIDDEN);
  assert_int_equal(
    tokenward_rejected(f->manager, 1, 1, 401, TEXT("Bearer error=\"insufficient_scope\""), &retry), TOKENWARD_OK);
  assert_int_equal(retry.reason, TOKENWARD_REASON_INSUFFICIENT_SCOPE);
  assert_int_equal(tokenward_rejected_parsed(f->manager, 1, 1, 401, true, &retry), TOKENWARD_OK);
  assert_int_equal(retry.reason, TOKENWARD_REASON_INSUFFICIENT_SCOPE);
  assert_int_equal(tokenward_rejected_parsed(f->manager, 1, 1, 401, false, &retry), TOKENWARD_OK);
  assert_int_equal(retry.reason, TOKENWARD_REASON_REJECTED);
  assert_int_equal(tokenward_rejected(f->manager, 1, 1, 401, span(NULL, 0), &retry), TOKENWARD_OK);
  assert_int_equal(retry.reason, TOKENWARD_REASON_REJECTED);
  assert_int_equal(tokenward_rejected(f->manager, 1, 1, 500, span(NULL, 0), &retry), TOKENWARD_OK);
  assert_int_equal(retry.reason, TOKENWARD_REASON_NOT_AN_AUTHENTICATION_FAILURE);
  assert_int_equal(tokenward_rejected(f->manager, 31000, 1, 401, span(NULL, 0), &retry), TOKENWARD_OK);
  assert_int_equal(retry.kind, TOKENWARD_RETRY_AFTER_REFRESH);
  assert_int_equal(retry.reason, TOKENWARD_REASON_NONE);
}

static void a_static_token_is_installed_and_revoked(void **state) {
  fixture *f = *state;
  tokenward_token token = { 0 };
  tokenward_poll_result poll;
  tokenward_retry_result retry;
  uint64_t generation = 0;
  f->config.service = &tokenward_flip_utility_api_key_production;
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_SUPPLY);
  assert_int_equal(poll.reason, TOKENWARD_REASON_NO_TOKEN);
  token.access_token = TEXT("fl_key");
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  assert_int_equal(generation, 1);
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_NOTHING);
  assert_true(poll.usable);
  assert_int_equal(tokenward_rejected(f->manager, 1, 1, 401, span(NULL, 0), &retry), TOKENWARD_OK);
  assert_int_equal(retry.kind, TOKENWARD_RETRY_SURFACE);
  assert_int_equal(retry.reason, TOKENWARD_REASON_REVOKED);
}

static void an_installed_token_is_checked(void **state) {
  fixture *f = *state;
  tokenward_token token = { 0 };
  uint64_t generation = 77;
  uint64_t seconds = 0;
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_ERR_INVALID_ACCESS_TOKEN);
  token.access_token = TEXT("one");
  token.token_type = TEXT("mac");
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE);
  token.token_type = TEXT("bEaReR");
  token.expires_in_s = &seconds;
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_ERR_ALREADY_EXPIRED);
  seconds = 60;
  token.refresh_token = TEXT("0123456789012345678901234567890123");
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG);
  assert_int_equal(generation, 77);
  token.refresh_token = TEXT("short");
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  assert_int_equal(generation, 1);
}

/* Where the access token lies in the manager: behind it there are its slots and zeros alone. */
static const uint8_t *slots_of(fixture *f) {
  const uint8_t *at = (const uint8_t *)f->memory + sizeof f->memory - ACCESS - REFRESH;
  while (memcmp(at, "first", 5) != 0) {
    at--;
  }
  return at;
}

static void renew_and_clear_do_what_they_say(void **state) {
  fixture *f = *state;
  tokenward_poll_result poll;
  hold_token(f);
  const uint8_t *slots = slots_of(f);
  assert_memory_equal(slots + ACCESS, "again", 5);
  assert_int_equal(tokenward_renew(f->manager), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 1000, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_REQUEST);
  assert_true(poll.usable);
  assert_int_equal(tokenward_clear(f->manager), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 1, &poll), TOKENWARD_OK);
  assert_false(poll.usable);
  for (size_t i = 0; i < ACCESS + REFRESH; i++) {
    assert_int_equal(slots[i], 0);
  }
}

static void a_site_is_part_of_the_subject(void **state) {
  fixture *f = *state;
  tokenward_header header;
  char value[64];
  uint64_t generation;
  tokenward_token token = { 0 };
  token.access_token = TEXT("site-token");
  f->config.service = &tokenward_flip_energy_site_by_backend;
  f->config.base_url = TEXT("https://api.example");
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config),
                   TOKENWARD_ERR_INVALID_PROVIDER);
  f->config.site = TEXT("s 1");
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  static const struct {
    const char *method;
    const char *url;
    int32_t result;
  } ROUTES[] = {
    { "GET", "https://api.example/v1/site/s%201/devices", TOKENWARD_OK },
    { "GET", "https://api.example/v1/site/s2/devices", TOKENWARD_ERR_OTHER_SITE },
    { "GET", "https://api.example/v1/sites", TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN },
    { "GET", "https://api.example/v1/nowhere", TOKENWARD_ERR_UNKNOWN_ROUTE },
    { "get", "https://api.example/v1/site/s%201/devices", TOKENWARD_ERR_UNKNOWN_ROUTE },
    { "GET", "https://other.example/v1/site/s%201/devices", TOKENWARD_ERR_ORIGIN_NOT_ALLOWED },
    { "GET", "https://api.example/v1/site/%2e%2e/devices", TOKENWARD_ERR_BAD_URL },
  };
  for (size_t i = 0; i < COUNT(ROUTES); i++) {
    assert_int_equal(tokenward_authorize(f->manager, 0, TEXT(ROUTES[i].method), TEXT(ROUTES[i].url), value,
                                         sizeof value, &header),
                     ROUTES[i].result);
  }
}

/* ---- a provider of the caller's own */

static void a_provider_in_flash_is_one_more_value(void **state) {
  static const tokenward_span ORIGINS[] = { TOKENWARD_TEXT("https://api.acme.example"),
                                            TOKENWARD_TEXT("https://eu.acme.example") };
  static const tokenward_span ALIASES[] = { TOKENWARD_TEXT("User Access Token") };
  static const tokenward_pair CODES[] = { { TOKENWARD_TEXT("E17"), TOKENWARD_TEXT("invalid_client") },
                                          { TOKENWARD_TEXT("E4"), TOKENWARD_TEXT("slow_down") } };
  static const tokenward_route ROUTES[] = {
    { TOKENWARD_TEXT("GET"), TOKENWARD_TEXT("/v1/{thing}"), false },
    { TOKENWARD_TEXT("POST"), TOKENWARD_TEXT("/v1/site/{site}"), true },
  };
  static const tokenward_policy POLICY = TOKENWARD_POLICY_DEFAULT;
  static const tokenward_provider ACME = {
    .name = TOKENWARD_TEXT("acme"),
    .base_url = TOKENWARD_TEXT("https://login.acme.example"),
    .token_path = TOKENWARD_TEXT("/token"),
    .api_origins = TOKENWARD_LIST(ORIGINS),
    .error_codes = TOKENWARD_LIST(CODES),
    .token_type_aliases = TOKENWARD_LIST(ALIASES),
    .policy = &POLICY,
    .authentication = &tokenward_authentication_post,
    .nested = { &tokenward_nested_paths, TOKENWARD_TEXT("data[0]"), TOKENWARD_TEXT("errors[0]") },
    .routes = { &tokenward_route_table, TOKENWARD_LIST(ROUTES) },
    .missing_lifetime = { .seconds = 100 },
    .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
    .refresh_grant = true,
  };
  fixture *f = *state;
  tokenward_outcome outcome;
  tokenward_poll_result poll;
  tokenward_header header;
  char value[64];
  assert_int_equal(tokenward_describe(&ACME, &f->config.service), TOKENWARD_OK);
  assert_ptr_equal(f->config.service, &ACME);
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(answer_with(f, 0, 400, TEXT("{\"errors\":[\"E17\"]}"), &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.code, TOKENWARD_CODE_INVALID_CLIENT);
  assert_int_equal(tokenward_retry(f->manager), TOKENWARD_OK);
  assert_int_equal(
    answer_with(f, 1000, 200,
                TEXT("{\"data\":[{\"access_token\":\"t\",\"token_type\":\"User Access Token\",\"refresh_token\":\"r\"}]}"),
                &outcome),
    TOKENWARD_OK);
  assert_int_equal(outcome.kind, TOKENWARD_ANSWER_TOKEN);
  assert_int_equal(tokenward_poll(f->manager, 99999, &poll), TOKENWARD_OK);
  assert_int_equal(poll.grant, TOKENWARD_GRANT_REFRESH_TOKEN);
  assert_false(poll.usable);
  for (size_t i = 0; i < COUNT(ORIGINS); i++) {
    strcpy((char *)f->buf, i == 0 ? "https://api.acme.example/v1/a" : "https://eu.acme.example:443/v1/a");
    assert_int_equal(
      tokenward_authorize(f->manager, 0, TEXT("GET"), TEXT((char *)f->buf), value, sizeof value, &header),
      TOKENWARD_OK);
    assert_string_equal(value, "Bearer t");
  }
  assert_int_equal(tokenward_authorize(f->manager, 0, TEXT("POST"), TEXT("https://api.acme.example/v1/site/1"), value,
                                       sizeof value, &header),
                   TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN);
}

static void zeros_are_the_defaults(void **state) {
  static const tokenward_provider NAMED = { .name = TOKENWARD_TEXT("a") };
  fixture *f = *state;
  tokenward_token token = { 0 };
  tokenward_poll_result poll;
  tokenward_header header;
  tokenward_span fact;
  uint64_t generation;
  char value[32];
  assert_int_equal(tokenward_describe(&NAMED, &f->config.service), TOKENWARD_OK);
  assert_int_equal(tokenward_provider_check(f->config.service, &fact), TOKENWARD_OK);
  assert_int_equal(fact.len, 0);
  f->config.base_url = TEXT("https://api.example");
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_int_equal(poll.next, TOKENWARD_NEXT_SUPPLY);
  token.access_token = TEXT("t");
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  /* An hour. */
  assert_int_equal(tokenward_poll(f->manager, 0, &poll), TOKENWARD_OK);
  assert_in_range(poll.poll_at_ms, 2160000, 2880000);
  assert_int_equal(tokenward_authorize(f->manager, 0, TEXT("GET"), TEXT("https://api.example/v1"), value, sizeof value,
                                       &header),
                   TOKENWARD_OK);
  assert_int_equal(tokenward_authorize(f->manager, 0, TEXT("GET"), TEXT("https://other.example/v1"), value,
                                       sizeof value, &header),
                   TOKENWARD_ERR_ORIGIN_NOT_ALLOWED);
}

static void every_preset_makes_a_manager(void **state) {
  static const tokenward_service *const PRESETS[] = {
    &tokenward_flip_utility_sandbox,
    &tokenward_flip_utility_production,
    &tokenward_flip_utility_api_key_sandbox,
    &tokenward_flip_utility_api_key_production,
    &tokenward_flip_energy_client,
    &tokenward_flip_energy_site,
    &tokenward_flip_energy_site_by_backend,
    &tokenward_flume,
    &tokenward_opower,
    &tokenward_flute_sandbox,
    &tokenward_flute_production,
  };
  fixture *f = *state;
  for (size_t i = 0; i < COUNT(PRESETS); i++) {
    tokenward_provider changed = tokenward_provider_of(PRESETS[i]);
    tokenward_span fact;
    assert_int_equal(tokenward_provider_check(PRESETS[i], &fact), TOKENWARD_OK);
    f->config.site = changed.site != NULL ? TEXT("site") : span(NULL, 0);
    f->config.base_url = changed.base_url.ptr == NULL ? TEXT("https://api.example") : span(NULL, 0);
    for (int described = 0; described < 2; described++) {
      f->config.service = PRESETS[i];
      if (described) {
        changed.policy = &f->policy;
        assert_int_equal(tokenward_describe(&changed, &f->config.service), TOKENWARD_OK);
        assert_int_equal(tokenward_provider_check(f->config.service, &fact), TOKENWARD_OK);
      }
      assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
    }
  }
  const tokenward_provider flute = tokenward_provider_of(&tokenward_flute_production);
  assert_span(flute.environment, "production");
  assert_non_null(flute.authentication);
  assert_true(flute.refresh_grant);
  const tokenward_provider site = tokenward_provider_of(&tokenward_flip_energy_site_by_backend);
  assert_int_equal(site.routes.rows.len, 24);
  assert_int_equal(site.exposure, TOKENWARD_EXPOSURE_APP_ALLOWED);
}

static void a_fact_that_cannot_work_is_named(void **state) {
  fixture *f = *state;
  tokenward_provider *p = &f->provider;
  const tokenward_service *service = f->config.service;
  tokenward_span fact;
  p->base_url = TEXT("login.example");
  assert_int_equal(tokenward_provider_check(service, &fact), TOKENWARD_ERR_INVALID_PROVIDER);
  assert_span(fact, "base_url");
  p->base_url = TEXT("https://login.example");
  p->authentication = NULL;
  assert_int_equal(tokenward_provider_check(service, &fact), TOKENWARD_ERR_INVALID_PROVIDER);
  assert_span(fact, "authentication");
  p->authentication = &tokenward_authentication_none;
  assert_int_equal(tokenward_provider_check(service, &fact), TOKENWARD_OK);
  assert_null(fact.ptr);
  assert_int_equal(tokenward_provider_check(NULL, &fact), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_provider_check(service, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_provider_check(service, (tokenward_span *)p), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_provider_check((const tokenward_service *)((char *)p + 1), &fact),
                   TOKENWARD_ERR_MISALIGNED);
}

/* ---- tokenward_describe: what it refuses */

static int32_t describe(fixture *f) {
  const tokenward_service *service = NULL;
  int32_t result = tokenward_describe(&f->provider, &service);
  assert_ptr_equal(service, result == TOKENWARD_OK ? (void *)&f->provider : NULL);
  return result;
}

static void pointers_of_describe_are_checked(void **state) {
  fixture *f = *state;
  const tokenward_service *service = NULL;
  const size_t size = sizeof(tokenward_provider);
  assert_int_equal(tokenward_describe_abi(&f->provider, &service, TOKENWARD_ABI_VERSION + 1, size), TOKENWARD_ERR_ABI);
  assert_int_equal(tokenward_describe_abi(&f->provider, &service, TOKENWARD_ABI_VERSION, size - 8), TOKENWARD_ERR_ABI);
  /* Nothing is read where the version is another one. */
  assert_int_equal(tokenward_describe_abi(NULL, NULL, 0, 0), TOKENWARD_ERR_ABI);
  assert_int_equal(tokenward_describe(NULL, &service), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_describe(&f->provider, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_describe((tokenward_provider *)((char *)&f->provider + 4), &service),
                   TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_describe(&f->provider, (const tokenward_service **)((char *)&f->buf + 1)),
                   TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_describe(&f->provider, (const tokenward_service **)&f->provider.policy),
                   TOKENWARD_ERR_OVERLAP);
  assert_null(service);
}

static void every_number_of_a_provider_is_checked(void **state) {
  static const struct {
    size_t at;
    int32_t count;
  } NUMBERS[] = {
    { offsetof(tokenward_provider, missing_lifetime.kind), 4 },
    { offsetof(tokenward_provider, zero_lifetime), 2 },
    { offsetof(tokenward_provider, token_alphabet), 2 },
    { offsetof(tokenward_provider, exposure), 2 },
    { offsetof(tokenward_provider, primary_grant), 6 },
  };
  fixture *f = *state;
  f->provider.missing_lifetime.expiry = &tokenward_expiry_jwt;
  for (size_t i = 0; i < COUNT(NUMBERS); i++) {
    const int32_t wrong[] = { -1, NUMBERS[i].count, INT32_MIN, INT32_MAX, 256, 1 << 16 };
    int32_t *number = (int32_t *)((char *)&f->provider + NUMBERS[i].at);
    int32_t right = *number;
    for (*number = 0; *number < NUMBERS[i].count; ++*number) {
      assert_int_equal(describe(f), TOKENWARD_OK);
    }
    for (size_t j = 0; j < COUNT(wrong); j++) {
      *number = wrong[j];
      assert_int_equal(describe(f), TOKENWARD_ERR_OUT_OF_RANGE);
    }
    *number = right;
  }
}

static void what_departs_from_the_standard_in_requests_is_checked(void **state) {
  static const tokenward_pair NULLS[] = { { TOKENWARD_TEXT("x-api-key"), { NULL, 0 } } };
  fixture *f = *state;
  tokenward_parameter parameters[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("a"), TOKENWARD_TARGET_TOKEN } };
  tokenward_requests told = { .writer = &tokenward_request_own, .parameters = { parameters, 1 } };
  tokenward_token_header header = { TOKENWARD_TEXT("X-API-Key"), TOKENWARD_TEXT("") };
  f->provider.requests = &told;
  f->provider.header = &header;
  assert_int_equal(describe(f), TOKENWARD_OK);
  for (int32_t target = -1; target <= TOKENWARD_TARGET_REVOCATION + 1; target++) {
    parameters[0].target = target;
    assert_int_equal(describe(f), target < 0 || target > TOKENWARD_TARGET_REVOCATION ? TOKENWARD_ERR_OUT_OF_RANGE : TOKENWARD_OK);
  }
  parameters[0].target = TOKENWARD_TARGET_REFRESH;
  parameters[0].value = span(NULL, 0);
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
  parameters[0].value = span(NOT_UTF8, 2);
  assert_int_equal(describe(f), TOKENWARD_ERR_NOT_UTF8);
  told.parameters.len = 0;
  told.headers = (tokenward_pair_list){ NULLS, 1 };
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
  told.headers.len = 0;
  memset(&told.scope_on_refresh, 2, 1);
  assert_int_equal(describe(f), TOKENWARD_ERR_OUT_OF_RANGE);
  told.scope_on_refresh = false;
  header.name = span(NULL, 0);
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
}

static void a_request_carries_the_fields_and_parameters_of_the_service_and_of_the_caller(void **state) {
  static const tokenward_parameter PARAMETERS[] = { { TOKENWARD_TEXT("tenant"), TOKENWARD_TEXT("t-{tenant}"),
                                                      TOKENWARD_TARGET_PRIMARY } };
  static const tokenward_pair FIELDS[] = { { TOKENWARD_TEXT("x-api-key"), TOKENWARD_TEXT("{key}") },
                                           { TOKENWARD_TEXT("x-version"), TOKENWARD_TEXT("2") } };
  static const tokenward_requests TOLD = { .writer = &tokenward_request_own,
                                           .parameters = { PARAMETERS, 1 },
                                           .headers = { FIELDS, 2 } };
  static const tokenward_pair VALUES[] = { { TOKENWARD_TEXT("tenant"), TOKENWARD_TEXT("a b") },
                                           { TOKENWARD_TEXT("key"), TOKENWARD_TEXT("k") } };
  static const tokenward_pair MORE[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("x") } };
  static const tokenward_additions ADDITIONS = { .values = { VALUES, 2 }, .parameters = { MORE, 1 } };
  fixture *f = *state;
  tokenward_request request;
  f->provider.requests = &TOLD;
  const tokenward_service *service;
  assert_int_equal(tokenward_describe(&f->provider, &service), TOKENWARD_OK);
  f->config.service = service;
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request),
                   TOKENWARD_ERR_WRONG_CREDENTIALS);
  assert_int_equal(
    tokenward_begin_with(f->manager, 0, &f->credentials, &ADDITIONS, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_span(request.fields, "x-api-key: k\r\nx-version: 2\r\n");
  assert_span(request.body, "grant_type=client_credentials&scope=offline_access&tenant=t-a+b&audience=x");
  assert_int_equal(request.len, (size_t)(request.body.ptr + request.body.len - request.url.ptr));
}

static void every_boolean_of_a_provider_is_checked(void **state) {
  tokenward_route routes[1] = { { TOKENWARD_TEXT("GET"), TOKENWARD_TEXT("/"), false } };
  fixture *f = *state;
  void *booleans[] = { &f->provider.refresh_grant, &f->provider.any_https_origin, &f->policy.recheck,
                       &routes[0].of_site };
  f->provider.routes.rows.ptr = routes;
  f->provider.routes.rows.len = 1;
  for (size_t i = 0; i < COUNT(booleans); i++) {
    uint8_t *boolean = booleans[i];
    for (int bits = 255; bits >= 0; bits--) {
      *boolean = (uint8_t)bits;
      assert_int_equal(describe(f), bits > 1 ? TOKENWARD_ERR_OUT_OF_RANGE : TOKENWARD_OK);
    }
  }
}

static void every_pointer_of_a_provider_is_checked(void **state) {
  static uint64_t somewhere[64];
  fixture *f = *state;
  tokenward_provider *p = &f->provider;
  void *pointers[] = { &p->policy, &p->authentication,       &p->body,         &p->site,
                       &p->loopback_http, &p->nested.reader, &p->routes.table, &p->missing_lifetime.expiry,
                       &p->members.reader };
  p->missing_lifetime.kind = TOKENWARD_LIFETIME_TOLD;
  p->missing_lifetime.expiry = NULL;
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
  p->missing_lifetime.expiry = &tokenward_expiry_jwt;
  for (size_t i = 0; i < COUNT(pointers); i++) {
    const void *wrong = (char *)somewhere + 1;
    void *right;
    memcpy(&right, pointers[i], sizeof right);
    memcpy(pointers[i], &wrong, sizeof wrong);
    assert_int_equal(describe(f), TOKENWARD_ERR_MISALIGNED);
    memcpy(pointers[i], &right, sizeof right);
    assert_int_equal(describe(f), TOKENWARD_OK);
  }
}

/* What no text may be. */
static void text_is_checked(fixture *f, tokenward_span *text) {
  tokenward_span right = *text;
  *text = span(NULL, 1);
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
  *text = span("x", SIZE_MAX);
  assert_int_equal(describe(f), TOKENWARD_ERR_LENGTH);
  *text = span("x", SIZE_MAX / 2 + 1);
  assert_int_equal(describe(f), TOKENWARD_ERR_LENGTH);
  *text = span((const void *)(UINTPTR_MAX - 8), 10);
  assert_int_equal(describe(f), TOKENWARD_ERR_LENGTH);
  *text = span(NOT_UTF8, sizeof NOT_UTF8);
  assert_int_equal(describe(f), TOKENWARD_ERR_NOT_UTF8);
  *text = right;
}

static void every_text_of_a_provider_is_checked(void **state) {
  fixture *f = *state;
  tokenward_provider *p = &f->provider;
  tokenward_span *texts[] = { &p->environment, &p->base_url,           &p->token_path,
                              &p->scope,       &p->nested.member_path, &p->nested.error_path,
                              &p->members.expires_at };
  for (size_t i = 0; i < COUNT(texts); i++) {
    text_is_checked(f, texts[i]);
    *texts[i] = span(NULL, 0);
    assert_int_equal(describe(f), TOKENWARD_OK);
  }
  text_is_checked(f, &p->name);
  p->name = span(NULL, 0);
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
}

static void of_two_faults_the_first_is_told(void **state) {
  fixture *f = *state;
  f->provider.exposure = 7;
  f->provider.environment = span(NOT_UTF8, sizeof NOT_UTF8);
  assert_int_equal(describe(f), TOKENWARD_ERR_NOT_UTF8);
  f->provider.name = span(NULL, 1);
  assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
}

static void every_list_of_a_provider_is_checked(void **state) {
  tokenward_span texts[2] = { TOKENWARD_TEXT("https://a.example"), TOKENWARD_TEXT("https://b.example") };
  tokenward_pair pairs[1] = { { TOKENWARD_TEXT("own"), TOKENWARD_TEXT("invalid_grant") } };
  tokenward_route routes[1] = { { TOKENWARD_TEXT("GET"), TOKENWARD_TEXT("/"), false } };
  fixture *f = *state;
  tokenward_provider *p = &f->provider;
  struct {
    void *list;
    size_t *count;
    void *good;
    size_t good_count;
    size_t size;
    tokenward_span *texts[2];
  } lists[] = {
    { &p->api_origins.ptr, &p->api_origins.len, texts, 2, sizeof *texts, { &texts[0], &texts[1] } },
    { &p->token_type_aliases.ptr, &p->token_type_aliases.len, texts, 2, sizeof *texts, { &texts[0], &texts[1] } },
    { &p->error_codes.ptr, &p->error_codes.len, pairs, 1, sizeof *pairs, { &pairs[0].name, &pairs[0].value } },
    { &p->routes.rows.ptr, &p->routes.rows.len, routes, 1, sizeof *routes, { &routes[0].method, &routes[0].path } },
  };
  for (size_t i = 0; i < COUNT(lists); i++) {
    memcpy(lists[i].list, &lists[i].good, sizeof(void *));
    *lists[i].count = lists[i].good_count;
  }
  assert_int_equal(describe(f), TOKENWARD_OK);
  for (size_t i = 0; i < COUNT(lists); i++) {
    const void *none = NULL;
    const void *misaligned = (char *)lists[i].good + 2;
    memcpy(lists[i].list, &none, sizeof none);
    assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
    *lists[i].count = 0;
    assert_int_equal(describe(f), TOKENWARD_OK);
    memcpy(lists[i].list, &misaligned, sizeof misaligned);
    *lists[i].count = 1;
    assert_int_equal(describe(f), TOKENWARD_ERR_MISALIGNED);
    memcpy(lists[i].list, &lists[i].good, sizeof(void *));
    const size_t counts[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 / lists[i].size + 1, SIZE_MAX / lists[i].size,
                              SIZE_MAX / lists[i].size + 1 };
    for (size_t j = 0; j < COUNT(counts); j++) {
      *lists[i].count = counts[j];
      assert_int_equal(describe(f), TOKENWARD_ERR_LENGTH);
    }
    *lists[i].count = lists[i].good_count;
    for (size_t j = 0; j < 2; j++) {
      text_is_checked(f, lists[i].texts[j]);
      tokenward_span right = *lists[i].texts[j];
      *lists[i].texts[j] = span(NULL, 0);
      assert_int_equal(describe(f), TOKENWARD_ERR_NULL);
      *lists[i].texts[j] = right;
    }
    assert_int_equal(describe(f), TOKENWARD_OK);
  }
}

/* ---- tokenward_init: what it refuses */

static int32_t init_with(fixture *f) {
  tokenward_manager *made = NULL;
  int32_t result = tokenward_init(&made, f->memory, sizeof f->memory, &f->config);
  assert_true((made == NULL) == (result != TOKENWARD_OK));
  return result;
}

static void another_version_is_refused(void **state) {
  fixture *f = *state;
  tokenward_manager *made = NULL;
  const size_t config = sizeof(tokenward_config);
  assert_string_equal(tokenward_version(), TOKENWARD_VERSION);
  assert_int_equal(tokenward_abi_version(), TOKENWARD_ABI_VERSION);
  assert_int_equal(
    tokenward_init_abi(&made, f->memory, sizeof f->memory, &f->config, TOKENWARD_ABI_VERSION + 1, config),
    TOKENWARD_ERR_ABI);
  assert_int_equal(
    tokenward_init_abi(&made, f->memory, sizeof f->memory, &f->config, TOKENWARD_ABI_VERSION, config + 8),
    TOKENWARD_ERR_ABI);
  /* Nothing is read where the version is another one. */
  assert_int_equal(tokenward_init_abi(NULL, NULL, 0, NULL, 0, 0), TOKENWARD_ERR_ABI);
  assert_null(made);
}

static void memory_is_as_long_as_the_header_says(void **state) {
  fixture *f = *state;
  tokenward_manager *made = NULL;
  for (size_t size = 0; size < sizeof f->memory; size++) {
    assert_int_equal(tokenward_init(&made, f->memory, size, &f->config), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  }
  memset(f->memory, 0xFF, sizeof f->memory);
  assert_int_equal(init_with(f), TOKENWARD_OK);
  for (size_t i = sizeof f->memory - ACCESS - REFRESH; i < sizeof f->memory; i++) {
    assert_int_equal(((uint8_t *)f->memory)[i], 0);
  }
  /* A whole number of words. */
  f->config.access_capacity = ACCESS - 3;
  assert_int_equal(tokenward_init(&made, f->memory, TOKENWARD_MANAGER_HEAD + ACCESS - 3 + REFRESH, &f->config),
                   TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(init_with(f), TOKENWARD_OK);
  f->config.access_capacity = SIZE_MAX;
  assert_int_equal(init_with(f), TOKENWARD_ERR_LENGTH);
  f->config.access_capacity = SIZE_MAX / 2;
  f->config.refresh_capacity = SIZE_MAX / 2;
  assert_int_equal(init_with(f), TOKENWARD_ERR_LENGTH);
  f->config.refresh_capacity = 0;
  assert_int_equal(init_with(f), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  f->config.access_capacity = 0;
  assert_int_equal(init_with(f), TOKENWARD_OK);
}

static void pointers_of_init_are_checked(void **state) {
  fixture *f = *state;
  tokenward_manager *made = NULL;
  char *unaligned = (char *)f->memory + 4;
  assert_int_equal(tokenward_init(NULL, f->memory, sizeof f->memory, &f->config), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_init(&made, NULL, sizeof f->memory, &f->config), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_init(&made, NULL, 0, &f->config), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_init(&made, f->memory, sizeof f->memory, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_init(&made, unaligned, sizeof f->memory - 4, &f->config), TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_init(&made, f->memory, SIZE_MAX, &f->config), TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_init(&made, f->memory, SIZE_MAX / 2 + 1, &f->config), TOKENWARD_ERR_LENGTH);
  assert_int_equal(
    tokenward_init((tokenward_manager **)((char *)&f->manager + 1), f->memory, sizeof f->memory, &f->config),
    TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_init((tokenward_manager **)&f->memory[2], f->memory, sizeof f->memory, &f->config),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_init(&made, f->memory, sizeof f->memory, (tokenward_config *)&f->memory[1]),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_init(&made, f->memory, sizeof f->memory, (tokenward_config *)((char *)&f->config + 2)),
                   TOKENWARD_ERR_MISALIGNED);
  const tokenward_service *right = f->config.service;
  f->config.service = NULL;
  assert_int_equal(init_with(f), TOKENWARD_ERR_NULL);
  f->config.service = (const tokenward_service *)((char *)&f->provider + 4);
  assert_int_equal(init_with(f), TOKENWARD_ERR_MISALIGNED);
  f->config.service = (const tokenward_service *)f->memory;
  assert_int_equal(init_with(f), TOKENWARD_ERR_OVERLAP);
  f->config.service = right;
  tokenward_span *texts[] = { &f->config.site, &f->config.environment, &f->config.base_url, &f->config.account };
  for (size_t i = 0; i < COUNT(texts); i++) {
    *texts[i] = span(f->memory, 4);
    assert_int_equal(init_with(f), TOKENWARD_ERR_OVERLAP);
    *texts[i] = span(NOT_UTF8, sizeof NOT_UTF8);
    assert_int_equal(init_with(f), TOKENWARD_ERR_NOT_UTF8);
    *texts[i] = span(NULL, 4);
    assert_int_equal(init_with(f), TOKENWARD_ERR_NULL);
    *texts[i] = span("s", SIZE_MAX);
    assert_int_equal(init_with(f), TOKENWARD_ERR_LENGTH);
    *texts[i] = span("", 0);
    assert_int_equal(init_with(f), TOKENWARD_OK);
  }
}

static void what_a_configuration_says_of_storage_is_checked(void **state) {
  fixture *f = *state;
  tokenward_storage *s = &f->config.storage;
  const int32_t sources[] = { -1, 3, INT32_MIN, INT32_MAX };
  const int32_t stored[] = { -1, 3, INT32_MIN, INT32_MAX };
  for (size_t i = 0; i < COUNT(sources); i++) {
    f->config.source = sources[i];
    assert_int_equal(init_with(f), TOKENWARD_ERR_OUT_OF_RANGE);
    f->config.source = TOKENWARD_SOURCE_PROGRAM;
    s->stored = stored[i];
    assert_int_equal(init_with(f), TOKENWARD_ERR_OUT_OF_RANGE);
    s->stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN;
    assert_int_equal(init_with(f), TOKENWARD_OK);
  }
  s->slots = TOKENWARD_STORAGE_SLOTS + 1;
  assert_int_equal(init_with(f), TOKENWARD_ERR_OUT_OF_RANGE);
  s->slots = TOKENWARD_STORAGE_SLOTS;
  memset(&s->prove_room, 2, 1);
  assert_int_equal(init_with(f), TOKENWARD_ERR_OUT_OF_RANGE);
  memset(&s->prove_room, 1, 1);
  s->kind = (const tokenward_storage_part *)((char *)f->memory + 1);
  assert_int_equal(init_with(f), TOKENWARD_ERR_MISALIGNED);
  s->kind = (const tokenward_storage_part *)f->memory;
  assert_int_equal(init_with(f), TOKENWARD_ERR_OVERLAP);
  s->kind = &tokenward_storage_own;
  assert_int_equal(init_with(f), TOKENWARD_OK);
}

static void starts(void *state, const uint8_t *key) { (void)state, (void)key; }
static void adds(void *state, const uint8_t *bytes, size_t len) { (void)state, (void)bytes, (void)len; }
static void finishes(void *state, uint8_t *tag) { (void)state, (void)tag; }

static void a_kind_that_wants_a_seal_gets_a_whole_one(void **state) {
  fixture *f = *state;
  static const tokenward_seal whole = { starts, adds, finishes, NULL };
  static const tokenward_seal parts[] = { { NULL, adds, finishes, NULL },
                                          { starts, NULL, finishes, NULL },
                                          { starts, adds, NULL, NULL } };
  tokenward_storage *s = &f->config.storage;
  s->kind = &tokenward_storage_own_with_seal;
  assert_int_equal(init_with(f), TOKENWARD_ERR_NULL);
  for (size_t i = 0; i < COUNT(parts); i++) {
    s->seal = &parts[i];
    assert_int_equal(init_with(f), TOKENWARD_ERR_NULL);
  }
  s->seal = (const tokenward_seal *)((char *)f->memory + 1);
  assert_int_equal(init_with(f), TOKENWARD_ERR_MISALIGNED);
  s->seal = (const tokenward_seal *)f->memory;
  assert_int_equal(init_with(f), TOKENWARD_ERR_OVERLAP);
  s->seal = &whole;
  assert_int_equal(init_with(f), TOKENWARD_OK);
  s->kind = &tokenward_storage_shared_with_seal;
  assert_int_equal(init_with(f), TOKENWARD_OK);
}

static tokenward_poll_result polled(fixture *f, uint64_t at) {
  tokenward_poll_result poll;
  assert_int_equal(tokenward_poll(f->manager, at, &poll), TOKENWARD_OK);
  return poll;
}

static void stores_in(fixture *f, const tokenward_storage_part *kind) {
  f->config.storage.kind = kind;
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
}

static void what_a_configuration_says_wins_over_the_service(void **state) {
  fixture *f = *state;
  tokenward_request request;
  tokenward_poll_result poll;
  tokenward_found found;
  size_t len;
  tokenward_span key = span(KEY, sizeof KEY);
  tokenward_span slot;
  tokenward_span *texts[] = { &f->config.base_url, &f->config.environment, &f->config.account };
  f->config.base_url = TEXT("https://login.example");
  f->config.environment = TEXT("staging");
  f->config.account = TEXT("ada");
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  assert_int_equal(tokenward_begin(f->manager, 0, &f->credentials, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_span(request.url, "https://login.example/oauth2/token");
  /* Whose a snapshot is. */
  stores_in(f, &tokenward_storage_own);
  assert_int_equal(tokenward_loaded(f->manager, 0, NULL, polled(f, 0).id, key, NULL, 0, &found), TOKENWARD_OK);
  assert_int_equal(tokenward_clear(f->manager), TOKENWARD_OK);
  poll = polled(f, 0);
  assert_int_equal(tokenward_snapshot(f->manager, 0, NULL, poll.id, key, f->buf, sizeof f->buf, &len), TOKENWARD_OK);
  slot = span(f->buf, len);
  for (size_t i = 0; i <= COUNT(texts); i++) {
    tokenward_span right = i == 0 ? slot : *texts[i - 1];
    if (i > 0) *texts[i - 1] = span(NULL, 0);
    stores_in(f, &tokenward_storage_own);
    assert_int_equal(tokenward_loaded(f->manager, 0, NULL, polled(f, 0).id, key, &slot, 1, &found),
                     i == 0 ? TOKENWARD_OK : TOKENWARD_ERR_FOREIGN_SNAPSHOT);
    if (i > 0) *texts[i - 1] = right;
  }
}

static void structs_full_of_one_byte_are_refused(void **state) {
  fixture *f = *state;
  tokenward_manager *made = NULL;
  const tokenward_service *service;
  union {
    tokenward_config config;
    tokenward_provider provider;
    tokenward_credentials credentials;
    tokenward_http_answer answer;
    tokenward_parsed_answer parsed;
    tokenward_token token;
  } any;
  tokenward_request request;
  tokenward_outcome outcome;
  uint64_t generation;
  for (int bits = 128; bits < 256; bits++) {
    int32_t result;
    memset(&any, bits, sizeof any);
    result = tokenward_init(&made, f->memory, sizeof f->memory, &any.config);
    assert_in_range(result, 1, 99);
    result = tokenward_describe(&any.provider, &service);
    assert_in_range(result, 1, 99);
    result = tokenward_begin(f->manager, 0, &any.credentials, f->buf, sizeof f->buf, &request);
    assert_in_range(result, 1, 99);
    result = tokenward_answer(f->manager, 0, 1, &any.answer, &outcome);
    assert_in_range(result, 1, 99);
    result = tokenward_answer_parsed(f->manager, 0, 1, &any.parsed, &outcome);
    assert_in_range(result, 1, 99);
    result = tokenward_install(f->manager, 0, &any.token, &generation);
    assert_in_range(result, 1, 99);
    result = tokenward_supplied(f->manager, 0, 1, &any.token, &generation);
    assert_in_range(result, 1, 99);
  }
}

/* ---- managers that are none */

/* Calls every function that takes a manager. */
static void all_answer(tokenward_manager *m, fixture *f, int32_t expected) {
  tokenward_poll_result poll;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_header header;
  tokenward_retry_result retry;
  tokenward_token token = { 0 };
  tokenward_http_answer answer = { 0 };
  tokenward_parsed_answer parsed = { 0 };
  tokenward_span key = span(KEY, sizeof KEY);
  uint64_t generation;
  tokenward_found found;
  size_t len;
  char value[32];
  assert_int_equal(tokenward_poll(m, 0, &poll), expected);
  assert_int_equal(tokenward_begin(m, 0, &f->credentials, f->buf, sizeof f->buf, &request), expected);
  assert_int_equal(tokenward_answer(m, 0, 1, &answer, &outcome), expected);
  assert_int_equal(tokenward_answer_parsed(m, 0, 1, &parsed, &outcome), expected);
  assert_int_equal(tokenward_failed(m, 0, 1), expected);
  assert_int_equal(tokenward_authorize(m, 0, TEXT("GET"), TEXT(URL), value, sizeof value, &header), expected);
  assert_int_equal(tokenward_rejected(m, 0, 1, 401, span(NULL, 0), &retry), expected);
  assert_int_equal(tokenward_rejected_parsed(m, 0, 1, 401, false, &retry), expected);
  assert_int_equal(tokenward_install(m, 0, &token, &generation), expected);
  assert_int_equal(tokenward_generation(m, &generation), expected);
  assert_int_equal(tokenward_revision(m, &generation), expected);
  assert_int_equal(tokenward_supplied(m, 0, 1, &token, &generation), expected);
  assert_int_equal(tokenward_supply_failed(m, 0, 1, true), expected);
  assert_int_equal(tokenward_took(m, 0, 1), expected);
  assert_int_equal(tokenward_loaded(m, 0, NULL, 1, key, NULL, 0, &found), expected);
  assert_int_equal(tokenward_load_failed(m, 0, 1), expected);
  assert_int_equal(tokenward_snapshot(m, 0, NULL, 1, key, f->buf, sizeof f->buf, &len), expected);
  assert_int_equal(tokenward_stored(m, 0, 1), expected);
  assert_int_equal(tokenward_store_failed(m, 0, 1), expected);
  assert_int_equal(tokenward_reload(m), expected);
  assert_int_equal(tokenward_retry(m), expected);
  assert_int_equal(tokenward_renew(m), expected);
  assert_int_equal(tokenward_clear(m), expected);
  assert_int_equal(tokenward_revoke(m, &f->credentials, (tokenward_pair_list){ NULL, 0 }, f->buf, sizeof f->buf, &request),
                   expected);
  assert_int_equal(tokenward_revocation_answer(m, &parsed, &outcome), expected);
}

static void what_is_no_manager_is_refused(void **state) {
  fixture *f = *state;
  uint64_t memory[COUNT(f->memory)];
  tokenward_manager *m = (tokenward_manager *)memory;
  all_answer(NULL, f, TOKENWARD_ERR_NULL);
  all_answer((tokenward_manager *)((char *)f->memory + 1), f, TOKENWARD_ERR_MISALIGNED);
  all_answer((tokenward_manager *)((char *)f->memory + 4), f, TOKENWARD_ERR_MISALIGNED);
  for (int bits = 0; bits < 256; bits++) {
    memset(memory, bits, sizeof memory);
    all_answer(m, f, TOKENWARD_ERR_UNINITIALIZED);
  }
  memcpy(memory, f->memory, sizeof memory);
  assert_int_equal(tokenward_wipe(memory, sizeof memory), TOKENWARD_OK);
  all_answer(m, f, TOKENWARD_ERR_UNINITIALIZED);
  /* A block of one word that is none. */
  memory[0] = 1;
  all_answer(m, f, TOKENWARD_ERR_UNINITIALIZED);
  /* Another word of the head written over. */
  for (size_t word = 0; word < 3; word++) {
    memcpy(memory, f->memory, sizeof memory);
    memory[word] ^= 0x100;
    all_answer(m, f, TOKENWARD_ERR_UNINITIALIZED);
  }
}

static void a_refused_call_leaves_manager_and_results_alone(void **state) {
  fixture *f = *state;
  char before[256];
  char after[256];
  char header[64];
  tokenward_header written;
  size_t len;
  uint8_t out[256];
  uint8_t untouched[256];
  uint64_t *words = f->memory;
  tokenward_span key = span(KEY, sizeof KEY);
  tokenward_http_answer answer = { 0 };
  tokenward_parsed_answer parsed = { 0 };
  tokenward_token token = { 0 };
  tokenward_span slots[TOKENWARD_STORAGE_SLOTS + 1] = { { NULL, 0 } };
  hold_token(f);
  answer.body = span(NULL, 1);
  token.access_token = span(NOT_UTF8, sizeof NOT_UTF8);
  assert_int_equal(tokenward_failed(f->manager, 9, 0), TOKENWARD_ERR_STALE_REQUEST); /* the clock is moved */
  assert_int_equal(tokenward_state_line(f->manager, 9, before, sizeof before, &len), TOKENWARD_OK);
  memset(out, 0xA5, sizeof out);
  memset(untouched, 0xA5, sizeof untouched);
  /* Results that lie in the manager. */
  assert_int_equal(tokenward_poll(f->manager, 9, (void *)&words[4]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_begin(f->manager, 9, &f->credentials, f->buf, 512, (void *)&words[0]),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_begin(f->manager, 9, &f->credentials, (uint8_t *)&words[3], 8, (void *)out),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, &answer, (void *)&words[1]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_answer_parsed(f->manager, 9, 1, &parsed, (void *)&words[1]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_rejected(f->manager, 9, 1, 401, span(NULL, 0), (void *)&words[1]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_rejected_parsed(f->manager, 9, 1, 401, false, (void *)&words[1]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_install(f->manager, 9, &token, &words[5]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_generation(f->manager, &words[5]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_revision(f->manager, &words[5]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(
    tokenward_authorize(f->manager, 9, TEXT("GET"), TEXT(URL), (char *)&words[40], 16, (void *)out),
    TOKENWARD_ERR_OVERLAP);
  /* What is read lies in the manager that is changed. */
  assert_int_equal(tokenward_begin(f->manager, 9, (void *)&words[8], f->buf, 512, (void *)out), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, (void *)&words[8], (void *)out), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_rejected(f->manager, 9, 1, 401, span(words, 9), (void *)out), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_loaded(f->manager, 9, &words[2], 1, key, slots, 1, (void *)out), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, span(words, 32), slots, 1, (void *)out),
                   TOKENWARD_ERR_OVERLAP);
  /* NULL, misaligned, too long, out of range. */
  assert_int_equal(tokenward_poll(f->manager, 9, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_poll(f->manager, 9, (void *)(out + 1)), TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_begin(f->manager, 9, NULL, f->buf, 512, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_begin(f->manager, 9, &f->credentials, NULL, 512, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_begin(f->manager, 9, &f->credentials, f->buf, SIZE_MAX, (void *)out),
                   TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_begin(f->manager, 9, &f->credentials, f->buf, 512, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, NULL, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, &answer, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, &answer, (void *)out), TOKENWARD_ERR_NULL);
  answer.body = span(NULL, 0);
  answer.wall_s = (const uint64_t *)(f->buf + 1);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, &answer, (void *)out), TOKENWARD_ERR_MISALIGNED);
  answer.wall_s = NULL;
  parsed.wall_s = (const uint64_t *)(f->buf + 1);
  assert_int_equal(tokenward_answer_parsed(f->manager, 9, 1, &parsed, (void *)out), TOKENWARD_ERR_MISALIGNED);
  parsed.wall_s = NULL;
  parsed.retry_after_s = (const uint64_t *)(f->buf + 1);
  assert_int_equal(tokenward_answer_parsed(f->manager, 9, 1, &parsed, (void *)out), TOKENWARD_ERR_MISALIGNED);
  parsed.retry_after_s = &words[1];
  assert_int_equal(tokenward_answer_parsed(f->manager, 9, 1, &parsed, (void *)out), TOKENWARD_ERR_OVERLAP);
  answer.retry_after = span("1", SIZE_MAX);
  assert_int_equal(tokenward_answer(f->manager, 9, 1, &answer, (void *)out), TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_authorize(f->manager, 9, TEXT("GET"), span(NULL, 1), (char *)f->buf, 512, (void *)out),
                   TOKENWARD_ERR_NULL);
  assert_int_equal(
    tokenward_authorize(f->manager, 9, span(NOT_UTF8, 2), TEXT(URL), (char *)f->buf, 512, (void *)out),
    TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(
    tokenward_authorize(f->manager, 9, TEXT("GET"), span(NOT_UTF8, 2), (char *)f->buf, 512, (void *)out),
    TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(tokenward_authorize(f->manager, 9, TEXT("GET"), TEXT(URL), (char *)f->buf, 512, NULL),
                   TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_rejected(f->manager, 9, 1, 401, span(NULL, 1), (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_rejected(f->manager, 9, 1, 401, span(NULL, 0), NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_install(f->manager, 9, NULL, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_install(f->manager, 9, &token, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_install(f->manager, 9, &token, (void *)out), TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(tokenward_generation(f->manager, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_state_line(f->manager, 9, (char *)f->buf, 512, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_state_line(NULL, 9, (char *)f->buf, 512, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_state_line(f->manager, 9, (char *)f->manager, 9, (void *)out), TOKENWARD_ERR_OVERLAP);
  /* Supplies and storage. */
  assert_int_equal(tokenward_supplied(f->manager, 9, 1, &token, &words[5]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_supplied(f->manager, 9, 1, NULL, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_supplied(f->manager, 9, 1, &token, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_supplied(f->manager, 9, 1, &token, (void *)out), TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, 1, (void *)&words[5]), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, (void *)&words[6], 1, (void *)out),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, NULL, 1, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, 1, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, SIZE_MAX, (void *)out), TOKENWARD_ERR_LENGTH);
  assert_int_equal(
    tokenward_loaded(f->manager, 9, NULL, 1, key, (tokenward_span *)((char *)slots + 1), 1, (void *)out),
    TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, COUNT(slots), (void *)out),
                   TOKENWARD_ERR_OUT_OF_RANGE);
  assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, span(KEY, 31), slots, 1, (void *)out), TOKENWARD_ERR_KEY);
  assert_int_equal(
    tokenward_loaded(f->manager, 9, (const uint64_t *)(f->buf + 1), 1, key, slots, 1, (void *)out),
    TOKENWARD_ERR_MISALIGNED);
  for (size_t i = 0; i + 1 < COUNT(slots); i++) {
    slots[i] = span(NULL, 1);
    assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, COUNT(slots) - 1, (void *)out),
                     TOKENWARD_ERR_NULL);
    slots[i] = span(words, 8);
    assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, COUNT(slots) - 1, (void *)out),
                     TOKENWARD_ERR_OVERLAP);
    slots[i] = span(KEY, SIZE_MAX);
    assert_int_equal(tokenward_loaded(f->manager, 9, NULL, 1, key, slots, COUNT(slots) - 1, (void *)out),
                     TOKENWARD_ERR_LENGTH);
    slots[i] = span(NULL, 0);
  }
  assert_int_equal(tokenward_snapshot(f->manager, 9, NULL, 1, key, (uint8_t *)words, 8, (void *)out),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_snapshot(f->manager, 9, NULL, 1, key, NULL, 8, (void *)out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_snapshot(f->manager, 9, NULL, 1, key, f->buf, SIZE_MAX, (void *)out),
                   TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_snapshot(f->manager, 9, NULL, 1, key, f->buf, 512, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_snapshot(f->manager, 9, NULL, 1, span(KEY, 33), f->buf, 512, (void *)out),
                   TOKENWARD_ERR_KEY);
  assert_int_equal(tokenward_state_line(f->manager, 9, after, sizeof after, &len), TOKENWARD_OK);
  assert_string_equal(before, after);
  assert_int_equal(tokenward_authorize(f->manager, 9, TEXT("GET"), TEXT(URL), header, sizeof header, &written), TOKENWARD_OK);
  assert_string_equal(header, "Bearer first");
  assert_memory_equal(out, untouched, sizeof out);
}

static void every_credential_is_checked(void **state) {
  fixture *f = *state;
  tokenward_credentials *c = &f->credentials;
  tokenward_span *texts[] = { &c->client_id, &c->client_secret, &c->username, &c->password, &c->bearer };
  tokenward_request request;
  for (size_t i = 0; i < COUNT(texts); i++) {
    tokenward_span right = *texts[i];
    *texts[i] = span(NULL, 1);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_NULL);
    *texts[i] = span("x", SIZE_MAX / 2 + 1);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_LENGTH);
    *texts[i] = span(NOT_UTF8, 2);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_NOT_UTF8);
    *texts[i] = span(f->buf + 500, 12);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 501, &request), TOKENWARD_ERR_OVERLAP);
    *texts[i] = span(f->memory, 12);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_OVERLAP);
    *texts[i] = span(&request, 12);
    assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_OVERLAP);
    *texts[i] = right;
  }
  c->client_secret = span(f->buf + 500, 0);
  assert_int_equal(tokenward_begin(f->manager, 0, c, f->buf, 512, &request), TOKENWARD_ERR_WRONG_CREDENTIALS);
}

/* ---- buffers */

typedef struct sized {
  fixture *f;
  char out[256];
  size_t len;
} sized;

typedef int32_t write_into(sized *s, size_t cap);

/* A writer that lacks a byte says what it takes; given that, it stays within it. */
static void fits_exactly(fixture *f, write_into *write, bool nul) {
  sized s;
  memset(&s, 0x5A, sizeof s);
  s.f = f;
  assert_int_equal(write(&s, 0), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  size_t needed = s.len;
  assert_in_range(needed, 1, sizeof s.out - 1);
  for (size_t cap = 1; cap < needed; cap++) {
    assert_int_equal(write(&s, cap), TOKENWARD_ERR_BUFFER_TOO_SMALL);
    assert_int_equal(s.len, needed);
  }
  assert_int_equal(write(&s, needed), TOKENWARD_OK);
  assert_int_equal(s.len, nul ? needed - 1 : needed);
  assert_int_equal(s.out[needed], 0x5A);
  if (nul) {
    assert_int_equal(s.out[needed - 1], 0);
    assert_int_equal(strlen(s.out), s.len);
  }
}

/* Of what has no room, which may hold a secret, nothing stays. */
static void wipes(fixture *f, write_into *write) {
  sized s;
  memset(&s, 0x5A, sizeof s);
  s.f = f;
  write(&s, 0);
  for (size_t cap = 1, needed = s.len; cap < needed; cap++) {
    assert_int_equal(write(&s, cap), TOKENWARD_ERR_BUFFER_TOO_SMALL);
    for (size_t i = 0; i < sizeof s.out; i++) assert_true(s.out[i] == 0x5A || (i < cap && s.out[i] == 0));
  }
}

static int32_t begins(sized *s, size_t cap) {
  tokenward_request request;
  int32_t result = tokenward_begin(s->f->manager, 0, &s->f->credentials, (uint8_t *)s->out, cap, &request);
  s->len = request.len;
  return result;
}

static int32_t authorizes(sized *s, size_t cap) {
  tokenward_header header;
  int32_t result = tokenward_authorize(s->f->manager, 0, TEXT("GET"), TEXT(URL), s->out, cap, &header);
  s->len = header.len;
  return result;
}

static int32_t writes_state_line(sized *s, size_t cap) {
  return tokenward_state_line(s->f->manager, 0, s->out, cap, &s->len);
}

static int32_t writes_bearer(sized *s, size_t cap) {
  return tokenward_bearer(TEXT("fl_key"), s->out, cap, &s->len);
}

static int32_t writes_basic(sized *s, size_t cap) {
  return tokenward_basic_raw(TEXT("id"), TEXT("secret"), s->out, cap, &s->len);
}

static int32_t encodes(sized *s, size_t cap) {
  return tokenward_form_encode(TEXT("s&cret 1"), s->out, cap, &s->len);
}

/* Parameters of the caller's own. */
#define ADDS(pairs, count) (&(const tokenward_additions){ .parameters = { pairs, count } })

static int32_t encodes_nothing(sized *s, size_t cap) {
  return tokenward_form_encode(span(NULL, 0), s->out, cap, &s->len);
}

static int32_t requests(sized *s, size_t cap) {
  static const tokenward_pair EXTRA[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("a b") } };
  tokenward_request request;
  int32_t result =
    tokenward_token_request(&s->f->config, TOKENWARD_GRANT_CLIENT_CREDENTIALS, &s->f->credentials, span(NULL, 0),
                            ADDS(EXTRA, 1), (uint8_t *)s->out, cap, &request);
  s->len = request.len;
  return result;
}

static int32_t unescapes(sized *s, size_t cap) {
  tokenward_token_answer_result read;
  int32_t result = tokenward_token_answer(
    200, TEXT("{\"access_token\":\"a\\/b\",\"refresh_token\":\"\\u0072\",\"token_type\":\"x\",\"scope\":[\"p\",\"q\"]}"),
    s->f->config.service, (uint8_t *)s->out, cap, &read);
  s->len = read.len;
  return result;
}

static int32_t reads_parameter(sized *s, size_t cap) {
  tokenward_challenge_param param;
  int32_t result =
    tokenward_challenge_param_at(TEXT("Bearer realm=\"a \\\"b\\\"\""), 0, TEXT("Realm"), 0, s->out, cap, &param);
  s->len = param.len;
  return result;
}

/* {"sub":"a\/b"} */
static const char JWT[] = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhXC9iIn0.c2ln";

static int32_t reads_claims(sized *s, size_t cap) {
  tokenward_claims claims;
  int32_t result = tokenward_jwt_claims(TEXT(JWT), (uint8_t *)s->out, cap, &claims);
  /* Up to the length of the payload that is what it asks for. */
  s->len = result == TOKENWARD_OK || cap >= 14 ? claims.len : 17;
  return result;
}

static void a_small_buffer_is_refused_with_what_it_takes(void **state) {
  fixture *f = *state;
  wipes(f, begins);
  fits_exactly(f, begins, false);
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
  hold_token(f);
  fits_exactly(f, authorizes, true);
  wipes(f, writes_state_line);
  fits_exactly(f, writes_state_line, true);
  fits_exactly(f, writes_bearer, true);
  wipes(f, writes_basic);
  fits_exactly(f, writes_basic, true);
  wipes(f, encodes);
  fits_exactly(f, encodes, true);
  fits_exactly(f, encodes_nothing, true);
  wipes(f, requests);
  fits_exactly(f, requests, false);
  fits_exactly(f, unescapes, false);
  fits_exactly(f, reads_parameter, true);
  fits_exactly(f, reads_claims, false);
}

/* ---- storage */

static void storage_is_read_and_written_when_poll_says_so(void **state) {
  fixture *f = *state;
  const tokenward_span key = span(KEY, sizeof KEY);
  const uint64_t wall = 1700000000;
  tokenward_span slots[2] = { { NULL, 0 }, { NULL, 0 } };
  tokenward_found found;
  tokenward_poll_result poll;
  tokenward_header header;
  uint8_t stored[256];
  char value[32];
  size_t len;
  f->config.storage.slots = 2;
  stores_in(f, &tokenward_storage_own);

  poll = polled(f, 0);
  assert_int_equal(poll.next, TOKENWARD_NEXT_LOAD);
  assert_int_equal(tokenward_loaded(f->manager, 0, &wall, poll.id + 1, key, slots, 2, &found),
                   TOKENWARD_ERR_STALE_REQUEST);
  assert_int_equal(tokenward_loaded(f->manager, 0, &wall, poll.id, key, slots, 2, &found), TOKENWARD_OK);
  assert_int_equal(found, TOKENWARD_FOUND_EMPTY);
  assert_int_equal(tokenward_load_failed(f->manager, 0, poll.id), TOKENWARD_ERR_STALE_REQUEST);
  hold_token(f);

  poll = polled(f, 0);
  assert_int_equal(poll.next, TOKENWARD_NEXT_STORE);
  assert_int_equal(poll.slot, 0);
  assert_false(poll.usable);
  assert_int_equal(tokenward_stored(f->manager, 0, poll.id), TOKENWARD_ERR_NOT_DUE);
  assert_int_equal(tokenward_snapshot(f->manager, 0, &wall, poll.id, key, stored, sizeof stored, &len),
                   TOKENWARD_OK);
  assert_int_equal(tokenward_stored(f->manager, 0, poll.id), TOKENWARD_OK);
  assert_int_equal(tokenward_snapshot(f->manager, 0, &wall, poll.id, key, stored, sizeof stored, &len),
                   TOKENWARD_ERR_STALE_REQUEST);
  assert_true(polled(f, 0).usable);
  assert_int_equal(tokenward_clear(f->manager), TOKENWARD_OK);
  poll = polled(f, 0);
  assert_int_equal(poll.next, TOKENWARD_NEXT_STORE);
  assert_int_equal(poll.slot, 1);

  /* After a restart. */
  stores_in(f, &tokenward_storage_own);
  poll = polled(f, 0);
  assert_int_equal(tokenward_load_failed(f->manager, 0, poll.id), TOKENWARD_OK);
  assert_int_equal(polled(f, 0).next, TOKENWARD_NEXT_WAIT);
  assert_int_equal(tokenward_reload(f->manager), TOKENWARD_OK);
  poll = polled(f, 0);
  assert_int_equal(poll.next, TOKENWARD_NEXT_LOAD);
  assert_int_equal(tokenward_took(f->manager, 0, poll.id), TOKENWARD_OK);
  assert_int_equal(polled(f, 0).next, TOKENWARD_NEXT_AWAIT);
  assert_true(polled(f, 0).id == poll.id);
  slots[1] = span(stored, len);
  assert_int_equal(tokenward_loaded(f->manager, 0, &wall, poll.id, key, slots, 2, &found), TOKENWARD_OK);
  assert_int_equal(found, TOKENWARD_FOUND_TAKEN);
  assert_int_equal(tokenward_authorize(f->manager, 0, TEXT("GET"), TEXT(URL), value, sizeof value, &header),
                   TOKENWARD_OK);
  assert_string_equal(value, "Bearer first");

  /* With a floor above it, and with nothing but damage. */
  f->config.storage.floor = 2;
  stores_in(f, &tokenward_storage_own);
  assert_int_equal(tokenward_loaded(f->manager, 0, &wall, polled(f, 0).id, key, slots, 2, &found),
                   TOKENWARD_ERR_STALE_SNAPSHOT);
  stored[100] ^= 1;
  f->config.storage.floor = 0;
  stores_in(f, &tokenward_storage_shared);
  assert_int_equal(tokenward_loaded(f->manager, 0, &wall, polled(f, 0).id, key, slots, 2, &found),
                   TOKENWARD_ERR_INVALID_SNAPSHOT);
  assert_string_equal(tokenward_found_name(TOKENWARD_FOUND_SIGNED_OUT), "signed_out");
  assert_string_equal(tokenward_found_name(0), "unknown");
  assert_string_equal(tokenward_found_name(6), "unknown");
}

static void a_supply_counts_only_for_its_id(void **state) {
  fixture *f = *state;
  const tokenward_token token = { .access_token = TOKENWARD_TEXT("key") };
  tokenward_poll_result poll;
  uint64_t generation = 0;
  f->config.service = &tokenward_flip_utility_api_key_sandbox;
  f->config.source = TOKENWARD_SOURCE_PROGRAM;
  stores_in(f, NULL);
  poll = polled(f, 0);
  assert_int_equal(poll.next, TOKENWARD_NEXT_SUPPLY);
  assert_int_equal(poll.reason, TOKENWARD_REASON_NO_TOKEN);
  assert_int_equal(tokenward_supply_failed(f->manager, 0, poll.id, true), TOKENWARD_OK);
  assert_int_equal(polled(f, 0).next, TOKENWARD_NEXT_WAIT);
  assert_int_equal(tokenward_supplied(f->manager, 0, poll.id, &token, &generation), TOKENWARD_ERR_STALE_REQUEST);
  assert_int_equal(tokenward_supply_failed(f->manager, 0, poll.id, true), TOKENWARD_ERR_STALE_REQUEST);
  assert_int_equal(tokenward_took(f->manager, 0, poll.id), TOKENWARD_ERR_STALE_REQUEST);
  assert_int_equal(tokenward_retry(f->manager), TOKENWARD_OK);
  poll = polled(f, 0);
  assert_int_equal(tokenward_supplied(f->manager, 0, poll.id, &token, &generation), TOKENWARD_OK);
  assert_int_equal(generation, 1);
  assert_true(polled(f, 0).usable);
}

static int32_t takes_what_is_stored(sized *s, size_t cap) {
  return tokenward_snapshot(s->f->manager, 0, NULL, polled(s->f, 0).id, span(KEY, sizeof KEY), (uint8_t *)s->out, cap,
                                &s->len);
}

static void a_small_buffer_for_what_is_stored_is_refused_with_what_it_takes(void **state) {
  fixture *f = *state;
  tokenward_found found;
  stores_in(f, &tokenward_storage_own);
  assert_int_equal(tokenward_loaded(f->manager, 0, NULL, polled(f, 0).id, span(KEY, 32), NULL, 0, &found), TOKENWARD_OK);
  hold_token(f);
  wipes(f, takes_what_is_stored);
  fits_exactly(f, takes_what_is_stored, false);
}

static void a_key_that_nobody_has_filled_in_seals_and_opens_nothing(void **state) {
  fixture *f = *state;
  static const uint8_t zeros[32];
  const tokenward_span key = span(zeros, sizeof zeros);
  tokenward_found found;
  size_t len = 7;
  stores_in(f, &tokenward_storage_own);
  assert_int_equal(tokenward_loaded(f->manager, 0, NULL, polled(f, 0).id, key, NULL, 0, &found), TOKENWARD_ERR_KEY);
  assert_int_equal(tokenward_loaded(f->manager, 0, NULL, polled(f, 0).id, span(KEY, 32), NULL, 0, &found), TOKENWARD_OK);
  hold_token(f);
  assert_int_equal(tokenward_snapshot(f->manager, 0, NULL, polled(f, 0).id, key, f->buf, sizeof f->buf, &len),
                   TOKENWARD_ERR_KEY);
  assert_int_equal(len, 7);
  assert_string_equal(tokenward_result_name(TOKENWARD_ERR_KEY), "key");
}

/* Full slots, and in them and in the credentials what takes the most room. */
static void what_the_macros_of_sizes_say_holds_everything(void **state) {
  enum { ACCESS = 300, REFRESH = 400, ID = 300, SECRET = 500, SCOPE = 800 };
#define SIZES_URL "https://oauth.example/token"
  static const void *const authentications[] = { &tokenward_authentication_basic, &tokenward_authentication_basic_raw,
                                                 &tokenward_authentication_post, &tokenward_authentication_bearer,
                                                 &tokenward_authentication_none };
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS, REFRESH)];
  static uint8_t snapshot[TOKENWARD_SNAPSHOT_BYTES(ACCESS, REFRESH)], buffer[16384];
  static char header[TOKENWARD_HEADER_BYTES(ACCESS)];
  const uint64_t lifetime = 3600, wall = 1700000000;
  uint8_t plain[ID + SECRET], escaped[SCOPE];
  tokenward_manager *manager;
  tokenward_request request;
  tokenward_header written;
  uint64_t generation;
  size_t len;
  (void)state;
  memset(plain, 'a', sizeof plain);
  memset(escaped, '&', sizeof escaped);
  for (size_t i = 0; i < 8 * sizeof authentications / sizeof *authentications; i++) {
    const bool password = i % 4 < 2;
    const size_t scope = i % 8 < 4 ? 1 : SCOPE;
    const tokenward_provider provider = {
      .name = TOKENWARD_TEXT("sizes"),
      .base_url = TOKENWARD_TEXT(SIZES_URL),
      .scope = span(escaped, scope),
      .authentication = authentications[i / 8],
      .body = i % 2 ? &tokenward_body_json : &tokenward_body_form,
      .primary_grant = password ? TOKENWARD_GRANT_PASSWORD : TOKENWARD_GRANT_CLIENT_CREDENTIALS,
      .refresh_grant = true,
    };
    tokenward_config config = { .access_capacity = ACCESS,
                                .refresh_capacity = REFRESH,
                                .storage = { .kind = &tokenward_storage_own } };
    tokenward_poll_result poll;
    tokenward_found found;
    const tokenward_credentials credentials = { .client_id = span(escaped, ID),
                                                .client_secret = span(escaped, SECRET),
                                                .username = span(escaped, ID),
                                                .password = span(escaped, SECRET),
                                                .bearer = span(plain, ID + SECRET) };
    const tokenward_token token = { .access_token = span(plain, ACCESS),
                                    .refresh_token = span(escaped, REFRESH),
                                    .expires_in_s = &lifetime };
    const size_t cap =
      TOKENWARD_REQUEST_BYTES(sizeof SIZES_URL - 1, (password ? 2 : 1) * (ID + SECRET), scope, REFRESH);
    assert_true(cap < sizeof buffer);
    assert_int_equal(tokenward_describe(&provider, &config.service), TOKENWARD_OK);
    assert_int_equal(tokenward_init(&manager, memory, sizeof memory, &config), TOKENWARD_OK);
    assert_int_equal(tokenward_poll(manager, 0, &poll), TOKENWARD_OK);
    assert_int_equal(tokenward_loaded(manager, 0, &wall, poll.id, span(KEY, sizeof KEY), NULL, 0, &found), TOKENWARD_OK);
    assert_int_equal(tokenward_begin(manager, 0, &credentials, buffer, cap, &request), TOKENWARD_OK);
    assert_int_equal(tokenward_install(manager, 1, &token, &generation), TOKENWARD_OK);
    assert_int_equal(tokenward_poll(manager, 1, &poll), TOKENWARD_OK);
    assert_int_equal(tokenward_snapshot(manager, 1, &wall, poll.id, span(KEY, sizeof KEY), snapshot, sizeof snapshot, &len),
                     TOKENWARD_OK);
    assert_int_equal(tokenward_stored(manager, 1, poll.id), TOKENWARD_OK);
    assert_int_equal(tokenward_renew(manager), TOKENWARD_OK);
    assert_int_equal(tokenward_begin(manager, 60000, &credentials, buffer, cap, &request), TOKENWARD_OK);
    assert_int_equal(
      tokenward_authorize(manager, 60000, TEXT("GET"), TEXT(SIZES_URL), header, sizeof header, &written), TOKENWARD_OK);
    assert_int_equal(written.len + 1, sizeof header);
  }
}

/* ---- readers and writers without a manager */

static void an_answer_is_read_where_it_stands(void **state) {
  fixture *f = *state;
  tokenward_token_answer_result read;
  tokenward_span body =
    TEXT("{\"access_token\":\"plain\",\"token_type\":\"\",\"expires_in\":\"60\",\"refresh_token\":\"r\\/t\",\"scope\":\"a b\"}");
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, f->buf, sizeof f->buf, &read), TOKENWARD_OK);
  assert_int_equal(read.kind, TOKENWARD_ANSWER_TOKEN);
  assert_span(read.access_token, "plain");
  assert_true(read.access_token.ptr > body.ptr && read.access_token.ptr < body.ptr + body.len);
  assert_non_null(read.token_type.ptr);
  assert_int_equal(read.token_type.len, 0);
  assert_span(read.refresh_token, "r/t");
  assert_ptr_equal(read.refresh_token.ptr, f->buf);
  assert_span(read.scope, "a b");
  assert_null(read.id_token.ptr);
  assert_null(read.error.ptr);
  assert_true(read.has_expires_in);
  assert_int_equal(read.expires_in_s, 60);
  assert_int_equal(read.len, 3);

  body = TEXT("{\"access_token\":\"t\",\"scope\":[\"a\",\"b\\\\c\"],\"id_token\":\"i\"}");
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, f->buf, sizeof f->buf, &read), TOKENWARD_OK);
  assert_span(read.scope, "a b\\c");
  assert_span(read.id_token, "i");
  assert_false(read.has_expires_in);
  body = TEXT("{\"access_token\":\"t\",\"scope\":[\"a\"]}");
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, NULL, 0, &read), TOKENWARD_OK);
  assert_span(read.scope, "a");
  body = TEXT("{\"access_token\":\"t\",\"scope\":[]}");
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, NULL, 0, &read), TOKENWARD_OK);
  assert_int_equal(read.scope.len, 0);

  body = TEXT("{\"error\":\"invalid_grant\",\"error_description\":\"n\\u006f\",\"error_uri\":\"u\"}");
  assert_int_equal(tokenward_token_answer(400, body, f->config.service, f->buf, sizeof f->buf, &read), TOKENWARD_OK);
  assert_int_equal(read.kind, TOKENWARD_ANSWER_ERROR);
  assert_int_equal(read.code, TOKENWARD_CODE_INVALID_GRANT);
  assert_span(read.error, "invalid_grant");
  assert_span(read.error_description, "no");
  assert_span(read.error_uri, "u");
  assert_null(read.access_token.ptr);

  assert_int_equal(tokenward_token_answer(200, TEXT("{\"a\":]"), f->config.service, NULL, 0, &read),
                   TOKENWARD_ERR_MALFORMED);
  assert_int_equal(read.offset, 5);
  assert_int_equal(tokenward_token_answer(200, span(NULL, 0), f->config.service, NULL, 0, &read), TOKENWARD_ERR_TRUNCATED);
  assert_int_equal(tokenward_token_answer(200, span(NULL, 1), f->config.service, NULL, 0, &read), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_answer(200, body, NULL, NULL, 0, &read), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, NULL, 0, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_answer(200, span(f->buf, 9), f->config.service, f->buf, 9, &read),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_token_answer(200, span(&read, 9), f->config.service, NULL, 0, &read), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_token_answer(200, body, f->config.service, (uint8_t *)&f->provider, 9, &read),
                   TOKENWARD_ERR_OVERLAP);
}

static void challenges_are_read(void **state) {
  tokenward_span field = TEXT("Bearer realm=\"a b\", error=invalid_token, Negotiate a87421==, Basic Realm=x");
  tokenward_challenge challenge;
  tokenward_challenge_param param;
  size_t count;
  char value[32];
  (void)state;
  assert_int_equal(tokenward_challenges(field, &count), TOKENWARD_OK);
  assert_int_equal(count, 3);
  assert_int_equal(tokenward_challenge_at(field, 0, &challenge), TOKENWARD_OK);
  assert_span(challenge.scheme, "Bearer");
  assert_null(challenge.token68.ptr);
  assert_int_equal(challenge.param_count, 2);
  assert_int_equal(tokenward_challenge_at(field, 1, &challenge), TOKENWARD_OK);
  assert_span(challenge.token68, "a87421==");
  assert_int_equal(challenge.param_count, 0);
  assert_int_equal(tokenward_challenge_at(field, 3, &challenge), TOKENWARD_ERR_NO_SUCH_ITEM);
  assert_int_equal(tokenward_challenge_at(field, SIZE_MAX, &challenge), TOKENWARD_ERR_NO_SUCH_ITEM);
  assert_int_equal(tokenward_challenge_param_at(field, 0, span(NULL, 0), 1, value, sizeof value, &param),
                   TOKENWARD_OK);
  assert_span(param.name, "error");
  assert_string_equal(value, "invalid_token");
  assert_int_equal(tokenward_challenge_param_at(field, 2, TEXT("rEALM"), SIZE_MAX, value, sizeof value, &param),
                   TOKENWARD_OK);
  assert_span(param.name, "Realm");
  assert_string_equal(value, "x");
  assert_int_equal(tokenward_challenge_param_at(field, 0, span(NULL, 0), 2, value, sizeof value, &param),
                   TOKENWARD_ERR_NO_SUCH_ITEM);
  assert_int_equal(tokenward_challenge_param_at(field, 0, TEXT("scope"), 0, value, sizeof value, &param),
                   TOKENWARD_ERR_NO_SUCH_ITEM);
  assert_int_equal(tokenward_challenges(span(NULL, 0), &count), TOKENWARD_OK);
  assert_int_equal(count, 0);
  assert_int_equal(tokenward_challenges(TEXT("Bearer a=b c"), &count), TOKENWARD_ERR_INVALID_CHALLENGE);
  assert_int_equal(tokenward_challenges(span(NULL, 1), &count), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_challenges(field, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_challenges(span(&count, 2), &count), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_challenge_at(field, 0, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_challenge_at(span("B", SIZE_MAX), 0, &challenge), TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_challenge_param_at(span(value, 4), 0, TEXT("x"), 0, value, sizeof value, &param),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_challenge_param_at(field, 0, span(value, 4), 0, value, sizeof value, &param),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_challenge_param_at(field, 0, TEXT("realm"), 0, (char *)&param, sizeof param, &param),
                   TOKENWARD_ERR_OVERLAP);
}

static void dates_and_waits_are_read(void **state) {
  const uint64_t wall = 784111717;
  uint64_t out = 5;
  uint64_t words[2] = { 0, 0 };
  (void)state;
  assert_int_equal(tokenward_http_date(TEXT("Sun, 06 Nov 1994 08:49:37 GMT"), NULL, &out), TOKENWARD_OK);
  assert_int_equal(out, 784111777);
  assert_int_equal(tokenward_http_date(TEXT("Sunday, 06-Nov-94 08:49:37 GMT"), NULL, &out),
                   TOKENWARD_ERR_INVALID_HTTP_DATE);
  assert_int_equal(tokenward_http_date(TEXT("Sunday, 06-Nov-94 08:49:37 GMT"), &wall, &out), TOKENWARD_OK);
  assert_int_equal(tokenward_retry_after(TEXT("120"), NULL, &out), TOKENWARD_OK);
  assert_int_equal(out, 120);
  assert_int_equal(tokenward_retry_after(TEXT("Sun, 06 Nov 1994 08:49:37 GMT"), &wall, &out), TOKENWARD_OK);
  assert_int_equal(out, 60);
  assert_int_equal(tokenward_retry_after(TEXT("soon"), &wall, &out), TOKENWARD_ERR_INVALID_RETRY_AFTER);
  assert_int_equal(tokenward_retry_after(span(NULL, 1), &wall, &out), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_retry_after(TEXT("1"), &wall, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_retry_after(TEXT("1"), (uint64_t *)((char *)words + 4), &out), TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_retry_after(TEXT("1"), words, words), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_http_date(TEXT("1"), words, words), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_http_date(span(words, 3), NULL, words), TOKENWARD_ERR_OVERLAP);
}

static void claims_are_read(void **state) {
  fixture *f = *state;
  tokenward_claims claims;
  /* {"exp":1300819380,"iat":1,"sub":"joe"} */
  tokenward_span token = TEXT("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEzMDA4MTkzODAsImlhdCI6MSwic3ViIjoiam9lIn0.c2ln");
  assert_int_equal(tokenward_jwt_claims(token, f->buf, sizeof f->buf, &claims), TOKENWARD_OK);
  assert_true(claims.has_exp);
  assert_int_equal(claims.exp_s, 1300819380);
  assert_true(claims.has_iat);
  assert_int_equal(claims.iat_s, 1);
  assert_false(claims.has_nbf);
  assert_span(claims.sub, "joe");
  assert_int_equal(tokenward_jwt_claims(TEXT(JWT), f->buf, sizeof f->buf, &claims), TOKENWARD_OK);
  assert_span(claims.sub, "a/b");
  assert_int_equal(tokenward_jwt_claims(TEXT("a.b"), f->buf, sizeof f->buf, &claims), TOKENWARD_ERR_INVALID_JWT);
  assert_int_equal(tokenward_jwt_claims(span(NULL, 0), NULL, 0, &claims), TOKENWARD_ERR_INVALID_JWT);
  assert_int_equal(tokenward_jwt_claims(TEXT("e30.e30"), NULL, 0, &claims), TOKENWARD_ERR_INVALID_JWT);
  assert_int_equal(tokenward_jwt_claims(TEXT("e30..e30"), NULL, 0, &claims), TOKENWARD_ERR_TRUNCATED);
  assert_int_equal(tokenward_jwt_claims(span(f->buf, 8), f->buf, 8, &claims), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_jwt_claims(token, f->buf, 8, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_jwt_claims(token, NULL, 8, &claims), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_jwt_claims(span("x", SIZE_MAX), NULL, 0, &claims), TOKENWARD_ERR_LENGTH);
}

static void headers_and_forms_are_written(void **state) {
  char out[64];
  size_t len;
  (void)state;
  assert_int_equal(tokenward_bearer(TEXT("fl_key"), out, sizeof out, &len), TOKENWARD_OK);
  assert_string_equal(out, "Bearer fl_key");
  assert_int_equal(tokenward_bearer(TEXT("a b"), out, sizeof out, &len), TOKENWARD_ERR_INVALID_ACCESS_TOKEN);
  assert_int_equal(tokenward_bearer(span(NULL, 0), out, sizeof out, &len), TOKENWARD_ERR_INVALID_ACCESS_TOKEN);
  assert_int_equal(tokenward_bearer(span(NOT_UTF8, 2), out, sizeof out, &len), TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(tokenward_bearer(span(out, 2), out, sizeof out, &len), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_bearer(TEXT("t"), out, sizeof out, NULL), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_bearer(TEXT("t"), NULL, 9, &len), TOKENWARD_ERR_NULL);

  assert_int_equal(tokenward_basic_raw(TEXT("Aladdin"), TEXT("open sesame"), out, sizeof out, &len), TOKENWARD_OK);
  assert_string_equal(out, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  assert_int_equal(len, strlen(out));
  assert_int_equal(tokenward_basic(TEXT("Aladdin"), TEXT("open sesame"), out, sizeof out, &len), TOKENWARD_OK);
  assert_string_equal(out, "Basic QWxhZGRpbjpvcGVuK3Nlc2FtZQ==");
  assert_int_equal(tokenward_basic_raw(TEXT("a:b"), TEXT("s"), out, sizeof out, &len),
                   TOKENWARD_ERR_WRONG_CREDENTIALS);
  assert_int_equal(tokenward_basic(TEXT("a:b"), TEXT("s"), out, sizeof out, &len), TOKENWARD_OK);
  assert_int_equal(tokenward_basic(TEXT(""), TEXT("s"), out, sizeof out, &len), TOKENWARD_ERR_WRONG_CREDENTIALS);
  assert_int_equal(tokenward_basic(span(out, 1), TEXT("s"), out, sizeof out, &len), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_basic_raw(TEXT("a"), span(out, 1), out, sizeof out, &len), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_basic(TEXT("a"), span("s", SIZE_MAX), out, sizeof out, &len), TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_basic_raw(span(NOT_UTF8, 2), TEXT("s"), out, sizeof out, &len), TOKENWARD_ERR_NOT_UTF8);

  assert_int_equal(tokenward_form_encode(TEXT("s&cret 1"), out, sizeof out, &len), TOKENWARD_OK);
  assert_string_equal(out, "s%26cret+1");
  assert_int_equal(tokenward_form_encode(span("", 0), out, 1, &len), TOKENWARD_OK);
  assert_int_equal(len, 0);
  assert_int_equal(tokenward_form_encode(span(NULL, 1), out, sizeof out, &len), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_form_encode(span(&len, 1), out, sizeof out, &len), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_form_encode(TEXT("a"), (char *)&len, sizeof len, &len), TOKENWARD_ERR_OVERLAP);
}

static void a_request_is_written_without_a_manager(void **state) {
  static const tokenward_pair EXTRA[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("a b") },
                                          { TOKENWARD_TEXT("resource"), TOKENWARD_TEXT("") } };
  static const tokenward_pair TWICE[] = { { TOKENWARD_TEXT("scope"), TOKENWARD_TEXT("x") } };
  static const tokenward_pair NONE[] = { { TOKENWARD_TEXT("scope"), { NULL, 0 } } };
  fixture *f = *state;
  tokenward_request request;
  const tokenward_config *c = &f->config;
  const tokenward_span none = span(NULL, 0);
  const int32_t primary = TOKENWARD_GRANT_CLIENT_CREDENTIALS;
  const int32_t refresh = TOKENWARD_GRANT_REFRESH_TOKEN;
  uint8_t *buf = f->buf;
  assert_int_equal(tokenward_token_request(c, refresh, &f->credentials, TEXT("r t"), ADDS(EXTRA, 2), buf, 512, &request),
                   TOKENWARD_OK);
  assert_span(request.body, "grant_type=refresh_token&refresh_token=r+t&audience=a+b");
  assert_int_equal(request.id, 0);
  assert_int_equal(tokenward_token_request(c, primary, &f->credentials, none, ADDS(TWICE, 1), buf, 512, &request),
                   TOKENWARD_ERR_DUPLICATE_PARAMETER);
  assert_int_equal(tokenward_token_request(c, primary, &f->credentials, none, ADDS(NONE, 1), buf, 512, &request),
                   TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_request(c, primary, &f->credentials, none, ADDS(NULL, 1), buf, 512, &request),
                   TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_request(c, primary, &f->credentials, none, ADDS(EXTRA, SIZE_MAX), buf, 512, &request),
                   TOKENWARD_ERR_LENGTH);
  assert_int_equal(tokenward_token_request(c, 0, &f->credentials, none, NULL, buf, 512, &request),
                   TOKENWARD_ERR_OUT_OF_RANGE);
  assert_int_equal(tokenward_token_request(c, 6, &f->credentials, none, NULL, buf, 512, &request),
                   TOKENWARD_ERR_OUT_OF_RANGE);
  assert_int_equal(tokenward_token_request(c, primary, NULL, none, NULL, buf, 512, &request),
                   TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_token_request(NULL, primary, &f->credentials, none, NULL, buf, 512, &request),
                   TOKENWARD_ERR_NULL);
  f->config.site = span(NOT_UTF8, 2);
  assert_int_equal(tokenward_token_request(c, primary, &f->credentials, none, NULL, buf, 512, &request),
                   TOKENWARD_ERR_NOT_UTF8);
  f->config.site = none;
  assert_int_equal(
    tokenward_token_request(c, refresh, &f->credentials, span(buf, 2), NULL, buf, 512, &request),
    TOKENWARD_ERR_OVERLAP);
  f->config.service = &tokenward_flip_energy_site;
  f->config.base_url = TEXT("https://api.example");
  f->credentials.bearer = TEXT("client");
  assert_int_equal(tokenward_token_request(c, TOKENWARD_GRANT_SITE_TOKEN, &f->credentials, none, NULL, buf, 512,
                                           &request),
                   TOKENWARD_ERR_INVALID_PROVIDER);
  f->config.site = TEXT("s/1");
  assert_int_equal(tokenward_token_request(c, TOKENWARD_GRANT_SITE_TOKEN, &f->credentials, none, NULL, buf, 512,
                                           &request),
                   TOKENWARD_OK);
  assert_span(request.url, "https://api.example/v1/auth/site/s%2F1");
  assert_span(request.authorization, "Bearer client");
  assert_int_equal(request.body.len, 0);
  assert_int_equal(request.content_type.len, 0);
}

static void memory_is_wiped(void **state) {
  uint8_t memory[16];
  (void)state;
  memset(memory, 0xFF, sizeof memory);
  assert_int_equal(tokenward_wipe(memory + 1, 14), TOKENWARD_OK);
  assert_int_equal(memory[0], 0xFF);
  assert_int_equal(memory[15], 0xFF);
  for (size_t i = 1; i < 15; i++) {
    assert_int_equal(memory[i], 0);
  }
  assert_int_equal(tokenward_wipe(NULL, 0), TOKENWARD_OK);
  assert_int_equal(tokenward_wipe(NULL, 1), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_wipe(memory, SIZE_MAX), TOKENWARD_ERR_LENGTH);
}

static void ticks_are_widened(void **state) {
  uint64_t clock = 0;
  (void)state;
  assert_int_equal(tokenward_widen_ticks(&clock, UINT32_MAX), TOKENWARD_OK);
  assert_int_equal(clock, UINT32_MAX);
  assert_int_equal(tokenward_widen_ticks(&clock, 5), TOKENWARD_OK);
  assert_true(clock == UINT64_C(0x100000005));
  assert_int_equal(tokenward_widen_ticks(&clock, 4), TOKENWARD_OK);
  assert_true(clock == UINT64_C(0x100000005));
  assert_int_equal(tokenward_widen_ticks(&clock, 6), TOKENWARD_OK);
  assert_true(clock == UINT64_C(0x100000006));
  assert_int_equal(tokenward_widen_ticks(NULL, 4), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_widen_ticks((uint64_t *)((char *)&clock + 1), 4), TOKENWARD_ERR_MISALIGNED);
}

static void the_line_for_a_log_says_what_poll_says(void **state) {
  fixture *f = *state;
  char line[256];
  char expected[256];
  tokenward_poll_result poll;
  size_t len;
  hold_token(f);
  assert_int_equal(tokenward_poll(f->manager, 1000, &poll), TOKENWARD_OK);
  assert_int_equal(tokenward_state_line(f->manager, 1000, line, sizeof line, &len), TOKENWARD_OK);
  assert_int_equal(len, strlen(line));
  snprintf(expected, sizeof expected, " usable=yes next=%s poll_in_ms=%d generation=1",
           tokenward_next_name(poll.next), (int)(poll.poll_at_ms - 1000));
  assert_string_equal(strstr(line, " usable"), expected);
}

static void numbers_have_names(void **state) {
  (void)state;
  assert_string_equal(tokenward_result_name(TOKENWARD_OK), "ok");
  assert_string_equal(tokenward_result_name(TOKENWARD_ERR_OVERLAP), "overlap");
  assert_string_equal(tokenward_result_name(TOKENWARD_ERR_INVALID_PROVIDER), "invalid_provider");
  assert_string_equal(tokenward_result_name(-1), "unknown");
  assert_string_equal(tokenward_result_name(INT32_MAX), "unknown");
  assert_string_equal(tokenward_error_code_name(TOKENWARD_CODE_NONE), "none");
  assert_string_equal(tokenward_error_code_name(TOKENWARD_CODE_INVALID_GRANT), "invalid_grant");
  assert_string_equal(tokenward_error_code_name(TOKENWARD_CODE_OTHER), "other");
  assert_string_equal(tokenward_error_code_name(99), "unknown");
  assert_string_equal(tokenward_reason_name(TOKENWARD_REASON_NONE), "none");
  assert_string_equal(tokenward_reason_name(TOKENWARD_REASON_NOT_AN_AUTHENTICATION_FAILURE),
                      "not_an_authentication_failure");
  assert_string_equal(tokenward_next_name(TOKENWARD_NEXT_NOTHING), "nothing");
  assert_string_equal(tokenward_next_name(TOKENWARD_NEXT_SUPPLY), "supply");
  assert_string_equal(tokenward_next_name(-1), "unknown");
  assert_string_equal(tokenward_retry_name(TOKENWARD_RETRY_AFTER_REFRESH), "after_refresh");
  assert_string_equal(tokenward_retry_name(0), "unknown");
  assert_string_equal(tokenward_reason_name(TOKENWARD_REASON_STORED_TOO_LONG), "stored_too_long");
  assert_string_equal(tokenward_reason_name(16), "unknown");
  assert_string_equal(tokenward_grant_name(TOKENWARD_GRANT_SITE_TOKEN), "site_token");
  assert_string_equal(tokenward_grant_name(TOKENWARD_GRANT_NONE), "none");
  assert_string_equal(tokenward_grant_name(-1), "unknown");
  assert_int_equal(tokenward_text(NULL).len, 0);
  assert_int_equal(tokenward_text("abc").len, 3);
}

/* ---- signing in */

static void a_revocation_is_written_whole_before_the_token_is_wiped(void **state) {
  fixture *f = *state;
  const tokenward_pair_list none = { NULL, 0 };
  tokenward_token token = { 0 };
  tokenward_request request;
  uint64_t generation;
  token.access_token = TEXT("at");
  f->provider.revocation_path = TEXT("/revoke");
  assert_int_equal(tokenward_describe(&f->provider, &f->config.service), TOKENWARD_OK);
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);

  /* There is nothing to revoke. */
  assert_int_equal(tokenward_revoke(f->manager, &f->credentials, none, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  assert_int_equal(request.url.len, 0);
  assert_int_equal(request.len, 0);

  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  assert_int_equal(tokenward_revoke(f->manager, &f->credentials, none, f->buf, 8, &request), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_true(polled(f, 0).usable);
  size_t needed = request.len;
  assert_int_equal(tokenward_revoke(f->manager, &f->credentials, none, f->buf, needed - 1, &request),
                   TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(tokenward_revoke(f->manager, &f->credentials, none, f->buf, needed, &request), TOKENWARD_OK);
  assert_int_equal(request.len, needed);
  assert_int_equal(request.id, 0);
  assert_false(polled(f, 0).usable);

  /* What is refused otherwise signs out all the same. */
  assert_int_equal(tokenward_install(f->manager, 0, &token, &generation), TOKENWARD_OK);
  assert_int_equal(tokenward_revoke(f->manager, NULL, none, f->buf, sizeof f->buf, &request), TOKENWARD_ERR_NULL);
  assert_true(polled(f, 0).usable);
  f->credentials.client_id = span(NULL, 0);
  assert_int_equal(tokenward_revoke(f->manager, &f->credentials, none, f->buf, sizeof f->buf, &request),
                   TOKENWARD_ERR_WRONG_CREDENTIALS);
  assert_false(polled(f, 0).usable);
}

static void what_a_service_says_to_a_revocation_has_a_kind(void **state) {
  fixture *f = *state;
  const struct {
    uint16_t status;
    tokenward_span body;
    int32_t kind;
    int32_t code;
  } answers[] = {
    { 200, span(NULL, 0), TOKENWARD_ANSWER_REVOKED, TOKENWARD_CODE_NONE },
    { 503, span(NULL, 0), TOKENWARD_ANSWER_LATER, TOKENWARD_CODE_NONE },
    { 404, span(NULL, 0), TOKENWARD_ANSWER_ERROR, TOKENWARD_CODE_NONE },
    { 401, TEXT("{\"error\":\"invalid_client\"}"), TOKENWARD_ANSWER_ERROR, TOKENWARD_CODE_INVALID_CLIENT },
  };
  for (size_t i = 0; i < COUNT(answers); i++) {
    tokenward_parsed_answer parsed = { 0 };
    tokenward_outcome outcome;
    parsed.status = answers[i].status;
    parsed.body = answers[i].body;
    assert_int_equal(tokenward_revocation_answer(f->manager, &parsed, &outcome), TOKENWARD_OK);
    assert_int_equal(outcome.kind, answers[i].kind);
    assert_int_equal(outcome.code, answers[i].code);
  }
}

enum { CODES = 256 };

static const char CODE_ANSWER[] = "{\"device_code\":\"d\",\"user_code\":\"WDJB-MJHT\","
                                  "\"verification_uri\":\"https://acme.example/device\",\"expires_in\":900}";
static const char REDIRECT[] = "http://127.0.0.1:49152/callback";

/* A manager of a service that a person signs in to. */
static void sign_in_service(fixture *f) {
  f->provider.authorization_url = TEXT("https://login.acme.example/authorize");
  f->provider.device_path = TEXT("/device");
  assert_int_equal(tokenward_describe(&f->provider, &f->config.service), TOKENWARD_OK);
  assert_int_equal(tokenward_init(&f->manager, f->memory, sizeof f->memory, &f->config), TOKENWARD_OK);
}

static void device_calls(tokenward_device *device, fixture *f, int32_t expected) {
  tokenward_device_poll_result said;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_parsed_answer parsed = { 0 };
  assert_int_equal(tokenward_device_start(device, 0), expected);
  assert_int_equal(tokenward_device_cancel(device), expected);
  assert_int_equal(tokenward_device_poll(device, f->manager, 0, &said), expected);
  assert_int_equal(tokenward_device_shown(device, f->manager, 0), expected);
  assert_int_equal(tokenward_device_begin(device, f->manager, 0, &f->credentials, no_values, f->buf, sizeof f->buf, &request), expected);
  assert_int_equal(tokenward_device_answer(device, f->manager, 0, 1, &parsed, &outcome), expected);
  assert_int_equal(tokenward_device_failed(device, f->manager, 0, 1), expected);
}

static void what_is_no_device_authorization_is_refused(void **state) {
  fixture *f = *state;
  uint64_t good[TOKENWARD_DEVICE_WORDS(CODES)];
  uint64_t memory[COUNT(good)];
  tokenward_device *device = (tokenward_device *)memory;
  assert_int_equal(tokenward_device_init(NULL, memory, sizeof memory), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_device_init(&device, NULL, sizeof memory), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_device_init(&device, (char *)memory + 4, 64), TOKENWARD_ERR_MISALIGNED);
  assert_int_equal(tokenward_device_init(&device, memory, 8), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(tokenward_device_init(&device, good, sizeof good), TOKENWARD_OK);
  device_calls(NULL, f, TOKENWARD_ERR_NULL);
  device_calls((tokenward_device *)((char *)good + 4), f, TOKENWARD_ERR_MISALIGNED);
  device = (tokenward_device *)memory;
  for (int bits = 0; bits < 256; bits++) {
    memset(memory, bits, sizeof memory);
    device_calls(device, f, TOKENWARD_ERR_UNINITIALIZED);
  }
  for (size_t byte = 0; byte < 8 + 2 * sizeof(size_t); byte++) {
    memcpy(memory, good, sizeof memory);
    ((uint8_t *)memory)[byte] ^= 1;
    device_calls(device, f, TOKENWARD_ERR_UNINITIALIZED);
  }
}

static void a_device_shows_a_code_wherever_it_lies(void **state) {
  fixture *f = *state;
  uint64_t first[TOKENWARD_DEVICE_WORDS(CODES)];
  uint64_t second[COUNT(first)];
  tokenward_device *device;
  tokenward_device_poll_result said;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_parsed_answer parsed = { 0 };
  sign_in_service(f);
  assert_int_equal(tokenward_device_init(&device, first, sizeof first), TOKENWARD_OK);
  assert_int_equal(tokenward_device_start(device, 0), TOKENWARD_OK);
  assert_int_equal(tokenward_device_begin(device, f->manager, 0, &f->credentials, no_values, (uint8_t *)first, 16, &request),
                   TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_device_begin(device, f->manager, 0, &f->credentials, no_values, f->buf, 8, &request),
                   TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(tokenward_device_begin(device, f->manager, 0, &f->credentials, no_values, f->buf, request.len, &request), TOKENWARD_OK);
  assert_span(request.url, "https://sandbox.oauth.api.flute.com/device");
  parsed.status = 200;
  parsed.body = TEXT(CODE_ANSWER);
  memcpy(second, first, sizeof second);
  assert_int_equal(tokenward_wipe(first, sizeof first), TOKENWARD_OK);
  device = (tokenward_device *)second;
  assert_int_equal(tokenward_device_answer(device, f->manager, 0, request.id, &parsed, &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.kind, TOKENWARD_ANSWER_DEVICE_CODE);
  assert_int_equal(tokenward_device_poll(device, f->manager, 0, &said), TOKENWARD_OK);
  assert_int_equal(said.next, TOKENWARD_DEVICE_SHOW);
  assert_span(said.user_code, "WDJB-MJHT");
  assert_int_equal(said.expires_at_ms, 900000);
  assert_int_equal(tokenward_device_shown(device, f->manager, 0), TOKENWARD_OK);
  assert_int_equal(tokenward_device_begin(device, f->manager, 5000, &f->credentials, no_values, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  parsed.status = 400;
  parsed.body = TEXT("{\"error\":\"authorization_pending\"}");
  assert_int_equal(tokenward_device_answer(device, f->manager, 5000, request.id, &parsed, &outcome), TOKENWARD_OK);
  assert_string_equal(tokenward_error_code_name(outcome.code), "authorization_pending");
  assert_int_equal(tokenward_device_begin(device, f->manager, 10000, &f->credentials, no_values, f->buf, sizeof f->buf, &request), TOKENWARD_OK);
  parsed.status = 200;
  parsed.body = TEXT(TOKEN);
  assert_int_equal(tokenward_device_answer(device, f->manager, 10000, request.id, &parsed, &outcome), TOKENWARD_OK);
  assert_int_equal(outcome.generation, 1);
  assert_int_equal(tokenward_device_poll(device, f->manager, 10000, &said), TOKENWARD_OK);
  assert_string_equal(tokenward_device_next_name(said.next), "done");
  assert_int_equal(said.user_code.len, 0);
  assert_string_equal(tokenward_device_next_name(99), "unknown");
}

static void sign_in_calls(tokenward_sign_in *sign_in, fixture *f, int32_t expected) {
  tokenward_span key = span(KEY, sizeof KEY);
  tokenward_callback callback;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_parsed_answer parsed = { 0 };
  uint64_t wall = 1000;
  char url[8];
  size_t len;
  assert_int_equal(tokenward_sign_in_url(sign_in, f->manager, &f->credentials, url, sizeof url, &len), expected);
  assert_int_equal(tokenward_sign_in_seal(sign_in, f->manager, &wall, key, f->buf, sizeof f->buf, &len), expected);
  assert_int_equal(tokenward_sign_in_deleted(sign_in), expected);
  assert_int_equal(tokenward_sign_in_callback(sign_in, f->manager, TEXT(REDIRECT), url, sizeof url, &callback), expected);
  assert_int_equal(tokenward_sign_in_begin(sign_in, f->manager, 0, &f->credentials, no_values, TEXT(REDIRECT), f->buf, sizeof f->buf, &request),
                   expected);
  assert_int_equal(tokenward_sign_in_answer(sign_in, f->manager, 0, &parsed, &outcome), expected);
}

static void what_is_no_sign_in_is_refused(void **state) {
  fixture *f = *state;
  tokenward_sign_in sign_in;
  tokenward_span key = span(KEY, sizeof KEY);
  uint64_t wall = 1000;
  sign_in_service(f);
  sign_in_calls(NULL, f, TOKENWARD_ERR_NULL);
  sign_in_calls((tokenward_sign_in *)((char *)f->memory + 4), f, TOKENWARD_ERR_MISALIGNED);
  memset(&sign_in, 0, sizeof sign_in);
  sign_in_calls(&sign_in, f, TOKENWARD_ERR_UNINITIALIZED);
  assert_int_equal(tokenward_sign_in_new(NULL, key, TEXT(REDIRECT)), TOKENWARD_ERR_NULL);
  assert_int_equal(tokenward_sign_in_new(&sign_in, span(KEY, 31), TEXT(REDIRECT)), TOKENWARD_ERR_KEY);
  assert_int_equal(tokenward_sign_in_new(&sign_in, span(&sign_in, 32), TEXT(REDIRECT)), TOKENWARD_ERR_OVERLAP);
  assert_int_equal(tokenward_sign_in_new(&sign_in, key, span(NOT_UTF8, sizeof NOT_UTF8)), TOKENWARD_ERR_NOT_UTF8);
  assert_int_equal(tokenward_sign_in_open(&sign_in, f->manager, &wall, span(KEY, 31), span(NULL, 0)), TOKENWARD_ERR_KEY);
  assert_int_equal(tokenward_sign_in_open(&sign_in, f->manager, &wall, key, span(NULL, 0)), TOKENWARD_ERR_INVALID_SNAPSHOT);
  sign_in_calls(&sign_in, f, TOKENWARD_ERR_UNINITIALIZED);
}

static void a_sign_in_is_written_whole_or_says_what_it_takes(void **state) {
  fixture *f = *state;
  tokenward_sign_in sign_in;
  tokenward_span key = span(KEY, sizeof KEY);
  uint64_t wall = 1000;
  char url[512];
  char back[256];
  char said[8];
  size_t needed;
  size_t len;
  tokenward_callback callback;
  tokenward_request request;
  sign_in_service(f);
  assert_int_equal(tokenward_sign_in_new(&sign_in, key, TEXT(REDIRECT)), TOKENWARD_OK);
  assert_int_equal(tokenward_sign_in_url(&sign_in, f->manager, &f->credentials, url, 8, &needed), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(tokenward_sign_in_url(&sign_in, f->manager, &f->credentials, url, needed, &len), TOKENWARD_OK);
  assert_int_equal(strlen(url), len);
  assert_int_equal(len + 1, needed);
  assert_int_equal(tokenward_sign_in_seal(&sign_in, f->manager, &wall, key, f->buf, 8, &needed), TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(needed, strlen(REDIRECT) + 112);
  assert_int_equal(tokenward_sign_in_seal(&sign_in, f->manager, &wall, key, f->buf, needed, &len), TOKENWARD_OK);
  assert_int_equal(tokenward_sign_in_deleted(&sign_in), TOKENWARD_OK);
  const char *given = strstr(url, "state=");
  assert_non_null(given);
  snprintf(back, sizeof back, "%s?code=0123456789&%.28s", REDIRECT, given);
  assert_int_equal(tokenward_sign_in_callback(&sign_in, f->manager, tokenward_text(back), said, sizeof said, &callback),
                   TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(callback.kind, TOKENWARD_CALLBACK_CODE);
  assert_int_equal(callback.len, 11);
  assert_int_equal(tokenward_sign_in_begin(&sign_in, f->manager, 0, &f->credentials, no_values, tokenward_text(back), f->buf, 8, &request),
                   TOKENWARD_ERR_BUFFER_TOO_SMALL);
  assert_int_equal(tokenward_sign_in_begin(&sign_in, f->manager, 0, &f->credentials, no_values, tokenward_text(back), f->buf, request.len, &request),
                   TOKENWARD_OK);
  assert_int_equal(tokenward_sign_in_begin(&sign_in, f->manager, 0, &f->credentials, no_values, tokenward_text(back), f->buf, sizeof f->buf, &request),
                   TOKENWARD_ERR_NOT_DUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(the_run_loop_keeps_a_token),
    TEST(a_copied_block_goes_on_where_it_is),
    TEST(a_failed_request_backs_off),
    TEST(a_retry_after_beats_the_backoff),
    TEST(a_client_that_has_read_the_fields_says_what_they_say),
    TEST(each_error_code_has_its_number),
    TEST(a_refused_answer_says_where_or_how_much),
    TEST(a_refused_argument_leaves_the_request_out),
    TEST(a_refusal_by_a_server_is_decided),
    TEST(a_static_token_is_installed_and_revoked),
    TEST(an_installed_token_is_checked),
    TEST(renew_and_clear_do_what_they_say),
    TEST(a_site_is_part_of_the_subject),
    TEST(a_provider_in_flash_is_one_more_value),
    TEST(zeros_are_the_defaults),
    TEST(every_preset_makes_a_manager),
    TEST(a_fact_that_cannot_work_is_named),
    TEST(pointers_of_describe_are_checked),
    TEST(every_number_of_a_provider_is_checked),
    TEST(what_departs_from_the_standard_in_requests_is_checked),
    TEST(a_request_carries_the_fields_and_parameters_of_the_service_and_of_the_caller),
    TEST(every_boolean_of_a_provider_is_checked),
    TEST(every_pointer_of_a_provider_is_checked),
    TEST(every_text_of_a_provider_is_checked),
    TEST(of_two_faults_the_first_is_told),
    TEST(every_list_of_a_provider_is_checked),
    TEST(another_version_is_refused),
    TEST(memory_is_as_long_as_the_header_says),
    TEST(pointers_of_init_are_checked),
    TEST(what_a_configuration_says_of_storage_is_checked),
    TEST(a_kind_that_wants_a_seal_gets_a_whole_one),
    TEST(what_a_configuration_says_wins_over_the_service),
    TEST(structs_full_of_one_byte_are_refused),
    TEST(what_is_no_manager_is_refused),
    TEST(a_refused_call_leaves_manager_and_results_alone),
    TEST(every_credential_is_checked),
    TEST(a_small_buffer_is_refused_with_what_it_takes),
    TEST(storage_is_read_and_written_when_poll_says_so),
    TEST(a_supply_counts_only_for_its_id),
    TEST(a_small_buffer_for_what_is_stored_is_refused_with_what_it_takes),
    TEST(a_key_that_nobody_has_filled_in_seals_and_opens_nothing),
    TEST(what_the_macros_of_sizes_say_holds_everything),
    TEST(an_answer_is_read_where_it_stands),
    TEST(challenges_are_read),
    TEST(dates_and_waits_are_read),
    TEST(claims_are_read),
    TEST(headers_and_forms_are_written),
    TEST(a_request_is_written_without_a_manager),
    TEST(memory_is_wiped),
    TEST(ticks_are_widened),
    TEST(the_line_for_a_log_says_what_poll_says),
    TEST(numbers_have_names),
    TEST(a_revocation_is_written_whole_before_the_token_is_wiped),
    TEST(what_a_service_says_to_a_revocation_has_a_kind),
    TEST(what_is_no_device_authorization_is_refused),
    TEST(a_device_shows_a_code_wherever_it_lies),
    TEST(what_is_no_sign_in_is_refused),
    TEST(a_sign_in_is_written_whole_or_says_what_it_takes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
