/* SPDX-License-Identifier: Apache-2.0 */
/* failing_memory.h — one allocation of the product fails. A suite that includes this is linked with
 * FAILING_MEMORY (CMakeLists.txt), which leads the allocations of haul and of the suite here; those
 * of libraries go past. A fake disk that is included later has allocations of its own, which never
 * fail. Thread: one. */
#ifndef HAUL_TESTS_FAILING_MEMORY_H
#define HAUL_TESTS_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static struct failing_memory {
    unsigned call_count;
    unsigned fail_at; /* the allocation that fails, from 1; 0: none */
} failing_memory;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static inline bool failing_memory_is_out(void)
{
    failing_memory.call_count++;
    return failing_memory.call_count == failing_memory.fail_at;
}

void *__wrap_malloc(size_t size)
{
    return failing_memory_is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return failing_memory_is_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return failing_memory_is_out() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = failing_memory_is_out() ? NULL : __real_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

#define FAKE_DISK_REALLOC __real_realloc

/* The allocation number `at` from here on fails, from 1; 0: none. */
static inline void failing_memory_fail(unsigned at)
{
    failing_memory = (struct failing_memory){.fail_at = at};
}

/* Whether it has come to that one; from here on, none fails. */
static inline bool failing_memory_failed(void)
{
    bool failed = failing_memory.fail_at > 0 && failing_memory.call_count >= failing_memory.fail_at;
    failing_memory.fail_at = 0;
    return failed;
}

#endif
