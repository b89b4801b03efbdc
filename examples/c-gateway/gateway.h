/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of tokenward-gateway share. One thread, no allocation of its own: libcurl allocates. */

#ifndef GATEWAY_H
#define GATEWAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tokenward/tokenward.h>

/* Bytes for tokens, and what is derived from them. */
enum {
  ACCESS_CAPACITY = 16 << 10,
  REFRESH_CAPACITY = 8 << 10,
  SNAPSHOT_CAPACITY = TOKENWARD_SNAPSHOT_BYTES(ACCESS_CAPACITY, REFRESH_CAPACITY),
  SECRET_CAPACITY = 4 << 10,
  KEY_CAPACITY = 8 << 10,
  SETTINGS_CAPACITY = 16 << 10,
  URL_CAPACITY = 2 << 10,
  /* An assertion holds the id twice, and a signature. */
  REQUEST_CAPACITY = TOKENWARD_REQUEST_BYTES(URL_CAPACITY, 7 * SECRET_CAPACITY + KEY_CAPACITY, SETTINGS_CAPACITY, REFRESH_CAPACITY),
  ANSWER_CAPACITY = 64 << 10,
  LINE_CAPACITY = 8 << 10,
  CODES_CAPACITY = 2 << 10,
  CLIENTS_MAX = 32,
  HTTP_SOCKETS_MAX = 16
};

/* sysexits.h */
enum { EXIT_USAGE_ = 64, EXIT_UNAVAILABLE_ = 69, EXIT_CONFIG_ = 78 };

/* ---- log.c: lines to standard error. Never a token, a secret or text that a server chose, but for what a person needs who
 * signs in. ---- */

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;

/* Lines above this level are left out. */
void log_set_level(log_level level);

/* Writes one line. `format` and its arguments must not carry secrets. */
void log_line(log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- config.c: settings from a file, secrets from the environment or files. ---- */

/* A secret that is read when it is needed and wiped after. */
typedef struct {
  char text[SECRET_CAPACITY];
  size_t len;
} secret;

/* What a request presents. Wipe it with tokenward_wipe() when the request is written. */
typedef struct {
  secret client_id, client_secret, username, password, bearer;
} secrets;

typedef struct {
  /* The token service as it is described, and checked; its text points into the settings file's text, which lives as
   * long as the program. */
  tokenward_provider provider;
  tokenward_policy policy;
  const tokenward_service *service;
  tokenward_span site;
  /* Paths. */
  const char *socket_path;
  const char *state_path;
  const char *snapshot_key_file;
  const char *client_id_file, *client_secret_file, *username_file, *password_file, *bearer_file;
  /* The key that the client signs its requests with, in PEM, and its name. */
  const char *key_file;
  tokenward_span key_id;
  /* The answer of the token endpoint to a login that somebody else did. */
  const char *login_file;
  /* Certificates to trust instead of the system's. */
  const char *ca_file;
  int32_t log_level;
} settings;

/* Reads the settings file. False: what is wrong is logged. Call it once. */
bool config_read(const char *path, settings *out);

/* Reads every secret that is given: from its file, else from the environment. False: logged. */
bool config_secrets(const settings *from, secrets *out);

/* Reads a private file or, without one, an environment variable. Missing both is empty. False: logged. */
bool config_secret(const char *file, const char *variable, secret *out);

/*
 * Reads a whole private file of at most `capacity - 1` bytes; `age_s` is how long ago it was written. Returns its
 * length, or -1: logged.
 */
ssize_t config_private(const char *file, char *out, size_t capacity, uint64_t *age_s);

/* ---- storage.c: a sealed snapshot in a file that several processes may share. ---- */

typedef struct {
  const char *path;
  char directory[512];
  uint8_t key[32];
  /* Of the lock while this process has it; else -1. */
  int lock_fd;
} storage;

/* Makes the file and takes the lock on it, which ends with the process. Returns its descriptor, or -1: logged. */
int lock_file(const char *path);

/* Finds or makes the key. False: logged. */
bool storage_open(storage *self, const settings *from);

/* Takes the lock, if this process has it not yet. False: logged. */
bool storage_lock(storage *self);

/* Gives it back. */
void storage_unlock(storage *self);

enum { STORAGE_EMPTY = -1, STORAGE_FAILED = -2 };

/* Reads the snapshot: its length, STORAGE_EMPTY where there is none, or STORAGE_FAILED: logged. */
ssize_t storage_read(const storage *self, uint8_t *bytes, size_t capacity);

/* Replaces the snapshot. Once it returns true that survives a power cut. False: logged. */
bool storage_write(const storage *self, const uint8_t *bytes, size_t len);

/* Wipes the key. */
void storage_close(storage *self);

/* ---- sign.c: the client's own key, by OpenSSL. ---- */

/* Gives credentials what an assertion is made of, signed where there is a key. It holds until the next call. */
int32_t sign_request(const settings *from, const tokenward_manager *manager, tokenward_credentials *credentials);

/* ---- http.c: one POST at a time over libcurl. ---- */

typedef enum { HTTP_IDLE, HTTP_BUSY, HTTP_ANSWERED, HTTP_FAILED } http_state;

/* Readies libcurl. Where loopback is allowed plain http is not refused: the core has checked that it is loopback. */
bool http_open(const settings *from);

/* Starts the request. What it points to must stay until it is over. False: nothing was sent; logged. */
bool http_start(const tokenward_request *request);

/* Appends what libcurl waits for to `fds`; returns how many. At most HTTP_SOCKETS_MAX. */
size_t http_fds(struct pollfd *fds);

/* The instant at which libcurl wants to be called, or TOKENWARD_NEVER. */
uint64_t http_deadline(void);

/* Lets libcurl work after poll(2). */
void http_work(const struct pollfd *fds, size_t count);

/* How the request stands. HTTP_ANSWERED: `out` is filled in, but for the time; it points here until http_finish(). */
http_state http_result(tokenward_http_answer *out);

/* Ends the request and wipes what was received. */
void http_finish(void);

/* Frees libcurl. */
void http_close(void);

/* ---- server.c: local clients on a Unix socket. ---- */

/* Answers one line: writes the reply with its newline into `reply` and returns its length. */
typedef size_t server_handler(char *line, char *reply, size_t capacity);

/* Listens, unless another process serves there. False: logged. */
bool server_open(const char *path, server_handler *handler);

/* Appends what is to be waited for to `fds`; returns how many: at most CLIENTS_MAX + 1. */
size_t server_fds(struct pollfd *fds);

/* The instant at which a connection has been idle for too long, or TOKENWARD_NEVER. */
uint64_t server_deadline(void);

/* Reads, answers, ends what is idle and accepts after poll(2): `fds` as server_fds() filled them. */
void server_work(const struct pollfd *fds, size_t count);

/* Ends every connection and removes the socket. */
void server_close(void);

/* ---- main.c ---- */

/* Milliseconds since boot, sleep included. */
uint64_t clock_now(void);

/* Unix seconds; NULL where the clock has plainly not been set. Valid until the next call. */
const uint64_t *clock_wall(void);

#endif
