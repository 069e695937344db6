/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_config.c — the bounds of a link's options, and transports that were not built in. */
#include "check.h"
#include "link.h"
#include "link_ends.h"
#include "link_ops.h"

static enum haul_status resolve(struct haul_link_options options, struct haul_link_options *out)
{
    struct link_config config = {.options = options};
    struct link_config resolved = {.epoch = 0};
    struct haul_error error;
    enum haul_status status = link_config_resolve(&config, &resolved, &error);
    check(status == HAUL_OK || error.text[0] != '\0');
    *out = resolved.options;
    return status;
}

static void test_link_config_resolve__zeroes__defaults(void)
{
    struct haul_link_options options;
    check_status(resolve((struct haul_link_options){0}, &options), HAUL_OK);
    check_equal(options.slot_count, HAUL_SLOT_COUNT_DEFAULT);
    check_equal(options.slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    check_equal(options.peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
}

static void test_link_config_resolve__spin_of_ones_own__stays(void)
{
    struct haul_link_options options;
    check_status(resolve((struct haul_link_options){.spin_us = 7}, &options), HAUL_OK);
    check_equal(options.spin_us, 7);
}

static void test_link_config_resolve__at_and_beyond_each_bound__taken_and_refused(void)
{
    static const struct {
        struct haul_link_options options;
        enum haul_status status;
    } cases[] = {
        {{.slot_count = 1}, HAUL_OK},
        {{.slot_count = HAUL_SLOT_COUNT_MAX}, HAUL_OK},
        {{.slot_count = HAUL_SLOT_COUNT_MAX + 1}, HAUL_INVALID},
        {{.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN}, HAUL_OK},
        {{.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MAX}, HAUL_OK},
        {{.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN / 2}, HAUL_INVALID},
        {{.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MAX * 2U}, HAUL_INVALID},
        {{.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN + 1}, HAUL_INVALID},
        {{.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN}, HAUL_OK},
        {{.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MAX}, HAUL_OK},
        {{.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN - 1}, HAUL_INVALID},
        {{.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MAX + 1U}, HAUL_INVALID},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct haul_link_options options;
        check_status(resolve(cases[i].options, &options), cases[i].status);
    }
}

static void test_link_connect__no_transport__unsupported(void)
{
    static const enum haul_transport none[] = {HAUL_TRANSPORT_NONE, (enum haul_transport)99};
    for (size_t i = 0; i < CHECK_COUNT(none); i++) {
        struct link_address address;
        struct link *link = NULL;
        struct listener *listener = NULL;
        struct haul_error error;
        const struct link_ticket ticket = {.index = 0};
        const struct link_config config = {.epoch = 0};
        check_or_stop(link_address_parse("127.0.0.1:1", &address, NULL) == HAUL_OK);
        check_status(connect_end(none[i], &address, &ticket, &config, &link, &error),
                     HAUL_UNSUPPORTED);
        check_equal(error.status, HAUL_UNSUPPORTED);
        check_status(listener_create(none[i], &address, &config, &listener, &error),
                     HAUL_UNSUPPORTED);
        check(error.hint[0] != '\0');
    }
}

/* Each figure goes into its own sum. */
static void test_link_stats_join__all_figures__added_each(void)
{
    const struct haul_link_stats some = {.blocks_sent = 1,
                                         .blocks_received = 2,
                                         .bytes_sent = 3,
                                         .bytes_received = 4,
                                         .credit_stalls = 5,
                                         .credits_sent = 6,
                                         .credits_received = 7,
                                         .crc_errors = 8,
                                         .sleeps = 9};
    struct haul_link_stats sum = {.blocks_sent = 100};
    link_stats_join(&sum, &some);
    link_stats_join(&sum, &some);
    check_equal(sum.blocks_sent, 102);
    check_equal(sum.blocks_received, 4);
    check_equal(sum.bytes_sent, 6);
    check_equal(sum.bytes_received, 8);
    check_equal(sum.credit_stalls, 10);
    check_equal(sum.credits_sent, 12);
    check_equal(sum.credits_received, 14);
    check_equal(sum.crc_errors, 16);
    check_equal(sum.sleeps, 18);
}

/* A transport that can be away is asked; others are always open. */
static bool is_away(const struct listener *listener, struct haul_error *error)
{
    (void)listener;
    haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "the card is away");
    return false;
}

static void test_listener_is_open__transport_that_can_be_away__its_answer(void)
{
    const struct listener_ops away = {.is_open = is_away};
    const struct listener_ops always = {.is_open = listener_always_open};
    struct listener listener = {.ops = &away};
    struct haul_error error;
    check(!listener_is_open(&listener, &error));
    check_text(error.text, "the card is away");
    listener.ops = &always;
    check(listener_is_open(&listener, &error));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_config_resolve__zeroes__defaults),
    CHECK_TEST(test_link_config_resolve__spin_of_ones_own__stays),
    CHECK_TEST(test_link_config_resolve__at_and_beyond_each_bound__taken_and_refused),
    CHECK_TEST(test_link_stats_join__all_figures__added_each),
    CHECK_TEST(test_listener_is_open__transport_that_can_be_away__its_answer),
    CHECK_TEST(test_link_connect__no_transport__unsupported),
};

CHECK_MAIN("link_config", tests)
