/* SPDX-License-Identifier: Apache-2.0 */
/* test_key_ring.c — what counts as keys, and where their bytes lie. */
#include "key_ring.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static struct haul_key key_of(const char *id, uint8_t fill)
{
    struct haul_key key;
    memset(&key, 0, sizeof(key));
    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    memset(key.secret, fill, sizeof(key.secret));
    return key;
}

static void test_keys__two__found_by_their_ids(void)
{
    struct haul_key list[] = {key_of("new", 1), key_of("former.1_2-3", 2)};
    struct haul_keys *keys = NULL;
    check_status(haul_keys_create(list, 2, &keys, NULL), HAUL_OK);
    check_equal(haul_keys_count(keys), 2);
    check_text(haul_keys_id(keys, 1), "former.1_2-3");
    check(key_ring_at(keys, 0)->secret[31] == 1);
    check(key_ring_find(keys, "new!", 3) == key_ring_at(keys, 0));
    check(key_ring_find(keys, "former.1_2-3", 12)->secret[0] == 2);
    check(key_ring_find(keys, "ne", 2) == NULL);
    check(key_ring_find(keys, "newer", 5) == NULL);
    haul_keys_destroy(keys);
    haul_keys_destroy(NULL);
}

static void test_keys__none_too_many_or_the_same_id__invalid(void)
{
    struct haul_key list[] = {key_of("a", 1), key_of("a", 2), key_of("b", 3)};
    struct haul_keys *keys = NULL;
    struct haul_error error;
    check_status(haul_keys_create(list, 0, &keys, &error), HAUL_INVALID);
    check_status(haul_keys_create(list, 3, &keys, &error), HAUL_INVALID);
    check_status(haul_keys_create(list, 2, &keys, &error), HAUL_INVALID);
    check(keys == NULL);
    check_status(haul_keys_create(list + 1, 2, &keys, &error), HAUL_OK);
    haul_keys_destroy(keys);
}

static void test_key_id__characters_and_length(void)
{
    static const char *const good[] = {"a", "Z9._-", "12345678901234567890123456789012"};
    static const char *const bad[] = {"", "a b", "a/b", "a\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct haul_key key = key_of(good[i], 0);
        check(key_id_is_valid(key.id));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct haul_key key = key_of(bad[i], 0);
        check(!key_id_is_valid(key.id));
    }
    char endless[HAUL_KEY_ID_BYTES_MAX];
    memset(endless, 'a', sizeof(endless));
    check(!key_id_is_valid(endless));
}

/* The flags of the mapping that holds `address`, as the kernel reports them. */
static void flags_of(const void *address, char flags[256])
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false;
    flags[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) {
            inside = (unsigned long)address >= begin && (unsigned long)address < end;
        }
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(flags, 256, "%.255s", line);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void test_keys__memory__not_dumped_and_not_inherited(void)
{
    struct haul_key list[] = {key_of("a", 1)};
    struct haul_keys *keys = NULL;
    check_status(haul_keys_create(list, 1, &keys, NULL), HAUL_OK);
    char flags[256];
    flags_of(key_ring_at(keys, 0)->secret, flags);
    check(strstr(flags, " dd") != NULL);
    check(strstr(flags, " wf") != NULL);
    haul_keys_destroy(keys);
}

static struct key_pem pem_of(const char *text, const char *path)
{
    return (struct key_pem){.text = {.data = (const uint8_t *)text, .size = strlen(text)},
                            .path = path};
}

static void check_pem(const struct key_pem *pem, const char *text, const char *path)
{
    check_equal(pem->text.size, strlen(text));
    check_text((const char *)pem->text.data, text);
    check_text(pem->path, path);
}

static void test_certificates__instead_of_keys__copied(void)
{
    char secret[] = "a private key";
    char name[] = "db7.example";
    const struct key_certificates given = {.chain = pem_of("a chain", "c"),
                                           .private_key = pem_of(secret, "k"),
                                           .authorities = pem_of("", "a"),
                                           .peer_name = name};
    struct haul_keys *keys = NULL;
    check_status(key_ring_create_certificates(&given, "us", &keys, NULL), HAUL_OK);
    memset(secret, 0, sizeof(secret));
    memset(name, 0, sizeof(name));
    const struct key_certificates *kept = key_ring_certificates(keys);
    check_or_stop(kept != NULL);
    check_pem(&kept->chain, "a chain", "c");
    check_pem(&kept->private_key, "a private key", "k");
    check_pem(&kept->authorities, "", "a");
    check_text(kept->peer_name, "db7.example");
    check_equal(haul_keys_count(keys), 1);
    check_text(haul_keys_id(keys, 0), "us");
    check(key_ring_find(keys, "us", 2) == NULL);
    char flags[256];
    flags_of(kept->private_key.text.data, flags);
    check(strstr(flags, " dd") != NULL);
    check(strstr(flags, " wf") != NULL);
    haul_keys_destroy(keys);
}

static void test_certificates__of_keys__there_are_none(void)
{
    struct haul_key list[] = {key_of("a", 1)};
    struct haul_keys *keys = NULL;
    check_status(haul_keys_create(list, 1, &keys, NULL), HAUL_OK);
    check(key_ring_certificates(keys) == NULL);
    haul_keys_destroy(keys);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_certificates__instead_of_keys__copied),
    CHECK_TEST(test_certificates__of_keys__there_are_none),
    CHECK_TEST(test_keys__two__found_by_their_ids),
    CHECK_TEST(test_keys__none_too_many_or_the_same_id__invalid),
    CHECK_TEST(test_key_id__characters_and_length),
    CHECK_TEST(test_keys__memory__not_dumped_and_not_inherited),
};

CHECK_MAIN("key_ring", tests)
