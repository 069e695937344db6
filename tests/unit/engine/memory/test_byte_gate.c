/* SPDX-License-Identifier: Apache-2.0 */
/* test_byte_gate.c — which thread enters, which waits, and in which order. */
#include "byte_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "check.h"

enum { BYTES_MAX = 100, GUEST_COUNT = 4 };

static struct byte_gate gate;

/* A thread that enters with `bytes`. */
struct guest {
    pthread_t thread;
    uint64_t bytes;
    enum haul_status status;
    atomic_bool done;
};

static void *go_in(void *argument)
{
    struct guest *guest = argument;
    guest->status = byte_gate_enter(&gate, guest->bytes);
    atomic_store(&guest->done, true);
    return NULL;
}

static uint64_t turns_asked_for(void)
{
    (void)pthread_mutex_lock(&gate.lock);
    uint64_t turns = gate.next_turn;
    (void)pthread_mutex_unlock(&gate.lock);
    return turns;
}

static void pause_briefly(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Start the thread, and wait until it stands in the queue. */
static void start(struct guest *guest, uint64_t bytes)
{
    uint64_t turns = turns_asked_for();
    *guest = (struct guest){.bytes = bytes};
    check_or_stop(pthread_create(&guest->thread, NULL, go_in, guest) == 0);
    while (turns_asked_for() == turns) {
        pause_briefly();
    }
}

static void finish(struct guest *guest, enum haul_status status)
{
    check_or_stop(pthread_join(guest->thread, NULL) == 0);
    check_status(guest->status, status);
}

static void test_byte_gate_enter__room__at_once(void)
{
    byte_gate_init(&gate, BYTES_MAX);
    check_status(byte_gate_enter(&gate, 60), HAUL_OK);
    check_status(byte_gate_enter(&gate, 40), HAUL_OK);
    byte_gate_leave(&gate, 60);
    check_status(byte_gate_enter(&gate, 60), HAUL_OK);
    check_equal(gate.bytes, BYTES_MAX);
    byte_gate_fini(&gate);
}

static void test_byte_gate_enter__no_room__waits_for_it(void)
{
    struct guest guest;
    byte_gate_init(&gate, BYTES_MAX);
    check_status(byte_gate_enter(&gate, 60), HAUL_OK);
    start(&guest, 41);
    pause_briefly();
    check(!atomic_load(&guest.done));
    byte_gate_leave(&gate, 60);
    finish(&guest, HAUL_OK);
    check_equal(gate.bytes, 41);
    byte_gate_fini(&gate);
}

static void test_byte_gate_enter__small_behind_large__does_not_pass_it(void)
{
    struct guest large;
    struct guest small;
    byte_gate_init(&gate, BYTES_MAX);
    check_status(byte_gate_enter(&gate, 50), HAUL_OK);
    start(&large, BYTES_MAX);
    start(&small, 1);
    pause_briefly();
    check(!atomic_load(&small.done)); /* there is room for it */
    byte_gate_leave(&gate, 50);
    finish(&large, HAUL_OK);
    pause_briefly();
    check(!atomic_load(&small.done));
    byte_gate_leave(&gate, BYTES_MAX);
    finish(&small, HAUL_OK);
    byte_gate_fini(&gate);
}

static void test_byte_gate_close__some_wait__closed(void)
{
    struct guest guests[GUEST_COUNT];
    byte_gate_init(&gate, BYTES_MAX);
    check_status(byte_gate_enter(&gate, BYTES_MAX), HAUL_OK);
    for (int i = 0; i < GUEST_COUNT; i++) {
        start(&guests[i], 1);
    }
    byte_gate_close(&gate);
    for (int i = 0; i < GUEST_COUNT; i++) {
        finish(&guests[i], HAUL_CLOSED);
    }
    check_status(byte_gate_enter(&gate, 0), HAUL_CLOSED);
    byte_gate_fini(&gate);
}

/* The woken thread need not be the one whose turn it is. */
static void test_byte_gate_leave__woken_too_early_once__woken_again(void)
{
    struct guest large;
    struct guest small;
    byte_gate_init(&gate, BYTES_MAX);
    check_status(byte_gate_enter(&gate, 50), HAUL_OK);
    check_status(byte_gate_enter(&gate, 50), HAUL_OK);
    start(&large, BYTES_MAX);
    start(&small, 1);
    byte_gate_leave(&gate, 50); /* not enough for the first, which goes to the end of the queue */
    for (int i = 0; i < 50; i++) {
        pause_briefly();
    }
    check(!atomic_load(&large.done));
    byte_gate_leave(&gate, 50);
    for (int i = 0; i < 10000 && !atomic_load(&large.done); i++) {
        pause_briefly();
    }
    bool woken = atomic_load(&large.done);
    check(woken);
    if (woken) {
        byte_gate_leave(&gate, BYTES_MAX);
    } else {
        byte_gate_close(&gate);
    }
    finish(&large, woken ? HAUL_OK : HAUL_CLOSED);
    finish(&small, woken ? HAUL_OK : HAUL_CLOSED);
    byte_gate_fini(&gate);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_byte_gate_leave__woken_too_early_once__woken_again),
    CHECK_TEST(test_byte_gate_enter__room__at_once),
    CHECK_TEST(test_byte_gate_enter__no_room__waits_for_it),
    CHECK_TEST(test_byte_gate_enter__small_behind_large__does_not_pass_it),
    CHECK_TEST(test_byte_gate_close__some_wait__closed),
};

CHECK_MAIN("byte_gate", tests)
