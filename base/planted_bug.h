/* SPDX-License-Identifier: Apache-2.0 */
/* planted_bug.h — bugs that are put in on purpose, to see that the tests find them.
 *
 * HAUL_PLANTED_BUG(name) is the constant 0 in every build but one of the tests' own, which is
 * compiled with HAUL_PLANTED_BUGS and has one bug at a time, chosen when it runs. */
#ifndef HAUL_PLANTED_BUG_H
#define HAUL_PLANTED_BUG_H

#ifdef HAUL_PLANTED_BUGS

/* Name, what is done wrong. */
#define HAUL_PLANTED_BUG_LIST(X)                                                      \
    X(NONE, "nothing")                                                                \
    X(SKIP_CRC, "the checksum of a payload is not compared")                          \
    X(SLOT_CRC, "the checksum is taken of the slot, not of the copy that is applied") \
    X(ACK_BEFORE_DURABLE, "positions are reported before the log is synced")          \
    X(END_OF_LOG, "a log that ends too early counts as caught up")                    \
    X(CREDIT_OFF_BY_ONE, "the sender takes one credit more than it has")              \
    X(EARLY_REUSE, "a block is reused before it was written and freed")               \
    X(NO_RESUME_POSITION, "a resumed target forgets where its streams stand")         \
    X(UNFREEZE_UNDECIDED, "a source thaws while its decision is being written")       \
    X(EARLY_DECISION, "Prepared is said when Prepare comes")                          \
    X(DELETE_RANGE_IGNORED, "DeleteRange of the log is not sent")                     \
    X(DELETE_RANGE_UNCLIPPED, "DeleteRange is sent beyond the ranges")                \
    X(ITERATOR_STATUS, "a scan that failed counts as one that ended")                 \
    X(EPOCH_UNCHECKED, "an attempt that was given up is listened to")                 \
    X(JOURNAL_UNSYNCED, "journal records are not synced")                             \
    X(CLEAR_ONE_FAMILY, "only the first column family is cleared")                    \
    X(SINGLE_DELETE, "SingleDelete of the log is not sent")                           \
    X(FRAGMENT_ORDER, "fragments are put together in the wrong order")                \
    X(STALE_WORK, "a completion is taken for another work request")                   \
    X(WRONG_FAMILY, "records are sent with the source's column family ids")           \
    X(DIGEST_SKIPPED, "digests are not compared")                                     \
    X(SNAPSHOT_RELEASED, "readers do not read by the snapshot")                       \
    X(LOG_UNSYNCED, "the log is sent before it is durable")                           \
    X(STALE_FREEZE, "the answer to a freeze that was taken back counts for the next") \
    X(LATE_PREPARED, "Prepared of a freeze that was given up counts for the next")    \
    X(RELEASED_FORGOTTEN, "a job that is resolved is never noted as released")        \
    X(OWN_UNASKED, "a prepared target owns without a Commit")                         \
    X(STAGING_LEFT, "table files are left behind")                                    \
    X(LATE_FREEZE, "a freeze whose hook comes late has no deadline any more")         \
    X(PEER_UNCHECKED, "the name of a job is enough to act on it")                     \
    X(UNSETTLED_SWAP, "a swap of the ownership file that was in doubt is taken for durable")

enum haul_planted_bug {
#define HAUL_PLANTED_BUG_ENUM(name, sentence) HAUL_PLANTED_##name,
    HAUL_PLANTED_BUG_LIST(HAUL_PLANTED_BUG_ENUM)
#undef HAUL_PLANTED_BUG_ENUM
};

extern enum haul_planted_bug haul_planted_bug;
#define HAUL_PLANTED_BUG(name) (haul_planted_bug == HAUL_PLANTED_##name)

#else
#define HAUL_PLANTED_BUG(name) 0
#endif

#endif
