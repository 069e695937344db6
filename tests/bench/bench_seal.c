/* SPDX-License-Identifier: Apache-2.0 */
/* bench_seal.c — what trust costs where nothing else is done, on one thread:
 *
 *   bench_seal [MILLISECONDS]
 *
 * a whole TLS handshake with a pre-shared key, both sides of it; and sealing, opening and
 * checksumming blocks of 1 MiB, 64 of them in turn, so that they do not stay in the processor's
 * cache. Each for the given time (500). Processor time. Prints one JSON document. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block_seal.h"
#include "crc32c.h"
#include "gcm.h"
#include "tls_stream.h"

enum { BLOCKS = 64, PAYLOAD_BYTES = 1 << 20 };

struct bench {
    double seconds; /* of each measurement */
    uint8_t *blocks;
    struct slot_header headers[BLOCKS];
    struct tls_context *server;
    struct tls_context *client;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_seal: %s failed\n", what);
        exit(1);
    }
}

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint8_t *payload_of(const struct bench *bench, size_t index)
{
    return bench->blocks + index * (PAYLOAD_BYTES + BLOCK_TAG_BYTES);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static void seal_all(struct bench *bench, const struct block_key *key)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        bench->headers[i] = (struct slot_header){
            .type = SLOT_DATA, .batch = i, .payload_size_bytes = PAYLOAD_BYTES};
        must(block_seal(key, &bench->headers[i], payload_of(bench, i)) == HAUL_OK, "sealing");
    }
}

static void open_all(struct bench *bench, const struct block_key *key)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = bench->headers[i].payload_size_bytes;
        must(block_open(key, &bench->headers[i], payload_of(bench, i), &size) == HAUL_OK,
             "opening");
    }
}

/* GB a second of processor time: sealing and opening in turn, each timed on its own. */
static void measure_key(struct bench *bench, enum haul_wire wire, double *seal, double *open)
{
    struct block_key key = {.wire = wire};
    double sealing = 0, opening = 0;
    uint64_t rounds = 0;
    memset(key.bytes, 7, sizeof(key.bytes));
    while (sealing < bench->seconds) {
        double begin = now_seconds();
        seal_all(bench, &key);
        double sealed = now_seconds();
        open_all(bench, &key);
        opening += now_seconds() - sealed;
        sealing += sealed - begin;
        rounds++;
    }
    *seal = (double)(rounds * BLOCKS * PAYLOAD_BYTES) / 1e9 / sealing;
    *open = (double)(rounds * BLOCKS * PAYLOAD_BYTES) / 1e9 / opening;
}

static double measure_checksum(const struct bench *bench)
{
    uint32_t sum = 0;
    uint64_t count = 0;
    double begin = now_seconds(), passed = 0;
    for (; passed < bench->seconds; passed = now_seconds() - begin) {
        for (size_t i = 0; i < BLOCKS; i++, count++) {
            sum ^= crc32c(payload_of(bench, i), PAYLOAD_BYTES);
        }
    }
    must(sum != 1, "a checksum"); /* the sums are used, or the compiler leaves them out */
    return (double)(count * PAYLOAD_BYTES) / 1e9 / passed;
}

/* --- handshakes ------------------------------------------------------------------------------- */

/* Give `to` what `from` has to send, and let it go on. */
static bool step(struct tls_stream *from, struct tls_stream *to)
{
    struct haul_slice output = tls_stream_output(from);
    must(tls_stream_feed(to, output) == HAUL_OK, "feeding");
    tls_stream_sent(from, output.size);
    enum haul_status status = tls_stream_handshake(to, NULL);
    must(status == HAUL_OK || status == HAUL_AGAIN, "the handshake");
    return status == HAUL_OK;
}

static void shake_hands(const struct bench *bench)
{
    struct tls_stream *client = NULL, *server = NULL;
    must(tls_stream_create(bench->client, &client, NULL) == HAUL_OK &&
             tls_stream_create(bench->server, &server, NULL) == HAUL_OK,
         "a stream");
    must(tls_stream_handshake(client, NULL) == HAUL_AGAIN, "the hello");
    (void)step(client, server);
    must(step(server, client) && step(client, server), "the handshake");
    tls_stream_destroy(client);
    tls_stream_destroy(server);
}

static double measure_handshake(const struct bench *bench)
{
    uint64_t count = 0;
    double begin = now_seconds(), passed = 0;
    for (; passed < bench->seconds; passed = now_seconds() - begin, count++) {
        shake_hands(bench);
    }
    return passed * 1e3 / (double)count;
}

int main(int argc, char **argv)
{
    struct bench bench = {.seconds = (argc > 1 ? atof(argv[1]) : 500) / 1e3};
    struct haul_key key = {.id = "bench"};
    struct haul_keys *keys = NULL;
    double secure[2], authentic[2];
    bench.blocks = malloc((size_t)BLOCKS * (PAYLOAD_BYTES + BLOCK_TAG_BYTES));
    must(bench.blocks != NULL, "an allocation");
    memset(bench.blocks, 1, (size_t)BLOCKS * (PAYLOAD_BYTES + BLOCK_TAG_BYTES));
    must(haul_keys_create(&key, 1, &keys, NULL) == HAUL_OK, "a key");
    must(tls_context_create(TLS_ACCEPTS, keys, &bench.server, NULL) == HAUL_OK &&
             tls_context_create(TLS_CONNECTS, keys, &bench.client, NULL) == HAUL_OK,
         "a context");
    measure_key(&bench, HAUL_WIRE_SECURE, &secure[0], &secure[1]);
    measure_key(&bench, HAUL_WIRE_AUTH, &authentic[0], &authentic[1]);
    (void)printf("{\"library\":\"%s\",\"secure_seal_gb_s\":%.3f,\"secure_open_gb_s\":%.3f,"
                 "\"auth_seal_gb_s\":%.3f,\"auth_open_gb_s\":%.3f,\"crc32c_gb_s\":%.3f,"
                 "\"handshake_ms\":%.3f}\n",
                 gcm_library(), secure[0], secure[1], authentic[0], authentic[1],
                 measure_checksum(&bench), measure_handshake(&bench));
    tls_context_destroy(bench.client);
    tls_context_destroy(bench.server);
    haul_keys_destroy(keys);
    free(bench.blocks);
    return 0;
}
