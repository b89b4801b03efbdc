/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sealed snapshots in two slots of flash. */
#ifndef STORAGE_H
#define STORAGE_H

#include <tokenward/tokenward.h>

/* Takes the newer snapshot into the manager, or the other one where that is refused. False: neither is taken. */
bool storage_load(tokenward_manager *manager, uint64_t now_ms, const uint64_t *wall_s, tokenward_span key);

/* Writes a snapshot to the slot that does not hold the newest. A power cut leaves that one. */
void storage_save(const uint8_t *snapshot, size_t len);

/* For tests: the power is cut before the word of this number is written. */
extern uint32_t storage_words_until_power_cut;

#endif
