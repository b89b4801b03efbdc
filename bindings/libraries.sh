#!/usr/bin/env bash
# Builds the libraries that apps are linked with and looks into them. usage: libraries.sh [TARGET...]
#
# Without a target of targets.txt all are built for which rustup has Rust's library; the others are named. It takes no SDK:
# an archive is not linked, and for Android rustup's own lld links what bionic has by name only. So what is linked here shows
# pages and names; what a release has for Android is linked by the NDK.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}/libraries
fail() { printf 'libraries.sh: %s\n' "$*" >&2; exit 1; }
for program in cargo rustup python3 readelf; do command -v "$program" >/dev/null || fail "\`$program\` is missing"; done
lld=$(rustc --print target-libdir)/../bin/gcc-ld/ld.lld
[ -x "$lld" ] || fail "this Rust has no lld"

grep -v '^#' "$HERE/targets.txt" >"${TMPDIR:-/tmp}/targets.$$"
trap 'rm -f "${TMPDIR:-/tmp}/targets.$$"' EXIT
for asked; do grep -q " $asked " "${TMPDIR:-/tmp}/targets.$$" || fail "targets.txt has no $asked"; done

# The package and the AAR say the same of the oldest system.
python3 - "$ROOT/Package.swift" "${TMPDIR:-/tmp}/targets.$$" "$HERE/kotlin/tokenward-android/src/main/aar/AndroidManifest.xml" <<'PYTHON'
import pathlib, re, sys
package, targets, manifest = (pathlib.Path(path).read_text() for path in sys.argv[1:])
said = dict(re.findall(r"\.(\w+)\(\.v(\d+)\)", re.search(r"platforms: \[(.*?)\],\n", package, re.S)[1]))
names = {"IPHONEOS": "iOS", "MACOSX": "macOS", "TVOS": "tvOS", "WATCHOS": "watchOS", "XROS": "visionOS"}
listed = {names[name]: version for name, version in re.findall(r"(\w+)_DEPLOYMENT_TARGET=(\d+)\.0", targets)}
assert said == listed, f"Package.swift says {said}, targets.txt {listed}"
api = set(re.findall(r"ANDROID_API=(\d+)", targets))
assert api == set(re.findall(r'minSdkVersion="(\d+)"', manifest)), f"the manifest does not say {api}"
PYTHON

passed=0
while read -r name target oldest; do
  if [ $# -gt 0 ]; then
    case " $* " in *" $target "*) ;; *) continue ;; esac
  fi
  if ! rustup --quiet target add "$target" >/dev/null 2>&1; then
    [ $# = 0 ] || fail "rustup has no $target"
    echo "libraries: $name: rustup has no $target here"
    continue
  fi
  export CARGO_TARGET_DIR=$TARGET "${oldest?}"
  case $target in
    *-apple-*)
      python3 - "$("$HERE/library.sh" --target "$target")" "${oldest#*=}" "$name" <<'PYTHON'
import struct, sys
data, oldest, name = open(sys.argv[1], "rb").read(), sys.argv[2], sys.argv[3]
assert data[:8] == b"!<arch>\n"
oldest = tuple(int(part) for part in oldest.split("."))
platforms = {"macos": {1}, "ios": {2, 7}, "tvos": {3, 8}, "watchos": {4, 9}, "xros": {11, 12}}[name.split("-")[0]]
at, versions, own = 8, set(), set()
while at < len(data):
    member, size = data[at:at + 16].decode().strip(), int(data[at + 48:at + 58])
    body = data[at + 60:at + 60 + size]
    at += 60 + size + size % 2
    if member.startswith("#1/"):
        length = int(member[3:])
        member, body = body[:length].rstrip(b"\0").decode(), body[length:]
    if body[:4] != b"\xcf\xfa\xed\xfe":
        continue
    commands, offset = struct.unpack_from("<I", body, 16)[0], 32
    for _ in range(commands):
        command, length = struct.unpack_from("<II", body, offset)
        if command == 0x32:  # LC_BUILD_VERSION
            platform, least = struct.unpack_from("<II", body, offset + 8)
            assert platform in platforms, (member, platform)
            version = (least >> 16, least >> 8 & 255)
            versions.add(version)
            if member.startswith("tokenward"):
                own.add(version)
        offset += length
assert own == {oldest}, f"the library's own objects are for {own}, not {oldest}"
assert max(versions) <= oldest, versions
print(f"libraries: {name}: own objects from {oldest[0]}.{oldest[1]} on, {len(data)} bytes")
PYTHON
      ;;
    *)
      library=$("$HERE/library.sh" --target "$target" "$lld" -z max-page-size=16384 --pack-dyn-relocs=android --hash-style=gnu --icf=all --strip-all)
      loads=$(readelf --program-headers --wide "$library" | awk '$1 == "LOAD" { print $NF }' | sort -u)
      [ "$loads" = 0x4000 ] || fail "$name: the library's pages are $loads"
      readelf --dyn-syms --wide "$library" | grep -q ' tokenward\| uniffi_tokenward\| ffi_tokenward' || fail "$name: no function"
      echo "libraries: $name: pages of 16 KiB, $(wc -c <"$library") bytes"
      ;;
  esac
  passed=$((passed + 1))
done <"${TMPDIR:-/tmp}/targets.$$"
echo "counted: $passed passed, 0 failed"
