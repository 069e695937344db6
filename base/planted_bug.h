/* SPDX-License-Identifier: Apache-2.0 */
/* planted_bug.h — bugs that are put in on purpose, to see that the tests find them.
 *
 * HAUL_PLANTED_BUG(name) is the constant 0 in every build but one of the tests' own, which is
 * compiled with HAUL_PLANTED_BUGS and has one bug at a time, chosen when it runs. */
#ifndef HAUL_PLANTED_BUG_H
#define HAUL_PLANTED_BUG_H

#ifdef HAUL_PLANTED_BUGS

/* Name, what is done wrong. */
#define HAUL_PLANTED_BUG_LIST(X)                                                             \
    X(NONE, "nothing")                                                                       \
    X(SKIP_CRC, "the checksum of a payload is not compared")                                 \
    X(SLOT_CRC, "the checksum is taken of the slot, not of the copy that is applied")        \
    X(ACK_BEFORE_DURABLE, "positions are reported before the log is synced")                 \
    X(END_OF_LOG, "a log that ends too early counts as caught up")                           \
    X(CREDIT_OFF_BY_ONE, "the sender takes one credit more than it has")                     \
    X(EARLY_REUSE, "a block is reused before it was written and freed")                      \
    X(NO_RESUME_POSITION, "a resumed target forgets where its streams stand")                \
    X(UNFREEZE_UNDECIDED, "a source thaws while its decision is being written")              \
    X(EARLY_DECISION, "Prepared goes out before it is durable")                              \
    X(DELETE_RANGE_IGNORED, "DeleteRange of the log is not sent")                            \
    X(DELETE_RANGE_UNCLIPPED, "DeleteRange is sent beyond the ranges")                       \
    X(ITERATOR_STATUS, "a scan that failed counts as one that ended")                        \
    X(EPOCH_UNCHECKED, "an attempt that was given up is listened to")                        \
    X(JOURNAL_UNSYNCED, "journal records are not synced")                                    \
    X(CLEAR_ONE_FAMILY, "only the first column family is cleared")                           \
    X(SINGLE_DELETE, "SingleDelete of the log is not sent")                                  \
    X(FRAGMENT_ORDER, "fragments are put together in the wrong order")                       \
    X(STALE_WORK, "a completion is taken for another work request")                          \
    X(WRONG_FAMILY, "records are sent with the source's column family ids")                  \
    X(DIGEST_SKIPPED, "digests are not compared")                                            \
    X(SNAPSHOT_RELEASED, "readers do not read by the snapshot")                              \
    X(LOG_UNSYNCED, "the log is sent before it is durable")                                  \
    X(STALE_FREEZE, "the answer to a freeze that was taken back counts for the next")        \
    X(LATE_PREPARED, "Prepared of a freeze that was given up counts for the next")           \
    X(RELEASED_FORGOTTEN, "a job that is resolved is never noted as released")               \
    X(OWN_UNASKED, "a prepared target owns without a Commit")                                \
    X(STAGING_LEFT, "table files are left behind")                                           \
    X(LATE_FREEZE, "a freeze whose hook comes late has no deadline any more")                \
    X(PEER_UNCHECKED, "the name of a job is enough to act on it")                            \
    X(UNSETTLED_SWAP, "a swap of the ownership file that was in doubt is taken for durable") \
    X(OWN_VERSION_ONLY, "a source does not look at the target's version")                    \
    X(STOP_CANCELS, "a stop keeps nothing")                                                  \
    X(ONE_FAMILY_LOOKED_UP, "only the first column family is looked up in the record")       \
    X(PART_IS_ALL, "a range of which a part was taken back counts as taken back")            \
    X(EMPTY_KEY_IS_NONE, "a position at the empty key counts as none")                       \
    X(PREPARED_GIVEN_UP, "a prepared job is given up for another")                           \
    X(LONG_KEY_DROPPED, "the end of a stream is not recorded when its last key is long")     \
    X(FROZEN_FOR_EVER, "the deadline of a freeze ends when its hook has answered")           \
    X(FREEZES_UNCOUNTED, "failing freezes are retried for ever")                             \
    X(WAIT_KEPT, "a source that comes back waits for what the last attempt had sent")        \
    X(DECISION_UNSYNCED, "the decision is not synced")                                       \
    X(DOUBT_IS_NO, "a decision that could not be synced counts as none")                     \
    X(TIMED_COMMIT, "a commit with a timestamp in the log is passed over")                   \
    X(END_IS_INSIDE, "the end of a range counts as inside")                                  \
    X(SEQUENCE_LATE, "the sequence number is read after the snapshot")                       \
    X(FILTER_FORGOTTEN, "what a compaction filter drops is missed by scans")                 \
    X(PREFIX_ORDER, "scans go by the prefix extractor")                                      \
    X(WRITERS_ASLEEP, "a mailbox that is closed does not wake writers")                      \
    X(LEAD_UNREPORTED, "a receiver does not report when its lead is used up")                \
    X(LAST_KEY_UNCOUNTED, "the last key that an earlier process sent is in no digest")       \
    X(MESSAGE_CLOCK_KEPT, "the clock of a complete message keeps running")                   \
    X(RENAME_BELIEVED, "a rename that reports an error counts as undone")                    \
    X(EMPTY_UNSYNCED, "deletions that made a range empty are not synced")                    \
    X(COLUMNS_DROPPED, "an entity is taken for a plain value")                               \
    X(REMOVAL_UNCOUNTED, "a DeleteRange does not change the digest")                         \
    X(EMPTY_JOURNAL_KEPT, "a journal without a record stays")                                \
    X(ANY_STEP, "a target lets a job set any version")                                       \
    X(RETURN_UNCHECKED, "the version of a source that comes back is not looked at")          \
    X(DEVICE_STAYS, "a device is thought to take back everything")                           \
    X(ARRIVED_BELIEVED, "what had arrived before is not looked at again")                    \
    X(READ_BACK_SKIPPED, "what was counted on arrival passes for what was read back")        \
    X(FORGET_UNASKED, "a database whose ranges others own is forgotten without a word")      \
    X(DROP_RETURNING, "what a job brings back is dropped")                                   \
    X(OWNED_AT_FIRST, "a source that waits does not look again whether its ranges moved")    \
    X(COPY_TRUSTED, "what a copy of a database records passes for its own")                  \
    X(END_UNASKED, "a decided job is ended without its target, and without a word")          \
    X(NAME_KEPT, "a job begins under a name that was forgotten meanwhile")

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
