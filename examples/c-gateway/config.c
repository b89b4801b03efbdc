/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

enum { LIST_MAX = 8 };

/* The settings' text: spans point into it. */
static char text[SETTINGS_CAPACITY];
static tokenward_span origins[LIST_MAX];

typedef struct {
  const char *name;
  int32_t value;
  /* Where the setting names a part. */
  const void *part;
} choice;

static const choice booleans[] = { { "no", false, NULL }, { "yes", true, NULL }, { NULL, 0, NULL } };
static const choice levels[] = { { "error", LOG_ERROR, NULL }, { "warn", LOG_WARN, NULL }, { "info", LOG_INFO, NULL },
                                 { "debug", LOG_DEBUG, NULL }, { NULL, 0, NULL } };
static const choice authentications[] = { { "basic", 0, &tokenward_authentication_basic },
                                          { "basic_raw", 0, &tokenward_authentication_basic_raw },
                                          { "post", 0, &tokenward_authentication_post },
                                          { "bearer", 0, &tokenward_authentication_bearer },
                                          { "none", 0, &tokenward_authentication_none },
                                          { "client_secret_jwt", 0, &tokenward_authentication_client_secret_jwt },
                                          { "private_key_jwt", 0, &tokenward_authentication_private_key_jwt },
                                          { NULL, 0, NULL } };
static const choice bodies[] = { { "form", 0, &tokenward_body_form }, { "json", 0, &tokenward_body_json },
                                 { NULL, 0, NULL } };
static const choice loopbacks[] = { { "no", 0, NULL }, { "yes", 0, &tokenward_loopback_http }, { NULL, 0, NULL } };
static const choice alphabets[] = { { "b64token", TOKENWARD_ALPHABET_B64TOKEN, NULL },
                                    { "visible", TOKENWARD_ALPHABET_VISIBLE, NULL },
                                    { NULL, 0, NULL } };
static const choice lifetimes[] = { { "jwt_expiry", TOKENWARD_LIFETIME_TOLD, NULL },
                                    { "assume", TOKENWARD_LIFETIME_ASSUME, NULL },
                                    { "never", TOKENWARD_LIFETIME_NEVER, NULL },
                                    { "refuse", TOKENWARD_LIFETIME_REFUSE, NULL },
                                    { NULL, 0, NULL } };

/* The presets by the name that settings have for them, and the environment where there are several. */
static const struct {
  const char *name, *environment;
  const tokenward_service *service;
} presets[] = {
  { "flip_utility", "sandbox", &tokenward_flip_utility_sandbox },
  { "flip_utility", "production", &tokenward_flip_utility_production },
  { "flip_utility_api_key", "sandbox", &tokenward_flip_utility_api_key_sandbox },
  { "flip_utility_api_key", "production", &tokenward_flip_utility_api_key_production },
  { "flip_energy_client", NULL, &tokenward_flip_energy_client },
  { "flip_energy_site", NULL, &tokenward_flip_energy_site },
  { "flip_energy_site_backend", NULL, &tokenward_flip_energy_site_by_backend },
  { "flume", NULL, &tokenward_flume },
  { "opower", NULL, &tokenward_opower },
  { "flute", "sandbox", &tokenward_flute_sandbox },
  { "flute", "production", &tokenward_flute_production },
};

typedef enum { PRESET, TEXT, SPAN, CHOICE, FLAG, PART, NUMBER, NUMBER32, GRANTS, ORIGINS } kind;

/* A setting: where it goes, and whether a preset leaves it open. */
typedef struct {
  const char *key;
  kind kind;
  bool custom_only;
  size_t offset;
  const choice *choices;
} entry;

#define AT(member) offsetof(settings, member)
static const entry entries[] = {
  { "provider", PRESET, false, 0, NULL },
  { "environment", PRESET, false, 0, NULL },
  { "base_url", SPAN, false, AT(provider.base_url), NULL },
  { "site", SPAN, false, AT(site), NULL },
  { "socket", TEXT, false, AT(socket_path), NULL },
  { "state", TEXT, false, AT(state_path), NULL },
  { "log_level", CHOICE, false, AT(log_level), levels },
  { "snapshot_key_file", TEXT, false, AT(snapshot_key_file), NULL },
  { "client_id_file", TEXT, false, AT(client_id_file), NULL },
  { "client_secret_file", TEXT, false, AT(client_secret_file), NULL },
  { "username_file", TEXT, false, AT(username_file), NULL },
  { "password_file", TEXT, false, AT(password_file), NULL },
  { "bearer_file", TEXT, false, AT(bearer_file), NULL },
  { "key_file", TEXT, false, AT(key_file), NULL },
  { "key_id", SPAN, false, AT(key_id), NULL },
  { "login_file", TEXT, false, AT(login_file), NULL },
  { "ca_file", TEXT, false, AT(ca_file), NULL },
  { "allow_loopback_http", PART, false, AT(provider.loopback_http), loopbacks },
  { "device_path", SPAN, false, AT(provider.device_path), NULL },
  { "api_origins", ORIGINS, false, 0, NULL },
  { "margin_ms", NUMBER, false, AT(policy.margin_ms), NULL },
  { "min_interval_ms", NUMBER, false, AT(policy.min_interval_ms), NULL },
  { "startup_spread_ms", NUMBER, false, AT(policy.startup_spread_ms), NULL },
  { "response_timeout_ms", NUMBER, false, AT(policy.response_timeout_ms), NULL },
  { "first_backoff_ms", NUMBER, false, AT(policy.first_backoff_ms), NULL },
  { "max_backoff_ms", NUMBER, false, AT(policy.max_backoff_ms), NULL },
  { "fraction_permille", NUMBER32, false, AT(policy.fraction_permille), NULL },
  { "jitter_permille", NUMBER32, false, AT(policy.jitter_permille), NULL },
  { "refresh_attempts", NUMBER32, false, AT(policy.refresh_attempts), NULL },
  { "name", SPAN, true, AT(provider.name), NULL },
  { "token_path", SPAN, true, AT(provider.token_path), NULL },
  { "issuer", SPAN, true, AT(provider.issuer), NULL },
  { "scope", SPAN, true, AT(provider.scope), NULL },
  { "any_https_origin", FLAG, true, AT(provider.any_https_origin), booleans },
  { "member_path", SPAN, true, AT(provider.nested.member_path), NULL },
  { "error_path", SPAN, true, AT(provider.nested.error_path), NULL },
  { "grants", GRANTS, true, 0, NULL },
  { "authentication", PART, true, AT(provider.authentication), authentications },
  { "body", PART, true, AT(provider.body), bodies },
  { "token_alphabet", CHOICE, true, AT(provider.token_alphabet), alphabets },
  { "missing_lifetime", CHOICE, true, AT(provider.missing_lifetime.kind), lifetimes },
  { "missing_lifetime_s", NUMBER, true, AT(provider.missing_lifetime.seconds), NULL },
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

/* The values of the file, by entry; NULL where a setting is not given. */
static char *values[ENTRIES];

/* Reads at most `capacity - 1` bytes of a file and a NUL behind them. Returns the length, or -1 with errno. */
static ssize_t slurp(const char *path, char *out, size_t capacity, bool private_file, time_t *written) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat about;
  if (fstat(fd, &about) != 0 || (private_file && (about.st_mode & 07) != 0)) {
    close(fd);
    errno = EPERM;
    return -1;
  }
  *written = about.st_mtim.tv_sec;
  size_t len = 0;
  for (;;) {
    ssize_t got = read(fd, out + len, capacity - len);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || (len += (size_t)got) == capacity) {
      int fault = got < 0 ? errno : got > 0 ? EFBIG : 0;
      close(fd);
      out[got == 0 ? len : 0] = '\0';
      errno = fault;
      return got == 0 ? (ssize_t)len : -1;
    }
  }
}

/* Cuts white space off both ends, in place. */
static char *trimmed(char *line) {
  while (isspace((unsigned char)*line)) line++;
  size_t len = strlen(line);
  while (len > 0 && isspace((unsigned char)line[len - 1])) line[--len] = '\0';
  return line;
}

/* The choice of this name; the one without a name where there is none. */
static const choice *chosen(const choice *choices, const char *name) {
  while (choices->name != NULL && strcmp(choices->name, name) != 0) choices++;
  return choices;
}

static bool grant_named(const char *name, tokenward_grant *out) {
  for (*out = TOKENWARD_GRANT_CLIENT_CREDENTIALS; *out <= TOKENWARD_GRANT_SITE_TOKEN; ++*out) {
    if (strcmp(tokenward_grant_name(*out), name) == 0) return true;
  }
  return false;
}

static bool number(const char *value, uint64_t most, uint64_t *out) {
  char *end;
  errno = 0;
  unsigned long long read = strtoull(value, &end, 10);
  *out = read;
  return isdigit((unsigned char)value[0]) && *end == '\0' && errno == 0 && read <= most;
}

/* Splits the file into `values`. */
static bool split(void) {
  int row = 0;
  for (char *line = text, *next; line != NULL; line = next) {
    row++;
    next = strchr(line, '\n');
    if (next != NULL) *next++ = '\0';
    line = trimmed(line);
    if (*line == '\0' || *line == '#') continue;
    char *value = strchr(line, '=');
    if (value == NULL) return log_line(LOG_ERROR, "settings, line %d: no `key = value`", row), false;
    *value++ = '\0';
    line = trimmed(line);
    size_t i = 0;
    while (i < ENTRIES && strcmp(entries[i].key, line) != 0) i++;
    /* A key that is unknown may be a secret on the wrong line: it is not shown. */
    if (i == ENTRIES) return log_line(LOG_ERROR, "settings, line %d: no such key", row), false;
    if (values[i] != NULL) return log_line(LOG_ERROR, "settings, line %d: %s stands twice", row, line), false;
    values[i] = trimmed(value);
  }
  return true;
}

static const char *value_of(const char *key) {
  for (size_t i = 0; i < ENTRIES; i++) {
    if (strcmp(entries[i].key, key) == 0) return values[i];
  }
  return NULL;
}

/* Fills the provider in from its preset; the other settings come on top. */
static bool preset(settings *out) {
  static const tokenward_policy policy = TOKENWARD_POLICY_DEFAULT;
  const char *name = value_of("provider"), *where = value_of("environment");
  if (name == NULL) return log_line(LOG_ERROR, "settings: provider is missing"), false;
  const bool custom = strcmp(name, "custom") == 0;
  size_t i = 0;
  const size_t count = sizeof presets / sizeof presets[0];
  while (i < count && (strcmp(presets[i].name, name) != 0 ||
                       (presets[i].environment != NULL && (where == NULL || strcmp(presets[i].environment, where) != 0)))) {
    i++;
  }
  if (custom) {
    out->provider.environment = tokenward_text(where);
    out->provider.authentication = &tokenward_authentication_basic;
    out->provider.missing_lifetime =
      (tokenward_missing_lifetime){ TOKENWARD_LIFETIME_TOLD, 3600, &tokenward_expiry_jwt };
  } else if (i < count) {
    out->provider = tokenward_provider_of(presets[i].service);
  } else {
    return log_line(LOG_ERROR, "settings: there is no such provider, or it wants another environment"), false;
  }
  out->policy = out->provider.policy != NULL ? *out->provider.policy : policy;
  /* Gateways that come back together after a blackout would ask together. A token that is stored is used at once. */
  out->policy.startup_spread_ms = 60000;
  for (i = 0; i < ENTRIES; i++) {
    if (entries[i].custom_only && values[i] != NULL && !custom) {
      return log_line(LOG_ERROR, "settings: %s is for a custom provider", entries[i].key), false;
    }
  }
  return true;
}

/* Names the parts that the settings imply, and makes a service of them. */
static bool describe(settings *out) {
  tokenward_provider *provider = &out->provider;
  const char *path = value_of("token_path");
  tokenward_span fact;
  if (provider->nested.member_path.len > 0 || provider->nested.error_path.len > 0) {
    provider->nested.reader = &tokenward_nested_paths;
  }
  if (path != NULL && strstr(path, "{site}") != NULL) provider->site = &tokenward_site_path;
  provider->policy = &out->policy;
  if (provider->base_url.len == 0) return log_line(LOG_ERROR, "settings: base_url is missing"), false;
  int32_t code = tokenward_describe(provider, &out->service);
  if (code != TOKENWARD_OK) return log_line(LOG_ERROR, "settings: %s", tokenward_result_name(code)), false;
  if (tokenward_provider_check(out->service, &fact) == TOKENWARD_OK) return true;
  return log_line(LOG_ERROR, "settings: %.*s cannot work", (int)fact.len, (const char *)fact.ptr), false;
}

/* Splits a list at its white space and commas; at most LIST_MAX words. */
static bool list(char *value, char **words, size_t *count) {
  *count = 0;
  char *rest = NULL;
  for (char *word = strtok_r(value, ", \t", &rest); word != NULL; word = strtok_r(NULL, ", \t", &rest)) {
    if (*count == LIST_MAX) return false;
    words[(*count)++] = word;
  }
  return true;
}

/* Puts one value where it belongs. */
static bool apply(const entry *about, char *value, settings *out) {
  void *place = (char *)out + about->offset;
  uint64_t read = 0;
  char *words[LIST_MAX];
  size_t count;
  tokenward_grant grant;
  const choice *made = about->choices == NULL ? NULL : chosen(about->choices, value);
  if (made != NULL && made->name == NULL) return false;
  switch (about->kind) {
    case PRESET: return true;
    case TEXT: return *(const char **)place = value, *value != '\0';
    case SPAN: *(tokenward_span *)place = tokenward_text(value); break;
    case CHOICE: *(int32_t *)place = made->value; break;
    case FLAG: *(bool *)place = made->value != 0; break;
    case PART: memcpy(place, &made->part, sizeof made->part); break;
    case NUMBER: return number(value, UINT64_MAX, place);
    case NUMBER32: return number(value, UINT32_MAX, &read) && (*(uint32_t *)place = (uint32_t)read, true);
    case GRANTS:
      if (!list(value, words, &count)) return false;
      for (size_t i = 0; i < count; i++) {
        if (!grant_named(words[i], &grant)) return false;
        if (grant == TOKENWARD_GRANT_REFRESH_TOKEN) out->provider.refresh_grant = true;
        else if (out->provider.primary_grant == TOKENWARD_GRANT_NONE) out->provider.primary_grant = grant;
      }
      break;
    case ORIGINS:
      if (!list(value, words, &count)) return false;
      for (size_t i = 0; i < count; i++) origins[i] = tokenward_text(words[i]);
      out->provider.api_origins = (tokenward_text_list){ origins, count };
      break;
  }
  return true;
}

bool config_read(const char *path, settings *out) {
  memset(out, 0, sizeof *out);
  out->log_level = LOG_INFO;
  time_t written;
  if (slurp(path, text, sizeof text, false, &written) < 0) {
    return log_line(LOG_ERROR, "settings: cannot read %s: %s", path, strerror(errno)), false;
  }
  if (!split() || !preset(out)) return false;
  for (size_t i = 0; i < ENTRIES; i++) {
    if (values[i] != NULL && !apply(&entries[i], values[i], out)) {
      return log_line(LOG_ERROR, "settings: the value of %s cannot be used", entries[i].key), false;
    }
  }
  if (out->socket_path == NULL || out->state_path == NULL) {
    return log_line(LOG_ERROR, "settings: socket and state are needed"), false;
  }
  return describe(out);
}

ssize_t config_private(const char *file, char *out, size_t capacity, uint64_t *age_s) {
  time_t written;
  const ssize_t len = slurp(file, out, capacity, true, &written);
  const time_t now = time(NULL);
  if (len >= 0) return *age_s = now > written ? (uint64_t)(now - written) : 0, len;
  log_line(LOG_ERROR, "cannot read %s: %s", file, errno == EPERM ? "everybody may; chmod o= it" : strerror(errno));
  return -1;
}

bool config_secret(const char *file, const char *variable, secret *out) {
  uint64_t age_s;
  out->len = 0;
  out->text[0] = '\0';
  if (file != NULL) {
    if (config_private(file, out->text, sizeof out->text, &age_s) < 0) return false;
  } else {
    const char *value = getenv(variable);
    if (value == NULL) return true;
    if (strlen(value) >= sizeof out->text) return log_line(LOG_ERROR, "%s is too long", variable), false;
    memcpy(out->text, value, strlen(value) + 1);
  }
  /* A file ends its line; a secret does not. */
  out->len = strcspn(out->text, "\r\n");
  return true;
}

bool config_secrets(const settings *from, secrets *out) {
  return config_secret(from->client_id_file, "TOKENWARD_CLIENT_ID", &out->client_id) &&
         config_secret(from->client_secret_file, "TOKENWARD_CLIENT_SECRET", &out->client_secret) &&
         config_secret(from->username_file, "TOKENWARD_USERNAME", &out->username) &&
         config_secret(from->password_file, "TOKENWARD_PASSWORD", &out->password) &&
         config_secret(from->bearer_file, "TOKENWARD_BEARER", &out->bearer);
}
