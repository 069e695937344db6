/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c — three kinds of pages, the best first.
 *
 * Mapping explicit huge pages does not reserve memory yet: the limit of a control group applies
 * when a page is touched, as SIGBUS. So they are populated at once, by a call that returns the
 * failure. Other pages are not touched here: they become resident when they are used. */
#include "pages.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum {
    HUGE_PAGE_BYTES = 2 << 20,
    HUGE_PAGE_SHIFT = 21,
};

/* Missing in older headers; an older kernel returns EINVAL. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static bool map(struct pages *pages, uint64_t size_bytes, int flags)
{
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    *pages = (struct pages){.data = memory, .mapping = memory, .mapping_size_bytes = size_bytes};
    /* If this fails, a fork only costs more. */
    (void)madvise(memory, size_bytes, MADV_DONTFORK);
    return true;
}

/* An explicit page size, whatever the system's default is: 1 GiB pages would be mapped, and not
 * unmapped, with our sizes. */
static bool map_reserved(struct pages *pages, uint64_t size_bytes, const char *purpose,
                         const struct haul_log *log)
{
    uint64_t whole = round_up(size_bytes, HUGE_PAGE_BYTES);
    if (!map(pages, whole, MAP_HUGETLB | (HUGE_PAGE_SHIFT << MAP_HUGE_SHIFT))) {
        return false;
    }
    if (madvise(pages->mapping, whole, MADV_POPULATE_WRITE) == 0) {
        haul_log(log, HAUL_LOG_DEBUG, "%s of %llu bytes in reserved huge pages", purpose,
                 (unsigned long long)size_bytes);
        return true;
    }
    haul_log(log, HAUL_LOG_INFO,
             "%s of %llu bytes: the reserved huge pages are not available (%s; a control group "
             "may limit them), using others",
             purpose, (unsigned long long)size_bytes, strerror(errno));
    pages_unmap(pages);
    return false;
}

static bool map_aligned(struct pages *pages, uint64_t size_bytes, const char *purpose,
                        const struct haul_log *log)
{
    uint64_t whole = round_up(size_bytes, HUGE_PAGE_BYTES);
    if (!map(pages, whole + HUGE_PAGE_BYTES, MAP_NORESERVE)) {
        return false;
    }
    uint64_t address = (uint64_t)(uintptr_t)pages->mapping;
    pages->data += round_up(address, HUGE_PAGE_BYTES) - address;
    bool transparent = madvise(pages->data, whole, MADV_HUGEPAGE) == 0;
    haul_log(log, HAUL_LOG_DEBUG, "%s of %llu bytes in %s pages", purpose,
             (unsigned long long)size_bytes, transparent ? "transparent huge" : "plain");
    return true;
}

enum haul_status pages_map(struct pages *pages, uint64_t size_bytes, const char *purpose,
                           const struct haul_log *log, struct haul_error *error)
{
    *pages = (struct pages){.data = NULL};
    bool huge = size_bytes >= HUGE_PAGE_BYTES;
    if ((huge && map_reserved(pages, size_bytes, purpose, log)) ||
        (huge && map_aligned(pages, size_bytes, purpose, log)) ||
        map(pages, size_bytes, MAP_NORESERVE)) {
        return HAUL_OK;
    }
    return haul_error_set(error, HAUL_NO_MEMORY, "mmap", errno, "no memory for a %s of %llu bytes",
                          purpose, (unsigned long long)size_bytes);
}

void pages_unmap(struct pages *pages)
{
    if (pages->mapping != NULL) {
        (void)munmap(pages->mapping, pages->mapping_size_bytes);
    }
    *pages = (struct pages){.data = NULL};
}
