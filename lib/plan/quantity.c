/* Kubernetes quantities, and what the pods of a template ask for. */
#include "plan/plan_internal.h"

#include <ctype.h>
#include <math.h>

static const struct {
	const char *suffix;
	double factor;
} suffixes[] = {
	{ "", 1 },
	{ "m", 1e-3 },
	{ "k", 1e3 },
	{ "M", 1e6 },
	{ "G", 1e9 },
	{ "T", 1e12 },
	{ "P", 1e15 },
	{ "E", 1e18 },
	{ "u", 1e-6 },
	{ "n", 1e-9 },
	{ "Ki", 1024.0 },
	{ "Mi", 1048576.0 },
	{ "Gi", 1073741824.0 },
	{ "Ti", 1099511627776.0 },
	{ "Pi", 1125899906842624.0 },
	{ "Ei", 1152921504606846976.0 },
};

int o2_quantity_parse(const char *text, int64_t *out_milli, struct o2_err *err)
{
	char *end = NULL;
	double value = strtod(text, &end);
	double factor = 0;

	if (end == text || isspace((unsigned char)text[0]) || !isfinite(value))
		return o2_fail(err, O2_EINVALID, "'%s' is not a quantity", text);
	for (size_t i = 0; i < O2_COUNT(suffixes); i++) {
		if (strcmp(end, suffixes[i].suffix) == 0)
			factor = suffixes[i].factor;
	}
	value *= factor * 1000;
	if (factor == 0 || fabs(value) > (double)INT64_MAX / 2)
		return o2_fail(err, O2_EINVALID, "'%s' is not a quantity", text);
	/* Rounded up, as the server does with what is finer than it counts. */
	*out_milli = (int64_t)ceil(value);
	return 0;
}

static int64_t of_container(const struct o2_doc *container, const char *which, const char *resource)
{
	const struct o2_doc *amounts = o2_doc_member(o2_doc_member(container, "resources"), which);
	const char *text = o2_doc_member_str(amounts, resource, NULL);
	int64_t milli = 0;

	/* A request that is absent is the limit. */
	if (!text && strcmp(which, "requests") == 0)
		text = o2_doc_member_str(
			o2_doc_member(o2_doc_member(container, "resources"), "limits"), resource,
			NULL);
	if (!text || o2_quantity_parse(text, &milli, NULL) < 0)
		return 0;
	return milli;
}

int64_t o2_quantity_of_pod(const struct o2_doc *template, const char *which, const char *resource)
{
	const struct o2_doc *containers = o2_doc_at(template, "/spec/containers");
	const struct o2_doc *initial = o2_doc_at(template, "/spec/initContainers");
	int64_t sum = 0, most = 0;

	for (size_t i = 0; i < o2_doc_count(containers); i++)
		sum += of_container(o2_doc_item(containers, i), which, resource);
	for (size_t i = 0; i < o2_doc_count(initial); i++) {
		int64_t one = of_container(o2_doc_item(initial, i), which, resource);

		most = one > most ? one : most;
	}
	return sum > most ? sum : most;
}
