/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_report.c — plain lines on stdout. */
#include "cluster_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "cluster_check.h"
#include "human_size.h"

void cluster_report_findings(const struct finding_list *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        (void)printf("%-6s %s: %s: %s\n", finding_level_name(finding->level),
                     finding->node[0] == '\0' ? "cluster" : finding->node, finding->text,
                     finding->remedy);
    }
    if (findings->omitted > 0) {
        (void)printf("and %zu findings more\n", findings->omitted);
    }
}

void cluster_report_nodes(const struct node_facts_list *list, const struct finding_list *findings)
{
    const struct topology *topology = cluster_check_topology(list);
    size_t masters = 0;
    for (size_t i = 0; topology != NULL && i < topology->node_count; i++) {
        masters += topology->nodes[i].is_master;
    }
    if (topology != NULL) {
        size_t replicas = topology->node_count - masters;
        (void)printf(
            "%zu master%s and %zu replica%s, version %" PRId64 " of the topology: ", masters,
            masters == 1 ? "" : "s", replicas, replicas == 1 ? "" : "s", topology->version);
    }
    if (findings->blocks_count == 0) {
        (void)printf("a migration may start\n");
    } else {
        (void)printf("no migration may start, %zu finding%s\n", findings->blocks_count,
                     findings->blocks_count == 1 ? " blocks it" : "s block it");
    }
}

double cluster_report_seconds(const struct cluster_plan *plan, uint64_t rate)
{
    uint64_t largest = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->move_count; i++) {
        bool begins = i == 0 || plan->moves[i].wave != plan->moves[i - 1].wave;
        sum += begins ? largest : 0;
        largest = begins || plan->moves[i].bytes > largest ? plan->moves[i].bytes : largest;
    }
    return rate == 0 ? 0 : (double)(sum + largest) / (double)rate;
}

static void name_of(const struct plan_node *node, char name[TOPOLOGY_NAME_BYTES_MAX])
{
    struct topology_node named = {.port = node->port};
    (void)snprintf(named.host, sizeof(named.host), "%s", node->host);
    topology_node_name(&named, name);
}

static void print_moves(const struct cluster_plan *plan)
{
    (void)printf("%-5s %-12s %-24s %-24s %s\n", "wave", "slots", "from", "to", "bytes");
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct planner_move *move = &plan->moves[i];
        char range[TOPOLOGY_RANGE_BYTES_MAX];
        char from[TOPOLOGY_NAME_BYTES_MAX];
        char to[TOPOLOGY_NAME_BYTES_MAX];
        char bytes[HUMAN_TEXT_BYTES_MAX];
        slot_range_format(move->slots, range);
        name_of(&plan->nodes[move->from], from);
        name_of(&plan->nodes[move->to], to);
        human_bytes((double)move->bytes, bytes);
        (void)printf("%-5u %-12s %-24s %-24s %s\n", move->wave + 1, range, from, to, bytes);
    }
}

static void print_nodes(const struct cluster_plan *plan)
{
    (void)printf("\n%-24s %14s %24s   %s\n", "node", "slots", "bytes", "extra disk, peak");
    for (size_t i = 0; i < plan->node_count; i++) {
        const struct planner_effect *effect = &plan->nodes[i].effect;
        char name[TOPOLOGY_NAME_BYTES_MAX];
        char before[HUMAN_TEXT_BYTES_MAX];
        char after[HUMAN_TEXT_BYTES_MAX];
        char peak[HUMAN_TEXT_BYTES_MAX];
        name_of(&plan->nodes[i], name);
        human_bytes((double)effect->bytes_before, before);
        human_bytes((double)effect->bytes_after, after);
        human_bytes((double)effect->extra_bytes_peak, peak);
        (void)printf("%-24s %5u -> %5u %10s -> %10s   %s\n", name, effect->slots_before,
                     effect->slots_after, before, after, peak);
    }
}

void cluster_report_plan(const struct cluster_plan *plan, uint64_t rate)
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)plan->bytes, bytes);
    if (plan->move_count > 0) {
        print_moves(plan);
        print_nodes(plan);
        (void)printf("\n");
    }
    (void)printf("%zu move%s in %u wave%s, %s", plan->move_count, plan->move_count == 1 ? "" : "s",
                 plan->wave_count, plan->wave_count == 1 ? "" : "s", bytes);
    if (rate > 0) {
        char seconds[HUMAN_TEXT_BYTES_MAX];
        human_seconds(cluster_report_seconds(plan, rate), seconds);
        human_bytes((double)rate, bytes);
        (void)printf(", %s at %s a second for each move", seconds, bytes);
    }
    (void)printf("\n");
}
