#!/usr/bin/env bash
# Builds the firmware for five boards and runs it in QEMU. usage: test.sh [--list | LEG...]
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "$0")" && pwd)
# The workspace that has tokenward-c and the demo service as members.
ROOT=${TOKENWARD_WORKSPACE:-$(cd "$HERE/../.." && pwd)}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$TARGET/c-firmware
LEGS="build run"
# shellcheck source=boards.sh
. "$HERE/boards.sh"

build() {
  local board
  for board in $BOARDS; do
    firmware "$board" "$OUT/$board.elf" panic-handler,snapshot -DSTARTUP_SPREAD_MS=0 "$HERE"/{main,channel,storage}.c
    echo "build: $board: $(size_of "$OUT/$board.elf")"
    no_heap "$OUT/$board.elf"
  done
}

run() {
  need python3 qemu-system-arm qemu-system-riscv32
  [ -n "${TOKENWARD_DEMO_SERVICE:-}" ] || {
    (cd "$ROOT" && CARGO_TARGET_DIR=$TARGET cargo build --quiet --package tokenward-demo-service)
    export TOKENWARD_DEMO_SERVICE=$TARGET/debug/tokenward-demo-service
  }
  python3 "$HERE/test.py" "$OUT"
}

case ${1:-} in --list) echo "$LEGS"; exit ;; esac
# shellcheck disable=SC2068
for leg in ${@:-$LEGS}; do
  case " $LEGS " in *" $leg "*) "$leg" ;; *) fail "no leg \`$leg\`; there are: $LEGS" ;; esac
done
