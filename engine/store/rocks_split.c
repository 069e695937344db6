/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_split.c — finds keys that cut a range into parts of about equal bytes.
 *
 * Candidates for cuts are the first keys of table files. Between two neighbours with too many bytes
 * between them, bisection finds another one: seek to the byte string half way, until there is a
 * real key strictly between them. RocksDB's approximate sizes give the bytes of files between two
 * candidates, and the running sum selects the cuts. Records that are only in memory are not cut:
 * there are never many. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_size.h"

enum {
    CANDIDATES_PER_PART = 8, /* at least; so parts differ by a quarter at most */
    CANDIDATE_COUNT_MAX = 4096,
    FILE_CANDIDATE_COUNT_MAX = CANDIDATE_COUNT_MAX / 2,
    REFINE_ROUNDS_MAX = 24,
    MIDDLE_BYTES = 16, /* after the common prefix of two neighbours */
};

struct candidates {
    struct haul_slice *keys; /* malloc'ed each, ascending */
    size_t count;
};

/* The state of a split. */
struct split {
    struct rocks_store *store;
    const struct rocks_family *family;
    struct haul_slice first; /* the edges of the records in the range */
    struct haul_slice last;  /* or, by table files, the range's end, exclusive */
    struct haul_slice end;   /* of the range; size 0: none */
    struct candidates candidates;
    uint64_t *sizes; /* bytes between neighbours: candidates.count + 1 intervals */
};

/* --- candidates ------------------------------------------------------------------------------- */

static void add_candidate(struct candidates *candidates, struct haul_slice key)
{
    if (candidates->count < CANDIDATE_COUNT_MAX &&
        rocks_copy_key(key, &candidates->keys[candidates->count])) {
        candidates->count++;
    }
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct haul_slice *)a, *(const struct haul_slice *)b);
}

/* Sort, and drop duplicates. */
static void order_candidates(struct candidates *candidates)
{
    if (candidates->count == 0) {
        return;
    }
    qsort(candidates->keys, candidates->count, sizeof(*candidates->keys), compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < candidates->count; i++) {
        if (slice_compare(candidates->keys[i], candidates->keys[kept - 1]) == 0) {
            rocks_free_key(candidates->keys[i]);
        } else {
            candidates->keys[kept++] = candidates->keys[i];
        }
    }
    candidates->count = kept;
}

static bool file_key(const struct split *split, const rocksdb_livefiles_t *files, int index,
                     struct haul_slice *key)
{
    *key = rocks_smallest_key(files, index);
    return rocks_is_of_family(files, index, split->family) &&
           slice_compare(*key, split->first) > 0 && slice_compare(*key, split->last) <= 0 &&
           (split->end.size == 0 || slice_compare(*key, split->end) < 0);
}

/* Add the first keys of files inside the range; of very many, every n-th. */
static void add_file_keys(struct split *split)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(split->store->db);
    int file_count = rocksdb_livefiles_count(files);
    struct haul_slice key;
    size_t inside = 0;
    for (int i = 0; i < file_count; i++) {
        inside += file_key(split, files, i, &key) ? 1 : 0;
    }
    size_t stride = inside / FILE_CANDIDATE_COUNT_MAX + 1;
    size_t seen = 0;
    for (int i = 0; i < file_count; i++) {
        if (file_key(split, files, i, &key) && seen++ % stride == 0) {
            add_candidate(&split->candidates, key);
        }
    }
    rocksdb_livefiles_destroy(files);
    order_candidates(&split->candidates);
}

/* --- refining --------------------------------------------------------------------------------- */

static size_t common_size(struct haul_slice a, struct haul_slice b)
{
    size_t size = 0;
    while (size < a.size && size < b.size && a.data[size] == b.data[size]) {
        size++;
    }
    return size;
}

/* MIDDLE_BYTES of a key from `offset`, as a fraction in base 256. */
static void fraction_of(struct haul_slice key, size_t offset, uint8_t fraction[MIDDLE_BYTES])
{
    for (size_t i = 0; i < MIDDLE_BYTES; i++) {
        fraction[i] = offset + i < key.size ? key.data[offset + i] : 0;
    }
}

/* (low + high) / 2, rounded down. */
static void halve(const uint8_t low[MIDDLE_BYTES], const uint8_t high[MIDDLE_BYTES],
                  uint8_t middle[MIDDLE_BYTES])
{
    unsigned carry = 0;
    for (size_t i = MIDDLE_BYTES; i-- > 0;) {
        unsigned sum = (unsigned)low[i] + high[i] + carry;
        middle[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    for (size_t i = 0; i < MIDDLE_BYTES; i++) {
        unsigned digit = middle[i] + (carry << 8);
        middle[i] = (uint8_t)(digit / 2);
        carry = digit % 2;
    }
}

/* Add a real key strictly between two neighbours, as near to half way as possible. If the upper
 * half has no key, halve the lower half in turn. */
static void bisect(struct split *split, rocksdb_iterator_t *iterator, struct haul_slice low,
                   struct haul_slice high)
{
    uint8_t floor[MIDDLE_BYTES];
    uint8_t ceiling[MIDDLE_BYTES];
    uint8_t middle[MIDDLE_BYTES];
    size_t common = common_size(low, high);
    uint8_t *target = malloc(common + MIDDLE_BYTES);
    if (target == NULL) {
        return; /* one candidate less */
    }
    if (common > 0) {
        memcpy(target, low.data, common);
    }
    fraction_of(low, common, floor);
    fraction_of(high, common, ceiling);
    for (int step = 0; step < 8 * MIDDLE_BYTES; step++) {
        halve(floor, ceiling, middle);
        memcpy(target + common, middle, MIDDLE_BYTES);
        rocksdb_iter_seek(iterator, (const char *)target, common + MIDDLE_BYTES);
        if (!rocksdb_iter_valid(iterator) || memcmp(middle, floor, MIDDLE_BYTES) == 0) {
            break;
        }
        struct haul_slice found = rocks_current_key(iterator);
        if (slice_compare(found, high) < 0) {
            if (slice_compare(found, low) > 0) {
                add_candidate(&split->candidates, found);
            }
            break;
        }
        memcpy(ceiling, middle, MIDDLE_BYTES);
    }
    free(target);
}

/* Add a candidate in each interval with more than `limit` bytes. False: none found. */
static bool refine(struct split *split, rocksdb_iterator_t *iterator, uint64_t limit)
{
    size_t before = split->candidates.count;
    for (size_t i = 0; i <= before; i++) {
        if (split->sizes[i] > limit) {
            /* New ones are appended after `before`, so the old neighbours stay in place. */
            bisect(split, iterator, i == 0 ? split->first : split->candidates.keys[i - 1],
                   i == before ? split->last : split->candidates.keys[i]);
        }
    }
    order_candidates(&split->candidates);
    return split->candidates.count > before;
}

/* Fill in `sizes` for the present candidates. */
static enum haul_status measure(struct split *split, struct haul_error *error)
{
    size_t count = split->candidates.count + 1;
    struct haul_slice *bounds = calloc(count + 1, sizeof(*bounds));
    free(split->sizes);
    split->sizes = calloc(count, sizeof(*split->sizes));
    if (split->sizes == NULL || bounds == NULL) {
        free(bounds);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to split a range");
    }
    bounds[0] = split->first;
    memcpy(bounds + 1, split->candidates.keys, (count - 1) * sizeof(*bounds));
    bounds[count] = split->last;
    rocks_approximate_sizes(split->store, split->family, bounds, count, split->sizes);
    free(bounds);
    return HAUL_OK;
}

static uint64_t total_of(const struct split *split)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= split->candidates.count; i++) {
        total += split->sizes[i];
    }
    return total;
}

static enum haul_status find_candidates(struct split *split, size_t part_count,
                                        struct haul_error *error)
{
    add_file_keys(split);
    enum haul_status status = measure(split, error);
    if (status != HAUL_OK || rocks_has_large_records(split->store, split->family)) {
        return status;
    }
    struct rocks_bounded bounded =
        rocks_bounded_open(split->store, split->family, split->first, slice_of(NULL, 0));
    bool more = true;
    for (int round = 0; status == HAUL_OK && more && round < REFINE_ROUNDS_MAX; round++) {
        more =
            refine(split, bounded.iterator, total_of(split) / (part_count * CANDIDATES_PER_PART));
        status = more ? measure(split, error) : HAUL_OK;
    }
    rocks_bounded_close(bounded);
    return status;
}

/* --- cutting ---------------------------------------------------------------------------------- */

/* Choose the candidates nearest to where the running sum reaches each part's share. */
static size_t choose_cuts(struct split *split, struct haul_slice *keys, size_t cut_count)
{
    uint64_t share = total_of(split) / (cut_count + 1);
    uint64_t running = 0;
    uint64_t next_cut = share;
    size_t chosen = 0;
    for (size_t i = 0; share > 0 && i < split->candidates.count && chosen < cut_count; i++) {
        running += split->sizes[i];
        /* The next candidate would be farther above the share than this one is below it. */
        if (running + split->sizes[i + 1] / 2 >= next_cut) {
            keys[chosen++] = split->candidates.keys[i];
            split->candidates.keys[i].data = NULL; /* given to the caller */
            while (next_cut <= running + share / 2) {
                next_cut += share;
            }
        }
    }
    return chosen;
}

static void split_fini(struct split *split)
{
    for (size_t i = 0; i < split->candidates.count; i++) {
        rocks_free_key(split->candidates.keys[i]);
    }
    free(split->candidates.keys);
    free(split->sizes);
    rocks_free_key(split->first);
    rocks_free_key(split->last);
}

enum haul_status rocks_range_split(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   struct haul_slice *keys, size_t capacity, size_t *count,
                                   struct haul_error *error)
{
    struct split split = {.store = rocks_of(base), .end = end};
    struct haul_slice edges[2];
    *count = 0;
    enum haul_status status =
        rocks_family_range(split.store, family_id, start, end, &split.family, error);
    if (status != HAUL_OK || capacity == 0 || !rocks_family_is_bytewise(split.family)) {
        return status; /* one part */
    }
    status = rocks_find_edges(split.store, split.family, start, end, edges, error);
    if (status != HAUL_OK) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status;
    }
    split.first = edges[0];
    split.last = edges[1];
    split.candidates.keys = calloc(CANDIDATE_COUNT_MAX, sizeof(*split.candidates.keys));
    if (split.candidates.keys == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to split a range");
    } else {
        status = find_candidates(&split, capacity + 1, error);
    }
    if (status == HAUL_OK) {
        *count = choose_cuts(&split, keys, capacity);
    }
    split_fini(&split);
    return status;
}
