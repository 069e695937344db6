#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""controlled_cluster.py: three masters with a replica each under a controller: random migrations, and everything dies.

    controlled_cluster.py [--migrations N] [--seed S] [--keep] [HAUL_TOOL]
A client writes all the time. During most migrations something happens: a process is killed and starts again, a master is
killed and its replica promoted, a node restarts in order, the controller dies, a failover is asked for. At the end:
one owner for each slot, every acknowledged write there, all nodes on one version, replicas equal to their masters.

Replication is asynchronous: what a master acknowledged last, and its replica did not have when it was promoted, is lost,
here as in every Kvrocks. The sequence numbers of both show which writes these can be; only they are excused.
"""
import argparse
import collections
import os
import random
import sys
import time

from cluster_client import slot_of
from controller import Controller, Shard
from kvrocks_node import DEADLINE_S, TRANSPORT, Cluster, Error
from ledger import Ledger, Loss
from marks import Marks
from slot_owners import wrong_owners

BINARY = os.environ.get("KVROCKS_BIN", "")
SHARDS = 3
FILL = 6000
SETTINGS = {"migrate-rdma-rate-limit-mb": 4, "use-rsid-psync": "yes", "workers": 2, "rocksdb.write_buffer_size": 8}
# What happens during a migration, and how often.
EVENTS = {"nothing": 8, "kill": 4, "kill both": 2, "restart": 2, "kill master": 2, "failover": 2, "controller dies": 2,
          "kill replica": 2}


class ControlledCluster:
    def __init__(self, seed, keep=False):
        self.chance = random.Random(seed)
        self.keep = keep
        self.cluster = Cluster(BINARY, 0)
        names = "abcdef"
        for name in names:
            self.cluster.add_node(name, SETTINGS)
        nodes = self.cluster.nodes
        width = 16384 // SHARDS
        self.controller = Controller([
            Shard([nodes[i], nodes[i + SHARDS]], range(i * width, 16384 if i == SHARDS - 1 else (i + 1) * width))
            for i in range(SHARDS)], failures_max=8)
        self.controller.start()
        self.controller.update("the first topology")
        self.wait(self.controller.is_settled, "the first topology")
        self.marks = Marks(self.controller)
        self.marks.start()
        self.ledger = Ledger(nodes, keys=3000, rate=1500, seed=seed)
        self.fill()
        self.ledger.start()
        self.events, self.excused = collections.Counter(), 0

    def fill(self):
        """Data that nobody changes: strings and hashes."""
        for shard in self.controller.shards:
            client = shard.master.client()
            keys = [i for i in range(FILL) if slot_of(f"fill:{i}") in shard.slots]
            client.pipeline([("set", f"fill:{i}", f"value-{i}-" + "x" * 300) for i in keys])
            keys = [i for i in range(FILL // 10) if slot_of(f"hash:{i}") in shard.slots]
            client.pipeline([("hset", f"hash:{i}", "f", i, "g", "x" * 100) for i in keys])
            client.close()

    def wait(self, condition, what, limit_s=DEADLINE_S):
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come")
            time.sleep(0.05)

    # --- migrations and what happens during them --------------------------------------------------------

    def begin(self):
        """A random range from one shard to another."""
        source, target = self.chance.sample(self.controller.shards, 2)
        if not source.slots:
            return False
        first = self.chance.choice(sorted(source.slots))
        last, longest = first, self.chance.choice((1, 20, 500, 3000))
        while last + 1 in source.slots and last + 1 - first < longest:
            last += 1
        try:
            self.controller.migrate(source, target, first, last)
        except (Error, OSError) as error:
            self.controller.note(f"refused: {error}")
            return False
        self.pair = source, target
        return True

    def happen(self, event):
        shard = self.chance.choice(self.pair)
        victim = shard.replicas()[0] if event == "kill replica" else shard.master
        self.controller.note(f"event: {event} {victim.name}")
        if event in ("kill", "kill replica"):
            self.kill([victim])
        elif event == "kill both":
            self.kill([shard.master for shard in self.pair])
        elif event == "restart":
            victim.stop()
            victim.start()
        elif event == "kill master":
            self.wait_for_replica(shard)
            victim.kill()
            self.wait(lambda: shard.master is not victim, "the failover")
            time.sleep(self.chance.random())  # the former master returns at some random moment
            victim.start()
        elif event == "failover":
            self.wait_for_replica(shard)
            self.controller.failover(shard)
        elif event == "controller dies":
            self.controller.stop()
            time.sleep(self.chance.random() * 2)  # nobody leads for some random time
            self.controller.start()

    def kill(self, nodes):
        for node in nodes:
            node.kill()
        for node in nodes:
            node.start()

    def wait_for_replica(self, shard):
        """A replica that synchronises in full has too little to be promoted."""
        replica = shard.replicas()[0]
        self.wait(lambda: self.link(replica) == "up", f"{replica.name}'s link to its master")

    @staticmethod
    def link(replica):
        try:
            return replica.info("replication", timeout=2).get("master_link_status")
        except (OSError, Error):
            return None

    def migrate_once(self):
        event = self.chance.choices(list(EVENTS), EVENTS.values())[0]
        if not self.begin():
            event = "nothing"
            time.sleep(0.2)
        time.sleep(self.chance.choice((0.0, 0.3, 1.5)) * self.chance.random())  # random moments are what is tested
        self.events[event] += 1
        if event != "nothing":
            self.happen(event)
        # Most of the time the next one waits for calm, as an operator would.
        if self.chance.random() < 0.8:
            self.wait(self.controller.is_settled, "calm")
            self.audit()

    # --- acknowledged writes ---------------------------------------------------------------------------------

    def audit(self):
        """All nodes have the present topology: what clients have written until now is at the owners."""
        keys = self.ledger.take_written()
        self.excuse_failovers()
        wrong = self.ledger.wrong(self.cluster.nodes, keys)
        if wrong:
            raise AssertionError(f"{len(wrong)} keys are wrong, the first (key, slot, found, allowed): {wrong[:3]}")

    def excuse_failovers(self):
        """For each promotion: the writes that its replica cannot have had."""
        now = time.monotonic()
        promotions = self.controller.promotions[self.excused :]
        self.excused += len(promotions)
        for promotion in promotions:
            safe = self.marks.safe_until(promotion.old, promotion.sequence)
            self.excuse(promotion.slots, safe, now, [promotion.old])
            migration = promotion.migration
            if migration is not None:
                taken = self.first_write(migration)
                if taken is None or taken > safe:
                    # The record of the hand-over may have died with the source.
                    self.excuse(migration.slots(), safe, now, migration.target.nodes)
            for migration in self.controller.migrations:
                if (migration.taker is promotion.old and migration.state == "success" and
                        not self.marks.took(migration, promotion.sequence)):
                    self.excuse(migration.slots(), 0.0, now, self.cluster.nodes)

    def excuse(self, slots, since, until, nodes):
        self.ledger.losses.append(Loss(slots, since, until, {node.port for node in nodes}))

    def first_write(self, migration):
        slots, ports = migration.slots(), {node.port for node in migration.target.nodes}
        times = [entry.acknowledged_at for key in self.ledger.keys if slot_of(key) in slots
                 for entry in self.ledger.entries[key]
                 if entry.port in ports and entry.acknowledged_at is not None and entry.acknowledged_at > migration.began]
        return min(times, default=None)

    # --- the end -------------------------------------------------------------------------------------------

    def check(self):
        self.wait(self.controller.is_settled, "one version on all nodes")
        self.ledger.stop()
        for shard in self.controller.shards:
            for replica in shard.replicas():
                self.wait(lambda s=shard, r=replica: self.follows(r, s.master), f"synchronisation of {replica.name}")
        self.controller.stop()
        self.marks.ended.set()
        self.excuse_failovers()
        return (self.check_results() + self.check_topology() + self.check_owners() + self.check_fill() +
                self.check_replicas() + [f"wrong: {wrong}" for wrong in self.ledger.wrong(self.cluster.nodes)[:5]])

    @staticmethod
    def follows(replica, master):
        try:
            return (replica.info("replication").get("master_link_status") == "up" and
                    replica.info("keyspace")["sequence"] == master.info("keyspace")["sequence"])
        except (OSError, Error, KeyError):
            return False

    def check_results(self):
        """A test in which nothing moves would pass."""
        results = self.controller.results()
        wanted = sum(results.values()) // 3
        return [] if results["success"] >= wanted else [f"too few migrations succeeded: {results}"]

    def check_topology(self):
        views = {str(sorted(map(str, node.call("cluster", "slots")))) for node in self.cluster.nodes}
        return [] if len(views) == 1 else ["the nodes do not agree on the slots"]

    def check_owners(self):
        owners = {slot: shard.master.id for shard in self.controller.shards for slot in shard.slots}
        return wrong_owners([shard.master for shard in self.controller.shards], owners)

    def check_fill(self):
        missing = []
        for shard in self.controller.shards:
            client = shard.master.client()
            for kind, count in (("fill", FILL), ("hash", FILL // 10)):
                numbers = [i for i in range(count) if slot_of(f"{kind}:{i}") in shard.slots]
                replies = client.pipeline([("get", f"fill:{i}") if kind == "fill" else ("hget", f"hash:{i}", "f")
                                           for i in numbers])
                wanted = [f"value-{i}-" + "x" * 300 if kind == "fill" else str(i) for i in numbers]
                missing += [f"{kind}:{i}" for i, reply, value in zip(numbers, replies, wanted)
                            if reply != value.encode()]
            client.close()
        return [f"{len(missing)} keys of the fill are missing, first {missing[:3]}"] if missing else []

    def check_replicas(self):
        problems = []
        for shard in self.controller.shards:
            contents = [self.contents(node) for node in (shard.master, *shard.replicas())]
            for node, content in zip(shard.replicas(), contents[1:]):
                different = sorted(k for k in contents[0].keys() | content.keys() if contents[0].get(k) != content.get(k))
                if different:
                    problems.append(f"{node.name} differs from {shard.master.name} in {len(different)} keys: {different[:3]}")
        return problems

    def contents(self, node):
        client = node.client()
        self.wait(lambda: self.follows_now(node), "the replica")
        try:
            client.call("readonly")
        except Error:
            pass
        content, cursor = {}, b"0"
        while True:
            cursor, keys = client.call("scan", cursor, "count", 1000)
            replies = client.pipeline([("dump", key) for key in keys])
            content.update({key: reply if not isinstance(reply, Error) else str(reply)[:20]
                            for key, reply in zip(keys, replies)})
            if cursor == b"0":
                client.close()
                return content

    def follows_now(self, node):
        shard = next(shard for shard in self.controller.shards if node in shard.nodes)
        return node is shard.master or self.follows(node, shard.master)

    def close(self):
        self.ledger.ended.set()
        self.controller.stop()
        self.marks.ended.set()
        if self.keep:
            print(f"kept: {self.cluster.directory}")
        self.cluster.close(keep=self.keep)


def run(migrations, seed, keep):
    print(f"seed {seed}", flush=True)
    field = ControlledCluster(seed, keep)
    problems = ["it did not end"]
    try:
        for number in range(migrations):
            field.migrate_once()
            if number % 20 == 19:
                print(f"{number + 1} migrations, {field.ledger.acknowledged} writes, {field.controller.results()}", flush=True)
        problems = field.check()
    except AssertionError as error:
        problems = [str(error)]
    finally:
        field.close()
    print(f"{migrations} migrations: {field.controller.results()}; {len(field.controller.promotions)} promotions; "
          f"events {dict(field.events)}; {field.ledger.acknowledged} writes acknowledged, "
          f"longest pause {field.ledger.longest_pause_s:.2f} s; version {field.controller.version}")
    for problem in problems:
        print(f"FAILED: {problem}")
    if problems:
        print("\n".join(field.controller.history if keep else field.controller.history[-40:]))
    return not problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", help="ignored: ctest gives every suite the tool")
    parser.add_argument("--migrations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", action="store_true", help="the nodes' directories and logs, and the whole history")
    options = parser.parse_args()
    if not BINARY or TRANSPORT != "tcp":
        print("SKIPPED kvrocks_controlled_cluster: KVROCKS_BIN is not set")
        return 77
    passed = run(options.migrations, options.seed, options.keep)
    print(f"{int(passed)} passed, {int(not passed)} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
