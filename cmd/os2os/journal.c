#include "journal.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

static void warn(const struct o2_err *err)
{
	o2_log(O2_WARN, "%s; this migration will not be in 'history'", err->message);
}

void o2_journal_begin(struct o2_journal *journal, const struct o2_args *args, const char *source,
		      const char *target, const struct o2_strs *namespaces, const char *mode)
{
	O2_AUTO(o2_buf_release) struct o2_buf names = { 0 };
	struct o2_err err = { 0 };

	o2_buf_init(&names, 1 << 20);
	for (size_t i = 0; namespaces != NULL && i < namespaces->count; i++)
		o2_buf_addf(&names, "%s%s", i > 0 ? ", " : "", namespaces->items[i]);
	const struct o2_store_entry entry = {
		.command = (char *)args->cmd->name,
		.started = o2_clock_unix(),
		.source = (char *)source,
		.target = (char *)target,
		.namespaces = names.len > 0 ? names.data : NULL,
		.mode = (char *)mode,
	};
	journal->store = o2_store_open(NULL, O2_STORE_WRITE, &err);
	if (journal->store != NULL &&
	    o2_store_begin(journal->store, &entry, &journal->number, &err) < 0)
		o2_store_freep(&journal->store);
	if (journal->store == NULL)
		warn(&err);
}

/* The caller frees the array; its texts are borrowed from the plan. */
static struct o2_store_step *steps_of(struct o2_plan *plan, size_t *out_count)
{
	size_t count = plan != NULL ? o2_plan_step_count(plan) : 0;
	struct o2_store_step *steps = o2_xcalloc(count + 1, sizeof(*steps));

	for (size_t i = 0; i < count; i++) {
		const struct o2_plan_step *step = o2_plan_step(plan, i);
		steps[i] = (struct o2_store_step){
			.name = o2_plan_step_name(step),
			.phase = o2_plan_step_phase(step),
			.wave = step->wave,
			.object_count = (int64_t)step->object_count,
			.predicted_ms = step->predicted_ms,
			.actual_ms = step->actual_ms,
			.state = o2_plan_step_state_name(step->state),
		};
	}
	*out_count = count;
	return steps;
}

void o2_journal_end(struct o2_journal *journal, const struct o2_report_migration *migration)
{
	struct o2_report_migration brief = *migration;
	const struct o2_txn_result *result = migration->result;
	struct o2_err err = { 0 };
	size_t count;

	if (journal->store == NULL)
		return;
	brief.brief = true;
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_migration_doc(&brief);
	O2_AUTO(o2_freep) char *json = o2_doc_dump(doc);
	O2_AUTO(o2_freep) struct o2_store_step *steps = steps_of(migration->plan, &count);
	const struct o2_store_entry entry = {
		.id = result->id[0] != '\0' ? (char *)result->id : NULL,
		.ended = o2_clock_unix(),
		.end = (char *)o2_report_end_name(result->end),
		.exit_code = migration->exit_code,
		.report = json,
	};
	if (o2_store_end(journal->store, journal->number, &entry, steps, count, &err) < 0)
		warn(&err);
}

void o2_journal_release(struct o2_journal *journal)
{
	o2_store_freep(&journal->store);
}
