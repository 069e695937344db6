/* SPDX-License-Identifier: Apache-2.0 */
/* test_send_state.c — which move begins next, who waits again, and the sums. */
#include "send_state.h"

#include <string.h>

#include "check.h"

enum { MOVE_COUNT = 5 };

static struct send_move moves[MOVE_COUNT];
static const struct send_plan plan = {.moves = moves, .count = MOVE_COUNT};
static struct send_state state;
static struct haul_result result;
static struct haul_error error;
static char migration_memory;
static uint64_t now_ns;

static void begin(const char *const to[MOVE_COUNT])
{
    for (size_t i = 0; i < MOVE_COUNT; i++) {
        moves[i].to = to[i];
    }
    now_ns = 1000;
    check_or_stop(send_state_init(&state, &plan, now_ns, &error) == HAUL_OK);
}

static size_t begin_next(void)
{
    size_t next = send_state_next(&state);
    if (next != SIZE_MAX) {
        send_state_begun(&state, next, (struct haul_migration *)(void *)&migration_memory,
                         ++now_ns);
    }
    return next;
}

static void end(size_t index, enum haul_status status)
{
    memset(&result, 0, sizeof(result));
    result.status = status;
    result.progress.bytes = 100;
    result.progress.records = 10;
    send_state_ended(&state, index, &result, ++now_ns);
    check(state.moves[index].migration == NULL);
}

static const char *const one[MOVE_COUNT] = {"a", "a", "a", "a", "a"};
static const char *const two[MOVE_COUNT] = {"a", "a", "a", "b", "b"};

static void test_send_state_next__one_receiver__in_the_order_of_the_plan(void)
{
    begin(one);
    for (size_t i = 0; i < MOVE_COUNT; i++) {
        check_equal(begin_next(), i);
    }
    check_equal(send_state_next(&state), SIZE_MAX);
    send_state_fini(&state);
}

static void test_send_state_next__two_receivers__both_get_work(void)
{
    begin(two);
    check_equal(begin_next(), 0);
    check_equal(begin_next(), 3);
    check_equal(begin_next(), 1);
    check_equal(begin_next(), 4);
    end(0, HAUL_OK);
    end(1, HAUL_OK);
    check_equal(begin_next(), 2);
    check_equal(send_state_first(&state, MOVE_DONE), 0);
    check_equal(send_state_first(&state, MOVE_FAILED), SIZE_MAX);
    send_state_fini(&state);
}

/* The receiver is full of moves of this plan. */
static void test_send_state_waits_again__another_runs_there__until_that_ends(void)
{
    begin(two);
    (void)begin_next();
    check_equal(begin_next(), 3);
    check_equal(begin_next(), 1);
    end(1, HAUL_BUSY);
    check(send_state_waits_again(&state, 1));
    check_equal(state.moves[1].phase, MOVE_WAITING);
    check_equal(send_state_next(&state), 2); /* 2 may try; it was not refused yet */
    end(3, HAUL_OK);                         /* to another receiver */
    check_equal(state.moves[1].block, MOVE_BLOCKED_BY_RECEIVER);
    end(0, HAUL_OK);
    check_equal(state.moves[1].block, MOVE_FREE);
    check_equal(begin_next(), 1);
    send_state_fini(&state);
}

/* The place became free between the last attempt and the end of its patience. */
static void test_send_state_waits_again__another_ended_meanwhile__tries_at_once(void)
{
    begin(one);
    (void)begin_next();
    (void)begin_next();
    end(0, HAUL_OK);
    end(1, HAUL_BUSY);
    check(send_state_waits_again(&state, 1));
    check_equal(state.moves[1].block, MOVE_FREE);
    /* Nothing has ended since it began again: others than these moves are there. */
    check_equal(begin_next(), 1);
    end(1, HAUL_BUSY);
    check(!send_state_waits_again(&state, 1));
    send_state_fini(&state);
}

static void test_send_state_ended__blocked_by_any__free_whoever_ends(void)
{
    begin(two);
    (void)begin_next();
    state.moves[3].block = MOVE_BLOCKED_BY_ANY;
    check_equal(send_state_next(&state), 4);
    end(0, HAUL_CANCELLED);
    check_equal(state.moves[3].block, MOVE_FREE);
    state.moves[3].block = MOVE_BLOCKED_BY_ANY;
    state.moves[2].block = MOVE_BLOCKED_BY_RECEIVER;
    send_state_try_again(&state);
    check_equal(state.moves[3].block, MOVE_FREE);
    check_equal(state.moves[2].block, MOVE_BLOCKED_BY_RECEIVER);
    send_state_fini(&state);
}

static void test_send_state_failed__two__the_first_in_time(void)
{
    begin(one);
    check_equal(state.first_failed, SIZE_MAX);
    (void)begin_next();
    (void)begin_next();
    haul_error_set(&error, HAUL_NOT_EMPTY, NULL, 0, "late");
    end(1, HAUL_NOT_EMPTY);
    send_state_failed(&state, 1, &error);
    end(0, HAUL_TIMEOUT);
    send_state_failed(&state, 0, &error);
    check_equal(state.first_failed, 1);
    check_text(state.moves[1].error.text, "late");
    check_equal(state.moves[1].phase, MOVE_FAILED);
    send_state_fini(&state);
}

static void test_send_state_totals__each_phase__counted_where_it_belongs(void)
{
    struct send_totals totals;
    begin(one);
    state.moves[0].phase = MOVE_DONE_BEFORE;
    (void)begin_next();
    (void)begin_next();
    (void)begin_next();
    end(1, HAUL_OK);
    end(2, HAUL_TIMEOUT);
    send_state_failed(&state, 2, &error);
    state.moves[3].figures =
        (struct haul_progress){.records = 5, .bytes = 50, .bytes_expected = 101};
    state.moves[4].bytes_expected = 99;
    send_state_totals(&state, &totals);
    check_equal(totals.done, 2);
    check_equal(totals.done_before, 1);
    check_equal(totals.running, 1);
    check_equal(totals.failed, 1);
    check_equal(totals.records, 15);
    check_equal(totals.bytes, 150);
    check_equal(totals.bytes_expected, 300);
    check(totals.fraction > 0.49 && totals.fraction < 0.51);
    send_state_fini(&state);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_send_state_next__one_receiver__in_the_order_of_the_plan),
    CHECK_TEST(test_send_state_next__two_receivers__both_get_work),
    CHECK_TEST(test_send_state_waits_again__another_runs_there__until_that_ends),
    CHECK_TEST(test_send_state_waits_again__another_ended_meanwhile__tries_at_once),
    CHECK_TEST(test_send_state_ended__blocked_by_any__free_whoever_ends),
    CHECK_TEST(test_send_state_failed__two__the_first_in_time),
    CHECK_TEST(test_send_state_totals__each_phase__counted_where_it_belongs),
};
CHECK_MAIN("send_state", tests)
