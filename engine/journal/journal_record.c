/* SPDX-License-Identifier: Apache-2.0 */
/* journal_record.c — bodies and frames of journal records. */
#include "journal_record.h"

#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"

enum {
    ABORTED_BYTES_MIN = 6,
    PEER_BYTES_MIN = 2,
    SNAPSHOT_BYTES = 16,
    FROZEN_BYTES = 8,
    DECISION_BYTES = 32,
    DIGEST_BYTES = 32,
    POSITION_BYTES_MIN = 52,
    DELTA_BYTES = 16,
    EPOCH_BYTES = 8,
    PREPARED_BYTES_MIN = 36,
    FAMILY_DIGEST_BYTES = 4 + DIGEST_BYTES,
    COMMITTED_BYTES = 16,
    HELD_BYTES = 24,
    DECISION_COMMIT = 1,
    DECISION_ABORT = 2,
};

_Static_assert(JOURNAL_PLAN_BYTES_MAX <= JOURNAL_BODY_BYTES_MAX, "a plan fits into a record");
_Static_assert(HAUL_KEY_BYTES_MAX + 4 + POSITION_BYTES_MIN <= JOURNAL_BODY_BYTES_MAX,
               "a position with the longest key fits into a record");
_Static_assert(PREPARED_BYTES_MIN + HAUL_FAMILY_COUNT_MAX * FAMILY_DIGEST_BYTES <=
                   JOURNAL_BODY_BYTES_MAX,
               "the digests of all families fit into a record");

const char *journal_type_name(enum journal_type type)
{
    switch (type) {
#define TYPE_NAME(name, value, sides) \
    case JOURNAL_##name:              \
        return #name;
        JOURNAL_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
    }
    return "UNKNOWN";
}

bool journal_type_is_of(enum journal_type type, enum journal_role role)
{
    switch (type) {
#define TYPE_SIDES(name, value, sides) \
    case JOURNAL_##name:               \
        return ((unsigned)(sides) & (unsigned)role) != 0;
        JOURNAL_TYPE_LIST(TYPE_SIDES)
#undef TYPE_SIDES
    }
    return false;
}

/* --- encoding --------------------------------------------------------------------------------- */

/* Encoders write at `at` and return the next position; the caller has computed the size. */

static uint8_t *encode_bytes(uint8_t *at, struct haul_slice bytes)
{
    if (bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
    }
    return at + bytes.size;
}

static uint8_t *encode_u64(uint8_t *at, uint64_t value)
{
    put_u64(at, value);
    return at + 8;
}

static uint8_t *encode_digest(uint8_t *at, const struct digest *digest)
{
    at = encode_u64(at, digest->count);
    at = encode_u64(at, digest->bytes);
    at = encode_u64(at, digest->low);
    return encode_u64(at, digest->high);
}

static uint8_t *encode_aborted(uint8_t *at, const struct journal_aborted *aborted)
{
    put_u32(at, (uint32_t)aborted->status);
    put_u16(at + 4, (uint16_t)aborted->text.size);
    return encode_bytes(at + 6, aborted->text);
}

static uint8_t *encode_peer(uint8_t *at, const struct journal_peer *peer)
{
    *at = (uint8_t)peer->identity.size;
    at = encode_bytes(at + 1, peer->identity);
    *at = (uint8_t)peer->address.size;
    return encode_bytes(at + 1, peer->address);
}

static uint8_t *encode_decision(uint8_t *at, const struct journal_decision *decision)
{
    memset(at, 0, 8);
    at[0] = decision->commit ? DECISION_COMMIT : DECISION_ABORT;
    at = encode_u64(at + 8, decision->old_version);
    at = encode_u64(at, decision->new_version);
    return encode_u64(at, decision->epoch);
}

static uint8_t *encode_position(uint8_t *at, const struct stream_position *position)
{
    put_u32(at, position->stream);
    put_u32(at + 4, position->finished ? 1 : 0);
    at = encode_u64(at + 8, position->next_batch);
    at = encode_digest(at, &position->digest);
    put_u32(at, (uint32_t)position->last_key.size);
    return encode_bytes(at + 4, position->last_key);
}

static uint8_t *encode_positions(uint8_t *at, const struct journal_record *record)
{
    put_u32(at, (uint32_t)record->positions.count);
    at += 4;
    for (size_t i = 0; i < record->positions.count; i++) {
        at = encode_position(at, &record->positions.items[i]);
    }
    return at;
}

static uint8_t *encode_prepared(uint8_t *at, const struct journal_prepared *prepared)
{
    at = encode_u64(at, prepared->old_version);
    at = encode_u64(at, prepared->new_version);
    at = encode_u64(at, prepared->epoch);
    at = encode_u64(at, prepared->frozen_sequence);
    put_u32(at, prepared->digest_count);
    at += 4;
    for (uint32_t i = 0; i < prepared->digest_count; i++) {
        put_u32(at, prepared->digests[i].family_id);
        at = encode_digest(at + 4, &prepared->digests[i].digest);
    }
    return at;
}

static uint8_t *encode_body(uint8_t *at, const struct journal_record *record)
{
    switch (record->type) {
    case JOURNAL_PLAN:
        return encode_bytes(at, record->plan);
    case JOURNAL_ABORTED:
        return encode_aborted(at, &record->aborted);
    case JOURNAL_PEER:
        return encode_peer(at, &record->peer);
    case JOURNAL_SNAPSHOT:
        at = encode_u64(at, record->snapshot.sequence);
        return encode_u64(at, record->snapshot.wal_sequence);
    case JOURNAL_FROZEN:
        return encode_u64(at, record->frozen_sequence);
    case JOURNAL_EPOCH:
        return encode_u64(at, record->epoch);
    case JOURNAL_FAMILY:
        memcpy(at, record->family.data, record->family.size);
        return at + record->family.size;
    case JOURNAL_DECISION:
        return encode_decision(at, &record->decision);
    case JOURNAL_POSITION:
        return encode_positions(at, record);
    case JOURNAL_DELTA:
        at = encode_u64(at, record->delta.next_batch);
        return encode_u64(at, record->delta.wal_sequence);
    case JOURNAL_PREPARED:
        return encode_prepared(at, record->prepared);
    case JOURNAL_COMMITTED:
        at = encode_u64(at, record->committed.new_version);
        return encode_u64(at, record->committed.epoch);
    case JOURNAL_HELD:
        at = encode_u64(at, record->held.sequence);
        at = encode_u64(at, record->held.manifest);
        return encode_u64(at, record->held.manifest_bytes);
    case JOURNAL_DONE:
    case JOURNAL_RESTORED:
    case JOURNAL_PARTED:
    case JOURNAL_UNFROZEN:
    case JOURNAL_RELEASED:
    case JOURNAL_CLEARED:
        return at;
    }
    haul_unreachable();
}

/* Errors: INVALID. */
static enum haul_status size_positions(const struct journal_record *record, size_t *size)
{
    size_t count = record->positions.count;
    if (count == 0 || count > JOURNAL_POSITIONS_MAX) {
        return HAUL_INVALID;
    }
    size_t total = 4;
    for (size_t i = 0; i < count; i++) {
        if (record->positions.items[i].last_key.size > HAUL_KEY_BYTES_MAX) {
            return HAUL_INVALID;
        }
        total += POSITION_BYTES_MIN + record->positions.items[i].last_key.size;
    }
    *size = total;
    return HAUL_OK;
}

static bool is_text(struct haul_slice bytes)
{
    return bytes.size == 0 || memchr(bytes.data, 0, bytes.size) == NULL;
}

static bool is_peer_sound(const struct journal_peer *peer)
{
    return peer->identity.size > 0 && peer->identity.size < HAUL_IDENTITY_BYTES_MAX &&
           peer->address.size <= JOURNAL_ADDRESS_BYTES_MAX && is_text(peer->identity) &&
           is_text(peer->address);
}

static bool is_family_sound(struct haul_slice name)
{
    return name.size > 0 && name.size < HAUL_NAME_BYTES_MAX && is_text(name);
}

/* Errors: INVALID. */
static enum haul_status size_body(const struct journal_record *record, size_t *size)
{
    switch (record->type) {
    case JOURNAL_PLAN:
        *size = record->plan.size;
        return *size > 0 && *size <= JOURNAL_PLAN_BYTES_MAX ? HAUL_OK : HAUL_INVALID;
    case JOURNAL_ABORTED:
        *size = ABORTED_BYTES_MIN + record->aborted.text.size;
        return record->aborted.status != HAUL_OK &&
                       record->aborted.text.size <= JOURNAL_TEXT_BYTES_MAX
                   ? HAUL_OK
                   : HAUL_INVALID;
    case JOURNAL_PEER:
        *size = PEER_BYTES_MIN + record->peer.identity.size + record->peer.address.size;
        return is_peer_sound(&record->peer) ? HAUL_OK : HAUL_INVALID;
    case JOURNAL_SNAPSHOT:
        *size = SNAPSHOT_BYTES;
        return HAUL_OK;
    case JOURNAL_FROZEN:
        *size = FROZEN_BYTES;
        return HAUL_OK;
    case JOURNAL_EPOCH:
        *size = EPOCH_BYTES;
        return record->epoch > 0 ? HAUL_OK : HAUL_INVALID;
    case JOURNAL_FAMILY:
        *size = record->family.size;
        return is_family_sound(record->family) ? HAUL_OK : HAUL_INVALID;
    case JOURNAL_DECISION:
        *size = DECISION_BYTES;
        return HAUL_OK;
    case JOURNAL_POSITION:
        return size_positions(record, size);
    case JOURNAL_DELTA:
        *size = DELTA_BYTES;
        return HAUL_OK;
    case JOURNAL_PREPARED:
        *size = PREPARED_BYTES_MIN + (size_t)record->prepared->digest_count * FAMILY_DIGEST_BYTES;
        return record->prepared->digest_count <= HAUL_FAMILY_COUNT_MAX ? HAUL_OK : HAUL_INVALID;
    case JOURNAL_COMMITTED:
        *size = COMMITTED_BYTES;
        return HAUL_OK;
    case JOURNAL_HELD:
        *size = HELD_BYTES;
        return HAUL_OK;
    case JOURNAL_DONE:
    case JOURNAL_RESTORED:
    case JOURNAL_PARTED:
    case JOURNAL_UNFROZEN:
    case JOURNAL_RELEASED:
    case JOURNAL_CLEARED:
        *size = 0;
        return HAUL_OK;
    }
    return HAUL_INVALID;
}

enum haul_status journal_record_size(const struct journal_record *record, size_t *size)
{
    size_t body_size = 0;
    enum haul_status status = size_body(record, &body_size);
    if (status != HAUL_OK) {
        return status;
    }
    if (body_size > JOURNAL_BODY_BYTES_MAX) {
        return HAUL_LIMIT;
    }
    *size = JOURNAL_FRAME_BYTES + body_size;
    return HAUL_OK;
}

void journal_record_encode(const struct journal_record *record, const struct journal_frame *frame,
                           uint8_t *memory)
{
    uint8_t *body = memory + JOURNAL_FRAME_HEADER_BYTES;
    uint8_t *end = encode_body(body, record);
    put_u32(memory, (uint32_t)(end - body));
    put_u16(memory + 4, (uint16_t)record->type);
    put_u16(memory + 6, frame->flags);
    put_u64(memory + 8, frame->number);
    put_u32(end, crc32c_extend(frame->seed, memory, (size_t)(end - memory)));
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Decoders leave the cursor failed if the encoder cannot have written the body. */

static void refuse_unless(struct cursor *cursor, bool sound)
{
    cursor->failed = cursor->failed || !sound;
}

static struct digest decode_digest(struct cursor *cursor)
{
    struct digest digest;
    digest.count = cursor_u64(cursor);
    digest.bytes = cursor_u64(cursor);
    digest.low = cursor_u64(cursor);
    digest.high = cursor_u64(cursor);
    return digest;
}

static void decode_aborted(struct cursor *cursor, struct journal_aborted *aborted)
{
    aborted->status = (enum haul_status)cursor_u32(cursor);
    aborted->text = cursor_slice(cursor, cursor_u16(cursor));
    refuse_unless(cursor, aborted->status != HAUL_OK);
    refuse_unless(cursor, aborted->text.size <= JOURNAL_TEXT_BYTES_MAX);
}

static void decode_peer(struct cursor *cursor, struct journal_peer *peer)
{
    peer->identity = cursor_slice(cursor, cursor_u8(cursor));
    peer->address = cursor_slice(cursor, cursor_u8(cursor));
    refuse_unless(cursor, is_peer_sound(peer));
}

static void decode_decision(struct cursor *cursor, struct journal_decision *decision)
{
    uint64_t kind = cursor_u64(cursor);
    refuse_unless(cursor, kind == DECISION_COMMIT || kind == DECISION_ABORT);
    decision->commit = kind == DECISION_COMMIT;
    decision->old_version = cursor_u64(cursor);
    decision->new_version = cursor_u64(cursor);
    decision->epoch = cursor_u64(cursor);
}

static void decode_position(struct cursor *cursor, struct stream_position *position)
{
    position->stream = cursor_u32(cursor);
    uint32_t flags = cursor_u32(cursor);
    refuse_unless(cursor, flags <= 1);
    position->finished = flags == 1;
    position->next_batch = cursor_u64(cursor);
    position->digest = decode_digest(cursor);
    uint32_t key_size = cursor_u32(cursor);
    refuse_unless(cursor, key_size <= HAUL_KEY_BYTES_MAX);
    position->last_key = cursor_slice(cursor, key_size);
    position->resumable = true;
}

static void decode_positions(struct cursor *cursor, struct journal_scratch *scratch,
                             struct journal_record *record)
{
    uint32_t count = cursor_u32(cursor);
    refuse_unless(cursor, count > 0 && count <= JOURNAL_POSITIONS_MAX);
    for (uint32_t i = 0; !cursor->failed && i < count; i++) {
        decode_position(cursor, &scratch->positions[i]);
    }
    record->positions.items = scratch->positions;
    record->positions.count = count;
}

static void decode_prepared(struct cursor *cursor, struct journal_prepared *prepared)
{
    prepared->old_version = cursor_u64(cursor);
    prepared->new_version = cursor_u64(cursor);
    prepared->epoch = cursor_u64(cursor);
    prepared->frozen_sequence = cursor_u64(cursor);
    prepared->digest_count = cursor_u32(cursor);
    refuse_unless(cursor, prepared->digest_count <= HAUL_FAMILY_COUNT_MAX);
    for (uint32_t i = 0; !cursor->failed && i < prepared->digest_count; i++) {
        prepared->digests[i].family_id = cursor_u32(cursor);
        prepared->digests[i].digest = decode_digest(cursor);
    }
}

static void decode_body(struct cursor *cursor, struct journal_scratch *scratch,
                        struct journal_record *record)
{
    switch (record->type) {
    case JOURNAL_PLAN:
        record->plan = cursor_slice(cursor, cursor_left(cursor));
        refuse_unless(cursor, record->plan.size > 0 && record->plan.size <= JOURNAL_PLAN_BYTES_MAX);
        return;
    case JOURNAL_ABORTED:
        decode_aborted(cursor, &record->aborted);
        return;
    case JOURNAL_PEER:
        decode_peer(cursor, &record->peer);
        return;
    case JOURNAL_SNAPSHOT:
        record->snapshot.sequence = cursor_u64(cursor);
        record->snapshot.wal_sequence = cursor_u64(cursor);
        return;
    case JOURNAL_FROZEN:
        record->frozen_sequence = cursor_u64(cursor);
        return;
    case JOURNAL_EPOCH:
        record->epoch = cursor_u64(cursor);
        refuse_unless(cursor, record->epoch > 0);
        return;
    case JOURNAL_FAMILY:
        record->family = cursor_slice(cursor, cursor_left(cursor));
        refuse_unless(cursor, is_family_sound(record->family));
        return;
    case JOURNAL_DECISION:
        decode_decision(cursor, &record->decision);
        return;
    case JOURNAL_POSITION:
        decode_positions(cursor, scratch, record);
        return;
    case JOURNAL_DELTA:
        record->delta.next_batch = cursor_u64(cursor);
        record->delta.wal_sequence = cursor_u64(cursor);
        return;
    case JOURNAL_PREPARED:
        decode_prepared(cursor, &scratch->prepared);
        record->prepared = &scratch->prepared;
        return;
    case JOURNAL_COMMITTED:
        record->committed.new_version = cursor_u64(cursor);
        record->committed.epoch = cursor_u64(cursor);
        return;
    case JOURNAL_HELD:
        record->held.sequence = cursor_u64(cursor);
        record->held.manifest = cursor_u64(cursor);
        record->held.manifest_bytes = cursor_u64(cursor);
        return;
    case JOURNAL_DONE:
    case JOURNAL_RESTORED:
    case JOURNAL_PARTED:
    case JOURNAL_UNFROZEN:
    case JOURNAL_RELEASED:
    case JOURNAL_CLEARED:
        return;
    }
    cursor->failed = true;
}

bool journal_frame_check(struct haul_slice bytes, struct journal_frame *frame, size_t *size)
{
    if (bytes.size < JOURNAL_FRAME_BYTES) {
        return false;
    }
    size_t body_size = get_u32(bytes.data);
    if (body_size > JOURNAL_BODY_BYTES_MAX || body_size > bytes.size - JOURNAL_FRAME_BYTES) {
        return false;
    }
    size_t covered = JOURNAL_FRAME_HEADER_BYTES + body_size;
    if (crc32c_extend(frame->seed, bytes.data, covered) != get_u32(bytes.data + covered)) {
        return false;
    }
    frame->flags = get_u16(bytes.data + 6);
    frame->number = get_u64(bytes.data + 8);
    *size = covered + 4;
    return true;
}

enum haul_status journal_record_decode(struct haul_slice bytes, struct journal_frame *frame,
                                       struct journal_scratch *scratch,
                                       struct journal_record *record, size_t *size)
{
    size_t frame_size = 0;
    if (!journal_frame_check(bytes, frame, &frame_size)) {
        return HAUL_NOT_FOUND;
    }
    struct cursor cursor =
        cursor_of(bytes.data + JOURNAL_FRAME_HEADER_BYTES, frame_size - JOURNAL_FRAME_BYTES);
    record->type = (enum journal_type)get_u16(bytes.data + 4);
    decode_body(&cursor, scratch, record);
    refuse_unless(&cursor, cursor_left(&cursor) == 0);
    refuse_unless(&cursor, (frame->flags & ~JOURNAL_FRAME_AFTER_SYNC) == 0);
    if (cursor.failed) {
        return HAUL_CORRUPT;
    }
    *size = frame_size;
    return HAUL_OK;
}
