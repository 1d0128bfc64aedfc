/* Time, chance, and a heap of what is going to happen. */
#include "world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define BEGIN_UNIX INT64_C(1767225600) /* 2026-01-01: a calendar that never surprises */

struct event {
	int64_t when_us;
	uint64_t number; /* keeps events of one moment in order */
	sim_fn *fn;
	void *arg;
};

static struct {
	int64_t now_us;
	int64_t calendar_s; /* added to the calendar by faults */
	uint64_t chance[4];
	uint64_t next_number;
	struct event *heap;
	size_t count, cap;
} world;

/* --- chance: xoshiro256**, seeded by splitmix64 (Blackman and Vigna, public domain) --- */

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, int by)
{
	return (value << by) | (value >> (64 - by));
}

static uint64_t draw(void)
{
	uint64_t *s = world.chance;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t sim_random(uint64_t below)
{
	return draw() % below; /* the bias is far below what a test could see */
}

void sim_random_bytes(void *out, unsigned long len)
{
	unsigned char *bytes = out;

	for (unsigned long i = 0; i < len; i++)
		bytes[i] = (unsigned char)(draw() >> 32);
}

void sim_world_seed(uint64_t seed)
{
	for (size_t i = 0; i < 4; i++)
		world.chance[i] = splitmix(&seed);
}

void sim_world_begin(uint64_t seed)
{
	free(world.heap);
	memset(&world, 0, sizeof(world));
	sim_world_seed(seed);
}

/* --- time --- */

int64_t sim_now_us(void)
{
	return world.now_us;
}

int64_t sim_unix(void)
{
	return BEGIN_UNIX + world.calendar_s + world.now_us / SIM_S;
}

void sim_turn_calendar(int64_t seconds)
{
	world.calendar_s += seconds;
}

const char *sim_stamp(void)
{
	static char text[O2_CLOCK_TEXT_SIZE];

	o2_clock_text(sim_unix(), text);
	return text;
}

/* --- events --- */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->when_us != b->when_us ? a->when_us < b->when_us : a->number < b->number;
}

static void swap(size_t i, size_t j)
{
	struct event kept = world.heap[i];

	world.heap[i] = world.heap[j];
	world.heap[j] = kept;
}

void sim_after(int64_t delay_us, sim_fn *fn, void *arg)
{
	size_t at = world.count;

	O2_GROW(world.heap, world.count, world.cap);
	world.heap[world.count++] =
		(struct event){ .when_us = world.now_us + (delay_us > 0 ? delay_us : 0),
				.number = world.next_number++,
				.fn = fn,
				.arg = arg };
	for (; at > 0 && is_before(&world.heap[at], &world.heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(at, (at - 1) / 2);
}

static struct event take_first(void)
{
	struct event first = world.heap[0];
	size_t at = 0;

	world.heap[0] = world.heap[--world.count];
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < world.count &&
			    is_before(&world.heap[child], &world.heap[least]))
				least = child;
		}
		if (least == at)
			return first;
		swap(at, least);
		at = least;
	}
}

bool sim_step(void)
{
	if (world.count == 0)
		return false;
	struct event event = take_first();
	world.now_us = event.when_us;
	event.fn(event.arg);
	return true;
}

void sim_pass_time(int64_t us)
{
	int64_t until = world.now_us + us;

	while (world.count > 0 && world.heap[0].when_us <= until)
		sim_step();
	world.now_us = until;
}
