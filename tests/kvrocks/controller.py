# SPDX-License-Identifier: Apache-2.0
"""controller.py: a test double of kvrocks-controller. It does to nodes what the real one is documented to do:

- It holds the topology: shards with their nodes, their slots, and the migration that a shard is the source of.
- Each change raises the version by one, and CLUSTERX SETNODES brings it to all nodes, at once and in no order.
- A migration is CLUSTERX MIGRATE on the source's master; the version rises right after it, with the same slots.
- Once in a while it reads CLUSTER INFO of the source's master. "start" and "none" mean waiting, "success" gives the slots
  to the target's shard; "fail", another state, other slots or none end the migration, and the slots stay where they were.
- It probes each node by CLUSTER INFO. One with an older version gets the present one. A master that fails some probes in
  a row is replaced by the replica with the highest sequence.
"""
import threading
import time

from kvrocks_node import Error

ANSWER_S = 3


class Shard:
    def __init__(self, nodes, slots):
        self.nodes, self.master = list(nodes), nodes[0]
        self.slots = set(slots)
        self.migration = None

    def replicas(self):
        return [node for node in self.nodes if node is not self.master]


def ranges_text(slots):
    """"0-5 7 9-12" """
    words, ordered = [], sorted(slots)
    for i, slot in enumerate(ordered):
        if i == 0 or slot != ordered[i - 1] + 1:
            words.append([slot, slot])
        words[-1][1] = slot
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in words)


class Migration:
    """From one shard to another; "state" is None while it runs."""

    def __init__(self, source, target, first, last):
        self.source, self.target, self.first, self.last = source, target, first, last
        self.giver, self.taker = source.master, target.master
        self.began, self.state = time.monotonic(), None

    def slots(self):
        return set(range(self.first, self.last + 1))

    def __str__(self):
        return f"{self.first}-{self.last}" if self.first != self.last else str(self.first)


class Promotion:
    """A replica, with the log up to a sequence number, has become the master of a shard."""

    def __init__(self, shard, new, sequence):
        self.shard, self.old, self.new, self.sequence = shard, shard.master, new, sequence
        self.slots, self.migration = set(shard.slots), shard.migration
        self.at = time.monotonic()


class Controller:
    def __init__(self, shards, ping_s=0.3, failures_max=5, poll_s=0.3):
        self.shards = shards
        self.version = 0
        self.ping_s, self.failures_max, self.poll_s = ping_s, failures_max, poll_s
        self.failures = {}
        self.lock = threading.RLock()
        self.changed, self.ended = threading.Event(), threading.Event()
        self.migrations, self.promotions, self.history = [], [], []
        self.threads = []

    # --- its life ----------------------------------------------------------------------------------------

    def start(self):
        """Again after stop(): as a controller that was killed and reads its store."""
        self.ended.clear()
        loops = ((self.probe_all, self.ping_s), (self.settle_all, self.poll_s))
        self.threads = [threading.Thread(target=self.repeat, args=loop, daemon=True) for loop in loops]
        self.threads.append(threading.Thread(target=self.sync_loop, daemon=True))
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        self.changed.set()
        for thread in self.threads:
            thread.join()

    def repeat(self, action, interval_s):
        while not self.ended.wait(interval_s):
            action()

    def note(self, text):
        with self.lock:
            self.history.append(f"{time.monotonic():.3f} v{self.version} {text}")

    # --- the topology --------------------------------------------------------------------------------------

    def text(self):
        lines = []
        for shard in self.shards:
            for node in shard.nodes:
                role = "master -" if node is shard.master else f"slave {shard.master.id}"
                slots = ranges_text(shard.slots) if node is shard.master else ""
                lines.append(f"{node.id} {node.address} {node.port} {role} {slots}".strip())
        return "\n".join(lines)

    def nodes(self):
        return [node for shard in self.shards for node in shard.nodes]

    def update(self, why, change=lambda: None):
        with self.lock:
            change()
            self.version += 1
            self.note(why)
        self.changed.set()

    def sync_loop(self):
        while not self.ended.is_set():
            self.changed.wait()
            self.changed.clear()
            if self.ended.is_set():
                return
            for node in self.nodes():
                threading.Thread(target=self.sync, args=(node,), daemon=True).start()

    def sync(self, node):
        with self.lock:
            text, version = self.text(), self.version
        try:
            node.call("clusterx", "setnodeid", node.id, timeout=ANSWER_S)
            node.call("clusterx", "setnodes", text, version, timeout=ANSWER_S)
        except (OSError, Error, ValueError) as error:
            self.note(f"{node.name} did not take v{version}: {error}")

    # --- probes and failover ---------------------------------------------------------------------------------

    def probe_all(self):
        threads = [threading.Thread(target=self.probe, args=(shard, node), daemon=True)
                   for shard in self.shards for node in shard.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def probe(self, shard, node):
        try:
            version = int(node.cluster_info(timeout=ANSWER_S)["cluster_current_epoch"])
        except Error as error:
            if "restoring the db" in str(error):
                return
            if "not initialized" not in str(error):
                self.count_failure(shard, node)
                return
            version = -1
        except (OSError, KeyError, ValueError):
            self.count_failure(shard, node)
            return
        self.failures[node] = 0
        if version < self.version:
            self.sync(node)

    def count_failure(self, shard, node):
        self.failures[node] = self.failures.get(node, 0) + 1
        if self.failures[node] >= self.failures_max and node is shard.master:
            self.failover(shard, f"{node.name} is dead")

    def failover(self, shard, why="asked for"):
        """Promote the replica that has most. False: there is none."""
        candidates = []
        for node in shard.replicas():
            try:
                node.cluster_info(timeout=ANSWER_S)
                role = node.info("replication", timeout=ANSWER_S)["role"]
                sequence = int(node.info("keyspace", timeout=ANSWER_S)["sequence"])
            except (OSError, Error, KeyError, ValueError):
                continue
            if role == "slave" and sequence > 0:
                candidates.append((sequence, node))
        if not candidates:
            return False
        sequence, new = max(candidates, key=lambda pair: pair[0])
        with self.lock:
            self.promotions.append(Promotion(shard, new, sequence))
            self.failures[new] = 0
            self.update(f"{new.name} replaces {shard.master.name}: {why}", lambda: setattr(shard, "master", new))
        return True

    # --- migrations ------------------------------------------------------------------------------------------

    def migrate(self, source, target, first, last):
        """Error: refused, by a node or because one of the shards is busy."""
        with self.lock:
            if source.migration is not None or target.migration is not None:
                raise Error("the shard is migrating")
            migration = Migration(source, target, first, last)
            migration.giver.call("clusterx", "migrate", migration, migration.taker.id, timeout=ANSWER_S)
            source.migration = migration
            self.migrations.append(migration)
            self.update(f"{migration.giver.name} migrates {migration} to {migration.taker.name}")

    def settle_all(self):
        for shard in self.shards:
            with self.lock:
                migration, master = shard.migration, shard.master
            if migration is None:
                continue
            try:
                self.settle(shard, migration, master.cluster_info(timeout=ANSWER_S))
            except (OSError, Error, ValueError):
                pass

    def settle(self, shard, migration, info):
        state, slots = info.get("migrating_state"), info.get("migrating_slot(s)")
        if slots not in (str(migration), f"{migration.first}-{migration.last}"):
            state = "unknown"
        if state in ("none", "start"):
            return

        def change():
            if state == "success":
                shard.slots -= migration.slots()
                migration.target.slots |= migration.slots()
            shard.migration = None
            migration.state = state if state in ("success", "fail") else "unknown"
        with self.lock:
            if shard.migration is migration:
                self.update(f"{migration} of {shard.master.name}: {info.get('migrating_state')} {slots}", change)

    def results(self):
        return {state: sum(m.state == state for m in self.migrations) for state in ("success", "fail", "unknown")}

    def is_settled(self):
        """No migration runs, and every node has the present version."""
        with self.lock:
            if any(shard.migration is not None for shard in self.shards):
                return False
            version = self.version
        try:
            return all(int(node.cluster_info(timeout=ANSWER_S)["cluster_current_epoch"]) == version
                       for node in self.nodes())
        except (OSError, Error, KeyError, ValueError):
            return False
