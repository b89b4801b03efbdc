/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps a token of Flute alive on a microcontroller and calls the API with it. Somebody who presses a button signs in by a
 * code that the device shows. HTTP is the modem's: what goes there and what comes back are frames on the UART. All memory
 * is static. */
#include "board.h"
#include "channel.h"
#include "storage.h"

enum { ACCESS_CAPACITY = 512, REFRESH_CAPACITY = 128 };
/* HOLD_MS: no request while what the device was given does not make one. */
enum { CALL_EVERY_MS = 400, BUTTON_EVERY_MS = 200, BUTTON_TIMEOUT_MS = 100, SETUP_TIMEOUT_MS = 1000, HOLD_MS = 60000 };

/* Devices that come back together after a blackout ask together. Nobody waits for the first token of this one. */
#ifndef STARTUP_SPREAD_MS
#define STARTUP_SPREAD_MS 60000
#endif

static const tokenward_pair_list no_values = { NULL, 0 };

/* The service of the test is on the host, and its tokens live for seconds. */
static const tokenward_policy policy = { .margin_ms = 300,
                                         .min_interval_ms = 300,
                                         .startup_spread_ms = STARTUP_SPREAD_MS,
                                         .response_timeout_ms = 5000,
                                         .first_backoff_ms = 250,
                                         .max_backoff_ms = 2000,
                                         .max_lifetime_s = 315360000,
                                         .fraction_permille = 500,
                                         .refresh_attempts = 3,
                                         .recheck = true };

#define API_PATH "/v2/transactions"
#define DEVICE_PATH "/oauth2/device_authorization"

static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS_CAPACITY, REFRESH_CAPACITY)];
static tokenward_manager *manager;
static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];
static tokenward_device *device;
/* A request, a header or a snapshot: one at a time, wiped when it is sent or stored. */
static uint8_t written[SLOT_SIZE - 4];
static uint8_t received[1024];
static uint64_t clock_ms;

/* What the device is given: a product has it in flash. */
static uint8_t setup[512];
static tokenward_span key;
static tokenward_credentials credentials;
static char api_url[128];
/* The modem's time of day, and the clock when it said so. */
static uint64_t wall_ms, wall_read_ms;

static uint64_t call_at_ms, request_at_ms, button_at_ms;
/* What needs a person, so that it is said once. */
static tokenward_reason reported;
/* How signing in stood, so that it is said once. */
static tokenward_device_next signing_in;

static uint64_t clock_now(void) {
  tokenward_widen_ticks(&clock_ms, board_ticks());
  return clock_ms;
}

static const uint64_t *clock_wall(void) {
  static uint64_t wall_s;
  wall_s = (wall_ms + clock_now() - wall_read_ms) / 1000;
  return &wall_s;
}

static tokenward_span big_endian(uint64_t number, uint8_t *bytes) {
  for (int i = 7; i >= 0; i--, number >>= 8) bytes[i] = (uint8_t)number;
  return (tokenward_span){ bytes, 8 };
}

static uint64_t number_of(tokenward_span span) {
  uint64_t number = 0;
  for (size_t i = 0; i < span.len; i++) number = number << 8 | span.ptr[i];
  return number;
}

static void wall_is(tokenward_span ms) {
  wall_ms = number_of(ms);
  wall_read_ms = clock_now();
}

/* The log, with no secret in it. */
static void say(const char *what, const char *detail, uint64_t number) {
  uint8_t bytes[4][8];
  uint64_t generation = 0;
  if (manager != NULL) tokenward_generation(manager, &generation);
  const tokenward_span fields[] = { tokenward_text(what),
                                    tokenward_text(detail),
                                    big_endian(number, bytes[0]),
                                    big_endian(generation, bytes[1]),
                                    big_endian(clock_now(), bytes[2]),
                                    big_endian(stack_used(), bytes[3]) };
  channel_send(FRAME_EVENT, fields, sizeof fields / sizeof *fields);
}

typedef struct response {
  uint16_t status;
  tokenward_span retry_after, www_authenticate, body;
} response;

/* Sends a request through the modem. False: no answer. */
static bool exchange(const tokenward_request *request, uint32_t timeout_ms, response *out) {
  const tokenward_span fields[] = { request->method, request->url,
                                    request->authorization, request->content_type,
                                    request->accept, request->accept_encoding,
                                    request->body };
  tokenward_span got[5];
  channel_send(FRAME_REQUEST, fields, sizeof fields / sizeof *fields);
  tokenward_wipe(written, sizeof written);
  if (!channel_receive(FRAME_RESPONSE, received, sizeof received, timeout_ms, got, 5)) return false;
  wall_is(got[0]);
  *out = (response){ (uint16_t)number_of(got[1]), got[2], got[3], got[4] };
  return out->status != 0;
}

static void load(uint64_t id) {
  tokenward_span slots[SLOT_COUNT];
  tokenward_found found;
  storage_read(slots);
  const int32_t code = tokenward_loaded(manager, clock_now(), clock_wall(), id, key, slots, SLOT_COUNT, &found);
  /* What was read has used the id; a key that is none has not. */
  if (code != TOKENWARD_OK) tokenward_load_failed(manager, clock_now(), id);
  say("loaded", code == TOKENWARD_OK ? tokenward_found_name(found) : tokenward_result_name(code), 0);
}

static void store(const tokenward_poll_result *next) {
  size_t len;
  const int32_t code =
    tokenward_snapshot(manager, clock_now(), clock_wall(), next->id, key, written, sizeof written, &len);
  if (code == TOKENWARD_OK) {
    storage_write(next->slot, written, len);
    tokenward_stored(manager, clock_now(), next->id);
  } else {
    tokenward_store_failed(manager, clock_now(), next->id);
  }
  tokenward_wipe(written, sizeof written);
  say("stored", tokenward_result_name(code), next->slot);
}

/* Asks for a token and keeps it. */
static void obtain(tokenward_grant grant) {
  tokenward_request request = { 0 };
  tokenward_outcome outcome = { 0 };
  response got;
  int32_t code = tokenward_begin(manager, clock_now(), &credentials, written, sizeof written, &request);
  say("request", code == TOKENWARD_OK ? tokenward_grant_name(grant) : tokenward_result_name(code), request.id);
  if (code != TOKENWARD_OK) {
    request_at_ms = clock_now() + HOLD_MS;
    return;
  }
  const uint64_t id = request.id;
  if (!exchange(&request, (uint32_t)policy.response_timeout_ms, &got)) {
    tokenward_failed(manager, clock_now(), id);
    say("failed", "no answer", 0);
    return;
  }
  const tokenward_http_answer answer = { got.body, got.retry_after, clock_wall(), got.status };
  code = tokenward_answer(manager, clock_now(), id, &answer, &outcome);
  /* It held the tokens. */
  tokenward_wipe(received, sizeof received);
  if (code != TOKENWARD_OK) say("refused", tokenward_result_name(code), outcome.detail);
  else if (outcome.kind == TOKENWARD_ANSWER_TOKEN) say("token", tokenward_grant_name(grant), outcome.generation);
  else say("error", "code", (uint64_t)outcome.code);
}

/* What a person needs who signs in: the code, where to enter it, and until when, in Unix seconds. */
static void show(const tokenward_device_poll_result *said) {
  uint8_t bytes[8];
  const uint64_t left_s = (said->expires_at_ms - clock_now()) / 1000;
  const tokenward_span fields[] = { said->user_code, said->verification_uri, said->verification_uri_complete,
                                    big_endian(*clock_wall() + left_s, bytes) };
  channel_send(FRAME_CODE, fields, sizeof fields / sizeof *fields);
  tokenward_device_shown(device, manager, clock_now());
}

/* Asks for a code, or whether somebody has entered it. */
static void ask(void) {
  tokenward_request request = { 0 };
  tokenward_outcome outcome = { 0 };
  response got;
  uint64_t wait_s;
  int32_t code = tokenward_device_begin(device, manager, clock_now(), &credentials, no_values, written, sizeof written, &request);
  if (code != TOKENWARD_OK) {
    say("sign-in", tokenward_result_name(code), 0);
    tokenward_device_cancel(device);
    return;
  }
  const uint64_t id = request.id;
  if (!exchange(&request, (uint32_t)policy.response_timeout_ms, &got)) {
    tokenward_device_failed(device, manager, clock_now(), id);
    say("sign-in", "no answer", 0);
    return;
  }
  const bool waits = tokenward_retry_after(got.retry_after, clock_wall(), &wait_s) == TOKENWARD_OK;
  const tokenward_parsed_answer answer = { got.body, waits ? &wait_s : NULL, clock_wall(), got.status };
  code = tokenward_device_answer(device, manager, clock_now(), id, &answer, &outcome);
  /* It held the codes or the tokens. */
  tokenward_wipe(received, sizeof received);
  if (code != TOKENWARD_OK) say("sign-in", tokenward_result_name(code), outcome.detail);
  else if (outcome.code == TOKENWARD_CODE_SLOW_DOWN) say("sign-in", tokenward_error_code_name(outcome.code), 0);
}

/* One step of signing in. The device's token, if it has one, is used meanwhile. */
static void sign_in(void) {
  tokenward_device_poll_result said;
  if (tokenward_device_poll(device, manager, clock_now(), &said) != TOKENWARD_OK) board_reset();
  if (said.next != signing_in) say("sign-in", tokenward_device_next_name(said.next), 0);
  signing_in = said.next;
  if (said.next == TOKENWARD_DEVICE_SHOW) show(&said);
  else if (said.next == TOKENWARD_DEVICE_REQUEST) ask();
}

/* Nobody is there to sign in unless somebody presses the button: a code that expires unseen is not replaced. */
static void look_at_button(void) {
  uint8_t payload[3];
  tokenward_span pressed;
  button_at_ms = clock_now() + BUTTON_EVERY_MS;
  channel_send(FRAME_BUTTON, NULL, 0);
  if (channel_receive(FRAME_PRESSED, payload, sizeof payload, BUTTON_TIMEOUT_MS, &pressed, 1) && pressed.len > 0) {
    tokenward_device_start(device, clock_now());
  }
}

/* Calls the API once; once more where the token was not the newest. */
static void call(void) {
  tokenward_header header;
  tokenward_retry_result retry = { 0, 0, 0 };
  response got;
  do {
    tokenward_request request = { 0 };
    request.method = tokenward_text("GET");
    request.url = tokenward_text(api_url);
    const int32_t code = tokenward_authorize(manager, clock_now(), request.method, request.url, (char *)written,
                                             sizeof written, &header);
    if (code != TOKENWARD_OK) {
      say("no call", tokenward_result_name(code), 0);
      return;
    }
    request.authorization = (tokenward_span){ written, header.len };
    call_at_ms = clock_now() + CALL_EVERY_MS;
    if (!exchange(&request, 2000, &got)) {
      say("called", "no answer", 0);
      return;
    }
    if (got.status != 401) {
      say("called", "status", got.status);
      return;
    }
    tokenward_rejected(manager, clock_now(), header.generation, got.status, got.www_authenticate, &retry);
    say("rejected", retry.kind == TOKENWARD_RETRY_SURFACE ? tokenward_reason_name(retry.reason) : "retry",
        header.generation);
  } while (retry.kind == TOKENWARD_RETRY_NOW);
  /* As soon as there is a new one. */
  if (retry.kind == TOKENWARD_RETRY_AFTER_REFRESH) call_at_ms = 0;
}

static void work(void) {
  tokenward_poll_result next;
  if (tokenward_poll(manager, clock_now(), &next) != TOKENWARD_OK) board_reset();
  if (next.next == TOKENWARD_NEXT_SUPPLY && next.reason != reported) {
    say("supply", tokenward_reason_name(next.reason), 0);
  }
  reported = next.reason;
  if (next.next == TOKENWARD_NEXT_LOAD) load(next.id);
  else if (next.next == TOKENWARD_NEXT_STORE) store(&next);
  else if (next.next == TOKENWARD_NEXT_REQUEST && clock_now() >= request_at_ms) obtain(next.grant);
  else if (next.usable && clock_now() >= call_at_ms) call();
  sign_in();
  if (clock_now() >= button_at_ms) look_at_button();
}

/* Asks the modem for what the device is to know. */
static bool configure(void) {
  static tokenward_span origin;
  static tokenward_provider provider;
  tokenward_config config = { 0 };
  tokenward_span got[7];
  uint8_t bytes[8];
  const tokenward_span hello[] = { tokenward_text(board_name), big_endian(stack_size(), bytes) };
  channel_send(FRAME_HELLO, hello, 2);
  if (!channel_receive(FRAME_SETUP, setup, sizeof setup, SETUP_TIMEOUT_MS, got, 7)) return false;
  wall_is(got[0]);
  key = got[2];
  origin = got[3];
  credentials.client_id = got[4];
  credentials.client_secret = got[5];
  storage_words_until_power_cut = (uint32_t)number_of(got[6]);
  if (origin.len + sizeof API_PATH > sizeof api_url) return false;
  for (size_t i = 0; i < origin.len; i++) api_url[i] = (char)origin.ptr[i];
  for (size_t i = 0; i < sizeof API_PATH; i++) api_url[origin.len + i] = API_PATH[i];

  provider = tokenward_provider_of(&tokenward_flute_sandbox);
  provider.api_origins = (tokenward_text_list){ &origin, 1 };
  provider.loopback_http = &tokenward_loopback_http;
  provider.policy = &policy;
  provider.device_path = tokenward_text(DEVICE_PATH);
  if (tokenward_describe(&provider, &config.service) != TOKENWARD_OK) return false;

  config.base_url = origin;
  config.access_capacity = ACCESS_CAPACITY;
  config.refresh_capacity = REFRESH_CAPACITY;
  config.now_ms = clock_now();
  config.seed = number_of(got[1]);
  config.storage.kind = &tokenward_storage_own;
  config.storage.slots = SLOT_COUNT;
  return tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK &&
         tokenward_device_init(&device, device_memory, sizeof device_memory) == TOKENWARD_OK;
}

int main(void) {
  board_start();
  while (!configure()) board_sleep();
  for (;;) {
    work();
    board_sleep();
  }
}
