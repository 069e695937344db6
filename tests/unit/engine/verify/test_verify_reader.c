/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_reader.c — pieces of a family: the same chunk by chunk as in one scan, from any
 * position, and within ranges. */
#include "verify_reader.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/verify.h"
#include "rocks_fixture.h"

enum { RECORDS = 9000, VALUE_BYTES = 1000 };

static struct rocks_fixture database;
static struct verify_reader reader;
static struct verify_chunk chunk;
static struct haul_error error;

static void open_filled(void)
{
    memset(&reader, 0, sizeof(reader));
    memset(&chunk, 0, sizeof(chunk));
    rocks_fixture_open(&database);
    rocks_fixture_fill(&database, 0, "k", RECORDS, VALUE_BYTES);
}

static void close_all(void)
{
    verify_chunk_clear(&chunk);
    verify_reader_fini(&reader);
    rocks_fixture_close(&database);
}

static void begin(const struct verify_reading *reading)
{
    verify_reader_fini(&reader);
    check_status(verify_reader_init(&reader, database.store, reading, &error), HAUL_OK);
}

/* All that is left; how many chunks and pieces it took. */
static struct digest read_all(size_t *chunks, size_t *pieces)
{
    struct digest digest = {0};
    *chunks = 0;
    *pieces = 0;
    do {
        verify_chunk_clear(&chunk);
        check_or_stop(verify_reader_next(&reader, NULL, &chunk, &error) == HAUL_OK);
        for (size_t i = 0; i < chunk.count; i++) {
            digest_join(&digest, &chunk.pieces[i].digest);
        }
        ++*chunks;
        *pieces += chunk.count;
    } while (!chunk.ended);
    return digest;
}

static struct haul_family_result scan_of(const struct haul_range *range)
{
    static struct haul_family_result results[HAUL_FAMILY_COUNT_MAX];
    struct haul_verify_options options = {.ranges = range, .range_count = range == NULL ? 0 : 1};
    size_t count = 0;
    check_or_stop(haul_verify_scan(database.store, &options, results, &count, &error) == HAUL_OK);
    return results[0];
}

static void check_same(const struct digest *digest, const struct haul_family_result *result)
{
    char text[DIGEST_TEXT_BYTES];
    digest_format(digest, text);
    check_equal(digest->count, result->records);
    check_equal(digest->bytes, result->bytes);
    check_text(text, result->digest);
}

static void test_verify_reader_next__several_chunks__what_one_scan_finds(void)
{
    open_filled();
    size_t chunks = 0;
    size_t pieces = 0;
    begin(&(struct verify_reading){.family = "default"});
    struct digest digest = read_all(&chunks, &pieces);
    struct haul_family_result scan = scan_of(NULL);
    check_same(&digest, &scan);
    check(chunks >= 2 && chunks <= 4); /* of 4 MiB each */
    check(pieces > RECORDS / VERIFY_PIECE_RECORDS / 2);
    check(pieces < RECORDS / VERIFY_PIECE_RECORDS * 2);
    close_all();
}

static void test_verify_reader_next__single__each_record_with_its_key(void)
{
    open_filled();
    size_t chunks = 0;
    size_t pieces = 0;
    begin(&(struct verify_reading){.family = "default", .single = true, .with_keys = true});
    check_or_stop(verify_reader_next(&reader, NULL, &chunk, &error) == HAUL_OK);
    check_equal(chunk.count, VERIFY_PIECE_COUNT_MAX);
    check_equal(chunk.pieces[1].digest.count, 1);
    check(slice_compare(chunk.pieces[1].key, text_slice("k00000001")) == 0);
    (void)read_all(&chunks, &pieces);
    check_equal(pieces, RECORDS - VERIFY_PIECE_COUNT_MAX);
    close_all();
}

/* What follows a piece is the same, whether a reader came from the start or begins there. */
static void test_verify_reader_init__from_behind_a_piece__the_rest(void)
{
    open_filled();
    size_t chunks = 0;
    size_t pieces = 0;
    begin(&(struct verify_reading){.family = "default", .with_keys = true});
    check_or_stop(verify_reader_next(&reader, NULL, &chunk, &error) == HAUL_OK);
    check_or_stop(chunk.count > 8);
    struct digest before = {0};
    for (size_t i = 0; i <= 7; i++) {
        digest_join(&before, &chunk.pieces[i].digest);
    }
    struct verify_place place = {.behind_key = true};
    check_or_stop(verify_key_copy(chunk.pieces[7].key, &place.key));
    struct digest next = chunk.pieces[8].digest;
    begin(&(struct verify_reading){.family = "default", .from = &place});
    verify_chunk_clear(&chunk);
    check_or_stop(verify_reader_next(&reader, NULL, &chunk, &error) == HAUL_OK);
    check(digest_equal(&chunk.pieces[0].digest, &next));
    begin(&(struct verify_reading){.family = "default", .from = &place});
    struct digest digest = read_all(&chunks, &pieces);
    digest_join(&digest, &before);
    struct haul_family_result scan = scan_of(NULL);
    check_same(&digest, &scan);
    verify_key_free(&place.key);
    close_all();
}

/* The position's key may have gone meanwhile. */
static void test_verify_reader_next__key_of_the_place_was_deleted__goes_on_behind_it(void)
{
    open_filled();
    struct verify_place place = {.behind_key = true, .key = text_slice("k00000009")};
    rocks_fixture_delete(&database, 0, place.key);
    begin(&(struct verify_reading){
        .family = "default", .single = true, .with_keys = true, .from = &place});
    check_or_stop(verify_reader_next(&reader, NULL, &chunk, &error) == HAUL_OK);
    check(slice_compare(chunk.pieces[0].key, text_slice("k00000010")) == 0);
    close_all();
}

static void test_verify_reader_next__two_ranges__pieces_end_with_them(void)
{
    open_filled();
    const struct haul_range ranges[] = {{text_slice("k00000010"), text_slice("k00000013")},
                                        {text_slice("k00008998"), {NULL, 0}}};
    begin(&(struct verify_reading){
        .family = "default", .ranges = ranges, .range_count = 2, .single = true});
    check_status(verify_reader_next(&reader, NULL, &chunk, &error), HAUL_OK);
    check_equal(chunk.count, 5);
    check_equal(chunk.pieces[2].range, 0);
    check_equal(chunk.pieces[3].range, 1);
    check(chunk.ended);
    verify_chunk_clear(&chunk);
    begin(&(struct verify_reading){.family = "default", .ranges = ranges, .range_count = 1});
    size_t chunks = 0;
    size_t pieces = 0;
    struct digest digest = read_all(&chunks, &pieces);
    struct haul_family_result scan = scan_of(&ranges[0]);
    check_same(&digest, &scan);
    close_all();
}

static void test_verify_reader_next__nothing_there__ended_without_a_piece(void)
{
    memset(&reader, 0, sizeof(reader));
    rocks_fixture_open(&database);
    begin(&(struct verify_reading){.family = "default"});
    check_status(verify_reader_next(&reader, NULL, &chunk, &error), HAUL_OK);
    check_equal(chunk.count, 0);
    check(chunk.ended);
    close_all();
}

static bool take_no_step(void *context)
{
    (void)context;
    return false;
}

static void test_verify_reader_next__no_step_is_to_be_taken__stopped(void)
{
    open_filled();
    const struct haul_steps steps = {.next = take_no_step};
    begin(&(struct verify_reading){.family = "default"});
    check_error(verify_reader_next(&reader, &steps, &chunk, &error), HAUL_STOPPED, error);
    close_all();
}

static void check_refused(const struct verify_reading *reading, enum haul_status status)
{
    struct verify_reader refused;
    check_status(verify_reader_init(&refused, database.store, reading, &error), status);
}

static void test_verify_reader_init__what_there_is_not__refused(void)
{
    open_filled();
    const struct haul_range backwards = {text_slice("b"), text_slice("a")};
    const struct verify_place beyond = {.range = 1};
    check_refused(&(struct verify_reading){.family = "other"}, HAUL_NOT_FOUND);
    check_refused(
        &(struct verify_reading){.family = "default", .ranges = &backwards, .range_count = 1},
        HAUL_INVALID);
    check_refused(&(struct verify_reading){.family = "default", .from = &beyond}, HAUL_INVALID);
    close_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verify_reader_next__several_chunks__what_one_scan_finds),
    CHECK_TEST(test_verify_reader_next__single__each_record_with_its_key),
    CHECK_TEST(test_verify_reader_init__from_behind_a_piece__the_rest),
    CHECK_TEST(test_verify_reader_next__key_of_the_place_was_deleted__goes_on_behind_it),
    CHECK_TEST(test_verify_reader_next__two_ranges__pieces_end_with_them),
    CHECK_TEST(test_verify_reader_next__nothing_there__ended_without_a_piece),
    CHECK_TEST(test_verify_reader_next__no_step_is_to_be_taken__stopped),
    CHECK_TEST(test_verify_reader_init__what_there_is_not__refused),
};

CHECK_MAIN("verify_reader", tests)
