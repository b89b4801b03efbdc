/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls each operation once and says what it took: the stack by painting it, the instructions by a counter of QEMU's,
 * which -icount ties to them. Run by measure.sh. */
#include "board.h"
#include "channel.h"

enum { ACCESS_CAPACITY = 2048, REFRESH_CAPACITY = 2048 };

/* The bodies of core/tests/data/workloads. */
#define BODY(name)                                                                        \
  __asm__(".section .rodata." #name ",\"a\"\n" #name ":\n.incbin \"" #name ".json\"\n"     \
          #name "_end:\n.text\n");                                                        \
  extern const uint8_t name[], name##_end[]
BODY(w1);
BODY(w3);
BODY(w5);

static const tokenward_pair_list no_values = { NULL, 0 };
static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS_CAPACITY, REFRESH_CAPACITY)];
static uint8_t written[4096];
static tokenward_manager *manager;

extern uint32_t stack_limit[];

#define PAINT 0xC5C5C5C5u

#ifdef __riscv
static void counter_start(void) {}
__attribute__((always_inline)) static inline uint32_t counter(void) {
  uint32_t count;
  __asm__ volatile("csrr %0, minstret" : "=r"(count));
  return count;
}
#define STACK_POINTER(to) __asm__ volatile("mv %0, sp" : "=r"(to))
#else
/* SysTick, 24 bits, downwards, without an interrupt. */
static void counter_start(void) {
  *(volatile uint32_t *)0xE000E014 = 0xFFFFFF;
  *(volatile uint32_t *)0xE000E018 = 0;
  *(volatile uint32_t *)0xE000E010 = 5;
}
__attribute__((always_inline)) static inline uint32_t counter(void) {
  return 0xFFFFFF - *(volatile uint32_t *)0xE000E018;
}
#define STACK_POINTER(to) __asm__ volatile("mov %0, sp" : "=r"(to))
#endif

static uint32_t began, ended;
static uintptr_t stack_pointer;
static volatile uint32_t *lowest;
static int32_t result;

/* Calls nothing of its own between painting and looking: that would use the stack, too. */
#define MEASURE(name, call)                                                                          \
  do {                                                                                               \
    STACK_POINTER(stack_pointer);                                                                    \
    for (lowest = stack_limit; (uintptr_t)lowest < stack_pointer; lowest++) *lowest = PAINT;         \
    began = counter();                                                                               \
    result = (call);                                                                                 \
    ended = counter();                                                                               \
    for (lowest = stack_limit; (uintptr_t)lowest < stack_pointer && *lowest == PAINT;) lowest++;     \
    report(name);                                                                                    \
  } while (0)

static tokenward_span big_endian(uint32_t number, uint8_t *bytes) {
  for (int i = 3; i >= 0; i--, number >>= 8) bytes[i] = (uint8_t)number;
  return (tokenward_span){ bytes, 4 };
}

static void report(const char *name) {
  uint8_t bytes[3][4];
  const tokenward_span fields[] = { tokenward_text(name), big_endian((uint32_t)result, bytes[0]),
                                    big_endian((uint32_t)(stack_pointer - (uintptr_t)lowest), bytes[1]),
                                    big_endian((ended - began) & 0xFFFFFF, bytes[2]) };
  channel_send('M', fields, 4);
}

/* Eight instructions and nothing on the stack: what is left of a count is the counter's own. */
__attribute__((noinline, naked)) static int32_t control(void) {
#ifdef __riscv
  __asm__("nop\nnop\nnop\nnop\nnop\nnop\nli a0, 0\nret");
#else
  __asm__("nop\nnop\nnop\nnop\nnop\nnop\nmovs r0, #0\nbx lr");
#endif
}

int main(void) {
  static const uint8_t key_bytes[32] = { 1 };
  const tokenward_span key = { key_bytes, sizeof key_bytes };
  const tokenward_credentials credentials = {
    .client_id = TOKENWARD_TEXT("5948387095948a11c0de0000000000000000000038697242c"),
    .client_secret = TOKENWARD_TEXT("9eb2c6859daa4d8ae5da99d04f7a1b3cf5e2a6b8"),
  };
  const tokenward_span get = TOKENWARD_TEXT("GET");
  const tokenward_span url = TOKENWARD_TEXT("https://api.flute.com/v2/transactions");
  const uint64_t wall_s = 1800000000;
  tokenward_parsed_answer answer = { .status = 200 };
  tokenward_config config = { 0 };
  tokenward_poll_result next;
  tokenward_request request;
  tokenward_outcome outcome;
  tokenward_token_answer_result read;
  tokenward_header header;
  tokenward_retry_result retry;
  tokenward_found found;
  size_t len;

  board_start();
  __asm__ volatile(
#ifdef __riscv
      "csrci mstatus, 8"
#else
      "cpsid i"
#endif
  );
  counter_start();
  config.service = &tokenward_flute_production;
  config.access_capacity = ACCESS_CAPACITY;
  config.refresh_capacity = REFRESH_CAPACITY;

  MEASURE("control", control());
  MEASURE("`init`", tokenward_init(&manager, memory, sizeof memory, &config));
  MEASURE("`poll`", tokenward_poll(manager, 0, &next));
  MEASURE("`begin`, client_credentials",
          tokenward_begin(manager, 0, &credentials, written, sizeof written, &request));
  answer.body = (tokenward_span){ w3, (size_t)(w3_end - w3) };
  MEASURE("`answer_parsed`, 252 bytes", tokenward_answer_parsed(manager, 1000, request.id, &answer, &outcome));
  MEASURE("`authorize`, token of 64 bytes",
          tokenward_authorize(manager, 2000, get, url, (char *)written, sizeof written, &header));
  MEASURE("`rejected_parsed`, 401",
          tokenward_rejected_parsed(manager, 60000, header.generation, 401, false, &retry));
  MEASURE("`begin`, refresh_token",
          tokenward_begin(manager, 61000, &credentials, written, sizeof written, &request));
  MEASURE("`failed`", tokenward_failed(manager, 62000, request.id));
  result = tokenward_begin(manager, 200000, &credentials, written, sizeof written, &request);
  const tokenward_span small = { w1, (size_t)(w1_end - w1) }, large = { w5, (size_t)(w5_end - w5) };
  answer.body = small;
  MEASURE("`answer_parsed`, 99 bytes", tokenward_answer_parsed(manager, 201000, request.id, &answer, &outcome));
  tokenward_renew(manager);
  result = tokenward_begin(manager, 300000, &credentials, written, sizeof written, &request);
  answer.body = large;
  MEASURE("`answer_parsed`, 5960 bytes", tokenward_answer_parsed(manager, 301000, request.id, &answer, &outcome));
  MEASURE("`token_answer`, 99 bytes",
          tokenward_token_answer(200, small, config.service, written, sizeof written, &read));
  MEASURE("`token_answer`, 5960 bytes",
          tokenward_token_answer(200, large, config.service, written, sizeof written, &read));

  config.storage.kind = &tokenward_storage_own;
  result = tokenward_init(&manager, memory, sizeof memory, &config);
  MEASURE("`poll`, with storage", tokenward_poll(manager, 0, &next));
  tokenward_span slot = { NULL, 0 };
  MEASURE("`loaded`, nothing", tokenward_loaded(manager, 0, &wall_s, next.id, key, &slot, 1, &found));
  result = tokenward_begin(manager, 0, &credentials, written, sizeof written, &request);
  answer.body = (tokenward_span){ w3, (size_t)(w3_end - w3) };
  tokenward_answer_parsed(manager, 1000, request.id, &answer, &outcome);
  tokenward_poll(manager, 1000, &next);
  MEASURE("`snapshot`, all",
          tokenward_snapshot(manager, 1000, &wall_s, next.id, key, written, sizeof written, &len));
  MEASURE("`stored`", tokenward_stored(manager, 1000, next.id));
  slot = (tokenward_span){ written, len };
  result = tokenward_init(&manager, memory, sizeof memory, &config);
  tokenward_poll(manager, 0, &next);
  MEASURE("`loaded`, all", tokenward_loaded(manager, 0, &wall_s, next.id, key, &slot, 1, &found));

  static tokenward_provider person;
  static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];
  static const tokenward_span redirect = TOKENWARD_TEXT("http://127.0.0.1:49152/callback");
  static const tokenward_span codes = TOKENWARD_TEXT(
    "{\"device_code\":\"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS\",\"user_code\":\"WDJB-MJHT\","
    "\"verification_uri\":\"https://example.com/device\",\"expires_in\":1800,\"interval\":5}");
  tokenward_device *device;
  tokenward_device_poll_result said;
  person = tokenward_provider_of(config.service);
  person.authorization_url = (tokenward_span)TOKENWARD_TEXT("https://sandbox.oauth.api.flute.com/authorize");
  person.device_path = (tokenward_span)TOKENWARD_TEXT("/device");
  result = tokenward_describe(&person, &config.service);
  config.storage.kind = NULL;
  result = tokenward_init(&manager, memory, sizeof memory, &config);
  result = tokenward_device_init(&device, device_memory, sizeof device_memory);
  result = tokenward_device_start(device, 0);
  MEASURE("`device_poll`", tokenward_device_poll(device, manager, 0, &said));
  MEASURE("`device_begin`, for a code",
          tokenward_device_begin(device, manager, 0, &credentials, no_values, written, sizeof written, &request));
  answer.body = codes;
  MEASURE("`device_answer`, a code", tokenward_device_answer(device, manager, 100, request.id, &answer, &outcome));
  result = tokenward_device_shown(device, manager, 100);
  MEASURE("`device_begin`, for a token",
          tokenward_device_begin(device, manager, 5100, &credentials, no_values, written, sizeof written, &request));
  answer.body = (tokenward_span){ w3, (size_t)(w3_end - w3) };
  MEASURE("`device_answer`, a token", tokenward_device_answer(device, manager, 5200, request.id, &answer, &outcome));

  static tokenward_sign_in sign_in;
  static char back[160] = "http://127.0.0.1:49152/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=";
  tokenward_callback callback;
  const tokenward_span random = { (const uint8_t *)"0123456789abcdefghijklmnopqrstuv", 32 };
  MEASURE("`sign_in_new`", tokenward_sign_in_new(&sign_in, random, redirect));
  MEASURE("`sign_in_url`",
          tokenward_sign_in_url(&sign_in, manager, &credentials, (char *)written, sizeof written, &len));
  size_t state = 0;
  while (state + 7 < len && !(written[state] == '&' && written[state + 1] == 's' && written[state + 2] == 't')) state++;
  size_t end = sizeof "http://127.0.0.1:49152/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=" - 1;
  for (size_t i = 0; i < 22; i++) back[end + i] = (char)written[state + 7 + i];
  const tokenward_span callback_url = { (const uint8_t *)back, end + 22 };
  MEASURE("`sign_in_callback`",
          tokenward_sign_in_callback(&sign_in, manager, callback_url, (char *)written, sizeof written, &callback));
  MEASURE("`sign_in_begin`",
          tokenward_sign_in_begin(&sign_in, manager, 6000, &credentials, no_values, callback_url, written, sizeof written, &request));
  MEASURE("`sign_in_answer`", tokenward_sign_in_answer(&sign_in, manager, 6100, &answer, &outcome));
  channel_send('.', NULL, 0);
  for (;;) board_sleep();
}
