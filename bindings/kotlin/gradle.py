#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gradle's module metadata beside the POMs of a Maven repository. usage: gradle.py (write | check) REPOSITORY VERSION MODULE...

`write` makes MODULE-VERSION.module from the POM that stands there and that of its parent, `check` compares what stands there
with the files, and with what Maven's `dependency:list` says on standard input. Format: https://github.com/gradle/gradle, gradle-module-metadata-latest-specification.md (1.1)."""

import hashlib
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

GROUP = "io.github.tokenward"
HASHES = ["sha512", "sha256", "sha1", "md5"]
# Without it Gradle does not look for the metadata.
MARKER = "<!-- do_not_remove: published-with-gradle-metadata -->"


def read(pom):
    tree = xml.fromstring(re.sub(r' xmlns="[^"]+"', "", pom.read_text(), count=1))
    properties = {one.tag: one.text for one in tree.iterfind("properties/*")}
    return tree, properties


def dependencies(pom, parent):
    """What those who use the module need: (element, version), in the order of the POMs."""
    (own, properties), (above, inherited) = read(pom), read(parent)
    known = {**inherited, **properties, "project.version": above.findtext("version")}

    def filled(text):
        return re.sub(r"\$\{([^}]+)\}", lambda name: known[name[1]], text)

    # A module of a bill of materials has the bill's own version.
    bills = {one.findtext("groupId"): filled(one.findtext("version"))
             for one in above.iterfind("dependencyManagement/dependencies/dependency")}
    for one in [*own.iterfind("dependencies/dependency"), *above.iterfind("dependencies/dependency")]:
        if one.findtext("scope", "compile") == "compile" and one.findtext("optional") != "true":
            version = one.findtext("version")
            yield one, filled(version) if version else bills[one.findtext("groupId")]


def of_gradle(dependency, version):
    group, module = dependency.findtext("groupId"), dependency.findtext("artifactId")
    said = {"group": group, "module": module, "version": {"requires": version}}
    excludes = [{"group": one.findtext("groupId"), "module": one.findtext("artifactId")}
                for one in dependency.iterfind("exclusions/exclusion")]
    if excludes:
        said["excludes"] = excludes
    kind = dependency.findtext("type")
    if kind:
        said["thirdPartyCompatibility"] = {"artifactSelector": {"name": module, "type": kind, "extension": kind}}
    return said


def of_file(file):
    content = file.read_bytes()
    return {"name": file.name, "url": file.name, "size": len(content),
            **{name: hashlib.new(name, content).hexdigest() for name in HASHES}}


def write(folder, module, version, parent):
    pom = folder / f"{module}-{version}.pom"
    aar = folder / f"{module}-{version}.aar"
    kind, library = ("aar", aar) if aar.exists() else ("jar", folder / f"{module}-{version}.jar")
    shared = {"org.gradle.category": "library", "org.gradle.dependency.bundling": "external", "org.gradle.libraryelements": kind}
    if kind == "aar":
        shared |= {"org.gradle.jvm.environment": "android", "org.jetbrains.kotlin.platform.type": "androidJvm"}
    else:
        shared |= {"org.gradle.jvm.version": int(read(parent)[1]["jvm.target"]), "org.jetbrains.kotlin.platform.type": "jvm"}
    needed = [of_gradle(*one) for one in dependencies(pom, parent)]
    variants = [{"name": f"{name}Elements", "attributes": shared | {"org.gradle.usage": f"java-{name}"},
                 "dependencies": needed, "files": [of_file(library)]} for name in ["api", "runtime"]]
    variants.append({"name": "sourcesElements", "attributes": {
        "org.gradle.category": "documentation", "org.gradle.dependency.bundling": "external",
        "org.gradle.docstype": "sources", "org.gradle.usage": "java-runtime",
    }, "files": [of_file(folder / f"{module}-{version}-sources.jar")]})
    component = {"group": GROUP, "module": module, "version": version, "attributes": {"org.gradle.status": "release"}}
    file = folder / f"{module}-{version}.module"
    file.write_text(json.dumps({"formatVersion": "1.1", "component": component, "variants": variants}, indent=2) + "\n")
    for name in ["sha1", "md5"]:
        file.with_name(f"{file.name}.{name}").write_text(hashlib.new(name, file.read_bytes()).hexdigest())


def check(folder, module, version, parent):
    pom = folder / f"{module}-{version}.pom"
    assert MARKER in pom.read_text(), f"{pom.name} does not send Gradle to its metadata"
    file = folder / f"{module}-{version}.module"
    said = json.loads(file.read_text())
    assert said["formatVersion"] == "1.1" and said["component"]["attributes"]["org.gradle.status"] == "release"
    assert [said["component"][name] for name in ["group", "module", "version"]] == [GROUP, module, version]
    for name in ["sha1", "md5"]:
        assert (folder / f"{file.name}.{name}").read_text() == hashlib.new(name, file.read_bytes()).hexdigest(), name
    kind = "aar" if module == "tokenward-android" else "jar"
    usages = [(one["attributes"]["org.gradle.category"], one["attributes"]["org.gradle.usage"]) for one in said["variants"]]
    assert usages == [("library", "java-api"), ("library", "java-runtime"), ("documentation", "java-runtime")], usages
    for variant, ending in zip(said["variants"], [f".{kind}", f".{kind}", "-sources.jar"], strict=True):
        [named] = variant["files"]
        assert named["name"] == named["url"] == f"{module}-{version}{ending}", named
        content = (folder / named["url"]).read_bytes()
        assert named["size"] == len(content) and content[:2] == b"PK", named
        for name in HASHES:
            # What Maven has written beside it.
            beside = folder / f"{named['name']}.{name}"
            expected = beside.read_text() if beside.exists() else hashlib.new(name, content).hexdigest()
            assert named[name] == expected, (named["name"], name)
    api, runtime, sources = said["variants"]
    assert api["attributes"]["org.gradle.libraryelements"] == kind and "dependencies" not in sources
    assert api["dependencies"] == runtime["dependencies"]
    return {(one["group"], one["module"], one.get("thirdPartyCompatibility", {}).get("artifactSelector", {}).get("type", "jar"),
             one["version"]["requires"]) for one in api["dependencies"]}


def main():
    verb, repository, version, *modules = sys.argv[1:]
    root = pathlib.Path(repository, *GROUP.split("."))
    parent = root / "tokenward-parent" / version / f"tokenward-parent-{version}.pom"
    work = {"write": write, "check": check}[verb]
    needed = [work(root / module / version, module, version, parent) for module in modules]
    if verb == "check":
        # Those that Maven has resolved, in the versions that it has taken.
        listed = re.findall(r"^ +([\w.-]+):([\w.-]+):(\w+):([\w.-]+):compile(?! \(optional)", sys.stdin.read(), re.MULTILINE)
        assert set().union(*needed) == set(listed), set().union(*needed) ^ set(listed)
        print(f"gradle: the metadata of {len(modules)} modules: files, sizes, hashes and {len(set(listed))} dependencies agree")


main()
