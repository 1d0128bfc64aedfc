#include "app/app_internal.h"

#include <string.h>

static struct o2_app_note_entry *grow(struct o2_app *app)
{
	O2_GROW(app->notes, app->note_count, app->note_cap);
	struct o2_app_note_entry *entry = &app->notes[app->note_count++];
	*entry = (struct o2_app_note_entry){ .item = O2_APP_NO_ITEM };
	return entry;
}

/* Is it said already? What is said of one item is said in a row. */
static bool is_said(const struct o2_app *app, size_t item, const char *text)
{
	for (size_t i = app->note_count; i > 0 && app->notes[i - 1].item == item; i--) {
		if (strcmp(app->notes[i - 1].note.text, text) == 0)
			return true;
	}
	return false;
}

void o2_app_note_item(struct o2_app *app, size_t item, const char *remedy, const char *fmt, ...)
{
	if (!app)
		return;
	va_list args;
	va_start(args, fmt);
	O2_AUTO(o2_freep) char *text = o2_xvasprintf(fmt, args);
	va_end(args);
	if (is_said(app, item, text))
		return;
	struct o2_app_note_entry *entry = grow(app);
	entry->item = item;
	entry->note.subject = o2_xstrdup(o2_app_label(app, item));
	entry->note.text = O2_STEAL(text);
	entry->note.remedy = o2_xstrdup(remedy);
}

void o2_app_note_add(struct o2_app *app, const char *subject, unsigned flags, const char *remedy,
		     const char *fmt, ...)
{
	if (!app)
		return;
	struct o2_app_note_entry *entry = grow(app);
	va_list args;
	va_start(args, fmt);
	entry->note.subject = o2_xstrdup(subject);
	entry->note.text = o2_xvasprintf(fmt, args);
	entry->note.remedy = o2_xstrdup(remedy);
	entry->note.blocks = flags & O2_APP_NOTE_BLOCKS;
	entry->note.left_out = flags & O2_APP_NOTE_LEFT_OUT;
	va_end(args);
}

void o2_app_change_add(struct o2_app *app, size_t item, const char *path, const char *reason)
{
	if (!app)
		return;
	O2_GROW(app->changes, app->change_count, app->change_cap);
	app->changes[app->change_count++] = (struct o2_app_change){ .object = item,
								    .path = o2_xstrdup(path),
								    .reason = o2_xstrdup(reason) };
}

size_t o2_app_note_count(const struct o2_app *app)
{
	return app->note_count;
}

const struct o2_app_note *o2_app_note(const struct o2_app *app, size_t index)
{
	return index < app->note_count ? &app->notes[index].note : NULL;
}

size_t o2_app_change_count(const struct o2_app *app)
{
	return app->change_count;
}

const struct o2_app_change *o2_app_change(const struct o2_app *app, size_t index)
{
	return index < app->change_count ? &app->changes[index] : NULL;
}
