/* Is A still frozen? Its pods, and the objects that the freeze changed. */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

#define POLL_MS 250
#define LOOK_MS 2000
#define GRACE_DEFAULT_S 30

char *o2_plan_pod_selector(const struct o2_doc *workload)
{
	const struct o2_doc *labels = o2_doc_at(workload, "/spec/selector/matchLabels");
	struct o2_buf text;

	/* ReplicationController and DeploymentConfig: a plain map. */
	if (!labels && !o2_doc_at(workload, "/spec/selector/matchExpressions"))
		labels = o2_doc_at(workload, "/spec/selector");
	if (o2_doc_count(labels) == 0)
		return NULL;
	o2_buf_init(&text, 8192);
	for (struct o2_doc_iter it = o2_doc_iter(labels); o2_doc_next(&it);)
		o2_buf_addf(&text, "%s%s=%s", text.len > 0 ? "," : "", it.name,
			    o2_doc_text(it.value) ? o2_doc_text(it.value) : "");
	char *selector = o2_buf_steal(&text);
	o2_buf_release(&text);
	return selector;
}

/* Pods that are there: their number, and one of them by name. */
struct present {
	size_t count;
	char *name;
};

static int see_pod(void *arg, const struct o2_kube_kind *kind, struct o2_doc *pod)
{
	struct present *present = arg;
	const char *phase = o2_doc_str(pod, "/status/phase", "");

	(void)kind;
	/* What has ended does no work, and what serves the transaction is none of the application's. */
	if (!pod || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 ||
	    o2_doc_at(pod, "/metadata/labels/os2os.io~1record"))
		return 0;
	if (present->count++ == 0)
		present->name = o2_xstrdup(o2_doc_str(pod, "/metadata/name", "?"));
	return 0;
}

/* Pods of one workload on A. */
static int count_pods(const struct o2_plan *plan, size_t index, struct present *present,
		      struct o2_err *err)
{
	struct o2_kube *kube = plan->kube[O2_SOURCE];
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, index);
	O2_AUTO(o2_freep) char *selector = o2_plan_pod_selector(source);
	struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
				     .ns = object->ns,
				     .selector = selector,
				     .fn = see_pod,
				     .arg = present };
	int code;

	if (!selector)
		return 0;
	code = o2_kube_list(kube, &list, err);
	o2_kube_list_release(&list);
	return code;
}

static int64_t grace_s(const struct o2_plan *plan, const struct o2_plan_step *step)
{
	int64_t longest = 0;

	for (size_t i = 0; i < step->object_count; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *source = o2_app_source(plan->app, step->objects[i]);
		int64_t grace = o2_doc_int(o2_app_pod_template(source),
					   "/spec/terminationGracePeriodSeconds", GRACE_DEFAULT_S);

		longest = grace > longest ? grace : longest;
	}
	return longest;
}

/* Pods of the wave: how many are left, and one line about the first. */
static int count_wave(const struct o2_plan *plan, const struct o2_plan_step *step, size_t *out_left,
		      struct o2_buf *why, struct o2_err *err)
{
	*out_left = 0;
	o2_buf_clear(why);
	for (size_t i = 0; i < step->object_count; i++) {
		struct present present = { 0 };
		int code = count_pods(plan, step->objects[i], &present, err);

		if (code == 0 && present.count > 0 && why->len == 0)
			o2_buf_addf(why, "%s: pod '%s' has not ended",
				    o2_app_label(plan->app, step->objects[i]), present.name);
		*out_left += present.count;
		free(present.name);
		if (code < 0)
			return code;
	}
	return 0;
}

int o2_plan_await_stopped(struct o2_step_context *context, const struct o2_plan_step *step,
			  struct o2_err *err)
{
	const struct o2_plan_options *options = context->options;
	int64_t timeout_s = options->stop_timeout_s > 0
				    ? options->stop_timeout_s
				    : grace_s(context->plan, step) + O2_PLAN_STOP_MARGIN_S;
	int64_t begin = o2_clock_ms(), next_look = begin + LOOK_MS, lost_since = 0;
	struct o2_buf why;
	size_t left = 1;
	int code = 0;

	o2_buf_init(&why, 2048);
	while (code == 0) {
		int64_t now = o2_clock_ms();

		code = count_wave(context->plan, step, &left, &why, err);
		if (code == -O2_ETRANSIENT) {
			lost_since = lost_since ? lost_since : now;
			if (now - lost_since < o2_plan_lost_timeout_ms(options)) {
				o2_err_clear(err);
				code = 0;
				left = 1;
			}
		} else {
			lost_since = 0;
		}
		if (code < 0 || left == 0)
			break;
		o2_log_step(-1, -1, "waiting for %zu pods to end: %s", left, why.data);
		if (now - begin > timeout_s * 1000)
			code = o2_fail(err, O2_ETRANSIENT,
				       "A did not stop within %lld s: %s; see what holds it, or "
				       "give it longer with --stop-timeout",
				       (long long)timeout_s, why.data);
		if (code == 0)
			code = o2_cancel_check(err);
		if (code == 0 && now >= next_look) {
			next_look = now + LOOK_MS;
			code = o2_record_check(context->record, O2_STATE_OPEN, err);
		}
		if (code == 0 && context->volumes)
			code = o2_volume_tend(context->volumes, POLL_MS, err);
		else if (code == 0)
			o2_clock_sleep_ms(POLL_MS);
	}
	o2_buf_release(&why);
	return code;
}

/* ---- pods that the freeze would miss ---------------------------------------------------------------------------------- */

/* What the freeze stops, each read once however many pods there are. */
struct strays {
	struct o2_plan *plan;
	struct stopped {
		const char *ns;
		struct o2_doc *workload;
	} * stopped;
	size_t count, cap;
};

static void know_stopped(struct strays *strays)
{
	const struct o2_plan *plan = strays->plan;

	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];

		for (size_t i = 0; o2_plan_is_freezing(step) && i < step->object_count; i++) {
			O2_GROW(strays->stopped, strays->count, strays->cap);
			strays->stopped[strays->count++] = (struct stopped){
				.ns = o2_app_object(plan->app, step->objects[i])->ns,
				.workload = o2_app_source(plan->app, step->objects[i]),
			};
		}
	}
}

static bool is_stopped(const struct strays *strays, const struct o2_doc *pod)
{
	const struct o2_doc *labels = o2_doc_at(pod, "/metadata/labels");
	const char *ns = o2_doc_str(pod, "/metadata/namespace", "");

	for (size_t i = 0; i < strays->count; i++) {
		if (strcmp(strays->stopped[i].ns, ns) == 0 &&
		    o2_app_selects(strays->stopped[i].workload, labels))
			return true;
	}
	return false;
}

/* Jobs are awaited, whoever made them; DaemonSets' pods outside the selection belong to nodes. */
static bool is_let_go(const struct o2_doc *pod)
{
	const char *owner = o2_doc_str(pod, "/metadata/ownerReferences/0/kind", "");
	const char *phase = o2_doc_str(pod, "/status/phase", "");

	return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 ||
	       strcmp(owner, "Job") == 0 || owner[0] == '\0' ||
	       o2_doc_at(pod, "/metadata/labels/os2os.io~1record") ||
	       o2_doc_at(pod, "/metadata/deletionTimestamp");
}

static int check_pod(void *arg, const struct o2_kube_kind *kind, struct o2_doc *pod)
{
	const struct strays *strays = arg;

	(void)kind;
	if (!pod || is_let_go(pod) || is_stopped(strays, pod))
		return 0;
	O2_AUTO(o2_freep)
	char *subject = o2_xasprintf("Pod %s/%s", o2_doc_str(pod, "/metadata/namespace", ""),
				     o2_doc_str(pod, "/metadata/name", ""));
	o2_plan_block(strays->plan, "freeze", O2_PLAN_PROVED, subject,
		      "stop what makes it, or select the application by label so that it is none "
		      "of it",
		      "is made by %s %s, which os2os does not stop: it would go on working on A",
		      o2_doc_str(pod, "/metadata/ownerReferences/0/kind", "?"),
		      o2_doc_str(pod, "/metadata/ownerReferences/0/name", "?"));
	return 0;
}

int o2_plan_check_strays(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);
	const char *selector = plan->options->selection.selector;
	struct o2_kube *kube = plan->kube[O2_SOURCE];
	struct strays strays = { .plan = plan };
	int code = 0;

	/* By label the user said what is part of it; a kind that is left out was left out on purpose. */
	if ((selector && selector[0]) || plan->options->selection.exclude_kinds.count > 0)
		return 0;
	know_stopped(&strays);
	for (size_t i = 0; i < namespaces->count && code == 0; i++) {
		struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
					     .ns = namespaces->items[i],
					     .fn = check_pod,
					     .arg = &strays };

		code = o2_kube_list(kube, &list, err);
		o2_kube_list_release(&list);
	}
	for (size_t i = 0; i < strays.count; i++)
		o2_doc_free(strays.stopped[i].workload);
	free(strays.stopped);
	return code;
}

/* One frozen object: still held, and nobody undid what holds it? */
static int see_object(struct o2_step_context *context, size_t index, const struct o2_doc *now,
		      struct o2_err *err)
{
	if (o2_record_is_as_held(context->record, now))
		return 0;
	return o2_fail(err, O2_ECONFLICT,
		       "%s was changed on A while it was frozen; see who did that (an autoscaler, "
		       "GitOps, an operator, a person), then migrate again",
		       o2_app_label(context->plan->app, index));
}

static int see_step(struct o2_step_context *context, const struct o2_plan_step *step,
		    struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;
	struct o2_kube_read *reads = o2_xcalloc(step->object_count + 1, sizeof(*reads));
	int code = 0;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);

		reads[i] = (struct o2_kube_read){ .kind = object->kind,
						  .ns = object->ns,
						  .name = object->name };
	}
	o2_kube_get_many(plan->kube[O2_SOURCE], reads, step->object_count);
	for (size_t i = 0; i < step->object_count; i++) {
		if (code == 0 && reads[i].object)
			code = see_object(context, step->objects[i], reads[i].object, err);
		else if (code == 0) {
			*err = reads[i].err;
			code = err->code;
		}
		o2_doc_free(reads[i].object);
	}
	free(reads);
	return code;
}

int o2_plan_see_frozen(struct o2_step_context *context, struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;
	int code = 0;

	if (!o2_plan_is_move(plan))
		return 0;
	for (size_t i = 0; i < plan->step_count && code == 0; i++) {
		const struct o2_plan_step *step = &plan->steps[i];
		struct o2_buf why;
		size_t left;

		if (step->type != o2_step_type(O2_STEP_FREEZE) &&
		    step->type != o2_step_type(O2_STEP_PAUSE))
			continue;
		code = see_step(context, step, err);
		if (code < 0 || step->type != o2_step_type(O2_STEP_FREEZE))
			continue;
		o2_buf_init(&why, 2048);
		code = count_wave(plan, step, &left, &why, err);
		if (code == 0 && left > 0)
			code = o2_fail(err, O2_ECONFLICT,
				       "A did not stay frozen: a pod appeared: %s", why.data);
		o2_buf_release(&why);
	}
	return code;
}
