/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c — makes a plan from the source's options, and carries it over the wire. */
#include "plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "plan_options.h"

/* --- making ----------------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *const *names, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(names[i], name) == 0;
    }
    return found;
}

static const struct haul_family *find_family(const struct haul_family *families, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(families[i].name, name) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

static enum haul_status check_names(const struct haul_family *families, size_t count,
                                    const char *const *names, size_t name_count,
                                    struct haul_error *error)
{
    for (size_t i = 0; i < name_count; i++) {
        if (find_family(families, count, names[i]) == NULL) {
            haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family named '%s'", names[i]);
            haul_error_hint(error, "`ldb --db=DIR list_column_families` lists them");
            return HAUL_NOT_FOUND;
        }
    }
    return HAUL_OK;
}

/* Append the store's families that the options name: metadata families first, each group in the
 * store's order. */
static void pick_families(struct plan *plan, const struct haul_family *families, size_t count,
                          const struct haul_source_options *options)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            bool wanted = options->family_count == 0 ||
                          is_named(families[i].name, options->families, options->family_count);
            bool metadata = is_named(families[i].name, options->metadata_families,
                                     options->metadata_family_count);
            if (wanted && metadata == (pass == 0)) {
                plan->families[plan->family_count++] =
                    (struct plan_family){.family = families[i], .metadata = metadata};
            }
        }
    }
}

static enum haul_status make_families(struct plan *plan, struct haul_store *store,
                                      const struct haul_source_options *options,
                                      struct haul_error *error)
{
    size_t count = 0;
    enum haul_status status = HAUL_NO_MEMORY;
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    if (families != NULL) {
        status = store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
        plan->families = calloc(count + 1, sizeof(*plan->families));
    }
    if (families == NULL || plan->families == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
        goto done;
    }
    if (status == HAUL_OK) {
        status = check_names(families, count, options->families, options->family_count, error);
    }
    if (status == HAUL_OK) {
        status = check_names(families, count, options->metadata_families,
                             options->metadata_family_count, error);
    }
    if (status == HAUL_OK) {
        pick_families(plan, families, count, options);
        status = plan_options_read(plan, store, error);
    }
done:
    free(families);
    return status;
}

static enum haul_status check_readable(const struct plan *plan, struct haul_store *store,
                                       struct haul_error *error)
{
    uint32_t ids[HAUL_FAMILY_COUNT_MAX];
    for (size_t i = 0; i < plan->family_count; i++) {
        ids[i] = plan->families[i].family.id;
    }
    return store->ops->send_check == NULL
               ? HAUL_OK
               : store->ops->send_check(store, ids, plan->family_count, error);
}

/* `error` has its text. Too much for one job is not too much for several. */
static enum haul_status too_many(struct haul_error *error)
{
    haul_error_hint(error, "move them in several jobs: fewer ranges or column families each");
    return HAUL_UNSUPPORTED;
}

static int compare_ranges(const void *a, const void *b)
{
    return slice_compare(key_range_start(a), key_range_start(b));
}

static enum haul_status check_order(const struct plan_family *family, const struct key_range *range,
                                    struct haul_error *error)
{
    return key_range_check_order(key_range_start(range), key_range_end(range), family->family.name,
                                 family->family.comparator, error);
}

static enum haul_status check_orders(const struct plan *plan, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->family_count * plan->range_count && status == HAUL_OK; i++) {
        status = check_order(&plan->families[i / plan->range_count],
                             &plan->ranges[i % plan->range_count], error);
    }
    return status;
}

static enum haul_status check_range(const struct key_range *range, struct haul_error *error)
{
    if (range->start_size > PLAN_RANGE_KEY_BYTES_MAX ||
        range->end_size > PLAN_RANGE_KEY_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a range bound is longer than %d bytes",
                              PLAN_RANGE_KEY_BYTES_MAX);
    }
    return HAUL_OK;
}

static enum haul_status refuse_overlap(const struct key_range *a, const struct key_range *b,
                                       struct haul_error *error)
{
    char start[64];
    char end[64];
    key_format(key_range_start(b), start, sizeof(start));
    key_format(key_range_end(a), end, sizeof(end));
    haul_error_set(error, HAUL_INVALID, NULL, 0,
                   "two of the ranges overlap: one begins at key %s, and the one before it %s%s",
                   start, key_range_end(a).size == 0 ? "has no end" : "ends at key ",
                   key_range_end(a).size == 0 ? "" : end);
    haul_error_hint(error, "cover each key by one range or prefix only");
    return HAUL_INVALID;
}

/* Sort the ranges and check that they are disjoint. */
static enum haul_status sort_ranges(struct plan *plan, struct haul_error *error)
{
    if (plan->range_count == 0) {
        return HAUL_OK;
    }
    qsort(plan->ranges, plan->range_count, sizeof(*plan->ranges), compare_ranges);
    for (size_t i = 1; i < plan->range_count; i++) {
        if (key_range_overlaps(&plan->ranges[i - 1], &plan->ranges[i])) {
            return refuse_overlap(&plan->ranges[i - 1], &plan->ranges[i], error);
        }
    }
    return HAUL_OK;
}

static enum haul_status make_ranges(struct plan *plan, const struct haul_source_options *options,
                                    struct haul_error *error)
{
    static const struct haul_range everything = {{NULL, 0}, {NULL, 0}};
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    const struct haul_range *ranges = options->range_count == 0 ? &everything : options->ranges;
    if (count > HAUL_RANGE_COUNT_MAX) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "%zu ranges; at most %d", count,
                       HAUL_RANGE_COUNT_MAX);
        return too_many(error);
    }
    plan->ranges = calloc(count, sizeof(*plan->ranges));
    if (plan->ranges == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    for (size_t i = 0; i < count; i++) {
        enum haul_status status = key_range_init(&plan->ranges[i], ranges[i].start, ranges[i].end);
        if (status != HAUL_OK) {
            return haul_error_set(error, status, NULL, 0,
                                  "the end of a range is not after its "
                                  "start");
        }
        plan->range_count++;
        status = check_range(&plan->ranges[i], error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    return sort_ranges(plan, error);
}

static enum haul_status add_stream(struct plan *plan, uint32_t family, struct haul_slice start,
                                   struct haul_slice end, struct haul_error *error)
{
    if (plan->stream_count == PLAN_STREAM_COUNT_MAX) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "the plan has more than %d streams",
                       PLAN_STREAM_COUNT_MAX);
        return too_many(error);
    }
    struct plan_stream *stream = &plan->streams[plan->stream_count];
    enum haul_status status = key_range_init(&stream->range, start, end);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot store a sub-range");
    }
    stream->id = (uint32_t)plan->stream_count++;
    stream->family = family;
    return HAUL_OK;
}

enum { SPLIT_PARTS_MAX = 256 };

/* A small range is cut into parts of down to a quarter of that, so that every reader has some: one
 * part for each reader that we may choose to have, two for each that the caller requested. More
 * parts would cost more seeks. */
enum { SMALL_SHARE = 4, READERS_CHOSEN_MAX = 4 };

struct cutting {
    uint64_t stream_bytes; /* 0: no cut */
    uint32_t reader_count; /* 0: ours to choose */
};

static uint64_t part_count(uint64_t bytes, uint64_t stream_bytes, uint32_t reader_count)
{
    uint64_t parts = bytes / stream_bytes + 1;
    uint64_t small = bytes / (stream_bytes / SMALL_SHARE + 1) + 1;
    uint64_t wanted = reader_count == 0   ? READERS_CHOSEN_MAX
                      : reader_count == 1 ? 1
                                          : 2 * (uint64_t)reader_count;
    small = small < wanted ? small : wanted;
    parts = parts > small ? parts : small;
    return parts < SPLIT_PARTS_MAX ? parts : SPLIT_PARTS_MAX;
}

/* A stream may begin at any byte string between two records. So a long cut keeps only the bytes
 * that distinguish it from its neighbours, and a few more, so that the parts stay about equal. */
enum { CUT_BYTES_KEPT_WHOLE = 64, CUT_BYTES_BEHIND_DIFFERENCE = 16 };

static size_t common_bytes(struct haul_slice a, struct haul_slice b)
{
    size_t size = 0;
    while (size < a.size && size < b.size && a.data[size] == b.data[size]) {
        size++;
    }
    return size;
}

/* The result is always after the cut before it. */
static struct haul_slice shorten_cut(const struct haul_slice *cuts, size_t cut_count, size_t index)
{
    struct haul_slice cut = cuts[index];
    size_t before = index == 0 ? 0 : common_bytes(cuts[index - 1], cut);
    size_t behind = index + 1 == cut_count ? 0 : common_bytes(cut, cuts[index + 1]);
    size_t size = (before > behind ? before : behind) + CUT_BYTES_BEHIND_DIFFERENCE;
    if (cut_count == 1) {
        size = PLAN_RANGE_KEY_BYTES_MAX;
    }
    size = size < CUT_BYTES_KEPT_WHOLE ? CUT_BYTES_KEPT_WHOLE : size;
    return slice_of(cut.data, size < cut.size ? size : cut.size);
}

/* The bytes that a plan may spend on each range of each family. */
static size_t bounds_bytes_each(const struct plan *plan)
{
    return PLAN_CUTS_BYTES_MAX / (plan->family_count * plan->range_count);
}

/* Keep the cuts that lie inside the range, ascend, and have room in the plan. If all of them
 * together have no room, keep every second, every fourth, and so on. Returns the number of chosen
 * cuts; the caller still frees the memory of each, through `cuts`. */
static size_t choose_cuts(const struct plan *plan, const struct key_range *range,
                          const struct haul_slice *cuts, size_t cut_count,
                          struct haul_slice *chosen)
{
    for (size_t stride = 1;; stride *= 2) {
        struct haul_slice before = key_range_start(range);
        size_t count = 0;
        size_t bytes = 0;
        for (size_t i = stride - 1; i < cut_count; i += stride) {
            struct haul_slice cut = shorten_cut(cuts, cut_count, i);
            if (slice_compare(cut, before) > 0 && key_range_contains(range, cut) &&
                cut.size <= PLAN_RANGE_KEY_BYTES_MAX) {
                chosen[count++] = cut;
                bytes += 2 * cut.size; /* an end and a start */
                before = cut;
            }
        }
        if (bytes <= bounds_bytes_each(plan)) {
            return count;
        }
    }
}

static enum haul_status add_parts(struct plan *plan, uint32_t family, const struct key_range *range,
                                  const struct haul_slice *cuts, size_t cut_count,
                                  struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i <= cut_count && status == HAUL_OK; i++) {
        struct haul_slice from = i == 0 ? key_range_start(range) : cuts[i - 1];
        struct haul_slice to = i == cut_count ? key_range_end(range) : cuts[i];
        status = add_stream(plan, family, from, to, error);
    }
    return status;
}

/* Cut one range of one family by approximate bytes. */
static enum haul_status add_range_streams(struct plan *plan, struct haul_store *store,
                                          uint32_t family, const struct key_range *range,
                                          const struct cutting *cutting, struct haul_error *error)
{
    struct haul_slice start = key_range_start(range);
    struct haul_slice end = key_range_end(range);
    uint32_t family_id = plan->families[family].family.id;
    uint64_t bytes = 0;
    size_t cut_count = 0;
    struct haul_slice cuts[SPLIT_PARTS_MAX];
    struct haul_slice chosen[SPLIT_PARTS_MAX];
    size_t first = plan->stream_count;
    enum haul_status status = store->ops->range_size(store, family_id, start, end, &bytes, error);
    if (status == HAUL_OK && cutting->stream_bytes > 0) {
        uint64_t parts = part_count(bytes, cutting->stream_bytes, cutting->reader_count);
        if (parts > 1) {
            status = store->ops->range_split(store, family_id, start, end, cuts, (size_t)parts - 1,
                                             &cut_count, error);
        }
    }
    if (status == HAUL_OK) {
        size_t count = choose_cuts(plan, range, cuts, cut_count, chosen);
        status = add_parts(plan, family, range, chosen, count, error);
    }
    for (size_t i = first; i < plan->stream_count; i++) {
        plan->streams[i].bytes = bytes / (plan->stream_count - first);
    }
    for (size_t i = 0; i < cut_count; i++) {
        free((void *)(uintptr_t)cuts[i].data);
    }
    return status;
}

static enum haul_status make_streams(struct plan *plan, struct haul_store *store,
                                     const struct cutting *cutting, struct haul_error *error)
{
    plan->streams = calloc(PLAN_STREAM_COUNT_MAX, sizeof(*plan->streams));
    if (plan->streams == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    for (uint32_t family = 0; family < plan->family_count; family++) {
        for (size_t i = 0; i < plan->range_count; i++) {
            enum haul_status status =
                add_range_streams(plan, store, family, &plan->ranges[i], cutting, error);
            if (status != HAUL_OK) {
                return status;
            }
        }
    }
    return HAUL_OK;
}

static size_t bounds_bytes(const struct plan *plan)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->range_count; i++) {
        bytes += plan->ranges[i].start_size + plan->ranges[i].end_size;
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        bytes += plan->streams[i].range.start_size + plan->streams[i].range.end_size;
    }
    return bytes;
}

/* Cuts keep within their share, but the requested bounds may be too many. */
static enum haul_status check_bounds(const struct plan *plan, struct haul_error *error)
{
    size_t bytes = bounds_bytes(plan);
    if (bytes <= PLAN_BOUNDS_BYTES_MAX) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "the bounds of %zu ranges in %zu column families take %zu bytes of the plan; "
                   "at most %d",
                   plan->range_count, plan->family_count, bytes, PLAN_BOUNDS_BYTES_MAX);
    return too_many(error);
}

enum haul_status plan_make(struct plan *plan, struct haul_store *store,
                           const struct haul_source_options *options, uint64_t stream_bytes,
                           struct haul_error *error)
{
    memset(plan, 0, sizeof(*plan));
    plan->overwrite = options->overwrite;
    plan->lane = options->lane;
    enum haul_status status = make_families(plan, store, options, error);
    if (status == HAUL_OK) {
        status = check_readable(plan, store, error);
    }
    if (status == HAUL_OK) {
        status = make_ranges(plan, options, error);
    }
    if (status == HAUL_OK) {
        status = check_orders(plan, error);
    }
    if (status == HAUL_OK) {
        const struct cutting cutting = {stream_bytes, options->reader_count};
        status = make_streams(plan, store, &cutting, error);
    }
    if (status == HAUL_OK) {
        status = check_bounds(plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
    }
    return status;
}

/* --- to the wire ------------------------------------------------------------------------------ */

static bool put_families(const struct plan *plan, haul_control_Plan *message)
{
    message->families = calloc(plan->family_count + 1, sizeof(*message->families));
    if (message->families == NULL) {
        return false;
    }
    message->families_count = (pb_size_t)plan->family_count;
    for (size_t i = 0; i < plan->family_count; i++) {
        const struct plan_family *from = &plan->families[i];
        haul_control_Family *to = &message->families[i];
        (void)snprintf(to->name, sizeof(to->name), "%s", from->family.name);
        (void)snprintf(to->comparator, sizeof(to->comparator), "%s", from->family.comparator);
        (void)snprintf(to->merge_operator, sizeof(to->merge_operator), "%s",
                       from->family.merge_operator);
        to->source_id = from->family.id;
        to->metadata = from->metadata;
    }
    return true;
}

static bool put_ranges(const struct plan *plan, haul_control_Plan *message)
{
    message->ranges = calloc(plan->range_count + 1, sizeof(*message->ranges));
    if (message->ranges == NULL) {
        return false;
    }
    message->ranges_count = (pb_size_t)plan->range_count;
    bool complete = true;
    for (size_t i = 0; i < plan->range_count; i++) {
        message->ranges[i].start = message_bytes(key_range_start(&plan->ranges[i]));
        message->ranges[i].end = message_bytes(key_range_end(&plan->ranges[i]));
        complete = complete && message->ranges[i].start != NULL && message->ranges[i].end != NULL;
    }
    return complete;
}

static bool put_streams(const struct plan *plan, haul_control_Plan *message)
{
    message->streams = calloc(plan->stream_count + 1, sizeof(*message->streams));
    if (message->streams == NULL) {
        return false;
    }
    message->streams_count = (pb_size_t)plan->stream_count;
    bool complete = true;
    for (size_t i = 0; i < plan->stream_count; i++) {
        haul_control_Stream *to = &message->streams[i];
        to->id = plan->streams[i].id;
        to->family = plan->streams[i].family;
        to->bytes = plan->streams[i].bytes;
        to->start = message_bytes(key_range_start(&plan->streams[i].range));
        to->end = message_bytes(key_range_end(&plan->streams[i].range));
        complete = complete && to->start != NULL && to->end != NULL;
    }
    return complete;
}

enum haul_status plan_to_message(const struct plan *plan, struct message *message)
{
    message_init(message, MESSAGE_PLAN);
    haul_control_Plan *to = &message->as.plan;
    to->old_version = plan->old_version;
    to->new_version = plan->new_version;
    to->overwrite = plan->overwrite;
    to->lane = (uint32_t)plan->lane;
    message_put_bytes(
        slice_of(plan->digest_key.bytes, plan->digest_key.used ? DIGEST_KEY_BYTES : 0),
        &to->digest_key.size, to->digest_key.bytes, sizeof(to->digest_key.bytes));
    message_put_bytes(source_proof_slice(&plan->proof), &to->proof.size, to->proof.bytes,
                      sizeof(to->proof.bytes));
    if (put_families(plan, to) && plan_options_put(plan, to) == HAUL_OK && put_ranges(plan, to) &&
        put_streams(plan, to)) {
        return HAUL_OK;
    }
    message_release(message);
    return HAUL_NO_MEMORY;
}

/* --- from the wire ---------------------------------------------------------------------------- */

static enum haul_status bad_plan(struct haul_error *error, const char *why)
{
    return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "the plan is not sound: %s", why);
}

static enum haul_status take_families(struct plan *plan, const haul_control_Plan *message,
                                      struct haul_error *error)
{
    if (message->families_count == 0 || message->families_count > HAUL_FAMILY_COUNT_MAX) {
        return bad_plan(error, "wrong number of column families");
    }
    plan->families = calloc(message->families_count, sizeof(*plan->families));
    if (plan->families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    for (size_t i = 0; i < message->families_count; i++) {
        const haul_control_Family *from = &message->families[i];
        struct plan_family *to = &plan->families[i];
        (void)snprintf(to->family.name, HAUL_NAME_BYTES_MAX, "%s", from->name);
        (void)snprintf(to->family.comparator, HAUL_NAME_BYTES_MAX, "%s", from->comparator);
        (void)snprintf(to->family.merge_operator, HAUL_NAME_BYTES_MAX, "%s", from->merge_operator);
        to->family.id = from->source_id;
        to->metadata = from->metadata;
        if (from->name[0] == '\0') {
            return bad_plan(error, "a column family has no name");
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(plan->families[other].family.name, from->name) == 0) {
                return bad_plan(error, "a column family occurs twice");
            }
        }
        plan->family_count++;
    }
    return HAUL_OK;
}

static enum haul_status take_range(struct key_range *range, const pb_bytes_array_t *start,
                                   const pb_bytes_array_t *end, struct haul_error *error)
{
    struct haul_slice from = message_slice(start);
    struct haul_slice to = message_slice(end);
    if (from.size > PLAN_RANGE_KEY_BYTES_MAX || to.size > PLAN_RANGE_KEY_BYTES_MAX) {
        return bad_plan(error, "a bound is too long");
    }
    enum haul_status status = key_range_init(range, from, to);
    return status == HAUL_INVALID ? bad_plan(error, "a range ends before it starts") : status;
}

static enum haul_status take_ranges(struct plan *plan, const haul_control_Plan *message,
                                    struct haul_error *error)
{
    if (message->ranges_count == 0 || message->ranges_count > HAUL_RANGE_COUNT_MAX) {
        return bad_plan(error, "wrong number of ranges");
    }
    plan->ranges = calloc(message->ranges_count, sizeof(*plan->ranges));
    if (plan->ranges == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    for (size_t i = 0; i < message->ranges_count; i++) {
        enum haul_status status =
            take_range(&plan->ranges[i], message->ranges[i].start, message->ranges[i].end, error);
        if (status != HAUL_OK) {
            return status;
        }
        plan->range_count++;
        if (i > 0 && (slice_compare(key_range_start(&plan->ranges[i - 1]),
                                    key_range_start(&plan->ranges[i])) >= 0 ||
                      key_range_overlaps(&plan->ranges[i - 1], &plan->ranges[i]))) {
            return bad_plan(error, "ranges overlap or are not in order");
        }
    }
    return HAUL_OK;
}

/* The place at which the next stream must begin, since nothing would notice a part that no stream
 * covers. */
struct cover {
    size_t family; /* family_count: everything is covered */
    size_t range;
    struct haul_slice reached;
};

static bool same_bytes(struct haul_slice a, struct haul_slice b)
{
    return slice_compare(a, b) == 0;
}

/* Advance past `stream`. False: it does not begin there, or exceeds the range. */
static bool cover_next(struct cover *cover, const struct plan *plan,
                       const struct plan_stream *stream)
{
    const struct key_range *range = &plan->ranges[cover->range];
    struct haul_slice end = key_range_end(&stream->range);
    struct haul_slice last = key_range_end(range);
    if (stream->family != cover->family ||
        !same_bytes(key_range_start(&stream->range), cover->reached)) {
        return false;
    }
    if (!same_bytes(end, last)) {
        cover->reached = end;
        return end.size > 0 && (last.size == 0 || slice_compare(end, last) < 0);
    }
    cover->range = (cover->range + 1) % plan->range_count;
    cover->family += cover->range == 0 ? 1 : 0;
    cover->reached = key_range_start(&plan->ranges[cover->range]);
    return true;
}

static enum haul_status take_streams(struct plan *plan, const haul_control_Plan *message,
                                     struct haul_error *error)
{
    if (message->streams_count == 0 || message->streams_count > PLAN_STREAM_COUNT_MAX) {
        return bad_plan(error, "wrong number of streams");
    }
    plan->streams = calloc(message->streams_count, sizeof(*plan->streams));
    if (plan->streams == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    struct cover cover = {.reached = key_range_start(&plan->ranges[0])};
    for (size_t i = 0; i < message->streams_count; i++) {
        const haul_control_Stream *from = &message->streams[i];
        struct plan_stream *to = &plan->streams[i];
        if (from->id != i || from->family >= plan->family_count) {
            return bad_plan(error, "a stream has no column family");
        }
        enum haul_status status = take_range(&to->range, from->start, from->end, error);
        if (status != HAUL_OK) {
            return status;
        }
        to->id = from->id;
        to->family = from->family;
        to->bytes = from->bytes;
        plan->stream_count++;
        struct haul_error ignored;
        if (check_order(&plan->families[to->family], &to->range, &ignored) != HAUL_OK) {
            return bad_plan(error, "a stream has bounds in a family that has none");
        }
        if (!cover_next(&cover, plan, to)) {
            return bad_plan(error, "a stream does not begin where the one before it ends");
        }
    }
    return cover.family == plan->family_count
               ? HAUL_OK
               : bad_plan(error, "the streams do not cover all ranges of all column families");
}

/* message_decode has checked the lengths. */
static_assert((int)MESSAGE_DIGEST_KEY_BYTES == (int)DIGEST_KEY_BYTES, "one length");
static_assert((int)MESSAGE_PROOF_BYTES == (int)SOURCE_PROOF_BYTES, "one length");

enum haul_status plan_from_message(struct plan *plan, const struct message *message,
                                   struct haul_error *error)
{
    haul_assert(message->type == MESSAGE_PLAN);
    const haul_control_Plan *from = &message->as.plan;
    memset(plan, 0, sizeof(*plan));
    plan->old_version = from->old_version;
    plan->new_version = from->new_version;
    plan->overwrite = from->overwrite;
    plan->lane = (enum haul_lane)from->lane;
    if (from->digest_key.size == DIGEST_KEY_BYTES) {
        digest_key_init(&plan->digest_key, from->digest_key.bytes);
    }
    source_proof_take(&plan->proof, slice_of(from->proof.bytes, from->proof.size));
    enum haul_status status = HAUL_OK;
    if (from->lane > HAUL_LANE_WRITE_BATCH || from->new_version <= from->old_version) {
        status = bad_plan(error, "wrong lane or versions");
    }
    if (status == HAUL_OK) {
        status = take_families(plan, from, error);
    }
    if (status == HAUL_OK) {
        status = plan_options_take(plan, from, error);
    }
    if (status == HAUL_OK) {
        status = take_ranges(plan, from, error);
    }
    if (status == HAUL_OK) {
        status = take_streams(plan, from, error);
    }
    if (status == HAUL_NO_MEMORY) {
        haul_error_set(error, status, "malloc", 0, "no memory for the plan");
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
    }
    return status;
}

/* --- the rest --------------------------------------------------------------------------------- */

void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->range_count; i++) {
        key_range_fini(&plan->ranges[i]);
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        key_range_fini(&plan->streams[i].range);
    }
    plan_options_fini(plan);
    free(plan->families);
    free(plan->ranges);
    free(plan->streams);
    memset(plan, 0, sizeof(*plan));
}

static bool same_range(const struct key_range *a, const struct key_range *b)
{
    return a->end_size == b->end_size &&
           slice_compare(key_range_start(a), key_range_start(b)) == 0 &&
           slice_compare(key_range_end(a), key_range_end(b)) == 0;
}

bool plan_is_same_request(const struct plan *a, const struct plan *b)
{
    bool same = a->family_count == b->family_count && a->range_count == b->range_count;
    for (size_t i = 0; same && i < a->family_count; i++) {
        same = strcmp(a->families[i].family.name, b->families[i].family.name) == 0 &&
               a->families[i].metadata == b->families[i].metadata;
    }
    for (size_t i = 0; same && i < a->range_count; i++) {
        same = same_range(&a->ranges[i], &b->ranges[i]);
    }
    return same;
}

void plan_continue(struct plan *plan, struct plan *earlier)
{
    struct plan_stream *streams = plan->streams;
    size_t stream_count = plan->stream_count;
    plan->streams = earlier->streams;
    plan->stream_count = earlier->stream_count;
    plan->lane = earlier->lane;
    plan->digest_key = earlier->digest_key;
    plan->overwrite = plan->overwrite || earlier->overwrite;
    earlier->streams = streams;
    earlier->stream_count = stream_count;
}

static bool ranges_overlap(const struct plan *a, const struct plan *b)
{
    bool overlap = false;
    for (size_t i = 0; i < a->range_count && !overlap; i++) {
        for (size_t j = 0; j < b->range_count && !overlap; j++) {
            overlap = key_range_overlaps(&a->ranges[i], &b->ranges[j]);
        }
    }
    return overlap;
}

bool plan_overlaps(const struct plan *a, const struct plan *b)
{
    bool share = false;
    for (size_t i = 0; i < a->family_count && !share; i++) {
        for (size_t j = 0; j < b->family_count && !share; j++) {
            share = strcmp(a->families[i].family.name, b->families[j].family.name) == 0;
        }
    }
    return share && ranges_overlap(a, b);
}

bool plan_equal(const struct plan *a, const struct plan *b)
{
    bool equal = plan_is_same_request(a, b) && a->stream_count == b->stream_count;
    for (size_t i = 0; equal && i < a->stream_count; i++) {
        equal = a->streams[i].family == b->streams[i].family &&
                same_range(&a->streams[i].range, &b->streams[i].range);
    }
    return equal;
}

bool plan_contains(const struct plan *plan, struct haul_slice key)
{
    bool inside = false;
    for (size_t i = 0; i < plan->range_count && !inside; i++) {
        inside = key_range_contains(&plan->ranges[i], key);
    }
    return inside;
}
