/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_split.c — sizes of ranges, and keys that cut a range into parts of about equal bytes.
 *
 * Candidates for cuts are the first keys of table files. Between two neighbours with too many bytes
 * in between, a further one is found by bisection: seek to the byte string half way, until a real
 * key strictly between them turns up. RocksDB's approximate sizes say how many bytes of files lie
 * between any two candidates, and the cuts are chosen by the running sum. Records that are only in
 * memory are not cut: there are never many. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_store.h"

enum {
    CANDIDATES_PER_PART = 8, /* at least; so parts differ by a quarter at most */
    CANDIDATE_COUNT_MAX = 4096,
    FILE_CANDIDATE_COUNT_MAX = CANDIDATE_COUNT_MAX / 2,
    REFINE_ROUNDS_MAX = 24,
    MIDDLE_BYTES = 16, /* behind what two neighbours have in common */
    LARGE_RECORD_BYTES = 256 << 10,
    EXACT_SIZE_BYTES = 1 << 20, /* smaller ranges are counted, not estimated */
};

struct candidates {
    struct haul_slice *keys; /* malloc'ed each, ascending */
    size_t count;
};

/* What a split works on. */
struct split {
    struct rocks_store *store;
    const struct rocks_family *family;
    struct haul_slice first; /* the first and the last key of the range */
    struct haul_slice last;
    struct candidates candidates;
    uint64_t *sizes; /* bytes between neighbours: candidates.count + 1 intervals */
};

void rocks_free_key(struct haul_slice key)
{
    free((void *)(uintptr_t)key.data);
}

/* --- iterators -------------------------------------------------------------------------------- */

struct bounded {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
};

static struct bounded bounded_open(struct rocks_store *store, const struct rocks_family *family,
                                   struct haul_slice start, struct haul_slice end)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_total_order_seek(options, 1);
    rocksdb_readoptions_set_fill_cache(options, 0);
    if (start.size > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(options, (const char *)start.data, start.size);
    }
    if (end.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.data, end.size);
    }
    return (struct bounded){options,
                            rocksdb_create_iterator_cf(store->db, options, family->handle)};
}

static void bounded_close(struct bounded bounded)
{
    rocksdb_iter_destroy(bounded.iterator);
    rocksdb_readoptions_destroy(bounded.options);
}

static struct haul_slice current_key(const rocksdb_iterator_t *iterator)
{
    size_t size = 0;
    const char *data = rocksdb_iter_key(iterator, &size);
    return slice_of(data, size);
}

static bool copy_key(struct haul_slice key, struct haul_slice *copy)
{
    uint8_t *memory = malloc(key.size + 1);
    if (memory == NULL) {
        return false;
    }
    if (key.size > 0) {
        memcpy(memory, key.data, key.size);
    }
    *copy = slice_of(memory, key.size);
    return true;
}

/* A copy of the key that the iterator stands on. Errors: NOT_FOUND (on none), others. */
static enum haul_status take_key(const rocksdb_iterator_t *iterator, struct haul_slice *key,
                                 struct haul_error *error)
{
    if (rocksdb_iter_valid(iterator)) {
        return copy_key(current_key(iterator), key)
                   ? HAUL_OK
                   : haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
    }
    char *message = NULL;
    rocksdb_iter_get_error(iterator, &message);
    enum haul_status status = rocks_error(message, "seek", error);
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

enum haul_status rocks_edge_keys(struct rocks_store *store, const struct rocks_family *family,
                                 struct haul_slice start, struct haul_slice end,
                                 struct haul_slice edges[2], struct haul_error *error)
{
    struct bounded bounded = bounded_open(store, family, start, end);
    struct haul_slice found[2] = {{NULL, 0}, {NULL, 0}};
    rocksdb_iter_seek_to_first(bounded.iterator);
    enum haul_status status = take_key(bounded.iterator, &found[0], error);
    if (status == HAUL_OK) {
        rocksdb_iter_seek_to_last(bounded.iterator);
        status = take_key(bounded.iterator, &found[1], error);
    }
    bounded_close(bounded);
    if (status != HAUL_OK) {
        rocks_free_key(found[0]);
        return status;
    }
    edges[0] = found[0];
    edges[1] = found[1];
    return HAUL_OK;
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* Bytes of files in each of the `count` intervals between count + 1 bounds. */
static void approximate_sizes(struct rocks_store *store, const struct rocks_family *family,
                              const struct haul_slice *bounds, size_t count, uint64_t *sizes)
{
    const char **starts = calloc(count + 1, sizeof(*starts));
    size_t *start_sizes = calloc(count + 1, sizeof(*start_sizes));
    char *message = NULL;
    if (starts != NULL && start_sizes != NULL) {
        for (size_t i = 0; i <= count; i++) {
            starts[i] = (const char *)bounds[i].data;
            start_sizes[i] = bounds[i].size;
        }
        rocksdb_approximate_sizes_cf(store->db, family->handle, (int)count, starts, start_sizes,
                                     starts + 1, start_sizes + 1, sizes, &message);
    }
    /* An estimate that fails counts as nothing: the split is then less even, never wrong. */
    rocksdb_free(message);
    free(starts);
    free(start_sizes);
}

/* Keys and values of a range, counted; false: there are more than EXACT_SIZE_BYTES. */
static bool count_bytes(const struct bounded *bounded, uint64_t *bytes)
{
    *bytes = 0;
    rocksdb_iter_seek_to_first(bounded->iterator);
    while (rocksdb_iter_valid(bounded->iterator) && *bytes <= EXACT_SIZE_BYTES) {
        size_t size = 0;
        (void)rocksdb_iter_value(bounded->iterator, &size);
        *bytes += size + current_key(bounded->iterator).size;
        rocksdb_iter_next(bounded->iterator);
    }
    return *bytes <= EXACT_SIZE_BYTES;
}

static uint64_t property(struct rocks_store *store, const struct rocks_family *family,
                         const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int_cf(store->db, family->handle, name, &value) == 0 ? value : 0;
}

/* RocksDB estimates files only: what is in memory is taken to be spread as the files are. */
static uint64_t memory_share(struct rocks_store *store, const struct rocks_family *family,
                             uint64_t file_bytes)
{
    uint64_t memory = property(store, family, "rocksdb.cur-size-all-mem-tables");
    uint64_t all_files = property(store, family, "rocksdb.live-sst-files-size");
    if (file_bytes >= all_files) {
        return memory;
    }
    return (uint64_t)((double)memory * ((double)file_bytes / (double)all_files));
}

static enum haul_status estimate(struct rocks_store *store, const struct rocks_family *family,
                                 struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                 struct haul_error *error)
{
    struct haul_slice edges[2];
    enum haul_status status = rocks_edge_keys(store, family, start, end, edges, error);
    if (status == HAUL_OK) {
        approximate_sizes(store, family, edges, 1, bytes);
        *bytes += memory_share(store, family, *bytes);
        rocks_free_key(edges[0]);
        rocks_free_key(edges[1]);
    }
    return status;
}

enum haul_status rocks_range_size(struct haul_store *base, uint32_t family_id,
                                  struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                  struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family_range(store, family_id, start, end, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t counted = 0;
    uint64_t estimated = 0;
    struct bounded bounded = bounded_open(store, family, start, end);
    bool is_exact = count_bytes(&bounded, &counted);
    char *message = NULL;
    rocksdb_iter_get_error(bounded.iterator, &message);
    bounded_close(bounded);
    status = rocks_error(message, "scan", error);
    if (status == HAUL_OK && !is_exact) {
        status = estimate(store, family, start, end, &estimated, error);
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* all deleted meanwhile */
    }
    if (status == HAUL_OK) {
        *bytes = counted > estimated ? counted : estimated;
    }
    return status;
}

/* --- candidates ------------------------------------------------------------------------------- */

static void add_candidate(struct candidates *candidates, struct haul_slice key)
{
    if (candidates->count < CANDIDATE_COUNT_MAX &&
        copy_key(key, &candidates->keys[candidates->count])) {
        candidates->count++;
    }
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct haul_slice *)a, *(const struct haul_slice *)b);
}

/* Sort, and drop what stands twice. */
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
    size_t size = 0;
    const char *data = rocksdb_livefiles_smallestkey(files, index, &size);
    *key = slice_of(data, size);
    return strcmp(rocksdb_livefiles_column_family_name(files, index), split->family->family.name) ==
               0 &&
           slice_compare(*key, split->first) > 0 && slice_compare(*key, split->last) <= 0;
}

/* First keys of files inside the range; of very many, every n-th. */
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

/* MIDDLE_BYTES of a key from `offset`, as digits of base 256 behind the point. */
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

/* Add a real key strictly between two neighbours, as near to half way as there is one. Where the
 * upper half holds none, the lower half is halved in turn. */
static void bisect(struct split *split, rocksdb_iterator_t *iterator, struct haul_slice low,
                   struct haul_slice high)
{
    uint8_t floor[MIDDLE_BYTES];
    uint8_t ceiling[MIDDLE_BYTES];
    uint8_t middle[MIDDLE_BYTES];
    size_t common = common_size(low, high);
    uint8_t *target = malloc(common + MIDDLE_BYTES);
    if (target == NULL) {
        return; /* a candidate less */
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
        struct haul_slice found = current_key(iterator);
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

/* A further candidate in each interval with more than `limit` bytes. False: none was found. */
static bool refine(struct split *split, rocksdb_iterator_t *iterator, uint64_t limit)
{
    size_t before = split->candidates.count;
    for (size_t i = 0; i <= before; i++) {
        if (split->sizes[i] > limit) {
            /* New ones go behind `before`, so the old neighbours stay where they are. */
            bisect(split, iterator, i == 0 ? split->first : split->candidates.keys[i - 1],
                   i == before ? split->last : split->candidates.keys[i]);
        }
    }
    order_candidates(&split->candidates);
    return split->candidates.count > before;
}

/* Fill in `sizes` for the candidates as they are. */
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
    approximate_sizes(split->store, split->family, bounds, count, split->sizes);
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

/* A seek reads the record that it finds: where these are large, the files have to do. */
static bool has_large_records(const struct split *split)
{
    uint64_t records = property(split->store, split->family, "rocksdb.estimate-num-keys");
    uint64_t bytes = property(split->store, split->family, "rocksdb.live-sst-files-size");
    return records > 0 && bytes / records > LARGE_RECORD_BYTES;
}

static enum haul_status find_candidates(struct split *split, size_t part_count,
                                        struct haul_error *error)
{
    add_file_keys(split);
    enum haul_status status = measure(split, error);
    if (status != HAUL_OK || has_large_records(split)) {
        return status;
    }
    struct bounded bounded =
        bounded_open(split->store, split->family, split->first, slice_of(NULL, 0));
    bool more = true;
    for (int round = 0; status == HAUL_OK && more && round < REFINE_ROUNDS_MAX; round++) {
        more =
            refine(split, bounded.iterator, total_of(split) / (part_count * CANDIDATES_PER_PART));
        status = more ? measure(split, error) : HAUL_OK;
    }
    bounded_close(bounded);
    return status;
}

/* --- cutting ---------------------------------------------------------------------------------- */

/* Take the candidates nearest to where the running sum reaches each part's share. */
static size_t choose_cuts(struct split *split, struct haul_slice *keys, size_t cut_count)
{
    uint64_t share = total_of(split) / (cut_count + 1);
    uint64_t running = 0;
    uint64_t next_cut = share;
    size_t chosen = 0;
    for (size_t i = 0; share > 0 && i < split->candidates.count && chosen < cut_count; i++) {
        running += split->sizes[i];
        /* The next candidate would be farther behind the share than this one is before it. */
        if (running + split->sizes[i + 1] / 2 >= next_cut) {
            keys[chosen++] = split->candidates.keys[i];
            split->candidates.keys[i].data = NULL; /* given away */
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
    struct split split = {.store = rocks_of(base)};
    struct haul_slice edges[2];
    *count = 0;
    enum haul_status status =
        rocks_family_range(split.store, family_id, start, end, &split.family, error);
    if (status != HAUL_OK || capacity == 0 || !rocks_family_is_bytewise(split.family)) {
        return status; /* one part */
    }
    status = rocks_edge_keys(split.store, split.family, start, end, edges, error);
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
