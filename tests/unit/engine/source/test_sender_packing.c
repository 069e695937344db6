/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_packing.c — when a source's links have payloads compressed. */
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "fake_links.h"

static void test_sender_links_pack__states__the_outbox_is_told(void)
{
    begin_up_with(0);
    check(!atomic_load(&outbox.packs));
    sender_links_pack(&links, PACK_ALWAYS, 2, true);
    check(atomic_load(&outbox.packs));
    sender_links_pack(&links, PACK_OFF, 2, true);
    check(!atomic_load(&outbox.packs));
    end();
}

static bool target_starves;

/* Send a block that completes at once, and let a millisecond pass. */
static void send_one(bool is_out)
{
    emit(SLOT_KIND_SNAPSHOT, 0);
    submitted_count = 0;
    (void)sender_links_poll(&links);
    check_or_stop(submitted_count == 1);
    done = last_taken;
    (void)sender_links_poll(&links);
    made[0].base.stats.blocks_sent += is_out ? 1 : 0;
    now += NS_PER_MS;
    sender_links_note_target(&links, links.waited.starved_us + (target_starves ? 1000 : 0),
                             links.waited.target_us + 1000);
}

static void send_until_packing_is(bool packs, bool is_out)
{
    for (int i = 0; i < 400 && atomic_load(&outbox.packs) != packs; i++) {
        send_one(is_out);
    }
    check_equal(atomic_load(&outbox.packs), packs);
}

static void test_sender_links_pack__links_are_behind__tried_and_kept_when_it_pays(void)
{
    for (int pays = 0; pays < 2; pays++) {
        begin_up_with(0);
        target_starves = pays; /* the other target is of an earlier release */
        sender_links_pack(&links, PACK_WATCHING, 2, pays);
        check(!atomic_load(&outbox.packs));
        send_until_packing_is(true, false);
        check_equal(links.pack.state, PACK_TRYING);
        atomic_store(&outbox.raw_bytes, 1000000);
        atomic_store(&outbox.packed_bytes, pays ? 500000 : 1000000);
        atomic_store(&outbox.pack_ns, NS_PER_MS);
        if (pays) {
            for (int i = 0; i < 100 && links.pack.state == PACK_TRYING; i++) {
                send_one(false);
            }
            check_equal(links.pack.state, PACK_PACKING);
            check(atomic_load(&outbox.packs));
            check(kept_log_had("the links are slow: compressing payloads"));
        } else {
            send_until_packing_is(false, false);
            check_equal(links.pack.state, PACK_RESTING);
        }
        end();
    }
}

static void never_packs(bool is_out, bool starves, bool reports)
{
    begin_up_with(0);
    made[0].base.stats.blocks_sent = is_out ? 1 : 0; /* of the block that goes next */
    target_starves = starves;
    sender_links_pack(&links, PACK_WATCHING, 2, reports);
    for (int i = 0; i < 400; i++) {
        send_one(is_out);
        check(!atomic_load(&outbox.packs));
    }
    check_equal(links.pack.state, PACK_WATCHING);
    end();
}

static void test_sender_links_pack__all_is_out_or_the_target_is_busy__never_tried(void)
{
    never_packs(true, true, true);
    never_packs(true, false, false);
    never_packs(false, false, true);
}

static void *take_block(void *block)
{
    return outbox_acquire(&outbox, block) == HAUL_OK ? block : NULL;
}

/* The links have passed everything on, and all slots are taken. */
static void test_sender_links_pack__reader_without_a_block__counts_as_waiting(void)
{
    struct block *blocks[BLOCKS + 1];
    pthread_t reader;
    begin_up_with(0);
    sender_links_pack(&links, PACK_WATCHING, 2, true);
    for (int i = 0; i < BLOCKS; i++) {
        check_or_stop(outbox_acquire(&outbox, &blocks[i]) == HAUL_OK);
    }
    (void)sender_links_poll(&links);
    check(!links.waits);
    check_or_stop(pthread_create(&reader, NULL, take_block, &blocks[BLOCKS]) == 0);
    while (block_pool_waiter_count(outbox.pool) == 0) {
        (void)sched_yield();
    }
    (void)sender_links_poll(&links);
    now += NS_PER_MS;
    (void)sender_links_poll(&links);
    check_equal(links.waited.waited_ns, NS_PER_MS);
    outbox_give_back(&outbox, blocks[0]);
    check(pthread_join(reader, NULL) == 0);
    for (int i = 1; i <= BLOCKS; i++) {
        outbox_give_back(&outbox, blocks[i]);
    }
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_sender_links_pack__states__the_outbox_is_told),
    CHECK_TEST(test_sender_links_pack__links_are_behind__tried_and_kept_when_it_pays),
    CHECK_TEST(test_sender_links_pack__all_is_out_or_the_target_is_busy__never_tried),
    CHECK_TEST(test_sender_links_pack__reader_without_a_block__counts_as_waiting),
};

CHECK_MAIN("sender_packing", tests)
