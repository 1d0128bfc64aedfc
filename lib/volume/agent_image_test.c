#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "volume/agent_image.h"

/* Whether the ELF file's own tables end where the bytes do. */
static void check_program(const unsigned char *bytes, size_t len)
{
	uint64_t sections;
	uint16_t size, count;

	assert_true(len > 64);
	assert_memory_equal(bytes, "\177ELF\2", 5);
	memcpy(&sections, bytes + 0x28, sizeof(sections));
	memcpy(&size, bytes + 0x3a, sizeof(size));
	memcpy(&count, bytes + 0x3c, sizeof(count));
	assert_int_equal(sections + (uint64_t)size * count, len);
}

static void both_programs_are_carried_whole(void **state)
{
	size_t agent_len, loader_len;
	const unsigned char *agent = o2_agent_bytes(&agent_len);
	const unsigned char *loader = o2_agent_loader_bytes(&loader_len);

	(void)state;
	check_program(agent, agent_len);
	check_program(loader, loader_len);
	assert_non_null(memmem(agent, agent_len, "usage: hold", 11));
	assert_non_null(memmem(loader, loader_len, "OS2OS_AGENT_DIR", 15));
	/* Both are uploaded for every migration: growth has to be noticed. */
	assert_in_range(agent_len, 1, 6 * o2_agent_part_bytes);
	assert_in_range(loader_len, 1, 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_programs_are_carried_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
