/* SPDX-License-Identifier: Apache-2.0 */
/* sim_fiber.c — contexts. On x86-64 a few instructions switch them. Elsewhere, and under
 * AddressSanitizer, which can follow it, swapcontext(3) does, with a system call each time. */
#include "sim_fiber.h"

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
#if defined(__x86_64__) && !SIM_ASAN
#define SIM_BY_HAND 1
#else
#define SIM_BY_HAND 0
#endif

enum { STACK_BYTES = 1 << 20, POOL_COUNT = 64 };

void *__real_mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *memory, size_t size);

struct sim_fiber {
    void (*entry)(void *argument);
    void *argument;
    void *stack;
    bool ended;
#if SIM_BY_HAND
    void *top; /* the saved stack pointer, while it does not run */
#else
    ucontext_t context;
#endif
};

#if SIM_BY_HAND
static void *scheduler_top;
#else
static ucontext_t scheduler_context;
#endif
static struct sim_fiber *running;
static void *pool[POOL_COUNT];
static int pool_count;
#if SIM_ASAN
static const void *scheduler_stack;
static size_t scheduler_stack_size;
static void *scheduler_fake_stack;
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

#if SIM_BY_HAND
enum { SAVED_REGISTERS = 6 };

/* Saves the callee-saved registers, and continues where `to` stopped. */
void sim_fiber_switch(void **from, void *to);
__asm__(".text\n"
        ".type sim_fiber_switch, @function\n"
        "sim_fiber_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size sim_fiber_switch, . - sim_fiber_switch\n");

/* Lay out the stack as if `begin` had been called without a caller, and not started yet. */
static void prepare(struct sim_fiber *fiber)
{
    uintptr_t *top = (uintptr_t *)(void *)((uint8_t *)fiber->stack + STACK_BYTES);
    *--top = 0;
    *--top = (uintptr_t)begin;
    for (int i = 0; i < SAVED_REGISTERS; i++) {
        *--top = 0;
    }
    fiber->top = top;
}
#else
static void prepare(struct sim_fiber *fiber)
{
    int result = getcontext(&fiber->context);
    haul_assert(result == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, begin, 0);
}
#endif

struct sim_fiber *sim_fiber_create(void (*entry)(void *argument), void *argument)
{
    struct sim_fiber *fiber = sim_host_alloc(sizeof(*fiber));
    fiber->entry = entry;
    fiber->argument = argument;
    fiber->stack = take_stack();
    prepare(fiber);
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
#elif SIM_BY_HAND
void sim_fiber_run(struct sim_fiber *fiber)
{
    running = fiber;
    sim_fiber_switch(&scheduler_top, fiber->top);
    running = NULL;
}

void sim_fiber_leave(void)
{
    sim_fiber_switch(&running->top, scheduler_top);
}
#else
void sim_fiber_run(struct sim_fiber *fiber)
{
    running = fiber;
    (void)swapcontext(&scheduler_context, &fiber->context);
    running = NULL;
}

void sim_fiber_leave(void)
{
    (void)swapcontext(&running->context, &scheduler_context);
}
#endif

bool sim_fiber_has_ended(const struct sim_fiber *fiber)
{
    return fiber->ended;
}
