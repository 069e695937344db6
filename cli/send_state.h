/* SPDX-License-Identifier: Apache-2.0 */
/* send_state.h — where each move of a plan is, and which one begins next.
 *
 *   WAITING ----begin----> RUNNING --OK--> DONE
 *      ^                   |  |  |-------> FAILED
 *      '--no place there---'  |
 *   UNCONFIRMED <--not yet----'      (the job only informs the receiver of an earlier decision)
 *   DONE_BEFORE                      (by the database's records, from the beginning)
 *
 * Thread: the command's. */
#ifndef HAUL_SEND_STATE_H
#define HAUL_SEND_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "send_plan.h"

enum move_phase {
    MOVE_WAITING,
    MOVE_UNCONFIRMED, /* decided by an earlier run; the receiver may not know it */
    MOVE_RUNNING,
    MOVE_DONE,
    MOVE_DONE_BEFORE,
    MOVE_FAILED,
};

/* What a waiting move waits for. */
enum move_block {
    MOVE_FREE,
    MOVE_BLOCKED_BY_RECEIVER, /* until another move to the same receiver ends */
    MOVE_BLOCKED_BY_ANY,      /* until any move ends, or send_state_try_again */
};

struct move_state {
    enum move_phase phase;
    enum move_block block;
    struct haul_migration *migration;   /* RUNNING */
    bool resolves;                      /* RUNNING: there is nothing to copy */
    uint64_t begun_ns;                  /* of the last attempt */
    uint64_t ended_ns;                  /* likewise; 0: never */
    uint64_t bytes_expected;            /* estimated before the beginning; 0: unknown */
    struct haul_progress figures;       /* RUNNING: the newest; DONE, FAILED: the last */
    uint8_t job[HAUL_JOB_BYTES];        /* DONE, DONE_BEFORE, UNCONFIRMED, FAILED; zeros: none */
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* DONE_BEFORE: the database that owns its ranges */
    bool resumed;
    double write_pause_ms;
    struct haul_error error; /* FAILED */
};

struct send_state {
    const struct send_plan *plan; /* borrowed */
    struct move_state *moves;     /* as many as the plan has */
    size_t first_failed;          /* the first in time; SIZE_MAX: none */
    uint64_t begun_ns;
};

/* Sums over the plan. Moves that were done before count only as moves. */
struct send_totals {
    size_t done; /* also before */
    size_t done_before;
    size_t running;
    size_t failed;
    uint64_t records;
    uint64_t bytes;
    uint64_t bytes_expected;
    double fraction; /* of the work, 0 to 1 */
};

/* Every move waits. Errors: NO_MEMORY. */
enum haul_status send_state_init(struct send_state *state, const struct send_plan *plan,
                                 uint64_t now_ns, struct haul_error *error) HAUL_MUST_CHECK;
void send_state_fini(struct send_state *state);

/* The move to begin next: of those that wait and are not blocked, the first of those whose receiver
 * has the fewest running moves, so that all receivers have work. SIZE_MAX: none. */
size_t send_state_next(const struct send_state *state);
/* The first move in this phase; SIZE_MAX: none. */
size_t send_state_first(const struct send_state *state, enum move_phase phase);

void send_state_begun(struct send_state *state, size_t index, struct haul_migration *migration,
                      uint64_t now_ns);
/* An attempt has ended: the move is not RUNNING any more, and those that it blocked are free. */
void send_state_ended(struct send_state *state, size_t index, const struct haul_result *result,
                      uint64_t now_ns);
void send_state_failed(struct send_state *state, size_t index, const struct haul_error *error);
/* Did the receiver of a move that ended with BUSY have no place because of other moves of the plan?
 * Then the move waits again, until one of them has ended. */
bool send_state_waits_again(struct send_state *state, size_t index);

/* Another job holds a journal that a move needs, and may have let it go since. */
void send_state_try_again(struct send_state *state);

void send_state_totals(const struct send_state *state, struct send_totals *totals);

#endif
