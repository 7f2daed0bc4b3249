################################################################################
#
# lttng-sessiond-rs
#
################################################################################

LTTNG_SESSIOND_RS_VERSION = 0.1.0
LTTNG_SESSIOND_RS_SOURCE = lttng-sessiond-$(LTTNG_SESSIOND_RS_VERSION)-source.tar.gz
# PLACEHOLDER: nothing is published yet. "make dist" in the project's folder
# makes this file; it is taken from the folder of this package.
LTTNG_SESSIOND_RS_SITE = $(LTTNG_SESSIOND_RS_PKGDIR)
LTTNG_SESSIOND_RS_SITE_METHOD = file
# For the same reason.
BR_NO_CHECK_HASH_FOR += $(LTTNG_SESSIOND_RS_SOURCE)
LTTNG_SESSIOND_RS_LICENSE = GPL-2.0
LTTNG_SESSIOND_RS_LICENSE_FILES = LICENSE
# Needed at run time: its consumer daemon moves the data.
LTTNG_SESSIOND_RS_DEPENDENCIES = lttng-tools

# Time of 64 bits on machines of 32 bits, too. The project's own
# .cargo/config.toml says so, which the vendored archive's .cargo/config hides.
LTTNG_SESSIOND_RS_CARGO_BUILD_OPTS = \
	--config 'target."cfg(target_pointer_width=\"32\")".rustflags=["--cfg=libc_unstable_time64"]'

LTTNG_SESSIOND_RS_BIN_DIR = \
	target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)

# Loads clock plug-ins for the daemon.
define LTTNG_SESSIOND_RS_BUILD_CLOCK
	$(TARGET_CC) $(TARGET_CFLAGS) -std=gnu11 $(TARGET_LDFLAGS) -rdynamic \
		$(@D)/programs/lttng-sessiond-clock.c -ldl \
		-o $(@D)/lttng-sessiond-clock
endef
LTTNG_SESSIOND_RS_POST_BUILD_HOOKS += LTTNG_SESSIOND_RS_BUILD_CLOCK

define LTTNG_SESSIOND_RS_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/$(LTTNG_SESSIOND_RS_BIN_DIR)/lttng-sessiond \
		$(TARGET_DIR)/usr/bin/lttng-sessiond-rs
	$(INSTALL) -D -m 0755 $(@D)/lttng-sessiond-clock \
		$(TARGET_DIR)/usr/bin/lttng-sessiond-clock
endef

define LTTNG_SESSIOND_RS_INSTALL_INIT_SYSTEMD
	$(INSTALL) -d -m 0755 $(TARGET_DIR)/usr/lib/systemd/system
	$(INSTALL) -m 0644 $(@D)/packaging/systemd/*.service \
		$(@D)/packaging/systemd/*.socket \
		$(TARGET_DIR)/usr/lib/systemd/system/
	$(INSTALL) -D -m 0644 $(@D)/packaging/tmpfiles.d/lttng.conf \
		$(TARGET_DIR)/usr/lib/tmpfiles.d/lttng.conf
endef

define LTTNG_SESSIOND_RS_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/packaging/init.d/lttng-sessiond \
		$(TARGET_DIR)/etc/init.d/S80lttng-sessiond
endef

define LTTNG_SESSIOND_RS_INSTALL_INIT_OPENRC
	$(INSTALL) -D -m 0755 $(@D)/packaging/openrc/lttng-sessiond \
		$(TARGET_DIR)/etc/init.d/lttng-sessiond
endef

# Its members may use the system's daemon.
define LTTNG_SESSIOND_RS_USERS
	- - tracing -1 - - - - LTTng session daemon
endef

# Both packages have a program of that name. With a folder for each package,
# which one would be there at the end is a matter of their names.
define LTTNG_SESSIOND_RS_REPLACE
	ln -sf lttng-sessiond-rs $(TARGET_DIR)/usr/bin/lttng-sessiond
endef
LTTNG_SESSIOND_RS_TARGET_FINALIZE_HOOKS += LTTNG_SESSIOND_RS_REPLACE

$(eval $(cargo-package))
