/*
 * Jobs: pods that end, counted.
 *
 * A pod carries a finalizer until it is counted. One that is deleted before it has ended counts as failed, as Kubernetes has it; so does one
 * that goes because its Job is suspended.
 */
#include "controllers_internal.h"

#include "base/clock.h"

#define INDEX_ANNOTATION "batch.kubernetes.io~1job-completion-index"
#define BACKOFF_LIMIT_DEFAULT 6
#define RETRY_LEAST_US (10 * SIM_S)
#define RETRY_MOST_US (600 * SIM_S) /* about */
#define PODS_MAX 1000

/* One look at a Job. */
struct look {
	struct sim_object *job;
	struct o2_doc *draft;
	struct sim_list pods;
	int64_t succeeded, failed, active, terminating, ready;
	int64_t completions; /* -1: not said */
	bool suspended, indexed;
	bool done[PODS_MAX]; /* indexes that are complete */
};

bool sim_job_is_over(const struct o2_doc *doc)
{
	return sim_is_true(doc, "Complete") || sim_is_true(doc, "Failed");
}

/* --- indexes: "0-3,7" --- */

static void read_indexes(struct look *look)
{
	const char *at = o2_doc_str(look->draft, "/status/completedIndexes", "");

	while (*at) {
		char *end;
		int64_t first = strtoll(at, &end, 10), last = first;
		if (*end == '-')
			last = strtoll(end + 1, &end, 10);
		for (int64_t i = first; i >= 0 && i <= last && i < PODS_MAX; i++)
			look->done[i] = true;
		at = *end == ',' ? end + 1 : "";
	}
}

static void write_indexes(struct look *look)
{
	struct o2_buf text;

	o2_buf_init(&text, 8192);
	look->succeeded = 0;
	for (int64_t i = 0; i < look->completions && i < PODS_MAX; i++) {
		int64_t last = i;
		if (!look->done[i])
			continue;
		while (last + 1 < PODS_MAX && look->done[last + 1])
			last++;
		look->succeeded += last - i + 1;
		o2_buf_addf(&text, "%s%lld", text.len > 0 ? "," : "", (long long)i);
		if (last > i)
			o2_buf_addf(&text, "%c%lld", last > i + 1 ? '-' : ',', (long long)last);
		i = last;
	}
	if (text.len > 0)
		o2_doc_put_str(look->draft, "/status/completedIndexes", text.data);
	o2_buf_release(&text);
}

static int64_t index_of(const struct sim_object *pod)
{
	const char *text = o2_doc_str(pod->doc, "/metadata/annotations/" INDEX_ANNOTATION, "");

	return text[0] ? strtoll(text, NULL, 10) : -1;
}

/* --- its pods --- */

/* Ended, or about to: counted once, which its finalizer tells. */
static void count_end(struct look *look, struct sim_object *pod)
{
	bool succeeded = strcmp(o2_doc_str(pod->doc, "/status/phase", ""), "Succeeded") == 0;
	int64_t index = index_of(pod);

	if (!sim_has_finalizer(pod, SIM_JOB_TRACKING))
		return;
	if (succeeded && index >= 0 && index < PODS_MAX)
		look->done[index] = true;
	look->succeeded += succeeded;
	look->failed += !succeeded;
	if (!succeeded) {
		int64_t wait = RETRY_LEAST_US;
		for (int64_t i = 1; i < look->failed && wait < RETRY_MOST_US; i++)
			wait *= 2;
		look->job->backoff_until_us = sim_now_us() + wait;
		sim_queue_in(look->job, wait);
	}
	sim_remove_finalizer(pod, SIM_JOB_TRACKING);
}

static void count_pods(struct look *look)
{
	look->succeeded = o2_doc_int(look->draft, "/status/succeeded", 0);
	look->failed = o2_doc_int(look->draft, "/status/failed", 0);
	look->active = look->terminating = look->ready = 0;
	if (look->indexed)
		read_indexes(look);
	for (size_t i = 0; i < look->pods.count; i++) {
		struct sim_object *pod = look->pods.items[i];

		if (pod->gone)
			continue;
		if (sim_pod_is_active(pod)) {
			look->active++;
			look->ready += sim_pod_is_ready(pod);
			continue;
		}
		look->terminating += !sim_pod_has_ended(pod);
		count_end(look, pod);
	}
	if (look->indexed)
		write_indexes(look);
	sim_put_count(look->draft, "/status/succeeded", look->succeeded);
	sim_put_count(look->draft, "/status/failed", look->failed);
}

static void delete_active(struct look *look, int64_t count)
{
	for (size_t i = look->pods.count; i > 0 && count > 0; i--) {
		struct sim_object *pod = look->pods.items[i - 1];
		if (pod->gone || !sim_pod_is_active(pod))
			continue;
		sim_delete(pod, SIM_BACKGROUND);
		count--;
	}
}

static void put_label(struct o2_doc *pod, const char *name, const char *value)
{
	struct o2_doc *labels = o2_doc_at(pod, "/metadata/labels");
	O2_AUTO(o2_freep) char *prefixed = o2_xasprintf("batch.kubernetes.io/%s", name);

	if (!labels) {
		o2_doc_put(pod, "/metadata/labels", o2_doc_object_new());
		labels = o2_doc_at(pod, "/metadata/labels");
	}
	o2_doc_set_str(labels, name, value);
	o2_doc_set_str(labels, prefixed, value);
}

static bool index_is_taken(const struct look *look, int64_t index)
{
	if (look->done[index])
		return true;
	for (size_t i = 0; i < look->pods.count; i++) {
		const struct sim_object *pod = look->pods.items[i];
		if (!pod->gone && sim_pod_is_active(pod) && index_of(pod) == index)
			return true;
	}
	return false;
}

static int64_t free_index(const struct look *look)
{
	int64_t index = 0;

	while (index < PODS_MAX - 1 && index_is_taken(look, index))
		index++;
	return index;
}

/* False if it was refused. */
static bool create_pod(struct look *look)
{
	struct sim_object *job = look->job;
	struct o2_doc *pod = sim_pod_from(job, o2_doc_at(job->doc, "/spec/template"));
	O2_AUTO(o2_freep) char *prefix = o2_xasprintf("%s-", job->name);

	put_label(pod, "job-name", job->name);
	put_label(pod, "controller-uid", sim_uid(job));
	if (!o2_doc_at(pod, "/metadata/finalizers"))
		o2_doc_put(pod, "/metadata/finalizers", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(pod, "/metadata/finalizers"), SIM_JOB_TRACKING);
	if (look->indexed) {
		O2_AUTO(o2_freep)
		char *index = o2_xasprintf("%lld", (long long)free_index(look));
		free(prefix);
		prefix = o2_xasprintf("%s-%s-", job->name, index);
		o2_doc_put_str(pod, "/metadata/annotations/" INDEX_ANNOTATION, index);
		o2_doc_put_str(pod, "/metadata/labels/" INDEX_ANNOTATION, index);
	}
	o2_doc_put_str(pod, "/metadata/generateName", prefix);
	struct sim_object *made = sim_create_pod(job, pod, NULL);
	if (!made)
		return false;
	sim_list_add(&look->pods, made);
	look->active++;
	return true;
}

static void manage_pods(struct look *look)
{
	int64_t wanted = o2_doc_int(look->job->doc, "/spec/parallelism", 1);
	int64_t left = look->completions - look->succeeded;

	if (look->completions >= 0)
		wanted = wanted < left ? wanted : left;
	else if (look->succeeded > 0)
		wanted = look->active; /* a work queue: the first success is the last start */
	if (look->suspended)
		wanted = 0;
	if (look->active > wanted) {
		delete_active(look, look->active - wanted);
		count_pods(look);
	}
	if (look->active < wanted && !sim_is_backing_off(look->job)) {
		while (look->active < wanted && create_pod(look))
			;
		if (look->active == wanted)
			sim_forget_refusals(look->job);
	}
}

/* --- its end --- */

static bool has_restarted_enough(const struct look *look, int64_t limit)
{
	int64_t restarts = 0;

	if (strcmp(o2_doc_str(look->job->doc, "/spec/template/spec/restartPolicy", ""),
		   "OnFailure") != 0)
		return false;
	for (size_t i = 0; i < look->pods.count; i++)
		restarts += o2_doc_int(look->pods.items[i]->doc,
				       "/status/containerStatuses/0/restartCount", 0);
	return limit == 0 ? restarts > 0 : restarts >= limit;
}

/* Why it has failed, NULL if it has not. */
static const char *failure_of(const struct look *look, const char **out_message)
{
	int64_t limit = o2_doc_int(look->job->doc, "/spec/backoffLimit", BACKOFF_LIMIT_DEFAULT);
	int64_t deadline = o2_doc_int(look->job->doc, "/spec/activeDeadlineSeconds", 0);

	if (look->failed > limit || has_restarted_enough(look, limit)) {
		*out_message = "Job has reached the specified backoff limit";
		return "BackoffLimitExceeded";
	}
	if (deadline > 0 && !look->suspended &&
	    sim_now_us() - *sim_moment(look->job) >= deadline * SIM_S) {
		*out_message = "Job was active longer than specified deadline";
		return "DeadlineExceeded";
	}
	return NULL;
}

static bool has_succeeded(const struct look *look)
{
	if (look->completions >= 0)
		return look->succeeded >= look->completions;
	return look->succeeded > 0 && look->active == 0;
}

static void end(struct look *look, bool well, const char *reason, const char *message)
{
	struct sim_condition condition = { .type = well ? "SuccessCriteriaMet" : "FailureTarget",
					   .status = "True",
					   .reason = reason,
					   .message = message };

	sim_set_condition(look->draft, &condition);
	delete_active(look, INT64_MAX);
	count_pods(look);
	/* Only once nothing of it runs any more is it over. */
	if (look->active > 0 || look->terminating > 0)
		return;
	condition.type = well ? "Complete" : "Failed";
	sim_set_condition(look->draft, &condition);
	if (well)
		o2_doc_put_str(look->draft, "/status/completionTime", sim_stamp());
}

/* True if it is over, or about to be. */
static bool judge(struct look *look)
{
	const struct o2_doc *target = sim_condition(look->draft, "FailureTarget");
	const char *message = NULL, *reason = failure_of(look, &message);

	if (target || reason) {
		O2_AUTO(o2_freep)
		char *why = o2_xstrdup(target ? o2_doc_member_str(target, "reason", "") : reason);
		O2_AUTO(o2_freep)
		char *words =
			o2_xstrdup(target ? o2_doc_member_str(target, "message", "") : message);
		end(look, false, why, words);
		return true;
	}
	if (!has_succeeded(look))
		return false;
	end(look, true, "CompletionsReached", "Reached expected number of succeeded pods");
	return true;
}

/* --- the look --- */

static void set_suspended(struct look *look)
{
	bool was = sim_is_true(look->draft, "Suspended");
	struct sim_condition condition = {
		.type = "Suspended",
		.status = look->suspended ? "True" : "False",
		.reason = look->suspended ? "JobSuspended" : "JobResumed",
		.message = look->suspended ? "Job suspended" : "Job resumed"
	};
	int64_t deadline = o2_doc_int(look->job->doc, "/spec/activeDeadlineSeconds", 0);

	if (look->suspended || was)
		sim_set_condition(look->draft, &condition);
	if (look->suspended) {
		o2_doc_remove(look->draft, "/status/startTime");
	} else if (!o2_doc_at(look->draft, "/status/startTime")) {
		o2_doc_put_str(look->draft, "/status/startTime", sim_stamp());
		*sim_moment(look->job) = sim_now_us();
		if (deadline > 0)
			sim_queue_in(look->job, deadline * SIM_S);
	}
}

static void write_status(struct look *look)
{
	sim_put_count(look->draft, "/status/active", look->active);
	o2_doc_put_int(look->draft, "/status/ready", look->ready);
	o2_doc_put_int(look->draft, "/status/terminating", look->terminating);
	o2_doc_put(look->draft, "/status/uncountedTerminatedPods", o2_doc_object_new());
	bool over = sim_job_is_over(look->draft) && !sim_job_is_over(look->job->doc);
	int64_t keep_s = o2_doc_int(look->job->doc, "/spec/ttlSecondsAfterFinished", -1);
	sim_write_status(look->job, look->draft);
	if (over && keep_s >= 0)
		sim_queue_in(look->job, (keep_s + 1) * SIM_S);
}

/* What is over stays as it is, and is deleted after its time. */
static void tend_finished(struct sim_object *job)
{
	int64_t keep_s = o2_doc_int(job->doc, "/spec/ttlSecondsAfterFinished", -1);
	const struct o2_doc *end = sim_condition(job->doc, "Complete");

	if (!end)
		end = sim_condition(job->doc, "Failed");
	int64_t since = o2_clock_parse(o2_doc_member_str(end, "lastTransitionTime", ""));
	if (keep_s >= 0 && sim_unix() >= since + keep_s)
		sim_delete(job, SIM_BACKGROUND);
}

static void release_pods(const struct look *look)
{
	for (size_t i = 0; i < look->pods.count; i++) {
		if (!look->pods.items[i]->gone)
			sim_remove_finalizer(look->pods.items[i], SIM_JOB_TRACKING);
	}
}

void sim_job_look(struct sim_object *job)
{
	struct look look = { .job = job };

	sim_gather(job, sim_known.pod, NULL, &look.pods);
	if (sim_is_deleting(job) || sim_job_is_over(job->doc)) {
		release_pods(&look);
		if (!sim_is_deleting(job))
			tend_finished(job);
		sim_list_release(&look.pods);
		return;
	}
	look.draft = sim_draft(job);
	look.completions = o2_doc_int(job->doc, "/spec/completions", -1);
	look.suspended = o2_doc_bool(job->doc, "/spec/suspend", false);
	look.indexed = strcmp(o2_doc_str(job->doc, "/spec/completionMode", ""), "Indexed") == 0;
	set_suspended(&look);
	count_pods(&look);
	if (!judge(&look)) {
		manage_pods(&look);
		/* Those that it deleted itself may have been the last straw. */
		judge(&look);
	}
	write_status(&look);
	sim_list_release(&look.pods);
}
