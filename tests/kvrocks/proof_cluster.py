# SPDX-License-Identifier: Apache-2.0
"""proof_cluster.py: the cluster of the proof: three masters with a replica each, an empty node, a crowd that writes,
and somebody who changes the topology: the controller of the cluster, or a stranger whom the tool was not told of."""
import os
import random
import time

from cluster_client import slot_of
from controller import Controller, Shard
from controller_http import ControllerHttp
from crowd import Crowd
from kvrocks_node import DEADLINE_S, Cluster, Error
from ledger import Loss
from marks import Marks
from slot_owners import SLOTS, owners_of, version_of

MASTERS, REPLICAS, SPARE = "abc", "def", "g"
# With a long line: these are at its far end. Masters replicate over it, and two of three migrations cross it.
FAR_NAMES = "cdeg"
SETTINGS = {"use-rsid-psync": "yes", "rocksdb.write_buffer_size": 8}
RATE, KEYS = 5000, 20000
FILL, FILL_BYTES, FAR_FILL_BYTES = 40000, 8000, 12000
# A master that is killed and comes back at once keeps its place, also on a slow machine.
PROBE_S, FAILURES_MAX = 0.3, 15


class ProofCluster:
    def __init__(self, binary, seed, controlled, line=None):
        self.seed, self.controlled, self.line = seed, controlled, line
        self.cluster = Cluster(binary, 0)
        self.crowd, self.marks, self.http, self.controller = None, None, None, None

    def open(self):
        line = self.line
        for name in MASTERS + REPLICAS + SPARE:
            place = line and (line.far() if name in FAR_NAMES else line.near())
            self.cluster.add_node(name, SETTINGS, place=place)
        self.nodes = self.cluster.nodes
        self.by_id = {node.id: node for node in self.nodes}
        named = {node.name: node for node in self.nodes}
        self.spare = named[SPARE]
        bounds = [SLOTS * i // len(MASTERS) for i in range(len(MASTERS) + 1)]
        shards = [Shard([named[master], named[replica]], range(bounds[i], bounds[i + 1]))
                  for i, (master, replica) in enumerate(zip(MASTERS, REPLICAS))]
        self.controller = Controller([*shards, Shard([self.spare], ())], PROBE_S, FAILURES_MAX)
        self.controller.start()
        self.controller.update("the first topology")
        self.wait(self.controller.is_settled, "the first topology")
        for shard in shards:
            self.wait_in_step(shard)
        if self.controlled:
            self.http = ControllerHttp(self.controller)
        else:
            self.controller.stop()

        self.begin_load()

    def begin_load(self):
        self.fill()
        self.marks = Marks(self.controller)
        self.marks.start()
        self.crowd = Crowd(self.nodes, self.cluster.directory, RATE, KEYS, self.seed)
        self.wait(lambda: self.crowd.count() > RATE, "the load")

    def wait(self, condition, what, limit_s=DEADLINE_S):
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come")
            time.sleep(0.05)

    # --- what nobody changes ---------------------------------------------------------------------------------

    def fill_value(self, i):
        """Nobody can compress it."""
        return random.Random(f"{self.seed}:{i}").randbytes(FAR_FILL_BYTES if self.line else FILL_BYTES)

    def fill(self):
        parts = {shard.master: [] for shard in self.controller.shards}
        for i in range(FILL):
            owner = next(shard.master for shard in self.controller.shards if slot_of(f"fill:{i}") in shard.slots)
            parts[owner].append(i)
        for node, numbers in parts.items():
            client = node.client()
            client.pipeline([("set", f"fill:{i}", self.fill_value(i)) for i in numbers])
            client.call("compact")  # sizes count what is in tables
            client.close()

    # --- nodes -----------------------------------------------------------------------------------------------

    def shard_of(self, node):
        return next(shard for shard in self.controller.shards if node in shard.nodes)

    def masters(self):
        return [shard.master for shard in self.controller.shards]

    def wait_in_step(self, shard):
        """Its replica has what its master had when this was called, and follows."""
        for replica in shard.replicas():
            wanted = []

            def is_in_step(master=shard.master, replica=replica):
                try:
                    wanted.append(int(master.info("keyspace")["sequence"]))
                    return (replica.info("replication").get("master_link_status") == "up" and
                            int(replica.info("keyspace")["sequence"]) >= wanted[0])
                except (OSError, Error, KeyError):
                    return False
            self.wait(is_in_step, f"{replica.name} in step with {shard.master.name}")

    # --- whoever changes the topology ------------------------------------------------------------------------

    def adopt(self):
        """The stranger learns what the nodes say now."""
        newest = None
        for node in self.nodes:
            try:
                if node.process is not None and (newest is None or version_of(node) > version_of(newest)):
                    newest = node
            except (OSError, Error):
                pass
        owners = owners_of(newest)
        self.controller.version = version_of(newest)
        for shard in self.controller.shards:
            shard.slots = {slot for slot, owner in owners.items() if owner == shard.master.id}

    def as_stranger(self, action):
        """Without a controller of the cluster: start one that the tool was not told of, for as long as this takes."""
        if not self.controlled:
            self.adopt()
            self.controller.start()
        action()
        self.wait(lambda: self.has_spread(self.controller.version), "the stranger's version")
        if not self.controlled:
            self.controller.stop()

    def has_spread(self, version):
        try:
            return all(version_of(node, timeout=3) >= version for node in self.nodes)
        except (OSError, Error):
            return False

    def bump(self):
        """The next version, with the same slots."""
        self.as_stranger(lambda: self.controller.update("a stranger's version"))

    def fail_over(self, node):
        """The node's replica becomes the master; both live."""
        shard = self.shard_of(node)
        self.wait_in_step(shard)
        self.as_stranger(lambda: self.wait(lambda: self.controller.failover(shard), "the failover"))
        self.excuse(shard)

    def lose(self, node):
        """The node dies, its replica becomes the master, and it comes back."""
        shard = self.shard_of(node)
        self.wait_in_step(shard)
        node.kill()

        def wait_and_return():
            self.wait(lambda: shard.master is not node, "the failover")
            node.start()
        self.as_stranger(wait_and_return)
        self.excuse(shard)

    def excuse(self, shard):
        """Replication is asynchronous: what the old master acknowledged behind the log of the new one may be gone."""
        promotion = self.controller.promotions[-1]
        safe = self.marks.safe_until(promotion.old, promotion.sequence)
        self.crowd.losses.append(Loss(promotion.slots, safe, time.monotonic(), {promotion.old.port}))
        self.wait_in_step(shard)

    def stop_controller(self):
        self.http.down = True
        self.controller.stop()

    def start_controller(self):
        self.http.down = False
        self.controller.start()

    def close(self, keep):
        if self.marks is not None:
            self.marks.ended.set()
        if self.crowd is not None:
            self.crowd.kill()
        if self.controller is not None:
            self.controller.stop()
        if self.http is not None:
            self.http.close()
        if keep:
            print(f"kept: {self.cluster.directory}")
        self.cluster.close(keep=keep)
        self.cluster = None
