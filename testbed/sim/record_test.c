/*
 * lib/record and lib/txn called directly, on simulated clusters: what a run of the program meets too seldom.
 */
#include "stage_test.h"

#include "kube/config.h"
#include "record/record_internal.h"
#include "txn/txn_internal.h"

#include "api.h"
#include "machine.h"

static struct o2_kube *kubes[2];
static struct o2_err err;

static void connect_to(int side)
{
	struct o2_kube_overrides overrides = { .kubeconfig = stage.kubeconfig,
					       .context = side == 0 ? "a" : "b" };
	struct o2_kube_config *config = o2_kube_config_load(&overrides, &err);

	EXPECT(config != NULL);
	kubes[side] = o2_kube_open(o2_http_new(), config, side == 0 ? "a" : "b", &err);
	EXPECT(kubes[side] != NULL);
}

static void connect_both(void)
{
	connect_to(0);
	connect_to(1);
}

static void declare(struct o2_record *record, const char *step, const char *kind, const char *name)
{
	struct o2_record_entry entry = { .step = (char *)step,
					 .side = O2_SOURCE,
					 .api_version = (char *)"v1",
					 .kind = (char *)kind,
					 .ns = (char *)"shop",
					 .name = (char *)name,
					 .uid = (char *)"uid" };

	o2_record_declare(record, &entry);
}

static int begin_record(struct o2_record *record)
{
	O2_AUTO(o2_strs_release) struct o2_strs namespaces = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *options = o2_doc_object_new();
	struct o2_record_begin begin = { .source_namespaces = &namespaces,
					 .target_namespaces = &namespaces,
					 .source_name = "a",
					 .target_name = "b",
					 .options = options,
					 .plan_digest = "" };

	o2_strs_add(&namespaces, "shop");
	o2_err_clear(&err);
	return o2_record_begin(record, &begin, &err);
}

/* One that is OPEN, with its mirror. */
static struct o2_record *begun(void)
{
	struct o2_record *record;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	EXPECT_CODE(begin_record(record), 0);
	EXPECT_CODE(o2_record_create_namespace(record, "shop", NULL, &err), 0);
	EXPECT_CODE(o2_record_create_mirror(record, &err), 0);
	EXPECT_CODE(o2_record_create_owner(record, O2_TARGET, "shop", &err), 0);
	return record;
}

#define STAGE(name) \
	static void name(void) \
	{ \
		raise_shape("web"); \
		in_task(name##_task); \
	}

/* --- chunks --- */

#define LONG_BYTES 300000
#define LONG_ENTRIES 7

static char *long_name(int number)
{
	char *name = o2_xcalloc(1, LONG_BYTES + 1);

	memset(name, 'a' + number, LONG_BYTES);
	return name;
}

static void a_write_set_of_several_chunks_task(void)
{
	struct o2_record *record, *again;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	for (int i = 0; i < LONG_ENTRIES; i++)
		declare(record, "create", "ConfigMap", long_name(i));
	EXPECT_CODE(begin_record(record), 0);
	EXPECT_CODE(o2_record_head(record)->write_set_chunks, 3);
	again = o2_record_load(kubes[0], kubes[1], "shop", o2_record_id(record), &err);
	EXPECT(again != NULL);
	EXPECT(o2_record_entry_count(again) == LONG_ENTRIES);
	for (int i = 0; i < LONG_ENTRIES; i++) {
		EXPECT(strcmp(o2_record_entry(again, (size_t)i)->name, long_name(i)) == 0);
		EXPECT(strcmp(o2_record_entry(again, (size_t)i)->uid, "uid") == 0);
		EXPECT(o2_record_entry(again, (size_t)i)->side == O2_SOURCE);
	}
	change(the(map_of(0, "write-set")), "/data/entries", "{\n");
	EXPECT(o2_record_load(kubes[0], kubes[1], "shop", o2_record_id(record), &err) == NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_write_set_drop(again, &err), 0);
	EXPECT(map_of(0, "write-set") == NULL);
}
STAGE(a_write_set_of_several_chunks)

static void a_chunk_that_is_refused_ends_the_begin_task(void)
{
	struct o2_record *record;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	for (int i = 0; i < LONG_ENTRIES; i++)
		declare(record, "create", "ConfigMap", long_name(i));
	strike(0, SIM_STRIKE_ERROR_422, "kube-system", 0);
	EXPECT_CODE(begin_record(record), -O2_EINVALID);
	record->head.source_namespaces.count = record->head.target_namespaces.count = 0;
	strike(0, SIM_STRIKE_ERROR_403, "POST /api/v1/namespaces/shop/configmaps", 0);
	EXPECT_CODE(begin_record(record), -O2_EAUTH);
	EXPECT(o2_record_head(record)->write_set_chunks == 1);
	record->head.source_namespaces.count = record->head.target_namespaces.count = 0;
	strike(0, SIM_STRIKE_ERROR_403, "POST /api/v1/namespaces/shop/configmaps", 1);
	EXPECT_CODE(begin_record(record), -O2_EAUTH);
	EXPECT(o2_record_head(record)->state == O2_STATE_ABSENT);
	EXPECT(map_of(0, "write-set") != NULL);
	strike(0, SIM_STRIKE_ERROR_403, "DELETE", 0);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_discard(record, &err), -O2_EAUTH);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_discard(record, &err), 0);
	EXPECT(map_of(0, "write-set") == NULL);
}
STAGE(a_chunk_that_is_refused_ends_the_begin)

static void an_opening_of_several_chunks_task(void)
{
	struct o2_record *record = begun();
	O2_AUTO(o2_doc_freep) struct o2_doc *items = o2_doc_array_new();
	bool dropped;

	for (int i = 0; i < LONG_ENTRIES; i++)
		o2_doc_append_str(items, long_name(i));
	EXPECT_CODE(o2_record_store_opening(record, items, &err), 0);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *again = o2_record_load_opening(record, &dropped, &err);
	EXPECT(again && !dropped && o2_doc_equal(again, items));
	strike(0, SIM_STRIKE_ERROR_403, "-open-1", 0);
	EXPECT(o2_record_load_opening(record, &dropped, &err) == NULL);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT_CODE(o2_record_drop_opening(record, &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps/os2os-txn", 0);
	EXPECT_CODE(o2_record_drop_opening(record, &err), -O2_EAUTH);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_drop_opening(record, &err), 0);
	EXPECT(map_of(1, "opening") == NULL);
	again = o2_record_load_opening(record, &dropped, &err);
	EXPECT(again && dropped && o2_doc_count(again) == 0);
}
STAGE(an_opening_of_several_chunks)

static void an_opening_that_cant_be_kept_task(void)
{
	struct o2_record *record = begun();
	O2_AUTO(o2_doc_freep) struct o2_doc *items = o2_doc_array_new();
	bool dropped;

	for (int i = 0; i < LONG_ENTRIES; i++)
		o2_doc_append_str(items, long_name(i));
	strike(0, SIM_STRIKE_ERROR_403, "POST", 0);
	EXPECT_CODE(o2_record_store_opening(record, items, &err), -O2_EAUTH);
	EXPECT(map_of(1, "opening") == NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_store_opening(record, items, &err), 0);
	change(the(map_of(1, "opening")), "/data/items", "{\n");
	EXPECT(o2_record_load_opening(record, &dropped, &err) == NULL);
	EXPECT_CODE(err.code, -O2_EINVALID);
}
STAGE(an_opening_that_cant_be_kept)

/* --- who holds it --- */

static struct o2_record *rival_of(struct o2_record *record)
{
	struct o2_record *rival =
		o2_record_load(kubes[0], kubes[1], "shop", o2_record_id(record), &err);

	EXPECT(rival != NULL);
	return rival;
}

static void who_was_taken_over_stops_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	EXPECT_CODE(o2_record_take_over(rival, &err), 0);
	EXPECT_CODE(o2_record_head(rival)->epoch, 2);
	EXPECT_CODE(o2_record_check(record, O2_STATE_OPEN, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "was taken over by") != NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_set_phase(record, "later", &err), -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_decide(record, &err), -O2_ECONFLICT);
	EXPECT(!o2_record_is_in_doubt(record));
	EXPECT(o2_record_head(record)->state == O2_STATE_OPEN);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_check(rival, O2_STATE_OPEN, &err), 0);
	EXPECT_CODE(o2_record_abort(rival, "because", &err), 0);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
}
STAGE(who_was_taken_over_stops)

/* Nobody else holds it, but somebody asked for its end. */
static void an_abort_by_others_is_adopted_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	EXPECT_CODE(o2_record_abort(rival, "because of that", &err), 0);
	EXPECT_CODE(o2_record_check(record, O2_STATE_OPEN, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "is ABORTED in a: because of that") != NULL);
	EXPECT(o2_record_head(record)->state == O2_STATE_ABORTED);
	EXPECT(strcmp(o2_record_head(record)->reason, "because of that") == 0);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_abort(record, "another", &err), 0);
	EXPECT_CODE(o2_record_set_phase(record, "undo", &err), 0);
}
STAGE(an_abort_by_others_is_adopted)

/* Written by somebody else before the answer to the CREATE, which says that it exists. */
static void a_record_that_was_there_is_lost(const char *state, enum o2_record_state after)
{
	struct o2_record *record;
	char stamp[33] = "theirs";

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	struct o2_record *other = o2_record_new(kubes[0], kubes[1], "move");
	snprintf(other->head.id, sizeof(other->head.id), "%s", record->head.id);
	o2_strs_add(&other->head.source_namespaces, "shop");
	other->head.state = O2_STATE_OPEN;
	struct o2_doc *map = o2_record_head_to_doc(other, O2_SOURCE, stamp);
	o2_doc_put_str(map, "/data/state", state);
	EXPECT(sim_create(sim_side(0), map, "os2os", NULL) != NULL);
	EXPECT_CODE(begin_record(record), -O2_ECONFLICT);
	EXPECT(o2_record_head(record)->state == after);
	o2_err_clear(&err);
	if (after == O2_STATE_OPEN)
		EXPECT_CODE(o2_record_set_phase(record, "on", &err), -O2_ECONFLICT);
	EXPECT(strcmp(o2_doc_str(record_of(0)->doc, "/data/stamp", ""), "theirs") == 0);
}

static void a_record_taken_over_at_once_task(void)
{
	a_record_that_was_there_is_lost("OPEN", O2_STATE_OPEN);
}
STAGE(a_record_taken_over_at_once)

static void a_record_that_is_barred_task(void)
{
	a_record_that_was_there_is_lost("ABORTED", O2_STATE_ABSENT);
}
STAGE(a_record_that_is_barred)

/* Somebody asked for its end between our look and our write: that is known afterwards. */
static void an_abort_before_the_decision_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	EXPECT_CODE(o2_record_abort(rival, "because", &err), 0);
	EXPECT_CODE(o2_record_decide(record, &err), -O2_ECONFLICT);
	EXPECT(o2_record_head(record)->state == O2_STATE_ABORTED);
}
STAGE(an_abort_before_the_decision)

/* The same epoch in another's hands. */
static void another_holder_is_named_task(void)
{
	struct o2_record *record = begun();

	change(record_of(0), "/data/holder", "somebody");
	change(record_of(0), "/data/state", "DONE");
	EXPECT_CODE(o2_record_check(record, O2_STATE_OPEN, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "was taken over by somebody and is DONE") != NULL);
}
STAGE(another_holder_is_named)

static void take_over_first(void)
{
	change(record_of(0), "/data/epoch", "2");
}

static void a_takeover_that_is_too_late_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	act(0, take_over_first, "PUT", 0);
	EXPECT_CODE(o2_record_take_over(rival, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "taken over by somebody else meanwhile") != NULL);
}
STAGE(a_takeover_that_is_too_late)

static void cut_from_a(void)
{
	sim_cut(SIM_TO_A, true);
	sim_cut(SIM_FROM_A, true);
}

/* Nobody knows whether the record was made: whoever aborts it looks. */
static void a_record_without_an_answer_task(void)
{
	struct o2_record *record;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	o2_record_set_patience(record, 1000);
	act(0, cut_from_a, "POST /api/v1/namespaces/shop/configmaps", 3);
	EXPECT_CODE(begin_record(record), -O2_ETRANSIENT);
	EXPECT(o2_record_head(record)->state == O2_STATE_OPEN);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_abort(record, "lost", &err), -O2_ETRANSIENT);
	sim_mend_all();
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_abort(record, "lost", &err), 0);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
}
STAGE(a_record_without_an_answer)

static void a_record_that_is_gone_task(void)
{
	struct o2_record *record = begun();

	sim_remove(record_of(0));
	EXPECT_CODE(o2_record_check(record, O2_STATE_OPEN, &err), -O2_ENOTFOUND);
	EXPECT(strstr(err.message, "is gone") != NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_take_over(record, &err), -O2_ENOTFOUND);
}
STAGE(a_record_that_is_gone)

/* As recovery has it that finds R2 only. */
static struct o2_record *known_by_mirror(struct o2_record *record)
{
	struct o2_record *found =
		o2_record_load(NULL, kubes[1], "shop", o2_record_id(record), &err);

	EXPECT(found != NULL);
	EXPECT(!o2_record_is_renewed(found));
	o2_record_set_source(found, kubes[0]);
	return found;
}

static void a_record_is_made_again_once_task(void)
{
	struct o2_record *record = begun(), *found = known_by_mirror(record);

	EXPECT_CODE(o2_record_renew(found, "lost", &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "is there again") != NULL);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	o2_err_clear(&err);
	sim_remove(record_of(0));
	strike(0, SIM_STRIKE_ERROR_403, "POST /api/v1/namespaces/shop/configmaps", 0);
	found = known_by_mirror(record);
	EXPECT_CODE(o2_record_renew(found, "lost", &err), -O2_EAUTH);
	o2_err_clear(&err);
	found = known_by_mirror(record);
	EXPECT_CODE(o2_record_renew(found, "lost", &err), 0);
	EXPECT(o2_record_is_renewed(found));
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
}
STAGE(a_record_is_made_again_once)

/* What B's record says must be what was written last. */
static void the_mirror_is_a_fence_task(void)
{
	struct o2_record *record = begun();

	EXPECT_CODE(o2_record_check(record, O2_STATE_COMMITTED, &err), -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_mirror(record, &err), 0);
	EXPECT_CODE(o2_record_check_mirror(record, &err), 0);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps", 0);
	EXPECT_CODE(o2_record_check_mirror(record, &err), -O2_EAUTH);
	o2_err_clear(&err);
	change(record_of(1), "/data/stamp", "older");
	EXPECT_CODE(o2_record_check_mirror(record, &err), -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_mirror(record, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "restored from a backup") != NULL);
	EXPECT(strcmp(o2_doc_str(record_of(1)->doc, "/data/stamp", ""), "older") == 0);
	o2_err_clear(&err);
	sim_remove(record_of(1));
	EXPECT_CODE(o2_record_check_mirror(record, &err), -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_mirror(record, &err), -O2_ECONFLICT);
}
STAGE(the_mirror_is_a_fence)

static void a_record_that_is_damaged_task(void)
{
	struct o2_record *record = begun();

	change(record_of(0), "/data/state", "?");
	EXPECT_CODE(o2_record_check(record, O2_STATE_OPEN, &err), -O2_ECORRUPT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_take_over(record, &err), -O2_ECORRUPT);
	EXPECT(strcmp(o2_record_state_name((enum o2_record_state)99), "?") == 0);
}
STAGE(a_record_that_is_damaged)

/* The takeover's answer is lost, or another one is quicker. */
static void a_takeover_without_an_answer_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	strike(0, SIM_STRIKE_RESET, "PUT /api/v1/namespaces/shop/configmaps", 1);
	EXPECT_CODE(o2_record_take_over(rival, &err), 0);
	EXPECT_CODE(o2_record_check(rival, O2_STATE_OPEN, &err), 0);
	strike(0, SIM_STRIKE_ERROR_409, "PUT /api/v1/namespaces/shop/configmaps", 0);
	EXPECT_CODE(o2_record_take_over(rival, &err), -O2_ECONFLICT);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "PUT /api/v1/namespaces/shop/configmaps", 0);
	EXPECT_CODE(o2_record_take_over(rival, &err), -O2_EAUTH);
}
STAGE(a_takeover_without_an_answer)

static int end_it(void *arg, enum o2_side side, const struct o2_record_head *head)
{
	(void)side, (void)head;
	++*(int *)arg;
	return -O2_ECANCELED;
}

static void a_search_may_be_ended_task(void)
{
	struct o2_record *record = begun();
	int count = 0;

	(void)record;
	EXPECT_CODE(o2_record_find(kubes[0], NULL, end_it, &count, &err), -O2_ECANCELED);
	EXPECT_CODE(count, 1);
}
STAGE(a_search_may_be_ended)

/* --- the mirror --- */

static void the_mirror_never_goes_back_task(void)
{
	struct o2_record *record = begun();

	EXPECT_CODE(o2_record_decide(record, &err), 0);
	EXPECT_CODE(o2_record_mirror(record, &err), 0);
	EXPECT(strcmp(state_of(1), "COMMITTED") == 0);
	change(record_of(1), "/data/state", "DONE");
	EXPECT_CODE(o2_record_mirror(record, &err), 0); /* it isn't clean: that is not the end */
	EXPECT(strcmp(state_of(1), "COMMITTED") == 0);
	change(record_of(1), "/data/clean", "true");
	EXPECT_CODE(o2_record_mirror(record, &err), 0); /* COMMITTED and clean is not DONE */
	change(record_of(1), "/data/state", "DONE");
	change(record_of(1), "/data/clean", "true");
	EXPECT_CODE(o2_record_mirror(record, &err), 0);
	EXPECT(strcmp(state_of(1), "DONE") == 0);
	change(record_of(1), "/data/clean", "false");
	strike(0, SIM_STRIKE_ERROR_403, "PUT", 0);
	EXPECT_CODE(o2_record_mirror(record, &err), -O2_EAUTH);
	o2_err_clear(&err);
	o2_record_set_patience(record, 0);
	strike_times(0, SIM_STRIKE_RESET, "PUT", 0, 9);
	EXPECT_CODE(o2_record_mirror(record, &err), -O2_ETRANSIENT);
}
STAGE(the_mirror_never_goes_back)

/* --- batches --- */

static struct o2_record_object some_map(struct o2_record *record, int side, const char *name)
{
	(void)record;
	return (struct o2_record_object){ .kind = o2_record_kind(kubes[side], "ConfigMap"),
					  .ns = "shop",
					  .name = name };
}

static struct o2_doc *map_doc(const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_put_str(doc, "/apiVersion", "v1");
	o2_doc_put_str(doc, "/kind", "ConfigMap");
	o2_doc_put_str(doc, "/metadata/name", name);
	o2_doc_put_str(doc, "/metadata/namespace", "shop");
	o2_doc_put_str(doc, "/data/a", "b");
	return doc;
}

/* Somebody else writes before each of our writes. */
static void changed_all_the_time_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_TARGET, "mine");
	O2_AUTO(o2_doc_freep) struct o2_doc *body = map_doc("mine");

	object.object = body;
	EXPECT_CODE(o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_409, "PATCH", 0, 20);
	EXPECT_CODE(o2_record_change_many(record, &object, 1, "on", O2_STATE_OPEN, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_409, "PATCH", 0, 99);
	EXPECT_CODE(o2_record_change_many(record, &object, 1, "off", O2_STATE_OPEN, &err),
		    -O2_ECONFLICT);
	EXPECT(strstr(err.message, "'mine' in b is changed by somebody else") != NULL);
	EXPECT(strcmp(sim_label(find_in(1, "", "ConfigMap", "mine"), "os2os.io/phase"), "on") == 0);
}
STAGE(changed_all_the_time)

static void cut_from_b(void)
{
	sim_cut(SIM_TO_B, true);
}

/* Reads that are not answered are told as the cluster's, and later ones go on. */
static void a_batch_without_answers_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object objects[] = { some_map(record, O2_TARGET, "one"),
					      some_map(record, O2_TARGET, "two") };
	O2_AUTO(o2_doc_freep) struct o2_doc *one = map_doc("one");
	O2_AUTO(o2_doc_freep) struct o2_doc *two = map_doc("two");

	objects[0].object = one;
	objects[1].object = two;
	EXPECT_CODE(o2_record_create_many(record, objects, 2, true, O2_STATE_OPEN, &err), 0);
	EXPECT_CODE(o2_record_create_many(record, objects, 0, true, O2_STATE_OPEN, &err), 0);
	o2_record_set_patience(record, 2000);
	cut_from_b();
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err),
		    -O2_ETRANSIENT);
	EXPECT(strstr(err.message, "b does not answer") != NULL);
	sim_mend_all();
	o2_err_clear(&err);
	strike_times(0, SIM_STRIKE_ERROR_403, "PATCH", 0, 2); /* the first failure is told */
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err),
		    -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps/two", 0);
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err),
		    -O2_EAUTH);
	EXPECT(sim_label(find_in(1, "", "ConfigMap", "one"), "os2os.io/phase")[0] == '\0');
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps/one", 0);
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err),
		    -O2_EAUTH);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err), 0);
	objects[0].seen = NULL;
	change(the(find_in(1, "", "ConfigMap", "two")), "/metadata/labels/os2os.io~1txn", "other");
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "off", O2_STATE_OPEN, &err),
		    -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_remove_many(record, objects, 2, true, &err), 0);
	EXPECT(find_in(1, "", "ConfigMap", "one") == NULL);
	EXPECT(find_in(1, "", "ConfigMap", "two") != NULL); /* it is another's */
	EXPECT_CODE(o2_record_remove_many(record, objects, 0, true, &err), 0);
}
STAGE(a_batch_without_answers)

static void helpers_may_be_refused_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_TARGET, "helper");
	O2_AUTO(o2_doc_freep) struct o2_doc *body = map_doc("helper");

	object.object = body;
	strike(0, SIM_STRIKE_ERROR_403, "POST", 0);
	EXPECT_CODE(o2_record_create_helpers(record, O2_TARGET, &object, 1, &err), -O2_EAUTH);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_create_helpers(record, O2_TARGET, &object, 1, &err), 0);
	EXPECT(strcmp(sim_label(find_in(1, "", "ConfigMap", "helper"), "os2os.io/record"),
		      "helper") == 0);
	EXPECT_CODE(o2_record_clear_helpers(record, O2_TARGET, &err), 0);
	EXPECT(find_in(1, "", "ConfigMap", "helper") == NULL);
}
STAGE(helpers_may_be_refused)

/* What somebody else has under that name is not taken for ours. */
static void others_objects_are_not_ours_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_TARGET, "theirs");
	O2_AUTO(o2_doc_freep) struct o2_doc *body = map_doc("theirs");

	make(1, "{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: shop}}");
	object.object = body;
	EXPECT_CODE(o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, &err),
		    -O2_ECONFLICT);
	EXPECT(strstr(err.message, "'shop/theirs' already exists in b and is not") != NULL);
	o2_err_clear(&err);
	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: theirs}}");
	EXPECT_CODE(o2_record_create_namespace(record, "theirs", NULL, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "'theirs' already exists in b and is not") != NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_remove_namespace(record, "theirs", &err), 0);
	EXPECT_CODE(o2_record_remove_namespace(record, "nobodys", &err), 0);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "theirs") != NULL);
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "theirs", &err), 0);
	EXPECT(find_in(1, "", "ConfigMap", "theirs") != NULL);
	EXPECT_CODE(o2_record_release_many(record, &object, 1, &err), 0);
	EXPECT(find_in(1, "", "ConfigMap", "theirs") != NULL);
}
STAGE(others_objects_are_not_ours)

/* What nobody answers for ends when somebody asks for the end. */
static void interrupt(void)
{
	sim_cut(SIM_TO_B, true);
	sim_machine_of(sim_task_current())->signal = 2;
}

static void waiting_may_be_interrupted_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_TARGET, "mine");
	O2_AUTO(o2_doc_freep) struct o2_doc *body = map_doc("mine");
	int64_t begin = sim_now_us();

	object.object = body;
	EXPECT_CODE(o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, &err), 0);
	act(0, interrupt, "GET /api/v1/namespaces/shop/configmaps/mine", 0);
	EXPECT(o2_record_change_many(record, &object, 1, "on", O2_STATE_OPEN, &err) < 0);
	EXPECT(sim_now_us() - begin < 60 * SIM_S);
}
STAGE(waiting_may_be_interrupted)

/* Whether the lock was made is not known then: it is looked for at the end. */
static void locking_may_be_interrupted_task(void)
{
	struct o2_record *record = begun();

	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: till}}");
	EXPECT_CODE(o2_record_lock(record, O2_SOURCE, "shop", &err), 0);
	act(0, interrupt, "POST /api/v1/namespaces/till/configmaps", 0);
	EXPECT_CODE(o2_record_lock(record, O2_TARGET, "till", &err), -O2_ECANCELED);
	EXPECT(o2_strs_has(&record->locks[O2_TARGET], "till"));
}
STAGE(locking_may_be_interrupted)

static void cut_off_b(void)
{
	sim_cut(SIM_TO_B, true);
}

static void locking_may_stay_unanswered_task(void)
{
	struct o2_record *record = begun();

	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: till}}");
	EXPECT_CODE(o2_record_lock(record, O2_SOURCE, "shop", &err), 0);
	o2_record_set_patience(record, 5000);
	act(0, cut_off_b, "POST /api/v1/namespaces/till/configmaps", 0);
	EXPECT_CODE(o2_record_lock(record, O2_TARGET, "till", &err), -O2_ETRANSIENT);
	EXPECT(o2_strs_has(&record->locks[O2_TARGET], "till"));
}
STAGE(locking_may_stay_unanswered)

/* Somebody else's finalizer keeps it: ours goes, and after a while we say so. */
static void what_others_keep_is_said_task(void)
{
	struct o2_record *record = begun();
	O2_AUTO(o2_freep)
	char *kept = o2_xasprintf(
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: shop, "
		"labels: {os2os.io/txn: %s}, finalizers: [example.com/x, " O2_RECORD_FINALIZER
		"]}}",
		o2_record_id(record));
	struct o2_record_object object = some_map(record, O2_TARGET, "kept");

	make(1, kept);
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "kept", &err),
		    -O2_ETRANSIENT);
	EXPECT(strstr(err.message, "is still being deleted") != NULL);
	EXPECT(o2_doc_count(o2_doc_at(the(find_in(1, "", "ConfigMap", "kept"))->doc,
				      "/metadata/finalizers")) == 1);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_remove_many(record, &object, 1, false, &err), -O2_ETRANSIENT);
	o2_err_clear(&err);
	o2_record_set_haste(record, true);
	EXPECT_CODE(o2_record_remove_many(record, &object, 1, false, &err), -O2_ETRANSIENT);
}
STAGE(what_others_keep_is_said)

static void failures_of_deletions_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object objects[] = { some_map(record, O2_TARGET, "one"),
					      some_map(record, O2_TARGET, "two") };
	O2_AUTO(o2_doc_freep) struct o2_doc *one = map_doc("one");
	O2_AUTO(o2_doc_freep) struct o2_doc *two = map_doc("two");

	objects[0].object = one;
	objects[1].object = two;
	EXPECT_CODE(o2_record_create_many(record, objects, 2, true, O2_STATE_OPEN, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_403, "DELETE", 0, 2);
	EXPECT_CODE(o2_record_remove_many(record, objects, 2, false, &err), -O2_EAUTH);
	EXPECT(strstr(err.message, "shop/one") != NULL);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_409, "DELETE", 0);
	strike(0, SIM_STRIKE_ERROR_404, "DELETE", 0);
	EXPECT_CODE(o2_record_remove_many(record, objects, 2, false, &err), 0);
	EXPECT(find_in(1, "", "ConfigMap", "one") == NULL);
	EXPECT(find_in(1, "", "ConfigMap", "two") == NULL);
	objects[0].object = two;
	objects[0].name = "two";
	EXPECT_CODE(o2_record_create_many(record, objects, 1, true, O2_STATE_OPEN, &err), 0);
	strike(0, SIM_STRIKE_ERROR_409, "DELETE", 0);
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], objects[0].kind, "shop", "two", &err),
		    0);
	EXPECT(find_in(1, "", "ConfigMap", "two") == NULL);
}
STAGE(failures_of_deletions)

/* Released, and gone in between; changed, and gone. */
static void what_is_gone_needs_no_release_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object objects[] = { some_map(record, O2_TARGET, "one"),
					      some_map(record, O2_TARGET, "two") };
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = o2_doc_object_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *seen = o2_doc_object_new();

	objects[0].object = objects[1].object = patch;
	EXPECT_CODE(o2_record_change_many(record, objects, 1, "on", O2_STATE_OPEN, &err),
		    -O2_ENOTFOUND);
	o2_err_clear(&err);
	objects[0].seen = seen; /* as a sweep saw it: it is another's */
	EXPECT_CODE(o2_record_change_many(record, objects, 2, "on", O2_STATE_OPEN, &err),
		    -O2_ECONFLICT);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_decide(record, &err), 0);
	objects[0].seen = seen;
	EXPECT_CODE(o2_record_release_many(record, objects, 2, &err), 0);
}
STAGE(what_is_gone_needs_no_release)

/* Made for our claim, by a provisioner, and kept by its class: nothing else is told to go. */
static void only_our_volumes_are_reclaimed_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object claim = { .kind = o2_record_kind(kubes[1], "PersistentVolumeClaim"),
					  .ns = "shop",
					  .name = "theirs" };
	struct o2_record_object mine = { .kind = claim.kind, .ns = "shop", .name = "mine" };
	O2_AUTO(o2_freep)
	char *ours = o2_xasprintf(
		"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: mine, "
		"namespace: shop, labels: {os2os.io/txn: %s}}, spec: {accessModes: "
		"[ReadWriteOnce], resources: {requests: {storage: 1Gi}}, volumeName: v}}",
		o2_record_id(record));

	make(1, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: theirs, namespace: "
		"shop}, "
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}");
	o2_record_reclaim_volumes(record, &claim, 1);
	struct sim_object *object = make(1, ours);
	o2_record_reclaim_volumes(record, &mine, 1); /* there is no such volume */
	make(1, "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {capacity: "
		"{storage: "
		"1Gi}, accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Retain}}");
	struct sim_object *volume =
		the(sim_find(sim_side(1), sim_kind("", "PersistentVolume"), NULL, "v"));
	o2_record_reclaim_volumes(record, &mine, 1);
	EXPECT(strcmp(o2_doc_str(volume->doc, "/spec/persistentVolumeReclaimPolicy", ""),
		      "Retain") == 0);
	change(volume, "/spec/claimRef/uid", sim_uid(object));
	o2_record_reclaim_volumes(record, &mine, 1);
	EXPECT(strcmp(o2_doc_str(volume->doc, "/spec/persistentVolumeReclaimPolicy", ""),
		      "Retain") == 0);
	change(volume, "/metadata/annotations/pv.kubernetes.io~1provisioned-by", "sim");
	o2_record_reclaim_volumes(record, &mine, 1);
	EXPECT(strcmp(o2_doc_str(volume->doc, "/spec/persistentVolumeReclaimPolicy", ""),
		      "Delete") == 0);
	o2_record_reclaim_volumes(record, &mine, 1);
}
STAGE(only_our_volumes_are_reclaimed)

/* --- what may not be listed --- */

static int count_items(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	(void)kind, (void)item;
	*(int *)arg += 1;
	return 0;
}

/* Who may never list a kind made none of it, unless the write set says so. */
static void what_may_never_be_listed_task(void)
{
	struct o2_record *record;
	struct o2_record_entry lease = { .step = (char *)"create",
					 .side = O2_TARGET,
					 .api_version = (char *)"coordination.k8s.io/v1",
					 .kind = (char *)"Lease",
					 .ns = (char *)"shop",
					 .name = (char *)"x" };
	int items = 0;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	o2_record_declare(record, &lease);
	EXPECT_CODE(begin_record(record), 0);
	strike_times(0, SIM_STRIKE_ERROR_403, "/limitranges", 0, 1);
	EXPECT_CODE(o2_record_sweep(record, count_items, &items, &err),
		    -O2_EAUTH); /* it may, mostly */
	o2_err_clear(&err);
	sim_deny_reviews("limitranges");
	strike_times(0, SIM_STRIKE_ERROR_403, "/limitranges", 0, 1);
	EXPECT_CODE(o2_record_sweep(record, count_items, &items, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_403, "/limitranges", 0, 1);
	strike_times(0, SIM_STRIKE_ERROR_403, "selfsubjectaccessreviews", 0, 1);
	EXPECT_CODE(o2_record_sweep(record, count_items, &items, &err), -O2_EAUTH);
	o2_err_clear(&err);
	sim_deny_reviews("leases");
	strike_times(0, SIM_STRIKE_ERROR_403, "/leases", 0, 1);
	EXPECT_CODE(o2_record_sweep(record, count_items, &items, &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike_times(0, SIM_STRIKE_ERROR_404, "/limitranges", 0, 9);
	EXPECT_CODE(o2_record_sweep(record, count_items, &items, &err), 0);
	EXPECT(items == 0);
	sim_deny_reviews("jobs");
	strike_times(0, SIM_STRIKE_ERROR_403, "/jobs", 0, 1);
	EXPECT_CODE(o2_record_clear_helpers(record, O2_TARGET, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_404, "/jobs", 0, 9);
	EXPECT_CODE(o2_record_clear_helpers(record, O2_TARGET, &err), 0);
	strike_times(0, SIM_STRIKE_ERROR_403, "/pods", 0, 1);
	EXPECT_CODE(o2_record_clear_helpers(record, O2_TARGET, &err), -O2_EAUTH);
}
STAGE(what_may_never_be_listed)

/* --- holding --- */

static struct o2_record_object the_web(void)
{
	return (struct o2_record_object){ .kind = o2_kube_kind_find(kubes[0], "apps", "Deployment"),
					  .ns = "shop",
					  .name = "web" };
}

static void what_another_holds_is_left_alone_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = the_web();
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_doc_object_new();

	o2_doc_put_int(hold, "/spec/replicas", 0);
	object.object = hold;
	change(the(find_in(0, "apps", "Deployment", "web")), "/metadata/labels/os2os.io~1held",
	       "other");
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "is held by transaction other; run 'os2os finalize other'") !=
	       NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(strcmp(sim_label(find_in(0, "apps", "Deployment", "web"), "os2os.io/held"),
		      "other") == 0);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc, "/spec/replicas", 0) ==
	       2);
}
STAGE(what_another_holds_is_left_alone)

static void take_the_mark_off(void)
{
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *next = o2_doc_copy(web->doc);

	o2_doc_remove(next, "/metadata/labels/os2os.io~1held");
	o2_doc_remove(next, "/metadata/annotations/os2os.io~1undo");
	sim_put(web, next);
}

/* Who owns fields since it was held owns them afterwards; who has no owner has none. */
static void holding_and_giving_back_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = the_web();
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_doc_object_new();
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *next, *entry = o2_doc_object_new();

	o2_doc_put_int(hold, "/spec/replicas", 0);
	object.object = hold;
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0); /* it is held */
	EXPECT(o2_doc_int(web->doc, "/spec/replicas", 9) == 0);
	EXPECT_CODE(o2_record_touch_many(record, &object, 1, O2_STATE_OPEN, &err),
		    0); /* not this */
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1touched"));
	o2_doc_set_str(entry, "manager", "somebody");
	o2_doc_set_str(entry, "operation", "Update");
	o2_doc_set_str(entry, "apiVersion", "apps/v1");
	o2_doc_set_str(entry, "fieldsType", "FieldsV1");
	o2_doc_put(entry, "/fieldsV1/f:metadata/f:annotations/f:note", o2_doc_object_new());
	next = o2_doc_copy(web->doc);
	o2_doc_put_str(next, "/metadata/annotations/note", "theirs");
	o2_doc_append(o2_doc_at(next, "/metadata/managedFields"), entry);
	sim_put(web, next);
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_int(web->doc, "/spec/replicas", 9) == 2);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(web->doc);
	EXPECT(strstr(text, "\"somebody\"") && !strstr(text, "\"os2os\""));
	EXPECT(!strstr(text, "os2os.io/held") && !strstr(text, "os2os.io/undo"));
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	act(0, take_the_mark_off, "PATCH", 2); /* by somebody, after the first of two writes */
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_int(web->doc, "/spec/replicas", 9) == 2);
}
STAGE(holding_and_giving_back)

/* A map that is taken away whole comes back whole, unless somebody put another there; without owners too. */
static void a_whole_map_is_given_back_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_SOURCE, "settings");
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_doc_object_new();
	struct sim_object *map = the(find_in(0, "", "ConfigMap", "settings"));
	struct o2_doc *next = o2_doc_copy(map->doc);

	o2_doc_put(hold, "/data", o2_doc_null_new());
	object.object = hold;
	o2_doc_remove(next, "/metadata/managedFields");
	sim_put(map, next);
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	EXPECT(!o2_doc_at(map->doc, "/data"));
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(strcmp(o2_doc_str(map->doc, "/data/color", ""), "green") == 0);
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	change(map, "/data/color", "red");
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(strcmp(o2_doc_str(map->doc, "/data/color", ""), "red") == 0);
}
STAGE(a_whole_map_is_given_back)

/* Held anew by somebody as often as it is given back. */
static void hold_it_again(void)
{
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));

	change(web, "/metadata/labels/os2os.io~1held", the_id());
	change(web, "/metadata/annotations/os2os.io~1undo", "{\"do\":{},\"undo\":{}}");
	act(0, hold_it_again, "PATCH", 1);
}

static void held_again_and_again_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object objects[] = { some_map(record, O2_SOURCE, "settings"), the_web() };

	stage.hit_count = 0;
	hold_it_again();
	EXPECT_CODE(o2_record_restore_many(record, objects, 2, O2_STATE_OPEN, &err), -O2_ECONFLICT);
	EXPECT(strstr(err.message, "again and again") != NULL);
}
STAGE(held_again_and_again)

/* --- finalize --- */

static void what_is_no_longer_served_is_passed_over_task(void)
{
	struct o2_record *record;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	declare(record, "freeze", "Gone", "x");
	declare(record, O2_RECORD_RETIRE, "Gone", "x");
	declare(record, O2_RECORD_RETIRE, "ConfigMap", "absent");
	EXPECT_CODE(begin_record(record), 0);
	EXPECT_CODE((int)o2_txn_retired_count(record), 2);
	record->head.state = O2_STATE_DONE;
	EXPECT_CODE(o2_record_swap(record, &err), 0);
	EXPECT_CODE(o2_txn_finalize(record, &err), 0);
	EXPECT(map_of(0, "write-set") == NULL);
	EXPECT(strcmp(o2_doc_str(record_of(0)->doc, "/data/phase", ""), "retired") == 0);
}
STAGE(what_is_no_longer_served_is_passed_over)

/* --- the small print --- */

static void remove_the_lock(void)
{
	sim_remove(find_in(0, "", "ConfigMap", "os2os-lock"));
}

static void a_lock_that_goes_while_it_is_looked_at_task(void)
{
	struct o2_record *record, *other;

	connect_both();
	record = o2_record_new(kubes[0], kubes[1], "move");
	other = o2_record_new(kubes[0], kubes[1], "move");
	EXPECT_CODE(o2_record_lock(other, O2_SOURCE, "shop", &err), 0);
	EXPECT_CODE(o2_record_lock(other, O2_SOURCE, "shop", &err), 0);
	EXPECT_CODE(o2_record_lock(record, O2_SOURCE, "shop", &err), -O2_EBUSY);
	EXPECT(strstr(err.message, o2_record_id(other)) != NULL);
	o2_err_clear(&err);
	act(0, remove_the_lock, "GET /api/v1/namespaces/shop/configmaps/os2os-lock", 2);
	EXPECT_CODE(o2_record_lock(record, O2_SOURCE, "shop", &err), -O2_ENOTFOUND);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_lock(other, O2_SOURCE, "shop", &err), 0);
	act(0, remove_the_lock, "GET /api/v1/namespaces/shop/configmaps/os2os-lock", 0);
	EXPECT_CODE(o2_record_lock(record, O2_SOURCE, "shop", &err), 0);
}
STAGE(a_lock_that_goes_while_it_is_looked_at)

static void cluster_scoped_objects_have_no_owner_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = {
		.kind = o2_kube_kind_find(kubes[1], "rbac.authorization.k8s.io", "ClusterRole"),
		.name = "wide"
	};
	O2_AUTO(o2_doc_freep) struct o2_doc *role = o2_doc_object_new();

	o2_doc_put_str(role, "/apiVersion", "rbac.authorization.k8s.io/v1");
	o2_doc_put_str(role, "/kind", "ClusterRole");
	o2_doc_put_str(role, "/metadata/name", "wide");
	object.object = role;
	EXPECT_CODE(o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, &err), 0);
	struct sim_object *made = the(sim_find(
		sim_side(1), sim_kind("rbac.authorization.k8s.io", "ClusterRole"), NULL, "wide"));
	EXPECT(made && !o2_doc_at(made->doc, "/metadata/ownerReferences"));
	EXPECT(strcmp(sim_label(made, "os2os.io/txn"), o2_record_id(record)) == 0);
}
STAGE(cluster_scoped_objects_have_no_owner)

/* Of what is neither made nor held by the transaction. */
static void others_status_is_not_written_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = the_web();
	O2_AUTO(o2_doc_freep) struct o2_doc *status = o2_doc_object_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_doc_object_new();
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));

	o2_doc_put_int(status, "/status/collisionCount", 7);
	o2_doc_put(hold, "/spec/paused", o2_doc_bool_new(true));
	object.object = status;
	EXPECT_CODE(o2_record_set_status(record, O2_SOURCE, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_int(web->doc, "/status/collisionCount", 0) == 0);
	object.object = hold;
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	object.object = status;
	EXPECT_CODE(o2_record_set_status(record, O2_SOURCE, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT_CODE(o2_record_set_status(record, O2_SOURCE, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_int(web->doc, "/status/collisionCount", 0) == 7);
}
STAGE(others_status_is_not_written)

/* Who was taken over takes back what it made without an owner. */
static void what_is_made_too_late_is_taken_back_task(void)
{
	struct o2_record *record = begun(), *rival = rival_of(record);

	EXPECT_CODE(o2_record_take_over(rival, &err), 0);
	EXPECT_CODE(o2_record_create_namespace(record, "late", NULL, &err), -O2_ECONFLICT);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "late") == NULL);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT_CODE(o2_record_create_namespace(record, "late", NULL, &err), -O2_ECONFLICT);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "late") != NULL);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_create_owner(record, O2_SOURCE, "shop", &err), -O2_ECONFLICT);
	EXPECT(map_of(0, "owner") == NULL);
	o2_err_clear(&err);
	o2_record_set_patience(record, 1000);
	sim_cut(SIM_TO_A, true);
	EXPECT_CODE(o2_record_create_namespace(record, "later", NULL, &err), -O2_ETRANSIENT);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "later") != NULL);
}
STAGE(what_is_made_too_late_is_taken_back)

static void removing_a_namespace_may_fail_task(void)
{
	struct o2_record *record = begun();

	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop$", 0);
	EXPECT_CODE(o2_record_remove_namespace(record, "shop", &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps/os2os-own", 0);
	EXPECT_CODE(o2_record_remove_namespace(record, "shop", &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps/os2os-txn", 0);
	EXPECT_CODE(o2_record_remove_namespace(record, "shop", &err), -O2_EAUTH);
	o2_err_clear(&err);
	EXPECT_CODE(o2_record_remove_namespace(record, "shop", &err), 0);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "shop") == NULL);
}
STAGE(removing_a_namespace_may_fail)

static void signal_here(void)
{
	sim_machine_of(sim_task_current())->signal = 2;
}

/* Answers that never come: for as long as the patience, each, or until somebody asks for the end. */
static void nobody_answers_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = some_map(record, O2_TARGET, "mine");
	O2_AUTO(o2_doc_freep) struct o2_doc *body = map_doc("mine");
	int64_t begin;

	object.object = body;
	EXPECT_CODE(o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, &err), 0);
	sim_cut(SIM_TO_B, true);
	begin = sim_now_us();
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "mine", &err),
		    -O2_ETRANSIENT);
	EXPECT(sim_now_us() - begin >= 60 * SIM_S);
	o2_err_clear(&err);
	sim_mend_all();
	strike_times(0, SIM_STRIKE_RESET, "DELETE", 0, 99);
	begin = sim_now_us();
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "mine", &err),
		    -O2_ETRANSIENT);
	EXPECT(sim_now_us() - begin >= 60 * SIM_S && sim_now_us() - begin < 70 * SIM_S);
	o2_err_clear(&err);
	o2_record_set_patience(record, 2000);
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "mine", &err),
		    -O2_ETRANSIENT);
	o2_err_clear(&err);
	strike_times(0, SIM_STRIKE_RESET, "POST", 0, 99);
	EXPECT_CODE(o2_record_create_namespace(record, "another", NULL, &err), -O2_ETRANSIENT);
	o2_err_clear(&err);
	strike_times(0, SIM_STRIKE_RESET, "PUT", 0, 99);
	EXPECT_CODE(o2_record_set_phase(record, "later", &err), -O2_ETRANSIENT);
	o2_err_clear(&err);
	sim_cut(SIM_TO_A, true);
	EXPECT_CODE(o2_record_set_phase(record, "later", &err), -O2_ETRANSIENT);
	o2_err_clear(&err);
	sim_mend_all();
	stage.hit_count = 0;
	o2_record_set_patience(record, 60000);
	act(0, signal_here, "DELETE", 0);
	strike(0, SIM_STRIKE_RESET, "DELETE", 0);
	EXPECT_CODE(o2_record_delete_own(record, kubes[1], object.kind, "shop", "mine", &err),
		    -O2_ETRANSIENT);
	EXPECT(strstr(err.message, "no answer for") == NULL);
}
STAGE(nobody_answers)

static void the_mirror_is_swapped_again_task(void)
{
	struct o2_record *record = begun();

	strike(0, SIM_STRIKE_ERROR_409, "-target?", 0);
	EXPECT_CODE(o2_record_decide(record, &err), 0);
	EXPECT_CODE(o2_record_mirror(record, &err), 0);
	EXPECT(strcmp(state_of(1), "COMMITTED") == 0);
	sim_remove(record_of(1));
	EXPECT_CODE(o2_record_mirror(record, &err), 0);
}
STAGE(the_mirror_is_swapped_again)

/* Not held any more when it is to be given back; an undo that a controller copied and nobody holds. */
static void let_go_of_the_touch(void)
{
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *next = o2_doc_copy(web->doc);

	o2_doc_remove(next, "/metadata/annotations/os2os.io~1touched");
	o2_doc_put_str(next, "/metadata/annotations/os2os.io~1undo", "{}");
	sim_put(web, next);
}

static void touching_may_fail_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = the_web();
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));

	strike(0, SIM_STRIKE_ERROR_403, "GET /apis/apps/v1/namespaces/shop/deployments/web", 0);
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_ERROR_403, "PATCH", 0);
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), -O2_EAUTH);
	o2_err_clear(&err);
	strike(0, SIM_STRIKE_RESET, "PATCH", 3); /* the second took effect, and nobody was told */
	EXPECT_CODE(o2_record_touch_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1touched"));
	act(0, let_go_of_the_touch, "GET /apis/apps/v1/namespaces/shop/deployments/web", 2);
	EXPECT_CODE(o2_record_touch_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1undo"));
}
STAGE(touching_may_fail)

static void what_is_not_held_is_touched_task(void)
{
	struct o2_record *record = begun();
	struct o2_record_object object = the_web();
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_doc_object_new();
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	int64_t version;

	o2_doc_put_int(hold, "/spec/replicas", 0);
	object.object = hold;
	EXPECT_CODE(o2_record_hold_many(record, &object, 1, &err), 0);
	act(0, take_the_mark_off, "GET /apis/apps/v1/namespaces/shop/deployments/web", 2);
	EXPECT_CODE(o2_record_restore_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_int(web->doc, "/spec/replicas", 9) == 0); /* that was somebody's wish */
	change(web, "/metadata/annotations/os2os.io~1undo", "{}");
	version = sim_cluster_version(sim_side(0));
	EXPECT_CODE(o2_record_touch_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(sim_cluster_version(sim_side(0)) > version);
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1undo"));
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1touched"));
	change(web, "/metadata/annotations/os2os.io~1undo", "{}");
	change(web, "/metadata/labels/os2os.io~1held", "other");
	EXPECT_CODE(o2_record_touch_many(record, &object, 1, O2_STATE_OPEN, &err), 0);
	EXPECT(o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1undo") != NULL);
	EXPECT(!o2_doc_at(web->doc, "/metadata/annotations/os2os.io~1touched"));
}
STAGE(what_is_not_held_is_touched)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		PLAY(a_write_set_of_several_chunks),
		PLAY(a_chunk_that_is_refused_ends_the_begin),
		PLAY(an_opening_of_several_chunks),
		PLAY(an_opening_that_cant_be_kept),
		PLAY(who_was_taken_over_stops),
		PLAY(an_abort_by_others_is_adopted),
		PLAY(an_abort_before_the_decision),
		PLAY(another_holder_is_named),
		PLAY(a_takeover_that_is_too_late),
		PLAY(waiting_may_be_interrupted),
		PLAY(locking_may_be_interrupted),
		PLAY(locking_may_stay_unanswered),
		PLAY(what_others_keep_is_said),
		PLAY(failures_of_deletions),
		PLAY(what_is_gone_needs_no_release),
		PLAY(only_our_volumes_are_reclaimed),
		PLAY(what_may_never_be_listed),
		PLAY(what_another_holds_is_left_alone),
		PLAY(holding_and_giving_back),
		PLAY(a_whole_map_is_given_back),
		PLAY(a_record_taken_over_at_once),
		PLAY(a_record_that_is_barred),
		PLAY(a_record_without_an_answer),
		PLAY(a_record_that_is_gone),
		PLAY(a_record_is_made_again_once),
		PLAY(the_mirror_is_a_fence),
		PLAY(a_record_that_is_damaged),
		PLAY(a_takeover_without_an_answer),
		PLAY(a_search_may_be_ended),
		PLAY(the_mirror_never_goes_back),
		PLAY(changed_all_the_time),
		PLAY(a_batch_without_answers),
		PLAY(helpers_may_be_refused),
		PLAY(others_objects_are_not_ours),
		PLAY(held_again_and_again),
		PLAY(what_is_no_longer_served_is_passed_over),
		PLAY(a_lock_that_goes_while_it_is_looked_at),
		PLAY(cluster_scoped_objects_have_no_owner),
		PLAY(others_status_is_not_written),
		PLAY(what_is_made_too_late_is_taken_back),
		PLAY(removing_a_namespace_may_fail),
		PLAY(nobody_answers),
		PLAY(the_mirror_is_swapped_again),
		PLAY(what_is_not_held_is_touched),
		PLAY(touching_may_fail),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]); /* one of them */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
