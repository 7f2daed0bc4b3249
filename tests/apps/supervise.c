// SPDX-License-Identifier: GPL-2.0-only
// supervise LOG PROGRAM [ARGS...]: runs PROGRAM with stdout and stderr to LOG and reports what becomes of it
// on stdout, one line per event: "pid N", "ready" (it sent us SIGUSR1), "exit STATUS", "signal NUMBER".
//
// It stands between the test and a daemon so that the daemon has a parent in its own PID namespace.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t set, old;
	siginfo_t info;
	int status;
	pid_t pid;

	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		int log = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
		int null = open("/dev/null", O_RDONLY);

		sigprocmask(SIG_SETMASK, &old, NULL);
		dup2(null, 0);
		dup2(log, 1);
		dup2(log, 2);
		close(log);
		close(null);
		execvp(argv[2], argv + 2);
		dprintf(2, "cannot run %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	printf("pid %d\n", (int) pid);
	for (;;) {
		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (info.si_signo == SIGUSR1) {
			puts("ready");
			continue;
		}
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
	}
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}
