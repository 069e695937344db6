/* SPDX-License-Identifier: Apache-2.0 */
/* source_hand_over.h — the second half of a source session: rounds over the log, freeze, Prepare,
 * decision, Commit. The states and invariants are in source_session.h. */
#ifndef HAUL_SOURCE_HAND_OVER_H
#define HAUL_SOURCE_HAND_OVER_H

#include "source_machine.h"

/* A Welcome for a session whose decision was made before the path was lost. */
void source_hand_over_on_welcome(struct source_session *session, uint64_t now_ns);

/* A Progress has arrived or a round has ended: is another round due? */
void source_hand_over_check_caught_up(struct source_session *session);
void source_hand_over_on_round_done(struct source_session *session,
                                    const struct source_event *event, uint64_t now_ns);
void source_hand_over_on_frozen(struct source_session *session, const struct source_event *event,
                                uint64_t now_ns);
void source_hand_over_on_digested(struct source_session *session, const struct source_event *event,
                                  uint64_t now_ns);
void source_hand_over_on_prepared(struct source_session *session,
                                  const haul_control_Prepared *prepared, uint64_t now_ns);
void source_hand_over_on_decided(struct source_session *session, const struct source_event *event,
                                 uint64_t now_ns);
/* The answer to Commit. An answer about another version settles nothing. */
void source_hand_over_on_committed(struct source_session *session,
                                   const haul_control_Committed *committed);

/* Runs before any event: gives up a freeze whose deadline has passed, so that a late answer finds
 * no freeze. */
void source_hand_over_check_deadline(struct source_session *session, uint64_t now_ns);
/* A TICK at the deadline of FREEZING: the freeze hook is late. */
void source_hand_over_on_hook_late(struct source_session *session, uint64_t now_ns);

/* The job was done earlier, and the target waits for the decision. Takes `commit`. */
void source_hand_over_answer(struct source_session *session, struct message *commit,
                             uint64_t now_ns);

#endif
