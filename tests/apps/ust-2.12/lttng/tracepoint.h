// SPDX-License-Identifier: GPL-2.0-only
// Lets the test applications, which use the names of LTTng-UST 2.13, be compiled with the headers of 2.12: found
// before those, it gives each new name the old meaning.
#ifdef LTTNG_UST_TRACEPOINT_DEFINE
#define TRACEPOINT_DEFINE
#endif

#include_next <lttng/tracepoint.h>

#ifndef TESTS_UST_2_12_TRACEPOINT_H
#define TESTS_UST_2_12_TRACEPOINT_H

#define TRACEPOINT_PROVIDER LTTNG_UST_TRACEPOINT_PROVIDER

// With an argument list: there is a structure of this name, too.
#define lttng_ust_tracepoint(...) tracepoint(__VA_ARGS__)
#define lttng_ust_tracepoint_enabled tracepoint_enabled
#define LTTNG_UST_TRACEPOINT_ENUM TRACEPOINT_ENUM
#define LTTNG_UST_TRACEPOINT_EVENT TRACEPOINT_EVENT
#define LTTNG_UST_TRACEPOINT_EVENT_CLASS TRACEPOINT_EVENT_CLASS
// 2.12 knows only classes of the same provider.
#define LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(class_provider, class, provider, name, args) \
	TRACEPOINT_EVENT_INSTANCE(provider, class, name, _TP_PARAMS(args))
#define LTTNG_UST_TRACEPOINT_LOGLEVEL TRACEPOINT_LOGLEVEL
#define LTTNG_UST_TRACEPOINT_LOGLEVEL_ALERT TRACE_ALERT
#define LTTNG_UST_TRACEPOINT_LOGLEVEL_INFO TRACE_INFO
#define LTTNG_UST_TRACEPOINT_LOGLEVEL_WARNING TRACE_WARNING
#define LTTNG_UST_TRACEPOINT_MODEL_EMF_URI TRACEPOINT_MODEL_EMF_URI
#define LTTNG_UST_TP_ARGS TP_ARGS
#define LTTNG_UST_TP_FIELDS TP_FIELDS
#define LTTNG_UST_TP_ENUM_VALUES TP_ENUM_VALUES
#define lttng_ust_field_array ctf_array
#define lttng_ust_field_array_hex ctf_array_hex
#define lttng_ust_field_array_network ctf_array_network
#define lttng_ust_field_array_network_hex ctf_array_network_hex
#define lttng_ust_field_array_text ctf_array_text
#define lttng_ust_field_enum ctf_enum
#define lttng_ust_field_enum_auto ctf_enum_auto
#define lttng_ust_field_enum_range ctf_enum_range
#define lttng_ust_field_enum_value ctf_enum_value
#define lttng_ust_field_float ctf_float
#define lttng_ust_field_integer ctf_integer
#define lttng_ust_field_integer_hex ctf_integer_hex
#define lttng_ust_field_integer_network ctf_integer_network
#define lttng_ust_field_integer_network_hex ctf_integer_network_hex
#define lttng_ust_field_integer_nowrite ctf_integer_nowrite
#define lttng_ust_field_sequence ctf_sequence
#define lttng_ust_field_sequence_hex ctf_sequence_hex
#define lttng_ust_field_sequence_network ctf_sequence_network
#define lttng_ust_field_sequence_network_hex ctf_sequence_network_hex
#define lttng_ust_field_sequence_text ctf_sequence_text
#define lttng_ust_field_string ctf_string

#endif
