// SPDX-License-Identifier: GPL-2.0-only
// set-url SESSION DOMAIN CONTROL [DATA]: lttng_set_consumer_url(), which the lttng command has no word for. DOMAIN is
// "ust" or "none". Prints what it returned.
#include <lttng/lttng.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct lttng_domain domain;
	struct lttng_handle *handle;

	if (argc < 4)
		return 2;
	memset(&domain, 0, sizeof(domain));
	domain.type = strcmp(argv[2], "ust") == 0 ? LTTNG_DOMAIN_UST : LTTNG_DOMAIN_NONE;
	domain.buf_type = LTTNG_BUFFER_PER_UID;
	handle = lttng_create_handle(argv[1], &domain);
	if (!handle)
		return 2;
	printf("%d\n", lttng_set_consumer_url(handle, argv[3], argc > 4 ? argv[4] : NULL));
	lttng_destroy_handle(handle);
	return 0;
}
