/*
 * Directories at the end of a round.
 *
 * What is made in a directory changes its time, and a receiver that is not root may have lent itself its mode. So both are set
 * when nothing is written any more, the innermost first.
 */
#pragma once

#include "stream/memory.h"
#include "stream/tree.h"

/* Give the directories that were touched the mode and time that the memory has of them; none is touched then. Of the root as far as
 * we may. Errors: O2_EAUTH, O2_EIO. */
O2_MUST_CHECK int o2_settle_directories(struct o2_tree *tree, struct o2_memory *memory,
					struct o2_err *err);
