/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c — plans from a real database, and plans from a peer that may send anything. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

enum { VALUE_BYTES = 1000, RECORD_COUNT = 4000 };

static struct rocks_fixture fixture;
static struct plan plan;
static struct plan other;
static struct message message;
static struct haul_error error;
static const struct haul_slice none;

static struct haul_range range_of(const char *start, const char *end)
{
    return (struct haul_range){text_slice(start), text_slice(end)};
}

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    (void)rocks_fixture_family(&fixture, "users");
    (void)rocks_fixture_family(&fixture, "index");
    memset(&error, 0, sizeof(error));
}

static enum haul_status make(const struct haul_source_options *options, uint64_t stream_bytes)
{
    return plan_make(&plan, fixture.store, options, stream_bytes, &error);
}

static void close_all(void)
{
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static bool is_key(struct haul_slice key, const char *text)
{
    return slice_compare(key, text_slice(text)) == 0;
}

/* A failed plan_make leaves nothing to free. */
static void check_empty(const struct plan *made)
{
    static const struct plan empty;
    check(made->families == empty.families && made->ranges == empty.ranges);
    check(made->streams == empty.streams);
    check_equal(made->stream_count, 0);
}

/* --- making ----------------------------------------------------------------------------------- */

static void test_plan_make__no_options__every_family_whole(void)
{
    open_fixture();
    struct haul_source_options options = {.overwrite = true, .lane = HAUL_LANE_WRITE_BATCH};
    check_status(make(&options, 0), HAUL_OK);
    check_equal(plan.family_count, 3);
    check_equal(plan.range_count, 1);
    check_equal(plan.stream_count, 3);
    check_equal(key_range_end(&plan.ranges[0]).size, 0);
    check(plan.overwrite);
    check_equal(plan.lane, HAUL_LANE_WRITE_BATCH);
    close_all();
}

static void test_plan_make__metadata_family__comes_first(void)
{
    open_fixture();
    const char *metadata = "index";
    struct haul_source_options options = {.metadata_families = &metadata,
                                          .metadata_family_count = 1};
    check_status(make(&options, 0), HAUL_OK);
    check_equal(plan.family_count, 3);
    check_text(plan.families[0].family.name, "index");
    check(plan.families[0].metadata);
    check(!plan.families[1].metadata && !plan.families[2].metadata);
    check_equal(plan.streams[0].family, 0);
    close_all();
}

static void test_plan_make__family_named_twice__taken_once(void)
{
    open_fixture();
    const char *names[] = {"users", "users"};
    struct haul_source_options options = {.families = names, .family_count = 2};
    check_status(make(&options, 0), HAUL_OK);
    check_equal(plan.family_count, 1);
    check_text(plan.families[0].family.name, "users");
    close_all();
}

static void test_plan_make__unknown_family__not_found_by_name(void)
{
    open_fixture();
    const char *name = "nobody";
    struct haul_source_options options = {.families = &name, .family_count = 1};
    check_status(make(&options, 0), HAUL_NOT_FOUND);
    check(strstr(error.text, "nobody") != NULL);
    check(strstr(error.hint, "list_column_families") != NULL);
    check_empty(&plan);
    options = (struct haul_source_options){.metadata_families = &name, .metadata_family_count = 1};
    check_status(make(&options, 0), HAUL_NOT_FOUND);
    check_empty(&plan);
    close_all();
}

static void test_plan_make__ranges_in_any_order__sorted(void)
{
    open_fixture();
    struct haul_range ranges[] = {range_of("m", ""), range_of("a", "c"), range_of("c", "m")};
    struct haul_source_options options = {.ranges = ranges, .range_count = 3};
    check_status(make(&options, 0), HAUL_OK);
    check_equal(plan.range_count, 3);
    check(is_key(key_range_start(&plan.ranges[0]), "a"));
    check(is_key(key_range_start(&plan.ranges[1]), "c"));
    check(is_key(key_range_start(&plan.ranges[2]), "m"));
    check_equal(plan.stream_count, 9);
    close_all();
}

static void test_plan_make__overlapping_ranges__invalid(void)
{
    open_fixture();
    struct haul_range overlap[] = {range_of("a", "n"), range_of("m", "z")};
    struct haul_source_options options = {.ranges = overlap, .range_count = 2};
    check_status(make(&options, 0), HAUL_INVALID);
    check(strstr(error.text, "one begins at key 'm', and the one before it ends at key 'n'") !=
          NULL);
    check(strstr(error.hint, "cover each key by one range") != NULL);
    check_empty(&plan);
    struct haul_range unbounded[] = {range_of("b", "c"), range_of("a", "")};
    options.ranges = unbounded;
    check_status(make(&options, 0), HAUL_INVALID);
    check_empty(&plan);
    close_all();
}

static void test_plan_make__range_that_ends_before_it_starts__invalid(void)
{
    open_fixture();
    struct haul_range ranges[] = {range_of("a", "b"), range_of("z", "m")};
    struct haul_source_options options = {.ranges = ranges, .range_count = 2};
    check_status(make(&options, 0), HAUL_INVALID);
    check_empty(&plan);
    close_all();
}

static void test_plan_make__longest_bound_and_one_more__ok_and_invalid(void)
{
    open_fixture();
    static uint8_t bound[PLAN_RANGE_KEY_BYTES_MAX + 1];
    memset(bound, 'k', sizeof(bound));
    struct haul_range range = {none, slice_of(bound, PLAN_RANGE_KEY_BYTES_MAX)};
    struct haul_source_options options = {.ranges = &range, .range_count = 1};
    check_status(make(&options, 0), HAUL_OK);
    plan_fini(&plan);
    range.end.size++;
    check_status(make(&options, 0), HAUL_INVALID);
    check_empty(&plan);
    close_all();
}

static void test_plan_make__more_ranges_than_allowed__unsupported(void)
{
    open_fixture();
    struct haul_range *ranges = calloc(HAUL_RANGE_COUNT_MAX + 1, sizeof(*ranges));
    struct haul_source_options options = {.ranges = ranges,
                                          .range_count = HAUL_RANGE_COUNT_MAX + 1};
    check_status(make(&options, 0), HAUL_UNSUPPORTED);
    check(strstr(error.hint, "several jobs") != NULL);
    check_empty(&plan);
    free(ranges);
    close_all();
}

static void test_plan_make__more_streams_than_allowed__unsupported(void)
{
    open_fixture();
    (void)rocks_fixture_family(&fixture, "fourth");
    (void)rocks_fixture_family(&fixture, "fifth");
    static uint8_t bounds[HAUL_RANGE_COUNT_MAX][4];
    static struct haul_range ranges[HAUL_RANGE_COUNT_MAX];
    for (size_t i = 0; i < HAUL_RANGE_COUNT_MAX; i++) {
        bounds[i][2] = (uint8_t)(i >> 8);
        bounds[i][3] = (uint8_t)i;
        ranges[i].start = slice_of(bounds[i], 4);
        ranges[i].end = i + 1 < HAUL_RANGE_COUNT_MAX ? slice_of(bounds[i + 1], 4) : none;
    }
    struct haul_source_options options = {.ranges = ranges, .range_count = HAUL_RANGE_COUNT_MAX};
    check_status(make(&options, 0), HAUL_UNSUPPORTED); /* 5 families x 1024 ranges */
    check(strstr(error.text, "4096") != NULL);
    check_empty(&plan);
    close_all();
}

static void test_plan_make__much_data__streams_cover_the_range_without_a_hole(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", RECORD_COUNT, VALUE_BYTES);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    const char *name = "default";
    struct haul_range range = range_of("a", "z");
    struct haul_source_options options = {
        .families = &name, .family_count = 1, .ranges = &range, .range_count = 1};
    check_status(make(&options, 512 << 10), HAUL_OK);
    check(plan.stream_count >= 4 && plan.stream_count <= 12); /* 4 MB by 512 KiB */
    check(is_key(key_range_start(&plan.streams[0].range), "a"));
    for (size_t i = 1; i < plan.stream_count; i++) {
        check(slice_compare(key_range_end(&plan.streams[i - 1].range),
                            key_range_start(&plan.streams[i].range)) == 0);
        check_equal(plan.streams[i].id, i);
    }
    check(is_key(key_range_end(&plan.streams[plan.stream_count - 1].range), "z"));
    close_all();
}

static void test_plan_make__little_or_much__parts_of_a_fitting_size(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", RECORD_COUNT, VALUE_BYTES);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    const char *name = "default";
    struct haul_source_options options = {.families = &name, .family_count = 1};
    check_status(make(&options, 64 << 20), HAUL_OK); /* less than a quarter of one */
    check_equal(plan.stream_count, 1);
    plan_fini(&plan);
    options.reader_count = 8;
    check_status(make(&options, 1 << 20), HAUL_OK); /* quarters, two for each reader at most */
    check(plan.stream_count >= 10 && plan.stream_count <= 16);
    plan_fini(&plan);
    options.reader_count = 1;
    check_status(make(&options, 16 << 20), HAUL_OK); /* one reader needs no smaller ones */
    check_equal(plan.stream_count, 1);
    close_all();
}

/* Keys that differ only after 9,000 bytes: no cut fits into a bound. */
static void test_plan_make__keys_with_a_long_common_part__fewer_streams(void)
{
    static char prefix[9001];
    open_fixture();
    memset(prefix, 'k', sizeof(prefix) - 1);
    rocks_fixture_fill(&fixture, 0, prefix, 400, 100);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    const char *name = "default";
    struct haul_source_options options = {.families = &name, .family_count = 1};
    check_status(make(&options, 512 << 10), HAUL_OK);
    check_equal(plan.stream_count, 1);
    close_all();
}

/* Keys that differ early are cut there; the rest is not needed. */
static void test_plan_make__long_keys_that_differ_early__short_cuts(void)
{
    static uint8_t key[70000];
    open_fixture();
    srand(1);
    for (unsigned i = 0; i < 200; i++) {
        for (size_t at = 1; at < sizeof(key); at++) {
            key[at] = (uint8_t)rand();
        }
        key[0] = (uint8_t)i;
        rocks_fixture_put(&fixture, 0, slice_of(key, sizeof(key)), text_slice("v"));
    }
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    const char *name = "default";
    struct haul_source_options options = {.families = &name, .family_count = 1};
    check_status(make(&options, 1 << 20), HAUL_OK);
    check(plan.stream_count > 4);
    for (size_t i = 1; i < plan.stream_count; i++) {
        check(plan.streams[i].range.start_size <= 64);
    }
    close_all();
}

/* So many long cuts that they do not fit into one control message. */
static void test_plan_make__many_long_cuts__as_many_as_a_message_holds(void)
{
    static char prefix[4001];
    open_fixture();
    memset(prefix, 'k', sizeof(prefix) - 1);
    rocks_fixture_fill(&fixture, 0, prefix, 3000, 4000);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    const char *name = "default";
    struct haul_source_options options = {.families = &name, .family_count = 1};
    check_status(make(&options, 32 << 10), HAUL_OK);
    check(plan.stream_count > 8 && plan.stream_count < 64);
    plan.new_version = 1;
    check_status(plan_to_message(&plan, &message), HAUL_OK);
    uint8_t *bytes = NULL;
    size_t size = 0;
    check_status(message_encode(&message, &bytes, &size), HAUL_OK);
    check(size <= PLAN_BOUNDS_BYTES_MAX);
    free(bytes);
    message_release(&message);
    close_all();
}

static void test_plan_make__more_bounds_than_a_message_holds__unsupported(void)
{
    static uint8_t bounds[64][PLAN_RANGE_KEY_BYTES_MAX];
    static struct haul_range ranges[63];
    open_fixture();
    for (size_t i = 0; i < 64; i++) {
        memset(bounds[i], 'k', sizeof(bounds[i]));
        bounds[i][0] = (uint8_t)i;
    }
    for (size_t i = 0; i < 63; i++) {
        ranges[i] = (struct haul_range){slice_of(bounds[i], sizeof(bounds[i])),
                                        slice_of(bounds[i + 1], sizeof(bounds[i]))};
    }
    struct haul_source_options options = {.ranges = ranges, .range_count = 63};
    check_status(make(&options, 0), HAUL_UNSUPPORTED);
    check(strstr(error.text, "63 ranges in 3 column families") != NULL);
    check_empty(&plan);
    close_all();
}

/* Records so large that cuts are the edges of table files, and the range ends at such an edge. */
static void test_plan_make__range_ends_at_a_table_file__one_stream(void)
{
    open_fixture();
    static uint8_t value[1 << 20];
    const char *keys[] = {"a1", "a2", "a3", "b1", "b2"};
    for (size_t i = 0; i < 5; i++) {
        rocks_fixture_put(&fixture, 0, text_slice(keys[i]), slice_of(value, sizeof(value)));
        if (i == 2 || i == 4) {
            check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
        }
    }
    const char *name = "default";
    struct haul_range range = range_of("a", "b1");
    struct haul_source_options options = {
        .families = &name, .family_count = 1, .ranges = &range, .range_count = 1};
    check_status(make(&options, 256 << 10), HAUL_OK);
    for (size_t i = 1; i < plan.stream_count; i++) {
        check(slice_compare(key_range_start(&plan.streams[i].range), text_slice("b1")) < 0);
    }
    close_all();
}

static void test_plan_make__range_of_a_reverse_family__unsupported(void)
{
    rocks_fixture_make_directory(&fixture);
    struct foreign_database foreign = {.family = "back", .comparator = FOREIGN_REVERSE};
    rocks_foreign_make(fixture.path, &foreign);
    struct haul_rocks_options opening = {0};
    check_or_stop(haul_rocks_store_open(fixture.path, &opening, &fixture.store, &error) == HAUL_OK);
    struct haul_range range = range_of("a", "c");
    struct haul_source_options options = {.ranges = &range, .range_count = 1};
    check_status(make(&options, 0), HAUL_UNSUPPORTED);
    check_empty(&plan);
    options.range_count = 0;
    check_status(make(&options, 1), HAUL_OK);
    close_all();
}

/* --- the wire --------------------------------------------------------------------------------- */

/* The message of a sound plan: two families, two ranges, a stream for each of the four. */
static haul_control_Plan *sound_message(void)
{
    open_fixture();
    static const char *const names[] = {"users", "index"};
    struct haul_range ranges[] = {range_of("a", "c"), range_of("m", "p")};
    struct haul_source_options options = {
        .families = names, .family_count = 2, .ranges = ranges, .range_count = 2};
    check_or_stop(make(&options, 0) == HAUL_OK);
    plan.old_version = 7;
    plan.new_version = 8;
    check_or_stop(plan_to_message(&plan, &message) == HAUL_OK);
    return &message.as.plan;
}

static void check_refused(void)
{
    check_error(plan_from_message(&other, &message, &error), HAUL_PROTOCOL, error);
    check_equal(error.status, HAUL_PROTOCOL);
    check_empty(&other);
    message_release(&message);
    close_all();
}

static void set_bytes(pb_bytes_array_t **bytes, const char *text)
{
    free(*bytes);
    *bytes = message_bytes(text_slice(text));
}

static void set_stream(haul_control_Stream *stream, uint32_t family, const char *start,
                       const char *end)
{
    stream->family = family;
    set_bytes(&stream->start, start);
    set_bytes(&stream->end, end);
}

static void test_plan_from_message__sound__equal_to_what_was_sent(void)
{
    (void)sound_message();
    plan.families[1].metadata = true;
    message_release(&message);
    check_status(plan_to_message(&plan, &message), HAUL_OK);
    check_status(plan_from_message(&other, &message, &error), HAUL_OK);
    check(plan_equal(&plan, &other));
    check_equal(other.families[1].family.id, plan.families[1].family.id);
    check_text(other.families[0].family.comparator, "leveldb.BytewiseComparator");
    check(other.families[1].metadata);
    plan_fini(&other);
    message_release(&message);
    close_all();
}

static void test_plan_from_message__lane_or_versions_bad__protocol(void)
{
    sound_message()->lane = HAUL_LANE_WRITE_BATCH + 1;
    check_refused();
    sound_message()->new_version = 7;
    check_refused();
}

static void test_plan_from_message__families_missing_twice_or_nameless__protocol(void)
{
    sound_message()->families_count = 0;
    check_refused();
    haul_control_Plan *sent = sound_message();
    sent->families[1] = sent->families[0];
    check_refused();
    sound_message()->families[1].name[0] = '\0';
    check_refused();
}

static void test_plan_from_message__ranges_missing_overlapping_or_unordered__protocol(void)
{
    haul_control_Plan *sent = sound_message();
    pb_size_t count = sent->ranges_count;
    sent->ranges_count = 0;
    check_error(plan_from_message(&other, &message, &error), HAUL_PROTOCOL, error);
    sent->ranges_count = count;
    haul_control_Range first = sent->ranges[0];
    sent->ranges[0] = sent->ranges[1];
    sent->ranges[1] = first;
    check_refused();
    set_bytes(&sound_message()->ranges[1].start, "b");
    check_refused();
    set_bytes(&sound_message()->ranges[0].end, "");
    check_refused();
}

static void test_plan_from_message__more_than_allowed_or_none__protocol(void)
{
    haul_control_Plan *sent = sound_message();
    static const pb_size_t none_and_too_many[] = {0, UINT16_MAX};
    for (size_t i = 0; i < CHECK_COUNT(none_and_too_many); i++) {
        pb_size_t counts[] = {sent->families_count, sent->ranges_count, sent->streams_count};
        sent->families_count = none_and_too_many[i];
        check_error(plan_from_message(&other, &message, &error), HAUL_PROTOCOL, error);
        sent->families_count = counts[0];
        sent->ranges_count = none_and_too_many[i];
        check_error(plan_from_message(&other, &message, &error), HAUL_PROTOCOL, error);
        sent->ranges_count = counts[1];
        sent->streams_count = none_and_too_many[i];
        check_error(plan_from_message(&other, &message, &error), HAUL_PROTOCOL, error);
        sent->streams_count = counts[2];
    }
    check_or_stop(plan_from_message(&other, &message, &error) == HAUL_OK);
    plan_fini(&other);
    message_release(&message);
    close_all();
}

/* As many families as a job may have, each with a stream, and one more. */
static void test_plan_from_message__families_at_the_limit__taken_and_not_beyond(void)
{
    for (pb_size_t more = 0; more < 2; more++) {
        const pb_size_t count = HAUL_FAMILY_COUNT_MAX + more;
        struct message many;
        message_init(&many, MESSAGE_PLAN);
        haul_control_Plan *sent = &many.as.plan;
        sent->new_version = 1;
        sent->families = calloc(count, sizeof(*sent->families));
        sent->streams = calloc(count, sizeof(*sent->streams));
        sent->ranges = calloc(1, sizeof(*sent->ranges));
        check_or_stop(sent->families != NULL && sent->streams != NULL && sent->ranges != NULL);
        sent->families_count = sent->streams_count = count;
        sent->ranges_count = 1;
        for (pb_size_t i = 0; i < count; i++) {
            (void)snprintf(sent->families[i].name, sizeof(sent->families[i].name), "f%u",
                           (unsigned)i);
            (void)snprintf(sent->families[i].comparator, sizeof(sent->families[i].comparator),
                           "leveldb.BytewiseComparator");
            sent->streams[i].id = sent->streams[i].family = i;
        }
        check_status(plan_from_message(&other, &many, &error), more ? HAUL_PROTOCOL : HAUL_OK);
        plan_fini(&other);
        message_release(&many);
    }
}

static void test_plan_from_message__start_too_long__protocol(void)
{
    static uint8_t bound[PLAN_RANGE_KEY_BYTES_MAX + 1];
    memset(bound, 'n', sizeof(bound));
    haul_control_Plan *sent = sound_message();
    free(sent->ranges[1].start);
    sent->ranges[1].start = message_bytes(slice_of(bound, sizeof(bound)));
    check_refused();
}

/* The same bounds over the wire as when a plan is made. */
static void test_plan_from_message__longest_bounds__taken(void)
{
    static uint8_t bound[PLAN_RANGE_KEY_BYTES_MAX];
    static uint8_t behind[PLAN_RANGE_KEY_BYTES_MAX];
    memset(bound, 'k', sizeof(bound));
    memset(behind, 'l', sizeof(behind));
    open_fixture();
    struct haul_range range = {slice_of(bound, sizeof(bound)), slice_of(behind, sizeof(behind))};
    struct haul_source_options options = {.ranges = &range, .range_count = 1};
    check_or_stop(make(&options, 0) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(plan_to_message(&plan, &message) == HAUL_OK);
    check_status(plan_from_message(&other, &message, &error), HAUL_OK);
    check(plan_equal(&plan, &other));
    plan_fini(&other);
    message_release(&message);
    close_all();
}

static void test_plan_from_message__bound_too_long_or_before_its_start__protocol(void)
{
    static uint8_t bound[PLAN_RANGE_KEY_BYTES_MAX + 1];
    memset(bound, 'p', sizeof(bound));
    haul_control_Plan *sent = sound_message();
    free(sent->ranges[1].end);
    sent->ranges[1].end = message_bytes(slice_of(bound, sizeof(bound)));
    check_refused();
    set_bytes(&sound_message()->ranges[1].end, "d");
    check_refused();
}

static void test_plan_from_message__stream_outside_the_ranges__protocol(void)
{
    set_stream(&sound_message()->streams[0], 0, "a", "d");
    check_refused();
    set_stream(&sound_message()->streams[1], 0, "m", ""); /* the range ends at "p" */
    check_refused();
    set_stream(&sound_message()->streams[0], 0, "b", "n"); /* across the gap between two */
    check_refused();
}

static void test_plan_from_message__stream_of_no_family_or_wrong_id__protocol(void)
{
    sound_message()->streams[3].family = 2;
    check_refused();
    sound_message()->streams[3].id = 2;
    check_refused();
    sound_message()->streams[0].family = 1; /* families in descending order */
    check_refused();
}

static void test_plan_from_message__streams_overlap__protocol(void)
{
    haul_control_Plan *sent = sound_message();
    set_stream(&sent->streams[0], 0, "a", "c");
    set_stream(&sent->streams[1], 0, "b", "c");
    check_refused();
}

/* The first and the third are the same, with another one between them. */
static void test_plan_from_message__streams_overlap_over_another__protocol(void)
{
    haul_control_Plan *sent = sound_message();
    set_stream(&sent->streams[0], 0, "m", "p");
    set_stream(&sent->streams[1], 0, "a", "c");
    set_stream(&sent->streams[2], 0, "m", "p");
    check_refused();
}

/* Of a plan, only the first ranges and streams. */
static void check_first(haul_control_Plan *sent, pb_size_t ranges, pb_size_t streams,
                        enum haul_status expected)
{
    pb_size_t counts[] = {sent->ranges_count, sent->streams_count};
    sent->ranges_count = ranges;
    sent->streams_count = streams;
    check_status(plan_from_message(&other, &message, &error), expected);
    plan_fini(&other);
    sent->ranges_count = counts[0];
    sent->streams_count = counts[1];
    message_release(&message);
    close_all();
}

/* Ranges without a stream would be handed over all the same: streams must cover everything. */
static void test_plan_from_message__streams_leave_a_gap__protocol(void)
{
    set_stream(&sound_message()->streams[0], 0, "b", "c"); /* before the first */
    check_refused();
    set_stream(&sound_message()->streams[1], 0, "m", "o"); /* after the last of a family */
    check_refused();
    set_stream(&sound_message()->streams[0], 0, "a", "b"); /* after the last of a range */
    check_refused();
    check_first(sound_message(), 2, 3, HAUL_PROTOCOL); /* a range of the last family */
    check_first(sound_message(), 2, 2, HAUL_PROTOCOL); /* all of the last family */
    haul_control_Plan *sent = sound_message();         /* in the middle of a range */
    set_stream(&sent->streams[0], 0, "a", "b");
    set_stream(&sent->streams[1], 0, "bb", "c");
    set_stream(&sent->streams[2], 1, "a", "b");
    set_stream(&sent->streams[3], 1, "b", "c");
    check_first(sent, 1, 4, HAUL_PROTOCOL);
}

static void test_plan_from_message__ranges_cut_into_streams__taken(void)
{
    haul_control_Plan *sent = sound_message();
    set_stream(&sent->streams[0], 0, "a", "b");
    set_stream(&sent->streams[1], 0, "b", "c");
    set_stream(&sent->streams[2], 1, "a", "bb");
    set_stream(&sent->streams[3], 1, "bb", "c");
    check_first(sent, 1, 4, HAUL_OK);
}

/* --- comparing -------------------------------------------------------------------------------- */

static void test_plan_equal__one_thing_changed__differs(void)
{
    haul_control_Plan *sent = sound_message();
    check_or_stop(plan_from_message(&other, &message, &error) == HAUL_OK);
    other.new_version++;
    check(plan_equal(&plan, &other)); /* each attempt agrees on a new one */
    other.new_version--;
    other.stream_count--;
    check(!plan_equal(&plan, &other));
    check(plan_is_same_request(&plan, &other));
    other.stream_count++;
    other.family_count--;
    check(!plan_equal(&plan, &other));
    other.family_count++;
    other.range_count--;
    check(!plan_equal(&plan, &other));
    other.range_count++;
    other.families[1].metadata = !other.families[1].metadata;
    check(!plan_equal(&plan, &other));
    other.families[1].metadata = !other.families[1].metadata;
    other.streams[3].family ^= 1;
    check(!plan_equal(&plan, &other));
    other.streams[3].family ^= 1;
    other.families[0].family.name[0] ^= 1;
    check(!plan_equal(&plan, &other));
    other.families[0].family.name[0] ^= 1;
    other.streams[2].range.start[0]++;
    check(!plan_equal(&plan, &other));
    other.streams[2].range.start[0]--;
    other.ranges[1].end[0]++;
    check(!plan_equal(&plan, &other));
    other.ranges[1].end[0]--;
    check(plan_equal(&plan, &other));
    check(sent->streams_count == other.stream_count);
    plan_fini(&other);
    message_release(&message);
    close_all();
}

static void test_plan_contains__keys_around_the_bounds__start_in_end_out(void)
{
    (void)sound_message();
    check(plan_contains(&plan, text_slice("a")) && plan_contains(&plan, text_slice("bzzz")));
    check(!plan_contains(&plan, text_slice("c")) && !plan_contains(&plan, text_slice("")));
    check(plan_contains(&plan, text_slice("m")) && !plan_contains(&plan, text_slice("p")));
    message_release(&message);
    close_all();
}

/* Two jobs conflict if both move the same key of a family. */
static void test_plan_overlaps__families_and_ranges__both_in_common(void)
{
    static const char *const names[] = {"users", "index", "default"};
    const struct haul_range ranges[] = {range_of("a", "c"), range_of("c", "e"), range_of("b", "d")};
    static const struct {
        size_t families[2]; /* first name, count */
        size_t range;
        bool overlaps;
    } cases[] = {{{0, 1}, 0, true}, {{0, 1}, 1, false}, {{0, 1}, 2, true}, {{1, 1}, 0, false},
                 {{0, 2}, 2, true}, {{1, 2}, 2, false}, {{0, 3}, 1, false}};
    open_fixture();
    struct haul_source_options options = {
        .families = names, .family_count = 1, .ranges = ranges, .range_count = 1};
    check_or_stop(make(&options, 0) == HAUL_OK); /* users, a to c */
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        options.families = &names[cases[i].families[0]];
        options.family_count = cases[i].families[1];
        options.ranges = &ranges[cases[i].range];
        check_or_stop(plan_make(&other, fixture.store, &options, 0, &error) == HAUL_OK);
        check_equal(plan_overlaps(&plan, &other), cases[i].overlaps);
        check_equal(plan_overlaps(&other, &plan), cases[i].overlaps);
        plan_fini(&other);
    }
    close_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_plan_make__no_options__every_family_whole),
    CHECK_TEST(test_plan_make__metadata_family__comes_first),
    CHECK_TEST(test_plan_make__family_named_twice__taken_once),
    CHECK_TEST(test_plan_make__unknown_family__not_found_by_name),
    CHECK_TEST(test_plan_make__ranges_in_any_order__sorted),
    CHECK_TEST(test_plan_make__overlapping_ranges__invalid),
    CHECK_TEST(test_plan_make__range_that_ends_before_it_starts__invalid),
    CHECK_TEST(test_plan_make__longest_bound_and_one_more__ok_and_invalid),
    CHECK_TEST(test_plan_make__more_ranges_than_allowed__unsupported),
    CHECK_TEST(test_plan_make__more_streams_than_allowed__unsupported),
    CHECK_TEST(test_plan_make__much_data__streams_cover_the_range_without_a_hole),
    CHECK_TEST(test_plan_make__little_or_much__parts_of_a_fitting_size),
    CHECK_TEST(test_plan_make__keys_with_a_long_common_part__fewer_streams),
    CHECK_TEST(test_plan_make__long_keys_that_differ_early__short_cuts),
    CHECK_TEST(test_plan_make__many_long_cuts__as_many_as_a_message_holds),
    CHECK_TEST(test_plan_make__more_bounds_than_a_message_holds__unsupported),
    CHECK_TEST(test_plan_make__range_ends_at_a_table_file__one_stream),
    CHECK_TEST(test_plan_make__range_of_a_reverse_family__unsupported),
    CHECK_TEST(test_plan_from_message__sound__equal_to_what_was_sent),
    CHECK_TEST(test_plan_from_message__lane_or_versions_bad__protocol),
    CHECK_TEST(test_plan_from_message__families_missing_twice_or_nameless__protocol),
    CHECK_TEST(test_plan_from_message__ranges_missing_overlapping_or_unordered__protocol),
    CHECK_TEST(test_plan_from_message__more_than_allowed_or_none__protocol),
    CHECK_TEST(test_plan_from_message__families_at_the_limit__taken_and_not_beyond),
    CHECK_TEST(test_plan_from_message__start_too_long__protocol),
    CHECK_TEST(test_plan_from_message__longest_bounds__taken),
    CHECK_TEST(test_plan_from_message__bound_too_long_or_before_its_start__protocol),
    CHECK_TEST(test_plan_from_message__stream_outside_the_ranges__protocol),
    CHECK_TEST(test_plan_from_message__stream_of_no_family_or_wrong_id__protocol),
    CHECK_TEST(test_plan_from_message__streams_overlap__protocol),
    CHECK_TEST(test_plan_from_message__streams_overlap_over_another__protocol),
    CHECK_TEST(test_plan_from_message__streams_leave_a_gap__protocol),
    CHECK_TEST(test_plan_from_message__ranges_cut_into_streams__taken),
    CHECK_TEST(test_plan_equal__one_thing_changed__differs),
    CHECK_TEST(test_plan_contains__keys_around_the_bounds__start_in_end_out),
    CHECK_TEST(test_plan_overlaps__families_and_ranges__both_in_common),
};

CHECK_MAIN("plan", tests)
