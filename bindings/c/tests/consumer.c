/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A token's life without a network, also as C++. main() returns 0, or the line that found a fault. */
#include <tokenward/tokenward.h>

#ifdef CONFIG_TOKENWARD_ACCESS_CAPACITY
#define ACCESS CONFIG_TOKENWARD_ACCESS_CAPACITY
#define REFRESH CONFIG_TOKENWARD_REFRESH_CAPACITY
#else
#define ACCESS 512
#define REFRESH 256
#endif

static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS, REFRESH)];
static uint8_t buffer[1024];
static const uint8_t key[32] = { 7 };

static const tokenward_span client_id = TOKENWARD_TEXT("id");
static const tokenward_span client_secret = TOKENWARD_TEXT("secret");
static const tokenward_span get = TOKENWARD_TEXT("GET");
static const tokenward_span url = TOKENWARD_TEXT("https://sandbox.api.flute.com/v2/transactions");
static const tokenward_span body =
  TOKENWARD_TEXT("{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"r\"}");

static bool same(const char *left, const char *right) {
  while (*left != '\0' && *left == *right) {
    left++;
    right++;
  }
  return *left == *right;
}

#define CHECK(condition) \
  do { \
    if (!(condition)) return __LINE__; \
  } while (0)

int main(void) {
  tokenward_manager *manager;
  tokenward_config config;
  tokenward_credentials credentials;
  tokenward_poll_result next;
  tokenward_request request;
  tokenward_http_answer answer;
  tokenward_outcome outcome;
  tokenward_header header;
  tokenward_found found;
  const tokenward_span seal = { key, sizeof key };
  tokenward_span slot = { NULL, 0 };
  const uint64_t wall = 1700000000;
  size_t len;

  CHECK(same(tokenward_version(), TOKENWARD_VERSION));
  tokenward_wipe(&config, sizeof config);
  tokenward_wipe(&credentials, sizeof credentials);
  tokenward_wipe(&answer, sizeof answer);
  config.service = &tokenward_flute_sandbox;
  config.access_capacity = ACCESS;
  config.refresh_capacity = REFRESH;
  config.storage.kind = &tokenward_storage_own;
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  CHECK(tokenward_poll(manager, 0, &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_LOAD);
  CHECK(tokenward_loaded(manager, 0, &wall, next.id, seal, &slot, 1, &found) == TOKENWARD_OK);
  CHECK(found == TOKENWARD_FOUND_EMPTY);
  CHECK(tokenward_poll(manager, 0, &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_REQUEST);

  credentials.client_id = client_id;
  credentials.client_secret = client_secret;
  CHECK(tokenward_begin(manager, 0, &credentials, buffer, sizeof buffer, &request) == TOKENWARD_OK);
  answer.status = 200;
  answer.body = body;
  CHECK(tokenward_answer(manager, 100, request.id, &answer, &outcome) == TOKENWARD_OK);
  CHECK(outcome.kind == TOKENWARD_ANSWER_TOKEN && outcome.generation == 1);

  CHECK(tokenward_poll(manager, 100, &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_STORE && !next.usable);
  CHECK(tokenward_snapshot(manager, 100, &wall, next.id, seal, buffer, sizeof buffer, &len) == TOKENWARD_OK);
  CHECK(tokenward_stored(manager, 100, next.id) == TOKENWARD_OK);

  /* A restart. */
  slot.ptr = buffer;
  slot.len = len;
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  CHECK(tokenward_poll(manager, 0, &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_LOAD);
  CHECK(tokenward_loaded(manager, 0, &wall, next.id, seal, &slot, 1, &found) == TOKENWARD_OK);
  CHECK(found == TOKENWARD_FOUND_TAKEN);
  CHECK(tokenward_authorize(manager, 0, get, url, (char *)buffer, sizeof buffer, &header) == TOKENWARD_OK);
  CHECK(same((const char *)buffer, "Bearer abc") && header.generation == 1);
  CHECK(tokenward_wipe(memory, sizeof memory) == TOKENWARD_OK);
  CHECK(tokenward_poll(manager, 0, &next) == TOKENWARD_ERR_UNINITIALIZED);
  return 0;
}
