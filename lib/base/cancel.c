#include "base/cancel.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t requested;
static volatile sig_atomic_t masks;

void o2_cancel_request(int signal_number)
{
	/* The first one decides the exit status. */
	if (requested == 0 || signal_number == 0)
		requested = signal_number;
}

int o2_cancel_pending(void)
{
	return masks > 0 ? 0 : (int)requested;
}

int o2_cancel_signal(void)
{
	return (int)requested;
}

void o2_cancel_mask(bool on)
{
	assert(on || masks > 0);
	masks += on ? 1 : -1;
}

int o2_cancel_check(struct o2_err *err)
{
	int signal_number = o2_cancel_pending();

	if (signal_number == 0)
		return 0;
	const char *name = sigabbrev_np(signal_number);
	if (name == NULL)
		return o2_fail(err, O2_ECANCELED, "stopped by signal %d", signal_number);
	return o2_fail(err, O2_ECANCELED, "stopped by signal SIG%s", name);
}
