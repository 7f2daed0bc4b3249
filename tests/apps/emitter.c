// SPDX-License-Identifier: GPL-2.0-only
// An application that emits what it is told to: commands on stdin, one line each, one answer line each.
//
//   tick FIRST COUNT      testapp:tick n=FIRST.. ; also alarm, note, other (otherapp:tick), full
//   empty COUNT
//   pace FIRST COUNT USEC testapp:tick n=FIRST.. with a pause between two
//   steady COUNT RATE     testapp:tick n=0.. , so many a second
//   flood MSEC            testapp:tick n=0.. as fast as it can; answers "flooded COUNT"
//   await EVENT           returns when testapp:EVENT is enabled by a tracer, or "timeout" after 10 s
//   enabled EVENT         "yes" or "no"
//   exit
//
// First line of output: "ready PID".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "testapp.h"
#include "otherapp.h"

static void pause_us(long us)
{
	struct timespec t = { us / 1000000, (us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What is late is not waited for: so many a second they are in any case. */
static void steady(int count, int rate)
{
	int64_t begin = now_ns();

	for (int i = 0; i < count; i++) {
		int64_t due = begin + i * INT64_C(1000000000) / rate;
		struct timespec t = { due / 1000000000, due % 1000000000 };

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
			;
		lttng_ust_tracepoint(testapp, tick, i);
	}
}

static int flood(long ms)
{
	int64_t end = now_ns() + ms * INT64_C(1000000);
	int count = 0;

	while (now_ns() < end)
		for (int i = 0; i < 100; i++)
			lttng_ust_tracepoint(testapp, tick, count++);
	return count;
}

static int enabled(const char *event)
{
	if (!strcmp(event, "tick"))
		return lttng_ust_tracepoint_enabled(testapp, tick);
	if (!strcmp(event, "full"))
		return lttng_ust_tracepoint_enabled(testapp, full);
	if (!strcmp(event, "empty"))
		return lttng_ust_tracepoint_enabled(testapp, empty);
	if (!strcmp(event, "alarm"))
		return lttng_ust_tracepoint_enabled(testapp, alarm);
	if (!strcmp(event, "note"))
		return lttng_ust_tracepoint_enabled(testapp, note);
	return -1;
}

static void emit(const char *event, int n)
{
	uint16_t numbers[4] = { (uint16_t) n, (uint16_t) (n + 1), (uint16_t) (n + 2), (uint16_t) (n + 3) };
	char text[32];

	if (!strcmp(event, "tick")) {
		lttng_ust_tracepoint(testapp, tick, n);
	} else if (!strcmp(event, "alarm")) {
		lttng_ust_tracepoint(testapp, alarm, n);
	} else if (!strcmp(event, "note")) {
		lttng_ust_tracepoint(testapp, note, n);
	} else if (!strcmp(event, "other")) {
		lttng_ust_tracepoint(otherapp, tick, n);
	} else if (!strcmp(event, "full")) {
		snprintf(text, sizeof text, "text %d \"quoted\"", n);
		/* The length varies: an empty sequence is among them. */
		lttng_ust_tracepoint(testapp, full, n, text, numbers, (size_t) (n % 5));
	}
}

int main(void)
{
	char line[256], event[64];
	int first, count;
	long us;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "pace %d %d %ld", &first, &count, &us) == 3) {
			for (int i = 0; i < count; i++) {
				emit("tick", first + i);
				pause_us(us);
			}
			puts("done");
		} else if (sscanf(line, "steady %d %d", &first, &count) == 2) {
			steady(first, count);
			puts("done");
		} else if (sscanf(line, "flood %ld", &us) == 1) {
			printf("flooded %d\n", flood(us));
		} else if (sscanf(line, "await %63s", event) == 1) {
			int tries = 10000;

			while (!enabled(event) && tries-- > 0)
				pause_us(1000);
			puts(enabled(event) ? "done" : "timeout");
		} else if (sscanf(line, "enabled %63s", event) == 1) {
			puts(enabled(event) ? "yes" : "no");
		} else if (sscanf(line, "empty %d", &count) == 1) {
			for (int i = 0; i < count; i++)
				lttng_ust_tracepoint(testapp, empty);
			puts("done");
		} else if (sscanf(line, "%63s %d %d", event, &first, &count) == 3) {
			for (int i = 0; i < count; i++)
				emit(event, first + i);
			puts("done");
		} else if (!strncmp(line, "exit", 4)) {
			break;
		} else {
			puts("what?");
		}
	}
	puts("bye");
	return 0;
}
