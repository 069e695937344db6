/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_verify.c — requests of a source that compares, and the target's answers; also to a
 * source that breaks the rules. */
#include "target_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

enum { RECORDS = 3000 };

static struct rocks_fixture database;
static struct haul_target_options options;
static struct target_verify verify;
static struct message answer;
static struct haul_error error;

static void start(void)
{
    memset(&verify, 0, sizeof(verify));
    memset(&answer, 0, sizeof(answer));
    rocks_fixture_open(&database);
    options = (struct haul_target_options){.store = database.store};
    rocks_fixture_fill(&database, 0, "k", RECORDS, 20);
}

static void finish(void)
{
    message_release(&answer);
    target_verify_fini(&verify);
    rocks_fixture_close(&database);
}

static void ask_list(void)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_LIST);
    check_status(target_verify_take(&verify, &message, &error), HAUL_OK);
}

static enum haul_status ask_scan(uint32_t scan, const char *family, bool single)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_SCAN);
    message.as.verify_scan.scan = scan;
    message.as.verify_scan.single = single;
    (void)snprintf(message.as.verify_scan.family, sizeof(message.as.verify_scan.family), "%s",
                   family);
    return target_verify_take(&verify, &message, &error);
}

static enum haul_status ask_next(uint32_t scan)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_NEXT);
    message.as.verify_next.scan = scan;
    return target_verify_take(&verify, &message, &error);
}

static enum haul_status read_one(void)
{
    message_release(&answer);
    if (!target_verify_begin(&verify)) {
        return HAUL_AGAIN;
    }
    enum haul_status status = target_verify_read(&verify, &options, NULL, &error);
    return status == HAUL_OK && !target_verify_answer(&verify, &answer) ? HAUL_CLOSED : status;
}

static void test_target_verify_read__list__names_and_orders(void)
{
    start();
    (void)rocks_fixture_family(&database, "other");
    ask_list();
    check_status(read_one(), HAUL_OK);
    check_equal(answer.type, MESSAGE_VERIFY_FAMILIES);
    check_equal(answer.as.verify_families.families_count, 2);
    check_text(answer.as.verify_families.families[1].name, "other");
    check_text(answer.as.verify_families.families[1].comparator, "leveldb.BytewiseComparator");
    check_status(read_one(), HAUL_AGAIN);
    finish();
}

/* A source does not learn the names of the others, nor how many there are. */
static void test_target_verify_read__list_with_families_that_are_not_taken__left_out(void)
{
    static const char *const families[] = {"other", "absent"};
    start();
    (void)rocks_fixture_family(&database, "payroll");
    (void)rocks_fixture_family(&database, "other");
    options.only_families = families;
    options.only_family_count = CHECK_COUNT(families);
    ask_list();
    check_status(read_one(), HAUL_OK);
    check_equal(answer.as.verify_families.families_count, 1);
    check_text(answer.as.verify_families.families[0].name, "other");
    check(answer.as.verify_families.taken_only);
    options.only_family_count = 0;
    ask_list();
    check_status(read_one(), HAUL_OK);
    check_equal(answer.as.verify_families.families_count, 3);
    check(!answer.as.verify_families.taken_only);
    finish();
}

/* Only what the target takes. */
static void test_target_verify_read__range_or_family_that_is_not_taken__unsupported(void)
{
    static const char *const families[] = {"other"};
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    start();
    options.only_ranges = &range;
    options.only_range_count = 1;
    check_status(ask_scan(1, "default", false), HAUL_OK);
    check_status(ask_next(1), HAUL_OK);
    check_error(read_one(), HAUL_UNSUPPORTED, error);
    options.only_range_count = 0;
    options.only_families = families;
    options.only_family_count = 1;
    check_status(ask_scan(2, "default", false), HAUL_OK);
    check_status(ask_next(2), HAUL_OK);
    check_error(read_one(), HAUL_UNSUPPORTED, error);
    options.only_family_count = 0;
    check_status(ask_scan(3, "default", false), HAUL_OK);
    check_status(ask_next(3), HAUL_OK);
    check_status(read_one(), HAUL_OK);
    check_equal(answer.type, MESSAGE_VERIFY_PIECES);
    finish();
}

/* Otherwise a source could read what lies before its range. */
static void test_target_verify_read__begins_behind_a_key_outside__invalid(void)
{
    static const struct {
        const char *after;
        enum haul_status status;
    } cases[] = {{"a", HAUL_INVALID}, {"", HAUL_INVALID}, {"l", HAUL_INVALID}, {"k", HAUL_OK}};
    start();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct message message;
        message_init(&message, MESSAGE_VERIFY_SCAN);
        haul_control_VerifyScan *scan = &message.as.verify_scan;
        scan->scan = (uint32_t)i + 1;
        scan->continues = true;
        (void)snprintf(scan->family, sizeof(scan->family), "default");
        scan->ranges_count = 1;
        scan->ranges = calloc(1, sizeof(*scan->ranges));
        check_or_stop(scan->ranges != NULL);
        scan->ranges[0].start = message_bytes(text_slice("k"));
        scan->ranges[0].end = message_bytes(text_slice("l"));
        scan->after = message_bytes(text_slice(cases[i].after));
        check_status(target_verify_take(&verify, &message, &error), HAUL_OK);
        message_release(&message);
        check_status(ask_next((uint32_t)i + 1), HAUL_OK);
        check_status(read_one(), cases[i].status);
    }
    finish();
}

static void test_target_verify_read__scan__one_answer_for_each_that_was_asked_for(void)
{
    start();
    check_status(ask_scan(7, "default", false), HAUL_OK);
    check_status(read_one(), HAUL_AGAIN);
    check_status(ask_next(7), HAUL_OK);
    check_status(read_one(), HAUL_OK);
    const haul_control_VerifyPieces *pieces = &answer.as.verify_pieces;
    check_equal(answer.type, MESSAGE_VERIFY_PIECES);
    check_equal(pieces->scan, 7);
    check(pieces->ended && pieces->pieces_count > 10);
    uint64_t records = 0;
    for (size_t i = 0; i < pieces->pieces_count; i++) {
        records += pieces->pieces[i].records;
        check(pieces->pieces[i].key == NULL);
    }
    check_equal(records, RECORDS);
    check_equal(verify.records, RECORDS);
    check_status(read_one(), HAUL_AGAIN);
    check_status(ask_next(7), HAUL_OK);
    check_status(read_one(), HAUL_OK);
    check(answer.as.verify_pieces.ended && answer.as.verify_pieces.pieces_count == 0);
    finish();
}

static void test_target_verify_read__single__keys_that_fit_a_message(void)
{
    static uint8_t key[VERIFY_WIRE_KEY_BYTES_MAX + 100];
    memset(key, 'a', sizeof(key));
    start();
    rocks_fixture_put(&database, 0, slice_of(key, sizeof(key)), text_slice("v"));
    check_status(ask_scan(1, "default", true), HAUL_OK);
    check_status(ask_next(1), HAUL_OK);
    check_status(read_one(), HAUL_OK);
    const haul_control_VerifyPiece *piece = &answer.as.verify_pieces.pieces[0];
    check_equal(message_slice(piece->key).size, VERIFY_WIRE_KEY_BYTES_MAX);
    check_equal(piece->key_size, sizeof(key));
    check(slice_compare(message_slice(piece[1].key), text_slice("k00000000")) == 0);
    finish();
}

static void test_target_verify_answer__another_scan_was_asked_for__outdated(void)
{
    start();
    check_status(ask_scan(1, "default", false), HAUL_OK);
    check_status(ask_next(1), HAUL_OK);
    check(target_verify_begin(&verify));
    check_status(ask_scan(2, "default", true), HAUL_OK);
    check_status(target_verify_read(&verify, &options, NULL, &error), HAUL_OK);
    check(!target_verify_answer(&verify, &answer));
    check_status(ask_next(2), HAUL_OK);
    check_status(read_one(), HAUL_OK);
    check_equal(answer.as.verify_pieces.scan, 2);
    check_equal(answer.as.verify_pieces.pieces[0].records, 1);
    finish();
}

static void test_target_verify_take__no_such_scan_or_too_much__protocol(void)
{
    start();
    check_status(ask_next(1), HAUL_PROTOCOL);
    check_status(ask_scan(1, "default", false), HAUL_OK);
    check_status(ask_next(2), HAUL_PROTOCOL);
    for (int i = 0; i < TARGET_VERIFY_ASKED_MAX; i++) {
        check_status(ask_next(1), HAUL_OK);
    }
    check_status(ask_next(1), HAUL_PROTOCOL);
    struct message message;
    message_init(&message, MESSAGE_VERIFY_SCAN);
    message.as.verify_scan.ranges_count = HAUL_RANGE_COUNT_MAX + 1;
    check_error(target_verify_take(&verify, &message, &error), HAUL_PROTOCOL, error);
    finish();
}

static void test_target_verify_read__family_that_is_not_there__not_found(void)
{
    start();
    check_status(ask_scan(1, "nothing", false), HAUL_OK);
    check_status(ask_next(1), HAUL_OK);
    check_status(read_one(), HAUL_NOT_FOUND);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_verify_read__list__names_and_orders),
    CHECK_TEST(test_target_verify_read__list_with_families_that_are_not_taken__left_out),
    CHECK_TEST(test_target_verify_read__range_or_family_that_is_not_taken__unsupported),
    CHECK_TEST(test_target_verify_read__begins_behind_a_key_outside__invalid),
    CHECK_TEST(test_target_verify_read__scan__one_answer_for_each_that_was_asked_for),
    CHECK_TEST(test_target_verify_read__single__keys_that_fit_a_message),
    CHECK_TEST(test_target_verify_answer__another_scan_was_asked_for__outdated),
    CHECK_TEST(test_target_verify_take__no_such_scan_or_too_much__protocol),
    CHECK_TEST(test_target_verify_read__family_that_is_not_there__not_found),
};

CHECK_MAIN("target_verify", tests)
