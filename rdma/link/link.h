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
 * Credits flow back on a path of their own that never waits for a credit.
 *
 * Life: create -> CONNECTED event -> describe/bind (each side carries the peer's description by
 * any channel it has; rkeys travel nowhere else) -> submit/poll ... -> close -> poll until the
 * CLOSED event -> destroy. A link that fails reports CLOSED(error) by itself. After CLOSED every
 * submitted block has come back, as DONE with OK or CANCELLED.
 *
 * Payloads: a consumer of RECEIVED blocks trusts nothing in their memory except what
 * block_take_payload returns, which is private.
 *
 * Thread: all calls on one link come from one thread, its owner's poll loop, except those of
 * block_pool.h.
 *
 * Blocking: no call waits for the peer; every wait has a deadline derived from peer_timeout_ms, and
 * ends in CLOSED(TIMEOUT). But some calls do the kernel's work in place. With verbs, link_connect,
 * listener_create, listener_accept, link_destroy and listener_destroy, and one link_poll before
 * CONNECTED, open a device, create or destroy a queue pair, or register the ring: this takes
 * milliseconds, and up to the driver's own timeout when the card does not answer.
 * link_address_parse and link_addresses_parse use the resolver: seconds. All others take
 * microseconds. */
#ifndef HAUL_LINK_H
#define HAUL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_pool.h"
#include "clock.h"
#include "frame_key.h"
#include "haul/limits.h"
#include "haul/log.h"
#include "haul/status.h"
#include "haul/transport.h"
#include "slot_header.h"

struct haul_keys;
struct link;
struct listener;
struct loopback_hub;

enum {
    LINK_TOKEN_BYTES = HAUL_ID_BYTES,
    LINK_SESSION_BYTES = HAUL_ID_BYTES,
    LINK_DESCRIPTION_BYTES_MAX = 96,
    LINK_HOST_BYTES_MAX = 256, /* a DNS name has 253 at most */
    /* Versions of the link protocol this build speaks. */
    LINK_VERSION_MIN = 1,
    LINK_VERSION_MAX = 1,
};

/* What the connecting side sends before anything is allocated for it: 56 bytes on the wire (the
 * private data that rdma_cm leaves to haul). */
struct link_ticket {
    uint16_t version_min; /* 0: this build's */
    uint16_t version_max;
    uint32_t index; /* of the link in its session: link_index() */
    uint8_t session[LINK_SESSION_BYTES];
    uint8_t token[LINK_TOKEN_BYTES]; /* secret of the session, from the control channel */
};

/* A session may reopen its links after a failure. A link has a place among the links of its
 * attempt; the attempt distinguishes the link, and messages about it, from earlier links at that
 * place. */
enum { LINK_PLACE_BITS = 8 };

static inline uint32_t link_index(uint32_t attempt, uint32_t place)
{
    return attempt << LINK_PLACE_BITS | place;
}

static inline uint32_t link_index_place(uint32_t index)
{
    return index & ((UINT32_C(1) << LINK_PLACE_BITS) - 1);
}

/* Everything that a link needs from outside. Pointers are borrowed for the life of the link. */
struct link_config {
    struct haul_link_options options; /* zeroes: defaults */
    uint64_t epoch;                   /* blocks of another epoch are refused with FENCED */
    uint64_t first_sequence;          /* of the first block; equal on both sides */
    /* Sender: this link's share of the path's capacity; sizes buffers on a long path.
     * 0: unknown. */
    uint64_t path_bytes_per_second;
    const struct haul_clock *clock; /* NULL: clock_monotonic */
    const struct haul_log *log;     /* NULL: silent */
    struct loopback_hub *hub;       /* loopback only */
    const struct haul_keys *keys;   /* control connections use TLS with them; NULL: none does */
    const char *host;        /* whom to connect to, for certificates; NULL: no name, no address */
    struct frame_key frames; /* of credits and of the end; equal on both sides */
    /* Listener: peers must be on this host. The address that it listens on does not ensure that:
     * with net.ipv4.conf.*.route_localnet neighbours reach 127.0.0.1. */
    bool loopback_only;
    /* Receiver: the payloads are sealed by the layer above, so the link computes no checksum. */
    bool sealed;
    /* Sender: the caller's own pool, which outlives the link and may serve several links. NULL: the
     * link creates one of slot_count blocks. */
    struct block_pool *pool;
};

enum link_event_type {
    LINK_CONNECTED, /* describe and bind may follow */
    LINK_DONE,     /* `block` is the sender's again; `status` OK (freed by the peer) or CANCELLED */
    LINK_RECEIVED, /* `block` is lent to the receiver until link_release */
    LINK_CREDIT,   /* the peer's {freed, applied} advanced: link_submit may succeed again */
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

/* Replace zeroes of the options by defaults and check the bounds. Errors: INVALID. */
enum haul_status link_config_resolve(const struct link_config *config, struct link_config *resolved,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Resolved, numeric address of either family; text forms "1.2.3.4:5", "[::1]:5", "host:5".
 * link_sockaddr.h gives access to the bytes. */
enum { LINK_ADDRESS_BYTES = 128 };
struct link_address {
    uint8_t storage[LINK_ADDRESS_BYTES] __attribute__((aligned(8)));
    uint32_t size;
};

/* The two ends of a link have different types, so that a block cannot be submitted to a receiver.
 * Both are handles; `base` is the link, for everything that both ends do. NULL: no link. */
struct link_tx {
    struct link *base;
};
struct link_rx {
    struct link *base;
};

/* --- the sending side ----------------------------------------------------------------------- */

/* Start connecting. After OK, poll for CONNECTED or CLOSED (REFUSED, UNREACHABLE, TIMEOUT, VERSION,
 * AUTH, BUSY, UNSUPPORTED: no device, LIMIT: memory lock, NO_MEMORY).
 * Errors: the same, if already known. After an error nothing needs to be destroyed. */
enum haul_status link_connect(enum haul_transport transport, const struct link_address *address,
                              const struct link_ticket *ticket, const struct link_config *config,
                              struct link_tx *link, struct haul_error *error) HAUL_MUST_CHECK;

/* The blocks to fill; valid from CONNECTED on until link_destroy. */
struct block_pool *link_pool(struct link_tx link);

/* Send a filled block: the caller sets
 * header.{kind,batch,stream,flags,payload_size_bytes,record_count, raw_size_bytes,payload_crc},
 * this call the rest.
 * Errors: AGAIN (no credit or queue full; a LINK_CREDIT or LINK_DONE event is the time to retry),
 * CLOSED.
 * Ownership: takes the block on OK until its DONE event. */
enum haul_status link_submit(struct link_tx link, struct block *block) HAUL_MUST_CHECK;

/* Blocks that the peer has reported as freed / as applied, since the link began. */
uint64_t link_freed_count(struct link_tx link);
uint64_t link_applied_count(struct link_tx link);

/* --- the receiving side --------------------------------------------------------------------- */

/* Free the slot of a RECEIVED block; credits go out in bulk. Any order. */
void link_release(struct link_rx link, struct block *block);

/* Report to the sender that `count` more blocks took effect; travels with the credits. */
void link_note_applied(struct link_rx link, uint64_t count);

/* --- both ----------------------------------------------------------------------------------- */

/* Opaque bytes for the peer's link_bind: ring address, rkey, slot count and size, credit frame.
 * Valid from CONNECTED on; at most LINK_DESCRIPTION_BYTES_MAX. */
size_t link_describe(const struct link *link, uint8_t *description);

/* Take the peer's description; from here on blocks may be submitted and received. A receiver may
 * describe itself only after it has posted all its receives (the link ensures that).
 * Errors: PROTOCOL (malformed), MISMATCH (slot sizes differ), CLOSED (the link has ended
 * meanwhile). */
enum haul_status link_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                           struct haul_error *error) HAUL_MUST_CHECK;

/* Take up to `capacity` events; 0: none now. Does the link's work, deadlines included. */
size_t link_poll(struct link *link, struct link_event *events, size_t capacity);

/* Prepare for sleep. True: the fd becomes readable when there is something to poll. False: there is
 * something already, poll again. */
bool link_arm(struct link *link);

/* One descriptor for epoll (may be an epoll instance itself). Owned by the link. */
int link_fd(const struct link *link);

/* When link_poll must be called even without an event; CLOCK_NEVER: no need. */
uint64_t link_deadline_ns(const struct link *link);

/* Refuse new work and start the end: orderly if nothing is in flight, otherwise blocks in flight
 * are cancelled. Idempotent. Poll until CLOSED. */
void link_close(struct link *link);

/* Free everything. After CLOSED; a link that is still open is torn down at once: blocks in flight
 * do not come back, so an external pool must be closed before it is destroyed. */
void link_destroy(struct link *link);

enum haul_transport link_transport(const struct link *link);
/* Does a loop with this link gain by spinning before it sleeps? */
bool link_spins(const struct link *link);
/* Can LIMIT of this transport mean that less memory would succeed? */
bool link_pins_memory(enum haul_transport transport);
/* Slots of the smaller of both rings / payload bytes that fit in a slot (clamped to the port's
 * largest message). Valid after bind. */
uint32_t link_slot_count(const struct link *link);
uint32_t link_payload_size_bytes_max(const struct link *link);
void link_stats(const struct link *link, struct haul_link_stats *stats);
/* Add the counters of one link to a sum. */
void link_stats_join(struct haul_link_stats *sum, const struct haul_link_stats *stats);
bool link_is_bound(const struct link *link);
/* Does the error with which the link ended come from the answer to its opening? Nothing
 * authenticates that answer. */
bool link_was_refused(const struct link *link);

/* --- listening ------------------------------------------------------------------------------ */

/* A peer that has sent a ticket and waits for an answer. */
struct link_incoming {
    bool control; /* it requests a control connection, not a link; for acceptor.h only */
    struct link_ticket ticket;
    struct link_address peer;
    void *handle; /* the backend's own */
};

/* Listen on `address` (port 0: any). Errors: BUSY (port in use), INVALID, UNSUPPORTED, LIMIT. To
 * accept control connections as well, use acceptor.h. */
enum haul_status listener_create(enum haul_transport transport, const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* The actual address. */
void listener_address(const struct listener *listener, struct link_address *address);

/* Take the next peer with a sound ticket of a version that this build speaks (others are answered
 * and dropped inside, each with one log line). Errors: AGAIN. */
enum haul_status listener_poll(struct listener *listener,
                               struct link_incoming *incoming) HAUL_MUST_CHECK;

/* Answer: create a receiving link for the peer (poll it for CONNECTED), or refuse with a status
 * that the peer sees in its CLOSED event (AUTH, BUSY, FENCED, VERSION). Both consume `incoming`. */
enum haul_status listener_accept(struct listener *listener, struct link_incoming *incoming,
                                 const struct link_config *config, struct link_rx *link,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void listener_reject(struct listener *listener, struct link_incoming *incoming,
                     enum haul_status reason);

/* Can peers connect? False while the listener's device is away: `error` then names the cause.
 * Polled at its deadline, the listener tries to reopen itself. */
bool listener_is_open(const struct listener *listener, struct haul_error *error);

enum haul_transport listener_transport(const struct listener *listener);
int listener_fd(const struct listener *listener);
uint64_t listener_deadline_ns(const struct listener *listener);
/* Pending peers are dropped. Accepted links stay. */
void listener_destroy(struct listener *listener);

/* --- lists of transports --------------------------------------------------------------------- */

/* Replace `auto` by the transports that it stands for. */
struct haul_transport_list transport_list_resolve(const struct haul_transport_list *list);
size_t transport_list_count(const struct haul_transport_list *list);
bool transport_list_has(const struct haul_transport_list *list, enum haul_transport transport);

/* --- addresses ------------------------------------------------------------------------------ */

/* Parse "ADDR:PORT" (IPv6 in brackets, names are resolved). Errors: INVALID, NOT_FOUND,
 * UNREACHABLE (the resolver does not answer), NO_MEMORY. */
enum haul_status link_address_parse(const char *text, struct link_address *address,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* All addresses of a name, in the system's order, and the current one. */
enum { LINK_ADDRESS_COUNT_MAX = 8 };
struct link_addresses {
    char host[LINK_HOST_BYTES_MAX]; /* the name, or the address as text */
    struct link_address items[LINK_ADDRESS_COUNT_MAX];
    size_t count;
    size_t at;
    size_t failed_count; /* in a row */
};
/* The same for every address of the name, up to the maximum. Errors: those of
 * link_address_parse. */
enum haul_status link_addresses_parse(const char *text, struct link_addresses *addresses,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Without a key only this host is trusted. Errors: AUTH (one of them is no loopback address). */
enum haul_status link_addresses_check_loopback(const struct link_addresses *addresses,
                                               const char *text,
                                               struct haul_error *error) HAUL_MUST_CHECK;
/* The current address failed: go to the next. False: all have failed in a row; the next round
 * begins at the first. */
bool link_addresses_next(struct link_addresses *addresses);
/* The current address reached a peer: it stays the first. */
void link_addresses_found(struct link_addresses *addresses);
/* The NUMA node of the card that has this local address; -1: unknown. */
int link_address_node(const struct link_address *address);
/* Is it an address of the loopback interface, which no other host reaches? */
bool link_address_is_loopback(const struct link_address *address);
/* Why a listener that is loopback_only refuses a peer; NULL: it does not. */
const char *link_peer_refusal(const struct link_config *config, const struct link_address *peer);
/* Do both name the same host, whatever the port? */
bool link_address_same_host(const struct link_address *a, const struct link_address *b);
/* An IPv6 address (45), a zone (16), "[]:65535" and the final zero. */
enum { LINK_ADDRESS_TEXT_BYTES_MAX = 72 };
void link_address_format(const struct link_address *address,
                         char text[LINK_ADDRESS_TEXT_BYTES_MAX]);

#endif
