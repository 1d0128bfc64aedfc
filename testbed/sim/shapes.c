/* The table, and how a shape comes to life. */
#include "shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cluster.h"
#include "network.h"
#include "world.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define SETTLE_US (60 * SIM_S)

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define BOTH "--from", "a", "--to", "b"
#define NONE ((const char *const[]){ NULL })

static const struct sim_shape shapes[] = {
	{ "web", "web", "move", NONE, NONE, NULL, NULL, NULL, NULL },
	{ "database", "database", "move", NONE, NONE, "data-db-0", NULL, NULL, NULL },
	{ "database-present", "database", "move", NONE, WORDS("shop/theirs"), "data-db-0", NULL,
	  NULL, NULL },
	{ "many", "many", "move", NONE, NONE, "files", NULL, NULL, NULL },
	{ "neighbours", "neighbours", "move", WORDS("-l", "app=till"), NONE, "till", "till", NULL,
	  NULL },
	{ "unwatched", "database", "move", WORDS("--no-watchdog"), NONE, "data-db-0", NULL, NULL,
	  NULL },
	{ "relayed", "database", "move", WORDS("--relay"), NONE, "data-db-0", NULL, NULL, NULL },
	{ "watched-guard", "database", "move", WORDS("--guard", "watch"), NONE, "data-db-0", NULL,
	  NULL, NULL },
	{ "renamed", "web", "move", WORDS("--to-namespace", "till"), NONE, NULL, NULL, NULL, NULL },
	{ "copy", "web", "copy", NONE, NONE, NULL, NULL, NULL, NULL },
	{ "copy-data", "database", "copy", NONE, NONE, "data-db-0", NULL, NULL, NULL },
	{ "copy-empty", "many", "copy", WORDS("--volumes", "empty"), NONE, NULL, NULL, NULL, NULL },
	{ "finalize", "many", "move", NONE, NONE, "files", NULL, NULL,
	  WORDS("finalize", BOTH, "--yes") },
	{ "resume", "database", "move", NONE, NONE, "data-db-0", NULL, "start.after",
	  WORDS("resume", BOTH) },
	{ "resume-decided", "web", "move", NONE, NONE, NULL, NULL, "open.before",
	  WORDS("resume", BOTH) },
	{ "rollback", "database", "move", NONE, NONE, "data-db-0", NULL, "final.before",
	  WORDS("rollback", BOTH) },
	{ "cancel", "web", "move", NONE, NONE, NULL, NULL, "start.before", WORDS("cancel", BOTH) },
	{ "without-a", "web", "move", NONE, NONE, NULL, NULL, "open.after",
	  WORDS("recover", "--to", "b") },
	{ "without-a-open", "web", "move", NONE, NONE, NULL, NULL, "freeze.after",
	  WORDS("recover", "--to", "b") },
	{ "without-b", "web", "move", NONE, NONE, NULL, NULL, "start.after",
	  WORDS("recover", "--from", "a") },
	{ "without-b-decided", "web", "move", NONE, NONE, NULL, NULL, "open.before",
	  WORDS("recover", "--from", "a") },
};

const struct sim_shape *sim_shapes(size_t *out_count)
{
	*out_count = O2_COUNT(shapes);
	return shapes;
}

const struct sim_shape *sim_shape(const char *name)
{
	for (size_t i = 0; i < O2_COUNT(shapes); i++) {
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	}
	return NULL;
}

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "battery: %s: %s\n", what, why);
	exit(2);
}

static void make(struct sim_cluster *cluster, struct o2_doc *doc)
{
	struct sim_refusal refusal;
	O2_AUTO(o2_freep) char *name = o2_xstrdup(o2_doc_str(doc, "/metadata/name", "?"));

	if (!sim_create(cluster, doc, "kubectl", &refusal))
		give_up(name, refusal.message);
}

static void make_namespace(struct sim_cluster *cluster, const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "apiVersion", "v1");
	o2_doc_set_str(doc, "kind", "Namespace");
	o2_doc_put_str(doc, "/metadata/name", name);
	make(cluster, doc);
}

/* "ns" or "ns/config-map". */
static void make_present(const char *word)
{
	const char *slash = strchr(word, '/');
	O2_AUTO(o2_freep)
	char *ns = o2_xstrndup(word, slash ? (size_t)(slash - word) : strlen(word));
	struct o2_doc *doc;

	make_namespace(sim_side(1), ns);
	if (!slash)
		return;
	doc = o2_doc_object_new();
	o2_doc_set_str(doc, "apiVersion", "v1");
	o2_doc_set_str(doc, "kind", "ConfigMap");
	o2_doc_put_str(doc, "/metadata/name", slash + 1);
	o2_doc_put_str(doc, "/metadata/namespace", ns);
	o2_doc_put_str(doc, "/data/theirs", "not ours");
	make(sim_side(1), doc);
}

static struct o2_doc *load(const struct sim_shape *shape, const char *folder)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/%s.yaml", folder, shape->file);
	O2_AUTO(o2_freep) char *text = NULL;
	struct o2_err err = { 0 };
	struct o2_doc *docs = NULL;
	size_t len;

	if (o2_file_read(path, FILE_MAX_BYTES, &text, &len, &err) == 0)
		docs = o2_doc_parse_yaml(text, len, &err);
	if (!docs)
		give_up(path, err.message);
	return docs;
}

void sim_shape_raise(const struct sim_shape *shape, const char *folder)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = load(shape, folder);

	make_namespace(sim_side(0), SIM_SHAPE_NS);
	for (size_t i = 0; i < o2_doc_count(docs); i++)
		make(sim_side(0), o2_doc_copy(o2_doc_item(docs, i)));
	for (size_t i = 0; shape->present[i]; i++)
		make_present(shape->present[i]);
	sim_pass_time(SETTLE_US);
}
