/* SPDX-License-Identifier: Apache-2.0 */
/* test_fragment.c — joins the fragments of a large record; a fragment that does not follow is
 * refused. */
#include "fragment.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "haul/store.h"

enum { PIECE_BYTES_MAX = 64 };

static struct fragment_assembly assembly;
static struct haul_error error;
static bool is_complete;
static struct haul_slice complete;

/* Add a piece of text as its sender would send it. */
static enum haul_status add(uint64_t total, uint64_t offset, const char *piece)
{
    uint8_t payload[FRAGMENT_HEADER_BYTES + PIECE_BYTES_MAX];
    size_t size = strlen(piece);
    fragment_header_encode(total, offset, payload);
    memcpy(payload + FRAGMENT_HEADER_BYTES, piece, size);
    return fragment_assembly_add(&assembly, slice_of(payload, FRAGMENT_HEADER_BYTES + size),
                                 &is_complete, &complete, &error);
}

/* Begin anew with "abc" of ten bytes. */
static void begin(void)
{
    fragment_assembly_reset(&assembly);
    check_or_stop(add(10, 0, "abc") == HAUL_OK);
    check(!is_complete);
}

/* Refused, with the error set and the collected bytes still there. */
static void check_refused(enum haul_status status)
{
    check_status(status, HAUL_PROTOCOL);
    check_equal(error.status, HAUL_PROTOCOL);
    memset(&error, 0, sizeof(error));
    fragment_assembly_reset(&assembly);
}

static void test_fragment_header_encode__bytes__little_endian_total_then_offset(void)
{
    uint8_t header[FRAGMENT_HEADER_BYTES];
    fragment_header_encode(UINT64_C(0x0102030405060708), 9, header);
    check(memcmp(header, "\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0", 16) == 0);
}

static void test_fragment_assembly_add__pieces_in_order__the_whole(void)
{
    begin();
    check_status(add(10, 3, "defghi"), HAUL_OK);
    check(!is_complete);
    check_status(add(10, 9, "j"), HAUL_OK);
    check(is_complete);
    check(slice_compare(complete, slice_of("abcdefghij", 10)) == 0);
    fragment_assembly_reset(&assembly);
}

static void test_fragment_assembly_add__one_piece_of_all__complete_at_once(void)
{
    check_status(add(3, 0, "abc"), HAUL_OK);
    check(is_complete);
    check(slice_compare(complete, slice_of("abc", 3)) == 0);
    fragment_assembly_reset(&assembly);
}

static void test_fragment_assembly_is_open__from_first_piece_to_reset__true(void)
{
    check(!fragment_assembly_is_open(&assembly));
    begin();
    check(fragment_assembly_is_open(&assembly));
    fragment_assembly_reset(&assembly);
    check(!fragment_assembly_is_open(&assembly));
    check(assembly.data == NULL);
}

static void test_fragment_assembly_add__reset_between__a_new_record(void)
{
    begin();
    fragment_assembly_reset(&assembly);
    check_status(add(2, 0, "xy"), HAUL_OK);
    check(is_complete);
    check(slice_compare(complete, slice_of("xy", 2)) == 0);
    fragment_assembly_reset(&assembly);
}

static void test_fragment_assembly_add__hole_or_overlap__protocol(void)
{
    begin();
    check_refused(add(10, 4, "ef"));
    begin();
    check_refused(add(10, 2, "cd"));
    begin();
    check_refused(add(10, 0, "abc"));
}

static void test_fragment_assembly_add__first_piece_not_at_zero__protocol(void)
{
    check_refused(add(10, 1, "b"));
}

static void test_fragment_assembly_add__total_changed__protocol(void)
{
    begin();
    check_refused(add(11, 3, "def"));
    begin();
    check_refused(add(2, 3, "def"));
}

static void test_fragment_assembly_add__beyond_its_total__protocol(void)
{
    begin();
    check_refused(add(10, 3, "defghijk"));
    check_refused(add(2, 0, "abc"));
    check_refused(add(0, 0, "a"));
}

static void test_fragment_assembly_add__more_behind_the_end__protocol(void)
{
    check_status(add(3, 0, "abc"), HAUL_OK);
    check_refused(add(3, 3, "d"));
}

static void test_fragment_assembly_add__empty_piece__protocol(void)
{
    check_refused(add(10, 0, ""));
    begin();
    check_refused(add(10, 3, ""));
    check_refused(add(0, 0, ""));
}

static void test_fragment_assembly_add__header_torn_at_every_byte__protocol(void)
{
    uint8_t payload[FRAGMENT_HEADER_BYTES + 1] = {0};
    fragment_header_encode(1, 0, payload);
    for (size_t size = 0; size <= FRAGMENT_HEADER_BYTES; size++) {
        uint8_t *torn =
            malloc(size + (size == 0)); /* of its own, so that a sanitizer notices each overrun */
        check_or_stop(torn != NULL);
        memcpy(torn, payload, size);
        check_refused(fragment_assembly_add(&assembly, slice_of(torn, size), &is_complete,
                                            &complete, &error));
        free(torn);
    }
}

/* A peer that announces much and sends little costs no more memory than what it sent. */
static void test_fragment_assembly_add__large_total_promised__memory_for_what_came(void)
{
    check_status(add(HAUL_RECORD_BYTES_MAX, 0, "abc"), HAUL_OK);
    check_equal(assembly.capacity, 3);
    check_status(add(HAUL_RECORD_BYTES_MAX, 3, "defgh"), HAUL_OK);
    check(assembly.capacity <= 16);
    fragment_assembly_reset(&assembly);
}

static void test_fragment_assembly_add__growing__never_more_than_the_total(void)
{
    begin();
    check_status(add(10, 3, "def"), HAUL_OK);
    check_equal(assembly.capacity, 6);
    check_status(add(10, 6, "g"), HAUL_OK); /* twice six is more than ten */
    check_equal(assembly.capacity, 10);
    fragment_assembly_reset(&assembly);
}

static void test_fragment_assembly_add__total_over_the_limit__protocol(void)
{
    uint64_t most = FRAGMENT_TOTAL_BYTES_MAX;
    check(most >= HAUL_RECORD_BYTES_MAX + HAUL_KEY_BYTES_MAX);
    check_status(add(most, 0, "a"), HAUL_OK);
    fragment_assembly_reset(&assembly);
    check_refused(add(most + 1, 0, "a"));
    check_refused(add(UINT64_MAX, 0, "a"));
}

static void test_fragment_assembly_add__offset_near_the_end_of_numbers__protocol(void)
{
    begin();
    check_refused(add(10, UINT64_MAX, "a"));
    check_refused(add(UINT64_MAX, UINT64_MAX - 1, "a"));
}

static void test_fragment_assembly_add__budget_of_several_used_up__protocol(void)
{
    struct memory_budget budget;
    struct fragment_assembly other = {.budget = &budget};
    uint8_t payload[FRAGMENT_HEADER_BYTES + 1] = {0};
    memory_budget_init(&budget, 15);
    fragment_assembly_reset(&assembly);
    assembly.budget = &budget;
    check_status(add(10, 0, "abc"), HAUL_OK);
    fragment_header_encode(6, 0, payload);
    check_error(fragment_assembly_add(&other, slice_of(payload, sizeof(payload)), &is_complete,
                                      &complete, &error),
                HAUL_PROTOCOL, error);
    check(!fragment_assembly_is_open(&other));
    check_equal(memory_budget_bytes(&budget), 10);
    fragment_assembly_reset(&assembly); /* releases the announced size, not what came */
    check_equal(memory_budget_bytes(&budget), 0);
    check_status(fragment_assembly_add(&other, slice_of(payload, sizeof(payload)), &is_complete,
                                       &complete, &error),
                 HAUL_OK);
    fragment_assembly_reset(&other);
    assembly.budget = NULL;
}

static const struct check_test tests[] = {
    CHECK_TEST(test_fragment_header_encode__bytes__little_endian_total_then_offset),
    CHECK_TEST(test_fragment_assembly_add__pieces_in_order__the_whole),
    CHECK_TEST(test_fragment_assembly_add__one_piece_of_all__complete_at_once),
    CHECK_TEST(test_fragment_assembly_is_open__from_first_piece_to_reset__true),
    CHECK_TEST(test_fragment_assembly_add__reset_between__a_new_record),
    CHECK_TEST(test_fragment_assembly_add__hole_or_overlap__protocol),
    CHECK_TEST(test_fragment_assembly_add__first_piece_not_at_zero__protocol),
    CHECK_TEST(test_fragment_assembly_add__total_changed__protocol),
    CHECK_TEST(test_fragment_assembly_add__beyond_its_total__protocol),
    CHECK_TEST(test_fragment_assembly_add__more_behind_the_end__protocol),
    CHECK_TEST(test_fragment_assembly_add__empty_piece__protocol),
    CHECK_TEST(test_fragment_assembly_add__header_torn_at_every_byte__protocol),
    CHECK_TEST(test_fragment_assembly_add__large_total_promised__memory_for_what_came),
    CHECK_TEST(test_fragment_assembly_add__growing__never_more_than_the_total),
    CHECK_TEST(test_fragment_assembly_add__total_over_the_limit__protocol),
    CHECK_TEST(test_fragment_assembly_add__offset_near_the_end_of_numbers__protocol),
    CHECK_TEST(test_fragment_assembly_add__budget_of_several_used_up__protocol),
};

CHECK_MAIN("fragment", tests)
