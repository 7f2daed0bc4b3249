// SPDX-License-Identifier: GPL-2.0-only
// kin: forks; the child says "ready PID", and both wait for the end of their input.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testapp.h"

int main(void)
{
	pid_t child = fork();
	char letter;

	if (child < 0)
		return 1;
	if (child == 0) {
		printf("ready %d\n", (int) getpid());
		fflush(stdout);
	}
	while (read(STDIN_FILENO, &letter, 1) > 0)
		;
	lttng_ust_tracepoint(testapp, tick, 0);
	if (child)
		waitpid(child, NULL, 0);
	return 0;
}
