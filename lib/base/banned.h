/*
 * Functions that must not be called in this project; included before every translation unit.
 *
 * A name is poisoned when a safer way is at hand: lengths are lost (strcpy), errors are lost (atoi),
 * state is hidden (strtok), or another thread's result is overwritten (gmtime). System headers are read
 * first, since poisoning a name they declare would break them.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat stpcpy
#pragma GCC poison sprintf vsprintf gets
#pragma GCC poison strtok atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison tmpnam mktemp tempnam system popen
