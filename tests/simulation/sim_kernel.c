/* SPDX-License-Identifier: Apache-2.0 */
/* sim_kernel.c — the scheduler, and pthreads, clock and randomness for the product. */
#include "sim_kernel.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "assertion.h"
#include "clock.h"
#include "sim_descriptor.h"
#include "sim_fiber.h"
#include "sim_network.h"
#include "sim_verbs.h"

enum { STEP_NS_MAX = 3000, CLOCK_NS = 20, CLOCK_CALLS = 64 };

enum thread_state { THREAD_UNUSED, THREAD_READY, THREAD_COND, THREAD_JOIN, THREAD_NEWS };

/* The members that every step reads come first. */
struct sim_thread {
    enum thread_state state;
    bool ended;
    uint64_t deadline_ns; /* runs then; 0: at once; CLOCK_NEVER: when woken */
    uint64_t seen; /* generation */
    struct sim_process *process;
    int fd; /* the descriptor with the awaited event */
    uint32_t wanted;
    const void *waits_for; /* the condition, or the thread to join */
    struct sim_fiber *fiber;
    void *(*entry)(void *argument);
    void *argument;
    void (*main_entry)(void *argument);
};

struct sim_kernel sim_kernel;
static struct sim_thread threads[SIM_THREAD_COUNT];
static int thread_count; /* one after the last that is used */
static struct sim_thread *running;

/* --- life ------------------------------------------------------------------------------------- */

void sim_kernel_init(struct sim_random *random)
{
    memset(&sim_kernel, 0, sizeof(sim_kernel));
    memset(threads, 0, sizeof(threads));
    thread_count = 0;
    sim_kernel.random = random;
    sim_kernel.now_ns = NS_PER_S;
    sim_descriptors_init();
    sim_network_init();
    sim_verbs_init();
}

void sim_kernel_fini(void)
{
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        haul_assert(!sim_kernel.processes[i].alive);
    }
}

static void run_thread(void *argument)
{
    struct sim_thread *thread = argument;
    if (thread->main_entry != NULL) {
        thread->main_entry(thread->argument);
    } else {
        (void)thread->entry(thread->argument);
    }
    thread->ended = true;
}

static struct sim_thread *make_thread(struct sim_process *process)
{
    for (int i = 0; i < SIM_THREAD_COUNT; i++) {
        struct sim_thread *thread = &threads[i];
        if (thread->state == THREAD_UNUSED) {
            *thread = (struct sim_thread){.state = THREAD_READY, .process = process};
            thread->fiber = sim_fiber_create(run_thread, thread);
            thread_count = i >= thread_count ? i + 1 : thread_count;
            process->thread_count++;
            return thread;
        }
    }
    haul_unreachable();
}

static void drop_thread(struct sim_thread *thread)
{
    sim_fiber_destroy(thread->fiber);
    thread->state = THREAD_UNUSED;
    thread->deadline_ns = CLOCK_NEVER;
    thread->process->thread_count--;
    while (thread_count > 0 && threads[thread_count - 1].state == THREAD_UNUSED) {
        thread_count--;
    }
}

struct sim_process *sim_process_start(const char *name, int host, void (*entry)(void *argument),
                                      void *argument)
{
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        struct sim_process *process = &sim_kernel.processes[i];
        if (!process->alive) {
            memset(process, 0, sizeof(*process));
            process->name = name;
            process->host = host;
            process->alive = true;
            struct sim_thread *thread = make_thread(process);
            thread->main_entry = entry;
            thread->argument = argument;
            return process;
        }
    }
    haul_unreachable();
}

void sim_process_kill(struct sim_process *process)
{
    haul_assert(running == NULL && process->alive);
    for (int i = thread_count - 1; i >= 0; i--) {
        if (threads[i].state != THREAD_UNUSED && threads[i].process == process) {
            drop_thread(&threads[i]);
        }
    }
    sim_verbs_kill(process);
    sim_descriptors_close_all(process);
    sim_heap_free_all(&process->heap);
    process->alive = false;
}

struct sim_process *sim_process_current(void)
{
    return running == NULL ? NULL : running->process;
}

/* --- scheduling ------------------------------------------------------------------------------- */

/* News for the process may not concern this thread. */
static bool has_news(struct sim_thread *thread)
{
    if (thread->process->generation == thread->seen) {
        return false;
    }
    bool has = sim_descriptor_has(thread->fd, thread->wanted);
    thread->seen = has ? thread->seen : thread->process->generation;
    return has;
}

static uint64_t earliest(uint64_t next_ns)
{
    for (int i = 0; i < thread_count; i++) {
        const struct sim_thread *thread = &threads[i];
        bool has = thread->state == THREAD_NEWS && has_news(&threads[i]);
        uint64_t at_ns = has ? 0 : thread->deadline_ns;
        if (at_ns == CLOCK_NEVER) {
            continue;
        }
        uint64_t paused_ns = thread->process->paused_until_ns;
        at_ns = paused_ns > at_ns ? paused_ns : at_ns;
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    return next_ns;
}

/* A random thread that can run; NULL: all of them wait. */
static struct sim_thread *choose(void)
{
    struct sim_thread *ready[SIM_THREAD_COUNT];
    uint32_t count = 0;
    for (int i = 0; i < thread_count; i++) {
        struct sim_thread *thread = &threads[i];
        bool wakes = thread->deadline_ns <= sim_kernel.now_ns ||
                     (thread->state == THREAD_NEWS && has_news(thread));
        if (wakes && thread->process->paused_until_ns <= sim_kernel.now_ns) {
            ready[count++] = thread;
        }
    }
    return count == 0 ? NULL : ready[sim_random_below(sim_kernel.random, count)];
}

static void wake(struct sim_thread *thread)
{
    thread->state = THREAD_READY;
    thread->deadline_ns = 0;
}

static void note_end(struct sim_thread *ended)
{
    ended->deadline_ns = CLOCK_NEVER;
    for (int i = 0; i < thread_count; i++) {
        if (threads[i].state == THREAD_JOIN && threads[i].waits_for == ended) {
            threads[i].deadline_ns = 0;
        }
    }
}

static void run(struct sim_thread *thread)
{
    struct sim_process *process = thread->process;
    thread->state = THREAD_READY;
    running = thread;
    sim_heap_select(&process->heap);
    sim_fiber_run(thread->fiber);
    sim_heap_select(NULL);
    running = NULL;
    if (thread->ended) {
        note_end(thread);
    }
    if (thread->ended && thread->main_entry != NULL) {
        if (process->on_exit != NULL) {
            process->on_exit(process->on_exit_context);
        }
        sim_process_kill(process);
    }
}

bool sim_kernel_step(uint64_t until_ns)
{
    sim_network_deliver();
    sim_verbs_deliver();
    struct sim_thread *thread = choose();
    if (thread != NULL) {
        sim_kernel.steps++;
        sim_kernel.now_ns += sim_random_below(sim_kernel.random, STEP_NS_MAX);
        run(thread);
        return true;
    }
    uint64_t next_ns = earliest(until_ns);
    uint64_t network_ns = sim_network_next_ns();
    next_ns = network_ns < next_ns ? network_ns : next_ns;
    uint64_t verbs_ns = sim_verbs_next_ns();
    next_ns = verbs_ns < next_ns ? verbs_ns : next_ns;
    bool moved = next_ns < until_ns;
    sim_kernel.now_ns = next_ns > sim_kernel.now_ns ? next_ns : sim_kernel.now_ns;
    return moved;
}

static void block(enum thread_state state, const void *waits_for, uint64_t deadline_ns)
{
    running->state = state;
    running->waits_for = waits_for;
    running->deadline_ns = deadline_ns;
    sim_fiber_leave();
}

void sim_yield(void)
{
    if (running != NULL) {
        block(THREAD_READY, NULL, 0);
    }
}

void sim_wait_news(uint64_t seen, int fd, uint32_t wanted, uint64_t deadline_ns)
{
    running->seen = seen;
    running->fd = fd;
    running->wanted = wanted;
    block(THREAD_NEWS, NULL, deadline_ns);
}

void sim_sleep(uint64_t duration_ns)
{
    if (running != NULL) {
        /* A condition that nobody signals. */
        block(THREAD_COND, NULL, sim_kernel.now_ns + duration_ns);
    }
}

/* --- what the product calls ------------------------------------------------------------------- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*entry)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags);
int __wrap_sched_getscheduler(pid_t thread);
int __wrap_sched_setscheduler(pid_t thread, int policy, const struct sched_param *parameters);
int __wrap_getpriority(int which, id_t who);
int __wrap_setpriority(int which, id_t who, int value);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*entry)(void *), void *argument)
{
    (void)attributes;
    haul_assert(running != NULL);
    struct sim_thread *made = make_thread(running->process);
    made->entry = entry;
    made->argument = argument;
    *thread = (pthread_t)(uintptr_t)made;
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct sim_thread *joined = (struct sim_thread *)(uintptr_t)thread;
    (void)result;
    if (!joined->ended) {
        block(THREAD_JOIN, joined, CLOCK_NEVER);
    }
    drop_thread(joined);
    return 0;
}

/* One thread runs at a time, and none stops while it holds a lock. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
    if (running != NULL && sim_random_chance(sim_kernel.random, sim_kernel.preempt_parts)) {
        sim_yield();
    }
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)mutex;
    block(THREAD_COND, condition, CLOCK_NEVER);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    (void)mutex;
    uint64_t until_ns = (uint64_t)until->tv_sec * NS_PER_S + (uint64_t)until->tv_nsec;
    if (until_ns <= sim_kernel.now_ns) {
        return ETIMEDOUT;
    }
    block(THREAD_COND, condition, until_ns);
    return sim_kernel.now_ns >= until_ns ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    struct sim_thread *waiting[SIM_THREAD_COUNT];
    uint32_t count = 0;
    for (int i = 0; i < thread_count; i++) {
        if (threads[i].state == THREAD_COND && threads[i].waits_for == condition) {
            waiting[count++] = &threads[i];
        }
    }
    if (count > 0) {
        wake(waiting[sim_random_below(sim_kernel.random, count)]);
    }
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    for (int i = 0; i < thread_count; i++) {
        if (threads[i].state == THREAD_COND && threads[i].waits_for == condition) {
            wake(&threads[i]);
        }
    }
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    if (running != NULL) {
        /* A caller that asks for the time may be busy-waiting for it. */
        sim_kernel.now_ns += CLOCK_NS;
        if (sim_random_below(sim_kernel.random, CLOCK_CALLS) == 0) {
            sim_yield();
        }
    }
    now->tv_sec = (time_t)(sim_kernel.now_ns / NS_PER_S);
    now->tv_nsec = (long)(sim_kernel.now_ns % NS_PER_S);
    return 0;
}

ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags)
{
    (void)flags;
    sim_random_fill(sim_kernel.random, data, size);
    return (ssize_t)size;
}

/* Policies have no effect: chance draws the next thread, and a policy would slow the simulation's
 * own thread. */
int __wrap_sched_getscheduler(pid_t thread)
{
    (void)thread;
    return SCHED_OTHER;
}

int __wrap_sched_setscheduler(pid_t thread, int policy, const struct sched_param *parameters)
{
    (void)thread;
    (void)policy;
    (void)parameters;
    return 0;
}

int __wrap_getpriority(int which, id_t who)
{
    (void)which;
    (void)who;
    return 0;
}

int __wrap_setpriority(int which, id_t who, int value)
{
    (void)which;
    (void)who;
    (void)value;
    return 0;
}
