// SPDX-License-Identifier: GPL-2.0-only
// Every kind of field that a tracepoint can have.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER valuesapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./valuesapp.h"

#if !defined(VALUESAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define VALUESAPP_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_ENUM(valuesapp, signs,
	LTTNG_UST_TP_ENUM_VALUES(
		lttng_ust_field_enum_range("below", -128, -2)
		lttng_ust_field_enum_value("minus one", -1)
		lttng_ust_field_enum_value("zero", 0)
		lttng_ust_field_enum_auto("first auto")
		lttng_ust_field_enum_auto("second auto")
		lttng_ust_field_enum_value("a \"quoted\" \\ label", 10)
		lttng_ust_field_enum_auto("after ten")
		lttng_ust_field_enum_range("many", 20, 29)
	)
)

LTTNG_UST_TRACEPOINT_ENUM(valuesapp, large,
	LTTNG_UST_TP_ENUM_VALUES(
		lttng_ust_field_enum_value("half", 0x8000000000000000ULL)
		lttng_ust_field_enum_range("most", 0xfffffffffffffff0ULL, 0xffffffffffffffffULL)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(valuesapp, integers,
	LTTNG_UST_TP_ARGS(int64_t, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int8_t, s8, n)
		lttng_ust_field_integer(uint8_t, u8, n)
		lttng_ust_field_integer(int16_t, s16, n)
		lttng_ust_field_integer(uint16_t, u16, n)
		lttng_ust_field_integer(int32_t, s32, n)
		lttng_ust_field_integer(uint32_t, u32, n)
		lttng_ust_field_integer(int64_t, s64, n)
		lttng_ust_field_integer(uint64_t, u64, n)
		lttng_ust_field_integer(long, native, n)
		lttng_ust_field_integer_hex(int8_t, hex_s8, n)
		lttng_ust_field_integer_hex(uint16_t, hex_u16, n)
		lttng_ust_field_integer_hex(uint32_t, hex_u32, n)
		lttng_ust_field_integer_hex(uint64_t, hex_u64, n)
		lttng_ust_field_integer_network(uint16_t, net_u16, n)
		lttng_ust_field_integer_network(int32_t, net_s32, n)
		lttng_ust_field_integer_network(uint64_t, net_u64, n)
		lttng_ust_field_integer_network_hex(uint32_t, net_hex, n)
		lttng_ust_field_integer_nowrite(int32_t, unseen, n)
		lttng_ust_field_float(float, single, n)
		lttng_ust_field_float(double, twice, n / 8.0)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(valuesapp, lists,
	LTTNG_UST_TP_ARGS(const int16_t *, items, const char *, text, size_t, count),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_string(string, text)
		lttng_ust_field_array(int16_t, array, items, 3)
		lttng_ust_field_array_hex(int16_t, array_hex, items, 2)
		lttng_ust_field_array_network(int16_t, array_net, items, 2)
		lttng_ust_field_array_network_hex(int16_t, array_net_hex, items, 2)
		lttng_ust_field_array_text(char, array_text, text, 4)
		lttng_ust_field_sequence(int16_t, sequence, items, size_t, count)
		lttng_ust_field_sequence(uint8_t, bytes, text, uint8_t, count)
		lttng_ust_field_sequence_hex(int16_t, sequence_hex, items, uint16_t, count)
		lttng_ust_field_sequence_network(int16_t, sequence_net, items, uint32_t, count)
		lttng_ust_field_sequence_network_hex(int16_t, sequence_net_hex, items, unsigned long, count)
		lttng_ust_field_sequence_text(char, sequence_text, text, size_t, count)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(valuesapp, enums,
	LTTNG_UST_TP_ARGS(int, n, uint64_t, big),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_enum(valuesapp, signs, int, sign, n)
		lttng_ust_field_enum(valuesapp, signs, int8_t, small_sign, n)
		lttng_ust_field_enum(valuesapp, large, uint64_t, size, big)
	)
)
LTTNG_UST_TRACEPOINT_LOGLEVEL(valuesapp, enums, LTTNG_UST_TRACEPOINT_LOGLEVEL_WARNING)
LTTNG_UST_TRACEPOINT_MODEL_EMF_URI(valuesapp, enums, "http://example.com/enums?a=1&b=2")

LTTNG_UST_TRACEPOINT_EVENT_CLASS(valuesapp, shared_class,
	LTTNG_UST_TP_ARGS(int, n),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, n, n)
	)
)
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(valuesapp, shared_class, valuesapp, one_instance, LTTNG_UST_TP_ARGS(int, n))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(valuesapp, shared_class, valuesapp, other_instance,
	LTTNG_UST_TP_ARGS(int, n))

#endif

#include <lttng/tracepoint-event.h>
