#!/usr/bin/env bash
# Makes a change to a copy of the repository and proves that it takes no more files by hand than CONTRIBUTING.md says,
# and that it arrives on every surface. The copy is thrown away.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# What is built from a copy never mixes with what is built from the repository.
OUT=${CARGO_TARGET_DIR:-$ROOT/target}/changes
export CARGO_TARGET_DIR=$OUT/target

fail() { printf 'changes: %s\n' "$*" >&2; exit 1; }

# copy PATCH MOST: a copy of the repository with the patch, which touches MOST files at most.
copy() {
  local files
  rm -rf "$OUT/copy"
  mkdir -p "$OUT/copy"
  git -C "$ROOT" ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -C "$ROOT" --null --ignore-failed-read -T - -cf - | tar -C "$OUT/copy" -xf -
  cd "$OUT/copy"
  patch --quiet --strip=1 <"$HERE/$1"
  files=$(grep -c '^diff --git' "$HERE/$1")
  [ "$files" -le "$2" ] || fail "$1 touches $files files by hand"
  echo "$1: $files files by hand"
}

# arrived FILE TEXT
arrived() { grep -qF "$2" "$1" || fail "$1 has no $2"; }

# The table, the place that returns it, a test.
copy error.patch 3
cargo run --quiet --package tokenward-c-header
TOKENWARD_WRITE=1 cargo test --quiet --package tokenward --test empty_field --test tables
arrived ffi/c/include/tokenward/tokenward.h '#define TOKENWARD_ERR_EMPTY_FIELD 126'
arrived docs/ERRORS.md '| 126 | `empty_field` |'
# Names and sentences of C and of the bridge are compared with the table, value by value.
cargo test --quiet --package tokenward-c --package tokenward-c-header --package tokenward-uniffi --lib
rm -rf "$OUT/copy"
