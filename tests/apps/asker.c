// SPDX-License-Identifier: GPL-2.0-only
// asker PATH MILLISECONDS: one connection to the socket PATH for each request that comes on standard input.
//
// A request: a byte that says how to end (0: wait for the answer; 1: the same, but send nothing more; 2: go away), u32
// length, bytes. What came of it, on standard output: a byte (0: nobody there; 1: the other side closed; 2: it fell silent
// for MILLISECONDS), u32 length, the bytes of the answer. It exists so that a request can come from any user.
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char request[1 << 21], answer[1 << 21];

static void take(void *to, size_t size)
{
	if (fread(to, 1, size, stdin) != size)
		exit(0);
}

/* As the client library does: who asks is said with the first bytes. */
static ssize_t introduce(int fd, size_t size)
{
	struct ucred who = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };
	char control[CMSG_SPACE(sizeof who)] = { 0 };
	struct iovec bytes = { .iov_base = request, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof who);
	memcpy(CMSG_DATA(header), &who, sizeof who);
	return sendmsg(fd, &message, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (argc != 3)
		return 2;
	strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
	signal(SIGPIPE, SIG_IGN);
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	for (;;) {
		struct pollfd readable = { .events = POLLIN };
		uint32_t size, got = 0;
		char end, result = 0;

		take(&end, 1);
		take(&size, sizeof size);
		if (size > sizeof request)
			return 2;
		take(request, size);
		readable.fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (!connect(readable.fd, (struct sockaddr *) &address, sizeof address)) {
			/* The other side may have closed already: that is its right. */
			for (uint32_t at = 0; at < size;) {
				ssize_t sent = at ? write(readable.fd, request + at, size - at)
						: introduce(readable.fd, size);

				if (sent <= 0)
					break;
				at += sent;
			}
			if (end == 1)
				shutdown(readable.fd, SHUT_WR);
			while (end != 2 && !result) {
				ssize_t more;

				if (poll(&readable, 1, atoi(argv[2])) <= 0) {
					result = 2;
					break;
				}
				more = read(readable.fd, answer + got, sizeof answer - got);
				if (more <= 0)
					result = 1;
				else
					got += more;
			}
		}
		close(readable.fd);
		fwrite(&result, 1, 1, stdout);
		fwrite(&got, sizeof got, 1, stdout);
		fwrite(answer, 1, got, stdout);
		fflush(stdout);
	}
}
