/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link_fixture.c — opens, drives and closes the link under test. */
#include "tcp_link_fixture.h"

#include <string.h>

#include "bytes.h"
#include "tcp_link.h"

struct tcp_link_fixture fixture = {.peer = -1};

void fixture_begin(void)
{
    fake_clock_init(&fixture.fake);
    fixture.config = (struct link_config){
        .clock = &fixture.fake.clock, .epoch = EPOCH, .first_sequence = FIRST_SEQUENCE};
    fixture.config.options = (struct haul_link_options){.slot_count = SLOT_COUNT,
                                                        .slot_size_bytes = SLOT_BYTES,
                                                        .peer_timeout_ms = PEER_TIMEOUT_MS};
    for (size_t i = 0; i < sizeof(fixture.payload); i++) {
        fixture.payload[i] = (uint8_t)(i * 7 + i / 256);
    }
}

void fixture_open_unbound_receiver(void)
{
    int fds[2];
    fixture_begin();
    check_or_stop(raw_pair(fds));
    fixture.peer = fds[0];
    check_or_stop(tcp_link_adopt(fds[1], &fixture.config, &fixture.link, NULL) == HAUL_OK);
    fixture_check_next(LINK_CONNECTED);
}

void fixture_bind(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    fixture_make_description(SLOT_COUNT, fixture.config.options.slot_size_bytes, description);
    check_or_stop(link_bind(fixture.link, description, sizeof(description), NULL) == HAUL_OK);
}

void fixture_close_peer(void)
{
    if (fixture.peer >= 0) {
        (void)close(fixture.peer);
        fixture.peer = -1;
    }
}

void fixture_end(void)
{
    link_destroy(fixture.link);
    fixture.link = NULL;
    fixture_close_peer();
}

void fixture_make_description(uint32_t slot_count, uint32_t slot_size_bytes, uint8_t *description)
{
    memset(description, 0, DESCRIPTION_BYTES);
    memcpy(description, "TCLK", 4);
    put_u16(description + 4, LINK_VERSION_MAX);
    put_u32(description + 8, slot_count);
    put_u32(description + 12, slot_size_bytes);
}

/* False: none came, whether the link slept or was woken for nothing. */
static bool next_event(void)
{
    const uint64_t deadline_ns = clock_deadline_ns(&clock_monotonic, RAW_PEER_WAIT_MS);
    while (link_poll(fixture.link, &fixture.event, 1) == 0) {
        if (link_arm(fixture.link) && !raw_wait(link_fd(fixture.link), POLLIN)) {
            return false;
        }
        if (clock_now_ns(&clock_monotonic) >= deadline_ns) {
            return false;
        }
    }
    return true;
}

void fixture_check_next(enum link_event_type type)
{
    check_or_stop(next_event());
    check_or_stop(fixture.event.type == type);
}

void fixture_check_closed(enum haul_status status)
{
    fixture_check_next(LINK_CLOSED);
    check_status(fixture.event.error->status, status);
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    check_equal(link_deadline_ns(fixture.link), CLOCK_NEVER);
}

void fixture_check_quiet(void)
{
    struct pollfd watched = {.fd = link_fd(fixture.link), .events = POLLIN};
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    check(link_arm(fixture.link));
    check_equal(poll(&watched, 1, 0), 0);
}
