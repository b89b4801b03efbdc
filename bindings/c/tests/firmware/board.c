/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts main() on QEMU's boards and ends QEMU with its result, by semihosting. */
#include <stdint.h>

int main(void);
extern uint32_t data_from[], data[], data_end[], bss_end[], stack_top[];
void start(void);

static void semihosting(int operation, const void *argument) {
#if defined(__arm__)
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#else
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  /* Three instructions of four bytes, in one page. */
  __asm__ volatile(".option push\n.option norvc\n.balign 16\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                   : "+r"(a0) : "r"(a1) : "memory");
#endif
}

/* SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit. */
static void end(uint32_t code) {
  const uint32_t block[2] = { 0x20026, code };
  semihosting(0x20, block);
  for (;;) {}
}

/* The compiler must not make a call of memcpy here: it would take the archive's. */
__attribute__((optimize("no-tree-loop-distribute-patterns"), used)) void start(void) {
#if defined(__ARM_FP)
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
#elif defined(__riscv_flen)
  __asm__ volatile("csrs mstatus, %0" ::"r"(0x2000));
#endif
  uint32_t *to = data;
  for (const uint32_t *from = data_from; to < data_end; from++, to++) *to = *from;
  while (to < bss_end) *to++ = 0;
  end((uint32_t)main());
}

#if defined(__arm__)
static void fault(void) { end(70); }
typedef void handler(void);
__attribute__((section(".start"), used)) const struct {
  uint32_t *stack;
  handler *handlers[6];
} vectors = { stack_top, { start, fault, fault, fault, fault, fault } };
#else
__asm__(".section .start, \"ax\"\n.globl entry\nentry:\nla sp, stack_top\nj start\n.text\n");
#endif
