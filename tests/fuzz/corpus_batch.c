/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_batch.c — blocks of snapshot and delta streams, whole and in fragments. */
#include <string.h>

#include "assertion.h"
#include "corpus_writer.h"
#include "crc32c.h"
#include "fragment.h"
#include "plan.h"
#include "raw_batch.h"
#include "slot_header.h"

/* As in fuzz_batch.c. */
enum { MEND = 1, INGEST = 2, WHOLE = 4, RESUME = 8, OTHER_FAMILY = 300 };

static struct corpus_input input;
static struct raw_batch_writer writer;
static uint8_t memory[1024];

static struct haul_slice text(const char *characters)
{
    return slice_of(characters, strlen(characters));
}

static void begin(void)
{
    raw_batch_begin(&writer, memory, sizeof(memory));
}

static void put(uint32_t family, const char *key)
{
    bool fits = raw_batch_put(&writer, family, text(key), text("value"));
    haul_assert(fits);
}

static void delete_range(uint32_t family, const char *from, const char *to)
{
    bool fits = raw_batch_delete_range(&writer, family, text(from), text(to));
    haul_assert(fits);
}

static void add_payload(uint32_t stream, uint64_t batch, uint32_t flags, struct haul_slice payload)
{
    uint8_t head[SLOT_HEADER_BYTES];
    struct slot_header header = {.type = SLOT_DATA,
                                 .kind = stream == PLAN_DELTA_STREAM ? SLOT_KIND_DELTA
                                                                     : SLOT_KIND_SNAPSHOT,
                                 .epoch = 3,
                                 .batch = batch,
                                 .stream = stream,
                                 .flags = flags,
                                 .payload_size_bytes = (uint32_t)payload.size,
                                 .record_count = writer.count,
                                 .payload_crc = crc32c(payload.data, payload.size)};
    slot_header_encode(&header, head);
    corpus_add(&input, head, sizeof(head));
    corpus_add(&input, payload.data, payload.size);
}

static void add_batch(uint32_t stream, uint64_t batch, uint32_t flags)
{
    add_payload(stream, batch, flags, slice_of(memory, raw_batch_finish(&writer)));
}

/* The batch as fragments of at most 20 bytes. */
static void add_fragments(uint32_t stream, uint64_t batch)
{
    uint8_t piece[FRAGMENT_HEADER_BYTES + 20];
    size_t total = raw_batch_finish(&writer);
    uint32_t count = writer.count;
    for (size_t at = 0; at < total; at += 20) {
        size_t size = total - at < 20 ? total - at : 20;
        fragment_header_encode(total, at, piece);
        memcpy(piece + FRAGMENT_HEADER_BYTES, memory + at, size);
        writer.count = at + size == total ? count : 0;
        add_payload(stream, batch++, SLOT_FRAGMENT, slice_of(piece, FRAGMENT_HEADER_BYTES + size));
    }
}

static void add_snapshot(void)
{
    begin();
    put(0, "b1");
    put(0, "c2");
    add_batch(0, 0, 0);
    begin();
    put(0, "e3");
    add_batch(0, 1, SLOT_LAST);
    begin();
    put(OTHER_FAMILY, "k4");
    put(OTHER_FAMILY, "zz");
    add_batch(3, 0, SLOT_LAST);
}

static void add_deltas(void)
{
    begin();
    put(0, "b1");
    put(OTHER_FAMILY, "x");
    bool fits = raw_batch_delete(&writer, 0, text("c2"));
    haul_assert(fits);
    add_batch(PLAN_DELTA_STREAM, 0, 0);
    begin();
    delete_range(0, "b", "f");
    put(0, "d");
    add_batch(PLAN_DELTA_STREAM, 1, 0);
}

static void write_case(const char *name)
{
    corpus_write(&input, "batch", name);
}

static void log_data(const char *blob)
{
    bool fits = raw_batch_log_data(&writer, text(blob));
    haul_assert(fits);
}

/* LogData before, between and behind records, alone, with a length beyond the batch, and in a
 * snapshot. */
static void write_log_data(void)
{
    corpus_add_byte(&input, MEND);
    add_snapshot();
    begin();
    log_data("a blob");
    put(0, "b1");
    log_data("");
    put(0, "c");
    log_data("another");
    add_batch(PLAN_DELTA_STREAM, 0, 0);
    begin();
    log_data("alone");
    add_batch(PLAN_DELTA_STREAM, 1, 0);
    begin();
    log_data("a blob larger than a slot");
    put(0, "d");
    add_fragments(PLAN_DELTA_STREAM, 2);
    write_case("log-data");
    corpus_add_byte(&input, MEND);
    begin();
    put(0, "b1");
    log_data("a blob");
    memory[RAW_BATCH_HEADER_BYTES + raw_batch_put_size(0, 2, 5) + 1] = 0x7f;
    add_batch(PLAN_DELTA_STREAM, 0, 0);
    write_case("log-data-beyond-the-end");
    corpus_add_byte(&input, MEND);
    begin();
    put(0, "b1");
    log_data("a blob");
    add_batch(0, 0, 0);
    write_case("log-data-in-a-snapshot");
}

static void write_refused(void)
{
    corpus_add_byte(&input, 0);
    begin();
    put(0, "g");
    add_batch(0, 0, 0);
    write_case("outside-the-range");
    corpus_add_byte(&input, 0);
    add_snapshot();
    input.bytes[input.size - 1] ^= 1;
    write_case("damaged");
    corpus_add_byte(&input, 0);
    add_snapshot();
    add_batch(0, 0, 0);
    write_case("repeated");
    corpus_add_byte(&input, RESUME);
    begin();
    put(0, "b1");
    add_batch(0, 0, 0);
    add_batch(0, 1, 0);
    write_case("does-not-ascend");
}

void corpus_batch(void)
{
    corpus_add_byte(&input, 0);
    add_snapshot();
    add_deltas();
    write_case("batches");
    corpus_add_byte(&input, INGEST | RESUME);
    add_snapshot();
    add_deltas();
    write_case("ingested-and-resumed");
    corpus_add_byte(&input, MEND);
    add_snapshot();
    add_deltas();
    write_case("mended");
    corpus_add_byte(&input, MEND | RESUME);
    begin();
    put(OTHER_FAMILY, "a key that does not fit into one slot");
    put(OTHER_FAMILY, "b");
    add_fragments(2, 0);
    write_case("fragments-outside");
    corpus_add_byte(&input, WHOLE);
    begin();
    put(0, "a key that does not fit into one slot");
    add_fragments(0, 0);
    write_case("fragments");
    corpus_add_byte(&input, MEND | WHOLE);
    add_snapshot();
    begin();
    delete_range(OTHER_FAMILY, "zz", "k");
    put(OTHER_FAMILY, "zz");
    add_batch(PLAN_DELTA_STREAM, 0, 0);
    write_case("reverse-family");
    write_refused();
    write_log_data();
}
