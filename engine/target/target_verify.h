/* SPDX-License-Identifier: Apache-2.0 */
/* target_verify.h — the answering half of a comparison: a source requests the list of column
 * families and the pieces of each. The comparison changes nothing in the store and holds nothing of
 * it between two reads, so it does not affect a job that begins meanwhile.
 *
 * One read for each answer:
 *   while (!a read is under way && target_verify_begin(v)) { submit a call of target_verify_read }
 *   when the call has returned: target_verify_answer(v, &message), send the message
 *
 * Thread: the loop's, but target_verify_read. */
#ifndef HAUL_TARGET_VERIFY_H
#define HAUL_TARGET_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "message.h"
#include "verify_reader.h"

enum { TARGET_VERIFY_ASKED_MAX = 16 }; /* answers that a source may request in advance */

/* Zeroed: nothing is requested. */
struct target_verify {
    bool list_wanted;
    struct message next_scan; /* VERIFY_SCAN, owned; type 0: none. Will replace `scan` */
    uint32_t asked;           /* answers that the newer scan owes */
    /* These belong to the read while one is under way: */
    bool lists;
    struct message scan;       /* VERIFY_SCAN, owned */
    struct haul_range *ranges; /* of `scan` */
    struct verify_reader reader;
    bool reads; /* `reader` is initialised */
    struct verify_chunk *chunk;
    struct message answer; /* owned */
    uint64_t records;      /* read so far, of all scans */
    uint64_t bytes;
};

void target_verify_fini(struct target_verify *verify);

/* Take a VERIFY_LIST, VERIFY_SCAN or VERIFY_NEXT, borrowed. Errors: PROTOCOL, NO_MEMORY. */
enum haul_status target_verify_take(struct target_verify *verify, const struct message *message,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Call while no read is under way: is there something to read? Then a read must follow. */
bool target_verify_begin(struct target_verify *verify);
/* Read for one answer. Errors: UNSUPPORTED (not what the target takes), those of verify_reader_init
 * and verify_reader_next.
 * Thread: the call worker's. */
enum haul_status target_verify_read(struct target_verify *verify,
                                    const struct haul_target_options *target,
                                    const struct haul_steps *steps,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The read has returned OK: its answer, which the caller sends and releases. False: another scan
 * has replaced it. */
bool target_verify_answer(struct target_verify *verify, struct message *answer);

#endif
