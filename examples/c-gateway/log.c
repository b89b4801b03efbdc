/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "gateway.h"

static log_level most = LOG_INFO;

void log_set_level(log_level level) { most = level; }

void log_line(log_level level, const char *format, ...) {
  static const char *const names[] = { "error", "warn", "info", "debug" };
  if (level > most) return;
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  fprintf(stderr, "%s: %s\n", names[level], line);
}
