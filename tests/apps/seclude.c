// SPDX-License-Identifier: GPL-2.0-only
// seclude FOLDER...: makes everything in this mount namespace read-only but these folders and what is below them on the
// same mount.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not from <sys/mount.h>, which does not go together with the kernel's header everywhere. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
#define BIND 4096
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int set(const char *path, unsigned int flags, struct mount_attr attr)
{
	if (syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof attr) == 0)
		return 0;
	fprintf(stderr, "seclude: %s: %s\n", path, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (mount(argv[i], argv[i], NULL, BIND, NULL)) {
			perror(argv[i]);
			return 1;
		}
	}
	failed |= set("/", AT_RECURSIVE, (struct mount_attr) { .attr_set = MOUNT_ATTR_RDONLY });
	for (int i = 1; i < argc; i++)
		failed |= set(argv[i], 0, (struct mount_attr) { .attr_clr = MOUNT_ATTR_RDONLY });
	return failed;
}
