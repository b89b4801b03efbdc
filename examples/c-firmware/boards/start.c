/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "start.h"

/* From image.ld. */
extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_limit[], stack_top[];

#define PAINT 0xC5C5C5C5u

volatile uint32_t ticks = FIRST_TICK;

uint32_t board_ticks(void) { return ticks; }

void start(void) {
  volatile uint32_t *to = data_start;
  const uint32_t *from = data_image;
  while (to < data_end) *to++ = *from++;
  for (to = bss_start; to < bss_end;) *to++ = 0;
  /* What is below this frame is free. */
  uint32_t *const here = __builtin_frame_address(0);
  for (to = stack_limit; to < here - 16;) *to++ = PAINT;
  main();
  board_reset();
}

uint32_t stack_used(void) {
  const volatile uint32_t *lowest = stack_limit;
  while (lowest < stack_top && *lowest == PAINT) lowest++;
  return (uint32_t)((uintptr_t)stack_top - (uintptr_t)lowest);
}

uint32_t stack_size(void) { return (uint32_t)((uintptr_t)stack_top - (uintptr_t)stack_limit); }
