/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From reset to main, alike on all boards. */
#ifndef START_H
#define START_H

#include "../board.h"

/* The reset handlers jump here. */
void start(void) __attribute__((noreturn));
/* A board counts them up. */
extern volatile uint32_t ticks;
int main(void);

static inline volatile uint32_t *reg(uintptr_t address) { return (volatile uint32_t *)address; }

#endif
