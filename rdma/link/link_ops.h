/* SPDX-License-Identifier: Apache-2.0 */
/* link_ops.h — the table of a transport; link.c calls through it after the common checks.
 *
 * A transport is a folder of rdma/ whose only exported symbol is NAME_link_ops, a row of
 * HAUL_TRANSPORTS (haul/transport.h), and a file transport.cmake that builds it. Its link struct
 * begins with `struct link`, which link.c owns; it never calls upward. Every slot is mandatory. The
 * contract of each slot is that of the link_* or listener_* function of link.h, plus: */
#ifndef HAUL_LINK_OPS_H
#define HAUL_LINK_OPS_H

#include "link.h"

/* Common head of every link. link.c sets `closed_reported` when CLOSED went out. */
struct link {
    const struct link_ops *ops;
    struct link_config config; /* defaults resolved, clock never NULL */
    struct haul_link_stats stats;
    bool sending; /* we connected: we own the block pool and submit */
    bool bound;
    bool closed_reported;
    bool refused;        /* the peer answered our opening, and not with OK */
    uint32_t slot_count; /* after bind: of the smaller ring */
    uint32_t payload_size_bytes_max;
    uint64_t freed_count; /* sender: as the peer last reported */
    uint64_t applied_count;
};

struct listener {
    const struct listener_ops *ops;
    enum haul_transport transport;
    struct link_config config;
};

struct link_ops {
    enum haul_transport transport;
    bool local;       /* reaches no other host: used only when it is named */
    bool spins;       /* polling before sleeping saves a wake-up that costs more */
    bool pins_memory; /* its blocks count against a limit of pinned memory */

    /* Allocate and start; `config` has its defaults resolved. On error everything is undone. */
    enum haul_status (*connect)(const struct link_address *address,
                                const struct link_ticket *ticket, const struct link_config *config,
                                struct link **link, struct haul_error *error);
    struct block_pool *(*pool)(struct link *link);
    enum haul_status (*submit)(struct link *link, struct block *block);
    void (*release)(struct link *link, struct block *block);
    void (*note_applied)(struct link *link, uint64_t count);
    size_t (*describe)(const struct link *link, uint8_t *description);
    enum haul_status (*bind)(struct link *link, const uint8_t *description, size_t size_bytes,
                             struct haul_error *error);
    size_t (*poll)(struct link *link, struct link_event *events, size_t capacity);
    bool (*arm)(struct link *link);
    int (*fd)(const struct link *link);
    uint64_t (*deadline_ns)(const struct link *link);
    void (*close)(struct link *link);
    void (*destroy)(struct link *link);

    /* As `connect`; the listener's table is the transport's own. */
    enum haul_status (*listen)(const struct link_address *address, const struct link_config *config,
                               struct listener **listener, struct haul_error *error);
};

struct listener_ops {
    void (*address)(const struct listener *listener, struct link_address *address);
    enum haul_status (*poll)(struct listener *listener, struct link_incoming *incoming);
    enum haul_status (*accept)(struct listener *listener, struct link_incoming *incoming,
                               const struct link_config *config, struct link **link,
                               struct haul_error *error);
    void (*reject)(struct listener *listener, struct link_incoming *incoming,
                   enum haul_status reason);
    bool (*is_open)(const struct listener *listener, struct haul_error *error);
    int (*fd)(const struct listener *listener);
    uint64_t (*deadline_ns)(const struct listener *listener);
    void (*destroy)(struct listener *listener);
};

/* `is_open` of a listener that depends on no device. */
bool listener_always_open(const struct listener *listener, struct haul_error *error);

/* NULL: this build lacks the transport. */
const struct link_ops *transport_table(enum haul_transport transport);

#define HAUL_TRANSPORT_TABLE(name, number, text, prefix) \
    extern const struct link_ops prefix##_link_ops;
HAUL_TRANSPORTS(HAUL_TRANSPORT_TABLE)
#undef HAUL_TRANSPORT_TABLE

#endif
