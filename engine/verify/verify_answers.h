/* SPDX-License-Identifier: Apache-2.0 */
/* verify_answers.h — what a target may answer in a comparison. The pieces of a scan are trusted
 * only as far as they follow docs/PROTOCOL.md: no answer costs more memory than an honest one, and
 * answers without pieces do not continue for ever.
 *
 * No clock, no I/O. Thread: its owner's. */
#ifndef HAUL_VERIFY_ANSWERS_H
#define HAUL_VERIFY_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"
#include "message.h"

/* An honest answer without a piece has read at least one record; the probability that this many in
 * a row end no piece is e^-64. */
enum { VERIFY_EMPTY_ANSWERS_MAX = 4096 };

struct verify_answers {
    uint32_t scan;    /* the running scan; 0: none */
    uint32_t asked;   /* requested answers of this scan that have not come */
    uint32_t earlier; /* answers to earlier scans that may still come */
    bool single;
    uint32_t range_count;
    uint32_t range; /* of the last piece */
    uint32_t empty; /* answers without a piece, in a row */
    uint64_t records;
    uint64_t bytes;
};

/* A new connection: no answer is expected. */
void verify_answers_reset(struct verify_answers *answers);
/* A new scan replaces the one before; its number is `scan` of `answers`. */
void verify_answers_begin(struct verify_answers *answers, bool single, uint32_t range_count);

/* Check an answer. OK: it belongs to the running scan; AGAIN: to an earlier one. Errors:
 * PROTOCOL. */
enum haul_status verify_answers_take(struct verify_answers *answers,
                                     const haul_control_VerifyPieces *pieces,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Check the list of families, once per connection. Errors: PROTOCOL. */
enum haul_status verify_answers_check_list(const haul_control_VerifyFamilies *list,
                                           struct haul_error *error) HAUL_MUST_CHECK;

#endif
