/* SPDX-License-Identifier: Apache-2.0 */
/* journal_state.c — which record may follow which, and what each of them changes. */
#include "journal_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

enum { STREAM_CAPACITY_FIRST = 16 };

void journal_state_init(struct journal_state *state, enum journal_role role)
{
    memset(state, 0, sizeof(*state));
    state->role = role;
}

void journal_state_fini(struct journal_state *state)
{
    for (size_t i = 0; i < state->stream_capacity; i++) {
        free(state->streams[i].key_memory);
    }
    free(state->streams);
    free(state->made);
    free(state->plan);
    state->streams = NULL;
    state->stream_count = 0;
    state->stream_capacity = 0;
    state->made = NULL;
    state->made_count = 0;
    state->plan = NULL;
    state->plan_size = 0;
}

const char *journal_phase_name(enum journal_phase phase)
{
    switch (phase) {
#define PHASE_NAME(name, sentence) \
    case JOURNAL_PHASE_##name:     \
        return #name;
        JOURNAL_PHASE_LIST(PHASE_NAME)
#undef PHASE_NAME
    }
    haul_unreachable();
}

const char *journal_phase_sentence(enum journal_phase phase)
{
    switch (phase) {
#define PHASE_SENTENCE(name, sentence) \
    case JOURNAL_PHASE_##name:         \
        return sentence;
        JOURNAL_PHASE_LIST(PHASE_SENTENCE)
#undef PHASE_SENTENCE
    }
    haul_unreachable();
}

/* --- streams ---------------------------------------------------------------------------------- */

/* The slot of the stream; NULL: it has none yet. */
static struct journal_stream *find_stream(const struct journal_state *state, uint32_t stream_id)
{
    for (size_t i = 0; i < state->stream_count; i++) {
        if (state->streams[i].position.stream_id == stream_id) {
            return &state->streams[i];
        }
    }
    return NULL;
}

const struct journal_position *journal_state_position(const struct journal_state *state,
                                                      uint32_t stream_id)
{
    const struct journal_stream *stream = find_stream(state, stream_id);
    return stream == NULL ? NULL : &stream->position;
}

/* Errors: NO_MEMORY, LIMIT. */
static enum haul_status reserve_slots(struct journal_state *state, size_t count)
{
    if (count > JOURNAL_STREAM_COUNT_MAX) {
        return HAUL_LIMIT;
    }
    size_t capacity = state->stream_capacity == 0 ? STREAM_CAPACITY_FIRST : state->stream_capacity;
    while (capacity < count) {
        capacity *= 2;
    }
    if (capacity == state->stream_capacity) {
        return HAUL_OK;
    }
    struct journal_stream *larger = realloc(state->streams, capacity * sizeof(*larger));
    if (larger == NULL) {
        return HAUL_NO_MEMORY;
    }
    memset(larger + state->stream_capacity, 0,
           (capacity - state->stream_capacity) * sizeof(*larger));
    state->streams = larger;
    state->stream_capacity = capacity;
    return HAUL_OK;
}

/* Errors: NO_MEMORY. */
static enum haul_status reserve_key(struct journal_stream *stream, size_t size)
{
    if (size <= stream->key_capacity) {
        return HAUL_OK;
    }
    uint8_t *larger = realloc(stream->key_memory, size);
    if (larger == NULL) {
        return HAUL_NO_MEMORY;
    }
    stream->key_memory = larger;
    stream->key_capacity = size;
    stream->position.last_key.data = larger;
    return HAUL_OK;
}

/* Room for every item; the new ones will take the spare slots in their order. Errors: NO_MEMORY,
 * LIMIT. */
static enum haul_status reserve_positions(struct journal_state *state,
                                          const struct journal_record *record)
{
    size_t spare = state->stream_count;
    enum haul_status status = reserve_slots(state, spare);
    for (size_t i = 0; status == HAUL_OK && i < record->positions.count; i++) {
        const struct journal_position *item = &record->positions.items[i];
        struct journal_stream *stream = find_stream(state, item->stream_id);
        if (stream == NULL) {
            status = reserve_slots(state, spare + 1);
            stream = status == HAUL_OK ? &state->streams[spare++] : NULL;
        }
        if (status == HAUL_OK) {
            status = reserve_key(stream, item->last_key.size);
        }
    }
    return status;
}

static void apply_position(struct journal_state *state, const struct journal_position *item)
{
    struct journal_stream *stream = find_stream(state, item->stream_id);
    if (stream == NULL) {
        haul_assert(state->stream_count < state->stream_capacity);
        stream = &state->streams[state->stream_count++];
    }
    haul_assert(item->last_key.size <= stream->key_capacity);
    stream->position = *item;
    stream->position.last_key = slice_of(stream->key_memory, item->last_key.size);
    if (item->last_key.size > 0) {
        memcpy(stream->key_memory, item->last_key.data, item->last_key.size);
    }
}

/* Streams only move forward, a finished one no more, and none is named twice in a record. */
static bool positions_may_follow(const struct journal_state *state,
                                 const struct journal_record *record)
{
    for (size_t i = 0; i < record->positions.count; i++) {
        const struct journal_position *item = &record->positions.items[i];
        const struct journal_position *last = journal_state_position(state, item->stream_id);
        if (last != NULL && (last->finished || item->next_batch < last->next_batch)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (record->positions.items[j].stream_id == item->stream_id) {
                return false;
            }
        }
    }
    return true;
}

/* --- which record may come next --------------------------------------------------------------- */

static bool is_moving(const struct journal_state *state)
{
    return state->phase == JOURNAL_PHASE_PLANNED || state->phase == JOURNAL_PHASE_COPYING;
}

static bool may_abort(const struct journal_state *state)
{
    if (state->phase == JOURNAL_PHASE_ABORTED) {
        /* After DECISION abort the reason may still be told, once. */
        return state->abort_status == HAUL_OK;
    }
    return state->outcome == JOURNAL_OPEN;
}

static bool may_finish(const struct journal_state *state)
{
    bool is_source = state->role == JOURNAL_SOURCE;
    switch (state->phase) {
    case JOURNAL_PHASE_RELEASED:
        return true;
    case JOURNAL_PHASE_COMMITTED:
        return !is_source;
    case JOURNAL_PHASE_ABORTED:
        return is_source ? !state->frozen : state->cleared || state->plan_size == 0;
    default:
        return false;
    }
}

static bool may_prepare(const struct journal_state *state, const struct journal_prepared *prepared)
{
    return (is_moving(state) || state->phase == JOURNAL_PHASE_PREPARED) &&
           prepared->new_version > prepared->old_version;
}

static bool may_move_delta(const struct journal_state *state, const struct journal_delta *delta)
{
    return (is_moving(state) || state->phase == JOURNAL_PHASE_PREPARED) &&
           delta->next_batch >= state->delta.next_batch &&
           delta->wal_sequence >= state->delta.wal_sequence;
}

/* Another address is news, another database is not possible. */
static bool may_name_peer(const struct journal_state *state, const struct journal_peer *peer)
{
    size_t size = strlen(state->peer);
    bool same = size == peer->identity.size && memcmp(state->peer, peer->identity.data, size) == 0;
    bool open = state->phase == JOURNAL_PHASE_NEW || is_moving(state) ||
                state->phase == JOURNAL_PHASE_FROZEN;
    return open && (size == 0 || same);
}

/* Its target may own by it, or says so; that it was given up here is no answer to that. */
static bool may_be_doubted(const struct journal_state *state)
{
    return is_moving(state) || state->phase == JOURNAL_PHASE_FROZEN ||
           state->phase == JOURNAL_PHASE_ABORTED;
}

/* Its target owned by it, and says that it has given ranges back since. */
static bool is_decided(const struct journal_state *state)
{
    return state->phase == JOURNAL_PHASE_COMMITTED || state->phase == JOURNAL_PHASE_RELEASED;
}

static bool may_follow(const struct journal_state *state, const struct journal_record *record)
{
    if (!journal_type_is_of(record->type, state->role)) {
        return false;
    }
    switch (record->type) {
    case JOURNAL_PLAN:
        return state->phase == JOURNAL_PHASE_NEW;
    case JOURNAL_ABORTED:
        return may_abort(state);
    case JOURNAL_DONE:
        return may_finish(state);
    case JOURNAL_PEER:
        return may_name_peer(state, &record->peer);
    case JOURNAL_RESTORED:
        return may_be_doubted(state) || is_decided(state);
    case JOURNAL_PARTED:
        return (may_be_doubted(state) && state->restored) || is_decided(state);
    case JOURNAL_SNAPSHOT:
        return is_moving(state);
    case JOURNAL_FROZEN: /* behind another one: the disk did not take the UNFROZEN in between */
        return state->phase == JOURNAL_PHASE_COPYING || state->phase == JOURNAL_PHASE_FROZEN;
    case JOURNAL_UNFROZEN:
        return state->frozen && state->outcome != JOURNAL_COMMIT;
    case JOURNAL_DECISION:
        return state->phase == JOURNAL_PHASE_FROZEN &&
               (!record->decision.commit ||
                record->decision.new_version > record->decision.old_version);
    case JOURNAL_RELEASED:
        return state->phase == JOURNAL_PHASE_COMMITTED;
    case JOURNAL_POSITION:
        return is_moving(state) && positions_may_follow(state, record);
    case JOURNAL_DELTA:
        return may_move_delta(state, &record->delta);
    case JOURNAL_EPOCH:
        return (is_moving(state) || state->phase == JOURNAL_PHASE_PREPARED) &&
               record->epoch > state->epoch;
    case JOURNAL_PREPARED:
        return may_prepare(state, record->prepared);
    case JOURNAL_HELD:
        return is_moving(state) || state->phase == JOURNAL_PHASE_PREPARED;
    case JOURNAL_FAMILY:
        return state->phase == JOURNAL_PHASE_NEW && state->made_count < HAUL_FAMILY_COUNT_MAX;
    case JOURNAL_COMMITTED:
        return state->phase == JOURNAL_PHASE_PREPARED &&
               record->committed.new_version == state->prepared.new_version &&
               record->committed.epoch == state->prepared.epoch;
    case JOURNAL_CLEARED:
        return is_moving(state) || (state->phase == JOURNAL_PHASE_ABORTED && !state->cleared);
    }
    return false;
}

/* Errors: NO_MEMORY. */
static enum haul_status reserve_plan(struct journal_state *state, size_t size)
{
    uint8_t *memory = realloc(state->plan, size);
    if (memory == NULL) {
        return HAUL_NO_MEMORY;
    }
    /* Not yet a plan: plan_size stays 0 until the record is applied. */
    state->plan = memory;
    return HAUL_OK;
}

static enum haul_status reserve_made(struct journal_state *state)
{
    void *memory = realloc(state->made, (state->made_count + 1) * sizeof(*state->made));
    state->made = memory == NULL ? state->made : memory;
    return memory == NULL ? HAUL_NO_MEMORY : HAUL_OK;
}

enum haul_status journal_state_reserve(struct journal_state *state,
                                       const struct journal_record *record,
                                       struct haul_error *error)
{
    if (!may_follow(state, record)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "journal record %s cannot follow in phase %s of the %s",
                              journal_type_name(record->type), journal_phase_name(state->phase),
                              state->role == JOURNAL_SOURCE ? "source" : "target");
    }
    enum haul_status status = HAUL_OK;
    if (record->type == JOURNAL_PLAN) {
        status = reserve_plan(state, record->plan.size);
    } else if (record->type == JOURNAL_POSITION) {
        status = reserve_positions(state, record);
    } else if (record->type == JOURNAL_FAMILY) {
        status = reserve_made(state);
    }
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "the journal's state cannot take a %s",
                              journal_type_name(record->type));
    }
    return HAUL_OK;
}

/* --- what each record changes ----------------------------------------------------------------- */

static void on_plan(struct journal_state *state, struct haul_slice plan)
{
    memcpy(state->plan, plan.data, plan.size);
    state->plan_size = plan.size;
    state->phase = JOURNAL_PHASE_PLANNED;
}

static void on_aborted(struct journal_state *state, const struct journal_aborted *aborted)
{
    state->abort_status = aborted->status;
    (void)snprintf(state->abort_text, sizeof(state->abort_text), "%.*s", (int)aborted->text.size,
                   aborted->text.size == 0 ? "" : (const char *)aborted->text.data);
    state->outcome = JOURNAL_ABORT;
    state->phase = JOURNAL_PHASE_ABORTED;
    state->restored = false; /* the operator's word, or the target's, has settled it */
    state->parted = false;
}

/* The text may be what lies there already: a record repeats what the state says. */
static void copy_text(char *to, size_t size_bytes, struct haul_slice text)
{
    if (text.size > 0) {
        memmove(to, text.data, text.size);
    }
    memset(to + text.size, 0, size_bytes - text.size);
}

static void on_peer(struct journal_state *state, const struct journal_peer *peer)
{
    copy_text(state->peer, sizeof(state->peer), peer->identity);
    copy_text(state->peer_address, sizeof(state->peer_address), peer->address);
    state->restored = false; /* it was asked */
    state->parted = false;
}

static void on_unfrozen(struct journal_state *state)
{
    state->frozen = false;
    if (state->phase == JOURNAL_PHASE_FROZEN) {
        state->phase = JOURNAL_PHASE_COPYING;
    }
}

static void on_decision(struct journal_state *state, const struct journal_decision *decision)
{
    state->decided = true;
    state->parted = false;
    state->decision = *decision;
    state->outcome = decision->commit ? JOURNAL_COMMIT : JOURNAL_ABORT;
    state->phase = decision->commit ? JOURNAL_PHASE_COMMITTED : JOURNAL_PHASE_ABORTED;
}

static void on_cleared(struct journal_state *state)
{
    state->stream_count = 0;
    state->has_delta = false;
    state->delta = (struct journal_delta){.next_batch = 0, .wal_sequence = 0};
    if (state->phase == JOURNAL_PHASE_ABORTED) {
        state->cleared = true;
    } else {
        state->phase = JOURNAL_PHASE_PLANNED;
    }
}

static void on_restored(struct journal_state *state)
{
    if (is_decided(state)) {
        state->returned = true;
        state->parted = false;
    } else {
        state->restored = true;
    }
}

static void on_source_record(struct journal_state *state, const struct journal_record *record)
{
    switch (record->type) {
    case JOURNAL_SNAPSHOT:
        state->snapshot_count++;
        state->snapshot = record->snapshot;
        state->phase = JOURNAL_PHASE_COPYING;
        return;
    case JOURNAL_FROZEN:
        state->frozen = true;
        state->frozen_sequence = record->frozen_sequence;
        state->phase = JOURNAL_PHASE_FROZEN;
        return;
    case JOURNAL_UNFROZEN:
        on_unfrozen(state);
        return;
    case JOURNAL_DECISION:
        on_decision(state, &record->decision);
        return;
    case JOURNAL_RELEASED:
        state->phase = JOURNAL_PHASE_RELEASED;
        return;
    case JOURNAL_RESTORED:
        on_restored(state);
        return;
    case JOURNAL_PARTED:
        state->parted = true;
        state->returned = false;
        return;
    default:
        haul_unreachable();
    }
}

static void on_target_record(struct journal_state *state, const struct journal_record *record)
{
    switch (record->type) {
    case JOURNAL_POSITION:
        for (size_t i = 0; i < record->positions.count; i++) {
            apply_position(state, &record->positions.items[i]);
        }
        state->phase = JOURNAL_PHASE_COPYING;
        return;
    case JOURNAL_HELD:
        state->has_held = true;
        state->held = record->held;
        return;
    case JOURNAL_DELTA:
        state->has_held = false;
        state->has_delta = true;
        state->delta = record->delta;
        state->phase = JOURNAL_PHASE_COPYING;
        return;
    case JOURNAL_PREPARED:
        state->prepared = *record->prepared;
        state->phase = JOURNAL_PHASE_PREPARED;
        return;
    case JOURNAL_COMMITTED:
        state->committed = record->committed;
        state->outcome = JOURNAL_COMMIT;
        state->phase = JOURNAL_PHASE_COMMITTED;
        return;
    case JOURNAL_CLEARED:
        on_cleared(state);
        return;
    case JOURNAL_FAMILY:
        copy_text(state->made[state->made_count++], sizeof(*state->made), record->family);
        return;
    case JOURNAL_EPOCH:
        state->epoch = record->epoch;
        state->has_held = false;
        if (state->phase == JOURNAL_PHASE_PREPARED) {
            state->phase = JOURNAL_PHASE_COPYING;
        }
        return;
    default:
        haul_unreachable();
    }
}

void journal_state_apply(struct journal_state *state, const struct journal_record *record)
{
    haul_assert(may_follow(state, record));
    switch (record->type) {
    case JOURNAL_PLAN:
        on_plan(state, record->plan);
        break;
    case JOURNAL_ABORTED:
        on_aborted(state, &record->aborted);
        break;
    case JOURNAL_DONE:
        state->phase = JOURNAL_PHASE_DONE;
        break;
    case JOURNAL_PEER:
        on_peer(state, &record->peer);
        break;
    default:
        if (state->role == JOURNAL_SOURCE) {
            on_source_record(state, record);
        } else {
            on_target_record(state, record);
        }
    }
    state->record_count++;
}

enum journal_claim journal_state_claim(const struct journal_state *state)
{
    bool is_source = state->role == JOURNAL_SOURCE;
    switch (state->outcome) {
    case JOURNAL_COMMIT:
        return is_source ? JOURNAL_YIELDS : JOURNAL_SERVES;
    case JOURNAL_ABORT:
        return !is_source ? JOURNAL_YIELDS : state->restored ? JOURNAL_IN_DOUBT : JOURNAL_SERVES;
    case JOURNAL_OPEN:
        break;
    }
    if (state->phase == JOURNAL_PHASE_FROZEN || state->phase == JOURNAL_PHASE_PREPARED ||
        state->restored) {
        return JOURNAL_IN_DOUBT;
    }
    return is_source ? JOURNAL_SERVES : JOURNAL_YIELDS;
}

/* --- replay ----------------------------------------------------------------------------------- */

/* Behind the first unsound byte: is there a sound record which says that everything before it was
 * durable? Then the unsound one was not torn by a crash. */
static bool rotted(uint32_t seed, struct haul_slice rest, uint64_t next_number)
{
    struct journal_frame frame = {.seed = seed, .flags = 0, .number = 0};
    for (size_t at = 1; at + JOURNAL_FRAME_BYTES <= rest.size; at++) {
        uint64_t number = get_u64(rest.data + at + 8);
        /* A cheap look before the checksum: no more numbers than frames fit in between. */
        if (number <= next_number || number - next_number > at / JOURNAL_FRAME_BYTES) {
            continue;
        }
        size_t size = 0;
        if (journal_frame_check(slice_of(rest.data + at, rest.size - at), &frame, &size) &&
            (frame.flags & JOURNAL_FRAME_AFTER_SYNC) != 0) {
            return true;
        }
    }
    return false;
}

/* Errors: CORRUPT, NO_MEMORY, LIMIT; NOT_FOUND at the first unsound byte. */
static enum haul_status replay_one(struct journal_state *state, uint32_t seed,
                                   struct journal_scratch *scratch, struct haul_slice rest,
                                   size_t *size)
{
    struct journal_frame frame = {.seed = seed, .flags = 0, .number = 0};
    struct journal_record record;
    enum haul_status status = journal_record_decode(rest, &frame, scratch, &record, size);
    if (status != HAUL_OK) {
        return status;
    }
    if (frame.number != state->record_count + 1) {
        return HAUL_CORRUPT;
    }
    status = journal_state_reserve(state, &record, NULL);
    if (status != HAUL_OK) {
        return status == HAUL_INVALID ? HAUL_CORRUPT : status;
    }
    journal_state_apply(state, &record);
    return HAUL_OK;
}

enum haul_status journal_state_replay(struct journal_state *state, uint32_t seed,
                                      struct haul_slice records, size_t *sound_size,
                                      struct haul_error *error)
{
    struct journal_scratch *scratch = malloc(sizeof(*scratch));
    if (scratch == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "cannot read a journal");
    }
    size_t done = 0;
    size_t size = 0;
    enum haul_status status = HAUL_OK;
    struct haul_slice rest = records;
    while ((status = replay_one(state, seed, scratch, rest, &size)) == HAUL_OK) {
        done += size;
        rest = slice_of(records.data + done, records.size - done);
    }
    free(scratch);
    if (status == HAUL_NOT_FOUND && !rotted(seed, rest, state->record_count + 1)) {
        *sound_size = done;
        return HAUL_OK;
    }
    status = status == HAUL_NOT_FOUND ? HAUL_CORRUPT : status;
    return haul_error_set(error, status, NULL, 0,
                          "record %llu of the journal, %zu bytes behind its header, is not sound",
                          (unsigned long long)state->record_count + 1, done);
}
