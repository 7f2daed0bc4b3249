// SPDX-License-Identifier: GPL-2.0-only
// forker fork | exec PROGRAM | daemon FILE: emits testapp:tick before and after becoming another process.
//
//   fork    n=0..2, then the child n=100..102, then, after its end, the parent n=200..202
//   exec    n=0..2, then PROGRAM 100 3 in the same process
//   daemon  n=0..2, then the detached process n=100..102 and "done" into FILE
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testapp.h"

static void emit(int first)
{
	for (int i = 0; i < 3; i++)
		lttng_ust_tracepoint(testapp, tick, first + i);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	emit(0);
	if (!strcmp(argv[1], "fork")) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			emit(100);
			return 0;
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			return 1;
		emit(200);
		return 0;
	}
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "exec")) {
		execl(argv[2], argv[2], "100", "3", (char *) NULL);
		return 1;
	}
	if (!strcmp(argv[1], "daemon")) {
		FILE *file;

		if (daemon(0, 0))
			return 1;
		emit(100);
		file = fopen(argv[2], "w");
		if (!file)
			return 1;
		fputs("done\n", file);
		fclose(file);
		return 0;
	}
	return 2;
}
