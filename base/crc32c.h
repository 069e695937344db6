/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h — CRC-32C (Castagnoli, iSCSI RFC 3720) through ISA-L. */
#ifndef HAUL_CRC32C_H
#define HAUL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC of `data`, continued from `crc`, the CRC of the bytes before (0: none). crc32c_extend(0,
 * "123456789", 9) is 0xe3069283. Thread: any. */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size);

static inline uint32_t crc32c(const void *data, size_t size)
{
    return crc32c_extend(0, data, size);
}

/* CRC of two neighbours: `first` and `second` are their CRCs, `second_size` the bytes of the
 * latter. Thread: any. */
uint32_t crc32c_join(uint32_t first, uint32_t second, size_t second_size);

/* Copy and checksum in one pass of cache-sized pieces. The CRC is computed from the bytes in `to`,
 * so a source that changes during the copy cannot pass. Thread: any. */
uint32_t crc32c_copy(void *to, const void *from, size_t size);

#endif
