/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What all Cortex-M have: vectors, sleep, reset. */
#include "cortex_m.h"

extern uint32_t stack_top[];

/* A product lets its watchdog end this. */
static void on_fault(void) {
  for (;;) {
  }
}

/* A tick comes from SysTick, or on the nRF51, which has none, from TIMER0: interrupt 8. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
  [0] = (uintptr_t)stack_top, [1] = (uintptr_t)start,    [2] = (uintptr_t)on_fault,
  [3] = (uintptr_t)on_fault,  [15] = (uintptr_t)on_tick, [16 + 8] = (uintptr_t)on_tick,
};

void board_sleep(void) { __asm__ volatile("wfi" ::: "memory"); }

void board_reset(void) {
  *reg(0xE000ED0C) = 0x05FA0004; /* AIRCR: SYSRESETREQ */
  for (;;) {
  }
}
