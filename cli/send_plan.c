/* SPDX-License-Identifier: Apache-2.0 */
/* send_plan.c — {"version": 1, "moves": [{"to": "ADDR:PORT", "cf": ["NAME"], ...}]}.
 *
 * A member that takes texts takes one, or an array of them. Nothing is ignored: a misspelt member
 * would move something else than was meant. */
#include "send_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haul/limits.h"
#include "haul/text_escape.h"
#include "move_overlap.h"
#include "spelling.h"

enum { PLACE_BYTES_MAX = 96, NAME_SHOWN_BYTES_MAX = 40 };

/* Where in the file, for messages. */
struct place {
    const char *file;
    size_t move;
};

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a plan");
}

void send_plan_fini(struct send_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        range_list_fini(&plan->moves[i].ranges);
    }
    free(plan->moves);
    json_decref(plan->document);
    *plan = (struct send_plan){.moves = NULL};
}

/* --- members ---------------------------------------------------------------------------------- */

/* An error of the move: "plan.json: moves[2]: ...". Keeps the hint. */
static enum haul_status refuse(const struct place *place, const char *member, const char *what,
                               struct haul_error *error)
{
    char hint[HAUL_ERROR_HINT_BYTES_MAX];
    char text[HAUL_ERROR_TEXT_BYTES_MAX];
    (void)snprintf(hint, sizeof(hint), "%s", error->status == HAUL_OK ? "" : error->hint);
    (void)snprintf(text, sizeof(text), "%s", what);
    haul_error_set(error, HAUL_INVALID, NULL, 0, "%.80s: moves[%zu]%s%s: %.120s", place->file,
                   place->move, member[0] == '\0' ? "" : ".", member, text);
    if (hint[0] != '\0') {
        haul_error_hint(error, "%s", hint);
    }
    return HAUL_INVALID;
}

/* Without one that is near, the hint lists all. */
static void hint_member(const char *const *known, size_t count, const char *name,
                        struct haul_error *error)
{
    char all[HAUL_ERROR_HINT_BYTES_MAX] = "";
    size_t smallest = spelling_distance_max(name) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(all);
        size_t distance = spelling_distance(known[i], name);
        (void)snprintf(all + used, sizeof(all) - used, "%s\"%s\"", i == 0 ? "" : ", ", known[i]);
        if (distance < smallest) {
            smallest = distance;
            nearest = known[i];
        }
    }
    if (nearest != NULL) {
        haul_error_hint(error, "did you mean \"%s\"?", nearest);
    } else {
        haul_error_hint(error, "there are %s", all);
    }
}

/* The first member of `object` that is none of `known`; NULL: there is none. */
static const char *find_unknown(json_t *object, const char *const *known, size_t count)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        bool found = false;
        for (size_t i = 0; i < count; i++) {
            found = found || strcmp(name, known[i]) == 0;
        }
        if (!found) {
            return name;
        }
    }
    return NULL;
}

/* --- a move ----------------------------------------------------------------------------------- */

/* Takes one text; `take` sets the error otherwise. */
typedef enum haul_status take_text(const char *text, void *target, struct haul_error *error);

static enum haul_status take_name(const char *text, void *target, struct haul_error *error)
{
    struct name_list *list = target;
    if (text[0] == '\0' || strlen(text) >= HAUL_NAME_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "the name of a column family has 1 to %d bytes",
                              HAUL_NAME_BYTES_MAX - 1);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], text) == 0) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0, "'%.40s' is there twice", text);
        }
    }
    if (list->count == HAUL_FAMILY_COUNT_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "more than %d column families",
                              HAUL_FAMILY_COUNT_MAX);
    }
    list->names[list->count++] = text;
    return HAUL_OK;
}

static enum haul_status check_room(const struct range_list *list, struct haul_error *error)
{
    return list->count < HAUL_RANGE_COUNT_MAX
               ? HAUL_OK
               : haul_error_set(error, HAUL_INVALID, NULL, 0, "more than %d ranges and prefixes",
                                HAUL_RANGE_COUNT_MAX);
}

static enum haul_status take_range(const char *text, void *target, struct haul_error *error)
{
    enum haul_status status = check_room(target, error);
    return status == HAUL_OK ? option_range(NULL, text, target, error) : status;
}

static enum haul_status take_prefix(const char *text, void *target, struct haul_error *error)
{
    enum haul_status status = check_room(target, error);
    return status == HAUL_OK ? option_prefix(NULL, text, target, error) : status;
}

static enum haul_status take_one(const struct place *place, const char *member, const json_t *value,
                                 take_text *take, void *target, struct haul_error *error)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return refuse(place, member, "has to be a text, or an array of texts", error);
    }
    enum haul_status status = take(text, target, error);
    if (status == HAUL_INVALID) {
        char what[HAUL_ERROR_TEXT_BYTES_MAX];
        (void)snprintf(what, sizeof(what), "%s", error->text);
        error->status = status;
        return refuse(place, member, what, error);
    }
    return status;
}

/* The member may be missing, but not empty: what is meant then, nothing or everything? */
static enum haul_status take_texts(const struct place *place, const json_t *move,
                                   const char *member, take_text *take, void *target,
                                   struct haul_error *error)
{
    const json_t *value = json_object_get(move, member);
    if (value == NULL) {
        return HAUL_OK;
    }
    if (!json_is_array(value)) {
        return take_one(place, member, value, take, target, error);
    }
    if (json_array_size(value) == 0) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "is empty");
        haul_error_hint(error, "leave it out for all");
        return refuse(place, member, "is empty", error);
    }
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < json_array_size(value) && status == HAUL_OK; i++) {
        char element[PLACE_BYTES_MAX];
        (void)snprintf(element, sizeof(element), "%s[%zu]", member, i);
        status = take_one(place, element, json_array_get(value, i), take, target, error);
    }
    return status;
}

static enum haul_status take_to(const struct place *place, const json_t *object,
                                struct send_move *move, struct haul_error *error)
{
    const json_t *value = json_object_get(object, "to");
    move->to = json_string_value(value);
    if (value == NULL) {
        return refuse(place, "", "needs \"to\"", error);
    }
    if (move->to == NULL || move->to[0] == '\0' ||
        strlen(move->to) >= HAUL_ADDRESS_TEXT_BYTES_MAX) {
        return refuse(place, "to", "has to be the ADDR:PORT of a receiver", error);
    }
    return HAUL_OK;
}

static enum haul_status take_overwrite(const struct place *place, const json_t *object,
                                       struct send_move *move, struct haul_error *error)
{
    const json_t *value = json_object_get(object, "overwrite");
    if (value != NULL && !json_is_boolean(value)) {
        return refuse(place, "overwrite", "has to be true or false", error);
    }
    move->overwrite = json_is_true(value);
    move->overwrite_given = value != NULL;
    return HAUL_OK;
}

static enum haul_status take_move(const struct place *place, json_t *object, struct send_move *move,
                                  struct haul_error *error)
{
    static const char *const known[] = {"to", "cf", "metadata-cf", "range", "prefix", "overwrite"};
    enum { KNOWN_COUNT = sizeof(known) / sizeof(known[0]) };
    if (!json_is_object(object)) {
        return refuse(place, "", "has to be an object", error);
    }
    const char *unknown = find_unknown(object, known, KNOWN_COUNT);
    if (unknown != NULL) {
        char what[PLACE_BYTES_MAX];
        (void)snprintf(what, sizeof(what), "unknown member \"%.*s\"", NAME_SHOWN_BYTES_MAX,
                       unknown);
        (void)refuse(place, "", what, error);
        hint_member(known, KNOWN_COUNT, unknown, error);
        return HAUL_INVALID;
    }
    enum haul_status status = take_to(place, object, move, error);
    if (status == HAUL_OK) {
        status = take_texts(place, object, "cf", take_name, &move->families, error);
    }
    if (status == HAUL_OK) {
        status =
            take_texts(place, object, "metadata-cf", take_name, &move->metadata_families, error);
    }
    if (status == HAUL_OK) {
        status = take_texts(place, object, "range", take_range, &move->ranges, error);
    }
    if (status == HAUL_OK) {
        status = take_texts(place, object, "prefix", take_prefix, &move->ranges, error);
    }
    return status == HAUL_OK ? take_overwrite(place, object, move, error) : status;
}

/* --- the document ----------------------------------------------------------------------------- */

static enum haul_status invalid(const char *file, const char *what, struct haul_error *error)
{
    haul_error_set(error, HAUL_INVALID, NULL, 0, "%.120s %s", file, what);
    haul_error_hint(error, "docs/COMMANDS.md has an example");
    return HAUL_INVALID;
}

static enum haul_status check_head(json_t *document, const char *file, struct haul_error *error)
{
    static const char *const known[] = {"version", "moves"};
    if (!json_is_object(document)) {
        return invalid(file, "is no object with \"version\" and \"moves\"", error);
    }
    const char *unknown = find_unknown(document, known, 2);
    const json_t *version = json_object_get(document, "version");
    if (unknown != NULL) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "%.120s: unknown member \"%.*s\"", file,
                       NAME_SHOWN_BYTES_MAX, unknown);
        hint_member(known, 2, unknown, error);
        return HAUL_INVALID;
    }
    if (!json_is_integer(version)) {
        return invalid(file, "needs \"version\": 1", error);
    }
    if (json_integer_value(version) != SEND_PLAN_VERSION) {
        return haul_error_set(error, HAUL_VERSION, NULL, 0,
                              "%.120s has version %" JSON_INTEGER_FORMAT ", this release reads %d",
                              file, json_integer_value(version), SEND_PLAN_VERSION);
    }
    size_t count = json_array_size(json_object_get(document, "moves"));
    if (count == 0) {
        return invalid(file, "needs \"moves\", an array with at least one move", error);
    }
    if (count > SEND_PLAN_MOVES_MAX) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "%.120s has %zu moves; at most %d", file,
                       count, SEND_PLAN_MOVES_MAX);
        haul_error_hint(error, "join moves to the same receiver, or split the plan");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

static enum haul_status take_moves(const json_t *moves, const char *file, struct send_plan *plan,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    plan->moves = calloc(json_array_size(moves), sizeof(*plan->moves));
    if (plan->moves == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < json_array_size(moves) && status == HAUL_OK; i++) {
        const struct place place = {.file = file, .move = i};
        plan->count++;
        error->status = HAUL_OK;
        status = take_move(&place, json_array_get(moves, i), &plan->moves[i], error);
    }
    return status;
}

static enum haul_status refuse_overlap(const char *file, struct haul_error *error)
{
    char text[HAUL_ERROR_TEXT_BYTES_MAX];
    char hint[HAUL_ERROR_HINT_BYTES_MAX];
    (void)snprintf(text, sizeof(text), "%s", error->text);
    (void)snprintf(hint, sizeof(hint), "%s", error->hint);
    haul_error_set(error, error->status, NULL, 0, "%.60s: %.190s", file, text);
    haul_error_hint(error, "%s", hint);
    return error->status;
}

enum haul_status send_plan_parse(const char *text, size_t size, const char *name,
                                 struct send_plan *plan, struct haul_error *error)
{
    json_error_t reason;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &reason);
    *plan = (struct send_plan){.document = document};
    if (document == NULL) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "%.80s:%d:%d: %.120s", name,
                              reason.line, reason.column, reason.text);
    }
    enum haul_status status = check_head(document, name, error);
    if (status == HAUL_OK) {
        status = take_moves(json_object_get(document, "moves"), name, plan, error);
    }
    if (status == HAUL_OK && move_overlap_check(plan, error) != HAUL_OK) {
        status = refuse_overlap(name, error);
    }
    if (status != HAUL_OK) {
        send_plan_fini(plan);
    }
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status fail(const char *call, const char *path, struct haul_error *error)
{
    int code = errno;
    return haul_error_set(error, code == ENOENT || code == ENOTDIR ? HAUL_NOT_FOUND : HAUL_IO, call,
                          code, "cannot read %s", path);
}

/* All of the file into `text`, which has room for SEND_PLAN_BYTES_MAX + 1 bytes. */
static enum haul_status read_text(const char *path, char *text, size_t *size,
                                  struct haul_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail("open", path, error);
    }
    ssize_t part = 1;
    *size = 0;
    while ((part > 0 || (part < 0 && errno == EINTR)) && *size <= SEND_PLAN_BYTES_MAX) {
        part = read(fd, text + *size, SEND_PLAN_BYTES_MAX + 1 - *size);
        *size += part > 0 ? (size_t)part : 0;
    }
    enum haul_status status = part < 0 ? fail("read", path, error) : HAUL_OK;
    (void)close(fd);
    if (status == HAUL_OK && *size > SEND_PLAN_BYTES_MAX) {
        status = haul_error_set(error, HAUL_LIMIT, NULL, 0, "%s is larger than a plan can be (%d)",
                                path, SEND_PLAN_BYTES_MAX);
        haul_error_hint(error, "split the plan");
    }
    return status;
}

enum haul_status send_plan_read(const char *path, struct send_plan *plan, struct haul_error *error)
{
    size_t size = 0;
    char *text = malloc(SEND_PLAN_BYTES_MAX + 1);
    *plan = (struct send_plan){.moves = NULL};
    if (text == NULL) {
        return no_memory(error);
    }
    enum haul_status status = read_text(path, text, &size, error);
    if (status == HAUL_OK) {
        status = send_plan_parse(text, size, path, plan, error);
    }
    free(text);
    return status;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void describe_families(const struct name_list *families, char *text, size_t size)
{
    char name[NAME_SHOWN_BYTES_MAX];
    text[0] = '\0';
    if (families->count > 0) {
        (void)haul_text_escape(families->names[0], strlen(families->names[0]), name, sizeof(name));
        (void)snprintf(text, size, "%s%s, ", name, families->count > 1 ? " and others" : "");
    }
}

void send_plan_describe(const struct send_plan *plan, size_t index,
                        char text[SEND_PLAN_MOVE_TEXT_BYTES_MAX])
{
    const struct send_move *move = &plan->moves[index];
    char families[NAME_SHOWN_BYTES_MAX + 16];
    char range[64] = "all keys";
    describe_families(&move->families, families, sizeof(families));
    if (move->ranges.count > 0) {
        range_option_format(&move->ranges.ranges[0], range, sizeof(range));
    }
    (void)snprintf(text, SEND_PLAN_MOVE_TEXT_BYTES_MAX, "moves[%zu] (%s%s%s)", index, families,
                   range, move->ranges.count > 1 ? " and others" : "");
}
