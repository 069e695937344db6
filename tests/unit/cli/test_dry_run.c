/* SPDX-License-Identifier: Apache-2.0 */
/* test_dry_run.c — what a send would transfer: which families, how many bytes of which ranges. */
#include "dry_run.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "haul/store.h"

static char asked[256]; /* family and bounds of each size request */
static enum haul_status families_answer;
static enum haul_status size_answer;
static uint32_t refused_family; /* the call that gets size_answer */
static unsigned refused_from;   /* from the n-th range on */
static unsigned sizes_asked;

static enum haul_status families_of(struct haul_store *store, struct haul_family *families,
                                    size_t capacity, size_t *count, struct haul_error *error)
{
    static const char *const names[] = {"default", "users", "posts"};
    (void)store;
    check(capacity >= CHECK_COUNT(names));
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        families[i] = (struct haul_family){.id = (uint32_t)i + 1};
        (void)snprintf(families[i].name, sizeof(families[i].name), "%s", names[i]);
    }
    *count = CHECK_COUNT(names);
    return families_answer == HAUL_OK
               ? HAUL_OK
               : haul_error_set(error, families_answer, NULL, 0, "no families");
}

static enum haul_status size_of(struct haul_store *store, uint32_t family, struct haul_slice start,
                                struct haul_slice end, uint64_t *bytes, struct haul_error *error)
{
    size_t used = strlen(asked);
    (void)store;
    (void)snprintf(asked + used, sizeof(asked) - used, "%u[%.*s,%.*s) ", family, (int)start.size,
                   (const char *)start.data, (int)end.size, (const char *)end.data);
    *bytes = 100 * family + end.size;
    if (family == refused_family && ++sizes_asked >= refused_from) {
        return haul_error_set(error, size_answer, NULL, 0, "no size");
    }
    return HAUL_OK;
}

static const struct haul_store_ops ops = {.families = families_of, .range_size = size_of};
static struct haul_store store = {.ops = &ops};
static struct haul_source_options options;
static struct dry_run dry;
static struct haul_error error;

static struct haul_slice slice(const char *text)
{
    return (struct haul_slice){.data = (const uint8_t *)text, .size = strlen(text)};
}

static void begin(void)
{
    asked[0] = '\0';
    families_answer = HAUL_OK;
    size_answer = HAUL_OK;
    refused_family = 0;
    refused_from = 1;
    sizes_asked = 0;
    options = (struct haul_source_options){.store = &store};
}

static void test_dry_run_look__no_selection__all_of_every_family(void)
{
    begin();
    check_status(dry_run_look(&options, &dry, &error), HAUL_OK);
    check_text(asked, "1[,) 2[,) 3[,) ");
    check_equal(dry.family_count, 3);
    check_equal(dry.bytes, 600);
    check_text(dry.families[2].name, "posts");
    check(dry.families[2].known);
    check_equal(dry.families[2].bytes, 300);
    dry_run_fini(&dry);
    check(dry.families == NULL);
    check_equal(dry.bytes, 0);
}

static void test_dry_run_look__selected__these_families_and_ranges(void)
{
    static const char *const names[] = {"posts", "users", "none"};
    const struct haul_range ranges[] = {{.start = slice("a"), .end = slice("bb")},
                                        {.start = slice("c"), .end = slice("d")}};
    begin();
    options.families = names;
    options.family_count = CHECK_COUNT(names);
    options.ranges = ranges;
    options.range_count = CHECK_COUNT(ranges);
    check_status(dry_run_look(&options, &dry, &error), HAUL_OK);
    check_text(asked, "2[a,bb) 2[c,d) 3[a,bb) 3[c,d) ");
    check_equal(dry.family_count, 2);
    check_text(dry.families[0].name, "users");
    check_equal(dry.families[0].bytes, 403);
    check_equal(dry.families[1].bytes, 603);
    check_equal(dry.bytes, 1006);
    dry_run_fini(&dry);
}

/* A family with its own key order has no size, even if one of its ranges had one. */
static void test_dry_run_look__size_not_known__counts_nothing_and_goes_on(void)
{
    const struct haul_range ranges[] = {{.start = slice("a"), .end = slice("b")},
                                        {.start = slice("c"), .end = slice("d")},
                                        {.start = slice("e"), .end = slice("f")}};
    begin();
    options.ranges = ranges;
    options.range_count = CHECK_COUNT(ranges);
    size_answer = HAUL_UNSUPPORTED;
    refused_family = 2;
    refused_from = 2;
    check_status(dry_run_look(&options, &dry, &error), HAUL_OK);
    check_text(asked, "1[a,b) 1[c,d) 1[e,f) 2[a,b) 2[c,d) 3[a,b) 3[c,d) 3[e,f) ");
    check_equal(dry.family_count, 3);
    check(dry.families[0].known && !dry.families[1].known && dry.families[2].known);
    check_equal(dry.families[1].bytes, 0);
    check_equal(dry.bytes, 303 + 903);
    dry_run_fini(&dry);
}

static void test_dry_run_look__store_fails__its_error(void)
{
    begin();
    size_answer = HAUL_STORE;
    refused_family = 2;
    check_error(dry_run_look(&options, &dry, &error), HAUL_STORE, error);
    check_text(asked, "1[,) 2[,) ");
    dry_run_fini(&dry);
    begin();
    families_answer = HAUL_LIMIT;
    check_error(dry_run_look(&options, &dry, &error), HAUL_LIMIT, error);
    check_text(asked, "");
    check_equal(dry.family_count, 0);
    dry_run_fini(&dry);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_dry_run_look__no_selection__all_of_every_family),
    CHECK_TEST(test_dry_run_look__selected__these_families_and_ranges),
    CHECK_TEST(test_dry_run_look__size_not_known__counts_nothing_and_goes_on),
    CHECK_TEST(test_dry_run_look__store_fails__its_error),
};
CHECK_MAIN("dry_run", tests)
