// SPDX-License-Identifier: GPL-2.0-only
// health [alone]: asks the session daemon and, unless it is to be alone, the consumer daemons of applications and of the
// kernel for their health with liblttng-ctl, and prints what each call returned.
#include <stdio.h>

#include <lttng/health.h>

static void ask(const char *whose, struct lttng_health *health)
{
	if (!health) {
		printf("%s: none\n", whose);
		return;
	}
	printf("%s: %d threads, before: %d\n", whose, lttng_health_get_nr_threads(health), lttng_health_state(health));
	if (lttng_health_query(health)) {
		printf("  no answer\n");
	} else {
		printf("  state %d\n", lttng_health_state(health));
		for (int i = 0; i < lttng_health_get_nr_threads(health); i++) {
			const struct lttng_health_thread *thread = lttng_health_get_thread(health, i);
			const char *name = lttng_health_thread_name(thread);

			printf("  %s: %d\n", name ? name : "-", lttng_health_thread_state(thread));
		}
	}
	lttng_health_destroy(health);
}

int main(int argc, char **argv)
{
	(void) argv;
	ask("session daemon", lttng_health_create_sessiond());
	if (argc > 1)
		return 0;
	ask("64-bit consumer daemon", lttng_health_create_consumerd(LTTNG_HEALTH_CONSUMERD_UST_64));
	ask("32-bit consumer daemon", lttng_health_create_consumerd(LTTNG_HEALTH_CONSUMERD_UST_32));
	ask("kernel's consumer daemon", lttng_health_create_consumerd(LTTNG_HEALTH_CONSUMERD_KERNEL));
	return 0;
}
