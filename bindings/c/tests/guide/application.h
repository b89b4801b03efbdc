/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the header's examples take from the application that they are a part of. */
#include <string.h>

#include <tokenward/tokenward.h>

extern uint64_t now_ms;
extern const uint64_t *wall_s;
extern uint64_t serial_number;

extern const tokenward_provider acme;
extern const tokenward_service *service;
extern tokenward_config config;
extern uint64_t memory[TOKENWARD_MANAGER_WORDS(2048, 512)];
extern tokenward_manager *manager;
extern tokenward_poll_result next;

/* Credentials, and tokens that come another way. */
extern const tokenward_credentials credentials;
extern char id[32], secret[64], access_token[2048];

/* The token endpoint: a request lies in `buffer`, its answer in `body`. */
extern uint8_t buffer[4096], body[4096];
extern tokenward_request request;
extern tokenward_http_answer answer;
extern tokenward_outcome outcome;

/* A call of the API: the value of its Authorization field, and what came back. */
extern const tokenward_span url;
extern char value[2100];
extern tokenward_header header;
extern uint16_t status;
extern tokenward_span challenge, date;

/* Storage: a snapshot lies in `buffer` before it is written and after it is read. */
extern const tokenward_span key;
extern tokenward_span snapshot;

/* A person who signs in: on another device, by a code that this one shows, or in a browser. */
extern tokenward_device *device;
extern tokenward_device_poll_result said;
extern tokenward_sign_in sign_in;
extern const tokenward_span redirect_uri;

int32_t send_token_request(void);
int32_t send_device_request(void);
void show_code(tokenward_span verification_uri, tokenward_span user_code);
void show_sign_in_before(uint64_t at_ms);
void fill_random(uint8_t *bytes, size_t len);
tokenward_span sign_es256(const uint8_t *bytes, size_t len);
void open_browser(const char *address);
int32_t call_api(void);
int32_t refused(uint64_t generation, uint16_t status);
bool http_post(const tokenward_request *request, tokenward_http_answer *answer);
uint16_t http_get(tokenward_span url, const char *authorization);
bool http_field_has(const char *field, const char *word);
bool flash_read(tokenward_span *snapshot);
bool flash_write(const uint8_t *bytes, size_t len);
bool flash_erase(void);
void log_line(const char *text);
void log_bytes(const uint8_t *bytes, size_t len);
void log_challenge(tokenward_span challenge, size_t index);
void sleep_until(uint64_t at_ms);
void wake_token_task(void);
void show_sign_in(uint64_t id);
void set_clock(uint64_t unix_s);
void counter_raise_to(uint64_t revision);
uint32_t tick_count(void);
