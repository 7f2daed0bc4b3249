// SPDX-License-Identifier: GPL-2.0-only
// activator [NAME=]KIND:PATH... -- PROGRAM [ARGS...]: makes sockets as a service manager does, says "listening" in the file
// that $ACTIVATOR_SAYS names, waits until somebody connects to the first one ($ACTIVATOR_WAITS is not 0), and becomes PROGRAM,
// which inherits them from descriptor 3 on. KIND is `listen`, `datagram` or `deaf` (a socket on which nobody listens).
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *says = getenv("ACTIVATOR_SAYS"), *waits = getenv("ACTIVATOR_WAITS");
	char names[4096] = "", number[32];
	int count = 0, i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++, count++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		char *equals = strchr(argv[i], '='), *kind = equals ? equals + 1 : argv[i];
		char *path = strchr(kind, ':') + 1;
		int fd = socket(AF_UNIX, strncmp(kind, "datagram:", 9) ? SOCK_STREAM : SOCK_DGRAM, 0);

		if (equals)
			strncat(names, argv[i], equals - argv[i]);
		strcat(names, ":");
		strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
		unlink(path);
		if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) || chmod(path, 0666)) {
			perror(path);
			return 2;
		}
		if (!strncmp(kind, "listen:", 7) && listen(fd, 128))
			return 2;
		if (fd != 3 + count && (dup2(fd, 3 + count) < 0 || close(fd)))
			return 2;
	}
	if (i + 1 >= argc)
		return 2;
	if (count > 0)
		names[strlen(names) - 1] = 0;
	if (says)
		close(open(says, O_WRONLY | O_CREAT, 0644));
	if (waits && *waits != '0') {
		struct pollfd first = { .fd = 3, .events = POLLIN };

		if (poll(&first, 1, -1) < 0)
			return 2;
	}
	snprintf(number, sizeof(number), "%d", (int) getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%d", count);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
