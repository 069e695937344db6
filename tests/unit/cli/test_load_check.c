/* SPDX-License-Identifier: Apache-2.0 */
/* test_load_check.c — compares ledgers with a database: what may be there, and what proves a
 * loss. */
#include "load_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "load_ledger.h"
#include "load_record.h"

enum { KEY_COUNT = 8, VALUE_BYTES = 32, FAMILY_ID = 5 };

static struct haul_error error;
static struct load_ledger ledger;
static char path[64];
static uint64_t versions[KEY_COUNT]; /* in the database; 0: it lacks the key */
static bool spoiled;                 /* values have a wrong byte */
static size_t gets;

/* --- a database of a few keys ----------------------------------------------------------------- */

static enum haul_status fake_families(struct haul_store *store, struct haul_family *families,
                                      size_t capacity, size_t *count, struct haul_error *reason)
{
    (void)store;
    (void)capacity;
    (void)reason;
    families[0] = (struct haul_family){.id = 0, .name = "default"};
    families[1] = (struct haul_family){.id = FAMILY_ID, .name = "loaded"};
    *count = 2;
    return HAUL_OK;
}

static enum haul_status fake_get(struct haul_store *store, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice key, uint8_t **value,
                                 size_t *value_size, struct haul_error *reason)
{
    (void)store;
    (void)snapshot;
    char memory[64];
    gets++;
    check_equal(family_id, FAMILY_ID);
    for (uint32_t number = 0; number < KEY_COUNT; number++) {
        struct haul_slice name = load_record_key("k:", number, memory, sizeof(memory));
        if (versions[number] != 0 && name.size == key.size &&
            memcmp(name.data, key.data, key.size) == 0) {
            check_or_stop((*value = malloc(VALUE_BYTES)) != NULL);
            load_record_fill(versions[number], number, *value, VALUE_BYTES);
            (*value)[VALUE_BYTES - 1] ^= spoiled;
            *value_size = VALUE_BYTES;
            return HAUL_OK;
        }
    }
    return haul_error_set(reason, HAUL_NOT_FOUND, NULL, 0, "no such key");
}

static const struct haul_store_ops ops = {.families = fake_families, .get = fake_get};
static struct haul_store store = {.ops = &ops};

/* --- the ledger ------------------------------------------------------------------------------- */

static void begin(void)
{
    memset(versions, 0, sizeof(versions));
    gets = 0;
    (void)snprintf(path, sizeof(path), "/tmp/haul-ledger-XXXXXX");
    int fd = mkstemp(path);
    check_or_stop(fd >= 0);
    (void)close(fd);
    check_or_stop(load_ledger_open(&ledger, path, &error) == HAUL_OK);
}

static void add(uint64_t version, uint32_t key, bool is_delete, bool acknowledged)
{
    const struct load_entry entry = {
        .version = version, .key = key, .is_delete = is_delete, .acknowledged = acknowledged};
    check_or_stop(load_ledger_add(&ledger, &entry, &error) == HAUL_OK);
}

/* An acknowledged write. */
static void put(uint64_t version, uint32_t key)
{
    add(version, key, false, false);
    add(version, key, false, true);
}

static void delete_key(uint64_t version, uint32_t key)
{
    add(version, key, true, false);
    add(version, key, true, true);
}

/* Compare the ledger with the database as it is now. */
static enum haul_status verdict(uint64_t *checked)
{
    const struct load_options options = {.prefix = "k:", .family = "loaded", .ledger = path};
    return load_check(&options, &store, checked, &error);
}

static void check_verdict(enum haul_status expected)
{
    uint64_t checked = 0;
    check_status(verdict(&checked), expected);
}

static void end(void)
{
    load_ledger_close(&ledger);
    (void)unlink(path);
}

static void test_load_check__everything_is_there__counts_the_keys(void)
{
    uint64_t checked = 0;
    begin();
    put(1, 0);
    put(2, 3);
    put(3, 0);
    delete_key(4, 5);
    versions[0] = 3;
    versions[3] = 2;
    versions[1] = 99; /* never written by this load */
    check_status(verdict(&checked), HAUL_OK);
    check_equal(checked, 3);
    check_equal(gets, 3);
    end();
}

static void test_load_check__older_version__corrupt_names_both(void)
{
    begin();
    put(4, 1);
    put(5, 1);
    versions[1] = 4;
    check_verdict(HAUL_CORRUPT);
    check_text(error.text, "an acknowledged write is lost: k:0000000001 has version 4, the ledger "
                           "version 5");
    versions[1] = 6; /* nobody wrote that */
    check_verdict(HAUL_CORRUPT);
    versions[1] = 5;
    check_verdict(HAUL_OK);
    end();
}

static void test_load_check__acknowledged_key_is_missing__corrupt(void)
{
    begin();
    put(5, 1);
    check_verdict(HAUL_CORRUPT);
    check_text(error.text, "an acknowledged write is lost: k:0000000001 has nothing, the ledger "
                           "version 5");
    end();
}

static void test_load_check__deleted_key_is_there__corrupt(void)
{
    begin();
    put(1, 2);
    delete_key(2, 2);
    versions[2] = 1;
    check_verdict(HAUL_CORRUPT);
    versions[2] = 2;
    check_verdict(HAUL_CORRUPT);
    check_text(error.text, "an acknowledged write is lost: k:0000000002 has version 2, the ledger "
                           "a delete, version 2");
    versions[2] = 0;
    check_verdict(HAUL_OK);
    end();
}

/* A write without an acknowledgement may have arrived or not; the last acknowledged one may be
 * there. */
static void test_load_check__intent_without_answer__either_state(void)
{
    begin();
    put(1, 0);
    add(2, 0, false, false);
    versions[0] = 1;
    check_verdict(HAUL_OK);
    versions[0] = 2;
    check_verdict(HAUL_OK);
    versions[0] = 0;
    check_verdict(HAUL_CORRUPT);
    add(3, 0, true, false);
    check_verdict(HAUL_OK);
    put(4, 0);
    check_verdict(HAUL_CORRUPT);
    end();
}

static void test_load_check__first_write_without_answer__may_be_missing(void)
{
    begin();
    add(1, 0, false, false);
    check_verdict(HAUL_OK);
    versions[0] = 1;
    check_verdict(HAUL_OK);
    versions[0] = 2;
    check_verdict(HAUL_CORRUPT);
    end();
}

static void test_load_check__five_intents_in_a_row__the_sixth_is_too_many(void)
{
    begin();
    for (uint64_t version = 1; version <= 5; version++) {
        add(version, 0, false, false);
    }
    versions[0] = 5;
    check_verdict(HAUL_OK);
    add(6, 0, false, false);
    check_verdict(HAUL_LIMIT);
    check_text(error.text, "key number 0 was written more than 5 times without an acknowledgement");
    end();
}

/* The number after the largest one does not fit in 32 bits. */
static void test_load_check__key_number_beyond_every_load__corrupt(void)
{
    static const uint32_t numbers[] = {LOAD_KEYS_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        begin();
        put(1, 0);
        put(2, numbers[i]);
        versions[0] = 1;
        check_verdict(HAUL_CORRUPT);
        check(strstr(error.text, "the ledger is damaged") != NULL);
        end();
    }
}

static void test_load_check__value_of_somebody_else__corrupt(void)
{
    begin();
    put(1, 0);
    versions[0] = 1;
    spoiled = true;
    check_verdict(HAUL_CORRUPT);
    check_text(error.text, "an acknowledged write is lost: k:0000000000 has a foreign value, "
                           "the ledger version 1");
    spoiled = false;
    check_verdict(HAUL_OK);
    end();
}

static void test_load_record_version__value__made_here_for_this_key_only(void)
{
    uint8_t value[VALUE_BYTES];
    uint64_t version = 0;
    load_record_fill(1, 0, value, sizeof(value));
    check(load_record_version((struct haul_slice){value, sizeof(value)}, 0, &version));
    check_equal(version, 1);
    check(!load_record_version((struct haul_slice){value, sizeof(value)}, 1, &version));
    value[VALUE_BYTES - 1] ^= 1;
    check(!load_record_version((struct haul_slice){value, sizeof(value)}, 0, &version));
    check(!load_record_version((struct haul_slice){value, 11}, 0, &version));
}

static void test_load_check__no_such_family__not_found(void)
{
    begin();
    uint64_t checked = 0;
    const struct load_options options = {.prefix = "k:", .family = "other", .ledger = path};
    check_error(load_check(&options, &store, &checked, &error), HAUL_NOT_FOUND, error);
    check_text(error.text, "no column family 'other'");
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load_check__everything_is_there__counts_the_keys),
    CHECK_TEST(test_load_check__older_version__corrupt_names_both),
    CHECK_TEST(test_load_check__acknowledged_key_is_missing__corrupt),
    CHECK_TEST(test_load_check__deleted_key_is_there__corrupt),
    CHECK_TEST(test_load_check__intent_without_answer__either_state),
    CHECK_TEST(test_load_check__first_write_without_answer__may_be_missing),
    CHECK_TEST(test_load_check__five_intents_in_a_row__the_sixth_is_too_many),
    CHECK_TEST(test_load_check__key_number_beyond_every_load__corrupt),
    CHECK_TEST(test_load_check__value_of_somebody_else__corrupt),
    CHECK_TEST(test_load_record_version__value__made_here_for_this_key_only),
    CHECK_TEST(test_load_check__no_such_family__not_found),
};
CHECK_MAIN("load_check", tests)
