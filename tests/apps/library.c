// SPDX-License-Identifier: GPL-2.0-only
// The library that `loader` loads.
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "libraryapp.h"

void library_emit(int n);

void library_emit(int n)
{
	lttng_ust_tracepoint(libraryapp, tick, n);
}
