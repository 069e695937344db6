/* SPDX-License-Identifier: Apache-2.0 */
/* target_machine.h — the inside of a target session: its members, and the steps that greeting and
 * hand-over have in common. Only the files of the session include it. */
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
    bool begun;                  /* the store may hold something of the job */
    uint64_t plan_version;       /* the new one, as the plan has it */
    struct message prepare;      /* the Prepare that is worked on, owned; the driver reads it */
    struct message next_prepare; /* the last one, owned */
    bool prepare_waits;          /* next_prepare came, but not every delta is applied yet */
    uint64_t delta_batches;      /* applied */
    bool recorded;               /* a PREPARED record stands for `prepare` */
    bool owned;
    bool channel_up;
    bool told_to_abort;         /* the source asked; it waits for Aborted */
    bool told_of_jobs;          /* and named others that are over */
    bool cleared;               /* clearing was asked for */
    bool kept;                  /* the session ended, and the source may come back */
    struct stall_watch stall;   /* CHECKING to PREPARED */
    bool idle;                  /* all that came is applied */
    haul_control_Commit commit; /* without what it points to */
    bool was_done; /* and it is of a source without an attempt: the job was done before */
    struct digest *digests;
    size_t digest_count;
    char (*family_names)[HAUL_NAME_BYTES_MAX]; /* owned, one a digest */
    haul_control_FamilyDigest *answer; /* owned; of the next Prepared, made before it is recorded */
    struct target_action actions[TARGET_ACTION_COUNT_MAX];
    size_t action_count;
};

/* Append an action; its order is the order in which the driver performs them. */
struct target_action *target_push(struct target_session *session, enum target_action_type type);
/* Append SEND; the caller fills the message in. */
struct message *target_push_message(struct target_session *session, enum message_type type);
void target_enter(struct target_session *session, enum target_state state, uint64_t deadline_ns);
/* When an answer that the peer owes is overdue. */
uint64_t target_answer_deadline(const struct target_session *session, uint64_t now_ns);
void target_end(struct target_session *session);

/* Nothing was changed: Refused, and the end. */
void target_refuse(struct target_session *session, const struct haul_error *error);
void target_refuse_with(struct target_session *session, enum haul_status status, const char *text,
                        const char *hint);
/* Something was copied: Abort, unless the source has aborted, and remove it. */
void target_clear(struct target_session *session, const struct haul_error *error);
/* The source gave up: Aborted, after what the job left here is removed. */
void target_end_aborted(struct target_session *session, const struct haul_error *error);
/* Tell the source that this side ends its attempt, and keeps what it has. */
void target_say_stop(struct target_session *session, const struct haul_error *error);
/* A block came damaged: what is recorded is kept, and the source sends the rest again. */
void target_keep_damaged(struct target_session *session, const struct haul_error *error);
/* The attempt ends, and both sides keep what has arrived. */
void target_keep(struct target_session *session, const struct haul_error *error);
/* Something local went wrong, or the source broke the protocol: what the state demands. */
void target_fail(struct target_session *session, const struct haul_error *error);
void target_fail_with(struct target_session *session, enum haul_status status, const char *text);

#endif
