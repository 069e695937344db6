/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_verbs_opening.c — the private data of a request and of a rejection, and the description of a
 * verbs link. Accepted input stays the same after encoding and decoding it again. */
#include "credit.h"
#include "fuzz_target.h"
#include "haul/transport.h"
#include "opening.h"
#include "verbs_description.h"
#include "verbs_greeting.h"

enum which { GREETING, REFUSAL, DESCRIPTION };

static const struct opening_form forms[] = {
    [GREETING] = {VERBS_GREETING_BYTES, "HLRQ", VERBS_GREETING_BYTES - 4},
    [REFUSAL] = {VERBS_REFUSAL_BYTES, "HLRJ", VERBS_REFUSAL_BYTES - 4},
    [DESCRIPTION] = {VERBS_DESCRIPTION_BYTES, "VLNK", VERBS_DESCRIPTION_BYTES - 4},
};

static void try_greeting(const struct opening *opening)
{
    struct link_ticket ticket;
    struct link_ticket again;
    uint8_t bytes[VERBS_GREETING_BYTES];
    enum haul_status status = verbs_greeting_decode(opening->bytes, opening->size, &ticket);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL || status == HAUL_CORRUPT);
        return;
    }
    verbs_greeting_encode(&ticket, bytes);
    expect_status(verbs_greeting_decode(bytes, sizeof(bytes), &again), HAUL_OK);
    haul_assert(ticket.index == again.index &&
                memcmp(ticket.session, again.session, sizeof(again.session)) == 0 &&
                memcmp(ticket.token, again.token, sizeof(again.token)) == 0);
    haul_assert(ticket.version_min == 0 || ticket.version_min == again.version_min);
    haul_assert(ticket.version_max == 0 || ticket.version_max == again.version_max);
}

static void try_refusal(const struct opening *opening)
{
    struct verbs_refusal refusal;
    struct verbs_refusal again;
    uint8_t bytes[VERBS_REFUSAL_BYTES];
    enum haul_status status = verbs_refusal_decode(opening->bytes, opening->size, &refusal);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL || status == HAUL_CORRUPT);
        return;
    }
    haul_assert(refusal.status != HAUL_OK && haul_status_name(refusal.status)[0] != '\0');
    verbs_refusal_encode(refusal.status, bytes);
    expect_status(verbs_refusal_decode(bytes, sizeof(bytes), &again), HAUL_OK);
    haul_assert(refusal.status == again.status);
}

static void try_description(const struct opening *opening)
{
    struct haul_error error;
    struct verbs_description description;
    struct verbs_description again;
    uint8_t bytes[VERBS_DESCRIPTION_BYTES];
    enum haul_status status =
        verbs_description_decode(opening->bytes, opening->size, &description, &error);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL || status == HAUL_CORRUPT);
        haul_assert(error.status == status && error.text[0] != '\0');
        return;
    }
    haul_assert(description.slot_count > 0 && description.slot_count <= HAUL_SLOT_COUNT_MAX);
    haul_assert(!description.sending ||
                description.record_count >= credit_frames_max(description.slot_count));
    verbs_description_encode(&description, bytes);
    expect_status(verbs_description_decode(bytes, sizeof(bytes), &again, &error), HAUL_OK);
    haul_assert(memcmp(bytes, opening->bytes, VERBS_DESCRIPTION_BYTES) == 0 ||
                get_u16(bytes + 4) != get_u16(opening->bytes + 4)); /* of another version */
    haul_assert(description.address == again.address && description.rkey == again.rkey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opening opening = opening_take(data, size, forms, sizeof(forms) / sizeof(forms[0]));
    switch ((enum which)opening.which) {
    case GREETING:
        try_greeting(&opening);
        break;
    case REFUSAL:
        try_refusal(&opening);
        break;
    case DESCRIPTION:
        try_description(&opening);
        break;
    }
    free(opening.bytes);
    return 0;
}
