/*
 * Errors: a code that the program acts on, and one line that a person reads.
 *
 * Every fallible function returns 0 or a negative enum o2_code and takes a caller-owned `struct o2_err *err`
 * as its last argument. Success leaves it untouched; a failure fills it exactly once, where it happened, and callers
 * may only put context in front:
 *
 *	struct o2_err err = { 0 };
 *	if (o2_file_read(path, MAX, &text, &err) < 0)
 *		return o2_prefix(&err, "cannot load the configuration");
 *
 * The message is one line: lower case, what failed first, the subject in quotes, no full stop. It lives in a fixed
 * array, so that failing needs no memory. Programming mistakes are asserted, not reported.
 */
#pragma once

#include <stddef.h>

enum o2_code {
	O2_OK = 0,
	O2_EINVALID,  /* the input is wrong; asking again with the same input fails again */
	O2_ENOTFOUND, /* what was named does not exist */
	O2_ECONFLICT, /* it exists already, or changed since it was read */
	O2_EAUTH,     /* not authenticated, or not allowed */
	O2_EBUSY,     /* somebody else holds it */
	O2_EIO,       /* a file or a local resource failed */
	O2_ELIMIT,    /* larger than the caller or the server allows; quota */
	O2_ETRANSIENT, /* network, time-out, 5xx: the outcome may be unknown, asking again may succeed */
	O2_ECANCELED,    /* a signal or the user asked to stop */
	O2_ECORRUPT,     /* data contradict themselves or their digest */
	O2_EUNSUPPORTED, /* understood, but not possible here */
	O2_EINTERNAL,    /* a bug or an answer that can't be */
	O2_CODE_COUNT
};

/* Where `number` comes from. */
enum o2_origin {
	O2_ORIGIN_NONE = 0,
	O2_ORIGIN_ERRNO,
	O2_ORIGIN_CURL,
	O2_ORIGIN_HTTP,
	O2_ORIGIN_OPENSSL,
	O2_ORIGIN_SQLITE,
	O2_ORIGIN_COUNT
};

#define O2_ERR_MESSAGE_MAX 512

struct o2_err {
	int code; /* -enum o2_code, 0 while nothing failed */
	enum o2_origin origin;
	long number; /* errno, CURLcode, HTTP status ... by origin */
	char reason
		[64]; /* the server's machine word (Status.reason: "AlreadyExists"), "" if none */
	char message[O2_ERR_MESSAGE_MAX]; /* one line, UTF-8, no control characters */
};

#define O2_MUST_CHECK __attribute__((warn_unused_result))
#define O2_PRINTF(f, a) __attribute__((format(printf, f, a)))

/*
 * Fill `err` and return -code, so that reporting and returning are one statement.
 *
 * err   may be NULL (nobody listens); must not hold another failure (asserted).
 * code  enum o2_code, positive.
 * Too long a message is cut; control characters become '?'.
 */
int o2_fail(struct o2_err *err, enum o2_code code, const char *fmt, ...) O2_PRINTF(3, 4);

/* As o2_fail(), with ": " and strerror(errnum) behind the message; the code follows errnum (ENOENT: O2_ENOTFOUND ...). */
int o2_fail_errno(struct o2_err *err, int errnum, const char *fmt, ...) O2_PRINTF(3, 4);

/* Put "context: " in front of the message of a failure; returns err->code. The cause is what gets cut if it is too long.
 * Without `err` the code is lost and -O2_EINTERNAL is returned: a function that prefixes and passes a code on needs an `err`. */
int o2_prefix(struct o2_err *err, const char *fmt, ...) O2_PRINTF(2, 3);

/* Forget a failure that was handled, so that `err` can be used again. */
void o2_err_clear(struct o2_err *err);

/* The code's lower-case word ("not found", "conflict"), for logs and JSON. code: positive or negative. */
const char *o2_code_name(int code);
