/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arm MPS2 with the images AN386 (Cortex-M4) and AN505 (Cortex-M33, secure state): CMSDK UART. */
#include "cortex_m.h"

#ifdef AN505
#define UART0 0x50200000u
#define CLOCK_HZ 20000000u
const char board_name[] = "mps2-an505";
#else
#define UART0 0x40004000u
#define CLOCK_HZ 25000000u
const char board_name[] = "mps2-an386";
#endif

void on_tick(void) { ticks++; }

void board_start(void) {
  *reg(UART0 + 0x10) = CLOCK_HZ / 115200;
  *reg(UART0 + 0x08) = 3;
  systick_start(CLOCK_HZ);
}

void board_send(uint8_t byte) {
  while (*reg(UART0 + 0x04) & 1) {
  }
  *reg(UART0) = byte;
}

bool board_receive(uint8_t *byte) {
  if ((*reg(UART0 + 0x04) & 2) == 0) return false;
  *byte = (uint8_t)*reg(UART0);
  return true;
}
