/*
 * Values of options: how each type is read from text and kept in struct o2_args.
 */
#include "options.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SECONDS_MAX (7L * 24 * 3600)

static const struct {
	const char *unit;
	int seconds;
} units[] = { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };

/* One "<number><unit>" at the start of `text`, its unit smaller than units[after]; the length it took, 0 if there is none. */
static size_t read_part(const char *text, size_t *after, long *sum)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return 0;
	long number = strtol(text, &end, 10);
	if (number > SECONDS_MAX)
		number = SECONDS_MAX + 1;
	for (size_t i = *after; i < O2_COUNT(units); i++) {
		if (*end != units[i].unit[0] || isalpha((unsigned char)end[1]))
			continue;
		*after = i + 1;
		*sum += number * units[i].seconds;
		return (size_t)(end - text) + 1;
	}
	return 0;
}

int o2_duration_parse(const char *text, int *out_seconds, struct o2_err *err)
{
	size_t after = 0;
	long sum = 0;

	for (const char *p = text; *p != '\0' || p == text;) {
		size_t len = read_part(p, &after, &sum);
		if (len == 0)
			return o2_fail(err, O2_EINVALID,
				       "'%s' is not a duration; write it as 90s, 5m or 1h30m",
				       text);
		p += len;
	}
	if (sum < 1)
		return o2_fail(err, O2_EINVALID, "duration '%s' is shorter than a second", text);
	if (sum > SECONDS_MAX)
		return o2_fail(err, O2_EINVALID, "duration '%s' is longer than a week", text);
	*out_seconds = (int)sum;
	return 0;
}

static int read_flag(const char *text, bool *out, struct o2_err *err)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < O2_COUNT(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*out = strcasecmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return o2_fail(err, O2_EINVALID, "'%s' is neither true nor false", text);
}

/* Is `word` one of "a|b|c"? */
static bool is_choice(const char *choices, const char *word)
{
	O2_AUTO(o2_strs_release) struct o2_strs list = { 0 };

	o2_strs_split(&list, choices, "|");
	return o2_strs_has(&list, word);
}

static int read_choice(const struct o2_args *args, const struct o2_opt *opt, const char *value,
		       struct o2_err *err)
{
	const char *choices = o2_opt_choices(opt, args->cmd);
	O2_AUTO(o2_strs_release) struct o2_strs list = { 0 };

	if (is_choice(choices, value))
		return 0;
	o2_strs_split(&list, choices, "|");
	const char *meant = o2_nearest(value, (const char *const *)list.items, list.count);
	if (meant != NULL)
		return o2_fail(err, O2_EINVALID, "'%s' is not one of %s; did you mean '%s'?", value,
			       choices, meant);
	return o2_fail(err, O2_EINVALID, "'%s' is not one of %s", value, choices);
}

/* File and environment speak to all verbs: a format that this one does not have is meant for others. */
static bool is_for_other_verbs(const struct o2_args *args, const struct o2_opt *opt,
			       const char *value)
{
	return opt->choices != NULL && is_choice(opt->choices, value) &&
	       !is_choice(o2_opt_choices(opt, args->cmd), value);
}

/* Comma lists of words or pairs; at least one must be there. */
static int read_list(const struct o2_opt *opt, const char *value, struct o2_strs *list,
		     struct o2_err *err)
{
	O2_AUTO(o2_strs_release) struct o2_strs parts = { 0 };

	o2_strs_split(&parts, value, ", ");
	if (parts.count == 0)
		return o2_fail(err, O2_EINVALID, "the list is empty");
	for (size_t i = 0; i < parts.count; i++) {
		const char *part = parts.items[i];
		const char *colon = strchr(part, ':');
		bool left = colon != part || (opt->flags & O2_OPT_EMPTY_LEFT) != 0;
		if (opt->type == O2_OPT_PAIRS &&
		    (colon == NULL || !left || colon[1] == '\0' || strchr(colon + 1, ':') != NULL))
			return o2_fail(err, O2_EINVALID, "'%s' is not a pair; write it as %s", part,
				       opt->value);
		o2_strs_add_unique(list, part);
	}
	return 0;
}

static void *member(struct o2_args *args, const struct o2_opt *opt)
{
	return (char *)args + opt->offset;
}

/* A source that overrides starts every list anew. */
static void begin_list(struct o2_args *args, const struct o2_opt *opt, size_t index,
		       enum o2_origin_of_value origin)
{
	bool list =
		opt->type == O2_OPT_LIST || opt->type == O2_OPT_WORDS || opt->type == O2_OPT_PAIRS;

	if (list && args->origin[index] != origin)
		o2_strs_release(member(args, opt));
}

static int store(struct o2_args *args, const struct o2_opt *opt, const char *value,
		 struct o2_err *err)
{
	char **text = member(args, opt);

	switch (opt->type) {
	case O2_OPT_FLAG:
		return read_flag(value, member(args, opt), err);
	case O2_OPT_SECONDS:
		return o2_duration_parse(value, member(args, opt), err);
	case O2_OPT_WORDS:
	case O2_OPT_PAIRS:
		return read_list(opt, value, member(args, opt), err);
	case O2_OPT_LIST:
		o2_strs_add(member(args, opt), value);
		return 0;
	case O2_OPT_CHOICE:
		if (read_choice(args, opt, value, err) < 0)
			return -O2_EINVALID;
		break;
	case O2_OPT_TEXT:
		break;
	}
	free(*text);
	*text = o2_xstrdup(value);
	return 0;
}

int o2_args_set(struct o2_args *args, const struct o2_opt *opt, const char *value,
		enum o2_origin_of_value origin, struct o2_err *err)
{
	size_t count;
	size_t index = (size_t)(opt - o2_opts(&count));

	assert(index < count);
	if (value[0] == '\0' && opt->type != O2_OPT_FLAG)
		return o2_fail(err, O2_EINVALID, "the value is empty");
	if (origin != O2_FROM_ARGV && is_for_other_verbs(args, opt, value))
		return 0;
	begin_list(args, opt, index, origin);
	int rc = store(args, opt, value, err);
	if (rc == 0)
		args->origin[index] = (unsigned char)origin;
	return rc;
}

enum o2_origin_of_value o2_args_origin(const struct o2_args *args, const char *name)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(opts[i].name, name) == 0)
			return args->origin[i];
	assert(!"no such option");
	return O2_FROM_NOWHERE;
}

bool o2_args_overrides(const struct o2_args *args, const char *name, const char *other)
{
	return o2_args_origin(args, name) > o2_args_origin(args, other);
}

bool o2_args_output_is(const struct o2_args *args, const char *format)
{
	const char *outputs = args->cmd != NULL ? args->cmd->outputs : NULL;

	if (args->output != NULL)
		return strcmp(args->output, format) == 0;
	/* The first of the row is the default. */
	return outputs != NULL && strncmp(outputs, format, strlen(format)) == 0 &&
	       strchr("|", outputs[strlen(format)]) != NULL;
}

void o2_args_release(struct o2_args *args)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	for (size_t i = 0; i < count; i++) {
		switch (opts[i].type) {
		case O2_OPT_TEXT:
		case O2_OPT_CHOICE:
			o2_freep(member(args, &opts[i]));
			break;
		case O2_OPT_LIST:
		case O2_OPT_WORDS:
		case O2_OPT_PAIRS:
			o2_strs_release(member(args, &opts[i]));
			break;
		case O2_OPT_FLAG:
		case O2_OPT_SECONDS:
			break;
		}
	}
	o2_strs_release(&args->words);
}
