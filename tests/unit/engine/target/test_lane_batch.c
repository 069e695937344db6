/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_batch.c — what the write-batch lane gives to the store, annotated or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_lane.h"
#include "check.h"
#include "joined_pieces.h"
#include "raw_batch.h"

enum { FAMILY_ID = 7, TEXT_BYTES = 256, LARGE = 9 << 20 };

static char written[TEXT_BYTES]; /* the last batch: "#blob key=value" */
static size_t written_bytes;
static enum haul_status write_status;
static struct haul_error error;
static struct apply_lane *lane;
static unsigned asked;
static unsigned written_flags; /* expected */
static size_t written_pieces;

static enum haul_status note_write(struct haul_store *store, struct haul_slice batch,
                                   unsigned flags, struct haul_error *why)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    size_t at = 0;
    (void)store;
    (void)why;
    check_equal(flags, written_flags);
    check_status(raw_batch_open(&reader, batch), HAUL_OK);
    enum haul_status status;
    written[0] = '\0';
    while ((status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        bool blob = record.kind == RAW_LOG_DATA;
        check(blob || record.family_id == FAMILY_ID);
        struct haul_slice text = blob ? record.value : record.key;
        if (at >= TEXT_BYTES) {
            continue;
        }
        at += (size_t)snprintf(written + at, TEXT_BYTES - at, "%s%s%.*s", at == 0 ? "" : " ",
                               blob ? "#" : "", (int)text.size, (const char *)text.data);
    }
    check_status(status, HAUL_NOT_FOUND);
    check_equal(reader.seen, reader.count);
    written[at >= TEXT_BYTES ? 0 : at] = '\0'; /* empty: too long to be compared */
    written_bytes = batch.size;
    return write_status;
}

static enum haul_status note_pieces(struct haul_store *to, const struct haul_slice *pieces,
                                    size_t piece_count, unsigned flags, struct haul_error *why)
{
    for (size_t i = 0; i < piece_count; i++) {
        check(pieces[i].size > 0);
    }
    struct haul_slice batch = joined_pieces(pieces, piece_count);
    check_or_stop(batch.data != NULL);
    written_pieces = piece_count;
    enum haul_status status = note_write(to, batch, flags, why);
    free((void *)(uintptr_t)batch.data);
    return status;
}

static struct haul_store_ops store_ops;
static struct haul_store store = {.ops = &store_ops};

/* The value is the blob. */
static size_t value_is_blob(void *context, const char *family, struct haul_slice key,
                            struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    check(context == &asked);
    check_text(family, "metadata");
    check(key.size > 0);
    asked++;
    if (value.size > HAUL_LOG_DATA_BYTES_MAX) {
        return value.size == LARGE ? 0 : value.size;
    }
    if (value.size > 0) {
        memcpy(blob, value.data, value.size);
    }
    return value.size;
}

static const struct haul_hooks annotating = {.context = &asked, .annotate = value_is_blob};
static const struct haul_hooks silent;

static void begin(const struct haul_hooks *hooks)
{
    const struct apply_lane_options options = {
        .store = &store, .family_id = FAMILY_ID, .hooks = hooks, .family = "metadata"};
    store_ops.write = note_write;
    store_ops.write_pieces = note_pieces;
    write_status = HAUL_OK;
    asked = 0;
    written_flags = HAUL_WRITE_PUTS;
    written_pieces = 0;
    memset(&error, 0, sizeof(error));
    check_or_stop(apply_lane_table(HAUL_LANE_WRITE_BATCH)->create(&options, &lane, &error) ==
                  HAUL_OK);
}

static void end(void)
{
    lane->ops->destroy(lane);
}

static enum haul_status put(const char *key, const char *value)
{
    return lane->ops->put(lane, slice_of(key, strlen(key)), slice_of(value, strlen(value)), &error);
}

/* As the applier does: each record of the batch, and then the whole. */
static enum haul_status apply(struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    check_status(raw_batch_open(&reader, batch), HAUL_OK);
    while (raw_batch_next(&reader, &record) == HAUL_OK) {
        check_status(lane->ops->put(lane, record.key, record.value, &error), HAUL_OK);
    }
    return lane->ops->commit(lane, batch, reader.seen, &error);
}

/* A batch of "key=value" words, as it comes: without annotations. */
static enum haul_status batch_of(const char *const *words, size_t count)
{
    static uint8_t memory[4096];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        struct haul_slice key = slice_of(words[i], (size_t)(equals - words[i]));
        struct haul_slice value = slice_of(equals + 1, strlen(equals + 1));
        check_or_stop(raw_batch_put(&writer, FAMILY_ID, key, value));
    }
    return apply(slice_of(memory, raw_batch_finish(&writer)));
}

static void test_lane_batch_put__annotate__in_front_of_records_and_not_repeated(void)
{
    static const char *const first[] = {"a=one", "b=one", "c=two", "d=", "e=two", "f=one", "g=on"};
    static const char *const second[] = {"h=on", "i="};
    static const char *const third[] = {"j="};
    begin(&annotating);
    check_status(batch_of(first, CHECK_COUNT(first)), HAUL_OK);
    check_text(written, "#one a b #two c d e #one f #on g");
    check_status(batch_of(second, CHECK_COUNT(second)), HAUL_OK); /* another batch: again */
    check_text(written, "#on h i");
    check_status(batch_of(third, CHECK_COUNT(third)), HAUL_OK);
    check_text(written, "j");
    check_equal(asked, 10);
    check_equal(lane->written_records, 10);
    end();
}

/* Records are not copied for what is inserted between them. */
static void test_lane_batch_commit__annotated__pieces_between_insertions(void)
{
    static const char *const words[] = {"a=", "b=", "c=one", "d=one", "e=two"};
    static const char *const silent_words[] = {"a=", "b="};
    begin(&annotating);
    check_status(batch_of(words, CHECK_COUNT(words)), HAUL_OK);
    check_text(written, "a b #one c d #two e");
    check_equal(written_pieces, 5);
    written_pieces = 0;
    check_status(batch_of(silent_words, CHECK_COUNT(silent_words)), HAUL_OK);
    check_text(written, "a b");
    check_equal(written_pieces, 0); /* whole */
    end();
}

/* Only a stream of the copy, which has a family, holds nothing but puts. */
static void test_lane_batch_commit__stream_of_changes__may_hold_anything(void)
{
    static const char *const words[] = {"a=one"};
    const struct apply_lane_options options = {.store = &store};
    begin(NULL);
    check_status(batch_of(words, 1), HAUL_OK);
    end();
    check_or_stop(apply_lane_table(HAUL_LANE_WRITE_BATCH)->create(&options, &lane, &error) ==
                  HAUL_OK);
    written_flags = 0;
    check_status(batch_of(words, 1), HAUL_OK);
    end();
}

static void test_lane_batch_put__no_hook__batch_as_it_came(void)
{
    static const char *const words[] = {"a=one", "b=two"};
    const struct haul_hooks *const hooks[] = {NULL, &silent};
    for (size_t i = 0; i < CHECK_COUNT(hooks); i++) {
        begin(hooks[i]);
        check_status(batch_of(words, CHECK_COUNT(words)), HAUL_OK);
        check_text(written, "a b");
        check_equal(asked, 0);
        end();
    }
}

static void test_lane_batch_put__blob_too_large__invalid(void)
{
    char value[HAUL_LOG_DATA_BYTES_MAX + 2];
    memset(value, 'x', sizeof(value));
    value[HAUL_LOG_DATA_BYTES_MAX + 1] = '\0';
    begin(&annotating);
    check_status(put("k", value), HAUL_INVALID);
    check_status(error.status, HAUL_INVALID);
    value[HAUL_LOG_DATA_BYTES_MAX] = '\0';
    check_status(put("k", value), HAUL_OK);
    end();
}

/* More insertions than are kept, and the next batch begins without any. */
static void test_lane_batch_commit__huge_record__written_and_forgotten(void)
{
    static const char *const words[] = {"a=one"};
    uint8_t *value = calloc(1, LARGE);
    uint8_t *memory = malloc(LARGE + TEXT_BYTES);
    struct raw_batch_writer writer;
    check_or_stop(value != NULL && memory != NULL);
    begin(&annotating);
    raw_batch_begin(&writer, memory, LARGE + TEXT_BYTES);
    check_or_stop(raw_batch_put(&writer, FAMILY_ID, slice_of("k", 1), slice_of("one", 3)));
    check_or_stop(raw_batch_put(&writer, FAMILY_ID, slice_of("l", 1), slice_of(value, LARGE)));
    check_status(apply(slice_of(memory, raw_batch_finish(&writer))), HAUL_OK);
    check_text(written, "#one k l");
    check(written_bytes > LARGE);
    check(lane->ops->is_full(lane, true));
    check_status(batch_of(words, 1), HAUL_OK);
    check_text(written, "#one a");
    write_status = HAUL_NO_SPACE;
    check_status(batch_of(words, 1), HAUL_NO_SPACE);
    end();
    free(memory);
    free(value);
}

/* Each record's LogData differs from the one before. */
static void test_lane_batch_commit__many_insertions__all_in_place(void)
{
    static const char *const words[] = {"a=one"};
    enum { RECORDS = 10000, BYTES = 1 << 20 };
    static uint8_t memory[BYTES];
    static const char *const values[] = {"on", "off"};
    struct raw_batch_writer writer;
    begin(&annotating);
    raw_batch_begin(&writer, memory, BYTES);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct haul_slice value = slice_of(values[i % 2], strlen(values[i % 2]));
        check_or_stop(raw_batch_put(&writer, FAMILY_ID, slice_of("k", 1), value));
    }
    check_status(apply(slice_of(memory, raw_batch_finish(&writer))), HAUL_OK);
    check_equal(written_pieces, 2 * RECORDS + 1);
    check_status(batch_of(words, 1), HAUL_OK);
    check_text(written, "#one a");
    check_equal(written_pieces, 3);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_lane_batch_put__annotate__in_front_of_records_and_not_repeated),
    CHECK_TEST(test_lane_batch_commit__annotated__pieces_between_insertions),
    CHECK_TEST(test_lane_batch_commit__stream_of_changes__may_hold_anything),
    CHECK_TEST(test_lane_batch_put__no_hook__batch_as_it_came),
    CHECK_TEST(test_lane_batch_put__blob_too_large__invalid),
    CHECK_TEST(test_lane_batch_commit__huge_record__written_and_forgotten),
    CHECK_TEST(test_lane_batch_commit__many_insertions__all_in_place),
};
CHECK_MAIN("lane_batch", tests)
