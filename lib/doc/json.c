/*
 * JSON text to tree (jansson) and back.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

/* From the opening quote to behind the closing one, or the end. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

/* jansson's own limit is fixed when it is built, and deep recursion elsewhere depends on ours. */
static int check_depth(const char *text, size_t len, struct o2_err *err)
{
	const char *end = text + len, *line_start = text;
	size_t depth = 0, line = 1;

	for (const char *p = text; p < end;) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		} else if ((*p == ']' || *p == '}') && depth > 0) {
			depth--;
		} else if ((*p == '[' || *p == '{') && ++depth > O2_DOC_MAX_DEPTH) {
			return o2_fail(err, O2_EINVALID,
				       "invalid JSON at line %zu, column %zu: more than %d levels",
				       line, (size_t)(p - line_start) + 1, O2_DOC_MAX_DEPTH);
		}
		p++;
	}
	return 0;
}

/* jansson quotes the text near the mistake, which may be part of a Secret, and its own flags. */
static void fail_at(const json_error_t *why, struct o2_err *err)
{
	const char *near = strstr(why->text, " near ");
	const char *flag = strstr(why->text, " without ");
	size_t len = strlen(why->text);

	if (near != NULL)
		len = (size_t)(near - why->text);
	else if (flag != NULL)
		len = (size_t)(flag - why->text);
	o2_fail(err, O2_EINVALID, "invalid JSON at line %d, column %d: %.*s", why->line,
		why->column, (int)len, why->text);
}

/* True if `len` bytes at `text` are an integer that 64 bit can't hold. */
static bool is_wide_integer(const char *text, size_t len)
{
	char digits[24];

	if (strspn(text, "-0123456789") < len)
		return false;
	if (len >= sizeof(digits))
		return true;
	memcpy(digits, text, len);
	digits[len] = '\0';
	errno = 0;
	strtoll(digits, NULL, 10);
	return errno == ERANGE;
}

/*
 * Put "e0" behind integers that 64 bit can't hold, which makes reals of them.
 *
 * An API server itself writes such numbers: Go prints a double below 1e21 without exponent.
 */
static char *widen_integers(const char *text, size_t len)
{
	O2_AUTO(o2_freep) char *copy = o2_xmalloc(len + 1); /* ends with a NUL, unlike `text` */
	struct o2_buf out;

	memcpy(copy, text, len);
	copy[len] = '\0';
	o2_buf_init(&out, O2_DOC_NO_MAX);
	for (const char *p = copy, *end = copy + len; p < end;) {
		const char *begin = p;
		size_t digits = strspn(p, "+-.0123456789eE");
		if (*p == '"')
			p = skip_string(p, end);
		else
			p += digits > 0 ? digits : 1;
		o2_buf_add(&out, begin, (size_t)(p - begin));
		if (digits > 0 && is_wide_integer(begin, digits))
			o2_buf_adds(&out, "e0");
	}
	return out.data;
}

struct o2_doc *o2_doc_parse(const char *text, size_t len, struct o2_err *err)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	json_error_t why;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (check_depth(text, len, err) < 0)
		return NULL;
	json_t *json = json_loadb(len > 0 ? text : "", len, flags, &why);
	if (json == NULL && json_error_code(&why) == json_error_numeric_overflow &&
	    memchr(text, '\0', len) == NULL) {
		O2_AUTO(o2_freep) char *widened = widen_integers(text, len);
		json = json_loadb(widened, strlen(widened), flags, &why);
	}
	if (json != NULL)
		return o2_doc_of(json);
	fail_at(&why, err);
	return NULL;
}

static locale_t c_locale;

/* A process that follows the user's language may have a decimal comma. */
__attribute__((constructor)) static void make_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", NULL);
	if (c_locale == (locale_t)0)
		abort();
}

double o2_doc_real_parse(const char *text)
{
	return strtod_l(text, NULL, c_locale);
}

void o2_doc_real_text(double value, char out[O2_DOC_REAL_SIZE])
{
	locale_t old = uselocale(c_locale);

	if (value >= -1e21 && value <= 1e21 && (value >= 0x1p63 || value <= -0x1p63)) {
		snprintf(out, O2_DOC_REAL_SIZE, "%.0f", value);
		uselocale(old);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(out, O2_DOC_REAL_SIZE, "%.*g", precision, value);
		double back = strtod(out, NULL);
		if (back >= value && back <= value)
			break;
	}
	uselocale(old);
	if (strpbrk(out, ".e") == NULL) {
		size_t len = strlen(out);
		memcpy(out + len, ".0", sizeof(".0"));
	}
}

/* How a tree is written. */
struct form {
	bool sorted;
	bool indented;
};

static void write_value(struct o2_buf *out, json_t *json, struct form form, int level);

static void write_string(struct o2_buf *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[32] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
	};
	size_t begin = 0;

	o2_buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		o2_buf_add(out, text + begin, i - begin);
		begin = i + 1;
		char escape[6] = { '\\', (char)c };
		size_t escape_len = 2;
		if (c < 0x20 && shorts[c] != '\0') {
			escape[1] = shorts[c];
		} else if (c < 0x20) {
			memcpy(escape, "\\u00", 4);
			escape[4] = hex[c >> 4];
			escape[5] = hex[c & 15];
			escape_len = 6;
		}
		o2_buf_add(out, escape, escape_len);
	}
	o2_buf_add(out, text + begin, len - begin);
	o2_buf_addc(out, '"');
}

static void new_line(struct o2_buf *out, struct form form, int level)
{
	if (!form.indented)
		return;
	o2_buf_addc(out, '\n');
	for (int i = 0; i < level; i++)
		o2_buf_add(out, "  ", 2);
}

static void write_array(struct o2_buf *out, json_t *json, struct form form, int level)
{
	size_t count = json_array_size(json);

	o2_buf_addc(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			o2_buf_addc(out, ',');
		new_line(out, form, level + 1);
		write_value(out, json_array_get(json, i), form, level + 1);
	}
	if (count > 0)
		new_line(out, form, level);
	o2_buf_addc(out, ']');
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(json_object_iter_key(*(void *const *)a),
		      json_object_iter_key(*(void *const *)b));
}

static void write_object(struct o2_buf *out, json_t *json, struct form form, int level)
{
	size_t count = json_object_size(json);
	O2_AUTO(o2_freep) void **members = form.sorted ? o2_xcalloc(count, sizeof(*members)) : NULL;
	void *at = json_object_iter(json);

	if (members != NULL) {
		for (size_t i = 0; i < count; i++, at = json_object_iter_next(json, at))
			members[i] = at;
		qsort(members, count, sizeof(*members), compare_names);
	}
	o2_buf_addc(out, '{');
	for (size_t i = 0; i < count; i++) {
		void *member = members != NULL ? members[i] : at;
		if (members == NULL)
			at = json_object_iter_next(json, at);
		if (i > 0)
			o2_buf_addc(out, ',');
		new_line(out, form, level + 1);
		write_string(out, json_object_iter_key(member), json_object_iter_key_len(member));
		o2_buf_adds(out, form.indented ? ": " : ":");
		write_value(out, json_object_iter_value(member), form, level + 1);
	}
	if (count > 0)
		new_line(out, form, level);
	o2_buf_addc(out, '}');
}

static void write_value(struct o2_buf *out, json_t *json, struct form form, int level)
{
	char number[O2_DOC_REAL_SIZE];

	if (json == NULL) {
		o2_buf_adds(out, "null");
		return;
	}
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		write_object(out, json, form, level);
		break;
	case JSON_ARRAY:
		write_array(out, json, form, level);
		break;
	case JSON_STRING:
		write_string(out, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
		o2_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		break;
	case JSON_REAL:
		o2_doc_real_text(json_real_value(json), number);
		o2_buf_adds(out, number);
		break;
	case JSON_TRUE:
		o2_buf_adds(out, "true");
		break;
	case JSON_FALSE:
		o2_buf_adds(out, "false");
		break;
	case JSON_NULL:
		o2_buf_adds(out, "null");
		break;
	}
}

static char *dump(const struct o2_doc *doc, struct form form)
{
	struct o2_buf out;

	o2_buf_init(&out, O2_DOC_NO_MAX);
	write_value(&out, o2_doc_json(doc), form, 0);
	if (form.indented)
		o2_buf_addc(&out, '\n');
	return out.data;
}

char *o2_doc_dump(const struct o2_doc *doc)
{
	return dump(doc, (struct form){ 0 });
}

char *o2_doc_dump_pretty(const struct o2_doc *doc)
{
	return dump(doc, (struct form){ .indented = true });
}

char *o2_doc_dump_canonical(const struct o2_doc *doc)
{
	return dump(doc, (struct form){ .sorted = true });
}
