/* SPDX-License-Identifier: Apache-2.0 */
/* link.h — the contract of a data link: registered blocks, credits, completions.
 *
 * A link moves blocks from one sender to one receiver, in order, each exactly once or not at all.
 * Its shape comes from RDMA; TCP and the in-memory loopback imitate it:
 *
 *   sender                                   receiver
 *   block_pool_acquire -> fill payload
 *   link_submit(block)   ---- WRITE_WITH_IMM ---->  RECEIVED(block)
 *                                                   copy / check / apply
 *                        <--- credit {freed} ----   link_release(block)
 *   DONE(block) -> block_pool_release
 *
 * A link is one-way for blocks: the side that connects sends, the side that accepts receives.
 * Credits flow back on a way of their own that never waits for a credit.
 *
 * Life: create -> CONNECTED event -> describe/bind (each side carries the peer's description by
 * whatever channel it has; rkeys travel there and nowhere else) -> submit/poll ... -> close ->
 * poll until the CLOSED event -> destroy. A link that fails reports CLOSED(error) by itself.
 * After CLOSED every block that was submitted has come back, as DONE with OK or CANCELLED.
 *
 * Payloads: whoever gets a RECEIVED block believes nothing in its memory, but what
 * block_take_payload returns; that is private.
 *
 * Thread: all calls on one link come from one thread, its owner's poll loop, except those of
 * block_pool.h.
 *
 * Blocking: no call waits for the peer; every wait has a deadline derived from peer_timeout_ms, and
 * ends in CLOSED(TIMEOUT). But some do the kernel's work in place. With verbs link_connect,
 * listener_create, listener_accept, link_destroy and listener_destroy, and one link_poll before
 * CONNECTED, open a device, make or destroy a queue pair, or register the ring: milliseconds, and
 * up to the driver's own timeout when the card does not answer. link_address_parse and
 * link_addresses_parse ask the resolver: seconds. All others take microseconds. */
#ifndef HAUL_LINK_H
#define HAUL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_pool.h"
#include "clock.h"
#include "haul/limits.h"
#include "haul/log.h"
#include "haul/status.h"
#include "haul/transport.h"
#include "slot_header.h"

struct link;
struct listener;
struct loopback_hub;

enum {
    LINK_TOKEN_BYTES = HAUL_ID_BYTES,
    LINK_SESSION_BYTES = HAUL_ID_BYTES,
    LINK_DESCRIPTION_BYTES_MAX = 96,
    /* Versions of the link protocol this build speaks. */
    LINK_VERSION_MIN = 1,
    LINK_VERSION_MAX = 1,
};

/* What the connecting side shows before anything is allocated for it: 56 bytes on the wire (the
 * private data that rdma_cm leaves us). */
struct link_ticket {
    uint16_t version_min; /* 0: this build's */
    uint16_t version_max;
    uint32_t index; /* of the link in its session: link_index() */
    uint8_t session[LINK_SESSION_BYTES];
    uint8_t token[LINK_TOKEN_BYTES]; /* secret of the session, from the control channel */
};

/* A session may open its links anew after a failure. A link has a place among those of its attempt,
 * and the attempt tells it, and what is said of it, from those before it at the same place. */
enum { LINK_PLACE_BITS = 8 };

static inline uint32_t link_index(uint32_t attempt, uint32_t place)
{
    return attempt << LINK_PLACE_BITS | place;
}

static inline uint32_t link_index_place(uint32_t index)
{
    return index & ((UINT32_C(1) << LINK_PLACE_BITS) - 1);
}

/* Everything a link needs from outside. Pointers are borrowed for the life of the link. */
struct link_config {
    struct haul_link_options options; /* zeroes: defaults */
    uint64_t epoch;                   /* blocks of another epoch are refused with FENCED */
    uint64_t first_sequence;          /* of the first block; both sides alike */
    /* Sender: this link's share of what the way to the peer carries; sizes buffers on a long way.
     * 0: not known. */
    uint64_t path_bytes_per_second;
    const struct haul_clock *clock; /* NULL: clock_monotonic */
    const struct haul_log *log;     /* NULL: silent */
    struct loopback_hub *hub;       /* loopback only */
    /* Sender: blocks of the caller's own pool, which outlives the link and may serve several.
     * NULL: the link makes one of slot_count blocks. */
    struct block_pool *pool;
};

enum link_event_type {
    LINK_CONNECTED, /* describe and bind may follow */
    LINK_DONE,     /* `block` is the sender's again; `status` OK (freed by the peer) or CANCELLED */
    LINK_RECEIVED, /* `block` is lent to the receiver until link_release */
    LINK_CREDIT,   /* the peer's {freed, applied} moved on: link_submit may succeed again */
    LINK_CLOSED, /* last event; the status of `error` is OK after an orderly close by both sides */
};

struct link_event {
    enum link_event_type type;
    enum haul_status status;
    struct block *block;
    const struct haul_error *error; /* CLOSED: the link's, until link_destroy; otherwise NULL */
};

/* How long a loop with links of these options spins before it sleeps, in microseconds. */
uint32_t link_spin_us(const struct haul_link_options *options);

/* Resolve zeroes of the options to defaults and check the bounds. Errors: INVALID. */
enum haul_status link_config_resolve(const struct link_config *config, struct link_config *resolved,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Resolved, numeric address of either family; text forms "1.2.3.4:5", "[::1]:5", "host:5".
 * link_sockaddr.h knows what the bytes are. */
enum { LINK_ADDRESS_BYTES = 128 };
struct link_address {
    uint8_t storage[LINK_ADDRESS_BYTES] __attribute__((aligned(8)));
    uint32_t size;
};

/* The two ends of a link are of different types, so that a block cannot be submitted to a receiver.
 * Both are handles; `base` is the link for all that both ends do. NULL: none. */
struct link_tx {
    struct link *base;
};
struct link_rx {
    struct link *base;
};

/* --- the sending side ----------------------------------------------------------------------- */

/* Start connecting. On OK poll for CONNECTED or CLOSED (REFUSED, UNREACHABLE, TIMEOUT, VERSION,
 * AUTH, BUSY, UNSUPPORTED: no device, LIMIT: memory lock, NO_MEMORY).
 * Errors: the same, when they are known at once. Nothing is left to destroy after an error. */
enum haul_status link_connect(enum haul_transport transport, const struct link_address *address,
                              const struct link_ticket *ticket, const struct link_config *config,
                              struct link_tx *link, struct haul_error *error) HAUL_MUST_CHECK;

/* The blocks to fill; valid from CONNECTED on until link_destroy. */
struct block_pool *link_pool(struct link_tx link);

/* Send a filled block: header.{kind,batch,stream,flags,payload_size_bytes,record_count,
 * raw_size_bytes,payload_crc} are the caller's, the rest is set here.
 * Errors: AGAIN (no credit or queue full; a LINK_CREDIT or LINK_DONE event tells when to retry),
 * CLOSED. Ownership: takes the block on OK until its DONE event. */
enum haul_status link_submit(struct link_tx link, struct block *block) HAUL_MUST_CHECK;

/* Blocks that the peer has reported as freed / as applied, since the link began. */
uint64_t link_freed_count(struct link_tx link);
uint64_t link_applied_count(struct link_tx link);

/* --- the receiving side --------------------------------------------------------------------- */

/* Give a RECEIVED block's slot back; credits go out in bulk. Any order. */
void link_release(struct link_rx link, struct block *block);

/* Tell the sender that `count` more blocks took effect; travels with the credits. */
void link_note_applied(struct link_rx link, uint64_t count);

/* --- both ----------------------------------------------------------------------------------- */

/* Opaque bytes for the peer's link_bind: ring address, rkey, slot count and size, credit frame.
 * Valid from CONNECTED on; at most LINK_DESCRIPTION_BYTES_MAX. */
size_t link_describe(const struct link *link, uint8_t *description);

/* Take the peer's description; from here on blocks may be submitted and received. A receiver must
 * describe itself only after it has posted all its receives (the link sees to that).
 * Errors: PROTOCOL (nonsense in it), MISMATCH (slot sizes differ), CLOSED (it ended meanwhile). */
enum haul_status link_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                           struct haul_error *error) HAUL_MUST_CHECK;

/* Take up to `capacity` events; 0: nothing now. Does the link's work, deadlines included. */
size_t link_poll(struct link *link, struct link_event *events, size_t capacity);

/* Prepare for sleep: after true the fd becomes readable when there is something to poll.
 * False: something is there already, poll again. */
bool link_arm(struct link *link);

/* One descriptor for epoll (may be an epoll instance itself). Owned by the link. */
int link_fd(const struct link *link);

/* When link_poll must be called even without an event; CLOCK_NEVER: no such time. */
uint64_t link_deadline_ns(const struct link *link);

/* Refuse new work and start the end: orderly when nothing is in flight, otherwise what is in
 * flight is cancelled. Idempotent. Poll until CLOSED. */
void link_close(struct link *link);

/* Free everything. After CLOSED; a link still open is torn down at once: blocks in flight do not
 * come back, so an external pool must be closed before it is destroyed. */
void link_destroy(struct link *link);

enum haul_transport link_transport(const struct link *link);
/* Does a loop with this link gain by spinning before it sleeps? */
bool link_spins(const struct link *link);
/* Can LIMIT of this transport mean that less memory would do? */
bool link_pins_memory(enum haul_transport transport);
/* Slots of the smaller of both rings, bytes of payload that fit a slot (clamped to the port's
 * largest message). Valid after bind. */
uint32_t link_slot_count(const struct link *link);
uint32_t link_payload_size_bytes_max(const struct link *link);
void link_stats(const struct link *link, struct haul_link_stats *stats);
/* Add the counters of one link to a sum. */
void link_stats_join(struct haul_link_stats *sum, const struct haul_link_stats *stats);
bool link_is_bound(const struct link *link);

/* --- listening ------------------------------------------------------------------------------ */

/* A peer that showed a ticket and waits for an answer. */
struct link_incoming {
    bool control; /* it wants a control connection, not a link; only acceptor.h knows what to do */
    struct link_ticket ticket;
    struct link_address peer;
    void *handle; /* the backend's own */
};

/* Listen on `address` (port 0: any). Errors: BUSY (port in use), INVALID, UNSUPPORTED, LIMIT.
 * Whoever takes control connections, too, uses acceptor.h. */
enum haul_status listener_create(enum haul_transport transport, const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* The address really bound. */
void listener_address(const struct listener *listener, struct link_address *address);

/* Take the next peer with a sound ticket of a version that we speak (others were answered and
 * dropped inside, each with one log line). Errors: AGAIN. */
enum haul_status listener_poll(struct listener *listener,
                               struct link_incoming *incoming) HAUL_MUST_CHECK;

/* Answer: make a receiving link of it (poll it for CONNECTED), or refuse with a status that the
 * peer will see in its CLOSED event (AUTH, BUSY, FENCED, VERSION). Both consume `incoming`. */
enum haul_status listener_accept(struct listener *listener, struct link_incoming *incoming,
                                 const struct link_config *config, struct link_rx *link,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void listener_reject(struct listener *listener, struct link_incoming *incoming,
                     enum haul_status reason);

/* Can peers connect? False while the listener's device is away: `error` then names the cause. The
 * listener tries to reopen itself when it is polled at its deadline. */
bool listener_is_open(const struct listener *listener, struct haul_error *error);

int listener_fd(const struct listener *listener);
uint64_t listener_deadline_ns(const struct listener *listener);
/* Pending peers are dropped. Accepted links live on. */
void listener_destroy(struct listener *listener);

/* --- lists of transports --------------------------------------------------------------------- */

/* The transports that a list stands for: `auto` becomes those that it means. */
struct haul_transport_list transport_list_resolve(const struct haul_transport_list *list);
size_t transport_list_count(const struct haul_transport_list *list);
bool transport_list_has(const struct haul_transport_list *list, enum haul_transport transport);

/* --- addresses ------------------------------------------------------------------------------ */

/* Parse "ADDR:PORT" (IPv6 in brackets, names are resolved). Errors: INVALID, NOT_FOUND. */
enum haul_status link_address_parse(const char *text, struct link_address *address,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* All addresses of a name, in the system's order, and the one that is tried now. */
enum { LINK_ADDRESS_COUNT_MAX = 8 };
struct link_addresses {
    struct link_address items[LINK_ADDRESS_COUNT_MAX];
    size_t count;
    size_t at;
    size_t failed_count; /* in a row */
};
/* The same for each; further ones are left out. Errors: those of link_address_parse. */
enum haul_status link_addresses_parse(const char *text, struct link_addresses *addresses,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The one that was tried leads nowhere: go to the next. False: all have failed since the last one
 * that led somewhere, or since this was false; the round begins anew. */
bool link_addresses_next(struct link_addresses *addresses);
/* The one that was tried leads to somebody: it stays the first. */
void link_addresses_found(struct link_addresses *addresses);
/* The NUMA node of the card that has this local address; -1: not known. */
int link_address_node(const struct link_address *address);
/* Do both name the same host, whatever the port? */
bool link_address_same_host(const struct link_address *a, const struct link_address *b);
enum { LINK_ADDRESS_TEXT_BYTES_MAX = 64 };
void link_address_format(const struct link_address *address,
                         char text[LINK_ADDRESS_TEXT_BYTES_MAX]);

#endif
