/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h — which wire a session uses, and the options and counters of its links. */
#ifndef HAUL_TRANSPORT_H
#define HAUL_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the user asks for. AUTO tries RDMA and falls back to TCP, saying why. */
enum haul_transport_mode {
    HAUL_MODE_AUTO = 0,
    HAUL_MODE_RDMA = 1,
    HAUL_MODE_TCP = 2,
};

/* What a link really is. Values are part of the wire. */
enum haul_transport {
    HAUL_TRANSPORT_NONE = 0,
    HAUL_TRANSPORT_VERBS = 1,
    HAUL_TRANSPORT_TCP = 2,
    HAUL_TRANSPORT_LOOPBACK = 3,
};

/* "none", "rdma", "tcp", "loopback": the names in results and on the command line. */
const char *haul_transport_name(enum haul_transport transport);

/* Parse "auto", "rdma" or "tcp". Errors: INVALID. */
enum haul_status haul_transport_mode_parse(const char *text,
                                           enum haul_transport_mode *mode) HAUL_MUST_CHECK;

enum {
    HAUL_SLOT_COUNT_DEFAULT = 16,
    HAUL_SLOT_COUNT_MAX = 256,
    /* A slot holds the 64-byte header and the payload. */
    HAUL_SLOT_SIZE_BYTES_DEFAULT = 4 << 20,
    HAUL_SLOT_SIZE_BYTES_MIN = 4 << 10,
    HAUL_SLOT_SIZE_BYTES_MAX = 64 << 20,
    HAUL_BATCH_SIZE_BYTES_MIN = 64,
    HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT = 1 << 20,
    HAUL_BATCH_SIZE_BYTES_MAX_DEFAULT = 4 << 20,
    HAUL_PEER_TIMEOUT_MS_DEFAULT = 5000,
    HAUL_PEER_TIMEOUT_MS_MIN = 100,
    HAUL_PEER_TIMEOUT_MS_MAX = 600000,
    HAUL_SPIN_US_DEFAULT = 20,
};

/* Options of a link. Zero means the default everywhere. */
struct haul_link_options {
    uint32_t slot_count;      /* ring slots on the receiver; blocks on the sender */
    uint32_t slot_size_bytes; /* a power of two */
    uint32_t peer_timeout_ms; /* all other timers of the link follow from it */
    uint32_t spin_us; /* RDMA: poll this long before sleeping; default 20, 0 on one processor */
};

/* Counters of one link, all since its creation. */
struct haul_link_stats {
    uint64_t blocks_sent;
    uint64_t blocks_received;
    uint64_t bytes_sent; /* headers and payloads of blocks, credits and frames */
    uint64_t bytes_received;
    uint64_t credit_stalls; /* submits refused for want of a credit */
    uint64_t credits_sent;  /* credit records */
    uint64_t credits_received;
    uint64_t crc_errors;
    uint64_t sleeps; /* times the poll group armed and slept */
};

#ifdef __cplusplus
}
#endif

#endif
