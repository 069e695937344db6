/* SPDX-License-Identifier: Apache-2.0 */
/* send_state.c — the moves of a plan while it is carried out. */
#include "send_state.h"

#include <stdlib.h>
#include <string.h>

enum haul_status send_state_init(struct send_state *state, const struct send_plan *plan,
                                 uint64_t now_ns, struct haul_error *error)
{
    *state = (struct send_state){.plan = plan,
                                 .moves = calloc(plan->count, sizeof(*state->moves)),
                                 .first_failed = SIZE_MAX,
                                 .begun_ns = now_ns};
    return state->moves != NULL
               ? HAUL_OK
               : haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the moves");
}

void send_state_fini(struct send_state *state)
{
    free(state->moves);
    *state = (struct send_state){.plan = NULL};
}

/* --- the next one ----------------------------------------------------------------------------- */

static bool same_receiver(const struct send_state *state, size_t a, size_t b)
{
    return strcmp(state->plan->moves[a].to, state->plan->moves[b].to) == 0;
}

/* Running moves to the receiver of `index`, apart from itself. */
static size_t count_beside(const struct send_state *state, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < state->plan->count; i++) {
        count +=
            i != index && state->moves[i].phase == MOVE_RUNNING && same_receiver(state, i, index);
    }
    return count;
}

size_t send_state_next(const struct send_state *state)
{
    size_t next = SIZE_MAX;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < state->plan->count; i++) {
        const struct move_state *move = &state->moves[i];
        size_t beside = move->phase == MOVE_WAITING && move->block == MOVE_FREE
                            ? count_beside(state, i)
                            : SIZE_MAX;
        if (beside < fewest) {
            fewest = beside;
            next = i;
        }
    }
    return next;
}

size_t send_state_first(const struct send_state *state, enum move_phase phase)
{
    for (size_t i = 0; i < state->plan->count; i++) {
        if (state->moves[i].phase == phase) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* --- events ----------------------------------------------------------------------------------- */

void send_state_begun(struct send_state *state, size_t index, struct haul_migration *migration,
                      uint64_t now_ns)
{
    struct move_state *move = &state->moves[index];
    move->phase = MOVE_RUNNING;
    move->migration = migration;
    move->begun_ns = now_ns;
    move->figures = (struct haul_progress){.phase = HAUL_PHASE_CONNECTING};
}

static void unblock(struct send_state *state, size_t ended)
{
    for (size_t i = 0; i < state->plan->count; i++) {
        struct move_state *move = &state->moves[i];
        if (move->block == MOVE_BLOCKED_BY_ANY || same_receiver(state, i, ended)) {
            move->block = MOVE_FREE;
        }
    }
}

void send_state_failed(struct send_state *state, size_t index, const struct haul_error *error)
{
    struct move_state *move = &state->moves[index];
    move->phase = MOVE_FAILED;
    move->error = *error;
    if (state->first_failed == SIZE_MAX) {
        state->first_failed = index;
    }
}

void send_state_ended(struct send_state *state, size_t index, const struct haul_result *result,
                      uint64_t now_ns)
{
    struct move_state *move = &state->moves[index];
    move->phase = result->status == HAUL_OK ? MOVE_DONE : MOVE_WAITING;
    move->migration = NULL;
    move->ended_ns = now_ns;
    move->figures = result->progress;
    move->resumed = result->resumed;
    move->write_pause_ms = result->write_pause_ms;
    memcpy(move->job, result->job, HAUL_JOB_BYTES);
    unblock(state, index);
}

bool send_state_waits_again(struct send_state *state, size_t index)
{
    struct move_state *move = &state->moves[index];
    bool one_runs = count_beside(state, index) > 0;
    bool one_ended = false; /* since this one began to wait: its place may be free */
    for (size_t i = 0; i < state->plan->count; i++) {
        one_ended = one_ended || (i != index && same_receiver(state, i, index) &&
                                  state->moves[i].ended_ns > move->begun_ns);
    }
    if (one_runs) {
        move->block = MOVE_BLOCKED_BY_RECEIVER;
    }
    return one_runs || one_ended;
}

void send_state_try_again(struct send_state *state)
{
    for (size_t i = 0; i < state->plan->count; i++) {
        struct move_state *move = &state->moves[i];
        move->block = move->block == MOVE_BLOCKED_BY_ANY ? MOVE_FREE : move->block;
    }
}

/* --- sums ------------------------------------------------------------------------------------- */

/* An estimate may be too small, and nothing is done before it is handed over. */
static double part_of(const struct move_state *move, uint64_t expected)
{
    if (move->phase == MOVE_DONE || move->phase == MOVE_DONE_BEFORE) {
        return 1;
    }
    double part = expected == 0 ? 0 : (double)move->figures.bytes / (double)expected;
    return move->phase != MOVE_RUNNING ? 0 : part < 0.99 ? part : 0.99;
}

void send_state_totals(const struct send_state *state, struct send_totals *totals)
{
    double moved = 0;
    double all = 0;
    *totals = (struct send_totals){.done = 0};
    for (size_t i = 0; i < state->plan->count; i++) {
        const struct move_state *move = &state->moves[i];
        bool over = move->phase == MOVE_DONE;
        bool before = move->phase == MOVE_DONE_BEFORE;
        uint64_t estimate =
            move->figures.bytes_expected > 0 ? move->figures.bytes_expected : move->bytes_expected;
        uint64_t expected = over ? move->figures.bytes : before ? 0 : estimate;
        totals->done += over || before;
        totals->done_before += before;
        totals->running += move->phase == MOVE_RUNNING;
        totals->failed += move->phase == MOVE_FAILED;
        if (over || move->phase == MOVE_RUNNING) {
            totals->records += move->figures.records;
            totals->bytes += move->figures.bytes;
        }
        totals->bytes_expected += expected;
        moved += part_of(move, expected) * (double)(expected + 1); /* each has at least a byte */
        all += (double)(expected + 1);
    }
    totals->fraction = moved / all;
}
