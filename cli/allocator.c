/* SPDX-License-Identifier: Apache-2.0 */
/* allocator.c — how the tool's memory is allocated: jemalloc, which keeps what was freed.
 *
 * RocksDB allocates each block that it reads or writes, and one is as large as the record in it.
 * glibc gives the pages of large ones back to the system at each free, and takes new ones, which
 * costs more than copying the record; no option of it keeps those above 32 MiB. jemalloc's default,
 * a dedicated place for large ones whose pages go back at once, is switched off for the same
 * reason, and huge pages take the place of 512 faults each. Pages that nobody used for ten seconds
 * are still given back. An environment that sets MALLOC_CONF has the last word. Sanitizers have
 * allocators of their own. */
#include <jemalloc/jemalloc.h>

const char *malloc_conf = "thp:always,oversize_threshold:0";
