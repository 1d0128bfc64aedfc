#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/utf8.h"

static struct {
	o2_sink_fn *fn;
	void *arg;
} sink;

void o2_log_set_sink(o2_sink_fn *fn, void *arg)
{
	sink.fn = fn;
	sink.arg = arg;
}

void o2_log_sanitize(char *text)
{
	o2_utf8_one_line(text, ' ');
}

static void emit(struct o2_event event, const char *fmt, va_list args) O2_PRINTF(2, 0);
static void emit(struct o2_event event, const char *fmt, va_list args)
{
	O2_AUTO(o2_freep) char *text = o2_xvasprintf(fmt, args);

	o2_log_sanitize(text);
	event.text = text;
	sink.fn(sink.arg, &event);
}

void o2_log(enum o2_level level, const char *fmt, ...)
{
	va_list args;

	if (sink.fn == NULL)
		return;
	va_start(args, fmt);
	emit((struct o2_event){ .kind = O2_EVENT_LOG, .level = level }, fmt, args);
	va_end(args);
}

void o2_log_phase(const char *name)
{
	if (sink.fn == NULL)
		return;
	O2_AUTO(o2_freep) char *text = o2_xstrdup(name);
	o2_log_sanitize(text);
	sink.fn(sink.arg,
		&(struct o2_event){ .kind = O2_EVENT_PHASE, .level = O2_INFO, .text = text });
}

void o2_log_step(int64_t done, int64_t total, const char *fmt, ...)
{
	va_list args;

	if (sink.fn == NULL)
		return;
	va_start(args, fmt);
	emit(
		(struct o2_event){
			.kind = O2_EVENT_STEP, .level = O2_INFO, .done = done, .total = total },
		fmt, args);
	va_end(args);
}
