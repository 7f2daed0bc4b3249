// SPDX-License-Identifier: GPL-2.0-only
// An event whose fields depend on the program that is built (CLASH_TEXT or not).
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER clashapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./clashapp.h"

#if !defined(CLASHAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define CLASHAPP_H

#include <lttng/tracepoint.h>
#include <stdint.h>

#ifdef CLASH_TEXT
LTTNG_UST_TRACEPOINT_ENUM(clashapp, kind, LTTNG_UST_TP_ENUM_VALUES(lttng_ust_field_enum_value("text", 1)))

LTTNG_UST_TRACEPOINT_EVENT(clashapp, event,
	LTTNG_UST_TP_ARGS(int, n, const char *, text),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_enum(clashapp, kind, int, kind, 1)
		lttng_ust_field_string(value, text)
	)
)
#else
LTTNG_UST_TRACEPOINT_ENUM(clashapp, kind, LTTNG_UST_TP_ENUM_VALUES(lttng_ust_field_enum_value("number", 1)))

LTTNG_UST_TRACEPOINT_EVENT(clashapp, event,
	LTTNG_UST_TP_ARGS(int, n, const char *, text),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_enum(clashapp, kind, int, kind, 1)
		lttng_ust_field_integer(int64_t, value, n)
	)
)
#endif

#endif

#include <lttng/tracepoint-event.h>
