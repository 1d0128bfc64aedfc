/*
 * The fault battery: every point of a migration, every strike that fits it, and what becomes of the world.
 *
 * A worker brings a shape to life once and lets os2os move it. At each point it passes, the worker forks: the child lets one thing
 * strike there and lives through what follows, with its recovery, to one of the two good ends or to a violation; the parent goes on as
 * if nothing had happened. So what comes before a point is computed once, and a crash of the program is a child's exit status.
 *
 *	battery --runs N               about N runs: every point once, then strikes and pairs of strikes by chance, and swarms
 *	battery --exhaustive           every point and strike of every shape, once
 *	battery --swarm N              N runs with several strikes at chance points
 *	battery --replay SPEC          one run again, in full view: SHAPE/SEED/WORLD/RUN.POINT=STRIKE,...
 *	battery --points SHAPE         the points of a run in which nothing strikes
 *
 * The last line on stdout is JSON: runs, violations, points, how many of them were struck at.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "drill.h"
#include "fault.h"
#include "oracle.h"
#include "world.h"

#define SEED_DEFAULT 1
#define STRUCK_MAX 16
#define JOBS_DEFAULT 2
#define CHILD_LIMIT_S 20 /* of computing */
#define SWARM_STRIKES_MAX 3
#define STRIKES_A_POINT 15 /* that fit, on the average */
#define SWARM_SHARE 8      /* one run in so many, of a number of runs that was asked for */
#define PAIR_SHARE 5       /* one in so many gets a second strike */
#define LINE_MAX_BYTES 2048
#define SPEC_MAX_BYTES 600

enum mode { EXHAUSTIVE, RUNS, SWARM, REPLAY, POINTS };

/* One strike that was let through. */
struct struck {
	int run;
	uint64_t point;
	enum sim_strike strike;
};

static struct {
	enum mode mode;
	const char *shape; /* NULL: all */
	const char *folder, *kubeconfig;
	uint64_t seed, count;
	int jobs, job;
	bool verbose;
	enum sim_strike only; /* SIM_STRIKE_COUNT: all */
	int results;          /* pipe to who counts */
	char *struck;         /* shared with the children: what struck, should one of them die */
} battery = { .seed = SEED_DEFAULT,
	      .jobs = JOBS_DEFAULT,
	      .folder = "testbed/sim/shapes",
	      .only = SIM_STRIKE_COUNT };

/* Of this process' run. */
static struct {
	const struct sim_shape *shape;
	uint64_t world_seed; /* 0: chance changes at the first strike */
	struct struck struck[STRUCK_MAX];
	size_t count;
	struct struck planned[STRUCK_MAX];
	size_t planned_count;
	bool is_child;
	uint64_t chance; /* the chooser's own, so that choosing does not disturb the world */
	uint64_t rarity;
	uint64_t stride; /* one point in so many is struck in any case */
	uint64_t points;
	bool is_pair;
} now;

#ifdef O2_COVERAGE
void __gcov_dump(void);
#endif

/* A process of the battery ends. Of what it ran, ci/coverage wants to know. */
static void leave(int code)
{
#ifdef O2_COVERAGE
	__gcov_dump();
#endif
	_exit(code);
}

/* --- chance of the choosers --- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t draw(uint64_t below)
{
	now.chance = mix(now.chance, 1);
	return now.chance % below;
}

/* --- results --- */

static void write_spec(char *out, size_t size)
{
	int len = snprintf(out, size, "%s/%" PRIu64 "/%" PRIu64 "/", now.shape->name, battery.seed,
			   now.world_seed);

	for (size_t i = 0; i < now.count && (size_t)len < size; i++)
		len += snprintf(out + len, size - (size_t)len, "%s%d.%" PRIu64 "=%s", i ? "," : "",
				now.struck[i].run, now.struck[i].point,
				sim_strike_name(now.struck[i].strike));
}

static void send_line(const char *line)
{
	size_t len = strlen(line);

	if (write(battery.results, line, len) != (ssize_t)len)
		_exit(3);
}

/* "ok SPEC", "violation SPEC text" */
static void report(const char *spec, const char *violation)
{
	char line[LINE_MAX_BYTES];

	snprintf(line, sizeof(line), "%s %s %.1200s\n", violation ? "violation" : "ok", spec,
		 violation ? violation : sim_oracle_outcome());
	send_line(line);
}

static void report_run(void)
{
	char spec[SPEC_MAX_BYTES];

	write_spec(spec, sizeof(spec));
	report(spec, sim_oracle_violation());
}

/* --- strikes --- */

static enum sim_strike let(int run, uint64_t point, enum sim_strike strike)
{
	if (now.count < STRUCK_MAX)
		now.struck[now.count++] = (struct struck){ run, point, strike };
	if (now.count == 1 && now.world_seed == 0)
		sim_world_seed(mix(mix(battery.seed, point), (uint64_t)strike));
	if (battery.struck)
		write_spec(battery.struck, SPEC_MAX_BYTES);
	if (battery.verbose)
		dprintf(2, "--- %.3f s: %s strikes at point %d.%" PRIu64 "\n",
			(double)sim_now_us() / (double)SIM_S, sim_strike_name(strike), run, point);
	return strike;
}

/* No server answers a question with a conflict. */
static bool is_for_writes(enum sim_strike strike)
{
	return strike == SIM_STRIKE_ERROR_409 || strike == SIM_STRIKE_ERROR_422;
}

static bool may_strike(enum sim_strike strike, const struct sim_point *point)
{
	if (is_for_writes(strike) &&
	    (strncmp(point->what, "GET", 3) == 0 || strncmp(point->what, "EXEC", 4) == 0))
		return false;
	return strike != SIM_STRIKE_NONE && sim_strike_fits(strike, point->place) &&
	       (battery.only == SIM_STRIKE_COUNT || battery.only == strike);
}

/* The child of a fork ends here, however its run goes. */
static void await_child(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	char why[100];
	snprintf(why, sizeof(why),
		 WIFSIGNALED(status) ? "the program died of signal %d" : "the run ended with %d",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	report(battery.struck, why);
}

/* Fork; true in the child. */
static bool branch(void)
{
	const struct itimerval limit = { .it_value.tv_sec = CHILD_LIMIT_S };
	pid_t child = fork();

	if (child < 0) {
		perror("battery: fork");
		exit(3);
	}
	if (child > 0) {
		await_child(child);
		return false;
	}
	setitimer(ITIMER_PROF, &limit, NULL);
	now.is_child = true;
	return true;
}

/* Now and then something, a few times. */
static enum sim_strike swarm(int run, uint64_t number, const struct sim_point *point)
{
	enum sim_strike strike;

	if (now.count >= SWARM_STRIKES_MAX || draw(now.rarity) != 0)
		return SIM_STRIKE_NONE;
	strike = (enum sim_strike)draw(SIM_STRIKE_COUNT);
	return may_strike(strike, point) ? let(run, number, strike) : SIM_STRIKE_NONE;
}

/* How many strikes fit a point, and the one of them that it gets in any case. */
static enum sim_strike sure_strike(uint64_t number, const struct sim_point *point)
{
	enum sim_strike fitting[SIM_STRIKE_COUNT] = { 0 };
	uint64_t count = 0;

	for (int i = 0; i < SIM_STRIKE_COUNT; i++) {
		if (may_strike((enum sim_strike)i, point))
			fitting[count++] = (enum sim_strike)i;
	}
	return count > 0 ? fitting[mix(battery.seed, number) % count] : SIM_STRIKE_NONE;
}

static bool is_chosen(uint64_t number, enum sim_strike strike, const struct sim_point *point)
{
	if (battery.mode == EXHAUSTIVE)
		return true;
	if (strike == sure_strike(number, point) &&
	    mix(battery.seed, number + now.points) % now.stride == 0)
		return true;
	return mix(mix(battery.seed, number), (uint64_t)strike + 1000) % now.rarity == 0;
}

/* Some get a second one, somewhere on the way to the end. */
static void plan_second(void)
{
	static const uint64_t rarities[] = { 8, 30, 120, 400 };

	now.is_pair = battery.mode == RUNS && draw(PAIR_SHARE) == 0;
	now.rarity = rarities[draw(O2_COUNT(rarities))];
}

/* The process whose points are struck at: the migration, or what the operator runs after it. */
static int explored_run(void)
{
	return now.shape->after ? 1 : 0;
}

/* Everything that fits, a child each; the parent passes by. */
static enum sim_strike explore(int run, uint64_t number, const struct sim_point *point)
{
	if (now.is_child)
		return now.is_pair && now.count < 2 ? swarm(run, number, point) : SIM_STRIKE_NONE;
	if (run != explored_run())
		return SIM_STRIKE_NONE;
	now.points++;
	for (int i = 0; i < SIM_STRIKE_COUNT; i++) {
		enum sim_strike strike = (enum sim_strike)i;
		uint64_t dice = mix(mix(battery.seed, number), (uint64_t)i);
		if (!may_strike(strike, point) ||
		    (int)(dice % (uint64_t)battery.jobs) != battery.job)
			continue;
		if (!is_chosen(number, strike, point))
			continue;
		if (branch()) {
			now.chance = dice;
			plan_second();
			return let(run, number, strike);
		}
	}
	return SIM_STRIKE_NONE;
}

static enum sim_strike follow(int run, uint64_t number, const struct sim_point *point)
{
	(void)point;
	for (size_t i = 0; i < now.planned_count; i++) {
		if (now.planned[i].run == run && now.planned[i].point == number)
			return let(run, number, now.planned[i].strike);
	}
	return SIM_STRIKE_NONE;
}

static enum sim_strike count_only(int run, uint64_t number, const struct sim_point *point)
{
	(void)number;
	(void)point;
	now.points += run == explored_run();
	return SIM_STRIKE_NONE;
}

static enum sim_strike show(int run, uint64_t number, const struct sim_point *point)
{
	dprintf(1, "%d.%" PRIu64 " %.3f %s %s %s\n", run, number,
		(double)sim_now_us() / (double)SIM_S, sim_place_name(point->place),
		point->side == 0   ? "A"
		: point->side == 1 ? "B"
				   : "-",
		point->what);
	return SIM_STRIKE_NONE;
}

/* --- a worker --- */

static void prepare(const struct sim_shape *shape)
{
	memset(&now, 0, sizeof(now));
	now.shape = shape;
	sim_fault_choose(NULL);
	sim_drill_prepare(shape, battery.seed, battery.folder, battery.kubeconfig);
}

/* The run in which nothing strikes; at its points the children branch off. rarity: of a strike, beside the one that each point gets. */
static void explore_shape(const struct sim_shape *shape, uint64_t rarity, uint64_t stride)
{
	char line[100];

	prepare(shape);
	now.rarity = rarity;
	now.stride = stride;
	sim_fault_choose(explore);
	sim_drill_run();
	if (now.is_child || battery.job == 0)
		report_run();
	if (now.is_child)
		leave(0);
	if (battery.job == 0) {
		snprintf(line, sizeof(line), "points %s %" PRIu64 "\n", shape->name, now.points);
		send_line(line);
	}
}

static void swarm_shape(const struct sim_shape *shape, uint64_t runs)
{
	static const uint64_t rarities[] = { 15, 60, 250, 800 };

	prepare(shape);
	for (uint64_t i = 0; i < runs; i++) {
		uint64_t seed = mix(mix(battery.seed, i), 99 + (uint64_t)battery.job) | 1;
		if (!branch())
			continue;
		now.world_seed = seed;
		now.chance = mix(seed, 5);
		now.rarity = rarities[draw(O2_COUNT(rarities))];
		sim_world_seed(seed);
		sim_fault_choose(swarm);
		sim_drill_run();
		report_run();
		leave(0);
	}
}

/* The points of a run in which nothing strikes, counted in a process of its own. */
static uint64_t count_points(const struct sim_shape *shape)
{
	uint64_t points = 0;
	int ends[2];
	pid_t child;

	if (pipe(ends) < 0 || (child = fork()) < 0)
		exit(3);
	if (child == 0) {
		now.is_child = true;
		prepare(shape);
		sim_fault_choose(count_only);
		sim_drill_run();
		leave(write(ends[1], &now.points, sizeof(points)) == sizeof(points) ? 0 : 3);
	}
	close(ends[1]);
	if (read(ends[0], &points, sizeof(points)) != sizeof(points))
		points = 0;
	close(ends[0]);
	waitpid(child, NULL, 0);
	return points;
}

static bool is_asked(const struct sim_shape *shape)
{
	return !battery.shape || strcmp(battery.shape, shape->name) == 0;
}

/* How rare a strike has to be, beside the sure one of each point, for the number of runs that was asked for. */
static uint64_t rarity_for(const struct sim_shape *shapes, size_t count, uint64_t *out_stride)
{
	uint64_t points = 0, wanted = battery.count - battery.count / SWARM_SHARE;

	for (size_t i = 0; i < count; i++)
		points += is_asked(&shapes[i]) ? count_points(&shapes[i]) : 0;
	*out_stride = wanted > 0 && wanted < points ? points / wanted + 1 : 1;
	if (wanted <= points)
		return UINT64_MAX;
	uint64_t rarity = points * STRIKES_A_POINT / (wanted - points);
	return rarity > 0 ? rarity : 1;
}

static void work_on(const struct sim_shape *shape, uint64_t rarity, uint64_t stride,
		    uint64_t swarms)
{
	if (battery.mode != SWARM)
		explore_shape(shape, rarity, stride);
	if (swarms > 0)
		swarm_shape(shape, swarms);
}

static void work(void)
{
	size_t count;
	const struct sim_shape *shapes = sim_shapes(&count);
	uint64_t stride = 1;
	uint64_t rarity = battery.mode == RUNS ? rarity_for(shapes, count, &stride) : 1;
	uint64_t swarms = battery.mode == SWARM  ? battery.count
			  : battery.mode == RUNS ? battery.count / SWARM_SHARE
						 : 0;
	uint64_t share = swarms / (uint64_t)battery.jobs / (battery.shape ? 1 : count);

	for (size_t i = 0; i < count; i++) {
		if (!is_asked(&shapes[i]))
			continue;
		pid_t child = fork(); /* a world is a process */
		int status;
		if (child == 0) {
			work_on(&shapes[i], rarity, stride, swarms > 0 ? share + 1 : 0);
			leave(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
			fprintf(stderr, "battery: the run of '%s' died\n", shapes[i].name);
			exit(3);
		}
	}
}

/* --- counting --- */

struct tally {
	uint64_t runs, violations, before, after, points;
	char (*struck)[40]; /* "shape/point", each once */
	size_t covered, cap;
};

static void cover(struct tally *tally, const char *spec)
{
	char key[40];
	const char *point = strrchr(spec, '/');
	size_t name = strcspn(spec, "/");
	O2_AUTO(o2_freep) char *shape = o2_xstrndup(spec, name);
	bool is_after = sim_shape(shape)->after != NULL;

	if (!strchr(point, '=') || point[1] != (is_after ? '1' : '0') ||
	    (battery.mode != EXHAUSTIVE && battery.mode != RUNS))
		return;
	snprintf(key, sizeof(key), "%.*s/%.*s", (int)name, spec, (int)strcspn(point + 1, "="),
		 point + 1);
	for (size_t i = tally->covered; i > 0; i--) {
		if (strcmp(tally->struck[i - 1], key) == 0)
			return;
	}
	O2_GROW(tally->struck, tally->covered, tally->cap);
	memcpy(tally->struck[tally->covered++], key, sizeof(key));
}

static void count_line(struct tally *tally, char *line)
{
	char *spec = strchr(line, ' ');
	char *rest = spec ? strchr(spec + 1, ' ') : NULL;

	if (!rest)
		return;
	*spec++ = *rest++ = '\0';
	if (strcmp(line, "points") == 0) {
		tally->points += strtoull(rest, NULL, 10);
		return;
	}
	tally->runs++;
	cover(tally, spec);
	if (strcmp(line, "ok") == 0) {
		*(strcmp(rest, "after") == 0 ? &tally->after : &tally->before) += 1;
		return;
	}
	tally->violations++;
	printf("VIOLATION %s\n  again with: build/battery --replay %s\n", rest, spec);
	fflush(stdout);
}

static void count_all(int from, struct tally *tally)
{
	FILE *in = fdopen(from, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while (in && (len = getline(&line, &cap, in)) > 0) {
		line[len - 1] = '\0';
		count_line(tally, line);
	}
	free(line);
	if (in)
		fclose(in);
}

/* What the program prints is not what is judged here. */
static void silence(int descriptor)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!battery.verbose && null >= 0)
		dup2(null, descriptor);
}

static void start_workers(int pipe_out)
{
	for (battery.job = 0; battery.job < battery.jobs; battery.job++) {
		pid_t child = fork();
		if (child < 0)
			exit(3);
		if (child > 0)
			continue;
		battery.results = pipe_out;
		battery.struck = mmap(NULL, SPEC_MAX_BYTES, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (battery.struck == MAP_FAILED)
			exit(3);
		silence(1);
		silence(2);
		work();
		leave(0);
	}
	close(pipe_out);
}

static int run_all(void)
{
	struct tally tally = { 0 };
	int ends[2], status, bad = 0;

	if (pipe(ends) < 0)
		return 3;
	start_workers(ends[1]);
	count_all(ends[0], &tally);
	while (wait(&status) > 0)
		bad |= status;
	printf("{\"what\":\"battery\",\"runs\":%" PRIu64 ",\"violations\":%" PRIu64
	       ",\"points\":%" PRIu64 ",\"covered\":%zu,\"before\":%" PRIu64 ",\"after\":%" PRIu64
	       ",\"seed\":%" PRIu64 "}\n",
	       tally.runs, tally.violations, tally.points, tally.covered, tally.before, tally.after,
	       battery.seed);
	free(tally.struck);
	return bad ? 3 : tally.violations > 0 || tally.runs == 0;
}

/* --- one again --- */

static int read_spec(char *spec)
{
	char *shape = spec ? strtok_r(spec, "/", &spec) : NULL;
	char *seed = strtok_r(NULL, "/", &spec), *world = strtok_r(NULL, "/", &spec);
	uint64_t world_seed = world ? strtoull(world, NULL, 10) : 0;

	if (!shape || !seed || !world || !sim_shape(shape))
		return -1;
	battery.seed = strtoull(seed, NULL, 10);
	prepare(sim_shape(shape));
	now.world_seed = world_seed;
	for (char *one; (one = strtok_r(NULL, ",", &spec)) != NULL;) {
		struct struck *planned = &now.planned[now.planned_count];
		char *end;
		planned->run = (int)strtol(one, &end, 10);
		planned->point = strtoull(end + 1, &end, 10);
		planned->strike = sim_strike_by_name(end + 1);
		if (*end != '=' || planned->strike == SIM_STRIKE_COUNT ||
		    ++now.planned_count == STRUCK_MAX)
			return -1;
	}
	if (world_seed)
		sim_world_seed(world_seed);
	return 0;
}

static int replay(char *spec)
{
	if (read_spec(spec) < 0) {
		fprintf(stderr, "battery: this is no run: SHAPE/SEED/WORLD/RUN.POINT=STRIKE,...\n");
		return 2;
	}
	sim_fault_choose(battery.mode == POINTS ? show : follow);
	sim_drill_run();
	if (battery.mode == POINTS)
		return 0;
	const char *violation = sim_oracle_violation();
	printf("%s: %s, %" PRIu64 " rows\n", violation ? violation : "no violation",
	       sim_oracle_outcome(), sim_oracle_rows());
	return violation != NULL;
}

/* --- the command --- */

static char *write_kubeconfig(char *folder)
{
	static const char text[] = "apiVersion: v1\nkind: Config\n"
				   "clusters:\n"
				   "- {name: a, cluster: {server: \"https://a.sim\"}}\n"
				   "- {name: b, cluster: {server: \"https://b.sim\"}}\n"
				   "users:\n- {name: me, user: {token: word}}\n"
				   "contexts:\n"
				   "- {name: a, context: {cluster: a, user: me}}\n"
				   "- {name: b, context: {cluster: b, user: me}}\n";
	char *path = o2_xasprintf("%s/kubeconfig", folder);
	FILE *out = fopen(path, "w");

	if (!out || fputs(text, out) < 0 || fclose(out) != 0) {
		perror("battery: kubeconfig");
		exit(3);
	}
	return path;
}

/* Nothing of this machine's settings reaches the program. */
static void clear_environment(const char *folder)
{
	setenv("HOME", folder, 1);
	setenv("XDG_CONFIG_HOME", folder, 1);
	setenv("XDG_STATE_HOME", folder, 1);
	setenv("NO_COLOR", "1", 1);
	unsetenv("KUBECONFIG");
}

static int usage(void)
{
	fprintf(stderr,
		"usage: battery --runs N | --exhaustive | --swarm N | --replay SPEC | "
		"--points SHAPE [--shape NAME] [--strike NAME] [--seed N] [--jobs N] [--shapes "
		"FOLDER] [--verbose]\n");
	return 2;
}

static bool take_option(const char *name, char *value, char **out_spec)
{
	if (strcmp(name, "--runs") == 0 || strcmp(name, "--swarm") == 0) {
		battery.mode = strcmp(name, "--runs") == 0 ? RUNS : SWARM;
		battery.count = strtoull(value, NULL, 10);
	} else if (strcmp(name, "--replay") == 0) {
		battery.mode = REPLAY;
		*out_spec = value;
	} else if (strcmp(name, "--points") == 0) {
		battery.mode = POINTS;
		*out_spec = o2_xasprintf("%s/%" PRIu64 "/0/", value, battery.seed);
	} else if (strcmp(name, "--shape") == 0) {
		battery.shape = value;
	} else if (strcmp(name, "--strike") == 0) {
		battery.only = sim_strike_by_name(value);
	} else if (strcmp(name, "--seed") == 0) {
		battery.seed = strtoull(value, NULL, 10);
	} else if (strcmp(name, "--jobs") == 0) {
		battery.jobs = (int)strtol(value, NULL, 10);
	} else if (strcmp(name, "--shapes") == 0) {
		battery.folder = value;
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/os2os-battery-XXXXXX";
	char *spec = NULL;
	bool chosen = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--exhaustive") == 0)
			chosen = true;
		else if (strcmp(argv[i], "--verbose") == 0)
			battery.verbose = true;
		else if (i + 1 == argc || !take_option(argv[i], argv[i + 1], &spec))
			return usage();
		else
			chosen |= battery.mode != EXHAUSTIVE, i++;
	}
	if (!chosen || battery.jobs < 1 || !mkdtemp(folder))
		return usage();
	O2_AUTO(o2_freep) char *kubeconfig = write_kubeconfig(folder);
	battery.kubeconfig = kubeconfig;
	clear_environment(folder);
	int code = battery.mode == REPLAY || battery.mode == POINTS ? replay(spec) : run_all();
	unlink(kubeconfig);
	rmdir(folder);
	return code;
}
