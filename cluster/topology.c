/* SPDX-License-Identifier: Apache-2.0 */
/* topology.c — parses a line a node:
 *
 *   ID HOST:PORT@PORT [myself,]master|slave -|MASTER PING PONG VERSION connected [RANGE]...
 *
 * and behind the ranges of the node that answers "[RANGE->-ID]" while it gives slots, and
 * "[RANGE-<-ID]" while it takes some. */
#include "topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_COUNT = 8, DECIMAL_DIGITS_MAX = 18 };

enum field {
    FIELD_ID,
    FIELD_ADDRESS,
    FIELD_ROLE,
    FIELD_MASTER,
    FIELD_PING,
    FIELD_PONG,
    FIELD_VERSION
};

/* A piece of the text. */
struct piece {
    const char *text;
    size_t size;
};

/* --- words and numbers ------------------------------------------------------------------------ */

/* Take what stands before the next `separator`, or everything. */
static struct piece take(struct piece *rest, char separator)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->text, separator, rest->size);
    struct piece taken = {rest->text, end == NULL ? rest->size : (size_t)(end - rest->text)};
    size_t used = taken.size + (end != NULL);
    rest->text += used;
    rest->size -= used;
    return taken;
}

static bool is_text(struct piece piece, const char *text)
{
    return piece.size == strlen(text) && memcmp(piece.text, text, piece.size) == 0;
}

/* A decimal number of at most DECIMAL_DIGITS_MAX digits, so that it cannot overflow. */
static bool parse_number(struct piece piece, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (piece.size == 0 || piece.size > DECIMAL_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.text[i] < '0' || piece.text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(piece.text[i] - '0');
    }
    *number = value;
    return value <= max;
}

bool slot_range_parse(const char *text, size_t size, struct slot_range *range)
{
    uint64_t first = 0;
    uint64_t last = 0;
    struct piece rest = {text, size};
    struct piece head = take(&rest, '-');
    if (!parse_number(head, CLUSTER_SLOT_COUNT - 1, &first)) {
        return false;
    }
    last = first;
    if (head.size != size && !parse_number(rest, CLUSTER_SLOT_COUNT - 1, &last)) {
        return false;
    }
    *range = (struct slot_range){(uint16_t)first, (uint16_t)last};
    return first <= last;
}

void slot_range_format(struct slot_range range, char text[TOPOLOGY_RANGE_BYTES_MAX])
{
    if (range.first == range.last) {
        (void)snprintf(text, TOPOLOGY_RANGE_BYTES_MAX, "%u", range.first);
    } else {
        (void)snprintf(text, TOPOLOGY_RANGE_BYTES_MAX, "%u-%u", range.first, range.last);
    }
}

static bool parse_id(struct piece piece, char id[TOPOLOGY_ID_BYTES + 1])
{
    if (piece.size != TOPOLOGY_ID_BYTES) {
        return false;
    }
    memcpy(id, piece.text, TOPOLOGY_ID_BYTES);
    id[TOPOLOGY_ID_BYTES] = '\0';
    return true;
}

/* --- a line ----------------------------------------------------------------------------------- */

/* "HOST:PORT@PORT"; an IPv6 host has colons of its own. */
static bool parse_address(struct piece piece, struct topology_node *node)
{
    struct piece address = take(&piece, '@');
    const char *colon = memrchr(address.text, ':', address.size);
    uint64_t port = 0;
    if (colon == NULL || colon == address.text) {
        return false;
    }
    struct piece host = {address.text, (size_t)(colon - address.text)};
    struct piece number = {colon + 1, address.size - host.size - 1};
    if (host.size >= sizeof(node->host) || !parse_number(number, UINT16_MAX, &port) || port == 0) {
        return false;
    }
    memcpy(node->host, host.text, host.size);
    node->host[host.size] = '\0';
    node->port = (uint16_t)port;
    return true;
}

static bool parse_role(struct piece role, struct piece master, struct topology_node *node,
                       bool *is_self)
{
    static const char self[] = "myself,";
    size_t prefix = sizeof(self) - 1;
    *is_self = role.size > prefix && memcmp(role.text, self, prefix) == 0;
    if (*is_self) {
        role = (struct piece){role.text + prefix, role.size - prefix};
    }
    node->is_master = is_text(role, "master");
    return node->is_master ? is_text(master, "-")
                           : is_text(role, "slave") && parse_id(master, node->master);
}

/* "[RANGE->-ID]" or "[RANGE-<-ID]". */
static bool parse_job(struct piece word, struct topology *topology)
{
    static const char arrows[2][4] = {"->-", "-<-"};
    for (size_t i = 0; i < 2; i++) {
        const char *arrow = memmem(word.text, word.size, arrows[i], 3);
        struct topology_job *job = i == 0 ? &topology->migrating : &topology->importing;
        if (arrow == NULL || word.text[word.size - 1] != ']') {
            continue;
        }
        struct piece peer = {arrow + 3, (size_t)(word.text + word.size - 1 - (arrow + 3))};
        job->runs = slot_range_parse(word.text + 1, (size_t)(arrow - word.text - 1), &job->slots) &&
                    (peer.size == 0 || parse_id(peer, job->peer));
        return job->runs;
    }
    return false;
}

static bool give_slots(struct topology *topology, size_t node, struct slot_range range)
{
    for (size_t slot = range.first; slot <= range.last; slot++) {
        if (topology->owners[slot] != TOPOLOGY_NO_OWNER) {
            return false;
        }
        topology->owners[slot] = (uint16_t)node;
    }
    topology->nodes[node].slot_count += (uint32_t)(range.last - range.first) + 1;
    return topology->nodes[node].is_master;
}

/* The words behind the fixed fields. */
static bool parse_slots(struct topology *topology, size_t node, struct piece rest)
{
    while (rest.size > 0) {
        struct piece word = take(&rest, ' ');
        struct slot_range range;
        if (word.text == NULL || word.size == 0) {
            continue;
        }
        if (word.text[0] == '[' ? !parse_job(word, topology)
                                : !slot_range_parse(word.text, word.size, &range) ||
                                      !give_slots(topology, node, range)) {
            return false;
        }
    }
    return true;
}

static bool parse_line(struct topology *topology, struct piece line)
{
    struct piece fields[FIELD_COUNT];
    size_t index = topology->node_count;
    struct topology_node *node = &topology->nodes[index];
    bool is_self = false;
    uint64_t version = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        fields[i] = take(&line, ' ');
    }
    bool ok = parse_id(fields[FIELD_ID], node->id) && parse_address(fields[FIELD_ADDRESS], node) &&
              parse_role(fields[FIELD_ROLE], fields[FIELD_MASTER], node, &is_self) &&
              parse_number(fields[FIELD_VERSION], INT64_MAX, &version) &&
              parse_slots(topology, index, line);
    if (is_self) {
        topology->self = index;
    }
    topology->version = (int64_t)version;
    topology->node_count++;
    return ok;
}

/* --- the answer ------------------------------------------------------------------------------- */

static struct topology *create(size_t node_count)
{
    struct topology *topology = calloc(1, sizeof(*topology));
    if (topology == NULL) {
        return NULL;
    }
    topology->nodes = calloc(node_count, sizeof(*topology->nodes));
    if (topology->nodes == NULL) {
        free(topology);
        return NULL;
    }
    topology->self = SIZE_MAX;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        topology->owners[slot] = TOPOLOGY_NO_OWNER;
    }
    return topology;
}

void topology_destroy(struct topology *topology)
{
    if (topology != NULL) {
        free(topology->nodes);
        free(topology);
    }
}

static enum haul_status parse_lines(struct topology *topology, struct piece rest,
                                    struct haul_error *error)
{
    while (rest.size > 0) {
        struct piece line = take(&rest, '\n');
        if (line.size > 0 && line.text[line.size - 1] == '\r') {
            line.size--;
        }
        if (line.size == 0) {
            continue;
        }
        if (topology->node_count == TOPOLOGY_NODE_COUNT_MAX) {
            return haul_error_set(error, HAUL_LIMIT, NULL, 0, "a cluster of more than %d nodes",
                                  TOPOLOGY_NODE_COUNT_MAX);
        }
        if (!parse_line(topology, line)) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                  "unexpected line of CLUSTER NODES: '%.*s'",
                                  (int)(line.size > 120 ? 120 : line.size), line.text);
        }
    }
    return topology->node_count > 0
               ? HAUL_OK
               : haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "CLUSTER NODES lists no node");
}

enum haul_status topology_parse(const char *text, size_t size, struct topology **topology,
                                struct haul_error *error)
{
    struct topology *parsed = create(TOPOLOGY_NODE_COUNT_MAX);
    if (parsed == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a topology");
    }
    enum haul_status status = parse_lines(parsed, (struct piece){text, size}, error);
    if (status != HAUL_OK) {
        topology_destroy(parsed);
        return status;
    }
    if (parsed->self > parsed->node_count) {
        parsed->self = parsed->node_count;
    }
    *topology = parsed;
    return HAUL_OK;
}

enum haul_status topology_parse_version(const char *text, size_t size, int64_t *version,
                                        struct haul_error *error)
{
    uint64_t number = 0;
    struct piece piece = {text, size};
    if (is_text(piece, "-1")) {
        *version = -1;
        return HAUL_OK;
    }
    if (!parse_number(piece, INT64_MAX, &number)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "unexpected answer to CLUSTERX VERSION: '%.*s'",
                              (int)(size > 40 ? 40 : size), text);
    }
    *version = (int64_t)number;
    return HAUL_OK;
}

/* --- looking up ------------------------------------------------------------------------------- */

void topology_node_name(const struct topology_node *node, char name[TOPOLOGY_NAME_BYTES_MAX])
{
    bool is_ipv6 = strchr(node->host, ':') != NULL;
    (void)snprintf(name, TOPOLOGY_NAME_BYTES_MAX, is_ipv6 ? "[%s]:%u" : "%s:%u", node->host,
                   node->port);
}

const struct topology_node *topology_find(const struct topology *topology, const char *name)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        char own[TOPOLOGY_NAME_BYTES_MAX];
        topology_node_name(&topology->nodes[i], own);
        if (strcmp(topology->nodes[i].id, name) == 0 || strcmp(own, name) == 0) {
            return &topology->nodes[i];
        }
    }
    return NULL;
}

/* Four owners at once, as most runs are long. */
struct slot_range topology_run(const uint16_t *owners, uint16_t first)
{
    enum { STRIDE = sizeof(uint64_t) / sizeof(*owners) };
    const uint64_t expected = owners[first] * UINT64_C(0x0001000100010001);
    uint64_t found = expected;
    uint32_t end = first;
    for (; end + STRIDE <= CLUSTER_SLOT_COUNT && found == expected; end += STRIDE) {
        memcpy(&found, &owners[end], sizeof(found));
    }
    end -= found == expected ? 0 : STRIDE;
    while (end < CLUSTER_SLOT_COUNT && owners[end] == owners[first]) {
        end++;
    }
    return (struct slot_range){first, (uint16_t)(end - 1)};
}
