// SPDX-License-Identifier: GPL-2.0-only
// control DIRECTORY: calls functions of liblttng-ctl that the lttng command does not call, or not like this, and
// prints what each returned. It needs an application with the provider `testapp` and its pid does not matter.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lttng/lttng.h>

#define SAY(call) printf("%s: %d\n", #call, (int) (call))

static struct lttng_domain ust = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };

static void list_sessions(void)
{
	struct lttng_session *sessions = NULL;
	int count = lttng_list_sessions(&sessions);

	printf("sessions: %d\n", count);
	for (int i = 0; i < count; i++)
		printf("  %s %s enabled=%u snapshot=%u live=%u\n", sessions[i].name, sessions[i].path,
			sessions[i].enabled, sessions[i].snapshot_mode, sessions[i].live_timer_interval);
	free(sessions);
}

static void list_domains(const char *name)
{
	struct lttng_domain *domains = NULL;
	int count = lttng_list_domains(name, &domains);

	printf("domains of %s: %d\n", name, count);
	for (int i = 0; i < count; i++)
		printf("  type=%d buffers=%d\n", domains[i].type, domains[i].buf_type);
	if (count > 0)
		free(domains);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lttng_channel *) a)->name, ((const struct lttng_channel *) b)->name);
}

static void list_channels(struct lttng_handle *handle)
{
	struct lttng_channel *channels = NULL;
	int count = lttng_list_channels(handle, &channels);

	printf("channels: %d\n", count);
	if (count > 0)
		qsort(channels, count, sizeof *channels, by_name);
	for (int i = 0; i < count; i++) {
		struct lttng_channel_attr *a = &channels[i].attr;
		uint64_t discarded = 99, lost = 99, monitor = 99;
		int64_t blocking = 99;

		SAY(lttng_channel_get_discarded_event_count(&channels[i], &discarded));
		SAY(lttng_channel_get_lost_packet_count(&channels[i], &lost));
		SAY(lttng_channel_get_monitor_timer_interval(&channels[i], &monitor));
		SAY(lttng_channel_get_blocking_timeout(&channels[i], &blocking));
		printf("  %s enabled=%u overwrite=%d size=%" PRIu64 " count=%" PRIu64 " switch=%u read=%u output=%d "
			"files=%" PRIu64 "*%" PRIu64 " live=%u lost=%" PRIu64 "/%" PRIu64 " monitor=%" PRIu64
			" blocking=%" PRId64 "\n",
			channels[i].name, channels[i].enabled, a->overwrite, a->subbuf_size, a->num_subbuf,
			a->switch_timer_interval, a->read_timer_interval, a->output, a->tracefile_size,
			a->tracefile_count, a->live_timer_interval, discarded, lost, monitor, blocking);
	}
	free(channels);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Channels and rules come in no defined order. */
static void list_events(struct lttng_handle *handle, const char *channel)
{
	struct lttng_event *events = NULL;
	int count = lttng_list_events(handle, channel, &events);
	char *lines[64];

	printf("events of `%s`: %d\n", channel, count);
	for (int i = 0; i < count && i < 64; i++) {
		const char *filter = NULL;
		int type = events[i].type;
		/* Types of the kernel, which user space has no use for. */
		int probe = type == LTTNG_EVENT_PROBE || type == LTTNG_EVENT_FUNCTION;

		lttng_event_get_filter_expression(&events[i], &filter);
		if (asprintf(&lines[i], "  %s type=%d probe=%s,%" PRIx64 ",%" PRIx64 " level=%d,%d enabled=%d pid=%d filter=%u:%s exclusion=%u flags=%d",
				events[i].name, type, probe ? events[i].attr.probe.symbol_name : "-",
				probe ? events[i].attr.probe.addr : 0, probe ? events[i].attr.probe.offset : 0,
				events[i].loglevel_type, events[i].loglevel,
				events[i].enabled, (int) events[i].pid, events[i].filter, filter ? filter : "-",
				events[i].exclusion, events[i].flags) < 0)
			abort();
	}
	if (count > 0)
		qsort(lines, count, sizeof *lines, by_text);
	for (int i = 0; i < count; i++) {
		puts(lines[i]);
		free(lines[i]);
	}
	if (count > 0)
		free(events);
}

static void sessions(const char *directory)
{
	char url[512];

	snprintf(url, sizeof url, "file://%s/one", directory);
	SAY(lttng_session_daemon_alive());
	SAY(lttng_set_tracing_group("tracing"));
	SAY(lttng_create_session("one", url));
	SAY(lttng_create_session("one", url));
	SAY(lttng_create_session("bad", "nonsense://x"));
	SAY(lttng_create_session("bad", "relative"));
	list_sessions();
	list_domains("one");
	list_domains("none");
	SAY(lttng_set_session_shm_path("none", "/tmp"));
	SAY(lttng_start_tracing("none"));
	SAY(lttng_start_tracing("one"));
	SAY(lttng_stop_tracing("one"));
	SAY(lttng_data_pending("one"));
	SAY(lttng_data_pending("none"));
	SAY(lttng_destroy_session("none"));
	SAY(lttng_destroy_session_no_wait("none"));
	SAY(lttng_calibrate(NULL, NULL));
}

static void channels(struct lttng_handle *handle)
{
	struct lttng_channel channel = { .name = "by-hand" };
	struct lttng_channel *made = lttng_channel_create(&ust);

	lttng_channel_set_default_attr(&ust, &channel.attr);
	SAY(lttng_enable_channel(handle, &channel));
	SAY(lttng_enable_channel(handle, &channel));
	strcpy(made->name, "made");
	made->attr.subbuf_size = 5000;
	made->attr.num_subbuf = 3;
	made->attr.read_timer_interval = 7;
	made->attr.switch_timer_interval = 100000;
	SAY(lttng_enable_channel(handle, made));
	made->attr.subbuf_size = 8192;
	SAY(lttng_enable_channel(handle, made));
	strcpy(made->name, "made2");
	SAY(lttng_enable_channel(handle, made));
	made->attr.num_subbuf = 4;
	SAY(lttng_channel_set_blocking_timeout(made, -1));
	SAY(lttng_channel_set_monitor_timer_interval(made, 12345));
	SAY(lttng_enable_channel(handle, made));
	made->attr.tracefile_count = 3;
	strcpy(made->name, "made3");
	SAY(lttng_enable_channel(handle, made));
	made->attr.tracefile_count = 0;
	made->attr.tracefile_size = 100;
	SAY(lttng_enable_channel(handle, made));
	made->attr.tracefile_size = 0;
	made->attr.overwrite = -1;
	strcpy(made->name, "made4");
	SAY(lttng_enable_channel(handle, made));
	made->attr.output = LTTNG_EVENT_SPLICE;
	strcpy(made->name, "made5");
	SAY(lttng_enable_channel(handle, made));
	lttng_channel_destroy(made);
	memset(&channel, 0, sizeof channel);
	strcpy(channel.name, "zero");
	SAY(lttng_enable_channel(handle, &channel));
	channel.name[0] = 0;
	SAY(lttng_enable_channel(handle, &channel));
	SAY(lttng_disable_channel(handle, "by-hand"));
	SAY(lttng_disable_channel(handle, "none"));
	list_channels(handle);
	list_domains("one");
}

static void rules(struct lttng_handle *handle)
{
	struct lttng_event event = { .type = LTTNG_EVENT_TRACEPOINT, .name = "testapp:tick", .loglevel = -1 };
	struct lttng_event all = { .type = LTTNG_EVENT_ALL, .loglevel = -1 };

	SAY(lttng_enable_event(handle, &event, "by-hand"));
	SAY(lttng_enable_event(handle, &event, "by-hand"));
	SAY(lttng_enable_event(handle, &event, NULL));
	SAY(lttng_enable_event(handle, &event, ""));
	SAY(lttng_enable_event(handle, &event, "implicit"));
	SAY(lttng_enable_event_with_filter(handle, &event, "by-hand", "n > 3"));
	SAY(lttng_enable_event_with_exclusions(handle, &event, "by-hand", NULL, 0, NULL));
	event.loglevel_type = LTTNG_EVENT_LOGLEVEL_RANGE;
	for (int level = -2; level < 17; level += 3) {
		event.loglevel = level;
		SAY(lttng_enable_event(handle, &event, "by-hand"));
	}
	event.loglevel_type = 7;
	SAY(lttng_enable_event(handle, &event, "by-hand"));
	event.loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	event.loglevel = 6;
	SAY(lttng_enable_event(handle, &event, "by-hand"));
	for (int type = -1; type < LTTNG_EVENT_USERSPACE_PROBE; type++) {
		event.type = type;
		snprintf(event.name, sizeof event.name, "type:%d", type);
		memset(&event.attr, 0, sizeof event.attr);
		SAY(lttng_enable_event(handle, &event, "by-hand"));
		SAY(lttng_enable_event(handle, &event, "by-hand"));
		event.attr.probe.addr = 0x1000;
		event.name[4] = '=';
		SAY(lttng_enable_event(handle, &event, "by-hand"));
	}
	event.type = LTTNG_EVENT_TRACEPOINT;
	event.name[0] = 0;
	SAY(lttng_enable_event(handle, &event, "by-hand"));
	memset(event.name, 'x', sizeof event.name - 1);
	SAY(lttng_enable_event(handle, &event, "by-hand"));
	list_events(handle, "by-hand");
	list_events(handle, "implicit");

	SAY(lttng_disable_event(handle, "type:0", "by-hand"));
	SAY(lttng_disable_event(handle, "none", "by-hand"));
	SAY(lttng_disable_event(handle, "type:0", NULL));
	SAY(lttng_disable_event_ext(handle, &event, "by-hand", NULL));
	SAY(lttng_disable_event_ext(handle, &all, "by-hand", "n > 3"));
	strcpy(all.name, "testapp:tick");
	all.loglevel_type = LTTNG_EVENT_LOGLEVEL_RANGE;
	SAY(lttng_disable_event_ext(handle, &all, "by-hand", NULL));
	all.loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	all.loglevel = 6;
	SAY(lttng_disable_event_ext(handle, &all, "by-hand", NULL));
	all.loglevel = -1;
	all.type = LTTNG_EVENT_TRACEPOINT;
	SAY(lttng_disable_event_ext(handle, &all, "by-hand", NULL));
	SAY(lttng_disable_event(handle, NULL, "implicit"));
	list_events(handle, "by-hand");
	list_events(handle, "implicit");
}

static void contexts_and_trackers(struct lttng_handle *handle)
{
	struct lttng_event_context context = { .ctx = LTTNG_EVENT_CONTEXT_VPID };
	int32_t *pids = NULL;
	size_t count = 0;
	int enabled = 9;

	SAY(lttng_add_context(handle, &context, NULL, NULL));
	SAY(lttng_add_context(handle, &context, "testapp:tick", "by-hand"));
	context.ctx = LTTNG_EVENT_CONTEXT_VTID;
	SAY(lttng_add_context(handle, &context, "testapp:tick", "by-hand"));
	SAY(lttng_add_context(handle, &context, NULL, "none"));
	for (int ctx = -1; ctx < 44; ctx++) {
		if (ctx == LTTNG_EVENT_CONTEXT_APP_CONTEXT)
			continue;
		memset(&context, 0, sizeof context);
		context.ctx = ctx;
		printf("context %d: %d\n", ctx, lttng_add_context(handle, &context, NULL, "implicit"));
	}
	SAY(lttng_list_tracker_pids(handle, &enabled, &pids, &count));
	printf("  enabled=%d count=%zu\n", enabled, count);
	SAY(lttng_track_pid(handle, 17));
	SAY(lttng_track_pid(handle, 17));
	SAY(lttng_track_pid(handle, 0));
	SAY(lttng_list_tracker_pids(handle, &enabled, &pids, &count));
	printf("  enabled=%d count=%zu\n", enabled, count);
	SAY(lttng_untrack_pid(handle, 18));
	SAY(lttng_untrack_pid(handle, -1));
	SAY(lttng_list_tracker_pids(handle, &enabled, &pids, &count));
	printf("  enabled=%d count=%zu\n", enabled, count);
	SAY(lttng_track_pid(handle, -1));
	SAY(lttng_list_tracker_pids(handle, &enabled, &pids, &count));
	printf("  enabled=%d count=%zu\n", enabled, count);
}

static void tracepoints(struct lttng_handle *handle)
{
	struct lttng_event *events = NULL;
	struct lttng_event_field *fields = NULL;
	int count = lttng_list_tracepoints(handle, &events);

	for (int i = 0; i < count; i++)
		if (!strncmp(events[i].name, "testapp:", 8))
			printf("  %s type=%d level=%d,%d enabled=%d pid=%d\n", events[i].name, events[i].type,
				events[i].loglevel_type, events[i].loglevel, events[i].enabled, events[i].pid > 1);
	count = lttng_list_tracepoint_fields(handle, &fields);
	for (int i = 0; i < count; i++)
		if (!strncmp(fields[i].event.name, "testapp:", 8))
			printf("  %s.%s type=%d nowrite=%d level=%d\n", fields[i].event.name, fields[i].field_name,
				fields[i].type, fields[i].nowrite, fields[i].event.loglevel);
}

static void recording(void)
{
	SAY(lttng_regenerate_metadata("one"));
	SAY(lttng_start_tracing("one"));
	SAY(lttng_start_tracing("one"));
	SAY(lttng_regenerate_metadata("one"));
	SAY(lttng_metadata_regenerate("one"));
	SAY(lttng_regenerate_statedump("one"));
	SAY(lttng_stop_tracing_no_wait("one"));
	SAY(lttng_stop_tracing("one"));
	SAY(lttng_regenerate_statedump("one"));
	SAY(lttng_set_session_shm_path("one", "/tmp"));
	SAY(lttng_destroy_session_no_wait("one"));
	SAY(lttng_destroy_session("one"));
	list_sessions();
}

int main(int argc, char **argv)
{
	struct lttng_handle *handle = lttng_create_handle("one", &ust);
	struct lttng_handle *no_session = lttng_create_handle("none", &ust);

	if (argc < 2 || !handle || !no_session)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sessions(argv[1]);
	SAY(lttng_list_channels(no_session, NULL));
	channels(handle);
	rules(handle);
	contexts_and_trackers(handle);
	tracepoints(handle);
	recording();
	return 0;
}
