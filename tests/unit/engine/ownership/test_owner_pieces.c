/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_pieces.c — intersects handed-over ranges with a selection; and memory runs out. */
#include "owner_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

static struct ownership ownership;
static struct owner_pieces pieces;
static struct haul_error error;
static unsigned memory_for; /* this many ranges */

enum haul_status __real_key_range_init(struct key_range *range, struct haul_slice start,
                                       struct haul_slice end);
enum haul_status __wrap_key_range_init(struct key_range *range, struct haul_slice start,
                                       struct haul_slice end);
enum haul_status __wrap_key_range_init(struct key_range *range, struct haul_slice start,
                                       struct haul_slice end)
{
    if (memory_for == 0) {
        return HAUL_NO_MEMORY;
    }
    memory_for--;
    return __real_key_range_init(range, start, end);
}

/* d..f and k..p of a family are handed over. */
static void start(void)
{
    static const char *const bounds[2][2] = {{"d", "f"}, {"k", "p"}};
    uint32_t nobody = 0;
    memory_for = UINT32_MAX;
    memset(&ownership, 0, sizeof(ownership));
    memset(&pieces, 0, sizeof(pieces));
    check_or_stop(ownership_peer(&ownership, "", &nobody) == HAUL_OK);
    for (size_t i = 0; i < 2; i++) {
        struct key_range range;
        check_or_stop(key_range_init(&range, text_slice(bounds[i][0]), text_slice(bounds[i][1])) ==
                      HAUL_OK);
        const struct ownership_move move = {.family = "users",
                                            .ranges = &range,
                                            .range_count = 1,
                                            .mark = {.state = OWNERSHIP_RELEASED}};
        check_or_stop(ownership_put(&ownership, &move) == HAUL_OK);
        key_range_fini(&range);
    }
}

static void finish(void)
{
    owner_pieces_fini(&pieces);
    ownership_fini(&ownership);
}

static void test_owner_pieces_add__a_selection__what_both_have(void)
{
    const struct haul_range ranges[] = {{text_slice("e"), text_slice("l")},
                                        {text_slice("o"), {NULL, 0}}};
    const struct haul_owner_selection selection = {.ranges = ranges, .range_count = 2};
    static const char *const expected[][2] = {{"e", "f"}, {"k", "l"}, {"o", "p"}};
    start();
    check_status(owner_pieces_add(&pieces, &ownership, "users", &selection, &error), HAUL_OK);
    check_or_stop(pieces.count == CHECK_COUNT(expected));
    for (size_t i = 0; i < pieces.count; i++) {
        check_text(pieces.items[i].family, "users");
        check_equal(
            slice_compare(key_range_start(&pieces.items[i].range), text_slice(expected[i][0])), 0);
        check_equal(
            slice_compare(key_range_end(&pieces.items[i].range), text_slice(expected[i][1])), 0);
    }
    finish();
}

static void test_owner_pieces_add_all__no_memory_for_the_nth__told(void)
{
    const struct haul_owner_selection everything = {.range_count = 0};
    for (unsigned n = 0; n < 2; n++) {
        start();
        memory_for = n;
        check_error(owner_pieces_add_all(&pieces, &ownership, &everything, &error), HAUL_NO_MEMORY,
                    error);
        check_equal(pieces.count, n);
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_pieces_add__a_selection__what_both_have),
    CHECK_TEST(test_owner_pieces_add_all__no_memory_for_the_nth__told),
};
CHECK_MAIN("owner_pieces", tests)
