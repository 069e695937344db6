/* SPDX-License-Identifier: Apache-2.0 */
/* link_admission.h — which data links belong to a session, and each only once.
 *
 * With keys every link has its own token, which only the two ends of the control connection know;
 * without them Welcome's token counts. A link is named by its transport and index: the source
 * counts its attempts, so it never asks for the same one again, and somebody who does has read its
 * token. Thread: the loop's. */
#ifndef HAUL_LINK_ADMISSION_H
#define HAUL_LINK_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt_keys.h"
#include "link.h"

/* More than a source opens: 16 links over two transports, each with every halving of its memory. */
enum { LINK_ADMISSIONS_MAX = 512 };

struct link_admission {
    uint8_t session[LINK_SESSION_BYTES];
    uint8_t token[LINK_TOKEN_BYTES]; /* of Welcome */
    uint64_t used[LINK_ADMISSIONS_MAX];
    size_t used_count;
    struct attempt_keys keys; /* of the session, once it is open */
};

/* Draws session and token. Errors: IO (no random numbers). */
enum haul_status link_admission_init(struct link_admission *admission) HAUL_MUST_CHECK;
/* The plan is accepted: links may come. `channel` NULL: the source has gone. Errors: CLOSED, those
 * of attempt_keys_derive. */
enum haul_status link_admission_open(struct link_admission *admission,
                                     const struct control_channel *channel, uint64_t epoch,
                                     enum haul_wire wire, struct haul_error *error) HAUL_MUST_CHECK;
/* May the peer open this link? Then its ticket is used up, and `frames` is the link's key. Errors:
 * AUTH (another session, a wrong token, a second time), BUSY (more links than a job may have),
 * INTERNAL (OpenSSL). */
enum haul_status link_admission_take(struct link_admission *admission,
                                     enum haul_transport transport,
                                     const struct link_ticket *ticket,
                                     struct frame_key *frames) HAUL_MUST_CHECK;

#endif
