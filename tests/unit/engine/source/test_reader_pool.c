/* SPDX-License-Identifier: Apache-2.0 */
/* test_reader_pool.c — tasks over a store of numbered keys: what they send, what they count, and
 * how they end early. */
#include "reader_pool.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_history.h"
#include "bytes.h"
#include "check.h"
#include "raw_batch.h"

enum {
    KEY_COUNT = 100,
    KEY_BYTES = 8,
    FAMILY = 3,
    TARGET_FAMILY = 7,
    BLOCK_COUNT = 64,
    BLOCK_BYTES = SLOT_HEADER_BYTES + 512,
    WAIT_MS = 20000,
    NEVER = -1,
};

/* --- a store of numbered keys, which may be without end --------------------------------------- */

static atomic_bool endless;
static atomic_uint scanned_count;
static int fails_at; /* this key cannot be read */

struct haul_scan {
    uint32_t next;
    uint32_t end;
    char key[KEY_BYTES + 1];
};

static uint32_t number_of(struct haul_slice key)
{
    char text[KEY_BYTES + 1] = "";
    check_or_stop(key.size <= KEY_BYTES);
    memcpy(text, key.data, key.size);
    return (uint32_t)strtoul(text, NULL, 10);
}

static struct haul_slice key_of(uint32_t number, char text[KEY_BYTES + 1])
{
    (void)snprintf(text, KEY_BYTES + 1, "%08u", number);
    return slice_of(text, KEY_BYTES);
}

static enum haul_status fake_open(struct haul_store *store, const struct haul_snapshot *snapshot,
                                  uint32_t family_id, struct haul_slice start,
                                  struct haul_slice end, struct haul_scan **scan,
                                  struct haul_error *error)
{
    (void)store;
    (void)snapshot;
    (void)error;
    check_equal(family_id, FAMILY);
    *scan = calloc(1, sizeof(**scan));
    check_or_stop(*scan != NULL);
    (*scan)->next = start.size == 0 ? 0 : number_of(start);
    (*scan)->end = end.size == 0 ? KEY_COUNT : number_of(end);
    return HAUL_OK;
}

static enum haul_status fake_next(struct haul_scan *scan, struct haul_record *record,
                                  struct haul_error *error)
{
    atomic_fetch_add(&scanned_count, 1);
    if ((int)scan->next == fails_at) {
        return haul_error_set(error, HAUL_IO, "read", 5, "a damaged block");
    }
    if (scan->next == scan->end && !atomic_load(&endless)) {
        return HAUL_NOT_FOUND;
    }
    record->key = key_of(scan->next++, scan->key);
    record->value = record->key;
    return HAUL_OK;
}

static void fake_close(struct haul_scan *scan)
{
    free(scan);
}

static enum haul_status fake_get(struct haul_store *store, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice key, uint8_t **value,
                                 size_t *value_size, struct haul_error *error)
{
    (void)store;
    (void)snapshot;
    (void)error;
    check_equal(family_id, FAMILY);
    *value = malloc(key.size);
    check_or_stop(*value != NULL);
    memcpy(*value, key.data, key.size);
    *value_size = key.size;
    return HAUL_OK;
}

static const struct haul_store_ops fake_ops = {
    .scan_open = fake_open, .scan_next = fake_next, .scan_close = fake_close, .get = fake_get};
static struct haul_store store = {.ops = &fake_ops};

/* --- the pool --------------------------------------------------------------------------------- */

static struct plan_family family = {.family = {.id = FAMILY}, .target_id = TARGET_FAMILY};
static struct plan_stream stream;
static struct key_range range;
static struct plan plan = {.family_count = 1,
                           .families = &family,
                           .range_count = 1,
                           .ranges = &range,
                           .stream_count = 1,
                           .streams = &stream};
static struct outbox outbox;
static struct batch_history history;
static struct reader_pool *pool;
static struct haul_error error;

static void open_pool(void)
{
    endless = false;
    fails_at = NEVER;
    memset(&history, 0, sizeof(history));
    check_or_stop(outbox_init(&outbox, BLOCK_COUNT, BLOCK_BYTES, 1, &error) == HAUL_OK);
    struct reader_pool_options options = {.store = &store,
                                          .plan = &plan,
                                          .outbox = &outbox,
                                          .histories = &history,
                                          .thread_count = 2,
                                          .task_count_max = 8};
    check_or_stop(reader_pool_create(&options, &pool, &error) == HAUL_OK);
}

static void close_pool(void)
{
    outbox_close(&outbox);
    reader_pool_destroy(pool);
    outbox_fini(&outbox);
    batch_history_fini(&history);
}

static void submit(const struct reader_task *task)
{
    check_status(reader_pool_submit(pool, task), HAUL_OK);
}

static struct reader_result wait_for_result(void)
{
    struct reader_result result = {0};
    struct pollfd readable = {.fd = reader_pool_fd(pool), .events = POLLIN};
    enum haul_status status = reader_pool_result(pool, &result);
    while (status == HAUL_AGAIN && poll(&readable, 1, WAIT_MS) == 1) {
        status = reader_pool_result(pool, &result);
    }
    check_or_stop(status == HAUL_OK);
    return result;
}

/* Of the keys [from, to), each its own value. */
static struct digest digest_of(uint32_t from, uint32_t to)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    char text[KEY_BYTES + 1];
    for (uint32_t i = from; i < to; i++) {
        digest_add(&digest, NULL, key_of(i, text), key_of(i, text));
    }
    return digest;
}

/* Take what was sent: the keys from `next` on. Returns the key after the last; `*last`: whether the
 * end was marked. */
static uint32_t take_sent(uint32_t next, bool *last)
{
    struct block *block;
    *last = false;
    while ((block = outbox_take(&outbox)) != NULL) {
        struct raw_batch_reader reader;
        struct raw_record record;
        check(!*last);
        *last = (block->header.flags & SLOT_LAST) != 0;
        struct haul_slice batch = slice_of(block_payload(block), block->header.payload_size_bytes);
        enum haul_status status = batch.size == 0 ? HAUL_NOT_FOUND : raw_batch_open(&reader, batch);
        while (status == HAUL_OK && raw_batch_next(&reader, &record) == HAUL_OK) {
            check_equal(record.family_id, TARGET_FAMILY);
            check_equal(number_of(record.key), next);
            next++;
        }
        outbox_give_back(&outbox, block);
    }
    return next;
}

/* --- copies ----------------------------------------------------------------------------------- */

static void test_reader_pool_submit__copy__all_records_and_their_digest(void)
{
    bool last;
    struct digest expected = digest_of(0, KEY_COUNT);
    open_pool();
    submit(&(struct reader_task){.type = READER_COPY});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_OK);
    check(digest_equal(&result.digest, &expected));
    check(result.batches > 1);
    check_equal(history.count, result.batches);
    check_equal(take_sent(0, &last), KEY_COUNT);
    check(last);
    close_pool();
}

static void test_reader_pool_submit__copy_that_goes_on__only_what_is_behind(void)
{
    bool last;
    char key[KEY_BYTES + 1];
    struct digest before = digest_of(0, 41);
    struct digest all = digest_of(0, KEY_COUNT);
    open_pool();
    batch_history_adopt(&history, 5, &before);
    submit(&(struct reader_task){
        .type = READER_COPY, .next_batch = 5, .start_after = key_of(40, key)});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_OK);
    check(digest_equal(&result.digest, &all));
    check(result.batches > 5);
    check_equal(take_sent(41, &last), KEY_COUNT);
    check(last);
    close_pool();
}

static void test_reader_pool_submit__copy_with_rescan__earlier_part_is_counted_not_sent(void)
{
    bool last;
    char key[KEY_BYTES + 1];
    struct digest before = digest_of(0, 41);
    struct digest all = digest_of(0, KEY_COUNT);
    open_pool();
    submit(&(struct reader_task){
        .type = READER_COPY, .next_batch = 5, .start_after = key_of(40, key), .rescan = true});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_OK);
    check(digest_equal(&result.digest, &all));
    check_equal(history.base_count, 5);
    check(digest_equal(&history.base, &before));
    check_equal(take_sent(41, &last), KEY_COUNT);
    close_pool();
}

static void test_reader_pool_submit__finished_with_rescan__nothing_is_sent(void)
{
    bool last;
    struct digest all = digest_of(0, KEY_COUNT);
    open_pool();
    submit(&(struct reader_task){
        .type = READER_COPY, .next_batch = 9, .rescan = true, .finished = true});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_OK);
    check(digest_equal(&result.digest, &all));
    check_equal(result.batches, 9);
    check_equal(take_sent(0, &last), 0);
    check(!last);
    close_pool();
}

/* The end of a failed scan is not the end of the stream. */
static void test_reader_pool_submit__scan_breaks__its_error_and_no_last_batch(void)
{
    bool last;
    open_pool();
    fails_at = 60;
    submit(&(struct reader_task){.type = READER_COPY});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_IO);
    check(strstr(result.error.text, "damaged") != NULL);
    check(take_sent(0, &last) <= 60);
    check(!last);
    close_pool();
}

/* --- digests ---------------------------------------------------------------------------------- */

static void test_reader_pool_submit__digest__of_all_ranges(void)
{
    struct key_range ranges[2];
    struct digest expected = digest_of(10, 20);
    struct digest more = digest_of(50, 60);
    digest_join(&expected, &more);
    open_pool();
    check_status(key_range_init(&ranges[0], slice_of("00000010", 8), slice_of("00000020", 8)),
                 HAUL_OK);
    check_status(key_range_init(&ranges[1], slice_of("00000050", 8), slice_of("00000060", 8)),
                 HAUL_OK);
    plan.ranges = ranges;
    plan.range_count = 2;
    submit(&(struct reader_task){.type = READER_DIGEST});
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_OK);
    check(digest_equal(&result.digest, &expected));
    plan.ranges = &range;
    plan.range_count = 1;
    key_range_fini(&ranges[0]);
    key_range_fini(&ranges[1]);
    close_pool();
}

static void test_reader_pool_submit__digest_cannot_be_read__its_error(void)
{
    open_pool();
    fails_at = 60;
    submit(&(struct reader_task){.type = READER_DIGEST});
    check_status(wait_for_result().error.status, HAUL_IO);
    close_pool();
}

/* --- ends ------------------------------------------------------------------------------------- */

/* A cancel does not wait for a full scan. */
static void check_stopped(enum reader_task_type type)
{
    open_pool();
    endless = true;
    scanned_count = 0;
    submit(&(struct reader_task){.type = type});
    while (atomic_load(&scanned_count) < 10) {
        (void)poll(NULL, 0, 1);
    }
    reader_pool_stop(pool);
    if (type == READER_COPY) {
        outbox_close(&outbox);
    }
    struct reader_result result = wait_for_result();
    check_status(result.error.status, HAUL_CLOSED);
    endless = false;
    close_pool();
}

static void test_reader_pool_stop__in_a_digest_without_end__closed(void)
{
    check_stopped(READER_DIGEST);
}

static void test_reader_pool_stop__in_a_copy_without_end__closed(void)
{
    check_stopped(READER_COPY);
}

static void test_reader_pool_stop__before_a_task__closed_and_nothing_is_read(void)
{
    open_pool();
    reader_pool_stop(pool);
    scanned_count = 0;
    submit(&(struct reader_task){.type = READER_DIGEST});
    check_status(wait_for_result().error.status, HAUL_CLOSED);
    check_equal(atomic_load(&scanned_count), 0);
    close_pool();
}

static void test_reader_pool_result__several_tasks__one_each(void)
{
    open_pool();
    for (int i = 0; i < 8; i++) {
        submit(&(struct reader_task){.type = READER_DIGEST});
    }
    for (int i = 0; i < 8; i++) {
        check_equal(wait_for_result().digest.count, KEY_COUNT);
    }
    struct reader_result result;
    check_status(reader_pool_result(pool, &result), HAUL_AGAIN);
    close_pool();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_reader_pool_submit__copy__all_records_and_their_digest),
    CHECK_TEST(test_reader_pool_submit__copy_that_goes_on__only_what_is_behind),
    CHECK_TEST(test_reader_pool_submit__copy_with_rescan__earlier_part_is_counted_not_sent),
    CHECK_TEST(test_reader_pool_submit__finished_with_rescan__nothing_is_sent),
    CHECK_TEST(test_reader_pool_submit__scan_breaks__its_error_and_no_last_batch),
    CHECK_TEST(test_reader_pool_submit__digest__of_all_ranges),
    CHECK_TEST(test_reader_pool_submit__digest_cannot_be_read__its_error),
    CHECK_TEST(test_reader_pool_stop__in_a_digest_without_end__closed),
    CHECK_TEST(test_reader_pool_stop__in_a_copy_without_end__closed),
    CHECK_TEST(test_reader_pool_stop__before_a_task__closed_and_nothing_is_read),
    CHECK_TEST(test_reader_pool_result__several_tasks__one_each),
};

CHECK_MAIN("reader_pool", tests)
