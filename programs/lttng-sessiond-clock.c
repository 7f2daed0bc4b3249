/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads a clock plug-in of LTTng-UST and says what clock it brings.
 *
 * The session daemon is one static binary, which can't load a plug-in; this program does it once, when the daemon starts,
 * and exits. It takes the place of liblttng-ust-common: the functions with which a plug-in hands over its callbacks are its
 * own, and neither the tracer nor its headers are needed.
 *
 * Usage: lttng-sessiond-clock PLUGIN
 * Output: five texts, each with a 0 behind it: name, uuid (empty: none), description, ticks per second, and by how many
 * ticks the clock is behind CLOCK_MONOTONIC. Before them a 0 if the plug-in sets no clock, and nothing else then.
 * On failure: the reason, and status 1.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of the plug-in interface: with the 0 at the end. */
#define UUID_LENGTH 37
#define SAMPLES 10

typedef uint64_t (*read64_function)(void);
typedef uint64_t (*freq_function)(void);
typedef int (*uuid_function)(char *uuid);
typedef const char *(*text_function)(void);

static uint64_t monotonic(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint64_t nanoseconds(void)
{
	return 1000000000;
}

static const char *usual_name(void)
{
	return "monotonic";
}

static const char *usual_description(void)
{
	return "Monotonic Clock";
}

static int boot_id(char *uuid)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
	size_t length;

	if (!file)
		return -ENOENT;
	length = fread(uuid, 1, UUID_LENGTH - 1, file);
	fclose(file);
	uuid[length] = '\0';
	return length == UUID_LENGTH - 1 ? 0 : -EINVAL;
}

/* What a plug-in has not set is that of the usual clock, which it may look at. */
static read64_function read64 = monotonic;
static freq_function freq = nanoseconds;
static uuid_function uuid = boot_id;
static text_function name = usual_name;
static text_function description = usual_description;
static int enabled;

/* What was set: a clock is complete or none. */
enum {
	read64_set = 1 << 0,
	freq_set = 1 << 1,
	uuid_set = 1 << 2,
	name_set = 1 << 3,
	description_set = 1 << 4,
	all_set = (1 << 5) - 1,
};
static unsigned set;

/* Standard output as it was: what a plug-in prints there must not be taken for an answer. */
static FILE *answer;

/* The interface of plug-ins: nothing can be set any more once the clock is in use. */
#define CALLBACK(what, type)                                                  \
	int lttng_ust_trace_clock_set_##what##_cb(type callback);             \
	int lttng_ust_trace_clock_get_##what##_cb(type *callback);            \
	int lttng_ust_trace_clock_set_##what##_cb(type callback)              \
	{                                                                     \
		if (enabled)                                                  \
			return -EBUSY;                                        \
		what = callback;                                              \
		if (callback)                                                 \
			set |= what##_set;                                    \
		else                                                          \
			set &= ~what##_set;                                   \
		return 0;                                                     \
	}                                                                     \
	int lttng_ust_trace_clock_get_##what##_cb(type *callback)             \
	{                                                                     \
		if (!callback)                                                \
			return -EINVAL;                                       \
		*callback = what;                                             \
		return 0;                                                     \
	}

CALLBACK(read64, read64_function)
CALLBACK(freq, freq_function)
CALLBACK(uuid, uuid_function)
CALLBACK(name, text_function)
CALLBACK(description, text_function)

int lttng_ust_enable_trace_clock_override(void);
int lttng_ust_enable_trace_clock_override(void)
{
	if (enabled)
		return -EBUSY;
	if (set != all_set)
		return -EINVAL;
	enabled = 1;
	return 0;
}

/* Skips destructors: those of a tracer that came with the plug-in may wait for others. */
static void leave(int status)
{
	fflush(answer);
	_exit(status);
}

static void fail(const char *reason)
{
	fputs(reason, answer);
	leave(1);
}

/* Ticks that pass in so many nanoseconds; on 32-bit machines there are no numbers of 128 bits. */
static int64_t ticks(uint64_t time, uint64_t per_second)
{
	const uint64_t second = 1000000000;
	const uint64_t rest = time % second;
	const uint64_t whole = per_second / second, part = per_second % second;

	return (int64_t) (time / second * per_second + rest * whole + rest * part / second);
}

/* The tightest of some samples counts, the later one of two that are equally tight. */
static int64_t behind(uint64_t per_second)
{
	uint64_t best = UINT64_MAX;
	int64_t result = 0;

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t before = read64();
		uint64_t time = monotonic();
		uint64_t after = read64();

		if (after - before <= best) {
			best = after - before;
			result = ticks(time, per_second) - (int64_t) (before + (after - before) / 2);
		}
	}
	return result;
}

static void tell(const char *text)
{
	fputs(text ? text : "", answer);
	putc('\0', answer);
}

int main(int argc, char **argv)
{
	char id[UUID_LENGTH] = "";
	uint64_t per_second;
	void *plugin;
	void (*init)(void);

	answer = fdopen(dup(STDOUT_FILENO), "w");
	if (!answer || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return 1;
	if (argc != 2)
		fail("usage: lttng-sessiond-clock PLUGIN");
	plugin = dlopen(argv[1], RTLD_NOW);
	if (!plugin)
		fail(dlerror());
	init = (void (*)(void)) dlsym(plugin, "lttng_ust_clock_plugin_init");
	if (!init)
		fail("it has no function lttng_ust_clock_plugin_init");
	init();
	if (!enabled) {
		putc('\0', answer);
		leave(0);
	}
	per_second = freq();
	if (!per_second)
		fail("its clock has no frequency");
	tell(name());
	tell(uuid(id) ? "" : (id[UUID_LENGTH - 1] = '\0', id));
	tell(description());
	fprintf(answer, "%" PRIu64 "%c%" PRId64 "%c", per_second, 0, behind(per_second), 0);
	leave(0);
}
