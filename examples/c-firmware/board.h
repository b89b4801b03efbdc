/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a board gives the application. Each file in boards/ is one of them. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the counter of milliseconds starts: a run of some seconds sees it wrap. */
#define FIRST_TICK ((uint32_t)0 - 3000)

extern const char board_name[];

/* Starts the UART and the tick. */
void board_start(void);
void board_send(uint8_t byte);
/* False: nothing came in. */
bool board_receive(uint8_t *byte);
/* Milliseconds, 32 bits. */
uint32_t board_ticks(void);
/* Until the next tick. */
void board_sleep(void);
void board_reset(void) __attribute__((noreturn));

/* Flash: two slots of SLOT_SIZE bytes, each erased as one. Erased bytes are 0xFF, programming clears bits. */
#define SLOT_SIZE 1024
#define SLOT_COUNT 2
const uint8_t *flash_slot(unsigned slot);
void flash_erase(unsigned slot);
void flash_program(unsigned slot, size_t offset, uint32_t word);

/* The most bytes of stack in use since the start, and how many there are. */
uint32_t stack_used(void);
uint32_t stack_size(void);

#endif
