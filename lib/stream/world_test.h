/*
 * Two directories with files, for tests: what is to be moved, and where to.
 */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "stream/pair_test.h"

#define MIB ((size_t)1 << 20)

struct world {
	char base[64], from[80], to[80];
};

static inline char *at(const struct world *world, bool to, const char *path)
{
	return o2_xasprintf("%s/%s", to ? world->to : world->from, path);
}

static inline void shell(const struct world *world, const char *script)
{
	char *const env[] = { o2_xasprintf("FROM=%s", world->from),
			      o2_xasprintf("TO=%s", world->to),
			      o2_xstrdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), NULL };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execle("/bin/sh", "sh", "-euc", script, (char *)NULL, env);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; env[i]; i++)
		free(env[i]);
	if (status != 0)
		fail_msg("status %d of: %s", status, script);
}

static inline int set_up(void **state)
{
	struct world *world = o2_xcalloc(1, sizeof(*world));

	snprintf(world->base, sizeof(world->base), "/tmp/o2-stream-XXXXXX");
	if (mkdtemp(world->base) == NULL)
		return -1;
	chmod(world->base, 0755);
	snprintf(world->from, sizeof(world->from), "%s/from", world->base);
	snprintf(world->to, sizeof(world->to), "%s/to", world->base);
	mkdir(world->from, 0755);
	mkdir(world->to, 0755);
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	shell(world, "chmod -R u+rwx \"$FROM\" \"$TO\" 2>/dev/null || :; rm -rf \"${FROM%/from}\"");
	free(world);
	return 0;
}

/* So that what was written is not taken for written in the moment of the scan. */
static inline void let_it_age(void)
{
	o2_clock_sleep_ms(3100);
}

static inline void write_random(const struct world *world, const char *name, size_t offset,
				size_t len)
{
	O2_AUTO(o2_freep) char *path = at(world, false, name);
	O2_AUTO(o2_freep) unsigned char *bytes = o2_xmalloc(len);
	static unsigned seed = 7;
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(rand_r(&seed) >> 8);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

/* Everything that tar and stat can see is the same on both sides. */
static inline void assert_same(const struct world *world)
{
	shell(world, "list() { cd \"$1\" && find . -mindepth 1 ! -type s -printf "
		     "'%P|%y|%m|%U|%G|%T@|%l|%n\\n' | LC_ALL=C sort; "
		     "find . -mindepth 1 -type f -printf '%s %P\\n' | LC_ALL=C sort; "
		     "find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum; }; "
		     "list \"$FROM\" >\"$FROM.list\"; list \"$TO\" >\"$TO.list\"; diff "
		     "\"$FROM.list\" \"$TO.list\"");
}

static inline void open_pair(struct pair *pair, const struct world *world, bool relay)
{
	pair_start(pair, world->from, world->to, false);
	pair_connect(pair, relay);
}

static inline void assert_round(struct pair *pair, bool final)
{
	if (!pair_round(pair, final))
		fail_msg("sender: %s; receiver: %s", pair->a.error.message, pair->b.error.message);
}
