// SPDX-License-Identifier: GPL-2.0-only
// values [wait]: emits events with every kind of field and exits. With an argument it says "ready PID" and waits
// for the end of its input first.
#include <stdio.h>
#include <unistd.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "valuesapp.h"

int main(int argc, char **argv)
{
	static const int64_t numbers[] = { 0, 1, -1, 127, 128, -32768, 65535, 0x12345678, INT64_MIN, INT64_MAX };
	static const int16_t items[] = { 0x0102, -2, 0x7fff };
	static const int signs[] = { -128, -2, -1, 0, 1, 2, 10, 11, 20, 29, 50 };

	(void) argv;
	if (argc > 1) {
		printf("ready %d\n", (int) getpid());
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		lttng_ust_tracepoint(valuesapp, integers, numbers[i]);
	for (size_t count = 0; count <= 3; count++)
		lttng_ust_tracepoint(valuesapp, lists, items, "text", count);
	for (unsigned i = 0; i < sizeof signs / sizeof *signs; i++)
		lttng_ust_tracepoint(valuesapp, enums, signs[i], UINT64_MAX);
	lttng_ust_tracepoint(valuesapp, enums, 0, UINT64_C(0x8000000000000000));
	lttng_ust_tracepoint(valuesapp, one_instance, 1);
	lttng_ust_tracepoint(valuesapp, other_instance, 2);
	return 0;
}
