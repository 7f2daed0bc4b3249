// SPDX-License-Identifier: GPL-2.0-only
// notified NAME...: subscribes to the conditions of the registered triggers of these names with liblttng-ctl.
// First line of output: "ready PID". Then commands on stdin, one line each, one answer line each:
//
//   next         waits for a notification: the trigger's name, and what was captured
//   pending      whether there is one: "yes" or "no"
//   errors NAME  how many events of the trigger of this name could not be told
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lttng/lttng.h>

static const struct lttng_trigger *find(const struct lttng_triggers *all, const char *name)
{
	unsigned int count = 0;

	lttng_triggers_get_count(all, &count);
	for (unsigned int i = 0; i < count; i++) {
		const struct lttng_trigger *trigger = lttng_triggers_get_at_index(all, i);
		const char *known = NULL;

		if (lttng_trigger_get_name(trigger, &known) == LTTNG_TRIGGER_STATUS_OK && !strcmp(known, name))
			return trigger;
	}
	fprintf(stderr, "no trigger %s\n", name);
	exit(1);
}

static void print(const struct lttng_event_field_value *value)
{
	enum lttng_event_field_value_type type;
	unsigned int length = 0;
	const char *text = NULL;
	uint64_t number = 0;
	int64_t integer = 0;
	double real = 0;

	if (!value) {
		printf("-");
		return;
	}
	type = lttng_event_field_value_get_type(value);
	switch (type) {
	case LTTNG_EVENT_FIELD_VALUE_TYPE_UNSIGNED_INT:
	case LTTNG_EVENT_FIELD_VALUE_TYPE_UNSIGNED_ENUM:
		lttng_event_field_value_unsigned_int_get_value(value, &number);
		printf("%s%" PRIu64, type == LTTNG_EVENT_FIELD_VALUE_TYPE_UNSIGNED_INT ? "u" : "eu", number);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_SIGNED_INT:
	case LTTNG_EVENT_FIELD_VALUE_TYPE_SIGNED_ENUM:
		lttng_event_field_value_signed_int_get_value(value, &integer);
		printf("%s%" PRId64, type == LTTNG_EVENT_FIELD_VALUE_TYPE_SIGNED_INT ? "i" : "ei", integer);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_REAL:
		lttng_event_field_value_real_get_value(value, &real);
		printf("%.17g", real);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_STRING:
		lttng_event_field_value_string_get_value(value, &text);
		printf("\"%s\"", text);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_ARRAY:
		lttng_event_field_value_array_get_length(value, &length);
		printf("[");
		for (unsigned int i = 0; i < length; i++) {
			const struct lttng_event_field_value *element = NULL;

			lttng_event_field_value_array_get_element_at_index(value, i, &element);
			printf(i ? ", " : "");
			print(element);
		}
		printf("]");
		break;
	default:
		printf("type %d", type);
	}
}

static void next(struct lttng_notification_channel *channel)
{
	const struct lttng_event_field_value *captured = NULL;
	struct lttng_notification *notification = NULL;
	enum lttng_notification_channel_status status;
	const char *name = "?";

	status = lttng_notification_channel_get_next_notification(channel, &notification);
	if (status != LTTNG_NOTIFICATION_CHANNEL_STATUS_OK) {
		printf("status %d\n", status);
		return;
	}
	lttng_trigger_get_name(lttng_notification_get_trigger(notification), &name);
	printf("%s ", name);
	if (lttng_evaluation_event_rule_matches_get_captured_values(
			lttng_notification_get_evaluation(notification), &captured) ==
			LTTNG_EVALUATION_EVENT_RULE_MATCHES_STATUS_OK)
		print(captured);
	else
		printf("nothing");
	printf("\n");
	lttng_notification_destroy(notification);
}

static void errors(const char *name)
{
	struct lttng_error_query_results *results = NULL;
	const struct lttng_error_query_result *result = NULL;
	struct lttng_triggers *all = NULL;
	struct lttng_error_query *query;
	enum lttng_error_code code;
	uint64_t value = 0;

	lttng_list_triggers(&all);
	query = lttng_error_query_condition_create(find(all, name));
	code = lttng_error_query_execute(query, lttng_session_daemon_command_endpoint, &results);
	if (code == LTTNG_OK) {
		lttng_error_query_results_get_result(results, &result, 0);
		lttng_error_query_result_counter_get_value(result, &value);
		printf("%" PRIu64 "\n", value);
	} else {
		printf("code %d\n", code);
	}
	lttng_error_query_results_destroy(results);
	lttng_error_query_destroy(query);
	lttng_triggers_destroy(all);
}

int main(int argc, char **argv)
{
	struct lttng_notification_channel *channel =
			lttng_notification_channel_create(lttng_session_daemon_notification_endpoint);
	struct lttng_triggers *all = NULL;
	char line[256], name[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!channel || lttng_list_triggers(&all) != LTTNG_OK)
		return 1;
	for (int i = 1; i < argc; i++) {
		const struct lttng_condition *condition = lttng_trigger_get_const_condition(find(all, argv[i]));

		if (lttng_notification_channel_subscribe(channel, condition) != LTTNG_NOTIFICATION_CHANNEL_STATUS_OK)
			return 1;
	}
	lttng_triggers_destroy(all);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		bool pending = false;

		if (!strncmp(line, "next", 4)) {
			next(channel);
		} else if (!strncmp(line, "pending", 7)) {
			lttng_notification_channel_has_pending_notification(channel, &pending);
			puts(pending ? "yes" : "no");
		} else if (sscanf(line, "errors %63s", name) == 1) {
			errors(name);
		} else {
			puts("what?");
		}
	}
	lttng_notification_channel_destroy(channel);
	return 0;
}
