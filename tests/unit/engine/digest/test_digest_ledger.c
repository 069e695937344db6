/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest_ledger.c — compares the ledger with a model that scans. */
#include "digest_ledger.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "raw_batch.h"

enum {
    FAMILY_COUNT = 3,
    KEY_COUNT = 200,
    SEED_COUNT = 100,
    STEP_COUNT = 400,
    KEY_BYTES = 8,
    VALUE_BYTES = 4,
    LIMIT_BYTES = 32 * 1024,
};

static struct haul_error error;
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

/* A database of KEY_COUNT possible keys for each family; value 0: absent. Key i is "k" and its
 * number, so that number order is key order. */
struct model {
    uint32_t values[FAMILY_COUNT][KEY_COUNT];
    enum haul_status failure; /* of the next look-up */
    unsigned value_calls;
};

static struct model base;
static struct model now;

static struct haul_slice key_of(uint32_t number, char key[KEY_BYTES])
{
    int size = snprintf(key, KEY_BYTES, "k%03u", number);
    return slice_of(key, (size_t)size);
}

static struct haul_slice value_of(uint32_t value, uint8_t bytes[VALUE_BYTES])
{
    put_u32(bytes, value);
    /* Values of different sizes, so that bytes are counted too. */
    return slice_of(bytes, 1 + value % VALUE_BYTES);
}

static uint32_t number_of(struct haul_slice key)
{
    char text[KEY_BYTES] = "";
    memcpy(text, key.data, key.size);
    return (uint32_t)strtoul(text + 1, NULL, 10);
}

static enum haul_status model_value(void *context, uint32_t family_id, struct haul_slice key,
                                    struct haul_slice *value, struct haul_error *cause)
{
    static uint8_t bytes[VALUE_BYTES];
    struct model *model = context;
    model->value_calls++;
    if (model->failure != HAUL_OK) {
        return haul_error_set(cause, model->failure, "get", 0, "the model fails");
    }
    uint32_t found = model->values[family_id][number_of(key)];
    *value = value_of(found, bytes);
    return found == 0 ? HAUL_NOT_FOUND : HAUL_OK;
}

static enum haul_status model_walk(void *context, const struct key_span *span,
                                   digest_ledger_visit *visit, void *visit_context,
                                   struct haul_error *cause)
{
    struct model *model = context;
    if (model->failure != HAUL_OK) {
        return haul_error_set(cause, model->failure, "scan", 0, "the model fails");
    }
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 0; status == HAUL_OK && i < KEY_COUNT; i++) {
        char key[KEY_BYTES];
        uint8_t bytes[VALUE_BYTES];
        uint32_t found = model->values[span->family_id][i];
        if (found != 0 && slice_compare(span->begin, key_of(i, key)) <= 0 &&
            slice_compare(key_of(i, key), span->end) < 0) {
            status = visit(visit_context, key_of(i, key), value_of(found, bytes));
        }
    }
    return status;
}

static struct digest scan(const struct model *model, uint32_t family_id)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        char key[KEY_BYTES];
        uint8_t bytes[VALUE_BYTES];
        uint32_t found = model->values[family_id][i];
        if (found != 0) {
            digest_add(&digest, NULL, key_of(i, key), value_of(found, bytes));
        }
    }
    return digest;
}

static struct digest_ledger *start(uint64_t seed, struct model *looked_into,
                                   uint64_t memory_bytes_max)
{
    random_state = seed;
    memset(&base, 0, sizeof(base));
    for (uint32_t family = 0; family < FAMILY_COUNT; family++) {
        for (uint32_t i = 0; i < KEY_COUNT; i++) {
            base.values[family][i] = random_below(2) * (1 + random_below(1000));
        }
    }
    now = base;
    const struct digest_ledger_base callbacks = {
        .context = looked_into, .value = model_value, .walk = model_walk};
    struct digest_ledger *ledger = NULL;
    check_status(digest_ledger_create(&callbacks, memory_bytes_max, &ledger), HAUL_OK);
    check_or_stop(ledger != NULL);
    return ledger;
}

static enum haul_status put(struct digest_ledger *ledger, uint32_t family, uint32_t number,
                            uint32_t value)
{
    char key[KEY_BYTES];
    uint8_t bytes[VALUE_BYTES];
    enum haul_status status =
        digest_ledger_put(ledger, family, key_of(number, key), value_of(value, bytes), &error);
    now.values[family][number] = value;
    return status;
}

static enum haul_status erase(struct digest_ledger *ledger, uint32_t family, uint32_t number)
{
    char key[KEY_BYTES];
    enum haul_status status = digest_ledger_delete(ledger, family, key_of(number, key), &error);
    now.values[family][number] = 0;
    return status;
}

static enum haul_status delete_range(struct digest_ledger *ledger, uint32_t family, uint32_t begin,
                                     uint32_t end)
{
    char begin_key[KEY_BYTES];
    char end_key[KEY_BYTES];
    enum haul_status status = digest_ledger_delete_range(ledger, family, key_of(begin, begin_key),
                                                         key_of(end, end_key), &error);
    for (uint32_t i = begin; i < end; i++) {
        now.values[family][i] = 0;
    }
    return status;
}

static void check_agrees(const struct digest_ledger *ledger)
{
    for (uint32_t family = 0; family < FAMILY_COUNT; family++) {
        struct digest digest = scan(&base, family);
        struct digest expected = scan(&now, family);
        check_status(digest_ledger_join(ledger, family, &digest), HAUL_OK);
        check(digest_equal(&digest, &expected));
    }
}

static void random_step(struct digest_ledger *ledger)
{
    uint32_t family = random_below(FAMILY_COUNT);
    uint32_t number = random_below(KEY_COUNT);
    uint32_t kind = random_below(20);
    if (kind == 0) {
        uint32_t end = random_below(KEY_COUNT);
        check_status(delete_range(ledger, family, number, end), HAUL_OK);
    } else if (kind < 7) {
        check_status(erase(ledger, family, number), HAUL_OK);
    } else {
        check_status(put(ledger, family, number, 1 + random_below(1000)), HAUL_OK);
    }
}

static void test_digest_ledger_join__random_deltas_over_a_snapshot__equals_a_scan(void)
{
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        struct digest_ledger *ledger = start(seed, &base, 0);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
            random_step(ledger);
        }
        check_agrees(ledger);
        digest_ledger_destroy(ledger);
    }
}

static void test_digest_ledger_join__base_is_the_database_being_changed__equals_a_scan(void)
{
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        struct digest_ledger *ledger = start(seed, &now, 0);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
            random_step(ledger); /* passes the change to the ledger, then changes `now` */
        }
        check_agrees(ledger);
        digest_ledger_destroy(ledger);
    }
}

static void test_digest_ledger_put__same_key_again__base_is_asked_once(void)
{
    struct digest_ledger *ledger = start(1, &base, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        check_status(put(ledger, 0, 5, i), HAUL_OK);
    }
    check_equal(base.value_calls, 1);
    check_equal(digest_ledger_key_count(ledger), 1);
    check_agrees(ledger);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_put__same_key_in_two_families__kept_apart(void)
{
    struct digest_ledger *ledger = start(1, &base, 0);
    check_status(put(ledger, 0, 5, 111), HAUL_OK);
    check_status(put(ledger, 1, 5, 222), HAUL_OK);
    check_equal(digest_ledger_key_count(ledger), 2);
    check_agrees(ledger);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_put__empty_key__counts(void)
{
    struct digest_ledger *ledger = start(1, &base, 0);
    base.values[0][0] = 0; /* the model uses number 0 for the empty key */
    struct haul_slice none = slice_of("", 0);
    struct digest expected = scan(&base, 0);
    struct digest digest = expected;
    check_status(digest_ledger_put(ledger, 0, none, none, &error), HAUL_OK);
    digest_add(&expected, NULL, none, none);
    check_status(digest_ledger_join(ledger, 0, &digest), HAUL_OK);
    check(digest_equal(&digest, &expected));
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_delete_range__end_before_begin__changes_nothing(void)
{
    struct digest_ledger *ledger = start(1, &base, 0);
    check_status(put(ledger, 0, 5, 1), HAUL_OK);
    check_status(delete_range(ledger, 0, 9, 2), HAUL_OK);
    check_agrees(ledger);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_batch__all_kinds__as_one_by_one(void)
{
    uint8_t memory[256];
    char keys[4][KEY_BYTES];
    uint8_t bytes[VALUE_BYTES];
    struct raw_batch_writer writer;
    struct digest_ledger *ledger = start(1, &base, 0);
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 1, key_of(3, keys[0]), value_of(77, bytes)));
    check(raw_batch_delete(&writer, 0, key_of(4, keys[1])));
    check(raw_batch_delete_range(&writer, 1, key_of(10, keys[2]), key_of(50, keys[3])));
    size_t size = raw_batch_finish(&writer);
    check_status(digest_ledger_batch(ledger, slice_of(memory, size), &error), HAUL_OK);
    now.values[1][3] = 77;
    now.values[0][4] = 0;
    memset(&now.values[1][10], 0, 40 * sizeof(now.values[1][10]));
    check_agrees(ledger);
    check_error(digest_ledger_batch(ledger, slice_of(memory, size - 1), &error), HAUL_CORRUPT,
                error);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_batch__merge__unsupported_and_broken(void)
{
    static const uint8_t merge[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, RAW_MERGE, 1, 'k', 1, 'v'};
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    struct digest_ledger *ledger = start(1, &base, 0);
    check_error(digest_ledger_batch(ledger, slice_of(merge, sizeof(merge)), &error),
                HAUL_UNSUPPORTED, error);
    check_status(digest_ledger_join(ledger, 0, &digest), HAUL_UNSUPPORTED);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_put__memory_used_up__limit_from_then_on(void)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    struct digest_ledger *ledger = start(1, &base, LIMIT_BYTES);
    enum haul_status status = HAUL_OK;
    uint32_t keys = 0;
    while (status == HAUL_OK && keys < FAMILY_COUNT * KEY_COUNT) {
        status = put(ledger, keys / KEY_COUNT, keys % KEY_COUNT, 9);
        check(digest_ledger_memory_bytes(ledger) <= LIMIT_BYTES);
        keys++;
    }
    check_status(status, HAUL_LIMIT);
    check_status(put(ledger, 0, 0, 1), HAUL_LIMIT);
    check_status(delete_range(ledger, 0, 0, 1), HAUL_LIMIT);
    check_status(digest_ledger_join(ledger, 0, &digest), HAUL_LIMIT);
    check_equal(digest.count, 0);
    digest_ledger_destroy(ledger);
}

/* A DeleteRange over the whole base needs no memory for its records. */
static void test_digest_ledger_delete_range__more_records_than_memory__no_limit(void)
{
    struct digest_ledger *ledger = start(1, &base, 4000);
    check_status(delete_range(ledger, 0, 0, KEY_COUNT), HAUL_OK);
    check_equal(digest_ledger_key_count(ledger), 0);
    check_agrees(ledger);
    digest_ledger_destroy(ledger);
}

/* As on a target: the base is the database, and a full ledger forgets. */
static void test_digest_ledger_rebase__at_any_time__equals_a_scan(void)
{
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        struct digest_ledger *ledger = start(seed, &now, 0);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
            if (random_below(10) == 0) {
                digest_ledger_rebase(ledger);
                check_equal(digest_ledger_memory_bytes(ledger), 0);
            }
            random_step(ledger);
        }
        check_agrees(ledger);
        digest_ledger_destroy(ledger);
    }
}

/* --- views taken on the way ------------------------------------------------------------------- */

enum step_kind { STEP_PUT, STEP_MERGE, STEP_DELETE, STEP_DELETE_RANGE };

struct step {
    enum step_kind kind;
    uint32_t family;
    uint32_t number;
    uint32_t end;
};

enum { LOOK_AHEAD_MAX = 30 };

static struct step steps[STEP_COUNT];
static struct model after[STEP_COUNT + 1]; /* [n]: after n steps */

static void make_steps(uint64_t seed)
{
    random_state = seed;
    memset(after, 0, sizeof(after));
    for (uint32_t i = 0; i < FAMILY_COUNT * KEY_COUNT; i++) {
        after[0].values[i / KEY_COUNT][i % KEY_COUNT] = random_below(2) * (1 + random_below(1000));
    }
    for (size_t i = 0; i < STEP_COUNT; i++) {
        uint32_t kind = random_below(20);
        steps[i] = (struct step){.kind = kind == 0   ? STEP_DELETE_RANGE
                                         : kind < 5  ? STEP_DELETE
                                         : kind < 10 ? STEP_MERGE
                                                     : STEP_PUT,
                                 .family = random_below(FAMILY_COUNT),
                                 .number = random_below(KEY_COUNT / 4),
                                 .end = random_below(KEY_COUNT / 4)};
        after[i + 1] = after[i];
        uint32_t *values = after[i + 1].values[steps[i].family];
        uint32_t last = steps[i].kind == STEP_DELETE_RANGE ? steps[i].end : steps[i].number + 1;
        for (uint32_t key = steps[i].number; key < last; key++) {
            values[key] = steps[i].kind >= STEP_DELETE ? 0 : 1 + random_below(1000);
        }
    }
}

/* A merge counts with what its key reads as some steps later. */
static void take_step(struct digest_ledger *ledger, size_t index, size_t looked_at)
{
    const struct step *step = &steps[index];
    char key[KEY_BYTES];
    char end[KEY_BYTES];
    uint8_t bytes[VALUE_BYTES];
    size_t state = step->kind == STEP_MERGE ? looked_at : index + 1;
    uint32_t value = after[state].values[step->family][step->number];
    struct haul_slice name = key_of(step->number, key);
    enum haul_status status;
    if (step->kind == STEP_DELETE_RANGE) {
        status =
            digest_ledger_delete_range(ledger, step->family, name, key_of(step->end, end), &error);
    } else if (value == 0) {
        status = digest_ledger_delete(ledger, step->family, name, &error);
    } else {
        status = digest_ledger_put(ledger, step->family, name, value_of(value, bytes), &error);
    }
    check_status(status, HAUL_OK);
    if (step->kind == STEP_MERGE) {
        digest_ledger_mark_ahead(ledger, step->family, name);
    }
}

static struct digest_ledger *ledger_over(size_t state)
{
    const struct digest_ledger_base callbacks = {
        .context = &after[state], .value = model_value, .walk = model_walk};
    struct digest_ledger *ledger = NULL;
    check_status(digest_ledger_create(&callbacks, 0, &ledger), HAUL_OK);
    check_or_stop(ledger != NULL);
    return ledger;
}

static size_t some_steps_behind(size_t step)
{
    size_t state = step + random_below(LOOK_AHEAD_MAX);
    return state < STEP_COUNT ? state : STEP_COUNT;
}

static void check_succession(uint64_t seed)
{
    atomic_bool stop = false;
    size_t view = 0;
    struct digest_ledger *newer = NULL;
    make_steps(seed);
    struct digest_ledger *ledger = ledger_over(0);
    for (size_t i = 0; i < STEP_COUNT; i++) {
        if (newer == NULL && random_below(20) == 0) {
            view = some_steps_behind(i);
            newer = ledger_over(view);
        }
        size_t looked_at = some_steps_behind(i + 1);
        take_step(ledger, i, looked_at);
        if (newer != NULL) {
            take_step(newer, i, looked_at);
        }
        if (newer != NULL && i + 1 >= view && random_below(5) == 0) {
            atomic_store(&stop, random_below(3) == 0);
            enum haul_status status = digest_ledger_succeed(newer, ledger, &stop, &error);
            check(status == HAUL_OK || (status == HAUL_CLOSED && atomic_load(&stop)));
            if (status == HAUL_OK) {
                digest_ledger_destroy(ledger);
                ledger = newer;
                newer = NULL;
            }
        }
    }
    for (uint32_t family = 0; family < FAMILY_COUNT; family++) {
        struct digest digest = scan(&after[0], family);
        struct digest expected = scan(&after[STEP_COUNT], family);
        check_status(digest_ledger_join(ledger, family, &digest), HAUL_OK);
        check(digest_equal(&digest, &expected));
    }
    digest_ledger_destroy(newer);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_succeed__views_taken_on_the_way__equals_a_scan(void)
{
    for (uint64_t seed = 0; seed < SEED_COUNT; seed++) {
        check_succession(seed);
    }
}

static void test_digest_ledger_succeed__older_is_broken__its_status(void)
{
    atomic_bool stop = false;
    struct digest_ledger *ledger = start(1, &base, 0);
    struct digest_ledger *newer = ledger_over(0);
    base.failure = HAUL_IO;
    check_status(put(ledger, 0, 1, 1), HAUL_IO);
    check_error(digest_ledger_succeed(newer, ledger, &stop, &error), HAUL_IO, error);
    digest_ledger_destroy(newer);
    digest_ledger_destroy(ledger);
}

/* --- failures --------------------------------------------------------------------------------- */

static void test_digest_ledger_put__base_cannot_be_read__broken(void)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    struct digest_ledger *ledger = start(1, &base, 0);
    base.failure = HAUL_STORE;
    check_status(put(ledger, 0, 1, 1), HAUL_STORE);
    check_text(error.call, "get");
    base.failure = HAUL_OK;
    check_status(put(ledger, 0, 1, 1), HAUL_STORE);
    check_status(digest_ledger_join(ledger, 0, &digest), HAUL_STORE);
    digest_ledger_destroy(ledger);
}

static void test_digest_ledger_delete_range__base_cannot_be_read__broken(void)
{
    struct digest_ledger *ledger = start(1, &base, 0);
    base.failure = HAUL_IO;
    check_status(delete_range(ledger, 0, 1, 9), HAUL_IO);
    check_text(error.call, "scan");
    base.failure = HAUL_OK;
    check_status(erase(ledger, 0, 1), HAUL_IO);
    digest_ledger_destroy(ledger);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_digest_ledger_join__random_deltas_over_a_snapshot__equals_a_scan),
    CHECK_TEST(test_digest_ledger_join__base_is_the_database_being_changed__equals_a_scan),
    CHECK_TEST(test_digest_ledger_put__same_key_again__base_is_asked_once),
    CHECK_TEST(test_digest_ledger_put__same_key_in_two_families__kept_apart),
    CHECK_TEST(test_digest_ledger_put__empty_key__counts),
    CHECK_TEST(test_digest_ledger_delete_range__end_before_begin__changes_nothing),
    CHECK_TEST(test_digest_ledger_batch__all_kinds__as_one_by_one),
    CHECK_TEST(test_digest_ledger_batch__merge__unsupported_and_broken),
    CHECK_TEST(test_digest_ledger_put__memory_used_up__limit_from_then_on),
    CHECK_TEST(test_digest_ledger_delete_range__more_records_than_memory__no_limit),
    CHECK_TEST(test_digest_ledger_rebase__at_any_time__equals_a_scan),
    CHECK_TEST(test_digest_ledger_succeed__views_taken_on_the_way__equals_a_scan),
    CHECK_TEST(test_digest_ledger_succeed__older_is_broken__its_status),
    CHECK_TEST(test_digest_ledger_put__base_cannot_be_read__broken),
    CHECK_TEST(test_digest_ledger_delete_range__base_cannot_be_read__broken),
};
CHECK_MAIN("digest_ledger", tests)
