#include "base/fault.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdbool.h>

/* "name[:nth]=action", taken from the environment once. */
static struct {
	bool read;
	char name[128];
	long nth;
	char action[16];
} armed;

static void arm(void)
{
	const char *spec = getenv("OS2OS_FAULT");
	const char *equals = spec ? strchr(spec, '=') : NULL;
	const char *colon;

	armed.read = true;
	if (!equals || (size_t)(equals - spec) >= sizeof(armed.name))
		return;
	colon = memchr(spec, ':', (size_t)(equals - spec));
	snprintf(armed.name, sizeof(armed.name), "%.*s", (int)((colon ? colon : equals) - spec),
		 spec);
	armed.nth = colon ? strtol(colon + 1, NULL, 10) : 1;
	snprintf(armed.action, sizeof(armed.action), "%s", equals + 1);
}

int o2_fault_point(const char *name, struct o2_err *err)
{
	if (!armed.read)
		arm();
	if (armed.name[0] == '\0' || strcmp(armed.name, name) != 0 || --armed.nth != 0)
		return 0;
	if (strcmp(armed.action, "kill") == 0)
		raise(SIGKILL);
	if (strcmp(armed.action, "stop") == 0)
		raise(SIGSTOP);
	if (strcmp(armed.action, "fail") == 0)
		return o2_fail(err, O2_EINTERNAL, "fault point '%s' was armed to fail", name);
	return 0;
}
