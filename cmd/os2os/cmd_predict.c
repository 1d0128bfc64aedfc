/*
 * os2os predict: migrate --dry-run under its own name.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "options.h"

int o2_cmd_predict(struct o2_args *args)
{
	if (args->dry_run != NULL && strcmp(args->dry_run, "none") == 0) {
		if (o2_args_origin(args, "dry-run") == O2_FROM_ARGV) {
			o2_log(O2_ERROR,
			       "'predict' changes nothing: --dry-run=none does not go with it");
			return O2_EXIT_USAGE;
		}
		o2_freep(&args->dry_run); /* meant for 'migrate' */
	}
	if (args->dry_run == NULL)
		args->dry_run = o2_xstrdup("server");
	return o2_cmd_migrate(args);
}
