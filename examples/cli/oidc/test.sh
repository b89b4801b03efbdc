#!/usr/bin/env bash
# `tokenward token --sign-in` against the certified oidc-provider of npm.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$CARGO_TARGET_DIR/sign-in

for program in cargo node npm python3; do
  command -v "$program" >/dev/null ||
    { echo "test.sh: \`$program\` is missing; Debian: apt-get install nodejs npm python3" >&2; exit 1; }
done
(cd "$ROOT" && cargo build --quiet --package tokenward-cli)
"$ROOT/examples/oidc-provider/install.sh" "$OUT"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$HERE/test.py" "$CARGO_TARGET_DIR/debug/tokenward" "$OUT"
