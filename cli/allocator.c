/* SPDX-License-Identifier: Apache-2.0 */
/* allocator.c — the tool's memory allocator: jemalloc, set up to keep freed pages.
 *
 * RocksDB allocates memory for each block that it reads or writes, and a block is as large as the
 * record in it. glibc returns the pages of large allocations to the system on each free and maps
 * new ones, which costs more than copying the record; no option makes it keep allocations above 32
 * MiB. jemalloc by default has a dedicated arena for large allocations that returns pages at once;
 * it is switched off for the same reason, and a huge page saves 512 page faults. Pages unused for
 * ten seconds are still returned. MALLOC_CONF in the environment takes precedence. Sanitizers bring
 * their own allocators. */
#include <jemalloc/jemalloc.h>

const char *malloc_conf = "thp:always,oversize_threshold:0";
