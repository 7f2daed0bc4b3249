// SPDX-License-Identifier: GPL-2.0-only
// domains SESSION: asks liblttng-ctl for what `lttng` does not ask for in the domains of logging agents. First line of
// output: "ready PID". Then commands on stdin, one line each, one answer line each: what the library returned, and more.
//
//   enable-channel DOMAIN NAME        DOMAIN: jul, log4j, python, ust
//   disable-channel DOMAIN NAME
//   channels DOMAIN                   the names of its channels
//   events DOMAIN CHANNEL             the names of its events
//   context DOMAIN CHANNEL            adds the virtual process id; CHANNEL may be -
//   app-context DOMAIN CHANNEL        adds $app.prov:name
//   enable DOMAIN CHANNEL NAME        a rule about a logger
//   disable DOMAIN CHANNEL NAME
//   trigger DOMAIN NAME LEVEL         tells of records of this logger from this level on; the trigger's name is DOMAIN
//   exit
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lttng/lttng.h>

static enum lttng_domain_type domain_type(const char *name)
{
	if (!strcmp(name, "jul"))
		return LTTNG_DOMAIN_JUL;
	if (!strcmp(name, "log4j"))
		return LTTNG_DOMAIN_LOG4J;
	if (!strcmp(name, "python"))
		return LTTNG_DOMAIN_PYTHON;
	return LTTNG_DOMAIN_UST;
}

static int enable_channel(struct lttng_handle *handle, const char *name)
{
	/* The library makes none for other domains. */
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };
	struct lttng_channel *channel = lttng_channel_create(&domain);
	int code;

	if (!channel)
		return -1;
	snprintf(channel->name, sizeof channel->name, "%s", name);
	code = lttng_enable_channel(handle, channel);
	lttng_channel_destroy(channel);
	return code;
}

static void channels(struct lttng_handle *handle)
{
	struct lttng_channel *all = NULL;
	int count = lttng_list_channels(handle, &all);

	printf("%d", count);
	for (int i = 0; i < count; i++)
		printf(" %s", all[i].name);
	printf("\n");
	free(all);
}

static void events(struct lttng_handle *handle, const char *channel)
{
	struct lttng_event *all = NULL;
	int count = lttng_list_events(handle, channel, &all);

	printf("%d", count);
	for (int i = 0; i < count; i++)
		printf(" %s", all[i].name);
	printf("\n");
	free(all);
}

static int add_context(struct lttng_handle *handle, const char *channel, int application)
{
	char provider[] = "prov", name[] = "name";
	struct lttng_event_context context = { .ctx = LTTNG_EVENT_CONTEXT_VPID };

	if (application) {
		context.ctx = LTTNG_EVENT_CONTEXT_APP_CONTEXT;
		context.u.app_ctx.provider_name = provider;
		context.u.app_ctx.ctx_name = name;
	}
	return lttng_add_context(handle, &context, NULL, strcmp(channel, "-") ? channel : NULL);
}

static int enable(struct lttng_handle *handle, const char *channel, const char *name)
{
	struct lttng_event event = { .type = LTTNG_EVENT_TRACEPOINT, .loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL };

	snprintf(event.name, sizeof event.name, "%s", name);
	return lttng_enable_event(handle, &event, channel);
}

static struct lttng_event_rule *rule(enum lttng_domain_type type, const char *name, int level)
{
	struct lttng_log_level_rule *levels = lttng_log_level_rule_at_least_as_severe_as_create(level);
	struct lttng_event_rule *made;

	switch (type) {
	case LTTNG_DOMAIN_JUL:
		made = lttng_event_rule_jul_logging_create();
		lttng_event_rule_jul_logging_set_name_pattern(made, name);
		lttng_event_rule_jul_logging_set_log_level_rule(made, levels);
		break;
	case LTTNG_DOMAIN_LOG4J:
		made = lttng_event_rule_log4j_logging_create();
		lttng_event_rule_log4j_logging_set_name_pattern(made, name);
		lttng_event_rule_log4j_logging_set_log_level_rule(made, levels);
		break;
	default:
		made = lttng_event_rule_python_logging_create();
		lttng_event_rule_python_logging_set_name_pattern(made, name);
		lttng_event_rule_python_logging_set_log_level_rule(made, levels);
	}
	lttng_log_level_rule_destroy(levels);
	return made;
}

static int add_trigger(enum lttng_domain_type type, const char *trigger_name, const char *name, int level)
{
	struct lttng_condition *condition = lttng_condition_event_rule_matches_create(rule(type, name, level));
	struct lttng_trigger *trigger = lttng_trigger_create(condition, lttng_action_notify_create());

	return lttng_register_trigger_with_name(trigger, trigger_name);
}

int main(int argc, char **argv)
{
	char line[1024];

	if (argc != 2)
		return 2;
	printf("ready %d\n", (int) getpid());
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		char verb[64] = "", domain_name[64] = "", one[300] = "", two[300] = "";
		struct lttng_domain domain = { .buf_type = LTTNG_BUFFER_PER_UID };
		struct lttng_handle *handle;

		sscanf(line, "%63s %63s %299s %299s", verb, domain_name, one, two);
		if (!strcmp(verb, "exit")) {
			puts("bye");
			return 0;
		}
		domain.type = domain_type(domain_name);
		handle = lttng_create_handle(argv[1], &domain);
		if (!strcmp(verb, "enable-channel"))
			printf("%d\n", enable_channel(handle, one));
		else if (!strcmp(verb, "disable-channel"))
			printf("%d\n", lttng_disable_channel(handle, one));
		else if (!strcmp(verb, "channels"))
			channels(handle);
		else if (!strcmp(verb, "events"))
			events(handle, one);
		else if (!strcmp(verb, "context"))
			printf("%d\n", add_context(handle, one, 0));
		else if (!strcmp(verb, "app-context"))
			printf("%d\n", add_context(handle, one, 1));
		else if (!strcmp(verb, "enable"))
			printf("%d\n", enable(handle, one, two));
		else if (!strcmp(verb, "disable"))
			printf("%d\n", lttng_disable_event(handle, two, one));
		else if (!strcmp(verb, "trigger"))
			printf("%d\n", add_trigger(domain.type, domain_name, one, atoi(two)));
		else
			puts("what?");
		fflush(stdout);
		lttng_destroy_handle(handle);
	}
	return 0;
}
