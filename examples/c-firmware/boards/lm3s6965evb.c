/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stellaris LM3S6965: Cortex-M3, PL011. */
#include "cortex_m.h"

#define UART0 0x4000C000u

const char board_name[] = "lm3s6965evb";

void on_tick(void) { ticks++; }

void board_start(void) {
  *reg(0x400FE104) |= 1;     /* RCGC1: a clock for UART0 */
  *reg(UART0 + 0x2C) = 0x70; /* 8 bits, FIFOs */
  *reg(UART0 + 0x30) = 0x301;
  systick_start(12500000);
}

void board_send(uint8_t byte) {
  while (*reg(UART0 + 0x18) & 0x20) {
  }
  *reg(UART0) = byte;
}

bool board_receive(uint8_t *byte) {
  if (*reg(UART0 + 0x18) & 0x10) return false;
  *byte = (uint8_t)*reg(UART0);
  return true;
}
