/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest_failures.c — a digest ledger, or a look into the store below it, runs out of memory
 * or budget, or cannot read: it says so for good, and never gives a digest that is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "digest_ledger.h"
#include "failing_memory.h"
#include "ledger_base.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { KEY_COUNT = 300, BATCH_BYTES = 4096, WIRE_FAMILY = 77 };

static struct rocks_fixture fixture;
static struct haul_error error;
static uint32_t family; /* of the store; the wire has another number for it */
static uint8_t batch[BATCH_BYTES];
static size_t batch_size;

static struct haul_slice key_of(unsigned number, char key[16])
{
    return slice_of(key, (size_t)snprintf(key, 16, "k%05u", number));
}

/* Keys 0, 2, 4, ... are in the store. */
static void start(void)
{
    char key[16];
    struct raw_batch_writer writer;
    rocks_fixture_open(&fixture);
    family = rocks_fixture_family(&fixture, "one");
    for (unsigned i = 0; i < KEY_COUNT; i += 2) {
        rocks_fixture_put(&fixture, family, key_of(i, key), text_slice("old"));
    }
    raw_batch_begin(&writer, batch, sizeof(batch));
    check(raw_batch_put(&writer, WIRE_FAMILY, text_slice("k00001x"), text_slice("new")));
    check(raw_batch_delete(&writer, WIRE_FAMILY, text_slice("k00002")));
    check(raw_batch_delete_range(&writer, WIRE_FAMILY, text_slice("k00010"), text_slice("k00020")));
    batch_size = raw_batch_finish(&writer);
}

/* Of what the store would have afterwards. */
static struct digest expected(void)
{
    struct digest digest = {.count = 0};
    char key[16];
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        bool removed = i == 2 || (i >= 10 && i < 20) || (i >= 100 && i < 200) || i == 250;
        bool put = i >= 200 || i % 3 == 0;
        if (!removed && (put || i % 2 == 0)) {
            digest_add(&digest, NULL, key_of(i, key), text_slice(put ? "newer" : "old"));
        }
    }
    digest_add(&digest, NULL, text_slice("k00001x"), text_slice("new"));
    return digest;
}

static enum haul_status put_all(struct digest_ledger *ledger)
{
    char key[16];
    enum haul_status status = HAUL_OK;
    for (unsigned i = 0; i < KEY_COUNT && status == HAUL_OK; i++) {
        if (i >= 200 || i % 3 == 0) {
            status =
                digest_ledger_put(ledger, WIRE_FAMILY, key_of(i, key), text_slice("newer"), &error);
        }
    }
    return status;
}

/* Everything that a ledger can be told; `*digest` is what it makes of that. */
static enum haul_status follow(uint64_t memory_bytes_max, struct digest *digest)
{
    const struct delta_family families[] = {{.source_id = family, .target_id = WIRE_FAMILY}};
    struct ledger_base base = {.store = fixture.store, .families = families, .family_count = 1};
    const struct digest_ledger_base callbacks = ledger_base_callbacks(&base);
    struct digest_ledger *ledger = NULL;
    char key[16];
    memset(&error, 0, sizeof(error));
    if (digest_ledger_create(&callbacks, memory_bytes_max, &ledger) != HAUL_OK) {
        return haul_error_set(&error, HAUL_NO_MEMORY, NULL, 0, "no ledger");
    }
    enum haul_status status = put_all(ledger);
    if (status == HAUL_OK) {
        status = digest_ledger_delete_range(ledger, WIRE_FAMILY, text_slice("k00100"),
                                            text_slice("k00200"), &error);
    }
    if (status == HAUL_OK) {
        status = digest_ledger_delete(ledger, WIRE_FAMILY, key_of(250, key), &error);
    }
    if (status == HAUL_OK) {
        status = digest_ledger_batch(ledger, slice_of(batch, batch_size), &error);
    }
    check_status(digest_ledger_status(ledger), status);
    /* The records of the store are its own share; they were counted by the source. */
    *digest = (struct digest){.count = 0};
    for (unsigned i = 0; i < KEY_COUNT; i += 2) {
        digest_add(digest, NULL, key_of(i, key), text_slice("old"));
    }
    enum haul_status joined = digest_ledger_join(ledger, WIRE_FAMILY, digest);
    check(status == HAUL_OK ? joined == HAUL_OK : joined != HAUL_OK);
    if (status != HAUL_OK) {
        check_status(put_all(ledger), status); /* for good */
    }
    digest_ledger_destroy(ledger);
    ledger_base_fini(&base);
    return status;
}

static void test_digest_ledger__nth_allocation_fails__no_memory_for_good(void)
{
    struct digest digest;
    const uint64_t plenty = 64 << 20;
    start();
    const struct digest right = expected();
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        check_or_stop(at < 500);
        failing_memory_fail(at);
        enum haul_status status = follow(plenty, &digest);
        failed = failing_memory_failed();
        check_status(status, failed ? HAUL_NO_MEMORY : HAUL_OK);
        check(failed || digest_equal(&digest, &right));
        check(!failed || error.text[0] != '\0');
    }
    rocks_fixture_close(&fixture);
}

static void test_digest_ledger__any_budget__limit_or_right(void)
{
    struct digest digest;
    bool fitted = false;
    start();
    const struct digest right = expected();
    for (uint64_t bytes = 256; bytes < 1 << 20; bytes += bytes / 3) {
        enum haul_status status = follow(bytes, &digest);
        check(status == HAUL_LIMIT || status == HAUL_OK);
        check(status == HAUL_OK || !fitted); /* more is never too little */
        check(status != HAUL_OK || digest_equal(&digest, &right));
        fitted = status == HAUL_OK;
    }
    check(fitted);
    rocks_fixture_close(&fixture);
}

/* --- a store that cannot be read -------------------------------------------------------------- */

static struct haul_store_ops broken_ops;
static unsigned calls_left;

static enum haul_status may_fail(struct haul_error *failed)
{
    return calls_left-- == 0 ? haul_error_set(failed, HAUL_IO, "get", EIO, "broken") : HAUL_OK;
}

static enum haul_status broken_get(struct haul_store *store, const struct haul_snapshot *snapshot,
                                   uint32_t id, struct haul_slice key, uint8_t **value,
                                   size_t *size, struct haul_error *failed)
{
    (void)store;
    enum haul_status status = may_fail(failed);
    return status == HAUL_OK
               ? fixture.store->ops->get(fixture.store, snapshot, id, key, value, size, failed)
               : status;
}

static enum haul_status broken_scan_open(struct haul_store *store,
                                         const struct haul_snapshot *snapshot, uint32_t id,
                                         struct haul_slice start_key, struct haul_slice end,
                                         struct haul_scan **scan, struct haul_error *failed)
{
    (void)store;
    enum haul_status status = may_fail(failed);
    return status == HAUL_OK ? fixture.store->ops->scan_open(fixture.store, snapshot, id, start_key,
                                                             end, scan, failed)
                             : status;
}

static enum haul_status broken_scan_next(struct haul_scan *scan, struct haul_record *record,
                                         struct haul_error *failed)
{
    enum haul_status status = may_fail(failed);
    return status == HAUL_OK ? fixture.store->ops->scan_next(scan, record, failed) : status;
}

static void test_digest_ledger__nth_read_fails__io_and_no_digest(void)
{
    struct digest_ledger *ledger = NULL;
    struct digest digest;
    bool failed = true;
    start();
    broken_ops = *fixture.store->ops;
    broken_ops.get = broken_get;
    broken_ops.scan_open = broken_scan_open;
    broken_ops.scan_next = broken_scan_next;
    struct haul_store broken = {.ops = &broken_ops};
    for (unsigned at = 0; failed; at++) {
        const struct delta_family families[] = {{.source_id = family, .target_id = WIRE_FAMILY}};
        struct ledger_base base = {.store = &broken, .families = families, .family_count = 1};
        const struct digest_ledger_base callbacks = ledger_base_callbacks(&base);
        check_or_stop(at < 500);
        check_status(digest_ledger_create(&callbacks, 64 << 20, &ledger), HAUL_OK);
        calls_left = at;
        enum haul_status status = digest_ledger_put(ledger, WIRE_FAMILY, text_slice("k00004"),
                                                    text_slice("newer"), &error);
        if (status == HAUL_OK) {
            status = digest_ledger_delete_range(ledger, WIRE_FAMILY, text_slice("k00100"),
                                                text_slice("k00110"), &error);
        }
        failed = calls_left > 500; /* it has gone below zero */
        check_status(status, failed ? HAUL_IO : HAUL_OK);
        digest = (struct digest){.count = KEY_COUNT};
        check((digest_ledger_join(ledger, WIRE_FAMILY, &digest) == HAUL_OK) == !failed);
        digest_ledger_destroy(ledger);
        ledger_base_fini(&base);
    }
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_digest_ledger__nth_allocation_fails__no_memory_for_good),
    CHECK_TEST(test_digest_ledger__any_budget__limit_or_right),
    CHECK_TEST(test_digest_ledger__nth_read_fails__io_and_no_digest),
};
CHECK_MAIN("digest_failures", tests)
