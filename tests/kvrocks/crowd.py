# SPDX-License-Identifier: Apache-2.0
"""crowd.py: starts crowd_writer.py, and judges afterwards what each of its keys may have."""
import array
import collections
import json
import os
import subprocess
import sys

from cluster_client import slot_of
from crowd_writer import key_name
from kvrocks_node import DEADLINE_S, Error

WRITER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowd_writer.py")
Entry = collections.namedtuple("Entry", "number acknowledged_at port")


def read_keys(nodes, keys, limit=20):
    """{key: value or None} as a client of the cluster reads them: each where MOVED sends it."""
    ports, owners, values = {node.port: node for node in nodes}, {}, {}
    clients = {node.port: node.client() for node in nodes}
    open_keys = list(keys)
    for _ in range(limit):
        parts = collections.defaultdict(list)
        for key in open_keys:
            parts[owners.get(slot_of(key), nodes[0].port)].append(key)
        open_keys = []
        for port, part in parts.items():
            for key, reply in zip(part, clients[port].pipeline([("get", key) for key in part], 500)):
                if not isinstance(reply, Error):
                    values[key] = reply
                    continue
                open_keys.append(key)
                if str(reply).startswith("MOVED"):
                    owners[slot_of(key)] = int(str(reply).rsplit(":", 1)[1])
                    assert owners[slot_of(key)] in ports, reply
    for client in clients.values():
        client.close()
    if open_keys:
        raise AssertionError(f"no node serves {len(open_keys)} keys, the first is {open_keys[0]}")
    return values


class Crowd:
    def __init__(self, nodes, directory, rate, keys, seed):
        self.nodes, self.path, self.losses = nodes, os.path.join(directory, "crowd"), []
        self.process = subprocess.Popen([sys.executable, "-B", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.tell(json.dumps({"nodes": [[node.host, node.port] for node in nodes], "rate": rate, "keys": keys,
                              "seed": seed, "file": self.path}))

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def count(self):
        """The acknowledged writes until now."""
        self.tell("count")
        return int(self.process.stdout.readline())

    def stop(self):
        """The figures of the whole; from now on the ledger can be asked."""
        self.tell("end")
        figures = json.loads(self.process.stdout.readline())
        self.process.wait(DEADLINE_S)
        self.process.stdin.close()
        self.process.stdout.close()
        columns = array.array("I"), array.array("d"), array.array("H")
        with open(self.path, "rb") as file:
            for column in columns:
                column.fromfile(file, figures["writes"])
        self.entries = collections.defaultdict(list)
        for number, (key, acknowledged_at, port) in enumerate(zip(*columns)):
            self.entries[key].append(Entry(number, acknowledged_at or None, port))
        return figures

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def allowed(self, index):
        """The numbers of the last write that must be there, and of those behind it; None: perhaps nothing."""
        numbers, slot = set(), slot_of(key_name(index))
        for entry in reversed(self.entries[index]):
            numbers.add(entry.number)
            if entry.acknowledged_at is not None and not any(loss.covers(slot, entry) for loss in self.losses):
                return numbers
        return numbers | {None}

    def wrong(self):
        """[(key, slot, found, allowed)]"""
        values = read_keys(self.nodes, [key_name(index) for index in self.entries])
        found = []
        for index in self.entries:
            key = key_name(index)
            number = None if values[key] is None else int(values[key].split(b":", 1)[0])
            allowed = self.allowed(index)
            if number not in allowed:
                found.append((key, slot_of(key), number, sorted(allowed, key=lambda n: -1 if n is None else n)))
        return found

    def excused(self):
        """How many acknowledged writes may be gone."""
        count = 0
        for index, entries in self.entries.items():
            slot = slot_of(key_name(index))
            losses = [loss for loss in self.losses if slot in loss.slots]
            count += sum(entry.acknowledged_at is not None and any(loss.covers(slot, entry) for loss in losses)
                         for entry in entries)
        return count
