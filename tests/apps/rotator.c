// SPDX-License-Identifier: GPL-2.0-only
// rotator DIRECTORY: rotates, clears and destroys sessions with liblttng-ctl, in ways that the lttng command does not,
// and prints what each call returned.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lttng/lttng.h>

#define SAY(call) printf("%s: %d\n", #call, (int) (call))

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* Asks until the rotation is over, then says what it came to. */
static void wait_for(struct lttng_rotation_handle *handle)
{
	enum lttng_rotation_state state = LTTNG_ROTATION_STATE_ONGOING;
	enum lttng_rotation_status status = LTTNG_ROTATION_STATUS_OK;
	const struct lttng_trace_archive_location *location = NULL;
	const char *path = NULL;

	for (int i = 0; i < 1000 && state == LTTNG_ROTATION_STATE_ONGOING; i++) {
		status = lttng_rotation_handle_get_state(handle, &state);
		if (status != LTTNG_ROTATION_STATUS_OK)
			break;
		pause_ms(20);
	}
	printf("  status=%d state=%d\n", status, state);
	SAY(lttng_rotation_handle_get_archive_location(handle, &location));
	if (!location)
		return;
	SAY(lttng_trace_archive_location_get_type(location));
	SAY(lttng_trace_archive_location_local_get_absolute_path(location, &path));
	printf("  %s\n", path ? path : "-");
}

static struct lttng_rotation_handle *rotate(const char *name)
{
	struct lttng_rotation_handle *handle = NULL;

	SAY(lttng_rotate_session(name, NULL, &handle));
	if (handle)
		wait_for(handle);
	return handle;
}

static void clear(const char *name)
{
	struct lttng_clear_handle *handle = NULL;
	enum lttng_error_code code = 0;

	SAY(lttng_clear_session(name, &handle));
	if (!handle)
		return;
	SAY(lttng_clear_handle_wait_for_completion(handle, -1));
	SAY(lttng_clear_handle_get_result(handle, &code));
	printf("  code=%d\n", code);
	lttng_clear_handle_destroy(handle);
}

static void destroy(const char *name)
{
	struct lttng_destruction_handle *handle = NULL;
	const struct lttng_trace_archive_location *location = NULL;
	enum lttng_rotation_state state = 77;
	enum lttng_error_code code = 0;
	const char *path = NULL;

	SAY(lttng_destroy_session_ext(name, &handle));
	if (!handle)
		return;
	SAY(lttng_destruction_handle_wait_for_completion(handle, -1));
	SAY(lttng_destruction_handle_get_result(handle, &code));
	SAY(lttng_destruction_handle_get_rotation_state(handle, &state));
	SAY(lttng_destruction_handle_get_archive_location(handle, &location));
	printf("  code=%d state=%d\n", code, state);
	if (location) {
		SAY(lttng_trace_archive_location_local_get_absolute_path(location, &path));
		printf("  %s\n", path ? path : "-");
	}
	lttng_destruction_handle_destroy(handle);
}

static void list(const char *name)
{
	struct lttng_rotation_schedules *schedules = NULL;
	unsigned int count = 0;

	SAY(lttng_session_list_rotation_schedules(name, &schedules));
	if (!schedules)
		return;
	SAY(lttng_rotation_schedules_get_count(schedules, &count));
	for (unsigned int i = 0; i < count; i++) {
		const struct lttng_rotation_schedule *one = lttng_rotation_schedules_get_at_index(schedules, i);
		uint64_t value = 0;

		if (lttng_rotation_schedule_get_type(one) == LTTNG_ROTATION_SCHEDULE_TYPE_PERIODIC)
			SAY(lttng_rotation_schedule_periodic_get_period(one, &value));
		else
			SAY(lttng_rotation_schedule_size_threshold_get_threshold(one, &value));
		printf("  %" PRIu64 "\n", value);
	}
	lttng_rotation_schedules_destroy(schedules);
}

static void schedules(const char *name)
{
	static const uint64_t values[] = { 1, 4096, 4294967294, 4294967295, 4294967296, UINT64_MAX - 1 };

	list(name);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct lttng_rotation_schedule *size = lttng_rotation_schedule_size_threshold_create();
		struct lttng_rotation_schedule *time = lttng_rotation_schedule_periodic_create();
		struct lttng_rotation_schedule *other = lttng_rotation_schedule_periodic_create();

		printf("value %zu\n", i);
		SAY(lttng_session_add_rotation_schedule(name, size));
		SAY(lttng_rotation_schedule_size_threshold_set_threshold(size, values[i]));
		SAY(lttng_rotation_schedule_periodic_set_period(time, values[i]));
		SAY(lttng_rotation_schedule_periodic_set_period(other, 77777777));
		SAY(lttng_session_remove_rotation_schedule(name, size));
		SAY(lttng_session_add_rotation_schedule(name, size));
		SAY(lttng_session_add_rotation_schedule(name, size));
		SAY(lttng_session_add_rotation_schedule(name, time));
		SAY(lttng_session_add_rotation_schedule(name, other));
		SAY(lttng_session_remove_rotation_schedule(name, other));
		list(name);
		SAY(lttng_session_remove_rotation_schedule(name, size));
		SAY(lttng_session_remove_rotation_schedule(name, size));
		list(name);
		SAY(lttng_session_remove_rotation_schedule(name, time));
		lttng_rotation_schedule_destroy(size);
		lttng_rotation_schedule_destroy(time);
		lttng_rotation_schedule_destroy(other);
	}
	list(name);
}

static void make(const char *name, const char *directory)
{
	struct lttng_domain ust = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };
	struct lttng_event event = { .type = LTTNG_EVENT_TRACEPOINT, .name = "testapp:tick", .loglevel = -1 };
	struct lttng_handle *handle = lttng_create_handle(name, &ust);
	char path[4096];

	snprintf(path, sizeof path, "file://%s/%s", directory, name);
	SAY(lttng_create_session(name, path));
	SAY(lttng_enable_event(handle, &event, NULL));
	lttng_destroy_handle(handle);
}

int main(int argc, char **argv)
{
	struct lttng_rotation_handle *first, *second;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	rotate("one");
	clear("one");
	destroy("one");
	list("one");
	make("one", argv[1]);
	rotate("one");
	clear("one");
	schedules("one");
	SAY(lttng_start_tracing("one"));
	first = rotate("one");
	second = rotate("one");
	wait_for(first);
	clear("one");
	wait_for(second);
	SAY(lttng_stop_tracing("one"));
	clear("one");
	clear("one");
	rotate("one");
	wait_for(second);
	SAY(lttng_start_tracing("one"));
	rotate("one");
	SAY(lttng_stop_tracing("one"));
	rotate("one");
	rotate("one");
	clear("one");
	SAY(lttng_start_tracing("one"));
	wait_for(second);
	destroy("one");
	wait_for(second);
	make("two", argv[1]);
	destroy("two");
	make("two", argv[1]);
	SAY(lttng_start_tracing("two"));
	destroy("two");
	lttng_rotation_handle_destroy(first);
	lttng_rotation_handle_destroy(second);
	return 0;
}
