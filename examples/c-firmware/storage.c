/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A slot is a length and a snapshot. The seal of the snapshot tells whether it was written to its end, so there is
 * nothing to commit. */
#include "storage.h"
#include "board.h"

uint32_t storage_words_until_power_cut = UINT32_MAX;

/* Where the next snapshot goes. */
static unsigned target;

static tokenward_span stored(unsigned slot) {
  const uint8_t *const at = flash_slot(slot);
  const uint32_t len = *(const uint32_t *)(const void *)at;
  return (tokenward_span){ at + 4, len <= SLOT_SIZE - 4 ? len : 0 };
}

bool storage_load(tokenward_manager *manager, uint64_t now_ms, const uint64_t *wall_s, tokenward_span key) {
  uint64_t revisions[SLOT_COUNT];
  bool sealed[SLOT_COUNT];
  for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
    sealed[slot] = tokenward_snapshot_revision(key, stored(slot), &revisions[slot]) == TOKENWARD_OK;
  }
  unsigned slot = sealed[1] && (!sealed[0] || revisions[1] > revisions[0]);
  for (unsigned tried = 0; tried < SLOT_COUNT; tried++, slot = !slot) {
    if (sealed[slot] && tokenward_restore(manager, now_ms, wall_s, 0, key, stored(slot)) == TOKENWARD_OK) {
      target = !slot;
      return true;
    }
  }
  return false;
}

static void program(size_t offset, uint32_t word) {
  if (storage_words_until_power_cut-- == 0) board_reset();
  flash_program(target, offset, word);
}

void storage_save(const uint8_t *snapshot, size_t len) {
  flash_erase(target);
  program(0, (uint32_t)len);
  for (size_t at = 0; at < len; at += 4) {
    uint32_t word = UINT32_MAX;
    for (size_t i = 0; i < 4 && at + i < len; i++) {
      word = (word & ~((uint32_t)0xFF << 8 * i)) | (uint32_t)snapshot[at + i] << 8 * i;
    }
    program(4 + at, word);
  }
  target = !target;
}
