// SPDX-License-Identifier: GPL-2.0-only
// probeless: has tracepoints, whose provider is a library that somebody else must load. Says "ready PID" and waits for the
// end of its input.
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include <stdio.h>
#include <unistd.h>

#include "libraryapp.h"

int main(void)
{
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (getchar() != EOF)
		lttng_ust_tracepoint(libraryapp, tick, 0);
	return 0;
}
