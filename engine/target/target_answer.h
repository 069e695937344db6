/* SPDX-License-Identifier: Apache-2.0 */
/* target_answer.h — builds the target's messages that report its options and journal. A message
 * owns its strings and arrays: message_release. Thread: the loop's. */
#ifndef HAUL_TARGET_ANSWER_H
#define HAUL_TARGET_ANSWER_H

#include "haul/migration.h"
#include "message.h"
#include "target_journal.h"
#include "target_session.h"
#include "version_claim.h"

/* The content of a Welcome that does not come from the target's options. */
struct target_greeting {
    const struct haul_target_options *target;
    const char *identity;                      /* as peers know the database */
    const uint8_t *token;                      /* MESSAGE_TOKEN_BYTES, for the data links */
    const uint8_t *session_id;                 /* MESSAGE_SESSION_BYTES */
    const haul_control_TransportOffer *offers; /* at most HAUL_TRANSPORT_LIST_MAX */
    size_t offer_count;
    struct version_claim version; /* the operator's */
};

void target_answer_welcome(const struct target_greeting *greeting, struct message *message);

/* The options of a session that greets so; `version` is that of the target's options. */
void target_answer_session(const struct target_greeting *greeting,
                           struct target_session_options *options);

/* PlanAccepted: lane, family ids and, for a source that comes back, the streams' positions.
 * Errors: NO_MEMORY. */
enum haul_status target_answer_accepted(const struct target_journal *journal,
                                        struct message *message) HAUL_MUST_CHECK;

#endif
