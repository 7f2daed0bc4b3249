# SPDX-License-Identifier: GPL-2.0-only
#
# lttng-tools' own session daemon in a package of its own, so that an image can have another one. Unless the distribution says
# VIRTUAL-RUNTIME_lttng-sessiond = "lttng-sessiond-rs", images are what they were.
VIRTUAL-RUNTIME_lttng-sessiond ??= "lttng-tools-sessiond"

PACKAGE_BEFORE_PN += "${PN}-sessiond"
FILES:${PN}-sessiond = "${bindir}/lttng-sessiond ${systemd_system_unitdir}/lttng-sessiond.service"

SYSTEMD_PACKAGES = "${PN}-sessiond"
SYSTEMD_SERVICE:${PN}-sessiond = "lttng-sessiond.service"
SYSTEMD_SERVICE:${PN} = ""

RDEPENDS:${PN}:append:class-target = " ${VIRTUAL-RUNTIME_lttng-sessiond}"
RDEPENDS:${PN}-sessiond = "${PN}"
RCONFLICTS:${PN}-sessiond = "lttng-sessiond-rs"
