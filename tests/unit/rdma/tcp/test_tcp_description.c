/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_description.c — the bytes in which a TCP link describes itself, and descriptions that it
 * refuses to bind to. */
#include <string.h>

#include "bytes.h"
#include "tcp_link_fixture.h"

static void check_bind_refused(const uint8_t *description, size_t size, enum haul_status status)
{
    struct haul_error error = {.status = HAUL_OK};
    fixture_open_unbound_receiver();
    check_status(link_bind(fixture.link, description, size, &error), status);
    check(error.text[0] != '\0');
    fixture_end();
}

static void test_link_describe__receiver__bytes_of_the_protocol(void)
{
    fixture_open_unbound_receiver();
    uint8_t expected[DESCRIPTION_BYTES];
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    fixture_make_description(SLOT_COUNT, SLOT_BYTES, expected);
    check_equal(link_describe(fixture.link, description), DESCRIPTION_BYTES);
    check(memcmp(description, expected, sizeof(expected)) == 0);
    fixture_end();
}

static void test_link_bind__smaller_ring__the_smaller_counts(void)
{
    fixture_open_unbound_receiver();
    uint8_t description[DESCRIPTION_BYTES];
    fixture_make_description(2, SLOT_BYTES, description);
    check_status(link_bind(fixture.link, description, sizeof(description), NULL), HAUL_OK);
    check_equal(link_slot_count(fixture.link), 2);
    check_equal(link_payload_size_bytes_max(fixture.link), PAYLOAD_BYTES_MAX);
    fixture_end();
}

static void test_link_bind__other_slot_size__mismatch(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    fixture_make_description(SLOT_COUNT, 2 * SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_MISMATCH);
}

static void test_link_bind__nonsense__protocol(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    fixture_make_description(0, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    fixture_make_description(HAUL_SLOT_COUNT_MAX + 1, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    fixture_make_description(SLOT_COUNT, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description) - 1, HAUL_PROTOCOL);
    description[0] ^= 1;
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    description[0] ^= 1;
    put_u16(description + 4, LINK_VERSION_MAX + 1);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_describe__receiver__bytes_of_the_protocol),
    CHECK_TEST(test_link_bind__smaller_ring__the_smaller_counts),
    CHECK_TEST(test_link_bind__other_slot_size__mismatch),
    CHECK_TEST(test_link_bind__nonsense__protocol),
};
CHECK_MAIN("tcp_description", tests)
