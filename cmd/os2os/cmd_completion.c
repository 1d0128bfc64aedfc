/*
 * os2os completion SHELL.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "completion.h"
#include "output.h"

int o2_cmd_completion(struct o2_args *args)
{
	static const struct {
		const char *name;
		void (*write)(struct o2_buf *out);
	} shells[] = {
		{ "bash", o2_completion_bash },
		{ "zsh", o2_completion_zsh },
		{ "fish", o2_completion_fish },
	};
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	for (size_t i = 0; i < O2_COUNT(shells); i++) {
		if (strcmp(args->words.items[0], shells[i].name) != 0)
			continue;
		shells[i].write(&out);
		return o2_output_text(out.data) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
	}
	o2_log(O2_ERROR, "no completion for shell '%s': it must be bash, zsh or fish",
	       args->words.items[0]);
	return O2_EXIT_USAGE;
}
