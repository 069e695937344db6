/* SPDX-License-Identifier: Apache-2.0 */
/* test_range_map.c — disjoint ranges: newer ones subtract from older ones, neighbours merge. */
#include "range_map.h"

#include <stdlib.h>

#include "check.h"
#include "range_map_text.h"

static struct range_map map;

static void put(const char *text, uint8_t state, uint32_t peer, uint8_t job)
{
    struct key_range ranges[RANGE_MAP_TEXT_RANGES];
    size_t count = ranges_from_text(text, ranges);
    const struct range_mark mark = {.state = state, .peer = peer, .job = {job}};
    check_status(range_map_put(&map, ranges, count, &mark), HAUL_OK);
    for (size_t i = 0; i < count; i++) {
        key_range_fini(&ranges[i]);
    }
}

static void put_all(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(texts[i], (uint8_t)(i + 1), 0, 0);
    }
}

static void check_map(const char *expected)
{
    check_text(range_map_text(&map), expected);
    range_map_fini(&map);
}

static void test_range_map_put__nothing_there__the_ranges(void)
{
    put("a:c e:g m:", 1, 7, 0);
    check_map("a:c=1/7 e:g=1/7 m:=1/7");
}

static void test_range_map_put__over_older__takes_what_it_covers(void)
{
    static const struct {
        const char *texts[2];
        const char *expected;
    } cases[] = {
        {{"a:m", "c:e"}, "a:c=1/0 c:e=2/0 e:m=1/0"},
        {{"a:m", "a:e"}, "a:e=2/0 e:m=1/0"},
        {{"a:m", "e:m"}, "a:e=1/0 e:m=2/0"},
        {{"a:m", "a:m"}, "a:m=2/0"},
        {{"c:m", "a:e"}, "a:e=2/0 e:m=1/0"},
        {{"a:e", "c:m"}, "a:c=1/0 c:m=2/0"},
        {{"c:e", "a:m"}, "a:m=2/0"},
        {{"a:c e:g i:k", "b:j"}, "a:b=1/0 b:j=2/0 j:k=1/0"},
        {{"a:c e:g i:k", "c:e g:i"}, "a:c=1/0 c:e=2/0 e:g=1/0 g:i=2/0 i:k=1/0"},
        {{":", "m:"}, ":m=1/0 m:=2/0"},
        {{":", ":m"}, ":m=2/0 m:=1/0"},
        {{":", "c:e m:p"}, ":c=1/0 c:e=2/0 e:m=1/0 m:p=2/0 p:=1/0"},
        {{"c:", ":"}, ":=2/0"},
        {{"c:e", "x:z"}, "c:e=1/0 x:z=2/0"},
        {{"x:z", "c:e"}, "c:e=2/0 x:z=1/0"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        put_all(cases[i].texts, 2);
        check_map(cases[i].expected);
    }
}

static void test_range_map_put__neighbours_of_same_state_and_peer__merge(void)
{
    put("c:e", 1, 0, 1);
    put("a:c", 1, 0, 2);
    check_equal(map.count, 1);
    check_equal(map.parts[0].mark.job[0], 2);
    put("e:g", 1, 0, 3);
    check_equal(map.parts[0].mark.job[0], 3);
    put("g:", 1, 5, 4);
    check_text(range_map_text(&map), "a:g=1/0 g:=1/5");
    put("c:h", 1, 5, 6);
    check_map("a:c=1/0 c:=1/5");
}

/* Ranges that a merge does not touch keep their job. */
static void test_range_map_put__between_neighbours__newest_job(void)
{
    put("a:c", 1, 0, 1);
    put("e:g", 1, 0, 2);
    put("c:e", 1, 0, 3);
    check_equal(map.count, 1);
    check_equal(map.parts[0].mark.job[0], 3);
    put("x:z", 1, 0, 4);
    check_equal(map.parts[0].mark.job[0], 3);
    check_equal(map.parts[1].mark.job[0], 4);
    check_map("a:g=1/0 x:z=1/0");
}

static void test_range_map_put__state_0__erases(void)
{
    put("a:m", 1, 0, 0);
    put("c:e k:", 0, 0, 0);
    check_map("a:c=1/0 e:k=1/0");
    put("a:m", 1, 0, 0);
    put(":", 0, 0, 0);
    check_map("");
}

/* Compared with a byte for each one-letter key. */
static void test_range_map_put__any_order__as_an_array_has_it(void)
{
    enum { LETTERS = 26, ROUNDS = 3000 };
    uint8_t model[LETTERS] = {0};
    srand(1);
    for (int i = 0; i < ROUNDS; i++) {
        char text[16];
        int start = rand() % LETTERS;
        int end = start + 1 + rand() % (LETTERS - start);
        uint8_t state = (uint8_t)(rand() % 3);
        if (end < LETTERS) {
            (void)snprintf(text, sizeof(text), "%c:%c", 'a' + start, 'a' + end);
        } else {
            (void)snprintf(text, sizeof(text), "%c:", 'a' + start);
        }
        put(text, state, 0, 0);
        memset(model + start, state, (size_t)(end - start));
        for (int letter = 0; letter < LETTERS; letter++) {
            uint8_t key[1] = {(uint8_t)('a' + letter)};
            uint8_t next[2] = {key[0], 0};
            struct key_range one;
            check_or_stop(key_range_init(&one, slice_of(key, 1), slice_of(next, 2)) == HAUL_OK);
            const struct range_map_part *part = range_map_find(&map, &one, 0);
            check_equal(part == NULL ? 0 : part->mark.state, model[letter]);
            key_range_fini(&one);
        }
        for (size_t part = 1; part < map.count; part++) {
            struct haul_slice end_before = key_range_end(&map.parts[part - 1].range);
            int order = slice_compare(end_before, key_range_start(&map.parts[part].range));
            check(order < 0 || map.parts[part - 1].mark.state != map.parts[part].mark.state);
        }
    }
    range_map_fini(&map);
}

static bool covers(const char *text, uint8_t state)
{
    struct key_range range;
    (void)ranges_from_text(text, &range);
    bool all = range_map_covers(&map, &range, state);
    key_range_fini(&range);
    return all;
}

static void test_range_map_covers__hole_or_other_state__false(void)
{
    put("c:e e:g", 1, 0, 0);
    put("g:m", 2, 0, 0);
    check(covers("c:m", 0));
    check(covers("d:f", 1));
    check(!covers("d:h", 1));
    check(!covers("b:d", 0));
    check(!covers("k:", 0));
    check(!covers("x:z", 0));
    put("m:", 2, 0, 0);
    check(covers("h:", 2));
    check(covers("c:", 0));
    range_map_fini(&map);
}

static const char *gaps(const char *text)
{
    static char found[RANGE_MAP_TEXT_BYTES];
    struct key_range range;
    struct haul_slice start;
    struct haul_slice end;
    size_t used = 0;
    (void)ranges_from_text(text, &range);
    struct haul_slice from = key_range_start(&range);
    found[0] = '\0';
    while (range_map_gap(&map, &range, from, &start, &end)) {
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%.*s:%.*s ", (int)start.size,
                                 (const char *)start.data, (int)end.size, (const char *)end.data);
        if (end.size == 0) {
            break;
        }
        from = end;
    }
    key_range_fini(&range);
    return found;
}

static void test_range_map_gap__parts_in_the_range__what_lies_between(void)
{
    check_text(gaps("a:z"), "a:z ");
    check_text(gaps(":"), ": ");
    put("c:e", 1, 0, 0);
    put("e:g", 2, 0, 0);
    put("k:m", 1, 0, 0);
    check_text(gaps("a:z"), "a:c g:k m:z ");
    check_text(gaps("c:l"), "g:k ");
    check_text(gaps("d:f"), "");
    check_text(gaps("g:k"), "g:k ");
    check_text(gaps("h:i"), "h:i ");
    check_text(gaps(":"), ":c g:k m: ");
    put("x:", 1, 0, 0);
    check_text(gaps("l:"), "m:x ");
    check_text(gaps("y:"), "");
    range_map_fini(&map);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_range_map_put__nothing_there__the_ranges),
    CHECK_TEST(test_range_map_put__over_older__takes_what_it_covers),
    CHECK_TEST(test_range_map_put__neighbours_of_same_state_and_peer__merge),
    CHECK_TEST(test_range_map_put__between_neighbours__newest_job),
    CHECK_TEST(test_range_map_put__state_0__erases),
    CHECK_TEST(test_range_map_put__any_order__as_an_array_has_it),
    CHECK_TEST(test_range_map_covers__hole_or_other_state__false),
    CHECK_TEST(test_range_map_gap__parts_in_the_range__what_lies_between),
};
CHECK_MAIN("range_map", tests)
