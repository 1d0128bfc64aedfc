#include "backup.h"

#include <string.h>

#include "base/alloc.h"
#include "cluster.h"
#include "controllers.h"
#include "network.h"
#include "world.h"

#define PERIOD_US (500 * SIM_MS)
#define BACKUPS_MAX 40

/* Every object of both sides, at one moment. */
struct backup {
	struct o2_doc **docs[2];
	size_t count[2], cap[2];
};

static struct backup backups[BACKUPS_MAX];
static size_t taken;

/* Leases and events are of the moment: who reads them looks at the clock. */
static bool is_kept(const struct sim_kind *kind)
{
	return !kind->is_review && strcmp(kind->kind, "Event") != 0 &&
	       strcmp(kind->kind, "Node") != 0;
}

static void take_side(struct backup *backup, int side)
{
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);

	for (size_t i = 0; i < count; i++) {
		struct sim_object *at =
			is_kept(&kinds[i]) ? sim_first(sim_side(side), &kinds[i]) : NULL;
		for (; at; at = sim_next(at)) {
			O2_GROW(backup->docs[side], backup->count[side], backup->cap[side]);
			backup->docs[side][backup->count[side]++] = o2_doc_ref(at->doc);
		}
	}
}

static void take(void *arg)
{
	(void)arg;
	for (int side = 0; side < 2; side++)
		take_side(&backups[taken], side);
	if (++taken < BACKUPS_MAX)
		sim_after(PERIOD_US, take, NULL);
}

static void forget(struct backup *backup)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < backup->count[side]; i++)
			o2_doc_free(backup->docs[side][i]);
		free(backup->docs[side]);
	}
	*backup = (struct backup){ 0 };
}

void sim_backups_begin(void)
{
	for (size_t i = 0; i < taken; i++)
		forget(&backups[i]);
	taken = 0;
	take(NULL);
}

static const struct o2_doc *kept_of(const struct backup *backup, int side, const char *uid)
{
	for (size_t i = 0; i < backup->count[side]; i++) {
		if (strcmp(o2_doc_str(backup->docs[side][i], "/metadata/uid", ""), uid) == 0)
			return backup->docs[side][i];
	}
	return NULL;
}

/* What was made since is gone. */
static void remove_younger(const struct backup *backup, int side)
{
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);
	struct sim_object *next;

	for (size_t i = 0; i < count; i++) {
		struct sim_object *at =
			is_kept(&kinds[i]) ? sim_first(sim_side(side), &kinds[i]) : NULL;
		for (; at; at = next) {
			next = sim_next(at);
			if (!kept_of(backup, side, sim_uid(at)))
				sim_remove(at);
		}
	}
}

/* Kubelets tell the server what runs. */
static void resume_nodes(int side)
{
	struct sim_object *node = sim_first(sim_side(side), sim_kind("", "Node"));

	for (; node; node = sim_next(node))
		sim_resume_node(sim_side(side), node->name);
}

void sim_backup_restore(int side)
{
	const struct backup *backup = &backups[sim_random(taken)];

	remove_younger(backup, side);
	for (size_t i = 0; i < backup->count[side]; i++) {
		struct o2_doc *doc = o2_doc_copy(backup->docs[side][i]);
		struct sim_object *now =
			sim_find_uid(sim_side(side), o2_doc_str(doc, "/metadata/uid", ""));
		if (!now)
			sim_store(sim_side(side), doc);
		else
			sim_put(now, doc);
	}
	resume_nodes(side);
}
