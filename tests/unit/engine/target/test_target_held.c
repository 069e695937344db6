/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_held.c — what a target's database must satisfy before PREPARED. */
#include "target_held.h"

#include "check.h"

static const struct journal_held then = {.sequence = 100, .manifest = 7, .manifest_bytes = 500};

static enum target_held compare(uint64_t sequence, uint64_t manifest, uint64_t manifest_bytes)
{
    const struct journal_state state = {.has_held = true, .held = then};
    const struct journal_held now = {
        .sequence = sequence, .manifest = manifest, .manifest_bytes = manifest_bytes};
    return target_held_compare(&state, &now);
}

static void test_target_held_compare__each_change__named(void)
{
    static const struct {
        struct journal_held now;
        enum target_held is;
    } cases[] = {
        {{100, 7, 500}, TARGET_HELD_SAME},       {{100, 9, 80}, TARGET_HELD_SAME},
        {{100, 7, 700}, TARGET_HELD_SAME},       {{101, 9, 80}, TARGET_HELD_WRITTEN},
        {{99, 9, 80}, TARGET_HELD_SET_BACK},     {{100, 7, 499}, TARGET_HELD_SET_BACK},
        {{100, 6, 900}, TARGET_HELD_SET_BACK},   {{200, 6, 900}, TARGET_HELD_SET_BACK},
        {{UINT64_MAX, 9, 80}, TARGET_HELD_SAME}, {{100, 0, 0}, TARGET_HELD_SAME},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct journal_held *now = &cases[i].now;
        check_equal(compare(now->sequence, now->manifest, now->manifest_bytes), cases[i].is);
    }
}

static void test_target_held_compare__journal_has_none__same(void)
{
    const struct journal_state state = {.has_held = false};
    check_equal(target_held_compare(&state, &then), TARGET_HELD_SAME);
}

static void test_target_held_explain__changed__names_the_next_command(void)
{
    char text[HAUL_ERROR_HINT_BYTES_MAX];
    target_held_explain(TARGET_HELD_SAME, text, sizeof(text));
    check_text(text, "");
    for (enum target_held held = TARGET_HELD_WRITTEN; held <= TARGET_HELD_SET_BACK; held++) {
        target_held_explain(held, text, sizeof(text));
        check(strstr(text, "`haul verify --db DIR --to ADDR:PORT`") != NULL);
        check(strstr(text, "before `haul drop` there") != NULL); /* nothing is truncated */
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_held_compare__each_change__named),
    CHECK_TEST(test_target_held_compare__journal_has_none__same),
    CHECK_TEST(test_target_held_explain__changed__names_the_next_command),
};

CHECK_MAIN("target_held", tests)
