/*
 * The result, on stdout.
 */
#pragma once

#include "base/buf.h"
#include "doc/doc.h"
#include "options.h"
#include "report/report.h"

/* A buffer for text that os2os writes itself. */
#define O2_OUTPUT_MAX_BYTES ((size_t)1 << 30)

/* Is a document asked for (json, yaml) rather than text? */
bool o2_output_is_doc(const struct o2_args *args);
/* wide and colour as asked for, for text on `stream`. */
struct o2_report_style o2_output_style(const struct o2_args *args, FILE *stream);
/*
 * Write to stdout, as JSON or YAML by -o; all of it or an error.
 * Errors  O2_EIO (closed pipe, full disk); it was logged.
 */
O2_MUST_CHECK int o2_output_doc(const struct o2_args *args, const struct o2_doc *doc);
O2_MUST_CHECK int o2_output_text(const char *text);
/*
 * What a transaction came to. Where nothing was begun there is no result, only the error that was told already: text stays
 * empty then, a document says so.
 */
O2_MUST_CHECK int o2_output_migration(const struct o2_args *args,
				      const struct o2_report_migration *migration);
