/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps a token in settings, asks for it over a TLS socket and calls an API with it. The loop is the guide's: loop.c. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/settings/settings.h>
/* Zephyr 3.5 has moved these. */
#if __has_include(<zephyr/random/random.h>)
#include <zephyr/net/http/client.h>
#include <zephyr/random/random.h>
#else
#include <zephyr/net/http_client.h>
#include <zephyr/random/rand32.h>
#endif

#include "loop.h"

LOG_MODULE_REGISTER(keep_token, LOG_LEVEL_INF);

static const unsigned char ca[] = {
#include "ca.der.inc"
};
enum { CA_TAG = 1, TIMEOUT_MS = 10000 };

static const char base_url[] = CONFIG_EXAMPLE_BASE_URL;
static const tokenward_provider service = {
  .name = TOKENWARD_TEXT("example"),
  .base_url = TOKENWARD_TEXT(CONFIG_EXAMPLE_BASE_URL),
  .token_path = TOKENWARD_TEXT(CONFIG_EXAMPLE_TOKEN_PATH),
  .scope = TOKENWARD_TEXT(CONFIG_EXAMPLE_SCOPE),
  .authentication = &tokenward_authentication_basic_raw,
  .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
  .refresh_grant = true,
};
static const tokenward_credentials credentials = {
  .client_id = TOKENWARD_TEXT(CONFIG_EXAMPLE_CLIENT_ID),
  .client_secret = TOKENWARD_TEXT(CONFIG_EXAMPLE_CLIENT_SECRET),
};

/* One thread does everything: nobody else is kept out. */
void token_lock(void) {}
void token_unlock(void) {}
uint64_t clock_ms(void) { return (uint64_t)k_uptime_get(); }

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  LOG_WRN("a person must act: %s", tokenward_reason_name(reason));
}

/* Settings: tokenward/0, tokenward/1 and tokenward/key. What is read goes where `taken` says. */
typedef struct {
  const char *name;
  uint8_t *bytes;
  size_t cap;
  ssize_t len;
} taken;

static int take(const char *name, size_t len, settings_read_cb read, void *from, void *into) {
  taken *wanted = into;
  if (strcmp(name, wanted->name) == 0) wanted->len = len <= wanted->cap ? read(from, wanted->bytes, wanted->cap) : 0;
  return 0;
}

/* How many bytes there are, 0 for none, or an error. */
static ssize_t setting(const char *name, uint8_t *bytes, size_t cap) {
  taken wanted = { name, bytes, cap, 0 };
  int read = settings_load_subtree_direct("tokenward", take, &wanted);
  return read < 0 ? read : wanted.len;
}

bool slots_read(uint8_t *buf, size_t cap, tokenward_span slots[SLOTS]) {
  static const char *const names[SLOTS] = { "0", "1" };
  for (int slot = 0; slot < SLOTS; slot++, buf += SLOT_BYTES, cap -= SLOT_BYTES) {
    ssize_t len = cap < SLOT_BYTES ? -1 : setting(names[slot], buf, SLOT_BYTES);
    if (len < 0) return false;
    slots[slot].ptr = len > 0 ? buf : NULL;
    slots[slot].len = (size_t)len;
  }
  return true;
}

bool slot_write(uint8_t slot, const uint8_t *bytes, size_t len) {
  return len <= SLOT_BYTES && settings_save_one(slot == 0 ? "tokenward/0" : "tokenward/1", bytes, len) == 0;
}

/* Made at the first start. A device with a secure element keeps it there. */
tokenward_span snapshot_key(void) {
  static uint8_t key[32];
  static tokenward_span known = { NULL, 0 };
  if (known.ptr == NULL && setting("key", key, sizeof key) != sizeof key) {
    sys_rand_get(key, sizeof key); /* sys_csrand_get() where the board has true random numbers */
    if (settings_save_one("tokenward/key", key, sizeof key) != 0) return known; /* no key: nothing is stored */
  }
  known.ptr = key;
  known.len = sizeof key;
  return known;
}

/* What comes back: the body, and the lines of `Retry-After`. */
static struct {
  uint8_t *body;
  size_t cap, len;
  uint16_t status;
  bool is_whole, is_retry_after;
  char retry_after[96];
  size_t retry_after_len;
} back;

static int on_field(struct http_parser *parser, const char *at, size_t len) {
  (void)parser;
  back.is_retry_after = len == strlen("Retry-After") && strncasecmp(at, "Retry-After", len) == 0;
  return 0;
}

static int on_value(struct http_parser *parser, const char *at, size_t len) {
  (void)parser;
  if (back.is_retry_after && back.retry_after_len + len < sizeof back.retry_after) {
    if (back.retry_after_len > 0) back.retry_after[back.retry_after_len++] = '\n';
    memcpy(back.retry_after + back.retry_after_len, at, len);
    back.retry_after_len += len;
  }
  return 0;
}

static const struct http_parser_settings fields = { .on_header_field = on_field, .on_header_value = on_value };

static void on_response(struct http_response *response, enum http_final_call final, void *user_data) {
  (void)user_data;
  size_t len = response->body_frag_len;
  if (response->body_frag_start == NULL) len = 0;
  if (len > back.cap - back.len) len = back.cap - back.len; /* cut off: the core refuses it */
  if (len > 0) memcpy(back.body + back.len, response->body_frag_start, len);
  back.len += len;
  back.status = response->http_status_code;
  back.is_whole = final == HTTP_DATA_FINAL;
}

/* A connection to the service, whose certificate counts; a negative number where there is none. */
static int dial(const char *host, const char *port) {
  static const struct zsock_addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
  static const sec_tag_t tags[] = { CA_TAG };
  struct zsock_addrinfo *found = NULL;
  if (zsock_getaddrinfo(host, port, &hints, &found) != 0) return -1;
  int sock = zsock_socket(AF_INET, SOCK_STREAM, IPPROTO_TLS_1_2);
  if (sock >= 0 && (zsock_setsockopt(sock, SOL_TLS, TLS_SEC_TAG_LIST, tags, sizeof tags) != 0 ||
                    zsock_setsockopt(sock, SOL_TLS, TLS_HOSTNAME, host, strlen(host) + 1) != 0 ||
                    zsock_connect(sock, found->ai_addr, found->ai_addrlen) != 0)) {
    zsock_close(sock);
    sock = -1;
  }
  zsock_freeaddrinfo(found);
  return sock;
}

/* Sends once; follows no redirect. `body` takes what comes back. */
static bool send_request(struct http_request *request, uint8_t *body, size_t cap) {
  static uint8_t received[1024];
  char host[128], port[6] = "443";
  const char *authority = base_url + strlen("https://");
  size_t host_len = strcspn(authority, ":/");
  if (host_len >= sizeof host) return false;
  memcpy(host, authority, host_len);
  host[host_len] = '\0';
  if (authority[host_len] == ':') snprintf(port, sizeof port, "%s", authority + host_len + 1);
  memset(&back, 0, sizeof back);
  back.body = body;
  back.cap = cap;
  request->host = host;
  request->port = authority[host_len] == ':' ? port : NULL;
  request->protocol = "HTTP/1.1";
  request->response = on_response;
  request->http_cb = &fields;
  request->recv_buf = received;
  request->recv_buf_len = sizeof received;
  int sock = dial(host, port);
  if (sock < 0) return false;
  int sent = http_client_req(sock, request, TIMEOUT_MS, NULL);
  zsock_close(sock);
  tokenward_wipe(received, sizeof received);
  return sent >= 0 && back.is_whole;
}

/* `name: value`, CR and LF, or nothing where there is no value; whether it fits. */
static bool field(char **at, size_t *cap, const char *name, tokenward_span value) {
  if (value.len == 0) return true;
  int len = snprintf(*at, *cap, "%s: %.*s\r\n", name, (int)value.len, (const char *)value.ptr);
  if (len < 0 || (size_t)len >= *cap) return false;
  *at += len;
  *cap -= (size_t)len;
  return true;
}

static char lines[1536];

bool http_post(const tokenward_request *request, uint8_t *buf, size_t cap, tokenward_http_answer *answer) {
  static char path[256];
  char *at = lines;
  size_t left = sizeof lines, skipped = strlen(base_url);
  const char *optional[] = { lines, NULL };
  struct http_request post = {
    .method = HTTP_POST,
    .url = path,
    .optional_headers = optional,
    .payload = (const char *)request->body.ptr,
    .payload_len = request->body.len,
  };
  if (request->url.len < skipped || request->url.len - skipped >= sizeof path) return false;
  snprintf(path, sizeof path, "%.*s", (int)(request->url.len - skipped), (const char *)request->url.ptr + skipped);
  bool done = field(&at, &left, "Authorization", request->authorization) &&
              field(&at, &left, "Content-Type", request->content_type) && field(&at, &left, "Accept", request->accept) &&
              field(&at, &left, "Accept-Encoding", request->accept_encoding) && send_request(&post, buf, cap);
  tokenward_wipe(lines, sizeof lines);
  answer->status = back.status;
  answer->body.ptr = buf;
  answer->body.len = back.len;
  answer->retry_after.ptr = (const uint8_t *)back.retry_after;
  answer->retry_after.len = back.retry_after_len;
  return done;
}

/* One call of the API; a 401 is told to the manager, which knows whether a new token would help. */
static void call(tokenward_manager *manager) {
  static const tokenward_span get = TOKENWARD_TEXT("GET");
  static const tokenward_span url = TOKENWARD_TEXT(CONFIG_EXAMPLE_BASE_URL CONFIG_EXAMPLE_CALL_PATH);
  static uint8_t body[1024];
  static char value[TOKENWARD_HEADER_BYTES(CONFIG_TOKENWARD_ACCESS_CAPACITY)];
  const char *optional[] = { "Authorization: ", value, "\r\n", NULL };
  struct http_request request = { .method = HTTP_GET, .url = CONFIG_EXAMPLE_CALL_PATH, .optional_headers = optional };
  tokenward_header header;
  int32_t lent = token_header(manager, get, url, value, sizeof value, &header);
  if (lent != TOKENWARD_OK) {
    LOG_INF("no token: %s", tokenward_result_name(lent));
    return;
  }
  bool done = send_request(&request, body, sizeof body);
  tokenward_wipe(value, sizeof value);
  if (!done) return;
  LOG_INF("called with token %u: %u", (unsigned int)header.generation, back.status);
  const tokenward_span no_challenge = { NULL, 0 };
  tokenward_retry_result retry;
  if (back.status == 401) tokenward_rejected(manager, clock_ms(), header.generation, 401, no_challenge, &retry);
}

int main(void) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(CONFIG_TOKENWARD_ACCESS_CAPACITY, CONFIG_TOKENWARD_REFRESH_CAPACITY)];
  static uint8_t buf[SLOTS * SLOT_BYTES > CONFIG_TOKENWARD_BUFFER_CAPACITY ? SLOTS * SLOT_BYTES : CONFIG_TOKENWARD_BUFFER_CAPACITY];
  tokenward_config config = {
    .access_capacity = CONFIG_TOKENWARD_ACCESS_CAPACITY,
    .refresh_capacity = CONFIG_TOKENWARD_REFRESH_CAPACITY,
    .seed = (uint64_t)sys_rand32_get() << 32 | sys_rand32_get(),
    .now_ms = clock_ms(),
    .storage = { .kind = &tokenward_storage_own, .stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN, .slots = SLOTS },
  };
  tokenward_manager *manager;
  int stored = settings_subsys_init();
  int trusted = tls_credential_add(CA_TAG, TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof ca);
  int32_t result = tokenward_describe(&service, &config.service);
  if (result == TOKENWARD_OK) result = tokenward_init(&manager, memory, sizeof memory, &config);
  if (stored != 0 || trusted != 0 || result != TOKENWARD_OK) {
    LOG_ERR("settings %d, certificate %d, %s", stored, trusted, tokenward_result_name(result));
    return 0;
  }
  net_dhcpv4_start(net_if_get_default());
  while (net_if_ipv4_get_global_addr(net_if_get_default(), NET_ADDR_PREFERRED) == NULL) k_msleep(100);
  uint64_t call_at = 0;
  while (true) {
    uint64_t step_at = token_step(manager, &credentials, buf, sizeof buf);
    if (step_at == 0) continue;
    if (clock_ms() >= call_at) {
      call(manager);
      call_at = clock_ms() + CONFIG_EXAMPLE_CALL_EVERY_S * 1000;
      continue;
    }
    uint64_t next = step_at < call_at ? step_at : call_at, now = clock_ms();
    k_msleep(next > now ? (int32_t)(next - now) : 1);
  }
}
