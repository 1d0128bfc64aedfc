/*
 * UTF-8 from outside: find where it is wrong, and make it right.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

/*
 * Length of the character at the start of `text`, 1 to 4 bytes; 0 if it is not valid UTF-8 (RFC
 * 3629: no overlong forms, no surrogates, nothing above U+10FFFF) or `len` is 0. A NUL is a
 * character of 1 byte.
 */
size_t o2_utf8_char(const char *text, size_t len);

/* Length of the valid part from the start; equals `len` if all of it is valid. */
size_t o2_utf8_valid(const char *text, size_t len);

/*
 * Put `mark` in the place of each control character (C0, DEL, C1) and '?' in the place of each byte
 * that is not UTF-8. In place; the result is one line that can't steer a terminal.
 */
void o2_utf8_one_line(char *text, char mark);
