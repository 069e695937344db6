/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_greeting.c — the bytes that two sides show each other: greeting, refusal and
 * description. Every damaged byte must be noticed. */
#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "credit.h"
#include "verbs_description.h"
#include "verbs_greeting.h"

static struct link_ticket make_ticket(void)
{
    struct link_ticket ticket = {.version_min = 1, .version_max = 3, .index = 0x01020304};
    memset(ticket.session, 0xaa, sizeof(ticket.session));
    memset(ticket.token, 0xbb, sizeof(ticket.token));
    return ticket;
}

static void test_verbs_greeting_decode__encoded__same_ticket(void)
{
    uint8_t bytes[VERBS_GREETING_BYTES];
    struct link_ticket ticket = make_ticket();
    struct link_ticket seen;
    verbs_greeting_encode(&ticket, bytes);
    check_status(verbs_greeting_decode(bytes, sizeof(bytes), &seen), HAUL_OK);
    check_equal(memcmp(&seen, &ticket, sizeof(seen)), 0);
}

static void test_verbs_greeting_decode__any_byte_damaged__refused(void)
{
    for (size_t i = 0; i < VERBS_GREETING_BYTES; i++) {
        uint8_t bytes[VERBS_GREETING_BYTES];
        struct link_ticket ticket = make_ticket();
        verbs_greeting_encode(&ticket, bytes);
        bytes[i] ^= 0x10;
        check_status(verbs_greeting_decode(bytes, sizeof(bytes), &ticket),
                     i < 4 ? HAUL_PROTOCOL : HAUL_CORRUPT);
    }
}

static void test_verbs_greeting_decode__too_short__protocol(void)
{
    uint8_t bytes[VERBS_GREETING_BYTES];
    struct link_ticket ticket = make_ticket();
    verbs_greeting_encode(&ticket, bytes);
    check_status(verbs_greeting_decode(bytes, sizeof(bytes) - 1, &ticket), HAUL_PROTOCOL);
}

static void test_verbs_refusal_decode__encoded_and_padded__same_reason(void)
{
    uint8_t bytes[VERBS_REFUSAL_BYTES + 48] = {0};
    struct verbs_refusal refusal;
    verbs_refusal_encode(HAUL_FENCED, bytes);
    check_status(verbs_refusal_decode(bytes, sizeof(bytes), &refusal), HAUL_OK);
    check_status(refusal.status, HAUL_FENCED);
    check_equal(refusal.version_min, LINK_VERSION_MIN);
    check_equal(refusal.version_max, LINK_VERSION_MAX);
}

static void test_verbs_refusal_decode__unknown_or_ok_status__protocol(void)
{
    static const uint32_t values[] = {HAUL_OK, 4711};
    for (size_t i = 0; i < CHECK_COUNT(values); i++) {
        uint8_t bytes[VERBS_REFUSAL_BYTES];
        struct verbs_refusal refusal;
        verbs_refusal_encode(HAUL_BUSY, bytes);
        put_u32(bytes + 8, values[i]);
        put_u32(bytes + 12, crc32c(bytes, 12));
        check_status(verbs_refusal_decode(bytes, sizeof(bytes), &refusal), HAUL_PROTOCOL);
    }
}

static struct verbs_description make_description(void)
{
    return (struct verbs_description){.sending = true,
                                      .slot_count = 8,
                                      .slot_size_bytes = 65536,
                                      .address = UINT64_C(0x123456789abc),
                                      .rkey = 0xdeadbeef,
                                      .record_count = credit_records_max(8),
                                      .message_bytes_max = 1 << 23};
}

static enum haul_status recode(const struct verbs_description *description)
{
    uint8_t bytes[VERBS_DESCRIPTION_BYTES];
    struct verbs_description seen;
    verbs_description_encode(description, bytes);
    return verbs_description_decode(bytes, sizeof(bytes), &seen, NULL);
}

static void test_verbs_description_decode__encoded__same(void)
{
    uint8_t bytes[VERBS_DESCRIPTION_BYTES];
    struct verbs_description description = make_description();
    struct verbs_description seen;
    verbs_description_encode(&description, bytes);
    check_status(verbs_description_decode(bytes, sizeof(bytes), &seen, NULL), HAUL_OK);
    check_equal(seen.sending, true);
    check_equal(seen.slot_count, 8);
    check_equal(seen.slot_size_bytes, 65536);
    check_equal(seen.address, UINT64_C(0x123456789abc));
    check_equal(seen.rkey, 0xdeadbeef);
    check_equal(seen.record_count, 40);
    check_equal(seen.message_bytes_max, 1 << 23);
}

static void test_verbs_description_decode__any_byte_damaged__refused(void)
{
    for (size_t i = 0; i < VERBS_DESCRIPTION_BYTES; i++) {
        uint8_t bytes[VERBS_DESCRIPTION_BYTES];
        struct verbs_description description = make_description();
        verbs_description_encode(&description, bytes);
        bytes[i] ^= 0x10;
        check_status(verbs_description_decode(bytes, sizeof(bytes), &description, NULL),
                     i < 4 ? HAUL_PROTOCOL : HAUL_CORRUPT);
    }
}

/* Sound as it is, and what this release does not know. */
static void test_verbs_description_decode__unknown_version_or_role__protocol(void)
{
    static const struct {
        uint16_t version;
        uint16_t role;
        enum haul_status status;
    } cases[] = {
        {LINK_VERSION_MIN, 1, HAUL_OK},           {LINK_VERSION_MAX, 2, HAUL_OK},
        {LINK_VERSION_MIN - 1, 1, HAUL_PROTOCOL}, {LINK_VERSION_MAX + 1, 1, HAUL_PROTOCOL},
        {LINK_VERSION_MAX, 0, HAUL_PROTOCOL},     {LINK_VERSION_MAX, 3, HAUL_PROTOCOL},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        uint8_t bytes[VERBS_DESCRIPTION_BYTES];
        struct verbs_description description = make_description();
        struct haul_error error = {.status = HAUL_OK};
        verbs_description_encode(&description, bytes);
        put_u16(bytes + 4, cases[i].version);
        put_u16(bytes + 6, cases[i].role);
        put_u32(bytes + sizeof(bytes) - 4, crc32c(bytes, sizeof(bytes) - 4));
        check_status(verbs_description_decode(bytes, sizeof(bytes), &description, &error),
                     cases[i].status);
        check_status(error.status, cases[i].status);
        check_equal(description.sending, cases[i].role != 2); /* unchanged where it is refused */
    }
}

static void test_verbs_description_decode__counts_that_cannot_be__protocol(void)
{
    struct verbs_description description = make_description();
    description.slot_count = 0;
    check_status(recode(&description), HAUL_PROTOCOL);
    description.slot_count = HAUL_SLOT_COUNT_MAX + 1;
    check_status(recode(&description), HAUL_PROTOCOL);
    description = make_description();
    description.record_count--;
    check_status(recode(&description), HAUL_PROTOCOL);
    description = make_description();
    description.message_bytes_max = HAUL_SLOT_SIZE_BYTES_MIN - 1;
    check_status(recode(&description), HAUL_PROTOCOL);
    description.message_bytes_max = HAUL_SLOT_SIZE_BYTES_MIN;
    check_status(recode(&description), HAUL_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verbs_greeting_decode__encoded__same_ticket),
    CHECK_TEST(test_verbs_greeting_decode__any_byte_damaged__refused),
    CHECK_TEST(test_verbs_greeting_decode__too_short__protocol),
    CHECK_TEST(test_verbs_refusal_decode__encoded_and_padded__same_reason),
    CHECK_TEST(test_verbs_refusal_decode__unknown_or_ok_status__protocol),
    CHECK_TEST(test_verbs_description_decode__encoded__same),
    CHECK_TEST(test_verbs_description_decode__any_byte_damaged__refused),
    CHECK_TEST(test_verbs_description_decode__unknown_version_or_role__protocol),
    CHECK_TEST(test_verbs_description_decode__counts_that_cannot_be__protocol),
};
CHECK_MAIN("verbs_greeting", tests)
