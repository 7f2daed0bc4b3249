// SPDX-License-Identifier: GPL-2.0-only
// simulated COUNT SOCKET [FILE]: COUNT applications in one process, as a session daemon sees them.
//
// Each has a pid of its own (that of a child that connects and ends, and is not waited for), two connections, and one
// provider of twenty events. They connect in turn, at most 64 at a time being about to be released. Prints "ready PID"
// for each that is released by the daemon, then lives until the end of its standard input. It is for numbers of
// applications that real ones don't reach on a small machine: it holds no buffers and closes all that it is handed.
//
// With FILE, one application writes down what the daemon says to it, for floor.c. Records: a byte for the kind, a
// 32-bit number, and for C, N and V that many bytes:
//   C bytes of commands; F: the last byte of the C before is to have that many descriptors; E: so many bytes of
//   replies are the answer to all since the last E; N answer to the channel's registration, V to an event's.
// What comes within 20 ms counts as said at once.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE = 612, REPLY = 324, REGISTRATION = 136, FIELD = 920, EVENTS = 20, PENDING = 64 };

enum {
	SESSION = 0x40, VERSION = 0x41, LIST = 0x42, DONE = 0x44, FIELDS = 0x45, GROUP = 0x46, CHANNEL = 0x51,
	STREAM = 0x60, EVENT = 0x61, CONTEXT = 0x70, ENABLE = 0x80, GET = 0x90, GET_FIELD = 0x91, FILTER = 0xa0,
	EXCLUSION = 0xa1, NOTIFIER = 0xb0, CAPTURE = 0xb6, COUNTER = 0xc0, COUNTER_CPU = 0xd1
};

struct application {
	int command, notify;
	pid_t pid;
	// Of the message that is being read.
	unsigned char message[MESSAGE];
	size_t got;
	// Bytes after the message that mean nothing to a simulated application.
	uint64_t skip;
	// What came after a command whose reply waits for answers.
	unsigned char *later;
	size_t later_size;
	uint32_t next_handle, session, channel;
	// Requests of its own that were sent: the channel's, then one for each event.
	int asked;
	int released;
	unsigned char answer[48];
	size_t answered;
};

static struct application *applications;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static unsigned char requests[EVENTS][316 + 64 + 4 * FIELD];
static size_t lengths[EVENTS], signatures[EVENTS];
static FILE *record;
static int epoll;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void put(unsigned char *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

static uint32_t get(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static void note(char kind, const void *bytes, uint32_t number)
{
	if (!record)
		return;
	fputc(kind, record);
	fwrite(&number, sizeof number, 1, record);
	if (bytes)
		fwrite(bytes, 1, number, record);
}

// Whether all was sent: an application whose daemon is gone ends with it.
static void send_all(int fd, const void *bytes, size_t size)
{
	if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t) size)
		fail("send");
}

// A field of the kinds that are common: 0 an integer of 64 bits, 4 a string, 5 a double.
static void describe(unsigned char *at, const char *name, int kind)
{
	uint16_t alignment = 8;

	strcpy((char *) at, name);
	put(at + 256, (uint32_t) kind);
	if (kind == 0) {
		put(at + 260, 64);
		put(at + 272, 10);
		memcpy(at + 280, &alignment, sizeof alignment);
	} else if (kind == 4) {
		put(at + 260, 1);
	} else {
		put(at + 260, 11);
		put(at + 264, 53);
		memcpy(at + 272, &alignment, sizeof alignment);
	}
}

static void describe_events(void)
{
	static const char *const names[] = { "handle", "name", "scope", "seconds" };
	static const int kinds[] = { 0, 4, 4, 5 };
	static const char signature[] = "const void *, handle, const char *, name";

	for (int i = 0; i < EVENTS; i++) {
		unsigned char *request = requests[i];
		int fields = 2 + i % 3;

		sprintf((char *) request + 12, "simulated:event_%d", i);
		put(request + 268, 13);
		put(request + 272, sizeof signature);
		put(request + 276, (uint32_t) (fields * FIELD));
		memcpy(request + 316, signature, sizeof signature);
		for (int k = 0; k < fields; k++)
			describe(request + 316 + sizeof signature + k * FIELD, names[k], kinds[k]);
		signatures[i] = sizeof signature;
		lengths[i] = 316 + sizeof signature + (size_t) (fields * FIELD);
	}
}

// The next request on the notify connection, in as many parts as lttng-ust sends it.
static void ask(struct application *app)
{
	if (app->asked == 0) {
		unsigned char request[48] = { 1 };

		put(request + 4, app->session);
		put(request + 8, app->channel);
		send_all(app->notify, request, sizeof request);
	} else {
		unsigned char *request = requests[app->asked - 1];
		size_t length = lengths[app->asked - 1], signature = signatures[app->asked - 1];

		put(request + 4, app->session);
		put(request + 8, app->channel);
		send_all(app->notify, request, 316);
		send_all(app->notify, request + 316, signature);
		send_all(app->notify, request + 316 + signature, length - 316 - signature);
	}
	app->asked++;
}

static void reply(struct application *app, int32_t code, uint32_t value)
{
	unsigned char bytes[REPLY] = { 0 };

	memcpy(bytes, app->message, 8);
	memcpy(bytes + 8, &code, sizeof code);
	put(bytes + 12, value);
	if (get(app->message + 4) == VERSION) {
		put(bytes + 48, 2);
		put(bytes + 52, 13);
		put(bytes + 56, 5);
	}
	send_all(app->command, bytes, sizeof bytes);
	note('E', NULL, sizeof bytes);
}

static int is_made(uint32_t command)
{
	switch (command) {
	case SESSION: case LIST: case FIELDS: case GROUP: case CHANNEL: case EVENT: case NOTIFIER: case COUNTER:
		return 1;
	}
	return 0;
}

static int has_two_replies(uint32_t command)
{
	switch (command) {
	case GROUP: case NOTIFIER: case CAPTURE: case COUNTER: case COUNTER_CPU:
		return 1;
	}
	return 0;
}

// How many bytes come after the message.
static uint64_t payload(const unsigned char *message)
{
	uint64_t length;

	memcpy(&length, message + 40, sizeof length);
	switch (get(message + 4)) {
	case CHANNEL:
		return length + 1;
	case STREAM: case GROUP: case COUNTER_CPU:
		return 1;
	case FILTER: case CAPTURE:
		return get(message + 40);
	case EXCLUSION:
		return get(message + 40) * UINT64_C(256);
	case NOTIFIER:
		return MESSAGE;
	case COUNTER:
		return 192;
	case CONTEXT:
		return get(message + 40) == 7 ? get(message + 60) + get(message + 64) : 0;
	}
	return 0;
}

// Carries out the command that was read in whole. Returns 0 if its reply has to wait for answers of the daemon.
static int carry_out(struct application *app)
{
	uint32_t handle = get(app->message), command = get(app->message + 4);
	uint32_t made = is_made(command) ? ++app->next_handle : 0;

	if (command == SESSION) {
		app->session = made;
		app->asked = 0;
	} else if (command == CHANNEL) {
		app->channel = made;
	} else if (command == DONE && !app->released) {
		app->released = 1;
		printf("ready %d\n", (int) app->pid);
		fflush(stdout);
	} else if (command == ENABLE && handle == app->session && !app->asked) {
		ask(app);
		return 0;
	}
	reply(app, command == GET || command == GET_FIELD ? -1025 : 0, made);
	return 1;
}

static void take_commands(struct application *app, const unsigned char *bytes, size_t size)
{
	while (size || (app->got == MESSAGE && !app->skip)) {
		if (app->got < MESSAGE) {
			size_t part = MESSAGE - app->got < size ? MESSAGE - app->got : size;

			memcpy(app->message + app->got, bytes, part);
			app->got += part;
			bytes += part;
			size -= part;
			if (app->got < MESSAGE)
				return;
			app->skip = payload(app->message);
			if (has_two_replies(get(app->message + 4)))
				reply(app, 0, 0);
		} else {
			size_t part = app->skip < size ? (size_t) app->skip : size;

			app->skip -= part;
			bytes += part;
			size -= part;
		}
		if (app->got == MESSAGE && !app->skip) {
			int done = carry_out(app);

			app->got = 0;
			if (!done) {
				app->later = size ? malloc(size) : NULL;
				app->later_size = size;
				if (size)
					memcpy(app->later, bytes, size);
				return;
			}
		}
	}
}

static void close_all(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++)
			close(((int *) (void *) CMSG_DATA(c))[i]);
		note('F', NULL, (uint32_t) count);
	}
}

// Returns 0 when the daemon is gone.
static int read_commands(struct application *app)
{
	// Bigger than any burst.
	static unsigned char bytes[1 << 16];
	union { char bytes[256]; struct cmsghdr align; } control;
	struct iovec iovec = { bytes, sizeof bytes };
	struct msghdr message = {
		.msg_iov = &iovec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t size;

	if (record)
		usleep(20000);
	size = recvmsg(app->command, &message, MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN;
	if (size == 0)
		return 0;
	note('C', bytes, (uint32_t) size);
	close_all(&message);
	take_commands(app, bytes, (size_t) size);
	return 1;
}

static int read_answer(struct application *app)
{
	size_t whole = app->asked == 1 ? 48 : 44;
	ssize_t size = recv(app->notify, app->answer + app->answered, whole - app->answered, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN;
	if (size == 0)
		return 0;
	app->answered += (size_t) size;
	if (app->answered < whole)
		return 1;
	app->answered = 0;
	note(app->asked == 1 ? 'N' : 'V', app->answer, (uint32_t) whole);
	if ((int32_t) get(app->answer + 4) < 0) {
		fprintf(stderr, "request %d refused: %d\n", app->asked, (int32_t) get(app->answer + 4));
		exit(1);
	}
	if (app->asked <= EVENTS) {
		ask(app);
	} else {
		uint32_t enable[] = { app->session, ENABLE };
		unsigned char *later = app->later;

		memcpy(app->message, enable, sizeof enable);
		reply(app, 0, 0);
		app->later = NULL;
		take_commands(app, later, later ? app->later_size : 0);
		free(later);
	}
	return 1;
}

static void announce(int fd, uint32_t kind, pid_t pid)
{
	unsigned char bytes[REGISTRATION] = { 0 };
	const uint32_t start[] = {
		0xc57c57c5, 9, 0, (uint32_t) pid, (uint32_t) getppid(), getuid(), getgid(), 64, 8, 8, 8, 8, 8, kind
	};

	memcpy(bytes, start, sizeof start);
	strcpy((char *) bytes + sizeof start, "simulated");
	send_all(fd, bytes, sizeof bytes);
}

// In a process of its own that shares memory and descriptors: the daemon sees its pid.
static int connect_both(void *argument)
{
	struct application *app = argument;

	app->pid = getpid();
	app->command = socket(AF_UNIX, SOCK_STREAM, 0);
	app->notify = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(app->command, (struct sockaddr *) &address, sizeof address))
		_exit(1);
	announce(app->command, 0, app->pid);
	if (connect(app->notify, (struct sockaddr *) &address, sizeof address))
		_exit(1);
	announce(app->notify, 1, app->pid);
	_exit(0);
}

static void launch(struct application *app)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct epoll_event event = { .events = EPOLLIN };

	if (clone(connect_both, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_VFORK | SIGCHLD, app) < 0)
		fail("clone");
	event.data.ptr = app;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, app->command, &event))
		fail("epoll");
	// Applications are at even addresses.
	event.data.ptr = (char *) app + 1;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, app->notify, &event))
		fail("epoll");
}

int main(int argc, char **argv)
{
	int count, launched = 0, released = 0, gone = 0;
	struct epoll_event events[64], input = { .events = EPOLLIN };

	if (argc < 3)
		return 2;
	count = atoi(argv[1]);
	strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
	if (argc > 3 && !(record = fopen(argv[3], "w")))
		fail(argv[3]);
	applications = calloc((size_t) count, sizeof *applications);
	describe_events();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
	while (!gone) {
		while (launched < count && launched - released < PENDING)
			launch(&applications[launched++]);
		int ready = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < ready && !gone; i++) {
			uintptr_t data = (uintptr_t) events[i].data.ptr;
			struct application *app = (void *) (data & ~(uintptr_t) 1);

			if (!app) {
				gone = 1;
				break;
			}
			int before = app->released;
			if (!(data & 1 ? read_answer(app) : read_commands(app)))
				gone = 1;
			released += app->released - before;
		}
	}
	if (record)
		fclose(record);
	return 0;
}
