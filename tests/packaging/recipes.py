# SPDX-License-Identifier: GPL-2.0-only
"""recipes.py: reads the recipes for Yocto and Buildroot as far as it takes to see whether they hold. Called by
tests/packaging/recipes.

    check                       what those projects' own checks would object to: form, names, order
    wrong                       what is wrong would be found
    functions WORK FEATURES     prints the recipe's functions as a shell's, for DISTRO_FEATURES, with WORK/s, b and d
    packaged FEATURES           whether each file of the list at the standard input is in one of Yocto's packages
"""
import fnmatch
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
YOCTO = os.path.join(ROOT, "packaging/yocto")
BUILDROOT = os.path.join(ROOT, "packaging/buildroot/lttng-sessiond-rs")
NAME = "lttng-sessiond-rs"


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def recipe():
    return next(name for name in sorted(os.listdir(YOCTO)) if name.endswith(".bb"))


ASSIGNMENT = re.compile(r'(export )?([A-Za-z][A-Za-z0-9_-]*(?::[A-Za-z0-9${}_-]+)*(?:\[[^\]]+\])?)'
                        r' (=|\?=|\?\?=|:=|\+=) "([^"]*)"$')


def parse(text):
    """A recipe: its variables, each with the values that it gets; its functions; what it inherits and requires; and what it
    can't be read as."""
    variables, functions, classes, wrong = {}, {}, [], []
    lines = iter(text.split("\n"))
    for line in lines:
        while line.endswith("\\"):
            line = line[:-1] + next(lines, "")
        function = re.match(r"([a-z_]+(?::append)?) ?\(\) \{$", line)
        if function:
            body = []
            for line in lines:
                if line == "}":
                    break
                body.append(line)
            else:
                wrong.append(f"{function.group(1)} has no end")
            functions[function.group(1)] = "\n".join(body)
        elif re.match(r"(inherit|require|include) \S", line):
            classes += line.split()[1:]
        elif ASSIGNMENT.match(line):
            _, name, how, value = ASSIGNMENT.match(line).groups()
            variables.setdefault(name, []).append(value)
            if how == "+=" and not name.startswith(("SRC_URI", "FILES", "PACKAGE_BEFORE_PN")):
                wrong.append(f"+= of {name} may undo a default")
        elif line and not line.startswith("#"):
            wrong.append(f"can't be read: {line}")
    return variables, functions, classes, wrong


def yocto(text):
    """What is wrong with the recipe, as texts."""
    variables, functions, classes, found = parse(text)
    for name in ("SUMMARY", "DESCRIPTION", "HOMEPAGE", "LICENSE", "LIC_FILES_CHKSUM", "SRC_URI", "S"):
        if name not in variables:
            found.append(f"no {name}")
    if len(variables.get("SUMMARY", [""])[0]) > 72:
        found.append("SUMMARY is longer than 72")
    if "do_install" not in functions:
        found.append("no do_install")
    needed = {"cargo": None, "${BPN}-crates.inc": None, "systemd": "SYSTEMD_SERVICE:${PN}", "useradd": "GROUPADD_PARAM:${PN}",
              "update-rc.d": "INITSCRIPT_NAME"}
    for name, variable in needed.items():
        if name not in classes or variable and variable not in variables:
            found.append(f"{name} is not inherited, or without {variable}")
    units = {name for name in os.listdir(os.path.join(ROOT, "packaging/systemd")) if name.startswith("lttng")}
    if set(variables.get("SYSTEMD_SERVICE:${PN}", [""])[0].split()) != units:
        found.append(f"SYSTEMD_SERVICE is not {sorted(units)}")
    return found


def makefile(text):
    """What Buildroot's check-package would object to in a package's .mk: its rules, in the words of the manual."""
    lines, found = text.split("\n"), []
    rule = "#" * 80
    if lines[:6] != [rule, "#", "# " + NAME, "#", rule, ""]:
        found.append("the header is not a box of 80")
    inside = continued = False
    seen = set()
    for line in lines:
        if line.startswith("define "):
            inside = True
        elif line == "endef":
            inside = False
        elif line and (inside or continued) != line.startswith("\t"):
            found.append(f"tabs belong into recipes and continued lines, and nowhere else: {line}")
        name = re.match(r"(?:define )?([A-Z0-9]+_[A-Z0-9_]+)(?: (\+?=))?", line)
        if name and not name.group(1).startswith("LTTNG_SESSIOND_RS_") and name.group(1) != "BR_NO_CHECK_HASH_FOR":
            found.append(f"not this package's: {name.group(1)}")
        if name and name.group(2) == "=" and name.group(1) in seen:
            found.append(f"set twice: {name.group(1)}")
        if name:
            seen.add(name.group(1))
        if re.search(r"(  |\t ?)\\$", line):
            found.append(f"one space before a backslash: {line}")
        if re.search(r"[^$]\$\{\w+\}", line) and not line.startswith("#"):
            found.append(f"$() delimits variables: {line}")
        continued = line.endswith("\\") and not line.startswith("#")
    return found + everywhere(text)


def config(text):
    """The same for Config.in."""
    order, at, found, helping = ["bool", "default", "depends", "select", "help"], -1, [], False
    for line in text.rstrip("\n").split("\n"):
        word = line.split()[0] if line.split() else ""
        if word in ("config", "comment") and not line.startswith("\t"):
            at, helping = -1, False
        elif helping:
            if line and not re.match(r"\t  \S.{0,61}$", line):
                found.append(f"help is a tab, two spaces and 62 characters: {line}")
        elif word in order:
            if order.index(word) < at or not line.startswith("\t" + word):
                found.append(f"the order is {order}, after a tab: {line}")
            at, helping = order.index(word), word == "help"
        elif word:
            found.append(f"can't be read: {line}")
    return found + everywhere(text)


def hashes(text):
    """The same for the .hash."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#") and not re.match(r"sha256  [0-9a-f]{64}  \S+$", line):
            found.append(f"three fields, two spaces between them: {line}")
    return found + everywhere(text)


def everywhere(text):
    found = [f"space at the end: {line}" for line in text.split("\n") if line != line.rstrip()]
    if "\n\n\n" in text or not text.endswith("\n") or text.endswith("\n\n"):
        found.append("empty lines: one between, none at the end, and an end of the last line")
    return found


def check():
    found = yocto(read(YOCTO, recipe()))
    variables, _, _, wrong = parse(read(YOCTO, "lttng-tools_%.bbappend"))
    found += wrong
    if variables.get("PACKAGE_BEFORE_PN") != ["${PN}-sessiond"] or "FILES:${PN}-sessiond" not in variables:
        found.append("the bbappend makes no package of the stock daemon")
    _, _, _, wrong = parse(read(YOCTO, NAME + "-crates.inc"))
    found += wrong
    found += makefile(read(BUILDROOT, NAME + ".mk")) + config(read(BUILDROOT, "Config.in"))
    return found + hashes(read(BUILDROOT, NAME + ".hash"))


def wrong():
    """What would pass although it is wrong: each of the real files, spoilt in one place."""
    cases = [
        (yocto, read(YOCTO, recipe()), [
            ('LICENSE = "', 'LICENCE = "'), ('S = "', "S = '"), ("\n}\n", "\n"), ("inherit cargo", "inherit"),
            ("lttng-sessiond-apps.socket", ""), ("SUMMARY = \"", "SUMMARY = \"" + "long " * 20), ("do_install()", "install()"),
        ]),
        (makefile, read(BUILDROOT, NAME + ".mk"), [
            ("#" * 80, "#" * 79), ("\t$(INSTALL) -d", "    $(INSTALL) -d"), ("LTTNG_SESSIOND_RS_LICENSE =", "LTTNG_RS_LICENSE ="),
            ("_LICENSE_FILES =", "_VERSION ="), (" \\\n", "  \\\n"), ("$(@D)", "${D}"), ("\n\n", "\n\n\n"), ("endef\n", "endef \n"),
        ]),
        (config, read(BUILDROOT, "Config.in"), [
            ("\tbool", "    bool"), ("\tselect", "\tdepends on X\n\tselect X\n\tdepends"), ("\t  A session", "\tA session"),
            ("lttng-tools' one:", "lttng-tools' one, and a lot of other things that are too long for this:"),
        ]),
        (hashes, read(BUILDROOT, NAME + ".hash"), [("sha256  ", "sha256 "), ("  LICENSE", ""), ("sha256  ", "sha256  0")]),
    ]
    return [f"{of.__name__}: passes with {new!r} for {old!r}"
            for of, text, changes in cases for old, new in changes
            if not of(text.replace(old, new, 1)) or text.replace(old, new, 1) == text]


def values(work, features):
    """What Yocto's variables are, with its usual folders."""
    return {
        "S": f"{work}/s", "B": f"{work}/b", "D": f"{work}/d", "PN": NAME, "BPN": NAME, "CARGO_TARGET_SUBDIR": "arch/release",
        "prefix": "/usr", "bindir": "/usr/bin", "datadir": "/usr/share", "nonarch_libdir": "/usr/lib", "CC": "cc", "CFLAGS": "-O1",
        "LDFLAGS": "", "systemd_user_unitdir": "/usr/lib/systemd/user", "systemd_system_unitdir": "/usr/lib/systemd/system",
    }


def expand(text, work, features):
    """A text with Yocto's variables, and its question for DISTRO_FEATURES, put in."""
    asked = r"\$\{@bb\.utils\.contains\('DISTRO_FEATURES', '(\w+)', '(\w+)', '(\w+)', d\)\}"
    text = re.sub(asked, lambda found: found.group(2 if found.group(1) in features.split() else 3), text)
    return re.sub(r"\$\{(\w+)\}", lambda found: values(work, features)[found.group(1)], text)


def functions(work, features):
    for name, body in parse(read(YOCTO, recipe()))[1].items():
        print(f"{name.replace(':', '_')}() {{\n{expand(body, work, features)}\n}}")
    return []


def packaged(features):
    """Files that are in no package: neither by the recipe nor by what Yocto does by itself."""
    variables = parse(read(YOCTO, recipe()))[0]
    patterns = ["/usr/bin/*", "/etc/*", "/usr/share/man/*"]
    patterns += [f"/usr/lib/systemd/system/{unit}" for unit in variables["SYSTEMD_SERVICE:${PN}"][0].split()]
    patterns += [folder + "/*" for folder in expand(variables["FILES:${PN}"][0], "", features).split()]
    files = [line.strip().lstrip(".") for line in sys.stdin]
    return [file for file in files if not any(fnmatch.fnmatch(file, pattern) for pattern in patterns)]


if __name__ == "__main__":
    commands = {"check": check, "wrong": wrong, "functions": functions, "packaged": packaged}
    objections = commands[sys.argv[1]](*sys.argv[2:])
    for text in objections:
        print("recipes:", text, file=sys.stderr)
    sys.exit(1 if objections else 0)
