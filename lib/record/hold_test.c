/* What can be said of holding without a server: the note that is kept, and the patch that thaws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/record_internal.h"

static struct o2_doc *parse(const char *yaml)
{
	struct o2_err err = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), &err);

	if (!docs)
		fail_msg("%s: %s", err.message, yaml);
	return o2_doc_ref(o2_doc_item(docs, 0));
}

static const struct {
	const char *what, *object, *hold;
} rows[] = {
	{ "replicas", "{metadata: {labels: {app: web}}, spec: {replicas: 3, paused: false}}",
	  "{spec: {replicas: 0}}" },
	{ "a member that was not there",
	  "{metadata: {labels: {app: web}}, spec: {template: {spec: {}}}}",
	  "{spec: {template: {spec: {nodeSelector: {os2os.io/not-started: 'true'}}}}}" },
	{ "a member beside others",
	  "{metadata: {labels: {a: b}}, spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}",
	  "{spec: {template: {spec: {nodeSelector: {os2os.io/not-started: 'true'}}}}}" },
	{ "one that is taken away",
	  "{metadata: {labels: {a: b}}, spec: {syncPolicy: {automated: {prune: true}, retry: 1}}}",
	  "{spec: {syncPolicy: {automated: null}}}" },
	{ "several",
	  "{metadata: {labels: {a: b}}, spec: {replicas: 2, policy: {whenScaled: Delete}}}",
	  "{spec: {replicas: 0, policy: {whenScaled: Retain}}}" },
	{ "nothing where nothing was", "{metadata: {labels: {a: b}}, spec: {replicas: 1}}",
	  "{spec: {replicas: 0, other: null}}" },
	{ "a map over a value", "{metadata: {labels: {a: b}}, spec: {mode: fast}}",
	  "{spec: {mode: {name: slow}}}" },
	{ "what is so already", "{metadata: {labels: {a: b}}, spec: {replicas: 1, paused: true}}",
	  "{spec: {replicas: 0, paused: true}}" },
	{ "an annotation", "{metadata: {labels: {a: b}, annotations: {x: y}}, spec: {}}",
	  "{metadata: {annotations: {autoscaling.keda.sh/paused: 'true'}}}" },
};

/* What the watchdog sends to an object that is held leaves it as it was, but for the mark. */
static void the_thaw_undoes_the_hold(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(NULL, NULL, "move");

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *object = parse(rows[i].object);
		O2_AUTO(o2_doc_freep) struct o2_doc *hold = parse(rows[i].hold);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *thaw = o2_record_thaw_patch(record, object, hold);
		O2_AUTO(o2_doc_freep) struct o2_doc *now = o2_doc_copy(object);
		struct o2_err err = { 0 };

		o2_doc_merge(&now, hold);
		o2_doc_put_str(now, "/metadata/labels/os2os.io~1held", o2_record_id(record));
		assert_false(o2_doc_equal(now, object));
		if (o2_doc_patch(&now, thaw, &err) < 0)
			fail_msg("%s: %s", rows[i].what, err.message);
		o2_doc_unset(o2_doc_at(now, "/metadata/labels"), "os2os.io/held");
		if (o2_doc_count(o2_doc_at(now, "/spec/template/spec/nodeSelector")) == 0)
			o2_doc_unset(o2_doc_at(now, "/spec/template/spec"), "nodeSelector");
		if (!o2_doc_equal(now, object))
			fail_msg("%s: %s", rows[i].what, o2_doc_dump(now));
	}
}

/* What another transaction holds, or nobody, is not thawed. */
static void the_thaw_asks_for_the_mark_first(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(NULL, NULL, "move");
	O2_AUTO(o2_doc_freep) struct o2_doc *object = parse(rows[0].object);
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = parse(rows[0].hold);
	O2_AUTO(o2_doc_freep) struct o2_doc *thaw = o2_record_thaw_patch(record, object, hold);
	struct o2_err err = { 0 };

	(void)state;
	o2_doc_merge(&object, hold);
	assert_true(o2_doc_patch(&object, thaw, &err) < 0);
	o2_err_clear(&err);
	o2_doc_put_str(object, "/metadata/labels/os2os.io~1held", "another");
	assert_int_equal(o2_doc_patch(&object, thaw, &err), -O2_ECONFLICT);
}

static void only_ones_own_note_is_read(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(NULL, NULL, "move");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *object = parse("{metadata: {labels: {os2os.io/held: another}, annotations: "
				      "{os2os.io/undo: '{\"ready\":2}'}}}");
	O2_AUTO(o2_doc_freep) struct o2_doc *note = NULL;

	(void)state;
	assert_null(o2_record_undo_of(record, object));
	o2_doc_put_str(object, "/metadata/labels/os2os.io~1held", o2_record_id(record));
	note = o2_record_undo_of(record, object);
	assert_int_equal(o2_doc_int(note, "/ready", 0), 2);
	o2_doc_put_str(object, "/metadata/annotations/os2os.io~1undo", "{cut");
	assert_null(o2_record_undo_of(record, object));
	o2_doc_remove(object, "/metadata/annotations");
	assert_null(o2_record_undo_of(record, object));
	assert_false(o2_record_is_as_held(record, object));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thaw_undoes_the_hold),
		cmocka_unit_test(the_thaw_asks_for_the_mark_first),
		cmocka_unit_test(only_ones_own_note_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
