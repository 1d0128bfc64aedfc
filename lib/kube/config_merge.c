/* kubeconfig: reading the files and putting them together. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "kube/config_internal.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)

void o2_kube_merged_init(struct o2_kube_merged *merged)
{
	*merged = (struct o2_kube_merged){
		.clusters = o2_doc_object_new(),
		.users = o2_doc_object_new(),
		.contexts = o2_doc_object_new(),
		.current = o2_xstrdup(""),
		.files = o2_xstrdup(""),
	};
}

void o2_kube_merged_release(struct o2_kube_merged *merged)
{
	o2_doc_free(merged->clusters);
	o2_doc_free(merged->users);
	o2_doc_free(merged->contexts);
	free(merged->current);
	free(merged->files);
	*merged = (struct o2_kube_merged){ 0 };
}

char *o2_kube_merged_names(const struct o2_doc *object)
{
	struct o2_strs names = { 0 };
	struct o2_buf text;

	for (struct o2_doc_iter it = o2_doc_iter(object); o2_doc_next(&it);)
		o2_strs_add(&names, it.name);
	o2_strs_sort(&names);
	o2_buf_init(&text, 65536);
	for (size_t i = 0; i < names.count; i++)
		o2_buf_addf(&text, "%s%s", i ? ", " : "", names.items[i]);
	if (names.count == 0)
		o2_buf_adds(&text, "none");
	o2_strs_release(&names);
	char *stolen = o2_buf_steal(&text);
	o2_buf_release(&text);
	return stolen;
}

/* A path is relative to the file that says it. */
static void resolve_path(struct o2_doc *entry, const char *pointer, const char *file)
{
	const char *path = o2_doc_str(entry, pointer, "");

	if (path[0] == '\0')
		return;
	O2_AUTO(o2_freep) char *full = o2_file_beside(file, path);
	o2_doc_put_str(entry, pointer, full);
}

static void resolve_paths(struct o2_doc *entry, const char *file)
{
	resolve_path(entry, "/certificate-authority", file);
	resolve_path(entry, "/client-certificate", file);
	resolve_path(entry, "/client-key", file);
	resolve_path(entry, "/tokenFile", file);
	if (strchr(o2_doc_str(entry, "/exec/command", ""), '/')) /* else it is looked for in PATH */
		resolve_path(entry, "/exec/command", file);
}

/* The entries of `list` ("clusters") that are new, each under its name. */
static int add_entries(struct o2_doc *into, const struct o2_doc *doc, const char *list,
		       const char *member, const char *file, struct o2_err *err)
{
	const struct o2_doc *entries = o2_doc_member(doc, list);
	O2_AUTO(o2_doc_freep) struct o2_doc *seen = o2_doc_object_new();

	if (entries && o2_doc_type(entries) != O2_DOC_ARRAY && o2_doc_type(entries) != O2_DOC_NULL)
		return o2_fail(err, O2_EINVALID, "kubeconfig '%s': '%s' is not a list", file, list);
	for (size_t i = 0; i < o2_doc_count(entries); i++) {
		const struct o2_doc *entry = o2_doc_item(entries, i);
		const char *name = o2_doc_str(entry, "/name", NULL);
		const struct o2_doc *value = o2_doc_member(entry, member);
		if (name == NULL)
			return o2_fail(err, O2_EINVALID,
				       "kubeconfig '%s': entry %zu of '%s' has no name", file,
				       i + 1, list);
		if (o2_doc_member(seen, name))
			return o2_fail(err, O2_EINVALID, "kubeconfig '%s': '%s' names '%s' twice",
				       file, list, name);
		o2_doc_set(seen, name, o2_doc_bool_new(true));
		if (o2_doc_member(into, name))
			continue;
		struct o2_doc *copy = o2_doc_type(value) == O2_DOC_OBJECT ? o2_doc_copy(value)
									  : o2_doc_object_new();
		resolve_paths(copy, file);
		o2_doc_set(into, name, copy);
	}
	return 0;
}

static struct o2_doc *parse(const char *text, size_t len, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = NULL;
	size_t space = strspn(text, " \t\r\n");

	if (text[space] == '{')
		return o2_doc_parse(text, len, err);
	docs = o2_doc_parse_yaml(text, len, err);
	if (docs == NULL)
		return NULL;
	return o2_doc_count(docs) > 0 ? o2_doc_ref(o2_doc_item(docs, 0)) : o2_doc_object_new();
}

static void note_file(struct o2_kube_merged *merged, const char *path)
{
	char *files = o2_xasprintf("%s%s'%s'", merged->files, merged->files[0] ? ", " : "", path);

	free(merged->files);
	merged->files = files;
}

int o2_kube_merged_add(struct o2_kube_merged *merged, const char *path, bool required,
		       struct o2_err *err)
{
	O2_AUTO(o2_freep) char *text = NULL;
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = NULL;
	struct o2_err cause = { 0 };
	size_t len = 0;

	note_file(merged, path);
	if (o2_file_read(path, FILE_MAX_BYTES, &text, &len, &cause) < 0) {
		if (cause.code == -O2_ENOTFOUND && !required)
			return 0;
		return o2_fail(err, (enum o2_code) - cause.code, "cannot read the kubeconfig: %s",
			       cause.message);
	}
	doc = parse(text, len, &cause);
	if (doc == NULL)
		return o2_fail(err, O2_EINVALID, "kubeconfig '%s' can't be read: %s", path,
			       cause.message);
	if (o2_doc_type(doc) != O2_DOC_OBJECT)
		return o2_fail(err, O2_EINVALID,
			       "kubeconfig '%s' is not a kubeconfig: it holds no mapping", path);
	merged->found++;
	if (add_entries(merged->clusters, doc, "clusters", "cluster", path, err) < 0 ||
	    add_entries(merged->users, doc, "users", "user", path, err) < 0 ||
	    add_entries(merged->contexts, doc, "contexts", "context", path, err) < 0)
		return err ? err->code : -O2_EINVALID;
	const char *current = o2_doc_str(doc, "/current-context", "");
	if (merged->current[0] == '\0' && current[0]) {
		free(merged->current);
		merged->current = o2_xstrdup(current);
	}
	return 0;
}

int o2_kube_merged_load(struct o2_kube_merged *merged, const char *kubeconfig, struct o2_err *err)
{
	const char *variable = getenv("KUBECONFIG");
	const char *home = getenv("HOME");
	struct o2_strs files = { 0 };
	int code = 0;

	if (kubeconfig)
		return o2_kube_merged_add(merged, kubeconfig, true, err);
	if (variable && variable[0]) {
		struct o2_strs parts = { 0 };
		o2_strs_split(&parts, variable, ":");
		for (size_t i = 0; i < parts.count; i++)
			o2_strs_add_unique(&files, parts.items[i]);
		o2_strs_release(&parts);
	} else if (home && home[0]) {
		o2_strs_addf(&files, "%s/.kube/config", home);
	}
	for (size_t i = 0; i < files.count && code == 0; i++)
		code = o2_kube_merged_add(merged, files.items[i], false, err);
	if (code == 0 && merged->found == 0 && variable && variable[0])
		o2_log(O2_WARN, "none of the files that KUBECONFIG names is there: %s",
		       merged->files);
	o2_strs_release(&files);
	return code;
}
