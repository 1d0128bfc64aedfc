/* The watchdog against a TLS server that answers by script: a child process, Python's. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#define REPLIES_MAX 16
#define PATIENCE_MS 20000
#define TEXT_MAX_BYTES (1 << 20)
#define SEPARATOR "\036"

/* An empty reply: the request is read, then the connection is lost. Each reply is for one connection that was agreed on. */
static const char server_program[] =
	"import os, socket, ssl, sys\n"
	"pem, address, seen = sys.argv[1:4]\n"
	"context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
	"context.load_cert_chain(pem)\n"
	"family = socket.AF_INET6 if ':' in address else socket.AF_INET\n"
	"listener = socket.create_server((address, 0), family=family)\n"
	"os.write(1, b'%d\\n' % listener.getsockname()[1])\n"
	"def whole(text):\n"
	"    head, end, body = text.partition(b'\\r\\n\\r\\n')\n"
	"    lengths = [int(l.split(b':')[1]) for l in head.split(b'\\r\\n') if "
	"l.startswith(b'Content-Length:')]\n"
	"    return end and len(body) >= sum(lengths)\n"
	"replies = [os.fsencode(r) for r in sys.argv[4:]]\n"
	"while replies:\n"
	"    plain = listener.accept()[0]\n"
	"    try:\n"
	"        peer = context.wrap_socket(plain, server_side=True)\n"
	"        text = b''\n"
	"        while not whole(text):\n"
	"            piece = peer.recv(65536)\n"
	"            if not piece: raise OSError('cut')\n"
	"            text += piece\n"
	"    except OSError:\n"
	"        continue\n"
	"    with open(seen, 'ab') as out: out.write(text + b'\\x1e')\n"
	"    reply = replies.pop(0)\n"
	"    try:\n"
	"        peer.sendall(reply)\n"
	"        if reply: peer.unwrap()\n"
	"    except OSError:\n"
	"        pass\n"
	"    peer.close()\n";

#define HTTP(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\n\r\n" body
#define OK HTTP("200 OK", "{}")

static char folder[] = "/tmp/os2os-watchdog-XXXXXX";

struct world {
	pid_t server, watchdog;
	int port;
	char *account, *orders, *seen, *said;
};

static char *in_folder(const char *name)
{
	return o2_xasprintf("%s/%s", folder, name);
}

static void put(const char *path, const char *text)
{
	assert_int_equal(o2_file_write_durable(path, text, strlen(text), 0600, NULL), 0);
}

/* "" if there is none. */
static char *get(const char *path)
{
	char *text = NULL;

	return o2_file_read(path, TEXT_MAX_BYTES, &text, NULL, NULL) == 0 ? text : o2_xstrdup("");
}

static int wait_exit(pid_t pid)
{
	int64_t end_ms = o2_clock_ms() + PATIENCE_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_true(o2_clock_ms() < end_ms);
		o2_clock_sleep_ms(10);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t spawn(char *const argv[], int out_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out_fd, STDOUT_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* A key and a certificate that is its own authority, in one file. */
static void make_authority(const char *path)
{
	char *argv[] = { (char *)"openssl",
			 (char *)"req",
			 (char *)"-x509",
			 (char *)"-newkey",
			 (char *)"ec",
			 (char *)"-pkeyopt",
			 (char *)"ec_paramgen_curve:P-256",
			 (char *)"-nodes",
			 (char *)"-subj",
			 (char *)"/CN=kubernetes",
			 (char *)"-addext",
			 (char *)"subjectAltName=IP:127.0.0.1,IP:::1",
			 (char *)"-out",
			 (char *)path,
			 (char *)"-keyout",
			 NULL,
			 NULL };
	O2_AUTO(o2_freep) char *key_path = o2_xasprintf("%s.key", path);
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

	argv[15] = key_path;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(quiet, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(quiet);
	assert_int_equal(wait_exit(pid), 0);
	O2_AUTO(o2_freep) char *certificate = get(path);
	O2_AUTO(o2_freep) char *key = get(key_path);
	O2_AUTO(o2_freep) char *both = o2_xasprintf("%s%s", certificate, key);
	put(path, both);
	unlink(key_path);
}

static int set_up_group(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	O2_AUTO(o2_freep) char *server = in_folder("server.pem");
	O2_AUTO(o2_freep) char *other = in_folder("other.pem");
	make_authority(server);
	make_authority(other);
	return 0;
}

static int tear_down_group(void **state)
{
	char *const argv[] = { (char *)"rm", (char *)"-rf", folder, NULL };

	(void)state;
	return wait_exit(spawn(argv, STDOUT_FILENO));
}

static void trust(const struct world *world, const char *authority)
{
	O2_AUTO(o2_freep) char *from = in_folder(authority);
	O2_AUTO(o2_freep) char *text = get(from);
	O2_AUTO(o2_freep) char *to = o2_xasprintf("%s/ca.crt", world->account);

	put(to, text);
}

static void set_token(const struct world *world, const char *token)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/token", world->account);

	put(path, token);
}

static void start_server(struct world *world, const char *address, const char *const *replies)
{
	O2_AUTO(o2_freep) char *pem = in_folder("server.pem");
	char *argv[6 + REPLIES_MAX + 1] = { (char *)"python3",      (char *)"-c",
					    (char *)server_program, pem,
					    (char *)address,        world->seen };
	char port[16] = { 0 };
	int fds[2];

	for (size_t i = 0; replies[i] != NULL; i++)
		argv[6 + i] = (char *)replies[i];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	world->server = spawn(argv, fds[1]);
	close(fds[1]);
	assert_true(read(fds[0], port, sizeof(port) - 1) > 0);
	close(fds[0]);
	world->port = (int)strtol(port, NULL, 10);
}

/* A server on `address` that gives these replies, and credentials for it. */
static void world_init(struct world *world, const char *address, const char *const *replies)
{
	*world = (struct world){ .account = o2_xstrdup(folder),
				 .orders = in_folder("orders"),
				 .seen = in_folder("seen"),
				 .said = in_folder("said") };
	unlink(world->seen);
	unlink(world->said);
	unlink(world->orders);
	trust(world, "server.pem");
	set_token(world, "SECRET-1\n");
	start_server(world, address, replies);
}

static void world_release(struct world *world)
{
	if (world->server > 0) {
		kill(world->server, SIGKILL);
		waitpid(world->server, NULL, 0);
	}
	free(world->account);
	free(world->orders);
	free(world->seen);
	free(world->said);
}

static void start_watchdog(struct world *world, const char *address)
{
	O2_AUTO(o2_freep) char *port = o2_xasprintf("%d", world->port);
	int said = open(world->said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(said >= 0);
	world->watchdog = fork();
	if (world->watchdog == 0) {
		/* It may well try for ever, but not longer than the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(said, STDERR_FILENO);
		setenv("KUBERNETES_SERVICE_HOST", address, 1);
		setenv("KUBERNETES_SERVICE_PORT", port, 1);
		setenv("OS2OS_SERVICE_ACCOUNT", world->account, 1);
		_exit(agent_watchdog(1, &world->orders));
	}
	close(said);
}

#define PATCH \
	"must PATCH /api/v1/namespaces/shop/configmaps/txn application/json-patch+json 4 " \
	"MARK-7\n[{}]\n"
#define DELETE "may DELETE /api/v1/namespaces/shop/resourcequotas/guard application/json 2 -\n{}\n"

/* Write the orders, run the watchdog to its end. */
static int run(struct world *world, const char *orders)
{
	put(world->orders, orders);
	start_watchdog(world, "127.0.0.1");
	return wait_exit(world->watchdog);
}

/* The requests' first lines, each with '\n'. Caller frees. */
static char *seen_lines(const struct world *world)
{
	O2_AUTO(o2_freep) char *text = get(world->seen);
	O2_AUTO(o2_buf_release) struct o2_buf lines = { 0 };

	o2_buf_init(&lines, TEXT_MAX_BYTES);
	for (const char *at = text; *at != '\0'; at = strstr(at, SEPARATOR) + 1) {
		o2_buf_add(&lines, at, strcspn(at, "\r"));
		o2_buf_addc(&lines, '\n');
	}
	return o2_buf_steal(&lines);
}

static void assert_seen(const struct world *world, const char *expected)
{
	O2_AUTO(o2_freep) char *lines = seen_lines(world);

	assert_string_equal(lines, expected);
}

static void assert_said(const struct world *world, const char *expected)
{
	O2_AUTO(o2_freep) char *said = get(world->said);

	assert_non_null(strstr(said, expected));
	assert_null(strstr(said, "SECRET"));
}

#define PATCH_LINE "PATCH /api/v1/namespaces/shop/configmaps/txn HTTP/1.1\n"
#define GET_LINE "GET /api/v1/namespaces/shop/configmaps/txn HTTP/1.1\n"
#define DELETE_LINE "DELETE /api/v1/namespaces/shop/resourcequotas/guard HTTP/1.1\n"

static void requests_are_sent_in_order(void **state)
{
	static const char *const replies[] = { OK, OK, OK, NULL };
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, "deadline 1\n" PATCH DELETE), 0);
	O2_AUTO(o2_freep) char *seen = get(world.seen);
	O2_AUTO(o2_freep)
	char *expected = o2_xasprintf(
		"PATCH /api/v1/namespaces/shop/configmaps/txn HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
		"User-Agent: os2os-agent/" O2_VERSION "\r\nAccept: application/json\r\n"
		"Connection: close\r\nAuthorization: Bearer SECRET-1\r\n"
		"Content-Type: application/json-patch+json\r\nContent-Length: 4\r\n\r\n"
		"[{}]" SEPARATOR,
		world.port);
	assert_memory_equal(seen, expected, strlen(expected));
	assert_seen(&world, PATCH_LINE DELETE_LINE);
	O2_AUTO(o2_freep) char *said = get(world.said);
	assert_string_equal(said, "PATCH /api/v1/namespaces/shop/configmaps/txn 200\n"
				  "DELETE /api/v1/namespaces/shop/resourcequotas/guard 200\n");
}

static void decision_of_ours_is_known_by_its_mark(void **state)
{
	static const char *const replies[] = {
		"",  HTTP("422 Unprocessable", "{}"), HTTP("200 OK", "{\"by\":\"MARK-7\"}"), OK, OK,
		NULL
	};
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, "deadline 1\n" PATCH DELETE), 0);
	assert_seen(&world, PATCH_LINE PATCH_LINE GET_LINE DELETE_LINE);
}

static void decision_of_somebody_else_stops_it(void **state)
{
	static const char *const statuses[] = { HTTP("422 Unprocessable", "MARK-7"),
						HTTP("409 Conflict", ""),
						HTTP("404 Not Found", "") };
	static const char *const shown[] = { HTTP("200 OK", "{\"by\":\"MARK-8\"}"),
					     HTTP("404 Not Found", "MARK-7") };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(statuses) * O2_COUNT(shown); i++) {
		const char *const replies[] = { statuses[i / 2], shown[i % 2], OK, OK, NULL };
		O2_AUTO(world_release) struct world world;
		world_init(&world, "127.0.0.1", replies);
		assert_int_equal(run(&world, "deadline 1\n" PATCH DELETE), 0);
		assert_seen(&world, PATCH_LINE GET_LINE);
		assert_said(&world, "the decision was made by somebody else\n");
	}
}

static void unclear_answers_are_asked_for_again(void **state)
{
	static const char *const replies[] = {
		HTTP("500 Internal Server Error", "{}"),
		"garbage\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		HTTP("403 Forbidden", "{}"),
		HTTP("404 Not Found", "{}"),
		OK,
		OK,
		NULL,
	};
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, "deadline 1\n" PATCH DELETE DELETE), 0);
	assert_seen(&world, PATCH_LINE PATCH_LINE PATCH_LINE DELETE_LINE DELETE_LINE DELETE_LINE);
	assert_said(&world, "/txn 500\n");
	assert_said(&world, "/txn: the answer is not HTTP\n");
	assert_said(&world, "/txn 200\n");
}

/* Whether the mark is there is asked until it is known: half an answer is none. */
static void unclear_mark_is_asked_for_again(void **state)
{
	static const char *const replies[] = {
		HTTP("409 Conflict", "{}"),
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
		HTTP("200 OK", "MARK-7"),
		OK,
		OK,
		NULL,
	};
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, "deadline 1\n" PATCH DELETE), 0);
	assert_seen(&world, PATCH_LINE GET_LINE GET_LINE DELETE_LINE);
}

static void wait_for_requests(const struct world *world, const char *lines)
{
	int64_t end_ms = o2_clock_ms() + PATIENCE_MS;

	for (;;) {
		O2_AUTO(o2_freep) char *seen = seen_lines(world);
		if (strcmp(seen, lines) == 0)
			return;
		assert_true(o2_clock_ms() < end_ms);
		o2_clock_sleep_ms(10);
	}
}

static void token_is_read_for_every_request(void **state)
{
	static const char *const replies[] = { HTTP("401 Unauthorized", "{}"), OK, OK, NULL };
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	put(world.orders, "deadline 1\n" PATCH);
	start_watchdog(&world, "127.0.0.1");
	wait_for_requests(&world, PATCH_LINE);
	set_token(&world, "SECRET-2");
	assert_int_equal(wait_exit(world.watchdog), 0);
	O2_AUTO(o2_freep) char *seen = get(world.seen);
	assert_non_null(strstr(strstr(seen, "Bearer SECRET-1\r\n"), "Bearer SECRET-2\r\n"));
	assert_said(&world, "/txn 401\n");
}

static void server_of_another_authority_learns_nothing(void **state)
{
	static const char *const replies[] = { OK, NULL };
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	trust(&world, "other.pem");
	put(world.orders, "deadline 1\n" PATCH);
	start_watchdog(&world, "127.0.0.1");
	o2_clock_sleep_ms(500);
	assert_seen(&world, "");
	assert_said(&world, "certificate verify failed\n");
	/* And it goes on trying. */
	trust(&world, "server.pem");
	assert_int_equal(wait_exit(world.watchdog), 0);
	assert_seen(&world, PATCH_LINE);
}

static bool has_ipv6(void)
{
	const struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					      .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

static void ipv6_works(void **state)
{
	static const char *const replies[] = { OK, NULL };
	O2_AUTO(world_release) struct world world = { 0 };

	(void)state;
	if (!has_ipv6())
		skip();
	world_init(&world, "::1", replies);
	put(world.orders, "deadline 1\n" PATCH);
	start_watchdog(&world, "::1");
	assert_int_equal(wait_exit(world.watchdog), 0);
	O2_AUTO(o2_freep) char *host = o2_xasprintf("\r\nHost: [::1]:%d\r\n", world.port);
	O2_AUTO(o2_freep) char *seen = get(world.seen);
	assert_non_null(strstr(seen, host));
}

static void nothing_is_done_before_the_deadline(void **state)
{
	static const char *const replies[] = { OK, OK, NULL };
	O2_AUTO(world_release) struct world world;
	O2_AUTO(o2_freep)
	char *soon = o2_xasprintf("deadline %lld\n" PATCH, (long long)o2_clock_unix() + 2);
	int64_t start_ms = o2_clock_ms();

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, soon), 0);
	assert_in_range(o2_clock_ms() - start_ms, 1000, 4000);
	assert_seen(&world, PATCH_LINE);
}

static void newest_version_that_makes_sense_counts(void **state)
{
	static const char *const replies[] = { OK, OK, NULL };
	O2_AUTO(world_release) struct world world;
	O2_AUTO(o2_freep)
	char *soon = o2_xasprintf("deadline %lld\n" PATCH, (long long)o2_clock_unix() + 5);

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	put(world.orders, "deadline 99999999999\n" PATCH);
	start_watchdog(&world, "127.0.0.1");
	o2_clock_sleep_ms(200);
	put(world.orders, soon);
	o2_clock_sleep_ms(2500);
	put(world.orders, "deadline 1\nnonsense\n");
	assert_int_equal(wait_exit(world.watchdog), 0);
	assert_seen(&world, PATCH_LINE);
	assert_said(&world, "line 2 is not as it should be\n");
	assert_true(o2_clock_unix() >= strtoll(soon + strlen("deadline "), NULL, 10));
}

static void without_orders_it_fails(void **state)
{
	static const char *const replies[] = { OK, NULL };
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	assert_int_equal(run(&world, "deadline 1\nnonsense\n"), 1);
	assert_said(&world, "/orders': line 2 is not as it should be\n");
	unlink(world.orders);
	start_watchdog(&world, "127.0.0.1");
	assert_int_equal(wait_exit(world.watchdog), 1);
	assert_said(&world, "/orders'");
	assert_seen(&world, "");
}

static void termination_is_no_success(void **state)
{
	static const char *const replies[] = { OK, NULL };
	O2_AUTO(world_release) struct world world;

	(void)state;
	world_init(&world, "127.0.0.1", replies);
	put(world.orders, "deadline 99999999999\n" PATCH);
	start_watchdog(&world, "127.0.0.1");
	o2_clock_sleep_ms(200);
	assert_int_equal(kill(world.watchdog, SIGTERM), 0);
	assert_int_equal(wait_exit(world.watchdog), 143);
	assert_seen(&world, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_sent_in_order),
		cmocka_unit_test(decision_of_ours_is_known_by_its_mark),
		cmocka_unit_test(decision_of_somebody_else_stops_it),
		cmocka_unit_test(unclear_answers_are_asked_for_again),
		cmocka_unit_test(unclear_mark_is_asked_for_again),
		cmocka_unit_test(token_is_read_for_every_request),
		cmocka_unit_test(server_of_another_authority_learns_nothing),
		cmocka_unit_test(ipv6_works),
		cmocka_unit_test(nothing_is_done_before_the_deadline),
		cmocka_unit_test(newest_version_that_makes_sense_counts),
		cmocka_unit_test(without_orders_it_fails),
		cmocka_unit_test(termination_is_no_success),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
