/* SPDX-License-Identifier: Apache-2.0 */
/* test_applier_sealed.c — blocks under a key: what was sealed is applied, and only that, even if
 * the peer rewrites the slot while it is being opened.
 *
 * block_open is wrapped, so that the slot changes exactly then. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "applier.h"
#include "block_pool.h"
#include "block_seal.h"
#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { SLOT_BYTES = 64 << 10, BLOCK_COUNT = 8, WAIT_MS = 20000 };

static struct rocks_fixture fixture;
static struct plan_family family;
static struct plan_stream stream;
static struct key_range range;
static struct plan plan = {.family_count = 1,
                           .families = &family,
                           .range_count = 1,
                           .ranges = &range,
                           .stream_count = 1,
                           .streams = &stream};
static struct applier *applier;
static struct haul_error error;
static struct block block;
static uint8_t slot[SLOT_BYTES];
static struct block_key key;

static bool rewrites; /* the peer does so when block_open begins */
static bool opened_in_slot;

enum haul_status __wrap_block_open(const struct block_key *by, const struct slot_header *header,
                                   uint8_t *payload, size_t *size);
enum haul_status __real_block_open(const struct block_key *by, const struct slot_header *header,
                                   uint8_t *payload, size_t *size);

enum haul_status __wrap_block_open(const struct block_key *by, const struct slot_header *header,
                                   uint8_t *payload, size_t *size)
{
    opened_in_slot = payload >= slot && payload < slot + sizeof(slot);
    if (rewrites) {
        memset(slot, 0xee, sizeof(slot));
    }
    return __real_block_open(by, header, payload, size);
}

static void open_applier(enum haul_wire wire)
{
    rocks_fixture_open(&fixture);
    family = (struct plan_family){
        .family = {.name = "default", .comparator = "leveldb.BytewiseComparator"}};
    stream = (struct plan_stream){.bytes = 1};
    check_status(key_range_init(&stream.range, text_slice("b"), text_slice("y")), HAUL_OK);
    check_status(key_range_init(&range, text_slice("b"), text_slice("y")), HAUL_OK);
    key.wire = wire;
    memset(key.bytes, 'k', sizeof(key.bytes));
    struct applier_options options = {.store = fixture.store,
                                      .plan = &plan,
                                      .lane = HAUL_LANE_INGEST,
                                      .thread_count = 1,
                                      .slot_size_bytes = SLOT_BYTES,
                                      .block_count_max = BLOCK_COUNT,
                                      .table_size_bytes = 1 << 20,
                                      .staging_directory = fixture.path,
                                      .job = "00",
                                      .key = key};
    check_or_stop(applier_create(&options, &applier, &error) == HAUL_OK);
    rewrites = false;
    opened_in_slot = false;
}

static void close_applier(void)
{
    applier_destroy(applier);
    key_range_fini(&range);
    key_range_fini(&stream.range);
    rocks_fixture_close(&fixture);
}

/* A sealed block with one record. */
static void seal_record(const char *name, const char *value)
{
    struct raw_batch_writer writer;
    block = (struct block){.data = slot, .state = BLOCK_LENT};
    raw_batch_begin(&writer, block_payload(&block), SLOT_BYTES - SLOT_HEADER_BYTES);
    check(raw_batch_put(&writer, 0, text_slice(name), text_slice(value)));
    size_t size = raw_batch_finish(&writer);
    block.header = (struct slot_header){.type = SLOT_DATA,
                                        .kind = SLOT_KIND_SNAPSHOT,
                                        .payload_size_bytes = (uint32_t)size,
                                        .raw_size_bytes = (uint32_t)size,
                                        .record_count = 1};
    check_status(block_seal(&key, &block.header, block_payload(&block)), HAUL_OK);
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

static void expect_applied(const char *name, const char *value)
{
    uint8_t *got = NULL;
    size_t size = 0;
    check_status(
        fixture.store->ops->get(fixture.store, NULL, 0, text_slice(name), &got, &size, &error),
        HAUL_OK);
    check(size == strlen(value) && memcmp(got, value, size) == 0);
    free(got);
}

static void expect_refused(const char *name)
{
    check_equal(wait_for_note().type, APPLIER_FREED);
    struct applier_note note = wait_for_note();
    check_equal(note.type, APPLIER_FAILED);
    check_status(note.error.status, HAUL_CORRUPT);
    check_equal(applier_crc_errors(applier), 1);
    uint8_t *got = NULL;
    size_t size = 0;
    check(fixture.store->ops->get(fixture.store, NULL, 0, text_slice(name), &got, &size, &error) !=
          HAUL_OK);
    free(got);
}

static void test_applier_take__sealed__opened_in_our_own_memory_and_applied(void)
{
    for (enum haul_wire wire = HAUL_WIRE_AUTH; wire <= HAUL_WIRE_SECURE; wire++) {
        open_applier(wire);
        seal_record("c", "value");
        applier_take(applier, NULL, &block);
        check_equal(wait_for_note().type, APPLIER_APPLIED);
        check_equal(wait_for_note().type, APPLIER_FREED);
        check(opened_in_slot);
        expect_applied("c", "value");
        close_applier();
    }
}

/* A ring of RDMA: whatever arrives there after the copy does not matter. */
static void test_applier_take__peer_rewrites_the_slot_during_opening__never_applied(void)
{
    for (enum haul_wire wire = HAUL_WIRE_AUTH; wire <= HAUL_WIRE_SECURE; wire++) {
        open_applier(wire);
        seal_record("c", "value");
        block.peer_writable = true;
        rewrites = true;
        applier_take(applier, NULL, &block);
        check_equal(wait_for_note().type, APPLIER_FREED);
        check_equal(wait_for_note().type, APPLIER_APPLIED);
        check(!opened_in_slot);
        check_equal(slot[SLOT_HEADER_BYTES], 0xee);
        expect_applied("c", "value");
        close_applier();
    }
}

static void test_applier_take__changed_before_the_copy__corrupt_and_nothing_applied(void)
{
    for (int of_the_peer = 0; of_the_peer < 2; of_the_peer++) {
        open_applier(HAUL_WIRE_AUTH);
        seal_record("c", "value");
        block.peer_writable = of_the_peer == 1;
        block_payload(&block)[block.header.payload_size_bytes - BLOCK_TAG_BYTES - 1] ^= 1;
        applier_take(applier, NULL, &block);
        expect_refused("c");
        close_applier();
    }
}

/* Nobody makes the receiver take a plain block: there is no way from a key back to none. */
static void test_applier_take__plain_block_where_sealed_is_agreed__corrupt(void)
{
    open_applier(HAUL_WIRE_SECURE);
    key.wire = HAUL_WIRE_NONE;
    seal_record("c", "value");
    applier_take(applier, NULL, &block);
    expect_refused("c");
    close_applier();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_applier_take__sealed__opened_in_our_own_memory_and_applied),
    CHECK_TEST(test_applier_take__peer_rewrites_the_slot_during_opening__never_applied),
    CHECK_TEST(test_applier_take__changed_before_the_copy__corrupt_and_nothing_applied),
    CHECK_TEST(test_applier_take__plain_block_where_sealed_is_agreed__corrupt),
};

CHECK_MAIN("applier_sealed", tests)
