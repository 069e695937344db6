/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_plan.c — families of a plan that the target's database has, in another order or with
 * another merge operator. */
#include "rocks_store.h"
#include "target_journal_fixture.h"

static void write_name(char name[HAUL_NAME_BYTES_MAX], const char *text)
{
    (void)snprintf(name, HAUL_NAME_BYTES_MAX, "%s", text);
}

/* A job's plan, when the target's family has these. */
static enum haul_status admit(const char *comparator, const char *merge_operator)
{
    struct haul_family *family = &rocks_of(target.store)->families[0].family;
    write_name(family->comparator, comparator);
    write_name(family->merge_operator, merge_operator);
    check_equal(come(1, false), JOB_UNKNOWN);
    enum haul_status status = check_range("k", "l", false);
    leave();
    return status;
}

static void check_refused(const char *comparator, const char *merge_operator, const char *what)
{
    check_error(admit(comparator, merge_operator), HAUL_MISMATCH, error);
    check(strstr(error.text, what) != NULL);
    check(strstr(error.text, "'default'") != NULL);
    check(error.hint[0] != '\0');
    check_equal(job_count(), 0);
}

static void test_target_admission_check__family_differs__mismatch_names_it(void)
{
    start();
    rocks_fixture_put(&target, 0, text_slice("z"), text_slice("value")); /* it is not made anew */
    check_refused(HAUL_COMPARATOR_BYTEWISE, "MaxOperator",
                  "merge operator is 'none', the target's 'MaxOperator'");
    check_refused("rocksdb.ReverseBytewiseComparator", "",
                  "the target's 'rocksdb.ReverseBytewiseComparator'");
    check_status(admit(HAUL_COMPARATOR_BYTEWISE, ""), HAUL_OK);
    finish();
}

static struct haul_store_ops counting_ops;
static unsigned steps_left;
static unsigned made_count;
static enum haul_status (*create)(struct haul_store *store, const char *name,
                                  struct haul_family *made, struct haul_error *failed);

static enum haul_status count_made(struct haul_store *store, const char *name,
                                   struct haul_family *made, struct haul_error *failed)
{
    made_count++;
    return create(store, name, made, failed);
}

static bool take_step(void *context)
{
    (void)context;
    return steps_left > 0 && steps_left-- > 0;
}

/* A plan may name hundreds of families, and each costs the disk a sync. */
static void test_target_admission_check__stopped_between_two_families__no_more_are_made(void)
{
    static const struct haul_steps steps = {.next = take_step, .context = NULL};
    static const char *const names[] = {"one", "two", "three", "four"};
    start();
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        struct haul_family made;
        check_status(source.store->ops->family_create(source.store, names[i], &made, &error),
                     HAUL_OK);
    }
    counting_ops = *target.store->ops;
    create = counting_ops.family_create;
    counting_ops.family_create = count_made;
    counting_ops.family_create_like = NULL;
    target.store->ops = &counting_ops;
    made_count = 0;
    steps_left = 2;
    check_equal(come(1, false), JOB_UNKNOWN);
    journal.steps = &steps;
    check_error(check_range("k", "l", false), HAUL_CLOSED, error);
    check_equal(made_count, 2);
    check_equal(family_count(), 1); /* a refused plan leaves none */
    journal.steps = NULL;
    leave();
    check_equal(come(1, true), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_equal(family_count(), 1 + 4);
    leave();
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_admission_check__stopped_between_two_families__no_more_are_made),
    CHECK_TEST(test_target_admission_check__family_differs__mismatch_names_it),
};
CHECK_MAIN("target_plan", tests)
