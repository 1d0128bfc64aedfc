/*
 * What the watchdog is to do, prepared by os2os as plain text:
 *
 *	deadline 1795266822
 *	must PATCH /api/v1/namespaces/shop/configmaps/x application/json-patch+json 137 MARK
 *	<137 bytes and a newline>
 *	may DELETE /api/v1/namespaces/shop/resourcequotas/y application/json 0 -
 *	<a newline>
 *
 * First the deadline, in seconds since 1970; then at least one request: whether it decides, method, path with query, content type,
 * bytes of the body, and a word that an object shows if this request has been carried out already ("-": none). Words are apart by
 * one space, lines end with one newline, and nothing else is in the file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

#define ORDERS_MAX_BYTES (1 << 20)

struct order {
	bool must; /* if somebody else was faster, what follows is not to be done */
	char *method;
	char *path;
	char *content_type;
	char *body;
	size_t body_len;
	char *mark; /* NULL: none */
};

struct orders {
	int64_t deadline_unix;
	struct order *items;
	size_t count;
};

void orders_free(struct orders *orders);
O2_DEFINE_FREEP(struct orders, orders_free)
/*
 * len     bytes of text; at most ORDERS_MAX_BYTES.
 * Errors  O2_EINVALID, and the message names the line.
 */
O2_MUST_CHECK struct orders *orders_parse(const char *text, size_t len, struct o2_err *err);
/* The same from a file. Errors: also o2_file_read()'s. */
O2_MUST_CHECK struct orders *orders_load(const char *path, struct o2_err *err);
