/* Paths of the Kubernetes API. */
#include "address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Decode `len` bytes into `out`, cut at its size. */
static void decode(const char *text, size_t len, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + 1 < size; i++) {
		bool coded = text[i] == '%' && i + 2 < len + 1 &&
			     isxdigit((unsigned char)text[i + 1]) &&
			     isxdigit((unsigned char)text[i + 2]);
		out[at++] = coded            ? (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]))
			    : text[i] == '+' ? ' '
					     : text[i];
		i += coded ? 2 : 0;
	}
	out[at] = '\0';
}

/* The next part between slashes; false at the end. */
static bool take_part(const char **at, char *out, size_t size)
{
	if (**at != '/')
		return false;
	size_t len = strcspn(*at + 1, "/?");
	decode(*at + 1, len, out, size);
	*at += 1 + len;
	return true;
}

static const struct sim_kind *find_resource(const char *group, const char *version,
					    const char *resource, bool *out_served)
{
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(kinds[i].group, group) != 0 || strcmp(kinds[i].version, version) != 0)
			continue;
		*out_served = true;
		if (strcmp(kinds[i].resource, resource) == 0)
			return &kinds[i];
	}
	return NULL;
}

void sim_address_parse(const char *path, struct sim_address *out)
{
	char group[SIM_ADDRESS_PART] = "", version[64] = "", part[SIM_ADDRESS_PART] = "";
	const char *at = path;
	const char *mark = strchr(path, '?');

	memset(out, 0, sizeof(*out));
	out->query = mark ? mark + 1 : "";
	take_part(&at, part, sizeof(part));
	if (strcmp(part, "apis") == 0)
		take_part(&at, group, sizeof(group));
	if ((strcmp(part, "api") != 0 && strcmp(part, "apis") != 0) ||
	    !take_part(&at, version, sizeof(version)) || !take_part(&at, part, sizeof(part))) {
		snprintf(out->root, sizeof(out->root), "%.*s", (int)strcspn(path, "?"), path);
		return;
	}
	/* /namespaces/NS alone, and its sub-resources, are the namespace itself. */
	if (strcmp(part, "namespaces") == 0 && group[0] == '\0') {
		out->kind = sim_kind("", "Namespace");
		if (!take_part(&at, out->name, sizeof(out->name)) ||
		    !take_part(&at, part, sizeof(part)))
			return;
		if (strcmp(part, "status") == 0 || strcmp(part, "finalize") == 0) {
			snprintf(out->subresource, sizeof(out->subresource), "%.60s", part);
			return;
		}
		snprintf(out->ns, sizeof(out->ns), "%s", out->name);
		out->name[0] = '\0';
	} else if (strcmp(part, "namespaces") == 0) {
		take_part(&at, out->ns, sizeof(out->ns));
		take_part(&at, part, sizeof(part));
	}
	out->kind = find_resource(group, version, part, &out->is_served);
	if (take_part(&at, out->name, sizeof(out->name)))
		take_part(&at, out->subresource, sizeof(out->subresource));
}

char *sim_address_query(const struct sim_address *address, const char *name, size_t nth)
{
	size_t name_len = strlen(name);

	for (const char *at = address->query; *at;) {
		size_t len = strcspn(at, "&");
		bool is_it = len >= name_len && strncmp(at, name, name_len) == 0 &&
			     (len == name_len || at[name_len] == '=');
		if (is_it && nth-- == 0) {
			size_t skip = len == name_len ? name_len : name_len + 1;
			char *value = o2_xcalloc(1, len - skip + 1);
			decode(at + skip, len - skip, value, len - skip + 1);
			return value;
		}
		at += len + (at[len] == '&');
	}
	return NULL;
}
