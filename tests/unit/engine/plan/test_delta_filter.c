/* SPDX-License-Identifier: Apache-2.0 */
/* test_delta_filter.c — which part of a log batch reaches the target. */
#include "delta_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bytes.h"
#include "check.h"
#include "raw_batch.h"

enum { MEMORY_BYTES = 512, TEXT_BYTES = 512, SEQUENCE = 100 };

static struct haul_error error;

/* The ranges [b, d), [d, f) and [m, ) of the families 0 -> 10 and 3 -> 0. */
static const struct delta_family families[] = {{0, 10}, {3, 0}};
static struct key_range ranges[] = {
    {.start = (uint8_t *)"b", .start_size = 1, .end = (uint8_t *)"d", .end_size = 1},
    {.start = (uint8_t *)"d", .start_size = 1, .end = (uint8_t *)"f", .end_size = 1},
    {.start = (uint8_t *)"m", .start_size = 1, .end = NULL, .end_size = 0},
};

static struct delta_filter filter = {
    .families = families, .family_count = 2, .ranges = ranges, .range_count = 3};

/* A hand-written log batch, because it has records that no builder of ours makes. */
struct log_bytes {
    uint8_t bytes[MEMORY_BYTES];
    size_t size;
    uint32_t count;
};

static void log_begin(struct log_bytes *log)
{
    memset(log, 0, sizeof(*log));
    put_u64(log->bytes, SEQUENCE);
    log->size = RAW_BATCH_HEADER_BYTES;
}

static void log_string(struct log_bytes *log, const char *text)
{
    size_t size = strlen(text);
    check_or_stop(size < 0x80 && log->size + size + 1 <= sizeof(log->bytes));
    log->bytes[log->size] = (uint8_t)size;
    memcpy(log->bytes + log->size + 1, text, size);
    log->size += size + 1;
}

/* A record of family 3 or of the default family, with up to two strings. */
static void log_add(struct log_bytes *log, uint8_t tag, const char *key, const char *value)
{
    bool has_family = tag == RAW_FAMILY_DELETE || tag == RAW_FAMILY_PUT ||
                      tag == RAW_FAMILY_MERGE || tag == RAW_FAMILY_SINGLE_DELETE ||
                      tag == RAW_FAMILY_DELETE_RANGE || tag == RAW_FAMILY_BLOB_INDEX ||
                      tag == RAW_FAMILY_PUT_ENTITY;
    log->bytes[log->size++] = tag;
    if (has_family) {
        log->bytes[log->size++] = 3;
    }
    if (key != NULL) {
        log_string(log, key);
    }
    if (value != NULL) {
        log_string(log, value);
    }
    log->count++;
    put_u32(log->bytes + 8, log->count);
}

/* LogData and markers do not count in a batch's header. */
static void log_add_uncounted(struct log_bytes *log, uint8_t tag, const char *blob)
{
    log_add(log, tag, blob, NULL);
    log->count--;
    put_u32(log->bytes + 8, log->count);
}

static struct haul_log_batch log_batch(const struct log_bytes *log)
{
    return (struct haul_log_batch){.sequence = SEQUENCE, .data = slice_of(log->bytes, log->size)};
}

static uint8_t memory[MEMORY_BYTES];

static enum haul_status apply(const struct log_bytes *log, struct delta_result *result)
{
    const struct haul_log_batch batch = log_batch(log);
    const struct delta_memory target = {.data = memory, .capacity_bytes = sizeof(memory)};
    memset(&error, 0, sizeof(error));
    enum haul_status status = delta_filter_apply(&filter, &batch, target, result, &error);
    bool told = status != HAUL_OK && status != HAUL_AGAIN; /* then the error names the same */
    check_status(error.status, told ? status : HAUL_OK);
    check_equal(error.text[0] != '\0', told);
    check(status != HAUL_UNSUPPORTED || error.hint[0] != '\0');
    return status;
}

/* The filtered batch as "P10:key=value D10:key R10:begin-end". */
static void describe(size_t size, char text[TEXT_BYTES])
{
    struct raw_batch_reader reader;
    struct raw_record record;
    size_t at = 0;
    text[0] = '\0';
    check_status(raw_batch_open(&reader, slice_of(memory, size)), HAUL_OK);
    check_equal(reader.sequence, 0);
    enum haul_status status;
    while ((status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        char kind = record.kind == RAW_PUT        ? 'P'
                    : record.kind == RAW_DELETE   ? 'D'
                    : record.kind == RAW_LOG_DATA ? 'L'
                                                  : 'R';
        at +=
            (size_t)snprintf(text + at, TEXT_BYTES - at, "%s%c%u:%.*s", at == 0 ? "" : " ", kind,
                             record.family_id, (int)record.key.size, (const char *)record.key.data);
        if (kind != 'D') {
            at += (size_t)snprintf(text + at, TEXT_BYTES - at, "%c%.*s", kind == 'R' ? '-' : '=',
                                   (int)record.value.size, (const char *)record.value.data);
        }
    }
    check_status(status, HAUL_NOT_FOUND);
}

/* Filter a batch of one record; the result as text. */
static void check_one(uint8_t tag, const char *key, const char *value, const char *expected)
{
    struct log_bytes log;
    struct delta_result result;
    char text[TEXT_BYTES] = "";
    log_begin(&log);
    log_add(&log, tag, key, value);
    check_status(apply(&log, &result), HAUL_OK);
    check_equal(result.sequence_next, SEQUENCE + 1);
    if (result.size > 0) {
        describe(result.size, text);
    }
    check_text(text, expected);
}

static void check_refused(uint8_t tag, const char *key, const char *value, const char *named)
{
    struct log_bytes log;
    struct delta_result result;
    log_begin(&log);
    log_add(&log, tag, key, value);
    check_status(apply(&log, &result), HAUL_UNSUPPORTED);
    check(strstr(error.text, named) != NULL);
    check(error.hint[0] != '\0');
}

static void test_delta_filter_apply__put_and_delete__only_inside_the_ranges(void)
{
    check_one(RAW_PUT, "a", "1", "");
    check_one(RAW_PUT, "b", "1", "P10:b=1");
    check_one(RAW_PUT, "czz", "", "P10:czz=");
    check_one(RAW_PUT, "d", "1", "P10:d=1");
    check_one(RAW_PUT, "f", "1", "");
    check_one(RAW_PUT, "l", "1", "");
    check_one(RAW_PUT, "zzzz", "1", "P10:zzzz=1");
    check_one(RAW_DELETE, "c", NULL, "D10:c");
    check_one(RAW_DELETE, "g", NULL, "");
    check_one(RAW_FAMILY_PUT, "c", "1", "P0:c=1");
    check_one(RAW_FAMILY_DELETE, "c", NULL, "D0:c");
}

static void test_delta_filter_apply__single_delete__becomes_delete(void)
{
    check_one(RAW_SINGLE_DELETE, "c", NULL, "D10:c");
    check_one(RAW_FAMILY_SINGLE_DELETE, "c", NULL, "D0:c");
    check_one(RAW_SINGLE_DELETE, "a", NULL, "");
}

static void test_delta_filter_apply__delete_range__one_clip_for_each_range(void)
{
    check_one(RAW_DELETE_RANGE, "a", "z", "R10:b-d R10:d-f R10:m-z");
    check_one(RAW_DELETE_RANGE, "c", "e", "R10:c-d R10:d-e");
    check_one(RAW_DELETE_RANGE, "b", "d", "R10:b-d");
    check_one(RAW_FAMILY_DELETE_RANGE, "e", "n", "R0:e-f R0:m-n");
    check_one(RAW_DELETE_RANGE, "ca", "cb", "R10:ca-cb");
}

static void test_delta_filter_apply__delete_range_that_misses__nothing(void)
{
    check_one(RAW_DELETE_RANGE, "a", "b", "");
    check_one(RAW_DELETE_RANGE, "f", "m", "");
    check_one(RAW_DELETE_RANGE, "c", "c", "");
}

static void test_delta_filter_apply__family_not_moved__dropped(void)
{
    struct delta_filter other = filter;
    struct log_bytes log;
    struct delta_result result;
    other.family_count = 1;
    log_begin(&log);
    log_add(&log, RAW_FAMILY_PUT, "c", "1");
    log_add(&log, RAW_FAMILY_MERGE, "c", "1");
    log_add(&log, RAW_FAMILY_DELETE_RANGE, "a", "z");
    const struct haul_log_batch batch = log_batch(&log);
    const struct delta_memory target = {.data = memory, .capacity_bytes = sizeof(memory)};
    check_status(delta_filter_apply(&other, &batch, target, &result, &error), HAUL_OK);
    check_equal(result.size, 0);
    check_equal(result.size_needed, 0);
    check_equal(result.record_count, 0);
    check_equal(result.sequence_next, SEQUENCE + 3);
}

static void test_delta_filter_apply__many_records__order_and_counts_kept(void)
{
    struct log_bytes log;
    struct delta_result result;
    char text[TEXT_BYTES];
    log_begin(&log);
    log_add(&log, RAW_PUT, "c", "1");
    log_add(&log, RAW_PUT, "a", "outside");
    log_add(&log, RAW_DELETE_RANGE, "a", "e");
    log_add(&log, RAW_FAMILY_PUT, "n", "2");
    log_add(&log, RAW_PUT, "c", "3");
    check_status(apply(&log, &result), HAUL_OK);
    describe(result.size, text);
    check_text(text, "P10:c=1 R10:b-d R10:d-e P0:n=2 P10:c=3");
    check_equal(result.record_count, 5);
    check_equal(result.size_needed, result.size);
    check_equal(result.bytes, result.size - RAW_BATCH_HEADER_BYTES);
    check_equal(result.sequence_next, SEQUENCE + 5);
}

static void test_delta_filter_apply__record_that_must_not_move__unsupported_when_inside(void)
{
    check_refused(RAW_MERGE, "c", "1", "merge");
    check_refused(RAW_FAMILY_MERGE, "c", "1", "of column family 3");
    check_refused(RAW_BLOB_INDEX, "c", "1", "blob");
    check_refused(RAW_FAMILY_BLOB_INDEX, "c", "1", "blob");
    check_refused(RAW_PUT_ENTITY, "c", "1", "wide-column");
    check_refused(RAW_DELETE_RANGE, "e", "c", "not in byte order");
    check_refused(RAW_FAMILY_PUT_ENTITY, "c", "1", "wide-column");
    check_one(RAW_MERGE, "a", "1", "");
    check_one(RAW_BLOB_INDEX, "a", "1", "");
    check_one(RAW_PUT_ENTITY, "a", "1", "");
}

/* The source's current values: "merged" under "c", nothing under "d", an error under "e". */
static enum haul_status value_now(void *context, uint32_t source_id, struct haul_slice key,
                                  uint8_t **value, size_t *size, struct haul_error *failure)
{
    check(context == &filter);
    check_equal(source_id, 3);
    check_equal(key.size, 1);
    if (key.data[0] == 'e') {
        return haul_error_set(failure, HAUL_STORE, "get", 0, "cannot merge");
    }
    *size = strlen("merged");
    *value = key.data[0] == 'c' ? (uint8_t *)strdup("merged") : NULL;
    return key.data[0] == 'c' ? HAUL_OK : HAUL_NOT_FOUND;
}

static enum haul_status apply_merging(const struct log_bytes *log, size_t capacity_bytes,
                                      struct delta_result *result)
{
    struct delta_filter merging = filter;
    merging.value = value_now;
    merging.value_context = (void *)(uintptr_t)&filter;
    const struct haul_log_batch batch = log_batch(log);
    const struct delta_memory target = {.data = memory, .capacity_bytes = capacity_bytes};
    return delta_filter_apply(&merging, &batch, target, result, &error);
}

static void test_delta_filter_apply__merge__becomes_what_the_key_reads_as(void)
{
    struct log_bytes log;
    struct delta_result result;
    char text[TEXT_BYTES];
    log_begin(&log);
    log_add(&log, RAW_FAMILY_MERGE, "c", "+1");
    log_add(&log, RAW_FAMILY_MERGE, "d", "+1"); /* deleted later */
    log_add(&log, RAW_FAMILY_MERGE, "a", "outside");
    check_status(apply_merging(&log, sizeof(memory), &result), HAUL_OK);
    describe(result.size, text);
    check_text(text, "P0:c=merged D0:d");
    check_equal(result.record_count, 2);
    check_equal(result.sequence_next, SEQUENCE + 3);
    check_status(apply_merging(&log, RAW_BATCH_HEADER_BYTES + 4, &result), HAUL_AGAIN);
    check_status(apply_merging(&log, result.size_needed, &result), HAUL_OK);
}

static void test_delta_filter_apply__merge_that_cannot_be_read__the_reason(void)
{
    struct log_bytes log;
    struct delta_result result;
    log_begin(&log);
    log_add(&log, RAW_FAMILY_MERGE, "e", "+1");
    check_status(apply_merging(&log, sizeof(memory), &result), HAUL_STORE);
    check_text(error.text, "cannot merge");
}

static void test_delta_filter_apply__entity_of_the_default_column__becomes_a_put(void)
{
    static const uint8_t entity[] = {1, 1, 0, 2, 'h', 'i'};
    struct log_bytes log;
    struct delta_result result;
    char text[TEXT_BYTES];
    log_begin(&log);
    log_add(&log, RAW_PUT_ENTITY, "c", NULL);
    log.bytes[log.size++] = sizeof(entity);
    memcpy(log.bytes + log.size, entity, sizeof(entity));
    log.size += sizeof(entity);
    check_status(apply(&log, &result), HAUL_OK);
    describe(result.size, text);
    check_text(text, "P10:c=hi");
}

static void test_delta_filter_apply__long_key__refused_only_inside(void)
{
    size_t key_size = (size_t)HAUL_KEY_BYTES_MAX + 1;
    size_t size = RAW_BATCH_HEADER_BYTES + raw_batch_delete_size(0, key_size);
    uint8_t *bytes = malloc(size);
    uint8_t *key = malloc(key_size);
    check_or_stop(bytes != NULL && key != NULL);
    for (int inside = 0; inside < 2; inside++) {
        struct raw_batch_writer writer;
        struct delta_result result;
        memset(key, inside == 1 ? 'c' : 'a', key_size);
        raw_batch_begin(&writer, bytes, size);
        bool written = raw_batch_delete(&writer, 0, slice_of(key, key_size));
        check(written);
        const struct haul_log_batch batch = {.sequence = SEQUENCE,
                                             .data = slice_of(bytes, raw_batch_finish(&writer))};
        const struct delta_memory target = {.data = memory, .capacity_bytes = sizeof(memory)};
        check_status(delta_filter_apply(&filter, &batch, target, &result, &error),
                     inside == 1 ? HAUL_UNSUPPORTED : HAUL_OK);
    }
    check(strstr(error.text, "a key of 8388609 bytes; at most 8388608") != NULL);
    free(key);
    free(bytes);
}

static void test_delta_filter_apply__two_phase_commit_marker__unsupported(void)
{
    static const struct {
        uint8_t tag;
        const char *name;
    } markers[] = {
        {RAW_BEGIN_PREPARE, NULL}, {RAW_END_PREPARE, "x"},      {RAW_COMMIT, "x"},
        {RAW_ROLLBACK, "x"},       {RAW_BEGIN_UNPREPARE, NULL}, {RAW_BEGIN_PERSISTED_PREPARE, NULL},
    };
    for (size_t i = 0; i < CHECK_COUNT(markers); i++) {
        struct log_bytes log;
        struct delta_result result;
        log_begin(&log);
        log_add_uncounted(&log, markers[i].tag, markers[i].name);
        check_status(apply(&log, &result), HAUL_UNSUPPORTED);
        check(strstr(error.text, "two-phase commit") != NULL);
    }
    struct log_bytes log;
    struct delta_result result;
    log_begin(&log);
    log_add_uncounted(&log, RAW_COMMIT_WITH_TIMESTAMP, "12345678");
    log_string(&log, "x");
    check_status(apply(&log, &result), HAUL_UNSUPPORTED);
    check(strstr(error.text, "two-phase commit") != NULL);
}

static void take_blob(void *context, struct haul_slice blob)
{
    char *text = context;
    size_t size = strlen(text);
    (void)snprintf(text + size, TEXT_BYTES - size, "<%.*s>", (int)blob.size,
                   (const char *)blob.data);
}

static void test_delta_filter_apply__log_data_and_noop__handed_out_and_not_sent(void)
{
    char blobs[TEXT_BYTES] = "";
    struct delta_filter listening = filter;
    struct log_bytes log;
    struct delta_result result;
    listening.log_data = take_blob;
    listening.log_data_context = blobs;
    log_begin(&log);
    log_add_uncounted(&log, RAW_LOG_DATA, "one");
    log_add_uncounted(&log, RAW_NOOP, NULL);
    log_add(&log, RAW_PUT, "c", "1");
    log_add_uncounted(&log, RAW_LOG_DATA, "two");
    const struct haul_log_batch batch = log_batch(&log);
    const struct delta_memory target = {.data = memory, .capacity_bytes = sizeof(memory)};
    check_status(delta_filter_apply(&listening, &batch, target, &result, &error), HAUL_OK);
    check_text(blobs, "<one><two>");
    check_equal(result.record_count, 1);
    check_equal(result.sequence_next, SEQUENCE + 1);
    check_status(apply(&log, &result), HAUL_OK); /* no callback */
}

/* In the order of the log, and only beside a record that is kept. */
static void test_delta_filter_apply__keeps_log_data__with_kept_records_and_uncounted(void)
{
    struct log_bytes log;
    struct delta_result result;
    char text[TEXT_BYTES];
    filter.keeps_log_data = true;
    log_begin(&log);
    log_add_uncounted(&log, RAW_LOG_DATA, "one");
    log_add(&log, RAW_PUT, "c", "1");
    log_add_uncounted(&log, RAW_LOG_DATA, "two");
    log_add(&log, RAW_PUT, "a", "outside");
    log_add_uncounted(&log, RAW_LOG_DATA, "");
    log_add(&log, RAW_DELETE, "d", NULL);
    check_status(apply(&log, &result), HAUL_OK);
    describe(result.size, text);
    check_text(text, "L0:=one P10:c=1 L0:=two L0:= D10:d");
    check_equal(result.record_count, 2);
    check_equal(result.size, result.size_needed);
    check_equal(result.bytes, raw_batch_put_size(10, 1, 1) + raw_batch_delete_size(10, 1));
    check(result.has_log_data);
    log_begin(&log);
    log_add_uncounted(&log, RAW_LOG_DATA, "one");
    log_add(&log, RAW_PUT, "a", "outside");
    check_status(apply(&log, &result), HAUL_OK);
    check_equal(result.size + result.size_needed + result.record_count + result.bytes, 0);
    check(!result.has_log_data);
    log_begin(&log);
    log_add(&log, RAW_PUT, "c", "1");
    check_status(apply(&log, &result), HAUL_OK);
    check(!result.has_log_data);
    filter.keeps_log_data = false;
}

/* A blob that does not fit matters only beside a record that is kept. */
static void test_delta_filter_apply__log_data_and_too_little_memory__again_or_nothing(void)
{
    struct log_bytes log;
    struct delta_result result;
    filter.keeps_log_data = true;
    for (int inside = 0; inside < 2; inside++) {
        log_begin(&log);
        log_add_uncounted(&log, RAW_LOG_DATA, "a blob of some length");
        log_add(&log, RAW_PUT, inside ? "c" : "a", "1");
        const struct haul_log_batch batch = log_batch(&log);
        for (size_t capacity = RAW_BATCH_HEADER_BYTES; capacity < 41; capacity++) {
            const struct delta_memory target = {.data = memory, .capacity_bytes = capacity};
            check_status(delta_filter_apply(&filter, &batch, target, &result, &error),
                         inside ? HAUL_AGAIN : HAUL_OK);
            check_equal(result.size, 0);
            check_equal(result.size_needed, inside ? 41 : 0);
        }
    }
    filter.keeps_log_data = false;
}

static void test_delta_filter_apply__log_data_larger_than_a_record__limit_beside_a_record(void)
{
    size_t blob_size = HAUL_RECORD_BYTES_MAX + 1;
    struct raw_batch_writer writer;
    size_t capacity = RAW_BATCH_HEADER_BYTES + raw_batch_log_data_size(blob_size) + 100;
    uint8_t *bytes = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check_or_stop(bytes != MAP_FAILED);
    filter.keeps_log_data = true;
    for (int inside = 0; inside < 2; inside++) {
        raw_batch_begin(&writer, bytes, capacity);
        /* Not raw_batch_log_data: it would touch all of the memory. */
        *writer.at++ = RAW_LOG_DATA;
        writer.at = put_varint32(writer.at, (uint32_t)blob_size) + blob_size;
        bool fits = raw_batch_put(&writer, inside ? 0 : 6, slice_of("c", 1), slice_of("v", 1));
        check_or_stop(fits);
        const struct haul_log_batch batch = {.sequence = SEQUENCE,
                                             .data = slice_of(bytes, raw_batch_finish(&writer))};
        const struct delta_memory target = {.data = memory, .capacity_bytes = sizeof(memory)};
        struct delta_result result;
        check_status(delta_filter_apply(&filter, &batch, target, &result, &error),
                     inside ? HAUL_UNSUPPORTED : HAUL_OK);
    }
    check(strstr(error.text, "1073741825") != NULL);
    filter.keeps_log_data = false;
    check(munmap(bytes, capacity) == 0);
}

static void test_delta_filter_apply__too_little_memory__limit_and_size_that_suffices(void)
{
    struct log_bytes log;
    struct delta_result full;
    log_begin(&log);
    log_add(&log, RAW_PUT, "c", "a value");
    log_add(&log, RAW_DELETE_RANGE, "a", "z");
    log_add(&log, RAW_DELETE, "c", NULL);
    check_status(apply(&log, &full), HAUL_OK);
    const struct haul_log_batch batch = log_batch(&log);
    for (size_t capacity = RAW_BATCH_HEADER_BYTES; capacity <= full.size; capacity++) {
        const struct delta_memory target = {.data = memory, .capacity_bytes = capacity};
        struct delta_result result;
        memset(memory, 0xee, sizeof(memory));
        enum haul_status status = delta_filter_apply(&filter, &batch, target, &result, &error);
        check_status(status, capacity < full.size ? HAUL_AGAIN : HAUL_OK);
        check_equal(result.size, capacity < full.size ? 0 : full.size);
        check_equal(result.size_needed, full.size);
        check_equal(result.record_count, full.record_count);
        check_equal(memory[capacity], 0xee);
    }
}

static void test_delta_filter_apply__torn_batch__corrupt(void)
{
    struct log_bytes log;
    struct delta_result result;
    log_begin(&log);
    log_add(&log, RAW_PUT, "c", "1");
    size_t size = log.size;
    for (log.size = 0; log.size < size; log.size++) {
        check_status(apply(&log, &result), HAUL_CORRUPT);
    }
}

static void test_delta_filter_check__ranges_overlap_or_descend__invalid(void)
{
    struct key_range wrong[2] = {ranges[1], ranges[0]};
    struct delta_filter descending = filter;
    check_status(delta_filter_check(&filter, &error), HAUL_OK);
    descending.ranges = wrong;
    descending.range_count = 2;
    check_error(delta_filter_check(&descending, &error), HAUL_INVALID, error);
    wrong[0] = ranges[2]; /* unbounded, so nothing may follow */
    check_error(delta_filter_check(&descending, &error), HAUL_INVALID, error);
    wrong[0] = ranges[0];
    wrong[1] = ranges[0];
    check_error(delta_filter_check(&descending, &error), HAUL_INVALID, error);
}

static void test_delta_filter_check__family_twice__invalid(void)
{
    static const struct delta_family twice[] = {{1, 1}, {2, 2}, {1, 3}};
    struct delta_filter wrong = filter;
    wrong.families = twice;
    wrong.family_count = 3;
    check_error(delta_filter_check(&wrong, &error), HAUL_INVALID, error);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_delta_filter_apply__put_and_delete__only_inside_the_ranges),
    CHECK_TEST(test_delta_filter_apply__single_delete__becomes_delete),
    CHECK_TEST(test_delta_filter_apply__delete_range__one_clip_for_each_range),
    CHECK_TEST(test_delta_filter_apply__delete_range_that_misses__nothing),
    CHECK_TEST(test_delta_filter_apply__family_not_moved__dropped),
    CHECK_TEST(test_delta_filter_apply__many_records__order_and_counts_kept),
    CHECK_TEST(test_delta_filter_apply__record_that_must_not_move__unsupported_when_inside),
    CHECK_TEST(test_delta_filter_apply__merge__becomes_what_the_key_reads_as),
    CHECK_TEST(test_delta_filter_apply__merge_that_cannot_be_read__the_reason),
    CHECK_TEST(test_delta_filter_apply__entity_of_the_default_column__becomes_a_put),
    CHECK_TEST(test_delta_filter_apply__long_key__refused_only_inside),
    CHECK_TEST(test_delta_filter_apply__two_phase_commit_marker__unsupported),
    CHECK_TEST(test_delta_filter_apply__log_data_and_noop__handed_out_and_not_sent),
    CHECK_TEST(test_delta_filter_apply__keeps_log_data__with_kept_records_and_uncounted),
    CHECK_TEST(test_delta_filter_apply__log_data_and_too_little_memory__again_or_nothing),
    CHECK_TEST(test_delta_filter_apply__log_data_larger_than_a_record__limit_beside_a_record),
    CHECK_TEST(test_delta_filter_apply__too_little_memory__limit_and_size_that_suffices),
    CHECK_TEST(test_delta_filter_apply__torn_batch__corrupt),
    CHECK_TEST(test_delta_filter_check__ranges_overlap_or_descend__invalid),
    CHECK_TEST(test_delta_filter_check__family_twice__invalid),
};
CHECK_MAIN("delta_filter", tests)
