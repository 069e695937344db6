/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_split.c — sizes of ranges, and keys that cut a range into parts of about equal bytes.
 *
 * Candidates are the first keys of table files and, where these are too few, real keys found by
 * seeking to byte strings between two neighbours. RocksDB's approximate sizes then say how many
 * bytes lie between any two candidates, and the cuts are chosen by the running sum. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_store.h"

enum {
    CANDIDATES_PER_PART = 8,
    CANDIDATE_COUNT_MAX = 4096,
    MIDDLE_BYTES_MAX = 64,
};

struct candidates {
    struct haul_slice *keys; /* malloc'ed each, ascending */
    size_t count;
    size_t capacity;
};

/* --- sizes ------------------------------------------------------------------------------------ */

static void approximate_sizes(struct rocks_store *store, rocksdb_column_family_handle_t *handle,
                              const struct haul_slice *bounds, size_t count, uint64_t *sizes)
{
    /* `count` intervals between count + 1 bounds. */
    const char **starts = calloc(count + 1, sizeof(*starts));
    size_t *start_sizes = calloc(count + 1, sizeof(*start_sizes));
    char *message = NULL;
    if (starts != NULL && start_sizes != NULL) {
        for (size_t i = 0; i <= count; i++) {
            starts[i] = (const char *)bounds[i].data;
            start_sizes[i] = bounds[i].size;
        }
        rocksdb_approximate_sizes_cf(store->db, handle, (int)count, starts, start_sizes,
                                     starts + 1, start_sizes + 1, sizes, &message);
    }
    /* An estimate that fails counts as nothing: the split is then less even, never wrong. */
    rocksdb_free(message);
    free(starts);
    free(start_sizes);
}

static rocksdb_iterator_t *bounded_iterator(struct rocks_store *store,
                                            rocksdb_column_family_handle_t *handle,
                                            struct haul_slice start, struct haul_slice end,
                                            rocksdb_readoptions_t **options)
{
    *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_total_order_seek(*options, 1);
    rocksdb_readoptions_set_fill_cache(*options, 0);
    if (start.size > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(*options, (const char *)start.data,
                                                    start.size);
    }
    if (end.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(*options, (const char *)end.data, end.size);
    }
    return rocksdb_create_iterator_cf(store->db, *options, handle);
}

static enum haul_status copy_key(const rocksdb_iterator_t *iterator, struct haul_slice *key,
                                 struct haul_error *error)
{
    size_t size = 0;
    const char *data = rocksdb_iter_key(iterator, &size);
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
    }
    memcpy(copy, data, size);
    *key = slice_of(copy, size);
    return HAUL_OK;
}

enum haul_status rocks_last_key(struct rocks_store *store, uint32_t family_id,
                                struct haul_slice start, struct haul_slice end,
                                struct haul_slice *key, struct haul_error *error)
{
    rocksdb_column_family_handle_t *handle = rocks_handle(store, family_id);
    if (handle == NULL) {
        return rocks_no_family(family_id, error);
    }
    rocksdb_readoptions_t *options = NULL;
    rocksdb_iterator_t *iterator = bounded_iterator(store, handle, start, end, &options);
    rocksdb_iter_seek_to_last(iterator);
    char *message = NULL;
    rocksdb_iter_get_error(iterator, &message);
    enum haul_status status = rocks_error(message, "seek to last", error);
    if (status == HAUL_OK) {
        status = rocksdb_iter_valid(iterator) ? copy_key(iterator, key, error) : HAUL_NOT_FOUND;
    }
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return status;
}

enum haul_status rocks_range_size(struct haul_store *base, uint32_t family_id,
                                  struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                  struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    struct haul_slice last = {NULL, 0};
    enum haul_status status = rocks_last_key(store, family_id, start, end, &last, error);
    *bytes = 0;
    if (status == HAUL_OK) {
        struct haul_slice bounds[] = {start, end.size > 0 ? end : last};
        approximate_sizes(store, rocks_handle(store, family_id), bounds, 1, bytes);
        free((void *)(uintptr_t)last.data);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* --- candidates ------------------------------------------------------------------------------- */

static void free_candidates(struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        free((void *)(uintptr_t)candidates->keys[i].data);
    }
    free(candidates->keys);
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
            free((void *)(uintptr_t)candidates->keys[i].data);
        } else {
            candidates->keys[kept++] = candidates->keys[i];
        }
    }
    candidates->count = kept;
}

static void add_candidate(struct candidates *candidates, const void *data, size_t size)
{
    uint8_t *copy = candidates->count < candidates->capacity ? malloc(size + 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, data, size);
        candidates->keys[candidates->count++] = slice_of(copy, size);
    }
}

static void add_file_keys(struct rocks_store *store, const char *family_name,
                          struct haul_slice first, struct haul_slice end,
                          struct candidates *candidates)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(store->db);
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        size_t size = 0;
        const char *key = rocksdb_livefiles_smallestkey(files, i, &size);
        struct haul_slice slice = slice_of(key, size);
        if (strcmp(rocksdb_livefiles_column_family_name(files, i), family_name) == 0 &&
            slice_compare(slice, first) > 0 && (end.size == 0 || slice_compare(slice, end) < 0)) {
            add_candidate(candidates, key, size);
        }
    }
    rocksdb_livefiles_destroy(files);
}

/* The byte string half way between two keys, read as fractions of base 256. */
static size_t middle_of(struct haul_slice low, struct haul_slice high, uint8_t *middle)
{
    unsigned carry = 0;
    for (size_t i = MIDDLE_BYTES_MAX; i-- > 0;) {
        unsigned sum = (i < low.size ? low.data[i] : 0U) + (i < high.size ? high.data[i] : 0U);
        sum += carry;
        middle[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    for (size_t i = 0; i < MIDDLE_BYTES_MAX; i++) {
        unsigned digit = middle[i] + (carry << 8);
        middle[i] = (uint8_t)(digit / 2);
        carry = digit % 2;
    }
    return MIDDLE_BYTES_MAX;
}

/* Double the candidates: a real key at about the middle of each interval that is not small. */
static bool refine(rocksdb_iterator_t *iterator, struct candidates *candidates,
                   struct haul_slice first, struct haul_slice last, const uint64_t *sizes,
                   uint64_t small)
{
    size_t before = candidates->count;
    for (size_t i = 0; i <= before && candidates->count < candidates->capacity; i++) {
        struct haul_slice low = i == 0 ? first : candidates->keys[i - 1];
        struct haul_slice high = i == before ? last : candidates->keys[i];
        if (sizes[i] <= small) {
            continue;
        }
        uint8_t middle[MIDDLE_BYTES_MAX];
        size_t size = middle_of(low, high, middle);
        rocksdb_iter_seek(iterator, (const char *)middle, size);
        if (!rocksdb_iter_valid(iterator)) {
            continue;
        }
        size_t key_size = 0;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        struct haul_slice found = slice_of(key, key_size);
        if (slice_compare(found, low) > 0 && slice_compare(found, high) < 0) {
            add_candidate(candidates, key, key_size);
        }
    }
    order_candidates(candidates);
    return candidates->count > before;
}

/* Bytes between neighbours: candidates->count + 1 intervals. NULL: no memory. */
static uint64_t *measure(struct rocks_store *store, rocksdb_column_family_handle_t *handle,
                         const struct candidates *candidates, struct haul_slice first,
                         struct haul_slice last)
{
    size_t count = candidates->count + 1;
    uint64_t *sizes = calloc(count, sizeof(*sizes));
    struct haul_slice *bounds = calloc(count + 1, sizeof(*bounds));
    if (sizes != NULL && bounds != NULL) {
        bounds[0] = first;
        for (size_t i = 0; i < candidates->count; i++) {
            bounds[i + 1] = candidates->keys[i];
        }
        bounds[count] = last;
        approximate_sizes(store, handle, bounds, count, sizes);
    }
    free(bounds);
    return sizes;
}

static uint64_t sum_of(const uint64_t *sizes, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += sizes[i];
    }
    return sum;
}

/* Refine until every interval is a small piece of one part, or nothing more is found. */
static uint64_t *find_candidates(struct rocks_store *store, rocksdb_column_family_handle_t *handle,
                                 struct candidates *candidates, struct haul_slice first,
                                 struct haul_slice last, size_t part_count)
{
    rocksdb_readoptions_t *options = NULL;
    rocksdb_iterator_t *iterator =
        bounded_iterator(store, handle, first, slice_of(NULL, 0), &options);
    order_candidates(candidates);
    uint64_t *sizes = measure(store, handle, candidates, first, last);
    bool more = true;
    for (int round = 0; sizes != NULL && more && round < 24; round++) {
        uint64_t total = sum_of(sizes, candidates->count + 1);
        uint64_t small = total / (part_count * CANDIDATES_PER_PART);
        more = refine(iterator, candidates, first, last, sizes, small);
        if (more) {
            free(sizes);
            sizes = measure(store, handle, candidates, first, last);
        }
    }
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return sizes;
}

/* Take the candidates at which the running sum passes the next part's share. */
static size_t choose_cuts(struct candidates *candidates, const uint64_t *sizes,
                          struct haul_slice *keys, size_t cut_count)
{
    uint64_t total = sum_of(sizes, candidates->count + 1);
    uint64_t running = 0;
    size_t chosen = 0;
    for (size_t i = 0; i < candidates->count && chosen < cut_count; i++) {
        running += sizes[i];
        if (running >= total / (cut_count + 1) * (chosen + 1)) {
            keys[chosen++] = candidates->keys[i];
            candidates->keys[i].data = NULL; /* given away */
        }
    }
    return chosen;
}

static enum haul_status first_key(struct rocks_store *store,
                                  rocksdb_column_family_handle_t *handle, struct haul_slice start,
                                  struct haul_slice end, struct haul_slice *key,
                                  struct haul_error *error)
{
    rocksdb_readoptions_t *options = NULL;
    rocksdb_iterator_t *iterator = bounded_iterator(store, handle, start, end, &options);
    rocksdb_iter_seek_to_first(iterator);
    enum haul_status status =
        rocksdb_iter_valid(iterator) ? copy_key(iterator, key, error) : HAUL_NOT_FOUND;
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return status;
}

static bool is_bytewise(struct rocks_store *store, uint32_t family_id, const char **name)
{
    bool bytewise = false;
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].family.id == family_id) {
            *name = store->families[i].family.name;
            bytewise = strcmp(store->families[i].family.comparator, ROCKS_BYTEWISE) == 0;
        }
    }
    return bytewise;
}

enum haul_status rocks_range_split(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   struct haul_slice *keys, size_t capacity, size_t *count,
                                   struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    rocksdb_column_family_handle_t *handle = rocks_handle(store, family_id);
    const char *name = "";
    *count = 0;
    if (handle == NULL) {
        return rocks_no_family(family_id, error);
    }
    if (capacity == 0 || !is_bytewise(store, family_id, &name)) {
        return HAUL_OK; /* one part */
    }
    struct haul_slice first = {NULL, 0};
    struct haul_slice last = {NULL, 0};
    struct candidates candidates = {.capacity = CANDIDATE_COUNT_MAX};
    uint64_t *sizes = NULL;
    enum haul_status status = first_key(store, handle, start, end, &first, error);
    if (status == HAUL_OK) {
        status = rocks_last_key(store, family_id, start, end, &last, error);
    }
    if (status == HAUL_OK) {
        candidates.keys = calloc(CANDIDATE_COUNT_MAX, sizeof(*candidates.keys));
        if (candidates.keys != NULL) {
            add_file_keys(store, name, first, end, &candidates);
            sizes = find_candidates(store, handle, &candidates, first, last, capacity + 1);
        }
        if (sizes == NULL) {
            status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to split");
        }
    }
    if (status == HAUL_OK) {
        *count = choose_cuts(&candidates, sizes, keys, capacity);
    }
    free(sizes);
    free_candidates(&candidates);
    free((void *)(uintptr_t)first.data);
    free((void *)(uintptr_t)last.data);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}
