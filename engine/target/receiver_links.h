/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_links.h — the data links of a target: admits them by ticket, lends their blocks to the
 * appliers, returns slots, and keeps a closed link for as long as its blocks are lent.
 * Thread: the loop's. */
#ifndef HAUL_RECEIVER_LINKS_H
#define HAUL_RECEIVER_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "applier.h"
#include "haul/migration.h"
#include "link.h"
#include "message.h"
#include "poll_group.h"

/* Open links, and links of abandoned attempts that still wait for their blocks. */
enum { RECEIVER_LINK_COUNT_MAX = 32 };

struct receiver_link {
    struct link_rx rx; /* base NULL: free entry */
    uint32_t index;
    bool connected;
    bool described;
    bool closed;
    bool has_description;
    haul_control_LinkDescription description; /* the peer's, until it can be bound */
    uint64_t lent;                            /* lent to the appliers, memory in use */
    uint64_t unapplied;                       /* batches handed over, not yet applied */
};

struct receiver_links {
    struct poll_group *group;
    const struct haul_log *log;
    struct link_config config;
    enum haul_transport transport; /* of the newest link */
    bool any_bound;                /* a link has come up, so that blocks could arrive */
    struct receiver_link links[RECEIVER_LINK_COUNT_MAX];
    struct haul_link_stats closed_stats;
};

void receiver_links_init(struct receiver_links *links, struct poll_group *group,
                         const struct link_config *config, const struct haul_log *log);
/* Closes the remaining links; the appliers must have ended. */
void receiver_links_fini(struct receiver_links *links);

/* Accept a peer that has connected to `listener`, as a link with this key. It replaces a link at
 * the same place. */
void receiver_links_admit(struct receiver_links *links, struct listener *listener,
                          struct link_incoming *incoming, const struct frame_key *frames);
/* A LINK message of the peer. */
void receiver_links_describe(struct receiver_links *links,
                             const haul_control_LinkDescription *description);
bool receiver_links_next_message(struct receiver_links *links, struct message *message);

/* Poll all; received blocks go to `applier` (NULL: released unread). `*failed` gets the error of a
 * link that broke. True: something happened. */
bool receiver_links_poll(struct receiver_links *links, struct applier *applier,
                         struct haul_error *failed);
/* The appliers' notes about blocks. */
void receiver_links_on_freed(struct receiver_links *links, struct link *link, struct block *block);
void receiver_links_on_applied(struct receiver_links *links, struct link *link);
/* Batches that the appliers have, but have not reported as applied. */
uint64_t receiver_links_unapplied(const struct receiver_links *links);
/* The appliers have ended: no block is lent. */
void receiver_links_forget_lent(struct receiver_links *links);
void receiver_links_close(struct receiver_links *links);
void receiver_links_stats(const struct receiver_links *links, struct haul_link_stats *stats);

#endif
