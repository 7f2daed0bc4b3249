// SPDX-License-Identifier: GPL-2.0-only
// An application with twenty events that does nothing: prints "ready PID", waits for the end of its input, and leaves.
//
// With the argument "leave" it waits for nothing.
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "nodeapp.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char byte;

	(void) argv;
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	if (argc > 1)
		return 0;
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
