/*
 * Which claims travel together: those that one pod of the application mounts (volume/volume.h).
 *
 * Each claim is in one group only. A claim that no workload mounts, or whose StatefulSet was scaled down, still has data: it goes with
 * the image of the workload that made it, or of the first of its namespace.
 */
#include "plan/plan_internal.h"

/* Everything that is looked at while groups are made. */
struct grouping {
	struct o2_plan *plan;
	struct o2_strs taken; /* "namespace/claim" on A */
	struct o2_doc *nodes; /* "namespace/claim" -> node of the pod that mounts it */
	struct o2_volume_group *groups;
	size_t count, cap;
};

static bool is_claim(const struct o2_app_object *object)
{
	return strcmp(object->kind->kind, "PersistentVolumeClaim") == 0;
}

static size_t find_claim(const struct o2_plan *plan, const char *ns, const char *name)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (is_claim(object) && strcmp(object->ns, ns) == 0 &&
		    strcmp(object->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

static struct o2_volume_group *group_new(struct grouping *grouping, const char *name,
					 const struct o2_app_object *workload)
{
	struct o2_volume_group *group;

	O2_GROW(grouping->groups, grouping->count, grouping->cap);
	group = &grouping->groups[grouping->count++];
	*group = (struct o2_volume_group){ .name = o2_xstrdup(name) };
	group->ns[O2_SOURCE] = o2_xstrdup(workload->ns);
	group->ns[O2_TARGET] = o2_xstrdup(workload->target_ns);
	return group;
}

/* A volume of the pod that stands for a claim of the group. */
static void put_volume(struct o2_doc *pod, const char *volume, const char *claim)
{
	struct o2_doc *volumes = o2_doc_member(pod, "volumes"), *item = o2_doc_object_new();

	if (!volumes) {
		volumes = o2_doc_array_new();
		o2_doc_set(pod, "volumes", volumes);
	}
	o2_doc_set_str(item, "name", volume);
	o2_doc_put_str(item, "/persistentVolumeClaim/claimName", claim);
	o2_doc_append(volumes, item);
}

/* False: it is in another group, is none of the application's, or never had a volume. */
static bool add_claim(struct grouping *grouping, struct o2_volume_group *group, const char *name)
{
	const struct o2_plan *plan = grouping->plan;
	size_t index = find_claim(plan, group->ns[O2_SOURCE], name);
	struct o2_volume_claim *claim;
	int64_t capacity = 0;

	if (index == SIZE_MAX)
		return false;
	O2_AUTO(o2_freep) char *key = o2_xasprintf("%s/%s", group->ns[O2_SOURCE], name);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, index);
	if (o2_doc_str(source, "/spec/volumeName", "")[0] == '\0' ||
	    !o2_strs_add_unique(&grouping->taken, key))
		return false;
	group->claims = o2_xrealloc(group->claims, group->claim_count + 1, sizeof(*group->claims));
	claim = &group->claims[group->claim_count++];
	*claim = (struct o2_volume_claim){ 0 };
	claim->name[O2_SOURCE] = o2_xstrdup(name);
	claim->name[O2_TARGET] = o2_xstrdup(o2_app_object(plan->app, index)->target_name);
	claim->is_block = strcmp(o2_doc_str(source, "/spec/volumeMode", ""), "Block") == 0;
	if (o2_quantity_parse(o2_doc_str(source, "/status/capacity/storage", "0"), &capacity,
			      NULL) == 0)
		claim->capacity_bytes = capacity / 1000;
	if (!group->node)
		group->node = o2_xstrdup_null(o2_doc_member_str(grouping->nodes, key, NULL));
	return true;
}

/* The PodSpec of a workload on both sides, without claims. */
static void take_pods(struct grouping *grouping, struct o2_volume_group *group, size_t workload)
{
	struct o2_app *app = grouping->plan->app;
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(app, workload);
	O2_AUTO(o2_doc_freep) struct o2_doc *target = o2_app_target(app, workload, O2_APP_FULL);

	group->pod[O2_SOURCE] = o2_doc_copy(o2_doc_at(o2_app_pod_template(source), "/spec"));
	group->pod[O2_TARGET] = o2_doc_copy(o2_doc_at(o2_app_pod_template(target), "/spec"));
}

static void drop_last(struct grouping *grouping)
{
	o2_plan_group_release(&grouping->groups[--grouping->count]);
}

/* Claims that the template names itself: all replicas mount the same ones. */
static void add_named(struct grouping *grouping, struct o2_volume_group *group,
		      const struct o2_doc *pod)
{
	const struct o2_doc *volumes = o2_doc_member(pod, "volumes");

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const char *name = o2_doc_str(o2_doc_item(volumes, i),
					      "/persistentVolumeClaim/claimName", NULL);

		if (name)
			(void)add_claim(grouping, group, name);
	}
}

static void group_plain(struct grouping *grouping, size_t workload)
{
	const struct o2_app_object *object = o2_app_object(grouping->plan->app, workload);
	struct o2_volume_group *group = group_new(grouping, object->name, object);

	take_pods(grouping, group, workload);
	add_named(grouping, group, group->pod[O2_SOURCE]);
	if (group->claim_count == 0)
		drop_last(grouping);
}

/* Is it "<template>-<set>-<ordinal>"? Then the ordinal, else -1. */
static int ordinal_of(const char *claim, const char *template, const char *set)
{
	O2_AUTO(o2_freep) char *prefix = o2_xasprintf("%s-%s-", template, set);
	size_t len = strlen(prefix);
	char *end;

	if (strncmp(claim, prefix, len) != 0 || claim[len] == '\0')
		return -1;
	long ordinal = strtol(claim + len, &end, 10);
	return *end == '\0' && ordinal >= 0 && ordinal < 100000 ? (int)ordinal : -1;
}

/* The highest ordinal that has a claim, -1 if none has. */
static int last_ordinal(const struct o2_plan *plan, const struct o2_app_object *set,
			const struct o2_doc *templates)
{
	int last = -1;

	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (!is_claim(object) || strcmp(object->ns, set->ns) != 0)
			continue;
		for (size_t t = 0; t < o2_doc_count(templates); t++) {
			const char *name =
				o2_doc_str(o2_doc_item(templates, t), "/metadata/name", "");
			int ordinal = ordinal_of(object->name, name, set->name);

			last = ordinal > last ? ordinal : last;
		}
	}
	return last;
}

static void group_set(struct grouping *grouping, size_t workload)
{
	const struct o2_plan *plan = grouping->plan;
	const struct o2_app_object *object = o2_app_object(plan->app, workload);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, workload);
	const struct o2_doc *templates = o2_doc_at(source, "/spec/volumeClaimTemplates");
	int last = last_ordinal(plan, object, templates);

	for (int ordinal = 0; ordinal <= last; ordinal++) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("%s-%d", object->name, ordinal);
		struct o2_volume_group *group = group_new(grouping, name, object);

		take_pods(grouping, group, workload);
		for (size_t t = 0; t < o2_doc_count(templates); t++) {
			const char *volume =
				o2_doc_str(o2_doc_item(templates, t), "/metadata/name", "");
			O2_AUTO(o2_freep)
			char *claim = o2_xasprintf("%s-%s-%d", volume, object->name, ordinal);

			if (!add_claim(grouping, group, claim))
				continue;
			for (int side = 0; side < O2_SIDE_COUNT; side++)
				put_volume(group->pod[side], volume,
					   group->claims[group->claim_count - 1].name[side]);
		}
		if (ordinal == 0)
			add_named(grouping, group, group->pod[O2_SOURCE]);
		if (group->claim_count == 0)
			drop_last(grouping);
	}
	if (last < 0)
		group_plain(grouping, workload);
}

/* The first workload of a namespace, SIZE_MAX if it has none. */
static size_t any_workload(const struct o2_plan *plan, const char *ns)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (o2_app_is_workload(object->kind) && object->ns && strcmp(object->ns, ns) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* A claim that nothing mounts. */
static void group_alone(struct grouping *grouping, size_t index)
{
	const struct o2_app_object *claim = o2_app_object(grouping->plan->app, index);
	size_t workload = any_workload(grouping->plan, claim->ns);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(grouping->plan->app, index);
	O2_AUTO(o2_freep) char *key = o2_xasprintf("%s/%s", claim->ns, claim->name);
	struct o2_volume_group *group;

	if (o2_strs_has(&grouping->taken, key) ||
	    o2_doc_str(source, "/spec/volumeName", "")[0] == '\0')
		return;
	if (workload == SIZE_MAX) {
		o2_plan_block(grouping->plan, "volumes", O2_PLAN_COMPUTED,
			      o2_app_label(grouping->plan->app, index),
			      "run a workload that mounts it, or say --volumes=empty",
			      "no workload of its namespace has an image that could read it");
		return;
	}
	group = group_new(grouping, claim->name, claim);
	take_pods(grouping, group, workload);
	if (!add_claim(grouping, group, claim->name)) {
		drop_last(grouping);
		return;
	}
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		put_volume(group->pod[side], "alone", group->claims[0].name[side]);
	group->container =
		o2_xstrdup_null(o2_doc_str(group->pod[O2_SOURCE], "/containers/0/name", NULL));
}

static int see_pod(void *arg, const struct o2_kube_kind *kind, struct o2_doc *pod)
{
	struct grouping *grouping = arg;
	const struct o2_doc *volumes = o2_doc_at(pod, "/spec/volumes");
	const char *node = o2_doc_str(pod, "/spec/nodeName", NULL);
	const char *phase = o2_doc_str(pod, "/status/phase", "");

	(void)kind;
	if (!pod || !node || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
		return 0;
	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const char *claim = o2_doc_str(o2_doc_item(volumes, i),
					       "/persistentVolumeClaim/claimName", NULL);

		if (!claim)
			continue;
		O2_AUTO(o2_freep)
		char *key =
			o2_xasprintf("%s/%s", o2_doc_str(pod, "/metadata/namespace", ""), claim);
		o2_doc_set_str(grouping->nodes, key, node);
	}
	return 0;
}

/* Where pods run now: a mover sits beside its pod, since most volumes are attached to one node at a time. */
static int find_nodes(struct grouping *grouping, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(grouping->plan->app);
	struct o2_kube *kube = grouping->plan->kube[O2_SOURCE];

	for (size_t i = 0; i < namespaces->count; i++) {
		struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
					     .ns = namespaces->items[i],
					     .fn = see_pod,
					     .arg = grouping };
		int code = o2_kube_list(kube, &list, err);

		o2_kube_list_release(&list);
		if (code < 0)
			return o2_prefix(err, "cannot see where A's pods run");
	}
	return 0;
}

static void make_groups(struct grouping *grouping)
{
	const struct o2_app *app = grouping->plan->app;

	for (size_t i = 0; i < o2_app_count(app); i++) {
		const struct o2_app_object *object = o2_app_object(app, i);

		if (!o2_app_is_workload(object->kind) || !object->target_kind)
			continue;
		if (strcmp(object->kind->kind, "StatefulSet") == 0)
			group_set(grouping, i);
		else if (strcmp(object->kind->kind, "Pod") != 0)
			group_plain(grouping, i);
	}
	for (size_t i = 0; i < o2_app_count(app); i++) {
		if (is_claim(o2_app_object(app, i)))
			group_alone(grouping, i);
	}
}

/* Workloads of different kinds or namespaces may share a name; movers may not. */
static void make_names_unique(struct grouping *grouping)
{
	for (size_t i = 0; i < grouping->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(grouping->groups[i].name, grouping->groups[j].name) != 0)
				continue;
			char *name = o2_xasprintf("%s-%zu", grouping->groups[i].name, i);

			free(grouping->groups[i].name);
			grouping->groups[i].name = name;
		}
	}
}

int o2_plan_make_groups(struct o2_plan *plan, struct o2_err *err)
{
	struct grouping grouping = { .plan = plan, .nodes = o2_doc_object_new() };
	int code = 0;

	if (!plan->options->volumes_empty && o2_plan_claim_count(plan) > 0)
		code = find_nodes(&grouping, err);
	if (code == 0 && !plan->options->volumes_empty)
		make_groups(&grouping);
	make_names_unique(&grouping);
	plan->groups = grouping.groups;
	plan->group_count = grouping.count;
	o2_strs_release(&grouping.taken);
	o2_doc_free(grouping.nodes);
	return code;
}

void o2_plan_group_release(struct o2_volume_group *group)
{
	for (size_t i = 0; i < group->claim_count; i++) {
		free(group->claims[i].name[O2_SOURCE]);
		free(group->claims[i].name[O2_TARGET]);
	}
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		free(group->ns[side]);
		o2_doc_free(group->pod[side]);
	}
	free(group->claims);
	free(group->name);
	free(group->container);
	free(group->node);
}
