/* SPDX-License-Identifier: Apache-2.0 */
/* test_payload_codec.c — unpacking restores what was packed, and refuses anything else. */
#include "payload_codec.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

enum { PAYLOAD_BYTES = 100000 };

static struct payload_packer *packer;
static struct payload_unpacker *unpacker;
static uint8_t payload[PAYLOAD_BYTES];
static uint8_t original[PAYLOAD_BYTES];

static void open_codec(void)
{
    check_or_stop(payload_packer_create(PAYLOAD_BYTES, &packer) == HAUL_OK);
    check_or_stop(payload_unpacker_create(PAYLOAD_BYTES, &unpacker) == HAUL_OK);
}

static void close_codec(void)
{
    payload_packer_destroy(packer);
    payload_unpacker_destroy(unpacker);
}

static void fill_text(void)
{
    for (size_t i = 0; i < PAYLOAD_BYTES; i++) {
        original[i] = (uint8_t)("user:profile"[i % 12] + (i % 97 == 0));
    }
    memcpy(payload, original, PAYLOAD_BYTES);
}

static void test_payload_pack__text__smaller_and_the_same_again(void)
{
    open_codec();
    for (int again = 0; again < 3; again++) {
        fill_text();
        size_t packed = payload_pack(packer, payload, PAYLOAD_BYTES);
        check(packed > 0 && packed < PAYLOAD_BYTES / 2);
        struct haul_slice whole = {NULL, 0};
        check_status(payload_unpack(unpacker, slice_of(payload, packed), PAYLOAD_BYTES, &whole),
                     HAUL_OK);
        check_equal(whole.size, PAYLOAD_BYTES);
        check(memcmp(whole.data, original, PAYLOAD_BYTES) == 0);
    }
    close_codec();
}

static void test_payload_pack__noise__left_as_it_is(void)
{
    open_codec();
    uint64_t state = 1;
    for (size_t i = 0; i < PAYLOAD_BYTES; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        original[i] = (uint8_t)(state >> 56);
    }
    memcpy(payload, original, PAYLOAD_BYTES);
    check_equal(payload_pack(packer, payload, PAYLOAD_BYTES), 0);
    check(memcmp(payload, original, PAYLOAD_BYTES) == 0);
    close_codec();
}

static void test_payload_unpack__lies__refused(void)
{
    open_codec();
    fill_text();
    size_t packed = payload_pack(packer, payload, PAYLOAD_BYTES);
    struct haul_slice whole = {NULL, 0};
    struct haul_slice all = slice_of(payload, packed);
    check_status(payload_unpack(unpacker, all, PAYLOAD_BYTES - 1, &whole), HAUL_CORRUPT);
    check_status(payload_unpack(unpacker, all, PAYLOAD_BYTES + 1, &whole), HAUL_LIMIT);
    check_status(payload_unpack(unpacker, all, 0, &whole), HAUL_CORRUPT);
    check_status(payload_unpack(unpacker, slice_of(payload, packed - 1), PAYLOAD_BYTES, &whole),
                 HAUL_CORRUPT);
    check_status(payload_unpack(unpacker, slice_of(original, 500), 500, &whole), HAUL_CORRUPT);
    check_status(payload_unpack(unpacker, slice_of(original, 0), PAYLOAD_BYTES, &whole),
                 HAUL_CORRUPT);
    check(whole.data == NULL);
    check_status(payload_unpack(unpacker, all, PAYLOAD_BYTES, &whole), HAUL_OK);
    close_codec();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_payload_pack__text__smaller_and_the_same_again),
    CHECK_TEST(test_payload_pack__noise__left_as_it_is),
    CHECK_TEST(test_payload_unpack__lies__refused),
};

CHECK_MAIN("payload_codec", tests)
