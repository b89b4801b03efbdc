#!/usr/bin/env bash
# The tests of the Swift package. usage: test.sh [--list | LEG...]; test.sh replay <SCENARIOS
#
# Uses the `swift` that is installed. Where there is none, Swift 6.0.3 of Debian trixie is put into a private root under
# ${TOKENWARD_CACHE:-~/.cache/tokenward}/swift, once (600 MB): that takes root, apt and perl, and changes nothing else.
# The leg `test` also needs node and npm, for the token service that it runs.
set -euo pipefail

SWIFT=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$SWIFT/../.." && pwd)
mkdir -p "${CARGO_TARGET_DIR:-$ROOT/target}"
TARGET=$(cd "${CARGO_TARGET_DIR:-$ROOT/target}" && pwd)
OUT=$TARGET/swift
SCRATCH=$OUT/build
CACHE=${TOKENWARD_CACHE:-$HOME/.cache/tokenward}/swift
LEGS="toolchain build test tsan docs consumer bench xcframework"
FLAGS="-Xswiftc -warnings-as-errors"
mkdir -p "$OUT" "$CACHE"

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
# counted N: what a part has tested, for the tally of `cargo xtask test`.
counted() { echo "counted: $1 passed, ${2:-0} failed"; }
need() { command -v "$1" >/dev/null || fail "\`$1\` is missing; Debian: apt-get install $2"; }

# ---- the toolchain

toolchain() {
  install_toolchain
  in_swift "swift --version" 2>/dev/null | sed -n 's/.*\(Swift version .*\)/toolchain: \1/p'
}

install_toolchain() {
  ! command -v swift >/dev/null || return 0
  [ ! -x "$CACHE/trixie/usr/bin/swiftc" ] || return 0
  [ "$(id -u)" = 0 ] || fail "there is no \`swift\`: install Swift 6 (https://swift.org/install), or run this as root on Debian"
  need apt-get apt; need perl perl; need unshare util-linux
  (
    # One at a time: others wait for it.
    exec 9>"$CACHE/lock"; flock 9
    [ ! -x "$CACHE/trixie/usr/bin/swiftc" ] || exit 0
    cd "$CACHE"
    mkdir -p tools tmp && chmod 1777 tmp && rm -rf trixie.part
    apt-get update -qq
    (cd tools && apt-get download -o APT::Sandbox::User=root mmdebstrap && dpkg -x mmdebstrap_*.deb .)
    mirror=$(sed -n 's/^URIs: *//p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
    mirror=${mirror%%$'\n'*}
    TMPDIR=$CACHE/tmp PATH=$CACHE/tools/usr/bin:$PATH perl tools/usr/bin/mmdebstrap --mode=root --variant=minbase \
      --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
      --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' \
      --include=swiftlang,libc6-dev,libstdc++-14-dev,ca-certificates \
      trixie trixie.part "${mirror:-http://deb.debian.org/debian}" >"$OUT/toolchain.log" 2>&1 ||
      { tail -n 20 "$OUT/toolchain.log" >&2; exit 1; }
    mv trixie.part trixie
  ) || fail "Swift could not be installed into $CACHE"
}

# in_swift COMMAND: runs it where Swift is. There the repository is read-only, and $TARGET the one place to write; both
# have their own paths. The mounts vanish with the command.
in_swift() {
  if command -v swift >/dev/null; then (cd "$ROOT" && bash -euc "$1"); return; fi
  install_toolchain
  unshare -m bash -c 'set -e; R=$1 ROOT=$2 TARGET=$3
    mount --make-rprivate /
    mount -t proc proc "$R/proc"; mount --rbind /dev "$R/dev"; mount -t tmpfs tmpfs "$R/tmp"
    mkdir -p "$R$ROOT" "$R$TARGET"
    mount --bind "$ROOT" "$R$ROOT"; mount -o remount,ro,bind "$R$ROOT"; mount --bind "$TARGET" "$R$TARGET"
    exec chroot "$R" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin:/usr/libexec/swift/bin LC_ALL=C.UTF-8 \
      TOKENWARD_LIB_DIR="$5" TOKENWARD_DEMO_SERVICE="$6" TOKENWARD_OIDC="$7" TOKENWARD_PROBE="$8" \
      TOKENWARD_OIDC_SIGNED="$9" \
      bash -euc "cd \"\$1\"; $4" _ "$ROOT"' \
    _ "$CACHE/trixie" "$ROOT" "$TARGET" "$1" "$TOKENWARD_LIB_DIR" "$TOKENWARD_DEMO_SERVICE" "${TOKENWARD_OIDC:-}" "${TOKENWARD_PROBE:-}" \
    "${TOKENWARD_OIDC_SIGNED:-}"
}
export TOKENWARD_LIB_DIR=$TARGET/mobile TOKENWARD_DEMO_SERVICE=$TARGET/release/tokenward-demo-service

# spm SUBCOMMAND ARGS...
spm() {
  local subcommand=$1; shift
  in_swift "swift $subcommand --scratch-path $SCRATCH --cache-path $OUT/cache $FLAGS ${*@Q}"
}

# ---- what the legs build

# library: the static library that the package links, and the programs of the tests.
library() {
  need cargo "rustup, or cargo"
  CARGO_TARGET_DIR=$TARGET "$ROOT/bindings/library.sh" >"$OUT/library.log"
  # To SwiftPM the archive is no input: what links an older one goes, so that it is linked anew.
  mkdir -p "$OUT/build" "$OUT/tsan"
  find "$OUT/build" "$OUT/tsan" -mindepth 3 -maxdepth 3 -type f -perm -u+x \
    ! -newer "$TOKENWARD_LIB_DIR/libtokenward_uniffi.a" -delete
}
demo_service() {
  (cd "$ROOT" && CARGO_TARGET_DIR=$TARGET cargo build --quiet --release --package tokenward-demo-service)
}

build() {
  library
  local configuration
  for configuration in debug release; do
    spm build --configuration $configuration >"$OUT/build.log" 2>&1 ||
      { grep -E 'error|warning' "$OUT/build.log" >&2 || tail -n 20 "$OUT/build.log" >&2; fail "build, $configuration"; }
  done
  echo "build: debug and release without a warning"
}

# serve COMMAND...: starts a server; SERVED is the first line that it prints. It ends with this script, by its input.
serve() {
  local hold
  : >"$OUT/served"
  exec {hold}> >(exec "$@" >"$OUT/served" 2>"$OUT/serve.log")
  for _ in $(seq 600); do
    ! read -r SERVED <"$OUT/served" || return 0
    sleep 0.1
  done
  cat "$OUT/serve.log" >&2; fail "$1 does not start"
}

install_oidc_provider() {
  need node nodejs; need npm npm; need python3 python3
  "$ROOT/examples/oidc-provider/install.sh" "$OUT/oidc" --cache "$CACHE/npm" >"$OUT/npm.log" 2>&1 ||
    { tail -n 20 "$OUT/npm.log" >&2; fail "npm ci"; }
}

# oidc_provider: starts it; TOKENWARD_OIDC is its URL.
oidc_provider() {
  install_oidc_provider
  cp "$SWIFT/Tests/oidc/server.mjs" "$OUT/oidc/swift.mjs"
  serve node "$OUT/oidc/swift.mjs" 's3cret+/=%'
  export TOKENWARD_OIDC=$SERVED
  # The clients of the examples; it does not look at its input.
  # shellcheck disable=SC2016
  serve bash -c 'node "$1/server.mjs" "a secret of 32 bytes, or of more." 600 600 </dev/null & cat; kill $!' - "$OUT/oidc"
  export TOKENWARD_OIDC_SIGNED=$SERVED
}

# run_tests NAME FLAGS...: the tests that the flags choose.
run_tests() {
  local name=$1; shift
  export TOKENWARD_PROBE=$SCRATCH/debug/tokenward-probe
  [ -n "${TOKENWARD_OIDC:-}" ] || oidc_provider
  spm build --product tokenward-probe >"$OUT/$name.log" 2>&1 || { tail -n 20 "$OUT/$name.log" >&2; fail "probe"; }
  local good=yes all failed
  spm test "$@" >"$OUT/$name.log" 2>&1 || good=
  # A test with arguments counts as often as it runs.
  all=$(sed -n 's/.* Test run with \([0-9]*\) tests* .*/\1/p' "$OUT/$name.log")
  [ -z "$all" ] || all=$((all + $(grep -c '^◇ Passing ' "$OUT/$name.log" || true) -
    $(sed -n 's/^◇ Passing .* to \([^ ]*(.*)\)$/\1/p' "$OUT/$name.log" | sort -u | wc -l)))
  failed=$(sed -n 's/^✘ Test \(.*\) recorded an issue\(.*\) at [^ ]*\.swift:.*/\1\2/p' "$OUT/$name.log" | sort -u | wc -l)
  [ -z "$all" ] || counted $((all - failed)) "$failed"
  [ "$good" ] ||
    { grep -E '✘|error:|warning:|WARNING|Fatal|SUMMARY' "$OUT/$name.log" >&2 || tail -n 30 "$OUT/$name.log" >&2; fail "$name"; }
  [ "${all:-0}" -gt 0 ] || fail "$name: no test ran"
}

test() {
  library; demo_service
  run_tests test --skip Executors
  # By themselves: their time is real, and the other tests block the threads of Swift's pool.
  run_tests executors --filter Executors
  lifecycle
}

# The example against the real thing: its output is what its README shows.
lifecycle() {
  library; demo_service
  "$ROOT/bindings/first-hour.sh" "$ROOT/examples/swift-cli/Sources/tokenward-swift/main.swift"
  rm -rf "$OUT/swift-cli" && cp -r "$ROOT/examples/swift-cli" "$OUT/" && rm -rf "$OUT/swift-cli/.build"
  in_swift "cd '$OUT/swift-cli'; TOKENWARD_PACKAGE='$ROOT' swift build --scratch-path '$OUT/swift-cli-build' \
    --cache-path '$OUT/cache' $FLAGS" >"$OUT/example.log" 2>&1 || { tail -n 20 "$OUT/example.log" >&2; fail "swift-cli"; }
  serve "$TOKENWARD_DEMO_SERVICE" --kind flute --raw-log --print-json
  member() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<<"$SERVED"; }
  rm -f "$OUT/state"
  in_swift "'$OUT/swift-cli-build/debug/tokenward-swift' '$(member sandbox)' '$(member client_id)' '$(member client_secret)' \
    '$OUT/state'" >"$OUT/lifecycle.txt" || { cat "$OUT/lifecycle.txt" >&2; fail "swift-cli"; }
  "$ROOT/bindings/first-hour.sh" --audience "$(member sandbox)" || fail "swift-cli sends no audience"
  sed -n '/^```text$/,/^```$/p' "$ROOT/examples/swift-cli/README.md" | sed '1d;$d' | diff - "$OUT/lifecycle.txt" ||
    fail "swift-cli says something else than its README"
  echo "test: examples/swift-cli goes through the whole lifecycle"
  counted 1
  install_oidc_provider
  loader
  PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/examples/oidc-provider/commands.py" "$OUT/oidc" \
    "${LOADER[@]}" "$OUT/swift-cli-build/debug/tokenward-sign-in" || fail "tokenward-sign-in"
}

# driver: builds the driver of scenarios.
driver() {
  library
  spm build --configuration release --product tokenward-replay >"$OUT/build.log" 2>&1 ||
    { tail -n 20 "$OUT/build.log" >&2; fail "the driver does not build"; }
}

# loader: LOADER starts a program of the private root so that it sees every file of this machine under its own name.
loader() {
  LOADER=()
  if command -v swift >/dev/null; then return; fi
  local loader
  loader=$(find "$CACHE/trixie/usr/lib/" -maxdepth 2 -name 'ld-linux-*.so.*' -print -quit)
  LOADER=("$loader" --library-path "$CACHE/trixie/usr/libexec/swift/lib/swift/linux:$(dirname "$loader")")
}

run_here() {
  loader
  "${LOADER[@]}" "$@"
}

replay() {
  driver </dev/null
  run_here "$OUT/build/release/tokenward-replay"
}

# The suite under the thread sanitizer, but for what happens in other processes.
tsan() {
  library; demo_service
  local SCRATCH=$OUT/tsan
  run_tests tsan --sanitize=thread --skip Kill --skip Neighbours --skip Executors
  run_tests tsan-executors --sanitize=thread --filter Executors
}

# The documentation without a warning, and every piece of Swift in it compiled.
docs() {
  need python3 python3
  library
  local symbols=$OUT/symbols snippets=$OUT/snippets
  rm -rf "$symbols" "$snippets" "$OUT/docc" && mkdir -p "$symbols" "$snippets"
  spm build --target TokenwardTesting >"$OUT/docs.log" 2>&1 || { tail -n 20 "$OUT/docs.log" >&2; fail "build"; }
  local modules="-I '$OUT/build/debug/Modules' -Xcc -fmodule-map-file='$SWIFT/Sources/TokenwardFFI/module.modulemap'"
  in_swift "swift symbolgraph-extract -module-name Tokenward -minimum-access-level public -emit-extension-block-symbols -output-dir '$symbols' \
    -target \$(swiftc -print-target-info | awk -F'\"' '!found && /\"triple\"/ { print \$4; found = 1 }') $modules" >"$OUT/docs.log" 2>&1 ||
    { tail -n 20 "$OUT/docs.log" >&2; fail "symbol graph"; }
  in_swift "docc convert '$SWIFT/Sources/Tokenward/Tokenward.docc' --additional-symbol-graph-dir '$symbols' \
    --fallback-display-name Tokenward --fallback-bundle-identifier tokenward --output-path '$OUT/docc' \
    --warnings-as-errors" >"$OUT/docs.log" 2>&1 || { cat "$OUT/docs.log" >&2; fail "docc"; }
  find "$OUT/docc" -name 'data(for:authorizedby:).json' | grep -q . || fail "URLSession.data(for:authorizedBy:) has no page"
  python3 "$ROOT/bindings/names.py" "$symbols/Tokenward.symbols.json" ||
    fail "names; bindings/names.py $symbols/Tokenward.symbols.json --write writes the list anew"
  python3 "$SWIFT/Tests/snippets.py" "$snippets" "$SWIFT"/Sources/Tokenward/Tokenward.docc/*.md \
    "$SWIFT/README.md" "$ROOT/README.md" "$SWIFT"/Sources/Tokenward/*.swift "$SWIFT"/Sources/TokenwardTesting/*.swift
  in_swift "for file in '$snippets'/*.swift; do swiftc -typecheck -swift-version 6 -warnings-as-errors $modules \
    \"\$file\"; done" >"$OUT/docs.log" 2>&1 || { cat "$OUT/docs.log" >&2; fail "a snippet does not compile"; }
  echo "docs: $(find "$OUT/docc" -name '*.json' -path '*/documentation/*' | wc -l) pages without a warning," \
    "$(find "$snippets" -name '*.swift' | wc -l) snippets compile"
}

# A package of somebody else's that depends on this one by its path.
consumer() {
  library
  rm -rf "$OUT/consumer" && cp -r "$SWIFT/Tests/Consumer" "$OUT/consumer"
  in_swift "cd '$OUT/consumer'; TOKENWARD_PACKAGE='$ROOT' swift run --scratch-path '$OUT/consumer-build' \
    --cache-path '$OUT/cache' $FLAGS" >"$OUT/consumer.log" 2>"$OUT/consumer.err" ||
    { tail -n 20 "$OUT/consumer.err" >&2; fail "consumer"; }
  [ "$(tail -n 1 "$OUT/consumer.log")" = "Authorization: Bearer from-somewhere-else" ] ||
    { cat "$OUT/consumer.log" >&2; fail "consumer prints something else"; }
  echo "consumer: a package that depends on this one builds and prints its header"
}

bench() {
  library
  spm build --configuration release --product tokenward-bench >"$OUT/build.log" 2>&1 ||
    { tail -n 20 "$OUT/build.log" >&2; fail "bench does not build"; }
  run_here "$OUT/build/release/tokenward-bench"
}

# The layout alone: real slices, their signature and the archive of a simulator for two processors take macOS.
xcframework() {
  need python3 python3
  library
  local work=$OUT/xcframework
  rm -rf "$work" && mkdir -p "$work"
  "$SWIFT/xcframework.sh" "$work/Tokenward.xcframework" ios-arm64="$TARGET/mobile/libtokenward_uniffi.a" \
    ios-arm64_x86_64-simulator="$TARGET/mobile/libtokenward_uniffi.a" \
    macos-arm64_x86_64="$TARGET/mobile/libtokenward_uniffi.a"
  python3 - "$work/Tokenward.xcframework" <<'PYTHON'
import pathlib, plistlib, sys
root = pathlib.Path(sys.argv[1])
info = plistlib.loads((root / "Info.plist").read_bytes())
assert info["CFBundlePackageType"] == "XFWK" and info["XCFrameworkFormatVersion"] == "1.0", info
slices = {slice["LibraryIdentifier"]: slice for slice in info["AvailableLibraries"]}
assert set(slices) == {path.name for path in root.iterdir() if path.is_dir()}, slices.keys()
for name, slice in slices.items():
    assert (root / name / slice["LibraryPath"]).is_file(), name
    headers = root / name / slice["HeadersPath"]
    assert "module TokenwardFFI" in (headers / "module.modulemap").read_text(), name
    assert (headers / "TokenwardFFI.h").is_file(), name
assert slices["ios-arm64_x86_64-simulator"]["SupportedPlatformVariant"] == "simulator"
assert slices["ios-arm64_x86_64-simulator"]["SupportedArchitectures"] == ["arm64", "x86_64"]
assert "SupportedPlatformVariant" not in slices["ios-arm64"] and slices["macos-arm64_x86_64"]["SupportedPlatform"] == "macos"
PYTHON
  echo "xcframework: three slices in place (their content and signature take macOS)"
}

case ${1:-} in
  --list) echo "$LEGS"; exit ;;
  replay) replay; exit ;;
esac
for leg in ${@:-$LEGS}; do
  case " $LEGS driver lifecycle " in *" $leg "*) "$leg" ;; *) fail "no leg \`$leg\`; there are: $LEGS" ;; esac
  case $leg in test | tsan) ;; *) counted 1 ;; esac
done
