/* Lives of pods: the process behind the object, what it writes, and what its annotations say about it. */
#include "controllers_internal.h"

#include "base/strs.h"

#define TICK_US (250 * SIM_MS)

struct sim_lives sim_lives = TAILQ_HEAD_INITIALIZER(sim_lives);

struct sim_life *sim_life_of(const struct sim_object *pod)
{
	return pod->life;
}

struct sim_life *sim_life_new(struct sim_object *pod)
{
	struct sim_life *life = o2_xcalloc(1, sizeof(*life));

	life->pod = sim_hold(pod);
	pod->life = life;
	TAILQ_INSERT_TAIL(&sim_lives, life, link);
	return life;
}

void sim_life_free(struct sim_life *life)
{
	struct sim_object *pod = life->pod;

	TAILQ_REMOVE(&sim_lives, life, link);
	sim_list_release(&life->volumes);
	free(life->node);
	free(life);
	pod->life = NULL;
	sim_let_go(pod);
}

/* --- what its annotations say --- */

static const char *annotation(const struct sim_object *pod, const char *name)
{
	return o2_doc_member_str(o2_doc_at(pod->doc, "/metadata/annotations"), name, "");
}

int64_t sim_pod_delay_us(const struct sim_object *pod, const char *what, int64_t fallback_ms)
{
	const char *text = annotation(pod, what);

	return (text[0] ? strtoll(text, NULL, 10) : fallback_ms) * SIM_MS;
}

bool sim_pod_is_sticky(const struct sim_object *pod)
{
	return strcmp(annotation(pod, "sim/sticky"), "true") == 0;
}

bool sim_pod_never_ready(const struct sim_object *pod)
{
	struct o2_strs names = { 0 };
	bool never;

	o2_strs_split(&names, annotation(pod, "sim/never-ready"), ", ");
	never = o2_strs_has(&names, sim_cluster_name(pod->cluster));
	o2_strs_release(&names);
	return never;
}

/* --- its process --- */

static void tick(void *arg)
{
	struct sim_object *pod = arg;
	struct sim_life *life = pod->life;

	if (!life || !life->alive) {
		if (life)
			life->ticking = false;
		sim_let_go(pod);
		return;
	}
	for (size_t i = 0; i < life->volumes.count; i++) {
		struct sim_volume *volume = sim_volume_of(life->volumes.items[i]);
		volume->files[sim_random(SIM_VOLUME_FILES)] = sim_random(UINT64_MAX);
		volume->block_count++;
	}
	sim_after(TICK_US, tick, pod);
}

/* The volumes that it writes, as they are mounted now. */
static void mount_volumes(struct sim_life *life)
{
	struct sim_object *pod = life->pod;
	size_t count = o2_doc_count(o2_doc_at(pod->doc, "/spec/volumes"));

	if (sim_label(pod, "os2os.io/txn")[0])
		return;
	for (size_t i = 0; i < count; i++) {
		const char *name = sim_pod_claim(pod, i);
		const struct sim_object *claim =
			name ? sim_find(pod->cluster, sim_known.claim, pod->ns, name) : NULL;
		struct sim_object *volume =
			claim ? sim_find(pod->cluster, sim_known.volume, NULL,
					 o2_doc_str(claim->doc, "/spec/volumeName", ""))
			      : NULL;
		if (volume && sim_pod_writes(pod, i))
			sim_list_add(&life->volumes, volume);
	}
	if (life->volumes.count > 0 && !life->ticking) {
		life->ticking = true;
		sim_after((int64_t)sim_random(TICK_US), tick, sim_hold(pod));
	}
}

void sim_life_begin(struct sim_life *life)
{
	life->alive = true;
	life->exited = false;
	life->began_us = sim_now_us();
	life->ready_us = 0;
	life->ended[0] = '\0';
	snprintf(life->began, sizeof(life->began), "%s", sim_stamp());
	mount_volumes(life);
	life->program = sim_program_of(life->pod);
	if (life->program)
		life->program->start(life->pod);
}

void sim_life_end(struct sim_life *life, int exit_code)
{
	const struct sim_program *program = life->program;

	if (!life->alive)
		return;
	life->alive = false;
	life->exit_code = exit_code;
	life->program = NULL;
	life->ready_us = 0;
	snprintf(life->ended, sizeof(life->ended), "%s", sim_stamp());
	sim_list_release(&life->volumes);
	if (program && !life->exited)
		program->stop(life->pod);
}

bool sim_pod_runs(const struct sim_object *pod)
{
	const struct sim_life *life = pod->life;

	return life && life->alive;
}

void sim_pod_exit(struct sim_object *pod, int exit_code)
{
	struct sim_life *life = pod->life;

	if (!life || !life->alive)
		return;
	life->exited = true;
	sim_life_end(life, exit_code);
	sim_queue(pod);
}

void sim_each_process(const struct sim_cluster *cluster,
		      void (*fn)(struct sim_object *pod, void *arg), void *arg)
{
	struct sim_life *life, *next;

	for (life = TAILQ_FIRST(&sim_lives); life; life = next) {
		next = TAILQ_NEXT(life, link);
		if (life->alive && life->pod->cluster == cluster)
			fn(life->pod, arg);
	}
}
