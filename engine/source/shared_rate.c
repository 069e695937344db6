/* SPDX-License-Identifier: Apache-2.0 */
/* shared_rate.c — the bucket and the queue, under one lock. */
#include "shared_rate.h"

#include <pthread.h>
#include <stdlib.h>

#include "assertion.h"
#include "rate_limit.h"

struct haul_rate {
    pthread_mutex_t lock; /* of everything below */
    struct rate_limit bucket;
    struct rate_share *first;
    uint64_t virtual_bytes; /* where the last take began */
};

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status haul_rate_create(uint64_t bytes_per_second, struct haul_rate **rate,
                                  struct haul_error *error)
{
    struct haul_rate *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a rate");
    }
    (void)pthread_mutex_init(&made->lock, NULL);
    rate_limit_init(&made->bucket, bytes_per_second, rate_limit_burst(bytes_per_second), 0);
    *rate = made;
    return HAUL_OK;
}

void haul_rate_set(struct haul_rate *rate, uint64_t bytes_per_second)
{
    (void)pthread_mutex_lock(&rate->lock);
    rate_limit_change(&rate->bucket, bytes_per_second, rate_limit_burst(bytes_per_second),
                      rate->bucket.now_ns);
    (void)pthread_mutex_unlock(&rate->lock);
}

void haul_rate_destroy(struct haul_rate *rate)
{
    if (rate != NULL) {
        haul_assert(rate->first == NULL);
        (void)pthread_mutex_destroy(&rate->lock);
        free(rate);
    }
}

/* --- shares ----------------------------------------------------------------------------------- */

void rate_share_join(struct rate_share *share, struct haul_rate *rate)
{
    *share = (struct rate_share){.rate = rate};
    if (rate != NULL) {
        (void)pthread_mutex_lock(&rate->lock);
        share->next = rate->first;
        rate->first = share;
        (void)pthread_mutex_unlock(&rate->lock);
    }
}

void rate_share_leave(struct rate_share *share)
{
    struct haul_rate *rate = share->rate;
    if (rate != NULL) {
        (void)pthread_mutex_lock(&rate->lock);
        struct rate_share **at = &rate->first;
        while (*at != share) {
            at = &(*at)->next;
        }
        *at = share->next;
        (void)pthread_mutex_unlock(&rate->lock);
    }
    share->rate = NULL;
}

/* Where the share's next take begins, in virtual time. */
static uint64_t begin_of(const struct haul_rate *rate, const struct rate_share *share)
{
    return share->end > rate->virtual_bytes ? share->end : rate->virtual_bytes;
}

static bool has_turn(const struct haul_rate *rate, const struct rate_share *share, uint64_t now_ns)
{
    bool has = true;
    for (const struct rate_share *other = rate->first; other != NULL; other = other->next) {
        bool waits = other != share && now_ns < other->waits_until_ns;
        has = has && (!waits || begin_of(rate, other) >= begin_of(rate, share));
    }
    return has;
}

static bool take_locked(struct haul_rate *rate, struct rate_share *share, uint64_t bytes,
                        uint64_t now_ns, uint64_t *ready_ns)
{
    bool turn = has_turn(rate, share, now_ns);
    if (turn && rate_limit_take(&rate->bucket, bytes, now_ns)) {
        uint64_t begin = begin_of(rate, share);
        rate->virtual_bytes = begin;
        share->end = begin + bytes;
        share->waits_until_ns = 0;
        return true;
    }
    uint64_t filled = rate_limit_ready_ns(&rate->bucket, bytes, now_ns);
    uint64_t turn_ns = now_ns + (uint64_t)SHARED_RATE_TURN_MS * NS_PER_MS;
    *ready_ns = turn || filled > turn_ns ? filled : turn_ns;
    share->waits_until_ns = now_ns + (uint64_t)SHARED_RATE_PATIENCE_MS * NS_PER_MS;
    return false;
}

bool rate_share_take(struct rate_share *share, uint64_t bytes, uint64_t now_ns, uint64_t *ready_ns)
{
    struct haul_rate *rate = share->rate;
    if (rate == NULL) {
        return true;
    }
    (void)pthread_mutex_lock(&rate->lock);
    bool taken = take_locked(rate, share, bytes, now_ns, ready_ns);
    (void)pthread_mutex_unlock(&rate->lock);
    return taken;
}

void rate_share_give(struct rate_share *share, uint64_t bytes)
{
    struct haul_rate *rate = share->rate;
    if (rate != NULL) {
        (void)pthread_mutex_lock(&rate->lock);
        rate_limit_give(&rate->bucket, bytes);
        share->end -= bytes;
        (void)pthread_mutex_unlock(&rate->lock);
    }
}
