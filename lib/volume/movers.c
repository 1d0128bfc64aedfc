/* Movers in the clusters: made, awaited, mended, removed. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/health.h"
#include "volume/agent_image.h"
#include "volume/volume_internal.h"

#define TIMEOUT_MS (5 * 60 * 1000)
#define POLL_MS 250
#define BROKEN_FOR_MS 10000 /* one that can't start gets this long to mend itself */
#define RECORD_POLL_MS 2000 /* how soon a cancel from elsewhere is seen */

int o2_volume_check(struct o2_volume_set *set, struct o2_err *err)
{
	if (o2_cancel_check(err) < 0)
		return -O2_ECANCELED;
	if (o2_clock_ms() < set->next_record_ms)
		return 0;
	set->next_record_ms = o2_clock_ms() + RECORD_POLL_MS;
	return o2_record_check(set->record, O2_STATE_OPEN, err);
}

/* --- making --------------------------------------------------------------------------------------------------------------- */

static const struct o2_kube_kind *kind_of(const struct o2_volume_set *set, enum o2_side side,
					  const char *kind)
{
	return o2_kube_kind_find(o2_record_kube(set->record, side), "", kind);
}

/* The documents of one side as objects, which borrow from `docs`. */
static int create_all(struct o2_volume_set *set, enum o2_side side, const struct o2_doc *docs,
		      struct o2_err *err)
{
	size_t count = o2_doc_count(docs);
	struct o2_record_object *objects = o2_xcalloc(count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < count; i++) {
		const struct o2_doc *doc = o2_doc_item(docs, i);
		objects[i] =
			(struct o2_record_object){ .kind = kind_of(set, side,
								   o2_doc_str(doc, "/kind", "")),
						   .ns = o2_doc_str(doc, "/metadata/namespace", ""),
						   .name = o2_doc_str(doc, "/metadata/name", ""),
						   .object = doc };
	}
	code = o2_record_create_helpers(set->record, side, objects, count, err);
	free(objects);
	return code;
}

static int make_agents(struct o2_volume_set *set, enum o2_side side, struct o2_err *err)
{
	struct o2_strs namespaces = { 0 };
	int code = 0;

	for (size_t i = 0; i < set->count; i++)
		o2_strs_add_unique(&namespaces, set->members[i].pair.group->ns[side]);
	for (size_t i = 0; i < namespaces.count && code == 0; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *maps =
			o2_volume_agent_maps(o2_record_id(set->record), namespaces.items[i]);
		set->part_count = o2_doc_count(maps);
		code = create_all(set, side, maps, err);
	}
	o2_strs_release(&namespaces);
	return code;
}

static struct o2_doc *pod_of(const struct o2_volume_set *set, const struct o2_volume_member *member,
			     enum o2_side side)
{
	return o2_volume_mover_pod(member->pair.group, side, o2_record_id(set->record),
				   set->part_count, &set->options);
}

int o2_volume_movers_make(struct o2_volume_set *set, struct o2_err *err)
{
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *pods = o2_doc_array_new();

		if (make_agents(set, (enum o2_side)side, err) < 0)
			return err->code;
		for (size_t i = 0; i < set->count; i++)
			o2_doc_append(pods, pod_of(set, &set->members[i], (enum o2_side)side));
		if (create_all(set, (enum o2_side)side, pods, err) < 0)
			return o2_prefix(err, "cannot make the movers in %s",
					 side == O2_SOURCE ? "A" : "B");
	}
	return 0;
}

/* --- waiting -------------------------------------------------------------------------------------------------------------- */

static int not_running(const struct o2_volume_set *set, const struct o2_volume_member *member,
		       enum o2_side side, enum o2_code code, const char *why, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *claims = o2_volume_pair_claims(&member->pair, side);

	return o2_fail(err, code, "the mover of %s in %s does not run: pod '%s': %s", claims,
		       o2_kube_name(o2_record_kube(set->record, side)), member->pods[side], why);
}

static void note_running(struct o2_volume_member *member, enum o2_side side,
			 const struct o2_doc *pod)
{
	const struct o2_doc *list = o2_doc_at(pod, "/status/podIPs");
	struct o2_strs *addresses = &member->pair.addresses[side];

	member->running[side] = true;
	member->broken_ms[side] = 0;
	o2_strs_release(addresses);
	for (size_t i = 0; i < o2_doc_count(list); i++)
		o2_strs_add(addresses, o2_doc_member_str(o2_doc_item(list, i), "ip", ""));
	if (addresses->count == 0)
		o2_strs_add(addresses, o2_doc_str(pod, "/status/podIP", ""));
}

/* One look at one mover. `why` keeps what the slowest says. */
static int judge(struct o2_volume_set *set, struct o2_volume_member *member, enum o2_side side,
		 const struct o2_kube_read *read, struct o2_buf *why, struct o2_err *err)
{
	enum o2_kube_health health;
	struct o2_buf words;
	int code = 0;

	if (read->object == NULL && read->err.code == -O2_ETRANSIENT)
		return 0; /* the record waits for a lost cluster, and knows how long */
	if (read->object == NULL) {
		*err = read->err;
		return err->code;
	}
	o2_buf_init(&words, 1024);
	health = o2_kube_pod_health(read->object, &words);
	if (strcmp(o2_doc_str(read->object, "/status/phase", ""), "Succeeded") == 0)
		health = O2_KUBE_HEALTH_FAILED;
	if (health == O2_KUBE_HEALTH_READY) {
		note_running(member, side, read->object);
	} else if (health == O2_KUBE_HEALTH_FAILED) {
		if (member->broken_ms[side] == 0)
			member->broken_ms[side] = o2_clock_ms();
		if (o2_clock_ms() - member->broken_ms[side] > BROKEN_FOR_MS)
			code = not_running(set, member, side, O2_EINVALID, words.data, err);
	} else {
		member->broken_ms[side] = 0;
	}
	if (health != O2_KUBE_HEALTH_READY && why->len == 0)
		o2_buf_adds(why, words.data);
	o2_buf_release(&words);
	return code;
}

/* One look at all movers of a side. */
static int look(struct o2_volume_set *set, enum o2_side side, struct o2_buf *why,
		struct o2_err *err)
{
	struct o2_kube_read *reads = o2_xcalloc(set->count, sizeof(*reads));
	size_t *member = o2_xcalloc(set->count, sizeof(*member));
	size_t asked = 0;
	int code = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->members[i].running[side])
			continue;
		member[asked] = i;
		reads[asked++] = (struct o2_kube_read){ .kind = kind_of(set, side, "Pod"),
							.ns = set->members[i].pair.group->ns[side],
							.name = set->members[i].pods[side] };
	}
	if (asked > 0)
		o2_kube_get_many(o2_record_kube(set->record, side), reads, asked);
	for (size_t i = 0; i < asked; i++) {
		if (code == 0)
			code = judge(set, &set->members[member[i]], side, &reads[i], why, err);
		o2_doc_free(reads[i].object);
	}
	free(reads);
	free(member);
	return code;
}

/* The first that does not run yet; false if all do. */
static bool find_waiting(struct o2_volume_set *set, struct o2_volume_member **out_member,
			 enum o2_side *out_side, size_t *out_running)
{
	bool found = false;

	*out_running = 0;
	for (size_t i = 0; i < set->count; i++)
		for (int side = 0; side < O2_SIDE_COUNT; side++) {
			*out_running += set->members[i].running[side];
			if (set->members[i].running[side] || found)
				continue;
			found = true;
			*out_member = &set->members[i];
			*out_side = (enum o2_side)side;
		}
	return found;
}

static int await(struct o2_volume_set *set, struct o2_buf *why, struct o2_err *err)
{
	int64_t timeout_ms = set->options.timeout_ms ? set->options.timeout_ms : TIMEOUT_MS;
	int64_t end_ms = o2_clock_ms() + timeout_ms;

	for (;;) {
		struct o2_volume_member *member = NULL;
		enum o2_side side = O2_SOURCE;
		size_t running;

		o2_buf_clear(why);
		if (look(set, O2_SOURCE, why, err) < 0 || look(set, O2_TARGET, why, err) < 0 ||
		    o2_volume_check(set, err) < 0)
			return err->code;
		if (!find_waiting(set, &member, &side, &running))
			return 0;
		o2_log_step((int64_t)running, (int64_t)set->count * O2_SIDE_COUNT,
			    "starting movers");
		if (o2_clock_ms() > end_ms) {
			O2_AUTO(o2_freep)
			char *words = o2_xasprintf("after %lld s: %s",
						   (long long)(timeout_ms / 1000), why->data);
			return not_running(set, member, side, O2_ETRANSIENT, words, err);
		}
		o2_clock_sleep_ms(POLL_MS);
	}
}

int o2_volume_movers_await(struct o2_volume_set *set, struct o2_err *err)
{
	struct o2_buf why;

	o2_buf_init(&why, 1024);
	int code = await(set, &why, err);
	o2_buf_release(&why);
	return code;
}

/* --- removing ------------------------------------------------------------------------------------------------------------- */

static int dismiss_side(struct o2_volume_set *set, enum o2_side side, struct o2_err *err)
{
	struct o2_record_object *objects = o2_xcalloc(set->count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < set->count; i++)
		objects[i] = (struct o2_record_object){ .kind = kind_of(set, side, "Pod"),
							.ns = set->members[i].pair.group->ns[side],
							.name = set->members[i].pods[side] };
	code = o2_record_dismiss_helpers(set->record, side, objects, set->count, err);
	free(objects);
	return code;
}

int o2_volume_movers_dismiss(struct o2_volume_set *set, struct o2_err *err)
{
	if (dismiss_side(set, O2_TARGET, err) < 0)
		return o2_prefix(err, "cannot remove the movers in B");
	if (dismiss_side(set, O2_SOURCE, err) < 0)
		return o2_prefix(err, "cannot remove the movers in A");
	return 0;
}

/* --- mending -------------------------------------------------------------------------------------------------------------- */

static int make_again(struct o2_volume_set *set, struct o2_volume_member *member, enum o2_side side,
		      struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *pods = o2_doc_array_new();
	struct o2_record_object old = { .kind = kind_of(set, side, "Pod"),
					.ns = member->pair.group->ns[side],
					.name = member->pods[side] };

	o2_log(O2_WARN, "mover '%s' in %s is gone; making it again", member->pods[side],
	       o2_kube_name(o2_record_kube(set->record, side)));
	member->remade[side] = true;
	member->running[side] = false;
	o2_doc_append(pods, pod_of(set, member, side));
	if (o2_record_remove_helpers(set->record, side, &old, 1, err) < 0 ||
	    create_all(set, side, pods, err) < 0)
		return err->code;
	return o2_volume_movers_await(set, err);
}

int o2_volume_mover_mend(struct o2_volume_set *set, struct o2_volume_member *member,
			 enum o2_side side, struct o2_err *err)
{
	struct o2_kube *kube = o2_record_kube(set->record, side);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *pod = o2_kube_get(kube, kind_of(set, side, "Pod"),
					 member->pair.group->ns[side], member->pods[side], err);
	struct o2_buf why;
	int code = 0;

	if (pod == NULL && err->code != -O2_ENOTFOUND)
		return err->code;
	o2_err_clear(err);
	o2_buf_init(&why, 1024);
	if (pod == NULL)
		o2_buf_adds(&why, "it is gone");
	else if (o2_kube_pod_health(pod, &why) == O2_KUBE_HEALTH_READY &&
		 strcmp(o2_doc_str(pod, "/status/phase", ""), "Running") == 0)
		o2_buf_clear(&why);
	if (why.len == 0)
		note_running(member, side, pod);
	else if (set->final || member->remade[side])
		code = not_running(set, member, side, O2_EIO, why.data, err);
	else
		code = make_again(set, member, side, err);
	o2_buf_release(&why);
	return code;
}
