/* The agent's end of a session: one thread listens to the driver, one does what it asks. */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "stream/stream_internal.h"

#define IN_BYTES (2 * (O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES))
#define QUEUE_MAX 16
#define ADDRESSES_MAX 64
#define TIMEOUT_MAX_MS 600000

struct order {
	uint8_t type;
	unsigned char *payload;
	size_t len;
};

struct session {
	struct o2_agent agent;
	int in_fd;
	bool greeted, bye;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct order orders[QUEUE_MAX]; /* a ring */
	size_t first, count;
	bool ending;
};

/* --- what the driver asks, done by the worker --- */

static int tell_connected(struct o2_agent *agent, struct o2_err *err)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_CONNECTED);
	return o2_agent_emit(agent, &frame, err);
}

static int run_listen(struct o2_agent *agent, struct o2_wire *wire, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *fingerprint = o2_wire_text(wire, O2_SHA256_HEX_SIZE);
	int rc = o2_wire_check(wire, "command", err);

	o2_agent_close_channel(agent);
	if (rc < 0 || (rc = o2_agent_listen(agent, fingerprint, err)) < 0)
		return rc;
	return tell_connected(agent, err);
}

static int run_connect(struct o2_agent *agent, struct o2_wire *wire, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *fingerprint = o2_wire_text(wire, O2_SHA256_HEX_SIZE);
	O2_AUTO(o2_strs_release) struct o2_strs addresses = { 0 };
	int port = o2_wire_u16(wire);
	uint32_t timeout_ms = o2_wire_u32(wire);
	size_t count = o2_wire_u16(wire);

	for (size_t i = 0; i < count && i < ADDRESSES_MAX && !wire->bad; i++) {
		O2_AUTO(o2_freep) char *address = o2_wire_text(wire, 128);
		o2_strs_add(&addresses, address);
	}
	int rc = o2_wire_check(wire, "command", err);
	if (timeout_ms > TIMEOUT_MAX_MS)
		timeout_ms = TIMEOUT_MAX_MS;
	o2_agent_close_channel(agent);
	if (rc < 0 || (rc = o2_agent_connect(agent, addresses.items, addresses.count, port,
					     fingerprint, (int)timeout_ms, err)) < 0)
		return rc;
	return tell_connected(agent, err);
}

static int run_relay(struct o2_agent *agent, struct o2_err *err)
{
	o2_agent_close_channel(agent);
	agent->channel = o2_channel_over_relay(agent->relay, &agent->stop);
	return tell_connected(agent, err);
}

static int run_send(struct o2_agent *agent, struct o2_wire *wire, struct o2_err *err)
{
	bool final = o2_wire_u8(wire) != 0;
	int rc = o2_wire_check(wire, "command", err);

	o2_agent_start_round(agent);
	if (rc < 0 || (rc = o2_agent_send(agent, final, err)) < 0)
		return rc;
	return o2_agent_emit_stats(agent, O2_STREAM_SENT, err);
}

static int run_receive(struct o2_agent *agent, struct o2_err *err)
{
	int rc;

	o2_agent_start_round(agent);
	if ((rc = o2_agent_receive(agent, err)) < 0)
		return rc;
	return o2_agent_emit_stats(agent, O2_STREAM_RECEIVED, err);
}

static int run_order(struct o2_agent *agent, const struct order *order, struct o2_err *err)
{
	struct o2_wire wire = { .at = order->payload, .left = order->len };

	switch ((enum o2_command)order->type) {
	case O2_COMMAND_LISTEN:
		return run_listen(agent, &wire, err);
	case O2_COMMAND_CONNECT:
		return run_connect(agent, &wire, err);
	case O2_COMMAND_RELAY:
		return run_relay(agent, err);
	case O2_COMMAND_SEND:
		return run_send(agent, &wire, err);
	case O2_COMMAND_RECEIVE:
		return run_receive(agent, err);
	case O2_COMMAND_DIGEST:
		o2_agent_start_round(agent);
		return o2_agent_digest(agent, err);
	case O2_COMMAND_LIST:
		o2_agent_start_round(agent);
		return o2_agent_list(agent, err);
	case O2_COMMAND_HELLO:
	case O2_COMMAND_RELAY_BYTES:
	case O2_COMMAND_BYE:
	case O2_COMMAND_COUNT:
		break;
	}
	return o2_fail(err, O2_EINTERNAL, "an unknown command");
}

static void tell_failed(struct o2_agent *agent, const struct o2_err *failed)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_FAILED);
	o2_error_put(&frame, failed);
	(void)!o2_agent_emit(agent, &frame, NULL);
}

static void *work(void *arg)
{
	struct session *session = arg;
	struct o2_agent *agent = &session->agent;

	pthread_mutex_lock(&session->lock);
	for (;;) {
		while (session->count == 0 && !session->ending)
			pthread_cond_wait(&session->changed, &session->lock);
		if (session->ending)
			break;
		struct order order = session->orders[session->first];
		session->first = (session->first + 1) % QUEUE_MAX;
		session->count--;
		pthread_mutex_unlock(&session->lock);
		struct o2_err failed = { 0 };
		if (run_order(agent, &order, &failed) < 0 && !agent->stop)
			tell_failed(agent, &failed);
		if (agent->channel && o2_channel_broken(agent->channel))
			o2_agent_close_channel(agent);
		free(order.payload);
		pthread_mutex_lock(&session->lock);
	}
	pthread_mutex_unlock(&session->lock);
	return NULL;
}

/* --- listening to the driver --- */

static int enqueue(struct session *session, const struct o2_wire_frame *frame, struct o2_err *err)
{
	struct order order = { .type = frame->type, .len = frame->len };
	int rc = 0;

	order.payload = o2_xmalloc(frame->len + 1);
	memcpy(order.payload, frame->payload, frame->len);
	pthread_mutex_lock(&session->lock);
	if (session->count == QUEUE_MAX) {
		rc = o2_fail(err, O2_ELIMIT, "more than %d commands wait", QUEUE_MAX);
		free(order.payload);
	} else {
		session->orders[(session->first + session->count++) % QUEUE_MAX] = order;
		pthread_cond_signal(&session->changed);
	}
	pthread_mutex_unlock(&session->lock);
	return rc;
}

static int take_hello(struct session *session, const struct o2_wire_frame *frame,
		      struct o2_err *err)
{
	struct o2_wire wire = o2_wire_open(frame);
	O2_AUTO(o2_freep) char *magic = o2_wire_text(&wire, 64);
	uint32_t version = o2_wire_u32(&wire);

	if (frame->type != O2_COMMAND_HELLO || !o2_wire_done(&wire) ||
	    strcmp(magic, O2_DRIVER_MAGIC) != 0)
		return o2_fail(err, O2_ECORRUPT, "what speaks to the agent is not os2os");
	if (version != O2_STREAM_VERSION)
		return o2_fail(err, O2_EUNSUPPORTED, "os2os speaks version %u, the agent %d",
			       version, O2_STREAM_VERSION);
	session->greeted = true;
	return 0;
}

static int take_frame(struct session *session, const struct o2_wire_frame *frame,
		      struct o2_err *err)
{
	if (!session->greeted)
		return take_hello(session, frame, err);
	switch ((enum o2_command)frame->type) {
	case O2_COMMAND_BYE:
		session->bye = true;
		return 0;
	case O2_COMMAND_RELAY_BYTES:
		return o2_relay_feed(session->agent.relay, frame->payload, frame->len, err);
	case O2_COMMAND_RELAY:
		/* Here and not by the worker: bytes may follow at once. */
		o2_relay_reset(session->agent.relay);
		return enqueue(session, frame, err);
	case O2_COMMAND_LISTEN:
	case O2_COMMAND_CONNECT:
	case O2_COMMAND_SEND:
	case O2_COMMAND_RECEIVE:
	case O2_COMMAND_DIGEST:
	case O2_COMMAND_LIST:
		return enqueue(session, frame, err);
	case O2_COMMAND_HELLO:
	case O2_COMMAND_COUNT:
		break;
	}
	return o2_fail(err, O2_ECORRUPT, "an unknown command %u", frame->type);
}

/* Take the complete frames from the front of the buffer. */
static int take_frames(struct session *session, unsigned char *in, size_t *inout_len,
		       struct o2_err *err)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && !session->bye) {
		struct o2_wire_frame frame;
		ptrdiff_t size = o2_wire_frame(in + at, *inout_len - at, &frame, err);
		if (size <= 0) {
			rc = (int)size;
			break;
		}
		rc = take_frame(session, &frame, err);
		at += (size_t)size;
	}
	*inout_len -= at;
	memmove(in, in + at, *inout_len);
	return rc;
}

static int listen_to_driver(struct session *session, struct o2_err *err)
{
	O2_AUTO(o2_freep) unsigned char *in = o2_xmalloc(IN_BYTES);
	struct pollfd wait = { .fd = session->in_fd, .events = POLLIN };
	size_t len = 0;
	int rc = 0;

	while (rc == 0 && !session->bye) {
		if (session->agent.stop)
			return o2_fail(err, O2_ETRANSIENT, "the driver does not listen any more");
		if (poll(&wait, 1, 1000) <= 0)
			continue;
		ssize_t got = read(session->in_fd, in + len, IN_BYTES - len);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return o2_fail_errno(err, errno, "cannot read from the driver");
		if (got == 0)
			return o2_fail(err, O2_ETRANSIENT, "the driver ended without a word");
		len += (size_t)got;
		rc = take_frames(session, in, &len, err);
	}
	return rc;
}

/* --- beginning and end --- */

static uint64_t least_free(const struct o2_agent *agent)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < agent->count; i++) {
		struct statvfs fs;
		uint64_t free_bytes = 0;
		if (!agent->trees[i].device && fstatvfs(agent->trees[i].root->fd, &fs) == 0)
			free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (!agent->trees[i].device && free_bytes < least)
			least = free_bytes;
	}
	return least == UINT64_MAX ? 0 : least;
}

static int say_hello(struct o2_agent *agent, struct o2_err *err)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_HELLO);
	o2_wire_put_text(&frame, O2_DRIVER_MAGIC);
	o2_wire_put_u32(&frame, O2_STREAM_VERSION);
	o2_wire_put_u32(&frame, geteuid());
	o2_wire_put_text(&frame, o2_tls_fingerprint(agent->identity));
	o2_wire_put_u64(&frame, least_free(agent));
	return o2_agent_emit(agent, &frame, err);
}

static int emit_relay(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_RELAY);
	o2_buf_add(&frame, bytes, len);
	return o2_agent_emit(arg, &frame, err);
}

static int open_trees(struct o2_agent *agent, const struct o2_stream_tree *trees, size_t count,
		      struct o2_err *err)
{
	agent->trees = o2_xcalloc(count, sizeof(*agent->trees));
	agent->memories = o2_xcalloc(count, sizeof(struct o2_memory *));
	for (; agent->count < count; agent->count++) {
		const struct o2_stream_tree *tree = &trees[agent->count];
		int rc = o2_tree_open(&agent->trees[agent->count], tree->name, tree->path, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int begin(struct session *session, const struct o2_stream_tree *trees, size_t count,
		 struct o2_err *err)
{
	struct o2_agent *agent = &session->agent;
	int rc;

	agent->identity = o2_tls_identity_new(err);
	if (agent->identity == NULL)
		return err ? err->code : -O2_EINTERNAL;
	agent->relay = o2_relay_new(emit_relay, agent);
	if ((rc = open_trees(agent, trees, count, err)) < 0)
		return rc;
	return say_hello(agent, err);
}

/* What runs is made to end: every wait looks at `stop`, or is for the socket, or for the relay. */
static void stop(struct session *session, pthread_t worker)
{
	struct o2_agent *agent = &session->agent;

	agent->stop = true;
	pthread_mutex_lock(&agent->socket_lock);
	if (agent->socket >= 0)
		shutdown(agent->socket, SHUT_RDWR);
	pthread_mutex_unlock(&agent->socket_lock);
	o2_relay_wake(agent->relay);
	pthread_mutex_lock(&session->lock);
	session->ending = true;
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
	pthread_join(worker, NULL);
}

static void release(struct session *session)
{
	struct o2_agent *agent = &session->agent;

	o2_agent_close_channel(agent);
	o2_agent_forget(agent);
	for (size_t i = 0; i < agent->count; i++)
		o2_tree_close(&agent->trees[i]);
	free(agent->trees);
	free(agent->memories);
	o2_relay_free(agent->relay);
	o2_tls_identity_free(agent->identity);
	for (; session->count > 0; session->count--) {
		free(session->orders[session->first].payload);
		session->first = (session->first + 1) % QUEUE_MAX;
	}
	pthread_mutex_destroy(&session->lock);
	pthread_cond_destroy(&session->changed);
	pthread_mutex_destroy(&agent->socket_lock);
	pthread_mutex_destroy(&agent->out_lock);
}

/* The process's own settings: a descriptor a level of a deep tree, and no heap for each thread, which would not be given back. */
static void set_up_process(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
}

int o2_stream_session(const struct o2_stream_tree *trees, size_t count, int in_fd, int out_fd,
		      struct o2_err *err)
{
	struct session session = { .in_fd = in_fd, .agent = { .out_fd = out_fd, .socket = -1 } };
	struct o2_err own = { 0 };
	pthread_t worker;

	if (err == NULL)
		err = &own;
	set_up_process();
	pthread_mutex_init(&session.lock, NULL);
	pthread_cond_init(&session.changed, NULL);
	pthread_mutex_init(&session.agent.socket_lock, NULL);
	pthread_mutex_init(&session.agent.out_lock, NULL);
	int rc = begin(&session, trees, count, err);
	if (rc == 0 && pthread_create(&worker, NULL, work, &session) != 0)
		rc = o2_fail(err, O2_ELIMIT, "cannot start a thread");
	if (rc == 0) {
		rc = listen_to_driver(&session, err);
		stop(&session, worker);
	}
	if (rc < 0)
		tell_failed(&session.agent, err);
	release(&session);
	return rc;
}
