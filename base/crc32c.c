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

/* Polynomials over GF(2), reflected as the CRC is: the highest bit is the constant term. */
enum { CONSTANT_ONE = 1u << 31, X_TO_THE_8 = 1u << 23, CASTAGNOLI = 0x82f63b78 };

/* The product, modulo the CRC's polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = CONSTANT_ONE; bit != 0; bit >>= 1) {
        product ^= (a & bit) != 0 ? b : 0;
        b = (b >> 1) ^ ((b & 1) != 0 ? (uint32_t)CASTAGNOLI : 0);
    }
    return product;
}

/* A byte behind multiplies what is in front by x^8. */
uint32_t crc32c_join(uint32_t first, uint32_t second, size_t second_size)
{
    uint32_t power = X_TO_THE_8; /* of one byte, two bytes, four bytes, ... */
    for (size_t size = second_size; size > 0; size >>= 1) {
        first = (size & 1) != 0 ? multiply(first, power) : first;
        power = multiply(power, power);
    }
    return first ^ second;
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
