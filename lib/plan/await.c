/* Waiting for workloads to become ready, on either side, and saying why they do not. */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/health.h"

#define POLL_MS 300
#define LOOK_MS 2000 /* how soon a cancel from elsewhere is seen */
#define POD_LOOK_MS 1500
#define BROKEN_FOR_MS 10000 /* a pod that can't start gets this long to mend itself */

/* One wave that is being waited for. */
struct waiting {
	const struct o2_plan_await *await;
	size_t ready_count;
	struct o2_buf why;       /* of the first that is not ready */
	int64_t broken_since_ms; /* 0: nothing looks broken */
	int64_t lost_since_ms;   /* 0: the cluster answers */
	int64_t next_pod_look_ms, next_look_ms;
};

/* What the pods of a workload say. */
struct pods {
	struct o2_buf why;
	bool failed;
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
		pods->failed = health == O2_KUBE_HEALTH_FAILED;
	}
	o2_buf_release(&why);
	return 0;
}

/* The reason why a workload is not ready, from its pods; replaces `why` if it says more. True: waiting will not mend it. */
static bool explain(struct waiting *waiting, const struct o2_plan_awaited *item,
		    const struct o2_doc *workload)
{
	struct o2_kube *kube = waiting->await->kube;
	O2_AUTO(o2_freep) char *selector = o2_plan_pod_selector(workload);
	struct pods pods = { 0 };
	struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
				     .ns = item->ns,
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
		o2_buf_addf(&waiting->why, "%s %s/%s: %s", item->kind->kind, item->ns, item->name,
			    pods.why.data);
	}
	failed = pods.failed;
	o2_kube_list_release(&list);
	o2_buf_release(&pods.why);
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

	if (strcmp(waiting->await->side, "B") != 0)
		return o2_fail(err, O2_ETRANSIENT, "%s is not serving again%s: %s",
			       waiting->await->side, when, waiting->why.data);
	while (!strstr(waiting->why.data, remedies[i].word))
		i++;
	return o2_fail(err, O2_ETRANSIENT, "B did not start%s: %s; %s", when, waiting->why.data,
		       remedies[i].remedy);
}

/* What one look at a wave found, beside what stands in `waiting`. */
struct look {
	bool at_pods; /* this time the pods are looked at too */
	bool broken;  /* a pod has a reason that waiting does not mend */
	bool lost;    /* the cluster did not answer for some of it */
};

/* Who only wants as many ready pods as there were is content with them, whatever else the workload still does. */
static enum o2_kube_health health_of(const struct o2_plan_awaited *item, const struct o2_doc *now,
				     struct o2_buf *why)
{
	int64_t ready = o2_kube_ready_pods(now);
	int64_t wanted = o2_doc_int(now, "/spec/replicas", item->ready);
	enum o2_kube_health health = o2_kube_health(now, why);

	if (item->ready < 0)
		return health;
	if (ready >= (wanted < item->ready ? wanted : item->ready))
		return O2_KUBE_HEALTH_READY;
	return health == O2_KUBE_HEALTH_READY ? O2_KUBE_HEALTH_PROGRESSING : health;
}

/* One workload of the wave. Negative: it failed for good. */
static int look_at_workload(struct waiting *waiting, const struct o2_plan_awaited *item,
			    const struct o2_kube_read *read, struct look *look, struct o2_err *err)
{
	enum o2_kube_health health;
	struct o2_buf why;

	if (!read->object && read->err.code == -O2_ENOTFOUND && waiting->await->is_patient) {
		/* Deleted by somebody while it was frozen: an undo does not wait for what will not come. */
		waiting->ready_count++;
		return 0;
	}
	if (!read->object) {
		look->lost |= read->err.code == -O2_ETRANSIENT;
		o2_buf_adds(&waiting->why, read->err.message);
		if (read->err.code != -O2_ETRANSIENT)
			*err = read->err;
		return err->code;
	}
	if (item->mark && strcmp(o2_record_mark_of(read->object), item->mark) != 0)
		return o2_fail(err, O2_ECONFLICT,
			       "%s '%s' in %s is not as it was %s: did somebody change it, or was "
			       "the cluster restored from a backup?",
			       item->kind->kind, item->name, waiting->await->side, item->mark);
	o2_buf_init(&why, 1024);
	health = health_of(item, read->object, &why);
	waiting->ready_count += health == O2_KUBE_HEALTH_READY;
	if (health != O2_KUBE_HEALTH_READY && waiting->why.len == 0)
		o2_buf_addf(&waiting->why, "%s %s/%s: %s", item->kind->kind, item->ns, item->name,
			    why.data);
	if (health != O2_KUBE_HEALTH_READY && look->at_pods)
		look->broken |= explain(waiting, item, read->object);
	o2_buf_release(&why);
	return health == O2_KUBE_HEALTH_FAILED && item->ready < 0 ? fail_wave(waiting, "", err) : 0;
}

/* A pod that can't start gets some time to mend itself: a registry may be slow, a Secret may come late. */
static int judge_pods(struct waiting *waiting, const struct look *look, struct o2_err *err)
{
	int64_t now = o2_clock_ms();

	waiting->next_pod_look_ms = now + POD_LOOK_MS;
	if (!look->broken || waiting->await->is_patient)
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
	const struct o2_plan_await *await = waiting->await;
	struct o2_kube_read *reads = o2_xcalloc(await->count + 1, sizeof(*reads));
	struct look look = { .at_pods = o2_clock_ms() >= waiting->next_pod_look_ms };
	int code = 0;

	for (size_t i = 0; i < await->count; i++)
		reads[i] = (struct o2_kube_read){ .kind = await->items[i].kind,
						  .ns = await->items[i].ns,
						  .name = await->items[i].name };
	o2_kube_get_many(await->kube, reads, await->count);
	waiting->ready_count = 0;
	o2_buf_clear(&waiting->why);
	for (size_t i = 0; i < await->count; i++) {
		if (code == 0)
			code = look_at_workload(waiting, &await->items[i], &reads[i], &look, err);
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

/* Interrupted, taken over, out of time? */
static int may_go_on(struct waiting *waiting, int64_t begin, struct o2_err *err)
{
	const struct o2_plan_await *await = waiting->await;
	int64_t now = o2_clock_ms();

	if (o2_cancel_check(err) < 0)
		return err->code;
	if (waiting->lost_since_ms && now - waiting->lost_since_ms > await->lost_timeout_ms)
		return o2_fail(err, O2_ETRANSIENT, "%s was lost while its pods started: %s",
			       await->side, waiting->why.data);
	if (now - begin > await->timeout_ms) {
		char when[64];

		snprintf(when, sizeof(when), " within %d s (--start-timeout)",
			 await->timeout_ms / 1000);
		return fail_wave(waiting, when, err);
	}
	if (await->look && now >= waiting->next_look_ms) {
		waiting->next_look_ms = now + LOOK_MS;
		return await->look(await->look_arg, err);
	}
	return 0;
}

int o2_plan_await_ready(const struct o2_plan_await *await, struct o2_err *err)
{
	struct waiting waiting = { .await = await };
	int64_t begin = o2_clock_ms();
	int code = 0;

	waiting.next_pod_look_ms = begin + POD_LOOK_MS;
	waiting.next_look_ms = begin + LOOK_MS;
	o2_buf_init(&waiting.why, 4096);
	while (code == 0) {
		code = look_at_wave(&waiting, err);
		if (code < 0 || waiting.ready_count == await->count)
			break;
		o2_log_step((int64_t)waiting.ready_count, (int64_t)await->count, "waiting for %s",
			    waiting.why.data);
		code = may_go_on(&waiting, begin, err);
		if (code == 0)
			o2_clock_sleep_ms(POLL_MS);
	}
	o2_buf_release(&waiting.why);
	return code;
}
