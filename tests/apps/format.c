// SPDX-License-Identifier: GPL-2.0-only
// format: messages with LTTng-UST's own tracepoints for formatted text. Each line of input has it emit one of each
// kind; it ends with the input. First line of output: "ready PID".
#include <stdio.h>
#include <unistd.h>

#include <lttng/tracef.h>
#include <lttng/tracelog.h>

int main(void)
{
	char line[64];
	int round = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin) && line[0] != 'e') {
		lttng_ust_tracef("round %d of \"%s\"", round, "tracef");
		lttng_ust_tracelog(LTTNG_UST_TRACEPOINT_LOGLEVEL_ERR, "error in round %d", round);
		lttng_ust_tracelog(LTTNG_UST_TRACEPOINT_LOGLEVEL_DEBUG, "%s", "");
		round++;
		puts("done");
	}
	puts("bye");
	return 0;
}
