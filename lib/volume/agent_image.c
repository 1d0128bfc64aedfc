#include "volume/agent_image.h"

#include <stdint.h>

const size_t o2_agent_part_bytes = 1000000;

/* In agent_image_data.S. */
extern const unsigned char o2_agent_image[], o2_agent_loader_image[];
extern const uint64_t o2_agent_image_len, o2_agent_loader_image_len;

const unsigned char *o2_agent_bytes(size_t *out_len)
{
	*out_len = o2_agent_image_len;
	return o2_agent_image;
}

const unsigned char *o2_agent_loader_bytes(size_t *out_len)
{
	*out_len = o2_agent_loader_image_len;
	return o2_agent_loader_image;
}
