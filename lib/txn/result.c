/* The end of a transaction, in words and as an exit code. */
#include "txn/txn_internal.h"

void o2_txn_conclude(struct o2_txn_result *result, enum o2_txn_end end,
		     const struct o2_record *record, const char *fmt, ...)
{
	va_list args;

	result->end = end;
	if (record)
		snprintf(result->id, sizeof(result->id), "%s", o2_record_id(record));
	free(result->explanation);
	va_start(args, fmt);
	result->explanation = o2_xvasprintf(fmt, args);
	va_end(args);
}

void o2_txn_take_ways_in(struct o2_txn_result *result, const struct o2_doc *ways_in)
{
	size_t count = o2_doc_count(ways_in);

	result->ways_in = o2_xcalloc(count, sizeof(*result->ways_in));
	result->way_in_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct o2_doc *way = o2_doc_item(ways_in, i);

		result->ways_in[i].object = o2_xstrdup(o2_doc_member_str(way, "object", ""));
		result->ways_in[i].old_address = o2_xstrdup(o2_doc_member_str(way, "old", ""));
		result->ways_in[i].new_address = o2_xstrdup(o2_doc_member_str(way, "new", ""));
	}
}

void o2_txn_result_release(struct o2_txn_result *result)
{
	for (size_t i = 0; i < result->way_in_count; i++) {
		free(result->ways_in[i].object);
		free(result->ways_in[i].old_address);
		free(result->ways_in[i].new_address);
	}
	free(result->ways_in);
	free(result->explanation);
	o2_doc_free(result->report);
	memset(result, 0, sizeof(*result));
}

int o2_txn_exit_code(const struct o2_txn_result *result, int signal)
{
	switch (result->end) {
	case O2_TXN_DONE:
		return 0;
	case O2_TXN_NOTHING:
		return 4;
	case O2_TXN_UNDONE:
		return signal ? 128 + signal : 1;
	case O2_TXN_COMMITTED:
		return 6;
	case O2_TXN_HALFWAY:
	case O2_TXN_IN_DOUBT:
	case O2_TXN_END_COUNT:
	default:
		break;
	}
	return 3;
}
