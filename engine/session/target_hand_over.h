/* SPDX-License-Identifier: Apache-2.0 */
/* target_hand_over.h — the second half of a target session: Prepare, PREPARED, Commit. The states
 * and invariants are in target_session.h. */
#ifndef HAUL_TARGET_HAND_OVER_H
#define HAUL_TARGET_HAND_OVER_H

#include "target_machine.h"

/* A Prepare or a delta has arrived: is everything applied that the Prepare covers? */
void target_hand_over_check(struct target_session *session);
void target_hand_over_on_prepare(struct target_session *session, const struct message *message);
void target_hand_over_on_flushed(struct target_session *session, const struct target_event *event);
void target_hand_over_on_recorded(struct target_session *session, const struct target_event *event);
void target_hand_over_on_commit(struct target_session *session, const struct message *message);
void target_hand_over_on_owned(struct target_session *session, const struct target_event *event);

#endif
