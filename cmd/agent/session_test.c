/* The session verb of the agent as it is shipped, static; O2_AGENT is its path. What a session does is tested in lib/stream. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "crypto/crypto.h"
#include "stream/pair_test.h"

#define FILE_BYTES ((5 << 20) + 3)

static char folder[] = "/tmp/os2os-session-XXXXXX";

static void start_program(struct side *side, const char *path)
{
	O2_AUTO(o2_freep) char *tree = o2_xasprintf("data=%s", path);
	int fds[2];

	*side = (struct side){ .corrupt_at = UINT64_MAX, .running = true };
	o2_buf_init(&side->list, 1 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	side->fd = fds[0];
	side->control = o2_stream_control_new(side_write, side_event, side);
	side->pid = fork();
	assert_true(side->pid >= 0);
	if (side->pid == 0) {
		dup2(fds[1], STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		/* Nothing of this machine's: neither its environment, nor, as it is static, its libraries. */
		execle(O2_AGENT, O2_AGENT, "session", tree, (char *)NULL,
		       (char *const[]){ (char *)"OPENSSL_CONF=/nonsense", NULL });
		_exit(127);
	}
	close(fds[1]);
}

static void tree_travels_between_two_agents(void **state)
{
	O2_AUTO(o2_freep) char *from = o2_xasprintf("%s/from", folder);
	O2_AUTO(o2_freep) char *to = o2_xasprintf("%s/to", folder);
	O2_AUTO(o2_freep) char *sent = o2_xasprintf("%s/file", from);
	O2_AUTO(o2_freep) char *arrived = o2_xasprintf("%s/file", to);
	O2_AUTO(o2_freep) char *bytes = o2_xmalloc(FILE_BYTES);
	O2_AUTO(o2_freep) char *got = NULL;
	struct pair pair;
	size_t len;

	(void)state;
	assert_int_equal(mkdir(from, 0755), 0);
	assert_int_equal(mkdir(to, 0755), 0);
	o2_random_bytes(bytes, FILE_BYTES);
	assert_int_equal(o2_file_write_durable(sent, bytes, FILE_BYTES, 0600, NULL), 0);
	start_program(&pair.a, from);
	start_program(&pair.b, to);
	pair.a.other = &pair.b;
	pair.b.other = &pair.a;
	assert_true(pair_wait(&pair, O2_STREAM_HELLO, O2_STREAM_HELLO));
	pair_connect(&pair, false);
	assert_true(pair_round(&pair, true));
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_int_equal(pair.a.rc, 0);
	assert_int_equal(pair.b.rc, 0);
	assert_int_equal(o2_file_read(arrived, FILE_BYTES, &got, &len, NULL), 0);
	assert_int_equal(len, FILE_BYTES);
	assert_memory_equal(got, bytes, FILE_BYTES);
}

/* Exit code of the agent with these arguments, and an empty stdin. */
static int run(const char *a, const char *b)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
		execl(O2_AGENT, O2_AGENT, "session", a, b, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void wrong_usage_is_refused(void **state)
{
	O2_AUTO(o2_freep) char *good = o2_xasprintf("data=%s", folder);

	(void)state;
	assert_int_equal(run(NULL, NULL), 2);
	assert_int_equal(run("data", NULL), 2);
	assert_int_equal(run("=/tmp", NULL), 2);
	assert_int_equal(run("data=", NULL), 2);
	assert_int_equal(run("data=tmp", NULL), 2);
	assert_int_equal(run("a/b=/tmp", NULL), 2);
	assert_int_equal(run(good, "data"), 2);
	/* Without a bye the end of stdin is no success. */
	assert_int_equal(run(good, NULL), 1);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", folder, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_travels_between_two_agents),
		cmocka_unit_test(wrong_usage_is_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
