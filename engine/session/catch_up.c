/* SPDX-License-Identifier: Apache-2.0 */
/* catch_up.c — the limit of the lag, the limit of the rounds. */
#include "catch_up.h"

enum {
    /* The job ends after this many rounds whose lag does not shrink. */
    ROUND_COUNT_MAX = 1000,
    /* Under the lag limit, continue until a round is NEAR_SHARE times smaller than the limit, then
     * as long as each round is clearly smaller than the one before, down to a lag that no pause
     * shows; in all at most NEAR_ROUND_COUNT_MAX rounds. */
    NEAR_SHARE = 8,
    NEAR_ENOUGH_SHARE = 64,
    NEAR_ROUND_COUNT_MAX = 50,
};

void catch_up_init(struct catch_up *catch_up, uint64_t lag_bytes_max)
{
    /* Before the first round, assume that the next one will be smaller. */
    *catch_up = (struct catch_up){.lag_bytes_max = lag_bytes_max, .lag_bytes = UINT64_MAX};
}

void catch_up_note_round(struct catch_up *catch_up, uint64_t lag_bytes, uint64_t batches)
{
    catch_up->rounds++;
    catch_up->earlier_lag_bytes = catch_up->lag_bytes;
    catch_up->lag_bytes = lag_bytes;
    catch_up->earlier_batches = catch_up->batches;
    catch_up->batches = batches;
}

/* By at least a quarter, so that another round is worth it. */
static bool shrinks(const struct catch_up *catch_up)
{
    return catch_up->lag_bytes < catch_up->earlier_lag_bytes - catch_up->earlier_lag_bytes / 4;
}

static bool is_small(const struct catch_up *catch_up)
{
    if (catch_up->rounds > NEAR_ROUND_COUNT_MAX ||
        catch_up->lag_bytes <= catch_up->lag_bytes_max / NEAR_ENOUGH_SHARE) {
        return true;
    }
    return catch_up->lag_bytes <= catch_up->lag_bytes_max / NEAR_SHARE && !shrinks(catch_up);
}

/* Has the target applied everything but the last round, and was that one small? */
static bool is_near(const struct catch_up *catch_up, uint64_t applied_batches)
{
    return is_small(catch_up) && applied_batches >= catch_up->earlier_batches;
}

enum catch_up_step catch_up_next(const struct catch_up *catch_up, uint64_t applied_batches)
{
    if (catch_up->lag_bytes > catch_up->lag_bytes_max) {
        return catch_up->rounds >= ROUND_COUNT_MAX ? CATCH_UP_GIVE_UP : CATCH_UP_ROUND;
    }
    return is_near(catch_up, applied_batches) ? CATCH_UP_FREEZE : CATCH_UP_WAIT;
}

bool catch_up_is_level(const struct catch_up *catch_up, uint64_t applied_batches)
{
    return applied_batches >= catch_up->batches;
}
