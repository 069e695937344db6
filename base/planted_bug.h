/* SPDX-License-Identifier: Apache-2.0 */
/* planted_bug.h — bugs that are planted on purpose, to prove that the tests find them.
 *
 * HAUL_PLANTED_BUG(name) is the constant 0 in every build but one of the tests' own. That one is
 * compiled with HAUL_PLANTED_BUGS and has one bug at a time, chosen at run time. */
#ifndef HAUL_PLANTED_BUG_H
#define HAUL_PLANTED_BUG_H

#ifdef HAUL_PLANTED_BUGS

/* Name, and what the bug does. */
#define HAUL_PLANTED_BUG_LIST(X)                                                         \
    X(NONE, "nothing")                                                                   \
    X(SKIP_CRC, "the checksum of a payload is not compared")                             \
    X(SLOT_CRC, "the checksum is computed from the slot, not from the copy")             \
    X(ACK_BEFORE_DURABLE, "positions are reported before the log is synced")             \
    X(END_OF_LOG, "a log that ends too early counts as caught up")                       \
    X(CREDIT_OFF_BY_ONE, "the sender uses one credit more than it has")                  \
    X(EARLY_REUSE, "a block is reused before it was written and freed")                  \
    X(NO_RESUME_POSITION, "a resumed target forgets the positions of its streams")       \
    X(UNFREEZE_UNDECIDED, "a source thaws while its decision is being written")          \
    X(EARLY_DECISION, "Prepared goes out before it is durable")                          \
    X(DELETE_RANGE_IGNORED, "DeleteRange of the log is not sent")                        \
    X(DELETE_RANGE_UNCLIPPED, "DeleteRange is sent beyond the ranges")                   \
    X(ITERATOR_STATUS, "a scan that failed counts as one that ended")                    \
    X(EPOCH_UNCHECKED, "messages of an abandoned attempt are accepted")                  \
    X(JOURNAL_UNSYNCED, "journal records are not synced")                                \
    X(CLEAR_ONE_FAMILY, "only the first column family is cleared")                       \
    X(SINGLE_DELETE, "SingleDelete of the log is not sent")                              \
    X(FRAGMENT_ORDER, "fragments are put together in the wrong order")                   \
    X(STALE_WORK, "a completion is matched to the wrong work request")                   \
    X(WRONG_FAMILY, "records are sent with the source's column family ids")              \
    X(DIGEST_SKIPPED, "digests are not compared")                                        \
    X(SNAPSHOT_RELEASED, "readers ignore the snapshot")                                  \
    X(LOG_UNSYNCED, "the log is sent before it is durable")                              \
    X(STALE_FREEZE, "the answer to a cancelled freeze counts for the next one")          \
    X(LATE_PREPARED, "Prepared of an abandoned freeze counts for the next one")          \
    X(RELEASED_FORGOTTEN, "a resolved job is never recorded as released")                \
    X(OWN_UNASKED, "a prepared target owns without a Commit")                            \
    X(STAGING_LEFT, "table files are left behind")                                       \
    X(LATE_FREEZE, "a freeze loses its deadline when its hook returns late")             \
    X(PEER_UNCHECKED, "the name of a job is enough to act on it")                        \
    X(UNSETTLED_SWAP, "a swap of the ownership file counts as durable when in doubt")    \
    X(OWN_VERSION_ONLY, "a source ignores the target's version")                         \
    X(STOP_CANCELS, "a stop keeps nothing of the job")                                   \
    X(ONE_FAMILY_LOOKED_UP, "only the first column family is looked up in the record")   \
    X(PART_IS_ALL, "a partly reclaimed range counts as reclaimed")                       \
    X(EMPTY_KEY_IS_NONE, "a position at the empty key counts as none")                   \
    X(PREPARED_GIVEN_UP, "a prepared job is given up for another one")                   \
    X(LONG_KEY_DROPPED, "the end of a stream is not recorded when its last key is long") \
    X(FROZEN_FOR_EVER, "the deadline of a freeze ends when its hook has returned")       \
    X(FREEZES_UNCOUNTED, "failing freezes are retried for ever")                         \
    X(WAIT_KEPT, "a returning source waits for what the last attempt had sent")          \
    X(DECISION_UNSYNCED, "the decision is not synced")                                   \
    X(DOUBT_IS_NO, "a decision that could not be synced counts as none")                 \
    X(TIMED_COMMIT, "a commit with a timestamp in the log is skipped")                   \
    X(END_IS_INSIDE, "the end of a range counts as inside")                              \
    X(SEQUENCE_LATE, "the sequence number is read after the snapshot")                   \
    X(FILTER_FORGOTTEN, "scans miss what a compaction filter drops")                     \
    X(PREFIX_ORDER, "scans obey the prefix extractor")                                   \
    X(WRITERS_ASLEEP, "closing a mailbox does not wake writers")                         \
    X(LEAD_UNREPORTED, "a receiver does not report when its lead is used up")            \
    X(LAST_KEY_UNCOUNTED, "the last key that an earlier process sent is in no digest")   \
    X(MESSAGE_CLOCK_KEPT, "the clock of a complete message keeps running")               \
    X(RENAME_BELIEVED, "a rename that reports an error counts as undone")                \
    X(EMPTY_UNSYNCED, "deletions that made a range empty are not synced")                \
    X(COLUMNS_DROPPED, "a wide-column entity is read as a plain value")                  \
    X(REMOVAL_UNCOUNTED, "a DeleteRange does not change the digest")                     \
    X(EMPTY_JOURNAL_KEPT, "a journal without a record stays")                            \
    X(ANY_STEP, "a target lets a job set any version")                                   \
    X(RETURN_UNCHECKED, "the version of a returning source is not checked")              \
    X(DEVICE_STAYS, "a device is expected to deregister everything")                     \
    X(ARRIVED_BELIEVED, "what had arrived before is not checked again")                  \
    X(READ_BACK_SKIPPED, "the count on arrival is used as the count that was read back") \
    X(FORGET_UNASKED, "a database whose ranges others own is forgotten without asking")  \
    X(DROP_RETURNING, "ranges that a job brings back are dropped")                       \
    X(OWNED_AT_FIRST, "a waiting source does not check again whether its ranges moved")  \
    X(COPY_TRUSTED, "the record of a copied database passes for its own")                \
    X(END_UNASKED, "a decided job is ended without its target and without asking")       \
    X(NAME_KEPT, "a job begins with an identity that was forgotten meanwhile")           \
    X(STAGING_OF_ALL, "a job removes the table files of all jobs")                       \
    X(CANCEL_OF_ALL, "cancelling one job of a target cancels all")                       \
    X(RUNNING_IGNORED, "a source ignores the ranges of its other jobs that run")         \
    X(OVERLAPS_ADMITTED, "jobs with common ranges run at the same time")                 \
    X(PLACE_KEPT, "a job that has ended keeps its place")                                \
    X(HOOKS_AT_ONCE, "hooks of several jobs run at the same time")

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
