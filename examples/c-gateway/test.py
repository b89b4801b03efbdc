#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the gateway, built with ASan and UBSan, against real token services. Needs gcc, make, libcurl's headers,
cargo or TOKENWARD_LIB and TOKENWARD_DEMO_SERVICE, and node with npm for oidc-provider."""

import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
BINARY = WORK / "build" / "tokenward-gateway"
KILLS = int(os.environ.get("KILLS", "100"))
passed = failed = 0
canaries, logs, running = set(), [], []


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok   " if good else "FAIL ") + what + ("" if good else f"  {detail}"), flush=True)


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    def __init__(self, folder, secrets, **settings):
        self.folder = WORK / folder
        self.folder.mkdir()
        self.socket, self.log = self.folder / "socket", self.folder / "log"
        logs.append(self.log)
        settings = {"socket": self.socket, "state": self.folder / "token", "allow_loopback_http": "yes",
                    "log_level": "debug", **settings}
        self.settings = self.folder / "settings"
        self.settings.write_text("# test\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        self.secrets = secrets
        canaries.update(value for key, value in secrets.items() if key != "TOKENWARD_CLIENT_ID")

    def start(self, wait=True, **more):
        environment = {**os.environ, **self.secrets, **more, "http_proxy": "http://127.0.0.1:1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([BINARY, self.settings], env=environment, stderr=log)
        running.append(self.process)
        return until(lambda: self.ask("GET x") is not None) if wait else None

    def ask(self, line):
        """One line, one reply; None where nobody listens."""
        try:
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(5)
                end.connect(str(self.socket))
                end.sendall(line.encode() + b"\n")
                reply = b""
                while not reply.endswith(b"\n"):
                    got = end.recv(65536)
                    if not got:
                        return None
                    reply += got
        except OSError:
            return None
        text = reply.decode().rstrip("\n")
        if text.startswith("OK "):
            canaries.add(text.split(" ")[3])
        return text

    def token(self, url, seconds=10):
        """(generation, authorization) when there is a token."""
        found = []

        def there():
            reply = self.ask(f"GET {url}")
            if reply and reply.startswith("OK "):
                found[:] = reply.split(" ", 2)[1:]
            return bool(found)

        return (int(found[0]), found[1]) if until(there, seconds) else (0, "")

    def newer(self, url, than, seconds=10):
        return until(lambda: self.token(url, 1)[0] > than, seconds)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return self.log.read_text()


def fetch(url, body=None, method=None, authorization=None):
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


class Demo:
    def __init__(self, port=0, lifetime=4):
        # A port that was just left may be taken for a minute.
        for _ in range(70):
            self.process = subprocess.Popen(
                [DEMO, "--kind", "flute", "--print-json", "--lifetime", str(lifetime), "--port", str(port)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            running.append(self.process)
            told = self.process.stdout.readline()
            if told:
                break
            time.sleep(1)
        self.told = json.loads(told)["services"][0]
        self.base = self.told["base_url"]
        self.api = self.base + "/v2/transactions"
        given = self.told["credentials"]
        self.secrets = {"TOKENWARD_CLIENT_ID": given["client_id"], "TOKENWARD_CLIENT_SECRET": given["client_secret"]}

    def fault(self, name, **members):
        assert fetch(self.base + "/_demo/fault", {"fault": name, **members})[0] < 300

    def revoke(self, what):
        assert fetch(self.base + "/_demo/revoke", {"what": what})[0] < 300

    def log(self):
        """What reached the token endpoint."""
        read = json.loads(fetch(self.base + "/_demo/log")[1])["exchanges"]
        return [one for one in read if one["path"].endswith("/token")]

    def end(self):
        self.process.stdin.close()
        self.process.wait(5)


def flute(name, demo, **more):
    return Gateway(name, demo.secrets, provider="flute", environment="sandbox", base_url=demo.base, api_origins=demo.base,
                   **{"min_interval_ms": 300, "margin_ms": 300, "jitter_permille": 0, "first_backoff_ms": 200, **more})


def against_demo():
    demo = Demo()
    gateway = flute("flute", demo)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(WORK / "notify"))
    notify.settimeout(5)
    check("starts", gateway.start(NOTIFY_SOCKET=str(WORK / "notify")))
    check("tells systemd that it is ready", notify.recv(99) == b"READY=1")
    generation, header = gateway.token(demo.api)
    check("its token opens the API", fetch(demo.api, authorization=header)[0] == 200, gateway.said())
    check("no token for another origin", gateway.ask("GET https://evil.example/") == "ERR origin_not_allowed")
    check("no token for a line that is none", gateway.ask("x") == "ERR bad_line")
    check("refreshes ahead", gateway.newer(demo.api, generation) and gateway.newer(demo.api, generation + 1, 10))
    outcomes = [(one.get("grant_type"), one["outcome"]) for one in demo.log()]
    check("one primary grant, then rotated refresh tokens",
          outcomes[:3] == [("client_credentials", "token"), ("refresh_token", "token"), ("refresh_token", "token")],
          outcomes)

    before = len(demo.log())
    demo.fault("status503", retry_after="2")
    until(lambda: len(demo.log()) > before, 8)
    at = time.monotonic()
    until(lambda: len(demo.log()) > before + 1, 8)
    waited = time.monotonic() - at
    check("waits as Retry-After says", 1.8 < waited < 4, waited)
    check("goes on with the refresh token after a 503",
          (demo.log()[-1]["grant_type"], demo.log()[-1]["outcome"]) == ("refresh_token", "token"), demo.log()[-2:])

    generation, header = gateway.token(demo.api)
    time.sleep(0.4)
    demo.revoke("access_tokens")
    status, _, headers = fetch(demo.api, authorization=header)
    line = f"REJECTED {generation} {status} {headers.get('WWW-Authenticate', '')}".rstrip()
    check("a 401 causes a refresh", status == 401 and gateway.ask(line) == "RETRY after_refresh", line)
    check("and a new token comes", gateway.newer(demo.api, generation))
    check("an old 401 needs no refresh", gateway.ask(line) == "RETRY now")
    check("a 403 is the client's", gateway.ask(f"REJECTED {generation + 1} 403") == "SURFACE forbidden")
    check("REJECTED without numbers is refused", gateway.ask("REJECTED -1 x") == "ERR bad_line")

    def next_requests(count):
        seen = len(demo.log())
        until(lambda: len(demo.log()) >= seen + count, 12)
        return [(one.get("grant_type"), one["outcome"]) for one in demo.log()[seen:seen + count]]

    demo.fault("too_long", bytes=100000)
    seen = next_requests(2)
    check("a body over the buffer is a truncated answer", "is refused: truncated" in gateway.said(), seen)
    gateway.token(demo.api)
    demo.revoke("refresh_tokens")
    seen = next_requests(2)
    check("a revoked refresh token falls back to the primary grant",
          [grant for grant, _ in seen] == ["refresh_token", "client_credentials"] and "reads storage again" in gateway.said(),
          seen)
    generation, _ = gateway.token(demo.api)
    demo.fault("drop_answer")
    seen = next_requests(3)
    check("a dropped answer is sent once more by the core alone, and detected as reuse",
          [grant for grant, _ in seen] == ["refresh_token", "refresh_token", "client_credentials"], seen)
    check("a token comes after that", gateway.newer(demo.api, generation))

    count = len(demo.log())
    gateway.token(demo.api)
    check("ends cleanly on SIGTERM", gateway.end() == 0 and not gateway.socket.exists(), gateway.said()[-300:])
    check("tells systemd that it stops", notify.recv(99) == b"STOPPING=1")
    gateway.start()
    gateway.token(demo.api)
    later = [one["grant_type"] for one in demo.log()[count:]]
    check("a restart goes on with the stored tokens", "client_credentials" not in later, later)

    slots = [gateway.folder / "token.a", gateway.folder / "token.b"]
    check("two slots, for their owner alone", all(slot.stat().st_mode & 0o777 == 0o600 for slot in slots))
    second = subprocess.run([BINARY, gateway.settings], capture_output=True, env={**os.environ, **gateway.secrets})
    check("a second process is refused", second.returncode == 78 and b"another process has it" in second.stderr)
    gateway.kill()
    newest = max(slots, key=lambda slot: slot.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-1])
    check("a torn slot leaves the other", gateway.start() and "invalid_snapshot" in gateway.said())
    gateway.kill()
    for slot in slots:
        slot.write_bytes(b"?")
    gateway.start(wait=False)
    check("two torn slots are not overwritten", gateway.process.wait(10) == 78 and slots[0].read_bytes() == b"?")

    port = int(demo.base.rsplit(":", 1)[1])
    gateway = flute("down", demo, max_backoff_ms=3000)
    gateway.start()
    generation, _ = gateway.token(demo.api)
    demo.end()
    check("no answer while the service is down", until(lambda: "no answer" in gateway.said(), 8))
    check("serves no token past its end", until(lambda: gateway.ask(f"GET {demo.api}") == "ERR not_usable", 8))
    demo = Demo(port)
    check("a token when it is back", gateway.newer(demo.api, generation, 40), gateway.said()[-600:])
    check("ends cleanly", gateway.end() == 0)
    demo.end()

    demo = Demo(lifetime=2)
    gateway = flute("kills-flute", demo, fraction_permille=0, min_interval_ms=200)
    open_requests = 0
    for _ in range(KILLS):
        gateway.start(wait=False)
        time.sleep(random.uniform(0.02, 0.35))
        gateway.kill()
        lines = [line for line in gateway.said().splitlines() if "request: " in line or "saved revision" in line]
        open_requests += bool(lines) and "request: refresh_token" in lines[-1]
    gateway.start()
    gateway.token(demo.api)
    outcomes = [(one["grant_type"], one["outcome"]) for one in demo.log()]
    lost = [one for one in outcomes if one[0] == "refresh_token" and one[1] != "token"]
    rotated = outcomes.count(("refresh_token", "token"))
    check(f"flute, {KILLS} kills: {rotated} rotations, {len(lost)} refused, {open_requests} kills with a request out",
          rotated > 10 and len(lost) <= open_requests, lost)
    check("ends cleanly after the kills", gateway.end() == 0)
    demo.end()


class Rotating(http.server.BaseHTTPRequestHandler):
    """Rotates, and takes the last refresh token until its successor was used, so that no kill need lose it."""
    current = previous = None
    serial = 0
    refused, grants, redirected = [], [], 0
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        cls = Rotating
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.path == "/redirect":
            return self.reply(307, b"", Location="/elsewhere")
        if self.path == "/elsewhere":
            cls.redirected += 1
        cls.grants.append(form["grant_type"])
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in (cls.current, cls.previous):
                cls.refused.append(form["refresh_token"])
                return self.reply(400, b'{"error":"invalid_grant"}')
            cls.previous = form["refresh_token"]
        cls.serial += 1
        cls.current = f"refresh-canary-{cls.serial}-{random.getrandbits(64):x}"
        canaries.add(cls.current)
        self.reply(200, json.dumps({"access_token": f"access-canary-{cls.serial}", "token_type": "Bearer",
                                    "expires_in": 5, "refresh_token": cls.current}).encode())

    def reply(self, status, body, **fields):
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "Connection": "close", **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *_):
        pass


def custom(name, base, path, secret, **more):
    return Gateway(name, {"TOKENWARD_CLIENT_ID": "gateway", "TOKENWARD_CLIENT_SECRET": secret}, provider="custom",
                   name="test", base_url=base, token_path=path, grants="client_credentials, refresh_token",
                   authentication="basic", api_origins=base,
                   **{"min_interval_ms": 100, "margin_ms": 100, "jitter_permille": 0, "first_backoff_ms": 200, **more})


def against_rotating():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rotating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    # Refreshes all the time: most kills hit a request, an answer or a write.
    gateway = custom("kills", base, "/token", "canary-secret-1", fraction_permille=0, min_interval_ms=0)
    for _ in range(KILLS):
        gateway.start(wait=False)
        time.sleep(random.uniform(0.02, 0.25))
        gateway.kill()
    gateway.start()
    gateway.token(base + "/")
    code = gateway.end()
    refreshes, primary = Rotating.grants.count("refresh_token"), Rotating.grants.count("client_credentials")
    saved = gateway.said().count("saved revision")
    check(f"{KILLS} kills in {refreshes} refreshes and {saved} saves: no refresh token lost",
          refreshes > KILLS and not Rotating.refused, f"{len(Rotating.refused)} refused, {primary} primary")
    # Until the first answer is saved there is nothing to lose.
    first = Rotating.grants.index("refresh_token")
    check("the primary grant was asked at the start alone", primary == first, (primary, first))
    check("ends cleanly in the middle of refreshing", code == 0, gateway.said()[-300:])

    gateway = custom("redirect", base, "/redirect", "canary-secret-2")
    gateway.start()
    until(lambda: "status 307" in gateway.said())
    check("redirects are not followed", "status 307" in gateway.said() and Rotating.redirected == 0)
    gateway.end()
    gateway = custom("plain", base, "/token", "canary-secret-3", allow_loopback_http="no")
    gateway.start()
    check("plain http is refused where it is not allowed", until(lambda: "no request: origin_not_allowed" in gateway.said()))
    gateway.end()
    gateway = Gateway("wrong", {}, provider="custom", name="x", bogus="canary-secret-4")
    gateway.start(wait=False)
    check("an unknown key is refused", gateway.process.wait(10) == 78 and "no such key" in gateway.said())
    server.shutdown()


def against_oidc():
    folder = WORK / "oidc-provider"
    shutil.copytree(HERE / "oidc", folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    port, secret = free_port(), "canary:secret+of/oidc"
    base = f"http://127.0.0.1:{port}"
    node = subprocess.Popen(["node", "server.mjs", str(port), secret], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    try:
        check("oidc-provider starts", node.stdout.readline() == b"ready\n")
        gateway = custom("oidc", base, "/token", secret)
        gateway.start()
        generation, header = gateway.token(base + "/")
        check("oidc-provider gives a token by client_secret_basic", header.startswith("Bearer "), gateway.said())
        check("and the next ones in time", gateway.newer(base + "/", generation + 1, 8), gateway.said())
        check("ends cleanly", gateway.end() == 0)
        gateway = custom("oidc-wrong", base, "/token", "canary-wrong-secret")
        gateway.start()
        check("a wrong secret is told and not repeated", until(lambda: "needs you: invalid_client" in gateway.said()))
        asked = fetch(base + "/count")[1]
        time.sleep(1)
        check("nothing more is sent", fetch(base + "/count")[1] == asked)
        gateway.end()
    finally:
        node.kill()


library = os.environ.get("TOKENWARD_LIB") or str(ROOT / "target/release/libtokenward_c.a")
if "TOKENWARD_LIB" not in os.environ:
    subprocess.run(["cargo", "build", "--release", "-p", "tokenward-c", "--features", "snapshot"], cwd=ROOT, check=True)
DEMO = os.environ.get("TOKENWARD_DEMO_SERVICE") or str(ROOT / "target/debug/tokenward-demo-service")
if "TOKENWARD_DEMO_SERVICE" not in os.environ:
    subprocess.run(["cargo", "build", "-p", "tokenward-demo-service"], cwd=ROOT, check=True)
for compiler, more in (("clang", []), ("gcc", ["SANITIZE=1"])):
    out = WORK / ("build" if more else "clang")
    built = subprocess.run(["make", "-s", "-C", HERE, f"CC={compiler}", f"OUT={out}", f"TOKENWARD_LIB={library}", *more])
    check(f"builds without a warning: {compiler} {' '.join(more)}", built.returncode == 0)
try:
    for part in (against_demo, against_rotating, against_oidc):
        part()
    everything = "".join(log.read_text() for log in logs if log.exists())
    check("no sanitizer said anything", "Sanitizer" not in everything and "runtime error" not in everything,
          everything[-2000:])
    check(f"none of {len(canaries)} secrets and tokens in {len(everything)} bytes of log",
          len(canaries) > 10 and not any(canary in everything for canary in canaries))
finally:
    for process in running:
        process.kill()
    shutil.rmtree(WORK, ignore_errors=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
