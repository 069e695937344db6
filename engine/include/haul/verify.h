/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h — count and order-independent digest of ranges of a database, family by family, by a
 * full scan. Two databases hold the same records if these agree. This detects accidents, not
 * forgery. */
#ifndef HAUL_VERIFY_H
#define HAUL_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "haul/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* About 64 consecutive records in the family's order. Their contents determine where a piece ends,
 * so that two databases have the same pieces up to their first difference. */
struct haul_verify_piece {
    const char *family;
    struct haul_slice last_key; /* borrowed for the call */
    uint64_t records;
    char digest[HAUL_DIGEST_TEXT_BYTES];
};

enum { HAUL_DIGEST_KEY_BYTES = 32 };

struct haul_verify_options {
    size_t size_bytes;           /* of this struct: haul/version.h */
    const char *const *families; /* names; none: every family of the store */
    size_t family_count;
    const struct haul_range *ranges; /* none: everything */
    size_t range_count;
    /* Called now and then; true ends the scan with STOPPED. May be NULL. */
    bool (*is_cancelled)(void *context);
    /* Called as often, with how much of this store was read. May be NULL. */
    void (*on_progress)(void *context, uint64_t records, uint64_t bytes);
    /* Called for every piece; an error ends the scan. May be NULL. */
    enum haul_status (*on_piece)(void *context, const struct haul_verify_piece *piece,
                                 struct haul_error *error);
    void *context;
    /* HAUL_DIGEST_KEY_BYTES random bytes that make the digests comparable only with those of the
     * same key: somebody who can write to both stores cannot choose records that collide. Empty:
     * the digests of all scans are comparable, as in manifests. haul_verify_remote has a key of its
     * own. */
    struct haul_slice digest_key;
};

/* Scan one store. `results` has room for HAUL_FAMILY_COUNT_MAX entries, in the store's order.
 * Errors: NOT_FOUND (a family), UNSUPPORTED (ranges of a family that is not ordered by bytes),
 * STOPPED, and those of the store. Thread: any. */
enum haul_status haul_verify_scan(struct haul_store *store,
                                  const struct haul_verify_options *options,
                                  struct haul_family_result *results, size_t *result_count,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Compare two scans by family name. Families without records need no counterpart. Returns the
 * number of families that differ; `*name` (may be NULL) gets the first of them. Thread: any. */
size_t haul_verify_differences(const struct haul_family_result *a, size_t a_count,
                               const struct haul_family_result *b, size_t b_count,
                               const char **name);

/* The first key of a family, in its order, in which two stores differ. */
struct haul_verify_difference {
    struct haul_slice key; /* malloc'ed, the caller frees */
    bool in_a;
    bool in_b; /* in both: the values differ */
    uint64_t reserved[4];
};

/* Read both until they differ. `options` as for the scans; `families` is ignored.
 * Errors: NOT_FOUND (no difference, or no such family in one of them), UNSUPPORTED (an order that
 * is neither that of bytes nor its reverse), STOPPED, those of the stores. Thread: any. */
enum haul_status haul_verify_first_difference(struct haul_store *a, struct haul_store *b,
                                              const struct haul_verify_options *options,
                                              const char *family,
                                              struct haul_verify_difference *difference,
                                              struct haul_error *error) HAUL_MUST_CHECK;

/* Another database, open at a target that answers comparisons (haul_target_options). */
struct haul_verify_remote_options {
    size_t size_bytes;        /* of this struct: haul/version.h */
    const char *to;           /* ADDR:PORT of the target */
    struct haul_slice secret; /* sent to the target; at most HAUL_SECRET_BYTES_MAX */
    uint32_t peer_timeout_ms; /* 0: the default */
    /* How long to retry a target that is unreachable or busy with a job, and a lost connection,
     * which continues where both were equal; 0: 30 s. */
    uint32_t retry_max_ms;
    /* What to compare, as in a scan; without pieces. NULL: everything. */
    const struct haul_verify_options *what;
    const struct haul_log *log;
    /* As in struct haul_source_options. */
    const struct haul_keys *keys;
    bool insecure;
};

struct haul_verify_remote_result {
    struct haul_family_result ours[HAUL_FAMILY_COUNT_MAX];
    size_t our_count;
    /* Without a digest: at least this many records, because the rest was not awaited. This happens
     * when the databases differ, ours is read, and the target counts for 24 peer timeouts. */
    struct haul_family_result theirs[HAUL_FAMILY_COUNT_MAX];
    size_t their_count;
    /* The first family that differs; `a` is ours. No key: no difference, or the key is unknown
     * because the order is neither that of bytes nor its reverse. The caller frees the key. */
    bool has_difference;
    struct haul_verify_difference difference;
    uint32_t retries;
    uint64_t reserved[8];
};

/* Read both databases, each on its own host, and compare: only digests travel. Nothing is changed
 * on either side. In a database in use, writes during the comparison may count or not.
 * haul_verify_differences evaluates the result.
 * Errors: INVALID, NOT_FOUND (a family, the name of the host), UNSUPPORTED (the target does not
 * answer comparisons; ranges in a family that is not ordered by bytes), VERSION, PROTOCOL, MISMATCH
 * (the target is this database), AUTH, BUSY, TIMEOUT, CLOSED, REFUSED, UNREACHABLE, STOPPED, those
 * of both stores.
 * Thread: any; returns when everything is read. */
enum haul_status haul_verify_remote(struct haul_store *store,
                                    const struct haul_verify_remote_options *options,
                                    struct haul_verify_remote_result *result,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
