/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The README's function: a token, a header with it, and a server that does not answer. */
#include <string.h>

#include "check.h"
#include "token.c"

static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)];
static bool reachable;

bool http_post(const tokenward_request *request, tokenward_http_answer *answer) {
  static const char url[] = "https://sandbox.oauth.api.flute.com/oauth2/token";
  CHECK(request->url.len == strlen(url) && memcmp(request->url.ptr, url, strlen(url)) == 0);
  answer->status = 200;
  answer->body = tokenward_text("{\"access_token\":\"token\",\"token_type\":\"Bearer\",\"expires_in\":3600}");
  return reachable;
}

int main(void) {
  const tokenward_credentials client = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  const tokenward_span url = tokenward_text("https://sandbox.api.flute.com/v1/devices");
  tokenward_config config = { .service = &tokenward_flute_sandbox, .access_capacity = 64, .refresh_capacity = 64 };
  tokenward_manager *manager;
  tokenward_poll_result next;
  tokenward_header header;
  char value[80];
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  CHECK(token_get(manager, 0, &client) == TOKENWARD_OK);
  CHECK(tokenward_poll(manager, 0, &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_WAIT);
  reachable = true;
  CHECK(token_get(manager, next.poll_at_ms, &client) == TOKENWARD_OK);
  CHECK(tokenward_authorize(manager, next.poll_at_ms, tokenward_text("GET"), url, value, sizeof value, &header) ==
        TOKENWARD_OK);
  CHECK(strcmp(value, "Bearer token") == 0);
  puts("guide: a server that does not answer, a token, a header");
  return 0;
}
