# SPDX-License-Identifier: GPL-2.0-only
#
#   make            the daemon, TARGET/release/lttng-sessiond
#   make static     one static binary, TARGET/static/lttng-sessiond
#   make demo       records a small program with the daemon and shows the events
#   make test       every check and every test
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
TRIPLE := x86_64-unknown-linux-gnu
# The first one that is new enough.
cargo = PATH="$$(tests/scripts/rust)" cargo

BUILT := $(TARGET)/$(if $(STATIC),static,release)
# Loads clock plug-ins for the daemon, which looks for it beside itself. Always dynamically linked.
CLOCK := $(CC) -std=gnu11 -O2 -Wall -Wextra $(CFLAGS) -rdynamic programs/lttng-sessiond-clock.c -ldl -o

.PHONY: all static demo demo-kernel test test-kernel bench bench-kernel picture install uninstall clean

all:
	$(cargo) build --release --locked
	$(CLOCK) $(TARGET)/release/lttng-sessiond-clock

# A target of its own, so that the flags do not reach build scripts and procedural macros.
static:
	RUSTFLAGS='-C target-feature=+crt-static' $(cargo) build --release --locked --target $(TRIPLE)
	install -D -m 755 $(TARGET)/$(TRIPLE)/release/lttng-sessiond $(TARGET)/static/lttng-sessiond
	@! ldd $(TARGET)/static/lttng-sessiond 2>/dev/null | grep '=>' || { echo 'not static'; exit 1; }
	$(CLOCK) $(TARGET)/static/lttng-sessiond-clock
	@ls -l $(TARGET)/static/lttng-sessiond

demo:
	tests/scripts/setup demo
	$(MAKE) --no-print-directory all
	tests/scripts/demo $(TARGET)/release/lttng-sessiond

test:
	tests/scripts/setup test
	tests/scripts/test

# Needs root and the network; without them, it says so and does nothing.
.PHONY: test-debian13
test-debian13:
	tests/scripts/setup test
	tests/scripts/debian13 $(ARGS)

# Needs no kernel module of this machine's, and no KVM.
test-kernel:
	tests/scripts/setup demo
	-tests/scripts/setup kernel
	$(MAKE) --no-print-directory static
	tests/scripts/test-kernel $(SCENARIOS)

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
