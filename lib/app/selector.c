#include "app/app_internal.h"

#include <ctype.h>
#include <string.h>

/* ---- matching --------------------------------------------------------------------------------------------------------- */

static bool map_holds(const struct o2_doc *map, const struct o2_doc *labels)
{
	for (struct o2_doc_iter it = o2_doc_iter(map); o2_doc_next(&it);) {
		const char *wanted = o2_doc_text(it.value);
		const char *value = o2_doc_member_str(labels, it.name, NULL);
		if (!wanted || !value || strcmp(wanted, value) != 0)
			return false;
	}
	return true;
}

static bool holds_any(const struct o2_doc *values, const char *value)
{
	for (size_t i = 0; i < o2_doc_count(values); i++) {
		const char *text = o2_doc_text(o2_doc_item(values, i));
		if (text && strcmp(text, value) == 0)
			return true;
	}
	return false;
}

static bool expression_holds(const struct o2_doc *expression, const struct o2_doc *labels)
{
	const char *op = o2_doc_member_str(expression, "operator", "");
	const char *value =
		o2_doc_member_str(labels, o2_doc_member_str(expression, "key", ""), NULL);
	const struct o2_doc *values = o2_doc_member(expression, "values");

	if (strcmp(op, "Exists") == 0)
		return value;
	if (strcmp(op, "DoesNotExist") == 0)
		return !value;
	if (strcmp(op, "In") == 0)
		return value && holds_any(values, value);
	if (strcmp(op, "NotIn") == 0)
		return !value || !holds_any(values, value);
	return false;
}

bool o2_app_selector_matches(const struct o2_doc *selector, const struct o2_doc *labels)
{
	if (o2_doc_type(selector) != O2_DOC_OBJECT)
		return false;
	if (!map_holds(o2_doc_member(selector, "matchLabels"), labels))
		return false;
	const struct o2_doc *expressions = o2_doc_member(selector, "matchExpressions");
	for (size_t i = 0; i < o2_doc_count(expressions); i++) {
		if (!expression_holds(o2_doc_item(expressions, i), labels))
			return false;
	}
	return true;
}

bool o2_app_selector_map_matches(const struct o2_doc *map, const struct o2_doc *labels)
{
	return o2_doc_type(map) == O2_DOC_OBJECT && o2_doc_count(map) > 0 && map_holds(map, labels);
}

/* ---- kubectl's notation ----------------------------------------------------------------------------------------------- */

struct parser {
	const char *text, *at;
	struct o2_err *err;
};

static void skip_spaces(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool take(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	skip_spaces(p);
	if (strncmp(p->at, word, len) != 0)
		return false;
	if (isalpha((unsigned char)word[0]) && p->at[len] != ' ' && p->at[len] != '(')
		return false; /* "in" is a word of its own */
	p->at += len;
	return true;
}

/* A key or a value; "" if there is none here. Caller frees. */
static char *take_token(struct parser *p)
{
	skip_spaces(p);
	const char *start = p->at;
	while (isalnum((unsigned char)*p->at) || (*p->at != '\0' && strchr("-_./", *p->at)))
		p->at++;
	return o2_xstrndup(start, (size_t)(p->at - start));
}

static int malformed(struct parser *p, const char *what)
{
	return o2_fail(p->err, O2_EINVALID, "label selector '%s' is malformed at character %zu: %s",
		       p->text, (size_t)(p->at - p->text) + 1, what);
}

static int take_list(struct parser *p, struct o2_doc *values)
{
	if (!take(p, "("))
		return malformed(p, "'(' is missing");
	do {
		O2_AUTO(o2_freep) char *value = take_token(p);
		o2_doc_append_str(values, value);
	} while (take(p, ","));
	return take(p, ")") ? 0 : malformed(p, "')' is missing");
}

static int take_operator(struct parser *p, struct o2_doc *expression)
{
	static const struct {
		const char *word, *op;
		bool list;
	} operators[] = { { "==", "In", false },
			  { "=", "In", false },
			  { "!=", "NotIn", false },
			  { "in", "In", true },
			  { "notin", "NotIn", true } };

	for (size_t i = 0; i < O2_COUNT(operators); i++) {
		if (!take(p, operators[i].word))
			continue;
		struct o2_doc *values = o2_doc_array_new();
		o2_doc_set_str(expression, "operator", operators[i].op);
		o2_doc_set(expression, "values", values);
		if (operators[i].list)
			return take_list(p, values);
		O2_AUTO(o2_freep) char *value = take_token(p);
		o2_doc_append_str(values, value);
		return 0;
	}
	o2_doc_set_str(expression, "operator", "Exists");
	return 0;
}

static int take_requirement(struct parser *p, struct o2_doc *expressions)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *expression = o2_doc_object_new();
	bool absent = take(p, "!");
	O2_AUTO(o2_freep) char *key = take_token(p);

	if (*key == '\0')
		return malformed(p, "a label is missing");
	o2_doc_set_str(expression, "key", key);
	if (absent) {
		o2_doc_set_str(expression, "operator", "DoesNotExist");
	} else {
		int rc = take_operator(p, expression);
		if (rc < 0)
			return rc;
	}
	o2_doc_append(expressions, O2_STEAL(expression));
	return 0;
}

struct o2_doc *o2_app_selector_parse(const char *text, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *selector = o2_doc_object_new();
	struct o2_doc *expressions = o2_doc_array_new();
	struct parser p = { .text = text ? text : "", .at = text ? text : "", .err = err };

	o2_doc_set(selector, "matchExpressions", expressions);
	skip_spaces(&p);
	if (*p.at == '\0')
		return O2_STEAL(selector);
	do {
		if (take_requirement(&p, expressions) < 0)
			return NULL;
	} while (take(&p, ","));
	skip_spaces(&p);
	if (*p.at != '\0') {
		(void)malformed(&p, "a comma is missing");
		return NULL;
	}
	return O2_STEAL(selector);
}
