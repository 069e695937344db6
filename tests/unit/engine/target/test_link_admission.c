/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_admission.c — tickets of data links: of this session, with its token, once. */
#include "link_admission.h"

#include <string.h>

#include "check.h"
#include "haul/limits.h"

static struct link_admission admission;
static struct link_ticket ticket;
static struct frame_key frames;

static void begin(bool derived)
{
    check_status(link_admission_init(&admission), HAUL_OK);
    admission.keys.derived = derived;
    memset(admission.keys.links, 9, sizeof(admission.keys.links));
    memset(&ticket, 0, sizeof(ticket));
    memcpy(ticket.session, admission.session, LINK_SESSION_BYTES);
    memcpy(ticket.token, admission.token, LINK_TOKEN_BYTES);
}

static enum haul_status take(enum haul_transport transport)
{
    return link_admission_take(&admission, transport, &ticket, &frames);
}

/* The ticket of a source that has the session's keys. */
static void derive(enum haul_transport transport, uint32_t index)
{
    struct link_secrets secrets;
    check_status(attempt_keys_link(&admission.keys, transport, index, &secrets), HAUL_OK);
    memcpy(ticket.token, secrets.token, LINK_TOKEN_BYTES);
    ticket.index = index;
}

static void test_link_admission_take__every_bit_of_the_ticket__counts(void)
{
    begin(false);
    for (size_t bit = 0; bit < 8 * LINK_TOKEN_BYTES; bit++) {
        ticket.token[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH);
        ticket.token[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ticket.session[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH);
        ticket.session[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
    check(!frames.used);
}

static void test_link_admission_take__plain_session__each_link_once(void)
{
    begin(false);
    for (uint32_t index = 0; index < 3; index++) {
        ticket.index = index;
        check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
        check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH);
        check_status(take(HAUL_TRANSPORT_VERBS), HAUL_OK);
    }
    ticket.index = link_index(1, 0); /* a later attempt */
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
}

static void test_link_admission_take__keys__a_token_for_one_link_once(void)
{
    begin(true);
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH); /* Welcome's token is good for nothing */
    derive(HAUL_TRANSPORT_TCP, 1);
    check_status(take(HAUL_TRANSPORT_VERBS), HAUL_AUTH);
    ticket.index = 2;
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH);
    ticket.index = 1;
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
    check(frames.used);
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_AUTH);
    struct frame_key first = frames;
    derive(HAUL_TRANSPORT_TCP, 2);
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
    check(memcmp(first.bytes, frames.bytes, FRAME_KEY_BYTES) != 0);
}

static void test_link_admission_take__more_links_than_a_job_has__busy(void)
{
    begin(false);
    ticket.index = HAUL_LINK_COUNT_MAX;
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_BUSY);
    for (uint32_t i = 0; i < LINK_ADMISSIONS_MAX; i++) {
        ticket.index = link_index(i / HAUL_LINK_COUNT_MAX, i % HAUL_LINK_COUNT_MAX);
        check_status(take(HAUL_TRANSPORT_TCP), HAUL_OK);
    }
    ticket.index = link_index(LINK_ADMISSIONS_MAX, 0);
    check_status(take(HAUL_TRANSPORT_TCP), HAUL_BUSY);
}

static void test_link_admission_open__source_has_gone__closed(void)
{
    struct haul_error error = {.status = HAUL_OK};
    begin(false);
    check_error(link_admission_open(&admission, NULL, 1, HAUL_WIRE_NONE, &error), HAUL_CLOSED,
                error);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_admission_take__every_bit_of_the_ticket__counts),
    CHECK_TEST(test_link_admission_take__plain_session__each_link_once),
    CHECK_TEST(test_link_admission_take__keys__a_token_for_one_link_once),
    CHECK_TEST(test_link_admission_take__more_links_than_a_job_has__busy),
    CHECK_TEST(test_link_admission_open__source_has_gone__closed),
};
CHECK_MAIN("link_admission", tests)
