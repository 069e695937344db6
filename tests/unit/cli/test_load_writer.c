/* SPDX-License-Identifier: Apache-2.0 */
/* test_load_writer.c — the built-in load: what it may write, what each write contains, and how it
 * pauses and ends. */
#include "load_writer.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "load_ledger.h"
#include "load_options.h"
#include "load_record.h"

enum { FAMILY = 300, KEYS = 7, VALUE_BYTES = 40, PATIENCE_MS = 20000 };

/* --- a store that looks at each write --------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned writes;
static unsigned deletes;
static unsigned bad;        /* writes that are not as expected */
static unsigned last_flags; /* of the last write */
static uint64_t last_version;
static unsigned fail_from; /* from this write on; 0: never */
static uint8_t seen_keys[KEYS];

static enum haul_status families_of(struct haul_store *store, struct haul_family *families,
                                    size_t capacity, size_t *count, struct haul_error *error)
{
    (void)store;
    (void)error;
    check(capacity >= 3);
    families[0] = (struct haul_family){.id = 0, .name = "default"};
    families[1] = (struct haul_family){.id = FAMILY, .name = "users"};
    families[2] = (struct haul_family){.id = 9, .name = "posts"};
    *count = 3;
    return HAUL_OK;
}

/* One record of family FAMILY: a Put of a value with its version, or a Delete. */
static bool look(const uint8_t *at, size_t size, bool *deletes_it, uint32_t *key)
{
    static const uint8_t family[] = {0xac, 0x02}; /* 300 */
    enum { KEY_AT = 16, KEY_BYTES = 12 };
    char text[KEY_BYTES + 1] = "";
    uint64_t version = 0;
    bool sound = size >= KEY_AT + KEY_BYTES && at[8] == 1 && memcmp(at + 13, family, 2) == 0 &&
                 at[15] == KEY_BYTES && memcmp(at + KEY_AT, "p:", 2) == 0;
    if (!sound) {
        return false;
    }
    memcpy(text, at + KEY_AT, KEY_BYTES);
    *key = (uint32_t)strtoul(text + 2, NULL, 10);
    *deletes_it = at[12] == 0x04;
    if (*deletes_it) {
        return size == KEY_AT + KEY_BYTES;
    }
    const struct haul_slice value = {at + KEY_AT + KEY_BYTES + 1, VALUE_BYTES};
    sound = at[12] == 0x05 && size == KEY_AT + KEY_BYTES + 1 + VALUE_BYTES &&
            at[KEY_AT + KEY_BYTES] == VALUE_BYTES && load_record_version(value, *key, &version);
    return sound && version == last_version + 1;
}

static enum haul_status write_one(struct haul_store *store, struct haul_slice batch, unsigned flags,
                                  struct haul_error *error)
{
    bool is_delete = false;
    uint32_t key = KEYS;
    (void)store;
    (void)pthread_mutex_lock(&lock);
    bool sound = look(batch.data, batch.size, &is_delete, &key) && key < KEYS;
    bool fails = fail_from > 0 && writes + 1 >= fail_from;
    bad += sound ? 0 : 1;
    deletes += is_delete;
    last_flags = flags;
    last_version++;
    writes++;
    seen_keys[sound ? key : 0] = 1;
    (void)pthread_mutex_unlock(&lock);
    return fails ? haul_error_set(error, HAUL_NO_SPACE, NULL, 0, "the disk is full") : HAUL_OK;
}

static const struct haul_store_ops ops = {.families = families_of, .write = write_one};
static struct haul_store store = {.ops = &ops};
static struct load_options options;
static struct load_writer *writer;
static struct load_result result;
static struct haul_error error;

static void begin(void)
{
    writes = deletes = bad = last_flags = fail_from = 0;
    last_version = 0;
    memset(seen_keys, 0, sizeof(seen_keys));
    options = (struct load_options){.rate = 4000,
                                    .key_count = KEYS,
                                    .value_bytes = VALUE_BYTES,
                                    .prefix = "p:",
                                    .family = "users",
                                    .lead_ms = 1};
}

static unsigned written(void)
{
    (void)pthread_mutex_lock(&lock);
    unsigned count = writes;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

static void await(unsigned count)
{
    for (int i = 0; i < PATIENCE_MS && written() < count; i++) {
        (void)poll(NULL, 0, 1);
    }
    check_or_stop(written() >= count);
}

static void start(void)
{
    check_or_stop(load_writer_start(&options, &store, NULL, 0, &writer, &error) == HAUL_OK);
}

static void stop(void)
{
    load_writer_stop(writer, &result);
    check_equal(bad, 0);
}

/* --- options ---------------------------------------------------------------------------------- */

static void test_load_options_resolve__nothing_given__the_defaults(void)
{
    const struct load_options given = {.rate = 5};
    load_options_resolve(&given, &options);
    check_equal(options.rate, 5);
    check_text(options.prefix, "load:");
    check_text(options.family, "default");
    check_equal(options.key_count, LOAD_KEYS_DEFAULT);
    check_equal(options.value_bytes, LOAD_VALUE_BYTES_DEFAULT);
    check_equal(options.lead_ms, LOAD_LEAD_MS_DEFAULT);
    begin();
    struct load_options resolved;
    load_options_resolve(&options, &resolved);
    check_text(resolved.prefix, "p:");
    check_text(resolved.family, "users");
    check_equal(resolved.key_count, KEYS);
    check_equal(resolved.value_bytes, VALUE_BYTES);
    check_equal(resolved.lead_ms, 1);
}

static struct haul_slice slice(const char *text)
{
    return (struct haul_slice){(const uint8_t *)text, strlen(text)};
}

/* The first and the last of seven keys, p:0000000000 to p:0000000006, at each end of a range. */
static void test_load_options_check__keys_at_the_ends_of_a_range__inside_or_invalid(void)
{
    static const struct {
        const char *start;
        const char *end;
        bool inside;
    } cases[] = {
        {"", "", true},
        {"p:", "p;", true},
        {"p:0000000000", "p:0000000007", true},
        {"p:0000000000", "p:00000000060", true},
        {"p:0000000000", "p:0000000006", false},
        {"p:0000000001", "", false},
        {"p:00000000000", "", false},
        {"q", "", false},
        {"", "p", false},
    };
    begin();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct haul_range ranges[] = {
            {.start = slice("x"), .end = slice("y")},
            {.start = slice(cases[i].start), .end = slice(cases[i].end)}};
        if (cases[i].inside) {
            check_status(load_options_check(&options, ranges, 2, &error), HAUL_OK);
        } else {
            check_error(load_options_check(&options, ranges, 2, &error), HAUL_INVALID, error);
            check(strstr(error.text, "p:0000000000") != NULL);
            check(strstr(error.hint, "--load-prefix") != NULL);
        }
    }
    check_status(load_options_check(&options, NULL, 0, &error), HAUL_OK);
}

static void test_load_writer_start__what_does_not_fit__refused_and_nothing_written(void)
{
    const struct haul_range elsewhere = {.start = slice("x")};
    begin();
    check_error(load_writer_start(&options, &store, &elsewhere, 1, &writer, &error), HAUL_INVALID,
                error);
    options.family = "nobody";
    check_error(load_writer_start(&options, &store, NULL, 0, &writer, &error), HAUL_NOT_FOUND,
                error);
    check_text(error.text, "no column family 'nobody'");
    options.family = "users";
    options.ledger = "/nonexistent/ledger";
    check(load_writer_start(&options, &store, NULL, 0, &writer, &error) != HAUL_OK);
    check_equal(written(), 0);
}

static void test_load_writer_lead_ms__until_it_is_over__counted_down(void)
{
    begin();
    options.lead_ms = 3600000;
    start();
    check(load_writer_lead_ms(writer) > 3500000 && load_writer_lead_ms(writer) <= 3600000);
    stop();
    begin(); /* the next writer counts from the first version again */
    start();
    (void)poll(NULL, 0, 2);
    check_equal(load_writer_lead_ms(writer), 0);
    stop();
}

/* --- writes ----------------------------------------------------------------------------------- */

static void test_load_writer__some_writes__each_sound_one_in_ten_deletes(void)
{
    begin();
    options.rate = 0; /* as fast as possible */
    start();
    await(200);
    stop();
    check_status(result.error.status, HAUL_OK);
    check_equal(deletes, writes / 10);
    check_equal(result.version, writes);
    check_equal(result.before.writes, writes);
    check_equal(result.during.writes, 0);
    check(result.before.max_us >= result.before.p99_us * 0.9);
    check(result.before.p99_us >= result.before.p50_us);
    check(result.longest_gap_ms == 0);
    check(result.seconds > 0);
    check_equal(last_flags, 0);
    for (size_t i = 0; i < KEYS; i++) {
        check_equal(seen_keys[i], 1);
    }
}

static void test_load_writer__durable_writes__asked_for_with_each(void)
{
    begin();
    options.sync = true;
    start();
    await(3);
    stop();
    check_equal(last_flags, HAUL_WRITE_SYNC);
}

static void test_load_writer_mark__from_then_on__counted_apart(void)
{
    begin();
    start();
    await(5);
    load_writer_mark(writer);
    await(written() + 20);
    stop();
    check(result.before.writes >= 5);
    check(result.during.writes >= 19);
    check_equal(result.before.writes + result.during.writes, writes);
    check(result.longest_gap_ms > 0);
}

static void test_load_writer_hook__frozen__stands_still_until_it_thaws(void)
{
    struct haul_hooks hooks = {.context = NULL};
    begin();
    start();
    load_writer_hook(writer, &hooks);
    await(5);
    load_writer_mark(writer);
    check_status(hooks.freeze(hooks.context, 100, &error), HAUL_OK);
    unsigned frozen_at = written();
    (void)poll(NULL, 0, 20);
    check_equal(written(), frozen_at);
    hooks.unfreeze(hooks.context);
    await(frozen_at + 5);
    stop();
    check_equal(result.before.writes + result.during.writes, writes - 1); /* one waited */
    check(result.longest_gap_ms >= 19);
}

static void test_load_writer_hook__moved__ends_by_itself_and_the_gap_with_it(void)
{
    struct haul_hooks hooks = {.context = NULL};
    begin();
    start();
    load_writer_hook(writer, &hooks);
    await(5);
    load_writer_mark(writer);
    check_status(hooks.freeze(hooks.context, 100, &error), HAUL_OK);
    unsigned frozen_at = written();
    (void)poll(NULL, 0, 20);
    hooks.release(hooks.context, 7);
    hooks.unfreeze(hooks.context); /* too late: the new owner would serve them */
    (void)poll(NULL, 0, 5);
    check_equal(written(), frozen_at);
    stop();
    check(result.longest_gap_ms >= 19);
    check_status(result.error.status, HAUL_OK);
}

static void test_load_writer__stopped_while_frozen__ends(void)
{
    struct haul_hooks hooks = {.context = NULL};
    begin();
    start();
    load_writer_hook(writer, &hooks);
    check_status(hooks.freeze(hooks.context, 100, &error), HAUL_OK);
    stop();
    check_status(result.error.status, HAUL_OK);
}

static void test_load_writer__store_fails__it_ends_with_that_error(void)
{
    begin();
    fail_from = 4;
    start();
    await(4);
    (void)poll(NULL, 0, 5);
    stop();
    check_equal(writes, 4);
    check_status(result.error.status, HAUL_NO_SPACE);
    check_text(result.error.text, "the disk is full");
}

static uint64_t intents;
static uint64_t acknowledgements;
static bool in_turn;

/* The intent of a version, then its acknowledgement, then those of the next. */
static enum haul_status take_entry(void *context, const struct load_entry *entry)
{
    (void)context;
    in_turn = in_turn && entry->acknowledged == (intents > acknowledgements) &&
              entry->version == acknowledgements + 1 &&
              entry->is_delete == (entry->version % 10 == 0) && entry->key < KEYS;
    intents += entry->acknowledged ? 0 : 1;
    acknowledgements += entry->acknowledged ? 1 : 0;
    return HAUL_OK;
}

/* Each write is recorded before and after; a continued load counts on from the last version. */
static void test_load_writer__ledger__two_entries_a_write_and_the_version_goes_on(void)
{
    char path[] = "/tmp/haul-test-XXXXXX";
    int fd = mkstemp(path);
    check_or_stop(fd >= 0);
    (void)close(fd);
    begin();
    options.ledger = path;
    start();
    await(12);
    stop();
    check_status(result.error.status, HAUL_OK);
    uint64_t first = result.version;
    check_equal(first, writes);
    start();
    await((unsigned)first + 3);
    stop();
    check_equal(result.version, writes);
    check_status(result.error.status, HAUL_OK);
    intents = acknowledgements = 0;
    in_turn = true;
    check_status(load_ledger_read(path, take_entry, NULL, &error), HAUL_OK);
    check(in_turn);
    check_equal(intents, writes);
    check_equal(acknowledgements, writes);
    (void)unlink(path);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load_options_resolve__nothing_given__the_defaults),
    CHECK_TEST(test_load_options_check__keys_at_the_ends_of_a_range__inside_or_invalid),
    CHECK_TEST(test_load_writer_start__what_does_not_fit__refused_and_nothing_written),
    CHECK_TEST(test_load_writer_lead_ms__until_it_is_over__counted_down),
    CHECK_TEST(test_load_writer__some_writes__each_sound_one_in_ten_deletes),
    CHECK_TEST(test_load_writer__durable_writes__asked_for_with_each),
    CHECK_TEST(test_load_writer_mark__from_then_on__counted_apart),
    CHECK_TEST(test_load_writer_hook__frozen__stands_still_until_it_thaws),
    CHECK_TEST(test_load_writer_hook__moved__ends_by_itself_and_the_gap_with_it),
    CHECK_TEST(test_load_writer__stopped_while_frozen__ends),
    CHECK_TEST(test_load_writer__store_fails__it_ends_with_that_error),
    CHECK_TEST(test_load_writer__ledger__two_entries_a_write_and_the_version_goes_on),
};
CHECK_MAIN("load_writer", tests)
