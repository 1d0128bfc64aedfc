#include "report/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

static void take(struct o2_table *table, char *text)
{
	o2_log_sanitize(text);
	O2_GROW(table->cells, table->cell_count, table->cell_cap);
	table->cells[table->cell_count++] = text;
}

void o2_table_cell(struct o2_table *table, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	take(table, o2_xvasprintf(fmt, args));
	va_end(args);
}

void o2_table_end_row(struct o2_table *table)
{
	O2_GROW(table->rows, table->row_count, table->row_cap);
	table->rows[table->row_count++] = table->cell_count;
}

void o2_table_row(struct o2_table *table, const char *const *cells)
{
	for (; *cells != NULL; cells++)
		take(table, o2_xstrdup(*cells));
	o2_table_end_row(table);
}

/* Characters, not bytes: what is sanitized is valid UTF-8. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			count++;
	return count;
}

/* Widths of the columns; the caller frees them. A row's last cell does not widen its column: nothing stands behind it. */
static size_t *measure(const struct o2_table *table)
{
	size_t *widths = o2_xcalloc(table->cell_count + 1, sizeof(*widths));
	size_t cell = 0;

	for (size_t row = 0; row < table->row_count; row++) {
		for (size_t column = 0; cell < table->rows[row]; cell++, column++) {
			size_t w = width(table->cells[cell]);
			if (cell + 1 < table->rows[row] && w > widths[column])
				widths[column] = w;
		}
	}
	return widths;
}

static void pad(struct o2_buf *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		o2_buf_addc(out, ' ');
}

void o2_table_write(const struct o2_table *table, struct o2_buf *out)
{
	O2_AUTO(o2_freep) size_t *widths = measure(table);
	size_t cell = 0;

	for (size_t row = 0; row < table->row_count; row++) {
		size_t owed =
			(size_t)table->indent; /* spaces that are written once something follows */
		for (size_t column = 0; cell < table->rows[row]; cell++, column++) {
			const char *text = table->cells[cell];
			if (text[0] != '\0') {
				pad(out, owed);
				o2_buf_adds(out, text);
				owed = 0;
			}
			size_t w = width(text);
			owed += (widths[column] > w ? widths[column] - w : 0) + O2_TABLE_GAP;
		}
		o2_buf_addc(out, '\n');
	}
}

void o2_table_release(struct o2_table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->rows);
	*table = (struct o2_table){ 0 };
}
