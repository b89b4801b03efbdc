/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop through every refusal: it never stands still, never storms, and has a token once what was wrong is mended. */
#include "device.h"

enum { HOUR_MS = 3600000 };

/* What the service answers for as long as it is not well; NULL: with a token. */
static const struct refusal {
  const char *name;
  uint16_t status;
  const char *retry_after, *body;
} *refusal;

static bool writes = true;
static int writings, told;
static tokenward_reason reason;

static const struct refusal refusals[] = {
  { "no answer", 0, "", "" },
  { "503", 503, "", "" },
  { "503, Retry-After", 503, "120", "<html>" },
  { "429", 429, "90", "{\"error\":\"slow_down\"}" },
  { "invalid_grant", 400, "", "{\"error\":\"invalid_grant\"}" },
  { "invalid_client", 401, "", "{\"error\":\"invalid_client\"}" },
  { "invalid_request", 400, "", "{\"error\":\"invalid_request\"}" },
  { "unauthorized_client", 400, "", "{\"error\":\"unauthorized_client\"}" },
  { "unsupported_grant_type", 400, "", "{\"error\":\"unsupported_grant_type\"}" },
  { "invalid_scope", 400, "", "{\"error\":\"invalid_scope\"}" },
  { "an error of the service's own", 400, "", "{\"error\":\"acme_says_no\"}" },
  { "text", 400, "", "no" },
  { "no JSON", 200, "", "<html>" },
  { "no body", 200, "", "" },
  { "cut off", 200, "", "{\"access_token\":\"a" },
  { "malformed", 200, "", "{\"access_token\":}" },
  { "another kind of token", 200, "", "{\"access_token\":\"a\",\"token_type\":\"mac\",\"expires_in\":3600}" },
  { "a token that cannot be sent", 200, "", "{\"access_token\":\"a b\",\"token_type\":\"Bearer\",\"expires_in\":3600}" },
  { "a token that has expired", 200, "", "{\"access_token\":\"b\",\"token_type\":\"Bearer\",\"expires_in\":0}" },
  { "an answer without a token", 200, "", "{\"expires_in\":3600}" },
  { "a redirect", 302, "", "" },
};

bool flash_erase(int slot) {
  writings++;
  if (writes) memset(flash[slot], 0xff, SLOT_BYTES);
  return writes;
}

bool flash_write(int slot, size_t at, const uint8_t *bytes, size_t len) {
  memcpy(flash[slot] + at, bytes, len);
  return true;
}

bool http_post(const tokenward_request *request, uint8_t *to, size_t cap, tokenward_http_answer *answer) {
  if (!rotates(request, to, cap, answer) || refusal == NULL) return true;
  serial--;
  if (refusal->status == 0) return false;
  answer->status = refusal->status;
  answer->retry_after = tokenward_text(refusal->retry_after);
  answer->body = tokenward_text(refusal->body);
  return true;
}

void token_wanted(uint64_t id, tokenward_reason why) {
  CHECK(id != 0 && why != TOKENWARD_REASON_NONE);
  told++;
  reason = why;
}

/* A device that has flash as it is; without a primary grant a person signs in. */
static tokenward_manager *start(bool primary_grant) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)];
  static tokenward_provider provider;
  tokenward_config config = { .access_capacity = 64, .refresh_capacity = 64, .now_ms = clock_ms(), .seed = 1 };
  tokenward_manager *manager;
  provider = acme;
  if (!primary_grant) provider.primary_grant = TOKENWARD_GRANT_NONE;
  config.storage.kind = &tokenward_storage_own;
  config.storage.slots = SLOTS;
  CHECK(tokenward_describe(&provider, &config.service) == TOKENWARD_OK);
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  return manager;
}

/* Goes on for this long, or until somebody must act; whether it sleeps for ever. */
static bool lasts(tokenward_manager *manager, uint64_t ms) {
  const uint64_t end = clock_ms() + ms;
  while (clock_ms() < end) {
    const uint64_t again = settled(manager);
    if (again == TOKENWARD_NEVER) return true;
    ticks += (uint32_t)((again < end ? again : end) - clock_ms());
  }
  return false;
}

static void erased(void) { memset(flash, 0xff, sizeof flash); }

/* A token, and then an hour of this refusal, from the first token on or from the refresh on. */
static void refused(const struct refusal *by, bool has_one, bool primary_grant) {
  const uint64_t lifetime_s = 3600;
  const tokenward_token signed_in = { .access_token = tokenward_text("a0"),
                                      .refresh_token = tokenward_text("r0"),
                                      .expires_in_s = &lifetime_s };
  uint64_t generation;
  erased();
  refusal = NULL;
  told = serial = 0;
  tokenward_manager *manager = start(primary_grant);
  CHECK(token_step(manager, &client, buf, sizeof buf) == 0); /* it loads */
  if (!primary_grant) CHECK(tokenward_install(manager, clock_ms(), &signed_in, &generation) == TOKENWARD_OK);
  else if (has_one) settled(manager);
  refusal = by;
  requests = 0;
  const bool for_ever = lasts(manager, 2 * HOUR_MS);
  CHECK(!for_ever || told > 0); /* only where somebody was told to act */
  CHECK(requests > 0 && requests < 120);
  CHECK(!has_token(manager));
  refusal = NULL;
  if (for_ever) {
    CHECK(!primary_grant || reason != TOKENWARD_REASON_REFRESH_TOKEN_REJECTED);
    if (reason != TOKENWARD_REASON_REFRESH_TOKEN_REJECTED) CHECK(tokenward_retry(manager) == TOKENWARD_OK);
    else CHECK(tokenward_install(manager, clock_ms(), &signed_in, &generation) == TOKENWARD_OK);
  }
  lasts(manager, for_ever ? 2000 : 2 * HOUR_MS);
  CHECK(has_token(manager));
}

static const struct refusal invalid_grant = { "invalid_grant", 400, "", "{\"error\":\"invalid_grant\"}" };

/* The service refuses the refresh token and nothing else: the primary grant follows within the same moment. */
static void a_refused_refresh_token(void) {
  erased();
  refusal = NULL;
  tokenward_manager *manager = start(true);
  settled(manager);
  CHECK(has_token(manager));
  ticks += 3500000;
  refusal = &invalid_grant;
  requests = told = 0;
  CHECK(token_step(manager, &client, buf, sizeof buf) == 0 && requests == 1 && presented > 0);
  refusal = NULL;
  settled(manager);
  CHECK(requests == 2 && presented == 0 && has_token(manager) && told == 0);
}

/* What is not answered has failed at once, and not only when its time is over. */
static void no_answer(void) {
  tokenward_poll_result next;
  erased();
  refusal = &refusals[0];
  tokenward_manager *manager = start(true);
  settled(manager);
  CHECK(tokenward_poll(manager, clock_ms(), &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_WAIT);
  refusal = NULL;
}

static void a_refused_begin(void) {
  const tokenward_credentials none = { .client_id = { NULL, 0 } };
  erased();
  tokenward_manager *manager = start(true);
  CHECK(token_step(manager, &none, buf, sizeof buf) == 0);
  requests = 0;
  const uint64_t again = token_step(manager, &none, buf, sizeof buf);
  CHECK(again > clock_ms() && again - clock_ms() <= 60000 && requests == 0);
  ticks += (uint32_t)(again - clock_ms());
  settled(manager);
  CHECK(requests == 1 && has_token(manager));
}

/* A write that fails: the token is used from memory, and what is owed is written soon after flash is well again. */
static void a_failed_store(void) {
  erased();
  tokenward_manager *manager = start(true);
  writes = false;
  writings = 0;
  settled(manager);
  CHECK(writings == 1 && has_token(manager));
  lasts(manager, HOUR_MS / 4);
  CHECK(writings > 2 && writings < 60 && has_token(manager));
  writes = true;
  lasts(manager, HOUR_MS / 4);
  manager = start(true);
  settled(manager);
  CHECK(presented == serial - 1 && has_token(manager));
}

/* Flash that cannot be read is not flash that is empty: nobody signs in anew for that. */
static void a_failed_load(void) {
  erased();
  settled(start(true));
  readable = false;
  requests = told = 0;
  tokenward_manager *manager = start(false);
  lasts(manager, HOUR_MS);
  CHECK(requests == 0 && told == 0 && !has_token(manager));
  readable = true;
  lasts(manager, HOUR_MS / 4);
  CHECK(requests == 1 && presented > 0 && has_token(manager));
}

/* Nothing that was stored is whole. */
static void damage(void) {
  for (int grants = 0; grants < 2; grants++) {
    memset(flash, 'x', sizeof flash);
    requests = told = 0;
    tokenward_manager *manager = start(grants == 0);
    lasts(manager, 1000);
    if (grants == 0) CHECK(told == 0 && requests == 1 && has_token(manager));
    else CHECK(told > 0 && reason == TOKENWARD_REASON_DAMAGED && requests == 0);
  }
}

int main(void) {
  int count = 0;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    for (int how = 0; how < 3; how++, count++) refused(&refusals[i], how != 0, how != 2);
  }
  refusal = NULL;
  a_refused_refresh_token();
  no_answer();
  a_refused_begin();
  a_failed_store();
  a_failed_load();
  damage();
  printf("guide: %d hours of refusals, none of which stopped the loop or made it storm\n", 2 * count);
  return 0;
}
