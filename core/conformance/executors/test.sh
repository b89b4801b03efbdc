#!/usr/bin/env bash
# Runs the scripts against the command and the C gateway; Swift's and Kotlin's own tests run the same files.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$CARGO_TARGET_DIR/executors

for program in cargo gcc make python3; do
  command -v "$program" >/dev/null ||
    { echo "test.sh: \`$program\` is missing; Debian: apt-get install gcc make libcurl4-openssl-dev python3" >&2; exit 1; }
done
(cd "$ROOT" && cargo build --quiet --release --package tokenward-c --features snapshot &&
  cargo build --quiet --package tokenward-cli)
make -s -C "$ROOT/examples/c-gateway" "OUT=$OUT" "TOKENWARD_LIB=$CARGO_TARGET_DIR/release/libtokenward_c.a"
export PYTHONDONTWRITEBYTECODE=1
failed=0
"$HERE/run.py" command "$CARGO_TARGET_DIR/debug/tokenward" || failed=1
"$HERE/run.py" gateway "$OUT/tokenward-gateway" || failed=1
exit "$failed"
