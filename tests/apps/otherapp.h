// SPDX-License-Identifier: GPL-2.0-only
// The second provider of the test applications.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER otherapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./otherapp.h"

#if !defined(OTHERAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define OTHERAPP_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(otherapp, tick,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)

#endif

#include <lttng/tracepoint-event.h>
