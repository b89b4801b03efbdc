/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* BBC micro:bit, nRF51822: Cortex-M0, 16 KB of RAM. The slots are two pages of its flash. */
#include "cortex_m.h"

#define UART 0x40002000u
#define TIMER0 0x40008000u
#define NVMC 0x4001E000u

const char board_name[] = "microbit";

void on_tick(void) {
  *reg(TIMER0 + 0x140) = 0; /* EVENTS_COMPARE[0] */
  /* The counter goes on: no tick is lost where the interrupt comes late. */
  do {
    ticks++;
    *reg(TIMER0 + 0x540) += 1000;
    *reg(TIMER0 + 0x044) = 1; /* CAPTURE[1] */
  } while ((int32_t)(*reg(TIMER0 + 0x544) - *reg(TIMER0 + 0x540)) >= 0);
}

void board_start(void) {
  *reg(UART + 0x50C) = 24; /* PSELTXD and PSELRXD: the USB side of the board */
  *reg(UART + 0x514) = 25;
  *reg(UART + 0x524) = 0x01D7E000; /* 115200 */
  *reg(UART + 0x500) = 4;
  *reg(UART + 0x000) = 1; /* STARTRX, STARTTX */
  *reg(UART + 0x008) = 1;
  *reg(TIMER0 + 0x508) = 3; /* 32 bits */
  *reg(TIMER0 + 0x510) = 4; /* 1 MHz */
  *reg(TIMER0 + 0x540) = 1000;
  *reg(TIMER0 + 0x304) = 1 << 16;
  *reg(TIMER0 + 0x000) = 1;
  *reg(0xE000E100) = 1 << 8; /* NVIC: interrupt 8 */
}

void board_send(uint8_t byte) {
  *reg(UART + 0x11C) = 0;
  *reg(UART + 0x51C) = byte;
  while (*reg(UART + 0x11C) == 0) {
  }
}

bool board_receive(uint8_t *byte) {
  if (*reg(UART + 0x108) == 0) return false;
  *reg(UART + 0x108) = 0;
  *byte = (uint8_t)*reg(UART + 0x518);
  return true;
}

/* Pages of 1 KB at the end of flash. */
static uintptr_t page(unsigned slot) { return 0x40000 - SLOT_COUNT * SLOT_SIZE + slot * SLOT_SIZE; }

static void nvmc_wait(void) {
  while (*reg(NVMC + 0x400) == 0) {
  }
}

const uint8_t *flash_slot(unsigned slot) { return (const uint8_t *)page(slot); }

void flash_erase(unsigned slot) {
  *reg(NVMC + 0x504) = 2;
  *reg(NVMC + 0x508) = (uint32_t)page(slot);
  nvmc_wait();
  *reg(NVMC + 0x504) = 0;
}

void flash_program(unsigned slot, size_t offset, uint32_t word) {
  *reg(NVMC + 0x504) = 1;
  *reg(page(slot) + offset) = word;
  nvmc_wait();
  *reg(NVMC + 0x504) = 0;
}
