/* Running a credential plug-in: no shell, one JSON document from its standard output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "doc/doc.h"
#include "kube/plugin_internal.h"

#define OUTPUT_MAX_BYTES ((size_t)1 << 20)
#define TIME_LIMIT_MS 120000 /* for those that may not ask the user */
#define SLICE_MS 200

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void o2_kube_plugin_answer_release(struct o2_kube_plugin_answer *answer)
{
	free_secret(answer->token);
	free(answer->cert_pem);
	free_secret(answer->key_pem);
	*answer = (struct o2_kube_plugin_answer){ 0 };
}

/* --- what it is told --- */

static char *exec_info(const struct o2_kube_exec_plugin *plugin, bool interactive)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *info = o2_doc_object_new();

	o2_doc_put_str(info, "/apiVersion", plugin->api_version);
	o2_doc_put_str(info, "/kind", "ExecCredential");
	o2_doc_put_bool(info, "/spec/interactive", interactive);
	if (plugin->cluster_info_json) {
		struct o2_doc *cluster = o2_doc_parse(plugin->cluster_info_json,
						      strlen(plugin->cluster_info_json), NULL);
		if (cluster)
			o2_doc_put(info, "/spec/cluster", cluster);
	}
	return o2_doc_dump(info);
}

/* Ours, with those of the kubeconfig in place of ours of the same name. */
static void make_environment(struct o2_strs *env, const struct o2_kube_exec_plugin *plugin,
			     const char *info)
{
	struct o2_strs own = { 0 };

	for (size_t i = 0; i < plugin->env.count; i++)
		o2_strs_add(&own, plugin->env.items[i]);
	o2_strs_addf(&own, "KUBERNETES_EXEC_INFO=%s", info);
	for (char **variable = environ; *variable; variable++) {
		size_t name_len = strcspn(*variable, "=") + 1;
		bool replaced = false;
		for (size_t i = 0; i < own.count && !replaced; i++)
			replaced = strncmp(own.items[i], *variable, name_len) == 0;
		if (!replaced)
			o2_strs_add(env, *variable);
	}
	for (size_t i = 0; i < own.count; i++)
		o2_strs_add(env, own.items[i]);
	o2_strs_release(&own);
}

/* argv or envp for posix_spawn; borrows the strings. */
static char **null_terminated(char *first, const struct o2_strs *list)
{
	char **array = o2_xcalloc(list->count + 2, sizeof(*array));
	size_t count = 0;

	if (first)
		array[count++] = first;
	for (size_t i = 0; i < list->count; i++)
		array[count++] = list->items[i];
	return array;
}

/* --- the process --- */

static int spawn(const struct o2_kube_exec_plugin *plugin, bool interactive, int output,
		 pid_t *out_pid)
{
	posix_spawn_file_actions_t actions;
	struct o2_strs env = { 0 };
	O2_AUTO(o2_freep) char *info = exec_info(plugin, interactive);

	make_environment(&env, plugin, info);
	O2_AUTO(o2_freep) char **argv = null_terminated(plugin->command, &plugin->args);
	O2_AUTO(o2_freep) char **envp = null_terminated(NULL, &env);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!interactive)
		posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	int errnum = posix_spawnp(out_pid, plugin->command, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	o2_strs_release(&env);
	return errnum;
}

/* All that it writes, until it closes its output. */
static int read_output(int fd, const char *what, bool interactive, struct o2_buf *out,
		       struct o2_err *err)
{
	int64_t end_ms = o2_clock_ms() + TIME_LIMIT_MS;
	char bytes[8192];

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		if (o2_cancel_check(err) < 0)
			return -O2_ECANCELED;
		if (!interactive && o2_clock_ms() > end_ms)
			return o2_fail(err, O2_ETRANSIENT, "%s has not answered for %d s", what,
				       TIME_LIMIT_MS / 1000);
		if (poll(&ready, 1, SLICE_MS) <= 0)
			continue;
		ssize_t len = read(fd, bytes, sizeof(bytes));
		if (len < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (len < 0)
			return o2_fail_errno(err, errno, "cannot read from %s", what);
		if (len == 0)
			return 0;
		o2_buf_add(out, bytes, (size_t)len);
		if (o2_buf_overflowed(out))
			return o2_fail(err, O2_ELIMIT, "%s writes more than %zu bytes", what,
				       out->max);
	}
}

/* It may be told to stop, and has a moment to do so. */
static void stop(pid_t pid)
{
	siginfo_t info = { 0 };

	kill(pid, SIGTERM);
	for (int i = 0; i < 20; i++) {
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == pid)
			return;
		usleep(100000);
	}
	kill(pid, SIGKILL);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* --- what it says --- */

static int parse_answer(const struct o2_kube_exec_plugin *plugin, const struct o2_buf *output,
			const char *what, struct o2_kube_plugin_answer *out, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_parse(output->data, output->len, NULL);
	const char *version = o2_doc_str(doc, "/apiVersion", "");
	const char *token = o2_doc_str(doc, "/status/token", "");
	const char *cert = o2_doc_str(doc, "/status/clientCertificateData", "");
	const char *key = o2_doc_str(doc, "/status/clientKeyData", "");
	const char *expires = o2_doc_str(doc, "/status/expirationTimestamp", "");

	if (strcmp(o2_doc_str(doc, "/kind", ""), "ExecCredential") != 0)
		return o2_fail(err, O2_EAUTH, "%s did not answer with an ExecCredential", what);
	if (strcmp(version, plugin->api_version) != 0)
		return o2_fail(err, O2_EAUTH,
			       "%s answers in version '%s', but the kubeconfig asks for '%s'", what,
			       version, plugin->api_version);
	if (token[0] == '\0' && cert[0] == '\0' && key[0] == '\0')
		return o2_fail(err, O2_EAUTH, "%s gave neither a token nor a client certificate",
			       what);
	if ((cert[0] == '\0') != (key[0] == '\0'))
		return o2_fail(err, O2_EAUTH,
			       "%s gave a client certificate without its key, or the reverse",
			       what);
	if (expires[0] && (out->expires = o2_clock_parse(expires)) < 0)
		return o2_fail(err, O2_EAUTH, "%s gave a time of expiry that can't be read", what);
	if (token[0])
		out->token = o2_xstrdup(token);
	if (cert[0]) {
		out->cert_pem = o2_xstrdup(cert);
		out->key_pem = o2_xstrdup(key);
	}
	return 0;
}

static int not_installed(const struct o2_kube_exec_plugin *plugin, const char *what, int errnum,
			 struct o2_err *err)
{
	O2_AUTO(o2_freep) char *hint = o2_xstrdup(plugin->install_hint ? plugin->install_hint : "");

	o2_log_sanitize(hint);
	if (errnum == ENOENT)
		return o2_fail(err, O2_ENOTFOUND, "%s is not installed%s%s", what,
			       hint[0] ? ": " : "", hint);
	return o2_fail_errno(err, errnum, "cannot run %s", what);
}

int o2_kube_plugin_run(const struct o2_kube_exec_plugin *plugin, const char *user,
		       struct o2_kube_plugin_answer *out, struct o2_err *err)
{
	O2_AUTO(o2_freep)
	char *what = o2_xasprintf("credential plug-in '%s' of user '%s'", plugin->command, user);
	bool terminal = isatty(STDIN_FILENO);
	bool interactive = terminal && strcmp(plugin->interactive_mode, "Never") != 0;
	struct o2_buf output;
	int pipes[2];
	pid_t pid = 0;

	if (!terminal && strcmp(plugin->interactive_mode, "Always") == 0)
		return o2_fail(err, O2_EAUTH,
			       "%s must ask questions, but standard input is not a terminal", what);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return o2_fail_errno(err, errno, "cannot run %s", what);
	int errnum = spawn(plugin, interactive, pipes[1], &pid);
	close(pipes[1]);
	if (errnum) {
		close(pipes[0]);
		return not_installed(plugin, what, errnum, err);
	}
	o2_buf_init(&output, OUTPUT_MAX_BYTES);
	int code = read_output(pipes[0], what, interactive, &output, err);
	close(pipes[0]);
	if (code < 0)
		stop(pid);
	int status = wait_for(pid);
	if (code == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		code = o2_fail(err, O2_EAUTH, "%s failed (%s %d)", what,
			       WIFEXITED(status) ? "exit status" : "signal",
			       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	if (code == 0)
		code = parse_answer(plugin, &output, what, out, err);
	explicit_bzero(output.data, output.len);
	o2_buf_release(&output);
	return code;
}
