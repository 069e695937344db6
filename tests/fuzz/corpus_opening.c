/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_opening.c — preambles, answers, greetings, refusals and descriptions. */
#include <string.h>

#include "corpus_writer.h"
#include "credit.h"
#include "tcp_description.h"
#include "tcp_preamble.h"
#include "verbs_description.h"
#include "verbs_greeting.h"

/* As in fuzz_tcp_opening.c and fuzz_verbs_opening.c; MEND of opening.h. */
enum { PREAMBLE = 0, ANSWER = 1, GREETING = 0, REFUSAL = 1, DESCRIPTION = 2, MEND = 1 };

static struct corpus_input input;

static void write_case(const char *noun, unsigned which, const uint8_t *bytes, size_t size,
                       const char *name)
{
    corpus_add_byte(&input, which);
    corpus_add_byte(&input, MEND);
    corpus_add(&input, bytes, size);
    corpus_write(&input, noun, name);
}

static struct link_ticket ticket_of(uint32_t index)
{
    struct link_ticket ticket = {.index = index};
    memset(ticket.session, 's', sizeof(ticket.session));
    memset(ticket.token, 't', sizeof(ticket.token));
    return ticket;
}

void corpus_tcp_opening(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    struct link_ticket ticket = ticket_of(3);
    tcp_preamble_encode(TCP_CONTROL, &ticket, bytes);
    write_case("tcp_opening", PREAMBLE, bytes, sizeof(bytes), "control");
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    write_case("tcp_opening", PREAMBLE, bytes, sizeof(bytes), "data");
    write_case("tcp_opening", PREAMBLE, bytes, 7, "torn");
    tcp_answer_encode(HAUL_OK, bytes);
    write_case("tcp_opening", ANSWER, bytes, sizeof(bytes), "answer");
    tcp_answer_encode(HAUL_BUSY, bytes);
    write_case("tcp_opening", ANSWER, bytes, sizeof(bytes), "busy");
    struct tcp_description description = {.slot_count = 64, .slot_size_bytes = 1 << 20};
    tcp_description_encode(&description, bytes);
    write_case("tcp_opening", DESCRIPTION, bytes, TCP_DESCRIPTION_BYTES, "description");
}

void corpus_verbs_opening(void)
{
    uint8_t bytes[VERBS_GREETING_BYTES];
    struct link_ticket ticket = ticket_of(3);
    verbs_greeting_encode(&ticket, bytes);
    write_case("verbs_opening", GREETING, bytes, VERBS_GREETING_BYTES, "greeting");
    write_case("verbs_opening", GREETING, bytes, VERBS_GREETING_BYTES - 1, "torn");
    verbs_refusal_encode(HAUL_AUTH, bytes);
    write_case("verbs_opening", REFUSAL, bytes, VERBS_REFUSAL_BYTES, "refusal");
    struct verbs_description description = {.sending = true,
                                            .slot_count = 64,
                                            .slot_size_bytes = 1 << 20,
                                            .address = 0x7f0000001000,
                                            .rkey = 77,
                                            .record_count = (uint32_t)credit_frames_max(64),
                                            .message_bytes_max = 1 << 30};
    verbs_description_encode(&description, bytes);
    write_case("verbs_opening", DESCRIPTION, bytes, VERBS_DESCRIPTION_BYTES, "sender");
    description.sending = false;
    description.record_count = 0;
    verbs_description_encode(&description, bytes);
    write_case("verbs_opening", DESCRIPTION, bytes, VERBS_DESCRIPTION_BYTES, "receiver");
}
