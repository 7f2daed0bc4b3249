// SPDX-License-Identifier: GPL-2.0-only
// crowd COUNT PROGRAM [ARGS...]: starts COUNT instances of PROGRAM at the same moment, each with its number
// (0..) as last-but-one argument and 1 as last; waits for them; prints "ended GOOD BAD".
//
// Each child waits on a pipe that the parent closes when all exist: they all register at once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int count = atoi(argv[1]), gate[2], good = 0, bad = 0, status;
	char number[16], byte;

	if (argc < 3 || pipe(gate))
		return 2;
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (pid == 0) {
			char **args = calloc((size_t) argc + 2, sizeof *args);

			memcpy(args, argv + 2, (size_t) (argc - 2) * sizeof *args);
			snprintf(number, sizeof number, "%d", i);
			args[argc - 2] = number;
			args[argc - 1] = "1";
			close(gate[1]);
			while (read(gate[0], &byte, 1) > 0)
				;
			close(gate[0]);
			execv(args[0], args);
			_exit(127);
		}
	}
	close(gate[0]);
	close(gate[1]);
	while (wait(&status) > 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			good++;
		else
			bad++;
	}
	printf("ended %d %d\n", good, bad);
	return 0;
}
