/* The loader and the agent as they are shipped: O2_LOADER and O2_AGENT are their paths. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#define PART_BYTES 1000000
#define AGENT_MAX_BYTES (32 << 20)
#define VERSION_LINE "os2os-agent " O2_VERSION "\n"

static char folder[] = "/tmp/os2os-loader-XXXXXX";
static size_t parts;

static char *inside(const char *name)
{
	return o2_xasprintf("%s/%s", folder, name);
}

static void put(const char *name, const char *bytes, size_t len, mode_t mode)
{
	O2_AUTO(o2_freep) char *path = inside(name);

	assert_int_equal(o2_file_write_durable(path, bytes, len, mode, NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
	O2_AUTO(o2_freep) char *loader = NULL, *agent = NULL;
	size_t loader_len, len;
	char name[32];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(o2_file_read(O2_LOADER, AGENT_MAX_BYTES, &loader, &loader_len, NULL), 0);
	assert_int_equal(o2_file_read(O2_AGENT, AGENT_MAX_BYTES, &agent, &len, NULL), 0);
	put("loader", loader, loader_len, 0555);
	for (size_t at = 0; at < len; at += PART_BYTES) {
		size_t part = len - at < PART_BYTES ? len - at : PART_BYTES;
		snprintf(name, sizeof(name), "agent-%zu", parts++);
		put(name, agent + at, part, 0444);
	}
	return 0;
}

static int tear_down(void **state)
{
	char name[32];

	(void)state;
	for (size_t i = 0; i < parts + 1; i++) {
		snprintf(name, sizeof(name), "agent-%zu", i);
		O2_AUTO(o2_freep) char *path = inside(i < parts ? name : "loader");
		unlink(path);
	}
	/* Fails if the loader left something. */
	return rmdir(folder);
}

/* What a node does that does not let a program run from memory. */
static void bar_memory(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = O2_COUNT(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
}

struct run {
	bool memory_barred;
	const char *agent_dir; /* NULL: not set */
	const char *verb;
};

static pid_t start(const struct run *run, int out_fd)
{
	O2_AUTO(o2_freep) char *loader = inside("loader");
	O2_AUTO(o2_freep)
	char *variable = run->agent_dir ? o2_xasprintf("OS2OS_AGENT_DIR=%s", run->agent_dir) : NULL;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	if (run->memory_barred)
		bar_memory();
	execve(loader, (char *[]){ loader, (char *)run->verb, NULL }, (char *[]){ variable, NULL });
	_exit(98);
}

/* Exit status; what it said on stdout and stderr is in `said`. */
static int run_loader(const struct run *run, char said[1024])
{
	size_t len = 0;
	ssize_t got;
	int fds[2], status;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = start(run, fds[1]);
	close(fds[1]);
	while (len < 1023 && (got = read(fds[0], said + len, 1023 - len)) > 0)
		len += (size_t)got;
	said[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void parts_are_joined_and_run_from_memory(void **state)
{
	char said[1024];

	(void)state;
	assert_true(parts > 1);
	assert_int_equal(run_loader(&(struct run){ .verb = "version" }, said), 0);
	assert_string_equal(said, VERSION_LINE);
}

static void folder_serves_where_memory_is_barred(void **state)
{
	struct run run = { .memory_barred = true, .agent_dir = folder, .verb = "version" };
	char said[1024];

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(run_loader(&run, said), 0);
		assert_string_equal(said, VERSION_LINE);
	}
	run.agent_dir = NULL;
	assert_int_equal(run_loader(&run, said), 126);
	assert_non_null(strstr(said, "OS2OS_AGENT_DIR names no folder: errno 13\n"));
	run.agent_dir = "/does/not/exist";
	assert_int_equal(run_loader(&run, said), 126);
	assert_non_null(strstr(said, "cannot write '/does/not/exist/.os2os-agent-0': errno 2\n"));
}

static void what_is_incomplete_does_not_run(void **state)
{
	O2_AUTO(o2_freep) char *away = inside("away");

	(void)state;
	for (size_t i = 0; i < parts; i++) {
		char name[32], said[1024];
		snprintf(name, sizeof(name), "agent-%zu", i);
		O2_AUTO(o2_freep) char *part = inside(name);
		assert_int_equal(rename(part, away), 0);
		int code = run_loader(&(struct run){ .verb = "version" }, said);
		assert_int_equal(rename(away, part), 0);
		assert_int_equal(code, 126);
		assert_non_null(strstr(said, i == 0 ? "there is no" : "not complete"));
	}
}

static void hold_ends_when_it_is_told_to(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };
	const struct run run = { .verb = "hold" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(signals); i++) {
		int status;
		pid_t pid = start(&run, STDERR_FILENO);
		o2_clock_sleep_ms(200);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		int64_t start_ms = o2_clock_ms();
		assert_int_equal(kill(pid, signals[i]), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		assert_in_range(o2_clock_ms() - start_ms, 0, 1000);
	}
}

static void unknown_verbs_are_refused(void **state)
{
	char said[1024];

	(void)state;
	assert_int_equal(run_loader(&(struct run){ .verb = "nonsense" }, said), 2);
	assert_non_null(strstr(said, "unknown verb 'nonsense'"));
	assert_int_equal(run_loader(&(struct run){ .verb = NULL }, said), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_joined_and_run_from_memory),
		cmocka_unit_test(folder_serves_where_memory_is_barred),
		cmocka_unit_test(what_is_incomplete_does_not_run),
		cmocka_unit_test(hold_ends_when_it_is_told_to),
		cmocka_unit_test(unknown_verbs_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
