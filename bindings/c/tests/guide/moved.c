/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's slots in a device that is moved to another environment: what it had there hides nothing. */
#include <string.h>

#include "check.h"
#include "slots.c"

static uint8_t flash[2][SLOT_BYTES];

uint64_t clock_ms(void) {
  static uint64_t now;
  return now += 1000;
}

tokenward_span snapshot_key(void) {
  static const uint8_t key[32] = { 7 };
  return (tokenward_span){ key, sizeof key };
}

bool flash_erase(int slot) {
  memset(flash[slot], 0xff, SLOT_BYTES);
  return true;
}

bool flash_write(int slot, const uint8_t *bytes, size_t len) {
  memcpy(flash[slot], bytes, len);
  return true;
}

bool flash_read(int slot, uint8_t *bytes, size_t len) {
  memcpy(bytes, flash[slot], len);
  return true;
}

static tokenward_manager *boot(const tokenward_service *service, bool *restored) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)];
  tokenward_manager *manager;
  tokenward_config config = { .service = service, .access_capacity = 64, .refresh_capacity = 64, .now_ms = clock_ms() };
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  *restored = restore_token(manager, NULL);
  return manager;
}

static void keep(tokenward_manager *manager, const char *refresh_token) {
  const uint64_t lifetime_s = 3600;
  const tokenward_token token = { .access_token = tokenward_text("access"),
                                  .refresh_token = tokenward_text(refresh_token),
                                  .expires_in_s = &lifetime_s };
  uint64_t generation, revision;
  CHECK(tokenward_install(manager, clock_ms(), &token, &generation) == TOKENWARD_OK);
  CHECK(snapshot_copy(manager, &revision) && snapshot_write());
  CHECK(tokenward_persisted(manager, TOKENWARD_SNAPSHOT_REFRESH_TOKEN, revision) == TOKENWARD_OK);
  CHECK(!snapshot_copy(manager, &revision));
}

/* Whether the next request presents this refresh token. */
static bool presents(tokenward_manager *manager, const char *refresh_token) {
  const tokenward_credentials credentials = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  uint8_t buffer[512];
  char body[512] = { 0 };
  tokenward_request request;
  CHECK(tokenward_begin(manager, clock_ms(), &credentials, buffer, sizeof buffer, &request) == TOKENWARD_OK);
  memcpy(body, request.body.ptr, request.body.len);
  return strstr(body, refresh_token) != NULL;
}

int main(void) {
  bool restored;
  for (int first = 0; first < 2; first++) {
    memset(flash, 0xff, sizeof flash);
    newest = first;
    tokenward_manager *manager = boot(&tokenward_flute_sandbox, &restored);
    CHECK(!restored);
    keep(manager, "sandbox-1");
    keep(manager, "sandbox-2");
    keep(manager, "sandbox-3");
    CHECK(presents(boot(&tokenward_flute_sandbox, &restored), "sandbox-3") && restored);
    manager = boot(&tokenward_flute_production, &restored);
    CHECK(!restored);
    keep(manager, "production-1");
    CHECK(presents(boot(&tokenward_flute_production, &restored), "production-1") && restored);
    manager = boot(&tokenward_flute_production, &restored);
    keep(manager, "production-2");
    keep(manager, "production-3");
    CHECK(presents(boot(&tokenward_flute_production, &restored), "production-3") && restored);
  }
  puts("guide: a device that was moved restores what it stored there");
  return 0;
}
