/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.c — the list of nodes grows while it is worked through. A node may be named twice, by a
 * seed and by a topology: two answers of one process count once. */
#include "discovery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info_text.h"
#include "node_connection.h"

enum { WORD_COUNT_MAX = 4 };

struct question {
    struct node_connection *connection;
    struct node_facts *facts;
};

/* --- names ------------------------------------------------------------------------------------ */

/* Split "HOST:PORT" or "[HOST]:PORT" of `size` bytes. */
static bool split_name(const char *text, size_t size, struct node_facts *facts)
{
    const char *colon = memrchr(text, ':', size);
    char port[6] = "";
    char *end = NULL;
    if (colon == NULL || (size_t)(text + size - colon - 1) >= sizeof(port)) {
        return false;
    }
    memcpy(port, colon + 1, (size_t)(text + size - colon - 1));
    unsigned long number = port[0] < '0' || port[0] > '9' ? 0 : strtoul(port, &end, 10);
    if (number == 0 || number > UINT16_MAX || *end != '\0') {
        return false;
    }
    bool brackets = text[0] == '[' && colon[-1] == ']';
    const char *host = text + brackets;
    size_t host_size = (size_t)(colon - host) - brackets;
    if (colon == text || host_size == 0 || host_size >= sizeof(facts->host)) {
        return false;
    }
    memcpy(facts->host, host, host_size);
    facts->host[host_size] = '\0';
    facts->port = (uint16_t)number;
    return brackets || strchr(facts->host, ':') == NULL;
}

static void set_name(struct node_facts *facts)
{
    struct topology_node node = {.port = facts->port};
    memcpy(node.host, facts->host, sizeof(node.host));
    topology_node_name(&node, facts->name);
}

/* Append a node unless its name is in the list. */
static enum haul_status add_node(struct node_facts_list *list, const struct node_facts *named,
                                 struct haul_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->nodes[i].host, named->host) == 0 && list->nodes[i].port == named->port) {
            return HAUL_OK;
        }
    }
    if (list->count == NODE_FACTS_COUNT_MAX) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "more than %d nodes",
                              NODE_FACTS_COUNT_MAX);
    }
    struct node_facts *facts = &list->nodes[list->count++];
    *facts = *named;
    facts->version = -1;
    set_name(facts);
    return HAUL_OK;
}

static enum haul_status add_seeds(const char *seeds, struct node_facts_list *list,
                                  struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK) {
        size_t size = strcspn(seeds, ",");
        struct node_facts named = {.port = 0};
        if (!split_name(seeds, size, &named)) {
            haul_error_set(error, HAUL_INVALID, NULL, 0, "'%.*s' is no HOST:PORT", (int)size,
                           seeds);
            haul_error_hint(error, "--nodes 10.0.0.7:6666,10.0.0.8:6666; IPv6 in brackets");
            return HAUL_INVALID;
        }
        status = add_node(list, &named, error);
        if (seeds[size] == '\0') {
            return status;
        }
        seeds += size + 1;
    }
    return status;
}

static enum haul_status add_topology(struct node_facts_list *list, const struct topology *topology,
                                     struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < topology->node_count && status == HAUL_OK; i++) {
        struct node_facts named = {.port = topology->nodes[i].port};
        memcpy(named.host, topology->nodes[i].host, sizeof(named.host));
        status = add_node(list, &named, error);
    }
    return status;
}

/* --- questions -------------------------------------------------------------------------------- */

/* The answer to a command of up to four words, "" if the node refuses it; NULL and the error in the
 * facts: the node does not answer. */
static char *ask(struct question *question, const char *first, const char *second,
                 const char *third)
{
    const char *words[WORD_COUNT_MAX] = {first, second, third, NULL};
    struct node_answer answer = {NULL, 0};
    struct haul_error *error = &question->facts->error;
    size_t count = third != NULL ? 3 : 2;
    enum haul_status status =
        node_connection_call(question->connection, words, count, &answer, error);
    if (status == HAUL_REFUSED || (status == HAUL_OK && answer.text == NULL)) {
        error->status = HAUL_OK;
        answer.text = calloc(1, 1);
    } else {
        error->status = status;
    }
    if (error->status == HAUL_OK && answer.text == NULL) {
        haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for an answer");
    }
    return error->status == HAUL_OK ? answer.text : NULL;
}

static bool ask_topology(struct question *question)
{
    struct node_facts *facts = question->facts;
    char *version = ask(question, "CLUSTERX", "VERSION", NULL);
    bool ok = version != NULL;
    if (ok && version[0] == '\0') {
        haul_error_set(&facts->error, HAUL_UNSUPPORTED, NULL, 0,
                       "not in cluster mode, or no Kvrocks");
        haul_error_hint(&facts->error, "set cluster-enabled yes, or leave this node out");
        ok = false;
    }
    facts->error.status =
        ok ? topology_parse_version(version, strlen(version), &facts->version, &facts->error)
           : facts->error.status;
    free(version);
    if (facts->error.status != HAUL_OK || facts->version < 0) {
        return facts->error.status == HAUL_OK;
    }
    char *nodes = ask(question, "CLUSTER", "NODES", NULL);
    if (nodes != NULL) {
        facts->error.status = topology_parse(nodes, strlen(nodes), &facts->topology, &facts->error);
    }
    free(nodes);
    return facts->error.status == HAUL_OK;
}

static bool ask_jobs(struct question *question)
{
    struct node_facts *facts = question->facts;
    char *info = ask(question, "CLUSTER", "INFO", NULL);
    if (info == NULL) {
        return false;
    }
    (void)info_text_field(info, "migrating_slot(s)", facts->migrating.slots,
                          sizeof(facts->migrating.slots));
    (void)info_text_field(info, "migrating_state", facts->migrating.state,
                          sizeof(facts->migrating.state));
    (void)info_text_field(info, "importing_slot(s)", facts->importing.slots,
                          sizeof(facts->importing.slots));
    (void)info_text_field(info, "import_state", facts->importing.state,
                          sizeof(facts->importing.state));
    free(info);
    return true;
}

static bool ask_haul(struct question *question)
{
    struct node_facts *facts = question->facts;
    char *info = ask(question, "INFO", "migration", NULL);
    if (info == NULL) {
        return false;
    }
    uint64_t unconfirmed = info_text_number(info, "migrate_unconfirmed", NODE_FACTS_UNKNOWN);
    facts->has_haul = unconfirmed != NODE_FACTS_UNKNOWN;
    facts->is_unconfirmed = facts->has_haul && unconfirmed != 0;
    (void)info_text_field(info, "migrate_in_doubt", facts->in_doubt, sizeof(facts->in_doubt));
    (void)info_text_field(info, "migrate_queued", facts->queued, sizeof(facts->queued));
    (void)info_text_field(info, "migrate_kept_slot(s)", facts->kept, sizeof(facts->kept));
    free(info);
    char *transport = ask(question, "CONFIG", "GET", "migrate-transport");
    facts->uses_haul = transport != NULL && strcmp(transport, "haul") == 0;
    free(transport);
    return facts->error.status == HAUL_OK;
}

static bool ask_role(struct question *question)
{
    struct node_facts *facts = question->facts;
    char value[NODE_FACTS_VALUE_BYTES_MAX];
    char *info = ask(question, "INFO", "replication", NULL);
    if (info == NULL) {
        return false;
    }
    facts->is_replica =
        info_text_field(info, "role", value, sizeof(value)) && strcmp(value, "slave") == 0;
    facts->link_is_up = info_text_field(info, "master_link_status", value, sizeof(value)) &&
                        strcmp(value, "up") == 0;
    free(info);
    return true;
}

static bool ask_server(struct question *question)
{
    struct node_facts *facts = question->facts;
    char file[160];
    char *info = ask(question, "INFO", "server", NULL);
    if (info == NULL) {
        return false;
    }
    (void)info_text_field(info, "git_sha1", facts->release, sizeof(facts->release));
    (void)info_text_field(info, "config_file", file, sizeof(file));
    (void)snprintf(facts->process, sizeof(facts->process), "%llu %llu %s",
                   (unsigned long long)info_text_number(info, "process_id", 0),
                   (unsigned long long)info_text_number(info, "tcp_port", 0), file);
    free(info);
    info = ask(question, "INFO", "keyspace", NULL);
    if (info != NULL) {
        facts->disk_bytes = info_text_number(info, "disk_capacity", NODE_FACTS_UNKNOWN);
        facts->disk_used_bytes = info_text_number(info, "used_disk_size", NODE_FACTS_UNKNOWN);
        facts->database_bytes = info_text_number(info, "used_db_size", NODE_FACTS_UNKNOWN);
    }
    free(info);
    return facts->error.status == HAUL_OK;
}

static uint64_t ask_number(struct question *question, const char *setting)
{
    char *text = ask(question, "CONFIG", "GET", setting);
    char *end = NULL;
    uint64_t number = NODE_FACTS_UNKNOWN;
    if (text != NULL && text[0] >= '0' && text[0] <= '9') {
        number = strtoull(text, &end, 10);
    }
    free(text);
    return number;
}

static bool ask_settings(struct question *question)
{
    struct node_facts *facts = question->facts;
    facts->log_ttl_s = ask_number(question, "rocksdb.wal_ttl_seconds");
    if (facts->error.status == HAUL_OK) {
        facts->log_size_mb = ask_number(question, "rocksdb.wal_size_limit_mb");
    }
    if (facts->error.status == HAUL_OK) {
        char *tls = ask(question, "CONFIG", "GET", "tls-replication");
        facts->replicates_by_tls = tls != NULL && strcmp(tls, "yes") == 0;
        free(tls);
    }
    if (facts->error.status == HAUL_OK) {
        char *kept = ask(question, "CONFIG", "GET", "persist-cluster-nodes-enabled");
        facts->forgets_topology = kept != NULL && strcmp(kept, "no") == 0;
        free(kept);
    }
    return facts->error.status == HAUL_OK;
}

/* UNSUPPORTED: no node can be asked. What one node answers, or not, is in its facts. */
static enum haul_status ask_node(struct node_facts *facts, const struct node_access *access)
{
    struct question question = {NULL, facts};
    enum haul_status status =
        node_connection_open(facts->host, facts->port, access, &question.connection, &facts->error);
    facts->error.status = status;
    if (status == HAUL_OK) {
        (void)(ask_topology(&question) && ask_jobs(&question) && ask_haul(&question) &&
               ask_role(&question) && ask_server(&question) && ask_settings(&question));
        node_connection_close(question.connection);
    }
    return status == HAUL_UNSUPPORTED ? status : HAUL_OK;
}

/* --- the list --------------------------------------------------------------------------------- */

/* The id that the node has by its own topology; "": it has none. */
static const char *own_id(const struct node_facts *facts)
{
    const struct topology *topology = facts->topology;
    return topology == NULL || topology->self == topology->node_count
               ? ""
               : topology->nodes[topology->self].id;
}

/* In containers many processes have one number, port and file, but not one id. Two nodes that were
 * given one id by mistake differ in the rest, except in containers. */
static bool is_same_process(const struct node_facts *a, const struct node_facts *b)
{
    return a->error.status == HAUL_OK && b->error.status == HAUL_OK && own_id(a)[0] != '\0' &&
           strcmp(own_id(a), own_id(b)) == 0 && strcmp(a->process, b->process) == 0;
}

/* Has this node answered before, under another name? Then forget this one. */
static bool drop_duplicate(struct node_facts_list *list, size_t index)
{
    struct node_facts *facts = &list->nodes[index];
    for (size_t i = 0; i < index; i++) {
        if (is_same_process(facts, &list->nodes[i])) {
            topology_destroy(facts->topology);
            memmove(facts, facts + 1, (list->count - index - 1) * sizeof(*facts));
            list->count--;
            return true;
        }
    }
    return false;
}

static enum haul_status ask_all(struct node_facts_list *list, const struct node_access *access,
                                struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < list->count && status == HAUL_OK;) {
        status = ask_node(&list->nodes[i], access);
        if (status != HAUL_OK) {
            *error = list->nodes[i].error;
        } else if (list->nodes[i].topology != NULL) {
            status = add_topology(list, list->nodes[i].topology, error);
        }
        i += !drop_duplicate(list, i);
    }
    return status;
}

enum haul_status discovery_run(const char *seeds, const struct node_access *access,
                               struct node_facts_list *list, struct haul_error *error)
{
    struct node_facts_list found = {calloc(NODE_FACTS_COUNT_MAX, sizeof(struct node_facts)), 0};
    if (found.nodes == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the list of nodes");
    }
    enum haul_status status = add_seeds(seeds, &found, error);
    if (status == HAUL_OK) {
        status = ask_all(&found, access, error);
    }
    if (status != HAUL_OK) {
        node_facts_list_fini(&found);
        return status;
    }
    *list = found;
    return HAUL_OK;
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* Of one command: the node's worker thread serves none of its other connections meanwhile. */
enum { SIZES_ASKED_MAX = 256, SLOT_TEXT_BYTES = 6 };
static_assert(2 + SIZES_ASKED_MAX <= NODE_WORD_COUNT_MAX, "HAUL SIZES fits a command");
#define SIZES_SUM_MAX (UINT64_C(1) << 54) /* of a node; the planner computes with no more */

/* Of the node's slots from `slot` on, up to SIZES_ASKED_MAX; the number of them. */
static size_t next_slots(const struct topology *topology, uint32_t slot,
                         uint16_t slots[SIZES_ASKED_MAX])
{
    size_t count = 0;
    for (; slot < CLUSTER_SLOT_COUNT && count < SIZES_ASKED_MAX; slot++) {
        if (topology->owners[slot] == topology->self) {
            slots[count++] = (uint16_t)slot;
        }
    }
    return count;
}

static enum haul_status ask_sizes_of(struct node_connection *connection, const uint16_t *slots,
                                     size_t count, uint64_t *slot_bytes, struct haul_error *error)
{
    const char *words[2 + SIZES_ASKED_MAX] = {"HAUL", "SIZES"};
    char texts[SIZES_ASKED_MAX][SLOT_TEXT_BYTES];
    uint64_t sizes[SIZES_ASKED_MAX];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%u", (unsigned)slots[i]);
        words[2 + i] = texts[i];
    }
    enum haul_status status =
        node_connection_numbers(connection, words, 2 + count, sizes, count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        slot_bytes[slots[i]] = sizes[i];
    }
    return status;
}

/* The slots have no more than all have together, which bounds their sum, too. RocksDB counts a file
 * that has nothing but deleted ranges whole for each slot within it: migrations leave such files,
 * until they are compacted. An estimate in memory may differ some. */
static enum haul_status check_sum(struct node_connection *connection, const uint64_t *slot_bytes,
                                  struct haul_error *error)
{
    static const char *const words[] = {"HAUL", "SIZES", "0-16383"};
    uint64_t all = 0;
    enum haul_status status = node_connection_numbers(connection, words, 3, &all, 1, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t left = all < SIZES_SUM_MAX / 2 ? all + all / 2 : SIZES_SUM_MAX;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        if (slot_bytes[slot] > left) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "slots larger than all together");
        }
        left -= slot_bytes[slot];
    }
    return HAUL_OK;
}

static enum haul_status ask_all_sizes(const struct node_facts *facts,
                                      const struct node_access *access, uint64_t *slot_bytes,
                                      struct haul_error *error)
{
    struct node_connection *connection = NULL;
    uint16_t slots[SIZES_ASKED_MAX];
    uint32_t slot = 0;
    size_t count = 0;
    enum haul_status status =
        node_connection_open(facts->host, facts->port, access, &connection, error);
    while (status == HAUL_OK && (count = next_slots(facts->topology, slot, slots)) > 0) {
        status = ask_sizes_of(connection, slots, count, slot_bytes, error);
        slot = slots[count - 1] + UINT32_C(1);
    }
    if (status == HAUL_OK) {
        status = check_sum(connection, slot_bytes, error);
    }
    node_connection_close(connection);
    return status;
}

/* The sizes of one node, or none. Errors: NO_MEMORY. */
static enum haul_status learn_sizes(struct node_facts *facts, const struct node_access *access,
                                    struct haul_error *error)
{
    uint64_t *slot_bytes = calloc(CLUSTER_SLOT_COUNT, sizeof(*slot_bytes));
    if (slot_bytes == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for sizes");
    }
    struct haul_error why = {.status = HAUL_OK};
    enum haul_status status = ask_all_sizes(facts, access, slot_bytes, &why);
    if (status == HAUL_OK) {
        facts->slot_bytes = slot_bytes;
        return HAUL_OK;
    }
    free(slot_bytes);
    if (status == HAUL_NO_MEMORY) {
        *error = why;
        return status;
    }
    return HAUL_OK; /* the planner does without */
}

enum haul_status discovery_sizes(const struct node_access *access, struct node_facts_list *list,
                                 struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < list->count && status == HAUL_OK; i++) {
        struct node_facts *facts = &list->nodes[i];
        if (facts->has_haul && !facts->is_replica && facts->topology != NULL) {
            status = learn_sizes(facts, access, error);
        }
    }
    return status;
}
