/* Opening the channel to the other agent: listening, or connecting to one of several addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/stream_internal.h"

#define LISTEN_MS 60000
#define ACCEPT_HANDSHAKE_MS 5000
#define SLICE_MS 200
#define SOCKET_BUFFER_BYTES (4 << 20)

static void set_socket(struct o2_agent *agent, int fd)
{
	pthread_mutex_lock(&agent->socket_lock);
	agent->socket = fd;
	pthread_mutex_unlock(&agent->socket_lock);
}

void o2_agent_close_channel(struct o2_agent *agent)
{
	set_socket(agent, -1);
	o2_channel_freep(&agent->channel);
}

/* A peer that is gone without a word is noticed within a minute, also in the middle of a write. */
static void set_up(int fd)
{
	static const int on = 1, idle = 15, interval = 10, probes = 4;
	static const int buffer = SOCKET_BUFFER_BYTES;
	static const unsigned user_timeout = O2_CHANNEL_SILENCE_MS;
	static const struct timeval silence = { .tv_sec = O2_CHANNEL_SILENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
}

static void take(struct o2_agent *agent, struct o2_tls *tls, int fd)
{
	set_up(fd);
	agent->channel = o2_channel_over_tls(tls, fd, &agent->stop);
}

/* --- listening --- */

/* A listening socket on a free port of all addresses: of both families where there is IPv6. */
static int listen_anywhere(int *out_port, struct o2_err *err)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET };
	socklen_t len = sizeof(six);
	static const int off = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		if (bind(fd, (struct sockaddr *)&six, sizeof(six)) < 0) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return o2_fail_errno(err, errno, "cannot make a socket");
		if (bind(fd, (struct sockaddr *)&four, sizeof(four)) < 0)
			goto fail;
	}
	if (listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&six, &len) < 0)
		goto fail;
	/* The port stands at the same place in both kinds of address. */
	*out_port = ntohs(six.sin6_port);
	return fd;
fail:
	o2_fail_errno(err, errno, "cannot listen");
	close(fd);
	return err ? err->code : -O2_EIO;
}

static int tell_port(struct o2_agent *agent, int port, struct o2_err *err)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_LISTENING);
	o2_wire_put_u16(&frame, (uint16_t)port);
	return o2_agent_emit(agent, &frame, err);
}

/* Wait for the right peer; others are turned away. */
static int accept_peer(struct o2_agent *agent, int listener, const char *fingerprint,
		       struct o2_err *err)
{
	int64_t end = o2_clock_ms() + LISTEN_MS;
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	while (o2_clock_ms() < end && !agent->stop) {
		if (poll(&wait, 1, SLICE_MS) <= 0)
			continue;
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		set_socket(agent, fd);
		struct o2_tls *tls =
			o2_tls_accept(fd, agent->identity, fingerprint, ACCEPT_HANDSHAKE_MS, NULL);
		if (tls) {
			take(agent, tls, fd);
			return 0;
		}
		set_socket(agent, -1);
	}
	if (agent->stop)
		return o2_fail(err, O2_ECANCELED, "stopped by the driver");
	return o2_fail(err, O2_ETRANSIENT, "the other agent did not connect within %d s",
		       LISTEN_MS / 1000);
}

int o2_agent_listen(struct o2_agent *agent, const char *fingerprint, struct o2_err *err)
{
	int port = 0;
	int listener = listen_anywhere(&port, err);
	int rc;

	if (listener < 0)
		return listener;
	if ((rc = tell_port(agent, port, err)) == 0)
		rc = accept_peer(agent, listener, fingerprint, err);
	close(listener);
	return rc;
}

/* --- connecting --- */

/* A numeric address. Returns its length, 0 if it is none. */
static socklen_t parse_address(const char *text, int port, struct sockaddr_storage *out)
{
	struct sockaddr_in six_or_four = { .sin_family = AF_INET,
					   .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, text, &six_or_four.sin_addr) == 1) {
		memcpy(out, &six_or_four, sizeof(six_or_four));
		return sizeof(six_or_four);
	}
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
		memcpy(out, &six, sizeof(six));
		return sizeof(six);
	}
	return 0;
}

/* Until the connection stands. Returns 0 or an errno. */
static int wait_connected(const struct o2_agent *agent, int fd, int timeout_ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int64_t end = o2_clock_ms() + timeout_ms;
	int failed = 0;
	socklen_t len = sizeof(failed);

	for (;;) {
		int64_t left = end - o2_clock_ms();
		if (left <= 0 || agent->stop)
			return ETIMEDOUT;
		if (poll(&wait, 1, left < SLICE_MS ? (int)left : SLICE_MS) > 0)
			break;
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0 ? errno : failed;
}

static int connect_one(struct o2_agent *agent, const char *address, int port,
		       const char *fingerprint, int timeout_ms, struct o2_err *err)
{
	struct sockaddr_storage where;
	socklen_t len = parse_address(address, port, &where);
	int64_t start = o2_clock_ms();
	int failed = 0;

	if (len == 0)
		return o2_fail(err, O2_EINVALID, "'%s' is no numeric address", address);
	int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot make a socket for %s", address);
	if (connect(fd, (struct sockaddr *)&where, len) < 0)
		failed = errno == EINPROGRESS ? wait_connected(agent, fd, timeout_ms) : errno;
	if (failed || fcntl(fd, F_SETFL, 0) < 0) {
		close(fd);
		return o2_fail_errno(err, failed ? failed : EIO, "cannot connect to %s port %d",
				     address, port);
	}
	set_socket(agent, fd);
	int left = timeout_ms - (int)(o2_clock_ms() - start);
	struct o2_tls *tls =
		o2_tls_connect(fd, agent->identity, fingerprint, left > 1 ? left : 1, err);
	if (tls == NULL) {
		set_socket(agent, -1);
		return o2_prefix(err, "%s port %d", address, port);
	}
	take(agent, tls, fd);
	return 0;
}

int o2_agent_connect(struct o2_agent *agent, char *const *addresses, size_t count, int port,
		     const char *fingerprint, int timeout_ms, struct o2_err *err)
{
	struct o2_err last = { 0 };

	for (size_t i = 0; i < count && !agent->stop; i++) {
		o2_err_clear(&last);
		if (connect_one(agent, addresses[i], port, fingerprint, timeout_ms, &last) == 0)
			return 0;
	}
	if (last.code == 0)
		return o2_fail(err, O2_EINVALID, "no address to connect to");
	if (err)
		*err = last;
	return last.code;
}
