#include "ui.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd.h"

#define QUIET_START_MS 2000 /* nothing is drawn for what is over at once */
#define REDRAW_MS 100
#define LINE_EVERY_MS 15000 /* where there is no terminal */
#define PHASE_MAX 64

static struct {
	enum o2_ui_level level;
	enum o2_ui_color color;
	bool terminal;    /* stderr can be redrawn */
	bool drawn;       /* a progress line stands */
	int64_t since_ms; /* first event of phase or step */
	int64_t shown_ms; /* last progress line */
	char phase[PHASE_MAX];
} ui;

/* --- colour ----------------------------------------------------------------------------------------------------------- */

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

static bool is_dumb(void)
{
	const char *term = getenv("TERM");

	return term == NULL || strcmp(term, "dumb") == 0;
}

bool o2_ui_colored(FILE *stream)
{
	if (ui.color != O2_UI_COLOR_AUTO)
		return ui.color == O2_UI_COLOR_ON;
	if (is_set("NO_COLOR"))
		return false;
	const char *force = getenv("CLICOLOR_FORCE");
	if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0)
		return true;
	return isatty(fileno(stream)) && !is_dumb();
}

/* --- events ----------------------------------------------------------------------------------------------------------- */

static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
		return size.ws_col;
	return 80;
}

void o2_ui_wipe(void)
{
	if (ui.drawn)
		fputs("\r\033[K", stderr);
	ui.drawn = false;
}

static void show_log(const struct o2_event *event)
{
	static const char *const marks[O2_LEVEL_COUNT] = { "debug: ", "", "warning: ", "error: " };
	static const char *const colors[O2_LEVEL_COUNT] = { "\033[2m", "", "\033[33m", "\033[31m" };
	bool colored = o2_ui_colored(stderr) && marks[event->level][0] != '\0';

	if (event->level == O2_DEBUG && ui.level < O2_UI_VERBOSE)
		return;
	if (event->level == O2_INFO && ui.level < O2_UI_NORMAL)
		return;
	o2_ui_wipe();
	fprintf(stderr, "%s%s%s%s\n", colored ? colors[event->level] : "", marks[event->level],
		colored ? "\033[0m" : "", event->text);
}

/* "1:05 " since the first event. */
static void put_elapsed(int64_t now_ms)
{
	int64_t seconds = (now_ms - ui.since_ms) / 1000;

	fprintf(stderr, "%3" PRId64 ":%02" PRId64 "  ", seconds / 60, seconds % 60);
}

static void show_phase(const struct o2_event *event, int64_t now_ms)
{
	bool colored = o2_ui_colored(stderr);

	if (ui.level < O2_UI_NORMAL || strcmp(ui.phase, event->text) == 0)
		return;
	snprintf(ui.phase, sizeof(ui.phase), "%s", event->text);
	o2_ui_wipe();
	put_elapsed(now_ms);
	fprintf(stderr, "%s%s%s\n", colored ? "\033[1m" : "", event->text,
		colored ? "\033[0m" : "");
	ui.shown_ms = now_ms;
}

static void show_step(const struct o2_event *event, int64_t now_ms)
{
	int64_t pause_ms = ui.terminal ? REDRAW_MS : LINE_EVERY_MS;
	char amount[64] = "";

	if (ui.level < O2_UI_NORMAL || (ui.terminal && now_ms - ui.since_ms < QUIET_START_MS) ||
	    now_ms - ui.shown_ms < pause_ms)
		return;
	if (event->total > 0)
		snprintf(amount, sizeof(amount), " %" PRId64 "/%" PRId64, event->done,
			 event->total);
	else if (event->done > 0)
		snprintf(amount, sizeof(amount), " %" PRId64, event->done);
	o2_ui_wipe();
	put_elapsed(now_ms);
	/* Cut, so that it stays one line: what is wrapped can't be wiped. A byte is at most a column. */
	int room = ui.terminal ? columns() - 10 - (int)strlen(amount) : 400;
	fprintf(stderr, "  %.*s%s%s", room, event->text, amount, ui.terminal ? "" : "\n");
	ui.drawn = ui.terminal;
	ui.shown_ms = now_ms;
}

static void on_event(void *arg, const struct o2_event *event)
{
	int64_t now_ms = o2_clock_ms();

	(void)arg;
	if (event->kind != O2_EVENT_LOG && ui.since_ms == 0)
		ui.since_ms = ui.shown_ms = now_ms;
	switch (event->kind) {
	case O2_EVENT_LOG:
		show_log(event);
		break;
	case O2_EVENT_PHASE:
		show_phase(event, now_ms);
		break;
	case O2_EVENT_STEP:
		show_step(event, now_ms);
		break;
	case O2_EVENT_KIND_COUNT:
		break;
	}
	fflush(stderr);
}

void o2_ui_init(enum o2_ui_level level, enum o2_ui_color color)
{
	ui.level = level;
	ui.color = color;
	ui.terminal = isatty(STDERR_FILENO) && !is_dumb();
	o2_log_set_sink(on_event, NULL);
}

void o2_ui_text(const char *text)
{
	o2_ui_wipe();
	fputs(text, stderr);
	fflush(stderr);
}

void o2_ui_blocker(const char *subject, const char *text, const char *remedy)
{
	o2_log(O2_ERROR, "%s%s%s", subject, subject[0] != '\0' ? ": " : "", text);
	if (remedy[0] == '\0')
		return;
	O2_AUTO(o2_freep) char *line = o2_xasprintf("  remedy: %s", remedy);
	o2_log_sanitize(line);
	fprintf(stderr, "%s\n", line);
	fflush(stderr);
}

/* --- question --------------------------------------------------------------------------------------------------------- */

bool o2_ui_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int o2_ui_ask(const char *question, bool *out_yes, struct o2_err *err)
{
	char answer[16];
	ssize_t len;

	o2_ui_wipe();
	fprintf(stderr, "%s ", question);
	fflush(stderr);
	/* read(), not stdio: it comes back when a signal arrives. */
	do {
		int rc = o2_cancel_check(err);
		if (rc < 0) {
			fputc('\n', stderr);
			return rc;
		}
		len = read(STDIN_FILENO, answer, sizeof(answer) - 1);
	} while (len < 0 && errno == EINTR);
	if (len <= 0)
		fputc('\n', stderr);
	answer[len > 0 ? len : 0] = '\0';
	answer[strcspn(answer, "\r\n")] = '\0';
	*out_yes = strcmp(answer, "yes") == 0;
	/* Time that was spent on thinking it over is not the migration's. */
	ui.since_ms = 0;
	ui.phase[0] = '\0';
	return 0;
}

/* --- signals ---------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t undoing_needed;
static volatile sig_atomic_t patience_asked;

static void on_signal(int number)
{
	static const char patience[] = "\nundoing, please wait\n";
	int saved = errno;

	if (o2_cancel_signal() == 0) {
		o2_cancel_request(number);
	} else if (!undoing_needed) {
		_exit(O2_EXIT_SIGNAL + number);
	} else if (!patience_asked) {
		patience_asked = 1;
		if (write(STDERR_FILENO, patience, sizeof(patience) - 1) < 0)
			patience_asked = 0;
	}
	errno = saved;
}

void o2_ui_catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: waiting ends */
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(&action.sa_mask);
	sigemptyset(&ignore.sa_mask);
	for (size_t i = 0; i < O2_COUNT(numbers); i++) {
		struct sigaction old;
		/* Under nohup it stays ignored. */
		if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(numbers[i], &action, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
}

void o2_ui_undoing_needed(bool needed)
{
	undoing_needed = needed;
}
