/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_callers.c — which caller must go when there are too many. The callers are fakes. */
#include "target_callers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "check.h"
#include "link_sockaddr.h"

struct target_driver {
    struct link_address peer;
    bool silent;
    bool calling;
    bool active;
    bool destroyed;
    unsigned polls;
    uint64_t deadline_ns;
};

static struct target_driver jobs[TARGET_CALLERS_MAX];
static struct target_callers callers;

void __wrap_target_driver_destroy(struct target_driver *driver);
const struct link_address *__wrap_target_driver_peer(const struct target_driver *driver);
bool __wrap_target_driver_is_silent(const struct target_driver *driver);
bool __wrap_target_driver_has_calls(const struct target_driver *driver);
bool __wrap_target_driver_poll(struct target_driver *driver);
uint64_t __wrap_target_driver_deadline_ns(const struct target_driver *driver);

void __wrap_target_driver_destroy(struct target_driver *driver)
{
    check(!driver->destroyed);
    driver->destroyed = true;
}

const struct link_address *__wrap_target_driver_peer(const struct target_driver *driver)
{
    return &driver->peer;
}

bool __wrap_target_driver_is_silent(const struct target_driver *driver)
{
    return driver->silent;
}

bool __wrap_target_driver_has_calls(const struct target_driver *driver)
{
    return driver->calling;
}

bool __wrap_target_driver_poll(struct target_driver *driver)
{
    driver->polls++;
    return driver->active;
}

uint64_t __wrap_target_driver_deadline_ns(const struct target_driver *driver)
{
    return driver->deadline_ns;
}

/* --- fakes ------------------------------------------------------------------------------------ */

static struct link_address host(uint32_t number)
{
    struct link_address address = {0};
    struct sockaddr_in *ip = (struct sockaddr_in *)link_sockaddr(&address);
    ip->sin_family = AF_INET;
    ip->sin_addr.s_addr = htonl(number);
    return address;
}

/* This many callers, each from a host of its own, that have sent Hello. */
static void begin(size_t count)
{
    memset(jobs, 0, sizeof(jobs));
    memset(&callers, 0, sizeof(callers));
    for (size_t i = 0; i < count; i++) {
        jobs[i].peer = host((uint32_t)i + 1);
        jobs[i].deadline_ns = 1000 + i;
        target_callers_add(&callers, &jobs[i]);
    }
}

static bool make_room(uint32_t number)
{
    const struct link_address peer = host(number);
    return target_callers_make_room(&callers, &peer);
}

static size_t destroyed(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TARGET_CALLERS_MAX; i++) {
        count += jobs[i].destroyed;
    }
    return count;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_target_callers_make_room__one_place_is_left__nobody_goes(void)
{
    begin(TARGET_CALLERS_MAX - 1);
    check(make_room(1000));
    check_equal(callers.count, TARGET_CALLERS_MAX - 1);
    check_equal(destroyed(), 0);
}

static void test_target_callers_make_room__full__the_oldest_goes(void)
{
    begin(TARGET_CALLERS_MAX);
    check(make_room(1000));
    check_equal(callers.count, TARGET_CALLERS_MAX - 1);
    check(jobs[0].destroyed);
    check_equal(destroyed(), 1);
    check(callers.callers[0] == &jobs[1]);
    check(callers.callers[TARGET_CALLERS_MAX - 2] == &jobs[TARGET_CALLERS_MAX - 1]);
}

static void test_target_callers_make_room__full__one_that_is_silent_goes_first(void)
{
    begin(TARGET_CALLERS_MAX);
    jobs[7].silent = true;
    jobs[9].silent = true;
    check(make_room(1000));
    check(jobs[7].destroyed);
    check_equal(destroyed(), 1);
    check(callers.callers[6] == &jobs[6] && callers.callers[7] == &jobs[8]);
}

static void test_target_callers_make_room__full__one_with_a_call_stays(void)
{
    begin(TARGET_CALLERS_MAX);
    jobs[0].calling = true;
    check(make_room(1000));
    check(jobs[1].destroyed);
    check_equal(destroyed(), 1);
}

static void test_target_callers_make_room__all_have_calls__no_room(void)
{
    begin(TARGET_CALLERS_MAX);
    for (size_t i = 0; i < TARGET_CALLERS_MAX; i++) {
        jobs[i].calling = true;
    }
    check(!make_room(1000));
    check_equal(callers.count, TARGET_CALLERS_MAX);
    check_equal(destroyed(), 0);
}

/* As many from one host as it may have, and one fewer; the others come from other hosts. */
static void test_target_callers_make_room__many_of_the_host__one_of_it_goes(void)
{
    begin(TARGET_CALLERS_OF_HOST_MAX + 4);
    for (size_t i = 3; i < TARGET_CALLERS_OF_HOST_MAX + 2; i++) {
        jobs[i].peer = host(77);
    }
    check(make_room(77)); /* one fewer */
    check_equal(destroyed(), 0);
    jobs[TARGET_CALLERS_OF_HOST_MAX + 2].peer = host(77);
    jobs[0].silent = true; /* of another host */
    jobs[6].silent = true;
    check(make_room(77));
    check(jobs[6].destroyed);
    check_equal(destroyed(), 1);
    jobs[TARGET_CALLERS_OF_HOST_MAX + 3].peer = host(77);
    check(make_room(77));
    check(jobs[3].destroyed);
    check_equal(destroyed(), 2);
    check(make_room(1000));
    check_equal(destroyed(), 2);
}

static void test_target_callers_make_room__host_with_calls_only__no_room_though_not_full(void)
{
    begin(TARGET_CALLERS_OF_HOST_MAX + 1);
    for (size_t i = 1; i <= TARGET_CALLERS_OF_HOST_MAX; i++) {
        jobs[i].peer = host(77);
        jobs[i].calling = true;
    }
    check(!make_room(77));
    check(make_room(78));
    check_equal(destroyed(), 0);
}

static void test_target_callers_poll__one_has_news__all_are_polled(void)
{
    begin(3);
    check(!target_callers_poll(&callers));
    jobs[0].active = true;
    check(target_callers_poll(&callers));
    for (size_t i = 0; i < 3; i++) {
        check_equal(jobs[i].polls, 2);
    }
}

static void test_target_callers_deadline_ns__several__the_first_of_them(void)
{
    begin(0);
    check(target_callers_deadline_ns(&callers) == CLOCK_NEVER);
    begin(3);
    jobs[1].deadline_ns = 10;
    check_equal(target_callers_deadline_ns(&callers), 10);
    target_callers_remove(&callers, 1);
    check_equal(target_callers_deadline_ns(&callers), 1000);
}

static void test_target_callers_fini__some_left__destroyed(void)
{
    begin(3);
    target_callers_remove(&callers, 0);
    target_callers_fini(&callers);
    check_equal(callers.count, 0);
    check(!jobs[0].destroyed && jobs[1].destroyed && jobs[2].destroyed);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_callers_make_room__one_place_is_left__nobody_goes),
    CHECK_TEST(test_target_callers_make_room__full__the_oldest_goes),
    CHECK_TEST(test_target_callers_make_room__full__one_that_is_silent_goes_first),
    CHECK_TEST(test_target_callers_make_room__full__one_with_a_call_stays),
    CHECK_TEST(test_target_callers_make_room__all_have_calls__no_room),
    CHECK_TEST(test_target_callers_make_room__many_of_the_host__one_of_it_goes),
    CHECK_TEST(test_target_callers_make_room__host_with_calls_only__no_room_though_not_full),
    CHECK_TEST(test_target_callers_poll__one_has_news__all_are_polled),
    CHECK_TEST(test_target_callers_deadline_ns__several__the_first_of_them),
    CHECK_TEST(test_target_callers_fini__some_left__destroyed),
};
CHECK_MAIN("target_callers", tests)
