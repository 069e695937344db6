/* SPDX-License-Identifier: Apache-2.0 */
/* source_machine.h — the private part of a source session: its members, and the steps that
 * greeting, copy and hand-over share. Only the files of the session include it. */
#ifndef HAUL_SOURCE_MACHINE_H
#define HAUL_SOURCE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catch_up.h"
#include "freeze_limit.h"
#include "retry_limit.h"
#include "source_session.h"
#include "stall_watch.h"

enum { SOURCE_ACTION_COUNT_MAX = 16 };

struct source_session {
    struct source_session_options options;
    enum source_state state;
    uint64_t state_deadline_ns; /* CLOCK_NEVER: none */
    struct haul_error outcome;
    struct haul_error loss; /* the last loss of the path */
    haul_control_Welcome welcome;
    struct message accepted;   /* PlanAccepted, owned */
    struct source_proof proof; /* for the target of this connection */
    haul_control_Progress progress;
    bool channel_up;
    bool proposed;        /* the plan was sent: the target may have a journal of the job */
    bool proposed_before; /* on an earlier connection */
    bool accepted_once;   /* the target has confirmed that it has one */
    bool sent_once;       /* records may have gone to the target */
    struct retry_limit retry;
    struct freeze_limit freeze;
    struct haul_error freeze_failure; /* why the last freeze failed; OK: its deadline passed */
    struct stall_watch stall;         /* runs from PLANNING to PREPARING */
    bool stalled;                     /* the last path was given up because of a stall */
    bool decided;
    bool decision_asked;
    bool decision_in_doubt; /* nobody knows whether the record was written */
    bool committed;         /* the target has confirmed that it owns */
    bool ending;            /* the operator wants the end: do not reconnect */
    bool copied;
    struct catch_up catch_up;
    uint32_t damages;       /* in a row, without durable progress between them */
    uint64_t damage_mark;   /* the durable progress at the last one */
    uint32_t their_damages; /* attempts that the target has reported as ended by damage */
    bool waits_for_target;  /* the lag is small; the target has yet to apply what was sent */
    uint64_t round_sequence;
    uint64_t prepared_sequence; /* frozen sequence of the Prepare under way */
    uint32_t verified_freeze;   /* number of the freeze whose Prepared was equal */
    struct digest *digests;     /* of this side, one for each family */
    struct source_session_figures figures;
    struct source_action actions[SOURCE_ACTION_COUNT_MAX];
    size_t action_count;
};

/* Append an action. The driver performs actions in this order. */
struct source_action *source_push(struct source_session *session, enum source_action_type type);
/* Append SEND; the caller fills the message in. */
struct message *source_push_message(struct source_session *session, enum message_type type);
void source_enter(struct source_session *session, enum source_state state, uint64_t deadline_ns);
/* The time at which an answer that the peer owes is overdue. */
uint64_t source_answer_deadline(const struct source_session *session, uint64_t now_ns);
/* The time at which a wait without any news is overdue. */
uint64_t source_stall_deadline(const struct source_session *session, uint64_t now_ns);
void source_start_round(struct source_session *session);
/* Unfreeze the writers if they are frozen. */
void source_thaw(struct source_session *session, uint64_t now_ns);
void source_end(struct source_session *session);

/* Before the decision: release everything, notify the peer, end with `error`. While the decision is
 * being written this only notes the outcome. */
void source_abort_job(struct source_session *session, const struct haul_error *error,
                      bool tell_peer, uint64_t now_ns);
void source_abort_with(struct source_session *session, enum haul_status status, const char *text,
                       const char *hint, uint64_t now_ns);
/* Only the database that began a job may end it. */
void source_put_proof(const struct source_session *session, haul_control_Abort *to);
/* Send Stop: this attempt ends, and both sides keep what has arrived. */
haul_control_Stop *source_say_stop(struct source_session *session, const struct haul_error *error);
/* Before the decision: end this attempt; both sides keep what has arrived. */
void source_end_kept(struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns);
/* The options of the two sides do not fit, or this side lacks something. Keep what was sent for an
 * attempt that succeeds; if nothing was, end the job. */
void source_end_unfit(struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns);
/* Does this Welcome fit our options? Errors: VERSION, PROTOCOL, MISMATCH (other slot size). */
enum haul_status source_check_welcome(const struct source_session *session,
                                      const haul_control_Welcome *welcome,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Connect again and send a Hello that names another job. */
void source_ask_next(struct source_session *session, const struct source_event *event);
/* The decision is recorded, but the target has not confirmed it: end with IN_DOUBT. */
void source_leave_in_doubt(struct source_session *session, const char *why);
/* The same, with `hint` instead of the advice to run `haul resolve`; "": with that advice. */
void source_leave_hinted(struct source_session *session, const char *why, const char *hint);
/* The target owns, which takes our decision, but this database has lost the record of it. `error`:
 * the result of recording it again. */
void source_leave_owned(struct source_session *session, const struct haul_error *error);
/* Our own records were not written in time. Keep what was recorded or is still being written:
 * nothing has been agreed on yet. */
void source_end_late(struct source_session *session, uint64_t now_ns);

/* Is there time left to reconnect to a known target? */
bool source_may_wait(const struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns);
/* May the session reconnect to its target after this loss of the path? */
bool source_may_retry(const struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns);
void source_go_retry(struct source_session *session, const struct haul_error *loss,
                     uint64_t now_ns);

#endif
