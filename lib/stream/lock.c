/* One writer a tree: an agent whose driver lost sight of it may still be at work beside its successor. */
#include <errno.h>
#include <sys/file.h>

#include "base/clock.h"
#include "stream/stream_internal.h"

#define WAIT_MS 20000
#define POLL_MS 100

/* File systems that know no locks go without. */
static bool is_taken(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int o2_agent_lock(struct o2_agent *agent, struct o2_err *err)
{
	int64_t give_up = o2_clock_ms() + WAIT_MS;

	for (size_t i = 0; i < agent->count; i++) {
		while (is_taken(agent->trees[i].root->fd)) {
			if (o2_clock_ms() > give_up)
				return o2_fail(err, O2_EBUSY,
					       "another agent still writes to '%s' after %d s",
					       agent->trees[i].name, WAIT_MS / 1000);
			if (o2_agent_tick(agent, err) < 0)
				return err->code;
			o2_clock_sleep_ms(POLL_MS);
		}
	}
	return 0;
}
