// SPDX-License-Identifier: GPL-2.0-only
// provider: an application with contexts of its own, `$app.own:TYPE`. Commands on stdin, one answer line each:
//
//   register | unregister   the context provider comes and goes
//   tick FIRST COUNT        testapp:tick n=FIRST..
//   exit
//
// The values: `number` is an s64 of 5000000000 + n (the filters of liblttng-ust 2.13 can read 64 bits only),
// `text` the string "text N", `kinds` has type number n % 12 (in the order of the list below), everything else
// is without a value.
//
// First line of output: "ready PID". The provider is registered before that unless there is an argument.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lttng/ust-events.h>
#include <lttng/ust-ringbuffer-context.h>

#include "testapp.h"

/* What liblttng-ust.so.1 exports without a header: the types are its binary interface. */
enum value_type { NONE, S8, S16, S32, S64, U8, U16, U32, U64, FLOAT, DOUBLE, STRING, TYPES };

struct lttng_ust_probe_ctx;
struct lttng_ust_registered_context_provider;

struct lttng_ust_ctx_value {
	enum value_type sel;
	union {
		int64_t s64;
		uint64_t u64;
		const char *str;
		double d;
	} u;
};

struct lttng_ust_context_provider {
	uint32_t struct_size;
	const char *name;
	size_t (*get_size)(void *priv, struct lttng_ust_probe_ctx *probe, size_t offset);
	void (*record)(void *priv, struct lttng_ust_probe_ctx *probe, struct lttng_ust_ring_buffer_ctx *ctx,
		struct lttng_ust_channel_buffer *channel);
	void (*get_value)(void *priv, struct lttng_ust_probe_ctx *probe, struct lttng_ust_ctx_value *value);
	void *priv;
};

struct lttng_ust_app_context {
	uint32_t struct_size;
	struct lttng_ust_event_field *event_field;
	char *ctx_name;
};

struct lttng_ust_registered_context_provider *lttng_ust_context_provider_register(
	struct lttng_ust_context_provider *provider);
void lttng_ust_context_provider_unregister(struct lttng_ust_registered_context_provider *registered);

static int now;

/* A value as it stands in the buffer. */
struct value {
	enum value_type type;
	union {
		int8_t s8;
		int16_t s16;
		int32_t s32;
		int64_t s64;
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
		float f;
		double d;
		char text[32];
	} as;
	size_t size;
	size_t align;
};

#define SET(v, member, what) \
	((v).as.member = (what), (v).size = sizeof((v).as.member), (v).align = lttng_ust_rb_alignof((v).as.member))

static struct value of_type(enum value_type type)
{
	struct value v = { .type = type, .align = 1 };

	switch (type) {
	case S8: SET(v, s8, -8); break;
	case S16: SET(v, s16, -1600); break;
	case S32: SET(v, s32, INT32_MIN); break;
	case S64: SET(v, s64, 5000000000 + now); break;
	case U8: SET(v, u8, 200); break;
	case U16: SET(v, u16, 60000); break;
	case U32: SET(v, u32, 4000000000u); break;
	case U64: SET(v, u64, UINT64_MAX); break;
	case FLOAT: SET(v, f, 1.5f); break;
	case DOUBLE: SET(v, d, -0.25); break;
	case STRING: v.size = snprintf(v.as.text, sizeof v.as.text, "text %d", now) + 1; break;
	default: break;
	}
	return v;
}

static struct value current(void *priv)
{
	const char *name = ((struct lttng_ust_app_context *) priv)->ctx_name;
	const char *type = strchr(name, ':');

	if (type && !strcmp(type, ":kinds"))
		return of_type(now % TYPES);
	if (type && !strcmp(type, ":number"))
		return of_type(S64);
	return of_type(type && !strcmp(type, ":text") ? STRING : NONE);
}

static size_t get_size(void *priv, struct lttng_ust_probe_ctx *probe, size_t offset)
{
	struct value v = current(priv);

	(void) probe;
	return 1 + lttng_ust_ring_buffer_align(offset + 1, v.align) + v.size;
}

static void record(void *priv, struct lttng_ust_probe_ctx *probe, struct lttng_ust_ring_buffer_ctx *ctx,
		struct lttng_ust_channel_buffer *channel)
{
	struct value v = current(priv);
	char tag = (char) v.type;

	(void) probe;
	channel->ops->event_write(ctx, &tag, 1, 1);
	if (v.size)
		channel->ops->event_write(ctx, &v.as, v.size, v.align);
}

static void get_value(void *priv, struct lttng_ust_probe_ctx *probe, struct lttng_ust_ctx_value *value)
{
	static struct value v;

	(void) probe;
	v = current(priv);
	value->sel = v.type;
	switch (v.type) {
	case S8: value->u.s64 = v.as.s8; break;
	case S16: value->u.s64 = v.as.s16; break;
	case S32: value->u.s64 = v.as.s32; break;
	case S64: value->u.s64 = v.as.s64; break;
	case U8: value->u.u64 = v.as.u8; break;
	case U16: value->u.u64 = v.as.u16; break;
	case U32: value->u.u64 = v.as.u32; break;
	case U64: value->u.u64 = v.as.u64; break;
	case FLOAT: value->u.d = v.as.f; break;
	case DOUBLE: value->u.d = v.as.d; break;
	case STRING: value->u.str = v.as.text; break;
	default: break;
	}
}

static struct lttng_ust_context_provider provider = {
	.struct_size = sizeof(provider),
	.name = "$app.own",
	.get_size = get_size,
	.record = record,
	.get_value = get_value,
};

int main(int argc, char **argv)
{
	struct lttng_ust_registered_context_provider *registered = NULL;
	char line[64];
	int first, count;

	(void) argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1 && !(registered = lttng_ust_context_provider_register(&provider)))
		return 1;
	printf("ready %d\n", (int) getpid());
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "register\n")) {
			registered = lttng_ust_context_provider_register(&provider);
			puts(registered ? "done" : "refused");
		} else if (!strcmp(line, "unregister\n")) {
			lttng_ust_context_provider_unregister(registered);
			puts("done");
		} else if (sscanf(line, "tick %d %d", &first, &count) == 2) {
			for (now = first; now < first + count; now++)
				lttng_ust_tracepoint(testapp, tick, now);
			puts("done");
		} else {
			break;
		}
	}
	puts("bye");
	return 0;
}
