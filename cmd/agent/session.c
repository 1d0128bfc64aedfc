#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "stream/stream.h"

/* NAME=PATH; cuts `text` in two. */
static bool read_tree(char *text, struct o2_stream_tree *tree)
{
	char *equals = strchr(text, '=');

	if (equals == NULL || equals == text || equals[1] != '/' ||
	    memchr(text, '/', (size_t)(equals - text)) != NULL)
		return false;
	*equals = '\0';
	tree->name = text;
	tree->path = equals + 1;
	return true;
}

int agent_session(int argc, char **argv)
{
	O2_AUTO(o2_freep)
	struct o2_stream_tree *trees = o2_xcalloc((size_t)argc + 1, sizeof(*trees));
	struct o2_err err = { 0 };

	if (argc == 0) {
		agent_say("os2os-agent: session takes NAME=PATH...");
		return AGENT_EXIT_USAGE;
	}
	for (int i = 0; i < argc; i++) {
		if (read_tree(argv[i], &trees[i]))
			continue;
		agent_say("os2os-agent: '%s' is not NAME=PATH with an absolute path", argv[i]);
		return AGENT_EXIT_USAGE;
	}
	if (o2_stream_session(trees, (size_t)argc, STDIN_FILENO, STDOUT_FILENO, &err) == 0)
		return AGENT_EXIT_DONE;
	agent_say("os2os-agent: %s", err.message);
	return AGENT_EXIT_FAILED;
}
