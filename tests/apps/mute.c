// SPDX-License-Identifier: GPL-2.0-only
// mute PATH COMMAND NOTIFY [flood]: registers as an application at the socket PATH with the messages in two files,
// one for each of its sockets, and never answers. Prints "ready PID", then waits for the end of its input; with
// flood, for a line, and then sends on both sockets whatever they take, descriptors too, until they are closed.
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
	return write(fd, bytes, size) == (ssize_t) size ? fd : -1;
}

static void flood(int fd, int with_descriptors)
{
	char byte = 0;
	struct iovec bytes = { .iov_base = &byte, .iov_len = 1 };
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (with_descriptors) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr) {
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &(int) { STDOUT_FILENO }, sizeof(int));
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL) == 1)
		;
}

int main(int argc, char **argv)
{
	char answer[64];
	int command, notify;

	if (argc < 4 || (command = announce(argv[1], argv[2])) < 0 || (notify = announce(argv[1], argv[3])) < 0)
		return 2;
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (read(0, answer, sizeof answer) > 0) {
		if (argc > 4) {
			int child = fork();

			flood(child ? command : notify, child != 0);
			return 0;
		}
	}
	return 0;
}
