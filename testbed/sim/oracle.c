/* Invariants while it runs. The ends are judged in ends.c. */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "controllers.h"
#include "ends.h"
#include "network.h"
#include "world.h"

#define CLIENT_US (100 * SIM_MS)
#define VOLUMES_MAX 16
#define RECORDS_MAX 16
#define PASSED_US (5 * SIM_S)
#define LOOK_US (20 * SIM_MS) /* so old may be what is known of A and B when it is decided */

/* Contents of A's volumes when its application stood still. */
struct still {
	char claim[64];
	struct sim_volume contents;
};

/* A record, and what it said last. */
struct told {
	char name[80];
	char state[16];
};

static struct {
	const struct sim_shape *shape;
	char violation[1024];
	uint64_t acknowledged;
	bool runs[2]; /* the application's pods, as seen last */
	bool is_open; /* B's ways in */
	struct still still[VOLUMES_MAX];
	size_t still_count;
	struct told records[RECORDS_MAX]; /* R1 of every transaction */
	size_t record_count;
	bool is_torn;      /* a store went back behind the decision */
	bool is_restoring; /* what happens now is nobody's doing */
	int64_t restored_us[2];
	int restores;
} oracle;

void sim_violation(const char *fmt, ...)
{
	va_list args;
	int len;

	if (oracle.violation[0])
		return;
	len = snprintf(oracle.violation, sizeof(oracle.violation),
		       "%.3f s: ", (double)sim_now_us() / (double)SIM_S);
	va_start(args, fmt);
	vsnprintf(oracle.violation + len, sizeof(oracle.violation) - (size_t)len, fmt, args);
	va_end(args);
}

const char *sim_oracle_violation(void)
{
	return oracle.violation[0] ? oracle.violation : NULL;
}

uint64_t sim_oracle_rows(void)
{
	return oracle.acknowledged;
}

/* --- records --- */

static struct told *told_of(const char *name)
{
	for (size_t i = 0; i < oracle.record_count; i++) {
		if (strcmp(oracle.records[i].name, name) == 0)
			return &oracle.records[i];
	}
	if (oracle.record_count == RECORDS_MAX)
		return &oracle.records[RECORDS_MAX - 1];
	struct told *told = &oracle.records[oracle.record_count++];
	snprintf(told->name, sizeof(told->name), "%.79s", name);
	return told;
}

static bool any_is(const char *state)
{
	for (size_t i = 0; i < oracle.record_count; i++) {
		if (strcmp(oracle.records[i].state, state) == 0)
			return true;
	}
	return false;
}

/* --- who serves --- */

static bool is_application_pod(const struct sim_object *pod)
{
	const char *wanted = oracle.shape->selector;

	return (strcmp(pod->ns, SIM_SHAPE_NS) == 0 || strcmp(pod->ns, sim_target_ns()) == 0) &&
	       sim_label(pod, "os2os.io/record")[0] == '\0' &&
	       (!wanted || strcmp(sim_label(pod, "app"), wanted) == 0);
}

static bool application_runs(int side, bool ready)
{
	struct sim_object *pod = sim_first(sim_side(side), sim_kind("", "Pod"));

	for (; pod; pod = sim_next(pod)) {
		if (is_application_pod(pod) && sim_pod_runs(pod) &&
		    (!ready || sim_pod_is_ready(pod)))
			return true;
	}
	return false;
}

static bool is_way_in(const struct o2_doc *doc)
{
	const char *kind = o2_doc_member_str(doc, "kind", "");
	const char *type = o2_doc_str(doc, "/spec/type", "");

	return strcmp(kind, "Ingress") == 0 ||
	       (strcmp(kind, "Service") == 0 &&
		(strcmp(type, "LoadBalancer") == 0 || strcmp(type, "NodePort") == 0));
}

static bool has_open_way(int side, const struct sim_kind *kind, const char *ns)
{
	struct sim_object *at = sim_first(sim_side(side), kind);

	for (; at; at = sim_next(at)) {
		const char *wanted = oracle.shape->selector;
		if (strcmp(at->ns, ns) == 0 && is_way_in(at->doc) &&
		    (!wanted || strcmp(sim_label(at, "app"), wanted) == 0))
			return true;
	}
	return false;
}

static bool is_open(int side)
{
	const char *ns = side == 0 ? SIM_SHAPE_NS : sim_target_ns();

	return has_open_way(side, sim_kind("", "Service"), ns) ||
	       has_open_way(side, sim_kind("networking.k8s.io", "Ingress"), ns);
}

static bool is_move(void)
{
	return strcmp(oracle.shape->mode, "move") == 0;
}

/* --- I3: what B starts with, and opens with --- */

static void remember_still(void)
{
	struct sim_object *claim = sim_first(sim_side(0), sim_kind("", "PersistentVolumeClaim"));

	oracle.still_count = 0;
	for (; claim && oracle.still_count < VOLUMES_MAX; claim = sim_next(claim)) {
		const struct sim_volume *volume =
			sim_claim_volume(sim_side(0), claim->ns, claim->name);
		if (!volume || strcmp(claim->ns, SIM_SHAPE_NS) != 0)
			continue;
		struct still *still = &oracle.still[oracle.still_count++];
		snprintf(still->claim, sizeof(still->claim), "%s", claim->name);
		still->contents = *volume;
	}
}

static bool has_data(void)
{
	return oracle.shape->ledger != NULL;
}

static void compare_data(const char *when, bool rows_only)
{
	for (size_t i = 0; has_data() && i < oracle.still_count; i++) {
		const struct still *still = &oracle.still[i];
		const struct sim_volume *now =
			sim_claim_volume(sim_side(1), sim_target_ns(), still->claim);
		bool files_differ =
			now && memcmp(now->files, still->contents.files, sizeof(now->files)) != 0;
		if (now && (now->rows != still->contents.rows || (files_differ && !rows_only)))
			sim_violation("I3: %s, claim '%s' of B differs from A's (%llu rows, %llu "
				      "in A)",
				      when, still->claim, (unsigned long long)now->rows,
				      (unsigned long long)still->contents.rows);
	}
}

/* --- after each change --- */

static void look_at_pods(void)
{
	if (oracle.is_restoring || oracle.is_torn)
		return;
	bool a = application_runs(0, false), b = application_runs(1, false);

	if (oracle.runs[0] && !a)
		remember_still();
	if (!oracle.runs[1] && b && !oracle.restored_us[1])
		compare_data("as B's pods start", false);
	oracle.runs[0] = a;
	oracle.runs[1] = b;
	if (is_move() && a && b && oracle.is_open)
		sim_violation("I1: A and B both serve");
}

static void look_at_ways(void)
{
	if (oracle.is_restoring || oracle.is_torn)
		return;
	bool now = is_open(1);

	if (now && !oracle.is_open && is_move()) {
		if (!any_is("COMMITTED") && !any_is("DONE"))
			sim_violation("B was opened before the decision");
		if (oracle.runs[0])
			sim_violation("B was opened while A still runs");
		compare_data("as B opens", true);
	}
	oracle.is_open = now;
}

bool sim_oracle_is_decided(void)
{
	return any_is("COMMITTED") || any_is("DONE");
}

static bool was_just_restored(void)
{
	for (int side = 0; side < 2; side++) {
		if (oracle.restored_us[side] > 0 &&
		    sim_now_us() - oracle.restored_us[side] < LOOK_US)
			return true;
	}
	return false;
}

/* I2: OPEN once, then one of two ways. One that never was OPEN may be closed, so that it never will be. */
static void look_at_record(const struct sim_object *map, enum sim_change change)
{
	static const char *const steps[][2] = { { "", "OPEN" },
						{ "", "ABORTED" },
						{ "OPEN", "COMMITTED" },
						{ "OPEN", "ABORTED" },
						{ "COMMITTED", "DONE" } };
	const char *next = o2_doc_str(map->doc, "/data/state", "");
	struct told *told;
	bool fine;

	if (change == SIM_DELETED || strcmp(sim_label(map, "os2os.io/record"), "source") != 0 ||
	    oracle.is_restoring || oracle.is_torn)
		return;
	told = told_of(map->name);
	fine = strcmp(told->state, next) == 0;
	for (size_t i = 0; i < O2_COUNT(steps); i++)
		fine |= strcmp(told->state, steps[i][0]) == 0 && strcmp(next, steps[i][1]) == 0;
	oracle.is_torn |= strcmp(next, "COMMITTED") == 0 && was_just_restored();
	if (!fine)
		sim_violation("I2: record '%s' went from '%s' to %s", map->name, told->state, next);
	snprintf(told->state, sizeof(told->state), "%.15s", next);
}

static void look(struct sim_object *object, enum sim_change change)
{
	const char *kind = object->kind->kind;

	if (strcmp(kind, "ConfigMap") == 0 && sim_side_of(object->cluster) == 0)
		look_at_record(object, change);
	if (strcmp(kind, "Pod") == 0)
		look_at_pods();
	if (strcmp(kind, "Service") == 0 || strcmp(kind, "Ingress") == 0)
		look_at_ways();
	/* Two old stores may agree that nothing was decided: then what B has is thrown away, and A has its data. */
	bool is_copy = oracle.restores > 1 && sim_side_of(object->cluster) == 1;
	if (change == SIM_DELETED && !oracle.is_restoring && !is_copy)
		sim_ends_see_deleted(object);
}

static void read_record_again(struct told *told)
{
	struct sim_object *map = sim_first(sim_side(0), sim_kind("", "ConfigMap"));

	told->state[0] = '\0';
	for (; map; map = sim_next(map)) {
		if (strcmp(map->name, told->name) == 0)
			snprintf(told->state, sizeof(told->state), "%.15s",
				 o2_doc_str(map->doc, "/data/state", ""));
	}
}

/* Until the decision is told to B, what B has is a copy that may be thrown away. */
static bool is_known_to_target(void)
{
	struct sim_object *map = sim_first(sim_side(1), sim_kind("", "ConfigMap"));

	for (; map; map = sim_next(map)) {
		const char *state = o2_doc_str(map->doc, "/data/state", "");
		if (strcmp(sim_label(map, "os2os.io/record"), "target") == 0 &&
		    (strcmp(state, "COMMITTED") == 0 || strcmp(state, "DONE") == 0))
			return true;
	}
	return false;
}

/* What was on its way when it happened is over. */
static void keep_data(void *arg)
{
	(void)arg;
	sim_ends_keep_data();
}

void sim_oracle_begin_restore(int side)
{
	oracle.is_restoring = true;
	oracle.restores++;
	oracle.is_torn |= sim_oracle_is_decided() || oracle.restores > 1 ||
			  (side == 0 && (!is_move() || any_is("ABORTED")));
}

void sim_oracle_end_restore(int side)
{
	oracle.restored_us[side] = sim_now_us();
	for (size_t i = 0; i < oracle.record_count; i++)
		read_record_again(&oracle.records[i]);
	oracle.is_restoring = false;
	if (oracle.is_torn && is_known_to_target())
		sim_after(PASSED_US, keep_data, NULL);
	look_at_pods();
	look_at_ways();
}

bool sim_oracle_was_restored(int side)
{
	return oracle.restored_us[side] > 0;
}

bool sim_oracle_is_torn(void)
{
	return oracle.is_torn;
}

/* --- clients --- */

static void write_row(int side)
{
	const char *ns = side == 0 ? SIM_SHAPE_NS : sim_target_ns();
	struct sim_volume *volume = sim_claim_volume(sim_side(side), ns, oracle.shape->ledger);

	if (!volume)
		return;
	volume->rows++;
	volume->block_count++;
	oracle.acknowledged++;
}

static void serve_clients(void *arg)
{
	(void)arg;
	look_at_pods(); /* processes start and end between changes too */
	bool b = application_runs(1, true) && oracle.is_open && is_move();
	bool a = application_runs(0, true) && is_open(0);

	if (has_data() && a)
		write_row(0);
	if (has_data() && b)
		write_row(1);
	sim_after(CLIENT_US, serve_clients, NULL);
}

void sim_oracle_begin(const struct sim_shape *shape)
{
	memset(&oracle, 0, sizeof(oracle));
	oracle.shape = shape;
	sim_ends_begin(shape);
	oracle.runs[0] = application_runs(0, false);
	sim_on_change(look);
	sim_after(CLIENT_US, serve_clients, NULL);
}

/* --- U1 --- */

void sim_oracle_see_request(int side, const struct sim_request *request)
{
	const char *body = request->body ? request->body : "";
	const char *type = request->content_type ? request->content_type : "";
	bool is_patch = strcmp(request->method, "PATCH") == 0;

	if (strcmp(request->method, "GET") == 0 || strstr(request->path, "dryRun=All"))
		return;
	if (strcmp(request->method, "DELETE") == 0 && !strstr(body, "\"uid\":"))
		sim_violation("U1: %s %s in %c without a uid", request->method, request->path,
			      "AB"[side]);
	if (strcmp(request->method, "PUT") == 0 && !strstr(body, "\"resourceVersion\":"))
		sim_violation("U1: %s %s in %c without a version", request->method, request->path,
			      "AB"[side]);
	if (is_patch && strstr(type, "merge-patch") && !strstr(body, "\"resourceVersion\":"))
		sim_violation("U1: %s %s in %c without a version", request->method, request->path,
			      "AB"[side]);
	if (is_patch && strstr(type, "json-patch") && !strstr(body, "\"test\""))
		sim_violation("U1: %s %s in %c without a test", request->method, request->path,
			      "AB"[side]);
	if (strcmp(request->method, "POST") == 0 && strstr(body, "\"generateName\""))
		sim_violation("U1: a name was left to the server: %s", request->path);
}

/* --- the end --- */

void sim_oracle_see_exit(const char *verb, int exit_code)
{
	bool is_done = any_is("DONE");
	bool is_undone = !is_done && !any_is("OPEN") && !any_is("COMMITTED");

	if (strcmp(verb, "migrate") != 0 || oracle.is_torn)
		return;
	if (exit_code == 0 && !is_done)
		sim_violation("exit 0, but no record is DONE");
	if ((exit_code == 1 || exit_code == 4 || exit_code == 130) && !is_undone)
		sim_violation("exit %d, but the record is not closed", exit_code);
}

void sim_oracle_end(void)
{
	bool after = any_is("DONE");
	int side = after && is_move() ? 1 : 0;
	const char *ns = side == 0 ? SIM_SHAPE_NS : sim_target_ns();

	if (oracle.is_torn)
		return;
	if (any_is("OPEN") || any_is("COMMITTED"))
		sim_violation("I6: a record is still open");
	sim_ends_judge(after);
	if (!application_runs(side, true))
		sim_violation("I6: nobody serves in the end");
	if (after && is_move() && application_runs(0, false))
		sim_violation("A still runs after the move");
	if (!has_data())
		return;
	const struct sim_volume *volume =
		sim_claim_volume(sim_side(side), ns, oracle.shape->ledger);
	if (!volume || volume->rows != oracle.acknowledged)
		sim_violation("%llu rows were acknowledged, %llu are there",
			      (unsigned long long)oracle.acknowledged,
			      volume ? (unsigned long long)volume->rows : 0);
}

const char *sim_oracle_outcome(void)
{
	return any_is("DONE") ? "after" : "before";
}
