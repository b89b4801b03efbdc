#!/usr/bin/env bash
# The package of the C library, as its users take it. usage: test.sh [--list | LEG...]
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# A target folder of its own: the package that stands in the other one stays.
OUT=${CARGO_TARGET_DIR:-$ROOT/target}/bindings-c
export CARGO_TARGET_DIR=$OUT
LEGS="dist cmake pkgconfig make zephyr esp-idf qemu guide abi reproducible linux gateway"
# What needs a checkout of an SDK.
ON_REQUEST="esp-idf-sdk zephyr-sdk"
WARN="-Wall -Wextra -Wpedantic -Werror"
mkdir -p "$OUT"

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
need() {
  local c
  for c; do
    command -v "$c" >/dev/null ||
      fail "\`$c\` is missing; Debian: apt-get install gcc g++ clang cmake ninja-build make pkg-config python3" \
        "python3-venv valgrind gcc-arm-none-eabi libnewlib-arm-none-eabi gcc-riscv64-unknown-elf qemu-system-arm qemu-system-misc"
  done
}
must() { "$@" >"$OUT/log" 2>&1 || { cat "$OUT/log"; fail "${TARGET:-host}: $*"; }; }
refused() { ! "$@" >"$OUT/log" 2>&1 || fail "this should be refused: $*"; }
says() { [[ $(tr -s ' \n' ' ' <"$OUT/log") == *"$1"* ]] || { cat "$OUT/log"; fail "it should say: $1"; }; }

# Every board: target, GCC, flags, QEMU and its machine, where ROM and RAM begin.
boards() {
  local v8="mps2-an505 0x10000000 0x30000000" v7="mps2-an386 0 0x20000000" rv="virt 0x80000000 0x80100000"
  printf '%s|%s|%s|%s\n' \
    thumbv6m-none-eabi arm-none-eabi- "-mthumb -mcpu=cortex-m0" "arm microbit 0 0x20000000" \
    thumbv7m-none-eabi arm-none-eabi- "-mthumb -mcpu=cortex-m3" "arm lm3s6965evb 0 0x20000000" \
    thumbv7em-none-eabi arm-none-eabi- "-mthumb -mcpu=cortex-m4" "arm $v7" \
    thumbv7em-none-eabihf arm-none-eabi- "-mthumb -mcpu=cortex-m4 -mfloat-abi=hard" "arm $v7" \
    thumbv8m.main-none-eabi arm-none-eabi- "-mthumb -mcpu=cortex-m33 -mfloat-abi=soft" "arm $v8" \
    thumbv8m.main-none-eabihf arm-none-eabi- "-mthumb -mcpu=cortex-m33 -mfloat-abi=hard" "arm $v8" \
    riscv32imc-unknown-none-elf riscv64-unknown-elf- "-march=rv32imc_zicsr -mabi=ilp32" "riscv32 $rv" \
    riscv32imac-unknown-none-elf riscv64-unknown-elf- "-march=rv32imac_zicsr -mabi=ilp32" "riscv32 $rv" \
    riscv32imafc-unknown-none-elf riscv64-unknown-elf- "-march=rv32imafc_zicsr -mabi=ilp32f" "riscv32 $rv"
}

# for_boards FUNCTION: calls it with TARGET, GCC, CPU, QEMU, LINK set.
for_boards() {
  local machine
  need arm-none-eabi-g++ riscv64-unknown-elf-g++
  while IFS='|' read -r TARGET GCC CPU machine <&3; do
    read -r ARCH MACHINE ROM RAM <<<"$machine"
    CPU="$CPU -ffreestanding"
    case $GCC in riscv*) CPU="$CPU -mcmodel=medany" ;; esac
    LINK="-nostdlib -nostartfiles -T $HERE/tests/firmware/board.ld -Wl,--gc-sections,--no-warn-rwx-segments,-z,noexecstack"
    LINK="$LINK,--defsym=ROM_ORIGIN=$ROM,--defsym=RAM_ORIGIN=$RAM"
    "$1"
  done 3< <(boards)
}

# on_board IMAGE: runs it in QEMU, which ends with main()'s result.
on_board() {
  need "qemu-system-$ARCH"
  local bios=()
  [ "$ARCH" = arm ] || bios=(-bios none)
  timeout 60 "qemu-system-$ARCH" -M "$MACHINE" "${bios[@]}" -nographic -semihosting-config enable=on,target=native \
    -kernel "$1" </dev/null || fail "$TARGET on $MACHINE: main() returned $?"
}

# unpacked: the package, built and unpacked where it was not made; PACKAGE says where.
unpacked() {
  [ -z "${PACKAGE:-}" ] || return 0
  local made
  made=$(cd "$ROOT" && cargo xtask dist | tail -1)
  rm -rf "$OUT/unpacked"
  mkdir -p "$OUT/unpacked"
  tar -xzf "$made" -C "$OUT/unpacked"
  PACKAGE=$(echo "$OUT"/unpacked/tokenward-c-*)
}

dist() {
  need tar gzip sha256sum
  unpacked
  (cd "$PACKAGE" && sha256sum --check --quiet SHA256SUMS)
  [ "$(find "$PACKAGE" -type f ! -name SHA256SUMS | wc -l)" = "$(wc -l <"$PACKAGE/SHA256SUMS")" ] ||
    fail "SHA256SUMS is not of all files"
  ! grep -rlE '@(VERSION|TARGET)@' "$PACKAGE" || fail "a version is not filled in"
  grep -q '^== sha2 ' "$PACKAGE/THIRD-PARTY" || fail "THIRD-PARTY does not name what is inside"
  echo "dist: $(wc -l <"$PACKAGE/SHA256SUMS") files, $(find "$PACKAGE/lib" -name '*.a' | wc -l) archives," \
    "$(du -b "$CARGO_TARGET_DIR"/dist/*.tar.gz | cut -f1) bytes packed"
}

# configure BUILD CMAKE_ARGUMENTS...: a fresh build folder of tests/cmake, tests/zephyr or tests/esp-idf.
configure() {
  local build=$OUT/$1; shift
  rm -rf "$build"
  cmake -G Ninja -B "$build" "$@"
}

# takes BUILD: it builds, and with the archive of TARGET.
takes() {
  must cmake --build "$OUT/$1"
  grep -q "lib/$TARGET/libtokenward_c.a" "$OUT/$1/build.ninja" || fail "$1 took another archive than $TARGET's"
}

cmake_board() {
  must configure cmake-board -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$PACKAGE" -DGCC="$GCC" -DCPU="$CPU" \
    -DCMAKE_TOOLCHAIN_FILE="$HERE/tests/cmake/firmware.cmake" -DBOARD="$HERE/tests/firmware/board.c" \
    -DCMAKE_EXE_LINKER_FLAGS="$LINK" -DCMAKE_CXX_STANDARD_LIBRARIES=-lgcc -DCMAKE_C_STANDARD_LIBRARIES=-lgcc
  takes cmake-board
}

cmake-leg() {
  need cmake ninja gcc g++
  unpacked
  local moved="$OUT/a moved package"
  rm -rf "$moved"
  cp -r "$PACKAGE" "$moved"
  must configure cmake -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$moved" -DCMAKE_C_FLAGS="$WARN" -DCMAKE_CXX_FLAGS="$WARN"
  must cmake --build "$OUT/cmake"
  must "$OUT/cmake/consumer-c"
  must "$OUT/cmake/consumer-cpp"
  refused configure cmake-none -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$moved" -DTOKENWARD_TARGET=avr-none
  says 'no archive for the target "avr-none"'
  says "There are: aarch64-unknown-linux-gnu, aarch64-unknown-linux-musl, armv7-unknown-linux-gnueabihf,"
  refused configure cmake-other -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$moved" -DTOKENWARD_TARGET=aarch64-unknown-linux-gnu
  says 'TOKENWARD_TARGET is aarch64-unknown-linux-gnu'
  mkdir -p "$OUT/newer"
  sed 's/tokenward 0\.1/tokenward 0.2/' "$HERE/tests/cmake/CMakeLists.txt" >"$OUT/newer/CMakeLists.txt"
  refused configure cmake-newer -S "$OUT/newer" -DCMAKE_PREFIX_PATH="$moved"
  says 'compatible with requested version "0.2"'
  for_boards cmake_board
  # Another instruction set or float ABI than any archive's.
  local cpu
  for cpu in "arm-none-eabi- -mthumb -mcpu=cortex-m23" "arm-none-eabi- -mcpu=cortex-a9 -mfloat-abi=softfp" \
    "riscv64-unknown-elf- -march=rv32imafdc -mabi=ilp32d"; do
    refused configure cmake-cpu -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$PACKAGE" -DGCC="${cpu%% *}" \
      -DCPU="${cpu#* } -ffreestanding" -DCMAKE_TOOLCHAIN_FILE="$HERE/tests/cmake/firmware.cmake" -DBOARD="$HERE/tests/firmware/board.c"
    says 'no archive for the target "unknown"'
  done
  TARGET=thumbv7em-none-eabi
  must configure cmake-processor -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$PACKAGE" -DGCC=arm-none-eabi- \
    -DCMAKE_TOOLCHAIN_FILE="$HERE/tests/cmake/firmware.cmake" -DCMAKE_SYSTEM_PROCESSOR=cortex-m7
  grep -q "lib/$TARGET/libtokenward_c.a" "$OUT/cmake-processor/build.ninja" || fail "CMake, CMAKE_SYSTEM_PROCESSOR"
  echo "cmake: C and C++ run on the host, link for nine targets; another version or target is refused"
}

pkgconfig() {
  need pkg-config gcc
  unpacked
  local flags
  flags=$(PKG_CONFIG_PATH=$PACKAGE/lib/pkgconfig pkg-config --static --cflags --libs 'tokenward >= 0.1')
  # shellcheck disable=SC2086
  gcc $WARN "$HERE/tests/consumer.c" $flags -o "$OUT/consumer"
  must "$OUT/consumer"
  must env PKG_CONFIG_PATH="$PACKAGE/lib/pkgconfig" pkg-config --libs tokenward-thumbv6m-none-eabi
  says "/lib/thumbv6m-none-eabi "
  refused env PKG_CONFIG_PATH="$PACKAGE/lib/pkgconfig" pkg-config --define-variable=target=avr-none --print-errors --exists tokenward
  says "'tokenward-avr-none'"
  refused env PKG_CONFIG_PATH="$PACKAGE/lib/pkgconfig" pkg-config --exists --print-errors 'tokenward >= 0.2'
  echo "pkgconfig: runs on the host"
}

make_board() {
  command make --silent --always-make -C "$HERE/tests/make" TOKENWARD="$PACKAGE" OUT="$OUT/$TARGET.elf" CC="${GCC}gcc" \
    CFLAGS="$CPU -Os -ffunction-sections -fdata-sections $WARN" LDFLAGS="$LINK -lgcc" BOARD="$HERE/tests/firmware/board.c"
}

make-leg() {
  need make gcc clang
  unpacked
  local cc
  for cc in gcc clang; do
    command make --silent --always-make -C "$HERE/tests/make" TOKENWARD="$PACKAGE" OUT="$OUT/consumer" CC=$cc CFLAGS="-O2 $WARN"
    must "$OUT/consumer"
  done
  refused command make --always-make -C "$HERE/tests/make" TOKENWARD="$PACKAGE" OUT="$OUT/consumer" CC=arm-none-eabi-gcc
  says 'tokenward has no archive for the target "unknown"'
  for_boards make_board
  echo "make: runs on the host (gcc, clang), links for nine targets"
}

qemu_board() {
  make_board
  on_board "$OUT/$TARGET.elf"
  echo "qemu: $TARGET on $MACHINE, $("${GCC}size" "$OUT/$TARGET.elf" | awk 'NR == 2 { print $1 }') bytes of text"
}

qemu() {
  unpacked
  for_boards qemu_board
}

# python_with NAME PACKAGE...: PYTHON has these packages, installed once.
python_with() {
  need python3
  local venv=${TOKENWARD_CACHE:-$HOME/.cache/tokenward}/python/$1; shift
  PYTHON=$venv/bin/python
  [ ! -f "$venv/done" ] || return 0
  python3 -m venv --clear "$venv" || fail "python3 has no venv; Debian: apt-get install python3-venv"
  "$PYTHON" -m pip --quiet install "$@"
  touch "$venv/done"
}

# zephyr_config TARGET: what Zephyr's Kconfig says of a CPU.
zephyr_config() {
  case $1 in
    thumbv6m*) echo CPU_CORTEX_M0 ;;
    thumbv7m*) echo CPU_CORTEX_M3 ;;
    thumbv7em*hf) echo CPU_CORTEX_M4 FPU FP_HARDABI ;;
    thumbv7em*) echo CPU_CORTEX_M4 ;;
    thumbv8m*hf) echo CPU_CORTEX_M33 FPU FP_HARDABI ;;
    thumbv8m*) echo CPU_CORTEX_M33 ;;
    riscv32imc-*) echo RISCV RISCV_ISA_EXT_C ;;
    riscv32imac-*) echo RISCV RISCV_ISA_EXT_C RISCV_ISA_EXT_A ;;
    riscv32imafc-*) echo RISCV RISCV_ISA_EXT_C RISCV_ISA_EXT_A FPU FLOAT_HARD ;;
  esac
}

# firmware NAME ARGUMENTS...: configures the stand-in of a build system for the board.
firmware() {
  local name=$1; shift
  configure "$name" -S "$HERE/tests/$name" -DTOKENWARD="$PACKAGE" -DGCC="$GCC" -DCPU="$CPU" \
    -DBOARD="$HERE/tests/firmware/board.c" -DAUTOCONF="$OUT/$name.h" \
    -DCMAKE_TOOLCHAIN_FILE="$HERE/tests/cmake/firmware.cmake" -DCMAKE_EXE_LINKER_FLAGS="$LINK" \
    -DCMAKE_C_STANDARD_LIBRARIES=-lgcc "$@"
}

zephyr_board() {
  # shellcheck disable=SC2046
  must firmware zephyr -DCONFIG_TOKENWARD=y $(zephyr_config "$TARGET" | tr ' ' '\n' | sed 's/.*/-DCONFIG_&=y/')
  takes zephyr
}

# Kconfig by the parser that Zephyr uses.
zephyr() {
  need cmake ninja
  python_with zephyr kconfiglib==14.1.0 ruamel.yaml==0.19.1
  unpacked
  (cd "$PACKAGE" && TOKENWARD=$PACKAGE "$PYTHON" - "$HERE/tests/zephyr/Kconfig" "$OUT/zephyr.h") <<'PYTHON'
import sys, kconfiglib
kconfig = kconfiglib.Kconfig(sys.argv[1])
assert not kconfig.warnings, kconfig.warnings
assert kconfig.syms["TOKENWARD"].str_value == "n" and kconfig.syms["TOKENWARD_ACCESS_CAPACITY"].str_value == ""
assert kconfig.syms["TOKENWARD"].set_value(2)
assert kconfig.syms["TOKENWARD_ACCESS_CAPACITY"].set_value("3000")
kconfig.write_autoconf(sys.argv[2])
PYTHON
  "$PYTHON" - "$PACKAGE" <<'PYTHON'
import pathlib, sys, ruamel.yaml
root = pathlib.Path(sys.argv[1])
build = ruamel.yaml.YAML(typ="safe").load(root / "zephyr/module.yml")["build"]
assert (root / build["cmake"] / "CMakeLists.txt").is_file() and (root / build["kconfig"]).is_file()
PYTHON
  for_boards zephyr_board
  local cpu
  for cpu in "RISCV 64BIT" CPU_CORTEX_M23 "RISCV RISCV_ISA_EXT_C FPU FLOAT_HARD CPU_HAS_FPU_DOUBLE_PRECISION"; do
    # shellcheck disable=SC2046
    refused firmware zephyr -DCONFIG_TOKENWARD=y $(printf -- '-DCONFIG_%s=y ' $cpu)
    says "tokenward has no archive for this CPU. There are: riscv32imac-unknown-none-elf,"
  done
  echo "zephyr: kconfiglib reads its Kconfig; a stand-in links it for nine targets"
}

esp_idf_board() {
  local chip
  case $TARGET in
    riscv32imc-*) chip=esp32c3 ;;
    riscv32imac-*) chip=esp32c6 ;;
    riscv32imafc-*) chip=esp32p4 ;;
    *) return 0 ;;
  esac
  must firmware esp-idf "${IDF[@]}" -DIDF_TARGET=$chip
  takes esp-idf
}

# Packed by ESP-IDF's component manager, and built from the pack. Kconfig and manifest by the parsers that ESP-IDF uses.
esp-idf() {
  need cmake ninja tar
  python_with esp-idf esp-idf-kconfig==3.14.0 idf-component-manager==3.1.2
  unpacked
  local packed=$OUT/esp-idf-packed file
  rm -rf "$packed"
  mkdir -p "$packed/alone"
  cp -r "$PACKAGE/esp-idf/tokenward" "$packed/alone/tokenward"
  must "$(dirname "$PYTHON")/compote" component pack --name tokenward --project-dir "$packed/alone/tokenward" --dest-dir "$packed"
  mkdir "$packed/component"
  tar -xzf "$packed"/tokenward_*.tgz -C "$packed/component"
  for file in examples/keep_token/main/{main.c,loop.c,loop.h} CMakeLists.txt Kconfig Kconfig.capacities README.md LICENSE-MIT LICENSE-APACHE THIRD-PARTY \
    include/tokenward/tokenward.h lib/{riscv32imc,riscv32imac,riscv32imafc}-unknown-none-elf/libtokenward_c.a \
    lib/{x86_64,aarch64}-unknown-linux-gnu/libtokenward_c.a; do
    cmp "$packed/component/$file" "$PACKAGE/esp-idf/tokenward/$file" || fail "the pack's $file"
  done
  rm -r "$packed/alone"
  "$PYTHON" - "$packed/component" "$OUT/esp-idf.h" <<'PYTHON'
import sys, esp_kconfiglib
kconfig = esp_kconfiglib.Kconfig(sys.argv[1] + "/Kconfig")
assert not kconfig.warnings, kconfig.warnings
assert kconfig.syms["TOKENWARD_ACCESS_CAPACITY"].set_value("3000")
kconfig.write_autoconf(sys.argv[2])
from idf_component_tools.manager import ManifestManager
manifest = ManifestManager(sys.argv[1], "tokenward").load()
assert {"esp32c3", "linux"} < set(manifest.targets) and "esp32" not in manifest.targets, manifest.targets
PYTHON
  IDF=(-DCOMPONENT="$packed/component" -DIDF_VERSION_MAJOR=5)
  for_boards esp_idf_board
  must configure esp-idf -S "$HERE/tests/esp-idf" "${IDF[@]}" -DIDF_TARGET=linux -DAUTOCONF="$OUT/esp-idf.h"
  must cmake --build "$OUT/esp-idf"
  must "$OUT/esp-idf/consumer"
  refused firmware esp-idf "${IDF[@]}" -DIDF_TARGET=esp32s3
  says "tokenward does not support esp32s3: Rust has no Xtensa target upstream."
  refused firmware esp-idf "${IDF[@]}" -DIDF_VERSION_MAJOR=4 -DIDF_VERSION_MINOR=4 -DIDF_TARGET=esp32c3
  says "tokenward needs ESP-IDF 5.0 or later; this is 4.4."
  rm "$packed/component/lib/riscv32imc-unknown-none-elf/libtokenward_c.a"
  refused firmware esp-idf "${IDF[@]}" -DIDF_TARGET=esp32c3
  says "tokenward has no archive for riscv32imc-unknown-none-elf:"
  refused env -u IDF_PATH "$HERE/test.sh" esp-idf-sdk
  says "IDF_PATH is not set to a checkout of ESP-IDF: git clone"
  echo "esp-idf: compote packs it, $(du -b "$packed"/tokenward_*.tgz | cut -f1) bytes; a stand-in links the pack for three chips," \
    "runs it for target linux, and refuses Xtensa and ESP-IDF 4"
}

# demo_service ARGUMENTS...: a token service on loopback; DEMO is its base URL, and KEEP_TOKEN a file with the settings of
# the examples that keep a token there. It ends with this script.
demo_service() {
  need curl python3
  (cd "$ROOT" && cargo build --quiet --package tokenward-demo-service)
  rm -f "$OUT/demo.in"
  mkfifo "$OUT/demo.in"
  "$OUT/debug/tokenward-demo-service" --kind flute --lifetime 30 --print-json "$@" <"$OUT/demo.in" >"$OUT/demo.json" &
  exec 9>"$OUT/demo.in"
  while [ ! -s "$OUT/demo.json" ]; do sleep 0.1; done
  KEEP_TOKEN=$OUT/keep_token.conf
  DEMO=$(python3 - "$OUT/demo.json" "$KEEP_TOKEN" <<'PYTHON'
import json, sys
[service] = json.load(open(sys.argv[1]))["services"]
client = service["credentials"]
settings = {"BASE_URL": service["base_url"], "CLIENT_ID": client["client_id"], "CLIENT_SECRET": client["client_secret"],
            "CALL_PATH": "/v2/transactions"}
with open(sys.argv[2], "w") as out:
    for name, value in settings.items():
        print(f'CONFIG_EXAMPLE_{name}="{value}"', file=out)
    print("CONFIG_EXAMPLE_CALL_EVERY_S=2", file=out)
print(service["base_url"])
PYTHON
  )
}

# has_kept_token: what the service saw is a first token, a refresh after a restart with the refresh token that was stored,
# and calls that were answered.
has_kept_token() {
  curl --silent --fail "$DEMO/_demo/log" | python3 -c '
import json, sys
seen = json.load(sys.stdin)["exchanges"]
grants = [one["grant_type"] for one in seen if one.get("grant_type")]
assert grants[0] == "client_credentials" and set(grants[1:]) == {"refresh_token"}, grants
assert all(one["status"] == 200 for one in seen), seen
calls = sum(one["method"] == "GET" for one in seen)
assert calls > 5, calls
print(f"{len(grants)} token requests, one of them for the first token, and {calls} calls, all answered")'
}

# The example of the component, built for target `linux` by ESP-IDF's own build system and run; on request, as it needs a
# checkout.
esp-idf-sdk() {
  need cmake ninja
  [ -f "${IDF_PATH:-}/tools/cmake/project.cmake" ] || fail "IDF_PATH is not set to a checkout of ESP-IDF: git clone --recursive" \
    "--branch release/v5.5 https://github.com/espressif/esp-idf, then IDF_PATH=\$PWD/esp-idf $0 esp-idf-sdk"
  python_with esp-idf esp-idf-kconfig==3.14.0 idf-component-manager==3.1.2
  unpacked
  demo_service
  local component=$PACKAGE/esp-idf/tokenward project=$PACKAGE/esp-idf/tokenward/examples/keep_token build=$OUT/esp-idf-sdk flash
  PATH=$(dirname "$PYTHON"):$PATH ESP_IDF_VERSION=$(sed -n 's/^set(IDF_VERSION_M[AI][JN]OR //p' \
    "$IDF_PATH/tools/cmake/version.cmake" | tr -d ')' | paste -sd.) IDF_COMPONENT_MANAGER=0
  export PATH ESP_IDF_VERSION IDF_COMPONENT_MANAGER
  must configure esp-idf-sdk -S "$project" -DIDF_TARGET=linux -DPYTHON="$PYTHON" -DPYTHON_DEPS_CHECKED=1 \
    -DEXTRA_COMPONENT_DIRS="$component" -DSDKCONFIG="$build/sdkconfig" \
    -DSDKCONFIG_DEFAULTS="$project/sdkconfig.defaults;$KEEP_TOKEN"
  must cmake --build "$build"
  timeout 20 "$build/keep_token.elf" >"$OUT/keep_token.log" 2>&1 || [ $? = 124 ] || fail "$(cat "$OUT/keep_token.log")"
  flash=$(find /tmp -maxdepth 1 -name 'idf-partition-*' -newer "$OUT/demo.json")
  FLASH=$flash timeout 20 "$build/keep_token.elf" >>"$OUT/keep_token.log" 2>&1 || [ $? = 124 ] || fail "$(cat "$OUT/keep_token.log")"
  rm -f "$flash"
  grep -q 'called with token 1: 200' "$OUT/keep_token.log" || fail "$(cat "$OUT/keep_token.log")"
  echo "esp-idf-sdk: ESP-IDF $ESP_IDF_VERSION, target linux: $(has_kept_token)"
}

# The sample of the module, built by Zephyr's own build system for a board of QEMU and run there, over TLS; on request, as it
# needs a checkout.
zephyr-sdk() {
  need cmake ninja openssl qemu-system-arm arm-none-eabi-gcc
  [ -f "${ZEPHYR_BASE:-}/share/zephyr-package/cmake/ZephyrConfig.cmake" ] && [ -n "${ZEPHYR_MODULES:-}" ] ||
    fail "ZEPHYR_BASE is not set to a checkout of Zephyr 3.2, or ZEPHYR_MODULES not to those of its modules cmsis and mbedtls:" \
      "git clone --branch v3.2-branch https://github.com/zephyrproject-rtos/zephyr, the two at the revisions in its west.yml," \
      "then ZEPHYR_BASE=\$PWD/zephyr ZEPHYR_MODULES=\"\$PWD/cmsis;\$PWD/mbedtls\" $0 zephyr-sdk"
  python_with zephyr-sdk pyelftools==0.32 PyYAML==6.0.3 pykwalify==1.8.0 packaging==25.0
  unpacked
  demo_service
  local folder=$OUT/zephyr-sdk tls
  rm -rf "$folder"
  mkdir -p "$folder"
  # The host as QEMU's board sees it.
  must openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=10.0.2.2 \
    -keyout "$folder/key.pem" -out "$folder/ca.pem"
  must openssl x509 -in "$folder/ca.pem" -outform der -out "$folder/ca.der"
  "$HERE/tests/zephyr/tls.py" "$folder/ca.pem" "$folder/key.pem" "${DEMO##*:}" >"$folder/port" &
  tls=$!
  while [ ! -s "$folder/port" ]; do sleep 0.1; done
  sed "s|^CONFIG_EXAMPLE_BASE_URL=.*|CONFIG_EXAMPLE_BASE_URL=\"https://10.0.2.2:$(cat "$folder/port")\"|" "$KEEP_TOKEN" >"$folder/keep_token.conf"
  echo "CONFIG_EXAMPLE_CA=\"$folder/ca.der\"" >>"$folder/keep_token.conf"
  export ZEPHYR_TOOLCHAIN_VARIANT=cross-compile CROSS_COMPILE
  CROSS_COMPILE=$(command -v arm-none-eabi-gcc)
  CROSS_COMPILE=${CROSS_COMPILE%gcc}
  PATH=$(dirname "$PYTHON"):$PATH
  must configure zephyr-sdk/build -S "$PACKAGE/zephyr/samples/keep_token" -DBOARD=mps2_an385 \
    -DZEPHYR_MODULES="$ZEPHYR_MODULES;$PACKAGE" -DOVERLAY_CONFIG="$folder/keep_token.conf"
  must cmake --build "$folder/build"
  timeout 70 qemu-system-arm -M mps2-an385 -nographic -nic user,model=lan9118 -kernel "$folder/build/zephyr/zephyr.elf" \
    </dev/null >"$folder/log" 2>&1 || [ $? = 124 ] || fail "$(cat "$folder/log")"
  kill $tls
  grep -q 'called with token 2: 200' "$folder/log" || fail "$(cat "$folder/log")"
  echo "zephyr-sdk: Zephyr $(sed -n 's/^VERSION_M[AI][JN]OR = //p' "$ZEPHYR_BASE/VERSION" | paste -sd.), mps2_an385, TLS: $(has_kept_token)"
}

# Every snippet of the guide, and of the repository's README, is a file that its first line names: compiled for the host
# and a Cortex-M0, or run. The header has an example for each function, which calls it: all are functions of one file.
guide() {
  need gcc arm-none-eabi-gcc valgrind
  unpacked
  local file library
  library=$PACKAGE/lib/$(rustc -vV | sed -n 's/^host: //p')/libtokenward_c.a
  rm -rf "$OUT/guide"
  mkdir -p "$OUT/guide"
  awk -v out="$OUT/guide" '
    /^```c$/ { getline; file = out "/" $2 }
    /^```$/ { file = "" }
    file { print > file }
    /^\/\*\*/ { example = "" }
    / @endcode$/ { taken = 0 }
    taken { example = example substr($0, 4) "\n" }
    / @code$/ { taken = 1; line = FNR + 1 }
    FILENAME ~ /\.h$/ && /^[a-z#][^(]*tokenward_[a-z0-9_]*\(/ {
      name = $0
      sub(/\(.*/, "", name)
      sub(/.*[ *]/, "", name)
      if (!index(example, name "(")) { print "test.sh: the header has no example of " name; missing = 1 }
      if (!functions++) print "#include \"application.h\"" > (out "/header.c")
      printf "int32_t example_%s(void) {\n#line %d \"tokenward.h\"\n%s", name, line, example > (out "/header.c")
      print "  return TOKENWARD_OK;\n}" > (out "/header.c")
    }
    END { print "guide: " functions + 0 " functions of the header, each with an example"; exit missing || !functions }
    ' "$PACKAGE/README.md" "$ROOT/README.md" "$PACKAGE/include/tokenward/tokenward.h" || fail "examples are missing"
  local cflags="-std=c99 -D_POSIX_C_SOURCE=200809L $WARN -I$PACKAGE/include -I$HERE/tests/guide -I$OUT/guide"
  # shellcheck disable=SC2086
  for file in "$OUT"/guide/*.c; do
    gcc $cflags -c "$file" -o "$OUT/guide/a.o" || fail "the guide's $(basename "$file")"
    grep -qE '<(pthread|curl/curl|poll|unistd)\.h>' "$file" || arm-none-eabi-gcc -mthumb -mcpu=cortex-m0 $cflags -c "$file" -o "$OUT/guide/a.o" ||
      fail "the guide's $(basename "$file"), on a Cortex-M0"
  done
  local program
  for program in first_token sign_in power_cuts moved refusals sealed; do
    # shellcheck disable=SC2086
    gcc $cflags -g -fsanitize=address,undefined -fno-sanitize-recover=all "$HERE/tests/guide/$program.c" "$library" \
      -o "$OUT/guide/$program"
    "$OUT/guide/$program"
  done
  local rate
  for rate in 100 300 1000 1024 32768; do
    # shellcheck disable=SC2086
    gcc $cflags -DconfigTICK_RATE_HZ=$rate -ffunction-sections -Wl,--gc-sections "$HERE/tests/guide/ticks.c" "$library" \
      -o "$OUT/guide/ticks"
    "$OUT/guide/ticks"
  done
  # shellcheck disable=SC2086
  refused gcc $cflags -DTICKS_OF_16_BITS -c "$OUT/guide/freertos.c" -o "$OUT/guide/a.o"
  says "ticks_have_32_bits"
  # shellcheck disable=SC2086
  gcc $cflags -g "$HERE/tests/guide/threads.c" "$library" -lpthread -o "$OUT/guide/threads"
  must valgrind --tool=helgrind --error-exitcode=9 "$OUT/guide/threads"
  "$OUT/guide/threads"
  echo "guide: $(find "$OUT/guide" -name '*.c' | wc -l) snippets compile"
}

# What binds callers is as it was: a change is a new TOKENWARD_ABI_VERSION, and then a new abi.txt.
abi() {
  need python3 gcc arm-none-eabi-gcc riscv64-unknown-elf-gcc
  local cc
  for cc in "arm-none-eabi-gcc -mthumb -mcpu=cortex-m0 -fshort-enums" "riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32"; do
    "$HERE/abi/abi.py" "$ROOT/ffi/c/include/tokenward/tokenward.h" "$cc" gcc >"$OUT/abi.txt"
    diff "$HERE/abi/abi.txt" "$OUT/abi.txt" || fail "the ABI has changed; if that is meant: cp $OUT/abi.txt $HERE/abi/abi.txt"
  done
  sed -n 's/^extern const .* \(tokenward_.*\);$/\1/p; s/^.*\b\(tokenward_[a-z0-9_]*\)(.*/\1/p' "$OUT/abi.txt" | sort |
    diff "$ROOT/ffi/c/symbols.txt" - || fail "the header's functions and objects are not those of symbols.txt"
  echo "abi: as committed, $(wc -l <"$HERE/abi/abi.txt") lines"
}

# The same sources elsewhere, built into another folder, give the same archives; packing twice gives the same bytes.
reproducible() {
  need git tar sha256sum
  local host copy=$OUT/elsewhere/tokenward target sums
  host=$(rustc -vV | sed -n 's/^host: //p')
  local targets="$host thumbv7em-none-eabi"
  rm -rf "$OUT/elsewhere"
  mkdir -p "$copy"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from -) |
    tar -x -C "$copy"
  for target in here elsewhere; do
    sums=$OUT/$target.sum
    # shellcheck disable=SC2086
    if [ $target = here ]; then (cd "$ROOT" && cargo xtask dist --target $targets)
    else (cd "$copy" && CARGO_TARGET_DIR=$OUT/elsewhere/target cargo xtask dist --target $targets); fi |
      tail -1 | xargs sha256sum | cut -d ' ' -f 1 >"$sums"
  done
  cmp "$OUT/here.sum" "$OUT/elsewhere.sum" || fail "the package is not reproducible"
  echo "reproducible: $(cat "$OUT/here.sum")"
}

# Every Linux: target, what zig calls it, the emulator and the folder with the C library that it loads.
linuxes() {
  printf '%s|%s|%s\n' \
    aarch64-unknown-linux-gnu aarch64-linux-gnu.2.28 "qemu-aarch64 -L /usr/aarch64-linux-gnu" \
    aarch64-unknown-linux-musl aarch64-linux-musl qemu-aarch64 \
    armv7-unknown-linux-gnueabihf arm-linux-gnueabihf.2.28 "qemu-arm -L /usr/arm-linux-gnueabihf" \
    armv7-unknown-linux-musleabihf arm-linux-musleabihf qemu-arm \
    riscv64gc-unknown-linux-gnu riscv64-linux-gnu.2.28 "qemu-riscv64 -L /usr/riscv64-linux-gnu" \
    riscv64gc-unknown-linux-musl riscv64-linux-musl qemu-riscv64 \
    x86_64-unknown-linux-musl x86_64-linux-musl ""
}

# zig NAME TARGET FLAGS...: CC is a compiler for the target, which brings the target's C library.
zig() {
  python_with zig ziglang==0.17.0
  export ZIG_GLOBAL_CACHE_DIR=${TOKENWARD_CACHE:-$HOME/.cache/tokenward}/zig ZIG_LOCAL_CACHE_DIR=$OUT/zig
  mkdir -p "$OUT/zig"
  CC=$OUT/zig/$1-cc
  printf '#!/bin/sh\nexec "%s" -m ziglang cc -target %s "$@"\n' "$PYTHON" "${*:2}" >"$CC"
  chmod +x "$CC"
}

# configure_linux: tests/cmake for the compiler CC.
configure_linux() {
  configure cmake-linux -S "$HERE/tests/cmake" -DCMAKE_PREFIX_PATH="$PACKAGE" -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CC" -DCMAKE_C_FLAGS="$WARN" -DCMAKE_CXX_FLAGS="$WARN" \
    -DCMAKE_BUILD_TYPE=Release "$@"
}

make_linux() {
  command make --silent --always-make -C "$HERE/tests/make" TOKENWARD="$PACKAGE" OUT="$OUT/consumer" CC="$CC" CFLAGS="-O2 $WARN" "$@"
}

# foreign NAME TARGET FLAGS...: a compiler for which there is no archive is refused by this name, by CMake and Make.
foreign() {
  zig foreign "${@:2}"
  # It only preprocesses: there is no need to build its C library.
  refused configure_linux -DCMAKE_C_COMPILER_FORCED=1 -DCMAKE_CXX_COMPILER_FORCED=1
  says "no archive for the target \"$1\""
  refused make_linux
  says "no archive for the target \"$1\""
}

# The archives for Linux, taken by CMake, Make and pkg-config, and run.
linux() {
  need cmake ninja make pkg-config readelf qemu-aarch64 qemu-arm qemu-riscv64
  unpacked
  local target triple run library flags
  while IFS='|' read -r TARGET triple run <&3; do
    library=$PACKAGE/lib/$TARGET/libtokenward_c.a
    # shellcheck disable=SC2086
    zig "$TARGET" $triple
    must configure_linux
    takes cmake-linux
    must $run "$OUT/cmake-linux/consumer-c"
    must $run "$OUT/cmake-linux/consumer-cpp"
    must make_linux
    must $run "$OUT/consumer"
    flags=$(PKG_CONFIG_PATH=$PACKAGE/lib/pkgconfig pkg-config --define-variable=target="$TARGET" --cflags --libs tokenward)
    [[ $flags == *"/lib/$TARGET "* ]] || fail "pkg-config, $TARGET: $flags"
    # shellcheck disable=SC2086
    must "$CC" $WARN "$HERE/tests/consumer.c" $flags -o "$OUT/consumer"
    must $run "$OUT/consumer"
    readelf --symbols --wide "$library" 2>/dev/null | awk '
      $5 == "GLOBAL" || $5 == "WEAK" { if ($7 == "UND") wanted[$8]; else there[$8] }
      END { for (name in wanted) if (!(name in there)) print name }' | sort >"$OUT/wanted"
    ! grep -vxE 'mem(cpy|move|set|cmp)|bcmp|getauxval|__aeabi_unwind_cpp_pr[01]' "$OUT/wanted" ||
      fail "$TARGET's archive wants more of a C library"
    echo "linux: $TARGET: CMake, Make, pkg-config; $triple by zig; $(readelf --version-info --wide "$OUT/consumer" |
      grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1) wants $(tr '\n' ' ' <"$OUT/wanted")"
  done 3< <(linuxes)
  foreign linux-arm-soft-float arm-linux-gnueabi.2.28
  foreign linux-arm-soft-float arm-linux-musleabi
  foreign linux-arm-before-v7 arm-linux-gnueabihf.2.28 -mcpu=arm1176jzf_s
  foreign linux-big-endian aarch64_be-linux-gnu.2.28
  foreign linux-riscv-not-rv64gc-lp64d riscv64-linux-musl -mabi=lp64
  foreign linux-x32 x86_64-linux-gnux32.2.28
  foreign linux-i386 x86-linux-musl
  zig other aarch64-linux-gnu.2.28
  refused configure_linux -DTOKENWARD_TARGET=aarch64-unknown-linux-musl
  says "TOKENWARD_TARGET is aarch64-unknown-linux-musl, and this compiler is for aarch64-unknown-linux-gnu"
  echo "linux: run for seven targets; soft float, ARMv6, big-endian and other ABIs are refused by name"
}

# arm64_root: ARM64 is a folder with Debian's libcurl and OpenSSL for arm64, and what they need; nothing of it is installed.
arm64_root() {
  ARM64=${TOKENWARD_CACHE:-$HOME/.cache/tokenward}/arm64
  [ ! -f "$ARM64/with-openssl" ] || return 0
  command -v dpkg >/dev/null || fail "libcurl for arm64 is taken from Debian's packages, by apt-get and dpkg"
  local apt=$OUT/arm64 package
  rm -rf "$apt" "$ARM64"
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$ARM64"
  touch "$apt/status"
  local settings="APT::Architecture=arm64 APT::Architectures=arm64 APT::Sandbox::User=$(id -un) Dir::State=$apt/state
    Dir::State::status=$apt/status Dir::Cache=$apt/cache APT::Install-Recommends=false"
  # shellcheck disable=SC2086
  must apt-get -qq $(printf -- '-o %s ' $settings) update
  # shellcheck disable=SC2086
  must apt-get -qq $(printf -- '-o %s ' $settings) --download-only --yes install libcurl4-openssl-dev libssl-dev
  for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$ARM64"; done
  rm -rf "$apt"
  touch "$ARM64/with-openssl"
}

# The gateway of the examples, built for arm64 from the package, against the demo service.
gateway() {
  need make qemu-aarch64
  unpacked
  arm64_root
  zig gateway aarch64-linux-gnu
  local gateway=$ROOT/examples/c-gateway lib=$ARM64/usr/lib/aarch64-linux-gnu
  CFLAGS="-O2 -isystem $ARM64/usr/include/aarch64-linux-gnu -isystem $ARM64/usr/include" LDFLAGS="-L$lib -Wl,-rpath-link,$lib -Wl,--allow-shlib-undefined" must command make --always-make \
    -C "$gateway" CC="$CC" OUT="$OUT/gateway" TOKENWARD_INCLUDE="$PACKAGE/include" \
    TOKENWARD_LIB="$PACKAGE/lib/aarch64-unknown-linux-gnu/libtokenward_c.a"
  GATEWAY="qemu-aarch64 -L $ARM64 $OUT/gateway/tokenward-gateway" KILLS=6 "$gateway/test.sh" demo kills
}

[ "${1:-}" != --list ] || { echo "$LEGS; on request $ON_REQUEST"; exit; }
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $LEGS
for leg; do
  case " $LEGS $ON_REQUEST " in *" $leg "*) ;; *) fail "no leg \`$leg\`; there are: $LEGS $ON_REQUEST" ;; esac
  case $leg in cmake | make) "$leg-leg" ;; *) "$leg" ;; esac
  echo "counted: 1 passed, 0 failed"
done
