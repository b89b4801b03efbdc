#!/usr/bin/env bash
# The tests of the Kotlin surface. usage: test.sh [--list | LEG...]; test.sh replay <SCENARIOS
#
# Needs the Debian packages openjdk-17-jdk-headless, maven, nodejs, npm, postgresql, unzip and a Rust toolchain. Maven's artifacts
# are kept in $TOKENWARD_M2 (default ${TOKENWARD_CACHE:-~/.cache/tokenward}/m2), what is built in $CARGO_TARGET_DIR/kotlin.
set -euo pipefail

KOTLIN=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$KOTLIN/../.." && pwd)
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-$ROOT/target}")
export CARGO_TARGET_DIR=$TARGET
# JNA would look there first, and `cargo run` adds where another build's library may lie.
unset LD_LIBRARY_PATH
OUT=$TARGET/kotlin
M2=${TOKENWARD_M2:-${TOKENWARD_CACHE:-$HOME/.cache/tokenward}/m2}
VERSION=$(sed -n 's:^  <version>\(.*\)</version>$:\1:p' "$KOTLIN/pom.xml")
MODULES="tokenward tokenward-test tokenward-okhttp tokenward-ktor tokenward-jdbc tokenward-android"
R8=9.5.28
LEGS="build lint test docs api gradle aar consumer bench"
mkdir -p "$OUT"

fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }
# counted N: what a part has tested, for the tally of `cargo xtask test`.
counted() { echo "counted: $1 passed, ${2:-0} failed"; }
need() {
  local c
  for c; do
    command -v "$c" >/dev/null ||
      fail "\`$c\` is missing; Debian: apt-get install openjdk-17-jdk-headless maven nodejs npm unzip binutils"
  done
}
# maven [-f POM] ARGUMENTS...: what it says is in LOG, and shown where it fails.
maven() {
  local pom=$KOTLIN/pom.xml
  if [ "$1" = -f ]; then pom=$2; shift 2; fi
  LOG=$OUT/maven.log
  mvn -B -ntp -Dstyle.color=never -Dmaven.repo.local="$M2" -Dout.dir="$OUT" -f "$pom" "$@" >"$LOG" 2>&1 ||
    { grep -v '^\[INFO\]\|^\[WARNING\]' "$LOG" >&2; fail "maven; all of it is in $LOG"; }
}

# The native library, where JNA and the AAR look for it, and the service that the tests run against.
native() {
  need cargo cc strip
  local platform library=libtokenward_uniffi.so
  case $(uname -sm) in
    "Linux x86_64") platform=linux-x86-64 ABI=x86_64 ;;
    "Linux aarch64") platform=linux-aarch64 ABI=arm64-v8a ;;
    *) fail "these tests run on Linux, x86-64 or aarch64" ;;
  esac
  mkdir -p "$OUT/native/$platform" "$OUT/jni/$ABI"
  strip -o "$OUT/native/$platform/$library" "$("$ROOT/bindings/library.sh" "${CC:-cc}")"
  cp "$OUT/native/$platform/$library" "$OUT/jni/$ABI/"
}

# Compiles everything, tests included.
build() {
  need java javac mvn
  native
  maven clean test-compile
  echo "build: tokenward $VERSION, its modules and their tests compile without a warning"
}

# The services that the tests run against.
services() {
  need cargo node npm
  (cd "$ROOT" && cargo build --quiet --package tokenward-demo-service)
  cp "$TARGET/debug/tokenward-demo-service" "$OUT/"
  "$ROOT/examples/oidc-provider/install.sh" "$OUT/oidc-provider"
  cp "$KOTLIN/tokenward-testing/oidc-provider/server.mjs" "$OUT/oidc-provider/kotlin.mjs"
}

lint() {
  need mvn
  maven com.github.gantsign.maven:ktlint-maven-plugin:3.7.1:check
  echo "lint: ktlint has nothing to say"
}

test() {
  need java mvn
  native
  services
  # All modules' tests run, whichever fail; no report of an earlier run counts.
  rm -rf "$OUT"/*/surefire-reports*
  maven -Dmaven.test.failure.ignore=true test
  cat "$OUT"/*/surefire-reports*/TEST-*.xml | awk -F'"' '
    /<testsuite /{for(i=1;i<NF;i++){if($i~/ tests=$/)t+=$(i+1);if($i~/ (errors|failures|skipped)=$/)f+=$(i+1)}}
    END{printf "counted: %d passed, %d failed\n",t-f,f; exit !(t>0&&f==0)}' ||
    { grep -v '^\[INFO\]\|^\[WARNING\]' "$LOG" >&2; fail "tests; all that Maven said is in $LOG"; }
}

# driver [MODULE]: compiles what replays scenarios, or a module's tests; prints the class path, which holds until Maven's
# artifacts change.
driver() {
  local module=${1:-tokenward}
  need java mvn
  native
  maven -pl "$module" -am test-compile \
    org.apache.maven.plugins:maven-dependency-plugin:3.11.0:build-classpath \
    -Dmdep.outputFile="$OUT/driver.classpath" -DincludeScope=test
  echo "$OUT/$module/test-classes:$OUT/$module/classes:$(cat "$OUT/driver.classpath")"
}

replay() {
  local classpath
  classpath=$(driver </dev/null)
  # The library that was just built, by its path: whatever else is on the class path, or where the system looks.
  exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
    -Duniffi.component.tokenward_uniffi.libraryOverride="$TARGET/mobile/libtokenward_uniffi.so" \
    -cp "$classpath" io.github.tokenward.ScenariosKt
}

# Jars, sources, documentation, AAR and Gradle's metadata, deployed into a repository on disk. Once for all legs that want it.
deployed=
deploy() {
  [ -z "$deployed" ] || return 0
  need java mvn python3
  native
  rm -rf "$OUT/repository"
  rm -f "$OUT/needed"
  maven -DskipTests -Dmaven.install.skip=true -DaltDeploymentRepository="built-here::file:$OUT/repository" deploy \
    org.apache.maven.plugins:maven-dependency-plugin:3.11.0:list \
    -DincludeScope=runtime -DexcludeTransitive=true -DoutputFile="$OUT/needed" -DappendOutput=true
  cp "$LOG" "$OUT/deploy.log"
  # shellcheck disable=SC2086
  "$KOTLIN/gradle.py" write "$OUT/repository" "$VERSION" $MODULES
  deployed=yes
}

docs() {
  deploy
  local module jar
  for module in $MODULES; do
    for jar in sources javadoc; do
      [ -s "$OUT/repository/io/github/tokenward/$module/$VERSION/$module-$VERSION-$jar.jar" ] || fail "$module has no $jar jar"
    done
  done
  jar=$OUT/repository/io/github/tokenward/tokenward/$VERSION/tokenward-$VERSION-javadoc.jar
  unzip -Z1 "$jar" >"$OUT/docs.list"
  unzip -p "$jar" '*/-token-keeper/authorize.html' '*/-token-manager-options/-token-manager-options.html' |
    sed 's/<[^>]*>//g' >"$OUT/docs.text"
  for jar in 'suspend fun authorize' 'accessCapacity: Int = 4096' 'there is no token, or none for this URL'; do
    grep -q "$jar" "$OUT/docs.text" || fail "the documentation does not say: $jar"
  done
  if grep -q 'tokenward.bridge/' "$OUT/docs.list"; then fail "the bridge is in the documentation"; fi
  # The links of the bridge, which is not documented, are Rust's.
  if grep "Couldn't resolve link" "$OUT/deploy.log" | grep -v '\[`'; then fail "links that lead nowhere"; fi
  echo "docs: $(grep -c '\.html$' "$OUT/docs.list") pages of tokenward without a warning"
}

# The public API as text. TOKENWARD_WRITE_API=1 writes what is committed anew. Each class is for the oldest Java and Kotlin that
# are promised.
api() {
  need unzip javap
  deploy
  local jar said oldest
  oldest=$(sed -n 's:^ *<kotlin.oldest>\(.*\)</.*:\1:p' "$KOTLIN/pom.xml")
  maven -f "$KOTLIN/api/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies \
    -DoutputDirectory="$OUT/api-dump"
  local module
  for module in $MODULES; do
    java -cp "$OUT/api-dump/*" "$KOTLIN/api/ApiDump.java" "$OUT/$module/$module-$VERSION.jar" >"$OUT/$module.api"
    jar=$OUT/$module/$module-$VERSION.jar
    # shellcheck disable=SC2046
    said=$(javap -v -cp "$jar" $(unzip -Z1 "$jar" '*.class' | sed 's/\.class$//; s:/:.:g') |
      grep -oE '^  major version: [0-9]+|^      mv=\[[0-9]+,[0-9]+' | sort -u | tr -d ' \n')
    [ "$said" = "mv=[${oldest/./,}majorversion:55" ] || fail "$module is not for Java 11 and Kotlin $oldest: $said"
    if grep -q '/bridge/' "$OUT/$module.api"; then fail "the bridge is in the API of $module"; fi
    if [ -n "${TOKENWARD_WRITE_API:-}" ]; then cp "$OUT/$module.api" "$KOTLIN/api/$module.api"; fi
    diff "$KOTLIN/api/$module.api" "$OUT/$module.api" ||
      fail "the API of $module is not api/$module.api; TOKENWARD_WRITE_API=1 $0 api writes it"
  done
  echo "api: $(cat "$KOTLIN"/api/*.api | grep -c ' class \| interface ') public types, as committed"
}

# What Gradle reads in place of the POMs. Gradle itself is in no registry.
gradle() {
  deploy
  # shellcheck disable=SC2086
  "$KOTLIN/gradle.py" check "$OUT/repository" "$VERSION" $MODULES <"$OUT/needed"
}

# What Gradle takes from the AAR. Its library here is the host's: what Android loads is built on a machine with an NDK.
aar() {
  need unzip
  deploy
  local folder=$OUT/aar entry
  rm -rf "$folder"
  unzip -q "$OUT/repository/io/github/tokenward/tokenward-android/$VERSION/tokenward-android-$VERSION.aar" -d "$folder"
  for entry in AndroidManifest.xml R.txt proguard.txt classes.jar "jni/$ABI/libtokenward_uniffi.so"; do
    [ -e "$folder/$entry" ] || fail "the AAR has no $entry"
  done
  grep -q 'minSdkVersion="26"' "$folder/AndroidManifest.xml" || fail "the manifest's minSdkVersion"
  cmp "$folder/proguard.txt" "$KOTLIN/tokenward/src/main/resources/META-INF/proguard/tokenward.pro" || fail "the rules differ"
  unzip -l "$folder/classes.jar" >"$OUT/aar.list"
  grep -q 'io/github/tokenward/android/AndroidTokenStorage.class' "$OUT/aar.list" || fail "classes.jar"
  grep -q '<type>aar</type>' "$OUT/repository/io/github/tokenward/tokenward-android/$VERSION/tokenward-android-$VERSION.pom" ||
    fail "the POM does not ask for JNA's AAR"
  echo "aar: manifest, rules, classes and jni are there, $(wc -c <"$folder/jni/$ABI/libtokenward_uniffi.so") bytes of library"
}

# Strangers' projects resolve from the repository, not from the reactor, and live a token's life.
consumer() {
  need java mvn cargo unzip
  deploy
  (cd "$ROOT" && cargo build --quiet --package tokenward-demo-service)
  local apps=$ROOT/examples
  "$ROOT/bindings/first-hour.sh" "$apps/kotlin-cli/src/main/kotlin/Main.kt" "$apps/kotlin-retrofit/src/main/kotlin/Main.kt"
  app kotlin-cli OkHttp <<'SAID'
five calls: [200, 200, 200, 200, 200]
refused and replaced: 200, Authorization([redacted], generation=2)
elsewhere: origin_not_allowed: The URL is not on one of the provider's origins: check it, and use https.
restarted: 200, Authorization([redacted], generation=2)
signed out: signed_out: Sign in: you signed out.
SAID
  shrunk
  signing_in
  retrofit 3.0.0 4.12.0
  retrofit 3.0.0 5.5.1 -P okhttp5
  retrofit 2.12.0 5.5.1 -P okhttp5
}

# app NAME WHAT ARGUMENTS...: builds an app and lives it; what it is to say stands in the input.
app() {
  local app=$OUT/$1
  rm -rf "$app" "$M2/io/github/tokenward"
  maven -f "$ROOT/examples/$1/pom.xml" "${@:3}" package
  rm -rf "$M2/io/github/tokenward"
  cat >"$app/expected"
  live "$1" "$2" "$app/$1-1.jar:$app/lib/*"
}

# live NAME WHAT CLASSPATH: runs an app against a real service, and wants what it is to say.
live() {
  local app=$OUT/$1 described service
  rm -f "$app/stdin" "$app/service.json" "$app"/state*
  mkfifo "$app/stdin"
  "$TARGET/debug/tokenward-demo-service" --kind flute --raw-log --print-json <"$app/stdin" >"$app/service.json" &
  service=$!
  exec 8>"$app/stdin"
  while [ ! -s "$app/service.json" ]; do kill -0 $service || fail "the demo service did not start"; sleep 0.1; done
  described=$(cat "$app/service.json")
  member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$described"; }
  java -cp "$3" MainKt "$(member sandbox)" "$(member client_id)" "$(member client_secret)" "$app/state" >"$app/said" ||
    { cat "$app/said"; kill $service; fail "$2"; }
  "$ROOT/bindings/first-hour.sh" --audience "$(member sandbox)" || { kill $service; fail "$1 sends no audience"; }
  exec 8>&-
  wait $service
  diff "$app/expected" "$app/said" || fail "$2 says something else"
  echo "consumer: $2: $(wc -l <"$app/said") lines as expected"
}

# The app again, shrunk and renamed by R8 with the rules that stand in the jar. Class files for dex, so that they run.
shrunk() {
  local app=$OUT/kotlin-cli home
  home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
  maven "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy" -N -Dartifact="com.android.tools:r8:$R8" \
    -DoutputDirectory="$OUT/r8"
  unzip -p "$app/lib/tokenward-$VERSION.jar" META-INF/proguard/tokenward.pro >"$app/rules.pro"
  echo '-keep class MainKt { public static void main(java.lang.String[]); }' >>"$app/rules.pro"
  java -Xmx2g -cp "$OUT/r8/r8-$R8.jar" com.android.tools.r8.R8 --release --classfile --lib "$home" \
    --pg-conf "$app/rules.pro" --output "$app/shrunk.jar" "$app/kotlin-cli-1.jar" "$app"/lib/*.jar 2>"$OUT/r8.log" ||
    { tail -n 20 "$OUT/r8.log" >&2; fail "R8; all of it is in $OUT/r8.log"; }
  live kotlin-cli "OkHttp, shrunk by R8 with the jar's rules" "$app/shrunk.jar"
}

# The app that signs in, at the certified oidc-provider.
signing_in() {
  need node npm python3
  local app=$OUT/kotlin-cli
  "$ROOT/examples/oidc-provider/install.sh" "$OUT/oidc-provider"
  PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/examples/oidc-provider/commands.py" "$OUT/oidc-provider" \
    java -XX:TieredStopAtLevel=1 -cp "$app/kotlin-cli-1.jar:$app/lib/*" SignInKt || fail "an app does not sign in as it should"
}

# retrofit VERSION OKHTTP ARGUMENTS...: a Retrofit app of these versions.
retrofit() {
  app kotlin-retrofit "Retrofit $1 over OkHttp $2" -Dretrofit.version="$1" -Dokhttp.version="$2" "${@:3}" <<'SAID'
five calls: [200, 200, 200, 200, 200]
rejected and replaced: 200
restarted: 200
signed out: signed_out: Sign in: you signed out.
SAID
  compgen -G "$OUT/kotlin-retrofit/lib/okhttp*$2*" >/dev/null || fail "OkHttp $2 is not what Retrofit $1 runs on"
}

# Times of this machine, beside those of a map in the same run: nothing is asserted.
bench() {
  local classpath
  classpath=$(driver tokenward-okhttp)
  java -cp "$classpath" io.github.tokenward.okhttp.EndingBenchKt
  classpath=$(driver)
  java -cp "$classpath" io.github.tokenward.BenchKt
  # The same where there is a JDK with java.lang.foreign, by that too.
  local jdk
  for jdk in /usr/lib/jvm/*; do
    grep -qE '^JAVA_VERSION="(2[2-9]|[3-9][0-9])' "$jdk/release" 2>/dev/null || continue
    mkdir -p "$OUT/foreign"
    "$jdk/bin/javac" -d "$OUT/foreign" "$KOTLIN/Foreign.java"
    echo "bench: by $("$jdk/bin/java" -version 2>&1 | head -n 1)"
    "$jdk/bin/java" --enable-native-access=ALL-UNNAMED -Dtokenward.library="$TARGET/mobile/libtokenward_uniffi.so" \
      -Duniffi.component.tokenward_uniffi.libraryOverride="$TARGET/mobile/libtokenward_uniffi.so" \
      -cp "$classpath:$OUT/foreign" io.github.tokenward.BenchKt
    break
  done
}

case ${1:-} in
  --list) echo "$LEGS"; exit ;;
  replay) replay ;;
esac
# shellcheck disable=SC2068
for leg in ${@:-$LEGS}; do
  case " $LEGS " in *" $leg "*) "$leg" ;; *) fail "no leg \`$leg\`; there are: $LEGS" ;; esac
  case $leg in test) ;; *) counted 1 ;; esac
done
