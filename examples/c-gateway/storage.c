/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * STATE.a and STATE.b hold the last two snapshots. A save writes STATE.new, flushes it, renames it over the older
 * slot and flushes the directory: a kill or a power cut at any instant leaves the newer slot whole.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway.h"

/* Holds tokens between a read or write and the wipe behind it. */
static uint8_t buffer[SNAPSHOT_CAPACITY];

static tokenward_span key_of(const storage *self) { return (tokenward_span){ self->key, sizeof self->key }; }

enum { FRESH_CAPACITY = 512 + 32 };

/*
 * A file beside the state that this call has made; its name goes to `name`. What lies at STATE.new may be a link, or open to
 * others, or not ours to remove: it is never written to. Returns the descriptor, or -1 with errno.
 */
static int fresh(const storage *self, char name[FRESH_CAPACITY]) {
  enum { MADE_BY_US = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
  uint64_t number = 0;
  snprintf(name, FRESH_CAPACITY, "%s", self->fresh);
  unlink(name);
  const int fd = open(name, MADE_BY_US, 0600);
  if (fd >= 0 || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return fd;
  snprintf(name, FRESH_CAPACITY, "%s-%016llx", self->fresh, (unsigned long long)number);
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

/* The key from its file or the environment; else from STATE.key, which is made where there is no slot yet. */
static bool find_key(storage *self, const settings *from) {
  static secret given;
  char own[512];
  snprintf(own, sizeof own, "%s.key", from->state_path);
  if (!config_secret(from->snapshot_key_file, "TOKENWARD_SNAPSHOT_KEY", &given)) return false;
  if (given.len == 0 && access(own, F_OK) == 0 && !config_secret(own, "", &given)) return false;
  if (given.len == 0) {
    if (access(self->slot[0], F_OK) == 0 || access(self->slot[1], F_OK) == 0) {
      return log_line(LOG_ERROR, "%s is missing, so that the slots cannot be checked", own), false;
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

int lock_file(const char *path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  log_line(LOG_ERROR, "cannot lock %s: %s", path, errno == EWOULDBLOCK ? "another process has it" : strerror(errno));
  if (fd >= 0) close(fd);
  return -1;
}

bool storage_open(storage *self, const settings *from) {
  const char *state = from->state_path;
  char lock[512];
  memset(self, 0, sizeof *self);
  self->lock_fd = -1;
  if (strlen(state) > 480) return log_line(LOG_ERROR, "settings: state is too long"), false;
  snprintf(self->slot[0], sizeof self->slot[0], "%s.a", state);
  snprintf(self->slot[1], sizeof self->slot[1], "%s.b", state);
  snprintf(self->fresh, sizeof self->fresh, "%s.new", state);
  snprintf(lock, sizeof lock, "%s.lock", state);
  const char *slash = strrchr(state, '/');
  snprintf(self->directory, sizeof self->directory, "%.*s", slash == NULL ? 1 : (int)(slash - state) + 1,
           slash == NULL ? "." : state);
  self->lock_fd = lock_file(lock);
  return self->lock_fd >= 0 && find_key(self, from);
}

/* Restores one slot; TOKENWARD_ERR_NO_SUCH_ITEM where there is no file. */
static int32_t restore(const storage *self, int slot, tokenward_manager *manager) {
  int fd = open(self->slot[slot], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? TOKENWARD_ERR_NO_SUCH_ITEM : TOKENWARD_ERR_INVALID_SNAPSHOT;
  size_t len = 0;
  ssize_t got;
  while (len < sizeof buffer && ((got = read(fd, buffer + len, sizeof buffer - len)) > 0 || (got < 0 && errno == EINTR))) {
    if (got > 0) len += (size_t)got;
  }
  close(fd);
  const int32_t result = tokenward_restore(manager, clock_now(), clock_wall(), self->floor, key_of(self),
                                           (tokenward_span){ buffer, len });
  tokenward_wipe(buffer, sizeof buffer);
  return result;
}

/* The slot that was written last, by its time: a hint, the core compares revisions. */
static int later(const storage *self) {
  struct stat a, b;
  if (stat(self->slot[1], &b) != 0) return 0;
  if (stat(self->slot[0], &a) != 0) return 1;
  if (a.st_mtim.tv_sec != b.st_mtim.tv_sec) return b.st_mtim.tv_sec > a.st_mtim.tv_sec;
  return b.st_mtim.tv_nsec > a.st_mtim.tv_nsec;
}

load_result storage_load(storage *self, tokenward_manager *manager) {
  load_result loaded = LOAD_NONE;
  int broken = 0;
  const int first = later(self);
  for (int i = 0; i < 2; i++) {
    const int slot = i == 0 ? first : 1 - first;
    const int32_t result = restore(self, slot, manager);
    if (result == TOKENWARD_OK) {
      tokenward_unpersisted_result state;
      self->newest = slot;
      loaded = LOAD_DONE;
      /* From here on the other slot counts only if it is newer, in a reload too. */
      if (tokenward_unpersisted(manager, TOKENWARD_SNAPSHOT_ALL, &state) == TOKENWARD_OK) self->floor = state.revision;
    } else if (result != TOKENWARD_ERR_NO_SUCH_ITEM && result != TOKENWARD_ERR_STALE_SNAPSHOT) {
      log_line(LOG_WARN, "%s: %s", self->slot[slot], tokenward_result_name(result));
      broken++;
    }
  }
  if (loaded == LOAD_NONE && broken > 0) {
    return log_line(LOG_ERROR, "no slot can be used: mend the key, or delete both to start anew"), LOAD_FAILED;
  }
  return loaded;
}

bool storage_save(storage *self, tokenward_manager *manager) {
  tokenward_unpersisted_result state;
  if (tokenward_unpersisted(manager, TOKENWARD_SNAPSHOT_ALL, &state) != TOKENWARD_OK) return false;
  if (!state.due) return true;
  size_t len = 0;
  const int32_t result = tokenward_snapshot(manager, clock_now(), clock_wall(), TOKENWARD_SNAPSHOT_ALL, key_of(self),
                                            buffer, sizeof buffer, &len);
  const int slot = 1 - self->newest;
  const bool good = result == TOKENWARD_OK && replace(self, self->slot[slot], buffer, len);
  const int fault = errno;
  tokenward_wipe(buffer, sizeof buffer);
  if (!good) {
    log_line(LOG_WARN, "cannot save %s: %s", self->slot[slot],
             result == TOKENWARD_OK ? strerror(fault) : tokenward_result_name(result));
    return false;
  }
  self->newest = slot;
  self->floor = state.revision;
  log_line(LOG_DEBUG, "saved revision %llu", (unsigned long long)state.revision);
  return tokenward_persisted(manager, TOKENWARD_SNAPSHOT_ALL, state.revision) == TOKENWARD_OK;
}

void storage_close(storage *self) {
  tokenward_wipe(self->key, sizeof self->key);
  if (self->lock_fd >= 0) close(self->lock_fd);
  self->lock_fd = -1;
}
