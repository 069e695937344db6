/* SPDX-License-Identifier: Apache-2.0 */
/* simulate.c — runs seeds: simulate [--seed N] [--seeds N] [--seconds N] [--verbose].
 *
 * A seed that fails prints its options and the command that replays it, step by step the same. */
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_options.h"
#include "sim_report.h"
#include "sim_world.h"

int __real_clock_gettime(clockid_t clock, struct timespec *now);

struct arguments {
    uint64_t seed;
    uint64_t seeds;
    double seconds; /* 0: no limit */
    bool forced;
    struct haul_transport_list transports;
};

static void usage(void)
{
    printf("usage: simulate [--seed FIRST] [--seeds COUNT] [--seconds LIMIT] [--verbose]\n"
           "         [--transport tcp|rdma|auto]\n"
           "  runs simulated worlds of databases: one a seed, from FIRST (1) on, COUNT (1000) of\n"
           "  them or as many as the time allows; --seed alone runs that one\n");
}

static bool parse(struct arguments *arguments, int argc, char **argv)
{
    bool counted = false;
    *arguments = (struct arguments){.seed = 1, .seeds = 1000};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && more) {
            arguments->seed = strtoull(argv[++i], NULL, 10);
            arguments->seeds = counted ? arguments->seeds : 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && more) {
            arguments->seeds = strtoull(argv[++i], NULL, 10);
            counted = true;
        } else if (strcmp(argv[i], "--seconds") == 0 && more) {
            arguments->seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--transport") == 0 && more) {
            arguments->forced = true;
            if (haul_transport_list_parse(argv[++i], &arguments->transports) != HAUL_OK) {
                return false;
            }
        } else if (strcmp(argv[i], "--verbose") == 0) {
            sim_verbose = true;
        } else {
            return false;
        }
    }
    return arguments->seeds > 0;
}

static double now(clockid_t clock)
{
    struct timespec time;
    (void)__real_clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print_figures(const struct sim_figures *figures, double seconds)
{
    const struct sim_network_figures *network = &figures->network;
    double seeds = (double)figures->seeds;
    printf("simulated %.0f s in %.1f s: %" PRIu64 " steps, %" PRIu64 " writes of clients\n",
           figures->seconds, seconds, figures->steps, figures->client_writes);
    printf("worlds: %" PRIu64 " databases, %" PRIu64 " jobs wanted, %" PRIu64 " done, %" PRIu64
           " decided, %" PRIu64 " commands; side by side in %" PRIu64 " worlds\n",
           figures->hosts, figures->tasks, figures->committed, figures->decisions,
           figures->commands, figures->side_by_side);
    printf("network: %" PRIu64 " connections, %" PRIu64 " cut, %" PRIu64 " silent, %" PRIu64
           " refused, %" PRIu64 " flipped bits, %" PRIu64 " replayed; %" PRIu64 " stalls\n",
           network->connections, network->cuts, network->silences, network->refusals,
           network->flips, network->replays, figures->stalls);
    const struct sim_verbs_figures *verbs = &figures->verbs;
    printf("rdma: %" PRIu64 " queue pairs, %" PRIu64 " writes, %" PRIu64 " refused, %" PRIu64
           " not ready; %" PRIu64 " calls failed;",
           verbs->queue_pairs, verbs->writes, verbs->refused_writes, verbs->not_ready,
           verbs->calls_failed);
    for (int i = 0; i < SIM_VERBS_FAULT_COUNT; i++) {
        printf(" %s %" PRIu64, sim_verbs_fault_name((enum sim_verbs_fault)i), verbs->faults[i]);
    }
    printf("\ncompression: %" PRIu64 " payloads packed, %" PRIu64 " kept, %" PRIu64 " unpacked",
           figures->codec.packed, figures->codec.kept, figures->codec.unpacked);
    printf("\nfaults:");
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        printf(" %s %" PRIu64, sim_fault_name((enum sim_fault)i), figures->faults[i]);
    }
    printf("\n%.0f worlds, %.0f worlds/s, %.0f of a processor's own time, 0 violations\n", seeds,
           seeds / seconds, seeds / now(CLOCK_PROCESS_CPUTIME_ID));
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    static struct sim_figures figures;
    if (!parse(&arguments, argc, argv)) {
        usage();
        return 2;
    }
    /* The same memory for every seed, so the kernel maps it only once. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    double started = now(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        struct sim_options options;
        sim_options_draw(&options, arguments.seed + i);
        if (arguments.forced) {
            sim_options_force(&options, &arguments.transports);
        }
        if (sim_verbose) {
            sim_options_print(&options);
        }
        sim_world_run(&options, &figures);
        if (arguments.seconds > 0 && now(CLOCK_MONOTONIC) - started >= arguments.seconds) {
            break;
        }
    }
    print_figures(&figures, now(CLOCK_MONOTONIC) - started);
    printf("simulate: 1 passed, 0 failed, 0 skipped\n");
    return 0;
}
