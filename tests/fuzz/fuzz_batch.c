/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_batch.c — the blocks of a data link, from their headers to the database.
 *
 *   u8 flags (enum flags) | blocks: 64 bytes of slot header, payload
 *
 * The blocks go to the streams of a plan as applier.c passes them on. Whatever they contain:
 *   1. only records that the plan and the lane allow reach the database (watch_record)
 *   2. a refused block changes nothing
 *   3. at the end the digests of the streams, with the changes of the deltas, match the records
 *      in the database */
#include <stdlib.h>
#include <string.h>

#include "apply_stream.h"
#include "assertion.h"
#include "crc32c.h"
#include "fuzz_target.h"
#include "memory_store.h"

enum flags {
    MEND = 1 << 0,   /* sound magic, versions, sizes and checksums */
    INGEST = 1 << 1, /* snapshot streams by table files */
    WHOLE = 1 << 2,  /* no bounds, and a family in reverse order */
    RESUME = 1 << 3, /* each durable position allows a restart from it */
};

enum { STREAM_COUNT = 4, FAMILY_COUNT = 2, TABLE_BYTES = 64 };

struct rig {
    unsigned flags;
    struct memory_store store;
    struct plan plan;
    struct plan_family families[FAMILY_COUNT];
    struct key_range ranges[2];
    struct plan_stream planned[STREAM_COUNT];
    struct apply_stream streams[STREAM_COUNT + 1]; /* the delta stream comes last */
    struct apply_stream *current;
    bool has_deltas;
    bool mixed; /* snapshot records behind deltas, which no digest covers */
};

/* --- set-up ----------------------------------------------------------------------------------- */

static void set_range(struct key_range *range, const char *start, const char *end)
{
    expect_status(key_range_init(range, slice_of(start, strlen(start)), slice_of(end, strlen(end))),
                  HAUL_OK);
}

static void set_family(struct rig *rig, size_t index, uint32_t id, const char *comparator)
{
    struct plan_family *family = &rig->families[index];
    family->target_id = id;
    (void)snprintf(family->family.comparator, sizeof(family->family.comparator), "%s", comparator);
    memory_store_add_family(&rig->store, id, strstr(comparator, "Reverse") != NULL);
}

static void open_stream(struct rig *rig, size_t index, const struct stream_position *position)
{
    struct apply_stream_options options = {
        .store = &rig->store.base,
        .plan = &rig->plan,
        .stream = index == STREAM_COUNT ? NULL : &rig->planned[index],
        .lane = apply_lane_table(index < STREAM_COUNT && (rig->flags & INGEST) != 0
                                     ? HAUL_LANE_INGEST
                                     : HAUL_LANE_WRITE_BATCH),
        .table_size_bytes = TABLE_BYTES,
        .staging_stem = "staged",
        .position = position,
    };
    struct haul_error error;
    expect_status(apply_stream_init(&rig->streams[index], &options, &error), HAUL_OK);
}

/* Two families; each has a stream below "k" and one from there on. */
static void open_rig(struct rig *rig)
{
    bool whole = (rig->flags & WHOLE) != 0;
    memory_store_init(&rig->store);
    set_family(rig, 0, 0, "leveldb.BytewiseComparator");
    set_family(rig, 1, 300,
               whole ? "rocksdb.ReverseBytewiseComparator" : "leveldb.BytewiseComparator");
    rig->plan = (struct plan){.family_count = FAMILY_COUNT,
                              .families = rig->families,
                              .range_count = whole ? 1 : 2,
                              .ranges = rig->ranges,
                              .stream_count = STREAM_COUNT,
                              .streams = rig->planned};
    set_range(&rig->ranges[0], whole ? "" : "b", whole ? "" : "f");
    set_range(&rig->ranges[1], "k", "");
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        bool low = i % 2 == 0;
        rig->planned[i] = (struct plan_stream){.id = i, .family = i / 2};
        set_range(&rig->planned[i].range, low && !whole ? "b" : (low ? "" : "k"),
                  low ? (whole ? "k" : "f") : "");
    }
    for (size_t i = 0; i <= STREAM_COUNT; i++) {
        open_stream(rig, i, NULL);
    }
}

static void close_rig(struct rig *rig)
{
    for (size_t i = 0; i <= STREAM_COUNT; i++) {
        apply_stream_fini(&rig->streams[i]);
    }
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        key_range_fini(&rig->planned[i].range);
    }
    key_range_fini(&rig->ranges[0]);
    key_range_fini(&rig->ranges[1]);
    memory_store_fini(&rig->store);
}

/* --- what may reach the database -------------------------------------------------------------- */

static void watch_record(void *context, const struct raw_record *record)
{
    const struct rig *rig = context;
    const struct plan_stream *planned = rig->current->stream;
    if (planned != NULL) {
        haul_assert(record->kind == RAW_PUT);
        haul_assert(record->family_id == rig->families[planned->family].target_id);
        haul_assert(key_range_contains(&planned->range, record->key));
        return;
    }
    haul_assert(record->kind == RAW_PUT || record->kind == RAW_DELETE ||
                record->kind == RAW_DELETE_RANGE);
    haul_assert(plan_contains(&rig->plan, record->key));
    bool bounded = record->kind == RAW_DELETE_RANGE && rig->plan.range_count > 1;
    if (bounded && record->value.size > 0 && slice_compare(record->key, record->value) < 0) {
        /* A DeleteRange lies in one range of the plan, including its end. */
        bool first = key_range_contains(&rig->ranges[0], record->key);
        haul_assert(!first || slice_compare(record->value, key_range_end(&rig->ranges[0])) <= 0);
    }
}

static void check_digests(const struct rig *rig)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        uint32_t family_id = rig->families[i].target_id;
        struct digest digest = {0};
        if (rig->store.reverse[i]) {
            continue; /* A5 applies to byte order only: a repeated key was counted twice */
        }
        for (size_t s = 0; s < STREAM_COUNT; s++) {
            if (rig->planned[s].family == i) {
                digest_join(&digest, &rig->streams[s].digest);
            }
        }
        if (digest_ledger_join(rig->streams[STREAM_COUNT].ledger, family_id, &digest) == HAUL_OK) {
            struct digest really = memory_store_digest(&rig->store, family_id);
            haul_assert(digest_equal(&digest, &really));
        }
    }
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* The walker alone: its records follow each other inside the batch. */
static void walk(struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    size_t walked = RAW_BATCH_HEADER_BYTES;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        haul_assert(record.whole.data == batch.data + walked && record.whole.size > 0);
        haul_assert(record.key.size + record.value.size < record.whole.size);
        walked += record.whole.size;
    }
    haul_assert(status == HAUL_NOT_FOUND || status == HAUL_CORRUPT);
    haul_assert(status == HAUL_CORRUPT || walked == batch.size);
}

/* Make the stream durable and restart it from there. The ledger of the deltas ends with its
 * stream. */
static void flush(struct rig *rig, size_t index)
{
    struct haul_error error;
    struct stream_position position;
    expect_status(apply_stream_flush(&rig->streams[index], &error), HAUL_OK);
    expect_status(apply_stream_position(&rig->streams[index], &position), HAUL_OK);
    if ((rig->flags & RESUME) != 0 && index < STREAM_COUNT) {
        apply_stream_fini(&rig->streams[index]);
        open_stream(rig, index, &position);
    }
    stream_position_fini(&position);
}

static void note_order(struct rig *rig, bool is_delta)
{
    rig->mixed = rig->mixed || (rig->has_deltas && !is_delta);
    if (is_delta && !rig->has_deltas) {
        rig->has_deltas = true;
        for (size_t i = 0; i < STREAM_COUNT; i++) {
            rig->current = &rig->streams[i];
            if (!fragment_assembly_is_open(&rig->current->fragments)) {
                flush(rig, i);
            }
        }
    }
}

/* As applier.c does it. False: refused, which ends the job. */
static bool take(struct rig *rig, const struct slot_header *header, struct haul_slice payload)
{
    bool is_delta = header->stream == PLAN_DELTA_STREAM;
    size_t index = is_delta ? STREAM_COUNT : header->stream;
    if (index > STREAM_COUNT || (index == STREAM_COUNT) != is_delta ||
        is_delta != (header->kind == SLOT_KIND_DELTA) ||
        crc32c(payload.data, payload.size) != header->payload_crc) {
        return false;
    }
    note_order(rig, is_delta);
    struct apply_stream *stream = &rig->streams[index];
    rig->current = stream;
    uint64_t before = rig->store.applied;
    uint64_t records = 0;
    struct haul_error error;
    enum haul_status status = apply_stream_take(stream, header, payload, &records, &error);
    if (status != HAUL_OK) {
        haul_assert(error.status == status && error.text[0] != '\0');
        haul_assert(records == 0 && rig->store.applied == before);
        return false;
    }
    haul_assert(stream->lane->ops->lane == HAUL_LANE_INGEST ||
                rig->store.applied == before + records);
    if (apply_stream_wants_flush(stream, false)) {
        flush(rig, index);
    }
    return true;
}

/* Make the header valid for the payload. */
static void mend(struct slot_header *header, const uint8_t *at, struct haul_slice rest)
{
    uint32_t size = get_u32(at + 40);
    *header = (struct slot_header){.type = SLOT_DATA,
                                   .kind = at[7],
                                   .epoch = get_u64(at + 8),
                                   .sequence = get_u64(at + 16),
                                   .batch = get_u64(at + 24),
                                   .stream = get_u32(at + 32),
                                   .flags = get_u32(at + 36),
                                   .payload_size_bytes = size,
                                   .record_count = get_u32(at + 44),
                                   .raw_size_bytes = get_u32(at + 48)};
    if (size > rest.size) {
        header->payload_size_bytes = (uint32_t)rest.size;
    }
    header->payload_crc = crc32c(rest.data, header->payload_size_bytes);
}

static bool take_block(struct rig *rig, struct cursor *input)
{
    uint8_t head[SLOT_HEADER_BYTES];
    const uint8_t *at = cursor_take(input, SLOT_HEADER_BYTES);
    if (at == NULL) {
        return false;
    }
    struct slot_header header;
    memcpy(head, at, sizeof(head));
    if ((rig->flags & MEND) != 0) {
        mend(&header, at, slice_of(input->at, cursor_left(input)));
        slot_header_encode(&header, head);
    }
    const char *why = NULL;
    struct slot_header decoded;
    if (slot_header_decode(head, &decoded, &why) != HAUL_OK) {
        haul_assert(why != NULL);
        return false;
    }
    uint8_t again[SLOT_HEADER_BYTES];
    slot_header_encode(&decoded, again);
    haul_assert(memcmp(again, head, sizeof(again)) == 0);
    struct haul_slice payload = cursor_slice(input, decoded.payload_size_bytes);
    if (input->failed) {
        return false;
    }
    walk(payload);
    return take(rig, &decoded, payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig rig;
    struct cursor input = cursor_of(data, size);
    rig = (struct rig){.flags = cursor_u8(&input)};
    open_rig(&rig);
    rig.store.watch = watch_record;
    rig.store.watch_context = &rig;
    bool refused = false;
    while (cursor_left(&input) > 0 && !refused) {
        refused = !take_block(&rig, &input);
    }
    if (!rig.mixed && (!refused || (rig.flags & INGEST) == 0)) {
        for (size_t i = 0; i < STREAM_COUNT && !refused; i++) {
            rig.current = &rig.streams[i];
            struct haul_error error;
            expect_status(apply_stream_flush(rig.current, &error), HAUL_OK);
        }
        check_digests(&rig);
    }
    close_rig(&rig);
    return 0;
}
