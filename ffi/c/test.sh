#!/usr/bin/env bash
# The tests of the C surface. usage: test.sh [--list | LEG...]; test.sh replay <SCENARIOS
#
# Needs gcc, clang, valgrind, doxygen and the Debian packages libcmocka-dev and libjansson-dev; the legs `gate` and
# `size` also arm-none-eabi-gcc, riscv64-unknown-elf-gcc and Rust's bare-metal targets.
set -euo pipefail

C=$(cd "$(dirname "$0")" && pwd)
# The workspace that has tokenward-c as a member.
ROOT=${TOKENWARD_WORKSPACE:-$(cd "$C/../.." && pwd)}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$TARGET/c
LEGS="header unit sanitize valgrind doxygen gate size"
WARN="-Wall -Wextra -Wpedantic -Werror"
mkdir -p "$OUT"

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
# counted N: what a part has tested, for the tally of `cargo xtask test`.
counted() { echo "counted: $1 passed, ${2:-0} failed"; }
need() {
  local c
  for c; do
    command -v "$c" >/dev/null ||
      fail "\`$c\` is missing; Debian: apt-get install gcc g++ clang valgrind doxygen libcmocka-dev libjansson-dev" \
        "gcc-arm-none-eabi gcc-riscv64-unknown-elf"
  done
}

# host_library PROFILE: prints the host's archive.
host_library() {
  (cd "$ROOT" && CARGO_TARGET_DIR=$TARGET cargo build --quiet --package tokenward-c --features snapshot --profile "$1")
  case $1 in dev) echo "$TARGET/debug/libtokenward_c.a" ;; *) echo "$TARGET/$1/libtokenward_c.a" ;; esac
}

# compile CC OUTPUT SOURCE ARCHIVE FLAGS...
compile() {
  local cc=$1 output=$2 source=$3 archive=$4; shift 4
  # shellcheck disable=SC2086
  $cc -std=c99 -g $WARN -I"$C/include" "$C/tests/$source" "$archive" "$@" -lpthread -ldl -lm -o "$output"
}

header() {
  need gcc g++ clang clang++
  local archive cc std n=0
  archive=$(host_library dev)
  for cc in gcc clang; do
    for std in c99 c11 c17 c2x; do
      # shellcheck disable=SC2086
      $cc -std=$std $WARN -I"$C/include" -c "$C/tests/header.c" -o "$OUT/header.o"; n=$((n + 1))
      compile $cc "$OUT/header" header.c "$archive" -std=$std
      "$OUT/header" || fail "header.c, $cc -std=$std"
    done
  done
  for cc in g++ clang++; do
    for std in c++11 c++14 c++17 c++20 c++2b; do
      # shellcheck disable=SC2086
      $cc -std=$std $WARN -I"$C/include" -x c++ "$C/tests/header.c" -x none "$archive" -lpthread -ldl -lm \
        -o "$OUT/header"; n=$((n + 1))
      "$OUT/header" || fail "header.c, $cc -std=$std"
    done
  done
  # A result that is left is told, and a compiler that cannot tell, or is Microsoft's, reads the header all the same.
  echo '#include <tokenward/tokenward.h>
    void begin(tokenward_manager *m, tokenward_request *r);
    void begin(tokenward_manager *m, tokenward_request *r) { tokenward_begin(m, 0, NULL, NULL, 0, r); }' >"$OUT/leaves.c"
  for cc in "gcc -std=c99" "clang -std=c99" "g++ -std=c++11 -x c++" "clang++ -std=c++17 -x c++"; do
    # shellcheck disable=SC2086
    if $cc $WARN -I"$C/include" -c "$OUT/leaves.c" -o "$OUT/leaves.o" 2>"$OUT/leaves.log"; then fail "a result is left, $cc"; fi
    grep -q 'unused.result\|nodiscard' "$OUT/leaves.log" || { cat "$OUT/leaves.log"; fail "a result is left, $cc"; }
    n=$((n + 1))
  done
  # shellcheck disable=SC2086
  gcc -std=c99 $WARN -U__GNUC__ -ffreestanding -I"$C/include" -fsyntax-only "$OUT/leaves.c"
  echo '#define _Check_return_' >"$OUT/sal.h"
  # shellcheck disable=SC2086
  clang --target=x86_64-pc-windows-msvc -std=c99 $WARN -ffreestanding -I"$C/include" -I"$OUT" -fsyntax-only "$OUT/leaves.c"
  n=$((n + 2))
  echo "header: $n compilers and standards"
  counted $n
}

unit() {
  need gcc
  local archive
  archive=$(host_library dev)
  compile gcc "$OUT/unit" unit.c "$archive" -lcmocka
  unit_tests "$OUT/unit"
}

# unit_tests PROGRAM...: runs the unit tests, and shows what is not well.
unit_tests() {
  local good=yes
  "$@" >"$OUT/unit.log" 2>&1 || good=
  grep -v 'RUN  \|  OK ' "$OUT/unit.log" || true
  counted "$(grep -c '^\[       OK \]' "$OUT/unit.log")" "$(sed -n 's/^\[  FAILED  \] .*: \([0-9]*\) test(s).*/\1/p' "$OUT/unit.log")"
  [ "$good" ] || fail "unit tests: $*"
}

# Builds the driver of scenarios; its path is the last line.
driver() {
  local archive
  archive=$(host_library release)
  compile "${CC:-gcc}" "$OUT/scenarios" scenarios.c "$archive" -O2 -ljansson
  echo "$OUT/scenarios"
}

replay() {
  local program
  program=$(driver </dev/null)
  exec "$program"
}

# suite PROGRAM...: all scenarios through this driver; REPLAYED says how many.
suite() {
  (cd "$ROOT" && cargo xtask scenarios -- "$@") >"$OUT/replayed" ||
    { grep -v '"ok":true' "$OUT/replayed" || true; fail "scenarios differ"; }
  REPLAYED=$(wc -l <"$OUT/replayed")
  counted "$REPLAYED"
}

sanitize() {
  need gcc clang
  local archive cc
  archive=$(host_library dev)
  for cc in gcc clang; do
    local flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1"
    # shellcheck disable=SC2086
    compile $cc "$OUT/unit-san" unit.c "$archive" $flags -lcmocka
    unit_tests "$OUT/unit-san"
    # shellcheck disable=SC2086
    compile $cc "$OUT/scenarios-san" scenarios.c "$archive" $flags -ljansson
    suite "$OUT/scenarios-san"
    echo "sanitize: $cc, unit tests and $REPLAYED scenarios clean"
  done
}

valgrind() {
  need valgrind gcc
  local archive
  archive=$(host_library dev)
  compile gcc "$OUT/unit" unit.c "$archive" -lcmocka
  compile gcc "$OUT/scenarios-debug" scenarios.c "$archive" -ljansson
  local run="command valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,possible"
  # shellcheck disable=SC2086
  unit_tests env ${run#command } "$OUT/unit"
  # shellcheck disable=SC2086
  suite env ${run#command } "$OUT/scenarios-debug"
  echo "valgrind: unit tests and $REPLAYED scenarios clean"
}

doxygen() {
  need doxygen
  (cd "$C" && { cat Doxyfile; echo "OUTPUT_DIRECTORY = $OUT/doxygen"; } | command doxygen - >"$OUT/doxygen.log" 2>&1) ||
    { cat "$OUT/doxygen.log"; fail "doxygen warns"; }
  echo "doxygen: $(find "$OUT/doxygen/html" -name '*.html' | wc -l) pages without a warning"
  counted 1
}

FIRMWARE="thumbv6m-none-eabi thumbv7em-none-eabi thumbv8m.main-none-eabi riscv32imac-unknown-none-elf"

# firmware_library TARGET FEATURES OPT: prints the archive, of this crate type alone: beside another there is no LTO.
firmware_library() {
  local dir=$OUT/firmware/$1-$3
  (cd "$ROOT" && CARGO_TARGET_DIR=$dir CARGO_PROFILE_FIRMWARE_OPT_LEVEL=$3 \
    RUSTFLAGS='--cfg sha2_backend_soft="compact"' cargo rustc --quiet --package tokenward-c --lib \
    --crate-type staticlib --profile firmware --features "$2" --target "$1")
  echo "$dir/$1/firmware/libtokenward_c.a"
}

# cc_for TARGET: sets CC_FOR, LIBS and NM_FOR.
cc_for() {
  local common="-Os -ffreestanding -ffunction-sections -fdata-sections"
  case $1 in
    thumbv6m*) CC_FOR="arm-none-eabi-gcc -mthumb -mcpu=cortex-m0 $common" NM_FOR=arm-none-eabi-nm LIBS=-lgcc ;;
    thumbv7em*) CC_FOR="arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 $common" NM_FOR=arm-none-eabi-nm LIBS=-lgcc ;;
    thumbv8m*) CC_FOR="arm-none-eabi-gcc -mthumb -mcpu=cortex-m33 $common" NM_FOR=arm-none-eabi-nm LIBS=-lgcc ;;
    riscv32*) CC_FOR="riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 $common" NM_FOR=riscv64-unknown-elf-nm
      LIBS=-lgcc ;;
    *) CC_FOR="gcc -O2 -ffunction-sections -fdata-sections" NM_FOR=nm LIBS="-lc -lgcc" ;;
  esac
}

# image CC_FLAGS... : links ARCHIVE with a freestanding program; prints what the linker says.
link_image() {
  local output=$1 archive=$2; shift 2
  # shellcheck disable=SC2086
  $CC_FOR -nostdlib -nostartfiles -I"$C/include" "$@" -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack \
    -Wl,-e,_start "$archive" $LIBS -o "$output" 2>&1
}

# Every exported function and object, referenced from C: the committed list is what is exported, nothing in it can
# panic, allocate or format. A part's functions are entered through its object.
gate() {
  need arm-none-eabi-gcc riscv64-unknown-elf-gcc gcc nm
  local target opt archive output host
  host=$(rustc -vV | sed -n 's/^host: //p')
  {
    echo '#include <tokenward/tokenward.h>'
    echo 'const void *const every[] = {'
    sed 's/.*/  \&&,/' "$C/symbols.txt"
    echo '};'
    echo 'volatile uintptr_t kept;'
    echo 'void _start(void);'
    echo 'void _start(void) { kept = (uintptr_t)every; }'
  } >"$OUT/every.c"
  {
    echo 'unsigned char tokenward_gate_control(unsigned long);'
    echo 'void _start(void);'
    echo 'void _start(void) { tokenward_gate_control((unsigned long)&_start); }'
  } >"$OUT/control.c"
  for target in $host $FIRMWARE; do
    for opt in z 3; do
      archive=$(firmware_library "$target" link-gate,snapshot $opt)
      cc_for "$target"
      output=$OUT/gate.elf
      "$NM_FOR" --defined-only --extern-only "$archive" 2>/dev/null | sed -n 's/^[0-9a-f]* [TRD] \(tokenward_.*\)/\1/p' |
        grep -v tokenward_gate_control | sort >"$OUT/symbols.txt"
      diff "$C/symbols.txt" "$OUT/symbols.txt" || fail "$target exports something else than symbols.txt lists"
      link_image "$output" "$archive" "$OUT/every.c" >"$OUT/gate.log" ||
        { cat "$OUT/gate.log"; fail "$target, opt $opt: a path to a panic is left"; }
      if "$NM_FOR" -C "$output" | grep -E 'panick|core::fmt|rust_alloc|__rg_| (malloc|free|calloc|realloc|abort)$|unwind'
      then fail "$target, opt $opt: these should not be linked"; fi
      if link_image "$OUT/control.elf" "$archive" "$OUT/control.c" >"$OUT/gate.log"; then
        fail "$target, opt $opt: the control, which panics, should not link"
      fi
      grep -q tokenward_panic_reached "$OUT/gate.log" || { cat "$OUT/gate.log"; fail "$target: the control"; }
      echo "gate: $target, opt $opt: $(wc -l <"$C/symbols.txt") functions and objects link, the control does not"
      counted "$(wc -l <"$C/symbols.txt")"
    done
  done
}

# Text of an image on a Cortex-M4 at opt z with fat LTO; memory functions and division are those of newlib-nano and
# libgcc, where it needs them.
size() {
  need arm-none-eabi-gcc arm-none-eabi-size arm-none-eabi-nm
  local features flags archive first
  cc_for thumbv7em-none-eabi
  LIBS="-lc_nano -lgcc"
  for features in panic-handler panic-handler,snapshot; do
    flags= first=
    case $features in *snapshot) flags=-DSTORAGE=tokenward_storage_own ;; esac
    archive=$(firmware_library thumbv7em-none-eabi "$features" z)
    # The first image says which it needs; the second asks newlib for them before the archive gives its own.
    for _ in 1 2; do
      # shellcheck disable=SC2086
      link_image "$OUT/image.elf" "$archive" $flags "$C/tests/image.c" $first $LIBS >"$OUT/size.log" ||
        { cat "$OUT/size.log"; fail "image"; }
      first=$(arm-none-eabi-nm "$OUT/image.elf" |
        awk '$3 ~ /^(mem(cpy|move|set|cmp)|__aeabi_(mem.*|uldivmod))$/ { printf " -Wl,-u,%s", $3 }')
    done
    arm-none-eabi-size "$OUT/image.elf" >"$OUT/size.log"
    echo "size: thumbv7em-none-eabi, opt z, features [$features]: $(awk 'NR==2{print $1}' "$OUT/size.log") bytes of text"
    arm-none-eabi-nm -C -S --size-sort -r "$OUT/image.elf" | grep -i ' [trw] ' | sed -n "1,${TOKENWARD_TOP:-12}p" |
      while read -r _ bytes _ name; do printf '  %6d %s\n' "0x$bytes" "$name"; done
  done
}

case ${1:-} in
  --list) echo "$LEGS"; exit ;;
  replay) replay ;;
esac
for leg in ${@:-$LEGS}; do
  case " $LEGS driver " in *" $leg "*) "$leg" ;; *) fail "no leg \`$leg\`; there are: $LEGS" ;; esac
done
