// SPDX-License-Identifier: GPL-2.0-only
// mute PATH COMMAND NOTIFY: registers as an application at the socket PATH with the messages in two files, one
// for each of its sockets, and never answers. Prints "ready PID", then waits for the end of its input.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int announce(const char *path, const char *message)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *file = fopen(message, "rb");
	char bytes[256];
	size_t size;

	if (fd < 0 || !file)
		return -1;
	size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (connect(fd, (struct sockaddr *) &address, sizeof address))
		return -1;
	return write(fd, bytes, size) == (ssize_t) size ? 0 : -1;
}

int main(int argc, char **argv)
{
	char answer[64];

	if (argc != 4 || announce(argv[1], argv[2]) || announce(argv[1], argv[3]))
		return 2;
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (read(0, answer, sizeof answer) > 0)
		;
	return 0;
}
