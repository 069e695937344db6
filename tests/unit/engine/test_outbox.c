/* SPDX-License-Identifier: Apache-2.0 */
/* test_outbox.c — blocks on their way out, and that nobody waits for one behind the close. */
#include "outbox.h"

#include <poll.h>
#include <pthread.h>

#include "check.h"
#include "fragment.h"

enum { BLOCKS = 2, BLOCK_BYTES = 4096, WAIT_MS = 20 };

static struct outbox outbox;

static void begin(void)
{
    check_or_stop(outbox_init(&outbox, BLOCKS, BLOCK_BYTES, 3, NULL) == HAUL_OK);
}

/* What a reader waits for when the path is lost. */
static void *wait_for_room(void *result)
{
    *(enum haul_status *)result = outbox_reserve(&outbox, 1);
    return NULL;
}

static void *wait_for_block(void *result)
{
    struct block *block = NULL;
    *(enum haul_status *)result = outbox_acquire(&outbox, &block);
    return NULL;
}

static void test_outbox_close__readers_wait__closed_for_all_of_them(void)
{
    enum haul_status results[2] = {HAUL_OK, HAUL_OK};
    struct block *blocks[BLOCKS];
    pthread_t threads[2];
    begin();
    check_status(outbox_reserve(&outbox, FRAGMENT_SESSION_BYTES_MAX), HAUL_OK);
    for (int i = 0; i < BLOCKS; i++) {
        check_status(outbox_acquire(&outbox, &blocks[i]), HAUL_OK);
    }
    check_or_stop(pthread_create(&threads[0], NULL, wait_for_room, &results[0]) == 0);
    check_or_stop(pthread_create(&threads[1], NULL, wait_for_block, &results[1]) == 0);
    (void)poll(NULL, 0, WAIT_MS);
    outbox_close(&outbox);
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        check_status(results[i], HAUL_CLOSED);
    }
    check_status(outbox_emit(&outbox, blocks[0]), HAUL_CLOSED); /* and it is given back */
    check(outbox_take(&outbox) == NULL);
    outbox_give_back(&outbox, blocks[1]);
    outbox_fini(&outbox);
}

static void test_outbox_emit__filled__header_and_room_are_kept(void)
{
    struct block *block = NULL;
    begin();
    check_status(outbox_reserve(&outbox, FRAGMENT_SESSION_BYTES_MAX), HAUL_OK);
    check_status(outbox_acquire(&outbox, &block), HAUL_OK);
    block->reserved_bytes = FRAGMENT_SESSION_BYTES_MAX;
    block->header.payload_size_bytes = 1;
    block_payload(block)[0] = 'x';
    check_status(outbox_emit(&outbox, block), HAUL_OK);
    check(outbox_take(&outbox) == block);
    check_equal(block->header.type, SLOT_DATA);
    check_equal(block->header.epoch, 3);
    check(block->header.payload_crc != 0);
    outbox_give_back(&outbox, block);
    check_status(outbox_reserve(&outbox, FRAGMENT_SESSION_BYTES_MAX), HAUL_OK); /* all is back */
    outbox_fini(&outbox);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_outbox_close__readers_wait__closed_for_all_of_them),
    CHECK_TEST(test_outbox_emit__filled__header_and_room_are_kept),
};

CHECK_MAIN("outbox", tests)
