/* SPDX-License-Identifier: Apache-2.0 */
/* source_intent.h — what a source wants to do, apart from doing it: resolved options, the view of
 * the store, the plan over it, and the records of the job, new or left by an earlier process.
 * Thread: the records belong to the call worker while it runs, all else to the loop. */
#ifndef HAUL_SOURCE_INTENT_H
#define HAUL_SOURCE_INTENT_H

#include <stdbool.h>

#include "haul/migration.h"
#include "link.h"
#include "plan.h"
#include "source_journal.h"
#include "source_request.h"
#include "version_claim.h"

/* Zeroed is empty. */
struct source_intent {
    struct haul_source_options options; /* resolved */
    bool chooses_window;                /* slots and batch sizes were left to us */
    bool chooses_links;                 /* the number was left to us; link_count is the maximum */
    bool chooses_readers;
    struct link_addresses addresses; /* of the target */
    struct plan plan;
    struct haul_snapshot *snapshot; /* NULL: a decided job is only resolved */
    uint64_t snapshot_sequence;
    uint64_t log_sequence;    /* deltas come after it; at or before the snapshot */
    uint64_t foreign_ingests; /* before the snapshot */
    bool wal_pinned;
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* as peers know the database */
    struct version_claim version;           /* in force, or given by the caller */
    uint64_t left_version;                  /* with `resume`: of the earlier process's plan */
    struct source_journal journal;
    struct source_request request; /* of a job that is resumed */
    uint64_t bytes_expected;
};

/* Check the options and fill in the defaults. Errors: INVALID, LIMIT. */
enum haul_status source_intent_init(struct source_intent *intent,
                                    const struct haul_source_options *options,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Take the view, make the plan, write the records: from here on the job exists. With the option
 * `resolve` only adopt the records of a decided job. Errors: those of haul_source_start. */
enum haul_status source_intent_begin(struct source_intent *intent,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Check once more, before the plan is sent: another job may have moved a part of the ranges since
 * the job began. Errors: FENCED (it has), BUSY and IN_DOUBT (a job is moving a part here), those of
 * records. */
enum haul_status source_intent_check_again(const struct source_intent *intent,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* The target owns the ranges by this job, although it is not decided here. Only this database's
 * decision makes a target own, so this database was set back to an earlier state. Record the
 * decision again. A running `resolve` finishes the job; otherwise a later `resolve` does.
 * Errors: those of source_journal_yield or source_journal_yield_left, and VERSION. */
enum haul_status source_intent_yield(struct source_intent *intent,
                                     const struct version_claim *theirs,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The hand-over is complete. Errors: those of source_journal_released. */
enum haul_status source_intent_released(struct source_intent *intent,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void source_intent_fini(struct source_intent *intent);

#endif
