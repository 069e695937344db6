/* SPDX-License-Identifier: Apache-2.0 */
/* node_share.c — a node inside its bounds keeps what it has; the others move to the nearer bound.
 * What the givers then have too much or too little for the receivers, other nodes with room take
 * or give, those first that move something anyway: a move to them costs no further job. */
#include "node_share.h"

#include <stdbool.h>

#include "planner_bug.h"

enum { PERMILLE = 1000 };
#define LOAD_MAX (UINT64_C(1) << 54) /* so that load * weight fits 128 bits, load * 1000 fits 64 */

static uint64_t part_of(uint64_t total, uint32_t weight, uint64_t weights, bool up)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)total * weight;
    return (uint64_t)((product + (up ? weights - 1 : 0)) / weights);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Raise shares by `missing` in all: receivers first if `receivers`, else the nodes at rest. */
static uint64_t raise(struct node_share *shares, const uint64_t *loads, size_t count,
                      bool receivers, uint64_t missing)
{
    for (size_t i = 0; i < count && missing > 0; i++) {
        uint64_t room = shares[i].high - shares[i].wanted;
        if ((shares[i].wanted > loads[i]) == receivers && room > 0) {
            uint64_t step = room < missing ? room : missing;
            shares[i].wanted += step;
            missing -= step;
        }
    }
    return missing;
}

/* Likewise lower them: givers first. */
static uint64_t lower(struct node_share *shares, const uint64_t *loads, size_t count, bool givers,
                      uint64_t excess)
{
    for (size_t i = 0; i < count && excess > 0; i++) {
        uint64_t room = shares[i].wanted - shares[i].low;
        if ((shares[i].wanted < loads[i]) == givers && room > 0) {
            uint64_t step = room < excess ? room : excess;
            shares[i].wanted -= step;
            excess -= step;
        }
    }
    return excess;
}

/* Make the sum of `wanted` equal to `total`; false: the bounds forbid it. */
static bool settle(struct node_share *shares, const uint64_t *loads, size_t count, uint64_t total)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += shares[i].wanted;
    }
    uint64_t left = 0;
    if (sum < total) {
        left = raise(shares, loads, count, true, total - sum);
        left = raise(shares, loads, count, false, left);
    } else {
        left = lower(shares, loads, count, true, sum - total);
        left = lower(shares, loads, count, false, left);
    }
    return left == 0;
}

/* Sums; false: not computable. */
static bool add_up(const uint64_t *loads, const uint32_t *weights, size_t count, uint64_t *total,
                   uint64_t *weight_sum)
{
    *total = 0;
    *weight_sum = 0;
    for (size_t i = 0; i < count; i++) {
        *weight_sum += weights[i];
        if (loads[i] > LOAD_MAX || (*total += loads[i]) > LOAD_MAX) {
            return false;
        }
    }
    return *weight_sum > 0;
}

/* The node with the least room of those that shall take something. */
static size_t tightest(const struct node_share *shares, const uint64_t *loads, size_t count)
{
    size_t tightest = count;
    for (size_t i = 0; i < count; i++) {
        bool takes = shares[i].wanted >= loads[i] && shares[i].high > 0;
        if (takes && (tightest == count || shares[i].high - shares[i].wanted <
                                               shares[tightest].high - shares[tightest].wanted)) {
            tightest = i;
        }
    }
    return tightest == count ? 0 : tightest;
}

enum haul_status node_share_compute(const uint64_t *loads, const uint64_t *loads_max,
                                    const uint32_t *weights, size_t count,
                                    uint32_t tolerance_permille, struct node_share *shares,
                                    size_t *full_node)
{
    uint64_t total = 0;
    uint64_t weight_sum = 0;
    if (!add_up(loads, weights, count, &total, &weight_sum)) {
        return HAUL_INVALID;
    }
    uint64_t tolerance = PLANNER_BUG(NO_TOLERANCE) ? 0 : tolerance_permille;
    for (size_t i = 0; i < count; i++) {
        struct node_share *share = &shares[i];
        uint64_t low = part_of(total, weights[i], weight_sum, false);
        uint64_t high = part_of(total, weights[i], weight_sum, !PLANNER_BUG(ROUND_DOWN));
        share->low = low - low * tolerance / PERMILLE;
        share->high = high + high * tolerance / PERMILLE;
        if (loads_max != NULL && loads_max[i] < share->high && loads[i] < share->high) {
            share->high = loads_max[i];
        }
        if (share->high < share->low) {
            *full_node = i;
            return HAUL_NO_SPACE;
        }
        share->wanted = clamp(loads[i], share->low, share->high);
    }
    if (!settle(shares, loads, count, total) && !PLANNER_BUG(ROUND_DOWN)) {
        *full_node = tightest(shares, loads, count);
        return HAUL_NO_SPACE;
    }
    return HAUL_OK;
}
