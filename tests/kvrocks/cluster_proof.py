#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cluster_proof.py: a plan is carried out while everything dies: `haul cluster run` on three masters with a replica
each and an empty node, under 5,000 writes a second.

    cluster_proof.py [--controlled] [--far] [--seed S] [--keep] HAUL_TOOL

At every stage of a move the tool, the source, the destination and the controller are killed; versions are bumped, and
masters fail over. The operator does what the tool says when it stops. At the end: one owner for each slot by every
node and by what nodes do, every acknowledged write there, all nodes on one version, replicas equal to their masters,
and a plan of which every move is done.

--controlled: a double of kvrocks-controller publishes. --far: the two halves of the cluster have a line of 1 Gb/s and
50 ms between them (as root); the share of the line that one move has is printed.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import time

from crowd import read_keys
from far_line import FarLine
from kvrocks_node import TRANSPORT
from proof_bulk import measure
from proof_cluster import FILL, RATE, ProofCluster
from proof_operator import FAST, FOREIGN, Operator
from proof_stages import BEFORE, SLOW, Stages, all_events
from slot_case import FAMILIES
from slot_owners import SLOTS, owners_of, version_of, wrong_owners

BINARY = os.environ.get("KVROCKS_BIN", "")
PART = SLOTS // 4
# A failover, or a kill late in a move, may cost one that nothing was to happen to.
SPARE_MOVES = 12
# Of the seven events that change the topology.
TOPOLOGY_STOPS_MIN = 4


class Proof:
    def __init__(self, tool, seed, options):
        self.tool, self.chance = tool, random.Random(seed)
        self.line = FarLine(os.path.join(os.path.dirname(tool), "..", "tests", "delay_line")) if options.far else None
        self.cluster = ProofCluster(BINARY, seed, options.controlled, self.line)
        self.operator = Operator(tool, self.cluster)

    def run(self):
        """Problems, in words."""
        cluster, operator = self.cluster, self.operator
        cluster.open()
        if self.line is not None:
            measure(cluster, operator, self.line)
        events = all_events(cluster.controlled)
        operator.options = ["--rate", SLOW]
        moves = len(events) + SPARE_MOVES
        operator.make_plan("--add", cluster.spare.id, "--max-slots", str(PART // moves))
        self.stages = Stages(cluster, operator, self.chance)
        first = [event for event in events if event[0] == BEFORE]
        rest = [event for event in events if event[0] != BEFORE]
        self.chance.shuffle(first)
        self.chance.shuffle(rest)
        for stage, what in first + rest:
            began = time.monotonic()
            self.stages.happen(stage, what)
            self.operator.log.write(f"{time.monotonic():.3f} {stage}: {what}\n")
            print(f"  {stage}: {what}, {time.monotonic() - began:.1f} s", flush=True)
        operator.options = ["--rate", FAST]
        operator.kill()
        operator.finish(300)
        return self.check()

    # --- the end -------------------------------------------------------------------------------------------

    def check(self):
        cluster = self.cluster
        if cluster.controlled:
            cluster.wait(cluster.controller.is_settled, "one version on all nodes")
        elif self.operator.codes[(FOREIGN, "FENCED")] < TOPOLOGY_STOPS_MIN:
            return [f"changes of the topology went unnoticed: {self.operator.codes}"]
        states = self.operator.states()
        problems = [] if set(states) == {"done"} else [f"the plan is not finished: {collections.Counter(states)}"]
        self.versions = versions = {node.name: version_of(node) for node in cluster.nodes}
        problems += [] if len(set(versions.values())) == 1 else [f"versions differ: {versions}"]
        self.figures = cluster.crowd.stop()
        owners = owners_of(cluster.spare)
        problems += [f"{node.name} knows other owners" for node in cluster.nodes if owners_of(node) != owners]
        counts = collections.Counter(owners.values())
        if len(owners) != SLOTS or any(abs(counts[master.id] - PART) > 1 for master in cluster.masters()):
            problems.append(f"not what the plan was to reach: {counts}")
        problems += [f"wrong: {wrong}" for wrong in cluster.crowd.wrong()[:5]]
        if self.figures["problem"]:
            problems.append(self.figures["problem"])
        problems += self.check_fill()
        problems += wrong_owners(cluster.masters(), owners)
        return problems + self.check_replicas()

    def check_fill(self):
        found = read_keys(self.cluster.nodes, [f"fill:{i}" for i in range(FILL)])
        missing = [i for i in range(FILL) if found[f"fill:{i}"] != self.cluster.fill_value(i)]
        return [f"{len(missing)} keys of the fill are wrong, the first is fill:{missing[0]}"] if missing else []

    def check_replicas(self):
        """Record by record, on the disks of processes that have ended."""
        problems, cluster = [], self.cluster
        for shard in cluster.controller.shards:
            cluster.wait_in_step(shard)
        cluster.controller.stop()
        cluster.marks.ended.set()
        cluster.marks.join()
        for node in cluster.nodes:
            node.stop()
        for shard in cluster.controller.shards:
            for replica in shard.replicas():
                problems += self.compare(shard.master, replica)
        return problems

    def compare(self, master, replica):
        problems = []
        for family in FAMILIES:
            done = subprocess.run([self.tool, "verify", "--db", master.database(), "--with", replica.database(),
                                   "--cf", family], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                problems.append(f"{replica.name} differs from {master.name}: {done.stdout} {done.stderr}")
        return problems

    def report(self):
        operator, crowd = self.operator, self.cluster.crowd
        happened = collections.Counter(stage for stage, _ in self.stages.done)
        codes = sorted(operator.codes.items(), key=str)
        print(f"happened: {dict(happened)}; kills of the tool {operator.kills}; plans {operator.plans}; exit codes",
              ", ".join(f"{code} {name or 'OK'}: {count}" for (code, name), count in codes))
        for text, count in operator.refusals.items():
            print(f"  no plan yet, {count} times: {text}")
        figures = self.figures
        a_second = figures["acknowledged"] / figures["seconds"]
        print(f"{figures['acknowledged']} writes acknowledged, {a_second:.0f} a second (wanted {RATE}), "
              f"{figures['unknown']} without an answer, {crowd.excused()} behind a promoted replica's log; "
              f"the longest took {figures['longest_s']:.2f} s; version {max(self.versions.values())}")

    def close(self, keep):
        if self.operator.run is not None and not self.operator.run.is_over():
            self.operator.run.kill()
        self.cluster.close(keep)
        if self.line is not None:
            self.line.close()


def prove(tool, options):
    print(f"seed {options.seed}", flush=True)
    proof, problems, began = Proof(tool, options.seed, options), ["it did not end"], time.monotonic()
    try:
        problems = proof.run()
        proof.report()
    except AssertionError as error:
        problems = [str(error)]
        if options.keep:
            print("\n".join(proof.cluster.controller.history))
    finally:
        proof.close(options.keep or bool(problems and "KVROCKS_KEEP" in os.environ))
    for problem in problems:
        print(f"FAILED: {problem}")
    print(f"{time.monotonic() - began:.0f} s; {int(not problems)} passed, {int(bool(problems))} failed")
    return not problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--controlled", action="store_true", help="a double of kvrocks-controller publishes")
    parser.add_argument("--far", action="store_true", help="a long line between two halves of the cluster")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", action="store_true", help="the nodes' directories and logs")
    options = parser.parse_args()
    if not BINARY or TRANSPORT != "tcp" or (options.far and os.geteuid() != 0):
        print("SKIPPED kvrocks_cluster_proof: KVROCKS_BIN is not set, or no root for --far")
        return 77
    return 0 if prove(os.path.abspath(options.tool), options) else 1


if __name__ == "__main__":
    sys.exit(main())
