/* CronJobs: a Job at each of their times; a time that was missed is made up as soon as they may run again. */
#include "controllers_internal.h"

#include "base/clock.h"

/* Finished Jobs beyond the limit go, the oldest first. */
static void clean_history(const struct sim_list *jobs, const char *condition, int64_t limit)
{
	int64_t count = 0;

	for (size_t i = 0; i < jobs->count; i++)
		count += sim_is_true(jobs->items[i]->doc, condition);
	for (size_t i = 0; i < jobs->count && count > limit; i++) {
		struct sim_object *job = jobs->items[i];
		if (!sim_is_true(job->doc, condition))
			continue;
		if (!sim_is_deleting(job))
			sim_delete(job, SIM_BACKGROUND);
		count--;
	}
}

/* What runs now, as the status tells it. Returns how many. */
static size_t put_active(const struct sim_list *jobs, struct o2_doc *draft)
{
	struct o2_doc *list = o2_doc_array_new();

	for (size_t i = 0; i < jobs->count; i++) {
		const struct sim_object *job = jobs->items[i];
		struct o2_doc *reference;

		if (job->gone || sim_job_is_over(job->doc))
			continue;
		reference = o2_doc_object_new();
		o2_doc_set_str(reference, "apiVersion", job->kind->api_version);
		o2_doc_set_str(reference, "kind", job->kind->kind);
		o2_doc_set_str(reference, "namespace", job->ns);
		o2_doc_set_str(reference, "name", job->name);
		o2_doc_set_str(reference, "uid", sim_uid(job));
		o2_doc_append(list, reference);
	}
	size_t count = o2_doc_count(list);
	if (count == 0) {
		o2_doc_free(list);
		list = NULL;
	}
	o2_doc_put(draft, "/status/active", list);
	return count;
}

static void put_last_success(const struct sim_list *jobs, struct o2_doc *draft)
{
	const char *last = o2_doc_str(draft, "/status/lastSuccessfulTime", "");

	for (size_t i = 0; i < jobs->count; i++) {
		const char *ended = o2_doc_str(jobs->items[i]->doc, "/status/completionTime", "");
		/* Stamps of one length: the text's order is the time's. */
		last = strcmp(ended, last) > 0 ? ended : last;
	}
	if (last[0]) {
		O2_AUTO(o2_freep) char *text = o2_xstrdup(last);
		o2_doc_put_str(draft, "/status/lastSuccessfulTime", text);
	}
}

static struct sim_object *create_job(struct sim_object *cron_job, int64_t when)
{
	const struct o2_doc *template = o2_doc_at(cron_job->doc, "/spec/jobTemplate");
	O2_AUTO(o2_freep)
	char *name = o2_xasprintf("%s-%lld", cron_job->name, (long long)(when / 60));
	struct o2_doc *job = sim_object_doc(sim_known.job, cron_job->ns, name);
	char stamp[O2_CLOCK_TEXT_SIZE];

	o2_clock_text(when, stamp);
	o2_doc_put(job, "/metadata/labels", o2_doc_copy(o2_doc_at(template, "/metadata/labels")));
	o2_doc_put(job, "/metadata/annotations",
		   o2_doc_copy(o2_doc_at(template, "/metadata/annotations")));
	o2_doc_put_str(job,
		       "/metadata/annotations/batch.kubernetes.io~1cronjob-scheduled-timestamp",
		       stamp);
	sim_put_owner(job, cron_job);
	o2_doc_set(job, "spec", o2_doc_copy(o2_doc_member(template, "spec")));
	return sim_create(cron_job->cluster, job, SIM_CONTROLLER_MANAGER, NULL);
}

/* The time that it should have run at and has not; -1 if there is none. */
static int64_t due_time(const struct sim_object *cron_job)
{
	const struct o2_doc *doc = cron_job->doc;
	int64_t since =
		o2_clock_parse(o2_doc_str(doc, "/status/lastScheduleTime",
					  o2_doc_str(doc, "/metadata/creationTimestamp", "")));
	int64_t patience = o2_doc_int(doc, "/spec/startingDeadlineSeconds", 0);

	if (patience > 0 && sim_unix() - patience > since)
		since = sim_unix() - patience;
	return sim_cron_last(o2_doc_str(doc, "/spec/schedule", ""), since, sim_unix());
}

/* Whatever became of the Job, its time is over. */
static void run(struct sim_object *cron_job, const struct sim_list *jobs, struct o2_doc *draft,
		int64_t when, size_t active)
{
	const char *policy = o2_doc_str(cron_job->doc, "/spec/concurrencyPolicy", "Allow");
	char stamp[O2_CLOCK_TEXT_SIZE];

	if (active > 0 && strcmp(policy, "Forbid") == 0)
		return;
	for (size_t i = 0; i < jobs->count && strcmp(policy, "Replace") == 0; i++) {
		struct sim_object *job = jobs->items[i];
		if (!job->gone && !sim_job_is_over(job->doc) && !sim_is_deleting(job))
			sim_delete(job, SIM_BACKGROUND);
	}
	create_job(cron_job, when);
	o2_clock_text(when, stamp);
	o2_doc_put_str(draft, "/status/lastScheduleTime", stamp);
}

void sim_cron_job_look(struct sim_object *cron_job)
{
	const char *schedule = o2_doc_str(cron_job->doc, "/spec/schedule", "");
	struct sim_list jobs = { 0 };
	struct o2_doc *draft;
	int64_t when, next;
	size_t active;

	if (sim_is_deleting(cron_job))
		return;
	sim_gather(cron_job, sim_known.job, NULL, &jobs);
	draft = sim_draft(cron_job);
	clean_history(&jobs, "Complete", o2_doc_int(draft, "/spec/successfulJobsHistoryLimit", 3));
	clean_history(&jobs, "Failed", o2_doc_int(draft, "/spec/failedJobsHistoryLimit", 1));
	active = put_active(&jobs, draft);
	put_last_success(&jobs, draft);
	if (!o2_doc_bool(cron_job->doc, "/spec/suspend", false)) {
		when = due_time(cron_job);
		if (when >= 0)
			run(cron_job, &jobs, draft, when, active);
		next = sim_cron_next(schedule, sim_unix());
		if (next >= 0 && cron_job->backoff_until_us <= sim_now_us()) {
			/* One alarm at a time: the object's slot for waits holds it. */
			cron_job->backoff_until_us = sim_now_us() + (next - sim_unix()) * SIM_S;
			sim_queue_in(cron_job, (next - sim_unix()) * SIM_S);
		}
	}
	sim_write_status(cron_job, draft);
	sim_list_release(&jobs);
}
