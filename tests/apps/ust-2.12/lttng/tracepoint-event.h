// SPDX-License-Identifier: GPL-2.0-only
// As `tracepoint.h` beside it. The header of 2.12 reads the application's header several times, which ends with this
// file again: the switches of 2.13 are off meanwhile, but for the one that opens the application's header.
#ifdef LTTNG_UST_TRACEPOINT_CREATE_PROBES
#undef LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ
#undef TRACEPOINT_INCLUDE
#define TRACEPOINT_INCLUDE LTTNG_UST_TRACEPOINT_INCLUDE
#define TRACEPOINT_CREATE_PROBES

#include_next <lttng/tracepoint-event.h>

#undef TRACEPOINT_CREATE_PROBES
#undef LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#endif
