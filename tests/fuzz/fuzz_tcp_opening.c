/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tcp_opening.c — the first 64 bytes of a TCP connection, the answer to them, and the
 * description of a TCP link. Accepted input stays the same after encoding and decoding it again. */
#include "fuzz_target.h"
#include "haul/transport.h"
#include "opening.h"
#include "tcp_description.h"
#include "tcp_preamble.h"

enum which { PREAMBLE, ANSWER, DESCRIPTION };

static const struct opening_form forms[] = {
    [PREAMBLE] = {TCP_PREAMBLE_BYTES, "HAULPRE1", TCP_PREAMBLE_BYTES - 4},
    [ANSWER] = {TCP_PREAMBLE_BYTES, "HAULANS1", TCP_PREAMBLE_BYTES - 4},
    [DESCRIPTION] = {TCP_DESCRIPTION_BYTES, "TCLK", 0},
};

static bool same_ticket(const struct link_ticket *a, const struct link_ticket *b)
{
    return a->version_min == b->version_min && a->version_max == b->version_max &&
           a->index == b->index && memcmp(a->session, b->session, sizeof(a->session)) == 0 &&
           memcmp(a->token, b->token, sizeof(a->token)) == 0;
}

static void try_preamble(const struct opening *opening)
{
    enum tcp_purpose purpose;
    enum tcp_purpose purpose_again;
    struct link_ticket ticket;
    struct link_ticket again;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    if (opening->size < TCP_PREAMBLE_BYTES) {
        (void)tcp_preamble_plausible(opening->bytes, opening->size);
        return;
    }
    enum haul_status status = tcp_preamble_decode(opening->bytes, &purpose, &ticket);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL || status == HAUL_CORRUPT);
        return;
    }
    haul_assert(tcp_preamble_plausible(opening->bytes, TCP_PREAMBLE_BYTES));
    tcp_preamble_encode(purpose, &ticket, bytes);
    expect_status(tcp_preamble_decode(bytes, &purpose_again, &again), HAUL_OK);
    bool versions = ticket.version_min != 0 && ticket.version_max != 0;
    haul_assert(purpose == purpose_again && (!versions || same_ticket(&ticket, &again)));
}

static void try_answer(const struct opening *opening)
{
    enum haul_status answer;
    enum haul_status again;
    uint16_t version_min;
    uint16_t version_max;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    if (opening->size < TCP_PREAMBLE_BYTES) {
        (void)tcp_answer_plausible(opening->bytes, opening->size);
        return;
    }
    enum haul_status status =
        tcp_answer_decode(opening->bytes, &answer, &version_min, &version_max);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL || status == HAUL_CORRUPT);
        return;
    }
    haul_assert(haul_status_name(answer)[0] != '\0');
    tcp_answer_encode(answer, bytes);
    expect_status(tcp_answer_decode(bytes, &again, &version_min, &version_max), HAUL_OK);
    haul_assert(answer == again);
}

static void try_description(const struct opening *opening)
{
    struct haul_error error;
    struct tcp_description description;
    struct tcp_description again;
    uint8_t bytes[TCP_DESCRIPTION_BYTES];
    enum haul_status status =
        tcp_description_decode(opening->bytes, opening->size, &description, &error);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL && error.text[0] != '\0');
        return;
    }
    haul_assert(description.slot_count > 0 && description.slot_count <= HAUL_SLOT_COUNT_MAX);
    tcp_description_encode(&description, bytes);
    expect_status(tcp_description_decode(bytes, sizeof(bytes), &again, &error), HAUL_OK);
    haul_assert(description.slot_count == again.slot_count &&
                description.slot_size_bytes == again.slot_size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opening opening = opening_take(data, size, forms, sizeof(forms) / sizeof(forms[0]));
    switch ((enum which)opening.which) {
    case PREAMBLE:
        try_preamble(&opening);
        break;
    case ANSWER:
        try_answer(&opening);
        break;
    case DESCRIPTION:
        try_description(&opening);
        break;
    }
    free(opening.bytes);
    return 0;
}
