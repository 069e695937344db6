/* SPDX-License-Identifier: Apache-2.0 */
/* test_batch_builder.c — records in, numbered blocks out; digests remembered batch by batch. */
#include "batch_builder.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "check.h"
#include "crc32c.h"
#include "fragment.h"
#include "haul/store.h"

enum {
    PAYLOAD_BYTES = 256,
    BLOCK_COUNT = 16,
    STREAM = 5,
    FIRST_BATCH = 40,
    EPOCH = 9,
    LARGE_BYTES = 1000,
};

static struct outbox outbox;
static struct batch_builder builder;
static struct batch_history history;
static struct fragment_assembly assembly;
static struct haul_error error;
static uint8_t large[LARGE_BYTES];

static struct haul_slice text(const char *text)
{
    return slice_of(text, strlen(text));
}

static void open_builder_of(uint32_t payload_bytes)
{
    memset(&error, 0, sizeof(error));
    enum haul_status status =
        outbox_init(&outbox, BLOCK_COUNT, SLOT_HEADER_BYTES + payload_bytes, EPOCH, &error);
    haul_assert(status == HAUL_OK);
    batch_builder_init(&builder, &outbox, STREAM, SLOT_KIND_SNAPSHOT, FIRST_BATCH);
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        large[i] = (uint8_t)(i * 31 + 7);
    }
}

static void open_builder(void)
{
    open_builder_of(PAYLOAD_BYTES);
}

/* Also proves that no block was lost: each is in the pool again. */
static void close_builder(void)
{
    batch_builder_fini(&builder);
    struct block *block = NULL;
    while ((block = outbox_take(&outbox)) != NULL) {
        outbox_give_back(&outbox, block);
    }
    size_t free_count = 0;
    while (block_pool_acquire(outbox.pool, 0, &block) == HAUL_OK) {
        free_count++;
    }
    check_equal(free_count, BLOCK_COUNT);
    block_pool_close(outbox.pool);
    outbox_fini(&outbox);
    batch_history_fini(&history);
    fragment_assembly_reset(&assembly);
}

static void put(const char *key, const char *value)
{
    check_status(batch_builder_put(&builder, 0, text(key), text(value), &error), HAUL_OK);
}

/* The outbox's next block, whose header must be as this builder writes it. */
static const struct block *taken(void)
{
    static uint8_t data[SLOT_HEADER_BYTES + PAYLOAD_BYTES];
    static struct block copy;
    struct block *block = outbox_take(&outbox);
    check_or_stop(block != NULL);
    copy = *block;
    copy.data = data;
    memcpy(data, block->data, sizeof(data));
    outbox_give_back(&outbox, block);
    check_equal(copy.header.stream, STREAM);
    check_equal(copy.header.kind, SLOT_KIND_SNAPSHOT);
    check_equal(copy.header.epoch, EPOCH);
    check_equal(copy.header.raw_size_bytes, copy.header.payload_size_bytes);
    check_equal(copy.header.payload_crc,
                crc32c(block_payload(&copy), copy.header.payload_size_bytes));
    return &copy;
}

static struct haul_slice payload_of(const struct block *block)
{
    return slice_of(block_payload(block), block->header.payload_size_bytes);
}

/* The number of records in a sound batch; -1 for a malformed one. */
static int64_t count_records(struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK) {
        status = raw_batch_next(&reader, &record);
    }
    return status == HAUL_NOT_FOUND ? (int64_t)reader.seen : -1;
}

/* Join all waiting fragments; returns the batch, valid until close_builder. */
static struct haul_slice joined(uint64_t first_batch, uint32_t record_count)
{
    bool complete = false;
    struct haul_slice batch = {NULL, 0};
    for (uint64_t number = first_batch; !complete; number++) {
        const struct block *block = taken();
        check_equal(block->header.batch, number);
        check_equal(block->header.flags, SLOT_FRAGMENT);
        check_or_stop(fragment_assembly_add(&assembly, payload_of(block), &complete, &batch,
                                            &error) == HAUL_OK);
        check_equal(block->header.record_count, complete ? record_count : 0);
        check_equal(block->reserved_bytes, complete ? batch.size : 0); /* released with it */
        check(complete || block->header.payload_size_bytes == PAYLOAD_BYTES);
    }
    return batch;
}

/* --- records ---------------------------------------------------------------------------------- */

static void test_batch_builder_put__flushed__one_block_with_all_records(void)
{
    open_builder();
    put("a", "1");
    put("b", "2");
    check(outbox_take(&outbox) == NULL);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    const struct block *block = taken();
    check_equal(block->header.batch, FIRST_BATCH);
    check_equal(block->header.record_count, 2);
    check_equal(block->header.flags, 0);
    check_equal(count_records(payload_of(block)), 2);
    check(outbox_take(&outbox) == NULL);
    close_builder();
}

static void test_batch_builder_put__block_full__next_batch_begins(void)
{
    open_builder();
    char value[] = "0123456789012345678901234567890123456789";
    uint32_t put_count = 20;
    for (uint32_t i = 0; i < put_count; i++) {
        char key[] = {'k', (char)('a' + i), '\0'};
        put(key, value);
    }
    check_status(batch_builder_finish(&builder), HAUL_OK);
    uint32_t seen = 0;
    for (uint64_t number = FIRST_BATCH; seen < put_count; number++) {
        const struct block *block = taken();
        check_equal(block->header.batch, number);
        check_equal(count_records(payload_of(block)), block->header.record_count);
        seen += block->header.record_count;
        check_equal(block->header.flags, seen == put_count ? SLOT_LAST : 0);
    }
    check_equal(seen, put_count);
    close_builder();
}

static void test_batch_builder_put__smaller_batches_wanted__cut_at_their_size(void)
{
    open_builder();
    atomic_store(&outbox.batch_bytes, 64);
    for (char key[] = "a"; key[0] <= 'h'; key[0]++) {
        put(key, "twenty bytes of value");
    }
    check_status(batch_builder_flush(&builder), HAUL_OK);
    for (int i = 0; i < 4; i++) {
        const struct block *block = taken();
        check_equal(block->header.record_count, 2);
        check(block->header.payload_size_bytes <= 64);
    }
    check(outbox_take(&outbox) == NULL);
    close_builder();
}

static void test_batch_builder_put__larger_than_wanted_but_not_than_a_block__whole(void)
{
    open_builder();
    atomic_store(&outbox.batch_bytes, 64);
    put("small", "1");
    check_status(batch_builder_put(&builder, 0, text("key"), slice_of(large, 200), &error),
                 HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    check_equal(taken()->header.record_count, 1);
    const struct block *block = taken();
    check_equal(block->header.flags, 0);
    check_equal(count_records(payload_of(block)), 1);
    check(block->header.payload_size_bytes > 200);
    close_builder();
}

/* The largest record of a block, and the smallest that is split. */
static void test_batch_builder_put__exactly_a_block_and_one_byte_more__whole_and_fragments(void)
{
    open_builder();
    size_t room = PAYLOAD_BYTES - RAW_BATCH_HEADER_BYTES - raw_batch_put_size(0, 3, 200) + 200;
    check_equal(RAW_BATCH_HEADER_BYTES + raw_batch_put_size(0, 3, room), PAYLOAD_BYTES);
    check_status(batch_builder_put(&builder, 0, text("key"), slice_of(large, room), &error),
                 HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    const struct block *block = taken();
    check_equal(block->header.flags, 0);
    check_equal(block->header.payload_size_bytes, PAYLOAD_BYTES);
    check_status(batch_builder_put(&builder, 0, text("key"), slice_of(large, room + 1), &error),
                 HAUL_OK);
    struct haul_slice batch = joined(FIRST_BATCH + 1, 1);
    check_equal(batch.size, PAYLOAD_BYTES + 1);
    check_equal(count_records(batch), 1);
    close_builder();
}

static void check_large(uint32_t family_id)
{
    open_builder();
    put("before", "1");
    check_status(
        batch_builder_put(&builder, family_id, text("large"), slice_of(large, LARGE_BYTES), &error),
        HAUL_OK);
    check_equal(taken()->header.record_count, 1); /* the batch that was begun goes first */
    struct raw_batch_reader reader;
    struct raw_record record;
    check_or_stop(raw_batch_open(&reader, joined(FIRST_BATCH + 1, 1)) == HAUL_OK);
    check_or_stop(raw_batch_next(&reader, &record) == HAUL_OK);
    check_equal(record.kind, RAW_PUT);
    check_equal(record.family_id, family_id);
    check(slice_compare(record.key, text("large")) == 0);
    check(slice_compare(record.value, slice_of(large, LARGE_BYTES)) == 0);
    check_status(raw_batch_next(&reader, &record), HAUL_NOT_FOUND);
    close_builder();
}

static void test_batch_builder_put__larger_than_a_block__fragments_that_join(void)
{
    check_large(0);
    check_large(300);
}

static void test_batch_builder_put__key_over_the_pieces_edge__fragments_that_join(void)
{
    open_builder();
    check_status(batch_builder_put(&builder, 1, slice_of(large, 500), text("value"), &error),
                 HAUL_OK);
    struct haul_slice batch = joined(FIRST_BATCH, 1);
    check_equal(count_records(batch), 1);
    check_equal(batch.size, RAW_BATCH_HEADER_BYTES + raw_batch_put_size(1, 500, 5));
    close_builder();
}

static void test_batch_builder_put__record_or_key_over_the_limit__limit_and_nothing_sent(void)
{
    open_builder();
    /* Only the sizes are read. */
    struct haul_slice huge = slice_of(large, HAUL_RECORD_BYTES_MAX + 1);
    check_error(batch_builder_put(&builder, 0, text("key"), huge, &error), HAUL_UNSUPPORTED, error);
    check_equal(error.status, HAUL_UNSUPPORTED);
    huge.size = HAUL_KEY_BYTES_MAX + 1;
    check_error(batch_builder_put(&builder, 0, huge, text("value"), &error), HAUL_UNSUPPORTED,
                error);
    check(strstr(error.text, "a key of 8388609 bytes; at most 8388608") != NULL);
    check(error.hint[0] != '\0');
    check(outbox_take(&outbox) == NULL);
    check_equal(builder.digest.count, 0);
    close_builder();
}

static void test_batch_builder_put__job_ended__closed(void)
{
    open_builder();
    outbox_close(&outbox);
    check_status(batch_builder_put(&builder, 0, text("key"), text("value"), &error), HAUL_CLOSED);
    outbox_fini(&outbox);
}

static void test_batch_builder_flush__closed_meanwhile__closed_and_no_block_kept(void)
{
    open_builder();
    put("key", "value");
    outbox_close(&outbox);
    check_status(batch_builder_flush(&builder), HAUL_CLOSED);
    check(builder.block == NULL);
    outbox_fini(&outbox);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_batch_builder_flush__nothing_put__nothing_sent(void)
{
    open_builder();
    check_status(batch_builder_flush(&builder), HAUL_OK);
    check(outbox_take(&outbox) == NULL);
    check_equal(builder.next_batch, FIRST_BATCH);
    close_builder();
}

static void test_batch_builder_finish__nothing_put__an_empty_last_batch(void)
{
    open_builder();
    check_status(batch_builder_finish(&builder), HAUL_OK);
    const struct block *block = taken();
    check_equal(block->header.flags, SLOT_LAST);
    check_equal(block->header.payload_size_bytes, 0);
    check_equal(block->header.record_count, 0);
    check_equal(block->header.batch, FIRST_BATCH);
    close_builder();
}

static void test_batch_builder_finish__behind_fragments__an_empty_last_batch(void)
{
    open_builder();
    check_status(batch_builder_put(&builder, 0, text("k"), slice_of(large, LARGE_BYTES), &error),
                 HAUL_OK);
    check_status(batch_builder_finish(&builder), HAUL_OK);
    (void)joined(FIRST_BATCH, 1);
    const struct block *block = taken();
    check_equal(block->header.flags, SLOT_LAST);
    check_equal(block->header.payload_size_bytes, 0);
    close_builder();
}

/* --- whole batches ---------------------------------------------------------------------------- */

/* A batch of `count` deletions of 8-byte keys; static memory. */
static struct haul_slice deletions(uint32_t count)
{
    static uint8_t memory[2048];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    for (uint32_t i = 0; i < count; i++) {
        bool fits = raw_batch_delete(&writer, 0, text("eight by"));
        haul_assert(fits);
    }
    return slice_of(memory, raw_batch_finish(&writer));
}

static void test_batch_builder_send__behind_a_begun_batch__in_order_and_alone(void)
{
    open_builder();
    put("a", "1");
    struct haul_slice batch = deletions(3);
    check_status(batch_builder_send(&builder, batch, 3, &error), HAUL_OK);
    check_equal(count_records(payload_of(taken())), 1);
    const struct block *block = taken();
    check(slice_compare(payload_of(block), batch) == 0);
    check_equal(block->header.record_count, 3);
    check_equal(block->header.batch, FIRST_BATCH + 1);
    close_builder();
}

static void test_batch_builder_send__larger_than_a_block__fragments_that_join(void)
{
    open_builder();
    struct haul_slice batch = deletions(100);
    check_status(batch_builder_send(&builder, batch, 100, &error), HAUL_OK);
    check(slice_compare(joined(FIRST_BATCH, 100), batch) == 0);
    check(outbox_take(&outbox) == NULL);
    close_builder();
}

static void test_batch_builder_send__more_than_the_peer_takes__limit(void)
{
    open_builder();
    struct haul_slice batch = slice_of(large, FRAGMENT_TOTAL_BYTES_MAX + 1);
    check_error(batch_builder_send(&builder, batch, 1, &error), HAUL_UNSUPPORTED, error);
    check(strstr(error.hint, "its snapshot then includes the batch") != NULL);
    check_equal(error.status, HAUL_UNSUPPORTED);
    check(outbox_take(&outbox) == NULL);
    close_builder();
}

static void test_batch_builder_send__job_ended__closed(void)
{
    open_builder();
    outbox_close(&outbox);
    check_error(batch_builder_send(&builder, deletions(1), 1, &error), HAUL_CLOSED, error);
    outbox_fini(&outbox);
}

static void test_batch_builder_append__several_small__one_sound_batch(void)
{
    open_builder();
    check_status(batch_builder_append(&builder, deletions(2), 2, &error), HAUL_OK);
    check_status(batch_builder_append(&builder, deletions(3), 3, &error), HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    const struct block *block = taken();
    check_equal(block->header.record_count, 5);
    check_equal(count_records(payload_of(block)), 5);
    check(outbox_take(&outbox) == NULL);
    close_builder();
}

/* A transaction of the log stays in one batch, so it takes effect at once on the target. */
static void test_batch_builder_append__does_not_fit_the_rest__goes_whole_into_the_next(void)
{
    open_builder();
    check_status(batch_builder_append(&builder, deletions(20), 20, &error), HAUL_OK);
    check_status(batch_builder_append(&builder, deletions(10), 10, &error), HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    check_equal(taken()->header.record_count, 20);
    check_equal(taken()->header.record_count, 10);
    close_builder();
}

static void test_batch_builder_append__larger_than_a_block__fragments_behind_what_was_begun(void)
{
    open_builder();
    check_status(batch_builder_append(&builder, deletions(1), 1, &error), HAUL_OK);
    check_status(batch_builder_append(&builder, deletions(100), 100, &error), HAUL_OK);
    check_status(batch_builder_append(&builder, deletions(2), 2, &error), HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    check_equal(taken()->header.record_count, 1);
    check_equal(count_records(joined(FIRST_BATCH + 1, 100)), 100);
    check_equal(taken()->header.record_count, 2);
    close_builder();
}

/* --- history ---------------------------------------------------------------------------------- */

static void test_batch_builder_history__after_each_batch__the_digest_so_far(void)
{
    open_builder();
    builder.history = &history;
    put("a", "1");
    check_status(batch_builder_flush(&builder), HAUL_OK);
    put("b", "2");
    check_status(batch_builder_finish(&builder), HAUL_OK);
    struct digest expected = {0};
    check_equal(history.count, 2);
    digest_add(&expected, NULL, text("a"), text("1"));
    struct digest first = batch_history_at(&history, 1);
    check(digest_equal(&first, &expected));
    digest_add(&expected, NULL, text("b"), text("2"));
    struct digest second = batch_history_at(&history, 2);
    check(digest_equal(&second, &expected));
    check(digest_equal(&builder.digest, &expected));
    close_builder();
}

/* Add the records of a sound batch. */
static void digest_batch(struct digest *digest, struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    check_status(raw_batch_open(&reader, batch), HAUL_OK);
    while (raw_batch_next(&reader, &record) == HAUL_OK) {
        digest_add(digest, NULL, record.key, record.value);
    }
}

/* Values just below and above the size from which they are hashed first; some end a batch. */
static void test_batch_builder_history__values_of_many_sizes__each_in_its_batch(void)
{
    open_builder_of(4 * PAYLOAD_BYTES);
    builder.history = &history;
    for (size_t size = 240; size <= 560; size += 16) {
        struct haul_slice value = slice_of(large, size);
        check_status(batch_builder_put(&builder, 0, text("k"), value, &error), HAUL_OK);
    }
    check_status(batch_builder_finish(&builder), HAUL_OK);
    struct digest sum = {0};
    struct block *block = NULL;
    while ((block = outbox_take(&outbox)) != NULL) {
        digest_batch(&sum, payload_of(block));
        struct digest noted = batch_history_at(&history, block->header.batch + 1 - FIRST_BATCH);
        check(digest_equal(&noted, &sum));
        outbox_give_back(&outbox, block);
    }
    check_equal(sum.count, 21);
    check(history.count > 5);
    close_builder();
}

/* A resume may start after the batch whose number the last fragment has. */
static void test_batch_builder_history__fragments__last_one_holds_the_record(void)
{
    open_builder();
    builder.history = &history;
    struct haul_slice value = slice_of(large, LARGE_BYTES);
    check_status(batch_builder_put(&builder, 0, text("k"), value, &error), HAUL_OK);
    struct digest expected = {0};
    digest_add(&expected, NULL, text("k"), value);
    check_equal(history.count, builder.next_batch - FIRST_BATCH);
    struct digest last = batch_history_at(&history, history.count);
    check(digest_equal(&last, &expected));
    close_builder();
}

static void test_batch_history_at__none_noted__empty(void)
{
    struct digest none = {0};
    struct digest digest = batch_history_at(&history, 0);
    check(digest_equal(&digest, &none));
}

static void test_batch_history_note__very_many__each_found_again(void)
{
    enum { MANY = 1000 };
    for (uint64_t i = 1; i <= MANY; i++) {
        struct digest digest = {.count = i, .low = ~i};
        check_status(batch_history_note(&history, &digest), HAUL_OK);
    }
    bool found = true;
    for (uint64_t i = 1; i <= MANY; i++) {
        struct digest digest = batch_history_at(&history, i);
        found = found && digest.count == i && digest.low == ~i;
    }
    check(found);
    batch_history_fini(&history);
}

static void test_batch_history_truncate__then_noted__the_new_one_stands(void)
{
    for (uint64_t i = 1; i <= 3; i++) {
        struct digest digest = {.count = i};
        check_status(batch_history_note(&history, &digest), HAUL_OK);
    }
    batch_history_truncate(&history, 1);
    struct digest digest = {.count = 77};
    check_status(batch_history_note(&history, &digest), HAUL_OK);
    check_equal(history.count, 2);
    check_equal(batch_history_at(&history, 1).count, 1);
    check_equal(batch_history_at(&history, 2).count, 77);
    batch_history_fini(&history);
}

static void test_batch_builder_flush__packing_wanted__packed_and_header_says_so(void)
{
    enum { ROOM = 16 << 10 };
    static uint8_t value[ROOM / 2];
    check_or_stop(outbox_init(&outbox, BLOCK_COUNT, SLOT_HEADER_BYTES + ROOM, EPOCH, &error) ==
                  HAUL_OK);
    batch_builder_init(&builder, &outbox, STREAM, SLOT_KIND_SNAPSHOT, FIRST_BATCH);
    for (int packs = 0; packs <= 1; packs++) {
        atomic_store(&outbox.packs, packs == 1);
        struct haul_slice bytes = slice_of(value, sizeof(value));
        check_status(batch_builder_put(&builder, 0, text("key"), bytes, &error), HAUL_OK);
        check_status(batch_builder_flush(&builder), HAUL_OK);
        struct block *block = outbox_take(&outbox);
        check_or_stop(block != NULL);
        const struct slot_header *header = &block->header;
        check_equal(header->flags, packs == 1 ? SLOT_COMPRESSED : 0);
        check(header->raw_size_bytes > sizeof(value));
        check((header->payload_size_bytes < header->raw_size_bytes / 2) == (packs == 1));
        check_equal(header->record_count, 1);
        check_equal(crc32c(block_payload(block), header->payload_size_bytes), header->payload_crc);
        outbox_give_back(&outbox, block);
    }
    check(atomic_load(&outbox.raw_bytes) > atomic_load(&outbox.packed_bytes));
    close_builder();
}

/* The CRC of a large batch is computed piece by piece while it is filled; a block that is used
 * again begins anew. */
static void test_batch_builder_put__batches_of_many_pieces__crc_of_the_whole(void)
{
    enum { ROOM = 128 << 10, RECORDS = 3000 };
    size_t blocks = 0;
    open_builder_of(ROOM);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct haul_slice value = slice_of(large, i * 7 % LARGE_BYTES);
        large[i % LARGE_BYTES] = (uint8_t)i;
        check_status(batch_builder_put(&builder, i % 3, text("key"), value, &error), HAUL_OK);
        bool last = i + 1 == RECORDS;
        check_status(last ? batch_builder_finish(&builder) : HAUL_OK, HAUL_OK);
        struct block *block = NULL;
        while ((block = outbox_take(&outbox)) != NULL) {
            check(count_records(payload_of(block)) > 0);
            check_equal(block->header.payload_crc,
                        crc32c(block_payload(block), block->header.payload_size_bytes));
            outbox_give_back(&outbox, block);
            blocks++;
        }
    }
    check(blocks > 5);
    close_builder();
}

/* The batch grows from a record that was larger than wanted. */
static void test_batch_builder_put__begun_again_for_a_large_record__crc_of_the_whole(void)
{
    open_builder();
    atomic_store(&outbox.batch_bytes, 32);
    check_status(batch_builder_put(&builder, 0, text("k"), slice_of(large, 200), &error), HAUL_OK);
    check_status(batch_builder_flush(&builder), HAUL_OK);
    check_equal(taken()->header.record_count, 1); /* checks the CRC */
    close_builder();
}

static void *acquire_one(void *argument)
{
    struct block *block = NULL;
    if (outbox_acquire(argument, &block) == HAUL_OK) {
        outbox_give_back(argument, block);
    }
    return NULL;
}

static void test_outbox_acquire__every_block_is_out__the_wait_is_counted(void)
{
    open_builder();
    struct block *blocks[BLOCK_COUNT];
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        check_or_stop(outbox_acquire(&outbox, &blocks[i]) == HAUL_OK);
    }
    check_equal(atomic_load(&outbox.waits), 0);
    pthread_t reader;
    check_or_stop(pthread_create(&reader, NULL, acquire_one, &outbox) == 0);
    while (atomic_load(&outbox.waits) == 0) {
        (void)sched_yield();
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        outbox_give_back(&outbox, blocks[i]);
    }
    (void)pthread_join(reader, NULL);
    check_equal(atomic_load(&outbox.waits), 1);
    close_builder();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_batch_builder_put__flushed__one_block_with_all_records),
    CHECK_TEST(test_batch_builder_put__block_full__next_batch_begins),
    CHECK_TEST(test_batch_builder_put__smaller_batches_wanted__cut_at_their_size),
    CHECK_TEST(test_batch_builder_put__larger_than_wanted_but_not_than_a_block__whole),
    CHECK_TEST(test_batch_builder_put__exactly_a_block_and_one_byte_more__whole_and_fragments),
    CHECK_TEST(test_batch_builder_put__larger_than_a_block__fragments_that_join),
    CHECK_TEST(test_batch_builder_put__key_over_the_pieces_edge__fragments_that_join),
    CHECK_TEST(test_batch_builder_put__record_or_key_over_the_limit__limit_and_nothing_sent),
    CHECK_TEST(test_batch_builder_put__job_ended__closed),
    CHECK_TEST(test_batch_builder_flush__closed_meanwhile__closed_and_no_block_kept),
    CHECK_TEST(test_batch_builder_flush__nothing_put__nothing_sent),
    CHECK_TEST(test_batch_builder_finish__nothing_put__an_empty_last_batch),
    CHECK_TEST(test_batch_builder_finish__behind_fragments__an_empty_last_batch),
    CHECK_TEST(test_batch_builder_send__behind_a_begun_batch__in_order_and_alone),
    CHECK_TEST(test_batch_builder_send__larger_than_a_block__fragments_that_join),
    CHECK_TEST(test_batch_builder_send__more_than_the_peer_takes__limit),
    CHECK_TEST(test_batch_builder_send__job_ended__closed),
    CHECK_TEST(test_batch_builder_append__several_small__one_sound_batch),
    CHECK_TEST(test_batch_builder_append__does_not_fit_the_rest__goes_whole_into_the_next),
    CHECK_TEST(test_batch_builder_append__larger_than_a_block__fragments_behind_what_was_begun),
    CHECK_TEST(test_batch_builder_history__after_each_batch__the_digest_so_far),
    CHECK_TEST(test_batch_builder_history__values_of_many_sizes__each_in_its_batch),
    CHECK_TEST(test_batch_builder_history__fragments__last_one_holds_the_record),
    CHECK_TEST(test_batch_history_at__none_noted__empty),
    CHECK_TEST(test_batch_history_note__very_many__each_found_again),
    CHECK_TEST(test_batch_history_truncate__then_noted__the_new_one_stands),
    CHECK_TEST(test_batch_builder_flush__packing_wanted__packed_and_header_says_so),
    CHECK_TEST(test_batch_builder_put__batches_of_many_pieces__crc_of_the_whole),
    CHECK_TEST(test_batch_builder_put__begun_again_for_a_large_record__crc_of_the_whole),
    CHECK_TEST(test_outbox_acquire__every_block_is_out__the_wait_is_counted),
};

CHECK_MAIN("batch_builder", tests)
