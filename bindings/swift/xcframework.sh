#!/usr/bin/env bash
# Assembles Tokenward.xcframework from static archives. usage: xcframework.sh OUTPUT SLICE=ARCHIVE...
#
# A slice is named as Xcode names it: PLATFORM-ARCHITECTURE[_ARCHITECTURE...][-VARIANT], such as `ios-arm64`,
# `ios-arm64_x86_64-simulator`, `macos-arm64_x86_64`. An archive for two architectures comes from `lipo -create`. For a
# release, on macOS: `codesign --timestamp -s IDENTITY OUTPUT`, zip it, and put what `swift package compute-checksum`
# says into Package.swift.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
SWIFT=$(cd "$(dirname "$0")" && pwd)
OUTPUT=$1; shift
[ ! -e "$OUTPUT" ] || { echo "xcframework.sh: $OUTPUT is there already" >&2; exit 1; }

mkdir -p "$OUTPUT"
{
  cat <<'PLIST'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>CFBundlePackageType</key><string>XFWK</string>
  <key>XCFrameworkFormatVersion</key><string>1.0</string>
  <key>AvailableLibraries</key>
  <array>
PLIST
  for argument; do
    slice=${argument%%=*} archive=${argument#*=}
    IFS=- read -r platform architectures variant <<<"$slice"
    [ -f "$archive" ] && [ -n "$architectures" ] || { echo "xcframework.sh: $argument is no SLICE=ARCHIVE" >&2; exit 1; }
    mkdir -p "$OUTPUT/$slice/Headers"
    cp "$archive" "$OUTPUT/$slice/libtokenward_uniffi.a"
    cp "$SWIFT"/Sources/TokenwardFFI/{TokenwardFFI.h,module.modulemap} "$OUTPUT/$slice/Headers"
    echo "    <dict>"
    echo "      <key>LibraryIdentifier</key><string>$slice</string>"
    echo "      <key>LibraryPath</key><string>libtokenward_uniffi.a</string>"
    echo "      <key>HeadersPath</key><string>Headers</string>"
    echo "      <key>SupportedPlatform</key><string>$platform</string>"
    [ -z "$variant" ] || echo "      <key>SupportedPlatformVariant</key><string>$variant</string>"
    echo "      <key>SupportedArchitectures</key><array><string>${architectures//x86_64/x86-64}</string></array>" |
      sed 's|_|</string><string>|g; s|x86-64|x86_64|'
    echo "    </dict>"
  done
  printf '  </array>\n</dict>\n</plist>\n'
} >"$OUTPUT/Info.plist"
