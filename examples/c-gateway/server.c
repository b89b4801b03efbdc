/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway.h"

typedef struct {
  int fd;
  size_t len;
  char line[LINE_CAPACITY];
} client;

static client clients[CLIENTS_MAX];
static int listener = -1;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static server_handler *answer;

bool server_open(const char *path, server_handler *handler) {
  answer = handler;
  for (size_t i = 0; i < CLIENTS_MAX; i++) clients[i].fd = -1;
  if (strlen(path) >= sizeof address.sun_path) return log_line(LOG_ERROR, "settings: socket is too long"), false;
  strcpy(address.sun_path, path);
  /* What a killed process left; the lock of the state says that nobody serves there. */
  struct stat about;
  if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode)) unlink(path);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const mode_t before = umask(0117);
  const bool good = listener >= 0 && bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(listener, CLIENTS_MAX) == 0;
  const int fault = errno;
  umask(before);
  if (!good) log_line(LOG_ERROR, "cannot listen on %s: %s", path, strerror(fault));
  return good;
}

/* Ends a connection and wipes what it said. */
static void leave(client *one) {
  close(one->fd);
  tokenward_wipe(one, sizeof *one);
  one->fd = -1;
}

/* The listener stands first and is left out while all places are taken. */
size_t server_fds(struct pollfd *fds) {
  size_t count = 1;
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    if (clients[i].fd >= 0) fds[count++] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
  }
  fds[0] = (struct pollfd){ .fd = count <= CLIENTS_MAX ? listener : -1, .events = POLLIN };
  return count;
}

/* Answers every whole line. False: the client does not read its replies, or its line is too long. */
static bool serve(client *one) {
  static char reply[ACCESS_CAPACITY + 256];
  for (char *end; (end = memchr(one->line, '\n', one->len)) != NULL;) {
    *end = '\0';
    const size_t taken = (size_t)(end - one->line) + 1, len = answer(one->line, reply, sizeof reply);
    const ssize_t sent = send(one->fd, reply, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    tokenward_wipe(reply, sizeof reply);
    if (sent != (ssize_t)len) return false;
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
  if (fds[0].fd < 0 || fds[0].revents == 0) return;
  const int fd = accept(listener, NULL, NULL);
  if (fd < 0) return;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  for (size_t k = 0; k < CLIENTS_MAX; k++) {
    if (clients[k].fd < 0) {
      clients[k].fd = fd;
      return;
    }
  }
  close(fd);
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
