/* SPDX-License-Identifier: Apache-2.0 */
/* plan_file.c — {"format", "version", "checksum", "plan"}. The checksum is the CRC-32C of "plan" in
 * jansson's compact form with sorted keys: neither spaces nor the order of members count. */
#include "plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"

enum { PATH_BYTES = 4096, CHECKSUM_BYTES = 9, MODE = 0644 };

static const char format_name[] = "haul cluster plan";

static const char *const measure_names[] = {[PLANNER_SLOTS] = "slots", [PLANNER_BYTES] = "bytes"};

void plan_file_destroy(struct cluster_plan *plan)
{
    if (plan != NULL) {
        free(plan->nodes);
        free(plan->moves);
        free(plan);
    }
}

/* False: no memory. */
static bool checksum_of(const json_t *plan, char checksum[CHECKSUM_BYTES])
{
    char *text = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL) {
        return false;
    }
    (void)snprintf(checksum, CHECKSUM_BYTES, "%08" PRIx32, crc32c(text, strlen(text)));
    free(text);
    return true;
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a plan");
}

/* --- encoding --------------------------------------------------------------------------------- */

static json_t *encode_node(const struct plan_node *node)
{
    const struct planner_effect *effect = &node->effect;
    return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "id", node->id, "host", node->host,
                     "port", (int)node->port, "slots_before", (json_int_t)effect->slots_before,
                     "slots_after", (json_int_t)effect->slots_after, "bytes_before",
                     (json_int_t)effect->bytes_before, "bytes_after",
                     (json_int_t)effect->bytes_after, "extra_bytes_peak",
                     (json_int_t)effect->extra_bytes_peak);
}

static json_t *encode_move(const struct cluster_plan *plan, const struct planner_move *move)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    slot_range_format(move->slots, range);
    return json_pack("{s:s, s:s, s:s, s:I, s:I}", "slots", range, "from",
                     plan->nodes[move->from].id, "to", plan->nodes[move->to].id, "wave",
                     (json_int_t)move->wave, "bytes", (json_int_t)move->bytes);
}

/* NULL: no memory, or a host that is no UTF-8. */
static json_t *encode_plan(const struct cluster_plan *plan)
{
    json_t *nodes = json_array();
    json_t *moves = json_array();
    bool ok = nodes != NULL && moves != NULL;
    for (size_t i = 0; ok && i < plan->node_count; i++) {
        ok = json_array_append_new(nodes, encode_node(&plan->nodes[i])) == 0;
    }
    for (size_t i = 0; ok && i < plan->move_count; i++) {
        ok = json_array_append_new(moves, encode_move(plan, &plan->moves[i])) == 0;
    }
    if (!ok) {
        json_decref(nodes);
        json_decref(moves);
        return NULL;
    }
    return json_pack("{s:I, s:s, s:I, s:I, s:o, s:o}", "topology_version",
                     (json_int_t)plan->topology_version, "measure", measure_names[plan->measure],
                     "waves", (json_int_t)plan->wave_count, "bytes", (json_int_t)plan->bytes,
                     "nodes", nodes, "moves", moves);
}

/* The text of the file, for free(); NULL: no memory. */
static char *encode(const struct cluster_plan *plan)
{
    char checksum[CHECKSUM_BYTES];
    json_t *body = encode_plan(plan);
    if (body == NULL || !checksum_of(body, checksum)) {
        json_decref(body);
        return NULL;
    }
    json_t *file = json_pack("{s:s, s:i, s:s, s:o}", "format", format_name, "version",
                             (int)PLAN_FILE_VERSION, "checksum", checksum, "plan", body);
    char *text = file == NULL ? NULL : json_dumps(file, JSON_INDENT(1));
    json_decref(file);
    return text;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status fail(struct haul_error *error, const char *call, const char *what,
                             const char *path)
{
    int code = errno;
    enum haul_status status = code == EEXIST                      ? HAUL_EXISTS
                              : code == ENOENT || code == ENOTDIR ? HAUL_NOT_FOUND
                              : code == ENOSPC || code == EDQUOT  ? HAUL_NO_SPACE
                                                                  : HAUL_IO;
    haul_error_set(error, status, call, code, "cannot %s %s", what, path);
    if (status == HAUL_EXISTS) {
        haul_error_hint(error, "choose another name, or remove the file if its plan is over");
    }
    return status;
}

static bool write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text += written < 0 ? 0 : written;
        size -= written < 0 ? 0 : (size_t)written;
    }
    return true;
}

/* Make the name of `path` durable. */
static bool sync_directory(const char *path)
{
    char directory[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    (void)snprintf(directory, sizeof(directory), "%.*s", slash == NULL ? 1 : (int)size,
                   slash == NULL ? "." : path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

/* Write beside the name, and take the name when all is durable. */
static enum haul_status write_new(const char *path, const char *text, struct haul_error *error)
{
    char beside[PATH_BYTES];
    (void)snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        return fail(error, "mkostemp", "write", path);
    }
    enum haul_status status = HAUL_OK;
    if (!write_all(fd, text, strlen(text)) || fchmod(fd, MODE) != 0 || fsync(fd) != 0) {
        status = fail(error, "write", "write", path);
    }
    if (close(fd) != 0 && status == HAUL_OK) {
        status = fail(error, "close", "write", path);
    }
    if (status == HAUL_OK && link(beside, path) != 0) {
        status = fail(error, "link", "create", path);
    }
    (void)unlink(beside);
    if (status == HAUL_OK && !sync_directory(path)) {
        status = fail(error, "fsync", "make durable", path);
    }
    return status;
}

enum haul_status plan_file_write(const char *path, const struct cluster_plan *plan,
                                 struct haul_error *error)
{
    if (strlen(path) + sizeof(".XXXXXX") > PATH_BYTES) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the path of the plan is too long");
    }
    char *text = encode(plan);
    if (text == NULL) {
        return no_memory(error);
    }
    enum haul_status status = write_new(path, text, error);
    free(text);
    return status;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Copy the text of a member; false: it is missing, empty or too long. */
static bool take_text(const json_t *object, const char *name, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (value == NULL || value[0] == '\0' || strlen(value) >= size) {
        return false;
    }
    memcpy(text, value, strlen(value) + 1);
    return true;
}

static bool take_number(const json_t *object, const char *name, uint64_t max, uint64_t *number)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *number = (uint64_t)json_integer_value(value);
    return *number <= max;
}

static bool decode_node(const json_t *object, struct plan_node *node)
{
    uint64_t port = 0;
    uint64_t before = 0;
    uint64_t after = 0;
    struct planner_effect *effect = &node->effect;
    bool ok = take_text(object, "id", node->id, sizeof(node->id)) &&
              take_text(object, "host", node->host, sizeof(node->host)) &&
              take_number(object, "port", UINT16_MAX, &port) &&
              take_number(object, "slots_before", CLUSTER_SLOT_COUNT, &before) &&
              take_number(object, "slots_after", CLUSTER_SLOT_COUNT, &after) &&
              take_number(object, "bytes_before", INT64_MAX, &effect->bytes_before) &&
              take_number(object, "bytes_after", INT64_MAX, &effect->bytes_after) &&
              take_number(object, "extra_bytes_peak", INT64_MAX, &effect->extra_bytes_peak);
    node->port = (uint16_t)port;
    effect->slots_before = (uint32_t)before;
    effect->slots_after = (uint32_t)after;
    return ok;
}

static bool take_node(const json_t *object, const char *name, const struct cluster_plan *plan,
                      uint16_t *index)
{
    const char *id = json_string_value(json_object_get(object, name));
    for (size_t i = 0; id != NULL && i < plan->node_count; i++) {
        if (strcmp(plan->nodes[i].id, id) == 0) {
            *index = (uint16_t)i;
            return true;
        }
    }
    return false;
}

static bool decode_move(const json_t *object, const struct cluster_plan *plan,
                        struct planner_move *move)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    uint64_t wave = 0;
    bool ok = take_text(object, "slots", range, sizeof(range)) &&
              slot_range_parse(range, strlen(range), &move->slots) &&
              take_node(object, "from", plan, &move->from) &&
              take_node(object, "to", plan, &move->to) && move->from != move->to &&
              plan->wave_count > 0 && take_number(object, "wave", plan->wave_count - 1, &wave) &&
              take_number(object, "bytes", INT64_MAX, &move->bytes);
    move->wave = (uint32_t)wave;
    return ok;
}

static bool decode_lists(const json_t *nodes, const json_t *moves, struct cluster_plan *plan)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        if (!decode_node(json_array_get(nodes, i), &plan->nodes[i])) {
            return false;
        }
        plan->node_count++;
    }
    for (size_t i = 0; i < json_array_size(moves); i++) {
        struct planner_move *move = &plan->moves[i];
        if (!decode_move(json_array_get(moves, i), plan, move) ||
            (i > 0 && move->wave < plan->moves[i - 1].wave)) {
            return false;
        }
        plan->move_count++;
    }
    return true;
}

static bool decode_head(const json_t *body, struct cluster_plan *plan)
{
    uint64_t version = 0;
    uint64_t waves = 0;
    char measure[8];
    bool ok = take_number(body, "topology_version", INT64_MAX, &version) &&
              take_text(body, "measure", measure, sizeof(measure)) &&
              take_number(body, "waves", CLUSTER_SLOT_COUNT, &waves) &&
              take_number(body, "bytes", INT64_MAX, &plan->bytes);
    plan->topology_version = (int64_t)version;
    plan->wave_count = (uint32_t)waves;
    if (!ok) {
        return false;
    }
    plan->measure =
        strcmp(measure, measure_names[PLANNER_BYTES]) == 0 ? PLANNER_BYTES : PLANNER_SLOTS;
    return strcmp(measure, measure_names[plan->measure]) == 0;
}

/* CORRUPT if a member is wrong. */
static enum haul_status decode_plan(const json_t *body, struct cluster_plan **plan)
{
    const json_t *nodes = json_object_get(body, "nodes");
    const json_t *moves = json_object_get(body, "moves");
    if (json_array_size(nodes) > TOPOLOGY_NODE_COUNT_MAX ||
        json_array_size(moves) > CLUSTER_SLOT_COUNT) {
        return HAUL_CORRUPT;
    }
    struct cluster_plan *decoded = calloc(1, sizeof(*decoded));
    if (decoded == NULL) {
        return HAUL_NO_MEMORY;
    }
    decoded->nodes = calloc(json_array_size(nodes) + 1, sizeof(*decoded->nodes));
    decoded->moves = calloc(json_array_size(moves) + 1, sizeof(*decoded->moves));
    enum haul_status status = HAUL_NO_MEMORY;
    if (decoded->nodes != NULL && decoded->moves != NULL) {
        status = decode_head(body, decoded) && decode_lists(nodes, moves, decoded) ? HAUL_OK
                                                                                   : HAUL_CORRUPT;
    }
    if (status != HAUL_OK) {
        plan_file_destroy(decoded);
        return status;
    }
    *plan = decoded;
    return HAUL_OK;
}

static enum haul_status corrupt(struct haul_error *error, const char *path, const char *what)
{
    haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s %s", path, what);
    haul_error_hint(error, "make it again: haul cluster plan");
    return HAUL_CORRUPT;
}

static enum haul_status decode(const json_t *file, const char *path, struct cluster_plan **plan,
                               struct haul_error *error)
{
    const char *format = json_string_value(json_object_get(file, "format"));
    const char *wanted = json_string_value(json_object_get(file, "checksum"));
    const json_t *version = json_object_get(file, "version");
    const json_t *body = json_object_get(file, "plan");
    char checksum[CHECKSUM_BYTES];
    if (format == NULL || strcmp(format, format_name) != 0 || !json_is_integer(version)) {
        return corrupt(error, path, "is no plan of 'haul cluster plan'");
    }
    if (json_integer_value(version) != PLAN_FILE_VERSION) {
        return haul_error_set(error, HAUL_VERSION, NULL, 0,
                              "%s has version %" JSON_INTEGER_FORMAT ", this release reads %d",
                              path, json_integer_value(version), PLAN_FILE_VERSION);
    }
    if (body == NULL || wanted == NULL) {
        return corrupt(error, path, "is incomplete");
    }
    if (!checksum_of(body, checksum)) {
        return no_memory(error);
    }
    if (strcmp(checksum, wanted) != 0) {
        return corrupt(error, path, "was changed after it was written");
    }
    enum haul_status status = decode_plan(body, plan);
    return status == HAUL_CORRUPT     ? corrupt(error, path, "contradicts itself")
           : status == HAUL_NO_MEMORY ? no_memory(error)
                                      : status;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* All of the file into `text`, which has room for PLAN_FILE_BYTES_MAX + 1 bytes. */
static enum haul_status read_text(const char *path, char *text, size_t *size,
                                  struct haul_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail(error, "open", "read", path);
    }
    ssize_t part = 1;
    *size = 0;
    while (part > 0 && *size <= PLAN_FILE_BYTES_MAX) {
        part = read(fd, text + *size, PLAN_FILE_BYTES_MAX + 1 - *size);
        *size += part > 0 ? (size_t)part : 0;
    }
    enum haul_status status = part < 0 ? fail(error, "read", "read", path) : HAUL_OK;
    (void)close(fd);
    if (status == HAUL_OK && *size > PLAN_FILE_BYTES_MAX) {
        (void)haul_error_set(error, HAUL_LIMIT, NULL, 0, "%s is larger than a plan can be", path);
        haul_error_hint(error, "name a file of haul cluster plan");
        status = HAUL_LIMIT;
    }
    return status;
}

enum haul_status plan_file_read(const char *path, struct cluster_plan **plan,
                                struct haul_error *error)
{
    size_t size = 0;
    char *text = malloc(PLAN_FILE_BYTES_MAX + 1);
    if (text == NULL) {
        return no_memory(error);
    }
    enum haul_status status = read_text(path, text, &size, error);
    if (status == HAUL_OK) {
        json_error_t ignored;
        json_t *file = json_loadb(text, size, JSON_REJECT_DUPLICATES, &ignored);
        status =
            file == NULL ? corrupt(error, path, "is no JSON") : decode(file, path, plan, error);
        json_decref(file);
    }
    free(text);
    return status;
}
