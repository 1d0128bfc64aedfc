#include "https.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "crypto/tls.h"

#define STEP_MS 10000
#define TOTAL_MS 30000
#define LINE_MAX_BYTES 8192
#define HEADERS_MAX 200
#define HEAD_MAX_BYTES (64 << 10)
#define INTERIM_MAX 10

/* --- reading ------------------------------------------------------------------------------------------------------------ */

struct reader {
	https_read_fn *read;
	void *arg;
	char bytes[16 << 10];
	size_t at, len;
};

/* 0 at the end, 1 if there is something to read. */
static int fill(struct reader *reader, struct o2_err *err)
{
	if (reader->at < reader->len)
		return 1;
	ptrdiff_t got = reader->read(reader->arg, reader->bytes, sizeof(reader->bytes), err);
	if (got < 0)
		return (int)got;
	reader->at = 0;
	reader->len = (size_t)got;
	return got > 0;
}

static int early_end(struct o2_err *err)
{
	return o2_fail(err, O2_ETRANSIENT, "the answer ended too early");
}

/* One line without its end. */
static int read_line(struct reader *reader, char line[LINE_MAX_BYTES], struct o2_err *err)
{
	size_t len = 0;

	for (;;) {
		int rc = fill(reader, err);
		if (rc <= 0)
			return rc < 0 ? rc : early_end(err);
		char c = reader->bytes[reader->at++];
		if (c == '\n')
			break;
		if (c == '\0')
			return o2_fail(err, O2_ECORRUPT, "the answer is not HTTP");
		if (len + 1 == LINE_MAX_BYTES)
			return o2_fail(err, O2_ELIMIT, "a line of the answer is too long");
		line[len++] = c;
	}
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return 0;
}

/* Append `count` bytes to the body. */
static int read_bytes(struct reader *reader, size_t count, struct o2_buf *body, struct o2_err *err)
{
	if (count > body->max - body->len)
		return o2_fail(err, O2_ELIMIT, "the answer is too long");
	while (count > 0) {
		int rc = fill(reader, err);
		if (rc <= 0)
			return rc < 0 ? rc : early_end(err);
		size_t piece = reader->len - reader->at;
		piece = piece < count ? piece : count;
		o2_buf_add(body, reader->bytes + reader->at, piece);
		reader->at += piece;
		count -= piece;
	}
	return 0;
}

static int read_to_end(struct reader *reader, struct o2_buf *body, struct o2_err *err)
{
	int rc;

	while ((rc = fill(reader, err)) > 0) {
		rc = read_bytes(reader, reader->len - reader->at, body, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* Digits of the base and nothing else, below 2^40. */
static bool read_size(const char *text, size_t len, int base, size_t *out)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";

	if (len == 0 || len > 10 || strspn(text, digits) < len)
		return false;
	*out = strtoull(text, NULL, base);
	return true;
}

static int read_chunks(struct reader *reader, struct o2_buf *body, struct o2_err *err)
{
	char line[LINE_MAX_BYTES] = "";
	size_t size;

	for (;;) {
		int rc = read_line(reader, line, err);
		if (rc < 0)
			return rc;
		if (!read_size(line, strcspn(line, "; \t"), 16, &size))
			return o2_fail(err, O2_ECORRUPT, "a chunk of the answer has no size");
		if (size == 0)
			break;
		rc = read_bytes(reader, size, body, err);
		if (rc == 0)
			rc = read_line(reader, line, err);
		if (rc < 0)
			return rc;
		if (line[0] != '\0')
			return o2_fail(err, O2_ECORRUPT, "a chunk of the answer has another size");
	}
	for (int i = 0; i < HEADERS_MAX; i++) {
		int rc = read_line(reader, line, err);
		if (rc < 0 || line[0] == '\0')
			return rc;
	}
	return o2_fail(err, O2_ELIMIT, "the answer's trailer is too long");
}

/* What of the head says how the body ends. */
struct head {
	int status;
	bool chunked;
	bool has_length;
	size_t length;
};

static int read_header(const char *line, struct head *head, struct o2_err *err)
{
	size_t name = strcspn(line, ":");
	size_t length;

	if (name == 0 || line[name] == '\0')
		return o2_fail(err, O2_ECORRUPT, "a header of the answer has no name");
	const char *value = line + name + 1;
	value += strspn(value, " \t");
	size_t value_len = strlen(value);
	while (value_len > 0 && strchr(" \t", value[value_len - 1]) != NULL)
		value_len--;
	if (name == 14 && strncasecmp(line, "Content-Length", name) == 0) {
		if (!read_size(value, value_len, 10, &length) ||
		    (head->has_length && head->length != length))
			return o2_fail(err, O2_ECORRUPT, "the answer's length is no number");
		head->has_length = true;
		head->length = length;
	} else if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0) {
		if (value_len != 7 || strncasecmp(value, "chunked", 7) != 0)
			return o2_fail(err, O2_ECORRUPT, "the answer's encoding is unknown");
		head->chunked = true;
	}
	return 0;
}

static bool read_status(const char *line, int *out)
{
	size_t status;

	if (strncmp(line, "HTTP/1.1 ", 9) != 0 && strncmp(line, "HTTP/1.0 ", 9) != 0)
		return false;
	if (!read_size(line + 9, 3, 10, &status) || (line[12] != ' ' && line[12] != '\0'))
		return false;
	*out = (int)status;
	return *out >= 100;
}

static int read_head(struct reader *reader, struct head *head, struct o2_err *err)
{
	char line[LINE_MAX_BYTES] = "";
	size_t total = 0;
	int rc = read_line(reader, line, err);

	*head = (struct head){ 0 };
	if (rc == 0 && !read_status(line, &head->status))
		rc = o2_fail(err, O2_ECORRUPT, "the answer is not HTTP");
	for (int i = 0; rc == 0 && i < HEADERS_MAX; i++) {
		rc = read_line(reader, line, err);
		if (rc < 0 || line[0] == '\0')
			return rc;
		total += strlen(line);
		if (total > HEAD_MAX_BYTES)
			break;
		rc = read_header(line, head, err);
	}
	return rc < 0 ? rc : o2_fail(err, O2_ELIMIT, "the answer's head is too long");
}

int https_read_answer(https_read_fn *read, void *arg, struct https_answer *out, struct o2_err *err)
{
	O2_AUTO(o2_buf_release) struct o2_buf body = { 0 };
	struct reader reader = { .read = read, .arg = arg };
	struct head head;
	int rc;

	o2_buf_init(&body, HTTPS_BODY_MAX_BYTES);
	for (int interim = 0;; interim++) {
		rc = read_head(&reader, &head, err);
		if (rc < 0)
			return rc;
		if (head.status >= 200)
			break;
		if (interim == INTERIM_MAX)
			return o2_fail(err, O2_ECORRUPT, "the answer does not come to an end");
	}
	if (head.status == 204 || head.status == 304)
		rc = 0;
	else if (head.chunked)
		rc = read_chunks(&reader, &body, err);
	else if (head.has_length)
		rc = read_bytes(&reader, head.length, &body, err);
	else
		rc = read_to_end(&reader, &body, err);
	if (rc < 0)
		return rc;
	out->status = head.status;
	out->len = body.len;
	out->body = o2_buf_steal(&body);
	return 0;
}

void https_answer_release(struct https_answer *answer)
{
	free(answer->body);
	*answer = (struct https_answer){ 0 };
}

/* --- sending ------------------------------------------------------------------------------------------------------------ */

static bool fill_address(const struct https_server *server, struct sockaddr_storage *out,
			 socklen_t *out_len)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)server->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)server->port) };

	if (server->port <= 0 || server->port > 65535)
		return false;
	if (inet_pton(AF_INET, server->address, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof(v4));
		*out_len = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, server->address, &v6.sin6_addr) != 1)
		return false;
	memcpy(out, &v6, sizeof(v6));
	*out_len = sizeof(v6);
	return true;
}

static int wait_connected(int fd, struct o2_err *err)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int problem = 0;
	socklen_t size = sizeof(problem);
	int ready = poll(&wait, 1, STEP_MS);

	if (ready == 0)
		return o2_fail(err, O2_ETRANSIENT, "no connection in time");
	if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
		problem = errno;
	return problem == 0 ? 0 : o2_fail_errno(err, problem, "cannot connect");
}

/* A connected socket, or a negative code. */
static int open_socket(const struct https_server *server, struct o2_err *err)
{
	static const struct timeval patience = { .tv_sec = STEP_MS / 1000 };
	struct sockaddr_storage address = { 0 };
	socklen_t size;
	int rc = 0;

	if (!fill_address(server, &address, &size))
		return o2_fail(err, O2_EINVALID, "'%s' port %d is no numeric address",
			       server->address, server->port);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		rc = errno == EINPROGRESS ? wait_connected(fd, err)
					  : o2_fail_errno(err, errno, "cannot connect");
	if (rc < 0) {
		close(fd);
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static bool is_one_word(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static int write_request(const struct https_server *server, const struct https_request *request,
			 struct o2_buf *out, struct o2_err *err)
{
	bool v6 = strchr(server->address, ':') != NULL;

	if (!is_one_word(request->method) || !is_one_word(request->path) ||
	    (request->content_type != NULL && !is_one_word(request->content_type)))
		return o2_fail(err, O2_EINVALID, "the request holds a character that it must not");
	if (server->token != NULL && !is_one_word(server->token))
		return o2_fail(err, O2_EINVALID, "the token holds a character that it must not");
	o2_buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s%s%s:%d\r\n", request->method, request->path,
		    v6 ? "[" : "", server->address, v6 ? "]" : "", server->port);
	o2_buf_adds(out, "User-Agent: os2os-agent/" O2_VERSION "\r\n"
			 "Accept: application/json\r\nConnection: close\r\n");
	if (server->token != NULL)
		o2_buf_addf(out, "Authorization: Bearer %s\r\n", server->token);
	if (request->content_type != NULL)
		o2_buf_addf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
			    request->content_type, request->body_len);
	o2_buf_adds(out, "\r\n");
	if (request->content_type != NULL)
		o2_buf_add(out, request->body, request->body_len);
	if (o2_buf_overflowed(out))
		return o2_fail(err, O2_ELIMIT, "the request is too long");
	return 0;
}

struct timed {
	struct o2_tls *tls;
	int64_t deadline_ms;
};

static ptrdiff_t read_timed(void *arg, void *out, size_t cap, struct o2_err *err)
{
	const struct timed *timed = arg;

	if (o2_clock_ms() > timed->deadline_ms)
		return o2_fail(err, O2_ETRANSIENT, "no whole answer in time");
	return o2_tls_read(timed->tls, out, cap, err);
}

int https_send(const struct https_server *server, const struct https_request *request,
	       struct https_answer *out, struct o2_err *err)
{
	O2_AUTO(o2_buf_release) struct o2_buf bytes = { 0 };
	int64_t deadline_ms = o2_clock_ms() + TOTAL_MS;

	o2_buf_init(&bytes, HEAD_MAX_BYTES + HTTPS_BODY_MAX_BYTES);
	int rc = write_request(server, request, &bytes, err);
	if (rc < 0)
		return rc;
	int fd = open_socket(server, err);
	if (fd < 0)
		return fd;
	struct o2_err hidden = { 0 };
	err = err != NULL ? err : &hidden;
	O2_AUTO(o2_tls_freep)
	struct o2_tls *tls = o2_tls_connect_ca(fd, server->ca_pem, server->address, STEP_MS, err);
	if (tls == NULL)
		return err->code;
	rc = o2_tls_write(tls, bytes.data, bytes.len, err);
	if (rc < 0)
		return rc;
	return https_read_answer(
		read_timed, &(struct timed){ .tls = tls, .deadline_ms = deadline_ms }, out, err);
}
