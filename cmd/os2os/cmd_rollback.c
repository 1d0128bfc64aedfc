/*
 * os2os rollback.
 */
#include "cmd.h"
#include "settle.h"

int o2_cmd_rollback(struct o2_args *args)
{
	return o2_settle(args, O2_TXN_ROLLBACK);
}
