/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_batch.c — what the write-batch lane gives to the store, annotated or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_lane.h"
#include "check.h"
#include "raw_batch.h"

enum { FAMILY_ID = 7, TEXT_BYTES = 256, LARGE = 9 << 20 };

static char written[TEXT_BYTES]; /* the last batch: "#blob key=value" */
static size_t written_bytes;
static enum haul_status write_status;
static struct haul_error error;
static struct apply_lane *lane;
static unsigned asked;
static unsigned written_flags; /* expected */

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
        at += (size_t)snprintf(written + at, TEXT_BYTES - at, "%s%s%.*s", at == 0 ? "" : " ",
                               blob ? "#" : "", (int)text.size, (const char *)text.data);
    }
    check_status(status, HAUL_NOT_FOUND);
    written_bytes = batch.size;
    return write_status;
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
    write_status = HAUL_OK;
    asked = 0;
    written_flags = hooks == &annotating ? HAUL_WRITE_CLOSED : 0;
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
        check_status(lane->ops->put(lane, key, value, &error), HAUL_OK);
    }
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    return lane->ops->commit(lane, batch, writer.count, &error);
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

static size_t store_log_data(const struct haul_store *base, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    check(base == &store);
    blob[0] = '.';
    return 1;
}

/* A batch that is built here ends with the store's LogData; the store ends the others. */
static void test_lane_batch_commit__store_with_log_data__at_the_end_of_what_is_built(void)
{
    static const char *const words[] = {"a=one", "b=two"};
    store_ops.log_data = store_log_data;
    begin(&annotating);
    check_status(batch_of(words, CHECK_COUNT(words)), HAUL_OK);
    check_text(written, "#one a #two b #.");
    end();
    begin(NULL);
    check_status(batch_of(words, CHECK_COUNT(words)), HAUL_OK);
    check_text(written, "a b");
    end();
    store_ops.log_data = NULL;
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

/* Larger than what is kept, and the next batch starts small again. */
static void test_lane_batch_commit__huge_record__written_and_forgotten(void)
{
    static const char *const words[] = {"a=one"};
    uint8_t *value = calloc(1, LARGE);
    check_or_stop(value != NULL);
    begin(&annotating);
    check_status(lane->ops->put(lane, slice_of("k", 1), slice_of("one", 3), &error), HAUL_OK);
    check_status(lane->ops->put(lane, slice_of("l", 1), slice_of(value, LARGE), &error), HAUL_OK);
    check_status(lane->ops->commit(lane, slice_of(value, LARGE), 2, &error), HAUL_OK);
    check_text(written, "#one k l");
    check(written_bytes > LARGE);
    check(lane->ops->is_full(lane, true));
    check_status(batch_of(words, 1), HAUL_OK);
    check_text(written, "#one a");
    write_status = HAUL_NO_SPACE;
    check_status(batch_of(words, 1), HAUL_NO_SPACE);
    end();
    free(value);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_lane_batch_put__annotate__in_front_of_records_and_not_repeated),
    CHECK_TEST(test_lane_batch_commit__store_with_log_data__at_the_end_of_what_is_built),
    CHECK_TEST(test_lane_batch_put__no_hook__batch_as_it_came),
    CHECK_TEST(test_lane_batch_put__blob_too_large__invalid),
    CHECK_TEST(test_lane_batch_commit__huge_record__written_and_forgotten),
};
CHECK_MAIN("lane_batch", tests)
