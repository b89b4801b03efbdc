/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway.h"

static CURLM *multi;
static CURL *easy;
static struct curl_slist *fields;
static struct pollfd sockets[HTTP_SOCKETS_MAX];
static size_t socket_count;
static uint64_t deadline = TOKENWARD_NEVER;
static http_state state;
static bool loopback_http;
static const char *ca_file;
static long timeout;
static uint8_t body[ANSWER_CAPACITY];
static size_t body_len;
static bool cut;

/* libcurl says what to wait for on a socket. */
static int on_socket(CURL *handle, curl_socket_t fd, int what, void *own, void *per_socket) {
  (void)handle, (void)own, (void)per_socket;
  size_t i = 0;
  while (i < socket_count && sockets[i].fd != fd) i++;
  if (what == CURL_POLL_REMOVE) {
    if (i < socket_count) sockets[i] = sockets[--socket_count];
    return 0;
  }
  if (i == HTTP_SOCKETS_MAX) return -1;
  if (i == socket_count) socket_count++;
  const short events = (short)(((what & CURL_POLL_IN) ? POLLIN : 0) | ((what & CURL_POLL_OUT) ? POLLOUT : 0));
  sockets[i] = (struct pollfd){ .fd = fd, .events = events };
  return 0;
}

/* libcurl says when it wants to be called. */
static int on_timer(CURLM *handle, long milliseconds, void *own) {
  (void)handle, (void)own;
  deadline = milliseconds < 0 ? TOKENWARD_NEVER : clock_now() + (uint64_t)milliseconds;
  return 0;
}

/* Keeps what fits: a body that is longer ends here and is handed on cut off. */
static size_t on_body(char *bytes, size_t one, size_t count, void *own) {
  (void)own;
  const size_t room = sizeof body - body_len, len = one * count;
  memcpy(body + body_len, bytes, len < room ? len : room);
  body_len += len < room ? len : room;
  cut = cut || len > room;
  return cut ? 0 : len;
}

bool http_open(const settings *from) {
  const uint64_t timeout_ms = from->policy.response_timeout_ms;
  loopback_http = from->provider.loopback_http != NULL;
  ca_file = from->ca_file;
  timeout = timeout_ms < 600000 ? (long)timeout_ms : 600000;
  /* Whoever reads that file reads what TLS has carried. */
  unsetenv("SSLKEYLOGFILE");
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (multi = curl_multi_init()) == NULL) {
    return log_line(LOG_ERROR, "libcurl does not start"), false;
  }
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  return true;
}

/* Adds a header field; libcurl copies it. */
static bool field(const char *name, tokenward_span value) {
  static char line[SECRET_CAPACITY * 4];
  if (value.len == 0) return true;
  const int len = snprintf(line, sizeof line, "%s: %.*s", name, (int)value.len, (const char *)value.ptr);
  struct curl_slist *more = len > 0 && (size_t)len < sizeof line ? curl_slist_append(fields, line) : NULL;
  tokenward_wipe(line, sizeof line);
  if (more != NULL) fields = more;
  return more != NULL;
}

/* The service's own fields: lines of `name: value`, each ended by CR and LF. */
static bool lines(tokenward_span all) {
  const char *at = (const char *)all.ptr;
  const char *const end = all.len > 0 ? at + all.len : at;
  while (at < end) {
    const size_t len = (size_t)((const char *)memchr(at, '\r', (size_t)(end - at)) - at);
    static char line[SECRET_CAPACITY * 4];
    if (len >= sizeof line) return false;
    memcpy(line, at, len);
    line[len] = '\0';
    struct curl_slist *more = curl_slist_append(fields, line);
    tokenward_wipe(line, sizeof line);
    if (more == NULL) return false;
    fields = more;
    at += len + 2;
  }
  return true;
}

bool http_start(const tokenward_request *request) {
  char url[URL_CAPACITY];
  if (request->url.len >= sizeof url) return log_line(LOG_ERROR, "the token endpoint's URL is too long"), false;
  memcpy(url, request->url.ptr, request->url.len);
  url[request->url.len] = '\0';
  easy = curl_easy_init();
  const struct curl_slist *expect = easy == NULL ? NULL : (fields = curl_slist_append(NULL, "Expect:"));
  if (expect == NULL || !field("Authorization", request->authorization) || !field("Accept", request->accept) ||
      !field("Accept-Encoding", request->accept_encoding) || !field("Content-Type", request->content_type) ||
      !lines(request->fields)) {
    http_finish();
    return log_line(LOG_ERROR, "the request does not fit"), false;
  }
  const bool plain = strncasecmp(url, "http://", 7) == 0;
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)request->body.ptr);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, loopback_http ? "http,https" : "https");
  if (ca_file != NULL) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  }
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  /* A request that goes out late may meet that of another process: nothing is sent after a quarter of the time. */
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (timeout + 3) / 4);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  /* libcurl sends a request again when a connection that it kept turns out dead: a refresh token goes out once. */
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  /* Loopback never goes through a proxy of the environment. */
  if (plain) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  body_len = 0;
  cut = false;
  state = HTTP_BUSY;
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) {
    http_finish();
    return log_line(LOG_ERROR, "libcurl takes no request"), false;
  }
  return true;
}

size_t http_fds(struct pollfd *fds) {
  memcpy(fds, sockets, socket_count * sizeof *fds);
  return socket_count;
}

uint64_t http_deadline(void) { return deadline; }

void http_work(const struct pollfd *fds, size_t count) {
  int running;
  if (deadline <= clock_now()) {
    deadline = TOKENWARD_NEVER;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  for (size_t i = 0; i < count; i++) {
    const short seen = fds[i].revents;
    if (seen == 0) continue;
    const int mask = ((seen & (POLLIN | POLLHUP)) ? CURL_CSELECT_IN : 0) | ((seen & POLLOUT) ? CURL_CSELECT_OUT : 0) |
                     ((seen & (POLLERR | POLLNVAL)) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(multi, fds[i].fd, mask, &running);
  }
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    state = code == CURLE_OK || (code == CURLE_WRITE_ERROR && cut) ? HTTP_ANSWERED : HTTP_FAILED;
    if (state == HTTP_FAILED) log_line(LOG_WARN, "no answer: %s", curl_easy_strerror(code));
  }
}

http_state http_result(tokenward_http_answer *out) {
  if (state != HTTP_ANSWERED) return state;
  static char retry_after[256];
  long status = 0;
  struct curl_header *line;
  size_t len = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  /* All lines of it, with a line feed between them: the longest wait counts. */
  for (size_t i = 0; curl_easy_header(easy, "Retry-After", i, CURLH_HEADER, -1, &line) == CURLHE_OK; i++) {
    const int more = snprintf(retry_after + len, sizeof retry_after - len, i == 0 ? "%s" : "\n%s", line->value);
    if (more > 0 && (size_t)more < sizeof retry_after - len) len += (size_t)more;
  }
  *out = (tokenward_http_answer){ .body = { body, body_len },
                                  .retry_after = { (const uint8_t *)retry_after, len },
                                  .status = (uint16_t)status };
  return state;
}

void http_finish(void) {
  if (easy != NULL) {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    easy = NULL;
  }
  for (struct curl_slist *one = fields; one != NULL; one = one->next) tokenward_wipe(one->data, strlen(one->data));
  curl_slist_free_all(fields);
  fields = NULL;
  tokenward_wipe(body, sizeof body);
  body_len = 0;
  state = HTTP_IDLE;
}

void http_close(void) {
  http_finish();
  curl_multi_cleanup(multi);
  curl_global_cleanup();
}
