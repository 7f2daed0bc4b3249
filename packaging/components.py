# SPDX-License-Identifier: GPL-2.0-only
"""What a static binary of the daemon consists of besides its own source: crates, the standard library and what it is made
of, the C library and libgcc. Each with its version, where it is from, and its licence's text.

Nothing is fetched: the crates' texts are from the sources that Cargo has built from, musl's from the package that it was
linked from, if it is still there, and those of the rest from the folder licences beside this, for the packages that bring
them leave the texts out. Never guesses: what can't be found out is an error.
"""
import gzip
import json
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXTS = os.path.join(ROOT, "packaging", "licences")

# What each architecture is called by Rust and by the C compiler, and in the header of its programs: bits, order of bytes, and
# machine.
ARCHES = {
    "x86_64": ("x86_64-unknown-linux-musl", "x86_64-linux-gnu", (64, "little", 62)),
    "aarch64": ("aarch64-unknown-linux-musl", "aarch64-linux-gnu", (64, "little", 183)),
    "armv7": ("armv7-unknown-linux-musleabihf", "arm-linux-gnueabihf", (32, "little", 40)),
    "i686": ("i686-unknown-linux-musl", "i686-linux-gnu", (32, "little", 3)),
    "riscv64": ("riscv64gc-unknown-linux-musl", "riscv64-linux-gnu", (64, "little", 243)),
}

# The one that is linked, as long as what `make static` has unpacked does not say otherwise.
MUSL = "1.2.5"

# Of the crates that the standard library is made of: names as in its Cargo.lock, and licences as their packages say it.
STD_ALWAYS = {
    "cfg-if": "MIT OR Apache-2.0",
    "compiler_builtins": "MIT AND Apache-2.0 WITH LLVM-exception AND (MIT OR Apache-2.0)",
    "hashbrown": "MIT OR Apache-2.0",
    "libc": "MIT OR Apache-2.0",
    "rustc-demangle": "MIT OR Apache-2.0",
}
# Those that turn addresses of a backtrace into names, which the standard library can be built without.
STD_BACKTRACE = {
    "addr2line": "Apache-2.0 OR MIT",
    "adler2": "0BSD OR MIT OR Apache-2.0",
    "gimli": "MIT OR Apache-2.0",
    "memchr": "Unlicense OR MIT",
    "miniz_oxide": "MIT OR Zlib OR Apache-2.0",
    "object": "Apache-2.0 OR MIT",
}

# Names of the files in which a crate has its licences.
LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|copyright|unlicense|notice)([-._].*)?$")


class Error(Exception):
    """Why there can be no distribution, for whoever asked for it."""


def environment(*words):
    """The environment in which Cargo is new enough, or nothing. `std`: in which the standard library's source is there, too."""
    path = subprocess.run([os.path.join(ROOT, "tests/scripts/rust"), *words], stdout=subprocess.PIPE, text=True)
    return dict(os.environ, PATH=path.stdout.strip()) if path.returncode == 0 else None


def said(*command, within=None):
    """What a command prints."""
    within = within or environment()
    if within is None:
        raise Error("there is no Rust that is new enough")
    try:
        done = subprocess.run(command, cwd=ROOT, env=within, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Error(f"there is no {command[0]} here, with which the binary was linked") from None
    if done.returncode != 0:
        raise Error(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def version():
    """The daemon's version."""
    with open(os.path.join(ROOT, "Cargo.toml")) as file:
        return re.search(r'^version = "(.*)"', file.read(), re.M).group(1)


def packages_of(lock):
    """Of each package of a Cargo.lock, by name and version: its checksum, if it has one, and what it depends on."""
    found = {}
    for block in lock.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(\w+) = "(.*)"$', block, re.M))
        depends = re.search(r"^dependencies = \[(.*?)\]", block, re.M | re.S)
        names = re.findall(r'"([^"]*)"', depends.group(1)) if depends else []
        found[fields["name"], fields["version"]] = (fields.get("checksum"), [name.split(" ")[0] for name in names])
    return found


def linked(triple):
    """Names and versions of the crates that are linked in: neither what only builds or tests it, nor macros."""
    tree = said("cargo", "tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--target", triple)
    words = [line.split(" ") for line in tree.splitlines() if line]
    return {(word[0], word[1].lstrip("v")) for word in words}


def expression(licence):
    """An SPDX expression of what Cargo.toml says, which may be of the old form."""
    return " OR ".join(part.strip() for part in licence.split("/"))


def concluded(licence):
    """Under what it is taken: MIT, where that is one of the alternatives, for Apache-2.0 does not go with GPL-2.0-only."""
    return "MIT" if "AND" not in licence and "MIT" in licence.split(" OR ") else licence


def texts_in(folder):
    """The licences' files of a crate: name and contents."""
    found = []
    for name in sorted(os.listdir(folder)):
        if LICENCE_FILE.match(name) and os.path.isfile(os.path.join(folder, name)):
            with open(os.path.join(folder, name), "rb") as file:
                found.append((name, file.read()))
    return found


def own_text(name):
    """A text of the folder licences."""
    path = os.path.join(TEXTS, name + ".txt")
    if not os.path.exists(path):
        raise Error(f"{path} is missing: the licence of something that is linked in")
    with open(path, "rb") as file:
        return [(name + ".txt", file.read())]


def component(kind, name, release, licence, **more):
    """A part of the binary. `source` is the address of its source, `texts` its licences', `depends` what it needs."""
    given = {
        "kind": kind, "name": name, "version": release, "declared": licence, "concluded": concluded(licence),
        "checksum": None, "texts": [], "depends": [], "id": f"{kind}-{name}-{release}",
    }
    return {**given, **more}


def at_crates_io(name, release):
    return f"https://crates.io/api/v1/crates/{name}/{release}/download"


def crates(triple):
    """The crates that the daemon is made of, without the standard library's."""
    with open(os.path.join(ROOT, "Cargo.lock")) as file:
        locked = packages_of(file.read())
    metadata = json.loads(said("cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", triple))
    about = {(package["name"], package["version"]): package for package in metadata["packages"]}
    wanted = linked(triple)
    by_name = {name: release for name, release in wanted}
    if len(by_name) != len(wanted):
        raise Error(f"a crate is linked in with two versions, which nothing here reckons with: {sorted(wanted)}")
    found = []
    for name, release in sorted(wanted):
        package = about[name, release]
        checksum, depends = locked[name, release]
        own = package["source"] is None
        texts = [] if own else texts_in(os.path.dirname(package["manifest_path"]))
        licence = expression(package["license"])
        source = "NOASSERTION" if own else at_crates_io(name, release)
        found.append(component(
            "crate", name, release, licence, checksum=checksum, texts=texts, source=source, own=own,
            depends=[f"crate-{other}-{by_name[other]}" for other in depends if other in by_name],
            purl=f"pkg:cargo/{name}@{release}",
            reason=None if texts else "see LICENSE of this folder" if own else
            f"its package has no text of its licence, which is {licence}; its source: {package['repository'] or source}"))
    return found


def standard_library_source(binary):
    """The version of Rust whose standard library a binary has, and the folder of its source, if it is there."""
    sysroot = said("rustc", "--print", "sysroot", within=environment("std")).strip()
    for folder in (os.environ.get("RUST_SOURCE", ""), sysroot + "/lib/rustlib/src/rust", "/usr/lib/rustlib/src/rust"):
        if os.path.exists(os.path.join(folder, "library/Cargo.lock")):
            break
    else:
        raise Error("the standard library's source is not here (Debian's rust-web-src): RUST_SOURCE may say where it is")
    named = re.search(rb"rustc-(\d+\.\d+\.\d+)/library/", binary)
    path = os.path.join(folder, "src/version")
    at = re.search(r"rustc-(\d+\.\d+\.\d+)$", os.path.realpath(folder))
    if os.path.exists(path):
        with open(path) as file:
            release = file.read().strip()
    elif at:
        release = at.group(1)
    elif named:
        release = named.group(1).decode()
    else:
        raise Error(f"which version of Rust is in {folder} can't be found out")
    if named and named.group(1).decode() != release:
        raise Error(f"the binary has the standard library of Rust {named.group(1).decode()}; {folder} has that of {release}")
    return release, folder


def standard_library(binary):
    """Rust's standard library and the crates that it is made of. Without proof to the contrary, those for backtraces, too."""
    release, folder = standard_library_source(binary)
    with open(os.path.join(folder, "library/Cargo.lock")) as file:
        locked = packages_of(file.read())
    # Messages have the paths of the sources that they are from.
    has_paths = b"library/std/src/" in binary or b"library/core/src/" in binary
    traces = not has_paths or any(re.search(name.encode() + rb"-\d", binary) for name in ("addr2line", "gimli", "object"))
    names = {**STD_ALWAYS, **(STD_BACKTRACE if traces else {})}
    by_name = {name: version for name, version in locked if name in names}
    found = [component(
        "std", "rust-std", release, "(MIT OR Apache-2.0) AND Unicode-3.0", concluded="MIT AND Unicode-3.0",
        purl=f"pkg:generic/rust-std@{release}", source=f"https://static.rust-lang.org/dist/rustc-{release}-src.tar.xz",
        texts=own_text("rust-std"), depends=[f"std-{name}-{version}" for name, version in sorted(by_name.items())])]
    for name, licence in sorted(names.items()):
        checksum, depends = locked[name, by_name[name]]
        found.append(component(
            "std", name, by_name[name], licence, checksum=checksum, texts=own_text(name),
            purl=f"pkg:cargo/{name}@{by_name[name]}", source=at_crates_io(name, by_name[name]),
            depends=[f"std-{other}-{by_name[other]}" for other in depends if other in by_name]))
    return found


def musl(target, arch):
    """The C library, of the package that packaging/static has unpacked."""
    release, texts = MUSL, own_text("musl")
    folder = os.path.join(target, "musl", arch, "usr/share/doc/musl-dev")
    if os.path.exists(folder):
        with gzip.open(os.path.join(folder, "changelog.Debian.gz"), "rt") as file:
            release = re.match(r"musl \(([0-9.]+)", file.readline()).group(1)
        with open(os.path.join(folder, "copyright"), "rb") as file:
            texts = [("copyright", file.read())]
    return component("c", "musl", release, "MIT", purl=f"pkg:generic/musl@{release}", texts=texts,
                     source=f"https://musl.libc.org/releases/musl-{release}.tar.gz")


def libgcc(arch):
    """What the compiler itself links, of its version."""
    release = said(ARCHES[arch][1] + "-gcc", "-dumpfullversion").strip()
    return component("c", "libgcc", release, "GPL-3.0-or-later WITH GCC-exception-3.1", purl=f"pkg:generic/libgcc@{release}",
                     texts=own_text("libgcc"), source=f"https://ftp.gnu.org/gnu/gcc/gcc-{release}/gcc-{release}.tar.xz")


def is_of(binary, arch):
    """Whether it is a program for this architecture that needs no other file."""
    bits, order, machine = ARCHES[arch][2]
    if binary[:4] != b"\x7fELF" or binary[4] != bits // 32 or binary[5] != (1 if order == "little" else 2):
        return False
    wide = bits == 64
    number = lambda at, size: int.from_bytes(binary[at:at + size], order)
    headers, size, count = number(32, 8) if wide else number(28, 4), number(54 if wide else 42, 2), number(56 if wide else 44, 2)
    interpreter = any(number(headers + index * size, 4) == 3 for index in range(count))
    return number(18, 2) == machine and not interpreter


def of(binary, arch, target):
    """Everything that is linked into a binary, the daemon's own crate first. `target` is where it was built."""
    if not is_of(binary, arch):
        raise Error(f"this is no static program for {arch}")
    if b"GLIBC_TUNABLES" in binary:
        raise Error(f"it is linked with glibc: only those with musl are distributed (make static ARCH={arch})")
    all_crates = crates(ARCHES[arch][0])
    all_crates.sort(key=lambda part: part["name"] != "lttng-sessiond")
    return all_crates + standard_library(binary) + [musl(target, arch), libgcc(arch)]
