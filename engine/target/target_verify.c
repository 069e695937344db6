/* SPDX-License-Identifier: Apache-2.0 */
/* target_verify.c — serves a comparison's requests, one read for each. */
#include "target_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "target_permit.h"

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory to verify");
}

/* --- life ------------------------------------------------------------------------------------- */

static void end_scan(struct target_verify *verify)
{
    if (verify->reads) {
        verify_reader_fini(&verify->reader);
    }
    verify->reads = false;
    message_release(&verify->scan);
    free(verify->ranges);
    verify->ranges = NULL;
}

void target_verify_fini(struct target_verify *verify)
{
    end_scan(verify);
    message_release(&verify->next_scan);
    message_release(&verify->answer);
    if (verify->chunk != NULL) {
        verify_chunk_clear(verify->chunk);
    }
    free(verify->chunk);
    verify->chunk = NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

/* Copy by encoding and decoding: the message's parts are borrowed. */
static enum haul_status keep_scan(struct target_verify *verify, const struct message *message,
                                  struct haul_error *error)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    message_release(&verify->next_scan);
    enum haul_status status = message_encode(message, &bytes, &size);
    if (status != HAUL_OK) {
        return no_memory(error);
    }
    status = message_decode(message->type, slice_of(bytes, size), &verify->next_scan, error);
    free(bytes);
    return status;
}

static const haul_control_VerifyScan *newest_scan(const struct target_verify *verify)
{
    return verify->next_scan.type == MESSAGE_VERIFY_SCAN ? &verify->next_scan.as.verify_scan
           : verify->scan.type == MESSAGE_VERIFY_SCAN    ? &verify->scan.as.verify_scan
                                                         : NULL;
}

static enum haul_status ask(struct target_verify *verify, const haul_control_VerifyNext *next,
                            struct haul_error *error)
{
    const haul_control_VerifyScan *scan = newest_scan(verify);
    if (scan == NULL || scan->scan != next->scan) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the source requests pieces of another scan");
    }
    if (verify->asked == TARGET_VERIFY_ASKED_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the source requests more than %d answers at once",
                              TARGET_VERIFY_ASKED_MAX);
    }
    verify->asked++;
    return HAUL_OK;
}

enum haul_status target_verify_take(struct target_verify *verify, const struct message *message,
                                    struct haul_error *error)
{
    if (message->type == MESSAGE_VERIFY_LIST) {
        verify->list_wanted = true;
        return HAUL_OK;
    }
    if (message->type == MESSAGE_VERIFY_NEXT) {
        return ask(verify, &message->as.verify_next, error);
    }
    haul_assert(message->type == MESSAGE_VERIFY_SCAN);
    if (message->as.verify_scan.ranges_count > HAUL_RANGE_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "%u ranges; at most %d",
                              (unsigned)message->as.verify_scan.ranges_count, HAUL_RANGE_COUNT_MAX);
    }
    verify->asked = 0;
    return keep_scan(verify, message, error);
}

bool target_verify_begin(struct target_verify *verify)
{
    verify->lists = verify->list_wanted;
    verify->list_wanted = false;
    if (verify->lists) {
        return true;
    }
    if (verify->asked == 0) {
        return false;
    }
    verify->asked--;
    if (verify->next_scan.type == MESSAGE_VERIFY_SCAN) {
        end_scan(verify);
        verify->scan = verify->next_scan;
        memset(&verify->next_scan, 0, sizeof(verify->next_scan));
    }
    return true;
}

/* --- reads, in the call worker ---------------------------------------------------------------- */

static enum haul_status list_families(struct target_verify *verify,
                                      const struct haul_target_options *target,
                                      struct haul_error *error)
{
    struct haul_store *store = target->store;
    size_t count = 0;
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    if (families == NULL) {
        return no_memory(error);
    }
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    message_init(&verify->answer, MESSAGE_VERIFY_FAMILIES);
    haul_control_VerifyFamilies *answer = &verify->answer.as.verify_families;
    if (status == HAUL_OK) {
        answer->families = calloc(count + 1, sizeof(*answer->families));
        status = answer->families == NULL ? no_memory(error) : HAUL_OK;
    }
    answer->taken_only = target->only_family_count > 0;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (!target_permit_takes(target, families[i].name)) {
            continue;
        }
        haul_control_Family *family = &answer->families[answer->families_count++];
        (void)snprintf(family->name, sizeof(family->name), "%s", families[i].name);
        (void)snprintf(family->comparator, sizeof(family->comparator), "%s",
                       families[i].comparator);
    }
    free(families);
    return status;
}

/* A source begins again behind a key that it has read, so the key lies in its range. Before the
 * range there may be records that it must not see. */
static enum haul_status check_place(const struct verify_reading *reading, struct haul_error *error)
{
    const struct verify_place *from = reading->from;
    if (from == NULL || !from->behind_key || from->range >= reading->range_count) {
        return HAUL_OK; /* without ranges every key is in the only one */
    }
    const struct haul_range *range = &reading->ranges[from->range];
    bool inside = slice_compare(from->key, range->start) >= 0 &&
                  (range->end.size == 0 || slice_compare(from->key, range->end) < 0);
    return inside ? HAUL_OK
                  : haul_error_set(error, HAUL_INVALID, NULL, 0,
                                   "a comparison begins behind a key that is not in its range");
}

static enum haul_status begin_reader(struct target_verify *verify,
                                     const struct haul_target_options *target,
                                     struct haul_error *error)
{
    const haul_control_VerifyScan *scan = &verify->scan.as.verify_scan;
    struct verify_place from = {
        .range = scan->range, .behind_key = scan->after != NULL, .key = message_slice(scan->after)};
    struct verify_reading reading = {.family = scan->family,
                                     .range_count = scan->ranges_count,
                                     .single = scan->single,
                                     .with_keys = scan->single,
                                     .from = scan->continues ? &from : NULL,
                                     .digest_key =
                                         slice_of(scan->digest_key.bytes, scan->digest_key.size)};
    verify->ranges = calloc((size_t)scan->ranges_count + 1, sizeof(*verify->ranges));
    if (verify->ranges == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < scan->ranges_count; i++) {
        verify->ranges[i].start = message_slice(scan->ranges[i].start);
        verify->ranges[i].end = message_slice(scan->ranges[i].end);
    }
    reading.ranges = verify->ranges;
    enum haul_status status =
        target_permit_check_family(target, scan->family, verify->ranges, scan->ranges_count, error);
    if (status == HAUL_OK) {
        status = check_place(&reading, error);
    }
    if (status == HAUL_OK) {
        status = verify_reader_init(&verify->reader, target->store, &reading, error);
    }
    verify->reads = status == HAUL_OK;
    return status;
}

static enum haul_status put_piece(const struct verify_piece *from, bool single,
                                  haul_control_VerifyPiece *to)
{
    to->records = from->digest.count;
    to->bytes = from->digest.bytes;
    to->low = from->digest.low;
    to->high = from->digest.high;
    to->range = (uint32_t)from->range;
    if (!single) {
        return HAUL_OK;
    }
    struct haul_slice key = from->key;
    to->key_size = (uint32_t)key.size;
    key.size = key.size < VERIFY_WIRE_KEY_BYTES_MAX ? key.size : VERIFY_WIRE_KEY_BYTES_MAX;
    to->key = message_bytes(key);
    return to->key == NULL ? HAUL_NO_MEMORY : HAUL_OK;
}

static enum haul_status put_pieces(struct target_verify *verify, struct haul_error *error)
{
    const struct verify_chunk *chunk = verify->chunk;
    message_init(&verify->answer, MESSAGE_VERIFY_PIECES);
    haul_control_VerifyPieces *answer = &verify->answer.as.verify_pieces;
    answer->scan = verify->scan.as.verify_scan.scan;
    answer->ended = chunk->ended;
    answer->pieces = calloc(chunk->count + 1, sizeof(*answer->pieces));
    if (answer->pieces == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < chunk->count; i++) {
        verify->records += chunk->pieces[i].digest.count;
        verify->bytes += chunk->pieces[i].digest.bytes;
        answer->pieces_count++;
        if (put_piece(&chunk->pieces[i], verify->reader.single, &answer->pieces[i]) != HAUL_OK) {
            return no_memory(error);
        }
    }
    return HAUL_OK;
}

enum haul_status target_verify_read(struct target_verify *verify,
                                    const struct haul_target_options *target,
                                    const struct haul_steps *steps, struct haul_error *error)
{
    message_release(&verify->answer);
    if (verify->lists) {
        return list_families(verify, target, error);
    }
    if (verify->chunk == NULL) {
        verify->chunk = calloc(1, sizeof(*verify->chunk));
    }
    enum haul_status status = verify->chunk == NULL ? no_memory(error) : HAUL_OK;
    if (status == HAUL_OK && !verify->reads) {
        status = begin_reader(verify, target, error);
    }
    if (status == HAUL_OK) {
        status = verify_reader_next(&verify->reader, steps, verify->chunk, error);
    }
    if (status == HAUL_OK) {
        status = put_pieces(verify, error);
    }
    if (verify->chunk != NULL) {
        verify_chunk_clear(verify->chunk);
    }
    return status;
}

bool target_verify_answer(struct target_verify *verify, struct message *answer)
{
    bool outdated = !verify->lists && verify->next_scan.type == MESSAGE_VERIFY_SCAN;
    if (outdated) {
        message_release(&verify->answer);
        return false;
    }
    *answer = verify->answer;
    memset(&verify->answer, 0, sizeof(verify->answer));
    return true;
}
