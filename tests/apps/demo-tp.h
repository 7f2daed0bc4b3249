// SPDX-License-Identifier: GPL-2.0-only
// Tracepoints of the demonstration program.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER shop

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./demo-tp.h"

#if !defined(DEMO_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define DEMO_TP_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(shop, order,
	LTTNG_UST_TP_ARGS(int, number, const char *, item, double, price),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, number, number)
		lttng_ust_field_string(item, item)
		lttng_ust_field_float(double, price, price)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(shop, closed,
	LTTNG_UST_TP_ARGS(int, orders),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, orders, orders)
	)
)

#endif

#include <lttng/tracepoint-event.h>
