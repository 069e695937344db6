/* SPDX-License-Identifier: Apache-2.0 */
/* sim_fiber.c — contexts made by makecontext(3). Switching goes by setjmp(3), which asks the kernel
 * nothing; under AddressSanitizer by swapcontext(3), which it can follow. */
#include "sim_fiber.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "assertion.h"
#include "sim_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#include <sanitizer/common_interface_defs.h>
#else
#define SIM_ASAN 0
#endif

enum { STACK_BYTES = 1 << 20, POOL_COUNT = 64 };

void *__real_mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *memory, size_t size);

struct sim_fiber {
    void (*entry)(void *argument);
    void *argument;
    void *stack;
    bool started;
    bool ended;
    ucontext_t context;
    jmp_buf jump;
};

static ucontext_t scheduler_context;
static struct sim_fiber *running;
static void *pool[POOL_COUNT];
static int pool_count;
#if SIM_ASAN
static const void *scheduler_stack;
static size_t scheduler_stack_size;
static void *scheduler_fake_stack;
#else
static jmp_buf scheduler_jump;
#endif

static void *take_stack(void)
{
    if (pool_count > 0) {
        return pool[--pool_count];
    }
    void *stack = __real_mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    haul_assert(stack != MAP_FAILED);
    return stack;
}

static void give_stack(void *stack)
{
    if (pool_count < POOL_COUNT) {
        pool[pool_count++] = stack;
    } else {
        (void)__real_munmap(stack, STACK_BYTES);
    }
}

static void begin(void)
{
    struct sim_fiber *fiber = running;
#if SIM_ASAN
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_size);
#endif
    fiber->entry(fiber->argument);
    fiber->ended = true;
    sim_fiber_leave();
    haul_unreachable();
}

struct sim_fiber *sim_fiber_create(void (*entry)(void *argument), void *argument)
{
    struct sim_fiber *fiber = sim_host_alloc(sizeof(*fiber));
    fiber->entry = entry;
    fiber->argument = argument;
    fiber->stack = take_stack();
    int result = getcontext(&fiber->context);
    haul_assert(result == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, begin, 0);
    return fiber;
}

void sim_fiber_destroy(struct sim_fiber *fiber)
{
    haul_assert(fiber != running);
    give_stack(fiber->stack);
}

#if SIM_ASAN
void sim_fiber_run(struct sim_fiber *fiber)
{
    running = fiber;
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber->stack, STACK_BYTES);
    (void)swapcontext(&scheduler_context, &fiber->context);
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, NULL, NULL);
    running = NULL;
}

void sim_fiber_leave(void)
{
    void *fake_stack = NULL;
    struct sim_fiber *fiber = running;
    __sanitizer_start_switch_fiber(fiber->ended ? NULL : &fake_stack, scheduler_stack,
                                   scheduler_stack_size);
    (void)swapcontext(&fiber->context, &scheduler_context);
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack, &scheduler_stack_size);
}
#else
__attribute__((noinline)) void sim_fiber_run(struct sim_fiber *fiber)
{
    running = fiber;
    if (_setjmp(scheduler_jump) == 0) {
        if (fiber->started) {
            _longjmp(fiber->jump, 1);
        }
        fiber->started = true;
        (void)swapcontext(&scheduler_context, &fiber->context);
    }
    running = NULL;
}

__attribute__((noinline)) void sim_fiber_leave(void)
{
    if (_setjmp(running->jump) == 0) {
        _longjmp(scheduler_jump, 1);
    }
}
#endif

bool sim_fiber_has_ended(const struct sim_fiber *fiber)
{
    return fiber->ended;
}
