#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs each board's image in QEMU, plays its modem on the serial port against a real demo service of its own, and
compares what the firmware says with what the service has seen. usage: test.py FOLDER [BOARD...]"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "demo-service"))
from held_ports import held_ports

BOARDS = {
    # The command, and the words of a snapshot that are written before its power is cut.
    "microbit": (["qemu-system-arm", "-M", "microbit"], 0),
    "lm3s6965evb": (["qemu-system-arm", "-M", "lm3s6965evb"], 1),
    "mps2-an386": (["qemu-system-arm", "-M", "mps2-an386"], 20),
    "mps2-an505": (["qemu-system-arm", "-M", "mps2-an505"], 40),
    "virt": (["qemu-system-riscv32", "-M", "virt", "-bios", "none"], 60),
}
NEVER = 0xFFFFFFFF
LIFETIME_S = 10
RECEIVE_BUFFER = 1024
ACCESS_CAPACITY = 512
CALL_EVERY_MS = 400


def crc16(data):
    """CRC-16/CCITT-FALSE."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def wall_ms():
    return int(time.time() * 1000).to_bytes(8, "big")


def frame(kind, sequence, fields):
    payload = b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    checked = kind + bytes([sequence]) + len(payload).to_bytes(2, "big") + payload
    return b"\xA5" + checked + crc16(checked).to_bytes(2, "big")


class Demo:
    """A demo service; started again it has forgotten its tokens."""

    def __init__(self, held=None):
        self.held = held or held_ports()
        self.port = self.held[0].getsockname()[1]
        self.process = subprocess.Popen(
            [os.environ["TOKENWARD_DEMO_SERVICE"], "--kind", "flute", "--print-json", "--raw-log",
             "--lifetime", str(LIFETIME_S), "--port", str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        told = json.loads(self.process.stdout.readline())["services"][0]
        self.base = told["base_url"]
        self.credentials = told["credentials"]

    def order(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, "/_demo/" + path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status < 300, path
        return answer.read()

    def fault(self, name, **members):
        self.order("POST", "fault", {"fault": name, **members})

    def sign_in(self, person, interval_s=1):
        self.order("POST", "sign_in", {"person": person, "interval_s": interval_s})

    def log(self):
        return json.loads(self.order("GET", "log"))["exchanges"]

    def tokens(self):
        """What reached the token endpoint."""
        return [(one["grant_type"], one["outcome"]) for one in self.log() if one["path"] == "/oauth2/token"]

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


class Event:
    def __init__(self, fields):
        self.what, self.detail = fields[0].decode(), fields[1].decode()
        self.number, self.generation, self.now, self.stack = (int.from_bytes(field, "big") for field in fields[2:])

    def __repr__(self):
        return f"{self.now - 2**32:+d} ms: {self.what} {self.detail} {self.number} [{self.generation}]"


class Board:
    """A board in QEMU, and the modem on its serial port."""

    def __init__(self, name, image, demo, folder):
        self.name, self.demo, self.events, self.hellos, self.exchanges = name, demo, [], [], 0
        self.corrupt_next = False
        self.pressed, self.lose_next, self.codes = False, False, []
        self.power_cut = NEVER
        self.garbage = 0
        self.key, self.seed = secrets.token_bytes(32), secrets.token_bytes(8)
        self.canaries = {demo.credentials["client_secret"]}
        control, self.log = folder / f"{name}.qmp", folder / f"{name}.log"
        self.process = subprocess.Popen(
            [*BOARDS[name][0], "-display", "none", "-monitor", "none", "-serial", "stdio",
             "-qmp", f"unix:{control},server=on,wait=off", "-kernel", image],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("wb"))
        self.control = control
        self.reader = threading.Thread(target=self.modem, daemon=True)
        self.reader.start()

    def modem(self):
        port = self.process.stdout
        while byte := port.read(1):
            if byte != b"\xA5":
                self.garbage += 1
                continue
            header = port.read(4)
            payload = port.read(int.from_bytes(header[2:], "big"))
            if int.from_bytes(port.read(2), "big") != crc16(header + payload):
                self.garbage += 1
                continue
            fields, at = [], 0
            while at < len(payload):
                end = at + 2 + int.from_bytes(payload[at:at + 2], "big")
                fields.append(payload[at + 2:end])
                at = end
            self.handle(header[:1], header[1], fields)

    def handle(self, kind, sequence, fields):
        if kind == b"E":
            self.events.append(Event(fields))
        elif kind == b"H":
            self.hellos.append((fields[0].decode(), int.from_bytes(fields[1], "big")))
            given = self.demo.credentials
            cut, self.power_cut = self.power_cut, NEVER
            self.answer(b"S", sequence, [wall_ms(), self.seed, self.key,
                                         self.demo.base.encode(), given["client_id"].encode(),
                                         given["client_secret"].encode(), cut.to_bytes(4, "big")])
        elif kind == b"B":
            pressed, self.pressed = self.pressed, False
            self.answer(b"P", sequence, [b"!" if pressed else b""])
        elif kind == b"C":
            self.codes.append((*(field.decode() for field in fields[:3]), int.from_bytes(fields[3], "big")))
        elif kind == b"Q":
            self.answer(b"R", sequence, self.perform(*fields))

    def answer(self, kind, sequence, fields):
        sent = frame(kind, sequence, fields)
        if kind == b"R" and self.corrupt_next:
            self.corrupt_next = False
            sent = sent[:-5] + bytes([sent[-5] ^ 1]) + sent[-4:]
        self.process.stdin.write(sent)
        self.process.stdin.flush()

    def perform(self, method, url, authorization, content_type, accept, accept_encoding, body):
        """The request as HTTP; status 0 where nothing whole comes back."""
        url = urllib.parse.urlsplit(url.decode())
        fields = {"Authorization": authorization, "Content-Type": content_type, "Accept": accept,
                  "Accept-Encoding": accept_encoding}
        if self.lose_next and b"device_code=" in body:
            self.lose_next = False
            return [wall_ms(), b"\0\0", b"", b"", b""]
        self.canaries.add(authorization.decode().split(" ", 1)[1])
        try:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=4)
            connection.request(method.decode(), url.path, body or None,
                               {name: value.decode() for name, value in fields.items() if value})
            self.exchanges += 1
            got = connection.getresponse()
            body = got.read()
        except (OSError, http.client.HTTPException):
            return [wall_ms(), b"\0\0", b"", b"", b""]
        finally:
            connection.close()
        try:
            self.canaries.update(value for name, value in json.loads(body).items()
                                 if name.endswith("_token") or name == "device_code")
        except (ValueError, AttributeError):
            pass
        field = lambda name: (got.headers.get(name) or "").encode()
        return [wall_ms(), got.status.to_bytes(2, "big"), field("Retry-After"), field("WWW-Authenticate"), body]

    def wait(self, what, detail=None, since=0, seconds=30):
        """The first event of the kind at or after the index; its index, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            for index in range(since, len(self.events)):
                event = self.events[index]
                if event.what == what and detail in (None, event.detail, event.number):
                    return index
            time.sleep(0.01)
        return None

    def system_reset(self):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.control))
            talk = control.makefile("rw")
            talk.readline()
            for order in ("qmp_capabilities", "system_reset"):
                talk.write(json.dumps({"execute": order}) + "\n")
                talk.flush()
                while "return" not in json.loads(talk.readline()):
                    pass

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Failed(Exception):
    pass


def scenario(name, folder, images):
    demo = Demo()
    board = Board(name, images / f"{name}.elf", demo, folder)
    checks = []

    def check(what, good, detail=""):
        if not good:
            raise Failed(f"{what}  {detail}\n" + "\n".join(map(repr, board.events[-40:])) +
                         f"\ntoken endpoint: {board.demo.tokens() if board.demo else 'down'}"
                         f"\nQEMU: {board.log.read_text()}")
        checks.append(what)

    def seen(what, detail=None, since=0, rule=None):
        index = board.wait(what, detail, since)
        check(rule or f"says {what} {detail}", index is not None)
        return index

    def press():
        board.pressed, asked = True, len(demo.log())
        at, shown = len(board.events), len(board.codes)
        end = time.monotonic() + 10
        while len(board.codes) == shown and time.monotonic() < end:
            time.sleep(0.01)
        check("a button brings a code to show", len(board.codes) == shown + 1, board.codes)
        return at, asked

    def signing_in(asked):
        """What the device asked for while somebody signs in, its own token aside."""
        return [(one["at"], one["outcome"]) for one in demo.log()[asked:]
                if one["path"] == "/oauth2/device_authorization" or (one["grant_type"] or "").endswith("device_code")]

    try:
        at = seen("called", 200, rule="gets a token and opens the API with it")
        check("is the board it should be", board.hellos[0][0] == name, board.hellos)
        check("asks by client_credentials, once", demo.tokens() == [("client_credentials", "token")], demo.tokens())
        at = seen("token", "refresh_token", at)
        check("refreshes ahead with the refresh token",
              demo.tokens() == [("client_credentials", "token"), ("refresh_token", "token")], demo.tokens())
        apis = [one["status"] for one in demo.log() if one["method"] == "GET"]
        check("had a usable token all the time", len(apis) > 3 and set(apis) == {200}, apis)
        times = [event.now for event in board.events]
        check("its clock goes on where 32 bits wrap",
              times == sorted(times) and times[0] < 2**32 < times[-1] < 2**32 + 60000, times)

        # 401: reject, refresh, retry.
        at = seen("called", 200, at)
        before = len(demo.log())
        demo.order("POST", "revoke", {"what": "access_tokens"})
        at = seen("rejected", "retry", at)
        renewed = seen("token", "refresh_token", at)
        at = seen("called", 200, renewed)
        log = [(one["method"], one["status"]) for one in demo.log()[before:]]
        check("a 401 causes one refresh and one retry", log[-3:] == [("GET", 401), ("POST", 200), ("GET", 200)], log)
        check("at once", board.events[at].now - board.events[renewed].now < CALL_EVERY_MS // 2)

        # 503 with Retry-After.
        count = len(demo.tokens())
        demo.fault("status503", retry_after="4")
        at = seen("refused", None, at)
        at = seen("token", "refresh_token", at)
        log = [one for one in demo.log() if one["method"] == "POST"][count:]
        check("waits as Retry-After says, then goes on with the refresh token",
              [one["status"] for one in log] == [503, 200] and 4 <= log[1]["at"] - log[0]["at"] <= 6, log)

        # Answers that do not fit, from a server that did not process the request.
        for code, size in (("truncated", 3 * RECEIVE_BUFFER), ("too_long", ACCESS_CAPACITY + 100)):
            generation = board.events[seen("called", 200, at)].generation
            body = json.dumps({"access_token": "a" * size, "token_type": "Bearer", "expires_in": 3600})
            demo.fault("status", status=200, body=body)
            at = seen("refused", code, at)
            index = seen("called", 200, at)
            check(f"{code}: the token that was good stays good",
                  board.events[index].generation == board.events[at].generation == generation)
            at = seen("token", "refresh_token", at)
            check(f"{code}: the refresh token too", demo.tokens()[-1] == ("refresh_token", "token"), demo.tokens())

        # A reset: what was stored is used, and nothing is asked for anew.
        at = seen("called", 200, at)
        index, before, generation = len(board.events), len(demo.log()), board.events[at].generation
        board.system_reset()
        at = seen("loaded", "taken", index)
        at = seen("called", 200, at)
        check("after a reset the stored token opens the API", board.events[at].generation == generation)
        at = seen("token", None, at)
        log = [(one["method"], one["grant_type"], one["outcome"]) for one in demo.log()[before:]]
        check("and the stored refresh token brings the next one",
              log[0][0] == "GET" and [one[1:] for one in log if one[0] == "POST"] == [("refresh_token", "token")], log)

        # A power cut while the snapshot with the rotated refresh token is written.
        at = seen("called", 200, at)
        generation, resets, index = board.events[at].generation, len(board.hellos), len(board.events)
        board.power_cut = BOARDS[name][1]
        count = len(demo.tokens())
        board.system_reset()
        at = seen("request", "refresh_token", index)
        at = seen("loaded", None, at)
        check("the power was cut", len(board.hellos) == resets + 2, board.hellos)
        check("after a cut write the older slot is taken",
              (board.events[at].detail, board.events[at].generation) == ("taken", generation), board.events[at])
        at = seen("token", "client_credentials", at)
        check("the refresh token that the cut lost is noticed by the service, and the device recovers by itself",
              demo.tokens()[count:] == [("refresh_token", "token"), ("refresh_token", "invalid_grant"),
                                        ("client_credentials", "token")], demo.tokens()[count:])
        at = seen("called", 200, at)

        # A frame that is damaged on the way.
        board.corrupt_next = True
        at = seen("called", "no answer", at, rule="a damaged frame is no answer")
        at = seen("called", 200, at, rule="and costs one call")

        # A failure that needs a person.
        demo.fault("status", status=401, body='{"error":"invalid_client"}')
        at = seen("supply", "invalid_client", at)
        count, start = len(demo.tokens()), board.events[at].now
        while board.events[-1].now < start + 2000:
            at = seen("called", 200, at + 1, rule="a wrong secret leaves the token usable")
        check("and is not presented again", len(demo.tokens()) == count, demo.tokens())
        at = len(board.events)
        board.system_reset()
        at = seen("token", "refresh_token", at, rule="a reset tries again")
        at = seen("called", 200, at)

        # Somebody signs in by a code that the device shows.
        check("asks for no code by itself", not board.codes and not signing_in(0))
        at, asked = press()
        user_code, uri, complete, until = board.codes[-1]
        check("shows where to enter it and until when",
              uri == f"{demo.base}/device" and complete == f"{uri}?user_code={user_code}" and
              abs(until - time.time() - 600) < 5, board.codes[-1])
        seen("called", 200, seen("sign-in", "request", at), rule="lives on with its own token meanwhile")
        board.lose_next = True
        lost = seen("sign-in", "no answer", at)
        at = seen("sign-in", "request", lost, rule="trouble is no end")
        check("and backs off", board.events[at].now - board.events[lost].now > 1900)
        demo.sign_in("waits", interval_s=5)
        slow = seen("sign-in", "slow_down", at)
        demo.sign_in("approves", interval_s=5)
        end = seen("sign-in", "done", slow)
        check("slow_down makes it five seconds slower", board.events[end].now - board.events[slow].now >= 6000)
        check("and is obeyed", [what for _, what in signing_in(asked)][-2:] == ["slow_down", "token"], signing_in(asked))
        index = seen("called", 200, end)
        check("goes on with the token of who signed in", board.events[index].generation > board.events[slow].generation)
        seen("token", "refresh_token", index)

        # Nobody enters it; somebody says no.
        for person, rule in (("waits", "expired"), ("denies", "denied")):
            demo.sign_in(person)
            at, asked = press()
            if person == "waits":
                demo.order("POST", "clock", {"advance_s": 600})
            at = seen("sign-in", rule, at)
            count = len(signing_in(asked))
            at = seen("called", 200, seen("called", 200, at + 1) + 1, rule=f"{rule}: lives on with the token that it had")
            check(f"{rule}: and asks for no other code", len(signing_in(asked)) == count, signing_in(asked))

        # A reset while a code is shown: nothing of it is stored.
        demo.sign_in("waits")
        at, asked = press()
        seen("sign-in", "wait", at)
        index = len(board.events)
        board.system_reset()
        at = seen("called", 200, seen("loaded", "taken", index))
        asked = len(demo.log())
        at = seen("called", 200, seen("called", 200, at + 1) + 1)
        check("after a reset nobody signs in", not signing_in(asked), signing_in(asked))

        # The service is down: its tokens are gone, too.
        check("every request of the device is in the service's log", len(demo.log()) == board.exchanges,
              (len(demo.log()), board.exchanges))
        generation = board.events[at].generation
        board.demo = None
        demo.end()
        failures = []
        for _ in range(5):
            at = seen("failed", "no answer", at + 1)
            failures.append(board.events[at].now)
        gaps = [later - earlier for earlier, later in zip(failures, failures[1:])]
        check("backs off while the service is down", min(gaps) >= 125 and max(gaps) > 900, gaps)
        demo = board.demo = Demo(demo.held)
        board.canaries.add(demo.credentials["client_secret"])
        at = seen("token", "client_credentials", at)
        check("gets a token when the service is back",
              demo.tokens() == [("refresh_token", "invalid_grant"), ("client_credentials", "token")], demo.tokens())
        at = seen("called", 200, at)
        check("and its generation goes on", board.events[at].generation > generation)

        said = " ".join(f"{event.what} {event.detail}" for event in board.events)
        check("no secret in what it says", len(board.canaries) > 10 and not any(one in said for one in board.canaries))
        check("nothing but whole frames comes", board.garbage == 0, board.garbage)
        stack, size = max(event.stack for event in board.events), board.hellos[0][1]
        check("its stack was enough", 0 < stack < size - 512, (stack, size))
        return f"ok   {name}: {len(checks)} checks, {len(board.events)} events, stack {stack} of {size} bytes", len(checks), 0
    except Failed as failed:
        return f"FAIL {name}: {failed}", len(checks), 1
    finally:
        board.end()
        if board.demo:
            board.demo.end()


def main():
    images, names = pathlib.Path(sys.argv[1]), sys.argv[2:] or list(BOARDS)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="c-firmware-"))
    start = time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            results = list(pool.map(lambda name: scenario(name, folder, images), names))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines, passed, failed = zip(*results)
    print(*lines, f"{len(names)} boards in {time.monotonic() - start:.0f} s", sep="\n")
    print(f"counted: {sum(passed)} passed, {sum(failed)} failed")
    return sum(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
