/*
 * The agent and its loader (cmd/agent), carried in the command so that one file is all there is to install; os2os puts them in
 * ConfigMaps, the agent cut into parts of at most O2_AGENT_PART_BYTES that are named agent-0, agent-1 ... beside the loader.
 */
#pragma once

#include <stddef.h>

#define O2_AGENT_PART_BYTES 1000000

/* Static data. */
const unsigned char *o2_agent_bytes(size_t *out_len);
const unsigned char *o2_agent_loader_bytes(size_t *out_len);
