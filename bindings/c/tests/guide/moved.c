/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop and slots in a device that is moved to another environment: what it had there hides nothing. */
#include "board.h"
#include "steady_flash.h"

static char body[512];

uint64_t clock_ms(void) {
  static uint64_t now;
  return now += 1000;
}

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  CHECK(reason == TOKENWARD_REASON_NONE);
}

/* Looks at what is presented, and does not answer. */
bool http_post(const tokenward_request *request, uint8_t *to, size_t cap, tokenward_http_answer *answer) {
  (void)to, (void)cap, (void)answer;
  memset(body, 0, sizeof body);
  memcpy(body, request->body.ptr, request->body.len);
  return false;
}

static void step(tokenward_manager *manager) {
  const tokenward_credentials client = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  CHECK(token_step(manager, &client, buf, sizeof buf) == 0);
}

/* A restart; the first step loads. */
static tokenward_manager *boot(const tokenward_service *service) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)];
  tokenward_manager *manager;
  tokenward_config config = { .service = service, .access_capacity = 64, .refresh_capacity = 64, .now_ms = clock_ms() };
  config.storage.kind = &tokenward_storage_own;
  config.storage.stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN;
  config.storage.slots = SLOTS;
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  step(manager);
  return manager;
}

static void keep(tokenward_manager *manager, const char *refresh_token) {
  const uint64_t lifetime_s = 3600;
  const tokenward_token token = { .access_token = tokenward_text("access"),
                                  .refresh_token = tokenward_text(refresh_token),
                                  .expires_in_s = &lifetime_s };
  uint64_t generation;
  tokenward_poll_result next;
  CHECK(tokenward_install(manager, clock_ms(), &token, &generation) == TOKENWARD_OK);
  step(manager);
  CHECK(tokenward_poll(manager, clock_ms(), &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_NOTHING && next.usable);
}

/* Whether the next request presents this refresh token; any where that is NULL. */
static bool presents(tokenward_manager *manager, const char *refresh_token) {
  step(manager);
  return strstr(body, refresh_token == NULL ? "refresh_token=" : refresh_token) != NULL;
}

int main(void) {
  for (int stores = 1; stores < 4; stores++) {
    static const char *const sandbox[] = { "sandbox-1", "sandbox-2", "sandbox-3" };
    memset(flash, 0xff, sizeof flash);
    tokenward_manager *manager = boot(&tokenward_flute_sandbox);
    CHECK(!presents(manager, NULL));
    for (int i = 0; i < stores; i++) keep(manager, sandbox[i]);
    CHECK(presents(boot(&tokenward_flute_sandbox), sandbox[stores - 1]));
    manager = boot(&tokenward_flute_production);
    CHECK(!presents(manager, NULL));
    keep(manager, "production-1");
    CHECK(presents(boot(&tokenward_flute_production), "production-1"));
    manager = boot(&tokenward_flute_production);
    keep(manager, "production-2");
    keep(manager, "production-3");
    CHECK(presents(boot(&tokenward_flute_production), "production-3"));
  }
  puts("guide: a device that was moved restores what it stored there");
  return 0;
}
