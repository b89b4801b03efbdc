/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ends a program of the guide that does not do what it says. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1); \
    } \
  } while (0)
