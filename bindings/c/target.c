/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Which folder of lib/ fits a compiler and its flags: $(CC) $(CFLAGS) -E -P target.c prints its name, or, where none
 * does, a name that says why. */
#if defined(__linux__) && !defined(__ANDROID__)
#include <features.h> /* which C library */
#endif

#if defined(__ANDROID__)
"linux-android"
#elif defined(__linux__) && defined(__UCLIBC__)
"linux-uclibc"
#elif defined(__linux__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
"linux-big-endian"
#elif defined(__linux__) && defined(__x86_64__) && !defined(__LP64__)
"linux-x32"
#elif defined(__linux__) && defined(__x86_64__) && defined(__GLIBC__)
"x86_64-unknown-linux-gnu"
#elif defined(__linux__) && defined(__x86_64__)
"x86_64-unknown-linux-musl"
#elif defined(__linux__) && defined(__aarch64__) && !defined(__LP64__)
"linux-arm64-ilp32"
#elif defined(__linux__) && defined(__aarch64__) && defined(__GLIBC__)
"aarch64-unknown-linux-gnu"
#elif defined(__linux__) && defined(__aarch64__)
"aarch64-unknown-linux-musl"
#elif defined(__linux__) && defined(__arm__) && !defined(__ARM_PCS_VFP)
"linux-arm-soft-float"
#elif defined(__linux__) && defined(__arm__) && __ARM_ARCH < 7
"linux-arm-before-v7"
#elif defined(__linux__) && defined(__arm__) && defined(__GLIBC__)
"armv7-unknown-linux-gnueabihf"
#elif defined(__linux__) && defined(__arm__)
"armv7-unknown-linux-musleabihf"
#elif defined(__linux__) && defined(__riscv) && \
  !(__riscv_xlen == 64 && defined(__riscv_float_abi_double) && defined(__riscv_compressed) && defined(__riscv_atomic))
"linux-riscv-not-rv64gc-lp64d"
#elif defined(__linux__) && defined(__riscv) && defined(__GLIBC__)
"riscv64gc-unknown-linux-gnu"
#elif defined(__linux__) && defined(__riscv)
"riscv64gc-unknown-linux-musl"
#elif defined(__linux__) && defined(__i386__)
"linux-i386"
#elif defined(__ARM_ARCH_6M__)
"thumbv6m-none-eabi"
#elif defined(__ARM_ARCH_7M__)
"thumbv7m-none-eabi"
#elif defined(__ARM_ARCH_7EM__) && defined(__ARM_PCS_VFP)
"thumbv7em-none-eabihf"
#elif defined(__ARM_ARCH_7EM__)
"thumbv7em-none-eabi"
#elif (defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)) && defined(__ARM_PCS_VFP)
"thumbv8m.main-none-eabihf"
#elif defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
"thumbv8m.main-none-eabi"
#elif defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_compressed) && defined(__riscv_float_abi_single)
"riscv32imafc-unknown-none-elf"
#elif defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_compressed) && defined(__riscv_float_abi_soft) && \
  defined(__riscv_atomic)
"riscv32imac-unknown-none-elf"
#elif defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_compressed) && defined(__riscv_float_abi_soft)
"riscv32imc-unknown-none-elf"
#else
"unknown"
#endif
