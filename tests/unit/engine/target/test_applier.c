/* SPDX-License-Identifier: Apache-2.0 */
/* test_applier.c — passes blocks to threads over a real database, and reads their notes: when a
 * block is free, what is durable, and what ends the job. */
#include "applier.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_pool.h"
#include "check.h"
#include "crc32c.h"
#include "few_descriptors.h"
#include "fragment.h"
#include "payload_codec.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum {
    SLOT_BYTES = 64 << 10,
    BLOCK_COUNT = 8,
    WAIT_MS = 20000,
    BATCH_STREAM = 0, /* [b, m) of the family, small: write batches */
    TABLE_STREAM = 1, /* [m, y), large: table files */
};

static struct rocks_fixture fixture;
static struct plan_family family;
static struct plan_stream streams[2];
static struct key_range range;
static struct plan plan = {.family_count = 1,
                           .families = &family,
                           .range_count = 1,
                           .ranges = &range,
                           .stream_count = 2,
                           .streams = streams};
static struct applier *applier;
static struct haul_error error;
static struct block blocks[BLOCK_COUNT];
static uint8_t memory[BLOCK_COUNT][SLOT_BYTES];
static uint64_t next_batch[2];
static const struct haul_hooks *hooks;

/* What was requested from the store, and when. */
static struct haul_store_ops watched_ops;
static enum haul_status (*real_sync)(struct haul_store *store, struct haul_error *error);
static unsigned sync_count;
static bool sync_fails;

/* --- set-up ----------------------------------------------------------------------------------- */

static enum haul_status watched_sync(struct haul_store *store, struct haul_error *cause)
{
    sync_count++;
    return sync_fails ? haul_error_set(cause, HAUL_IO, "sync", 0, "the disk is broken")
                      : real_sync(store, cause);
}

static void open_streams(void)
{
    static const char *const bounds[] = {"b", "m", "y"};
    for (uint32_t i = 0; i < 2; i++) {
        streams[i] = (struct plan_stream){.id = i, .bytes = i == TABLE_STREAM ? 100 << 20 : 1};
        check_status(
            key_range_init(&streams[i].range, text_slice(bounds[i]), text_slice(bounds[i + 1])),
            HAUL_OK);
    }
    check_status(key_range_init(&range, text_slice("b"), text_slice("y")), HAUL_OK);
}

static enum haul_status create_applier(uint32_t thread_count)
{
    struct applier_options options = {.store = fixture.store,
                                      .plan = &plan,
                                      .lane = HAUL_LANE_INGEST,
                                      .thread_count = thread_count,
                                      .slot_size_bytes = SLOT_BYTES,
                                      .block_count_max = BLOCK_COUNT,
                                      .table_size_bytes = 1 << 20,
                                      .staging_directory = fixture.path,
                                      .job = "00",
                                      .hooks = hooks};
    return applier_create(&options, &applier, &error);
}

static void open_applier(uint32_t thread_count)
{
    rocks_fixture_open(&fixture);
    watched_ops = *fixture.store->ops;
    real_sync = watched_ops.sync;
    watched_ops.sync = watched_sync;
    fixture.store->ops = &watched_ops;
    sync_count = 0;
    memset(next_batch, 0, sizeof(next_batch));
    memset(&error, 0, sizeof(error));
    family = (struct plan_family){
        .family = {.name = "default", .comparator = "leveldb.BytewiseComparator"}};
    open_streams();
    check_or_stop(create_applier(thread_count) == HAUL_OK);
}

static void close_applier(void)
{
    applier_destroy(applier);
    key_range_fini(&range);
    key_range_fini(&streams[0].range);
    key_range_fini(&streams[1].range);
    rocks_fixture_close(&fixture);
}

/* --- blocks and notes ------------------------------------------------------------------------- */

/* The block's header for the payload in it. */
static struct block *prepare(uint32_t index, uint32_t stream, size_t size, uint32_t record_count)
{
    struct block *block = &blocks[index];
    *block = (struct block){.data = memory[index], .index = index, .state = BLOCK_LENT};
    block->header = (struct slot_header){.kind = SLOT_KIND_SNAPSHOT,
                                         .stream = stream,
                                         .payload_size_bytes = (uint32_t)size,
                                         .raw_size_bytes = (uint32_t)size,
                                         .record_count = record_count};
    block->header.payload_crc = crc32c(block_payload(block), size);
    if (stream < 2) {
        block->header.batch = next_batch[stream]++;
    }
    return block;
}

/* A block with one record of the stream. */
static struct block *record_block(uint32_t index, uint32_t stream, const char *key)
{
    struct raw_batch_writer writer;
    uint8_t *payload = memory[index] + SLOT_HEADER_BYTES;
    raw_batch_begin(&writer, payload, SLOT_BYTES - SLOT_HEADER_BYTES);
    check(raw_batch_put(&writer, 0, text_slice(key), text_slice("value")));
    return prepare(index, stream, raw_batch_finish(&writer), 1);
}

/* A block with the first byte of a record of this size. */
static struct block *fragment_block(uint32_t index, uint32_t stream, uint64_t total)
{
    uint8_t *payload = memory[index] + SLOT_HEADER_BYTES;
    fragment_header_encode(total, 0, payload);
    payload[FRAGMENT_HEADER_BYTES] = 0;
    struct block *block = prepare(index, stream, FRAGMENT_HEADER_BYTES + 1, 0);
    block->header.flags = SLOT_FRAGMENT;
    return block;
}

static struct applier_note wait_for_note(void)
{
    struct applier_note note;
    struct pollfd readable = {.fd = applier_fd(applier), .events = POLLIN};
    enum haul_status status = applier_note(applier, &note);
    while (status == HAUL_AGAIN && poll(&readable, 1, WAIT_MS) == 1) {
        status = applier_note(applier, &note);
    }
    check_or_stop(status == HAUL_OK);
    return note;
}

static void expect(enum applier_note_type type)
{
    struct applier_note note = wait_for_note();
    check_equal(note.type, type);
    for (size_t i = 0; note.type == APPLIER_DURABLE && i < note.position_count; i++) {
        stream_position_fini(&note.positions[i]);
    }
    if (note.type == APPLIER_DURABLE) {
        free(note.positions);
    }
}

static void expect_failure(enum haul_status status)
{
    struct applier_note note = wait_for_note();
    check_equal(note.type, APPLIER_FAILED);
    check_status(note.error.status, status);
}

static bool has(const char *key)
{
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status =
        fixture.store->ops->get(fixture.store, NULL, 0, text_slice(key), &value, &size, &error);
    free(value);
    return status == HAUL_OK;
}

static void test_applier_create__too_few_descriptors__limit_and_nothing_left(void)
{
    enum haul_status status = HAUL_LIMIT;
    unsigned spare = 0;
    open_applier(2);
    applier_destroy(applier);
    for (; spare < 20 && status != HAUL_OK; spare++) {
        memset(&error, 0, sizeof(error));
        few_descriptors_begin(spare);
        status = create_applier(2);
        few_descriptors_end();
        if (status != HAUL_OK) {
            check_status(status, HAUL_LIMIT);
            check_status(error.status, HAUL_LIMIT);
            check(error.text[0] != '\0');
        }
    }
    check_status(status, HAUL_OK);
    check(spare > 1);
    close_applier();
}

/* --- annotations ------------------------------------------------------------------------------ */

static size_t key_as_blob(void *context, const char *name, struct haul_slice key,
                          struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    (void)context;
    check_text(name, "default");
    check(slice_compare(value, text_slice("value")) == 0);
    blob[0] = '#';
    memcpy(blob + 1, key.data, key.size);
    return key.size + 1;
}

/* The store's log, read back: "#c c #d d". */
static void describe_log(char *text, size_t capacity)
{
    struct haul_wal_reader *reader = NULL;
    struct haul_log_batch batch;
    size_t at = 0;
    check_status(fixture.store->ops->wal_open(fixture.store, 1, &reader, &error), HAUL_OK);
    while (fixture.store->ops->wal_next(reader, &batch, &error) == HAUL_OK) {
        struct raw_batch_reader records;
        struct raw_record record;
        check_status(raw_batch_open(&records, batch.data), HAUL_OK);
        while (raw_batch_next(&records, &record) == HAUL_OK) {
            struct haul_slice word = record.kind == RAW_LOG_DATA ? record.value : record.key;
            at += (size_t)snprintf(text + at, capacity - at, "%s%.*s", at == 0 ? "" : " ",
                                   (int)word.size, (const char *)word.data);
        }
    }
    fixture.store->ops->wal_close(reader);
}

/* Ingested records are in no log. */
static void test_applier_take__annotate__in_the_log_of_the_write_batch_lane(void)
{
    static const struct haul_hooks annotating = {.annotate = key_as_blob};
    char text[64] = "";
    hooks = &annotating;
    open_applier(2);
    hooks = NULL;
    applier_take(applier, NULL, record_block(0, BATCH_STREAM, "c"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    applier_take(applier, NULL, record_block(1, BATCH_STREAM, "d"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    applier_take(applier, NULL, record_block(2, TABLE_STREAM, "n"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    describe_log(text, sizeof(text));
    check_text(text, "#c c #d d");
    check(has("c") && has("d"));
    check_equal(applier_written_records(applier), 2);
    close_applier();
}

/* --- when a block is free --------------------------------------------------------------------- */

static void test_applier_take__our_own_memory__applied_then_freed(void)
{
    open_applier(1);
    applier_take(applier, NULL, record_block(0, BATCH_STREAM, "c"));
    struct applier_note note = wait_for_note();
    check_equal(note.type, APPLIER_APPLIED);
    check_equal(note.stream, BATCH_STREAM);
    check_equal(note.records, 1);
    note = wait_for_note();
    check_equal(note.type, APPLIER_FREED);
    check(note.block == &blocks[0]);
    check(has("c"));
    close_applier();
}

/* The block was copied: the sender may overwrite it while we apply. */
static void test_applier_take__memory_that_the_peer_can_write__freed_first(void)
{
    open_applier(1);
    struct block *block = record_block(0, BATCH_STREAM, "c");
    block->peer_writable = true;
    applier_take(applier, NULL, block);
    expect(APPLIER_FREED);
    expect(APPLIER_APPLIED);
    check(has("c"));
    close_applier();
}

/* A sender may begin another large record as soon as this one's last piece is returned. */
static void test_applier_take__piece_in_memory_of_the_peer__freed_when_joined(void)
{
    open_applier(1);
    struct block *block = fragment_block(0, BATCH_STREAM, 1000);
    block->peer_writable = true;
    applier_take(applier, NULL, block);
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    close_applier();
}

/* --- what ends the job ------------------------------------------------------------------------ */

static void test_applier_take__checksum_differs__corrupt_and_later_blocks_only_freed(void)
{
    open_applier(1);
    struct block *block = record_block(0, BATCH_STREAM, "c");
    block->header.payload_crc ^= 1;
    applier_take(applier, NULL, block);
    expect(APPLIER_FREED);
    expect_failure(HAUL_CORRUPT);
    check_equal(applier_crc_errors(applier), 1);
    applier_take(applier, NULL, record_block(1, BATCH_STREAM, "d"));
    expect(APPLIER_FREED);
    check(!has("c") && !has("d"));
    close_applier();
}

static void test_applier_take__stream_that_is_not_planned__protocol(void)
{
    open_applier(2);
    applier_take(applier, NULL, record_block(0, 2, "c"));
    expect(APPLIER_FREED);
    expect_failure(HAUL_PROTOCOL);
    close_applier();
}

static void test_applier_take__lane_of_another_stream__protocol(void)
{
    open_applier(1);
    struct block *block = record_block(0, BATCH_STREAM, "c");
    block->header.kind = SLOT_KIND_DELTA;
    applier_take(applier, NULL, block);
    expect(APPLIER_FREED);
    expect_failure(HAUL_PROTOCOL);
    close_applier();
}

static void test_applier_take__unknown_kind_or_flags__protocol(void)
{
    static const struct {
        uint8_t kind;
        uint32_t flags;
    } cases[] = {{0, 0}, {3, 0}, {255, 0}, {SLOT_KIND_SNAPSHOT, 8}, {SLOT_KIND_SNAPSHOT, 1U << 31}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        open_applier(1);
        struct block *block = record_block(0, BATCH_STREAM, "c");
        block->header.kind = cases[i].kind;
        block->header.flags |= cases[i].flags;
        applier_take(applier, NULL, block);
        expect(APPLIER_FREED);
        expect_failure(HAUL_PROTOCOL);
        check(!has("c"));
        close_applier();
    }
}

/* Each alone is acceptable; together they would need more memory than a session has. */
static void test_applier_take__pieces_of_two_large_records__protocol(void)
{
    open_applier(1);
    applier_take(applier, NULL, fragment_block(0, BATCH_STREAM, HAUL_RECORD_BYTES_MAX));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    applier_take(applier, NULL, fragment_block(1, TABLE_STREAM, HAUL_RECORD_BYTES_MAX));
    expect(APPLIER_FREED);
    expect_failure(HAUL_PROTOCOL);
    close_applier();
}

/* --- compression ------------------------------------------------------------------------------ */

static struct block *packed_block(uint32_t index)
{
    static uint8_t zeros[20000];
    struct payload_packer *packer = NULL;
    struct raw_batch_writer writer;
    uint8_t *payload = memory[index] + SLOT_HEADER_BYTES;
    raw_batch_begin(&writer, payload, SLOT_BYTES - SLOT_HEADER_BYTES);
    check(raw_batch_put(&writer, 0, text_slice("c"), slice_of(zeros, sizeof(zeros))));
    size_t raw = raw_batch_finish(&writer);
    check_or_stop(payload_packer_create(SLOT_BYTES, &packer) == HAUL_OK);
    size_t size = payload_pack(packer, payload, raw);
    check_or_stop(size > 0);
    payload_packer_destroy(packer);
    struct block *block = prepare(index, BATCH_STREAM, size, 1);
    block->header.raw_size_bytes = (uint32_t)raw;
    block->header.flags = SLOT_COMPRESSED;
    return block;
}

static void test_applier_take__compressed__unpacked(void)
{
    open_applier(1);
    applier_take(applier, NULL, packed_block(0));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    check(has("c"));
    close_applier();
}

static void test_applier_take__unpacks_to_more_than_a_slot__protocol(void)
{
    open_applier(1);
    struct block *block = packed_block(0);
    block->header.raw_size_bytes = SLOT_BYTES + 1;
    applier_take(applier, NULL, block);
    expect(APPLIER_FREED);
    expect_failure(HAUL_PROTOCOL);
    close_applier();
}

/* --- what is durable -------------------------------------------------------------------------- */

/* The stream of write batches comes first, that of tables after it: the log is synced all the same,
 * before both are reported as durable. */
static void check_flush_syncs(uint32_t first, uint32_t second)
{
    open_applier(1);
    applier_take(applier, NULL, record_block(0, first, first == BATCH_STREAM ? "c" : "n"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    applier_take(applier, NULL, record_block(1, second, second == BATCH_STREAM ? "c" : "n"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    check_equal(sync_count, 0);
    applier_flush(applier);
    struct applier_note note = wait_for_note();
    check_equal(note.type, APPLIER_DURABLE);
    check_equal(note.position_count, 2);
    check(sync_count >= 1);
    for (size_t i = 0; i < note.position_count; i++) {
        check_equal(note.positions[i].next_batch, 1);
        stream_position_fini(&note.positions[i]);
    }
    free(note.positions);
    expect(APPLIER_FLUSHED);
    check_equal(applier_written_records(applier), 1); /* the other one is in a table */
    check_equal(applier_delta_batches(applier), 0);
    check_equal(applier_thread_count(applier), 1);
    struct digest digest = {.count = 0};
    struct digest expected = {.count = 0};
    digest_add(&expected, NULL, text_slice("c"), text_slice("value"));
    digest_add(&expected, NULL, text_slice("n"), text_slice("value"));
    check_status(applier_family_digest(applier, 0, &digest), HAUL_OK);
    check(digest_equal(&digest, &expected));
    check(has("n") && has("c"));
    close_applier();
}

static void test_applier_flush__both_lanes__synced_before_they_are_told(void)
{
    check_flush_syncs(BATCH_STREAM, TABLE_STREAM);
    check_flush_syncs(TABLE_STREAM, BATCH_STREAM);
}

/* Nothing counts as durable then. */
static void test_applier_flush__sync_fails__its_error(void)
{
    open_applier(1);
    applier_take(applier, NULL, record_block(0, BATCH_STREAM, "c"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    sync_fails = true;
    applier_flush(applier);
    expect_failure(HAUL_IO);
    sync_fails = false;
    close_applier();
}

/* A deletion that made room for a table is in the log alone. */
static void test_applier_flush__a_table_alone__the_log_is_synced(void)
{
    open_applier(1);
    applier_take(applier, NULL, record_block(0, TABLE_STREAM, "n"));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    check_equal(sync_count, 0);
    applier_flush(applier);
    expect(APPLIER_DURABLE);
    check(sync_count >= 1);
    expect(APPLIER_FLUSHED);
    close_applier();
}

static void test_applier_flush__several_threads__each_answers(void)
{
    open_applier(3);
    applier_flush(applier);
    for (int i = 0; i < 3; i++) {
        expect(APPLIER_FLUSHED);
    }
    close_applier();
}

static void test_applier_flush__record_still_in_pieces__its_stream_is_not_told(void)
{
    open_applier(1);
    applier_take(applier, NULL, fragment_block(0, BATCH_STREAM, 1000));
    expect(APPLIER_APPLIED);
    expect(APPLIER_FREED);
    applier_flush(applier);
    expect(APPLIER_FLUSHED);
    close_applier();
}

static void test_applier_destroy__notes_and_an_open_table__nothing_is_left(void)
{
    open_applier(1);
    applier_take(applier, NULL, record_block(0, TABLE_STREAM, "n"));
    applier_flush(applier);
    applier_destroy(applier);
    applier = NULL;
    close_applier();
}

/* A block of the delta stream with one record of 60,000 bytes. */
static struct block *delta_block(uint32_t index, uint64_t batch)
{
    static uint8_t zeros[60000];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory[index] + SLOT_HEADER_BYTES, SLOT_BYTES - SLOT_HEADER_BYTES);
    check(raw_batch_put(&writer, 0, text_slice("c"), slice_of(zeros, sizeof(zeros))));
    struct block *block = prepare(index, PLAN_DELTA_STREAM, raw_batch_finish(&writer), 1);
    block->header.kind = SLOT_KIND_DELTA;
    block->header.batch = batch;
    return block;
}

/* The writers of a freezing source wait for the last sync: it should have little to do. */
static void test_applier_take__deltas_and_nothing_waits__synced_each_256_kib(void)
{
    open_applier(1);
    for (uint64_t batch = 0; batch < 5; batch++) {
        check_equal(sync_count, 0);
        applier_take(applier, NULL, delta_block(0, batch));
        if (batch == 4) {
            expect(APPLIER_DURABLE); /* before the source learns that it was applied */
        }
        expect(APPLIER_APPLIED);
        expect(APPLIER_FREED);
    }
    check_equal(sync_count, 1);
    applier_flush(applier);
    expect(APPLIER_FLUSHED);
    check_equal(applier_delta_batches(applier), 5);
    check_equal(applier_written_records(applier), 5);
    close_applier();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_applier_take__annotate__in_the_log_of_the_write_batch_lane),
    CHECK_TEST(test_applier_create__too_few_descriptors__limit_and_nothing_left),
    CHECK_TEST(test_applier_take__our_own_memory__applied_then_freed),
    CHECK_TEST(test_applier_take__memory_that_the_peer_can_write__freed_first),
    CHECK_TEST(test_applier_take__piece_in_memory_of_the_peer__freed_when_joined),
    CHECK_TEST(test_applier_take__checksum_differs__corrupt_and_later_blocks_only_freed),
    CHECK_TEST(test_applier_take__stream_that_is_not_planned__protocol),
    CHECK_TEST(test_applier_take__lane_of_another_stream__protocol),
    CHECK_TEST(test_applier_take__unknown_kind_or_flags__protocol),
    CHECK_TEST(test_applier_take__pieces_of_two_large_records__protocol),
    CHECK_TEST(test_applier_take__compressed__unpacked),
    CHECK_TEST(test_applier_take__unpacks_to_more_than_a_slot__protocol),
    CHECK_TEST(test_applier_flush__both_lanes__synced_before_they_are_told),
    CHECK_TEST(test_applier_flush__sync_fails__its_error),
    CHECK_TEST(test_applier_flush__a_table_alone__the_log_is_synced),
    CHECK_TEST(test_applier_flush__several_threads__each_answers),
    CHECK_TEST(test_applier_flush__record_still_in_pieces__its_stream_is_not_told),
    CHECK_TEST(test_applier_destroy__notes_and_an_open_table__nothing_is_left),
    CHECK_TEST(test_applier_take__deltas_and_nothing_waits__synced_each_256_kib),
};

CHECK_MAIN("applier", tests)
