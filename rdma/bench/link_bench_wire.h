/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench_wire.h — the few control messages of the link benchmark, and what both ends share.
 *
 *   client: START -> server: READY -> both: LINK for each link -> blocks -> client: END
 *   -> server: RESULT */
#ifndef HAUL_LINK_BENCH_WIRE_H
#define HAUL_LINK_BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "control_channel.h"
#include "haul/link_bench.h"
#include "link.h"
#include "link_bench_guard.h"
#include "poll_group.h"

enum bench_message {
    BENCH_START = 101,
    BENCH_READY = 102,
    BENCH_LINK = 103,
    BENCH_END = 104,
    BENCH_RESULT = 105,
};

struct bench_start {
    enum haul_transport transport;
    uint32_t link_count;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    bool without_crc;
};

enum { BENCH_START_BYTES = 20, BENCH_RESULT_BYTES = 16, BENCH_WAIT_MS = 100, BENCH_EPOCH = 1 };

void bench_start_encode(const struct bench_start *start, uint8_t at[BENCH_START_BYTES]);
enum haul_status bench_start_decode(struct haul_slice body,
                                    struct bench_start *start) HAUL_MUST_CHECK;

/* Resolved options: defaults filled in, slot size from the payload size.
 * Errors: INVALID. */
enum haul_status bench_resolve(const struct haul_link_bench_options *given,
                               struct haul_link_bench_options *resolved,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* The same for the end that sends: a block must fit into a slot. Errors: INVALID. */
enum haul_status bench_resolve_sender(const struct haul_link_bench_options *given,
                                      struct haul_link_bench_options *resolved,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Send our description of link `index`. */
enum haul_status bench_send_description(struct control_channel *channel, const struct link *link,
                                        uint32_t index) HAUL_MUST_CHECK;
/* The link's index of a BENCH_LINK message, and the description after it. False: malformed. */
bool bench_take_description(struct haul_slice body, uint32_t *index,
                            struct haul_slice *description);

/* User and system time of this process so far. */
double bench_cpu_seconds(void);

/* The in-memory transport of haul_link_bench_both needs a hub where both ends meet. */
struct bench_context {
    const struct haul_link_bench_options *options; /* resolved */
    struct loopback_hub *hub;
    bool both;                            /* both ends are in this process */
    const struct link_bench_guard *guard; /* NULL: a checksum, or nothing */
};

/* Is it an address that a run may use? Errors: AUTH, those of link_address_parse. */
enum haul_status bench_check_address(const struct bench_context *context, const char *text,
                                     struct link_address *address,
                                     struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status bench_client_run(const struct bench_context *context,
                                  struct haul_link_bench_result *result,
                                  struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status bench_server_run(const struct bench_context *context,
                                  struct haul_link_bench_result *result,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#endif
