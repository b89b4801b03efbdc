#!/usr/bin/env bash
# Builds the library that apps are linked with, and prints its path.
# usage: library.sh [--target TARGET] [LINKER FLAG...]
#
# Without a linker it is the archive that Swift links; a linker makes of it the shared library that Kotlin loads: `cc`, the NDK's
# `aarch64-linux-android26-clang`, or an `ld.lld` that finds no SDK. It keeps its local symbols: `strip` takes them.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
folder=${CARGO_TARGET_DIR:-$HERE/../target}
target=()
if [ "${1:-}" = --target ]; then target=(--target "$2") folder=$folder/$2; shift 2; fi
library=$folder/mobile/libtokenward_uniffi
# Phones and servers have instructions for SHA-256: the code for those that have none need not be unrolled. What is no smaller
# inlined is called.
flags="--cfg sha2_backend_soft=\"compact\" -C llvm-args=-inline-threshold=0"
mkdir -p "$folder/mobile"
(cd "$HERE/.." && RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo rustc --quiet --locked \
  --package tokenward-uniffi --lib --crate-type staticlib --profile mobile ${target[@]+"${target[@]}"} \
  -- --print "native-static-libs=$library.needs" 2> >(grep -v '^note: native artifacts\|^$' >&2))
if [ $# = 0 ]; then echo "$library.a"; exit; fi

linker=$1; shift
options=(--gc-sections "--version-script=$HERE/exports.map" -z noexecstack "$@" --whole-archive "$library.a" --no-whole-archive)
case $linker in
  *ld.lld) "$linker" -shared "${options[@]}" -o "$library.so" ;;
  *)
    for option in "${options[@]}"; do passed+=(-Xlinker "$option"); done
    # shellcheck disable=SC2046
    "$linker" -shared "${passed[@]}" $(cat "$library.needs") -o "$library.so"
    ;;
esac
echo "$library.so"
