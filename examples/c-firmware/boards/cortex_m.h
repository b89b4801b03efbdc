/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include "start.h"

/* The interrupt of each millisecond: the board's. */
void on_tick(void);

/* SysTick, from the processor's clock. */
static inline void systick_start(uint32_t clock_hz) {
  *reg(0xE000E014) = clock_hz / 1000 - 1;
  *reg(0xE000E018) = 0;
  *reg(0xE000E010) = 7;
}

#endif
