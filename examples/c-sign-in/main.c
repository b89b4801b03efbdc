/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signs a person in in a browser: RFC 6749 section 4.1 with PKCE. The browser's last URL, which no page answers, is typed here. */
#define _DEFAULT_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <tokenward/tokenward.h>

enum { ACCESS_CAPACITY = 4096, REFRESH_CAPACITY = 1024 };

static const tokenward_pair_list no_values = { NULL, 0 };
static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS_CAPACITY, REFRESH_CAPACITY)];
static uint8_t written[16384];
static char received[65536];
static size_t received_len;
static tokenward_manager *manager;
static tokenward_sign_in sign_in;

static uint64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Ends the program where a call is refused that this program means to make. */
static void must(int32_t result, const char *what) {
  if (result == TOKENWARD_OK) return;
  fprintf(stderr, "%s: %s\n", what, tokenward_result_name(result));
  exit(1);
}

static size_t on_body(char *bytes, size_t one, size_t count, void *own) {
  (void)own;
  const size_t len = one * count;
  if (len > sizeof received - received_len) return 0;
  memcpy(received + received_len, bytes, len);
  received_len += len;
  return len;
}

static struct curl_slist *field(struct curl_slist *fields, const char *name, tokenward_span value) {
  char line[8192];
  if (value.len == 0) return fields;
  snprintf(line, sizeof line, "%s: %.*s", name, (int)value.len, (const char *)value.ptr);
  struct curl_slist *const more = curl_slist_append(fields, line);
  tokenward_wipe(line, sizeof line);
  return more;
}

/* Sends a request; the body of the answer is in `received`. 0: none came. */
static uint16_t exchange(const tokenward_request *request) {
  char url[2048];
  long status = 0;
  CURL *const curl = curl_easy_init();
  struct curl_slist *fields = field(NULL, "Accept", request->accept);
  fields = field(fields, "Accept-Encoding", request->accept_encoding);
  fields = field(fields, "Content-Type", request->content_type);
  fields = field(fields, "Authorization", request->authorization);
  snprintf(url, sizeof url, "%.*s", (int)request->url.len, (const char *)request->url.ptr);
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  if (strncmp(url, "http://", 7) == 0) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  if (request->body.len > 0) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body.ptr);
  }
  received_len = 0;
  if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(fields);
  curl_easy_cleanup(curl);
  return (uint16_t)status;
}

/* Presents the code of a callback; says what came of it. */
static const char *obtain(const tokenward_credentials *credentials, tokenward_span callback) {
  tokenward_request request;
  tokenward_outcome outcome = { 0 };
  must(tokenward_sign_in_begin(&sign_in, manager, clock_now(), credentials, no_values, callback, written, sizeof written, &request),
       "begin");
  const uint16_t status = exchange(&request);
  tokenward_wipe(written, sizeof written);
  if (status == 0) return "no answer";
  const tokenward_parsed_answer answer = { .body = { (const uint8_t *)received, received_len }, .status = status };
  const int32_t result = tokenward_sign_in_answer(&sign_in, manager, clock_now(), &answer, &outcome);
  tokenward_wipe(received, sizeof received);
  if (result != TOKENWARD_OK) return tokenward_result_name(result);
  return outcome.kind == TOKENWARD_ANSWER_TOKEN ? "token" : tokenward_error_code_name(outcome.code);
}

/* Calls the API with the token; says its status. */
static uint16_t call(const char *url) {
  tokenward_header header;
  tokenward_request request = { .url = tokenward_text(url) };
  must(tokenward_authorize(manager, clock_now(), tokenward_text("GET"), request.url, (char *)written, sizeof written, &header),
       "authorize");
  request.authorization = (tokenward_span){ written, header.len };
  const uint16_t status = exchange(&request);
  tokenward_wipe(written, sizeof written);
  return status;
}

int main(int count, char **words) {
  static char line[8192];
  if (count != 4) {
    fprintf(stderr, "usage: sign-in BASE_URL CLIENT_ID API_URL\n");
    return 64;
  }
  char url[2048], code[1024];
  uint8_t random[32];
  size_t len;
  tokenward_config config = { 0 };
  tokenward_callback read;
  const tokenward_span origin = tokenward_text(words[1]);
  const tokenward_span redirect_uri = tokenward_text("http://127.0.0.1/callback");
  const tokenward_credentials credentials = { .client_id = tokenward_text(words[2]) };
  tokenward_provider provider = { 0 };
  snprintf(url, sizeof url, "%s/auth?prompt=consent", words[1]);
  provider.name = tokenward_text("oidc");
  provider.base_url = origin;
  provider.issuer = origin;
  provider.token_path = tokenward_text("/token");
  provider.authorization_url = tokenward_text(url);
  provider.scope = tokenward_text("openid offline_access");
  provider.refresh_grant = true;
  provider.authentication = &tokenward_authentication_none;
  provider.api_origins = (tokenward_text_list){ &origin, 1 };
  provider.loopback_http = &tokenward_loopback_http;
  must(tokenward_describe(&provider, &config.service), "the service");
  config.access_capacity = ACCESS_CAPACITY;
  config.refresh_capacity = REFRESH_CAPACITY;
  config.now_ms = clock_now();
  must(tokenward_init(&manager, memory, sizeof memory, &config), "the manager");

  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return 1;
  must(tokenward_sign_in_new(&sign_in, (tokenward_span){ random, sizeof random }, redirect_uri), "the sign-in");
  must(tokenward_sign_in_url(&sign_in, manager, &credentials, (char *)written, sizeof written, &len), "the URL");
  printf("%.*s\n", (int)len, (const char *)written);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const tokenward_span callback = tokenward_text(line);
    const int32_t result = tokenward_sign_in_callback(&sign_in, manager, callback, code, sizeof code, &read);
    if (result != TOKENWARD_OK) {
      puts(tokenward_result_name(result));
    } else if (read.kind == TOKENWARD_CALLBACK_ERROR) {
      printf("error %s\n", code);
    } else {
      const char *const outcome = obtain(&credentials, callback);
      puts(outcome);
      if (strcmp(outcome, "token") == 0) printf("%u\n", call(words[3]));
    }
    tokenward_wipe(code, sizeof code);
    fflush(stdout);
  }
  tokenward_wipe(memory, sizeof memory);
  tokenward_wipe(&sign_in, sizeof sign_in);
  return 0;
}
