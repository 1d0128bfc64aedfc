/*
 * Service names in texts: environment values, arguments, configuration files.
 *
 * A text is cut into words of letters, digits, '.', '-' and '_'. "db.shop" and "db.shop.svc.cluster.local" count wherever they
 * stand, since both parts must exist; a bare "db" counts only where a host is expected: as the whole value, behind "://", '@' or
 * "host=", or in front of a port. So "dashboard", "db_backup" and "/var/lib/db" are no references.
 */
#include "app/app_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63 /* RFC 1123 */
#define LABELS_MAX 12

struct word {
	const char *at[LABELS_MAX];
	size_t len[LABELS_MAX];
	size_t count;
};

struct search {
	const struct o2_app *app;
	const char *ns, *text;
	o2_app_host_fn *fn;
	void *arg;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
}

static bool split(const char *at, size_t len, struct word *word)
{
	const char *end = at + len;

	word->count = 0;
	for (;;) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		size_t n = (size_t)((dot ? dot : end) - at);
		if (word->count == LABELS_MAX || n > LABEL_MAX)
			return false;
		word->at[word->count] = at;
		word->len[word->count++] = n;
		if (!dot)
			return true;
		at = dot + 1;
	}
}

static void copy_label(const struct word *word, size_t i, char out[LABEL_MAX + 1])
{
	memcpy(out, word->at[i], word->len[i]);
	out[word->len[i]] = '\0';
}

static bool label_is(const struct word *word, size_t i, const char *text)
{
	return word->len[i] == strlen(text) && memcmp(word->at[i], text, word->len[i]) == 0;
}

/* "db-0" */
static bool is_ordinal(const struct word *word, size_t i)
{
	size_t n = word->len[i], digits = 0;

	while (digits < n && isdigit((unsigned char)word->at[i][n - 1 - digits]))
		digits++;
	return digits > 0 && digits + 1 < n && word->at[i][n - 1 - digits] == '-';
}

/* The Service that label i names; label ns_at is its namespace, O2_APP_NO_ITEM: the text's own. */
static bool is_service(const struct search *s, const struct word *word, size_t i, size_t ns_at)
{
	char name[LABEL_MAX + 1], ns[LABEL_MAX + 1];

	copy_label(word, i, name);
	if (ns_at != O2_APP_NO_ITEM)
		copy_label(word, ns_at, ns);
	size_t service =
		o2_app_find(s->app, "", "Service", ns_at != O2_APP_NO_ITEM ? ns : s->ns, name);
	if (service == O2_APP_NO_ITEM)
		return false;
	if (ns_at != O2_APP_NO_ITEM)
		s->fn(s->arg, service, (size_t)(word->at[ns_at] - s->text), word->len[ns_at]);
	else
		s->fn(s->arg, service, 0, 0);
	return true;
}

static bool is_namespace(const struct search *s, const struct word *word, size_t i)
{
	char ns[LABEL_MAX + 1];

	copy_label(word, i, ns);
	return o2_strs_has(&s->app->namespaces, ns);
}

static void consider_dotted(const struct search *s, const struct word *word)
{
	for (size_t i = 1; i < word->count; i++) {
		if (!label_is(word, i, "svc"))
			continue;
		if (i >= 2 && is_service(s, word, i - 2, i - 1))
			return;
		bool alone = i == 1 || (i == 2 && word->len[0] == 0);
		if (alone && is_namespace(s, word, i - 1))
			s->fn(s->arg, O2_APP_NO_ITEM, (size_t)(word->at[i - 1] - s->text),
			      word->len[i - 1]);
		return;
	}
	if (word->count == 2 && (is_service(s, word, 0, 1) || !is_ordinal(word, 0)))
		return;
	if (word->count == 2)
		(void)is_service(s, word, 1, O2_APP_NO_ITEM);
	else if (word->count == 3 && is_ordinal(word, 0))
		(void)is_service(s, word, 1, 2);
}

static bool ends_in(const char *text, const char *end, const char *suffix)
{
	size_t len = strlen(suffix);

	return (size_t)(end - text) >= len && strncasecmp(end - len, suffix, len) == 0;
}

static bool is_port(const char *at)
{
	if (*at != ':')
		return false;
	size_t digits = strspn(at + 1, "0123456789");
	return digits >= 1 && digits <= 5 && !is_word(at[1 + digits]);
}

static bool expects_host(const char *text, const char *start, const char *end)
{
	return ends_in(text, start, "://") || ends_in(text, start, "@") ||
	       ends_in(text, start, "host=") || ends_in(text, start, "server=") || is_port(end);
}

/* The whole value is one word, or an argument's value is: "--host=db". */
static bool is_whole(const char *text, const char *start, const char *end)
{
	if (*end != '\0')
		return false;
	return start == text || (text[0] == '-' && start[-1] == '=' &&
				 strcspn(text, "=") == (size_t)(start - 1 - text));
}

void o2_app_hosts_find(const struct o2_app *app, const char *ns, const char *text, bool whole,
		       o2_app_host_fn *fn, void *arg)
{
	struct search s = { .app = app, .ns = ns, .text = text, .fn = fn, .arg = arg };
	struct word word;

	for (const char *at = text; *at != '\0';) {
		if (!is_word(*at)) {
			at++;
			continue;
		}
		const char *start = at;
		while (is_word(*at))
			at++;
		size_t len = (size_t)(at - start);
		if (start[len - 1] == '.')
			len--; /* the root's dot, or the end of a sentence */
		if (!split(start, len, &word))
			continue;
		if (word.count > 1)
			consider_dotted(&s, &word);
		else if ((whole && is_whole(text, start, at)) || expects_host(text, start, at))
			(void)is_service(&s, &word, 0, O2_APP_NO_ITEM);
	}
}
