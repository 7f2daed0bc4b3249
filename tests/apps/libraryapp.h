// SPDX-License-Identifier: GPL-2.0-only
// Tracepoints of a library that is loaded and unloaded while the program runs.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER libraryapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./libraryapp.h"

#if !defined(LIBRARYAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define LIBRARYAPP_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(libraryapp, tick,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)

#endif

#include <lttng/tracepoint-event.h>
