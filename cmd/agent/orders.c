#include "orders.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"

#define WORDS_MAX 6
#define WORD_MAX_BYTES 2048
#define ORDERS_MAX 1000

/* The rest of the text, and where it is. */
struct reader {
	const char *at;
	const char *end;
	int line;
};

/* The words of one line, all of printable ASCII. */
struct words {
	char *items[WORDS_MAX];
	size_t count;
};

static void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	words->count = 0;
}

static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= WORD_MAX_BYTES;
}

static bool read_words(struct reader *reader, struct words *words)
{
	const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

	reader->line++;
	if (newline == NULL)
		return false;
	for (const char *at = reader->at; words->count < WORDS_MAX; at++) {
		const char *space = memchr(at, ' ', (size_t)(newline - at));
		size_t len = (size_t)((space ? space : newline) - at);
		if (!is_word(at, len))
			return false;
		words->items[words->count++] = o2_xstrndup(at, len);
		at += len;
		if (space == NULL) {
			reader->at = newline + 1;
			return true;
		}
	}
	return false;
}

/* 1 to 15 digits: nothing overflows. */
static bool read_number(const char *text, int64_t *out)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 15 || text[len] != '\0')
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

static bool is_all(const char *text, int (*is)(int))
{
	while (*text != '\0' && is((unsigned char)*text))
		text++;
	return *text == '\0';
}

static bool read_body(struct reader *reader, int64_t len, struct order *order)
{
	if (len >= reader->end - reader->at || reader->at[len] != '\n')
		return false;
	order->body = o2_xmalloc((size_t)len + 1);
	memcpy(order->body, reader->at, (size_t)len);
	order->body[len] = '\0';
	order->body_len = (size_t)len;
	for (int64_t i = 0; i <= len; i++)
		reader->line += reader->at[i] == '\n';
	reader->at += len + 1;
	return true;
}

static bool read_order(struct reader *reader, struct order *order)
{
	O2_AUTO(words_release) struct words words = { 0 };
	int64_t len;

	if (!read_words(reader, &words) || words.count != WORDS_MAX)
		return false;
	order->must = strcmp(words.items[0], "must") == 0;
	if (!order->must && strcmp(words.items[0], "may") != 0)
		return false;
	if (!is_all(words.items[1], isupper) || words.items[2][0] != '/' ||
	    !read_number(words.items[4], &len) || !read_body(reader, len, order))
		return false;
	order->method = O2_STEAL(words.items[1]);
	order->path = O2_STEAL(words.items[2]);
	order->content_type = O2_STEAL(words.items[3]);
	if (strcmp(words.items[5], "-") != 0)
		order->mark = O2_STEAL(words.items[5]);
	return true;
}

static bool read_deadline(struct reader *reader, int64_t *out_unix)
{
	O2_AUTO(words_release) struct words words = { 0 };

	return read_words(reader, &words) && words.count == 2 &&
	       strcmp(words.items[0], "deadline") == 0 && read_number(words.items[1], out_unix);
}

struct orders *orders_parse(const char *text, size_t len, struct o2_err *err)
{
	O2_AUTO(orders_freep) struct orders *orders = o2_xcalloc(1, sizeof(*orders));
	struct reader reader = { .at = text, .end = text + len };
	size_t cap = 0;
	bool ok = len <= ORDERS_MAX_BYTES && read_deadline(&reader, &orders->deadline_unix);

	while (ok && (reader.at < reader.end || orders->count == 0)) {
		O2_GROW(orders->items, orders->count, cap);
		struct order *order = &orders->items[orders->count++];
		*order = (struct order){ 0 };
		ok = orders->count <= ORDERS_MAX && read_order(&reader, order);
	}
	if (!ok) {
		o2_fail(err, O2_EINVALID, "line %d is not as it should be", reader.line);
		return NULL;
	}
	return O2_STEAL(orders);
}

struct orders *orders_load(const char *path, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *text = NULL;
	size_t len;

	if (o2_file_read(path, ORDERS_MAX_BYTES, &text, &len, err) < 0)
		return NULL;
	struct orders *orders = orders_parse(text, len, err);
	if (orders == NULL)
		o2_prefix(err, "cannot read '%s'", path);
	return orders;
}

void orders_free(struct orders *orders)
{
	if (orders == NULL)
		return;
	for (size_t i = 0; i < orders->count; i++) {
		free(orders->items[i].method);
		free(orders->items[i].path);
		free(orders->items[i].content_type);
		free(orders->items[i].body);
		free(orders->items[i].mark);
	}
	free(orders->items);
	free(orders);
}
