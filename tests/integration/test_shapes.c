/* SPDX-License-Identifier: Apache-2.0 */
/* test_shapes.c — whole migrations of unusual databases: large values, small ones, many families,
 * and all the bytes in one place; with several readers, appliers and links. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "rocks_fixture.h"

enum { WAIT_MS = 100000, MIB = 1 << 20, LARGE_BYTES_MAX = 33 * MIB };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_result result;
static uint8_t large[LARGE_BYTES_MAX];

static void open_both(void)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
}

static void close_both(void)
{
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

/* With `thread_count` readers, appliers and links. */
static void move(uint32_t thread_count, enum haul_compression compression)
{
    struct haul_target_options take = {.store = target.store,
                                       .listen = "127.0.0.1:0",
                                       .transports = {{HAUL_TRANSPORT_TCP}},
                                       .link = {.peer_timeout_ms = 20000},
                                       .applier_count = thread_count,
                                       .lane = HAUL_LANE_INGEST,
                                       .table_size_bytes = 4 * MIB,
                                       .once = true};
    struct haul_migration *taker = NULL;
    struct haul_migration *giver = NULL;
    struct haul_error error = {0};
    check_or_stop(haul_target_start(&take, &taker, &error) == HAUL_OK);
    struct haul_source_options give = {.store = source.store,
                                       .to = haul_migration_address(taker),
                                       .transports = {{HAUL_TRANSPORT_TCP}},
                                       .link = {.peer_timeout_ms = 20000},
                                       .link_count = thread_count,
                                       .reader_count = thread_count,
                                       .compression = compression};
    check_or_stop(haul_source_start(&give, &giver, &error) == HAUL_OK);
    check_status(migration_wait(giver, WAIT_MS, &result), HAUL_OK);
    haul_migration_destroy(giver);
    struct haul_result taken;
    check_status(migration_wait(taker, WAIT_MS, &taken), HAUL_OK);
    haul_migration_destroy(taker);
    check(result.verified);
    check_equal(result.link_count, thread_count);
    check_equal(rocks_fixture_differences(&source, &target, NULL, 0), 0);
}

/* Bytes that compress to about half. */
static void fill_large(uint32_t seed)
{
    uint32_t state = seed;
    for (size_t i = 0; i < sizeof(large); i++) {
        state = state * 1664525 + 1013904223;
        large[i] = (uint8_t)((state >> 24) & 0x0f);
    }
}

static void move_large_values(enum haul_compression compression)
{
    static const size_t sizes[] = {MIB,         4 * MIB - 64, 4 * MIB - 63, 4 * MIB,
                                   4 * MIB + 1, 9 * MIB,      33 * MIB,     100};
    open_both();
    for (uint32_t i = 0; i < CHECK_COUNT(sizes); i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "large-%u", i);
        fill_large(i);
        rocks_fixture_put(&source, 0, text_slice(key), slice_of(large, sizes[i]));
    }
    move(2, compression);
    check_equal(result.families[0].records, CHECK_COUNT(sizes));
    close_both();
}

static void test_migration__values_of_many_megabytes__equal(void)
{
    move_large_values(HAUL_COMPRESSION_OFF);
}

static void test_migration__values_of_many_megabytes_compressed__equal_and_smaller(void)
{
    move_large_values(HAUL_COMPRESSION_ON);
    check(result.progress.wire_bytes < result.progress.bytes * 3 / 4);
}

static void test_migration__small_values__equal(void)
{
    open_both();
    rocks_fixture_fill(&source, 0, "small-", 60000, 100);
    rocks_fixture_fill(&source, 0, "tiny-", 20000, 1);
    rocks_fixture_fill(&source, 0, "void-", 5000, 0);
    move(2, HAUL_COMPRESSION_AUTO);
    check_equal(result.families[0].records, 85000);
    close_both();
}

static void test_migration__sixty_four_families__each_equal(void)
{
    enum { FAMILIES = 64 };
    open_both();
    for (uint32_t i = 1; i < FAMILIES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "family-%02u", i);
        uint32_t id = rocks_fixture_family(&source, name);
        rocks_fixture_fill(&source, id, "key", 20 + i, 200);
    }
    rocks_fixture_fill(&source, 0, "key", 2000, 200);
    move(3, HAUL_COMPRESSION_AUTO);
    check_equal(result.family_count, FAMILIES);
    for (uint32_t i = 1; i < FAMILIES; i++) {
        unsigned number = 0;
        check(sscanf(result.families[i].name, "family-%02u", &number) == 1);
        check_equal(result.families[i].records, 20 + number);
    }
    close_both();
}

static void test_migration__nearly_all_bytes_in_one_place__equal(void)
{
    open_both();
    rocks_fixture_fill(&source, 0, "a", 3000, 20);
    rocks_fixture_fill(&source, 0, "m", 300, 60000); /* nine tenths of the bytes */
    rocks_fixture_fill(&source, 0, "z", 3000, 500);
    move(4, HAUL_COMPRESSION_AUTO);
    check_equal(result.families[0].records, 6300);
    close_both();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration__values_of_many_megabytes__equal),
    CHECK_TEST(test_migration__values_of_many_megabytes_compressed__equal_and_smaller),
    CHECK_TEST(test_migration__small_values__equal),
    CHECK_TEST(test_migration__sixty_four_families__each_equal),
    CHECK_TEST(test_migration__nearly_all_bytes_in_one_place__equal),
};

CHECK_MAIN("shapes", tests)
