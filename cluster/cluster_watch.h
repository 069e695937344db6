/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_watch.h — asks all nodes of a cluster once a round, over connections that stay, and sends
 * them the commands of a run. */
#ifndef HAUL_CLUSTER_CLUSTER_WATCH_H
#define HAUL_CLUSTER_CLUSTER_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "cluster_run.h"
#include "haul/status.h"
#include "node_facts.h"
#include "node_stream.h"

enum { CLUSTER_WATCH_WORD_COUNT_MAX = 6, CLUSTER_WATCH_RATE_UNKNOWN = -1 };

/* What a source shows of its running job. */
struct watch_progress {
    char phase[16];
    double percent;
    uint64_t bytes;
    double rate_mb;
    int64_t eta_s; /* -1: unknown */
};

struct cluster_watch {
    struct watched_node *nodes;
    struct run_view *views;
    struct watch_progress *progress; /* of each view, while its job runs */
    size_t count;
    struct node_access access; /* texts are borrowed */
};

/* Watch the nodes of `list` that have answered with a topology; a node of a topology that has not
 * is watched as well, and silent. Ownership: `*watch` is the caller's (cluster_watch_close).
 * Errors: NOT_FOUND (no topology), UNREACHABLE and AUTH (no node answers), NO_MEMORY. */
enum haul_status cluster_watch_open(const struct node_facts_list *list,
                                    const struct node_access *access, struct cluster_watch **watch,
                                    struct haul_error *error) HAUL_MUST_CHECK;
void cluster_watch_close(struct cluster_watch *watch);

/* The index of the view with this id; `count`: none. */
size_t cluster_watch_find(const struct cluster_watch *watch, const char *id);

/* Fill the views: what each node answers now. */
void cluster_watch_ask(struct cluster_watch *watch);

/* The words of a command, for a node or a person. */
struct watch_words {
    const char *words[CLUSTER_WATCH_WORD_COUNT_MAX];
    size_t count;
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    char version[24];
    char *text; /* for free() */
};
/* `topology` is what SETNODES sends. Errors: NO_MEMORY. */
enum haul_status cluster_watch_words(const struct run_command *command,
                                     const struct run_move *moves, const struct topology *topology,
                                     struct watch_words *words,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Send a command of this round, and wait for its answer. Errors: those of node_connection. */
enum haul_status cluster_watch_send(struct cluster_watch *watch, const struct run_command *command,
                                    const struct run_move *moves, const struct topology *topology,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Limit what the source sends, in MB (2^20) a second; 0: no limit. Nothing is sent if the node has
 * this limit over this connection already: a restart forgets it, and ends the connection. Errors:
 * those of node_connection. */
enum haul_status cluster_watch_limit(struct cluster_watch *watch, size_t node, int64_t rate_mb,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* A setting of a node that is a number. Errors: those of node_connection; NOT_FOUND (the node has
 * no such setting). */
enum haul_status cluster_watch_setting(struct cluster_watch *watch, size_t node, const char *name,
                                       uint64_t *value, struct haul_error *error) HAUL_MUST_CHECK;
/* CONFIG SET: until the node's next start. Errors: those of node_connection. */
enum haul_status cluster_watch_set(struct cluster_watch *watch, size_t node, const char *name,
                                   uint64_t value, struct haul_error *error) HAUL_MUST_CHECK;

/* What a node has measured of its line to the node with the id `to`. */
struct watch_line {
    bool measured; /* false: it measures, ask again */
    uint64_t round_trip_us;
    uint64_t rate; /* bytes a second */
};
/* HAUL PROBE: begin to measure, sending at most `rate_mb` MB (2^20) a second (0: no limit), or ask
 * for the result. Errors: those of node_connection (REFUSED: it cannot measure, or knows no such
 * command), PROTOCOL. */
enum haul_status cluster_watch_probe(struct cluster_watch *watch, size_t node, const char *to,
                                     uint64_t rate_mb, struct watch_line *line,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* The limit of one of `jobs` jobs that run at once, if a node may send `node_mb` and all together
 * `total_mb`; 0: no limit. At least 1 otherwise. */
int64_t cluster_watch_share_mb(uint64_t node_mb, uint64_t total_mb, size_t jobs);

#endif
