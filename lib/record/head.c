/* The head of a record: struct to ConfigMap and back. */
#include "record/record_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const state_names[O2_STATE_COUNT] = {
	[O2_STATE_ABSENT] = "ABSENT",       [O2_STATE_OPEN] = "OPEN",
	[O2_STATE_COMMITTED] = "COMMITTED", [O2_STATE_DONE] = "DONE",
	[O2_STATE_ABORTED] = "ABORTED",
};

const char *o2_record_state_name(enum o2_record_state state)
{
	return (unsigned)state < O2_STATE_COUNT ? state_names[state] : "?";
}

static int state_from_name(const char *name, enum o2_record_state *out)
{
	for (size_t i = O2_STATE_OPEN; i < O2_STATE_COUNT; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*out = (enum o2_record_state)i;
			return 0;
		}
	}
	return -1;
}

static void put_strs(struct o2_doc *data, const char *key, const struct o2_strs *list)
{
	struct o2_buf text;

	o2_buf_init(&text, (size_t)1 << 20);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			o2_buf_addc(&text, ',');
		o2_buf_adds(&text, list->items[i]);
	}
	o2_doc_set_str(data, key, text.data);
	o2_buf_release(&text);
}

static void put_number(struct o2_doc *data, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	o2_doc_set_str(data, key, text);
}

static void put_doc(struct o2_doc *data, const char *key, const struct o2_doc *value)
{
	O2_AUTO(o2_freep) char *text = o2_doc_dump(value);

	o2_doc_set_str(data, key, text);
}

static struct o2_doc *head_data(const struct o2_record_head *head)
{
	struct o2_doc *data = o2_doc_object_new();

	o2_doc_set_str(data, "state", o2_record_state_name(head->state));
	put_number(data, "epoch", head->epoch);
	o2_doc_set_str(data, "holder", head->holder);
	o2_doc_set_str(data, "mode", head->mode);
	o2_doc_set_str(data, "sourceName", head->source_name);
	o2_doc_set_str(data, "targetName", head->target_name);
	o2_doc_set_str(data, "sourceCluster", head->source_cluster);
	o2_doc_set_str(data, "targetCluster", head->target_cluster);
	put_strs(data, "sourceNamespaces", &head->source_namespaces);
	put_strs(data, "targetNamespaces", &head->target_namespaces);
	put_doc(data, "options", head->options);
	o2_doc_set_str(data, "planDigest", head->plan_digest);
	o2_doc_set_str(data, "writeSetDigest", head->write_set_digest);
	put_number(data, "writeSetChunks", head->write_set_chunks);
	o2_doc_set_str(data, "phase", head->phase);
	o2_doc_set_str(data, "reason", head->reason);
	o2_doc_set_str(data, "clean", head->clean ? "true" : "false");
	if (head->retirable)
		o2_doc_set_str(data, "retirable", "true");
	if (head->frozen_since)
		put_number(data, "frozenSince", head->frozen_since);
	if (head->frozen_since)
		o2_doc_set_str(data, "frozen", head->frozen);
	if (head->deadline)
		put_number(data, "deadline", head->deadline);
	put_number(data, "created", head->created);
	put_number(data, "changed", head->changed);
	if (head->report)
		put_doc(data, "report", head->report);
	return data;
}

struct o2_doc *o2_record_head_to_doc(const struct o2_record *record, enum o2_side side,
				     const char *stamp)
{
	const char *role = side == O2_SOURCE ? "source" : "target";
	O2_AUTO(o2_freep) char *name = o2_record_name(record, role);
	struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", name);
	o2_doc_put_str(map, "/metadata/namespace", o2_record_home(record, side));
	o2_record_mark(record, map, role);
	/* A record that still has work to do can't be deleted by accident. */
	if (!record->head.clean) {
		o2_doc_put(map, "/metadata/finalizers", o2_doc_array_new());
		o2_doc_append_str(o2_doc_at(map, "/metadata/finalizers"), O2_RECORD_FINALIZER);
	}
	o2_doc_put(map, "/data", head_data(&record->head));
	o2_doc_put_str(map, "/data/stamp", stamp);
	return map;
}

static int64_t get_number(const struct o2_doc *data, const char *key)
{
	const char *text = o2_doc_member_str(data, key, "0");

	return strtoll(text, NULL, 10);
}

static char *get_text(const struct o2_doc *data, const char *key)
{
	return o2_xstrdup(o2_doc_member_str(data, key, ""));
}

int o2_record_head_from_doc(const struct o2_doc *map, struct o2_record_head *out,
			    struct o2_err *err)
{
	const struct o2_doc *data = o2_doc_member(map, "data");
	const char *name = o2_doc_str(map, "/metadata/name", "?");
	const char *id = o2_doc_str(map, "/metadata/labels/os2os.io~1txn", "");
	const char *options = o2_doc_member_str(data, "options", "{}");
	const char *report = o2_doc_member_str(data, "report", NULL);
	enum o2_record_state state;

	if (state_from_name(o2_doc_member_str(data, "state", ""), &state) < 0 || id[0] == '\0' ||
	    strlen(id) >= O2_RECORD_ID_SIZE)
		return o2_fail(err, O2_ECORRUPT,
			       "record '%s' can't be read: state or id is missing", name);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *options_doc = o2_doc_parse(options, strlen(options), err);
	if (!options_doc)
		return o2_prefix(err, "record '%s'", name);

	memset(out, 0, sizeof(*out));
	snprintf(out->id, sizeof(out->id), "%s", id);
	out->state = state;
	out->epoch = (int)get_number(data, "epoch");
	out->holder = get_text(data, "holder");
	out->mode = get_text(data, "mode");
	out->source_name = get_text(data, "sourceName");
	out->target_name = get_text(data, "targetName");
	out->source_cluster = get_text(data, "sourceCluster");
	out->target_cluster = get_text(data, "targetCluster");
	o2_strs_split(&out->source_namespaces, o2_doc_member_str(data, "sourceNamespaces", ""),
		      ",");
	o2_strs_split(&out->target_namespaces, o2_doc_member_str(data, "targetNamespaces", ""),
		      ",");
	out->options = O2_STEAL(options_doc);
	out->plan_digest = get_text(data, "planDigest");
	out->write_set_digest = get_text(data, "writeSetDigest");
	out->write_set_chunks = (int)get_number(data, "writeSetChunks");
	out->phase = get_text(data, "phase");
	out->reason = get_text(data, "reason");
	out->clean = strcmp(o2_doc_member_str(data, "clean", "false"), "true") == 0;
	out->retirable = strcmp(o2_doc_member_str(data, "retirable", "false"), "true") == 0;
	out->frozen_since = get_number(data, "frozenSince");
	out->frozen = get_text(data, "frozen");
	out->deadline = get_number(data, "deadline");
	out->created = get_number(data, "created");
	out->changed = get_number(data, "changed");
	out->report = report ? o2_doc_parse(report, strlen(report), NULL) : NULL;
	return 0;
}

void o2_record_head_release(struct o2_record_head *head)
{
	free(head->holder);
	free(head->mode);
	free(head->source_name);
	free(head->target_name);
	free(head->source_cluster);
	free(head->target_cluster);
	o2_strs_release(&head->source_namespaces);
	o2_strs_release(&head->target_namespaces);
	o2_doc_free(head->options);
	free(head->plan_digest);
	free(head->write_set_digest);
	free(head->phase);
	free(head->reason);
	free(head->frozen);
	o2_doc_free(head->report);
	memset(head, 0, sizeof(*head));
}
