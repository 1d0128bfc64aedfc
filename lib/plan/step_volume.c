/* Steps mover, copy and final: data travel, first while A serves, then what is left while A stands still. */
#include "plan/plan_internal.h"

#include "base/log.h"

#define PASSES_MAX 16
#define DOWNTIME_BUDGET_US \
	2000000 /* what the last round may take, unless more rounds would not shorten it */

O2_STEP_CHECK(o2_step_mover_check)
{
	size_t claims = 0;

	(void)step, (void)depth, (void)err;
	for (size_t i = 0; i < plan->group_count; i++)
		claims += plan->groups[i].claim_count;
	o2_plan_find(plan, "volumes", O2_PLAN_COMPUTED, "", "",
		     "%zu claims travel between %zu movers on each side, pods of the application's "
		     "own images "
		     "that run as its own users",
		     claims, plan->group_count);
	for (size_t i = 0; i < plan->group_count; i++) {
		if (!plan->groups[i].node)
			o2_plan_find(plan, "volumes", O2_PLAN_UNKNOWN, plan->groups[i].name, "",
				     "is not mounted by a running pod on A; where it can be read "
				     "shows when its mover starts");
	}
	return 0;
}

O2_STEP_APPLY(o2_step_mover_apply)
{
	const struct o2_plan *plan = context->plan;
	struct o2_volume_options options = {
		.timeout_ms = o2_plan_start_timeout_ms(context->options),
		.as_root = context->options->mover_as_root,
		.relay = context->options->relay,
	};

	(void)step;
	context->volumes =
		o2_volume_open(context->record, plan->groups, plan->group_count, &options, err);
	return context->volumes ? 0 : err->code;
}

static uint64_t longest_of(const struct o2_volume_stats *stats, size_t count)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < count; i++)
		longest = stats[i].elapsed_us > longest ? stats[i].elapsed_us : longest;
	return longest;
}

static void tell(const char *what, const struct o2_volume_stats *stats, size_t count,
		 uint64_t *out_sent)
{
	uint64_t files = 0, bytes = 0, sent = 0;

	for (size_t i = 0; i < count; i++) {
		files += stats[i].sent.files;
		bytes += stats[i].sent.bytes;
		sent += stats[i].sent.sent_bytes;
	}
	*out_sent = sent;
	o2_log(O2_INFO, "%s: %.1f MiB of %.1f MiB in %llu files sent in %.1f s", what,
	       (double)sent / 1048576, (double)bytes / 1048576, (unsigned long long)files,
	       (double)longest_of(stats, count) / 1e6);
}

O2_STEP_APPLY(o2_step_copy_apply)
{
	struct o2_plan *plan = context->plan;
	O2_AUTO(o2_freep)
	struct o2_volume_stats *stats = o2_xcalloc(plan->group_count + 1, sizeof(*stats));
	struct o2_volume_pass passes[PASSES_MAX];
	uint64_t final_us = 0;
	size_t count = 0;

	(void)step;
	do {
		char what[32];

		if (o2_volume_round(context->volumes, false, stats, err) < 0)
			return err->code;
		snprintf(what, sizeof(what), "round %zu", count + 1);
		tell(what, stats, plan->group_count, &passes[count].sent_bytes);
		passes[count++].elapsed_us = longest_of(stats, plan->group_count);
	} while (count < PASSES_MAX &&
		 o2_volume_policy(passes, count, DOWNTIME_BUDGET_US, &final_us) == O2_VOLUME_AGAIN);
	o2_log(O2_INFO, "the last round is expected to take %.1f s", (double)final_us / 1e6);
	return 0;
}

O2_STEP_APPLY(o2_step_final_apply)
{
	struct o2_plan *plan = context->plan;
	O2_AUTO(o2_freep)
	struct o2_volume_stats *stats = o2_xcalloc(plan->group_count + 1, sizeof(*stats));
	uint64_t sent;

	(void)step;
	if (o2_volume_round(context->volumes, true, stats, err) < 0)
		return err->code;
	tell("final round", stats, plan->group_count, &sent);
	if (o2_volume_compare(context->volumes, err) < 0)
		return o2_prefix(err, "A's and B's data differ");
	if (o2_volume_close(context->volumes, err) < 0)
		return err->code;
	o2_volume_free(O2_STEAL(context->volumes));
	/* A B whose R2 is older has volumes that were not compared. */
	return o2_record_mirror(context->record, err);
}

void o2_step_context_release(struct o2_step_context *context)
{
	o2_volume_free(context->volumes);
	context->volumes = NULL;
}
