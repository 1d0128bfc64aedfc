/*
 * os2os __contexts: what completion offers behind --from and --to. Hidden.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "kube/config.h"
#include "output.h"

int o2_cmd_contexts(struct o2_args *args)
{
	O2_AUTO(o2_strs_release) struct o2_strs names = { 0 };
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_err err = { 0 };

	if (o2_kube_config_contexts(args->both.kubeconfig, &names, &err) < 0) {
		o2_log(O2_ERROR, "%s", err.message);
		return O2_EXIT_FAILED;
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	for (size_t i = 0; i < names.count; i++)
		o2_buf_addf(&out, "%s\n", names.items[i]);
	return o2_output_text(out.data) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
