#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the gateway, built with ASan and UBSan, against real token services; test.sh builds what it needs and says where.
usage: test.py LIBRARY DEMO_SERVICE PART...; GATEWAY is how one is started that was built elsewhere, where it is set."""

import base64
import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
OIDC = HERE.parent / "oidc-provider"
sys.path.extend((str(HERE.parent / "demo-service"), str(OIDC), str(HERE.parents[1] / "core/conformance/executors")))
import small_disk
from browser import Browser
from held_ports import held_ports

WORK = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
GATEWAY = shlex.split(os.environ.get("GATEWAY", str(WORK / "build" / "tokenward-gateway")))
# So many gateways of each kind, killed so often.
ROUNDS = 3
KILLED = -(-int(os.environ.get("KILLS", "100")) // (2 * ROUNDS))
CALLBACK = "http://127.0.0.1/callback"
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


class Gateway:
    def __init__(self, folder, secrets, **settings):
        self.folder = WORK / folder
        self.folder.mkdir()
        self.socket, self.log = self.folder / "socket", self.folder / "log"
        logs.append(self.log)
        settings = {"socket": self.socket, "state": self.folder / "token", "allow_loopback_http": "yes",
                    "startup_spread_ms": 0, "log_level": "debug", **settings}
        self.settings = self.folder / "settings"
        self.settings.write_text("# test\n" + "".join(f"{key} = {value}\n" for key, value in settings.items() if value is not None))
        self.secrets = secrets
        canaries.update(value for key, value in secrets.items() if key != "TOKENWARD_CLIENT_ID")

    def start(self, wait=True, user=None, **more):
        environment = {**os.environ, **self.secrets, **more, "http_proxy": "http://127.0.0.1:1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*GATEWAY, self.settings], env=environment, stderr=log, user=user)
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

    def told(self, text, seconds=10):
        """Whether the log says so in time, after what was found last and after the last SIGHUP."""
        seen, found = getattr(self, "seen", 0), []

        def there():
            found[:] = [self.said().find(text, seen)]
            return found[0] >= 0

        if until(there, seconds):
            self.seen = found[0] + len(text)
            return True
        return False

    def hang_up(self):
        self.seen = len(self.said())
        self.process.send_signal(signal.SIGHUP)

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
    def __init__(self, held=None, lifetime=4, kind="flute"):
        self.held = held or held_ports()
        self.process = subprocess.Popen(
            [DEMO, "--kind", kind, "--print-json", "--raw-log", "--lifetime", str(lifetime), "--port", str(self.held[0].getsockname()[1])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(self.process)
        self.told = json.loads(self.process.stdout.readline())["services"][0]
        self.base = self.told["base_url"]
        self.api = self.base + "/v2/transactions"
        self.secrets = {f"TOKENWARD_{name.upper()}": value for name, value in self.told["credentials"].items()}

    def fault(self, name, **members):
        assert fetch(self.base + "/_demo/fault", {"fault": name, **members})[0] < 300

    def revoke(self, what):
        assert fetch(self.base + "/_demo/revoke", {"what": what})[0] < 300

    def rotate(self, **members):
        assert fetch(self.base + "/_demo/rotate", members)[0] < 300

    def sign_in(self, person, interval_s=1):
        assert fetch(self.base + "/_demo/sign_in", {"person": person, "interval_s": interval_s})[0] < 300

    def asked(self):
        """What came of each request of signing in; the device codes in them are secrets."""
        read = json.loads(fetch(self.base + "/_demo/log?raw=true")[1])["exchanges"]
        for one in read:
            canaries.update(re.findall("device_code=([^&]+)", base64.b64decode(one["raw_base64"]).decode()))
        return [one["outcome"] for one in read if one["path"].endswith("/device_authorization") or
                (one["grant_type"] or "").endswith("device_code")]

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
    check("a challenge that wants another scope is the client's",
          gateway.ask(f'REJECTED {generation + 1} 401 Bearer error="insufficient_scope"') == "SURFACE insufficient_scope")
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
          [grant for grant, _ in seen] == ["refresh_token", "client_credentials"], seen)
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

    state = gateway.folder / "token"
    check("the snapshot is for its owner alone", state.stat().st_mode & 0o777 == 0o600)
    second = subprocess.run([*GATEWAY, gateway.settings], capture_output=True, env={**os.environ, **gateway.secrets})
    check("a second process with the same settings is refused",
          second.returncode == 69 and b"another process has it" in second.stderr, second)
    gateway.kill()
    whole = state.read_bytes()
    for name, damaged in (("torn", whole[:-1]), ("empty", b""), ("too large", whole * 200)):
        state.write_bytes(damaged)
        count = len(demo.log())
        gateway.seen = len(gateway.said())
        gateway.start()
        check(f"a snapshot that is {name} is told, and the primary grant follows",
              gateway.token(demo.api)[0] > 0 and gateway.told("token: invalid_snapshot", 1) and
              [one["grant_type"] for one in demo.log()[count:]][:1] == ["client_credentials"], gateway.said()[-600:])
        gateway.end()

    gateway = flute("down", demo, max_backoff_ms=3000)
    gateway.start()
    generation, _ = gateway.token(demo.api)
    demo.end()
    check("no answer while the service is down", until(lambda: "no answer" in gateway.said(), 8))
    check("serves no token past its end", until(lambda: gateway.ask(f"GET {demo.api}") == "ERR not_usable", 8))
    demo = Demo(demo.held)
    check("a token when it is back", gateway.newer(demo.api, generation, 40), gateway.said()[-600:])
    check("ends cleanly", gateway.end() == 0)
    demo.end()


def private(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def against_rotated_secrets():
    """Secrets in files, which change while the gateway runs."""
    demo = Demo()
    # An abstract socket is what systemd uses where it can.
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("\0" + str(WORK / "abstract"))
    notify.settimeout(5)
    identity = private(WORK / "client_id", demo.secrets["TOKENWARD_CLIENT_ID"] + "\n")
    secret = private(WORK / "client_secret", demo.secrets["TOKENWARD_CLIENT_SECRET"] + "\n", 0o644)
    gateway = flute("files", demo, client_id_file=identity, client_secret_file=secret,
                    snapshot_key_file=private(WORK / "key", "ab" * 32 + "\n"))
    gateway.secrets = {}
    gateway.start(NOTIFY_SOCKET="@" + str(WORK / "abstract"))
    check("tells systemd on an abstract socket", notify.recv(99) == b"READY=1")
    check("a secret that everybody may read is refused", gateway.told("everybody may; chmod o= it"))
    secret.chmod(0o640)
    gateway.hang_up()
    generation, header = gateway.token(demo.api)
    check("SIGHUP says how things stand", gateway.told("service=flute environment=sandbox usable=no next=request"))
    check("SIGHUP tries again: secrets come from files", fetch(demo.api, authorization=header)[0] == 200)
    demo.revoke("all")
    demo.rotate(client_secret="canary-new-secret")
    canaries.add("canary-new-secret")
    check("a changed secret is told", gateway.told("needs you: invalid_client; mend it, then send SIGHUP", 15))
    check("and told once", not gateway.told("needs you", 1))
    secret.write_text("canary-new-secret")
    gateway.hang_up()
    check("SIGHUP after the file was mended gives a token", gateway.newer(demo.api, generation, 15), gateway.said()[-600:])
    check("ends cleanly", gateway.end() == 0)
    (WORK / "key").write_text("cd" * 32)
    generation = gateway.start() and gateway.token(demo.api)[0]
    check("what is sealed with another key is told, and the primary grant follows",
          generation and gateway.told("token: other_snapshot_key", 1), gateway.said()[-600:])
    gateway.end()
    (WORK / "key").write_text("0" * 64)
    gateway.start(wait=False)
    check("a snapshot key of zeros is refused", gateway.process.wait(10) == 78 and "are zeros" in gateway.said())
    demo.end()


def api_key(name, **more):
    """A gateway with a static token, which asks nothing of the network."""
    return Gateway(name, {"TOKENWARD_BEARER": "fl_canarykey0123456789"}, provider="flip_utility_api_key",
                   environment="sandbox", **more)


def against_neighbours():
    """Other clients, other processes and what they left."""
    line = "GET https://api-utility-sandbox.flip.energy/v1/programs"
    gateway = api_key("crowd")
    gateway.start()

    def heard(one, said=b""):
        """What comes back; None where that is nothing in time."""
        try:
            if said:
                one.sendall(said)
            return one.recv(99)
        except OSError:
            return None

    crowd = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for one in crowd:
        one.connect(str(gateway.socket))
        one.settimeout(5)
    check("40 idle clients shut nobody out", all((gateway.ask(line) or "").startswith("OK 1 ") for _ in range(3)))
    check("those that were idle for the longest time gave their places", heard(crowd[0]) == b"")
    quiet, busy = crowd[-2:]
    replies = set()
    for _ in range(30):
        replies.add(heard(busy, b"x\n"))
        time.sleep(0.5)
    check("those that were idle for seconds too", heard(quiet) == b"")
    check("and not one that asks", replies == {b"ERR bad_line\n"}, replies)

    second = api_key("same-socket", socket=gateway.socket)
    second.start(wait=False)
    check("a second gateway does not take the socket of the first",
          second.process.wait(10) == 69 and "another process has it" in second.said(), second.said())
    check("which goes on serving", gateway.ask(line).startswith("OK 1 "))
    gateway.kill()
    check("what a killed one left is taken", gateway.start() and gateway.ask(line).startswith("OK 1 "), gateway.said())
    gateway.end()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(gateway.socket))
    listener.listen()
    gateway.start(wait=False)
    check("nor is that of another program taken",
          gateway.process.wait(10) == 69 and gateway.told("another process serves there") and gateway.socket.exists(),
          gateway.said())
    listener.close()
    gateway.socket.unlink()
    gateway.socket.write_text("a file")
    gateway.start(wait=False)
    check("nor is a file removed", gateway.process.wait(10) == 69 and gateway.socket.read_text() == "a file")

    gateway = api_key("links")
    victim, fresh, key = (gateway.folder / name for name in ("victim", "token.new", "token.key"))
    victim.write_text("not the gateway's")
    private(fresh, "left open to all", 0o666)
    gateway.start()
    check("a key is not written into a file that was open to others", key.stat().st_mode & 0o777 == 0o600)
    gateway.kill()
    state = gateway.folder / "token"
    state.unlink()
    fresh.mkdir()
    check("what cannot be removed is not in the way",
          gateway.start() and gateway.ask(line).startswith("OK 1 ") and fresh.is_dir() and
          not list(gateway.folder.glob("token.new-*")), gateway.said())
    fresh.rmdir()
    fresh.symlink_to(victim)
    gateway.kill()
    state.unlink()
    gateway.start()
    gateway.ask(line)
    check("nor is a snapshot written through a link",
          victim.read_bytes() == b"not the gateway's" and not fresh.is_symlink() and
          state.lstat().st_mode & 0o170777 == 0o100600, state.lstat())
    gateway.end()
    lock = gateway.folder / "token.lock"
    lock.unlink()
    lock.symlink_to(gateway.folder / "made-by-a-link")
    gateway.start(wait=False)
    check("nor is a lock made through one", gateway.process.wait(10) == 78 and not (gateway.folder / "made-by-a-link").exists())

    gateway = api_key("memory")
    user = 65534 if os.geteuid() == 0 else None
    WORK.chmod(0o711)
    if user:
        os.chown(gateway.folder, user, user)
    gateway.start(user=user)
    check("its memory and its environment are closed to other processes of its user",
          os.stat(f"/proc/{gateway.process.pid}/environ").st_uid == 0)
    check("ends cleanly", gateway.end() == 0, gateway.said())


def against_presets():
    """The other services, each by its preset against its demonstration."""
    quick = {"min_interval_ms": 300, "margin_ms": 200, "jitter_permille": 0, "first_backoff_ms": 200}
    for kind, path, more in (("flip_utility", "/v1/programs", {"environment": "sandbox"}),
                             ("flume", "/me", {}),
                             ("opower", "/apis/customer-data-v2/UTIL/customers/1/utility_accounts", {})):
        demo = Demo(kind=kind)
        gateway = Gateway(kind, demo.secrets, provider=kind, base_url=demo.base, api_origins=demo.base, **quick, **more)
        gateway.start()
        generation, header = gateway.token(demo.base + path)
        check(f"{kind}: its token opens the API", fetch(demo.base + path, authorization=header)[0] == 200, gateway.said())
        check(f"{kind}: refreshes ahead", gateway.newer(demo.base + path, generation))
        check(f"{kind}: ends cleanly", gateway.end() == 0)
        demo.end()

    demo = Demo(kind="flip_utility")
    api = demo.base + "/v1/programs"
    key = private(WORK / "api_key", demo.secrets["TOKENWARD_BEARER"])
    gateway = Gateway("api-key", {}, provider="flip_utility_api_key", environment="sandbox", api_origins=demo.base,
                      bearer_file=key)
    gateway.start()
    generation, header = gateway.token(api)
    check("flip_utility_api_key: the key opens the API", fetch(api, authorization=header)[0] == 200)
    demo.rotate(bearer="fl_canarykey0123456789abcdef")
    canaries.add("fl_canarykey0123456789abcdef")
    status, _, headers = fetch(api, authorization=header)
    reply = gateway.ask(f"REJECTED {generation} {status} {headers.get('WWW-Authenticate', '')}".rstrip())
    check("flip_utility_api_key: a revoked key is the client's", (status, reply) == (401, "SURFACE revoked"), (status, reply))
    check("flip_utility_api_key: and is told", gateway.told("needs you: revoked"))
    key.write_text("fl_canarykey0123456789abcdef")
    gateway.hang_up()
    check("flip_utility_api_key: SIGHUP takes the new key",
          gateway.newer(api, generation) and fetch(api, authorization=gateway.token(api)[1])[0] == 200)
    check("flip_utility_api_key: nothing was asked of the token endpoint", demo.log() == [] and gateway.end() == 0)
    demo.end()

    demo = Demo(kind="flip_energy")
    client = Gateway("client", demo.secrets, provider="flip_energy_client", base_url=demo.base)
    client.start()
    site_api = demo.base + "/v1/site/site-1"
    _, header = client.token(demo.base + "/v1/sites")
    check("flip_energy_client: the client token opens its routes", fetch(demo.base + "/v1/sites", authorization=header)[0] == 200)
    check("flip_energy_client: and no site's", client.ask(f"GET {site_api}") == "ERR route_needs_other_token")
    site = Gateway("site", demo.secrets, provider="flip_energy_site", base_url=demo.base, site="site-1", **quick)
    site.start()
    _, header = site.token(site_api)
    check("flip_energy_site: the site token opens its site", fetch(site_api, authorization=header)[0] == 200)
    check("flip_energy_site: and no other", site.ask(f"GET {demo.base}/v1/site/site-2") == "ERR other_site")
    check("flip_energy_site: nor the client's routes", site.ask(f"GET {demo.base}/v1/sites") == "ERR route_needs_other_token")
    issued = private(WORK / "site_token", header.removeprefix("Bearer "))
    backend = Gateway("backend", {}, provider="flip_energy_site_backend", base_url=demo.base, site="site-1",
                      bearer_file=issued, **quick)
    backend.start()
    generation, header = backend.token(site_api)
    check("flip_energy_site_backend: a token that a backend issued opens the site",
          fetch(site_api, authorization=header)[0] == 200)
    time.sleep(0.4)
    reply = backend.ask(f"REJECTED {generation} 401")
    check("flip_energy_site_backend: a 401 asks for the next one and does not take the old one again",
          reply == "SURFACE no_token" and backend.told("needs you: no_token"), reply + backend.said())
    backend.hang_up()
    check("flip_energy_site_backend: SIGHUP takes it", backend.newer(site_api, generation))
    check("flip_energy: all end cleanly", [one.end() for one in (client, site, backend)] == [0, 0, 0])
    demo.end()


class Rotating(http.server.BaseHTTPRequestHandler):
    """Rotates, and takes the last refresh token until its successor was used, so that no kill need lose it."""
    chains = {}
    held = {}  # path: whether a refresh is there, whose answer waits until the path is gone
    serial = 0
    refused, grants, asked, redirected = [], [], [], 0
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        cls = Rotating
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.path == "/redirect":
            return self.reply(307, b"", Location="/elsewhere")
        if self.path == "/elsewhere":
            cls.redirected += 1
        if self.path == "/two-waits":
            cls.asked.append(time.monotonic())
            self.send_response(503)
            for name, value in (("Retry-After", "1"), ("Content-Length", "0"), ("Connection", "close"), ("Retry-After", "3")):
                self.send_header(name, value)
            return self.end_headers()
        cls.grants.append((self.path, form["grant_type"]))
        if form["grant_type"] == "refresh_token" and form["refresh_token"] not in cls.chains[self.path]:
            cls.refused.append(form["refresh_token"])
            return self.reply(400, b'{"error":"invalid_grant"}')
        cls.serial += 1
        fresh = f"refresh-canary-{cls.serial}-{random.getrandbits(64):x}"
        cls.chains[self.path] = (form.get("refresh_token"), fresh)
        canaries.add(fresh)
        if self.path in cls.held and form["grant_type"] == "refresh_token":
            cls.held[self.path] = True
            until(lambda: self.path not in cls.held, 60)
        self.reply(200, json.dumps({"access_token": f"access-canary-{cls.serial}", "token_type": "Bearer",
                                    "expires_in": 30, "refresh_token": fresh}).encode())

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


def custom(name, base, path, secret, client="gateway", **more):
    return Gateway(name, {"TOKENWARD_CLIENT_ID": client, "TOKENWARD_CLIENT_SECRET": secret}, provider="custom",
                   name="test", base_url=base, token_path=path, api_origins=base,
                   **{"authentication": "basic", "grants": "client_credentials, refresh_token", "min_interval_ms": 100, "margin_ms": 100,
                      "jitter_permille": 0, "first_backoff_ms": 200, **more})


def killed(gateway, url, open_requests, path=None):
    """Killed at any instant of a refresh, again and again; each time it waits out what it had announced.

    Where `path` is held the first kill has its request out for certain.
    """
    for number in range(ROUNDS):
        held = path if number == 0 else None
        if held:
            Rotating.held[held] = False
        gateway.start(wait=False)
        gateway.seen = len(gateway.said())
        gateway.told("request: refresh_token", 60)
        if held:
            until(lambda: Rotating.held[held], 60)
        time.sleep(random.uniform(0, 0.05))
        gateway.kill()
        Rotating.held.pop(held, None)
        lines = [line for line in gateway.said().splitlines() if "request: " in line or line.endswith(": saved")]
        # Until the primary grant's answer is saved, what storage holds is the refresh token that was refused.
        open_requests.append("request: " in lines[-1])
    before = gateway.said().count("request: refresh_token")
    good = gateway.start() and until(lambda: gateway.said().count("request: refresh_token") > before, 60)
    check(f"{gateway.folder.name}: goes on after its kills", good and gateway.token(url)[0] > 0, gateway.said()[-600:])
    check(f"{gateway.folder.name}: ends cleanly", gateway.end() == 0, gateway.said()[-300:])


def against_kills():
    """Flute's demonstration, where a used refresh token ends its family, and a service where no kill need lose one."""
    demo = Demo(lifetime=30)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rotating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    quick = {"fraction_permille": 0, "min_interval_ms": 500, "response_timeout_ms": 2000}
    open_at_flute, open_elsewhere = [], []
    runs = [(flute(f"killed-flute-{i}", demo, **quick), demo.api, open_at_flute) for i in range(KILLED)]
    runs += [(custom(f"killed-{i}", base, f"/token-{i}", "canary-secret-1", **quick), base + "/", open_elsewhere,
              f"/token-{i}")
             for i in range(KILLED)]
    threads = [threading.Thread(target=killed, args=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [(one["grant_type"], one["outcome"]) for one in demo.log()]
    lost = [one for one in outcomes if one[0] == "refresh_token" and one[1] != "token"]
    rotated = outcomes.count(("refresh_token", "token"))
    # On a busy machine an answer may come too late, which loses it as a kill does.
    late = sum(run[0].said().count("no answer: ") for run in runs[:KILLED])
    check(f"flute, {len(open_at_flute)} kills: {rotated} rotations, {len(lost)} refused, {sum(open_at_flute)} kills with a request out, "
          f"{late} answers too late", rotated and len(lost) <= sum(open_at_flute) + late, lost)
    refreshes = sum(grant == "refresh_token" for _, grant in Rotating.grants)
    check(f"{len(open_elsewhere)} kills, {sum(open_elsewhere)} of them with a request out, in {refreshes} refreshes: none lost",
          refreshes >= KILLED and sum(open_elsewhere) >= KILLED and not Rotating.refused, len(Rotating.refused))
    # Until the first answer is saved there is nothing to lose.
    again = [path for path in Rotating.chains
             if "refresh_token client_credentials" in " ".join(grant for asked, grant in Rotating.grants if asked == path)]
    check("the primary grant was asked at the start alone", len(Rotating.chains) == KILLED and not again, again)
    server.shutdown()
    demo.end()


def session(demo, name):
    """A gateway that has a person's login and no other grant."""
    identity, secret = demo.secrets["TOKENWARD_CLIENT_ID"], demo.secrets["TOKENWARD_CLIENT_SECRET"]
    request = urllib.request.Request(demo.base + "/oauth2/token", b"grant_type=client_credentials&scope=offline_access")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{identity}:{secret}".encode()).decode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        login = private(WORK / f"{name}.json", answer.read().decode())
    canaries.update(value for key, value in json.loads(login.read_text()).items() if key.endswith("_token"))
    return lambda folder, **more: custom(folder, demo.base, "/oauth2/token", secret, client=identity, authentication="basic_raw",
                                         grants="refresh_token", login_file=login, **more)


def against_sharing():
    """Two gateways on one state, with a service where a refresh token that is used twice ends everything."""
    demo = Demo(lifetime=6)
    make = session(demo, "shared-login")
    quick = {"min_interval_ms": 300, "margin_ms": 300, "response_timeout_ms": 1000}
    one = make("shared-one", **quick)
    two = make("shared-two", state=one.folder / "token", **quick)
    for gateway in (one, two):
        gateway.start()
    check("the login is taken from its file once", one.token(demo.api)[0] and two.token(demo.api)[0] and
          (one.said() + two.said()).count("is installed") == 1, two.said())
    for gateway in (one, two):
        check(f"{gateway.folder.name} has the tokens of both",
              until(lambda: len(refreshes(demo)) > 5, 60) and gateway.newer(demo.api, 3, 20) and
              fetch(demo.api, authorization=gateway.token(demo.api)[1])[0] == 200, gateway.said()[-900:])
    both = [gateway.said().count("request: refresh_token") for gateway in (one, two)]
    check(f"no refresh token is used twice in {sum(both)} refreshes", all(outcome == "token" for outcome in refreshes(demo)), both)
    one.kill()
    seen = len(refreshes(demo))
    check("where one is killed the other goes on",
          until(lambda: len(refreshes(demo)) > seen + 1, 40) and set(refreshes(demo)) == {"token"}, refreshes(demo))
    one.start()
    one.token(demo.api, 40)

    check("a sign-out is stored", two.ask("SIGN_OUT") == "OK" and two.ask(f"GET {demo.api}") == "ERR not_usable", two.said()[-600:])
    check("and told", two.told("needs you: no_token"))
    one.hang_up()
    check("the other process sees it when it looks, and lends the token no more",
          one.told("storage: signed_out") and until(lambda: one.ask(f"GET {demo.api}") == "ERR not_usable"), one.said()[-600:])
    check("which is no reason to take the login again", one.told("needs you: no_token") and not one.told("is installed", 1))
    count = len(demo.log())
    check("nothing is asked after that", [gateway.end() for gateway in (one, two)] == [0, 0])
    two.start()
    check("a restart is signed out too", two.told("needs you: no_token") and len(demo.log()) == count, two.said()[-600:])
    make = session(demo, "shared-login")
    two.hang_up()
    check("until SIGHUP takes a new login", two.token(demo.api)[0] > 0, two.said()[-600:])

    demo.fault("slow", milliseconds=1500)
    seen = len(demo.log())
    check("a request is out", until(lambda: len(demo.log()) > seen, 20))
    check("a sign-out while a request is out", two.ask("SIGN_OUT") == "OK")
    time.sleep(2)
    check("leaves nothing of its answer behind", two.ask(f"GET {demo.api}") == "ERR not_usable" and two.end() == 0)
    two.start()
    check("in storage neither", two.told("needs you: no_token") and two.ask(f"GET {demo.api}") == "ERR not_usable")
    two.end()
    demo.end()


def refreshes(demo):
    return [one["outcome"] for one in demo.log() if one["grant_type"] == "refresh_token"]


def against_sign_in():
    """Somebody signs in by a code that the gateway shows."""
    demo = Demo(lifetime=6)
    identity, secret = demo.secrets["TOKENWARD_CLIENT_ID"], demo.secrets["TOKENWARD_CLIENT_SECRET"]
    person = dict(client=identity, authentication="basic_raw", grants="refresh_token", scope="offline_access", min_interval_ms=300,
                  margin_ms=300, first_backoff_ms=200, response_timeout_ms=2000)
    gateway = custom("sign-in", demo.base, "/oauth2/token", secret, device_path="/oauth2/device_authorization", **person)

    def code():
        until(lambda: (gateway.ask("CODE") or "").startswith("CODE "))
        return gateway.ask("CODE").split(" ", 4)

    def stands(how, seconds=15):
        return until(lambda: gateway.ask("CODE") == f"NO_CODE {how}", seconds)

    gateway.start()
    check("needs a person, and asks for no code by itself",
          gateway.told("needs you: no_token") and not demo.asked() and gateway.ask("CODE") == "NO_CODE off", gateway.said())
    check("a command asks for one", gateway.ask("SIGN_IN") == "OK")
    _, left, uri, complete, user_code = code()
    check("which stands on the socket", uri == f"{demo.base}/device" and complete == f"{uri}?user_code={user_code}" and
          590 < int(left) <= 600, (left, uri, complete, user_code))
    check("and in the log", gateway.told(f"to sign in, enter {user_code} at {uri} within "), gateway.said()[-600:])
    check("pending is no end", until(lambda: demo.asked().count("authorization_pending") > 1) and code()[4] == user_code)
    demo.fault("disconnect")
    check("a lost answer neither", gateway.told("no answer: ") and code()[4] == user_code, gateway.said()[-600:])
    demo.sign_in("waits", interval_s=5)
    check("nor is slow_down", until(lambda: demo.asked()[-1] == "slow_down") and code()[4] == user_code, demo.asked())
    demo.sign_in("approves", interval_s=5)
    at = time.monotonic()
    check("which is obeyed", gateway.token(demo.api, 15)[0] == 1 and time.monotonic() - at > 5 and
          demo.asked()[-2:] == ["slow_down", "token"], demo.asked())
    check("its token opens the API", fetch(demo.api, authorization=gateway.token(demo.api)[1])[0] == 200)
    check("the end is told", stands("done") and gateway.told("sign-in: done"))
    check("and is refreshed", gateway.newer(demo.api, 1, 15), gateway.said()[-600:])
    gateway.kill()
    gateway.start()
    count = len(demo.asked())
    generation = gateway.token(demo.api)[0]
    check("a restart goes on with it", generation > 1 and gateway.newer(demo.api, generation, 30) and
          gateway.ask("CODE") == "NO_CODE off" and len(demo.asked()) == count, gateway.said()[-600:])

    for does, how in (("waits", "expired"), ("denies", "denied")):
        demo.sign_in(does)
        gateway.ask("SIGN_IN")
        code()
        if does == "waits":
            fetch(demo.base + "/_demo/clock", {"advance_s": 600})
        check(f"{how}: is told", stands(how) and gateway.told(f"sign-in: {how}"), gateway.said()[-600:])
        count = len(demo.asked())
        check(f"{how}: the token of before is good, and no other code is asked for",
              until(lambda: fetch(demo.api, authorization=gateway.token(demo.api)[1])[0] == 200 or
                    gateway.ask(f"REJECTED {gateway.token(demo.api)[0]} 401") is None, 10) and len(demo.asked()) == count,
              gateway.said()[-600:])

    demo.sign_in("waits")
    gateway.ask("SIGN_IN")
    code()
    check("a sign-out ends it", gateway.ask("SIGN_OUT") == "OK" and gateway.ask("CODE") == "NO_CODE off")
    demo.sign_in("approves")
    count = len(demo.asked())
    time.sleep(2)
    check("so that nobody is signed in after it", len(demo.asked()) == count and gateway.ask(f"GET {demo.api}") == "ERR not_usable")
    check("ends cleanly", gateway.end() == 0, gateway.said()[-600:])

    gateway = custom("no-sign-in", demo.base, "/oauth2/token", secret, **person)
    gateway.start()
    check("without a device path nobody signs in", gateway.ask("SIGN_IN") == "ERR no_device_path")
    gateway.end()
    demo.end()


def against_storage():
    """Storage that is locked, missing or full."""
    demo = Demo(lifetime=30)
    # Due after six seconds, and good for so long after that that a busy machine sees it.
    early = {"fraction_permille": 200, "min_interval_ms": 300, "margin_ms": 300, "first_backoff_ms": 200}
    gateway = session(demo, "stored-login")("stored", **early)
    gateway.start()
    generation = gateway.token(demo.api)[0]
    with open(gateway.folder / "token.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check("a lock that another process keeps is told", gateway.told("token.lock: another process has it", 15), gateway.said())
        check("what is usable is lent meanwhile", gateway.token(demo.api, 1)[0] == generation)
    check("and the refresh follows when it is given back", gateway.newer(demo.api, generation, 15), gateway.said()[-600:])

    generation = gateway.token(demo.api)[0]
    away = gateway.folder.with_name("away")
    gateway.folder.rename(away)
    seen = refreshes(demo)
    check("a folder that is missing is not one that is empty",
          until(lambda: "No such file" in (away / "log").read_text(), 15) and refreshes(demo) == seen)
    away.rename(gateway.folder)
    check("and the refresh follows when it is back", gateway.newer(demo.api, generation, 15), gateway.said()[-600:])
    check("ends cleanly", gateway.end() == 0, gateway.said()[-600:])

    disk = WORK / "disk"
    disk.mkdir()
    if not small_disk.mount(disk):
        print("skipped: a full disk, which root makes")
    else:
        try:
            gateway = session(demo, "full-login")("full", state=disk / "token", **early)
            gateway.start()
            generation, seen = gateway.token(demo.api)[0], refreshes(demo)
            small_disk.fill(disk / "filler")
            check("a full disk is told", gateway.told("No space left on device; make room there", 15), gateway.said())
            time.sleep(2)
            check("before a refresh token is spent", refreshes(demo) == seen, refreshes(demo))
            (disk / "filler").unlink()
            check("and the refresh follows when there is room", gateway.newer(demo.api, generation, 20), gateway.said()[-600:])
            check("ends cleanly", gateway.end() == 0, gateway.said()[-600:])
        finally:
            gateway.kill()
            small_disk.unmount(disk)

    # The draw of one start in 300 is shorter than this takes.
    gateway = flute("spread", demo, startup_spread_ms=None, jitter_permille=1)
    gateway.start()
    gateway.hang_up()
    check("the first request waits, so that a fleet is spread", gateway.told("usable=no next=wait") and
          gateway.ask(f"GET {demo.api}") == "ERR not_usable", gateway.said())
    gateway.end()
    gateway.settings.write_text(gateway.settings.read_text() + "startup_spread_ms = 0\n")
    gateway.start()
    generation = gateway.token(demo.api)[0]
    gateway.end()
    gateway.settings.write_text(gateway.settings.read_text().replace("startup_spread_ms = 0\n", ""))
    gateway.start()
    check("a token that is stored is used at once", gateway.token(demo.api, 1)[0] == generation > 0)
    gateway.end()
    demo.end()


def against_settings():
    """What is sent where, and what settings are refused."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rotating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    gateway = custom("redirect", base.upper(), "/redirect", "canary-secret-2")
    gateway.start()
    until(lambda: "status 307" in gateway.said())
    check("HTTP:// in any case goes around the proxy", "no answer" not in gateway.said(), gateway.said())
    check("redirects are not followed", "status 307" in gateway.said() and Rotating.redirected == 0)
    gateway.end()
    gateway = custom("two-waits", base, "/two-waits", "canary-secret-2")
    gateway.start()
    check("of two Retry-After lines the longest wait counts",
          until(lambda: len(Rotating.asked) > 1) and Rotating.asked[1] - Rotating.asked[0] > 2.9, Rotating.asked)
    gateway.end()
    gateway = custom("plain", base, "/token", "canary-secret-3", allow_loopback_http="no")
    gateway.start()
    check("plain http is refused where it is not allowed", until(lambda: "no request: origin_not_allowed" in gateway.said()))
    gateway.end()
    gateway = Gateway("wrong", {}, provider="custom", name="x", bogus="canary-secret-4")
    gateway.start(wait=False)
    check("an unknown key is refused", gateway.process.wait(10) == 78 and "no such key" in gateway.said())
    gateway = Gateway("cannot", {}, provider="custom", name="x", base_url="https://x.example", token_path="token")
    gateway.start(wait=False)
    check("a description that cannot work is refused by its fact",
          gateway.process.wait(10) == 78 and "token_path cannot work" in gateway.said(), gateway.said())
    server.shutdown()


def against_tls():
    """A certificate of an own authority, on loopback."""
    def certificate(name, *more):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", WORK / f"{name}.key", "-out", WORK / f"{name}.pem", *more],
                       check=True, stderr=subprocess.DEVNULL)

    certificate("authority")
    certificate("localhost", "-CA", WORK / "authority.pem", "-CAkey", WORK / "authority.key",
                "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
    certificate("stranger")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rotating)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(WORK / "localhost.pem", WORK / "localhost.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, host, more, good in (("trusted", "localhost", {"ca_file": WORK / "authority.pem"}, True),
                                   ("unknown-authority", "localhost", {}, False),
                                   ("other-authority", "localhost", {"ca_file": WORK / "stranger.pem"}, False),
                                   ("other-name", "127.0.0.1", {"ca_file": WORK / "authority.pem"}, False)):
        base = f"https://{host}:{server.server_port}"
        gateway = custom(name, base, "/token", "canary-secret-5", allow_loopback_http="no", **more)
        gateway.start(SSLKEYLOGFILE=str(WORK / "keys-of-tls"))
        if good:
            check(f"TLS, {name}: a token", gateway.token(base + "/")[0] == 1, gateway.said())
            check("the keys of TLS are written nowhere", not (WORK / "keys-of-tls").exists())
        else:
            check(f"TLS, {name}: no token", gateway.told("no answer: SSL") and gateway.ask(f"GET {base}/") == "ERR not_usable",
                  gateway.said())
        check(f"TLS, {name}: ends cleanly", gateway.end() == 0)
    server.shutdown()


def log_in(base, secret):
    """A person's login in a browser (RFC 6749 section 4.1, RFC 7636): what the token endpoint answers."""
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    where = Browser(stop_at=CALLBACK).sign_in(base + "/auth?" + urllib.parse.urlencode({
        "client_id": "login", "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid offline_access",
        "prompt": "consent", "code_challenge": challenge, "code_challenge_method": "S256"}))[0]
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(where).query)["code"][0]
    return present(base, secret, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=verifier)


def present(base, secret, **form):
    """Status and body of the token endpoint, for the client of the login."""
    request = urllib.request.Request(base + "/token", urllib.parse.urlencode(form).encode())
    basic = base64.b64encode(f"login:{urllib.parse.quote(secret, safe='')}".encode()).decode()
    request.add_header("Authorization", "Basic " + basic)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def login_at_oidc(base, secret):
    """The gateway goes on with the refresh token of a login, which rotates and whose reuse is detected."""
    status, answer = log_in(base, secret)
    first = json.loads(answer)
    check("oidc-provider gives a refresh token to a login", status == 200 and "refresh_token" in first)
    saved = private(WORK / "login.json", json.dumps(first, indent=2))
    canaries.update((first["access_token"], first["refresh_token"], first["id_token"]))
    gateway = custom("login", base, "/token", secret, client="login", grants="refresh_token", login_file=saved)
    gateway.start()
    generation, header = gateway.token(base + "/me")
    check("the token of the login is the first one", (generation, header) == (1, "Bearer " + first["access_token"]))
    check("it opens the API", fetch(base + "/me", authorization=header)[0] == 200)
    check("refresh tokens rotate", gateway.newer(base + "/me", 3, 15), gateway.said())
    check("the newest token opens the API", fetch(base + "/me", authorization=gateway.token(base + "/me")[1])[0] == 200)
    gateway.kill()
    gateway.start()
    generation = gateway.token(base + "/me")[0]
    check("a restart goes on with the rotated refresh token, not with the login",
          generation > 3 and gateway.newer(base + "/me", generation, 15), gateway.said()[-600:])
    gateway.hang_up()
    check("a healthy gateway does not go back to the login on SIGHUP",
          gateway.told("tries again") and not gateway.told("is installed", 1), gateway.said()[-600:])
    generation = gateway.token(base + "/me")[0]
    check("a used refresh token is refused", present(base, secret, grant_type="refresh_token",
                                                     refresh_token=first["refresh_token"])[0] == 400)
    check("its reuse ends the whole login, which is told", gateway.told("needs you: refresh_token_rejected", 15),
          gateway.said()[-600:])
    asked = fetch(base + "/count")[1]
    time.sleep(1)
    check("nothing more is sent after that", fetch(base + "/count")[1] == asked)
    again = json.loads(log_in(base, secret)[1])
    canaries.update((again["access_token"], again["refresh_token"]))
    # As if its access token had been for an hour, two hours ago.
    private(saved, json.dumps({**again, "expires_in": 3600}))
    os.utime(saved, (time.time() - 7200, time.time() - 7200))
    gateway.hang_up()
    check("SIGHUP after a new login goes on", gateway.newer(base + "/me", generation + 1, 15), gateway.said()[-600:])
    check("with a token that opens the API", fetch(base + "/me", authorization=gateway.token(base + "/me")[1])[0] == 200)
    check("ends cleanly", gateway.end() == 0)


def sign_in_at_oidc(base, secret, code_seconds):
    """A person signs in there by a code that the gateway shows."""
    gateway = custom(f"device-{code_seconds}", base, "/token", secret, client="login", grants="refresh_token",
                     scope="openid offline_access", device_path="/device/auth")
    gateway.start()

    def sign_in():
        gateway.ask("SIGN_IN")
        until(lambda: (gateway.ask("CODE") or "").startswith("CODE "))
        return gateway.ask("CODE").split(" ", 4)

    def stands(how):
        return until(lambda: gateway.ask("CODE") == f"NO_CODE {how}", 20)

    shown = sign_in()
    check("oidc-provider gives a code to show", shown[2] == base + "/device" and shown[3].startswith(base + "/device?user_code="),
          gateway.said())
    if code_seconds < 60:
        check("which expires unseen, and is not replaced",
              stands("expired") and not until(lambda: gateway.ask("CODE") != "NO_CODE expired", 2), gateway.said())
    else:
        check("pending is no end", until(lambda: int(fetch(base + "/count")[1]) > 1, 20) and gateway.ask("CODE").startswith("CODE "))
        fetch(base + "/slow_down")
        check("nor is slow_down", gateway.told("slow_down") and gateway.ask("CODE").startswith("CODE "), gateway.said())
        Browser().sign_in(shown[3])
        generation, header = gateway.token(base + "/me", 20)
        check("who enters it signs in", stands("done") and fetch(base + "/me", authorization=header)[0] == 200, gateway.said())
        check("and is refreshed", gateway.newer(base + "/me", generation, 15), gateway.said()[-600:])
        Browser().sign_in(sign_in()[3], abort=True)
        check("who says no does not", stands("denied"), gateway.said()[-600:])
        check("and the token of before goes on", gateway.newer(base + "/me", gateway.token(base + "/me")[0], 15))
    check("ends cleanly", gateway.end() == 0)


class SignIn:
    """examples/c-sign-in, and the person's browser beside it."""

    def __init__(self, program, base):
        self.process = subprocess.Popen([program, base, "command", base + "/me"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        running.append(self.process)
        self.url = self.line()
        self.state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))["state"]

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def hand(self, callback):
        self.process.stdin.write(callback + "\n")
        self.process.stdin.flush()
        return self.line()

    def browse(self, **how):
        return Browser(stop_at=CALLBACK).sign_in(self.url, **how)[0]

    def end(self):
        self.process.stdin.close()
        return self.process.wait(10)


def code_at_oidc(base):
    """A person signs in there in a browser, from C."""
    program = WORK / "c-sign-in"
    built = subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-fsanitize=address,undefined",
                            "-fno-sanitize-recover=all", f"-I{HERE.parents[1] / 'ffi/c/include'}", HERE.parent / "c-sign-in/main.c",
                            library, "-lcurl", "-lpthread", "-ldl", "-lm", "-o", program])
    check("the program that signs in by a browser builds without a warning", built.returncode == 0)
    one = SignIn(program, base)
    back = one.browse()
    issuer = "&iss=" + urllib.parse.quote(base, safe="")
    check("oidc-provider sends the browser back with a code", back.startswith(CALLBACK + "?code="), back)
    for what, callback, name in (
            ("another redirect URI", back.replace("/callback", "/other"), "other_redirect_uri"),
            ("another state", back.replace(one.state, "A" * 22), "other_state"),
            ("another issuer", back.replace(issuer, issuer + "%2F"), "other_issuer"),
            ("a parameter that stands twice", back + "&state=" + one.state, "duplicate_parameter")):
        check(f"{what} is refused", callback != back and (said := one.hand(callback)) == name, locals().get("said"))
    check("and leaves the sign-in as it was: its code brings a token", (said := one.hand(back)) == "token", said)
    check("which opens the API", (said := one.line()) == "200", said)
    check("a callback that comes again is nobody's", (said := one.hand(back)) == "stale_request", said)
    two = SignIn(program, base)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    check("a code that was used brings nothing",
          (said := two.hand(f"{CALLBACK}?code={code}&state={two.state}{issuer}")) == "invalid_grant", said)
    three = SignIn(program, base)
    check("who says no sends an error back", (said := three.hand(three.browse(abort=True))) == "error access_denied", said)
    check("which ends it", (said := three.hand(f"{CALLBACK}?code=a&state={three.state}{issuer}")) == "stale_request", said)
    check("all end well", [one.end(), two.end(), three.end()] == [0, 0, 0])


def signed_at_oidc(base, secret, authentication, client, **more):
    """The gateway signs its requests, which takes clocks that agree."""
    gateway = custom(authentication, base, "/token", secret, client=client, authentication=authentication,
                     grants="client_credentials", max_backoff_ms=2000, **more)
    gateway.start()
    generation, header = gateway.token(base + "/")
    check(f"oidc-provider gives a token by {authentication}", header.startswith("Bearer "), gateway.said())
    fetch(base + "/ahead?3600")
    check("where our clock is an hour slow it refuses", gateway.told("needs you: invalid_client", 15), gateway.said())
    fetch(base + "/ahead?0")
    generation = gateway.token(base + "/")[0]
    check("and where it is right it gives the next one", gateway.newer(base + "/", generation + 1, 15), gateway.said())
    check("ends cleanly", gateway.end() == 0)


def key_at_oidc(base, keys):
    """A client that signs its requests by keys of its own."""
    for algorithm in ("ES256", "RS256", "EdDSA"):
        gateway = custom("oidc-" + algorithm, base, "/token", "canary-not-sent", client="keyed", authentication="private_key_jwt",
                         key_file=keys / f"{algorithm}.pem", key_id=algorithm)
        gateway.start()
        generation, header = gateway.token(base + "/")
        check(f"oidc-provider takes an assertion by {algorithm}", header.startswith("Bearer "), gateway.said())
        check("and the next ones in time", gateway.newer(base + "/", generation + 1, 8), gateway.said())
        check("ends cleanly", gateway.end() == 0)
    gateway = custom("oidc-other-key", base, "/token", "canary-not-sent", client="keyed", authentication="private_key_jwt",
                     key_file=keys / "ES256.pem", key_id="EdDSA")
    gateway.start()
    check("another key is refused", until(lambda: "needs you: invalid_client" in gateway.said()), gateway.said())
    gateway.end()
    (WORK / "no.pem").write_text("no key")
    (WORK / "no.pem").chmod(0o600)
    gateway = custom("oidc-no-key", base, "/token", "canary-not-sent", client="keyed", authentication="private_key_jwt",
                     key_file=WORK / "no.pem")
    gateway.start()
    check("a file without a key is told", until(lambda: "no private key in PEM" in gateway.said()), gateway.said())
    check("and nothing is sent", "no request: wrong_credentials" in gateway.said(), gateway.said())
    check("ends cleanly", gateway.end() == 0)


def against_oidc():
    folder = WORK / "oidc-provider"
    subprocess.run([OIDC / "install.sh", folder], check=True)
    secret = "canary:secret+of/oidc, of 32 bytes or more"

    def serve(code_seconds):
        keys = WORK / f"keys-{code_seconds}"
        keys.mkdir()
        node = subprocess.Popen(["node", "server.mjs", secret, "2", str(code_seconds), keys], cwd=folder, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        running.append(node)
        return node.stdout.readline().decode().rstrip()

    base = serve(600)
    check("oidc-provider starts", base.startswith("http://127.0.0.1:"), base)
    sign_in_at_oidc(base, secret, 600)
    sign_in_at_oidc(serve(7), secret, 7)
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
    # Each way to sign requests, and the client of it.
    for authentication, client, more in (
            ("client_secret_jwt", "signer", {"issuer": base}),
            ("private_key_jwt", "keyed", {"key_file": WORK / "keys-600" / "ES256.pem"})):
        signed_at_oidc(base, secret, authentication, client, **more)
    key_at_oidc(base, WORK / "keys-600")
    code_at_oidc(base)
    login_at_oidc(base, secret)


PARTS = {"demo": against_demo, "kills": against_kills, "sharing": against_sharing, "sign_in": against_sign_in, "storage": against_storage,
         "settings": against_settings, "neighbours": against_neighbours, "secrets": against_rotated_secrets, "presets": against_presets, "tls": against_tls, "oidc": against_oidc}
if sys.argv[1:] == ["--list"]:
    print(*PARTS)
    sys.exit()
library, DEMO, *parts = sys.argv[1:]
try:
    for compiler, more in () if "GATEWAY" in os.environ else (("clang", []), ("gcc", ["SANITIZE=1"])):
        out = WORK / ("build" if more else "clang")
        built = subprocess.run(["make", "-s", "-C", HERE, f"CC={compiler}", f"OUT={out}", f"TOKENWARD_LIB={library}", *more])
        check(f"builds without a warning: {compiler} {' '.join(more)}", built.returncode == 0)
    for part in parts:
        start = time.monotonic()
        PARTS[part]()
        print(f"{part}: {time.monotonic() - start:.0f} s", flush=True)
    everything = "".join(log.read_text() for log in logs if log.exists())
    if "GATEWAY" not in os.environ:
        check("no sanitizer said anything", "Sanitizer" not in everything and "runtime error" not in everything,
              everything[-2000:])
    check(f"none of {len(canaries)} secrets and tokens in {len(everything)} bytes of log",
          canaries and not any(canary in everything for canary in canaries))
finally:
    for process in running:
        process.kill()
    shutil.rmtree(WORK, ignore_errors=True)
print(f"counted: {passed} passed, {failed} failed")
sys.exit(failed != 0)
