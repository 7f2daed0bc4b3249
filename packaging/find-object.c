// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libgcc's unwinder asks the C library, and musl does not know: where the tables for unwinding are. For the tests'
 * static programs, which unwind when they fail; the daemon does not. Compiled with glibc's headers, which say how the
 * answer looks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

static int look(struct dl_phdr_info *object, size_t size, void *data)
{
	struct dl_find_object *found = data;
	const char *address = found->dlfo_map_start;

	(void) size;
	found->dlfo_eh_frame = NULL;
	found->dlfo_map_end = NULL;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		char *start = (char *) object->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_GNU_EH_FRAME)
			found->dlfo_eh_frame = start;
		if (header->p_type == PT_LOAD && address >= start && address < start + header->p_memsz)
			found->dlfo_map_end = start + header->p_memsz;
	}
	return found->dlfo_eh_frame && found->dlfo_map_end;
}

int _dl_find_object(void *address, struct dl_find_object *found)
{
	*found = (struct dl_find_object) { .dlfo_map_start = address };
	return dl_iterate_phdr(look, found) ? 0 : -1;
}
