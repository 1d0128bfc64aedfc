/*
 * The agent and its loader (cmd/agent), carried in the command so that one file is all there is to install; os2os puts them in
 * ConfigMaps, the agent cut into parts of at most o2_agent_part_bytes that are named agent-0, agent-1 ... beside the loader.
 */
#pragma once

#include <stddef.h>

/* Fits a ConfigMap, in base64, beside everything else of it. */
extern const size_t o2_agent_part_bytes;

/* Static data. */
const unsigned char *o2_agent_bytes(size_t *out_len);
const unsigned char *o2_agent_loader_bytes(size_t *out_len);
