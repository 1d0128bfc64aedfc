#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "base/utf8.h"

void agent_say(const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	o2_utf8_one_line(line, '?');
	size_t len = strlen(line);
	line[len++] = '\n';
	/* Where nobody reads it there is nobody to tell. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}
