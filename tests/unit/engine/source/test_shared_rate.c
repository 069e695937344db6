/* SPDX-License-Identifier: Apache-2.0 */
/* test_shared_rate.c — how sources share a rate, in simulated time. */
#include "shared_rate.h"

#include <string.h>

#include "check.h"
#include "clock.h"

enum { SOURCE_COUNT = 3, RATE = 10000000, LINE_BYTES = 65536 };

static struct haul_rate *rate;
static struct rate_share shares[SOURCE_COUNT];
static uint64_t block_bytes[SOURCE_COUNT]; /* 0: the source has nothing to send */
static uint64_t sent[SOURCE_COUNT];
static uint64_t now_ns;
static struct haul_error error;

static void begin(void)
{
    check_or_stop(haul_rate_create(RATE, &rate, &error) == HAUL_OK);
    memset(block_bytes, 0, sizeof(block_bytes));
    now_ns = NS_PER_S;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        rate_share_join(&shares[i], rate);
    }
}

static void end(void)
{
    for (int i = 0; i < SOURCE_COUNT; i++) {
        rate_share_leave(&shares[i]);
        rate_share_leave(&shares[i]); /* it has left */
    }
    haul_rate_destroy(rate);
    haul_rate_destroy(NULL);
}

/* Every source asks when it was told to, and sends as much as it may. */
static void run_for(uint64_t ms)
{
    const uint64_t until_ns = now_ns + ms * NS_PER_MS;
    uint64_t ask_ns[SOURCE_COUNT] = {now_ns, now_ns, now_ns};
    memset(sent, 0, sizeof(sent));
    while (now_ns < until_ns) {
        uint64_t next_ns = until_ns;
        for (int i = 0; i < SOURCE_COUNT; i++) {
            while (block_bytes[i] > 0 && ask_ns[i] <= now_ns &&
                   rate_share_take(&shares[i], block_bytes[i], now_ns, &ask_ns[i])) {
                sent[i] += block_bytes[i];
            }
            next_ns = block_bytes[i] > 0 && ask_ns[i] < next_ns ? ask_ns[i] : next_ns;
        }
        check_or_stop(next_ns > now_ns);
        now_ns = next_ns;
    }
}

/* Within a burst and the largest block. */
static bool is_about(uint64_t bytes, uint64_t expected)
{
    const uint64_t spare = RATE / 1000 * 20 + 2 * (1 << 20);
    return bytes + spare >= expected && bytes <= expected + spare;
}

static void test_rate_share_take__alone__has_all_of_it(void)
{
    begin();
    block_bytes[1] = LINE_BYTES;
    run_for(10000);
    check(is_about(sent[1], UINT64_C(10) * RATE));
    end();
}

/* Whatever the size of their blocks. */
static void test_rate_share_take__three_sources__equal_shares(void)
{
    begin();
    block_bytes[0] = LINE_BYTES;
    block_bytes[1] = 1 << 20;
    block_bytes[2] = 1000;
    run_for(30000);
    for (int i = 0; i < SOURCE_COUNT; i++) {
        check(is_about(sent[i], UINT64_C(10) * RATE));
    }
    check(is_about(sent[0] + sent[1] + sent[2], UINT64_C(30) * RATE));
    end();
}

/* What it has not used is the others', and not its own later. */
static void test_rate_share_take__one_pauses__no_savings(void)
{
    begin();
    block_bytes[0] = block_bytes[1] = LINE_BYTES;
    run_for(1000);
    block_bytes[0] = 0;
    run_for(10000);
    check(is_about(sent[1], UINT64_C(10) * RATE));
    block_bytes[0] = LINE_BYTES;
    run_for(10000);
    check(is_about(sent[0], UINT64_C(5) * RATE));
    check(is_about(sent[1], UINT64_C(5) * RATE));
    end();
}

/* It has asked, and asks no more: its link is broken. */
static void test_rate_share_take__first_in_turn_is_gone__others_go_on(void)
{
    uint64_t ready_ns = 0;
    begin();
    block_bytes[1] = 1 << 20;
    run_for(1000);
    check(!rate_share_take(&shares[0], 1 << 20, now_ns, &ready_ns));
    run_for(10000);
    check(sent[1] > UINT64_C(9) * RATE);
    end();
}

static void test_rate_share_give__not_used__is_there_again(void)
{
    uint64_t ready_ns = 0;
    const uint64_t burst = RATE / 1000 * 20;
    begin();
    check(rate_share_take(&shares[0], burst, now_ns, &ready_ns));
    check(!rate_share_take(&shares[1], burst, now_ns, &ready_ns));
    check(ready_ns > now_ns);
    rate_share_give(&shares[0], burst);
    check(rate_share_take(&shares[1], burst, now_ns, &ready_ns));
    check(!rate_share_take(&shares[0], burst, now_ns, &ready_ns));
    end();
}

static void test_haul_rate_set__changed__holds_from_then_on(void)
{
    uint64_t ready_ns = 0;
    begin();
    block_bytes[0] = block_bytes[1] = LINE_BYTES;
    run_for(1000);
    haul_rate_set(rate, 2 * RATE);
    run_for(10000);
    check(is_about(sent[0], UINT64_C(10) * RATE));
    check(is_about(sent[1], UINT64_C(10) * RATE));
    haul_rate_set(rate, 0);
    now_ns += NS_PER_S; /* nobody waits any more */
    for (int i = 0; i < 100; i++) {
        check(rate_share_take(&shares[0], 1 << 30, now_ns, &ready_ns));
    }
    end();
}

static void test_rate_share_take__no_rate__at_once(void)
{
    struct rate_share share = {.rate = NULL};
    uint64_t ready_ns = 0;
    rate_share_join(&share, NULL);
    check(rate_share_take(&share, UINT64_C(1) << 32, 0, &ready_ns));
    rate_share_give(&share, 1);
    rate_share_leave(&share);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rate_share_take__alone__has_all_of_it),
    CHECK_TEST(test_rate_share_take__three_sources__equal_shares),
    CHECK_TEST(test_rate_share_take__one_pauses__no_savings),
    CHECK_TEST(test_rate_share_take__first_in_turn_is_gone__others_go_on),
    CHECK_TEST(test_rate_share_give__not_used__is_there_again),
    CHECK_TEST(test_haul_rate_set__changed__holds_from_then_on),
    CHECK_TEST(test_rate_share_take__no_rate__at_once),
};
CHECK_MAIN("shared_rate", tests)
