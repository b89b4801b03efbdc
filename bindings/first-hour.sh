#!/usr/bin/env bash
# What the programs of a first hour have to be. usage: first-hour.sh PROGRAM...: each has at most 60 lines of at most 100
# columns; first-hour.sh --audience BASE: each token request that this demo service received named an audience.
set -euo pipefail

if [ "$1" = --audience ]; then
  python3 - "$2" <<'PYTHON'
import base64, json, sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "/_demo/log?raw=true") as answer:
    log = json.load(answer)
entries = log["exchanges"]
asked = [base64.b64decode(entry["raw_base64"]) for entry in entries if entry.get("grant_type")]
sys.exit(not asked or not all(b"&audience=https%3A%2F%2Fapi.acme.example" in one for one in asked))
PYTHON
  exit
fi
for program; do
  awk -v name="$program" 'length > 100 { long = long " " NR }
    END { if (NR > 60 || long) { print name ": " NR " lines, longer than 100 columns:" long; exit 1 } }' "$program" >&2
done
