/*
 * What plain YAML scalars mean.
 *
 * The rules are those of sigs.k8s.io/yaml (YAML 1.1 with the octals of 1.1 and 1.2): yes, no, on, off, y
 * and n are truth values, as kubectl takes them.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static const char *const null_words[] = { "", "~", "null", "Null", "NULL" };
static const char *const true_words[] = { "true", "True", "TRUE", "yes", "Yes", "YES",
					  "on",   "On",   "ON",   "y",   "Y" };
static const char *const false_words[] = { "false", "False", "FALSE", "no", "No", "NO",
					   "off",   "Off",   "OFF",   "n",  "N" };
static const char *const unreal_words[] = {
	".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
	"+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
};

/* [-+]? (.D+ | D+ (.D*)?) ([eE][-+]?D+)? */
static bool is_decimal(const char *text)
{
	static const char digits[] = "0123456789";
	const char *p = text + (*text == '-' || *text == '+');
	size_t whole = strspn(p, digits), fraction = 0;

	p += whole;
	if (*p == '.') {
		fraction = strspn(p + 1, digits);
		p += 1 + fraction;
	}
	if (whole == 0 && fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		size_t exponent = strspn(p, digits);
		if (exponent == 0)
			return false;
		p += exponent;
	}
	return *p == '\0';
}

static json_t *real(double value)
{
	if (fabs(value) <= 0x1p53 && !(value < trunc(value)) && !(value > trunc(value)))
		return json_integer((json_int_t)value);
	return isfinite(value) ? json_real(value) : NULL;
}

/* The digits' base; *p moves behind its mark. A leading zero makes an octal, as in `mode: 0644`. */
static unsigned take_base(const char **p)
{
	static const struct {
		const char mark[3];
		unsigned base;
	} bases[] = { { "0x", 16 }, { "0o", 8 }, { "0b", 2 } };

	for (size_t i = 0; i < O2_COUNT(bases); i++)
		if (strncasecmp(*p, bases[i].mark, 2) == 0) {
			*p += 2;
			return bases[i].base;
		}
	return (*p)[0] == '0' && (*p)[1] != '\0' ? 8 : 10;
}

/* An integer in any base; false if it is none. What 64 bit can't hold becomes a real. */
static bool read_integer(const char *text, json_t **out)
{
	bool negative = *text == '-';
	const char *p = text + (*text == '-' || *text == '+');
	unsigned base = take_base(&p);
	uint64_t value = 0;
	double wide = 0;

	if (*p == '\0')
		return false;
	for (; *p != '\0'; p++) {
		unsigned digit = 16;
		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')
			digit = (unsigned)((*p | 0x20) - 'a') + 10;
		if (digit >= base)
			return false;
		wide = wide * base + digit;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			value = UINT64_MAX; /* stays there: the next one overflows as well */
	}
	if (value <= INT64_MAX)
		*out = json_integer(negative ? -(json_int_t)value : (json_int_t)value);
	else if (negative && value == (uint64_t)INT64_MAX + 1)
		*out = json_integer(INT64_MIN);
	else if (base == 10)
		*out = real(o2_doc_real_parse(text));
	else
		*out = real(negative ? -wide : wide);
	return true;
}

/* Copy without underscores, which may group digits. False if there is no room. */
static bool ungroup(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '_')
			continue;
		if (n + 1 >= size)
			return false;
		out[n++] = text[i];
	}
	out[n] = '\0';
	return true;
}

json_t *o2_doc_yaml_plain(const char *text, size_t len)
{
	char digits[512] = "";
	json_t *number = NULL;

	if (is_one_of(text, null_words, O2_COUNT(null_words)))
		return json_null();
	if (is_one_of(text, true_words, O2_COUNT(true_words)))
		return json_true();
	if (is_one_of(text, false_words, O2_COUNT(false_words)))
		return json_false();
	if (is_one_of(text, unreal_words, O2_COUNT(unreal_words)))
		return NULL;
	if (strchr("+-.0123456789", text[0]) == NULL)
		return o2_doc_json_string(text, len);
	const char *decimal = text; /* what begins with a point can't be grouped */
	if (text[0] != '.') {
		if (!ungroup(text, len, digits, sizeof(digits)))
			return o2_doc_json_string(text, len);
		if (read_integer(digits, &number))
			return number;
		decimal = digits;
	}
	/* Out of range is no number: 12e4567 is the beginning of a digest. */
	if (is_decimal(decimal) && isfinite(o2_doc_real_parse(decimal)))
		return real(o2_doc_real_parse(decimal));
	return o2_doc_json_string(text, len);
}

bool o2_doc_yaml_is_ambiguous(const char *text, size_t len)
{
	static const char *const words[] = { "null",  "true", "false", "yes", "no",   "on",
					     "off",   "y",    "n",     "~",   ".inf", "-.inf",
					     "+.inf", ".nan", "=",     "<<",  "---",  "..." };
	const char *p = text;

	if (len == 0)
		return true;
	for (size_t i = 0; i < O2_COUNT(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	if (strchr("+-.0123456789", *p) == NULL)
		return false;
	p += *p == '-' || *p == '+';
	if (strncasecmp(p, "0x", 2) == 0 || strncasecmp(p, "0o", 2) == 0 ||
	    strncasecmp(p, "0b", 2) == 0)
		return true;
	/* Numbers with groups and exponents, base 60 and times are made of these. */
	if (strspn(text, "0123456789+-.,:_eEtTzZ ") == len)
		return true;
	/* Groups hide more: 0_x1 is a number. */
	json_t *json = o2_doc_yaml_plain(text, len);
	bool is_string = json_is_string(json);
	json_decref(json);
	return !is_string;
}
