/*
 * Agents of the world: real frames, simulated disks.
 *
 * What travels between two agents is one message a file: tree, file, value. It goes straight to the other agent, or through os2os
 * as relayed bytes. A volume that is half written stays half written.
 */
#include "agent.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "controllers.h"
#include "crypto/crypto.h"
#include "network.h"
#include "stream/stream_internal.h"
#include "world.h"

#define TREES_MAX 8
#define FILES (SIM_VOLUME_FILES + 1) /* the last is the rows */
#define READ_US (3 * SIM_MS)         /* a file that is looked at */
#define COPY_US (20 * SIM_MS)        /* one that is sent */
#define SILENCE_US (20 * SIM_S)      /* a channel without a word is given up */
#define FILE_BYTES (1u << 20)
#define END_OF_ROUND 255
#define CONFIRMED 254

struct sim_agent {
	LIST_ENTRY(sim_agent) link;
	struct sim_object *pod;
	sim_agent_say_fn *say;
	sim_agent_end_fn *end;
	void *arg;
	char *trees[TREES_MAX], *claims[TREES_MAX];
	size_t tree_count;
	struct o2_buf in;
	char fingerprint[O2_SHA256_HEX_SIZE];
	int port;
	bool listens, relays;
	struct sim_agent *peer;
	uint64_t sent[TREES_MAX][FILES]; /* what the other side is known to have */
	bool knows;
	bool sending, receiving, final, heard_end;
	size_t at;           /* of the round: tree * FILES + file */
	uint64_t began_with; /* sum of the volumes' changes when the round began */
	int64_t began_us;
	struct o2_stream_stats stats;
	bool over;
	int uses;
};

LIST_HEAD(agents, sim_agent);
static struct agents agents = LIST_HEAD_INITIALIZER(agents);
static int next_port = 20000;
static bool are_full[2]; /* the disks of the sides */

/* --- life --- */

static void discard(void *arg)
{
	struct sim_agent *agent = arg;

	for (size_t i = 0; i < agent->tree_count; i++) {
		free(agent->trees[i]);
		free(agent->claims[i]);
	}
	o2_buf_release(&agent->in);
	sim_let_go(agent->pod);
	free(agent);
}

/* Not before its own code has returned: what it says may end it. */
static void let_go(struct sim_agent *agent)
{
	if (--agent->uses == 0)
		sim_after(0, discard, agent);
}

static void later(int64_t delay_us, sim_fn *fn, struct sim_agent *agent)
{
	agent->uses++;
	sim_after(delay_us, fn, agent);
}

static void fail(struct sim_agent *agent, enum o2_code code, const char *words);

/* The other agent of a channel that breaks without a word hears nothing for a while. */
static void miss_peer(void *arg)
{
	struct sim_agent *agent = arg;

	if (!agent->over && (agent->sending || agent->receiving))
		fail(agent, O2_ETRANSIENT, "nothing came from the other agent for 20 s");
	let_go(agent);
}

static void stop(struct sim_agent *agent)
{
	if (agent->over)
		return;
	agent->over = true;
	LIST_REMOVE(agent, link);
	if (agent->peer) {
		agent->peer->peer = NULL;
		later(sim_is_cut(SIM_MOVERS) ? SILENCE_US : sim_latency_us(), miss_peer,
		      agent->peer);
	}
	agent->peer = NULL;
	let_go(agent);
}

void sim_agent_hang_up(struct sim_agent *agent)
{
	stop(agent);
}

/* Its pod ends, or it says good-bye. */
static void end(struct sim_agent *agent, int exit_code)
{
	if (agent->over)
		return;
	agent->end(agent->arg, exit_code);
	stop(agent);
}

static void pod_starts(struct sim_object *pod)
{
	(void)pod; /* it only holds the volumes until somebody talks to it */
}

static void pod_stops(struct sim_object *pod)
{
	struct sim_agent *agent, *next;

	for (agent = LIST_FIRST(&agents); agent; agent = next) {
		next = LIST_NEXT(agent, link);
		if (agent->pod == pod)
			end(agent, -1);
	}
}

void sim_agent_begin(void)
{
	static const struct sim_program hold = { .verb = "hold",
						 .start = pod_starts,
						 .stop = pod_stops };

	sim_kubelet_add_program(&hold);
	memset(are_full, 0, sizeof(are_full));
}

/* --- the disks --- */

static struct sim_volume *volume(const struct sim_agent *agent, size_t tree)
{
	return sim_claim_volume(agent->pod->cluster, agent->pod->ns, agent->claims[tree]);
}

static uint64_t *file_of(struct sim_volume *disk, size_t file)
{
	return file < SIM_VOLUME_FILES ? &disk->files[file] : &disk->rows;
}

static uint64_t changes(const struct sim_agent *agent)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < agent->tree_count; i++)
		sum += volume(agent, i) ? volume(agent, i)->block_count : 0;
	return sum;
}

static void digest_of(const struct sim_agent *agent, char out[O2_SHA256_HEX_SIZE])
{
	struct o2_sha256 *hash = o2_sha256_new();

	for (size_t i = 0; i < agent->tree_count; i++) {
		o2_sha256_add(hash, agent->trees[i], strlen(agent->trees[i]));
		for (size_t k = 0; k < FILES && volume(agent, i); k++)
			o2_sha256_add(hash, file_of(volume(agent, i), k), sizeof(uint64_t));
	}
	o2_sha256_final(hash, out);
}

/* --- events to the driver --- */

static void say(struct sim_agent *agent, struct o2_buf *frame)
{
	o2_wire_end(frame, 0);
	if (!agent->over)
		agent->say(agent->arg, frame->data, frame->len);
	o2_buf_release(frame);
}

static void begin_event(struct o2_buf *frame, enum o2_stream_event_type type)
{
	o2_buf_init(frame, O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES);
	o2_wire_begin(frame, (uint8_t)(type + 1));
}

static void say_plain(struct sim_agent *agent, enum o2_stream_event_type type)
{
	struct o2_buf frame;

	begin_event(&frame, type);
	say(agent, &frame);
}

static void say_stats(struct sim_agent *agent, enum o2_stream_event_type type)
{
	struct o2_buf frame;

	agent->stats.elapsed_us = (uint64_t)(sim_now_us() - agent->began_us);
	begin_event(&frame, type);
	o2_stats_put(&frame, &agent->stats);
	say(agent, &frame);
}

static void fail(struct sim_agent *agent, enum o2_code code, const char *words)
{
	struct o2_err err = { 0 };
	struct o2_buf frame;

	agent->sending = agent->receiving = false;
	o2_fail(&err, code, "%s", words);
	begin_event(&frame, O2_STREAM_FAILED);
	o2_error_put(&frame, &err);
	say(agent, &frame);
}

static void say_hello(void *arg)
{
	struct sim_agent *agent = arg;
	struct o2_buf frame;

	begin_event(&frame, O2_STREAM_HELLO);
	o2_wire_put_text(&frame, O2_DRIVER_MAGIC);
	o2_wire_put_u32(&frame, O2_STREAM_VERSION);
	o2_wire_put_u32(&frame, 1000);
	o2_wire_put_text(&frame, agent->fingerprint);
	o2_wire_put_u64(&frame, UINT64_C(1) << 40);
	say(agent, &frame);
	let_go(agent);
}

/* --- the channel between agents --- */

struct parcel {
	struct sim_agent *to;
	unsigned char tree, file;
	uint64_t value;
};

static void take_parcel(struct sim_agent *agent, unsigned char tree, unsigned char file,
			uint64_t value);

static void parcel_arrives(void *arg)
{
	struct parcel *parcel = arg;

	if (!parcel->to->over && !sim_is_cut(SIM_MOVERS))
		take_parcel(parcel->to, parcel->tree, parcel->file, parcel->value);
	let_go(parcel->to);
	free(parcel);
}

static void send_parcel(struct sim_agent *agent, unsigned char tree, unsigned char file,
			uint64_t value)
{
	if (agent->relays) {
		struct o2_buf frame;
		begin_event(&frame, O2_STREAM_RELAY);
		o2_wire_put_u8(&frame, tree);
		o2_wire_put_u8(&frame, file);
		o2_wire_put_u64(&frame, value);
		say(agent, &frame);
	} else if (agent->peer) {
		struct parcel *parcel = o2_xcalloc(1, sizeof(*parcel));
		*parcel = (struct parcel){ agent->peer, tree, file, value };
		agent->peer->uses++;
		sim_after(SIM_MS, parcel_arrives, parcel);
	}
}

static void finish_receiving(struct sim_agent *agent)
{
	if (!agent->receiving || !agent->heard_end)
		return;
	agent->receiving = agent->heard_end = false;
	send_parcel(agent, CONFIRMED, 0, 0);
	say_stats(agent, O2_STREAM_RECEIVED);
}

/* Who receives tells who sends. */
static void fail_both(struct sim_agent *agent, enum o2_code code, const char *words)
{
	if (!agent->receiving)
		return;
	fail(agent, code, words);
	if (agent->peer && agent->peer->sending)
		fail(agent->peer, code, words);
}

static void take_parcel(struct sim_agent *agent, unsigned char tree, unsigned char file,
			uint64_t value)
{
	if (tree == CONFIRMED) {
		if (agent->sending) {
			agent->sending = false;
			agent->knows = true;
			say_stats(agent, O2_STREAM_SENT);
		}
	} else if (tree == END_OF_ROUND) {
		agent->heard_end = true;
		finish_receiving(agent);
	} else if (are_full[sim_side_of(agent->pod->cluster)]) {
		fail_both(agent, O2_ELIMIT, "cannot write a file: No space left on device");
	} else if (tree < agent->tree_count && file < FILES && volume(agent, tree)) {
		*file_of(volume(agent, tree), file) = value;
		volume(agent, tree)->block_count++;
	}
}

/* --- sending a round --- */

static void end_round(struct sim_agent *agent)
{
	if (agent->final && changes(agent) != agent->began_with)
		fail(agent, O2_ECONFLICT, "a file changed while it was read");
	else
		send_parcel(agent, END_OF_ROUND, 0, 0);
	later(SILENCE_US, miss_peer, agent);
}

static void send_next(void *arg)
{
	struct sim_agent *agent = arg;
	size_t tree = agent->at / FILES, file = agent->at % FILES;
	int64_t took_us = READ_US;

	if (agent->over || !agent->sending) {
		let_go(agent);
		return;
	}
	if (tree == agent->tree_count) {
		end_round(agent);
		let_go(agent);
		return;
	}
	struct sim_volume *disk = volume(agent, tree);
	if (disk && (!agent->knows || *file_of(disk, file) != agent->sent[tree][file])) {
		agent->sent[tree][file] = *file_of(disk, file);
		send_parcel(agent, (unsigned char)tree, (unsigned char)file,
			    agent->sent[tree][file]);
		agent->stats.changed_files++;
		agent->stats.sent_bytes += FILE_BYTES;
		took_us = COPY_US;
	}
	agent->stats.files++;
	agent->stats.entries++;
	agent->stats.bytes += FILE_BYTES;
	agent->at++;
	later(took_us, send_next, agent);
	let_go(agent);
}

static void begin_round(struct sim_agent *agent)
{
	agent->stats = (struct o2_stream_stats){ 0 };
	agent->began_us = sim_now_us();
	agent->began_with = changes(agent);
	agent->at = 0;
}

/* --- commands --- */

static void listen_for(struct sim_agent *agent)
{
	struct o2_buf frame;

	agent->listens = true;
	agent->port = next_port++;
	begin_event(&frame, O2_STREAM_LISTENING);
	o2_wire_put_u16(&frame, (uint16_t)agent->port);
	say(agent, &frame);
}

static void connect_to(struct sim_agent *agent, struct o2_wire *wire)
{
	O2_AUTO(o2_freep) char *fingerprint = o2_wire_text(wire, O2_SHA256_HEX_SIZE);
	int port = o2_wire_u16(wire);
	struct sim_agent *other;

	LIST_FOREACH(other, &agents, link)
	if (other->listens && other->port == port)
		break;
	if (!other || sim_is_cut(SIM_MOVERS) || strcmp(other->fingerprint, fingerprint) != 0) {
		fail(agent, O2_ETRANSIENT, "no connection");
		return;
	}
	agent->peer = other;
	other->peer = agent;
	say_plain(agent, O2_STREAM_CONNECTED);
	say_plain(other, O2_STREAM_CONNECTED);
}

static void list_all(struct sim_agent *agent)
{
	struct o2_buf frame;

	for (size_t i = 0; i < agent->tree_count * FILES; i++) {
		char path[320], digest[O2_SHA256_HEX_SIZE];
		struct sim_volume *disk = volume(agent, i / FILES);
		uint64_t value = disk ? *file_of(disk, i % FILES) : 0;
		o2_sha256_hex(&value, sizeof(value), digest);
		snprintf(path, sizeof(path), "%s/%zu", agent->trees[i / FILES], i % FILES);
		begin_event(&frame, O2_STREAM_LISTED);
		o2_wire_put_text(&frame, path);
		o2_wire_put_text(&frame, digest);
		say(agent, &frame);
	}
	begin_event(&frame, O2_STREAM_LISTED);
	o2_wire_put_text(&frame, "");
	o2_wire_put_text(&frame, "");
	say(agent, &frame);
}

static void say_digest(struct sim_agent *agent)
{
	char digest[O2_SHA256_HEX_SIZE];
	struct o2_buf frame;

	digest_of(agent, digest);
	begin_event(&frame, O2_STREAM_DIGEST);
	o2_wire_put_text(&frame, digest);
	o2_stats_put(&frame, &agent->stats);
	say(agent, &frame);
}

static void take_relayed(struct sim_agent *agent, struct o2_wire *wire)
{
	unsigned char tree = o2_wire_u8(wire), file = o2_wire_u8(wire);

	take_parcel(agent, tree, file, o2_wire_u64(wire));
}

static void obey(struct sim_agent *agent, const struct o2_wire_frame *frame)
{
	struct o2_wire wire = o2_wire_open(frame);

	switch ((enum o2_command)frame->type) {
	case O2_COMMAND_LISTEN:
		listen_for(agent);
		break;
	case O2_COMMAND_CONNECT:
		connect_to(agent, &wire);
		break;
	case O2_COMMAND_RELAY:
		agent->relays = true;
		break;
	case O2_COMMAND_RELAY_BYTES:
		take_relayed(agent, &wire);
		break;
	case O2_COMMAND_SEND:
		begin_round(agent);
		agent->final = o2_wire_u8(&wire) != 0;
		agent->sending = true;
		later(READ_US, send_next, agent);
		break;
	case O2_COMMAND_RECEIVE:
		begin_round(agent);
		agent->receiving = true;
		finish_receiving(agent);
		break;
	case O2_COMMAND_DIGEST:
		say_digest(agent);
		break;
	case O2_COMMAND_LIST:
		list_all(agent);
		break;
	case O2_COMMAND_BYE:
		end(agent, 0);
		break;
	case O2_COMMAND_HELLO:
	case O2_COMMAND_COUNT:
		break;
	}
}

void sim_agent_take(struct sim_agent *agent, const void *bytes, size_t len)
{
	struct o2_wire_frame frame;
	ptrdiff_t size;

	agent->uses++;
	o2_buf_add(&agent->in, bytes, len);
	while (!agent->over &&
	       (size = o2_wire_frame(agent->in.data, agent->in.len, &frame, NULL)) > 0) {
		obey(agent, &frame);
		memmove(agent->in.data, agent->in.data + size, agent->in.len - (size_t)size);
		agent->in.len -= (size_t)size;
	}
	let_go(agent);
}

/* --- opening --- */

/* The claim that the pod mounts at a path; NULL if none. */
static const char *claim_at(const struct o2_doc *pod, const char *path)
{
	const struct o2_doc *mounts = o2_doc_at(pod, "/spec/containers/0/volumeMounts");
	const struct o2_doc *volumes = o2_doc_at(pod, "/spec/volumes");
	const char *name = "";

	for (size_t i = 0; i < o2_doc_count(mounts); i++) {
		if (strcmp(o2_doc_str(o2_doc_item(mounts, i), "/mountPath", ""), path) == 0)
			name = o2_doc_str(o2_doc_item(mounts, i), "/name", "");
	}
	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const struct o2_doc *item = o2_doc_item(volumes, i);
		if (strcmp(o2_doc_str(item, "/name", ""), name) == 0)
			return o2_doc_str(item, "/persistentVolumeClaim/claimName", NULL);
	}
	return NULL;
}

static bool add_tree(struct sim_agent *agent, const char *word)
{
	const char *equals = strchr(word, '=');
	const char *claim = equals ? claim_at(agent->pod->doc, equals + 1) : NULL;

	if (!claim || agent->tree_count == TREES_MAX)
		return false;
	agent->trees[agent->tree_count] = o2_xstrndup(word, (size_t)(equals - word));
	agent->claims[agent->tree_count++] = o2_xstrdup(claim);
	return true;
}

struct sim_agent *sim_agent_open(struct sim_object *pod, const struct sim_address *address,
				 sim_agent_say_fn *tell, sim_agent_end_fn *ended, void *arg)
{
	struct sim_agent *agent = o2_xcalloc(1, sizeof(*agent));
	unsigned char key[32];

	*agent = (struct sim_agent){
		.pod = sim_hold(pod), .say = tell, .end = ended, .arg = arg, .uses = 1
	};
	o2_buf_init(&agent->in, 4 * O2_WIRE_PAYLOAD_MAX);
	sim_random_bytes(key, sizeof(key));
	o2_sha256_hex(key, sizeof(key), agent->fingerprint);
	for (size_t i = 0;; i++) {
		O2_AUTO(o2_freep) char *word = sim_address_query(address, "command", i);
		if (!word)
			break;
		if (i >= 2 && !add_tree(agent, word)) { /* loader, session, then the trees */
			let_go(agent);
			return NULL;
		}
	}
	LIST_INSERT_HEAD(&agents, agent, link);
	later(5 * SIM_MS, say_hello, agent);
	return agent;
}

void sim_agent_kill_mover(int side)
{
	struct sim_agent *agent;

	LIST_FOREACH(agent, &agents, link)
	if (sim_side_of(agent->pod->cluster) == side) {
		sim_delete_in(agent->pod, SIM_BACKGROUND, 0);
		return;
	}
}

void sim_agent_fill_disks(int side, bool full)
{
	are_full[side] = full;
}
