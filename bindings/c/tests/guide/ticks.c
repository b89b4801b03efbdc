/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's clock of FreeRTOS at the tick rate that it is compiled for: over three wraps of the counter. */
#include <stdio.h>
#include <stdlib.h>

#include "freertos.c"

static uint64_t ticks;

TickType_t xTaskGetTickCount(void) { return (TickType_t)ticks; }

int main(void) {
  const uint64_t rate = configTICK_RATE_HZ, hour = 3600 * rate;
  uint64_t hours = 0;
  for (; ticks < (uint64_t)3 << 32; ticks += hour, hours++) {
    if (clock_ms() != hours * 3600000) return fprintf(stderr, "%d Hz: hour %d\n", (int)rate, (int)hours), 1;
  }
  for (const uint64_t whole = ticks; ticks <= whole + rate; ticks++) {
    const uint64_t behind = clock_ms() - hours * 3600000, exact = (ticks - whole) * 1000;
    if (behind * rate > exact || (behind + 1) * rate <= exact) return fprintf(stderr, "%d Hz: a part of a second\n", (int)rate), 1;
  }
  printf("guide: FreeRTOS at %d Hz keeps time for %d hours\n", (int)rate, (int)hours);
  return 0;
}
