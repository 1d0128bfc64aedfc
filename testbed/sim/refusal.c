#include "refusal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strs.h"

const char *sim_subject(const struct sim_kind *kind, const char *name)
{
	static char text[400];

	snprintf(text, sizeof(text), "%s%s%s \"%s\"", kind->resource, kind->group[0] ? "." : "",
		 kind->group, name);
	return text;
}

static void begin(struct sim_refusal *refusal, int status, const char *reason)
{
	*refusal = (struct sim_refusal){ .status = status, .group = "" };
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
}

bool sim_refuse(struct sim_refusal *refusal, int status, const char *reason, const char *fmt, ...)
{
	va_list args;

	begin(refusal, status, reason);
	va_start(args, fmt);
	vsnprintf(refusal->message, sizeof(refusal->message), fmt, args);
	va_end(args);
	return false;
}

static void name_object(struct sim_refusal *refusal, const char *group, const char *kind,
			const char *name)
{
	refusal->has_details = true;
	refusal->group = group;
	refusal->kind = kind;
	snprintf(refusal->name, sizeof(refusal->name), "%s", name);
}

bool sim_refuse_object(struct sim_refusal *refusal, int status, const char *reason,
		       const struct sim_kind *kind, const char *name, const char *fmt, ...)
{
	va_list args;

	begin(refusal, status, reason);
	name_object(refusal, kind->group, kind->resource, name);
	va_start(args, fmt);
	vsnprintf(refusal->message, sizeof(refusal->message), fmt, args);
	va_end(args);
	return false;
}

bool sim_refuse_absent(struct sim_refusal *refusal, const struct sim_kind *kind, const char *name)
{
	return sim_refuse_object(refusal, 404, "NotFound", kind, name, "%s not found",
				 sim_subject(kind, name));
}

bool sim_refuse_field(struct sim_refusal *refusal, const struct sim_kind *kind, const char *name,
		      const char *field, const char *why, const char *fmt, ...)
{
	char words[sizeof(refusal->message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	begin(refusal, 422, "Invalid");
	name_object(refusal, kind->group, kind->kind, name);
	int len = snprintf(refusal->message, sizeof(refusal->message),
			   "%s%s%s \"%s\" is invalid: %s: ", kind->kind, kind->group[0] ? "." : "",
			   kind->group, name, field);
	size_t used = len > 0 ? (size_t)len : 0;

	if (used < sizeof(refusal->message))
		snprintf(refusal->message + used, sizeof(refusal->message) - used, "%s", words);
	sim_refusal_add_cause(refusal, why, field, words);
	return false;
}

void sim_refusal_add_cause(struct sim_refusal *refusal, const char *why, const char *field,
			   const char *words)
{
	size_t len = strlen(refusal->causes);
	size_t room = sizeof(refusal->causes) - len;

	refusal->has_details = true;
	if (snprintf(refusal->causes + len, room, "%s\t%s\t%s\n", why, field, words) >= (int)room)
		refusal->causes[len] = '\0';
}

/* --- the Status --- */

static struct o2_doc *causes_of(const struct sim_refusal *refusal)
{
	struct o2_strs lines = { 0 };
	struct o2_doc *causes = o2_doc_array_new();

	o2_strs_split(&lines, refusal->causes, "\n");
	for (size_t i = 0; i < lines.count; i++) {
		struct o2_doc *cause = o2_doc_object_new();
		char *field = strchr(lines.items[i], '\t');
		char *words = field ? strchr(field + 1, '\t') : NULL;
		assert(field && words); /* three words a line: sim_refuse_field() made it */
		*field = *words = '\0';
		o2_doc_set_str(cause, "reason", lines.items[i][0] ? lines.items[i] : NULL);
		o2_doc_set_str(cause, "message", words + 1);
		o2_doc_set_str(cause, "field", field[1] ? field + 1 : NULL);
		o2_doc_append(causes, cause);
	}
	o2_strs_release(&lines);
	return causes;
}

struct o2_doc *sim_refusal_doc(const struct sim_refusal *refusal)
{
	struct o2_doc *doc = o2_doc_object_new(), *details = o2_doc_object_new();

	o2_doc_set_str(doc, "kind", "Status");
	o2_doc_set_str(doc, "apiVersion", "v1");
	o2_doc_set(doc, "metadata", o2_doc_object_new());
	o2_doc_set_str(doc, "status", refusal->status < 300 ? "Success" : "Failure");
	if (refusal->message[0])
		o2_doc_set_str(doc, "message", refusal->message);
	if (refusal->reason[0])
		o2_doc_set_str(doc, "reason", refusal->reason);
	if (refusal->has_details) {
		o2_doc_set_str(details, "name", refusal->name[0] ? refusal->name : NULL);
		o2_doc_set_str(details, "group", refusal->group[0] ? refusal->group : NULL);
		o2_doc_set_str(details, "kind", refusal->kind);
		o2_doc_set_str(details, "uid", refusal->uid[0] ? refusal->uid : NULL);
		if (refusal->causes[0])
			o2_doc_set(details, "causes", causes_of(refusal));
		o2_doc_set(doc, "details", o2_doc_ref(details));
	}
	o2_doc_free(details);
	if (refusal->status >= 300)
		o2_doc_put_int(doc, "/code", refusal->status);
	return doc;
}
