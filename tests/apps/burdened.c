// SPDX-License-Identifier: GPL-2.0-only
// burdened PROGRAM [ARGS...]: runs PROGRAM in this process with every signal ignored and blocked, as far as a process can
// hand that on.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t all;
	int number;

	if (argc < 2)
		return 2;
	for (number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
