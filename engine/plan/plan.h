/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h — the plan of a job: column families x key ranges, cut into streams.
 *
 * A stream is the unit of ordered copying and of resuming: one column family, one sub-range, its
 * records in key order. Streams of metadata families come first. The delta stream is not part of
 * the plan: its blocks carry PLAN_DELTA_STREAM. */
#ifndef HAUL_PLAN_H
#define HAUL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest_key.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "key_range.h"
#include "message.h"
#include "source_proof.h"

enum {
    PLAN_STREAM_COUNT_MAX = 4096,
    PLAN_RANGE_KEY_BYTES_MAX = 8 << 10,
    /* Bounds of ranges and streams together, in a control message of 1 MiB: the rest is for names
     * and numbers. Cuts take at most half of this, the requested bounds the rest. */
    PLAN_BOUNDS_BYTES_MAX = 768 << 10,
    PLAN_CUTS_BYTES_MAX = PLAN_BOUNDS_BYTES_MAX / 2,
};
#define PLAN_DELTA_STREAM UINT32_MAX

struct plan_family {
    struct haul_family family; /* id: the source's */
    uint32_t target_id;        /* known once the plan is accepted */
    uint32_t option_set;       /* 1: the plan's first one, ...; 0: none (plan_options.h) */
    bool metadata;
};

struct plan_stream {
    uint32_t id;     /* its index */
    uint32_t family; /* index into families */
    struct key_range range;
    uint64_t bytes; /* estimate */
};

struct plan {
    size_t family_count;
    struct plan_family *families;
    size_t option_set_count;
    char **option_sets;
    size_t range_count;
    struct key_range *ranges;
    size_t stream_count;
    struct plan_stream *streams;
    uint64_t old_version;
    uint64_t new_version;
    bool overwrite;
    enum haul_lane lane;
    /* What belongs to the job, not to what was planned. */
    struct digest_key digest_key; /* of its digests */
    struct source_proof proof;    /* that its source began it */
};

/* Make the plan of a source: pick the families, take the ranges, cut streams of about
 * `stream_bytes` each (0: one stream for each family and range). If the plan has no room for all
 * cuts, it has fewer and larger streams.
 * Errors: NOT_FOUND (a family), INVALID (overlapping ranges, bound too long), UNSUPPORTED (bounds
 * in a family that is not ordered by bytes), LIMIT, NO_MEMORY. */
enum haul_status plan_make(struct plan *plan, struct haul_store *store,
                           const struct haul_source_options *options, uint64_t stream_bytes,
                           struct haul_error *error) HAUL_MUST_CHECK;

/* To and from the wire. A plan from the wire is checked completely: counts, names, ranges ordered
 * and disjoint, streams that cover all ranges and each lie inside one, no bounds in a family that
 * is not ordered by bytes.
 * Errors: PROTOCOL, LIMIT, NO_MEMORY. */
enum haul_status plan_to_message(const struct plan *plan, struct message *message) HAUL_MUST_CHECK;
enum haul_status plan_from_message(struct plan *plan, const struct message *message,
                                   struct haul_error *error) HAUL_MUST_CHECK;

void plan_fini(struct plan *plan);

/* Do both plans move a common key of a family with the same name? */
bool plan_overlaps(const struct plan *a, const struct plan *b);

/* Same families, ranges and streams? Versions are agreed on for each attempt. */
bool plan_equal(const struct plan *a, const struct plan *b);
/* Equal except for the streams, so that the request is the same. */
bool plan_is_same_request(const struct plan *a, const struct plan *b);
/* Continue with the streams, lane and digests of `earlier`, a plan of the same request, which gets
 * the streams of `plan` in exchange. Either may have requested overwrite. */
void plan_continue(struct plan *plan, struct plan *earlier);

/* Is this key of the family (target's id) inside the plan? */
bool plan_contains(const struct plan *plan, struct haul_slice key);

#endif
