/* SPDX-License-Identifier: Apache-2.0 */
/* test_block_pool.c — blocks of one arena: separate, reused last first, waited for, closed. */
#include "block_pool.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "check.h"
#include "clock.h"

enum { BLOCKS = 5, BLOCK_BYTES = 4096, WAIT_MS = 20000, TURNS = 3000 };

static struct block_pool *pool;

static void open_pool(void)
{
    if (pool != NULL) {
        block_pool_close(pool);
        block_pool_destroy(pool);
        pool = NULL;
    }
    check_or_stop(block_pool_create(BLOCKS, BLOCK_BYTES, NULL, &pool, NULL) == HAUL_OK);
}

static void close_pool(void)
{
    block_pool_close(pool);
    block_pool_destroy(pool);
    pool = NULL;
}

static struct block *acquire(void)
{
    struct block *block = NULL;
    check_or_stop(block_pool_acquire(pool, 0, &block) == HAUL_OK);
    return block;
}

static uint64_t late_ns(void)
{
    return clock_deadline_ns(&clock_monotonic, WAIT_MS);
}

static void test_block_pool_create__blocks__apart_in_one_arena(void)
{
    uint64_t size = 0;
    open_pool();
    uint8_t *arena = block_pool_arena(pool, &size);
    check_equal(size, BLOCKS * BLOCK_BYTES);
    check_equal(block_pool_count(pool), BLOCKS);
    check_equal(block_pool_block_size_bytes(pool), BLOCK_BYTES);
    check_equal((uintptr_t)arena % BLOCK_BYTES, 0);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct block *block = block_pool_at(pool, i);
        check(block->data == arena + (size_t)i * BLOCK_BYTES);
        check(block_payload(block) == block->data + SLOT_HEADER_BYTES);
        check_equal(block->index, i);
        memset(block->data, 0xaa, BLOCK_BYTES); /* all of it can be written */
    }
    close_pool();
}

static void test_block_pool_acquire__all__each_once_then_again(void)
{
    struct block *taken[BLOCKS];
    struct block *none = NULL;
    open_pool();
    for (uint32_t i = 0; i < BLOCKS; i++) {
        taken[i] = acquire();
        check_equal(taken[i]->state, BLOCK_FILLING);
        for (uint32_t j = 0; j < i; j++) {
            check(taken[i] != taken[j]);
        }
    }
    check_status(block_pool_acquire(pool, 0, &none), HAUL_AGAIN);
    check(none == NULL);
    close_pool();
}

static void test_block_pool_acquire__released_before__last_one_first_with_a_clean_header(void)
{
    open_pool();
    struct block *first = acquire();
    struct block *second = acquire();
    second->header.batch = 7;
    second->header.flags = SLOT_LAST;
    block_pool_release(pool, first);
    block_pool_release(pool, second);
    check_equal(second->state, BLOCK_FREE);
    struct block *again = acquire();
    check(again == second);
    check_equal(again->header.batch, 0);
    check_equal(again->header.flags, 0);
    check(acquire() == first);
    close_pool();
}

static void test_block_pool_acquire__none_until_the_deadline__timeout(void)
{
    struct block *block = NULL;
    open_pool();
    for (int i = 0; i < BLOCKS; i++) {
        (void)acquire();
    }
    uint64_t deadline_ns = clock_deadline_ns(&clock_monotonic, 1);
    check_status(block_pool_acquire(pool, deadline_ns, &block), HAUL_TIMEOUT);
    check(clock_now_ns(&clock_monotonic) >= deadline_ns);
    close_pool();
}

static void test_block_pool_acquire__closed__closed_although_some_are_free(void)
{
    struct block *block = NULL;
    open_pool();
    block_pool_close(pool);
    check_status(block_pool_acquire(pool, 0, &block), HAUL_CLOSED);
    check_status(block_pool_acquire(pool, CLOCK_NEVER, &block), HAUL_CLOSED);
    close_pool();
}

static void test_block_pool_release__closed_pool__taken_back(void)
{
    open_pool();
    struct block *block = acquire();
    block_pool_close(pool);
    block_pool_release(pool, block);
    check_equal(block->state, BLOCK_FREE);
    close_pool();
}

static void test_block_pool_destroy__all_free_and_not_closed__sound(void)
{
    open_pool();
    block_pool_release(pool, acquire());
    block_pool_destroy(pool);
    pool = NULL;
    block_pool_destroy(NULL);
}

static void *close_it(void *context)
{
    block_pool_close(context);
    return NULL;
}

static void test_block_pool_close__other_thread_waits__woken_with_closed(void)
{
    pthread_t thread;
    struct block *block = NULL;
    open_pool();
    for (int i = 0; i < BLOCKS; i++) {
        (void)acquire();
    }
    check_or_stop(pthread_create(&thread, NULL, close_it, pool) == 0);
    check_status(block_pool_acquire(pool, late_ns(), &block), HAUL_CLOSED);
    check(pthread_join(thread, NULL) == 0);
    close_pool();
}

/* Each turn writes the block: two threads with the same one would be noticed (also by TSan). */
static void *take_turns(void *context)
{
    bool *sound = context;
    for (uint32_t i = 0; i < TURNS; i++) {
        struct block *held[2] = {NULL, NULL};
        *sound = *sound && block_pool_acquire(pool, late_ns(), &held[0]) == HAUL_OK &&
                 block_pool_acquire(pool, late_ns(), &held[1]) == HAUL_OK;
        for (int j = 0; j < 2 && held[j] != NULL; j++) {
            *(volatile uint32_t *)(void *)held[j]->data = i;
            *sound = *sound && *(volatile uint32_t *)(void *)held[j]->data == i;
            block_pool_release(pool, held[j]);
        }
    }
    return NULL;
}

static void test_block_pool_acquire__four_threads__no_block_is_held_twice(void)
{
    pthread_t threads[4];
    bool sound[4] = {true, true, true, true};
    open_pool();
    for (int i = 0; i < 4; i++) {
        check_or_stop(pthread_create(&threads[i], NULL, take_turns, &sound[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        check(pthread_join(threads[i], NULL) == 0);
        check(sound[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        (void)acquire();
    }
    close_pool();
}

struct reader {
    pthread_t thread;
    struct block *block;
};

static void *take_one(void *context)
{
    struct reader *reader = context;
    return block_pool_acquire(pool, CLOCK_NEVER, &reader->block) == HAUL_OK ? reader : NULL;
}

static void start_waiting(struct reader *reader, uint32_t place)
{
    check_or_stop(pthread_create(&reader->thread, NULL, take_one, reader) == 0);
    while (block_pool_waiter_count(pool) < place) {
        sched_yield();
    }
}

/* A released block goes to the longest waiting thread, not to the next caller. */
static void test_block_pool_release__two_wait__served_in_turn_and_nobody_else(void)
{
    struct reader readers[2] = {{.block = NULL}, {.block = NULL}};
    struct block *blocks[BLOCKS];
    struct block *taken;
    open_pool();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = acquire();
    }
    start_waiting(&readers[0], 1);
    start_waiting(&readers[1], 2);
    for (uint32_t i = 0; i < 2; i++) {
        void *result = NULL;
        block_pool_release(pool, blocks[i]);
        check_status(block_pool_acquire(pool, 0, &taken), HAUL_AGAIN);
        check_equal(block_pool_waiter_count(pool), 1 - i);
        check(pthread_join(readers[i].thread, &result) == 0);
        check(result == &readers[i] && readers[i].block == blocks[i]);
    }
    close_pool();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_block_pool_create__blocks__apart_in_one_arena),
    CHECK_TEST(test_block_pool_acquire__all__each_once_then_again),
    CHECK_TEST(test_block_pool_acquire__released_before__last_one_first_with_a_clean_header),
    CHECK_TEST(test_block_pool_acquire__none_until_the_deadline__timeout),
    CHECK_TEST(test_block_pool_acquire__closed__closed_although_some_are_free),
    CHECK_TEST(test_block_pool_release__closed_pool__taken_back),
    CHECK_TEST(test_block_pool_destroy__all_free_and_not_closed__sound),
    CHECK_TEST(test_block_pool_close__other_thread_waits__woken_with_closed),
    CHECK_TEST(test_block_pool_acquire__four_threads__no_block_is_held_twice),
    CHECK_TEST(test_block_pool_release__two_wait__served_in_turn_and_nobody_else),
};

CHECK_MAIN("block_pool", tests)
