/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's RISC-V machine `virt` as an rv32imac: NS16550, CLINT. */
#include "start.h"

#define UART ((volatile uint8_t *)0x10000000)
#define MTIMECMP 0x02004000u
#define MTIME 0x0200BFF8u
#define TICKS_OF_MTIME 10000u /* 10 MHz */

const char board_name[] = "virt";

__asm__(".section .vectors,\"ax\"\n"
        ".globl reset\n"
        "reset:\n"
        "  .option push\n"
        "  .option norelax\n"
        "  la gp, __global_pointer$\n"
        "  .option pop\n"
        "  la sp, stack_top\n"
        "  j start\n"
        ".text\n");

static uint64_t mtime(void) {
  uint32_t high, low;
  do {
    high = *reg(MTIME + 4);
    low = *reg(MTIME);
  } while (*reg(MTIME + 4) != high);
  return (uint64_t)high << 32 | low;
}

static uint64_t next_tick;

static void compare(uint64_t at) {
  next_tick = at;
  *reg(MTIMECMP + 4) = UINT32_MAX;
  *reg(MTIMECMP) = (uint32_t)at;
  *reg(MTIMECMP + 4) = (uint32_t)(at >> 32);
}

/* The only interrupt that is enabled is that of the timer. It comes again at once where it comes late. */
__attribute__((interrupt("machine"), aligned(4))) static void on_trap(void) {
  ticks++;
  compare(next_tick + TICKS_OF_MTIME);
}

void board_start(void) {
  UART[2] = 1; /* FIFOs */
  UART[3] = 3; /* 8 bits */
  compare(mtime() + TICKS_OF_MTIME);
  __asm__ volatile("csrw mtvec, %0\n"
                   "csrs mie, %1\n"
                   "csrsi mstatus, 8" ::"r"(on_trap), "r"(0x80));
}

void board_send(uint8_t byte) {
  while ((UART[5] & 0x20) == 0) {
  }
  UART[0] = byte;
}

bool board_receive(uint8_t *byte) {
  if ((UART[5] & 1) == 0) return false;
  *byte = UART[0];
  return true;
}

void board_sleep(void) { __asm__ volatile("wfi" ::: "memory"); }

void board_reset(void) {
  *reg(0x00100000) = 0x7777; /* the test device */
  for (;;) {
  }
}
