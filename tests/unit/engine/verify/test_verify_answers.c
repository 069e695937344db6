/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_answers.c — what a comparison accepts from a target, and what ends it. */
#include "verify_answers.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "verify_reader.h"

enum { PIECES_MAX = VERIFY_PIECE_COUNT_MAX + 1 };

static struct verify_answers answers;
static haul_control_VerifyPiece items[PIECES_MAX];
static haul_control_VerifyPieces pieces;
static haul_control_Family names[HAUL_FAMILY_COUNT_MAX + 1];

static void ask(bool single, uint32_t range_count, uint32_t count)
{
    verify_answers_begin(&answers, single, range_count);
    answers.asked = count;
}

static void start(bool single, uint32_t range_count)
{
    verify_answers_reset(&answers);
    ask(single, range_count, 4);
    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < PIECES_MAX; i++) {
        items[i].records = 1;
    }
    pieces = (haul_control_VerifyPieces){.scan = answers.scan, .pieces = items};
}

/* The next answer has this many of the pieces. */
static void check_take(size_t count, enum haul_status expected)
{
    struct haul_error error = {.status = HAUL_OK};
    pieces.pieces_count = (pb_size_t)count;
    check_status(verify_answers_take(&answers, &pieces, &error), expected);
}

static void test_verify_answers_take__sound_answers__as_many_as_asked_for(void)
{
    start(false, 2);
    items[1].range = 1;
    check_take(2, HAUL_OK);
    items[0].range = 1;
    check_take(VERIFY_PIECE_COUNT_MAX - 1, HAUL_PROTOCOL); /* the third lies in range 0 again */
    start(false, 1);
    for (int i = 0; i < 4; i++) {
        check_take(VERIFY_PIECE_COUNT_MAX, HAUL_OK);
    }
    check_take(1, HAUL_PROTOCOL);
}

static void test_verify_answers_take__too_many_pieces__protocol(void)
{
    start(false, 1);
    check_take(PIECES_MAX, HAUL_PROTOCOL);
}

static void test_verify_answers_take__of_an_earlier_scan__passed_over_while_owed(void)
{
    start(false, 1);
    ask(false, 1, 1);
    for (int i = 0; i < 4; i++) {
        check_take(1, HAUL_AGAIN);
    }
    check_take(1, HAUL_PROTOCOL);
}

static void test_verify_answers_take__no_piece_for_ever__protocol(void)
{
    start(false, 1);
    for (int i = 0; i < VERIFY_EMPTY_ANSWERS_MAX; i++) {
        answers.asked = 1;
        check_take(0, HAUL_OK);
    }
    answers.asked = 2;
    check_take(1, HAUL_OK);
    check_take(0, HAUL_OK);
    answers.empty = VERIFY_EMPTY_ANSWERS_MAX;
    answers.asked = 1;
    check_take(0, HAUL_PROTOCOL);
}

static void test_verify_answers_take__records_that_cannot_be__protocol(void)
{
    start(false, 1);
    items[0].records = 0;
    check_take(1, HAUL_PROTOCOL);
    start(false, 1);
    items[0].records = UINT64_C(1) << 56;
    check_take(1, HAUL_OK);
    items[0].records = 1;
    check_take(1, HAUL_PROTOCOL);
    start(false, 1);
    items[0].bytes = UINT64_C(1) << 63;
    check_take(1, HAUL_OK);
    items[0].bytes = UINT64_MAX;
    check_take(1, HAUL_PROTOCOL);
    start(true, 1);
    items[0].records = 2;
    check_take(1, HAUL_PROTOCOL);
}

static void test_verify_answers_take__range_that_is_none__protocol(void)
{
    start(false, 2);
    items[0].range = 2;
    check_take(1, HAUL_PROTOCOL);
}

static void test_verify_answers_take__key_that_was_not_asked_for__protocol(void)
{
    static _Alignas(pb_bytes_array_t)
        uint8_t memory[sizeof(pb_bytes_array_t) + VERIFY_WIRE_KEY_BYTES_MAX + 1];
    pb_bytes_array_t *key = (pb_bytes_array_t *)memory;
    key->size = VERIFY_WIRE_KEY_BYTES_MAX;
    start(true, 1);
    items[0].key = key;
    check_take(1, HAUL_OK);
    key->size++;
    check_take(1, HAUL_PROTOCOL);
    start(false, 1);
    key->size = 1;
    items[0].key = key;
    check_take(1, HAUL_PROTOCOL);
}

static void check_list(size_t count, enum haul_status expected)
{
    haul_control_VerifyFamilies list = {.families_count = (pb_size_t)count, .families = names};
    struct haul_error error = {.status = HAUL_OK};
    check_status(verify_answers_check_list(&list, &error), expected);
}

static void test_verify_answers_check_list__names_of_their_own__ok(void)
{
    for (size_t i = 0; i <= HAUL_FAMILY_COUNT_MAX; i++) {
        (void)snprintf(names[i].name, sizeof(names[i].name), "f%zu", i);
    }
    check_list(0, HAUL_OK);
    check_list(HAUL_FAMILY_COUNT_MAX, HAUL_OK);
    check_list(HAUL_FAMILY_COUNT_MAX + 1, HAUL_PROTOCOL);
    names[2] = names[0];
    check_list(2, HAUL_OK);
    check_list(3, HAUL_PROTOCOL);
    names[2].name[0] = '\0';
    check_list(3, HAUL_PROTOCOL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verify_answers_take__sound_answers__as_many_as_asked_for),
    CHECK_TEST(test_verify_answers_take__too_many_pieces__protocol),
    CHECK_TEST(test_verify_answers_take__of_an_earlier_scan__passed_over_while_owed),
    CHECK_TEST(test_verify_answers_take__no_piece_for_ever__protocol),
    CHECK_TEST(test_verify_answers_take__records_that_cannot_be__protocol),
    CHECK_TEST(test_verify_answers_take__range_that_is_none__protocol),
    CHECK_TEST(test_verify_answers_take__key_that_was_not_asked_for__protocol),
    CHECK_TEST(test_verify_answers_check_list__names_of_their_own__ok),
};

CHECK_MAIN("verify_answers", tests)
