#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent.h"
#include "base/alloc.h"
#include "crypto/crypto.h"

static int version(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("os2os-agent %s\n", O2_VERSION);
	return fflush(stdout) == 0 ? AGENT_EXIT_DONE : AGENT_EXIT_FAILED;
}

static const struct {
	const char *name;
	agent_verb_fn *run;
} verbs[] = {
	{ "hold", agent_hold },
	{ "session", agent_session },
	{ "watchdog", agent_watchdog },
	{ "version", version },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* Run from memory, the kernel would show the number of a descriptor. */
	prctl(PR_SET_NAME, "os2os-agent");
	signal(SIGPIPE, SIG_IGN);
	o2_crypto_isolate();
	for (size_t i = 0; i < O2_COUNT(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	agent_say("os2os-agent: unknown verb '%s'; usage: hold | session NAME=PATH... | "
		  "watchdog FILE | version",
		  name);
	return AGENT_EXIT_USAGE;
}
