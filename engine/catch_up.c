/* SPDX-License-Identifier: Apache-2.0 */
/* catch_up.c — the two limits of a lag, and their ends. */
#include "catch_up.h"

enum {
    /* Rounds before a lag that does not shrink ends the job. */
    ROUND_COUNT_MAX = 1000,
    /* Rounds go on behind the lag limit until one is this much smaller, but not for ever. */
    NEAR_SHARE = 8,
    NEAR_ROUND_COUNT_MAX = 50,
};

void catch_up_init(struct catch_up *catch_up, uint64_t lag_bytes_max)
{
    *catch_up = (struct catch_up){.lag_bytes_max = lag_bytes_max};
}

void catch_up_note_round(struct catch_up *catch_up, uint64_t lag_bytes, uint64_t batches)
{
    catch_up->rounds++;
    catch_up->lag_bytes = lag_bytes;
    catch_up->earlier_batches = catch_up->batches;
    catch_up->batches = batches;
}

/* Has the target applied all but the last round, and was that a small one? */
static bool is_near(const struct catch_up *catch_up, uint64_t applied_batches)
{
    bool small = catch_up->lag_bytes <= catch_up->lag_bytes_max / NEAR_SHARE ||
                 catch_up->rounds > NEAR_ROUND_COUNT_MAX;
    return small && applied_batches >= catch_up->earlier_batches;
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
