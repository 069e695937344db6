/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest_forged.c — somebody replaces every value of a set of records, and count and digest
 * stay the same (Wagner's k-tree). He can do so without a key, and it does not help him with one.
 *
 *   leaves    of each record many values to choose from
 *   a level   sums of two lists, of which some more low bits are zero; at the root all are */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "digest.h"

/* 2048 records: 11 levels of 11 bits, and the rest of the 128 at the root. */
enum {
    LEVELS = 11,
    RECORDS = 1 << LEVELS,
    LEVEL_BITS = 11,
    CHOICES = 2 << LEVEL_BITS,
    SUMS_MAX = 2 * CHOICES,
    KEY_BYTES = 15,
    VALUE_BYTES = 64,
    TEXT_BYTES = VALUE_BYTES + 1,
};

typedef unsigned __int128 sum_t;

struct list {
    size_t count;
    size_t width; /* records in a sum */
    sum_t *sums;
    uint16_t *choices; /* `width` of each sum */
};

struct place {
    uint64_t bits;
    size_t index;
};

static sum_t honest_sum;

static void write_key(size_t record, char text[TEXT_BYTES])
{
    (void)snprintf(text, TEXT_BYTES, "account:%07zu", record);
}

static void write_value(const char *owner, size_t record, unsigned choice, char text[TEXT_BYTES])
{
    int size = snprintf(text, TEXT_BYTES, "owner=%s;account=%zu;memo=%04x", owner, record, choice);
    memset(text + size, '.', (size_t)(VALUE_BYTES - size));
}

static struct haul_slice slice(const char *text, size_t size)
{
    return (struct haul_slice){.data = (const uint8_t *)text, .size = size};
}

static void add(struct digest *digest, const struct digest_key *by, const char *owner,
                size_t record, unsigned choice)
{
    char key[TEXT_BYTES];
    char value[TEXT_BYTES];
    write_key(record, key);
    write_value(owner, record, choice, value);
    digest_add(digest, by, slice(key, KEY_BYTES), slice(value, VALUE_BYTES));
}

static sum_t sum_of(const struct digest *digest)
{
    return (sum_t)digest->high << 64 | digest->low;
}

static struct list list_of(size_t width, size_t capacity)
{
    struct list list = {.width = width};
    list.sums = malloc(capacity * sizeof(*list.sums));
    list.choices = malloc(capacity * width * sizeof(*list.choices));
    check_or_stop(list.sums != NULL && list.choices != NULL);
    return list;
}

static void list_fini(struct list *list)
{
    free(list->sums);
    free(list->choices);
}

static struct list make_leaf(size_t record)
{
    struct list leaf = list_of(1, CHOICES);
    for (unsigned choice = 0; choice < CHOICES; choice++) {
        struct digest digest = {0};
        add(&digest, NULL, "mallory", record, choice);
        leaf.sums[choice] = sum_of(&digest) - (record == 0 ? honest_sum : 0);
        leaf.choices[choice] = (uint16_t)choice;
    }
    leaf.count = CHOICES;
    return leaf;
}

static int compare(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    return (left->bits > right->bits) - (left->bits < right->bits);
}

static uint64_t bits_of(sum_t sum, int shift, uint64_t mask)
{
    return (uint64_t)(sum >> shift) & mask;
}

static void append(struct list *to, const struct list *a, size_t i, const struct list *b, size_t j)
{
    uint16_t *choices = to->choices + to->count * to->width;
    memcpy(choices, a->choices + i * a->width, a->width * sizeof(*choices));
    memcpy(choices + a->width, b->choices + j * b->width, b->width * sizeof(*choices));
    to->sums[to->count++] = a->sums[i] + b->sums[j];
}

static size_t find_first(const struct place *places, size_t count, uint64_t bits)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = (low + count) / 2;
        if (places[middle].bits < bits) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* Sums of one of each list whose next bits are zero. */
static struct list join(struct list *a, struct list *b, int level)
{
    int shift = LEVEL_BITS * (level - 1);
    uint64_t mask = level == LEVELS ? (UINT64_C(1) << (128 - shift)) - 1 : (1u << LEVEL_BITS) - 1;
    struct list sums = list_of(2 * a->width, SUMS_MAX);
    struct place *places = malloc(b->count * sizeof(*places) + 1);
    check_or_stop(places != NULL);
    for (size_t j = 0; j < b->count; j++) {
        places[j] = (struct place){.bits = bits_of(b->sums[j], shift, mask), .index = j};
    }
    qsort(places, b->count, sizeof(*places), compare);
    for (size_t i = 0; i < a->count; i++) {
        uint64_t wanted = bits_of(-a->sums[i], shift, mask); /* all lower bits are zero */
        size_t at = find_first(places, b->count, wanted);
        for (; at < b->count && places[at].bits == wanted && sums.count < SUMS_MAX; at++) {
            append(&sums, a, i, b, places[at].index);
        }
    }
    free(places);
    list_fini(a);
    list_fini(b);
    return sums;
}

static struct list make_tree(size_t first, int level) // NOLINT(misc-no-recursion)
{
    if (level == 0) {
        return make_leaf(first);
    }
    struct list a = make_tree(first, level - 1);
    struct list b = make_tree(first + ((size_t)1 << (level - 1)), level - 1);
    return join(&a, &b, level);
}

static struct digest digest_of(const char *owner, const uint16_t *choices,
                               const struct digest_key *by)
{
    struct digest digest = {0};
    for (size_t record = 0; record < RECORDS; record++) {
        add(&digest, by, owner, record, choices == NULL ? 0 : choices[record]);
    }
    return digest;
}

static void test_digest__every_value_forged__noticed_only_with_a_key(void)
{
    static const uint8_t secrets[3][DIGEST_KEY_BYTES] = {{1}, {2}, {0, 1}};
    struct digest honest = digest_of("alice", NULL, NULL);
    honest_sum = sum_of(&honest);
    struct list forged = make_tree(0, LEVELS);
    check_or_stop(forged.count > 0);
    struct digest false_one = digest_of("mallory", forged.choices, NULL);
    check(digest_equal(&honest, &false_one));
    for (size_t i = 0; i < CHECK_COUNT(secrets); i++) {
        struct digest_key key;
        digest_key_init(&key, secrets[i]);
        honest = digest_of("alice", NULL, &key);
        false_one = digest_of("mallory", forged.choices, &key);
        check(!digest_equal(&honest, &false_one));
        check_equal(honest.count, false_one.count);
    }
    list_fini(&forged);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_digest__every_value_forged__noticed_only_with_a_key),
};

CHECK_MAIN("digest_forged", tests)
