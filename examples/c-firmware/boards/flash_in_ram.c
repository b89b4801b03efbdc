/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Flash for boards whose own QEMU does not model: memory outside the image, which a reset keeps. */
#include "start.h"

extern uint32_t flash_start[];

const uint8_t *flash_slot(unsigned slot) { return (const uint8_t *)flash_start + slot * SLOT_SIZE; }

void flash_erase(unsigned slot) {
  volatile uint32_t *word = flash_start + slot * SLOT_SIZE / 4;
  for (size_t i = 0; i < SLOT_SIZE / 4; i++) word[i] = UINT32_MAX;
}

void flash_program(unsigned slot, size_t offset, uint32_t word) {
  volatile uint32_t *const at = flash_start + (slot * SLOT_SIZE + offset) / 4;
  *at &= word;
}
