# SPDX-License-Identifier: GPL-2.0-only
#
#   make            the daemon, TARGET/release/lttng-sessiond
#   make static     one static binary, TARGET/static/lttng-sessiond
#   make demo       records a small program with the daemon and shows the events
#   make test       every check and every test
#   make test-kernel    the kernel tracer, in two guests with LTTng's modules: SCENARIOS="listing rules" runs these only
#   make bench      what the daemon costs, beside the stock one: prints a table
#   make bench-kernel   the same for the kernel tracer, in a guest
#   make demo-kernel    records a small program with the kernel tracer, in a guest
#   make picture    draws man/status.svg anew
#   make install    DESTDIR and PREFIX are honoured; STATIC=1 installs the static binary. Of packaging/, what systemd
#                   needs is installed, unless SYSTEMD is empty; OPENRC=1 or SYSVINIT=1 installs a script for that.
#                   SYSTEMDDIR is where units are
#
# TARGET is $CARGO_TARGET_DIR, or target.

TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
SYSTEMD ?= yes
OPENRC ?=
SYSVINIT ?=
SYSTEMDDIR ?= $(PREFIX)/lib/systemd
TRIPLE := x86_64-unknown-linux-gnu
# The first one that is new enough.
cargo = PATH="$$(tests/scripts/rust)" cargo

BUILT := $(TARGET)/$(if $(STATIC),static,release)
# Loads clock plug-ins for the daemon, which looks for it beside itself. Always dynamically linked.
CLOCK := $(CC) -std=gnu11 -O2 -Wall -Wextra $(CFLAGS) -rdynamic programs/lttng-sessiond-clock.c -ldl -o

# at: a copy in which the daemon is where it is installed. script FILE,TO: a program of that kind.
at = sed 's|/usr/bin/lttng-sessiond|$(PREFIX)/bin/lttng-sessiond|' $(1) >$(2) && chmod $(3) $(2)
script = install -d $(dir $(2)) && $(call at,$(1),$(2),755)
# units KIND,FOLDER: all units of that folder.
units = install -d $(DESTDIR)$(SYSTEMDDIR)/$(1) && $(foreach unit,$(wildcard $(2)/*.service $(2)/*.socket),\
	$(call at,$(unit),$(DESTDIR)$(SYSTEMDDIR)/$(1)/$(notdir $(unit)),644) &&) true

.PHONY: all static demo demo-kernel test test-kernel bench bench-kernel picture install clean

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
	install -D -m 755 $(BUILT)/lttng-sessiond $(DESTDIR)$(PREFIX)/bin/lttng-sessiond
	install -D -m 755 $(BUILT)/lttng-sessiond-clock $(DESTDIR)$(PREFIX)/bin/lttng-sessiond-clock
	install -D -m 644 man/lttng-sessiond.8 $(DESTDIR)$(PREFIX)/share/man/man8/lttng-sessiond.8
	install -D -m 644 man/lttng-sessiond-status.7 $(DESTDIR)$(PREFIX)/share/man/man7/lttng-sessiond-status.7
	install -D -m 644 man/lttng-sessiond-status.schema.json \
		$(DESTDIR)$(PREFIX)/share/lttng-sessiond/lttng-sessiond-status.schema.json
	$(if $(SYSTEMD),$(call units,system,packaging/systemd))
	$(if $(SYSTEMD),$(call units,user,packaging/systemd/user))
	$(if $(SYSTEMD),install -D -m 644 packaging/sysusers.d/lttng.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/lttng.conf)
	$(if $(SYSTEMD),install -D -m 644 packaging/tmpfiles.d/lttng.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lttng.conf)
	$(if $(OPENRC),$(call script,packaging/openrc/lttng-sessiond,$(DESTDIR)/etc/init.d/lttng-sessiond))
	$(if $(SYSVINIT),$(call script,packaging/init.d/lttng-sessiond,$(DESTDIR)/etc/init.d/lttng-sessiond))

clean:
	$(cargo) clean
