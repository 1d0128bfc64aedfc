/* The table of kinds.def, and how to look a kind up in it. */
#include <string.h>

#include "base/alloc.h"
#include "cluster.h"

enum { N = 1, S = 2, C = 4, G = 8, R = 16 };

static const struct sim_kind kinds[] = {
#define SIM_KIND(group_, version_, kind_, resource_, flags_) \
	{ .group = group_, \
	  .version = version_, \
	  .kind = kind_, \
	  .resource = resource_, \
	  .api_version = (group_)[0] ? group_ "/" version_ : version_, \
	  .namespaced = ((flags_)&N) != 0, \
	  .has_status = ((flags_)&S) != 0, \
	  .has_scale = ((flags_)&C) != 0, \
	  .has_generation = ((flags_)&G) != 0, \
	  .is_review = ((flags_)&R) != 0 },
#include "kinds.def"
#undef SIM_KIND
};

const struct sim_kind *sim_kinds(size_t *out_count)
{
	*out_count = O2_COUNT(kinds);
	return kinds;
}

const struct sim_kind *sim_kind(const char *group, const char *kind)
{
	for (size_t i = 0; i < O2_COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) == 0 && strcmp(kinds[i].group, group) == 0)
			return &kinds[i];
	}
	return NULL;
}

const struct sim_kind *sim_kind_of(const struct o2_doc *object)
{
	const char *api_version = o2_doc_member_str(object, "apiVersion", "");
	const char *kind = o2_doc_member_str(object, "kind", "");

	for (size_t i = 0; i < O2_COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) == 0 &&
		    strcmp(kinds[i].api_version, api_version) == 0)
			return &kinds[i];
	}
	return NULL;
}
