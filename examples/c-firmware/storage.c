/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A slot is a length and a snapshot. The seal of the snapshot tells whether it was written to its end, so there is
 * nothing to commit. */
#include "storage.h"

uint32_t storage_words_until_power_cut = UINT32_MAX;

void storage_read(tokenward_span slots[SLOT_COUNT]) {
  for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
    const uint8_t *const at = flash_slot(slot);
    const uint32_t len = *(const uint32_t *)(const void *)at;
    slots[slot] = (tokenward_span){ len == UINT32_MAX ? NULL : at + 4, len <= SLOT_SIZE - 4 ? len : 0 };
  }
}

static void program(unsigned slot, size_t offset, uint32_t word) {
  if (storage_words_until_power_cut-- == 0) board_reset();
  flash_program(slot, offset, word);
}

void storage_write(unsigned slot, const uint8_t *snapshot, size_t len) {
  flash_erase(slot);
  program(slot, 0, (uint32_t)len);
  for (size_t at = 0; at < len; at += 4) {
    uint32_t word = UINT32_MAX;
    for (size_t i = 0; i < 4 && at + i < len; i++) {
      word = (word & ~((uint32_t)0xFF << 8 * i)) | (uint32_t)snapshot[at + i] << 8 * i;
    }
    program(slot, 4 + at, word);
  }
}
