/*
 * A scripted HTTP/1.1 server on the loopback, for tests only: it answers with the bytes it was given.
 *
 *	static const struct test_reply script[] = {
 *		{ .match = "GET /a", .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
 *		{ .match = "GET /b", .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", .end = TEST_CLOSE },
 *	};
 *	struct test_server *server = test_server_start(script, 2);
 *	... "http://127.0.0.1:%d", server->port ...
 *	assert_string_equal(server->seen->requests[0], ...);
 *	test_server_stop(server);
 *
 * A request takes the first reply that was not used yet and whose `match` it contains; without one the connection is
 * reset. One process, one loop.
 */
#pragma once

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum test_end { TEST_KEEP, TEST_CLOSE, TEST_RESET, TEST_HANG };

struct test_reply {
	const char *match; /* NULL: any request */
	const char *bytes;
	size_t len;   /* 0: strlen(bytes) */
	size_t piece; /* send in pieces of so many bytes, 1 ms apart; 0: at once */
	int delay_ms;
	enum test_end end;
	bool repeat; /* may be used any number of times */
	bool echo;   /* it opens a WebSocket: see test_echo() */
};

#define TEST_REQUESTS 256
#define TEST_REQUEST_BYTES 8192
#define TEST_CONNECTIONS 64

struct test_seen {
	volatile int count;
	volatile int connections;
	volatile int frames; /* of WebSockets that echo */
	char requests[TEST_REQUESTS][TEST_REQUEST_BYTES];
};

struct test_server {
	int port;
	pid_t pid;
	struct test_seen *seen; /* shared with the server's process */
};

struct test_connection {
	int fd;
	bool echo;
	size_t len;
	char bytes[1 << 20];
};

struct test_script {
	const struct test_reply *replies;
	size_t count;
	bool used[256];
	struct test_seen *seen;
};

/* Length of the whole request at the beginning of `text`, 0 if it is not there yet. */
static inline size_t test_request_len(const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	size_t body = 0;

	if (end == NULL)
		return 0;
	for (const char *line = text; line < end; line = strstr(line, "\r\n") + 2)
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			body = strtoul(line + 15, NULL, 10);
	size_t total = (size_t)(end - text) + 4 + body;
	return total <= len ? total : 0;
}

static inline const struct test_reply *test_choose(struct test_script *script, const char *request)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct test_reply *reply = &script->replies[i];
		if (script->used[i] || (reply->match && strstr(request, reply->match) == NULL))
			continue;
		script->used[i] = !reply->repeat;
		return reply;
	}
	return NULL;
}

static inline void test_end_connection(struct test_connection *connection, enum test_end end)
{
	struct linger linger = { .l_onoff = 1 };

	if (end == TEST_RESET)
		setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(connection->fd);
	connection->fd = -1;
}

static inline void test_answer(struct test_script *script, struct test_connection *connection,
			       size_t request_len)
{
	struct test_seen *seen = script->seen;
	char *copy = seen->requests[seen->count % TEST_REQUESTS];
	size_t copied = request_len < TEST_REQUEST_BYTES - 1 ? request_len : TEST_REQUEST_BYTES - 1;
	const struct test_reply *reply;

	memcpy(copy, connection->bytes, copied);
	copy[copied] = '\0';
	seen->count++;
	memmove(connection->bytes, connection->bytes + request_len, connection->len - request_len);
	connection->len -= request_len;
	reply = test_choose(script, copy);
	if (reply == NULL) {
		test_end_connection(connection, TEST_RESET);
		return;
	}
	usleep((useconds_t)reply->delay_ms * 1000);
	size_t len = reply->len ? reply->len : strlen(reply->bytes);
	size_t step = reply->piece ? reply->piece : len;
	for (size_t at = 0; at < len; at += step) {
		if (send(connection->fd, reply->bytes + at, len - at < step ? len - at : step,
			 MSG_NOSIGNAL) < 0)
			break;
		if (reply->piece)
			usleep(1000);
	}
	connection->echo = reply->echo;
	if (reply->end == TEST_CLOSE || reply->end == TEST_RESET)
		test_end_connection(connection, reply->end);
}

static inline void test_send(const struct test_connection *connection, const void *bytes,
			     size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t sent = send(connection->fd, at, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		at += sent;
		len -= (size_t)sent;
	}
}

/* The next frame of a client, unmasked in place; its length with its head, 0 if it is not whole yet. */
static inline size_t test_frame(unsigned char *bytes, size_t len, unsigned char **out_body,
				size_t *out_len)
{
	size_t head = 2, body = len > 1 ? bytes[1] & 0x7f : 0;
	size_t extra = body == 126 ? 2 : body == 127 ? 8 : 0;

	if (len < head + extra + 4)
		return 0;
	if (extra > 0)
		body = 0;
	for (size_t i = 0; i < extra; i++)
		body = body << 8 | bytes[head + i];
	head += extra + 4;
	if (len < head + body)
		return 0;
	for (size_t i = 0; i < body; i++)
		bytes[head + i] ^= bytes[head - 4 + i % 4];
	*out_body = bytes + head;
	*out_len = body;
	return head + body;
}

/*
 * The command `cat` at the other end of a WebSocket: what comes on channel 0 goes back on channel 1; its end is answered with success.
 * A piece that begins with '!' ends the connection without a word; other frames are only counted.
 */
static inline void test_echo(struct test_script *script, struct test_connection *connection)
{
	static const char success[] = "\x82\x15\x03{\"status\":\"Success\"}\x88\x02\x03\xe8";
	unsigned char *bytes = (unsigned char *)connection->bytes, *body;
	size_t frame, len;

	while (connection->fd >= 0 &&
	       (frame = test_frame(bytes, connection->len, &body, &len)) > 0) {
		unsigned char head[5] = { 0x82, 126, (unsigned char)(len >> 8), (unsigned char)len,
					  1 };
		bool is_data = (bytes[0] & 0x0f) == 2 && len > 0;

		assert(len < 65536);
		script->seen->frames++;
		if (is_data && body[0] == 255) {
			test_send(connection, success, sizeof(success) - 1);
		} else if (is_data && len > 1 && body[1] == '!') {
			test_end_connection(connection, TEST_CLOSE);
		} else if (is_data) {
			test_send(connection, head, sizeof(head));
			test_send(connection, body + 1, len - 1);
		}
		connection->len -= frame;
		memmove(bytes, bytes + frame, connection->len);
	}
}

static inline void test_read(struct test_script *script, struct test_connection *connection)
{
	ssize_t len = recv(connection->fd, connection->bytes + connection->len,
			   sizeof(connection->bytes) - connection->len - 1, 0);
	size_t request_len;

	if (len <= 0) {
		test_end_connection(connection, TEST_CLOSE);
		return;
	}
	connection->len += (size_t)len;
	connection->bytes[connection->len] = '\0';
	if (connection->echo) {
		test_echo(script, connection);
		return;
	}
	while (connection->fd >= 0 &&
	       (request_len = test_request_len(connection->bytes, connection->len)) > 0)
		test_answer(script, connection, request_len);
}

static inline void test_serve(int listener, struct test_script *script)
{
	static struct test_connection connections[TEST_CONNECTIONS];

	for (int i = 0; i < TEST_CONNECTIONS; i++)
		connections[i].fd = -1;
	for (;;) {
		struct pollfd fds[TEST_CONNECTIONS + 1] = { { .fd = listener, .events = POLLIN } };
		for (int i = 0; i < TEST_CONNECTIONS; i++)
			fds[i + 1] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
		if (poll(fds, TEST_CONNECTIONS + 1, 30000) <= 0)
			_exit(0);
		for (int i = 0; i < TEST_CONNECTIONS; i++)
			if (fds[i + 1].revents && connections[i].fd >= 0)
				test_read(script, &connections[i]);
		if (!fds[0].revents)
			continue;
		for (int i = 0; i < TEST_CONNECTIONS; i++) {
			if (connections[i].fd >= 0)
				continue;
			connections[i].fd = accept(listener, NULL, NULL);
			connections[i].len = 0;
			connections[i].echo = false;
			script->seen->connections++;
			break;
		}
	}
}

static inline struct test_server *test_server_start(const struct test_reply *replies, size_t count)
{
	struct test_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(server && listener >= 0 && count <= 256);
	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 64) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	server->seen = mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server->pid = fork();
	if (server->pid == 0) {
		struct test_script script = { .replies = replies,
					      .count = count,
					      .seen = server->seen };
		signal(SIGPIPE, SIG_IGN);
		test_serve(listener, &script);
	}
	close(listener);
	return server;
}

static inline void test_server_stop(struct test_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->seen, sizeof(*server->seen));
	free(server);
}
