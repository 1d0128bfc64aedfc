/*
 * One HTTP/1.1 request to a server that an authority vouches for, on a connection of its own. No redirects, no names: the address
 * is numeric.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define HTTPS_BODY_MAX_BYTES (4 << 20)

struct https_server {
	const char *address; /* numeric, IPv4 or IPv6 */
	int port;
	const char *ca_pem;
	const char *token; /* NULL: none */
};

struct https_request {
	const char *method;
	const char *path;         /* begins with '/', encoded, with its query */
	const char *content_type; /* NULL: no body */
	const void *body;
	size_t body_len;
};

struct https_answer {
	int status;
	char *body; /* NUL-terminated behind `len` bytes */
	size_t len;
};

/*
 * Ten seconds for the connection, the handshake and each piece; 30 for all.
 *
 * out     released with https_answer_release(); untouched on failure.
 * Errors  O2_ETRANSIENT (no connection, time-out, cut); O2_EAUTH (not the authority's server); O2_EINVALID (address, authority,
 *         a character that would change the request); O2_ECORRUPT (not HTTP/1.1); O2_ELIMIT (answer too long); O2_EIO.
 */
O2_MUST_CHECK int https_send(const struct https_server *server, const struct https_request *request,
			     struct https_answer *out, struct o2_err *err);
void https_answer_release(struct https_answer *answer);

/* Like o2_tls_read(). */
typedef ptrdiff_t https_read_fn(void *arg, void *out, size_t cap, struct o2_err *err);
/* The part of https_send() that reads the answer, from anything. */
O2_MUST_CHECK int https_read_answer(https_read_fn *read, void *arg, struct https_answer *out,
				    struct o2_err *err);
