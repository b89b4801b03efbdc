/* A service of one's own: five calls, a token that is refused, a restart, a sign-out. */
#include <stdio.h>
#include "loop.h"

static tokenward_policy policy = TOKENWARD_POLICY_DEFAULT;
static const tokenward_parameter audience = {
  TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("https://api.acme.example"), TOKENWARD_TARGET_TOKEN };
static const tokenward_requests asked = { &tokenward_request_own, .parameters = { &audience, 1 } };
static const tokenward_provider acme = {
  .name = TOKENWARD_TEXT("acme"), .token_path = TOKENWARD_TEXT("/oauth2/token"),
  .authentication = &tokenward_authentication_basic_raw,
  .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS, .refresh_grant = true,
  .requests = &asked, .policy = &policy, .loopback_http = &tokenward_loopback_http };
static tokenward_credentials client;
static tokenward_config config = {
  .access_capacity = 1024, .refresh_capacity = 512, .storage.kind = &tokenward_storage_own,
  .storage.slots = SLOTS, .storage.stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN };
static tokenward_manager *manager;
static tokenward_request get, revoke;
static uint8_t buf[16384];
static const char *state;
const char *slots_path(void) { return state; }
tokenward_span snapshot_key(void) { return tokenward_text("32 random bytes of this device.."); }
void token_wanted(uint64_t id, tokenward_reason why) { (void)id, puts(tokenward_reason_name(why)); }

static void start(void) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(1024, 512)];
  config.now_ms = clock_ms();
  int32_t result = tokenward_describe(&acme, &config.service);
  if (result == TOKENWARD_OK) result = tokenward_init(&manager, memory, sizeof memory, &config);
  if (result != TOKENWARD_OK) puts(tokenward_result_text(result));
}
static int call(void) { return token_call(manager, &client, &get, buf, sizeof buf); }

int main(int count, char **words) {
  char api[256], demo[256];
  tokenward_header header;
  tokenward_poll_result next;
  if (count != 5) return 64; /* BASE ID SECRET STATE */
  snprintf(api, sizeof api, "%s/v2/transactions", words[1]);
  snprintf(demo, sizeof demo, "%s/_demo/revoke", words[1]);
  config.base_url = tokenward_text(words[1]);
  client.client_id = tokenward_text(words[2]), client.client_secret = tokenward_text(words[3]);
  state = words[4], policy.min_interval_ms = 0;
  get = (tokenward_request){ .method = tokenward_text("GET"), .url = tokenward_text(api) };
  revoke = (tokenward_request){ .method = tokenward_text("POST"), .url = tokenward_text(demo) };
  revoke.content_type = tokenward_text("application/json");
  revoke.body = tokenward_text("{\"what\":\"access_tokens\"}");
  start();
  for (int n = 0; n < 5; n++) printf("called: %d\n", call());
  http_post(&revoke, buf, sizeof buf, &(tokenward_http_answer){ 0 });
  printf("refused and replaced: %d\n", call());
  start();
  printf("restarted: %d\n", call());
  tokenward_clear(manager);
  while (tokenward_poll(manager, clock_ms(), &next) == 0 && next.next == TOKENWARD_NEXT_STORE)
    token_step(manager, &client, buf, sizeof buf);
  int32_t left = token_header(manager, get.method, get.url, (char *)buf, sizeof buf, &header);
  printf("signed out: %s\n", tokenward_result_name(left));
}
