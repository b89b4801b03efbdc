/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps a token in NVS, asks for it with esp_http_client and calls an API with it. The loop is the guide's: loop.c. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "esp_event.h"
#include "esp_http_client.h"
#include "esp_log.h"
#include "esp_random.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nvs_flash.h"
#include "sdkconfig.h"

#include "loop.h"

#ifdef CONFIG_IDF_TARGET_LINUX
#include <stdlib.h>

#include "esp_private/partition_linux.h"
#else
#include "esp_crt_bundle.h"
#include "esp_netif.h"
#include "protocol_examples_common.h"
#endif

static const char TAG[] = "keep_token";
static nvs_handle_t flash;

static const tokenward_provider service = {
  .name = TOKENWARD_TEXT("example"),
  .base_url = TOKENWARD_TEXT(CONFIG_EXAMPLE_BASE_URL),
  .token_path = TOKENWARD_TEXT(CONFIG_EXAMPLE_TOKEN_PATH),
  .scope = TOKENWARD_TEXT(CONFIG_EXAMPLE_SCOPE),
  .authentication = &tokenward_authentication_basic_raw,
  .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
  .refresh_grant = true,
#ifdef CONFIG_IDF_TARGET_LINUX
  .loopback_http = &tokenward_loopback_http,
#endif
};

static const tokenward_credentials credentials = {
  .client_id = TOKENWARD_TEXT(CONFIG_EXAMPLE_CLIENT_ID),
  .client_secret = TOKENWARD_TEXT(CONFIG_EXAMPLE_CLIENT_SECRET),
};

/* One task does everything: nobody else is kept out. */
void token_lock(void) {}
void token_unlock(void) {}

/* On a chip this is esp_timer, which counts light sleep. */
uint64_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  ESP_LOGW(TAG, "a person must act: %s", tokenward_reason_name(reason));
}

static const char *const slots[SLOTS] = { "slot0", "slot1" };

bool slots_read(uint8_t *buf, size_t cap, tokenward_span spans[SLOTS]) {
  for (int slot = 0; slot < SLOTS; slot++, buf += SLOT_BYTES, cap -= SLOT_BYTES) {
    size_t len = SLOT_BYTES;
    if (cap < SLOT_BYTES) return false;
    esp_err_t read = nvs_get_blob(flash, slots[slot], buf, &len);
    if (read != ESP_OK && read != ESP_ERR_NVS_NOT_FOUND) return false;
    spans[slot].ptr = read == ESP_OK ? buf : NULL;
    spans[slot].len = read == ESP_OK ? len : 0;
  }
  return true;
}

bool slot_write(uint8_t slot, const uint8_t *bytes, size_t len) {
  return len <= SLOT_BYTES && nvs_set_blob(flash, slots[slot], bytes, len) == ESP_OK && nvs_commit(flash) == ESP_OK;
}

/* Made at the first start. Encrypt NVS where flash can be read by others. */
tokenward_span snapshot_key(void) {
  static uint8_t key[32];
  static tokenward_span known = { NULL, 0 };
  size_t len = sizeof key;
  if (known.ptr != NULL) return known;
  esp_err_t read = nvs_get_blob(flash, "key", key, &len);
  if (read == ESP_ERR_NVS_NOT_FOUND) {
    esp_fill_random(key, sizeof key);
    read = nvs_set_blob(flash, "key", key, sizeof key);
    if (read == ESP_OK) read = nvs_commit(flash);
  }
  ESP_ERROR_CHECK(read);
  known.ptr = key;
  known.len = sizeof key;
  return known;
}

/* The lines of `Retry-After`. */
typedef struct {
  char lines[96];
  size_t len;
} retry_after;

static esp_err_t on_event(esp_http_client_event_t *event) {
  retry_after *seen = event->user_data;
  if (event->event_id == HTTP_EVENT_ON_HEADER && strcasecmp(event->header_key, "Retry-After") == 0) {
    int len = snprintf(seen->lines + seen->len, sizeof seen->lines - seen->len, "%s%s", seen->len > 0 ? "\n" : "", event->header_value);
    if (len > 0 && seen->len + (size_t)len < sizeof seen->lines) seen->len += (size_t)len;
  }
  return ESP_OK;
}

/* A URL or the value of a field as a string; the client copies it. */
static char string[1024];

static const char *text(tokenward_span span) {
  if (span.len >= sizeof string) return NULL;
  memcpy(string, span.ptr, span.len);
  string[span.len] = '\0';
  return string;
}

static bool field(esp_http_client_handle_t client, const char *name, tokenward_span value) {
  if (value.len == 0) return true;
  return text(value) != NULL && esp_http_client_set_header(client, name, string) == ESP_OK;
}

/* Sends once, follows no redirect, and gives up before the manager does. */
bool http_post(const tokenward_request *request, uint8_t *buf, size_t cap, tokenward_http_answer *answer) {
  static retry_after seen;
  bool done = false;
  if (text(request->url) == NULL) return false;
  const esp_http_client_config_t config = {
    .url = string,
    .method = HTTP_METHOD_POST,
    .timeout_ms = 10000,
    .disable_auto_redirect = true,
    .max_authorization_retries = -1,
    .event_handler = on_event,
    .user_data = &seen,
    .buffer_size_tx = 2048,
#ifndef CONFIG_IDF_TARGET_LINUX
    .crt_bundle_attach = esp_crt_bundle_attach,
#endif
  };
  seen.len = 0;
  esp_http_client_handle_t client = esp_http_client_init(&config);
  if (client == NULL) return false;
  if (field(client, "Authorization", request->authorization) && field(client, "Content-Type", request->content_type) &&
      field(client, "Accept", request->accept) && field(client, "Accept-Encoding", request->accept_encoding) &&
      esp_http_client_open(client, (int)request->body.len) == ESP_OK &&
      esp_http_client_write(client, (const char *)request->body.ptr, (int)request->body.len) == (int)request->body.len &&
      esp_http_client_fetch_headers(client) >= 0) {
    int len = esp_http_client_read_response(client, (char *)buf, (int)cap);
    done = len >= 0;
    answer->status = (uint16_t)esp_http_client_get_status_code(client);
    answer->body.ptr = buf;
    answer->body.len = done ? (size_t)len : 0;
    answer->retry_after.ptr = (const uint8_t *)seen.lines;
    answer->retry_after.len = seen.len;
  }
  esp_http_client_cleanup(client);
  tokenward_wipe(string, sizeof string);
  return done;
}

/* One call of the API; a 401 is told to the manager, which knows whether a new token would help. */
static void call(tokenward_manager *manager) {
  static const char url[] = CONFIG_EXAMPLE_BASE_URL CONFIG_EXAMPLE_CALL_PATH;
  const tokenward_span get = TOKENWARD_TEXT("GET"), target = TOKENWARD_TEXT(url);
  tokenward_header header;
  int32_t lent = token_header(manager, get, target, string, sizeof string, &header);
  if (lent != TOKENWARD_OK) {
    ESP_LOGI(TAG, "no token: %s", tokenward_result_name(lent));
    return;
  }
  const esp_http_client_config_t config = {
    .url = url,
    .timeout_ms = 10000,
    .disable_auto_redirect = true,
    .max_authorization_retries = -1,
    .buffer_size_tx = 2048,
#ifndef CONFIG_IDF_TARGET_LINUX
    .crt_bundle_attach = esp_crt_bundle_attach,
#endif
  };
  esp_http_client_handle_t client = esp_http_client_init(&config);
  if (client == NULL) return;
  if (esp_http_client_set_header(client, "Authorization", string) == ESP_OK && esp_http_client_perform(client) == ESP_OK) {
    int status = esp_http_client_get_status_code(client);
    ESP_LOGI(TAG, "called with token %llu: %d", (unsigned long long)header.generation, status);
    const tokenward_span no_challenge = { NULL, 0 };
    tokenward_retry_result retry;
    if (status == 401) tokenward_rejected(manager, clock_ms(), header.generation, (uint16_t)status, no_challenge, &retry);
  }
  esp_http_client_cleanup(client);
  tokenward_wipe(string, sizeof string);
}

void app_main(void) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(CONFIG_TOKENWARD_ACCESS_CAPACITY, CONFIG_TOKENWARD_REFRESH_CAPACITY)];
  static uint8_t buf[SLOTS * SLOT_BYTES > CONFIG_TOKENWARD_BUFFER_CAPACITY ? SLOTS * SLOT_BYTES : CONFIG_TOKENWARD_BUFFER_CAPACITY];
#ifdef CONFIG_IDF_TARGET_LINUX
  /* The file that stands for the flash: another start goes on with it. */
  const char *file = getenv("FLASH");
  if (file != NULL) strlcpy(esp_partition_get_file_mmap_ctrl_input()->flash_file_name, file, PATH_MAX);
#endif
  /* Never erased: a refresh token that a service rotates is nowhere else. */
  ESP_ERROR_CHECK(nvs_flash_init());
  ESP_ERROR_CHECK(nvs_open("tokenward", NVS_READWRITE, &flash));
  ESP_ERROR_CHECK(esp_event_loop_create_default());
#ifndef CONFIG_IDF_TARGET_LINUX
  ESP_ERROR_CHECK(esp_netif_init());
  ESP_ERROR_CHECK(example_connect());
#endif
  tokenward_config config = {
    .access_capacity = CONFIG_TOKENWARD_ACCESS_CAPACITY,
    .refresh_capacity = CONFIG_TOKENWARD_REFRESH_CAPACITY,
    .seed = (uint64_t)esp_random() << 32 | esp_random(),
    .now_ms = clock_ms(),
    .storage = { .kind = &tokenward_storage_own, .stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN, .slots = SLOTS },
  };
  tokenward_manager *manager;
  int32_t result = tokenward_describe(&service, &config.service);
  if (result == TOKENWARD_OK) result = tokenward_init(&manager, memory, sizeof memory, &config);
  if (result != TOKENWARD_OK) {
    ESP_LOGE(TAG, "%s", tokenward_result_name(result));
    return;
  }
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
    vTaskDelay(next > now ? pdMS_TO_TICKS(next - now) + 1 : 1);
  }
}
