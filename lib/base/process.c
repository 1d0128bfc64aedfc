#include "base/process.h"

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 50

/* environ with `extra` in front; what comes first wins. Caller frees the array, not the strings. */
static char **merge_env(const struct o2_strs *extra)
{
	size_t count = 0, added = extra ? extra->count : 0;

	while (environ[count])
		count++;
	char **env = o2_xcalloc(count + added + 1, sizeof(*env));
	for (size_t i = 0; i < added; i++)
		env[i] = extra->items[i];
	memcpy(env + added, environ, count * sizeof(*env));
	return env;
}

static int spawn(const char *command, char **env, int stdin_fd, pid_t *out_pid)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int code;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	code = posix_spawn(out_pid, "/bin/sh", &actions, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return code;
}

/* Write what the pipe takes now; closes it at the end or when nobody reads. */
static void feed(int *fd, const char **rest)
{
	ssize_t done = **rest ? write(*fd, *rest, strlen(*rest)) : 0;

	if (done > 0)
		*rest += done;
	if ((done < 0 && errno != EAGAIN && errno != EINTR) || !**rest) {
		close(*fd);
		*fd = -1;
	}
}

static int wait_for(pid_t pid, int *input_fd, const char *input, int timeout_ms, int *out_exit,
		    struct o2_err *err)
{
	int64_t end = o2_clock_ms() + timeout_ms;
	int status = 0, code = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (code == 0 && timeout_ms > 0 && o2_clock_ms() > end)
			code = o2_fail(err, O2_ETRANSIENT, "the command did not end within %d s",
				       timeout_ms / 1000);
		if (code == 0)
			code = o2_cancel_check(err);
		if (code < 0)
			kill(-pid, SIGKILL);
		if (*input_fd >= 0)
			feed(input_fd, &input);
		o2_clock_sleep_ms(POLL_MS);
	}
	*out_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return code;
}

int o2_process_shell(const char *command, const struct o2_strs *env, const char *input,
		     int timeout_ms, int *out_exit, struct o2_err *err)
{
	int pipe_fds[2];
	pid_t pid;
	int code;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return o2_fail_errno(err, errno, "cannot make a pipe");
	fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK);
	O2_AUTO(o2_freep) char **merged = merge_env(env);
	code = spawn(command, merged, pipe_fds[0], &pid);
	close(pipe_fds[0]);
	if (code != 0) {
		close(pipe_fds[1]);
		return o2_fail_errno(err, code, "cannot start '/bin/sh'");
	}
	code = wait_for(pid, &pipe_fds[1], input ? input : "", timeout_ms, out_exit, err);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	return code;
}
