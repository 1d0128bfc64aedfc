/* The machine's clocks. A simulator that has clocks of its own brings another file in the place of this one. */
#include "base/clock.h"

#include <time.h>

int64_t o2_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t o2_clock_ms(void)
{
	return o2_clock_us() / 1000;
}

int64_t o2_clock_unix(void)
{
	return (int64_t)time(NULL);
}

void o2_clock_sleep_ms(int64_t ms)
{
	if (ms <= 0)
		return;
	struct timespec span = { .tv_sec = (time_t)(ms / 1000),
				 .tv_nsec = (long)(ms % 1000) * 1000000 };
	nanosleep(&span, NULL);
}
