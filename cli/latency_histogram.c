/* SPDX-License-Identifier: Apache-2.0 */
/* latency_histogram.c — log-linear buckets. */
#include "latency_histogram.h"

enum { SUB_BUCKETS = 1 << LATENCY_BUCKET_BITS };

/* Small values have a bucket each; then the leading bit picks the group, the next five the
 * bucket. */
static uint32_t bucket_of(uint64_t ns)
{
    if (ns < SUB_BUCKETS) {
        return (uint32_t)ns;
    }
    uint32_t shift = (uint32_t)(63 - __builtin_clzll(ns)) - LATENCY_BUCKET_BITS;
    return (shift + 1) * SUB_BUCKETS + (uint32_t)((ns >> shift) - SUB_BUCKETS);
}

/* The largest duration of a bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
    if (bucket < SUB_BUCKETS) {
        return bucket;
    }
    uint32_t shift = bucket / SUB_BUCKETS - 1;
    return ((uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS + 1) << shift) - 1;
}

void latency_histogram_add(struct latency_histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->total++;
    histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
}

uint64_t latency_histogram_at(const struct latency_histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total + 0.5);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < LATENCY_BUCKETS && histogram->total > 0; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted && seen > 0) {
            uint64_t end = bucket_end(i);
            return end < histogram->max_ns ? end : histogram->max_ns;
        }
    }
    return 0;
}
