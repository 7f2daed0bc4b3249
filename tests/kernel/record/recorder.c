// SPDX-License-Identifier: GPL-2.0-only
// recorder.so: preloaded into a dynamically linked session daemon, writes what it asks of the kernel tracer, and what
// it is answered, to the file $LTTNG_RECORD, one line each:
//
//   OBJECT  REQUEST  NUMBER  BEFORE  AFTER  RESULT
//
// OBJECT is a letter for the kind of descriptor, and which one. BEFORE and AFTER are the argument's bytes before and
// after the request, in hexadecimal; zeros at the end are left out, and `=` means unchanged. A RESULT that is a
// descriptor is given as the object that it is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define MOST 4096

static const struct request {
	uint32_t number;
	const char *name;
	// The kind of object that it makes.
	char makes;
} requests[] = {
	{ 0x0000F645, "SESSION", 'S' },
	{ 0x800CF646, "TRACER_VERSION", 0 },
	{ 0x0000F647, "TRACEPOINT_LIST", 'L' },
	{ 0x0000F648, "WAIT_QUIESCENT", 0 },
	{ 0x0000F64A, "SYSCALL_LIST", 'L' },
	{ 0x8008F64B, "TRACER_ABI_VERSION", 0 },
	{ 0x0000F64C, "EVENT_NOTIFIER_GROUP_CREATE", 'G' },
	{ 0x4140F654, "METADATA", 'M' },
	{ 0x4140F655, "CHANNEL", 'C' },
	{ 0x0000F656, "SESSION_START", 0 },
	{ 0x0000F657, "SESSION_STOP", 0 },
	{ 0x4004F658, "SESSION_TRACK_PID", 0 },
	{ 0x4004F659, "SESSION_UNTRACK_PID", 0 },
	{ 0x0000F659, "SESSION_METADATA_REGEN", 0 },
	{ 0x0000F65C, "SESSION_STATEDUMP", 0 },
	{ 0x4100F65D, "SESSION_SET_NAME", 0 },
	{ 0x401AF65E, "SESSION_SET_CREATION_TIME", 0 },
	{ 0x0000F662, "STREAM", 'R' },
	{ 0x4234F663, "EVENT", 'E' },
	{ 0x4134F671, "CONTEXT", 0 },
	{ 0x0000F682, "ENABLE", 0 },
	{ 0x0000F683, "DISABLE", 0 },
	{ 0x40C0F684, "COUNTER", 'K' },
	{ 0x0000F690, "FILTER", 0 },
	{ 0x0000F691, "ADD_CALLSITE", 0 },
	{ 0x4008F6A1, "SESSION_TRACK_ID", 0 },
	{ 0x4008F6A2, "SESSION_UNTRACK_ID", 0 },
	{ 0x425CF6B0, "EVENT_NOTIFIER_CREATE", 'N' },
	{ 0x0000F6B1, "EVENT_NOTIFIER_GROUP_NOTIFICATION_FD", 'F' },
	{ 0x0000F6B8, "CAPTURE", 0 },
	{ 0xC04EF6C1, "COUNTER_AGGREGATE", 0 },
	{ 0x4044F6C2, "COUNTER_CLEAR", 0 },
	{ 0x0000F60C, "FLUSH", 0 },
};

static struct {
	char kind;
	int number;
} objects[DESCRIPTORS];
static int made[128];
static int out = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("LTTNG_RECORD");

	if (path)
		out = fcntl(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), F_DUPFD_CLOEXEC, 1000);
	unsetenv("LD_PRELOAD");
}

static int known(int fd)
{
	return out >= 0 && fd >= 0 && fd < DESCRIPTORS && objects[fd].kind;
}

static void name(FILE *line, int fd)
{
	if (objects[fd].number)
		fprintf(line, "%c%d", objects[fd].kind, objects[fd].number);
	else
		fprintf(line, "%c", objects[fd].kind);
}

static void label(int fd, char kind)
{
	if (fd < 0 || fd >= DESCRIPTORS)
		return;
	objects[fd].kind = kind;
	objects[fd].number = strchr("TGFK", kind) ? 0 : ++made[(int) kind];
}

static void hex(FILE *line, const unsigned char *bytes, size_t length)
{
	while (length && !bytes[length - 1])
		length--;
	fputc('\t', line);
	if (!length)
		fputc('-', line);
	for (size_t i = 0; i < length; i++)
		fprintf(line, "%02x", bytes[i]);
}

static void say(int fd, const char *request, uint32_t number, const void *before, const void *after, size_t length,
		int result, int error, char makes)
{
	char *text = NULL;
	size_t size = 0;
	FILE *line = open_memstream(&text, &size);

	name(line, fd);
	fprintf(line, "\t%s\t", request);
	if (number)
		fprintf(line, "%08x", number);
	else
		fprintf(line, "-");
	hex(line, before, length);
	if (length && memcmp(before, after, length))
		hex(line, after, length);
	else
		fprintf(line, "\t=");
	fputc('\t', line);
	if (result < 0) {
		fprintf(line, "%s", strerrorname_np(error));
	} else if (makes) {
		label(result, makes);
		name(line, result);
	} else {
		fprintf(line, "%d", result);
	}
	fputc('\n', line);
	fclose(line);
	if (write(out, text, size) < 0)
		abort();
	free(text);
}

int ioctl(int fd, unsigned long number, ...)
{
	static int (*real)(int, unsigned long, void *);
	unsigned char before[MOST] = { 0 }, after[MOST] = { 0 };
	size_t length = _IOC_SIZE((uint32_t) number);
	const struct request *request = NULL;
	void *argument;
	va_list list;
	int result, error;

	if (!real)
		real = (int (*)(int, unsigned long, void *)) dlsym(RTLD_NEXT, "ioctl");
	va_start(list, number);
	argument = va_arg(list, void *);
	va_end(list);
	if (!known(fd))
		return real(fd, number, argument);

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
		if (requests[i].number == (uint32_t) number)
			request = &requests[i];
	if ((uint32_t) number == 0x4004F658 || (uint32_t) number == 0x4004F659) {
		int32_t value = (int32_t) (intptr_t) argument;

		memcpy(before, &value, sizeof value);
		memcpy(after, &value, sizeof value);
	} else {
		if ((uint32_t) number == 0xF690 || (uint32_t) number == 0xF6B8) {
			uint32_t data;

			memcpy(&data, argument, sizeof data);
			length = 16 + data;
		} else if ((uint32_t) number == 0xF691) {
			length = 8;
		}
		if (length > MOST)
			length = MOST;
		memcpy(before, argument, length);
	}
	result = real(fd, number, argument);
	error = errno;
	if (length && (uint32_t) number != 0x4004F658 && (uint32_t) number != 0x4004F659)
		memcpy(after, argument, length);
	pthread_mutex_lock(&lock);
	// The buffers of a request that only reads hold what was on the stack before.
	if (_IOC_DIR((uint32_t) number) == _IOC_READ)
		memset(before, 0, length);
	say(fd, request ? request->name : "?", (uint32_t) number, before, after, length, result, error,
	    request ? request->makes : 0);
	pthread_mutex_unlock(&lock);
	errno = error;
	return result;
}

static int opened(int fd, const char *path)
{
	if (out >= 0 && fd >= 0 && !strcmp(path, "/proc/lttng"))
		label(fd, 'T');
	return fd;
}

int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, mode_t);
	mode_t mode;
	va_list list;

	if (!real)
		real = (int (*)(const char *, int, mode_t)) dlsym(RTLD_NEXT, "open");
	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	return opened(real(path, flags, mode), path);
}

int open64(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, mode_t);
	mode_t mode;
	va_list list;

	if (!real)
		real = (int (*)(const char *, int, mode_t)) dlsym(RTLD_NEXT, "open64");
	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	return opened(real(path, flags, mode), path);
}

ssize_t read(int fd, void *buffer, size_t length)
{
	static ssize_t (*real)(int, void *, size_t);
	static unsigned char nothing[MOST];
	ssize_t result;
	int error;

	if (!real)
		real = (ssize_t (*)(int, void *, size_t)) dlsym(RTLD_NEXT, "read");
	result = real(fd, buffer, length);
	error = errno;
	if (known(fd)) {
		pthread_mutex_lock(&lock);
		say(fd, "read", 0, nothing, buffer, result > 0 && result < MOST ? (size_t) result : 0, (int) result,
		    error, 0);
		pthread_mutex_unlock(&lock);
	}
	errno = error;
	return result;
}

int close(int fd)
{
	static int (*real)(int);

	if (!real)
		real = (int (*)(int)) dlsym(RTLD_NEXT, "close");
	// A daemon in the background begins with closing everything.
	if (fd >= 0 && fd == out)
		return 0;
	if (known(fd)) {
		pthread_mutex_lock(&lock);
		say(fd, "close", 0, "", "", 0, 0, 0, 0);
		objects[fd].kind = 0;
		pthread_mutex_unlock(&lock);
	}
	return real(fd);
}
