/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench.h — measures the bare link, without a database, as ib_write_bw and iperf3 do. */
#ifndef HAUL_LINK_BENCH_H
#define HAUL_LINK_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/limits.h"
#include "haul/log.h"
#include "haul/status.h"
#include "haul/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A number that is zero stands for its default. */
struct haul_link_bench_options {
    size_t size_bytes; /* of this struct: haul/version.h */
    enum haul_transport transport;
    const char *address;         /* ADDR:PORT to connect to or to listen on */
    uint32_t payload_size_bytes; /* of a block; default 1 MiB */
    double seconds;              /* how long to send; default 5 */
    uint32_t link_count;         /* parallel links (queue pairs); default 1 */
    bool without_crc;            /* leave the payload checksums out on both sides */
    bool keep_serving;           /* server: more than one run */
    struct haul_link_options link;
    /* Called in every turn of the loop; true ends the run early. May be NULL. */
    bool (*is_cancelled)(void *context);
    void *context;
    /* Server: called with the address once it listens. May be NULL. */
    void (*on_listening)(void *context, const char *address);
    const struct haul_log *log;
    /* A run has no key. Without this `address` must be of the loopback interface (AUTH otherwise),
     * and peers on other hosts are refused. haul_link_bench_both takes any address of this host,
     * and no peer but its own. */
    bool insecure;
};

struct haul_link_bench_result {
    enum haul_transport transport;
    uint64_t bytes; /* of payload that the receiver has freed */
    uint64_t blocks;
    double seconds; /* first submit to last credit */
    double bytes_per_second;
    double cpu_seconds; /* user and system time of this process */
    struct haul_link_stats link;
    uint64_t reserved[8];
};

/* Send to a server. Errors: those of connecting; CORRUPT (a checksum failed at the server). */
enum haul_status haul_link_bench_run(const struct haul_link_bench_options *options,
                                     struct haul_link_bench_result *result,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Serve one run, or many. `result` has this side's figures of the last run. */
enum haul_status haul_link_bench_serve(const struct haul_link_bench_options *options,
                                       struct haul_link_bench_result *result,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Both ends in one process: the server in its own thread, over the loopback link or over the given
 * address (default: any port of 127.0.0.1; RDMA needs the address of a device). */
enum haul_status haul_link_bench_both(const struct haul_link_bench_options *options,
                                      struct haul_link_bench_result *result,
                                      struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
