/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A device around the guide's loop: a board, a clock that a test moves, and a service that says what the test wants. */
#include "acme.c"
#include "board.h"
#include "clock.c"

static uint32_t ticks;
static const tokenward_credentials client = { .client_id = TOKENWARD_TEXT("id"), .client_secret = TOKENWARD_TEXT("secret") };
/* What the service last gave: refresh tokens are r1, r2, …; how often it was asked, and what it was presented last. */
static int serial, requests, presented;

uint32_t tick_count(void) { return ticks; }

/* A service that rotates. */
static bool rotates(const tokenward_request *request, uint8_t *to, size_t cap, tokenward_http_answer *answer) {
  static const char name[] = "refresh_token=r";
  char sent[512] = { 0 };
  CHECK(request->body.len < sizeof sent);
  memcpy(sent, request->body.ptr, request->body.len);
  const char *found = strstr(sent, name);
  presented = found == NULL ? 0 : atoi(found + sizeof name - 1);
  requests++;
  serial++;
  const int len = snprintf((char *)to, cap,
                           "{\"access_token\":\"a%d\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"r%d\"}",
                           serial, serial);
  CHECK(len > 0 && (size_t)len < cap);
  answer->status = 200;
  answer->body = (tokenward_span){ to, (size_t)len };
  return true;
}

/* Steps until there is nothing to do at once; returns when there is. A loop that storms does not come back. */
static uint64_t settled(tokenward_manager *manager) {
  for (int steps = 0; steps < 12; steps++) {
    const uint64_t again = token_step(manager, &client, buf, sizeof buf);
    if (again == 0) continue;
    CHECK(again > clock_ms());
    return again;
  }
  CHECK(!"the loop has always something to do");
  return 0;
}

static bool has_token(const tokenward_manager *manager) {
  char value[64];
  tokenward_header header;
  return token_header(manager, tokenward_text("GET"), tokenward_text("https://api.acme.example/"), value, sizeof value,
                      &header) == TOKENWARD_OK;
}
