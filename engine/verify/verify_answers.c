/* SPDX-License-Identifier: Apache-2.0 */
/* verify_answers.c — checks the rules of VerifyFamilies and VerifyPieces. */
#include "verify_answers.h"

#include <string.h>

#include "haul/limits.h"
#include "verify_reader.h"

/* RocksDB numbers its writes with 56 bits. */
static const uint64_t records_max = UINT64_C(1) << 56;
static const uint64_t bytes_max = UINT64_C(1) << 63;

static enum haul_status broken(struct haul_error *error, const char *rule)
{
    return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "the target sends %s", rule);
}

void verify_answers_reset(struct verify_answers *answers)
{
    memset(answers, 0, sizeof(*answers));
}

void verify_answers_begin(struct verify_answers *answers, bool single, uint32_t range_count)
{
    *answers = (struct verify_answers){.scan = answers->scan + 1,
                                       .earlier = answers->earlier + answers->asked,
                                       .single = single,
                                       .range_count = range_count};
}

/* The broken rule; NULL: the piece keeps the rules. */
static const char *check_piece(const struct verify_answers *answers,
                               const haul_control_VerifyPiece *piece)
{
    if (piece->records == 0) {
        return "a piece without records";
    }
    if (answers->single && piece->records != 1) {
        return "a piece of several records instead of one";
    }
    if (piece->range < answers->range || piece->range >= answers->range_count) {
        return "a piece of a range out of turn";
    }
    if (piece->key != NULL && (!answers->single || piece->key->size > VERIFY_WIRE_KEY_BYTES_MAX)) {
        return "a key that was not requested";
    }
    if (piece->records > records_max - answers->records ||
        piece->bytes > bytes_max - answers->bytes) {
        return "more records than a database can have";
    }
    return NULL;
}

enum haul_status verify_answers_take(struct verify_answers *answers,
                                     const haul_control_VerifyPieces *pieces,
                                     struct haul_error *error)
{
    if (pieces->scan != answers->scan && answers->earlier > 0) {
        answers->earlier--;
        return HAUL_AGAIN;
    }
    if (pieces->scan != answers->scan || answers->asked == 0) {
        return broken(error, "pieces that were not requested");
    }
    answers->asked--;
    if (pieces->pieces_count > VERIFY_PIECE_COUNT_MAX) {
        return broken(error, "more pieces than an answer may have");
    }
    answers->empty = pieces->pieces_count == 0 ? answers->empty + 1 : 0;
    if (answers->empty > VERIFY_EMPTY_ANSWERS_MAX) {
        return broken(error, "too many empty answers in a row");
    }
    for (size_t i = 0; i < pieces->pieces_count; i++) {
        const haul_control_VerifyPiece *piece = &pieces->pieces[i];
        const char *rule = check_piece(answers, piece);
        if (rule != NULL) {
            return broken(error, rule);
        }
        answers->range = piece->range;
        answers->records += piece->records;
        answers->bytes += piece->bytes;
    }
    return HAUL_OK;
}

static bool has_before(const haul_control_VerifyFamilies *list, size_t at)
{
    bool found = false;
    for (size_t i = 0; i < at && !found; i++) {
        found = strcmp(list->families[i].name, list->families[at].name) == 0;
    }
    return found;
}

enum haul_status verify_answers_check_list(const haul_control_VerifyFamilies *list,
                                           struct haul_error *error)
{
    if (list->families_count > HAUL_FAMILY_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target names more than %d column families",
                              HAUL_FAMILY_COUNT_MAX);
    }
    for (size_t i = 0; i < list->families_count; i++) {
        if (list->families[i].name[0] == '\0' || has_before(list, i)) {
            return broken(error, "a column family without a unique name");
        }
    }
    return HAUL_OK;
}
