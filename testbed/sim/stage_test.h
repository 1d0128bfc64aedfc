/*
 * What the tests of the whole program share: a world with an application in A, processes of os2os in it, and where something strikes.
 *
 *	static void rollback_gives_a_back(void)
 *	{
 *		raise_shape("web");
 *		strike(0, SIM_STRIKE_KILL, "start.after", 0);
 *		EXPECT(os2os(MIGRATE) == KILLED);
 *		EXPECT(os2os("rollback --from a --to b") == 0);
 *		expect_end("before");
 *	}
 *
 * Each test is a process of its own, since a world is one.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "controllers.h"
#include "drill.h"
#include "fault.h"
#include "network.h"
#include "oracle.h"
#include "strike.h"
#include "task.h"
#include "world.h"

#define BOTH " --from a --to b"
#define MIGRATE "migrate -n shop --mode move --yes" BOTH
#define WORDS_MAX 32
#define PROCESSES_MAX 24
#define HITS_MAX 16
#define LIMIT_US (20000 * SIM_S)

enum { KILLED = -1, STOPPED = -2, ENDLESS = -3 };

int o2_main(int argc, char **argv);

/* --- failing --- */

static inline void expect(bool holds, const char *what, int line)
{
	if (holds)
		return;
	dprintf(3, "line %d: %s\n", line, what);
	exit(1);
}

#define EXPECT(condition) expect(condition, #condition, __LINE__)
/* What came instead is told. */
#define EXPECT_CODE(value, wanted) \
	do { \
		int is_ = (value); \
		if (is_ != (wanted)) \
			dprintf(3, "it is %d\n", is_); \
		expect(is_ == (wanted), #value " == " #wanted, __LINE__); \
	} while (0)

/* --- strikes --- */

/* Of process `run` (-1: of all): at the points whose words contain `what` (or end so: "x$"), past the first `skip`, so many times. */
struct hit {
	int run;
	enum sim_strike strike;
	const char *what;
	int skip, times;
	void (*act)(void); /* instead of a strike; NULL: none */
};

static struct {
	struct hit hits[HITS_MAX];
	size_t hit_count;
	const char *awaited; /* a point that somebody waits for */
	bool came;
	char kubeconfig[64];
	int said; /* what the processes wrote */
} stage;

static inline void strike_times(int run, enum sim_strike strike, const char *what, int skip,
				int times)
{
	stage.hits[stage.hit_count++] = (struct hit){ run, strike, what, skip, times, NULL };
}

static inline void strike(int run, enum sim_strike strike, const char *what, int skip)
{
	strike_times(run, strike, what, skip, 1);
}

/* Something of the test's own happens there. */
static inline void act(int run, void (*fn)(void), const char *what, int skip)
{
	stage.hits[stage.hit_count++] = (struct hit){ run, SIM_STRIKE_NONE, what, skip, 1, fn };
}

static inline bool says(const struct sim_point *point, const char *what)
{
	size_t len = strlen(what), of = strlen(point->what);

	if (what[len - 1] != '$')
		return strstr(point->what, what) != NULL;
	return of >= len - 1 && strncmp(point->what + of - (len - 1), what, len - 1) == 0;
}

static inline bool is_hit(struct hit *hit, int run, const struct sim_point *point)
{
	if ((hit->run >= 0 && hit->run != run) || !says(point, hit->what) ||
	    (!hit->act && !sim_strike_fits(hit->strike, point->place)) || hit->times == 0)
		return false;
	if (hit->skip > 0) {
		hit->skip--;
		return false;
	}
	hit->times--;
	return true;
}

static inline enum sim_strike choose(int run, uint64_t number, const struct sim_point *point)
{
	(void)number;
	stage.came |= stage.awaited && strstr(point->what, stage.awaited);
	for (size_t i = 0; i < stage.hit_count; i++) {
		if (!is_hit(&stage.hits[i], run, point))
			continue;
		if (stage.hits[i].act)
			stage.hits[i].act();
		else
			return stage.hits[i].strike;
	}
	return SIM_STRIKE_NONE;
}

/* --- processes --- */

struct process {
	struct sim_task *task;
	char *words[WORDS_MAX];
	int count, code;
	void (*fn)(void); /* instead of the program */
};

static struct process processes[PROCESSES_MAX];
static int process_count;

static inline void run_process(void *arg)
{
	struct process *process = arg;

	if (process->fn)
		process->fn();
	else
		process->code = o2_main(process->count, process->words);
}

static inline struct process *begin_process(const char *name, void (*fn)(void))
{
	struct process *process = &processes[process_count];

	process->fn = fn;
	process->task = sim_task_start(name, run_process, process);
	sim_fault_watch(process->task, process_count++);
	return process;
}

/* "rollback --from a": os2os with these words. */
static inline struct process *start(const char *line)
{
	struct process *process = &processes[process_count];
	char *text = o2_xstrdup(line), *rest = NULL;

	process->words[process->count++] = o2_xstrdup("os2os");
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		process->words[process->count++] = o2_xstrdup(word);
	process->words[process->count++] = o2_xstrdup("--kubeconfig");
	process->words[process->count++] = stage.kubeconfig;
	free(text);
	return begin_process("os2os", NULL);
}

/* Its exit code, or what became of it. */
static inline int await(struct process *process)
{
	int64_t limit = sim_now_us() + LIMIT_US;

	while (!sim_task_is_over(process->task) && !sim_task_is_stopped(process->task) &&
	       sim_now_us() < limit && sim_step())
		;
	return sim_task_was_killed(process->task)   ? KILLED
	       : sim_task_is_stopped(process->task) ? STOPPED
	       : sim_task_is_over(process->task)    ? process->code
						    : ENDLESS;
}

static inline int os2os(const char *line)
{
	return await(start(line));
}

/* As the shape wants it. */
static inline int migrate(void)
{
	const struct sim_shape *shape = sim_drill_shape();
	char line[256];
	int len = snprintf(line, sizeof(line), "migrate -n shop --mode %s --yes" BOTH, shape->mode);

	for (size_t i = 0; shape->options[i]; i++)
		len += snprintf(line + len, sizeof(line) - (size_t)len, " %s", shape->options[i]);
	return os2os(line);
}

static inline int go_on(struct process *process)
{
	sim_task_continue(process->task);
	return await(process);
}

/* Library calls that believe to block. */
static inline void in_task(void (*fn)(void))
{
	EXPECT_CODE(await(begin_process("test", fn)), 0);
}

/* Until any process passes such a point. */
static inline void await_point(const char *what)
{
	stage.awaited = what;
	stage.came = false;
	while (!stage.came)
		EXPECT(sim_step());
	stage.awaited = NULL;
}

/* --- the world --- */

static inline void raise_shape(const char *name)
{
	sim_drill_prepare(sim_shape(name), 1, "testbed/sim/shapes", stage.kubeconfig);
	sim_fault_kill_first(NULL);
	sim_fault_choose(choose);
}

static inline struct sim_object *map_of(int side, const char *role)
{
	struct sim_object *at = sim_first(sim_side(side), sim_kind("", "ConfigMap"));

	while (at && strcmp(sim_label(at, "os2os.io/record"), role) != 0)
		at = sim_next(at);
	return at;
}

/* R1 (0) or R2 (1); it must be there. */
static inline struct sim_object *record_of(int side)
{
	struct sim_object *map = map_of(side, side == 0 ? "source" : "target");

	if (map)
		return map;
	dprintf(3, "%c has no record\n", "AB"[side]);
	exit(1);
}

static inline const char *state_of(int side)
{
	return o2_doc_str(record_of(side)->doc, "/data/state", "");
}

static inline const char *the_id(void)
{
	return sim_label(record_of(0), "os2os.io/txn");
}

static inline void change(struct sim_object *object, const char *pointer, const char *text)
{
	struct o2_doc *next = o2_doc_copy(object->doc);

	o2_doc_put_str(next, pointer, text);
	sim_put(object, next);
}

static inline void erase(struct sim_object *object)
{
	sim_remove(object);
}

/* It must be there. */
static inline struct sim_object *the(struct sim_object *object)
{
	if (object)
		return object;
	dprintf(3, "what should be there is not\n");
	exit(1);
}

static inline struct sim_object *make(int side, const char *yaml)
{
	struct o2_err err = { 0 };
	struct sim_refusal refusal = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), &err);
	struct sim_object *object =
		docs ? sim_create(sim_side(side), o2_doc_copy(o2_doc_item(docs, 0)), "kubectl",
				  &refusal)
		     : NULL;

	if (object)
		return object;
	dprintf(3, "cannot make it: %s%s\n", err.message, refusal.message);
	exit(1);
}

static inline struct sim_object *find_in(int side, const char *group, const char *kind,
					 const char *name)
{
	return sim_find(sim_side(side), sim_kind(group, kind), "shop", name);
}

/* All is well, and the application where it should be. */
static inline void expect_end(const char *outcome)
{
	sim_strike_mend();
	sim_pass_time(180 * SIM_S);
	sim_oracle_end();
	if (sim_oracle_violation())
		dprintf(3, "%s\n", sim_oracle_violation());
	EXPECT(sim_oracle_violation() == NULL);
	EXPECT(strcmp(sim_oracle_outcome(), outcome) == 0);
}

/* --- tests --- */

static inline void write_kubeconfig(void)
{
	static const char text[] = "apiVersion: v1\nkind: Config\n"
				   "clusters:\n"
				   "- {name: a, cluster: {server: \"https://a.sim\"}}\n"
				   "- {name: b, cluster: {server: \"https://b.sim\"}}\n"
				   "users:\n- {name: me, user: {token: word}}\n"
				   "contexts:\n"
				   "- {name: a, context: {cluster: a, user: me}}\n"
				   "- {name: b, context: {cluster: b, user: me}}\n";
	FILE *out;

	snprintf(stage.kubeconfig, sizeof(stage.kubeconfig), "/tmp/os2os-stage-%d", (int)getpid());
	out = fopen(stage.kubeconfig, "w");
	EXPECT(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

/* The program's words go nowhere (unless O2_VERBOSE is set); the test's own go to descriptor 3. */
static inline void silence(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(2, 3);
	if (!getenv("O2_VERBOSE")) {
		stage.said = memfd_create("said", MFD_CLOEXEC);
		dup2(null, 0);
		dup2(stage.said, 1);
		dup2(stage.said, 2);
	}
	close(null);
}

/* Did any process tell this? */
static inline bool has_said(const char *words)
{
	static char text[1 << 20];
	ssize_t len;

	if (stage.said <= 0)
		return true;
	len = pread(stage.said, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return strstr(text, words) != NULL;
}

static inline void play(void **state)
{
	void (*test)(void) = *(void (**)(void)) * state;
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL); /* cmocka would go on with the next test */
		signal(SIGSEGV, SIG_DFL);
		silence();
		write_kubeconfig();
		setenv("HOME", "/nonexistent", 1);
		setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
		setenv("XDG_STATE_HOME", "/nonexistent", 1);
		test();
		unlink(stage.kubeconfig);
		exit(0);
	}
	assert_int_not_equal(waitpid(child, &status, 0), -1);
	assert_int_equal(status, 0);
}

/* One row of a test table: a static pointer, since cmocka wants data. */
#define PLAY(test) \
	{ \
#test, play, NULL, NULL, (void *)&(void (*)(void)) \
		{ \
			test \
		} \
	}
