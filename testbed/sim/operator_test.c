/*
 * What an operator may run after a migration, and what os2os makes of a world that people have tampered with.
 */
#include "stage_test.h"

/* --- going back and forth --- */

static void killed_at(const char *shape, const char *edge)
{
	raise_shape(shape);
	strike(0, SIM_STRIKE_KILL, edge, 0);
	EXPECT_CODE(migrate(), KILLED);
}

static void what_was_decided_is_not_undone(void)
{
	killed_at("web", "open.before");
	EXPECT_CODE(os2os("rollback" BOTH), 6);
	EXPECT_CODE(os2os("cancel" BOTH), 6);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void resume_needs_the_same_application(void)
{
	killed_at("web", "vote.after");
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	change(web, "/spec/template/spec/containers/0/image", "registry/web:2");
	sim_oracle_expect(web);
	EXPECT_CODE(os2os("resume" BOTH), 4);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
}

static void resume_may_stop_again(void)
{
	killed_at("web", "vote.after");
	strike(1, SIM_STRIKE_ERROR_403, "PATCH /apis/apps/v1/namespaces/shop/deployments", 0);
	EXPECT_CODE(os2os("resume" BOTH), 3);
	EXPECT(has_said("it stopped again; run 'os2os resume"));
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void resume_may_stop_after_the_decision(void)
{
	killed_at("web", "vote.after");
	strike(1, SIM_STRIKE_ERROR_403,
	       "POST /apis/networking.k8s.io/v1/namespaces/shop/ingresses?fieldManager=os2os", 0);
	EXPECT_CODE(os2os("resume" BOTH), 6);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void resume_needs_a_plan(void)
{
	killed_at("web", "vote.after");
	strike_times(1, SIM_STRIKE_ERROR_500, "GET /apis/apps/v1/namespaces/shop/deployments", 0,
		     99);
	EXPECT(os2os("resume" BOTH) != 0);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

/* Without B: A serves again at once. */
static void a_alone(void)
{
	killed_at("web", "start.after");
	EXPECT_CODE(os2os("recover --from a"), 3);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc,
			  "/status/readyReplicas", 0) == 2);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* Without A: what is decided is opened, and of what may be decided nobody knows. */
static void b_alone(void)
{
	killed_at("web", "start.after");
	EXPECT_CODE(os2os("recover --to b"), 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void b_alone_that_is_decided(void)
{
	killed_at("web", "open.after");
	EXPECT_CODE(os2os("recover --to b"), 6);
	EXPECT(find_in(1, "networking.k8s.io", "Ingress", "web") != NULL);
	EXPECT(strcmp(state_of(0), "COMMITTED") == 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("after");
}

static void what_is_aborted_goes_only_back(const char *verb, int code)
{
	killed_at("web", "start.before");
	strike(1, SIM_STRIKE_KILL, "abort.after", 0);
	EXPECT_CODE(os2os("rollback" BOTH), KILLED);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
	EXPECT_CODE(os2os(verb), code);
	expect_end("before");
}

static void resume_of_what_is_aborted(void)
{
	what_is_aborted_goes_only_back("resume" BOTH, 1);
}

static void cancel_of_what_is_aborted(void)
{
	what_is_aborted_goes_only_back("cancel" BOTH, 0);
}

/* --- two at the same time --- */

/* A process that was only stopped decides between the look and the takeover of another. */
static void decided_meanwhile(const char *verb, const char *dies_at, int code)
{
	struct process *first, *second;

	raise_shape("web");
	strike(0, SIM_STRIKE_STOP, "decide.before", 0);
	strike(0, SIM_STRIKE_KILL, dies_at, 0);
	first = start(MIGRATE);
	EXPECT_CODE(await(first), STOPPED);
	strike(1, SIM_STRIKE_STOP, "-source", 1);
	second = start(verb);
	EXPECT_CODE(await(second), STOPPED);
	EXPECT(go_on(first) != STOPPED);
	EXPECT_CODE(go_on(second), code);
}

static void rollback_comes_too_late(void)
{
	decided_meanwhile("rollback" BOTH, "open.before", 6);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void recover_finds_it_decided(void)
{
	decided_meanwhile("recover" BOTH, "open.before", 0);
	expect_end("after");
}

static void recover_finds_it_done(void)
{
	decided_meanwhile("recover" BOTH, "never", 0);
	expect_end("after");
}

static void resume_finds_it_decided(void)
{
	decided_meanwhile("resume" BOTH, "open.before", 0);
	expect_end("after");
}

static void resume_finds_it_done(void)
{
	decided_meanwhile("resume" BOTH, "never", 0);
	expect_end("after");
}

/* Undone by somebody, wholly or not yet, between the look and the takeover. */
static void resume_finds_it(const char *undone_until, int code, const char *words)
{
	struct process *resume;

	killed_at("web", "start.before");
	strike(1, SIM_STRIKE_STOP, "-source", 2);
	resume = start("resume" BOTH);
	EXPECT_CODE(await(resume), STOPPED);
	strike(2, SIM_STRIKE_KILL, undone_until, 0);
	(void)os2os("rollback" BOTH);
	EXPECT_CODE(go_on(resume), code);
	EXPECT(has_said(words));
	(void)os2os("recover" BOTH);
	expect_end("before");
}

static void resume_finds_it_undone(void)
{
	resume_finds_it("never", 1, "was closed meanwhile");
}

static void resume_finds_it_aborted(void)
{
	resume_finds_it("abort.after", 3, "it stopped again");
}

static void recover_without_b_finds_it_decided(void)
{
	decided_meanwhile("recover --from a", "open.before", 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("after");
}

/* The holder lives, notices, and undoes it by itself. */
static void cancel_lets_the_holder_undo(void)
{
	struct process *first, *second;

	raise_shape("database");
	first = start(MIGRATE);
	await_point("copy.before");
	second = start("cancel" BOTH);
	EXPECT_CODE(await(second), 0);
	EXPECT_CODE(await(first), 1);
	expect_end("before");
}

static void cancel_that_may_not_write(void)
{
	killed_at("web", "start.before");
	strike_times(1, SIM_STRIKE_ERROR_403, "PUT /api/v1/namespaces/shop/configmaps/os2os-txn", 0,
		     99);
	EXPECT(os2os("cancel" BOTH) != 0);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* What it sees of the record while it waits may fail. */
static void cancel_looks_again(void)
{
	killed_at("web", "start.before");
	strike(1, SIM_STRIKE_ERROR_403, "-source", 6);
	strike(1, SIM_STRIKE_ERROR_403, "-source", 7);
	EXPECT_CODE(os2os("cancel" BOTH), 0);
	expect_end("before");
}

static void rollback_that_may_not_write(void)
{
	killed_at("web", "start.after");
	strike(1, SIM_STRIKE_ERROR_403, "PUT /api/v1/namespaces/shop/configmaps/os2os-txn", 0);
	EXPECT_CODE(os2os("rollback" BOTH), 3);
	strike(2, SIM_STRIKE_ERROR_403, "DELETE /apis/apps/v1/namespaces/shop/deployments/web", 0);
	EXPECT_CODE(os2os("rollback" BOTH), 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

/* --- finalize --- */

static void moved(const char *shape)
{
	raise_shape(shape);
	EXPECT_CODE(migrate(), 0);
}

static void finalize_wants_a(void)
{
	moved("web");
	O2_AUTO(o2_freep) char *line = o2_xasprintf("finalize %s --to b --yes", the_id());
	EXPECT_CODE(os2os(line), 4);
	expect_end("after");
}

static void finalize_wants_it_done(void)
{
	killed_at("web", "open.before");
	O2_AUTO(o2_freep) char *line = o2_xasprintf("finalize %s --yes" BOTH, the_id());
	EXPECT_CODE(os2os(line), 4);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("after");
}

static void finalize_is_done_once(void)
{
	moved("web");
	O2_AUTO(o2_freep) char *line = o2_xasprintf("finalize %s --yes" BOTH, the_id());
	sim_oracle_expect_retired();
	EXPECT_CODE(os2os(line), 0);
	sim_oracle_see_retired();
	EXPECT_CODE(os2os(line), 4);
	EXPECT_CODE(os2os("finalize --yes" BOTH), 4);
	expect_end("after");
}

static void finalize_spares_what_is_used(void)
{
	moved("web");
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *next = o2_doc_copy(web->doc);
	o2_doc_put_int(next, "/spec/replicas", 2);
	sim_put(web, next);
	EXPECT_CODE(os2os("finalize --yes" BOTH), 4);
	EXPECT(find_in(0, "apps", "Deployment", "web") != NULL);
}

/* Deleted and made anew under its old name by somebody: it is theirs. */
static void finalize_spares_what_was_made_anew(void)
{
	moved("web");
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *anew = o2_doc_copy(web->doc);
	sim_remove(web);
	o2_doc_remove(anew, "/metadata/uid");
	o2_doc_remove(anew, "/metadata/resourceVersion");
	EXPECT(sim_create(sim_side(0), anew, "kubectl", NULL) != NULL);
	EXPECT_CODE(os2os("finalize --yes" BOTH), 0);
	EXPECT(find_in(0, "apps", "Deployment", "web") != NULL);
	EXPECT(find_in(0, "", "Service", "web") == NULL);
}

static void finalize_has_to_read_the_record(void)
{
	moved("web");
	strike(1, SIM_STRIKE_ERROR_403, "-source", 0);
	EXPECT(os2os("finalize --yes" BOTH) != 0);
	EXPECT(find_in(0, "apps", "Deployment", "web") != NULL);
	expect_end("after");
}

/* What was thawed by hand after the decision is frozen again before the end. */
static void what_is_thawed_by_hand_is_frozen_again(void)
{
	killed_at("web", "open.before");
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	struct o2_doc *next = o2_doc_copy(web->doc);
	o2_doc_put_int(next, "/spec/replicas", 2);
	sim_put(web, next);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc, "/spec/replicas", 9) ==
	       0);
}

/* What somebody deleted while it was frozen does not come back, and stops nothing. */
static void what_was_deleted_meanwhile_stays_away(void)
{
	killed_at("many", "freeze.after");
	struct sim_object *at = the(sim_first(sim_side(0), sim_kind("apps", "Deployment")));
	O2_AUTO(o2_freep) char *name = o2_xstrdup(at->name);
	sim_delete(at, SIM_BACKGROUND);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	EXPECT(find_in(0, "apps", "Deployment", name) == NULL);
}

/* The record keeps what became of each step. */
static void the_report_tells_what_became_of_each_step(void)
{
	moved("web");
	const char *report = o2_doc_str(record_of(0)->doc, "/data/report", "");
	EXPECT(strstr(report, "\"done\"") && !strstr(report, "\"failed\"") &&
	       !strstr(report, "\"undone\""));
}

static void the_report_of_an_undo(void)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_ERROR_403, "PATCH /apis/apps/v1/namespaces/shop/deployments", 0);
	EXPECT_CODE(migrate(), 1);
	const char *report = o2_doc_str(record_of(0)->doc, "/data/report", "");
	EXPECT(strstr(report, "\"failed\"") != NULL);
	expect_end("before");
}

/* --- which one --- */

/* Another migration's record, like the one that is there but for its id. */
static struct sim_object *copy_record(int side, const char *id, const char *ns)
{
	struct sim_object *record = record_of(side);
	struct o2_doc *doc = o2_doc_copy(record->doc);
	O2_AUTO(o2_freep)
	char *name = o2_xasprintf("os2os-txn-%s-%s", id, side == 0 ? "source" : "target");

	o2_doc_put_str(doc, "/metadata/name", name);
	o2_doc_put_str(doc, "/metadata/labels/os2os.io~1txn", id);
	o2_doc_put_str(doc, "/metadata/namespace", ns);
	o2_doc_remove(doc, "/metadata/uid");
	o2_doc_remove(doc, "/metadata/resourceVersion");
	return sim_create(sim_side(side), doc, "os2os", NULL);
}

static void several_have_to_be_named(void)
{
	killed_at("web", "vote.after");
	O2_AUTO(o2_freep) char *line = o2_xasprintf("recover %s" BOTH, the_id());
	struct sim_object *twin = copy_record(0, "twin", "shop");
	EXPECT_CODE(os2os("recover" BOTH), 4);
	struct sim_object *third = copy_record(0, "third", "shop");
	change(third, "/data/created", "1");
	EXPECT_CODE(os2os("status" BOTH), 0);
	EXPECT_CODE(os2os("recover" BOTH), 4);
	EXPECT_CODE(os2os("recover nobody" BOTH), 4);
	struct o2_doc *back = o2_doc_copy(twin->doc); /* from B to elsewhere */
	o2_doc_put_str(back, "/metadata/name", "os2os-txn-back-source");
	o2_doc_put_str(back, "/metadata/labels/os2os.io~1txn", "back");
	o2_doc_remove(back, "/metadata/uid");
	o2_doc_remove(back, "/metadata/finalizers");
	o2_doc_remove(back, "/metadata/resourceVersion");
	EXPECT(sim_create(sim_side(1), back, "os2os", NULL) != NULL);
	EXPECT_CODE(os2os(line), 0);
	EXPECT(strcmp(o2_doc_str(twin->doc, "/data/state", ""), "OPEN") == 0);
	EXPECT_CODE(os2os(line), 0); /* it is closed */
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
}

static void only_those_of_the_namespace(void)
{
	killed_at("renamed", "vote.after");
	EXPECT_CODE(os2os("recover -n other" BOTH), 4);
	EXPECT_CODE(os2os("status -n till" BOTH), 0);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("recover -n shop" BOTH), 0);
}

static void who_may_not_list_everything_names_a_namespace(void)
{
	killed_at("web", "vote.after");
	strike(1, SIM_STRIKE_ERROR_403, "GET /api/v1/configmaps?", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(2, SIM_STRIKE_ERROR_403, "GET /api/v1/configmaps?", 0);
	EXPECT_CODE(os2os("recover -n shop" BOTH), 0);
	expect_end("before");
}

static void two_that_can_be_finalized(void)
{
	moved("web");
	EXPECT(copy_record(0, "twin", "shop") != NULL);
	EXPECT_CODE(os2os("finalize --yes" BOTH), 4);
	EXPECT(find_in(0, "apps", "Deployment", "web") != NULL);
}

static void looking_may_fail(void)
{
	killed_at("web", "namespace.before");
	strike(1, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces/shop/configmaps?", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(2, SIM_STRIKE_ERROR_403, "GET /api/v1/configmaps?", 1);
	EXPECT(os2os("recover" BOTH) != 0);
	strike_times(3, SIM_STRIKE_ERROR_422, "kube-system", 0, 1);
	EXPECT(os2os("recover" BOTH) != 0);
	strike_times(4, SIM_STRIKE_ERROR_422, "kube-system", 1, 1);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	strike(5, SIM_STRIKE_ERROR_422, "%28lock%2Cowner", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(6, SIM_STRIKE_ERROR_422, "%28lock%2Cowner", 1);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(7, SIM_STRIKE_ERROR_403, "GET /api/v1/namespaces?",
	       0); /* who may not list them made none */
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

static void nothing_and_half_of_nothing(void)
{
	raise_shape("web");
	EXPECT_CODE(os2os("recover" BOTH), 4);
	EXPECT(os2os("recover --to b") != 0);
	EXPECT(os2os("recover --from a") != 0);
	expect_end("before");
}

static void another_clusters_record_is_not_ours(void)
{
	killed_at("web", "vote.after");
	change(record_of(0), "/data/targetCluster", "another");
	change(record_of(1), "/data/targetCluster", "another");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT(find_in(0, "", "ConfigMap", "os2os-lock") != NULL);
}

/* More than one page, of which the second has expired. */
static void make_many(int side, const char *role, const char *id)
{
	for (int i = 0; i < 501; i++) {
		O2_AUTO(o2_freep)
		char *map = o2_xasprintf(
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: %s-%d, namespace: "
			"shop, labels: {os2os.io/record: %s, os2os.io/txn: '%s'}}, data: "
			"{state: DONE, clean: 'true', side: target}}",
			role, i, role, id);
		make(side, map);
	}
}

static void the_list_may_begin_anew(void)
{
	killed_at("web", "vote.after");
	make_many(0, "lock", "none");
	make_many(0, "source", "none");
	make_many(0, "helper", the_id());
	make_many(1, "sweep", the_id());
	for (int i = 0; i < 501; i++) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("sweep-%d", i);
		struct sim_object *swept = the(find_in(1, "", "ConfigMap", name));
		struct o2_doc *next = o2_doc_copy(swept->doc);
		o2_doc_remove(next, "/metadata/labels/os2os.io~1record");
		sim_put(swept, next);
	}
	strike_times(1, SIM_STRIKE_ERROR_410, "%28source%2Ctarget%29&continue=", 0, 1);
	strike_times(1, SIM_STRIKE_ERROR_410, "%28lock%2Cowner%29&continue=", 0, 1);
	strike_times(1, SIM_STRIKE_ERROR_410, "record%3Dlock&continue=", 0, 1);
	strike_times(1, SIM_STRIKE_ERROR_410, "record%3Dhelper&continue=", 0, 1);
	strike_times(1, SIM_STRIKE_RESET, "record%3Dhelper&continue=", 1, 6);
	O2_AUTO(o2_freep) char *swept = o2_xasprintf("%%3D%s&continue=", the_id());
	strike_times(1, SIM_STRIKE_ERROR_410, swept, 0, 1);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(map_of(0, "helper") == NULL);
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
}

/* --- tampered with --- */

static void a_without_record_lets_b_be_cleaned(void)
{
	killed_at("web", "vote.after");
	sim_remove(record_of(0));
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "shop") == NULL);
	EXPECT(find_in(0, "apps", "Deployment", "web") != NULL);
}

/* B cannot be cleaned: said, and done when the command is repeated. */
static void cleaning_by_label_may_fail(void)
{
	killed_at("web", "vote.after");
	sim_remove(record_of(0));
	strike_times(1, SIM_STRIKE_ERROR_403, "DELETE /apis/apps", 0, 9);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	strike_times(2, SIM_STRIKE_ERROR_403, "configmaps/os2os-own", 0, 9);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	strike_times(3, SIM_STRIKE_ERROR_403, "DELETE /api/v1/namespaces/shop", 0, 1);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	strike_times(4, SIM_STRIKE_ERROR_403, "DELETE /api/v1/namespaces/shop$", 0, 1);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
}

static void a_that_was_restored_is_not_started(void)
{
	killed_at("web", "open.after");
	change(record_of(0), "/data/state", "OPEN");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT_CODE(os2os("resume" BOTH), 3);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc, "/spec/replicas", 9) ==
	       0);
	change(record_of(0), "/data/state", "ABORTED");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	sim_remove(record_of(0));
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc, "/spec/replicas", 9) ==
	       0);
	EXPECT(strcmp(state_of(1), "COMMITTED") == 0);
	EXPECT(has_said("error: transaction"));
	EXPECT(has_said("A's says OPEN: A was restored from an old backup"));
	EXPECT(has_said("A's record says ABORTED, B's says COMMITTED"));
	EXPECT(has_said("A has none: A was restored from an old backup"));
}

/* A does not wait for pods of B that can't be seen to end. */
static void a_serves_although_b_hangs(void)
{
	struct process *rollback;
	int64_t begin;

	killed_at("database", "start.after");
	sim_node_lose(sim_side(1), sim_first(sim_side(1), sim_kind("", "Node"))->name, true);
	begin = sim_now_us();
	rollback = start("rollback" BOTH);
	while (o2_doc_int(the(find_in(0, "apps", "StatefulSet", "db"))->doc,
			  "/status/readyReplicas", 0) == 0)
		EXPECT(sim_step());
	EXPECT(sim_now_us() - begin < 100 * SIM_S);
	EXPECT_CODE(await(rollback), 3);
	EXPECT(sim_now_us() - begin > 300 * SIM_S); /* then it has time */
	EXPECT(has_said("A does not wait for that"));
	sim_strike_mend();
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void a_record_that_cant_be_read_is_told(void)
{
	killed_at("web", "vote.after");
	change(record_of(0), "/data/state", "??");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT_CODE(os2os("recover -n other" BOTH), 4);
	EXPECT_CODE(os2os("recover --from a -n shop"), 3);
	change(record_of(0), "/data/state", "OPEN");
	change(record_of(1), "/data/state", "??");
	EXPECT_CODE(os2os("status" BOTH), 0);
	EXPECT(os2os("recover --to b") != 0);
	change(record_of(1), "/data/state", "OPEN");
	change(record_of(0), "/data/options", "{");
	EXPECT(os2os("recover" BOTH) != 0);
	change(record_of(0), "/data/options", "{}");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
}

static void a_write_set_that_was_changed_is_not_used(void)
{
	killed_at("web", "freeze.after");
	struct sim_object *chunk = the(map_of(0, "write-set"));
	O2_AUTO(o2_doc_freep) struct o2_doc *whole = o2_doc_copy(chunk->doc);
	const char *lines = o2_doc_str(whole, "/data/entries", NULL);
	if (!lines)
		exit(1);
	change(chunk, "/data/entries", "{}\n");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	change(chunk, "/data/entries", "{\n");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	struct o2_doc *again = o2_doc_copy(chunk->doc);
	sim_remove(chunk);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	o2_doc_put_str(again, "/data/entries", lines);
	o2_doc_remove(again, "/metadata/resourceVersion");
	EXPECT(sim_create(sim_side(0), again, "os2os", NULL) != NULL);
	EXPECT_CODE(os2os("recover" BOTH), 0);
}

static void a_note_that_cant_be_read_stops_the_undo(void)
{
	killed_at("web", "freeze.after");
	struct sim_object *web = the(find_in(0, "apps", "Deployment", "web"));
	O2_AUTO(o2_freep)
	char *note = o2_xstrdup(o2_doc_str(web->doc, "/metadata/annotations/os2os.io~1undo", "?"));
	change(web, "/metadata/annotations/os2os.io~1undo", "{");
	EXPECT_CODE(os2os("recover" BOTH), 3);
	change(web, "/metadata/annotations/os2os.io~1undo", note);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* A namespace, an owner, a lock: what a slow process made after the end goes with the next recovery. */
static void what_comes_late_is_tidied_up(void)
{
	killed_at("web", "vote.after");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	O2_AUTO(o2_freep)
	char *late = o2_xasprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: "
				  "{os2os.io/txn: %s}}",
				  the_id());
	make(1, late);
	strike(2, SIM_STRIKE_ERROR_403, "PUT /api/v1/namespaces/shop/configmaps", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT_CODE(os2os("recover" BOTH), 4);
	expect_end("before");
}

static void what_comes_late_to_the_finished_is_tidied_up(void)
{
	moved("web");
	O2_AUTO(o2_freep)
	char *late =
		o2_xasprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: os2os-own-%s, "
			     "namespace: shop, labels: {os2os.io/txn: %s, os2os.io/record: owner}}",
			     the_id(), the_id());
	make(1, late);
	EXPECT_CODE(os2os("recover --to b"), 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(map_of(1, "owner") == NULL);
	expect_end("after");
}

/* Of what is late in A nobody can make sure without B. */
static void what_comes_late_to_a_waits_for_b(void)
{
	killed_at("web", "vote.after");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	O2_AUTO(o2_freep)
	char *late = o2_xasprintf(
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: os2os-own-%s, "
		"namespace: shop, labels: {os2os.io/txn: %s, os2os.io/record: owner}}}",
		the_id(), the_id());
	make(0, late);
	EXPECT_CODE(os2os("recover --from a"), 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(map_of(0, "owner") == NULL);
	expect_end("before");
}

/* A lost its record while its application, its volumes and what watches them were held: their marks say how they were. */
static void what_is_held_is_found_without_record(void)
{
	killed_at("many", "freeze.after");
	O2_AUTO(o2_freep)
	char *paused = o2_xasprintf(
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: paused, namespace: shop, "
		"labels: "
		"{os2os.io/held: '%s'}, annotations: {os2os.io/undo: "
		"'{\"do\":{\"data\":{\"run\":\"no\"}},\"undo\":{\"data\":{\"run\":\"yes\"}},"
		"\"ready\":0}'}}, data: {run: 'no'}}",
		the_id());
	make(0, paused);
	sim_remove(record_of(0));
	strike(1, SIM_STRIKE_ERROR_403, "held", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
	strike(2, SIM_STRIKE_ERROR_403, "PUT", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(strcmp(state_of(0), "ABORTED") == 0);
	EXPECT_CODE(os2os("recover" BOTH), 4);
	struct sim_object *given_back = find_in(0, "", "ConfigMap", "paused");
	EXPECT(strcmp(o2_doc_str(given_back->doc, "/data/run", ""), "yes") == 0);
	EXPECT(sim_label(given_back, "os2os.io/held")[0] == '\0');
	sim_remove(given_back);
	expect_end("before");
}

/* B's lock tells where its record would be. */
static void what_b_has_without_any_record_goes(void)
{
	killed_at("web", "owner.after");
	sim_remove(record_of(0));
	sim_remove(record_of(1));
	sim_remove(find_in(0, "", "ConfigMap", "os2os-lock"));
	EXPECT(find_in(1, "", "ConfigMap", "os2os-lock") != NULL);
	strike(1, SIM_STRIKE_ERROR_403, "-ws-0", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(2, SIM_STRIKE_ERROR_403, "DELETE /api/v1/namespaces/shop", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(1, "", "ConfigMap", "os2os-lock") == NULL);
	EXPECT(sim_find(sim_side(1), sim_kind("", "Namespace"), NULL, "shop") == NULL);
}

static void late_at_b(void)
{
	O2_AUTO(o2_freep)
	char *late = o2_xasprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: os2os-lock, "
				  "namespace: shop, labels: {os2os.io/record: lock, os2os.io/txn: "
				  "'%s'}}, data: {transaction: '%s', side: target, holder: x}}",
				  the_id(), the_id());
	make(1, late);
}

/* Undone, and what came late to B goes without A. */
static void b_alone_that_is_undone(void)
{
	raise_shape("web");
	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
	strike(0, SIM_STRIKE_KILL, "vote.after", 0);
	EXPECT_CODE(os2os(MIGRATE), KILLED);
	strike(1, SIM_STRIKE_ERROR_403, "DELETE /api/v1/namespaces/shop/configmaps/os2os-lock", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(2, SIM_STRIKE_ERROR_403, "PUT /api/v1/namespaces/shop/configmaps/os2os-txn", 1);
	EXPECT_CODE(os2os("recover" BOTH), 0); /* that it is undoing could not be told */
	late_at_b();
	strike(3, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT(os2os("recover --to b") != 0);
	strike(4, SIM_STRIKE_ERROR_401, "labelSelector=os2os.io%2Ftxn%3D", 0);
	EXPECT(os2os("recover --to b") != 0);
	EXPECT_CODE(os2os("recover --to b"), 0);
	EXPECT(find_in(1, "", "ConfigMap", "os2os-lock") == NULL);
}

static void make_lock(int side, const char *name, const char *id)
{
	O2_AUTO(o2_freep)
	char *lock =
		o2_xasprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: "
			     "shop, labels: {os2os.io/record: lock, os2os.io/txn: '%s'}}\ndata: "
			     "{transaction: '%s', side: %s, holder: x}",
			     name, id, id, side == 0 ? "source" : "target");
	make(side, lock);
}

/* A migration from B to A that is just beginning, or one from elsewhere to B. */
static void a_lock_of_others_is_left_alone(void)
{
	raise_shape("web");
	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
	make(1, "{apiVersion: v1, kind: ConfigMap, metadata: {name: os2os-lock, namespace: shop, "
		"labels: {os2os.io/record: lock, os2os.io/txn: back}}, data: {transaction: back, "
		"side: source, holder: x}}");
	EXPECT_CODE(os2os("recover" BOTH), 4);
	EXPECT_CODE(os2os("recover -n shop" BOTH), 4);
	EXPECT(find_in(1, "", "ConfigMap", "os2os-lock") != NULL);
	make(1, "{apiVersion: v1, kind: ConfigMap, metadata: {name: elsewhere, namespace: shop, "
		"labels: {os2os.io/record: lock, os2os.io/txn: there}}, data: {transaction: there, "
		"side: target, holder: x, sourceCluster: another, sourceNamespace: shop}}");
	EXPECT_CODE(os2os("recover" BOTH), 4);
	EXPECT(find_in(1, "", "ConfigMap", "elsewhere") != NULL);
}

static void a_lock_alone_is_taken_away(void)
{
	raise_shape("web");
	make_lock(0, "no-one", "");
	make_lock(0, "long", "an-id-that-is-much-too-long");
	EXPECT_CODE(os2os("recover" BOTH), 4);
	make(1, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
	make_lock(1, "os2os-lock", "other");
	make_lock(0, "os2os-lock", "stray");
	EXPECT(os2os("recover --from a") != 0); /* B may know more */
	strike(2, SIM_STRIKE_ERROR_403, "record%3Dlock", 2);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(3, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	strike(4, SIM_STRIKE_ERROR_403, "-ws-0", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT(find_in(0, "", "ConfigMap", "os2os-lock") != NULL);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(0, "", "ConfigMap", "os2os-lock") == NULL);
	EXPECT(find_in(1, "", "ConfigMap", "os2os-lock") != NULL);
}

static void a_lock_beside_a_closed_record_is_taken_away(void)
{
	killed_at("web", "vote.after");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	make_lock(0, "os2os-lock", "stray");
	strike(2, SIM_STRIKE_ERROR_403, "record%3Dlock", 1); /* B's may not be looked for */
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(0, "", "ConfigMap", "os2os-lock") == NULL);
}

/* Died when its write set was there, and its record not. */
static void a_write_set_alone_is_taken_away(void)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_KILL, "POST /api/v1/namespaces/shop/configmaps", 4);
	EXPECT_CODE(os2os(MIGRATE), KILLED);
	EXPECT(map_of(0, "write-set") != NULL && map_of(0, "source") == NULL);
	strike(1, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(map_of(0, "write-set") == NULL);
	expect_end("before");
}

/* Its write set was dropped already: no later failure may make another process look for it. */
static void an_undo_that_died_while_it_cleared_away(void)
{
	killed_at("web", "start.before");
	O2_AUTO(o2_freep) char *dropped = o2_xasprintf("configmaps/os2os-txn-%s-ws-0", the_id());
	O2_AUTO(o2_freep)
	char *request = o2_xasprintf("DELETE /api/v1/namespaces/shop/%s", dropped);
	strike(1, SIM_STRIKE_KILL, request, 1);
	EXPECT_CODE(os2os("rollback" BOTH), KILLED);
	EXPECT(map_of(0, "write-set") == NULL);
	strike_times(2, SIM_STRIKE_ERROR_401, "os2os.io%2Ftxn%3D", 0, 9);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* Who can't tell which cluster it is takes nobody's lock for a stray, nor what he needs for his undo. */
static void a_cluster_that_is_not_known_again(void)
{
	killed_at("web", "freeze.after");
	strike(1, SIM_STRIKE_KILL, "abort.after", 0);
	EXPECT_CODE(os2os("rollback" BOTH), KILLED);
	strike_times(2, SIM_STRIKE_ERROR_403, "kube-system", 0, 9);
	EXPECT(os2os("recover" BOTH) != 0);
	strike_times(3, SIM_STRIKE_ERROR_401, "kube-system", 0, 9);
	EXPECT(os2os("recover" BOTH) != 0);
	EXPECT(map_of(0, "write-set") != NULL);
	EXPECT(find_in(0, "", "ConfigMap", "os2os-lock") != NULL);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* --- what else lies about in B --- */

static void what_carries_the_label_goes(void)
{
	killed_at("database", "vote.after");
	O2_AUTO(o2_freep)
	char *map =
		o2_xasprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: late, namespace: "
			     "shop, labels: {os2os.io/txn: %s}}}",
			     the_id());
	O2_AUTO(o2_freep)
	char *job =
		o2_xasprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: late, "
			     "namespace: shop, labels: {os2os.io/txn: %s}}, spec: {replicas: 0, "
			     "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: "
			     "b}}, spec: {containers: [{name: c, image: i}]}}}}",
			     the_id());
	make(1, map);
	make(1, job);
	strike(1, SIM_STRIKE_ERROR_403, "DELETE /apis/apps/v1/namespaces/shop/deployments/late", 0);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	strike(2, SIM_STRIKE_ERROR_403, "DELETE /api/v1/namespaces/shop/configmaps/late", 0);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

/* Made by the provisioner for our claim in a class that keeps volumes: it goes with the claim. */
static void volumes_of_a_class_that_retains_go(void)
{
	killed_at("database", "vote.after");
	struct sim_object *volume = the(sim_first(sim_side(1), sim_kind("", "PersistentVolume")));
	EXPECT(volume != NULL);
	change(volume, "/spec/persistentVolumeReclaimPolicy", "Retain");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(sim_first(sim_side(1), sim_kind("", "PersistentVolume")) == NULL);
	expect_end("before");
}

static void a_volume_that_stays_does_not_stop_the_undo(void)
{
	killed_at("database", "vote.after");
	struct sim_object *volume = the(sim_first(sim_side(1), sim_kind("", "PersistentVolume")));
	change(volume, "/spec/persistentVolumeReclaimPolicy", "Retain");
	O2_AUTO(o2_freep)
	char *request = o2_xasprintf("PATCH /api/v1/persistentvolumes/%s", volume->name);
	strike(1, SIM_STRIKE_ERROR_403, request, 0);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(sim_first(sim_side(1), sim_kind("", "PersistentVolume")) != NULL);
}

/* What others say of an object that we release stays. */
static void others_owners_stay(void)
{
	killed_at("web", "open.after");
	struct sim_object *map = the(find_in(1, "", "ConfigMap", "settings"));
	struct sim_object *account = the(find_in(1, "", "ServiceAccount", "web"));
	struct o2_doc *next = o2_doc_copy(map->doc), *owner = o2_doc_object_new();
	o2_doc_set_str(owner, "apiVersion", "v1");
	o2_doc_set_str(owner, "kind", "ServiceAccount");
	o2_doc_set_str(owner, "name", "web");
	o2_doc_set_str(owner, "uid", sim_uid(account));
	o2_doc_append(o2_doc_at(next, "/metadata/ownerReferences"), owner);
	sim_put(map, next);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	map = find_in(1, "", "ConfigMap", "settings");
	EXPECT(o2_doc_count(o2_doc_at(map->doc, "/metadata/ownerReferences")) == 1);
	EXPECT(strcmp(o2_doc_str(map->doc, "/metadata/ownerReferences/0/name", ""), "web") == 0);
}

/* --- A that is lost --- */

static void cut_a(void)
{
	sim_cut(SIM_TO_A, true);
	sim_cut(SIM_FROM_A, true);
}

static void cut_a_as_it_decides(void)
{
	act(0, cut_a, "PUT", 0);
}

static void cut_a_as_it_has_decided(void)
{
	act(0, cut_a, "PUT", 1);
}

/* Nobody knows then, and nothing is opened. */
static void lost_during_the_decision(void (*how)(void), const char *outcome)
{
	raise_shape("web");
	act(0, how, "decide.before", 0);
	EXPECT_CODE(os2os(MIGRATE " --lost-timeout 3s"), 3);
	EXPECT(find_in(1, "networking.k8s.io", "Ingress", "web") == NULL);
	EXPECT(strcmp(state_of(1), "OPEN") == 0);
	sim_mend_all();
	EXPECT_CODE(os2os("recover --lost-timeout 3s" BOTH), 0);
	expect_end(outcome);
}

static void lost_before_the_decision_was_taken(void)
{
	lost_during_the_decision(cut_a_as_it_decides, "before");
}

static void lost_after_the_decision_was_taken(void)
{
	lost_during_the_decision(cut_a_as_it_has_decided, "after");
}

static void lost_before_the_decision(void)
{
	raise_shape("web");
	act(0, cut_a, "start.after", 0);
	EXPECT_CODE(os2os(MIGRATE " --lost-timeout 30s"), 3);
	sim_mend_all();
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

static void many_objects(void)
{
	raise_shape("web");
	for (int i = 0; i < 60; i++) {
		O2_AUTO(o2_freep)
		char *map =
			o2_xasprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: map-%d, "
				     "namespace: shop}, data: {a: b}}",
				     i);
		make(0, map);
	}
	EXPECT_CODE(os2os(MIGRATE), 0);
	EXPECT(find_in(1, "", "ConfigMap", "map-59") != NULL);
}

/* Held by another transaction already. */
static void what_another_holds_is_not_held(void)
{
	raise_shape("web");
	change(the(find_in(0, "apps", "Deployment", "web")), "/metadata/labels/os2os.io~1held",
	       "other");
	EXPECT(os2os(MIGRATE) != 0);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc, "/spec/replicas", 0) ==
	       2);
}

/* --- failures on the way, told and mended by the same command once more --- */

/* `line` fails at the point with `code`, and goes well after that. */
static void fails_once(const char *line, enum sim_strike what, const char *where, int skip,
		       int code)
{
	strike(process_count, what, where, skip);
	EXPECT_CODE(os2os(line), code);
	EXPECT(stage.hits[stage.hit_count - 1].times == 0);
}

static void finalize_may_fail_anywhere(void)
{
	moved("database");
	sim_oracle_expect_retired();
	fails_once("finalize --yes" BOTH, SIM_STRIKE_ERROR_403, "GET /apis/apps/v1/namespaces/shop",
		   0, 6);
	fails_once("finalize --yes" BOTH, SIM_STRIKE_ERROR_403, "DELETE", 0, 6);
	fails_once("finalize --yes" BOTH, SIM_STRIKE_ERROR_403, "PATCH /api/v1/persistentvolumes",
		   0, 6);
	fails_once("finalize --yes" BOTH, SIM_STRIKE_ERROR_403,
		   "DELETE /api/v1/namespaces/shop/persistentvolumeclaims", 0, 6);
	fails_once("finalize --yes" BOTH, SIM_STRIKE_ERROR_403,
		   "DELETE /api/v1/namespaces/shop/configmaps/os2os-txn", 0, 6);
	EXPECT_CODE(os2os("finalize --yes" BOTH), 0);
	sim_oracle_see_retired();
	expect_end("after");
}

static void going_forward_may_fail_anywhere(void)
{
	killed_at("web", "open.before");
	fails_once("resume" BOTH, SIM_STRIKE_ERROR_403, "PUT", 0, 6);
	fails_once("resume" BOTH, SIM_STRIKE_ERROR_403, "-target?fieldManager=os2os", 0, 6);
	fails_once("resume" BOTH, SIM_STRIKE_ERROR_403, "POST", 0, 6);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void resuming_may_fail_anywhere(void)
{
	killed_at("web", "vote.after");
	fails_once("resume" BOTH, SIM_STRIKE_ERROR_403, "PUT", 0, 3);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void resuming_what_freezes_nothing(void)
{
	killed_at("copy-empty", "vote.after");
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void going_back_may_fail_anywhere(void)
{
	killed_at("database", "start.after");
	fails_once("recover --from a", SIM_STRIKE_ERROR_403, "PUT", 0, 3);
	fails_once("recover --from a", SIM_STRIKE_ERROR_403, "PUT", 1, 3);
	fails_once("recover --from a", SIM_STRIKE_ERROR_403, "PATCH /apis/apps/v1", 0, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "DELETE", 0, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403,
		   "GET /apis/apps/v1/namespaces/shop/statefulsets/db", 3, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "PATCH /apis/apps/v1", 0, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "PATCH /apis/apps/v1", 1, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "-target?fieldManager=os2os", 0, 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

/* Who undoes is not to be interrupted. */
static void an_undo_is_not_interrupted(void)
{
	killed_at("web", "start.after");
	strike(1, SIM_STRIKE_INTERRUPT, "undo.freeze", 0);
	EXPECT_CODE(os2os("recover --from a"), 3);
	EXPECT(o2_doc_int(the(find_in(0, "apps", "Deployment", "web"))->doc,
			  "/status/readyReplicas", 0) == 2);
	strike(2, SIM_STRIKE_INTERRUPT, "abort.before", 0);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void a_migration_is_interrupted(void)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_INTERRUPT, "freeze.after", 0);
	EXPECT_CODE(migrate(), 130);
	expect_end("before");
}

/* Finished by somebody between the look and the takeover. */
static void going_forward_finds_it_done(void)
{
	struct process *resume;

	killed_at("web", "open.before");
	strike(1, SIM_STRIKE_STOP, "-source", 2);
	resume = start("resume" BOTH);
	EXPECT_CODE(await(resume), STOPPED);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	EXPECT_CODE(go_on(resume), 0);
	EXPECT(has_said("was closed meanwhile"));
	expect_end("after");
}

static void going_back_without_b_finds_it_done(void)
{
	decided_meanwhile("recover --from a", "never", 3);
	expect_end("after");
}

static void lock_it_first(void)
{
	make_lock(0, "os2os-lock", "other");
}

static void somebody_locks_first(void)
{
	raise_shape("web");
	act(0, lock_it_first, "lock.before", 0);
	EXPECT_CODE(migrate(), 4);
	EXPECT(has_said("is held by transaction other"));
	EXPECT(map_of(0, "write-set") == NULL && map_of(0, "source") == NULL);
}

/* A recovery took it for dead before it wrote its record. */
static void bar_it(void)
{
	const char *id = sim_label(the(map_of(0, "write-set")), "os2os.io/txn");
	O2_AUTO(o2_freep)
	char *closed = o2_xasprintf(
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: os2os-txn-%s-source, "
		"namespace: shop, labels: {os2os.io/txn: %s, os2os.io/record: source}}, "
		"data: {state: ABORTED, clean: 'true', stamp: theirs}}",
		id, id);

	make(0, closed);
}

static void a_recovery_was_first(void)
{
	raise_shape("web");
	act(0, bar_it, "POST /api/v1/namespaces/shop/configmaps", 4);
	EXPECT_CODE(migrate(), 4);
	EXPECT(map_of(0, "write-set") == NULL && map_of(0, "lock") == NULL);
	expect_end("before");
}

static void steps_may_fail_at_their_edges(void)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_FAIL, "finish.after", 0);
	EXPECT_CODE(migrate(), 6);
	EXPECT_CODE(os2os("recover" BOTH), 4); /* it is done */
	expect_end("after");
}

static void undoing_may_fail_at_its_edges(void)
{
	killed_at("database", "start.after");
	fails_once("recover --from a", SIM_STRIKE_ERROR_403, "/pods?", 0, 3);
	fails_once("rollback" BOTH, SIM_STRIKE_FAIL, "undo.start", 0, 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void closing_may_fail(void)
{
	killed_at("database-present", "vote.after");
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "-target?fieldManager=os2os", 0, 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void clearing_away_may_fail(void)
{
	killed_at("web", "vote.after");
	fails_once("rollback" BOTH, SIM_STRIKE_ERROR_403, "-ws-0", 2, 3);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

/* Nothing but locks, or a write set too: what can't be taken away shows, and goes with a recovery. */
static void may_stay(int posts)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_ERROR_403, "POST /api/v1/namespaces/shop/configmaps", posts);
	strike(0, SIM_STRIKE_ERROR_403, "DELETE", 0);
	EXPECT_CODE(migrate(), 3);
	EXPECT(map_of(0, "lock") != NULL);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

static void a_lock_may_stay(void)
{
	may_stay(1);
}

static void a_write_set_may_stay(void)
{
	may_stay(2);
}

static void an_undo_may_fail_before_it_begins(void)
{
	killed_at("web", "vote.after");
	fails_once("rollback" BOTH, SIM_STRIKE_FAIL, "abort.before", 0, 3);
	EXPECT(strcmp(state_of(0), "OPEN") == 0);
	EXPECT_CODE(os2os("rollback" BOTH), 0);
	expect_end("before");
}

static void barring_may_fail(void)
{
	raise_shape("web");
	make_lock(0, "os2os-lock", "stray");
	fails_once("recover" BOTH, SIM_STRIKE_ERROR_403, "POST", 0, 3);
	EXPECT_CODE(os2os("recover" BOTH), 0);
	expect_end("before");
}

static void damage_the_record(void)
{
	change(record_of(0), "/data/state", "??");
}

static void a_record_that_is_damaged_meanwhile(void)
{
	killed_at("web", "vote.after");
	act(1, damage_the_record, "-source", 0);
	EXPECT_CODE(os2os("recover" BOTH), 3);
	change(record_of(0), "/data/state", "OPEN");
	EXPECT_CODE(os2os("recover" BOTH), 0);
	EXPECT(find_in(1, "apps", "Deployment", "web") == NULL);
}

static void a_mirror_alone_that_cant_be_read(void)
{
	killed_at("web", "vote.after");
	sim_remove(record_of(0));
	change(record_of(1), "/data/state", "??");
	EXPECT(os2os("recover" BOTH) != 0);
	change(record_of(1), "/data/state", "OPEN");
	EXPECT_CODE(os2os("recover" BOTH), 0);
}

static void an_address_is_switched(void)
{
	raise_shape("web");
	strike(0, SIM_STRIKE_KILL, "open.before", 0);
	EXPECT_CODE(os2os(MIGRATE " --on-switch true"), KILLED);
	EXPECT_CODE(os2os("resume" BOTH), 0);
	expect_end("after");
}

static void an_address_is_switched_at_once(void)
{
	raise_shape("web");
	EXPECT_CODE(os2os(MIGRATE " --on-switch true"), 0);
	expect_end("after");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		PLAY(what_was_decided_is_not_undone),
		PLAY(resume_needs_the_same_application),
		PLAY(resume_may_stop_again),
		PLAY(resume_may_stop_after_the_decision),
		PLAY(resume_needs_a_plan),
		PLAY(a_alone),
		PLAY(b_alone),
		PLAY(b_alone_that_is_decided),
		PLAY(resume_of_what_is_aborted),
		PLAY(cancel_of_what_is_aborted),
		PLAY(rollback_comes_too_late),
		PLAY(recover_finds_it_decided),
		PLAY(recover_finds_it_done),
		PLAY(resume_finds_it_decided),
		PLAY(resume_finds_it_done),
		PLAY(resume_finds_it_undone),
		PLAY(resume_finds_it_aborted),
		PLAY(recover_without_b_finds_it_decided),
		PLAY(cancel_lets_the_holder_undo),
		PLAY(cancel_that_may_not_write),
		PLAY(cancel_looks_again),
		PLAY(rollback_that_may_not_write),
		PLAY(finalize_wants_a),
		PLAY(finalize_wants_it_done),
		PLAY(finalize_is_done_once),
		PLAY(finalize_spares_what_is_used),
		PLAY(finalize_spares_what_was_made_anew),
		PLAY(finalize_has_to_read_the_record),
		PLAY(what_is_thawed_by_hand_is_frozen_again),
		PLAY(what_was_deleted_meanwhile_stays_away),
		PLAY(two_that_can_be_finalized),
		PLAY(looking_may_fail),
		PLAY(nothing_and_half_of_nothing),
		PLAY(the_report_tells_what_became_of_each_step),
		PLAY(the_report_of_an_undo),
		PLAY(several_have_to_be_named),
		PLAY(only_those_of_the_namespace),
		PLAY(who_may_not_list_everything_names_a_namespace),
		PLAY(another_clusters_record_is_not_ours),
		PLAY(the_list_may_begin_anew),
		PLAY(a_without_record_lets_b_be_cleaned),
		PLAY(cleaning_by_label_may_fail),
		PLAY(a_that_was_restored_is_not_started),
		PLAY(a_serves_although_b_hangs),
		PLAY(a_record_that_cant_be_read_is_told),
		PLAY(a_write_set_that_was_changed_is_not_used),
		PLAY(a_note_that_cant_be_read_stops_the_undo),
		PLAY(what_comes_late_is_tidied_up),
		PLAY(what_comes_late_to_the_finished_is_tidied_up),
		PLAY(what_comes_late_to_a_waits_for_b),
		PLAY(what_is_held_is_found_without_record),
		PLAY(what_b_has_without_any_record_goes),
		PLAY(b_alone_that_is_undone),
		PLAY(a_lock_of_others_is_left_alone),
		PLAY(a_lock_alone_is_taken_away),
		PLAY(a_lock_beside_a_closed_record_is_taken_away),
		PLAY(a_write_set_alone_is_taken_away),
		PLAY(an_undo_that_died_while_it_cleared_away),
		PLAY(a_cluster_that_is_not_known_again),
		PLAY(what_carries_the_label_goes),
		PLAY(volumes_of_a_class_that_retains_go),
		PLAY(a_volume_that_stays_does_not_stop_the_undo),
		PLAY(others_owners_stay),
		PLAY(lost_before_the_decision_was_taken),
		PLAY(lost_after_the_decision_was_taken),
		PLAY(lost_before_the_decision),
		PLAY(many_objects),
		PLAY(what_another_holds_is_not_held),
		PLAY(finalize_may_fail_anywhere),
		PLAY(going_forward_may_fail_anywhere),
		PLAY(resuming_may_fail_anywhere),
		PLAY(resuming_what_freezes_nothing),
		PLAY(going_back_may_fail_anywhere),
		PLAY(an_undo_is_not_interrupted),
		PLAY(a_migration_is_interrupted),
		PLAY(going_forward_finds_it_done),
		PLAY(going_back_without_b_finds_it_done),
		PLAY(somebody_locks_first),
		PLAY(a_recovery_was_first),
		PLAY(steps_may_fail_at_their_edges),
		PLAY(undoing_may_fail_at_its_edges),
		PLAY(closing_may_fail),
		PLAY(clearing_away_may_fail),
		PLAY(a_lock_may_stay),
		PLAY(a_write_set_may_stay),
		PLAY(an_undo_may_fail_before_it_begins),
		PLAY(barring_may_fail),
		PLAY(a_record_that_is_damaged_meanwhile),
		PLAY(a_mirror_alone_that_cant_be_read),
		PLAY(an_address_is_switched),
		PLAY(an_address_is_switched_at_once),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]); /* one of them */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
