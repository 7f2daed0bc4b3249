// SPDX-License-Identifier: GPL-2.0-only
// The tracepoint probes, once per program.
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "testapp.h"
#include "otherapp.h"
