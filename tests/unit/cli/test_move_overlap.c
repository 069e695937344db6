/* SPDX-License-Identifier: Apache-2.0 */
/* test_move_overlap.c — which moves have keys in common, by each key of a small world. */
#include "move_overlap.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static struct haul_error error;

/* Keys "0" to "7"; a bound of "" is open. */
enum { KEY_COUNT = 8, MOVES_MAX = 4, RANGES_MAX = 3 };
static const char *const family_names[] = {"a", "b", "c"}; /* "c": named by no move */
enum { FAMILY_COUNT = 3 };

static char key_bytes[KEY_COUNT] = {'0', '1', '2', '3', '4', '5', '6', '7'};

struct world {
    struct send_move moves[MOVES_MAX];
    struct haul_range ranges[MOVES_MAX][RANGES_MAX];
    struct send_plan plan;
};

static unsigned seed;

static unsigned draw(unsigned below)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 16) % below;
}

static struct haul_range draw_range(void)
{
    unsigned start = draw(KEY_COUNT);
    unsigned end = start + 1 + draw(KEY_COUNT - start);
    return (struct haul_range){
        .start = {(const uint8_t *)&key_bytes[start], draw(6) == 0 ? 0 : 1},
        .end = {(const uint8_t *)&key_bytes[end % KEY_COUNT], end >= KEY_COUNT ? 0 : 1}};
}

static void draw_world(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->plan = (struct send_plan){.moves = world->moves, .count = 1 + draw(MOVES_MAX)};
    for (size_t i = 0; i < world->plan.count; i++) {
        struct send_move *move = &world->moves[i];
        unsigned families = draw(8);
        for (unsigned f = 0; f < 2; f++) {
            if ((families & 1U << f) != 0) {
                move->families.names[move->families.count++] = family_names[f];
            }
        }
        move->ranges.ranges = world->ranges[i];
        move->ranges.count = draw(6) == 0 ? 0 : 1 + draw(2);
        for (size_t j = 0; j < move->ranges.count; j++) {
            world->ranges[i][j] = draw_range();
        }
    }
}

static bool has(const struct haul_range *range, size_t key)
{
    char byte = key_bytes[key];
    return (range->start.size == 0 || byte >= *(const char *)range->start.data) &&
           (range->end.size == 0 || byte < *(const char *)range->end.data);
}

/* How many ranges give this key of this family away? */
static unsigned count_givers(const struct world *world, size_t family, size_t key)
{
    unsigned givers = 0;
    for (size_t i = 0; i < world->plan.count; i++) {
        const struct send_move *move = &world->moves[i];
        bool moves = move->families.count == 0;
        for (size_t f = 0; f < move->families.count; f++) {
            moves = moves || strcmp(move->families.names[f], family_names[family]) == 0;
        }
        for (size_t j = 0; moves && j < move->ranges.count; j++) {
            givers += has(&move->ranges.ranges[j], key);
        }
        givers += moves && move->ranges.count == 0;
    }
    return givers;
}

static bool overlaps(const struct world *world)
{
    for (size_t family = 0; family < FAMILY_COUNT; family++) {
        for (size_t key = 0; key < KEY_COUNT; key++) {
            if (count_givers(world, family, key) > 1) {
                return true;
            }
        }
    }
    return false;
}

static void test_move_overlap_check__many_worlds__as_each_key_says(void)
{
    enum { WORLDS = 20000 };
    static struct world world;
    unsigned refused = 0;
    seed = 16;
    for (unsigned i = 0; i < WORLDS; i++) {
        draw_world(&world);
        enum haul_status status = move_overlap_check(&world.plan, &error);
        check_or_stop(status == (overlaps(&world) ? HAUL_INVALID : HAUL_OK));
        refused += status != HAUL_OK;
    }
    check(refused > WORLDS / 20 && refused < WORLDS - WORLDS / 20);
}

static void check_message(const char *text, const char *wanted)
{
    struct send_plan plan;
    check_status(send_plan_parse(text, strlen(text), "p", &plan, &error), HAUL_INVALID);
    check_text(error.text, wanted);
}

static void test_move_overlap_check__two_moves__named_with_family_and_ranges(void)
{
    check_message("{\"version\":1,\"moves\":[{\"to\":\"a:1\",\"range\":\"m:p\"},"
                  "{\"to\":\"a:1\",\"range\":\"a:c\"},{\"to\":\"a:1\",\"range\":\"b:d\"}]}",
                  "p: moves[1] and moves[2] overlap: a:c and b:d");
    check_message("{\"version\":1,\"moves\":[{\"to\":\"a:1\",\"cf\":\"x\",\"range\":\"m:\"},"
                  "{\"to\":\"a:1\",\"cf\":[\"y\",\"x\"],\"range\":\"a:n\"}]}",
                  "p: moves[0] and moves[1] overlap in column family x: m: and a:n");
    check_message("{\"version\":1,\"moves\":[{\"to\":\"a:1\"},{\"to\":\"a:1\",\"cf\":\"x\"}]}",
                  "p: moves[0] and moves[1] overlap in column family x: all keys and all keys");
}

static void test_move_overlap_check__more_families_than_a_database_has__refused(void)
{
    static struct send_move moves[HAUL_FAMILY_COUNT_MAX + 1];
    static char names[HAUL_FAMILY_COUNT_MAX + 1][24];
    const struct send_plan plan = {.moves = moves, .count = HAUL_FAMILY_COUNT_MAX + 1};
    for (size_t i = 0; i < plan.count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
        moves[i].families.names[0] = names[i];
        moves[i].families.count = 1;
    }
    check_error(move_overlap_check(&plan, &error), HAUL_INVALID, error);
    const struct send_plan fewer = {.moves = moves, .count = HAUL_FAMILY_COUNT_MAX};
    check_status(move_overlap_check(&fewer, &error), HAUL_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_move_overlap_check__many_worlds__as_each_key_says),
    CHECK_TEST(test_move_overlap_check__two_moves__named_with_family_and_ranges),
    CHECK_TEST(test_move_overlap_check__more_families_than_a_database_has__refused),
};
CHECK_MAIN("move_overlap", tests)
