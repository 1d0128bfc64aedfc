/*
 * os2os resume.
 */
#include "cmd.h"
#include "settle.h"

int o2_cmd_resume(struct o2_args *args)
{
	return o2_settle(args, O2_TXN_RESUME);
}
