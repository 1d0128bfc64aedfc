/*
 * Times and sizes as people read them.
 */
#pragma once

#include <stdint.h>

#define O2_AMOUNT_SIZE 32

/* "0 s", "3 ms", "0.3 s", "6.1 s", "2 min 5 s", "1 h 4 min"; negative: "-". */
void o2_amount_ms(int64_t ms, char out[O2_AMOUNT_SIZE]);
/* "0 B", "900 B", "4.2 GiB"; negative: "-". */
void o2_amount_bytes(int64_t bytes, char out[O2_AMOUNT_SIZE]);
/* An age as kubectl writes it: "45s", "7m", "3h", "12d"; negative: "-". */
void o2_amount_age(int64_t seconds, char out[O2_AMOUNT_SIZE]);
