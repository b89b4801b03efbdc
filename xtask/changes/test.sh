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
  patch --quiet --strip=1 --fuzz=0 <"$HERE/$1"
  files=$(grep -c '^diff --git' "$HERE/$1")
  [ "$files" -le "$2" ] || fail "$1 touches $files files by hand"
  echo "$1: $files files by hand"
}

# arrived FILE TEXT
arrived() { grep -qF "$2" "$1" || fail "$1 has no $2"; }

# What a row of CONTRIBUTING.md says of a core beside its surfaces: names, numbers and layouts are compared value by value.
surfaces() {
  cargo test --quiet --package tokenward-conformance --test description --package tokenward-c \
    --package tokenward-c-header --package tokenward-uniffi --features tokenward-c/snapshot --lib
}

# An error: the table, the place that returns it, a test.
copy error.patch 3
cargo run --quiet --package tokenward-c-header
TOKENWARD_WRITE=1 cargo test --quiet --package tokenward --test empty_field --test tables
arrived ffi/c/include/tokenward/tokenward.h '#define TOKENWARD_ERR_EMPTY_FIELD 126'
arrived docs/ERRORS.md '| 126 | `empty_field` |'
surfaces

# A way to authenticate: its constant with its place in the list, a test, its object of C, its case of Swift and Kotlin, its
# word in the documentation.
copy authentication.patch 6
cargo run --quiet --package tokenward-c-header
cargo test --quiet --package tokenward --test empty_secret
arrived ffi/c/include/tokenward/tokenward.h 'tokenward_authentication_part tokenward_authentication_empty_secret;'
surfaces

# A fact of a provider: the description, what obeys it, a test, its JSON, its member of C, its member of Swift and Kotlin,
# its line in the documentation. The packages use the generated types as they are, so that these are enough to see it there.
copy provider_field.patch 8
cargo run --quiet --package tokenward-c-header
cargo run --quiet --package tokenward-uniffi-bindgen
cargo test --quiet --package tokenward --test forbidden_is_expired
arrived ffi/c/include/tokenward/tokenward.h 'bool forbidden_is_expired;'
arrived bindings/swift/Sources/Tokenward/Bridge/tokenward_uniffi.swift 'public var forbiddenIsExpired: Bool'
arrived bindings/kotlin/tokenward/src/main/kotlin/io/github/tokenward/bridge/Description.kt 'public var `forbiddenIsExpired`: kotlin.Boolean'
surfaces
rm -rf "$OUT/copy"
