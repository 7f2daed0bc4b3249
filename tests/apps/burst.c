// SPDX-License-Identifier: GPL-2.0-only
// burst FIRST COUNT: emits testapp:tick n=FIRST.. as fast as it can and exits.
#include <stdlib.h>

#include "testapp.h"

int main(int argc, char **argv)
{
	int first = argc > 1 ? atoi(argv[1]) : 0;
	int count = argc > 2 ? atoi(argv[2]) : 1;

	for (int i = 0; i < count; i++)
		lttng_ust_tracepoint(testapp, tick, first + i);
	return 0;
}
