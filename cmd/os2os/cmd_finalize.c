/*
 * os2os finalize: deletes, so it asks.
 */
#include "base/log.h"
#include "cmd.h"
#include "options.h"
#include "settle.h"
#include "ui.h"

int o2_cmd_finalize(struct o2_args *args)
{
	struct o2_err err = { 0 };
	bool yes = args->yes;

	if (!yes && !o2_ui_can_ask()) {
		o2_log(O2_ERROR, "there is no terminal to ask on: say --yes");
		return O2_EXIT_USAGE;
	}
	if (!yes && o2_ui_ask("The frozen application on the source is deleted for good, its "
			      "volumes as well. Only \"yes\" is accepted:",
			      &yes, &err) < 0) {
		o2_log(O2_ERROR, "%s; nothing was changed", err.message);
		return O2_EXIT_FAILED;
	}
	if (!yes) {
		o2_log(O2_ERROR, "not confirmed; nothing was changed");
		return O2_EXIT_FAILED;
	}
	return o2_settle(args, O2_TXN_FINALIZE);
}
