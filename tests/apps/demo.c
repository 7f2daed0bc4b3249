// SPDX-License-Identifier: GPL-2.0-only
// The demonstration program: a shop that takes a few orders and closes.
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "demo-tp.h"

int main(void)
{
	static const char *const items[] = { "tea", "bread", "honey", "apples" };
	int orders = 0;

	for (; orders < 4; orders++)
		lttng_ust_tracepoint(shop, order, orders + 1, items[orders], 1.25 * (orders + 1));
	lttng_ust_tracepoint(shop, closed, orders);
	return 0;
}
