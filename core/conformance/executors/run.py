#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the scripts of this folder against the command and the C gateway, each in processes of its own.
usage: run.py command|gateway PROGRAM [SCRIPT...]"""

import concurrent.futures
import fcntl
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
import small_disk

HERE = pathlib.Path(__file__).resolve().parent
MORE_S = 0.3
POLICY = {"jitter_permille": 0, "margin_ms": 0, "min_interval_ms": 0, "first_backoff_ms": 100, "max_backoff_ms": 400,
          "response_timeout_ms": 2000}
GRANTS = {"client": ["client_credentials"], "both": ["client_credentials", "refresh_token"], "refresh": ["refresh_token"],
          "password": ["password", "refresh_token"]}
SECRETS = {"TOKENWARD_CLIENT_ID": "id", "TOKENWARD_CLIENT_SECRET": "secret", "TOKENWARD_USERNAME": "user",
           "TOKENWARD_PASSWORD": "word"}
# What a program may say where it only cannot serve a caller now.
UNAVAILABLE = 69


class Differs(Exception):
    pass


def until(condition, seconds):
    """What `condition` gives once it is something; what it gives in the end otherwise."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.01)


class Skipped(Exception):
    pass


class Service:
    """A token service on loopback that answers as the script says."""

    def __init__(self):
        self.answers, self.requests, self.holds = [], [], {}
        self.otherwise, self.lock = {"status": 500}, threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                service.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def serve(self, handler):
        form = urllib.parse.parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        with self.lock:
            answer = self.answers.pop(0) if self.answers else self.otherwise
            if handler.path != "/token":
                self.requests.append(handler.path)
            self.requests.append(" ".join(form["grant_type"] + form.get("refresh_token", [])))
        time.sleep(answer.get("after_ms", 0) / 1000)
        if "hold" in answer:
            self.hold(answer["hold"]).wait(60)
        try:
            self.answer(handler, answer)
        except OSError:
            handler.close_connection = True

    def hold(self, name):
        with self.lock:
            return self.holds.setdefault(name, threading.Event())

    @staticmethod
    def answer(handler, answer):
        known = {"token", "expires_in", "refresh_token", "status", "error", "body", "retry_after", "location", "cut", "cut_body",
                 "after_ms", "hold"}
        assert answer.keys() <= known, answer
        if answer.get("cut"):
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        members = {"access_token": answer.get("token"), "token_type": "token" in answer and "Bearer" or None,
                   **{name: answer.get(name) for name in ("expires_in", "refresh_token", "error")}}
        members = {name: value for name, value in members.items() if value is not None}
        body = answer.get("body", json.dumps(members)).encode()
        handler.send_response(answer.get("status", 200))
        for name, value in (("Retry-After", answer.get("retry_after")), ("Location", answer.get("location"))):
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if answer.get("cut_body"):
            handler.wfile.write(body[:len(body) // 2])
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.wfile.write(body)


class Caller(threading.Thread):
    """Asks in the background until there is a token, or the executor says that there will be none."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.outcome, self.refused_since, self.gone, self.asks = None, None, False, ask
        self.start()

    def run(self):
        while not self.gone:
            token, refusal, final = self.asks(self)
            if token is not None or (final and not self.gone):
                self.outcome = ("token", token) if token is not None else ("error", refusal)
                return
            self.refused_since = self.refused_since or time.monotonic()
            time.sleep(0.05)

    def ended(self, error):
        """How it ended. A refusal that stays for a second is one."""
        if error and self.outcome is None and self.refused_since and time.monotonic() - self.refused_since > 1:
            self.gone = True
            self.outcome = ("error", "not now")
        return self.outcome


class Executor:
    """What both programs have in common."""

    def __init__(self, program, folder, service, kind):
        self.program, self.folder, self.service, self.kind = program, folder, service, kind
        self.callers, self.held, self.disk = {}, None, folder / "disk"
        self.aside, self.filler = self.disk / "aside", self.disk / "filler"

    def slots(self):
        raise NotImplementedError

    def storage(self, state):
        if state == "held":
            self.held = open(self.disk / "token.lock", "w")
            fcntl.flock(self.held, fcntl.LOCK_EX)
        elif state == "works":
            self.held = self.held and self.held.close()
            self.filler.unlink(missing_ok=True)
            if self.aside.exists():
                self.slots()[0].rmdir()
                self.aside.rename(self.slots()[0])
        elif state == "unreadable":
            # Not even root reads a folder.
            self.slots()[0].rename(self.aside)
            self.slots()[0].mkdir()
        elif state == "unwritable":
            # A disk that was full from the start has a key all the same.
            if not (self.disk / "token.key").exists():
                self.damage("key")
            small_disk.fill(self.filler)
        else:
            raise NotImplementedError(state)

    def damage(self, kind):
        if kind == "key":
            (self.disk / "token.key").touch(0o600)
            (self.disk / "token.key").write_text("5a" * 32 + "\n")
            return
        slots = [slot for slot in self.slots() if slot.exists()]
        assert slots, "nothing is stored"
        for slot in slots:
            whole = slot.read_bytes()
            if kind == "deleted":
                slot.unlink()
            elif kind == "bit":
                slot.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
            else:
                slot.write_bytes({"torn": whole[:len(whole) // 2], "emptied": b""}[kind])


class Command(Executor):
    """`tokenward token`: a process for each caller, all on one file."""

    def __init__(self, *given):
        super().__init__(*given)
        description = {"name": "scripted", "token_url": self.service.base + "/token", "grants": GRANTS[self.kind],
                       "authentication": "post", "policy": POLICY}
        self.file = self.folder / "service.json"
        self.file.write_text(json.dumps(description))
        self.running = set()

    def slots(self):
        return [self.disk / "token"]

    def asks(self, name, status):
        assert status in (None, 401)

        def run(caller):
            command = [self.program, "token", "--provider-file", self.file, "--allow-loopback-http", "--save",
                       self.disk / "token", "--show-secrets", "--json"] + ["--renew"] * (status is not None)
            process = subprocess.Popen(command, env={**os.environ, **SECRETS}, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.running.add((process, caller))
            out, error = process.communicate()
            self.running.discard((process, caller))
            if process.returncode == 0:
                return json.loads(out)["authorization"].removeprefix("Bearer "), None, True
            return None, error, process.returncode != UNAVAILABLE and "try again in" not in error

        return Caller(run)

    def cancel(self, caller):
        caller.gone = True
        for process, of in list(self.running):
            if of is caller:
                process.send_signal(signal.SIGTERM)
        caller.join(10)

    def stop(self):
        """There is no process between two callers."""

    start = stop

    def kill(self):
        for process, caller in list(self.running):
            caller.gone = True
            process.kill()
            caller.join(10)

    def end(self):
        self.kill()


class Gateway(Executor):
    """The gateway: a process that serves its callers on a socket."""

    def __init__(self, *given):
        super().__init__(*given)
        self.login = self.folder / "login"
        settings = {"provider": "custom", "name": "scripted", "base_url": self.service.base, "token_path": "/token",
                    "grants": ", ".join(GRANTS[self.kind]), "authentication": "post", "socket": self.folder / "socket",
                    "state": self.disk / "token", "allow_loopback_http": "yes", "log_level": "debug", **POLICY}
        if self.kind == "refresh":
            settings["login_file"] = self.login
        (self.folder / "settings").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        self.generations = {}
        self.start()

    def slots(self):
        return [self.disk / "token"]

    def start(self):
        """It asks for a token by itself: what needs it starts it."""
        self.process = None

    def running(self):
        """Whether it was running already."""
        if self.process is not None:
            return True
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([self.program, self.folder / "settings"], env={**os.environ, **SECRETS},
                                            stderr=log)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)

    def kill(self):
        for caller in self.callers.values():
            for one in caller:
                one.gone = True
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process is not None:
            self.kill()

    def line(self, text):
        """One line, one reply; None where nobody listens."""
        try:
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(20)
                end.connect(str(self.folder / "socket"))
                end.sendall(text.encode() + b"\n")
                return end.makefile().readline().rstrip("\n") or None
        except OSError:
            return None

    def asks(self, name, status):
        self.running()
        reported = [status is None]

        def ask(_):
            if not reported[0]:
                if name not in self.generations:
                    self.header(name)
                    return None, "nothing to report yet", False
                reported[0] = True
                said = self.line(f"REJECTED {self.generations[name]} {status}") or ""
                if said.startswith("SURFACE"):
                    return None, said, True
            return self.header(name)

        return Caller(ask)

    def header(self, name):
        said = self.line(f"GET {self.service.base}/api") or "ERR nobody"
        if not said.startswith("OK "):
            return None, said, False
        _, generation, value = said.split(" ", 2)
        self.generations[name] = generation
        return value.removeprefix("Bearer "), None, True

    def cancel(self, caller):
        caller.gone = True

    def sign_out(self, wanted):
        same(self.line("SIGN_OUT"), {"ok": "OK", "storage_failed": "ERR not_saved"}[wanted], "SIGN_OUT")

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def install(self, token):
        members = {"access_token": token.get("token", ""), "token_type": "Bearer",
                   **{name: token[name] for name in ("refresh_token", "expires_in") if name in token}}
        self.login.touch(0o600)
        self.login.write_text(json.dumps(members))
        if self.running():
            self.hang_up()


def same(found, wanted, what):
    if found != wanted:
        raise Differs(f"{what}: {found} instead of {wanted}")


def step(executor, service, step):
    """Does one step, or says how what came of it differs."""
    [(what, value)] = [(name, step.pop(name)) for name in list(step) if name in STEPS]
    within = step.pop("within_ms", 10_000) / 1000
    if what == "answers":
        with service.lock:
            service.answers += value
    elif what == "otherwise":
        service.otherwise = value
    elif what == "ask":
        count, status = step.pop("callers", None), step.pop("after", None)
        # Callers of one name are told apart: each reports what it got itself.
        names = [value] if count is None else [f"{value} {i}" for i in range(count)]
        executor.callers[value] = [executor.asks(name, status) for name in names]
    elif what == "got":
        callers, token, error = executor.callers[value], step.pop("token", None), step.pop("error", None)
        step.pop("reason", None)
        until(lambda: all(caller.ended(error) for caller in callers), within)
        for caller in callers:
            same((caller.outcome or ("waits", None))[0], "error" if error else "token", f"{value} {caller.outcome}")
            same(caller.outcome[1] if token else None, token, value)
    elif what == "waits":
        time.sleep(MORE_S)
        same([caller.outcome for caller in executor.callers[value] if caller.outcome], [], value)
    elif what == "cancel":
        for caller in executor.callers[value]:
            executor.cancel(caller)
    elif what == "requests":
        until(lambda: len(service.requests) >= len(value), within)
        time.sleep(MORE_S)
        with service.lock:
            seen, service.requests = service.requests, []
        same(seen, value, "requests")
    elif what == "forget_requests":
        with service.lock:
            service.requests = [one for one in service.requests if value not in (True, one)]
    elif what == "release":
        service.hold(value).set()
    elif what == "sleep_ms":
        time.sleep(value / 1000)
    elif what == "restart":
        executor.stop()
        executor.start()
    elif what == "kill":
        executor.kill()
        executor.start()
    elif what in ("stop", "start"):
        getattr(executor, what)()
    elif what == "retry":
        executor.hang_up()
    elif what in ("install", "sign_out", "storage", "damage"):
        getattr(executor, what)(value)
    if step:
        raise Differs(f"a step that this driver cannot do: {step}")


STEPS = {"answers", "otherwise", "ask", "got", "waits", "cancel", "requests", "forget_requests", "release", "sleep_ms", "restart",
         "kill", "stop", "start", "retry", "install", "sign_out", "storage", "damage"}


def run(kind, program, path):
    script = json.loads(path.read_text())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="executor-"))
    service = Service()
    executor, disk = None, folder / "disk"
    disk.mkdir()
    small = any(one.get("storage") == "unwritable" for one in script["steps"])
    try:
        if small and not small_disk.mount(disk):
            small = False
            raise Skipped
        executor = {"command": Command, "gateway": Gateway}[kind](program, folder, service, script["service"])
        for number, one in enumerate(script["steps"], 1):
            try:
                step(executor, service, dict(one))
            except Exception as error:
                log = folder / "log"
                said = "\n    " + "\n    ".join(log.read_text().splitlines()[-25:]) if log.exists() else ""
                return f"step {number}, {json.dumps(one)}: {error or type(error).__name__}{said}"
        return None
    except Differs as error:
        return str(error)
    except Skipped as skipped:
        return skipped
    finally:
        for hold in list(service.holds.values()):
            hold.set()
        if executor:
            executor.end()
        service.server.shutdown()
        if small:
            small_disk.unmount(disk)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    kind, program, *chosen = sys.argv[1:]
    program = str(pathlib.Path(program).resolve())
    paths = [pathlib.Path(path) for path in chosen] or sorted(HERE.glob("*.json"))
    paths = [path for path in paths if kind in json.loads(path.read_text())["runs_on"]]
    failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for path, differs in zip(paths, pool.map(lambda path: run(kind, program, path), paths)):
            if isinstance(differs, Skipped):
                skipped += 1
                print(f"skipped: {path.stem}, which takes a small disk, which root makes", flush=True)
                continue
            failed += differs is not None
            print(f"{'FAIL' if differs else 'ok  '} {path.stem}" + (f"\n  {differs}" if differs else ""), flush=True)
    print(f"counted: {len(paths) - failed - skipped} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
