// SPDX-License-Identifier: GPL-2.0-only
// reckless: an application that does to itself what the tracer does not expect. Commands on stdin, one answer
// line each:
//
//   tick FIRST COUNT   testapp:tick n=FIRST..
//   close              closes every descriptor from 3 on
//   unmap              unmaps the tracer's shared memory
//   become UID         changes its user for good
//   chroot PATH        changes its root directory
//   exit
//
// First line of output: "ready PID".
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testapp.h"

static void close_all(void)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

/* Every mapping of a file of /dev/shm whose name is the tracer's. */
static int unmap_all(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from[1024], to[1024];
	char line[512];
	int count = 0;

	while (maps && count < 1024 && fgets(line, sizeof line, maps))
		if (strstr(line, "shm-ust-consumer") && sscanf(line, "%lx-%lx", &from[count], &to[count]) == 2)
			count++;
	if (maps)
		fclose(maps);
	for (int i = 0; i < count; i++)
		munmap((void *) from[i], to[i] - from[i]);
	return count;
}

int main(void)
{
	char line[256], path[200];
	int first, count;
	unsigned int uid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "tick %d %d", &first, &count) == 2) {
			for (int i = 0; i < count; i++)
				lttng_ust_tracepoint(testapp, tick, first + i);
			puts("done");
		} else if (!strcmp(line, "close\n")) {
			close_all();
			puts("done");
		} else if (!strcmp(line, "unmap\n")) {
			puts(unmap_all() ? "done" : "nothing is mapped");
		} else if (sscanf(line, "become %u", &uid) == 1) {
			puts(setgroups(0, NULL) || setgid(uid) || setuid(uid) ? "refused" : "done");
		} else if (sscanf(line, "chroot %199s", path) == 1) {
			puts(chroot(path) || chdir("/") ? "refused" : "done");
		} else {
			break;
		}
	}
	puts("bye");
	return 0;
}
