/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* tokenward-gateway: keeps one token and hands it to local clients. One thread around poll(2). */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

/* poll(2) does not count suspend: look at the clock again after this at the latest. */
enum { LONGEST_SLEEP_MS = 30000 };

static const tokenward_pair_list no_values = { NULL, 0 };
static uint64_t memory[TOKENWARD_MANAGER_WORDS(ACCESS_CAPACITY, REFRESH_CAPACITY)];
static uint8_t written[REQUEST_CAPACITY];
/* Holds tokens between a read or write and the wipe behind it. */
static uint8_t snapshot[SNAPSHOT_CAPACITY];
static tokenward_manager *manager;
/* Somebody who signs in by a code that the gateway shows. */
static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(CODES_CAPACITY)];
static tokenward_device *device;
static tokenward_device_next signing_in;
static settings given;
static storage store;
/* What storage held when it was last read, and whether it was last written as it should be. */
static tokenward_found found = TOKENWARD_FOUND_EMPTY;
static bool saved = true;
static uint64_t request_id;
/* Whether the request that is out is one of signing in. */
static bool signs_in;
/* No request before this instant: the credentials cannot be read or do not fit. */
static uint64_t held_until;
/* What was asked for, so that it is said once until a token is stored; and what was wrong with the snapshot. */
static tokenward_reason said;
static int32_t fault;
static volatile sig_atomic_t ending, rereading;

uint64_t clock_now(void) {
  struct timespec now = { 0, 0 };
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const uint64_t *clock_wall(void) {
  static uint64_t wall;
  struct timespec now;
  /* A device without a battery starts in 1970: before 2020 the clock is not set. */
  if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 1577836800) return NULL;
  wall = (uint64_t)now.tv_sec;
  return &wall;
}

/* Tells systemd, by the protocol of sd_notify(3): one datagram to NOTIFY_SOCKET. Without that, nothing. */
static void notify(const char *message) {
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  const char *path = getenv("NOTIFY_SOCKET");
  const size_t len = path == NULL ? 0 : strlen(path);
  if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
  memcpy(to.sun_path, path, len);
  if (path[0] == '@') to.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&to, size) < 0) {
    log_line(LOG_WARN, "systemd was not told: %s", strerror(errno));
  }
  close(fd);
}

static void on_signal(int number) {
  if (number == SIGHUP) rereading = 1;
  else ending = 1;
}

/* `REJECTED <generation> <status> [challenge]`: what to do with a call that the API refused. */
static size_t rejected(char *line, char *reply, size_t capacity) {
  char *end;
  errno = 0;
  const uint64_t generation = strtoull(line, &end, 10);
  const unsigned long status = *end == ' ' ? strtoul(end + 1, &end, 10) : 0;
  if (line[0] < '0' || line[0] > '9' || errno != 0 || status < 100 || status > 599 || (*end != '\0' && *end != ' ')) {
    return (size_t)snprintf(reply, capacity, "ERR bad_line\n");
  }
  tokenward_retry_result result;
  const tokenward_span challenge = tokenward_text(*end == ' ' ? end + 1 : NULL);
  const int32_t code = tokenward_rejected(manager, clock_now(), generation, (uint16_t)status, challenge, &result);
  if (code != TOKENWARD_OK) return (size_t)snprintf(reply, capacity, "ERR %s\n", tokenward_result_name(code));
  log_line(LOG_INFO, "the API answered %lu to token %" PRIu64, status, generation);
  const bool surfaced = result.kind == TOKENWARD_RETRY_SURFACE;
  return (size_t)snprintf(reply, capacity, surfaced ? "SURFACE %s\n" : "RETRY %s\n",
                          surfaced ? tokenward_reason_name(result.reason) : tokenward_retry_name(result.kind));
}

/* Keeps a token that somebody else obtained. False: logged. */
static bool install(const tokenward_token *token) {
  uint64_t generation;
  const int32_t code = tokenward_install(manager, clock_now(), token, &generation);
  if (code != TOKENWARD_OK) return log_line(LOG_ERROR, "the token is refused: %s", tokenward_result_name(code)), false;
  log_line(LOG_INFO, "token %" PRIu64 " is installed", generation);
  said = TOKENWARD_REASON_NONE;
  return true;
}

static bool no_grant(void) {
  return given.provider.primary_grant == TOKENWARD_GRANT_NONE && !given.provider.refresh_grant;
}

/* The token for a provider without a grant. */
static bool install_bearer(void) {
  static secret bearer;
  const bool done = config_secret(given.bearer_file, "TOKENWARD_BEARER", &bearer) && bearer.len > 0 &&
                    install(&(tokenward_token){ .access_token = { (const uint8_t *)bearer.text, bearer.len } });
  tokenward_wipe(&bearer, sizeof bearer);
  return done;
}

/* What the token endpoint answered to a login elsewhere, as it was saved: its lifetime counts from then. */
static bool install_login(void) {
  static char body[ANSWER_CAPACITY];
  static uint8_t unescaped[ANSWER_CAPACITY];
  tokenward_token_answer_result read = { 0 };
  uint64_t age_s = 0;
  bool done = false;
  const ssize_t len = config_private(given.login_file, body, sizeof body, &age_s);
  if (len >= 0) {
    const int32_t code = tokenward_token_answer(200, (tokenward_span){ (const uint8_t *)body, (size_t)len }, given.service,
                                                unescaped, sizeof unescaped, &read);
    if (code != TOKENWARD_OK || read.kind != TOKENWARD_ANSWER_TOKEN) {
      log_line(LOG_ERROR, "%s holds no token: %s", given.login_file, tokenward_result_name(code));
    } else {
      /* An access token that is over still comes with a refresh token: that is due at once. */
      const uint64_t left = read.expires_in_s > age_s ? read.expires_in_s - age_s : 1;
      done = install(&(tokenward_token){ .access_token = read.access_token,
                                         .token_type = read.token_type,
                                         .refresh_token = read.refresh_token,
                                         .expires_in_s = read.has_expires_in ? &left : NULL });
    }
  }
  tokenward_wipe(body, sizeof body);
  tokenward_wipe(unescaped, sizeof unescaped);
  return done;
}

/* Supplies the token that no grant obtains. False: there is none that fits. */
static bool supply(void) {
  if (given.login_file != NULL) return install_login();
  return no_grant() && install_bearer();
}

/* SIGHUP: says how things stand; a static token is read anew; else what has failed for good is tried again; storage is read. */
static void reread(void) {
  tokenward_poll_result next = { 0 };
  char line[512];
  size_t len;
  if (tokenward_state_line(manager, clock_now(), line, sizeof line, &len) == TOKENWARD_OK) log_line(LOG_INFO, "%s", line);
  said = TOKENWARD_REASON_NONE;
  held_until = 0;
  log_line(LOG_INFO, "tries again");
  tokenward_poll(manager, clock_now(), &next);
  if ((next.next != TOKENWARD_NEXT_SUPPLY && !no_grant()) || !supply()) tokenward_retry(manager);
  tokenward_reload(manager);
}

static tokenward_span span_of(const secret *one) {
  return (tokenward_span){ (const uint8_t *)one->text, one->len };
}

static void request_failed(void) {
  if (signs_in) tokenward_device_failed(device, manager, clock_now(), request_id);
  else tokenward_failed(manager, clock_now(), request_id);
}

/* Begins the request that is due, without a grant that of signing in, and sends it. Credentials live for this call. */
static void begin(tokenward_grant grant) {
  static secrets read;
  tokenward_request request;
  /* A request whose time is over may still be answered until the next one begins. */
  http_finish();
  int32_t code = TOKENWARD_ERR_WRONG_CREDENTIALS;
  if (config_secrets(&given, &read)) {
    tokenward_credentials credentials = { .client_id = span_of(&read.client_id),
                                                .client_secret = span_of(&read.client_secret),
                                                .username = span_of(&read.username),
                                                .password = span_of(&read.password),
                                                .bearer = span_of(&read.bearer) };
    code = sign_request(&given, manager, &credentials);
    if (code == TOKENWARD_OK) code = grant == TOKENWARD_GRANT_NONE
             ? tokenward_device_begin(device, manager, clock_now(), &credentials, no_values, written, sizeof written, &request)
             : tokenward_begin(manager, clock_now(), &credentials, written, sizeof written, &request);
  }
  tokenward_wipe(&read, sizeof read);
  if (code == TOKENWARD_ERR_NOT_DUE) return;
  if (code != TOKENWARD_OK) {
    log_line(LOG_ERROR, "no request: %s", tokenward_result_name(code));
    if (grant == TOKENWARD_GRANT_NONE) tokenward_device_cancel(device);
    else held_until = clock_now() + LONGEST_SLEEP_MS;
    return;
  }
  request_id = request.id;
  signs_in = grant == TOKENWARD_GRANT_NONE;
  log_line(LOG_DEBUG, "request: %s", signs_in ? "sign-in" : tokenward_grant_name(grant));
  if (!http_start(&request)) {
    request_failed();
    tokenward_wipe(written, sizeof written);
  }
}

static int32_t answer_sign_in(const tokenward_http_answer *got, tokenward_outcome *outcome) {
  uint64_t wait_s;
  const bool waits = tokenward_retry_after(got->retry_after, got->wall_s, &wait_s) == TOKENWARD_OK;
  const tokenward_parsed_answer answer = { got->body, waits ? &wait_s : NULL, got->wall_s, got->status };
  return tokenward_device_answer(device, manager, clock_now(), request_id, &answer, outcome);
}

/* Hands in what came back. False: nothing has. */
static bool finish(void) {
  tokenward_http_answer answer;
  tokenward_outcome outcome = { 0 };
  const http_state state = http_result(&answer);
  if (state == HTTP_FAILED) {
    request_failed();
  } else if (state == HTTP_ANSWERED) {
    answer.wall_s = clock_wall();
    const int32_t code =
      signs_in ? answer_sign_in(&answer, &outcome) : tokenward_answer(manager, clock_now(), request_id, &answer, &outcome);
    if (code != TOKENWARD_OK) {
      log_line(LOG_WARN, "the answer (status %u) is refused: %s", answer.status, tokenward_result_name(code));
    } else if (outcome.kind == TOKENWARD_ANSWER_TOKEN) {
      log_line(LOG_INFO, "token %" PRIu64, outcome.generation);
      said = TOKENWARD_REASON_NONE;
    } else if (outcome.kind == TOKENWARD_ANSWER_ERROR) {
      /* That nobody has entered the code yet is said every few seconds. */
      log_line(signs_in ? LOG_DEBUG : LOG_WARN, "the service answered %u: %s", answer.status, tokenward_error_code_name(outcome.code));
    }
  } else {
    return false;
  }
  http_finish();
  tokenward_wipe(written, sizeof written);
  return true;
}

/* Hands over what is stored, under the lock, which drive() gives back. */
static void load(uint64_t id) {
  const ssize_t len = storage_lock(&store) ? storage_read(&store, snapshot, sizeof snapshot) : STORAGE_FAILED;
  if (len == STORAGE_FAILED) {
    tokenward_load_failed(manager, clock_now(), id);
    return;
  }
  const tokenward_span slot = { len == STORAGE_EMPTY ? NULL : snapshot, len == STORAGE_EMPTY ? 0 : (size_t)len };
  const int32_t code = tokenward_loaded(manager, clock_now(), clock_wall(), id, (tokenward_span){ store.key, sizeof store.key },
                                        &slot, 1, &found);
  tokenward_wipe(snapshot, sizeof snapshot);
  if (code == TOKENWARD_OK) log_line(LOG_DEBUG, "storage: %s", tokenward_found_name(found));
  else tokenward_load_failed(manager, clock_now(), id); /* of no effect where what was read is refused */
  if (code != TOKENWARD_OK && code != fault) log_line(LOG_ERROR, "%s: %s", store.path, tokenward_result_name(code));
  fault = code;
}

/* Writes what the store is for, under the lock of the load before it. */
static void save(uint64_t id) {
  size_t len = 0;
  const int32_t code = tokenward_snapshot(manager, clock_now(), clock_wall(), id,
                                          (tokenward_span){ store.key, sizeof store.key }, snapshot, sizeof snapshot, &len);
  saved = code == TOKENWARD_OK && storage_write(&store, snapshot, len);
  tokenward_wipe(snapshot, sizeof snapshot);
  if (saved) tokenward_stored(manager, clock_now(), id);
  else tokenward_store_failed(manager, clock_now(), id);
  log_line(LOG_DEBUG, saved ? "saved" : "not saved");
}

/* Somebody must act. False: it is told once; else a token came from a file. */
static bool supplied(tokenward_reason reason) {
  uint64_t generation = 0;
  if (said == reason) return false;
  said = reason;
  tokenward_generation(manager, &generation);
  /* Where nobody has had a token or signed out; later on SIGHUP alone: what is in the file may be what an API has refused. */
  if (reason == TOKENWARD_REASON_NO_TOKEN && generation == 0 && found == TOKENWARD_FOUND_EMPTY && supply()) return true;
  log_line(LOG_ERROR, "needs you: %s; mend it, then send SIGHUP", tokenward_reason_name(reason));
  return false;
}

/* Takes signing in one step on, and says once how it ends; returns when to look again. */
static uint64_t sign_in(bool may_begin) {
  tokenward_http_answer answer;
  tokenward_device_poll_result next;
  tokenward_device_poll(device, manager, clock_now(), &next);
  if (next.next == TOKENWARD_DEVICE_SHOW) {
    const uint64_t left_s = (next.expires_at_ms - clock_now()) / 1000;
    log_line(LOG_INFO, "to sign in, enter %.*s at %.*s within %" PRIu64 " s", (int)next.user_code.len,
             (const char *)next.user_code.ptr, (int)next.verification_uri.len, (const char *)next.verification_uri.ptr, left_s);
    tokenward_device_shown(device, manager, clock_now());
  } else if (next.next == TOKENWARD_DEVICE_REQUEST) {
    /* One request at a time: what is out ends within its timeout. */
    if (!may_begin || http_result(&answer) != HTTP_IDLE) return TOKENWARD_NEVER;
    begin(TOKENWARD_GRANT_NONE);
  } else if (next.next != signing_in && next.next >= TOKENWARD_DEVICE_DONE) {
    log_line(LOG_INFO, "sign-in: %s", tokenward_device_next_name(next.next));
  }
  signing_in = next.next;
  tokenward_device_poll(device, manager, clock_now(), &next);
  return next.poll_at_ms;
}

/* Does what the core asks for until there is nothing to do at once; returns when to look again. */
static uint64_t drive(bool may_begin) {
  tokenward_http_answer answer;
  tokenward_poll_result next;
  for (;;) {
    const uint64_t now = clock_now();
    tokenward_poll(manager, now, &next);
    if (next.next == TOKENWARD_NEXT_LOAD) load(next.id);
    else if (next.next == TOKENWARD_NEXT_STORE) save(next.id);
    else if (next.next == TOKENWARD_NEXT_REQUEST && may_begin && now >= held_until &&
             !(signs_in && http_result(&answer) == HTTP_BUSY)) begin(next.grant);
    else if (next.next != TOKENWARD_NEXT_SUPPLY || !supplied(next.reason)) {
      storage_unlock(&store);
      const uint64_t again = sign_in(may_begin);
      const uint64_t then = next.changes && next.next != TOKENWARD_NEXT_REQUEST ? next.poll_at_ms : now + LONGEST_SLEEP_MS;
      return again < then ? again : then;
    }
  }
}

/* `SIGN_OUT`: the token is gone at once, and storage says so to others and to a restart. */
static size_t sign_out(char *reply, size_t capacity) {
  tokenward_device_cancel(device);
  tokenward_clear(manager);
  log_line(LOG_INFO, "signed out");
  found = TOKENWARD_FOUND_SIGNED_OUT;
  saved = false;
  drive(false);
  return (size_t)snprintf(reply, capacity, saved ? "OK\n" : "ERR not_saved\n");
}

/* `SIGN_IN`: somebody wants to; a code is asked for, in place of the one before. */
static size_t start_sign_in(char *reply, size_t capacity) {
  if (given.provider.device_path.len == 0) return (size_t)snprintf(reply, capacity, "ERR no_device_path\n");
  tokenward_device_start(device, clock_now());
  return (size_t)snprintf(reply, capacity, "OK\n");
}

/* `CODE`: what to enter where, or how signing in stands. */
static size_t code(char *reply, size_t capacity) {
  tokenward_device_poll_result now;
  tokenward_device_poll(device, manager, clock_now(), &now);
  if (now.user_code.len == 0 || now.next >= TOKENWARD_DEVICE_DONE) {
    return (size_t)snprintf(reply, capacity, "NO_CODE %s\n", tokenward_device_next_name(now.next));
  }
  const tokenward_span complete = now.verification_uri_complete.len > 0 ? now.verification_uri_complete : now.verification_uri;
  return (size_t)snprintf(reply, capacity, "CODE %" PRIu64 " %.*s %.*s %.*s\n", (now.expires_at_ms - clock_now()) / 1000,
                          (int)now.verification_uri.len, (const char *)now.verification_uri.ptr, (int)complete.len,
                          (const char *)complete.ptr, (int)now.user_code.len, (const char *)now.user_code.ptr);
}

/* Answers a client's line: see README.md. */
static size_t handle(char *line, char *reply, size_t capacity) {
  if (strcmp(line, "SIGN_OUT") == 0) return sign_out(reply, capacity);
  if (strcmp(line, "SIGN_IN") == 0) return start_sign_in(reply, capacity);
  if (strcmp(line, "CODE") == 0) return code(reply, capacity);
  char *rest = strchr(line, ' ');
  if (rest == NULL) return (size_t)snprintf(reply, capacity, "ERR bad_line\n");
  *rest++ = '\0';
  if (strcmp(line, "REJECTED") == 0) return rejected(rest, reply, capacity);
  uint64_t generation = 0;
  tokenward_generation(manager, &generation);
  const int prefix = snprintf(reply, capacity, "OK %" PRIu64 " ", generation);
  tokenward_header header;
  const int32_t code = tokenward_authorize(manager, clock_now(), tokenward_text(line), tokenward_text(rest),
                                           reply + prefix, capacity - (size_t)prefix, &header);
  if (code != TOKENWARD_OK) return (size_t)snprintf(reply, capacity, "ERR %s\n", tokenward_result_name(code));
  const size_t len = (size_t)prefix + header.len;
  reply[len] = '\n';
  return len + 1;
}

/* Runs until a signal ends it and no answer is awaited: that may carry the only refresh token. */
static void run(const sigset_t *unblocked) {
  struct pollfd fds[HTTP_SOCKETS_MAX + CLIENTS_MAX + 1];
  bool told = false;
  tokenward_http_answer answer;
  while (!ending || http_result(&answer) != HTTP_IDLE) {
    if (rereading) {
      rereading = 0;
      reread();
    }
    const uint64_t now = clock_now(), http = http_deadline(), idle = server_deadline();
    /* Whoever ends announces nothing more. */
    uint64_t until = ending ? now + LONGEST_SLEEP_MS : drive(true);
    if (http < until) until = http;
    if (idle < until) until = idle;
    uint64_t pause = until > now ? until - now : 0;
    if (pause > LONGEST_SLEEP_MS) pause = LONGEST_SLEEP_MS;
    const struct timespec timeout = { (time_t)(pause / 1000), (long)(pause % 1000) * 1000000 };
    const size_t waiting = http_fds(fds), local = server_fds(fds + waiting);
    if (ppoll(fds, waiting + local, &timeout, unblocked) < 0) {
      for (size_t i = 0; i < waiting + local; i++) fds[i].revents = 0;
    }
    http_work(fds, waiting);
    /* An answer that came in is stored before a client is served. */
    if (finish() || !ending) drive(!ending);
    server_work(fds + waiting, local);
    if (ending && !told) {
      told = true;
      notify("STOPPING=1");
    }
  }
  /* What could not be stored is stored now, if it can be. */
  if (saved) return;
  tokenward_retry(manager);
  drive(false);
}

/* Makes the manager. False: logged. */
static bool start(void) {
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = clock_now() ^ (uint64_t)getpid();
  const tokenward_config config = { .service = given.service,
                                    .site = given.site,
                                    .access_capacity = ACCESS_CAPACITY,
                                    .refresh_capacity = REFRESH_CAPACITY,
                                    .now_ms = clock_now(),
                                    .seed = seed,
                                    .storage = { .kind = &tokenward_storage_shared },
                                    .source = TOKENWARD_SOURCE_PERSON };
  int32_t code = tokenward_init(&manager, memory, sizeof memory, &config);
  if (code == TOKENWARD_OK) code = tokenward_device_init(&device, device_memory, sizeof device_memory);
  return code == TOKENWARD_OK || (log_line(LOG_ERROR, "settings: %s", tokenward_result_name(code)), false);
}

int main(int count, char **words) {
  if (count != 2 || words[1][0] == '-') {
    fprintf(stderr, "usage: tokenward-gateway SETTINGS\n");
    return EXIT_USAGE_;
  }
  /* No core file, and no other process of this user, may hold the tokens. */
  prctl(PR_SET_DUMPABLE, 0);
  setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
  if (!config_read(words[1], &given)) return EXIT_CONFIG_;
  log_set_level((log_level)given.log_level);
  sigset_t blocked, unblocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGHUP);
  sigprocmask(SIG_BLOCK, &blocked, &unblocked);
  struct sigaction action = { .sa_handler = on_signal };
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  if (!storage_open(&store, &given) || !start()) return EXIT_CONFIG_;
  if (!http_open(&given)) return EXIT_UNAVAILABLE_;
  if (!server_open(given.socket_path, handle)) return EXIT_UNAVAILABLE_;
  log_line(LOG_INFO, "serves on %s", given.socket_path);
  notify("READY=1");
  run(&unblocked);
  server_close();
  http_close();
  tokenward_wipe(memory, sizeof memory);
  tokenward_wipe(device_memory, sizeof device_memory);
  storage_close(&store);
  log_line(LOG_INFO, "ends");
  return saved ? EXIT_SUCCESS : EXIT_UNAVAILABLE_;
}
