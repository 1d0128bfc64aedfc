/* Findings: what the preconditions turned out to be. */
#include "plan/plan_internal.h"

static struct o2_plan_finding *add(struct o2_plan *plan, const char *check,
				   enum o2_plan_proof proof, const char *subject,
				   const char *remedy, const char *fmt, va_list args)
{
	struct o2_plan_finding *finding;

	O2_GROW(plan->findings, plan->finding_count, plan->finding_cap);
	finding = &plan->findings[plan->finding_count++];
	*finding = (struct o2_plan_finding){
		.check = check,
		.proof = proof,
		.subject = o2_xstrdup(subject ? subject : ""),
		.remedy = o2_xstrdup(remedy ? remedy : ""),
		.text = o2_xvasprintf(fmt, args),
	};
	return finding;
}

void o2_plan_find(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		  const char *subject, const char *remedy, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(plan, check, proof, subject, remedy, fmt, args);
	va_end(args);
}

void o2_plan_warn(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		  const char *subject, const char *remedy, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(plan, check, proof, subject, remedy, fmt, args)->warns = true;
	va_end(args);
}

void o2_plan_block(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		   const char *subject, const char *remedy, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(plan, check, proof, subject, remedy, fmt, args)->blocks = true;
	va_end(args);
}

size_t o2_plan_finding_count(const struct o2_plan *plan)
{
	return plan->finding_count;
}

const struct o2_plan_finding *o2_plan_finding(const struct o2_plan *plan, size_t index)
{
	assert(index < plan->finding_count);
	return &plan->findings[index];
}

size_t o2_plan_blocker_count(const struct o2_plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->finding_count; i++)
		count += plan->findings[i].blocks;
	return count;
}

/*
 * A custom resource without a row can't be kept without effect, nor frozen: its controller may act on it at once. It is created only
 * after the decision, and only if the user says that this is right.
 */
static void check_row(struct o2_plan *plan, size_t index, struct o2_strs *told)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	const struct o2_strs *accept = &plan->options->accept;
	O2_AUTO(o2_freep)
	char *full = o2_xasprintf("%s.%s", object->kind->kind, object->kind->group);
	O2_AUTO(o2_freep)
	char *remedy = o2_xasprintf(
		"say --accept %s to have it created after the decision, or --exclude %s", full,
		full);

	if (object->has_row || !o2_strs_add_unique(told, full))
		return;
	if (o2_strs_has(accept, full) || o2_strs_has(accept, object->kind->kind))
		o2_plan_warn(plan, "custom resources", O2_PLAN_UNKNOWN, full, "",
			     "is created after the decision; what its controller makes of it is "
			     "not known (--accept)");
	else
		o2_plan_block(plan, "custom resources", O2_PLAN_COMPUTED, full, remedy,
			      "is a custom resource, and os2os does not know how to keep it "
			      "without effect until the decision");
}

void o2_plan_check_notes(struct o2_plan *plan)
{
	struct o2_strs told = { 0 };

	for (size_t i = 0; i < o2_app_count(plan->app); i++)
		check_row(plan, i, &told);
	o2_strs_release(&told);
	for (size_t i = 0; i < o2_app_note_count(plan->app); i++) {
		const struct o2_app_note *note = o2_app_note(plan->app, i);

		if (note->blocks)
			o2_plan_block(plan, "application", O2_PLAN_COMPUTED, note->subject,
				      note->remedy, "%s", note->text);
		else if (!note->left_out)
			o2_plan_warn(plan, "application", O2_PLAN_COMPUTED, note->subject,
				     note->remedy, "%s", note->text);
	}
}
