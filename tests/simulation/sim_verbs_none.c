/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs_none.c — stubs for a build without RDMA, which has no card to simulate. */
#include <stddef.h>

#include "clock.h"
#include "sim_verbs.h"

struct sim_verbs_options sim_verbs_options;
struct sim_verbs_figures sim_verbs_figures;

const char *sim_verbs_fault_name(enum sim_verbs_fault fault)
{
    (void)fault;
    return "none";
}

void sim_verbs_init(void)
{
}

void sim_verbs_deliver(void)
{
}

uint64_t sim_verbs_next_ns(void)
{
    return CLOCK_NEVER;
}

void sim_verbs_kill(struct sim_process *process)
{
    (void)process;
}

void sim_verbs_power_failure(int host)
{
    (void)host;
}

void sim_verbs_cut_all(void)
{
}

void sim_verbs_silence_all(void)
{
}

void sim_verbs_heal(void)
{
}

uint32_t sim_verbs_count(const struct sim_process *process)
{
    (void)process;
    return 0;
}
