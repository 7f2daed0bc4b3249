# SPDX-License-Identifier: GPL-2.0-only
"""dist.py right FOLDER ARCH: what an unpacked distribution says of its binary is so. dist.py wrong: and what is wrong would be
found. Called by tests/packaging/dist."""
import copy
import hashlib
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "packaging"))
import components  # noqa: E402
import sbom  # noqa: E402


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def expected(triple):
    """What is linked in, from Cargo's tree as it is printed, without what macros need."""
    tree = components.said("cargo", "tree", "--locked", "--edges=normal", "--no-dedupe", "--prefix=depth", "--target", triple)
    found, macro = set(), None
    for line in filter(None, tree.splitlines()):
        depth, name, version, more = re.match(r"(\d+)(\S+) v(\S+)(.*)", line).groups()
        if macro is not None and int(depth) > macro:
            continue
        macro = int(depth) if "(proc-macro)" in more else None
        if macro is None:
            found.add((name, version))
    return found


def right(folder, arch):
    """What is wrong with an unpacked distribution, as texts."""
    bill = json.loads(read(folder, "sbom.spdx.json"))
    found = sbom.objections(bill)
    packages = bill["packages"][1:]
    of_kind = lambda kind: [package for package in packages if package["SPDXID"].startswith(f"SPDXRef-{kind}-")]
    crates = {(package["name"], package["versionInfo"]): package for package in of_kind("crate")}
    wanted = expected(components.ARCHES[arch][0])
    if len(wanted) < 10 or set(crates) != wanted:
        found.append(f"the bill has {sorted(crates)}, and linked in are {sorted(wanted)}")
    locked = components.packages_of(read(ROOT, "Cargo.lock").decode())
    for key, package in crates.items():
        checksums = [checksum["checksumValue"] for checksum in package.get("checksums", [])]
        if key not in locked or checksums != [sum for sum in [locked[key][0]] if sum]:
            found.append(f"{key} is not what Cargo.lock has")

    # Messages in the binary have the paths of the sources that they are from.
    known = {(package["name"], package["versionInfo"]) for package in packages}
    named = set(re.findall(rb"/([a-z][a-z0-9_-]*)-(\d+\.\d+\.\d+[a-z0-9.+-]*)/src/", read(folder, "bin/lttng-sessiond")))
    for name, version in sorted((name.decode(), version.decode()) for name, version in named):
        if (name, version) not in known:
            found.append(f"{name} {version} is in the binary, and not in the bill")
    for name in ("rust-std", "compiler_builtins", "musl", "libgcc"):
        if not any(package["name"] == name for package in packages):
            found.append(f"{name} is not in the bill")

    table = read(folder, "LICENSES.md").decode()
    for package in packages:
        name, version = package["name"], package["versionInfo"]
        rows = [line for line in table.splitlines() if line.startswith(f"| {name} | {version} |")]
        texts = re.findall(r"\]\((LICENSES/[^)]*)\)", " ".join(rows))
        stated = "see LICENSE of this folder" in " ".join(rows) or "no text of its licence" in " ".join(rows)
        if len(rows) != 1 or not (texts or stated):
            found.append(f"{name} {version} has neither a licence's text nor a reason: {rows}")
        if not all(read(folder, text).strip() for text in texts):
            found.append(f"{name}: an empty text")
    if read(folder, "LICENSE") != read(ROOT, "LICENSE"):
        found.append("LICENSE is another")

    there = set()
    for at, _, files in os.walk(folder):
        there |= {"./" + os.path.relpath(os.path.join(at, name), folder) for name in files}
    listed = {file["fileName"]: file for file in bill["files"]}
    if there - {"./sbom.spdx.json"} != set(listed):
        found.append(f"files and bill differ: {sorted(there ^ set(listed))}")
    for name, file in listed.items():
        for checksum in file["checksums"]:
            if hashlib.new(checksum["algorithm"].lower(), read(folder, name)).hexdigest() != checksum["checksumValue"]:
                found.append(f"{name} is another file than the bill says")
    return found


def spoilt(bill):
    """Bills of materials that are wrong, each in one way."""
    def one(change):
        other = copy.deepcopy(bill)
        change(other)
        return other

    part = lambda bill: bill["packages"][1]
    return [
        one(lambda bill: bill.pop("dataLicense")),
        one(lambda bill: bill.update(spdxVersion="SPDX-2.2")),
        one(lambda bill: bill.update(documentNamespace="somewhere")),
        one(lambda bill: bill["creationInfo"].update(created="today")),
        one(lambda bill: bill["creationInfo"].update(creators=[])),
        one(lambda bill: bill.update(relationships=[])),
        one(lambda bill: bill["relationships"][-1].update(relatedSpdxElement="SPDXRef-nobody")),
        one(lambda bill: bill["packages"].append(part(bill))),
        one(lambda bill: part(bill).pop("downloadLocation")),
        one(lambda bill: part(bill).update(SPDXID="SPDXRef-a_b")),
        one(lambda bill: part(bill).update(licenseDeclared="MIT/Apache-2.0")),
        one(lambda bill: part(bill).update(licenseDeclared="(MIT OR Zlib")),
        one(lambda bill: part(bill)["checksums"][0].update(checksumValue="12")),
        one(lambda bill: part(bill)["externalRefs"][0].update(referenceLocator="a 1")),
        one(lambda bill: bill["files"][0].update(checksums=[])),
        one(lambda bill: bill["packages"][0].pop("packageVerificationCode")),
    ]


def wrong():
    """What would pass although it is wrong."""
    part = components.component("crate", "a_b", "1.0", "MIT OR Apache-2.0", checksum="0" * 64, source="https://example.org/a",
                                purl="pkg:cargo/a_b@1.0")
    files = {"bin/x": b"\x7fELF", "LICENSE": b"text"}
    bill = json.loads(sbom.make("x-1", "1", "x86_64", files, [part], 0))
    found = [f"a good one does not pass: {text}" for text in sbom.objections(bill)]
    found += [f"number {at} passes" for at, other in enumerate(spoilt(bill)) if not sbom.objections(other)]
    for licence, taken in [("MIT OR Apache-2.0", "MIT"), ("Zlib", "Zlib"), ("MIT AND Zlib", "MIT AND Zlib")]:
        if components.concluded(licence) != taken:
            found.append(f"{licence} is taken as {components.concluded(licence)}")
    if sbom.make("x-1", "1", "x86_64", files, [part], 0) == sbom.make("x-1", "1", "x86_64", {**files, "y": b""}, [part], 0):
        found.append("other files, and the same bill")
    for binary in (b"", b"\x7fELF" + bytes(60), read(sys.executable)):
        if components.is_of(binary, "riscv64"):
            found.append("anything is a program for riscv64")
    return found


if __name__ == "__main__":
    objections = wrong() if sys.argv[1] == "wrong" else right(*sys.argv[2:])
    for text in objections:
        print("dist:", text, file=sys.stderr)
    sys.exit(1 if objections else 0)
