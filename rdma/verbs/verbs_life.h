/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_life.h — a verbs link: its states, its resources, and how it ends.
 *
 * The diagram of the states is in verbs_link.c, which dispatches; verbs_events.c makes the steps
 * that the connection manager and the device cause, verbs_traffic.c those that completions cause.
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_LIFE_H
#define HAUL_VERBS_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_ops.h"
#include "verbs_endpoint.h"
#include "verbs_receiver.h"
#include "verbs_sender.h"

enum verbs_link_state {
    VERBS_LINK_RESOLVING_ADDRESS, /* finding the device that leads to the peer */
    VERBS_LINK_RESOLVING_ROUTE,   /* finding the route */
    VERBS_LINK_CONNECTING,        /* the request has been sent */
    VERBS_LINK_ACCEPTING,         /* we accepted; the peer has not confirmed */
    VERBS_LINK_READY,             /* connected; still to be reported */
    VERBS_LINK_OPEN,              /* connected; bound, or about to be */
    VERBS_LINK_CLOSING,           /* the orderly end is in progress */
    VERBS_LINK_DRAINING,          /* over; the outstanding requests complete */
    VERBS_LINK_ENDED,  /* resources are released; blocks are returned, then CLOSED is reported */
    VERBS_LINK_CLOSED, /* reported */
};

/* A count that has to change by a deadline. */
struct verbs_watch {
    uint64_t count;       /* when the watch began */
    uint64_t deadline_ns; /* CLOCK_NEVER: no watch */
};

struct verbs_link {
    struct link base;
    enum verbs_link_state state;
    const struct verbs_api *api;
    struct link_address peer;
    char peer_text[LINK_ADDRESS_TEXT_BYTES_MAX];
    struct link_ticket ticket; /* of the connecting side */
    unsigned attempts;
    uint64_t deadline_ns;
    uint64_t port_down_ns;       /* our port must be up again by then; CLOCK_NEVER: it is up */
    struct verbs_watch sends;    /* completed sends, while more are posted */
    struct verbs_watch arrivals; /* arrivals taken, while the next lies in memory */
    uint64_t blocks_seen;        /* by a receiver that goes to sleep, ... */
    uint64_t blocks_seen_ns;     /* ... when their number last changed; ... */
    uint64_t quiet_ns; /* ... the stream is over if none arrives by then; CLOCK_NEVER: it is */
    bool look;         /* the link was armed: its descriptors may have become ready */
    unsigned polls_since_look;
    bool disconnected; /* reported by the connection manager */
    bool end_posted;
    bool end_done;
    bool peer_ended;
    struct verbs_endpoint endpoint;
    struct verbs_sender sender;     /* base.sending */
    struct verbs_receiver receiver; /* !base.sending */
    struct haul_error error;        /* of the CLOSED event */
};

/* Release everything that came from the RDMA libraries. */
void verbs_life_give_back(struct verbs_link *link);

/* The only function that changes the state. */
void verbs_life_enter(struct verbs_link *link, enum verbs_link_state state);
/* End the link, with `link->error` filled in / with this error. No effect when the link is over. */
void verbs_life_fail(struct verbs_link *link);
void verbs_life_fail_with(struct verbs_link *link, enum haul_status status, const char *text);
/* Our port went down: end the link, unless the port comes up again soon. */
void verbs_life_port_down(struct verbs_link *link);
/* The device is gone or broken: end the link. No outstanding request will ever complete. */
void verbs_life_lose_device(struct verbs_link *link, const char *text);

/* Both sides have ended; lost last acknowledgements do not matter. */
bool verbs_life_both_ended(const struct verbs_link *link);
/* Put that outcome into `link->error`, whose status becomes OK. */
void verbs_life_say_ended(struct verbs_link *link);

/* Are there blocks that the peer has not freed, or that are lent? */
bool verbs_life_in_flight(const struct verbs_link *link);

/* Start the orderly end; continue it. */
void verbs_life_begin_closing(struct verbs_link *link);
void verbs_life_advance_end(struct verbs_link *link);

/* After completions were taken: act on ends and disconnects. `drained`: the completion queue was
 * found empty after the last known event. */
void verbs_life_check_end(struct verbs_link *link, bool drained);

/* End an open link whose writes are no longer acknowledged: a provider may retry for ever, and the
 * control channel uses another path. Also end a link that has received something whose completion
 * is missing: both sides would wait for each other. Starting is free while a watch runs; polling
 * finds a stall between one and two peer_timeouts after it began, because the clock may be a system
 * call. */
void verbs_life_start_watch(struct verbs_link *link);
void verbs_life_watch(struct verbs_link *link);
/* End the link if its deadline has passed / set a new deadline of peer_timeout from now. */
void verbs_life_check_deadline(struct verbs_link *link);
uint64_t verbs_life_deadline_ns(const struct verbs_link *link);

/* Write one event. Returns 1. */
size_t verbs_life_put_event(struct link_event *event, enum link_event_type type,
                            enum haul_status status, struct block *block);

#endif
