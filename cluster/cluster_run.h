/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_run.h — what a plan still needs, given what the nodes answer: a function without
 * network and clock. `haul cluster run` asks all nodes, calls cluster_run_step, sends the commands
 * that it returns, and begins again.
 *
 * The truth is what the nodes say. Of an earlier round, or of an earlier process, nothing is
 * needed: a move is where its nodes show it to be.
 *
 *   WAITING      its slots belong to its source, which does not move them
 *   RUNNING      the source moves them: CLUSTER INFO says `start`
 *   HANDED_OVER  it has handed them over, `success`, and the topology does not say so yet
 *   DONE         they belong to the destination by the newest topology
 *
 * What a run remembers serves to stop it: the topology that it has accepted, how often a move has
 * failed, since when a node is silent.
 *
 * A hand-over is published in this order, a step at a time, each only after the nodes have shown
 * the one before:
 *
 *   1. CLUSTERX SETSLOT at the destination, with the next version. The node refuses it if its
 *      version is not the one before: so nothing is published over a change of somebody else.
 *   2. CLUSTERX SETNODES at the source, which deletes the slots.
 *   3. CLUSTERX SETNODES at all other nodes, replicas too.
 *
 * A destination that falls silent right behind step 1 may have a version that no other node has. So
 * nothing is published, which would make that version a second time, before it has answered again.
 *
 * Steps 2 and 3 send the newest topology to whoever lacks it, whatever the reason. Before every
 * node that answers has it, nothing else is published, and no move begins.
 *
 * A node that refuses a topology three times stops the run, and so does one that refuses it and has
 * it nevertheless: it could not store it, and forgets it when it starts again.
 *
 * The run stops also when a move fails too often, a node stays silent, or the topology is not what
 * the run has made of it: another version, owner, node or role. Then no move begins; those that run
 * come to their end, and are published, unless somebody else changes the topology as well, or a
 * silent destination forbids it.
 *
 * With `controlled` a controller makes all versions of the topology: RUN_MIGRATE is a request to
 * it, nothing is published from here, and a version that rises stops nothing. */
#ifndef HAUL_CLUSTER_CLUSTER_RUN_H
#define HAUL_CLUSTER_CLUSTER_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "plan_file.h"
#include "topology.h"

enum {
    CLUSTER_RUN_ATTEMPTS_MAX = 3,       /* of one move in one run; to publish at a node */
    CLUSTER_RUN_RETRY_MS = 5000,        /* between two attempts */
    CLUSTER_RUN_SILENCE_MS_MAX = 15000, /* of a node; a restart of Kvrocks takes seconds */
    CLUSTER_RUN_CANCEL_MS = 1000,       /* between two attempts to cancel a job */
    CLUSTER_RUN_REASON_BYTES_MAX = 160,
};

enum run_job_state {
    RUN_JOB_NONE,
    RUN_JOB_START,
    RUN_JOB_SUCCESS,
    RUN_JOB_FAIL,
};

/* What a node has answered in this round. Texts and topologies are borrowed. */
struct run_view {
    const char *id;
    const char *name; /* "host:port" */
    bool answers;
    const struct topology *topology; /* if it answers */
    enum run_job_state job;          /* as the source */
    struct slot_range job_slots;
    char job_to[TOPOLOGY_ID_BYTES + 1];
    bool imports; /* takes slots, or keeps what has arrived of a copy that broke off */
    struct slot_range import_slots;
    const char *failure; /* of its last job; "": unknown */
};

/* What the operator wants. */
enum run_order {
    RUN_ORDER_RUN,
    RUN_ORDER_PAUSE, /* no move begins; those that run are published */
    RUN_ORDER_ABORT, /* those that run are cancelled, if it is not too late, and the run ends */
};

struct run_round {
    const struct run_view *views;
    size_t count;
    enum run_order order;
    bool closed; /* no move may begin at this hour */
    uint64_t now_ms;
};

enum run_command_kind {
    RUN_MIGRATE,  /* CLUSTERX MIGRATE at the source */
    RUN_CANCEL,   /* HAUL CANCEL at the source */
    RUN_SETSLOT,  /* CLUSTERX SETSLOT with `version` at the destination */
    RUN_SETNODES, /* CLUSTERX SETNODES of the round's newest topology; no move */
};

struct run_command {
    enum run_command_kind kind;
    size_t node; /* index of the view */
    size_t move;
    int64_t version;
};

enum run_move_state {
    RUN_MOVE_WAITING,
    RUN_MOVE_RUNNING,
    RUN_MOVE_HANDED_OVER,
    RUN_MOVE_DONE,
};

struct run_move {
    struct slot_range slots;
    char from[TOPOLOGY_ID_BYTES + 1];
    char to[TOPOLOGY_ID_BYTES + 1];
    enum run_move_state state;
    bool begun;                                /* by this run */
    bool cancelled;                            /* by this run */
    bool owner_was_silent;                     /* since it was begun */
    unsigned failures;                         /* in this run */
    uint64_t retry_ms;                         /* not before */
    char reason[CLUSTER_RUN_REASON_BYTES_MAX]; /* of the last failure */
};

/* Of a view: what became of the topologies that were sent there. */
struct run_publication {
    unsigned failures; /* of the last ones, in a row */
    bool answered;     /* the last one, by an error */
    int64_t version;   /* that was sent */
    char reason[CLUSTER_RUN_REASON_BYTES_MAX];
};

struct cluster_run {
    struct run_move *moves;
    size_t move_count;
    bool controlled;           /* a controller begins moves, and publishes them */
    uint32_t parallel_max;     /* 0: no limit */
    struct topology *topology; /* accepted; NULL: none yet */
    uint64_t *silent_since_ms; /* of each view; UINT64_MAX: it answers */
    bool *unsure;              /* of each view: may have a version that no other node has */
    struct run_publication *publications; /* of each view */
    size_t view_count;
    bool foreign;           /* somebody else changes the topology */
    struct haul_error stop; /* why no move begins any more; OK: they do */
    size_t waiting_for;     /* a view that keeps the run from going on; view_count: none */
    /* The result of a step. */
    struct run_command *commands;
    size_t command_count;
    bool ended; /* with `stop`; OK: every move is done, and every node knows it */
};

/* Ownership: `*run` is the caller's (cluster_run_destroy). Errors: NO_MEMORY. */
enum haul_status cluster_run_create(const struct cluster_plan *plan, size_t view_count,
                                    uint32_t parallel_max, struct cluster_run **run,
                                    struct haul_error *error) HAUL_MUST_CHECK;
void cluster_run_destroy(struct cluster_run *run);

/* Set `commands`, to be sent in this order, and `ended`. The views have the same order in every
 * round. Errors: NO_MEMORY. */
enum haul_status cluster_run_step(struct cluster_run *run, const struct run_round *round,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* A command was `answered` by an error, or not at all. What it did, the next round shows. `reason`
 * NULL: nobody can take it now, which is no failure of the move. */
void cluster_run_refused(struct cluster_run *run, const struct run_command *command,
                         uint64_t now_ms, bool answered, const char *reason);

/* The newest topology of the round; NULL: no node answers. */
const struct topology *cluster_run_newest(const struct run_round *round);

#endif
