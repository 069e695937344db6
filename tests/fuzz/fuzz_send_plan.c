/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_send_plan.c — the file of `haul send --plan`. An accepted plan has only what a job can have,
 * no two of its moves overlap, and each can be described. */
#include <string.h>

#include "assertion.h"
#include "fuzz_target.h"
#include "send_plan.h"

static int compare(struct haul_slice a, struct haul_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool share_family(const struct send_move *a, const struct send_move *b)
{
    bool share = a->families.count == 0 || b->families.count == 0;
    for (size_t i = 0; i < a->families.count; i++) {
        for (size_t j = 0; j < b->families.count; j++) {
            share = share || strcmp(a->families.names[i], b->families.names[j]) == 0;
        }
    }
    return share;
}

static bool overlap(const struct haul_range *a, const struct haul_range *b)
{
    return (b->end.size == 0 || compare(a->start, b->end) < 0) &&
           (a->end.size == 0 || compare(b->start, a->end) < 0);
}

static const struct haul_range *range_at(const struct send_move *move, size_t index)
{
    static const struct haul_range everything;
    return move->ranges.count == 0 ? &everything : &move->ranges.ranges[index];
}

/* Pairs at the beginning are enough: a mutation puts anything there. */
static void check_apart(const struct send_move *a, const struct send_move *b)
{
    enum { LOOKED_AT = 8 };
    for (size_t i = 0; share_family(a, b) && (i == 0 || i < a->ranges.count) && i < LOOKED_AT;
         i++) {
        for (size_t j = 0; (j == 0 || j < b->ranges.count) && j < LOOKED_AT; j++) {
            haul_assert((a == b && i == j) || !overlap(range_at(a, i), range_at(b, j)));
        }
    }
}

static void check_move(const struct send_move *move)
{
    haul_assert(move->to[0] != '\0' && strlen(move->to) < HAUL_ADDRESS_TEXT_BYTES_MAX);
    haul_assert(move->families.count <= HAUL_FAMILY_COUNT_MAX);
    haul_assert(move->ranges.count <= HAUL_RANGE_COUNT_MAX);
    for (size_t i = 0; i < move->families.count; i++) {
        size_t size = strlen(move->families.names[i]);
        haul_assert(size > 0 && size < HAUL_NAME_BYTES_MAX);
    }
    for (size_t i = 0; i < move->ranges.count; i++) {
        const struct haul_range *range = &move->ranges.ranges[i];
        haul_assert(range->end.size == 0 || compare(range->start, range->end) < 0);
    }
}

static void check_plan(const struct send_plan *plan)
{
    enum { LOOKED_AT = 16 };
    haul_assert(plan->count >= 1 && plan->count <= SEND_PLAN_MOVES_MAX);
    for (size_t i = 0; i < plan->count; i++) {
        char text[SEND_PLAN_MOVE_TEXT_BYTES_MAX];
        check_move(&plan->moves[i]);
        send_plan_describe(plan, i, text);
        haul_assert(strncmp(text, "moves[", 6) == 0);
        for (size_t j = 0; i < LOOKED_AT && j <= i; j++) {
            check_apart(&plan->moves[j], &plan->moves[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct send_plan plan;
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = send_plan_parse((const char *)data, size, "plan", &plan, &error);
    if (status == HAUL_OK) {
        check_plan(&plan);
    } else {
        haul_assert((status == HAUL_INVALID || status == HAUL_VERSION) && error.text[0] != '\0');
        haul_assert(plan.moves == NULL && plan.count == 0 && plan.document == NULL);
    }
    send_plan_fini(&plan);
    return 0;
}
