/* The opening of B, kept in B: chunks of what is to be done after the decision. */
#include "record/record_internal.h"

static char *chunk_name(const struct o2_record *record, int number)
{
	O2_AUTO(o2_freep) char *suffix = o2_xasprintf("open-%d", number);

	return o2_record_name(record, suffix);
}

static int store_chunk(struct o2_record *record, int number, const char *lines, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *name = chunk_name(record, number);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_doc_object_new();
	struct o2_record_object object = { .kind = o2_record_kind(record->kube[O2_TARGET],
								  "ConfigMap"),
					   .ns = o2_record_home(record, O2_TARGET),
					   .name = name,
					   .object = map };

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", name);
	o2_doc_put_str(map, "/metadata/namespace", object.ns);
	o2_record_mark(record, map, "opening");
	o2_doc_put_str(map, "/data/items", lines);
	return o2_record_create_many(record, &object, 1, true, O2_STATE_OPEN, err);
}

int o2_record_store_opening(struct o2_record *record, const struct o2_doc *items,
			    struct o2_err *err)
{
	struct o2_buf lines;
	int number = 0, code = 0;

	o2_buf_init(&lines, O2_RECORD_CHUNK_MAX + (2U << 20));
	for (size_t i = 0; i < o2_doc_count(items) && code == 0; i++) {
		O2_AUTO(o2_freep) char *line = o2_doc_dump(o2_doc_item(items, i));

		if (lines.len > 0 && lines.len + strlen(line) + 1 > O2_RECORD_CHUNK_MAX) {
			code = store_chunk(record, number++, lines.data, err);
			o2_buf_clear(&lines);
		}
		o2_buf_adds(&lines, line);
		o2_buf_addc(&lines, '\n');
	}
	if (code == 0)
		code = store_chunk(record, number, lines.data, err);
	o2_buf_release(&lines);
	return code;
}

/* 1: there was such a chunk, 0: there was none. */
static int load_chunk(struct o2_record *record, int number, struct o2_doc *items,
		      struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	O2_AUTO(o2_freep) char *name = chunk_name(record, number);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *map = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"),
					   o2_record_home(record, O2_TARGET), name, err);
	const char *text = o2_doc_str(map, "/data/items", "");

	if (!map && err->code != -O2_ENOTFOUND)
		return err->code;
	if (!map) {
		o2_err_clear(err);
		return 0;
	}
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		struct o2_doc *item = o2_doc_parse(text, (size_t)(end - text), err);

		if (!item)
			return o2_prefix(err, "'%s' can't be read", name);
		o2_doc_append(items, item);
	}
	return 1;
}

struct o2_doc *o2_record_load_opening(struct o2_record *record, bool *out_dropped,
				      struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *items = o2_doc_array_new();
	int code = load_chunk(record, 0, items, err);

	*out_dropped = code == 0;
	for (int number = 1; code == 1; number++)
		code = load_chunk(record, number, items, err);
	return code < 0 ? NULL : O2_STEAL(items);
}

int o2_record_drop_opening(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	const struct o2_kube_kind *kind = o2_record_kind(kube, "ConfigMap");

	for (int number = 0;; number++) {
		O2_AUTO(o2_freep) char *name = chunk_name(record, number);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *map = o2_record_get(record, kube, kind,
						   o2_record_home(record, O2_TARGET), name, err);

		if (!map && err->code != -O2_ENOTFOUND)
			return err->code;
		if (!map) {
			o2_err_clear(err);
			return 0;
		}
		if (o2_record_delete_own(record, kube, kind, o2_record_home(record, O2_TARGET),
					 name, err) < 0)
			return err->code;
	}
}
