/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_connect.c — how a verbs link is established, or fails: every call that can fail does
 * so once, and every answer of the connection manager comes. */
#include "verbs_fixture.h"

#include "verbs_endpoint.h"
#include "verbs_listener.h"

/* --- every call fails once -------------------------------------------------------------------- */

/* Connect, whatever happens; true: the link was established. */
static bool try_connecting(struct haul_error *error)
{
    enum haul_status status = fixture_connect(error);
    if (status != HAUL_OK) {
        return false;
    }
    size_t count = fixture_walk();
    check_or_stop(count == 1);
    if (events[0].type == LINK_CLOSED) {
        *error = *events[0].error;
    }
    return events[0].type == LINK_CONNECTED;
}

static void test_link_connect__nth_call_fails__error_and_nothing_left(void)
{
    unsigned n = 0;
    bool stood = false;
    while (!stood) {
        struct haul_error error = {.status = HAUL_OK};
        fixture_begin();
        fake.fail_at = ++n;
        stood = try_connecting(&error);
        check(stood == (fake.call_count < n));
        check(stood || error.status != HAUL_OK);
        check(stood || error.text[0] != '\0');
        fixture_end();
    }
    check(n > 20);
}

static void test_listener_accept__nth_call_fails__peer_is_told_and_nothing_left(void)
{
    unsigned n = 0;
    bool stood = false;
    while (!stood) {
        struct haul_error error = {.status = HAUL_OK};
        fixture_begin();
        fake.fail_at = ++n;
        stood = fixture_accept(&error) == HAUL_OK;
        check(stood == (fake.call_count < n));
        check(stood || (error.status != HAUL_OK && error.text[0] != '\0'));
        check_equal(fake.rejects, stood ? 0 : 1);
        fixture_end();
    }
    check(n > 15);
}

static void test_listener_create__nth_call_fails__error_and_nothing_left(void)
{
    struct link_address address;
    check_or_stop(link_address_parse("10.1.2.3:4", &address, NULL) == HAUL_OK);
    for (unsigned n = 1; n <= 4; n++) {
        struct listener *listener = NULL;
        struct haul_error error = {.status = HAUL_OK};
        fixture_begin();
        fake.fail_at = n;
        enum haul_status status =
            verbs_listener_create(&fake_api, &address, &config, &listener, &error);
        check(status != HAUL_OK);
        check_status(error.status, status);
        check(fake_is_clean());
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static void test_link_connect__no_rdma_here__unsupported(void)
{
    struct haul_error error;
    fixture_begin();
    fake.fail_at = 1;
    fake.fail_code = ENODEV;
    check_status(fixture_connect(&error), HAUL_UNSUPPORTED);
    check_text(error.text, "no RDMA device here");
    check(fake_is_clean());
}

static void test_link_connect__out_of_descriptors__limit(void)
{
    fixture_begin();
    fake.fail_at = 1;
    fake.fail_code = EMFILE;
    check_status(fixture_connect(NULL), HAUL_LIMIT);
    check(fake_is_clean());
}

static void check_cm_error(enum rdma_cm_event_type type, int code, enum haul_status status)
{
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    fake_cm(type, -code);
    fixture_check_closed(fixture_poll(), status);
    fixture_end();
}

static void test_link_connect__address_on_no_device__unsupported(void)
{
    check_cm_error(RDMA_CM_EVENT_ADDR_ERROR, ENODEV, HAUL_UNSUPPORTED);
}

static void test_link_connect__address_does_not_answer__unreachable(void)
{
    check_cm_error(RDMA_CM_EVENT_ADDR_ERROR, ETIMEDOUT, HAUL_UNREACHABLE);
}

static void test_link_connect__no_route__unreachable(void)
{
    check_cm_error(RDMA_CM_EVENT_ROUTE_ERROR, EHOSTUNREACH, HAUL_UNREACHABLE);
}

static void test_link_connect__device_removed__io(void)
{
    check_cm_error(RDMA_CM_EVENT_DEVICE_REMOVAL, 0, HAUL_IO);
}

static void begin_connecting(void)
{
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    check_or_stop(fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED) == 0);
    check_or_stop(fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED) == 0);
}

static void test_link_connect__request__shows_the_ticket(void)
{
    struct link_ticket seen;
    begin_connecting();
    check_equal(fake.shown_size, VERBS_GREETING_BYTES);
    check_status(verbs_greeting_decode(fake.shown, fake.shown_size, &seen), HAUL_OK);
    check_equal(seen.index, 5);
    check_equal(seen.version_max, LINK_VERSION_MAX);
    fixture_end();
}

static void test_link_connect__queue_pair__our_timers_and_writes_only(void)
{
    fixture_open_sender();
    check_equal(fake.qp_attributes.min_rnr_timer, 12);
    check_equal(fake.qp_attributes.rnr_retry, 7);
    check_equal(fake.qp_attributes.retry_cnt, 7);
    check_equal(fake.qp_attributes.timeout, verbs_ack_timeout(PEER_TIMEOUT_MS));
    check_equal(fake.qp_attributes.qp_access_flags, IBV_ACCESS_REMOTE_WRITE);
    fixture_end();
}

static void test_link_connect__haul_peer_refuses__its_status(void)
{
    uint8_t refusal[VERBS_REFUSAL_BYTES];
    begin_connecting();
    verbs_refusal_encode(HAUL_AUTH, refusal);
    fake_cm_bring(fake.id, RDMA_CM_EVENT_REJECTED, 28, refusal, sizeof(refusal));
    fixture_check_closed(fixture_poll(), HAUL_AUTH);
    fixture_end();
}

static void test_link_connect__rejected_without_our_data__refused_with_hint(void)
{
    begin_connecting();
    fake_cm(RDMA_CM_EVENT_REJECTED, 8);
    fixture_check_closed(fixture_poll(), HAUL_REFUSED);
    check(events[0].error->hint[0] != '\0');
    fixture_end();
}

static void test_link_connect__stale_connection__tried_again_with_a_new_queue_pair(void)
{
    begin_connecting();
    fake_cm(RDMA_CM_EVENT_REJECTED, 10);
    check_equal(fixture_poll(), 0);
    check_equal(fake.qps, 0);
    check_equal(fixture_walk(), 1);
    check_equal(events[0].type, LINK_CONNECTED);
    check_equal(fake.connects, 2);
    fixture_end();
}

static void test_link_connect__stale_for_ever__refused(void)
{
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    size_t count = 0;
    for (int i = 0; i < 20 && count == 0; i++) {
        fake.event_count = 0;
        fake.events_taken = 0;
        check_or_stop(fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED) == 0);
        check_or_stop(fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED) == 0);
        fake_cm(RDMA_CM_EVENT_REJECTED, 10);
        count = fixture_poll();
    }
    fixture_check_closed(count, HAUL_REFUSED);
    fixture_end();
}

static void test_link_connect__no_answer__timeout_at_the_deadline(void)
{
    begin_connecting();
    ticking.now_ns = link_deadline_ns(tested) - 1;
    check_equal(fixture_poll(), 0);
    ticking.now_ns++;
    fixture_check_closed(fixture_poll(), HAUL_TIMEOUT);
    fixture_end();
}

static void test_link_connect__retry__keeps_the_deadline(void)
{
    begin_connecting();
    uint64_t deadline_ns = link_deadline_ns(tested);
    ticking.now_ns += NS_PER_MS;
    fake_cm(RDMA_CM_EVENT_REJECTED, 10);
    check_equal(fixture_poll(), 0);
    check_equal(link_deadline_ns(tested), deadline_ns);
    fixture_end();
}

static void test_link_connect__pool_of_other_blocks__invalid(void)
{
    struct block_pool *pool;
    fixture_begin();
    check_or_stop(block_pool_create(2, 2 * SLOT_BYTES, NULL, &pool, NULL) == HAUL_OK);
    config.pool = pool;
    check_status(fixture_connect(NULL), HAUL_INVALID);
    check(fake_is_clean());
    block_pool_destroy(pool);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void test_link_connect__memory_lock_reached__limit_names_size_and_remedy(void)
{
    fixture_begin();
    fake.region_bytes_limit = SLOT_BYTES;
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    check_or_stop(fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED) == 0);
    fixture_check_closed(fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED), HAUL_LIMIT);
    check(strstr(events[0].error->text, "16384 bytes") != NULL);
    check(strstr(events[0].error->text, "RLIMIT_MEMLOCK") != NULL);
    check(strstr(events[0].error->hint, "LimitMEMLOCK=") != NULL);
    fixture_end();
}

static void test_listener_accept__memory_short__ring_is_halved(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    fixture_begin();
    config.options.slot_count = 16;
    fake.region_bytes_limit = 5 * SLOT_BYTES;
    check_or_stop(fixture_accept(NULL) == HAUL_OK);
    check_equal(fixture_step(RDMA_CM_EVENT_ESTABLISHED), 1);
    size_t size = link_describe(tested, bytes);
    check_status(verbs_description_decode(bytes, size, &ours, NULL), HAUL_OK);
    check_equal(ours.slot_count, 4);
    fixture_end();
}

static void test_listener_accept__memory_for_three_slots__limit(void)
{
    fixture_begin();
    config.options.slot_count = 16;
    fake.region_bytes_limit = 3 * SLOT_BYTES;
    check_status(fixture_accept(NULL), HAUL_LIMIT);
    check(fake_is_clean());
}

static void test_verbs_ack_timeout__eight_tries__fit_the_peer_timeout(void)
{
    static const uint32_t timeouts_ms[] = {100, 1000, 5000, 600000};
    for (size_t i = 0; i < CHECK_COUNT(timeouts_ms); i++) {
        uint64_t one_ns = UINT64_C(4096) << verbs_ack_timeout(timeouts_ms[i]);
        check(8 * one_ns <= (uint64_t)timeouts_ms[i] * NS_PER_MS);
        check(16 * one_ns > (uint64_t)timeouts_ms[i] * NS_PER_MS || one_ns > 250 * NS_PER_MS);
        check(one_ns < 300 * NS_PER_MS); /* the cost of a lost packet at the end of a stream */
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_connect__nth_call_fails__error_and_nothing_left),
    CHECK_TEST(test_listener_accept__nth_call_fails__peer_is_told_and_nothing_left),
    CHECK_TEST(test_listener_create__nth_call_fails__error_and_nothing_left),
    CHECK_TEST(test_link_connect__no_rdma_here__unsupported),
    CHECK_TEST(test_link_connect__out_of_descriptors__limit),
    CHECK_TEST(test_link_connect__address_on_no_device__unsupported),
    CHECK_TEST(test_link_connect__address_does_not_answer__unreachable),
    CHECK_TEST(test_link_connect__no_route__unreachable),
    CHECK_TEST(test_link_connect__device_removed__io),
    CHECK_TEST(test_link_connect__request__shows_the_ticket),
    CHECK_TEST(test_link_connect__queue_pair__our_timers_and_writes_only),
    CHECK_TEST(test_link_connect__haul_peer_refuses__its_status),
    CHECK_TEST(test_link_connect__rejected_without_our_data__refused_with_hint),
    CHECK_TEST(test_link_connect__stale_connection__tried_again_with_a_new_queue_pair),
    CHECK_TEST(test_link_connect__stale_for_ever__refused),
    CHECK_TEST(test_link_connect__no_answer__timeout_at_the_deadline),
    CHECK_TEST(test_link_connect__retry__keeps_the_deadline),
    CHECK_TEST(test_link_connect__pool_of_other_blocks__invalid),
    CHECK_TEST(test_link_connect__memory_lock_reached__limit_names_size_and_remedy),
    CHECK_TEST(test_listener_accept__memory_short__ring_is_halved),
    CHECK_TEST(test_listener_accept__memory_for_three_slots__limit),
    CHECK_TEST(test_verbs_ack_timeout__eight_tries__fit_the_peer_timeout),
};
CHECK_MAIN("verbs_connect", tests)
