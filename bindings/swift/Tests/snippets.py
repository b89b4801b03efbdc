#!/usr/bin/env python3
"""Writes every piece of Swift in the documentation as a file of its own that a compiler can read.

usage: snippets.py FOLDER FILE...

A piece is the body of a function that has `manager`, `key`, `request`, `myServer` and `myBrowser`, and of a file that has the app's `Devices`. One that begins with
`// swift-tools-version` or a dependency is for Package.swift and left out.
"""

import pathlib
import re
import sys

HEAD = """import Foundation
import Tokenward
import TokenwardTesting
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif
struct MyBrowser: Sendable { func open(_ url: URL) async throws -> URL { url } }
struct MyServer: Sendable { func sign(_ data: Data) async throws -> Data { data }; func siteToken() async throws -> IssuedToken { IssuedToken(accessToken: "t") } }
struct Devices: Sendable { let tokens: any TokenKeeper; func load() async -> String { "" } }
func snippet(manager: TokenManager, key: Data, request: URLRequest, myServer: MyServer, myBrowser: MyBrowser) async throws {
"""

folder = pathlib.Path(sys.argv[1])
count = 0
for name in map(pathlib.Path, sys.argv[2:]):
    text = name.read_text()
    if name.suffix == ".swift":
        text = "\n".join(re.sub(r"^\s*/// ?", "", line) for line in text.splitlines() if re.match(r"^\s*///", line))
    for body in re.findall(r"^```swift\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if body.startswith((".package", "// swift-tools-version")):
            continue
        names = re.findall(r"^(?:let|var) \(?(\w+)(?:, (\w+))?", body, re.MULTILINE)
        used = "".join(f"_ = {name}\n" for pair in names for name in pair if name)
        (folder / f"{name.stem}-{count}.swift").write_text(HEAD + body + used + "}\n")
        count += 1
if count == 0:
    sys.exit("no snippet found")
