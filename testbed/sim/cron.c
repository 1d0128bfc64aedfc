/* Cron expressions: five fields, lists, ranges, steps, and the usual names; UTC. */
#include "controllers_internal.h"

#define MINUTE_S 60
#define HOUR_S INT64_C(3600)
#define DAY_S INT64_C(86400)
#define HORIZON_S (1464 * DAY_S)

/* Which values of each field are named, a bit each. */
struct cron {
	uint64_t minutes, hours, days, months, weekdays;
	bool any_day, any_weekday;
};

/* One item of a list: "*", "3", "1-5", each with "/step". NULL if it is none; else where it ends. */
static const char *read_item(const char *at, int least, int most, uint64_t *out)
{
	long first = least, last = most, step = 1;
	char *end = (char *)at;

	if (*at == '*') {
		end = (char *)at + 1;
	} else {
		first = last = strtol(at, &end, 10);
		if (end == at)
			return NULL;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		else if (*end == '/')
			last = most;
	}
	if (*end == '/')
		step = strtol(end + 1, &end, 10);
	if (step < 1 || first < least || last > most)
		return NULL;
	for (long value = first; value <= last; value += step)
		*out |= UINT64_C(1) << value;
	return end;
}

static const char *read_field(const char *at, int least, int most, uint64_t *out)
{
	while (at && *at == ' ')
		at++;
	for (; at; at++) {
		at = read_item(at, least, most, out);
		if (!at || *at != ',')
			return at;
	}
	return NULL;
}

static bool read_expression(const char *text, struct cron *cron)
{
	static const struct {
		const char *name, *meaning;
	} names[] = {
		{ "@yearly", "0 0 1 1 *" },  { "@annually", "0 0 1 1 *" },
		{ "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
		{ "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" },
		{ "@hourly", "0 * * * *" },
	};
	const char *days, *weekdays;

	*cron = (struct cron){ 0 };
	for (size_t i = 0; i < O2_COUNT(names); i++)
		text = strcmp(names[i].name, text) == 0 ? names[i].meaning : text;
	text = read_field(text, 0, 59, &cron->minutes);
	days = text = read_field(text, 0, 23, &cron->hours);
	text = read_field(text, 1, 31, &cron->days);
	text = read_field(text, 1, 12, &cron->months);
	weekdays = text;
	text = read_field(text, 0, 7, &cron->weekdays);
	if (!text || *text)
		return false;
	cron->any_day = strncmp(days, " *", 2) == 0;
	cron->any_weekday = strncmp(weekdays, " *", 2) == 0;
	cron->weekdays |= cron->weekdays >> 7 & 1;
	return true;
}

static bool has(uint64_t bits, int value)
{
	return bits >> value & 1;
}

/* If both kinds of days are restricted, either does. */
static bool takes_day(const struct cron *cron, const struct tm *tm)
{
	bool day = has(cron->days, tm->tm_mday), weekday = has(cron->weekdays, tm->tm_wday);

	if (!has(cron->months, tm->tm_mon + 1))
		return false;
	return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

static int64_t next(const struct cron *cron, int64_t after)
{
	int64_t at = (after / MINUTE_S + 1) * MINUTE_S;

	while (at < after + HORIZON_S) {
		time_t seconds = at;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		if (!takes_day(cron, &tm))
			at = (at / DAY_S + 1) * DAY_S;
		else if (!has(cron->hours, tm.tm_hour))
			at = (at / HOUR_S + 1) * HOUR_S;
		else if (!has(cron->minutes, tm.tm_min))
			at += MINUTE_S;
		else
			return at;
	}
	return -1;
}

int64_t sim_cron_next(const char *expression, int64_t after)
{
	struct cron cron;

	return read_expression(expression, &cron) ? next(&cron, after) : -1;
}

int64_t sim_cron_last(const char *expression, int64_t after, int64_t now)
{
	static const int64_t spans[] = { HOUR_S, DAY_S, 31 * DAY_S, HORIZON_S };
	struct cron cron;
	int64_t last = -1;

	if (!read_expression(expression, &cron))
		return -1;
	/* From near to far: what runs often has run lately. */
	for (size_t i = 0; i < O2_COUNT(spans) && last < 0; i++) {
		int64_t from = now - spans[i] > after ? now - spans[i] : after;

		for (int64_t at = next(&cron, from); at >= 0 && at <= now; at = next(&cron, at))
			last = at;
		if (from == after)
			break;
	}
	return last;
}
