/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Executes scenarios through tokenward.h alone.
 *
 * Reads scenarios from the standard input and prints a line for each: an array with what came of each step. Whoever
 * reads it compares (docs/SCENARIOS.md). What is no scenario ends the program. The manager is moved to other memory
 * before every step, and the memory that it leaves is wiped: nothing in it may point into it. */

#include <ctype.h>
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

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2), noreturn))
#endif
static void end(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("scenarios: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs("\n", stderr);
  va_end(arguments);
  exit(2);
}

static void must(int32_t result, const char *what) {
  if (result != TOKENWARD_OK) {
    end("%s: %s", what, tokenward_result_name(result));
  }
}

/* ---- memory for one scenario */

typedef struct chunk {
  struct chunk *next;
  /* What follows is the memory. */
  uint64_t words[1];
} chunk;

/* What is in the places of storage. Bytes that are there are never changed, others take their place. */
typedef struct slots {
  tokenward_span slots[TOKENWARD_STORAGE_SLOTS];
} slots;

/* A manager, and what is in the hands of the process that it lives in. */
typedef struct hand {
  struct hand *next;
  const char *name;
  tokenward_manager *manager;
  uint64_t *memory;
  size_t size;

  /* Unix seconds at `epoch` milliseconds. */
  bool has_wall;
  uint64_t wall;
  uint64_t epoch;

  json_t *requests;
  uint64_t last_request;

  /* What poll last said of a load, a store and a supply. */
  uint64_t load;
  uint64_t store;
  uint64_t supply;
  uint8_t slot;
  /* The slots as they were read. */
  bool has_read;
  slots read;

  tokenward_sign_in sign_in;
  /* The callback that brought a code. */
  tokenward_span callback;

  tokenward_device *device;
  json_t *device_requests;
  uint64_t last_device_request;
} hand;

/* The manager that is made at 0. */
static const char FIRST[] = "a";

typedef struct driver {
  const json_t *scenario;
  chunk *chunks;

  /* Of the manager that was made last. */
  tokenward_provider *provider;
  /* The service, and whose token it is. */
  tokenward_config config;
  /* The managers that share the storage, and the one whose turn it is. */
  hand *hands;
  hand *hand;
  uint64_t made;

  slots storage;
  size_t storage_slots;
  /* What is stored of a sign-in. */
  tokenward_span sign_in;

  uint8_t *buffer;
} driver;

static void *allocate(size_t size) {
  void *memory = calloc(1, size > 0 ? size : 1);
  if (memory == NULL) {
    end("out of memory");
  }
  return memory;
}

static void *keep(driver *d, size_t size) {
  chunk *kept = allocate(sizeof(chunk) + size);
  kept->next = d->chunks;
  d->chunks = kept;
  return kept->words;
}

/* ---- members of JSON objects */

static tokenward_span bytes_of(const void *bytes, size_t len) {
  tokenward_span span = { bytes, len };
  return span;
}

static tokenward_span text_of(const json_t *string) {
  return bytes_of(json_string_value(string), json_string_length(string));
}

static bool has(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return value != NULL && !json_is_null(value);
}

/* A string member; empty where it is absent. */
static tokenward_span text(const json_t *object, const char *name) {
  return text_of(json_object_get(object, name));
}

static bool is(tokenward_span span, const char *text) {
  return span.len == strlen(text) && (span.len == 0 || memcmp(span.ptr, text, span.len) == 0);
}

static bool same_name(tokenward_span span, const char *name) {
  size_t i = 0;
  while (i < span.len && name[i] != '\0' && tolower(span.ptr[i]) == name[i]) {
    i++;
  }
  return i == span.len && name[i] == '\0';
}

/* A whole number, or a string of one beyond 2^53; `otherwise` where it is absent. */
static uint64_t integer(const json_t *object, const char *name, uint64_t otherwise) {
  const json_t *value = json_object_get(object, name);
  return !has(object, name)      ? otherwise
         : json_is_string(value) ? strtoull(json_string_value(value), NULL, 10)
                                 : (uint64_t)json_integer_value(value);
}

/* The place of a member's word among `names`; `otherwise` where it is absent. */
static int32_t choice(const json_t *object, const char *name, const char *const *names, int32_t otherwise) {
  if (!has(object, name)) {
    return otherwise;
  }
  for (int32_t i = 0; names[i] != NULL; i++) {
    if (is(text(object, name), names[i])) {
      return i;
    }
  }
  end("no %s is called %s", name, json_string_value(json_object_get(object, name)));
}

/* ---- the provider */

static tokenward_text_list texts(driver *d, const json_t *object, const char *name) {
  const json_t *values = json_object_get(object, name);
  size_t count = json_array_size(values);
  tokenward_span *spans = keep(d, count * sizeof *spans);
  for (size_t i = 0; i < count; i++) {
    spans[i] = text_of(json_array_get(values, i));
  }
  tokenward_text_list list = { spans, count };
  return list;
}

static void policy(tokenward_policy *p, const json_t *object) {
  p->margin_ms = integer(object, "margin_ms", p->margin_ms);
  p->min_interval_ms = integer(object, "min_interval_ms", p->min_interval_ms);
  p->startup_spread_ms = integer(object, "startup_spread_ms", p->startup_spread_ms);
  p->response_timeout_ms = integer(object, "response_timeout_ms", p->response_timeout_ms);
  p->first_backoff_ms = integer(object, "first_backoff_ms", p->first_backoff_ms);
  p->max_backoff_ms = integer(object, "max_backoff_ms", p->max_backoff_ms);
  p->max_lifetime_s = integer(object, "max_lifetime_s", p->max_lifetime_s);
  p->fraction_permille = (uint32_t)integer(object, "fraction_permille", p->fraction_permille);
  p->jitter_permille = (uint32_t)integer(object, "jitter_permille", p->jitter_permille);
  p->refresh_attempts = (uint32_t)integer(object, "refresh_attempts", p->refresh_attempts);
  if (has(object, "recheck")) {
    p->recheck = json_is_true(json_object_get(object, "recheck"));
  }
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

static tokenward_pair_list pairs(driver *d, json_t *object) {
  tokenward_pair *list = keep(d, json_object_size(object) * sizeof *list);
  tokenward_pair_list pairs = { list, 0 };
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) {
    list[pairs.len].name = tokenward_text(name);
    list[pairs.len++].value = text_of(value);
  }
  return pairs;
}

/* A provider object; what it leaves out has the default of a custom provider. */
/* Names and values: a list of lists of two texts. */
static tokenward_pair_list listed(driver *d, const json_t *list) {
  tokenward_pair_list all = { NULL, json_array_size(list) };
  tokenward_pair *pairs = keep(d, all.len * sizeof *pairs);
  for (size_t i = 0; i < all.len; i++) {
    pairs[i].name = text_of(json_array_get(json_array_get(list, i), 0));
    pairs[i].value = text_of(json_array_get(json_array_get(list, i), 1));
  }
  all.ptr = pairs;
  return all;
}

/* What departs from RFC 6749 in the requests. */
static const tokenward_requests *requests_of(driver *d, const json_t *object) {
  static const char *const TARGETS[] = { "token", "primary", "refresh", "authorization", "device", "code", "revocation", NULL };
  tokenward_requests *told = keep(d, sizeof *told);
  memset(told, 0, sizeof *told);
  told->writer = &tokenward_request_own;
  told->refresh_path = text(object, "refresh_path");
  told->extension_grant = text(object, "extension_grant");
  told->names = pairs(d, json_object_get(object, "request_names"));
  told->headers = listed(d, json_object_get(object, "headers"));
  told->scope_on_refresh = json_is_true(json_object_get(object, "scope_on_refresh"));
  const json_t *list = json_object_get(object, "parameters");
  size_t count = json_array_size(list);
  tokenward_parameter *parameters = keep(d, count * sizeof *parameters);
  for (size_t i = 0; i < count; i++) {
    const json_t *parameter = json_array_get(list, i);
    parameters[i].name = text(parameter, "name");
    parameters[i].value = text(parameter, "value");
    parameters[i].target = choice(parameter, "on", TARGETS, TOKENWARD_TARGET_TOKEN);
  }
  told->parameters.ptr = parameters;
  told->parameters.len = count;
  bool is_own = count + told->names.len + told->headers.len + told->refresh_path.len + told->extension_grant.len > 0;
  return is_own || told->scope_on_refresh ? told : NULL;
}

/* The field that carries tokens, and the statuses that mean what 401 means. */
static void api_of(driver *d, const json_t *object, tokenward_provider *p) {
  const json_t *given = json_object_get(object, "header");
  if (given != NULL) {
    tokenward_token_header *header = keep(d, sizeof *header);
    header->name = has(given, "name") ? text(given, "name") : tokenward_text("Authorization");
    header->scheme = has(given, "scheme") ? text(given, "scheme") : tokenward_text("Bearer");
    p->header = header;
  }
  const json_t *list = json_object_get(object, "expired_status");
  size_t count = json_array_size(list);
  uint16_t *statuses = keep(d, count * sizeof *statuses);
  for (size_t i = 0; i < count; i++) {
    statuses[i] = (uint16_t)json_integer_value(json_array_get(list, i));
  }
  p->expired_status.ptr = statuses;
  p->expired_status.len = count;
}

static void custom_provider(driver *d, const json_t *object) {
  static const char *const AUTHENTICATIONS[] = { "basic", "basic_raw", "post", "bearer", "none", "basic_id", "nobody",
                                                 "client_secret_jwt", "private_key_jwt", NULL };
  static const tokenward_authentication_part *const AUTHENTICATION_PARTS[] = {
    &tokenward_authentication_basic, &tokenward_authentication_basic_raw, &tokenward_authentication_post,
    &tokenward_authentication_bearer, &tokenward_authentication_none, &tokenward_authentication_basic_id,
    &tokenward_authentication_nobody, &tokenward_authentication_client_secret_jwt,
    &tokenward_authentication_private_key_jwt,
  };
  static const char *const BODIES[] = { "form", "json", NULL };
  static const tokenward_body_part *const BODY_PARTS[] = { &tokenward_body_form, &tokenward_body_json };
  static const char *const ANSWERS[] = { "json", "form", NULL };
  static const char *const ALPHABETS[] = { "b64token", "visible", NULL };
  static const char *const ZEROS[] = { "expired", "never", NULL };
  static const char *const EXPOSURES[] = { "server_only", "app_allowed", NULL };
  static const char *const KINDS[] = { "client", "site", NULL };
  tokenward_provider *p = d->provider;
  p->name = has(object, "name") ? text(object, "name") : bytes_of("", 0);
  p->environment = text(object, "environment");
  divide(text(object, "token_url"), &p->base_url, &p->token_path);
  for (size_t i = 0; i + 6 <= p->token_path.len; i++) {
    if (memcmp(p->token_path.ptr + i, "{site}", 6) == 0) {
      p->site = &tokenward_site_path;
    }
  }
  p->scope = text(object, "scope");
  p->nested.member_path = text(object, "member_path");
  p->nested.error_path = text(object, "error_path");
  if (p->nested.member_path.len > 0 || p->nested.error_path.len > 0) {
    p->nested.reader = &tokenward_nested_paths;
  }
  p->api_origins = texts(d, object, "api_origins");
  p->any_https_origin = json_is_true(json_object_get(object, "any_https_origin"));
  p->token_type_aliases = texts(d, object, "token_type_aliases");
  p->authorization_url = text(object, "authorization_url");
  p->device_path = text(object, "device_path");
  p->device_pkce = json_is_true(json_object_get(object, "device_pkce")) ? &tokenward_pkce_s256 : NULL;
  p->revocation_path = text(object, "revocation_path");
  p->issuer = text(object, "issuer");
  p->authentication = AUTHENTICATION_PARTS[choice(object, "authentication", AUTHENTICATIONS, 0)];
  p->body = BODY_PARTS[choice(object, "body", BODIES, 0)];
  p->answer = choice(object, "answer", ANSWERS, 0) ? &tokenward_answer_form : NULL;
  p->token_alphabet = choice(object, "token_alphabet", ALPHABETS, p->token_alphabet);
  p->zero_lifetime = choice(object, "zero_lifetime", ZEROS, p->zero_lifetime);
  p->exposure = choice(object, "exposure", EXPOSURES, p->exposure);

  tokenward_text_list names = texts(d, object, "grants");
  for (size_t i = 0; i < names.len; i++) {
    tokenward_grant grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS;
    while (!is(names.ptr[i], tokenward_grant_name(grant))) {
      if (grant++ == TOKENWARD_GRANT_EXTENSION) {
        end("no grant is called %.*s", (int)names.ptr[i].len, (const char *)names.ptr[i].ptr);
      }
    }
    if (grant == TOKENWARD_GRANT_REFRESH_TOKEN) {
      p->refresh_grant = true;
    } else if (p->primary_grant == TOKENWARD_GRANT_NONE) {
      p->primary_grant = grant;
    }
  }

  p->error_codes = pairs(d, json_object_get(object, "error_codes"));
  p->members.names = pairs(d, json_object_get(object, "members"));
  p->members.expires_at = text(json_object_get(object, "expires_at"), "member");
  p->members.expires_at_in_ms = is(text(json_object_get(object, "expires_at"), "unit"), "ms");
  p->members.refresh_expires_in = texts(d, object, "refresh_expires_in");
  p->refresh_life.idle_s = integer(object, "refresh_idle_s", 0);
  if (has(object, "refresh_expires_in") || p->refresh_life.idle_s > 0) {
    p->refresh_life.rules = &tokenward_refresh_life_ends;
  }
  if (p->members.names.len > 0 || p->members.expires_at.len > 0 || p->members.refresh_expires_in.len > 0) {
    p->members.reader = &tokenward_member_names;
  }

  p->requests = requests_of(d, object);
  api_of(d, object, p);

  const json_t *rows = json_object_get(object, "routes");
  size_t count = json_array_size(rows);
  tokenward_route *routes = keep(d, count * sizeof *routes);
  for (size_t i = 0; i < count; i++) {
    const json_t *row = json_array_get(rows, i);
    routes[i].method = text(row, "method");
    routes[i].path = text(row, "path");
    routes[i].of_site = choice(row, "token", KINDS, -1) == 1;
  }
  if (count > 0) {
    p->routes.table = &tokenward_route_table;
    p->routes.rows.ptr = routes;
    p->routes.rows.len = count;
  }

  const json_t *missing = json_object_get(object, "missing_lifetime");
  tokenward_missing_lifetime *m = &p->missing_lifetime;
  m->kind = TOKENWARD_LIFETIME_TOLD;
  m->seconds = 3600;
  m->expiry = &tokenward_expiry_jwt;
  if (json_is_string(missing)) {
    m->kind = is(text_of(missing), "never") ? TOKENWARD_LIFETIME_NEVER : TOKENWARD_LIFETIME_REFUSE;
  } else if (has(missing, "jwt_expiry_else")) {
    m->seconds = integer(missing, "jwt_expiry_else", 0);
  } else if (has(missing, "assume")) {
    m->kind = TOKENWARD_LIFETIME_ASSUME;
    m->seconds = integer(missing, "assume", 0);
  }
}

/* A member of the step, else of the scenario. */
static tokenward_span own_or(driver *d, const json_t *step, const char *name) {
  return text(has(step, name) ? step : d->scenario, name);
}

/* A preset, by what a scenario says of it. */
static const tokenward_service *preset(driver *d, const json_t *step, tokenward_span name) {
  bool production = is(own_or(d, step, "environment"), "production");
  bool backend = is(own_or(d, step, "issued_by"), "backend");
  const struct {
    const char *name;
    const tokenward_service *service;
  } presets[] = {
    { "flip_utility", production ? &tokenward_flip_utility_production : &tokenward_flip_utility_sandbox },
    { "flip_utility_api_key",
      production ? &tokenward_flip_utility_api_key_production : &tokenward_flip_utility_api_key_sandbox },
    { "flip_energy_client", &tokenward_flip_energy_client },
    { "flip_energy_site", backend ? &tokenward_flip_energy_site_by_backend : &tokenward_flip_energy_site },
    { "flume", &tokenward_flume },
    { "opower", &tokenward_opower },
    { "flute", production ? &tokenward_flute_production : &tokenward_flute_sandbox },
  };
  for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
    if (is(name, presets[i].name)) {
      return presets[i].service;
    }
  }
  end("no preset is called %.*s", (int)name.len, (const char *)name.ptr);
}

/* The service, and whose token it is. */
static void make_provider(driver *d, const json_t *step) {
  const json_t *given = json_object_get(d->scenario, "provider");
  const tokenward_policy defaults = TOKENWARD_POLICY_DEFAULT;
  /* Other managers keep theirs. */
  tokenward_provider *p = d->provider = keep(d, sizeof *p);
  tokenward_policy *numbers = keep(d, sizeof *numbers);
  tokenward_config *c = &d->config;
  memset(c, 0, sizeof *c);
  if (json_is_string(given)) {
    *p = tokenward_provider_of(preset(d, step, text_of(given)));
  } else {
    custom_provider(d, given);
    c->environment = own_or(d, step, "environment");
  }
  c->base_url = own_or(d, step, "base_url");
  c->account = own_or(d, step, "account");
  c->site = own_or(d, step, "site");
  p->loopback_http =
      json_is_true(json_object_get(d->scenario, "allow_loopback_http")) ? &tokenward_loopback_http : NULL;
  *numbers = p->policy != NULL ? *p->policy : defaults;
  numbers->jitter_permille = 0;
  p->policy = numbers;
  policy(numbers, json_object_get(given, "policy"));
  policy(numbers, json_object_get(d->scenario, "policy"));
  must(tokenward_describe(p, &c->service), "no provider");
}

/* ---- the manager */

static void drop_manager(hand *h) {
  if (h->memory != NULL) {
    tokenward_wipe(h->memory, h->size);
    free(h->memory);
  }
  h->memory = NULL;
  h->manager = NULL;
}

/* Moves the manager to other memory. */
static void move_manager(hand *h) {
  uint64_t *memory = allocate(h->size);
  size_t size = h->size;
  memcpy(memory, h->memory, size);
  drop_manager(h);
  h->memory = memory;
  h->manager = (tokenward_manager *)memory;
}

/* What the managers have beside their slots. */
static void make_options(driver *d, const json_t *step) {
  static const char *const KINDS[] = { "own", "shared", NULL };
  static const tokenward_storage_part *const PARTS[] = { &tokenward_storage_own, &tokenward_storage_shared };
  static const char *const STORED[] = { "refresh_token", "all", NULL };
  static const char *const SOURCES[] = { "none", "person", "program", NULL };
  const json_t *given = json_object_get(d->scenario, "storage");
  tokenward_config *c = &d->config;
  c->source = choice(d->scenario, "source", SOURCES, TOKENWARD_SOURCE_NONE);
  if (!has(d->scenario, "storage")) {
    return;
  }
  c->storage.kind = PARTS[choice(given, "kind", KINDS, 0)];
  c->storage.floor = integer(step, "floor", integer(given, "floor", 0));
  if (has(given, "stored")) {
    c->storage.stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN + choice(given, "stored", STORED, 0);
  }
  d->storage_slots = (size_t)integer(given, "slots", 1);
  c->storage.slots = (uint8_t)d->storage_slots;
  c->storage.prove_room = json_is_true(json_object_get(given, "prove_room"));
}

/* The manager of this name. */
static hand *hand_of(const driver *d, const json_t *step) {
  for (hand *h = d->hands; h != NULL; h = h->next) {
    if (has(step, "manager") ? is(text(step, "manager"), h->name) : strcmp(h->name, FIRST) == 0) {
      return h;
    }
  }
  return NULL;
}

/* A manager in the hand of this name, which has nothing else yet. */
static void make_manager(driver *d, const json_t *step, uint64_t at, uint64_t seed) {
  const json_t *capacity = json_object_get(has(step, "capacity") ? step : d->scenario, "capacity");
  size_t access = (size_t)integer(capacity, "access", 2048);
  size_t refresh = (size_t)integer(capacity, "refresh", 2048);
  hand *h = hand_of(d, step);
  if (h == NULL) {
    h = allocate(sizeof *h);
    h->name = has(step, "manager") ? json_string_value(json_object_get(step, "manager")) : FIRST;
    h->next = d->hands;
    d->hands = h;
  } else {
    drop_manager(h);
    json_decref(h->requests);
    json_decref(h->device_requests);
    *h = (hand){ .next = h->next, .name = h->name };
  }
  d->hand = h;
  h->requests = json_object();
  h->device_requests = json_object();
  h->last_request = NEVER_GIVEN;
  size_t device_words =
    TOKENWARD_DEVICE_WORDS((size_t)integer(json_object_get(d->scenario, "capacity"), "device", 1024));
  must(tokenward_device_init(&h->device, keep(d, device_words * 8), device_words * 8), "no device");
  h->has_wall = has(step, "wall");
  h->wall = integer(step, "wall", 0);
  h->epoch = at;
  make_provider(d, step);
  make_options(d, step);
  d->config.access_capacity = access;
  d->config.refresh_capacity = refresh;
  d->config.seed = seed;
  d->config.now_ms = at;
  h->size = TOKENWARD_MANAGER_WORDS(access, refresh) * sizeof(uint64_t);
  h->memory = allocate(h->size);
  must(tokenward_init(&h->manager, h->memory, h->size, &d->config), "no manager");
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

/* An instant, null where it never comes. */
static json_t *instant(uint64_t at) {
  return at == TOKENWARD_NEVER ? json_null() : number(at);
}

static json_t *string_of(tokenward_span span) {
  return json_stringn(span.len > 0 ? (const char *)span.ptr : "", span.len);
}

static const uint64_t *wall_at(const driver *d, uint64_t at, uint64_t *wall) {
  const hand *h = d->hand;
  uint64_t since = at > h->epoch ? (at - h->epoch) / 1000 : 0;
  *wall = h->wall > UINT64_MAX - since ? UINT64_MAX : h->wall + since;
  return h->has_wall ? wall : NULL;
}

static int32_t do_poll(driver *d, uint64_t at, json_t *actual) {
  tokenward_poll_result poll;
  int32_t result = tokenward_poll(d->hand->manager, at, &poll);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "next", json_string(tokenward_next_name(poll.next)));
    json_object_set_new(actual, "usable", json_boolean(poll.usable));
    json_object_set_new(actual, "poll_at", poll.changes ? number(poll.poll_at_ms) : json_null());
    uint64_t by;
    must(tokenward_sign_in_by(d->hand->manager, &by), "no manager");
    json_object_set_new(actual, "sign_in_by", by != TOKENWARD_NEVER ? number(by) : json_null());
    if (poll.next == TOKENWARD_NEXT_REQUEST) {
      json_object_set_new(actual, "grant", json_string(tokenward_grant_name(poll.grant)));
    }
    if (poll.next == TOKENWARD_NEXT_SUPPLY) {
      d->hand->supply = poll.id;
      json_object_set_new(actual, "reason", json_string(tokenward_reason_name(poll.reason)));
    }
    if (poll.next == TOKENWARD_NEXT_LOAD) {
      d->hand->load = poll.id;
    }
    if (poll.next == TOKENWARD_NEXT_STORE) {
      d->hand->store = poll.id;
      d->hand->slot = poll.slot;
      json_object_set_new(actual, "slot", number(poll.slot));
    }
  }
  return result;
}

static void put_header(json_t *headers, const char *name, tokenward_span value) {
  if (value.len > 0) {
    json_array_append_new(headers, json_pack("[so]", name, string_of(value)));
  }
}

/* Lines of `name: value`, each ended by CR and LF. */
static void put_fields(json_t *headers, tokenward_span lines) {
  const char *at = (const char *)lines.ptr;
  const char *end = lines.len > 0 ? at + lines.len : at;
  while (at < end) {
    const char *colon = strstr(at, ": ");
    const char *line_end = strstr(at, "\r\n");
    json_t *pair = json_array();
    json_array_append_new(pair, json_stringn(at, (size_t)(colon - at)));
    json_array_append_new(pair, json_stringn(colon + 2, (size_t)(line_end - colon - 2)));
    json_array_append_new(headers, pair);
    at = line_end + 2;
  }
}

static void bytes_of_hex(tokenward_span hex, uint8_t *out, size_t count) {
  for (size_t i = 0; i < count && 2 * i + 1 < hex.len; i++) {
    unsigned byte = 0;
    sscanf((const char *)hex.ptr + 2 * i, "%2x", &byte);
    out[i] = (uint8_t)byte;
  }
}

static const tokenward_algorithm_part *algorithm_of(tokenward_span name) {
  static const struct { const char *name; const tokenward_algorithm_part *part; } ALL[] = {
    { "ES256", &tokenward_algorithm_es256 },
    { "RS256", &tokenward_algorithm_rs256 },
    { "PS256", &tokenward_algorithm_ps256 },
    { "EdDSA", &tokenward_algorithm_eddsa },
  };
  for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
    if (is(name, ALL[i].name)) {
      return ALL[i].part;
    }
  }
  must(TOKENWARD_ERR_OUT_OF_RANGE, "no such algorithm");
  return NULL;
}

static tokenward_credentials credentials_of(const driver *d, const json_t *step) {
  const json_t *given = json_object_get(has(step, "credentials") ? step : d->scenario, "credentials");
  tokenward_credentials credentials;
  credentials.client_id = text(given, "client_id");
  credentials.client_secret = text(given, "client_secret");
  credentials.username = text(given, "username");
  credentials.password = text(given, "password");
  credentials.bearer = text(given, "bearer");
  credentials.assertion = NULL;
  const json_t *made_of = json_object_get(given, "assertion");
  if (made_of != NULL) {
    static tokenward_assertion assertion;
    bytes_of_hex(text(made_of, "random_hex"), assertion.random, sizeof assertion.random);
    assertion.wall_s = integer(made_of, "wall", 0);
    assertion.key_id = text(made_of, "key_id");
    assertion.certificate_thumbprint = text(made_of, "certificate_thumbprint");
    assertion.algorithm = has(made_of, "algorithm") ? algorithm_of(text(made_of, "algorithm")) : NULL;
    static uint8_t signature[1024];
    tokenward_span hex = text(made_of, "signature_hex");
    bytes_of_hex(hex, signature, sizeof signature);
    assertion.signature = bytes_of(signature, hex.len / 2);
    credentials.assertion = &assertion;
  }
  return credentials;
}

static void put_request(json_t *actual, const tokenward_request *request) {
  json_t *headers = json_array();
  put_header(headers, "Authorization", request->authorization);
  put_header(headers, "Content-Type", request->content_type);
  put_header(headers, "Accept", request->accept);
  put_header(headers, "Accept-Encoding", request->accept_encoding);
  put_fields(headers, request->fields);
  json_object_set_new(actual, "method", string_of(request->method));
  json_object_set_new(actual, "url", string_of(request->url));
  json_object_set_new(actual, "headers", headers);
  json_object_set_new(actual, "body", string_of(request->body));
}

/* What the caller adds to a request. */
static tokenward_pair_list added(driver *d, const json_t *step, const char *what) {
  return listed(d, json_object_get(json_object_get(has(step, "additions") ? step : d->scenario, "additions"), what));
}

static int32_t do_begin(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  tokenward_request request;
  int32_t result;
  if (has(step, "additions") || has(d->scenario, "additions")) {
    tokenward_additions additions;
    additions.values = added(d, step, "values");
    additions.parameters = added(d, step, "parameters");
    result = tokenward_begin_with(d->hand->manager, at, &credentials, &additions, d->buffer, BUFFER, &request);
  } else {
    result = tokenward_begin(d->hand->manager, at, &credentials, d->buffer, BUFFER, &request);
  }
  if (result != TOKENWARD_OK) {
    return result;
  }
  d->hand->last_request = request.id;
  if (has(step, "as")) {
    json_object_set_new(d->hand->requests, (const char *)text(step, "as").ptr, number(request.id));
  }
  put_request(actual, &request);
  return TOKENWARD_OK;
}

static uint64_t request_of(driver *d, const json_t *step) {
  return has(step, "request") ? integer(d->hand->requests, (const char *)text(step, "request").ptr, NEVER_GIVEN)
                              : d->hand->last_request;
}

static tokenward_span body_of(driver *d, const json_t *step) {
  tokenward_span hex = text(step, "body_hex");
  if (!has(step, "body_hex")) {
    return text(step, "body");
  }
  uint8_t *bytes = keep(d, hex.len / 2);
  for (size_t i = 0; i < hex.len; i++) {
    int digit = tolower(hex.ptr[i]);
    bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - (digit >= 'a' ? 'a' - 10 : '0')));
  }
  return bytes_of(bytes, hex.len / 2);
}

/* The next field of a step that has this name, in lower case, from the place `*i` on. */
static bool next_field(const json_t *step, const char *name, size_t *i, tokenward_span *value) {
  const json_t *headers = json_object_get(step, "headers");
  while (*i < json_array_size(headers)) {
    const json_t *pair = json_array_get(headers, (*i)++);
    if (same_name(text_of(json_array_get(pair, 0)), name)) {
      *value = text_of(json_array_get(pair, 1));
      return true;
    }
  }
  return false;
}

/* The lines of a field with a line feed between them, in the buffer. */
static tokenward_span lines_of(driver *d, const json_t *step, const char *name) {
  tokenward_span value;
  size_t len = 0;
  size_t i = 0;
  while (next_field(step, name, &i, &value)) {
    if (len + value.len + 1 >= BUFFER) {
      end("the fields are too long");
    }
    d->buffer[len] = '\n';
    len += len > 0 ? 1 : 0;
    memcpy(d->buffer + len, value.ptr, value.len);
    len += value.len;
  }
  return bytes_of(d->buffer, len);
}

static void put_outcome(driver *d, const tokenward_service *reader, const tokenward_outcome *outcome, uint16_t status,
                        tokenward_span body, json_t *actual) {
  tokenward_token_answer_result read;
  if (outcome->kind == TOKENWARD_ANSWER_TOKEN) {
    json_object_set_new(actual, "outcome", json_string("token"));
    json_object_set_new(actual, "generation", number(outcome->generation));
    return;
  }
  if (outcome->kind == TOKENWARD_ANSWER_DEVICE_CODE) {
    json_object_set_new(actual, "outcome", json_string("code"));
    return;
  }
  /* The text of the error is the reader's to say. */
  must(tokenward_token_answer(status, body, reader, d->buffer, BUFFER, &read), "reader");
  const char *const name = tokenward_error_code_name(outcome->code);
  const bool is_own = read.error.len == strlen(name) && memcmp(read.error.ptr, name, read.error.len) == 0;
  if (read.kind != TOKENWARD_ANSWER_ERROR || (read.code != outcome->code && outcome->code != TOKENWARD_CODE_OTHER && !is_own)) {
    end("the reader differs from the manager");
  }
  json_object_set_new(actual, "outcome", json_string("error"));
  json_object_set_new(actual, "error_code", string_of(read.error));
}

static int32_t do_answer(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_http_answer answer;
  tokenward_outcome outcome;
  uint64_t wall;
  uint64_t id = request_of(d, step);
  memset(&answer, 0, sizeof answer);
  answer.status = (uint16_t)integer(step, "status", 0);
  answer.body = body_of(d, step);
  answer.wall_s = wall_at(d, at, &wall);
  answer.retry_after = lines_of(d, step, "retry-after");
  int32_t result = tokenward_answer(d->hand->manager, at, id, &answer, &outcome);
  if (result != TOKENWARD_OK) {
    return result;
  }
  put_outcome(d, d->config.service, &outcome, answer.status, answer.body, actual);
  return TOKENWARD_OK;
}

static int32_t do_rejected(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  uint64_t generation;
  tokenward_retry_result retry;
  tokenward_generation(d->hand->manager, &generation);
  int32_t result =
    tokenward_rejected(d->hand->manager, at, integer(step, "generation", generation), (uint16_t)integer(step, "status", 0),
                       lines_of(d, step, "www-authenticate"), &retry);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "retry", json_string(tokenward_retry_name(retry.kind)));
    if (retry.kind == TOKENWARD_RETRY_SURFACE) {
      json_object_set_new(actual, "reason", json_string(tokenward_reason_name(retry.reason)));
      json_object_set_new(actual, "retry_at",
                          retry.retry_at_ms == TOKENWARD_NEVER ? json_null() : number(retry.retry_at_ms));
    }
  }
  return result;
}

static int32_t do_authorize(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_header header;
  char *value = (char *)d->buffer;
  int32_t result =
    tokenward_authorize(d->hand->manager, at, text(step, "method"), text(step, "url"), value, BUFFER, &header);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "header", json_stringn(value, header.len));
    json_object_set_new(actual, "generation", number(header.generation));
    json_object_set_new(actual, "name", string_of(header.name));
    if (value[header.len] != '\0') {
      end("no NUL ends the header");
    }
  }
  return result;
}

/* Hands a token over, as that which a supply brought or as one that nobody asked for. */
static int32_t hand_over(driver *d, uint64_t at, bool supplied, const tokenward_token *token, uint64_t *generation) {
  return supplied ? tokenward_supplied(d->hand->manager, at, d->hand->supply, token, generation)
                  : tokenward_install(d->hand->manager, at, token, generation);
}

static int32_t do_install(driver *d, const json_t *step, uint64_t at, bool supplied, json_t *actual) {
  /* The members of RFC 6749 section 5.1 stand flat, wherever the provider's own answers have them. */
  tokenward_provider flat = *d->provider;
  const tokenward_service *service;
  tokenward_token_answer_result read;
  tokenward_token token;
  uint64_t generation;
  uint64_t wall;
  const json_t *given = json_object_get(step, "token");
  char *body = json_dumps(given, JSON_COMPACT | JSON_ENCODE_ANY);
  memset(&token, 0, sizeof token);
  token.wall_s = wall_at(d, at, &wall);
  memset(&flat.nested, 0, sizeof flat.nested);
  memset(&flat.members, 0, sizeof flat.members);
  must(tokenward_describe(&flat, &service), "no provider");
  int32_t result = tokenward_token_answer(200, tokenward_text(body), service, d->buffer, BUFFER, &read);
  if (result == TOKENWARD_OK && read.kind == TOKENWARD_ANSWER_ERROR) {
    result = TOKENWARD_ERR_INVALID_ACCESS_TOKEN;
  }
  if (result == TOKENWARD_OK) {
    token.access_token = read.access_token;
    token.token_type = read.token_type;
    token.refresh_token = read.refresh_token;
    token.expires_in_s = read.has_expires_in ? &read.expires_in_s : NULL;
  } else if (!has(given, "access_token")) {
    /* A refresh token alone. */
    token.token_type = text_of(json_object_get(given, "token_type"));
    token.refresh_token = text_of(json_object_get(given, "refresh_token"));
    result = TOKENWARD_OK;
  }
  token.refresh_expires_in_s = integer(given, "refresh_expires_in", 0);
  /* A call that is refused moves the clock too, and an id that is stale is refused first. */
  int32_t handed = hand_over(d, at, supplied, &token, &generation);
  if (result == TOKENWARD_OK || handed == TOKENWARD_ERR_STALE_REQUEST) {
    result = handed;
  }
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "generation", number(generation));
  }
  free(body);
  return result;
}

/* ---- steps with storage */

/* Another manager on the same storage, or the same one anew. */
static int32_t do_make(driver *d, const json_t *step, uint64_t at) {
  d->made++;
  make_manager(d, step, at, integer(step, "seed", integer(d->scenario, "seed", 0) + d->made));
  return TOKENWARD_OK;
}

static tokenward_span *slot_of(driver *d, uint64_t slot) {
  if (slot >= d->storage_slots) {
    end("no such slot");
  }
  return &d->storage.slots[slot];
}

/* The bytes that are kept of a slot. */
static tokenward_span kept_of(driver *d, tokenward_span bytes) {
  uint8_t *copy = keep(d, bytes.len);
  memcpy(copy, bytes.ptr, bytes.len);
  return bytes_of(copy, bytes.len);
}

/* Somebody changes what is in a slot. */
static int32_t do_tamper(driver *d, const json_t *step) {
  tokenward_span *slot = slot_of(d, integer(step, "slot", 0));
  uint64_t bit = integer(step, "flip", 0);
  if (has(step, "from")) {
    *slot = *slot_of(d, integer(step, "from", 0));
  }
  if (has(step, "flip") && slot->len > 0) {
    *slot = kept_of(d, *slot);
    ((uint8_t *)slot->ptr)[bit / 8 % slot->len] ^= (uint8_t)(1 << bit % 8);
  }
  uint64_t kept = integer(step, "cut", slot->len);
  slot->len = kept < slot->len ? (size_t)kept : slot->len;
  if (json_is_true(json_object_get(step, "erase"))) {
    *slot = bytes_of(NULL, 0);
  }
  return TOKENWARD_OK;
}

static int32_t do_read(driver *d) {
  d->hand->read = d->storage;
  d->hand->has_read = true;
  return TOKENWARD_OK;
}

static int32_t do_loaded(driver *d, uint64_t at, json_t *actual) {
  uint64_t wall;
  tokenward_found found;
  const slots *read = d->hand->has_read ? &d->hand->read : &d->storage;
  int32_t result = tokenward_loaded(d->hand->manager, at, wall_at(d, at, &wall), d->hand->load, bytes_of(KEY, sizeof KEY),
                                    read->slots, d->storage_slots, &found);
  d->hand->has_read = false;
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "found", json_string(tokenward_found_name(found)));
  }
  return result;
}

static int32_t do_write(driver *d, const json_t *step, uint64_t at) {
  uint64_t wall;
  size_t len;
  int32_t result = tokenward_snapshot(d->hand->manager, at, wall_at(d, at, &wall), d->hand->store,
                                          bytes_of(KEY, sizeof KEY), d->buffer, BUFFER, &len);
  if (result == TOKENWARD_OK && !json_is_true(json_object_get(step, "lost"))) {
    uint64_t torn = integer(step, "torn", len);
    *slot_of(d, d->hand->slot) = kept_of(d, bytes_of(d->buffer, torn < len ? (size_t)torn : len));
  }
  return result;
}

static int32_t do_took(driver *d, const json_t *step, uint64_t at) {
  static const char *const TASKS[] = { "load", "store", "supply", NULL };
  const uint64_t ids[] = { d->hand->load, d->hand->store, d->hand->supply };
  return tokenward_took(d->hand->manager, at, ids[choice(step, "what", TASKS, 0)]);
}

static int32_t do_storage_step(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  const bool retryable = json_is_true(json_object_get(step, "retryable"));
  tokenward_span action = text(step, "do");
  tokenward_manager *manager = d->hand->manager;
  return is(action, "make")            ? do_make(d, step, at)
         : is(action, "tamper")        ? do_tamper(d, step)
         : is(action, "read")          ? do_read(d)
         : is(action, "loaded")        ? do_loaded(d, at, actual)
         : is(action, "load_failed")   ? tokenward_load_failed(manager, at, d->hand->load)
         : is(action, "write")         ? do_write(d, step, at)
         : is(action, "stored")        ? tokenward_stored(manager, at, d->hand->store)
         : is(action, "store_failed")  ? tokenward_store_failed(manager, at, d->hand->store)
         : is(action, "took")          ? do_took(d, step, at)
         : is(action, "supplied")      ? do_install(d, step, at, true, actual)
         : is(action, "supply_failed") ? tokenward_supply_failed(manager, at, d->hand->supply, retryable)
         : is(action, "reload")        ? tokenward_reload(manager)
                                       : TOKENWARD_ERR_NO_SUCH_ITEM;
}

/* ---- signing in */

static const char *text_in(const driver *d, size_t len) {
  return len < BUFFER ? (const char *)d->buffer : "";
}

static int32_t do_sign_in(driver *d, const json_t *step) {
  uint8_t random[32] = { 0 };
  bytes_of_hex(text(step, "random_hex"), random, sizeof random);
  return tokenward_sign_in_new(&d->hand->sign_in, bytes_of(random, sizeof random), text(step, "redirect_uri"));
}

static int32_t do_sign_in_url(driver *d, const json_t *step, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  size_t len;
  int32_t result = tokenward_sign_in_url(&d->hand->sign_in, d->hand->manager, &credentials, (char *)d->buffer, BUFFER, &len);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "url", json_string(text_in(d, len)));
  }
  return result;
}

static int32_t do_sign_in_stored(driver *d, uint64_t at) {
  uint64_t wall;
  size_t len;
  int32_t result = tokenward_sign_in_seal(&d->hand->sign_in, d->hand->manager, wall_at(d, at, &wall),
                                          bytes_of(KEY, sizeof KEY), d->buffer, BUFFER, &len);
  if (result == TOKENWARD_OK) {
    d->sign_in = kept_of(d, bytes_of(d->buffer, len));
  }
  return result;
}

static int32_t do_sign_in_resumed(driver *d, const json_t *step, uint64_t at) {
  uint64_t wall;
  uint8_t *copy = keep(d, d->sign_in.len);
  memcpy(copy, d->sign_in.ptr, d->sign_in.len);
  if (has(step, "flip")) {
    uint64_t bit = integer(step, "flip", 0);
    copy[bit / 8 % d->sign_in.len] ^= (uint8_t)(1U << (bit % 8));
  }
  return tokenward_sign_in_open(&d->hand->sign_in, d->hand->manager, wall_at(d, at, &wall), bytes_of(KEY, sizeof KEY),
                                bytes_of(copy, d->sign_in.len));
}

static int32_t do_callback(driver *d, const json_t *step, json_t *actual) {
  tokenward_callback callback;
  int32_t result = tokenward_sign_in_callback(&d->hand->sign_in, d->hand->manager, text(step, "url"), (char *)d->buffer,
                                              BUFFER, &callback);
  if (result != TOKENWARD_OK) {
    return result;
  }
  bool is_code = callback.kind == TOKENWARD_CALLBACK_CODE;
  if (is_code) {
    d->hand->callback = text(step, "url");
  }
  json_object_set_new(actual, "callback", json_string(is_code ? "code" : "error"));
  json_object_set_new(actual, is_code ? "code" : "error_code", json_string(text_in(d, callback.len)));
  return TOKENWARD_OK;
}

static int32_t do_begin_sign_in(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  tokenward_request request;
  int32_t result = tokenward_sign_in_begin(&d->hand->sign_in, d->hand->manager, at, &credentials, added(d, step, "values"),
                                           d->hand->callback, d->buffer, BUFFER, &request);
  if (result == TOKENWARD_OK) {
    put_request(actual, &request);
  }
  return result;
}

static tokenward_parsed_answer parsed_of(driver *d, const json_t *step, uint64_t at, uint64_t *wall, uint64_t *seconds) {
  tokenward_parsed_answer answer;
  tokenward_span value;
  size_t i = 0;
  memset(&answer, 0, sizeof answer);
  answer.status = (uint16_t)integer(step, "status", 0);
  answer.body = body_of(d, step);
  answer.wall_s = wall_at(d, at, wall);
  while (next_field(step, "retry-after", &i, &value)) {
    uint64_t one;
    /* Of several lines the longest wait counts. */
    if (tokenward_retry_after(value, answer.wall_s, &one) == TOKENWARD_OK && (answer.retry_after_s == NULL || one > *seconds)) {
      *seconds = one;
      answer.retry_after_s = seconds;
    }
  }
  return answer;
}

static int32_t do_answer_sign_in(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  uint64_t wall;
  uint64_t seconds;
  tokenward_outcome outcome;
  const tokenward_parsed_answer answer = parsed_of(d, step, at, &wall, &seconds);
  int32_t result = tokenward_sign_in_answer(&d->hand->sign_in, d->hand->manager, at, &answer, &outcome);
  if (result == TOKENWARD_OK) {
    put_outcome(d, d->config.service, &outcome, answer.status, answer.body, actual);
  }
  return result;
}

static int32_t do_poll_device(driver *d, uint64_t at, json_t *actual) {
  tokenward_device_poll_result said;
  int32_t result = tokenward_device_poll(d->hand->device, d->hand->manager, at, &said);
  if (result != TOKENWARD_OK) {
    return result;
  }
  bool complete = said.verification_uri_complete.len > 0;
  json_object_set_new(actual, "next", json_string(tokenward_device_next_name(said.next)));
  json_object_set_new(actual, "poll_at", instant(said.poll_at_ms));
  json_object_set_new(actual, "user_code", string_of(said.user_code));
  json_object_set_new(actual, "verification_uri", string_of(said.verification_uri));
  json_object_set_new(actual, "verification_uri_complete", complete ? string_of(said.verification_uri_complete) : json_null());
  json_object_set_new(actual, "expires_at", instant(said.expires_at_ms));
  return TOKENWARD_OK;
}

static int32_t do_start_device(driver *d, const json_t *step, uint64_t at) {
  uint8_t random[32];
  if (!has(step, "random_hex")) {
    return tokenward_device_start(d->hand->device, at);
  }
  bytes_of_hex(text(step, "random_hex"), random, sizeof random);
  return tokenward_device_start_with_random(d->hand->device, at, bytes_of(random, sizeof random));
}

static int32_t do_begin_device(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  tokenward_request request;
  int32_t result = tokenward_device_begin(d->hand->device, d->hand->manager, at, &credentials, added(d, step, "values"),
                                          d->buffer, BUFFER, &request);
  if (result != TOKENWARD_OK) {
    return result;
  }
  d->hand->last_device_request = request.id;
  if (has(step, "as")) {
    json_object_set_new(d->hand->device_requests, (const char *)text(step, "as").ptr, number(request.id));
  }
  put_request(actual, &request);
  return TOKENWARD_OK;
}

static uint64_t device_request_of(driver *d, const json_t *step) {
  return has(step, "request") ? integer(d->hand->device_requests, (const char *)text(step, "request").ptr, NEVER_GIVEN)
                              : d->hand->last_device_request;
}

static int32_t do_answer_device(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  uint64_t wall;
  uint64_t seconds;
  tokenward_outcome outcome;
  tokenward_device_poll_result said;
  const tokenward_parsed_answer answer = parsed_of(d, step, at, &wall, &seconds);
  must(tokenward_device_poll(d->hand->device, d->hand->manager, at, &said), "no poll");
  int32_t result =
    tokenward_device_answer(d->hand->device, d->hand->manager, at, device_request_of(d, step), &answer, &outcome);
  if (result != TOKENWARD_OK) {
    return result;
  }
  /* Before there is a code an error is what RFC 8628 says, under every status, whatever else the answer has. */
  const tokenward_service *reader = d->config.service;
  tokenward_provider plain = tokenward_provider_of(reader);
  uint16_t status = answer.status;
  if (said.user_code.len == 0) {
    memset(&plain.nested, 0, sizeof plain.nested);
    memset(&plain.members, 0, sizeof plain.members);
    must(tokenward_describe(&plain, &reader), "plain");
    status = 400;
  }
  put_outcome(d, reader, &outcome, status, answer.body, actual);
  return result;
}

static int32_t do_sign_in_step(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_span action = text(step, "do");
  tokenward_device *device = d->hand->device;
  const tokenward_manager *manager = d->hand->manager;
  return is(action, "sign_in")           ? do_sign_in(d, step)
         : is(action, "sign_in_url")     ? do_sign_in_url(d, step, actual)
         : is(action, "sign_in_stored")  ? do_sign_in_stored(d, at)
         : is(action, "sign_in_resumed") ? do_sign_in_resumed(d, step, at)
         : is(action, "sign_in_deleted") ? tokenward_sign_in_deleted(&d->hand->sign_in)
         : is(action, "callback")        ? do_callback(d, step, actual)
         : is(action, "begin_sign_in")   ? do_begin_sign_in(d, step, at, actual)
         : is(action, "answer_sign_in")  ? do_answer_sign_in(d, step, at, actual)
         : is(action, "start_device")    ? do_start_device(d, step, at)
         : is(action, "cancel_device")   ? tokenward_device_cancel(device)
         : is(action, "shown_device")    ? tokenward_device_shown(device, manager, at)
         : is(action, "poll_device")     ? do_poll_device(d, at, actual)
         : is(action, "begin_device")    ? do_begin_device(d, step, at, actual)
         : is(action, "answer_device")   ? do_answer_device(d, step, at, actual)
         : is(action, "failed_device")   ? tokenward_device_failed(device, manager, at, device_request_of(d, step))
                                         : do_storage_step(d, step, at, actual);
}

static int32_t do_revoke(driver *d, const json_t *step, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  tokenward_request request;
  int32_t result =
    tokenward_revoke(d->hand->manager, &credentials, added(d, step, "values"), d->buffer, BUFFER, &request);
  if (result == TOKENWARD_OK && request.url.len > 0) {
    put_request(actual, &request);
  }
  return result;
}

static int32_t do_signing_input(driver *d, const json_t *step, json_t *actual) {
  const tokenward_credentials credentials = credentials_of(d, step);
  size_t len;
  int32_t result = tokenward_signing_input(d->hand->manager, &credentials, d->buffer, BUFFER, &len);
  if (result == TOKENWARD_OK) {
    json_object_set_new(actual, "signing_input", json_stringn((const char *)d->buffer, len));
  }
  return result;
}

static int32_t do_answer_revocation(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  uint64_t wall;
  uint64_t seconds;
  tokenward_outcome outcome;
  const tokenward_parsed_answer answer = parsed_of(d, step, at, &wall, &seconds);
  int32_t result = tokenward_revocation_answer(d->hand->manager, &answer, &outcome);
  if (result != TOKENWARD_OK) {
    return result;
  }
  if (outcome.kind != TOKENWARD_ANSWER_ERROR) {
    json_object_set_new(actual, "outcome", json_string(outcome.kind == TOKENWARD_ANSWER_REVOKED ? "revoked" : "later"));
    return result;
  }
  if (outcome.code == TOKENWARD_CODE_NONE) {
    json_object_set_new(actual, "error_code", json_null());
  } else {
    put_outcome(d, d->config.service, &outcome, answer.status, answer.body, actual);
  }
  json_object_set_new(actual, "outcome", json_string("refused"));
  return result;
}

static int32_t do_step(driver *d, const json_t *step, uint64_t at, json_t *actual) {
  tokenward_span action = text(step, "do");
  return is(action, "poll")        ? do_poll(d, at, actual)
         : is(action, "begin")     ? do_begin(d, step, at, actual)
         : is(action, "answer")    ? do_answer(d, step, at, actual)
         : is(action, "failed")    ? tokenward_failed(d->hand->manager, at, request_of(d, step))
         : is(action, "rejected")  ? do_rejected(d, step, at, actual)
         : is(action, "authorize") ? do_authorize(d, step, at, actual)
         : is(action, "install")   ? do_install(d, step, at, false, actual)
         : is(action, "retry")     ? tokenward_retry(d->hand->manager)
         : is(action, "renew")     ? tokenward_renew(d->hand->manager)
         : is(action, "clear")     ? tokenward_clear(d->hand->manager)
         : is(action, "revoke")    ? do_revoke(d, step, actual)
         : is(action, "signing_input")      ? do_signing_input(d, step, actual)
         : is(action, "answer_revocation") ? do_answer_revocation(d, step, at, actual)
                                   : do_sign_in_step(d, step, at, actual);
}

/* All that the `expect` of a step may name. */
static json_t *run_step(driver *d, const json_t *step) {
  json_t *actual = json_object();
  /* A step that is about storage, or makes a manager, is nobody's. */
  if (!is(text(step, "do"), "make") && !is(text(step, "do"), "tamper")) {
    d->hand = hand_of(d, step);
  }
  if (d->hand == NULL) {
    end("no manager of this name");
  }
  move_manager(d->hand);
  int32_t result = do_step(d, step, integer(step, "at", 0), actual);
  if (result != TOKENWARD_OK) {
    json_object_set_new(actual, "error", json_string(tokenward_result_name(result)));
  }
  return actual;
}

static void run(const json_t *scenario) {
  driver d;
  size_t i;
  json_t *step;
  json_t *results = json_array();
  memset(&d, 0, sizeof d);
  d.scenario = scenario;
  d.buffer = allocate(BUFFER);
  make_manager(&d, NULL, 0, integer(scenario, "seed", 0));
  d.hand->has_wall = has(scenario, "wall");
  d.hand->wall = integer(scenario, "wall", 0);
  json_array_foreach(json_object_get(scenario, "steps"), i, step) {
    json_array_append_new(results, run_step(&d, step));
  }
  char *line = json_dumps(results, JSON_COMPACT);
  puts(line != NULL ? line : "");
  free(line);
  json_decref(results);
  while (d.hands != NULL) {
    hand *next = d.hands->next;
    drop_manager(d.hands);
    json_decref(d.hands->requests);
    json_decref(d.hands->device_requests);
    free(d.hands);
    d.hands = next;
  }
  free(d.buffer);
  while (d.chunks != NULL) {
    chunk *next = d.chunks->next;
    free(d.chunks);
    d.chunks = next;
  }
}

int main(void) {
  int byte = getchar();
  while (byte != EOF) {
    json_error_t error;
    ungetc(byte, stdin);
    json_t *scenario = json_loadf(stdin, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
    if (scenario == NULL) {
      end("%s", error.text);
    }
    run(scenario);
    json_decref(scenario);
    do {
      byte = getchar();
    } while (byte == '\n');
  }
  return 0;
}
