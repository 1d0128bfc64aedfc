/* What may not change any more once an object is there. */
#include <stdio.h>
#include <string.h>

#include "admission.h"
#include "refusal.h"

#define IMMUTABLE "field is immutable"
#define STATEFUL_SET \
	"Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', " \
	"'template', 'updateStrategy', 'revisionHistoryLimit', " \
	"'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
#define POD \
	"Forbidden: pod updates may not change fields other than `spec.containers[*].image`," \
	"`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only " \
	"additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be " \
	"set to 1 if it was previously negative)"
#define CLAIM \
	"Forbidden: spec is immutable after creation except resources.requests and " \
	"volumeAttributesClassName for bound claims"

static const struct {
	const char *group, *kind, *pointer;
	const char *words; /* NULL: the value, and IMMUTABLE */
} fields[] = {
	{ "apps", "Deployment", "/spec/selector", NULL },
	{ "apps", "ReplicaSet", "/spec/selector", NULL },
	{ "apps", "DaemonSet", "/spec/selector", NULL },
	{ "batch", "Job", "/spec/selector", NULL },
	{ "batch", "Job", "/spec/completionMode", NULL },
	{ "batch", "Job", "/spec/template/spec/containers", NULL },
	{ "rbac.authorization.k8s.io", "RoleBinding", "/roleRef", "cannot change roleRef" },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", "/roleRef", "cannot change roleRef" },
	{ "", "Secret", "/type", NULL },
};

/* Of these, only what is listed may change. */
static const struct {
	const char *group, *kind;
	const char *words;
	const char *const *free;
} specs[] = {
	{ "apps", "StatefulSet", STATEFUL_SET,
	  (const char *const[]){ "replicas", "ordinals", "template", "updateStrategy",
				 "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
				 "minReadySeconds", NULL } },
	{ "", "Pod", POD,
	  (const char *const[]){ "containers", "initContainers", "activeDeadlineSeconds",
				 "tolerations", "terminationGracePeriodSeconds", NULL } },
	{ "", "PersistentVolumeClaim", CLAIM,
	  (const char *const[]){ "resources", "volumeName", "volumeAttributesClassName", NULL } },
};

static bool is(const struct sim_kind *kind, const char *group, const char *name)
{
	return strcmp(kind->kind, name) == 0 && strcmp(kind->group, group) == 0;
}

/* "spec.selector" of "/spec/selector", in a static buffer. */
static const char *dotted(const char *pointer)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s", pointer + 1);
	for (char *p = text; *p; p++)
		*p = *p == '/' ? '.' : *p;
	return text;
}

/* As the server's own types have it: those of a roleRef have no JSON names. Caller frees. */
static char *value_text(const struct o2_doc *value)
{
	if (!value)
		return o2_xstrdup("null");
	if (!o2_doc_member(value, "apiGroup"))
		return o2_doc_dump_canonical(value);
	return o2_xasprintf("{\"APIGroup\":\"%s\",\"Kind\":\"%s\",\"Name\":\"%s\"}",
			    o2_doc_member_str(value, "apiGroup", ""),
			    o2_doc_member_str(value, "kind", ""),
			    o2_doc_member_str(value, "name", ""));
}

static bool check_fields(const struct sim_object *live, const struct o2_doc *next,
			 struct sim_refusal *refusal)
{
	for (size_t i = 0; i < O2_COUNT(fields); i++) {
		const struct o2_doc *was, *now;
		if (!is(live->kind, fields[i].group, fields[i].kind))
			continue;
		was = o2_doc_at(live->doc, fields[i].pointer);
		now = o2_doc_at(next, fields[i].pointer);
		if (!was || o2_doc_equal(was, now))
			continue;
		O2_AUTO(o2_freep) char *value = value_text(now);
		return sim_refuse_field(refusal, live->kind, live->name, dotted(fields[i].pointer),
					"FieldValueInvalid", "Invalid value: %s: %s", value,
					fields[i].words ? fields[i].words : IMMUTABLE);
	}
	return true;
}

static struct o2_doc *without(const struct o2_doc *spec, const char *const *names)
{
	struct o2_doc *rest = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(spec); o2_doc_next(&it);) {
		size_t i = 0;
		while (names[i] && strcmp(names[i], it.name) != 0)
			i++;
		if (!names[i])
			o2_doc_set(rest, it.name, o2_doc_ref(it.value));
	}
	return rest;
}

static bool check_spec(const struct sim_object *live, const struct o2_doc *next,
		       struct sim_refusal *refusal)
{
	for (size_t i = 0; i < O2_COUNT(specs); i++) {
		if (!is(live->kind, specs[i].group, specs[i].kind))
			continue;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *was = without(o2_doc_member(live->doc, "spec"), specs[i].free);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = without(o2_doc_member(next, "spec"), specs[i].free);
		return o2_doc_equal(was, now) ||
		       sim_refuse_field(refusal, live->kind, live->name, "spec",
					"FieldValueForbidden", "%s", specs[i].words);
	}
	return true;
}

/* A pod's deadline may only come nearer. */
static bool check_deadline(const struct sim_object *live, const struct o2_doc *next,
			   struct sim_refusal *refusal)
{
	int64_t was = o2_doc_int(live->doc, "/spec/activeDeadlineSeconds", 0);
	int64_t now = o2_doc_int(next, "/spec/activeDeadlineSeconds", 0);

	if (!is(live->kind, "", "Pod") || was == 0 || (now > 0 && now <= was))
		return true;
	if (now == 0)
		return sim_refuse_field(refusal, live->kind, live->name,
					"spec.activeDeadlineSeconds", "FieldValueInvalid",
					"Invalid value: null: must not update from a positive "
					"integer to nil value");
	return sim_refuse_field(refusal, live->kind, live->name, "spec.activeDeadlineSeconds",
				"FieldValueInvalid",
				"Invalid value: %lld: must be less than or equal to previous value",
				(long long)now);
}

/* A map that says of itself that it does not change. */
static bool check_immutable(const struct sim_object *live, const struct o2_doc *next,
			    struct sim_refusal *refusal)
{
	if (!o2_doc_bool(live->doc, "/immutable", false))
		return true;
	if (!o2_doc_bool(next, "/immutable", false))
		return sim_refuse_field(refusal, live->kind, live->name, "immutable",
					"FieldValueForbidden",
					"Forbidden: field is immutable when `immutable` is set");
	return o2_doc_equal(o2_doc_member(live->doc, "data"), o2_doc_member(next, "data")) ||
	       sim_refuse_field(refusal, live->kind, live->name, "data", "FieldValueForbidden",
				"Forbidden: field is immutable when `immutable` is set");
}

/* Once it is on its way out, no finalizer may be added. */
static bool check_finalizers(const struct sim_object *live, const struct o2_doc *next,
			     struct sim_refusal *refusal)
{
	const struct o2_doc *was = o2_doc_at(live->doc, "/metadata/finalizers");
	const struct o2_doc *now = o2_doc_at(next, "/metadata/finalizers");

	for (size_t i = 0; sim_is_deleting(live) && i < o2_doc_count(now); i++) {
		size_t k = 0;
		while (k < o2_doc_count(was) &&
		       !o2_doc_equal(o2_doc_item(was, k), o2_doc_item(now, i)))
			k++;
		if (k < o2_doc_count(was))
			continue;
		O2_AUTO(o2_freep)
		char *words =
			o2_xasprintf("Forbidden: no new finalizers can be added if the object is "
				     "being deleted, found new finalizers []string{\"%s\"}",
				     o2_doc_text(o2_doc_item(now, i)));
		sim_refuse_field(refusal, live->kind, live->name, "metadata.finalizers",
				 "FieldValueForbidden", "%s", words);
		sim_refusal_add_cause(refusal, "FieldValueForbidden", "metadata.finalizers", words);
		return false;
	}
	return true;
}

bool sim_admit_change(const struct sim_object *live, const struct o2_doc *next,
		      struct sim_refusal *refusal)
{
	return check_finalizers(live, next, refusal) && check_deadline(live, next, refusal) &&
	       check_fields(live, next, refusal) && check_spec(live, next, refusal) &&
	       check_immutable(live, next, refusal) &&
	       sim_admit_contents(live->kind, next, refusal);
}
