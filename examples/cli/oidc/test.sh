#!/usr/bin/env bash
# `tokenward token --sign-in` against the certified oidc-provider of npm.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$CARGO_TARGET_DIR/sign-in
LOCKED=$ROOT/examples/c-gateway/oidc

for program in cargo node npm python3; do
  command -v "$program" >/dev/null ||
    { echo "test.sh: \`$program\` is missing; Debian: apt-get install nodejs npm python3" >&2; exit 1; }
done
(cd "$ROOT" && cargo build --quiet --package tokenward-cli)
mkdir -p "$OUT"
if ! cmp -s "$LOCKED/package-lock.json" "$OUT/package-lock.json"; then
  cp "$LOCKED/package.json" "$OUT/"
  (cp "$LOCKED/package-lock.json" "$OUT/" && cd "$OUT" && npm ci --no-audit --no-fund --silent) ||
    { rm -f "$OUT/package-lock.json"; echo "test.sh: npm ci" >&2; exit 1; }
fi
cp "$HERE/server.mjs" "$OUT/"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$HERE/test.py" "$CARGO_TARGET_DIR/debug/tokenward" "$OUT"
