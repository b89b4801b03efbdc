#!/usr/bin/env bash
# A new user's program in C and in Rust, from the guides alone: c-first-hour, rust-first-hour. Those of Swift and Kotlin are
# run by these packages' own tests. Each lives a token's life at the demo service.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/.." && pwd)
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-$ROOT/target}")
export CARGO_TARGET_DIR=$TARGET
OUT=$TARGET/first-hour
mkdir -p "$OUT"

fail() { printf 'first-hour.sh: %s\n' "$*" >&2; exit 1; }
echo '#include <curl/curl.h>' | gcc -E - >/dev/null 2>&1 || fail "needs gcc and libcurl; Debian: apt-get install gcc libcurl4-openssl-dev"
"$ROOT/bindings/first-hour.sh" "$HERE/c-first-hour/main.c" "$HERE/rust-first-hour/src/main.rs"
cd "$ROOT"
cargo build --quiet --package tokenward-demo-service --package tokenward-first-hour
cargo rustc --quiet --package tokenward-c --features snapshot --lib --crate-type staticlib

# The guide's files, as they stand there.
awk -v out="$OUT" '/^```c$/ { getline; file = out "/" $2 } /^```$/ { file = "" } file { print > file }' bindings/c/README.md
(
  cd "$OUT"
  gcc -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -g -fsanitize=address,undefined \
    -fno-sanitize-recover=all -I"$ROOT/ffi/c/include" -I. "$HERE/c-first-hour/main.c" loop.c call.c curl.c files.c pthreads.c \
    "$TARGET/debug/libtokenward_c.a" -lcurl -lpthread -ldl -lm -o c
)

# live NAME PROGRAM: what it says stands in the README of its folder.
live() {
  local described service
  rm -f "$OUT"/{stdin,service.json} "$OUT/$1-state"*
  mkfifo "$OUT/stdin"
  "$TARGET/debug/tokenward-demo-service" --kind flute --raw-log --print-json <"$OUT/stdin" >"$OUT/service.json" &
  service=$!
  exec 8>"$OUT/stdin"
  while [ ! -s "$OUT/service.json" ]; do kill -0 $service || fail "the demo service did not start"; sleep 0.1; done
  described=$(cat "$OUT/service.json")
  member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$described"; }
  "$2" "$(member sandbox)" "$(member client_id)" "$(member client_secret)" "$OUT/$1-state" >"$OUT/$1-said" ||
    { cat "$OUT/$1-said"; kill $service; fail "$1"; }
  "$ROOT/bindings/first-hour.sh" --audience "$(member sandbox)" || { kill $service; fail "$1 sends no audience"; }
  exec 8>&-
  wait $service
  sed -n '/^```text$/,/^```$/p' "$HERE/$1/README.md" | sed '1d;$d' | diff - "$OUT/$1-said" || fail "$1 says something else"
  echo "first-hour: $1: $(wc -l <"$OUT/$1-said") lines as expected"
  echo "counted: 1 passed, 0 failed"
}
live c-first-hour "$OUT/c"
live rust-first-hour "$TARGET/debug/tokenward-first-hour"
