/* Claims and the classes that the application refers to: storage, priority, ingress, runtime. */
#include "plan/plan_internal.h"

struct reference {
	const char *group, *kind, *pointer; /* in the object */
	const char *template_pointer;       /* in its pod template */
	const char *remedy;
};

static const struct reference references[] = {
	{ "storage.k8s.io", "StorageClass", "/spec/storageClassName", NULL,
	  "map it to one of B's with --storage-class-map" },
	{ "scheduling.k8s.io", "PriorityClass", NULL, "/spec/priorityClassName", "create it on B" },
	{ "networking.k8s.io", "IngressClass", "/spec/ingressClassName", NULL,
	  "create it on B, with its controller" },
	{ "node.k8s.io", "RuntimeClass", NULL, "/spec/runtimeClassName",
	  "create it on B, with its runtime" },
};

/* Is it on B, or made by this plan? */
static int is_there(struct o2_plan *plan, const struct reference *reference, const char *name,
		    bool *out, struct o2_err *err)
{
	const struct o2_kube_kind *kind =
		o2_kube_kind_find(plan->kube[O2_TARGET], reference->group, reference->kind);

	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (strcmp(object->kind->kind, reference->kind) == 0 &&
		    strcmp(object->target_name, name) == 0) {
			*out = true;
			return 0;
		}
	}
	*out = false;
	if (!kind)
		return 0;
	O2_AUTO(o2_doc_freep)
	struct o2_doc *there = o2_kube_get(plan->kube[O2_TARGET], kind, NULL, name, err);
	*out = there != NULL;
	if (!there && err->code == -O2_EAUTH) {
		o2_plan_find(plan, "classes", O2_PLAN_UNKNOWN, name, "", "%s may not be read on B",
			     reference->kind);
		*out = true;
	} else if (!there && err->code != -O2_ENOTFOUND) {
		return err->code;
	}
	o2_err_clear(err);
	return 0;
}

static int check_one(struct o2_plan *plan, size_t index, const struct reference *reference,
		     const struct o2_doc *doc, const char *pointer, struct o2_strs *known,
		     struct o2_err *err)
{
	const char *name = pointer ? o2_doc_str(doc, pointer, "") : "";
	O2_AUTO(o2_freep) char *key = o2_xasprintf("%s/%s", reference->kind, name);
	bool there = false;

	if (name[0] == '\0' || !o2_strs_add_unique(known, key))
		return 0;
	if (is_there(plan, reference, name, &there, err) < 0)
		return err->code;
	if (there)
		o2_plan_find(plan, "classes", O2_PLAN_PROVED, key, "", "is on B");
	else
		o2_plan_block(plan, "classes", O2_PLAN_PROVED,
			      o2_app_target_label(plan->app, index), reference->remedy,
			      "needs %s '%s', which B does not have", reference->kind, name);
	return 0;
}

/* A claim without a class needs a default class. */
static int check_default_class(struct o2_plan *plan, struct o2_err *err);

int o2_plan_check_classes(struct o2_plan *plan, struct o2_err *err)
{
	struct o2_strs known = { 0 };
	int code = 0;

	for (size_t i = 0; i < o2_app_count(plan->app) && code == 0; i++) {
		if (!o2_app_object(plan->app, i)->target_kind)
			continue;
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_app_target(plan->app, i, O2_APP_FULL);
		const struct o2_doc *template = o2_app_pod_template(doc);
		const struct o2_doc *claims = o2_doc_at(doc, "/spec/volumeClaimTemplates");

		for (size_t r = 0; r < O2_COUNT(references) && code == 0; r++) {
			code = check_one(plan, i, &references[r], doc, references[r].pointer,
					 &known, err);
			if (code == 0 && template)
				code = check_one(plan, i, &references[r], template,
						 references[r].template_pointer, &known, err);
		}
		for (size_t c = 0; c < o2_doc_count(claims) && code == 0; c++)
			code = check_one(plan, i, &references[0], o2_doc_item(claims, c),
					 "/spec/storageClassName", &known, err);
	}
	o2_strs_release(&known);
	return code < 0 ? code : check_default_class(plan, err);
}

static int note_default(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	bool *found = arg;

	(void)kind;
	if (item &&
	    strcmp(o2_doc_str(item,
			      "/metadata/annotations/storageclass.kubernetes.io~1is-default-class",
			      ""),
		   "true") == 0)
		*found = true;
	return 0;
}

static int check_default_class(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_kube_kind *kind =
		o2_kube_kind_find(plan->kube[O2_TARGET], "storage.k8s.io", "StorageClass");
	const char *needs = NULL;
	bool found = false;

	for (size_t i = 0; i < o2_app_count(plan->app) && !needs; i++) {
		if (strcmp(o2_app_object(plan->app, i)->kind->kind, "PersistentVolumeClaim") != 0)
			continue;
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_app_target(plan->app, i, O2_APP_FULL);
		if (!o2_doc_at(doc, "/spec/storageClassName"))
			needs = o2_app_target_label(plan->app, i);
	}
	if (!needs || !kind)
		return 0;
	struct o2_kube_list list = { .kind = kind, .fn = note_default, .arg = &found };
	int code = o2_kube_list(plan->kube[O2_TARGET], &list, err);
	o2_kube_list_release(&list);
	if (code == -O2_EAUTH) {
		o2_err_clear(err);
		o2_plan_find(plan, "classes", O2_PLAN_UNKNOWN, needs, "",
			     "needs a default storage class; B's may not be listed");
		return 0;
	}
	if (code == 0 && !found)
		o2_plan_block(plan, "classes", O2_PLAN_PROVED, needs,
			      "give B a default storage class",
			      "names no storage class, and B has no default");
	return code;
}

void o2_plan_check_volumes(struct o2_plan *plan)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const char *label = o2_app_target_label(plan->app, i);

		if (strcmp(o2_app_object(plan->app, i)->kind->kind, "PersistentVolumeClaim") != 0)
			continue;
		if (plan->options->volumes_empty)
			o2_plan_warn(
				plan, "volumes", O2_PLAN_COMPUTED, label, "",
				"is made empty on B: its data are not copied (--volumes=empty)");
	}
}
