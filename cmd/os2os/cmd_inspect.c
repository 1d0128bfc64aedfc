/*
 * os2os inspect: the application as discovery sees it.
 */
#include <stdio.h>

#include "app/app.h"
#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "output.h"
#include "session.h"

static int print(const struct o2_args *args, const struct o2_app *app, const char *where)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_app_doc(app, where);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (o2_args_output_is(args, "name"))
		o2_report_app_names(app, &out);
	else
		o2_report_app_text(app, where, &style, &out);
	return o2_output_text(out.data);
}

static void selection_release(struct o2_app_selection *selection)
{
	o2_strs_release(&selection->namespaces);
	o2_strs_release(&selection->exclude_kinds);
}

int o2_cmd_inspect(struct o2_args *args)
{
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	O2_AUTO(selection_release)
	struct o2_app_selection selection = { .selector = args->selector };
	struct o2_app_rewriting nothing = { 0 };
	struct o2_err err = { 0 };

	if (o2_session_open(&session, args, O2_SOURCE, &err) < 0)
		return o2_session_exit(&session, &err);
	o2_session_namespaces(&session, args, &selection.namespaces);
	for (size_t i = 0; i < args->exclude.count; i++)
		o2_strs_add(&selection.exclude_kinds, args->exclude.items[i]);
	O2_AUTO(o2_app_freep)
	struct o2_app *app = o2_app_discover(session.kube[O2_SOURCE], &selection, &err);
	/* Waves are part of the rewriting; onto itself it changes nothing. */
	if (app == NULL || o2_app_rewrite(app, &nothing, session.kube[O2_SOURCE], &err) < 0) {
		o2_log(O2_ERROR, "%s", err.message);
		return o2_exit_of(&err, err.code == -O2_ENOTFOUND ? O2_EXIT_PRECONDITION
								  : O2_EXIT_FAILED);
	}
	return print(args, app, session.name[O2_SOURCE]) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
