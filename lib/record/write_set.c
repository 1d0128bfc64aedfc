/*
 * The write set: everything that the transaction will touch, stored beside R1 before the first side effect, so that any process
 * on any machine can undo it. No secret values: only what names the objects.
 */
#include "record/record_internal.h"

#include "crypto/crypto.h"

void o2_record_declare(struct o2_record *record, const struct o2_record_entry *entry)
{
	O2_GROW(record->entries, record->entry_count, record->entry_cap);
	record->entries[record->entry_count++] = (struct o2_record_entry){
		.step = o2_xstrdup(entry->step),
		.side = entry->side,
		.api_version = o2_xstrdup(entry->api_version),
		.kind = o2_xstrdup(entry->kind),
		.ns = o2_xstrdup_null(entry->ns),
		.name = o2_xstrdup(entry->name),
		.uid = o2_xstrdup_null(entry->uid),
		.ready = entry->ready,
		.wave = entry->wave,
	};
}

size_t o2_record_entry_count(const struct o2_record *record)
{
	return record->entry_count;
}

const struct o2_record_entry *o2_record_entry(const struct o2_record *record, size_t index)
{
	assert(index < record->entry_count);
	return &record->entries[index];
}

static struct o2_doc *entry_to_doc(const struct o2_record_entry *entry)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "step", entry->step);
	o2_doc_set_str(doc, "side", entry->side == O2_SOURCE ? "source" : "target");
	o2_doc_set_str(doc, "apiVersion", entry->api_version);
	o2_doc_set_str(doc, "kind", entry->kind);
	if (entry->ns)
		o2_doc_set_str(doc, "namespace", entry->ns);
	o2_doc_set_str(doc, "name", entry->name);
	if (entry->uid)
		o2_doc_set_str(doc, "uid", entry->uid);
	if (entry->ready > 0)
		o2_doc_put_int(doc, "/ready", entry->ready);
	o2_doc_put_int(doc, "/wave", entry->wave);
	return doc;
}

/* One chunk, and into the digest. */
static int store_chunk(struct o2_record *record, int number, const struct o2_buf *lines,
		       struct o2_sha256 *hash, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *suffix = o2_xasprintf("ws-%d", number);
	O2_AUTO(o2_freep) char *name = o2_record_name(record, suffix);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", name);
	o2_doc_put_str(map, "/metadata/namespace", o2_record_home(record, O2_SOURCE));
	o2_record_mark(record, map, "write-set");
	o2_doc_put_str(map, "/data/entries", lines->data);
	o2_doc_put_bool(map, "/immutable", true);
	o2_sha256_add(hash, lines->data, lines->len);
	return o2_record_create_one(record, O2_SOURCE, "ConfigMap", map, NULL, err);
}

int o2_record_write_set_store(struct o2_record *record, struct o2_err *err)
{
	char digest[O2_SHA256_HEX_SIZE];
	struct o2_sha256 *hash = o2_sha256_new();
	struct o2_buf lines;
	int number = 0, code = 0;

	o2_buf_init(&lines, O2_RECORD_CHUNK_MAX + 4096);
	for (size_t i = 0; i < record->entry_count && code == 0; i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = entry_to_doc(&record->entries[i]);
		O2_AUTO(o2_freep) char *line = o2_doc_dump(doc);

		if (lines.len + strlen(line) + 1 > O2_RECORD_CHUNK_MAX) {
			record->head.write_set_chunks = number + 1;
			code = store_chunk(record, number++, &lines, hash, err);
			o2_buf_clear(&lines);
		}
		o2_buf_adds(&lines, line);
		o2_buf_addc(&lines, '\n');
	}
	/* Counted before it is stored: an undo must look for the one whose answer was lost. */
	if (code == 0) {
		record->head.write_set_chunks = number + 1;
		code = store_chunk(record, number, &lines, hash, err);
	}
	o2_buf_release(&lines);
	o2_sha256_final(hash, digest);
	free(record->head.write_set_digest);
	record->head.write_set_digest = o2_xstrdup(digest);
	return code;
}

static int load_line(struct o2_record *record, const char *line, size_t len, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_parse(line, len, err);

	if (!doc)
		return o2_prefix(err, "the write set of transaction %s can't be read",
				 record->head.id);
	O2_GROW(record->entries, record->entry_count, record->entry_cap);
	record->entries[record->entry_count++] = (struct o2_record_entry){
		.step = o2_xstrdup(o2_doc_member_str(doc, "step", "")),
		.side = strcmp(o2_doc_member_str(doc, "side", ""), "source") == 0 ? O2_SOURCE
										  : O2_TARGET,
		.api_version = o2_xstrdup(o2_doc_member_str(doc, "apiVersion", "")),
		.kind = o2_xstrdup(o2_doc_member_str(doc, "kind", "")),
		.ns = o2_xstrdup_null(o2_doc_member_str(doc, "namespace", NULL)),
		.name = o2_xstrdup(o2_doc_member_str(doc, "name", "")),
		.uid = o2_xstrdup_null(o2_doc_member_str(doc, "uid", NULL)),
		.ready = (int)o2_doc_int(doc, "/ready", 0),
		.wave = (int)o2_doc_int(doc, "/wave", 0),
	};
	return 0;
}

int o2_record_write_set_load(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];
	struct o2_sha256 *hash = o2_sha256_new();
	char digest[O2_SHA256_HEX_SIZE];
	int code = 0;

	for (int number = 0; number < record->head.write_set_chunks && code == 0; number++) {
		O2_AUTO(o2_freep) char *suffix = o2_xasprintf("ws-%d", number);
		O2_AUTO(o2_freep) char *name = o2_record_name(record, suffix);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *map = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"),
						   o2_record_home(record, O2_SOURCE), name, err);
		const char *text = o2_doc_str(map, "/data/entries", "");

		if (!map) {
			code = o2_prefix(err, "the write set of transaction %s is not complete",
					 record->head.id);
			break;
		}
		o2_sha256_add(hash, text, strlen(text));
		for (const char *end; code == 0 && (end = strchr(text, '\n')); text = end + 1)
			code = load_line(record, text, (size_t)(end - text), err);
	}
	o2_sha256_final(hash, digest);
	if (code == 0 && strcmp(digest, record->head.write_set_digest) != 0)
		code = o2_fail(err, O2_ECORRUPT,
			       "the write set of transaction %s does not match its digest",
			       record->head.id);
	return code;
}

void o2_record_write_set_forget(struct o2_record *record)
{
	char digest[O2_SHA256_HEX_SIZE];

	o2_sha256_final(o2_sha256_new(), digest);
	free(record->head.write_set_digest);
	record->head.write_set_digest = o2_xstrdup(digest);
	record->head.write_set_chunks = 0;
}

int o2_record_write_set_drop(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];

	for (int number = 0; number < record->head.write_set_chunks; number++) {
		O2_AUTO(o2_freep) char *suffix = o2_xasprintf("ws-%d", number);
		O2_AUTO(o2_freep) char *name = o2_record_name(record, suffix);

		if (o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"),
					 o2_record_home(record, O2_SOURCE), name, err) < 0)
			return err->code;
	}
	return 0;
}
