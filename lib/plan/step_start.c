/* Steps start and try: B's workloads run, with every way in withheld, until they are ready and the user's commands agree. */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "kube/health.h"

#define POLL_MS 300
#define RECORD_POLL_MS 2000 /* how soon a cancel from elsewhere is seen */
#define POD_LOOK_MS 1500
#define BROKEN_FOR_MS 10000 /* a pod that can't start gets this long to mend itself */
#define LOG_LINES 3

O2_STEP_CHECK(o2_step_start_check)
{
	size_t pods = 0;

	(void)depth, (void)err;
	for (size_t i = 0; i < step->object_count; i++)
		pods += (size_t)o2_app_object(plan->app, step->objects[i])->replicas;
	o2_plan_find(plan, "room for pods", O2_PLAN_UNKNOWN, "", "",
		     "%zu pods have to find room on B's nodes in wave %d; seen when they start",
		     pods, step->wave);
	return 0;
}

/* Patches that arm the workloads: what INERT took away from FULL. */
static int arm(struct o2_step_context *context, const struct o2_plan_step *step, struct o2_err *err)
{
	struct o2_app *app = context->plan->app;
	struct o2_record_object *objects = o2_xcalloc(step->object_count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(app, step->objects[i]);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *full = o2_app_target(app, step->objects[i], O2_APP_FULL);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *inert = o2_app_target(app, step->objects[i], O2_APP_INERT);

		objects[i] = (struct o2_record_object){ .kind = object->target_kind,
							.ns = object->target_ns,
							.name = object->target_name,
							.object = o2_doc_merge_diff(inert, full) };
	}
	code = o2_record_change_many(context->record, objects, step->object_count, "started",
				     O2_STATE_OPEN, err);
	for (size_t i = 0; i < step->object_count; i++)
		o2_doc_free((struct o2_doc *)objects[i].object);
	free(objects);
	return code;
}

/* One wave that is being waited for. */
struct waiting {
	struct o2_step_context *context;
	const struct o2_plan_step *step;
	bool *ready;
	size_t ready_count;
	struct o2_buf why;       /* of the first that is not ready */
	int64_t broken_since_ms; /* 0: nothing looks broken */
	int64_t lost_since_ms;   /* 0: B answers */
	int64_t next_pod_look_ms, next_record_look_ms;
};

/* "app=web,tier=front" of a workload's selector; NULL if it has no plain one. Caller frees. */
static char *pod_selector(const struct o2_doc *workload)
{
	const struct o2_doc *labels = o2_doc_at(workload, "/spec/selector/matchLabels");
	struct o2_buf text;

	if (o2_doc_count(labels) == 0)
		return NULL;
	o2_buf_init(&text, 8192);
	for (struct o2_doc_iter it = o2_doc_iter(labels); o2_doc_next(&it);)
		o2_buf_addf(&text, "%s%s=%s", text.len > 0 ? "," : "", it.name,
			    o2_doc_text(it.value));
	char *selector = o2_buf_steal(&text);
	o2_buf_release(&text);
	return selector;
}

/* What the pods of a workload say. */
struct pods {
	struct o2_buf why;
	bool failed;
	char *name; /* of the pod that `why` is about */
};

static int look_at_pod(void *arg, const struct o2_kube_kind *kind, struct o2_doc *pod)
{
	struct pods *pods = arg;
	struct o2_buf why;
	enum o2_kube_health health;

	(void)kind;
	if (!pod)
		return 0;
	o2_buf_init(&why, 1024);
	health = o2_kube_pod_health(pod, &why);
	if (health != O2_KUBE_HEALTH_READY && why.len > 0 &&
	    (pods->why.len == 0 || (health == O2_KUBE_HEALTH_FAILED && !pods->failed))) {
		o2_buf_clear(&pods->why);
		o2_buf_addf(&pods->why, "pod '%s': %s", o2_doc_str(pod, "/metadata/name", "?"),
			    why.data);
		free(pods->name);
		pods->name = o2_xstrdup(o2_doc_str(pod, "/metadata/name", ""));
		pods->failed = health == O2_KUBE_HEALTH_FAILED;
	}
	o2_buf_release(&why);
	return 0;
}

/* The reason why a workload is not ready, from its pods; replaces `why` if it says more. True: waiting will not mend it. */
static bool explain(struct waiting *waiting, const struct o2_app_object *object,
		    const struct o2_doc *workload)
{
	struct o2_kube *kube = waiting->context->plan->kube[O2_TARGET];
	O2_AUTO(o2_freep) char *selector = pod_selector(workload);
	struct pods pods = { 0 };
	struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
				     .ns = object->target_ns,
				     .selector = selector,
				     .fn = look_at_pod,
				     .arg = &pods };
	bool failed;

	if (!selector)
		return false;
	o2_buf_init(&pods.why, 2048);
	/* Only an explanation: if the pods may not be listed, the workload's own words have to do. */
	if (o2_kube_list(kube, &list, NULL) == 0 && pods.why.len > 0) {
		o2_buf_clear(&waiting->why);
		o2_buf_addf(&waiting->why, "%s %s/%s: %s", object->target_kind->kind,
			    object->target_ns, object->target_name, pods.why.data);
	}
	failed = pods.failed;
	o2_kube_list_release(&list);
	o2_buf_release(&pods.why);
	free(pods.name);
	return failed;
}

/* What to do about a pod that does not start, by a word of its reason. */
static const struct {
	const char *word, *remedy;
} remedies[] = {
	{ "ImagePull", "make the image pullable from B's nodes (registry, tag, pull secret)" },
	{ "InvalidImageName", "correct the image's name on A" },
	{ "ContainerConfigError", "give the container what it refers to, on A" },
	{ "CrashLoopBackOff",
	  "see in the container's log on A what it needs, and give it that on B" },
	{ "no node takes it", "give B's nodes the room or the labels that the pods ask for" },
	{ "exceeded quota", "raise the quota on B" },
	{ "", "see why it is not ready on B, or give it longer with --start-timeout" },
};

static int fail_wave(struct waiting *waiting, const char *when, struct o2_err *err)
{
	size_t i = 0;

	while (!strstr(waiting->why.data, remedies[i].word))
		i++;
	return o2_fail(err, O2_ETRANSIENT, "B did not start%s: %s; %s", when, waiting->why.data,
		       remedies[i].remedy);
}

/* What one look at a wave found, beside what stands in `waiting`. */
struct look {
	bool at_pods; /* this time the pods are looked at too */
	bool broken;  /* a pod has a reason that waiting does not mend */
	bool lost;    /* B did not answer for some of it */
};

/* One workload of the wave. Negative: it failed for good. */
static int look_at_workload(struct waiting *waiting, size_t number, const struct o2_kube_read *read,
			    struct look *look, struct o2_err *err)
{
	struct o2_app *app = waiting->context->plan->app;
	size_t index = waiting->step->objects[number];
	enum o2_kube_health health;
	struct o2_buf why;

	if (!read->object) {
		look->lost |= read->err.code == -O2_ETRANSIENT;
		o2_buf_adds(&waiting->why, read->err.message);
		if (read->err.code != -O2_ETRANSIENT)
			*err = read->err;
		return err->code;
	}
	o2_buf_init(&why, 1024);
	health = o2_kube_health(read->object, &why);
	waiting->ready_count += health == O2_KUBE_HEALTH_READY;
	if (health != O2_KUBE_HEALTH_READY && waiting->why.len == 0)
		o2_buf_addf(&waiting->why, "%s: %s", o2_app_target_label(app, index), why.data);
	if (health != O2_KUBE_HEALTH_READY && look->at_pods)
		look->broken |= explain(waiting, o2_app_object(app, index), read->object);
	o2_buf_release(&why);
	return health == O2_KUBE_HEALTH_FAILED ? fail_wave(waiting, "", err) : 0;
}

/* A pod that can't start gets some time to mend itself: a registry may be slow, a Secret may come late. */
static int judge_pods(struct waiting *waiting, const struct look *look, struct o2_err *err)
{
	int64_t now = o2_clock_ms();

	waiting->next_pod_look_ms = now + POD_LOOK_MS;
	if (!look->broken)
		waiting->broken_since_ms = 0;
	else if (waiting->broken_since_ms == 0)
		waiting->broken_since_ms = now;
	else if (now - waiting->broken_since_ms > BROKEN_FOR_MS)
		return fail_wave(waiting, "", err);
	return 0;
}

/* Look at each workload once. Negative: one of them failed for good. */
static int look_at_wave(struct waiting *waiting, struct o2_err *err)
{
	struct o2_app *app = waiting->context->plan->app;
	size_t count = waiting->step->object_count;
	struct o2_kube_read *reads = o2_xcalloc(count, sizeof(*reads));
	struct look look = { .at_pods = o2_clock_ms() >= waiting->next_pod_look_ms };
	int code = 0;

	for (size_t i = 0; i < count; i++) {
		const struct o2_app_object *object = o2_app_object(app, waiting->step->objects[i]);

		reads[i] = (struct o2_kube_read){ .kind = object->target_kind,
						  .ns = object->target_ns,
						  .name = object->target_name };
	}
	o2_kube_get_many(waiting->context->plan->kube[O2_TARGET], reads, count);
	waiting->ready_count = 0;
	o2_buf_clear(&waiting->why);
	for (size_t i = 0; i < count; i++) {
		if (code == 0)
			code = look_at_workload(waiting, i, &reads[i], &look, err);
		o2_doc_free(reads[i].object);
	}
	free(reads);
	if (code == 0 && look.at_pods)
		code = judge_pods(waiting, &look, err);
	waiting->lost_since_ms = !look.lost               ? 0
				 : waiting->lost_since_ms ? waiting->lost_since_ms
							  : o2_clock_ms();
	return code;
}

static int lost_timeout_ms(const struct o2_plan_options *options)
{
	return (options->lost_timeout_s > 0 ? options->lost_timeout_s : O2_PLAN_LOST_TIMEOUT_S) *
	       1000;
}

/* Interrupted, taken over, out of time? */
static int may_go_on(struct waiting *waiting, int64_t begin, struct o2_err *err)
{
	const struct o2_plan_options *options = waiting->context->options;
	int64_t now = o2_clock_ms();

	if (o2_cancel_check(err) < 0)
		return err->code;
	if (waiting->lost_since_ms && now - waiting->lost_since_ms > lost_timeout_ms(options))
		return o2_fail(err, O2_ETRANSIENT, "B was lost while its pods started: %s",
			       waiting->why.data);
	if (now - begin > o2_plan_start_timeout_ms(options)) {
		char when[64];

		snprintf(when, sizeof(when), " within %d s (--start-timeout)",
			 o2_plan_start_timeout_ms(options) / 1000);
		return fail_wave(waiting, when, err);
	}
	if (now >= waiting->next_record_look_ms) {
		waiting->next_record_look_ms = now + RECORD_POLL_MS;
		return o2_record_check(waiting->context->record, O2_STATE_OPEN, err);
	}
	return 0;
}

O2_STEP_APPLY(o2_step_start_apply)
{
	struct waiting waiting = { .context = context, .step = step };
	int64_t begin;
	int code = arm(context, step, err);

	if (code < 0)
		return code;
	begin = o2_clock_ms();
	waiting.next_pod_look_ms = begin + POD_LOOK_MS;
	waiting.next_record_look_ms = begin + RECORD_POLL_MS;
	o2_buf_init(&waiting.why, 4096);
	while (code == 0) {
		code = look_at_wave(&waiting, err);
		if (code < 0 || waiting.ready_count == step->object_count)
			break;
		o2_log_step((int64_t)waiting.ready_count, (int64_t)step->object_count,
			    "waiting for %s", waiting.why.data);
		code = may_go_on(&waiting, begin, err);
		if (code == 0)
			o2_clock_sleep_ms(POLL_MS);
	}
	o2_buf_release(&waiting.why);
	return code;
}

O2_STEP_UNDO(o2_step_start_undo)
{
	/* Foreground: a workload is gone only after its pods are. What ran must have ended before anything else is undone. */
	return o2_plan_remove_entries(record, entries, count, true, err);
}

O2_STEP_APPLY(o2_step_try_apply)
{
	const struct o2_plan_options *options = context->options;
	struct o2_strs env = { 0 };
	int code = 0;

	(void)step;
	o2_strs_addf(&env, "OS2OS_TRANSACTION=%s", o2_record_id(context->record));
	o2_strs_addf(&env, "OS2OS_NAMESPACE=%s",
		     o2_record_head(context->record)->target_namespaces.items[0]);
	o2_strs_addf(&env, "OS2OS_TARGET=%s", options->target_name);
	for (size_t i = 0; i < options->checks.count && code == 0; i++) {
		int status = 0;

		code = o2_process_shell(options->checks.items[i], &env, NULL,
					o2_plan_start_timeout_ms(options), &status, err);
		if (code < 0)
			code = o2_prefix(err, "check '%s'", options->checks.items[i]);
		else if (status != 0)
			code = o2_fail(err, O2_EINVALID, "check '%s' ended with status %d",
				       options->checks.items[i], status);
	}
	o2_strs_release(&env);
	return code;
}
