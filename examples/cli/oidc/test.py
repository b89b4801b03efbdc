#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`tokenward token --sign-in` against the certified oidc-provider, with a person who is a script. usage: test.py TOKENWARD FOLDER

FOLDER holds oidc-provider as npm installs it."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "oidc-provider"))
from browser import Browser

TOKENWARD, FOLDER = sys.argv[1:3]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="sign-in-"))
passed = failed = 0


def check(what, holds, said=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAILED: {what}\n{said}")


SECRET = "a secret of 32 bytes, or of more."


class Command:
    def __init__(self, provider, how, *more, client="command", saved=None, json=True):
        self.saved = saved or WORK / f"{how}.token"
        environment = {**os.environ, "BROWSER": "true", "TOKENWARD_CLIENT_SECRET": SECRET}
        self.process = subprocess.Popen(
            [TOKENWARD, "token", "--provider-file", provider, "--allow-loopback-http", "--client-id", client,
             *(("--sign-in", how) if how else ()), "--save", self.saved, *(["--json"] if json else []), *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def line(self):
        return self.process.stderr.readline()

    def end(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def serve(seconds):
    node = subprocess.Popen(["node", FOLDER + "/server.mjs", SECRET, "600", str(seconds), WORK], cwd=FOLDER, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    base = node.stdout.readline().strip()
    provider = WORK / f"provider-{seconds}.json"
    provider.write_text(json.dumps({
        "name": "oidc", "token_url": base + "/token", "authorization_url": base + "/auth?prompt=consent",
        "device_path": "/device/auth", "revocation_path": "/token/revocation", "issuer": base, "grants": ["refresh_token"], "authentication": "none",
        "scope": "openid offline_access"}))
    return node, base, provider


def signing(provider, authentication, **facts):
    """The same service for a client that signs its requests."""
    described = {**json.loads(provider.read_text()), "authentication": authentication, **facts}
    other = WORK / f"{authentication}-{'-'.join(facts)}.json"
    other.write_text(json.dumps({name: value for name, value in described.items() if value is not None}))
    return other


def by_secret(base, provider):
    grants = {"grants": ["client_credentials"], "scope": ""}
    for name, signer in (("the issuer", signing(provider, "client_secret_jwt", **grants)),
                         ("the token endpoint", signing(provider, "client_secret_jwt", **grants, issuer=None))):
        command = Command(signer, "", client="signer")
        status, out, err = command.end()
        check(f"an assertion for {name} is accepted", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
        os.remove(command.saved)
    urllib.request.urlopen(f"{base}/ahead?3600").read()
    status, out, err = Command(signer, "", client="signer").end()
    check("where the clock is an hour slow it is refused", status == 1 and "invalid_client" in err, out + err)
    urllib.request.urlopen(f"{base}/ahead?0").read()
    command = Command(signing(provider, "client_secret_jwt"), "browser", client="signer")
    Browser().sign_in(re.search(r"sign in at (\S+)", command.line())[1])
    status, out, err = command.end()
    check("a code is presented with an assertion", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    os.remove(command.saved)
    command = Command(signing(provider, "client_secret_jwt"), "device", client="signer")
    shown = re.search(r"sign in at (\S+) with the code (\S+), within", command.line())
    Browser().sign_in(shown[1] + "?user_code=" + shown[2])
    status, out, err = command.end()
    check("so is that of a device", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    os.remove(command.saved)


def by_key(base, provider):
    """The client's own key signs; what is asked of it stays the same."""
    once = signing(provider, "private_key_jwt", grants=["client_credentials"], scope="")
    for algorithm in ("ES256", "RS256", "PS256", "EdDSA"):
        more = ["--key", WORK / f"{algorithm}.pem", "--key-id", algorithm]
        if algorithm == "PS256":
            more += ["--key-algorithm", algorithm]
        command = Command(once, "", *more, client="keyed")
        status, out, err = command.end()
        check(f"an assertion by {algorithm} is accepted", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
        os.remove(command.saved)
    key = ["--key", WORK / "ES256.pem"]
    status, out, err = Command(once, "", "--key", WORK / "ES256.pem", "--key-id", "EdDSA", client="keyed").end()
    check("of another key it is refused", status == 1 and "invalid_client" in err, out + err)
    status, out, err = Command(once, "", client="keyed").end()
    check("without a key nothing is sent", status == 64 and "--key FILE" in err, out + err)
    urllib.request.urlopen(f"{base}/ahead?3600").read()
    status, out, err = Command(once, "", *key, client="keyed").end()
    check("where the clock is an hour slow it is refused", status == 1 and "invalid_client" in err, out + err)
    urllib.request.urlopen(f"{base}/ahead?0").read()
    person = signing(provider, "private_key_jwt")
    command = Command(person, "browser", *key, client="keyed")
    Browser().sign_in(re.search(r"sign in at (\S+)", command.line())[1])
    status, out, err = command.end()
    check("a code is presented with it", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    left = Command(person, "", *key, "--sign-out", client="keyed", saved=command.saved, json=False).end()
    check("so is a token that is revoked", left == (0, "signed out\n", ""), left)
    os.remove(command.saved)
    command = Command(person, "device", *key, client="keyed")
    shown = re.search(r"sign in at (\S+) with the code (\S+), within", command.line())
    Browser().sign_in(shown[1] + "?user_code=" + shown[2])
    status, out, err = command.end()
    check("and the code of a device", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    os.remove(command.saved)


def by_browser(base, provider):
    command = Command(provider, "browser")
    url = re.search(r"sign in at (\S+)", command.line())[1]
    check("the URL is that of the service", url.startswith(base + "/auth?prompt=consent&response_type=code&"), url)
    forger = Browser()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    forged = query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "a", "state": "b", "iss": base})
    check("a forged callback is nobody's", forger.visit(forged)[1] == 404)
    check("and is told", "other_state" in command.line())
    check("another path is nobody's", forger.visit(query["redirect_uri"].replace("callback", "favicon.ico"))[1] == 404)
    other = query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "a", "state": query["state"], "iss": base + "/"})
    check("another issuer is refused", forger.visit(other)[1] == 404)
    check("by its name", "other_issuer" in command.line())
    _, status, page = Browser().sign_in(url)
    check("the person is told that the window may be closed", status == 200 and "may close this window" in page, page)
    status, out, err = command.end()
    check("the command has a token", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    check("no secret is told", "code=" not in out + err and query["state"] not in out + err, out + err)
    again = Command(provider, "browser", "--renew")
    status, out, err = again.end()
    check("which is kept and refreshed without a person", status == 0 and "sign in" not in err, out + err)
    os.remove(again.saved)
    denied = Command(provider, "browser")
    url = re.search(r"sign in at (\S+)", denied.line())[1]
    _, status, page = Browser().sign_in(url, abort=True)
    check("who says no is told so", status == 200 and "have not signed in" in page, page)
    status, out, err = denied.end()
    check("and the command ends with the service's code", status == 1 and "access_denied" in err, out + err)


def sign_out(base, provider):
    command = Command(provider, "browser")
    Browser().sign_in(re.search(r"sign in at (\S+)", command.line())[1])
    status, out, err = command.end()
    check("a person signs in", status == 0, out + err)
    kept = WORK / "kept.token"
    shutil.copy(command.saved, kept)
    shutil.copy(str(command.saved) + ".key", str(kept) + ".key")

    def run(saved, *how):
        return subprocess.run(
            [TOKENWARD, "token", "--provider-file", provider, "--allow-loopback-http", "--client-id", "command", "--save", saved,
             *how], capture_output=True, text=True)

    left = run(command.saved, "--sign-out")
    check("and out again", left.returncode == 0 and left.stdout == "signed out\n", left.stdout + left.stderr)
    gone = run(command.saved)
    check("so that nobody is signed in", gone.returncode == 1 and "no_token" in gone.stderr, gone.stdout + gone.stderr)
    again = run(command.saved, "--sign-out")
    check("a second time there is nobody", again.returncode == 0 and "nobody" in again.stdout, again.stdout + again.stderr)
    stale = run(kept, "--renew", "--json")
    check("and the service refuses a copy of the refresh token", "invalid_grant" in stale.stdout + stale.stderr,
          stale.stdout + stale.stderr)


def by_device(base, provider):
    command = Command(provider, "device")
    shown = re.search(r"sign in at (\S+) with the code (\S+), within", command.line())
    check("a code is shown", shown and shown[1] == base + "/device")
    complete = shown[1] + "?user_code=" + shown[2]
    url, status, page = Browser().sign_in(complete)
    check("the person enters it", status == 200 and "successful" in page.lower(), page)
    status, out, err = command.end()
    check("the command has a token", status == 0 and json.loads(out or "{}").get("outcome") == "token", out + err)
    again = Command(provider, "device", "--renew")
    status, out, err = again.end()
    check("which is kept and refreshed without a person", status == 0 and "sign in" not in err, out + err)
    os.remove(again.saved)
    denied = Command(provider, "device")
    shown = re.search(r"sign in at (\S+) with the code (\S+), within", denied.line())
    Browser().sign_in(shown[1] + "?user_code=" + shown[2], abort=True)
    status, out, err = denied.end()
    check("who says no ends it", status == 1 and "access_denied" in err, out + err)


def expires(base, provider):
    command = Command(provider, "device")
    command.line()
    status, out, err = command.end()
    check("a code that nobody enters expires", status == 1 and ("expired" in err or "authorization_pending" in err), out + err)


try:
    for seconds, tests in ((600, (by_browser, sign_out, by_device, by_secret, by_key)), (7, (expires,))):
        node, base, provider = serve(seconds)
        try:
            for test in tests:
                test(base, provider)
        finally:
            node.kill()
finally:
    shutil.rmtree(WORK)
print(f"counted: {passed} passed, {failed} failed")
sys.exit(failed > 0)
