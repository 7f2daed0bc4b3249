// SPDX-License-Identifier: GPL-2.0-only
// loader LIBRARY: loads and unloads a library with a tracepoint provider, as told on stdin:
//
//   load | unload | emit FIRST COUNT | exit
//
// First line of output: "ready PID"; then one line for each command.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[64];
	void *library = NULL;
	void (*emit)(int) = NULL;
	int first, count;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "load\n")) {
			library = dlopen(argv[1], RTLD_NOW);
			emit = library ? (void (*)(int)) dlsym(library, "library_emit") : NULL;
			puts(emit ? "done" : dlerror());
		} else if (!strcmp(line, "unload\n")) {
			puts(library && !dlclose(library) ? "done" : "failed");
			library = NULL;
			emit = NULL;
		} else if (sscanf(line, "emit %d %d", &first, &count) == 2) {
			for (int i = 0; emit && i < count; i++)
				emit(first + i);
			puts(emit ? "done" : "not loaded");
		} else {
			break;
		}
	}
	puts("bye");
	return 0;
}
