#!/usr/bin/env bash
# Builds the gateway with sanitizers and runs it against real token services. usage: test.sh [--list | PART...]
#
# KILLS: how often the part `kills` does that; about 100 without it. GATEWAY: how a gateway is started that was built
# elsewhere, for another machine; then none is built here.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export CARGO_TARGET_DIR=$TARGET

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
packages() { fail "$1 is missing; Debian: apt-get install gcc clang make libcurl4-openssl-dev libssl-dev python3 openssl nodejs npm"; }
need() {
  local program
  for program; do command -v "$program" >/dev/null || packages "\`$program\`"; done
}

need cargo python3
parts=$("$HERE/test.py" --list)
[ "${1:-}" != --list ] || { echo "$parts"; exit; }
for part; do
  case " $parts " in *" $part "*) ;; *) fail "no part \`$part\`; there are: $parts" ;; esac
done
if [ -z "${GATEWAY:-}" ]; then
  need gcc clang make openssl node npm
  echo '#include <curl/curl.h>' | gcc -E - >/dev/null 2>&1 || packages "libcurl's header"
  echo '#include <openssl/evp.h>' | gcc -E - >/dev/null 2>&1 || packages "OpenSSL's header"
  (cd "$ROOT" && cargo build --quiet --release --package tokenward-c --features snapshot)
fi
(cd "$ROOT" && cargo build --quiet --package tokenward-demo-service)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $parts
exec "$HERE/test.py" "$TARGET/release/libtokenward_c.a" "$TARGET/debug/tokenward-demo-service" "$@"
