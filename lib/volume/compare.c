/* Is what is durable on B what A has? */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_internal.h"

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct o2_volume_listed *)a)->path,
		      ((const struct o2_volume_listed *)b)->path);
}

static void sort(struct o2_volume_end *end)
{
	if (end->listed_count > 0)
		qsort(end->listed, end->listed_count, sizeof(*end->listed), by_path);
}

int o2_volume_first_difference(struct o2_volume_end *a, struct o2_volume_end *b, struct o2_err *err)
{
	size_t i = 0, j = 0;

	sort(a);
	sort(b);
	while (i < a->listed_count || j < b->listed_count) {
		int order = i == a->listed_count   ? 1
			    : j == b->listed_count ? -1
						   : by_path(&a->listed[i], &b->listed[j]);
		if (order < 0)
			return o2_fail(err, O2_ECORRUPT, "'%s' is in A and not in B",
				       a->listed[i].path);
		if (order > 0)
			return o2_fail(err, O2_ECORRUPT, "'%s' is in B and not in A",
				       b->listed[j].path);
		if (strcmp(a->listed[i].digest, b->listed[j].digest) != 0)
			return o2_fail(err, O2_ECORRUPT, "'%s' is not the same in A and B",
				       a->listed[i].path);
		i++;
		j++;
	}
	if (!a->listed_all || !b->listed_all)
		return o2_fail(err, O2_ECORRUPT, "A and B differ beyond the first %zu files",
			       a->listed_count);
	return o2_fail(err, O2_ECORRUPT,
		       "the digests of A and B differ, and those of every file agree");
}

bool o2_volume_agrees(const struct o2_volume_pair *pair)
{
	return strcmp(pair->ends[O2_SOURCE].digest, pair->ends[O2_TARGET].digest) == 0;
}

int o2_volume_compare(struct o2_volume_set *set, struct o2_err *err)
{
	struct o2_volume_member *wrong = NULL;

	if (o2_volume_run(set, O2_VOLUME_TASK_DIGEST, err) < 0)
		return err->code;
	for (size_t i = 0; i < set->count && !wrong; i++)
		if (!o2_volume_agrees(&set->members[i].pair))
			wrong = &set->members[i];
	if (wrong == NULL)
		return 0;
	if (o2_volume_run(set, O2_VOLUME_TASK_LIST, err) < 0)
		return o2_prefix(err, "the volumes of '%s' differ, and where can't be told",
				 wrong->pair.group->name);
	(void)!o2_volume_first_difference(&wrong->pair.ends[O2_SOURCE],
					  &wrong->pair.ends[O2_TARGET], err);
	return o2_prefix(err, "the volumes of '%s' arrived damaged", wrong->pair.group->name);
}
