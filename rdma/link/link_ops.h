/* SPDX-License-Identifier: Apache-2.0 */
/* link_ops.h — the table a link backend fills; link.c calls through it after the common checks.
 *
 * A backend is one .c file (or a group verbs_*.c) whose only exported symbol is its table. Its
 * link struct begins with `struct link`, which link.c owns; the backend never calls upward.
 * Every slot is mandatory, except listen_is_open. The contract of each slot is that of the link_*
 * function of link.h, plus: */
#ifndef HAUL_LINK_OPS_H
#define HAUL_LINK_OPS_H

#include "link.h"

/* Common head of every link. `closed_reported` is set by link.c when CLOSED went out. */
struct link {
    const struct link_ops *ops;
    struct link_config config; /* defaults resolved, clock never NULL */
    struct haul_link_stats stats;
    bool sending; /* we connected: we own the block pool and submit */
    bool bound;
    bool closed_reported;
    uint32_t slot_count; /* after bind: of the smaller ring */
    uint32_t payload_size_bytes_max;
    uint64_t freed_count; /* sender: as the peer last reported */
    uint64_t applied_count;
};

struct listener {
    const struct link_ops *ops;
    struct link_config config;
};

struct link_ops {
    enum haul_transport transport;

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

    enum haul_status (*listen)(const struct link_address *address, const struct link_config *config,
                               struct listener **listener, struct haul_error *error);
    void (*listen_address)(const struct listener *listener, struct link_address *address);
    enum haul_status (*listen_poll)(struct listener *listener, struct link_incoming *incoming);
    enum haul_status (*listen_accept)(struct listener *listener, struct link_incoming *incoming,
                                      const struct link_config *config, struct link **link,
                                      struct haul_error *error);
    void (*listen_reject)(struct listener *listener, struct link_incoming *incoming,
                          enum haul_status reason);
    /* NULL: the listener is open as long as it exists. */
    bool (*listen_is_open)(const struct listener *listener, struct haul_error *error);
    int (*listen_fd)(const struct listener *listener);
    uint64_t (*listen_deadline_ns)(const struct listener *listener);
    void (*listen_destroy)(struct listener *listener);
};

/* The backends; verbs_link_ops is absent when built without HAUL_RDMA (link.c then answers
 * UNSUPPORTED). */
extern const struct link_ops tcp_link_ops;
extern const struct link_ops loopback_link_ops;
extern const struct link_ops verbs_link_ops;

#endif
