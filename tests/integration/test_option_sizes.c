/* SPDX-License-Identifier: Apache-2.0 */
/* test_option_sizes.c — every public call takes the option structs of an earlier release, which are
 * shorter, and refuses what only a later one has. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/link_bench.h"
#include "haul/migration.h"
#include "haul/verify.h"
#include "migration_wait.h"
#include "rocks_fixture.h"

enum { WAIT_MS = 60000, RECORDS = 300 };

static struct rocks_fixture a;
static struct rocks_fixture b;
static struct haul_error error;
static struct haul_result result;

/* The struct of a caller that knows only `size_bytes` of it: the bytes after it are no options. */
static void *cut(const void *options, size_t size_bytes, size_t whole_bytes)
{
    uint8_t *copy = malloc(whole_bytes);
    check_or_stop(copy != NULL);
    memset(copy, 0xa5, whole_bytes);
    memcpy(copy, options, size_bytes);
    memcpy(copy, &size_bytes, sizeof(size_bytes));
    return copy;
}

/* The same for a later release: `extra` is what it has after our members. */
static void *grown(const void *options, size_t whole_bytes, uint64_t extra)
{
    uint8_t *copy = malloc(whole_bytes + sizeof(extra));
    size_t size = whole_bytes + sizeof(extra);
    check_or_stop(copy != NULL);
    memcpy(copy, options, whole_bytes);
    memcpy(copy, &size, sizeof(size));
    memcpy(copy + whole_bytes, &extra, sizeof(extra));
    return copy;
}

static void open_both(void)
{
    rocks_fixture_open(&a);
    rocks_fixture_open(&b);
    rocks_fixture_fill(&a, 0, "k", RECORDS, 50);
}

static void close_both(void)
{
    rocks_fixture_close(&a);
    rocks_fixture_close(&b);
}

static void move(const struct haul_target_options *take, struct haul_source_options *give,
                 bool longer)
{
    struct haul_migration *target = NULL;
    struct haul_migration *source = NULL;
    check_or_stop(haul_target_start(take, &target, &error) == HAUL_OK);
    give->to = haul_migration_address(target);
    void *other = longer ? grown(give, sizeof(*give), 0)
                         : cut(give, offsetof(struct haul_source_options, batch_size_bytes_min),
                               sizeof(*give));
    check_status(haul_source_start(other, &source, &error), HAUL_OK);
    free(other); /* only what it points to is borrowed */
    check_status(migration_wait(source, WAIT_MS, &result), HAUL_OK);
    check_status(migration_wait(target, WAIT_MS, &result), HAUL_OK);
    haul_migration_destroy(source);
    haul_migration_destroy(target);
    check_equal(rocks_fixture_differences(&a, &b, NULL, 0), 0);
}

static void test_migration__shorter_options__the_rest_is_default(void)
{
    open_both();
    struct haul_target_options whole = {
        .store = b.store, .listen = "127.0.0.1:0", .once = true, .resume_wait_ms = 1000};
    struct haul_source_options give = {.store = a.store};
    void *take = cut(&whole, offsetof(struct haul_target_options, table_size_bytes), sizeof(whole));
    move(take, &give, false);
    free(take);
    close_both();
}

static void test_migration__longer_options_with_zeroes__as_ours(void)
{
    open_both();
    struct haul_target_options whole = {
        .store = b.store, .listen = "127.0.0.1:0", .once = true, .resume_wait_ms = 1000};
    struct haul_source_options give = {.store = a.store};
    void *take = grown(&whole, sizeof(whole), 0);
    move(take, &give, true);
    free(take);
    close_both();
}

static void test_migration__option_of_a_later_release__unsupported(void)
{
    open_both();
    struct haul_migration *migration = NULL;
    struct haul_target_options take = {.store = b.store, .listen = "127.0.0.1:0"};
    struct haul_source_options give = {.store = a.store, .to = "127.0.0.1:7"};
    void *other = grown(&take, sizeof(take), 1);
    check_error(haul_target_start(other, &migration, &error), HAUL_UNSUPPORTED, error);
    free(other);
    other = grown(&give, sizeof(give), 1);
    check_error(haul_source_start(other, &migration, &error), HAUL_UNSUPPORTED, error);
    check_error(haul_source_check(other, &error), HAUL_UNSUPPORTED, error);
    free(other);
    check(migration == NULL);
    close_both();
}

static void test_verify__shorter_and_later_options__taken_and_refused(void)
{
    open_both();
    static struct haul_family_result found[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    const struct haul_verify_options all = {.family_count = 0};
    struct haul_verify_difference difference;
    void *other = cut(&all, offsetof(struct haul_verify_options, is_cancelled), sizeof(all));
    check_status(haul_verify_scan(a.store, other, found, &count, &error), HAUL_OK);
    check_equal(found[0].records, RECORDS);
    check_status(
        haul_verify_first_difference(a.store, b.store, other, "default", &difference, &error),
        HAUL_OK);
    check(difference.in_a && !difference.in_b);
    free((void *)difference.key.data);
    free(other);
    other = grown(&all, sizeof(all), 1);
    check_error(haul_verify_scan(a.store, other, found, &count, &error), HAUL_UNSUPPORTED, error);
    check_error(
        haul_verify_first_difference(a.store, b.store, other, "default", &difference, &error),
        HAUL_UNSUPPORTED, error);
    static struct haul_verify_remote_result remote_result;
    struct haul_verify_remote_options remote = {.to = "127.0.0.1:7", .what = other};
    check_error(haul_verify_remote(a.store, &remote, &remote_result, &error), HAUL_UNSUPPORTED,
                error);
    free(other);
    other = grown(&remote, sizeof(remote), 1);
    check_error(haul_verify_remote(a.store, other, &remote_result, &error), HAUL_UNSUPPORTED,
                error);
    free(other);
    close_both();
}

static void test_rocks_store__shorter_and_later_options__taken_and_refused(void)
{
    open_both();
    struct haul_store *store = NULL;
    const struct haul_rocks_options read_only = {.read_only = true};
    void *other =
        cut(&read_only, offsetof(struct haul_rocks_options, write_buffer_mib), sizeof(read_only));
    check_status(haul_rocks_store_open(a.path, other, &store, &error), HAUL_OK);
    haul_store_close(store);
    free(other);
    other = grown(&read_only, sizeof(read_only), 1);
    check_error(haul_rocks_store_open(a.path, other, &store, &error), HAUL_UNSUPPORTED, error);
    free(other);
    const struct haul_rocks_database database = {.path = a.path};
    other = grown(&database, sizeof(database), 1);
    check_error(haul_rocks_store_attach(other, &store, &error), HAUL_UNSUPPORTED, error);
    free(other);
    close_both();
}

static void test_link_bench__option_of_a_later_release__unsupported(void)
{
    struct haul_link_bench_result figures;
    const struct haul_link_bench_options options = {.transport = HAUL_TRANSPORT_LOOPBACK};
    void *other = grown(&options, sizeof(options), 1);
    check_error(haul_link_bench_both(other, &figures, &error), HAUL_UNSUPPORTED, error);
    check_error(haul_link_bench_run(other, &figures, &error), HAUL_UNSUPPORTED, error);
    check_error(haul_link_bench_serve(other, &figures, &error), HAUL_UNSUPPORTED, error);
    free(other);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration__shorter_options__the_rest_is_default),
    CHECK_TEST(test_migration__longer_options_with_zeroes__as_ours),
    CHECK_TEST(test_migration__option_of_a_later_release__unsupported),
    CHECK_TEST(test_verify__shorter_and_later_options__taken_and_refused),
    CHECK_TEST(test_rocks_store__shorter_and_later_options__taken_and_refused),
    CHECK_TEST(test_link_bench__option_of_a_later_release__unsupported),
};
CHECK_MAIN("option_sizes", tests)
