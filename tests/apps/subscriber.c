// SPDX-License-Identifier: GPL-2.0-only
// subscriber: registers triggers and subscribes to conditions with liblttng-ctl, as lines of its input say, and answers
// each with a line. Numbers are the library's own status codes.
//
//   CONDITION: ongoing SESSION | completed SESSION | consumed SESSION BYTES
//              | [kernel-]high|low SESSION CHANNEL BYTES|RATIO (a RATIO has a point) | event PATTERN
//   ACTION:    notify | start:SESSION | stop:SESSION | rotate:SESSION | snapshot:SESSION, with /every:N or /after:N behind
//
//   register NAME ACTION... if CONDITION    NAME may be `auto`, or `legacy` for the call of LTTng 2.10
//   unregister N          the N-th trigger that was made
//   errors N              what went wrong with it
//   channel N             from now on the N-th notification channel is used; made if needed
//   subscribe CONDITION | unsubscribe CONDITION
//   next                  waits for a notification
//   count NAME            takes notifications until the trigger of this name fires: how many came before it, how often it
//                         was told that some are missing, and how long it was from the first to the last, in µs
//   pending               whether there is one
//   list                  the names of all triggers, sorted
//   exit
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lttng/lttng.h>
#include <lttng/action/list.h>
#include <lttng/action/path.h>
#include <lttng/error-query.h>

#define MOST 256
#define MOST_TRIGGERS 2048
#define WORDS 32

static struct lttng_trigger *triggers[MOST_TRIGGERS];
static int trigger_count;
static struct lttng_notification_channel *channels[MOST];
static int current;

static struct lttng_condition *usage(struct lttng_condition *condition, char **words)
{
	lttng_condition_buffer_usage_set_session_name(condition, words[1]);
	lttng_condition_buffer_usage_set_channel_name(condition, words[2]);
	lttng_condition_buffer_usage_set_domain_type(condition,
			strncmp(words[0], "kernel-", 7) ? LTTNG_DOMAIN_UST : LTTNG_DOMAIN_KERNEL);
	if (strchr(words[3], '.'))
		lttng_condition_buffer_usage_set_threshold_ratio(condition, atof(words[3]));
	else
		lttng_condition_buffer_usage_set_threshold(condition, strtoull(words[3], NULL, 0));
	return condition;
}

static struct lttng_condition *make_condition(char **words, int count)
{
	struct lttng_condition *condition = NULL;

	if (count == 2 && !strcmp(words[0], "ongoing"))
		condition = lttng_condition_session_rotation_ongoing_create();
	else if (count == 2 && !strcmp(words[0], "completed"))
		condition = lttng_condition_session_rotation_completed_create();
	if (condition) {
		lttng_condition_session_rotation_set_session_name(condition, words[1]);
		return condition;
	}
	if (count == 3 && !strcmp(words[0], "consumed")) {
		condition = lttng_condition_session_consumed_size_create();
		lttng_condition_session_consumed_size_set_session_name(condition, words[1]);
		lttng_condition_session_consumed_size_set_threshold(condition, strtoull(words[2], NULL, 0));
		return condition;
	}
	if (count == 2 && !strcmp(words[0], "event")) {
		struct lttng_event_rule *rule = lttng_event_rule_user_tracepoint_create();

		lttng_event_rule_user_tracepoint_set_name_pattern(rule, words[1]);
		condition = lttng_condition_event_rule_matches_create(rule);
		lttng_event_rule_destroy(rule);
		return condition;
	}
	if (count == 4 && (!strcmp(words[0], "high") || !strcmp(words[0], "kernel-high")))
		return usage(lttng_condition_buffer_usage_high_create(), words);
	if (count == 4 && (!strcmp(words[0], "low") || !strcmp(words[0], "kernel-low")))
		return usage(lttng_condition_buffer_usage_low_create(), words);
	return NULL;
}

static struct lttng_action *make_action(char *word)
{
	struct lttng_rate_policy *policy = NULL;
	struct lttng_action *action = NULL;
	char *rate = strchr(word, '/'), *session;

	if (rate) {
		*rate++ = '\0';
		policy = strncmp(rate, "every:", 6) ? lttng_rate_policy_once_after_n_create(strtoull(rate + 6, NULL, 0)) :
			lttng_rate_policy_every_n_create(strtoull(rate + 6, NULL, 0));
	}
	session = strchr(word, ':');
	if (session)
		*session++ = '\0';
	if (!strcmp(word, "notify")) {
		action = lttng_action_notify_create();
		if (policy)
			lttng_action_notify_set_rate_policy(action, policy);
	} else if (!strcmp(word, "start")) {
		action = lttng_action_start_session_create();
		lttng_action_start_session_set_session_name(action, session);
		if (policy)
			lttng_action_start_session_set_rate_policy(action, policy);
	} else if (!strcmp(word, "stop")) {
		action = lttng_action_stop_session_create();
		lttng_action_stop_session_set_session_name(action, session);
		if (policy)
			lttng_action_stop_session_set_rate_policy(action, policy);
	} else if (!strcmp(word, "rotate")) {
		action = lttng_action_rotate_session_create();
		lttng_action_rotate_session_set_session_name(action, session);
		if (policy)
			lttng_action_rotate_session_set_rate_policy(action, policy);
	} else if (!strcmp(word, "snapshot")) {
		action = lttng_action_snapshot_session_create();
		lttng_action_snapshot_session_set_session_name(action, session);
		if (policy)
			lttng_action_snapshot_session_set_rate_policy(action, policy);
	}
	lttng_rate_policy_destroy(policy);
	return action;
}

/* register NAME ACTION... if CONDITION */
static void make_trigger(char **words, int count)
{
	struct lttng_action *action = NULL, *list = NULL;
	struct lttng_condition *condition;
	struct lttng_trigger *trigger;
	const char *name = "-";
	int at, code;

	for (at = 2; at < count && strcmp(words[at], "if"); at++) {
		struct lttng_action *one = make_action(words[at]);

		if (at == 3) {
			list = lttng_action_list_create();
			lttng_action_list_add_action(list, action);
			lttng_action_destroy(action);
		}
		if (list) {
			lttng_action_list_add_action(list, one);
			lttng_action_destroy(one);
		} else {
			action = one;
		}
	}
	condition = make_condition(words + at + 1, count - at - 1);
	trigger = lttng_trigger_create(condition, list ? list : action);
	if (!condition || !trigger || trigger_count == MOST_TRIGGERS) {
		printf("not a trigger\n");
		return;
	}
	if (!strcmp(words[1], "auto"))
		code = lttng_register_trigger_with_automatic_name(trigger);
	else if (!strcmp(words[1], "legacy"))
		code = lttng_register_trigger(trigger);
	else
		code = lttng_register_trigger_with_name(trigger, words[1]);
	lttng_trigger_get_name(trigger, &name);
	triggers[trigger_count++] = trigger;
	printf("%d %s\n", code, name ? name : "-");
}

static void say_counts(const char *title, struct lttng_error_query *query)
{
	struct lttng_error_query_results *results = NULL;
	unsigned int count = 0;
	int code = query ? lttng_error_query_execute(query, lttng_session_daemon_command_endpoint, &results) : 0;

	printf("%s=%d", title, code);
	if (results)
		lttng_error_query_results_get_count(results, &count);
	for (unsigned int i = 0; i < count; i++) {
		const struct lttng_error_query_result *result = NULL;
		const char *name = "-", *text = "-";
		uint64_t value = 0;

		lttng_error_query_results_get_result(results, &result, i);
		lttng_error_query_result_get_name(result, &name);
		lttng_error_query_result_get_description(result, &text);
		lttng_error_query_result_counter_get_value(result, &value);
		printf(" [%s: %s: %" PRIu64 "]", name, text, value);
	}
	lttng_error_query_results_destroy(results);
	lttng_error_query_destroy(query);
}

static void say_errors(const struct lttng_trigger *trigger)
{
	const struct lttng_action *action = lttng_trigger_get_const_action(trigger);
	unsigned int count = 0;

	say_counts("trigger", lttng_error_query_trigger_create(trigger));
	say_counts(" condition", lttng_error_query_condition_create(trigger));
	/* The library aborts on the empty path that an action by itself has. */
	if (lttng_action_get_type(action) == LTTNG_ACTION_TYPE_LIST)
		lttng_action_list_get_count(action, &count);
	for (uint64_t i = 0; i < count; i++) {
		struct lttng_action_path *path = lttng_action_path_create(&i, 1);

		say_counts(" action", lttng_error_query_action_create(trigger, path));
		lttng_action_path_destroy(path);
	}
	printf("\n");
}

static void say_rotation(const struct lttng_evaluation *evaluation, int completed)
{
	const struct lttng_trace_archive_location *location = NULL;
	const char *path = "-";
	uint64_t id = 0;

	lttng_evaluation_session_rotation_get_id(evaluation, &id);
	printf(" id=%" PRIu64, id);
	if (!completed)
		return;
	printf(" status=%d", lttng_evaluation_session_rotation_completed_get_location(evaluation, &location));
	if (!location)
		return;
	printf(" type=%d", lttng_trace_archive_location_get_type(location));
	if (lttng_trace_archive_location_local_get_absolute_path(location, &path) != 0) {
		uint16_t control = 0, data = 0;
		const char *host = "-";

		lttng_trace_archive_location_relay_get_host(location, &host);
		lttng_trace_archive_location_relay_get_control_port(location, &control);
		lttng_trace_archive_location_relay_get_data_port(location, &data);
		lttng_trace_archive_location_relay_get_relative_path(location, &path);
		printf(" host=%s ports=%u,%u", host, control, data);
	}
	printf(" path=%s", path);
}

static void say_notification(struct lttng_notification *notification)
{
	const struct lttng_condition *condition = lttng_notification_get_condition(notification);
	const struct lttng_evaluation *evaluation = lttng_notification_get_evaluation(notification);
	const struct lttng_trigger *trigger = lttng_notification_get_trigger(notification);
	enum lttng_condition_type type = lttng_evaluation_get_type(evaluation);
	const char *name = "-";
	double ratio = -1;
	uint64_t size = 0;

	lttng_trigger_get_name(trigger, &name);
	printf("%s condition=%d ", name, lttng_condition_get_type(condition));
	switch (type) {
	case LTTNG_CONDITION_TYPE_SESSION_ROTATION_ONGOING:
		printf("ongoing");
		say_rotation(evaluation, 0);
		break;
	case LTTNG_CONDITION_TYPE_SESSION_ROTATION_COMPLETED:
		printf("completed");
		say_rotation(evaluation, 1);
		break;
	case LTTNG_CONDITION_TYPE_SESSION_CONSUMED_SIZE:
		lttng_evaluation_session_consumed_size_get_consumed_size(evaluation, &size);
		printf("consumed size=%" PRIu64, size);
		break;
	case LTTNG_CONDITION_TYPE_BUFFER_USAGE_HIGH:
	case LTTNG_CONDITION_TYPE_BUFFER_USAGE_LOW:
		lttng_evaluation_buffer_usage_get_usage(evaluation, &size);
		lttng_evaluation_buffer_usage_get_usage_ratio(evaluation, &ratio);
		printf("%s size=%" PRIu64 " ratio=%.4f", type == LTTNG_CONDITION_TYPE_BUFFER_USAGE_LOW ? "low" : "high",
		       size, ratio);
		break;
	default:
		printf("type=%d", type);
	}
	printf("\n");
}

static void next(void)
{
	struct lttng_notification *notification = NULL;
	int status = lttng_notification_channel_get_next_notification(channels[current], &notification);

	if (notification && status == LTTNG_NOTIFICATION_CHANNEL_STATUS_OK)
		say_notification(notification);
	else
		printf("status %d\n", status);
	lttng_notification_destroy(notification);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void count(const char *last)
{
	int64_t first_at = 0, last_at = 0;
	int told = 0, missing = 0, over = 0;

	while (!over) {
		struct lttng_notification *notification = NULL;
		const char *name = "-";
		int status = lttng_notification_channel_get_next_notification(channels[current], &notification);

		if (status == LTTNG_NOTIFICATION_CHANNEL_STATUS_NOTIFICATIONS_DROPPED) {
			missing++;
		} else if (status == LTTNG_NOTIFICATION_CHANNEL_STATUS_OK) {
			lttng_trigger_get_name(lttng_notification_get_trigger(notification), &name);
			over = !strcmp(name, last);
			if (!over) {
				last_at = now_us();
				first_at = told++ ? first_at : last_at;
			}
		} else if (status != LTTNG_NOTIFICATION_CHANNEL_STATUS_INTERRUPTED) {
			printf("status %d\n", status);
			return;
		}
		lttng_notification_destroy(notification);
	}
	printf("%d %d %" PRId64 "\n", told, missing, last_at - first_at);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void list(void)
{
	struct lttng_triggers *all = NULL;
	const char *names[MOST_TRIGGERS];
	unsigned int count = 0;
	int code = lttng_list_triggers(&all);

	if (all)
		lttng_triggers_get_count(all, &count);
	printf("%d", code);
	for (unsigned int i = 0; i < count && i < MOST_TRIGGERS; i++) {
		names[i] = "-";
		lttng_trigger_get_name(lttng_triggers_get_at_index(all, i), &names[i]);
		names[i] = names[i] ? names[i] : "-";
	}
	qsort(names, count, sizeof *names, by_text);
	for (unsigned int i = 0; i < count && i < MOST_TRIGGERS; i++)
		printf(" %s", names[i]);
	printf("\n");
	lttng_triggers_destroy(all);
}

static void obey(char **words, int word_count)
{
	const char *command = words[0];
	int number = word_count > 1 ? atoi(words[1]) : 0;

	if (!strcmp(command, "register") && word_count > 4) {
		make_trigger(words, word_count);
	} else if (!strcmp(command, "unregister") && number < trigger_count) {
		printf("%d\n", lttng_unregister_trigger(triggers[number]));
	} else if (!strcmp(command, "errors") && number < trigger_count) {
		say_errors(triggers[number]);
	} else if (!strcmp(command, "channel") && number < MOST) {
		current = number;
		if (!channels[current])
			channels[current] = lttng_notification_channel_create(lttng_session_daemon_notification_endpoint);
		printf("%s\n", channels[current] ? "done" : "no channel");
	} else if (!strcmp(command, "close")) {
		lttng_notification_channel_destroy(channels[current]);
		channels[current] = NULL;
		printf("done\n");
	} else if (!strcmp(command, "list")) {
		list();
	} else if (!channels[current]) {
		printf("no channel\n");
	} else if (!strcmp(command, "next")) {
		next();
	} else if (!strcmp(command, "count") && word_count == 2) {
		count(words[1]);
	} else if (!strcmp(command, "pending")) {
		bool pending = false;
		int status = lttng_notification_channel_has_pending_notification(channels[current], &pending);

		printf("%d %s\n", status, pending ? "yes" : "no");
	} else if (strstr(command, "subscribe")) {
		struct lttng_condition *condition = make_condition(words + 1, word_count - 1);

		printf("%d\n", *command == 's' ? lttng_notification_channel_subscribe(channels[current], condition) :
			lttng_notification_channel_unsubscribe(channels[current], condition));
		lttng_condition_destroy(condition);
	} else {
		printf("what?\n");
	}
}

int main(void)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		char *words[WORDS] = { NULL };
		int count = 0;

		for (char *word = strtok(line, " \n"); word && count < WORDS; word = strtok(NULL, " \n"))
			words[count++] = word;
		if (!count)
			continue;
		if (!strcmp(words[0], "exit"))
			break;
		obey(words, count);
	}
	for (int i = 0; i < MOST; i++)
		lttng_notification_channel_destroy(channels[i]);
	printf("bye\n");
	return 0;
}
