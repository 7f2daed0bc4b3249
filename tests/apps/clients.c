// SPDX-License-Identifier: GPL-2.0-only
// clients COUNT: lists the sessions COUNT times, each time on a connection of its own, as programs do that only use
// liblttng-ctl; prints "listed SESSIONS", what the last one gave.
#include <lttng/lttng.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct lttng_session *sessions;
	int count = argc > 1 ? atoi(argv[1]) : 1, found = 0;

	while (count-- > 0) {
		sessions = NULL;
		found = lttng_list_sessions(&sessions);
		if (found < 0) {
			fprintf(stderr, "%s\n", lttng_strerror(found));
			return 1;
		}
		free(sessions);
	}
	printf("listed %d\n", found);
	return 0;
}
