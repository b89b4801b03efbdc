#!/usr/bin/env bash
# Builds the gateway with sanitizers and runs it against real token services. usage: test.sh [--list | PART...]
#
# KILLS: how often the part `kills` does that; about 100 without it.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export CARGO_TARGET_DIR=$TARGET

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
packages() { fail "$1 is missing; Debian: apt-get install gcc clang make libcurl4-openssl-dev python3 openssl nodejs npm"; }
for program in cargo gcc clang make python3 openssl node npm; do
  command -v "$program" >/dev/null || packages "\`$program\`"
done
echo '#include <curl/curl.h>' | gcc -E - >/dev/null 2>&1 || packages "libcurl's header"

parts=$("$HERE/test.py" --list)
[ "${1:-}" != --list ] || { echo "$parts"; exit; }
for part; do
  case " $parts " in *" $part "*) ;; *) fail "no part \`$part\`; there are: $parts" ;; esac
done
(cd "$ROOT" && cargo build --quiet --release --package tokenward-c --features snapshot &&
  cargo build --quiet --package tokenward-demo-service)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $parts
exec "$HERE/test.py" "$TARGET/release/libtokenward_c.a" "$TARGET/debug/tokenward-demo-service" "$@"
