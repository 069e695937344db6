/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_keys.c — a verbs link with a key: it believes no credit without the right tag, and
 * tags its own. */
#include "verbs_fixture.h"

#include "verbs_receiver.h"
#include "verbs_sender.h"

static const struct frame_key ours = {.used = true, .bytes = {1, 2, 3}};
static const struct frame_key others = {.used = true, .bytes = {1, 2, 4}};
static uint8_t *memory; /* that the peer writes: credits of a sender, the ring of a receiver */

static void open_link(bool sending)
{
    struct verbs_description described;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    fixture_begin();
    config.frames = ours;
    config.sealed = true;
    if (sending) {
        check_or_stop(fixture_connect(NULL) == HAUL_OK);
        check_or_stop(fixture_walk() == 1 && events[0].type == LINK_CONNECTED);
    } else {
        check_or_stop(fixture_accept(NULL) == HAUL_OK);
        check_or_stop(fixture_step(RDMA_CM_EVENT_ESTABLISHED) == 1);
    }
    fixture_bind();
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &described, NULL) == HAUL_OK);
    memory = (uint8_t *)(uintptr_t)described.address;
}

static void submit_block(void)
{
    struct block *block;
    const struct link_tx tx = {tested};
    check_or_stop(block_pool_acquire(link_pool(tx), 0, &block) == HAUL_OK);
    block->header.payload_size_bytes = 100;
    check_or_stop(link_submit(tx, block) == HAUL_OK);
}

/* The first credit arrives, made with this key. */
static void bring_credit(const struct frame_key *key)
{
    const struct credit_frame record = {.epoch = EPOCH, .freed = 1, .applied = 1};
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, key, memory);
    fake_arrive(imm_pack(SLOT_CREDIT, 0), CREDIT_FRAME_BYTES);
}

static void test_link_poll__credit_with_the_tag__block_done(void)
{
    open_link(true);
    submit_block();
    fake_complete_write(IBV_WC_SUCCESS);
    bring_credit(&ours);
    size_t count = fixture_wake();
    unsigned done = 0;
    for (size_t i = 0; i < count; i++) {
        done += events[i].type == LINK_DONE && events[i].status == HAUL_OK;
        if (events[i].type == LINK_DONE) {
            block_pool_release(link_pool((struct link_tx){tested}), events[i].block);
        }
    }
    check_equal(done, 1);
    fixture_end();
}

static void refuse(const struct frame_key *key)
{
    open_link(true);
    submit_block();
    fake_complete_write(IBV_WC_SUCCESS);
    bring_credit(key);
    size_t count = fixture_wake();
    for (size_t i = 0; i < count; i++) {
        check(events[i].type != LINK_DONE || events[i].status == HAUL_CANCELLED);
        if (events[i].type == LINK_DONE) {
            block_pool_release(link_pool((struct link_tx){tested}), events[i].block);
        }
    }
    fixture_check_closed(count, HAUL_CORRUPT);
    fixture_end();
}

static void test_link_poll__credit_of_another_key_or_none__corrupt(void)
{
    refuse(&others);
    refuse(NULL);
}

static void bring_block(void)
{
    const struct slot_header header = {.type = SLOT_DATA,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE,
                                       .payload_size_bytes = 200};
    slot_header_encode(&header, memory);
    fake_arrive(imm_pack(SLOT_DATA, header.sequence), SLOT_HEADER_BYTES + 200);
}

static void test_link_release__its_credit__has_the_tag(void)
{
    struct credit_frame record;
    open_link(false);
    bring_block();
    check_or_stop(fixture_poll() == 1);
    check_equal(events[0].type, LINK_RECEIVED);
    check(events[0].block->peer_writable); /* the layer above copies before it opens */
    link_note_applied((struct link_rx){tested}, 1);
    link_release((struct link_rx){tested}, events[0].block);
    check_equal(fixture_poll(), 0);
    check_or_stop(fake.write_count == 1);
    const uint8_t *at = fake.writes[0].data;
    check_status(credit_frame_decode(at, CREDIT_RECORD_MAGIC, &ours, &record), HAUL_OK);
    check_equal(record.freed, 1);
    check_status(credit_frame_decode(at, CREDIT_RECORD_MAGIC, &others, &record), HAUL_CORRUPT);
    fixture_end();
}

static void test_fini__key_of_the_link__nothing_is_left(void)
{
    static const struct frame_key nothing;
    struct verbs_sender sender = {.frames_key = ours};
    struct verbs_receiver receiver = {.frames_key = ours};
    verbs_sender_fini(&sender);
    verbs_receiver_fini(&receiver);
    check(memcmp(sender.frames_key.bytes, nothing.bytes, FRAME_KEY_BYTES) == 0);
    check(memcmp(receiver.frames_key.bytes, nothing.bytes, FRAME_KEY_BYTES) == 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_fini__key_of_the_link__nothing_is_left),
    CHECK_TEST(test_link_poll__credit_with_the_tag__block_done),
    CHECK_TEST(test_link_poll__credit_of_another_key_or_none__corrupt),
    CHECK_TEST(test_link_release__its_credit__has_the_tag),
};

CHECK_MAIN("verbs_keys", tests)
