#!/usr/bin/env bash
# Provides the tools that test legs need. usage: tools.sh LEG...
#
# What is missing is installed from Debian's packages where this runs as root, and named where it does not.
set -euo pipefail

fail() { printf 'tools: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# install WHAT PACKAGE…
install() {
  local what=$1; shift
  has apt-get || fail "$what is missing: install it (Debian: apt-get install $*)"
  [ "$(id -u)" = 0 ] || fail "$what is missing: run \`sudo apt-get install $*\`"
  [ -n "${updated:-}" ] || { apt-get update -qq; updated=yes; }
  echo "tools: installing $*"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# program NAME PACKAGE…
program() { has "$1" || install "\`$1\`" "${@:2}"; }

# header NAME PACKAGE…
header() {
  echo "#include <$1>" |
    cc -x c -fsyntax-only -include stdarg.h -include stddef.h -include stdint.h -include setjmp.h - 2>/dev/null ||
    install "<$1>" "${@:2}"
}

# component COMMAND NAME: of the Rust toolchain.
component() {
  cargo "$1" --version >/dev/null 2>&1 && return
  has rustup || fail "\`cargo $1\` is missing: install the $2 of your Rust toolchain"
  rustup component add "$2"
}

# Here, as legs that run side by side would add them at once. Without rustup the legs have their own way, or say so.
bare_metal_rust() {
  ! has rustup || rustup --quiet target add thumbv{6m,7m,7em,8m.main}-none-eabi riscv32imac-unknown-none-elf || true
}

rust_sources() { ! has rustup || rustup --quiet component add rust-src || true; }

bare_metal() {
  program arm-none-eabi-gcc gcc-arm-none-eabi
  [ -e "$(arm-none-eabi-gcc -print-file-name=libc.a)" ] || install newlib libnewlib-arm-none-eabi
  program riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
}

# c_library FOLDER PACKAGE: what programs for another CPU load under qemu-user.
c_library() { [ -e "/usr/$1/lib/libc.so.6" ] || install "the C library of $1" "$2"; }

venv() {
  program python3 python3
  python3 -c 'import ensurepip' 2>/dev/null || install "Python's venv" python3-venv
}

boards() {
  bare_metal
  program qemu-system-arm qemu-system-arm
  program qemu-system-riscv32 qemu-system-misc
  program python3 python3
}

# The authorization server that gateways and apps are tested against.
oidc_provider() { program node nodejs; program npm npm; }

c_surface() {
  program g++ g++
  program clang clang libclang-rt-dev
  program valgrind valgrind
  program doxygen doxygen
  header cmocka.h libcmocka-dev
  header jansson.h libjansson-dev
  bare_metal
}

# Where there is no Swift its leg puts one into a private root, with the first two.
swift() { program perl perl; program unshare util-linux; program python3 python3; }

kotlin() {
  program javac openjdk-17-jdk-headless
  program mvn maven
  program unzip unzip
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install PostgreSQL postgresql
}

program cc gcc libc6-dev
for leg; do
  case $leg in
    fmt) component fmt rustfmt ;;
    clippy) component clippy clippy ;;
    corpora) [ -d "${TOKENWARD_CORPORA:-../shared/corpora}/JSONTestSuite" ] || program npm npm ;;
    fuzz) program g++ g++ ;;
    counts) program valgrind valgrind ;;
    libraries) program python3 python3; program readelf binutils ;;
    deny) program git git ;;
    changes) program git git; program patch patch ;;
    doc | no-std | panic-free-firmware | no-alloc-example | embassy-example) bare_metal_rust ;;
    c) c_surface; bare_metal_rust ;;
    c-firmware | memory) boards; bare_metal_rust ;;
    c-package)
      boards
      rust_sources
      program g++ g++
      program clang clang libclang-rt-dev
      program make make
      program cmake cmake
      program ninja ninja-build
      program pkg-config pkg-config
      program git git
      program valgrind valgrind
      venv
      ;;
    c-linux)
      program make make
      program cmake cmake
      program ninja ninja-build
      program pkg-config pkg-config
      program readelf binutils
      program qemu-aarch64 qemu-user
      c_library aarch64-linux-gnu libc6-arm64-cross
      c_library arm-linux-gnueabihf libc6-armhf-cross
      c_library riscv64-linux-gnu libc6-riscv64-cross
      rust_sources
      venv
      ;;
    c-gateway)
      program make make
      program python3 python3
      program openssl openssl
      header curl/curl.h libcurl4-openssl-dev; header openssl/evp.h libssl-dev
      oidc_provider
      ;;
    esp-idf)
      program cmake cmake
      program ninja ninja-build
      program curl curl
      program g++ g++
      header bsd/string.h libbsd-dev
      venv
      ;;
    zephyr)
      boards
      program cmake cmake
      program ninja ninja-build
      program curl curl
      program openssl openssl
      venv
      ;;
    executors) program make make; program python3 python3; header curl/curl.h libcurl4-openssl-dev; header openssl/evp.h libssl-dev ;;
    sign-in) program python3 python3; oidc_provider ;;
    swift) swift; oidc_provider ;;
    kotlin) kotlin; oidc_provider ;;
    scenarios) c_surface; swift; kotlin ;;
  esac
done
