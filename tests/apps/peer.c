// SPDX-License-Identifier: GPL-2.0-only
// peer hold|throw PATH COUNT FILE: COUNT connections to the socket PATH, the content of FILE sent on each.
//
// hold: then prints "ready PID" and keeps them open until its standard input ends.
// throw: ends each with a shutdown and waits until the other side closes too; prints "done" at the end.
// It exists because the daemon looks at an application's pid: a peer must live in the same PID namespace.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char bytes[1 << 20], answer[4096];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int throw;
	size_t size;
	FILE *file;

	if (argc != 5 || !(file = fopen(argv[4], "rb")))
		return 2;
	size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	throw = !strcmp(argv[1], "throw");
	strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < atoi(argv[3]); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *) &address, sizeof address)) {
			perror("connect");
			return 1;
		}
		/* The other side may have closed already: that is its right. */
		if (size && write(fd, bytes, size) < 0 && !throw)
			perror("write");
		if (throw) {
			shutdown(fd, SHUT_WR);
			while (read(fd, answer, sizeof answer) > 0)
				;
			close(fd);
		}
	}
	if (throw) {
		puts("done");
		return 0;
	}
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (read(0, answer, sizeof answer) > 0)
		;
	return 0;
}
