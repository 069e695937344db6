/* SPDX-License-Identifier: Apache-2.0 */
/* test_space_limit.c — the space that must stay free, by default and as given. */
#include <string.h>

#include "check.h"
#include "space_limit.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct haul_space disk;
static enum haul_status answer;
static struct haul_error error;
static uint64_t others; /* what other jobs will still write */

static enum haul_status tell_space(struct haul_store *store, struct haul_space *space,
                                   struct haul_error *why)
{
    (void)store;
    (void)why;
    *space = disk;
    return answer;
}

static const struct haul_store_ops ops = {.space = tell_space};
static struct haul_store store = {.ops = &ops};

static void set_disk(uint64_t total_bytes, uint64_t free_bytes)
{
    disk = (struct haul_space){.free_bytes = free_bytes, .total_bytes = total_bytes};
    answer = HAUL_OK;
    others = 0;
    memset(&error, 0, sizeof(error));
}

static enum haul_status look(uint64_t keep_bytes)
{
    return space_limit_check(&store, keep_bytes, &error);
}

static enum haul_status look_at_plan(uint64_t keep_bytes, uint64_t first, uint64_t second)
{
    struct plan_stream streams[] = {{.bytes = first}, {.bytes = second}};
    struct plan plan = {.streams = streams, .stream_count = 2, .family_count = 2};
    return space_limit_check_plan(&store, keep_bytes, &plan, HAUL_LANE_INGEST, others, &error);
}

static enum haul_status look_at_batches(uint64_t bytes)
{
    struct plan_stream stream = {.bytes = bytes};
    struct plan plan = {.streams = &stream, .stream_count = 1, .family_count = 2};
    return space_limit_check_plan(&store, 1, &plan, HAUL_LANE_WRITE_BATCH, 0, &error);
}

static void test_space_limit_check__large_disk__five_per_cent_are_kept(void)
{
    set_disk(100 * GIB, 5 * GIB);
    check_status(look(0), HAUL_OK);
    set_disk(100 * GIB, 5 * GIB - 1);
    check_status(look(0), HAUL_NO_SPACE);
}

static void test_space_limit_check__middling_disk__one_gib_is_kept(void)
{
    set_disk(12 * GIB, GIB);
    check_status(look(0), HAUL_OK);
    set_disk(12 * GIB, GIB - 1);
    check_status(look(0), HAUL_NO_SPACE);
}

static void test_space_limit_check__small_disk__a_tenth_is_kept(void)
{
    set_disk(100 * MIB, 10 * MIB);
    check_status(look(0), HAUL_OK);
    set_disk(100 * MIB, 10 * MIB - 1);
    check_status(look(0), HAUL_NO_SPACE);
    check(strstr(error.text, "9 MiB are free, and 10 MiB are kept") != NULL);
    check(strstr(error.hint, "--keep-free") != NULL);
}

static void test_space_limit_check__given__nothing_else_counts(void)
{
    set_disk(100 * GIB, MIB);
    check_status(look(MIB), HAUL_OK);
    check_status(look(1), HAUL_OK);
    check_status(look(MIB + 1), HAUL_NO_SPACE);
}

/* Records are in the log, and must become table files before the log can go. */
static void test_space_limit_check__bytes_in_memory__need_room_too(void)
{
    set_disk(100 * GIB, 12 * MIB);
    disk.unwritten_bytes = 8 * MIB;
    check_status(look(4 * MIB), HAUL_OK);
    check_status(look(4 * MIB + 1), HAUL_NO_SPACE);
    check(strstr(error.text, "8 MiB of them for what is in memory") != NULL);
    check_status(look_at_plan(2 * MIB, MIB, MIB), HAUL_OK);
    check_status(look_at_plan(2 * MIB, MIB, MIB + 1), HAUL_NO_SPACE);
}

/* 8 MiB are in the log and, with their headers, 9 MiB in memory. */
static void test_space_limit_check_plan__write_batches__log_and_memory_at_once(void)
{
    set_disk(100 * GIB, 17 * MIB + 1);
    disk.family_memory_bytes = 64 * MIB;
    check_status(look_at_batches(8 * MIB), HAUL_OK);
    disk.free_bytes--;
    check_status(look_at_batches(8 * MIB), HAUL_NO_SPACE);
    check(strstr(error.text, "9 MiB of them for the log and what is in memory") != NULL);
    check_status(look_at_plan(1, 4 * MIB, 4 * MIB), HAUL_OK); /* table files */
}

static void test_space_limit_check_plan__write_batches__no_more_in_memory_than_buffers(void)
{
    set_disk(100 * GIB, 1000 * MIB + 2 * 16 * MIB + 1);
    disk.family_memory_bytes = 16 * MIB;
    check_status(look_at_batches(1000 * MIB), HAUL_OK);
    disk.free_bytes--;
    check_status(look_at_batches(1000 * MIB), HAUL_NO_SPACE);
}

static void test_space_limit_check_plan__write_batches__log_file_as_allocated(void)
{
    set_disk(100 * GIB, 79 * MIB + 1);
    disk.family_memory_bytes = 64 * MIB;
    disk.log_ahead_bytes = 70 * MIB;
    check_status(look_at_batches(8 * MIB), HAUL_OK);
    disk.free_bytes--;
    check_status(look_at_batches(8 * MIB), HAUL_NO_SPACE);
    disk.free_bytes = 69 * MIB; /* too little for it: the file grows with what is written */
    check_status(look_at_batches(8 * MIB), HAUL_OK);
    check_status(look_at_batches(UINT64_MAX), HAUL_NO_SPACE);
}

static void test_space_limit_check__space_is_not_known__no_limit(void)
{
    set_disk(0, 0);
    answer = HAUL_IO;
    check_status(look(GIB), HAUL_OK);
    static const struct haul_store_ops silent = {.space = NULL};
    struct haul_store other = {.ops = &silent};
    check_status(space_limit_check(&other, GIB, &error), HAUL_OK);
}

static void test_space_limit_check_plan__all_streams_count__refused_when_they_do_not_fit(void)
{
    set_disk(100 * GIB, 20 * GIB);
    check_status(look_at_plan(10 * GIB, 4 * GIB, 6 * GIB), HAUL_OK);
    check_status(look_at_plan(10 * GIB, 4 * GIB, 6 * GIB + 1), HAUL_NO_SPACE);
    check(strstr(error.text, "about 10240 MiB are to come, and the target has 20480 MiB free") !=
          NULL);
}

static void test_space_limit_check_plan__other_jobs__their_rest_counts(void)
{
    set_disk(100 * GIB, 20 * GIB);
    others = 6 * GIB;
    check_status(look_at_plan(10 * GIB, 2 * GIB, 2 * GIB), HAUL_OK);
    check_status(look_at_plan(10 * GIB, 2 * GIB, 2 * GIB + 1), HAUL_NO_SPACE);
    check(strstr(error.text, "about 4096 MiB are to come, 6144 MiB more of other jobs, and") !=
          NULL);
    others = UINT64_MAX;
    check_status(look_at_plan(10 * GIB, 2 * GIB, 2 * GIB), HAUL_NO_SPACE);
}

/* The numbers come from a peer. */
static void test_space_limit_check_plan__bytes_beyond_all_numbers__refused(void)
{
    set_disk(100 * GIB, 20 * GIB);
    check_status(look_at_plan(1, UINT64_MAX, 10), HAUL_NO_SPACE);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_space_limit_check__large_disk__five_per_cent_are_kept),
    CHECK_TEST(test_space_limit_check__middling_disk__one_gib_is_kept),
    CHECK_TEST(test_space_limit_check__small_disk__a_tenth_is_kept),
    CHECK_TEST(test_space_limit_check__given__nothing_else_counts),
    CHECK_TEST(test_space_limit_check__bytes_in_memory__need_room_too),
    CHECK_TEST(test_space_limit_check_plan__write_batches__log_and_memory_at_once),
    CHECK_TEST(test_space_limit_check_plan__write_batches__no_more_in_memory_than_buffers),
    CHECK_TEST(test_space_limit_check_plan__write_batches__log_file_as_allocated),
    CHECK_TEST(test_space_limit_check__space_is_not_known__no_limit),
    CHECK_TEST(test_space_limit_check_plan__all_streams_count__refused_when_they_do_not_fit),
    CHECK_TEST(test_space_limit_check_plan__other_jobs__their_rest_counts),
    CHECK_TEST(test_space_limit_check_plan__bytes_beyond_all_numbers__refused),
};

CHECK_MAIN("space_limit", tests)
