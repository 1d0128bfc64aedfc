/* The plan's construction: discover, rewrite, adopt, order into steps. */
#include "plan/plan_internal.h"

static const char *const proof_names[O2_PLAN_PROOF_COUNT] = { "proved", "computed", "unknown" };
static const char *const step_state_names[O2_STEP_STATE_COUNT] = { "pending", "running", "done",
								   "failed", "undone" };

const char *o2_plan_proof_name(enum o2_plan_proof proof)
{
	return (unsigned)proof < O2_PLAN_PROOF_COUNT ? proof_names[proof] : "?";
}

const char *o2_plan_step_state_name(enum o2_plan_step_state state)
{
	return (unsigned)state < O2_STEP_STATE_COUNT ? step_state_names[state] : "?";
}

/* A new step of a type; its objects are added afterwards. */
static struct o2_plan_step *add_step(struct o2_plan *plan, enum o2_step_id id, int wave)
{
	struct o2_plan_step *step;

	O2_GROW(plan->steps, plan->step_count, plan->step_cap);
	step = &plan->steps[plan->step_count++];
	*step = (struct o2_plan_step){ .type = o2_step_type(id), .wave = wave, .actual_ms = -1 };
	return step;
}

static void add_object(struct o2_plan_step *step, size_t object)
{
	step->objects = o2_xrealloc(step->objects, step->object_count + 1, sizeof(*step->objects));
	step->objects[step->object_count++] = object;
}

typedef bool belongs_fn(const struct o2_app_object *object);

static bool is_early(const struct o2_app_object *object)
{
	return object->created == O2_APP_CREATED_EARLY;
}

static bool is_late(const struct o2_app_object *object)
{
	return object->created == O2_APP_CREATED_LATE || object->started == O2_APP_STARTED_OPEN;
}

static bool starts_closed(const struct o2_app_object *object)
{
	return object->created == O2_APP_CREATED_EARLY && object->started == O2_APP_STARTED_CLOSED;
}

/* Stopped on A, workload by workload: who needs others first. */
static bool is_frozen(const struct o2_app_object *object)
{
	return o2_app_is_workload(object->kind) && object->started == O2_APP_STARTED_CLOSED;
}

/* Makes pods by the clock: stopped before everything else. */
static bool is_paused(const struct o2_app_object *object)
{
	return o2_app_is_workload(object->kind) && object->created == O2_APP_CREATED_EARLY &&
	       object->started == O2_APP_STARTED_OPEN;
}

enum rank { BY_WAVE, BY_LEVEL, BY_FALLING_LEVEL };

static int highest_level(const struct o2_app *app)
{
	int highest = 0;

	for (size_t i = 0; i < o2_app_count(app); i++) {
		if (o2_app_object(app, i)->level > highest)
			highest = o2_app_object(app, i)->level;
	}
	return highest;
}

/* highest: the highest level there is. */
static int rank_of(const struct o2_app_object *object, enum rank rank, int highest)
{
	switch (rank) {
	case BY_LEVEL:
		return object->level;
	case BY_FALLING_LEVEL:
		return highest - object->level;
	case BY_WAVE:
		break;
	}
	return object->wave;
}

/* One step a wave (or level) of the objects that belong. */
static void add_waves(struct o2_plan *plan, enum o2_step_id id, belongs_fn *belongs, enum rank rank)
{
	bool on_source = rank == BY_FALLING_LEVEL;
	int highest = highest_level(plan->app), last = -1;

	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (belongs(object) && rank_of(object, rank, highest) > last)
			last = rank_of(object, rank, highest);
	}
	for (int wave = 0; wave <= last; wave++) {
		struct o2_plan_step *step = NULL;

		for (size_t i = 0; i < o2_app_count(plan->app); i++) {
			const struct o2_app_object *object = o2_app_object(plan->app, i);

			if (!belongs(object) || rank_of(object, rank, highest) != wave ||
			    (!on_source && (plan->adopted[i] || !object->target_kind)))
				continue;
			if (!step)
				step = add_step(plan, id, wave);
			add_object(step, i);
		}
	}
}

static void add_all(struct o2_plan *plan, enum o2_step_id id, belongs_fn *belongs)
{
	struct o2_plan_step *step = add_step(plan, id, 0);

	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (!plan->adopted[i] && object->target_kind && belongs(object))
			add_object(step, i);
	}
}

static bool is_any(const struct o2_app_object *object)
{
	(void)object;
	return true;
}

static bool has_pods(const struct o2_app_object *object)
{
	return o2_app_is_workload(object->kind);
}

/* "14 objects: 5 ConfigMap, 3 Secret, ..." */
static void describe(const struct o2_plan *plan, struct o2_plan_step *step)
{
	struct o2_buf text;
	bool *told;

	/* Everything again, kind by kind, would only repeat the create steps. */
	if (o2_step_id_of(step->type) == O2_STEP_RELEASE) {
		step->detail = o2_xasprintf("%zu objects", step->object_count);
		return;
	}
	told = o2_xcalloc(step->object_count ? step->object_count : 1, sizeof(*told));

	o2_buf_init(&text, 4096);
	for (size_t i = 0; i < step->object_count; i++) {
		const char *kind = o2_app_object(plan->app, step->objects[i])->kind->kind;
		size_t count = 0;

		if (told[i])
			continue;
		for (size_t j = i; j < step->object_count; j++) {
			if (strcmp(o2_app_object(plan->app, step->objects[j])->kind->kind, kind) ==
			    0)
				told[j] = true, count++;
		}
		o2_buf_addf(&text, "%s%zu %s", text.len > 0 ? ", " : "", count, kind);
	}
	free(told);
	step->detail = o2_buf_steal(&text);
	o2_buf_release(&text);
}

static void describe_namespaces(const struct o2_strs *namespaces, struct o2_plan_step *step)
{
	struct o2_buf text;

	o2_buf_init(&text, 4096);
	for (size_t i = 0; i < namespaces->count; i++)
		o2_buf_addf(&text, "%s%s", i > 0 ? ", " : "", namespaces->items[i]);
	step->detail = o2_buf_steal(&text);
	o2_buf_release(&text);
}

/* CronJobs, and who else would undo the freeze. */
static void describe_paused(struct o2_plan *plan)
{
	struct o2_plan_step *step = &plan->steps[plan->step_count - 1];
	struct o2_buf text;

	if (plan->paused_count == 0)
		return;
	describe(plan, step);
	o2_buf_init(&text, 1 << 16);
	o2_buf_adds(&text, step->detail);
	for (size_t i = 0; i < plan->paused_count; i++)
		o2_buf_addf(&text, "%s%s %s/%s", text.len > 0 ? ", " : "",
			    plan->paused[i].kind->kind, plan->paused[i].ns, plan->paused[i].name);
	free(step->detail);
	step->detail = o2_buf_steal(&text);
	o2_buf_release(&text);
}

/* A stops: what would delete data is told not to, what makes pods is paused, then workloads end. */
static void add_freeze(struct o2_plan *plan)
{
	struct o2_plan_step *step = add_step(plan, O2_STEP_WATCHDOG, 0);

	step->detail = o2_xstrdup("gives A back should nobody else do it");
	if (plan->volumes.count > 0) {
		step = add_step(plan, O2_STEP_RETAIN, 0);
		step->detail = o2_xasprintf("%zu volumes of A", plan->volumes.count);
	}
	add_all(plan, O2_STEP_PAUSE, is_paused);
	describe_paused(plan);
	add_waves(plan, O2_STEP_FREEZE, is_frozen, BY_FALLING_LEVEL);
	if (plan->group_count > 0) {
		step = add_step(plan, O2_STEP_FINAL, 0);
		step->detail = o2_xstrdup("the last difference, compared");
	}
	if (!o2_plan_is_move(plan)) {
		step = add_step(plan, O2_STEP_THAW, 0);
		step->detail = o2_xstrdup("A goes on");
	}
}

/* "data-db-0, files" */
static char *describe_groups(const struct o2_plan *plan)
{
	struct o2_buf text;

	o2_buf_init(&text, 4096);
	for (size_t i = 0; i < plan->group_count; i++) {
		for (size_t c = 0; c < plan->groups[i].claim_count; c++)
			o2_buf_addf(&text, "%s%s", text.len > 0 ? ", " : "",
				    plan->groups[i].claims[c].name[O2_SOURCE]);
	}
	char *detail = o2_buf_steal(&text);
	o2_buf_release(&text);
	return detail;
}

static void build_steps(struct o2_plan *plan)
{
	struct o2_plan_step *step;

	add_step(plan, O2_STEP_LOCK, 0);
	add_step(plan, O2_STEP_RECORD, 0);
	if (plan->new_namespaces.count > 0) {
		step = add_step(plan, O2_STEP_NAMESPACE, 0);
		describe_namespaces(&plan->new_namespaces, step);
	}
	add_step(plan, O2_STEP_OWNER, 0);
	add_waves(plan, O2_STEP_CREATE, is_early, BY_WAVE);
	if (plan->group_count > 0) {
		step = add_step(plan, O2_STEP_MOVER, 0);
		step->detail = o2_xasprintf("%zu on each side", plan->group_count);
		step = add_step(plan, O2_STEP_COPY, 0);
		step->detail = describe_groups(plan);
	}
	add_all(plan, O2_STEP_VOTE, has_pods);
	if (o2_plan_freezes(plan))
		add_freeze(plan);
	add_waves(plan, O2_STEP_START, starts_closed, BY_LEVEL);
	if (plan->options->checks.count > 0) {
		step = add_step(plan, O2_STEP_TRY, 0);
		describe_namespaces(&plan->options->checks, step);
	}
	add_step(plan, O2_STEP_DECIDE, 0);
	add_all(plan, O2_STEP_OPEN, is_late);
	if (plan->options->on_switch) {
		step = add_step(plan, O2_STEP_SWITCH, 0);
		step->detail = o2_xstrdup(plan->options->on_switch);
	}
	add_all(plan, O2_STEP_RELEASE, is_any);
	add_step(plan, O2_STEP_FINISH, 0);
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!plan->steps[i].detail)
			describe(plan, &plan->steps[i]);
		plan->steps[i].type->cost(plan, &plan->steps[i]);
	}
}

/* Which target namespaces have to be made? */
static int find_new_namespaces(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_target_namespaces(plan->app);
	const struct o2_kube_kind *kind = o2_kube_kind_find(plan->kube[O2_TARGET], "", "Namespace");

	for (size_t i = 0; i < namespaces->count; i++) {
		const char *ns = namespaces->items[i];
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = o2_kube_get(plan->kube[O2_TARGET], kind, NULL, ns, err);

		if (!now && err->code == -O2_ENOTFOUND) {
			o2_err_clear(err);
			o2_strs_add(&plan->new_namespaces, ns);
		} else if (!now && err->code == -O2_EAUTH) {
			/* Who may not read Namespaces may still work inside one that exists. */
			o2_err_clear(err);
			o2_plan_find(plan, "namespaces", O2_PLAN_UNKNOWN, ns, "",
				     "may not be read on B; taken to exist");
		} else if (!now) {
			return err->code;
		} else if (o2_doc_at(now, "/metadata/deletionTimestamp")) {
			o2_plan_block(
				plan, "namespaces", O2_PLAN_PROVED, ns,
				"wait until it is gone, or choose another with --to-namespace",
				"is being deleted on B");
		}
	}
	return 0;
}

/* The volumes behind A's claims. */
static void find_volumes(struct o2_plan *plan)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		if (strcmp(o2_app_object(plan->app, i)->kind->kind, "PersistentVolumeClaim") != 0)
			continue;
		O2_AUTO(o2_doc_freep) struct o2_doc *claim = o2_app_source(plan->app, i);
		const char *volume = o2_doc_str(claim, "/spec/volumeName", "");

		if (volume[0])
			o2_strs_add(&plan->volumes, volume);
	}
}

static int refuse_same_place(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *from = o2_app_source_namespaces(plan->app),
			     *to = o2_app_target_namespaces(plan->app);

	for (size_t i = 0; plan->same_cluster && i < to->count; i++) {
		if (o2_strs_has(from, to->items[i]))
			return o2_fail(err, O2_EINVALID,
				       "A and B are the same cluster and namespace '%s' would be "
				       "migrated onto itself; name another with --to-namespace",
				       to->items[i]);
	}
	return 0;
}

struct o2_plan *o2_plan_new(struct o2_kube *source, struct o2_kube *target,
			    const struct o2_plan_options *options, struct o2_err *err)
{
	O2_AUTO(o2_plan_freep) struct o2_plan *plan = o2_xcalloc(1, sizeof(*plan));
	struct o2_app_rewriting rewriting = options->rewriting;
	char id[O2_SIDE_COUNT][65];

	plan->options = options;
	plan->kube[O2_SOURCE] = source;
	plan->kube[O2_TARGET] = target;
	if (o2_kube_cluster_id(source, id[O2_SOURCE], err) < 0 ||
	    o2_kube_cluster_id(target, id[O2_TARGET], err) < 0)
		return NULL;
	plan->same_cluster = strcmp(id[O2_SOURCE], id[O2_TARGET]) == 0;
	rewriting.same_cluster = plan->same_cluster;
	plan->app = o2_app_discover(source, &options->selection, err);
	if (!plan->app || o2_app_rewrite(plan->app, &rewriting, target, err) < 0 ||
	    refuse_same_place(plan, err) < 0)
		return NULL;
	plan->adopted = o2_xcalloc(o2_app_count(plan->app) + 1, sizeof(*plan->adopted));
	if (find_new_namespaces(plan, err) < 0 || o2_plan_adopt(plan, err) < 0)
		return NULL;
	find_volumes(plan);
	if (o2_plan_make_groups(plan, err) < 0 ||
	    (o2_plan_freezes(plan) && o2_plan_find_pausers(plan, err) < 0))
		return NULL;
	build_steps(plan);
	return O2_STEAL(plan);
}

void o2_plan_free(struct o2_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->step_count; i++) {
		free(plan->steps[i].objects);
		free(plan->steps[i].detail);
	}
	for (size_t i = 0; i < plan->finding_count; i++) {
		free(plan->findings[i].subject);
		free(plan->findings[i].text);
		free(plan->findings[i].remedy);
	}
	for (size_t i = 0; i < plan->group_count; i++)
		o2_plan_group_release(&plan->groups[i]);
	free(plan->groups);
	o2_plan_release_pausers(plan);
	free(plan->steps);
	free(plan->findings);
	free(plan->adopted);
	o2_strs_release(&plan->new_namespaces);
	o2_strs_release(&plan->volumes);
	o2_app_free(plan->app);
	free(plan);
}

int o2_plan_check(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err)
{
	enum o2_step_id last = O2_STEP_ID_COUNT;

	o2_plan_check_notes(plan);
	if (o2_plan_choose_helpers(plan, depth, err) < 0)
		return err->code;
	if (depth == O2_PLAN_SERVER && o2_plan_check_access(plan, err) < 0)
		return err->code;
	for (size_t i = 0; i < plan->step_count; i++) {
		struct o2_plan_step *step = &plan->steps[i];

		if (step->type->check && step->type->check(plan, step, depth, err) < 0)
			return err->code;
		last = o2_step_id_of(step->type);
	}
	assert(last == O2_STEP_FINISH);
	return 0;
}

const struct o2_plan_options *o2_plan_options(const struct o2_plan *plan)
{
	return plan->options;
}

struct o2_kube *o2_plan_kube(const struct o2_plan *plan, enum o2_side side)
{
	return plan->kube[side];
}

struct o2_app *o2_plan_app(const struct o2_plan *plan)
{
	return plan->app;
}

bool o2_plan_same_cluster(const struct o2_plan *plan)
{
	return plan->same_cluster;
}

size_t o2_plan_step_count(const struct o2_plan *plan)
{
	return plan->step_count;
}

struct o2_plan_step *o2_plan_step(struct o2_plan *plan, size_t index)
{
	assert(index < plan->step_count);
	return &plan->steps[index];
}

struct o2_plan_step *o2_plan_first_step(const struct o2_plan *plan, enum o2_step_id id)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].type == o2_step_type(id))
			return &plan->steps[i];
	}
	return NULL;
}

const char *o2_plan_step_name(const struct o2_plan_step *step)
{
	return step->type->name;
}

const char *o2_plan_step_phase(const struct o2_plan_step *step)
{
	return step->type->phase;
}

int64_t o2_plan_total_ms(const struct o2_plan *plan)
{
	int64_t total = 0;

	for (size_t i = 0; i < plan->step_count; i++)
		total += plan->steps[i].predicted_ms;
	return total;
}

int64_t o2_plan_downtime_ms(const struct o2_plan *plan)
{
	int64_t downtime = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		if (o2_plan_is_downtime(plan, &plan->steps[i]))
			downtime += plan->steps[i].predicted_ms;
	}
	return downtime;
}

int64_t o2_plan_claim_bytes(const struct o2_plan *plan)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < plan->group_count; i++) {
		for (size_t c = 0; c < plan->groups[i].claim_count; c++)
			bytes += plan->groups[i].claims[c].capacity_bytes;
	}
	return bytes;
}

bool o2_plan_is_move(const struct o2_plan *plan)
{
	return strcmp(plan->options->mode, "move") == 0;
}

bool o2_plan_freezes(const struct o2_plan *plan)
{
	return o2_plan_is_move(plan) || plan->group_count > 0;
}

bool o2_plan_is_downtime(const struct o2_plan *plan, const struct o2_plan_step *step)
{
	enum o2_step_id id = o2_step_id_of(step->type);

	return o2_plan_freezes(plan) && id >= O2_STEP_FREEZE &&
	       id <= (o2_plan_is_move(plan) ? O2_STEP_OPEN : O2_STEP_THAW);
}

size_t o2_plan_create_count(const struct o2_plan *plan)
{
	size_t count = plan->new_namespaces.count;

	for (size_t i = 0; i < o2_app_count(plan->app); i++)
		count += !plan->adopted[i];
	return count;
}

size_t o2_plan_claim_count(const struct o2_plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < o2_app_count(plan->app); i++)
		count += strcmp(o2_app_object(plan->app, i)->kind->kind, "PersistentVolumeClaim") ==
			 0;
	return count;
}

bool o2_plan_namespace_is_new(const struct o2_plan *plan, const char *ns)
{
	return o2_strs_has(&plan->new_namespaces, ns);
}
