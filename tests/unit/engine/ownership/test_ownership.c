/* SPDX-License-Identifier: Apache-2.0 */
/* test_ownership.c — the record of moved ranges: its map, its history, its bytes. */
#include "ownership.h"

#include <stdlib.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "range_map_text.h"

static struct ownership ownership;

static void put(const char *family, const char *text, enum ownership_state state, uint32_t peer)
{
    struct key_range ranges[RANGE_MAP_TEXT_RANGES];
    size_t count = ranges_from_text(text, ranges);
    const struct ownership_move move = {.family = family,
                                        .ranges = ranges,
                                        .range_count = count,
                                        .mark = {.state = (uint8_t)state, .peer = peer}};
    check_status(ownership_put(&ownership, &move), HAUL_OK);
    for (size_t i = 0; i < count; i++) {
        key_range_fini(&ranges[i]);
    }
}

static void note(uint8_t id, enum ownership_act act)
{
    const struct ownership_job job = {.id = {id}, .act = act, .new_version = id};
    check_status(ownership_note(&ownership, &job), HAUL_OK);
}

static const char *map_of(const char *family)
{
    const struct range_map *map = ownership_map(&ownership, family);
    return map == NULL ? "none" : range_map_text(map);
}

/* A record with everything that one can hold. */
static void fill(void)
{
    uint32_t peer = 0;
    ownership_init(&ownership);
    ownership.config_version = 7;
    ownership.epoch = 70;
    check_status(ownership_peer(&ownership, "another database", &peer), HAUL_OK);
    check_equal(peer, 1);
    put("default", "a:m", OWNERSHIP_RELEASED, peer);
    put("default", "c:e", OWNERSHIP_IMPORTED, 0);
    put("users", "x:", OWNERSHIP_IMPORTED, peer);
    struct ownership_job job = {.id = {1},
                                .act = OWNERSHIP_GAVE,
                                .peer = peer,
                                .old_version = 6,
                                .new_version = 7,
                                .time_s = 8,
                                .records = 9,
                                .bytes = 10};
    check_status(ownership_note(&ownership, &job), HAUL_OK);
    note(2, OWNERSHIP_TOOK);
}

/* --- the map ---------------------------------------------------------------------------------- */

static bool is_released(const char *family, const char *text)
{
    struct key_range range;
    (void)ranges_from_text(text, &range);
    bool found = ownership_find(&ownership, family, &range, OWNERSHIP_RELEASED) != NULL;
    key_range_fini(&range);
    return found;
}

/* Everything was handed over and a part taken back: the database still does not own the rest. */
static void test_ownership_find__part_taken_back__rest_is_released(void)
{
    ownership_init(&ownership);
    put("default", ":", OWNERSHIP_RELEASED, 0);
    put("default", "m:n", OWNERSHIP_IMPORTED, 0);
    check(is_released("default", ":"));
    check(is_released("default", "m:o"));
    check(!is_released("default", "m:n"));
    check(!is_released("other", ":"));
    ownership_fini(&ownership);
}

static void test_ownership_put__back_and_forth__size_of_one_range(void)
{
    ownership_init(&ownership);
    for (int i = 0; i < 100; i++) {
        put("default", "a:m", OWNERSHIP_RELEASED, 0);
        put("default", "a:m", OWNERSHIP_IMPORTED, 0);
    }
    check_text(map_of("default"), "a:m=3/0");
    ownership_fini(&ownership);
}

/* The record names what the family itself owns, or the entry for all others would apply. */
static void test_ownership_put__own_again_while_all_are_given_away__stays_own(void)
{
    ownership_init(&ownership);
    put("", "a:m", OWNERSHIP_RELEASED, 0);
    put("users", "a:m", OWNERSHIP_OWN, 0);
    put("others", "a:c", OWNERSHIP_OWN, 0);
    check_text(map_of("users"), "");
    check_text(map_of("others"), "c:m=2/0");
    check_text(map_of("any"), "a:m=2/0");
    check_equal(ownership.family_count, 3);
    ownership_fini(&ownership);
}

static void test_ownership_put__all_families__also_those_that_come_later(void)
{
    ownership_init(&ownership);
    put("users", "c:e", OWNERSHIP_IMPORTED, 0);
    put("", "a:m", OWNERSHIP_RELEASED, 0);
    check_text(map_of("users"), "a:m=2/0");
    check_text(map_of("any"), "a:m=2/0");
    put("late", "c:e", OWNERSHIP_IMPORTED, 0);
    check_text(map_of("late"), "a:c=2/0 c:e=3/0 e:m=2/0");
    check_text(map_of("any"), "a:m=2/0");
    ownership_fini(&ownership);
}

static void test_ownership_put__nothing_left__no_family(void)
{
    ownership_init(&ownership);
    put("users", "c:e", OWNERSHIP_RELEASED, 0);
    put("users", "a:m", OWNERSHIP_OWN, 0);
    check_equal(ownership.family_count, 0);
    check_text(map_of("users"), "none");
    ownership_fini(&ownership);
}

static void test_ownership_put__too_many_families__limit(void)
{
    struct key_range range = {.start = NULL};
    enum haul_status status = HAUL_OK;
    check_status(key_range_init(&range, slice_of(NULL, 0), slice_of(NULL, 0)), HAUL_OK);
    ownership_init(&ownership);
    for (int i = 0; status == HAUL_OK && i <= OWNERSHIP_FAMILY_COUNT_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "family %d", i);
        const struct ownership_move move = {.family = name,
                                            .ranges = &range,
                                            .range_count = 1,
                                            .mark = {.state = OWNERSHIP_RELEASED}};
        status = ownership_put(&ownership, &move);
    }
    check_status(status, HAUL_LIMIT);
    check_equal(ownership.family_count, OWNERSHIP_FAMILY_COUNT_MAX);
    key_range_fini(&range);
    ownership_fini(&ownership);
}

/* --- the history ------------------------------------------------------------------------------ */

static void test_ownership_moved__job_of_the_history__found_by_its_act(void)
{
    static const uint8_t first[HAUL_JOB_BYTES] = {1};
    static const uint8_t other[HAUL_JOB_BYTES] = {9};
    fill();
    const struct ownership_job *job = ownership_moved(&ownership, first, OWNERSHIP_GAVE);
    check_or_stop(job != NULL);
    check_equal(job->records, 9);
    check(ownership_moved(&ownership, first, OWNERSHIP_TOOK) == NULL);
    check(ownership_moved(&ownership, other, OWNERSHIP_GAVE) == NULL);
    ownership_fini(&ownership);
}

static void test_ownership_moved__job_that_failed__none(void)
{
    struct ownership_job job = {.id = {5}, .act = OWNERSHIP_GAVE, .result = HAUL_CANCELLED};
    fill();
    check_status(ownership_note(&ownership, &job), HAUL_OK);
    check(ownership_moved(&ownership, job.id, OWNERSHIP_GAVE) == NULL);
    ownership_fini(&ownership);
}

static void test_ownership_note__full__oldest_goes(void)
{
    ownership_init(&ownership);
    for (int i = 0; i < OWNERSHIP_JOB_COUNT_MAX + 3; i++) {
        struct ownership_job job = {.act = OWNERSHIP_GAVE, .new_version = (uint64_t)i};
        check_status(ownership_note(&ownership, &job), HAUL_OK);
    }
    check_equal(ownership.job_count, OWNERSHIP_JOB_COUNT_MAX);
    check_equal(ownership.jobs[0].new_version, 3);
    check_equal(ownership.jobs[OWNERSHIP_JOB_COUNT_MAX - 1].new_version,
                OWNERSHIP_JOB_COUNT_MAX + 2);
    ownership_fini(&ownership);
}

static void test_ownership_names__history_has_lost_the_job__the_map_knows(void)
{
    struct key_range range;
    (void)ranges_from_text("a:m", &range);
    const struct ownership_move move = {.family = "default",
                                        .ranges = &range,
                                        .range_count = 1,
                                        .mark = {.state = OWNERSHIP_IMPORTED, .job = {4}}};
    ownership_init(&ownership);
    check_status(ownership_put(&ownership, &move), HAUL_OK);
    check(ownership_names(&ownership, move.mark.job, OWNERSHIP_IMPORTED));
    check(!ownership_names(&ownership, move.mark.job, OWNERSHIP_RELEASED));
    key_range_fini(&range);
    ownership_fini(&ownership);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void test_ownership_decode__encoded__encodes_to_the_same_bytes(void)
{
    struct ownership second;
    uint8_t *bytes = NULL;
    uint8_t *again = NULL;
    size_t size = 0;
    size_t again_size = 0;
    fill();
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    ownership_fini(&ownership);
    check_status(ownership_decode(&second, slice_of(bytes, size)), HAUL_OK);
    check_equal(second.config_version, 7);
    check_equal(second.epoch, 70);
    check_text(range_map_text(ownership_map(&second, "default")), "a:c=2/1 c:e=3/0 e:m=2/1");
    check_text(range_map_text(ownership_map(&second, "users")), "x:=3/1");
    check_text(ownership_peer_name(&second, 1), "another database");
    check_equal(second.job_count, 2);
    check_equal(second.jobs[0].bytes, 10);
    check_equal(second.jobs[1].new_version, 2);
    check_status(ownership_encode(&second, &again, &again_size), HAUL_OK);
    check_equal(again_size, size);
    check(memcmp(bytes, again, size) == 0);
    free(bytes);
    free(again);
    ownership_fini(&second);
}

static void test_ownership_encode__peer_that_nothing_names__not_in_the_file(void)
{
    struct ownership second;
    uint8_t *bytes = NULL;
    size_t size = 0;
    uint32_t peer = 0;
    ownership_init(&ownership);
    check_status(ownership_peer(&ownership, "unused", &peer), HAUL_OK);
    check_status(ownership_peer(&ownership, "used", &peer), HAUL_OK);
    put("default", "a:m", OWNERSHIP_RELEASED, peer);
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    check_status(ownership_decode(&second, slice_of(bytes, size)), HAUL_OK);
    check_equal(second.peer_count, 2);
    check_text(ownership_peer_name(&second, second.families[0].map.parts[0].mark.peer), "used");
    free(bytes);
    ownership_fini(&second);
    ownership_fini(&ownership);
}

static void test_ownership_decode__any_bit_flipped_or_cut__corrupt(void)
{
    struct ownership damaged;
    uint8_t *bytes = NULL;
    size_t size = 0;
    fill();
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        check_status(ownership_decode(&damaged, slice_of(bytes, size)), HAUL_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        check_status(ownership_decode(&damaged, slice_of(bytes, cut)), HAUL_CORRUPT);
    }
    free(bytes);
    ownership_fini(&ownership);
}

/* A valid checksum only proves that the file was written so, not that it makes sense. */
static void test_ownership_decode__any_byte_wrong_under_a_sound_checksum__refused_or_whole(void)
{
    struct ownership damaged;
    uint8_t *bytes = NULL;
    size_t size = 0;
    unsigned refused = 0;
    fill();
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    for (size_t at = 8; at < size - 4; at++) {
        static const uint8_t changes[] = {0x01, 0x80, 0xff};
        for (size_t i = 0; i < CHECK_COUNT(changes); i++) {
            bytes[at] ^= changes[i];
            put_u32(bytes + size - 4, crc32c(bytes, size - 4));
            enum haul_status status = ownership_decode(&damaged, slice_of(bytes, size));
            refused += status != HAUL_OK;
            if (status == HAUL_OK) {
                uint8_t *again = NULL;
                size_t again_size = 0;
                check_status(ownership_encode(&damaged, &again, &again_size), HAUL_OK);
                check(again_size == size && memcmp(bytes, again, size) == 0);
                free(again);
                ownership_fini(&damaged);
            }
            bytes[at] ^= changes[i];
        }
    }
    check(refused > 50);
    free(bytes);
    ownership_fini(&ownership);
}

/* --- format 1 --------------------------------------------------------------------------------- */

static uint8_t *add_bytes(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

/* An entry of format 1; family NULL: all. */
static uint8_t *add_entry(uint8_t *at, uint8_t job, unsigned state, const char *start,
                          const char *family)
{
    memset(at, 0, 28);
    at[0] = job;
    put_u16(at + 16, (uint16_t)state);
    put_u16(at + 18, family == NULL ? 0 : 1);
    put_u32(at + 20, 1);
    put_u32(at + 24, 1);
    const char end = (char)(start[0] + 2);
    at = add_bytes(at + 28, start, 1);
    at = add_bytes(at, &end, 1);
    if (family != NULL) {
        *at = (uint8_t)strlen(family);
        at = add_bytes(at + 1, family, strlen(family));
    }
    return at;
}

static size_t format_1(uint8_t *bytes)
{
    memset(bytes, 0, 32);
    memcpy(bytes, "HAULOWNR", 8);
    put_u16(bytes + 8, 1);
    put_u32(bytes + 12, 4);
    put_u64(bytes + 16, 11);
    put_u64(bytes + 24, 12);
    uint8_t *at = add_entry(bytes + 32, 1, OWNERSHIP_RELEASED, "a", NULL);
    at = add_entry(at, 1, OWNERSHIP_RELEASED, "c", NULL);
    at = add_entry(at, 2, OWNERSHIP_IMPORTED, "b", "default");
    at = add_entry(at, 3, 1, "d", "default"); /* FROZEN */
    put_u32(at, crc32c(bytes, (size_t)(at - bytes)));
    return (size_t)(at - bytes) + 4;
}

static void test_ownership_decode__format_1__newer_entries_subtracted(void)
{
    static const uint8_t first[HAUL_JOB_BYTES] = {1};
    static const uint8_t second[HAUL_JOB_BYTES] = {2};
    uint8_t bytes[512];
    size_t size = format_1(bytes);
    check_status(ownership_decode(&ownership, slice_of(bytes, size)), HAUL_OK);
    check_equal(ownership.config_version, 11);
    check_equal(ownership.epoch, 12);
    check_text(map_of("default"), "a:b=2/0 b:d=3/0");
    check_text(map_of("any"), "a:e=2/0");
    check(ownership_moved(&ownership, first, OWNERSHIP_GAVE) != NULL);
    check(ownership_moved(&ownership, second, OWNERSHIP_TOOK) != NULL);
    check_equal(ownership.job_count, 2);
    ownership_fini(&ownership);
}

static void test_ownership_decode__format_1_cut_or_of_unknown_state__corrupt(void)
{
    uint8_t bytes[512];
    size_t size = format_1(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        check_status(ownership_decode(&ownership, slice_of(bytes, cut)), HAUL_CORRUPT);
    }
    bytes[32 + 16] = 9;
    put_u32(bytes + size - 4, crc32c(bytes, size - 4));
    check_status(ownership_decode(&ownership, slice_of(bytes, size)), HAUL_CORRUPT);
    bytes[8] = 3;
    put_u32(bytes + size - 4, crc32c(bytes, size - 4));
    check_status(ownership_decode(&ownership, slice_of(bytes, size)), HAUL_VERSION);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_ownership_find__part_taken_back__rest_is_released),
    CHECK_TEST(test_ownership_put__back_and_forth__size_of_one_range),
    CHECK_TEST(test_ownership_put__own_again_while_all_are_given_away__stays_own),
    CHECK_TEST(test_ownership_put__all_families__also_those_that_come_later),
    CHECK_TEST(test_ownership_put__nothing_left__no_family),
    CHECK_TEST(test_ownership_put__too_many_families__limit),
    CHECK_TEST(test_ownership_moved__job_of_the_history__found_by_its_act),
    CHECK_TEST(test_ownership_moved__job_that_failed__none),
    CHECK_TEST(test_ownership_note__full__oldest_goes),
    CHECK_TEST(test_ownership_names__history_has_lost_the_job__the_map_knows),
    CHECK_TEST(test_ownership_decode__encoded__encodes_to_the_same_bytes),
    CHECK_TEST(test_ownership_encode__peer_that_nothing_names__not_in_the_file),
    CHECK_TEST(test_ownership_decode__any_bit_flipped_or_cut__corrupt),
    CHECK_TEST(test_ownership_decode__any_byte_wrong_under_a_sound_checksum__refused_or_whole),
    CHECK_TEST(test_ownership_decode__format_1__newer_entries_subtracted),
    CHECK_TEST(test_ownership_decode__format_1_cut_or_of_unknown_state__corrupt),
};
CHECK_MAIN("ownership", tests)
