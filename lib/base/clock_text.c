/* Times as texts. */
#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define YEAR_10000_UNIX INT64_C(253402300800)

void o2_clock_text(int64_t unix_seconds, char out[O2_CLOCK_TEXT_SIZE])
{
	time_t when = (time_t)unix_seconds;
	struct tm tm;

	/* The field is four digits wide; a time outside of it is an unset one. */
	if (unix_seconds < 0 || unix_seconds >= YEAR_10000_UNIX)
		when = 0;
	gmtime_r(&when, &tm);
	strftime(out, O2_CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Exactly `digits` digits at *at, then `end` unless it is NUL; moves *at behind them. */
static bool take(const char **at, int digits, char end, int *out)
{
	const char *p = *at;

	*out = 0;
	for (int i = 0; i < digits; i++, p++) {
		if (!isdigit((unsigned char)*p))
			return false;
		*out = *out * 10 + (*p - '0');
	}
	if (end != '\0' && toupper((unsigned char)*p++) != end)
		return false;
	*at = p;
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm" and the end of the text. */
static bool take_zone(const char *p, int *out_seconds)
{
	int sign = *p == '-' ? -1 : 1;
	int hours, minutes;

	*out_seconds = 0;
	if (toupper((unsigned char)*p) == 'Z')
		return p[1] == '\0';
	if (*p != '+' && *p != '-')
		return false;
	p++;
	if (!take(&p, 2, ':', &hours) || !take(&p, 2, '\0', &minutes) || *p != '\0')
		return false;
	*out_seconds = sign * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

int64_t o2_clock_parse(const char *text)
{
	struct tm tm = { 0 };
	int zone, month;
	const char *p = text;

	if (!take(&p, 4, '-', &tm.tm_year) || !take(&p, 2, '-', &month) ||
	    !take(&p, 2, 'T', &tm.tm_mday) || !take(&p, 2, ':', &tm.tm_hour) ||
	    !take(&p, 2, ':', &tm.tm_min) || !take(&p, 2, '\0', &tm.tm_sec))
		return -1;
	if (*p == '.') {
		size_t digits = strspn(p + 1, "0123456789");
		if (digits == 0)
			return -1;
		p += 1 + digits;
	}
	if (!take_zone(p, &zone))
		return -1;
	if (month < 1 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;

	tm.tm_year -= 1900;
	tm.tm_mon = month - 1;
	int day = tm.tm_mday, second = tm.tm_sec;
	tm.tm_sec = 0;
	int64_t seconds = (int64_t)timegm(&tm);
	/* timegm() makes the 31st of June the 1st of July, and month 13 a January. */
	if (tm.tm_mday != day || tm.tm_mon != month - 1)
		return -1;
	return seconds + second - zone;
}
