/*
 * os2os recover.
 */
#include "cmd.h"
#include "settle.h"

int o2_cmd_recover(struct o2_args *args)
{
	return o2_settle(args, O2_TXN_RECOVER);
}
