/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_failures.c — each call of the store and each allocation fails in turn while databases
 * are compared: the step reports it, and nothing stays open. */
#include <stdlib.h>
#include <string.h>

#include "failing_store.h"
#include "haul/verify.h"
#include "target_verify.h"
#include "verify_compare.h"

enum { OTHERS_FAMILY = 1 /* has the records of the other database */ };

static struct haul_store_ops other_ops;
static struct haul_store other;
static struct haul_error error;
static const struct haul_range ranges[] = {
    {.start = {(const uint8_t *)"a", 1}, .end = {(const uint8_t *)"c", 1}},
    {.start = {(const uint8_t *)"m", 1}, .end = {NULL, 0}}};

static enum haul_status open_other(struct haul_store *store, const struct haul_snapshot *snapshot,
                                   uint32_t family_id, struct haul_slice start,
                                   struct haul_slice end, struct haul_scan **scan,
                                   struct haul_error *failed)
{
    (void)family_id;
    return failing_scan_open(store, snapshot, OTHERS_FAMILY, start, end, scan, failed);
}

/* The first ranges are alike; in the second ones, n is missing in the other database. */
static void start(void)
{
    static const char *const families[] = {"others"};
    failing_store_init(families, 1);
    other_ops = failing_ops;
    other_ops.scan_open = open_other;
    other.ops = &other_ops;
    failing_store_put(0, "a");
    failing_store_put(0, "b");
    failing_store_put(0, "m");
    failing_store_put(0, "n");
    failing_store_put(OTHERS_FAMILY, "a");
    failing_store_put(OTHERS_FAMILY, "b");
    failing_store_put(OTHERS_FAMILY, "m");
    memset(&error, 0, sizeof(error));
}

static void look_at_nothing(bool was_failed)
{
    (void)was_failed;
}

static bool is_key(struct haul_slice key, const char *text)
{
    return slice_compare(key, slice_of(text, strlen(text))) == 0;
}

/* --- two stores ------------------------------------------------------------------------------- */

static enum haul_status find(void)
{
    const struct haul_verify_options options = {.ranges = ranges, .range_count = 2};
    struct haul_verify_difference difference = {.in_a = false};
    enum haul_status status = haul_verify_first_difference(&failing.base, &other, &options,
                                                           "default", &difference, &error);
    if (status == HAUL_OK) {
        check(difference.in_a && !difference.in_b && is_key(difference.key, "n"));
        free((void *)(uintptr_t)difference.key.data);
    }
    return status;
}

static void test_haul_verify_first_difference__nth_call_fails__told(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start,
                                             .act = find,
                                             .look = look_at_nothing,
                                             .fixed_path = true,
                                             .store_calls_min = 15};
    failing_sweep(&step);
}

/* --- one store -------------------------------------------------------------------------------- */

static enum haul_status scan(void)
{
    static struct haul_family_result results[HAUL_FAMILY_COUNT_MAX];
    const struct haul_verify_options options = {.ranges = ranges, .range_count = 2};
    size_t count = 0;
    enum haul_status status = haul_verify_scan(&failing.base, &options, results, &count, &error);
    if (status == HAUL_OK) {
        check_equal(count, 2);
        check_equal(results[0].records, 4);
        check_equal(results[1].records, 3);
    }
    return status;
}

static void test_haul_verify_scan__nth_call_fails__told(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start,
                                             .act = scan,
                                             .look = look_at_nothing,
                                             .fixed_path = true,
                                             .store_calls_min = 15};
    failing_sweep(&step);
}

/* --- what a target serves --------------------------------------------------------------------- */

static struct target_verify verify;

static enum haul_status serve(const struct message *request, struct message *answer)
{
    enum haul_status status = target_verify_take(&verify, request, &error);
    if (status == HAUL_OK && target_verify_begin(&verify)) {
        const struct haul_target_options options = {.store = &failing.base};
        status = target_verify_read(&verify, &options, NULL, &error);
    }
    if (status == HAUL_OK) {
        check(target_verify_answer(&verify, answer));
    }
    return status;
}

static enum haul_status list(void)
{
    struct message request;
    struct message answer;
    memset(&verify, 0, sizeof(verify));
    memset(&answer, 0, sizeof(answer));
    message_init(&request, MESSAGE_VERIFY_LIST);
    enum haul_status status = serve(&request, &answer);
    check(status != HAUL_OK || answer.as.verify_families.families_count == 2);
    message_release(&answer);
    target_verify_fini(&verify);
    return status;
}

/* Two ranges record by record, from behind the first record on. */
static struct message scan_request;

static void one_is_requested(void)
{
    start();
    message_init(&scan_request, MESSAGE_VERIFY_SCAN);
    haul_control_VerifyScan *request = &scan_request.as.verify_scan;
    memcpy(request->family, "default", sizeof("default"));
    request->scan = 1;
    request->single = request->continues = true;
    request->after = message_bytes(ranges[0].start);
    request->ranges_count = 2;
    request->ranges = calloc(2, sizeof(*request->ranges));
    check_or_stop(request->ranges != NULL);
    for (size_t i = 0; i < 2; i++) {
        request->ranges[i].start = message_bytes(ranges[i].start);
        request->ranges[i].end = message_bytes(ranges[i].end);
    }
}

static enum haul_status read_records(void)
{
    struct message next;
    struct message answer;
    memset(&verify, 0, sizeof(verify));
    memset(&answer, 0, sizeof(answer));
    enum haul_status status = target_verify_take(&verify, &scan_request, &error);
    message_init(&next, MESSAGE_VERIFY_NEXT);
    next.as.verify_next.scan = 1;
    if (status == HAUL_OK) {
        status = serve(&next, &answer);
    }
    if (status == HAUL_OK) {
        check_equal(answer.as.verify_pieces.pieces_count, 3);
        check(is_key(message_slice(answer.as.verify_pieces.pieces[0].key), "b"));
        check(is_key(message_slice(answer.as.verify_pieces.pieces[2].key), "n"));
        check(answer.as.verify_pieces.ended);
    }
    message_release(&answer);
    target_verify_fini(&verify);
    return status;
}

static void release_request(bool was_failed)
{
    (void)was_failed;
    message_release(&scan_request);
}

static void test_target_verify_read__nth_call_fails__told(void)
{
    static const struct failing_step listing = {.error = &error,
                                                .prepare = start,
                                                .act = list,
                                                .look = look_at_nothing,
                                                .fixed_path = true};
    static const struct failing_step reading = {.error = &error,
                                                .prepare = one_is_requested,
                                                .act = read_records,
                                                .look = release_request,
                                                .fixed_path = true,
                                                .store_calls_min = 8};
    failing_sweep(&listing);
    failing_sweep(&reading);
}

/* --- pieces of both sides --------------------------------------------------------------------- */

/* Ours first; its pieces wait. What could not be put still belongs to the caller. */
static enum haul_status compare(void)
{
    static struct verify_chunk chunk;
    struct verify_compare compared;
    enum haul_status status = HAUL_OK;
    memset(&compared, 0, sizeof(compared));
    verify_compare_begin(&compared, true, VERIFY_ORDER_ASCENDING);
    for (int side = 0; side < VERIFY_SIDE_COUNT && status == HAUL_OK; side++) {
        struct verify_piece *piece = &chunk.pieces[0];
        *piece = (struct verify_piece){.digest = {.count = 1, .low = (uint64_t)side}};
        chunk.count = 1;
        chunk.ended = true;
        status = verify_key_copy(slice_of(side == 0 ? "b" : "a", 1), &piece->key)
                     ? verify_compare_put(&compared, (enum verify_side)side, &chunk)
                     : HAUL_NO_MEMORY;
        verify_chunk_clear(&chunk);
    }
    check(status != HAUL_OK || (compared.found && compared.difference.in_b));
    verify_compare_fini(&compared);
    return status == HAUL_OK ? HAUL_OK : haul_error_set(&error, status, NULL, 0, "not compared");
}

static void test_verify_compare_put__nth_allocation_fails__no_memory_and_nothing_is_lost(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start,
                                             .act = compare,
                                             .look = look_at_nothing,
                                             .fixed_path = true};
    failing_sweep(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_verify_first_difference__nth_call_fails__told),
    CHECK_TEST(test_haul_verify_scan__nth_call_fails__told),
    CHECK_TEST(test_target_verify_read__nth_call_fails__told),
    CHECK_TEST(test_verify_compare_put__nth_allocation_fails__no_memory_and_nothing_is_lost),
};
CHECK_MAIN("verify_failures", tests)
