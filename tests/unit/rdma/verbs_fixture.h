/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_fixture.h — one verbs link on the fake device, driven step by step, with a clock that only
 * the test moves. */
#ifndef HAUL_TESTS_VERBS_FIXTURE_H
#define HAUL_TESTS_VERBS_FIXTURE_H

#include "raw_peer.h"

#include "check.h"
#include "credit.h"
#include "link_ops.h"
#include "verbs_description.h"
#include "verbs_fake.h"
#include "verbs_greeting.h"
#include "verbs_link.h"

enum {
    SLOT_COUNT = 4,
    SLOT_BYTES = HAUL_SLOT_SIZE_BYTES_MIN,
    EPOCH = 9,
    FIRST_SEQUENCE = IMM_SEQUENCE_MASK - 1, /* the immediates wrap after two blocks */
    PEER_TIMEOUT_MS = 3000,
    PEER_RKEY = 77,
    PEER_SLOT_COUNT = 6,
    EVENTS_MAX = 16,
};
#define PEER_ADDRESS UINT64_C(0x100000)

/* What each side offers, unless a test wants otherwise. */
static uint32_t fixture_slots = SLOT_COUNT;
static uint32_t fixture_peer_slots = PEER_SLOT_COUNT;

static struct fake_clock ticking;
static struct link_config config;
static struct link *tested;
static struct link_event events[EVENTS_MAX];

static inline void fixture_begin(void)
{
    fake_reset();
    fake_clock_init(&ticking);
    config = (struct link_config){
        .clock = &ticking.clock, .epoch = EPOCH, .first_sequence = FIRST_SEQUENCE};
    config.options = (struct haul_link_options){.slot_count = fixture_slots,
                                                .slot_size_bytes = SLOT_BYTES,
                                                .peer_timeout_ms = PEER_TIMEOUT_MS};
}

static inline void fixture_end(void)
{
    link_destroy(tested);
    tested = NULL;
    check(fake_is_clean());
    if (fake.misuse != NULL) {
        check_text(fake.misuse, "");
    }
}

static inline enum haul_status fixture_connect(struct haul_error *error)
{
    struct link_address address;
    const struct link_ticket ticket = {.index = 5};
    if (link_address_parse("10.1.2.3:4", &address, error) != HAUL_OK) {
        return HAUL_INVALID;
    }
    const struct verbs_target target = {.address = &address, .ticket = &ticket};
    return verbs_link_connect(&fake_api, &target, &config, &tested, error);
}

/* Raise an event of the connection manager, and poll to take it. */
static inline size_t fixture_step(enum rdma_cm_event_type type)
{
    if (fake.id != NULL && fake.id->channel != NULL) {
        fake_cm(type, 0);
    }
    return link_poll(tested, events, EVENTS_MAX);
}

/* From an id's request to the peer's answer. */
static inline size_t fixture_walk(void)
{
    size_t count = fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED);
    count = count > 0 ? count : fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED);
    return count > 0 ? count : fixture_step(RDMA_CM_EVENT_CONNECT_RESPONSE);
}

static inline enum haul_status fixture_accept(struct haul_error *error)
{
    struct rdma_cm_id *id = fake_make_id(NULL);
    fake.id = id;
    return verbs_link_accept(&fake_api, id, &config, &tested, error);
}

static inline void fixture_bind(void)
{
    uint8_t bytes[VERBS_DESCRIPTION_BYTES];
    const struct verbs_description peer = {
        .sending = !tested->sending,
        .slot_count = fixture_peer_slots,
        .slot_size_bytes = SLOT_BYTES,
        .address = PEER_ADDRESS,
        .rkey = PEER_RKEY,
        .record_count = tested->sending ? 0 : credit_frames_max(fixture_peer_slots),
        .message_bytes_max = 1 << 20,
    };
    verbs_description_encode(&peer, bytes);
    check_or_stop(link_bind(tested, bytes, sizeof(bytes), NULL) == HAUL_OK);
}

static inline void fixture_open_sender(void)
{
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    check_or_stop(fixture_walk() == 1 && events[0].type == LINK_CONNECTED);
    fixture_bind();
}

static inline void fixture_open_unbound_receiver(void)
{
    fixture_begin();
    check_or_stop(fixture_accept(NULL) == HAUL_OK);
    check_or_stop(fixture_step(RDMA_CM_EVENT_ESTABLISHED) == 1);
    check_or_stop(events[0].type == LINK_CONNECTED);
}

static inline void fixture_open_receiver(void)
{
    fixture_open_unbound_receiver();
    fixture_bind();
}

static inline size_t fixture_poll(void)
{
    return link_poll(tested, events, EVENTS_MAX);
}

/* The credit frame that the link has written with its write of this number. */
static inline void fixture_take_credit(size_t number, struct credit_frame *frame)
{
    const uint8_t *at = fake.writes[number].data;
    check_status(credit_frame_decode(at, CREDIT_RECORD_MAGIC, NULL, frame), HAUL_OK);
}

/* Poll, including the descriptors. */
static inline size_t fixture_wake(void)
{
    (void)link_arm(tested);
    return fixture_poll();
}

/* The last of `count` events ends the link with this status. */
static inline void fixture_check_closed(size_t count, enum haul_status status)
{
    check_or_stop(count > 0);
    check_or_stop(events[count - 1].type == LINK_CLOSED);
    check_status(events[count - 1].error->status, status);
    check_equal(fake.qps, 0);
}

#endif
