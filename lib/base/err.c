#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

static const char *const code_names[O2_CODE_COUNT] = {
	[O2_OK] = "ok",
	[O2_EINVALID] = "invalid",
	[O2_ENOTFOUND] = "not found",
	[O2_ECONFLICT] = "conflict",
	[O2_EAUTH] = "not allowed",
	[O2_EBUSY] = "busy",
	[O2_EIO] = "input/output",
	[O2_ELIMIT] = "limit",
	[O2_ETRANSIENT] = "transient",
	[O2_ECANCELED] = "canceled",
	[O2_ECORRUPT] = "corrupt",
	[O2_EUNSUPPORTED] = "unsupported",
	[O2_EINTERNAL] = "internal",
};

static const struct {
	int errnum;
	enum o2_code code;
} errno_codes[] = {
	{ ENOENT, O2_ENOTFOUND },
	{ ENOTDIR, O2_ENOTFOUND },
	{ ESRCH, O2_ENOTFOUND },
	{ ECHILD, O2_ENOTFOUND },
	{ EEXIST, O2_ECONFLICT },
	{ ENOTEMPTY, O2_ECONFLICT },
	{ EACCES, O2_EAUTH },
	{ EPERM, O2_EAUTH },
	{ EBUSY, O2_EBUSY },
	{ EAGAIN, O2_EBUSY },
	{ ETXTBSY, O2_EBUSY },
	{ EADDRINUSE, O2_EBUSY },
	{ ENOSPC, O2_ELIMIT },
	{ EDQUOT, O2_ELIMIT },
	{ EFBIG, O2_ELIMIT },
	{ E2BIG, O2_ELIMIT },
	{ EMFILE, O2_ELIMIT },
	{ ENFILE, O2_ELIMIT },
	{ ENOMEM, O2_ELIMIT },
	{ ENAMETOOLONG, O2_EINVALID },
	{ EINVAL, O2_EINVALID },
	{ EISDIR, O2_EINVALID },
	{ ELOOP, O2_EINVALID },
	{ EILSEQ, O2_EINVALID },
	{ ETIMEDOUT, O2_ETRANSIENT },
	{ ECONNREFUSED, O2_ETRANSIENT },
	{ ECONNRESET, O2_ETRANSIENT },
	{ ECONNABORTED, O2_ETRANSIENT },
	{ EPIPE, O2_ETRANSIENT },
	{ EHOSTUNREACH, O2_ETRANSIENT },
	{ ENETUNREACH, O2_ETRANSIENT },
	{ ENETDOWN, O2_ETRANSIENT },
	{ EINTR, O2_ECANCELED },
	{ ECANCELED, O2_ECANCELED },
	{ ENOSYS, O2_EUNSUPPORTED },
	{ EOPNOTSUPP, O2_EUNSUPPORTED },
	{ EAFNOSUPPORT, O2_EUNSUPPORTED },
};

/* A cut may have gone through a character; take its first bytes away too. */
static void drop_half_character(char *text, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)text[len - back];
		if (c >= 0xc0) {
			if (o2_utf8_char(text + len - back, back) == 0)
				text[len - back] = '\0';
			return;
		}
		if (c < 0x80)
			return;
	}
}

/* Put `"text" "joint" "tail"` into the message; the end of it is what gets cut. */
static void set_message(struct o2_err *err, const char *text, const char *joint, const char *tail)
{
	int len = snprintf(err->message, sizeof(err->message), "%s%s%s", text, joint, tail);

	if (len >= (int)sizeof(err->message))
		drop_half_character(err->message, sizeof(err->message) - 1);
	o2_utf8_one_line(err->message, '?');
}

int o2_fail(struct o2_err *err, enum o2_code code, const char *fmt, ...)
{
	char text[O2_ERR_MESSAGE_MAX + 1]; /* one more, so that set_message() sees the cut */
	va_list args;

	assert(code > O2_OK && code < O2_CODE_COUNT);
	if (err == NULL)
		return -(int)code;
	assert(err->code == 0);

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	set_message(err, text, "", "");
	err->code = -(int)code;
	err->origin = O2_ORIGIN_NONE;
	err->number = 0;
	err->reason[0] = '\0';
	return err->code;
}

static enum o2_code code_of_errno(int errnum)
{
	for (size_t i = 0; i < O2_COUNT(errno_codes); i++)
		if (errno_codes[i].errnum == errnum)
			return errno_codes[i].code;
	return O2_EIO;
}

int o2_fail_errno(struct o2_err *err, int errnum, const char *fmt, ...)
{
	char text[O2_ERR_MESSAGE_MAX + 1];
	char what[128];
	va_list args;

	if (err == NULL)
		return -(int)code_of_errno(errnum);
	assert(err->code == 0);

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	set_message(err, text, ": ", strerror_r(errnum, what, sizeof(what)));
	err->code = -(int)code_of_errno(errnum);
	err->origin = O2_ORIGIN_ERRNO;
	err->number = errnum;
	err->reason[0] = '\0';
	return err->code;
}

int o2_prefix(struct o2_err *err, const char *fmt, ...)
{
	char context[O2_ERR_MESSAGE_MAX + 1];
	char cause[O2_ERR_MESSAGE_MAX];
	va_list args;

	if (err == NULL)
		return -(int)O2_EINTERNAL;
	assert(err->code < 0);

	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
	memcpy(cause, err->message, sizeof(cause));
	set_message(err, context, ": ", cause);
	return err->code;
}

void o2_err_clear(struct o2_err *err)
{
	if (err != NULL)
		*err = (struct o2_err){ 0 };
}

const char *o2_code_name(int code)
{
	int positive = code < 0 ? -code : code;

	return positive >= 0 && positive < O2_CODE_COUNT ? code_names[positive] : "unknown";
}
