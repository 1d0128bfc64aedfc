/*
 * The pod of a mover: what of the application's pod says where it may run and as whom, and nothing of what it does.
 *
 * Left out on purpose: labels (a controller at 0 replicas deletes what matches its selector, a Service would send it clients),
 * environment (it may hold secrets), probes, hooks, init containers, ports, the service account's token, host namespaces. Affinity to
 * pods: on A the node is given; on B those pods do not run yet, and the mover has none of the labels that anti-affinity is about.
 */
#include <string.h>

#include "volume/volume_internal.h"

#define DEADLINE_S (24 * 60 * 60)
#define SCRATCH_PATH "/os2os-scratch"

char *o2_volume_mover_name(const char *id, enum o2_side side, const struct o2_volume_group *group)
{
	return o2_xasprintf("os2os-mover-%s-%s-%s", id, side == O2_SOURCE ? "a" : "b", group->name);
}

/* Copy the named members that are there. */
static void carry(struct o2_doc *to, const struct o2_doc *from, const char *const *names,
		  size_t count)
{
	for (size_t i = 0; i < count; i++)
		o2_doc_set(to, names[i], o2_doc_copy(o2_doc_member(from, names[i])));
}

/* --- whose image and user ----------------------------------------------------------------------------------------------- */

/* The claim that the pod's volume of this name is; NULL if it is none. A volume that a claim template makes stands in no list. */
static const char *claim_of(const struct o2_doc *pod, const char *volume)
{
	const struct o2_doc *volumes = o2_doc_at(pod, "/volumes");

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const struct o2_doc *item = o2_doc_item(volumes, i);
		if (strcmp(o2_doc_member_str(item, "name", ""), volume) == 0)
			return o2_doc_str(item, "/persistentVolumeClaim/claimName", "");
	}
	return NULL;
}

static bool is_of_group(const struct o2_volume_group *group, enum o2_side side, const char *volume)
{
	const char *claim = claim_of(group->pod[side], volume);
	size_t len = strlen(volume);

	for (size_t i = 0; i < group->claim_count; i++) {
		const char *name = group->claims[i].name[side];
		if (claim ? strcmp(name, claim) == 0
			  : strncmp(name, volume, len) == 0 && name[len] == '-')
			return true;
	}
	return false;
}

static bool mounts_any(const struct o2_volume_group *group, enum o2_side side,
		       const struct o2_doc *container)
{
	static const char *const lists[] = { "volumeMounts", "volumeDevices" };

	for (size_t l = 0; l < O2_COUNT(lists); l++) {
		const struct o2_doc *list = o2_doc_member(container, lists[l]);
		for (size_t i = 0; i < o2_doc_count(list); i++)
			if (is_of_group(group, side,
					o2_doc_member_str(o2_doc_item(list, i), "name", "")))
				return true;
	}
	return false;
}

static const struct o2_doc *choose_container(const struct o2_volume_group *group, enum o2_side side)
{
	const struct o2_doc *list = o2_doc_at(group->pod[side], "/containers");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const struct o2_doc *container = o2_doc_item(list, i);
		const char *name = o2_doc_member_str(container, "name", "");
		if (group->container ? strcmp(name, group->container) == 0
				     : mounts_any(group, side, container))
			return container;
	}
	return o2_doc_item(list, 0);
}

/* --- as whom ------------------------------------------------------------------------------------------------------------ */

/*
 * What a root that copies files needs; all of it is among what container runtimes grant by default. Without FSETID a set-id bit is lost
 * where the file's group is not one of the mover's.
 */
static const char *const file_rights[] = { "CHOWN",  "DAC_OVERRIDE", "FOWNER",
					   "FSETID", "MKNOD",        "SETFCAP" };

static bool lists_right(const struct o2_doc *container, const char *list, const char *right)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("/securityContext/capabilities/%s", list);
	const struct o2_doc *rights = o2_doc_at(container, path);

	for (size_t i = 0; i < o2_doc_count(rights); i++) {
		const char *name = o2_doc_text(o2_doc_item(rights, i));
		if (name && (strcmp(name, right) == 0 || strcmp(name, "ALL") == 0))
			return true;
	}
	return false;
}

/* Root, or whoever the image says, which may be root. */
static bool may_be_root(const struct o2_doc *pod, const struct o2_doc *container, bool assigned)
{
	int64_t user = o2_doc_int(container, "/securityContext/runAsUser",
				  o2_doc_int(pod, "/securityContext/runAsUser", -1));
	bool refused = o2_doc_bool(container, "/securityContext/runAsNonRoot",
				   o2_doc_bool(pod, "/securityContext/runAsNonRoot", false));

	return user == 0 || (user < 0 && !refused && !assigned);
}

static void put_rights(struct o2_doc *security, const struct o2_doc *container, bool as_root,
		       bool root)
{
	struct o2_doc *added = o2_doc_array_new();

	o2_doc_put(security, "/capabilities/drop", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(security, "/capabilities/drop"), "ALL");
	for (size_t i = 0; i < O2_COUNT(file_rights); i++)
		if (as_root || (root && (!lists_right(container, "drop", file_rights[i]) ||
					 lists_right(container, "add", file_rights[i]))))
			o2_doc_append_str(added, file_rights[i]);
	if (o2_doc_count(added) > 0)
		o2_doc_put(security, "/capabilities/add", added);
	else
		o2_doc_free(added);
}

/* The node's own profile may be one that forbids what the agent does; where the application names any, the runtime's does. */
static void put_seccomp(struct o2_doc *security, const struct o2_doc *from)
{
	if (o2_doc_at(from, "/seccompProfile"))
		o2_doc_put_str(security, "/seccompProfile/type", "RuntimeDefault");
}

static struct o2_doc *container_security(const struct o2_doc *pod, const struct o2_doc *container,
					 bool as_root, bool assigned)
{
	static const char *const names[] = { "runAsUser", "runAsGroup", "runAsNonRoot",
					     "seLinuxOptions" };
	const struct o2_doc *from = o2_doc_at(container, "/securityContext");
	struct o2_doc *security = o2_doc_object_new();

	carry(security, from, names, O2_COUNT(names));
	put_seccomp(security, from);
	if (as_root) {
		o2_doc_put_int(security, "/runAsUser", 0);
		o2_doc_put_bool(security, "/runAsNonRoot", false);
	}
	o2_doc_put_bool(security, "/allowPrivilegeEscalation", false);
	o2_doc_put_bool(security, "/readOnlyRootFilesystem", true);
	put_rights(security, container, as_root, may_be_root(pod, container, assigned));
	return security;
}

static struct o2_doc *pod_security(const struct o2_doc *pod)
{
	static const char *const names[] = { "runAsUser",          "runAsGroup",
					     "runAsNonRoot",       "fsGroup",
					     "supplementalGroups", "supplementalGroupsPolicy",
					     "seLinuxOptions",     "seLinuxChangePolicy" };
	const struct o2_doc *from = o2_doc_at(pod, "/securityContext");
	struct o2_doc *security = o2_doc_object_new();

	carry(security, from, names, O2_COUNT(names));
	/* A walk over all files is the application's to wait for, and its pod did or will do it. */
	if (o2_doc_at(from, "/fsGroup"))
		o2_doc_put_str(security, "/fsGroupChangePolicy", "OnRootMismatch");
	put_seccomp(security, from);
	return security;
}

/* --- where -------------------------------------------------------------------------------------------------------------- */

/* The node itself, as the controller of DaemonSets names it: not every node's hostname label is its name. */
static void pin(struct o2_doc *spec, const char *node)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *cordoned = o2_doc_object_new();
	struct o2_doc *field = o2_doc_object_new();
	static const char terms[] = "/affinity/nodeAffinity/"
				    "requiredDuringSchedulingIgnoredDuringExecution/"
				    "nodeSelectorTerms";

	o2_doc_set_str(field, "key", "metadata.name");
	o2_doc_set_str(field, "operator", "In");
	o2_doc_put(field, "/values", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(field, "/values"), node);
	o2_doc_put(spec, terms, o2_doc_array_new());
	struct o2_doc *term = o2_doc_object_new();
	o2_doc_put(term, "/matchFields", o2_doc_array_new());
	o2_doc_append(o2_doc_at(term, "/matchFields"), field);
	o2_doc_append(o2_doc_at(spec, terms), term);
	/* The volume is there, whether or not the node takes new pods. */
	o2_doc_set_str(cordoned, "key", "node.kubernetes.io/unschedulable");
	o2_doc_set_str(cordoned, "operator", "Exists");
	o2_doc_set_str(cordoned, "effect", "NoSchedule");
	if (!o2_doc_at(spec, "/tolerations"))
		o2_doc_put(spec, "/tolerations", o2_doc_array_new());
	o2_doc_append(o2_doc_at(spec, "/tolerations"), O2_STEAL(cordoned));
}

static void put_place(struct o2_doc *spec, const struct o2_volume_group *group, enum o2_side side)
{
	static const char *const names[] = { "tolerations", "runtimeClassName", "schedulerName",
					     "priorityClassName", "hostUsers" };
	const struct o2_doc *pod = group->pod[side];

	carry(spec, pod, names, O2_COUNT(names));
	if (side == O2_SOURCE && group->node) {
		pin(spec, group->node);
		return;
	}
	o2_doc_set(spec, "nodeSelector", o2_doc_copy(o2_doc_member(pod, "nodeSelector")));
	if (o2_doc_at(pod, "/affinity/nodeAffinity"))
		o2_doc_put(spec, "/affinity/nodeAffinity",
			   o2_doc_copy(o2_doc_at(pod, "/affinity/nodeAffinity")));
}

/* --- what it mounts ------------------------------------------------------------------------------------------------------ */

static struct o2_doc *named(const char *name)
{
	struct o2_doc *item = o2_doc_object_new();

	o2_doc_set_str(item, "name", name);
	return item;
}

static struct o2_doc *mount(const char *name, const char *path, bool read_only)
{
	struct o2_doc *item = named(name);

	o2_doc_set_str(item, "mountPath", path);
	if (read_only)
		o2_doc_put_bool(item, "/readOnly", true);
	return item;
}

static void put_agent(struct o2_doc *volumes, struct o2_doc *mounts, const char *id, size_t parts)
{
	struct o2_doc *agent = named("os2os-agent"), *scratch = named("os2os-scratch");

	o2_doc_put_int(agent, "/projected/defaultMode", 0555);
	o2_doc_put(agent, "/projected/sources", o2_doc_array_new());
	for (size_t i = 0; i < parts; i++) {
		O2_AUTO(o2_freep) char *name = o2_volume_agent_name(id, i);
		struct o2_doc *source = o2_doc_object_new();
		o2_doc_put_str(source, "/configMap/name", name);
		o2_doc_append(o2_doc_at(agent, "/projected/sources"), source);
	}
	o2_doc_put_str(scratch, "/emptyDir/sizeLimit", "64Mi");
	o2_doc_append(volumes, agent);
	o2_doc_append(volumes, scratch);
	o2_doc_append(mounts, mount("os2os-agent", O2_VOLUME_AGENT_PATH, true));
	o2_doc_append(mounts, mount("os2os-scratch", SCRATCH_PATH, false));
}

char *o2_volume_tree_path(const struct o2_volume_claim *claim)
{
	return o2_xasprintf(O2_VOLUME_TREES_PATH "/%s", claim->name[O2_SOURCE]);
}

/* A's claims can't be written by the mover: what is mounted read-only there stays as it is whatever goes wrong. */
static void put_claims(struct o2_doc *volumes, struct o2_doc *container,
		       const struct o2_volume_group *group, enum o2_side side)
{
	for (size_t i = 0; i < group->claim_count; i++) {
		const struct o2_volume_claim *claim = &group->claims[i];
		O2_AUTO(o2_freep) char *name = o2_xasprintf("claim-%zu", i);
		O2_AUTO(o2_freep) char *path = o2_volume_tree_path(claim);
		struct o2_doc *volume = named(name);

		o2_doc_put_str(volume, "/persistentVolumeClaim/claimName", claim->name[side]);
		o2_doc_append(volumes, volume);
		if (!claim->is_block) {
			o2_doc_append(o2_doc_at(container, "/volumeMounts"),
				      mount(name, path, side == O2_SOURCE));
			continue;
		}
		struct o2_doc *device = named(name);
		o2_doc_set_str(device, "devicePath", path);
		if (!o2_doc_at(container, "/volumeDevices"))
			o2_doc_put(container, "/volumeDevices", o2_doc_array_new());
		o2_doc_append(o2_doc_at(container, "/volumeDevices"), device);
	}
}

/* --- the pod ------------------------------------------------------------------------------------------------------------ */

static struct o2_doc *make_container(const struct o2_volume_group *group, enum o2_side side,
				     const struct o2_volume_options *options)
{
	static const char *const names[] = { "image", "imagePullPolicy" };
	const struct o2_doc *from = choose_container(group, side);
	struct o2_doc *container = named(O2_VOLUME_CONTAINER);
	struct o2_doc *env = named("OS2OS_AGENT_DIR");

	carry(container, from, names, O2_COUNT(names));
	o2_doc_put(container, "/command", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(container, "/command"), O2_VOLUME_LOADER);
	o2_doc_append_str(o2_doc_at(container, "/command"), "hold");
	o2_doc_set_str(env, "value", SCRATCH_PATH);
	o2_doc_put(container, "/env", o2_doc_array_new());
	o2_doc_append(o2_doc_at(container, "/env"), env);
	o2_doc_put_str(container, "/resources/requests/cpu", "10m");
	o2_doc_put_str(container, "/resources/requests/memory", "32Mi");
	if (!options->no_limits)
		o2_doc_put_str(container, "/resources/limits/memory", "128Mi");
	o2_doc_put(container, "/securityContext",
		   container_security(group->pod[side], from, options->as_root,
				      options->user_assigned[side]));
	o2_doc_put(container, "/volumeMounts", o2_doc_array_new());
	return container;
}

static void put_head(struct o2_doc *pod, const struct o2_volume_group *group, enum o2_side side,
		     const char *id)
{
	O2_AUTO(o2_freep) char *name = o2_volume_mover_name(id, side, group);

	o2_doc_put_str(pod, "/apiVersion", "v1");
	o2_doc_put_str(pod, "/kind", "Pod");
	o2_doc_put_str(pod, "/metadata/name", name);
	o2_doc_put_str(pod, "/metadata/namespace", group->ns[side]);
	o2_doc_put_str(pod, "/metadata/labels/os2os.io~1helper", "mover");
	o2_doc_put_str(pod, "/metadata/labels/sidecar.istio.io~1inject", "false");
	o2_doc_put_str(pod, "/metadata/annotations/sidecar.istio.io~1inject", "false");
	o2_doc_put_str(pod, "/metadata/annotations/linkerd.io~1inject", "disabled");
}

struct o2_doc *o2_volume_mover_pod(const struct o2_volume_group *group, enum o2_side side,
				   const char *id, size_t part_count,
				   const struct o2_volume_options *options)
{
	static const char *const names[] = { "imagePullSecrets", "serviceAccountName" };
	struct o2_doc *pod = o2_doc_object_new(), *spec = o2_doc_object_new();
	struct o2_doc *volumes = o2_doc_array_new();
	struct o2_doc *container = make_container(group, side, options);

	put_head(pod, group, side, id);
	carry(spec, group->pod[side], names, O2_COUNT(names));
	put_place(spec, group, side);
	o2_doc_put_bool(spec, "/automountServiceAccountToken", false);
	o2_doc_put_bool(spec, "/enableServiceLinks", false);
	o2_doc_put_str(spec, "/restartPolicy", "Never");
	o2_doc_put_int(spec, "/activeDeadlineSeconds",
		       options->deadline_s ? options->deadline_s : DEADLINE_S);
	o2_doc_put_int(spec, "/terminationGracePeriodSeconds", 1);
	o2_doc_put(spec, "/securityContext", pod_security(group->pod[side]));
	put_agent(volumes, o2_doc_at(container, "/volumeMounts"), id, part_count);
	put_claims(volumes, container, group, side);
	o2_doc_put(spec, "/containers", o2_doc_array_new());
	o2_doc_append(o2_doc_at(spec, "/containers"), container);
	o2_doc_put(spec, "/volumes", volumes);
	o2_doc_put(pod, "/spec", spec);
	return pod;
}
