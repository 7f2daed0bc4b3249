// SPDX-License-Identifier: GPL-2.0-only
// clash-number, clash-text: two programs with an event of the same name and different fields. Each waits for
// a line on stdin, emits it once and ends with the input.
#include <stdio.h>
#include <unistd.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "clashapp.h"

int main(void)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin) && line[0] != 'e') {
		lttng_ust_tracepoint(clashapp, event, 42, "forty-two");
		puts("done");
	}
	puts("bye");
	return 0;
}
