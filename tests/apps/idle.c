// SPDX-License-Identifier: GPL-2.0-only
// idle: says "ready PID" and waits for the end of its input. Without tracepoints.
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
