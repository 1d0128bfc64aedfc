/*
 * Time for people and for waiting. No safety argument rests on a clock (PROTOCOL.md U10).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Microseconds and milliseconds of CLOCK_MONOTONIC. */
int64_t o2_clock_us(void);
int64_t o2_clock_ms(void);
/* Seconds since 1970, UTC. */
int64_t o2_clock_unix(void);
/* RFC 3339, UTC, seconds: "2026-01-02T03:04:05Z". `out` holds at least 21 bytes. Before 1970, after 9999: as 0. */
#define O2_CLOCK_TEXT_SIZE 21
void o2_clock_text(int64_t unix_seconds, char out[O2_CLOCK_TEXT_SIZE]);
/* The reverse; fractions of a second are dropped. Returns -1 if `text` is not such a time. */
int64_t o2_clock_parse(const char *text);
/* Sleep, shorter if a signal arrives. */
void o2_clock_sleep_ms(int64_t ms);
