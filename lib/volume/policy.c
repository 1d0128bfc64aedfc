/* When another pass of pre-copy is worth it. */
#include "volume/volume.h"

#define PASSES_MAX 5
#define SHRINK_PERCENT 80

/* Bytes per second of the pass that sent most; small passes say more about scanning than about the link. */
static double best_rate(const struct o2_volume_pass *passes, size_t count)
{
	const struct o2_volume_pass *largest = &passes[0];

	for (size_t i = 1; i < count; i++)
		if (passes[i].sent_bytes > largest->sent_bytes)
			largest = &passes[i];
	if (largest->elapsed_us == 0 || largest->sent_bytes == 0)
		return 0;
	return (double)largest->sent_bytes * 1e6 / (double)largest->elapsed_us;
}

/* How long the final pass would take after the first `count`. */
static double predict(const struct o2_volume_pass *passes, size_t count)
{
	const struct o2_volume_pass *last = &passes[count - 1];
	double rate = best_rate(passes, count);

	/* After one pass nothing is known of what changes: as long again at the worst. */
	if (count < 2 || rate <= 0)
		return (double)last->elapsed_us;
	const struct o2_volume_pass *before = &passes[count - 2];
	double dirty_per_us =
		before->elapsed_us ? (double)last->sent_bytes / (double)before->elapsed_us : 0;
	double sending_us = (double)last->sent_bytes * 1e6 / rate;
	double scan_us =
		(double)last->elapsed_us > sending_us ? (double)last->elapsed_us - sending_us : 0;

	return scan_us + dirty_per_us * (double)last->elapsed_us * 1e6 / rate;
}

enum o2_volume_verdict o2_volume_policy(const struct o2_volume_pass *passes, size_t count,
					uint64_t budget_us, uint64_t *out_final_us)
{
	double final_us;

	if (count == 0) {
		if (out_final_us)
			*out_final_us = 0;
		return O2_VOLUME_AGAIN;
	}
	final_us = predict(passes, count);
	if (out_final_us)
		*out_final_us = (uint64_t)final_us;
	if (final_us <= (double)budget_us || count >= PASSES_MAX)
		return O2_VOLUME_ENOUGH;
	if (count >= 2 && final_us * 100 > predict(passes, count - 1) * SHRINK_PERCENT)
		return O2_VOLUME_ENOUGH;
	return O2_VOLUME_AGAIN;
}
