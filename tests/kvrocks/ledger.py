# SPDX-License-Identifier: Apache-2.0
"""ledger.py: a client of a cluster that writes all the time and knows afterwards which values each key may have."""
import random
import threading
import time

from cluster_client import ClusterClient, Moved, Refused, slot_of


class Entry:
    __slots__ = ("value", "acknowledged_at", "port")

    def __init__(self, value):
        self.value, self.acknowledged_at, self.port = value, None, 0


class Loss:
    """Writes that may be gone, as after an unplanned failover: acknowledged within a time, by the nodes of these ports."""

    def __init__(self, slots, since, until, ports):
        self.slots, self.since, self.until, self.ports = slots, since, until, ports

    def covers(self, slot, entry):
        return slot in self.slots and self.since <= entry.acknowledged_at <= self.until and entry.port in self.ports


class Ledger(threading.Thread):
    """Writes keys in random order; start(), stop(), check()."""

    def __init__(self, nodes, keys=2000, rate=1000, seed=0, prefix="ledger"):
        super().__init__(daemon=True)
        self.client = ClusterClient(nodes)
        self.chance = random.Random(seed)
        self.keys = [f"{prefix}:{i}" for i in range(keys)]
        self.entries = {key: [] for key in self.keys}
        self.losses = []
        self.lock, self.written = threading.Lock(), set()
        self.interval = 1.0 / rate
        self.acknowledged, self.refused, self.longest_pause_s = 0, 0, 0.0
        self.failure, self.ended = None, threading.Event()

    def run(self):
        number = 0
        try:
            while not self.ended.is_set():
                number += 1
                self.write(self.chance.choice(self.keys), str(number))
                self.ended.wait(self.interval)
        except Exception as error:  # whatever it is, the test must see it
            self.failure = error
        self.client.close()

    def write(self, key, value):
        """Until it is acknowledged, or the end comes."""
        entry = Entry(value)
        self.entries[key].append(entry)
        with self.lock:
            self.written.add(key)
        began = time.monotonic()
        while not self.ended.is_set():
            try:
                if self.client.call(key, "set", key, value) == b"OK":
                    entry.port = self.client.answered
                    entry.acknowledged_at = time.monotonic()
                    self.acknowledged += 1
                    break
            except (Refused, OSError):
                self.refused += 1
            self.ended.wait(0.002)
        self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - began)

    def stop(self):
        self.ended.set()
        self.join(60)
        if self.failure is not None:
            raise self.failure

    # --- what a key may have ---------------------------------------------------------------------------

    def allowed(self, key):
        """The last value that must be there, and those written after it; None: perhaps no value."""
        values, slot = [], slot_of(key)
        for entry in reversed(self.entries[key]):
            values.append(entry.value)
            if entry.acknowledged_at is not None and not any(loss.covers(slot, entry) for loss in self.losses):
                return values
        return values + [None]

    def wrong(self, nodes, keys=None):
        """[(key, slot, found, allowed)] of the keys whose value, at their owner, is none of the allowed ones. The client may
        go on writing meanwhile."""
        client, found = ClusterClient(nodes), []
        for key in self.keys if keys is None else keys:
            before = self.allowed(key)
            value = self.read(client, key)
            if value not in before and value not in self.allowed(key) + self.since(key, before):
                found.append((key, slot_of(key), value, before[-3:]))
        client.close()
        return found

    def since(self, key, before):
        """What has been written to a key since its allowed values were asked for."""
        values = [entry.value for entry in self.entries[key]]
        return values[values.index(before[0]) :] if before[0] in values else values

    def take_written(self):
        """The keys that have been written since the last call."""
        with self.lock:
            written, self.written = self.written, set()
        return written

    @staticmethod
    def read(client, key, limit_s=20):
        deadline = time.monotonic() + limit_s
        while True:
            try:
                value = client.call(key, "get", key)
                return None if value is None else value.decode()
            except Moved:
                pass
            except (Refused, OSError):
                time.sleep(0.02)
            if time.monotonic() > deadline:
                raise AssertionError(f"no node answers for {key}, slot {slot_of(key)}")
