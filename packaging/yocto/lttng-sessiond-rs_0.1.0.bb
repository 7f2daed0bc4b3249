# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon takes the place of lttng-tools' one if the distribution says so, as it says it of other runtime providers:
#
#     VIRTUAL-RUNTIME_lttng-sessiond = "lttng-sessiond-rs"
#
# lttng-tools_%.bbappend, which belongs to this, has lttng-tools' own daemon in a package of its own.
SUMMARY = "LTTng session daemon in Rust"
DESCRIPTION = "A session daemon for LTTng that takes the place of lttng-tools' \
lttng-sessiond: one thread, in which nobody waits for anybody."
# PLACEHOLDER: the project has no address of its own yet. This is LTTng's.
HOMEPAGE = "https://lttng.org"
SECTION = "devel"

LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://LICENSE;md5=b234ee4d69f5fce4486a80fdaf4a4263"

# PLACEHOLDER: nothing is published yet. `make dist` in the project's folder makes this file; it is looked for in the folder
# "files" or "lttng-sessiond-rs" beside the recipe.
SRC_URI = "file://lttng-sessiond-${PV}-source.tar.gz"
S = "${UNPACKDIR}/lttng-sessiond-${PV}"

# Made by packaging/yocto/crates.
require ${BPN}-crates.inc

# Needs Rust 1.88 or later.
inherit cargo systemd update-rc.d useradd

# Time of 64 bits on machines of 32 bits, too. The project's own .cargo/config.toml says so, which this variable hides.
RUSTFLAGS:append = " --cfg=libc_unstable_time64"

# Stripping is the packaging's affair, which wants the symbols first.
export CARGO_PROFILE_RELEASE_STRIP = "false"

do_compile:append() {
    # Loads clock plug-ins for the daemon. C, so that it can load what is linked dynamically.
    ${CC} ${CFLAGS} -std=gnu11 ${LDFLAGS} -rdynamic ${S}/programs/lttng-sessiond-clock.c -ldl -o ${B}/lttng-sessiond-clock
}

do_install() {
    install -d ${B}/built
    install -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/lttng-sessiond ${B}/lttng-sessiond-clock ${B}/built
    # The list of what was installed is for the script's --undo: here that is the package manager's affair.
    PREFIX=${prefix} DESTDIR=${D} SYSTEMD=1 SYSV=${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', '1', '0', d)} \
        ${S}/packaging/install ${B}/built
    rm ${D}${datadir}/lttng-sessiond/installed
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'false', 'true', d)}; then
        rm -r ${D}${nonarch_libdir}/systemd ${D}${nonarch_libdir}/sysusers.d ${D}${nonarch_libdir}/tmpfiles.d
    fi
}

SYSTEMD_SERVICE:${PN} = "lttng-sessiond.service lttng-sessiond.socket lttng-sessiond-apps.socket"
SYSTEMD_AUTO_ENABLE = "disable"
INITSCRIPT_NAME = "lttng-sessiond"
INITSCRIPT_PARAMS = "defaults 80 20"

# The group that may use the system's daemon: the same as lttng-tools makes.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "-r tracing"

FILES:${PN} += "${systemd_user_unitdir} ${nonarch_libdir}/sysusers.d ${nonarch_libdir}/tmpfiles.d ${datadir}/lttng-sessiond"

# lttng-consumerd, which moves the data, and the lttng command.
RDEPENDS:${PN} = "lttng-tools"
# The same files.
RCONFLICTS:${PN} = "lttng-tools-sessiond"
