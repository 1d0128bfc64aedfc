/*
 * Two agents and their driver, for tests: real sessions over socket pairs, in threads or in processes of their own.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "stream/stream.h"

#define PAIR_WAIT_MS 60000

struct side {
	struct side *other; /* RELAY goes there */
	struct o2_stream_control *control;
	struct o2_stream_tree tree;
	int fd;       /* the driver's end */
	int agent_fd; /* the agent's */
	pthread_t thread;
	pid_t pid; /* 0: a thread */
	int rc;
	bool running;
	/* what it said */
	char fingerprint[O2_STREAM_DIGEST_SIZE];
	char digest[O2_STREAM_DIGEST_SIZE];
	int uid, port;
	unsigned seen[O2_STREAM_EVENT_COUNT];
	struct o2_stream_stats stats;
	struct o2_err error;
	struct o2_buf list;
	/* a relay that lies: this byte of the stream to the other is changed */
	uint64_t relayed, corrupt_at;
	uint64_t drop_after; /* nothing is relayed after so many bytes */
	bool keep_relayed;   /* nor at all, but the first bytes are kept */
	unsigned char kept[64];
};

struct pair {
	struct side a, b; /* sender, receiver */
};

static inline int side_write(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	struct side *side = arg;
	const char *at = bytes;

	while (len > 0) {
		ssize_t done = send(side->fd, at, len, MSG_NOSIGNAL);
		if (done < 0)
			return o2_fail_errno(err, errno, "cannot write to the agent");
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

static inline void side_relay(struct side *side, const struct o2_stream_event *event)
{
	O2_AUTO(o2_freep) unsigned char *bytes = o2_xmalloc(event->len + 1);

	memcpy(bytes, event->bytes, event->len);
	if (side->corrupt_at >= side->relayed && side->corrupt_at < side->relayed + event->len)
		bytes[side->corrupt_at - side->relayed] ^= 0x40;
	if (side->keep_relayed && side->relayed == 0)
		memcpy(side->kept, bytes, event->len < 64 ? event->len : 64);
	side->relayed += event->len;
	if (side->keep_relayed)
		return;
	if (side->drop_after && side->relayed > side->drop_after)
		return;
	(void)!o2_stream_control_relay_bytes(side->other->control, bytes, event->len, NULL);
}

static inline void side_event(void *arg, const struct o2_stream_event *event)
{
	struct side *side = arg;

	side->seen[event->type]++;
	if (event->type == O2_STREAM_HELLO) {
		snprintf(side->fingerprint, sizeof(side->fingerprint), "%s", event->fingerprint);
		side->uid = event->uid;
	}
	if (event->type == O2_STREAM_LISTENING)
		side->port = event->port;
	if (event->type == O2_STREAM_SENT || event->type == O2_STREAM_RECEIVED)
		side->stats = event->stats;
	if (event->type == O2_STREAM_DIGEST)
		snprintf(side->digest, sizeof(side->digest), "%s", event->digest);
	if (event->type == O2_STREAM_LISTED && event->path[0] != '\0')
		o2_buf_addf(&side->list, "%s %s\n", event->digest, event->path);
	if (event->type == O2_STREAM_RELAY)
		side_relay(side, event);
	if (event->type == O2_STREAM_FAILED)
		side->error = event->error;
}

static inline void *side_run(void *arg)
{
	struct side *side = arg;
	struct o2_err err = { 0 };

	side->rc = o2_stream_session(&side->tree, 1, side->agent_fd, side->agent_fd, &err);
	shutdown(side->agent_fd, SHUT_RDWR);
	return NULL;
}

/* Start an agent for a tree; in a process of its own, which then runs as that user. */
static inline void side_start(struct side *side, const char *path, bool process, uid_t uid)
{
	int fds[2];

	*side = (struct side){ .tree = { .name = "data", .path = path }, .corrupt_at = UINT64_MAX };
	o2_buf_init(&side->list, 64 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	side->fd = fds[0];
	side->agent_fd = fds[1];
	side->control = o2_stream_control_new(side_write, side_event, side);
	side->running = true;
	if (!process) {
		assert_int_equal(pthread_create(&side->thread, NULL, side_run, side), 0);
		return;
	}
	side->pid = fork();
	assert_true(side->pid >= 0);
	if (side->pid == 0) {
		close(fds[0]);
		if (uid != 0 && (setgid(uid) < 0 || setuid(uid) < 0))
			_exit(2);
		side_run(side);
		_exit(side->rc < 0 ? 1 : 0);
	}
	close(fds[1]);
}

/* Take what an agent says. False when it has ended. */
static inline bool side_take(struct side *side)
{
	static char bytes[1 << 20];
	ssize_t got = recv(side->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return side->running = false;
	assert_int_equal(o2_stream_control_feed(side->control, bytes, (size_t)got, NULL), 0);
	return true;
}

/* Pump until each side has said `a` and `b` (EVENT_COUNT: nothing), or FAILED, or ended. True if both said what was wanted. */
static inline bool pair_wait(struct pair *pair, enum o2_stream_event_type a,
			     enum o2_stream_event_type b)
{
	struct side *sides[2] = { &pair->a, &pair->b };
	enum o2_stream_event_type wanted[2] = { a, b };
	unsigned before[2] = { 0 },
		 failed[2] = { pair->a.seen[O2_STREAM_FAILED], pair->b.seen[O2_STREAM_FAILED] };
	bool done[2] = { a == O2_STREAM_EVENT_COUNT, b == O2_STREAM_EVENT_COUNT };
	bool good = true;
	int64_t end = o2_clock_ms() + PAIR_WAIT_MS;

	for (int i = 0; i < 2; i++)
		before[i] = done[i] ? 0 : sides[i]->seen[wanted[i]];
	while (!done[0] || !done[1]) {
		struct pollfd waits[2] = {
			{ .fd = pair->a.running ? pair->a.fd : -1, .events = POLLIN },
			{ .fd = pair->b.running ? pair->b.fd : -1, .events = POLLIN }
		};
		assert_true(o2_clock_ms() < end);
		(void)!poll(waits, 2, 1000);
		for (int i = 0; i < 2; i++) {
			if (sides[i]->running && waits[i].revents)
				side_take(sides[i]);
			if (done[i])
				continue;
			if (sides[i]->seen[wanted[i]] > before[i]) {
				done[i] = true;
			} else if (sides[i]->seen[O2_STREAM_FAILED] > failed[i] ||
				   !sides[i]->running) {
				done[i] = true;
				good = false;
			}
		}
	}
	return good;
}

static inline void pair_start(struct pair *pair, const char *from, const char *to, bool process)
{
	side_start(&pair->a, from, process, 0);
	side_start(&pair->b, to, process, 0);
	pair->a.other = &pair->b;
	pair->b.other = &pair->a;
	assert_true(pair_wait(pair, O2_STREAM_HELLO, O2_STREAM_HELLO));
}

static inline void pair_connect(struct pair *pair, bool relay)
{
	static const char *const addresses[] = { "127.0.0.1" };

	if (relay) {
		assert_int_equal(o2_stream_control_relay(pair->a.control, NULL), 0);
		assert_int_equal(o2_stream_control_relay(pair->b.control, NULL), 0);
	} else {
		assert_int_equal(
			o2_stream_control_listen(pair->b.control, pair->a.fingerprint, NULL), 0);
		assert_true(pair_wait(pair, O2_STREAM_EVENT_COUNT, O2_STREAM_LISTENING));
		assert_int_equal(o2_stream_control_connect(pair->a.control, addresses, 1,
							   pair->b.port, pair->b.fingerprint, 5000,
							   NULL),
				 0);
	}
	assert_true(pair_wait(pair, O2_STREAM_CONNECTED, O2_STREAM_CONNECTED));
}

/* A round; false if either side failed. */
static inline bool pair_round(struct pair *pair, bool final)
{
	pair->a.error = pair->b.error = (struct o2_err){ 0 };
	assert_int_equal(o2_stream_control_receive(pair->b.control, NULL), 0);
	assert_int_equal(o2_stream_control_send(pair->a.control, final, NULL), 0);
	return pair_wait(pair, O2_STREAM_SENT, O2_STREAM_RECEIVED);
}

/* Both say the same digest. */
static inline bool pair_digests_agree(struct pair *pair)
{
	assert_int_equal(o2_stream_control_digest(pair->a.control, NULL), 0);
	assert_int_equal(o2_stream_control_digest(pair->b.control, NULL), 0);
	assert_true(pair_wait(pair, O2_STREAM_DIGEST, O2_STREAM_DIGEST));
	assert_int_equal(strlen(pair->a.digest), 64);
	return strcmp(pair->a.digest, pair->b.digest) == 0;
}

static inline void side_end(struct side *side)
{
	if (side->pid == 0) {
		pthread_join(side->thread, NULL);
		close(side->agent_fd);
	} else {
		int status;
		assert_int_equal(waitpid(side->pid, &status, 0), side->pid);
		side->rc = WIFEXITED(status) ? -WEXITSTATUS(status) : -1;
	}
	close(side->fd);
	o2_stream_control_free(side->control);
	o2_buf_release(&side->list);
}

static inline void pair_end(struct pair *pair)
{
	struct side *sides[2] = { &pair->a, &pair->b };

	for (int i = 0; i < 2; i++) {
		(void)!o2_stream_control_bye(sides[i]->control, NULL);
		shutdown(sides[i]->fd, SHUT_WR);
	}
	for (int i = 0; i < 2; i++) {
		int64_t end = o2_clock_ms() + PAIR_WAIT_MS;
		while (sides[i]->running && o2_clock_ms() < end) {
			struct pollfd wait = { .fd = sides[i]->fd, .events = POLLIN };
			(void)!poll(&wait, 1, 1000);
			side_take(sides[i]);
		}
		assert_false(sides[i]->running);
	}
	side_end(&pair->a);
	side_end(&pair->b);
}
