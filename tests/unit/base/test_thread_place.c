/* SPDX-License-Identifier: Apache-2.0 */
/* test_thread_place.c — processor lists, and their effect on a thread. */
#include "thread_place.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static struct haul_error error;
static pthread_attr_t attributes;

/* The first processor that this process may use. */
static int first_cpu(void)
{
    cpu_set_t set;
    check_or_stop(sched_getaffinity(0, sizeof(set), &set) == 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &set)) {
        cpu++;
    }
    return (int)cpu;
}

static void test_thread_place_cpus__nonsense__invalid(void)
{
    static const char *const lists[] = {"",     "x",   "-1", "1-",  "2-1",   "0,",  ",0",
                                        "0,,0", "0 1", "0-", "0x1", "99999", "1e3", "0,1024"};
    for (size_t i = 0; i < CHECK_COUNT(lists); i++) {
        check_error(thread_place_cpus(lists[i], &attributes, &error), HAUL_INVALID, error);
        check(strlen(error.text) > 0);
    }
}

static void test_thread_place_cpus__a_processor_that_is_not_there__invalid(void)
{
    check_error(thread_place_cpus("1023", &attributes, &error), HAUL_INVALID, error);
    check(strstr(error.text, "may not use") != NULL);
}

static void *count_cpus(void *argument)
{
    cpu_set_t set;
    check(sched_getaffinity(0, sizeof(set), &set) == 0);
    *(int *)argument = CPU_COUNT(&set);
    return NULL;
}

/* A thread whose place is the first processor. */
static pthread_t start_placed(void *(*run)(void *), void *argument)
{
    int cpu = first_cpu();
    char list[32];
    pthread_t thread;
    (void)snprintf(list, sizeof(list), "%d-%d,%d", cpu, cpu, cpu);
    check_or_stop(pthread_attr_init(&attributes) == 0);
    check_status(thread_place_cpus(list, &attributes, &error), HAUL_OK);
    check_or_stop(pthread_create(&thread, &attributes, run, argument) == 0);
    (void)pthread_attr_destroy(&attributes);
    return thread;
}

static void *count_in_child(void *argument)
{
    pthread_t child;
    check_or_stop(pthread_create(&child, NULL, count_cpus, argument) == 0);
    (void)pthread_join(child, NULL);
    return NULL;
}

static void test_thread_place_cpus__one__threads_started_from_there_have_it(void)
{
    int before = 0;
    int child = 0;
    int after = 0;
    (void)count_cpus(&before);
    (void)pthread_join(start_placed(count_in_child, &child), NULL);
    (void)count_cpus(&after);
    check_equal(child, 1);
    check_equal(after, before); /* other threads keep their place */
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_held(void *argument)
{
    (void)pthread_mutex_lock(&held);
    (void)pthread_mutex_unlock(&held);
    return argument;
}

/* The thread has its place as soon as it is created; nobody has to wait. */
static void test_thread_place_cpus__created__is_there_at_once(void)
{
    cpu_set_t set;
    (void)pthread_mutex_lock(&held);
    pthread_t thread = start_placed(wait_for_held, NULL);
    check(pthread_getaffinity_np(thread, sizeof(set), &set) == 0);
    check_equal(CPU_COUNT(&set), 1);
    (void)pthread_mutex_unlock(&held);
    (void)pthread_join(thread, NULL);
}

/* --- a machine of two nodes ------------------------------------------------------------------- */

static int last_node; /* 0: as on this machine */
static int refused_node = -1;
static int preferred_node;

int __real_numa_available(void);
int __wrap_numa_available(void);
int __wrap_numa_available(void)
{
    return last_node > 0 ? 0 : __real_numa_available();
}

int __real_numa_max_node(void);
int __wrap_numa_max_node(void);
int __wrap_numa_max_node(void)
{
    return last_node > 0 ? last_node : __real_numa_max_node();
}

int __wrap_numa_run_on_node(int node);
int __wrap_numa_run_on_node(int node)
{
    return node == refused_node ? -1 : 0;
}

void __wrap_numa_set_preferred(int node);
void __wrap_numa_set_preferred(int node)
{
    preferred_node = node;
}

/* Memory is allocated on the node where the thread runs. */
static void test_thread_place_node__two_nodes__run_and_memory_there_or_as_before(void)
{
    last_node = 1;
    preferred_node = -1;
    refused_node = 1;
    check(!thread_place_node(1));
    check_equal(preferred_node, -1);
    check(!thread_place_node(2));
    check_equal(preferred_node, -1);
    refused_node = -1;
    check(thread_place_node(1));
    check_equal(preferred_node, 1);
    check(thread_place_node(0));
    check_equal(preferred_node, 0);
    last_node = 0;
}

static void test_thread_place_node__none__nothing_changes(void)
{
    check(!thread_place_node(-1));
    check(!thread_place_node(1 << 20));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_thread_place_cpus__nonsense__invalid),
    CHECK_TEST(test_thread_place_cpus__a_processor_that_is_not_there__invalid),
    CHECK_TEST(test_thread_place_cpus__one__threads_started_from_there_have_it),
    CHECK_TEST(test_thread_place_cpus__created__is_there_at_once),
    CHECK_TEST(test_thread_place_node__two_nodes__run_and_memory_there_or_as_before),
    CHECK_TEST(test_thread_place_node__none__nothing_changes),
};

CHECK_MAIN("thread_place", tests)
