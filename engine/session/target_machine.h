/* SPDX-License-Identifier: Apache-2.0 */
/* target_machine.h — the private part of a target session: its members, and the steps that greeting
 * and hand-over share. Only the files of the session include it. */
#ifndef HAUL_TARGET_MACHINE_H
#define HAUL_TARGET_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stall_watch.h"
#include "target_session.h"

enum { TARGET_ACTION_COUNT_MAX = 16 };

struct target_session {
    struct target_session_options options;
    enum target_state state;
    uint64_t state_deadline_ns;
    struct haul_error outcome;
    struct haul_slice lost;   /* of a refusal: jobs that this database has lost */
    const uint8_t *owned_job; /* of a refusal: the job by which this database owns; NULL: none */
    haul_control_Hello hello;
    bool begun;                  /* the store may hold data of the job */
    uint64_t plan_version;       /* the new version of the plan */
    struct message prepare;      /* the Prepare being processed, owned; the driver reads it */
    struct message next_prepare; /* the last one, owned */
    bool prepare_waits;          /* next_prepare has arrived, but not every delta is applied yet */
    uint64_t delta_batches;      /* applied */
    bool recorded;               /* a PREPARED record for `prepare` is written */
    bool owned;
    bool channel_up;
    bool told_to_abort;         /* the source sent Abort and waits for Aborted */
    bool told_of_jobs;          /* and its Abort named other jobs that are over */
    bool cleared;               /* clearing was requested */
    bool kept;                  /* the session ended, and the source may reconnect */
    struct stall_watch stall;   /* runs from CHECKING to PREPARED */
    bool idle;                  /* everything that has arrived is applied */
    haul_control_Commit commit; /* without the memory that it points to */
    bool was_done; /* and it comes from a source without an attempt: the job was done before */
    struct digest *digests;
    size_t digest_count;
    char (*family_names)[HAUL_NAME_BYTES_MAX]; /* owned, one for each digest */
    haul_control_FamilyDigest *answer; /* owned; for the next Prepared, made before RECORD */
    struct target_action actions[TARGET_ACTION_COUNT_MAX];
    size_t action_count;
};

/* Append an action. The driver performs actions in this order. */
struct target_action *target_push(struct target_session *session, enum target_action_type type);
/* Append SEND; the caller fills the message in. */
struct message *target_push_message(struct target_session *session, enum message_type type);
void target_enter(struct target_session *session, enum target_state state, uint64_t deadline_ns);
/* The time at which an answer that the peer owes is overdue. */
uint64_t target_answer_deadline(const struct target_session *session, uint64_t now_ns);
void target_end(struct target_session *session);

/* Nothing was changed: send Refused and end. */
void target_refuse(struct target_session *session, const struct haul_error *error);
void target_refuse_with(struct target_session *session, enum haul_status status, const char *text,
                        const char *hint);
/* Something was copied: send Abort, unless the source has sent it, and clear the ranges. */
void target_clear(struct target_session *session, const struct haul_error *error);
/* The source gave up: clear what the job left here, then send Aborted. */
void target_end_aborted(struct target_session *session, const struct haul_error *error);
/* Send Stop: this side ends its attempt and keeps what it has. */
void target_say_stop(struct target_session *session, const struct haul_error *error);
/* A block arrived damaged: keep what is recorded; the source sends the rest again. */
void target_keep_damaged(struct target_session *session, const struct haul_error *error);
/* End the attempt; both sides keep what has arrived. */
void target_keep(struct target_session *session, const struct haul_error *error);
/* Something local failed, or the source broke the protocol: do what the state requires. */
void target_fail(struct target_session *session, const struct haul_error *error);
void target_fail_with(struct target_session *session, enum haul_status status, const char *text);

#endif
