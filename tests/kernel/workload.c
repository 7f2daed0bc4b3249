// SPDX-License-Identifier: GPL-2.0-only
// workload [WHAT N]...: does exactly so many of each, in this order. Linked statically, so that it makes no system calls
// of its own between.
//
//   open N PATH     openat(AT_FDCWD, PATH, O_RDONLY), and close if it can be opened
//   getpid N        getpid(), or getpgid(0), which few programs call
//   getpgid N
//   test N          N events of the tracepoint `lttng_test_filter_event`
//   hit N           calls of the function `workload_hit`, in which the SDT probes `workload:hit` and `workload:twice`
//                   are, the latter in two places
//   sleep N         milliseconds
//   as N            becomes this user and group
//   name NAME       is called so from now on
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Notes as <sys/sdt.h> makes them: location, base, semaphore; provider, probe, arguments.
#define PROBE(name, semaphore) \
	__asm__ volatile("990: nop\n" \
		".pushsection .note.stapsdt,\"\",\"note\"\n" \
		".balign 4\n" \
		".4byte 992f-991f, 994f-993f, 3\n" \
		"991: .asciz \"stapsdt\"\n" \
		"992: .balign 4\n" \
		"993: .8byte 990b, 0, " semaphore "\n" \
		".asciz \"workload\"\n" \
		".asciz \"" name "\"\n" \
		".asciz \"\"\n" \
		"994: .balign 4\n" \
		".popsection\n")

unsigned short workload_semaphore;

__attribute__((noinline)) void workload_hit(void)
{
	PROBE("hit", "0");
	PROBE("twice", "0");
	PROBE("twice", "0");
	PROBE("guarded", "workload_semaphore");
}

static void test(const char *count)
{
	int fd = open("/proc/lttng-test-filter-event", O_WRONLY);

	if (fd < 0 || write(fd, count, strlen(count)) < 0) {
		perror("/proc/lttng-test-filter-event");
		exit(1);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	for (int at = 1; at + 1 < argc; at += 2) {
		const char *what = argv[at], *word = argv[at + 1];
		long count = atol(word);

		if (!strcmp(what, "open") && at + 2 < argc) {
			for (long i = 0; i < count; i++) {
				int fd = openat(AT_FDCWD, argv[at + 2], O_RDONLY);

				if (fd >= 0)
					close(fd);
			}
			at++;
		} else if (!strcmp(what, "getpid")) {
			for (long i = 0; i < count; i++)
				syscall(SYS_getpid);
		} else if (!strcmp(what, "getpgid")) {
			for (long i = 0; i < count; i++)
				syscall(SYS_getpgid, 0);
		} else if (!strcmp(what, "test")) {
			test(word);
		} else if (!strcmp(what, "hit")) {
			for (long i = 0; i < count; i++)
				workload_hit();
		} else if (!strcmp(what, "sleep")) {
			struct timespec time = { count / 1000, count % 1000 * 1000000 };

			nanosleep(&time, NULL);
		} else if (!strcmp(what, "as")) {
			if (setgid(count) || setuid(count))
				return 1;
		} else if (!strcmp(what, "name")) {
			prctl(PR_SET_NAME, word);
		} else {
			fprintf(stderr, "workload: %s?\n", what);
			return 1;
		}
	}
	return 0;
}
