// SPDX-License-Identifier: GPL-2.0-only
// Tracepoints of the test applications. Two providers, several log levels, every kind of field.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER testapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./testapp.h"

#if !defined(TESTAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TESTAPP_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_ENUM(testapp, colour,
	LTTNG_UST_TP_ENUM_VALUES(
		lttng_ust_field_enum_value("RED", 0)
		lttng_ust_field_enum_value("GREEN", 1)
		lttng_ust_field_enum_range("BLUES", 2, 9)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(testapp, tick,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(testapp, full,
	LTTNG_UST_TP_ARGS(int, n, const char *, text, uint16_t *, numbers, size_t, count),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int8_t, small, n)
		lttng_ust_field_integer(int64_t, negative, -(int64_t) n)
		lttng_ust_field_integer(uint64_t, big, UINT64_MAX - n)
		lttng_ust_field_integer_hex(uint32_t, hex, 0xabc0 + n)
		lttng_ust_field_string(text, text)
		lttng_ust_field_sequence(uint16_t, numbers, numbers, size_t, count)
		lttng_ust_field_array(uint16_t, pair, numbers, 2)
		lttng_ust_field_array_text(char, letters, "abcdef", 4)
		lttng_ust_field_enum(testapp, colour, int, shade, n % 10)
		lttng_ust_field_float(float, half, n / 2.0f)
		lttng_ust_field_float(double, quarter, n / 4.0)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(testapp, empty, LTTNG_UST_TP_ARGS(), LTTNG_UST_TP_FIELDS())

LTTNG_UST_TRACEPOINT_EVENT(testapp, alarm,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)
LTTNG_UST_TRACEPOINT_LOGLEVEL(testapp, alarm, LTTNG_UST_TRACEPOINT_LOGLEVEL_ALERT)

LTTNG_UST_TRACEPOINT_EVENT(testapp, note,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)
LTTNG_UST_TRACEPOINT_LOGLEVEL(testapp, note, LTTNG_UST_TRACEPOINT_LOGLEVEL_INFO)

#endif

#include <lttng/tracepoint-event.h>
