/* SPDX-License-Identifier: Apache-2.0 */
/* test_bit_flips.c — flips every bit of a small block, header and payload, after it was placed in
 * the receiver's memory: nothing of it may reach the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applier.h"
#include "check.h"
#include "crc32c.h"
#include "memory_store.h"
#include "raw_batch.h"

enum { SLOT_BYTES = 4096, FAMILY_ID = 5, RECORD_COUNT = 3 };

uint32_t __real_crc32c_extend(uint32_t crc, const void *data, size_t size);
uint32_t __wrap_crc32c_extend(uint32_t crc, const void *data, size_t size);

static struct memory_store store;
static struct plan plan;
static struct plan_family family;
static struct plan_stream stream;
static struct applier *applier;
static uint8_t memory[SLOT_BYTES];
static struct block block;

/* A peer that rewrites the slot right after its checksum was computed. */
static bool peer_rewrites;

uint32_t __wrap_crc32c_extend(uint32_t crc, const void *data, size_t size)
{
    uint32_t result = __real_crc32c_extend(crc, data, size);
    if (peer_rewrites && data == block_payload(&block)) {
        block_payload(&block)[size - 1] ^= 1;
    }
    return result;
}

/* --- one block -------------------------------------------------------------------------------- */

static void make_block(bool peer_writable)
{
    struct raw_batch_writer writer;
    memset(&block, 0, sizeof(block));
    block.data = memory;
    block.state = BLOCK_LENT;
    block.peer_writable = peer_writable;
    raw_batch_begin(&writer, block_payload(&block), SLOT_BYTES - SLOT_HEADER_BYTES);
    for (uint8_t i = 0; i < RECORD_COUNT; i++) {
        const uint8_t key[] = {'k', i};
        const uint8_t value[] = {'v', i, i, i};
        check_or_stop(raw_batch_put(&writer, FAMILY_ID, slice_of(key, sizeof(key)),
                                    slice_of(value, sizeof(value))));
    }
    size_t size = raw_batch_finish(&writer);
    block.header =
        (struct slot_header){.type = SLOT_DATA,
                             .kind = SLOT_KIND_SNAPSHOT,
                             .epoch = 1,
                             .payload_size_bytes = (uint32_t)size,
                             .raw_size_bytes = (uint32_t)size,
                             .record_count = RECORD_COUNT,
                             .payload_crc = __real_crc32c_extend(0, block_payload(&block), size)};
    slot_header_encode(&block.header, memory);
}

static void start(void)
{
    memory_store_init(&store);
    memory_store_add_family(&store, FAMILY_ID, false);
    memset(&family, 0, sizeof(family));
    (void)snprintf(family.family.comparator, sizeof(family.family.comparator),
                   "leveldb.BytewiseComparator");
    family.target_id = FAMILY_ID;
    memset(&stream, 0, sizeof(stream));
    plan = (struct plan){
        .family_count = 1, .families = &family, .stream_count = 1, .streams = &stream};
    struct applier_options options = {.store = &store.base,
                                      .plan = &plan,
                                      .lane = HAUL_LANE_WRITE_BATCH,
                                      .thread_count = 1,
                                      .slot_size_bytes = SLOT_BYTES,
                                      .block_count_max = 4,
                                      .staging_directory = "",
                                      .job = ""};
    struct haul_error error;
    check_status(applier_create(&options, &applier, &error), HAUL_OK);
}

/* Pass the block on; OK: it was applied. */
static enum haul_status apply(void)
{
    struct applier_note note;
    enum haul_status outcome = HAUL_AGAIN;
    applier_take(applier, NULL, &block);
    while (outcome == HAUL_AGAIN) {
        if (applier_note(applier, &note) != HAUL_OK) {
            continue;
        }
        if (note.type == APPLIER_APPLIED) {
            outcome = HAUL_OK;
        } else if (note.type == APPLIER_FAILED) {
            outcome = note.error.status;
        } else if (note.type == APPLIER_DURABLE) {
            for (size_t i = 0; i < note.position_count; i++) {
                stream_position_fini(&note.positions[i]);
            }
            free(note.positions);
        }
    }
    return outcome;
}

static void stop(void)
{
    applier_destroy(applier);
    memory_store_fini(&store);
}

/* What a receiving link does with the block before the appliers get it. */
static bool header_is_believed(void)
{
    struct slot_header header;
    const char *why;
    return slot_header_decode(memory, &header, &why) == HAUL_OK;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_applier_take__sound_block__applied(void)
{
    for (int writable = 0; writable < 2; writable++) {
        start();
        make_block(writable != 0);
        check(header_is_believed());
        check_status(apply(), HAUL_OK);
        check_equal(store.count, RECORD_COUNT);
        stop();
    }
}

static void test_slot_header_decode__any_bit_flipped__refused(void)
{
    make_block(true);
    for (size_t bit = 0; bit < 8 * (size_t)SLOT_HEADER_BYTES; bit++) {
        memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
        check(!header_is_believed());
        memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    check(header_is_believed());
}

static void test_applier_take__any_bit_of_the_payload_flipped__refused(void)
{
    make_block(true);
    size_t bits = 8 * (size_t)block.header.payload_size_bytes;
    for (size_t bit = 0; bit < 2 * bits; bit++) {
        start();
        make_block(bit < bits);
        block_payload(&block)[bit % bits / 8] ^= (uint8_t)(1U << bit % 8);
        check_status(apply(), HAUL_CORRUPT);
        check_equal(store.count, 0);
        check_equal(applier_crc_errors(applier), 1);
        stop();
    }
}

static void test_applier_take__slot_written_again_after_its_checksum__copy_is_what_counts(void)
{
    start();
    make_block(true);
    struct digest wanted = {0};
    for (uint8_t i = 0; i < RECORD_COUNT; i++) {
        const uint8_t key[] = {'k', i};
        const uint8_t value[] = {'v', i, i, i};
        digest_add(&wanted, NULL, slice_of(key, sizeof(key)), slice_of(value, sizeof(value)));
    }
    peer_rewrites = true;
    check_status(apply(), HAUL_OK);
    peer_rewrites = false;
    struct digest found = memory_store_digest(&store, FAMILY_ID);
    check(found.low == wanted.low && found.high == wanted.high && found.count == wanted.count);
    stop();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_applier_take__sound_block__applied),
    CHECK_TEST(test_slot_header_decode__any_bit_flipped__refused),
    CHECK_TEST(test_applier_take__any_bit_of_the_payload_flipped__refused),
    CHECK_TEST(test_applier_take__slot_written_again_after_its_checksum__copy_is_what_counts),
};

CHECK_MAIN("bit_flips", tests)
