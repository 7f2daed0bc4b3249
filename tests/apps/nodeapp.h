// SPDX-License-Identifier: GPL-2.0-only
// Tracepoints as a program has them that does one thing of many: twenty events of one provider, with a few fields each.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER nodeapp

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./nodeapp.h"

#if !defined(NODEAPP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define NODEAPP_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_EVENT_CLASS(nodeapp, handle,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer_hex(uintptr_t, handle, (uintptr_t) handle)
		lttng_ust_field_integer_hex(uintptr_t, owner, (uintptr_t) owner)
	)
)

LTTNG_UST_TRACEPOINT_EVENT_CLASS(nodeapp, named,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer_hex(uintptr_t, handle, (uintptr_t) handle)
		lttng_ust_field_string(name, name)
		lttng_ust_field_string(scope, scope)
		lttng_ust_field_integer(uint64_t, depth, depth)
	)
)

LTTNG_UST_TRACEPOINT_EVENT_CLASS(nodeapp, message,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer_hex(uintptr_t, handle, (uintptr_t) handle)
		lttng_ust_field_integer_hex(uintptr_t, message, (uintptr_t) message)
		lttng_ust_field_integer(int64_t, stamp, stamp)
	)
)

LTTNG_UST_TRACEPOINT_EVENT_CLASS(nodeapp, timing,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer_hex(uintptr_t, handle, (uintptr_t) handle)
		lttng_ust_field_float(double, seconds, seconds)
	)
)

LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, handle, nodeapp, context_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, handle, nodeapp, node_fini,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, handle, nodeapp, callback_added,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, handle, nodeapp, callback_removed,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, handle, nodeapp, executor_wait,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, owner))

LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, named, nodeapp, node_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, named, nodeapp, publisher_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, named, nodeapp, subscription_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, named, nodeapp, service_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, named, nodeapp, client_init,
	LTTNG_UST_TP_ARGS(const void *, handle, const char *, name, const char *, scope, uint64_t, depth))

LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, message, nodeapp, publish,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, message, nodeapp, take,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, message, nodeapp, request,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, message, nodeapp, response,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, message, nodeapp, execute,
	LTTNG_UST_TP_ARGS(const void *, handle, const void *, message, int64_t, stamp))

LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, timing, nodeapp, timer_init,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, timing, nodeapp, timer_call,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, timing, nodeapp, callback_start,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, timing, nodeapp, callback_end,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(nodeapp, timing, nodeapp, wakeup,
	LTTNG_UST_TP_ARGS(const void *, handle, double, seconds))

#endif

#include <lttng/tracepoint-event.h>
