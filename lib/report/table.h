/*
 * Text in columns, as kubectl prints it: three spaces between columns, no tabs, nothing behind the last one.
 *
 *	struct o2_table table = { .indent = 2 };
 *	o2_table_cell(&table, "NAME");
 *	o2_table_cell(&table, "%zu", count);
 *	o2_table_end_row(&table);
 *	o2_table_write(&table, out);
 *	o2_table_release(&table);
 *
 * Control characters in cells become spaces. A row may be shorter than others. Width is counted in characters (UTF-8).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define O2_TABLE_GAP 3

struct o2_table {
	int indent;   /* spaces before each row; set by the caller */
	char **cells; /* all rows one behind the other */
	size_t cell_count, cell_cap;
	size_t *rows; /* index behind the last cell of each row */
	size_t row_count, row_cap;
};

/* One more cell in the row that is being filled. */
void o2_table_cell(struct o2_table *table, const char *fmt, ...) O2_PRINTF(2, 3);
void o2_table_end_row(struct o2_table *table);
/* A whole row of given texts, ended by NULL. */
void o2_table_row(struct o2_table *table, const char *const *cells);
/* Add the text to `out`; the table stays as it is. A row that was not ended is not written. */
void o2_table_write(const struct o2_table *table, struct o2_buf *out);
void o2_table_release(struct o2_table *table);
