/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_watch.c — two commands a node and round: CLUSTER NODES and CLUSTER INFO. */
#include "cluster_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/text_escape.h"
#include "info_text.h"
#include "node_connection.h"
#include "topology_change.h"

struct watched_node {
    char id[TOPOLOGY_ID_BYTES + 1];
    char name[TOPOLOGY_NAME_BYTES_MAX];
    char host[TOPOLOGY_HOST_BYTES_MAX];
    uint16_t port;
    struct node_connection *connection; /* NULL: to be opened */
    struct topology *topology;
    char failure[CLUSTER_RUN_REASON_BYTES_MAX];
    int64_t rate_mb; /* CLUSTER_WATCH_RATE_UNKNOWN: not set over this connection */
};

/* --- commands --------------------------------------------------------------------------------- */

static enum haul_status connect_node(struct cluster_watch *watch, struct watched_node *node,
                                     struct haul_error *error)
{
    return node->connection != NULL ? HAUL_OK
                                    : node_connection_open(node->host, node->port, &watch->access,
                                                           &node->connection, error);
}

static enum haul_status call(struct cluster_watch *watch, struct watched_node *node,
                             const char *const *words, size_t count, struct node_answer *answer,
                             struct haul_error *error)
{
    enum haul_status status = connect_node(watch, node, error);
    if (status == HAUL_OK) {
        status = node_connection_call(node->connection, words, count, answer, error);
    }
    if (status != HAUL_OK && status != HAUL_REFUSED && status != HAUL_AGAIN) {
        node_connection_close(node->connection);
        node->connection = NULL;
        node->rate_mb = CLUSTER_WATCH_RATE_UNKNOWN; /* a restart forgets CONFIG SET */
    }
    return status;
}

/* A text for free(); NULL: the node does not answer, or refuses. */
static char *ask(struct cluster_watch *watch, struct watched_node *node, const char *first,
                 const char *second)
{
    const char *words[] = {first, second};
    struct node_answer answer = {NULL, 0};
    struct haul_error error;
    return call(watch, node, words, 2, &answer, &error) == HAUL_OK ? answer.text : NULL;
}

/* A whole text of digits. */
static bool take_number(const char *text, uint64_t *value)
{
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *value = strtoull(text, &end, 10);
    return *end == '\0';
}

enum haul_status cluster_watch_words(const struct run_command *command,
                                     const struct run_move *moves, const struct topology *topology,
                                     struct watch_words *words, struct haul_error *error)
{
    const struct run_move *move = command->kind == RUN_SETNODES ? NULL : &moves[command->move];
    switch (command->kind) {
    case RUN_MIGRATE:
        *words = (struct watch_words){.words = {"CLUSTERX", "MIGRATE", NULL, move->to, "ASYNC"},
                                      .count = 5};
        break;
    case RUN_CANCEL:
        *words = (struct watch_words){.words = {"HAUL", "CANCEL", NULL}, .count = 3};
        break;
    case RUN_SETSLOT:
        *words = (struct watch_words){.words = {"CLUSTERX", "SETSLOT", NULL, "NODE", move->to},
                                      .count = 6};
        break;
    default:
        *words = (struct watch_words){.words = {"CLUSTERX", "SETNODES"}, .count = 4};
        words->text = topology_setnodes_text(topology);
        if (words->text == NULL) {
            return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a topology");
        }
    }
    if (move != NULL) {
        slot_range_format(move->slots, words->range);
    }
    (void)snprintf(words->version, sizeof(words->version), "%" PRId64, command->version);
    words->words[2] = move == NULL ? words->text : words->range;
    if (command->kind == RUN_SETSLOT || move == NULL) {
        words->words[words->count - 1] = words->version;
    }
    return HAUL_OK;
}

enum haul_status cluster_watch_send(struct cluster_watch *watch, const struct run_command *command,
                                    const struct run_move *moves, const struct topology *topology,
                                    struct haul_error *error)
{
    struct watch_words words;
    struct node_answer answer = {NULL, 0};
    enum haul_status status = cluster_watch_words(command, moves, topology, &words, error);
    if (status == HAUL_OK) {
        status =
            call(watch, &watch->nodes[command->node], words.words, words.count, &answer, error);
    }
    free(answer.text);
    free(words.text);
    return status;
}

int64_t cluster_watch_share_mb(uint64_t node_mb, uint64_t total_mb, size_t jobs)
{
    uint64_t part = total_mb == 0 || jobs == 0 ? 0 : total_mb / jobs;
    part = total_mb > 0 && part == 0 ? 1 : part;
    uint64_t share = part == 0 || (node_mb > 0 && node_mb < part) ? node_mb : part;
    return share > INT32_MAX ? INT32_MAX : (int64_t)share;
}

enum haul_status cluster_watch_set(struct cluster_watch *watch, size_t node, const char *name,
                                   uint64_t value, struct haul_error *error)
{
    char text[24];
    const char *words[] = {"CONFIG", "SET", name, text};
    struct node_answer answer = {NULL, 0};
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    enum haul_status status = call(watch, &watch->nodes[node], words, 4, &answer, error);
    free(answer.text);
    return status;
}

enum haul_status cluster_watch_setting(struct cluster_watch *watch, size_t node, const char *name,
                                       uint64_t *value, struct haul_error *error)
{
    const char *words[] = {"CONFIG", "GET", name};
    struct node_answer answer = {NULL, 0};
    enum haul_status status = call(watch, &watch->nodes[node], words, 3, &answer, error);
    if (status == HAUL_OK && !take_number(answer.text, value)) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no setting %s", name);
    }
    free(answer.text);
    return status;
}

enum haul_status cluster_watch_limit(struct cluster_watch *watch, size_t node, int64_t rate_mb,
                                     struct haul_error *error)
{
    struct watched_node *watched = &watch->nodes[node];
    if (watched->rate_mb == rate_mb) {
        return HAUL_OK;
    }
    enum haul_status status =
        cluster_watch_set(watch, node, "migrate-rdma-rate-limit-mb", (uint64_t)rate_mb, error);
    watched->rate_mb = status == HAUL_OK ? rate_mb : CLUSTER_WATCH_RATE_UNKNOWN;
    return status;
}

/* "haul measuring", or "haul MICROSECONDS BYTES". */
static bool parse_line(const char *text, struct watch_line *line)
{
    static const char start[] = "haul ";
    char *end = NULL;
    *line = (struct watch_line){.measured = false};
    if (text == NULL || strncmp(text, start, strlen(start)) != 0) {
        return false;
    }
    text += strlen(start);
    if (strcmp(text, "measuring") == 0) {
        return true;
    }
    line->measured = true;
    line->round_trip_us = strtoull(text, &end, 10);
    bool two = end != text && *end == ' ';
    text = end;
    line->rate = two ? strtoull(text, &end, 10) : 0;
    return two && end != text && *end == '\0';
}

enum haul_status cluster_watch_probe(struct cluster_watch *watch, size_t node, const char *to,
                                     uint64_t rate_mb, struct watch_line *line,
                                     struct haul_error *error)
{
    char limit[24];
    const char *words[] = {"HAUL", "PROBE", to, limit};
    struct node_answer answer = {NULL, 0};
    (void)snprintf(limit, sizeof(limit), "%" PRIu64, rate_mb);
    enum haul_status status = call(watch, &watch->nodes[node], words, 4, &answer, error);
    if (status == HAUL_OK && !parse_line(answer.text, line)) {
        status = haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "no answer to HAUL PROBE");
    }
    free(answer.text);
    return status;
}

/* --- questions -------------------------------------------------------------------------------- */

static enum run_job_state state_of(const char *word)
{
    return strcmp(word, "start") == 0     ? RUN_JOB_START
           : strcmp(word, "success") == 0 ? RUN_JOB_SUCCESS
           : strcmp(word, "fail") == 0    ? RUN_JOB_FAIL
                                          : RUN_JOB_NONE;
}

static double number_of(const char *info, const char *name, double otherwise)
{
    char value[32];
    char *end = value;
    double number = info_text_field(info, name, value, sizeof(value)) ? strtod(value, &end) : 0;
    return end == value ? otherwise : number;
}

/* A field that people will see. Whoever answers at the port of a node must not reach a terminal. */
static void take_text(const char *info, const char *name, char *text, size_t size)
{
    char value[CLUSTER_RUN_REASON_BYTES_MAX];
    (void)info_text_field(info, name, value, sizeof(value));
    (void)haul_text_escape(value, strlen(value), text, size);
}

static void read_progress(const char *info, struct watch_progress *progress)
{
    memset(progress, 0, sizeof(*progress));
    take_text(info, "migrate_phase", progress->phase, sizeof(progress->phase));
    progress->percent = number_of(info, "migrate_percent", 0);
    progress->bytes = info_text_number(info, "migrate_bytes", 0);
    progress->rate_mb = number_of(info, "migrate_rate_mb", 0);
    progress->eta_s = (int64_t)number_of(info, "migrate_eta_seconds", -1);
}

/* Why the last job of the node has failed. */
static void ask_failure(struct cluster_watch *watch, struct watched_node *node)
{
    char *info = ask(watch, node, "INFO", "migration");
    node->failure[0] = '\0';
    if (info != NULL) {
        take_text(info, "migrate_last_error", node->failure, sizeof(node->failure));
    }
    free(info);
}

static bool ask_jobs(struct cluster_watch *watch, size_t index)
{
    char value[NODE_FACTS_VALUE_BYTES_MAX];
    struct watched_node *node = &watch->nodes[index];
    struct run_view *view = &watch->views[index];
    char *info = ask(watch, node, "CLUSTER", "INFO");
    if (info == NULL) {
        return false;
    }
    (void)info_text_field(info, "migrating_state", value, sizeof(value));
    view->job = state_of(value);
    if (!info_text_field(info, "migrating_slot(s)", value, sizeof(value)) ||
        !slot_range_parse(value, strlen(value), &view->job_slots)) {
        view->job = RUN_JOB_NONE;
    }
    (void)info_text_field(info, "destination_node", view->job_to, sizeof(view->job_to));
    (void)info_text_field(info, "import_state", value, sizeof(value));
    view->imports = strcmp(value, "start") == 0;
    if (!info_text_field(info, "importing_slot(s)", value, sizeof(value)) ||
        !slot_range_parse(value, strlen(value), &view->import_slots)) {
        view->import_slots = (struct slot_range){0, CLUSTER_SLOT_COUNT - 1};
    }
    if (view->job == RUN_JOB_START) {
        read_progress(info, &watch->progress[index]);
    } else if (view->job == RUN_JOB_FAIL) {
        ask_failure(watch, node);
    }
    free(info);
    return true;
}

static void ask_node(struct cluster_watch *watch, size_t index)
{
    struct watched_node *node = &watch->nodes[index];
    struct haul_error ignored;
    struct topology *topology = NULL;
    char *text = ask(watch, node, "CLUSTER", "NODES");
    bool knows = text != NULL &&
                 topology_parse(text, strlen(text), &topology, &ignored) == HAUL_OK &&
                 topology->self < topology->node_count &&
                 strcmp(topology->nodes[topology->self].id, node->id) == 0;
    free(text);
    topology_destroy(node->topology);
    node->topology = topology;
    watch->views[index] = (struct run_view){
        .id = node->id, .name = node->name, .topology = topology, .failure = node->failure};
    watch->views[index].answers = knows && ask_jobs(watch, index);
    if (knows && !topology->nodes[topology->self].is_master) {
        watch->views[index].job = RUN_JOB_NONE; /* a replica shows its master's */
    }
}

size_t cluster_watch_find(const struct cluster_watch *watch, const char *id)
{
    size_t index = 0;
    while (index < watch->count && strcmp(watch->views[index].id, id) != 0) {
        index++;
    }
    return index;
}

void cluster_watch_ask(struct cluster_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        ask_node(watch, i);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct topology *newest_of(const struct node_facts_list *list)
{
    const struct topology *newest = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct topology *topology = list->nodes[i].topology;
        if (topology != NULL && (newest == NULL || topology->version > newest->version)) {
            newest = topology;
        }
    }
    return newest;
}

/* By the first node that says why. */
static enum haul_status no_topology(const struct node_facts_list *list, struct haul_error *error)
{
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no node answers with a topology");
    for (size_t i = 0; i < list->count; i++) {
        const struct haul_error *reason = &list->nodes[i].error;
        if (reason->status != HAUL_OK) {
            enum haul_status status = reason->status == HAUL_AUTH ? HAUL_AUTH : HAUL_UNREACHABLE;
            haul_error_set(error, status, NULL, 0, "no node answers with a topology; %s: %s",
                           list->nodes[i].name, reason->text);
            haul_error_hint(error, "%s",
                            reason->hint[0] != '\0' ? reason->hint
                            : status == HAUL_AUTH
                                ? "give the password: --password-file, or HAUL_CLUSTER_PASSWORD"
                                : "start the nodes, or name one that answers: --nodes HOST:PORT");
            break;
        }
    }
    return error->status;
}

/* Where the tool has reached the node, which may be another address than that of the topology. */
static void add_node(struct cluster_watch *watch, const struct node_facts_list *list,
                     const struct topology_node *known)
{
    struct watched_node *node = &watch->nodes[watch->count++];
    const struct node_facts *facts = node_facts_find(list, known->id);
    memcpy(node->id, known->id, sizeof(node->id));
    memcpy(node->host, facts == NULL ? known->host : facts->host, sizeof(node->host));
    node->port = facts == NULL ? known->port : facts->port;
    topology_node_name(known, node->name);
    node->rate_mb = CLUSTER_WATCH_RATE_UNKNOWN;
}

enum haul_status cluster_watch_open(const struct node_facts_list *list,
                                    const struct node_access *access, struct cluster_watch **watch,
                                    struct haul_error *error)
{
    const struct topology *newest = newest_of(list);
    if (newest == NULL) {
        return no_topology(list, error);
    }
    struct cluster_watch *opened = calloc(1, sizeof(*opened));
    if (opened != NULL) {
        opened->nodes = calloc(newest->node_count, sizeof(*opened->nodes));
        opened->views = calloc(newest->node_count, sizeof(*opened->views));
        opened->progress = calloc(newest->node_count, sizeof(*opened->progress));
    }
    if (opened == NULL || opened->nodes == NULL || opened->views == NULL ||
        opened->progress == NULL) {
        cluster_watch_close(opened);
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the nodes");
    }
    opened->access = *access;
    for (size_t i = 0; i < newest->node_count; i++) {
        add_node(opened, list, &newest->nodes[i]);
    }
    *watch = opened;
    return HAUL_OK;
}

void cluster_watch_close(struct cluster_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    for (size_t i = 0; i < watch->count; i++) {
        node_connection_close(watch->nodes[i].connection);
        topology_destroy(watch->nodes[i].topology);
    }
    free(watch->nodes);
    free(watch->views);
    free(watch->progress);
    free(watch);
}
