/* SPDX-License-Identifier: Apache-2.0 */
/* journal_samples.h — the records of two whole jobs, and a state as text, for the journal tests. */
#ifndef HAUL_TESTS_JOURNAL_SAMPLES_H
#define HAUL_TESTS_JOURNAL_SAMPLES_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "journal_state.h"

enum { SAMPLE_TEXT_BYTES = 2048 };

static const struct stream_position sample_positions[] = {
    {.stream = 7,
     .finished = false,
     .next_batch = 3,
     .digest = {.count = 10, .bytes = 200, .low = 0x1122334455667788, .high = 9},
     .last_key = {.data = (const uint8_t *)"key-0007", .size = 8}},
    {.stream = 2,
     .finished = true,
     .next_batch = 1,
     .digest = {.count = 0, .bytes = 0, .low = 0, .high = 0},
     .last_key = {.data = NULL, .size = 0}},
};

static const struct stream_position sample_positions_later[] = {
    {.stream = 9,
     .finished = false,
     .next_batch = 1,
     .digest = {.count = 1, .bytes = 2, .low = 3, .high = 4},
     .last_key = {.data = (const uint8_t *)"\0\xff", .size = 2}},
    {.stream = 7,
     .finished = true,
     .next_batch = 4,
     .digest = {.count = 12, .bytes = 240, .low = 5, .high = 6},
     .last_key = {.data = (const uint8_t *)"key-0007-longer", .size = 15}},
};

static const struct journal_prepared sample_prepared = {
    .old_version = 4,
    .new_version = 5,
    .epoch = 77,
    .frozen_sequence = 1234,
    .digest_count = 2,
    .digests = {{.family_id = 0, .digest = {.count = 1, .bytes = 2, .low = 3, .high = 4}},
                {.family_id = 9, .digest = {.count = 5, .bytes = 6, .low = 7, .high = 8}}},
};

#define SAMPLE_PLAN                                                                     \
    {                                                                                   \
        .type = JOURNAL_PLAN, .plan = {.data = (const uint8_t *)"the plan", .size = 8 } \
    }
#define SAMPLE_ABORTED                               \
    {                                                \
        .type = JOURNAL_ABORTED, .aborted = {        \
            .status = HAUL_TIMEOUT,                  \
            .text = {(const uint8_t *)"too slow", 8} \
        }                                            \
    }
#define SAMPLE_PEER(where)                             \
    {                                                  \
        .type = JOURNAL_PEER, .peer = {                \
            .identity = {(const uint8_t *)"id/12", 5}, \
            .address = {(const uint8_t *)(where), 6}   \
        }                                              \
    }
#define SAMPLE_FAMILY                                                           \
    {                                                                           \
        .type = JOURNAL_FAMILY, .family = {(const uint8_t *)"made for it", 11 } \
    }
#define SAMPLE_POSITION                                                                 \
    {                                                                                   \
        .type = JOURNAL_POSITION, .positions = {.items = sample_positions, .count = 2 } \
    }
#define SAMPLE_DELTA(batch, sequence)                                                        \
    {                                                                                        \
        .type = JOURNAL_DELTA, .delta = {.next_batch = (batch), .wal_sequence = (sequence) } \
    }
#define SAMPLE_DECISION(is_commit)              \
    {                                           \
        .type = JOURNAL_DECISION, .decision = { \
            .commit = (is_commit),              \
            .old_version = 4,                   \
            .new_version = 5,                   \
            .epoch = 77                         \
        }                                       \
    }

/* A job as the source sees it: a freeze that was given up, then one that ends in a commit. */
static const struct journal_record sample_source[] = {
    SAMPLE_PLAN,
    {.type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = 1000, .wal_sequence = 1001}},
    {.type = JOURNAL_FROZEN, .frozen_sequence = 1100},
    {.type = JOURNAL_UNFROZEN},
    {.type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = 1150, .wal_sequence = 1001}},
    SAMPLE_PEER("host:2"),
    {.type = JOURNAL_FROZEN, .frozen_sequence = 1234},
    SAMPLE_DECISION(true),
    {.type = JOURNAL_RELEASED},
    {.type = JOURNAL_DONE},
};

/* The same job on the target: a start from nothing in between, and a preparation that a thaw of the
 * source made void. */
static const struct journal_record sample_target[] = {
    SAMPLE_PLAN,
    SAMPLE_POSITION,
    {.type = JOURNAL_CLEARED},
    SAMPLE_POSITION,
    {.type = JOURNAL_POSITION, .positions = {.items = sample_positions_later, .count = 2}},
    SAMPLE_DELTA(1, 1101),
    {.type = JOURNAL_PREPARED, .prepared = &sample_prepared},
    SAMPLE_DELTA(2, 1200),
    SAMPLE_PEER("host:3"),
    {.type = JOURNAL_PREPARED, .prepared = &sample_prepared},
    {.type = JOURNAL_COMMITTED, .committed = {.new_version = 5, .epoch = 77}},
    {.type = JOURNAL_DONE},
};

static inline void sample_digest_text(const struct digest *digest, char *text, size_t size)
{
    (void)snprintf(text, size, "%" PRIu64 "/%" PRIu64 "/%" PRIx64 "/%" PRIx64, digest->count,
                   digest->bytes, digest->low, digest->high);
}

static inline size_t sample_streams_text(const struct journal_state *state, char *text, size_t at)
{
    for (size_t i = 0; i < state->stream_count; i++) {
        const struct stream_position *position = &state->streams[i].position;
        char digest[128];
        sample_digest_text(&position->digest, digest, sizeof(digest));
        at += (size_t)snprintf(text + at, SAMPLE_TEXT_BYTES - at, " [%u %d %" PRIu64 " %s",
                               position->stream, position->finished, position->next_batch, digest);
        for (size_t j = 0; j < position->last_key.size; j++) {
            at += (size_t)snprintf(text + at, SAMPLE_TEXT_BYTES - at, " %02x",
                                   position->last_key.data[j]);
        }
        at += (size_t)snprintf(text + at, SAMPLE_TEXT_BYTES - at, "]");
    }
    return at;
}

/* The whole state as text, for comparing and reading. */
static inline void sample_text(const struct journal_state *state, char text[SAMPLE_TEXT_BYTES])
{
    size_t at = (size_t)snprintf(
        text, SAMPLE_TEXT_BYTES,
        "%s peer '%s' '%s' outcome %d records %" PRIu64
        " plan '%.*s' abort %s '%s' snapshot %u %" PRIu64 " %" PRIu64 " frozen %d %" PRIu64
        " decided %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " epoch %" PRIu64
        " cleared %d delta %d %" PRIu64 " %" PRIu64 " committed %" PRIu64 " %" PRIu64,
        journal_phase_name(state->phase), state->peer, state->peer_address, state->outcome,
        state->record_count, (int)state->plan_size,
        state->plan_size == 0 ? "" : (const char *)state->plan,
        haul_status_name(state->abort_status), state->abort_text, state->snapshot_count,
        state->snapshot.sequence, state->snapshot.wal_sequence, state->frozen,
        state->frozen_sequence, state->decided, state->decision.commit, state->decision.old_version,
        state->decision.new_version, state->decision.epoch, state->epoch, state->cleared,
        state->has_delta, state->delta.next_batch, state->delta.wal_sequence,
        state->committed.new_version, state->committed.epoch);
    at = sample_streams_text(state, text, at);
    const struct journal_prepared *prepared = &state->prepared;
    at += (size_t)snprintf(
        text + at, SAMPLE_TEXT_BYTES - at, " prepared %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
        prepared->old_version, prepared->new_version, prepared->epoch, prepared->frozen_sequence);
    for (uint32_t i = 0; i < prepared->digest_count; i++) {
        char digest[128];
        sample_digest_text(&prepared->digests[i].digest, digest, sizeof(digest));
        at += (size_t)snprintf(text + at, SAMPLE_TEXT_BYTES - at, " {%u %s}",
                               prepared->digests[i].family_id, digest);
    }
}

#endif
