/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_verify.c — a comparison with an untrusted peer; the first byte selects the case.
 *
 *   0  a source sends requests to our target: (type byte, u16 size, body)..., with a record deleted
 *      or put here and there. Every answer fits a message and matches the database, which is never
 *      written.
 *   1  two streams of pieces, split anywhere: (side, key byte, digest byte)... The comparison ends
 *      when both have ended, finds equal streams equal, and counts everything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "control_channel.h"
#include "fuzz_target.h"
#include "key_range.h"
#include "memory_store.h"
#include "target_verify.h"
#include "verify_compare.h"

enum { RECORDS = 40, MESSAGES_MAX = 64, PIECES_MAX = 256 };

/* --- the target ------------------------------------------------------------------------------- */

static enum haul_status list_families(struct haul_store *store, struct haul_family *families,
                                      size_t capacity, size_t *count, struct haul_error *error)
{
    const char *const orders[] = {HAUL_COMPARATOR_BYTEWISE, HAUL_COMPARATOR_REVERSE};
    (void)store;
    (void)error;
    haul_assert(capacity >= 2);
    for (uint32_t i = 0; i < 2; i++) {
        families[i] = (struct haul_family){.id = i};
        (void)snprintf(families[i].name, sizeof(families[i].name), "%c", (char)('a' + i));
        (void)snprintf(families[i].comparator, sizeof(families[i].comparator), "%s", orders[i]);
    }
    *count = 2;
    return HAUL_OK;
}

static void fill(struct memory_store *store)
{
    struct haul_error error;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint8_t batch[32] = {0};
        const uint8_t record[] = {0x05, (uint8_t)(i % 2), 1, (uint8_t)(i * 6), 1, (uint8_t)i};
        batch[8] = 1;
        memcpy(batch + 12, record, sizeof(record));
        expect_status(
            store->base.ops->write(&store->base, slice_of(batch, 12 + sizeof(record)), 0, &error),
            HAUL_OK);
    }
}

/* The answer is one that a source accepts, and matches the database. */
static void check_answer(const struct message *answer)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct message again;
    struct haul_error error;
    haul_assert(answer->type == MESSAGE_VERIFY_FAMILIES || answer->type == MESSAGE_VERIFY_PIECES);
    expect_status(message_encode(answer, &bytes, &size), HAUL_OK);
    haul_assert(size <= CONTROL_BODY_BYTES_MAX);
    expect_status(message_decode(answer->type, slice_of(bytes, size), &again, &error), HAUL_OK);
    message_release(&again);
    free(bytes);
}

static void read_all(struct target_verify *verify, struct memory_store *store)
{
    struct message answer;
    struct haul_error error = {0};
    while (target_verify_begin(verify)) {
        const struct haul_target_options options = {.store = &store->base};
        enum haul_status status = target_verify_read(verify, &options, NULL, &error);
        if (status != HAUL_OK) {
            haul_assert(status == HAUL_NOT_FOUND || status == HAUL_INVALID ||
                        status == HAUL_UNSUPPORTED);
            haul_assert(error.text[0] != '\0');
            verify->asked = 0; /* the session ends */
            return;
        }
        if (target_verify_answer(verify, &answer)) {
            check_answer(&answer);
            message_release(&answer);
        }
    }
}

static bool is_request(unsigned type)
{
    return type == MESSAGE_VERIFY_LIST || type == MESSAGE_VERIFY_SCAN ||
           type == MESSAGE_VERIFY_NEXT;
}

static void ask_target(struct cursor *input)
{
    struct memory_store store;
    struct target_verify verify = {.asked = 0};
    memory_store_init(&store);
    struct haul_store_ops ops = *store.base.ops;
    ops.families = list_families;
    store.base.ops = &ops;
    memory_store_add_family(&store, 0, false);
    memory_store_add_family(&store, 1, true);
    fill(&store);
    uint64_t applied = store.applied;
    for (int i = 0; i < MESSAGES_MAX && cursor_left(input) > 0; i++) {
        struct message message;
        struct haul_error error;
        unsigned type = cursor_u8(input);
        bool reads = type >= 128; /* with this message, not with a later one */
        size_t size = cursor_u16(input);
        struct haul_slice body =
            cursor_slice(input, size < cursor_left(input) ? size : cursor_left(input));
        type %= 128;
        if (is_request(type) && message_decode(type, body, &message, &error) == HAUL_OK) {
            enum haul_status status = target_verify_take(&verify, &message, &error);
            haul_assert(status == HAUL_OK || status == HAUL_PROTOCOL);
            message_release(&message);
        }
        if (reads) {
            read_all(&verify, &store);
        }
    }
    read_all(&verify, &store);
    haul_assert(store.applied == applied && store.count == RECORDS);
    target_verify_fini(&verify);
    memory_store_fini(&store);
}

/* --- the comparison --------------------------------------------------------------------------- */

/* The pieces of one side. */
struct side {
    struct digest digests[PIECES_MAX];
    size_t count;
    struct digest total;
};

static void put(struct verify_compare *compare, enum verify_side side, struct verify_chunk *chunk,
                bool ended)
{
    chunk->ended = ended;
    expect_status(verify_compare_put(compare, side, chunk), HAUL_OK);
}

static void check_end(const struct verify_compare *compare, const struct side *sides)
{
    bool same = sides[VERIFY_OURS].count == sides[VERIFY_THEIRS].count;
    for (size_t i = 0; same && i < sides[VERIFY_OURS].count; i++) {
        same = digest_equal(&sides[VERIFY_OURS].digests[i], &sides[VERIFY_THEIRS].digests[i]);
    }
    haul_assert(verify_compare_is_over(compare));
    haul_assert(compare->parted == !same);
    haul_assert(compare->found == (!same && compare->single));
    haul_assert(!compare->found || compare->difference.in_a || compare->difference.in_b);
    for (int i = 0; !compare->found && i < VERIFY_SIDE_COUNT; i++) {
        haul_assert(digest_equal(&compare->totals[i], &sides[i].total));
    }
}

static void compare_streams(struct cursor *input)
{
    struct verify_chunk *chunk = calloc(1, sizeof(*chunk));
    struct side *sides = calloc(VERIFY_SIDE_COUNT, sizeof(*sides));
    struct verify_compare compare;
    haul_assert(chunk != NULL && sides != NULL);
    memset(&compare, 0, sizeof(compare));
    unsigned how = cursor_u8(input);
    verify_compare_begin(&compare, (how & 1) != 0,
                         (how & 2) != 0 ? VERIFY_ORDER_DESCENDING : VERIFY_ORDER_ASCENDING);
    while (cursor_left(input) > 0 && !compare.found) {
        unsigned at = cursor_u8(input);
        uint8_t key = cursor_u8(input);
        struct verify_piece piece = {.digest = {.count = 1, .low = cursor_u8(input)}};
        struct side *side = &sides[at % 2];
        if (side->count == PIECES_MAX) {
            break;
        }
        haul_assert(verify_key_copy(slice_of(&key, 1), &piece.key));
        chunk->pieces[chunk->count++] = piece;
        side->digests[side->count++] = piece.digest;
        digest_join(&side->total, &piece.digest);
        put(&compare, (enum verify_side)(at % 2), chunk, false);
    }
    for (int i = 0; i < VERIFY_SIDE_COUNT && !compare.found; i++) {
        put(&compare, (enum verify_side)i, chunk, true);
    }
    if (!compare.found) {
        check_end(&compare, sides);
    }
    haul_assert(verify_compare_is_over(&compare));
    verify_compare_fini(&compare);
    free(sides);
    free(chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    if (cursor_u8(&input) % 2 == 0) {
        ask_target(&input);
    } else {
        compare_streams(&input);
    }
    return 0;
}
