#include "report/amount.h"

#include <inttypes.h>
#include <stdio.h>

void o2_amount_ms(int64_t ms, char out[O2_AMOUNT_SIZE])
{
	int64_t seconds = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);

	if (ms < 0)
		snprintf(out, O2_AMOUNT_SIZE, "-");
	else if (ms == 0)
		snprintf(out, O2_AMOUNT_SIZE, "0 s");
	else if (ms < 50)
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 " ms", ms);
	else if (ms < 59950)
		snprintf(out, O2_AMOUNT_SIZE, "%.1f s", (double)ms / 1000);
	else if (seconds < 3600)
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 " min %" PRId64 " s", seconds / 60,
			 seconds % 60);
	else
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 " h %" PRId64 " min", seconds / 3600,
			 seconds / 60 % 60);
}

void o2_amount_bytes(int64_t bytes, char out[O2_AMOUNT_SIZE])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	int unit = 0;

	if (bytes < 0) {
		snprintf(out, O2_AMOUNT_SIZE, "-");
		return;
	}
	if (bytes < 1024) {
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 " B", bytes);
		return;
	}
	for (; value >= 1023.95; unit++)
		value /= 1024;
	snprintf(out, O2_AMOUNT_SIZE, "%.1f %s", value, units[unit]);
}

void o2_amount_age(int64_t seconds, char out[O2_AMOUNT_SIZE])
{
	if (seconds < 0)
		snprintf(out, O2_AMOUNT_SIZE, "-");
	else if (seconds < 120)
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 "s", seconds);
	else if (seconds < INT64_C(2) * 3600)
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 "m", seconds / 60);
	else if (seconds < INT64_C(2) * 86400)
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 "h", seconds / 3600);
	else
		snprintf(out, O2_AMOUNT_SIZE, "%" PRId64 "d", seconds / 86400);
}
