# SPDX-License-Identifier: Apache-2.0
"""marks.py: how far the logs of masters were, and when: what a promoted replica must have, and what it may lack."""
import collections
import threading
import time

from kvrocks_node import Error


class Marks(threading.Thread):
    """Asks each master again and again how far its log is: what it has acknowledged before is in the log up to there. The
    same for the slots that it has taken over."""

    def __init__(self, controller):
        super().__init__(daemon=True)
        self.controller, self.ended = controller, threading.Event()
        self.marks = collections.defaultdict(list)
        self.taken = {}

    def run(self):
        while not self.ended.wait(0.03):
            for shard in self.controller.shards:
                try:
                    self.ask(shard.master)
                except (OSError, Error, KeyError, ValueError):
                    pass

    def ask(self, node):
        now, info = time.monotonic(), node.cluster_info(timeout=2)
        sequence = int(node.info("keyspace", timeout=2)["sequence"])
        self.marks[node].append((now, sequence))
        if info.get("import_state") == "success":
            self.taken.setdefault((node, info.get("importing_slot(s)")), []).append(sequence)

    def safe_until(self, node, sequence):
        """Whatever the node acknowledged before this moment is in the log up to the sequence number."""
        return max((at for at, mark in self.marks[node] if mark <= sequence), default=0.0)

    def took(self, migration, sequence):
        """The log up to there has all that the migration brought."""
        name = f"{migration.first}-{migration.last}"
        marks = self.taken.get((migration.taker, name), []) + self.taken.get((migration.taker, str(migration)), [])
        return any(mark <= sequence for mark in marks)
