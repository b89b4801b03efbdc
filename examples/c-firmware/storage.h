/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sealed snapshots in slots of flash: the core says when each is read and written. */
#ifndef STORAGE_H
#define STORAGE_H

#include "board.h"
#include <tokenward/tokenward.h>

/* What is in each slot, whole or not; nothing in one that is erased. */
void storage_read(tokenward_span slots[SLOT_COUNT]);

/* Writes a snapshot to a slot. A power cut tears that one and leaves the other. */
void storage_write(unsigned slot, const uint8_t *snapshot, size_t len);

/* For tests: the power is cut before the word of this number is written. */
extern uint32_t storage_words_until_power_cut;

#endif
