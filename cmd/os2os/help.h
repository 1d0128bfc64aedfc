/*
 * Help, generated from the tables of commands and options.
 */
#pragma once

#include "base/buf.h"
#include "options.h"

/* All verbs. */
void o2_help_all(const char *program, struct o2_buf *out);
/* One verb: usage, options, examples. */
void o2_help_verb(const char *program, const struct o2_cmd *cmd, struct o2_buf *out);
