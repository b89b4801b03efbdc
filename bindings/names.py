#!/usr/bin/env python3
"""Compares the public names of Swift and Kotlin, and the list of them, bindings/NAMES.md.

usage: names.py SYMBOL_GRAPH [--write]

Swift's come from its symbol graph, Kotlin's from bindings/kotlin/api/tokenward.api. What may differ is said below, with why.
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# A type whose name differs: Kotlin's, Swift's.
RENAMED = {"TokenwardException": "TokenwardError"}

# Types of one language alone, and why.
ONLY = {
    "TokenFutures": "what suspends, for Java",
    "StorageLockedException": "in Swift `storage(code: \"storage_locked\")`",
    "AuthorizedRequest": "a `URLRequest` with its field; OkHttp and Ktor have their own",
    "URLSessionTransport": "the transport of the system; Kotlin's are in tokenward-okhttp and tokenward-ktor",
}

# Members of one language alone: why. `*` is any type.
APART = {
    "*.underlying": "a cause is what every exception of the JVM has",
    "TokenwardError.errorDescription": "the message of an exception",
    "TokenKeeper.state": "a StateFlow", "TokenKeeper.states": "a stream for each reader",
    "TokenManager.provider": "for what is shown of an actor", "TokenManager.identity": "for what is shown of an actor",
    "TokenManager.close": "an actor ends with its last reference",
    "TokenManager.state": "a StateFlow", "TokenManager.states": "a stream for each reader",
    **{one: "an extension in Kotlin, which the API lists elsewhere" for one in ("TokenManager.signInByLoopback", "TokenReason.code")},
    "IssuedToken.json": "a function of the companion in Kotlin",
    **{
        f"Credentials.{one}": "Kotlin takes them and shows none"
        for one in ("clientId", "clientSecret", "username", "password", "keyId", "signer", "parameters", "values")
    },
    **{f"TransportHeader.{one}": "a pair with names in Swift" for one in ("name", "value")},
    "TransportRequest.timeout": "a coroutine is cancelled from outside",
    "TokenClock.sleep": "coroutines sleep by themselves",
    "TokenClock.system": "Swift's is the default of the options",
    "TokenTransport.MAX_BODY_BYTES": "Swift's transport keeps the bound itself",
}

OF_THE_SYSTEM = {
    "description", "debugDescription", "customMirror", "hash", "localizedDescription", "failureReason", "helpAnchor",
    "recoverySuggestion", "assertIsolated", "assumeIsolated", "preconditionIsolated",
}


def camel(word):
    """NO_TOKEN and NoToken are noToken."""
    if word.isupper() or "_" in word:
        first, *others = word.lower().split("_")
        return first + "".join(other.capitalize() for other in others)
    return word[0].lower() + word[1:]


def kotlin():
    """Types by name; of each its cases with what they hold, and its members."""
    types = {}
    for block in (HERE / "kotlin/api/tokenward.api").read_text().split("\n\n"):
        head = re.search(r"io/github/tokenward/([A-Za-z]+)((?:\$[A-Za-z]+)*)( |$)", block.split("\n")[0])
        if not head or head[1].endswith("Kt") or "Companion" in head[2] or "DefaultImpls" in head[2]:
            continue
        own = types.setdefault(RENAMED.get(head[1], head[1]), {"cases": {}, "members": set()})
        members = set()
        for name in re.findall(r"fun ([A-Za-z0-9]+)[^ ]* \(", block):
            if re.match(r"(component\d+|copy|toString|hashCode|equals|valueOf|values|set[A-Z]|getEntries)", name):
                continue
            members.add(camel(name[3:]) if re.match(r"get[A-Z]", name) else name)
        if head[2]:
            own["cases"][camel(head[2][1:])] = members
        else:
            own["members"] |= members
            for constant in re.findall(r"static final field ([A-Z_0-9]+) Lio/github/tokenward/%s;" % head[1], block):
                own["cases"][camel(constant)] = set()
    return types


def swift(graph):
    types = {}
    for symbol in graph["symbols"]:
        path, kind = symbol["pathComponents"], symbol["kind"]["identifier"]
        own = types.setdefault(path[0], {"cases": {}, "members": set()})
        if len(path) < 2 or kind in ("swift.func.op", "swift.init"):
            continue
        name, _, labels = path[1].partition("(")
        if kind == "swift.enum.case":
            own["cases"][name] = {label for label in labels.rstrip(")").split(":") if label}
        elif name not in OF_THE_SYSTEM:
            own["members"].add(name.replace("URI", "Uri"))
    return types


def differ(name, ours, theirs):
    return [f"{name}.{one}" for one in sorted(ours ^ theirs) if f"{name}.{one}" not in APART and f"*.{one}" not in APART]


def main():
    left, right = kotlin(), swift(json.load(open(sys.argv[1])))
    faults = [name for name in sorted(left.keys() ^ right.keys()) if name not in ONLY]
    described = (HERE / "kotlin/tokenward/src/main/kotlin/io/github/tokenward/bridge/Description.kt").read_text()
    generated = set(re.findall(r"^public [a-z ]*class (\w+)", described, re.MULTILINE))
    rows = []
    for name in sorted(left.keys() & right.keys()):
        ours, theirs = left[name], right[name]
        if name == "TokenSource":
            ours["cases"] = theirs["cases"] = {}
        faults += differ(name, set(ours["cases"]), set(theirs["cases"]))
        # What every case has stands once.
        base = {"code", "isRetryable", "answer"} if name == "TokenwardError" else ours["members"]
        for case in sorted(ours["cases"].keys() & theirs["cases"].keys()):
            faults += differ(f"{name}.{case}", ours["cases"][case] - base, theirs["cases"][case] - base)
        faults += differ(name, ours["members"], theirs["members"])
        if name in generated:
            continue
        cases = ", ".join(f"`{case}`" for case in sorted(ours["cases"]))
        members = ", ".join(f"`{one}`" for one in sorted(ours["members"] & theirs["members"]))
        rows.append(f"| `{name}` | {cases} | {members} |")
    text = [
        "# Names of Swift and Kotlin", "",
        "Written from both by `bindings/names.py GRAPH --write`, which `bindings/swift/test.sh docs` runs to compare them. A case",
        "`noToken` is `NoToken` or `NO_TOKEN` in Kotlin; `TokenwardError` is `TokenwardException` there. What describes a service is",
        "generated for both from one bridge, and not repeated here.", "",
        "| type | cases | members |", "|---|---|---|", *rows, "",
        "Of one language alone, and why:", "",
        *(f"- `{name}`: {why}" for name, why in sorted({**ONLY, **APART}.items())), "",
    ]
    listed = HERE / "NAMES.md"
    if "--write" in sys.argv:
        listed.write_text("\n".join(text))
    if faults:
        sys.exit("names that Swift and Kotlin do not share: " + ", ".join(faults))
    if listed.read_text() != "\n".join(text):
        sys.exit("NAMES.md is not what the packages have: write it anew")
    print(f"names: {len(left.keys() & right.keys())} types and their members are the same in Swift and Kotlin")


main()
