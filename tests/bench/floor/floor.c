// SPDX-License-Identifier: GPL-2.0-only
// floor RECORD APPLICATIONS CLIENTS SIZE REPLY: the least that any session daemon can do, to measure others by.
//
// It knows nothing and keeps nothing but how far each connection is. On the socket APPLICATIONS it plays what
// `simulated` wrote into the file RECORD: bursts of commands, the next one when the replies to the last are there, and
// the same answer to each request. On the socket CLIENTS it answers each request of SIZE bytes with the content of
// the file REPLY, and ends the connection. One epoll loop, one read for each time that something is there, one write
// for each answer; descriptors go out as they did, each of them /dev/null. Prints "ready PID".
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { REGISTRATION = 136, SEGMENTS = 64, BURSTS = 16, HEADER = 316, CHANNEL_HEADER = 48 };

// Bytes of which the last has so many descriptors.
struct segment {
	unsigned char *bytes;
	size_t size;
	unsigned descriptors;
};

struct burst {
	struct segment segments[SEGMENTS];
	int count;
	// Bytes of the replies to all of it.
	size_t replies;
};

struct connection {
	int fd, burst;
	enum { LISTENS, LISTENS_FOR_CLIENTS, UNKNOWN, COMMAND, NOTIFY, CLIENT } kind;
	// Of the replies that are awaited, or of a request.
	size_t got;
	unsigned char header[HEADER];
};

static struct burst bursts[BURSTS];
static int burst_count;
static unsigned char channel_answer[48], event_answer[44], *client_reply;
static size_t client_reply_size, client_request_size;
static int epoll, null;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char *content(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	struct stat stat;
	unsigned char *bytes;

	if (!file || fstat(fileno(file), &stat))
		fail(path);
	*size = (size_t) stat.st_size;
	bytes = malloc(*size + 1);
	if (fread(bytes, 1, *size, file) != *size)
		fail(path);
	fclose(file);
	return bytes;
}

static void load(const char *path)
{
	size_t size;
	unsigned char *at = content(path, &size), *end = at + size;
	int answered = 0;

	while (at < end) {
		char kind = (char) *at;
		uint32_t number;
		struct burst *burst = &bursts[burst_count];

		memcpy(&number, at + 1, sizeof number);
		at += 5;
		switch (kind) {
		case 'C':
			if (answered) {
				burst = &bursts[++burst_count];
				answered = 0;
			}
			if (burst_count + 1 == BURSTS || burst->count == SEGMENTS)
				exit(2);
			burst->segments[burst->count++] = (struct segment) { .bytes = at, .size = number };
			break;
		case 'F':
			burst->segments[burst->count - 1].descriptors = number;
			break;
		case 'E':
			burst->replies += number;
			answered = 1;
			break;
		case 'N':
			memcpy(channel_answer, at, sizeof channel_answer);
			break;
		case 'V':
			memcpy(event_answer, at, sizeof event_answer);
			break;
		}
		if (kind == 'C' || kind == 'N' || kind == 'V')
			at += number;
	}
	burst_count++;
}

static void watch(struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event))
		fail("epoll");
}

static void listen_at(const char *path, struct connection *connection)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	unlink(path);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(connection->fd, (struct sockaddr *) &address, sizeof address) || listen(connection->fd, 128))
		fail(path);
	watch(connection);
}

static void say(struct connection *connection)
{
	struct burst *burst = &bursts[connection->burst];

	for (int i = 0; i < burst->count; i++) {
		struct segment *segment = &burst->segments[i];
		union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } control;
		struct iovec iovec = { segment->bytes, segment->size - (segment->descriptors ? 1 : 0) };
		struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1 };

		if (iovec.iov_len && sendmsg(connection->fd, &message, MSG_NOSIGNAL) < 0)
			return;
		if (!segment->descriptors)
			continue;
		iovec = (struct iovec) { segment->bytes + segment->size - 1, 1 };
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(segment->descriptors * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(segment->descriptors * sizeof(int));
		for (unsigned k = 0; k < segment->descriptors; k++)
			memcpy(CMSG_DATA(header) + k * sizeof null, &null, sizeof null);
		if (sendmsg(connection->fd, &message, MSG_NOSIGNAL) < 0)
			return;
	}
}

static void answer_request(struct connection *connection, const unsigned char *bytes, size_t size)
{
	while (size) {
		uint32_t kind, lengths[3] = { 0 };
		size_t header, part;

		part = connection->got < HEADER ? HEADER - connection->got : 0;
		part = part < size ? part : size;
		memcpy(connection->header + connection->got, bytes, part);
		memcpy(&kind, connection->header, sizeof kind);
		header = kind ? CHANNEL_HEADER : HEADER;
		if (kind)
			memcpy(lengths, connection->header + 12, sizeof lengths[0]);
		else
			memcpy(lengths, connection->header + 272, sizeof lengths);
		// The application says no more before it is answered.
		connection->got += size;
		if (connection->got < header || connection->got < header + lengths[0] + lengths[1] + lengths[2])
			return;
		connection->got = 0;
		size = 0;
		if (kind)
			send(connection->fd, channel_answer, sizeof channel_answer, MSG_NOSIGNAL);
		else
			send(connection->fd, event_answer, sizeof event_answer, MSG_NOSIGNAL);
	}
}

static void end(struct connection *connection)
{
	close(connection->fd);
	free(connection);
}

// Returns whether that was the end of the connection.
static int take(struct connection *connection)
{
	static unsigned char bytes[1 << 16];
	ssize_t size = recv(connection->fd, bytes, sizeof bytes, 0);

	if (size < 0 && errno == EAGAIN)
		return 0;
	if (size <= 0) {
		end(connection);
		return 1;
	}
	switch (connection->kind) {
	case UNKNOWN:
		connection->kind = bytes[52] ? NOTIFY : COMMAND;
		if (connection->kind == COMMAND)
			say(connection);
		break;
	case COMMAND:
		connection->got += (size_t) size;
		if (connection->got >= bursts[connection->burst].replies) {
			connection->got = 0;
			if (++connection->burst < burst_count)
				say(connection);
		}
		break;
	case NOTIFY:
		answer_request(connection, bytes, (size_t) size);
		break;
	default:
		connection->got += (size_t) size;
		if (connection->got >= client_request_size) {
			send(connection->fd, client_reply, client_reply_size, MSG_NOSIGNAL);
			end(connection);
			return 1;
		}
	}
	return 0;
}

static void take_in(struct connection *listener)
{
	struct connection *connection = calloc(1, sizeof *connection);

	connection->fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (connection->fd < 0)
		fail("accept");
	connection->kind = listener->kind == LISTENS ? UNKNOWN : CLIENT;
	// Most clients have asked by now, and want nothing else.
	if (connection->kind == UNKNOWN || !take(connection))
		watch(connection);
}

int main(int argc, char **argv)
{
	struct connection applications = { .kind = LISTENS }, clients = { .kind = LISTENS_FOR_CLIENTS };
	struct epoll_event events[256];

	if (argc != 6)
		return 2;
	load(argv[1]);
	client_request_size = (size_t) atol(argv[4]);
	client_reply = content(argv[5], &client_reply_size);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listen_at(argv[2], &applications);
	listen_at(argv[3], &clients);
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < ready; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->kind == LISTENS || connection->kind == LISTENS_FOR_CLIENTS)
				take_in(connection);
			else
				take(connection);
		}
	}
}
