/*
 * Scripts that complete verbs, options and values in a shell, generated from the tables of commands and options.
 */
#pragma once

#include "base/buf.h"
#include "options.h"

void o2_completion_bash(struct o2_buf *out);
void o2_completion_zsh(struct o2_buf *out);
void o2_completion_fish(struct o2_buf *out);
