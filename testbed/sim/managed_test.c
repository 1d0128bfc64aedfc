/*
 * Ownership of fields, held against what a real API server (1.34) said: managed_cases.json.
 *
 * A case is one object and the writes on it, a step a line. A step has who wrote (verb CREATE, UPDATE, APPLY; manager, subresource,
 * force), the moment (now), for an apply what was applied and, where it was refused, status and message; what became of the object as a
 * merge patch (change); and managedFields, where a number stands for that entry of the step before. `carried` is the managedFields that
 * an update brought itself, where they were not those of the object; `later` what the server changed after it knew who owns what
 * (addresses of a Service, what admission adds). SEEN is what others wrote meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "managed_internal.h"
#include "world.h"

#ifndef SIM_CASES
#define SIM_CASES "testbed/sim/managed_cases.json"
#endif
#define LIST "/metadata/managedFields"

/* The world's calendar shows what the recorded clock showed; NULL: any time. */
static void set_clock(const char *now)
{
	sim_turn_calendar(now ? o2_clock_parse(now) - sim_unix() : 0);
}

static struct o2_doc *parse(const char *text)
{
	struct o2_err err = { 0 };
	struct o2_doc *doc = o2_doc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s", err.message);
	return doc;
}

static struct o2_doc *read_cases(void)
{
	FILE *file = fopen(SIM_CASES, "r");
	struct o2_buf text;
	char part[65536];

	if (!file)
		fail_msg("can't open %s", SIM_CASES);
	o2_buf_init(&text, (size_t)1 << 24);
	for (size_t len; (len = fread(part, 1, sizeof(part), file)) > 0;)
		o2_buf_add(&text, part, len);
	fclose(file);
	struct o2_doc *cases = parse(text.data);
	o2_buf_release(&text);
	return cases;
}

/* ---- recorded cases ---- */

struct run {
	const char *name;
	size_t step;
	struct o2_doc *object; /* as it is, with its managedFields */
	int failures;
};

static struct o2_doc *expected_list(const struct run *run, const struct o2_doc *step)
{
	const struct o2_doc *given = o2_doc_member(step, "managedFields");
	struct o2_doc *list;

	if (o2_doc_count(given) == 0)
		return NULL;
	list = o2_doc_array_new();
	for (size_t i = 0; i < o2_doc_count(given); i++) {
		int64_t former = o2_doc_number(o2_doc_item(given, i), -1);
		const struct o2_doc *entry = o2_doc_item(given, i);

		if (former >= 0)
			entry = o2_doc_item(o2_doc_at(run->object, LIST), (size_t)former);
		o2_doc_append(list, o2_doc_copy(entry));
	}
	return list;
}

/* The object after the step, without its managedFields. */
static struct o2_doc *expected_object(const struct run *run, const struct o2_doc *step)
{
	struct o2_doc *object = run->object ? o2_doc_copy(run->object) : o2_doc_object_new();

	o2_doc_remove(object, LIST);
	o2_doc_merge(&object, o2_doc_member(step, "change"));
	return object;
}

static void differ(struct run *run, const char *what, const struct o2_doc *is,
		   const struct o2_doc *should_be)
{
	O2_AUTO(o2_freep) char *is_text = o2_doc_dump_canonical(is);
	O2_AUTO(o2_freep) char *should_text = o2_doc_dump_canonical(should_be);

	fprintf(stderr, "%s, step %zu, %s:\n  is     %s\n  should %s\n", run->name, run->step, what,
		is_text, should_text);
	run->failures++;
}

/* The controllers write to what is scaled at once. */
static void drop_controllers(struct o2_doc *list)
{
	for (size_t i = o2_doc_count(list); i-- > 0;) {
		if (strcmp(o2_doc_member_str(o2_doc_item(list, i), "manager", ""),
			   "kube-controller-manager") == 0)
			o2_doc_remove_item(list, i);
	}
}

static void compare_lists(struct run *run, const struct o2_doc *step, const struct o2_doc *object,
			  const struct o2_doc *should_be)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *is = o2_doc_copy(o2_doc_at(object, LIST));
	O2_AUTO(o2_doc_freep) struct o2_doc *should = o2_doc_copy(should_be);

	if (strcmp(o2_doc_str(step, "/subresource", ""), "scale") == 0) {
		drop_controllers(is);
		drop_controllers(should);
	}
	if (!o2_doc_equal(is, should))
		differ(run, "managedFields", is, should);
}

static void undo_later(const struct run *run, const struct o2_doc *step, struct o2_doc *after)
{
	const struct o2_doc *later = o2_doc_member(step, "later");

	for (size_t i = 0; i < o2_doc_count(later); i++) {
		const char *pointer = o2_doc_text(o2_doc_item(later, i));

		o2_doc_put(after, pointer, o2_doc_copy(o2_doc_at(run->object, pointer)));
	}
}

static void update_step(struct run *run, const struct o2_doc *step, struct o2_doc *after)
{
	const struct o2_doc *carried = o2_doc_member(step, "carried");

	if (!carried)
		carried = o2_doc_at(run->object, LIST);
	if (o2_doc_type(carried) == O2_DOC_ARRAY)
		o2_doc_put(after, LIST, o2_doc_copy(carried));
	sim_managed_update(run->object, after, o2_doc_str(step, "/manager", ""),
			   o2_doc_str(step, "/subresource", NULL));
}

static struct o2_doc *apply_step(struct run *run, const struct o2_doc *step)
{
	struct o2_doc *out = NULL;
	struct sim_refusal refusal = { 0 };
	int status = (int)o2_doc_int(step, "/status", 0);
	bool ok = sim_managed_apply(run->object, o2_doc_member(step, "applied"),
				    o2_doc_str(step, "/manager", ""),
				    o2_doc_bool(step, "/force", false), &out, &refusal);

	if (ok != (status == 0) || refusal.status != status ||
	    strcmp(refusal.message, o2_doc_str(step, "/message", "")) != 0) {
		fprintf(stderr, "%s, step %zu: %d '%s', should be %d '%s'\n", run->name, run->step,
			refusal.status, refusal.message, status, o2_doc_str(step, "/message", ""));
		run->failures++;
	}
	return out;
}

/* Defaults are the store's business: an applied object lacks those that the recorded one has. */
static bool is_part_of(const struct o2_doc *part, const struct o2_doc *whole)
{
	enum o2_doc_type type = o2_doc_type(part);

	if (type != o2_doc_type(whole))
		return false;
	if (type == O2_DOC_ARRAY && o2_doc_count(part) != o2_doc_count(whole))
		return false;
	for (struct o2_doc_iter it = o2_doc_iter(part); o2_doc_next(&it);) {
		if (!is_part_of(it.value, o2_doc_member(whole, it.name)))
			return false;
	}
	for (size_t i = 0; type == O2_DOC_ARRAY && i < o2_doc_count(part); i++) {
		if (!is_part_of(o2_doc_item(part, i), o2_doc_item(whole, i)))
			return false;
	}
	return type == O2_DOC_ARRAY || type == O2_DOC_OBJECT || o2_doc_equal(part, whole);
}

static void take_step(struct run *run, const struct o2_doc *step)
{
	const char *verb = o2_doc_str(step, "/verb", "");
	O2_AUTO(o2_doc_freep) struct o2_doc *list = expected_list(run, step);
	O2_AUTO(o2_doc_freep) struct o2_doc *object = expected_object(run, step);

	set_clock(o2_doc_str(step, "/now", ""));
	if (strcmp(verb, "APPLY") == 0) {
		O2_AUTO(o2_doc_freep) struct o2_doc *out = apply_step(run, step);

		if (!o2_doc_member(step, "change"))
			return;
		compare_lists(run, step, out, list);
		o2_doc_remove(out, LIST);
		if (run->object && !is_part_of(out, object))
			differ(run, "object", out, object);
	} else if (strcmp(verb, "SEEN") != 0) {
		O2_AUTO(o2_doc_freep) struct o2_doc *after = o2_doc_copy(object);
		O2_AUTO(o2_doc_freep) struct o2_doc *sent = NULL;

		undo_later(run, step, after);
		sent = o2_doc_copy(after);
		update_step(run, step, after);
		compare_lists(run, step, after, list);
		o2_doc_remove(after, LIST);
		if (!o2_doc_equal(after, sent))
			differ(run, "object", after, sent);
	}
	o2_doc_put(object, LIST, O2_STEAL(list));
	o2_doc_free(run->object);
	run->object = O2_STEAL(object);
}

/* What a step begins with is borrowed: a change of it would go unseen. */
static void run_step(struct run *run, const struct o2_doc *step)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *before = o2_doc_ref(run->object);
	O2_AUTO(o2_doc_freep) struct o2_doc *copy = o2_doc_copy(before);

	take_step(run, step);
	if (before && !o2_doc_equal(before, copy))
		differ(run, "the object before", before, copy);
}

static void test_recorded(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *cases = read_cases();
	const char *only = getenv("SIM_CASE");
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < o2_doc_count(cases); i++) {
		const struct o2_doc *one = o2_doc_item(cases, i);
		const struct o2_doc *steps = o2_doc_member(one, "steps");
		struct run run = { .name = o2_doc_str(one, "/name", "") };

		if (only && strcmp(only, run.name) != 0)
			continue;
		for (run.step = 0; run.step < o2_doc_count(steps); run.step++)
			run_step(&run, o2_doc_item(steps, run.step));
		o2_doc_free(run.object);
		failures += run.failures;
	}
	assert_int_equal(failures, 0);
}

/* ---- what no recorded case has ---- */

#define AT "2026-01-01T00:00:00Z"

static void assert_fields(const struct o2_doc *object, size_t index, const char *manager,
			  const char *fields)
{
	const struct o2_doc *entry = o2_doc_item(o2_doc_at(object, LIST), index);
	O2_AUTO(o2_doc_freep) struct o2_doc *expected = parse(fields);

	assert_string_equal(o2_doc_member_str(entry, "manager", ""), manager);
	if (!o2_doc_equal(sim_entry_fields(entry), expected)) {
		O2_AUTO(o2_freep) char *text = o2_doc_dump(sim_entry_fields(entry));

		fail_msg("%s owns %s, should own %s", manager, text, fields);
	}
}

static void test_custom_resource(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *created =
		parse("{\"apiVersion\":\"example.com/v1\",\"kind\":\"Shop\",\"metadata\":"
		      "{\"name\":\"x\",\"labels\":{\"a\":\"b\"},\"finalizers\":[\"f/x\"]},"
		      "\"spec\":{\"size\":1,\"containers\":[{\"name\":\"c\"}]}}");
	O2_AUTO(o2_doc_freep) struct o2_doc *changed = NULL;

	(void)state;
	set_clock(AT);
	sim_managed_update(NULL, created, "ann", NULL);
	assert_fields(
		created, 0, "ann",
		"{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:a\":{}},\"f:finalizers\":{\".\":{},"
		"\"v:\\\"f/x\\\"\":{}}},\"f:spec\":{\".\":{},\"f:size\":{},\"f:containers\":{}}}");
	/* Another version of it stays, a version of another group goes. */
	changed = o2_doc_copy(created);
	o2_doc_put_str(changed, "/apiVersion", "example.com/v2");
	o2_doc_put_int(changed, "/spec/size", 2);
	sim_managed_update(created, changed, "", NULL);
	assert_int_equal(o2_doc_count(o2_doc_at(changed, LIST)), 2);
	assert_fields(changed, 1, "unknown", "{\"f:spec\":{\"f:size\":{}}}");
	assert_string_equal(o2_doc_str(changed, LIST "/0/apiVersion", ""), "example.com/v1");
}

static void test_long_name(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *object = parse("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{}}");
	O2_AUTO(o2_doc_freep) struct o2_doc *next = NULL;
	char name[301];

	(void)state;
	set_clock(AT);
	memset(name, 'x', 300);
	name[300] = '\0';
	sim_managed_update(NULL, object, "ann", NULL);
	next = o2_doc_copy(object);
	o2_doc_set_str(o2_doc_at(next, "/data"), name, "1");
	sim_managed_update(object, next, "bob", NULL);
	assert_int_equal(o2_doc_count(o2_doc_at(next, LIST)), 2);
	assert_non_null(sim_set_field(o2_doc_at(next, LIST "/1/fieldsV1/f:data"), name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_custom_resource),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
