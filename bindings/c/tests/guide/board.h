/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the guide's loop and slots need of a board: one task, a key, and flash that is read; a test writes and erases it. */
#include <string.h>

#include "check.h"
#include "loop.c"
#include "slots.c"

static uint8_t flash[SLOTS][SLOT_BYTES];
static uint8_t buf[SLOTS * SLOT_BYTES];

void token_lock(void) {}
void token_unlock(void) {}

tokenward_span snapshot_key(void) {
  static const uint8_t key[32] = { 1, 2, 3 };
  return (tokenward_span){ key, sizeof key };
}

/* Whether flash can be read. */
static bool readable = true;

bool flash_read(int slot, uint8_t *bytes, size_t len) {
  memcpy(bytes, flash[slot], len);
  return readable;
}
