/*
 * The simulated clusters over loopback sockets, for the real os2os, kubectl and the comparison with a real API server.
 *
 *	sim-server --a PORT --b PORT [--shapes FOLDER --shape NAME] [--speed N]
 *
 * Port 0 is any. One line of JSON on stdout tells the ports once they listen: {"a":40001,"b":40002}. Plain HTTP, no credentials. The
 * world's time follows the machine's, or passes N times as fast; its calendar begins with the machine's. It ends at the end of stdin and at SIGTERM. What runs in pods is only told of:
 * there is no exec, so no data is moved.
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "network.h"
#include "shapes.h"
#include "watch.h"
#include "world.h"

#define BODY_MAX_BYTES ((size_t)4 << 20)
#define TICK_MS 5
#define SEED 1
#define AGGREGATED "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

/* A watch that is told over a connection. */
struct stream {
	TAILQ_ENTRY(stream) link;
	struct MHD_Connection *connection;
	struct sim_watch *watch;
	char *line; /* of which `sent` bytes are gone */
	size_t sent, len;
	bool suspended;
};

/* A request while it comes in. */
struct exchange {
	char *path;
	struct o2_buf body;
	bool has_begun;
};

static struct {
	struct MHD_Daemon *daemons[2];
	TAILQ_HEAD(streams, stream) streams;
	int64_t began_us; /* the machine's clock when the world's stood at base_us */
	int64_t base_us;
	int64_t speed;
	bool ending;
} server = { .speed = 1, .streams = TAILQ_HEAD_INITIALIZER(server.streams) };

static volatile sig_atomic_t asked_to_end;

static void on_signal(int number)
{
	(void)number;
	asked_to_end = 1;
}

/* --- watches --- */

static ssize_t fill(struct stream *stream, char *out, size_t max)
{
	size_t len = stream->len - stream->sent < max ? stream->len - stream->sent : max;

	memcpy(out, stream->line + stream->sent, len);
	stream->sent += len;
	if (stream->sent == stream->len) {
		free(stream->line);
		stream->line = NULL;
	}
	return (ssize_t)len;
}

static ssize_t read_stream(void *arg, uint64_t position, char *out, size_t max)
{
	struct stream *stream = arg;

	(void)position;
	if (!stream->line) {
		stream->line = sim_watch_next(stream->watch);
		stream->sent = 0;
		stream->len = stream->line ? strlen(stream->line) : 0;
	}
	if (stream->line)
		return fill(stream, out, max);
	if (server.ending || sim_watch_is_over(stream->watch))
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	return 0;
}

static void end_stream(void *arg)
{
	struct stream *stream = arg;

	TAILQ_REMOVE(&server.streams, stream, link);
	sim_watch_free(stream->watch);
	free(stream->line);
	free(stream);
}

static void wake_streams(void)
{
	for (struct stream *stream = TAILQ_FIRST(&server.streams); stream;
	     stream = TAILQ_NEXT(stream, link)) {
		if (!stream->suspended)
			continue;
		stream->line = sim_watch_next(stream->watch);
		stream->sent = 0;
		stream->len = stream->line ? strlen(stream->line) : 0;
		if (!stream->line && !sim_watch_is_over(stream->watch))
			continue;
		stream->suspended = false;
		MHD_resume_connection(stream->connection);
	}
}

static enum MHD_Result answer_watch(struct MHD_Connection *connection, struct sim_cluster *cluster,
				    const struct sim_address *address)
{
	struct stream *stream = o2_xcalloc(1, sizeof(*stream));
	struct MHD_Response *response;
	enum MHD_Result result;

	stream->connection = connection;
	stream->watch = sim_watch_open(cluster, address);
	TAILQ_INSERT_TAIL(&server.streams, stream, link);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_stream, stream,
						     end_stream);
	MHD_add_response_header(response, "Content-Type", "application/json");
	result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

/* --- requests --- */

static const char *type_of(const char *path, const struct sim_response *answer)
{
	size_t len = strcspn(path, "?");

	if (answer->text)
		return "text/plain";
	if (answer->status == 200 && ((len == 4 && strncmp(path, "/api", len) == 0) ||
				      (len == 5 && strncmp(path, "/apis", len) == 0)))
		return AGGREGATED;
	return "application/json";
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const char *path,
				   const struct sim_response *answer)
{
	char *text = answer->doc ? o2_doc_dump(answer->doc)
				 : o2_xstrdup(answer->text ? answer->text : "");
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;
	char number[24];

	MHD_add_response_header(response, "Content-Type", type_of(path, answer));
	if (answer->retry_after_s >= 0) {
		snprintf(number, sizeof(number), "%d", answer->retry_after_s);
		MHD_add_response_header(response, "Retry-After", number);
	}
	if (answer->warning[0])
		MHD_add_response_header(response, "Warning", answer->warning);
	result = MHD_queue_response(connection, (unsigned)answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result serve(struct MHD_Connection *connection, struct sim_cluster *cluster,
			     const char *method, const struct exchange *exchange)
{
	const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
	const struct sim_request request = { .method = method,
					     .path = exchange->path,
					     .content_type = type,
					     .accept = accept,
					     .body = exchange->body.data,
					     .body_len = exchange->body.len };
	struct sim_address address;
	struct sim_response answer;
	enum MHD_Result result;

	sim_address_parse(exchange->path, &address);
	if (address.kind && strcmp(method, "GET") == 0 && sim_watch_asked(&address))
		return answer_watch(connection, cluster, &address);
	sim_serve(cluster, &request, &answer);
	result = send_answer(connection, exchange->path, &answer);
	sim_response_release(&answer);
	return result;
}

/* The path as it came, with its query: what libmicrohttpd hands on later is decoded. */
static void *begin_exchange(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *exchange = o2_xcalloc(1, sizeof(*exchange));

	(void)arg;
	(void)connection;
	exchange->path = o2_xstrdup(uri);
	o2_buf_init(&exchange->body, BODY_MAX_BYTES);
	return exchange;
}

static void end_exchange(void *arg, struct MHD_Connection *connection, void **slot,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *slot;

	(void)arg;
	(void)connection;
	(void)why;
	if (!exchange)
		return;
	free(exchange->path);
	o2_buf_release(&exchange->body);
	free(exchange);
	*slot = NULL;
}

/* Called once at a request's head, for each part of its body, and at its end. */
static enum MHD_Result take(void *arg, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data, size_t *len,
			    void **slot)
{
	struct exchange *exchange = *slot;

	(void)url;
	(void)version;
	if (!exchange->has_begun) {
		exchange->has_begun = true;
		return MHD_YES;
	}
	if (*len > 0) {
		o2_buf_add(&exchange->body, data, *len);
		*len = 0;
		return MHD_YES;
	}
	return serve(connection, arg, method, exchange);
}

/* --- the server --- */

static int open_port(int side, int port)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;

	server.daemons[side] = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL, take,
		sim_side(side), MHD_OPTION_SOCK_ADDR, &where, MHD_OPTION_URI_LOG_CALLBACK,
		begin_exchange, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_exchange, NULL,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	info = server.daemons[side]
		       ? MHD_get_daemon_info(server.daemons[side], MHD_DAEMON_INFO_BIND_PORT)
		       : NULL;
	return info ? info->port : -1;
}

/* The world catches up with the machine. */
static void follow_clock(void)
{
	int64_t passed = (o2_clock_us() - server.began_us) * server.speed;
	int64_t behind = passed - (sim_now_us() - server.base_us);

	if (behind > 0)
		sim_pass_time(behind);
}

static bool stdin_has_ended(short events)
{
	char ignored[256];

	return events != 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0;
}

/* libmicrohttpd can't stop while a connection is suspended. */
static void stop(void)
{
	server.ending = true;
	for (struct stream *stream = TAILQ_FIRST(&server.streams); stream;
	     stream = TAILQ_NEXT(stream, link)) {
		if (stream->suspended)
			MHD_resume_connection(stream->connection);
	}
	for (size_t i = 0; i < 2; i++) {
		MHD_run(server.daemons[i]);
		MHD_stop_daemon(server.daemons[i]);
	}
}

static void run(void)
{
	struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN } };

	for (size_t i = 0; i < 2; i++)
		fds[i + 1] = (struct pollfd){ .fd = MHD_get_daemon_info(server.daemons[i],
									MHD_DAEMON_INFO_EPOLL_FD)
							    ->epoll_fd,
					      .events = POLLIN };
	server.began_us = o2_clock_us();
	server.base_us = sim_now_us();
	while (!asked_to_end) {
		if (poll(fds, O2_COUNT(fds), TICK_MS) > 0 && stdin_has_ended(fds[0].revents))
			return;
		follow_clock();
		wake_streams();
		MHD_run(server.daemons[0]);
		MHD_run(server.daemons[1]);
	}
}

static void make_world(const struct sim_shape *shape, const char *folder)
{
	struct sim_cluster *clusters[2];

	sim_world_begin(SEED);
	sim_turn_calendar(o2_clock_unix() - sim_unix());
	clusters[0] = sim_cluster_new("A");
	clusters[1] = sim_cluster_new("B");
	sim_network_begin(clusters[0], clusters[1]);
	if (shape)
		sim_shape_raise(shape, folder);
	for (size_t i = 0; i < 2; i++)
		sim_cluster_keep_events(clusters[i]);
}

/* --- the command --- */

struct options {
	int ports[2];
	const char *folder, *shape;
};

static bool read_options(int argc, char **argv, struct options *out)
{
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return false;
		if (strcmp(argv[i], "--a") == 0 || strcmp(argv[i], "--b") == 0)
			out->ports[argv[i][2] - 'a'] = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--shapes") == 0)
			out->folder = argv[i + 1];
		else if (strcmp(argv[i], "--speed") == 0)
			server.speed = strtoll(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--shape") == 0)
			out->shape = argv[i + 1];
		else
			return false;
	}
	return server.speed > 0 && (!out->shape || sim_shape(out->shape));
}

int main(int argc, char **argv)
{
	struct options options = { .folder = "testbed/sim/shapes" };
	int ports[2] = { 0 };

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: sim-server --a PORT --b PORT [--shapes FOLDER --shape "
				"NAME] [--speed N]\n");
		return 2;
	}
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	signal(SIGPIPE, SIG_IGN);
	make_world(options.shape ? sim_shape(options.shape) : NULL, options.folder);
	for (int side = 0; side < 2; side++) {
		ports[side] = open_port(side, options.ports[side]);
		if (ports[side] < 0) {
			fprintf(stderr, "sim-server: cannot listen on port %d\n",
				options.ports[side]);
			return 1;
		}
	}
	printf("{\"a\":%d,\"b\":%d}\n", ports[0], ports[1]);
	fflush(stdout);
	run();
	stop();
	return 0;
}
