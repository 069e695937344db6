/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_families.c — creates column families, each refusal included, and removes them
 * again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"
#include "rocks_store.h"

static struct rocks_fixture fixture;
static struct haul_family family;
static struct haul_error error;

static enum haul_status create(const char *name)
{
    return fixture.store->ops->family_create(fixture.store, name, &family, &error);
}

static enum haul_status create_like(const char *name, const char *options)
{
    return fixture.store->ops->family_create_like(fixture.store, name, options, &family, &error);
}

static enum haul_status drop(const char *name)
{
    return fixture.store->ops->family_drop(fixture.store, name, &error);
}

static size_t family_count(void)
{
    static struct haul_family families[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    check_status(fixture.store->ops->families(fixture.store, families, HAUL_FAMILY_COUNT_MAX,
                                              &count, &error),
                 HAUL_OK);
    return count;
}

/* The option that a family has, as text. */
static void check_option(uint32_t id, const char *line)
{
    char *options = NULL;
    check_or_stop(fixture.store->ops->family_options(fixture.store, id, &options, &error) ==
                  HAUL_OK);
    check(strstr(options, line) != NULL);
    free(options);
}

static void test_rocks_family_create__name_that_is_there__exists(void)
{
    rocks_fixture_open(&fixture);
    check_status(create("one"), HAUL_OK);
    check_text(family.name, "one");
    check_equal(family.id, 1);
    check_error(create("one"), HAUL_EXISTS, error);
    check(strstr(error.text, "'one'") != NULL);
    check_error(create("default"), HAUL_EXISTS, error);
    check_error(create_like("one", ""), HAUL_EXISTS, error);
    check_equal(family_count(), 2);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create__lengths_of_a_name__at_their_limits(void)
{
    char name[HAUL_NAME_BYTES_MAX + 1];
    rocks_fixture_open(&fixture);
    check_error(create(""), HAUL_INVALID, error);
    check_error(create_like("", ""), HAUL_INVALID, error);
    memset(name, 'n', sizeof(name));
    name[HAUL_NAME_BYTES_MAX] = '\0';
    check_error(create(name), HAUL_INVALID, error);
    name[HAUL_NAME_BYTES_MAX - 1] = '\0';
    check_status(create(name), HAUL_OK);
    check_text(family.name, name);
    check_equal(family_count(), 2);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_drop__made_and_removed_ten_times__gone_each_time(void)
{
    rocks_fixture_open(&fixture);
    (void)rocks_fixture_family(&fixture, "before");
    for (int i = 0; i < 10; i++) {
        check_status(create("passing"), HAUL_OK);
        uint32_t behind = rocks_fixture_family(&fixture, "behind");
        rocks_fixture_put(&fixture, behind, text_slice("k"), text_slice("v"));
        check_status(drop("passing"), HAUL_OK);
        check_error(drop("passing"), HAUL_NOT_FOUND, error);
        check_equal(family_count(), 3);
        check_equal(rocks_fixture_count(&fixture, "behind"), 1);
        check_status(drop("behind"), HAUL_OK);
        check_equal(family_count(), 2);
    }
    check_error(drop("default"), HAUL_STORE, error);
    rocks_fixture_reopen(&fixture);
    check_equal(family_count(), 2);
    rocks_fixture_close(&fixture);
}

/* A new database's first family takes over the options as long as nothing was written. */
static void test_rocks_family_create_like__default_of_a_new_database__made_anew(void)
{
    rocks_fixture_open(&fixture);
    check_status(create_like("default", "num_levels=5\n"), HAUL_OK);
    check_text(family.name, "default");
    check_option(0, "num_levels=5\n");
    check_status(create_like("default", "comparator=rocksdb.ReverseBytewiseComparator\n"), HAUL_OK);
    check_text(family.comparator, "rocksdb.ReverseBytewiseComparator");
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("v"));
    rocks_fixture_reopen(&fixture);
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create_like__default_of_a_database_in_use__exists(void)
{
    for (int kind = 0; kind < 3; kind++) {
        rocks_fixture_open(&fixture);
        if (kind == 0) { /* another family */
            (void)rocks_fixture_family(&fixture, "one");
        } else { /* a record; and a deleted one */
            rocks_fixture_put(&fixture, 0, text_slice("k"), text_slice("v"));
        }
        if (kind == 2) {
            rocks_fixture_delete(&fixture, 0, text_slice("k"));
            check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
        }
        check_error(create_like("default", "num_levels=5\n"), HAUL_EXISTS, error);
        check_equal(rocks_fixture_count(&fixture, "default"), kind == 1);
        rocks_fixture_close(&fixture);
    }
}

/* Another order: the empty database is removed, and is unchanged afterwards. */
static void test_rocks_family_create_like__another_order__same_identity(void)
{
    char path[320];
    char before[64] = "";
    char after[64] = "";
    rocks_fixture_open(&fixture);
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", fixture.path);
    FILE *file = fopen(path, "r");
    check_or_stop(file != NULL && fgets(before, sizeof(before), file) != NULL);
    (void)fclose(file);
    check_status(create_like("default", "comparator=rocksdb.ReverseBytewiseComparator\n"), HAUL_OK);
    file = fopen(path, "r");
    check_or_stop(file != NULL && fgets(after, sizeof(after), file) != NULL);
    (void)fclose(file);
    check_text(after, before);
    check(before[0] != '\0');
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create_like__options_of_its_own__taken_over(void)
{
    rocks_fixture_open(&fixture);
    check_status(create_like("one", "num_levels=5\nno_such_option=1\n"), HAUL_OK);
    check_equal(family.id, 1);
    check_option(1, "num_levels=5\n");
    rocks_fixture_reopen(&fixture);
    check_option(1, "num_levels=5\n");
    rocks_fixture_close(&fixture);
}

/* Threads that work for another job point at its family. */
static void test_rocks_family_drop__one_before_others__they_keep_their_places(void)
{
    const struct rocks_family *before = NULL;
    const struct rocks_family *after = NULL;
    rocks_fixture_open(&fixture);
    struct rocks_store *store = rocks_of(fixture.store);
    check_status(create("passing"), HAUL_OK);
    uint32_t behind = rocks_fixture_family(&fixture, "behind");
    check_status(rocks_family(store, behind, &before, &error), HAUL_OK);
    check_status(drop("passing"), HAUL_OK);
    check_status(rocks_family(store, behind, &after, &error), HAUL_OK);
    check(before == after);
    check_text(before->family.name, "behind");
    rocks_fixture_put(&fixture, behind, text_slice("k"), text_slice("v"));
    rocks_fixture_put(&fixture, 0, text_slice("k"), text_slice("v"));
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    check_equal(family_count(), 2);
    check_status(create("next"), HAUL_OK); /* in the place that is free */
    check_equal(store->family_count, 3);
    check_equal(family_count(), 3);
    check_equal(rocks_fixture_count(&fixture, "behind"), 1);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create__as_many_as_there_can_be__limit(void)
{
    rocks_fixture_open(&fixture);
    struct rocks_store *store = rocks_of(fixture.store);
    size_t count = store->family_count;
    store->family_count = HAUL_FAMILY_COUNT_MAX;
    for (size_t i = count; i < HAUL_FAMILY_COUNT_MAX; i++) {
        store->families[i].family.name[0] = '?';
    }
    check_error(create("one too many"), HAUL_LIMIT, error);
    check_error(create_like("one too many", ""), HAUL_LIMIT, error);
    check_error(create("default"), HAUL_EXISTS, error);
    store->families[HAUL_FAMILY_COUNT_MAX].family.name[0] = '?'; /* RocksDB's own is the last */
    store->family_count = ROCKS_FAMILY_COUNT_MAX;
    check_error(create("one too many"), HAUL_LIMIT, error);
    store->families[HAUL_FAMILY_COUNT_MAX].family.name[0] = '\0';
    for (size_t i = count; i < HAUL_FAMILY_COUNT_MAX; i++) {
        store->families[i].family.name[0] = '\0';
    }
    store->family_count = count;
    check_status(create("another"), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_family_create__as_many_as_there_can_be__limit),
    CHECK_TEST(test_rocks_family_create__name_that_is_there__exists),
    CHECK_TEST(test_rocks_family_create__lengths_of_a_name__at_their_limits),
    CHECK_TEST(test_rocks_family_drop__one_before_others__they_keep_their_places),
    CHECK_TEST(test_rocks_family_drop__made_and_removed_ten_times__gone_each_time),
    CHECK_TEST(test_rocks_family_create_like__default_of_a_new_database__made_anew),
    CHECK_TEST(test_rocks_family_create_like__default_of_a_database_in_use__exists),
    CHECK_TEST(test_rocks_family_create_like__another_order__same_identity),
    CHECK_TEST(test_rocks_family_create_like__options_of_its_own__taken_over),
};
CHECK_MAIN("rocks_families", tests)
