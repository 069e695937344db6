/* SPDX-License-Identifier: Apache-2.0 */
/* source_machine.h — the inside of a source session: its members, and the steps that greeting, copy
 * and hand-over have in common. Only the files of the session include it. */
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
    struct haul_error loss; /* of the path, the last one */
    haul_control_Welcome welcome;
    struct message accepted; /* PlanAccepted, owned */
    haul_control_Progress progress;
    bool channel_up;
    bool proposed;        /* the plan went out: the target may have a record of the job */
    bool proposed_before; /* on an earlier connection */
    bool accepted_once;   /* and has: it said so */
    struct retry_limit retry;
    struct freeze_limit freeze;
    struct haul_error freeze_failure; /* why the last freeze came to nothing; OK: its deadline */
    struct stall_watch stall;         /* PLANNING to PREPARING */
    bool stalled;                     /* the last path was given up for a stall */
    bool decided;
    bool decision_asked;
    bool decision_in_doubt; /* the record could neither be written nor not */
    bool committed;         /* the target owns, and said so */
    bool ending;            /* the operator wants the end: no coming back */
    bool copied;
    struct catch_up catch_up;
    uint32_t damages;       /* in a row, without anything that lasts between them */
    uint64_t damage_mark;   /* what had lasted at the last one */
    uint32_t their_damages; /* of the attempts that the target ended for it: heard of */
    bool waits_for_target;  /* the lag is small here; the target has yet to apply what was sent */
    uint64_t round_sequence;
    uint64_t prepared_sequence; /* frozen sequence of the Prepare in the air */
    uint32_t verified_freeze;   /* number of the freeze whose Prepared was equal */
    struct digest *digests;     /* one a family, of this side */
    struct source_session_figures figures;
    struct source_action actions[SOURCE_ACTION_COUNT_MAX];
    size_t action_count;
};

/* Append an action; its order is the order in which the driver performs them. */
struct source_action *source_push(struct source_session *session, enum source_action_type type);
/* Append SEND; the caller fills the message in. */
struct message *source_push_message(struct source_session *session, enum message_type type);
void source_enter(struct source_session *session, enum source_state state, uint64_t deadline_ns);
/* When an answer that the peer owes is overdue. */
uint64_t source_answer_deadline(const struct source_session *session, uint64_t now_ns);
/* Of a wait without news of what it is for. */
uint64_t source_stall_deadline(const struct source_session *session, uint64_t now_ns);
void source_start_round(struct source_session *session);
/* Writers go on, if they were frozen. */
void source_thaw(struct source_session *session, uint64_t now_ns);
void source_end(struct source_session *session);

/* Before the decision: give everything back, tell the peer, end with `error`. While the decision is
 * being written this only notes the outcome. */
void source_abort_job(struct source_session *session, const struct haul_error *error,
                      bool tell_peer, uint64_t now_ns);
void source_abort_with(struct source_session *session, enum haul_status status, const char *text,
                       const char *hint, uint64_t now_ns);
/* Tell the peer that this attempt ends, and that what it has stays. */
haul_control_Stop *source_say_stop(struct source_session *session, const struct haul_error *error);
/* Before the decision: this attempt ends, and both sides keep what has arrived. */
void source_end_kept(struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns);
/* The two sides do not fit as they were started: what an earlier attempt has brought stays, for one
 * that does; without that the job ends. */
void source_end_unfit(struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns);
/* Can this side do with that one? Errors: VERSION, PROTOCOL, MISMATCH (other slots). */
enum haul_status source_check_welcome(const struct source_session *session,
                                      const haul_control_Welcome *welcome,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The decision stands, and the target has not confirmed it: end with IN_DOUBT. */
/* Hello once more, on a connection of its own: it names another job. */
void source_ask_next(struct source_session *session, const struct source_event *event);
void source_leave_in_doubt(struct source_session *session, const char *why);
/* The same with another hint than that to resolve it; "": with that. */
void source_leave_hinted(struct source_session *session, const char *why, const char *hint);
/* Only our decision makes a target own: it was made, and this database knows of it no more.
 * `error`: of recording it again. */
void source_leave_owned(struct source_session *session, const struct haul_error *error);
/* Our own records are not written. What was recorded, or is still being, stays: nothing was agreed
 * on yet. */
void source_end_late(struct source_session *session, uint64_t now_ns);

/* Is there time left to come back to a target that is known to be one? */
bool source_may_wait(const struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns);
/* May the session come back to its target after this loss of the path? */
bool source_may_retry(const struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns);
void source_go_retry(struct source_session *session, const struct haul_error *loss,
                     uint64_t now_ns);

#endif
