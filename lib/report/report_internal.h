/*
 * Private to lib/report: pieces that its files share.
 */
#pragma once

#include "report/amount.h"
#include "report/report.h"
#include "report/table.h"

enum o2_report_color { O2_RED, O2_GREEN, O2_YELLOW, O2_BOLD };

/* "\033[...m" or "" by style. */
const char *o2_report_on(const struct o2_report_style *style, enum o2_report_color color);
const char *o2_report_off(const struct o2_report_style *style);
/* Formatted text without control characters (a final newline of `fmt` stays). */
void o2_report_addf(struct o2_buf *out, const char *fmt, ...) O2_PRINTF(2, 3);
/* A line in bold. */
void o2_report_heading(struct o2_buf *out, const struct o2_report_style *style, const char *fmt,
		       ...) O2_PRINTF(3, 4);
/* "a, b, c"; "and 12 more" behind the first `max` (0: all). */
void o2_report_join(struct o2_buf *out, const struct o2_strs *names, size_t max);
/* A new array of texts. */
struct o2_doc *o2_report_strs_doc(const struct o2_strs *list);
/* A document that begins with apiVersion and kind. */
struct o2_doc *o2_report_doc_new(const char *kind);
/* RFC 3339, or null for 0. */
struct o2_doc *o2_report_time_doc(int64_t unix_seconds);
/* Put `text`, if it is neither NULL nor empty. */
void o2_report_put(struct o2_doc *object, const char *name, const char *text);
/* "<kind>[.<group>]/[<namespace>/]<name>" and a newline. */
void o2_report_object_name(const struct o2_kube_kind *kind, const char *ns, const char *name,
			   struct o2_buf *out);

/* An object as it is on A. Caller frees. */
struct o2_doc *o2_report_object_doc(const struct o2_app_object *object);

/* The table of steps; with_actual: predicted beside actual. */
void o2_report_steps_text(struct o2_plan *plan, bool with_actual, struct o2_buf *out);
struct o2_doc *o2_report_steps_doc(struct o2_plan *plan);
/* The same from a report that was kept in R1 or in the history: {"steps":[{name, phase, detail, predictedMs, actualMs, state}]}. */
void o2_report_kept_steps_text(const struct o2_doc *report, struct o2_buf *out);
/* Checks: what holds, warnings, blockers, each with its proof. */
void o2_report_findings_text(const struct o2_plan *plan, const struct o2_report_style *style,
			     struct o2_buf *out);
struct o2_doc *o2_report_findings_doc(const struct o2_plan *plan);
/* Notes on what is left out, or the others. */
void o2_report_notes_text(const struct o2_app *app, bool left_out,
			  const struct o2_report_style *style, struct o2_buf *out);
struct o2_doc *o2_report_notes_doc(const struct o2_app *app, bool left_out);
