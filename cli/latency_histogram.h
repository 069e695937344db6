/* SPDX-License-Identifier: Apache-2.0 */
/* latency_histogram.h — counts of durations, for percentiles: 32 buckets for each power of two, so
 * a value is known to 3 %. Thread: one at a time. */
#ifndef HAUL_LATENCY_HISTOGRAM_H
#define HAUL_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum { LATENCY_BUCKET_BITS = 5, LATENCY_BUCKETS = 64 << LATENCY_BUCKET_BITS };

/* Zeroed is empty. */
struct latency_histogram {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t total;
    uint64_t max_ns;
};

void latency_histogram_add(struct latency_histogram *histogram, uint64_t ns);
/* The duration that `share` (0 to 1) of all do not exceed; 0 when empty. */
uint64_t latency_histogram_at(const struct latency_histogram *histogram, double share);

#endif
