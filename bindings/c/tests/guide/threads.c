/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop and lock: three threads ask for headers while the token is refreshed. Run under helgrind. */
#include <string.h>

#include <unistd.h>

#include "check.h"
#include "loop.c"
#include "pthreads.c"

enum { READERS = 3, REFRESHES = 50, CALLS = 200 };

static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 0)];
static tokenward_manager *manager;
static int serial, writes;

bool slots_read(uint8_t *buf, size_t cap, tokenward_span slots[SLOTS]) {
  (void)buf, (void)cap;
  memset(slots, 0, SLOTS * sizeof *slots);
  return true;
}

/* While flash is written the lock is free, and nothing is lent that is not stored yet. */
bool slot_write(uint8_t slot, const uint8_t *bytes, size_t len) {
  char value[64];
  tokenward_header header;
  CHECK(slot < SLOTS && bytes != NULL && len > 0);
  CHECK(token_header(manager, tokenward_text("GET"), tokenward_text("https://api.example/"), value, sizeof value, &header) ==
        TOKENWARD_ERR_NOT_USABLE);
  writes++;
  return true;
}

tokenward_span snapshot_key(void) {
  static const uint8_t key[32] = { 7 };
  return (tokenward_span){ key, sizeof key };
}

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  CHECK(reason == TOKENWARD_REASON_NONE);
}

bool http_post(const tokenward_request *request, uint8_t *buf, size_t cap, tokenward_http_answer *answer) {
  CHECK(request->body.len > 0);
  int len = snprintf((char *)buf, cap, "{\"access_token\":\"token%d\",\"token_type\":\"Bearer\",\"expires_in\":3600}", ++serial);
  answer->status = 200;
  answer->body = (tokenward_span){ buf, (size_t)len };
  return true;
}

static void *read_headers(void *unused) {
  char value[64], expected[64];
  tokenward_header header;
  (void)unused;
  for (int i = 0; i < CALLS; i++) {
    int32_t result;
    do {
      result = token_header(manager, tokenward_text("GET"), tokenward_text("https://api.example/"), value, sizeof value,
                            &header);
    } while (result == TOKENWARD_ERR_NOT_USABLE);
    CHECK(result == TOKENWARD_OK);
    snprintf(expected, sizeof expected, "Bearer token%d", (int)header.generation);
    CHECK(strcmp(value, expected) == 0);
  }
  return NULL;
}

int main(void) {
  static const tokenward_span origins[] = { TOKENWARD_TEXT("https://api.example") };
  static tokenward_policy policy = TOKENWARD_POLICY_DEFAULT;
  static const tokenward_provider provider = {
    .name = TOKENWARD_TEXT("test"),
    .base_url = TOKENWARD_TEXT("https://auth.example"),
    .token_path = TOKENWARD_TEXT("/token"),
    .api_origins = TOKENWARD_LIST(origins),
    .policy = &policy,
    .authentication = &tokenward_authentication_basic,
    .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
  };
  static uint8_t buf[1024];
  const tokenward_credentials credentials = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  pthread_t readers[READERS];
  alarm(120); /* a lock that is held for too long is a deadlock here */
  /* A new token before each use: requests follow each other at once. */
  policy.min_interval_ms = policy.fraction_permille = policy.jitter_permille = 0;
  tokenward_config config = { .access_capacity = 64, .now_ms = clock_ms() };
  config.storage.kind = &tokenward_storage_own;
  config.storage.slots = SLOTS;
  CHECK(tokenward_describe(&provider, &config.service) == TOKENWARD_OK);
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  while (writes == 0) token_step(manager, &credentials, buf, sizeof buf);
  for (int i = 0; i < READERS; i++) CHECK(pthread_create(&readers[i], NULL, read_headers, NULL) == 0);
  while (writes < REFRESHES) token_step(manager, &credentials, buf, sizeof buf);
  for (int i = 0; i < READERS; i++) CHECK(pthread_join(readers[i], NULL) == 0);
  CHECK(writes == serial);
  printf("guide: %d headers in %d threads during %d refreshes\n", READERS * CALLS, READERS, serial);
  return 0;
}
