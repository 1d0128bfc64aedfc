/* Programs that the simulator itself runs in pods. */
#include "controllers_internal.h"

#define PROGRAMS_MAX 8

static const struct sim_program *programs[PROGRAMS_MAX];
static size_t program_count;

void sim_kubelet_add_program(const struct sim_program *program)
{
	for (size_t i = 0; i < program_count; i++) {
		if (strcmp(programs[i]->verb, program->verb) == 0) {
			programs[i] = program;
			return;
		}
	}
	if (program_count < PROGRAMS_MAX)
		programs[program_count++] = program;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

const struct sim_program *sim_program_of(const struct sim_object *pod)
{
	const struct o2_doc *containers = o2_doc_at(pod->doc, "/spec/containers");

	for (size_t i = 0; i < o2_doc_count(containers); i++) {
		const struct o2_doc *command = o2_doc_member(o2_doc_item(containers, i), "command");
		const char *path = o2_doc_text(o2_doc_item(command, 0));
		const char *verb = o2_doc_text(o2_doc_item(command, 1));

		if (!path || !verb || !ends_with(path, "/loader"))
			continue;
		for (size_t k = 0; k < program_count; k++) {
			if (strcmp(programs[k]->verb, verb) == 0)
				return programs[k];
		}
	}
	return NULL;
}
