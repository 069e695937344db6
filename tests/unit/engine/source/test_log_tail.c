/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_tail.c — rounds over the log, and going back, repeatedly, to what the target has. */
#include "log_tail.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { RECORDS = 8, VALUE_BYTES = 100, BLOCK_BYTES = 4096, BLOCK_COUNT = 32, ONE = 150, TWO = 300 };

static struct rocks_fixture fixture;
static struct plan plan;
static struct outbox outbox;
static struct log_tail *tail;
static struct haul_error error;
static const struct haul_hooks no_hooks;

/* RECORDS records "0", "1", ... in the log, none of them in the view. */
static void begin_as(bool adopted)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    uint8_t value[VALUE_BYTES] = {0};
    rocks_fixture_open(&fixture);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    check_or_stop(outbox_init(&outbox, BLOCK_COUNT, BLOCK_BYTES, 1, &error) == HAUL_OK);
    for (char key = '0'; key < '0' + RECORDS; key++) {
        rocks_fixture_put(&fixture, 0, slice_of(&key, 1), slice_of(value, sizeof(value)));
    }
    const struct log_tail_options tail_options = {.store = fixture.store,
                                                  .plan = &plan,
                                                  .outbox = &outbox,
                                                  .adopted = adopted,
                                                  .hooks = &no_hooks};
    check_or_stop(log_tail_create(&tail_options, &tail, &error) == HAUL_OK);
}

static void begin(void)
{
    begin_as(false);
}

static void end(void)
{
    log_tail_pause(tail);
    log_tail_destroy(tail);
    outbox_fini(&outbox);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

/* The keys of a round, with a bar before each batch, and a # for LogData: "|01|#23". Batches
 * hold up to `batch_bytes`. */
static const char *round_of(uint32_t batch_bytes)
{
    static char text[64];
    atomic_bool stop = false;
    uint64_t bytes = 0;
    size_t at = 0;
    struct block *block = NULL;
    atomic_store(&outbox.batch_bytes, batch_bytes);
    check_status(log_tail_round(tail, &stop, &bytes, &error), HAUL_OK);
    while ((block = outbox_take(&outbox)) != NULL) {
        struct raw_batch_reader reader;
        struct raw_record record;
        text[at++] = '|';
        check_status(raw_batch_open(
                         &reader, slice_of(block_payload(block), block->header.payload_size_bytes)),
                     HAUL_OK);
        while (raw_batch_next(&reader, &record) == HAUL_OK && at < sizeof(text) - 2) {
            text[at++] = record.kind == RAW_LOG_DATA ? '#' : (char)record.key.data[0];
        }
        outbox_give_back(&outbox, block);
    }
    text[at] = '\0';
    return text;
}

/* The path was lost; the target has the first `next_batch` batches. */
static void go_back(uint64_t next_batch)
{
    log_tail_pause(tail);
    check_status(log_tail_rewind(tail, next_batch, &error), HAUL_OK);
    check_equal(log_tail_next_batch(tail), next_batch);
}

static void test_log_tail_round__records_of_the_log__each_once(void)
{
    begin();
    go_back(0);
    check_text(round_of(TWO), "|01|23|45|67");
    check_equal(log_tail_next_batch(tail), 4);
    check_text(round_of(TWO), "");
    rocks_fixture_put(&fixture, 0, text_slice("8"), text_slice("new"));
    check_text(round_of(TWO), "|8");
    end();
}

/* Repeated records may be cut otherwise: the last sending determines where a batch ends. */
static void test_log_tail_rewind__cut_otherwise_each_time__nothing_left_out(void)
{
    begin();
    go_back(0);
    check_text(round_of(TWO), "|01|23|45|67");
    go_back(1);
    check_text(round_of(ONE), "|2|3|4|5|6|7");
    go_back(3);
    check_text(round_of(TWO), "|45|67");
    go_back(4);
    check_text(round_of(ONE), "|6|7");
    end();
}

static void test_log_tail_rewind__batch_that_was_never_sent__protocol(void)
{
    begin();
    go_back(0);
    (void)round_of(TWO);
    go_back(2);
    log_tail_pause(tail);
    check_error(log_tail_rewind(tail, 3, &error), HAUL_PROTOCOL, error);
    check_status(log_tail_rewind(tail, 2, &error), HAUL_OK);
    check_text(round_of(TWO), "|45|67");
    end();
}

/* An earlier process had sent batches; then the target lost them, and starts again. */
static void test_log_tail_rewind__to_the_beginning_of_an_adopted_job__all_again(void)
{
    begin_as(true);
    go_back(7);
    check_text(round_of(TWO), "|01|23|45|67");
    go_back(0);
    check_text(round_of(TWO), "|01|23|45|67");
    check_equal(log_tail_next_batch(tail), 4);
    end();
}

/* --- figures and blobs ------------------------------------------------------------------------ */

static void test_log_tail_lag_bytes__before_and_behind_a_round__what_was_not_read(void)
{
    begin();
    go_back(0);
    check_equal(log_tail_lag_bytes(tail, 10), RECORDS * 10); /* only the argument is known */
    check_equal(log_tail_sequence(tail), 0);
    (void)round_of(TWO);
    check_equal(log_tail_sequence(tail), RECORDS);
    check_equal(log_tail_lag_bytes(tail, 10), 0);
    for (int i = 0; i < 4; i++) {
        rocks_fixture_put(&fixture, 0, text_slice("k"), text_slice("new"));
    }
    /* As large as those that were read: a key, a value and their overhead in a batch. */
    uint64_t lag = log_tail_lag_bytes(tail, 10);
    check(lag >= 4 * (1 + VALUE_BYTES) && lag < 4 * (VALUE_BYTES + 32));
    go_back(0);
    check(log_tail_lag_bytes(tail, 10) >= 3 * lag - 3);
    end();
}

static unsigned ingests;

static uint64_t tell_ingests(struct haul_store *store)
{
    (void)store;
    return ingests;
}

/* The log does not have tables that others ingest. */
static void test_log_tail_round__others_have_ingested__gap(void)
{
    atomic_bool stop = false;
    uint64_t bytes = 0;
    begin();
    struct haul_store_ops ops = *fixture.store->ops;
    const struct haul_store_ops *before = fixture.store->ops;
    ops.foreign_ingests = tell_ingests;
    fixture.store->ops = &ops;
    go_back(0);
    ingests = 0;
    (void)round_of(TWO);
    ingests = 1;
    check_error(log_tail_round(tail, &stop, &bytes, &error), HAUL_GAP, error);
    check(error.hint[0] != '\0');
    fixture.store->ops = before;
    end();
}

static void test_log_tail_round__is_to_stop__closed(void)
{
    atomic_bool stop = true;
    uint64_t bytes = 1;
    begin();
    go_back(0);
    check_status(log_tail_round(tail, &stop, &bytes, &error), HAUL_CLOSED);
    check_equal(bytes, 0);
    check_equal(log_tail_sequence(tail), 0);
    end();
}

static unsigned blobs;

static void take_blob(void *context, struct haul_slice blob)
{
    check(context == &blobs);
    check(slice_compare(blob, text_slice("a blob")) == 0);
    blobs++;
}

/* Log data of the embedder goes to its hook. */
static void test_log_tail_round__blob_in_the_log__passed_to_the_hook(void)
{
    const struct haul_hooks hooks = {.context = &blobs, .log_data = take_blob};
    uint8_t batch[RAW_BATCH_HEADER_BYTES + 8] = {0};
    begin();
    log_tail_destroy(tail);
    const struct log_tail_options tail_options = {
        .store = fixture.store, .plan = &plan, .outbox = &outbox, .hooks = &hooks};
    check_or_stop(log_tail_create(&tail_options, &tail, &error) == HAUL_OK);
    batch[RAW_BATCH_HEADER_BYTES] = RAW_LOG_DATA;
    batch[RAW_BATCH_HEADER_BYTES + 1] = 6;
    memcpy(batch + RAW_BATCH_HEADER_BYTES + 2, "a blob", 6);
    check_status(
        fixture.store->ops->write(fixture.store, slice_of(batch, sizeof(batch)), 0, &error),
        HAUL_OK);
    rocks_fixture_put(&fixture, 0, text_slice("8"), text_slice("behind it"));
    blobs = 0;
    go_back(0);
    check(strchr(round_of(TWO), '8') != NULL);
    check_equal(blobs, 1);
    end();
}

/* A log batch of a Put with this key; with LogData before it, or behind it, or alone. */
static void write_with_blob(const char *layout)
{
    struct raw_batch_writer writer;
    uint8_t memory[256];
    raw_batch_begin(&writer, memory, sizeof(memory));
    for (const char *at = layout; *at != '\0'; at++) {
        bool fits = *at == '#' ? raw_batch_log_data(&writer, text_slice("a blob"))
                               : raw_batch_put(&writer, 0, slice_of(at, 1), text_slice("v"));
        check_or_stop(fits);
    }
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    check_status(fixture.store->ops->write(fixture.store, batch, 0, &error), HAUL_OK);
}

/* LogData stands for what follows it in its batch, and for nothing of another log batch. */
static void test_log_tail_send_log_data__on_and_off__with_the_records_of_its_log_batch(void)
{
    static const char *const layouts[] = {"#a", "b", "c#d", "e", "#", "#f", "#g", "h#", "#i", "j"};
    for (int send = 0; send < 2; send++) {
        begin();
        log_tail_send_log_data(tail, true);
        log_tail_send_log_data(tail, send);
        go_back(0);
        (void)round_of(BLOCK_BYTES / 2);
        for (size_t i = 0; i < CHECK_COUNT(layouts); i++) {
            write_with_blob(layouts[i]);
        }
        check_text(round_of(BLOCK_BYTES / 2), send ? "|#a|bc#d|e#f#g|h##i|j" : "|abcdefghij");
        end();
    }
}

static void test_log_tail_send_log_data__going_back__the_same_again(void)
{
    begin();
    log_tail_send_log_data(tail, true);
    go_back(0);
    (void)round_of(BLOCK_BYTES / 2);
    write_with_blob("#a");
    write_with_blob("b");
    check_text(round_of(BLOCK_BYTES / 2), "|#a|b");
    go_back(1);
    write_with_blob("c");
    check_text(round_of(BLOCK_BYTES / 2), "|#a|bc");
    go_back(2);
    check_text(round_of(BLOCK_BYTES / 2), "|bc");
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_tail_send_log_data__on_and_off__with_the_records_of_its_log_batch),
    CHECK_TEST(test_log_tail_send_log_data__going_back__the_same_again),
    CHECK_TEST(test_log_tail_lag_bytes__before_and_behind_a_round__what_was_not_read),
    CHECK_TEST(test_log_tail_round__others_have_ingested__gap),
    CHECK_TEST(test_log_tail_round__is_to_stop__closed),
    CHECK_TEST(test_log_tail_round__blob_in_the_log__passed_to_the_hook),
    CHECK_TEST(test_log_tail_round__records_of_the_log__each_once),
    CHECK_TEST(test_log_tail_rewind__cut_otherwise_each_time__nothing_left_out),
    CHECK_TEST(test_log_tail_rewind__batch_that_was_never_sent__protocol),
    CHECK_TEST(test_log_tail_rewind__to_the_beginning_of_an_adopted_job__all_again),
};
CHECK_MAIN("log_tail", tests)
