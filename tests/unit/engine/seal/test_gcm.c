/* SPDX-License-Identifier: Apache-2.0 */
/* test_gcm.c — AES-256-GCM by each library: published results, and both the same. */
#include "gcm.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { SIZE_MAX_BYTES = 70000, ASSOCIATED_BYTES = 40 };

static const struct gcm_ops *const libraries[] = {&gcm_openssl, &gcm_ipsec_mb};

static void from_hex(const char *hex, uint8_t *bytes)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

/* D. McGrew, J. Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13, 14 and
 * 16. */
static const struct {
    const char *key, *nonce, *associated, *plain, *sealed, *tag;
} published[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void test_gcm__published_results__each_library_computes_them(void)
{
    for (size_t i = 0; i < CHECK_COUNT(libraries); i++) {
        for (size_t j = 0; libraries[i]->is_usable() && j < CHECK_COUNT(published); j++) {
            uint8_t key[GCM_KEY_BYTES], nonce[GCM_NONCE_BYTES], associated[64], payload[64];
            uint8_t sealed[64], tag[GCM_TAG_BYTES], expected[GCM_TAG_BYTES];
            size_t size = strlen(published[j].plain) / 2;
            from_hex(published[j].key, key);
            from_hex(published[j].nonce, nonce);
            from_hex(published[j].associated, associated);
            from_hex(published[j].plain, payload);
            from_hex(published[j].sealed, sealed);
            from_hex(published[j].tag, expected);
            struct gcm_message message = {.key = key,
                                          .nonce = nonce,
                                          .associated = associated,
                                          .associated_size = strlen(published[j].associated) / 2,
                                          .payload = payload,
                                          .payload_size = size,
                                          .hides = true};
            check_status(libraries[i]->seal(&message, tag), HAUL_OK);
            check(memcmp(payload, sealed, size) == 0);
            check(memcmp(tag, expected, sizeof(tag)) == 0);
            check_status(libraries[i]->open(&message, tag), HAUL_OK);
            from_hex(published[j].plain, sealed);
            check(memcmp(payload, sealed, size) == 0);
        }
    }
}

static uint8_t plain[SIZE_MAX_BYTES];
static uint8_t ours[SIZE_MAX_BYTES];
static uint8_t theirs[SIZE_MAX_BYTES];

static struct gcm_message make(uint8_t *payload, size_t size, bool hides)
{
    static uint8_t fixed[GCM_KEY_BYTES + GCM_NONCE_BYTES + ASSOCIATED_BYTES];
    for (size_t i = 0; i < sizeof(fixed); i++) {
        fixed[i] = (uint8_t)(i * 3 + size);
    }
    memcpy(payload, plain, size);
    return (struct gcm_message){.key = fixed,
                                .nonce = fixed + GCM_KEY_BYTES,
                                .associated = fixed + GCM_KEY_BYTES + GCM_NONCE_BYTES,
                                .associated_size = ASSOCIATED_BYTES,
                                .payload = payload,
                                .payload_size = size,
                                .hides = hides};
}

/* Whichever library a side has, the other side's opens what it has sealed. */
static void check_pair(size_t size, bool hides)
{
    uint8_t tag[2][GCM_TAG_BYTES];
    struct gcm_message by_openssl = make(ours, size, hides);
    struct gcm_message by_ipsec_mb = make(theirs, size, hides);
    check_status(gcm_openssl.seal(&by_openssl, tag[0]), HAUL_OK);
    check_status(gcm_ipsec_mb.seal(&by_ipsec_mb, tag[1]), HAUL_OK);
    check(memcmp(ours, theirs, size) == 0 && memcmp(tag[0], tag[1], GCM_TAG_BYTES) == 0);
    check(size < 16 || (memcmp(ours, plain, size) == 0) != hides);
    check_status(gcm_openssl.open(&by_openssl, tag[1]), HAUL_OK);
    check_status(gcm_ipsec_mb.open(&by_ipsec_mb, tag[0]), HAUL_OK);
    check(memcmp(ours, plain, size) == 0 && memcmp(theirs, plain, size) == 0);
    by_ipsec_mb = make(theirs, size, hides);
    check_status(gcm_ipsec_mb.seal(&by_ipsec_mb, tag[1]), HAUL_OK);
    tag[1][size % GCM_TAG_BYTES] ^= 4;
    check_status(gcm_ipsec_mb.open(&by_ipsec_mb, tag[1]), HAUL_CORRUPT);
}

static void test_gcm__both_libraries__the_same_bytes(void)
{
    static const size_t large[] = {4095, 4096, 4097, 65521, SIZE_MAX_BYTES};
    if (!gcm_ipsec_mb.is_usable()) {
        check_skip("this build or processor has no libipsec-mb");
        return;
    }
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (int hides = 0; hides < 2; hides++) {
        for (size_t size = 0; size < 600; size++) {
            check_pair(size, hides == 1);
        }
        for (size_t i = 0; i < CHECK_COUNT(large); i++) {
            check_pair(large[i], hides == 1);
        }
    }
}

static void test_gcm_library__of_this_build__is_the_faster_one_that_is_usable(void)
{
    check_text(gcm_library(), gcm_ipsec_mb.is_usable() ? "libipsec-mb" : "OpenSSL");
    check(gcm_openssl.is_usable());
}

static const struct check_test tests[] = {
    CHECK_TEST(test_gcm__published_results__each_library_computes_them),
    CHECK_TEST(test_gcm__both_libraries__the_same_bytes),
    CHECK_TEST(test_gcm_library__of_this_build__is_the_faster_one_that_is_usable),
};

CHECK_MAIN("gcm", tests)
