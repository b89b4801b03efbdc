/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs scenarios through tokenward.h alone.
 *
 * usage: scenarios FILE...
 *
 * Prints one line of JSON for each file, {"file":"...","ok":true,"difference":null}, and ends with 1 where any
 * differs. The manager is moved to other memory before every step, and the memory that it leaves is wiped:
 * nothing in it may point into it. */

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenward/tokenward.h>

/* The sealing key of every scenario: what it proves does not depend on it. */
static const uint8_t KEY[32] = { 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C,
                                 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C,
                                 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C, 0x5C };

enum { BUFFER = 1 << 17 };

/* An id that was never given out, for a request that another process sent. */
static const uint64_t NEVER_GIVEN = UINT64_MAX;

/* ---- memory for one scenario */

typedef struct chunk {
  struct chunk *next;
  /* What follows is the memory. */
  uint64_t words[1];
} chunk;

typedef struct driver {
  const json_t *scenario;
  chunk *chunks;

  tokenward_provider provider;
  tokenward_policy policy;
  /* The provider, and whose token it is. */
  tokenward_config config;
  tokenward_manager *manager;
  uint64_t *memory;
  size_t size;

  /* Unix seconds at `epoch` milliseconds. */
  bool has_wall;
  uint64_t wall;
  uint64_t epoch;

  json_t *requests;
  uint64_t last_request;

  uint8_t *snapshot;
  size_t snapshot_len;
  int32_t snapshot_scope;
  uint64_t snapshot_revision;

  uint8_t *buffer;
  /* Why the file is no scenario, or the first difference; empty where neither is found. */
  char fault[4096];
} driver;

static void *allocate(size_t size) {
  void *memory = calloc(1, size > 0 ? size : 1);
  if (memory == NULL) {
    fputs("scenarios: out of memory\n", stderr);
    exit(2);
  }
  return memory;
}

static void *keep(driver *d, size_t size) {
  chunk *kept = allocate(sizeof(chunk) + size);
  kept->next = d->chunks;
  d->chunks = kept;
  return kept->words;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool fault(driver *d, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (d->fault[0] == '\0') {
    vsnprintf(d->fault, sizeof d->fault, format, arguments);
  }
  va_end(arguments);
  return false;
}

/* ---- members of JSON objects */

static tokenward_span bytes_of(const void *bytes, size_t len) {
  tokenward_span span = { bytes, len };
  return span;
}

static tokenward_span text_of(const json_t *string) {
  return bytes_of(json_string_value(string), json_string_length(string));
}

static const json_t *member(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_null(value) ? NULL : value;
}

/* A string member; empty where it is absent. */
static bool optional_text(driver *d, const json_t *object, const char *name, tokenward_span *out) {
  const json_t *value = member(object, name);
  *out = bytes_of(NULL, 0);
  if (value == NULL) {
    return true;
  }
  if (!json_is_string(value)) {
    return fault(d, "`%s` is no string", name);
  }
  *out = text_of(value);
  return true;
}

static bool required_text(driver *d, const json_t *object, const char *name, tokenward_span *out) {
  if (member(object, name) == NULL) {
    return fault(d, "`%s` is missing", name);
  }
  return optional_text(d, object, name, out);
}

/* A whole number, or a string of one beyond 2^53. */
static bool integer(driver *d, const json_t *value, const char *name, uint64_t *out) {
  if (json_is_integer(value) && json_integer_value(value) >= 0) {
    *out = (uint64_t)json_integer_value(value);
    return true;
  }
  if (json_is_string(value)) {
    const char *digits = json_string_value(value);
    size_t len = json_string_length(value);
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++) {
      uint64_t digit = (uint64_t)(digits[i] - '0');
      if (digits[i] < '0' || digits[i] > '9' || number > (UINT64_MAX - digit) / 10) {
        return fault(d, "`%s` is no whole number", name);
      }
      number = number * 10 + digit;
    }
    if (len > 0) {
      *out = number;
      return true;
    }
  }
  return fault(d, "`%s` is no whole number", name);
}

static bool optional_integer(driver *d, const json_t *object, const char *name, bool *has, uint64_t *out) {
  const json_t *value = member(object, name);
  *has = value != NULL;
  return value == NULL || integer(d, value, name, out);
}

static bool required_integer(driver *d, const json_t *object, const char *name, uint64_t *out) {
  bool has;
  return optional_integer(d, object, name, &has, out) && (has || fault(d, "`%s` is missing", name));
}

static bool is(tokenward_span span, const char *text) {
  return span.len == strlen(text) && (span.len == 0 || memcmp(span.ptr, text, span.len) == 0);
}

static bool same_name(tokenward_span span, const char *name) {
  if (span.len != strlen(name)) {
    return false;
  }
  for (size_t i = 0; i < span.len; i++) {
    int c = span.ptr[i];
    if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != name[i]) {
      return false;
    }
  }
  return true;
}

/* One of `names` that a NULL ends, or `otherwise` where the member is absent. */
static bool choice(driver *d, const json_t *object, const char *name, const char *const *names, int32_t otherwise,
                   int32_t *out) {
  tokenward_span given;
  *out = otherwise;
  if (member(object, name) == NULL) {
    return true;
  }
  if (!optional_text(d, object, name, &given)) {
    return false;
  }
  for (int32_t i = 0; names[i] != NULL; i++) {
    if (is(given, names[i])) {
      *out = i;
      return true;
    }
  }
  return fault(d, "no %s \"%.*s\"", name, (int)given.len, (const char *)given.ptr);
}

static bool list(driver *d, const json_t *object, const char *name, const json_t **out, size_t *count) {
  *out = member(object, name);
  *count = json_array_size(*out);
  return *out == NULL || json_is_array(*out) || fault(d, "`%s` is no list", name);
}

static bool texts(driver *d, const json_t *object, const char *name, tokenward_text_list *out) {
  const json_t *values;
  if (!list(d, object, name, &values, &out->len)) {
    return false;
  }
  tokenward_span *spans = keep(d, out->len * sizeof *spans);
  for (size_t i = 0; i < out->len; i++) {
    const json_t *value = json_array_get(values, i);
    if (!json_is_string(value)) {
      return fault(d, "`%s` is a list of strings", name);
    }
    spans[i] = text_of(value);
  }
  out->ptr = spans;
  return true;
}

/* ---- the provider */

static bool policy(driver *d, const json_t *object) {
  const char *name;
  json_t *value;
  tokenward_policy *p = &d->policy;
  if (object == NULL) {
    return true;
  }
  if (!json_is_object(object)) {
    return fault(d, "`policy` is an object");
  }
  json_object_foreach((json_t *)object, name, value) {
    struct {
      const char *name;
      uint64_t *wide;
      uint32_t *narrow;
    } numbers[] = {
      { "margin_ms", &p->margin_ms, NULL },
      { "min_interval_ms", &p->min_interval_ms, NULL },
      { "startup_spread_ms", &p->startup_spread_ms, NULL },
      { "response_timeout_ms", &p->response_timeout_ms, NULL },
      { "first_backoff_ms", &p->first_backoff_ms, NULL },
      { "max_backoff_ms", &p->max_backoff_ms, NULL },
      { "max_lifetime_s", &p->max_lifetime_s, NULL },
      { "fraction_permille", NULL, &p->fraction_permille },
      { "jitter_permille", NULL, &p->jitter_permille },
      { "refresh_attempts", NULL, &p->refresh_attempts },
    };
    size_t i = 0;
    size_t count = sizeof numbers / sizeof *numbers;
    while (i < count && strcmp(name, numbers[i].name) != 0) {
      i++;
    }
    uint64_t number = 0;
    if (strcmp(name, "shared_storage") == 0 && json_is_boolean(value)) {
      p->shared_storage = json_is_true(value);
    } else if (i == count) {
      return fault(d, "no policy number \"%s\"", name);
    } else if (!integer(d, value, name, &number)) {
      return false;
    } else if (numbers[i].wide != NULL) {
      *numbers[i].wide = number;
    } else if (number > UINT32_MAX) {
      return fault(d, "policy %s is too large", name);
    } else {
      *numbers[i].narrow = (uint32_t)number;
    }
  }
  return true;
}

static bool grants(driver *d, const json_t *object) {
  const json_t *values;
  size_t count;
  if (!list(d, object, "grants", &values, &count)) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    const char *name = json_string_value(json_array_get(values, i));
    tokenward_grant grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS;
    while (grant <= TOKENWARD_GRANT_SITE_TOKEN &&
           (name == NULL || strcmp(name, tokenward_grant_name(grant)) != 0)) {
      grant++;
    }
    if (grant > TOKENWARD_GRANT_SITE_TOKEN) {
      return fault(d, "no grant \"%s\"", name != NULL ? name : "?");
    }
    if (grant == TOKENWARD_GRANT_REFRESH_TOKEN) {
      d->provider.refresh_grant = true;
    } else if (d->provider.primary_grant == TOKENWARD_GRANT_NONE) {
      d->provider.primary_grant = grant;
    }
  }
  return true;
}

static bool error_codes(driver *d, const json_t *object) {
  const json_t *codes = member(object, "error_codes");
  const char *own;
  json_t *standard;
  size_t count = 0;
  if (codes == NULL) {
    return true;
  }
  if (!json_is_object(codes)) {
    return fault(d, "`error_codes` is an object");
  }
  tokenward_pair *pairs = keep(d, json_object_size(codes) * sizeof *pairs);
  json_object_foreach((json_t *)codes, own, standard) {
    if (!json_is_string(standard)) {
      return fault(d, "`error_codes` are strings");
    }
    pairs[count].name = tokenward_text(own);
    pairs[count++].value = text_of(standard);
  }
  d->provider.error_codes.ptr = pairs;
  d->provider.error_codes.len = count;
  return true;
}

static bool routes(driver *d, const json_t *object) {
  static const char *const KINDS[] = { "client", "site", NULL };
  const json_t *values;
  size_t count;
  if (!list(d, object, "routes", &values, &count)) {
    return false;
  }
  tokenward_route *rows = keep(d, count * sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    const json_t *row = json_array_get(values, i);
    int32_t kind;
    if (!required_text(d, row, "method", &rows[i].method) || !required_text(d, row, "path", &rows[i].path) ||
        !choice(d, row, "token", KINDS, -1, &kind)) {
      return false;
    }
    rows[i].of_site = kind == 1;
  }
  if (count > 0) {
    d->provider.routes.table = &tokenward_route_table;
    d->provider.routes.rows.ptr = rows;
    d->provider.routes.rows.len = count;
  }
  return true;
}

static bool missing_lifetime(driver *d, const json_t *object) {
  const json_t *given = member(object, "missing_lifetime");
  tokenward_missing_lifetime *m = &d->provider.missing_lifetime;
  bool has;
  m->kind = TOKENWARD_LIFETIME_TOLD;
  m->seconds = 3600;
  m->expiry = &tokenward_expiry_jwt;
  if (given == NULL) {
    return true;
  }
  if (json_is_string(given) && is(text_of(given), "never")) {
    m->kind = TOKENWARD_LIFETIME_NEVER;
    return true;
  }
  if (json_is_string(given) && is(text_of(given), "refuse")) {
    m->kind = TOKENWARD_LIFETIME_REFUSE;
    return true;
  }
  if (!json_is_object(given)) {
    return fault(d, "no such missing_lifetime");
  }
  if (!optional_integer(d, given, "jwt_expiry_else", &has, &m->seconds)) {
    return false;
  }
  m->kind = has ? TOKENWARD_LIFETIME_TOLD : TOKENWARD_LIFETIME_ASSUME;
  return has || required_integer(d, given, "assume", &m->seconds);
}

/* Divides a token URL into base URL and path. */
static void divide(tokenward_span url, tokenward_span *base_url, tokenward_span *path) {
  size_t at = 0;
  for (size_t i = 0; i + 3 <= url.len && at == 0; i++) {
    at = memcmp(url.ptr + i, "://", 3) == 0 ? i + 3 : 0;
  }
  while (at < url.len && memchr("/?#", url.ptr[at], 3) == NULL) {
    at++;
  }
  *base_url = url;
  if (at < url.len && url.ptr[at] == '/') {
    *base_url = bytes_of(url.ptr, at);
    *path = bytes_of(url.ptr + at, url.len - at);
  }
}

static bool custom_provider(driver *d, const json_t *object) {
  static const char *const AUTHENTICATIONS[] = { "basic", "basic_raw", "post", "bearer", "none", NULL };
  static const tokenward_authentication_part *const AUTHENTICATION_PARTS[] = {
    &tokenward_authentication_basic, &tokenward_authentication_basic_raw, &tokenward_authentication_post,
    &tokenward_authentication_bearer, &tokenward_authentication_none,
  };
  static const char *const BODIES[] = { "form", "json", NULL };
  static const tokenward_body_part *const BODY_PARTS[] = { &tokenward_body_form, &tokenward_body_json };
  static const char *const ALPHABETS[] = { "b64token", "visible", NULL };
  static const char *const ZEROS[] = { "expired", "never", NULL };
  static const char *const EXPOSURES[] = { "server_only", "app_allowed", NULL };
  tokenward_provider *p = &d->provider;
  tokenward_span url;
  int32_t authentication;
  int32_t body;
  memset(p, 0, sizeof *p);
  if (!optional_text(d, object, "name", &p->name) || !optional_text(d, object, "environment", &p->environment) ||
      !optional_text(d, object, "token_url", &url) || !optional_text(d, object, "scope", &p->scope) ||
      !optional_text(d, object, "member_path", &p->nested.member_path) ||
      !optional_text(d, object, "error_path", &p->nested.error_path) ||
      !texts(d, object, "api_origins", &p->api_origins) ||
      !texts(d, object, "token_type_aliases", &p->token_type_aliases) ||
      !choice(d, object, "authentication", AUTHENTICATIONS, 0, &authentication) ||
      !choice(d, object, "body", BODIES, 0, &body) ||
      !choice(d, object, "token_alphabet", ALPHABETS, p->token_alphabet, &p->token_alphabet) ||
      !choice(d, object, "zero_lifetime", ZEROS, p->zero_lifetime, &p->zero_lifetime) ||
      !choice(d, object, "exposure", EXPOSURES, p->exposure, &p->exposure) || !grants(d, object) ||
      !error_codes(d, object) || !routes(d, object) || !missing_lifetime(d, object)) {
    return false;
  }
  if (p->name.ptr == NULL) {
    p->name = bytes_of("", 0);
  }
  divide(url, &p->base_url, &p->token_path);
  for (size_t i = 0; i + 6 <= p->token_path.len; i++) {
    if (memcmp(p->token_path.ptr + i, "{site}", 6) == 0) {
      p->site = &tokenward_site_path;
    }
  }
  if (p->nested.member_path.len > 0 || p->nested.error_path.len > 0) {
    p->nested.reader = &tokenward_nested_paths;
  }
  p->authentication = AUTHENTICATION_PARTS[authentication];
  p->body = BODY_PARTS[body];
  p->any_https_origin = json_is_true(member(object, "any_https_origin"));
  return true;
}

/* A member of the step, else of the scenario; empty where it is in neither. */
static bool own_or(driver *d, const json_t *step, const char *name, tokenward_span *out) {
  return optional_text(d, member(step, name) != NULL ? step : d->scenario, name, out);
}

/* A preset, by what a scenario says of it. */
static bool preset(driver *d, const json_t *step, tokenward_span name) {
  static const struct {
    const char *name;
    const char *member;
    const char *value;
    const tokenward_service *service;
  } PRESETS[] = {
    { "flip_utility", "environment", "sandbox", &tokenward_flip_utility_sandbox },
    { "flip_utility", "environment", "production", &tokenward_flip_utility_production },
    { "flip_utility_api_key", "environment", "sandbox", &tokenward_flip_utility_api_key_sandbox },
    { "flip_utility_api_key", "environment", "production", &tokenward_flip_utility_api_key_production },
    { "flip_energy_client", NULL, NULL, &tokenward_flip_energy_client },
    { "flip_energy_site", "issued_by", "client_token", &tokenward_flip_energy_site },
    { "flip_energy_site", "issued_by", "backend", &tokenward_flip_energy_site_by_backend },
    { "flume", NULL, NULL, &tokenward_flume },
    { "opower", NULL, NULL, &tokenward_opower },
    { "flute", "environment", "sandbox", &tokenward_flute_sandbox },
    { "flute", "environment", "production", &tokenward_flute_production },
  };
  for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; i++) {
    tokenward_span value = bytes_of(NULL, 0);
    if (!is(name, PRESETS[i].name) ||
        (PRESETS[i].member != NULL && !own_or(d, step, PRESETS[i].member, &value))) {
      continue;
    }
    if (PRESETS[i].member == NULL || is(value, PRESETS[i].value)) {
      d->provider = tokenward_provider_of(PRESETS[i].service);
      return true;
    }
  }
  return fault(d, "no preset \"%.*s\" of this kind", (int)name.len, (const char *)name.ptr);
}

static bool make_provider(driver *d, const json_t *step) {
  const json_t *given = member(d->scenario, "provider");
  const tokenward_policy defaults = TOKENWARD_POLICY_DEFAULT;
  tokenward_provider *p = &d->provider;
  tokenward_config *c = &d->config;
  memset(c, 0, sizeof *c);
  if (!own_or(d, step, "base_url", &c->base_url) || !own_or(d, step, "account", &c->account) ||
      !own_or(d, step, "site", &c->site)) {
    return false;
  }
  if (json_is_string(given)) {
    if (!preset(d, step, text_of(given))) {
      return false;
    }
  } else if (json_is_object(given)) {
    if (!custom_provider(d, given) || !own_or(d, step, "environment", &c->environment)) {
      return false;
    }
  } else {
    return fault(d, "`provider` is a preset's name or an object");
  }
  p->loopback_http = json_is_true(member(d->scenario, "allow_loopback_http")) ? &tokenward_loopback_http : NULL;
  d->policy = p->policy != NULL ? *p->policy : defaults;
  d->policy.jitter_permille = 0;
  p->policy = &d->policy;
  if (!policy(d, member(given, "policy")) || !policy(d, member(d->scenario, "policy"))) {
    return false;
  }
  int32_t result = tokenward_describe(p, &c->service);
  return result == TOKENWARD_OK || fault(d, "no provider: %s", tokenward_result_name(result));
}

/* ---- the manager */

static void drop_manager(driver *d) {
  if (d->memory != NULL) {
    tokenward_wipe(d->memory, d->size);
    free(d->memory);
  }
  d->memory = NULL;
  d->manager = NULL;
}

/* Moves the manager to other memory. */
static void move_manager(driver *d) {
  uint64_t *memory = allocate(d->size);
  size_t size = d->size;
  memcpy(memory, d->memory, size);
  drop_manager(d);
  d->memory = memory;
  d->manager = (tokenward_manager *)memory;
}

static bool make_manager(driver *d, const json_t *step, uint64_t at) {
  const json_t *capacity = member(d->scenario, "capacity");
  uint64_t access = 2048;
  uint64_t refresh = 2048;
  bool has;
  if (!make_provider(d, step) || !optional_integer(d, capacity, "access", &has, &access) ||
      !optional_integer(d, capacity, "refresh", &has, &refresh) ||
      !optional_integer(d, d->scenario, "seed", &has, &d->config.seed)) {
    return false;
  }
  d->config.access_capacity = (size_t)access;
  d->config.refresh_capacity = (size_t)refresh;
  d->config.now_ms = at;
  drop_manager(d);
  d->size = TOKENWARD_MANAGER_WORDS(access, refresh) * sizeof(uint64_t);
  d->memory = allocate(d->size);
  int32_t result = tokenward_init(&d->manager, d->memory, d->size, &d->config);
  return result == TOKENWARD_OK || fault(d, "no manager: %s", tokenward_result_name(result));
}

/* ---- steps: each fills `actual`, or gives a refusal */

static json_t *number(uint64_t value) {
  char digits[24];
  if (value <= INT64_MAX) {
    return json_integer((json_int_t)value);
  }
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
  return json_string(digits);
}

static json_t *string_of(tokenward_span span) {
  return json_stringn(span.len > 0 ? (const char *)span.ptr : "", span.len);
}

static const uint64_t *wall_at(const driver *d, uint64_t at, uint64_t *wall) {
  uint64_t since = at > d->epoch ? (at - d->epoch) / 1000 : 0;
  *wall = d->wall > UINT64_MAX - since ? UINT64_MAX : d->wall + since;
  return d->has_wall ? wall : NULL;
}

static int32_t do_poll(driver *d, uint64_t at, json_t *actual) {
  static const char *const NEXT[] = { "nothing", "request", "await", "wait", "reload", "supply" };
  tokenward_poll_result poll;
  int32_t result = tokenward_poll(d->manager, at, &poll);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "next", json_string(NEXT[poll.next]));
    json_object_set_new(actual, "usable", json_boolean(poll.usable));
    json_object_set_new(actual, "poll_at", poll.changes ? number(poll.poll_at_ms) : json_null());
    if (poll.next == TOKENWARD_NEXT_REQUEST) {
      json_object_set_new(actual, "grant", json_string(tokenward_grant_name(poll.grant)));
    }
    if (poll.next == TOKENWARD_NEXT_SUPPLY) {
      json_object_set_new(actual, "reason", json_string(tokenward_reason_name(poll.reason)));
    }
  }
  return result;
}

static void put_header(json_t *headers, const char *name, tokenward_span value) {
  if (value.len > 0) {
    json_array_append_new(headers, json_pack("[so]", name, string_of(value)));
  }
}

static int32_t do_begin(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  const json_t *given = member(step, "credentials");
  tokenward_credentials credentials;
  tokenward_request request;
  tokenward_span name;
  if (given == NULL) {
    given = member(d->scenario, "credentials");
  }
  if (!optional_text(d, given, "client_id", &credentials.client_id) ||
      !optional_text(d, given, "client_secret", &credentials.client_secret) ||
      !optional_text(d, given, "username", &credentials.username) ||
      !optional_text(d, given, "password", &credentials.password) ||
      !optional_text(d, given, "bearer", &credentials.bearer) || !optional_text(d, step, "as", &name)) {
    return TOKENWARD_OK;
  }
  int32_t result = tokenward_begin(d->manager, at, &credentials, d->buffer, BUFFER, &request);
  if (result != TOKENWARD_OK) {
    return result;
  }
  d->last_request = request.id;
  if (member(step, "as") != NULL) {
    json_object_set_new(d->requests, (const char *)name.ptr, number(request.id));
  }
  json_t *headers = json_array();
  put_header(headers, "Authorization", request.authorization);
  put_header(headers, "Content-Type", request.content_type);
  put_header(headers, "Accept", request.accept);
  json_object_set_new(actual, "method", string_of(request.method));
  json_object_set_new(actual, "url", string_of(request.url));
  json_object_set_new(actual, "headers", headers);
  json_object_set_new(actual, "body", string_of(request.body));
  return TOKENWARD_OK;
}

static bool request_of(driver *d, const json_t *step, uint64_t *id) {
  tokenward_span name;
  *id = d->last_request;
  if (member(step, "request") == NULL) {
    return true;
  }
  if (!optional_text(d, step, "request", &name)) {
    return false;
  }
  const json_t *known = json_object_get(d->requests, (const char *)name.ptr);
  *id = NEVER_GIVEN;
  return known == NULL || integer(d, known, "request", id);
}

static bool header_at(driver *d, const json_t *headers, size_t i, tokenward_span *name, tokenward_span *value) {
  const json_t *pair = json_array_get(headers, i);
  const json_t *first = json_array_get(pair, 0);
  const json_t *second = json_array_get(pair, 1);
  if (json_array_size(pair) != 2 || !json_is_string(first) || !json_is_string(second)) {
    return fault(d, "a header field is a pair");
  }
  *name = text_of(first);
  *value = text_of(second);
  return true;
}

static bool body_of_hex(driver *d, tokenward_span hex, tokenward_span *body) {
  static const char DIGITS[] = "0123456789abcdef";
  uint8_t *bytes = keep(d, hex.len / 2);
  for (size_t i = 0; i < hex.len; i++) {
    const char *digit = hex.ptr[i] != 0 ? strchr(DIGITS, hex.ptr[i] | (hex.ptr[i] >= 'A' ? 0x20 : 0)) : NULL;
    if (digit == NULL || hex.len % 2 != 0) {
      return fault(d, "`body_hex` is pairs of hexadecimal digits");
    }
    bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - DIGITS));
  }
  *body = bytes_of(bytes, hex.len / 2);
  return true;
}

static bool answer_of(driver *d, const json_t *step, tokenward_http_answer *answer) {
  const json_t *headers;
  size_t count;
  uint64_t status;
  tokenward_span hex;
  tokenward_span name;
  tokenward_span value;
  bool found = false;
  memset(answer, 0, sizeof *answer);
  if (!required_integer(d, step, "status", &status) || !list(d, step, "headers", &headers, &count) ||
      !optional_text(d, step, "body", &answer->body) || !optional_text(d, step, "body_hex", &hex) ||
      (member(step, "body_hex") != NULL && !body_of_hex(d, hex, &answer->body))) {
    return false;
  }
  if (status > UINT16_MAX) {
    return fault(d, "`status` is a status code");
  }
  answer->status = (uint16_t)status;
  for (size_t i = 0; i < count; i++) {
    if (!header_at(d, headers, i, &name, &value)) {
      return false;
    }
    if (!found && same_name(name, "retry-after")) {
      found = true;
      answer->retry_after = value;
    }
  }
  return true;
}

static int32_t do_answer(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_http_answer answer;
  tokenward_outcome outcome;
  tokenward_token_answer_result read;
  uint64_t id;
  uint64_t wall;
  if (!request_of(d, step, &id) || !answer_of(d, step, &answer)) {
    return TOKENWARD_OK;
  }
  answer.wall_s = wall_at(d, at, &wall);
  int32_t result = tokenward_answer(d->manager, at, id, &answer, &outcome);
  if (result != TOKENWARD_OK) {
    return result;
  }
  if (outcome.kind == TOKENWARD_ANSWER_TOKEN) {
    json_object_set_new(actual, "outcome", json_string("token"));
    json_object_set_new(actual, "generation", number(outcome.generation));
    return TOKENWARD_OK;
  }
  /* The text of the error is the reader's to say. */
  result = tokenward_token_answer(answer.status, answer.body, d->config.service, d->buffer, BUFFER, &read);
  if (result != TOKENWARD_OK || read.kind != TOKENWARD_ANSWER_ERROR || read.code != outcome.code) {
    fault(d, "the reader differs from the manager: %s", tokenward_result_name(result));
    return TOKENWARD_OK;
  }
  json_object_set_new(actual, "outcome", json_string("error"));
  json_object_set_new(actual, "error_code", string_of(read.error));
  return TOKENWARD_OK;
}

static int32_t do_rejected(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  static const char *const RETRY[] = { "?", "now", "after_refresh", "surface" };
  const json_t *headers;
  size_t count;
  size_t len = 0;
  uint64_t generation;
  uint64_t status;
  bool has;
  tokenward_span name;
  tokenward_span value;
  tokenward_retry_result retry;
  tokenward_generation(d->manager, &generation);
  if (!optional_integer(d, step, "generation", &has, &generation) || !required_integer(d, step, "status", &status) ||
      !list(d, step, "headers", &headers, &count)) {
    return TOKENWARD_OK;
  }
  if (status > UINT16_MAX) {
    fault(d, "`status` is a status code");
    return TOKENWARD_OK;
  }
  for (size_t i = 0; i < count; i++) {
    if (!header_at(d, headers, i, &name, &value)) {
      return TOKENWARD_OK;
    }
    if (same_name(name, "www-authenticate") && len + value.len + 2 < BUFFER) {
      memcpy(d->buffer + len, ", ", 2);
      len += len > 0 ? 2 : 0;
      memcpy(d->buffer + len, value.ptr, value.len);
      len += value.len;
    }
  }
  int32_t result =
    tokenward_rejected(d->manager, at, generation, (uint16_t)status, bytes_of(d->buffer, len), &retry);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "retry", json_string(RETRY[retry.kind]));
    if (retry.kind == TOKENWARD_RETRY_SURFACE) {
      json_object_set_new(actual, "reason", json_string(tokenward_reason_name(retry.reason)));
    }
  }
  return result;
}

static int32_t do_authorize(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_span method;
  tokenward_span url;
  tokenward_header header;
  char *value = (char *)d->buffer;
  if (!required_text(d, step, "method", &method) || !required_text(d, step, "url", &url)) {
    return TOKENWARD_OK;
  }
  int32_t result = tokenward_authorize(d->manager, at, method, url, value, BUFFER, &header);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "header", json_stringn(value, header.len));
    json_object_set_new(actual, "generation", number(header.generation));
    if (value[header.len] != '\0') {
      fault(d, "no NUL ends the header");
    }
  }
  return result;
}

static int32_t do_install(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  /* The members of RFC 6749 section 5.1 stand flat, wherever the provider's own answers have them. */
  tokenward_provider flat = d->provider;
  const tokenward_service *service;
  tokenward_token_answer_result read;
  tokenward_token token;
  uint64_t generation;
  const json_t *given = member(step, "token");
  if (given == NULL) {
    fault(d, "`token` is missing");
    return TOKENWARD_OK;
  }
  char *body = json_dumps(given, JSON_COMPACT | JSON_ENCODE_ANY);
  memset(&flat.nested, 0, sizeof flat.nested);
  int32_t result = tokenward_describe(&flat, &service);
  if (result == TOKENWARD_OK) {
    result = tokenward_token_answer(200, tokenward_text(body), service, d->buffer, BUFFER, &read);
  }
  if (result == TOKENWARD_OK && read.kind == TOKENWARD_ANSWER_ERROR) {
    result = TOKENWARD_ERR_INVALID_ACCESS_TOKEN;
  }
  if (result == TOKENWARD_OK) {
    token.access_token = read.access_token;
    token.token_type = read.token_type;
    token.refresh_token = read.refresh_token;
    token.expires_in_s = read.has_expires_in ? &read.expires_in_s : NULL;
    result = tokenward_install(d->manager, at, &token, &generation);
    if (result == TOKENWARD_OK) {
      json_object_set_new(actual, "generation", number(generation));
    }
  } else if (tokenward_failed(d->manager, at, NEVER_GIVEN) != TOKENWARD_ERR_STALE_REQUEST) {
    /* An install that is refused moves the clock too. */
    fault(d, "an id that was never given out is not stale");
  }
  free(body);
  return result;
}

static int32_t scope_of(driver *d, const json_t *step) {
  static const char *const SCOPES[] = { "?", "refresh_token", "all", NULL };
  int32_t scope;
  return choice(d, step, "scope", SCOPES, TOKENWARD_SCOPE_ALL, &scope) ? scope : 0;
}

static int32_t do_snapshot(driver *d, const json_t *step, uint64_t at) {
  uint64_t wall;
  size_t len;
  tokenward_unpersisted_result unpersisted;
  int32_t scope = scope_of(d, step);
  int32_t result = tokenward_snapshot(d->manager, at, wall_at(d, at, &wall), scope, bytes_of(KEY, sizeof KEY),
                                      d->buffer, BUFFER, &len);
  if (result == TOKENWARD_OK && tokenward_unpersisted(d->manager, scope, &unpersisted) == TOKENWARD_OK) {
    d->snapshot = keep(d, len);
    memcpy(d->snapshot, d->buffer, len);
    d->snapshot_len = len;
    d->snapshot_scope = scope;
    d->snapshot_revision = unpersisted.revision;
  }
  return result;
}

static int32_t do_persisted(driver *d) {
  if (d->snapshot == NULL) {
    fault(d, "`persisted` without a snapshot");
    return TOKENWARD_OK;
  }
  return tokenward_persisted(d->manager, d->snapshot_scope, d->snapshot_revision);
}

static int32_t do_restore(driver *d, const json_t *step, uint64_t at) {
  uint64_t wall;
  uint64_t flip = 0;
  uint64_t kept = 0;
  uint64_t floor = 0;
  bool has;
  size_t len = d->snapshot_len;
  if (d->snapshot == NULL) {
    fault(d, "`restore` without a snapshot");
    return TOKENWARD_OK;
  }
  memcpy(d->buffer, d->snapshot, len);
  if (!optional_integer(d, step, "flip", &has, &flip)) {
    return TOKENWARD_OK;
  }
  if (has) {
    d->buffer[flip / 8 % len] ^= (uint8_t)(1 << flip % 8);
  }
  if (!optional_integer(d, step, "cut", &has, &kept)) {
    return TOKENWARD_OK;
  }
  if (has && kept < len) {
    len = (size_t)kept;
  }
  if (!optional_integer(d, step, "floor", &has, &floor)) {
    return TOKENWARD_OK;
  }
  return tokenward_restore(d->manager, at, wall_at(d, at, &wall), floor, bytes_of(KEY, sizeof KEY),
                           bytes_of(d->buffer, len));
}

static int32_t do_restart(driver *d, const json_t *step, uint64_t at) {
  if (!make_manager(d, step, at) || !optional_integer(d, step, "wall", &d->has_wall, &d->wall)) {
    return TOKENWARD_OK;
  }
  d->epoch = at;
  json_object_clear(d->requests);
  d->last_request = NEVER_GIVEN;
  if (json_is_false(json_object_get(step, "restore")) || d->snapshot == NULL) {
    return TOKENWARD_OK;
  }
  return do_restore(d, step, at);
}

static int32_t do_step(driver *d, const json_t *step, tokenward_span action, uint64_t at, json_t *actual) {
  uint64_t id;
  if (is(action, "poll")) {
    return do_poll(d, at, actual);
  }
  if (is(action, "begin")) {
    return do_begin(d, step, at, actual);
  }
  if (is(action, "answer")) {
    return do_answer(d, step, at, actual);
  }
  if (is(action, "failed")) {
    return request_of(d, step, &id) ? tokenward_failed(d->manager, at, id) : TOKENWARD_OK;
  }
  if (is(action, "rejected")) {
    return do_rejected(d, step, at, actual);
  }
  if (is(action, "authorize")) {
    return do_authorize(d, step, at, actual);
  }
  if (is(action, "install")) {
    return do_install(d, step, at, actual);
  }
  if (is(action, "snapshot")) {
    return do_snapshot(d, step, at);
  }
  if (is(action, "persisted")) {
    return do_persisted(d);
  }
  if (is(action, "reloaded")) {
    return tokenward_reloaded(d->manager);
  }
  if (is(action, "retry")) {
    return tokenward_retry(d->manager);
  }
  if (is(action, "renew")) {
    return tokenward_renew(d->manager);
  }
  if (is(action, "clear")) {
    return tokenward_clear(d->manager);
  }
  if (is(action, "restore")) {
    return do_restore(d, step, at);
  }
  if (is(action, "restart")) {
    return do_restart(d, step, at);
  }
  fault(d, "nothing is called \"%.*s\"", (int)action.len, (const char *)action.ptr);
  return TOKENWARD_OK;
}

/* ---- expectations */

/* Integers beyond 2^53 stand as strings in a scenario. */
static bool same_value(const json_t *found, const json_t *expected) {
  char digits[24];
  if (json_is_integer(found) && json_is_string(expected)) {
    snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(found));
    return is(text_of(expected), digits);
  }
  return json_equal(found, expected);
}

/* All that are listed must be there, in any order; names compare without case. */
static bool has_headers(const json_t *found, const json_t *expected) {
  size_t i;
  size_t j;
  json_t *wanted;
  json_t *given;
  json_array_foreach(expected, i, wanted) {
    bool there = false;
    json_array_foreach(found, j, given) {
      const char *name = json_string_value(json_array_get(wanted, 0));
      tokenward_span lower = text_of(json_array_get(given, 0));
      char folded[64] = "";
      for (size_t k = 0; name != NULL && name[k] != '\0' && k + 1 < sizeof folded; k++) {
        folded[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] | 0x20 : name[k]);
      }
      there |= same_name(lower, folded) && json_equal(json_array_get(wanted, 1), json_array_get(given, 1));
    }
    if (!there) {
      return false;
    }
  }
  return json_is_array(expected);
}

static json_t *parsed(const json_t *value) {
  if (!json_is_string(value)) {
    return json_deep_copy(value);
  }
  return json_loadb(json_string_value(value), json_string_length(value), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* JSON bodies compare as values. */
static bool same_body(const json_t *found, const json_t *expected) {
  if (json_equal(found, expected)) {
    return true;
  }
  json_t *a = parsed(found);
  json_t *b = parsed(expected);
  bool same = a != NULL && b != NULL && json_equal(a, b);
  json_decref(a);
  json_decref(b);
  return same;
}

static bool compare(driver *d, const json_t *expect, const json_t *actual, int32_t result) {
  const json_t *refused = member(expect, "error");
  const char *name;
  json_t *expected;
  if (result != TOKENWARD_OK) {
    if (refused == NULL || !(json_is_true(refused) || (json_is_string(refused) &&
                                                       is(text_of(refused), tokenward_result_name(result))))) {
      const char *wanted = json_is_string(refused) ? json_string_value(refused) : "success";
      return fault(d, "refused as %s, expected %s", tokenward_result_name(result), wanted);
    }
  } else if (refused != NULL) {
    const char *wanted = json_is_string(refused) ? json_string_value(refused) : "any";
    return fault(d, "succeeded, expected the refusal %s", wanted);
  }
  json_object_foreach((json_t *)expect, name, expected) {
    json_t *nothing = json_null();
    const json_t *found = json_object_get(actual, name);
    found = found != NULL ? found : nothing;
    bool same = strcmp(name, "error") == 0     ? true
                : strcmp(name, "headers") == 0 ? has_headers(found, expected)
                : strcmp(name, "body") == 0    ? same_body(found, expected)
                                               : same_value(found, expected);
    if (!same) {
      char *is_text = json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
      char *expected_text = json_dumps(expected, JSON_COMPACT | JSON_ENCODE_ANY);
      fault(d, "%s is %s, expected %s", name, is_text, expected_text);
      free(is_text);
      free(expected_text);
      return false;
    }
  }
  return true;
}

static bool run_step(driver *d, const json_t *step) {
  static const struct {
    int32_t scope;
    const char *name;
  } SCOPES[] = { { TOKENWARD_SCOPE_ALL, "unpersisted" },
                 { TOKENWARD_SCOPE_REFRESH_TOKEN, "unpersisted_refresh_token" } };
  tokenward_span action;
  uint64_t at;
  if (!json_is_object(step)) {
    return fault(d, "a step is an object");
  }
  if (!required_integer(d, step, "at", &at) || !required_text(d, step, "do", &action)) {
    return false;
  }
  json_t *actual = json_object();
  move_manager(d);
  int32_t result = do_step(d, step, action, at, actual);
  for (size_t i = 0; d->fault[0] == '\0' && i < sizeof SCOPES / sizeof *SCOPES; i++) {
    tokenward_unpersisted_result unpersisted;
    int32_t asked = tokenward_unpersisted(d->manager, SCOPES[i].scope, &unpersisted);
    if (asked != TOKENWARD_OK) {
      fault(d, "unpersisted: %s", tokenward_result_name(asked));
    }
    json_object_set_new(actual, SCOPES[i].name, json_boolean(unpersisted.due));
  }
  bool ok = d->fault[0] == '\0' && compare(d, member(step, "expect"), actual, result);
  json_decref(actual);
  return ok;
}

static void run(driver *d) {
  const json_t *steps;
  size_t count;
  if (!json_is_object(d->scenario)) {
    fault(d, "a scenario is an object");
    return;
  }
  if (!list(d, d->scenario, "steps", &steps, &count) || !optional_integer(d, d->scenario, "wall", &d->has_wall, &d->wall) ||
      !make_manager(d, NULL, 0)) {
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const json_t *step = json_array_get(steps, i);
    if (!run_step(d, step)) {
      char why[sizeof d->fault];
      const char *action = json_string_value(json_object_get(step, "do"));
      memcpy(why, d->fault, sizeof why);
      d->fault[0] = '\0';
      fault(d, "step %lu (%s): %.4000s", (unsigned long)i, action != NULL ? action : "?", why);
      return;
    }
  }
}

/* Prints the line of one file; true where it does not differ. */
static bool replay(const char *file) {
  driver d;
  json_error_t error;
  memset(&d, 0, sizeof d);
  json_t *scenario = json_load_file(file, JSON_ALLOW_NUL, &error);
  d.scenario = scenario;
  d.requests = json_object();
  d.last_request = NEVER_GIVEN;
  d.buffer = allocate(BUFFER);
  if (scenario == NULL) {
    fault(&d, "%s", error.text);
  } else {
    run(&d);
  }
  bool ok = d.fault[0] == '\0';
  json_t *line = json_pack("{s:s, s:b, s:s?}", "file", file, "ok", ok, "difference", ok ? NULL : d.fault);
  char *text = json_dumps(line, JSON_COMPACT);
  puts(text != NULL ? text : "{}");
  free(text);
  json_decref(line);
  drop_manager(&d);
  json_decref(d.requests);
  json_decref(scenario);
  free(d.buffer);
  while (d.chunks != NULL) {
    chunk *next = d.chunks->next;
    free(d.chunks);
    d.chunks = next;
  }
  return ok;
}

int main(int argc, char **argv) {
  int differ = argc < 2;
  for (int i = 1; i < argc; i++) {
    differ |= !replay(argv[i]);
  }
  return differ;
}
