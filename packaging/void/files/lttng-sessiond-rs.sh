# SPDX-License-Identifier: GPL-2.0-only
# The daemon that the lttng command starts if none runs.
export LTTNG_SESSIOND_PATH=/usr/bin/lttng-sessiond-rs
