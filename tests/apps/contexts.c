// SPDX-License-Identifier: GPL-2.0-only
// contexts: prints what the contexts of its events must be, one `NAME VALUE` a line and "." at the end, then
// emits testapp:tick for each command line `tick N`, and ends with the input.
//
// First line of output: "ready PID".
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "testapp.h"

static void show_namespace(const char *name, const char *file)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof path, "/proc/thread-self/ns/%s", file);
	printf("%s %lu\n", name, stat(path, &status) ? 0UL : (unsigned long) status.st_ino);
}

static void *run(void *unused)
{
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;
	char line[64];
	int n;

	getresuid(&uid, &euid, &suid);
	getresgid(&gid, &egid, &sgid);
	printf("vpid %d\nvtid %ld\n", (int) getpid(), syscall(SYS_gettid));
	printf("pthread_id %lu\n", (unsigned long) pthread_self());
	printf("vuid %u\nveuid %u\nvsuid %u\n", uid, euid, suid);
	printf("vgid %u\nvegid %u\nvsgid %u\n", gid, egid, sgid);
	show_namespace("cgroup_ns", "cgroup");
	show_namespace("ipc_ns", "ipc");
	show_namespace("mnt_ns", "mnt");
	show_namespace("net_ns", "net");
	show_namespace("pid_ns", "pid");
	show_namespace("time_ns", "time");
	show_namespace("user_ns", "user");
	show_namespace("uts_ns", "uts");
	puts(".");
	while (fgets(line, sizeof line, stdin) && sscanf(line, "tick %d", &n) == 1) {
		lttng_ust_tracepoint(testapp, tick, n);
		puts("done");
	}
	return unused;
}

/* Another thread than the first: its ids are its own. */
int main(void)
{
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	if (pthread_create(&thread, NULL, run, NULL) || pthread_join(thread, NULL))
		return 1;
	puts("bye");
	return 0;
}
