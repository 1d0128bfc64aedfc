#include <signal.h>
#include <sys/wait.h>

#include "agent.h"

int agent_hold(int argc, char **argv)
{
	sigset_t awaited;

	(void)argv;
	if (argc > 0) {
		agent_say("os2os-agent: hold takes no arguments");
		return AGENT_EXIT_USAGE;
	}
	/* As process 1 only what is blocked or handled arrives at all. */
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	for (;;) {
		int signal_number = sigwaitinfo(&awaited, NULL);
		if (signal_number == SIGTERM || signal_number == SIGINT)
			return AGENT_EXIT_DONE;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
