/* A record's life: made, begun, finished or closed; loaded by a later process. */
#include "record/record_internal.h"

#include "crypto/crypto.h"

#include <unistd.h>

#define PATIENCE_DEFAULT_MS 60000
#define HASTE_PATIENCE_MS 5000
#define PHASE_CLEARING "clearing"

static void make_id(char out[O2_RECORD_ID_SIZE])
{
	/* No vowels and no look-alikes: an id is read aloud on bad nights. */
	static const char letters[] = "bcdfghjkmnpqrstvwxz23456789";
	unsigned char bytes[8];

	o2_random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	out[sizeof(bytes)] = '\0';
}

static char *make_self(void)
{
	char host[65] = "";
	char nonce[O2_RECORD_ID_SIZE];

	(void)!gethostname(host, sizeof(host) - 1); /* one that is cut will do, and so will none */
	make_id(nonce);
	return o2_xasprintf("%s:%d:%s", host, (int)getpid(), nonce);
}

struct o2_record *o2_record_new(struct o2_kube *source, struct o2_kube *target, const char *mode)
{
	struct o2_record *record = o2_xcalloc(1, sizeof(*record));
	struct o2_record_head *head = &record->head;

	record->kube[O2_SOURCE] = source;
	record->kube[O2_TARGET] = target;
	o2_record_set_patience(record, PATIENCE_DEFAULT_MS);
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		record->owners[side] = o2_doc_object_new();
	record->resource_version = o2_xstrdup("");
	record->self = make_self();
	make_id(head->id);
	head->epoch = 1;
	head->holder = o2_xstrdup(record->self);
	head->mode = o2_xstrdup(mode);
	head->source_name = o2_xstrdup("");
	head->target_name = o2_xstrdup("");
	head->source_cluster = o2_xstrdup("");
	head->target_cluster = o2_xstrdup("");
	head->options = o2_doc_object_new();
	head->plan_digest = o2_xstrdup("");
	head->write_set_digest = o2_xstrdup("");
	head->phase = o2_xstrdup("");
	head->reason = o2_xstrdup("");
	head->frozen = o2_xstrdup("");
	return record;
}

void o2_record_free(struct o2_record *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < record->entry_count; i++) {
		free(record->entries[i].step);
		free(record->entries[i].api_version);
		free(record->entries[i].kind);
		free(record->entries[i].ns);
		free(record->entries[i].name);
		free(record->entries[i].uid);
	}
	free(record->entries);
	o2_record_head_release(&record->head);
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		o2_doc_free(record->owners[side]);
	free(record->resource_version);
	o2_strs_release(&record->locks[O2_SOURCE]);
	o2_strs_release(&record->locks[O2_TARGET]);
	free(record->self);
	free(record);
}

void o2_record_set_patience(struct o2_record *record, int patience_ms)
{
	record->patience_ms = patience_ms;
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		if (record->kube[side])
			o2_kube_set_patience(record->kube[side], patience_ms);
	}
}

void o2_record_set_haste(struct o2_record *record, bool haste)
{
	record->haste = haste;
	o2_kube_set_patience(record->kube[O2_TARGET], o2_record_patience_ms(record));
}

int o2_record_patience_ms(const struct o2_record *record)
{
	return record->haste && record->patience_ms > HASTE_PATIENCE_MS ? HASTE_PATIENCE_MS
									: record->patience_ms;
}

const struct o2_record_head *o2_record_head(const struct o2_record *record)
{
	return &record->head;
}

const char *o2_record_id(const struct o2_record *record)
{
	return record->head.id;
}

struct o2_kube *o2_record_kube(const struct o2_record *record, enum o2_side side)
{
	return record->kube[side];
}

char *o2_record_name(const struct o2_record *record, const char *suffix)
{
	return o2_xasprintf("os2os-txn-%s-%s", record->head.id, suffix);
}

const char *o2_record_home(const struct o2_record *record, enum o2_side side)
{
	const struct o2_strs *namespaces = side == O2_SOURCE ? &record->head.source_namespaces
							     : &record->head.target_namespaces;

	assert(namespaces->count > 0);
	return namespaces->items[0];
}

const struct o2_kube_kind *o2_record_kind(struct o2_kube *kube, const char *kind)
{
	const struct o2_kube_kind *found = o2_kube_kind_find(kube, "", kind);

	assert(found); /* a server without ConfigMaps or Namespaces is not Kubernetes; o2_kube_open() has checked it */
	return found;
}

bool o2_record_owns(const struct o2_record *record, const struct o2_doc *object)
{
	return strcmp(o2_doc_str(object, "/metadata/labels/os2os.io~1txn", ""), record->head.id) ==
	       0;
}

void o2_record_mark(const struct o2_record *record, struct o2_doc *object, const char *role)
{
	o2_doc_put_str(object, "/metadata/labels/os2os.io~1txn", record->head.id);
	if (role)
		o2_doc_put_str(object, "/metadata/labels/os2os.io~1record", role);
}

static void replace_text(char **text, const char *value)
{
	free(*text);
	*text = o2_xstrdup(value);
}

int o2_record_begin(struct o2_record *record, const struct o2_record_begin *begin,
		    struct o2_err *err)
{
	struct o2_record_head *head = &record->head;
	struct o2_doc *made = NULL;
	char cluster[65], stamp[33];

	for (size_t i = 0; i < begin->source_namespaces->count; i++)
		o2_strs_add(&head->source_namespaces, begin->source_namespaces->items[i]);
	for (size_t i = 0; i < begin->target_namespaces->count; i++)
		o2_strs_add(&head->target_namespaces, begin->target_namespaces->items[i]);
	replace_text(&head->source_name, begin->source_name);
	replace_text(&head->target_name, begin->target_name);
	replace_text(&head->plan_digest, begin->plan_digest);
	o2_doc_free(head->options);
	head->options = o2_doc_copy(begin->options);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		if (o2_kube_cluster_id(record->kube[side], cluster, err) < 0)
			return err->code;
		replace_text(side == O2_SOURCE ? &head->source_cluster : &head->target_cluster,
			     cluster);
	}
	head->created = head->changed = o2_clock_unix();
	if (o2_record_write_set_store(record, err) < 0)
		return o2_prefix(err, "cannot write the write set");

	head->state = O2_STATE_OPEN;
	o2_record_make_stamp(stamp);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, stamp);
	int code = o2_record_create_one(record, O2_SOURCE, "ConfigMap", map, &made, err);
	if (code == 0 && strcmp(o2_doc_str(made, "/data/stamp", ""), stamp) != 0) {
		/* Barred by a recovery that took us for dead before it, or taken over by one right after it. */
		record->is_lost = strcmp(o2_doc_str(made, "/data/state", ""), "ABORTED") != 0;
		o2_doc_free(made);
		made = NULL;
		code = o2_fail(err, O2_ECONFLICT, "a recovery took transaction %s for dead",
			       head->id);
	}
	if (code < 0) {
		if (code != -O2_ETRANSIENT && !record->is_lost)
			head->state = O2_STATE_ABSENT;
		return o2_prefix(err, "cannot write the record");
	}
	replace_text(&record->resource_version, o2_doc_str(made, "/metadata/resourceVersion", ""));
	o2_doc_free(made);
	return 0;
}

void o2_record_set_source(struct o2_record *record, struct o2_kube *source)
{
	record->kube[O2_SOURCE] = source;
}

int o2_record_renew(struct o2_record *record, const char *reason, struct o2_err *err)
{
	struct o2_record_head *head = &record->head;
	struct o2_doc *made = NULL;
	char stamp[33];

	if (head->state == O2_STATE_OPEN) {
		head->state = O2_STATE_ABORTED;
		replace_text(&head->reason, reason);
	}
	head->clean = false;
	o2_record_write_set_forget(record);
	o2_record_make_stamp(stamp);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, stamp);
	if (o2_record_create_one(record, O2_SOURCE, "ConfigMap", map, &made, err) < 0)
		return o2_prefix(err, "cannot write the record again");
	bool is_ours = strcmp(o2_doc_str(made, "/data/stamp", ""), stamp) == 0;
	replace_text(&record->resource_version, o2_doc_str(made, "/metadata/resourceVersion", ""));
	o2_doc_free(made);
	if (!is_ours)
		return o2_fail(err, O2_ECONFLICT,
			       "the record of transaction %s is there again; run it again",
			       head->id);
	return o2_record_clear_chunks(record, o2_record_home(record, O2_SOURCE), err);
}

bool o2_record_is_renewed(const struct o2_record *record)
{
	return record->kube[O2_SOURCE] && record->head.write_set_chunks == 0;
}

int o2_record_set_phase(struct o2_record *record, const char *phase, struct o2_err *err)
{
	/* Once it is cleared away, whoever comes next must not look for a write set. */
	if (strcmp(record->head.phase, PHASE_CLEARING) != 0)
		replace_text(&record->head.phase, phase);
	return o2_record_swap(record, err);
}

int o2_record_set_freeze(struct o2_record *record, int64_t since, int64_t deadline,
			 const char *what, struct o2_err *err)
{
	replace_text(&record->head.frozen, what);
	record->head.frozen_since = since;
	record->head.deadline = deadline;
	return o2_record_swap(record, err);
}

int o2_record_mirror(struct o2_record *record, struct o2_err *err)
{
	return o2_record_write_mirror(record, err);
}

static void keep_report(struct o2_record *record, const struct o2_doc *report)
{
	if (!report)
		return;
	o2_doc_free(record->head.report);
	record->head.report = o2_doc_copy(report);
}

static int unlock_side(struct o2_record *record, enum o2_side side, struct o2_err *err)
{
	const struct o2_strs *namespaces = side == O2_SOURCE ? &record->head.source_namespaces
							     : &record->head.target_namespaces;

	for (size_t i = 0; i < namespaces->count; i++) {
		if (o2_record_unlock(record, side, namespaces->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

/* The owners and every helper: nothing of them outlives the transaction. */
static int remove_own(struct o2_record *record, enum o2_side side, struct o2_err *err)
{
	const struct o2_strs *namespaces = side == O2_SOURCE ? &record->head.source_namespaces
							     : &record->head.target_namespaces;

	if (o2_record_clear_helpers(record, side, err) < 0)
		return err->code;
	for (size_t i = 0; i < namespaces->count; i++) {
		if (o2_record_remove_owner(record, side, namespaces->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

/*
 * What is no longer needed once everything is done or undone. R1 says so first: a later process must not miss a write set
 * that was already dropped. A move keeps it: it names what `finalize` takes away.
 */
static int clear_away(struct o2_record *record, struct o2_err *err)
{
	if (o2_record_set_phase(record, PHASE_CLEARING, err) < 0 ||
	    (!record->head.retirable && o2_record_write_set_drop(record, err) < 0))
		return err->code;
	if (unlock_side(record, O2_TARGET, err) < 0)
		return err->code;
	return unlock_side(record, O2_SOURCE, err);
}

static bool has_to_retire(const struct o2_record *record)
{
	for (size_t i = 0; i < record->entry_count; i++) {
		if (strcmp(record->entries[i].step, O2_RECORD_RETIRE) == 0)
			return true;
	}
	return record->head.retirable;
}

int o2_record_finish(struct o2_record *record, const struct o2_doc *report, struct o2_err *err)
{
	assert(record->head.state == O2_STATE_COMMITTED || record->head.state == O2_STATE_DONE);
	if (remove_own(record, O2_TARGET, err) < 0 ||
	    (record->kube[O2_SOURCE] && remove_own(record, O2_SOURCE, err) < 0))
		return err->code;
	keep_report(record, report);
	record->head.retirable = has_to_retire(record);
	/* R2 first: while R1 is not clean, a crash between the two leads back here. */
	enum o2_record_state before = record->head.state;
	if (!record->kube[O2_SOURCE])
		return 0; /* R2 stays COMMITTED until R1 can be closed as well */
	record->head.state = O2_STATE_DONE;
	record->head.clean = true;
	int code = o2_record_write_mirror(record, err);
	record->head.clean = false;
	record->head.state = before;
	if (code < 0 || clear_away(record, err) < 0)
		return err->code;
	record->head.clean = true;
	record->head.deadline = 0;
	replace_text(&record->head.phase, record->head.retirable ? "frozen" : "finished");
	if (before == O2_STATE_COMMITTED)
		return o2_record_move_state(record, O2_STATE_COMMITTED, O2_STATE_DONE, err);
	return o2_record_swap(record, err);
}

int o2_record_close(struct o2_record *record, const struct o2_doc *report, struct o2_err *err)
{
	assert(record->head.state == O2_STATE_ABORTED || !record->kube[O2_SOURCE]);
	keep_report(record, report);
	record->head.state = O2_STATE_ABORTED;
	record->head.clean = true;
	int code = o2_record_write_mirror(record, err);
	record->head.clean = false;
	/* R1 is lost, or comes to the same end by itself when A is back. */
	if (code == 0 && !record->kube[O2_SOURCE])
		return unlock_side(record, O2_TARGET, err);
	if (code < 0 || remove_own(record, O2_SOURCE, err) < 0 || clear_away(record, err) < 0)
		return err->code;
	record->head.clean = true;
	record->head.frozen_since = record->head.deadline = 0;
	replace_text(&record->head.phase, "undone");
	return o2_record_swap(record, err);
}

int o2_record_retired(struct o2_record *record, struct o2_err *err)
{
	assert(record->head.state == O2_STATE_DONE);
	if (o2_record_write_set_drop(record, err) < 0)
		return err->code;
	record->head.retirable = false;
	replace_text(&record->head.phase, "retired");
	return o2_record_swap(record, err);
}

struct o2_record *o2_record_load(struct o2_kube *source, struct o2_kube *target, const char *ns,
				 const char *id, struct o2_err *err)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(source, target, "");
	struct o2_record_head head = { 0 };

	assert(strlen(id) < O2_RECORD_ID_SIZE);
	snprintf(record->head.id, sizeof(record->head.id), "%s", id);
	struct o2_kube *kube = source ? source : target;
	O2_AUTO(o2_freep) char *name = o2_record_name(record, source ? "source" : "target");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *map =
		o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"), ns, name, err);
	if (!map || o2_record_head_from_doc(map, &head, err) < 0)
		return NULL;
	o2_record_head_release(&record->head);
	record->head = head;
	if (!source)
		return O2_STEAL(record);
	replace_text(&record->resource_version, o2_doc_str(map, "/metadata/resourceVersion", ""));
	if ((head.retirable || (!head.clean && strcmp(head.phase, PHASE_CLEARING) != 0)) &&
	    o2_record_write_set_load(record, err) < 0)
		return NULL;
	return O2_STEAL(record);
}
