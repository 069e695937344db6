/* SPDX-License-Identifier: Apache-2.0 */
/* test_apply_stream.c — a receiving stream on a real database: sound batches take effect once,
 * malformed ones change nothing. */
#include "apply_stream.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

static struct rocks_fixture fixture;
static struct plan plan;
static struct apply_stream stream;
static struct stream_position position;
static struct haul_error error;
static struct raw_batch_writer writer;
static uint8_t memory[4096];
static uint32_t family_id;
static uint64_t applied;

/* --- set-up ----------------------------------------------------------------------------------- */

static void open_stream(enum haul_lane lane, bool delta)
{
    char stem[300];
    (void)snprintf(stem, sizeof(stem), "%s/staged", fixture.path);
    struct apply_stream_options options = {
        .store = fixture.store,
        .plan = &plan,
        .stream = delta ? NULL : &plan.streams[0],
        .lane = apply_lane_table(lane),
        .table_size_bytes = 4096,
        .staging_stem = stem,
        .position = position.next_batch > 0 ? &position : NULL,
    };
    enum haul_status status = apply_stream_init(&stream, &options, &error);
    haul_assert(status == HAUL_OK);
}

/* Family "data", [b, y) of it planned; the default family is not. */
static void open_plan(void)
{
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    family_id = rocks_fixture_family(&fixture, "data");
    const char *name = "data";
    struct haul_range range = {text_slice("b"), text_slice("y")};
    struct haul_source_options options = {
        .families = &name, .family_count = 1, .ranges = &range, .range_count = 1};
    enum haul_status status = plan_make(&plan, fixture.store, &options, 0, &error);
    haul_assert(status == HAUL_OK);
    plan.families[0].target_id = family_id;
}

static void open_snapshot(enum haul_lane lane)
{
    open_plan();
    open_stream(lane, false);
}

static void open_delta(void)
{
    open_plan();
    open_stream(HAUL_LANE_WRITE_BATCH, true);
}

static void open_reverse(bool delta)
{
    rocks_fixture_make_directory(&fixture);
    struct foreign_database foreign = {.comparator = FOREIGN_REVERSE};
    rocks_foreign_make(fixture.path, &foreign);
    struct haul_rocks_options opening = {0};
    check_or_stop(haul_rocks_store_open(fixture.path, &opening, &fixture.store, &error) == HAUL_OK);
    struct haul_source_options options = {0};
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    family_id = 0;
    open_stream(HAUL_LANE_WRITE_BATCH, delta);
}

static void close_all(void)
{
    apply_stream_fini(&stream);
    stream_position_fini(&position);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void begin(void)
{
    raw_batch_begin(&writer, memory, sizeof(memory));
}

static void add_put(uint32_t family, const char *key, const char *value)
{
    bool fits = raw_batch_put(&writer, family, text_slice(key), text_slice(value));
    haul_assert(fits);
}

static struct haul_slice finish(void)
{
    return slice_of(memory, raw_batch_finish(&writer));
}

/* One Put of the family, value "v". */
static struct haul_slice single(uint32_t family, const char *key)
{
    begin();
    add_put(family, key, "v");
    return finish();
}

static enum haul_status take(uint64_t number, uint32_t flags, struct haul_slice payload,
                             uint32_t record_count)
{
    struct slot_header header = {.batch = number, .flags = flags, .record_count = record_count};
    return apply_stream_take(&stream, &header, payload, &applied, &error);
}

static bool has(uint32_t family, const char *key)
{
    uint8_t *value = NULL;
    size_t size = 0;
    struct haul_error ignored;
    enum haul_status status = fixture.store->ops->get(fixture.store, NULL, family, text_slice(key),
                                                      &value, &size, &ignored);
    free(value);
    return status == HAUL_OK;
}

/* Refused as number 0 of a new stream, without a trace in the database. */
static void check_refused(struct haul_slice batch, uint32_t record_count, enum haul_status status)
{
    uint64_t before = fixture.store->ops->sequence(fixture.store);
    check_status(take(0, 0, batch, record_count), status);
    check_equal(error.status, status);
    /* A record that is wrong is named; a batch that is no batch has none. */
    check((strstr(error.text, ", key ") != NULL) == (status == HAUL_PROTOCOL));
    check_equal(applied, 0);
    check_equal(stream.next_batch, 0);
    check_equal(fixture.store->ops->sequence(fixture.store), before);
    memset(&error, 0, sizeof(error));
}

static size_t count_staged(void)
{
    size_t count = 0;
    DIR *directory = opendir(fixture.path);
    haul_assert(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += strncmp(entry->d_name, "staged", 6) == 0 ? 1 : 0;
    }
    (void)closedir(directory);
    return count;
}

/* --- order of batches ------------------------------------------------------------------------- */

static void test_apply_stream_take__batches_in_order__records_in_the_store(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    begin();
    add_put(family_id, "b", "1");
    add_put(family_id, "c", "2");
    check_status(take(0, 0, finish(), 2), HAUL_OK);
    check_equal(applied, 2);
    check_status(take(1, SLOT_LAST, single(family_id, "xzz"), 1), HAUL_OK);
    check(stream.finished);
    check_equal(rocks_fixture_count(&fixture, "data"), 3);
    check_equal(stream.digest.count, 3);
    close_all();
}

static void test_apply_stream_take__batch_again__dropped_and_counted(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    uint64_t before = fixture.store->ops->sequence(fixture.store);
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    check_equal(applied, 0);
    check_equal(stream.repeated_batches, 1);
    check_equal(stream.next_batch, 1);
    check_equal(stream.digest.count, 1);
    check_equal(fixture.store->ops->sequence(fixture.store), before);
    close_all();
}

static void test_apply_stream_take__batch_skipped__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    check_status(take(2, 0, single(family_id, "d"), 1), HAUL_PROTOCOL);
    check(!has(family_id, "d"));
    check_equal(stream.next_batch, 1);
    close_all();
}

static void test_apply_stream_take__batch_behind_the_last__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, SLOT_LAST, slice_of(NULL, 0), 0), HAUL_OK);
    check_status(take(1, 0, single(family_id, "d"), 1), HAUL_PROTOCOL);
    check(!has(family_id, "d"));
    close_all();
}

/* --- soundness -------------------------------------------------------------------------------- */

static void test_apply_stream_take__record_count_lies__corrupt(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_refused(single(family_id, "c"), 2, HAUL_CORRUPT);
    check_refused(single(family_id, "c"), 0, HAUL_CORRUPT);
    struct haul_slice batch = single(family_id, "c");
    put_u32(memory + 8, 2); /* the count inside */
    check_refused(batch, 2, HAUL_CORRUPT);
    check_refused(slice_of(NULL, 0), 1, HAUL_CORRUPT);
    close_all();
}

static void test_apply_stream_take__torn_at_every_byte__corrupt(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    struct haul_slice batch = single(family_id, "c");
    for (size_t size = 1; size < batch.size; size++) {
        check_refused(slice_of(batch.data, size), 1, HAUL_CORRUPT);
    }
    close_all();
}

static void test_apply_stream_take__bytes_behind_the_records__corrupt(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    struct haul_slice batch = single(family_id, "c");
    memory[batch.size] = 0xff;
    check_refused(slice_of(memory, batch.size + 1), 1, HAUL_CORRUPT);
    close_all();
}

static void test_apply_stream_take__bad_record_behind_good_ones__none_applied(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    begin();
    add_put(family_id, "c", "1");
    add_put(family_id, "z", "2");
    check_refused(finish(), 2, HAUL_PROTOCOL);
    check(!has(family_id, "c"));
    close_all();
}

/* --- snapshot records ------------------------------------------------------------------------- */

static void test_apply_stream_take__snapshot_with_a_deletion__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    begin();
    bool fits = raw_batch_delete(&writer, family_id, text_slice("c"));
    check(fits);
    check_refused(finish(), 1, HAUL_PROTOCOL);
    begin();
    fits = raw_batch_delete_range(&writer, family_id, text_slice("c"), text_slice("d"));
    check(fits);
    check_refused(finish(), 1, HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_take__merge__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    struct haul_slice batch = single(family_id, "c");
    memory[RAW_BATCH_HEADER_BYTES] = RAW_FAMILY_MERGE;
    check_refused(batch, 1, HAUL_PROTOCOL);
    apply_stream_fini(&stream);
    open_stream(HAUL_LANE_WRITE_BATCH, true);
    check_refused(batch, 1, HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_take__other_family__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_refused(single(0, "c"), 1, HAUL_PROTOCOL);
    check_refused(single(family_id + 1, "c"), 1, HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_take__key_outside_the_range__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_refused(single(family_id, "a"), 1, HAUL_PROTOCOL);
    check_refused(single(family_id, "y"), 1, HAUL_PROTOCOL);
    check_refused(single(family_id, ""), 1, HAUL_PROTOCOL);
    check_status(take(0, 0, single(family_id, "b"), 1), HAUL_OK);
    close_all();
}

static void test_apply_stream_take__keys_not_ascending_in_a_batch__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    begin();
    add_put(family_id, "d", "1");
    add_put(family_id, "c", "2");
    check_refused(finish(), 2, HAUL_PROTOCOL);
    begin();
    add_put(family_id, "d", "1");
    add_put(family_id, "d", "2");
    check_refused(finish(), 2, HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_take__keys_not_ascending_over_batches__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, 0, single(family_id, "d"), 1), HAUL_OK);
    check_status(take(1, 0, single(family_id, "c"), 1), HAUL_PROTOCOL);
    check_status(take(1, 0, single(family_id, "d"), 1), HAUL_PROTOCOL);
    check_status(take(1, 0, single(family_id, "da"), 1), HAUL_OK);
    close_all();
}

/* --- deltas ----------------------------------------------------------------------------------- */

static void test_apply_stream_take__delta_of_every_kind__applied_in_any_order(void)
{
    open_delta();
    rocks_fixture_put(&fixture, family_id, text_slice("m"), text_slice("old"));
    rocks_fixture_put(&fixture, family_id, text_slice("n"), text_slice("old"));
    begin();
    add_put(family_id, "x", "1");
    add_put(family_id, "c", "2");
    check(raw_batch_delete(&writer, family_id, text_slice("m")));
    check(raw_batch_delete_range(&writer, family_id, text_slice("n"), text_slice("y")));
    check(raw_batch_log_data(&writer, text_slice("for readers of the log")));
    add_put(family_id, "p", "3");
    check_status(take(0, 0, finish(), 5), HAUL_OK);
    check_equal(applied, 5);
    check_equal(stream.lane->written_records, 5);
    check(has(family_id, "c") && has(family_id, "p"));
    check(!has(family_id, "m") && !has(family_id, "n") && !has(family_id, "x"));
    close_all();
}

static void test_apply_stream_take__delta__ledger_knows_the_change_of_the_digest(void)
{
    open_delta();
    rocks_fixture_put(&fixture, family_id, text_slice("m"), text_slice("old"));
    struct digest digest = {0};
    digest_add(&digest, NULL, text_slice("m"), text_slice("old"));
    begin();
    check(raw_batch_delete(&writer, family_id, text_slice("m")));
    check(raw_batch_log_data(&writer, text_slice("c")));
    add_put(family_id, "c", "new");
    check_status(take(0, 0, finish(), 2), HAUL_OK);
    struct digest expected = {0};
    digest_add(&expected, NULL, text_slice("c"), text_slice("new"));
    check_status(digest_ledger_join(stream.ledger, family_id, &digest), HAUL_OK);
    check(digest_equal(&digest, &expected));
    close_all();
}

static void test_apply_stream_take__delta_outside_families_or_ranges__protocol(void)
{
    open_delta();
    check_refused(single(0, "c"), 1, HAUL_PROTOCOL);
    check_refused(single(family_id, "a"), 1, HAUL_PROTOCOL);
    check_refused(single(family_id, "y"), 1, HAUL_PROTOCOL);
    begin();
    check(raw_batch_delete(&writer, family_id, text_slice("z")));
    check_refused(finish(), 1, HAUL_PROTOCOL);
    close_all();
}

static void check_delete_range_refused(const char *from, const char *to)
{
    begin();
    check(raw_batch_delete_range(&writer, family_id, text_slice(from), text_slice(to)));
    check_refused(finish(), 1, HAUL_PROTOCOL);
}

static void test_apply_stream_take__delete_range_over_the_bounds__protocol(void)
{
    open_delta();
    check_delete_range_refused("a", "c");
    check_delete_range_refused("c", "z");
    check_delete_range_refused("a", "z");
    close_all();
}

/* RocksDB logs such a batch before it refuses it, and accepts no write after it. */
static void test_apply_stream_take__delete_range_backwards__protocol(void)
{
    open_delta();
    check_delete_range_refused("m", "c");
    check_delete_range_refused("m", "");
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    close_all();
}

/* A family in reverse order has reversed ranges, but digests have not. A range forward in byte
 * order would crash the database. */
static void test_apply_stream_take__delete_range_of_a_reverse_family__protocol(void)
{
    open_reverse(true);
    check_delete_range_refused("b", "d");
    check_delete_range_refused("d", "b");
    check(has(0, "c") && has(0, "d"));
    close_all();
}

/* --- fragments -------------------------------------------------------------------------------- */

/* Bytes [from, to) of the batch in memory, as a fragment. */
static struct haul_slice fragment(size_t total, size_t from, size_t to)
{
    static uint8_t payload[sizeof(memory) + FRAGMENT_HEADER_BYTES];
    fragment_header_encode(total, from, payload);
    memcpy(payload + FRAGMENT_HEADER_BYTES, memory + from, to - from);
    return slice_of(payload, FRAGMENT_HEADER_BYTES + to - from);
}

static void test_apply_stream_take__fragments__applied_with_the_last(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t size = single(family_id, "cccccc").size;
    check_status(take(0, SLOT_FRAGMENT, fragment(size, 0, 7), 0), HAUL_OK);
    check_equal(applied, 0);
    check(!apply_stream_wants_flush(&stream, false));
    check_status(take(1, SLOT_FRAGMENT, fragment(size, 7, size), 1), HAUL_OK);
    check_equal(applied, 1);
    check(has(family_id, "cccccc"));
    check_status(take(2, SLOT_LAST, slice_of(NULL, 0), 0), HAUL_OK);
    close_all();
}

static void test_apply_stream_take__record_count_before_the_last_fragment__corrupt(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t size = single(family_id, "c").size;
    check_status(take(0, SLOT_FRAGMENT, fragment(size, 0, 7), 1), HAUL_CORRUPT);
    check_equal(applied, 0);
    close_all();
}

static void test_apply_stream_take__whole_batch_between_fragments__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t size = single(family_id, "c").size;
    check_status(take(0, SLOT_FRAGMENT, fragment(size, 0, 7), 0), HAUL_OK);
    check_status(take(1, 0, single(family_id, "d"), 1), HAUL_PROTOCOL);
    check(!has(family_id, "d"));
    close_all();
}

static void test_apply_stream_take__last_inside_a_record__protocol(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t size = single(family_id, "c").size;
    check_status(take(0, SLOT_FRAGMENT | SLOT_LAST, fragment(size, 0, 7), 0), HAUL_PROTOCOL);
    check(!stream.finished);
    close_all();
}

static void test_apply_stream_take__joined_batch_is_bad__refused(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t size = single(family_id, "z").size; /* outside */
    check_status(take(0, SLOT_FRAGMENT, fragment(size, 0, 7), 0), HAUL_OK);
    check_status(take(1, SLOT_FRAGMENT, fragment(size, 7, size), 1), HAUL_PROTOCOL);
    check(!fragment_assembly_is_open(&stream.fragments));
    close_all();
}

/* --- the ingest lane -------------------------------------------------------------------------- */

static void test_apply_stream_flush__ingest_lane__visible_only_then(void)
{
    open_snapshot(HAUL_LANE_INGEST);
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    check(!has(family_id, "c"));
    check_status(apply_stream_flush(&stream, &error), HAUL_OK);
    check(has(family_id, "c"));
    check_equal(count_staged(), 0);
    check_status(apply_stream_flush(&stream, &error), HAUL_OK); /* nothing to do */
    close_all();
}

static void test_apply_stream_wants_flush__table_size_reached__true(void)
{
    open_snapshot(HAUL_LANE_INGEST);
    static char value[2100];
    memset(value, 'v', sizeof(value) - 1);
    begin();
    add_put(family_id, "c", value);
    check_status(take(0, 0, finish(), 1), HAUL_OK);
    check(!apply_stream_wants_flush(&stream, false));
    begin();
    add_put(family_id, "d", value);
    check_status(take(1, 0, finish(), 1), HAUL_OK);
    check(apply_stream_wants_flush(&stream, false));
    check_status(apply_stream_flush(&stream, &error), HAUL_OK);
    check(!apply_stream_wants_flush(&stream, false));
    close_all();
}

static void test_apply_stream_fini__open_table__leaves_no_file(void)
{
    open_snapshot(HAUL_LANE_INGEST);
    check_status(take(0, 0, single(family_id, "c"), 1), HAUL_OK);
    check_equal(count_staged(), 1);
    apply_stream_fini(&stream);
    check_equal(count_staged(), 0);
    check(!has(family_id, "c"));
    close_all();
}

static void test_apply_stream_take__ingest_refused_in_the_middle__nothing_reaches_the_store(void)
{
    open_snapshot(HAUL_LANE_INGEST);
    begin();
    add_put(family_id, "c", "1");
    add_put(family_id, "z", "2");
    check_refused(finish(), 2, HAUL_PROTOCOL);
    apply_stream_fini(&stream);
    check(!has(family_id, "c"));
    check_equal(count_staged(), 0);
    close_all();
}

static void test_apply_stream_init__staging_path_too_long__limit(void)
{
    open_plan();
    static char stem[APPLY_LANE_PATH_BYTES_MAX + 1];
    memset(stem, 's', APPLY_LANE_PATH_BYTES_MAX);
    struct apply_stream_options options = {.store = fixture.store,
                                           .plan = &plan,
                                           .stream = &plan.streams[0],
                                           .lane = apply_lane_table(HAUL_LANE_INGEST),
                                           .staging_stem = stem};
    check_error(apply_stream_init(&stream, &options, &error), HAUL_LIMIT, error);
    close_all();
}

/* --- positions -------------------------------------------------------------------------------- */

static void test_apply_stream_position__of_an_interrupted_stream__goes_on_from_there(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, 0, single(family_id, "d"), 1), HAUL_OK);
    check(stream.dirty);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(!stream.dirty);
    check_equal(position.next_batch, 1);
    apply_stream_fini(&stream);
    open_stream(HAUL_LANE_WRITE_BATCH, false);
    check_status(take(0, 0, single(family_id, "d"), 1), HAUL_OK); /* repeated */
    check_equal(stream.repeated_batches, 1);
    check_status(take(1, 0, single(family_id, "c"), 1), HAUL_PROTOCOL); /* the last key is kept */
    check_status(take(1, SLOT_LAST, single(family_id, "e"), 1), HAUL_OK);
    struct digest expected = {0};
    digest_add(&expected, NULL, text_slice("d"), text_slice("v"));
    digest_add(&expected, NULL, text_slice("e"), text_slice("v"));
    check(digest_equal(&stream.digest, &expected));
    close_all();
}

static void test_apply_stream_position__finished_stream__takes_nothing_more(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take(0, SLOT_LAST, single(family_id, "d"), 1), HAUL_OK);
    check(apply_stream_wants_flush(&stream, false));
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(!apply_stream_wants_flush(&stream, false));
    check(position.finished);
    apply_stream_fini(&stream);
    open_stream(HAUL_LANE_WRITE_BATCH, false);
    check_status(take(1, 0, single(family_id, "e"), 1), HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_position__delta_lane__by_its_own_number(void)
{
    open_delta();
    check_status(take(0, 0, single(family_id, "d"), 1), HAUL_OK);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check_equal(position.stream, PLAN_DELTA_STREAM);
    check_equal(position.last_key.size, 0);
    close_all();
}

/* Everything of the default family. */
static void open_whole(void)
{
    rocks_fixture_open(&fixture);
    struct haul_source_options options = {0};
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    family_id = 0;
    open_stream(HAUL_LANE_WRITE_BATCH, false);
}

static void test_apply_stream_position__only_the_empty_key__is_a_key(void)
{
    open_whole();
    check_status(take(0, 0, single(0, ""), 1), HAUL_OK);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(position.resumable && stream_position_has_key(&position));
    check_equal(position.last_key.size, 0);
    apply_stream_fini(&stream);
    open_stream(HAUL_LANE_WRITE_BATCH, false);
    check_status(take(1, 0, single(0, ""), 1), HAUL_PROTOCOL); /* does not ascend */
    check_status(take(1, 0, single(0, "a"), 1), HAUL_OK);
    close_all();
}

/* A restart repeats at most this much of a stream. Each batch has exactly a MiB. */
static void test_apply_stream_wants_flush__32_mib_written__true(void)
{
    enum { MIB = 1 << 20, KEY_BYTES = 2 };
    uint8_t *bytes = malloc(MIB);
    uint8_t *zeros = calloc(1, MIB);
    check_or_stop(bytes != NULL && zeros != NULL);
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    size_t around = RAW_BATCH_HEADER_BYTES + raw_batch_put_size(family_id, KEY_BYTES, MIB) - MIB;
    for (uint64_t number = 0; number < 32; number++) {
        struct raw_batch_writer large;
        char key[KEY_BYTES + 1] = {'c', (char)('0' + number)};
        check(!apply_stream_wants_flush(&stream, false));
        check(apply_stream_wants_flush(&stream, true) == (number > 0)); /* earlier in a pause */
        raw_batch_begin(&large, bytes, MIB);
        check(raw_batch_put(&large, family_id, text_slice(key), slice_of(zeros, MIB - around)));
        struct haul_slice batch = slice_of(bytes, raw_batch_finish(&large));
        check_equal(batch.size, MIB);
        check_status(take(number, 0, batch, 1), HAUL_OK);
    }
    check(apply_stream_wants_flush(&stream, false));
    check_status(apply_stream_flush(&stream, &error), HAUL_OK);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(!apply_stream_wants_flush(&stream, false));
    close_all();
    free(zeros);
    free(bytes);
}

/* A batch of one record with a key of this size. */
static struct haul_slice long_key_ending(size_t key_size, char last, uint8_t **bytes)
{
    struct raw_batch_writer large;
    size_t capacity = RAW_BATCH_HEADER_BYTES + raw_batch_put_size(family_id, key_size, 1);
    uint8_t *key = malloc(key_size);
    *bytes = malloc(capacity);
    check_or_stop(key != NULL && *bytes != NULL);
    memset(key, 'k', key_size);
    key[key_size - 1] = (uint8_t)last;
    raw_batch_begin(&large, *bytes, capacity);
    check(raw_batch_put(&large, family_id, slice_of(key, key_size), text_slice("v")));
    free(key);
    return slice_of(*bytes, raw_batch_finish(&large));
}

static struct haul_slice long_key_batch(size_t key_size, uint8_t **bytes)
{
    return long_key_ending(key_size, 'k', bytes);
}

static void check_long_key(size_t key_size, bool last, bool resumable)
{
    uint8_t *bytes = NULL;
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    struct haul_slice batch = long_key_batch(key_size, &bytes);
    check_status(take(0, last ? SLOT_LAST : 0, batch, 1), HAUL_OK);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(position.resumable == resumable);
    check_equal(position.finished, last);
    check_equal(position.last_key.size, last || !resumable ? 0 : key_size);
    free(bytes);
    close_all();
}

static enum haul_status take_long_key(uint64_t number, char last)
{
    uint8_t *bytes = NULL;
    struct haul_slice batch = long_key_ending((size_t)1 << 20, last, &bytes);
    enum haul_status status = take(number, 0, batch, 1);
    free(bytes);
    return status;
}

/* Many streams with long keys would need much memory. */
static void test_apply_stream_take__long_keys__only_their_beginning_is_kept(void)
{
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_status(take_long_key(0, 'a'), HAUL_OK);
    check_equal(stream.last_key_size, POSITION_KEY_BYTES_MAX);
    check(stream.last_key_capacity <= 2 * POSITION_KEY_BYTES_MAX);
    check_status(take_long_key(1, 'b'), HAUL_OK);
    check_status(take(2, 0, single(family_id, "ka"), 1), HAUL_PROTOCOL);
    check_status(take(2, 0, single(family_id, "l"), 1), HAUL_OK);
    check_status(take_long_key(3, 'c'), HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_take__long_keys_of_a_reverse_family__go_down(void)
{
    open_reverse(false);
    check_status(take_long_key(0, 'b'), HAUL_OK);
    check_status(take_long_key(1, 'a'), HAUL_OK);
    check_status(take(2, 0, single(0, "l"), 1), HAUL_PROTOCOL);
    check_status(take(2, 0, single(0, "kk"), 1), HAUL_OK);
    check_status(take_long_key(3, 'a'), HAUL_PROTOCOL);
    close_all();
}

static void test_apply_stream_position__long_last_key__only_a_finished_stream_is_told(void)
{
    check_long_key(POSITION_KEY_BYTES_MAX, false, true);
    check_long_key(POSITION_KEY_BYTES_MAX + 1, false, false);
    check_long_key(HAUL_KEY_BYTES_MAX, true, true);
}

static void test_apply_stream_take__key_beyond_the_largest__protocol(void)
{
    uint8_t *bytes = NULL;
    open_snapshot(HAUL_LANE_WRITE_BATCH);
    check_refused(long_key_batch((size_t)HAUL_KEY_BYTES_MAX + 1, &bytes), 1, HAUL_PROTOCOL);
    free(bytes);
    close_all();
}

static void test_apply_stream_take__reverse_family__keys_have_to_descend(void)
{
    open_reverse(false);
    check_status(take(0, 0, single(0, "x"), 1), HAUL_OK);
    check_status(take(1, 0, single(0, "y"), 1), HAUL_PROTOCOL);
    check_status(take(1, 0, single(0, "x"), 1), HAUL_PROTOCOL);
    check_status(take(1, 0, single(0, "w"), 1), HAUL_OK);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(position.resumable);
    check_status(take(2, 0, single(0, ""), 1), HAUL_OK); /* the last of all */
    stream_position_fini(&position);
    check_status(apply_stream_position(&stream, &position), HAUL_OK);
    check(!position.resumable);
    close_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_apply_stream_take__batches_in_order__records_in_the_store),
    CHECK_TEST(test_apply_stream_take__batch_again__dropped_and_counted),
    CHECK_TEST(test_apply_stream_take__batch_skipped__protocol),
    CHECK_TEST(test_apply_stream_take__batch_behind_the_last__protocol),
    CHECK_TEST(test_apply_stream_take__record_count_lies__corrupt),
    CHECK_TEST(test_apply_stream_take__torn_at_every_byte__corrupt),
    CHECK_TEST(test_apply_stream_take__bytes_behind_the_records__corrupt),
    CHECK_TEST(test_apply_stream_take__bad_record_behind_good_ones__none_applied),
    CHECK_TEST(test_apply_stream_take__snapshot_with_a_deletion__protocol),
    CHECK_TEST(test_apply_stream_take__merge__protocol),
    CHECK_TEST(test_apply_stream_take__other_family__protocol),
    CHECK_TEST(test_apply_stream_take__key_outside_the_range__protocol),
    CHECK_TEST(test_apply_stream_take__keys_not_ascending_in_a_batch__protocol),
    CHECK_TEST(test_apply_stream_take__keys_not_ascending_over_batches__protocol),
    CHECK_TEST(test_apply_stream_take__delta_of_every_kind__applied_in_any_order),
    CHECK_TEST(test_apply_stream_take__delta__ledger_knows_the_change_of_the_digest),
    CHECK_TEST(test_apply_stream_take__delta_outside_families_or_ranges__protocol),
    CHECK_TEST(test_apply_stream_take__delete_range_over_the_bounds__protocol),
    CHECK_TEST(test_apply_stream_take__delete_range_backwards__protocol),
    CHECK_TEST(test_apply_stream_take__delete_range_of_a_reverse_family__protocol),
    CHECK_TEST(test_apply_stream_take__fragments__applied_with_the_last),
    CHECK_TEST(test_apply_stream_take__record_count_before_the_last_fragment__corrupt),
    CHECK_TEST(test_apply_stream_take__whole_batch_between_fragments__protocol),
    CHECK_TEST(test_apply_stream_take__last_inside_a_record__protocol),
    CHECK_TEST(test_apply_stream_take__joined_batch_is_bad__refused),
    CHECK_TEST(test_apply_stream_flush__ingest_lane__visible_only_then),
    CHECK_TEST(test_apply_stream_wants_flush__table_size_reached__true),
    CHECK_TEST(test_apply_stream_fini__open_table__leaves_no_file),
    CHECK_TEST(test_apply_stream_take__ingest_refused_in_the_middle__nothing_reaches_the_store),
    CHECK_TEST(test_apply_stream_init__staging_path_too_long__limit),
    CHECK_TEST(test_apply_stream_position__of_an_interrupted_stream__goes_on_from_there),
    CHECK_TEST(test_apply_stream_position__finished_stream__takes_nothing_more),
    CHECK_TEST(test_apply_stream_position__delta_lane__by_its_own_number),
    CHECK_TEST(test_apply_stream_position__only_the_empty_key__is_a_key),
    CHECK_TEST(test_apply_stream_take__long_keys__only_their_beginning_is_kept),
    CHECK_TEST(test_apply_stream_take__long_keys_of_a_reverse_family__go_down),
    CHECK_TEST(test_apply_stream_wants_flush__32_mib_written__true),
    CHECK_TEST(test_apply_stream_position__long_last_key__only_a_finished_stream_is_told),
    CHECK_TEST(test_apply_stream_take__key_beyond_the_largest__protocol),
    CHECK_TEST(test_apply_stream_take__reverse_family__keys_have_to_descend),
};

CHECK_MAIN("apply_stream", tests)
