/* SPDX-License-Identifier: Apache-2.0 */
/* failing_store.h — a small in-memory database whose job files lie on a fake disk, for tests in
 * which each call of either one fails in turn.
 *
 * Keys and values have a few bytes. A sweep runs the same step again and again, each time with a
 * new database and the next call failing: the step must report the failure, and after a retry
 * nothing of the failure may be left. Thread: one. */
#ifndef HAUL_TESTS_FAILING_STORE_H
#define HAUL_TESTS_FAILING_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "failing_memory.h"
/* after failing_memory.h: */
#include "fake_disk.h"
#include "haul/store.h"

enum { FAILING_FAMILIES_MAX = 8, FAILING_RECORDS_MAX = 64, FAILING_KEY_BYTES_MAX = 8 };

struct failing_record {
    uint32_t family_id;
    char key[FAILING_KEY_BYTES_MAX];
};

/* The store of the operations. */
static struct failing_store {
    struct haul_store base;
    struct fake_disk disk;
    char families[FAILING_FAMILIES_MAX][16]; /* by id; "": absent */
    struct failing_record records[FAILING_RECORDS_MAX];
    size_t count;
    uint64_t sequence;
    unsigned log_begins;            /* the log does not reach back to before this */
    const struct haul_steps *steps; /* of the last range that was cleared */
    int snapshots;                  /* open */
    int pins;                       /* of the log */
    bool path_is_too_long;
    unsigned call_count;
    unsigned fail_at; /* the call of the store that fails, from 1; 0: none */
} failing;

struct haul_scan {
    uint32_t family_id;
    struct haul_slice start;
    struct haul_slice end;
    size_t at;
};

struct haul_wal_reader {
    uint64_t position;
};

static inline enum haul_status failing_call(struct haul_error *error)
{
    failing.call_count++;
    return failing.call_count == failing.fail_at
               ? haul_error_set(error, HAUL_IO, "store", EIO, "call %u fails", failing.fail_at)
               : HAUL_OK;
}

static inline uint32_t failing_features(const struct haul_store *store)
{
    (void)store;
    return HAUL_STORE_WAL;
}

static inline const char *failing_identity(const struct haul_store *store)
{
    (void)store;
    return "in memory";
}

static inline const char *failing_directory(const struct haul_store *store)
{
    static char endless[5000]; /* no path in it fits */
    memset(endless, 'p', sizeof(endless) - 1);
    (void)store;
    return failing.path_is_too_long ? endless : "/db";
}

static inline const void *failing_files(const struct haul_store *store)
{
    (void)store;
    return &failing.disk.calls;
}

static inline void failing_fill_family(uint32_t id, struct haul_family *family)
{
    memset(family, 0, sizeof(*family));
    family->id = id;
    (void)snprintf(family->name, sizeof(family->name), "%s", failing.families[id]);
    (void)snprintf(family->comparator, sizeof(family->comparator), "leveldb.BytewiseComparator");
}

static inline enum haul_status failing_list(struct haul_store *store, struct haul_family *families,
                                            size_t capacity, size_t *count,
                                            struct haul_error *error)
{
    (void)store;
    *count = 0;
    for (uint32_t id = 0; id < FAILING_FAMILIES_MAX && *count < capacity; id++) {
        if (failing.families[id][0] != '\0') {
            failing_fill_family(id, &families[(*count)++]);
        }
    }
    return failing_call(error);
}

static inline enum haul_status failing_create(struct haul_store *store, const char *name,
                                              struct haul_family *family, struct haul_error *error)
{
    uint32_t id = 1;
    (void)store;
    enum haul_status status = failing_call(error);
    while (failing.families[id][0] != '\0') {
        id++;
    }
    if (status == HAUL_OK) {
        (void)snprintf(failing.families[id], sizeof(failing.families[id]), "%s", name);
        failing_fill_family(id, family);
    }
    return status;
}

static inline enum haul_status failing_drop(struct haul_store *store, const char *name,
                                            struct haul_error *error)
{
    (void)store;
    enum haul_status status = failing_call(error);
    for (uint32_t id = 1; id < FAILING_FAMILIES_MAX && status == HAUL_OK; id++) {
        if (strcmp(failing.families[id], name) == 0) {
            failing.families[id][0] = '\0';
            return HAUL_OK;
        }
    }
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

static inline uint64_t failing_sequence(struct haul_store *store)
{
    (void)store;
    return failing.sequence;
}

static inline bool failing_is_inside(const struct failing_record *record, uint32_t family_id,
                                     struct haul_slice start, struct haul_slice end)
{
    const struct haul_slice key = slice_of(record->key, strlen(record->key));
    return record->family_id == family_id && slice_compare(key, start) >= 0 &&
           (end.size == 0 || slice_compare(key, end) < 0);
}

static inline enum haul_status failing_scan_open(struct haul_store *store,
                                                 const struct haul_snapshot *snapshot,
                                                 uint32_t family_id, struct haul_slice start,
                                                 struct haul_slice end, struct haul_scan **scan,
                                                 struct haul_error *error)
{
    (void)store;
    (void)snapshot;
    enum haul_status status = failing_call(error);
    if (status == HAUL_OK) {
        *scan = __real_calloc(1, sizeof(**scan));
        check_or_stop(*scan != NULL);
        **scan = (struct haul_scan){.family_id = family_id, .start = start, .end = end};
    }
    return status;
}

static inline enum haul_status failing_scan_next(struct haul_scan *scan, struct haul_record *record,
                                                 struct haul_error *error)
{
    enum haul_status status = failing_call(error);
    while (status == HAUL_OK && scan->at < failing.count) {
        const struct failing_record *at = &failing.records[scan->at++];
        if (failing_is_inside(at, scan->family_id, scan->start, scan->end)) {
            record->key = slice_of(at->key, strlen(at->key));
            record->value = slice_of("v", 1);
            return HAUL_OK;
        }
    }
    return status == HAUL_OK ? haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "the end") : status;
}

static inline void failing_scan_close(struct haul_scan *scan)
{
    free(scan);
}

static inline enum haul_status failing_sync(struct haul_store *store, struct haul_error *error)
{
    (void)store;
    return failing_call(error);
}

static inline enum haul_status failing_range_clear(struct haul_store *store, uint32_t family_id,
                                                   struct haul_slice start, struct haul_slice end,
                                                   const struct haul_steps *steps,
                                                   struct haul_error *error)
{
    (void)store;
    failing.steps = steps;
    enum haul_status status = failing_call(error);
    for (size_t i = failing.count; i > 0 && status == HAUL_OK; i--) {
        if (failing_is_inside(&failing.records[i - 1], family_id, start, end)) {
            failing.records[i - 1] = failing.records[--failing.count];
            failing.sequence++;
        }
    }
    return status;
}

static inline enum haul_status failing_range_size(struct haul_store *store, uint32_t family_id,
                                                  struct haul_slice start, struct haul_slice end,
                                                  uint64_t *bytes, struct haul_error *error)
{
    (void)store;
    (void)family_id;
    (void)start;
    (void)end;
    *bytes = 100;
    return failing_call(error);
}

static inline enum haul_status failing_range_split(struct haul_store *store, uint32_t family_id,
                                                   struct haul_slice start, struct haul_slice end,
                                                   struct haul_slice *keys, size_t capacity,
                                                   size_t *count, struct haul_error *error)
{
    (void)store;
    (void)family_id;
    (void)start;
    (void)end;
    (void)keys;
    (void)capacity;
    *count = 0;
    return failing_call(error);
}

static inline enum haul_status failing_snapshot_open(struct haul_store *store,
                                                     struct haul_snapshot **snapshot,
                                                     uint64_t *sequence, struct haul_error *error)
{
    enum haul_status status = failing_call(error);
    if (status == HAUL_OK) {
        *snapshot = (struct haul_snapshot *)store; /* never read */
        *sequence = failing.sequence;
        failing.snapshots++;
    }
    return status;
}

static inline void failing_snapshot_close(struct haul_store *store, struct haul_snapshot *snapshot)
{
    check((void *)snapshot == (void *)store);
    failing.snapshots--;
}

static inline enum haul_status failing_wal_pin(struct haul_store *store, struct haul_error *error)
{
    (void)store;
    enum haul_status status = failing_call(error);
    failing.pins += status == HAUL_OK;
    return status;
}

static inline void failing_wal_unpin(struct haul_store *store)
{
    (void)store;
    failing.pins--;
}

static inline enum haul_status failing_wal_open(struct haul_store *store, uint64_t sequence,
                                                struct haul_wal_reader **reader,
                                                struct haul_error *error)
{
    (void)store;
    enum haul_status status = failing_call(error);
    if (status == HAUL_OK && sequence < failing.log_begins) {
        return haul_error_set(error, HAUL_GAP, NULL, 0, "the log begins later");
    }
    if (status == HAUL_OK) {
        *reader = __real_calloc(1, sizeof(**reader));
        check_or_stop(*reader != NULL);
        (*reader)->position = sequence;
    }
    return status;
}

/* Batches of one record. */
static inline enum haul_status failing_wal_next(struct haul_wal_reader *reader,
                                                struct haul_log_batch *batch,
                                                struct haul_error *error)
{
    memset(batch, 0, sizeof(*batch));
    enum haul_status status = failing_call(error);
    if (status == HAUL_OK && reader->position > failing.sequence) {
        return haul_error_set(error, HAUL_AGAIN, NULL, 0, "nothing newer");
    }
    reader->position += status == HAUL_OK;
    return status;
}

static inline uint64_t failing_wal_position(const struct haul_wal_reader *reader)
{
    return reader->position;
}

static inline void failing_wal_close(struct haul_wal_reader *reader)
{
    free(reader);
}

static const struct haul_store_ops failing_ops = {
    .features = failing_features,
    .identity = failing_identity,
    .directory = failing_directory,
    .files = failing_files,
    .families = failing_list,
    .family_create = failing_create,
    .family_drop = failing_drop,
    .sequence = failing_sequence,
    .scan_open = failing_scan_open,
    .scan_next = failing_scan_next,
    .scan_close = failing_scan_close,
    .snapshot_open = failing_snapshot_open,
    .snapshot_close = failing_snapshot_close,
    .wal_pin = failing_wal_pin,
    .wal_unpin = failing_wal_unpin,
    .sync = failing_sync,
    .flush = failing_sync,
    .range_clear = failing_range_clear,
    .range_size = failing_range_size,
    .range_split = failing_range_split,
    .wal_open = failing_wal_open,
    .wal_next = failing_wal_next,
    .wal_position = failing_wal_position,
    .wal_close = failing_wal_close,
};

/* An empty database with the family "default" and those of `families`. End with
 * failing_store_fini. */
static inline void failing_store_init(const char *const *families, size_t family_count)
{
    memset(&failing, 0, sizeof(failing));
    failing.base.ops = &failing_ops;
    fake_disk_init(&failing.disk, 1);
    (void)snprintf(failing.families[0], sizeof(failing.families[0]), "default");
    for (size_t i = 0; i < family_count; i++) {
        (void)snprintf(failing.families[i + 1], sizeof(failing.families[0]), "%s", families[i]);
    }
}

static inline void failing_store_fini(void)
{
    check_equal(fake_disk_open_count(&failing.disk), 0);
    check(failing.snapshots == 0 && failing.pins == 0);
    fake_disk_fini(&failing.disk);
}

static inline void failing_store_put(uint32_t family_id, const char *key)
{
    struct failing_record *record = &failing.records[failing.count++];
    record->family_id = family_id;
    (void)snprintf(record->key, sizeof(record->key), "%s", key);
    failing.sequence++;
}

static inline bool failing_store_has(uint32_t family_id, const char *key)
{
    for (size_t i = 0; i < failing.count; i++) {
        if (failing.records[i].family_id == family_id && strcmp(failing.records[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static inline size_t failing_store_family_count(void)
{
    size_t count = 0;
    for (uint32_t id = 0; id < FAILING_FAMILIES_MAX; id++) {
        count += failing.families[id][0] != '\0';
    }
    return count;
}

/* Names in "/db/haul" with this ending. */
static inline size_t failing_store_file_count(const char *suffix)
{
    size_t count = 0;
    for (int i = 0; i < failing.disk.name_count; i++) {
        const char *found = strstr(failing.disk.names[i].path, suffix);
        count += failing.disk.names[i].inode >= 0 && found != NULL && strcmp(found, suffix) == 0;
    }
    return count;
}

/* --- sweeps ----------------------------------------------------------------------------------- */

struct failing_step {
    struct haul_error *error;      /* of the step */
    void (*prepare)(void);         /* set up a new database for the step */
    enum haul_status (*act)(void); /* the step under test; may be repeated */
    void (*look)(bool was_failed); /* describe the state at the end */
    unsigned disk_calls_min;       /* at least this many calls can fail */
    unsigned store_calls_min;
    unsigned silent;       /* calls of the disk that only tidy up, whose failure is not reported */
    unsigned silent_store; /* calls of the store that only estimate */
    bool silent_any;       /* their number depends on the state */
    bool silent_memory;    /* it can do without some allocations */
    bool fixed_path;       /* the step names the folder itself */
    bool without_memory;   /* what cannot be read for want of memory is left as it is */
};

enum failing_part { FAILING_STORE, FAILING_DISK, FAILING_MEMORY };

enum { FAILING_CALLS_MAX = 400 };

/* Call `at` of the part fails from here on; 0: none of any. */
static inline void failing_fail(enum failing_part part, unsigned at)
{
    failing.call_count = 0;
    failing.fail_at = part == FAILING_STORE ? at : 0;
    fake_disk_fail(&failing.disk, part == FAILING_DISK ? at : 0, false);
    failing_memory_fail(part == FAILING_MEMORY ? at : 0);
}

static inline bool failing_was_reached(enum failing_part part, unsigned at)
{
    unsigned count = part == FAILING_DISK    ? failing.disk.call_count
                     : part == FAILING_STORE ? failing.call_count
                                             : failing_memory.call_count;
    return count >= at;
}

/* What a test does itself in the middle of a step never fails. */
struct failing_held {
    unsigned fail_at;
    unsigned call_count;
    struct failing_memory memory;
};

static inline struct failing_held failing_hold(void)
{
    const struct failing_held held = {failing.fail_at, failing.call_count, failing_memory};
    failing.fail_at = 0;
    failing_memory.fail_at = 0;
    return held;
}

static inline void failing_go_on(const struct failing_held *held)
{
    failing.fail_at = held->fail_at;
    failing.call_count = held->call_count;
    failing_memory = held->memory;
}

/* True: the call was reached. `*silent` counts failures that were not reported. */
static inline bool failing_sweep_one(const struct failing_step *step, enum failing_part part,
                                     unsigned at, unsigned *silent)
{
    step->prepare();
    failing_fail(part, at);
    memset(step->error, 0, sizeof(*step->error));
    enum haul_status status = step->act();
    bool reached = failing_was_reached(part, at);
    failing_fail(part, 0);
    check(status == HAUL_OK || (step->error->status == status && step->error->text[0] != '\0'));
    check(step->error->status != HAUL_IO || status == HAUL_OK || step->error->code == EIO);
    check(part != FAILING_MEMORY || status == HAUL_OK || status == HAUL_NO_MEMORY);
    check(reached || status == HAUL_OK);
    if (status != HAUL_OK) {
        check_status(step->act(), HAUL_OK);
    } else if (reached) {
        (*silent)++;
    }
    step->look(status != HAUL_OK);
    failing_store_fini();
    return reached;
}

/* The power fails at call `at` of the disk: nothing works any more, and the seed decides what
 * remains of everything that was not synced. */
static inline bool failing_power_one(const struct failing_step *step, unsigned at, unsigned seed)
{
    step->prepare();
    failing.disk.random = seed;
    fake_disk_fail(&failing.disk, at, true);
    enum haul_status status = step->act();
    bool reached = failing.disk.call_count >= at;
    fake_disk_crash(&failing.disk);
    check_status(step->act(), HAUL_OK);
    step->look(status != HAUL_OK);
    failing_store_fini();
    return reached;
}

static inline void failing_sweep_power(const struct failing_step *step)
{
    enum { SEED_COUNT = 3 };
    unsigned at = 1;
    bool reached = true;
    for (; reached && at < FAILING_CALLS_MAX; at++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            reached = failing_power_one(step, at, seed);
        }
    }
    check(at < FAILING_CALLS_MAX && at > step->disk_calls_min);
}

static inline void failing_sweep_path(const struct failing_step *step)
{
    step->prepare();
    memset(step->error, 0, sizeof(*step->error));
    failing.path_is_too_long = true;
    enum haul_status status = step->act();
    failing.path_is_too_long = false;
    check_status(status, HAUL_INVALID);
    check_equal(step->error->status, HAUL_INVALID);
    check(strstr(step->error->text, "too long") != NULL);
    check(strstr(step->error->hint, "use a shorter path") != NULL);
    check_status(step->act(), HAUL_OK);
    step->look(true);
    failing_store_fini();
}

static inline void failing_sweep_part(const struct failing_step *step, enum failing_part part,
                                      unsigned calls_min, unsigned silent_expected, bool silent_any)
{
    static const char *const names[] = {[FAILING_STORE] = "calls of the store",
                                        [FAILING_DISK] = "calls of the disk",
                                        [FAILING_MEMORY] = "allocations"};
    unsigned silent = 0;
    unsigned at = 1;
    while (at < FAILING_CALLS_MAX && failing_sweep_one(step, part, at, &silent)) {
        at++;
    }
    check(at < FAILING_CALLS_MAX && at > calls_min);
    if (silent != silent_expected && !silent_any) {
        (void)printf("  of %u %s nobody is told when they fail, expected %u\n", silent, names[part],
                     silent_expected);
    }
    check(silent == silent_expected || silent_any);
}

/* Every call of the disk, every call of the store, and every allocation. */
static inline void failing_sweep(const struct failing_step *step)
{
    bool any = step->silent_any;
    failing_sweep_part(step, FAILING_STORE, step->store_calls_min, step->silent_store, any);
    failing_sweep_part(step, FAILING_DISK, step->disk_calls_min, step->silent, any);
    if (!step->fixed_path) {
        failing_sweep_path(step);
    }
    if (!step->without_memory) {
        failing_sweep_part(step, FAILING_MEMORY, 0, 0, step->silent_memory);
    }
}

#endif
