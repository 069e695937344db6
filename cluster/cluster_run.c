/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_run.c — one step a round: is the topology ours, where is each move, what is next. */
#include "cluster_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_run_bug.h"
#include "topology_change.h"

/* A round, and what it says. */
struct step {
    struct cluster_run *run;
    const struct run_round *round;
    const struct topology *newest;
};

/* --- stopping --------------------------------------------------------------------------------- */

/* The first reason counts. */
__attribute__((format(printf, 4, 5))) static void
stop(struct cluster_run *run, enum haul_status status, const char *hint, const char *format, ...)
{
    if (run->stop.status == HAUL_OK) {
        char text[HAUL_ERROR_TEXT_BYTES_MAX];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        haul_error_set(&run->stop, status, NULL, 0, "%s", text);
        haul_error_hint(&run->stop, "%s", hint);
    }
}

/* Nodes that disagree: nobody but their operator knows whose word counts. */
static void stop_divided(struct cluster_run *run, const char *format, const char *name,
                         int64_t version)
{
    run->foreign = true;
    stop(run, HAUL_FENCED,
         "haul cluster check names what differs; send all nodes one topology under the next "
         "version (CLUSTERX SETNODES), then run the plan again",
         format, name, version);
}

static void stop_foreign(struct cluster_run *run, const char *format, const char *name,
                         int64_t version)
{
    run->foreign = true;
    stop(run, HAUL_FENCED,
         "find out who changes the topology, such as kvrocks-controller, which is told by "
         "--controller; then run the plan again: it continues from what the cluster says",
         format, name, version);
}

/* --- views ------------------------------------------------------------------------------------ */

static const struct run_view *view_of(const struct run_round *round, const char *id)
{
    for (size_t i = 0; i < round->count; i++) {
        if (strcmp(round->views[i].id, id) == 0) {
            return &round->views[i];
        }
    }
    return NULL;
}

static bool answers(const struct run_round *round, const char *id)
{
    const struct run_view *view = view_of(round, id);
    return view != NULL && view->answers;
}

const struct topology *cluster_run_newest(const struct run_round *round)
{
    const struct topology *newest = NULL;
    for (size_t i = 0; i < round->count; i++) {
        const struct run_view *view = &round->views[i];
        if (view->answers && (newest == NULL || view->topology->version > newest->version)) {
            newest = view->topology;
        }
    }
    return newest;
}

static void note_silence(struct step *step)
{
    struct cluster_run *run = step->run;
    for (size_t i = 0; i < step->round->count; i++) {
        const struct run_view *view = &step->round->views[i];
        uint64_t *since = &run->silent_since_ms[i];
        if (!view->answers) {
            run->publications[i].failures = 0; /* it may come back as another process */
        }
        if (view->answers) {
            *since = UINT64_MAX;
            run->unsure[i] = false;
        } else if (*since == UINT64_MAX) {
            *since = step->round->now_ms;
        } else if (step->round->now_ms - *since >= CLUSTER_RUN_SILENCE_MS_MAX) {
            stop(run, HAUL_UNREACHABLE,
                 "bring it back or take it out of the topology, then run the plan again",
                 "%s does not answer", view->name);
        }
        if (!view->answers) {
            run->waiting_for = i;
        }
    }
}

/* Does this node not take the topology? */
static bool refuses(const struct cluster_run *run, size_t view)
{
    return run->publications[view].failures >= CLUSTER_RUN_ATTEMPTS_MAX && !RUN_BUG(PUBLISH_EVER);
}

static void look_at_publications(struct step *step)
{
    struct cluster_run *run = step->run;
    for (size_t i = 0; i < step->round->count; i++) {
        const struct run_view *view = &step->round->views[i];
        struct run_publication *publication = &run->publications[i];
        bool has = view->answers && view->topology->version >= publication->version;
        if (publication->failures > 0 && has && publication->answered && !RUN_BUG(UNSTORED)) {
            stop(run, HAUL_REFUSED,
                 "mend what it names; then send all nodes the topology under the next version "
                 "(CLUSTERX SETNODES), which stores it, and run the plan again",
                 "%s did not store the topology: %s", view->name, publication->reason);
        }
        if (has) {
            publication->failures = 0;
        } else if (refuses(run, i)) {
            stop(run, HAUL_REFUSED, "mend what it names, then run the plan again",
                 "%s does not take the topology: %s", view->name, publication->reason);
        }
    }
}

/* --- is the topology ours? -------------------------------------------------------------------- */

/* The move with these slots at `slot`; NULL: the plan moves it not at all. */
static const struct run_move *move_of(const struct cluster_run *run, uint32_t slot)
{
    for (size_t i = 0; i < run->move_count; i++) {
        if (run->moves[i].slots.first <= slot && slot <= run->moves[i].slots.last) {
            return &run->moves[i];
        }
    }
    return NULL;
}

/* Do the owners of `newer` differ from those of `older` by whole moves of the plan alone? Their
 * number into `count`. */
static bool differs_by_moves(const struct cluster_run *run, const struct topology *older,
                             const struct topology *newer, int64_t *count)
{
    *count = 0;
    if (!topology_same_nodes(older, newer)) {
        return false;
    }
    uint32_t slot = topology_next_difference(older, newer, 0);
    while (slot < CLUSTER_SLOT_COUNT) {
        const struct run_move *move = move_of(run, slot);
        const char *owner = move == NULL ? NULL : topology_owner_of(newer, move->slots);
        if (owner == NULL || strcmp(owner, move->to) != 0 || slot != move->slots.first) {
            *count = newer->version - older->version;
            return RUN_BUG(FOREIGN_OWNER);
        }
        ++*count;
        slot = topology_next_difference(older, newer, (uint32_t)move->slots.last + 1);
    }
    return true;
}

/* Each version is one move. */
static void compare_with_accepted(struct step *step)
{
    struct cluster_run *run = step->run;
    const struct topology *newest = step->newest;
    int64_t rise = newest->version - run->topology->version;
    int64_t moves = 0;
    bool explained = differs_by_moves(run, run->topology, newest, &moves);
    if (rise < 0) {
        stop_foreign(run, "no node%s has version %" PRId64 " of the topology any more", "",
                     run->topology->version);
    } else if (!explained) {
        stop_foreign(run,
                     "the nodes or owners of the topology%s were changed by somebody else, "
                     "version %" PRId64,
                     "", newest->version);
    } else if (rise != moves && !RUN_BUG(FOREIGN_VERSION)) {
        stop_foreign(run, "the topology%s has got version %" PRId64 " from somebody else", "",
                     newest->version);
    }
}

static enum haul_status remember_topology(struct cluster_run *run, const struct topology *newest)
{
    if (run->topology != NULL && run->topology->version == newest->version) {
        return HAUL_OK;
    }
    struct topology *copy = topology_copy(newest);
    if (copy == NULL) {
        return HAUL_NO_MEMORY;
    }
    topology_destroy(run->topology);
    run->topology = copy;
    return HAUL_OK;
}

/* The newest topology becomes the accepted one, unless somebody else made it; in the first round
 * whoever made it. */
static enum haul_status accept_topology(struct step *step)
{
    struct cluster_run *run = step->run;
    if (run->controlled && !RUN_BUG(CONTROLLED_STOPS)) {
        return remember_topology(run, step->newest);
    }
    if (run->topology != NULL) {
        compare_with_accepted(step);
    }
    if (run->foreign) {
        return HAUL_OK;
    }
    for (size_t i = 0; i < step->round->count; i++) {
        const struct run_view *view = &step->round->views[i];
        int64_t moves = 0;
        if (view->answers && !differs_by_moves(run, view->topology, step->newest, &moves)) {
            stop_divided(run, "%s knows other nodes or owners than the others, version %" PRId64,
                         view->name, view->topology->version);
            return HAUL_OK;
        }
        if (view->answers && view->topology->version == step->newest->version && moves > 0) {
            stop_divided(run, "%s knows other owners under the same version %" PRId64, view->name,
                         view->topology->version);
            return HAUL_OK;
        }
    }
    return remember_topology(run, step->newest);
}

/* --- where is each move? ---------------------------------------------------------------------- */

static bool is_job_of(const struct run_view *view, const struct run_move *move)
{
    return view->job_slots.first == move->slots.first && view->job_slots.last == move->slots.last &&
           strcmp(view->job_to, move->to) == 0;
}

static void note_failure(struct cluster_run *run, struct run_move *move, uint64_t now_ms,
                         const char *reason)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    move->begun = false;
    if (move->cancelled) {
        return;
    }
    move->failures++;
    move->retry_ms = now_ms + CLUSTER_RUN_RETRY_MS;
    if (reason == NULL || reason[0] == '\0') {
        reason = move->owner_was_silent
                     ? "its source did not answer meanwhile; a restart ends a move"
                     : "its source names no reason";
    }
    (void)snprintf(move->reason, sizeof(move->reason), "%s", reason);
    slot_range_format(move->slots, range);
    if (move->failures >= CLUSTER_RUN_ATTEMPTS_MAX && !RUN_BUG(RETRY_EVER)) {
        stop(run, HAUL_STOPPED, "mend what the reason names, then run the plan again",
             "slots %s failed %u times: %s", range, move->failures, move->reason);
    }
}

static bool is_master(const struct topology *topology, const char *id)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        if (strcmp(topology->nodes[i].id, id) == 0) {
            return topology->nodes[i].is_master;
        }
    }
    return false;
}

/* The plan does not fit the cluster any more, and nothing is known of the move. */
static void stop_misfit(struct cluster_run *run, struct run_move *move, const char *format,
                        const char *name)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    slot_range_format(move->slots, range);
    move->state = RUN_MOVE_WAITING;
    move->begun = false;
    stop(run, HAUL_MISMATCH, "make a new plan: haul cluster plan", format, range, name);
}

/* By what their owner shows of its job. */
static void look_at_job(struct step *step, struct run_move *move, const struct run_view *owner)
{
    bool own = is_job_of(owner, move);
    if (own && owner->job == RUN_JOB_START && !RUN_BUG(FORGET_RUNNING)) {
        move->state = RUN_BUG(PUBLISH_EARLY) ? RUN_MOVE_HANDED_OVER : RUN_MOVE_RUNNING;
        return;
    }
    if (own && owner->job == RUN_JOB_SUCCESS) {
        move->state = RUN_MOVE_HANDED_OVER;
        return;
    }
    move->state = RUN_MOVE_WAITING;
    if (move->begun) {
        bool forgotten = !own || owner->job != RUN_JOB_FAIL;
        note_failure(step->run, move, step->round->now_ms,
                     !forgotten               ? owner->failure
                     : move->owner_was_silent ? ""
                                              : "its source has forgotten it");
    }
    if (strcmp(owner->id, move->from) != 0 && !RUN_BUG(MISFIT)) {
        stop_misfit(step->run, move, "slots %s belong to %s, not to their source of the plan",
                    owner->name);
    }
}

static void look_at_move(struct step *step, struct run_move *move)
{
    const char *id = topology_owner_of(step->newest, move->slots);
    const struct run_view *owner = id == NULL ? NULL : view_of(step->round, id);
    if (id != NULL && strcmp(id, move->to) == 0) {
        move->state = RUN_MOVE_DONE;
        move->begun = false;
    } else if (owner == NULL) {
        stop_misfit(step->run, move, "slots %s have not one owner any more%s", "");
    } else if (!is_master(step->newest, move->to)) {
        stop_misfit(step->run, move, "the destination of slots %s%s is no master any more", "");
    } else if (owner->answers) {
        look_at_job(step, move, owner);
    } else {
        move->owner_was_silent = true;
        move->state = move->state == RUN_MOVE_DONE ? RUN_MOVE_WAITING : move->state;
    }
}

/* --- commands --------------------------------------------------------------------------------- */

static void send(struct step *step, enum run_command_kind kind, const char *id, size_t move,
                 int64_t version)
{
    const struct run_view *view = view_of(step->round, id);
    struct cluster_run *run = step->run;
    run->commands[run->command_count++] =
        (struct run_command){.kind = kind,
                             .node = (size_t)(view - step->round->views),
                             .move = move,
                             .version = version};
}

static bool is_behind(const struct step *step, const struct run_view *view)
{
    return view->answers && view->topology->version < step->newest->version;
}

/* By the topology that it has, does it own slots that it does not own by the newest? */
static bool is_giver(const struct step *step, const struct run_view *view)
{
    const struct topology *own = view->topology;
    uint32_t slot = topology_next_difference(own, step->newest, 0);
    while (slot < CLUSTER_SLOT_COUNT) {
        uint16_t owner = own->owners[slot];
        if (owner != TOPOLOGY_NO_OWNER && strcmp(own->nodes[owner].id, view->id) == 0) {
            return true;
        }
        slot = topology_next_difference(own, step->newest, slot + 1);
    }
    return false;
}

/* Bring the newest topology to the nodes that lack it, to sources first. False: none lacks it. */
static bool spread(struct step *step)
{
    bool givers = false;
    bool any = false;
    for (size_t i = 0; i < step->round->count; i++) {
        const struct run_view *view = &step->round->views[i];
        any |= is_behind(step, view);
        givers |= is_behind(step, view) && is_giver(step, view);
    }
    givers &= !RUN_BUG(OTHERS_FIRST);
    for (size_t i = 0; i < step->round->count && !RUN_BUG(NO_SPREAD); i++) {
        const struct run_view *view = &step->round->views[i];
        if (is_behind(step, view) && !refuses(step->run, i) && (!givers || is_giver(step, view))) {
            send(step, RUN_SETNODES, view->id, SIZE_MAX, step->newest->version);
        }
    }
    return any && !RUN_BUG(NO_SPREAD);
}

static bool is_destination(const struct cluster_run *run, const char *id)
{
    for (size_t i = 0; i < run->move_count; i++) {
        if (strcmp(run->moves[i].to, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool may_publish(const struct step *step)
{
    for (size_t i = 0; i < step->round->count; i++) {
        if (refuses(step->run, i)) {
            return false;
        }
        if (step->run->unsure[i] && is_destination(step->run, step->round->views[i].id) &&
            !RUN_BUG(VERSION_TWICE)) {
            return false;
        }
    }
    return !step->run->foreign;
}

/* One hand-over a round. False: there is none. */
static bool publish(struct step *step)
{
    struct cluster_run *run = step->run;
    bool aborts = step->round->order == RUN_ORDER_ABORT;
    for (size_t i = 0; i < run->move_count && may_publish(step); i++) {
        struct run_move *move = &run->moves[i];
        bool ready = move->state == RUN_MOVE_HANDED_OVER && answers(step->round, move->to);
        if (ready && !(aborts && RUN_BUG(ABORT_UNPUBLISHED))) {
            send(step, RUN_SETSLOT, RUN_BUG(PUBLISH_SOURCE) ? move->from : move->to, i,
                 step->newest->version + 1);
            run->unsure[run->commands[run->command_count - 1].node] = true;
            return true;
        }
    }
    return false;
}

static bool takes_part(const struct run_move *move, const char *id)
{
    return strcmp(move->from, id) == 0 || strcmp(move->to, id) == 0;
}

/* An import that only waits for this move to begin again does not keep it from that. */
static bool is_importing_other(const struct run_view *view, const struct run_move *move)
{
    bool own = view->import_slots.first == move->slots.first &&
               view->import_slots.last == move->slots.last && strcmp(view->id, move->to) == 0;
    return view->imports && (!own || RUN_BUG(KEPT_BLOCKS));
}

/* May the node not take part in this move now? It takes one job at once, in either role; jobs of
 * somebody else count as well. */
static bool is_busy(const struct step *step, const char *id, const struct run_move *wanted)
{
    const struct run_view *view = view_of(step->round, id);
    if (view == NULL || !view->answers || view->job == RUN_JOB_START ||
        is_importing_other(view, wanted)) {
        return !RUN_BUG(BUSY_NODE) || view == NULL || !view->answers;
    }
    for (size_t i = 0; i < step->run->move_count && !RUN_BUG(BUSY_NODE); i++) {
        const struct run_move *move = &step->run->moves[i];
        bool open =
            move->begun || move->state == RUN_MOVE_RUNNING || move->state == RUN_MOVE_HANDED_OVER;
        if (open && move->state != RUN_MOVE_DONE && takes_part(move, id)) {
            return true;
        }
    }
    return false;
}

static size_t count_open(const struct cluster_run *run)
{
    size_t open = 0;
    for (size_t i = 0; i < run->move_count; i++) {
        const struct run_move *move = &run->moves[i];
        open += move->state == RUN_MOVE_RUNNING || move->state == RUN_MOVE_HANDED_OVER ||
                (move->begun && move->state == RUN_MOVE_WAITING);
    }
    return open;
}

static void begin_moves(struct step *step)
{
    struct cluster_run *run = step->run;
    size_t max = run->parallel_max == 0 || RUN_BUG(PARALLEL) ? SIZE_MAX : run->parallel_max;
    for (size_t i = 0; i < run->move_count && count_open(run) < max; i++) {
        struct run_move *move = &run->moves[i];
        if (move->state == RUN_MOVE_WAITING && !move->begun &&
            step->round->now_ms >= move->retry_ms && !is_busy(step, move->from, move) &&
            !is_busy(step, move->to, move)) {
            send(step, RUN_MIGRATE, move->from, i, 0);
            move->begun = true;
            move->cancelled = false;
            move->owner_was_silent = false;
        }
    }
}

static void cancel_moves(struct step *step)
{
    struct cluster_run *run = step->run;
    for (size_t i = 0; i < run->move_count && !RUN_BUG(ABORT_LEAVES); i++) {
        struct run_move *move = &run->moves[i];
        const char *owner = topology_owner_of(step->newest, move->slots);
        if (move->state == RUN_MOVE_RUNNING && owner != NULL && answers(step->round, owner) &&
            step->round->now_ms >= move->retry_ms) {
            send(step, RUN_CANCEL, owner, i, 0);
            move->cancelled = true;
            move->retry_ms = step->round->now_ms + CLUSTER_RUN_CANCEL_MS;
        }
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Is there a move that will come further without being begun? */
static bool goes_on(const struct step *step)
{
    const struct cluster_run *run = step->run;
    for (size_t i = 0; i < run->move_count; i++) {
        const struct run_move *move = &run->moves[i];
        bool both = (answers(step->round, move->from) && answers(step->round, move->to)) ||
                    RUN_BUG(LOST_WAITS);
        bool running = move->state == RUN_MOVE_RUNNING ||
                       (move->begun && both && move->state == RUN_MOVE_WAITING);
        bool handed_over = move->state == RUN_MOVE_HANDED_OVER && may_publish(step);
        if ((running || handed_over) && both) {
            return true;
        }
    }
    return false;
}

static bool all_done(const struct step *step)
{
    for (size_t i = 0; i < step->run->move_count; i++) {
        if (step->run->moves[i].state != RUN_MOVE_DONE) {
            return false;
        }
    }
    for (size_t i = 0; i < step->round->count; i++) {
        const struct run_view *view = &step->round->views[i];
        if ((!view->answers || is_behind(step, view)) && !RUN_BUG(END_EARLY)) {
            return false;
        }
    }
    return true;
}

/* Nobody knows what a silent node does: a move may be running there, or a version be missing. */
static bool is_in_the_dark(const struct step *step)
{
    return step->run->waiting_for < step->run->view_count && !RUN_BUG(ABORT_IN_THE_DARK);
}

static void end_if_over(struct step *step)
{
    struct cluster_run *run = step->run;
    bool aborts = step->round->order == RUN_ORDER_ABORT;
    if (run->command_count > 0) {
        return;
    }
    if (aborts && run->stop.status == HAUL_OK && is_in_the_dark(step)) {
        return; /* until it answers, or has been silent for too long */
    }
    if (all_done(step) && !run->foreign) {
        run->stop.status = HAUL_OK;
        run->ended = true;
    } else if (!goes_on(step) && (run->stop.status != HAUL_OK || aborts)) {
        stop(run, HAUL_CANCELLED, "haul cluster resume takes the abort back", "aborted");
        run->ended = true;
    }
}

/* --- the step --------------------------------------------------------------------------------- */

static void choose_commands(struct step *step)
{
    struct cluster_run *run = step->run;
    bool stops = run->stop.status != HAUL_OK && !RUN_BUG(BEGIN_STOPPED);
    bool waits =
        (step->round->order != RUN_ORDER_RUN || step->round->closed) && !RUN_BUG(BEGIN_PAUSED);
    bool controlled = run->controlled && !RUN_BUG(CONTROLLED_PUBLISHES);
    if (run->foreign || (!controlled && spread(step))) {
        return;
    }
    if (step->round->order == RUN_ORDER_ABORT) {
        cancel_moves(step);
    }
    if ((!controlled && publish(step)) || stops || waits || run->waiting_for < run->view_count) {
        return;
    }
    begin_moves(step);
}

enum haul_status cluster_run_step(struct cluster_run *run, const struct run_round *round,
                                  struct haul_error *error)
{
    struct step step = {run, round, cluster_run_newest(round)};
    run->command_count = 0;
    run->waiting_for = run->view_count;
    note_silence(&step);
    look_at_publications(&step);
    if (step.newest == NULL) {
        run->ended = run->stop.status != HAUL_OK;
        return HAUL_OK;
    }
    if (accept_topology(&step) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a topology");
    }
    for (size_t i = 0; i < run->move_count; i++) {
        look_at_move(&step, &run->moves[i]);
    }
    choose_commands(&step);
    end_if_over(&step);
    return HAUL_OK;
}

static void note_refusal(struct cluster_run *run, const struct run_command *command, bool answered,
                         const char *reason)
{
    struct run_publication *publication = &run->publications[command->node];
    publication->failures =
        publication->version == command->version ? publication->failures + 1 : 1;
    publication->version = command->version;
    publication->answered = answered;
    (void)snprintf(publication->reason, sizeof(publication->reason), "%s",
                   reason == NULL ? "no answer" : reason);
}

void cluster_run_refused(struct cluster_run *run, const struct run_command *command,
                         uint64_t now_ms, bool answered, const char *reason)
{
    if (command->kind == RUN_SETSLOT || command->kind == RUN_SETNODES) {
        note_refusal(run, command, answered, reason);
    }
    if (command->kind != RUN_MIGRATE) {
        return;
    }
    struct run_move *move = &run->moves[command->move];
    if (reason != NULL) {
        note_failure(run, move, now_ms, reason);
    } else {
        move->begun = false;
        move->retry_ms = now_ms + CLUSTER_RUN_RETRY_MS;
    }
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status cluster_run_create(const struct cluster_plan *plan, size_t view_count,
                                    uint32_t parallel_max, struct cluster_run **run,
                                    struct haul_error *error)
{
    struct cluster_run *created = calloc(1, sizeof(*created));
    if (created != NULL) {
        created->moves = calloc(plan->move_count + 1, sizeof(*created->moves));
        created->commands = calloc(plan->move_count + view_count + 1, sizeof(*created->commands));
        created->silent_since_ms = calloc(view_count + 1, sizeof(uint64_t));
        created->unsure = calloc(view_count + 1, sizeof(bool));
        created->publications = calloc(view_count + 1, sizeof(*created->publications));
    }
    if (created == NULL || created->moves == NULL || created->commands == NULL ||
        created->silent_since_ms == NULL || created->unsure == NULL ||
        created->publications == NULL) {
        cluster_run_destroy(created);
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a run");
    }
    created->move_count = plan->move_count;
    created->view_count = view_count;
    created->parallel_max = parallel_max;
    memset(created->unsure, true, view_count * sizeof(bool));
    memset(created->silent_since_ms, 0xff, view_count * sizeof(uint64_t));
    for (size_t i = 0; i < plan->move_count; i++) {
        struct run_move *move = &created->moves[i];
        move->slots = plan->moves[i].slots;
        memcpy(move->from, plan->nodes[plan->moves[i].from].id, sizeof(move->from));
        memcpy(move->to, plan->nodes[plan->moves[i].to].id, sizeof(move->to));
    }
    *run = created;
    return HAUL_OK;
}

void cluster_run_destroy(struct cluster_run *run)
{
    if (run != NULL) {
        topology_destroy(run->topology);
        free(run->moves);
        free(run->commands);
        free(run->silent_since_ms);
        free(run->unsure);
        free(run->publications);
        free(run);
    }
}
