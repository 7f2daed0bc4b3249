# SPDX-License-Identifier: GPL-2.0-only
#
#   make            the daemon, TARGET/release/lttng-sessiond
#   make static     one static binary, TARGET/static/lttng-sessiond; ARCH=x86_64, aarch64, armv7, i686, riscv64 or s390x builds
#                   TARGET/static/ARCH/lttng-sessiond, wherever; LIBC=glibc takes the host's C library instead of musl
#   make dist       packs what is in TARGET/static/ARCH, with licences and a bill of materials, in TARGET/dist: ARCH="x86_64 armv7"
#                   packs these only
#   make deb        a Debian package of the static binary, TARGET/deb/lttng-sessiond-rs_VERSION_ARCH.deb; ARCH=... as above
#   make demo       records a small program with the daemon and shows the events
#   make test       every check and every test
#   make test-arch      the tests on other architectures, emulated: ARCH="armv7 s390x" and PARTS="build unit" say which
#   make test-debian13  the end-to-end tests on Debian 13, in a root folder: ARGS=rotation:: runs these only
#   make test-kernel    the kernel tracer, in two guests with LTTng's modules: SCENARIOS="listing rules" runs these only
#   make bench      what the daemon costs, beside the stock one: prints a table
#   make bench-kernel   the same for the kernel tracer, in a guest
#   make demo-kernel    records a small program with the kernel tracer, in a guest
#   make picture    draws man/status.svg anew
#   make install    DESTDIR and PREFIX are honoured; STATIC=1 installs the static binary; SYSTEMD=0 leaves out systemd's
#                   units, OPENRC=1 or SYSV=1 adds /etc/init.d/lttng-sessiond
#   make uninstall  takes away what was installed, with the same DESTDIR and PREFIX
#
# TARGET is $CARGO_TARGET_DIR, or target.

TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
SYSTEMD ?= 1
OPENRC ?= 0
SYSV ?= 0
# The first one that is new enough.
cargo = PATH="$$(tests/scripts/rust)" cargo

BUILT := $(TARGET)/$(if $(STATIC),static,release)
# Loads clock plug-ins for the daemon, which looks for it beside itself. Always dynamically linked.
CLOCK := $(CC) -std=gnu11 -O2 -Wall -Wextra $(CFLAGS) -rdynamic programs/lttng-sessiond-clock.c -ldl -o

.PHONY: all static dist deb demo demo-kernel test test-arch test-debian13 test-kernel bench bench-kernel picture install uninstall clean

all:
	$(cargo) build --release --locked
	$(CLOCK) $(TARGET)/release/lttng-sessiond-clock

static:
	packaging/static $(ARCH)

# Needs what `make static` has built with.
dist:
	@command -v python3 >/dev/null || { echo 'dist: it needs python3: apt-get install python3' >&2; exit 1; }
	@packaging/dist $(ARCH)

deb: static
	packaging/deb $(TARGET)/static$(if $(ARCH),/$(ARCH)) $(ARCH)

demo:
	tests/scripts/setup demo
	$(MAKE) --no-print-directory all
	tests/scripts/demo $(TARGET)/release/lttng-sessiond

test:
	tests/scripts/setup test
	tests/scripts/test

# Needs root and the network; without them, it says so and does nothing.
test-debian13:
	tests/scripts/setup test
	tests/scripts/debian13 $(ARGS)

# Needs no kernel module of this machine's, and no KVM.
test-kernel:
	tests/scripts/setup demo
	-tests/scripts/setup kernel
	$(MAKE) --no-print-directory static
	tests/scripts/test-kernel $(SCENARIOS)

# Parts and tests are chosen with PARTS and TESTS: see the script.
test-arch:
	tests/scripts/test-arch $(ARCH)

demo-kernel:
	tests/scripts/setup kernel
	$(MAKE) --no-print-directory static
	tests/scripts/demo-kernel $(TARGET)/static/lttng-sessiond

# LTTNG_BENCH_DAEMON=PATH measures another binary.
bench:
	tests/scripts/setup test
	$(MAKE) --no-print-directory static
	LTTNG_TEST_REQUIRE=1 $(cargo) test --release --locked --test bench -- --ignored --nocapture

bench-kernel:
	tests/scripts/setup kernel
	$(MAKE) --no-print-directory static
	tests/scripts/bench-kernel

# Needs root, python3 and script(1).
picture:
	tests/scripts/setup demo
	$(MAKE) --no-print-directory static
	tests/scripts/picture $(TARGET)/static/lttng-sessiond man/status.svg

install:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' SYSTEMD='$(SYSTEMD)' OPENRC='$(OPENRC)' SYSV='$(SYSV)' packaging/install $(BUILT)

uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' packaging/install --undo

clean:
	$(cargo) clean
