#!/usr/bin/env bash
# Measures the C library on five boards in QEMU, and an app's library, and writes docs/MEMORY.md. usage: measure.sh [--check]
#
# With --check it writes nothing and fails where a number is worse than the committed one.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "$0")" && pwd)
# The workspace that has tokenward-c as a member.
ROOT=${TOKENWARD_WORKSPACE:-$(cd "$HERE/../.." && pwd)}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$TARGET/c-firmware
# shellcheck source=boards.sh
. "$HERE/boards.sh"

# linked OUTPUT ARCHIVE ENTRY FLAGS...: an image of the library and what it calls; nothing of it runs.
linked() {
  local output=$1 archive=$2 entry=$3; shift 3
  # shellcheck disable=SC2086
  "${PREFIX}gcc" $CPU -Os -ffreestanding -ffunction-sections -fdata-sections -I"$ROOT/ffi/c/include" "$@" -nostdlib \
    -nostartfiles -Wl,--gc-sections -Wl,-e,"$entry" -Wl,-z,noexecstack "$archive" -lgcc -o "$output"
}

case ${1:-} in '' | --check) ;; *) fail "usage: measure.sh [--check]" ;; esac
need python3 strip qemu-system-arm qemu-system-riscv32 arm-none-eabi-gcc riscv64-unknown-elf-gcc
parts=$(python3 "$HERE/measure.py" --parts)
for name in $BOARDS; do
  board "$name"
  plain=$(library "$TRIPLE" panic-handler)
  # The archive with storage takes this one's place.
  cp "$plain" "$OUT/$name.a"
  plain=$OUT/$name.a
  linked "$OUT/$name-reader.elf" "$plain" tokenward_token_answer
  linked "$OUT/$name-manager.elf" "$plain" _start "$ROOT/ffi/c/tests/image.c"
  linked "$OUT/$name-device.elf" "$plain" _start -DDEVICE "$ROOT/ffi/c/tests/image.c"
  stores=$(library "$TRIPLE" panic-handler,snapshot)
  linked "$OUT/$name-storage.elf" "$stores" _start -DSTORAGE=tokenward_storage_own "$ROOT/ffi/c/tests/image.c"
  linked "$OUT/$name-sealed.elf" "$stores" _start -DSTORAGE=tokenward_storage_own_with_seal "$ROOT/ffi/c/tests/image.c"
  linked "$OUT/$name-sign_in.elf" "$stores" _start -DSTORAGE=tokenward_storage_own -DSIGN_IN "$ROOT/ffi/c/tests/image.c"
  linked "$OUT/$name-sign_in_stored.elf" "$stores" _start -DSTORAGE=tokenward_storage_own -DSIGN_IN -DSIGN_IN_STORED \
    "$ROOT/ffi/c/tests/image.c"
  for way in post client_secret_jwt private_key_jwt; do
    signs=()
    [ "$way" != private_key_jwt ] || signs=(-DALGORITHM=tokenward_algorithm_es256)
    linked "$OUT/$name-by_$way.elf" "$stores" _start -DSTORAGE=tokenward_storage_own "${signs[@]}" \
      "-DPART=.authentication = &tokenward_authentication_$way" "$ROOT/ffi/c/tests/image.c"
  done
  while IFS=$'\t' read -r part named <&3; do
    linked "$OUT/$name-$part.elf" "$plain" _start "-DPART=$named" "$ROOT/ffi/c/tests/image.c"
  done 3<<<"$parts"
  firmware "$name" "$OUT/$name-measure.elf" panic-handler,snapshot -Wa,-I"$ROOT/core/tests/data/workloads" \
    "$HERE"/{measure,channel}.c
done
strip -o "$OUT/libtokenward_uniffi.so" "$(CARGO_TARGET_DIR=$TARGET "$ROOT/bindings/library.sh" "${CC:-cc}")"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$HERE/measure.py" "$OUT" "$HERE/../../docs/MEMORY.md" "$@"
