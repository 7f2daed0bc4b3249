// SPDX-License-Identifier: GPL-2.0-only
// A clock plug-in: FREQUENCY ticks per second since an hour before the boot. With PARTLY, only time and frequency are set, which makes no clock;
// with UNNAMED, the name is not one for a trace.
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <lttng/ust-clock.h>

#define HOUR 3600

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (time.tv_sec + HOUR) * (uint64_t) FREQUENCY + time.tv_nsec / (1000000000 / FREQUENCY);
}

static uint64_t frequency(void)
{
	return FREQUENCY;
}

#ifndef PARTLY
static int uuid(char *text)
{
	strcpy(text, "11111111-2222-4333-8444-555555555555");
	return 0;
}

static const char *name(void)
{
#ifdef UNNAMED
	return "not a name";
#else
	return "test_clock";
#endif
}

static const char *description(void)
{
	return "A clock of tests";
}
#endif

void lttng_ust_clock_plugin_init(void);
void lttng_ust_clock_plugin_init(void)
{
	lttng_ust_trace_clock_set_read64_cb(now);
	lttng_ust_trace_clock_set_freq_cb(frequency);
#ifndef PARTLY
	lttng_ust_trace_clock_set_uuid_cb(uuid);
	lttng_ust_trace_clock_set_name_cb(name);
	lttng_ust_trace_clock_set_description_cb(description);
#endif
	lttng_ust_enable_trace_clock_override();
}
