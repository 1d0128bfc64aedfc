/*
 * The two agents of a group: from hello to a channel, and through the tasks.
 *
 *	CLOSED -> HELLO -> LISTEN -> CONNECT -> READY <-> ROUND, DIGEST, LIST
 *	             \---- relayed ------------/
 *
 * A direct channel: one agent listens, the other connects to its pod's addresses, and each knows the other's certificate by the
 * fingerprint that it said hello with. Whoever fails may have failed because the other did; so the second is waited for a
 * moment, and the failure that is more than a lost connection is told.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "volume/volume_internal.h"

#define CONNECT_MS 3000 /* per address */
#define HELLO_MS 60000
#define CHANNEL_MS 20000 /* for listening and connecting, all addresses together */
#define SECOND_FAILURE_MS 1500
#define RELAY_HIGH_BYTES ((size_t)8 << 20)
#define RELAY_LOW_BYTES ((size_t)2 << 20)

static const char *const side_names[O2_SIDE_COUNT] = { "A", "B" };

char *o2_volume_pair_claims(const struct o2_volume_pair *pair, enum o2_side side)
{
	const struct o2_volume_group *group = pair->group;
	struct o2_buf text;

	o2_buf_init(&text, 200);
	o2_buf_addf(&text, "claim%s", group->claim_count == 1 ? "" : "s");
	for (size_t i = 0; i < group->claim_count; i++)
		o2_buf_addf(&text, "%s '%s'", i ? "," : "", group->claims[i].name[side]);
	char *claims = o2_buf_steal(&text);
	o2_buf_release(&text);
	return claims;
}

void o2_volume_pair_init(struct o2_volume_pair *pair, const struct o2_volume_group *group)
{
	*pair = (struct o2_volume_pair){ .group = group };
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		pair->ends[side].pair = pair;
		pair->ends[side].side = (enum o2_side)side;
	}
}

void o2_volume_pair_close(struct o2_volume_pair *pair)
{
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		o2_volume_end_close(&pair->ends[side]);
	pair->stage = O2_VOLUME_CLOSED;
	pair->failed_ms = 0;
}

static void enter(struct o2_volume_pair *pair, enum o2_volume_stage stage)
{
	pair->stage = stage;
	pair->since_ms = o2_clock_ms();
	pair->failed_ms = 0;
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		pair->ends[side].done = false;
}

void o2_volume_pair_start(struct o2_volume_pair *pair)
{
	enter(pair, O2_VOLUME_HELLO);
}

/* --- failures ------------------------------------------------------------------------------------------------------------- */

/* What to do about what an agent says, unless it says so itself. */
static const char *remedy(const struct o2_err *failure, bool as_receiver)
{
	if (failure->code == -O2_EAUTH && strstr(failure->message, "--mover-as-root") == NULL)
		return "; let the movers run as root (--mover-as-root), or give its user the right";
	if (failure->code == -O2_ELIMIT && as_receiver)
		return "; make the claim in B larger";
	return "";
}

static int tell(const struct o2_volume_end *end, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *claims = o2_volume_pair_claims(end->pair, end->side);

	o2_fail(err, (enum o2_code) - end->failure.code, "%s in %s: %s%s", claims,
		side_names[end->side], end->failure.message,
		remedy(&end->failure, end->side == O2_TARGET));
	return end->failure.code;
}

/* Did an agent fail? 0: no, or the other is still waited for. */
static int look_for_failure(struct o2_volume_pair *pair, struct o2_err *err)
{
	const struct o2_volume_end *a = &pair->ends[O2_SOURCE], *b = &pair->ends[O2_TARGET];
	bool both = a->failure.code < 0 && b->failure.code < 0;

	if (a->failure.code == 0 && b->failure.code == 0)
		return 0;
	if (pair->failed_ms == 0)
		pair->failed_ms = o2_clock_ms();
	if (!both && o2_clock_ms() - pair->failed_ms < SECOND_FAILURE_MS)
		return 0;
	bool is_b = a->failure.code == 0 || (both && a->failure.code == -O2_ETRANSIENT &&
					     b->failure.code != -O2_ETRANSIENT);
	return tell(is_b ? b : a, err);
}

/* --- the channel ---------------------------------------------------------------------------------------------------------- */

static struct o2_volume_end *listener(struct o2_volume_pair *pair)
{
	return &pair->ends[pair->route == O2_VOLUME_A_TO_B ? O2_TARGET : O2_SOURCE];
}

static struct o2_volume_end *connector(struct o2_volume_pair *pair)
{
	return &pair->ends[pair->route == O2_VOLUME_A_TO_B ? O2_SOURCE : O2_TARGET];
}

static int start_channel(struct o2_volume_pair *pair, struct o2_err *err)
{
	int code = 0;

	if (pair->route != O2_VOLUME_RELAYED) {
		code = o2_stream_control_listen(listener(pair)->control,
						connector(pair)->fingerprint, err);
		enter(pair, O2_VOLUME_LISTEN);
		return code;
	}
	for (int side = 0; side < O2_SIDE_COUNT && code == 0; side++)
		code = o2_stream_control_relay(pair->ends[side].control, err);
	enter(pair, O2_VOLUME_READY);
	return code;
}

static int start_connecting(struct o2_volume_pair *pair, struct o2_err *err)
{
	const struct o2_volume_end *to = listener(pair);
	const struct o2_strs *addresses = &pair->addresses[to->side];

	enter(pair, O2_VOLUME_CONNECT);
	return o2_stream_control_connect(connector(pair)->control,
					 (const char *const *)addresses->items, addresses->count,
					 to->port, to->fingerprint, CONNECT_MS, err);
}

/* This way does not go: the next one, with new sessions. */
static int next_route(struct o2_volume_pair *pair, struct o2_err *err)
{
	const struct o2_volume_end *from = connector(pair), *to = listener(pair);
	const char *why = from->failure.code ? from->failure.message
			  : to->failure.code ? to->failure.message
					     : "no connection in time";

	o2_log(O2_INFO, "%s: no way from %s's mover to %s's: %s", pair->group->name,
	       side_names[from->side], side_names[to->side], why);
	if (pair->route + 1 < O2_VOLUME_ROUTES)
		pair->route++;
	return o2_fail(err, O2_ENOTFOUND, "no way from %s's mover to %s's", side_names[from->side],
		       side_names[to->side]);
}

static int step_channel(struct o2_volume_pair *pair, struct o2_err *err)
{
	const struct o2_volume_end *a = &pair->ends[O2_SOURCE], *b = &pair->ends[O2_TARGET];
	bool late = o2_clock_ms() - pair->since_ms > CHANNEL_MS;

	if (a->connected && b->connected) {
		o2_log(O2_INFO, "%s: straight from %s's mover to %s's", pair->group->name,
		       side_names[connector(pair)->side], side_names[listener(pair)->side]);
		enter(pair, O2_VOLUME_READY);
		return 1;
	}
	if (late || a->failure.code || b->failure.code)
		return next_route(pair, err);
	if (pair->stage == O2_VOLUME_LISTEN && listener(pair)->port > 0)
		return start_connecting(pair, err);
	return 0;
}

static int step_hello(struct o2_volume_pair *pair, struct o2_err *err)
{
	int code = look_for_failure(pair, err);

	if (code < 0)
		return code;
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		if (pair->ends[side].fingerprint)
			continue;
		if (o2_clock_ms() - pair->since_ms < HELLO_MS)
			return 0;
		O2_AUTO(o2_freep) char *claims = o2_volume_pair_claims(pair, (enum o2_side)side);
		return o2_fail(err, O2_ETRANSIENT, "%s in %s: the agent did not answer in %d s",
			       claims, side_names[side], HELLO_MS / 1000);
	}
	code = start_channel(pair, err);
	if (code == 0 && pair->route == O2_VOLUME_RELAYED)
		o2_log(O2_INFO, "%s: through os2os and both API servers", pair->group->name);
	return code < 0 ? code : pair->stage == O2_VOLUME_READY;
}

/* --- tasks ---------------------------------------------------------------------------------------------------------------- */

static void begin(struct o2_volume_pair *pair, enum o2_volume_stage stage)
{
	enter(pair, stage);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		pair->ends[side].stats = (struct o2_stream_stats){ 0 };
		o2_volume_end_forget_list(&pair->ends[side]);
	}
}

int o2_volume_pair_round(struct o2_volume_pair *pair, bool final, struct o2_err *err)
{
	int code = o2_stream_control_receive(pair->ends[O2_TARGET].control, err);

	begin(pair, O2_VOLUME_ROUND);
	if (code == 0)
		code = o2_stream_control_send(pair->ends[O2_SOURCE].control, final, err);
	return code;
}

int o2_volume_pair_digest(struct o2_volume_pair *pair, struct o2_err *err)
{
	int code = o2_stream_control_digest(pair->ends[O2_SOURCE].control, err);

	begin(pair, O2_VOLUME_DIGEST);
	return code < 0 ? code : o2_stream_control_digest(pair->ends[O2_TARGET].control, err);
}

int o2_volume_pair_list(struct o2_volume_pair *pair, struct o2_err *err)
{
	int code = o2_stream_control_list(pair->ends[O2_SOURCE].control, err);

	begin(pair, O2_VOLUME_LIST);
	return code < 0 ? code : o2_stream_control_list(pair->ends[O2_TARGET].control, err);
}

/* Who sends more than the other takes is not read for a while. */
static void balance(struct o2_volume_pair *pair)
{
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		struct o2_volume_end *from = &pair->ends[side];
		const struct o2_volume_end *to = &pair->ends[!side];
		size_t backlog;

		if (from->control == NULL || to->control == NULL)
			continue;
		backlog = to->wire.backlog(to->wire.arg);
		if (backlog > RELAY_HIGH_BYTES && !from->held)
			from->held = true;
		else if (backlog < RELAY_LOW_BYTES && from->held)
			from->held = false;
		else
			continue;
		from->wire.hold(from->wire.arg, from->held);
	}
}

int o2_volume_pair_step(struct o2_volume_pair *pair, struct o2_err *err)
{
	int code;

	if (pair->stage == O2_VOLUME_CLOSED)
		return o2_fail(err, O2_ETRANSIENT, "there is no session");
	if (pair->stage == O2_VOLUME_HELLO)
		return step_hello(pair, err);
	if (pair->stage == O2_VOLUME_LISTEN || pair->stage == O2_VOLUME_CONNECT)
		return step_channel(pair, err);
	if (pair->route == O2_VOLUME_RELAYED)
		balance(pair);
	code = look_for_failure(pair, err);
	if (code < 0)
		return code;
	if (pair->stage == O2_VOLUME_READY)
		return 1;
	if (!pair->ends[O2_SOURCE].done || !pair->ends[O2_TARGET].done)
		return 0;
	enter(pair, O2_VOLUME_READY);
	return 1;
}
