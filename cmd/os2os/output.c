#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "ui.h"

bool o2_output_is_doc(const struct o2_args *args)
{
	return o2_args_output_is(args, "json") || o2_args_output_is(args, "yaml");
}

struct o2_report_style o2_output_style(const struct o2_args *args, FILE *stream)
{
	return (struct o2_report_style){
		.wide = o2_args_output_is(args, "wide") || args->verbose,
		.color = o2_ui_colored(stream),
	};
}

int o2_output_text(const char *text)
{
	o2_ui_wipe();
	errno = 0;
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
		o2_log(O2_ERROR, "cannot write the result: %s", strerror(errno));
		return -O2_EIO;
	}
	return 0;
}

int o2_output_doc(const struct o2_args *args, const struct o2_doc *doc)
{
	bool yaml = o2_args_output_is(args, "yaml");
	O2_AUTO(o2_freep) char *text = yaml ? o2_doc_dump_yaml(doc) : o2_doc_dump_pretty(doc);

	return o2_output_text(text);
}

int o2_output_migration(const struct o2_args *args, const struct o2_report_migration *migration)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_migration_doc(migration);
		return o2_output_doc(args, doc);
	}
	if (migration->result->end == O2_TXN_NOTHING)
		return 0;
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (o2_args_output_is(args, "name"))
		o2_buf_addf(&out, "%s\n", migration->result->id);
	else
		o2_report_migration_text(migration, &style, &out);
	return o2_output_text(out.data);
}
