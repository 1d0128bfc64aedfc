#include "records.h"

#include <string.h>

#include "base/log.h"

bool o2_records_wanted(const struct o2_args *args)
{
	return o2_session_named(args, O2_SOURCE) || o2_session_named(args, O2_TARGET) ||
	       args->both.context != NULL || args->both.kubeconfig != NULL ||
	       args->both.server != NULL;
}

static bool is_wanted(const struct o2_args *args, enum o2_side side)
{
	/* Plain --context, or nothing at all, means one cluster, which then stands for the source. */
	if (!o2_session_named(args, O2_SOURCE) && !o2_session_named(args, O2_TARGET))
		return side == O2_SOURCE;
	return o2_session_named(args, side);
}

int o2_records_read(struct o2_session *session, const struct o2_args *args, struct o2_txn_list *out,
		    struct o2_err *err)
{
	const struct o2_strs *namespaces =
		args->from_namespaces.count > 0 ? &args->from_namespaces : &args->namespaces;
	int rc = 0;

	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		bool last_chance = side == O2_TARGET ? session->kube[O2_SOURCE] == NULL
						     : !is_wanted(args, O2_TARGET);
		if (!is_wanted(args, side))
			continue;
		rc = o2_session_open(session, args, side, err);
		if (rc < 0 && (rc != -O2_ETRANSIENT || last_chance))
			return rc;
		if (rc < 0) {
			o2_log(O2_WARN, "%s", err->message);
			o2_log(O2_WARN, "going on without '%s'", session->name[side]);
			o2_err_clear(err);
		}
	}
	return o2_txn_find(session->kube[O2_SOURCE], session->kube[O2_TARGET],
			   namespaces->count > 0 ? namespaces : NULL, out, err);
}

const struct o2_txn_entry *o2_records_find(const struct o2_txn_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].id, id) == 0)
			return &list->items[i];
	return NULL;
}
