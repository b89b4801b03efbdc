# SPDX-License-Identifier: MIT OR Apache-2.0
# The boards and how an image for each is built. Sourced; wants HERE, ROOT and OUT.
# shellcheck shell=bash

BOARDS="microbit lm3s6965evb mps2-an386 mps2-an505 virt"

fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
need() {
  local c
  for c; do
    command -v "$c" >/dev/null ||
      fail "\`$c\` is missing; Debian: apt-get install python3 gcc-arm-none-eabi gcc-riscv64-unknown-elf" \
        "qemu-system-arm qemu-system-misc"
  done
}

# board NAME: sets what differs. Each has 16 KB of RAM for all but the simulated flash, as the smallest has.
board() {
  RAM_SIZE=0x4000 ROM_SIZE=0x20000 PREFIX=arm-none-eabi-
  case $1 in
    microbit) TRIPLE=thumbv6m-none-eabi CPU="-mthumb -mcpu=cortex-m0" FILES="cortex_m.c microbit.c"
      ROM_START=0 RAM_START=0x20000000 ;;
    lm3s6965evb) TRIPLE=thumbv7m-none-eabi CPU="-mthumb -mcpu=cortex-m3"
      FILES="cortex_m.c lm3s6965evb.c flash_in_ram.c" ROM_START=0 RAM_START=0x20000000 ;;
    mps2-an386) TRIPLE=thumbv7em-none-eabi CPU="-mthumb -mcpu=cortex-m4"
      FILES="cortex_m.c mps2.c flash_in_ram.c" ROM_START=0 RAM_START=0x20000000 ;;
    mps2-an505) TRIPLE=thumbv8m.main-none-eabi CPU="-mthumb -mcpu=cortex-m33+nodsp+nofp -DAN505"
      FILES="cortex_m.c mps2.c flash_in_ram.c" ROM_START=0x10000000 RAM_START=0x38000000 ;;
    virt) TRIPLE=riscv32imac-unknown-none-elf PREFIX=riscv64-unknown-elf-
      CPU="-march=rv32imac_zicsr -mabi=ilp32 -mcmodel=medany -msmall-data-limit=0" FILES="virt.c flash_in_ram.c"
      ROM_START=0x80000000 RAM_START=0x80100000 ;;
    *) fail "no board \`$1\`; there are: $BOARDS" ;;
  esac
}

# library TARGET FEATURES: prints the archive. Of this crate type alone: beside another there is no LTO. RUSTC and CARGO
# name another compiler that has the target.
library() {
  local dir=$OUT/rust libdir
  libdir=$("${RUSTC:-rustc}" --print target-libdir --target "$1")
  [ -n "$(find "$libdir" -name 'libcore-*.rlib' 2>/dev/null)" ] || {
    command -v rustup >/dev/null || fail "no Rust for $1 here: \`rustup target add $1\` provides it"
    rustup target add "$1" >&2
  }
  (cd "$ROOT" && CARGO_TARGET_DIR=$dir RUSTFLAGS='--cfg sha2_backend_soft="compact"' "${CARGO:-cargo}" rustc \
    --quiet --package tokenward-c --lib --crate-type staticlib --profile firmware --features "$2" --target "$1")
  echo "$dir/$1/firmware/libtokenward_c.a"
}

# firmware BOARD OUTPUT FEATURES SOURCES...
firmware() {
  local output=$2 features=$3 archive warnings="-Wall -Wextra -Wpedantic -Werror -Wl,--fatal-warnings"
  board "$1"; shift 3
  need "${PREFIX}gcc"
  mkdir -p "$OUT"
  archive=$(library "$TRIPLE" "$features")
  # shellcheck disable=SC2086
  (cd "$HERE/boards" && "${PREFIX}gcc" $CPU -std=c99 -Os -ffreestanding -ffunction-sections -fdata-sections $warnings \
    -I"$ROOT/ffi/c/include" start.c $FILES "$@" -nostdlib -nostartfiles -T image.ld -Wl,--gc-sections \
    -Wl,-z,noexecstack -Wl,-z,max-page-size=4 -Wl,--no-warn-rwx-segments -Wl,--defsym=STACK_SIZE=0x1800 \
    -Wl,--defsym=ROM_START=$ROM_START,--defsym=ROM_SIZE=$ROM_SIZE \
    -Wl,--defsym=RAM_START=$RAM_START,--defsym=RAM_SIZE=$RAM_SIZE "$archive" -lgcc -o "$output")
}

# size_of IMAGE: what it takes.
size_of() {
  "${PREFIX}size" "$1" | awk 'NR == 2 { printf "%d bytes of text, %d of data, %d of bss\n", $1, $2, $3 }'
}

# Nothing of an allocator is linked.
no_heap() {
  local found
  found=$("${PREFIX}nm" "$1" | grep -E ' (_?sbrk|malloc|calloc|realloc|free|__rust_alloc.*|__rg_.*)$') || return 0
  fail "$1: an allocator is linked: $found"
}
