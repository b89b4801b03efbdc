/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway.h"

/* A connection that asks nothing for this long is ended. */
enum { IDLE_MS = 10000 };

/* A place for a connection. */
typedef struct {
  int fd;
  /* The instant of its last answer, or of its beginning, and how many there had been by then; 0 in a free place. */
  uint64_t since, turn;
  size_t len;
  char line[LINE_CAPACITY];
} client;

static client clients[CLIENTS_MAX];
static uint64_t turns;
static int listener = -1;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static server_handler *answer;

/* Whether somebody listens at the address: what a killed process left refuses. */
static bool is_served(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool refused = connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED;
  close(fd);
  return !refused;
}

bool server_open(const char *path, server_handler *handler) {
  char lock[sizeof address.sun_path + 8];
  answer = handler;
  for (size_t i = 0; i < CLIENTS_MAX; i++) clients[i].fd = -1;
  if (strlen(path) >= sizeof address.sun_path) return log_line(LOG_ERROR, "settings: socket is too long"), false;
  strcpy(address.sun_path, path);
  snprintf(lock, sizeof lock, "%s.lock", path);
  /* Of two that start together only one may look at what a killed process left. */
  if (lock_file(lock) < 0) return false;
  struct stat about;
  if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode)) {
    if (is_served()) return log_line(LOG_ERROR, "cannot listen on %s: another process serves there", path), false;
    unlink(path);
  }
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const mode_t before = umask(0117);
  const bool good = listener >= 0 && bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(listener, SOMAXCONN) == 0;
  const int fault = errno;
  umask(before);
  if (!good) log_line(LOG_ERROR, "cannot listen on %s: %s", path, strerror(fault));
  return good;
}

/* Lets a connection be the one that is idle for the shortest time. */
static void is_busy(client *one) {
  one->since = clock_now();
  one->turn = ++turns;
}

/* Ends a connection and wipes what it said. */
static void leave(client *one) {
  close(one->fd);
  tokenward_wipe(one, sizeof *one);
  one->fd = -1;
}

/* The listener stands first. */
size_t server_fds(struct pollfd *fds) {
  size_t count = 0;
  fds[count++] = (struct pollfd){ .fd = listener, .events = POLLIN };
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    if (clients[i].fd >= 0) fds[count++] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
  }
  return count;
}

uint64_t server_deadline(void) {
  uint64_t first = TOKENWARD_NEVER;
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    if (clients[i].fd >= 0 && clients[i].since + IDLE_MS < first) first = clients[i].since + IDLE_MS;
  }
  return first;
}

/* Answers every whole line. False: the client does not read its replies, or its line is too long. */
static bool serve(client *one) {
  static char reply[TOKENWARD_HEADER_BYTES(ACCESS_CAPACITY) + 256];
  for (char *end; (end = memchr(one->line, '\n', one->len)) != NULL;) {
    *end = '\0';
    const size_t taken = (size_t)(end - one->line) + 1, len = answer(one->line, reply, sizeof reply);
    const ssize_t sent = send(one->fd, reply, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    tokenward_wipe(reply, sizeof reply);
    if (sent != (ssize_t)len) return false;
    is_busy(one);
    memmove(one->line, one->line + taken, one->len -= taken);
  }
  return one->len < sizeof one->line;
}

/* Reads what is there once. False: the connection is over. */
static bool read_from(client *one) {
  const ssize_t got = recv(one->fd, one->line + one->len, sizeof one->line - one->len, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  one->len += (size_t)got;
  return got > 0 && serve(one);
}

void server_work(const struct pollfd *fds, size_t count) {
  for (size_t i = 1; i < count; i++) {
    for (size_t k = 0; k < CLIENTS_MAX && fds[i].revents != 0; k++) {
      if (clients[k].fd == fds[i].fd) {
        if (!read_from(&clients[k])) leave(&clients[k]);
        break;
      }
    }
  }
  const uint64_t now = clock_now();
  /* A free place, or that of the connection that has been idle for the longest time. */
  client *place = clients;
  for (size_t k = 0; k < CLIENTS_MAX; k++) {
    if (clients[k].fd >= 0 && now - clients[k].since >= IDLE_MS) leave(&clients[k]);
    if (clients[k].turn < place->turn) place = &clients[k];
  }
  const int fd = fds[0].revents == 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  if (place->fd >= 0) leave(place);
  place->fd = fd;
  is_busy(place);
}

void server_close(void) {
  for (size_t k = 0; k < CLIENTS_MAX; k++) {
    if (clients[k].fd >= 0) leave(&clients[k]);
  }
  if (listener >= 0) {
    close(listener);
    unlink(address.sun_path);
  }
}
