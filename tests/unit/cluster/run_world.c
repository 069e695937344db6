/* SPDX-License-Identifier: Apache-2.0 */
/* run_world.c — the world knows of each slot who holds its data, which no topology changes. The
 * judge compares that with what the tool publishes. */
#include "run_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cluster_run.h"
#include "topology_change.h"

enum {
    MASTERS_MAX = 6,
    NODES_MAX = 2 * MASTERS_MAX,
    MOVES_MAX = 12,
    ROUNDS_MAX = 3000,
    ROUND_MS = 500,
    NEVER = ROUNDS_MAX,
};

enum fault {
    FAULT_NONE,
    FAULT_JOBS,    /* fail now and then */
    FAULT_BROKEN,  /* one source's jobs always fail */
    FAULT_SILENCE, /* a node is away for some rounds */
    FAULT_LOST,    /* a node is away for good */
    FAULT_VERSION, /* somebody raises the version */
    FAULT_OWNER,   /* somebody gives slots away */
    FAULT_ROLES,   /* a failover */
    FAULT_PAUSE,
    FAULT_ABORT,
    FAULT_ABORT_SILENCE, /* an abort, and a node that is away for some rounds */
    FAULT_REFUSES,       /* a node takes no topology for some rounds */
    FAULT_UNSTORED,      /* a node takes a topology, and says that it could not store it */
    FAULT_COUNT,
};

struct world_node {
    char id[TOPOLOGY_ID_BYTES + 1];
    struct topology *topology;
    enum run_job_state job;
    size_t move; /* of the job */
    size_t kept; /* 1 + the move whose copy broke off here; 0: none */
    bool silent;
};

struct world {
    uint64_t random;
    enum fault fault;
    unsigned fault_round;
    unsigned fault_rounds;
    size_t victim;
    bool strikes; /* a silence begins at a destination, right behind its SETSLOT */
    bool kills;
    unsigned refusals; /* of a topology, in this process of the tool */
    bool unstored;     /* in this process of the tool a node has said so */
    bool foreign_seen; /* by a round of this process */
    bool controlled;   /* a controller publishes */
    bool registered[MOVES_MAX];
    struct topology *published; /* what the controller knows */
    struct world_node nodes[NODES_MAX];
    size_t master_count;
    size_t node_count;
    uint16_t holders[CLUSTER_SLOT_COUNT];
    struct cluster_plan plan;
    struct plan_node plan_nodes[MASTERS_MAX];
    struct planner_move moves[MOVES_MAX];
    unsigned attempts[MOVES_MAX]; /* of this process */
    bool cancelled[MOVES_MAX];
    uint32_t parallel_max;
    enum run_order order;
    unsigned ordered_round; /* of the present order */
    unsigned round;
    struct cluster_run *run;
    char *text;
    bool broken;
};

struct run_world_tally run_world_tally;

static uint64_t random_below(struct world *world, uint64_t below)
{
    world->random += 0x9e3779b97f4a7c15U;
    uint64_t value = world->random;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return (value ^ (value >> 31)) % below;
}

__attribute__((format(printf, 2, 3))) static void breaks(struct world *world, const char *format,
                                                         ...)
{
    va_list arguments;
    if (!world->broken) {
        va_start(arguments, format);
        int size = snprintf(world->text, RUN_WORLD_TEXT_BYTES_MAX,
                            "round %u, fault %d: ", world->round, (int)world->fault);
        (void)vsnprintf(world->text + size, (size_t)(RUN_WORLD_TEXT_BYTES_MAX - size), format,
                        arguments);
        va_end(arguments);
        world->broken = true;
    }
}

/* --- a cluster and a plan --------------------------------------------------------------------- */

/* Master i has replica master_count + i; every node lists them in this order. */
static struct topology *first_topology(const struct world *world, size_t givers)
{
    struct topology *topology = calloc(1, sizeof(*topology));
    check_or_stop(topology != NULL);
    topology->nodes = calloc(world->node_count, sizeof(*topology->nodes));
    check_or_stop(topology->nodes != NULL);
    topology->version = 1;
    topology->node_count = world->node_count;
    for (size_t i = 0; i < world->node_count; i++) {
        struct topology_node *node = &topology->nodes[i];
        memcpy(node->id, world->nodes[i].id, sizeof(node->id));
        (void)snprintf(node->host, sizeof(node->host), "127.0.0.1");
        node->port = (uint16_t)(6666 + i);
        node->is_master = i < world->master_count;
        if (!node->is_master) {
            memcpy(node->master, world->nodes[i - world->master_count].id, sizeof(node->master));
        }
    }
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        topology->owners[slot] = (uint16_t)(slot * givers / CLUSTER_SLOT_COUNT);
    }
    return topology;
}

static void make_plan(struct world *world, size_t givers)
{
    struct cluster_plan *plan = &world->plan;
    plan->topology_version = 1;
    plan->nodes = world->plan_nodes;
    plan->node_count = world->master_count;
    plan->moves = world->moves;
    for (size_t i = 0; i < world->master_count; i++) {
        memcpy(world->plan_nodes[i].id, world->nodes[i].id, sizeof(world->plan_nodes[i].id));
    }
    for (uint32_t slot = 0; plan->move_count < MOVES_MAX;) {
        slot += (uint32_t)random_below(world, 2000);
        uint32_t last = slot + (uint32_t)random_below(world, 900);
        if (last >= CLUSTER_SLOT_COUNT) {
            break;
        }
        if (world->holders[slot] == world->holders[last]) {
            world->moves[plan->move_count++] = (struct planner_move){
                .slots = {(uint16_t)slot, (uint16_t)last},
                .from = world->holders[slot],
                .to = (uint16_t)(givers + random_below(world, world->master_count - givers))};
        }
        slot = last + 1;
    }
}

static void make_world(struct world *world, uint64_t seed, char *text)
{
    memset(world, 0, sizeof(*world));
    world->random = seed;
    world->text = text;
    world->fault = (enum fault)(seed % FAULT_COUNT);
    world->fault_round = 3 + (unsigned)random_below(world, 60);
    world->fault_rounds = 1 + (unsigned)random_below(world, 20);
    world->kills = random_below(world, 2) == 0;
    bool calm = world->fault <= FAULT_BROKEN || world->fault >= FAULT_PAUSE;
    world->controlled = calm && random_below(world, 2) == 0;
    world->master_count = 2 + random_below(world, MASTERS_MAX - 1);
    world->node_count = 2 * world->master_count;
    world->victim = random_below(world, world->node_count);
    world->parallel_max = (uint32_t)random_below(world, 4);
    size_t givers = 1 + random_below(world, world->master_count - 1);
    for (size_t i = 0; i < world->node_count; i++) {
        memset(world->nodes[i].id, (int)('a' + i), TOPOLOGY_ID_BYTES);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        world->nodes[i].topology = first_topology(world, givers);
    }
    memcpy(world->holders, world->nodes[0].topology->owners, sizeof(world->holders));
    world->published = first_topology(world, givers);
    make_plan(world, givers);
    world->strikes = world->fault == FAULT_SILENCE && random_below(world, 2) == 0;
    world->fault_round = world->strikes ? NEVER : world->fault_round;
}

/* --- what nodes do ---------------------------------------------------------------------------- */

static bool is_importing(const struct world *world, size_t node)
{
    for (size_t i = 0; i < world->master_count; i++) {
        const struct world_node *source = &world->nodes[i];
        if (source->job == RUN_JOB_START && world->moves[source->move].to == node) {
            return true;
        }
    }
    return false;
}

static size_t running_jobs(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->master_count; i++) {
        count += world->nodes[i].job == RUN_JOB_START;
    }
    return count;
}

static void advance_job(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    const struct planner_move *move = &world->moves[node->move];
    bool broken = world->fault == FAULT_BROKEN && index == world->victim % world->master_count;
    bool fails = broken || (world->fault == FAULT_JOBS && random_below(world, 20) == 0);
    if (node->job != RUN_JOB_START || node->silent || random_below(world, 4) != 0) {
        return;
    }
    if (fails || world->nodes[move->to].silent) {
        node->job = RUN_JOB_FAIL;
        world->nodes[move->to].kept = random_below(world, 2) == 0 ? node->move + 1 : 0;
        return;
    }
    node->job = RUN_JOB_SUCCESS;
    world->nodes[move->to].kept = 0;
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        world->holders[slot] = move->to;
    }
    if (world->fault == FAULT_ABORT && world->order == RUN_ORDER_ABORT &&
        world->round > world->ordered_round + 4 && !world->cancelled[node->move]) {
        breaks(world, "move %zu went on in spite of the abort", node->move);
    }
}

static void judge_destination(struct world *world, const struct run_command *command)
{
    size_t to = world->moves[command->move].to;
    if (!world->nodes[command->node].topology->nodes[to].is_master) {
        breaks(world, "the destination of move %zu is a replica", command->move);
    }
}

static bool do_migrate(struct world *world, const struct run_command *command)
{
    struct world_node *node = &world->nodes[command->node];
    const struct planner_move *move = &world->moves[command->move];
    bool busy =
        node->job == RUN_JOB_START || is_importing(world, command->node) ||
        is_importing(world, move->to) || world->nodes[move->to].job == RUN_JOB_START ||
        world->nodes[command->node].kept > 0 ||
        (world->nodes[move->to].kept > 0 && world->nodes[move->to].kept != command->move + 1);
    judge_destination(world, command);
    if (busy) {
        breaks(world, "a second job for a node: move %zu", command->move);
    }
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        if (world->holders[slot] != command->node) {
            breaks(world, "slot %zu of move %zu is not there to be moved", slot, command->move);
            return false;
        }
    }
    if (node->job == RUN_JOB_START) {
        return false;
    }
    node->job = RUN_JOB_START;
    node->move = command->move;
    world->cancelled[command->move] = false;
    if (world->parallel_max > 0 && running_jobs(world) > world->parallel_max) {
        breaks(world, "%zu jobs at once", running_jobs(world));
    }
    return true;
}

static bool do_cancel(struct world *world, const struct run_command *command)
{
    struct world_node *node = &world->nodes[command->node];
    world->cancelled[command->move] = true;
    if (node->job != RUN_JOB_START || node->move != command->move || random_below(world, 4) == 0) {
        return false;
    }
    node->job = RUN_JOB_FAIL;
    return true;
}

static bool do_setslot(struct world *world, const struct run_command *command)
{
    struct topology *topology = world->nodes[command->node].topology;
    const struct planner_move *move = &world->moves[command->move];
    judge_destination(world, command);
    if (command->node != move->to) {
        breaks(world, "move %zu is published at another node first", command->move);
    }
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        if (world->holders[slot] != move->to) {
            breaks(world, "slot %zu is published before its hand-over", slot);
            return false;
        }
    }
    if (command->version != topology->version + 1) {
        return false;
    }
    if (world->strikes && random_below(world, 4) == 0) {
        world->strikes = false;
        world->victim = command->node;
        world->fault_round = world->round + 1;
    }
    topology->version++;
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        topology->owners[slot] = move->to;
    }
    return true;
}

/* Does a source of a published move not know of it yet, although it answers? */
static bool source_is_behind(const struct world *world, const struct topology *newest, size_t not )
{
    for (size_t i = 0; i < world->master_count; i++) {
        const struct world_node *node = &world->nodes[i];
        for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT && i != not &&!node->silent; slot++) {
            if (node->topology->owners[slot] == i && newest->owners[slot] != i) {
                return true;
            }
        }
    }
    return false;
}

static bool do_setnodes(struct world *world, const struct run_command *command,
                        const struct topology *newest)
{
    struct world_node *node = &world->nodes[command->node];
    bool gives = false;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        gives |=
            node->topology->owners[slot] == command->node && newest->owners[slot] != command->node;
    }
    if (!gives && source_is_behind(world, newest, command->node)) {
        breaks(world, "node %zu learns of a new owner before the source", command->node);
    }
    if (newest->version <= node->topology->version) {
        return false;
    }
    topology_destroy(node->topology);
    node->topology = topology_copy(newest);
    check_or_stop(node->topology != NULL);
    return true;
}

/* --- the controller --------------------------------------------------------------------------- */

/* It refuses a shard that takes part in a migration already. */
static bool is_registered(const struct world *world, size_t node)
{
    for (size_t i = 0; i < world->plan.move_count; i++) {
        const struct planner_move *move = &world->moves[i];
        if (world->registered[i] && (move->from == node || move->to == node)) {
            return true;
        }
    }
    return false;
}

static bool request_migration(struct world *world, const struct run_command *command)
{
    const struct planner_move *move = &world->moves[command->move];
    if (is_registered(world, move->from) || is_registered(world, move->to) ||
        !do_migrate(world, command)) {
        return false;
    }
    world->registered[command->move] = true;
    world->published->version++;
    return true;
}

static void settle_migration(struct world *world, size_t index)
{
    const struct planner_move *move = &world->moves[index];
    const struct world_node *source = &world->nodes[move->from];
    if (!world->registered[index] || source->silent || source->job == RUN_JOB_START ||
        random_below(world, 3) != 0) {
        return;
    }
    world->registered[index] = false;
    world->published->version++;
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        bool moved = source->job == RUN_JOB_SUCCESS && source->move == index;
        world->published->owners[slot] = moved ? move->to : world->published->owners[slot];
    }
}

/* To each node at a time of its own. */
static void do_controller(struct world *world)
{
    for (size_t i = 0; i < world->plan.move_count; i++) {
        settle_migration(world, i);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (!node->silent && node->topology->version < world->published->version &&
            random_below(world, 2) == 0) {
            topology_destroy(node->topology);
            node->topology = topology_copy(world->published);
            check_or_stop(node->topology != NULL);
        }
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

/* To all nodes that answer; the others get it from the tool, or never. */
static void change_topology(struct world *world)
{
    size_t last_slot = CLUSTER_SLOT_COUNT - 1;
    struct topology *newest = NULL;
    for (size_t i = 0; i < world->node_count; i++) {
        if (newest == NULL || world->nodes[i].topology->version > newest->version) {
            newest = world->nodes[i].topology;
        }
    }
    newest = topology_copy(newest);
    check_or_stop(newest != NULL);
    newest->version++;
    if (world->fault == FAULT_OWNER) {
        uint16_t owner = (uint16_t)((newest->owners[last_slot] + 1) % world->master_count);
        newest->owners[last_slot] = owner;
        world->holders[last_slot] = owner;
    }
    if (world->fault == FAULT_ROLES) {
        size_t master = world->victim % world->master_count;
        struct topology_node *old = &newest->nodes[master];
        struct topology_node *new = &newest->nodes[master + world->master_count];
        old->is_master = false;
        new->is_master = true;
        new->master[0] = '\0';
        memcpy(old->master, new->id, sizeof(old->master));
        for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
            bool is_its = newest->owners[slot] == master;
            newest->owners[slot] =
                is_its ? (uint16_t)(master + world->master_count) : newest->owners[slot];
            is_its = world->holders[slot] == master;
            world->holders[slot] =
                is_its ? (uint16_t)(master + world->master_count) : world->holders[slot];
        }
        world->nodes[master].job = RUN_JOB_NONE;
    }
    for (size_t i = 0; i < world->node_count; i++) {
        topology_destroy(world->nodes[i].topology);
        world->nodes[i].topology = topology_copy(newest);
        check_or_stop(world->nodes[i].topology != NULL);
    }
    topology_destroy(newest);
}

static void do_fault(struct world *world)
{
    bool now = world->round == world->fault_round;
    bool over = world->round == world->fault_round + world->fault_rounds;
    switch (world->fault) {
    case FAULT_SILENCE:
        world->nodes[world->victim].silent = now || (world->nodes[world->victim].silent && !over);
        break;
    case FAULT_LOST:
        world->nodes[world->victim].silent |= now;
        break;
    case FAULT_VERSION:
    case FAULT_OWNER:
    case FAULT_ROLES:
        if (now) {
            change_topology(world);
        }
        break;
    case FAULT_PAUSE:
        world->order = now ? RUN_ORDER_PAUSE : over ? RUN_ORDER_RUN : world->order;
        world->ordered_round = now ? world->round : world->ordered_round;
        break;
    case FAULT_ABORT_SILENCE:
        world->nodes[world->victim].silent = now || (world->nodes[world->victim].silent && !over);
        world->order = now ? RUN_ORDER_ABORT : world->order;
        break;
    case FAULT_ABORT:
        world->order = now ? RUN_ORDER_ABORT : world->order;
        world->ordered_round = now ? world->round : world->ordered_round;
        break;
    default:
        break;
    }
}

/* --- the tool --------------------------------------------------------------------------------- */

static void start_tool(struct world *world)
{
    struct haul_error error;
    cluster_run_destroy(world->run);
    memset(world->attempts, 0, sizeof(world->attempts));
    world->unstored = false;
    world->refusals = 0;
    check_or_stop(cluster_run_create(&world->plan, world->node_count, world->parallel_max,
                                     &world->run, &error) == HAUL_OK);
    world->run->controlled = world->controlled;
}

static struct slot_range imported_by(const struct world *world, size_t node)
{
    for (size_t i = 0; i < world->master_count; i++) {
        const struct world_node *source = &world->nodes[i];
        if (source->job == RUN_JOB_START && world->moves[source->move].to == node) {
            return world->moves[source->move].slots;
        }
    }
    size_t kept = world->nodes[node].kept;
    return kept > 0 ? world->moves[kept - 1].slots : (struct slot_range){0, 0};
}

static void fill_views(const struct world *world, struct run_view *views)
{
    for (size_t i = 0; i < world->node_count; i++) {
        const struct world_node *node = &world->nodes[i];
        const struct planner_move *move = &world->moves[node->move];
        views[i] = (struct run_view){.id = node->id,
                                     .name = node->id,
                                     .answers = !node->silent,
                                     .topology = node->silent ? NULL : node->topology,
                                     .job = node->job,
                                     .job_slots = move->slots,
                                     .imports = is_importing(world, i) || node->kept > 0,
                                     .import_slots = imported_by(world, i),
                                     .failure = "it was to fail"};
        memcpy(views[i].job_to, world->nodes[move->to].id, sizeof(views[i].job_to));
    }
}

static bool is_foreign(const struct world *world)
{
    return (world->fault == FAULT_VERSION || world->fault == FAULT_OWNER ||
            world->fault == FAULT_ROLES) &&
           world->round >= world->fault_round;
}

static void judge_command(struct world *world, const struct run_command *command)
{
    bool waits = world->order != RUN_ORDER_RUN || world->run->stop.status != HAUL_OK;
    if (world->foreign_seen) {
        breaks(world, "command %d after a foreign topology", (int)command->kind);
    }
    if (command->kind == RUN_MIGRATE && waits) {
        breaks(world, "move %zu begins although no move may", command->move);
    }
    if (command->kind == RUN_MIGRATE && ++world->attempts[command->move] > 3) {
        breaks(world, "move %zu is repeated without end", command->move);
    }
}

/* A node that cannot write its file: true, if the answer is an error. */
static bool is_refused(struct world *world, const struct run_command *command)
{
    bool refused = world->fault == FAULT_REFUSES && command->node == world->victim &&
                   (command->kind == RUN_SETSLOT || command->kind == RUN_SETNODES) &&
                   world->round >= world->fault_round &&
                   world->round < world->fault_round + world->fault_rounds;
    world->refusals += refused;
    if (refused && world->refusals > 3) {
        breaks(world, "node %zu gets a topology without end", command->node);
    }
    return refused;
}

/* It has done what it says that it could not do. */
static bool is_unstored(struct world *world, const struct run_command *command)
{
    bool unstored = world->fault == FAULT_UNSTORED && world->round >= world->fault_round &&
                    (command->kind == RUN_SETSLOT || command->kind == RUN_SETNODES);
    world->fault_round = unstored ? NEVER : world->fault_round;
    world->unstored |= unstored;
    return unstored;
}

static bool execute(struct world *world, const struct run_command *command,
                    const struct topology *newest)
{
    judge_command(world, command);
    if (world->controlled && (command->kind == RUN_SETSLOT || command->kind == RUN_SETNODES)) {
        breaks(world, "command %d beside the controller", (int)command->kind);
    }
    if (world->nodes[command->node].silent || is_refused(world, command)) {
        return false;
    }
    switch (command->kind) {
    case RUN_MIGRATE:
        return world->controlled ? request_migration(world, command) : do_migrate(world, command);
    case RUN_CANCEL:
        return do_cancel(world, command);
    case RUN_SETSLOT:
        return do_setslot(world, command);
    default:
        return do_setnodes(world, command, newest);
    }
}

static bool is_killed(struct world *world)
{
    if (world->kills && random_below(world, 12) == 0) {
        run_world_tally.kills++;
        return true;
    }
    return false;
}

/* A round of the tool; false: it was killed in it. */
static bool do_round(struct world *world)
{
    struct run_view views[NODES_MAX];
    struct run_round round = {views, world->node_count, world->order, false,
                              (uint64_t)world->round * ROUND_MS};
    struct haul_error error;
    fill_views(world, views);
    check_or_stop(cluster_run_step(world->run, &round, &error) == HAUL_OK);
    const struct topology *newest = cluster_run_newest(&round);
    /* The newest topology changes its place when its node gets another. */
    struct topology *copy = newest == NULL ? NULL : topology_copy(newest);
    bool alive = true;
    for (size_t i = 0; i < world->run->command_count && alive && !world->broken; i++) {
        struct run_command command = world->run->commands[i];
        alive = !is_killed(world);
        bool done = alive && execute(world, &command, copy);
        if (alive && (!done || is_unstored(world, &command))) {
            bool answered = !world->nodes[command.node].silent;
            cluster_run_refused(world->run, &command, round.now_ms, answered, "refused");
        } else if (alive && random_below(world, 30) == 0) {
            alive = !is_killed(world);
        }
    }
    topology_destroy(copy);
    return alive;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void judge_all_done(struct world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        const struct topology *topology = world->nodes[i].topology;
        if (world->nodes[i].silent || topology->version != world->nodes[0].topology->version) {
            breaks(world, "node %zu has not the last version at the end", i);
            return;
        }
        if (memcmp(topology->owners, world->holders, sizeof(world->holders)) != 0) {
            breaks(world, "node %zu knows other owners than there are", i);
        }
    }
    for (size_t i = 0; i < world->plan.move_count; i++) {
        if (world->holders[world->moves[i].slots.first] != world->moves[i].to) {
            breaks(world, "move %zu was not made", i);
        }
    }
}

static void judge_abort(struct world *world)
{
    for (size_t i = 0; i < world->master_count; i++) {
        const struct world_node *node = &world->nodes[i];
        const struct planner_move *move = &world->moves[node->move];
        if (node->job == RUN_JOB_START) {
            breaks(world, "a job runs after the abort");
        }
        const struct topology *known = world->controlled ? world->published : node->topology;
        if (node->job == RUN_JOB_SUCCESS && known->owners[move->slots.first] == i) {
            breaks(world, "move %zu is not published after the abort", node->move);
        }
    }
}

static void judge_end(struct world *world)
{
    enum haul_status status = world->run->stop.status;
    bool expected = status == HAUL_OK;
    switch (status) {
    case HAUL_OK:
        judge_all_done(world);
        if (world->unstored) {
            breaks(world, "it ends well, and a node has not stored the topology");
        }
        run_world_tally.completed++;
        break;
    case HAUL_CANCELLED:
        judge_abort(world);
        expected = world->fault == FAULT_ABORT || world->fault == FAULT_ABORT_SILENCE;
        run_world_tally.aborted++;
        break;
    case HAUL_FENCED:
        expected = is_foreign(world);
        run_world_tally.fenced++;
        break;
    case HAUL_UNREACHABLE:
        expected = world->fault == FAULT_LOST || world->fault == FAULT_SILENCE ||
                   world->fault == FAULT_ABORT_SILENCE;
        run_world_tally.lost++;
        break;
    case HAUL_REFUSED:
        expected = world->fault == FAULT_REFUSES || world->unstored;
        run_world_tally.refused++;
        break;
    case HAUL_STOPPED:
        expected = world->controlled || world->fault == FAULT_BROKEN ||
                   world->fault == FAULT_JOBS || world->fault == FAULT_SILENCE ||
                   world->fault == FAULT_ABORT_SILENCE || world->fault == FAULT_LOST;
        run_world_tally.failed++;
        break;
    case HAUL_MISMATCH:
        expected = world->fault == FAULT_ROLES || world->fault == FAULT_OWNER;
        run_world_tally.misfit++;
        break;
    default:
        break;
    }
    if (!expected) {
        breaks(world, "ended without a cause: %s", world->run->stop.text);
    }
}

/* Whoever runs the tool starts it again after it has stopped for something that may be over. */
static bool is_final(const struct world *world)
{
    enum haul_status status = world->run->stop.status;
    return status == HAUL_OK || status == HAUL_CANCELLED || status == HAUL_MISMATCH ||
           (status == HAUL_UNREACHABLE && world->fault == FAULT_LOST) ||
           (status == HAUL_STOPPED && world->fault == FAULT_BROKEN);
}

static void run_to_end(struct world *world)
{
    bool ended = false;
    start_tool(world);
    for (world->round = 0; !ended && !world->broken; world->round++) {
        if (world->round == ROUNDS_MAX) {
            breaks(world, "it never ends");
        }
        do_fault(world);
        if (world->controlled) {
            do_controller(world);
        }
        for (size_t i = 0; i < world->master_count; i++) {
            advance_job(world, i);
        }
        world->foreign_seen |=
            is_foreign(world) && world->round == world->fault_round && world->run->topology != NULL;
        if (!do_round(world)) {
            start_tool(world);
            world->foreign_seen = false;
            continue;
        }
        if (world->run->ended) {
            judge_end(world);
            ended = is_final(world);
            start_tool(world);
            world->foreign_seen = false;
        }
    }
}

bool run_world_check(uint64_t seed, char text[RUN_WORLD_TEXT_BYTES_MAX])
{
    static struct world world;
    text[0] = '\0';
    make_world(&world, seed, text);
    run_world_tally.moves += (unsigned)world.plan.move_count;
    run_to_end(&world);
    cluster_run_destroy(world.run);
    topology_destroy(world.published);
    for (size_t i = 0; i < world.node_count; i++) {
        topology_destroy(world.nodes[i].topology);
    }
    return !world.broken;
}
