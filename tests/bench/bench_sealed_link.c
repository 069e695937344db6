/* SPDX-License-Identifier: Apache-2.0 */
/* bench_sealed_link.c — what trust costs on the bare link:
 *
 *   bench_sealed_link [MILLISECONDS [ROUNDS]]
 *
 * blocks of 1 MiB over one TCP connection of this host, a thread for each end, with a checksum,
 * with AES-256-GMAC and with AES-256-GCM, in turns; each run takes the given time (1000). Prints
 * one JSON document of GB a second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_seal.h"
#include "link_bench_guard.h"

enum { WAYS = 3, ROUNDS_MAX = 99, ROUNDS_DEFAULT = 3, MILLISECONDS_DEFAULT = 1000 };

static const enum haul_wire ways[WAYS] = {HAUL_WIRE_NONE, HAUL_WIRE_AUTH, HAUL_WIRE_SECURE};

static enum haul_status seal(const void *context, struct slot_header *header, uint8_t *payload)
{
    return block_seal(context, header, payload);
}

static enum haul_status open(const void *context, const struct slot_header *header,
                             uint8_t *payload)
{
    size_t size = header->payload_size_bytes;
    return block_open(context, header, payload, &size);
}

static double measure(enum haul_wire wire, double seconds)
{
    struct block_key key = {.wire = wire};
    struct link_bench_guard guard = {
        .seal = seal, .open = open, .bytes = BLOCK_TAG_BYTES, .context = &key};
    struct haul_link_bench_options options = {
        .size_bytes = sizeof(options), .transport = HAUL_TRANSPORT_TCP, .seconds = seconds};
    struct haul_link_bench_result result;
    struct haul_error error = {.status = HAUL_OK};
    memset(key.bytes, 7, sizeof(key.bytes));
    enum haul_status status = wire == HAUL_WIRE_NONE
                                  ? haul_link_bench_both(&options, &result, &error)
                                  : link_bench_both_guarded(&options, &guard, &result, &error);
    if (status != HAUL_OK) {
        (void)fprintf(stderr, "bench_sealed_link: %s: %s\n", haul_wire_name(wire), error.text);
        exit(1);
    }
    return result.bytes_per_second / 1e9;
}

int main(int argc, char **argv)
{
    double seconds = (argc > 1 ? atof(argv[1]) : MILLISECONDS_DEFAULT) / 1e3;
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : ROUNDS_DEFAULT;
    double rates[WAYS][ROUNDS_MAX];
    if (rounds < 1 || rounds > ROUNDS_MAX || seconds <= 0) {
        (void)fprintf(stderr, "usage: bench_sealed_link [MILLISECONDS [ROUNDS]]\n");
        return 2;
    }
    for (long round = 0; round < rounds; round++) {
        for (int way = 0; way < WAYS; way++) {
            rates[way][round] = measure(ways[way], seconds);
        }
    }
    for (int way = 0; way < WAYS; way++) {
        (void)printf("%s\"%s\":[", way == 0 ? "{" : ",", haul_wire_name(ways[way]));
        for (long round = 0; round < rounds; round++) {
            (void)printf("%s%.3f", round == 0 ? "" : ",", rates[way][round]);
        }
        (void)printf("]");
    }
    (void)printf("}\n");
    return 0;
}
