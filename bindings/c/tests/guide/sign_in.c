/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's two sign-ins: a code that is shown, pending, a lost answer and a token; a browser with a forged callback first. */
#include <string.h>

#include "check.h"
#include "browser_sign_in.c"
#include "device_sign_in.c"

static const char TOKEN[] = "{\"access_token\":\"token\",\"token_type\":\"Bearer\",\"expires_in\":3600}";
static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)], device_memory[TOKENWARD_DEVICE_WORDS(512)];
static tokenward_config config = { .access_capacity = 64, .refresh_capacity = 64 };
static tokenward_manager *manager;
static const char *body;
static uint16_t status;
static unsigned shown;

bool http_send(const tokenward_request *request, tokenward_parsed_answer *answer) {
  CHECK(request->method.len == 4);
  answer->body = tokenward_text(body);
  answer->status = status;
  return body != NULL;
}

void show_code(tokenward_span verification_uri, tokenward_span user_code) {
  CHECK(verification_uri.len == 18 && user_code.len == 9);
  shown++;
}

static void answers(uint16_t with, const char *text) {
  status = with;
  body = text;
}

static void opens(uint64_t now_ms) {
  char value[80];
  tokenward_header header;
  const tokenward_span url = tokenward_text("https://sandbox.api.flute.com/v1/devices");
  CHECK(tokenward_authorize(manager, now_ms, tokenward_text("GET"), url, value, sizeof value, &header) == TOKENWARD_OK);
  CHECK(strcmp(value, "Bearer token") == 0);
}

static void by_device(const tokenward_credentials *client) {
  tokenward_device *device;
  tokenward_device_poll_result said;
  CHECK(tokenward_device_init(&device, device_memory, sizeof device_memory) == TOKENWARD_OK);
  CHECK(tokenward_device_start(device, 0) == TOKENWARD_OK);
  answers(200, "{\"device_code\":\"d\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":\"https://a.example/\",\"expires_in\":60}");
  CHECK(device_sign_in(device, manager, 0, client, &said) == TOKENWARD_OK && said.next == TOKENWARD_DEVICE_SHOW);
  CHECK(device_sign_in(device, manager, 0, client, &said) == TOKENWARD_OK && said.next == TOKENWARD_DEVICE_WAIT && shown == 1);
  CHECK(said.poll_at_ms == 5000);
  answers(400, "{\"error\":\"authorization_pending\"}");
  CHECK(device_sign_in(device, manager, 5000, client, &said) == TOKENWARD_OK && said.poll_at_ms == 10000);
  answers(0, NULL);
  CHECK(device_sign_in(device, manager, 10000, client, &said) == TOKENWARD_OK && said.poll_at_ms == 20000);
  answers(200, TOKEN);
  CHECK(device_sign_in(device, manager, 20000, client, &said) == TOKENWARD_OK && said.next == TOKENWARD_DEVICE_DONE);
  opens(20000);
}

static void by_browser(const tokenward_credentials *client) {
  static const char FORGED[] = "com.example.app:/signed-in?code=c&state=AAAAAAAAAAAAAAAAAAAAAA";
  char url[1024], back[sizeof FORGED];
  tokenward_sign_in sign_in;
  const tokenward_span random = tokenward_text("0123456789abcdefghijklmnopqrstuv");
  const tokenward_span redirect_uri = tokenward_text("com.example.app:/signed-in");
  CHECK(browser_url(&sign_in, manager, client, random, redirect_uri, url, sizeof url) == TOKENWARD_OK);
  const char *const state = strstr(url, "&state=");
  CHECK(state != NULL);
  strcpy(back, FORGED);
  answers(200, TOKEN);
  CHECK(!browser_back(&sign_in, manager, 1000, client, tokenward_text(back)));
  memcpy(back + sizeof back - 23, state + 7, 22);
  CHECK(browser_back(&sign_in, manager, 1000, client, tokenward_text(back)));
  CHECK(!browser_back(&sign_in, manager, 1000, client, tokenward_text(back)));
  opens(1000);
}

int main(void) {
  const tokenward_credentials client = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  tokenward_provider provider = tokenward_provider_of(&tokenward_flute_sandbox);
  provider.primary_grant = TOKENWARD_GRANT_NONE;
  provider.device_path = tokenward_text("/device");
  provider.authorization_url = tokenward_text("https://sandbox.oauth.api.flute.com/authorize");
  CHECK(tokenward_describe(&provider, &config.service) == TOKENWARD_OK);
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  by_device(&client);
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  by_browser(&client);
  puts("guide: a person signs in with a code, and in a browser");
  return 0;
}
