#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A command that signs in, at the certified oidc-provider, with a person who is a script. usage: commands.py FOLDER COMMAND…

FOLDER is where install.sh has put the provider. COMMAND takes ISSUER CLIENT_ID FILE [device | CALLBACK], as those of
examples/swift-cli and examples/kotlin-cli do."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

from browser import Browser

FOLDER, *COMMAND = sys.argv[1:]
passed = failed = 0


def check(what, holds, said=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAILED: {what}\n{said}", flush=True)


class Command:
    def __init__(self, name, *how, client="command"):
        self.file = pathlib.Path(WORK, name)
        self.process = subprocess.Popen([*COMMAND, BASE, client, self.file, *how], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.lines = []

    def line(self):
        self.lines.append(self.process.stdout.readline().rstrip("\n"))
        return self.lines[-1]

    def url(self):
        return re.fullmatch(r"sign in at (\S+)", self.line())[1]

    def code(self):
        return "{1}?user_code={0}".format(*re.fullmatch(r"enter (\S+) at (\S+)", self.line()).groups())

    def end(self):
        """Its status and its last line, after a colon in which only a sentence stands."""
        self.lines += self.process.communicate(timeout=60)[0].splitlines()
        return self.process.returncode, self.lines[-1]

    def says(self, what, status, line):
        end = self.end()
        check(what, end[0] == status and end[1].startswith(line), end)


def query(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def callback(url, **members):
    """What somebody made up for a sign-in."""
    redirect_uri, state = query(url)["redirect_uri"], query(url)["state"]
    return redirect_uri + "?" + urllib.parse.urlencode({"state": state, "iss": BASE, **members})


def fetch(path):
    return Browser().visit(BASE + path)[2]


def by_browser():
    one = Command("one")
    url = one.url()
    check("the URL is that of the service", url.startswith(BASE + "/auth?prompt=consent&response_type=code&"), url)
    for what, forged in (
            ("another state", callback(url, code="a", state="b")),
            ("another redirect URI", callback(url, code="a").replace("/callback", "/elsewhere")),
            ("another issuer", callback(url, code="a", iss=BASE + "/")),
            ("a parameter that stands twice", callback(url, code="a") + "&code=b")):
        end = Browser().visit(forged)
        check(f"{what} is nobody's", end[1] == 404, end)
    end = Browser().sign_in(url)
    check("the person is told that the window may be closed", end[1] == 200 and "may close this window" in end[2], end)
    one.says("a person signs in, and the token opens the API", 0, "signed in: 200")
    check("no secret is told", query(end[0])["code"] not in "\n".join(one.lines), one.lines)
    Command("one").says("which is kept over a restart", 0, "signed in: 200")

    two = Command("two")
    Browser().visit(callback(two.url(), code=query(end[0])["code"]))
    two.says("a code that was used before brings nothing", 1, "invalid_grant: ")

    three = Command("three")
    end = Browser().sign_in(three.url(), abort=True)
    check("who says no may close the window, too", end[1] == 200, end)
    three.says("and ends it", 1, "access_denied: ")


def killed_in_the_browser():
    command = Command("killed")
    url = command.url()
    command.process.kill()
    command.process.wait()
    redirect_uri = query(url)["redirect_uri"]
    back = Browser(stop_at=redirect_uri).sign_in(url)[0]
    check("the browser comes back to nobody", back.startswith(redirect_uri + "?code="), back)
    Command("killed", callback(url, code="a", state="b")).says("the next process refuses another state", 1, "other_state: ")
    other = back.replace("/callback", "/elsewhere")
    Command("killed", other).says("and another redirect URI", 1, "other_redirect_uri: ")
    Command("killed", back).says("and ends the sign-in with the right callback", 0, "signed in: 200")
    command.file.unlink()
    Command("killed", back).says("once", 1, "stale_request: ")


def by_code(denied, expired):
    command = Command("device", "device")
    shown = command.code()
    # One counts: of three others one asks no more, and one says no.
    for other, end in ((denied, "access_denied: "), (expired, "expired_token: ")):
        other.says("a code that is declined or expires says so", 1, end)
    fetch("/slow_down")
    before = int(fetch("/count"))
    asked = []
    while len(asked) < 2 and command.process.poll() is None:
        if int(fetch("/count")) > before + len(asked):
            asked.append(time.monotonic())
        time.sleep(0.05)
    check("pending is no end, and whoever is told to slow down does", command.process.poll() is None and asked[1] - asked[0] > 9, asked)
    end = Browser().sign_in(shown)
    check("the person enters the code", end[1] == 200 and "successful" in end[2].lower(), end)
    command.says("and has signed in", 0, "signed in: 200")


node = subprocess.Popen(["node", FOLDER + "/server.mjs", "unused", "600", "600"], cwd=FOLDER, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    BASE = node.stdout.readline().strip()
    with tempfile.TemporaryDirectory(prefix="sign-in-") as WORK:
        # Codes take their time: these run beside the others.
        declined, brief = Command("declined", "device"), Command("brief", "device", client="brief")
        brief.code()
        Browser().sign_in(declined.code(), abort=True)
        by_browser()
        killed_in_the_browser()
        by_code(declined, brief)
finally:
    node.kill()
print(f"counted: {passed} passed, {failed} failed")
sys.exit(failed > 0)
