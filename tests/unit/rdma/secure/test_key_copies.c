/* SPDX-License-Identifier: Apache-2.0 */
/* test_key_copies.c — no copy of a key lies in memory that a core dump would contain: looks for it
 * in every writable mapping of this process, at each stage of a connection, and in registers. While
 * a handshake is under way OpenSSL has one; the tool is not dumpable (cli/trust_options.c). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "haul/key.h"
#include "tls_stream.h"

enum { LINE_BYTES = 512, PIECE_BYTES = 1 << 20, MASK = 0x5a };

struct end {
    struct haul_keys *keys;
    struct tls_context *context;
    struct tls_stream *stream;
};

static struct end client, server;
static struct haul_error error;
static uint8_t masked[HAUL_KEY_SECRET_BYTES]; /* the key, in a form that the search does not find */

/* --- the search ------------------------------------------------------------------------------- */

static size_t count_in(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i + sizeof(masked) <= size; i++) {
        size_t same = 0;
        while (same < sizeof(masked) && (bytes[i + same] ^ MASK) == masked[same]) {
            same++;
        }
        count += same == sizeof(masked);
    }
    return count;
}

/* Of a mapping. Pieces overlap, so a key at their edge is found. */
static size_t count_in_mapping(int memory, uint64_t begin, uint64_t end, uint8_t *piece)
{
    size_t count = 0;
    while (begin + sizeof(masked) <= end) {
        size_t wanted = end - begin < PIECE_BYTES ? (size_t)(end - begin) : PIECE_BYTES;
        ssize_t got = pread(memory, piece, wanted, (off_t)begin);
        if (got < (ssize_t)sizeof(masked)) {
            break;
        }
        count += count_in(piece, (size_t)got);
        begin += (uint64_t)got - (sizeof(masked) - 1);
    }
    return count;
}

struct mapping {
    uint64_t begin;
    uint64_t end;
    bool writable;
};

/* Copies in the memory of a core dump: writable, and not marked "dd" (MADV_DONTDUMP). */
static size_t count_copies(void)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    uint8_t *piece =
        mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char line[LINE_BYTES];
    char rights[8];
    struct mapping mapping = {.begin = 0};
    size_t count = 0;
    check_or_stop(maps != NULL && memory >= 0 && piece != MAP_FAILED);
    check_or_stop(madvise(piece, PIECE_BYTES, MADV_DONTDUMP) == 0); /* it holds what was found */
    while (fgets(line, sizeof(line), maps) != NULL) {
        uint64_t begin;
        uint64_t end;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &begin, &end, rights) == 3) {
            mapping = (struct mapping){.begin = begin, .end = end, .writable = rights[1] == 'w'};
        } else if (strncmp(line, "VmFlags:", 8) == 0 && mapping.writable &&
                   strstr(line, " dd") == NULL) {
            count += count_in_mapping(memory, mapping.begin, mapping.end, piece);
        }
    }
    (void)munmap(piece, PIECE_BYTES);
    (void)close(memory);
    (void)fclose(maps);
    return count;
}

/* --- the connection --------------------------------------------------------------------------- */

static void make_masked(void)
{
    for (size_t i = 0; i < sizeof(masked); i++) {
        masked[i] = (uint8_t)(i * 37 + 11);
    }
}

static void begin(struct end *end, enum tls_role role)
{
    struct haul_key key = {.id = "k"};
    for (size_t i = 0; i < sizeof(masked); i++) {
        key.secret[i] = masked[i] ^ MASK;
    }
    check_or_stop(haul_keys_create(&key, 1, &end->keys, &error) == HAUL_OK);
    explicit_bzero(&key, sizeof(key));
    check_or_stop(tls_context_create(role, end->keys, &end->context, &error) == HAUL_OK);
    check_or_stop(tls_stream_create(end->context, &end->stream, &error) == HAUL_OK);
}

static void finish(struct end *end)
{
    tls_stream_destroy(end->stream);
    tls_context_destroy(end->context);
    haul_keys_destroy(end->keys);
    memset(end, 0, sizeof(*end));
}

/* All that one side has put out reaches the other. */
static void carry(struct end *from, struct end *to)
{
    struct haul_slice output = tls_stream_output(from->stream);
    check_status(tls_stream_feed(to->stream, output), HAUL_OK);
    tls_stream_sent(from->stream, output.size);
}

static enum haul_status step(struct end *end)
{
    return tls_stream_handshake(end->stream, &error);
}

/* The search finds a key that lies on the heap. */
static void test_search__a_copy__found(void)
{
    make_masked();
    check_equal(count_copies(), 0);
    uint8_t *copy = malloc(sizeof(masked));
    check_or_stop(copy != NULL);
    for (size_t i = 0; i < sizeof(masked); i++) {
        copy[i] = masked[i] ^ MASK;
    }
    check_equal(count_copies(), 1);
    explicit_bzero(copy, sizeof(masked));
    free(copy);
    check_equal(count_copies(), 0);
}

static void test_keys__of_a_connection__no_copy_in_a_core_dump(void)
{
    make_masked();
    begin(&client, TLS_CONNECTS);
    begin(&server, TLS_ACCEPTS);
    check_equal(count_copies(), 0);
    check_status(step(&client), HAUL_AGAIN);
    check(count_copies() <= 1); /* OpenSSL's */
    carry(&client, &server);
    check_status(step(&server), HAUL_AGAIN);
    check(count_copies() <= 2);
    carry(&server, &client);
    check_status(step(&client), HAUL_OK);
    carry(&client, &server);
    check_status(step(&server), HAUL_OK);
    check_equal(count_copies(), 0);
    finish(&client);
    finish(&server);
    check_equal(count_copies(), 0);
}

/* Ids that the other side does not know, and connections that end before the handshake does. */
static void test_keys__of_a_handshake_that_fails__no_copy_in_a_core_dump(void)
{
    make_masked();
    begin(&client, TLS_CONNECTS);
    begin(&server, TLS_ACCEPTS);
    check_status(step(&client), HAUL_AGAIN);
    carry(&client, &server);
    check_status(step(&server), HAUL_AGAIN);
    finish(&client);
    finish(&server);
    check_equal(count_copies(), 0);
}

/* --- registers -------------------------------------------------------------------------------- */

#ifdef __x86_64__

enum { STATE_BYTES = 16 << 10, HALF_BYTES = HAUL_KEY_SECRET_BYTES / 2 };

/* XSAVE puts the halves of registers 0 to 15 in different places, so it looks for halves. */
static size_t count_halves(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i + HALF_BYTES <= size; i++) {
        for (size_t half = 0; half < sizeof(masked); half += HALF_BYTES) {
            size_t same = 0;
            while (same < HALF_BYTES && (bytes[i + same] ^ MASK) == masked[half + same]) {
                same++;
            }
            count += same == HALF_BYTES;
        }
    }
    return count;
}

/* A new thread inherits the vector registers, and the dynamic linker saves them on stacks. */
static void test_keys__made__not_in_a_register(void)
{
    static uint8_t state[STATE_BYTES] __attribute__((aligned(64)));
    struct haul_key key = {.id = "k"};
    struct haul_keys *keys = NULL;
    if (!__builtin_cpu_supports("avx")) {
        check_skip("no XSAVE");
        return;
    }
    make_masked();
    for (size_t i = 0; i < sizeof(masked); i++) {
        key.secret[i] = masked[i] ^ MASK;
    }
    __asm__ volatile("movdqu %1, %%xmm5; xsave64 %0"
                     : "+m"(state)
                     : "m"(key.secret), "a"(~0), "d"(~0)
                     : "xmm5");
    check_equal(count_halves(state, sizeof(state)) > 0, 1);
    enum haul_status status = haul_keys_create(&key, 1, &keys, &error);
    __asm__ volatile("xsave64 %0" : "+m"(state) : "a"(~0), "d"(~0));
    explicit_bzero(&key, sizeof(key));
    check_status(status, HAUL_OK);
    check_equal(count_halves(state, sizeof(state)), 0);
    explicit_bzero(state, sizeof(state));
    haul_keys_destroy(keys);
}

#endif

static const struct check_test tests[] = {
#ifdef __x86_64__
    CHECK_TEST(test_keys__made__not_in_a_register),
#endif
    CHECK_TEST(test_search__a_copy__found),
    CHECK_TEST(test_keys__of_a_connection__no_copy_in_a_core_dump),
    CHECK_TEST(test_keys__of_a_handshake_that_fails__no_copy_in_a_core_dump),
};

CHECK_MAIN("key_copies", tests)
