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

void o2_plan_check_notes(struct o2_plan *plan)
{
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
