/*
 * os2os help [VERB].
 */
#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "help.h"
#include "output.h"

int o2_cmd_help(struct o2_args *args)
{
	const struct o2_cmd *cmd = NULL;
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (args->words.count == 0) {
		o2_help_all(args->program, &out);
	} else {
		cmd = o2_cmd_find(args->words.items[0]);
		if (cmd == NULL) {
			const char *meant = o2_cmd_nearest(args->words.items[0]);
			o2_log(O2_ERROR, "unknown verb '%s'%s%s%s", args->words.items[0],
			       meant ? "; did you mean '" : "", meant ? meant : "",
			       meant ? "'?" : "");
			return O2_EXIT_USAGE;
		}
		o2_help_verb(args->program, cmd, &out);
	}
	return o2_output_text(out.data) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
