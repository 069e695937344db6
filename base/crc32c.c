/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c — the only file that calls ISA-L. */
#include "crc32c.h"

#include <isa-l/crc.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* ISA-L takes an int length and chains without the final inversion. */
enum { ISAL_BYTES_MAX = 1 << 30 };

/* Small enough that the copy is still in the first-level cache for the checksum. */
enum { COPY_PIECE_BYTES = 16 * 1024 };

/* ISA-L's widest code leaves the upper halves of the vector registers in use. Until they are
 * cleared, every plain SSE instruction of the thread waits for them, and RocksDB's iterators, which
 * consist of such instructions, run at less than half their speed. */
#ifdef __x86_64__
__attribute__((target("avx"))) static void clear_upper_halves(void)
{
    _mm256_zeroupper();
}

static void leave_library(void)
{
    if (__builtin_cpu_supports("avx")) {
        clear_upper_halves();
    }
}
#else
static void leave_library(void)
{
}
#endif

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t state = ~crc;
    while (size > 0) {
        size_t piece = size < ISAL_BYTES_MAX ? size : ISAL_BYTES_MAX;
        /* The library does not write through the pointer; its prototype lacks the const. */
        state = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)piece, state);
        at += piece;
        size -= piece;
    }
    leave_library();
    return ~state;
}

uint32_t crc32c_copy(void *to, const void *from, size_t size)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    uint32_t crc = 0;
    while (size > 0) {
        size_t piece = size < COPY_PIECE_BYTES ? size : COPY_PIECE_BYTES;
        memcpy(target, source, piece);
        crc = crc32c_extend(crc, target, piece);
        target += piece;
        source += piece;
        size -= piece;
    }
    return crc;
}
