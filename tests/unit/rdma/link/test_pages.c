/* SPDX-License-Identifier: Apache-2.0 */
/* test_pages.c — which kind of pages is used: when the system has them, when it has them in name
 * only, and when it has none. mmap and madvise are replaced here (by the linker's --wrap). */
#include "pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { HUGE = 2 << 20, SIZE = HUGE + 4096, SMALL = 3000 };

/* What the system has. */
enum huge_pages {
    HUGE_NONE,     /* mmap refuses */
    HUGE_USABLE,   /* reserved ones, and ours */
    HUGE_FORBIDDEN /* mmap returns them; touching one raises SIGBUS */
};

static enum huge_pages huge_pages;
static bool plain_pages;
static bool old_kernel; /* without MADV_POPULATE_WRITE */
static int populated;
static int forks_barred;
static uint64_t huge_asked_bytes;
static int huge_flags;

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);

static void *refuse(void)
{
    errno = ENOMEM;
    return MAP_FAILED;
}

/* A file without a byte: behind its end there are addresses and no memory, like huge pages beyond
 * the limit of a control group. */
static void *map_forbidden(size_t size, int protection)
{
    int fd = memfd_create("forbidden", MFD_CLOEXEC);
    check_or_stop(fd >= 0);
    void *memory = __real_mmap(NULL, size, protection, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    return memory;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_HUGETLB) == 0) {
        return plain_pages ? __real_mmap(address, size, protection, flags, fd, offset) : refuse();
    }
    huge_asked_bytes = size;
    huge_flags = flags;
    if (huge_pages == HUGE_NONE) {
        return refuse();
    }
    return huge_pages == HUGE_FORBIDDEN
               ? map_forbidden(size, protection)
               : __real_mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, fd, offset);
}

int __wrap_madvise(void *address, size_t size, int advice)
{
    forks_barred += advice == MADV_DONTFORK;
    if (advice == MADV_POPULATE_WRITE) {
        populated++;
        if (old_kernel) {
            errno = EINVAL;
            return -1;
        }
    }
    return __real_madvise(address, size, advice);
}

static void begin(enum huge_pages huge)
{
    huge_pages = huge;
    plain_pages = true;
    old_kernel = false;
    populated = 0;
    forks_barred = 0;
    huge_asked_bytes = 0;
}

/* All of it is zero at first, and can be written. */
static void check_usable(struct pages *pages, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += 512) {
        check_or_stop(pages->data[i] == 0);
    }
    memset(pages->data, 0xaa, size);
    pages_unmap(pages);
    check(pages->data == NULL && pages->mapping == NULL);
}

static void test_pages_map__reserved_huge_pages__whole_ones_populated_at_once(void)
{
    struct pages pages;
    begin(HUGE_USABLE);
    check_or_stop(pages_map(&pages, SIZE, "ring", NULL, NULL) == HAUL_OK);
    check_equal(populated, 1);
    check_equal(pages.mapping_size_bytes, 2 * HUGE);
    check_equal(huge_asked_bytes, 2 * HUGE);
    check_equal((unsigned)huge_flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK, 21);
    check_usable(&pages, SIZE);
}

static void test_pages_map__huge_pages_that_cannot_be_touched__other_pages(void)
{
    struct pages pages;
    begin(HUGE_FORBIDDEN);
    check_or_stop(pages_map(&pages, SIZE, "ring", NULL, NULL) == HAUL_OK);
    check_equal(populated, 1);
    check_equal((uintptr_t)pages.data % HUGE, 0);
    check_usable(&pages, SIZE);
}

static void test_pages_map__kernel_cannot_populate__huge_pages_are_not_trusted(void)
{
    struct pages pages;
    begin(HUGE_FORBIDDEN);
    old_kernel = true;
    check_or_stop(pages_map(&pages, SIZE, "ring", NULL, NULL) == HAUL_OK);
    check_usable(&pages, SIZE);
}

static void test_pages_map__no_huge_pages__aligned_ones(void)
{
    struct pages pages;
    begin(HUGE_NONE);
    check_or_stop(pages_map(&pages, SIZE, "ring", NULL, NULL) == HAUL_OK);
    check_equal(populated, 0);
    check_equal((uintptr_t)pages.data % HUGE, 0);
    check_usable(&pages, SIZE);
}

static void test_pages_map__less_than_a_huge_page__plain_ones(void)
{
    struct pages pages;
    begin(HUGE_USABLE);
    check_or_stop(pages_map(&pages, SMALL, "credit frames", NULL, NULL) == HAUL_OK);
    check_equal(huge_asked_bytes, 0);
    check_usable(&pages, SMALL);
}

static void test_pages_map__nothing_at_all__no_memory_says_what_for(void)
{
    struct pages pages;
    struct haul_error error;
    begin(HUGE_NONE);
    plain_pages = false;
    check_status(pages_map(&pages, SMALL, "ring", NULL, &error), HAUL_NO_MEMORY);
    check_text(error.text, "no memory for a ring of 3000 bytes");
    check_equal(error.code, ENOMEM);
    check(pages.data == NULL);
    pages_unmap(&pages);
}

static void test_pages_map__whole_huge_pages__no_more_than_these(void)
{
    struct pages pages;
    begin(HUGE_USABLE);
    check_or_stop(pages_map(&pages, HUGE, "ring", NULL, NULL) == HAUL_OK);
    check_equal(huge_asked_bytes, HUGE);
    check_equal(pages.mapping_size_bytes, HUGE);
    check_usable(&pages, HUGE);
}

static void test_pages_map__no_pages_of_any_kind__no_memory(void)
{
    struct pages pages;
    struct haul_error error;
    begin(HUGE_NONE);
    plain_pages = false;
    check_error(pages_map(&pages, SIZE, "ring", NULL, &error), HAUL_NO_MEMORY, error);
    check(pages.data == NULL && pages.mapping == NULL);
}

static size_t mappings_of(const char *name)
{
    char line[512];
    size_t count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    check_or_stop(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, name) != NULL;
    }
    (void)fclose(file);
    return count;
}

/* Pages that could not be touched are unmapped before others take their place. */
static void test_pages_map__pages_that_were_of_no_use__given_back(void)
{
    struct pages pages;
    begin(HUGE_FORBIDDEN);
    check_or_stop(pages_map(&pages, SIZE, "ring", NULL, NULL) == HAUL_OK);
    check_equal(mappings_of("memfd:forbidden"), 0);
    pages_unmap(&pages);
}

static void test_pages_map__child_of_the_process__has_none_of_them(void)
{
    struct pages pages;
    unsigned char vector[1];
    begin(HUGE_NONE);
    check_or_stop(pages_map(&pages, SMALL, "ring", NULL, NULL) == HAUL_OK);
    check_equal(forks_barred, 1);
    pages.data[0] = 1;
    pid_t child = fork();
    if (child == 0) {
        bool gone = mincore(pages.mapping, SMALL, vector) != 0 && errno == ENOMEM;
        _exit(gone ? 0 : 1);
    }
    int status = -1;
    check(child > 0 && waitpid(child, &status, 0) == child);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    pages_unmap(&pages);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_pages_map__reserved_huge_pages__whole_ones_populated_at_once),
    CHECK_TEST(test_pages_map__huge_pages_that_cannot_be_touched__other_pages),
    CHECK_TEST(test_pages_map__kernel_cannot_populate__huge_pages_are_not_trusted),
    CHECK_TEST(test_pages_map__no_huge_pages__aligned_ones),
    CHECK_TEST(test_pages_map__less_than_a_huge_page__plain_ones),
    CHECK_TEST(test_pages_map__nothing_at_all__no_memory_says_what_for),
    CHECK_TEST(test_pages_map__whole_huge_pages__no_more_than_these),
    CHECK_TEST(test_pages_map__no_pages_of_any_kind__no_memory),
    CHECK_TEST(test_pages_map__pages_that_were_of_no_use__given_back),
    CHECK_TEST(test_pages_map__child_of_the_process__has_none_of_them),
};
CHECK_MAIN("pages", tests)
