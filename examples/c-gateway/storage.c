/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * STATE holds the snapshot. A write makes STATE.new, flushes it, renames it over STATE and flushes the directory: a kill or a
 * power cut at any instant leaves the old one or the new one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

/* Nobody needs the lock for longer than a write takes: whoever keeps it for as long as this is stuck. */
enum { PATIENCE_MS = 1000, PAUSE_MS = 10 };

enum { FRESH_CAPACITY = 512 + 32 };

/*
 * A file beside the state that this call has made; its name goes to `name`. What lies at STATE.new may be a link, or open to
 * others, or not ours to remove: it is never written to. Returns the descriptor, or -1 with errno.
 */
static int fresh(const storage *self, char name[FRESH_CAPACITY]) {
  enum { MADE_BY_US = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
  uint64_t number = 0;
  snprintf(name, FRESH_CAPACITY, "%s.new", self->path);
  unlink(name);
  const int fd = open(name, MADE_BY_US, 0600);
  if (fd >= 0 || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return fd;
  snprintf(name, FRESH_CAPACITY, "%s.new-%016llx", self->path, (unsigned long long)number);
  return open(name, MADE_BY_US, 0600);
}

/* Writes all of it to a fresh file, flushes, renames to `path`, flushes the directory. False with errno. */
static bool replace(const storage *self, const char *path, const uint8_t *bytes, size_t len) {
  char name[FRESH_CAPACITY];
  int fd = fresh(self, name);
  if (fd < 0) return false;
  bool good = true;
  for (size_t done = 0; good && done < len;) {
    ssize_t put = write(fd, bytes + done, len - done);
    if (put > 0) done += (size_t)put;
    else good = put < 0 && errno == EINTR;
  }
  good = good && fsync(fd) == 0;
  int fault = errno;
  if (close(fd) != 0 && good) good = false, fault = errno;
  if (good && rename(name, path) != 0) good = false, fault = errno;
  if (!good) {
    /* Half a token is of no use, and on a full disk in the way. */
    unlink(name);
    errno = fault;
    return false;
  }
  int directory = open(self->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  good = fsync(directory) == 0;
  fault = errno;
  close(directory);
  errno = fault;
  return good;
}

/* Reads 64 hexadecimal digits that are not all zeros. */
static bool key_from(const secret *given, uint8_t key[32]) {
  if (given->len != 64 || strspn(given->text, "0") == 64) return false;
  for (size_t i = 0; i < 64; i++) {
    const char digit = given->text[i];
    if (!isxdigit((unsigned char)digit)) return false;
    const int value = isdigit((unsigned char)digit) ? digit - '0' : (digit | 32) - 'a' + 10;
    key[i / 2] = (uint8_t)(key[i / 2] << 4 | value);
  }
  return true;
}

/* The key from its file or the environment; else from STATE.key, which is made where there is no snapshot yet. */
static bool find_key(storage *self, const settings *from) {
  static secret given;
  char own[512];
  snprintf(own, sizeof own, "%s.key", from->state_path);
  if (!config_secret(from->snapshot_key_file, "TOKENWARD_SNAPSHOT_KEY", &given)) return false;
  if (given.len == 0 && access(own, F_OK) == 0 && !config_secret(own, "", &given)) return false;
  if (given.len == 0) {
    if (access(self->path, F_OK) == 0) {
      return log_line(LOG_ERROR, "%s is missing, so that %s cannot be checked", own, self->path), false;
    }
    if (getrandom(self->key, sizeof self->key, 0) != (ssize_t)sizeof self->key) {
      return log_line(LOG_ERROR, "no random numbers for a key"), false;
    }
    for (size_t i = 0; i < sizeof self->key; i++) snprintf(given.text + 2 * i, 3, "%02x", self->key[i]);
    given.text[64] = '\n';
    given.len = 64;
    if (!replace(self, own, (const uint8_t *)given.text, 65)) {
      return log_line(LOG_ERROR, "cannot write %s: %s", own, strerror(errno)), false;
    }
  }
  const bool good = key_from(&given, self->key);
  tokenward_wipe(&given, sizeof given);
  if (!good) log_line(LOG_ERROR, "the snapshot key is not 64 hexadecimal digits, or all of them are zeros");
  return good;
}

/* The descriptor of the locked file, which is made; -1 with errno: EWOULDBLOCK where another process has it. */
static int locked(const char *path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int fault = errno;
  close(fd);
  errno = fault;
  return -1;
}

static int not_locked(const char *path) {
  log_line(LOG_ERROR, "cannot lock %s: %s", path, errno == EWOULDBLOCK ? "another process has it" : strerror(errno));
  return -1;
}

int lock_file(const char *path) {
  const int fd = locked(path);
  return fd < 0 ? not_locked(path) : fd;
}

/* The lock is opened each time: a folder that is missing is found out, and not taken for an empty one. */
bool storage_lock(storage *self) {
  const struct timespec pause = { 0, PAUSE_MS * 1000000L };
  char lock[512];
  snprintf(lock, sizeof lock, "%s.lock", self->path);
  for (const uint64_t since = clock_now(); self->lock_fd < 0; nanosleep(&pause, NULL)) {
    self->lock_fd = locked(lock);
    if (self->lock_fd < 0 && (errno != EWOULDBLOCK || clock_now() - since > PATIENCE_MS)) break;
  }
  return self->lock_fd >= 0 || not_locked(lock) >= 0;
}

void storage_unlock(storage *self) {
  if (self->lock_fd >= 0) close(self->lock_fd);
  self->lock_fd = -1;
}

bool storage_open(storage *self, const settings *from) {
  const char *slash = strrchr(from->state_path, '/');
  *self = (storage){ .path = from->state_path, .lock_fd = -1 };
  if (strlen(self->path) > 480) return log_line(LOG_ERROR, "settings: state is too long"), false;
  snprintf(self->directory, sizeof self->directory, "%.*s", slash == NULL ? 1 : (int)(slash - self->path) + 1,
           slash == NULL ? "." : self->path);
  const bool found = storage_lock(self) && find_key(self, from);
  storage_unlock(self);
  return found;
}

ssize_t storage_read(const storage *self, uint8_t *bytes, size_t capacity) {
  const int fd = open(self->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return STORAGE_EMPTY;
  const ssize_t len = fd < 0 ? -1 : read(fd, bytes, capacity);
  if (len < 0) log_line(LOG_ERROR, "cannot read %s: %s", self->path, strerror(errno));
  if (fd >= 0) close(fd);
  return len < 0 ? STORAGE_FAILED : len;
}

bool storage_write(const storage *self, const uint8_t *bytes, size_t len) {
  if (replace(self, self->path, bytes, len)) return true;
  return log_line(LOG_ERROR, "cannot save %s: %s; make room there", self->path, strerror(errno)), false;
}

void storage_close(storage *self) {
  storage_unlock(self);
  tokenward_wipe(self->key, sizeof self->key);
}
