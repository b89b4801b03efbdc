#!/usr/bin/env bash
# Installs the certified oidc-provider of npm for tests, unless it is there. usage: install.sh FOLDER [OPTION-OF-NPM…]
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
shift
if ! cmp -s "$HERE/package-lock.json" package-lock.json; then
  cp "$HERE/package.json" "$HERE/package-lock.json" .
  npm ci --no-audit --no-fund --silent "$@" || { rm -f package-lock.json; echo "install.sh: npm ci" >&2; exit 1; }
fi
cp "$HERE/server.mjs" .
