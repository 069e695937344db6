/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h — the transports, and the options and counters of links. */
#ifndef HAUL_TRANSPORT_H
#define HAUL_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/limits.h"
#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every transport: its name in C, its number (part of the wire), its name for people, and PREFIX of
 * its table PREFIX_link_ops, which a folder of rdma/ defines. The order is that of `auto`. */
#define HAUL_TRANSPORTS(X)     \
    X(VERBS, 1, "rdma", verbs) \
    X(TCP, 2, "tcp", tcp)      \
    X(LOOPBACK, 3, "loopback", loopback)

/* The transport of a link. */
enum haul_transport {
    HAUL_TRANSPORT_NONE = 0,
#define HAUL_TRANSPORT_VALUE(name, number, text, prefix) HAUL_TRANSPORT_##name = (number),
    HAUL_TRANSPORTS(HAUL_TRANSPORT_VALUE)
#undef HAUL_TRANSPORT_VALUE
};

/* The names in results and on the command line; "none": not a transport. */
const char *haul_transport_name(enum haul_transport transport);

/* Is it part of this build? */
bool haul_transport_is_built(enum haul_transport transport);

/* Transports to try, in this order; NONE ends a list that is shorter. All zero is `auto`: every
 * transport of this build that leads to another host, the fastest first. */
struct haul_transport_list {
    enum haul_transport items[HAUL_TRANSPORT_LIST_MAX];
};

/* Parse "auto", or names separated by commas, such as "rdma,tcp". Errors: INVALID (unknown or
 * repeated name, or one that reaches no other host). */
enum haul_status haul_transport_list_parse(const char *text,
                                           struct haul_transport_list *list) HAUL_MUST_CHECK;

/* Options of a link; its limits and defaults are in haul/limits.h. Zero means the default. */
struct haul_link_options {
    uint32_t slot_count;      /* ring slots on the receiver; blocks on the sender */
    uint32_t slot_size_bytes; /* a power of two */
    uint32_t peer_timeout_ms; /* all other timers of the link follow from it */
    uint32_t spin_us; /* RDMA: poll this long before sleeping; default 20, 0 on one processor */
    uint32_t reserved[12];
};

/* Counters of one link, all since its creation. */
struct haul_link_stats {
    uint64_t blocks_sent;
    uint64_t blocks_received;
    uint64_t bytes_sent; /* headers and payloads of blocks, credits and frames */
    uint64_t bytes_received;
    uint64_t credit_stalls; /* submits refused for lack of a credit */
    uint64_t credits_sent;  /* credit frames */
    uint64_t credits_received;
    uint64_t crc_errors;
    uint64_t sleeps; /* times the poll group armed and slept */
    uint64_t reserved[7];
};

#ifdef __cplusplus
}
#endif

#endif
