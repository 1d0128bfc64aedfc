/*
 * Pieces that several reports are made of.
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "report/report_internal.h"

const char *o2_report_on(const struct o2_report_style *style, enum o2_report_color color)
{
	static const char *const codes[] = {
		[O2_RED] = "\033[31m",
		[O2_GREEN] = "\033[32m",
		[O2_YELLOW] = "\033[33m",
		[O2_BOLD] = "\033[1m",
	};

	return style->color ? codes[color] : "";
}

const char *o2_report_off(const struct o2_report_style *style)
{
	return style->color ? "\033[0m" : "";
}

void o2_report_addf(struct o2_buf *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	O2_AUTO(o2_freep) char *text = o2_xvasprintf(fmt, args);
	va_end(args);
	size_t len = strlen(text);
	bool newline = len > 0 && text[len - 1] == '\n';
	if (newline)
		text[len - 1] = '\0';
	o2_log_sanitize(text);
	o2_buf_adds(out, text);
	if (newline)
		o2_buf_addc(out, '\n');
}

void o2_report_heading(struct o2_buf *out, const struct o2_report_style *style, const char *fmt,
		       ...)
{
	va_list args;

	va_start(args, fmt);
	O2_AUTO(o2_freep) char *text = o2_xvasprintf(fmt, args);
	va_end(args);
	const char *line = text;
	for (; *line == '\n'; line++)
		o2_buf_addc(out, '\n');
	o2_buf_adds(out, o2_report_on(style, O2_BOLD));
	o2_report_addf(out, "%s", line);
	o2_buf_addf(out, "%s\n", o2_report_off(style));
}

void o2_report_join(struct o2_buf *out, const struct o2_strs *names, size_t max)
{
	/* "and 1 more" takes as much room as the name itself. */
	size_t shown = max == 0 || names->count <= max + 1 ? names->count : max;

	for (size_t i = 0; i < shown; i++)
		o2_report_addf(out, "%s%s", i > 0 ? ", " : "", names->items[i]);
	if (shown < names->count)
		o2_buf_addf(out, " and %zu more", names->count - shown);
}

struct o2_doc *o2_report_strs_doc(const struct o2_strs *list)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < list->count; i++)
		o2_doc_append_str(array, list->items[i]);
	return array;
}

struct o2_doc *o2_report_doc_new(const char *kind)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "apiVersion", O2_REPORT_API_VERSION);
	o2_doc_set_str(doc, "kind", kind);
	return doc;
}

struct o2_doc *o2_report_time_doc(int64_t unix_seconds)
{
	char text[O2_CLOCK_TEXT_SIZE];

	if (unix_seconds <= 0)
		return o2_doc_null_new();
	o2_clock_text(unix_seconds, text);
	return o2_doc_str_new(text);
}

void o2_report_put(struct o2_doc *object, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		o2_doc_set_str(object, name, text);
}

void o2_report_object_name(const struct o2_kube_kind *kind, const char *ns, const char *name,
			   struct o2_buf *out)
{
	const char *group = kind->group != NULL ? kind->group : "";

	for (const char *p = kind->kind; *p != '\0'; p++)
		o2_buf_addc(out, (char)tolower((unsigned char)*p));
	o2_buf_addf(out, "%s%s/%s%s%s\n", group[0] != '\0' ? "." : "", group, ns != NULL ? ns : "",
		    ns != NULL ? "/" : "", name);
}
