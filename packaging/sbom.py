# SPDX-License-Identifier: GPL-2.0-only
"""The bill of materials of one distribution: SPDX 2.3, as JSON. The same input makes the same bytes.

`make` makes one, `objections` says what is wrong with one: what SPDX 2.3 requires of the fields that are used here, which
needs no other program.
"""
import datetime
import hashlib
import json
import re

NAME = "lttng-sessiond"


def identifier(text):
    """An SPDX identifier: letters, digits, `.` and `-` only."""
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def digest(kind, contents):
    return hashlib.new(kind, contents).hexdigest()


def package_of(part, whole):
    """What SPDX says of a part. `whole` is the identifier of the package that is distributed."""
    made = {
        "SPDXID": identifier(part["id"]),
        "name": part["name"],
        "versionInfo": part["version"],
        "downloadLocation": part["source"],
        "filesAnalyzed": False,
        "licenseDeclared": part["declared"],
        "licenseConcluded": part["concluded"],
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part["purl"],
        }],
    }
    if part["checksum"]:
        made["checksums"] = [{"algorithm": "SHA256", "checksumValue": part["checksum"]}]
    relations = [relation(whole, "STATIC_LINK", made["SPDXID"])]
    relations += [relation(made["SPDXID"], "DEPENDS_ON", identifier(other)) for other in part["depends"]]
    return made, relations


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def file_of(name, contents):
    """What SPDX says of a file of the distribution."""
    return {
        "SPDXID": identifier("file-" + name),
        "fileName": "./" + name,
        "fileTypes": ["BINARY" if contents[:4] == b"\x7fELF" else "TEXT"],
        "checksums": [{"algorithm": kind.upper(), "checksumValue": digest(kind, contents)} for kind in ("sha1", "sha256")],
        # The texts of others' licences are not under a licence themselves.
        "licenseConcluded": "NOASSERTION" if name.startswith("LICENSE") else "GPL-2.0-only",
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }


def make(folder, version, arch, files, parts, epoch):
    """The bill of materials, as bytes. `files` are those of the distribution, name to contents; `parts` come from
    components.of; `epoch` is when, in seconds."""
    whole = identifier("distribution")
    listed = [file_of(name, contents) for name, contents in sorted(files.items())]
    sums = sorted(digest("sha1", contents) for contents in files.values())
    distribution = {
        "SPDXID": whole,
        "name": NAME,
        "versionInfo": version,
        "packageFileName": folder + ".tar.gz",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": digest("sha1", "".join(sums).encode())},
        "licenseDeclared": "GPL-2.0-only",
        "licenseConcluded": "GPL-2.0-only",
        "licenseInfoFromFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": f"pkg:generic/{NAME}@{version}?arch={arch}",
        }],
    }
    packages, relations = [distribution], [relation("SPDXRef-DOCUMENT", "DESCRIBES", whole)]
    relations += [relation(whole, "CONTAINS", file["SPDXID"]) for file in listed]
    for part in parts:
        package, more = package_of(part, whole)
        packages.append(package)
        relations += more
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": folder,
        "documentNamespace": "",
        "creationInfo": {"created": created, "creators": [f"Tool: {NAME}-dist-{version}"]},
        "packages": packages,
        "files": listed,
        "relationships": relations,
    }
    # Other contents have another name, as SPDX wants it. The prefix is SPDX's for those who have no address of their own.
    content = digest("sha256", json.dumps(document, sort_keys=True).encode())
    document["documentNamespace"] = f"https://spdx.org/spdxdocs/{folder}-{content[:32]}"
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


LICENCE = re.compile(r"[A-Za-z0-9.+-]+( WITH [A-Za-z0-9.-]+)?$")
REQUIRED = {
    "document": ["spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"],
    "package": ["SPDXID", "name", "versionInfo", "downloadLocation", "licenseDeclared", "licenseConcluded", "copyrightText"],
    "file": ["SPDXID", "fileName", "checksums", "licenseConcluded", "copyrightText"],
}
RELATIONS = {"DESCRIBES", "CONTAINS", "STATIC_LINK", "DEPENDS_ON"}
DIGITS = {"SHA1": 40, "SHA256": 64}


def is_expression(text):
    """Whether it is a licence expression of SPDX: balanced, and names between its operators."""
    if text in ("NOASSERTION", "NONE"):
        return True
    depth = 0
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return False
    names = re.split(r" (?:AND|OR) ", re.sub(r"[()]", "", text))
    return depth == 0 and all(LICENCE.match(name) for name in names)


def objections(document):
    """What is wrong with a bill of materials, as texts."""
    found = [f"document: no {key}" for key in REQUIRED["document"] if not document.get(key)]
    if document.get("spdxVersion") != "SPDX-2.3" or document.get("dataLicense") != "CC0-1.0":
        found.append("document: not SPDX 2.3 under CC0-1.0")
    if not re.match(r"https?://[^#\s]+$", document.get("documentNamespace", "")):
        found.append("document: the namespace is no URI without a fragment")
    info = document.get("creationInfo", {})
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", info.get("created", "")):
        found.append("document: created is no UTC time")
    if not info.get("creators") or not all(re.match("(Tool|Person|Organization): .", who) for who in info["creators"]):
        found.append("document: nobody made it")
    identifiers = {"SPDXRef-DOCUMENT"}
    for kind in ("package", "file"):
        for element in document.get(kind + "s", []):
            name = element.get("SPDXID", "")
            found += [f"{kind} {name}: no {key}" for key in REQUIRED[kind] if not element.get(key)]
            if not re.match(r"SPDXRef-[A-Za-z0-9.-]+$", name) or name in identifiers:
                found.append(f"{kind} {name}: the identifier is wrong or there twice")
            identifiers.add(name)
            for key in ("licenseDeclared", "licenseConcluded"):
                if not is_expression(element.get(key, "NONE")):
                    found.append(f"{kind} {name}: {key} is no expression: {element[key]}")
            for checksum in element.get("checksums", []):
                digits = DIGITS.get(checksum.get("algorithm"), 0)
                if not re.match("[0-9a-f]{%d}$" % digits, checksum.get("checksumValue", "")):
                    found.append(f"{kind} {name}: a checksum is none: {checksum}")
            if kind == "file" and "SHA1" not in [checksum["algorithm"] for checksum in element.get("checksums", [])]:
                found.append(f"file {name}: no SHA1")
            for reference in element.get("externalRefs", []):
                purl = r"pkg:[a-z]+/[A-Za-z0-9._/-]+@[A-Za-z0-9.+~-]+(\?arch=\w+)?$"
                if reference.get("referenceType") != "purl" or not re.match(purl, reference.get("referenceLocator", "")):
                    found.append(f"{kind} {name}: no package URL: {reference}")
            if kind == "package" and element.get("filesAnalyzed", True) != ("packageVerificationCode" in element):
                found.append(f"package {name}: a verification code goes with analysed files")
    described = False
    for item in document.get("relationships", []):
        ends = {item.get("spdxElementId"), item.get("relatedSpdxElement")}
        if item.get("relationshipType") not in RELATIONS or not ends <= identifiers:
            found.append(f"a relationship leads nowhere: {item}")
        described = described or item.get("relationshipType") == "DESCRIBES"
    if not described:
        found.append("document: it describes nothing")
    return found
