/*
 * Who would undo a freeze: GitOps controllers that set replicas back, autoscalers that start from zero. Each is paused by a change of its own
 * object, which carries its undo like everything else that is held.
 *
 * A HorizontalPodAutoscaler is not among them: it leaves alone what has 0 replicas. What is not known here is caught by the guard, or by
 * watching: then the migration is undone, and the message names what changed.
 */
#include "plan/plan_internal.h"

/* How a controller's object is told from the objects that it manages. */
static const struct pauser {
	const char *group, *kind;
	/* On a managed object: the label or annotation that names the controller's object, and the one that names its namespace. */
	const char *name_mark, *namespace_mark;
	bool is_annotation; /* "name:group/kind:..." */
	const char *patch;
} pausers[] = {
	{ "kustomize.toolkit.fluxcd.io", "Kustomization", "kustomize.toolkit.fluxcd.io/name",
	  "kustomize.toolkit.fluxcd.io/namespace", false, "{\"spec\":{\"suspend\":true}}" },
	{ "helm.toolkit.fluxcd.io", "HelmRelease", "helm.toolkit.fluxcd.io/name",
	  "helm.toolkit.fluxcd.io/namespace", false, "{\"spec\":{\"suspend\":true}}" },
	{ "argoproj.io", "Application", "argocd.argoproj.io/tracking-id", NULL, true,
	  "{\"spec\":{\"syncPolicy\":{\"automated\":null}}}" },
	{ "argoproj.io", "Application", "argocd.argoproj.io/instance", NULL, false,
	  "{\"spec\":{\"syncPolicy\":{\"automated\":null}}}" },
};

/* One that scales a workload of its own namespace. */
static const struct {
	const char *group, *kind, *target, *patch;
} scalers[] = {
	{ "keda.sh", "ScaledObject", "/spec/scaleTargetRef/name",
	  "{\"metadata\":{\"annotations\":{\"autoscaling.keda.sh/paused\":\"true\"}}}" },
};

/* A search for objects of one kind on A. */
struct search {
	struct o2_plan *plan;
	const char *name;   /* of the controller's object; NULL: any that scales the application */
	const char *target; /* pointer to the name of what it scales */
	const char *patch;
};

static bool is_known(const struct o2_plan *plan, const struct o2_kube_kind *kind, const char *ns,
		     const char *name)
{
	for (size_t i = 0; i < plan->paused_count; i++) {
		const struct o2_plan_paused *paused = &plan->paused[i];

		if (paused->kind == kind && strcmp(paused->ns, ns) == 0 &&
		    strcmp(paused->name, name) == 0)
			return true;
	}
	return false;
}

static bool scales_application(const struct o2_plan *plan, const char *ns, const char *target)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (o2_app_is_workload(object->kind) && object->ns && strcmp(object->ns, ns) == 0 &&
		    strcmp(object->name, target) == 0)
			return true;
	}
	return false;
}

static void add_paused(struct o2_plan *plan, const struct o2_kube_kind *kind,
		       const struct o2_doc *object, const char *patch)
{
	struct o2_plan_paused *paused;
	struct o2_kube_access access = { .verb = "patch",
					 .group = kind->group,
					 .resource = kind->resource,
					 .ns = o2_doc_str(object, "/metadata/namespace", "") };
	O2_AUTO(o2_freep)
	char *label = o2_xasprintf("%s %s/%s", kind->kind, access.ns,
				   o2_doc_str(object, "/metadata/name", ""));

	O2_GROW(plan->paused, plan->paused_count, plan->paused_cap);
	paused = &plan->paused[plan->paused_count++];
	*paused = (struct o2_plan_paused){
		.kind = kind,
		.ns = o2_xstrdup(access.ns),
		.name = o2_xstrdup(o2_doc_str(object, "/metadata/name", "")),
		.uid = o2_xstrdup(o2_doc_str(object, "/metadata/uid", "")),
		.patch = o2_doc_parse(patch, strlen(patch), NULL),
	};
	o2_kube_can_many(plan->kube[O2_SOURCE], &access, 1);
	if (access.err.code == 0 && !access.allowed)
		o2_plan_block(plan, "pause", O2_PLAN_PROVED, label,
			      "pause it by hand, or have the right to patch it granted",
			      "would undo the freeze, and may not be paused");
	else
		o2_plan_find(plan, "pause", O2_PLAN_PROVED, label, "",
			     "would undo the freeze: it is paused meanwhile");
}

static int see(void *arg, const struct o2_kube_kind *kind, struct o2_doc *object)
{
	struct search *search = arg;
	const char *ns = o2_doc_str(object, "/metadata/namespace", ""),
		   *name = o2_doc_str(object, "/metadata/name", "");

	if (!object || is_known(search->plan, kind, ns, name))
		return 0;
	if (search->name
		    ? strcmp(search->name, name) == 0
		    : scales_application(search->plan, ns, o2_doc_str(object, search->target, "")))
		add_paused(search->plan, kind, object, search->patch);
	return 0;
}

/* What may not be listed is not found; the guard, or watching, has to do then. */
static int look(struct search *search, const struct o2_kube_kind *kind, const char *ns,
		struct o2_err *err)
{
	struct o2_kube_list list = { .kind = kind, .ns = ns, .fn = see, .arg = search };
	int code = o2_kube_list(search->plan->kube[O2_SOURCE], &list, err);

	o2_kube_list_release(&list);
	if (code == -O2_EAUTH || code == -O2_ENOTFOUND) {
		o2_err_clear(err);
		code = 0;
	}
	return code;
}

/* The controller's object that a managed one names. */
static int follow_mark(struct o2_plan *plan, const struct pauser *pauser,
		       const struct o2_kube_kind *kind, const struct o2_doc *object,
		       struct o2_strs *seen, struct o2_err *err)
{
	const struct o2_doc *labels = o2_doc_at(object, "/metadata/labels"),
			    *annotations = o2_doc_at(object, "/metadata/annotations");
	const char *mark = o2_doc_member_str(pauser->is_annotation ? annotations : labels,
					     pauser->name_mark, NULL);
	const char *ns = pauser->namespace_mark
				 ? o2_doc_member_str(labels, pauser->namespace_mark, NULL)
				 : NULL;

	if (!mark)
		return 0;
	O2_AUTO(o2_freep)
	char *name = o2_xstrndup(mark, pauser->is_annotation ? strcspn(mark, ":") : strlen(mark));
	O2_AUTO(o2_freep) char *key = o2_xasprintf("%s %s/%s", kind->kind, ns ? ns : "", name);
	struct search search = { .plan = plan, .name = name, .patch = pauser->patch };
	return o2_strs_add_unique(seen, key) ? look(&search, kind, ns, err) : 0;
}

static int find_by_marks(struct o2_plan *plan, struct o2_err *err)
{
	struct o2_strs seen = { 0 };
	int code = 0;

	for (size_t p = 0; p < O2_COUNT(pausers) && code == 0; p++) {
		const struct o2_kube_kind *kind =
			o2_kube_kind_find(plan->kube[O2_SOURCE], pausers[p].group, pausers[p].kind);

		for (size_t i = 0; kind && i < o2_app_count(plan->app) && code == 0; i++) {
			O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, i);

			code = follow_mark(plan, &pausers[p], kind, source, &seen, err);
		}
	}
	o2_strs_release(&seen);
	return code;
}

int o2_plan_find_pausers(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);

	if (find_by_marks(plan, err) < 0)
		return err->code;
	for (size_t s = 0; s < O2_COUNT(scalers); s++) {
		const struct o2_kube_kind *kind =
			o2_kube_kind_find(plan->kube[O2_SOURCE], scalers[s].group, scalers[s].kind);
		struct search search = { .plan = plan,
					 .target = scalers[s].target,
					 .patch = scalers[s].patch };

		for (size_t i = 0; kind && i < namespaces->count; i++) {
			if (look(&search, kind, namespaces->items[i], err) < 0)
				return err->code;
		}
	}
	return 0;
}

int o2_plan_hold_pausers(struct o2_step_context *context, struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;
	struct o2_record_object *objects = o2_xcalloc(plan->paused_count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < plan->paused_count; i++)
		objects[i] = (struct o2_record_object){ .kind = plan->paused[i].kind,
							.ns = plan->paused[i].ns,
							.name = plan->paused[i].name,
							.object = plan->paused[i].patch };
	code = o2_record_hold_many(context->record, objects, plan->paused_count, err);
	free(objects);
	return code;
}

void o2_plan_declare_pausers(const struct o2_plan *plan, struct o2_record *record)
{
	for (size_t i = 0; i < plan->paused_count; i++) {
		struct o2_record_entry entry = {
			.step = (char *)o2_step_type(O2_STEP_PAUSE)->name,
			.side = O2_SOURCE,
			.api_version = (char *)plan->paused[i].kind->api_version,
			.kind = (char *)plan->paused[i].kind->kind,
			.ns = plan->paused[i].ns,
			.name = plan->paused[i].name,
			.uid = plan->paused[i].uid,
		};

		o2_record_declare(record, &entry);
	}
}

void o2_plan_release_pausers(struct o2_plan *plan)
{
	for (size_t i = 0; i < plan->paused_count; i++) {
		free(plan->paused[i].ns);
		free(plan->paused[i].name);
		free(plan->paused[i].uid);
		o2_doc_free(plan->paused[i].patch);
	}
	free(plan->paused);
}
