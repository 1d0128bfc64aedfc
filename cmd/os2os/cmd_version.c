/*
 * os2os version.
 */
#include "base/alloc.h"
#include "cmd.h"
#include "output.h"

int o2_cmd_version(struct o2_args *args)
{
	if (!o2_output_is_doc(args))
		return o2_output_text("os2os " O2_VERSION "\n") < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;

	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();
	o2_doc_set_str(doc, "apiVersion", O2_REPORT_API_VERSION);
	o2_doc_set_str(doc, "kind", "Version");
	o2_doc_set_str(doc, "version", O2_VERSION);
	return o2_output_doc(args, doc) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
